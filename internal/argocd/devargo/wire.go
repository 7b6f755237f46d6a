package devargo

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/argocd"
)

// The wire types are v1alpha1 as far as it is served. Argo CD keeps times in whole seconds.

type wireList struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Items []wireApplication `json:"items"`
}

type wireApplication struct {
	Metadata  wireMetadata   `json:"metadata"`
	Spec      wireSpec       `json:"spec"`
	Operation *wireOperation `json:"operation,omitempty"`
	Status    wireStatus     `json:"status"`
}

type wireMetadata struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace"`
	UID               string            `json:"uid"`
	ResourceVersion   string            `json:"resourceVersion"`
	Generation        int               `json:"generation"`
	CreationTimestamp time.Time         `json:"creationTimestamp"`
	Labels            map[string]string `json:"labels,omitempty"`
	Annotations       map[string]string `json:"annotations,omitempty"`
}

type wireSpec struct {
	Project     string          `json:"project"`
	Source      *wireSource     `json:"source,omitempty"`
	Sources     []wireSource    `json:"sources,omitempty"`
	Destination wireDestination `json:"destination"`
	SyncPolicy  *wireSyncPolicy `json:"syncPolicy,omitempty"`
}

type wireDestination struct {
	Server    string `json:"server"`
	Namespace string `json:"namespace"`
}

type wireSyncPolicy struct {
	Automated *wireAutomated `json:"automated,omitempty"`
}

type wireAutomated struct {
	Prune bool `json:"prune"`
}

type wireSource struct {
	RepoURL        string `json:"repoURL"`
	Path           string `json:"path,omitempty"`
	TargetRevision string `json:"targetRevision,omitempty"`
}

type wireInfo struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type wireRevisions struct {
	Revision  string   `json:"revision,omitempty"`
	Revisions []string `json:"revisions,omitempty"`
}

type wireOperation struct {
	Info        []wireInfo    `json:"info,omitempty"`
	InitiatedBy wireInitiator `json:"initiatedBy"`
	Sync        wireSync      `json:"sync"`
}

type wireInitiator struct {
	Username  string `json:"username,omitempty"`
	Automated bool   `json:"automated,omitempty"`
}

type wireSync struct {
	wireRevisions
	Prune  bool `json:"prune,omitempty"`
	DryRun bool `json:"dryRun,omitempty"`
}

type wireStatus struct {
	Sync           wireSyncStatus      `json:"sync"`
	Health         wireHealth          `json:"health"`
	History        []wireHistory       `json:"history,omitempty"`
	ReconciledAt   time.Time           `json:"reconciledAt,omitzero"`
	Conditions     []wireCondition     `json:"conditions,omitempty"`
	OperationState *wireOperationState `json:"operationState,omitempty"`
	SourceType     string              `json:"sourceType"`
}

type wireSyncStatus struct {
	Status argocd.SyncStatus `json:"status"`
	wireRevisions
}

type wireHealth struct {
	Status             argocd.HealthStatus `json:"status,omitempty"`
	Message            string              `json:"message,omitempty"`
	LastTransitionTime time.Time           `json:"lastTransitionTime,omitzero"`
}

type wireHistory struct {
	ID              int       `json:"id"`
	DeployStartedAt time.Time `json:"deployStartedAt"`
	DeployedAt      time.Time `json:"deployedAt"`
	wireRevisions
}

type wireCondition struct {
	Type               string    `json:"type"`
	Message            string    `json:"message"`
	LastTransitionTime time.Time `json:"lastTransitionTime"`
}

type wireOperationState struct {
	Operation  wireOperation  `json:"operation"`
	Phase      argocd.Phase   `json:"phase"`
	Message    string         `json:"message,omitempty"`
	StartedAt  time.Time      `json:"startedAt"`
	FinishedAt time.Time      `json:"finishedAt,omitzero"`
	SyncResult *wireRevisions `json:"syncResult,omitempty"`
}

func seconds(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Second)
}

