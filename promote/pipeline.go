package promote

import (
	"encoding/json"
	"slices"
	"time"
)

// Pipeline is everything one Project declares.
type Pipeline struct {
	Project    string
	Declared   bool     // a Project manifest exists; without one Kargo promotes nothing
	Position   Position // of the Project manifest; of the first manifest of the namespace when there is none
	Warehouses []Warehouse
	Stages     []Stage
	Policies   []Policy
}

// Warehouse returns the warehouse of that name.
func (p Pipeline) Warehouse(name string) (Warehouse, bool) {
	i := slices.IndexFunc(p.Warehouses, func(w Warehouse) bool { return w.Name == name })
	if i < 0 {
		return Warehouse{}, false
	}
	return p.Warehouses[i], true
}

// Stage returns the stage of that name.
func (p Pipeline) Stage(name string) (Stage, bool) {
	i := slices.IndexFunc(p.Stages, func(s Stage) bool { return s.Name == name })
	if i < 0 {
		return Stage{}, false
	}
	return p.Stages[i], true
}

// Downstream returns the stages that take freight from the named one, in the order of the pipeline.
func (p Pipeline) Downstream(name string) []Stage {
	declared := name
	if s, ok := p.Stage(name); ok {
		declared = s.Declared()
	}
	var out []Stage
	for _, s := range p.Stages {
		if slices.ContainsFunc(s.Requests, func(r FreightRequest) bool {
			return slices.Contains(r.Stages, name) || slices.Contains(r.Stages, declared)
		}) {
			out = append(out, s)
		}
	}
	return out
}

// AutoPromoted reports whether a policy lets freight enter the stage without a person asking. The first policy that
// matches decides; none means no (Kargo: pkg/api/auto_promotion.go).
func (p Pipeline) AutoPromoted(stage Stage) bool {
	for _, policy := range p.Policies {
		if policy.Stage == stage.Declared() {
			return policy.AutoPromotion
		}
	}
	return false
}

// Policy is one promotion policy of a Project or ProjectConfig.
type Policy struct {
	Stage         string // exact name
	AutoPromotion bool
	AutoRollback  AutoRollback
	Position      Position
}

// AutoRollback says after which failures the last freight that was verified in a stage is promoted to it again. The zero
// value never rolls back.
type AutoRollback struct {
	Promotion    bool // a promotion failed
	Verification bool // the verification of a promoted freight failed
}

// Warehouse watches artifacts and makes freight of the newest.
type Warehouse struct {
	Name     string
	Interval time.Duration // how often to look without an event
	Manual   bool          // freightCreationPolicy: Manual
	Criteria string        // freightCreationCriteria.expression: freight is made only of what it is true for; empty: of all
	Images   []ImageSubscription
	Git      []GitSubscription
	Charts   []ChartSubscription
	Position Position
}

// complete reports whether there is an artifact for every subscription.
func (w Warehouse) complete(a Artifacts) bool {
	return a.Len() > 0 && len(a.Images) == len(w.Images) && len(a.Commits) == len(w.Git) && len(a.Charts) == len(w.Charts)
}

func (w Warehouse) imageStrategy(repoURL string) Strategy {
	for _, sub := range w.Images {
		if sub.RepoURL == repoURL {
			return sub.Strategy
		}
	}
	return SelectSemVer
}

func (w Warehouse) gitStrategy(repoURL string) Strategy {
	for _, sub := range w.Git {
		if sub.RepoURL == repoURL && sub.Strategy != "" {
			return sub.Strategy
		}
	}
	return SelectNewestFromBranch
}

// Strategy is how a subscription chooses among what it finds. The zero value is SelectSemVer for images and charts, and
// SelectNewestFromBranch for Git.
type Strategy string

// The strategies, by Kargo's names.
const (
	SelectSemVer           Strategy = "SemVer"           // the highest version
	SelectLexical          Strategy = "Lexical"          // the last tag in byte order
	SelectDigest           Strategy = "Digest"           // images: whatever one mutable tag points to
	SelectNewestBuild      Strategy = "NewestBuild"      // images: what was built last
	SelectNewestFromBranch Strategy = "NewestFromBranch" // Git: the last commit of a branch
	SelectNewestTag        Strategy = "NewestTag"        // Git: the tag that was made last
)

