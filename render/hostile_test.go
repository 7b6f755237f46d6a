package render

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// strict is a tree that follows no links, as those of Git do not.
type strict struct{ fstest.MapFS }

// above refuses a path that goes through a link.
func (s strict) above(op, name string) error {
	for dir := path.Dir(name); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if f := s.MapFS[dir]; f != nil && !f.Mode.IsDir() {
			return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
		}
	}
	return nil
}

func (s strict) Open(name string) (fs.File, error) {
	if err := s.above("open", name); err != nil {
		return nil, err
	}
	if f := s.MapFS[name]; f != nil && f.Mode&fs.ModeSymlink != 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return s.MapFS.Open(name)
}

func (s strict) ReadFile(name string) ([]byte, error) {
	if _, err := s.Open(name); err != nil {
		return nil, err
	}
	return s.MapFS.ReadFile(name)
}

func (s strict) Stat(name string) (fs.FileInfo, error) { return s.Lstat(name) }

func (s strict) Lstat(name string) (fs.FileInfo, error) {
	if err := s.above("lstat", name); err != nil {
		return nil, err
	}
	return s.MapFS.Lstat(name)
}

// bomb is YAML of a few lines that aliases make into 9⁹ values.
func bomb() string {
	out := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for _, pair := range []string{"ba", "cb", "dc", "ed", "fe", "gf", "hg", "ih"} {
		out += pair[:1] + ": &" + pair[:1] + " [" + strings.Repeat(",*"+pair[1:], 9)[1:] + "]\n"
	}
	return out
}

func below(key, yaml string) string {
	return key + ":\n  " + strings.ReplaceAll(strings.TrimSpace(yaml), "\n", "\n  ") + "\n"
}

// hostile is one Application, and what becomes of it.
type hostile struct {
	name  string
	path  string            // of the source, and more of it
	files map[string]string // a name that ends in " link" is a symbolic link
	want  string            // how its first finding begins, behind its Application
	tail  string            // how it ends, where the rest depends on the machine
}

const (
	configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
	chartYAML = "apiVersion: v2\nname: c\nversion: 1.0.0\n"
	unseen    = ": what it deploys is not shown; "
	smaller   = unseen + "look for loops and recursion, or make it smaller [not-rendered-offline]"
)

