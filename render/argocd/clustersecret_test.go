package argocd

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// clusterSecrets are Secrets of clusters in every form, and some that are none.
const clusterSecrets = `apiVersion: v1
kind: Secret
metadata:
  name: cluster-eu
  namespace: argocd
  labels: {argocd.argoproj.io/secret-type: cluster, tier: prod}
  annotations: {owner: ann}
stringData: {name: eu, server: "https://eu", project: shop, config: '{"bearerToken": "very-secret"}'}
---
apiVersion: v1
kind: Secret
metadata: {name: cluster-us, labels: {argocd.argoproj.io/secret-type: cluster}}
data: {name: dXM=, server: aHR0cHM6Ly91cw==, config: e30=}
---
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: sealed, namespace: argocd}
spec:
  encryptedData: {server: AgB, config: AgB}
  template:
    metadata: {labels: {argocd.argoproj.io/secret-type: cluster, tier: sealed}}
    data: {name: asia}
---
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: all-sealed}
spec:
  encryptedData: {name: AgB, server: AgB, config: AgB}
  template:
    metadata: {labels: {argocd.argoproj.io/secret-type: cluster, tier: all-sealed}}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: external}
spec:
  target:
    template:
      metadata: {labels: {argocd.argoproj.io/secret-type: cluster, tier: external}}
      data: {name: africa, server: "{{ .server }}", config: "{{ .config }}"}
---
apiVersion: v1
kind: Secret
metadata: {name: repo, labels: {argocd.argoproj.io/secret-type: repository}}
stringData: {name: repo, url: "https://example.com"}
---
apiVersion: v1
kind: Secret
metadata: {name: other, annotations: {argocd.argoproj.io/secret-type: cluster}}
stringData: {name: other, server: "https://other"}
`

func TestKnownClusters(t *testing.T) {
	tree := fstest.MapFS{"clusters.yaml": {Data: []byte(clusterSecrets)}}
	files := scanned(t, tree)
	label := func(tier string) map[string]string {
		labels := map[string]string{"argocd.argoproj.io/secret-type": "cluster"}
		if tier != "" {
			labels["tier"] = tier
		}
		return labels
	}
	eu := Cluster{Name: "eu", Server: "https://eu", Project: "shop", Labels: label("prod"), Annotations: map[string]string{"owner": "ann"}}
	us := Cluster{Name: "us", Server: "https://us", Labels: label("")}
	asia, africa := Cluster{Name: "asia", Labels: label("sealed")}, Cluster{Name: "africa", Labels: label("external")}
	tests := []struct {
		name     string
		settings []Cluster
		want     []Cluster
		unnamed  int
	}{
		{"of the Secrets alone", nil, []Cluster{eu, us, asia, africa}, 1},
		{
			"the settings come first and fill in what is sealed",
			[]Cluster{{Name: "asia", Server: "https://asia"}, {Name: "mars", Server: "https://mars"}},
			[]Cluster{{Name: "asia", Server: "https://asia", Labels: asia.Labels}, {Name: "mars", Server: "https://mars"}, eu, us, africa},
			1,
		},
		{
			"the settings win",
			[]Cluster{{Name: "eu", Server: "https://other", Labels: map[string]string{"tier": "test"}}},
			[]Cluster{{Name: "eu", Server: "https://other", Project: "shop", Labels: map[string]string{"tier": "test"}, Annotations: eu.Annotations}, us, asia, africa},
			1,
		},
		{
			"a Secret without a name is the cluster that is called as it is",
			[]Cluster{{Name: "all-sealed", Server: "https://x"}},
			[]Cluster{{Name: "all-sealed", Server: "https://x", Labels: label("all-sealed")}, eu, us, asia, africa},
			0,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFleet(test.settings, files)
			if diff := cmp.Diff(test.want, f.clusters); diff != "" {
				t.Errorf("clusters (-want +got):\n%s", diff)
			}
			if len(f.unnamed) != test.unnamed || len(f.findings) > 0 {
				t.Errorf("%d without a name, want %d; findings %v", len(f.unnamed), test.unnamed, f.findings)
			}
			if text := fmt.Sprint(f); strings.Contains(text, "very-secret") || strings.Contains(text, "bearerToken") {
				t.Errorf("credentials are kept: %s", text)
			}
		})
	}
}

