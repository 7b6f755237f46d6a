// Package contracttest opens API descriptions in tests.
package contracttest

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/contract"
)

// Open loads one of [contract.GitHub], [contract.GitLab] and [contract.ArgoCD]. Where the descriptions are missing it skips
// the test, and fails it when CI=true: a build server that checks nothing should not be green.
func Open(t testing.TB, name string) *contract.Contract {
	t.Helper()
	dir, err := contract.Dir()
	if err != nil {
		missing(t, err)
	}
	loaded, err := contract.Load(filepath.Join(dir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		missing(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// OpenSchema loads [contract.GitHubGraphQL], as [Open] does descriptions of REST.
func OpenSchema(t testing.TB, name string) *contract.Schema {
	t.Helper()
	dir, err := contract.Dir()
	if err != nil {
		missing(t, err)
	}
	loaded, err := contract.LoadSchema(filepath.Join(dir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		missing(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// Handler puts c before next and fails t for every exchange that breaks it.
func Handler(t testing.TB, c *contract.Contract, next http.Handler) http.Handler {
	t.Helper()
	return c.Handler(next, func(err error) { t.Errorf("contract: %v", err) })
}

// Requests is what a handler of a contract may report to: it fails t for every request that breaks it. Answers, which a script may
// make up, are not judged.
func Requests(t testing.TB) func(error) {
	return func(err error) {
		if violation, ok := errors.AsType[*contract.ViolationError](err); ok && violation.Status == 0 {
			t.Errorf("contract: %v", err)
		}
	}
}

// Guard loads a description for tests that are worth running without it too, and returns what puts it before a handler, as
// [Handler] does. Where the description is missing, handlers are returned as they are; with CI=true t fails instead.
func Guard(t testing.TB, name string) func(testing.TB, http.Handler) http.Handler {
	t.Helper()
	if present(name) || os.Getenv("CI") == "true" {
		loaded := Open(t, name)
		return func(t testing.TB, next http.Handler) http.Handler { return Handler(t, loaded, next) }
	}
	t.Logf("The exchanges of this test are not checked against %s, which is not part of the repository.", name)
	return func(_ testing.TB, next http.Handler) http.Handler { return next }
}

func present(name string) bool {
	dir, err := contract.Dir()
	if err != nil {
		return false
	}
	_, err = os.Stat(filepath.Join(dir, filepath.FromSlash(name)))
	return err == nil
}

func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("This test needs the official API description: %v", err)
	}
	t.Skipf("This test needs the official API description, which is not part of the repository: %v", err)
}
