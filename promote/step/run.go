package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
)

// Request is one run of a promotion's steps.
type Request struct {
	Repository Repository          // required
	Promotion  promote.Promotion   // required; steps that have results are not run again
	Freights   []promote.Freight   // required: what is promoted, then what the stage keeps
	Warehouses []promote.Warehouse // required: those that the stage requests
	Change     promote.Change      // the promotion's change, once there is one
	Delivered  *Delivered          // how the applications that the run waits for fared; nil while that is open
	When       time.Time           // required: the time of commits
	Author     git.Signature       // of commits, unless the task names one
}

// Delivered is the end of a delivery.
type Delivered struct {
	Failed  bool
	Message string
}

// Result is how far a run came.
type Result struct {
	Results []promote.StepResult // of every step that has begun; the last one is Running when the run waits
	Wait    Wait
	Push    *Push           // what must be on the forge for the wait to end; nil when there is nothing to push
	Deliver *ApplicationUse // the applications to sync, when Wait is WaitDelivery
	Moves   []promote.Move
	Failed  bool
	Message string // why it failed
}

// Wait is what a run waits for.
type Wait int

// What a run may wait for.
const (
	WaitNothing  Wait = iota // every step is done
	WaitMerge                // the promotion's change has to be opened and merged
	WaitChange               // the promotion's change has to be opened
	WaitDelivery             // applications have to be synced and healthy
)

// Push is a commit to be proposed.
type Push struct {
	Head        promote.Commit
	Base        promote.Commit // Head's parent: the tip that the steps ran on
	Target      promote.Branch // where it is to be merged
	Title       string         // of the change, when the task says one
	Description string         // likewise
	Labels      []string       // likewise
}

// ApplicationUse is what argocd-update asks for.
type ApplicationUse struct {
	Applications []Application
	Timeout      time.Duration // since the delivery began
}

// Application is one Argo CD application to sync.
type Application struct {
	Name      string
	Namespace string         // empty: Argo CD's own
	Revision  promote.Commit // to wait for; empty: whatever the branch has
}

// defaultDeliveryTimeout bounds a delivery whose step names no retry.timeout. It covers the sync and the health after it.
const defaultDeliveryTimeout = 10 * time.Minute

// run is the state of one run.
type run struct {
	Request
	workspace *workspace
	outputs   map[string]map[string]any
	failed    bool
	result    Result
}

// Run goes through the steps until they are done, fail, or wait. A step that fails is in the Result, with a message for a
// person; an error is something unexpected that may be gone next time.
func Run(ctx context.Context, request Request) (Result, error) {
	r := &run{Request: request, workspace: &workspace{repository: request.Repository}, outputs: map[string]map[string]any{}}
	r.result.Moves = slices.Clone(request.Promotion.Moves)
	for i, step := range request.Promotion.Steps {
		if i < len(request.Promotion.Results) && request.Promotion.Results[i].Status != promote.StepRunning {
			err := r.replay(ctx, step, request.Promotion.Results[i])
			if err != nil && (ctx.Err() != nil || outside(err)) {
				return Result{}, err
			}
			if err != nil {
				// What cannot be gone on with now cannot later either: the pipeline or the record changed under it.
				r.failed, r.result.Message = true, "cannot go on: "+err.Error()
				break
			}
			continue
		}
		done, err := r.one(ctx, step)
		if err != nil {
			return Result{}, fmt.Errorf("step %s: %w", label(step), err)
		}
		if !done {
			break
		}
	}
	r.result.Failed = r.failed
	return r.result, nil
}

// label names a step for people.
func label(step promote.Step) string { return fmt.Sprintf("%s (%s)", step.As, step.Uses) }

// replay takes over the result of a step that ran before. Commits that were proposed are now the merged ones.
func (r *run) replay(ctx context.Context, step promote.Step, result promote.StepResult) error {
	r.result.Results = append(r.result.Results, result)
	if result.Status == promote.StepFailed && !step.ContinueOnError {
		r.failed, r.result.Message = true, result.Message
	}
	if err := r.recall(step, result); err != nil {
		return err
	}
	if step.Uses == "git-clone" && result.Status == promote.StepSucceeded {
		return r.replayClone(ctx, step)
	}
	return nil
}

// recall makes the output of a step that ran before known to the steps after it.
func (r *run) recall(step promote.Step, result promote.StepResult) error {
	output := map[string]any{}
	if len(result.Output) > 0 {
		if err := json.Unmarshal(result.Output, &output); err != nil {
			return fmt.Errorf("recorded output of step %s: %w", label(step), err)
		}
	}
	if merged := r.merged(); merged != "" {
		output, _ = rebind(output, string(r.Promotion.Head), string(merged)).(map[string]any)
	}
	r.outputs[step.As] = output
	return nil
}

func (r *run) merged() promote.Commit {
	if r.Promotion.Merged != "" {
		return r.Promotion.Merged
	}
	if r.Change.State == promote.ChangeMerged {
		return r.Change.Merged
	}
	return ""
}

func rebind(v any, old, merged string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = rebind(item, old, merged)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = rebind(item, old, merged)
		}
		return out
	case string:
		if old != "" && v == old {
			return merged
		}
	}
	return v
}

// outcome is what a step did.
type outcome struct {
	status  promote.StepStatus
	output  map[string]any
	message string
}

// errWaiting stops the run without failing it; the run's result says what it waits for.
var errWaiting = errors.New("waiting")

