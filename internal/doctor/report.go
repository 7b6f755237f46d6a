package doctor

import "github.com/lockkeeper/lockkeeper/promote"

// Verdict is how a check ended, the best first.
type Verdict int

// The verdicts.
const (
	OK      Verdict = iota
	Fixed           // it was wrong, and was put right just now
	Skipped         // it could not be looked at, or does not concern this installation
	Warning         // it works, and will hurt
	Failure         // it does not work
)

// String returns the word that stands in reports.
func (v Verdict) String() string {
	switch v {
	case OK:
		return "ok"
	case Fixed:
		return "fixed"
	case Skipped:
		return "skip"
	case Warning:
		return "warn"
	case Failure:
		return "fail"
	}
	return "unknown"
}

// MarshalText makes the word the JSON form.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Finding is what one check found.
type Finding struct {
	Verdict Verdict
	Check   string // what was looked at, in one or two words
	Text    string // what was found
	Remedy  string // what to do; empty when there is nothing to do
	Fix     Fix    // what an API call can do about it; the zero value: nothing
}

// FixKind is a kind of change.
type FixKind int

// The kinds of changes.
const (
	FixNothing      FixKind = iota
	FixHook                 // make or edit the webhook
	FixHookSecret           // set the webhook's secret to ours, and have a delivery sent that proves it
	FixPipelines            // GitLab: pipelines must succeed, and skipped ones do not count
	FixLedger               // protect the branch of the ledger
	FixRequirement          // GitHub: require the status of the gates, from our App where it is one
	FixApprovals            // GitLab: new commits take approvals away
	FixStatusChecks         // GitLab: external status checks must succeed
)

// Fix is a change of a forge's settings. Equal fixes are the same change, which is made once.
type Fix struct {
	Kind   FixKind
	Hook   int                // of FixHook and FixHookSecret: its ID; 0: a new one
	App    bool               // of FixHook and FixHookSecret: the webhook is that of the App
	Branch promote.Branch     // of FixRequirement and FixLedger
	Least  promote.Permission // of FixLedger: who may still push
}

// String says what the change is.
func (f Fix) String() string {
	switch f.Kind {
	case FixHook:
		switch {
		case f.App:
			return "set the address of the App's webhook"
		case f.Hook == 0:
			return "create the webhook"
		}
		return "set the webhook's events and verification"
	case FixHookSecret:
		return "set the webhook's secret"
	case FixPipelines:
		return `switch "Pipelines must succeed" on, and "Skipped pipelines are considered successful" off`
	case FixLedger:
		return "protect the branch " + string(f.Branch)
	case FixRequirement:
		return "require the status " + promote.StatusName + " on " + string(f.Branch)
	case FixApprovals:
		return `switch "Remove all approvals when commits are added" on`
	case FixStatusChecks:
		return "switch " + mustSucceed + " on"
	case FixNothing:
	}
	return "nothing"
}

// Section is what was found about one thing: the server, or a repository.
type Section struct {
	Name     string
	Findings []Finding
}

// Report is all that was found.
type Report []Section

// Count is how many findings have a verdict.
func (r Report) Count(v Verdict) int {
	n := 0
	for _, section := range r {
		for _, f := range section.Findings {
			if f.Verdict == v {
				n++
			}
		}
	}
	return n
}

// Worst is the worst verdict of all findings; OK when there is none.
func (r Report) Worst() Verdict {
	worst := OK
	for _, section := range r {
		for _, f := range section.Findings {
			worst = max(worst, f.Verdict)
		}
	}
	return worst
}

// Fixes are the changes that findings ask for, each once, in their order.
func Fixes(findings []Finding) []Fix {
	var fixes []Fix
	seen := map[Fix]bool{{}: true}
	for _, f := range findings {
		if !seen[f.Fix] {
			seen[f.Fix] = true
			fixes = append(fixes, f.Fix)
		}
	}
	return fixes
}

// Applied says in the findings how their changes went: done is by change, nil where it was made.
func Applied(findings []Finding, done map[Fix]error) []Finding {
	out := make([]Finding, len(findings))
	for i, f := range findings {
		err, tried := done[f.Fix]
		switch {
		case f.Fix.Kind == FixNothing || !tried:
		case err == nil:
			f = Finding{Verdict: Fixed, Check: f.Check, Text: f.Text + ": done: " + f.Fix.String()}
		default:
			f.Text += "; it could not be put right: " + err.Error()
		}
		out[i] = f
	}
	return out
}
