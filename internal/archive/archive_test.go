package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// file is one entry of an archive that a test writes.
type file struct {
	name, text string
	kind       byte // 0: a regular file
}

func packed(t testing.TB, zipped bool, files ...file) []byte {
	t.Helper()
	var data bytes.Buffer
	tarball := tar.NewWriter(&data)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Typeflag: f.kind, Mode: 0o644, Size: int64(len(f.text))}
		if f.kind != 0 {
			header.Size, header.Linkname = 0, f.text
		}
		if err := tarball.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if f.kind == 0 {
			if _, err := tarball.Write([]byte(f.text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tarball.Close(); err != nil || !zipped {
		return data.Bytes()
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(data.Bytes())
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestOpen(t *testing.T) {
	chart := []file{
		{name: "web/", kind: tar.TypeDir},
		{name: "web/Chart.yaml", text: "name: web\n"},
		{name: "web/templates/b.yaml", text: "b"},
		{name: "web/templates/a.yaml", text: "a"},
		{name: "web/link", text: "/etc/passwd", kind: tar.TypeSymlink},
		{name: `web\charts\x\Chart.yaml`, text: "name: x\n"},
		{name: "web/templates/a.yaml", text: "again"},
	}
	for _, zipped := range []bool{false, true} {
		tree, err := Open(packed(t, zipped, chart...), Options{ID: "sha256:12", Unwrap: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := fstest.TestFS(tree, "Chart.yaml", "templates/a.yaml", "templates/b.yaml", "charts/x/Chart.yaml"); err != nil {
			t.Error(err)
		}
		if data, err := fs.ReadFile(tree, "templates/a.yaml"); err != nil || string(data) != "again" {
			t.Errorf("the last file of a name counts: %q, %v", data, err)
		}
		if _, err := tree.Stat("link"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a link was kept: %v", err)
		}
		if id, err := tree.ObjectID("templates"); err != nil || id != "sha256:12 templates" {
			t.Errorf("object id %q, %v", id, err)
		}
		if tree.Size() != len("name: web\nbagainname: x\n") {
			t.Errorf("size %d", tree.Size())
		}
	}
	wrapped, err := Open(packed(t, true, chart...), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wrapped.Stat("web/Chart.yaml"); err != nil {
		t.Error(err)
	}
	if id, err := wrapped.ObjectID("web"); id != "" || err != nil {
		t.Errorf("object id %q, %v", id, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	zeros := file{name: "web/zeros", text: strings.Repeat("\x00", 2000)}
	for _, c := range []struct {
		name    string
		data    []byte
		options Options
		want    string
		large   bool
	}{
		{"no archive", []byte("<html>sign in</html>" + strings.Repeat(" ", 600)), Options{}, "no tar archive", false},
		{"half an archive", packed(t, true, zeros)[:40], Options{}, "no tar archive", false},
		{"a broken zip", []byte{0x1f, 0x8b, 1, 2, 3}, Options{}, "unzip", false},
		{"a path that climbs", packed(t, true, file{name: "web/../../x", text: "x"}), Options{}, "path is not one inside", false},
		{"a path that begins at the root", packed(t, true, file{name: "/x", text: "x"}), Options{}, "path is not one inside", false},
		{"a file beside the folder", packed(t, true, file{name: "x", text: "x"}), Options{Unwrap: true}, "path is not one inside", false},
		{"too many files", packed(t, true, file{name: "a/b"}, file{name: "a/c"}), Options{Files: 1}, "more than 1 files", true},
		{"too many bytes", packed(t, true, zeros), Options{Bytes: 1999}, "1999 bytes", true},
		{"too deep", packed(t, true, file{name: strings.Repeat("a/", 101) + "x"}), Options{}, "100 folders deep", true},
		{"a file that is a folder", packed(t, true, file{name: "a"}, file{name: "a/b"}), Options{}, "both a file and a folder", false},
		{"a folder that is a file", packed(t, true, file{name: "a/b"}, file{name: "a"}), Options{}, "both a file and a folder", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(c.data, c.options)
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrTooLarge) != c.large {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(packed(f, true, file{name: "web/Chart.yaml", text: "name: web\n"}))
	f.Add(packed(f, false, file{name: "a/b/c", text: "x"}, file{name: "a", text: "x"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		tree, err := Open(data, Options{Files: 20, Bytes: 10_000})
		if err != nil {
			return
		}
		var names []string
		err = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				names = append(names, name)
				_, err = fs.ReadFile(tree, name)
			}
			return err
		})
		if err != nil || len(names) > 20 {
			t.Errorf("%d files: %v", len(names), err)
		}
	})
}
