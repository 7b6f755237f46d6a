package promote

import (
	"fmt"
	"slices"
	"strings"
)

// retire closes the changes that promote nothing any more: as long as one is open and green, somebody may merge it.
func (d *decision) retire() {
	needed := d.needed()
	for _, c := range d.state.Changes {
		if c.State != ChangeOpen || c.Fork || needed[c.Number] {
			continue
		}
		if p, ok := d.index.proposer(c); ok {
			if why := d.obsolete(p); why != "" {
				d.do(CloseChange{Change: c.Number, Head: c.Head, Note: "Closed, because " + why + ".\n"})
			}
		}
	}
}

// needed returns the changes by which something is proposed now.
func (d *decision) needed() map[int]bool {
	needed := map[int]bool{}
	for ref := range d.index.stages {
		if active, ok := d.index.active(ref); ok && active.Phase == PhaseProposed {
			if change, found := d.index.change(active); found {
				needed[change.Number] = true
			}
		}
	}
	return needed
}

// obsolete says why a change that nobody needs is of no use any more, given the promotion it belongs to; empty when that is
// not certain.
func (d *decision) obsolete(p Promotion) string {
	_, declared := d.index.stages[p.Stage]
	freight, _ := d.index.freight(p.Stage.Project, p.Freight)
	name, stage := codeSpan(p.label(freight)), codeSpan(p.Stage.String())
	switch {
	case p.Phase == PhaseDelivering, p.Phase == PhaseSucceeded:
		return fmt.Sprintf("%s is on %s already, and there is nothing left to merge", name, codeSpan(string(p.Target)))
	case p.Phase.Terminal():
		return fmt.Sprintf("promotion %s of %s to %s is over: %s", codeSpan(string(p.ID)), name, stage,
			orElse(tableCell(p.Message), "it was ended"))
	case p.Phase == PhasePreparing:
		return fmt.Sprintf("%s takes the place of what it promotes to %s, and is being prepared", name, stage)
	case !declared && !d.unreadable(p.Stage):
		return fmt.Sprintf("stage %s, to which it promotes %s, is not declared any more", stage, name)
	}
	return ""
}

// unreadable reports whether a stage may be missing only because the files that declare it have an error.
func (d *decision) unreadable(stage StageRef) bool {
	if slices.ContainsFunc(d.index.findings.about(stage), func(f Finding) bool { return f.Severity == SeverityError }) {
		return true
	}
	for ref, found := range d.index.findings.stages { // of a stage that does not fan out at present, because of an error
		if ref.Project == stage.Project && strings.HasPrefix(stage.Name, ref.Name+".") &&
			slices.ContainsFunc(found, func(f Finding) bool { return f.Severity == SeverityError }) {
			return true
		}
	}
	return false
}
