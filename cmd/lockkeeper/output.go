package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/lockkeeper/lockkeeper/ci"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/render"
	"github.com/lockkeeper/lockkeeper/render/diff"
)

// isTerminal reports whether a person looks at what is written to w.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// colored reports whether w takes colours: it is a terminal, and NO_COLOR is not set (https://no-color.org).
func (e environment) colored(w io.Writer) bool {
	return e.getenv("NO_COLOR") == "" && e.getenv("TERM") != "dumb" && isTerminal(w)
}

// quietTime is how long a command may be silent.
const quietTime = time.Second

// progress tells a person at a terminal what takes so long. It is silent for a second, and always when nobody looks.
type progress struct {
	mu    sync.Mutex
	out   io.Writer // nil: nobody looks
	now   string
	shown bool
	done  bool
	timer *time.Timer
}

func newProgress(w io.Writer, visible bool) *progress {
	p := &progress{}
	if visible {
		p.out = w
		p.timer = time.AfterFunc(quietTime, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.shown = true
			p.show()
		})
	}
	return p
}

// step says what is being done now.
func (p *progress) step(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = fmt.Sprintf(format, args...)
	if p.shown {
		p.show()
	}
}

func (p *progress) show() {
	if p.out != nil && !p.done && p.now != "" {
		_, _ = fmt.Fprintf(p.out, "\r\x1b[K%s …", p.now)
	}
}

// end takes the line away.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.shown && !p.done {
		_, _ = io.WriteString(p.out, "\r\x1b[K")
	}
	p.done = true
}

// ANSI colours of findings.
const (
	ansiRed    = "\x1b[31m"
	ansiYellow = "\x1b[33m"
	ansiDim    = "\x1b[2m"
	ansiReset  = "\x1b[0m"
)

// printFindings writes one line for each finding, without the secrets that a sentence may cite.
func printFindings(w io.Writer, findings []promote.Finding, color bool) error {
	var b strings.Builder
	for _, f := range findings {
		text := ci.InertText(visible(diff.MaskSentence(f.String())))
		if color {
			tint := map[promote.Severity]string{promote.SeverityError: ansiRed, promote.SeverityWarning: ansiYellow, promote.SeverityInfo: ansiDim}[f.Severity]
			word := " " + f.Severity.String() + ":"
			text = strings.Replace(text, word, tint+word+ansiReset, 1)
		}
		b.WriteString(text + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// visible writes control characters out, so that no manifest can command the terminal.
func visible(text string) string {
	if !strings.ContainsFunc(text, isControl) {
		return text
	}
	var b strings.Builder
	for _, c := range text {
		if isControl(c) {
			fmt.Fprintf(&b, "\\u%04x", c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

func isControl(c rune) bool { return c < ' ' || c >= 0x7f && c < 0xa0 }

// toFinding takes over a finding of the renderer.
func toFinding(f render.Finding) promote.Finding {
	out := promote.Finding{
		Code: f.Code, Message: f.Message, Remedy: f.Remedy, Position: promote.Position{File: f.File, Line: f.Line, Column: f.Column},
	}
	if f.Application != "" {
		out.Message = fmt.Sprintf("application %q: %s", f.Application, f.Message)
	}
	switch f.Severity {
	case render.Error:
		out.Severity = promote.SeverityError
	case render.Warning:
		out.Severity = promote.SeverityWarning
	case render.Info:
		out.Severity = promote.SeverityInfo
	}
	return out
}

func toFindings(found []render.Finding) []promote.Finding {
	findings := make([]promote.Finding, len(found))
	for i, f := range found {
		findings[i] = toFinding(f)
	}
	return findings
}

// tidy sorts findings by their place, the worst first at each, and keeps one of those that read the same.
func tidy(findings []promote.Finding) []promote.Finding {
	sorted := slices.Clone(findings)
	slices.SortStableFunc(sorted, func(a, b promote.Finding) int {
		return cmp.Or(
			strings.Compare(a.Position.File, b.Position.File), cmp.Compare(a.Position.Line, b.Position.Line),
			cmp.Compare(a.Position.Column, b.Position.Column), cmp.Compare(b.Severity, a.Severity),
			strings.Compare(a.Code, b.Code), strings.Compare(a.Message, b.Message), a.Stage.Compare(b.Stage),
		)
	})
	return slices.CompactFunc(sorted, func(a, b promote.Finding) bool { return a.String() == b.String() })
}

// count is a number with its noun: "1 error", "2 errors".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
