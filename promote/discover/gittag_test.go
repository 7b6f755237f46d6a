package discover

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/promote"
)

func FuzzTagFilter(f *testing.F) {
	f.Add("v1.2.3", "^v", "rc", "^1.0.0", true)
	f.Add("1.2", "", "", "", false)
	f.Add("nightly-2026", "nightly", "nightly", ">=1", true)
	f.Add("v1.0.0-rc.1+b", "(", "", "x", true)
	f.Fuzz(func(t *testing.T, tag, allow, ignore, constraint string, strict bool) {
		sub := promote.GitSubscription{Strategy: promote.SelectSemVer, Constraint: constraint, StrictSemvers: strict}
		if allow != "" {
			sub.Allow = []string{allow}
		}
		if ignore != "" {
			sub.Ignore = []string{ignore}
		}
		filter, err := newTagFilter(sub)
		if err != nil {
			return
		}
		version, refused := filter.judge(tag)
		if (version == nil) != (refused != "") {
			t.Errorf("%q: version %v, refused %q", tag, version, refused)
		}
		if allow == ignore && allow != "" && version != nil {
			t.Errorf("%q is selected and ignored by %q", tag, ignore)
		}
	})
}

func FuzzSubject(f *testing.F) {
	f.Add("fix: a\nb\n\nbody")
	f.Add(strings.Repeat("ö", 60))
	f.Add("\n\n\x00\xff\u202e\t")
	f.Fuzz(func(t *testing.T, message string) {
		got := shorten(subjectOf(message), maxSubject)
		if len(got) > maxSubject || !utf8.ValidString(got) || strings.ContainsAny(got, "\n\r\x00\t") {
			t.Errorf("%q became %q", message, got)
		}
	})
}
