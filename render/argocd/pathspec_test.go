package argocd

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestFilePatterns(t *testing.T) {
	tree := fstest.MapFS{}
	for _, name := range []string{
		"a/x.yaml", "a/.hidden.yaml", "a/b/x.yaml", "a/b/c/x.yaml", "a/x.json", "a.yaml", "top.yaml", "é/ü.yaml", "w[1]/x.yaml", ".git/config.yaml", ".github/x.yaml",
	} {
		tree[name] = &fstest.MapFile{}
	}
	tests := []struct {
		name             string
		include, exclude string
		doublestar       bool
		want             string // or the error
	}{
		{name: "a star crosses slashes", include: "a/*.yaml", want: "a/.hidden.yaml a/b/c/x.yaml a/b/x.yaml a/x.yaml"},
		{name: "two stars are one", include: "a/**/x.yaml", want: "a/b/c/x.yaml a/b/x.yaml"},
		{name: "a question mark is one byte", include: "?.yaml", want: "a.yaml"},
		{name: "a letter of two bytes is two question marks", include: "??/??.yaml", want: "é/ü.yaml"},
		{name: "a folder is all that is below it", include: "a/b", want: "a/b/c/x.yaml a/b/x.yaml"},
		{name: "with a slash, too", include: "a/b/", want: "a/b/c/x.yaml a/b/x.yaml"},
		{name: "a file with a slash at the end is none", include: "a.yaml/", want: ""},
		{name: "dots and slashes are cleaned", include: "./a//b/../x.yaml", want: "a/x.yaml"},
		{name: "an empty path is everything", include: "", exclude: "a", want: ".github/x.yaml a.yaml top.yaml w[1]/x.yaml é/ü.yaml"},
		{name: "a pattern is its own name, too", include: "w[1]/x.yaml", want: "w[1]/x.yaml"},
		{name: "a class", include: "[a-c]/[[:alpha:]].*", want: "a/x.json a/x.yaml"},
		{name: "excluded", include: "*.yaml", exclude: "*/*", want: "a.yaml top.yaml"},
		{name: "nothing is called so", include: "nowhere/*", want: ""},
		{name: "a slash in front", include: "/a/*", want: `path "/a/*" is outside of the repository for Git`},
		{name: "above the root", include: "a/../../x", want: `path "a/../../x" is outside of the repository`},
		{name: "Git's magic", include: ":(glob)a/*", want: `path ":(glob)a/*" begins with a colon, which gives it a meaning of Git's own that is not known here`},
		{name: "a broken exclusion", include: "a", exclude: ":!b", want: `path ":!b" begins with a colon, which gives it a meaning of Git's own that is not known here`},
		{name: "too long", include: strings.Repeat("a", 1001), want: "path has 1001 characters, at most 1000"},

		{name: "new globbing: a star stays in its folder", doublestar: true, include: "a/*.yaml", want: "a/.hidden.yaml a/x.yaml"},
		{name: "new globbing: two stars are any depth, none included", doublestar: true, include: "a/**/x.yaml", want: "a/b/c/x.yaml a/b/x.yaml a/x.yaml"},
		{name: "new globbing: alternatives", doublestar: true, include: "{a,w*}/x.{json,yaml}", want: "a/x.json a/x.yaml w[1]/x.yaml"},
		{name: "new globbing: a question mark is one letter", doublestar: true, include: "?/?.yaml", want: "a/x.yaml é/ü.yaml"},
		{name: "new globbing: a slash in front is the root", doublestar: true, include: "/a/x.*", want: "a/x.json a/x.yaml"},
		{name: "new globbing: excluded", doublestar: true, include: "a/**/*.yaml", exclude: "a/b/**", want: "a/.hidden.yaml a/x.yaml"},
		{name: "new globbing: a folder cannot be read", doublestar: true, include: "a/*", want: `the patterns take the folder "a/b" too, which Argo CD cannot read as a file`},
		{name: "new globbing: alternatives that multiply", doublestar: true, include: "{a,a}{a,a}{a,a}{a,a}{a,a}", want: `path "{a,a}{a,a}{a,a}{a,a}{a,a}" has too many alternatives: at most 4 groups and 20 in all are looked for`},
		{name: "new globbing: no pattern", doublestar: true, include: "a/[", want: `path "a/[" is not a pattern`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFolders(tree, nil)
			f.doublestar = test.doublestar
			p := patterns{include: []string{test.include}}
			if test.exclude != "" {
				p.exclude = []string{test.exclude}
			}
			found, err := f.files(t.Context(), p)
			got := strings.Join(found, " ")
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStemsOfFiles(t *testing.T) {
	for _, test := range []struct {
		patterns   []string
		doublestar bool
		want       []string
	}{
		{[]string{"a/b/*.yaml"}, false, []string{"a/b"}},
		{[]string{"a/b/", "a/b/c", "a-b"}, false, []string{"a-b", "a/b"}},
		{[]string{"a/x*y", "*"}, false, []string{"."}},
		{[]string{`a/\[`, "b/c"}, false, []string{"a", "b/c"}},
		{[]string{"a/{b,c}/d"}, false, []string{"a/{b,c}/d"}},
		{[]string{"a/{b,c}/d"}, true, []string{"a"}},
	} {
		m, err := newFileMatcher(test.patterns, test.doublestar)
		if diff := cmp.Diff(test.want, m.stems()); diff != "" || err != nil {
			t.Errorf("%q (-want +got):\n%s\n%v", test.patterns, diff, err)
		}
	}
}

// pieces are what random names and patterns are made of.
var (
	namePieces    = strings.Split("a b ab x.yaml x.json [ ] ! - ^ : \\ * ? é . 1 A", " ")
	patternPieces = append(slices.Clone(namePieces), strings.Split("* ** ? / / [a-c] [!a] [^b] [[:alpha:]] [[:digit:]-] [] [a \\* \\ . .. [a-", " ")...)
)

func randomText(r *rand.Rand, pieces []string, most int) string {
	var b strings.Builder
	for range 1 + r.IntN(most) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// Git itself is the judge of its patterns.
func TestFilePatternsAreGits(t *testing.T) {
	const trees, patternsEach = 4, 120
	r := rand.New(rand.NewPCG(3, 6))
	for range trees {
		root, tree := t.TempDir(), fstest.MapFS{}
		for range 40 {
			name := randomText(r, namePieces, 3)
			for range r.IntN(3) {
				name += "/" + randomText(r, namePieces, 3)
			}
			name = filepath.Clean(name)
			file := filepath.Join(root, name)
			if name == "." || strings.HasPrefix(name, "..") || strings.Contains(name, ".git") || os.MkdirAll(filepath.Dir(file), 0o755) != nil || os.WriteFile(file, nil, 0o600) != nil {
				continue // a folder or file is called so
			}
			tree[name] = &fstest.MapFile{}
		}
		git(t, root, "init", "--quiet", ".")
		git(t, root, "add", "--all")
		for range patternsEach {
			pattern := randomText(r, patternPieces, 5)
			if r.IntN(3) == 0 {
				pattern = "*" + pattern
			}
			m, err := gitSpecOf(pattern)
			if err != nil || m == "" && strings.Trim(pattern, "./") != "" {
				continue
			}
			want := strings.Split(strings.TrimSuffix(git(t, root, "ls-files", "-z", "--", pattern), "\x00"), "\x00")
			got, err := newFolders(tree, nil).files(t.Context(), patterns{include: []string{pattern}})
			if slices.Sort(want); want[0] == "" {
				want = nil
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%q (-git +got):\n%s\n%v", pattern, diff, err)
			}
		}
	}
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull, "GIT_LITERAL_PATHSPECS=", "GIT_GLOB_PATHSPECS=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %q: %v: %s", args, err, stderr.String())
	}
	return string(out)
}

func FuzzFilePattern(f *testing.F) {
	for _, seed := range [][2]string{{"a/*.json", "a/b.json"}, {"[!a]", "b"}, {"[]a]", "]"}, {`\`, `\`}, {"[a-", "a"}, {"a/", "a/b"}, {"[[:alpha:]", "a"}, {"a/../b", "b"}, {"{a,b}/**", "a/c"}} {
		f.Add(seed[0], seed[1], false)
		f.Add(seed[0], seed[1], true)
	}
	f.Fuzz(func(t *testing.T, pattern, name string, doublestarred bool) {
		m, err := newFileMatcher([]string{pattern}, doublestarred)
		if err != nil || !utf8.ValidString(pattern) || !m.matches(name) {
			return
		}
		for _, dir := range m.stems() {
			if dir != "." && name != dir && !strings.HasPrefix(name, dir+"/") {
				t.Errorf("%q matches %q, which is not in %q", pattern, name, dir)
			}
		}
	})
}
