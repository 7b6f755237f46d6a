package step

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
	"github.com/lockkeeper/lockkeeper/promote"
)

var when = time.Date(2026, 5, 2, 8, 34, 29, 0, time.UTC)

const instance = `apiVersion: kro.run/v1alpha1
kind: FrontendAppV2
metadata:
  name: wsp-frontend
spec:
  name: wsp-frontend
  values:
    deployment:
      image: docker.io/acme/frontend # the service
      tag: "1.0.1"
      replicas: 1
`

// task is the promotion task that most tests run.
const task = `
- uses: git-clone
  as: task-1::step-1
  config:
    repoURL: ${{ vars.gitopsRepo }}
    checkout: [{branch: main, path: ./repo}]
- uses: yaml-parse
  as: task-1::step-2
  config:
    path: ./repo/${{ vars.instancePath }}
    outputs: [{name: oldTag, fromExpression: spec.values.deployment.tag}]
- uses: yaml-update
  as: task-1::update-image
  config:
    path: ./repo/${{ vars.instancePath }}
    updates:
    - key: spec.values.deployment.tag
      value: ${{ quote(imageFrom(vars.imageRepo, warehouse(vars.warehouseName)).Tag) }}
- uses: git-commit
  as: task-1::commit
  config:
    path: ./repo
    message: ${{ task.outputs['update-image'].commitMessage }}
- uses: git-push
  as: task-1::step-5
  config: {path: ./repo}
- uses: argocd-update
  as: task-1::step-6
  config:
    apps:
    - name: ${{ vars.appName }}
      sources:
      - repoURL: ${{ vars.gitopsRepo }}
        desiredRevision: ${{ task.outputs['commit'].commit }}
`

// bed is a repository on a real server, and a promotion to run on it.
type bed struct {
	repo *gittest.Repo
	git  *git.Repository
}

