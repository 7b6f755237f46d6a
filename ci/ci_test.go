package ci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

var (
	began = time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC)
	dev   = promote.StageRef{Project: "shop", Name: "dev"}
	prod  = promote.StageRef{Project: "shop", Name: "prod"}
)

// world is a runner with a clock: each run gives the next outcome, and sleeping moves the clock.
type world struct {
	outcomes []reconcile.Outcome
	err      error // of the run after the last outcome
	now      time.Time
	events   [][]promote.Event
	asked    [][]reconcile.Asked
	slept    []time.Duration
	asleep   error
}

func (w *world) Run(_ context.Context, options reconcile.Options) (reconcile.Outcome, error) {
	w.events, w.asked = append(w.events, options.Events), append(w.asked, options.Asked)
	if len(w.outcomes) == 0 {
		return reconcile.Outcome{}, w.err
	}
	outcome := w.outcomes[0]
	w.outcomes = w.outcomes[1:]
	return outcome, nil
}

func (w *world) sleep(_ context.Context, d time.Duration) error {
	w.slept = append(w.slept, d)
	w.now = w.now.Add(d)
	return w.asleep
}

func (w *world) config(wait time.Duration, progress *strings.Builder) Config {
	return Config{Runner: w, Wait: wait, Progress: progress, Now: func() time.Time { return w.now }, Sleep: w.sleep}
}

func stage(ref promote.StageRef, verdict promote.Verdict) promote.StageStatus {
	return promote.StageStatus{Stage: ref, Verdict: verdict, Reason: "because"}
}

func promotion(ref promote.StageRef, phase promote.Phase) promote.Promotion {
	return promote.Promotion{ID: promote.PromotionID(ref.Name + "-1"), Stage: ref, Phase: phase}
}

func ended(ref promote.StageRef, phase promote.Phase, at time.Time) promote.Promotion {
	p := promotion(ref, phase)
	p.FinishedAt = at
	return p
}

func outcome(history promote.History, stages ...promote.StageStatus) reconcile.Outcome {
	return reconcile.Outcome{Plan: promote.Plan{Stages: stages}, State: promote.State{History: history}}
}

func doing(o reconcile.Outcome, actions ...promote.Action) reconcile.Outcome {
	o.Applied = actions
	return o
}

func recheck(o reconcile.Outcome, after time.Duration) reconcile.Outcome {
	o.Plan.Recheck = began.Add(after)
	return o
}

func with(promotions ...promote.Promotion) promote.History {
	return promote.History{Promotions: promotions}
}

