package yamledit

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRemove(t *testing.T) {
	tests := []struct{ name, src, key, want string }{
		{"a line", "a: 1\nb: 2 # c\nd: 3\n", "b", "a: 1\nd: 3\n"},
		{"the first line", "a: 1\nb: 2\n", "a", "b: 2\n"},
		{"the last line", "a: 1\nb: 2\n", "b", "a: 1\n"},
		{"the last line of a file without final line break", "a: 1\r\nb: 2", "b", "a: 1"},
		{"a literal", "a:\n  b: |\n    x\n    y\n  c: 1\n", "a.b", "a:\n  c: 1\n"},
		{"an empty value", "a:\n  b:\n  c: 1\n", "a.b", "a:\n  c: 1\n"},
		{"behind a dash", "a:\n- b: 1 # x\n  c: 2\n", "a.0.b", "a:\n- c: 2\n"},
		{"below a dash", "a:\n- b: 1\n  c: 2\n- b: 3\n", "a.0.c", "a:\n- b: 1\n- b: 3\n"},
		{"first between braces", "a: {b: 1, c: 2}\n", "a.b", "a: {c: 2}\n"},
		{"last between braces", "a: {b: 1, c: 'x' }\n", "a.c", "a: {b: 1 }\n"},
		{"alone between braces", "a: {b: 1}\n", "a.b", "a: {}\n"},
		{"comments above stay", "a: 1\n# about b\nb: 2\n\n# end\n", "b", "a: 1\n# about b\n\n# end\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, change, err := Remove([]byte(tt.src), tt.key)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(out)); diff != "" || change.Key != tt.key {
				t.Errorf("file (-want +got):\n%s\nchange %+v", diff, change)
			}
		})
	}
	for src, key := range map[string]string{"a: &x 1\nb: *x\n": "a", "- 1\n": "0", "- a: 1\n": "0.a", "a: 1\n": "a", "x": "x"} {
		if out, _, err := Remove([]byte(src), key); err == nil {
			t.Errorf("Remove(%q, %q) = %q", src, key, out)
		}
	}
}

func FuzzRemove(f *testing.F) {
	for _, src := range []string{"a: 1 # c\nb: {a: 'x', d: 1}\n", "- a: |+\n    x\n\n  b: 2\n", "a:\r\n  b: \"x\r\n   y\"\r\n  c: 1", "? a\n: b\nc: &x d\ne: *x\n"} {
		for _, key := range []string{"a", "b.a", "0.a", "a.b"} {
			f.Add([]byte(src), key)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte, key string) {
		out, _, err := Remove(src, key)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if _, err := parse(out); err != nil || len(out) >= len(src) || !isSubsequence(out, src) {
			t.Fatalf("Remove(%q, %q) = %q, %v", src, key, out, err)
		}
	})
}
