package nearest

import (
	"io/fs"
	"path"
	"strings"
)

// Path returns the path of a tree that a mistyped one was most likely meant to be, part by part, each of them as by [Of] among
// the entries that are wanted. It returns "" when none is near.
func Path(tree fs.FS, name string, wanted func(fs.DirEntry) bool) string {
	dir := "."
	for part := range strings.SplitSeq(path.Clean(name), "/") {
		entries, err := fs.ReadDir(tree, dir)
		if err != nil {
			return ""
		}
		var names []string
		for _, entry := range entries {
			if wanted(entry) {
				names = append(names, entry.Name())
			}
		}
		meant := Of(part, names)
		if meant == "" {
			return ""
		}
		dir = path.Join(dir, meant)
	}
	return dir
}
