package expr

import (
	"errors"
	"maps"
	"slices"
)

// What can be wrong with an expression besides its syntax, for errors.Is.
var (
	// ErrUnknownName: a variable, function, output or key that does not exist.
	ErrUnknownName = errors.New("unknown name")
	// ErrNotAvailable: a name of Kargo's language that cannot be used at this place.
	ErrNotAvailable = errors.New("not available")
	// ErrMissing: a function such as imageFrom or secret found nothing, and its result was used.
	ErrMissing = errors.New("nothing found")
	// ErrTooCostly: the expression is too large, too deep or does too much work.
	ErrTooCostly = errors.New("expression beyond bounds")
)

// Env is what an expression may see. The zero value has no values at all, only functions.
type Env struct {
	Ctx         map[string]any            // ctx
	Vars        map[string]any            // vars
	Outputs     map[string]map[string]any // outputs: step alias → outputs
	TaskOutputs map[string]map[string]any // task.outputs; nil outside of a task, where `task` does not exist
	StepMetas   map[string]any            // stepMetas: step alias → metadata; nil where no step has run
	Target      map[string]any            // target: name, params and labels; nil in a stage without targets
	Status      *Status                   // nil where no step has run, as in variables: no status functions

	Images    []Image     // the artifacts of all freight of the promotion; see AddFreight
	Commits   []Commit    //
	Charts    []Chart     //
	Requested []Warehouse // the warehouses that the stage requests freight from

	// What is kept about freight and stages by their names; nil: nothing.
	FreightMetadata func(freight string) (map[string]any, bool)
	FreightStatus   func(freight string) (map[string]any, bool)
	StageMetadata   func(stage string) (map[string]any, bool)

	ConfigMap       Store
	SharedConfigMap Store
	Secret          Store
	SharedSecret    Store
	Used            *Secrets // collects the secrets that are read; required to read any
}

// Origin is what warehouse(name) gives, to be passed to imageFrom.
type Origin struct {
	Kind string `json:"kind,omitempty"` // always "Warehouse"
	Name string `json:"name,omitempty"`
}

// Status is what the status functions report.
type Status struct {
	Task   string            // the alias of the task that the step is in, whose steps are also found by their short alias
	Failed bool              // an earlier step failed or errored and may not be ignored
	Steps  map[string]string // step alias → status, as in Kargo: "Succeeded", "Skipped", "Failed", "Errored" …
}

// of gives the status of a step: of the own task, then of the promotion; empty if there is no such step.
func (s Status) of(alias string) string {
	if status, ok := s.Steps[s.Task+"::"+alias]; ok && s.Task != "" {
		return status
	}
	return s.Steps[alias]
}

// variables gives the top-level names of e and their values.
func (e Env) variables() map[string]any {
	all := map[string]any{"ctx": orEmpty(e.Ctx), "vars": orEmpty(e.Vars), "outputs": widen(e.Outputs)}
	if e.TaskOutputs != nil {
		all["task"] = map[string]any{"outputs": widen(e.TaskOutputs)}
	}
	if e.StepMetas != nil {
		all["stepMetas"] = e.StepMetas
	}
	if e.Target != nil {
		all["target"] = e.Target
	}
	return all
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

func widen(m map[string]map[string]any) map[string]any {
	wide := make(map[string]any, len(m))
	for k, v := range m {
		wide[k] = orEmpty(v)
	}
	return wide
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
