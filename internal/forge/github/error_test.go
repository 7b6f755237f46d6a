package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/promote"
)

func TestRefusalsByStatus(t *testing.T) {
	const (
		notThere = `check that repository "acme/shop" exists and that the credentials may see it`
		theirs   = "GitHub has a problem of its own; it is tried again later"
		limits   = "GitHub limits the requests of these credentials; it is tried again later"
		mayNot   = `the credentials may not do this in repository "acme/shop"`
	)
	reset := fmt.Sprint(testNow.Add(5 * time.Minute).Unix())
	for _, test := range []struct {
		name      string
		answer    answer
		is        error
		isNot     error
		message   string
		remedy    string
		after     time.Duration
		temporary bool
	}{
		{
			name: "401", answer: answer{Status: 401, Body: `{"message":"Bad credentials","documentation_url":"https://docs.github.com/rest"}`},
			is: promote.ErrUnauthorized, message: "Bad credentials",
			remedy: "the token is wrong, revoked or has expired: set LOCKKEEPER_GITHUB_TOKEN to a valid one",
		},
		{name: "403", answer: answer{Status: 403, Body: `{"message":"Must have admin rights to Repository."}`}, is: promote.ErrForbidden, message: "Must have admin rights to Repository.", remedy: mayNot},
		{
			name: "403 of an App", answer: answer{
				Status: 403, Body: `{"message":"Resource not accessible by integration"}`, Header: map[string]string{"X-Accepted-Github-Permissions": "issues=write; pull_requests=write"},
			},
			is: promote.ErrForbidden, message: "Resource not accessible by integration",
			remedy: "the credentials lack a permission: grant issues=write; pull_requests=write",
		},
		{
			name: "403 of GITHUB_TOKEN, without a hint", answer: answer{Status: 403, Body: `{"message":"Resource not accessible by integration"}`},
			is: promote.ErrForbidden, message: "Resource not accessible by integration",
			remedy: "the credentials lack a permission for this: grant it to the App or the token, or under permissions in the workflow",
		},
		{
			name: "403 of single sign-on", answer: answer{
				Status: 403, Body: `{"message":"Resource protected by organization SAML enforcement."}`, Header: map[string]string{"X-GitHub-SSO": "required; url=https://github.com/orgs/acme/sso?authorization_request=x"},
			},
			is: promote.ErrForbidden, message: "Resource protected by organization SAML enforcement.",
			remedy: "the organization wants single sign-on: authorize the token for it in the settings of its user",
		},
		{
			name: "403 of a scope", answer: answer{Status: 403, Body: `{"message":"Forbidden"}`, Header: map[string]string{"X-Accepted-OAuth-Scopes": "repo"}},
			is: promote.ErrForbidden, message: "Forbidden", remedy: "the token needs one of the scopes repo",
		},
		{
			name: "403 when the window is used up", answer: answer{
				Status: 403, Body: `{"message":"API rate limit exceeded for installation ID 1."}`, Header: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset},
			},
			is: promote.ErrLimited, isNot: promote.ErrForbidden, message: "API rate limit exceeded for installation ID 1.", remedy: limits, after: 5 * time.Minute, temporary: true,
		},
		{
			name: "403 of a secondary limit", answer: answer{
				Status: 403, Body: `{"message":"You have exceeded a secondary rate limit. Please wait."}`, Header: map[string]string{"Retry-After": "37", "X-RateLimit-Remaining": "4999"},
			},
			is: promote.ErrLimited, isNot: promote.ErrForbidden, message: "You have exceeded a secondary rate limit. Please wait.", remedy: limits, after: 37 * time.Second, temporary: true,
		},
		{
			name: "403 of a secondary limit that names no time", answer: answer{Status: 403, Body: `{"message":"You have exceeded a secondary rate limit."}`},
			is: promote.ErrLimited, message: "You have exceeded a secondary rate limit.", remedy: limits, after: time.Minute, temporary: true,
		},
		{
			name: "403 of an older server", answer: answer{Status: 403, Body: `{"message":"You have triggered an abuse detection mechanism."}`},
			is: promote.ErrLimited, message: "You have triggered an abuse detection mechanism.", remedy: limits, after: time.Minute, temporary: true,
		},
		{
			name: "429", answer: answer{Status: 429, Body: "slow down\n", Header: map[string]string{"Content-Type": "text/plain"}},
			is: promote.ErrLimited, message: "slow down", remedy: limits, after: time.Minute, temporary: true,
		},
		{
			name: "429 with a date", answer: answer{Status: 429, Header: map[string]string{"Retry-After": testNow.Add(90 * time.Second).Format(http.TimeFormat)}},
			is: promote.ErrLimited, message: "Too Many Requests", remedy: limits, after: 90 * time.Second, temporary: true,
		},
		{
			name: "422 that is a limit", answer: answer{Status: 422, Body: `{"message":"Validation Failed","errors":[{"resource":"IssueComment","code":"unprocessable","field":"data","message":"was submitted too quickly"}]}`},
			is: promote.ErrLimited, isNot: promote.ErrInvalid, message: "Validation Failed: was submitted too quickly", remedy: limits, after: time.Minute,
		},
		{name: "404", answer: answer{Status: 404, Body: `{"message":"Not Found"}`}, is: promote.ErrNotFound, message: "Not Found", remedy: notThere},
		{name: "409", answer: answer{Status: 409, Body: `{"message":"Conflict"}`}, is: promote.ErrConflict, message: "Conflict", temporary: true},
		{
			name: "422 with fields", answer: answer{Status: 422, Body: `{"message":"Validation Failed","errors":[{"resource":"Label","code":"invalid","field":"color"},{"message":"is bad"},"and more",7]}`},
			is: promote.ErrInvalid, message: "Validation Failed: Label color invalid, is bad, and more",
		},
		{name: "422 with a text", answer: answer{Status: 422, Body: `{"message":"Validation Failed","errors":"no"}`}, is: promote.ErrInvalid, message: "Validation Failed: no"},
		{name: "422 with nothing", answer: answer{Status: 422, Body: `{"errors":null}`}, is: promote.ErrInvalid, message: "Unprocessable Entity"},
		{name: "500 of a proxy", answer: answer{Status: 502, Body: "<html>secret</html>", Header: map[string]string{"Content-Type": "text/html"}}, message: "Bad Gateway", remedy: theirs, temporary: true},
		{name: "an echo of the token", answer: answer{Status: 400, Body: `{"message":"bad header Bearer ` + testToken + `"}`}, is: promote.ErrInvalid, message: "bad header Bearer [redacted]"},
		{name: "a very long text", answer: answer{Status: 400, Body: `{"message":"` + strings.Repeat("ä", 1000) + `"}`}, is: promote.ErrInvalid, message: strings.Repeat("ä", 248) + "…"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, map[string][]answer{"POST …/issues/7/comments": {test.answer}})
			if test.answer.Status >= 500 {
				s.Script["Viewer"] = []answer{ok(viewerJSON)} // It may have arrived.
				s.Script["GET …/issues/7/comments"] = []answer{ok("[]")}
			}
			_, err := f.AddNote(t.Context(), 7, "text")
			want := promote.APIError{
				Service: "github", Operation: "add note to change 7", Status: test.answer.Status, Message: test.message, Remedy: test.remedy, RetryAfter: test.after,
			}
			if errors.Is(test.is, promote.ErrLimited) { // GitHub says so by several statuses
				want.Means = promote.ErrLimited
			}
			adaptertest.Refused(t, want, test.is, err, testToken)
			if test.isNot != nil && errors.Is(err, test.isNot) {
				t.Errorf("%v is %v", err, test.isNot)
			}
			if want.Temporary() != test.temporary {
				t.Errorf("temporary is %t", want.Temporary())
			}
			if posts := strings.Count(strings.Join(s.Routes(), "\n"), "POST"); posts != 1 {
				t.Errorf("a write was sent %d times", posts)
			}
		})
	}
}

