package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	chartutil "helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/util"
	helmengine "helm.sh/helm/v4/pkg/engine"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// tree makes a chart's folder; a Chart.yaml is added when there is none.
func tree(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{"Chart.yaml": {Data: []byte("apiVersion: v2\nname: shop\nversion: 1.2.3\nappVersion: \"9\"\n"), Mode: 0o644}}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return out
}

func configMap(name, data string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {x: " + data + "}\n"
}

// archived packs the files below folder as a chart archive.
func archived(t *testing.T, folder string, files map[string]string) string {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	tarball := tar.NewWriter(zipped)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := tarball.WriteHeader(&tar.Header{Name: folder + name, Size: int64(len(files[name])), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := tarball.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tarball.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTemplate(t *testing.T) {
	redis := map[string]string{
		"Chart.yaml": "apiVersion: v2\nname: redis\nversion: 17.0.1\n", "values.yaml": "port: 6379\nexports: {shared: {from: redis}}\n",
		"templates/service.yaml": configMap("{{ .Release.Name }}-{{ .Chart.Name }}", `"{{ .Values.port }}"`),
	}
	depends := "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n- {name: redis, version: 17.x, repository: 'https://charts.example.com'"
	tests := []struct {
		name  string
		files map[string]string
		req   Request
		want  string
	}{
		{
			"values, later over earlier",
			map[string]string{"values.yaml": "a: 1\nb: 1\nc: 1\nd: 1\n", "templates/a.yaml": "kind: A\nv: {{ .Values.a }}{{ .Values.b }}{{ .Values.c }}{{ .Values.d }}\n"},
			Request{Values: []ValuesFile{{"one.yaml", []byte("b: 2\nc: 2\nd: 2\n")}, {"two.yaml", []byte("c: 3\nd: 3\n")}}, Set: []SetValue{{Key: "d", Value: "4"}}},
			"---\n# Source: shop/templates/a.yaml\nkind: A\nv: 1234\n",
		},
		{
			"set parses, and set literally does not",
			map[string]string{"templates/a.yaml": "kind: A\nv: {{ toJson .Values }}\n"},
			Request{Set: []SetValue{{Key: "l", Value: "{a,b}"}, {Key: "n", Value: "null"}, {Key: "t", Value: "{a,b}=1", Literal: true}, {Key: "x.y[1]", Value: "true"}}},
			"---\n# Source: shop/templates/a.yaml\nkind: A\n" + `v: {"l":["a","b"],"n":null,"t":"{a,b}=1","x":{"y":[null,true]}}` + "\n",
		},
		{
			"a null removes the chart's value",
			map[string]string{"values.yaml": "a: {b: 1, c: 2}\n", "templates/a.yaml": "kind: A\nv: {{ toJson .Values }}\n"},
			Request{Values: []ValuesFile{{"v", []byte("a: {b: null}\n")}}},
			"---\n# Source: shop/templates/a.yaml\nkind: A\nv: {\"a\":{\"c\":2}}\n",
		},
		{
			"install order, then hooks",
			map[string]string{
				"templates/1.yaml": "kind: Ingress\n---\nkind: Zebra\n---\nkind: Service\n", "templates/2.yaml": "kind: Namespace\n---\nkind: Job\nmetadata: {annotations: {helm.sh/hook: pre-install}}\n",
				"templates/NOTES.txt": "bye", "templates/_h.tpl": "x",
			},
			Request{},
			"---\n# Source: shop/templates/2.yaml\nkind: Namespace\n---\n# Source: shop/templates/1.yaml\nkind: Service\n---\n# Source: shop/templates/1.yaml\nkind: Ingress\n---\n# Source: shop/templates/1.yaml\nkind: Zebra\n---\n# Source: shop/templates/2.yaml\nkind: Job\nmetadata: {annotations: {helm.sh/hook: pre-install}}\n",
		},
		{"no hooks", map[string]string{"templates/2.yaml": "kind: A\n---\nkind: Job\nmetadata: {annotations: {helm.sh/hook: pre-install}}\n"}, Request{DisableHooks: true}, "---\n# Source: shop/templates/2.yaml\nkind: A\n"},
		{
			"no tests",
			map[string]string{"templates/2.yaml": "kind: Pod\nmetadata: {annotations: {helm.sh/hook: test}}\n---\nkind: Job\nmetadata: {annotations: {helm.sh/hook: pre-install}}\n"},
			Request{SkipTests: true},
			"---\n# Source: shop/templates/2.yaml\nkind: Job\nmetadata: {annotations: {helm.sh/hook: pre-install}}\n",
		},
		{"CRDs are left out", map[string]string{"crds/a.yaml": "kind: CustomResourceDefinition\n", "templates/a.yaml": "kind: A\n"}, Request{}, "---\n# Source: shop/templates/a.yaml\nkind: A\n"},
		{
			"CRDs are put in front, and are no templates",
			map[string]string{"crds/a.yaml": "kind: CustomResourceDefinition\nx: '{{'\n", "templates/a.yaml": "kind: Namespace\n"},
			Request{IncludeCRDs: true},
			"---\n# Source: shop/crds/a.yaml\nkind: CustomResourceDefinition\nx: '{{'\n---\n# Source: shop/templates/a.yaml\nkind: Namespace\n",
		},
		{
			"what a template knows",
			map[string]string{"templates/a.yaml": "kind: A\nv: {{ .Release.Name }} {{ .Release.Namespace }} {{ .Release.IsInstall }} {{ .Release.Service }} {{ .Chart.Version }} {{ .Chart.AppVersion }} {{ .Template.Name }} {{ .Template.BasePath }}\n"},
			Request{Namespace: "dev"},
			"---\n# Source: shop/templates/a.yaml\nkind: A\nv: r dev true Helm 1.2.3 9 shop/templates/a.yaml shop/templates\n",
		},
		{
			"the cluster's versions",
			map[string]string{"templates/a.yaml": "kind: A\nv: {{ .Capabilities.KubeVersion.Version }} {{ .Capabilities.KubeVersion.Minor }} {{ .Capabilities.APIVersions.Has \"x.io/v1\" }} {{ .Capabilities.APIVersions.Has \"apps/v1\" }} {{ .Capabilities.APIVersions.Has \"y.io/v1\" }}\n"},
			Request{KubeVersion: "1.31.4", APIVersions: []string{"x.io/v1"}},
			"---\n# Source: shop/templates/a.yaml\nkind: A\nv: v1.31.4 31 true true false\n",
		},
		{"lookup finds nothing", map[string]string{"templates/a.yaml": "kind: A\nv: {{ toJson (lookup \"v1\" \"Secret\" \"a\" \"b\") }}{{ getHostByName \"localhost\" }}\n"}, Request{}, "---\n# Source: shop/templates/a.yaml\nkind: A\nv: {}\n"},
		{
			".helmignore",
			map[string]string{".helmignore": "# c\nold/\n*.bak\n", "templates/a.yaml": "kind: A\nv: {{ toJson .Files }}\n", "templates/b.yaml.bak": "{{", "templates/.hidden": "{{", "old/x": "y", "keep": "z"},
			Request{},
			"---\n# Source: shop/templates/a.yaml\nkind: A\nv: {\".helmignore\":\"IyBjCm9sZC8KKi5iYWsK\",\"keep\":\"eg==\"}\n",
		},
		{
			"a vendored folder",
			map[string]string{"Chart.yaml": depends + "}\n", "charts/redis/Chart.yaml": redis["Chart.yaml"], "charts/redis/values.yaml": redis["values.yaml"], "charts/redis/templates/service.yaml": redis["templates/service.yaml"]},
			Request{Values: []ValuesFile{{"v", []byte("redis: {port: 1}\n")}}},
			"---\n# Source: shop/charts/redis/templates/service.yaml\n" + configMap("r-redis", `"1"`),
		},
		{"a vendored archive", map[string]string{"Chart.yaml": depends + "}\n", "charts/redis-17.0.1.tgz": archived(t, "redis/", redis)}, Request{}, "---\n# Source: shop/charts/redis/templates/service.yaml\n" + configMap("r-redis", `"6379"`)},
		{"a condition", map[string]string{"Chart.yaml": depends + ", condition: cache.enabled}\n", "values.yaml": "cache: {enabled: false}\n", "charts/redis-17.0.1.tgz": archived(t, "redis/", redis)}, Request{}, ""},
		{"a tag", map[string]string{"Chart.yaml": depends + ", tags: [cache]}\n", "charts/redis-17.0.1.tgz": archived(t, "redis/", redis)}, Request{Values: []ValuesFile{{"v", []byte("tags: {cache: false}\n")}}}, ""},
		{
			"an alias",
			map[string]string{"Chart.yaml": depends + ", alias: cache}\n", "charts/redis-17.0.1.tgz": archived(t, "redis/", redis)},
			Request{Values: []ValuesFile{{"v", []byte("cache: {port: 2}\n")}}},
			"---\n# Source: shop/charts/cache/templates/service.yaml\n" + configMap("r-cache", `"2"`),
		},
		{
			"imported values",
			map[string]string{"Chart.yaml": depends + ", import-values: [shared]}\n", "templates/a.yaml": "kind: A\nv: {{ .Values.from }}\n", "charts/redis-17.0.1.tgz": archived(t, "redis/", redis)},
			Request{},
			"---\n# Source: shop/charts/redis/templates/service.yaml\n" + configMap("r-redis", `"6379"`) + "---\n# Source: shop/templates/a.yaml\nkind: A\nv: redis\n",
		},
		{
			"an archive in an archive",
			map[string]string{"charts/outer.tgz": archived(t, "outer/", map[string]string{"Chart.yaml": "apiVersion: v2\nname: outer\nversion: 1.0.0\n", "charts/redis.tgz": archived(t, "redis/", redis)})},
			Request{},
			"---\n# Source: shop/charts/outer/charts/redis/templates/service.yaml\n" + configMap("r-redis", `"6379"`),
		},
		{
			"the parent's definition wins", map[string]string{
				"templates/_h.tpl": `{{ define "n" }}parent{{ end }}`, "charts/sub/templates/_h.tpl": `{{ define "n" }}child{{ end }}`, "charts/sub/templates/a.yaml": "kind: A\nv: {{ template \"n\" }}\n",
				"charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
			}, Request{}, "---\n# Source: shop/charts/sub/templates/a.yaml\nkind: A\nv: parent\n",
		},
		{"values that fit the schema", map[string]string{"values.schema.json": `{"properties": {"count": {"type": "integer"}, "u": {"$ref": "urn:x"}}}`, "values.yaml": "count: 1\nu: 1\n", "templates/a.yaml": "kind: A\n"}, Request{}, "---\n# Source: shop/templates/a.yaml\nkind: A\n"},
		{"the schema is not asked", map[string]string{"values.schema.json": `{"type": "array"}`, "templates/a.yaml": "kind: A\n"}, Request{SkipSchema: true}, "---\n# Source: shop/templates/a.yaml\nkind: A\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			req := test.req
			req.Chart, req.ReleaseName = tree(test.files), "r"
			for range 3 {
				out, err := Template(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, string(out.YAML())); diff != "" {
					t.Fatalf("output (-want +got):\n%s", diff)
				}
				if out.NonDeterministic != nil {
					t.Errorf("non-deterministic = %v", out.NonDeterministic)
				}
			}
		})
	}
}

func TestTemplateErrors(t *testing.T) {
	many := map[string]string{}
	for i := range 30 {
		many[fmt.Sprintf("files/%d", i)] = "x"
	}
	var doubling strings.Builder
	for i := range 40 {
		fmt.Fprintf(&doubling, `{{ define "d%d" }}{{ template "d%d" . }}{{ template "d%d" . }}{{ end }}`, i, i+1, i+1)
	}
	aliased, folder := map[string]string{}, ""
	for i := range 12 {
		aliased[folder+"Chart.yaml"] = fmt.Sprintf("apiVersion: v2\nname: c%d\nversion: 1.0.0\ndependencies:\n- {name: c%d, alias: a}\n- {name: c%d, alias: b}\n", i, i+1, i+1)
		folder += fmt.Sprintf("charts/c%d/", i+1)
	}
	aliased[folder+"Chart.yaml"] = "apiVersion: v2\nname: c12\nversion: 1.0.0\n"
	tests := []struct {
		name  string
		files map[string]string
		req   Request
		want  string
	}{
		{"no chart", map[string]string{"Chart.yaml": ""}, Request{}, "Chart.yaml: the chart cannot be loaded: validation: chart.metadata.name is required"},
		{"a library", map[string]string{"Chart.yaml": "apiVersion: v2\nname: lib\nversion: 1.0.0\ntype: library\n"}, Request{}, `Chart.yaml: "lib" is a library chart, which deploys nothing itself; render a chart that depends on it`},
		{"a missing dependency", map[string]string{"Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n- {name: redis, version: ~17.1, repository: 'https://charts.example.com'}\n"}, Request{}, "Chart.yaml: names dependencies that are not in charts/: redis ~17.1 of https://charts.example.com; run helm dependency build and commit charts/: nothing is fetched here"},
		{"a template that is none", map[string]string{"templates/a.yaml": "a\n{{ if }}\n"}, Request{}, "shop/templates/a.yaml:2: missing value for if"},
		{"an unknown function", map[string]string{"templates/a.yaml": "{{ nope }}"}, Request{}, `shop/templates/a.yaml:1: function "nope" not defined`},
		{"no functions that read the environment", map[string]string{"templates/a.yaml": `{{ env "HOME" }}`}, Request{}, `shop/templates/a.yaml:1: function "env" not defined`},
		{"a value that is missing", map[string]string{"templates/a.yaml": "a: 1\nb: {{ .Values.x.y }}\n"}, Request{}, "shop/templates/a.yaml:2:14: .Values.x.y: nil pointer evaluating interface {}.y"},
		{"required", map[string]string{"templates/a.yaml": "\n\n{{ required \"set the host\" .Values.host }}"}, Request{}, "shop/templates/a.yaml:3:4: set the host"},
		{"fail in an include", map[string]string{"templates/_h.tpl": "{{ define \"h\" }}\n{{ fail \"no: way\" }}{{ end }}", "templates/a.yaml": "a: {{ include \"h\" . }}"}, Request{}, "shop/templates/_h.tpl:2:4: no: way; it was reached from shop/templates/a.yaml"},
		{"a failing tpl", map[string]string{"templates/a.yaml": "a: 1\nb: {{ tpl \"{{ fail `bad` }}\" . }}"}, Request{}, "shop/templates/a.yaml:2:7: error during tpl of \"{{ fail `bad` }}\": template: gotpl:1:3: executing \"gotpl\" at <fail `bad`>: error calling fail: bad"},
		{"output that is not YAML", map[string]string{"templates/a.yaml": "a: b: c"}, Request{}, "shop/templates/a.yaml: rendered something that is not YAML: yaml: mapping values are not allowed in this context; check indentation and quoting"},
		{"values that are none", nil, Request{Values: []ValuesFile{{"v.yaml", []byte("- a\n")}}}, "v.yaml: is not a file of values: cannot unmarshal yaml document: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}; write a mapping"},
		{"values that are no YAML", nil, Request{Values: []ValuesFile{{"v.yaml", []byte("a: [\n")}}}, "v.yaml:1: not YAML: did not find expected node content"},
		{"a set value's text is not repeated", nil, Request{Set: []SetValue{{Key: "a[x]", Value: "s3cret"}}}, `the value of "a[x]" cannot be set; escape commas and braces in it with a backslash, or make it literal`},
		{"a release name", nil, Request{ReleaseName: "A_b"}, `"A_b" is not a release name; use at most 53 lower case letters, digits and dashes, beginning and ending with a letter or digit`},
		{"a Kubernetes version", nil, Request{KubeVersion: "x"}, `"x" is not a Kubernetes version; write one such as "1.34.2"`},
		{"a cluster that is too old", map[string]string{"Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\nkubeVersion: '>=1.30'\n"}, Request{KubeVersion: "1.29"}, `shop/Chart.yaml: the chart wants Kubernetes ">=1.30", and v1.29 is not that; set kubeVersion to the version of the cluster`},
		{"values that do not fit the schema", map[string]string{"values.schema.json": `{"properties": {"count": {"type": "integer"}}}`, "values.yaml": "count: x\n"}, Request{}, "shop/values.schema.json: the values do not fit the schema: jsonschema validation failed with 'values.schema.json#' - at '/count': got string, want integer"},
		{"a schema from the network", map[string]string{"values.schema.json": `{"$ref": "http://127.0.0.1:1/x.json"}`}, Request{}, `shop/values.schema.json: is not a JSON schema: failing loading "http://127.0.0.1:1/x.json": it refers to "http://127.0.0.1:1/x.json", and schemas are not fetched`},
		{"a schema from the disk", map[string]string{"values.schema.json": `{"$ref": "file:///etc/passwd"}`}, Request{}, `shop/values.schema.json: is not a JSON schema: failing loading "file:///etc/passwd": it refers to "file:///etc/passwd", and schemas are not fetched`},
		{"an archive that is none", map[string]string{"charts/a.tgz": "x"}, Request{}, "charts/a.tgz: is not a chart archive: unexpected EOF; vendor the chart again with helm dependency build"},
		{"an archive that leaves its folder", map[string]string{"charts/a.tgz": archived(t, "a/", map[string]string{"../../x": ""})}, Request{}, `charts/a.tgz: is not a chart archive: it holds "a/../../x", which is not inside a folder; vendor the chart again with helm dependency build`},
		{"too many files", many, Request{Limits: Limits{Files: 20}}, "files/26: with this file the chart has more than 20 files; list in .helmignore what does not belong to the chart"},
		{"too many bytes", map[string]string{"a": strings.Repeat("x", 200)}, Request{Limits: Limits{ChartBytes: 100}}, "a: with this file the chart has more than 100 bytes; list in .helmignore what does not belong to the chart"},
		{"a bomb", map[string]string{"charts/a.tgz": archived(t, "a/", map[string]string{"x": strings.Repeat("x", 1<<20)})}, Request{Limits: Limits{ChartBytes: 1 << 16}}, "charts/a.tgz: with this file the chart has more than 65536 bytes; list in .helmignore what does not belong to the chart"},
		{"too much output", map[string]string{"templates/a.yaml": `{{ range until 1000 }}0123456789{{ end }}`}, Request{Limits: Limits{OutputBytes: 9000}}, "shop/templates/a.yaml: the output would have more than 9000 bytes: beyond a bound; make the chart do less"},
		{"a repeated text", map[string]string{"templates/a.yaml": "\n{{ repeat 1000000000 \"xx\" }}"}, Request{}, "shop/templates/a.yaml:2: the text would have more than 10485760 bytes: beyond a bound; make the chart do less"},
		{"many long texts", map[string]string{"templates/a.yaml": `{{ $l := list }}{{ range until 1000 }}{{ $l = append $l (repeat 10000000 "x") }}{{ end }}`}, Request{}, "shop/templates/a.yaml:1: more than 335544320 bytes of texts and lists are made on the way: beyond a bound; make the chart do less"},
		{"aliases that multiply", aliased, Request{}, "Chart.yaml: with its dependencies and their aliases the chart is more than 2000 charts; depend on fewer charts"},
		{"a long list", map[string]string{"templates/a.yaml": "{{ range until 1000000000 }}{{ end }}"}, Request{}, "shop/templates/a.yaml:1: the text would have more than 10485760 bytes: beyond a bound; make the chart do less"},
		{"wide padding", map[string]string{"templates/a.yaml": `{{ printf (repeat 20 "%999999d") 1 }}`}, Request{}, "shop/templates/a.yaml:1: the text would have more than 10485760 bytes: beyond a bound; make the chart do less"},
		{"a doubling text", map[string]string{"templates/a.yaml": `{{ $x := "0123456789" }}{{ range until 40 }}{{ $x = printf "%s%s" $x $x }}{{ end }}`}, Request{}, "shop/templates/a.yaml:1: the value would have more than 10485760 bytes: beyond a bound; make the chart do less"},
		{"a doubling list", map[string]string{"templates/a.yaml": `{{ $x := list 1 }}{{ range until 40 }}{{ $x = list $x $x }}{{ end }}{{ toYaml $x }}`}, Request{}, "shop/templates/a.yaml:1: the value is too large or holds itself: beyond a bound; make the chart do less"},
		{"a doubling list, printed", map[string]string{"templates/a.yaml": `{{ $x := list 1 }}{{ range until 40 }}{{ $x = list $x $x }}{{ end }}{{ $x }}`}, Request{}, "shop/templates/a.yaml:1: the value is too large or holds itself: beyond a bound; make the chart do less"},
		{"values that hold themselves", map[string]string{"values.yaml": "a: 1\n", "templates/a.yaml": `{{ $_ := set .Values "self" .Values }}{{ .Values.YAML }}`}, Request{}, "shop/templates/a.yaml:1: the value is too large or holds itself: beyond a bound; make the chart do less"},
		{"merged values that hold themselves", map[string]string{"templates/a.yaml": `{{ $d := dict "a" 1 }}{{ $_ := mergeOverwrite $d (dict "self" (dict "x" $d)) }}{{ $d }}`}, Request{}, "shop/templates/a.yaml:1: the value is too large or holds itself: beyond a bound; make the chart do less"},
		{"an include of itself", map[string]string{"templates/a.yaml": `{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`}, Request{}, `shop/templates/a.yaml:1: more than 1000 includes are running inside each other, the last of "a": beyond a bound; make the chart do less`},
		{"a template of itself", map[string]string{"templates/a.yaml": `{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`}, Request{}, `shop/templates/a.yaml:1: more than 1000 includes are running inside each other, the last of "a": beyond a bound; make the chart do less`},
		{"a tpl of itself", map[string]string{"values.yaml": "a: '{{ tpl .Values.a . }}'\n", "templates/a.yaml": `{{ tpl .Values.a . }}`}, Request{}, "shop/templates/a.yaml:1: more than 1000 templates are running inside each other: beyond a bound; make the chart do less"},
		{"blocks in blocks", map[string]string{"templates/a.yaml": strings.Repeat("{{ if 1 }}", 200) + strings.Repeat("{{ end }}", 200)}, Request{}, "shop/templates/a.yaml:1: more than 100 blocks are nested: beyond a bound; make the chart do less"},
		{"endless loops", map[string]string{"templates/a.yaml": "{{ range until 1000000 }}{{ range until 1000000 }}{{ end }}{{ end }}"}, Request{Limits: Limits{Time: 50 * time.Millisecond}}, "shop/templates/a.yaml:1: rendering took too long and was ended; look for loops and includes that repeat each other"},
		{"doubling templates", map[string]string{"templates/a.yaml": doubling.String() + `{{ define "d40" }}{{ end }}{{ template "d0" . }}`}, Request{Limits: Limits{Time: 50 * time.Millisecond}}, "shop/templates/a.yaml:1: rendering took too long and was ended; look for loops and includes that repeat each other"},
		{"an endless loop in a tpl", map[string]string{"templates/a.yaml": "{{ tpl \"{{ range 1000000000000 }}{{ end }}\" . }}"}, Request{Limits: Limits{Time: 50 * time.Millisecond}}, "shop/templates/a.yaml:1: rendering took too long and was ended; look for loops and includes that repeat each other"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			req := test.req
			req.Chart = tree(test.files)
			if req.ReleaseName == "" {
				req.ReleaseName = "r"
			}
			out, err := Template(t.Context(), req)
			if err == nil {
				t.Fatalf("rendered %s", out.YAML())
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if _, ok := errors.AsType[*manifest.Error](err); !ok {
				t.Errorf("%T is no *manifest.Error", err)
			}
			if bounded := strings.Contains(test.want, "more than") || strings.Contains(test.want, "too l"); bounded != errors.Is(err, manifest.ErrBound) {
				t.Errorf("is a bound: %t, want %t", errors.Is(err, manifest.ErrBound), bounded)
			}
		})
	}
}

func TestNonDeterministic(t *testing.T) {
	chart := tree(map[string]string{"templates/a.yaml": "kind: A\nv: {{ now | date \"2006\" }}{{ randAlphaNum 3 }}{{ tpl \"{{ uuidv4 }}\" . }}\n{{ if false }}{{ genCA \"x\" 1 }}{{ end }}", "templates/b.yaml": "kind: A\nv: {{ htmlDate \"x\" }}{{ date \"2006\" 0 }}{{ htmlDate 0 }}\n"})
	out, err := Template(t.Context(), Request{Chart: chart, ReleaseName: "r"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"htmlDate", "now", "randAlphaNum", "uuidv4"}, out.NonDeterministic); diff != "" {
		t.Errorf("functions (-want +got):\n%s", diff)
	}
}

func TestFiles(t *testing.T) {
	chart := tree(map[string]string{
		"templates/a.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: Web, namespace: dev}\n---\nkind: Service\nmetadata: {name: web}\n---\n# nothing\n",
		"templates/b.yaml": "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: web}\n",
	})
	out, err := Template(t.Context(), Request{Chart: chart, ReleaseName: "r"})
	if err != nil {
		t.Fatal(err)
	}
	for layout, want := range map[Layout][]string{
		LayoutHelm: {
			"shop/templates/a.yaml=---\n# Source: shop/templates/a.yaml\nkind: Service\nmetadata: {name: web}\n---\n# Source: shop/templates/a.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: Web, namespace: dev}\n---\n# Source: shop/templates/a.yaml\n# nothing\n",
			"shop/templates/b.yaml=---\n# Source: shop/templates/b.yaml\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: web}\n",
		},
		LayoutFlat: {
			"service-web.yaml=kind: Service\nmetadata: {name: web}\n", "apps-deployment-dev-web.yaml=apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: Web, namespace: dev}\n",
			"resource-2.yaml=# nothing\n", "gateway_networking_k8s_io-httproute-web.yaml=apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: web}\n",
		},
	} {
		files, err := out.Files(layout)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range files {
			got = append(got, f.Path+"="+string(f.Data))
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", layout, diff)
		}
	}
	for _, m := range []Manifest{{Kind: "A", Name: "../x"}, {Kind: `A\..`, Name: "x"}} {
		if files, err := (Output{Manifests: []Manifest{m}}).Files(LayoutFlat); err == nil {
			t.Errorf("%+v became %v", m, files)
		}
	}
	if _, err := (Output{Manifests: []Manifest{{Kind: "A", Name: "x"}, {Kind: "a", Name: "X"}}}).Files(LayoutFlat); err == nil {
		t.Error("two objects became one file")
	}
}

// TestAgainstHelm renders the same chart with Helm's engine.
func TestAgainstHelm(t *testing.T) {
	for name, text := range map[string]string{
		"printing":          `{{ .Values }} {{ .Values.missing }} {{ .Values.nil }} {{ 1.5 }} {{ "a" }} {{ true }} {{ .Values.list }} {{ .Release }}`,
		"control":           `{{ range $i, $v := .Values.list }}{{ if eq $i 1 }}{{ continue }}{{ end }}{{ $i }}{{ $v }}{{ else }}none{{ end }}{{ with .Values.map }}{{ .k }}{{ end }}{{ range $k, $v := .Values.map }}{{ $k }}={{ $v }};{{ end }}{{ range .Values.none }}x{{ else }}y{{ end }}{{ range 3 }}{{ . }}{{ end }}`,
		"trimming":          "a\n{{- if true -}}\n  b\n{{- end }}\n{{- /* c */ -}}\n  {{ \"d\" -}}\n e",
		"templates":         `{{ define "x" }}[{{ . }}]{{ end }}{{ define "e" }}{{ end }}{{ template "x" .Values.map }}{{ template "e" }}{{ template "x" }}{{ include "x" 1 | indent 3 }}{{ block "b" 7 }}{{ . }}{{ end }}{{ with $y := 1 }}{{ template "x" $y }}{{ end }}`,
		"tpl":               `{{ tpl "{{ define \"n\" }}new{{ end }}{{ include \"n\" . }}{{ .Values.map.k }}{{ .Values.nope }}" . }}{{ tpl .Values.text . | upper }}`,
		"yaml":              `{{ toYaml .Values }}{{ toYamlPretty .Values.map }}{{ fromYaml "a: [" }}{{ fromYaml "a: 1" }}{{ fromYamlArray "[1, a]" }}{{ fromYamlArray "a: 1" }}{{ mustToYaml .Values.list }}`,
		"json":              `{{ toJson .Values }}{{ fromJson "{" }}{{ fromJsonArray "[1]" }}{{ fromJsonArray "{}" }}{{ toPrettyJson .Values.map }}{{ toRawJson "<" }}{{ mustToJson "<" }}`,
		"toml":              `{{ toToml .Values.map }}{{ fromToml "a = [1, 2]" }}{{ fromToml "=" }}{{ toToml .Values.list }}`,
		"durations":         `{{ durationSeconds "1m" }} {{ durationDays 86400 }} {{ durationWeeks "x" }} {{ durationMilliseconds 2.5 }} {{ durationRoundTo "2h13m" "1h" }} {{ durationTruncateTo "2h50m" "1h" }} {{ mustToDuration "3s" }} {{ durationRoundTo "2h13m" "x" }} {{ durationNanoseconds "2.5" }} {{ durationMicroseconds nil }} {{ durationHours true }}`,
		"strings":           `{{ nindent 4 "a\nb" }}{{ indent 2 "x" }}{{ repeat 3 "ab" }}{{ replace "a" "bb" "aXa" }}{{ join "-" .Values.list }}{{ join "," "a" }}{{ printf "%05d|%-6s|%v" 42 "a" .Values.map }}{{ print 1 2 "x" }}{{ println "y" }}{{ quote 1 nil "a" }}{{ cat "a" 1 }}{{ wrap 3 "aa bb" }}{{ wrapWith 3 "|" "aaaa" }}{{ regexReplaceAll "a(b)" "xabab" "${1}-" }}{{ seq 1 3 }}{{ seq 5 }}{{ seq 1 2 7 }}{{ untilStep 3 9 2 }}{{ until 3 }}{{ until -3 }}`,
		"maps":              `{{ $d := dict "a" 1 }}{{ $_ := set $d "b" (list 1 2) }}{{ $d }}{{ hasKey $d "a" }}{{ keys $d | sortAlpha }}{{ get $d "x" }}{{ merge (dict "a" 2) $d }}{{ mergeOverwrite (dict "a" 2) $d }}{{ pick $d "a" }}{{ omit $d "a" }}{{ unset $d "a" }}{{ dig "x" "y" "z" $d }}{{ deepCopy $d }}{{ values (dict "a" 1) }}{{ index .Values "map" "k" }}{{ slice .Values.list 1 }}`,
		"files":             `{{ .Files.Get "a.txt" }}{{ .Files.Get "x" }}{{ .Files.GetBytes "a.txt" }}{{ (.Files.Glob "*.txt").AsConfig }}{{ (.Files.Glob "dir/*").AsSecrets }}{{ range .Files.Lines "a.txt" }}<{{ . }}>{{ end }}{{ range .Files.Lines "x" }}{{ . }}{{ end }}{{ range $n, $_ := .Files.Glob "**" }}{{ $n }}{{ end }}{{ .Files.Lines "empty" }}`,
		"methods":           `{{ .Values.YAML }}{{ .Capabilities.APIVersions.Has "v1" }}{{ .Capabilities.KubeVersion }}{{ .Chart.Name }}{{ .Chart.IsRoot }}{{ .Subcharts }}{{ .Capabilities.HelmVersion.Version }}`,
		"reflection":        `{{ kindOf .Values }}{{ typeOf .Files }}{{ kindIs "map" .Values.map }}{{ typeOf (.Values.list | first) }}{{ empty .Values.none }}{{ default 1 .Values.nil }}{{ ternary 1 2 true }}{{ coalesce nil "" 3 }}{{ typeOf .Values }}{{ len .Values.list }}`,
		"math":              `{{ add 1 2 }}{{ div 7 2 }}{{ mul 2 3 4 }}{{ round 1.234 2 }}{{ max 1 5 3 }}{{ int64 "7" }}{{ atoi "x" }}{{ floor 1.7 }}{{ toDecimal "777" }}`,
		"semver and crypto": `{{ semverCompare ">=1.2" "1.3.0" }}{{ (semver "1.2.3").Minor }}{{ sha256sum "a" }}{{ b64enc "a" }}{{ derivePassword 1 "long" "a" "b" "c" }}`,
		"logic":             `{{ and 1 0 }}{{ or "" "b" }}{{ not 1 }}{{ eq 1 2 1 }}{{ lt 1 2 }}{{ html "<" }}{{ urlquery "a b" }}{{ js "'" }}{{ has 1 .Values.list }}{{ concat .Values.list (list 1) }}{{ uniq (list 1 1) }}{{ without .Values.list "b" }}`,
		"times":             `{{ date "2006-01-02" 0 }}{{ dateInZone "15:04" 0 "UTC" }}{{ duration 95 }}{{ toDate "2006" "2020" | date "06" }}{{ unixEpoch (toDate "2006" "2020") }}`,
	} {
		t.Run(name, func(t *testing.T) {
			files := tree(map[string]string{
				"templates/a.txt": text, "values.yaml": "list: [a, b, c]\nmap: {k: v, n: 1, f: 1.5}\nnil: null\ntext: 'x{{ .Release.Name }}'\nbig: 12345678\n",
				"a.txt": "one\ntwo\n", "dir/b.txt": "b", "empty": "",
			})
			got, want, _, err := both(t, files)
			if err != nil {
				t.Fatal(err)
			}
			// The types of .Files differ in name only.
			want["shop/templates/a.txt"] = strings.ReplaceAll(want["shop/templates/a.txt"], "engine.files", "helm.files")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rendered (-Helm +ours):\n%s", diff)
			}
		})
	}
}

// both renders a chart here and with Helm's engine, and tells which of its functions are random. An error is about the
// chart, and then neither renders it.
func both(t *testing.T, files fs.FS) (ours, theirs map[string]string, random []string, err error) {
	t.Helper()
	limits := Limits{}.withDefaults()
	first, err := load(t.Context(), Request{Chart: files}, limits)
	if err != nil {
		return nil, nil, nil, err
	}
	values, err := renderValues(first, Request{ReleaseName: "r"})
	if err != nil {
		return nil, nil, nil, err
	}
	engine := newEngine(t.Context(), limits)
	ours, err = engine.render(first, values)
	second, loadErr := load(t.Context(), Request{Chart: files}, limits)
	if loadErr != nil {
		t.Fatal(loadErr)
	}
	if err := util.ProcessDependencies(second, map[string]any{}); err != nil {
		t.Fatal(err)
	}
	values, valuesErr := chartutil.ToRenderValues(second, nil, common.ReleaseOptions{Name: "r", Namespace: "default", Revision: 1, IsInstall: true}, nil)
	if valuesErr != nil {
		t.Fatal(valuesErr)
	}
	theirs, theirErr := helmengine.Engine{}.RenderWithContext(t.Context(), second, values)
	if (err == nil) != (theirErr == nil) {
		t.Fatalf("ours: %v\nHelm: %v", err, theirErr)
	}
	return ours, theirs, engine.nonDeterministic(), err
}

// TestHelmsOwnCharts renders the charts among the test data of Helm's module.
func TestHelmsOwnCharts(t *testing.T) {
	rendered := 0
	root := os.DirFS(helmSource(t))
	err := fs.WalkDir(root, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Base(name) != "Chart.yaml" || strings.Contains(name, "/v3/") {
			return err
		}
		folder, err := fs.Sub(root, path.Dir(name))
		if err != nil {
			return err
		}
		ours, theirs, random, err := both(t, folder)
		if err != nil {
			return nil
		}
		rendered++
		if len(random) > 0 {
			return nil
		}
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Errorf("%s (-Helm +ours):\n%s", path.Dir(name), diff)
		}
		return nil
	})
	if err != nil || rendered < 30 {
		t.Errorf("rendered %d charts, %v", rendered, err)
	}
}