// escapes lead out of the repository, or of what is followed.
var escapes = []hostile{
	{"a path out of the repository", "../x", nil, `error: path "../x" is outside the repository`, ""},
	{"a path that is a link", "d1", map[string]string{"d1 link": "apps"}, "warning: d1 is a symbolic link, which is not followed" + unseen + "give the path of the folder itself", ""},
	{"a path through a link", "d2/sub", map[string]string{"d2 link": "apps"}, "warning: d2 is a symbolic link, which is not followed" + unseen, ""},
	{"a path that is a file", "d3/a.yaml", map[string]string{"d3/a.yaml": configMap}, `error: path "d3/a.yaml" is a file; give the path of a folder`, ""},
	{"a manifest that is a link", "d4", map[string]string{"d4/a.yaml link": "../../etc/passwd"}, "error: is a symbolic link, which is not followed", ""},
	{"an override that is a link", "d5", map[string]string{"d5/.argocd-source.yaml link": "/etc/passwd", "d5/a.yaml": configMap}, `error: read "d5/.argocd-source.yaml": open d5/.argocd-source.yaml: invalid argument`, ""},
	{"a base", "k1", map[string]string{"k1/kustomization.yaml": "resources: [../../../etc/passwd]\n"}, "error: cannot be built: accumulating resources: accumulation err='accumulating resources from '../../../etc/passwd': lstat etc: file does not exist'", ""},
	{"a component", "k2", map[string]string{"k2/kustomization.yaml": "components: [../../../etc]\n"}, "error: cannot be built: accumulating components", ""},
	{"a generator's file", "k3", map[string]string{"k3/kustomization.yaml": "configMapGenerator: [{name: a, files: [../../../etc/passwd]}]\n"}, "error: cannot be built: loading KV pairs: file sources: [../../../etc/passwd]: lstat etc: file does not exist", ""},
	{"a generator's link", "k4", map[string]string{"k4/kustomization.yaml": "configMapGenerator: [{name: a, files: [p]}]\n", "k4/p link": "/etc/passwd"}, "error: is a symbolic link, which is not followed", ""},
	{"a remote base", "k5", map[string]string{"k5/kustomization.yaml": "resources: ['https://127.0.0.1:1/x']\n"}, `warning: "https://127.0.0.1:1/x" is remote, and nothing is fetched`, ""},
	{"a program that is a generator", "k6", map[string]string{"k6/kustomization.yaml": "generators: [g.yaml]\n", "k6/g.yaml": function("exec: {path: ./x.sh}")}, "error: cannot be built: loading generator plugins: failed to load generator: external plugins disabled", ""},
	{"a container that is a transformer", "k7", map[string]string{"k7/kustomization.yaml": "resources: [c.yaml]\ntransformers: [g.yaml]\n", "k7/c.yaml": configMap, "k7/g.yaml": function("container: {image: evil, network: true}")}, "error: cannot be built: external plugins disabled", ""},
	{"a values file", "h, helm: {valueFiles: [../../../etc/passwd]}", nil, `error: the file "../../etc/passwd" lies outside of the repository`, ""},
	{"a values file that is a link", "h, helm: {valueFiles: [../v.yaml]}", map[string]string{"v.yaml link": "/etc/passwd"}, "error: is not a regular file, and links are not followed", ""},
	{"a parameter's file", "h, helm: {fileParameters: [{name: a, path: /../../etc/passwd}]}", nil, `error: the file "../../etc/passwd" lies outside of the repository`, ""},
	{"a chart beside", "h1", map[string]string{"h1/Chart.yaml": chartYAML + "dependencies: [{name: x, version: 1.0.0, repository: 'file://../../../etc'}]\n"}, "error: the dependency file://../../../etc lies outside of the repository", ""},
	{"a template that is a link", "h2", map[string]string{"h2/Chart.yaml": chartYAML, "h2/templates/a.yaml link": "/etc/passwd"}, "error: is not a regular file, and links in a chart are not followed", ""},
	{"a chart that is a link", "h3", map[string]string{"h3/Chart.yaml link": "../h/Chart.yaml"}, "error: is not a regular file, and links in a chart are not followed", ""},
	{"an import", "j1", map[string]string{"j1/a.jsonnet": "importstr '../../../etc/passwd'"}, `error: RUNTIME ERROR: import "../../../etc/passwd" leads outside of the repository`, ""},
	{"an import that is a link", "j2", map[string]string{"j2/a.jsonnet": "importstr 'p'", "j2/p link": "/etc/passwd"}, `error: RUNTIME ERROR: import "j2/p": j2/p is a symbolic link, which is not followed`, ""},
	{"a library", "j3, directory: {jsonnet: {libs: [../../etc]}}", map[string]string{"j3/a.jsonnet": "{}"}, `error: the Jsonnet library "../../etc" is outside of the repository`, ""},
}

func function(runs string) string {
	return "apiVersion: v1\nkind: E\nmetadata:\n  name: a\n  annotations: {config.kubernetes.io/function: '" + runs + "'}\n"
}

