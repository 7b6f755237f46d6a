package promote

import (
	"slices"
	"time"

	"pgregory.net/rapid"
)

// event lets something happen outside.
func (w *world) event() {
	w.catchUp()
	open := w.openChanges()
	events := []string{"version", "version", "version", "command", "command", "command", "command", "clock", "clock", "push", "health", "argo", "freight", "finding", "settings"}
	if len(open) > 0 {
		events = append(events, "merge", "merge", "merge", "close", "conflict", "break", "unseen", "head", "branch", "draft", "block", "behind", "ask", "ask", "doubt")
	}
	kind := rapid.SampledFrom(events).Draw(w.t, "event")
	switch kind {
	case "version":
		w.newVersion()
	case "command":
		w.command()
	case "clock":
		w.now = w.now.Add(time.Duration(rapid.IntRange(1, 30).Draw(w.t, "minutes")) * time.Minute)
	case "push":
		w.pushMain()
	case "health":
		stage := oneOf(w.t, "stage", w.stages())
		w.health[StageRef{"p", stage.Name}] = rapid.SampledFrom([]string{"", "", "slow", "bad"}).Draw(w.t, "health")
	case "argo":
		w.argoDown = !w.argoDown
	case "freight":
		w.spoil()
	case "finding":
		w.finding()
	case "settings":
		w.settings()
	default:
		w.changeEvent(kind, open[rapid.IntRange(0, len(open)-1).Draw(w.t, "change")])
	}
}

// oneOf draws one of some things, of which a failure prints the place only.
func oneOf[T any](t *rapid.T, what string, all []T) T {
	return all[rapid.IntRange(0, len(all)-1).Draw(t, what)]
}

// changeEvent lets something happen to an open change.
func (w *world) changeEvent(kind string, c *Change) {
	switch kind {
	case "merge":
		w.merge(c)
	case "close":
		c.State, c.ClosedBy = ChangeClosed, "bob"
	case "conflict":
		w.pushMain()
		for _, p := range w.aboard(w.state.Tips[c.Branch]) {
			w.files[p.Stage]++
			break
		}
	case "break":
		w.broken[c.Head] = !w.broken[c.Head]
	case "unseen":
		w.unseen[c.Head] = !w.unseen[c.Head]
	case "head":
		below := w.trees[c.Head]
		c.Head = w.commit()
		w.state.Tips[c.Branch], w.trees[c.Head] = c.Head, below
	case "branch":
		delete(w.state.Tips, c.Branch)
		c.State = ChangeClosed
		if rapid.Bool().Draw(w.t, "stays open") {
			c.State = ChangeOpen
		}
	case "draft":
		c.Draft = !c.Draft
	case "block":
		c.Merge = rapid.SampledFrom([]MergeState{MergeReady, MergeBlocked, MergeUnknown}).Draw(w.t, "mergeability")
	case "behind":
		w.pushMain()
		c.Merge = MergeBehind
	case "ask": // for what cannot be merged yet
		c.Merge = rapid.SampledFrom([]MergeState{MergeBlocked, MergeBehind}).Draw(w.t, "mergeability")
		w.says(*c, VerbPromote)
	case "doubt":
		if p, ok := w.proposal(c); ok && w.held(p.Stage, "") {
			w.says(*c, VerbResume)
		} else {
			w.says(*c, VerbHold)
		}
	}
}

// says has somebody who may write comment on a change.
func (w *world) says(c Change, verb Verb) {
	w.comments++
	w.state.Commands = append(w.state.Commands, Command{
		Verb: verb, Permission: PermissionWrite, Change: c, Comment: Comment{ID: w.comments, Change: c.Number, Author: "ann", At: w.now},
	})
}

func (w *world) openChanges() []*Change {
	var open []*Change
	for i := range w.state.Changes {
		if w.state.Changes[i].State == ChangeOpen {
			open = append(open, &w.state.Changes[i])
		}
	}
	return open
}

// proposal returns the open promotion of a change, of several any.
func (w *world) proposal(c *Change) (Promotion, bool) {
	return newest(w.state.History.Promotions, func(p Promotion) bool {
		return p.Branch == c.Branch && p.Phase == PhaseProposed && (p.Change == 0 || p.Change == c.Number)
	})
}

