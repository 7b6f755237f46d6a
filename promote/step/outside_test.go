package step

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

// alone is a promotion of steps that need no repository.
func alone(t *testing.T, world World, text string) Request {
	t.Helper()
	return Request{
		Promotion: promote.Promotion{
			ID: "dev.0001.abc", Stage: promote.StageRef{Project: "develop", Name: "dev"}, Number: 1, Actor: "auto-promotion",
			Freight: "f1f2f3f4", Steps: steps(t, text),
		},
		When: when, Now: when, World: world,
	}
}

// again is the request of a process that knows the record of the last run only, some time later.
func again(t *testing.T, request Request, result Result, later time.Duration) Request {
	t.Helper()
	data, err := json.Marshal(result.Results)
	if err != nil {
		t.Fatal(err)
	}
	var results []promote.StepResult
	if err := json.Unmarshal(data, &results); err != nil {
		t.Fatal(err)
	}
	request.Promotion.Results, request.Now = results, request.Now.Add(later)
	return request
}

// to finishes a promotion: it runs again as often as its steps ask for it.
func finish(t *testing.T, request Request) (last Result, runs int) {
	t.Helper()
	for runs = 1; runs <= 50; runs++ {
		last = run1(t, request)
		if last.Failed || last.Wait != promote.WaitsTime {
			return last, runs
		}
		request = again(t, request, last, last.Next)
	}
	t.Fatal("it never ends")
	return last, runs
}

func output(t *testing.T, result Result) string {
	t.Helper()
	if len(result.Results) == 0 {
		t.Fatal("no step has begun")
	}
	return string(result.Results[len(result.Results)-1].Output)
}

// site answers HTTP requests in order; the last answer is repeated.
type site struct {
	*httptest.Server
	mu      sync.Mutex
	answers []reply
	got     []asked
}

type reply struct {
	status int
	kind   string // content type; empty: JSON
	body   string
}

type asked struct{ Method, URI, Body, Token string }

func newSite(t *testing.T, answers ...reply) *site {
	t.Helper()
	s := &site{answers: answers}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, asked{r.Method, r.URL.RequestURI(), string(body), r.Header.Get("Authorization")})
	next := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	if next.kind == "" {
		next.kind = "application/json"
	}
	w.Header().Set("Content-Type", next.kind)
	w.Header().Set("X-Trace", "t1")
	w.WriteHeader(next.status)
	_, _ = io.WriteString(w, next.body)
}

// web is a world with nothing but the network.
func web() World {
	return World{HTTP: func(HTTPOptions) *http.Client { return &http.Client{} }}
}

// fill writes the address of a site into the text of a task.
func fill(text string, s *site) string { return strings.ReplaceAll(text, "URL", s.URL) }
