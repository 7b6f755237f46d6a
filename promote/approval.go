package promote

// Reviews are the approvals that people gave to a change on the forge itself.
type Reviews struct {
	Head  Commit // of the change, as the forge showed it with them
	Given []Review
}

// Review is the last word of one person, where that is an approval.
type Review struct {
	By   string
	Head Commit // what was approved; empty: the forge does not tell
}

// Of divides the reviews into those of one head and the others, which say nothing of it: who gave them saw something else, or
// nobody knows what. An empty head is the one that the forge showed.
func (r Reviews) Of(head Commit) (given, lapsed []string) {
	if head == "" {
		head = r.Head
	}
	for _, review := range r.Given {
		if review.Head != "" && review.Head == head {
			given = append(given, review.By)
		} else {
			lapsed = append(lapsed, review.By)
		}
	}
	return given, lapsed
}

// lapsedReviews says whose approvals are of another head, and what to do; empty when nobody's are.
func (s State) lapsedReviews(p Promotion) string {
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
