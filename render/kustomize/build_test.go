package kustomize

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - image: acme/web:1
        name: web
        envFrom:
        - configMapRef: {name: settings}
`

func tree(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return out
}

// chart is a vendored chart below dir.
func chart(dir string) map[string]string {
	return map[string]string{
		dir + "/Chart.yaml":  "apiVersion: v2\nname: redis\nversion: 17.0.0\n",
		dir + "/values.yaml": "port: 6379\nhost: h\n",
		dir + "/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  namespace: {{ .Release.Namespace }}\ndata:\n  v: \"{{ .Values.port }}{{ .Values.host }}{{ .Values.extra }}\"\n" +
			"---\napiVersion: v1\nkind: Service\nmetadata: {name: plain}\n",
	}
}

func with(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

// TestAgainstKrusty builds the same tree with kustomize's own file system in memory.
func TestAgainstKrusty(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		dir   string
	}{
		{"one file", map[string]string{"kustomization.yaml": "resources: [d.yaml]\nnamePrefix: x-\n", "d.yaml": deployment}, "."},
		{"the other names", map[string]string{"a/Kustomization": "resources: [../b]\n", "b/kustomization.yml": "resources: [d.yaml]\nnamespace: ns\n", "b/d.yaml": deployment}, "a"},
		{
			"overlay, component, patches, images, replicas, labels", map[string]string{
				"base/kustomization.yaml": "resources: [d.yaml, /shared/s.yaml]\n", "base/d.yaml": deployment, "shared/s.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n",
				"prod/eu/kustomization.yaml": "resources: [../../base]\ncomponents: [../../c]\nnamespace: prod\nimages: [{name: acme/web, newTag: '2'}]\nreplicas: [{name: web, count: 3}]\nlabels: [{pairs: {a: b}}]\npatches:\n- path: p.yaml\n- target: {kind: Service}\n  patch: '[{\"op\": \"add\", \"path\": \"/metadata/annotations\", \"value\": {\"u\": \"https://example.com\"}}]'\n",
				"prod/eu/p.yaml":             "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {paused: true}\n",
				"c/kustomization.yaml":       "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatchesStrategicMerge:\n- |-\n  apiVersion: v1\n  kind: Service\n  metadata: {name: web, labels: {c: https://x}}\n",
			}, "prod/eu",
		},
		{
			"generators with hashes", map[string]string{
				"kustomization.yaml": "resources: [d.yaml]\nconfigMapGenerator:\n- name: settings\n  files: [a.txt, k=dir/b.bin]\n  envs: [e.env]\n  literals: [url=https://example.com]\nsecretGenerator: [{name: s, literals: [a=b]}]\n",
				"d.yaml":             deployment, "a.txt": "x & *y\n", "dir/b.bin": "\x00\xff", "e.env": "A=1\n",
			}, ".",
		},
		{
			"replacements, crds, configurations and built-in plugins", map[string]string{
				"kustomization.yaml": "resources: [d.yaml]\nreplacements: [{path: r.yaml}]\nconfigurations: [c.yaml]\ntransformers:\n- t.yaml\n- |-\n  apiVersion: builtin\n  kind: AnnotationsTransformer\n  metadata: {name: a}\n  annotations: {link: https://example.com}\n  fieldSpecs: [{path: metadata/annotations, create: true}]\n",
				"r.yaml":             "source: {kind: Deployment, fieldPath: metadata.name}\ntargets: [{select: {kind: Deployment}, fieldPaths: ['spec.template.spec.containers.0.name']}]\n",
				"c.yaml":             "namePrefix: [{path: metadata/name}]\n", "t.yaml": "apiVersion: builtin\nkind: PrefixTransformer\nmetadata: {name: p}\nprefix: p-\nfieldSpecs: [{path: metadata/name}]\n", "d.yaml": deployment,
			}, ".",
		},
		{"anchors", map[string]string{"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: &l {x: y}, annotations: *l}\n"}, "."},
		{"sort options", map[string]string{"kustomization.yaml": "resources: [a.yaml]\nsortOptions: {order: legacy}\n", "a.yaml": deployment + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n"}, "."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			memory := filesys.MakeFsInMemory()
			for name, text := range test.files {
				if err := memory.WriteFile("/"+name, []byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			options := krusty.MakeDefaultOptions()
			options.LoadRestrictions = types.LoadRestrictionsNone
			built, err := krusty.MakeKustomizer(options).Run(memory, path.Join("/", test.dir))
			if err != nil {
				t.Fatal(err)
			}
			want, err := built.AsYaml()
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				out, err := Build(t.Context(), Request{Files: tree(test.files), Dir: test.dir})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), string(out.YAML())); diff != "" {
					t.Fatalf("output (-krusty +ours):\n%s", diff)
				}
				for _, input := range out.Inputs {
					if _, ok := test.files[input]; !ok {
						t.Errorf("%q was read and does not exist", input)
					}
				}
				if len(out.Inputs) < 2 {
					t.Errorf("inputs = %v", out.Inputs)
				}
			}
		})
	}
}

func TestCharts(t *testing.T) {
	configMap := func(name, namespace, value string) string {
		return "apiVersion: v1\ndata:\n  v: " + value + "\nkind: ConfigMap\nmetadata:\n  name: " + name + "\n  namespace: " + namespace + "\n"
	}
	const service = "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: plain\n"
	tests := []struct {
		name  string
		files map[string]string
		req   Request
		want  string
	}{
		{"beside the kustomization, with its namespace only where the chart writes it", with(chart("charts/redis"), map[string]string{"kustomization.yaml": "namespace: ns\nhelmCharts: [{name: redis, releaseName: r}]\n"}), Request{Dir: "."}, configMap("r", "ns", "6379h") + service},
		{"the chart's own namespace", with(chart("charts/redis"), map[string]string{"kustomization.yaml": "namespace: ns\nhelmCharts: [{name: redis, namespace: m}]\n"}), Request{Dir: "."}, configMap("release-name", "m", "6379h") + service},
		{
			"the namespace of the overlay", with(chart("base/charts/redis"), map[string]string{"base/kustomization.yaml": "helmCharts: [{name: redis, releaseName: r}]\n", "o/kustomization.yaml": "namespace: ns\nresources: [../base]\nnameSuffix: -o\n"}),
			Request{Dir: "o"},
			configMap("r-o", "ns", "6379h") + strings.ReplaceAll(service, "plain", "plain-o"),
		},
		{"inline values over the file", with(chart("charts/redis"), map[string]string{"kustomization.yaml": "helmCharts: [{name: redis, releaseName: r, valuesInline: {port: 1, extra: e}}]\n"}), Request{Dir: "."}, configMap("r", "default", "1he") + service},
		{"inline values under the file", with(chart("charts/redis"), map[string]string{"kustomization.yaml": "helmCharts: [{name: redis, releaseName: r, valuesMerge: merge, valuesInline: {port: 1, extra: e}}]\n"}), Request{Dir: "."}, configMap("r", "default", "6379he") + service},
		{"inline values instead of the file", with(chart("charts/redis"), map[string]string{"v.yaml": "port: 2\nextra: no\n", "kustomization.yaml": "helmCharts: [{name: redis, releaseName: r, valuesFile: v.yaml, valuesMerge: replace, valuesInline: {host: i}}]\n"}), Request{Dir: "."}, configMap("r", "default", "6379i") + service},
		{"files of values", with(chart("charts/redis"), map[string]string{"v.yaml": "port: 2\nhost: x\n", "w.yaml": "host: w\n", "kustomization.yaml": "helmCharts: [{name: redis, releaseName: r, valuesFile: v.yaml, additionalValuesFiles: [w.yaml]}]\n"}), Request{Dir: "."}, configMap("r", "default", "2w") + service},
		{"a versioned folder of another home", with(chart("lib/redis-17.0.0/redis"), map[string]string{"a/kustomization.yaml": "helmGlobals: {chartHome: ../lib}\nhelmCharts: [{name: redis, releaseName: r, version: 17.0.0, repo: 'https://charts.example.com'}]\n"}), Request{Dir: "a"}, configMap("r", "default", "6379h") + service},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			req := test.req
			req.Files = tree(test.files)
			out, err := Build(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(out.YAML())); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOverlayNamespace holds what a release of kustomize once got wrong: patches and generators of a base, which know
// nothing of the overlay's namespace.
func TestOverlayNamespace(t *testing.T) {
	files := tree(map[string]string{
		"base/kustomization.yaml": "resources: [d.yaml]\nconfigMapGenerator: [{name: settings, literals: [a=b]}]\npatches: [{patch: '{\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\", \"metadata\": {\"name\": \"web\"}, \"spec\": {\"replicas\": 2}}'}]\n",
		"base/d.yaml":             deployment,
		"prod/kustomization.yaml": "resources: [../base]\nnamespace: prod\n",
	})
	out, err := Build(t.Context(), Request{Files: files, Dir: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	want := `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: prod
