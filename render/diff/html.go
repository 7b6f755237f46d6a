package diff

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"
)

//go:embed report.html
var reportPage string

var reportTemplate = template.Must(template.New("report").Parse(reportPage))

// HTMLOptions say how [HTML] writes.
type HTMLOptions struct {
	Title string // of the page; "" is "Rendered diff"
}

type htmlReport struct {
	Title, Headline string
	Facts           []htmlFact
	More            []htmlFact // that are folded
	Findings        []string
	Rows            []htmlRow
	Groups          []htmlGroup
	Renames         bool // some object is renamed
}

type htmlFact struct {
	Class string // "", "danger" or "grave"
	Parts []Part
	Apps  []string
}

// htmlRow is an application in the table.
type htmlRow struct {
	Name                             string
	Group                            int // where it is shown
	Added, Changed, Removed, Renamed int
}

type htmlGroup struct {
	Name, Summary string
	Same          string // all applications, when there are several
	Open          bool
	Findings      []string
	Objects       []htmlObject
	Folded        []string
	Quiet         []htmlObject // of which nothing but what is folded changes
}

type htmlObject struct {
	Sign, Class, Name, From string
	Fields                  []htmlLine
	Manifest                []htmlLine
}

type htmlLine struct{ Class, Text string }

// openFacts is how many facts a page shows outside of a fold.
const openFacts = 40

// openGroups is up to how many applications a page opens by itself.
const openGroups = 20

// HTML writes the report as one page that needs nothing else: no other file, no network. It has a search over all that it
// shows. Nothing in it is left out; applications in which the same changes are shown together. What comes from manifests cannot
// act.
func HTML(r Report, o HTMLOptions) ([]byte, error) {
	page := htmlReport{Title: o.Title, Headline: headline(r), Renames: r.Renamed() > 0}
	if page.Title == "" {
		page.Title = "Rendered diff"
	}
	for _, f := range r.Facts {
		one := htmlFact{Apps: visibleAll(f.Apps)}
		switch {
		case f.Grave:
			one.Class = "grave"
		case f.Danger:
			one.Class = "danger"
		}
		for _, p := range f.Parts {
			one.Parts = append(one.Parts, Part{Text: Visible(p.Text), Code: p.Code, Link: safeLink(p.Link)})
		}
		page.Facts = append(page.Facts, one)
	}
	if n := len(page.Facts); n > openFacts {
		page.Facts, page.More = page.Facts[:openFacts], page.Facts[openFacts:]
	}
	for _, f := range r.Findings {
		page.Findings = append(page.Findings, Visible(findingText(f)))
	}
	all := groups(r.Apps)
	for i, g := range all {
		page.Groups = append(page.Groups, htmlGroupOf(g, len(all) <= openGroups))
		for _, app := range g.apps {
			row := htmlRow{Name: Visible(title(app)), Group: i, Renamed: app.Renamed()}
			row.Added, row.Changed, row.Removed = app.Counts()
			page.Rows = append(page.Rows, row)
		}
	}
	slices.SortStableFunc(page.Rows, func(a, b htmlRow) int { return strings.Compare(a.Name, b.Name) })
	var b bytes.Buffer
	if err := reportTemplate.Execute(&b, page); err != nil {
		return nil, fmt.Errorf("write the page: %w", err)
	}
	return b.Bytes(), nil
}

func htmlGroupOf(g group, open bool) htmlGroup {
	app := g.first()
	out := htmlGroup{Name: Visible(g.title(3)), Summary: summary(app), Open: open, Folded: visibleAll(app.folded())}
	if len(g.apps) > 1 {
		out.Same = Visible(g.title(len(g.apps)))
	}
	for _, f := range app.Findings {
		out.Findings = append(out.Findings, Visible(findingText(f)))
	}
	for _, o := range app.Objects {
		if o.quiet() {
			out.Quiet = append(out.Quiet, htmlObjectOf(g, o, o.Fields))
		} else {
			out.Objects = append(out.Objects, htmlObjectOf(g, o, o.loud()))
		}
	}
	return out
}

func htmlObjectOf(g group, o ObjectChange, fields []FieldChange) htmlObject {
	out := htmlObject{Sign: sign(o.Kind), Class: string(o.Kind), Name: Visible(g.name(o)), From: Visible(g.origin(o))}
	for _, f := range fields {
		for _, l := range fieldLines(f) {
			out.Fields = append(out.Fields, htmlLine{lineClass(l.op), l.String()})
		}
	}
	for _, text := range manifestLines(o) {
		op := byte(' ')
		if text != "" {
			op = text[0]
		}
		out.Manifest = append(out.Manifest, htmlLine{lineClass(op), text})
	}
	return out
}

func lineClass(op byte) string {
	switch op {
	case '+':
		return "added"
	case '-':
		return "removed"
	case '@':
		return "where"
	}
	return ""
}

func visibleAll(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = Visible(text)
	}
	return out
}

// Patch writes the report as unified diffs, one file for each object, below a folder for each application. It is for reading,
// and for tools that show patches: values of Secrets are masked in it.
func Patch(r Report) string {
	var b strings.Builder
	for _, app := range r.Apps {
		for _, o := range app.Objects {
			lines := manifestLines(o)
			if len(lines) == 0 {
				continue
			}
			name := fileName(app.Name) + "/" + fileName(strings.Join(strings.Fields(strings.ReplaceAll(o.ID.String(), "/", " ")), "-")) + ".yaml"
			before, after := "a/"+name, "b/"+name
			fmt.Fprintf(&b, "diff --git %s %s\n", before, after)
			switch o.Kind {
			case Added:
				fmt.Fprintf(&b, "new file mode 100644\n--- /dev/null\n+++ %s\n@@ -0,0 +1,%d @@\n", after, len(lines))
			case Removed:
				fmt.Fprintf(&b, "deleted file mode 100644\n--- %s\n+++ /dev/null\n@@ -1,%d +0,0 @@\n", before, len(lines))
			case Changed, Renamed:
				fmt.Fprintf(&b, "--- %s\n+++ %s\n", before, after)
			}
			for _, l := range lines {
				b.WriteString(l + "\n")
			}
		}
	}
	return b.String()
}

// fileName keeps the characters of a name that every tool takes for one.
func fileName(name string) string {
	kept := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_', c == '/':
			return c
		}
		return '-'
	}, name)
	return strings.ReplaceAll(strings.Trim(kept, "/"), "..", "-")
}
