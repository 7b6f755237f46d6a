package promote

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clusters fans dev out over five clusters, at most two at once, with a pause of ten minutes between waves.
func clusters(s *State) {
	targets := []Target{{Name: "c1"}, {Name: "c2"}, {Name: "c3"}, {Name: "c4"}, {Name: "c5"}}
	s.Pipelines[0].FanOut("dev", targets, Wave{MaxInFlight: 2, Pause: 10 * time.Minute})
}

// twoClusters fans dev out over two clusters, without waves.
func twoClusters(s *State) {
	s.Pipelines[0].FanOut("dev", []Target{{Name: "c1"}, {Name: "c2"}}, Wave{})
}

func cluster(name string) StageRef { return StageRef{"shop", "dev." + name} }

func TestFanOut(t *testing.T) {
	p := shop()
	p.FanOut("dev", []Target{{Name: "c1", Params: map[string]string{"path": "clusters/c1"}}, {Name: "c2"}}, Wave{MaxInFlight: 3})
	var names []string
	for _, s := range p.Stages {
		names = append(names, s.Name+" of "+s.Declared())
	}
	if diff := cmp.Diff([]string{"dev.c1 of dev", "dev.c2 of dev", "prod of prod"}, names); diff != "" {
		t.Error(diff)
	}
	if got := p.Stages[0].Target.Params["path"]; got != "clusters/c1" {
		t.Errorf("the first target's path is %q", got)
	}
	if !p.AutoPromoted(p.Stages[1]) {
		t.Error("the policy of the declared stage is not that of its targets")
	}
	if downstream := p.Downstream("dev.c2"); len(downstream) != 1 || downstream[0].Name != "prod" {
		t.Errorf("downstream of a target: %v", downstream)
	}
	same := shop()
	same.FanOut("dev", nil, Wave{})
	same.FanOut("none", []Target{{Name: "c1"}}, Wave{})
	if diff := cmp.Diff(shop(), same); diff != "" {
		t.Errorf("without targets or stage nothing changes: %s", diff)
	}
}

// firstWave is what is decided when nothing is under way.
const firstWave = "do    propose 1.0.1 for shop/dev.c1: newest available, and the policy promotes automatically\n" +
	"do    propose 1.0.1 for shop/dev.c2: newest available, and the policy promotes automatically\n" +
	"wait  shop/dev.c1: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
	"wait  shop/dev.c2: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
	"wait  shop/dev.c3: 1.0.1 waits its turn: this wave has its 2 targets\n" +
	"wait  shop/dev.c4: 1.0.1 waits its turn: this wave has its 2 targets\n" +
	"wait  shop/dev.c5: 1.0.1 waits its turn: this wave has its 2 targets\n" +
	"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2; not yet verified in dev.c3; not yet verified in dev.c4; and 1 more\n"

