package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/promote"
)

func TestRefusalsByStatus(t *testing.T) {
	const (
		role     = "the token's user needs the role Developer in the project, and Maintainer where the branch is protected"
		notThere = `check that project "group/project" exists and that the token's user may see it`
		theirs   = "GitLab has a problem of its own; it is tried again later"
	)
	for _, test := range []struct {
		name      string
		answer    answer
		is        error
		message   string
		remedy    string
		after     time.Duration
		temporary bool
	}{
		{"400 with messages by field", answer{Status: 400, Body: `{"message":{"title":["is too long","is bad"],"base":"no"}}`}, promote.ErrInvalid, "base no; title is too long, is bad", "", 0, false},
		{
			"401 with the reason",
			answer{Status: 401, Body: `{"error":"invalid_token","error_description":"Token is expired."}`},
			promote.ErrUnauthorized,
			"invalid_token: Token is expired.", "the token is wrong, revoked or has expired: set LOCKKEEPER_GITLAB_TOKEN to a valid one with scope api", 0, false,
		},
		{
			"302 to a place that cannot be told in a line",
			answer{Status: 302, Header: map[string]string{"Location": "https://x/?private_token=" + testToken + strings.Repeat("x", 1000)}},
			nil, "Found", `GitLab redirects to "https://x/?private_token=[redacted]` + strings.Repeat("x", 462) + `…": configure the project's new path, and the URL with https`, 0, false,
		},
		{"403 of the role", answer{Status: 403, Body: `{"message":"403 Forbidden"}`}, promote.ErrForbidden, "403 Forbidden", role, 0, false},
		{
			"403 of the scope",
			answer{Status: 403, Body: `{"error":"insufficient_scope","error_description":"needs api"}`},
			promote.ErrForbidden,
			"insufficient_scope: needs api", "the token lacks the scope api: create a new one and set LOCKKEEPER_GITLAB_TOKEN", 0, false,
		},
		{"404", answer{Status: 404, Body: `{"message":"404 Project Not Found"}`}, promote.ErrNotFound, "404 Project Not Found", notThere, 0, false},
		{"409", answer{Status: 409, Body: `{"message":"409 Conflict"}`}, promote.ErrConflict, "409 Conflict", "", 0, true},
		{"422", answer{Status: 422, Body: `{"error":"title is missing"}`}, promote.ErrInvalid, "title is missing", "", 0, false},
		{
			"429 with seconds",
			answer{Status: 429, Body: "Retry later\n", Header: map[string]string{"Retry-After": "37", "Content-Type": "text/plain"}},
			promote.ErrLimited, "Retry later", "GitLab limits the requests of this token; it is tried again later", 37 * time.Second, true,
		},
		{
			"429 with the end of the window",
			answer{Status: 429, Header: map[string]string{"RateLimit-Reset": fmt.Sprint(testNow.Unix() + 20)}},
			promote.ErrLimited, "Too Many Requests", "GitLab limits the requests of this token; it is tried again later", 20 * time.Second, true,
		},
		{"500", answer{Status: 500, Body: `{"message":"500 Internal Server Error"}`}, nil, "500 Internal Server Error", theirs, 0, true},
		{"502 of a proxy, whose page is not shown", answer{Status: 502, Body: "<html><body>nginx", Header: map[string]string{"Content-Type": "text/html"}}, nil, "Bad Gateway", theirs, 0, true},
		{
			"503 until a date",
			answer{Status: 503, Header: map[string]string{"Retry-After": testNow.Add(time.Minute).Format(http.TimeFormat)}},
			nil, "Service Unavailable", theirs, time.Minute, true,
		},
		{
			"an answer that repeats the token",
			answer{Status: 400, Body: `{"message":"bad token ` + testToken + `"}`},
			promote.ErrInvalid,
			"bad token [redacted]", "", 0, false,
		},
		{
			"an endless answer",
			answer{Status: 400, Body: strings.Repeat("é", 40_000), Header: map[string]string{"Content-Type": "text/plain"}},
			promote.ErrInvalid,
			strings.Repeat("é", 248) + "…", "", 0, false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, map[string][]answer{"PUT " + project + "/merge_requests/7": {test.answer}})
			err := f.Update(t.Context(), 7, promote.ChangeEdit{Title: "x"})
			want := promote.APIError{
				Service: "gitlab", Operation: "update change 7", Status: test.answer.Status, Message: test.message, Remedy: test.remedy, RetryAfter: test.after,
			}
			adaptertest.Refused(t, want, test.is, err, testToken)
			if want.Temporary() != test.temporary {
				t.Errorf("temporary is %t", want.Temporary())
			}
			if len(s.Got) != 1 {
				t.Errorf("a write was sent %d times", len(s.Got))
			}
		})
	}
}

