package promote

import (
	"fmt"
	"strings"
)

// Commit is the full hexadecimal object name of a Git commit. The zero value means none.
type Commit string

// Short returns the first eight characters, for people.
func (c Commit) Short() string { return string(c[:min(8, len(c))]) }

// Branch is the short name of a branch, without refs/heads/.
type Branch string

// LedgerBranch is the orphan branch that holds the ledger.
const LedgerBranch Branch = "lockkeeper/ledger"

// ProposalBranch returns the branch on which promotions to a stage are proposed.
func ProposalBranch(stage StageRef) Branch {
	return Branch("lockkeeper/" + stage.Project + "/" + stage.Name)
}

// IsProposalBranch reports whether a branch belongs to Lockkeeper.
func IsProposalBranch(branch Branch) bool { return strings.HasPrefix(string(branch), "lockkeeper/") }

// StageRef names a stage across projects.
type StageRef struct {
	Project string
	Name    string
}

// String returns "project/name".
func (r StageRef) String() string { return r.Project + "/" + r.Name }

// Compare orders references by project, then name.
func (r StageRef) Compare(other StageRef) int {
	if c := strings.Compare(r.Project, other.Project); c != 0 {
		return c
	}
	return strings.Compare(r.Name, other.Name)
}

// MarshalText writes "project/name".
func (r StageRef) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads "project/name".
func (r *StageRef) UnmarshalText(text []byte) error {
	project, name, found := strings.Cut(string(text), "/")
	if !found || project == "" || name == "" || strings.Contains(name, "/") {
		return fmt.Errorf("stage %q: expected project/stage", text)
	}
	r.Project, r.Name = project, name
	return nil
}

// Position is a place in a file of the repository. Line and Column count from 1; 0 means unknown.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitzero"`
	Column int    `json:"column,omitzero"`
}

// String returns "file:line:column" as far as it is known.
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
}

// Severity says how bad a Finding is.
type Severity int

// The severities, least first. An Error keeps a promotion from being merged.
const (
	SeverityInfo Severity = iota
	SeverityWarning
	SeverityError
)

// String returns the lower-case name.
func (s Severity) String() string {
	switch s {
	case SeverityInfo:
		return "info"
	case SeverityWarning:
		return "warning"
	case SeverityError:
		return "error"
	}
	return "unknown"
}

// MarshalText writes the lower-case name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is something wrong or noteworthy in the repository.
type Finding struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"` // kebab-case and stable, such as "unknown-variable"
	Position Position `json:"position"`
	Message  string   `json:"message"`          // what happened and what was expected
	Remedy   string   `json:"remedy"`           // what to do; may be empty
	Stage    StageRef `json:"stage,omitzero"`   // the stage it keeps from promoting; zero: the whole project or repository
	Project  string   `json:"project,omitzero"` // the project it belongs to; empty: the whole repository
}

// said is the message with what to do.
func (f Finding) said() string {
	if f.Remedy == "" {
		return f.Message
	}
	return f.Message + "; " + f.Remedy
}

// String returns the finding on one line: "file:line:column: severity: message; remedy [code]".
func (f Finding) String() string {
	var b strings.Builder
	if f.Position.File != "" {
		b.WriteString(f.Position.String() + ": ")
	}
	b.WriteString(f.Severity.String() + ": " + f.said())
	if f.Code != "" {
		b.WriteString(" [" + f.Code + "]")
	}
	return b.String()
}

// Concerns reports whether f stands in the way of promotions to stage.
func (f Finding) Concerns(stage StageRef) bool {
	switch {
	case f.Stage != StageRef{}:
		return f.Stage == stage
	case f.Project != "":
		return f.Project == stage.Project
	}
	return true
}
