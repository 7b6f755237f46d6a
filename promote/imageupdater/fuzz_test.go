package imageupdater

import (
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/manifest/manifesttest"
	"github.com/lockkeeper/lockkeeper/promote"
)

func TestParseImage(t *testing.T) {
	for _, test := range []struct {
		name string
		item string
		want listed
	}{
		{"a repository alone", "nginx", listed{repo: "nginx"}},
		{"a constraint stands behind a colon", " nginx:~1.26 ", listed{repo: "nginx", constraint: "~1.26"}},
		{"an alias stands before an equals sign", "web=ghcr.io/team/web", listed{alias: "web", repo: "ghcr.io/team/web"}},
		{"an alias may hold a slash", "argoproj/argocd=quay.io/argoproj/argocd:^2", listed{alias: "argoproj/argocd", repo: "quay.io/argoproj/argocd", constraint: "^2"}},
		{"a port is not a constraint", "a=reg.example.com:5000/a", listed{alias: "a", repo: "reg.example.com:5000/a"}},
		{"an equals sign of a constraint is not one of an alias", "nginx:>=1.20 <2", listed{repo: "nginx", constraint: ">=1.20 <2"}},
		{"spaces around the parts do not count", "a = team/a: ^1", listed{alias: "a", repo: "team/a", constraint: "^1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseImage(test.item)
			if err != nil || got != test.want {
				t.Errorf("got %+v, %v; want %+v", got, err, test.want)
			}
		})
	}
}

func TestGlobPattern(t *testing.T) {
	for _, test := range []struct {
		glob, want string
	}{
		{"latest", `^latest$`},
		{"v1.*", `^v1\.[^/]*$`},
		{"v?-[a-c]", `^v[^/]-[\x{61}-\x{63}]$`},
		{"[^0-9]*", `^[^\x{30}-\x{39}][^/]*$`},
		{`a\*`, `^a\*$`},
		{"[b-a]", `^[^\x{0}-\x{10ffff}]$`},
		{"[^b-a]", `^[\x{0}-\x{10ffff}]$`},
	} {
		got, err := globPattern(test.glob)
		if err != nil || got != test.want {
			t.Errorf("%q: got %q, %v; want %q", test.glob, got, err, test.want)
		}
	}
}

func TestHelmPathKey(t *testing.T) {
	for _, test := range []struct {
		text, want string
	}{
		{"image.tag", "image.tag"},
		{"images[0].tag", "images.0.tag"},
		{"matrix[0][12]", "matrix.0.12"},
		{`annotations.app\.kubernetes\.io/version`, `annotations.app\.kubernetes\.io/version`},
		{"by.0.tag", "by.:0.tag"},
		{":a", "::a"},
	} {
		got, err := parseHelmPath(test.text)
		if err != nil || got.key() != test.want {
			t.Errorf("%q: got %q, %v; want %q", test.text, got.key(), err, test.want)
		}
	}
	for _, text := range []string{"", ".", "a.", "a..b", "a[", "a[]", "a[x]", "a[-1]", "[0]", "a[0]b", `a\`, `a\\b`, "a[12345678]"} {
		if got, err := parseHelmPath(text); err == nil {
			t.Errorf("%q: got %q, want an error", text, got.key())
		}
	}
}

func FuzzParseImage(f *testing.F) {
	for _, seed := range []string{"nginx", "a=ghcr.io/team/a:~1.2", "reg.example.com:5000/a:>=1 <2", "a@sha256:0", "=", ":", "a=b=c:d=e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, item string) {
		one, err := parseImage(item)
		if err != nil {
			return
		}
		if !repositoryName.MatchString(one.repo) || one.alias != "" && !aliasName.MatchString(one.alias) {
			t.Fatalf("%q: got %+v", item, one)
		}
		text := one.repo
		if one.alias != "" {
			text = one.alias + "=" + text
		}
		if one.constraint != "" {
			text += ":" + one.constraint
		}
		if again, err := parseImage(text); err != nil || again != one {
			t.Errorf("%q is read as %+v, and written as %q as %+v, %v", item, one, text, again, err)
		}
	})
}

func FuzzGlobPattern(f *testing.F) {
	for _, seed := range [][2]string{{"v1.*", "v1.2"}, {"[^a-c]?", "dx"}, {`\*[\]-a]`, "*]"}, {"[!a]", "!"}, {"[]", ""}, {"*", "a/b"}, {"[a-]", "a"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, glob, tag string) {
		pattern, err := globPattern(glob)
		if err != nil || strings.ContainsRune(tag, '\uFFFD') || tag != strings.ToValidUTF8(tag, "") {
			return
		}
		want, err := path.Match(glob, tag)
		if err != nil {
			t.Fatalf("%q was taken, but: %v", glob, err)
		}
		if got := regexp.MustCompile(pattern).MatchString(tag); got != want {
			t.Errorf("%q and its %q disagree on %q: %v and %v", glob, pattern, tag, want, got)
		}
	})
}

func FuzzParseMatch(f *testing.F) {
	for _, seed := range []string{"any", "regexp:^v", "regexp:(", "glob:*", ":", "regexp:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pattern, err := parseMatch(text)
		if err == nil && pattern == "" && !strings.EqualFold(text, "any") {
			t.Errorf("%q filters nothing", text)
		}
		if _, bad := regexp.Compile(pattern); err == nil && bad != nil {
			t.Errorf("%q gives %q: %v", text, pattern, bad)
		}
	})
}

func FuzzParseTarget(f *testing.F) {
	for _, seed := range [][2]string{{"kustomization", "apps/a"}, {"kustomization:../../base", "a/b"}, {"helmvalues:/values.yaml", ""}, {"helmvalues", "."}, {"application", "/"}, {"helmvalues:..", "x"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, folder string) {
		where, err := parseTarget(text, folder, "app.yaml")
		if err != nil {
			return
		}
		if !filepath.IsLocal(where.path) {
			t.Errorf("%q in %q gives %q, which leaves the repository", text, folder, where.path)
		}
	})
}

func FuzzParseHelmPath(f *testing.F) {
	for _, seed := range []string{"image.tag", "images[0].tag", `a\.b`, "a[0][1]", "0", ":", "a[", `\[0]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseHelmPath(text)
		if err == nil && (len(got) == 0 || got.key() == "" && got[0].text != "") {
			t.Errorf("%q is read as %q", text, got.key())
		}
	})
}

func FuzzLoad(f *testing.F) {
	manifesttest.Seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		docs, _ := manifest.Split("f.yaml", []byte(text))
		pipelines, findings := Load(docs)
		again, findingsAgain := Load(docs)
		if diff := cmp.Diff(pipelines, again); diff != "" {
			t.Errorf("two readings differ:\n%s", diff)
		}
		if diff := cmp.Diff(findings, findingsAgain); diff != "" {
			t.Errorf("two readings find different things:\n%s", diff)
		}
		for _, found := range findings {
			if found.Code == "" || found.Message == "" || found.Position.Line < 1 {
				t.Errorf("finding without code, message or position: %+v", found)
			}
			if found.Severity == promote.SeverityError && found.Stage == (promote.StageRef{}) {
				t.Errorf("one Application stands in the way of others: %+v", found)
			}
		}
		for _, p := range pipelines {
			for _, s := range p.Stages {
				if !usable(s.Name) || len(s.Steps) == 0 {
					t.Errorf("stage %q has %d steps", s.Name, len(s.Steps))
				}
			}
		}
	})
}
