package kustomizeedit

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// names are those that kustomize looks for.
var names = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// Find gives the path of the kustomization file in a folder of the tree. As for kustomize, there has to be exactly one.
func Find(tree fs.FS, dir string) (string, error) {
	var found []string
	for _, name := range names {
		name = path.Join(dir, name)
		info, err := fs.Lstat(tree, name)
		switch {
		case err == nil && info.Mode().IsRegular():
			found = append(found, name)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("look for a kustomization: %w", err)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("there is no kustomization in %q; give the path of the folder that holds %s", dir, strings.Join(names, " or "))
	}
	return "", fmt.Errorf("there are several kustomizations in %q: %s; keep one of them", dir, strings.Join(found, ", "))
}
