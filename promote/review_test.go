package promote

import "testing"

func TestWhichChangesAreReviewed(t *testing.T) {
	for _, c := range []struct {
		name   string
		change Change
		want   bool
	}{
		{"an open change on the branch that is deployed", Change{Branch: "topic", Target: "main", Head: headTwo}, true},
		{"one for another branch", Change{Branch: "topic", Target: "release", Head: headTwo}, false},
		{"one that was merged", Change{Branch: "topic", Target: "main", Head: headTwo, State: ChangeMerged}, false},
		{"one that was closed", Change{Branch: "topic", Target: "main", Head: headTwo, State: ChangeClosed}, false},
		{"one of which the forge does not know the head yet", Change{Branch: "topic", Target: "main"}, false},
		{"a promotion", Change{Branch: ProposalBranch(dev), Target: "main", Head: headTwo}, false},
		{"the ledger", Change{Branch: LedgerBranch, Target: "main", Head: headTwo}, false},
		{"a fork's branch with the name of a promotion's", Change{Branch: ProposalBranch(dev), Target: "main", Head: headTwo, Fork: true}, true},
		{"a draft", Change{Branch: "topic", Target: "main", Head: headTwo, Draft: true}, true},
	} {
		if have := known().IsReviewed(c.change); have != c.want {
			t.Errorf("%s: %t, want %t", c.name, have, c.want)
		}
	}
}

func TestWhichChangesArePromotions(t *testing.T) {
	s := open(change(func(c *Change) { c.Number = 8 }))
	for number, want := range map[int]bool{7: true, 8: true, 9: false, 0: false} { // 7 is on record, 8 has the branch, and some need no change
		if have := s.IsPromotion(number); have != want {
			t.Errorf("change %d: %t, want %t", number, have, want)
		}
	}
}

func TestWhatAReviewSays(t *testing.T) {
	topic := Change{Number: 9, Branch: "topic", Target: "main", Head: headTwo}
	copied := topic
	copied.Head = headOne
	wrong := Finding{Severity: SeverityError, Message: "a typo", Position: Position{File: "kargo/dev.yaml", Line: 3}}
	odd := Finding{Severity: SeverityWarning, Message: "odd", Position: Position{File: "kargo/dev.yaml", Line: 4}}
	for _, c := range []struct {
		name   string
		state  State
		review Reviewed
		status string
		marks  int
		note   string
	}{
		{"nothing", open(), Reviewed{Change: topic}, "success: nothing changes in the cluster", 0, ""},
		{"one application", open(), Reviewed{Change: topic, Applications: 1, Body: "a diff"}, "success: 1 application changes", 0, "a diff"},
		{"two applications", open(), Reviewed{Change: topic, Applications: 2, Body: "a diff"}, "success: 2 applications change", 0, "a diff"},
		{"the same as before", open(), Reviewed{Change: topic, Applications: 1, Body: "a diff", Last: "a diff"}, "success: 1 application changes", 0, ""},
		{"something else than before", open(), Reviewed{Change: topic, Applications: 1, Body: "a diff", Last: "another"}, "success: 1 application changes", 0, "a diff"},
		{"nothing any more", open(), Reviewed{Change: topic, Last: "a diff"}, "success: nothing changes in the cluster", 0, "Nothing changes in the cluster.\n"},
		{"a status alone is wanted", open(), Reviewed{Change: topic, Applications: 1, Body: "a diff", Quiet: true}, "success: 1 application changes", 0, ""},
		{"warnings fail nothing", open(), Reviewed{Change: topic, Findings: []Finding{odd}}, "success: nothing changes in the cluster", 1, ""},
		{"an error fails it", open(), Reviewed{Change: topic, Findings: []Finding{odd, wrong}, Body: "wrong"}, "failed: 1 error: a typo", 2, "wrong"},
		{
			"several errors", open(),
			Reviewed{Change: topic, Findings: []Finding{wrong, wrong}, Body: "wrong"},
			"failed: 2 errors, the first: a typo", 2, "wrong",
		},
		{"the head of an open promotion has the status of its gates", open(), Reviewed{Change: copied, Applications: 1, Body: "a diff"}, "", 0, "a diff"},
		{
			"the head of a promotion that is over", open(ended, change(func(c *Change) { c.State = ChangeClosed })),
			Reviewed{Change: copied, Applications: 1, Body: "a diff"},
			"success: 1 application changes", 0, "a diff",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			post, ok := c.state.ReviewPost(c.review)
			status := ""
			if ok {
				status = post.Status.State.String() + ": " + post.Status.Description
			}
			if status != c.status || len(post.Annotations) != c.marks || post.Head != c.review.Change.Head || post.Change != 9 {
				t.Errorf("status %q with %d annotations, want %q with %d: %+v", status, len(post.Annotations), c.status, c.marks, post)
			}
			note, wanted := c.review.Note()
			if !wanted {
				note = ""
			}
			if note != c.note {
				t.Errorf("note %q, want %q", note, c.note)
			}
		})
	}
}
