package discover

import (
	"strings"
	"testing"
)

func TestPathFilter(t *testing.T) {
	tests := []struct {
		name             string
		include, exclude []string
		selects, refuses []string
	}{
		{name: "no pattern selects everything", selects: []string{"a", "a/b"}},
		{
			name: "a folder selects itself and what is below", include: []string{"apps"},
			selects: []string{"apps", "apps/x", "apps/a..b", "apps/..x/y"}, refuses: []string{"apps2/x", "x/apps", "app"},
		},
		{
			name: "a folder may be written with slashes and dots around it", include: []string{"/apps/./web/"},
			selects: []string{"apps/web", "apps/web/x"}, refuses: []string{"apps/x", "apps/website"},
		},
		{name: "the root selects everything", include: []string{"."}, selects: []string{"a", "a/b"}},
		{
			name: "a glob matches the whole path", include: []string{"glob:charts/**/values*.yaml"},
			selects: []string{"charts/values.yaml", "charts/a/b/values-dev.yaml"}, refuses: []string{"x/charts/values.yaml", "charts/a/values.yml"},
		},
		{
			name: "a star stays in its folder", include: []string{"glob:*.go"},
			selects: []string{"main.go"}, refuses: []string{"cmd/main.go"},
		},
		{
			name: "braces are alternatives", include: []string{"glob:{a,b}/{c,d}"},
			selects: []string{"a/d", "b/c"}, refuses: []string{"a/b", "{a,b}/{c,d}"},
		},
		{
			name: "a regular expression matches anywhere", include: []string{`regex:env/(dev|test)/`, `regexp:\.md$`},
			selects: []string{"x/env/dev/y", "README.md"}, refuses: []string{"env/prod/x", "README.md.bak"},
		},
		{
			name: "exclusion wins", include: []string{"apps"}, exclude: []string{"apps/docs", `regex:\.md$`},
			selects: []string{"apps/x"}, refuses: []string{"apps/docs/x", "apps/README.md", "other"},
		},
		{name: "exclusion alone", exclude: []string{"docs"}, selects: []string{"x"}, refuses: []string{"docs/x"}},
		{name: "another colon is part of a path", include: []string{"a:b"}, selects: []string{"a:b/c"}, refuses: []string{"b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := newPathFilter(tt.include, tt.exclude)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range tt.selects {
				if !f.selects(path) {
					t.Errorf("%q is not selected", path)
				}
			}
			for _, path := range tt.refuses {
				if f.selects(path) {
					t.Errorf("%q is selected", path)
				}
			}
		})
	}
}

func TestPathFilterRefusesWhatCannotBeRead(t *testing.T) {
	tests := []struct{ name, pattern, want string }{
		{"an open bracket", "glob:[a", `includePaths: "glob:[a" is not a glob pattern: a bracket is not closed, or holds nothing`},
		{"an open group", "regex:(", `includePaths: "regex:(" is not a regular expression`},
		{"nothing", "", `includePaths: "" is not a path of the repository: write a folder or file such as "apps/web"`},
		{"a path that climbs", "apps/../../x", `is not a path of the repository`},
		{"too many alternatives", "glob:" + strings.Repeat("{a,b}", 12), "its braces stand for more than 200 patterns: split it"},
		{"a very long one", strings.Repeat("x", 1001), "a pattern has 1001 bytes, at most 1000 are allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newPathFilter([]string{tt.pattern}, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

func FuzzPathPattern(f *testing.F) {
	for _, seed := range []string{
		"apps", "/apps/", "apps/a..b", "glob:**/*.yaml", "glob:{a,{b,c}}/[!x-z]?", `glob:\{a`, "regex:^a.*b$", "regexp:(?i)x", "..", "glob:{{{,},},}", "glob:",
	} {
		f.Add(seed, "apps/a..b/values.yaml")
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if len(path) > 4096 {
			return // longer than Git's paths are; an expression takes time in proportion
		}
		include, err := newPathFilter([]string{pattern}, nil)
		if err != nil {
			if strings.HasPrefix(err.Error(), "includePaths: ") {
				return
			}
			t.Fatalf("%q: %v", pattern, err)
		}
		exclude, err := newPathFilter(nil, []string{pattern})
		if err != nil || include.selects(path) == exclude.selects(path) {
			t.Errorf("%q selects %q both when included and when excluded: %v", pattern, path, err)
		}
	})
}