// one runs one step. done is false when the run waits.
func (r *run) one(ctx context.Context, step promote.Step) (done bool, err error) {
	result := promote.StepResult{As: step.As, Status: promote.StepSucceeded}
	out, err := r.attempt(ctx, step)
	switch {
	case errors.Is(err, errWaiting):
		result.Status, result.Message = promote.StepRunning, out.message
		r.result.Results = append(r.result.Results, result)
		return false, nil
	case err != nil && (ctx.Err() != nil || outside(err)):
		return false, err
	case err != nil:
		result.Status, result.Message = promote.StepFailed, err.Error()
		if !step.ContinueOnError {
			r.fail(step, err)
		}
	default:
		result.Status, result.Message = out.status, out.message
	}
	if out.output != nil {
		if result.Output, err = json.Marshal(out.output); err != nil {
			return false, fmt.Errorf("output: %w", err)
		}
	}
	r.outputs[step.As] = out.output
	r.result.Results = append(r.result.Results, result)
	return true, nil
}

// outside reports whether an error is the remote repository's and may be gone next time.
func outside(err error) bool {
	var http *git.HTTPError
	var network net.Error
	return errors.As(err, &http) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, git.ErrUnauthorized) || errors.Is(err, git.ErrMoved)
}

func (r *run) fail(step promote.Step, err error) {
	if r.failed {
		return
	}
	r.failed = true
	where := ""
	if step.Position.File != "" {
		where = step.Position.String() + ": "
	}
	r.result.Message = fmt.Sprintf("%sstep %s: %v", where, label(step), err)
}

func (r *run) attempt(ctx context.Context, step promote.Step) (outcome, error) {
	env, err := r.env(step)
	if err != nil {
		return outcome{}, err
	}
	wanted := !r.failed
	if step.If != "" {
		env.Status = r.status()
		if wanted, err = expr.EvalBool(step.If, env); err != nil {
			return outcome{}, fmt.Errorf("if: %w", err)
		}
	}
	if !wanted {
		return outcome{status: promote.StepSkipped, message: "skipped by its condition"}, nil
	}
	evaluated, err := evaluate(step.Config, env)
	if err != nil {
		return outcome{}, err
	}
	return r.dispatch(ctx, step, evaluated)
}

// Kind describes one kind of step.
type Kind struct {
	Name string // as a task names it in `uses`
	Does string // one sentence
}

// Kinds lists every kind of step by name.
func Kinds() []Kind {
	return []Kind{
		{"argocd-update", "Refreshes and syncs exactly the named Argo CD applications, and waits until they are healthy at the desired revision."},
		{"git-clone", "Checks out the target branch at the commit that the promotion runs on. Nothing is cloned: files come when they are read."},
		{"git-commit", "Commits the edits of a checkout; skipped when there are none."},
		{"git-open-pr", "Opens the promotion's change, with the task's own title, description and labels."},
		{"git-push", "Proposes the commit: to a deployed branch by a change that must be merged, with generateTargetBranch to the proposal branch."},
		{"git-wait-for-pr", "Waits until the promotion's change is merged."},
		{"yaml-parse", "Evaluates expressions over a YAML file."},
		{"yaml-update", "Changes values in a YAML file and not one other byte. Tags stay text, numbers stay numbers."},
	}
}

func kindNames() []string {
	names := make([]string, 0, len(Kinds()))
	for _, kind := range Kinds() {
		names = append(names, kind.Name)
	}
	return names
}

func (r *run) dispatch(ctx context.Context, step promote.Step, c config) (outcome, error) {
	switch step.Uses {
	case "git-clone":
		return r.gitClone(ctx, c)
	case "yaml-parse":
		return r.yamlParse(ctx, c)
	case "yaml-update":
		return r.yamlUpdate(ctx, c)
	case "git-commit":
		return r.gitCommit(ctx, c)
	case "git-push":
		return r.gitPush(c)
	case "git-open-pr":
		return r.gitOpenPR(c)
	case "git-wait-for-pr":
		return r.gitWaitForPR(c)
	case "argocd-update":
		return r.argocdUpdate(step, c)
	}
	text := fmt.Sprintf("there is no step %q", step.Uses)
	if near, ok := promote.Nearest(step.Uses, kindNames()); ok {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return outcome{}, fmt.Errorf("%s; the steps are %s", text, strings.Join(kindNames(), ", "))
}

// env is what the expressions of a step may see (Kargo: promotion variables first, then the step's).
func (r *run) env(step promote.Step) (expr.Env, error) {
	env := expr.Env{Ctx: r.ctx(step), Vars: map[string]any{}, Outputs: r.outputs, Images: r.images(), Requested: r.requested()}
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
	return env, nil
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
	}
	return map[string]any{
		"project": r.Promotion.Stage.Project, "stage": r.Promotion.Stage.Name, "promotion": string(r.Promotion.ID),
		"targetFreight": target,
		"meta": map[string]any{
			"promotion": map[string]any{"actor": r.Promotion.Actor},
			"step":      map[string]any{"alias": step.As},
		},
	}
}

func (r *run) images() []expr.Image {
	var images []expr.Image
	for _, freight := range r.Freights {
		for _, image := range freight.Images {
			images = append(images, expr.Image{
				RepoURL: image.RepoURL, Tag: image.Tag, Digest: image.Digest, Annotations: maps.Clone(image.Annotations),
				Warehouse: freight.Warehouse,
			})
		}
	}
	return images
}

func (r *run) requested() []expr.Warehouse {
	requested := make([]expr.Warehouse, 0, len(r.Warehouses))
	for _, w := range r.Warehouses {
		one := expr.Warehouse{Name: w.Name}
		for _, image := range w.Images {
			one.Images = append(one.Images, expr.Subscription{Name: image.Name, RepoURL: image.RepoURL})
		}
		requested = append(requested, one)
	}
	return requested
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

func (r *run) status() *expr.Status {
	status := &expr.Status{Failed: r.failed, Steps: map[string]string{}}
	for _, result := range r.result.Results {
		status.Steps[result.As] = string(result.Status)
	}
	return status
}
