package local

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzParseTree(f *testing.F) {
	id := strings.Repeat("\x01", idBinary1)
	f.Add([]byte("100644 a\x00" + id + "40000 b\x00" + id))
	f.Add([]byte("120000 link\x00" + id))
	f.Add([]byte("100644 a\x00short"))
	f.Add([]byte("x y\x00" + id))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, err := parseTree(raw, idBinary1)
		if err != nil {
			return
		}
		printed, err := printTree(entries)
		if err != nil {
			t.Fatalf("%q was read but cannot be written: %v", raw, err)
		}
		again, err := parseTree(printed, idBinary1)
		if diff := cmp.Diff(entries, again, cmp.AllowUnexported(entry{})); err != nil || diff != "" {
			t.Errorf("%q reads differently after writing: %v\n%s", raw, err, diff)
		}
	})
}

func FuzzParseStatus(f *testing.F) {
	f.Add([]byte(" M a/b\x00?? new\x00 D gone\x00D  cached\x00UU both\x00"))
	f.Add([]byte("?? dir/\x00 M ../x\x00xx\x00"))
	f.Fuzz(func(t *testing.T, out []byte) {
		for name := range parseStatus(out) {
			if name == "" || strings.HasPrefix(name, "/") || strings.HasPrefix(name, "../") || strings.Contains(name, "\x00") {
				t.Errorf("%q leaves the work tree", name)
			}
		}
	})
}

func TestExcerptHidesCredentials(t *testing.T) {
	got := excerpt([]byte("fatal: unable to access https://user:s3cret@example.com/x.git\n\x1b[31mred " + strings.Repeat("y", 1000)))
	if strings.Contains(got, "s3cret") || strings.ContainsAny(got, "\n\x1b") || len(got) > 420 {
		t.Errorf("excerpt is %q", got)
	}
}
