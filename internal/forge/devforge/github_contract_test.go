package devforge_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// without serves with next and takes one field out of every answer, or gives it a wrong type when wrong is not nil.
func without(next http.Handler, field string, wrong any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		var body any
		if json.Unmarshal(answer.Body.Bytes(), &body) == nil {
			object, ok := body.(map[string]any)
			if list, isList := body.([]any); isList && len(list) > 0 {
				object, ok = list[0].(map[string]any)
			}
			if ok && wrong != nil {
				object[field] = wrong
			} else if ok {
				delete(object, field)
			}
		}
		text, err := json.Marshal(body)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(answer.Code)
		_, _ = w.Write(text)
	})
}

// An exchange that the description does not notice proves nothing: for each kind of answer, a field that is missing or of a
// wrong type must be a violation, and the answer as it is must be none.
func TestGitHubContractNoticesBrokenAnswers(t *testing.T) {
	official := contracttest.Open(t, contract.GitHub).Under("/api/v3")
	h := newHub(t)
	head := h.openPull(t, "lockkeeper/web").GetHead().GetSHA()
	h.report(t, head, "success")
	h.rule(t, &devforge.BranchRules{Checks: gates})
	for _, prepared := range []exchange{
		{"bot", "POST", repoAPI + "/issues/1/comments", `{"body":"hello"}`, 201, ""},
		{"owner", "POST", pullAPI + "/reviews", `{"event":"APPROVE"}`, 200, ""},
		{"owner", "POST", pullAPI + "/comments", `{"body":"look","path":"apps/web/dev.yaml","line":2,"commit_id":"` + head + `"}`, 201, ""},
		{"bot", "POST", repoAPI + "/pulls/comments/1/reactions", `{"content":"eyes"}`, 201, ""},
		{"bot", "POST", repoAPI + "/issues/1/labels", `["lockkeeper"]`, 200, ""},
		{"bot", "POST", repoAPI + "/issues/1/reactions", `{"content":"eyes"}`, 201, ""},
		{"bot", "POST", repoAPI + "/deployments", `{"ref":"main","environment":"dev","required_contexts":[]}`, 201, ""},
		{"bot", "POST", repoAPI + "/deployments/1/statuses", `{"state":"success"}`, 201, ""},
		{"admin", "POST", repoAPI + "/hooks", `{"config":{"url":"http://127.0.0.1:1/","content_type":"json"}}`, 201, ""},
	} {
		if status, body, _ := h.rawHub(t, prepared); status != prepared.status {
			t.Fatalf("%s %s answers %d %s", prepared.method, prepared.path, status, body)
		}
	}
	h.settle(t)
	for _, tt := range []struct {
		path, field string
		wrong       any
	}{
		{"/user", "login", nil},
		{"/repos/acme/gitops", "default_branch", nil},
		{"/repos/acme/gitops", "private", "no"},
		{"/repos/acme/gitops/branches/main", "commit", nil},
		{"/repos/acme/gitops/rules/branches/main", "type", "sometimes"},
		{"/repos/acme/gitops/rulesets", "enforcement", "sometimes"},
		{"/repos/acme/gitops/rulesets/1", "name", nil},
		{"/repos/acme/gitops/hooks/1/config", "url", 7},
		{"/repos/acme/gitops/collaborators/bot/permission", "role_name", nil},
		{"/repos/acme/gitops/pulls", "head", nil},
		{"/repos/acme/gitops/pulls/1", "mergeable_state", nil},
		{"/repos/acme/gitops/pulls/1", "state", "merged"},
		{"/repos/acme/gitops/pulls/1/files", "status", "touched"},
		{"/repos/acme/gitops/pulls/1/commits", "parents", nil},
		{"/repos/acme/gitops/pulls/1/reviews", "commit_id", nil},
		{"/repos/acme/gitops/pulls/1/reviews/1", "state", nil},
		{"/repos/acme/gitops/pulls/1/comments", "path", nil},
		{"/repos/acme/gitops/pulls/comments/1", "line", "2"},
		{"/repos/acme/gitops/pulls/comments/1/reactions", "content", "applause"},
		{"/repos/acme/gitops/issues/1", "labels", nil},
		{"/repos/acme/gitops/issues/1/labels", "color", nil},
		{"/repos/acme/gitops/issues/1/comments", "issue_url", nil},
		{"/repos/acme/gitops/issues/1/reactions", "content", "applause"},
		{"/repos/acme/gitops/commits/lockkeeper/web/status", "total_count", "1"},
		{"/repos/acme/gitops/commits/lockkeeper/web/statuses", "context", nil},
		{"/repos/acme/gitops/commits/lockkeeper/web/check-runs", "total_count", nil},
		{"/repos/acme/gitops/deployments", "task", nil},
		{"/repos/acme/gitops/deployments/1/statuses", "state", "fine"},
		{"/repos/acme/gitops/environments", "total_count", "1"},
		{"/repos/acme/gitops/hooks", "config", nil},
		{"/repos/acme/gitops/hooks/1/deliveries", "guid", nil},
		{"/rate_limit", "rate", nil},
		{"/meta", "verifiable_password_authentication", nil},
	} {
		t.Run(strings.TrimPrefix(tt.path, "/repos/acme/gitops")+" "+tt.field, func(t *testing.T) {
			ask := func(served http.Handler) []error {
				var broken []error
				request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v3"+tt.path, nil)
				request.Header.Set("Authorization", "Bearer admin-token")
				official.Handler(served, func(err error) { broken = append(broken, err) }).ServeHTTP(httptest.NewRecorder(), request)
				return broken
			}
			if broken := ask(h.Handler()); len(broken) > 0 {
				t.Errorf("as it is: %v", broken)
			}
			if broken := ask(without(h.Handler(), tt.field, tt.wrong)); len(broken) == 0 {
				t.Error("the description does not notice it")
			}
		})
	}
}
