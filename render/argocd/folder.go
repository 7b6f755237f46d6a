package argocd

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// folders lists a tree's folders, each at most once.
type folders struct {
	tree       fs.FS
	memory     *Memory             // nil when nothing is remembered
	listed     map[string][]string // names of the folders in a folder, in lexical order
	doublestar bool                // patterns of files are doublestar's, not Git's
}

func newFolders(tree fs.FS, memory *Memory) *folders {
	return &folders{tree: tree, memory: memory, listed: map[string][]string{}}
}

// patterns says which folders a git generator takes: those that an include pattern matches and no exclude pattern does.
// Patterns are those of path.Match: a star does not cross a slash.
type patterns struct{ include, exclude []string }

func newPatterns(items []directoryItem) (patterns, error) {
	var p patterns
	for _, item := range items {
		if _, err := path.Match(item.Path, ""); err != nil {
			return p, fmt.Errorf("pattern %q: %w", item.Path, err)
		}
		if item.Exclude {
			p.exclude = append(p.exclude, item.Path)
		} else {
			p.include = append(p.include, item.Path)
		}
	}
	return p, nil
}

// match returns the folders that the patterns take, in the order of a walk. It lists only folders in which one can be.
// Folders whose name begins with a dot are passed over. It fails only when the tree cannot be read, or with its context.
// In a tree that knows its object ids nothing is listed when the folders that the patterns begin with are remembered.
func (f *folders) match(ctx context.Context, p patterns) ([]string, error) {
	if len(p.include) == 0 {
		return nil, ctx.Err()
	}
	key, identified := f.key(p)
	if identified {
		if known, ok := f.memory.matches.Get(key); ok {
			return known, ctx.Err()
		}
	}
	found, err := f.walk(ctx, p, ".", nil)
	if err == nil && identified {
		f.memory.matches.Put(key, found, 1+len(found))
	}
	return found, err
}

// key is equal for patterns that match the same; false means that this cannot be told without looking.
func (f *folders) key(p patterns) (digest, bool) {
	tree, ok := f.tree.(manifest.Identifier)
	if !ok || f.memory == nil {
		return digest{}, false
	}
	var all []byte
	for _, pattern := range p.include {
		dir := stem(pattern)
		if !fs.ValidPath(dir) {
			return digest{}, false
		}
		id, err := tree.ObjectID(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return digest{}, false
		}
		all = fmt.Appendf(all, "%q in %q, ", pattern, id)
	}
	for _, pattern := range p.exclude {
		all = fmt.Appendf(all, "not %q, ", pattern)
	}
	return sha256.Sum256(all), true
}

// stem is the folder in which everything is that a pattern can match.
func stem(pattern string) string {
	if i := strings.IndexAny(pattern, `*?[\\`); i >= 0 {
		pattern = pattern[:i]
	}
	i := strings.LastIndexByte(pattern, '/')
	if i < 0 {
		return "."
	}
	return pattern[:i]
}

func (f *folders) walk(ctx context.Context, p patterns, dir string, found []string) ([]string, error) {
	names, err := f.list(ctx, dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		below := name
		if dir != "." {
			below = dir + "/" + name
		}
		if matchAny(p.include, below) && !matchAny(p.exclude, below) {
			found = append(found, below)
		}
		if !slices.ContainsFunc(p.include, func(pattern string) bool { return mayMatchBelow(pattern, below) }) {
			continue
		}
		if found, err = f.walk(ctx, p, below, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (f *folders) list(ctx context.Context, dir string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if known, ok := f.listed[dir]; ok {
		return known, nil
	}
	entries, err := fs.ReadDir(f.tree, dir)
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", dir, err)
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	f.listed[dir] = names
	return names, nil
}

func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}

// mayMatchBelow reports whether the pattern can match anything inside dir. It spares the walk of a large tree.
func mayMatchBelow(pattern, dir string) bool {
	depth := strings.Count(dir, "/") + 1
	if i := strings.IndexAny(pattern, `[\`); i >= 0 {
		// A character class may match a slash, so only the folders before it are certain.
		certain := strings.Count(pattern[:i], "/")
		if certain == 0 {
			return true
		}
		if depth > certain {
			depth, dir = certain, leading(dir, certain)
		}
	} else if strings.Count(pattern, "/") < depth {
		return false
	}
	ok, err := path.Match(leading(pattern, depth), dir)
	return ok || err != nil
}

// leading returns the first n parts of a path that has at least as many.
func leading(name string, n int) string {
	end := 0
	for range n {
		next := strings.IndexByte(name[end:], '/')
		if next < 0 {
			return name
		}
		end += next + 1
	}
	return name[:end-1]
}
