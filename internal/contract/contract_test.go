package contract_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
)

type exchange struct {
	method, target, body string
	status               int
	contentType          string
	answer               string
}

// violations sends one exchange through the middleware and returns what it reports.
func violations(t *testing.T, c *contract.Contract, e exchange) []error {
	t.Helper()
	var reported []error
	handler := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || string(body) != e.body {
			t.Errorf("the handler reads body %q, %v, want %q", body, err, e.body)
		}
		if e.contentType != "" {
			w.Header().Set("Content-Type", e.contentType)
		}
		w.WriteHeader(e.status)
		_, _ = w.Write([]byte(e.answer))
	}), func(err error) { reported = append(reported, err) })
	request := httptest.NewRequestWithContext(t.Context(), e.method, e.target, strings.NewReader(e.body))
	if e.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	if answer.Code != e.status || answer.Body.String() != e.answer {
		t.Errorf("the client gets %d %q, want %d %q", answer.Code, answer.Body, e.status, e.answer)
	}
	return reported
}

const jsonType = "application/json"

func TestHandlerReportsEachWayToBreakTheContract(t *testing.T) {
	petshop, err := contract.Load("testdata/petshop.json")
	if err != nil {
		t.Fatal(err)
	}
	const pet = `{"name":"Tom","kind":"cat"}`
	for _, test := range []struct {
		name string
		exchange
		want string // part of the only report; empty means none
	}{
		{"a proper exchange passes", exchange{"PUT", "/pets/1", pet, 200, jsonType, pet}, ""},
		{"nested objects pass", exchange{"PUT", "/pets/1", `{"name":"Tom","kind":"cat","parent":` + pet + `,"tag":{"id":1}}`, 200, jsonType, pet}, ""},
		{"an escaped slash stays in its segment", exchange{"GET", "/pets/a%2Fb", "", 200, jsonType, pet}, ""},
		{"a charset is part of the JSON type", exchange{"GET", "/pets/1", "", 200, "application/json; charset=utf-8", pet}, ""},
		{"a path parameter takes slashes where the description means them", exchange{"GET", "/files/a/b/c", "", 204, "", ""}, ""},
		{"a longer route wins over a parameter with slashes", exchange{"GET", "/files/a/b/owner", "", 200, jsonType, `{}`}, `answer 200 to GET /files/a/b/owner`},
		{"a request without a required field", exchange{"PUT", "/pets/1", `{"name":"Tom"}`, 200, jsonType, pet}, `"kind" is missing`},
		{"a request with a value outside of the enum", exchange{"PUT", "/pets/1", `{"name":"Tom","kind":"cow"}`, 200, jsonType, pet}, "not one of the allowed values"},
		{"a request with a field that nobody knows", exchange{"PUT", "/pets/1", `{"name":"Tom","kind":"cat","kindd":"dog"}`, 200, jsonType, pet}, `"kindd" is unsupported`},
		{"an unknown field deep inside a request", exchange{"PUT", "/pets/1", `{"name":"Tom","kind":"cat","parent":{"name":"T","kind":"cat","x":1}}`, 200, jsonType, pet}, `"x" is unsupported`},
		{"an unknown field inside an alternative", exchange{"PUT", "/pets/1", `{"name":"Tom","kind":"cat","tag":{"id":1,"x":1}}`, 200, jsonType, pet}, "anyOf"},
		{"a request with a wrong type", exchange{"PUT", "/pets/1", `{"name":7,"kind":"cat"}`, 200, jsonType, pet}, "must be a string"},
		{"a query outside of the enum", exchange{"GET", "/pets/1?view=huge", "", 200, jsonType, pet}, "not one of the allowed values"},
		{"a body where none belongs", exchange{"GET", "/pets/1", "{}", 200, jsonType, pet}, "the operation takes none"},
		{"an unknown path", exchange{"GET", "/cats/1", "", 404, jsonType, "{}"}, "no such operation"},
		{"an unknown method", exchange{"DELETE", "/pets/1", "", 404, jsonType, "{}"}, "no such operation"},
		{"too many segments", exchange{"GET", "/pets/a/b", "", 404, jsonType, "{}"}, "no such operation"},
		{"an answer without a required field", exchange{"GET", "/pets/1", "", 200, jsonType, `{"name":"Tom"}`}, `"kind" is missing`},
		{"an answer may say more than the description", exchange{"GET", "/pets/1", "", 200, jsonType, `{"name":"Tom","kind":"cat","age":3}`}, ""},
		{"an answer of the wrong type", exchange{"GET", "/pets/1", "", 200, "text/plain", pet}, "Content-Type"},
		{"an answer that is not JSON", exchange{"GET", "/pets/1", "", 200, jsonType, "<html>"}, "answer 200"},
		{"a success that the operation does not give", exchange{"GET", "/pets/1", "", 201, jsonType, pet}, "status is not supported"},
		{"an error body without its field", exchange{"GET", "/pets/1", "", 422, jsonType, `{}`}, `"message" is missing`},
		{"an error that this operation does not give", exchange{"GET", "/pets/1", "", 409, jsonType, `{}`}, "status is not supported"},
		{"anybody may be forbidden", exchange{"GET", "/pets/1", "", 403, jsonType, `{}`}, ""},
		{"a proxy answers for itself", exchange{"GET", "/pets/1", "", 502, "text/html", "<html>"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			reported := violations(t, petshop, test.exchange)
			if test.want == "" {
				if len(reported) > 0 {
					t.Fatalf("reported %v, want nothing", reported)
				}
				return
			}
			if len(reported) != 1 || !strings.Contains(reported[0].Error(), test.want) {
				t.Fatalf("reported %v, want one violation with %q", reported, test.want)
			}
			if unknown := errors.Is(reported[0], contract.ErrUnknownRoute); unknown != (test.want == "no such operation") {
				t.Errorf("ErrUnknownRoute: %v for %v", unknown, reported[0])
			}
		})
	}
}