// excess is small and becomes large, or is large, or deep.
func excess() []hostile {
	deep := strings.Repeat("[", 1<<20)
	return []hostile{
		{"aliases in a manifest", "b1", map[string]string{"b1/a.yaml": configMap + below("data", bomb())}, "error: not YAML: document contains excessive aliasing", ""},
		{"a deep manifest", "b2", map[string]string{"b2/a.yaml": configMap + "data: " + deep}, "error: not YAML: exceeded max depth of 10000", ""},
		{"a deep manifest as JSON", "b3", map[string]string{"b3/a.json": `{"kind":"A","x":` + deep}, "error: not JSON: invalid character '[' exceeded max depth", ""},
		{"thousands of documents", "b4", map[string]string{"b4/a.yaml": strings.Repeat(configMap+"---\n", 10_001)}, "error: the file has more than 10000 documents", ""},
		{"thousands of findings", "b5", map[string]string{"b5/a.yaml": strings.Repeat(configMap+"---\n", 300)}, "warning: 99 more findings about it are not shown", ""},
		{"manifests that are long together", "b6", map[string]string{"b6/a.yaml": strings.Repeat("#", 6<<20), "b6/b.yaml": strings.Repeat("#", 6<<20)}, "error: with this file the directory's manifests have more than 10485760 bytes together", ""},
		{"a long file", "b7", map[string]string{"b7/a.yaml": strings.Repeat("#", 11<<20)}, "error: the file is larger than the 10485760 bytes that are read", ""},
		{"aliases in an override", "b8", map[string]string{"b8/.argocd-source.yaml": bomb()}, "error: not a patch of an Application's source: error converting YAML to JSON: yaml: document contains excessive aliasing", ""},
		{"aliases in a kustomization", "b9", map[string]string{"b9/kustomization.yaml": bomb()}, "warning: aliases expand to more than 200000 values", ""},
		{"a deep kustomization", "b10", map[string]string{"b10/kustomization.yaml": "resources: " + deep}, "error: cannot be built: invalid Kustomization: yaml: exceeded max depth of 10000", ""},
		{"a deep resource", "b11", map[string]string{"b11/kustomization.yaml": "resources: [a.yaml]\n", "b11/a.yaml": configMap + "data: " + deep}, "error: cannot be built: accumulating resources: accumulating resources from 'a.yaml': MalformedYAMLError: yaml: line 4: exceeded max depth of 10000", ""},
		{"aliases in a chart", "b12", map[string]string{"b12/Chart.yaml": chartYAML + below("annotations", bomb())}, "error: the chart cannot be loaded: cannot load Chart.yaml: error converting YAML to JSON: yaml: document contains excessive aliasing", ""},
		{"aliases in a chart's values", "b13", map[string]string{"b13/Chart.yaml": chartYAML, "b13/values.yaml": bomb()}, "error: the chart cannot be loaded: cannot load values.yaml: cannot unmarshal yaml document: error converting YAML to JSON: yaml: document contains excessive aliasing", ""},
		{"deep values", "b14", map[string]string{"b14/Chart.yaml": chartYAML, "b14/values.yaml": "a: " + deep}, "error: the chart cannot be loaded: cannot load values.yaml: cannot unmarshal yaml document: error converting YAML to JSON: yaml: exceeded max depth of 10000", ""},
		{"aliases in a values file", "h, helm: {valueFiles: [../bomb.yaml]}", map[string]string{"bomb.yaml": bomb()}, "warning: aliases expand to more than 200000 values" + unseen, ""},
		{"aliases in an Application's values", `h, helm: {values: "` + strings.ReplaceAll(bomb(), "\n", `\n`) + `"}`, nil, "warning: values of the Application: aliases expand to more than 200000 values" + unseen, ""},
		{"aliases in what a template writes", "b15", map[string]string{"b15/Chart.yaml": chartYAML, "b15/templates/a.yaml": configMap + below("data", bomb())}, "error: rendered something that is not YAML: yaml: document contains excessive aliasing", ""},
		{"a template's long list", "b16", map[string]string{"b16/Chart.yaml": chartYAML, "b16/templates/a.yaml": "{{ range until 1000000000 }}a{{ end }}"}, "warning: the text would have more than 10485760 bytes", ""},
	}
}

