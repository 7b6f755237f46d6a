package kustomizeedit

import (
	"io/fs"
	"testing"
	"testing/fstest"
)

func TestFind(t *testing.T) {
	tree := fstest.MapFS{
		"a/kustomization.yaml": {Mode: 0o644}, "b/Kustomization": {Mode: 0o644}, "c/kustomization.yml": {Mode: 0o644}, "c/kustomization.yaml": {Mode: 0o644},
		"d/kustomization.yaml/x": {Mode: 0o644}, "e/kustomization.yaml": {Mode: fs.ModeSymlink}, "kustomization.yml": {Mode: 0o644},
	}
	for dir, want := range map[string]string{
		"a": "a/kustomization.yaml", "b": "b/Kustomization", ".": "kustomization.yml",
		"c": `there are several kustomizations in "c": c/kustomization.yaml, c/kustomization.yml; keep one of them`,
		"d": `there is no kustomization in "d"; give the path of the folder that holds kustomization.yaml or kustomization.yml or Kustomization`,
		"e": `there is no kustomization in "e"; give the path of the folder that holds kustomization.yaml or kustomization.yml or Kustomization`,
		"f": `there is no kustomization in "f"; give the path of the folder that holds kustomization.yaml or kustomization.yml or Kustomization`,
	} {
		got, err := Find(tree, dir)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("Find(%q) = %s, want %s", dir, got, want)
		}
	}
	if got, err := Find(tree, "../a"); err == nil {
		t.Errorf("Find outside of the tree = %s", got)
	}
}
