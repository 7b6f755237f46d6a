package drift

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
)

// Rule says which folders of a tree should be alike.
type Rule struct {
	From    string   // the folder that the others are compared with; required
	To      []string // globs of folders; required
	Exclude []string // what belongs to each folder alone; see the package comment
}

// Problem is something wrong with a rule.
type Problem struct {
	Rule    int    // its index
	Key     string // the part of it, such as "to[1]"
	Message string // what is wrong
	Remedy  string // what to do
	Lost    bool   // a folder that the rule names is not there, or nothing at all is compared by it
}

// String returns the problem on one line, without the rule's index.
func (p Problem) String() string {
	if p.Remedy == "" {
		return p.Message
	}
	return p.Message + "; " + p.Remedy
}

// The bounds of one rule.
const (
	maxTo      = 100
	maxExclude = 500
	maxTargets = 2000 // folders that the globs of a rule may match
)

// Check reports what is wrong with rules whatever the tree holds.
func Check(rules []Rule) []Problem {
	var problems []Problem
	for i, rule := range rules {
		for _, p := range rule.check() {
			p.Rule = i
			problems = append(problems, p)
		}
	}
	return problems
}

func (r Rule) check() []Problem {
	var problems []Problem
	report := func(key, remedy, format string, args ...any) {
		problems = append(problems, Problem{Key: key, Message: fmt.Sprintf(format, args...), Remedy: remedy})
	}
	switch {
	case r.From == "":
		report("from", "name a folder, such as develop/frontend", "from is missing")
	case !isFolder(r.From):
		report("from", "name one folder by its path from the root, such as develop/frontend", "from %q is not the path of a folder", r.From)
	}
	if len(r.To) == 0 {
		report("to", "name folders, such as production/frontend or clusters/*/frontend", "to is missing")
	}
	if len(r.To) > maxTo {
		report("to", "match several folders with one glob", "to has %d entries, at most %d are allowed", len(r.To), maxTo)
	}
	for i, glob := range r.To {
		key := fmt.Sprintf("to[%d]", i)
		switch {
		case !isFolder(glob) || !isGlob(glob):
			report(key, "write a path from the root, such as clusters/*/frontend", "to %q is not a glob of folders", glob)
		case glob == r.From:
			report(key, "remove it", "to %q is what it is compared with", glob)
		}
	}
	if len(r.Exclude) > maxExclude {
		report("exclude", "match several with one glob", "exclude has %d entries, at most %d are allowed", len(r.Exclude), maxExclude)
	}
	for i, text := range r.Exclude {
		if _, err := parseExclusion(text); err != nil {
			report(fmt.Sprintf("exclude[%d]", i), "write a glob of files, such as *.md, or one and a key, such as instance.yaml:spec.replicas",
				"exclude %q: %v", text, err)
		}
	}
	return problems
}

func isFolder(name string) bool { return fs.ValidPath(name) && name != "." }

func isGlob(pattern string) bool {
	_, err := path.Match(pattern, "")
	return err == nil
}

// Look reports which rules come to nothing in a tree: their folder is not there, or nothing matches their globs. It does not
// report again what [Check] does.
func Look(tree fs.FS, rules []Rule) []Problem {
	var problems []Problem
	for i, rule := range rules {
		if len(rule.check()) > 0 {
			continue
		}
		_, found := rule.targets(tree)
		for _, p := range found {
			p.Rule = i
			problems = append(problems, p)
		}
	}
	return problems
}

// targets returns the folders that a rule compares, in order, and why there are none or fewer.
func (r Rule) targets(tree fs.FS) ([]string, []Problem) {
	if !isDir(tree, r.From) {
		return nil, []Problem{{Key: "from", Message: fmt.Sprintf("there is no folder %q", r.From), Remedy: near(tree, r.From), Lost: true}}
	}
	var targets []string
	var problems []Problem
	for i, glob := range r.To {
		key := fmt.Sprintf("to[%d]", i)
		found, problem := r.match(tree, glob)
		if problem.Message != "" {
			problem.Key = key
			problems = append(problems, problem)
		}
		targets = append(targets, found...)
	}
	slices.Sort(targets)
	targets = slices.Compact(targets)
	if len(targets) > maxTargets {
		message := fmt.Sprintf("%d folders match, at most %d are allowed", len(targets), maxTargets)
		problems = append(problems, Problem{Key: "to", Message: message, Remedy: "match fewer, or split the rule"})
		targets = nil
	}
	for i := range problems {
		problems[i].Lost = problems[i].Lost || len(targets) == 0
	}
	return targets, problems
}

func (r Rule) match(tree fs.FS, glob string) ([]string, Problem) {
	matches, err := fs.Glob(tree, glob)
	if err != nil {
		return nil, Problem{Message: fmt.Sprintf("match %q: %v", glob, err)}
	}
	var found []string
	nested := ""
	for _, dir := range matches {
		switch {
		case dir == r.From || !isDir(tree, dir):
		case inside(dir, r.From), inside(r.From, dir):
			nested = dir
		default:
			found = append(found, dir)
		}
	}
	switch {
	case len(found) > 0:
		return found, Problem{}
	case nested != "":
		return nil, Problem{Message: fmt.Sprintf("one of %q and %q lies in the other", r.From, nested), Remedy: "name folders beside each other"}
	case strings.ContainsAny(glob, `*?[\`):
		return nil, Problem{Message: fmt.Sprintf("no folder matches %q", glob), Remedy: "correct the glob: * stands for a part of one name, not for folders in folders"}
	}
	return nil, Problem{Message: fmt.Sprintf("there is no folder %q", glob), Remedy: near(tree, glob), Lost: true}
}

func isDir(tree fs.FS, name string) bool {
	info, err := fs.Stat(tree, name)
	return err == nil && info.IsDir()
}

// inside reports whether name lies below dir.
func inside(name, dir string) bool { return strings.HasPrefix(name, dir+"/") }

// near says which folder was most likely meant.
func near(tree fs.FS, name string) string {
	if meant := nearest.Path(tree, name, fs.DirEntry.IsDir); meant != "" {
		return fmt.Sprintf("did you mean %q?", meant)
	}
	return "correct the path"
}
