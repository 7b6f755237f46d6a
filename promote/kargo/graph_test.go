package kargo_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/manifest/manifesttest"
	"github.com/lockkeeper/lockkeeper/promote/kargo"
)

// TestGates has stages take freight from others, of which one named "gate" has no steps.
func TestGates(t *testing.T) {
	tests := []struct {
		name, sources, want string
	}{
		{"a gate in between", "{stages: [gate]}", ""},
		{"a soak behind a gate", "{stages: [gate], requiredSoakTime: 1h}", ""},
		{"matching a gate", "{stages: [gate], autoPromotionOptions: {selectionPolicy: MatchUpstream}}", `nothing ever runs in upstream Stage "gate", which has no steps, so there is nothing to match`},
		{"matching a stage", "{stages: [s], autoPromotionOptions: {selectionPolicy: MatchUpstream}}", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stage := func(name, sources string) string {
				return "---\napiVersion: kargo.akuity.io/v1alpha1\nkind: Stage\nmetadata: {name: " + name + ", namespace: p}\n" +
					"spec: {requestedFreight: [{origin: {kind: Warehouse, name: w}, sources: " + sources + "}]}\n"
			}
			_, findings := kargo.Load(manifesttest.Split(t, "p.yaml", stepped+stage("gate", "{stages: [s]}")+stage("behind", tt.sources)))
			var got []string
			for _, f := range findings {
				got = append(got, f.Message)
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
