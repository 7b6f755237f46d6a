// Package codeowners reads the files in which GitHub and GitLab keep who owns which files of a repository, and says who owns one.
//
// It owns the two dialects: where the file lies, what a pattern matches and which entry wins. It does not know who belongs to a
// team or a group: that is for who asks a forge.
//
// The rules are those of the forges' documentation: GitHub's "About code owners", GitLab's "Syntax of CODEOWNERS file" and
// "Advanced CODEOWNERS configuration".
package codeowners

import "strings"

// Dialect is whose rules a file follows.
type Dialect int

// The dialects.
const (
	GitLab Dialect = iota
	GitHub
)

// The bounds. GitHub loads no larger file; what is beyond the others nobody wrote by hand.
const (
	MaxFileSize = 3 << 20 // bytes
	maxLine     = 16 << 10
	maxEntries  = 20_000
	maxOwners   = 100 // of one entry
	maxSegments = 100 // folders of one pattern
	maxSections = 500
)

// Places are the paths at which a dialect looks for the file, the first of which counts.
func Places(d Dialect) []string {
	if d == GitHub {
		return []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"}
	}
	return []string{"CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"}
}

// Kind is what an owner is.
type Kind int

// The kinds of owners.
const (
	Account Kind = iota // "@ann": a person; on GitLab also a group at the top
	Group               // "@acme/leads": a team of GitHub or a group of GitLab
	Role                // "@@maintainer": those with a role, on GitLab
	Email               // "ann@example.com"
)

// Owner is one owner of an entry.
type Owner struct {
	Kind Kind
	Name string // without "@"
}

// String is the owner as it is written in the file.
func (o Owner) String() string {
	switch o.Kind {
	case Account, Group:
		return "@" + o.Name
	case Role:
		return "@@" + o.Name
	case Email:
	}
	return o.Name
}

// File is what a CODEOWNERS file says.
type File struct {
	Dialect  Dialect
	Sections []Section // the first has no name and holds what stands in none
	Problems []Problem
}

// Section is a part of a file that is judged for itself. GitHub has one only.
type Section struct {
	Name      string
	Optional  bool
	Approvals int // how many of its owners have to approve; at least 1
	Entries   []Entry
	owners    []Owner // of the entries that name none, from the last heading of that name
}

// Entry is one line: a pattern and the owners of what it matches.
type Entry struct {
	Pattern string
	Owners  []Owner
	Exclude bool // it takes what it matches out of its section
	Line    int
	parts   []string
	below   bool // what lies below a match is matched, too
}

// Problem is a line, or a part of one, that says nothing.
type Problem struct {
	Line int
	Text string
}

// Owners returns who owns a file, each once. The last entry that matches decides, in each section: none at all may own it.
func (f File) Owners(path string) []Owner {
	var owners []Owner
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for _, section := range f.Sections {
		for _, owner := range section.of(segments) {
			if !contains(owners, owner) {
				owners = append(owners, owner)
			}
		}
	}
	return owners
}

// of returns the owners in one section. What is excluded once stays so: GitLab includes nothing again.
func (s Section) of(segments []string) []Owner {
	var owners []Owner
	for _, entry := range s.Entries {
		switch {
		case !entry.matches(segments):
		case entry.Exclude:
			return nil
		default:
			owners = entry.Owners
		}
	}
	return owners
}

// Emails returns the addresses that own something, with the first line of each: an address names no account.
func (f File) Emails() []Problem { return f.named(Email) }

// Roles returns the roles that own something, with the first line of each.
func (f File) Roles() []Problem { return f.named(Role) }

func (f File) named(kind Kind) []Problem {
	var found []Problem
	seen := map[string]bool{}
	for _, section := range f.Sections {
		for _, entry := range section.Entries {
			for _, owner := range entry.Owners {
				if owner.Kind == kind && !seen[owner.Name] {
					seen[owner.Name] = true
					found = append(found, Problem{entry.Line, owner.String()})
				}
			}
		}
	}
	return found
}

func contains(owners []Owner, wanted Owner) bool {
	for _, owner := range owners {
		if owner.Kind == wanted.Kind && strings.EqualFold(owner.Name, wanted.Name) {
			return true
		}
	}
	return false
}
