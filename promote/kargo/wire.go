package kargo

import (
	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// The structs of this file are what the manifests hold, key by key, old spellings included. A yaml.Node is a value that is
// looked at by hand, or only for its presence.

type projectManifest struct {
	manifest.Envelope
	Spec struct {
		PromotionPolicies []policy `json:"promotionPolicies"` // up to Kargo 1.6
	} `json:"spec"`
}

type projectConfigManifest struct {
	manifest.Envelope
	Spec struct {
		PromotionPolicies []policy  `json:"promotionPolicies"`
		PromotionWindows  yaml.Node `json:"promotionWindows"`
		WebhookReceivers  yaml.Node `json:"webhookReceivers"`
		FreightLinks      yaml.Node `json:"freightLinks"`
		StageLinks        yaml.Node `json:"stageLinks"`
	} `json:"spec"`
}

type policy struct {
	Stage                string         `json:"stage"` // exact name
	StageSelector        *stageSelector `json:"stageSelector"`
	AutoPromotionEnabled bool           `json:"autoPromotionEnabled"`
	AutoRollback         *autoRollback  `json:"autoRollback"`
}

// autoRollback lists the phases after which to roll back.
type autoRollback struct {
	OnPromotion    []string `json:"onPromotion"`
	OnVerification []string `json:"onVerification"`
}

type stageSelector struct {
	Name             string             `json:"name"`
	MatchLabels      map[string]string  `json:"matchLabels"`
	MatchExpressions []labelRequirement `json:"matchExpressions"`
}

type labelRequirement struct {
	Key      string   `json:"key"`
	Operator string   `json:"operator"`
	Values   []string `json:"values"`
}

type warehouseManifest struct {
	manifest.Envelope
	Spec struct {
		Shard                   string `json:"shard"`
		Interval                string `json:"interval"`
		FreightCreationPolicy   string `json:"freightCreationPolicy"`
		FreightCreationCriteria struct {
			Expression string `json:"expression"`
		} `json:"freightCreationCriteria"`
		Subscriptions []subscription `json:"subscriptions"`
	} `json:"spec"`
}

// subscription holds one of image, git and chart.
type subscription struct {
	Name  string             `json:"name"`
	Image *imageSubscription `json:"image"`
	Git   *gitSubscription   `json:"git"`
	Chart *chartSubscription `json:"chart"`
}

type imageSubscription struct {
	RepoURL                string `json:"repoURL"`
	GitRepoURL             string `json:"gitRepoURL"` // up to Kargo 1.4; never had an effect on selection
	ImageSelectionStrategy string `json:"imageSelectionStrategy"`
	Constraint             string `json:"constraint"`
	SemverConstraint       string `json:"semverConstraint"` // up to Kargo 1.8
	tagSelection
	Platform              string `json:"platform"`
	DiscoveryLimit        *int   `json:"discoveryLimit"`
	CacheByTag            bool   `json:"cacheByTag"`
	InsecureSkipTLSVerify bool   `json:"insecureSkipTLSVerify"`
}

// tagSelection is what subscriptions to images and Git repositories share.
type tagSelection struct {
	StrictSemvers     *bool    `json:"strictSemvers"`
	AllowTagsRegexes  []string `json:"allowTagsRegexes"`
	IgnoreTagsRegexes []string `json:"ignoreTagsRegexes"`
	AllowTags         string   `json:"allowTags"`  // up to Kargo 1.10
	IgnoreTags        []string `json:"ignoreTags"` // up to Kargo 1.10
}

type gitSubscription struct {
	RepoURL                 string `json:"repoURL"`
	CommitSelectionStrategy string `json:"commitSelectionStrategy"`
	Branch                  string `json:"branch"`
	SemverConstraint        string `json:"semverConstraint"`
	tagSelection
	ExpressionFilter      string   `json:"expressionFilter"`
	IncludePaths          []string `json:"includePaths"`
	ExcludePaths          []string `json:"excludePaths"`
	Since                 string   `json:"since"`
	DiscoveryLimit        *int     `json:"discoveryLimit"`
	Blobless              bool     `json:"blobless"` // only what is read is fetched anyway
	InsecureSkipTLSVerify bool     `json:"insecureSkipTLSVerify"`
}

type chartSubscription struct {
	RepoURL               string `json:"repoURL"`
	Name                  string `json:"name"`
	SemverConstraint      string `json:"semverConstraint"`
	DiscoveryLimit        *int   `json:"discoveryLimit"`
	InsecureSkipTLSVerify bool   `json:"insecureSkipTLSVerify"`
}

type stageManifest struct {
	manifest.Envelope
	Spec struct {
		Shard               string             `json:"shard"`
		Vars                []variable         `json:"vars"`
		RequestedFreight    []freightRequest   `json:"requestedFreight"`
		PromotionTemplate   *promotionTemplate `json:"promotionTemplate"`
		Verification        *verification      `json:"verification"`
		Targets             yaml.Node          `json:"targets"`
		PromotionMechanisms yaml.Node          `json:"promotionMechanisms"` // before Kargo 1.0
		Subscriptions       yaml.Node          `json:"subscriptions"`       // before Kargo 1.0
	} `json:"spec"`
}

type freightRequest struct {
	Origin struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	} `json:"origin"`
	Sources struct {
		Direct               bool     `json:"direct"`
		Stages               []string `json:"stages"`
		RequiredSoakTime     string   `json:"requiredSoakTime"`
		AvailabilityStrategy string   `json:"availabilityStrategy"`
		AutoPromotionOptions *struct {
			SelectionPolicy string `json:"selectionPolicy"`
		} `json:"autoPromotionOptions"`
	} `json:"sources"`
}

type promotionTemplate struct {
	Spec struct {
		Vars  []variable `json:"vars"`
		Steps []step     `json:"steps"`
	} `json:"spec"`
}

type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type step struct {
	Uses            string     `json:"uses"`
	Task            *taskRef   `json:"task"`
	As              string     `json:"as"`
	If              string     `json:"if"`
	ContinueOnError bool       `json:"continueOnError"`
	Retry           *retry     `json:"retry"`
	Vars            []variable `json:"vars"`
	Config          yaml.Node  `json:"config"`
}

type taskRef struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

type retry struct {
	Timeout        string `json:"timeout"`
	ErrorThreshold *int   `json:"errorThreshold"`
}

type taskManifest struct {
	manifest.Envelope
	Spec struct {
		Vars  []variable `json:"vars"`
		Steps []step     `json:"steps"`
	} `json:"spec"`
}