func TestErrorsOfGraphQL(t *testing.T) {
	for _, test := range []struct {
		name   string
		body   string
		is     error
		status int
		text   string
	}{
		{"not found", `{"data":null,"errors":[{"type":"NOT_FOUND","message":"Could not resolve"}]}`, promote.ErrNotFound, 404, "Could not resolve"},
		{"forbidden", `{"errors":[{"type":"FORBIDDEN","message":"Resource not accessible by integration"}]}`, promote.ErrForbidden, 403, "lack a permission"},
		{"a scope is missing", `{"errors":[{"type":"INSUFFICIENT_SCOPES","message":"Your token has not been granted the required scopes"}]}`, promote.ErrForbidden, 403, "scopes"},
		{"limited", `{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}`, promote.ErrLimited, 429, "limits the requests"},
		{"not allowed", `{"errors":[{"type":"UNPROCESSABLE","message":"no"},{"message":"and why"}]}`, promote.ErrInvalid, 422, "no, and why"},
		{"a query it does not understand", `{"errors":[{"message":"Field 'x' doesn't exist on type 'PullRequest'"}]}`, promote.ErrInvalid, 422, "Field 'x'"},
		{"an echo of the token", `{"errors":[{"type":"FORBIDDEN","message":"bad credentials ` + testToken + `"}]}`, promote.ErrForbidden, 403, "bad credentials [redacted]"},
		{"without a text", `{"errors":[{"type":"NEW_WORD"}]}`, promote.ErrInvalid, 422, `an error of type "NEW_WORD" without a text`},
		{"without a text, of a type that cannot be told in a line", `{"errors":[{"type":"` + strings.Repeat("X", 1000) + `"}]}`, promote.ErrInvalid, 422, "an error of type"},
		{"no data", `{}`, nil, 200, "the answer holds no data"},
		{"data of another shape", `{"data":[]}`, nil, 200, "not the expected JSON"},
		{"data that cannot be told in a line", `{"data":{"repository":{"pullRequest":{"number":` + strings.Repeat("7", 1000) + `}}}}`, nil, 200, "cannot unmarshal number 777"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, map[string][]answer{"Change": {ok(test.body)}})
			_, err := f.Change(t.Context(), 7)
			api, ok := errors.AsType[*promote.APIError](err)
			if !ok || len(api.Message) > forge.MaxMessage || api.Status != test.status || !strings.Contains(err.Error(), test.text) {
				t.Fatalf("got %v", err)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
		})
	}
}

