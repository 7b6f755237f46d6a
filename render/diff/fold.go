package diff

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"
)

// fold is one application in Markdown, in pieces that can be left out one by one.
type fold struct {
	app    string // whose objects these are
	group  group
	open   string
	close  string
	blocks []block // what is left of the objects
	all    int     // how many objects there were
	danger bool    // it has a danger: it goes last
	closed bool    // the whole fold is left out
	bytes  int     // of all pieces that are left
}

// block is one object: its fields, and its manifest in a fold.
type block struct{ fields, manifest string }

const foldClose = "</details>\n\n"

func (f *fold) write(b *strings.Builder) {
	if f.closed {
		return
	}
	b.WriteString(f.open)
	for _, block := range f.blocks {
		b.WriteString(block.fields)
		b.WriteString(block.manifest)
	}
	b.WriteString(f.close)
}

// Longest lines, and longest changes of one field in lines, that Markdown shows outside of the manifests.
const (
	maxLine       = 400
	maxFieldLines = 60
	maxManifest   = 2000
)

// foldsOf prints the objects of a report. Manifests are what costs most and what goes first, from the end, when there is
// too much: the second result counts those that were not even printed, because those before them already exceed limit.
func foldsOf(r Report, limit int) ([]fold, int) {
	folds, size := foldsWithout(r)
	skipped := 0
	for i := range folds {
		for j, o := range folds[i].group.first().shown() {
			if size > limit {
				skipped++
				continue
			}
			manifest := manifestFold(o)
			folds[i].blocks[j].manifest = manifest
			folds[i].bytes += len(manifest)
			size += len(manifest)
		}
	}
	return folds, skipped
}

// foldsWithout prints the folds without the manifests, and returns their size.
func foldsWithout(r Report) ([]fold, int) {
	size := 0
	all := groups(r.Apps)
	folds := make([]fold, 0, len(all))
	for _, g := range all {
		app := g.first()
		objects := app.shown()
		f := fold{app: app.Name, group: g, all: len(objects), close: foldedText(app) + foldClose, danger: slices.ContainsFunc(app.Facts, func(f Fact) bool { return f.Danger })}
		var b strings.Builder
		b.WriteString("<details><summary>" + SummaryCode(g.title(3), 200) + ": " + summary(app) + "</summary>\n\n")
		if len(g.apps) > 1 {
			b.WriteString(sameText(g))
		}
		for _, finding := range app.Findings {
			b.WriteString("- " + Code(findingText(finding), 1000) + "\n")
		}
		if len(app.Findings) > 0 {
			b.WriteByte('\n')
		}
		f.open = b.String()
		f.bytes = len(f.open) + len(f.close)
		for _, o := range objects {
			block := block{fields: fieldsText(g, o)}
			f.blocks = append(f.blocks, block)
			f.bytes += len(block.fields)
		}
		size += f.bytes
		folds = append(folds, f)
	}
	return folds, size
}

// sameText lists the applications that change in the same way.
func sameText(g group) string {
	const most = 100
	names := make([]string, 0, most)
	for _, app := range g.apps[:min(len(g.apps), most)] {
		names = append(names, Code(title(app), 100))
	}
	text := fmt.Sprintf("The same in %d applications: %s", len(g.apps), strings.Join(names, ", "))
	if n := len(g.apps) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text + "\n\n"
}

// foldedText is the noise of an application.
func foldedText(app AppChange) string {
	text := ""
	for _, line := range app.folded() {
		what, values, found := strings.Cut(line, " (")
		text += "- " + what
		if found {
			text += ": " + Code(strings.TrimSuffix(values, ")"), 300)
		}
		text += "\n"
	}
	if text != "" {
		text += "\n"
	}
	return text
}

func fieldsText(g group, o ObjectChange) string {
	text := "**" + string(o.Kind) + "** " + Code(g.name(o), 300)
	if from := g.origin(o); from != "" {
		text += " from " + Code(from, 300)
	}
	text += "\n\n"
	var lines []string
	for _, f := range o.loud() {
		lines = append(lines, capped(fieldLines(f))...)
	}
	if len(lines) > 0 {
		text += Fence(lines)
	}
	return text
}

func manifestFold(o ObjectChange) string {
	manifest := manifestLines(o)
	if len(manifest) == 0 {
		return ""
	}
	if n := len(manifest) - maxManifest; n > 0 {
		manifest = append(manifest[:maxManifest:maxManifest], fmt.Sprintf(" … %d lines left out", n))
	}
	for i, l := range manifest {
		manifest[i] = Clip(l, 4*maxLine)
	}
	return "<details><summary>manifest</summary>\n\n" + Fence(manifest) + foldClose
}