// TestAnAnswerBreaksOffWhereTheServerLeavesIt: what was flushed has gone out when the connection breaks.
func TestAnAnswerBreaksOffWhereTheServerLeavesIt(t *testing.T) {
	petshop, err := contract.Load("testdata/petshop.json")
	if err != nil {
		t.Fatal(err)
	}
	running := httptest.NewServer(petshop.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half of "))
		w.(http.Flusher).Flush()
		_, _ = w.Write([]byte("it"))
		panic(http.ErrAbortHandler)
	}), func(err error) { t.Error(err) }))
	defer running.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, running.URL+"/pets/1", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if body, err := io.ReadAll(answer.Body); string(body) != "half of " || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestUnderServesTheAPIBelowAPrefix(t *testing.T) {
	petshop, err := contract.Load("testdata/petshop.json")
	if err != nil {
		t.Fatal(err)
	}
	below := petshop.Under("/api/v3/")
	const pet = `{"name":"Tom","kind":"cat"}`
	if reported := violations(t, below, exchange{"GET", "/api/v3/pets/a%2Fb", "", 200, jsonType, pet}); len(reported) > 0 {
		t.Errorf("below the prefix: %v", reported)
	}
	if reported := violations(t, below, exchange{"GET", "/pets/1", "", 200, jsonType, pet}); len(reported) != 1 {
		t.Errorf("outside of the prefix: %v, want one violation", reported)
	}
}

func TestLoadExplainsWhatItCannotRead(t *testing.T) {
	if _, err := contract.Load("testdata/nothing.json"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := contract.Parse("x.json", []byte("{")); err == nil || !strings.Contains(err.Error(), `"x.json"`) {
		t.Errorf("a broken file: %v", err)
	}
}

func TestDirFollowsTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(contract.EnvDir, dir)
	if got, err := contract.Dir(); got != dir || err != nil {
		t.Errorf("Dir() = %q, %v, want %q", got, err, dir)
	}
	t.Setenv(contract.EnvDir, filepath.Join(dir, "gone"))
	if _, err := contract.Dir(); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), contract.EnvDir) {
		t.Errorf("a missing directory: %v", err)
	}
}

func TestOfficialGitLab(t *testing.T) {
	gitlab := contracttest.Open(t, contract.GitLab)
	if gitlab.Operations() < 190 {
		t.Errorf("it has %d operations", gitlab.Operations())
	}
	const merge = `{"sha":"0123456789012345678901234567890123456789"}`
	for name, e := range map[string]exchange{
		"misspelt":  {"PUT", "/api/v4/projects/group%2Fproject/merge_requests/1/merge", `{"shaa":"0"}`, 404, jsonType, `{}`},
		"unescaped": {"PUT", "/api/v4/projects/group/project/merge_requests/1/merge", merge, 404, jsonType, `{}`},
		"wrong":     {"GET", "/api/v4/projects/1/merge_requests/one", "", 404, jsonType, `{}`},
	} {
		if reported := violations(t, gitlab, e); len(reported) != 1 {
			t.Errorf("%s: %v, want one violation", name, reported)
		}
	}
	proper := exchange{"PUT", "/api/v4/projects/group%2Fproject/merge_requests/1/merge", merge, 404, jsonType, `{}`}
	if reported := violations(t, gitlab, proper); len(reported) > 0 {
		t.Errorf("proper: %v", reported)
	}
}

