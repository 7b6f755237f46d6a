package promote

import (
	"testing"
	"time"
)

func approved(stage StageRef, tag, by string) edit {
	return func(s *State) {
		s.History.Approvals = append(s.History.Approvals, Approval{
			Key: "change-1-comment-" + by, Stage: stage, Freight: version(tag).ID, By: by, At: now,
		})
	}
}

func bad(tag string) edit {
	return func(s *State) {
		s.History.Rejections = append(s.History.Rejections, Rejection{Project: "shop", Freight: version(tag).ID, By: "eve", Reason: "crashes", At: now})
	}
}

func chosen(stage StageRef, reason string) edit {
	return func(s *State) {
		s.History.Holds = append(s.History.Holds, Hold{Stage: stage, Warehouse: "web", By: "ann", Reason: reason, At: now})
	}
}

func waits(on Waits) func(*Promotion) { return func(p *Promotion) { p.Waits = on } }

func preparing(p *Promotion) {
	p.Phase, p.Head = PhasePreparing, ""
	p.Results = []StepResult{{As: "step-1", Status: StepRunning, Message: "waits for two approvals: comment `/admit`"}}
}

func looked(p Promotion, message string, next time.Time) edit {
	return func(s *State) { s.Deliveries[p.Ref()] = Delivering{Message: message, Next: next} }
}

