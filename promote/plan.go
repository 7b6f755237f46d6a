package promote

import (
	"crypto/sha1" //nolint:gosec // tells texts apart; nothing is protected by it
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Plan is what should happen next, and why.
type Plan struct {
	Actions []Action      // in order; empty means nothing to do
	Stages  []StageStatus // one per stage; Reason is shown to people word for word
	Recheck time.Time     // when it is worth deciding again without an event; zero: wait for one
}

// StageStatus says what a stage runs and what is next for it.
type StageStatus struct {
	Stage   StageRef `json:"stage"`
	Runs    string   `json:"runs,omitempty"`   // label of the freight it runs; empty when unknown
	Next    string   `json:"next,omitempty"`   // label of the freight on its way
	Verdict Verdict  `json:"verdict"`          // of the way to Next
	Reason  string   `json:"reason"`           // never empty
	Change  int      `json:"change,omitempty"` // the open change
	URL     string   `json:"url,omitempty"`    // of Change
	Gates   Gates    `json:"gates,omitempty"`  // of Change
}

// Verdict is the worst verdict of all stages; Skip counts as Pass.
func (p Plan) Verdict() Verdict {
	worst := Pass
	for _, s := range p.Stages {
		if s.Verdict != Skip {
			worst = max(worst, s.Verdict)
		}
	}
	return worst
}

// String prints the plan, one line for each action and each stage.
func (p Plan) String() string {
	var b strings.Builder
	for _, action := range p.Actions {
		fmt.Fprintf(&b, "do    %s\n", action)
	}
	for _, s := range p.Stages {
		fmt.Fprintf(&b, "%-5s %s: %s\n", s.Verdict, s.Stage, s.Reason)
	}
	return b.String()
}

func (p *Plan) recheckAt(t time.Time) {
	if p.Recheck.IsZero() || t.Before(p.Recheck) {
		p.Recheck = t
	}
}

// Action is one effect on the outside world. The set is closed: the types of this file.
//
// What an action was decided on may have moved by the time it is applied. Whoever applies it finds out by the effect itself:
// branches and the ledger are pushed by compare-and-swap, merges are pinned to the head that was judged, a status is posted
// on the commit that it speaks of, and a record is written only on top of the one that was seen. What is refused for that
// reason is ErrStale: everything is observed and decided again.
//
//sumtype:decl
type Action interface {
	// Key names the effect: equal keys are the same effect, and applying it twice changes nothing more.
	Key() string
	// String says in one line what will happen.
	String() string
	isAction()
}

// RecordFreight writes new freight into the ledger.
type RecordFreight struct{ Freight Freight }

// Propose runs the steps of a stage up to where they must wait, and pushes and opens what they made.
type Propose struct {
	Stage      StageRef
	Freight    Freight
	Others     []FreightID // freight of other warehouses that the stage keeps
	Promotion  PromotionID
	Branch     Branch // where it is proposed
	Number     int
	Actor      string
	Base       Commit      // tip of the target branch
	Tip        Commit      // tip of the proposal branch, empty when there is none
	Supersedes PromotionID // the open promotion whose place this one takes; empty when there is none
	Again      bool        // the same promotion is made once more, because its branch is gone or no longer fits
	Change     int         // the open change to update; 0 when there is none
	Reason     string
}

// OpenChange opens the change of a promotion whose branch points to its head still.
type OpenChange struct {
	Promotion Promotion
	Draft     ChangeDraft
}

// RecordChange records by which change a promotion is proposed.
type RecordChange struct {
	Promotion Promotion
	Change    int
	URL       string
}

// Advance goes on with the steps of a promotion whose change is open: one of them waited for something else than the merge.
type Advance struct {
	Promotion Promotion
	Reason    string
}

// UpdateChange brings the text of a change up to date.
type UpdateChange struct {
	Change int
	Head   Commit
	Edit   ChangeEdit
	// GoesOn: the text goes on in notes, or did before. More is what they say, in order, and is written before the text.
	GoesOn bool
	More   []string
}

// PostStatus posts the verdict of all gates on a head.
type PostStatus struct {
	Change int
	Head   Commit
	Branch Branch
	Status Status
	// Summary (Markdown) and Annotations are shown where the forge has room for them. They belong to Status, and are no reason to
	// post it again.
	Summary     string
	Annotations []Annotation
	// New says that the head was pushed a moment ago, and has no status of ours.
	New bool
}

// Merge merges a change, pinned to the head that was judged, which is the one that the promotion proposed.
type Merge struct {
	Change    int
	Head      Commit
	Promotion PromotionID
	Stage     StageRef
	Reason    string
}

// Unqueue keeps the forge from merging a change by itself: a gate blocks it since it was queued.
type Unqueue struct {
	Change int
	Head   Commit
	Reason string
}

// CloseChange closes an open change that promotes nothing any more.
type CloseChange struct {
	Change int
	Head   Commit
	Note   string // why, as Markdown for a comment on it
}

// Deliver runs the steps of a promotion that follow the merge.
type Deliver struct {
	Promotion Promotion
	Merged    Commit // what the target branch got
	Change    int    // 0 when the promotion needed none
	URL       string
}

// Finish ends a promotion that will not be delivered.
type Finish struct {
	Promotion Promotion
	Phase     Phase
	Message   string
}

// RecordHold puts a stage on hold.
type RecordHold struct{ Hold Hold }

// ReleaseHold lifts the hold of a stage.
type ReleaseHold struct {
	Hold Hold
	By   string
}

// RecordRequest records that a person asked for a promotion.
type RecordRequest struct{ Request Request }

// PinRequest binds a recorded request to the head that it was given for: what shows the same is not meant any more.
type PinRequest struct{ Request Request }

// RecordApproval records that a person lets a freight into a stage.
type RecordApproval struct{ Approval Approval }

// RecordRejection records that a freight is bad.
type RecordRejection struct{ Rejection Rejection }

// WithdrawRejection takes the word back that a freight is bad.
type WithdrawRejection struct {
	Rejection Rejection
	By        string
}

// Reply answers a command.
type Reply struct {
	Change   int // 0 answers who started the run
	Comment  int // the comment that is answered
	Body     string
	Reaction Reaction
	Again    bool // it is no answer yet: the comment is worked off again
}

// Key implements Action.
func (a RecordFreight) Key() string {
	return "freight/" + a.Freight.Project + "/" + string(a.Freight.ID)
}

// Key implements Action.
func (a Propose) Key() string {
	return fmt.Sprintf("propose/%s/%s@%s", a.Stage, a.Promotion, a.Base)
}

// Key implements Action.
func (a OpenChange) Key() string {
	return "open/" + string(a.Draft.Branch) + "@" + string(a.Draft.Head)
}

// Key implements Action.
func (a RecordChange) Key() string {
	return fmt.Sprintf("change/%s/%s=%d", a.Promotion.Stage, a.Promotion.ID, a.Change)
}

// Key implements Action.
func (a UpdateChange) Key() string {
	return fmt.Sprintf("update/%d@%s=%s", a.Change, a.Head, fingerprint(a.Edit.Title, a.Edit.Description))
}

// Key implements Action.
func (a PostStatus) Key() string {
	return fmt.Sprintf("status/%s@%s=%s/%s", a.Status.Name, a.Head, a.Status.State, fingerprint(a.Status.Description))
}

// fingerprint tells texts apart in a key.
func fingerprint(texts ...string) string {
	sum := sha1.Sum([]byte(strings.Join(texts, "\x00"))) //nolint:gosec // nothing is protected by it
	return hex.EncodeToString(sum[:6])
}

// Key implements Action.
func (a Merge) Key() string { return fmt.Sprintf("merge/%d@%s", a.Change, a.Head) }

// Key implements Action.
func (a Unqueue) Key() string { return fmt.Sprintf("unqueue/%d@%s", a.Change, a.Head) }

// Key implements Action.
func (a CloseChange) Key() string { return fmt.Sprintf("close/%d@%s", a.Change, a.Head) }

// Key implements Action.
func (a Deliver) Key() string {
	return fmt.Sprintf("deliver/%s/%s@%s", a.Promotion.Stage, a.Promotion.ID, a.Merged)
}

// Key implements Action.
func (a Finish) Key() string {
	return fmt.Sprintf("finish/%s/%s=%s", a.Promotion.Stage, a.Promotion.ID, a.Phase)
}

// Key implements Action.
func (a Advance) Key() string {
	return fmt.Sprintf("advance/%s/%s=%d+%d", a.Promotion.Stage, a.Promotion.ID, len(a.Promotion.Results), a.Promotion.Approvals)
}

// Key implements Action.
func (a RecordHold) Key() string { return "hold/" + a.Hold.scope() }

// Key implements Action.
func (a ReleaseHold) Key() string { return "resume/" + a.Hold.scope() }

// Key implements Action.
func (a RecordApproval) Key() string {
	return "approve/" + a.Approval.Stage.String() + "/" + a.Approval.Key
}

// Key implements Action.
func (a RecordRejection) Key() string {
	return "reject/" + a.Rejection.Project + "/" + string(a.Rejection.Freight)
}

// Key implements Action.
func (a WithdrawRejection) Key() string {
	return "accept/" + a.Rejection.Project + "/" + string(a.Rejection.Freight)
}

// Key implements Action.
func (a RecordRequest) Key() string { return "request/" + a.Request.Key }

// Key implements Action.
func (a PinRequest) Key() string { return "pin/" + a.Request.Key }

// Key implements Action.
func (a Reply) Key() string { return fmt.Sprintf("reply/%d/%d", a.Change, a.Comment) }

func (a RecordFreight) String() string {
	return fmt.Sprintf("record freight %s (%s) of warehouse %s/%s",
		a.Freight.ID.Short(), a.Freight.Label(), a.Freight.Project, a.Freight.Warehouse)
}

func (a Propose) String() string {
	return fmt.Sprintf("propose %s for %s: %s", a.Freight.Label(), a.Stage, a.Reason)
}

func (a OpenChange) String() string {
	return fmt.Sprintf("open a change from %s into %s: %s", a.Draft.Branch, a.Draft.Target, a.Draft.Title)
}

func (a RecordChange) String() string {
	return fmt.Sprintf("record change %d of promotion %s", a.Change, a.Promotion.ID)
}

func (a UpdateChange) String() string { return fmt.Sprintf("update the text of change %d", a.Change) }

func (a PostStatus) String() string {
	return fmt.Sprintf("post status %s on %s: %s", a.Status.State, a.Head.Short(), a.Status.Description)
}

func (a Merge) String() string {
	return fmt.Sprintf("merge change %d at %s: %s", a.Change, a.Head.Short(), a.Reason)
}

func (a Unqueue) String() string {
	return fmt.Sprintf("keep the forge from merging change %d: %s", a.Change, a.Reason)
}

func (a CloseChange) String() string {
	return fmt.Sprintf("close change %d, which promotes nothing any more", a.Change)
}

func (a Deliver) String() string {
	return fmt.Sprintf("deliver promotion %s at %s", a.Promotion.ID, a.Merged.Short())
}

func (a Finish) String() string {
	return fmt.Sprintf("end promotion %s as %s: %s", a.Promotion.ID, a.Phase, a.Message)
}

func (a Advance) String() string {
	return fmt.Sprintf("go on with promotion %s: %s", a.Promotion.ID, a.Reason)
}

func (a RecordHold) String() string {
	return fmt.Sprintf("hold %s for %s", a.Hold.scope(), a.Hold.By)
}

func (a ReleaseHold) String() string {
	return fmt.Sprintf("resume %s for %s", a.Hold.scope(), a.By)
}

func (a RecordApproval) String() string {
	return fmt.Sprintf("record that %s lets %s into %s", a.Approval.By, a.Approval.Freight.Short(), a.Approval.Stage)
}

func (a RecordRejection) String() string {
	return fmt.Sprintf("record that %s rejects %s", a.Rejection.By, a.Rejection.Freight.Short())
}

func (a WithdrawRejection) String() string {
	return fmt.Sprintf("record that %s accepts %s again", a.By, a.Rejection.Freight.Short())
}

func (a RecordRequest) String() string {
	return fmt.Sprintf("record that %s asks for %s in %s", a.Request.By, a.Request.Freight.Short(), a.Request.Stage)
}

func (a PinRequest) String() string {
	return fmt.Sprintf("record that %s asked for %s in %s at %s only", a.Request.By, a.Request.Freight.Short(), a.Request.Stage, a.Request.Head.Short())
}

func (a Reply) String() string {
	if a.Change == 0 {
		return "answer: " + a.Body
	}
	return fmt.Sprintf("reply to comment %d on change %d", a.Comment, a.Change)
}

func (RecordFreight) isAction()     {}
func (Propose) isAction()           {}
func (OpenChange) isAction()        {}
func (RecordChange) isAction()      {}
func (UpdateChange) isAction()      {}
func (PostStatus) isAction()        {}
func (Merge) isAction()             {}
func (Unqueue) isAction()           {}
func (CloseChange) isAction()       {}
func (Deliver) isAction()           {}
func (Finish) isAction()            {}
func (RecordHold) isAction()        {}
func (ReleaseHold) isAction()       {}
func (RecordRequest) isAction()     {}
func (PinRequest) isAction()        {}
func (Advance) isAction()           {}
func (RecordApproval) isAction()    {}
func (RecordRejection) isAction()   {}
func (WithdrawRejection) isAction() {}
func (Reply) isAction()             {}
