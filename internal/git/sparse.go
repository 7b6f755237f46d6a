package git

import (
	"path"
	"strings"
)

// cone is what a sparse checkout shows: some directories with all that is below them, and of each directory above them the
// files. nil shows everything.
type cone []string

// Sparse returns the tree as a sparse checkout shows it: the directories that are named with everything below them, and the
// files directly in the root and in the directories above them. All else is not there. This is the cone mode of
// git-sparse-checkout(1). Directories are clean slash-separated paths; "." shows all, and one that the commit does not have
// shows nothing.
func (t *Tree) Sparse(dirs ...string) *Tree {
	sparse := *t
	sparse.cone = append(cone{}, dirs...)
	return &sparse
}

// Includes reports whether a file at a path would be part of the tree: not whether it is there.
func (t *Tree) Includes(file string) bool { return t.cone.file(file) }

// file reports whether the files of a name's directory are shown.
func (c cone) file(name string) bool {
	return c == nil || path.Dir(name) == "." || c.dir(path.Dir(name))
}

// dir reports whether a directory is shown, or is above one that is.
func (c cone) dir(name string) bool {
	if c == nil || name == "." {
		return true
	}
	for _, shown := range c {
		if shown == "." || shown == name || strings.HasPrefix(name, shown+"/") || strings.HasPrefix(shown, name+"/") {
			return true
		}
	}
	return false
}

// shows reports whether an entry at a path is part of the tree.
func (c cone) shows(name string, e entry) bool {
	if e.isTree() {
		return c.dir(name)
	}
	return c.file(name)
}
