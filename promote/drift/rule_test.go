package drift_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote/drift"
)

func TestCheck(t *testing.T) {
	const files = "; write a glob of files, such as *.md, or one and a key, such as instance.yaml:spec.replicas"
	tests := []struct {
		name string
		rule drift.Rule
		want []string
	}{
		{"a rule", drift.Rule{From: "a/b", To: []string{"c/*"}, Exclude: []string{"*.md", `x.yaml:a.b[name=x]["c.d"].*`}}, nil},
		{"nothing", drift.Rule{}, []string{
			"from: from is missing; name a folder, such as develop/frontend",
			"to: to is missing; name folders, such as production/frontend or clusters/*/frontend",
		}},
		{"paths outside", drift.Rule{From: "../a", To: []string{"/b"}}, []string{
			`from: from "../a" is not the path of a folder; name one folder by its path from the root, such as develop/frontend`,
			`to[0]: to "/b" is not a glob of folders; write a path from the root, such as clusters/*/frontend`,
		}},
		{"the root", drift.Rule{From: ".", To: []string{"b"}}, []string{
			`from: from "." is not the path of a folder; name one folder by its path from the root, such as develop/frontend`,
		}},
		{"a glob that is none", drift.Rule{From: "a", To: []string{"b", "c["}}, []string{
			`to[1]: to "c[" is not a glob of folders; write a path from the root, such as clusters/*/frontend`,
		}},
		{"itself", drift.Rule{From: "a", To: []string{"a"}}, []string{`to[0]: to "a" is what it is compared with; remove it`}},
		{"exclusions", drift.Rule{From: "a", To: []string{"b"}, Exclude: []string{"", ":x", "a/../b", "x.yaml:", "x.yaml:a..b", "x.yaml:a[", `x.yaml:["a`, "x.yaml:a[0]b", "[", "x.yaml:a[]"}}, []string{
			`exclude[0]: exclude "": it names no file` + files,
			`exclude[1]: exclude ":x": it names no file` + files,
			`exclude[2]: exclude "a/../b": it is not a glob of paths in a folder` + files,
			`exclude[3]: exclude "x.yaml:": key "": a part of it is empty` + files,
			`exclude[4]: exclude "x.yaml:a..b": key "a..b": a part of it is empty` + files,
			`exclude[5]: exclude "x.yaml:a[": key "a[": brackets must hold an item of a list, such as 0, * or name=web` + files,
			`exclude[6]: exclude "x.yaml:[\"a": key "[\"a": a quote is not closed` + files,
			`exclude[7]: exclude "x.yaml:a[0]b": key "a[0]b": after a bracket a dot or a bracket is expected, not "b"` + files,
			`exclude[8]: exclude "[": it is not a glob of paths in a folder` + files,
			`exclude[9]: exclude "x.yaml:a[]": key "a[]": brackets must hold an item of a list, such as 0, * or name=web` + files,
		}},
		{"too many", drift.Rule{From: "a", To: slices.Repeat([]string{"b"}, 101), Exclude: slices.Repeat([]string{"x"}, 501)}, []string{
			"to: to has 101 entries, at most 100 are allowed; match several folders with one glob",
			"exclude: exclude has 501 entries, at most 500 are allowed; match several with one glob",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if d := cmp.Diff(test.want, texts(drift.Check([]drift.Rule{test.rule}))); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
		})
	}
}

func texts(problems []drift.Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.Key+": "+p.String())
	}
	return out
}

func TestLook(t *testing.T) {
	files := tree("-- develop/frontend/x --\n-- production/frontend/x --\n-- develop/frontend/sub/x --\n-- clusters/eu/berlin/frontend/x --\n")
	tests := []struct {
		name string
		rule drift.Rule
		want []string
	}{
		{"folders that are there", drift.Rule{From: "develop/frontend", To: []string{"production/frontend", "clusters/*/*/frontend", "*/frontend"}}, nil},
		{"no such folder", drift.Rule{From: "develop/fronted", To: []string{"production/frontend"}}, []string{
			`from: there is no folder "develop/fronted"; did you mean "develop/frontend"?`,
		}},
		{"no such target", drift.Rule{From: "develop/frontend", To: []string{"production/frontend", "prodution/frontend"}}, []string{
			`to[1]: there is no folder "prodution/frontend"; did you mean "production/frontend"?`,
		}},
		{"a glob that matches nothing", drift.Rule{From: "develop/frontend", To: []string{"clusters/*/frontend"}}, []string{
			`to[0]: no folder matches "clusters/*/frontend"; correct the glob: * stands for a part of one name, not for folders in folders`,
		}},
		{"a folder in itself", drift.Rule{From: "develop/frontend", To: []string{"develop/frontend/*"}}, []string{
			`to[0]: one of "develop/frontend" and "develop/frontend/sub" lies in the other; name folders beside each other`,
		}},
		{"a file", drift.Rule{From: "develop/frontend/x", To: []string{"production/frontend"}}, []string{
			`from: there is no folder "develop/frontend/x"; correct the path`,
		}},
		{"what Check objects to is not reported again", drift.Rule{From: "", To: []string{"nowhere"}}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if d := cmp.Diff(test.want, texts(drift.Look(files, []drift.Rule{test.rule}))); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
		})
	}
}

func TestGlobsMatchFoldersOnceAndNotTheirOwn(t *testing.T) {
	files := tree("-- a/f/x --\n-- b/f/x --\n-- c/f/x --\n-- c/g --\n")
	report := compare(t, files, drift.Rule{From: "b/f", To: []string{"*/f", "c/*"}})
	var got []string
	for _, pair := range report.Pairs {
		got = append(got, pair.From+" "+pair.To)
	}
	if d := cmp.Diff([]string{"b/f a/f", "b/f c/f"}, got); d != "" {
		t.Errorf("pairs (-want +got):\n%s", d)
	}
}

func TestAnExclusionThatMatchesNothingIsAProblem(t *testing.T) {
	files := tree("-- a/x.yaml --\nb: 1\n-- b/x.yaml --\nb: 1\n-- c/x.yaml --\nc: 1\nb: 1\n")
	report := compare(t, files, drift.Rule{From: "a", To: []string{"b", "c"}, Exclude: []string{"x.yaml:c", "x.yaml:d", "*.md"}})
	want := []string{
		`exclude[1]: exclude "x.yaml:d" matches nothing in these folders; correct it, or remove it`,
		`exclude[2]: exclude "*.md" matches nothing in these folders; correct it, or remove it`,
	}
	if d := cmp.Diff(want, texts(report.Problems)); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
}
