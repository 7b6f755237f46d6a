package promote

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// situation is one row of the specification: in this state, that is done and every stage says this.
type situation struct {
	name    string
	state   State
	want    string    // Plan.String
	actions []Action  // where more than their words matters
	recheck time.Time // where it matters
}

func decides(t *testing.T, situations []situation) {
	t.Helper()
	for _, c := range situations {
		t.Run(c.name, func(t *testing.T) {
			plan := Decide(c.state)
			if diff := cmp.Diff(c.want, plan.String()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.actions, plan.Actions, cmpopts.IgnoreFields(PostStatus{}, "Summary")); c.actions != nil && diff != "" {
				t.Error(diff)
			}
			if !c.recheck.IsZero() && !plan.Recheck.Equal(c.recheck) {
				t.Errorf("Recheck = %s, want %s", plan.Recheck, c.recheck)
			}
			if diff := cmp.Diff(plan, Decide(c.state)); diff != "" {
				t.Errorf("equal states, different plans: %s", diff)
			}
		})
	}
}

// What comes from a warehouse, and what keeps it out.
func TestDecideIntake(t *testing.T) {
	decides(t, []situation{
		{
			name:  "nothing was discovered yet",
			state: known(),
			want: "wait  shop/dev: no freight yet from warehouse web\n" +
				"wait  shop/prod: no freight yet from warehouse web\n",
		},
		{
			name:  "the first freight is recorded and proposed at once where a policy promotes automatically",
			state: known(discovered("1.0.1")),
			want: "do    record freight d4dd30e (1.0.1) of warehouse shop/web\n" +
				"do    propose 1.0.1 for shop/dev: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
			actions: []Action{RecordFreight{asDiscovered("1.0.1")}, Propose{Stage: dev, Freight: asDiscovered("1.0.1"), Promotion: "dev.0001.d4dd30e", Branch: "lockkeeper/shop/dev", Number: 1, Actor: "auto-promotion", Base: mainTip, Reason: "newest available, and the policy promotes automatically"}},
		},
		{
			name:  "the same discovery again is quiet",
			state: known(discovered("1.0.1"), recorded("1.0.1"), ran(dev, 1, "1.0.1"), ran(prod, 1, "1.0.1")),
			want: "pass  shop/dev: runs 1.0.1, nothing newer\n" +
				"pass  shop/prod: runs 1.0.1, nothing newer\n",
		},
		{
			name: "a warehouse that found fewer images than it subscribes to makes no freight",
			state: known(discovered("1.0.1"), pipeline(func(p *Pipeline) {
				p.Warehouses[0].Images = append(p.Warehouses[0].Images, ImageSubscription{RepoURL: "acme/api"})
			})),
			want: "wait  shop/dev: no freight yet from warehouse web\n" +
				"wait  shop/prod: no freight yet from warehouse web\n",
		},
		{
			name:  "without a policy the freight waits for a person, who is told the command",
			state: known(recorded("1.0.1"), pipeline(func(p *Pipeline) { p.Policies = nil })),
			want: "wait  shop/dev: 1.0.1 waits for a person, because no promotion policy lets it in: comment `/promote dev 1.0.1`\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "the first policy that matches decides",
			state: known(recorded("1.0.1"), pipeline(func(p *Pipeline) { p.Policies = []Policy{{Stage: "dev"}, {Stage: "dev", AutoPromotion: true}} })),
			want: "wait  shop/dev: 1.0.1 waits for a person, because no promotion policy lets it in: comment `/promote dev 1.0.1`\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "without a Project manifest nothing is promoted",
			state: known(recorded("1.0.1"), pipeline(func(p *Pipeline) { p.Declared = false })),
			want: "block shop/dev: no Project manifest declares \"shop\", and without one nothing is promoted: add {apiVersion: kargo.akuity.io/v1alpha1, kind: Project, metadata: {name: shop}} beside kargo/dev.yaml\n" +
				"block shop/prod: no Project manifest declares \"shop\", and without one nothing is promoted: add {apiVersion: kargo.akuity.io/v1alpha1, kind: Project, metadata: {name: shop}} beside kargo/prod.yaml\n",
		},
		{
			name:  "an error in the files of a stage keeps that stage from promoting and no other",
			state: known(recorded("1.0.1"), ran(dev, 1, "1.0.1"), finding(Finding{Severity: SeverityError, Code: "unknown-key", Position: Position{"kargo/prod.yaml", 4, 3}, Message: `unknown key "requestedFrieght"`, Remedy: `did you mean "requestedFreight"?`, Stage: prod})),
			want: "pass  shop/dev: runs 1.0.1, nothing newer\n" +
				"block shop/prod: kargo/prod.yaml:4:3: error: unknown key \"requestedFrieght\"; did you mean \"requestedFreight\"? [unknown-key]\n",
		},
		{
			name:  "an error in the files of another stage changes nothing",
			state: known(recorded("1.0.1"), finding(Finding{Severity: SeverityError, Message: "broken", Stage: prod})),
			want: "do    propose 1.0.1 for shop/dev: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"block shop/prod: error: broken\n",
		},
		{
			name:  "an error in another project changes nothing",
			state: known(recorded("1.0.1"), finding(Finding{Severity: SeverityError, Message: "broken", Project: "bank"})),
			want: "do    propose 1.0.1 for shop/dev: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "an error of the whole repository stops every stage",
			state: known(recorded("1.0.1"), finding(Finding{Severity: SeverityError, Message: "lockkeeper.yaml is not YAML"})),
			want: "block shop/dev: error: lockkeeper.yaml is not YAML\n" +
				"block shop/prod: error: lockkeeper.yaml is not YAML\n",
		},
		{
			name:  "a warning stops nothing",
			state: known(recorded("1.0.1"), finding(Finding{Severity: SeverityWarning, Message: "old spelling", Stage: dev})),
			want: "do    propose 1.0.1 for shop/dev: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "nothing is promoted to a control-flow stage",
			state: known(recorded("1.0.1"), pipeline(func(p *Pipeline) { p.Stages[0].Steps = nil })),
			want: "skip  shop/dev: control-flow stage: it has no steps and nothing is promoted to it\n" +
				"wait  shop/prod: 1.0.1 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.1`\n",
		},
		{
			name:  "a control-flow stage lets through what is available to it",
			state: known(recorded("1.0.1"), gated, verifiedNow(dev, "1.0.1")),
			want: "do    propose 1.0.1 for shop/prod: newest available, and the policy promotes automatically\n" +
				"block shop/dev: held by ann; comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"skip  shop/gate: control-flow stage: it has no steps and nothing is promoted to it\n",
		},
		{
			name:  "a control-flow stage keeps back what is not available to it",
			state: known(recorded("1.0.1"), ran(dev, 1, "1.0.0"), held(dev, ""), gated),
			want: "block shop/dev: held by ann; comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n" +
				"skip  shop/gate: control-flow stage: it has no steps and nothing is promoted to it\n",
		},
		{
			name:  "a warehouse of manual creation makes no freight",
			state: known(discovered("1.0.1"), pipeline(func(p *Pipeline) { p.Warehouses[0].Manual = true })),
			want: "wait  shop/dev: no freight yet from warehouse web\n" +
				"wait  shop/prod: no freight yet from warehouse web\n",
		},
		{
			name: "a problem of discovery is shown",
			state: known(func(s *State) {
				s.Discoveries = []Discovery{{Project: "shop", Warehouse: "web", At: now, Problem: "acme/web: no tag matches ^2.0.0; the newest are 1.0.1, 1.0.0"}}
			}),
			want: "wait  shop/dev: no freight: warehouse web: acme/web: no tag matches ^2.0.0; the newest are 1.0.1, 1.0.0\n" +
				"wait  shop/prod: no freight: warehouse web: acme/web: no tag matches ^2.0.0; the newest are 1.0.1, 1.0.0\n",
		},
		{
			name:  "a stage that requests nothing says so",
			state: known(pipeline(func(p *Pipeline) { p.Stages[1].Requests = nil })),
			want: "wait  shop/dev: no freight yet from warehouse web\n" +
				"block shop/prod: the stage requests no freight: add requestedFreight to kargo/prod.yaml:1\n",
		},
	})
}

func TestRecheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		state State
		want  time.Time
	}{
		{"nothing to wait for", known(), time.Time{}},
		{"the registry is asked again after the interval", known(discovered("1.0.1")), now.Add(4 * time.Minute)},
		{"an interval that nobody set is five minutes", known(discovered("1.0.1"), pipeline(func(p *Pipeline) { p.Warehouses[0].Interval = 0 })), now.Add(4 * time.Minute)},
		{
			"what is long over is not asked for",
			known(discovered("1.0.1"), pipeline(func(p *Pipeline) { p.Warehouses[0].Interval = time.Second })),
			time.Time{},
		},
		{"a soak ends", known(recorded("1.0.1"), ran(dev, 1, "1.0.1"), soak(2*time.Hour), autoProd), epoch.Add(12*time.Minute + 2*time.Hour)},
		{
			"a soak of freight that is not the newest ends too",
			known(recorded("1.0.2", "1.0.1"), ran(dev, 1, "1.0.1"), held(dev, ""), soak(2*time.Hour), autoProd), epoch.Add(12*time.Minute + 2*time.Hour),
		},
		{"a soak that was broken off never ends", known(recorded("1.0.1", "1.0.2"), ran(dev, 1, "1.0.1"), promoted(promotion(dev, 2, "1.0.2", failed, delivering, func(p *Promotion) { p.Phase = PhaseFailed })), soak(2*time.Hour), autoProd), time.Time{}},
		{
			"a delivery names the time",
			known(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1", delivering)), func(s *State) {
				s.Deliveries[promotion(dev, 1, "1.0.1").Ref()] = Delivering{"syncing", now.Add(15 * time.Second)}
			}), now.Add(15 * time.Second),
		},
		{"a forge that blocks a merge that nobody wants is not asked again", open(change(func(c *Change) { c.Mergeability = Mergeability{MergeBlocked, "not_approved"} })), time.Time{}},
		{"the forge is asked again", open(autoMerge, change(func(c *Change) { c.Mergeability = Mergeability{} })), now.Add(time.Minute)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Decide(c.state).Recheck; !got.Equal(c.want) {
				t.Errorf("Recheck = %s, want %s", got, c.want)
			}
		})
	}
}

