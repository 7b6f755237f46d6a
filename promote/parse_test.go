package promote

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestParseCommand(t *testing.T) {
	for _, c := range []struct {
		name string
		body string
		verb Verb
		args []string
		ok   bool
	}{
		{"nothing", "", "", nil, false},
		{"words", "please promote this", "", nil, false},
		{"a verb alone", "/promote", VerbPromote, []string{}, true},
		{"arguments", "/promote prod 1.0.1", VerbPromote, []string{"prod", "1.0.1"}, true},
		{"capital letters", "/Promote Prod", VerbPromote, []string{"Prod"}, true},
		{"white space of any kind between the words", "/hold\tdev \u00a0 release\u2003party  ", VerbHold, []string{"dev", "release", "party"}, true},
		{"after other lines", "Looks good.\n\n/promote\nThanks!", VerbPromote, []string{}, true},
		{"line ends of Windows", "Looks good.\r\n/promote prod\r\n", VerbPromote, []string{"prod"}, true},
		{"the first of several", "/hold dev\n/promote dev", VerbHold, []string{"dev"}, true},
		{"an unknown verb is for the caller to answer", "/lgtm", "lgtm", []string{}, true},
		{"a verb with a hyphen", "/do-it now", "do-it", []string{"now"}, true},
		{"words that are not ASCII as arguments", "/hold dev Größe 🚀", VerbHold, []string{"dev", "Größe", "🚀"}, true},
		{"a verb that is not ASCII", "/prömote", "", nil, false},
		{"a path", "/usr/bin/env", "", nil, false},
		{"a verb with a digit", "/promote2", "", nil, false},
		{"a slash alone", "/", "", nil, false},
		{"a slash and a space", "/ promote", "", nil, false},
		{"two slashes", "//promote", "", nil, false},
		{"a fraction", "/2", "", nil, false},
		{"leading spaces", "  /promote", "", nil, false},
		{"a leading tab", "\t/promote", "", nil, false},
		{"a leading byte order mark", "\ufeff/promote", "", nil, false},
		{"in the middle of a line", "try /promote", "", nil, false},
		{"a quotation", "> /promote\n", "", nil, false},
		{"a code span", "`/promote`", "", nil, false},
		{"inside a fence", "```\n/promote\n```\n", "", nil, false},
		{"after a fence", "```\n/promote\n```\n/hold", VerbHold, []string{}, true},
		{"inside a fence of tildes", "~~~ sh\n/promote\n~~~", "", nil, false},
		{"inside an indented fence", "   ```\n/promote\n   ```\n", "", nil, false},
		{"inside a fence that is never closed", "```\n/promote", "", nil, false},
		{"a fence is not closed by a shorter one", "````\n```\n/promote\n````", "", nil, false},
		{"a fence is not closed by the other kind", "```\n~~~\n/promote\n```", "", nil, false},
		{"a fence is not closed by one that says a language", "```\n```sh\n/promote\n```", "", nil, false},
		{"three backticks in a line are no fence", "```code``` is code\n/promote", VerbPromote, []string{}, true},
		{"two backticks are no fence", "``\n/promote\n``", VerbPromote, []string{}, true},
		{"inside an HTML comment", "<!--\n/promote\n-->", "", nil, false},
		{"after an HTML comment", "<!-- a\n-->\n/promote", VerbPromote, []string{}, true},
		{"after an HTML comment of one line", "<!-- template -->\n/promote", VerbPromote, []string{}, true},
		{"a line that is too long", "/hold " + strings.Repeat("x", 1000), "", nil, false},
		{"a line that is just not too long", "/hold " + strings.Repeat("x", 994), VerbHold, []string{strings.Repeat("x", 994)}, true},
		{"a megabyte of text before", strings.Repeat("x\n", 1<<19) + "/promote", VerbPromote, []string{}, true},
		{"a megabyte in one line", "/" + strings.Repeat("a", 1<<20), "", nil, false},
		{"a megabyte of slashes", strings.Repeat("/", 1<<20), "", nil, false},
		{"bytes that are no text", "/hold \xff\xfe", VerbHold, []string{"\xff\xfe"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			verb, args, ok := ParseCommand(c.body)
			if verb != c.verb || ok != c.ok {
				t.Errorf("ParseCommand = %q, %v, want %q, %v", verb, ok, c.verb, c.ok)
			}
			if diff := cmp.Diff(c.args, args); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzParseCommand(f *testing.F) {
	for _, seed := range []string{
		"/promote", "/hold dev x\r\n", "```\n/promote\n```", "> /x", "<!--\n/a\n-->", "/ä", "/a\x00b", "/a b\tc\u2028d", "~~~~\n~~~\n/a", "/-", "/a-",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		verb, args, ok := ParseCommand(body)
		if !ok {
			if verb != "" || args != nil {
				t.Errorf("nothing was found, and yet %q, %q", verb, args)
			}
			return
		}
		if verb == "" || strings.Trim(string(verb), "abcdefghijklmnopqrstuvwxyz-") != "" {
			t.Errorf("verb = %q", verb)
		}
		written := "/" + strings.Join(append([]string{string(verb)}, args...), " ")
		again, same, ok := ParseCommand(written)
		if !ok || again != verb || !cmp.Equal(args, same) {
			t.Errorf("%q was read as %q %q, and %q as %q %q", body, verb, args, written, again, same)
		}
		if quoted := "> " + written; utf8.ValidString(quoted) {
			if _, _, ok := ParseCommand(quoted); ok {
				t.Errorf("a quotation is a command: %q", quoted)
			}
		}
		// Whatever a person asks for is answered, and the answer asks for nothing.
		answer(t, Command{Verb: verb, Arguments: args})
	})
}

func answer(t *testing.T, c Command) {
	t.Helper()
	c.Permission, c.Comment = PermissionAdmin, Comment{ID: 1, Change: 2, Author: strings.Join(c.Arguments, " "), At: now}
	replies := 0
	for _, action := range Decide(idleShop(says(on(Change{Number: 2, Branch: "x"}, c)))).Actions {
		if reply, ok := action.(Reply); ok {
			replies++
			inert(t, reply.Body)
		}
	}
	if replies != 1 {
		t.Errorf("%d replies", replies)
	}
}

func TestNearest(t *testing.T) {
	words := []string{"promote", "hold", "resume", "status", "help"}
	for _, c := range []struct {
		word, want string
	}{
		{"promte", "promote"}, {"Promote", "promote"}, {"statsu", "status"}, {"hodl", "hold"}, {"", ""}, {"rollback", ""}, {"promotion", "promote"},
	} {
		if got, ok := Nearest(c.word, words); got != c.want || ok != (c.want != "") {
			t.Errorf("Nearest(%q) = %q, %v, want %q", c.word, got, ok, c.want)
		}
	}
	if got, ok := Nearest("x", nil); ok {
		t.Errorf("Nearest of nothing = %q", got)
	}
}
