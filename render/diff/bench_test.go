package diff_test

import (
	"fmt"
	"testing"

	"github.com/lockkeeper/lockkeeper/render/diff"
)

// fifty is one application of 50 Deployments whose image changes.
func fifty(b *testing.B) []diff.App {
	a := apps(b, archive(b, "promote_image"))[0]
	base, head := a.Base[1], a.Head[1]
	a.Base, a.Head = nil, nil
	for i := range 50 {
		o, n := base.Copy(), head.Copy()
		o.Fields["metadata"].(map[string]any)["name"] = fmt.Sprint("web-", i)
		n.Fields["metadata"].(map[string]any)["name"] = fmt.Sprint("web-", i)
		a.Base, a.Head = append(a.Base, o), append(a.Head, n)
	}
	return []diff.App{a}
}

func BenchmarkCompare(b *testing.B) {
	list := fifty(b)
	b.ReportAllocs()
	for b.Loop() {
		if r := diff.Compare(list); len(r.Apps[0].Objects) != 50 {
			b.Fatal("not 50 changes")
		}
	}
}

func BenchmarkMarkdown(b *testing.B) {
	report := diff.Compare(fifty(b))
	b.ReportAllocs()
	for b.Loop() {
		if diff.Markdown(report, diff.MarkdownOptions{}) == "" {
			b.Fatal("empty")
		}
	}
}

// BenchmarkCompareThousand is 1,000 applications of 20 objects, of which one value each changes.
func BenchmarkCompareThousand(b *testing.B) {
	list := many(1000, 20)
	b.ReportAllocs()
	for b.Loop() {
		if r := diff.Compare(list); len(r.Apps) != 1000 {
			b.Fatal("not 1000 applications")
		}
	}
}

func BenchmarkMarkdownThousand(b *testing.B) {
	report := diff.Compare(many(1000, 20))
	b.ReportAllocs()
	for b.Loop() {
		if diff.Markdown(report, diff.MarkdownOptions{}) == "" {
			b.Fatal("empty")
		}
	}
}

// BenchmarkCompareRenamed is 1,000 objects that all get another name.
func BenchmarkCompareRenamed(b *testing.B) {
	app := many(1, 1000)[0]
	for i := range app.Head {
		app.Head[i] = app.Head[i].Copy()
		metadata := app.Head[i].Fields["metadata"].(map[string]any)
		metadata["name"] = fmt.Sprint("prod-", metadata["name"])
	}
	b.ReportAllocs()
	for b.Loop() {
		if r := diff.Compare([]diff.App{app}); r.Renamed() != 1000 {
			b.Fatal(r.Renamed(), " of 1000 are renamed")
		}
	}
}
