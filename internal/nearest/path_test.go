package nearest_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
)

func TestPath(t *testing.T) {
	tree := fstest.MapFS{"kargo/stages.yaml": {}, "kargo/tasks/one.yaml": {}, "develop/frontend/x": {}}
	all := func(fs.DirEntry) bool { return true }
	for _, row := range []struct {
		name, path string
		wanted     func(fs.DirEntry) bool
		want       string
	}{
		{"a folder with a letter missing", "karg", all, "kargo"},
		{"a file with a letter missing", "kargo/stage.yaml", all, "kargo/stages.yaml"},
		{"a typing mistake in each part", "develp/fronted", all, "develop/frontend"},
		{"a slash too many", "kargo/task/", all, "kargo/tasks"},
		{"folders only", "kargo/stage.yaml", fs.DirEntry.IsDir, ""},
		{"nothing near", "pipelines", all, ""},
		{"something near in nothing near", "else/stages.yaml", all, ""},
		{"below a file", "kargo/stages.yaml/x", all, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := nearest.Path(tree, row.path, row.wanted); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}
