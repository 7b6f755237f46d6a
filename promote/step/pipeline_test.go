package step

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

// forge answers in order and keeps what it was asked.
type forge struct {
	answers []Pipeline
	err     error
	starts  []PipelineRequest
	looks   []string
}

func (f *forge) next() (Pipeline, error) {
	if f.err != nil {
		return Pipeline{}, f.err
	}
	next := f.answers[0]
	if len(f.answers) > 1 {
		f.answers = f.answers[1:]
	}
	return next, nil
}

func (f *forge) Start(_ context.Context, request PipelineRequest) (Pipeline, error) {
	f.starts = append(f.starts, request)
	return f.next()
}

func (f *forge) Pipeline(_ context.Context, project, id string) (Pipeline, error) {
	f.looks = append(f.looks, project+" "+id)
	return f.next()
}

func TestPipelines(t *testing.T) {
	running := Pipeline{ID: "7", URL: "https://forge/7", Status: "running"}
	passed := Pipeline{ID: "7", URL: "https://forge/7", Status: "success", State: PipelineSucceeded}
	broken := Pipeline{ID: "7", URL: "https://forge/7", Status: "failed", State: PipelineFailed}
	const lab = `{uses: gitlab-trigger-pipeline, as: ci, config: {project: acme/web, ref: main, variables: {A: 1, B: true, C: x}`
	const hub = `{uses: gha-dispatch-workflow, as: ci, config: {owner: acme, repo: web, workflow: deploy.yaml, ref: main, inputs: {A: "1"}`
	marked := PipelineRequest{Project: "acme/web", Ref: "main", Marker: "develop/dev.0001.abc/ci"}
	onLab, onHub := marked, marked
	onLab.Variables = map[string]string{"A": "1", "B": "true", "C": "x"}
	onHub.Variables, onHub.Workflow = map[string]string{"A": "1"}, "deploy.yaml"
	later := onHub
	later.After = "41"
	for _, test := range []struct {
		name    string
		step    string
		answers []Pipeline
		starts  []PipelineRequest
		looks   int
		output  string
		fails   string
	}{
		{"GitLab: started once and waited for", lab + `}}`, []Pipeline{running, running, passed}, []PipelineRequest{onLab}, 2, `{"id":"7","status":"success","url":"https://forge/7"}`, ""},
		{"it fails", lab + `}}`, []Pipeline{running, broken}, []PipelineRequest{onLab}, 1, `{"id":"7","status":"failed","url":"https://forge/7"}`, `pipeline 7 https://forge/7 ended as "failed"`},
		{"it is not waited for", lab + `, wait: false}}`, []Pipeline{running}, []PipelineRequest{onLab}, 0, `{"id":"7","status":"running","url":"https://forge/7"}`, ""},
		{"it takes too long", lab + `, timeout: 20s}}`, []Pipeline{running}, []PipelineRequest{onLab}, 2, "", `is "running" still after 20s`},
		{
			"GitHub: started once, then looked for", hub + `}}`,
			[]Pipeline{{After: "41"}, {After: "41"}, running, passed},
			[]PipelineRequest{onHub, later, later},
			1, `{"id":"7","status":"success","url":"https://forge/7"}`, "",
		},
		{
			"GitHub never shows it", hub + `, timeout: 8s}}`, []Pipeline{{After: "41"}}, []PipelineRequest{onHub, later, later}, 0, "", "was not found within 8s",
		},
		{"it was over before", lab + `}}`, []Pipeline{passed}, []PipelineRequest{onLab}, 0, `{"id":"7","status":"success","url":"https://forge/7"}`, ""},
		{"no ref", `{uses: gitlab-trigger-pipeline, as: ci, config: {project: acme/web}}`, nil, nil, 0, "", "config.ref is missing"},
		{"no project", `{uses: gitlab-trigger-pipeline, as: ci, config: {ref: main}}`, nil, nil, 0, "", "config.project is missing"},
		{"no repository", `{uses: gha-dispatch-workflow, as: ci, config: {repo: web, workflow: x, ref: main}}`, nil, nil, 0, "", "do not name a repository"},
		{"no workflow", `{uses: gha-dispatch-workflow, as: ci, config: {repo: acme/web, ref: main}}`, nil, nil, 0, "", "config.workflow is missing"},
		{"a variable that is a list", `{uses: gitlab-trigger-pipeline, as: ci, config: {project: a/b, ref: main, variables: {A: [1]}}}`, nil, nil, 0, "", "is not a text"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &forge{answers: test.answers}
			result, _ := finish(t, alone(t, World{GitLab: f, GitHub: f}, "["+test.step+"]"))
			if result.Failed != (test.fails != "") || !strings.Contains(result.Message, test.fails) {
				t.Fatalf("%q, want %q", result.Message, test.fails)
			}
			if got := output(t, result); test.output != "" && got != test.output {
				t.Errorf("output %s, want %s", got, test.output)
			}
			if diff := cmp.Diff(test.starts, f.starts); diff != "" {
				t.Error(diff)
			}
			if len(f.looks) != test.looks {
				t.Errorf("looked %d times, want %d", len(f.looks), test.looks)
			}
		})
	}
}

func TestAForgeThatCannotBeAskedIsAskedAgain(t *testing.T) {
	f := &forge{err: errors.New("503")}
	request := alone(t, World{GitLab: f}, `[{uses: gitlab-trigger-pipeline, as: ci, errorThreshold: 2, config: {project: acme/web, ref: main}}]`)
	first := run1(t, request)
	if first.Failed || first.Wait != promote.WaitsTime || !strings.Contains(first.Results[0].Message, "attempt 1 of 2") {
		t.Fatalf("%+v", first)
	}
	if second := run1(t, again(t, request, first, time.Minute)); !second.Failed || len(f.starts) != 2 {
		t.Errorf("%+v after %d attempts", second, len(f.starts))
	}
}
