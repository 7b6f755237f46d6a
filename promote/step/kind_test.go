package step_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote/kargo"
	"github.com/lockkeeper/lockkeeper/promote/step"
)

// What can be written in a task runs, and what runs can be written.
func TestLoaderAndRunnerKnowTheSameKinds(t *testing.T) {
	var runs []string
	for _, kind := range step.Kinds() {
		runs = append(runs, kind.Name)
	}
	known := slices.Sorted(slices.Values(kargo.StepKinds()))
	if diff := cmp.Diff(known, runs); diff != "" {
		t.Errorf("-loader +runner:\n%s", diff)
	}
}

func TestKindsAreSortedByName(t *testing.T) {
	if !slices.IsSortedFunc(step.Kinds(), func(a, b step.Kind) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("step.Kinds is not in alphabetical order")
	}
}
