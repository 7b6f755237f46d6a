package devforge

import (
	"bytes"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

func FuzzReadCommands(f *testing.F) {
	for _, seed := range []string{
		"0000", "", "0004", "0003", "zzzz",
		"006d" + zeroID + " " + strings.Repeat("a", 40) + " refs/heads/main\x00 report-status side-band-64k\n0000PACK",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		request := &http.Request{Body: io.NopCloser(bytes.NewReader(body))}
		commands, err := readCommands(request)
		if err != nil {
			return
		}
		rest, err := io.ReadAll(request.Body)
		if err != nil || !bytes.Equal(rest, body) {
			t.Fatalf("git would read %q, the client sent %q (%v)", rest, body, err)
		}
		commands.declined("no")
	})
}

// A name that the forge takes is one that git takes, and never an option.
func FuzzSafeName(f *testing.F) {
	for _, seed := range []string{"main", "lockkeeper/web/dev", "-x", "a..b", "a.lock", "@", "a@{1}", "a b", "ä", "a//b", ".a", "a.", "a\x7f", "HEAD"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !safeName(name) || strings.Contains(name, "\x00") {
			return
		}
		if out, err := exec.CommandContext(t.Context(), "git", "check-ref-format", headsPrefix+name).CombinedOutput(); err != nil {
			t.Fatalf("git does not take %q: %v %s", name, err, out)
		}
	})
}

func TestSplitQuickActions(t *testing.T) {
	for _, tt := range []struct{ name, body, text, actions string }{
		{"no action", "hello", "hello", ""},
		{"only an action", "/close", "", "close"},
		{"an action among text", "a\n/draft \nb", "a\nb", "draft"},
		{"in a fence", "```\n/close\n```\n/ready", "```\n/close\n```", "ready"},
		{"a longer fence holds a shorter one", "````\n```\n/close\n````", "````\n```\n/close\n````", ""},
		{"an indented one is text", "  /close", "  /close", ""},
		{"a command of somebody else is text", "/promote", "/promote", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, actions := splitQuickActions(tt.body)
			if text != tt.text || strings.Join(actions, " ") != tt.actions {
				t.Errorf("got %q and %q", text, actions)
			}
		})
	}
}
