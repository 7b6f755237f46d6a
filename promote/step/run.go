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
	"github.com/lockkeeper/lockkeeper/internal/worker"
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
	Approvals  []promote.Approval  // of the freight for the stage
	Metadata   []promote.Metadata  // of the project
	// Status is what became of a freight of the project, by its ID or alias (Kargo: FreightStatus); nil: nothing is known.
	Status func(name string) (map[string]any, bool)
	Target *promote.Target // when the stage is one of several that a stage fans out to
	When   time.Time       // required: the time of commits
	Now    time.Time       // required
	Author git.Signature   // of commits, unless the task names one
	World  World           // what steps may reach besides the repository
	Dry    bool            // steps that act on the outside world, or ask it, are passed over
}

// Delivered is the end of a delivery.
type Delivered struct {
	Failed       bool
	Message      string
	Applications []Application // what selectors found; empty: as the step named them
}

// Result is how far a run came.
type Result struct {
	Results   []promote.StepResult // of every step that has begun; the last one is Running when the run waits
	Wait      promote.Waits
	Next      time.Duration   // when to look again, for WaitsTime
	Push      *Push           // what must be on the forge for the wait to end; nil when there is nothing to push
	Deliver   *ApplicationUse // the applications to sync or to wait for, for WaitsDelivery
	AutoMerge bool            // a step has the change merged once every gate passes
	Moves     []promote.Move
	Written   []string           // the files of the repository that the steps of this run wrote, also with what was there before
	Metadata  []promote.Metadata // what set-metadata sets
	Alias     string             // what set-freight-alias names the freight; empty: nothing
	Failed    bool
	Message   string // why it failed
}

// Push is a commit to be proposed.
type Push struct {
	Head        promote.Commit
	Base        promote.Commit // the tip of Target that the steps ran on
	Target      promote.Branch // where it is to be merged
	Create      bool           // Target does not exist yet: it begins with Base
	Title       string         // of the change, when the task says one
	Description string         // likewise
	Labels      []string       // likewise
}

// ApplicationUse is what argocd-update and argocd-wait ask for.
type ApplicationUse struct {
	Applications []Application
	Timeout      time.Duration // since the delivery began
}

// defaultDeliveryTimeout bounds a delivery whose step names no retry.timeout. It covers the sync and the health after it.
const defaultDeliveryTimeout = 10 * time.Minute

// run is the state of one run.
type run struct {
	Request
	workspace *workspace
	outputs   map[string]map[string]any
	refs      *git.Refs // of the repository, once they were asked for
	tags      []tagged
	secrets   *expr.Secrets // that expressions have read
	loose     bool          // a step that is done made files that no commit holds
	asThen    bool          // steps are gone through as they ran before the merge
	failed    bool
	passed    bool // a step was passed over whose outcome later steps may need
	result    Result
	before    promote.StepResult // what the present step left behind when it had to wait; zero when it begins
	state     json.RawMessage    // what the present step has to know when it goes on
}

func newRun(request Request) *run {
	return &run{
		Request: request, outputs: map[string]map[string]any{}, secrets: &expr.Secrets{},
		workspace: &workspace{repository: request.Repository, loose: map[string]entry{}},
	}
}

