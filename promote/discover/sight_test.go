package discover

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSightsSayWhatTheirImagesSay(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0a", 32)
	at := time.Date(2026, 3, 1, 10, 0, 0, 123456789, time.UTC)
	parts := func(platforms ...string) (out []part) {
		for _, p := range platforms {
			out = append(out, part{Digest: digest, Platform: p})
		}
		return out
	}
	tests := []struct {
		name              string
		known             record
		text              string // "": its digest
		platform          bool   // whether its platform is known
		anywhere, onAMD64 string // why it is not for any platform, and for this one
	}{
		{"an image of one platform", record{Created: at, Whole: true, Platform: "linux/amd64"}, " 2026-03-01T10:00:00.123456Z linux/amd64", true, "", ""},
		{"an image whose configuration was not read", record{Created: at}, " 2026-03-01T10:00:00.123456Z ?", false, "", "does not say for which platform it is"},
		{"an image that says neither time nor platform", record{Whole: true}, " - -", true, "", "does not say for which platform it is"},
		{
			"an index",
			record{Created: at, Index: true, Parts: parts("linux/arm64/v8", "linux/arm/v7")},
			" 2026-03-01T10:00:00.123456Z linux/arm64/v8,linux/arm/v7", true, "", "is for linux/arm/v7, linux/arm64/v8, not for linux/amd64",
		},
		{
			"an index of nothing",
			record{Index: true, Whole: true},
			" - !", true,
			"is an index of attestations or of nothing, without an image that can run",
			"is an index of attestations or of nothing, without an image that can run",
		},
		{"platforms that nobody can ask for", record{Whole: true, Index: true, Parts: parts("linux/a b", "linux/,", "linux/amd64")}, " - linux/amd64", true, "", ""},
		{"a digest of another kind", record{Digest: "sha512:" + strings.Repeat("0b", 64), Whole: true}, " - -", true, "", "does not say for which platform it is"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.known.Digest == "" {
				tt.known.Digest = digest
			}
			got := tt.known.sight()
			text, err := got.MarshalText()
			if want := tt.known.Digest + tt.text; err != nil || string(text) != want {
				t.Errorf("written %q %v, want %q", text, err, want)
			}
			if got.name() != tt.known.Digest || !got.covers(want{created: true}) || got.covers(want{platform: true}) != tt.platform {
				t.Errorf("%+v", got)
			}
			if diff := cmp.Diff([]string{tt.anywhere, tt.onAMD64}, []string{got.misfit(""), got.misfit("linux/amd64")}); diff != "" {
				t.Errorf("misfit: -want +got:\n%s", diff)
			}
		})
	}
}

func FuzzSight(f *testing.F) {
	digest := "sha256:" + strings.Repeat("0a", 32)
	for _, text := range []string{
		digest, digest + " - -", digest + " - !", digest + " 2026-03-01T10:00:00.123456Z ?", digest + " 2026-03-01T10:00:00Z linux/arm64/v8,linux/amd64",
		"sha512:" + strings.Repeat("0a", 64), "", "sha256:0a", digest + " x y", digest + " 1970-01-01T00:00:00Z -", digest + " - ,", digest + "  ",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var read, again sight
		if read.UnmarshalText([]byte(text)) != nil {
			return
		}
		written, err := read.MarshalText()
		if err != nil || again.UnmarshalText(written) != nil || again != read {
			t.Errorf("%q is written as %q, which is %+v, not %+v (%v)", text, written, again, read, err)
		}
	})
}
