package discover

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func FuzzParse(f *testing.F) {
	digest := "sha256:" + strings.Repeat("0a", 32)
	f.Add(`{"schemaVersion":2,"config":{"digest":"` + digest + `"},"annotations":{"org.opencontainers.image.created":"2026-03-01T10:00:00Z"}}`)
	f.Add(`{"manifests":[{"digest":"` + digest + `","platform":{"os":"linux","architecture":"arm64","variant":"v8"},"annotations":{"a":"b"}}]}`)
	f.Add(`{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"digest":"sha256:x"}]}`)
	f.Add(`{"manifests":[{"platform":{"os":"unknown"}},null,{}]}`)
	f.Add(`{"annotations":{"org.label-schema.build-date":"9999-12-31T23:59:59.999999999+23:59"},"config":null}`)
	f.Add(`{"annotations":{"org.label-schema.build-date":"9999-12-31T23:59:59-23:59"},"config":{"digest":"` + digest + `"}}`)
	f.Add("[]")
	f.Fuzz(func(t *testing.T, raw string) {
		known := parse(digest, []byte(raw))
		if known.Digest != digest || !known.sound() || len(known.Annotations) > maxAnnotations || known.cost() <= 0 {
			t.Errorf("%+v", known)
		}
		for _, platform := range append(known.platforms(), "") {
			if len(bounded(known.annotations(platform))) > maxAnnotations {
				t.Errorf("annotations of %q", platform)
			}
			if platform != "" && known.misfit(platform) != "" {
				t.Errorf("is not for its own platform %q", platform)
			}
		}
		if !known.Created.IsZero() && known.Created.Year() <= 1980 {
			t.Errorf("built in %d", known.Created.Year())
		}
		written, err := json.Marshal(known)
		if err != nil {
			t.Fatal(err)
		}
		var back record
		if err := json.Unmarshal(written, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(known, back, cmp.AllowUnexported(record{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("read back: -written +read:\n%s", diff)
		}
	})
}