// Run goes through the steps until they are done, fail, or wait. A step that fails is in the Result, with a message for a
// person; an error is something unexpected that may be gone next time.
func Run(ctx context.Context, request Request) (Result, error) {
	r := newRun(request)
	r.result.Moves = slices.Clone(request.Promotion.Moves)
	if !r.pushed() {
		r.result.Moves = nil // the steps make them again
	}
	for i, step := range request.Promotion.Steps {
		r.before = r.recorded(step)
		if r.stands(step) {
			err := r.replay(ctx, step, r.before)
			if err == nil && !r.standing(i+1) {
				err = r.remake(ctx)
			}
			if _, technical := errors.AsType[technicalError](err); err != nil && (ctx.Err() != nil || technical || outside(err)) {
				return Result{}, r.shown(err)
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
			return Result{}, r.shown(fmt.Errorf("step %s: %w", label(step), err))
		}
		if !done {
			break
		}
	}
	r.result.Failed, r.result.Written = r.failed, slices.Sorted(maps.Keys(r.workspace.touched))
	return r.result, r.conceal()
}

// pushed reports whether what the steps made is on the forge. Before that, the files exist in memory only and are made again
// by every run; afterwards they are read from the commit.
func (r *run) pushed() bool { return r.Promotion.Head != "" || r.merged() != "" }

// recorded returns what the promotion's record says of a step.
func (r *run) recorded(step promote.Step) promote.StepResult {
	i := slices.IndexFunc(r.Promotion.Results, func(result promote.StepResult) bool {
		return result.As == step.As && (result.Uses == "" || result.Uses == step.Uses)
	})
	if i < 0 {
		return promote.StepResult{}
	}
	return r.Promotion.Results[i]
}

// give makes the output of a step known to the steps after it; what compose-output gives in a task is the task's as well.
func (r *run) give(step promote.Step, output map[string]any) {
	r.outputs[step.As] = output
	if task, _, inTask := strings.Cut(step.As, "::"); inTask && step.Uses == "compose-output" {
		r.outputs[task] = output
	}
}

// stands reports whether a step is not run again.
func (r *run) stands(step promote.Step) bool {
	if r.before.Status == "" || r.before.Status == promote.StepRunning {
		return false
	}
	kind, err := kindOf(step)
	return r.pushed() || err == nil && kind.Effect
}

// standing reports whether the i-th step is not run again.
func (r *run) standing(i int) bool {
	if i >= len(r.Promotion.Steps) {
		return true // there is none
	}
	status := r.recorded(r.Promotion.Steps[i]).Status
	return status != "" && status != promote.StepRunning
}

// label names a step for people.
func label(step promote.Step) string { return fmt.Sprintf("%s (%s)", step.As, step.Uses) }

// replay takes over the result of a step that ran before. Commits that were proposed are now the merged ones.
func (r *run) replay(ctx context.Context, step promote.Step, result promote.StepResult) error {
	r.result.Results = append(r.result.Results, result)
	if bad := result.Status == promote.StepFailed || result.Status == promote.StepErrored; bad && !step.ContinueOnError {
		r.failed, r.result.Message = true, result.Message
	}
	if err := r.recall(step, result); err != nil {
		return err
	}
	switch {
	case result.Status != promote.StepSucceeded:
		return nil
	case step.Uses == "git-clone":
		return r.replayClone(ctx, step)
	case step.Uses == "git-tag":
		return r.replayTag(step)
	}
	return r.notices(step)
}

// recall makes the output of a step that ran before known to the steps after it.
func (r *run) recall(step promote.Step, result promote.StepResult) error {
	output := map[string]any{}
	if len(result.Output) > 0 {
		if err := json.Unmarshal(result.Output, &output); err != nil {
			return fmt.Errorf("recorded output of step %s: %w", label(step), err)
		}
	}
	if merged := r.merged(); merged != "" && r.Promotion.Head != "" && !r.asThen {
		output, _ = rebind(output, string(r.Promotion.Head), string(merged)).(map[string]any)
	}
	r.give(step, output)
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
	// acted: it did something outside that another run would do a second time. The run stops, so that it is on record before
	// anything else is done.
	acted bool
}

// succeeded is the outcome of a step that gave an output.
func succeeded(output map[string]any) outcome {
	return outcome{status: promote.StepSucceeded, output: output}
}

// errWaiting stops the run without failing it; the run's result says what it waits for.
var errWaiting = errors.New("waiting")

// wait stops the run at the present step.
func (r *run) wait(on promote.Waits, message string) (outcome, error) {
	r.result.Wait = on
	return outcome{message: message}, errWaiting
}

// pause stops the run at the present step, to look again after a while. keep is handed to the step then, by resume.
func (r *run) pause(after time.Duration, message string, keep any) (outcome, error) {
	state, err := json.Marshal(keep)
	if err != nil {
		return outcome{}, fmt.Errorf("keep the state of the step: %w", err)
	}
	r.state, r.result.Next = state, after
	return r.wait(promote.WaitsTime, message)
}

// resume reads what the present step kept when it paused. ok is false when it begins.
func (r *run) resume(into any) (ok bool, err error) {
	if r.before.Status != promote.StepRunning || len(r.before.State) == 0 {
		return false, nil
	}
	if err := json.Unmarshal(r.before.State, into); err != nil {
		return false, fmt.Errorf("recorded state of the step: %w", err)
	}
	return true, nil
}

// since is when the present step began.
func (r *run) since() time.Time {
	if r.before.Since.IsZero() {
		return r.Now
	}
	return r.before.Since
}

// technicalError is an error of something outside of the repository: it is no word on the promotion, and the step is tried
// again until its errorThreshold.
type technicalError struct{ error }

func (e technicalError) Unwrap() error { return e.error }

const (
	firstRetry = 10 * time.Second
	lastRetry  = 10 * time.Minute
)

// retry is how long a step waits after a number of errors in a row.
func retry(errs int) time.Duration { return min(firstRetry<<min(errs-1, 10), lastRetry) }

// one runs one step. done is false when the run waits.
func (r *run) one(ctx context.Context, step promote.Step) (done bool, err error) {
	r.state = nil
	result := promote.StepResult{As: step.As, Uses: step.Uses, Status: promote.StepSucceeded}
	out, err := r.attempt(ctx, step)
	technical, isTechnical := errors.AsType[technicalError](err)
	if late := r.late(step, err); late != nil {
		err, isTechnical = late, false
		r.result.Wait = promote.WaitsNothing
	}
	switch {
	case errors.Is(err, errWaiting):
		if left := time.Duration(step.Timeout) - r.Now.Sub(r.since()); r.result.Wait != promote.WaitsTime && r.timed(step) && (r.result.Next == 0 || left < r.result.Next) {
			r.result.Next = left
		}
		r.suspend(result, out.message, 0)
		return false, nil
	case err != nil && (ctx.Err() != nil || !isTechnical && outside(err)):
		return false, err
	case err != nil && r.passed:
		r.result.Wait = promote.WaitsTime
		r.suspend(result, "not known before the steps outside of the repository are carried out: "+err.Error(), 0)
		return false, nil
	case isTechnical && r.before.Errors+1 < step.ErrorThreshold:
		result.Errors = r.before.Errors + 1
		r.result.Wait, r.result.Next = promote.WaitsTime, retry(result.Errors)
		r.state = r.before.State
		r.suspend(result, fmt.Sprintf("attempt %d of %d: %v", result.Errors, step.ErrorThreshold, technical), result.Errors)
		return false, nil
	case err != nil:
		result.Status, result.Message = promote.StepFailed, err.Error()
		if isTechnical {
			result.Status = promote.StepErrored
		}
		if !step.ContinueOnError {
			r.fail(step, err)
		}
	default:
		result.Status, result.Message = out.status, out.message
	}
	if out.output != nil {
		if out.output, err = r.concealed(out.output); err != nil {
			return false, fmt.Errorf("output: %w", err)
		}
		if result.Output, err = json.Marshal(out.output); err != nil {
			return false, fmt.Errorf("output: %w", err)
		}
	}
	r.give(step, out.output)
	r.result.Results = append(r.result.Results, result)
	if out.acted {
		r.result.Wait, r.result.Next = promote.WaitsTime, 0
		return false, nil
	}
	return true, nil
}

// suspend records that a step waits.
func (r *run) suspend(result promote.StepResult, message string, errs int) {
	result.Status, result.Message, result.Errors, result.State = promote.StepRunning, message, errs, r.state
	result.Since = r.since()
	r.result.Results = append(r.result.Results, result)
}

// timed reports whether retry.timeout bounds what the present step waits for (Kargo: from when the step began). Deliveries are
// timed by who watches them. A git-push that waits for a merge does so only here, so its timeout is not about that.
func (r *run) timed(step promote.Step) bool {
	if step.Timeout <= 0 {
		return false
	}
	switch r.result.Wait {
	case promote.WaitsTime, promote.WaitsApproval:
		return true
	case promote.WaitsMerge, promote.WaitsChange:
		return step.Uses == "git-wait-for-pr" || step.Uses == "git-merge-pr"
	case promote.WaitsNothing, promote.WaitsDelivery:
	}
	return false
}

// late returns the error of a step that has to wait although its time is over.
func (r *run) late(step promote.Step, err error) error {
	timeout := time.Duration(step.Timeout)
	if !errors.Is(err, errWaiting) || !r.timed(step) || r.Now.Sub(r.since()) < timeout {
		return nil
	}
	return fmt.Errorf("not done after %s, which its retry.timeout allows", timeout)
}

// outside reports whether an error is the remote repository's, or the machine's, and may be gone next time.
func outside(err error) bool {
	var http *git.HTTPError
	var network net.Error
	return errors.As(err, &http) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, git.ErrUnauthorized) || errors.Is(err, git.ErrMoved) ||
		errors.Is(err, worker.ErrPassing)
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
	kind, err := kindOf(step)
	if err != nil {
		return outcome{}, err
	}
	if r.Dry && kind.Effect {
		r.passed = true
		return outcome{status: promote.StepSkipped, message: "passed over: nothing outside of the repository is touched now"}, nil
	}
	return kind.run(r, ctx, step, evaluated)
}
