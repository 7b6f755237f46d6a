package argocd

import (
	"strings"
	"time"
)

// InfoPromotion is the info item that carries a promotion's ID on an operation.
const InfoPromotion = "lockkeeper.io/promotion"

const refreshAnnotation = "argocd.argoproj.io/refresh"

// A Ref names an application.
type Ref struct {
	Name      string // required
	Namespace string // empty means Argo CD's own
	Project   string // Argo CD's AppProject; empty means unknown, and then Argo CD does not tell missing from forbidden
}

// String is namespace/name, or the name alone.
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Name
	}
	return r.Namespace + "/" + r.Name
}

// A SyncStatus is the result of comparing the cluster with the sources.
type SyncStatus string

// Argo CD: pkg/apis/application/v1alpha1/types.go.
const (
	SyncUnknown SyncStatus = "Unknown"
	Synced      SyncStatus = "Synced"
	OutOfSync   SyncStatus = "OutOfSync"
)

// A HealthStatus is the worst health of an application's resources.
type HealthStatus string

// Argo CD: gitops-engine/pkg/health/health.go.
const (
	HealthUnknown     HealthStatus = "Unknown"
	HealthProgressing HealthStatus = "Progressing"
	Healthy           HealthStatus = "Healthy"
	Suspended         HealthStatus = "Suspended"
	Degraded          HealthStatus = "Degraded"
	Missing           HealthStatus = "Missing"
)

// A Phase is how far an operation is.
type Phase string

// Argo CD: gitops-engine/pkg/sync/common/types.go.
const (
	PhaseRunning     Phase = "Running"
	PhaseTerminating Phase = "Terminating"
	PhaseFailed      Phase = "Failed"
	PhaseError       Phase = "Error"
	PhaseSucceeded   Phase = "Succeeded"
)

// Conditions that mean that Argo CD cannot say what the application should be.
const (
	ConditionComparisonError  = "ComparisonError"
	ConditionInvalidSpecError = "InvalidSpecError"
)

// An Application is what one observation of an Argo CD Application says. Times are zero when Argo CD has none.
type Application struct {
	Declaration
	Sync         Sync
	Health       Health
	Operation    Operation
	History      []Deployment // oldest first
	ReconciledAt time.Time    // when it was last compared with its sources
	Conditions   []Condition
}

// A Declaration is what an Application asks for.
type Declaration struct {
	Ref
	Labels      map[string]string
	Annotations map[string]string
	AutoSync    bool     // automated sync is on
	MultiSource bool     // it uses spec.sources
	Sources     []Source // one, or several when MultiSource
	Deleting    bool
}

// A Summary is what a list says of an application.
type Summary struct {
	Declaration
	Sync   SyncStatus
	Health Health
}

// A Source is where manifests come from.
type Source struct {
	RepoURL        string
	Path           string
	Chart          string // empty means Git
	TargetRevision string // the branch, tag, commit or version that is tracked
}

// Sync is the last comparison. Revisions has one entry per source.
type Sync struct {
	Status    SyncStatus
	Revisions []string
}

// Health is the application's health and since when it has been so.
type Health struct {
	Status  HealthStatus
	Message string
	Since   time.Time // zero with older versions of Argo CD
}

// An Operation is the running operation or, when none runs, the last one.
type Operation struct {
	InProgress bool   // requested or running
	Phase      Phase  // empty when there is none, or none has begun
	Message    string // Argo CD's words
	StartedAt  time.Time
	FinishedAt time.Time
	Revisions  []string // one per source: what it applied; until that is known, what was asked for
	Infos      map[string]string
	By         string // who asked for it; "automated sync" for Argo CD itself
	DryRun     bool
}

// A Deployment is an entry of the application's history.
type Deployment struct {
	At        time.Time
	Revisions []string // one per source
}

// A Condition is something that Argo CD wants to be known.
type Condition struct {
	Type    string
	Message string
	Since   time.Time
}

// RefreshPending says that a refresh was asked for and the controller has not come to it.
func (a Declaration) RefreshPending() bool { return a.Annotations[refreshAnnotation] != "" }

// Tracks lists the target revisions, for messages: "main", or "main, 1.2.3".
func (a Declaration) Tracks() string {
	var tracked []string
	for _, source := range a.Sources {
		revision := source.TargetRevision
		if revision == "" {
			revision = "HEAD"
		}
		tracked = append(tracked, revision)
	}
	return strings.Join(tracked, ", ")
}

// Short abbreviates commits for messages.
func short(revision string) string {
	const abbreviated, sha1, sha256 = 8, 40, 64
	if len(revision) == sha1 || len(revision) == sha256 {
		return revision[:abbreviated]
	}
	return revision
}
