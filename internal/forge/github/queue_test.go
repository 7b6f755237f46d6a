package github

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

// TestQueuesAreFoundByTheirBranches: a process that starts learns what webhooks told another one.
func TestQueuesAreFoundByTheirBranches(t *testing.T) {
	f, s := play(t, nil)
	got, err := f.Queued(t.Context(), "release/1.x", map[promote.Branch]promote.Commit{
		"main":                                   other,
		"gh-readonly-queue/release/1.x/pr-7-ab":  head,
		"gh-readonly-queue/release/1.x/pr-9-ab":  other,
		"gh-readonly-queue/release/1.x/pr-x-ab":  head,
		"gh-readonly-queue/release/1.x/pr-11":    head,
		"gh-readonly-queue/release/1.x/":         head,
		"gh-readonly-queue/main/pr-8-ab":         head,
		"gh-readonly-queue/release/1.x-y/pr-3-a": head,
		"topic/gh-readonly-queue/main/pr-8-ab":   head,
	})
	if err != nil || len(s.Got) != 0 {
		t.Errorf("%v after %v", err, s.Routes())
	}
	want := []promote.Event{
		{Kind: promote.EventQueue, Branch: "release/1.x", Head: head, Change: 7}, {Kind: promote.EventQueue, Branch: "release/1.x", Head: other, Change: 9},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