spec:
  replicas: 2
  template:
    spec:
      containers:
      - envFrom:
        - configMapRef:
            name: settings-4h2mbtbbt6
        image: acme/web:1
        name: web
---
apiVersion: v1
data:
  a: b
kind: ConfigMap
metadata:
  name: settings-4h2mbtbbt6
  namespace: prod
`
	if diff := cmp.Diff(want, string(out.YAML())); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

func TestChartsKnowTheCluster(t *testing.T) {
	files := with(chart("charts/redis"), map[string]string{
		"charts/redis/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ randAlpha 1 | lower }}}\ndata: {v: {{ .Capabilities.KubeVersion.Version }}, x: '{{ .Capabilities.APIVersions.Has \"x/v1\" }}'}\n",
		"kustomization.yaml":            "helmCharts: [{name: redis, kubeVersion: '1.20'}]\n",
	})
	out, err := Build(t.Context(), Request{Files: tree(files), Dir: ".", Helm: HelmOptions{KubeVersion: "1.31", APIVersions: []string{"x/v1"}}})
	if err != nil {
		t.Fatal(err)
	}
	if text := string(out.YAML()); !strings.Contains(text, "v: v1.31\n") || !strings.Contains(text, "x: \"true\"\n") {
		t.Errorf("built:\n%s", text)
	}
	if diff := cmp.Diff([]string{"randAlpha"}, out.NonDeterministic); diff != "" {
		t.Errorf("functions (-want +got):\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
	const vendor = ", and nothing is fetched; copy it into the repository and name the copy"
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"a remote base", map[string]string{"kustomization.yaml": "resources:\n- d.yaml\n- https://github.com/acme/base//x?ref=v1\n", "d.yaml": deployment}, `kustomization.yaml:3:3: "https://github.com/acme/base//x?ref=v1" is remote` + vendor},
		{"GitHub without a scheme", map[string]string{"kustomization.yaml": "resources: [GitHub.com/acme/base]\n", "GitHub.com/acme/base/kustomization.yaml": "resources: []"}, `kustomization.yaml:1:13: "GitHub.com/acme/base" is remote` + vendor},
		{"ssh", map[string]string{"kustomization.yaml": "bases: ['git@example.com:acme/base.git']\n"}, `kustomization.yaml:1:9: "git@example.com:acme/base.git" is remote` + vendor},
		{"a prefix", map[string]string{"kustomization.yaml": "components: ['git::file:///etc']\n"}, `kustomization.yaml:1:14: "git::file:///etc" is remote` + vendor},
		{"a remote base of a base", map[string]string{"kustomization.yaml": "resources: [b]\n", "b/kustomization.yaml": "resources: ['ssh://h/r']\n"}, `b/kustomization.yaml:1:13: "ssh://h/r" is remote` + vendor},
		{"a key in another case", map[string]string{"kustomization.yaml": "RESOURCES: ['http://127.0.0.1:1/x']\n"}, `kustomization.yaml:1:13: "http://127.0.0.1:1/x" is remote` + vendor},
		{"a remote patch", map[string]string{"kustomization.yaml": "resources: [d.yaml]\npatches: [{path: 'http://127.0.0.1:1/p'}]\n", "d.yaml": deployment}, `kustomization.yaml:2:18: "http://127.0.0.1:1/p" is remote` + vendor},
		{"a remote old patch", map[string]string{"kustomization.yaml": "resources: [d.yaml]\npatchesStrategicMerge: ['HTTP://127.0.0.1:1/p']\n", "d.yaml": deployment}, `kustomization.yaml:2:25: "HTTP://127.0.0.1:1/p" is remote` + vendor},
		{"a remote replacement", map[string]string{"kustomization.yaml": "resources: [d.yaml]\nreplacements: [{path: 'http://127.0.0.1:1/p'}]\n", "d.yaml": deployment}, `kustomization.yaml:2:23: "http://127.0.0.1:1/p" is remote` + vendor},
		{"a remote file of a ConfigMap", map[string]string{"kustomization.yaml": "configMapGenerator: [{name: a, files: ['k=http://127.0.0.1:1/p']}]\n"}, `kustomization.yaml:1:40: "k=http://127.0.0.1:1/p" is remote` + vendor},
		{"a remote environment", map[string]string{"kustomization.yaml": "secretGenerator: [{name: a, env: 'http://127.0.0.1:1/p'}]\n"}, `kustomization.yaml:1:34: "http://127.0.0.1:1/p" is remote` + vendor},
		{"a remote schema", map[string]string{"kustomization.yaml": "resources: [d.yaml]\nopenapi: {path: 'http://127.0.0.1:1/p'}\n", "d.yaml": deployment}, `kustomization.yaml:2:17: "http://127.0.0.1:1/p" is remote` + vendor},
		{"remote CRDs", map[string]string{"kustomization.yaml": "resources: [d.yaml]\ncrds: ['http://127.0.0.1:1/p']\n", "d.yaml": deployment}, `kustomization.yaml:2:8: "http://127.0.0.1:1/p" is remote` + vendor},
		{"a remote transformer", map[string]string{"kustomization.yaml": "resources: [d.yaml]\ntransformers: ['http://127.0.0.1:1/p']\n", "d.yaml": deployment}, `kustomization.yaml:2:16: "http://127.0.0.1:1/p" is remote` + vendor},
		{"a transformer that loads remotely", map[string]string{"kustomization.yaml": "resources: [d.yaml]\ntransformers: [t.yaml]\n", "d.yaml": deployment, "t.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: a}\nPath: http://127.0.0.1:1/p\n"}, `t.yaml:4:7: "http://127.0.0.1:1/p" is remote` + vendor},
		{"an inline generator that loads remotely", map[string]string{"kustomization.yaml": "generators:\n- |-\n  apiVersion: builtin\n  kind: ConfigMapGenerator\n  metadata: {name: a}\n  files: [http://127.0.0.1:1/p]\n"}, `kustomization.yaml: "http://127.0.0.1:1/p" is remote` + vendor},
		{"a transformer made by another kustomization", map[string]string{"kustomization.yaml": "resources: [d.yaml]\ntransformers: [t]\n", "d.yaml": deployment, "t/kustomization.yaml": "resources: [t.yaml]\n"}, `kustomization.yaml:2:16: "t" configures a plugin by another kustomization, which is not supported; name the files of the configurations`},
		{"a plugin", map[string]string{"kustomization.yaml": "resources: [d.yaml]\ntransformers: [t.yaml]\n", "d.yaml": deployment, "t.yaml": "apiVersion: v1\nkind: Evil\nmetadata:\n  name: a\n  annotations: {config.kubernetes.io/function: 'exec: {path: /bin/sh}'}\n"}, `.: cannot be built: external plugins disabled; unable to load external plugin 'Evil'`},
		{"the chart generator as a plugin", map[string]string{"kustomization.yaml": "generators: [g.yaml]\n", "g.yaml": "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: a}\nname: redis\n"}, `.: cannot be built: loading generator plugins: failed to load generator: plugin HelmChartInflationGenerator.builtin.[noGrp]/a.[noNs] fails configuration: must specify --enable-helm`},
		{"the old chart generator", map[string]string{"kustomization.yaml": "helmChartInflationGenerator: [{chartName: redis}]\n"}, "kustomization.yaml:1:1: helmChartInflationGenerator is not supported; use helmCharts"},
		{"a chart that is not here", map[string]string{"kustomization.yaml": "helmCharts:\n- name: redis\n  version: 17.0.0\n  repo: https://charts.example.com\n"}, `kustomization.yaml:2:9: the chart "redis" 17.0.0 of "https://charts.example.com" is not in "charts/redis-17.0.0/redis", and nothing is fetched; pull and unpack it there, as in: helm pull --untar --untardir charts/redis-17.0.0`},
		{"remote values", with(chart("charts/redis"), map[string]string{"kustomization.yaml": "helmCharts: [{name: redis, valuesFile: 'http://127.0.0.1:1/p'}]\n"}), `kustomization.yaml:1:40: "http://127.0.0.1:1/p" is remote` + vendor},
		{"a chart whose namespace depends on who asks", with(chart("base/charts/redis"), map[string]string{"kustomization.yaml": "resources: [a, b]\n", "a/kustomization.yaml": "namespace: a\nresources: [../base]\n", "b/kustomization.yaml": "namespace: b\nresources: [../base]\n", "base/kustomization.yaml": "helmCharts: [{name: redis}]\n"}), `base/kustomization.yaml:1:21: the chart "redis" is inflated for several overlays, of different namespaces; set its namespace in helmCharts, or vendor it for each`},
		{"a chart that fails", with(chart("charts/redis"), map[string]string{"charts/redis/templates/a.yaml": "\n{{ fail \"no\" }}", "kustomization.yaml": "helmCharts: [{name: redis}]\n"}), `charts/redis/templates/a.yaml:2:4: no`},
		{"a file that leaves the tree", map[string]string{"kustomization.yaml": "resources: [../../../etc/passwd]\n"}, `.: cannot be built: accumulating resources: accumulation err='accumulating resources from '../../../etc/passwd': lstat etc: file does not exist': must build at directory: not a valid directory: "etc/passwd": lstat etc: file does not exist`},
		{"a link", map[string]string{"kustomization.yaml": "resources: [link.yaml]\n"}, "link.yaml: is a symbolic link, which is not followed; put the file itself here"},
		{"a link on the way", map[string]string{"kustomization.yaml": "resources: [link.yaml/x.yaml]\n"}, "link.yaml: is a symbolic link, which is not followed; put the file itself here"},
		{"a bomb", map[string]string{"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": bomb}, "a.yaml:1: aliases expand to more than 200000 values; write the values out or split the file"},
		{"an anchor that holds itself", map[string]string{"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": "a: &a [*a]\n"}, "a.yaml:1:8: alias *a stands inside its own anchor"},
		{"a cycle", map[string]string{"kustomization.yaml": "resources: [a]\n", "a/kustomization.yaml": "resources: [../a]\n"}, `.: cannot be built: accumulating resources: accumulation err='accumulating resources from 'a': read a: is a folder': recursed accumulation of path '/a': accumulating resources: accumulation err='accumulating resources from '../a': read a: is a folder': cycle detected: candidate root '/a' contains visited root '/a'`},
		{"no kustomization", map[string]string{"d.yaml": deployment}, ".: cannot be built: unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '/'"},
		{"an unknown field", map[string]string{"kustomization.yaml": "resource: [a]\n"}, `.: cannot be built: invalid Kustomization: json: unknown field "resource"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := tree(test.files)
			files["link.yaml"] = &fstest.MapFile{Data: []byte("/etc"), Mode: fs.ModeSymlink}
			out, err := Build(t.Context(), Request{Files: files, Dir: "."})
			if err == nil {
				t.Fatalf("built:\n%s", out.YAML())
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if _, ok := errors.AsType[*manifest.Error](err); !ok {
				t.Errorf("%T is no *manifest.Error", err)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	files := map[string]string{"kustomization.yaml": "resources: [a, b]\n", "d.yaml": strings.Repeat("#", 1000)}
	for _, name := range []string{"a", "b"} {
		files[name+"/kustomization.yaml"] = "resources: [d.yaml]\nnamePrefix: " + name + "-\n"
		files[name+"/d.yaml"] = deployment
	}
	tests := []struct {
		name   string
		limits Limits
		want   string
	}{
		{"reads", Limits{Reads: 3}, "b/kustomization.yaml: with this file more than 3 files were read; look for bases that repeat each other"},
		{"input", Limits{InputBytes: 300}, "b/d.yaml: with this file more than 300 bytes were read; look for bases that repeat each other"},
		{"output", Limits{OutputBytes: 300}, "what is built has more than 300 bytes; split the kustomization"},
		{"time", Limits{Time: time.Nanosecond}, "building took too long and was ended; make the kustomization smaller"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Build(t.Context(), Request{Files: tree(files), Dir: ".", Limits: test.limits})
			if err == nil || err.Error() != test.want || !errors.Is(err, manifest.ErrBound) {
				t.Errorf("error = %v, want %s", err, test.want)
			}
		})
	}
	if _, err := Build(t.Context(), Request{Files: tree(files), Dir: "../x"}); err == nil || err.Error() != `path "../x" is outside of the tree; write a path relative to its root` {
		t.Errorf("error = %v", err)
	}
}

