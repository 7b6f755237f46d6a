package promote

import "testing"

// grouping puts the five clusters of dev into one change.
func grouping(s *State) {
	clusters(s)
	p := &s.Pipelines[0]
	for i := range p.Stages {
		if p.Stages[i].Fan == "dev" {
			p.Stages[i].Group, p.Stages[i].Wave = "edge", Wave{}
		}
	}
	p.Stages = append(p.Stages[:2:2], p.Stages[5]) // c1, c2 and prod
}

func inGroup(names ...string) func(*Promotion) {
	return func(p *Promotion) {
		p.Branch = GroupBranch("shop", "edge")
		for _, name := range names {
			p.With = append(p.With, cluster(name))
		}
	}
}

// together is the open change of both clusters.
func together(edits ...edit) State {
	one := promotion(cluster("c1"), 1, "1.0.1", inChange, inGroup("c1", "c2"))
	two := promotion(cluster("c2"), 1, "1.0.1", inChange, inGroup("c1", "c2"))
	return known(append([]edit{recorded("1.0.1"), grouping, promoted(one, two), opened(one), found(headOne, "1.0.1"), appsOfNobody, settled}, edits...)...)
}

// leftBehind is the open change of both clusters, made again without the second one.
func leftBehind(edits ...edit) State {
	one := promotion(cluster("c1"), 1, "1.0.1", inChange, inGroup("c1"))
	two := promotion(cluster("c2"), 1, "1.0.1", inChange, inGroup("c1", "c2"), func(p *Promotion) { p.Head = headTwo })
	return known(append([]edit{recorded("1.0.1"), grouping, promoted(one, two), opened(one), found(headOne, "1.0.1"), appsOfNobody, settled}, edits...)...)
}

// appsOfNobody leaves out which applications are synced.
func appsOfNobody(s *State) {
	e := s.Evidence[headOne]
	e.Applications = nil
	s.Evidence[headOne] = e
}