func TestOfficialGitHub(t *testing.T) {
	github := contracttest.Open(t, contract.GitHub).Under("/api/v3")
	if github.Operations() < 190 {
		t.Errorf("it has %d operations", github.Operations())
	}
	const check = `"name":"gates","head_sha":"0123456789012345678901234567890123456789"`
	for _, test := range []struct {
		name, method, path, body string
		violations               int
	}{
		{"labels as an object", "POST", "/repos/o/r/issues/1/labels", `{"labels":["a"]}`, 0},
		{"labels as a bare list", "POST", "/repos/o/r/issues/1/labels", `["a"]`, 0},
		{"labels as text", "POST", "/repos/o/r/issues/1/labels", `"a"`, 1},
		{"a check run that is completed says how", "POST", "/repos/o/r/check-runs", `{` + check + `,"status":"completed"}`, 1},
		{"a concluded check run", "POST", "/repos/o/r/check-runs", `{` + check + `,"status":"completed","conclusion":"success"}`, 0},
		{"a check run in progress", "POST", "/repos/o/r/check-runs", `{` + check + `,"status":"in_progress"}`, 0},
		{"a check run with a misspelt field", "POST", "/repos/o/r/check-runs", `{` + check + `,"stattus":"queued"}`, 1},
		{"a merge method that GitHub has not", "PUT", "/repos/o/r/pulls/1/merge", `{"merge_method":"ff"}`, 1},
		{"a change without its base", "POST", "/repos/o/r/pulls", `{"head":"a","title":"t"}`, 1},
		{"a branch with slashes", "GET", "/repos/o/r/git/ref/heads/a/b", "", 0},
		{"the status of a branch with slashes", "GET", "/repos/o/r/commits/a/b/status", "", 0},
		{"an unknown route", "GET", "/repos/o/r/promotions", "", 1},
	} {
		reported := violations(t, github, exchange{test.method, "/api/v3" + test.path, test.body, 503, "text/html", ""})
		if len(reported) != test.violations {
			t.Errorf("%s: %v, want %d violations", test.name, reported, test.violations)
		}
	}
}

func TestOfficialArgoCD(t *testing.T) {
	argocd := contracttest.Open(t, contract.ArgoCD)
	if argocd.Operations() < 30 {
		t.Errorf("it has %d operations", argocd.Operations())
	}
	const path = "/api/v1/applications/dev/sync"
	for _, test := range []struct {
		name       string
		exchange   exchange
		violations int
	}{
		{"a sync", exchange{"POST", path, `{"revision":"a","infos":[{"name":"n","value":"v"}]}`, 200, jsonType, `{}`}, 0},
		{"positions are strings", exchange{"POST", path, `{"revisions":["a"],"sourcePositions":["1"]}`, 200, jsonType, `{}`}, 0},
		{"positions as numbers", exchange{"POST", path, `{"revisions":["a"],"sourcePositions":[1]}`, 200, jsonType, `{}`}, 1},
		{"a misspelt field", exchange{"POST", path, `{"revison":"a"}`, 200, jsonType, `{}`}, 1},
		{"an error", exchange{"POST", path, `{}`, 400, jsonType, `{"error":"e","code":9,"message":"e"}`}, 0},
		{"an error of another shape", exchange{"POST", path, `{}`, 400, jsonType, `{"error":{}}`}, 1},
		{"a filter before the API", exchange{"POST", path, `{}`, 415, "text/plain", `Invalid content type`}, 0},
		{"a permission on a path", exchange{"GET", "/api/v1/account/can-i/applications/sync/develop/dev", "", 200, jsonType, `{"value":"yes"}`}, 0},
		{"a health that is no text", exchange{"GET", "/api/v1/applications/dev", "", 200, jsonType, `{"status":{"health":{"status":1}}}`}, 1},
	} {
		if reported := violations(t, argocd, test.exchange); len(reported) != test.violations {
			t.Errorf("%s: %v, want %d violations", test.name, reported, test.violations)
		}
	}
}