func TestClustersOfSecrets(t *testing.T) {
	template := func(server string) string {
		return "\n  template:\n    metadata: {name: 'a-{{nameNormalized}}'}\n    spec: {project: '{{metadata.labels.tier}}', destination: {server: '" + server + "', namespace: ns}, source: {repoURL: " + ours + ", path: x}}\n"
	}
	const unnamed = `apps.yaml:5:17: warning: clusters.yaml:24 makes the Secret of a cluster whose name cannot be read: its applications are not shown; ` +
		`write the name in the open, under data of the Secret's template, or list the cluster in lockkeeper.yaml under clusters [not-evaluated-offline]`
	tests := []struct {
		name           string
		spec           string
		secrets        string
		apps, findings []string
	}{
		{
			"by a label", "  generators: [{clusters: {selector: {matchLabels: {tier: prod}}}}]" + template("{{server}}"), clusterSecrets,
			[]string{"a-eu prod https://eu"},
			[]string{unnamed},
		},
		{
			"a server that is sealed is shown by the cluster's name, and told",
			"  generators: [{clusters: {selector: {matchLabels: {tier: sealed}}}}]" + template("{{server}}"), clusterSecrets,
			[]string{"a-asia sealed name asia"},
			[]string{
				unnamed,
				`apps.yaml:8:71: warning: the server of cluster "asia" is not readable in this repository; write {name: asia, server: …} in lockkeeper.yaml under clusters [known-only-in-cluster]`,
			},
		},
		{
			"where nobody asks for it nothing is told",
			"  generators: [{clusters: {selector: {matchLabels: {tier: external}}}}]" + template("https://{{name}}"), clusterSecrets,
			[]string{"a-africa external https://africa"},
			[]string{unnamed},
		},
		{
			"a name of the wrong type is told without what is in the Secret",
			"  generators: [{clusters: {}}]" + template("x"),
			"apiVersion: v1\nkind: Secret\nmetadata: {name: c, labels: {argocd.argoproj.io/secret-type: cluster}}\nstringData: {name: [1], config: very-secret}\n",
			nil,
			[]string{
				`apps.yaml:5:17: warning: generator cannot be evaluated offline: clusters are only known to Argo CD; list them in lockkeeper.yaml under clusters [not-evaluated-offline]`,
				`clusters.yaml:4:20: error: value […] of stringData.name is a list, not a string [invalid-cluster-secret]`,
			},
		},
		{
			"data that is not base64 is not there",
			"  generators: [{clusters: {}}]" + template("x"),
			"apiVersion: v1\nkind: Secret\nmetadata: {name: c, labels: {argocd.argoproj.io/secret-type: cluster}}\ndata: {name: '%', config: very-secret}\n",
			nil,
			[]string{
				strings.Replace(unnamed, ":24", ":1", 1),
				`apps.yaml:5:17: warning: generator cannot be evaluated offline: clusters are only known to Argo CD; list them in lockkeeper.yaml under clusters [not-evaluated-offline]`,
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			apps, findings := applicationsOf(t, NewMemory(100), fstest.MapFS{"apps.yaml": {Data: []byte(set(test.spec))}, "clusters.yaml": {Data: []byte(test.secrets)}})
			var got []string
			for _, app := range apps {
				where := app.Destination.Server
				if app.Destination.Name != "" {
					where += "name " + app.Destination.Name
				}
				got = append(got, app.Name+" "+app.Project+" "+where)
			}
			if diff := cmp.Diff(test.apps, got); diff != "" {
				t.Errorf("applications (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.findings, findings); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// applicationsOf makes the Applications of a tree.
func applicationsOf(t *testing.T, memory *Memory, tree fstest.MapFS) ([]Application, []string) {
	t.Helper()
	return applicationsIn(t, Input{Tree: tree, Files: scanned(t, tree), RepoURLs: []string{ours}, Revision: "main", Memory: memory})
}

// scanned finds the manifests of a tree.
func scanned(t *testing.T, tree fstest.MapFS) []manifest.File {
	t.Helper()
	files, err := manifest.Scan(t.Context(), tree, manifest.Query{Kinds: manifest.ArgoCD()})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func applicationsIn(t *testing.T, in Input) (apps []Application, findings []string) {
	t.Helper()
	apps, found, err := Applications(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		findings = append(findings, f.String())
	}
	return apps, findings
}

// What a document makes depends on more than the document: nothing of it may be forgotten.
func TestAMemoryKnowsWhatGeneratorsAreTold(t *testing.T) {
	tree := fstest.MapFS{"a/b/x.yaml": {Data: []byte("n: deep\n")}, "a/x.yaml": {Data: []byte("n: flat\n")}}
	add := func(name, generators string) {
		tree[name+".yaml"] = &fstest.MapFile{Data: []byte("apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: " + name + "}\nspec:\n  goTemplate: true\n  generators: " + generators +
			"\n  template: {metadata: {name: '" + name + "-{{.n}}{{.name}}'}, spec: {source: {repoURL: " + ours + ", path: x}}}\n")}
	}
	add("clustered", "[{clusters: {}}]")
	add("escaped", `[{"cl\u0075sters": {}}]`)
	add("plugged", "[{plugin: {}}]")
	add("globbed", "[{git: {repoURL: "+ours+", files: [{path: 'a/*.yaml'}]}}]")
	tree["secret.yaml"] = &fstest.MapFile{}
	memory := NewMemory(1000)
	steps := []struct {
		name   string
		change func(*Input)
		secret string
	}{
		{"nothing is told", func(*Input) {}, ""},
		{"clusters", func(in *Input) { in.Clusters = known }, ""},
		{"other clusters", func(in *Input) { in.Clusters = known[:1] }, ""},
		{"a Secret", func(*Input) {}, "apiVersion: v1\nkind: Secret\nmetadata: {name: c, labels: {argocd.argoproj.io/secret-type: cluster}}\nstringData: {name: eu}\n"},
		{"another Secret", func(*Input) {}, "apiVersion: v1\nkind: Secret\nmetadata: {name: c, labels: {argocd.argoproj.io/secret-type: cluster}}\nstringData: {name: us}\n"},
		{"a fixture", func(in *Input) {
			in.Fixtures = []Fixture{{ApplicationSet: "plugged", Kind: "plugin", Params: []map[string]any{{"n": "one"}}}}
		}, ""},
		{"another fixture", func(in *Input) {
			in.Fixtures = []Fixture{{ApplicationSet: "plugged", Kind: "plugin", Params: []map[string]any{{"n": "two"}}}}
		}, ""},
		{"another globbing", func(in *Input) { in.NewGitFileGlobbing = true }, ""},
		{"nothing is told again", func(*Input) {}, ""},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			tree["secret.yaml"].Data = []byte(step.secret)
			in := Input{Tree: tree, Files: scanned(t, tree), RepoURLs: []string{ours}, Revision: "main"}
			step.change(&in)
			wantApps, wantFindings := applicationsIn(t, in)
			in.Memory = memory
			for range 2 {
				apps, findings := applicationsIn(t, in)
				if diff := cmp.Diff([]any{wantApps, wantFindings}, []any{apps, findings}); diff != "" {
					t.Errorf("outcome (-without memory +with):\n%s", diff)
				}
			}
		})
	}
}

func FuzzClusterSecret(f *testing.F) {
	for doc := range strings.SplitSeq(clusterSecrets, "---\n") {
		f.Add(doc)
	}
	f.Add("kind: Secret\napiVersion: v1\nmetadata: {labels: {argocd.argoproj.io/secret-type: cluster}}\ndata: {name: [], server: 5}\n")
	f.Fuzz(func(t *testing.T, text string) {
		docs, _ := manifest.Split("f.yaml", []byte(text))
		files := []manifest.File{{Path: "f.yaml", Documents: docs}}
		clusters := KnownClusters([]Cluster{{Name: "eu", Server: "https://eu"}}, files)
		if len(clusters) == 0 || clusters[0].Name != "eu" || clusters[0].Server != "https://eu" {
			t.Errorf("the settings do not win: %v", clusters)
		}
		for _, c := range clusters {
			if c.Name == "" || tagged(c.Server) {
				t.Errorf("cluster %q at %q", c.Name, c.Server)
			}
		}
	})
}
