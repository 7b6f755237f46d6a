package main

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/drift"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

const (
	folderStage = "develop/web-prod-stage"
	fleetStage  = "develop/web-fleet-stage"
)

// folders promotes the folder of a component: what develop had at a commit replaces what the target has, but for what is the
// target's own, which is taken from the target as it was.
const folders = `apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: web-files, namespace: develop}
spec:
  subscriptions:
    - git: {repoURL: https://gitlab.com/your-name/your-repo.git, branch: main, includePaths: [develop/web]}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: PromotionTask
metadata: {name: promote-folder, namespace: develop}
spec:
  vars:
    - {name: gitopsRepo, value: https://gitlab.com/your-name/your-repo.git}
    - {name: source, value: develop/web}
    - {name: target}
    - {name: own}
    - {name: keep}
  steps:
    - uses: git-clone
      config:
        repoURL: ${{ vars.gitopsRepo }}
        checkout:
          - {commit: "${{ commitFrom(vars.gitopsRepo).ID }}", path: ./src}
          - {branch: main, path: ./was}
          - {branch: main, path: ./out}
    - {uses: delete, config: {path: "./out/${{ vars.target }}"}}
    - {uses: copy, config: {inPath: "./src/${{ vars.source }}", outPath: "./out/${{ vars.target }}", ignore: "${{ vars.own }}"}}
    - {uses: copy, config: {inPath: "./was/${{ vars.target }}", outPath: "./out/${{ vars.target }}", ignore: "${{ vars.keep }}"}}
    - {uses: git-commit, config: {path: ./out, message: "Bring ${{ vars.source }} to ${{ vars.target }}"}}
    - {uses: git-push, config: {path: ./out}}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {name: web-prod-stage, namespace: develop}
spec:
  requestedFreight: [{origin: {kind: Warehouse, name: web-files}, sources: {direct: true}}]
  promotionTemplate:
    spec:
      vars:
        - {name: target, value: production/web}
        - {name: own, value: "scale.yaml\n*.md"}
        - {name: keep, value: "*\n!scale.yaml"}
      steps: [{task: {name: promote-folder}}]
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {name: web-fleet-stage, namespace: develop}
spec:
  requestedFreight: [{origin: {kind: Warehouse, name: web-files}, sources: {stages: [web-prod-stage]}}]
  promotionTemplate:
    spec:
      vars:
        - {name: target, value: "${{ target.params.path }}"}
        - {name: own, value: "*.md\n${{ target.name == 'eu-berlin' ? 'scale.yaml' : 'config/' }}"}
        - {name: keep, value: "*\n${{ target.name == 'eu-berlin' ? '!scale.yaml' : '!config' }}\n!config/*"}
      steps: [{task: {name: promote-folder}}]
`

const folderSettings = `targets:
- {stage: develop/web-fleet-stage, directories: [clusters/*/*/web], maxInFlight: 1}
drift:
- {from: develop/web, to: [production/web, clusters/eu/*/web], exclude: ["*.md", scale.yaml]}
- {from: develop/web, to: [clusters/us/*/web], exclude: ["*.md", config/]}
`

func webConfig(text string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {greeting: " + text + "}\n"
}

func webScale(most string) string {
	return "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec: {maxReplicas: " + most + "}\n"
}

// folderBed is a bed with a component that has a folder for each environment, in which production and two clusters are behind.
func folderBed(t *testing.T) *bed {
	t.Helper()
	b := newBed(t)
	policies := "  promotionPolicies:\n    - {stage: web-prod-stage, autoPromotionEnabled: true}\n    - {stage: web-fleet-stage, autoPromotionEnabled: true}\n"
	files := map[string]string{
		"kargo/web.yaml": folders, "lockkeeper.yaml": folderSettings,
		"kargo/project.yaml":          strings.Replace(b.text("main", "kargo/project.yaml"), "  promotionPolicies:\n", policies, 1),
		"develop/web/README.md":       "For developers.\n",
		"develop/web/config/one.yaml": webConfig("hello"),
		"develop/web/scale.yaml":      webScale("1"),
	}
	for dir, most := range map[string]string{"production/web": "10", "clusters/eu/berlin/web": "20", "clusters/us/boston/web": "30"} {
		files[dir+"/config/one.yaml"] = webConfig("hi from " + dir)
		files[dir+"/config/old.yaml"] = strings.Replace(webConfig("gone"), "name: web", "name: old", 1)
		files[dir+"/scale.yaml"] = webScale(most)
	}
	b.commit("main", files)
	b.redeploy()
	return b
}

