package gitlab

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

func testDeployment(state promote.DeploymentState) promote.Deployment {
	return promote.Deployment{
		Promotion: "dev.0002.d4dd30e", Environment: "guestbook/production", Commit: head, Branch: "main", State: state,
		URL: "https://gitlab.example.com/group/project/-/merge_requests/7", Production: true,
	}
}

// shownDeployment is one of ours of the head, in an environment that is older and has a link of its own.
func shownDeployment(id int, status string, edits ...string) string {
	text := fmt.Sprintf(`{"id":%d,"sha":"%s","status":"%s","user":{"id":42},"created_at":"2026-11-21T12:00:00.000Z",`+
		`"environment":{"id":4,"external_url":"https://guestbook.example.com","created_at":"2026-01-01T12:00:00.000Z"}}`, id, head, status)
	return strings.NewReplacer(edits...).Replace(text)
}

func TestDeploy(t *testing.T) {
	const list, post, put, dress = "GET …/deployments", "POST …/deployments", "PUT …/deployments/9", "PUT …/environments/4"
	shows := func(all ...string) answer { return answer{Status: 200, Body: "[" + strings.Join(all, ",") + "]"} }
	is := func(status int, text string) answer { return answer{Status: status, Body: text} }
	cannot := answer{Status: 400, Body: `{"message":{"status":["cannot transition via \"succeed\""]}}`}
	for _, test := range []struct {
		name   string
		states []promote.DeploymentState
		steps  []step
		bodies []string // of the writes
		is     error
	}{
		{
			"it begins and succeeds",
			[]promote.DeploymentState{promote.DeploymentRunning, promote.DeploymentRunning, promote.DeploymentSucceeded, promote.DeploymentSucceeded},
			[]step{{list, shows()}, {post, is(201, shownDeployment(9, "running"))}, {put, is(200, shownDeployment(9, "success"))}},
			[]string{
				`{"environment":"guestbook/production","ref":"main","sha":"` + string(head) + `","tag":false,"status":"running"}`,
				`{"status":"success"}`,
			},
			nil,
		},
		{
			"its end is all that is told",
			[]promote.DeploymentState{promote.DeploymentFailed},
			[]step{{list, shows()}, {post, is(201, shownDeployment(9, "failed"))}},
			[]string{`{"environment":"guestbook/production","ref":"main","sha":"` + string(head) + `","tag":false,"status":"failed"}`},
			nil,
		},
		{
			"a process that just started finds it again, the newest first",
			[]promote.DeploymentState{promote.DeploymentSucceeded},
			[]step{
				{list, shows(shownDeployment(12, "running", string(head), string(other)), shownDeployment(11, "running", `"id":42`, `"id":5`), shownDeployment(9, "running"), shownDeployment(8, "failed"))},
				{"GET /api/v4/user", bot},
				{put, is(200, shownDeployment(9, "success"))},
			},
			[]string{`{"status":"success"}`},
			nil,
		},
		{
			"what has ended does not run again, and is not written again",
			[]promote.DeploymentState{promote.DeploymentRunning, promote.DeploymentSucceeded},
			[]step{{list, shows(shownDeployment(9, "success"))}, {"GET /api/v4/user", bot}},
			nil, nil,
		},
		{
			"what succeeded may fail after all",
			[]promote.DeploymentState{promote.DeploymentFailed},
			[]step{{list, shows(shownDeployment(9, "success"))}, {"GET /api/v4/user", bot}, {put, is(200, shownDeployment(9, "failed"))}},
			[]string{`{"status":"failed"}`},
			nil,
		},
		{
			"the answer is lost, and it was made",
			[]promote.DeploymentState{promote.DeploymentRunning},
			[]step{{list, shows()}, {post, answer{}}, {list, shows(shownDeployment(9, "running"))}, {"GET /api/v4/user", bot}},
			[]string{`{"environment":"guestbook/production","ref":"main","sha":"` + string(head) + `","tag":false,"status":"running"}`},
			nil,
		},
		{
			"the answer is lost, and nothing was made",
			[]promote.DeploymentState{promote.DeploymentRunning},
			[]step{{list, shows()}, {post, is(502, "")}, {list, shows()}},
			[]string{`{"environment":"guestbook/production","ref":"main","sha":"` + string(head) + `","tag":false,"status":"running"}`},
			errLost,
		},
		{
			"it has ended already, which another process told",
			[]promote.DeploymentState{promote.DeploymentRunning, promote.DeploymentSucceeded},
			[]step{{list, shows()}, {post, is(201, shownDeployment(9, "running"))}, {put, cannot}, {list, shows(shownDeployment(9, "success"))}, {"GET /api/v4/user", bot}},
			[]string{
				`{"environment":"guestbook/production","ref":"main","sha":"` + string(head) + `","tag":false,"status":"running"}`,
				`{"status":"success"}`,
			},
			nil,
		},
		{
			"it is not to be moved",
			[]promote.DeploymentState{promote.DeploymentSucceeded},
			[]step{{list, shows(shownDeployment(9, "running"))}, {"GET /api/v4/user", bot}, {put, cannot}, {list, shows(shownDeployment(9, "running"))}},
			[]string{`{"status":"success"}`},
			promote.ErrInvalid,
		},
		{
			"the environment is protected",
			[]promote.DeploymentState{promote.DeploymentRunning},
			[]step{{list, shows()}, {post, is(403, `{"message":"403 Forbidden"}`)}},
			[]string{`{"environment":"guestbook/production","ref":"main","sha":"` + string(head) + `","tag":false,"status":"running"}`},
			promote.ErrForbidden,
		},
		{
			"a new environment gets its tier and a link",
			[]promote.DeploymentState{promote.DeploymentRunning},
			[]step{
				{list, shows()},
				{post, is(201, shownDeployment(9, "running", "https://guestbook.example.com", "", "2026-01-01T12:00:00.000Z", "2026-11-21T11:59:59.900Z"))},
				{dress, is(200, `{}`)},
			},
			[]string{
				`{"environment":"guestbook/production","ref":"main","sha":"` + string(head) + `","tag":false,"status":"running"}`,
				`{"external_url":"https://gitlab.example.com/group/project/-/merge_requests/7","tier":"production"}`,
			},
			nil,
		},
		{
			"a link of ours moves on, and nothing fails without it",
			[]promote.DeploymentState{promote.DeploymentRunning},
			[]step{
				{list, shows()},
				{post, is(201, shownDeployment(9, "running", "https://guestbook.example.com", "https://gitlab.example.com/group/project/-/merge_requests/6"))},
				{dress, is(403, `{}`)},
			},
			[]string{
				`{"environment":"guestbook/production","ref":"main","sha":"` + string(head) + `","tag":false,"status":"running"}`,
				`{"external_url":"https://gitlab.example.com/group/project/-/merge_requests/7"}`,
			},
			nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			script, want := scripted(test.steps)
			f, s := play(t, script)
			var err error
			for _, state := range test.states {
				err = f.Deploy(t.Context(), testDeployment(state))
			}
			if (err == nil) != (test.is == nil) || !errors.Is(test.is, errLost) && !errors.Is(err, test.is) {
				t.Errorf("got %v, want %v", err, test.is)
			}
			if diff := cmp.Diff(want, s.Routes()); diff != "" {
				t.Error(diff)
			}
			var bodies []string
			for _, got := range s.Got {
				bodies = append(bodies, forge.NonEmpty(got.Body)...)
			}
			if diff := cmp.Diff(test.bodies, bodies); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDeployNeedsToKnowWhatAndWhere(t *testing.T) {
	f, _ := play(t, nil)
	for name, edit := range map[string]func(*promote.Deployment){
		"promotion":   func(d *promote.Deployment) { d.Promotion = "" },
		"environment": func(d *promote.Deployment) { d.Environment = "" },
		"commit":      func(d *promote.Deployment) { d.Commit = "" },
		"branch":      func(d *promote.Deployment) { d.Branch = "" },
	} {
		d := testDeployment(promote.DeploymentRunning)
		edit(&d)
		if err := f.Deploy(t.Context(), d); !errors.Is(err, promote.ErrInvalid) {
			t.Errorf("without %s: got %v", name, err)
		}
	}
}
