package render

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/jsonnet"
)

// borders say in which folders manifests are made, and which lead to files outside of them: overlays to their bases, charts
// to charts beside them. Of Jsonnet each file has a border of its own, because what it imports may lead on to others. They are
// found without rendering, from every path that stands in the files of [isBorder], so they name more rather than less than
// what is read.
type borders struct {
	dirs    []string // sorted; Jsonnet's files that may lead outside among them
	leads   map[string][]string
	imports map[string][]jsonnet.Import // of Jsonnet's files
}

// border is one folder that leads outside, or one Jsonnet file that imports, seen from a folder around it.
type border struct {
	dir     string
	leads   []string // as written, relative to dir
	imports []jsonnet.Import
}

// isBorder reports whether a file may name files outside of its folder for Kustomize, Helm or Argo CD.
func isBorder(name string) bool {
	switch name {
	case "kustomization.yaml", "kustomization.yml", "Kustomization", "Chart.yaml":
		return true
	}
	return strings.HasPrefix(name, ".argocd-source") && strings.HasSuffix(name, ".yaml")
}

// bordersOf looks through a tree. A folder that was looked through before, on whatever commit, is not listed again.
func (e *Engine) bordersOf(ctx context.Context, tree fs.FS) (*borders, error) {
	found, err := e.bordersIn(ctx, tree, ".")
	if err != nil {
		return nil, err
	}
	out := &borders{leads: make(map[string][]string, len(found)), imports: map[string][]jsonnet.Import{}}
	for _, b := range found {
		if len(b.imports) > 0 {
			out.imports[b.dir] = b.imports
		}
		for _, lead := range b.leads {
			if lead != overridden && lead != engine {
				lead = fromRoot(b.dir, lead)
			}
			out.leads[b.dir] = append(out.leads[b.dir], lead)
		}
		if len(b.leads) > 0 || slices.ContainsFunc(b.imports, matters) {
			out.dirs = append(out.dirs, b.dir)
		}
	}
	slices.Sort(out.dirs)
	out.dirs = slices.Compact(out.dirs)
	return out, nil
}

// fromRoot places a path that is written in a folder's file. Like kustomize, it cannot leave the root.
func fromRoot(dir, written string) string {
	if !strings.HasPrefix(written, "/") {
		written = "/" + dir + "/" + written
	}
	if cleaned := strings.TrimPrefix(path.Clean(written), "/"); cleaned != "" {
		return cleaned
	}
	return "."
}

func (e *Engine) bordersIn(ctx context.Context, tree fs.FS, dir string) ([]border, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	id := ""
	if identifier, ok := tree.(manifest.Identifier); ok {
		id, _ = identifier.ObjectID(dir)
	}
	if known, ok := e.borders.Get(id); ok && id != "" {
		return known, nil
	}
	entries, err := fs.ReadDir(tree, dir)
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", dir, err)
	}
	if err := prefetchBorders(ctx, tree, dir, entries); err != nil {
		return nil, err
	}
	var found []border
	own := border{dir: "."}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		switch {
		case entry.IsDir() && entry.Name() != ".git":
			below, err := e.bordersIn(ctx, tree, name)
			if err != nil {
				return nil, err
			}
			for _, b := range below {
				found = append(found, border{path.Join(entry.Name(), b.dir), b.leads, b.imports})
			}
		case entry.Type().IsRegular() && isProgram(entry.Name()):
			one, err := importsOf(tree, name)
			if err != nil {
				return nil, err
			}
			if one.dir = entry.Name(); len(one.leads)+len(one.imports) > 0 {
				found = append(found, one)
			}
			if path.Ext(name) == ".jsonnet" {
				own.leads = append(own.leads, engine)
			}
		case entry.Type().IsRegular() && isBorder(entry.Name()):
			leads, err := leadsOf(tree, name)
			if err != nil {
				return nil, err
			}
			own.leads = append(own.leads, leads...)
		}
	}
	if len(own.leads) > 0 {
		found = append(found, own)
	}
	if id != "" {
		e.borders.Put(id, found, 1+len(found))
	}
	return found, nil
}

// prefetchBorders gets the files of a folder that will be read in one request.
func prefetchBorders(ctx context.Context, tree fs.FS, dir string, entries []fs.DirEntry) error {
	prefetcher, ok := tree.(manifest.Prefetcher)
	if !ok {
		return nil
	}
	var names []string
	for _, entry := range entries {
		if entry.Type().IsRegular() && (isBorder(entry.Name()) || isProgram(entry.Name())) {
			names = append(names, path.Join(dir, entry.Name()))
		}
	}
	if len(names) < 2 {
		return nil
	}
	return prefetcher.Prefetch(ctx, names...)
}

const (
	// overridden is the lead of a folder in which Argo CD finds more of the source: what it says is for the Application to tell.
	overridden = "\x00overridden"
	// engine is the lead of a folder in which manifests are made: a chart, a kustomization or a program. It leads nowhere.
	engine = "\x00engine"
	// everywhere is the lead of what cannot be followed: it may be read from anywhere.
	everywhere = "/"
	// maxLeads bounds how many paths of one file are followed.
	maxLeads = 2000
)

