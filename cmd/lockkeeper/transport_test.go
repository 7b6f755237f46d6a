package main

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// wire is the way from the loop to the forge. It counts requests, and lets a test act just before one is sent.
type wire struct {
	mu      sync.Mutex
	sent    []string
	before  func(*http.Request)
	replace func(*http.Request) *http.Response // nil from it: the real answer
}

// RoundTrip implements [http.RoundTripper].
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.sent = append(w.sent, r.Method+" "+r.URL.RequestURI())
	before, replace := w.before, w.replace
	w.mu.Unlock()
	if before != nil {
		before(r)
	}
	if replace != nil {
		if answer := replace(r); answer != nil {
			return answer, nil
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// once lets act happen just before the first request that matches.
func (w *wire) once(match func(*http.Request) bool, act func()) {
	var once sync.Once
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before = func(r *http.Request) {
		if match(r) {
			once.Do(act)
		}
	}
}

// answer gives an answer of its own to every request that matches.
func (w *wire) answer(match func(*http.Request) bool, status int, body string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.replace = func(r *http.Request) *http.Response {
		if !match(r) {
			return nil
		}
		return answer(r, status, body)
	}
}

func answer(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), ProtoMajor: 1, ProtoMinor: 1,
	}
}

// reset forgets what was sent, and what was to happen.
func (w *wire) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent, w.before, w.replace = nil, nil, nil
}

// requests returns what was sent to the API, and what was sent as Git.
func (w *wire) requests() (api, git []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.sent {
		if strings.Contains(line, "/api/") {
			api = append(api, line)
		} else {
			git = append(git, line)
		}
	}
	return api, git
}

// The requests that tests wait for, let fail, or act before.

func sends(method, suffix string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, suffix) }
}

func pushes(r *http.Request) bool { return sends(http.MethodPost, "/git-receive-pack")(r) }

func posts(part string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == http.MethodPost && strings.Contains(r.URL.Path, part) }
}

// spy shows every request that the forge receives to look, before it is acted on. look must not call the forge.
func (w *world) spy(look func(*http.Request)) {
	w.forge.Fault(func(r *http.Request) bool {
		look(r)
		return false
	}, devforge.Hang())
}
