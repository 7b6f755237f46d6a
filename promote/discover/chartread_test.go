package discover

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/yamltext"
)

// printed writes an index as lines "chart: versions", those that are deprecated with an exclamation mark, and behind a version
// where its archive is and, with a number sign, that its digest is known.
func printed(index chartIndex) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(index)) {
		line := name + ":"
		for _, v := range index[name] {
			line += " " + v.text
			if v.deprecated {
				line += "!"
			}
			if v.at != "" {
				line += "@" + v.at
			}
			if v.sum != "" {
				line += "#" + hex.EncodeToString([]byte(v.sum[:2]))
			}
		}
		out = append(out, line)
	}
	return out
}

func TestReadChartIndex(t *testing.T) {
	tests := []struct {
		name, index string
		want        []string
		wantErr     string // part of it
	}{
		{
			name: "as Helm writes it",
			index: `apiVersion: v1
entries:
  alpine:
  - apiVersion: v2
    created: "2026-10-06T16:23:20.499814565-06:00"
    dependencies:
    - name: common
      version: 9.9.9
      repository: https://charts.example.com
    description: |
      Deploys alpine.
      version: 7.7.7

      entries:
    deprecated: true
    digest: 99c76e403d752c84ead610644d4b1c2f2b453a74b921f422b9dcb8a7c8b559cd
    maintainers:
    - email: a@example.com
    name: alpine
    urls:
    - https://example.com/alpine-0.2.0.tgz
    version: 0.2.0
  - version: "0.1.0" # the first
    name: alpine
  nginx: # two
  - {}
  empty: []
generated: "2026-10-06T16:23:20.499543808-06:00"
`,
			want: []string{"alpine: 0.2.0!@https://example.com/alpine-0.2.0.tgz#99c7 0.1.0", "empty:", "nginx:"},
		},
		{
			name:  "lists that are indented, dashes on their own, quotes and another order",
			index: "---\r\nentries:\r\n    'web':\r\n        -\r\n            version: '1.0.0'\r\n            name: web\r\n        - version: v2\r\n          name: web\r\n    \"api\":\r\n        - name: api\r\n          version: 1.10\r\napiVersion: v1\r\n",
			want:  []string{"api: 1.10", "web: 1.0.0 v2"},
		},
		{
			name: "addresses in every style",
			index: "entries:\n  web:\n  - urls:\n      - 'web-4.tgz'\n      - other.tgz\n    version: 4.0.0\n  - version: 3.0.0\n    urls: [web-3.tgz]\n  - urls:\n    - web-2.tgz # here\n    digest: sha256:99c76e403d752c84ead610644d4b1c2f2b453a74b921f422b9dcb8a7c8b559cd\n    version: 2.0.0\n" +
				"  - urls: []\n    digest: abc\n    version: 1.0.0\n  - urls:\n    version: 0.1.0\n    name: web\n",
			want: []string{"web: 4.0.0@web-4.tgz 3.0.0@web-3.tgz 2.0.0@web-2.tgz#99c7 1.0.0 0.1.0"},
		},
		{name: "no charts", index: "apiVersion: v1\nentries: {}\n", want: nil},
		{name: "entries at the end", index: "apiVersion: v1\nentries:\n", wantErr: ""},
		{name: "JSON", index: `{"apiVersion":"v1","entries":{"web":[{"name":"web","version":"1.0.0","urls":["x"]},{"version":"0.9.0","deprecated":true}],"none":null}}`, want: []string{"none:", "web: 1.0.0@x 0.9.0!"}},
		{name: "flow style", index: "entries: {web: [{version: 1.0.0}, {version: 2.0.0, deprecated: true}]}\n", want: []string{"web: 1.0.0 2.0.0!"}},
		{name: "flow style inside", index: "entries:\n  web:\n  - {version: 1.0.0}\n", want: []string{"web: 1.0.0"}},
		{name: "anchors", index: "entries:\n  web:\n  - &a\n    version: 1.0.0\n  api:\n  - *a\n", want: []string{"api: 1.0.0", "web: 1.0.0"}},
		{name: "a version on the next line", index: "entries:\n  web:\n  - version:\n      1.0.0\n", want: []string{"web: 1.0.0"}},
		{name: "an escaped version", index: "entries:\n  web:\n  - version: \"1.0.0\\u002Bx\"\n", want: []string{"web: 1.0.0+x"}},
		{name: "only the first document", index: "entries:\n  web:\n  - version: 1.0.0\n---\nentries:\n  web:\n  - version: 2.0.0\n", want: []string{"web: 1.0.0"}},
		{name: "a page", index: "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", wantErr: "it is not the index of a chart repository"},
		{name: "something else", index: "apiVersion: v1\nkind: ConfigMap\n", wantErr: `it has no "entries"`},
		{name: "nothing", index: "", wantErr: `it has no "entries"`},
		{name: "JSON without entries", index: `{"a":1}`, wantErr: `it has no "entries"`},
		{name: "JSON that ends early", index: `{"entries":{"web":[`, wantErr: "it is not the index of a chart repository"},
		{name: "JSON of another shape", index: `{"entries":{"web":{}}}`, wantErr: "expected [, found {"},
		{
			name: "an uncommon style at a size that is not read as a whole", wantErr: "line 3 of the index is written in a style that is read only up to 4 MiB",
			index: "entries:\n  web:\n  - {version: 1.0.0}\n" + strings.Repeat("# filling\n", 500_000),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readChartIndex(strings.NewReader(tt.index))
			if tt.wantErr == "" && err != nil || tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)) {
				t.Fatalf("error %v, want %q", err, tt.wantErr)
			}
			if diff := cmp.Diff(tt.want, printed(got)); diff != "" && err == nil {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestReadChartIndexIsBounded(t *testing.T) {
	_, err := readChartIndex(&limitedReader{strings.NewReader("entries:\n" + strings.Repeat(" ", 1000)), 100})
	if !errors.Is(err, errIndexTooLarge) {
		t.Errorf("too many bytes: %v", err)
	}
	many := "entries:\n  web:\n" + strings.Repeat("  - version: 1.0.0\n", maxChartVersions+1)
	if _, err := readChartIndex(strings.NewReader(many)); err == nil || !strings.Contains(err.Error(), "more than 500000 versions") {
		t.Errorf("too many versions: %v", err)
	}
	long := "entries:\n  web:\n  - icon: data:" + strings.Repeat("x", 1<<20) + "\n    version: 1.0.0\n"
	if got, err := readChartIndex(strings.NewReader(long)); err != nil || len(got["web"]) != 1 {
		t.Errorf("a long line: %v %v", got, err)
	}
}

// largeIndex has 20,000 versions in 26 MB.
func largeIndex() string {
	var b strings.Builder
	b.WriteString("entries:\n")
	for chart := range 200 {
		fmt.Fprintf(&b, "  chart%d:\n", chart)
		for i := range 100 {
			fmt.Fprintf(&b, "  - apiVersion: v2\n    description: %s\n    version: 1.%d.0\n", strings.Repeat("text ", 250), i)
		}
	}
	return b.String()
}

func TestReadChartIndexHoldsLittle(t *testing.T) {
	text := largeIndex()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	index, err := readChartIndex(strings.NewReader(text))
	runtime.ReadMemStats(&after)
	if err != nil || index.count() != 20_000 {
		t.Fatal(index.count(), err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > uint64(len(text))/2 {
		t.Errorf("allocated %d bytes for an index of %d", got, len(text))
	}
}

func BenchmarkReadChartIndex(b *testing.B) {
	text := largeIndex()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readChartIndex(strings.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzChartIndex(f *testing.F) {
	f.Add("apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n    deprecated: true\n    description: |\n      x\n")
	f.Add("entries:\n    'a':\n        -\n            version: '1'\n        - version: \"2\"\n")
	f.Add(`{"entries":{"web":[{"version":"1.0.0"}]}}`)
	f.Add("entries: {web: [{version: 1}]}\n")
	f.Add("entries:\n  a: &x\n  - version: 1\n  b: *x\n")
	f.Fuzz(func(t *testing.T, text string) {
		index, err := readChartIndex(strings.NewReader(text))
		if err == nil && index.count() > len(text) {
			t.Errorf("%d versions of %d bytes", index.count(), len(text))
		}
	})
}

// What a YAML library writes is read as the same library reads it.
func FuzzChartIndexAsWritten(f *testing.F) {
	f.Add("web", "1.0.0", "a text", true)
	f.Add("a b: c", "1.0.0+x_y", "several\nlines\n  - version: 2\n", false)
	f.Add("'", "#1", " - x: y", false)
	f.Add("null", "1e3", "entries:\n", true)
	f.Fuzz(func(t *testing.T, name, version, text string, deprecated bool) {
		entry := map[string]any{
			"version": version, "description": text, "deprecated": deprecated, "name": name, "a": []string{text, version},
			"dependencies": []map[string]any{{"name": text, "version": text}}, "urls": []string{"https://example.com/" + url.PathEscape(text)},
			"digest": hex.EncodeToString(bytes.Repeat([]byte{byte(len(text))}, 32)),
		}
		written, err := yamltext.Marshal(map[string]any{"apiVersion": "v1", "entries": map[string]any{name: []any{entry, entry}, "z": []any{}}, "generated": text})
		if err != nil {
			t.Fatal(err)
		}
		want, wantErr := readWholeIndex(written)
		got, gotErr := readChartIndex(strings.NewReader(string(written)))
		if wantErr != nil {
			return
		}
		if diff := cmp.Diff(printed(want), printed(got)); diff != "" || gotErr != nil {
			t.Errorf("%s\n%v -want +got:\n%s", written, gotErr, diff)
		}
	})
}
