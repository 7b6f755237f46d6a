package ci

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestAnnotate(t *testing.T) {
	place := promote.Position{File: "kargo/stages, old: 1.yaml", Line: 3, Column: 5}
	findings := []promote.Finding{
		{Severity: promote.SeverityError, Code: "unknown-task", Position: place, Message: "100% wrong\n::error::forged", Remedy: "correct it"},
		{Severity: promote.SeverityWarning, Message: "it has no place"},
		{Severity: promote.SeverityInfo, Code: "note", Position: promote.Position{File: "a.yaml"}, Message: "by\x1b[8m the way"},
	}
	want := "::error file=kargo/stages%2C old%3A 1.yaml,line=3,col=5,title=unknown-task::100%25 wrong%0A\\u003a:error::forged; correct it\n" +
		"::warning::it has no place\n" +
		"::notice file=a.yaml,title=note::by\\u001b[8m the way\n"
	var b strings.Builder
	if err := Annotate(&b, findings); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	b.Reset()
	many := append(slices.Repeat(findings[1:2], 30), findings[0])
	if err := Annotate(&b, many); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n != maxAnnotations+1 {
		t.Errorf("%d lines, want %d warnings and the error", n, maxAnnotations)
	}
}

func FuzzWorkflowCommand(f *testing.F) {
	f.Add("a.yaml", "code", "message", "remedy")
	f.Add("a\nb,c=d::", "%0A", "\r\n::set-output name=a::b", "::")
	f.Fuzz(func(t *testing.T, file, code, message, remedy string) {
		line := workflowCommand(promote.Finding{Code: code, Position: promote.Position{File: file, Line: 1}, Message: message, Remedy: remedy})
		if strings.Count(line, "\n") != 1 || strings.Contains(line, "\r") || !strings.HasPrefix(line, "::notice ") && !strings.HasPrefix(line, "::notice::") {
			t.Errorf("%q is not one command", line)
		}
	})
}
