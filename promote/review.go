package promote

import "slices"

// Reviewed is what the change of a person was found to do, and what it was told the last time that is remembered.
type Reviewed struct {
	Change       Change
	Body         string    // of the note; empty: it does nothing that a person would want to see
	Findings     []Finding // that it brings
	Applications int       // that change
	Last         string    // the body of the note before; empty: none is remembered
	Quiet        bool      // a status is wanted, and no note
}

// Errors are those of its findings that are errors.
func (r Reviewed) Errors() []Finding {
	return keep(r.Findings, func(f Finding) bool { return f.Severity == SeverityError })
}

// IsReviewed reports whether a change is one to be reviewed: open, on the branch that is deployed, and no promotion. What a fork's
// branch is called means nothing.
func (s State) IsReviewed(c Change) bool {
	return c.State == ChangeOpen && c.Target == s.Branch && c.Head != "" && (c.Fork || !IsProposalBranch(c.Branch))
}

// ReviewPost is what is to be said on the head of a change of a person. ok is false for the head of an open promotion: the gates say
// its status, whoever opens another change with the same commit.
func (s State) ReviewPost(r Reviewed) (post PostStatus, ok bool) {
	return PostStatus{
		Change: r.Change.Number, Head: r.Change.Head, Branch: r.Change.Branch, Status: ReviewStatus(r.Errors(), r.Applications),
		Summary: reviewNote(r.Body), Annotations: Annotations(r.Findings),
	}, !s.Promotes(r.Change.Head)
}

// Note is the note that a change is to have. ok is false where it stays as it is: it says that already, or there is none and
// nothing to say.
func (r Reviewed) Note() (note string, ok bool) {
	return reviewNote(r.Body), !r.Quiet && r.Body != r.Last
}

// reviewNote is what a note says, also of a change that does nothing any more.
func reviewNote(body string) string {
	if body == "" {
		return "Nothing changes in the cluster.\n"
	}
	return body
}

// IsPromotion reports whether a change is one of ours.
func (s State) IsPromotion(number int) bool {
	return number != 0 && slices.ContainsFunc(s.History.Promotions, func(p Promotion) bool { return p.Change == number }) ||
		slices.ContainsFunc(s.Changes, func(c Change) bool { return c.Number == number && IsProposalBranch(c.Branch) })
}

// Promotes reports whether a head is that of a promotion that is open: its gates say its status, whatever other change, of whoever,
// has the same commit.
func (s State) Promotes(head Commit) bool {
	return slices.ContainsFunc(s.History.Promotions, func(p Promotion) bool { return p.Head == head && !p.Phase.Terminal() }) ||
		slices.ContainsFunc(s.Changes, func(c Change) bool {
			return c.Head == head && c.State == ChangeOpen && IsProposalBranch(c.Branch)
		})
}
