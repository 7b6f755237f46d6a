package diff

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/render/object"
)

// TextOptions say how [Text] writes.
type TextOptions struct {
	Color bool // with ANSI colours
	Width int  // cut lines to so many columns; 0 is no limit
}

const (
	colorRed    = "\x1b[31m"
	colorGreen  = "\x1b[32m"
	colorYellow = "\x1b[33m"
	colorCyan   = "\x1b[36m"
	colorBold   = "\x1b[1m"
	colorReset  = "\x1b[0m"
)

// Text writes the report for a terminal: the facts and findings, one line per application, then the objects with their fields. Added
// objects are shown as a whole. Control characters in values are written out, never sent to the terminal.
func Text(r Report, o TextOptions) string {
	w := textWriter{options: o}
	w.line(colorBold, headline(r))
	for _, f := range r.Facts {
		mark, color := "  • ", ""
		if f.Danger {
			mark, color = "  ⚠ ", colorYellow
		}
		if f.Grave {
			color = colorRed
		}
		w.line(color, mark+f.withLinks()+" ("+listed(f.Apps, len(f.Apps))+")")
	}
	for _, f := range r.Findings {
		color := ""
		switch f.Severity {
		case SeverityError:
			color = colorRed
		case SeverityWarning:
			color = colorYellow
		case SeverityInfo:
		}
		w.line(color, "  "+findingText(f))
	}
	w.table(r)
	for _, g := range groups(r.Apps) {
		w.group(g)
	}
	return w.b.String()
}

type textWriter struct {
	b       strings.Builder
	options TextOptions
}

func (w *textWriter) line(color, text string) {
	text = Visible(text)
	if w.options.Width > 0 {
		text = Clip(text, w.options.Width)
	}
	if color != "" && w.options.Color && text != "" {
		text = color + text + colorReset
	}
	w.b.WriteString(text + "\n")
}

func (w *textWriter) table(r Report) {
	if r.Empty() {
		return
	}
	width := len("application")
	for _, app := range r.Apps {
		width = max(width, utf8.RuneCountInString(Visible(title(app))))
	}
	heads, row := []any{width, "application", "added", "changed", "removed"}, "  %-*s  %7s  %7s  %7s"
	renames := r.Renamed() > 0
	if renames {
		heads, row = append(heads, "renamed"), row+"  %7s"
	}
	w.line("", "")
	w.line(colorBold, fmt.Sprintf(row, heads...))
	row = strings.ReplaceAll(row, "%7s", "%7d")
	for _, app := range r.Apps {
		added, changed, removed := app.Counts()
		cells := []any{width, Visible(title(app)), added, changed, removed}
		if renames {
			cells = append(cells, app.Renamed())
		}
		w.line("", fmt.Sprintf(row, cells...))
	}
}

func (w *textWriter) group(g group) {
	app := g.first()
	w.line("", "")
	w.line(colorBold, g.title(len(g.apps))+": "+summary(app))
	for _, f := range app.Findings {
		w.line("", "  "+findingText(f))
	}
	for _, o := range app.shown() {
		w.object(g, o)
	}
	for _, text := range app.folded() {
		w.line("", "  ~ "+text)
	}
}

func (w *textWriter) object(g group, o ObjectChange) {
	color := colorYellow
	switch o.Kind {
	case Added:
		color = colorGreen
	case Removed:
		color = colorRed
	case Changed, Renamed:
	}
	head := "  " + sign(o.Kind) + " " + g.name(o)
	if from := g.origin(o); from != "" {
		head += "  (" + from + ")"
	}
	w.line(color, head)
	if o.Kind == Added {
		for _, l := range manifestLines(o) {
			w.line(colorGreen, "      "+l)
		}
	}
	for _, f := range o.loud() {
		for _, l := range fieldLines(f) {
			w.line(lineColor(l.op), "      "+l.String())
		}
	}
}

