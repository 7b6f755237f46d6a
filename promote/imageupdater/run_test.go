package imageupdater_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/manifest/manifesttest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/imageupdater"
	"github.com/lockkeeper/lockkeeper/promote/step"
)

// TestStepsChangeWhatTheAnnotationsName runs the steps of an Application on a real repository, up to the change.
func TestStepsChangeWhatTheAnnotationsName(t *testing.T) {
	const (
		values     = "image:\n  repository: team/app # ours\n  tag: \"1.0\"\nlist:\n- ref: team/app:1.0\n\"by.name\":\n  \"0\": {tag: '1.0'}\n"
		overridden = "helm:\n  parameters:\n  - name: image.name\n    value: app\n    forcestring: true\n  - name: image.tag\n    value: \"1.0\"\n    forcestring: true\n"
		images     = "kustomize:\n  images:\n  - other:2\n  - upstream=team/app:1.0\n"
	)
	for _, test := range []struct {
		name        string
		annotations []string
		source      string            // beside repoURL and path
		files       map[string]string // beside the Application
		changed     string            // the file that is changed
		before      string
		after       string
	}{
		{
			name: "values of a file", annotations: []string{"write-back-method: git", "write-back-target: helmvalues", "a.helm.image-name: image.repository", "a.helm.image-tag: image.tag"},
			files: map[string]string{"apps/app/values.yaml": values}, changed: "apps/app/values.yaml", before: `tag: "1.0"`, after: `tag: "1.10"`,
		},
		{
			name: "an image in a list of values", annotations: []string{"write-back-method: git", "write-back-target: helmvalues:/values.yaml", "a.helm.image-spec: 'list[0].ref'"},
			files: map[string]string{"values.yaml": values}, changed: "values.yaml", before: "team/app:1.0", after: "team/app:1.10",
		},
		{
			name: "a key with a dot, and one that is a number", annotations: []string{"write-back-method: git", "write-back-target: helmvalues:/values.yaml", `a.helm.image-tag: 'by\.name.0.tag'`},
			files: map[string]string{"values.yaml": values}, changed: "values.yaml", before: "tag: '1.0'", after: "tag: '1.10'",
		},
		{
			name: "the digest of a tag", annotations: []string{"write-back-method: git", "write-back-target: helmvalues:/values.yaml", "a.update-strategy: digest", "a.helm.image-tag: image.tag"},
			files: map[string]string{"values.yaml": values}, changed: "values.yaml", before: `tag: "1.0"`, after: `tag: "1.10@sha256:aa"`,
		},
		{
			name: "parameters beside the manifests", annotations: []string{"write-back-method: git", "a.helm.image-tag: image.tag"},
			files:   map[string]string{"apps/app/.argocd-source-app.yaml": strings.Replace(overridden, "value: app", "value: team/app", 1)},
			changed: "apps/app/.argocd-source-app.yaml", before: `"1.0"`, after: `"1.10"`,
		},
		{
			name: "images beside the manifests", annotations: []string{"write-back-method: git", "a.kustomize.image-name: upstream"},
			files: map[string]string{"apps/app/.argocd-source-app.yaml": images}, changed: "apps/app/.argocd-source-app.yaml", before: "app:1.0", after: "app:1.10",
		},
		{
			name: "a parameter of the Application", source: ", helm: {parameters: [{name: x, value: y}, {name: image.tag, value: '1.0'}]}",
			changed: "app.yaml", before: "'1.0'", after: "'1.10'",
		},
		{
			name: "a value in the Application", annotations: []string{"a.helm.image-tag: web.tag"}, source: ", helm: {valuesObject: {web: {tag: '1.0'}}}",
			changed: "app.yaml", before: "'1.0'", after: "'1.10'",
		},
		{
			name: "an image of the Application", annotations: []string{"write-back-method: git", "write-back-target: application"}, source: ", kustomize: {images: ['team/app:1.0']}",
			changed: "app.yaml", before: "app:1.0", after: "app:1.10",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := gittest.NewServer(t)
			repo := server.Repo("gitops.git", map[string]string{"README.md": "x\n"})
			app := fmt.Sprintf("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: app\n  annotations:\n    %s\nspec:\n  source: {repoURL: %q, path: apps/app%s}\n",
				"argocd-image-updater.argoproj.io/"+strings.Join(append([]string{"image-list: a=team/app:1.10"}, test.annotations...), "\n    argocd-image-updater.argoproj.io/"),
				repo.URL, test.source)
			files := map[string]string{"app.yaml": app}
			maps.Copy(files, test.files)
			repo.Commit("main", "Add the Application", files)
			result, opened := runSteps(t, repo, files)
			if result.Push == nil || result.Failed {
				t.Fatalf("nothing to push: %s", result.Message)
			}
			tree, err := opened.Tree(t.Context(), string(result.Push.Head))
			if err != nil {
				t.Fatal(err)
			}
			got, err := tree.ReadFile(test.changed)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(files[test.changed], test.before, test.after, 1)
			if diff := cmp.Diff(want, string(got)); diff != "" || want == files[test.changed] {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// runSteps promotes image team/app:1.10 to the only stage that the files declare.
func runSteps(t *testing.T, repo *gittest.Repo, files map[string]string) (step.Result, *git.Repository) {
	t.Helper()
	var docs []manifest.Document
	for name, text := range files {
		docs = append(docs, manifesttest.Split(t, name, text)...)
	}
	pipelines, findings := imageupdater.Load(docs)
	if i := slices.IndexFunc(findings, func(f promote.Finding) bool { return f.Severity == promote.SeverityError }); i >= 0 {
		t.Fatal(findings[i])
	}
	opened, err := git.Open(git.Config{URL: repo.URL, Author: git.Signature{Name: "bot", Email: "bot@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	when, stage, head := time.Date(2026, 5, 2, 8, 34, 29, 0, time.UTC), pipelines[0].Stages[0], promote.Commit(repo.Head("main"))
	freight := promote.NewFreight(pipelines[0].Project, stage.Requests[0].Warehouse,
		promote.Artifacts{Images: []promote.Image{{RepoURL: "team/app", Tag: "1.10", Digest: "sha256:aa"}}}, when)
	ref := promote.StageRef{Project: pipelines[0].Project, Name: stage.Name}
	result, err := step.Run(t.Context(), step.Request{
		Repository: step.Repository{Git: opened, URLs: []string{repo.URL}, Branch: "main", Head: head},
		Promotion: promote.Promotion{
			ID: "app.0001.abc", Stage: ref, Number: 1, Freight: freight.ID, Base: head, Branch: promote.ProposalBranch(ref), Target: "main",
			Vars: stage.Vars, Steps: stage.Steps,
		},
		Freights: []promote.Freight{freight}, Warehouses: pipelines[0].Warehouses,
		When: when, Author: git.Signature{Name: "bot", Email: "bot@example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return result, opened
}
