package ci

import (
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

func TestInert(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"what is usual stays", "propose 1.0.2 for dev: a::b\n\t- x: 1 → 2 ⚠️\n", "propose 1.0.2 for dev: a::b\n\t- x: 1 → 2 ⚠️\n"},
		{"a workflow command", "::error::forged\n", `\u003a:error::forged` + "\n"},
		{"one in a later line", "fine\n::add-mask::a\n", "fine\n" + `\u003a:add-mask::a` + "\n"},
		{"one behind spaces", "  \t::set-output name=a::b", "  \t" + `\u003a:set-output name=a::b`},
		{"one behind a space that is not ASCII", "\u00a0::error::x", "\u00a0" + `\u003a:error::x`},
		{"one behind what nobody sees", "\u200b\u034f::error::x", `\u200b\u034f\u003a:error::x`},
		{"one behind a mark and a selector", "\ufe0f\u0301::error::x", "\ufe0f\u0301" + `\u003a:error::x`},
		{"the end of a fence", "::1f2e3d4c::", `\u003a:1f2e3d4c::`},
		{"the old form, which begins anywhere", "name ##[add-mask]a", `name ##\u005badd-mask]a`},
		{"the old form with more hashes, and with a mark in it", "###[error]a #\ufe0f#[error]", `###\u005berror]a #` + "\ufe0f" + `#\u005berror]`},
		{"a heading and a link", "## [x](y) a[0] #[b]", "## [x](y) a[0] #[b]"},
		{"a section of GitLab", "section_start:1:x[collapsed=true]\r\x1b[0K", `section_start:1:x[collapsed=true]\u000d\u001b[0K`},
		{"colours, in one byte too", "\x1b[31mred\u009b0m", `\u001b[31mred\u009b0m`},
		{"a line that is written over", "done\rfail\b", `done\u000dfail\u0008`},
		{"lines that are none", "a\u2028::error::b", `a\u2028::error::b`},
		{"text that runs backwards", "\u202eexe", `\u202eexe`},
		{"a tag, as JSON writes it", "\U000e0041", `\udb40\udc41`},
		{"no UTF-8", "a\xffb", "a\ufffdb"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, InertText(test.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInertKnowsWhatWasWrittenBefore(t *testing.T) {
	var b strings.Builder
	w := Inert(&b)
	for _, part := range []string{"a", "::b\n", " ", ":", ":c\n#", "#", "[d]"} {
		if n, err := io.WriteString(w, part); n != len(part) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if diff := cmp.Diff("a::b\n "+`\u003a:c`+"\n##"+`\u005bd]`, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestInertSaysThatALogIsFull(t *testing.T) {
	full := errors.New("full")
	if n, err := io.WriteString(Inert(failing{full}), "a"); n != 0 || !errors.Is(err, full) {
		t.Errorf("%d, %v", n, err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// command is what a runner of GitHub looks for, with every character left out that no ink is spent on.
var command = regexp.MustCompile(`(?m)^[\pZ\t]*::|##\[|[\x00-\x08\x0b-\x1f\x7f-\x9f]`)

func FuzzInert(f *testing.F) {
	f.Add("::error::x\n##[group]\x1b[0K\r")
	f.Add(" \u200b::a\u2028::b")
	f.Fuzz(func(t *testing.T, text string) {
		var b strings.Builder
		if _, err := io.WriteString(Inert(&b), text); err != nil {
			t.Fatal(err)
		}
		got := b.String()
		plain := strings.Map(func(c rune) rune {
			if unicode.In(c, unicode.M, unicode.Cf) {
				return -1
			}
			return c
		}, got)
		if found := command.FindString(plain); found != "" {
			t.Errorf("%q holds %q", got, found)
		}
		if strings.Count(got, "\n") != strings.Count(text, "\n") {
			t.Errorf("%q has other lines than %q", got, text)
		}
		document, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		b.Reset()
		if _, err := Inert(&b).Write(document); err != nil {
			t.Fatal(err)
		}
		var back, want string
		if err := errors.Join(json.Unmarshal([]byte(b.String()), &back), json.Unmarshal(document, &want)); err != nil || back != want {
			t.Errorf("JSON of %q reads %q, %v", want, back, err)
		}
	})
}
