package main

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// rough is a way to the forge on which things go wrong: on each route, one after the other, as often as it is taken. It also says
// which routes there are.
type rough struct {
	next   http.RoundTripper
	mishap func(route string) []mishap // nil: all goes well

	mu    sync.Mutex
	taken map[string]int // how often
}

// A mishap is one thing that goes wrong with a request.
type mishap struct {
	name   string
	befall func(*http.Request, http.RoundTripper) (*http.Response, error)
}

// refusal answers without the forge having heard of it.
func refusal(status int, contentType, body string) mishap {
	return mishap{http.StatusText(status), func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
		refused := answer(r, status, body)
		refused.Header.Set("Content-Type", contentType)
		if status == http.StatusTooManyRequests {
			refused.Header.Set("Retry-After", "1")
		}
		return refused, nil
	}}
}

var (
	broken   = refusal(http.StatusInternalServerError, "application/json", `{"message":"500 Internal Server Error"}`)
	gateway  = refusal(http.StatusBadGateway, "text/html", "<html><head><title>502 Bad Gateway</title></head></html>")
	tooMany  = refusal(http.StatusTooManyRequests, "text/plain", "Retry later\n")
	timedOut = mishap{"no answer in time", func(*http.Request, http.RoundTripper) (*http.Response, error) {
		return nil, os.ErrDeadlineExceeded
	}}
	lostAnswer = mishap{"the answer is lost after the effect", func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err == nil {
			err = response.Body.Close()
		}
		if err != nil {
			return nil, err
		}
		return nil, io.ErrUnexpectedEOF
	}}
	halfAnswer = mishap{"half an answer after the effect", func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		whole, err := io.ReadAll(response.Body)
		if err != nil {
			return nil, err
		}
		response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), cutOff{}))
		return response, response.Body.Close()
	}}
)

// cutOff is the place where a connection broke.
type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// everyMishap is all that befalls a route. Reads are asked again at once, so that a failure lasts long enough to be seen; only of a
// write it matters whether it had its effect.
func everyMishap(route string) []mishap {
	if writes(route) {
		return []mishap{broken, lostAnswer, timedOut, halfAnswer, gateway, tooMany}
	}
	return append(slices.Repeat([]mishap{broken}, 4), timedOut, gateway, tooMany)
}

// RoundTrip implements [http.RoundTripper].
func (w *rough) RoundTrip(r *http.Request) (*http.Response, error) {
	route, err := routeOf(r)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	turn := w.taken[route]
	w.taken[route]++
	w.mu.Unlock()
	if w.mishap != nil {
		if all := w.mishap(route); turn < len(all) {
			return all[turn].befall(r, w.next)
		}
	}
	return w.next.RoundTrip(r)
}

func (w *rough) routes() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.taken)
}

var (
	graphName = regexp.MustCompile(`(query|mutation) (\w+)`)
	pathID    = regexp.MustCompile(`/([0-9]+|[0-9a-f]{40})(/|$)`)
)

// routeOf names what a request asks for, whatever numbers and commits are in it.
func routeOf(r *http.Request) (string, error) {
	path := r.URL.EscapedPath()
	for pathID.MatchString(path) {
		path = pathID.ReplaceAllString(path, "/…$2")
	}
	for _, repository := range []string{"/api/v4/projects/" + url.PathEscape(worldProject), "/api/v3/repos/" + worldProject} {
		path = strings.Replace(path, repository, "…", 1)
	}
	route := r.Method + " " + path
	switch {
	case strings.HasSuffix(path, "/info/refs"):
		route += " " + r.URL.Query().Get("service")
	case strings.HasSuffix(path, "/graphql"):
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return "", err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		route += " " + graphName.FindString(string(body))
	}
	return route, nil
}

func writes(route string) bool {
	switch {
	case strings.Contains(route, "/graphql"):
		return strings.Contains(route, "mutation")
	case strings.HasSuffix(route, "/git-upload-pack"):
		return false
	}
	return !strings.HasPrefix(route, http.MethodGet)
}