func TestExitCode(t *testing.T) {
	held := promote.History{Holds: []promote.Hold{{Stage: dev}}}
	for _, test := range []struct {
		name    string
		outcome reconcile.Outcome
		want    int
	}{
		{"there is no stage at all", outcome(with()), ExitDone},
		{"every stage runs the newest freight", outcome(with(promotion(dev, promote.PhaseSucceeded)), stage(dev, promote.Pass), stage(prod, promote.Skip)), ExitDone},
		{"freight waits for the stage before it, and no promotion is open", outcome(with(), stage(prod, promote.Wait)), ExitDone},
		{"a change waits to be merged", outcome(with(promotion(dev, promote.PhaseProposed)), stage(dev, promote.Wait)), ExitWaiting},
		{"a change is ready to be merged", outcome(with(promotion(dev, promote.PhaseProposed)), stage(dev, promote.Pass)), ExitWaiting},
		{"a gate of an open change blocks", outcome(with(promotion(dev, promote.PhaseProposed)), stage(dev, promote.Block)), ExitWaiting},
		{"what was merged is not healthy yet", outcome(with(promotion(dev, promote.PhaseDelivering)), stage(dev, promote.Wait)), ExitWaiting},
		{"a stage cannot go on without a correction", outcome(with(), stage(dev, promote.Block)), ExitFailed},
		{"one stage waits and another cannot go on", outcome(with(promotion(dev, promote.PhaseProposed)), stage(dev, promote.Wait), stage(prod, promote.Block)), ExitFailed},
		{"a stage is on hold", outcome(held, stage(dev, promote.Block)), ExitDone},
		{"a stage is on hold and another cannot go on", outcome(held, stage(dev, promote.Block), stage(prod, promote.Block)), ExitFailed},
		{"a delivery failed in this job", doing(outcome(with(ended(dev, promote.PhaseFailed, began.Add(time.Minute))), stage(dev, promote.Wait)),
			promote.Deliver{Promotion: promotion(dev, promote.PhaseProposed)}), ExitFailed},
		{"a delivery failed in the very moment in which the job began", outcome(with(ended(dev, promote.PhaseFailed, began)), stage(dev, promote.Wait)), ExitFailed},
		{"a change was closed in this job", doing(outcome(with(ended(dev, promote.PhaseFailed, began.Add(time.Second))), stage(dev, promote.Block)),
			promote.Finish{Promotion: promotion(dev, promote.PhaseProposed), Phase: promote.PhaseFailed}), ExitFailed},
		{"one stage failed in this job and another waits", outcome(
			with(ended(dev, promote.PhaseFailed, began), promotion(prod, promote.PhaseProposed)), stage(dev, promote.Wait), stage(prod, promote.Wait),
		), ExitFailed},
		{"a promotion failed in an earlier job", outcome(with(ended(dev, promote.PhaseFailed, began.Add(-time.Second))), stage(dev, promote.Wait)), ExitDone},
		{"a promotion succeeded in this job", outcome(with(ended(dev, promote.PhaseSucceeded, began)), stage(dev, promote.Pass)), ExitDone},
		{"the command was obeyed", doing(outcome(with()), promote.Reply{Comment: 1, Reaction: promote.ReactionDone}), ExitDone},
		{"the command was refused", doing(outcome(with()), promote.Reply{Comment: 1, Reaction: promote.ReactionDenied}), ExitFailed},
		{"a comment on a change was refused", doing(outcome(with()), promote.Reply{Change: 1, Comment: 1, Reaction: promote.ReactionDenied}), ExitDone},
		{"a promotion was superseded in this job", outcome(with(ended(dev, promote.PhaseAborted, began)), stage(dev, promote.Pass)), ExitDone},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &world{outcomes: []reconcile.Outcome{test.outcome}, now: began}
			got, err := Run(t.Context(), w.config(0, &strings.Builder{}))
			if err != nil || got.Exit != test.want {
				t.Errorf("got %d, %v; want %d", got.Exit, err, test.want)
			}
		})
	}
}

// shop is what is known of a stage that takes one image, by a policy, and of the promotions there were.
func shop(promotions ...promote.Promotion) promote.State {
	freight := web("1.0.2")
	for i := range promotions {
		promotions[i].Number, promotions[i].Freight = i+1, freight.ID
	}
	return promote.State{
		Now: began, Branch: "main", Head: "1f0c",
		Pipelines: []promote.Pipeline{{
			Project: "shop", Declared: true, Policies: []promote.Policy{{Stage: "dev", AutoPromotion: true}},
			Warehouses: []promote.Warehouse{{Name: "web", Images: []promote.ImageSubscription{{RepoURL: "acme/web"}}}},
			Stages: []promote.Stage{{
				Name: "dev", Steps: []promote.Step{{Uses: "git-push", As: "push"}}, Requests: []promote.FreightRequest{{Warehouse: "web", Direct: true}},
			}},
		}},
		History: promote.History{Freights: []promote.Freight{freight}, Promotions: promotions},
	}
}

func web(tag string) promote.Freight {
	return promote.NewFreight("shop", "web", promote.Artifacts{Images: []promote.Image{{RepoURL: "acme/web", Tag: tag, Digest: "sha256:" + tag}}}, began.Add(-time.Hour))
}

