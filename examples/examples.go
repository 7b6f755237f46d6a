// Package examples holds the repositories of this folder, so that the demo and the tests work on exactly what people read.
package examples

import (
	"embed"
	"fmt"
	"io/fs"
)

//go:embed all:gitops
var files embed.FS

// GitOps returns the files of the GitOps repository in gitops/, with that folder as its root.
func GitOps() fs.FS {
	root, err := fs.Sub(files, "gitops")
	if err != nil {
		// fs.Sub fails for an invalid path only, and this one is a constant.
		panic(fmt.Sprintf("examples: %v", err))
	}
	return root
}
