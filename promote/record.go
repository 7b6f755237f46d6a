package promote

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// PromotionID names a promotion: "<stage>.<number>.<first seven of the freight>". Numbers count the promotions of a stage
// from 1, so the same history always gives the next promotion the same ID.
type PromotionID string

// PromotionRef names a promotion across projects: the stages of two projects may have the same name, and so their promotions
// the same ID.
type PromotionRef struct {
	Stage StageRef
	ID    PromotionID
}

// Promotion is one attempt to bring one freight to one stage.
type Promotion struct {
	ID        PromotionID `json:"id"`
	Stage     StageRef    `json:"stage"`
	Number    int         `json:"number"`           // counts the promotions of the stage from 1
	Freight   FreightID   `json:"freight"`          // what is promoted
	Others    []FreightID `json:"others,omitempty"` // freight of other warehouses that the stage keeps
	Phase     Phase       `json:"phase"`
	Message   string      `json:"message,omitempty"`
	Actor     string      `json:"actor"` // who or what asked: a person's name, or "auto-promotion"
	CreatedAt time.Time   `json:"createdAt"`
	// FinishedAt is zero until Phase is terminal.
	FinishedAt time.Time `json:"finishedAt,omitzero"`
	// Base is the commit of the target branch that Head was made on.
	Base   Commit `json:"base"`
	Source Commit `json:"source,omitempty"` // the commit that the pipeline was read at; empty: Base
	Branch Branch `json:"branch"`           // where it is proposed
	Target Branch `json:"target"`           // where it is to be merged
	Head   Commit `json:"head"`             // the proposed commit; empty when the steps changed nothing
	// Shown is the digest of what people see of Head, for a shared change of all of it; empty: nobody can tell.
	Shown  string `json:"shown,omitempty"`
	Change int    `json:"change,omitempty"`
	URL    string `json:"url,omitempty"` // of the change
	// Title, Text and Labels are the change's, when the task says them.
	Title  string   `json:"title,omitempty"`
	Text   string   `json:"text,omitempty"`
	Labels []string `json:"labels,omitempty"`
	Merged Commit   `json:"merged,omitempty"`
	// MergedAt is when it came onto the target branch and replaced what the stage ran; zero: DeliveringSince.
	MergedAt time.Time `json:"mergedAt,omitzero"`
	// AutoMerge has the change merged once every gate passes, because a step of the task says so.
	AutoMerge bool `json:"autoMerge,omitempty"`
	// Queued is how often the forge let Head into a queue of its own: it took it out again each time but the last.
	Queued int `json:"queued,omitempty"`
	// With are the stages whose promotions share the change, this one among them; empty when it has one of its own.
	With []StageRef `json:"with,omitempty"`
	// Waits is what the last step that has begun waits for.
	Waits Waits `json:"waits,omitempty"`
	// Until is when a step that waits for approval or for a merge has waited long enough; zero: it waits for ever.
	Until time.Time `json:"until,omitzero"`
	// Approvals is how many approvals the steps knew of when they ran last.
	Approvals int `json:"approvals,omitempty"`
	// DeliveringSince is when the steps after the merge began.
	DeliveringSince time.Time `json:"deliveringSince,omitzero"`
	// Moves are the values that the steps changed.
	Moves []Move `json:"moves,omitempty"`
	// Vars and Steps are frozen when the promotion begins, so that any process can resume it.
	Vars    []Var        `json:"vars,omitempty"`
	Steps   []Step       `json:"steps"`
	Results []StepResult `json:"results,omitempty"` // of the steps that have begun, in order
}

// Ref returns the name of the promotion across projects.
func (p Promotion) Ref() PromotionRef { return PromotionRef{p.Stage, p.ID} }

// replacing is when the promotion began to replace what its stage ran; zero when it did not.
func (p Promotion) replacing() time.Time {
	if p.MergedAt.IsZero() {
		return p.DeliveringSince
	}
	return p.MergedAt
}

// label names the promotion's freight for people, also when the ledger lost it.
func (p Promotion) label(freight Freight) string { return orElse(freight.Label(), p.Freight.Short()) }

// Waits is what a promotion waits for, beside the gates.
type Waits string

// What a promotion may wait for.
const (
	WaitsNothing  Waits = ""
	WaitsChange   Waits = "change"   // its change has to be opened
	WaitsMerge    Waits = "merge"    // its change has to be merged
	WaitsTime     Waits = "time"     // a step looks again after a while
	WaitsApproval Waits = "approval" // a person has to approve
	WaitsDelivery Waits = "delivery" // applications have to be synced and healthy
)

