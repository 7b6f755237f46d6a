package github

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// A canned transport answers everything with one answer, without a network.
type canned struct {
	status int
	body   []byte
	header http.Header
}

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	header := c.header.Clone()
	header.Set("Content-Type", "application/json")
	return &http.Response{
		Status: http.StatusText(c.status), StatusCode: c.status, Header: header, Body: io.NopCloser(bytes.NewReader(c.body)), Request: r, ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// quick asks everything of a GitHub that answers everything with one answer.
func quick(t *testing.T, answer canned) *Forge {
	t.Helper()
	f, err := New(Config{
		URL: "https://github.com", Repository: "acme/shop", Token: testToken, Checks: len(answer.body)%2 == 0,
		HTTPClient: &http.Client{Transport: answer}, Now: func() time.Time { return testNow },
		Sleep: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// FuzzAnswers lets GitHub answer anything to everything that only asks: there is a value or an error, and never a panic.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`[{"number":7,"head":{"repo":null},"labels":[{"name":"x"}],"user":null,"merged_at":"2026-11-21T11:00:00Z"}]`))
	f.Add([]byte(`{"data":{"repository":{"pullRequest":{"number":7,"author":null,"labels":{"nodes":[null]},"timelineItems":{"nodes":[null]}},"pullRequests":{"pageInfo":{"hasNextPage":true,"endCursor":"x"},"nodes":[null]}}}}`))
	f.Add([]byte(`{"data":{"repository":null},"errors":[{"type":"NOT_FOUND"},null]}`))
	f.Add([]byte(`{"data":{"repository":{"pullRequest":{"baseRef":null,"commits":{"nodes":[null]}}}}}`))
	f.Add([]byte(`{"check_runs":[{"id":1,"output":null,"app":null}],"permission":"admin","user":null,"state":"active"}`))
	f.Add([]byte(`[{"type":"required_status_checks","parameters":null},{"id":1,"payload":"{"}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		f := quick(t, canned{status: http.StatusOK, body: body, header: http.Header{}})
		askEverything(t, f)
		if found, err := f.requirements(t.Context(), 7); err == nil {
			_ = found.String()
		}
	})
}

// FuzzRefusals lets GitHub refuse in any way: the error is typed, bounded, on one line, and does not show the token.
func FuzzRefusals(f *testing.F) {
	f.Add(403, []byte(`{"message":"secondary rate limit","errors":[{"field":"x"},"y",7]}`), "37", "0", "1700000000")
	f.Add(422, []byte(`{"message":"Validation Failed","errors":"no"}`), "", "", "")
	f.Add(429, []byte(testToken), "-1", "x", "99999999999999999999")
	f.Add(502, []byte("\xff\xfe<html>"), "Wed, 21 Oct 2099 07:28:00 GMT", "", "")
	f.Fuzz(func(t *testing.T, status int, body []byte, after, remaining, reset string) {
		if status < 300 || status > 599 || status == http.StatusNotModified {
			return
		}
		header := http.Header{"Retry-After": {after}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {reset}}
		err := quick(t, canned{status: status, body: body, header: header}).Update(t.Context(), 7, promote.ChangeEdit{})
		api, ok := errors.AsType[*promote.APIError](err)
		if !ok {
			t.Fatalf("got %T %v", err, err)
		}
		if api.RetryAfter < 0 || len(api.Message) > forge.MaxMessage || strings.ContainsAny(api.Message, "\r\n") || !utf8.ValidString(api.Message) {
			t.Errorf("got %+v", api)
		}
		if strings.Contains(err.Error(), testToken) {
			t.Errorf("the error shows the token: %v", err)
		}
		if errors.Is(err, promote.ErrLimited) && api.RetryAfter == 0 && status != http.StatusTooManyRequests && after == "" {
			t.Errorf("a limit without an end: %v", err)
		}
	})
}

func FuzzEndpoint(f *testing.F) {
	f.Add("https://github.com")
	f.Add("https://ghe.example.com/x/api/v3")
	f.Add("http://[::1]:80/%2f")
	f.Fuzz(func(t *testing.T, text string) {
		found, err := parseEndpoint(text)
		if err != nil {
			return
		}
		if !strings.HasSuffix(found.rest.Path, "/") || found.rest.Host == "" || found.rest.User != nil {
			t.Errorf("%q: %s", text, found.rest)
		}
	})
}