func TestDecideDoesNotChangeTheState(t *testing.T) {
	s := open(discovered("1.0.2"), held(prod, ""), says(asked(VerbHold, "dev")), says(Command{Verb: VerbResume, Arguments: []string{"prod"}, Permission: PermissionWrite, Comment: Comment{ID: 32, Author: "ann"}}))
	before := open(discovered("1.0.2"), held(prod, ""), says(asked(VerbHold, "dev")), says(Command{Verb: VerbResume, Arguments: []string{"prod"}, Permission: PermissionWrite, Comment: Comment{ID: 32, Author: "ann"}}))
	Decide(s)
	if diff := cmp.Diff(before, s); diff != "" {
		t.Error(diff)
	}
}

func TestStageStatus(t *testing.T) {
	s := open(autoProd)
	want := []StageStatus{
		{Stage: dev, Runs: "1.0.0", Next: "1.0.1", Verdict: Wait, Reason: "1.0.1 waits for its change to be merged: every gate passes", Change: 7, URL: "https://forge/7"},
		{Stage: prod, Next: "1.0.0", Verdict: Wait, Reason: "1.0.0 is being proposed: newest available, and the policy promotes automatically"},
	}
	got := Decide(s).Stages
	if len(got[0].Gates) != len(GateNames()) {
		t.Errorf("%d gates, want %d", len(got[0].Gates), len(GateNames()))
	}
	got[0].Gates = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
