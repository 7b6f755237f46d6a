package promote

// ChangeApprovals are the approvals that people gave to a change on the forge itself.
type ChangeApprovals struct {
	Head  Commit // of the change, as the forge showed it with them
	Given []ChangeApproval
}

// ChangeApproval is the last word of one person, where that is an approval. It counts as an [Approval] of the promotion that it was
// given to.
type ChangeApproval struct {
	By   string
	Head Commit // what was approved; empty: the forge does not tell
}

// Of divides who gave them into those who approved one head and the others, whose approvals say nothing of it: they saw something else,
// or nobody knows what. An empty head is the one that the forge showed.
func (a ChangeApprovals) Of(head Commit) (given, lapsed []string) {
	if head == "" {
		head = a.Head
	}
	for _, one := range a.Given {
		if one.Head != "" && one.Head == head {
			given = append(given, one.By)
		} else {
			lapsed = append(lapsed, one.By)
		}
	}
	return given, lapsed
}

// lapsedApprovals says whose approvals are of another head, and what to do; empty when nobody's are.
func (s State) lapsedApprovals(p Promotion) string {
	people := s.Lapsed[p.Ref()]
	switch len(people) {
	case 0:
		return ""
	case 1:
		return "the approval by " + clean(people[0]) + " was not given to the present commit: approve the change again"
	}
	cleaned := make([]string, len(people))
	for i, name := range people {
		cleaned[i] = clean(name)
	}
	return "the approvals by " + joinLimited(cleaned, 3) + " were not given to the present commit: approve the change again"
}