func TestExitCodeAfterEarlierFailures(t *testing.T) {
	before := began.Add(-time.Minute)
	for _, test := range []struct {
		name   string
		state  promote.State
		change func(*promote.State)
		want   int
	}{
		{"a change was closed before this job", shop(ended(dev, promote.PhaseFailed, before)), nil, ExitDone},
		{"a promotion failed twice before this job", shop(ended(dev, promote.PhaseFailed, before), ended(dev, promote.PhaseFailed, before)), nil, ExitDone},
		{"a promotion failed before this job, and another one in it", shop(ended(dev, promote.PhaseFailed, before), ended(dev, promote.PhaseFailed, began)), nil, ExitFailed},
		{
			"a promotion failed before this job, and the definition is broken now",
			shop(ended(dev, promote.PhaseFailed, before)),
			func(s *promote.State) {
				s.Findings = []promote.Finding{{Severity: promote.SeverityError, Code: "unknown-key", Stage: dev, Message: "unknown key"}}
			},
			ExitFailed,
		},
		{
			"a promotion failed before this job, and what a person asked for since cannot be proposed",
			shop(ended(dev, promote.PhaseFailed, before)),
			func(s *promote.State) {
				freight := web("1.0.2")
				s.History.Requests = []promote.Request{{Key: "note 1", Stage: dev, Freight: freight.ID, By: "ada", At: before, After: 1}}
				s.Unmade = map[string]string{promote.ProposalKey(dev, freight.ID): "no such file"}
			},
			ExitFailed,
		},
		{
			"freight was never tried and cannot be proposed", shop(),
			func(s *promote.State) {
				s.Unmade = map[string]string{promote.ProposalKey(dev, web("1.0.2").ID): "no such file"}
			},
			ExitFailed,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.change != nil {
				test.change(&test.state)
			}
			plan := promote.Decide(test.state)
			if len(plan.Stages) != 1 || plan.Stages[0].Verdict != promote.Block || len(plan.Actions) > 0 {
				t.Fatalf("the stage is not blocked:\n%s", plan)
			}
			w := &world{outcomes: []reconcile.Outcome{{Plan: plan, State: test.state}}, now: began}
			got, err := Run(t.Context(), w.config(0, &strings.Builder{}))
			if err != nil || got.Exit != test.want {
				t.Errorf("got %d, %v; want %d for\n%s", got.Exit, err, test.want, plan)
			}
		})
	}
}