// ImageSubscription selects tags of one image repository.
type ImageSubscription struct {
	Name           string // unique in the warehouse; empty when it has none
	RepoURL        string
	Strategy       Strategy
	Constraint     string // SemVer: a Masterminds/semver constraint, empty takes everything, pre-releases included; Digest: the tag
	StrictSemvers  bool   // a tag must be a whole semantic version, with or without "v"
	Allow          []string
	Ignore         []string // regular expressions, unanchored; ignore wins
	Platform       string   // os/arch[/variant]; empty: no filtering
	DiscoveryLimit int      // how many tags to keep
	CacheByTag     bool     // a tag is taken to mean for ever what it meant when it was first read; not for Digest
	SkipTLSVerify  bool
	Position       Position
}

// GitSubscription selects commits of one repository.
type GitSubscription struct {
	Name           string
	RepoURL        string
	Strategy       Strategy
	Branch         string // NewestFromBranch: empty is the remote's default branch
	Constraint     string // SemVer
	StrictSemvers  bool
	Allow          []string // of tags: regular expressions, unanchored; ignore wins
	Ignore         []string
	Filter         string   // expressionFilter: an expression over one commit or tag
	Include        []string // paths: a folder or file, "glob:…" or "regex:…"; empty takes every commit
	Exclude        []string
	Since          time.Time // NewestFromBranch: older commits are not looked at; zero: no limit
	DiscoveryLimit int
	SkipTLSVerify  bool
	Position       Position
}

// ChartSubscription selects versions of one Helm chart.
type ChartSubscription struct {
	Name           string
	RepoURL        string // http(s)://… with Chart, or oci://… without
	Chart          string // the chart's name in an HTTP repository
	Constraint     string
	DiscoveryLimit int
	SkipTLSVerify  bool
	Position       Position
}

// Stage is a place that freight is promoted to.
type Stage struct {
	Name     string
	Labels   map[string]string
	Requests []FreightRequest
	Vars     []Var  // of the stage and its promotion template, in the order of evaluation
	Steps    []Step // tasks already expanded; empty: a control-flow stage
	Verify   []Step // run after Steps, when everything is delivered: the freight is verified once they succeed
	Position Position
	// AutoMerge lets Lockkeeper merge the change by itself once every gate passes.
	AutoMerge bool
	Opening   Opening
	Supersede Supersede
	Group     string // stages of a project with the same group share one change; empty: each has its own
	// Fan is the declared stage that this one is a target of, Target which of its targets, and Wave how fast all of them are
	// promoted to; see Pipeline.FanOut.
	Fan    string
	Target *Target
	Wave   Wave
}

// Opening says how the changes of a stage are opened.
type Opening struct {
	Draft     bool     // nobody can merge it until a person says that it is ready
	Assignees []string // names of people on the forge
	Reviewers []string // names of people, or on GitHub of teams as org/team
}

// Supersede says what becomes of an open promotion when newer freight may take its place.
type Supersede string

// The ways to supersede. What a person asks for never queues.
const (
	SupersedeInPlace Supersede = ""      // the open change is updated
	SupersedeByNew   Supersede = "new"   // the open change is closed, and a new one opened
	SupersedeQueue   Supersede = "queue" // the newer freight waits until the open promotion is over
)

// FreightRequest says whose freight a stage takes and from where.
type FreightRequest struct {
	Warehouse     string
	Direct        bool          // straight from the warehouse
	Stages        []string      // freight verified in one of these stages
	MatchUpstream bool          // auto-promotion takes what the one upstream stage runs, also when that is older
	All           bool          // freight verified in every one of Stages instead
	RequiredSoak  time.Duration // how long the freight must have been in the upstream stage
	Position      Position
}

// Var is one named expression template.
type Var struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Step is one step of a stage, as it will run: tasks are expanded, names are made (Kargo: pkg/api/promotion.go).
type Step struct {
	Uses   string          `json:"uses"`
	As     string          `json:"as"`             // unique in the stage; a task's steps are "<task>::<step>"
	If     string          `json:"if,omitempty"`   // expression template
	Vars   []Var           `json:"vars,omitempty"` // in the order of evaluation
	Config json.RawMessage `json:"config,omitempty"`
	// ContinueOnError keeps a failure of this step from failing the promotion.
	ContinueOnError bool     `json:"continueOnError,omitempty"`
	Timeout         Duration `json:"timeout,omitempty"`        // 0: the step's own default
	ErrorThreshold  int      `json:"errorThreshold,omitempty"` // consecutive errors before giving up; 0 means 1
	Position        Position `json:"-"`
}

// Duration is a time.Duration that reads and writes "5m0s".
type Duration time.Duration

// MarshalText writes the form of time.Duration.String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}
