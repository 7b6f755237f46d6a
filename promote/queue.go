package promote

import "fmt"

// QueuedCommit is what is known of a commit that a merge queue or train tests.
type QueuedCommit struct {
	Head   Commit
	Change int    // the one on top; 0: nobody says which
	Target Branch // where it goes; empty: nobody says
	Asked  bool   // the change on top was asked where it goes
	// Files says how the files of promotions lie in the commit; one that is not in it was not compared yet.
	Files map[PromotionRef]QueuedFiles
	// Review is what the commit would be told as the change of a person; nil: it was not looked at as one.
	Review *PostStatus
}

// QueuedFiles is how the files of a promotion lie in a commit. The zero value: as they were proposed.
type QueuedFiles struct {
	Other string // a file that the commit does not have as it was proposed
	Gone  bool   // what was proposed is not there any more, and cannot be compared
}

// QueueVerdict is what comes next for a commit in a queue.
type QueueVerdict struct {
	Next      QueueStep
	Promotion Promotion  // for QueueCompare
	Post      PostStatus // for QueuePost
}

// QueueStep says what is to be done for a commit in a queue. Facts that cost something are asked for one after the other: most
// commits need few of them.
type QueueStep int

// The steps. Each but the first two finds out something of the commit, which is judged again with it.
const (
	QueuePost    QueueStep = iota // say what the verdict holds
	QueueLeave                    // it is not ours to say anything
	QueueCompare                  // compare the files of a promotion with the commit
	QueueAsk                      // ask the change where it goes
	QueueReview                   // look at the commit as at the change of a person
)

// JudgeQueued says what a queue is to be told of a commit. A promotion's gates were judged on its own head: they hold for the commit
// if it has the files of the promotion as they were proposed. Any other change is judged as it lies in the queue. Both need the gates
// of the promotions that the commit brings along, because forges test several changes in one.
//
// The statuses of the State are those that should stand on its heads: one that could not be posted counts all the same.
func JudgeQueued(s State, c QueuedCommit) QueueVerdict {
	all := s.promotionsIn(c.Change)
	own := keep(all, func(p Promotion) bool { return p.Phase == PhaseProposed })
	if len(own) == 0 && len(all) > 0 {
		return c.withoutProposal(all)
	}
	for _, p := range own {
		files, compared := c.Files[p.Ref()]
		switch {
		case !compared:
			return QueueVerdict{Next: QueueCompare, Promotion: p}
		case files.Gone:
			return c.say(StatusPending, "what was proposed to "+p.Stage.String()+" is gone, and is proposed again")
		case files.Other != "":
			return c.say(StatusFailed, "a change before it in the queue writes "+files.Other+" too")
		}
	}
	for _, p := range s.mayBring(c) {
		files, compared := c.Files[p.Ref()]
		if !compared {
			return QueueVerdict{Next: QueueCompare, Promotion: p}
		}
		if status := s.gatesOf(p); files == (QueuedFiles{}) && status.State != StatusSuccess {
			return c.say(alongside(c, status), "the promotion to "+p.Stage.String()+" is in this commit, too: "+status.Description)
		}
	}
	for i, p := range own {
		if status := s.gatesOf(p); i == len(own)-1 || status.State != StatusSuccess {
			return c.say(status.State, status.Description)
		}
	}
	return c.asChange(s)
}

// withoutProposal is what a commit is told whose change has promotions of which none is proposed.
func (c QueuedCommit) withoutProposal(all []Promotion) QueueVerdict {
	again := keep(all, func(p Promotion) bool { return p.Phase == PhasePreparing })
	if len(again) == 0 {
		return c.say(StatusFailed, "the promotion of this change has ended")
	}
	return c.say(StatusPending, "what was proposed to "+again[0].Stage.String()+" is proposed again")
}

// asChange judges a commit that is no promotion's.
func (c QueuedCommit) asChange(s State) QueueVerdict {
	switch {
	case c.Target == "" && c.Change != 0 && !c.Asked:
		return QueueVerdict{Next: QueueAsk}
	case c.Target != s.Branch:
		return QueueVerdict{Next: QueueLeave}
	case c.Review == nil:
		return QueueVerdict{Next: QueueReview}
	}
	return QueueVerdict{Post: *c.Review}
}

