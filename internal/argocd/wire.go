package argocd

import (
	"slices"
	"time"
)

// listMask is what List reads. List answers hold what the server has a name for in a fixed list, and leave out the rest
// without a word: whole specs, and of the status neither revisions nor times nor conditions. Answers about a single
// application know no mask. (Argo CD: pkg/apiclient/application/forwarder_overwrite.go.)
const listMask = "items.metadata.name,items.metadata.namespace,items.metadata.labels,items.metadata.annotations," +
	"items.metadata.deletionTimestamp,items.spec,items.status.sync.status,items.status.health"

// wireApplication and its parts are v1alpha1.Application as far as it is read here.
type wireApplication struct {
	Metadata struct {
		Name              string            `json:"name"`
		Namespace         string            `json:"namespace"`
		Labels            map[string]string `json:"labels"`
		Annotations       map[string]string `json:"annotations"`
		DeletionTimestamp *time.Time        `json:"deletionTimestamp"`
	} `json:"metadata"`
	Spec struct {
		Project    string       `json:"project"`
		Source     *wireSource  `json:"source"`
		Sources    []wireSource `json:"sources"`
		SyncPolicy *struct {
			Automated *struct {
				Enabled *bool `json:"enabled"`
			} `json:"automated"`
		} `json:"syncPolicy"`
	} `json:"spec"`
	Operation *wireOperation `json:"operation"`
	Status    struct {
		Sync struct {
			Status SyncStatus `json:"status"`
			wireRevisions
		} `json:"sync"`
		Health struct {
			Status             HealthStatus `json:"status"`
			Message            string       `json:"message"`
			LastTransitionTime time.Time    `json:"lastTransitionTime"`
		} `json:"health"`
		History []struct {
			DeployedAt time.Time `json:"deployedAt"`
			wireRevisions
		} `json:"history"`
		ReconciledAt time.Time `json:"reconciledAt"`
		Conditions   []struct {
			Type               string    `json:"type"`
			Message            string    `json:"message"`
			LastTransitionTime time.Time `json:"lastTransitionTime"`
		} `json:"conditions"`
		OperationState *wireOperationState `json:"operationState"`
	} `json:"status"`
}

type wireSource struct {
	RepoURL        string `json:"repoURL"`
	Path           string `json:"path"`
	Chart          string `json:"chart"`
	TargetRevision string `json:"targetRevision"`
}

// wireRevisions is how Argo CD writes revisions: the one of a single source, or one per source.
type wireRevisions struct {
	Revision  string   `json:"revision"`
	Revisions []string `json:"revisions"`
}

type wireInfo struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type wireOperation struct {
	Info        []wireInfo `json:"info"`
	InitiatedBy struct {
		Username  string `json:"username"`
		Automated bool   `json:"automated"`
	} `json:"initiatedBy"`
	Sync *struct {
		wireRevisions
		DryRun bool `json:"dryRun"`
	} `json:"sync"`
}

type wireOperationState struct {
	Operation  wireOperation  `json:"operation"`
	Phase      Phase          `json:"phase"`
	Message    string         `json:"message"`
	StartedAt  time.Time      `json:"startedAt"`
	FinishedAt time.Time      `json:"finishedAt"`
	SyncResult *wireRevisions `json:"syncResult"`
}

func (r wireRevisions) list() []string {
	if len(r.Revisions) > 0 {
		return r.Revisions
	}
	if r.Revision != "" {
		return []string{r.Revision}
	}
	return nil
}

func (w wireApplication) application() Application {
	app := Application{
		Declaration:  w.declaration(),
		Sync:         Sync{Status: w.Status.Sync.Status, Revisions: w.Status.Sync.list()},
		Health:       w.health(),
		Operation:    w.operation(),
		ReconciledAt: w.Status.ReconciledAt,
	}
	for _, entry := range w.Status.History {
		app.History = append(app.History, Deployment{At: entry.DeployedAt, Revisions: entry.list()})
	}
	for _, condition := range w.Status.Conditions {
		app.Conditions = append(app.Conditions, Condition{Type: condition.Type, Message: condition.Message, Since: condition.LastTransitionTime})
	}
	return app
}

func (w wireApplication) summary() Summary {
	return Summary{Declaration: w.declaration(), Sync: w.Status.Sync.Status, Health: w.health()}
}

func (w wireApplication) health() Health {
	health := w.Status.Health
	return Health{Status: health.Status, Message: health.Message, Since: health.LastTransitionTime}
}

func (w wireApplication) declaration() Declaration {
	app := Declaration{
		Ref:         Ref{Name: w.Metadata.Name, Namespace: w.Metadata.Namespace, Project: w.Spec.Project},
		Labels:      w.Metadata.Labels,
		Annotations: w.Metadata.Annotations,
		Deleting:    w.Metadata.DeletionTimestamp != nil,
		MultiSource: len(w.Spec.Sources) > 0,
	}
	if policy := w.Spec.SyncPolicy; policy != nil && policy.Automated != nil {
		app.AutoSync = policy.Automated.Enabled == nil || *policy.Automated.Enabled
	}
	sources := w.Spec.Sources
	if len(sources) == 0 && w.Spec.Source != nil {
		sources = []wireSource{*w.Spec.Source}
	}
	for _, source := range sources {
		app.Sources = append(app.Sources, Source(source))
	}
	return app
}

// operation merges the requested operation and the state of the running or last one. A request that the controller has not
// taken up counts for more than a state that has ended: that state is another operation's.
func (w wireApplication) operation() Operation {
	state := w.Status.OperationState
	if w.Operation != nil && (state == nil || !state.FinishedAt.IsZero()) {
		asked := w.Operation.operation()
		asked.InProgress = true
		return asked
	}
	if state == nil {
		return Operation{}
	}
	op := state.Operation.operation()
	op.InProgress = w.Operation != nil || state.FinishedAt.IsZero()
	op.Phase, op.Message = state.Phase, state.Message
	op.StartedAt, op.FinishedAt = state.StartedAt, state.FinishedAt
	if state.SyncResult != nil {
		if applied := state.SyncResult.list(); slices.ContainsFunc(applied, func(r string) bool { return r != "" }) {
			op.Revisions = applied
		}
	}
	return op
}

func (w wireOperation) operation() Operation {
	op := Operation{By: w.InitiatedBy.Username}
	if w.InitiatedBy.Automated && op.By == "" {
		op.By = "automated sync"
	}
	if len(w.Info) > 0 {
		op.Infos = make(map[string]string, len(w.Info))
	}
	for _, info := range w.Info {
		op.Infos[info.Name] = info.Value
	}
	if w.Sync != nil {
		op.Revisions, op.DryRun = w.Sync.list(), w.Sync.DryRun
	}
	return op
}
