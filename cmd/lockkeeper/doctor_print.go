package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/doctor"
	"github.com/lockkeeper/lockkeeper/render/diff"
)

const ansiGreen = "\x1b[32m"

func printReport(env environment, output string, report doctor.Report) error {
	switch output {
	case "json":
		return printJSON(env.out, reportJSON(report))
	case "markdown":
		_, err := io.WriteString(env.out, reportMarkdown(report))
		return err
	}
	_, err := io.WriteString(env.out, reportText(report, env.colored(env.out)))
	return err
}

// reportText is for a person at a terminal: one line for each check, and below it what to do.
func reportText(report doctor.Report, color bool) string {
	var b strings.Builder
	for i, section := range report {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(visible(section.Name) + "\n")
		for _, f := range section.Findings {
			word := fmt.Sprintf("%-5s", f.Verdict)
			if color {
				word = tint(f.Verdict) + word + ansiReset
			}
			fmt.Fprintf(&b, "  %s %-14s  %s\n", word, f.Check, sentence(f.Text))
			if f.Remedy != "" {
				fmt.Fprintf(&b, "        %-14s  → %s\n", "", sentence(f.Remedy))
			}
		}
	}
	b.WriteString("\n" + reportSummary(report) + "\n")
	return b.String()
}

func tint(v doctor.Verdict) string {
	switch v {
	case doctor.OK, doctor.Fixed:
		return ansiGreen
	case doctor.Warning:
		return ansiYellow
	case doctor.Failure:
		return ansiRed
	case doctor.Skipped:
	}
	return ansiDim
}

// sentence is text of others as a terminal may show it, on one line and without secrets.
func sentence(text string) string {
	return visible(diff.MaskSentence(strings.Join(strings.Fields(text), " ")))
}

func reportSummary(report doctor.Report) string {
	failed, warned, fixed := report.Count(doctor.Failure), report.Count(doctor.Warning), report.Count(doctor.Fixed)
	var parts []string
	if failed > 0 {
		parts = append(parts, count(failed, "failure"))
	}
	if warned > 0 {
		parts = append(parts, count(warned, "warning"))
	}
	text := strings.Join(parts, ", ")
	if text == "" {
		text = "All is fine"
	}
	if fixed > 0 {
		text += fmt.Sprintf("; %d put right", fixed)
	}
	return text + "."
}

func reportMarkdown(report doctor.Report) string {
	var b strings.Builder
	cell := strings.NewReplacer("|", "\\|", "<", "&lt;", "`", "'")
	for _, section := range report {
		fmt.Fprintf(&b, "### %s\n\n| | check | found | what to do |\n|---|---|---|---|\n", cell.Replace(visible(section.Name)))
		for _, f := range section.Findings {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", f.Verdict, f.Check, cell.Replace(sentence(f.Text)), cell.Replace(sentence(f.Remedy)))
		}
		b.WriteString("\n")
	}
	b.WriteString(reportSummary(report) + "\n")
	return b.String()
}

// reportDocument is a report as JSON. Keys are only ever added.
type reportDocument struct {
	Verdict  doctor.Verdict    `json:"verdict"`
	Failures int               `json:"failures"`
	Warnings int               `json:"warnings"`
	Sections []sectionDocument `json:"sections"`
}

type sectionDocument struct {
	Name   string          `json:"name"`
	Checks []checkDocument `json:"checks"`
}

type checkDocument struct {
	Verdict doctor.Verdict `json:"verdict"`
	Check   string         `json:"check"`
	Text    string         `json:"text"`
	Remedy  string         `json:"remedy,omitempty"`
	Fix     string         `json:"fix,omitempty"` // what --fix would do
}

func reportJSON(report doctor.Report) reportDocument {
	document := reportDocument{
		Verdict: report.Worst(), Failures: report.Count(doctor.Failure), Warnings: report.Count(doctor.Warning), Sections: []sectionDocument{},
	}
	for _, section := range report {
		shown := sectionDocument{Name: section.Name, Checks: []checkDocument{}}
		for _, f := range section.Findings {
			one := checkDocument{Verdict: f.Verdict, Check: f.Check, Text: sentence(f.Text), Remedy: sentence(f.Remedy)}
			if f.Fix.Kind != doctor.FixNothing {
				one.Fix = f.Fix.String()
			}
			shown.Checks = append(shown.Checks, one)
		}
		document.Sections = append(document.Sections, shown)
	}
	return document
}
