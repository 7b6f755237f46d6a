package promote

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// inQueue is a state with one promotion in a queue, whose gates say something: change 7, which brings 1.0.1 to dev.
func inQueue(gates StatusState, edits ...edit) State {
	return open(append([]edit{change(func(c *Change) { c.Merge = MergeQueued }), func(s *State) {
		s.Statuses[headOne] = Status{Name: StatusName, State: gates, Description: "what the gates say"}
	}}, edits...)...)
}

// ended lets the promotion of the state be over.
func ended(s *State) { s.History.Promotions[len(s.History.Promotions)-1].Phase = PhaseFailed }

// second adds change 8, which brings the same freight to prod.
func second(gates StatusState) edit {
	return func(s *State) {
		p := promotion(prod, 1, "1.0.1", inChange, func(p *Promotion) { p.Change, p.Head = 8, headTwo })
		s.History.Promotions = append(s.History.Promotions, p)
		opened(p, func(c *Change) { c.Number, c.Merge = 8, MergeQueued })(s)
		s.Statuses[headTwo] = Status{Name: StatusName, State: gates, Description: "prod's gates"}
	}
}

func TestJudgeQueued(t *testing.T) {
	ours, other := promotion(dev, 2, "1.0.1"), promotion(prod, 1, "1.0.1")
	as := func(all ...Promotion) map[PromotionRef]QueuedFiles {
		files := map[PromotionRef]QueuedFiles{}
		for _, p := range all {
			files[p.Ref()] = QueuedFiles{}
		}
		return files
	}
	lies := func(p Promotion, how QueuedFiles) map[PromotionRef]QueuedFiles {
		return map[PromotionRef]QueuedFiles{p.Ref(): how}
	}
	review := &PostStatus{Change: 9, Head: mergedAs, Status: Status{Name: StatusName, State: StatusSuccess, Description: "1 application changes"}}
	for _, c := range []struct {
		name   string
		state  State
		commit QueuedCommit
		want   string
	}{
		// The change on top is a promotion.
		{"a promotion is compared first", inQueue(StatusSuccess), QueuedCommit{Change: 7}, "compare dev"},
		{"a promotion as it was judged has what its gates say", inQueue(StatusSuccess), QueuedCommit{Change: 7, Files: as(ours)}, "success: what the gates say"},
		{"a promotion whose gates wait waits", inQueue(StatusPending), QueuedCommit{Change: 7, Files: as(ours)}, "pending: what the gates say"},
		{"a promotion that is held meanwhile fails", inQueue(StatusFailed), QueuedCommit{Change: 7, Files: as(ours)}, "failed: what the gates say"},
		{
			"a promotion of which no status is known waits",
			inQueue(StatusSuccess, func(s *State) { clear(s.Statuses) }),
			QueuedCommit{Change: 7, Files: as(ours)},
			"pending: its gates are being judged",
		},
		{
			"a promotion with commits of people has what the gates say of those",
			inQueue(StatusSuccess, pushed(headTwo), func(s *State) { s.Statuses[headTwo] = Status{State: StatusFailed, Description: "of the second head"} }),
			QueuedCommit{Change: 7, Files: as(ours)},
			"failed: of the second head",
		},
		{
			"a file that a change before it writes fails it",
			inQueue(StatusSuccess),
			QueuedCommit{Change: 7, Files: lies(ours, QueuedFiles{Other: "web/values.yaml"})},
			"failed: a change before it in the queue writes web/values.yaml too",
		},
		{
			"a promotion whose branch is gone waits until it is proposed again",
			inQueue(StatusSuccess),
			QueuedCommit{Change: 7, Files: lies(ours, QueuedFiles{Gone: true})},
			"pending: what was proposed to shop/dev is gone, and is proposed again",
		},
		{"a promotion that ended is no change of a person", inQueue(StatusSuccess, ended), QueuedCommit{Change: 7, Target: "main"}, "failed: the promotion of this change has ended"},
		{
			"a promotion that is being made again waits for that",
			inQueue(StatusSuccess, func(s *State) { s.History.Promotions[len(s.History.Promotions)-1].Phase = PhasePreparing }),
			QueuedCommit{Change: 7, Target: "main"},
			"pending: what was proposed to shop/dev is proposed again",
		},
		{"a promotion for another branch is judged, too", inQueue(StatusSuccess), QueuedCommit{Change: 7, Target: "release", Files: as(ours)}, "success: what the gates say"},

		// Promotions lie below it.
		{"another promotion in the queue is compared", inQueue(StatusSuccess, second(StatusSuccess)), QueuedCommit{Change: 7, Files: as(ours)}, "compare prod"},
		{"two promotions that pass pass", inQueue(StatusSuccess, second(StatusSuccess)), QueuedCommit{Change: 7, Files: as(ours, other)}, "success: what the gates say"},
		{
			"a promotion waits for the one below it that is held", inQueue(StatusSuccess, second(StatusFailed)),
			QueuedCommit{Change: 7, Files: as(ours, other)},
			"pending: the promotion to shop/prod is in this commit, too: prod's gates",
		},
		{
			"a promotion that is held fails, although the one below it passes", inQueue(StatusFailed, second(StatusSuccess)),
			QueuedCommit{Change: 7, Files: as(ours, other)},
			"failed: what the gates say",
		},
		{
			"one that is not queued is not below it", inQueue(StatusSuccess, second(StatusFailed), func(s *State) { s.Changes[1].Merge = MergeReady }),
			QueuedCommit{Change: 7, Files: as(ours)},
			"success: what the gates say",
		},
		{
			"one whose files are others is not below it", inQueue(StatusSuccess, second(StatusFailed)),
			QueuedCommit{Change: 7, Files: map[PromotionRef]QueuedFiles{ours.Ref(): {}, other.Ref(): {Other: "prod/values.yaml"}}},
			"success: what the gates say",
		},
		{
			"one whose branch is gone is not below it", inQueue(StatusSuccess, second(StatusFailed)),
			QueuedCommit{Change: 7, Files: map[PromotionRef]QueuedFiles{ours.Ref(): {}, other.Ref(): {Gone: true}}},
			"success: what the gates say",
		},
		{
			"a change of a person waits for the promotion below it that is held", inQueue(StatusFailed),
			QueuedCommit{Change: 9, Target: "main", Files: as(ours), Review: review},
			"pending: the promotion to shop/dev is in this commit, too: what the gates say",
		},
		{
			"one for another branch brings no promotion along, whatever its files are", inQueue(StatusFailed), QueuedCommit{Change: 9, Target: "release"}, "leave",
		},

		// The change on top is a person's.
		{"a change of a person is asked where it goes", known(), QueuedCommit{Change: 9}, "ask"},
		{"one that is gone is left alone", known(), QueuedCommit{Change: 9, Asked: true}, "leave"},
		{"one for another branch is left alone", known(), QueuedCommit{Change: 9, Target: "release"}, "leave"},
		{"one for our branch is reviewed", known(), QueuedCommit{Change: 9, Target: "main"}, "review"},
		{"one that was reviewed has what the review says", known(), QueuedCommit{Change: 9, Target: "main", Review: review}, "success: 1 application changes"},
		{
			"one above a promotion that passes has what its own review says", inQueue(StatusSuccess),
			QueuedCommit{Change: 9, Target: "main", Files: as(ours), Review: review},
			"success: 1 application changes",
		},

		// Nobody says what is on top.
		{
			"any promotion may be in it, queued or not", inQueue(StatusSuccess, change(func(c *Change) { c.Merge = MergeReady })), QueuedCommit{Target: "main"}, "compare dev",
		},
		{
			"the one that is in it is taken for what is on top", inQueue(StatusFailed),
			QueuedCommit{Target: "main", Files: as(ours)},
			"failed: the promotion to shop/dev is in this commit, too: what the gates say",
		},
		{"without one it is a person's", inQueue(StatusFailed), QueuedCommit{Target: "main", Files: lies(ours, QueuedFiles{Other: "x"})}, "review"},
		{"without a branch it is left alone", known(), QueuedCommit{}, "leave"},
		{
			"a promotion that changes nothing is in no queue", inQueue(StatusFailed, func(s *State) {
				p := &s.History.Promotions[len(s.History.Promotions)-1]
				p.Head = p.Base
			}), QueuedCommit{Target: "main"}, "review",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.commit.Head = mergedAs
			verdict := JudgeQueued(c.state, c.commit)
			have := verdict.Next.String()
			switch verdict.Next {
			case QueueCompare:
				have += " " + verdict.Promotion.Stage.Name
			case QueuePost:
				have = verdict.Post.Status.State.String() + ": " + verdict.Post.Status.Description
				if verdict.Post.Head != mergedAs || verdict.Post.Change != c.commit.Change || verdict.Post.Status.Name != StatusName {
					t.Errorf("it is posted as %+v", verdict.Post)
				}
			case QueueLeave, QueueAsk, QueueReview:
			}
			if have != c.want {
				t.Errorf("%q, want %q", have, c.want)
			}
		})
	}
}

// A status that is about to be posted counts for the queue already: the forge may refuse it.
func TestWantedStatuses(t *testing.T) {
	stands := Status{State: StatusSuccess, Description: "stands"}
	wanted := Status{State: StatusFailed, Description: "wanted"}
	s := State{Statuses: map[Commit]Status{headOne: stands, headTwo: stands}}
	got := WantedStatuses(s, Plan{Actions: []Action{PostStatus{Head: headTwo, Status: wanted}, Merge{Head: headOne}}})
	if diff := cmp.Diff(map[Commit]Status{headOne: stands, headTwo: wanted}, got); diff != "" {
		t.Error(diff)
	}
	if s.Statuses[headTwo] != stands {
		t.Error("what was known before is another now")
	}
}