func (st *state) wire() wireApplication {
	app := wireApplication{
		Metadata: wireMetadata{
			Name:              st.app.Name,
			Namespace:         st.app.Namespace,
			UID:               st.uid,
			ResourceVersion:   strconv.Itoa(st.version),
			Generation:        st.version,
			CreationTimestamp: seconds(st.createdAt),
			Labels:            st.app.Labels,
			Annotations:       st.annotations(),
		},
		Spec: st.app.spec(),
		Status: wireStatus{
			Sync:         wireSyncStatus{Status: st.sync, wireRevisions: st.app.revisions(st.compared)},
			Health:       wireHealth{Status: st.health, Message: st.told, LastTransitionTime: seconds(st.healthAt)},
			ReconciledAt: seconds(st.reconciled),
			SourceType:   "Directory",
		},
	}
	if st.requested != nil {
		app.Operation = st.requested.wire(st.app)
	}
	if st.op != nil {
		app.Status.OperationState = st.op.wireState(st.app)
	}
	if st.condition != "" {
		app.Status.Conditions = []wireCondition{{
			Type:               argocd.ConditionComparisonError,
			Message:            st.condition,
			LastTransitionTime: seconds(st.conditionT),
		}}
	}
	const kept = 10 // spec.revisionHistoryLimit's default
	for _, entry := range st.history[max(0, len(st.history)-kept):] {
		app.Status.History = append(app.Status.History, wireHistory{
			ID:              entry.id,
			DeployStartedAt: seconds(entry.started),
			DeployedAt:      seconds(entry.at),
			wireRevisions:   st.app.revisions(entry.revisions),
		})
	}
	return app
}

func (st *state) annotations() map[string]string {
	if st.refresh == "" {
		return st.app.Annotations
	}
	annotations := map[string]string{"argocd.argoproj.io/refresh": st.refresh}
	maps.Copy(annotations, st.app.Annotations)
	return annotations
}

func (a App) spec() wireSpec {
	spec := wireSpec{
		Project:     a.Project,
		Destination: wireDestination{Server: "https://kubernetes.default.svc", Namespace: a.Name},
	}
	sources := make([]wireSource, 0, len(a.Sources))
	for _, source := range a.Sources {
		sources = append(sources, wireSource(source))
	}
	if a.MultiSource {
		spec.Sources = sources
	} else {
		spec.Source = &sources[0]
	}
	if a.AutoSync {
		spec.SyncPolicy = &wireSyncPolicy{Automated: &wireAutomated{Prune: true}}
	}
	return spec
}

func (a App) revisions(revisions []string) wireRevisions {
	if a.MultiSource {
		return wireRevisions{Revisions: slices.Clone(revisions)}
	}
	if len(revisions) == 0 {
		return wireRevisions{}
	}
	return wireRevisions{Revision: revisions[0]}
}

func (op *operation) wire(app App) *wireOperation {
	return &wireOperation{
		Info:        op.infos,
		InitiatedBy: wireInitiator{Username: op.by, Automated: op.automated},
		Sync:        wireSync{wireRevisions: app.revisions(op.asked), Prune: op.prune, DryRun: op.dryRun},
	}
}

func (op *operation) wireState(app App) *wireOperationState {
	result := app.revisions(op.revisions)
	return &wireOperationState{
		Operation:  *op.wire(app),
		Phase:      op.phase,
		Message:    op.message,
		StartedAt:  seconds(op.started),
		FinishedAt: seconds(op.finished),
		SyncResult: &result,
	}
}

type wireTree struct {
	Nodes []wireNode `json:"nodes"`
}

type wireNode struct {
	Group     string      `json:"group,omitempty"`
	Version   string      `json:"version"`
	Kind      string      `json:"kind"`
	Namespace string      `json:"namespace,omitempty"`
	Name      string      `json:"name"`
	UID       string      `json:"uid"`
	Health    *wireHealth `json:"health,omitempty"`
}

func (st *state) tree() wireTree {
	tree := wireTree{Nodes: []wireNode{}}
	for _, resource := range st.app.Resources {
		tree.Nodes = append(tree.Nodes, wireNode{
			Group:     resource.Group,
			Version:   cmp.Or(resource.Version, "v1"),
			Kind:      resource.Kind,
			Namespace: resource.Namespace,
			Name:      resource.Name,
			UID:       st.uid + "-" + resource.Kind + "-" + resource.Name,
			Health:    &wireHealth{Status: st.health, Message: st.told},
		})
	}
	return tree
}
