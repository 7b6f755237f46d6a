package argocd

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// farmFiles is a repository with a file for each cluster and a folder for each add-on.
var farmFiles = map[string]string{
	"clusters/eu/one/config.json": `{"cluster": {"name": "eu-one", "server": "https://one"}, "size": 3}`,
	"clusters/us/two/config.yaml": "cluster: {name: us-two, server: 'https://two'}\nsize: 1\n",
	"clusters/list.yaml":          "- {cluster: {name: a}}\n- {cluster: {name: b}}\n",
	"clusters/empty.yaml":         "",
	"clusters/README.md":          "x",
	"addons/dns/x.yaml":           "",
	"addons/mesh/x.yaml":          "",
}

var known = []Cluster{
	{Name: "eu-one", Server: "https://one", Labels: map[string]string{"tier": "prod"}, Annotations: map[string]string{"owner": "ann"}},
	{Name: "US two", Server: "https://two", Labels: map[string]string{"tier": "test"}},
}

// made makes the Applications of one ApplicationSet and prints their names and what their sources and destinations say.
func madeOf(t *testing.T, spec string, clusters []Cluster) (apps, findings []string) {
	t.Helper()
	tree := fstest.MapFS{"apps.yaml": {Data: []byte(set(spec))}}
	for name, text := range farmFiles {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	files, err := manifest.Scan(t.Context(), tree, manifest.Query{Kinds: manifest.ArgoCD()})
	if err != nil {
		t.Fatal(err)
	}
	made, found, err := Applications(t.Context(), Input{Tree: tree, Files: files, RepoURLs: []string{ours}, Revision: "main", Clusters: clusters})
	if err != nil {
		t.Fatal(err)
	}
	for _, app := range made {
		text := app.Name + " " + app.Sources[0].Path
		if app.Destination.Server != "" {
			text += " " + app.Destination.Server
		}
		if values, err := yaml.Marshal(app.Sources[0].Helm); err == nil && app.Sources[0].Helm != nil {
			text += " " + strings.TrimSpace(string(values))
		}
		apps = append(apps, text)
	}
	for _, f := range found {
		findings = append(findings, f.String())
	}
	return apps, findings
}

func TestCombinedGenerators(t *testing.T) {
	template := func(name, path, server string) string {
		return "\n  template:\n    metadata: {name: '" + name + "'}\n    spec: {project: p, destination: {server: '" + server + "'}, source: {repoURL: " + ours + ", path: '" + path + "'}}\n"
	}
	files := func(paths string) string { return "git: {repoURL: " + ours + ", files: " + paths + "}" }
	addons := "git: {repoURL: " + ours + ", directories: [{path: addons/*}]}"
	const goTemplate = "  goTemplate: true\n  goTemplateOptions: [missingkey=error]\n"
	for name, c := range map[string]struct {
		spec     string
		want     []string
		findings []string
	}{
		"files, whose stars cross slashes": {
			"  generators: [{" + files("[{path: 'clusters/*/config.*'}]") + "}]" + template("{{cluster.name}}-{{size}}", "{{path}}/{{path.filename}}", "{{cluster.server}}"),
			[]string{"eu-one-3 clusters/eu/one/config.json https://one", "us-two-1 clusters/us/two/config.yaml https://two"},
			nil,
		},
		"files without those that are excluded": {
			"  generators: [{" + files("[{path: clusters/us, exclude: true}, {path: 'clusters/**/config.*'}]") + "}]" + template("{{cluster.name}}", "{{path[1]}}", ""),
			[]string{"eu-one eu"},
			nil,
		},
		"a list in a file": {
			goTemplate + "  generators: [{" + files("[{path: clusters/list.yaml}]") + "}]" + template("{{.cluster.name}}", "{{.path.basename}}-{{.path.filenameNormalized}}", ""),
			[]string{"a clusters-list.yaml", "b clusters-list.yaml"},
			nil,
		},
		"an empty file is one empty set": {
			goTemplate + "  generators: [{" + files("[{path: clusters/empty.yaml}]") + "}]" + template("{{.path.basename}}", "x", ""), []string{"clusters x"}, nil,
		},
		"a file that holds a text": {
			"  generators: [{" + files("[{path: clusters/README.md}]") + "}]" + template("a", "x", ""), nil,
			[]string{"clusters/README.md: error: is neither a mapping nor a list of mappings, so the git generator takes no parameters from it; write a mapping, or exclude the file [invalid-generator]"},
		},
		"files with a prefix and values": {
			goTemplate + "  generators: [{git: {repoURL: " + ours + ", pathParamPrefix: at, values: {v: '{{.at.path.basename}}!'}, files: [{path: 'clusters/eu/*'}]}}]" +
				template("{{.cluster.name}}", "{{.at.path.filename}}-{{.values.v}}", ""),
			[]string{"eu-one config.json-one!"},
			nil,
		},
		"a matrix of files and folders": {
			"  generators: [{matrix: {generators: [{" + files("[{path: 'clusters/*/config.*'}]") + "}, {list: {elements: [{addon: dns}, {addon: mesh}]}}]}}]" +
				template("{{cluster.name}}-{{addon}}", "addons/{{addon}}", "{{cluster.server}}"),
			[]string{"eu-one-dns addons/dns https://one", "eu-one-mesh addons/mesh https://one", "us-two-dns addons/dns https://two", "us-two-mesh addons/mesh https://two"},
			nil,
		},
		"the second generator of a matrix uses the first": {
			goTemplate + "  generators: [{matrix: {generators: [{list: {elements: [{region: eu}, {region: us}]}}, {git: {repoURL: " + ours + ", files: [{path: 'clusters/{{.region}}/*'}]}}]}}]" +
				template("{{.region}}-{{.cluster.name}}", "{{.path.path}}", ""),
			[]string{"eu-eu-one clusters/eu/one", "us-us-two clusters/us/two"},
			nil,
		},
		"in Go templates the first generator of a matrix wins": {
			goTemplate + "  generators: [{matrix: {generators: [{list: {elements: [{a: first, m: {x: '1'}}]}}, {list: {elements: [{a: second, b: b, m: {y: '2'}}]}}]}}]" +
				template("{{.a}}-{{.b}}", "{{.m.x}}{{.m.y}}", ""), []string{"first-b 12"}, nil,
		},
		"in plain templates they must not differ": {
			"  generators: [{matrix: {generators: [{list: {elements: [{a: first}]}}, {list: {elements: [{a: second}]}}]}}]" + template("{{a}}", "x", ""), nil,
			[]string{"apps.yaml:5:17: error: found duplicate key a with different value, a: first ,b: second [invalid-generator]"},
		},
		"a nested matrix with a selector inside": {
			"  generators: [{matrix: {generators: [{matrix: {generators: [{list: {elements: [{a: '1'}, {a: '2'}]}, selector: {matchLabels: {a: '2'}}}, {list: {elements: [{b: x}]}}]}}, {list: {elements: [{c: z}]}}]}}]" +
				template("n{{a}}{{b}}{{c}}", "x", ""), []string{"n2xz x"}, nil,
		},
		"a matrix of three": {
			"  generators: [{matrix: {generators: [{list: {elements: []}}, {list: {elements: []}}, {list: {elements: []}}]}}]" + template("a", "x", ""), nil,
			[]string{"apps.yaml:5:17: error: a matrix has two generators, and this one 3; nest a matrix in a matrix for more [invalid-generator]"},
		},
		"a matrix with folders, which are looked up": {
			"  generators: [{matrix: {generators: [{" + addons + "}, {list: {elements: [{s: t}]}}]}}]" + template("{{path.basename}}-{{s}}", "{{path}}", ""),
			[]string{"dns-t addons/dns", "mesh-t addons/mesh"},
			nil,
		},
		"a merge overrides what it finds and drops the rest": {
			"  generators: [{merge: {mergeKeys: [name], generators: [{list: {elements: [{name: a, v: '1', w: '1'}, {name: b, v: '1', w: '1'}]}}, {list: {elements: [{name: b, v: '2'}, {name: c, v: '2'}]}}]}}]" +
				template("{{name}}", "{{v}}{{w}}", ""), []string{"a 11", "b 21"}, nil,
		},
		"a merge of Go values goes deep": {
			goTemplate + "  generators: [{merge: {mergeKeys: [name], generators: [{list: {elements: [{name: a, m: {x: '1', y: '1'}}]}}, {list: {elements: [{name: a, m: {y: '2'}}]}}]}}]" +
				template("{{.name}}", "{{.m.x}}{{.m.y}}", ""), []string{"a 12"}, nil,
		},
		"a merge of sets that are not unique": {
			"  generators: [{merge: {mergeKeys: [name], generators: [{list: {elements: [{name: a}, {name: a}]}}, {list: {elements: []}}]}}]" + template("{{name}}", "x", ""), nil,
			[]string{`apps.yaml:5:17: error: the parameters of generator 1 are not unique by the merge keys name: {"name":"a"} is there twice [invalid-generator]`},
		},
		"a merge without keys": {
			"  generators: [{merge: {generators: [{list: {elements: []}}, {list: {elements: []}}]}}]" + template("a", "x", ""), nil,
			[]string{"apps.yaml:5:17: error: a merge needs mergeKeys, by which its generators' parameters belong together; add mergeKeys: [server] [invalid-generator]"},
		},
		"clusters, with Argo CD's own": {
			"  generators: [{clusters: {values: {tier: 'is {{metadata.labels.tier}}'}}}]" + template("{{nameNormalized}}", "x", "{{server}}"),
			[]string{"in-cluster x https://kubernetes.default.svc", "eu-one x https://one", "us-two x https://two"},
			nil,
		},
		"clusters by the label that all of their Secrets have": {
			"  generators: [{clusters: {selector: {matchLabels: {argocd.argoproj.io/secret-type: cluster}}}}]" + template("{{nameNormalized}}", "x", ""),
			[]string{"eu-one x", "us-two x"},
			nil,
		},
		"the values of the second generator of a matrix may use both": {
			goTemplate + "  generators: [{matrix: {generators: [{list: {elements: [{env: dev}]}}, {git: {repoURL: " + ours + ", directories: [{path: addons/*}], values: {n: '{{.path.basename}}-{{.env}}'}}}]}}]" +
				template("{{.values.n}}", "x", ""), []string{"dns-dev x", "mesh-dev x"}, nil,
		},
		"the values of a list in a matrix are those of the first generator": {
			"  generators: [{matrix: {generators: [{list: {elements: [{env: dev}]}}, {list: {elements: [{values: {n: 'in-{{env}}'}}]}}]}}]" + template("{{values.n}}", "x", ""),
			[]string{"in-dev x"},
			nil,
		},
		"clusters by their labels": {
			goTemplate + "  generators: [{clusters: {selector: {matchLabels: {tier: prod}}}}]" + template("{{.name}}", "{{.metadata.annotations.owner}}", ""), []string{"eu-one ann"}, nil,
		},
		"clusters as one list": {
			goTemplate + "  generators: [{clusters: {flatList: true, selector: {matchExpressions: [{key: tier, operator: Exists}]}}}]" +
				template("all", "{{range .clusters}}{{.nameNormalized}} {{end}}", ""), []string{"all eu-one us-two "}, nil,
		},
		"a patch of each Application": {
			goTemplate + "  templatePatch: |\n    spec:\n      project: other\n      source:\n        helm: {valueFiles: ['{{.a}}.yaml'], releaseName: null}\n" +
				"  generators: [{list: {elements: [{a: one}]}}]\n  template:\n    metadata: {name: 'x-{{.a}}'}\n    spec: {project: p, source: {repoURL: " + ours + ", path: x, helm: {releaseName: r, valueFiles: [z.yaml, y.yaml]}}}\n",
			[]string{"x-one x valueFiles:\n- one.yaml"},
			nil,
		},
		"a patch that is none": {
			"  templatePatch: '[]'\n  generators: [{list: {elements: [{a: one}]}}]" + template("{{a}}", "x", ""), nil,
			[]string{"apps.yaml:5:3: error: templatePatch does not make a mapping; write a patch of an Application [invalid-template]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			apps, findings := madeOf(t, c.spec, known)
			if diff := cmp.Diff(c.want, apps); diff != "" {
				t.Errorf("applications (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.findings, findings); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClusterOf(t *testing.T) {
	known := []Cluster{{Name: "edge", Server: "https://edge"}}
	for _, c := range []struct {
		destination Destination
		want        string
	}{
		{Destination{Server: "https://edge"}, "https://edge"},
		{Destination{Name: "edge"}, "https://edge"},
		{Destination{Name: "in-cluster"}, "https://kubernetes.default.svc"},
		{Destination{Name: "nobody-listed-it"}, "nobody-listed-it"},
		{Destination{}, ""},
	} {
		if got := ClusterOf(c.destination, known); got != c.want {
			t.Errorf("%+v is %q, want %q", c.destination, got, c.want)
		}
	}
}
