package contracttest

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/contract"
)

// A Gap says of a broken rule that it is none: the description is wrong there, or a test breaks it on purpose.
type Gap func(*contract.ViolationError) bool

// Answers are a gap where a script makes them up, with what matters to a test alone: requests are judged without them.
func Answers(broken *contract.ViolationError) bool { return broken.Status != 0 }

// GitLab holds every exchange with the API below /api/ against GitLab's official description, where that is at hand, and fails t
// for each that breaks it, except for what is known to be wrong in the description itself and for gaps. Everything else passes by.
// With CI=true a missing description fails t.
func GitLab(t testing.TB, next http.Handler, gaps ...Gap) http.Handler {
	t.Helper()
	loaded, err := loadGitLab()
	if err != nil {
		return unchecked(t, next, err)
	}
	return below("/api/", loaded.Handler(next, reporter(t, append(gaps, gitLabGap))), next)
}

// GitHub is [GitLab] for the description of GitHub's REST API below /api/v3 and the schema of its GraphQL API at /api/graphql.
func GitHub(t testing.TB, next http.Handler, gaps ...Gap) http.Handler {
	t.Helper()
	loaded, err := loadGitHub()
	schema, schemaErr := loadSchema()
	if err := errors.Join(err, schemaErr); err != nil {
		return unchecked(t, next, err)
	}
	report := reporter(t, append(gaps, gitHubGap))
	rest := below("/api/", loaded.Under("/api/v3").Handler(next, report), next)
	return below("/api/graphql", schema.Handler(next, report), rest)
}

// below sends what is below a path to one handler, and everything else to another.
func below(path string, there, elsewhere http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, path) {
			there.ServeHTTP(w, r)
			return
		}
		elsewhere.ServeHTTP(w, r)
	})
}

func reporter(t testing.TB, gaps []Gap) func(error) {
	return func(err error) {
		broken, ok := errors.AsType[*contract.ViolationError](err)
		for _, gap := range gaps {
			if ok && gap(broken) {
				return
			}
		}
		t.Errorf("contract: %v", err)
	}
}

func unchecked(t testing.TB, next http.Handler, err error) http.Handler {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("This test needs the official API descriptions: %v", err)
	}
	t.Logf("The exchanges of this test are not checked against the official descriptions, which are not part of the repository: %v", err)
	return next
}

// gitLabGap says where GitLab's description is wrong.
func gitLabGap(broken *contract.ViolationError) bool {
	if errors.Is(broken, contract.ErrUnknownRoute) {
		// doc/api/jobs.md, "Get job token's job", and doc/api/events.md; not in the part of the description that is at hand
		return broken.Path == "/api/v4/job" || strings.HasSuffix(broken.Path, "/events") && !strings.Contains(broken.Path, "/hooks/")
	}
	text := broken.Error()
	switch broken.Status {
	case 0:
		return false
	case http.StatusAccepted:
		return strings.HasSuffix(broken.Path, "/notes") // a note of quick actions only: doc/api/notes.md
	case http.StatusNoContent:
		return true // some deletions have a JSON body with 204, which HTTP forbids
	case http.StatusRequestEntityTooLarge:
		return true // answered in front of the API
	case http.StatusConflict:
		return strings.HasSuffix(broken.Path, "/status_check_responses") // check_sha_param! of lib/api/helpers
	case http.StatusMethodNotAllowed:
		return strings.Contains(text, "/repository/branches/") // app/services/branches/delete_service.rb
	}
	return strings.Contains(text, `Error at "/approved_by"`) || // a list: doc/api/merge_request_approvals.md
		strings.HasSuffix(broken.Path, "/status_checks") // a list as well: doc/api/status_checks.md
}

// gitHubGap says where GitHub's description is wrong.
func gitHubGap(broken *contract.ViolationError) bool {
	switch broken.Status {
	case http.StatusBadRequest:
		return true // a body that is no JSON: REST, Troubleshooting
	case http.StatusUnprocessableEntity:
		return strings.Contains(broken.Path, "/statuses/") // refused in fact: docs, 140 characters, 1000 statuses
	}
	return false
}
