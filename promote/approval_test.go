package promote

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestApprovalsOfAChangeAreOfOneHead(t *testing.T) {
	given := []ChangeApproval{{By: "ann", Head: "new"}, {By: "bob", Head: "old"}, {By: "cid"}}
	for _, row := range []struct {
		name          string
		approvals     ChangeApprovals
		head          Commit
		given, lapsed []string
	}{
		{"nobody", ChangeApprovals{Head: "new"}, "new", nil, nil},
		{"the present head", ChangeApprovals{Head: "new", Given: given}, "new", []string{"ann"}, []string{"bob", "cid"}},
		{"a head that the forge does not show yet", ChangeApprovals{Head: "old", Given: given}, "newest", nil, []string{"ann", "bob", "cid"}},
		{"whatever the forge shows", ChangeApprovals{Head: "old", Given: given}, "", []string{"bob"}, []string{"ann", "cid"}},
		{"a forge that shows no head", ChangeApprovals{Given: given}, "", nil, []string{"ann", "bob", "cid"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			counts, lapsed := row.approvals.Of(row.head)
			if diff := cmp.Diff([][]string{row.given, row.lapsed}, [][]string{counts, lapsed}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLapsedReviewsAreSaid(t *testing.T) {
	p := Promotion{ID: "dev.0001.f1", Stage: dev}
	for _, row := range []struct {
		people []string
		want   string
	}{
		{nil, ""},
		{[]string{"ann"}, "the approval by ann was not given to the present commit: approve the change again"},
		{[]string{"ann", "bob"}, "the approvals by ann; bob were not given to the present commit: approve the change again"},
		{
			[]string{"ann", "bob", "cid", "dan"},
			"the approvals by ann; bob; cid; and 1 more were not given to the present commit: approve the change again",
		},
	} {
		s := State{Lapsed: map[PromotionRef][]string{p.Ref(): row.people}}
		if got := s.lapsedApprovals(p); got != row.want {
			t.Errorf("%q: got %q, want %q", row.people, got, row.want)
		}
	}
}
