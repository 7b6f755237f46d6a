package render

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/jsonnet"
	"github.com/lockkeeper/lockkeeper/render/kustomize"
)

// around lists the files and folders outside of an Application's own folders that it may be rendered from, sorted.
func (b *borders) around(tree fs.FS, app argocd.Application, urls []string) []string {
	var own, open []string
	var programs []argocd.Source
	for _, s := range app.Sources {
		if !holdsManifests(s, urls) {
			open = append(open, lent(app, s, urls)...)
			continue
		}
		if dir := path.Clean(s.Path); fs.ValidPath(dir) {
			own = append(own, dir)
			if slices.Contains(b.leads[dir], overridden) {
				if changed, _, err := app.Override(tree, s); err == nil { // what is wrong with it fails the render
					s = changed
				}
			}
			open = append(open, named(app, s)...)
			if s.Directory != nil && s.Directory.Jsonnet != nil {
				programs = append(programs, s)
			}
		}
	}
	if len(b.dirs)+len(open)+len(programs) == 0 {
		return nil
	}
	f := &following{borders: b, tree: tree, own: own, libs: slices.Clone(own)}
	f.add(open...)
	for _, s := range programs {
		f.libs = append(f.libs, libraries(s)...)
	}
	f.add(f.libs...)
	for _, s := range programs {
		f.variables(app, s)
	}
	for _, dir := range f.own {
		f.below(dir)
	}
	for len(f.open) > 0 {
		at := f.open[len(f.open)-1]
		f.open = f.open[:len(f.open)-1]
		if at.code && !isProgram(at.name) {
			f.other(at.name)
		}
		if !inside(at.name, f.own) && !inside(at.name, f.out) {
			f.out = append(f.out, at.name)
			f.below(at.name)
		}
	}
	slices.Sort(f.out)
	return f.out
}

// following is one way along the borders.
type following struct {
	*borders
	tree fs.FS
	own  []string // the Application's folders
	libs []string // where its Jsonnet looks for imports, its own folders included; all of them are in own or out
	open []step
	out  []string
	read map[string]bool
}

// step is a file or folder that is led to.
type step struct {
	name string
	code bool // Jsonnet evaluates it
}

func inside(name string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return dir == "." || name == dir || strings.HasPrefix(name, dir+"/") })
}

func (f *following) add(names ...string) {
	for _, name := range names {
		f.open = append(f.open, step{name: name})
	}
}

// below adds where a folder, or a file, leads. Most imports of files in a folder stay in it, or in the libraries.
func (f *following) below(dir string) {
	for _, at := range f.borders.below(dir) {
		for _, lead := range f.leads[at] {
			if lead != overridden && lead != engine {
				f.add(lead)
			}
		}
		if at == dir {
			continue
		}
		for _, i := range f.imports[at] {
			if matters(i) {
				f.imported(at, i)
			}
		}
	}
	for _, i := range f.imports[dir] {
		f.imported(dir, i)
	}
}

// imported adds where an import may be found: beside the file, and in every library.
func (f *following) imported(from string, i jsonnet.Import) {
	for _, dir := range append([]string{path.Dir(from)}, f.libs...) {
		f.open = append(f.open, step{fromRoot(dir, "./"+i.Path), i.Code})
	}
}

// variables adds what the code in an Application's variables imports. It lies in no folder.
func (f *following) variables(app argocd.Application, s argocd.Source) {
	options, err := s.JsonnetOptions()
	if err != nil {
		return // fails the render
	}
	for _, v := range variablesOf(app, s, slices.Concat(options.TLAs, options.ExtVars)) {
		if !v.Code {
			continue
		}
		imports, ok := jsonnet.Imports([]byte(v.Value))
		if !ok {
			f.add(".")
		}
		for _, i := range imports {
			for _, dir := range f.libs {
				f.open = append(f.open, step{fromRoot(dir, "./"+i.Path), i.Code})
			}
		}
	}
}

// other looks through a file that Jsonnet evaluates although its name does not say so.
func (f *following) other(name string) {
	if f.read[name] {
		return
	}
	if f.read == nil {
		f.read = map[string]bool{}
	}
	f.read[name] = true
	one, err := importsOf(f.tree, name)
	if err != nil || len(one.leads) > 0 {
		f.add(".") // it cannot be followed
		return
	}
	for _, i := range one.imports {
		f.imported(name, i)
	}
}

// libraries are the folders in which a source's Jsonnet files look for imports, its own excepted.
func libraries(s argocd.Source) []string {
	options, err := s.JsonnetOptions()
	if err != nil {
		return nil // fails the render
	}
	var out []string
	for _, lib := range options.Libs {
		out = append(out, fromRoot(".", "/"+lib))
	}
	return out
}

// holdsManifests reports whether a source is a folder of this repository that is rendered. One that only lends files to
// others is not.
func holdsManifests(s argocd.Source, urls []string) bool {
	return s.Chart == "" && (s.Path != "" || s.Ref == "") && argocd.Ours(s.RepoURL, urls)
}

// lent lists the files of this repository that a source from elsewhere takes by a $ref.
func lent(app argocd.Application, s argocd.Source, urls []string) []string {
	h, err := s.HelmOptions()
	if err != nil {
		return nil
	}
	names := slices.Clone(h.ValueFiles)
	for _, p := range h.FileParameters {
		names = append(names, p.Path)
	}
	s.Helm, s.Kustomize = map[string]any{}, nil
	var taken []any
	for _, name := range names {
		match := refStart.FindStringSubmatch(name)
		ours := func(other argocd.Source) bool {
			return match != nil && other.Ref == match[1] && argocd.Ours(other.RepoURL, urls)
		}
		if slices.ContainsFunc(app.Sources, ours) {
			taken = append(taken, name)
		}
	}
	s.Helm["valueFiles"] = taken
	return named(app, s)
}

// named lists the files that the Application itself names for a source.
func named(app argocd.Application, s argocd.Source) []string {
	if len(s.Helm) == 0 && len(s.Kustomize) == 0 {
		return nil
	}
	var out []string
	dir, variables := path.Clean(s.Path), app.Variables(s)
	add := func(written string) {
		written = os.Expand(refless(written), variables)
		if rest, isRef := strings.CutPrefix(written, refMark); isRef {
			_, inside, _ := strings.Cut(rest, "/")
			written = "/" + inside
		}
		if i := strings.IndexAny(written, `*?[{\`); i >= 0 && strings.ContainsAny(written, "*?[") { // a pattern: the folder before it
			written = written[:strings.LastIndexByte(written[:i], '/')+1] + "."
		}
		out = append(out, fromRoot(dir, written))
	}
	if h, err := s.HelmOptions(); err == nil {
		for _, name := range h.ValueFiles {
			add(name)
		}
		for _, p := range h.FileParameters {
			add(p.Path)
		}
	}
	if k, err := s.KustomizeOptions(); err == nil {
		for _, name := range k.Components {
			out = append(out, fromRoot(dir, name))
		}
		for _, raw := range k.Patches {
			if patch, err := kustomize.ParsePatch(raw); err == nil && patch.Path != "" { // what is wrong with it fails the render
				out = append(out, fromRoot(dir, patch.Path))
			}
		}
	}
	return out
}