func TestRunWaits(t *testing.T) {
	delivering := outcome(with(promotion(dev, promote.PhaseDelivering)), stage(dev, promote.Wait))
	proposed := outcome(with(promotion(dev, promote.PhaseProposed)), stage(dev, promote.Wait))
	done := outcome(with(promotion(dev, promote.PhaseSucceeded)), stage(dev, promote.Pass))
	for _, test := range []struct {
		name     string
		wait     time.Duration
		outcomes []reconcile.Outcome
		slept    []time.Duration
		exit     int
	}{
		{"not at all without being asked to", 0, []reconcile.Outcome{recheck(delivering, 10*time.Second)}, nil, ExitWaiting},
		{"not at all without being asked to, also when it is time", 0, []reconcile.Outcome{recheck(delivering, 0)}, nil, ExitWaiting},
		{
			"until what is delivered is healthy", time.Minute,
			[]reconcile.Outcome{recheck(delivering, 10*time.Second), recheck(delivering, 30*time.Second), done},
			[]time.Duration{10 * time.Second, 20 * time.Second},
			ExitDone,
		},
		{"not for a merge, which is up to a person", time.Hour, []reconcile.Outcome{recheck(proposed, 10*time.Second)}, nil, ExitWaiting},
		{"not when time alone changes nothing", time.Hour, []reconcile.Outcome{delivering}, nil, ExitWaiting},
		{"not for what comes after the end", time.Minute, []reconcile.Outcome{recheck(delivering, 61*time.Second)}, nil, ExitWaiting},
		{"for what comes just in time", time.Minute, []reconcile.Outcome{recheck(delivering, time.Minute), recheck(delivering, time.Minute)}, []time.Duration{time.Minute}, ExitWaiting},
		{
			"a second at a time when the plan names the past, and not forever", 3 * time.Second,
			[]reconcile.Outcome{recheck(delivering, -time.Hour), recheck(delivering, -time.Hour), recheck(delivering, -time.Hour), recheck(delivering, -time.Hour)},
			[]time.Duration{time.Second, time.Second, time.Second},
			ExitWaiting,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &world{outcomes: test.outcomes, now: began, err: errors.New("one run too many")}
			got, err := Run(t.Context(), w.config(test.wait, &strings.Builder{}))
			if err != nil || got.Exit != test.exit {
				t.Errorf("got %d, %v; want %d", got.Exit, err, test.exit)
			}
			if len(w.outcomes) > 0 {
				t.Errorf("%d runs are missing", len(w.outcomes))
			}
			if diff := cmp.Diff(test.slept, w.slept); diff != "" {
				t.Errorf("pauses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRunTellsWhatWasDoneInAllRuns(t *testing.T) {
	hold, release := promote.RecordHold{Hold: promote.Hold{Stage: prod}}, promote.ReleaseHold{Hold: promote.Hold{Stage: prod}}
	first := recheck(doing(outcome(with(promotion(dev, promote.PhaseDelivering))), hold), 5*time.Second)
	w := &world{outcomes: []reconcile.Outcome{first, doing(outcome(with()), release)}, now: began}
	var progress strings.Builder
	got, err := Run(t.Context(), w.config(time.Minute, &progress))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]promote.Action{hold, release}, got.Outcome.Applied); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
	if want := fmt.Sprintf("%s\n%s\n", hold, release); progress.String() != want {
		t.Errorf("progress is %q, want %q", &progress, want)
	}
	if diff := cmp.Diff([][]promote.Event{{{Kind: promote.EventSweep}}, nil}, w.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]reconcile.Asked{nil, nil}, w.asked); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

func TestACommandIsGivenToTheFirstRunAlone(t *testing.T) {
	command := reconcile.Asked{
		Comment: promote.Comment{ID: 7, AuthorID: 3, Author: "ann", Body: "/promote dev 1.0.2", At: began}, AtMost: promote.PermissionWrite,
	}
	first := recheck(doing(outcome(with(promotion(dev, promote.PhaseDelivering))), promote.Reply{Comment: 7, Body: "Promoted."}), time.Second)
	w := &world{outcomes: []reconcile.Outcome{first, outcome(with())}, now: began}
	var progress strings.Builder
	cfg := w.config(time.Minute, &progress)
	cfg.Command = command
	if _, err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]reconcile.Asked{{command}, nil}, w.asked); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	if want := "answer: Promoted.\n"; progress.String() != want {
		t.Errorf("progress is %q, want %q", &progress, want)
	}
}

func TestRunThatFailsKeepsWhatWasDone(t *testing.T) {
	hold := promote.RecordHold{Hold: promote.Hold{Stage: prod}}
	first := recheck(doing(outcome(with(promotion(dev, promote.PhaseDelivering))), hold), 5*time.Second)
	t.Run("in the loop", func(t *testing.T) {
		w := &world{outcomes: []reconcile.Outcome{first}, now: began, err: promote.ErrForbidden}
		got, err := Run(t.Context(), w.config(time.Minute, &strings.Builder{}))
		if !errors.Is(err, promote.ErrForbidden) || got.Exit != ExitFailed || len(got.Outcome.Applied) != 1 {
			t.Errorf("got %d, %v with %d actions; want %d, %v with 1", got.Exit, err, len(got.Outcome.Applied), ExitFailed, promote.ErrForbidden)
		}
	})
	t.Run("while it waits", func(t *testing.T) {
		w := &world{outcomes: []reconcile.Outcome{first}, now: began, asleep: context.Canceled}
		got, err := Run(t.Context(), w.config(time.Minute, &strings.Builder{}))
		if !errors.Is(err, context.Canceled) || got.Exit != ExitFailed || len(got.Outcome.Applied) != 1 {
			t.Errorf("got %d, %v with %d actions; want %d, %v with 1", got.Exit, err, len(got.Outcome.Applied), ExitFailed, context.Canceled)
		}
	})
}