func TestDecideInWaves(t *testing.T) {
	late := func(p *Promotion) { succeeded(p); p.FinishedAt = now.Add(-time.Minute) }
	decides(t, []situation{
		{
			name:  "a wave takes as many targets as it may",
			state: known(recorded("1.0.1"), clusters),
			want:  firstWave,
		},
		{
			name:  "the next wave waits until the first is over",
			state: known(recorded("1.0.1"), clusters, promoted(promotion(cluster("c1"), 1, "1.0.1", delivering), promotion(cluster("c2"), 1, "1.0.1", succeeded)), verified(cluster("c2"), "1.0.1", now)),
			want: "do    deliver promotion dev.c1.0001.d4dd30e at 99999999\n" +
				"wait  shop/dev.c1: 1.0.1 is being delivered: waiting for Argo CD\n" +
				"pass  shop/dev.c2: runs 1.0.1, nothing newer\n" +
				"wait  shop/dev.c3: 1.0.1 waits its turn: a wave is under way: c1\n" +
				"wait  shop/dev.c4: 1.0.1 waits its turn: a wave is under way: c1\n" +
				"wait  shop/dev.c5: 1.0.1 waits its turn: a wave is under way: c1\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c3; not yet verified in dev.c4; not yet verified in dev.c5\n",
		},
		{
			name:  "and then for the pause",
			state: known(recorded("1.0.1"), clusters, promoted(promotion(cluster("c1"), 1, "1.0.1", succeeded), promotion(cluster("c2"), 1, "1.0.1", late))),
			want: "pass  shop/dev.c1: runs 1.0.1, nothing newer\n" +
				"pass  shop/dev.c2: runs 1.0.1, nothing newer\n" +
				"wait  shop/dev.c3: 1.0.1 waits its turn: the next wave begins at 2026-05-02 09:09:00 UTC\n" +
				"wait  shop/dev.c4: 1.0.1 waits its turn: the next wave begins at 2026-05-02 09:09:00 UTC\n" +
				"wait  shop/dev.c5: 1.0.1 waits its turn: the next wave begins at 2026-05-02 09:09:00 UTC\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2; not yet verified in dev.c3; not yet verified in dev.c4; and 1 more\n",
			recheck: now.Add(9 * time.Minute),
		},
		{
			name:  "after the pause it begins",
			state: known(recorded("1.0.1"), clusters, promoted(promotion(cluster("c1"), 1, "1.0.1", succeeded), promotion(cluster("c2"), 1, "1.0.1", succeeded))),
			want: "do    propose 1.0.1 for shop/dev.c3: newest available, and the policy promotes automatically\n" +
				"do    propose 1.0.1 for shop/dev.c4: newest available, and the policy promotes automatically\n" +
				"pass  shop/dev.c1: runs 1.0.1, nothing newer\n" +
				"pass  shop/dev.c2: runs 1.0.1, nothing newer\n" +
				"wait  shop/dev.c3: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev.c4: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev.c5: 1.0.1 waits its turn: this wave has its 2 targets\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2; not yet verified in dev.c3; not yet verified in dev.c4; and 1 more\n",
		},
		{
			name:  "what was superseded ends no wave, so that nothing pauses for it",
			state: known(recorded("1.0.1"), clusters, promoted(promotion(cluster("c1"), 1, "1.0.0", aborted, func(p *Promotion) { p.FinishedAt = now }))),
			want:  firstWave,
		},
		{
			name:  "a failure stops the waves",
			state: known(recorded("1.0.1"), clusters, promoted(promotion(cluster("c1"), 1, "1.0.1", succeeded), promotion(cluster("c2"), 1, "1.0.1", failed))),
			want: "pass  shop/dev.c1: runs 1.0.1, nothing newer\n" +
				"block shop/dev.c2: promotion dev.c2.0001.d4dd30e of 1.0.1 failed: its change was closed without being merged by bob; comment `/promote dev.c2 1.0.1` to try again, or wait for newer freight\n" +
				"block shop/dev.c3: 1.0.1 waits its turn: it failed in dev.c2, so no further wave begins: comment `/promote dev.c2 1.0.1` to try again there, or `/reject 1.0.1`\n" +
				"block shop/dev.c4: 1.0.1 waits its turn: it failed in dev.c2, so no further wave begins: comment `/promote dev.c2 1.0.1` to try again there, or `/reject 1.0.1`\n" +
				"block shop/dev.c5: 1.0.1 waits its turn: it failed in dev.c2, so no further wave begins: comment `/promote dev.c2 1.0.1` to try again there, or `/reject 1.0.1`\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2; not yet verified in dev.c3; not yet verified in dev.c4; and 1 more\n",
		},
		{
			name:  "a person need not wait for the wave",
			state: known(recorded("1.0.1"), clusters, promoted(promotion(cluster("c1"), 1, "1.0.1", delivering)), requested(cluster("c5"), "1.0.1", 0)),
			want: "do    deliver promotion dev.c1.0001.d4dd30e at 99999999\n" +
				"do    propose 1.0.1 for shop/dev.c5: ann asked for it\n" +
				"wait  shop/dev.c1: 1.0.1 is being delivered: waiting for Argo CD\n" +
				"wait  shop/dev.c2: 1.0.1 waits its turn: a wave is under way: c1\n" +
				"wait  shop/dev.c3: 1.0.1 waits its turn: a wave is under way: c1\n" +
				"wait  shop/dev.c4: 1.0.1 waits its turn: a wave is under way: c1\n" +
				"wait  shop/dev.c5: 1.0.1 is being proposed: ann asked for it\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2; not yet verified in dev.c3; not yet verified in dev.c4; and 1 more\n",
		},
		{
			name:  "downstream waits for every target",
			state: known(recorded("1.0.1"), clusters, autoProd, held(cluster("c1"), ""), held(cluster("c2"), ""), held(cluster("c3"), ""), held(cluster("c4"), ""), held(cluster("c5"), ""), verified(cluster("c1"), "1.0.1", now), verified(cluster("c2"), "1.0.1", now), verified(cluster("c3"), "1.0.1", now)),
			want: "block shop/dev.c1: held by ann; comment `/resume dev.c1` to go on\n" +
				"block shop/dev.c2: held by ann; comment `/resume dev.c2` to go on\n" +
				"block shop/dev.c3: held by ann; comment `/resume dev.c3` to go on\n" +
				"block shop/dev.c4: held by ann; comment `/resume dev.c4` to go on\n" +
				"block shop/dev.c5: held by ann; comment `/resume dev.c5` to go on\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c4; not yet verified in dev.c5\n",
		},
		{
			name:  "and opens when all are verified",
			state: known(recorded("1.0.1"), autoProd, twoClusters, ran(cluster("c1"), 1, "1.0.1"), ran(cluster("c2"), 1, "1.0.1")),
			want: "do    propose 1.0.1 for shop/prod: newest available, and the policy promotes automatically\n" +
				"pass  shop/dev.c1: runs 1.0.1, nothing newer\n" +
				"pass  shop/dev.c2: runs 1.0.1, nothing newer\n" +
				"wait  shop/prod: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n",
		},
		{
			name:  "what is wrong with the declared stage keeps every target",
			state: known(recorded("1.0.1"), clusters, finding(Finding{Severity: SeverityError, Message: "no such step", Stage: dev})),
			want: "block shop/dev.c1: error: no such step\n" +
				"block shop/dev.c2: error: no such step\n" +
				"block shop/dev.c3: error: no such step\n" +
				"block shop/dev.c4: error: no such step\n" +
				"block shop/dev.c5: error: no such step\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2; not yet verified in dev.c3; not yet verified in dev.c4; and 1 more\n",
		},
	})
}