// What people say about freight: approve, reject, accept, retry, roll back.
func TestCommandsOnFreight(t *testing.T) {
	merged := mergedChange(dev)
	closed := Change{Number: 7, Branch: ProposalBranch(dev), State: ChangeClosed}
	maintainer := func(c Command) Command { return by(PermissionMaintain, c) }
	answers(t, []exchange{
		{
			name:  "a maintainer lets freight into a stage that upstream did not verify",
			state: known(recorded("1.0.1"), held(dev, ""), says(maintainer(on(Change{Number: 3, Branch: "feature"}, asked(VerbApprove, "prod", "1.0.1"))))),
			want: "record that ann lets d4dd30e into shop/prod\n" +
				"reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply:    "`1.0.1` may enter `shop/prod`, whatever its upstream stages say.",
		},
		{
			name:     "who may only write cannot do that",
			state:    known(recorded("1.0.1"), held(dev, ""), says(on(Change{Number: 3, Branch: "feature"}, asked(VerbApprove, "prod", "1.0.1")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "To let `1.0.1` into `shop/prod` without its upstream stages takes maintain permission in this repository; `ann` has write.",
		},
		{
			name:     "an approval that is there already is not written twice",
			state:    known(recorded("1.0.1"), held(dev, ""), approved(prod, "1.0.1", "ann"), says(maintainer(on(Change{Number: 3, Branch: "feature"}, asked(VerbApprove, "prod", "1.0.1"))))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply:    "`1.0.1` may enter `shop/prod`, whatever its upstream stages say.",
		},
		{
			name:  "where a step waits for approval, who may write can give it",
			state: known(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1", preparing, waits(WaitsApproval))), says(on(Change{Number: 3, Branch: "feature"}, asked(VerbAdmit, "dev", "1.0.1")))),
			want: "record that ann lets d4dd30e into shop/dev\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.1 for shop/dev: a step that waited goes on",
			reaction: ReactionDone,
			reply:    "`1.0.1` is approved for `shop/dev`.",
		},
		{
			name:     "rejected freight is not approved",
			state:    known(recorded("1.0.1"), bad("1.0.1"), says(maintainer(on(Change{Number: 3, Branch: "feature"}, asked(VerbApprove, "prod", "1.0.1"))))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "Rejected by eve (crashes); comment `/accept 1.0.1` to take that back.",
		},
		{
			name:  "reject on a promotion means its freight, and ends it",
			state: open(says(asked(VerbReject, "it", "crashes"))),
			want: "record that ann rejects d4dd30e\n" +
				"reply to comment 31 on change 7\n" +
				"end promotion dev.0002.d4dd30e as Failed: rejected by ann (it crashes); comment `/accept 1.0.1` to take that back",
			reaction: ReactionDone,
			reply:    "`1.0.1` is rejected: it is promoted to no stage of `shop` until `/accept 1.0.1`.",
		},
		{
			name:  "reject by version means that freight",
			state: idleShop(says(on(merged, asked(VerbReject, "1.0.0")))),
			want: "record that ann rejects 4b6b780\n" +
				"reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply:    "`1.0.0` is rejected: it is promoted to no stage of `shop` until `/accept 1.0.0`.",
		},
		{
			name:     "reject on another change needs a version",
			state:    idleShop(says(on(Change{Number: 3, Branch: "feature"}, asked(VerbReject)))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "Nothing says which freight: name one, as in `/reject 1.0.2`.",
		},
		{
			name:     "what is rejected already is not rejected twice",
			state:    idleShop(bad("1.0.0"), says(on(merged, asked(VerbReject, "1.0.0")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply:    "`1.0.0` is rejected: it is promoted to no stage of `shop` until `/accept 1.0.0`.",
		},
		{
			name:  "accept takes a rejection back",
			state: idleShop(bad("1.0.1"), says(on(merged, asked(VerbAccept)))),
			want: "record that ann accepts d4dd30e again\n" +
				"reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply:    "`1.0.1` may be promoted again.",
		},
		{
			name:     "accept of what nobody rejected says so",
			state:    idleShop(says(on(merged, asked(VerbAccept, "1.0.0")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply:    "`1.0.0` is not rejected.",
		},
		{
			name:     "rejected freight is not promoted, also when a person asks",
			state:    idleShop(bad("1.0.1"), says(on(merged, asked(VerbPromote, "prod", "1.0.1")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "`1.0.1` cannot go to `shop/prod`: rejected by eve (crashes); comment `/accept 1.0.1` to take that back.",
		},
		{
			name:  "retry promotes the freight of a closed change again",
			state: known(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1", failed)), says(on(closed, asked(VerbRetry)))),
			want: "record that ann asks for d4dd30e in shop/dev\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.1 for shop/dev: ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.1` is promoted to `shop/dev`.",
		},
		{
			name:     "there is nothing to retry while it is open",
			state:    open(says(asked(VerbRetry))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "`1.0.1` is still on its way to `shop/dev`: there is nothing to try again.",
		},
		{
			name:  "rollback rejects what runs and promotes what ran before",
			state: idleShop(says(on(merged, asked(VerbRollback)))),
			want: "record that ann rejects d4dd30e\n" +
				"record that ann asks for 4b6b780 in shop/dev\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.0 for shop/dev: ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.0` is promoted to `shop/dev`.",
		},
		{
			name:  "rollback to a version",
			state: idleShop(says(on(merged, asked(VerbRollback, "dev", "1.0.0")))),
			want: "record that ann rejects d4dd30e\n" +
				"record that ann asks for 4b6b780 in shop/dev\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.0 for shop/dev: ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.0` is promoted to `shop/dev`.",
		},
		{
			name:     "rollback to what runs says so",
			state:    idleShop(says(on(merged, asked(VerbRollback, "dev", "1.0.1")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "`1.0.1` is what `shop/dev` runs.",
		},
		{
			name:     "rollback where nothing ran before",
			state:    known(recorded("1.0.1"), ran(dev, 1, "1.0.1"), says(on(merged, asked(VerbRollback)))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "`shop/dev` ran nothing before `1.0.1` that was not rejected: name a version, as in `/rollback dev 1.0.1`.",
		},
		{
			name:     "rollback where nothing was ever promoted",
			state:    known(recorded("1.0.1"), held(dev, ""), says(on(merged, asked(VerbRollback, "prod")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "Nothing was ever promoted to `shop/prod`.",
		},
		{
			name:  "rollback of a failed delivery goes back to what was there",
			state: known(recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), promoted(promotion(dev, 2, "1.0.1", delivering, failed)), says(on(merged, asked(VerbRollback, "dev")))),
			want: "record that ann rejects d4dd30e\n" +
				"record that ann asks for 4b6b780 in shop/dev\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.0 for shop/dev: ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.0` is promoted to `shop/dev`.",
		},
		{
			name:  "who chooses older freight holds the newer back",
			state: idleShop(says(on(merged, asked(VerbPromote, "dev", "1.0.0")))),
			want: "hold freight of web for shop/dev for ann\n" +
				"record that ann asks for 4b6b780 in shop/dev\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.0 for shop/dev: ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.0` is promoted to `shop/dev`. Freight of `web` is not promoted there automatically until `/resume dev`.",
		},
		{
			name:  "who promotes the newest lifts that again",
			state: idleShop(recorded("1.0.2"), chosen(dev, "chose 1.0.1 over 1.0.2"), says(on(merged, asked(VerbPromote, "dev", "1.0.2")))),
			want: "resume freight of web for shop/dev for ann\n" +
				"record that ann asks for e450ed6 in shop/dev\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.2 for shop/dev: ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.2` is promoted to `shop/dev`.",
		},
		{
			name:  "resume lifts it too",
			state: idleShop(recorded("1.0.2"), chosen(dev, "chose 1.0.1 over 1.0.2"), says(on(merged, asked(VerbResume, "dev")))),
			want: "resume freight of web for shop/dev for ann\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.2 for shop/dev: newest available, and the policy promotes automatically",
			reaction: ReactionDone,
			reply:    "`shop/dev` goes on.",
		},
	})
}

// How approvals, rejections and choices change what comes next.
func TestDecideOnWords(t *testing.T) {
	prepared := promotion(dev, 1, "1.0.1", preparing, waits(WaitsApproval))
	polling := promotion(dev, 1, "1.0.1", preparing, waits(WaitsTime))
	between := promotion(dev, 2, "1.0.1", inChange, waits(WaitsTime))
	approving := promotion(dev, 2, "1.0.1", inChange, waits(WaitsApproval))
	opening := promotion(dev, 2, "1.0.1", inChange, waits(WaitsChange))
	ahead := promotion(prod, 1, "1.0.1", inChange)
	follows := pipeline(func(p *Pipeline) { p.Stages[1].Requests[0].MatchUpstream = true })
	queue := pipeline(func(p *Pipeline) { p.Stages[0].Supersede = SupersedeQueue })
	anew := pipeline(func(p *Pipeline) { p.Stages[0].Supersede = SupersedeByNew })
	decides(t, []situation{
		{
			name:  "approved freight enters without its upstream stage",
			state: known(recorded("1.0.1"), held(dev, ""), approved(prod, "1.0.1", "ann"), autoProd),
			want: "do    propose 1.0.1 for shop/prod: newest available, and the policy promotes automatically\n" +
				"block shop/dev: held by ann; comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n",
		},
		{
			name:  "an approval for a control-flow stage opens what is behind it",
			state: known(recorded("1.0.1"), gated, approved(StageRef{"shop", "gate"}, "1.0.1", "ann")),
			want: "do    propose 1.0.1 for shop/prod: newest available, and the policy promotes automatically\n" +
				"block shop/dev: held by ann; comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"skip  shop/gate: control-flow stage: it has no steps and nothing is promoted to it\n",
		},
		{
			name:  "rejected freight is passed over",
			state: known(recorded("1.0.0", "1.0.1"), bad("1.0.1")),
			want: "do    propose 1.0.0 for shop/dev: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 1.0.0 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.0 is not yet verified in dev\n",
		},
		{
			name:  "where all freight was rejected the newest is told, and how to take that back",
			state: known(recorded("1.0.0", "1.0.1"), bad("1.0.1"), bad("1.0.0")),
			want: "block shop/dev: 1.0.1, the newest freight of warehouse web, is rejected by eve (crashes); comment `/accept 1.0.1` to take that back, or wait for newer freight\n" +
				"block shop/prod: 1.0.1, the newest freight of warehouse web, is rejected by eve (crashes); comment `/accept 1.0.1` to take that back, or wait for newer freight\n",
		},
		{
			name: "where all freight was rejected and the warehouse finds none, both are told",
			state: known(recorded("1.0.1"), bad("1.0.1"), func(s *State) {
				s.Discoveries = []Discovery{{Project: "shop", Warehouse: "web", At: now, Problem: "registry.test does not answer"}}
			}),
			want: "block shop/dev: 1.0.1, the newest freight of warehouse web, is rejected by eve (crashes); comment `/accept 1.0.1` to take that back, or wait for newer freight; it finds none now: registry.test does not answer\n" +
				"block shop/prod: 1.0.1, the newest freight of warehouse web, is rejected by eve (crashes); comment `/accept 1.0.1` to take that back, or wait for newer freight; it finds none now: registry.test does not answer\n",
		},
		{
			name:  "rejected freight ends its open promotion",
			state: open(bad("1.0.1")),
			want: "do    end promotion dev.0002.d4dd30e as Failed: rejected by eve (crashes); comment `/accept 1.0.1` to take that back\n" +
				"block shop/dev: 1.0.1: rejected by eve (crashes); comment `/accept 1.0.1` to take that back\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "what is merged already is delivered, rejected or not",
			state: open(bad("1.0.1"), change(func(c *Change) { c.State, c.Merged = ChangeMerged, mergedAs })),
			want: "do    deliver promotion dev.0002.d4dd30e at 99999999\n" +
				"wait  shop/dev: 1.0.1 is merged and will be delivered\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a choice of a person keeps newer freight back",
			state: known(recorded("1.0.0", "1.0.1", "1.0.2"), ran(dev, 1, "1.0.1"), chosen(dev, "chose 1.0.1 over 1.0.2")),
			want: "wait  shop/dev: 1.0.2 waits for a person, because ann chose 1.0.1 over 1.0.2: comment `/promote dev 1.0.2` or `/resume dev`\n" +
				"wait  shop/prod: 1.0.1 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.1`\n",
		},
		{
			name:  "a stage that follows waits for its upstream stage",
			state: known(recorded("1.0.1"), held(dev, ""), follows, autoProd),
			want: "block shop/dev: held by ann; comment `/resume dev` to go on\n" +
				"wait  shop/prod: upstream stage dev runs no freight of warehouse web yet\n",
		},
		{
			name:  "a stage that follows takes what upstream runs",
			state: idleShop(follows, autoProd),
			want: "do    propose 1.0.1 for shop/prod: its upstream stage runs it, and the policy promotes automatically\n" +
				"pass  shop/dev: runs 1.0.1, nothing newer\n" +
				"wait  shop/prod: 1.0.1 is being proposed: its upstream stage runs it, and the policy promotes automatically\n",
		},
		{
			name:  "a stage that follows goes back with its upstream stage",
			state: known(recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), ran(dev, 2, "1.0.1"), ran(dev, 3, "1.0.0"), ran(prod, 1, "1.0.0"), ran(prod, 2, "1.0.1"), held(dev, ""), follows, autoProd),
			want: "do    propose 1.0.0 for shop/prod: its upstream stage runs it, and the policy promotes automatically\n" +
				"block shop/dev: promotion dev.0002.d4dd30e of 1.0.1 succeeded: it was replaced since; comment `/promote dev 1.0.1` to try again, or wait for newer freight\n" +
				"wait  shop/prod: 1.0.0 is being proposed: its upstream stage runs it, and the policy promotes automatically\n",
		},
		{
			name:  "an open promotion of a stage that follows goes back with its upstream stage too",
			state: known(recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), ran(dev, 2, "1.0.1"), ran(dev, 3, "1.0.0"), promoted(ahead), opened(ahead), found(headOne, "1.0.1"), follows, autoProd, settled),
			want: "do    propose 1.0.0 for shop/prod: its upstream stage runs it, and the policy promotes automatically\n" +
				"block shop/dev: promotion dev.0002.d4dd30e of 1.0.1 succeeded: it was replaced since; comment `/promote dev 1.0.1` to try again, or wait for newer freight\n" +
				"wait  shop/prod: 1.0.0 is being proposed: its upstream stage runs it, and the policy promotes automatically\n",
		},
		{
			name:  "a stage that follows is where its upstream stage is",
			state: idleShop(ran(prod, 1, "1.0.1"), follows, autoProd),
			want: "pass  shop/dev: runs 1.0.1, nothing newer\n" +
				"pass  shop/prod: runs 1.0.1, as dev does\n",
		},
		{
			name:  "newer freight queues where the stage says so",
			state: open(recorded("1.0.2"), queue),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "newer freight gets a change of its own where the stage says so",
			state: open(recorded("1.0.2"), anew),
			want: "do    end promotion dev.0002.d4dd30e as Aborted: superseded by 1.0.2\n" +
				"do    close change 7, which promotes nothing any more\n" +
				"do    propose 1.0.2 for shop/dev: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 1.0.2 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a promotion that waits for approval says so",
			state: known(recorded("1.0.1"), promoted(prepared)),
			want: "wait  shop/dev: 1.0.1 is being prepared: waits for two approvals: comment `/admit`\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "it goes on when somebody approves",
			state: known(recorded("1.0.1"), promoted(prepared), approved(dev, "1.0.1", "bob")),
			want: "do    propose 1.0.1 for shop/dev: a step that waited goes on\n" +
				"wait  shop/dev: 1.0.1 is being proposed again: a step that waited goes on\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "a step that has waited long enough for approval is run once more",
			state: known(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1", preparing, waits(WaitsApproval), func(p *Promotion) { p.Until = now }))),
			want: "do    propose 1.0.1 for shop/dev: a step that waited goes on\n" +
				"wait  shop/dev: 1.0.1 is being proposed again: a step that waited goes on\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "a step that looks again is left alone until then",
			state: known(recorded("1.0.1"), promoted(polling), looked(polling, "got 503, looks again", now.Add(time.Minute))),
			want: "wait  shop/dev: 1.0.1 is being prepared: got 503, looks again\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
			recheck: now.Add(time.Minute),
		},
		{
			name:  "a step that looks again is run when it is time",
			state: known(recorded("1.0.1"), promoted(polling), looked(polling, "got 503, looks again", now)),
			want: "do    propose 1.0.1 for shop/dev: a step that waited goes on\n" +
				"wait  shop/dev: 1.0.1 is being proposed again: a step that waited goes on\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "after a restart it is run at once",
			state: known(recorded("1.0.1"), promoted(polling)),
			want: "do    propose 1.0.1 for shop/dev: a step that waited goes on\n" +
				"wait  shop/dev: 1.0.1 is being proposed again: a step that waited goes on\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "newer freight takes the place of one that is being prepared",
			state: known(recorded("1.0.1", "1.0.2"), promoted(polling)),
			want: "do    propose 1.0.2 for shop/dev: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 1.0.2 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.2 is not yet verified in dev\n",
		},
		{
			name:  "a hold keeps it from going on",
			state: known(recorded("1.0.1"), promoted(polling), held(dev, "")),
			want: "block shop/dev: 1.0.1 is not prepared further: held by ann; comment `/resume dev` to go on\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "rejected freight is not prepared further",
			state: known(recorded("1.0.1"), promoted(polling), bad("1.0.1")),
			want: "do    end promotion dev.0001.d4dd30e as Failed: rejected by eve (crashes); comment `/accept 1.0.1` to take that back\n" +
				"block shop/dev: 1.0.1: rejected by eve (crashes); comment `/accept 1.0.1` to take that back\n" +
				"block shop/prod: 1.0.1, the newest freight of warehouse web, is rejected by eve (crashes); comment `/accept 1.0.1` to take that back, or wait for newer freight\n",
		},
		{
			name:  "what cannot be made any more is given up",
			state: known(recorded("1.0.1"), promoted(polling), unmade(dev, "1.0.1", "no such file")),
			want: "do    end promotion dev.0001.d4dd30e as Failed: no such file\n" +
				"block shop/dev: 1.0.1: no such file\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "a step between opening and merging goes on while the change is judged",
			state: known(recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), promoted(between), opened(between), found(headOne, "1.0.1"), settled),
			want: "do    go on with promotion dev.0002.d4dd30e: a step that waited goes on\n" +
				"wait  shop/dev: 1.0.1: 6 of 7 gates pass; hold: a step of dev that comes before the merge waits: see `/status`\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "nothing is merged before the steps that come first are done, whoever wants it",
			state: known(recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), autoMerge, promoted(approving), opened(approving), found(headOne, "1.0.1"), wished(approving), settled),
			want: "wait  shop/dev: 1.0.1: 6 of 7 gates pass; hold: a step of dev that comes before the merge waits: see `/status`\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a promotion that took over an open change goes on when its task waits for one",
			state: known(recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), autoMerge, promoted(opening), opened(opening), found(headOne, "1.0.1"), settled),
			want: "do    record change 7 of promotion dev.0002.d4dd30e\n" +
				"wait  shop/dev: 1.0.1 is not merged before its steps are done: a step waits\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a task that merges by itself does when every gate passes",
			state: known(recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), promoted(promotion(dev, 2, "1.0.1", inChange, func(p *Promotion) { p.AutoMerge = true })), opened(between), found(headOne, "1.0.1"), settled),
			want: "do    merge change 7 at 11111111: every gate passes, and the task merges it\n" +
				"wait  shop/dev: 1.0.1 is being merged: every gate passes, and the task merges it\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
	})
}