func TestDetect(t *testing.T) {
	gitlab := map[string]string{
		"GITLAB_USER_LOGIN": "ann", "GITLAB_USER_ID": "41", "CI_PIPELINE_ID": "977",
		"GITLAB_CI": "true", "CI_SERVER_URL": "https://gitlab.example.com:8443/git", "CI_PROJECT_PATH": "shop/deploy", "CI_DEFAULT_BRANCH": "main",
	}
	github := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.example.com", "GITHUB_REPOSITORY": "shop/deploy", "GITHUB_RUN_ID": "977",
		"GITHUB_ACTOR": "ann", "GITHUB_ACTOR_ID": "41", "GITHUB_EVENT_PATH": "event.json", "GITHUB_EVENT_NAME": "push",
	}
	job := Environment{Event: "push", System: "github", Server: "https://github.example.com", Project: "shop/deploy", User: "ann", UserID: 41, Run: 977}
	with := func(payload, branch string) Environment {
		environment := job
		environment.Payload, environment.Branch = []byte(payload), branch
		return environment
	}
	for _, test := range []struct {
		name  string
		env   map[string]string
		files map[string]string
		want  Environment
	}{
		{"a GitHub job", github, map[string]string{"event.json": `{"repository":{"default_branch":"trunk"}}`}, with(`{"repository":{"default_branch":"trunk"}}`, "trunk")},
		{"a GitHub job whose event says little", github, map[string]string{"event.json": `{"schedule":"0 * * * *"}`}, with(`{"schedule":"0 * * * *"}`, "")},
		{"a GitHub job whose event is no JSON", github, map[string]string{"event.json": `{`}, with("{", "")},
		{"a GitHub job without its event", github, nil, job},
		{"a terminal", map[string]string{"HOME": "/root"}, nil, Environment{}},
		{"a GitLab job", gitlab, nil, Environment{System: "gitlab", Server: "https://gitlab.example.com:8443/git", Project: "shop/deploy", Branch: "main", User: "ann", UserID: 41, Run: 977}},
		{"a GitLab job of a merge request", map[string]string{"GITLAB_CI": "true", "CI_MERGE_REQUEST_IID": "7"}, nil, Environment{System: "gitlab", Change: 7}},
		{"a GitLab job that says little", map[string]string{"GITLAB_CI": "true", "GITLAB_USER_ID": "ann"}, nil, Environment{System: "gitlab"}},
		{"a system that is not known", map[string]string{"CI": "true", "CI_PROJECT_PATH": "shop/deploy"}, nil, Environment{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Detect(func(name string) string { return test.env[name] }, func(name string) ([]byte, error) {
				if text, ok := test.files[name]; ok {
					return []byte(text), nil
				}
				return nil, fs.ErrNotExist
			})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	hold := promote.RecordHold{Hold: promote.Hold{Stage: prod}}
	table := promote.StatusTable([]promote.StageStatus{stage(dev, promote.Wait)})
	for _, test := range []struct {
		name   string
		result Result
		err    error
		want   string
	}{
		{"nothing to do", Result{}, nil, "## Lockkeeper: nothing to do\n"},
		{"done", Result{Outcome: doing(reconcile.Outcome{}, hold)}, nil, "## Lockkeeper: done\n\nDone in this job:\n\n    " + hold.String() + "\n"},
		{"waiting", Result{Outcome: outcome(with(), stage(dev, promote.Wait)), Exit: ExitWaiting}, nil, "## Lockkeeper: a promotion is on its way and waits\n\n" + table},
		{
			"refused",
			Result{Exit: ExitFailed, Outcome: doing(reconcile.Outcome{}, promote.Reply{Body: "No.\nNot `so`.", Reaction: promote.ReactionDenied})},
			nil,
			"## Lockkeeper: the command was refused\n\nDone in this job:\n\n    answer: No.\n    Not `so`.\n",
		},
		{"failed", Result{Exit: ExitFailed}, nil, "## Lockkeeper: a promotion failed, or a stage needs a correction\n"},
		{
			"an error, whose text cannot leave its block",
			Result{Exit: ExitFailed},
			errors.New("read\n```\r\n# <b>x"),
			"## Lockkeeper: the run failed\n\n    read\n    ``` \n    # <b>x\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.result.Summary(test.err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
