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
)

// borders say which folders lead to files outside of them: overlays to their bases, charts to charts beside them. They are
// found without rendering, from every path that stands in the files of [isBorder], so they name more rather than less than
// what is read.
type borders struct {
	dirs  []string // sorted
	leads map[string][]string
}

// border is one folder that leads outside, seen from a folder around it.
type border struct {
	dir   string
	leads []string // as written, relative to dir
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
	out := &borders{leads: make(map[string][]string, len(found))}
	for _, b := range found {
		for _, lead := range b.leads {
			out.leads[b.dir] = append(out.leads[b.dir], fromRoot(b.dir, lead))
		}
		out.dirs = append(out.dirs, b.dir)
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
				found = append(found, border{path.Join(entry.Name(), b.dir), b.leads})
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

// maxLeads bounds how many paths of one file are followed.
const maxLeads = 2000

// leadsOf lists every path in a file that leads out of its folder.
func leadsOf(tree fs.FS, name string) ([]string, error) {
	data, err := manifest.ReadFile(tree, name)
	if errors.Is(err, manifest.ErrBound) {
		return nil, nil // no renderer reads it either
	}
	if err != nil {
		return nil, err
	}
	docs, _ := manifest.Split(name, data) // what cannot be read leads nowhere
	var leads []string
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && len(leads) < maxLeads {
			for _, text := range []string{n.Value, n.Value[strings.IndexByte(n.Value, '=')+1:]} {
				if text = strings.TrimPrefix(text, "file://"); leadsOut(text) && !slices.Contains(leads, text) {
					leads = append(leads, text)
				}
			}
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	for _, doc := range docs {
		walk(doc.Node)
	}
	return leads, nil
}

func leadsOut(text string) bool {
	const longest = 1000
	return len(text) <= longest && !strings.Contains(text, "\n") &&
		(text == ".." || strings.HasPrefix(text, "../") || strings.Contains(text, "/../") || strings.HasPrefix(text, "/") || strings.HasPrefix(text, "$"))
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
func (b *borders) around(app argocd.Application, urls []string) []string {
	var own, open, out []string
	inside := func(name string, dirs []string) bool {
		return slices.ContainsFunc(dirs, func(dir string) bool { return dir == "." || name == dir || strings.HasPrefix(name, dir+"/") })
	}
	for _, s := range app.Sources {
		if dir := path.Clean(s.Path); s.Chart == "" && fs.ValidPath(dir) && argocd.Ours(s.RepoURL, urls) {
			own = append(own, dir)
			open = append(open, named(app, s)...)
		}
	}
	if len(b.dirs) == 0 && len(open) == 0 {
		return nil
	}
	for _, dir := range own {
		for _, at := range b.below(dir) {
			open = append(open, b.leads[at]...)
		}
	}
	for len(open) > 0 {
		name := open[len(open)-1]
		open = open[:len(open)-1]
		if inside(name, own) || inside(name, out) {
			continue
		}
		out = append(out, name)
		for _, at := range b.below(name) {
			open = append(open, b.leads[at]...)
		}
	}
	slices.Sort(out)
	return out
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
		if i := strings.IndexAny(written, "*?["); i >= 0 { // a pattern: the folder before it
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
