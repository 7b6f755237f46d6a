package drift

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// list returns the files below a folder that no exclusion leaves out, by their path in it, or why there are too many.
func (p *pairing) list(ctx context.Context, dir string) (map[string]fs.FileMode, string, error) {
	files := map[string]fs.FileMode{}
	refused := ""
	err := fs.WalkDir(p.tree, dir, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("read %q: %w", name, err)
		case ctx.Err() != nil:
			return ctx.Err()
		case name == dir:
			return nil
		}
		below := strings.TrimPrefix(name, dir+"/")
		switch {
		case p.excludes(below, entry.IsDir()):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case !entry.IsDir():
			files[below] = entry.Type()
		case entry.Name() == ".git":
			return fs.SkipDir
		case strings.Count(below, "/") >= maxDepth:
			refused = fmt.Sprintf("%s nests deeper than %d folders", dir, maxDepth)
			return fs.SkipAll
		}
		if len(files) > maxFiles {
			refused = fmt.Sprintf("%s has more than %d files: exclude some", dir, maxFiles)
			return fs.SkipAll
		}
		return nil
	})
	return files, refused, err
}

// excludes reports whether a file or folder is left out as a whole.
func (p *pairing) excludes(name string, isDir bool) bool {
	excluded := false
	for i, e := range p.exclusions {
		if e.key == nil && e.files.matches(name, isDir) {
			p.used[i], excluded = true, true
		}
	}
	return excluded
}

// trails are the exclusions of values that concern a file.
func (p *pairing) trails(name string) []trail {
	var out []trail
	for i, e := range p.exclusions {
		if e.key != nil && e.files.matches(name, false) {
			out = append(out, trail{i, e.key})
		}
	}
	return out
}

// names are those of both folders, in order.
func names(from, to map[string]fs.FileMode) []string {
	all := slices.AppendSeq(make([]string, 0, len(from)+len(to)), maps.Keys(from))
	all = slices.AppendSeq(all, maps.Keys(to))
	slices.Sort(all)
	return slices.Compact(all)
}

// isStructured reports whether a file is compared value by value.
func isStructured(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}
