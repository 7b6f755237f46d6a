package kustomizeedit

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/lockkeeper/lockkeeper/internal/yamledit"
)

func TestSetImages(t *testing.T) {
	const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	tests := []struct {
		name, src string
		images    []Image
		want      string
		changes   []Change
	}{
		{
			"a tag, and not another byte", "# head\nimages: # ours\n  - name: a # first\n    newTag: '1.0' # tag\n  - name: b\n    newTag: x\nresources: [d.yaml]\n",
			[]Image{{Name: "a", NewTag: "1.1"}},
			"# head\nimages: # ours\n  - name: a # first\n    newTag: '1.1' # tag\n  - name: b\n    newTag: x\nresources: [d.yaml]\n",
			[]Change{{"a", "images.0", "a:1.0", "a:1.1"}},
		},
		{"a tag that looks like a number", "images:\n- name: a\n  newTag: v1\n", []Image{{Name: "a", NewTag: "1.10"}}, "images:\n- name: a\n  newTag: \"1.10\"\n", []Change{{"a", "images.0", "a:v1", "a:1.10"}}},
		{"a digest in the place of a tag", "images:\n- name: a\n  newTag: v1 # c\n- name: b\n", []Image{{Name: "a", Digest: digest}}, "images:\n- name: a\n  digest: " + digest + "\n- name: b\n", []Change{{"a", "images.0", "a:v1", "a@" + digest}}},
		{"a tag in the place of a digest", "images:\n- digest: " + digest + "\n  name: a\n", []Image{{Name: "a", NewTag: "v2"}}, "images:\n- name: a\n  newTag: v2\n", []Change{{"a", "images.0", "a@" + digest, "a:v2"}}},
		{"a star keeps what is there", "images:\n- name: a\n  newName: b\n  newTag: v1\n", []Image{{Name: "a", NewName: Keep, NewTag: Keep, Digest: digest}}, "images:\n- name: a\n  newName: b\n  newTag: v1\n  digest: " + digest + "\n", []Change{{"a", "images.0", "b:v1", "b:v1@" + digest}}},
		{"what is not said is removed", "images:\n- name: a\n  newName: b\n  newTag: v1\n", []Image{{Name: "a", NewTag: "v2"}}, "images:\n- name: a\n  newTag: v2\n", []Change{{"a", "images.0", "b:v1", "a:v2"}}},
		{"a suffix makes way for a tag", "images:\n- {name: a, tagSuffix: -x}\n", []Image{{Name: "a", NewTag: "v2"}}, "images:\n- {name: a, newTag: v2}\n", []Change{{"a", "images.0", "a", "a:v2"}}},
		{"a missing entry", "images:\n  - name: b\n    newTag: v1\n", []Image{{Name: "a", NewName: "c", NewTag: "v2"}}, "images:\n  - name: b\n    newTag: v1\n  - name: a\n    newName: c\n    newTag: v2\n", []Change{{"a", "images.1", "", "c:v2"}}},
		{"missing entries are sorted", "resources:\n- d.yaml\n", []Image{{Name: "z", NewTag: "v1"}, {Name: "a", NewTag: "v2", Digest: digest}}, "resources:\n- d.yaml\nimages:\n- name: a\n  newTag: v2\n  digest: " + digest + "\n- name: z\n  newTag: v1\n", []Change{{"a", "images.0", "", "a:v2@" + digest}, {"z", "images.1", "", "z:v1"}}},
		{"an empty list", "images: []\n", []Image{{Name: "a", NewTag: "v1"}}, "images: [{name: a, newTag: v1}]\n", []Change{{"a", "images.0", "", "a:v1"}}},
		{"an empty key", "images:\nresources: [d.yaml]\n", []Image{{Name: "a", NewTag: "v1"}}, "images:\n- name: a\n  newTag: v1\nresources: [d.yaml]\n", []Change{{"a", "images.0", "", "a:v1"}}},
		{"an empty file", "", []Image{{Name: "a", NewTag: "v1"}}, "images:\n- name: a\n  newTag: v1\n", []Change{{"a", "images.0", "", "a:v1"}}},
		{"stars on a missing entry are nothing", "a: b\n", []Image{{Name: "a", NewName: Keep, NewTag: "v1", Digest: Keep}, {Name: "b", NewTag: Keep}}, "a: b\nimages:\n- name: a\n  newTag: v1\n", []Change{{"a", "images.0", "", "a:v1"}}},
		{"the same again", "images:\n- name: a\n  newTag:   'v1'\n", []Image{{Name: "a", NewTag: "v1"}}, "images:\n- name: a\n  newTag:   'v1'\n", []Change{{"a", "images.0", "a:v1", "a:v1"}}},
		{"CRLF", "images:\r\n- name: a\r\n  newTag: v1", []Image{{Name: "a", NewTag: "v2"}, {Name: "b", NewTag: "v3"}}, "images:\r\n- name: a\r\n  newTag: v2\r\n- name: b\r\n  newTag: v3", []Change{{"a", "images.0", "a:v1", "a:v2"}, {"b", "images.1", "", "b:v3"}}},
		{"an image with a port", "images:\n- name: r.io:5000/a\n  newTag: v1\n", []Image{{Name: "r.io:5000/a", NewTag: "v2"}}, "images:\n- name: r.io:5000/a\n  newTag: v2\n", []Change{{"r.io:5000/a", "images.0", "r.io:5000/a:v1", "r.io:5000/a:v2"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, changes, err := SetImages([]byte(tt.src), tt.images)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(out)); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.changes, changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSetImagesErrors(t *testing.T) {
	tests := []struct {
		name, src string
		images    []Image
		want      string
	}{
		{"no name", "a: 1\n", []Image{{NewTag: "v1"}}, "an image has no name"},
		{"a name twice", "a: 1\n", []Image{{Name: "a"}, {Name: "a"}}, `image "a" is set twice`},
		{"images that are no list", "images: {a: b}\n", []Image{{Name: "a", NewTag: "v1"}}, "image \"a\": key \"images\": the images cannot be read: unmarshal errors:\n  line 1: cannot unmarshal !!map into []kustomizeedit.entry; write a list of mappings with name, newName, newTag and digest"},
		{"no YAML", "images: [\n", []Image{{Name: "a"}}, `image "a": the file is not valid YAML: line 1: did not find expected node content`},
		{"an alias", "x: &x [{name: a}]\nimages: *x\n", []Image{{Name: "a", NewTag: "v1"}}, `image "a": line 2, column 9: key "images": the path leads to the alias *x, whose anchor is on line 1; edit the anchored value, or replace the alias by a value of its own first`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, changes, err := SetImages([]byte(tt.src), tt.images)
			if err == nil || err.Error() != tt.want || out != nil || changes != nil {
				t.Errorf("SetImages = %q, %v, %v, want %s", out, changes, err, tt.want)
			}
		})
	}
}

// TestAgainstKustomize builds what was edited.
func TestAgainstKustomize(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: a, image: 'acme/a:old'}, {name: b, image: 'acme/b:old'}]\n"
	for _, src := range []string{
		"resources: [p.yaml]\n", "resources: [p.yaml]\nimages:\n- name: acme/a\n  digest: sha256:00\n  newName: x\n", "images: [{name: acme/b, newTag: '1'}, {newTag: '2', name: acme/a}]\nresources: [p.yaml]",
		"images:\n  - newName: gone # c\n    name: acme/b\n\n\n# end\nresources:\n  - p.yaml\n",
	} {
		out, _, err := SetImages([]byte(src), []Image{{Name: "acme/b", NewName: "r.io:5000/b", NewTag: "1.10"}, {Name: "acme/a", NewTag: "2024-01-02"}})
		if err != nil {
			t.Fatal(err)
		}
		memory := filesys.MakeFsInMemory()
		if err := errors.Join(memory.WriteFile("/kustomization.yaml", out), memory.WriteFile("/p.yaml", []byte(pod))); err != nil {
			t.Fatal(err)
		}
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(memory, "/")
		if err != nil {
			t.Fatalf("%s\n%v", out, err)
		}
		text, err := built.AsYaml()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"image: acme/a:2024-01-02\n", "image: r.io:5000/b:1.10\n"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s\nmakes\n%s\nwithout %s", out, text, want)
			}
		}
	}
}