// StepResult is what became of one step.
type StepResult struct {
	As      string          `json:"as"`
	Uses    string          `json:"uses,omitempty"`
	Status  StepStatus      `json:"status"`
	Output  json.RawMessage `json:"output,omitempty"`
	Message string          `json:"message,omitempty"`
	// Since is when a step that waits began, Errors how often in a row it could not be carried out, State what it has to
	// know when it goes on.
	Since  time.Time       `json:"since,omitzero"`
	Errors int             `json:"errors,omitempty"`
	State  json.RawMessage `json:"state,omitempty"`
}

// StepStatus is the outcome of a step (Kargo's words).
type StepStatus string

// The outcomes of a step.
const (
	StepRunning   StepStatus = "Running" // suspended: waits for a change or a delivery
	StepSucceeded StepStatus = "Succeeded"
	StepSkipped   StepStatus = "Skipped"
	StepFailed    StepStatus = "Failed"  // it cannot succeed
	StepErrored   StepStatus = "Errored" // it could not be carried out
)

// Move is one value that a promotion changes.
type Move struct {
	File   string `json:"file"`
	Key    string `json:"key"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Phase is where a promotion is in its life.
type Phase string

// The phases. The last three are terminal.
const (
	PhasePreparing  Phase = "Preparing"  // a step before the change waits
	PhaseProposed   Phase = "Proposed"   // its change is open, or about to be
	PhaseDelivering Phase = "Delivering" // it is on the target branch; the remaining steps run
	PhaseSucceeded  Phase = "Succeeded"
	PhaseFailed     Phase = "Failed"
	PhaseAborted    Phase = "Aborted" // superseded by newer freight
)

// Terminal reports whether nothing more will happen to the promotion.
func (p Phase) Terminal() bool {
	return p == PhaseSucceeded || p == PhaseFailed || p == PhaseAborted
}

// Verification is the record that a freight runs well in a stage.
type Verification struct {
	Stage      StageRef    `json:"stage"`
	Freight    FreightID   `json:"freight"`
	Promotion  PromotionID `json:"promotion"`
	Commit     Commit      `json:"commit"` // what Argo CD was synced to
	VerifiedAt time.Time   `json:"verifiedAt"`
	Message    string      `json:"message,omitempty"`
}

// Hold keeps a stage as it is until a person resumes it.
type Hold struct {
	Stage StageRef `json:"stage"`
	// Warehouse limits the hold to the automatic promotion of that warehouse's freight: a person chose other freight than
	// the newest (Kargo: auto-promotion holds). Empty: nothing at all is proposed or merged.
	Warehouse string    `json:"warehouse,omitempty"`
	By        string    `json:"by"`
	Reason    string    `json:"reason,omitempty"`
	At        time.Time `json:"at"`
}

// scope names what is held.
func (h Hold) scope() string {
	if h.Warehouse == "" {
		return h.Stage.String()
	}
	return "freight of " + h.Warehouse + " for " + h.Stage.String()
}

// Request is a person's wish to promote a freight to a stage.
type Request struct {
	Key     string    `json:"key"` // of the comment or call that asked; the same key is the same request
	Stage   StageRef  `json:"stage"`
	Freight FreightID `json:"freight"`
	By      string    `json:"by"`
	At      time.Time `json:"at"` // when it was said; decides which of two requests is the newer one and nothing else
	// Merge is the open promotion that is to be merged as soon as every gate passes. Empty: a new promotion is wanted.
	Merge PromotionID `json:"merge,omitempty"`
	// Head is the head that Merge was asked for: the wish is for what the person saw.
	Head Commit `json:"head,omitempty"`
	// Shown is what the person saw of Head (Promotion.Shown): the wish outlasts that Merge is made again with the same to see. Empty:
	// it is for Head and for no other commit.
	Shown string `json:"shown,omitempty"`
	// After is the number of the stage's newest promotion when it was asked, 0 when there was none. A later promotion of the
	// freight fulfills the request. Clocks decide nothing here: the forge's is not ours.
	After int `json:"after,omitempty"`
}

// History is what the ledger says.
type History struct {
	Freights      []Freight
	Promotions    []Promotion
	Verifications []Verification
	Holds         []Hold
	Requests      []Request
	Approvals     []Approval
	Rejections    []Rejection
	Metadata      []Metadata
}

// MetadataOf returns the metadata of a freight or a stage.
func (h History) MetadataOf(kind MetadataKind, project, name string) (Metadata, bool) {
	i := slices.IndexFunc(h.Metadata, func(m Metadata) bool { return m.Kind == kind && m.Project == project && m.Name == name })
	if i < 0 {
		return Metadata{}, false
	}
	return h.Metadata[i], true
}

// MetadataIn returns all metadata of a project.
func (h History) MetadataIn(project string) []Metadata {
	return keep(h.Metadata, func(m Metadata) bool { return m.Project == project })
}

// ApprovedFor returns who approved a freight for a stage, oldest first.
func (h History) ApprovedFor(stage StageRef, freight FreightID) []Approval {
	var found []Approval
	for _, a := range h.Approvals {
		if a.Stage == stage && a.Freight == freight {
			found = append(found, a)
		}
	}
	return found
}

// Freight returns the freight of that ID in a project.
func (h History) Freight(project string, id FreightID) (Freight, bool) {
	i := slices.IndexFunc(h.Freights, func(f Freight) bool { return f.Project == project && f.ID == id })
	if i < 0 {
		return Freight{}, false
	}
	return h.Freights[i], true
}

// Promotion returns the promotion of that stage and ID.
func (h History) Promotion(stage StageRef, id PromotionID) (Promotion, bool) {
	i := slices.IndexFunc(h.Promotions, func(p Promotion) bool { return p.Stage == stage && p.ID == id })
	if i < 0 {
		return Promotion{}, false
	}
	return h.Promotions[i], true
}

// Active returns the promotion of a stage that is not over yet. There is at most one.
func (h History) Active(stage StageRef) (Promotion, bool) {
	return newest(h.Promotions, func(p Promotion) bool { return p.Stage == stage && !p.Phase.Terminal() })
}

// Verified returns the record that a freight was verified in a stage.
func (h History) Verified(stage StageRef, freight FreightID) (Verification, bool) {
	i := slices.IndexFunc(h.Verifications, func(v Verification) bool { return v.Stage == stage && v.Freight == freight })
	if i < 0 {
		return Verification{}, false
	}
	return h.Verifications[i], true
}

// Hold returns the hold on a whole stage.
func (h History) Hold(stage StageRef) (Hold, bool) {
	i := slices.IndexFunc(h.Holds, func(hold Hold) bool { return hold.Stage == stage && hold.Warehouse == "" })
	if i < 0 {
		return Hold{}, false
	}
	return h.Holds[i], true
}

func promotionID(stage StageRef, number int, freight FreightID) PromotionID {
	return PromotionID(fmt.Sprintf("%s.%04d.%s", stage.Name, number, freight.Short()))
}

// newest returns the matching promotion of the highest number.
func newest(promotions []Promotion, match func(Promotion) bool) (Promotion, bool) {
	best := -1
	for i, p := range promotions {
		if match(p) && (best < 0 || p.Number > promotions[best].Number) {
			best = i
		}
	}
	if best < 0 {
		return Promotion{}, false
	}
	return promotions[best], true
}

// Approval is a person's word that a freight may enter a stage, whatever its upstream stages say (Kargo: approvedFor).
type Approval struct {
	Key     string    `json:"key"` // of the comment or call that approved; the same key is the same approval
	Stage   StageRef  `json:"stage"`
	Freight FreightID `json:"freight"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason,omitempty"`
}

// Claimed reports whether an approval came with a run: of who started that is known what its variables say.
func (a Approval) Claimed() bool { return strings.HasPrefix(a.Key, "run-") }

// Rejection is the word that a freight is bad: it is never promoted again by itself, to no stage of its project.
type Rejection struct {
	Project string    `json:"project"`
	Freight FreightID `json:"freight"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason,omitempty"`
}

// MetadataKind says whose a Metadata record is.
type MetadataKind string

// What may have metadata.
const (
	MetadataFreight MetadataKind = "Freight"
	MetadataStage   MetadataKind = "Stage"
)

// Metadata are values that promotions keep with a freight or a stage, and read again later (Kargo: set-metadata).
type Metadata struct {
	Kind    MetadataKind               `json:"of"`
	Project string                     `json:"project"`
	Name    string                     `json:"name"` // the stage's name, or the freight's ID
	Values  map[string]json.RawMessage `json:"values"`
}
