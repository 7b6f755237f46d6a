package step_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/promote/kargo"
	"github.com/lockkeeper/lockkeeper/promote/step"
)

// TestEveryKindIsKnownToTheLoader: what runs can be written in a task.
func TestEveryKindIsKnownToTheLoader(t *testing.T) {
	for _, kind := range step.Kinds() {
		if !slices.Contains(kargo.StepKinds(), kind.Name) {
			t.Errorf("promote/kargo does not know the step %q", kind.Name)
		}
	}
}

func TestKindsAreSortedByName(t *testing.T) {
	if !slices.IsSortedFunc(step.Kinds(), func(a, b step.Kind) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("step.Kinds is not in alphabetical order")
	}
}
