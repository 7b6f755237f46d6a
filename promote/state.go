package promote

import (
	"slices"
	"time"
)

// State is everything that is known about one repository at one moment. It is a value: Decide does not change it.
type State struct {
	Now         time.Time
	Branch      Branch            // the branch that Argo CD deploys from and changes are merged into
	Head        Commit            // its tip; the pipelines were read at this commit
	Tips        map[Branch]Commit // tips of the proposal branches that exist
	Pipelines   []Pipeline
	Findings    []Finding // of reading the pipelines, applications and definitions at Head
	Discoveries []Discovery
	History     History
	Changes     []Change // the open changes of Lockkeeper, and the last change of each unfinished promotion
	Evidence    map[Commit]Evidence
	Statuses    map[Commit]Status           // our own status, by head; absent: none was ever posted
	Conflicts   map[PromotionRef][]string   // files of a proposal that changed on Branch since; the proposal must be made again
	Deliveries  map[PromotionRef]Delivering // what the last look at Argo CD said
	Lapsed      map[PromotionRef][]string   // who approved another head of the change than the present one
	Commands    []Command
	Rules       []CommandRule // who may command, by the default branch; the first that fits decides
	// Unmade are proposals that could not be made at Head, with the reason; trying again gives the same answer.
	Unmade map[string]string // by ProposalKey
}

// Discovery is the newest of what a warehouse watches.
type Discovery struct {
	Project   string
	Warehouse string
	Artifacts // one for each subscription, in their order; empty when a subscription found nothing
	At        time.Time
	Problem   string // why there is nothing, or why the registry could not be asked
	Withheld  string // why no freight is made of it although everything was found: what freightCreationCriteria said
}

// Delivering is how far a delivery has come.
type Delivering struct {
	Message string
	Next    time.Time // when it is worth looking again
}

// ProposalKey is what a proposal is remembered by when it cannot be made.
func ProposalKey(stage StageRef, freight FreightID) string {
	return stage.String() + "@" + string(freight)
}

// Pipeline returns the pipeline of a project.
func (s State) Pipeline(project string) (Pipeline, bool) {
	i := slices.IndexFunc(s.Pipelines, func(p Pipeline) bool { return p.Project == project })
	if i < 0 {
		return Pipeline{}, false
	}
	return s.Pipelines[i], true
}

// Change returns the change by which a promotion is proposed: the recorded one, else the one from its branch that is open or
// was ended at the proposed head.
func (s State) Change(p Promotion) (Change, bool) {
	if p.Change != 0 {
		i := slices.IndexFunc(s.Changes, func(c Change) bool { return c.Number == p.Change })
		if i < 0 {
			return Change{}, false
		}
		return s.Changes[i], true
	}
	changes := make([]*Change, len(s.Changes))
	for i := range s.Changes {
		changes[i] = &s.Changes[i]
	}
	return proposing(changes, p)
}
