package step

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// packed makes an archive of headers; what follows a name's first colon is the content.
func packed(t testing.TB, zipped bool, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	var to io.Writer = &b
	compressed := gzip.NewWriter(&b)
	if zipped {
		to = compressed
	}
	writer := tar.NewWriter(to)
	for _, header := range headers {
		name, content, _ := strings.Cut(header.Name, ":")
		header.Name, header.Size = name, int64(len(content))
		if err := writer.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := writer.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := compressed.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTarAndBack(t *testing.T) {
	r := newSeed(t, seed).at(t, "./repo")
	for _, archive := range []string{"a.tgz", "b.tgz"} {
		out := r.must(t, "tar", "{inPath: ./repo/base, outPath: ./"+archive+", ignore: deep}")
		if want := "packed 2 files; left out 1 symbolic link, which is never followed"; out.message != want {
			t.Errorf("says %q, want %q", out.message, want)
		}
	}
	first, _ := r.workspace.read(t.Context(), "a.tgz")
	second, _ := r.workspace.read(t.Context(), "b.tgz")
	if len(first) == 0 || !bytes.Equal(first, second) {
		t.Error("equal files give different archives")
	}
	r.must(t, "untar", "{inPath: ./a.tgz, outPath: ./out}")
	if diff := cmp.Diff("644 out/app.yaml: \"app\\n\"\n755 out/run.sh: \"run\\n\"\n", r.workspace.listing(t, "./out")); diff != "" {
		t.Error(diff)
	}
}

func TestTarOfOneFileAndOfItself(t *testing.T) {
	r := newSeed(t, seed).at(t, "./repo")
	r.must(t, "tar", "{inPath: ./repo/base/app.yaml, outPath: ./one.tar, gzip: false}")
	r.must(t, "untar", "{inPath: ./one.tar, outPath: ./repo/base/deep}")
	r.must(t, "tar", "{inPath: ./repo/base/deep, outPath: ./repo/base/deep/all.tgz}")
	if out := r.must(t, "tar", "{inPath: ./repo/base/deep, outPath: ./repo/base/deep/all.tgz}"); out.message != "packed 2 files" {
		t.Errorf("the archive packs itself: %s", out.message)
	}
}

func TestUntar(t *testing.T) {
	chart := []tar.Header{
		{Name: "chart/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "chart/Chart.yaml:name: x\n", Mode: 0o600},
		{Name: "./chart/bin/run:run", Mode: 0o700},
		{Name: "chart/link", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		{Name: "chart/hard", Typeflag: tar.TypeLink, Linkname: "chart/Chart.yaml"},
		{Name: "top:t", Mode: 0o644},
	}
	for name, c := range map[string]struct {
		zipped                bool
		config, want, message string
	}{
		"plain": {
			false, "", "644 out/chart/Chart.yaml: \"name: x\\n\"\n755 out/chart/bin/run: \"run\"\n644 out/top: \"t\"\n",
			"unpacked 3 files; left out 2 links and devices",
		},
		"gzipped, without the first folder": {
			true, ", stripComponents: 1", "644 out/Chart.yaml: \"name: x\\n\"\n755 out/bin/run: \"run\"\n",
			"unpacked 2 files; left out 2 links and devices",
		},
		"patterns are for what is left of the names": {
			true, ", stripComponents: \"1\", ignore: /bin", "644 out/Chart.yaml: \"name: x\\n\"\n", "unpacked 1 file; left out 2 links and devices",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRun(Request{})
			if err := r.workspace.write("a.tar", packed(t, c.zipped, chart...), 0); err != nil {
				t.Fatal(err)
			}
			if out := r.must(t, "untar", "{inPath: ./a.tar, outPath: ./out"+c.config+"}"); out.message != c.message {
				t.Errorf("says %q, want %q", out.message, c.message)
			}
			if diff := cmp.Diff(c.want, r.workspace.listing(t, "./out")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHostileArchivesAreRefused(t *testing.T) {
	many := make([]tar.Header, maxArchived+1)
	for i := range many {
		many[i] = tar.Header{Name: "x", Typeflag: tar.TypeDir}
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"climbs":          {packed(t, false, tar.Header{Name: "ok:1"}, tar.Header{Name: "a/../../x:1"}), `the archive holds "a/../../x", which leaves`},
		"absolute":        {packed(t, true, tar.Header{Name: "/etc/passwd:1"}), "which leaves the folder"},
		"a backslash":     {packed(t, true, tar.Header{Name: `a\b:1`}), "which leaves the folder"},
		"a link climbs":   {packed(t, true, tar.Header{Name: "../x", Typeflag: tar.TypeSymlink, Linkname: "a"}), "which leaves the folder"},
		"many entries":    {packed(t, true, many...), "more than 20000 entries"},
		"no archive":      {[]byte(strings.Repeat("<html>", 200)), "not a tar archive"},
		"cut off":         {packed(t, false, tar.Header{Name: "a:" + strings.Repeat("x", 2000)})[:1200], "unexpected EOF"},
		"broken gzip":     {[]byte("\x1f\x8bxx"), "not a gzipped archive"},
		"nothing":         {nil, "is empty"},
		"a file and more": {packed(t, false, tar.Header{Name: "a:1"}, tar.Header{Name: "a/b:1"}), `is a file, so nothing can be below it`},
		"a large file":    {packed(t, true, tar.Header{Name: "a:" + strings.Repeat("x", maxFileBytes+1)}), "has 10485761 bytes, at most 10485760"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRun(Request{})
			if err := r.workspace.write("a.tar", c.data, 0); err != nil {
				t.Fatal(err)
			}
			r.refused(t, "untar", "{inPath: ./a.tar, outPath: ./out}", c.want)
			if _, err := r.workspace.file(t.Context(), "out/ok"); err == nil {
				t.Error("a part was unpacked")
			}
		})
	}
}

func TestAnArchiveThatGrowsWithoutEndIsRefused(t *testing.T) {
	var b bytes.Buffer
	compressed := gzip.NewWriter(&b)
	writer := tar.NewWriter(compressed)
	block := make([]byte, 1<<20)
	for range maxArchivedBytes/maxFileBytes + 1 {
		if err := writer.WriteHeader(&tar.Header{Name: "z", Size: maxFileBytes, Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		for range maxFileBytes / len(block) {
			if _, err := writer.Write(block); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := compressed.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := unpack(b.Bytes(), 0); err == nil || !strings.Contains(err.Error(), "unpacks to more than") {
		t.Errorf("%d bytes: %v", b.Len(), err)
	}
}

func TestTarProblemsAreExplained(t *testing.T) {
	r := newRun(Request{})
	if err := r.workspace.write("a", []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ uses, config, want string }{
		{"untar", "{outPath: ./out}", "config.inPath is missing"},
		{"untar", "{inPath: ./a}", "config.outPath is missing"},
		{"untar", "{inPath: ./a, outPath: ../out}", "leaves the promotion's directory"},
		{"untar", "{inPath: ./a, outPath: ./out, stripComponents: -1}", "config.stripComponents is -1"},
		{"untar", "{inPath: ./a, outPath: ./out, stripComponent: 1}", `did you mean "stripComponents"?`},
		{"untar", "{inPath: ./b, outPath: ./out}", "no such file"},
		{"tar", "{inPath: ./b, outPath: ./out.tar}", "no such file"},
		{"tar", "{inPath: ./a}", "config.outPath is missing"},
		{"tar", "{inPath: ./a, outPath: ./out.tar, gzip: maybe}", "is not true or false"},
	} {
		r.refused(t, c.uses, c.config, c.want)
	}
}

// FuzzUntar checks that whatever is unpacked lies where it was unpacked to.
func FuzzUntar(f *testing.F) {
	f.Add(packed(f, false, tar.Header{Name: "a/b:1"}, tar.Header{Name: "../x:1"}), 0)
	f.Add(packed(f, true, tar.Header{Name: "./a/../b:1", Mode: 0o777}), 1)
	f.Add(packed(f, false, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/"}, tar.Header{Name: "l/x:1"}), 0)
	f.Fuzz(func(t *testing.T, data []byte, strip int) {
		all, err := unpack(data, max(0, strip))
		if err != nil {
			return
		}
		for _, file := range all.files {
			at, err := clean(path.Join("out", file.name))
			if err != nil || !within(at, "out") || at == "out" || len(file.data) > maxFileBytes {
				t.Fatalf("%q is unpacked to %q (%v)", file.name, at, err)
			}
		}
	})
}