func FuzzSetImages(f *testing.F) {
	for _, src := range []string{"images:\n- name: a\n  newTag: v1 # c\n", "images: [{name: a, digest: x}]", "images:\r\n  - newName: b\r\n    name: a\r\nx: 1", "x: &x a\nimages:\n- name: *x\n", "images: ~\n", ""} {
		f.Add([]byte(src), "a", "b", "1.10", "*")
		f.Add([]byte(src), "z", "*", "", "sha256:0")
	}
	f.Fuzz(func(t *testing.T, src []byte, name, newName, tag, digest string) {
		image := Image{Name: name, NewName: newName, NewTag: tag, Digest: digest}
		before := slices.Clone(src)
		out, changes, err := SetImages(src, []Image{image})
		if !bytes.Equal(src, before) {
			t.Fatal("the file was modified")
		}
		if err != nil {
			if _, ok := errors.AsType[*yamledit.Error](err); !ok && name != "" {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		entries, err := read(out)
		if err != nil {
			t.Fatalf("%q became %q: %v", src, out, err)
		}
		for _, change := range changes {
			found := slices.ContainsFunc(entries, func(e entry) bool { return e.Name == name && e.String() == change.After })
			if !found {
				t.Fatalf("%+v is not in %q", change, out)
			}
		}
		again, _, err := SetImages(out, []Image{image})
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%q became %q and then %q, %v", src, out, again, err)
		}
	})
}
