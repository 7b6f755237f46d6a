package diff_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/render/diff"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// TestThreeThousandApplications writes reports of a size that no comment holds, for the limits of the forges: GitLab takes a
// million characters in a note, GitHub 65,536.
func TestThreeThousandApplications(t *testing.T) {
	list := many(3000, 3)
	last := &list[len(list)-1]
	last.Base = append(last.Base, parse(t, claim+"}")...)
	report := diff.Compare(list)
	for _, limit := range []int{1_000_000, 65_536, diff.DefaultLimit, 20_000, 4_000} {
		got := diff.Markdown(report, diff.MarkdownOptions{Limit: limit, Link: "https://ci.example/full"})
		checkMarkdown(t, got, limit)
		if limit > 60_000 && len(got) < limit/2 {
			t.Errorf("limit %d: only %d bytes are used", limit, len(got))
		}
		for _, want := range []string{
			"**3000 applications change: 9000 objects changed, 1 object removed.**", "- ⚠ **removed `PersistentVolumeClaim data`** — `app-2999`",
			"<summary><code>app-2999</code>", "Left out, because it would be too long", "[The full diff](<https://ci.example/full>)",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("limit %d: lacks %q:\n%.1000s", limit, want, got)
			}
		}
		if first, danger := strings.Index(got, "\n- "), strings.Index(got, "\n- ⚠ **"); first != danger {
			t.Errorf("limit %d: the danger does not stand first", limit)
		}
	}
}

// many is n applications of m Deployments each, and in each another value changes.
func many(n, m int) []diff.App {
	list := make([]diff.App, 0, n)
	for i := range n {
		app := diff.App{Name: fmt.Sprintf("app-%04d", i), Namespace: fmt.Sprint("ns-", i)}
		for j := range m {
			base := pod(map[string]any{"image": fmt.Sprint("web:", i), "env": []any{map[string]any{"name": "A", "value": "b"}}})
			base.Fields["metadata"] = map[string]any{"name": fmt.Sprint("web-", j), "namespace": app.Namespace}
			head := base.Copy()
			head.Fields["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)["image"] = fmt.Sprint("web:", i+1)
			app.Base, app.Head = append(app.Base, base), append(app.Head, head)
		}
		list = append(list, app)
	}
	return list
}

// TestTheCostGrowsWithTheObjects counts allocations, which do not depend on how busy the machine is.
func TestTheCostGrowsWithTheObjects(t *testing.T) {
	renamed := func(n int) []diff.App {
		app := many(1, n)[0]
		for i := range app.Head {
			metadata := app.Head[i].Fields["metadata"].(map[string]any)
			metadata["name"] = fmt.Sprint("prod-", metadata["name"])
		}
		return []diff.App{app}
	}
	for name, of := range map[string]func(n int) []diff.App{
		"applications":    func(n int) []diff.App { return many(n, 4) },
		"objects":         func(n int) []diff.App { return many(1, n) },
		"renamed objects": renamed,
		"renamed applications": func(n int) []diff.App {
			list := many(n, 2)
			for i := range n {
				list = append(list, diff.App{Name: "new-" + list[i].Name, Namespace: list[i].Namespace, Head: list[i].Head, BaseMissing: true})
				list[i].Head, list[i].HeadMissing = nil, true
			}
			return list
		},
	} {
		cost := func(n int) float64 {
			list := of(n)
			return testing.AllocsPerRun(1, func() { diff.Text(diff.Compare(list), diff.TextOptions{}) })
		}
		if small, large := cost(200), cost(800); large > 5*small {
			t.Errorf("%s: four times as many cost %.1f times as much", name, large/small)
		}
	}
}

// TestLargeObjectsAreCompared compares objects of a size that nobody writes: whatever is looked for among all that was found
// before would take longer than a test may.
func TestLargeObjectsAreCompared(t *testing.T) {
	const n = 40_000
	large := func(side int) []object.Object {
		data, spec, env := map[string]any{}, map[string]any{}, []any{}
		for i := range n {
			data[fmt.Sprint("key-", i)] = fmt.Sprint(side)
			spec[fmt.Sprint("part-", i)] = map[string]any{"replicas": int64(i + side), "image": fmt.Sprint("image-", i), "tag": fmt.Sprint(i + side)}
			env = append(env, map[string]any{"name": fmt.Sprint("E", i), "valueFrom": map[string]any{
				"configMapKeyRef": map[string]any{"name": "settings", "key": fmt.Sprint("missing-", side, i)},
			}})
		}
		return []object.Object{
			configMap("settings", data),
			{Fields: map[string]any{"apiVersion": "x.example/v1", "kind": "X", "metadata": map[string]any{"name": "x"}, "spec": spec}},
			{Fields: map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "p", "namespace": "develop"}, "spec": map[string]any{
				"containers": []any{map[string]any{"name": "c", "env": env}},
			}}},
		}
	}
	report := diff.Compare([]diff.App{{Name: "a", Base: large(1), Head: large(2)}})
	if len(report.Facts) < 3*n {
		t.Errorf("%d facts", len(report.Facts))
	}
}
