package diff_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/render/diff"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// fleet is applications, each with its own namespace, in which one ConfigMap changes as kind says.
func fleet(n int, change func(i int, o *object.Object)) []diff.App {
	var out []diff.App
	for i := range n {
		base := configMap("web", map[string]any{"A": "1"})
		base.Fields["metadata"].(map[string]any)["namespace"] = fmt.Sprint("env-", i)
		head := base.Copy()
		change(i, &head)
		out = append(out, diff.App{Name: fmt.Sprintf("shop-%02d", i), Namespace: fmt.Sprint("env-", i), Base: []object.Object{base}, Head: []object.Object{head}})
	}
	return out
}

func TestTheSameChangeIsShownOnce(t *testing.T) {
	set := func(o *object.Object, v string) { o.Fields["data"].(map[string]any)["A"] = v }
	added := fleet(12, func(int, *object.Object) {})
	for i := range added {
		added[i].Base, added[i].BaseMissing = nil, true
	}
	for name, test := range map[string]struct {
		apps   []diff.App
		groups int
	}{
		"the same value":             {fleet(12, func(_ int, o *object.Object) { set(o, "2") }), 1},
		"another value in one":       {fleet(12, func(i int, o *object.Object) { set(o, fmt.Sprint(2+i/11)) }), 2},
		"a value for each":           {fleet(12, func(i int, o *object.Object) { set(o, fmt.Sprint(2+i)) }), 12},
		"new, apart from namespaces": {added, 1},
		"secrets of which each changes": {fleet(12, func(i int, o *object.Object) {
			o.Fields["data"] = map[string]any{"A": "1", "password": canary + fmt.Sprint(i)}
		}), 1},
	} {
		t.Run(name, func(t *testing.T) {
			report := diff.Compare(test.apps)
			page, err := diff.HTML(report, diff.HTMLOptions{})
			if err != nil {
				t.Fatal(err)
			}
			text, markdown := diff.Text(report, diff.TextOptions{}), diff.Markdown(report, diff.MarkdownOptions{})
			for form, got := range map[string]int{
				"text":     strings.Count(text, "ConfigMap env-") + strings.Count(text, " ConfigMap web\n"),
				"Markdown": strings.Count(markdown, "<details><summary><code>"),
				"HTML":     strings.Count(string(page), `<details class="app"`),
			} {
				if got != test.groups {
					t.Errorf("%s shows %d changes, want %d:\n%s", form, got, test.groups, text)
				}
			}
			for i := range test.apps {
				for form, out := range map[string]string{"text": text, "Markdown": markdown, "HTML": string(page)} {
					if !strings.Contains(out, test.apps[i].Name) {
						t.Errorf("%s does not name %s", form, test.apps[i].Name)
					}
				}
			}
			raw, err := diff.JSON(report)
			if err != nil || strings.Count(string(raw), `"namespace": "env-`) < 2*len(test.apps) {
				t.Errorf("JSON does not have them all: %v", err)
			}
			checkHidden(t, name, report)
		})
	}
}