// folder returns the files of a folder on main by name.
func (b *bed) folder(dir string) map[string]string {
	b.t.Helper()
	files := map[string]string{}
	tree := b.mainTree()
	err := fs.WalkDir(tree, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := tree.ReadFile(name)
		files[strings.TrimPrefix(name, dir+"/")] = string(data)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return files
}

func (b *bed) mainTree() *git.Tree {
	b.t.Helper()
	tree, err := b.repo.Tree(b.t.Context(), b.tip("main"))
	if err != nil {
		b.t.Fatal(err)
	}
	return tree
}

// drift returns what lockkeeper drift would print for main.
func (b *bed) drift() string {
	b.t.Helper()
	tree := b.mainTree()
	settings, findings := reconcile.LoadSettings(tree)
	if len(findings) > 0 {
		b.t.Fatalf("settings: %v", findings)
	}
	report, err := drift.Compare(b.t.Context(), drift.Request{Tree: tree, Rules: settings.DriftRules()})
	if err != nil {
		b.t.Fatal(err)
	}
	return drift.Text(report)
}

// onlyOpen returns the one open change of a stage and its targets.
func (b *bed) onlyOpen(o reconcile.Outcome, stage string) promote.Change {
	b.t.Helper()
	var open []promote.Change
	for _, change := range o.State.Changes {
		if change.State == promote.ChangeOpen && strings.HasPrefix(string(change.Branch), "lockkeeper/"+stage) {
			open = append(open, change)
		}
	}
	if len(open) != 1 {
		b.t.Fatalf("open changes of %s: %+v\n%s", stage, open, o.Plan)
	}
	return open[0]
}

func isOpen(branch string) func(reconcile.Outcome) bool {
	return func(o reconcile.Outcome) bool { _, ok := openOf(o, branch); return ok }
}

// A component goes from one environment to the next by its folder, and from there to one cluster after the other.
func TestFoldersArePromoted(t *testing.T) {
	t.Parallel()
	b := folderBed(t)
	if before := b.drift(); !strings.HasPrefix(before, "3 of 3 pairs of folders drift.\n") {
		t.Errorf("drift before:\n%s", before)
	}
	change := b.onlyOpen(b.until("production to be proposed", isOpen(folderStage)), folderStage)
	request := b.mergeRequests()[change.Number-1]
	contains(t, request.Description, "removed `ConfigMap old`", "- data.greeting: hi from production/web", "+ data.greeting: hello")
	if b.folder("production/web")["config/one.yaml"] != webConfig("hi from production/web") {
		t.Error("main was changed without a merge")
	}
	b.you.merge(change)
	outcome := b.until("the first cluster to be proposed", isOpen(fleetStage+".eu-berlin"))
	want := map[string]string{"config/one.yaml": webConfig("hello"), "scale.yaml": webScale("10")}
	if d := cmp.Diff(want, b.folder("production/web")); d != "" {
		t.Errorf("production (-want +got):\n%s", d)
	}
	b.you.merge(b.onlyOpen(outcome, fleetStage))
	outcome = b.until("the second cluster to be proposed", isOpen(fleetStage+".us-boston"))
	want["scale.yaml"] = webScale("20")
	if d := cmp.Diff(want, b.folder("clusters/eu/berlin/web")); d != "" {
		t.Errorf("berlin (-want +got):\n%s", d)
	}
	b.you.merge(b.onlyOpen(outcome, fleetStage))
	b.until("the second cluster to be done", func(o reconcile.Outcome) bool {
		all := promotions(o, fleetStage+".us-boston")
		return len(all) == 1 && strings.HasSuffix(all[0], string(promote.PhaseSucceeded))
	})
	want = map[string]string{
		"config/one.yaml": webConfig("hi from clusters/us/boston/web"), "scale.yaml": webScale("1"),
		"config/old.yaml": strings.Replace(webConfig("gone"), "name: web", "name: old", 1),
	}
	if d := cmp.Diff(want, b.folder("clusters/us/boston/web")); d != "" {
		t.Errorf("boston (-want +got):\n%s", d)
	}
	after := "No drift: 3 pairs of folders are alike.\n\n" +
		"develop/web → clusters/eu/berlin/web: alike (left out: *.md, scale.yaml)\n\n" +
		"develop/web → production/web: alike (left out: *.md, scale.yaml)\n\n" +
		"develop/web → clusters/us/boston/web: alike (left out: *.md, config/)\n"
	if d := cmp.Diff(after, b.drift()); d != "" {
		t.Errorf("drift (-want +got):\n%s", d)
	}
}

// TestPushesMakeGitWarehousesLook: no interval has to pass, whatever spelling of the URL a warehouse and a webhook use.
func TestPushesMakeGitWarehousesLook(t *testing.T) {
	t.Parallel()
	b := folderBed(t)
	b.sweep()
	found := func(o reconcile.Outcome) string {
		t.Helper()
		for _, d := range o.State.Discoveries {
			if d.Warehouse == "web-files" && len(d.Commits) == 1 {
				return string(d.Commits[0].ID)
			}
		}
		t.Fatalf("web-files found nothing: %+v", o.State.Discoveries)
		return ""
	}
	for _, c := range []struct {
		name  string
		event promote.Event
		looks bool
	}{
		{"a push to a branch", promote.Event{Kind: promote.EventPush, Branch: "main"}, true},
		{"something new in the repository", promote.Event{Kind: promote.EventArtifact, Image: strings.ToUpper(strings.TrimSuffix(b.repo.URL(), ".git"))}, true},
		{"the same by SSH", promote.Event{Kind: promote.EventArtifact, Image: strings.Replace(b.repo.URL(), "http://", "ssh://git@", 1)}, true},
		{"something new elsewhere", promote.Event{Kind: promote.EventArtifact, Image: "https://gitlab.com/your-name/other.git"}, false},
		{"a change that was opened", promote.Event{Kind: promote.EventChange, Change: 7000}, false},
	} {
		before := found(b.run(promote.Event{Kind: promote.EventArtifact}))
		pushed := b.commit("main", map[string]string{"develop/web/config/one.yaml": webConfig(c.name)})
		got := found(b.run(c.event))
		if want := map[bool]string{true: pushed, false: before}[c.looks]; got != want {
			t.Errorf("%s: it found %s, want %s", c.name, got, want)
		}
	}
}
