package devforge

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhatGitHubLetsAnAccountDo(t *testing.T) {
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name                   string
		graph, writes, creates bool
		every                  time.Duration
		want                   int
		excess                 excess
	}{
		{name: "reads over REST", want: 900, excess: excess{429, time.Minute}},
		{name: "queries", graph: true, want: 2000, excess: excess{429, time.Minute}},
		{name: "writes over REST that create nothing", writes: true, want: 180, excess: excess{429, time.Minute}},
		{name: "writes over REST", writes: true, creates: true, want: 80, excess: excess{403, time.Minute}},
		{name: "mutations", graph: true, writes: true, creates: true, want: 80, excess: excess{403, time.Minute}},
		{name: "slow writes", writes: true, creates: true, every: time.Second, want: 500, excess: excess{403, time.Hour}},
		{name: "slow reads", every: 100 * time.Millisecond, want: 1000},
	} {
		t.Run(test.name, func(t *testing.T) {
			used, now, sent := &usage{}, start, 0
			var over *excess
			for over == nil && sent < test.want+1 {
				if over = used.spend(now, test.graph, test.writes, test.creates); over == nil {
					sent++
				}
				now = now.Add(test.every)
			}
			if test.excess == (excess{}) {
				if over != nil {
					t.Errorf("refused after %d: %+v", sent, *over)
				}
				return
			}
			if over == nil || *over != test.excess || sent != test.want {
				t.Fatalf("%d, then %+v", sent, over)
			}
			if over := used.spend(now.Add(over.wait), test.graph, test.writes, test.creates); over != nil {
				t.Errorf("after the wait: %+v", *over)
			}
		})
	}
}

func TestSecondaryLimitsAreSaidAsGitHubDoes(t *testing.T) {
	f, err := New(Config{Root: t.TempDir(), URL: "http://forge.test", Dialect: GitHub, SecondaryLimits: true})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.CreateUser("bot", "bot-token")
	ask := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, "http://forge.test"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer bot-token")
		w := httptest.NewRecorder()
		f.Handler().ServeHTTP(w, r)
		return w
	}
	read := func() *httptest.ResponseRecorder { return ask(http.MethodGet, gitHubPrefix+"/user", "") }
	for range limitRESTPoints {
		if w := read(); w.Code != http.StatusOK {
			t.Fatal(w.Code, w.Body)
		}
	}
	w := read()
	got := fmt.Sprintln(w.Code, w.Header().Get("Retry-After"), strings.Contains(w.Body.String(), "secondary rate limit"))
	if diff := cmp.Diff("429 60 true\n", got); diff != "" {
		t.Error(diff)
	}
	if w := ask(http.MethodPost, "/api/graphql", `{"query":"query { viewer { login } }"}`); w.Code != http.StatusOK {
		t.Errorf("the other API: %d %s", w.Code, w.Body)
	}
	for range limitConcurrent {
		f.crowd.add("Bearer bot-token", 1)
	}
	if w := read(); w.Code != http.StatusForbidden || w.Header().Get("Retry-After") != "60" {
		t.Errorf("one too many at once: %d %s", w.Code, w.Body)
	}
}
