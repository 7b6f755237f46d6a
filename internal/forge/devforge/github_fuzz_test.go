package devforge_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// fuzzed is a forge with a repository that anybody of the fuzzer's choice may talk to.
func fuzzed(f *testing.F) http.Handler {
	f.Helper()
	forge, err := devforge.New(devforge.Config{Root: f.TempDir(), Dialect: devforge.GitHub})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(forge.Close)
	forge.CreateUser("bot", "bot-token")
	if _, err := forge.CreateProject(repoPath, "main", seed); err != nil {
		f.Fatal(err)
	}
	if err := forge.AddMember(repoPath, "bot", devforge.AccessOwner); err != nil {
		f.Fatal(err)
	}
	return forge.Handler()
}

// A query of any text is answered with 200 and data or errors, and nothing else.
func FuzzGitHubGraphQL(f *testing.F) {
	handler := fuzzed(f)
	for _, seed := range []string{
		`{ viewer { login } }`, `query($n: Int = 1) { repository(owner: "acme", name: "gitops") { pullRequest(number: $n) { title } } }`,
		`{ ...a } fragment a on Query { ...a }`, `{ ...a } fragment a on Query { ...a ...a }`, `{ repository(owner: "acme", name: "gitops") { pullRequests(first: -1, after: "Y3Vyc29yOi05") { nodes { id } } } }`,
		enableAuto, enqueue, `mutation { minimizeComment(input: {subjectId: "IC_MQ", classifier: SPAM}) { clientMutationId } }`, `{ node(id: "PR_MQ") { id } }`, `{`, ``,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		body, err := json.Marshal(map[string]any{"query": query})
		if err != nil {
			t.Skip("the text is no JSON")
		}
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/graphql", strings.NewReader(string(body)))
		request.Header.Set("Authorization", "Bearer bot-token")
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		var got graphAnswer
		if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil || answer.Code != http.StatusOK || got.Data == nil && got.Errors == nil {
			t.Errorf("%q answers %d %s", query, answer.Code, answer.Body)
		}
	})
}

// A request of any kind is answered, and never with 500.
func FuzzGitHubREST(f *testing.F) {
	handler := fuzzed(f)
	for _, seed := range [][3]string{
		{"GET", "pulls?state=all&page=-1&per_page=x", ""},
		{"POST", "pulls", `{"title":"t","head":"main","base":"main"}`},
		{"PATCH", "issues/1", `{"labels":[{}],"state":null}`},
		{"GET", "commits/main/status", ""},
		{"GET", "branches/a/b/protection", ""},
		{"PUT", "branches/main/protection", `{"required_status_checks":{"checks":[{}]}}`},
		{"POST", "rulesets", `{"rules":[{"type":"pull_request","parameters":[]}]}`},
		{"POST", "hooks", `{"config":{"url":"http://127.0.0.1:1/"},"events":["*"],"active":false}`},
		{"GET", "hooks/1/deliveries?cursor=-1", ""},
		{"POST", "deployments", `{"ref":"main","payload":7}`},
		{"POST", "statuses/x", `{"state":[]}`},
		{"POST", "check-runs", `{"output":{}}`},
		{"GET", "%2e%2e/%00", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, path, body string) {
		request, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+repoAPI+"/"+path, strings.NewReader(body))
		if err != nil {
			t.Skip("no request can be made of it")
		}
		request.Header.Set("Authorization", "Bearer bot-token")
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code >= http.StatusInternalServerError {
			t.Errorf("%s %s %s answers %d %s", method, path, body, answer.Code, answer.Body)
		}
	})
}
