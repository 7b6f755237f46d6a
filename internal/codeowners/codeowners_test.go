package codeowners

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOwners(t *testing.T) {
	for _, group := range []struct {
		name    string
		dialect Dialect
		file    string
		want    map[string]string // by path
	}{
		{
			"the last match wins on GitHub", GitHub,
			"* @everybody\n*.js @scripts # and a remark, @nobody\n/build/logs/ @logs\n",
			map[string]string{"a.txt": "@everybody", "src/a.js": "@scripts", "build/logs/x/y": "@logs", "src/build/logs/x": "@everybody"},
		},
		{
			"a star at the end stays in its folder on GitHub", GitHub, "docs/* docs@example.com\n/* @root\n",
			map[string]string{"docs/start.md": "docs@example.com", "docs/app/help.md": "", "x/docs/start.md": "", "README": "@root"},
		},
		{
			"a folder anywhere, and one at the root", GitHub, "apps/ @apps\n/lib/ @lib\n",
			map[string]string{"apps/a": "@apps", "x/apps/y/z": "@apps", "lib/a": "@lib", "x/lib/a": "", "apps": ""},
		},
		{
			"an entry without owners takes them away", GitHub, "/apps/ @apps\n/apps/github\n",
			map[string]string{"apps/a": "@apps", "apps/github/a": "", "apps/github": ""},
		},
		{
			"globs of GitHub", GitHub, "**/logs @logs\n/a/**/z @az\n/deep/** @deep\nv?.txt @v\n",
			map[string]string{
				"logs/a": "@logs", "x/y/logs/b": "@logs", "a/z": "@az", "a/b/c/z": "@az", "a/b": "", "deep/x/y": "@deep", "deep": "",
				"v1.txt": "@v", "v12.txt": "",
			},
		},
		{
			"what gitignore knows and GitHub does not is passed over", GitHub, "* @all\n!a.txt @no\n\\#b @no\n[ab].txt @no\n",
			map[string]string{"a.txt": "@all", "#b": "@all"},
		},
		{
			"teams and spaces on GitHub", GitHub, "path\\ with\\ spaces/ @acme/leads @ann @Ann\n",
			map[string]string{"path with spaces/a": "@acme/leads @ann"},
		},
		{
			"no headings on GitHub", GitHub, "* @all\n[Docs]\n*.md @docs\n",
			map[string]string{"a.md": "@docs", "a.txt": "@all"},
		},
		{
			"each section of GitLab has owners of its own", GitLab,
			"* @admin\n\n[README Owners]\nREADME.md @user1 @user2\ninternal/README.md @user4\n\n[README other owners]\nREADME.md @user3\n",
			map[string]string{"README.md": "@admin @user1 @user2 @user3", "internal/README.md": "@admin @user4 @user3", "x": "@admin"},
		},
		{
			"default owners of a section", GitLab,
			"[Documentation][2] @docs-team\ndocs/\nREADME.md\n^[Database] @database-team @agarcia\nmodel/db/\nconfig/db/setup.md @docs-team\n",
			map[string]string{
				"docs/a/b": "@docs-team", "x/docs/a": "@docs-team", "model/db/x": "@database-team @agarcia", "config/db/setup.md": "@docs-team", "x": "",
			},
		},
		{
			"sections of one name are one", GitLab, "[Documentation]\ndocs/ @docs\n[Database]\nmodel/db/ @db\n[DOCUMENTATION]\ndocs/README.md @one\n",
			map[string]string{"docs/README.md": "@one", "docs/x": "@docs"},
		},
		{
			"paths of GitLab", GitLab, "/docs/*.md @md\n/docs/*/README.md @readme\n/db/**/index.md @index\n/config @file\nlib/ @lib\n/all/** @flat\n",
			map[string]string{
				"docs/a.md": "@md", "docs/x/a.md": "", "docs/x/README.md": "@readme", "docs/x/y/README.md": "", "db/index.md": "@index",
				"db/a/b/index.md": "@index", "config": "@file", "config/a": "", "x/lib/y": "@lib", "all/a": "@flat", "all/a/b": "", ".hidden": "",
			},
		},
		{
			"a path without a slash at the beginning is anywhere on GitLab", GitLab, "internal/README.md @in\n*.rb @rb\n",
			map[string]string{"internal/README.md": "@in", "docs/internal/README.md": "@in", "a/.b/c.rb": "@rb"},
		},
		{
			"what is excluded is not included again", GitLab, "* @all\n!*.rb\n/special/*.rb @ruby\n[Ruby]\n*.rb @team\n!/config/**/*.rb\n/config/routes.rb @ops\n",
			map[string]string{"a.rb": "@team", "special/a.rb": "@team", "config/routes.rb": "", "a": "@all"},
		},
		{
			"what is no heading is an entry, and what is no owner nothing", GitLab, "* @group\n[Section name\ndocs/ @docs user\n/r/ @@maintainer ann@example.com\n",
			map[string]string{"docs/a": "@docs", "a": "@group", "[Section": "", "r/a": "@@maintainer ann@example.com"},
		},
		{
			"nested groups, escapes and sets on GitLab", GitLab, "\\#pound @pound @a/b/c\npath\\ with\\ spaces/*.md @s\n[a-c]?.go @set\n/x[!a].go @not\n/[Section]x @no\n",
			map[string]string{"d/#pound": "@pound @a/b/c", "path with spaces/a.md": "@s", "x1.go": "@not", "xa.go": ""},
		},
	} {
		t.Run(group.name, func(t *testing.T) {
			file, err := Parse(group.dialect, []byte(group.file))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for path := range group.want {
				got[path] = strings.Trim(fmt.Sprint(file.Owners(path)), "[]")
			}
			if diff := cmp.Diff(group.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHeadings(t *testing.T) {
	file, err := Parse(GitLab, []byte("^[One]\n[Two][3] @a\n^[three][x]\n[ONE][2]\n[][2]\n[four]x\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range file.Sections[1:] {
		got = append(got, fmt.Sprintf("%s optional=%t approvals=%d", s.Name, s.Optional, s.Approvals))
	}
	want := []string{"One optional=false approvals=2", "Two optional=false approvals=3", "three optional=true approvals=1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestProblems(t *testing.T) {
	for _, row := range []struct {
		dialect Dialect
		file    string
		want    []Problem
	}{
		{GitHub, "# nothing\n\n!a @b\n* @a/b/c nobody @\n", []Problem{
			{3, `"!a": GitHub knows no negation; the line is passed over`},
			{4, `"@a/b/c" is no owner; write @name, @group/name or an e-mail address`},
			{4, `"nobody" is no owner; write @name, @group/name or an e-mail address`},
			{4, `"@" is no owner; write @name, @group/name or an e-mail address`},
		}},
		{GitLab, "* @a # or @b\n", []Problem{
			{1, `"#": GitLab has no comments behind owners: whoever is named in it owns, too`},
			{1, `"or" is no owner; write @name, @group/name or an e-mail address`},
		}},
		{GitLab, strings.Repeat("a/", 200) + " @a\n", []Problem{{1, fmt.Sprintf("%q has more than 100 folders; the line is passed over", strings.Repeat("a/", 200))}}},
	} {
		file, err := Parse(row.dialect, []byte(row.file))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(row.want, file.Problems); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAddressesAndRoles(t *testing.T) {
	file, err := Parse(GitLab, []byte("* a@example.com @@owner\n*.md a@example.com b@example.com @ann\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Problem{{1, "a@example.com"}, {2, "b@example.com"}}, file.Emails()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Problem{{1, "@@owner"}}, file.Roles()); diff != "" {
		t.Error(diff)
	}
}

func TestBounds(t *testing.T) {
	for name, text := range map[string]string{
		"a large file":  strings.Repeat("#", MaxFileSize+1),
		"a long line":   "* " + strings.Repeat("@a ", maxLine),
		"many entries":  strings.Repeat("* @a\n", maxEntries+1),
		"many sections": headings(maxSections + 1),
	} {
		if _, err := Parse(GitLab, []byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func headings(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "[s%d]\n", i)
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"* @a\n*.js @acme/leads # x\n/docs/* a@example.com\n", "^[One][2] @a\ndocs/\n!docs/x\n[a-c]?.go @@owner\n", "[\n[]\n[x\n\\ @a\n[!", "a\\", "[a-",
	} {
		f.Add(text, "docs/x/a.go", true)
		f.Add(text, "/", false)
	}
	f.Fuzz(func(t *testing.T, text, path string, github bool) {
		dialect := GitLab
		if github {
			dialect = GitHub
		}
		file, err := Parse(dialect, []byte(text))
		if err != nil {
			return
		}
		for _, owner := range file.Owners(path) {
			if !strings.Contains(text, owner.Name) && strings.ToValidUTF8(text, "") == text {
				t.Errorf("%s owns %q, and is not in %q", owner, path, text)
			}
		}
		if again, err := Parse(dialect, []byte(text)); err != nil || !cmp.Equal(file.Owners(path), again.Owners(path)) {
			t.Errorf("read twice, it says something else: %v", err)
		}
	})
}
