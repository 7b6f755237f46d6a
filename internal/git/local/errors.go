package local

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/git"
)

var (
	// ErrNoRepository says that a folder is in no Git repository, or that git cannot read it.
	ErrNoRepository = errors.New("no Git repository")
	// ErrUnknownRevision says that a name or id leads to no commit of this clone.
	ErrUnknownRevision = errors.New("unknown revision")
	// ErrNoMergeBase says that two commits have no commit in common in this clone.
	ErrNoMergeBase = errors.New("no common commit")
	// ErrNoWorkTree says that the repository is bare: it has no files on disk.
	ErrNoWorkTree = errors.New("no work tree")
	// ErrTooMuch says that the work tree holds more changes than are read.
	ErrTooMuch = errors.New("too many changes")
)

var (
	errNotDirectory = errors.New("not a directory")
	errIsDirectory  = errors.New("is a directory")
)

// missingError is the cause of a fs.PathError for a path that does not exist: both git.ErrNotFound and fs.ErrNotExist.
type missingError struct{}

func (missingError) Error() string { return "no such file or directory in this tree" }

func (missingError) Is(target error) bool {
	return target == git.ErrNotFound || target == fs.ErrNotExist
}

// commandError is a git command that did not succeed.
type commandError struct {
	operation string // what was attempted
	exit      int    // -1 when git did not run
	stderr    string // bounded, one line
	cause     error
}

func (e *commandError) Error() string {
	if e.stderr == "" {
		return fmt.Sprintf("%s: %v", e.operation, e.cause)
	}
	return fmt.Sprintf("%s: git says %q", e.operation, e.stderr)
}

func (e *commandError) Unwrap() error { return e.cause }

// excerpt makes what git printed fit for a message: one line, printable, bounded, without the credentials of URLs.
func excerpt(text []byte) string {
	const most = 400
	printable := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(string(text), "?"))
	words := strings.Fields(printable)
	for i, word := range words {
		words[i] = withoutCredentials(word)
	}
	line := strings.Join(words, " ")
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "…"
	}
	return line
}
