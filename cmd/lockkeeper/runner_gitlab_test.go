package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/promote"
)

// TestTemplateInARunner includes the template for GitLab CI in a pipeline, and runs that in gitlab-ci-local
// (https://github.com/firecow/gitlab-ci-local) without containers: its jobs run on this machine.
func TestTemplateInARunner(t *testing.T) {
	t.Parallel()
	program := tool(t, "gitlab-ci-local")
	b := newBed(t)
	b.adopt()
	p := &pipelines{runner: newRunner(t, b), program: program}
	t.Run("nothing to do", func(t *testing.T) {
		code, log := p.start(t, "main", map[string]string{"CI_PIPELINE_SOURCE": "schedule"})
		if code != 0 || strings.Contains(log, "lockkeeper-diff") {
			t.Errorf("exit %d:\n%s", code, log)
		}
	})
	t.Run("a new image is proposed, and the job warns that it waits", p.proposes)
	t.Run("a command that nobody can obey", func(t *testing.T) {
		_, log := p.start(t, "main", map[string]string{"LOCKKEEPER_COMMAND": "/promote frontend-dev-stage 9.9.9"})
		contains(t, log, "No freight `9.9.9`", " FAIL  lockkeeper")
	})
	t.Run("lint and diff of a merge request", p.reviews)
	t.Run("a merge request that cannot be rendered", p.breaks)
}

// pipelines is a runner of GitLab CI.
type pipelines struct {
	*runner
	program string
}

// start has the pipeline of a branch run, with variables of the project and what the server says of it. The exit code is 0 for all
// that allow_failure stands beside; the log says FAIL or WARN.
func (p *pipelines) start(t *testing.T, branch string, variables map[string]string) (code int, log string) {
	t.Helper()
	dir := p.clone(t, branch)
	template, err := os.ReadFile(filepath.Join(checkoutDir, ".gitlab-ci-template.yml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{
		".gitlab-ci-template.yml": string(template),
		".gitlab-ci.yml":          "include:\n  - local: .gitlab-ci-template.yml\n    inputs: {image: lockkeeper-ci, argocd_url: \"" + p.argoURL + "\", wait: 0s, diff: true}\n",
	})
	for _, args := range [][]string{
		{"config", "user.name", "you"}, {"config", "user.email", "you@example.com"}, {"add", "--all"}, {"commit", "--quiet", "--message", "CI"},
	} {
		if code, out := p.run(t, dir, "git", args...); code != 0 {
			t.Fatal(out)
		}
	}
	args := []string{"--force-shell-executor", "--variable", "LOCKKEEPER_OUTBOUND_ALLOW=" + p.env["LOCKKEEPER_OUTBOUND_ALLOW"]}
	for name, value := range map[string]string{
		"GITLAB_CI": "true", "CI_SERVER_URL": p.forgeURL, "CI_PROJECT_PATH": worldProject, "CI_DEFAULT_BRANCH": "main",
		"GITLAB_USER_LOGIN": p.you.name, "GITLAB_USER_ID": strconv.Itoa(p.you.id), "LOCKKEEPER_GITLAB_TOKEN": worldToken, "LOCKKEEPER_ARGOCD_TOKEN": argoToken,
	} {
		args = append(args, "--variable", name+"="+value)
	}
	for name, value := range variables {
		args = append(args, "--variable", name+"="+value)
	}
	return p.run(t, dir, p.program, args...)
}

func (p *pipelines) proposes(t *testing.T) {
	p.push(t, p.image(), "1.0.2")
	code, log := p.start(t, "main", map[string]string{"CI_PIPELINE_SOURCE": "schedule"})
	if code != 0 {
		t.Errorf("exit %d, though a promotion that waits is a warning:\n%s", code, log)
	}
	contains(t, log, "propose 1.0.2 for "+devStage, " WARN  lockkeeper", "1.0.2 waits for its change to be merged")
	if all := p.mergeRequests(); len(all) != 1 || all[0].State != "opened" {
		t.Errorf("merge requests: %+v", all)
	}
	if outcome := p.sweep(); stageOf(outcome, devStage).Verdict != promote.Pass && stageOf(outcome, devStage).Verdict != promote.Wait {
		t.Errorf("\n%s", outcome.Plan)
	}
}

// reviews shows a merge request whose files would command what shows the log.
func (p *pipelines) reviews(t *testing.T) {
	p.commit("topic", map[string]string{
		worked:               strings.ReplaceAll(p.text("main", worked), "replicas: 1", "replicas: 3"),
		"kargo/hostile.yaml": hostile, "develop/frontend/hostile.yaml": hostileMap,
	})
	number := p.you.open("topic", "main", "More replicas")
	code, log := p.start(t, "topic", map[string]string{
		"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": strconv.Itoa(number), "CI_MERGE_REQUEST_DIFF_BASE_SHA": p.tip("main"),
		"CI_COMMIT_BRANCH": "",
	})
	if code != 1 {
		t.Errorf("exit %d, though lint finds an error:\n%s", code, log)
	}
	contains(t, log, "replicas", "kargo/hostile.yaml:4:", "invalid-name", " FAIL  lockkeeper-diff")
	if strings.Contains(log, "forged\x1b[31m") || strings.Contains(log, "section_start:1:forged\r") {
		t.Errorf("the log takes commands of a file:\n%q", log)
	}
}

// breaks shows all of a merge request although an application of it fails.
func (p *pipelines) breaks(t *testing.T) {
	p.commit("broken", map[string]string{
		worked:              strings.ReplaceAll(p.text("main", worked), "replicas: 1", "replicas: 3"),
		"kargo/broken.yaml": hostile, "develop/backend/instance.yaml": "apiVersion: v1\nkind: [\nmetadata: {name: x}\n",
	})
	number := p.you.open("broken", "main", "Broken")
	code, log := p.start(t, "broken", map[string]string{
		"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": strconv.Itoa(number), "CI_MERGE_REQUEST_DIFF_BASE_SHA": p.tip("main"),
		"CI_COMMIT_BRANCH": "",
	})
	if code != 1 {
		t.Errorf("exit %d:\n%s", code, log)
	}
	contains(t, log, "could not be rendered", "replicas", "kargo/broken.yaml:4:", "invalid-name")
}
