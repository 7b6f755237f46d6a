package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// repository is one of the example repositories of the tests, in testdata/repository.
func repository(name string) fs.FS { return os.DirFS(filepath.Join("testdata", "repository", name)) }

// bedOf starts a world whose repository is one of the tests' own, and whose registry is empty. replace are pairs of texts, as
// for strings.NewReplacer, for what is only known when the world runs.
func bedOf(t testing.TB, name string, replace ...string) *bed {
	t.Helper()
	b := bedIn(t, startWorldOf(t, map[string]string{"README.md": "# " + name + "\n"}))
	files := map[string]string{}
	err := fs.WalkDir(repository(name), ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(repository(name), file)
		files[file] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.commit("main", files, replace...)
	b.redeploy()
	return b
}
