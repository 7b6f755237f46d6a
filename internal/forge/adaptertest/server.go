// Package adaptertest holds what the tests of adapters of forges share.
package adaptertest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Now is the time at which a [Server] begins.
var Now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// Answer is one scripted answer.
type Answer struct {
	Status int // 0: the connection breaks without an answer
	Body   string
	Header map[string]string
}

// Received is one request as it arrived.
type Received struct {
	Route string // its name, with its query
	Body  string
	Token string // the header Authorization
}

// A Server answers from a script: each answer once, in order, by the name of the request. It has the clock of its test.
type Server struct {
	*Clock
	Script map[string][]Answer
	Got    []Received

	t    testing.TB
	name func(*http.Request, []byte) string
	mu   sync.Mutex
}

// NewServer returns a server with a script. The test fails when an answer of it was not asked for.
func NewServer(t testing.TB, name func(r *http.Request, body []byte) string, script map[string][]Answer) *Server {
	t.Helper()
	s := &Server{Clock: &Clock{At: Now}, Script: script, t: t, name: name}
	t.Cleanup(func() {
		for route, left := range s.Script {
			if len(left) > 0 {
				t.Errorf("%d answers to %s were not asked for", len(left), route)
			}
		}
	})
	return s
}

// Listen serves a handler until the test ends, and returns its URL.
func Listen(t testing.TB, handler http.Handler) string {
	t.Helper()
	running := httptest.NewServer(handler)
	t.Cleanup(running.Close)
	return running.URL
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	route := s.name(r, body)
	asked := Received{Route: route, Body: string(body), Token: r.Header.Get("Authorization")}
	if r.URL.RawQuery != "" {
		asked.Route += "?" + r.URL.RawQuery
	}
	s.Got = append(s.Got, asked)
	if len(s.Script[route]) == 0 {
		s.t.Errorf("unexpected request %s %s", asked.Route, asked.Body)
		http.Error(w, "unexpected", http.StatusTeapot)
		return
	}
	next := s.Script[route][0]
	s.Script[route] = s.Script[route][1:]
	w.Header().Set("Content-Type", "application/json")
	for name, value := range next.Header {
		w.Header().Set(name, value)
	}
	if next.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(next.Status)
	if next.Status == http.StatusNotModified {
		return
	}
	if _, err := io.WriteString(w, next.Body); err != nil {
		s.t.Error(err)
	}
}

// Routes are the names of the requests so far.
func (s *Server) Routes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, got := range s.Got {
		out = append(out, got.name())
	}
	return out
}

// Sent is the body of the newest request of a name.
func (s *Server) Sent(route string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, got := range slices.Backward(s.Got) {
		if got.name() == route {
			return strings.TrimSpace(got.Body)
		}
	}
	return ""
}

func (r Received) name() string {
	name, _, _ := strings.Cut(r.Route, "?")
	return name
}

// JSON writes a value.
func JSON(t testing.TB, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
