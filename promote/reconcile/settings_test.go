package reconcile

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/render/check"
)

func TestProblemsOfSettingsHaveAPlace(t *testing.T) {
	pipelines := []promote.Pipeline{{Project: "develop", Stages: []promote.Stage{{Name: "web-dev"}, {Name: "web-prod"}}}}
	for _, c := range []struct {
		name, yaml string
		files      []string // beside kargo/stages.yaml and lockkeeper.yaml
		want       []string
	}{
		{"nothing wrong", "pipelines: [kargo, kargo/stages.yaml]\nstages: [{stage: develop/web-*, supersede: queue}]\n", nil, nil},
		{"a folder with a letter missing", "pipelines: [karg]\n", nil, []string{
			`lockkeeper.yaml:1:13: error: pipelines[0]: there is no file or folder "karg"; did you mean "kargo"? [settings]`,
		}},
		{"a file that is nowhere near", "applications:\n- kargo\n- argo/all.yaml\n", nil, []string{
			`lockkeeper.yaml:3:3: error: applications[1]: there is no file or folder "argo/all.yaml"; correct the path [settings]`,
		}},
		{"a pattern where folders are named", "definitions: ['kargo/*']\n", nil, []string{
			`lockkeeper.yaml:1:15: error: definitions[0]: there is no file or folder "kargo/*"; name folders and files, without patterns: what is in a folder is read, too [settings]`,
		}},
		{"a path that climbs", "pipelines: [../kargo]\n", nil, []string{
			`lockkeeper.yaml:1:13: error: pipelines[0]: "../kargo" is outside of the repository; write a path from its root on [settings]`,
		}},
		{"mistyped values, all of them at once", "stages:\n- stage: ''\n  group: A b\n- stage: develop/web-dev\n  supersede: qeue\n", nil, []string{
			`lockkeeper.yaml:2:10: error: stages[0].stage: "" is no stage; write project/stage, in which * stands for any part of a name [settings]`,
			`lockkeeper.yaml:3:10: error: stages[0].group: "A b" is no name of a group; use lower-case letters, digits and dashes [settings]`,
			`lockkeeper.yaml:5:14: error: stages[1].supersede: "qeue" is not known; did you mean "queue"? [settings]`,
		}},
		{"a stage that no pipeline has", "stages: [{stage: develop/web-pord}, {stage: develop/nope}, {stage: shop/*}, {stage: web-dev}]\n", nil, []string{
			`lockkeeper.yaml:1:18: warning: stages[0].stage: no stage is called "develop/web-pord"; did you mean "develop/web-prod"? [unknown-stage]`,
			`lockkeeper.yaml:1:45: warning: stages[1].stage: no stage is called "develop/nope"; correct or remove the entry; stages are written as project/stage [unknown-stage]`,
			`lockkeeper.yaml:1:68: warning: stages[2].stage: no stage is called "shop/*"; correct or remove the entry; stages are written as project/stage [unknown-stage]`,
			`lockkeeper.yaml:1:85: warning: stages[3].stage: no stage is called "web-dev"; correct or remove the entry; stages are written as project/stage [unknown-stage]`,
		}},
		{"targets of stages that no pipeline has", "targets:\n- {stage: develop/web-pord, directories: [kargo]}\n- {stage: devlop/web-prod, directories: [kargo]}\n", nil, []string{
			`lockkeeper.yaml:2:11: error: targets[0]: project "develop" has no stage "web-pord"; did you mean "web-prod"? [targets]`,
			`lockkeeper.yaml:3:11: error: targets[1]: there is no project "devlop"; did you mean "develop"? [targets]`,
		}},
		{"clusters that say too little, and a version that is none", "clusters:\n- name: eu\n- {name: us, server: https://us.example.com, kubernetesVersion: newest}\n", nil, []string{
			`lockkeeper.yaml:2:3: error: clusters[0]: the cluster has no name or no server; write both, as Argo CD's Secret of the cluster has them [settings]`,
			`lockkeeper.yaml:3:65: error: clusters[1].kubernetesVersion: "newest" is not a Kubernetes version; write one such as "1.34" [settings]`,
		}},
		{"places that are none", "fetch:\n- charts.example.com\n- oci://ghcr.io/acme\n- https://me:secret@example.com\n- https://example.com?x\n", nil, []string{
			`lockkeeper.yaml:2:3: error: fetch[0]: "charts.example.com" is no URL of a chart repository, a registry or a repository; write one such as https://charts.example.com or oci://ghcr.io/acme [settings]`,
			`lockkeeper.yaml:4:3: error: fetch[2]: the URL holds credentials; remove them: Lockkeeper has its own [settings]`,
			`lockkeeper.yaml:5:3: error: fetch[3]: "https://example.com?x" has more than a path; end it at the path [settings]`,
		}},
		{"checks that are off, without quotes", "checks: {schema: off}\n", nil, nil},
		{"checks that nobody knows", "checks: {schema: of}\n", nil, []string{
			`lockkeeper.yaml:1:18: error: checks.schema: "of" is not known; did you mean "off"? [settings]`,
		}},
		{"a forge that shows nothing", "forge: {deployments: off, review: off}\n", nil, nil},
		{"findings as threads", "forge: {threads: true}\n", nil, nil},
		{"threads that are neither on nor off", "forge: {threads: some}\n", nil, []string{
			`lockkeeper.yaml:1:18: error: value "some" of forge.threads is a string, not true or false [settings]`,
		}},
		{"words about the forge that nobody knows", "forge: {deployments: onn, review: everything}\n", nil, []string{
			`lockkeeper.yaml:1:22: error: forge.deployments: "onn" is not known; did you mean "on"? [settings]`,
			`lockkeeper.yaml:1:35: error: forge.review: "everything" is not known; write comment, status or off [settings]`,
		}},
		{"accounts that are none", "stages: [{stage: develop/web-dev, draft: true, assignees: ['@lea'], reviewers: [sam, acme/release, a/b/c]}]\n", nil, []string{
			`lockkeeper.yaml:1:60: error: stages[0].assignees[0]: "@lea" is no name of an account; write the name as the forge shows it, without @; a team of GitHub is org/team [settings]`,
			`lockkeeper.yaml:1:100: error: stages[0].reviewers[2]: "a/b/c" is no name of an account; write the name as the forge shows it, without @; a team of GitHub is org/team [settings]`,
		}},
		{"policies that say too little", "policies:\n- rule: 'true'\n- {name: a, rule: 'true', severity: fatal}\n- {name: a, match: {kinds: ['[']}}\n", nil, []string{
			`lockkeeper.yaml:2:3: error: policies[0]: the policy has no name; add one: it is told where the policy is broken [settings]`,
			`lockkeeper.yaml:3:37: error: policies[1].severity: "fatal" is not known; write error or warning [settings]`,
			`lockkeeper.yaml:4:10: error: policies[2].name: another policy is called "a"; rename one of them [settings]`,
			`lockkeeper.yaml:4:29: error: policies[2].match.kinds[0]: "[" is no pattern; write a name, in which * stands for any part [settings]`,
			`lockkeeper.yaml:4:3: error: policies[2]: the policy has no rule; write one such as object.spec.replicas >= 2 [settings]`,
		}},
		{"rules that are no CEL, at the place in them", "policies:\n- name: plain\n  rule: 1 == objekt.a\n- {name: quoted, rule: '1 == objekt.a'}\n- name: literal\n  rule: |\n    true &&\n    objekt.a\n- {name: folded, rule: 1 + 1}\n", nil, []string{
			`lockkeeper.yaml:3:14: error: policies[0].rule: the rule is no CEL: undeclared reference to 'objekt'; it sees object and oldObject [settings]`,
			`lockkeeper.yaml:4:30: error: policies[1].rule: the rule is no CEL: undeclared reference to 'objekt'; it sees object and oldObject [settings]`,
			`lockkeeper.yaml:8: error: policies[2].rule: the rule is no CEL: undeclared reference to 'objekt'; it sees object and oldObject [settings]`,
			`lockkeeper.yaml:9:24: error: policies[3].rule: the rule is int, not true or false; compare it with what it must be [settings]`,
		}},
		{
			"what no generator is told",
			"generators:\n- {applicationSet: '', kind: pullrequest}\n- applicationSet: s\n  kind: pullRequest\n  params: [{branch: 1.5, headsha: x}]\n- {applicationSet: s, kind: pullRequest}\napplicationSets: {newGitFileGlobbing: true}\n",
			nil,
			[]string{
				`lockkeeper.yaml:2:20: error: generators[0].applicationSet: "" is no name of an ApplicationSet; write its metadata.name [settings]`,
				`lockkeeper.yaml:2:30: error: generators[0].kind: "pullrequest" is no generator that has to be told its parameters; did you mean "pullRequest"? [settings]`,
				`lockkeeper.yaml:5:21: error: generators[1].params[0].branch: is not a string; add quotes [settings]`,
				`lockkeeper.yaml:5:35: error: generators[1].params[0].headsha: pullRequest has no such parameter; did you mean "head_sha"? [settings]`,
				`lockkeeper.yaml:6:3: error: generators[2]: pullRequest of "s" is told in generators[1] already; put the params together in one entry [settings]`,
			},
		},
		{"a mistyped key of what a generator is told", "generators: [{applicationset: s}]\n", nil, []string{
			`lockkeeper.yaml:1:15: error: unknown key "applicationset" in generators[0]; did you mean "applicationSet"? [settings]`,
		}},
		{"two documents", "stages: []\n---\nstages: []\n", nil, []string{
			`lockkeeper.yaml:3: error: expected one YAML document, found 2; put them together in one [settings]`,
		}},
		{"another ending, too", "stages: []\n", []string{"lockkeeper.yml"}, []string{
			`lockkeeper.yml: warning: lockkeeper.yml is not read; move what it says to lockkeeper.yaml, which is there, too, and remove it [settings]`,
		}},
		{"other names only", "", []string{"lockkeeper.yml", ".lockkeeper.yaml"}, []string{
			`lockkeeper.yml: warning: lockkeeper.yml is not read; rename it to lockkeeper.yaml [settings]`,
			`.lockkeeper.yaml: warning: .lockkeeper.yaml is not read; rename it to lockkeeper.yaml [settings]`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := fstest.MapFS{"kargo/stages.yaml": {}}
			if c.yaml != "" {
				tree[SettingsFile] = &fstest.MapFile{Data: []byte(c.yaml)}
			}
			for _, name := range c.files {
				tree[name] = &fstest.MapFile{Data: []byte("stages: []\n")}
			}
			settings, found := LoadSettings(tree)
			settings, more := settings.keepPaths(tree)
			found = append(append(found, more...), settings.unmatched(pipelines)...)
			found = append(found, settings.fanOut(pipelines, tree, nil)...)
			var got []string
			for _, f := range found {
				got = append(got, f.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAListOfLostPathsIsNotEverywhere(t *testing.T) {
	tree := fstest.MapFS{"kargo/stages.yaml": {}, SettingsFile: {Data: []byte("pipelines: [karg]\napplications: [kargo, argo]\n")}}
	settings, _ := LoadSettings(tree)
	settings, _ = settings.keepPaths(tree)
	got := [][]string{settings.Pipelines, settings.Applications, settings.Definitions}
	if diff := cmp.Diff([][]string{{SettingsFile}, {"kargo"}, nil}, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestAChangeDoesNotRenameAClusterOutOfAPolicy(t *testing.T) {
	base := fstest.MapFS{SettingsFile: {Data: []byte("clusters: [{name: production, server: \"https://[::1]:6443\"}]\n" +
		"policies: [{name: named, match: {clusters: [prod*]}, rule: \"true\"}, {name: everywhere, rule: \"true\"}]\n")}}
	head := fstest.MapFS{SettingsFile: {Data: []byte("clusters: [{name: other, server: \"https://[::1]:6443\"}]\n")}}
	policies := GateOptions(CompareOptions(base, head)).Checks.Policies
	if !policies[0].InCluster("other", "https://[::1]:6443") || policies[0].InCluster("other", "https://other.example.com") {
		t.Errorf("the policy is about %q", policies[0].Clusters)
	}
	if policies[1].Clusters != nil {
		t.Errorf("the policy about all clusters is about %q", policies[1].Clusters)
	}
}

func TestAChangeIsJudgedByTheChecksOfItsBase(t *testing.T) {
	base := fstest.MapFS{SettingsFile: {Data: []byte("policies: [{name: two, rule: object.spec.replicas >= 2}]\n")}}
	head := fstest.MapFS{SettingsFile: {Data: []byte("checks: {schema: off}\nclusters: [{name: eu, server: https://eu.example.com}]\n")}}
	options := GateOptions(CompareOptions(base, head))
	if diff := cmp.Diff(options.Base.Checks, options.Checks); diff != "" || len(options.Checks.Policies) != 1 {
		t.Errorf("checks (-base +head):\n%s", diff)
	}
	if len(options.Clusters) != 1 {
		t.Error("the clusters are not those of the head")
	}
	if local := CompareOptions(base, head); len(local.Checks.Policies) != 0 || local.Checks.Schema != check.ModeOff {
		t.Errorf("on the command line the files count: %+v", local.Checks)
	}
}
