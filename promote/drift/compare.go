package drift

import (
	"context"
	"fmt"
	"io/fs"
	"slices"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// The bounds of one comparison. What is beyond them is counted or told, never passed over in silence.
const (
	maxFiles    = 10_000    // files in one folder
	maxDepth    = 64        // folders inside each other
	maxBytes    = 256 << 20 // of all files that are read
	maxKeys     = 500       // values that differ in one file
	maxDrifts   = 5_000     // files and values that differ in all folders
	maxValue    = 256 << 10 // bytes of one value that is shown
	maxAllShown = 4 << 20   // bytes of all values that are shown
)

// Request says what is compared.
type Request struct {
	Tree  fs.FS  // required
	Rules []Rule // required
	// Progress is told which folders are compared now; nil: nobody asks.
	Progress func(from, to string)
}

// Compare reports how the folders of the rules differ. A rule that comes to nothing is a problem of the report, and rules that
// [Check] objects to are passed over. An error is a tree that could not be read, or a context that ended.
func Compare(ctx context.Context, r Request) (Report, error) {
	c := &comparison{tree: r.Tree, bytes: maxBytes, drifts: maxDrifts, shown: maxAllShown}
	var report Report
	for i, rule := range r.Rules {
		if len(rule.check()) > 0 {
			continue
		}
		pairs, problems, err := c.rule(ctx, rule, r.Progress)
		if err != nil {
			return Report{}, err
		}
		report.Pairs = append(report.Pairs, pairs...)
		for _, p := range problems {
			p.Rule = i
			report.Problems = append(report.Problems, p)
		}
	}
	return report, nil
}

// comparison is what is left of the bounds.
type comparison struct {
	tree   fs.FS
	bytes  int64 // still to read
	drifts int   // still to report
	shown  int   // bytes of values still to show
}

func (c *comparison) rule(ctx context.Context, rule Rule, progress func(from, to string)) ([]Pair, []Problem, error) {
	targets, problems := rule.targets(c.tree)
	exclusions := make([]exclusion, len(rule.Exclude))
	for i, text := range rule.Exclude {
		exclusions[i], _ = parseExclusion(text) // the rule was checked
	}
	used := make([]bool, len(exclusions))
	pairs := make([]Pair, 0, len(targets))
	for _, to := range targets {
		if progress != nil {
			progress(rule.From, to)
		}
		p := &pairing{comparison: c, from: rule.From, to: to, exclusions: exclusions, used: make([]bool, len(exclusions))}
		pair, err := p.compare(ctx)
		if err != nil {
			return nil, nil, err
		}
		for i, u := range p.used {
			used[i] = used[i] || u
		}
		pairs = append(pairs, pair)
	}
	for i, u := range used {
		if !u && len(targets) > 0 {
			problems = append(problems, Problem{
				Key: fmt.Sprintf("exclude[%d]", i), Message: fmt.Sprintf("exclude %q matches nothing in these folders", exclusions[i].text),
				Remedy: "correct it, or remove it",
			})
		}
	}
	return pairs, problems, nil
}

// pairing compares two folders.
type pairing struct {
	*comparison
	from, to   string
	exclusions []exclusion
	used       []bool // the exclusions that left something out
}

func (p *pairing) compare(ctx context.Context) (Pair, error) {
	pair := Pair{From: p.from, To: p.to}
	from, refused, err := p.list(ctx, p.from)
	if err != nil {
		return pair, err
	}
	to, alsoRefused, err := p.list(ctx, p.to)
	if err != nil {
		return pair, err
	}
	if pair.Refused = refused + alsoRefused; refused != "" {
		pair.Refused = refused
	}
	if pair.Refused != "" {
		return pair, nil
	}
	if err := p.prefetch(ctx, from, to); err != nil {
		return pair, err
	}
	for _, name := range names(from, to) {
		if err := ctx.Err(); err != nil {
			return pair, err
		}
		file, drifts, err := p.file(name, from, to)
		switch {
		case err != nil:
			return pair, err
		case !drifts:
			pair.Same++
		case p.drifts <= 0:
			pair.More++
		default:
			p.drifts -= max(1, len(file.Keys))
			pair.Files = append(pair.Files, file)
		}
	}
	for i, used := range p.used {
		if used {
			pair.Excluded = append(pair.Excluded, p.exclusions[i].text)
		}
	}
	return pair, nil
}

// file compares one file that is in at least one of the folders.
func (p *pairing) file(name string, from, to map[string]fs.FileMode) (File, bool, error) {
	before, inFrom := from[name]
	after, inTo := to[name]
	switch {
	case !inTo:
		return File{Name: name, Kind: OnlyFrom}, true, nil
	case !inFrom:
		return File{Name: name, Kind: OnlyTo}, true, nil
	case len(p.trails(name)) == 0 && p.identical(name):
		return File{}, false, nil
	case before.Type() != after.Type():
		return File{Name: name, Kind: Differs, Note: fmt.Sprintf("one is %s, the other %s", kindOf(before), kindOf(after))}, true, nil
	case !before.IsRegular():
		return File{Name: name, Kind: Differs, Note: kindOf(before) + ", which is not followed"}, true, nil
	}
	return p.content(name)
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a file"
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeSymlink != 0:
		return "a link"
	}
	return "no regular file"
}

// identical reports whether the tree knows, without reading it, that a file is the same on both sides.
func (p *pairing) identical(name string) bool {
	tree, ok := p.tree.(manifest.Identifier)
	if !ok {
		return false
	}
	before, err := tree.ObjectID(p.from + "/" + name)
	if err != nil || before == "" {
		return false
	}
	after, err := tree.ObjectID(p.to + "/" + name)
	return err == nil && before == after
}

func (p *pairing) prefetch(ctx context.Context, from, to map[string]fs.FileMode) error {
	tree, ok := p.tree.(manifest.Prefetcher)
	if !ok {
		return nil
	}
	var wanted []string
	for name, mode := range from {
		other, both := to[name]
		if both && mode.IsRegular() && other.IsRegular() && !p.identical(name) {
			wanted = append(wanted, p.from+"/"+name, p.to+"/"+name)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	slices.Sort(wanted)
	if err := tree.Prefetch(ctx, wanted...); err != nil {
		return fmt.Errorf("prefetch %d files: %w", len(wanted), err)
	}
	return nil
}
