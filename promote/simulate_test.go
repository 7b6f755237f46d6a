package promote

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lived is a shop with some history: 1.0.0 went through both stages, 1.0.1 is in dev.
func lived(edits ...edit) State {
	return known(append([]edit{recorded("1.0.0", "1.0.1"), autoProd, ran(dev, 1, "1.0.0"), ran(prod, 2, "1.0.0"), ran(dev, 3, "1.0.1")}, edits...)...)
}

func TestSimulate(t *testing.T) {
	for _, c := range []struct {
		name  string
		after edit
		since time.Time
		want  string
	}{
		{
			name: "the same pipeline decides the same", after: func(*State) {},
			want: "11 moments replayed, 0 decisions differ\n",
		},
		{
			name: "a soak is told where it would have been waited for", after: soak(10 * time.Minute),
			want: "11 moments replayed, 2 decisions differ\n" +
				"\n2026-05-02 08:12:00 shop/prod 1.0.0\n" +
				"  - wait: 1.0.0 is being proposed: newest available, and the policy promotes automatically\n" +
				"  + wait: 1.0.1 is not yet verified in dev\n" +
				"\n2026-05-02 08:32:00 shop/prod 1.0.1\n" +
				"  - wait: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"  + wait: 1.0.1 is verified in dev, soaks until 2026-05-02 08:42:00 UTC\n",
		},
		{
			name: "a stage that is new is told once",
			after: pipeline(func(p *Pipeline) {
				p.Stages = append(p.Stages, Stage{Name: "qa", Requests: []FreightRequest{{Warehouse: "web", Direct: true}}})
			}),
			want: "11 moments replayed, 1 decision differs\n" +
				"\n2026-05-02 08:00:00 shop/qa \n  - no such stage\n" +
				"  + skip: control-flow stage: it has no steps and nothing is promoted to it\n",
		},
		{
			name: "a policy that is gone", after: func(s *State) { s.Pipelines[0].Policies = nil }, since: epoch.Add(25 * time.Minute),
			want: "3 moments replayed, 2 decisions differ\n" +
				"\n2026-05-02 08:30:00 shop/dev 1.0.1\n" +
				"  - wait: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"  + wait: 1.0.1 waits for a person, because no promotion policy lets it in: comment `/promote dev 1.0.1`\n" +
				"\n2026-05-02 08:32:00 shop/prod 1.0.1\n" +
				"  - wait: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"  + wait: 1.0.1 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.1`\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Simulate(lived(), lived(c.after), c.since, MaxMoments)
			if diff := cmp.Diff(c.want, got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSimulationInMarkdown(t *testing.T) {
	hostile := Simulation{Moments: 3, From: epoch, Differences: []Difference{{
		At: epoch, Stage: dev, Freight: "1.0|1", Before: "wait: @all <b>", After: "",
	}}}
	want := "Replayed at the 3 moments recorded since 2026-05-02: **1 decision differs**.\n\n" +
		"| when | stage | freight | as it is | as changed |\n|---|---|---|---|---|\n" +
		"| 2026-05-02 08:00 | `shop/dev` | `1.0\\|1` | wait: @\u200ball &lt;b> | no such stage |\n"
	if diff := cmp.Diff(want, hostile.Markdown()); diff != "" {
		t.Error(diff)
	}
	if got := (Simulation{}).Markdown(); !strings.Contains(got, "nothing to replay") {
		t.Errorf("without a history: %q", got)
	}
	if got := (Simulation{Moments: 2, From: epoch}).Markdown(); !strings.Contains(got, "At none of the 2 moments") {
		t.Errorf("without a difference: %q", got)
	}
}