// sign is how a kind of change is marked in front of an object.
func sign(kind Kind) string {
	switch kind {
	case Added:
		return "+"
	case Removed:
		return "-"
	case Renamed:
		return "»"
	case Changed:
	}
	return "~"
}

func lineColor(op byte) string {
	switch op {
	case '+':
		return colorGreen
	case '-':
		return colorRed
	case '@':
		return colorCyan
	default:
		return ""
	}
}

// headline is the report in one sentence.
func headline(r Report) string {
	if r.Empty() {
		if r.Unknown > 0 {
			return "No change seen, but not everything that " + count(r.Unknown, "application") + " " + verb(r.Unknown, "deploys", "deploy") + " could be rendered: what changes there is not known."
		}
		if r.Unchanged == 0 {
			return "No change in the cluster: no application is affected."
		}
		return "No change in the cluster: " + count(r.Unchanged, "application") + " " + verb(r.Unchanged, "deploys", "deploy") + " the same as before."
	}
	changing, moving := 0, 0
	for _, app := range r.Apps {
		if !app.Empty() {
			changing++
		}
		if app.moves() {
			moving++
		}
	}
	text := count(changing, "application") + " " + verb(changing, "changes", "change") + ": " + tally(reportCounts(r))
	if moving > 0 {
		text += "; " + count(moving, "application") + " " + verb(moving, "moves", "move") + " to another cluster"
	}
	if r.Unchanged > 0 {
		text += "; " + count(r.Unchanged, "application") + " " + verb(r.Unchanged, "stays as it is", "stay as they are")
	}
	return text + "."
}

// tallied are numbers of objects.
type tallied struct{ added, changed, removed, renamed int }

func reportCounts(r Report) tallied {
	added, changed, removed := r.Counts()
	return tallied{added, changed, removed, r.Renamed()}
}

// tally counts objects in words.
func tally(t tallied) string {
	var parts []string
	for _, p := range []struct {
		n    int
		verb Kind
	}{{t.added, Added}, {t.changed, Changed}, {t.removed, Removed}, {t.renamed, Renamed}} {
		if p.n > 0 {
			parts = append(parts, count(p.n, "object")+" "+string(p.verb))
		}
	}
	if len(parts) == 0 {
		return "no object"
	}
	return strings.Join(parts, ", ")
}

// summary says what happens to an application.
func summary(app AppChange) string {
	added, changed, removed := app.Counts()
	text := tally(tallied{added, changed, removed, app.Renamed()})
	if app.moves() {
		text = "moves to another cluster, " + text
	}
	if app.Was != "" {
		text = "application renamed, " + text
	}
	switch {
	case app.Empty() && app.Partial:
		return "no change seen, not rendered in full"
	case app.Empty():
		return "no change"
	case app.Kind == Added:
		return "new application, " + text
	case app.Kind == Removed:
		return "application removed, " + text
	default:
		return text
	}
}

func title(app AppChange) string {
	if app.Stage == "" {
		return app.Name
	}
	return app.Name + " (" + app.Stage + ")"
}

func findingText(f Finding) string {
	text := string(f.Severity)
	if text == "" {
		text = string(SeverityInfo)
	}
	text += ": " + f.Message
	if f.Where != "" {
		text += " (" + f.Where + ")"
	}
	return text
}

// origin says where an object comes from.
func origin(s object.Source) string {
	text := s.File
	if text != "" && s.Line > 0 {
		text += fmt.Sprintf(":%d", s.Line)
	}
	switch {
	case s.Via == "":
		return text
	case text == "":
		return "via " + s.Via
	default:
		return text + " via " + s.Via
	}
}

// listed joins up to n names and says how many more there are.
func listed(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:n], ", ") + fmt.Sprintf(" and %d more", len(names)-n)
}

// count is a number with its noun: "1 object", "2 objects".
func count(n int, noun string) string {
	return fmt.Sprintf("%d %s%s", n, noun, verb(n, "", "s"))
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
