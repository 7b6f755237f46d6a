package promote

import (
	"fmt"
	"slices"
)

// Counting returns those of the approvals of a promotion that count now. people is what is known of those who gave them, by
// name; of whoever is not in it nothing is known, and nothing counts.
func (s State) Counting(p Promotion, people map[string]Standing) []Approval {
	rule, _ := s.Rule(VerbAdmit, p.Stage)
	authors := s.askedFor(p)
	var counting []Approval
	others := false
	for _, a := range s.History.ApprovedFor(p.Stage, p.Freight) {
		at, known := people[a.By]
		if !known || a.Claimed() && rule.personal() || s.Refuses(VerbAdmit, p.Stage, a.By, at) != "" {
			continue
		}
		counting = append(counting, a)
		others = others || !slices.ContainsFunc(authors, func(by string) bool { return sameName(by, a.By) })
	}
	if rule.NotAuthor && !others {
		return nil
	}
	return counting
}

// askedFor returns who asked for a promotion, or for the merge of its change.
func (s State) askedFor(p Promotion) []string {
	authors := []string{p.Actor}
	for _, r := range s.History.Requests {
		if r.Stage == p.Stage && r.Freight == p.Freight {
			authors = append(authors, r.By)
		}
	}
	return authors
}

// soleAuthor says why who asked for a promotion may not admit its freight, where a rule wants somebody else; empty when it may.
func (d *decision) soleAuthor(c Command, ref StageRef, freight Freight) string {
	rule, _ := d.state.Rule(VerbAdmit, ref)
	if !rule.NotAuthor || d.approvedByOthers(c, ref, freight) {
		return ""
	}
	active, isActive := d.index.active(ref)
	asked := isActive && active.Freight == freight.ID && sameName(active.Actor, c.Comment.Author) ||
		slices.ContainsFunc(d.index.requests[ref], func(r *Request) bool { return r.Freight == freight.ID && sameName(r.By, c.Comment.Author) })
	if !asked {
		return ""
	}
	return fmt.Sprintf("%s asked for %s in %s: somebody else has to admit it first%s", codeSpan(c.Comment.Author), codeSpan(freight.Label()),
		codeSpan(ref.String()), rule.source())
}

// soleAdmitter says why who admitted a freight may not ask for it as well, where a rule wants somebody else and upstream stages
// do not let it in; empty when it may.
func (d *decision) soleAdmitter(c Command, ref StageRef, freight Freight) string {
	rule, _ := d.state.Rule(VerbAdmit, ref)
	key := stageFreight{ref, freight.ID}
	given := d.index.approvals[key]
	if !rule.NotAuthor || len(given) == 0 || d.approvedByOthers(c, ref, freight) {
		return ""
	}
	delete(d.index.approvals, key)
	in := d.at(d.index.stages[ref]).input(freight, Evidence{}, true)
	verdict := available(in).verdict
	d.index.approvals[key] = given
	if verdict == Pass {
		return ""
	}
	return fmt.Sprintf("only %s admitted %s to %s: somebody else has to admit it, too, or to ask for it%s", codeSpan(c.Comment.Author),
		codeSpan(freight.Label()), codeSpan(ref.String()), rule.source())
}

// approvedByOthers reports whether somebody else than who wrote a command approved a freight for a stage.
func (d *decision) approvedByOthers(c Command, ref StageRef, freight Freight) bool {
	return slices.ContainsFunc(d.index.approvals[stageFreight{ref, freight.ID}], func(a Approval) bool {
		return !sameName(a.By, c.Comment.Author)
	})
}
