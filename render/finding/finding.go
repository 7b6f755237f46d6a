// Package finding holds what every renderer says about what it read: one Finding per thing a person should know.
//
// Codes are stable kebab-case words that people may filter by; messages are not stable. It decides nothing.
package finding

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// Severity says how bad a finding is.
type Severity int

// The severities, from worst to least.
const (
	Error   Severity = iota // what is written cannot work, or could not be rendered
	Warning                 // it works, but most likely not as meant
	Info                    // what is shown is not the whole truth, and why
)

// String prints "error", "warning" or "info".
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	case Info:
		return "info"
	}
	return fmt.Sprintf("severity(%d)", int(s))
}

// MarshalText prints the severity's word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is one thing that a person should know about what was rendered.
type Finding struct {
	Severity    Severity `json:"severity"`
	Code        string   `json:"code"` // stable, kebab-case
	Message     string   `json:"message"`
	Remedy      string   `json:"remedy,omitempty"`
	File        string   `json:"file,omitempty"`
	Line        int      `json:"line,omitempty"`   // 1-based, 0 when unknown
	Column      int      `json:"column,omitempty"` // 1-based, 0 when unknown
	Application string   `json:"application,omitempty"`
}

// String prints "file:line:column: severity: message; remedy [code]" and leaves out what is not known.
func (f Finding) String() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File)
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d", f.Line)
			if f.Column > 0 {
				fmt.Fprintf(&b, ":%d", f.Column)
			}
		}
		b.WriteString(": ")
	}
	b.WriteString(f.Severity.String())
	b.WriteString(": ")
	if f.Application != "" {
		fmt.Fprintf(&b, "application %q: ", f.Application)
	}
	b.WriteString(f.Message)
	if f.Remedy != "" {
		b.WriteString("; ")
		b.WriteString(f.Remedy)
	}
	fmt.Fprintf(&b, " [%s]", f.Code)
	return b.String()
}

// FromError turns every problem that err joins into an error finding with the given code. Places are kept.
func FromError(code string, err error) []Finding {
	var out []Finding
	for _, e := range manifest.Errors(err) {
		out = append(out, Finding{Severity: Error, Code: code, Message: e.Problem, Remedy: e.Remedy, File: e.File, Line: e.Line, Column: e.Column})
	}
	return out
}

// Sort orders findings by file, line, severity, code and text, and drops repeated ones.
func Sort(findings []Finding) []Finding {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Application, b.Application),
			cmp.Compare(a.Message, b.Message), cmp.Compare(a.Remedy, b.Remedy))
	})
	return slices.Compact(findings)
}
