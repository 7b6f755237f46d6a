package promote

import (
	"testing"
	"time"
)

// What a stage takes next: verified upstream, soaked, newest, chosen by a person.
func TestDecideOutlook(t *testing.T) {
	decides(t, []situation{
		{
			name:  "what was verified upstream opens the next stage",
			state: known(recorded("1.0.1"), ran(dev, 1, "1.0.1"), autoProd),
			want: "do    propose 1.0.1 for shop/prod: newest available, and the policy promotes automatically\n" +
				"pass  shop/dev: runs 1.0.1, nothing newer\n" +
				"wait  shop/prod: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n",
		},
		{
			name:  "what was not verified upstream waits",
			state: known(recorded("1.0.1"), autoProd, held(dev, "")),
			want: "block shop/dev: held by ann; comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "one of two upstream stages is enough",
			state: known(recorded("1.0.1"), canary(false), verifiedNow(dev, "1.0.1"), held(dev, ""), autoProd),
			want: "do    propose 1.0.1 for shop/prod: newest available, and the policy promotes automatically\n" +
				"block shop/dev: held by ann; comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/canary: 1.0.1 waits for a person, because no promotion policy lets it in: comment `/promote canary 1.0.1`\n",
		},
		{
			name:  "all of two upstream stages are needed where the stage says so",
			state: known(recorded("1.0.1"), canary(true), verifiedNow(dev, "1.0.1"), held(dev, ""), autoProd),
			want: "block shop/dev: held by ann; comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in canary\n" +
				"wait  shop/canary: 1.0.1 waits for a person, because no promotion policy lets it in: comment `/promote canary 1.0.1`\n",
		},
		{
			name:  "a soak is waited for, and the plan says until when",
			state: known(recorded("1.0.1"), ran(dev, 1, "1.0.1"), soak(2*time.Hour), autoProd),
			want: "pass  shop/dev: runs 1.0.1, nothing newer\n" +
				"wait  shop/prod: 1.0.1 is verified in dev, soaks until 2026-05-02 10:12:00 UTC\n",
		},
		{
			name:  "a soak that is over opens the next stage",
			state: known(recorded("1.0.1"), ran(dev, 1, "1.0.1"), soak(48*time.Minute), autoProd),
			want: "do    propose 1.0.1 for shop/prod: newest available, and the policy promotes automatically\n" +
				"pass  shop/dev: runs 1.0.1, nothing newer\n" +
				"wait  shop/prod: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n",
		},
		{
			name:  "freight that was replaced upstream too early never soaked",
			state: known(recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.1"), ran(dev, 2, "1.0.0"), ran(prod, 1, "1.0.0"), held(dev, ""), soak(30*time.Minute), autoProd),
			want: "block shop/dev: promotion dev.0001.d4dd30e of 1.0.1 succeeded: it was replaced since; comment `/promote dev 1.0.1` to try again, or wait for newer freight\n" +
				"wait  shop/prod: 1.0.1 is verified in dev, but replaced there after 9m0s of the 30m0s that it must soak\n",
		},
		{
			name:  "freight that soaked before it was replaced upstream is available",
			state: known(recorded("1.0.1", "1.0.2"), ran(dev, 1, "1.0.1"), ran(dev, 5, "1.0.2"), soak(39*time.Minute), autoProd),
			want: "do    propose 1.0.1 for shop/prod: newest available, and the policy promotes automatically\n" +
				"pass  shop/dev: runs 1.0.2, nothing newer\n" +
				"wait  shop/prod: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n",
		},
		{
			name:  "a soak ends with the merge of what comes next, not with its last step",
			state: known(recorded("1.0.1", "1.0.2"), ran(dev, 1, "1.0.1"), promoted(promotion(dev, 2, "1.0.2", delivering, func(p *Promotion) { p.MergedAt, p.DeliveringSince = epoch.Add(21*time.Minute), now })), looked(promotion(dev, 2, "1.0.2"), "syncing", now.Add(time.Minute)), soak(30*time.Minute), autoProd),
			want: "wait  shop/dev: 1.0.2 is being delivered: syncing\n" +
				"wait  shop/prod: 1.0.2 is not yet verified in dev\n",
		},
		{
			name:  "soak in another stage neither counts nor harms",
			state: known(recorded("1.0.1", "1.0.2"), canary(true), soak(20*time.Minute), verifiedAt("1.0.1", dev, "canary", "prod"), ran(prod, 1, "1.0.2"), verifiedAt("1.0.2", dev, "canary"), autoProd, held(dev, "")),
			want: "block shop/dev: held by ann; comment `/resume dev` to go on\n" +
				"pass  shop/prod: runs 1.0.2, nothing newer\n" +
				"wait  shop/canary: 1.0.2 waits for a person, because no promotion policy lets it in: comment `/promote canary 1.0.2`\n",
		},
		{
			name: "available freight that is older than what runs never goes back",
			state: known(recorded("1.0.0", "1.0.1"), ran(dev, 2, "1.0.1"), pipeline(func(p *Pipeline) {
				p.Stages[0].Requests[0] = FreightRequest{Warehouse: "web", Stages: []string{"prod"}}
			}), verifiedNow(prod, "1.0.0"), held(prod, "")),
			want: "pass  shop/dev: runs 1.0.1, nothing newer\n" +
				"wait  shop/prod: 1.0.1 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.1`\n",
		},
		{
			name:  "available freight goes first while newer freight is not yet verified",
			state: known(recorded("1.0.0", "1.0.1", "1.0.2"), ran(dev, 1, "1.0.1"), ran(prod, 1, "1.0.0"), held(dev, ""), autoProd),
			want: "do    propose 1.0.1 for shop/prod: newest available, and the policy promotes automatically\n" +
				"block shop/dev: held by ann; comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n",
		},
		{
			name:  "what a person rolled back is not rolled forward by itself",
			state: known(recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.1"), promoted(promotion(dev, 2, "1.0.0", succeeded, byAnn))),
			want: "wait  shop/dev: 1.0.1 waits for a person, because ann chose 1.0.0 over it: comment `/promote dev 1.0.1`\n" +
				"wait  shop/prod: 1.0.1 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.1`\n",
		},
		{
			name:  "freight that was never tried is not rolled forward over a choice either",
			state: known(recorded("1.0.0", "1.0.1"), promoted(promotion(dev, 1, "1.0.1", aborted), promotion(dev, 2, "1.0.0", succeeded, byAnn))),
			want: "wait  shop/dev: 1.0.1 waits for a person, because ann chose 1.0.0 over it: comment `/promote dev 1.0.1`\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name: "freight that comes after a person rolled back is promoted",
			state: known(recorded("1.0.0", "1.0.1"), promoted(promotion(dev, 1, "1.0.1", succeeded), promotion(dev, 2, "1.0.0", succeeded, byAnn)), func(s *State) {
				f := version("1.0.2")
				f.DiscoveredAt = now
				s.History.Freights = append(s.History.Freights, f)
			}),
			want: "do    propose 1.0.2 for shop/dev: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 1.0.2 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.2 is not yet verified in dev\n",
		},
		{
			name:  "a stage of two warehouses keeps the freight of the other one",
			state: twoWarehouses(ran(dev, 1, "1.0.0"), apiRan(dev, 2, "2.0.0"), recorded("1.0.1")),
			want: "do    propose 1.0.1 for shop/dev: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n",
			actions: []Action{Propose{Stage: dev, Freight: version("1.0.1"), Others: []FreightID{api("2.0.0").ID}, Promotion: "dev.0003.d4dd30e", Branch: "lockkeeper/shop/dev", Number: 3, Actor: "auto-promotion", Base: mainTip, Reason: "newest available, and the policy promotes automatically"}},
		},
		{
			name:  "a warehouse whose freight failed does not hold up the other one",
			state: twoWarehouses(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1", failed))),
			want: "do    propose 2.0.0 for shop/dev: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 2.0.0 is being proposed: newest available, and the policy promotes automatically\n",
		},
		{
			name:  "freight of another warehouse does not take the place of the open change",
			state: twoWarehouses(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1", inChange)), opened(promotion(dev, 1, "1.0.1")), found(headOne, "1.0.1"), settled),
			want:  "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n",
		},
		{
			name:  "two stages of one project are decided independently",
			state: known(recorded("1.0.0", "1.0.1", "1.0.2"), ran(dev, 1, "1.0.1"), ran(prod, 1, "1.0.0"), autoProd),
			want: "do    propose 1.0.2 for shop/dev: newest available, and the policy promotes automatically\n" +
				"do    propose 1.0.1 for shop/prod: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 1.0.2 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n",
		},
		{
			name:  "two projects with the same names are decided independently",
			state: known(recorded("1.0.1"), otherProject),
			want: "do    propose 1.0.1 for shop/dev: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n" +
				"pass  bank/dev: runs 3.0.0, nothing newer\n" +
				"wait  bank/prod: 3.0.0 is not yet verified in dev\n",
		},
		{
			name:  "freight of two images that go opposite ways is for a person to choose",
			state: twoImages(promoted(func() Promotion { p := pairPromotion("1.0.2", "2.0.1"); succeeded(&p); return p }()), pair("1.0.1", "2.0.2", 4)),
			want:  "wait  shop/dev: 1.0.1, 2.0.2 and 1.0.2, 2.0.1, which the stage runs, cannot be ordered: comment `/promote dev 4e130c9` to choose\n",
		},
		{
			name:  "a proposal that cannot be made is explained and not tried again at the same head",
			state: known(recorded("1.0.1"), unmade(dev, "1.0.1", "step-2: web/values.yaml: no key image.tag; there is image.version")),
			want: "block shop/dev: 1.0.1 cannot be proposed: step-2: web/values.yaml: no key image.tag; there is image.version\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "a request for what is not available any more waits",
			state: known(recorded("1.0.1"), requested(prod, "1.0.1", 0), held(dev, "")),
			want: "block shop/dev: held by ann; comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.1, which ann asked for: not yet verified in dev\n",
		},
		{
			name:  "a request for freight that nobody knows is ignored",
			state: known(recorded("1.0.1"), requested(dev, "1.0.7", 0)),
			want: "do    propose 1.0.1 for shop/dev: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "the newer of two requests counts",
			state: known(recorded("1.0.0", "1.0.1"), requested(dev, "1.0.1", 0), requested(dev, "1.0.0", 0)),
			want: "do    propose 1.0.0 for shop/dev: ann asked for it\n" +
				"wait  shop/dev: 1.0.0 is being proposed: ann asked for it\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
	})
}
