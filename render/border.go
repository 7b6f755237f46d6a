package render

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
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

// requirements is the file in which charts of apiVersion v1 name the charts that they depend on.
const requirements = "requirements.yaml"

// isBorder reports whether a file may name files outside of its folder for Kustomize, Helm or Argo CD.
func isBorder(name string) bool {
	switch name {
	case "kustomization.yaml", "kustomization.yml", "Kustomization", "Chart.yaml", requirements:
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
