package promote

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Difference is one decision that would be another one with a changed pipeline.
type Difference struct {
	At      time.Time `json:"at"` // the moment of the recorded history
	Stage   StageRef  `json:"stage"`
	Freight string    `json:"freight,omitempty"` // label of what was next for the stage, with either pipeline
	Before  string    `json:"before"`            // verdict and reason with the pipeline as it is; empty: there is no such stage
	After   string    `json:"after"`             // likewise with the changed one
}

// Simulation is what a changed pipeline would have decided in a recorded history.
type Simulation struct {
	Moments     int          `json:"moments"` // at which both pipelines were asked
	From        time.Time    `json:"from,omitzero"`
	Differences []Difference `json:"differences"`
}

// MaxMoments bounds how many moments of a history are replayed.
const MaxMoments = 2000

// Simulate replays a recorded history: at every moment at which something happened it asks what would be decided with the
// pipelines as they are, and with the changed ones. A difference is told once, when it begins. The history stays as it was:
// what the changed pipeline would have promoted is not played on. What was forgotten, such as holds that were lifted since,
// is not part of it.
//
// At most so many moments are replayed, the latest; MaxMoments is all that anybody would want to read.
func Simulate(before, after State, since time.Time, most int) Simulation {
	moments := before.History.moments(since)
	moments = moments[max(0, len(moments)-most):]
	out := Simulation{Moments: len(moments), Differences: []Difference{}}
	if len(moments) > 0 {
		out.From = moments[0]
	}
	told := map[StageRef]Difference{}
	for _, at := range moments {
		one, two := Decide(before.at(at)), Decide(after.at(at))
		for _, d := range compare(at, one.Stages, two.Stages) {
			if last, known := told[d.Stage]; known && last.Freight == d.Freight && last.Before == d.Before && last.After == d.After {
				continue
			}
			told[d.Stage] = d
			if d.Before != d.After {
				out.Differences = append(out.Differences, d)
			}
		}
	}
	return out
}

// compare pairs the stages of two plans. Stages that are the same have equal words.
func compare(at time.Time, before, after []StageStatus) []Difference {
	all := map[StageRef]*Difference{}
	var order []StageRef
	put := func(s StageStatus, set func(*Difference, string)) {
		d := all[s.Stage]
		if d == nil {
			d = &Difference{At: at, Stage: s.Stage}
			all[s.Stage], order = d, append(order, s.Stage)
		}
		d.Freight = orElse(d.Freight, s.Next)
		set(d, s.Verdict.String()+": "+s.Reason)
	}
	for _, s := range before {
		put(s, func(d *Difference, words string) { d.Before = words })
	}
	for _, s := range after {
		put(s, func(d *Difference, words string) { d.After = words })
	}
	out := make([]Difference, len(order))
	for i, ref := range order {
		out[i] = *all[ref]
	}
	return out
}

// moments are the times at which something happened, oldest first.
func (h History) moments(since time.Time) []time.Time {
	var all []time.Time
	add := func(t time.Time) {
		if !t.IsZero() && !t.Before(since) {
			all = append(all, t)
		}
	}
	for _, f := range h.Freights {
		add(f.DiscoveredAt)
	}
	for _, p := range h.Promotions {
		add(p.CreatedAt)
		add(p.replacing())
		add(p.FinishedAt)
	}
	for _, v := range h.Verifications {
		add(v.VerifiedAt)
	}
	for _, r := range h.Requests {
		add(r.At)
	}
	for _, a := range h.Approvals {
		add(a.At)
	}
	for _, r := range h.Rejections {
		add(r.At)
	}
	slices.SortFunc(all, time.Time.Compare)
	all = slices.CompactFunc(all, time.Time.Equal)
	return all
}

