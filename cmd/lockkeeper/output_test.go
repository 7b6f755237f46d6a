package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestProgressShowsWhatTakesLongerThanASecond(t *testing.T) {
	for name, row := range map[string]struct {
		visible bool
		run     func(p *progress)
		want    string
	}{
		"a quick command is silent": {true, func(p *progress) { p.step("reading"); time.Sleep(999 * time.Millisecond) }, ""},
		"a slow one says what it does, and takes it away": {true, func(p *progress) {
			p.step("reading")
			time.Sleep(1001 * time.Millisecond)
			synctest.Wait()
			p.step("rendering %d", 3)
		}, "\r\x1b[Kreading …\r\x1b[Krendering 3 …\r\x1b[K"},
		"nobody looks": {false, func(p *progress) { p.step("reading"); time.Sleep(time.Minute); synctest.Wait(); p.step("rendering") }, ""},
		"nothing is shown after the end": {true, func(p *progress) {
			p.step("reading")
			p.end()
			time.Sleep(time.Minute)
			synctest.Wait()
			p.step("rendering")
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				p := newProgress(&out, row.visible)
				row.run(p)
				p.end()
				if diff := cmp.Diff(row.want, out.String()); diff != "" {
					t.Errorf("output (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestPrintFindings(t *testing.T) {
	findings := []promote.Finding{{
		Severity: promote.SeverityError, Code: "file-not-found", Position: promote.Position{File: "a.yaml", Line: 3, Column: 5},
		Message: "no \x1b[31mfile", Remedy: "add\nit",
	}}
	for name, row := range map[string]struct {
		color bool
		want  string
	}{
		"control characters are written out": {false, `a.yaml:3:5: error: no \u001b[31mfile; add\u000ait [file-not-found]` + "\n"},
		"the severity is coloured":           {true, "a.yaml:3:5:" + ansiRed + " error:" + ansiReset + ` no \u001b[31mfile; add\u000ait [file-not-found]` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := printFindings(&out, findings, row.color); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, out.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

func TestColorsAreForTerminalsOnly(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // a test file
	env := environment{getenv: func(string) string { return "" }}
	if env.colored(file) || env.colored(&bytes.Buffer{}) {
		t.Error("a file or a pipe gets colours")
	}
}

func TestTidySortsFindingsAndKeepsOneOfEqualOnes(t *testing.T) {
	at := func(file string, line int, severity promote.Severity, stage string) promote.Finding {
		return promote.Finding{
			Severity: severity, Message: "m", Position: promote.Position{File: file, Line: line}, Stage: promote.StageRef{Project: "p", Name: stage},
		}
	}
	got := tidy([]promote.Finding{
		at("b", 1, promote.SeverityError, "x"), at("a", 10, promote.SeverityInfo, "x"), at("a", 9, promote.SeverityWarning, "x"),
		at("a", 9, promote.SeverityError, "x"), at("a", 9, promote.SeverityError, "y"),
	})
	want := []promote.Finding{
		at("a", 9, promote.SeverityError, "x"), at("a", 9, promote.SeverityWarning, "x"), at("a", 10, promote.SeverityInfo, "x"),
		at("b", 1, promote.SeverityError, "x"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestAnnotationsHideSecrets, as the lines of the log do.
func TestAnnotationsHideSecrets(t *testing.T) {
	const address = "https://me:hunter2hunter2@git.example.com"
	findings := []promote.Finding{{Message: "it says " + address, Remedy: "write " + address + " elsewhere"}}
	var log bytes.Buffer
	env := environment{err: &log, getenv: func(name string) string { return map[string]string{"GITHUB_ACTIONS": "true"}[name] }}
	if err := annotate(env, findings); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(log.String(), "::notice::it says https://") || strings.Contains(log.String(), "hunter2") {
		t.Errorf("%s", &log)
	}
}