// runaways never end, or take all the memory there is.
func runaways() []hostile {
	// Which bound is met first depends on the machine where nothing is said of it.
	const (
		memory = "warning: rendering needed more than 512 MiB of memory"
		long   = "warning: rendering took more than 5s and was stopped" + smaller
	)
	files := map[string]string{"r1/14/kustomization.yaml": "resources: [c.yaml]\n", "r1/14/c.yaml": configMap}
	for i := range 14 {
		files[fmt.Sprintf("r1/%d/kustomization.yaml", i)] = fmt.Sprintf("resources: [../%da, ../%db]\n", i, i)
		for _, side := range []string{"a", "b"} {
			files[fmt.Sprintf("r1/%d%s/kustomization.yaml", i, side)] = fmt.Sprintf("namePrefix: %s\nresources: [../%d]\n", side, i+1)
		}
	}
	program := func(name, folder, text, want, tail string) hostile {
		return hostile{name, folder, map[string]string{folder + "/a.jsonnet": text}, want, tail}
	}
	return []hostile{
		{"bases that double", "r1/0", files, long, ""},
		program("a billion numbers", "r2", "std.range(1, 1e9)", memory, smaller),
		program("a loop", "r3", "local f(n) = std.foldl(function(a, b) a + b, std.range(1, 30000), 0) + f(n + 1) tailstrict; f(0)", "warning: rendering ", smaller),
		program("recursion", "r4", "local f(x) = f(x + 1) + 1; f(0)", "error: RUNTIME ERROR: max stack frames exceeded.", ""),
		program("recursion that keeps no frames", "r5", "local f(x) = f(x + 1) tailstrict; f(0)", "warning: rendering ", smaller),
		program("a text that doubles", "r6", "local d(s, n) = if n == 0 then s else d(s + s, n - 1); std.length(d('x', 40))", "warning: rendering ", smaller),
		program("a list that doubles", "r7", "local d(s, n) = if n == 0 then s else d(s + s, n - 1); std.length(d([1], 40))", "warning: rendering ", smaller),
		program("a deep program", "r8", strings.Repeat("[", 2<<20), "warning: rendering ", smaller),
		{"an argument", "r9, directory: {jsonnet: {tlas: [{name: x, value: 'std.range(1, 1e9)', code: true}]}}", map[string]string{"r9/a.jsonnet": "function(x) x"}, memory, smaller},
	}
}

// TestHostileInput compares nothing with a commit of Applications that mean harm, and one that does not. Each of the former is
// a finding, and no more.
func TestHostileInput(t *testing.T) {
	all := slices.Concat(escapes, excess(), runaways())
	files := fstest.MapFS{}
	add := func(name, text string) {
		name, link := strings.CutSuffix(name, " link")
		files[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
		if link {
			files[name].Mode |= fs.ModeSymlink
		}
	}
	add("apps/bomb.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: x}\n"+below("spec", bomb()))
	add("h/Chart.yaml", chartYAML)
	add("h/templates/a.yaml", configMap)
	add("good/a.yaml", configMap)
	for i, h := range append(all, hostile{name: "good", path: "good"}) {
		add(fmt.Sprintf("apps/%d.yaml", i), strings.NewReplacer("NAME", fmt.Sprintf("app-%03d", i), "PATH", h.path).Replace(overlayApps))
		for name, text := range h.files {
			add(name, text)
		}
	}
	engine := withWorkers(t)
	engine.timeout = 5 * time.Second
	got, err := engine.Compare(t.Context(), repository(strict{fstest.MapFS{}}), repository(strict{files}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "aliases expand to more than 200000 values"; len(got.Findings) != 1 || got.Findings[0].Message != want {
		t.Errorf("findings about Applications are %v", got.Findings)
	}
	if len(got.Apps) != len(all)+1 {
		t.Fatalf("%d applications of %d", len(got.Apps), len(all)+1)
	}
	if good := got.Apps[len(all)].Head; len(good.Objects) != 1 || len(good.Findings) > 0 {
		t.Errorf("the one that means no harm has %d objects and %v", len(good.Objects), good.Findings)
	}
	for i, h := range all {
		t.Run(h.name, func(t *testing.T) { h.check(t, got.Apps[i].Head) })
	}
}

func (h hostile) check(t *testing.T, r *Result) {
	t.Helper()
	if len(r.Findings) == 0 || len(r.Findings) > maxFindings+1 {
		t.Fatalf("%d findings", len(r.Findings))
	}
	first := r.Findings[0]
	first.File, first.Line, first.Column, first.Application = "", 0, 0, ""
	if text := first.String(); !strings.HasPrefix(text, h.want) || !strings.HasSuffix(text, h.tail) {
		t.Errorf("it says %s\nwant    %s…%s", text, h.want, h.tail)
	}
	if len(r.Findings[0].Message) > 1000 {
		t.Errorf("a message of %d bytes", len(r.Findings[0].Message))
	}
	if text := fmt.Sprint(r.Findings, r.Objects); strings.Contains(text, "root:x:0") {
		t.Errorf("the machine's files are shown: %s", text)
	}
}