func TestFiles(t *testing.T) {
	files := map[string]string{"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": deployment + "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: Dev}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: dev}\n"}
	out, err := Build(t.Context(), Request{Files: tree(files), Dir: "."})
	if err != nil {
		t.Fatal(err)
	}
	for layout, want := range map[Layout][]string{
		LayoutKargo:     {"deployment-web.yaml", "dev-service-web.yaml", "namespace-dev.yaml"},
		LayoutKustomize: {"apps_v1_deployment_web.yaml", "dev_v1_service_web.yaml", "v1_namespace_dev.yaml"},
	} {
		named, err := out.Files(layout)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range named {
			got = append(got, f.Path)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", layout, diff)
		}
	}
	for _, r := range [][]Resource{{{Kind: "A", Name: "../x"}}, {{Kind: "A", Name: "x"}, {Kind: "a", Name: "X"}}} {
		if named, err := (Output{Resources: r}).Files(LayoutKargo); err == nil {
			t.Errorf("%+v became %v", r, named)
		}
	}
}

// FuzzFiles checks that no path leads out of the tree and that the methods agree with each other.
func FuzzFiles(f *testing.F) {
	for _, name := range []string{"a/b.yaml", "/a/../../b", "../../etc/passwd", "a//b.yaml/", "", "/", "a/b.yaml/../b.yaml", `a\b`, "link/x", "a/\x00"} {
		f.Add(name)
	}
	files := fstest.MapFS{"a/b.yaml": {Data: []byte("x"), Mode: 0o644}, "c": {Data: []byte("y"), Mode: 0o644}, "link": {Data: []byte("/etc"), Mode: fs.ModeSymlink}}
	f.Fuzz(func(t *testing.T, name string) {
		system := newFiles(t.Context(), Request{Files: files}, Limits{}.withDefaults())
		data, err := system.ReadFile(name)
		if err == nil && string(data) != "x" && string(data) != "y" {
			t.Fatalf("ReadFile(%q) = %q", name, data)
		}
		if err == nil != (system.Exists(name) && !system.IsDir(name)) {
			t.Fatalf("ReadFile(%q) = %v, and Exists %t, IsDir %t", name, err, system.Exists(name), system.IsDir(name))
		}
		dir, file, err := system.CleanedAbs(name)
		if err == nil != system.Exists(name) || err == nil && (!system.IsDir(dir.String()) || file == "" != system.IsDir(name)) {
			t.Fatalf("CleanedAbs(%q) = %q, %q, %v", name, dir, file, err)
		}
		if system.failed != nil {
			return
		}
		if err := system.WriteFile(name, []byte("new")); err != nil {
			t.Fatal(err)
		}
		if data, err := system.ReadFile("/" + name); err != nil || string(data) != "new" {
			t.Fatalf("%q reads as %q, %v after it was written", name, data, err)
		}
		if err := system.RemoveAll(name); err != nil || len(system.over) > 0 {
			t.Fatalf("%v is left after removing %q: %v", system.over, name, err)
		}
	})
}

