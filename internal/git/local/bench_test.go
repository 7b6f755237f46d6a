package local_test

import (
	"fmt"
	"testing"
)

// bigClone has 30,000 service files in three environments.
func bigClone(b *testing.B) *clone {
	b.Helper()
	c := newClone(b)
	files := map[string]string{}
	for _, env := range []string{"develop", "staging", "production"} {
		for i := range 10_000 {
			files[fmt.Sprintf("%s/service-%05d/instance.yaml", env, i)] = fmt.Sprintf("kind: Service\nname: service-%d\ntag: \"1.0.%d\"\n", i, i)
		}
	}
	c.commit(files)
	c.git("repack", "-adq")
	return c
}

// BenchmarkLargeClone measures a clone of 30,000 files: opening it, one changed file of the work tree, and reading
// everything.
func BenchmarkLargeClone(b *testing.B) {
	c := bigClone(b)
	c.write(map[string]string{"develop/service-00042/instance.yaml": "changed\n"})
	b.Run("open and read one file", func(b *testing.B) {
		for b.Loop() {
			if _, err := treeOf(b, open(b, c.dir), "HEAD").ReadFile("develop/service-04711/instance.yaml"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("work tree with one change", func(b *testing.B) {
		r := open(b, c.dir)
		for b.Loop() {
			work, err := r.WorkTree(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			if _, err := work.ReadFile("develop/service-00042/instance.yaml"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read all files", func(b *testing.B) {
		for b.Loop() {
			if err := treeOf(b, open(b, c.dir), "HEAD").Prefetch(b.Context(), "."); err != nil {
				b.Fatal(err)
			}
		}
	})
}
