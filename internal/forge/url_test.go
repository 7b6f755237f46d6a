package forge_test

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge"
)

func TestWebURL(t *testing.T) {
	long := "https://gitlab.com/" + strings.Repeat("a", 2000)
	for named, want := range map[string]string{
		"https://gitlab.com/acme/shop.git":          "https://gitlab.com/acme/shop.git",
		"http://gitlab.internal:8080/acme/shop.git": "http://gitlab.internal:8080/acme/shop.git",
		"":                                 "",
		"git@gitlab.com:acme/shop.git":     "",
		"file:///etc/passwd":               "",
		"https:///acme/shop.git":           "",
		"https://me:pw@gitlab.com/a/b.git": "",
		"https://gitlab.com/\x00":          "",
		long:                               "",
	} {
		if got := forge.WebURL(named); got != want {
			t.Errorf("%q gives %q, want %q", named, got, want)
		}
	}
}