// alongside is what a commit is told for a promotion that it only brings along. The forge takes the change on top out for a failure,
// and that one did nothing wrong: it waits until the promotion was taken out, or passes. Where nobody says which is on top the
// promotion may be it.
func alongside(c QueuedCommit, status Status) StatusState {
	if c.Change != 0 {
		return StatusPending
	}
	return status.State
}

func (c QueuedCommit) say(state StatusState, description string) QueueVerdict {
	return QueueVerdict{Post: PostStatus{
		Change: c.Change, Head: c.Head, Status: Status{Name: StatusName, State: state, Description: truncate(clean(description), 200)},
	}}
}

// promotionsIn returns the promotions that a change ever had.
func (s State) promotionsIn(change int) []Promotion {
	return keep(s.History.Promotions, func(p Promotion) bool { return change != 0 && p.Change == change })
}

// mayBring returns the promotions that may lie in a commit besides those of the change on top. Where nobody says which that is it may
// be any that goes to the same branch; otherwise only one that is queued, too.
func (s State) mayBring(c QueuedCommit) []Promotion {
	var may []Promotion
	for _, p := range s.History.Promotions {
		change, _ := s.Change(p)
		switch {
		case p.Phase != PhaseProposed, p.Head == p.Base, c.Change != 0 && p.Change == c.Change:
		case c.Target != "" && p.Target != "" && p.Target != c.Target:
		case c.Change != 0 && change.Merge != MergeQueued:
		default:
			may = append(may, p)
		}
	}
	return may
}

// gatesOf is what the gates of a promotion say on its change.
func (s State) gatesOf(p Promotion) Status {
	if status, known := s.Statuses[s.JudgedHead(p)]; known {
		return status
	}
	return Status{Name: StatusName, State: StatusPending, Description: "its gates are being judged"}
}

// JudgedHead is the head that the gates of a promotion are judged on: people may have added commits to what was proposed.
func (s State) JudgedHead(p Promotion) Commit {
	if change, ok := s.Change(p); ok && change.Head != "" {
		return change.Head
	}
	return p.Head
}

// queueTries is how often one head is let into the forge's queue before a person has to ask for it, again.
const queueTries = 3

// tired says why a change is not put into the forge's queue once more, where the forge took it out too often: what it failed for, or
// was not judged in time for, is there still. Each request of a person, and what merges by itself, has tries of its own.
func (s *stageDecision) tired(active Promotion) string {
	tries := 0
	if s.mergesItself(active) {
		tries = queueTries
	}
	for _, p := range s.crew(active) {
		tries += queueTries * s.index.wishes(p)
	}
	if active.Queued == 0 || active.Queued < tries {
		return ""
	}
	return fmt.Sprintf("the forge took its change out of the merge queue %d times: look there why, and comment `/promote` to have it tried again",
		active.Queued)
}

// mergesItself reports whether a change is merged without being asked for.
func (s *stageDecision) mergesItself(active Promotion) bool {
	return s.every(active, func(p Promotion, _ Stage) bool { return p.AutoMerge }) ||
		s.every(active, func(_ Promotion, stage Stage) bool { return stage.AutoMerge })
}

// WantedStatuses are our statuses by head as they are when a plan is carried out.
func WantedStatuses(s State, plan Plan) map[Commit]Status {
	statuses := map[Commit]Status{}
	for _, action := range plan.Actions {
		if post, ok := action.(PostStatus); ok {
			statuses[post.Head] = post.Status
		}
	}
	for head, status := range s.Statuses {
		putFirst(statuses, head, status)
	}
	return statuses
}

// String returns the lower-case name.
func (q QueueStep) String() string {
	switch q {
	case QueuePost:
		return "post"
	case QueueLeave:
		return "leave"
	case QueueCompare:
		return "compare"
	case QueueAsk:
		return "ask"
	case QueueReview:
		return "review"
	}
	return fmt.Sprintf("step %d", int(q))
}