func TestReadsAreRepeatedBoundedly(t *testing.T) {
	failed := ok(`{"data":null,"errors":[{"message":"Something went wrong while executing your query. This may be the result of a timeout."}]}`)
	adaptertest.RereadsBoundedly(t, func(t *testing.T, answers []answer) (*adaptertest.Server, error) {
		f, s := play(t, map[string][]answer{"Change": answers})
		_, err := f.Change(t.Context(), 7)
		return s.Server, err
	}, ok(changeJSON(t, nil)), failed)
}

func TestAHangingServerEndsByTimeout(t *testing.T) {
	adaptertest.Hangs(t, "GitHub", func(url string, timeout time.Duration) map[string]func() error {
		f, err := New(Config{URL: url, Repository: "o/r", Token: testToken, Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		return map[string]func() error{
			"a read":                         func() error { _, err := f.ChangesFrom(t.Context(), "x"); return err },
			"a query":                        func() error { _, err := f.Change(t.Context(), 7); return err },
			"a write that could be repeated": func() error { return f.EditNote(t.Context(), 7, 11, "text") },
		}
	})
}

func TestACancelledCallIsNotRepeated(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f, s := play(t, nil)
	_, err := f.ChangesFrom(ctx, "x")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := f.EditNote(ctx, 7, 11, "text"); !errors.Is(err, context.Canceled) {
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
		{"an object instead of a list", ok(`{}`), 200, `the answer ("application/json") is not the expected JSON`},
		{"half an answer", ok(`[{"number":7,"title":"x`), 0, "the answer broke off: unexpected EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			answers := []answer{test.answer}
			if test.status == 0 {
				answers = append(answers, test.answer, test.answer) // It is asked again.
			}
			f, _ := play(t, map[string][]answer{"GET …/pulls": answers})
			_, err := f.ChangesFrom(t.Context(), "x")
			adaptertest.None(t, test.status, test.text, err)
		})
	}
}

func TestPages(t *testing.T) {
	next := func(page int) map[string]string {
		return map[string]string{"Link": fmt.Sprintf(`<https://api.github.com/repositories/5/issues/7/comments?per_page=100&page=%d>; rel="next"`, page)}
	}
	one := `[{"id":1,"user":{"id":42,"login":"x"}}]`
	f, s := play(t, map[string][]answer{
		"GET …/issues/7/comments": {{Status: 200, Body: one, Header: next(2)}, ok(one)}, "Viewer": {ok(viewerJSON)},
	})
	got, err := f.Notes(t.Context(), 7)
	if err != nil || len(got) != 2 || s.Got[1].Route != "GET …/issues/7/comments?page=2&per_page=100" {
		t.Errorf("got %d by %v, %v", len(got), s.Routes(), err)
	}
	endless := make([]answer, maxPages)
	for i := range endless {
		endless[i] = answer{Status: 200, Body: "[]", Header: next(i + 2)}
	}
	f, _ = play(t, map[string][]answer{"GET …/issues/7/comments": endless})
	if _, err = f.Notes(t.Context(), 7); err == nil || !strings.Contains(err.Error(), "more than 30 pages of 100") {
		t.Errorf("got %v", err)
	}
}
