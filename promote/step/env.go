package step

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
)

// env is what the expressions of a step may see (Kargo: promotion variables first, then the step's).
func (r *run) env(step promote.Step) (expr.Env, error) {
	env := expr.Env{
		Ctx: r.ctx(step), Vars: map[string]any{}, Outputs: r.outputs, StepMetas: r.stepMetas(), Target: r.target(),
		FreightMetadata: r.freightMetadata, FreightStatus: r.freightStatus, StageMetadata: r.stageMetadata, Used: r.secrets,
		ConfigMap: r.store(r.World.ConfigMaps, "configMaps", false), SharedConfigMap: r.store(r.World.ConfigMaps, "configMaps", true),
		Secret: r.store(r.World.Secrets, "secrets", false), SharedSecret: r.store(r.World.Secrets, "secrets", true),
	}
	for _, freight := range r.Freights {
		env.AddFreight(freight.Warehouse, freight.Artifacts)
	}
	for _, w := range r.Warehouses {
		env.Requested = append(env.Requested, expr.RequestOf(w))
	}
	if task, _, found := strings.Cut(step.As, "::"); found {
		env.TaskOutputs = r.taskOutputs(task)
	}
	for _, v := range slices.Concat(r.Promotion.Vars, step.Vars) {
		value, err := expr.Eval(v.Value, env)
		if err != nil {
			return env, fmt.Errorf("var %q: %w", v.Name, err)
		}
		env.Vars[v.Name] = lossless(value)
	}
	env.Status = r.status(step) // of if and config; variables cannot ask for it
	return env, nil
}

// evaluated is the configuration of a step as its expressions make it.
func (r *run) evaluated(step promote.Step) (config, error) {
	env, err := r.env(step)
	if err != nil {
		return config{}, err
	}
	return evaluate(step.Config, env)
}

// lossless keeps the text of a variable when its typed form would print differently: 1.10 must not become 1.1.
func lossless(value expr.Value) any {
	if value.WasRetyped() && fmt.Sprint(value.Any()) != value.Text() {
		return value.Text()
	}
	return value.Any()
}

func (r *run) ctx(step promote.Step) map[string]any {
	target := map[string]any{"name": string(r.Promotion.Freight), "alias": "", "origin": map[string]any{"name": ""}}
	if len(r.Freights) > 0 {
		target["origin"] = map[string]any{"kind": "Warehouse", "name": r.Freights[0].Warehouse}
		target["alias"] = cmp.Or(r.result.Alias, r.Freights[0].Alias)
	}
	return map[string]any{
		"project": r.Promotion.Stage.Project, "stage": r.Promotion.Stage.Name, "promotion": string(r.Promotion.ID),
		"uiBaseUrl": r.World.URL, "targetFreight": target,
		"meta": map[string]any{
			"promotion": map[string]any{"actor": r.Promotion.Actor, "rollback": r.Promotion.Actor == promote.AutoRollbackActor},
			"step":      map[string]any{"alias": step.As},
		},
	}
}

// target is the place that the stage is promoted to, when it is one of several; nil when it is not.
func (r *run) target() map[string]any {
	if r.Target == nil {
		return nil
	}
	return TargetValues(*r.Target)
}

// TargetValues are what expressions see of a target.
func TargetValues(t promote.Target) map[string]any {
	return map[string]any{"name": t.Name, "labels": anyMap(t.Labels), "params": anyMap(t.Params)}
}

func anyMap(texts map[string]string) map[string]any {
	out := make(map[string]any, len(texts))
	for key, text := range texts {
		out[key] = text
	}
	return out
}

// store is what the server's configuration holds under names of the project, or under shared ones.
func (r *run) store(lookup func(project, name string, shared bool) (map[string]string, bool), kind string, shared bool) expr.Store {
	place := kind + " with project: " + r.Promotion.Stage.Project
	if shared {
		place = kind + " with shared: true"
	}
	store := expr.Store{Place: place}
	if lookup != nil {
		store.Lookup = func(name string) (map[string]string, bool) { return lookup(r.Promotion.Stage.Project, name, shared) }
	}
	return store
}

// freightMetadata are the values kept with a freight, by its ID or alias, with those that this run sets.
func (r *run) freightMetadata(name string) (map[string]any, bool) {
	for _, freight := range r.Freights {
		if name != "" && freight.Alias == name {
			name = string(freight.ID)
		}
	}
	return r.metadata(promote.MetadataFreight, name)
}

// freightStatus is what became of a freight so far, by its ID or alias.
func (r *run) freightStatus(name string) (map[string]any, bool) {
	if r.Status == nil {
		return nil, false
	}
	return r.Status(name)
}

// stageMetadata are the values kept with a stage of the project.
func (r *run) stageMetadata(name string) (map[string]any, bool) {
	return r.metadata(promote.MetadataStage, name)
}

func (r *run) metadata(kind promote.MetadataKind, name string) (map[string]any, bool) {
	values := map[string]any{}
	found := false
	for _, m := range slices.Concat(r.Metadata, r.result.Metadata) {
		if m.Kind != kind || m.Name != name {
			continue
		}
		found = true
		for key, raw := range m.Values {
			var value any
			if json.Unmarshal(raw, &value) == nil { // what is in the ledger was JSON
				values[key] = value
			}
		}
	}
	return values, found
}

func (r *run) taskOutputs(task string) map[string]map[string]any {
	outputs := map[string]map[string]any{}
	for as, output := range r.outputs {
		if rest, found := strings.CutPrefix(as, task+"::"); found {
			outputs[rest] = output
		}
	}
	return outputs
}

// stepMetas are what is known of the steps before (Kargo: StepExecutionMetadata).
func (r *run) stepMetas() map[string]any {
	metas := map[string]any{}
	for _, result := range r.result.Results {
		i := slices.IndexFunc(r.Promotion.Steps, func(s promote.Step) bool { return s.As == result.As })
		metas[result.As] = map[string]any{
			"alias": result.As, "status": string(result.Status), "message": result.Message, "errorCount": result.Errors,
			"continueOnError": i >= 0 && r.Promotion.Steps[i].ContinueOnError,
		}
	}
	return metas
}

func (r *run) status(step promote.Step) *expr.Status {
	status := &expr.Status{Failed: r.failed, Steps: map[string]string{}}
	if task, _, found := strings.Cut(step.As, "::"); found {
		status.Task = task
	}
	for _, result := range r.result.Results {
		status.Steps[result.As] = string(result.Status)
	}
	return status
}
