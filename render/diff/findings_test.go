package diff_test

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/render/diff"
)

func TestFindingsAboutNoApplicationAreInEveryReport(t *testing.T) {
	report := diff.Options{Findings: []diff.Finding{
		{Severity: diff.SeverityError, Message: "a definition breaks: password=hunter2hunter2", Where: "rgd.yaml:3"},
		{Message: "a note"},
	}}.Compare(nil)
	if !report.Empty() {
		t.Error("findings count as changes")
	}
	page, err := diff.HTML(report, diff.HTMLOptions{})
	if err != nil {
		t.Fatal(err)
	}
	document, err := diff.JSON(report)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"text": diff.Text(report, diff.TextOptions{}), "Markdown": diff.Markdown(report, diff.MarkdownOptions{}), "HTML": string(page), "JSON": string(document),
	} {
		if !strings.Contains(text, "a definition breaks") || !strings.Contains(text, "rgd.yaml:3") || !strings.Contains(text, "a note") {
			t.Errorf("%s lacks a finding:\n%s", name, text)
		}
		if strings.Contains(text, "hunter2") {
			t.Errorf("%s shows a secret:\n%s", name, text)
		}
	}
	many := make([]diff.Finding, 1000)
	for i := range many {
		many[i] = diff.Finding{Severity: diff.SeverityWarning, Message: strings.Repeat("long ", 200)}
	}
	if text := diff.Markdown(diff.Options{Findings: many}.Compare(nil), diff.MarkdownOptions{Limit: 5000}); len(text) > 5000 || !strings.Contains(text, "more") {
		t.Errorf("%d bytes:\n%.200s", len(text), text)
	}
}
