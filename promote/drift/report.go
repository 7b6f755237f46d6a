package drift

import "github.com/lockkeeper/lockkeeper/render/diff"

// Report is how folders differ. The zero Report compares nothing.
type Report struct {
	Pairs    []Pair    // in the order of the rules, then of the folders
	Problems []Problem // rules and exclusions that come to nothing
}

// Pair is how two folders differ.
type Pair struct {
	From, To string
	Files    []File   // those that drift, by name
	Same     int      // files that are alike
	Excluded []string // the exclusions that left something out, as they are written
	More     int      // files that drift beside Files, beyond the bound
	Refused  string   // why the folders were not compared; "" when they were
}

// Kind says in which folder a file is.
type Kind string

// The kinds of a drift.
const (
	OnlyFrom Kind = "onlyFrom" // in the folder that is compared with
	OnlyTo   Kind = "onlyTo"
	Differs  Kind = "differs"
)

// File is one file that drifts.
type File struct {
	Name string // from the folder on
	Kind Kind
	Keys []Key  // the values that differ; nil when only the whole file can be compared
	More int    // values that differ beside Keys, beyond the bound
	Note string // why there are no keys, "" when there are or need not be
}

// Key is one value that differs. Before is its value in the folder that is compared with, After that in the other; both are
// masked.
type Key struct {
	Document string // which one of a file with several, such as "Deployment web"; "" when the file has one
	diff.FieldChange
}

// Empty reports whether nothing drifts.
func (r Report) Empty() bool {
	for _, p := range r.Pairs {
		if !p.Empty() {
			return false
		}
	}
	return true
}

// Empty reports whether the folders are alike.
func (p Pair) Empty() bool { return len(p.Files)+p.More == 0 && p.Refused == "" }

// drifting is the number of pairs that are not alike.
func (r Report) drifting() int {
	n := 0
	for _, p := range r.Pairs {
		if !p.Empty() {
			n++
		}
	}
	return n
}
