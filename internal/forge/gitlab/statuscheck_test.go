package gitlab

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge"
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
		none  bool // none is answered for a while, which was said
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
			"", nil, true,
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
			[]step{{listed, checks}, {answered, answer{Status: 404, Body: `{}`}}, {listed, answer{Status: 200, Body: `[]`}}},
			"", nil, true,
		},
		{
			"it was deleted and made anew meanwhile", promote.StatusSuccess,
			[]step{{listed, checks}, {answered, answer{Status: 404, Body: `{}`}}, {listed, answer{Status: 200, Body: `[{"id":4,"name":"lockkeeper"}]`}}, {answered, made}},
			`{"sha":"` + string(head) + `","external_status_check_id":4,"status":"passed"}`, nil, false,
		},
		{
			"the change is not known to it", promote.StatusSuccess,
			[]step{{listed, checks}, {answered, answer{Status: 404, Body: `{}`}}, {listed, checks}, {answered, answer{Status: 404, Body: `{}`}}},
			`{"sha":"` + string(head) + `","external_status_check_id":3,"status":"passed"}`, nil, true,
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
			if none := f.checkFound.id == 0 && f.checkFound.said; none != test.none {
				t.Errorf("found %+v", f.checkFound)
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
	if f.checkFound.id != 3 {
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

// TestStatusThatTheExternalCheckWasNotToldOf: a status is there when the check says the same of the head.
func TestStatusThatTheExternalCheckWasNotToldOf(t *testing.T) {
	said := func(status string) answer {
		return answer{Status: 200, Body: `[{"id":2,"name":"compliance","status":"failed"},{"id":3,"name":"lockkeeper","status":"` + status + `"}]`}
	}
	refused := func(status int) answer { return answer{Status: status, Body: `{}`} }
	for _, test := range []struct {
		name  string
		state string // of our commit status
		check answer
		found bool
		fails bool
		asked int // in three looks
	}{
		{"it passed", "success", said("passed"), true, false, 1},
		{"it was never told", "success", said("pending"), false, false, 3},
		{"it failed before", "success", said("failed"), false, false, 3},
		{"it passed before", "failed", said("passed"), false, false, 3},
		{"it failed", "failed", said("failed"), true, false, 1},
		{"it waits", "pending", said("pending"), true, false, 1},
		{"it waited for more than two minutes", "pending", said("failed"), true, false, 1},
		{"it passed, and waits now", "pending", said("passed"), false, false, 3},
		{"there is none of that name", "success", answer{Status: 200, Body: `[{"id":2,"name":"compliance","status":"failed"}]`}, true, false, 1},
		{"the plan has none", "success", refused(http.StatusNotFound), true, false, 1},
		{"it may not be read", "success", refused(http.StatusForbidden), true, false, 1},
		{"it cannot be read now", "success", refused(http.StatusInternalServerError), false, true, 3 * (1 + forge.MaxRereads)},
	} {
		t.Run(test.name, func(t *testing.T) {
			posted := answer{Status: 200, Body: `[{"id":5,"name":"lockkeeper/gates","status":"` + test.state + `","author":{"id":42}}]`}
			checks := slices.Repeat([]answer{test.check}, test.asked)
			f, s := play(t, map[string][]answer{
				statusesRoute: {posted, posted, posted}, "GET /api/v4/user": {bot}, "GET " + project + "/merge_requests/7/status_checks": checks,
			})
			f.check = "lockkeeper"
			f.wire.Now = func() time.Time { return testNow }
			f.seen(head, 7)
			for range 3 {
				if _, found, err := f.Status(t.Context(), head, promote.StatusName); found != test.found || (err != nil) != test.fails {
					t.Errorf("found %t, %v by %v", found, err, s.Routes())
				}
			}
		})
	}
}

// TestStatusOfAHeadWithoutAChangeAsksForNoCheck, and so does one in a process that no check is configured for.
func TestStatusOfAHeadWithoutAChangeAsksForNoCheck(t *testing.T) {
	posted := answer{Status: 200, Body: `[{"id":5,"name":"lockkeeper/gates","status":"success","author":{"id":42}}]`}
	f, _ := play(t, map[string][]answer{statusesRoute: {posted, posted}, "GET /api/v4/user": {bot}})
	for _, check := range []string{"lockkeeper", ""} {
		f.check = check
		if _, found, err := f.Status(t.Context(), head, promote.StatusName); !found || err != nil {
			t.Errorf("found %t, %v", found, err)
		}
		f.seen(head, 7)
	}
}

// TestAChangeThatWaitsForTheExternalCheckIsUnheard until it is known what the check says of it, and again after a while.
func TestAChangeThatWaitsForTheExternalCheckIsUnheard(t *testing.T) {
	for _, test := range []struct {
		name  string
		word  string
		check externalCheck
		known checkAnswer
		after time.Duration
		want  bool
	}{
		{"nothing is known", "status_checks_must_pass", externalCheck{}, checkAnswer{}, 0, true},
		{"it waits for something else", "not_approved", externalCheck{}, checkAnswer{}, 0, false},
		{"the check was answered: it waits for another", "status_checks_must_pass", externalCheck{id: 3, at: testNow}, checkAnswer{word: "passed", at: testNow}, checkLast - 1, false},
		{"the check was answered long ago", "status_checks_must_pass", externalCheck{id: 3, at: testNow}, checkAnswer{word: "passed", at: testNow}, checkLast, true},
		{"the answer was refused", "status_checks_must_pass", externalCheck{id: 3, at: testNow}, checkAnswer{}, 0, true},
		{"there was no check, or it could not be answered", "status_checks_must_pass", externalCheck{at: testNow}, checkAnswer{}, checkLast - 1, false},
		{"there was none a while ago", "status_checks_must_pass", externalCheck{at: testNow}, checkAnswer{}, checkLast, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			row := mr(t, map[string]any{"detailed_merge_status": test.word})
			f, _ := play(t, map[string][]answer{"GET " + project + "/merge_requests/7": {{Status: 200, Body: row}, {Status: 200, Body: row}}})
			f.wire.Now = func() time.Time { return testNow.Add(test.after) }
			f.checkFound, f.answers[head] = test.check, test.known
			for _, check := range []string{"", "lockkeeper"} {
				f.check = check
				got, err := f.Change(t.Context(), 7)
				if err != nil || got.Unheard != (test.want && check != "") {
					t.Errorf("with check %q: %t, %v", check, got.Unheard, err)
				}
			}
		})
	}
}