func TestReadsAreRepeatedBoundedly(t *testing.T) {
	adaptertest.RereadsBoundedly(t, func(t *testing.T, answers []answer) (*adaptertest.Server, error) {
		f, s := play(t, map[string][]answer{"GET " + project: answers})
		_, err := f.Settings(t.Context())
		return s.Server, err
	}, answer{Status: 200, Body: "{}"})
}

func TestAHangingServerEndsByTimeout(t *testing.T) {
	adaptertest.Hangs(t, "GitLab", func(url string, timeout time.Duration) map[string]func() error {
		f, err := New(Config{URL: url, Project: "g/p", Token: testToken, Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		return map[string]func() error{"a read": func() error { _, err := f.Settings(t.Context()); return err }}
	})
}

func TestACancelledCallIsNotRepeated(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f, s := play(t, nil)
	_, err := f.Settings(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if len(s.Waits) != 0 {
		t.Errorf("waited %v", s.Waits)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	html := map[string]string{"Content-Type": "text/html"}
	for _, test := range []struct {
		name   string
		answer answer
		status int
		text   string
	}{
		{"a login page", answer{Status: 200, Body: "<html>log in</html>", Header: html}, 200, `the answer ("text/html") is not the expected JSON`},
		{"a list instead of an object", answer{Status: 200, Body: "[]"}, 200, `the answer ("application/json") is not the expected JSON`},
		{"nothing", answer{Status: 200}, 200, `the answer ("application/json") is not the expected JSON: EOF`},
		{"half an answer", answer{Status: 200, Body: `{"iid":7,"title":"x`}, 0, "the answer broke off: unexpected EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, map[string][]answer{"PUT " + project + "/merge_requests/7": {test.answer}})
			err := f.Update(t.Context(), 7, promote.ChangeEdit{Title: "x"})
			adaptertest.None(t, test.status, test.text, err)
		})
	}
}

func TestEndlessPages(t *testing.T) {
	answers := make([]answer, maxPages)
	for i := range answers {
		answers[i] = answer{Status: 200, Body: "[]", Header: map[string]string{"X-Next-Page": fmt.Sprint(i + 2)}}
	}
	f, _ := play(t, map[string][]answer{"GET " + project + "/merge_requests": answers})
	_, err := f.OpenChanges(t.Context())
	if err == nil || !strings.Contains(err.Error(), "more than 60 pages of 100") {
		t.Errorf("got %v", err)
	}
}

func TestPagesByLink(t *testing.T) {
	f, s := play(t, map[string][]answer{"GET " + project + "/merge_requests": {
		{Status: 200, Body: "[" + mr(t, nil) + "]", Header: map[string]string{"Link": `<https://gitlab.example.com/api/v4/projects/5/merge_requests?page=2>; rel="next"`}},
		{Status: 200, Body: "[" + mr(t, nil) + "]"},
	}})
	got, err := f.OpenChanges(t.Context())
	if err != nil || len(got) != 2 || len(s.Got) != 2 {
		t.Errorf("got %d changes by %d requests, %v", len(got), len(s.Got), err)
	}
}
