package codeowners

import (
	"fmt"
	"strconv"
	"strings"
)

// Parse reads a file. Lines that say nothing are in Problems and are passed over, as both forges do; an error is a file that is
// not looked at any further.
func Parse(d Dialect, data []byte) (File, error) {
	if len(data) > MaxFileSize {
		return File{}, fmt.Errorf("the file has %d bytes, more than the %d that are read", len(data), MaxFileSize)
	}
	p := &parser{file: File{Dialect: d, Sections: []Section{{Approvals: 1}}}}
	for line := range strings.Lines(strings.ToValidUTF8(string(data), "\uFFFD")) {
		p.number++
		if len(line) > maxLine {
			return File{}, fmt.Errorf("line %d has %d bytes, more than the %d that are read", p.number, len(line), maxLine)
		}
		p.line(strings.TrimSpace(line))
		if p.entries > maxEntries || len(p.file.Sections) > maxSections {
			return File{}, fmt.Errorf("the file has more than %d entries or %d sections", maxEntries, maxSections)
		}
	}
	return p.file, nil
}

type parser struct {
	file    File
	section int // the one that entries go into
	number  int // of the line
	entries int
}

func (p *parser) problem(format string, args ...any) {
	p.file.Problems = append(p.file.Problems, Problem{p.number, fmt.Sprintf(format, args...)})
}

func (p *parser) line(line string) {
	if line == "" || line[0] == '#' {
		return
	}
	if p.file.Dialect == GitLab && p.heading(line) {
		return
	}
	pattern, rest := cutPattern(line)
	entry := Entry{Pattern: pattern, Line: p.number}
	if p.file.Dialect == GitHub {
		rest, _, _ = strings.Cut(rest, "#")
		if why := notOnGitHub(pattern); why != "" {
			p.problem("%q: %s; the line is passed over", pattern, why)
			return
		}
	} else {
		entry.Pattern, entry.Exclude = strings.CutPrefix(pattern, "!")
	}
	entry.Owners = p.owners(rest)
	if p.file.Dialect == GitLab && len(entry.Owners) == 0 {
		entry.Owners = p.file.Sections[p.section].owners
	}
	if !entry.compile(p.file.Dialect) {
		p.problem("%q has more than %d folders; the line is passed over", pattern, maxSegments)
		return
	}
	p.entries++
	p.file.Sections[p.section].Entries = append(p.file.Sections[p.section].Entries, entry)
}

// notOnGitHub says why GitHub takes a pattern of gitignore for no pattern; empty when it does not.
func notOnGitHub(pattern string) string {
	switch {
	case strings.HasPrefix(pattern, "!"):
		return "GitHub knows no negation"
	case strings.HasPrefix(pattern, `\#`):
		return "GitHub lets no pattern begin with #"
	case strings.ContainsAny(pattern, "[]"):
		return "GitHub knows no sets of characters"
	}
	return ""
}

// heading reads "[Name]", "^[Name]" and "[Name][2]", with the owners of the entries that name none. ok is false for what is
// no heading, which GitLab takes for an entry.
func (p *parser) heading(line string) (ok bool) {
	text, optional := strings.CutPrefix(line, "^")
	name, rest, closed := strings.Cut(strings.TrimPrefix(text, "["), "]")
	name = strings.TrimSpace(name)
	if !strings.HasPrefix(text, "[") || !closed || name == "" {
		return false
	}
	approvals := 1
	if count, after, ok := strings.Cut(strings.TrimPrefix(rest, "["), "]"); ok && strings.HasPrefix(rest, "[") {
		rest = after
		if n, err := strconv.Atoi(count); err == nil && n > 1 {
			approvals = n
		}
	}
	if rest != "" && !strings.ContainsAny(rest[:1], " \t") {
		return false
	}
	p.section = p.sectionNamed(name, optional)
	section := &p.file.Sections[p.section]
	section.Optional = section.Optional && optional
	section.Approvals = max(section.Approvals, approvals)
	section.owners = p.owners(rest)
	return true
}

// sectionNamed finds or begins a section; case does not count.
func (p *parser) sectionNamed(name string, optional bool) int {
	for i, section := range p.file.Sections {
		if i > 0 && strings.EqualFold(section.Name, name) {
			return i
		}
	}
	p.file.Sections = append(p.file.Sections, Section{Name: name, Optional: optional, Approvals: 1})
	return len(p.file.Sections) - 1
}

// cutPattern splits a line after the pattern. White space in a pattern follows a backslash.
func cutPattern(line string) (pattern, rest string) {
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line) && (line[i+1] == ' ' || line[i+1] == '\t'):
			i++
			b.WriteByte(line[i])
		case line[i] == ' ' || line[i] == '\t':
			return b.String(), line[i:]
		default:
			b.WriteByte(line[i])
		}
	}
	return b.String(), ""
}

// owners reads the owners at the end of a line. What is none is passed over, and said.
func (p *parser) owners(text string) []Owner {
	var owners []Owner
	for word := range strings.FieldsSeq(text) {
		owner, ok := p.owner(word)
		switch {
		case !ok && p.file.Dialect == GitLab && strings.HasPrefix(word, "#"):
			p.problem("%q: GitLab has no comments behind owners: whoever is named in it owns, too", word)
		case !ok:
			p.problem("%q is no owner; write @name, @group/name or an e-mail address", word)
		case len(owners) == maxOwners:
			p.problem("there are more than %d owners; the others are passed over", maxOwners)
			return owners
		case !contains(owners, owner):
			owners = append(owners, owner)
		}
	}
	return owners
}

func (p *parser) owner(word string) (Owner, bool) {
	name, isName := strings.CutPrefix(word, "@")
	role, isRole := strings.CutPrefix(name, "@")
	switch {
	case isRole && p.file.Dialect == GitLab && !strings.ContainsAny(role, "@/") && role != "":
		return Owner{Role, role}, true
	case isName && (name == "" || strings.Contains(name, "@") || strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/")):
		return Owner{}, false
	case isName && strings.Contains(name, "/"):
		return Owner{Group, name}, p.file.Dialect == GitLab || strings.Count(name, "/") == 1
	case isName:
		return Owner{Account, name}, true
	}
	before, after, isEmail := strings.Cut(word, "@")
	return Owner{Email, word}, isEmail && before != "" && strings.Contains(after, ".") && !strings.Contains(after, "@")
}
