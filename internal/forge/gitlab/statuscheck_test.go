package gitlab

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestExternalStatusCheck(t *testing.T) {
	const listed, answered = "GET …/external_status_checks", "POST …/merge_requests/7/status_check_responses"
	checks := answer{Status: 200, Body: `[{"id":2,"name":"compliance"},{"id":3,"name":"lockkeeper"}]`}
	made := answer{Status: 201, Body: `{"id":1}`}
	for _, test := range []struct {
		name  string
		state promote.StatusState
		steps []step
		body  string
		is    error
		off   bool
	}{
		{
			"a verdict is given", promote.StatusSuccess,
			[]step{{listed, checks}, {answered, made}},
			`{"sha":"` + string(head) + `","external_status_check_id":3,"status":"passed"}`, nil, false,
		},
		{
			"a refusal is given", promote.StatusFailed,
			[]step{{listed, checks}, {answered, made}},
			`{"sha":"` + string(head) + `","external_status_check_id":3,"status":"failed"}`, nil, false,
		},
		{
			"that gates wait is told", promote.StatusPending,
			[]step{{listed, checks}, {answered, made}},
			`{"sha":"` + string(head) + `","external_status_check_id":3,"status":"pending"}`, nil, false,
		},
		{
			"the project has none of that name", promote.StatusSuccess,
			[]step{{listed, answer{Status: 200, Body: `[{"id":2,"name":"compliance"}]`}}},
			"", nil, false,
		},
		{
			"the plan has none, GitLab says not found", promote.StatusSuccess,
			[]step{{listed, answer{Status: 404, Body: `{}`}}},
			"", nil, true,
		},
		{
			"the plan has none, GitLab says forbidden", promote.StatusSuccess,
			[]step{{listed, answer{Status: 403, Body: `{}`}}},
			"", nil, true,
		},
		{
			"the plan has none, GitLab doubts the token", promote.StatusSuccess,
			[]step{{listed, answer{Status: 401, Body: `{}`}}, {"GET /api/v4/user", bot}},
			"", nil, true,
		},
		{
			"the token is not accepted", promote.StatusSuccess,
			[]step{{listed, answer{Status: 401, Body: `{}`}}, {"GET /api/v4/user", answer{Status: 401, Body: `{}`}}},
			"", promote.ErrUnauthorized, false,
		},
		{
			"it may not be answered", promote.StatusSuccess,
			[]step{{listed, checks}, {answered, answer{Status: 403, Body: `{}`}}},
			`{"sha":"` + string(head) + `","external_status_check_id":3,"status":"passed"}`, nil, true,
		},
		{
			"the head moved", promote.StatusSuccess,
			[]step{{listed, checks}, {answered, answer{Status: 409, Body: `{}`}}},
			`{"sha":"` + string(head) + `","external_status_check_id":3,"status":"passed"}`, promote.ErrStale, false,
		},
		{
			"it was deleted meanwhile", promote.StatusSuccess,
			[]step{{listed, checks}, {answered, answer{Status: 404, Body: `{}`}}},
			`{"sha":"` + string(head) + `","external_status_check_id":3,"status":"passed"}`, nil, false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := map[string][]answer{postRoute: {accepted}}
			want := []string{"POST …/statuses/" + string(head)}
			for _, step := range test.steps {
				script[step.route] = append(script[step.route], step.answer)
				want = append(want, step.route)
			}
			f, s := play(t, script)
			f.check, f.settingsAt = "lockkeeper", testNow
			if err := f.PostStatus(t.Context(), gates(test.state)); !errors.Is(err, test.is) {
				t.Errorf("got %v, want %v", err, test.is)
			}
			if diff := cmp.Diff(want, s.Routes()); diff != "" {
				t.Error(diff)
			}
			if last := s.Got[len(s.Got)-1]; test.body != "" && last.Body != test.body {
				t.Errorf("got %s, want %s", last.Body, test.body)
			}
			if f.checkFound.off != test.off {
				t.Errorf("off is %t", f.checkFound.off)
			}
		})
	}
}

// TestAnExternalStatusCheckThatCouldNotBeAnsweredIsTriedLater: a plan or a role may change while the server runs.
func TestAnExternalStatusCheckThatCouldNotBeAnsweredIsTriedLater(t *testing.T) {
	const answered = "POST …/merge_requests/7/status_check_responses"
	f, s := play(t, map[string][]answer{
		postRoute: {accepted, accepted, accepted}, answered: {{Status: 201, Body: `{"id":1}`}},
		"GET " + project + "/external_status_checks": {{Status: 403, Body: `{}`}, {Status: 200, Body: `[{"id":3,"name":"lockkeeper"}]`}},
	})
	f.check, f.settingsAt = "lockkeeper", testNow
	for _, step := range []struct {
		after time.Duration
		asked int
	}{{0, 2}, {checkLast - 1, 3}, {checkLast, 6}} {
		f.wire.Now = func() time.Time { return testNow.Add(step.after) }
		if err := f.PostStatus(t.Context(), gates(promote.StatusSuccess)); err != nil || len(s.Got) != step.asked {
			t.Errorf("after %s: %v by %v", step.after, err, s.Routes())
		}
	}
	if f.checkFound.off {
		t.Error("it is taken for one that cannot be answered")
	}
}

func TestTheExternalStatusCheckIsLookedUpOnce(t *testing.T) {
	f, s := play(t, map[string][]answer{
		postRoute: {accepted, accepted, accepted}, "GET " + project + "/external_status_checks": {{Status: 200, Body: `[]`}, {Status: http.StatusNotFound, Body: `{}`}},
	})
	f.check, f.settingsAt = "lockkeeper", testNow
	for _, step := range []struct {
		after time.Duration
		asked int
	}{{0, 2}, {checkLast - 1, 3}, {checkLast, 5}} {
		f.wire.Now = func() time.Time { return testNow.Add(step.after) }
		if err := f.PostStatus(t.Context(), gates(promote.StatusPending)); err != nil || len(s.Got) != step.asked {
			t.Errorf("after %s: %v by %v", step.after, err, s.Routes())
		}
	}
}

func TestTheExternalStatusCheckIsOnlyOfChanges(t *testing.T) {
	f, _ := play(t, map[string][]answer{postRoute: {accepted, accepted}})
	f.check, f.settingsAt = "lockkeeper", testNow
	bare, train := gates(promote.StatusSuccess), gates(promote.StatusSuccess)
	bare.Change, train.Branch = 0, ""
	for _, posted := range []promote.PostStatus{bare, train} {
		if err := f.PostStatus(t.Context(), posted); err != nil {
			t.Error(err)
		}
	}
}
