package reconcile

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/render/argocd"
)

func clusterTree() fstest.MapFS {
	return fstest.MapFS{
		"clusters/eu/berlin/values.yaml": {}, "clusters/eu/Paris_1/values.yaml": {}, "clusters/us/boston/values.yaml": {},
		"clusters/README.md": {},
	}
}

func TestTargetsAreFound(t *testing.T) {
	apps := []argocd.Application{
		{Name: "web-b", Namespace: "argocd", Labels: map[string]string{"app": "web", "tier": "edge"}, Sources: []argocd.Source{{Path: "b"}}},
		{Name: "web-a", Labels: map[string]string{"app": "web", "tier": "edge"}},
		{Name: "api", Labels: map[string]string{"app": "api", "tier": "edge"}},
		{Name: "plain"},
	}
	for _, c := range []struct {
		name  string
		entry TargetSettings
		want  []string // name path
	}{
		{"folders, called as what the pattern leaves open", TargetSettings{Directories: []string{"clusters/*/*"}}, []string{
			"eu-berlin clusters/eu/berlin", "eu-paris-1 clusters/eu/Paris_1", "us-boston clusters/us/boston",
		}},
		{"files are no targets", TargetSettings{Directories: []string{"clusters/*"}}, []string{"eu clusters/eu", "us clusters/us"}},
		{"some are left out", TargetSettings{Directories: []string{"clusters/*/*"}, Exclude: []string{"eu-*"}}, []string{"us-boston clusters/us/boston"}},
		{"a folder that two patterns match counts once", TargetSettings{Directories: []string{"clusters/us/*", "clusters/us/bos*"}}, []string{"boston clusters/us/boston"}},
		{"a pattern without anything open", TargetSettings{Directories: []string{"clusters/eu"}}, []string{"eu clusters/eu"}},
		{"applications that have all the labels", TargetSettings{Applications: map[string]string{"app": "web", "tier": "edge"}}, []string{"web-a ", "web-b b"}},
		{"nothing", TargetSettings{Directories: []string{"none/*"}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			targets, clash := c.entry.find(clusterTree(), apps)
			if clash != "" {
				t.Error(clash)
			}
			for _, target := range targets {
				got = append(got, target.Name+" "+target.Params["path"])
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTargetsThatCannotBeToldApart(t *testing.T) {
	for name, files := range map[string][]string{
		"equal names": {"clusters/eu/west-1/a", "clusters/eu-west/1/a"}, "no name": {"clusters/_/_/a"},
	} {
		tree := fstest.MapFS{}
		for _, file := range files {
			tree[file] = &fstest.MapFile{}
		}
		if _, clash := (TargetSettings{Directories: []string{"clusters/*/*"}}).find(tree, nil); clash == "" {
			t.Errorf("%s: nothing is said", name)
		}
	}
}

func TestTargetSettingsAreChecked(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		"no stage":         {"targets: [{directories: [a/*]}]", `lockkeeper.yaml:1:11: targets[0].stage: stage "": expected project/stage`},
		"no place":         {"targets: [{stage: shop/dev}]", "neither directories nor applications"},
		"both places":      {"targets: [{stage: shop/dev, directories: [a], applications: {a: b}}]", "exclude each other"},
		"negative":         {"targets: [{stage: shop/dev, directories: [a], maxInFlight: -1}]", "maxInFlight -1"},
		"broken glob":      {"targets: [{stage: shop/dev, directories: ['a[']}]", `"a[" is not a glob`},
		"glob that climbs": {"targets: [{stage: shop/dev, directories: [../*]}]", `"../*" is not a glob`},
		"no duration":      {"targets: [{stage: shop/dev, directories: [a], pause: soon}]", `targets[0].pause: pause "soon" is not a duration`},
		"unknown key":      {"targets: [{stage: shop/dev, directory: a}]", "directory"},
		"supersede":        {"stages: [{stage: shop/dev, supersede: never}]", `lockkeeper.yaml:1:39: stages[0].supersede: "never" is not known; write update, new or queue`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readSettings(fstest.MapFS{SettingsFile: {Data: []byte(c.yaml)}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestFanOutReportsWhatComesToNothing(t *testing.T) {
	pipelines := []promote.Pipeline{{Project: "shop", Stages: []promote.Stage{{Name: "dev"}}}}
	settings := Settings{Targets: []TargetSettings{
		{Stage: "bank/dev", Directories: []string{"clusters/*"}},
		{Stage: "shop/prod", Directories: []string{"clusters/*"}},
		{Stage: "shop/dev", Directories: []string{"nothing/*"}},
		{Stage: "shop/dev", Directories: []string{"clusters/*"}, MaxInFlight: 1, Pause: "1m"},
	}}
	var got []string
	for _, f := range settings.fanOut(pipelines, clusterTree(), nil) {
		got = append(got, f.Message)
	}
	want := []string{
		`targets[0]: there is no project "bank"`, `targets[1]: project "shop" has no stage "prod"`,
		"targets[2]: nothing in the repository matches, so the stage has no target",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(pipelines[0].Stages) != 2 || pipelines[0].Stages[0].Name != "dev.eu" {
		t.Errorf("stages: %v", pipelines[0].Stages)
	}
}