// capped prints lines, as many as are good to read in a list of changes.
func capped(lines []line) []string {
	out := make([]string, 0, min(len(lines), maxFieldLines+1))
	for i, l := range lines {
		if i == maxFieldLines {
			return append(out, fmt.Sprintf("  … %d lines left out", len(lines)-i))
		}
		out = append(out, Clip(l.String(), maxLine))
	}
	return out
}

// omission counts what was left out.
type omission struct {
	manifests, objects int
	apps               []string // whose objects are missing, in the order in which they went
	link               string
}

// shrink leaves out pieces of folds, which are size bytes long, until they and the note that it returns fit into room.
// left says what is already missing.
func shrink(folds []fold, size, room int, left omission) string {
	if size <= room {
		return ""
	}
	for i := len(folds) - 1; i >= 0; i-- {
		for j := len(folds[i].blocks) - 1; j >= 0; j-- {
			block := &folds[i].blocks[j]
			if block.manifest == "" {
				continue
			}
			size -= len(block.manifest)
			folds[i].bytes -= len(block.manifest)
			block.manifest = ""
			left.manifests++
			if size <= room && size+len(left.note()) <= room {
				return left.note()
			}
		}
	}
	queue := newDrops(folds)
	for queue.drop(&size, &left) {
		if size <= room && size+len(left.note()) <= room {
			return left.note()
		}
	}
	left.apps = nil
	if note := left.note(); len(note) <= room {
		return note
	}
	left.link = ""
	if note := left.note(); len(note) <= room {
		return note
	}
	return ""
}

// drops are the folds that are not closed yet, as a heap: the one that is to lose an object next stands first.
type drops []*fold

func newDrops(folds []fold) *drops {
	queue := make(drops, 0, len(folds))
	for i := range folds {
		queue = append(queue, &folds[i])
	}
	heap.Init(&queue)
	return &queue
}

func (d drops) Len() int      { return len(d) }
func (d drops) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *drops) Push(x any)   { *d = append(*d, x.(*fold)) }

// Less puts folds without a danger first, and the largest of those; the first of equal ones is decided by the name.
func (d drops) Less(i, j int) bool {
	if d[i].danger != d[j].danger {
		return d[j].danger
	}
	if d[i].bytes != d[j].bytes {
		return d[i].bytes > d[j].bytes
	}
	return d[i].app < d[j].app
}

// Pop removes the last fold of the heap.
func (d *drops) Pop() any {
	old := *d
	last := old[len(old)-1]
	*d = old[:len(old)-1]
	return last
}

// drop leaves out the last object of the fold that stands first, or that fold when it has no object left.
func (d *drops) drop(size *int, left *omission) bool {
	if d.Len() == 0 {
		return false
	}
	f := (*d)[0]
	before := f.bytes
	if len(f.blocks) == f.all && f.all > 0 {
		left.apps = append(left.apps, f.app)
	}
	if n := len(f.blocks); n > 0 {
		f.bytes -= len(f.blocks[n-1].fields) + len(f.blocks[n-1].manifest)
		f.blocks = f.blocks[:n-1]
		left.objects++
	}
	if f.closed = len(f.blocks) == 0; f.closed {
		f.bytes = 0
		heap.Pop(d)
	} else {
		heap.Fix(d, 0)
	}
	*size += f.bytes - before
	return true
}

// note says what was left out.
func (o omission) note() string {
	var parts []string
	if o.objects > 0 {
		shown := make([]string, 0, 3)
		for _, app := range o.apps[:min(len(o.apps), 3)] {
			shown = append(shown, Code(app, 60))
		}
		part := "the changes of " + count(o.objects, "object")
		if len(shown) > 0 {
			part += " of " + strings.Join(shown, ", ")
		}
		if len(o.apps) > 3 {
			part += fmt.Sprintf(" and %d more", len(o.apps)-3)
		}
		parts = append(parts, part)
	}
	if o.manifests > 0 {
		parts = append(parts, "the manifests of "+count(o.manifests, "object"))
	}
	text := "Left out, because it would be too long: "
	if len(parts) == 0 {
		text += "details"
	}
	text += strings.Join(parts, " and ") + "."
	if o.link != "" {
		text += " [The full diff](<" + o.link + ">)."
	}
	return text + "\n"
}

// safeLink is link when it is an address that Markdown takes as one.
func safeLink(link string) string {
	if !strings.HasPrefix(link, "https://") && !strings.HasPrefix(link, "http://") {
		return ""
	}
	if len(link) > 2000 || Visible(link) != link || strings.ContainsAny(link, " \t<>\\") {
		return ""
	}
	return link
}