func newBed(t *testing.T) *bed {
	t.Helper()
	server := gittest.NewServer(t)
	repo := server.Repo("gitops.git", map[string]string{"develop/frontend/instance.yaml": instance, "README.md": "x\n"})
	opened, err := git.Open(git.Config{URL: repo.URL, Author: git.Signature{Name: "bot", Email: "bot@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	return &bed{repo: repo, git: opened}
}

func steps(t *testing.T, text string) []promote.Step {
	t.Helper()
	var list []promote.Step
	if err := yaml.UnmarshalStrict([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func (b *bed) request(t *testing.T, text, tag string) Request {
	t.Helper()
	freight := promote.NewFreight("develop", "frontend-dev-image",
		promote.Artifacts{Images: []promote.Image{{RepoURL: "docker.io/acme/frontend", Tag: tag, Digest: "sha256:aa"}}}, when)
	head := promote.Commit(b.repo.Head("main"))
	return Request{
		Repository: Repository{Git: b.git, URLs: []string{b.repo.URL}, Branch: "main", Head: head},
		Promotion: promote.Promotion{
			ID: "frontend-dev-stage.0001.abc", Stage: promote.StageRef{Project: "develop", Name: "frontend-dev-stage"}, Number: 1,
			Freight: freight.ID, Actor: "auto-promotion", Base: head, Branch: "lockkeeper/develop/frontend-dev-stage", Target: "main",
			Vars: []promote.Var{
				{Name: "gitopsRepo", Value: b.repo.URL},
				{Name: "imageRepo", Value: "docker.io/acme/frontend"},
				{Name: "instancePath", Value: "develop/frontend/instance.yaml"},
				{Name: "warehouseName", Value: "frontend-dev-image"},
				{Name: "appName", Value: "frontend-dev-app"},
			},
			Steps: steps(t, text),
		},
		Freights: []promote.Freight{freight},
		Warehouses: []promote.Warehouse{{
			Name: "frontend-dev-image", Images: []promote.ImageSubscription{{RepoURL: "docker.io/acme/frontend"}},
		}},
		When: when, Now: when, Author: git.Signature{Name: "bot", Email: "bot@example.com"},
	}
}

func run1(t *testing.T, request Request) Result {
	t.Helper()
	result, err := Run(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func statuses(result Result) string {
	var all []string
	for _, r := range result.Results {
		all = append(all, string(r.Status))
	}
	return strings.Join(all, " ")
}

func TestPushToTheDeployedBranchWaitsForAChange(t *testing.T) {
	b := newBed(t)
	result := run1(t, b.request(t, task, "1.0.2"))
	if got, want := statuses(result), "Succeeded Succeeded Succeeded Succeeded Running"; got != want {
		t.Fatalf("statuses %q, want %q: %s", got, want, result.Message)
	}
	if result.Wait != promote.WaitsMerge || result.Push == nil || result.Push.Target != "main" {
		t.Fatalf("wait %v, push %+v: want a push to main that waits for the merge", result.Wait, result.Push)
	}
	want := []promote.Move{{File: "develop/frontend/instance.yaml", Key: "spec.values.deployment.tag", Before: "1.0.1", After: "1.0.2"}}
	if diff := cmp.Diff(want, result.Moves); diff != "" {
		t.Error(diff)
	}
	if b.repo.Head("lockkeeper/develop/frontend-dev-stage") != "" {
		t.Error("the run pushed by itself")
	}
	info, err := b.git.CommitInfo(t.Context(), string(result.Push.Head))
	if err != nil {
		t.Fatal(err)
	}
	wantMessage := "Update develop/frontend/instance.yaml\n\n- spec.values.deployment.tag: 1.0.1 → 1.0.2\n\n" +
		"Lockkeeper-Stage: develop/frontend-dev-stage\nLockkeeper-Freight: " + string(b.request(t, task, "1.0.2").Promotion.Freight) +
		"\nLockkeeper-Promotion: frontend-dev-stage.0001.abc\n"
	if diff := cmp.Diff(wantMessage, info.Message); diff != "" {
		t.Error(diff)
	}
	tree, err := b.git.Tree(t.Context(), string(result.Push.Head))
	if err != nil {
		t.Fatal(err)
	}
	edited, err := tree.ReadFile("develop/frontend/instance.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Replace(instance, `"1.0.1"`, `"1.0.2"`, 1), string(edited)); diff != "" {
		t.Error(diff)
	}
}

func TestTheSameRunGivesTheSameCommit(t *testing.T) {
	b := newBed(t)
	first, second := run1(t, b.request(t, task, "1.0.2")), run1(t, b.request(t, task, "1.0.2"))
	if first.Push.Head != second.Push.Head {
		t.Errorf("%s, then %s", first.Push.Head, second.Push.Head)
	}
}

func TestAfterTheMergeAnotherProcessGoesOn(t *testing.T) {
	b := newBed(t)
	request := b.request(t, task, "1.0.2")
	result := run1(t, request)
	request.Promotion.Results, request.Promotion.Head = result.Results, result.Push.Head
	merged := promote.Commit(b.repo.Commit("main", "Merge", map[string]string{
		"develop/frontend/instance.yaml": strings.Replace(instance, "1.0.1", "1.0.2", 1),
	}))
	// What crosses to the other process is what the ledger holds.
	data, err := json.Marshal(request.Promotion)
	if err != nil {
		t.Fatal(err)
	}
	var resumed promote.Promotion
	if err := json.Unmarshal(data, &resumed); err != nil {
		t.Fatal(err)
	}
	other := newRequestLike(t, request, resumed, b)
	other.Change = promote.Change{Number: 7, State: promote.ChangeMerged, Merged: merged}

	waiting := run1(t, other)
	if waiting.Wait != promote.WaitsDelivery {
		t.Fatalf("wait %v (%s), want delivery", waiting.Wait, waiting.Message)
	}
	want := []Application{{Name: "frontend-dev-app", Revision: merged}}
	if diff := cmp.Diff(want, waiting.Deliver.Applications); diff != "" {
		t.Errorf("the desired revision must be the merged commit: %s", diff)
	}

	other.Promotion.Results = waiting.Results
	other.Delivered = &Delivered{Message: "frontend-dev-app: Healthy"}
	done := run1(t, other)
	if got, want := statuses(done), "Succeeded Succeeded Succeeded Succeeded Succeeded Succeeded"; got != want || done.Wait != promote.WaitsNothing {
		t.Errorf("statuses %q, wait %v", got, done.Wait)
	}

	other.Delivered = &Delivered{Failed: true, Message: "frontend-dev-app: Degraded"}
	failed := run1(t, other)
	if !failed.Failed || !strings.Contains(failed.Message, "frontend-dev-app: Degraded") {
		t.Errorf("failed %v: %s", failed.Failed, failed.Message)
	}
}

func newRequestLike(t *testing.T, like Request, p promote.Promotion, b *bed) Request {
	t.Helper()
	fresh, err := git.Open(git.Config{URL: b.repo.URL, Author: git.Signature{Name: "bot", Email: "bot@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	b.repo.Git("update-ref", "refs/heads/lockkeeper/develop/frontend-dev-stage", b.repo.Head("main"))
	like.Promotion, like.Repository.Git = p, fresh
	return like
}

func TestNothingToChangeGoesStraightToDelivery(t *testing.T) {
	b := newBed(t)
	result := run1(t, b.request(t, task, "1.0.1"))
	if got, want := statuses(result), "Succeeded Succeeded Succeeded Skipped Skipped Running"; got != want {
		t.Fatalf("statuses %q, want %q", got, want)
	}
	if result.Push != nil || result.Wait != promote.WaitsDelivery || result.Deliver.Applications[0].Revision != promote.Commit(b.repo.Head("main")) {
		t.Errorf("push %+v, wait %v, deliver %+v", result.Push, result.Wait, result.Deliver)
	}
}

// explicit is a task that opens its change itself.
const explicit = `
- uses: git-clone
  as: step-1
  config: {repoURL: "${{ vars.gitopsRepo }}", checkout: [{branch: main, path: ./repo}]}
- uses: yaml-update
  as: update
  config:
    path: ./repo/develop/frontend/instance.yaml
    updates: [{key: spec.values.deployment.tag, value: "${{ imageFrom(vars.imageRepo).Tag }}"}]
- uses: git-commit
  as: commit
  config: {path: ./repo, messageFromSteps: [update]}
- uses: git-push
  as: push
  config: {path: ./repo, generateTargetBranch: true}
- uses: git-open-pr
  as: open-pr
  config:
    repoURL: ${{ vars.gitopsRepo }}
    sourceBranch: ${{ outputs.push.branch }}
    targetBranch: main
    title: Ship ${{ imageFrom(vars.imageRepo).Tag }}
    labels: [release]
- uses: git-wait-for-pr
  as: wait
  config: {repoURL: "${{ vars.gitopsRepo }}", prNumber: "${{ outputs['open-pr'].pr.id }}"}
- uses: argocd-update
  as: argo
  config: {apps: [{name: a, sources: [{repoURL: "${{ vars.gitopsRepo }}", desiredRevision: "${{ outputs.wait.commit }}"}]}]}
`

func TestATaskThatOpensItsOwnChangeIsFollowed(t *testing.T) {
	b := newBed(t)
	request := b.request(t, explicit, "1.10")
	opened := run1(t, request)
	if opened.Wait != promote.WaitsChange || opened.Push == nil || opened.Push.Title != "Ship 1.10" || opened.Push.Labels[0] != "release" {
		t.Fatalf("wait %v, push %+v: %s", opened.Wait, opened.Push, opened.Message)
	}
	apps, problems := Applications(request)
	if len(problems) != 0 || len(apps) != 1 || apps[0].Name != "a" {
		t.Errorf("applications before the merge: %+v, %v", apps, problems)
	}
	request.Promotion.Results, request.Promotion.Head = opened.Results, opened.Push.Head
	request.Change = promote.Change{Number: 7, URL: "u", State: promote.ChangeOpen}
	waiting := run1(t, request)
	if waiting.Wait != promote.WaitsMerge || waiting.Push != nil {
		t.Fatalf("wait %v, push %+v: %s", waiting.Wait, waiting.Push, waiting.Message)
	}
	request.Promotion.Results = waiting.Results
	merged := promote.Commit(b.repo.Commit("main", "Merge", map[string]string{"x": "y"}))
	request.Change.State, request.Change.Merged = promote.ChangeMerged, merged
	delivering := run1(t, request)
	if delivering.Wait != promote.WaitsDelivery || delivering.Deliver.Applications[0].Revision != merged {
		t.Errorf("wait %v, deliver %+v: %s", delivering.Wait, delivering.Deliver, delivering.Message)
	}
}

func TestATaskThatOpensItsOwnChangeHasNothingToOpenForWhatRunsAlready(t *testing.T) {
	b := newBed(t)
	result := run1(t, b.request(t, explicit, "1.0.1"))
	if got, want := statuses(result), "Succeeded Succeeded Skipped Skipped Skipped Skipped Running"; got != want {
		t.Fatalf("statuses %q, want %q: %s", got, want, result.Message)
	}
	if head := promote.Commit(b.repo.Head("main")); result.Wait != promote.WaitsDelivery || result.Deliver.Applications[0].Revision != head {
		t.Errorf("wait %v, deliver %+v", result.Wait, result.Deliver)
	}
}

func TestUnquotedTagsKeepTheirText(t *testing.T) {
	for _, tag := range []string{"1.10", "1e3", "2024_01_02", "t", "0320.1", "null", "1234567"} {
		t.Run(tag, func(t *testing.T) {
			b := newBed(t)
			result := run1(t, b.request(t, explicit, tag))
			if len(result.Moves) != 1 || result.Moves[0].After != tag {
				t.Fatalf("moves %+v: %s", result.Moves, result.Message)
			}
			tree, err := b.git.Tree(t.Context(), string(result.Push.Head))
			if err != nil {
				t.Fatal(err)
			}
			data, err := tree.ReadFile("develop/frontend/instance.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("tag: %q\n", tag); !strings.Contains(string(data), want) {
				t.Errorf("want %q in\n%s", want, data)
			}
		})
	}
}

func TestNumbersStayNumbers(t *testing.T) {
	b := newBed(t)
	request := b.request(t, strings.ReplaceAll(explicit,
		`{key: spec.values.deployment.tag, value: "${{ imageFrom(vars.imageRepo).Tag }}"}`,
		`{key: spec.values.deployment.replicas, value: "${{ vars.replicas }}"}`), "1.0.2")
	request.Promotion.Vars = append(request.Promotion.Vars, promote.Var{Name: "replicas", Value: "3"})
	result := run1(t, request)
	if result.Failed {
		t.Fatal(result.Message)
	}
	tree, err := b.git.Tree(t.Context(), string(result.Push.Head))
	if err != nil {
		t.Fatal(err)
	}
	data, err := tree.ReadFile("develop/frontend/instance.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), "replicas: 3\n") {
		t.Errorf("replicas is not the number 3:\n%s", data)
	}
}

// TestProblemsAreExplained holds a row for each way in which a task can be wrong.
func TestProblemsAreExplained(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown variable": {
			"warehouse(vars.warehouseName)", "warehouse(vars.wareHouseName)", `wareHouseName`,
		},
		"image.tag is no variable": {
			"quote(imageFrom(vars.imageRepo, warehouse(vars.warehouseName)).Tag)", "image.tag", `image`,
		},
		"freight has no such image": {
			"imageFrom(vars.imageRepo,", "imageFrom('docker.io/acme/backend',", `docker.io/acme/frontend`,
		},
		"file not found names what is there": {
			"path: ./repo/${{ vars.instancePath }}", "path: ./repo/develop/frontend/instnace.yaml",
			`"./repo/develop/frontend/instnace.yaml": no such file on main`,
		},
		"wrong checkout": {
			"path: ./repo/${{ vars.instancePath }}", "path: ./repository/${{ vars.instancePath }}",
			"no git-clone checked anything out there; checkouts: ./repo",
		},
		"path that climbs": {
			"path: ./repo/${{ vars.instancePath }}", "path: ./repo/../../etc/passwd", "leaves the promotion's directory",
		},
		"absolute path": {
			"path: ./repo/${{ vars.instancePath }}", "path: /etc/passwd", "leaves the promotion's directory",
		},
		"missing key": {
			"key: spec.values.deployment.tag", "key: spec.values.deployment.tga", "tga",
		},
		"unknown step": {
			"uses: yaml-update", "uses: yaml-updat", `there is no step "yaml-updat"; did you mean "yaml-update"?`,
		},
		"unknown key of a step": {
			"    message: ${{", "    mesage: ${{", `unknown key "mesage"; did you mean "message"?`,
		},
		"another repository": {
			"repoURL: ${{ vars.gitopsRepo }}\n    checkout", "repoURL: https://user:secret-token@elsewhere.example/x.git\n    checkout",
			`config.repoURL is "https://elsewhere.example/x.git"`,
		},
		"a key to sign with": {
			"    checkout: [", "    author: {name: a, email: a@example.com, signingKey: secret-token}\n    checkout: [",
			"give the key to the server, in the environment variable LOCKKEEPER_SIGNING_KEY",
		},
		"another branch": {
			"branch: main", "branch: production", `config.checkout.branch is "production"`,
		},
		"null value": {
			"${{ quote(imageFrom(vars.imageRepo, warehouse(vars.warehouseName)).Tag) }}", "${{ nil }}", "the value is null",
		},
		"nothing to push from": {
			"config: {path: ./repo}", "config: {path: ./repo/develop}", "is inside the checkout",
		},
		"unclosed expression": {
			"${{ quote(imageFrom(vars.imageRepo, warehouse(vars.warehouseName)).Tag) }}", "${{ quote(imageFrom(vars.imageRepo", "${{",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.ReplaceAll(task, c.old, c.new)
			if text == task {
				t.Fatal("the row changes nothing")
			}
			b := newBed(t)
			result := run1(t, b.request(t, text, "1.0.2"))
			if !result.Failed || !strings.Contains(result.Message, c.want) {
				t.Errorf("failed %v: %s\nwant %q", result.Failed, result.Message, c.want)
			}
			if strings.Contains(result.Message, "secret-token") || strings.Contains(result.Message, "<nil>") {
				t.Errorf("the message shows what it must not: %s", result.Message)
			}
			if result.Push != nil && result.Wait == promote.WaitsMerge {
				t.Error("a failed run proposes something")
			}
		})
	}
}

func TestStepsAfterAFailureRunOnlyWhenTheyAskTo(t *testing.T) {
	b := newBed(t)
	result := run1(t, b.request(t, `
- {uses: git-clone, as: step-1, config: {repoURL: "${{ vars.gitopsRepo }}", checkout: [{path: ./repo}]}}
- {uses: yaml-parse, as: bad, config: {path: ./repo/none.yaml, outputs: [{name: x, fromExpression: x}]}}
- {uses: yaml-parse, as: plain, config: {path: ./repo/develop/frontend/instance.yaml, outputs: [{name: x, fromExpression: kind}]}}
- uses: yaml-parse
  as: rescue
  if: ${{ failure() && status('bad') == 'Failed' }}
  config: {path: ./repo/develop/frontend/instance.yaml, outputs: [{name: x, fromExpression: kind}]}
`, "1.0.2"))
	if got, want := statuses(result), "Succeeded Failed Skipped Succeeded"; got != want || !result.Failed {
		t.Errorf("statuses %q, want %q; failed %v", got, want, result.Failed)
	}
}

func TestContinueOnErrorDoesNotFailThePromotion(t *testing.T) {
	b := newBed(t)
	result := run1(t, b.request(t, `
- {uses: git-clone, as: step-1, config: {repoURL: "${{ vars.gitopsRepo }}", checkout: [{path: ./repo}]}}
- {uses: yaml-parse, as: bad, continueOnError: true, config: {path: ./repo/none.yaml, outputs: [{name: x, fromExpression: x}]}}
- {uses: yaml-parse, as: next, config: {path: ./repo/develop/frontend/instance.yaml, outputs: [{name: x, fromExpression: kind}]}}
`, "1.0.2"))
	if got, want := statuses(result), "Succeeded Failed Succeeded"; got != want || result.Failed {
		t.Errorf("statuses %q, want %q; failed %v: %s", got, want, result.Failed, result.Message)
	}
}

func TestSameRepository(t *testing.T) {
	r := Repository{URLs: []string{"https://gitlab.com/your-name/your-repo.git"}}
	for url, want := range map[string]bool{
		"https://gitlab.com/your-name/your-repo.git":                true,
		"https://gitlab.com/your-name/your-repo":                    true,
		"https://oauth2:glpat-x@gitlab.com/your-name/your-repo.git": true,
		"https://@gitlab.com/your-name/your-repo.git":               true,
		"HTTPS://GitLab.com/Your-Name/your-repo.git/":               true,
		"git@gitlab.com:your-name/your-repo.git":                    true,
		"ssh://git@gitlab.com/your-name/your-repo.git":              true,
		"https://gitlab.com/your-name/your-repo2.git":               false,
		"https://gitlab.com.evil.example/your-name/your-repo.git":   false,
		"https://evil.example/gitlab.com/your-name/your-repo.git":   false,
		"https://evil.example/x@gitlab.com/your-name/your-repo.git": false,
		"": false,
	} {
		if got := r.sameRepository(url); got != want {
			t.Errorf("sameRepository(%q) = %v, want %v", url, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"./repo/a.yaml", "../x", "/x", "repo//..//..//x", "", ".", "a\\b", "a\x00b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		cleaned, err := clean(name)
		if err == nil && (strings.HasPrefix(cleaned, "/") || cleaned == ".." || strings.HasPrefix(cleaned, "../") || strings.Contains(cleaned, "/../")) {
			t.Errorf("clean(%q) = %q leaves the workspace", name, cleaned)
		}
	})
}

func TestComposedOutputIsTheTasksToo(t *testing.T) {
	b := newBed(t)
	result := run1(t, b.request(t, `
- {uses: compose-output, as: "build::out", config: {image: "a:${{ imageFrom(vars.imageRepo).Tag }}"}}
- uses: compose-output
  as: last
  config: {seen: "${{ outputs.build.image }}", whole: "${{ outputs['build::out'].image }}"}
`, "1.0.2"))
	if got, want := string(result.Results[1].Output), `{"seen":"a:1.0.2","whole":"a:1.0.2"}`; got != want || result.Failed {
		t.Errorf("output %s, want %s; %s", got, want, result.Message)
	}
}

func TestFailSaysWhatTheTaskSays(t *testing.T) {
	b := newBed(t)
	for config, want := range map[string]string{
		`{message: "no ${{ ctx.stage }} today"}`: "no frontend-dev-stage today",
		`{}`:                                     "gives no message",
	} {
		result := run1(t, b.request(t, "- {uses: fail, as: stop, config: "+config+"}\n", "1.0.2"))
		if !result.Failed || !strings.Contains(result.Message, want) {
			t.Errorf("%s: failed %v: %s", config, result.Failed, result.Message)
		}
	}
}