// spoil lets something be wrong with a freight, or right again.
func (w *world) spoil() {
	if len(w.state.History.Freights) == 0 {
		return
	}
	id := oneOf(w.t, "freight", w.state.History.Freights).ID
	what := oneOf(w.t, "how", []map[FreightID]bool{w.gone, w.moved, w.hopeless, w.hopeless})
	what[id] = !what[id]
	if w.hopeless[id] == what[id] {
		w.pushMain() // what is told of a proposal at one commit stays true
	}
}

// finding breaks the pipeline's files, or repairs them.
func (w *world) finding() {
	if len(w.state.Findings) > 0 {
		w.state.Findings = nil
	} else {
		w.state.Findings = []Finding{{Severity: SeverityError, Project: "p", Message: "a step is not known"}}
	}
	w.pushMain()
}

// settings changes what the team says of a stage.
func (w *world) settings() {
	p := w.pipeline()
	p.Stages, p.Policies = slices.Clone(p.Stages), slices.Clone(p.Policies)
	stage := &p.Stages[rapid.IntRange(0, len(p.Stages)-1).Draw(w.t, "stage")]
	switch rapid.SampledFrom([]string{"merge", "supersede", "group", "policy", "wave"}).Draw(w.t, "setting") {
	case "merge":
		stage.AutoMerge = !stage.AutoMerge
	case "supersede":
		stage.Supersede = rapid.SampledFrom([]Supersede{SupersedeInPlace, SupersedeByNew, SupersedeQueue}).Draw(w.t, "supersede")
	case "group":
		stage.Group = rapid.SampledFrom([]string{"", "g", "h"}).Draw(w.t, "group")
	case "policy":
		p.Policies = append([]Policy{{Stage: stage.Declared(), AutoPromotion: rapid.Bool().Draw(w.t, "auto")}}, p.Policies...)
	case "wave":
		if !slices.ContainsFunc(w.stages(), func(s Stage) bool {
			_, active := w.state.History.Active(StageRef{"p", s.Name})
			return s.Fan == stage.Fan && active
		}) {
			n := rapid.IntRange(0, 2).Draw(w.t, "in flight")
			for i := range p.Stages {
				if p.Stages[i].Fan == stage.Fan && stage.Fan != "" {
					p.Stages[i].Wave.MaxInFlight = n
				}
			}
		}
	}
	w.state.Pipelines = []Pipeline{p}
	w.pushMain()
}

var askedVerbs = []Verb{
	VerbPromote, VerbPromote, VerbPromote, VerbHold, VerbResume, VerbStatus, VerbApprove, VerbApprove, VerbReject, VerbAccept,
	VerbRetry, VerbRollback, VerbRollback, "frobnicate",
}

func (w *world) command() {
	w.comments++
	c := Command{
		Verb:       rapid.SampledFrom(askedVerbs).Draw(w.t, "verb"),
		Permission: rapid.SampledFrom([]Permission{PermissionRead, PermissionWrite, PermissionWrite, PermissionMaintain}).Draw(w.t, "permission"),
		Comment: Comment{
			ID: w.comments, Author: rapid.SampledFrom([]string{"ann", "bob"}).Draw(w.t, "author"),
			At: w.now.Add(time.Duration(rapid.IntRange(-90, 90).Draw(w.t, "skew")) * time.Second),
		},
	}
	if n := len(w.state.Changes); n > 0 && rapid.IntRange(0, 2).Draw(w.t, "on a change") > 0 {
		c.Change = w.state.Changes[rapid.IntRange(0, n-1).Draw(w.t, "change")]
		c.Comment.Change = c.Change.Number
	}
	if rapid.Bool().Draw(w.t, "names a stage") && !slices.Contains([]Verb{VerbReject, VerbAccept}, c.Verb) {
		c.Arguments = append(c.Arguments, oneOf(w.t, "stage", w.stages()).Name)
	}
	if freights := w.state.History.Freights; len(freights) > 0 && rapid.Bool().Draw(w.t, "names a version") {
		c.Arguments = append(c.Arguments, oneOf(w.t, "freight", freights).Label())
	}
	w.state.Commands = append(w.state.Commands, c)
	if rapid.IntRange(0, 3).Draw(w.t, "delivered twice") == 0 {
		w.state.Commands = append(w.state.Commands, c)
	}
}