func TestDecideInGroups(t *testing.T) {
	wish := promotion(cluster("c2"), 1, "1.0.1", inChange, inGroup("c1", "c2"))
	c1Alone := func(s *State) { s.History.Promotions = s.History.Promotions[:1] }
	decides(t, []situation{
		{
			name:  "stages of a group are proposed on one branch",
			state: known(recorded("1.0.1"), grouping),
			want: "do    propose 1.0.1 for shop/dev.c1: newest available, and the policy promotes automatically\n" +
				"do    propose 1.0.1 for shop/dev.c2: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev.c1: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev.c2: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "one of them speaks for the change",
			state: together(),
			want: "wait  shop/dev.c1: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/dev.c2: 1.0.1 shares its change with the promotion to dev.c1: all 7 gates pass\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "its text and its verdict are those of all",
			state: together(func(s *State) { s.Changes[0].Title = "x"; s.Statuses = map[Commit]Status{} }),
			want: "do    update the text of change 7\n" +
				"do    post status success on 11111111: all 7 gates pass\n" +
				"wait  shop/dev.c1: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/dev.c2: 1.0.1 shares its change with the promotion to dev.c1: all 7 gates pass\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "a wish for any of them merges the change",
			state: together(wished(wish)),
			want: "do    merge change 7 at 11111111: every gate passes, and ann asked for it\n" +
				"wait  shop/dev.c1: 1.0.1 is being merged: every gate passes, and ann asked for it\n" +
				"wait  shop/dev.c2: 1.0.1 shares its change with the promotion to dev.c1: all 7 gates pass\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "it merges by itself only if every stage says so",
			state: together(func(s *State) { s.Pipelines[0].Stages[0].AutoMerge = true }),
			want: "wait  shop/dev.c1: 1.0.1 waits for its change to be merged: every gate passes\n" +
				"wait  shop/dev.c2: 1.0.1 shares its change with the promotion to dev.c1: all 7 gates pass\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "and then it does",
			state: together(func(s *State) { s.Pipelines[0].Stages[0].AutoMerge, s.Pipelines[0].Stages[1].AutoMerge = true, true }),
			want: "do    merge change 7 at 11111111: every gate passes, and the stage merges automatically\n" +
				"wait  shop/dev.c1: 1.0.1 is being merged: every gate passes, and the stage merges automatically\n" +
				"wait  shop/dev.c2: 1.0.1 shares its change with the promotion to dev.c1: all 7 gates pass\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "newer freight makes all of them again",
			state: together(recorded("1.0.2")),
			want: "do    propose 1.0.2 for shop/dev.c1: newest available, and the policy promotes automatically\n" +
				"do    propose 1.0.2 for shop/dev.c2: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev.c1: 1.0.2 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev.c2: 1.0.2 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.2 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "who joins has the others made again",
			state: known(recorded("1.0.1"), grouping, promoted(promotion(cluster("c1"), 1, "1.0.1", inChange, inGroup("c1"))), opened(promotion(cluster("c1"), 1, "1.0.1", inGroup("c1"))), found(headOne, "1.0.1"), appsOfNobody, settled),
			want: "do    propose 1.0.1 for shop/dev.c1: others join its change\n" +
				"do    propose 1.0.1 for shop/dev.c2: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev.c1: 1.0.1 is being proposed again: others join its change\n" +
				"wait  shop/dev.c2: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "but not while one of them is held",
			state: known(recorded("1.0.1"), grouping, promoted(promotion(cluster("c1"), 1, "1.0.1", inChange, inGroup("c1"))), opened(promotion(cluster("c1"), 1, "1.0.1", inGroup("c1"))), found(headOne, "1.0.1"), appsOfNobody, held(cluster("c1"), ""), settled),
			want: "block shop/dev.c1: 1.0.1: 6 of 7 gates pass; hold: held by ann; comment `/resume dev.c1` to go on\n" +
				"block shop/dev.c2: 1.0.1 is not proposed: dev.c1, which shares its change, is held by ann\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "when one is over the others are made again without it",
			state: together(c1Alone, promoted(promotion(cluster("c2"), 1, "1.0.1", failed, inGroup("c1", "c2")))),
			want: "do    propose 1.0.1 for shop/dev.c1: the promotion to dev.c2, which was in its change, is over\n" +
				"wait  shop/dev.c1: 1.0.1 is being proposed again: the promotion to dev.c2, which was in its change, is over\n" +
				"block shop/dev.c2: promotion dev.c2.0001.d4dd30e of 1.0.1 failed: its change was closed without being merged by bob; comment `/promote dev.c2 1.0.1` to try again, or wait for newer freight\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "after the merge each is delivered by itself",
			state: together(change(func(c *Change) { c.State, c.Merged = ChangeMerged, mergedAs })),
			want: "do    deliver promotion dev.c1.0001.d4dd30e at 99999999\n" +
				"do    deliver promotion dev.c2.0001.d4dd30e at 99999999\n" +
				"wait  shop/dev.c1: 1.0.1 is merged and will be delivered\n" +
				"wait  shop/dev.c2: 1.0.1 is merged and will be delivered\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "closing the change ends all of them",
			state: together(change(func(c *Change) { c.State, c.ClosedBy = ChangeClosed, "bob" })),
			want: "do    end promotion dev.c1.0001.d4dd30e as Failed: its change was closed without being merged by bob\n" +
				"do    end promotion dev.c2.0001.d4dd30e as Failed: its change was closed without being merged by bob\n" +
				"block shop/dev.c1: 1.0.1: its change was closed without being merged by bob\n" +
				"block shop/dev.c2: 1.0.1: its change was closed without being merged by bob\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "one whose change was merged is delivered, and not made again with who comes later",
			state: known(recorded("1.0.1"), grouping, promoted(promotion(cluster("c1"), 1, "1.0.1", inChange, inGroup("c1"))), opened(promotion(cluster("c1"), 1, "1.0.1", inGroup("c1")), func(c *Change) { c.State, c.Merged = ChangeMerged, mergedAs })),
			want: "do    deliver promotion dev.c1.0001.d4dd30e at 99999999\n" +
				"do    propose 1.0.1 for shop/dev.c2: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev.c1: 1.0.1 is merged and will be delivered\n" +
				"wait  shop/dev.c2: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "one that others were proposed without is made again with them",
			state: leftBehind(),
			want: "do    propose 1.0.1 for shop/dev.c1: others join its change\n" +
				"do    propose 1.0.1 for shop/dev.c2: others were proposed in its change without it\n" +
				"wait  shop/dev.c1: 1.0.1 is being proposed again: others join its change\n" +
				"wait  shop/dev.c2: 1.0.1 is being proposed again: others were proposed in its change without it\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "and while it cannot be, the change without it is not merged",
			state: leftBehind(unmade(cluster("c2"), "1.0.1", "no such key"), func(s *State) { s.Pipelines[0].Stages[0].AutoMerge, s.Pipelines[0].Stages[1].AutoMerge = true, true }, settled),
			want: "block shop/dev.c1: 1.0.1: 6 of 7 gates pass; render: dev.c2: error: others were proposed in its change without it, and the proposal cannot be made again: no such key [outdated]\n" +
				"block shop/dev.c2: 1.0.1 shares its change with the promotion to dev.c1: 6 of 7 gates pass; render: error: others were proposed in its change without it, and the proposal cannot be made again: no such key [outdated]\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "nothing of what is made again goes on meanwhile",
			state: known(recorded("1.0.1"), grouping, promoted(promotion(cluster("c1"), 1, "1.0.1", inGroup("c1"), waits(WaitsChange))), opened(promotion(cluster("c1"), 1, "1.0.1", inGroup("c1"))), found(headOne, "1.0.1"), appsOfNobody, settled),
			want: "do    propose 1.0.1 for shop/dev.c1: others join its change\n" +
				"do    propose 1.0.1 for shop/dev.c2: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev.c1: 1.0.1 is being proposed again: others join its change\n" +
				"wait  shop/dev.c2: 1.0.1 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "one that is not in what a person merged is not delivered",
			state: leftBehind(change(func(c *Change) { c.State, c.Merged = ChangeMerged, mergedAs })),
			want: "do    deliver promotion dev.c1.0001.d4dd30e at 99999999\n" +
				"do    end promotion dev.c2.0001.d4dd30e as Failed: its change was merged without it, because it could not be made again with the others\n" +
				"wait  shop/dev.c1: 1.0.1 is merged and will be delivered\n" +
				"block shop/dev.c2: 1.0.1: its change was merged without it, because it could not be made again with the others\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name: "one that has left the group stays in the change that is open, and is made again with the others",
			state: together(recorded("1.0.2"), func(s *State) {
				s.Pipelines[0].Stages[1].Group = ""
				s.Pipelines[0].Stages[1].Supersede = SupersedeQueue
			}),
			want: "do    propose 1.0.2 for shop/dev.c1: newest available, and the policy promotes automatically\n" +
				"do    propose 1.0.1 for shop/dev.c2: others join its change\n" +
				"wait  shop/dev.c1: 1.0.2 is being proposed: newest available, and the policy promotes automatically\n" +
				"wait  shop/dev.c2: 1.0.1 is being proposed again: others join its change\n" +
				"wait  shop/prod: 1.0.2 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "one that was prepared before its stage joined the group is proposed with it",
			state: known(recorded("1.0.1"), grouping, held(cluster("c1"), ""), promoted(promotion(cluster("c2"), 1, "1.0.1", preparing))),
			want: "do    propose 1.0.1 for shop/dev.c2: a step that waited goes on\n" +
				"block shop/dev.c1: held by ann; comment `/resume dev.c1` to go on\n" +
				"wait  shop/dev.c2: 1.0.1 is being proposed again: a step that waited goes on\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
		{
			name:  "a hold on one keeps the change from being merged",
			state: together(held(cluster("c2"), ""), wished(wish)),
			want: "do    update the text of change 7\n" +
				"do    post status failed on 11111111: 6 of 7 gates pass; hold: dev.c2: held by ann; comment `/resume dev.c2` to go on\n" +
				"block shop/dev.c1: 1.0.1: 6 of 7 gates pass; hold: dev.c2: held by ann; comment `/resume dev.c2` to go on\n" +
				"block shop/dev.c2: 1.0.1 shares its change with the promotion to dev.c1: 6 of 7 gates pass; hold: held by ann; comment `/resume dev.c2` to go on\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n",
		},
	})
}
