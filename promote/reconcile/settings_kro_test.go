package reconcile

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestKroSettings(t *testing.T) {
	for _, c := range []struct {
		name, yaml string
		version    string // that counts
		want       []string
	}{
		{"none", "stages: []\n", "0.9.4", nil},
		{"a known one", "kro: {version: \"0.8\"}\n", "0.8", nil},
		{"a newer one", "kro:\n  version: \"0.12\"\n", "0.12", []string{
			`lockkeeper.yaml:2:12: warning: kro.version: kro 0.12 is newer than 0.9.4: the rules of 0.9.4 are used; what is shown may differ from what that version does [settings]`,
		}},
		{"an old one", "kro: {version: v0.3}\n", "0.3", []string{
			`lockkeeper.yaml:1:16: warning: kro.version: kro 0.3 is older than 0.7.0: the rules of 0.7.0 are used, which may let through what 0.3 does not know; what is shown may differ from what that version does [settings]`,
		}},
		{"a word", "kro: {version: latest}\n", "0.9.4", []string{`lockkeeper.yaml:1:16: error: kro.version: "latest" is no version; write it as "0.8" or "0.8.5" [settings]`}},
		{"a number", "kro: {version: 0.8}\n", "0.9.4", []string{`lockkeeper.yaml:1:16: error: value 0.8 of kro.version is a number, not a string; add quotes: "0.8" [settings]`}},
		{"a mistyped key", "kro: {versio: \"0.8\"}\n", "0.9.4", []string{`lockkeeper.yaml:1:7: error: unknown key "versio" in kro; did you mean "version"? [settings]`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			settings, found := LoadSettings(fstest.MapFS{SettingsFile: {Data: []byte(c.yaml)}})
			got := []string{settings.RenderOptions().Kro.String()}
			for _, f := range found {
				got = append(got, f.String())
			}
			if diff := cmp.Diff(append([]string{c.version}, c.want...), got); diff != "" {
				t.Errorf("version and findings (-want +got):\n%s", diff)
			}
		})
	}
}
