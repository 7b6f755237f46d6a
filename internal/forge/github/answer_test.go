package github

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/promote"
)

// A fixture is one exchange with a real GitHub, recorded for Octokit.
type fixture struct {
	Method   string          `json:"method"`
	Path     string          `json:"path"`
	Status   int             `json:"status"`
	Response json.RawMessage `json:"response"`
	Headers  map[string]any  `json:"headers"`
}

func fixtures(t *testing.T, name string) []fixture {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(recordedDir(t), "octokit-fixtures", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []fixture
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// replayFixture answers every request with one body.
func replayFixture(t *testing.T, status int, body []byte) *Forge {
	t.Helper()
	running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		if _, err := w.Write(body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(running.Close)
	f, err := New(Config{URL: running.URL, Repository: "octokit-fixture-org/hello-world", Token: testToken})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRecordedStatuses(t *testing.T) {
	for _, recorded := range fixtures(t, "create-status") {
		if !strings.HasSuffix(recorded.Path, "/statuses") || recorded.Method != "get" {
			continue
		}
		f := replayFixture(t, recorded.Status, recorded.Response)
		for name, want := range map[string]promote.StatusState{"example/1": promote.StatusFailed, "Example/2": promote.StatusSuccess} {
			newest, found, err := f.newestStatus(t.Context(), head, name)
			if err != nil || !found || newest.Creator.Login != "octokit-fixture-user-a" || newest.status().State != want {
				t.Errorf("%s: got %+v, %t, %v", name, newest, found, err)
			}
		}
	}
}

func TestRecordedRefusal(t *testing.T) {
	recorded := fixtures(t, "errors")[0]
	f := replayFixture(t, recorded.Status, recorded.Response)
	err := f.Update(t.Context(), 7, promote.ChangeEdit{})
	want := "github: update change 7: HTTP 422: Validation Failed: Label color invalid"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// TestRecordedPages: the links of a real GitHub lead to the numeric ID of the repository.
func TestRecordedPages(t *testing.T) {
	all := fixtures(t, "paginate-issues")
	asked := 0
	running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/api/v3/repos/o/r/issues") {
			t.Errorf("asked %s", r.URL)
		}
		recorded := all[asked]
		asked++
		if link, ok := recorded.Headers["link"].(string); ok {
			w.Header().Set("Link", link)
		}
		if _, err := w.Write(recorded.Response); err != nil {
			t.Error(err)
		}
	}))
	defer running.Close()
	f, err := New(Config{URL: running.URL, Repository: "o/r", Token: testToken})
	if err != nil {
		t.Fatal(err)
	}
	got, err := list[comment](t.Context(), f.caller, request{name: "list", path: f.base + "/issues"})
	if err != nil || len(got) != 13 || asked != 5 {
		t.Errorf("got %d by %d requests, %v", len(got), asked, err)
	}
}

func TestRecordedRepositoryAndChange(t *testing.T) {
	for _, recorded := range fixtures(t, "get-repository") {
		var repository struct {
			DefaultBranch string `json:"default_branch"`
		}
		f := replayFixture(t, recorded.Status, recorded.Response)
		if _, err := f.get(t.Context(), request{name: "read repository", path: f.base}, &repository); err != nil || repository.DefaultBranch == "" {
			t.Errorf("got %+v, %v", repository, err)
		}
	}
	data, err := os.ReadFile(filepath.Join(recordedDir(t), "pull-request.json"))
	if err != nil {
		t.Fatal(err)
	}
	f := replayFixture(t, http.StatusOK, []byte("["+string(data)+"]"))
	got, err := f.ChangesFrom(t.Context(), "new-topic")
	if err != nil || len(got) != 1 || got[0].Number == 0 || got[0].Branch == "" || got[0].Head == "" || got[0].Author == "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestEveryRecordedAnswerIsRead: whatever a real GitHub said, as the answer to whatever is asked, ends in a value or an error.
func TestEveryRecordedAnswerIsRead(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(recordedDir(t), "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		askEverything(t, replayFixture(t, http.StatusOK, data))
	}
}
