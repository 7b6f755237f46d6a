package promote

import "testing"

// What becomes of a change that nothing is proposed by any more.
func TestDecideRetirement(t *testing.T) {
	const person = "wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n"
	first, second := promotion(dev, 1, "1.0.0", inChange), promotion(dev, 2, "1.0.1", inChange)
	withdrawn := promotion(dev, 2, "1.0.1", inChange, aborted)
	back := promotion(dev, 3, "1.0.0", inChange, func(p *Promotion) { p.Phase, p.Merged, p.Head = PhaseDelivering, mainTip, "" })
	arrived := promotion(dev, 3, "1.0.0", succeeded, func(p *Promotion) { p.Head = "" })
	eighth := func(c *Change) { c.Number = 8 }
	runs := []edit{recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), held(dev, ""), verifiedNow(dev, "1.0.0")}
	state := func(edits ...edit) State { return known(append(append([]edit{}, runs...), edits...)...) }
	const idle = "block shop/dev: held by ann; comment `/resume dev` to go on\n" + person
	const closes = "do    close change 7, which promotes nothing any more\n"
	closing := func(head Commit, why string) []Action {
		return []Action{CloseChange{Change: 7, Head: head, Note: "Closed, because " + why + ".\n"}}
	}
	decides(t, []situation{
		{
			name:  "the change of a promotion that was superseded by one that had nothing to change is closed, before that is delivered",
			state: state(promoted(withdrawn, back), opened(second)),
			want: closes + "do    deliver promotion dev.0003.4b6b780 at aaaaaaaa\n" +
				"wait  shop/dev: 1.0.0 is being delivered: waiting for Argo CD\n" + person,
			actions: []Action{
				closing(headOne, "`1.0.0` is on `main` already, and there is nothing left to merge")[0],
				Deliver{Promotion: back, Merged: mainTip, Change: 7, URL: "https://forge/7"},
			},
		},
		{
			name:    "the change of a promotion that was superseded by one that arrived is closed",
			state:   state(promoted(withdrawn, arrived), opened(second)),
			want:    closes + idle,
			actions: closing(headOne, "`1.0.0` is on `main` already, and there is nothing left to merge"),
		},
		{
			name:    "the change of a promotion that is over is closed, with the reason of that",
			state:   state(promoted(withdrawn), opened(second)),
			want:    closes + idle,
			actions: closing(headOne, "promotion `dev.0002.d4dd30e` of `1.0.1` to `shop/dev` is over: superseded by 1.0.9"),
		},
		{
			name:    "the change of what is replaced by a promotion that is prepared still is closed: it would be merged meanwhile",
			state:   state(promoted(withdrawn, promotion(dev, 3, "1.0.0", inChange, preparing)), opened(second)),
			want:    closes + "block shop/dev: 1.0.0 is not prepared further: held by ann; comment `/resume dev` to go on\n" + person,
			actions: closing(headOne, "`1.0.0` takes the place of what it promotes to `shop/dev`, and is being prepared"),
		},
		{
			name:  "a change that was never recorded is known by its branch and head",
			state: state(promoted(promotion(dev, 2, "1.0.1", aborted)), opened(second, eighth)),
			want:  "do    close change 8, which promotes nothing any more\n" + idle,
			actions: []Action{CloseChange{
				Change: 8, Head: headOne, Note: "Closed, because promotion `dev.0002.d4dd30e` of `1.0.1` to `shop/dev` is over: superseded by 1.0.9.\n",
			}},
		},
		{
			name:  "a change of such a branch at another head may be that of a promotion whose record was not read yet",
			state: state(promoted(promotion(dev, 2, "1.0.1", aborted)), opened(second, eighth, func(c *Change) { c.Head = headTwo })),
			want:  idle,
		},
		{
			name:    "a change with commits of a person is closed all the same when its promotion is over",
			state:   state(promoted(withdrawn), opened(second, func(c *Change) { c.Head = headTwo })),
			want:    closes + idle,
			actions: closing(headTwo, "promotion `dev.0002.d4dd30e` of `1.0.1` to `shop/dev` is over: superseded by 1.0.9"),
		},
		{
			name: "a change that was closed, and opened again by a person, is closed before its freight is proposed anew",
			state: known(recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), promoted(promotion(dev, 2, "1.0.1", failed)),
				opened(second), requested(dev, "1.0.1", 2)),
			want: closes + "do    propose 1.0.1 for shop/dev: ann asked for it\n" +
				"wait  shop/dev: 1.0.1 is being proposed: ann asked for it\n" + person,
		},
		{
			name: "the change of a stage that is not declared any more is closed",
			state: open(pipeline(func(p *Pipeline) {
				p.Stages = p.Stages[1:]
				p.Stages[0].Requests[0].Stages = []string{"dev"}
			})),
			want:    closes + person,
			actions: closing(headOne, "stage `shop/dev`, to which it promotes `1.0.1`, is not declared any more"),
		},
		{
			name:    "the change of a pipeline that is gone is closed",
			state:   open(func(s *State) { s.Pipelines = nil }),
			want:    closes,
			actions: closing(headOne, "stage `shop/dev`, to which it promotes `1.0.1`, is not declared any more"),
		},
		{
			name:  "a stage that may be missing because a file has an error is not taken for gone",
			state: open(func(s *State) { s.Pipelines = nil }, finding(Finding{Severity: SeverityError, Message: "kargo/dev.yaml is not YAML"})),
			want:  "",
		},
		{
			name:    "an error of another project does not keep a stage that is gone",
			state:   open(func(s *State) { s.Pipelines = nil }, finding(Finding{Severity: SeverityError, Message: "no steps", Project: "bank"})),
			want:    closes,
			actions: closing(headOne, "stage `shop/dev`, to which it promotes `1.0.1`, is not declared any more"),
		},
		{
			name: "the change that took over the number of one that is over stays",
			state: open(func(s *State) {
				s.History.Promotions = append(s.History.Promotions[:1], promotion(dev, 2, "1.0.0", inChange, aborted), promotion(dev, 3, "1.0.1", inChange))
			}, settled),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" + person,
		},
		{
			name: "the change that a promotion took over stays, also when that was not recorded yet",
			state: open(func(s *State) {
				s.History.Promotions = append(s.History.Promotions[:1], promotion(dev, 2, "1.0.0", inChange, aborted), promotion(dev, 3, "1.0.1"))
			}, settled),
			want: "do    record change 7 of promotion dev.0003.d4dd30e\n" +
				"wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" + person,
		},
		{
			name:  "a change that is over already, that of a fork, and one that is none of ours stay",
			state: state(promoted(withdrawn), opened(first, func(c *Change) { c.State = ChangeClosed }), opened(second, func(c *Change) { c.Fork = true }), opened(second, func(c *Change) { c.Number, c.Branch = 8, "feature" })),
			want:  idle,
		},
		{
			name:  "a change from a proposal branch that no record tells of stays, and the next proposal takes it",
			state: known(recorded("1.0.1"), opened(promotion(dev, 1, "1.0.1"))),
			want: "do    propose 1.0.1 for shop/dev: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
	})
}