// at is the state as it was at a moment, as far as the ledger tells. Nothing was found out about heads then, so that the gates
// which look at them say the same for both pipelines.
func (s State) at(t time.Time) State {
	out := State{Now: t, Branch: s.Branch, Head: s.Head, Pipelines: s.Pipelines, Findings: s.Findings, Tips: map[Branch]Commit{}}
	h := &out.History
	h.Freights = keep(s.History.Freights, func(f Freight) bool { return !f.DiscoveredAt.After(t) })
	h.Verifications = keep(s.History.Verifications, func(v Verification) bool { return !v.VerifiedAt.After(t) })
	h.Requests = keep(s.History.Requests, func(r Request) bool { return !r.At.After(t) })
	h.Approvals = keep(s.History.Approvals, func(a Approval) bool { return !a.At.After(t) })
	h.Rejections = keep(s.History.Rejections, func(r Rejection) bool { return !r.At.After(t) })
	h.Holds = keep(s.History.Holds, func(hold Hold) bool { return !hold.At.After(t) })
	for _, p := range s.History.Promotions {
		// What began at this very moment is what the decision of the moment was about.
		if !p.CreatedAt.Before(t) {
			continue
		}
		p = p.asOf(t)
		h.Promotions = append(h.Promotions, p)
		if p.Phase == PhaseProposed {
			out.Tips[p.Branch] = p.Head
			out.Changes = append(out.Changes, Change{
				Number: cmp.Or(p.Change, -len(h.Promotions)), URL: p.URL, Branch: p.Branch, Target: p.Target, Head: p.Head,
			})
		}
	}
	return out
}

// asOf is the promotion as it stood at a moment after it began.
func (p Promotion) asOf(t time.Time) Promotion {
	if p.Phase.Terminal() && !p.FinishedAt.After(t) {
		return p
	}
	p.FinishedAt, p.Message = time.Time{}, ""
	if since := p.replacing(); !since.IsZero() && !since.After(t) {
		p.Phase = PhaseDelivering
		return p
	}
	p.DeliveringSince, p.MergedAt, p.Merged, p.Phase = time.Time{}, time.Time{}, "", PhaseProposed
	return p
}

func keep[T any](all []T, match func(T) bool) []T {
	var kept []T
	for _, one := range all {
		if match(one) {
			kept = append(kept, one)
		}
	}
	return kept
}

// Markdown writes the simulation as a table that is safe in a comment.
func (s Simulation) Markdown() string {
	if s.Moments == 0 {
		return "Nothing is recorded yet, so there is nothing to replay.\n"
	}
	from := s.From.UTC().Format("2006-01-02")
	if len(s.Differences) == 0 {
		return fmt.Sprintf("At none of the %s recorded since %s would anything have been decided otherwise.\n", counted(s.Moments, "moment"), from)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Replayed at the %s recorded since %s: **%s**.\n\n", counted(s.Moments, "moment"), from, s.differ())
	b.WriteString("| when | stage | freight | as it is | as changed |\n|---|---|---|---|---|\n")
	const most = 50
	for _, d := range s.Differences[max(0, len(s.Differences)-most):] {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", d.At.UTC().Format("2006-01-02 15:04"), cellSpan(d.Stage.String()), cellSpan(d.Freight),
			tableCell(orElse(d.Before, "no such stage")), tableCell(orElse(d.After, "no such stage")))
	}
	if left := len(s.Differences) - most; left > 0 {
		fmt.Fprintf(&b, "\nThe %d before are left out; `lockkeeper simulate` prints all.\n", left)
	}
	return b.String()
}

func (s Simulation) differ() string {
	if len(s.Differences) == 1 {
		return "1 decision differs"
	}
	return fmt.Sprintf("%d decisions differ", len(s.Differences))
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// String writes the simulation for a terminal, two lines a decision.
func (s Simulation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s replayed, %s\n", counted(s.Moments, "moment"), s.differ())
	for _, d := range s.Differences {
		fmt.Fprintf(&b, "\n%s %s %s\n  - %s\n  + %s\n", d.At.UTC().Format("2006-01-02 15:04:05"), d.Stage, d.Freight,
			orElse(d.Before, "no such stage"), orElse(d.After, "no such stage"))
	}
	return b.String()
}
