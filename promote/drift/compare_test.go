package drift_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/lockkeeper/lockkeeper/promote/drift"
)

// tree reads a tree from an archive.
func tree(archive string) fstest.MapFS {
	files := fstest.MapFS{}
	for _, file := range txtar.Parse([]byte(archive)).Files {
		files[file.Name] = &fstest.MapFile{Data: file.Data}
	}
	return files
}

func compare(t *testing.T, files fs.FS, rules ...drift.Rule) drift.Report {
	t.Helper()
	report, err := drift.Compare(t.Context(), drift.Request{Tree: files, Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestCompare(t *testing.T) {
	tests := []struct {
		name    string
		files   string
		exclude []string
		want    string
	}{
		{
			"the same files", "-- a/x.yaml --\na: 1\n-- b/x.yaml --\na: 1\n", nil,
			"No drift: 1 pair of folders is alike.\n\na → b: alike\n",
		},
		{
			"comments, quotes and the order of keys", "-- a/x.yaml --\na: x\nb: z\n-- b/x.yaml --\n# why\nb: 'z'\na: \"x\"\n", nil,
			"No drift: 1 pair of folders is alike.\n\na → b: alike\n",
		},
		{
			"a value", "-- a/d/x.yaml --\na: {b: x}\n-- b/d/x.yaml --\na: {b: z}\n", nil,
			"1 of 1 pair of folders drifts.\n\na → b: 1 file differs\n  ~ d/x.yaml\n      a.b: x → z\n",
		},
		{
			"files on one side only", "-- a/x.yaml --\n-- a/c --\n-- b/c --\n-- b/z.txt --\n", nil,
			"1 of 1 pair of folders drifts.\n\na → b: 1 is only in a, 1 is only in b\n  - x.yaml\n  + z.txt\n",
		},
		{
			"another file", "-- a/x.sh --\necho 1\n-- b/x.sh --\necho 2\n", nil,
			"1 of 1 pair of folders drifts.\n\na → b: 1 file differs\n  ~ x.sh: content differs\n",
		},
		{
			"a template that is no YAML", "-- a/x.yaml --\na: {{ .x }}\n-- b/x.yaml --\na: {{ .z }}\n", nil,
			"1 of 1 pair of folders drifts.\n\na → b: 1 file differs\n  ~ x.yaml: content differs, and is not YAML\n",
		},
		{
			"JSON with tabs", "-- a/x.json --\n{\n\t\"a\": [1]}\n-- b/x.json --\n{\"a\": [2]}\n", nil,
			"1 of 1 pair of folders drifts.\n\na → b: 1 file differs\n  ~ x.json\n      a[0]: 1 → 2\n",
		},
		{
			"objects in another namespace are the same", "-- a/x.yaml --\nkind: A\nmetadata: {name: app, namespace: dev}\n---\nkind: B\nmetadata: {name: m}\nv: x\n" +
				"-- b/x.yaml --\nkind: B\nmetadata: {name: m}\nv: z\n---\nkind: A\nmetadata: {name: app, namespace: prod}\n", nil,
			"1 of 1 pair of folders drifts.\n\na → b: 1 file differs\n  ~ x.yaml\n    A dev/app:\n        metadata.namespace: dev → prod\n    B m:\n        v: x → z\n",
		},
		{
			"a document on one side only", "-- a/x.yaml --\nkind: A\nmetadata: {name: app}\n---\nkind: B\nmetadata: {name: m}\n-- b/x.yaml --\nkind: A\nmetadata: {name: app}\n", nil,
			"1 of 1 pair of folders drifts.\n\na → b: 1 file differs\n  ~ x.yaml\n    B m:\n      - the whole document\n",
		},
		{
			"documents without a name go by their place", "-- a/x.yaml --\na: x\n---\nb: x\n-- b/x.yaml --\na: x\n---\nb: z\n---\nc: x\n", nil,
			"1 of 1 pair of folders drifts.\n\na → b: 1 file differs\n  ~ x.yaml\n    document 2:\n        b: x → z\n    document 3:\n      + the whole document\n",
		},
		{
			"a Secret", "-- a/x.yaml --\napiVersion: v1\nkind: Secret\nmetadata: {name: app}\nstringData: {k: hunter2}\n-- b/x.yaml --\napiVersion: v1\nkind: Secret\nmetadata: {name: app}\nstringData: {k: hunter3}\n", nil,
			"1 of 1 pair of folders drifts.\n\na → b: 1 file differs\n  ~ x.yaml\n      stringData.k: <secret old value, short> → <secret changed, short>\n",
		},
		{
			"a password and a token in values", "-- a/values.yaml --\ndb: {password: hunter2}\nnote: glpat-aaaaaaaaaaaaaaaaaaaa\n-- b/values.yaml --\ndb: {}\nnote: x\n", nil,
			"1 of 1 pair of folders drifts.\n\na → b: 1 file differs\n  ~ values.yaml\n    - db.password: <secret removed, short>\n      note: <secret old value, short> → x\n",
		},
		{
			"excluded files and values", "-- a/README.md --\nx\n-- a/x.yaml --\nspec: {replicas: 1, tag: x}\n-- b/d/e.md --\n-- b/x.yaml --\nspec: {replicas: 2, tag: z}\n",
			[]string{"*.md", "x.yaml:spec.replicas"},
			"1 of 1 pair of folders drifts.\n\na → b: 1 file differs (left out: *.md, x.yaml:spec.replicas)\n  ~ x.yaml\n      spec.tag: x → z\n",
		},
		{
			"a map of which all is excluded", "-- a/x.yaml --\nspec: {replicas: 1}\ntag: x\n-- b/x.yaml --\ntag: x\n",
			[]string{"x.yaml:spec.replicas"},
			"No drift: 1 pair of folders is alike.\n\na → b: alike (left out: x.yaml:spec.replicas)\n",
		},
		{
			"a value that is excluded and the same is no mistake", "-- a/x.yaml --\na: x\n-- b/x.yaml --\na: x\n",
			[]string{"*.yaml:a"},
			"No drift: 1 pair of folders is alike.\n\na → b: alike (left out: *.yaml:a)\n",
		},
		{
			"a Secret whose kind is excluded stays one", "-- a/x.yaml --\napiVersion: v1\nkind: Secret\ndata: {k: hunter2, l: x}\n-- b/x.yaml --\napiVersion: v1\nkind: Secret\ndata: {k: hunter3}\n",
			[]string{"*.yaml:kind", "*.yaml:apiVersion"},
			"1 of 1 pair of folders drifts.\n\na → b: 1 file differs (left out: *.yaml:kind, *.yaml:apiVersion)\n  ~ x.yaml\n" +
				"      data.k: <secret old value, short> → <secret changed, short>\n    - data.l: <secret removed, short>\n",
		},
		{
			"a document of which all is excluded on one side", "-- a/x.yaml --\na: {b: x}\n---\nc: x\n-- b/x.yaml --\nz: x\n---\nc: x\n",
			[]string{"*.yaml:a"},
			"1 of 1 pair of folders drifts.\n\na → b: 1 file differs (left out: *.yaml:a)\n  ~ x.yaml\n    document 1:\n      + the whole document\n",
		},
		{
			"an excluded folder", "-- a/x --\n-- b/x --\n-- b/own/f --\n",
			[]string{"own"},
			"No drift: 1 pair of folders is alike.\n\na → b: alike (left out: own)\n",
		},
		{
			"names that would command the terminal", "-- a/x\x1b[31m.txt --\n-- b/c --\n", nil,
			"1 of 1 pair of folders drifts.\n\na → b: 1 is only in a, 1 is only in b\n  + c\n  - x\\x1b[31m.txt\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			report := compare(t, tree(test.files), drift.Rule{From: "a", To: []string{"b"}, Exclude: test.exclude})
			if d := cmp.Diff(test.want, drift.Text(report)); d != "" {
				t.Errorf("text (-want +got):\n%s", d)
			}
			if len(report.Problems) > 0 {
				t.Errorf("problems: %v", report.Problems)
			}
			if report.Empty() != strings.HasPrefix(test.want, "No drift") {
				t.Errorf("Empty is %t", report.Empty())
			}
		})
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	files := tree("-- a/x --\nx\n-- b/x --\nx\n")
	files["a/l"] = &fstest.MapFile{Data: []byte("../../etc/passwd"), Mode: fs.ModeSymlink}
	files["b/l"] = &fstest.MapFile{Data: []byte("x"), Mode: fs.ModeSymlink}
	files["a/m"] = &fstest.MapFile{Data: []byte("x"), Mode: fs.ModeSymlink}
	files["b/m"] = &fstest.MapFile{Data: []byte("x")}
	want := "1 of 1 pair of folders drifts.\n\na → b: 2 files differ\n  ~ l: a link, which is not followed\n  ~ m: one is a link, the other a file\n"
	if d := cmp.Diff(want, drift.Text(compare(t, files, drift.Rule{From: "a", To: []string{"b"}}))); d != "" {
		t.Errorf("text (-want +got):\n%s", d)
	}
}

// identified is a tree that knows the ids of its files, and cannot be read.
type identified struct{ fstest.MapFS }

func (identified) ObjectID(name string) (string, error) { return name[len("a/"):], nil }

func (f identified) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, ".txt") {
		return nil, errors.New("read for nothing")
	}
	return f.MapFS.Open(name)
}

func TestIdenticalFilesAreNotRead(t *testing.T) {
	files := identified{tree("-- a/x.txt --\n-- b/x.txt --\n")}
	if report := compare(t, files, drift.Rule{From: "a", To: []string{"b"}}); !report.Empty() {
		t.Errorf("report:\n%s", drift.Text(report))
	}
}

func TestCompareEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	files := tree("-- a/x --\n-- b/x --\n")
	_, err := drift.Compare(ctx, drift.Request{Tree: files, Rules: []drift.Rule{{From: "a", To: []string{"b"}}}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
}

func TestBounds(t *testing.T) {
	many, keys := fstest.MapFS{"b/x": {}}, [2]strings.Builder{}
	for i := range 10_002 {
		many["a/"+string(rune('a'+i%26))+"/"+strings.Repeat("x", i/26+1)] = &fstest.MapFile{}
	}
	report := compare(t, many, drift.Rule{From: "a", To: []string{"b"}})
	if got, want := report.Pairs[0].Refused, "a has more than 10000 files: exclude some"; got != want || report.Empty() {
		t.Errorf("refused: %q, want %q", got, want)
	}
	for i := range 600 {
		for side := range keys {
			keys[side].WriteString("k" + strings.Repeat("x", i) + ": v" + strings.Repeat("w", side) + "\n")
		}
	}
	report = compare(t, fstest.MapFS{"a/x.yaml": {Data: []byte(keys[0].String())}, "b/x.yaml": {Data: []byte(keys[1].String())}},
		drift.Rule{From: "a", To: []string{"b"}})
	if file := report.Pairs[0].Files[0]; len(file.Keys) != 500 || file.More != 100 {
		t.Errorf("%d keys and %d more", len(file.Keys), file.More)
	}
	long := strings.Repeat("x", 300<<10)
	report = compare(t, fstest.MapFS{"a/x.yaml": {Data: []byte("a: " + long)}, "b/x.yaml": {Data: []byte("a: " + long + "x")}},
		drift.Rule{From: "a", To: []string{"b"}})
	if key := report.Pairs[0].Files[0].Keys[0]; key.Before != "<too long to show>" || key.After != "<too long to show>" {
		t.Errorf("a long value is kept")
	}
	report = compare(t, fstest.MapFS{"a/x.bin": {Data: make([]byte, 11<<20)}, "b/x.bin": {}}, drift.Rule{From: "a", To: []string{"b"}})
	if file := report.Pairs[0].Files[0]; file.Note != "not compared: larger than 10 MiB" {
		t.Errorf("note: %q", file.Note)
	}
}
