package main

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/promote"
)

// proposed is the opening of most stories, which go on beside others: every stage runs 1.0.1, and the change that brings 1.0.2 to
// the first one is open.
func proposed(t *testing.T) (*bed, promote.Change) {
	t.Helper()
	t.Parallel()
	b := newBed(t)
	b.adopt()
	return b, b.propose("1.0.2")
}

// proposedOnBothForges is [proposed] on a GitLab and on a GitHub.
func proposedOnBothForges(t *testing.T, tell func(t *testing.T, b *bed, change promote.Change)) {
	t.Helper()
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		tell(t, b, b.propose("1.0.2"))
	})
}