// helmSource is where Helm's module is.
func helmSource(t *testing.T) string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "helm.sh/helm/v4").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(dir))
}

// TestFunctionsAreHelms reads the names of Helm's functions from its source.
func TestFunctionsAreHelms(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(helmSource(t), "pkg/engine/funcs.go"))
	if err != nil {
		t.Fatal(err)
	}
	functions := newEngine(t.Context(), Limits{}.withDefaults()).functions
	names := regexp.MustCompile(`(?m)^\t\t"([a-zA-Z]+)":`).FindAllSubmatch(source, -1)
	if len(names) < 20 {
		t.Fatalf("found only %d functions in Helm's source", len(names))
	}
	for _, name := range names {
		if functions[string(name[1])] == nil {
			t.Errorf("Helm has a function %q", name[1])
		}
	}
	for _, list := range [][]string{random, shallow, tangling, slices.Collect(maps.Keys(amplifiers)), slices.Collect(maps.Keys(dated))} {
		for _, name := range list {
			if functions[name] == nil {
				t.Errorf("%q is no function", name)
			}
		}
	}
}

// FuzzTemplate checks that a hostile chart ends in an output or an error within the bounds.
func FuzzTemplate(f *testing.F) {
	f.Add("kind: A\nv: {{ .Values.a }}\n", "a: 1\n", "")
	f.Add("{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ include \"a\" . }}", "a: &a [*a]\n", "{}")
	f.Add("{{ tpl .Values.t . }}{{ range until 99999999 }}{{ end }}", "t: '{{ tpl .Values.t . }}'\n", `{"$ref": "#"}`)
	f.Add("{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ toYaml $d }}{{ printf \"%999999999d\" 1 }}{{ repeat 99999 .Values.x }}", "x: y", "1")
	f.Add("{{ fromToml \"a=[[[[\" }}{{ seq 1 9999999 }}{{ regexReplaceAll \"\" .Values.a .Values.a }}---\nkind: B\n", "a: bbbbb", "")
	f.Fuzz(func(t *testing.T, template, values, schema string) {
		files := tree(map[string]string{"templates/a.yaml": template, "values.yaml": values})
		if schema != "" {
			files["values.schema.json"] = &fstest.MapFile{Data: []byte(schema), Mode: 0o644}
		}
		out, err := Template(t.Context(), Request{Chart: files, ReleaseName: "r", Limits: Limits{OutputBytes: 1 << 16, Time: time.Second}})
		if err != nil {
			if _, ok := errors.AsType[*manifest.Error](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		total := 0
		for _, m := range out.Manifests {
			total += len(m.Data)
		}
		if total > 1<<16 {
			t.Fatalf("rendered %d bytes", total)
		}
	})
}
