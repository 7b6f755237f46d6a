package git

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

var (
	// ErrMoved says that a ref was not where RefUpdate.Old said. Read the refs again and decide anew.
	ErrMoved = errors.New("ref is not where it was expected")
	// ErrDenied says that the server's rules refused the update: a protected branch or a hook. Repeating does not help.
	ErrDenied = errors.New("update refused by the server's rules")
	// ErrUnauthorized says that the server refused the credentials (401) or their rights (403).
	ErrUnauthorized = errors.New("not authorized")
	// ErrRepositoryNotFound says that there is no such repository, or that the credentials may not see it.
	ErrRepositoryNotFound = errors.New("repository not found")
	// ErrNotFound says that a branch, a commit or a path does not exist.
	ErrNotFound = errors.New("not found")
	// ErrNoChange says that a commit would have the same tree as its first parent; nothing was made.
	ErrNoChange = errors.New("nothing to commit: the tree is unchanged")
	// ErrTooLarge says that an object or an answer is above the package's limits.
	ErrTooLarge = errors.New("too large")
	// ErrTooDeep says that history was not followed further; the question stays open.
	ErrTooDeep = errors.New("history too deep")
	// ErrConflict says that a path cannot be written in this tree: a file where a directory is needed or the reverse, or
	// a symbolic link or submodule on the path.
	ErrConflict = errors.New("path conflict")
	// ErrOutcomeUnknown says that a push was sent and its answer was lost: the refs may or may not have moved.
	// Compare Repository.Refs with RefUpdate.New before trying again.
	ErrOutcomeUnknown = errors.New("outcome of the push is unknown")
)

// HTTPError is an answer of the server that is not a success. It unwraps to ErrUnauthorized (401, 403) or
// ErrRepositoryNotFound (404) where one of them applies.
type HTTPError struct {
	Operation  string // "read refs", "fetch" or "push"
	URL        string // without credentials
	Status     int
	RetryAfter time.Duration // as asked by the server, zero when it did not say
	Message    string        // start of the answer's text, one line, bounded
	anonymous  bool          // no credentials were configured
}

// Error says what was answered and, for refused credentials, what to do. It never contains credentials.
func (e *HTTPError) Error() string {
	text := fmt.Sprintf("%s %s: server answered %d %s", e.Operation, e.URL, e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		text += fmt.Sprintf(" (%q)", e.Message)
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		if e.anonymous {
			return text + ": no credentials are configured; set a token that may access this repository"
		}
		return text + ": check that the token is valid, not expired, and has access to this repository (write access to push)"
	case http.StatusNotFound:
		return text + ": check the URL, and that the token may see this repository"
	}
	return text
}

// Unwrap returns the sentinel for the status, or nil.
func (e *HTTPError) Unwrap() error {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrUnauthorized
	case http.StatusNotFound, http.StatusGone:
		return ErrRepositoryNotFound
	}
	return nil
}

// Temporary reports whether the same request may succeed later without anybody acting.
func (e *HTTPError) Temporary() bool {
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout || e.Status >= 500
}

// NotRegularError says that a path names a symbolic link or a submodule where a file was asked for. Links are never followed.
type NotRegularError struct {
	Path string
	Mode fs.FileMode // fs.ModeSymlink, or fs.ModeIrregular for a submodule
}

// Error says what is at the path.
func (e *NotRegularError) Error() string {
	what := "a submodule, whose content is in another repository"
	if e.Mode&fs.ModeSymlink != 0 {
		what = "a symbolic link, which is not followed"
	}
	return fmt.Sprintf("%q is %s", e.Path, what)
}

// noPathError is the cause of a fs.PathError for a path that does not exist: both ErrNotFound and fs.ErrNotExist.
type noPathError struct{}

func (noPathError) Error() string { return "no such file or directory in this commit" }

func (noPathError) Is(target error) bool { return target == ErrNotFound || target == fs.ErrNotExist }

// refusal turns the server's reason for not updating a ref into an error. These words are git's own (receive-pack.c,
// refs/files-backend.c) and those of forges that replace it; the protocol has no codes.
func refusal(reason, messages string) error {
	low := strings.ToLower(reason)
	for _, row := range []struct {
		part string
		kind error
	}{
		{"hook declined", ErrDenied},
		{"protected branch", ErrDenied},
		{"repository rule", ErrDenied},
		{"prohibited", ErrDenied},
		{"not allowed", ErrDenied},
		{"permission denied", ErrDenied},
		{"deny", ErrDenied},
		{"denied", ErrDenied},
		{"failed to update ref", ErrMoved},
		{"cannot lock ref", ErrMoved},
		{"failed to lock", ErrMoved},
		{"unable to lock", ErrMoved},
		{"reference already exists", ErrMoved},
		{"already exists", ErrMoved},
		{"non-fast-forward", ErrMoved},
		{"non-fast forward", ErrMoved},
		{"fetch first", ErrMoved},
		{"stale info", ErrMoved},
		{"incorrect old value", ErrMoved},
		{"atomic transaction failed", ErrMoved},
	} {
		if strings.Contains(low, row.part) {
			return withMessages(fmt.Errorf("%w: server says %q", row.kind, reason), messages)
		}
	}
	return withMessages(fmt.Errorf("server says %q", reason), messages)
}

// withMessages appends what hooks and forges print for people, which names the rule that refused the update.
func withMessages(err error, messages string) error {
	if messages == "" {
		return err
	}
	return fmt.Errorf("%w (%q)", err, messages)
}

// oneLine makes text of the server fit for a message: printable, one line, at most limit bytes.
func oneLine(text string, limit int) string {
	text = strings.ToValidUTF8(text, "?")
	text = strings.Join(strings.Fields(strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, text)), " ")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}
