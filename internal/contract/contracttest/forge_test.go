package contracttest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
)

func TestForgesAreHeldAgainstTheirDescriptions(t *testing.T) {
	contracttest.Open(t, contract.GitLab) // which skips where there are no descriptions
	says := func(status int, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})
	}
	onPurpose := func(broken *contract.ViolationError) bool { return broken.Path == "/api/v4/purpose" }
	for _, test := range []struct {
		name    string
		handler func(testing.TB, http.Handler, ...contracttest.Gap) http.Handler
		request string // method, path and body
		status  int
		answer  string
		fails   bool
	}{
		{"GitLab knows no such path", contracttest.GitLab, "GET /api/v4/none", 404, `{}`, true},
		{"the caller breaks it on purpose", contracttest.GitLab, "GET /api/v4/purpose", 404, `{}`, false},
		{"what is no API passes by", contracttest.GitLab, "GET /acme/shop", 200, `<html>`, false},
		{"GitLab's description lacks what its documentation has", contracttest.GitLab, "GET /api/v4/job", 200, `{}`, false},
		{"and the activity of projects", contracttest.GitLab, "GET /api/v4/projects/7/events", 200, `[]`, false},
		{"GitHub knows no such path", contracttest.GitHub, "GET /api/v3/none", 404, `{}`, true},
		{"GitHub's answer lacks a field", contracttest.GitHub, "GET /api/v3/rate_limit", 200, `{}`, true},
		{"GraphQL has no such field", contracttest.GitHub, `POST /api/graphql {"query":"{ none }"}`, 200, `{"data":{}}`, true},
		{"an answer of GraphQL lacks a field", contracttest.GitHub, `POST /api/graphql {"query":"{ viewer { login } }"}`, 200, `{"data":{"viewer":{}}}`, true},
		{"an answer of GraphQL is right", contracttest.GitHub, `POST /api/graphql {"query":"{ viewer { login } }"}`, 200, `{"data":{"viewer":{"login":"bot"}}}`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &witness{TB: t}
			method, rest, _ := strings.Cut(test.request, " ")
			path, body, _ := strings.Cut(rest, " ")
			request := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
			test.handler(w, says(test.status, test.answer), onPurpose).ServeHTTP(httptest.NewRecorder(), request)
			if w.failed != test.fails {
				t.Errorf("the test fails: %t, want %t", w.failed, test.fails)
			}
		})
	}
}
