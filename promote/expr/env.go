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
	// ErrNoImage: imageFrom found nothing and its result was used.
	ErrNoImage = errors.New("no such image")
	// ErrTooCostly: the expression is too large, too deep or does too much work.
	ErrTooCostly = errors.New("expression beyond bounds")
)

// Env is what an expression may see. The zero value has no values at all, only functions.
type Env struct {
	Ctx         map[string]any            // ctx
	Vars        map[string]any            // vars
	Outputs     map[string]map[string]any // outputs: step alias → outputs
	TaskOutputs map[string]map[string]any // task.outputs; nil outside of a task, where `task` does not exist
	Images      []Image                   // the images of all freight of the promotion
	Requested   []Warehouse               // the warehouses that the stage requests freight from
	Status      *Status                   // nil where no step has run, as in variables: no status functions
}

// Image is what imageFrom gives. The exported fields are those that an expression can read, except Warehouse.
type Image struct {
	RepoURL     string            `json:"repoURL,omitempty"`
	Tag         string            `json:"tag,omitempty"`
	Digest      string            `json:"digest,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Warehouse   string            `json:"-" expr:"-"` // the warehouse whose freight it belongs to
}

// Warehouse is a requested origin and what it subscribes to.
type Warehouse struct {
	Name       string
	ImageRepos []string
}

// Origin is what warehouse(name) gives, to be passed to imageFrom.
type Origin struct {
	Kind string `json:"kind,omitempty"` // always "Warehouse"
	Name string `json:"name,omitempty"`
}

// Status is what the status functions report.
type Status struct {
	Failed bool              // an earlier step failed or errored and may not be ignored
	Steps  map[string]string // step alias → status, as in Kargo: "Succeeded", "Skipped", "Failed", "Errored" …
}

// variables gives the top-level names of e and their values.
func (e Env) variables() map[string]any {
	all := map[string]any{"ctx": orEmpty(e.Ctx), "vars": orEmpty(e.Vars), "outputs": widen(e.Outputs)}
	if e.TaskOutputs != nil {
		all["task"] = map[string]any{"outputs": widen(e.TaskOutputs)}
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