// isProgram reports whether a file may import others for Jsonnet.
func isProgram(name string) bool {
	return strings.HasSuffix(name, ".jsonnet") || strings.HasSuffix(name, ".libsonnet")
}

// importsOf is the border of a Jsonnet file.
func importsOf(tree fs.FS, name string) (border, error) {
	data, err := manifest.ReadFile(tree, name)
	if errors.Is(err, manifest.ErrBound) || errors.Is(err, fs.ErrNotExist) {
		return border{}, nil // no renderer reads it either
	}
	if err != nil {
		return border{}, err
	}
	imports, ok := jsonnet.Imports(data)
	if !ok || len(imports) > maxLeads {
		return border{leads: []string{everywhere}}, nil
	}
	return border{imports: imports}, nil
}

// matters reports whether an import may lead out of the folder that it is looked for in: by itself, or because nothing is known
// of what the file in it imports.
func matters(i jsonnet.Import) bool {
	return strings.HasPrefix(path.Clean(i.Path), "..") || i.Code && !isProgram(i.Path)
}

// leadsOf lists every path in a file that leads out of its folder.
func leadsOf(tree fs.FS, name string) ([]string, error) {
	if strings.HasPrefix(path.Base(name), ".argocd-source") {
		return []string{overridden}, nil
	}
	l := &leadFinder{tree: tree, dir: path.Dir(name), seen: map[string]bool{name: true}, leads: []string{engine}}
	err := l.file(name)
	return l.leads, err
}

// leadFinder looks through a file, and through the configurations of plugins that it names.
type leadFinder struct {
	tree  fs.FS
	dir   string
	seen  map[string]bool
	leads []string
}

func (l *leadFinder) file(name string) error {
	data, err := manifest.ReadFile(l.tree, name)
	if errors.Is(err, manifest.ErrBound) || errors.Is(err, fs.ErrNotExist) {
		return nil // no renderer reads it either
	}
	if err != nil {
		return err
	}
	return l.text(name, data)
}

func (l *leadFinder) text(name string, data []byte) error {
	docs, _ := manifest.Split(name, data) // what cannot be read leads nowhere
	for _, doc := range docs {
		if err := l.node(doc.Node, ""); err != nil {
			return err
		}
	}
	return nil
}

// plugins are the lists of a kustomization whose entries are configurations, in a file or as they are.
var plugins = []string{"generators", "transformers", "validators"}

func (l *leadFinder) node(n *yaml.Node, list string) error {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if err := l.node(n.Content[i+1], n.Content[i].Value); err != nil {
				return err
			}
		}
		return nil
	}
	if n.Kind != yaml.ScalarNode {
		for _, child := range n.Content {
			if err := l.node(child, list); err != nil {
				return err
			}
		}
		return nil
	}
	for _, text := range []string{n.Value, n.Value[strings.IndexByte(n.Value, '=')+1:]} {
		if text = strings.TrimPrefix(text, "file://"); leadsOut(text) {
			l.add(text)
		}
	}
	if !slices.Contains(plugins, list) {
		return nil
	}
	name := fromRoot(l.dir, n.Value)
	switch {
	case strings.Contains(n.Value, "\n"):
		return l.text(name, []byte(n.Value))
	case leadsOut(n.Value) || strings.Contains(n.Value, "://"):
		l.add(everywhere) // its configuration may name anything
		return nil
	case l.seen[name]:
		return nil
	}
	l.seen[name] = true
	return l.file(name)
}

func (l *leadFinder) add(lead string) {
	switch {
	case slices.Contains(l.leads, lead):
	case len(l.leads) >= maxLeads:
		l.leads[len(l.leads)-1] = everywhere
	default:
		l.leads = append(l.leads, lead)
	}
}

func leadsOut(text string) bool {
	const longest = 1000
	return len(text) <= longest && !strings.Contains(text, "\n") &&
		(text == ".." || strings.HasPrefix(text, "../") || strings.Contains(text, "/../") || strings.HasPrefix(text, "/"))
}

// makes reports whether manifests are made in a folder, or below it, that do not stand there.
func (b *borders) makes(dir string) bool {
	if len(b.dirs) == 0 {
		return false
	}
	return slices.ContainsFunc(b.below(dir), func(at string) bool {
		return slices.ContainsFunc(b.leads[at], func(lead string) bool { return lead == engine || lead == overridden })
	})
}

// below lists the folders at or below dir that lead outside.
func (b *borders) below(dir string) []string {
	if dir == "." {
		return b.dirs
	}
	from := sort.SearchStrings(b.dirs, dir+"/")
	to := sort.SearchStrings(b.dirs, dir+"0") // the character after the slash
	below := b.dirs[from:to]
	if _, itself := b.leads[dir]; itself {
		below = append([]string{dir}, below...)
	}
	return below
}

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
			add(name)
		}
	}
	return out
}
