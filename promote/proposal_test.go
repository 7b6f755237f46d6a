package promote

import (
	"strings"
	"testing"
	"time"
)

// What becomes of a proposal: judged, shown, merged, delivered, closed, replaced.
func TestDecideProposal(t *testing.T) {
	decides(t, []situation{
		{
			name:  "a change whose gates all pass waits to be merged",
			state: open(),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a text that was edited is written again",
			state: open(change(func(c *Change) { c.Description += "\nand more" })),
			want: "do    update the text of change 7\n" +
				"wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "line ends that the forge changed do not count as an edit",
			state: open(change(func(c *Change) { c.Description = strings.ReplaceAll(c.Description, "\n", "\r\n") + "\n" })),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a status that somebody else overwrote is posted again",
			state: open(func(s *State) { s.Statuses[headOne] = Status{Name: StatusName, State: StatusPending} }),
			want: "do    post status success on 11111111: all 7 gates pass\n" +
				"wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
			actions: []Action{PostStatus{Change: 7, Head: headOne, Branch: "lockkeeper/shop/dev", Status: Status{Name: "lockkeeper/gates", State: StatusSuccess, Description: "all 7 gates pass"}}},
		},
		{
			name:  "a head that a person pushed is judged anew and gets its own status",
			state: open(pushed(headTwo), found(headTwo, "1.0.1"), forgotText),
			want: "do    post status success on 22222222: all 7 gates pass\n" +
				"wait  shop/dev: 1.0.1 waits for a person to merge its change: commits were added to it by hand\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
			actions: []Action{PostStatus{Change: 7, Head: headTwo, Branch: "lockkeeper/shop/dev", Status: Status{Name: "lockkeeper/gates", State: StatusSuccess, Description: "all 7 gates pass"}}},
		},
		{
			name:  "a head that a person pushed is not merged automatically",
			state: open(autoMerge, pushed(headTwo), found(headTwo, "1.0.1"), settled),
			want: "wait  shop/dev: 1.0.1 waits for a person to merge its change: commits were added to it by hand\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a head that a person pushed is not merged because another one was asked for",
			state: open(wished(promotion(dev, 2, "1.0.1")), pushed(headTwo), found(headTwo, "1.0.1"), settled),
			want: "wait  shop/dev: 1.0.1 waits for a person to merge its change: commits were added to it by hand\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a head that a person pushed and merged is delivered",
			state: open(pushed(headTwo), change(func(c *Change) { c.State, c.Merged = ChangeMerged, mergedAs })),
			want: "do    deliver promotion dev.0002.d4dd30e at 99999999\n" +
				"wait  shop/dev: 1.0.1 is merged and will be delivered\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a head that a person pushed and took back is merged",
			state: open(autoMerge, pushed(headTwo), pushed(headOne)),
			want: "do    merge change 7 at 11111111: every gate passes, and the stage merges automatically\n" +
				"wait  shop/dev: 1.0.1 is being merged: every gate passes, and the stage merges automatically\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a forge that does not show what was pushed yet is waited for",
			state: open(autoMerge, change(func(c *Change) { c.Head = headTwo }), found(headTwo, "1.0.1")),
			want: "wait  shop/dev: 1.0.1 waits for the forge, which does not show the proposed commit in its change yet\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
			recheck: now.Add(time.Minute),
		},
		{
			name:  "a head that could not be looked at waits",
			state: open(pushed(headTwo), forgotText),
			want: "do    post status pending on 22222222: 3 of 7 gates pass; render: head 22222222 could not be looked at yet; it is tried again, and the log says why\n" +
				"wait  shop/dev: 1.0.1: 3 of 7 gates pass; render: head 22222222 could not be looked at yet; it is tried again, and the log says why\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "an image that is gone blocks",
			state: open(evidence(headOne, func(e *Evidence) { e.Images[0].Digest = "" }), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; image: acme/web:1.0.1 is gone from its registry: push it again, or promote another version\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; image: acme/web:1.0.1 is gone from its registry: push it again, or promote another version\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "an image whose tag moved blocks",
			state: open(evidence(headOne, func(e *Evidence) { e.Images[0].Digest = "sha256:feedfeedfeedfeed" }), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; image: acme/web:1.0.1 was pushed again: recorded sha256:1.0.1, now sha256:feedfeedfeed; tags of releases must not move\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; image: acme/web:1.0.1 was pushed again: recorded sha256:1.0.1, now sha256:feedfeedfeed; tags of releases must not move\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "an image that nobody asked for waits",
			state: open(evidence(headOne, func(e *Evidence) { e.Images = nil }), forgotText),
			want: "do    post status pending on 11111111: 6 of 7 gates pass; image: the registry of acme/web:1.0.1 was not asked yet\n" +
				"wait  shop/dev: 1.0.1: 6 of 7 gates pass; image: the registry of acme/web:1.0.1 was not asked yet\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a registry that does not answer is waited for",
			state: open(evidence(headOne, func(e *Evidence) { e.Images[0].Problem = "registry: no answer: timeout" }), forgotText),
			want: "do    post status pending on 11111111: 6 of 7 gates pass; image: the registry of acme/web:1.0.1 cannot be asked: registry: no answer: timeout\n" +
				"wait  shop/dev: 1.0.1: 6 of 7 gates pass; image: the registry of acme/web:1.0.1 cannot be asked: registry: no answer: timeout\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "an application that does not exist blocks and is guessed",
			state: open(evidence(headOne, func(e *Evidence) { e.Applications[0] = ApplicationEvidence{Name: "wbe", Candidates: []string{"web"}} }), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; application: application \"wbe\" does not exist: no Application or ApplicationSet of this repository makes it; did you mean web?\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; application: application \"wbe\" does not exist: no Application or ApplicationSet of this repository makes it; did you mean web?\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "an application without the annotation blocks",
			state: open(evidence(headOne, func(e *Evidence) { e.Applications[0].Authorized = nil }), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; application: application \"web\" does not authorize the stage: add the annotation kargo.akuity.io/authorized-stage: shop:dev (argocd/web.yaml:1)\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; application: application \"web\" does not authorize the stage: add the annotation kargo.akuity.io/authorized-stage: shop:dev (argocd/web.yaml:1)\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "an application of another stage blocks",
			state: open(evidence(headOne, func(e *Evidence) { e.Applications[0].Authorized = []StageRef{prod} }), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; application: application \"web\" belongs to shop:prod, not to shop:dev: correct its annotation kargo.akuity.io/authorized-stage (argocd/web.yaml:1)\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; application: application \"web\" belongs to shop:prod, not to shop:dev: correct its annotation kargo.akuity.io/authorized-stage (argocd/web.yaml:1)\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "an Argo CD server that does not answer is waited for",
			state: open(evidence(headOne, func(e *Evidence) { e.Applications[0].Problem = "argocd: HTTP 503" }), forgotText),
			want: "do    post status pending on 11111111: 6 of 7 gates pass; application: application \"web\": argocd: HTTP 503\n" +
				"wait  shop/dev: 1.0.1: 6 of 7 gates pass; application: application \"web\": argocd: HTTP 503\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name: "an application that does not render blocks",
			state: open(evidence(headOne, func(e *Evidence) {
				e.Findings = []Finding{{Severity: SeverityError, Code: "render", Position: Position{File: "web/values.yaml", Line: 3}, Message: `application "web": cannot parse`}}
			}), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; render: web/values.yaml:3: error: application \"web\": cannot parse [render]\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; render: web/values.yaml:3: error: application \"web\": cannot parse [render]\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a pipeline that broke since blocks the open change",
			state: open(finding(Finding{Severity: SeverityError, Message: "kargo/dev.yaml is not YAML", Stage: dev}), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; pipeline: error: kargo/dev.yaml is not YAML\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; pipeline: error: kargo/dev.yaml is not YAML\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a Project manifest that was removed since blocks the open change",
			state: open(pipeline(func(p *Pipeline) { p.Declared = false }), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; pipeline: no Project manifest declares \"shop\", and without one nothing is promoted: add {apiVersion: kargo.akuity.io/v1alpha1, kind: Project, metadata: {name: shop}} beside kargo…\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; pipeline: no Project manifest declares \"shop\", and without one nothing is promoted: add {apiVersion: kargo.akuity.io/v1alpha1, kind: Project, metadata: {name: shop}} beside kargo…\n" +
				"block shop/prod: no Project manifest declares \"shop\", and without one nothing is promoted: add {apiVersion: kargo.akuity.io/v1alpha1, kind: Project, metadata: {name: shop}} beside kargo/prod.yaml\n",
		},
		{
			name:  "freight that the stage no longer requests blocks the open change",
			state: open(pipeline(func(p *Pipeline) { p.Stages[0].Requests[0].Warehouse = "api" }), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; freight: stage dev does not request freight of warehouse \"web\"\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; freight: stage dev does not request freight of warehouse \"web\"\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "the steps say what becomes of a change that was not merged for as long as they wait",
			state: open(expiring(now)),
			want: "do    go on with promotion dev.0002.d4dd30e: a step waited for the merge as long as its retry.timeout allows\n" +
				"wait  shop/dev: 1.0.1 was not merged for as long as its steps wait\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a change that may wait some more is looked at again in time",
			state: open(expiring(now.Add(time.Hour))),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
			recheck: now.Add(time.Hour),
		},
		{
			name:  "a hold blocks the open change",
			state: open(held(dev, "release party"), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; hold: held by ann (release party); comment `/resume dev` to go on\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; hold: held by ann (release party); comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a hold on an idle stage keeps new freight out",
			state: known(recorded("1.0.1"), held(dev, "")),
			want: "block shop/dev: held by ann; comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "a version that goes back by itself blocks",
			state: open(evidence(headOne, func(e *Evidence) { e.Moves[0].Before = "1.0.2" }), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; downgrade: 1.0.2 → 1.0.1 in web/values.yaml goes back; to do this on purpose comment `/promote dev`\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; downgrade: 1.0.2 → 1.0.1 in web/values.yaml goes back; to do this on purpose comment `/promote dev`\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name: "a version inside an image reference that goes back blocks too",
			state: open(evidence(headOne, func(e *Evidence) {
				e.Moves[0] = Move{File: "web/deploy.yaml", Key: "image", Before: "reg:5000/acme/web:1.0.2@sha256:12", After: "reg:5000/acme/web:1.0.1"}
			}), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; downgrade: reg:5000/acme/web:1.0.2@sha256:12 → reg:5000/acme/web:1.0.1 in web/deploy.yaml goes back; to do this on purpose comment `/promote dev`\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; downgrade: reg:5000/acme/web:1.0.2@sha256:12 → reg:5000/acme/web:1.0.1 in web/deploy.yaml goes back; to do this on purpose comment `/promote dev`\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a version may go back when a person asked for this very freight",
			state: known(recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), promoted(promotion(dev, 2, "1.0.1", inChange, byAnn)), opened(promotion(dev, 2, "1.0.1", inChange)), found(headOne, "1.0.1"), evidence(headOne, func(e *Evidence) { e.Moves[0].Before = "1.0.2" }), settled),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a person who wishes the merge lets the version go back",
			state: open(evidence(headOne, func(e *Evidence) { e.Moves[0].Before = "1.0.2" }), forgotText, wished(promotion(dev, 2, "1.0.1"))),
			want: "do    update the text of change 7\n" +
				"do    merge change 7 at 11111111: every gate passes, and ann asked for it\n" +
				"wait  shop/dev: 1.0.1 is being merged: every gate passes, and ann asked for it\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "auto-merge merges once every gate passes, pinned to the head that was judged",
			state: open(autoMerge),
			want: "do    merge change 7 at 11111111: every gate passes, and the stage merges automatically\n" +
				"wait  shop/dev: 1.0.1 is being merged: every gate passes, and the stage merges automatically\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
			actions: []Action{Merge{Change: 7, Head: headOne, Promotion: "dev.0002.d4dd30e", Stage: dev, Reason: "every gate passes, and the stage merges automatically"}},
		},
		{
			name:  "what the forge merges by itself is not merged again",
			state: open(autoMerge, func(s *State) { s.Changes[0].Mergeability = Mergeability{Merge: MergeQueued, Reason: "merge train"} }),
			want: "wait  shop/dev: 1.0.1 is being merged by the forge: merge train\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name: "what is held since it was queued is taken out of the queue",
			state: open(autoMerge, held(dev, ""), forgotText, func(s *State) {
				s.Changes[0].Mergeability = Mergeability{Merge: MergeQueued, Reason: "merge train"}
			}),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; hold: held by ann; comment `/resume dev` to go on\n" +
				"do    keep the forge from merging change 7: 6 of 7 gates pass; hold: held by ann; comment `/resume dev` to go on\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; hold: held by ann; comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "what a person put into the forge's queue is waited for",
			state: open(func(s *State) { s.Changes[0].Mergeability = Mergeability{Merge: MergeQueued} }),
			want: "wait  shop/dev: 1.0.1 is being merged by the forge: it does not say when\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "what the forge took out of its queue twice is let in once more",
			state: open(autoMerge, queuedTimes(2)),
			want: "do    merge change 7 at 11111111: every gate passes, and the stage merges automatically\n" +
				"wait  shop/dev: 1.0.1 is being merged: every gate passes, and the stage merges automatically\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "what the forge took out of its queue three times waits for a person",
			state: open(autoMerge, queuedTimes(3)),
			want: "wait  shop/dev: 1.0.1 waits for a person: the forge took its change out of the merge queue 3 times: look there why, and comment `/promote` to have it tried again\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "what a person asks for again is tried three times more",
			state: open(autoMerge, queuedTimes(5), wished(promotion(dev, 2, "1.0.1"))),
			want: "do    merge change 7 at 11111111: every gate passes, and ann asked for it\n" +
				"wait  shop/dev: 1.0.1 is being merged: every gate passes, and ann asked for it\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "and waits for a person then",
			state: open(queuedTimes(3), wished(promotion(dev, 2, "1.0.1"))),
			want: "wait  shop/dev: 1.0.1 waits for a person: the forge took its change out of the merge queue 3 times: look there why, and comment `/promote` to have it tried again\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "auto-merge does not merge while a gate waits",
			state: open(autoMerge, evidence(headOne, func(e *Evidence) { e.Applications[0].Problem = "HTTP 503" }), forgotText),
			want: "do    post status pending on 11111111: 6 of 7 gates pass; application: application \"web\": HTTP 503\n" +
				"wait  shop/dev: 1.0.1: 6 of 7 gates pass; application: application \"web\": HTTP 503\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a wish to merge is granted once every gate passes",
			state: open(wished(promotion(dev, 2, "1.0.1"))),
			want: "do    merge change 7 at 11111111: every gate passes, and ann asked for it\n" +
				"wait  shop/dev: 1.0.1 is being merged: every gate passes, and ann asked for it\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
			actions: []Action{Merge{Change: 7, Head: headOne, Promotion: "dev.0002.d4dd30e", Stage: dev, Reason: "every gate passes, and ann asked for it"}},
		},
		{
			name:  "a wish to merge what was made again since is not granted",
			state: open(wished(promotion(dev, 2, "1.0.1", func(p *Promotion) { p.Head = headTwo }))),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes; it was made again since ann asked for it: comment `/promote` once more\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a wish that is given once more is granted, in whatever order the clocks put them",
			state: open(wished(promotion(dev, 2, "1.0.1")), wished(promotion(dev, 2, "1.0.1", func(p *Promotion) { p.Head = headTwo }))),
			want: "do    merge change 7 at 11111111: every gate passes, and ann asked for it\n" +
				"wait  shop/dev: 1.0.1 is being merged: every gate passes, and ann asked for it\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "to ask for a promotion is not to ask for its merge",
			state: open(requested(dev, "1.0.1", 1)),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a wish to merge another promotion merges nothing",
			state: open(wished(promotion(dev, 1, "1.0.0"))),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a forge that blocks the merge is waited for",
			state: open(autoMerge, change(func(c *Change) { c.Mergeability = Mergeability{MergeBlocked, "not_approved"} })),
			want: "wait  shop/dev: 1.0.1 waits for the forge, which does not let it be merged yet: not_approved\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
			recheck: now.Add(time.Minute),
		},
		{
			name: "a forge that merges on top of the target only gets the proposal again, once it may be merged",
			state: open(autoMerge, change(func(c *Change) { c.Mergeability = Mergeability{MergeBehind, "need_rebase"} }), func(s *State) {
				s.History.Promotions[1].Base = mergedAs
			}),
			want: "do    propose 1.0.1 for shop/dev: the forge wants it on top of main, which has moved since\n" +
				"wait  shop/dev: 1.0.1 is being proposed again: the forge wants it on top of main, which has moved since\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name: "what cannot be made again on top of the target waits",
			state: open(autoMerge, change(func(c *Change) { c.Mergeability = Mergeability{MergeBehind, "need_rebase"} }), func(s *State) {
				s.History.Promotions[1].Base = mergedAs
				s.Unmade[ProposalKey(dev, version("1.0.1").ID)] = "the file is gone"
			}),
			want: "wait  shop/dev: 1.0.1 waits for the forge, which does not let it be merged yet: need_rebase\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
			recheck: now.Add(time.Minute),
		},
		{
			name:  "a forge that has not seen yet that a proposal is on top of its target is asked again",
			state: open(autoMerge, change(func(c *Change) { c.Mergeability = Mergeability{MergeBehind, "need_rebase"} })),
			want: "wait  shop/dev: 1.0.1 waits for the forge, which does not let it be merged yet: need_rebase\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
			recheck: now.Add(time.Minute),
		},
		{
			name:  "what nobody merges is not made again because its target moved",
			state: open(change(func(c *Change) { c.Mergeability = Mergeability{MergeBehind, "need_rebase"} }), func(s *State) { s.History.Promotions[1].Base = mergedAs }),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a forge that does not say whether it may be merged is asked again",
			state: open(autoMerge, change(func(c *Change) { c.Mergeability = Mergeability{} })),
			want: "wait  shop/dev: 1.0.1 waits for the forge, which does not say whether it may be merged: it is asked again\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
			recheck: now.Add(time.Minute),
		},
		{
			name:  "a forge that is still computing is asked to merge and decides",
			state: open(autoMerge, change(func(c *Change) { c.Mergeability = Mergeability{MergeChecking, "checking"} })),
			want: "do    merge change 7 at 11111111: every gate passes, and the stage merges automatically\n" +
				"wait  shop/dev: 1.0.1 is being merged: every gate passes, and the stage merges automatically\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
			recheck: now.Add(time.Minute),
		},
		{
			name:  "a draft is not merged, and its mark is kept",
			state: open(autoMerge, change(func(c *Change) { c.Draft, c.Title = true, "Draft: "+c.Title })),
			want: "wait  shop/dev: 1.0.1 waits for its change, which is a draft: mark it as ready\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a draft that the forge cannot make is not merged before its label is taken off",
			state: open(autoMerge, change(func(c *Change) { c.Draft, c.Labels = true, append(c.Labels, DraftLabel) })),
			want: "wait  shop/dev: 1.0.1 waits for its change, which is to be a draft; the forge supports no drafts in this repository, so that anyone " +
				"may merge it: take the label lockkeeper-draft off when it is ready\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "who merges it by hand is told that it was to be a draft",
			state: open(change(func(c *Change) { c.Draft, c.Labels = true, append(c.Labels, DraftLabel) })),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes; the forge supports no drafts in this repository, so that anyone " +
				"may merge it: take the label lockkeeper-draft off when it is ready\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name: "a task that makes its changes drafts itself gets no second mark",
			state: open(func(s *State) { s.History.Promotions[1].Title = "Draft: web" }, forgotText, change(func(c *Change) {
				c.Draft = true
			})),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a change that was pointed at another branch is not merged",
			state: open(autoMerge, change(func(c *Change) { c.Target = "playground" }), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; render: error: the change targets branch \"playground\"; point it at \"main\" again [other-target]\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; render: error: the change targets branch \"playground\"; point it at \"main\" again [other-target]\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a merged change is delivered",
			state: open(change(func(c *Change) { c.State, c.Merged = ChangeMerged, mergedAs })),
			want: "do    deliver promotion dev.0002.d4dd30e at 99999999\n" +
				"wait  shop/dev: 1.0.1 is merged and will be delivered\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
			actions: []Action{Deliver{Promotion: promotion(dev, 2, "1.0.1", inChange), Merged: mergedAs, Change: 7, URL: "https://forge/7"}},
		},
		{
			name:  "a merge into another branch is no promotion",
			state: open(change(func(c *Change) { c.State, c.Merged, c.Target = ChangeMerged, mergedAs, "playground" })),
			want: "do    end promotion dev.0002.d4dd30e as Failed: its change was merged into \"playground\" instead of \"main\"\n" +
				"block shop/dev: 1.0.1: its change was merged into \"playground\" instead of \"main\"\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a change that a person closed ends the promotion",
			state: open(change(func(c *Change) { c.State, c.ClosedBy = ChangeClosed, "bob" })),
			want: "do    end promotion dev.0002.d4dd30e as Failed: its change was closed without being merged by bob\n" +
				"block shop/dev: 1.0.1: its change was closed without being merged by bob\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
			actions: []Action{Finish{Promotion: promotion(dev, 2, "1.0.1", inChange), Phase: PhaseFailed, Message: "its change was closed without being merged by bob"}},
		},
		{
			name:  "a promotion that failed is not tried again by itself",
			state: known(recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), promoted(promotion(dev, 2, "1.0.1", failed))),
			want: "block shop/dev: promotion dev.0002.d4dd30e of 1.0.1 failed: its change was closed without being merged by bob; comment `/promote dev 1.0.1` to try again, or wait for newer freight\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a person may ask for it again",
			state: known(recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), promoted(promotion(dev, 2, "1.0.1", failed)), requested(dev, "1.0.1", 2)),
			want: "do    propose 1.0.1 for shop/dev: ann asked for it\n" +
				"wait  shop/dev: 1.0.1 is being proposed: ann asked for it\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "what was asked for once is tried once",
			state: known(recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), promoted(promotion(dev, 2, "1.0.1", failed, byAnn)), requested(dev, "1.0.1", 1)),
			want: "block shop/dev: promotion dev.0002.d4dd30e of 1.0.1 failed: its change was closed without being merged by bob; comment `/promote dev 1.0.1` to try again, or wait for newer freight\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a wish to merge is over with its promotion",
			state: known(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1", failed)), wished(promotion(dev, 1, "1.0.1"))),
			want: "block shop/dev: promotion dev.0001.d4dd30e of 1.0.1 failed: its change was closed without being merged by bob; comment `/promote dev 1.0.1` to try again, or wait for newer freight\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "newer freight comes after a failure",
			state: known(recorded("1.0.0", "1.0.1", "1.0.2"), ran(dev, 1, "1.0.0"), promoted(promotion(dev, 2, "1.0.1", failed))),
			want: "do    propose 1.0.2 for shop/dev: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 1.0.2 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "newer freight takes the place of the open change",
			state: open(recorded("1.0.2")),
			want: "do    propose 1.0.2 for shop/dev: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 1.0.2 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
			actions: []Action{Propose{Stage: dev, Freight: version("1.0.2"), Promotion: "dev.0003.e450ed6", Branch: "lockkeeper/shop/dev", Number: 3, Actor: "auto-promotion", Base: mainTip, Tip: headOne, Supersedes: "dev.0002.d4dd30e", Change: 7, Reason: "newest available, and the policy promotes automatically"}},
		},
		{
			name:  "older freight does not take the place of the open change",
			state: open(recorded("0.9.9")),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "freight that cannot be ordered does not take the place of the open change",
			state: twoImages(promoted(pairPromotion("1.0.2", "2.0.1")), pair("1.0.1", "2.0.2", 4)),
			want: "do    open a change from lockkeeper/shop/dev into main: dev: 1.0.2, 2.0.1\n" +
				"wait  shop/dev: the change for 1.0.2, 2.0.1 is being opened\n",
		},
		{
			name:  "newer freight does not take the place of what a person asked for",
			state: known(recorded("1.0.0", "1.0.1", "1.0.2"), ran(dev, 1, "1.0.0"), promoted(promotion(dev, 2, "1.0.1", inChange, byAnn)), opened(promotion(dev, 2, "1.0.1")), found(headOne, "1.0.1"), settled),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "newer freight does not take the place of what a person wished to be merged",
			state: open(wished(promotion(dev, 2, "1.0.1")), recorded("1.0.2")),
			want: "do    merge change 7 at 11111111: every gate passes, and ann asked for it\n" +
				"wait  shop/dev: 1.0.1 is being merged: every gate passes, and ann asked for it\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "what a person asks for takes the place of the open change, even if it is older",
			state: open(recorded("0.9.9"), requested(dev, "0.9.9", 2)),
			want: "do    propose 0.9.9 for shop/dev: ann asked for it\n" +
				"wait  shop/dev: 0.9.9 is being proposed: ann asked for it\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a promotion that was aborted for another may come again",
			state: known(recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), promoted(promotion(dev, 2, "1.0.1", aborted))),
			want: "do    propose 1.0.1 for shop/dev: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "newer freight waits while the stage is being delivered",
			state: known(recorded("1.0.1", "1.0.2"), promoted(promotion(dev, 1, "1.0.1", delivering))),
			want: "do    deliver promotion dev.0001.d4dd30e at 99999999\n" +
				"wait  shop/dev: 1.0.1 is being delivered: waiting for Argo CD\n" +
				"wait  shop/prod: 1.0.2 is not yet verified in dev\n",
		},
		{
			name:  "a held stage is not superseded",
			state: open(recorded("1.0.2"), held(dev, ""), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; hold: held by ann; comment `/resume dev` to go on\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; hold: held by ann; comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a stage with an error is not superseded",
			state: open(recorded("1.0.2"), finding(Finding{Severity: SeverityError, Message: "broken", Stage: dev}), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; pipeline: error: broken\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; pipeline: error: broken\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "freight that cannot be proposed does not take the place of the open change",
			state: open(recorded("1.0.2"), unmade(dev, "1.0.2", "web/values.yaml: no key image.tag")),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "what changed on main since is proposed again",
			state: open(conflict("web/values.yaml")),
			want: "do    propose 1.0.1 for shop/dev: changed on main since: web/values.yaml\n" +
				"wait  shop/dev: 1.0.1 is being proposed again: changed on main since: web/values.yaml\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
			actions: []Action{Propose{Stage: dev, Freight: version("1.0.1"), Promotion: "dev.0002.d4dd30e", Branch: "lockkeeper/shop/dev", Number: 2, Actor: "auto-promotion", Base: mainTip, Tip: headOne, Again: true, Change: 7, Reason: "changed on main since: web/values.yaml"}},
		},
		{
			name:  "what changed on main since and cannot be proposed again blocks",
			state: open(conflict("web/values.yaml"), unmade(dev, "1.0.1", "web/values.yaml: no key image.tag"), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; render: error: changed on main since: web/values.yaml, and the proposal cannot be made again: web/values.yaml: no key image.tag [outdated]\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; render: error: changed on main since: web/values.yaml, and the proposal cannot be made again: web/values.yaml: no key image.tag [outdated]\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "what changed on main since stays while the stage is held",
			state: open(conflict("web/values.yaml"), held(dev, ""), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; hold: held by ann; comment `/resume dev` to go on\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; hold: held by ann; comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a branch that is gone is proposed again",
			state: open(func(s *State) { clear(s.Tips) }),
			want: "do    propose 1.0.1 for shop/dev: its branch is gone\n" +
				"wait  shop/dev: 1.0.1 is being proposed again: its branch is gone\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a branch that is gone stays away while the stage is held",
			state: open(func(s *State) { clear(s.Tips) }, held(dev, "freeze")),
			want: "block shop/dev: 1.0.1 cannot be proposed again, because its branch is gone: held by ann (freeze); comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a branch that is gone and cannot be made again is explained",
			state: open(func(s *State) { clear(s.Tips) }, unmade(dev, "1.0.1", "web/values.yaml: no key image.tag")),
			want: "block shop/dev: 1.0.1 cannot be proposed again, because its branch is gone: web/values.yaml: no key image.tag\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a branch that was pushed without a change gets its change",
			state: known(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1")), found(headOne, "1.0.1"), tip(dev, headOne)),
			want: "do    open a change from lockkeeper/shop/dev into main: dev: 1.0.1\n" +
				"wait  shop/dev: the change for 1.0.1 is being opened\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "a branch that a person moved before its change was opened is made again, and never opened as ours",
			state: known(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1")), tip(dev, headTwo), found(headTwo, "1.0.1")),
			want: "do    propose 1.0.1 for shop/dev: its branch was moved before its change was opened\n" +
				"wait  shop/dev: 1.0.1 is being proposed again: its branch was moved before its change was opened\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
			actions: []Action{Propose{Stage: dev, Freight: version("1.0.1"), Promotion: "dev.0001.d4dd30e", Branch: "lockkeeper/shop/dev", Number: 1, Actor: "auto-promotion", Base: mainTip, Tip: headTwo, Again: true, Reason: "its branch was moved before its change was opened"}},
		},
		{
			name:  "a branch that a person moved before its change was opened stays while the stage is held",
			state: known(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1")), tip(dev, headTwo), held(dev, "freeze")),
			want: "block shop/dev: 1.0.1 cannot be proposed again, because its branch was moved before its change was opened: held by ann (freeze); comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "a branch that a person moved before its change was opened and cannot be made again is explained",
			state: known(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1")), tip(dev, headTwo), unmade(dev, "1.0.1", "no key image.tag")),
			want: "block shop/dev: 1.0.1 cannot be proposed again, because its branch was moved before its change was opened: no key image.tag\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "a change that was opened but not recorded is recorded",
			state: known(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1")), opened(promotion(dev, 1, "1.0.1")), found(headOne, "1.0.1"), settled),
			want: "do    record change 7 of promotion dev.0001.d4dd30e\n" +
				"wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
			actions: []Action{RecordChange{Promotion: promotion(dev, 1, "1.0.1"), Change: 7, URL: "https://forge/7"}},
		},
		{
			name:  "a change of a fork from a branch of the same name does not count",
			state: known(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1")), opened(promotion(dev, 1, "1.0.1"), func(c *Change) { c.Fork = true }), found(headOne, "1.0.1")),
			want: "do    open a change from lockkeeper/shop/dev into main: dev: 1.0.1\n" +
				"wait  shop/dev: the change for 1.0.1 is being opened\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "a delivery goes on",
			state: known(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1", delivering))),
			want: "do    deliver promotion dev.0001.d4dd30e at 99999999\n" +
				"wait  shop/dev: 1.0.1 is being delivered: waiting for Argo CD\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
			actions: []Action{Deliver{Promotion: promotion(dev, 1, "1.0.1", delivering), Merged: mergedAs, Change: 7, URL: "https://forge/7"}},
		},
		{
			name: "a delivery is looked at when it is time to",
			state: known(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1", delivering)), func(s *State) {
				s.Deliveries[PromotionRef{dev, "dev.0001.d4dd30e"}] = Delivering{"web is Progressing", now.Add(15 * time.Second)}
			}),
			want: "wait  shop/dev: 1.0.1 is being delivered: web is Progressing\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "what is known of a promotion of another project does not count, even if its stage and freight are called the same",
			state: open(conflictIn(StageRef{"bank", "dev"}, "web/values.yaml")),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a stage that lost its steps while a change is open blocks",
			state: open(pipeline(func(p *Pipeline) { p.Stages[0].Steps = nil }), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; pipeline: the stage has no steps any more: give it steps again, or close the change\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; pipeline: the stage has no steps any more: give it steps again, or close the change\n" +
				"wait  shop/prod: 1.0.1 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.1`\n",
		},
		{
			name:  "a freight that the ledger lost blocks its change",
			state: open(func(s *State) { s.History.Freights = s.History.Freights[:1] }, forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; freight: the freight is not in the ledger any more: close the change and promote again\n" +
				"block shop/dev: d4dd30e: 6 of 7 gates pass; freight: the freight is not in the ledger any more: close the change and promote again\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
	})
}