// FuzzBuild checks that a hostile kustomization ends in an output or an error, and reaches for nothing.
func FuzzBuild(f *testing.F) {
	f.Add("resources: [d.yaml]\npatches: [{path: d.yaml}]\n", deployment)
	f.Add("resources: ['http://127.0.0.1:1/x']\n", "a: &a [*a]\n")
	f.Add("transformers: [d.yaml]\nresources: [d.yaml, .]\n", "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: a}\npath: http://127.0.0.1:1/\n")
	f.Add("helmCharts: [{name: redis}]\nvars: [{name: A}]\n", "")
	f.Add("replacements: [{source: {kind: A}, targets: [{select: {kind: B}, fieldPaths: [a.b]}]}]\nresources: [d.yaml]\n", "kind: List\nitems: [{}]\n")
	f.Fuzz(func(t *testing.T, kustomization, resource string) {
		files := tree(map[string]string{"kustomization.yaml": kustomization, "d.yaml": resource})
		_, err := Build(t.Context(), Request{Files: files, Dir: ".", Limits: Limits{Reads: 50, Time: 2 * time.Second}})
		if err == nil {
			return
		}
		if strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "git") && strings.Contains(err.Error(), "exit status") {
			t.Fatalf("something was fetched: %v", err)
		}
	})
}
