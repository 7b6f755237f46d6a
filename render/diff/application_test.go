package diff_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/render/diff"
)

func TestWhatAnApplicationSaysOfItself(t *testing.T) {
	whole := func() diff.Says {
		return diff.Says{
			Project: "web", Namespace: "shop", Automated: true, Prune: true, SelfHeal: true, Options: []string{"CreateNamespace=true", "Replace=true"},
			Sources: []diff.Source{{Repository: "https://git.example.com/deploy", Path: "web", Revision: "HEAD"}, {Repository: "https://charts.example.com", Chart: "redis", Revision: "1.2.3"}},
		}
	}
	tests := []struct {
		name   string
		change func(*diff.App)
		want   []string // facts, dangers with "!" in front; nil for no change
	}{
		{"the same", func(*diff.App) {}, nil},
		{"another project and namespace", func(a *diff.App) { a.HeadSays.Project, a.HeadSays.Namespace = "other", "" }, []string{"project web → other", "namespace shop → none"}},
		{"synced by hand", func(a *diff.App) {
			a.HeadSays.Automated, a.HeadSays.Prune, a.HeadSays.SelfHeal = false, false, false
		}, []string{"!is not synced automatically any more: what is merged is deployed when somebody syncs it"}},
		{"synced automatically", func(a *diff.App) { a.BaseSays.Automated, a.BaseSays.Prune, a.BaseSays.SelfHeal = false, false, false }, []string{
			"!prunes from now on: what it does not deploy any more is deleted", "is synced automatically from now on", "heals itself from now on: what others change in the cluster is undone",
		}},
		{"no pruning, no healing", func(a *diff.App) { a.HeadSays.Prune, a.HeadSays.SelfHeal = false, false }, []string{
			"does not prune any more: what it does not deploy any more stays", "does not heal itself any more: what others change in the cluster stays",
		}},
		{"options", func(a *diff.App) { a.HeadSays.Options = []string{"Replace=true", "ServerSideApply=true"} }, []string{"sync option CreateNamespace=true is gone", "sync option ServerSideApply=true is new"}},
		{"another version of a chart", func(a *diff.App) { a.HeadSays.Sources[1].Revision = "1.3.0" }, []string{"revision of chart redis: 1.2.3 → 1.3.0"}},
		{"the standard revision, written out", func(a *diff.App) { a.BaseSays.Sources[0].Revision = "" }, nil},
		{"options in another order", func(a *diff.App) { slices.Reverse(a.HeadSays.Options) }, nil},
		{"another folder", func(a *diff.App) { a.HeadSays.Sources[0].Path = "shop" }, []string{
			"does not deploy web of https://git.example.com/deploy at HEAD any more", "deploys shop of https://git.example.com/deploy at HEAD",
		}},
		{"one source less", func(a *diff.App) { a.HeadSays.Sources = a.HeadSays.Sources[:1] }, []string{"does not deploy chart redis of https://charts.example.com at 1.2.3 any more"}},
		{"credentials in a URL", func(a *diff.App) {
			a.HeadSays.Sources[0].Repository = "https://user:very-secret@git.example.com/deploy"
		}, []string{
			"does not deploy web of https://git.example.com/deploy at HEAD any more", "deploys web of https://<secret>@git.example.com/deploy at HEAD",
		}},
		{"a new application says nothing else", func(a *diff.App) { a.BaseSays, a.BaseMissing = diff.Says{}, true }, []string{"new application, with 0 objects"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			app := diff.App{Name: "a", BaseSays: whole(), HeadSays: whole()}
			test.change(&app)
			report := diff.Compare([]diff.App{app})
			var got []string
			for _, f := range report.Facts {
				text := f.String()
				if f.Danger {
					text = "!" + text
				}
				got = append(got, text)
				if strings.Contains(text, "very-secret") {
					t.Errorf("credentials are shown: %s", text)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			if report.Empty() != (test.want == nil) {
				t.Errorf("empty is %t", report.Empty())
			}
		})
	}
}

func TestWhatAnApplicationSaysDoesNotAct(t *testing.T) {
	const hostile = "</details> @all <img src=x> [x](https://example.com) **bold"
	says := diff.Says{
		Project: hostile, Namespace: hostile, Options: []string{hostile}, Sources: []diff.Source{{Repository: hostile, Path: hostile, Revision: hostile}},
	}
	moved := says
	moved.Sources = []diff.Source{{Repository: hostile, Path: hostile, Revision: "v2"}}
	for _, pair := range [][2]diff.Says{{{}, says}, {says, {}}, {says, moved}} {
		text := diff.Markdown(diff.Compare([]diff.App{{Name: "a", BaseSays: pair[0], HeadSays: pair[1]}}), diff.MarkdownOptions{})
		checkHTML(t, render(t, text), "@all", "<img", "[x](", "**bold")
	}
}
