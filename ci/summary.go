package ci

import (
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// Summary says in Markdown how a job ended: in one line, then every stage, then what was done. err is what Run returned.
func (r Result) Summary(err error) string {
	var b strings.Builder
	b.WriteString("## Lockkeeper: " + r.headline(err) + "\n")
	if err != nil {
		b.WriteString("\n" + indented(err.Error()))
	}
	if len(r.Outcome.Plan.Stages) > 0 {
		b.WriteString("\n" + promote.StatusTable(r.Outcome.Plan.Stages))
	}
	if len(r.Outcome.Applied) > 0 {
		b.WriteString("\nDone in this job:\n\n")
		for _, action := range r.Outcome.Applied {
			b.WriteString(indented(action.String()))
		}
	}
	return b.String()
}

func (r Result) headline(err error) string {
	switch {
	case err != nil:
		return "the run failed"
	case refused(r.Outcome.Applied):
		return "the command was refused"
	case r.Exit == ExitFailed:
		return "a promotion failed, or a stage needs a correction"
	case r.Exit == ExitWaiting:
		return "a promotion is on its way and waits"
	case len(r.Outcome.Applied) == 0:
		return "nothing to do"
	}
	return "done"
}

// indented makes text a code block that nothing in it can end.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.ReplaceAll(text, "\r", " ")) {
		b.WriteString("    " + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}
