package gitlab

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestMerge(t *testing.T) {
	const put, get = "PUT …/merge_requests/7/merge", "GET …/merge_requests/7"
	done := func(t *testing.T) answer {
		return answer{Status: 200, Body: mr(t, map[string]any{"state": "merged", "merge_commit_sha": other, "merged_by": map[string]any{"username": "bot"}})}
	}
	is := func(fields map[string]any) func(*testing.T) answer {
		return func(t *testing.T) answer { return answer{Status: 200, Body: mr(t, fields)} }
	}
	refuse := func(status int, body string) func(*testing.T) answer {
		return func(*testing.T) answer { return answer{Status: status, Body: body} }
	}
	type step struct {
		route  string
		answer func(*testing.T) answer
	}
	notAllowed := step{put, refuse(405, `{"message":"405 Method Not Allowed"}`)}
	for _, test := range []struct {
		name   string
		steps  []step
		is     error // nil: merged
		not    error
		remedy string
	}{
		{"it is merged at once", []step{{put, done}}, nil, nil, ""},
		{
			"it is locked for a moment",
			[]step{{put, is(map[string]any{"state": "locked"})}, {get, is(map[string]any{"state": "locked"})}, {get, done}},
			nil, nil, "",
		},
		{
			"it never leaves the lock",
			[]step{
				{put, is(map[string]any{"state": "locked"})},
				{get, is(map[string]any{"state": "locked"})},
				{get, is(map[string]any{"state": "locked"})},
				{get, is(map[string]any{"state": "locked"})},
				{get, is(map[string]any{"state": "locked"})},
			},
			promote.ErrNotMergeable, nil, "",
		},
		{
			"the head moved",
			[]step{{put, refuse(409, `{"message":"SHA does not match HEAD of source branch: a7e1c0c"}`)}},
			promote.ErrStale, promote.ErrConflict, "the branch moved since it was judged; it is judged again",
		},
		{
			"an approval is missing",
			[]step{notAllowed, {get, is(map[string]any{"detailed_merge_status": "not_approved"})}},
			promote.ErrNotMergeable, nil, `GitLab says "not_approved"; see https://gitlab.example.com/group/project/-/merge_requests/7`,
		},
		{
			"an old version says 406",
			[]step{{put, refuse(406, `{"message":"Branch cannot be merged"}`)}, {get, is(map[string]any{"detailed_merge_status": "conflict"})}},
			promote.ErrNotMergeable, nil, `GitLab says "conflict"; see https://gitlab.example.com/group/project/-/merge_requests/7`,
		},
		{
			"the merge fails underway",
			[]step{{put, refuse(422, `{"message":"Branch cannot be merged"}`)}, {get, is(map[string]any{"detailed_merge_status": "conflict"})}},
			promote.ErrNotMergeable, promote.ErrInvalid, `GitLab says "conflict"; see https://gitlab.example.com/group/project/-/merge_requests/7`,
		},
		{
			"GitLab has not caught up with our status",
			[]step{
				notAllowed,
				{get, is(map[string]any{"detailed_merge_status": "ci_still_running"})},
				notAllowed,
				{get, is(map[string]any{"detailed_merge_status": "checking"})},
				{put, done},
			},
			nil, nil, "",
		},
		{
			"GitLab does not catch up",
			[]step{
				notAllowed,
				{get, is(map[string]any{"detailed_merge_status": "checking"})},
				notAllowed,
				{get, is(map[string]any{"detailed_merge_status": "checking"})},
				notAllowed,
				{get, is(map[string]any{"detailed_merge_status": "checking"})},
				notAllowed,
				{get, is(map[string]any{"detailed_merge_status": "checking"})},
			},
			promote.ErrNotMergeable, nil, `GitLab says "checking"; see https://gitlab.example.com/group/project/-/merge_requests/7`,
		},
		{"it is merged already", []step{notAllowed, {get, done}}, nil, nil, ""},
		{"it is refused, and the head moved", []step{notAllowed, {get, is(map[string]any{"sha": other})}}, promote.ErrStale, promote.ErrNotMergeable, ""},
		{
			"it is merged at another head",
			[]step{notAllowed, {get, is(map[string]any{"state": "merged", "sha": other})}},
			promote.ErrStale, promote.ErrNotMergeable, "",
		},
		{"the answer is lost, and it is merged", []step{{put, refuse(0, "")}, {get, done}}, nil, nil, ""},
		{"a proxy fails, and it is not merged", []step{{put, refuse(502, "")}, {get, is(nil)}}, nil, nil, "GitLab has a problem of its own; it is tried again later"},
		{
			"the user may not merge",
			[]step{{put, refuse(401, `{"message":"401 Unauthorized"}`)}, {"GET /api/v4/user", refuse(200, `{"id":42}`)}},
			promote.ErrForbidden, promote.ErrUnauthorized,
			"the token's user may not merge into the target branch: give it the role that the branch's protection allows to merge",
		},
		{
			"the token is not accepted",
			[]step{{put, refuse(401, `{"message":"401 Unauthorized"}`)}, {"GET /api/v4/user", refuse(401, `{}`)}},
			promote.ErrUnauthorized, promote.ErrForbidden,
			"the token is wrong, revoked or has expired: set LOCKKEEPER_GITLAB_TOKEN to a valid one with scope api",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := map[string][]answer{}
			var want []string
			for _, step := range test.steps {
				script[step.route] = append(script[step.route], step.answer(t))
				want = append(want, step.route)
			}
			f, s := play(t, script)
			f.settingsAt = testNow
			got, err := f.Merge(t.Context(), 7, head, "Promote frontend 1.0.2\n\nLockkeeper-Stage: develop/dev\n")
			if diff := cmp.Diff(want, s.Routes()); diff != "" {
				t.Error(diff)
			}
			body := `{"merge_commit_message":"Promote frontend 1.0.2\n\nLockkeeper-Stage: develop/dev\n",` +
				`"squash_commit_message":"Promote frontend 1.0.2\n\nLockkeeper-Stage: develop/dev\n","sha":"` + string(head) + `"}`
			if s.Got[0].Body != body {
				t.Errorf("got %s, want %s", s.Got[0].Body, body)
			}
			if api, ok := errors.AsType[*promote.APIError](err); test.remedy != "" && (!ok || api.Remedy != test.remedy) {
				t.Errorf("got %v, want the remedy %q", err, test.remedy)
			}
			if test.is == nil && test.remedy == "" {
				if err != nil || got.State != promote.ChangeMerged || got.Merged != other || got.MergedBy != "bot" {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if err == nil || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("got %v, want %v", err, test.is)
			}
			if test.not != nil && errors.Is(err, test.not) {
				t.Errorf("%v is also %v", err, test.not)
			}
		})
	}
}

func TestMergeWaitsForThePipeline(t *testing.T) {
	const put, get = "PUT " + project + "/merge_requests/7/merge", "GET " + project + "/merge_requests/7"
	notAllowed := answer{Status: 405, Body: `{"message":"405 Method Not Allowed"}`}
	running := map[string]any{"detailed_merge_status": "ci_still_running"}
	waiting := map[string]any{"detailed_merge_status": "ci_still_running", "merge_when_pipeline_succeeds": true}
	lost := answer{}
	for _, test := range []struct {
		name   string
		script map[string][]answer
		want   promote.Mergeability
		state  promote.ChangeState
		is     error
	}{
		{
			"it is set to merge by itself",
			map[string][]answer{put: {notAllowed, {Status: 200, Body: mr(t, waiting)}}, get: {{Status: 200, Body: mr(t, running)}}},
			promote.Mergeability{Merge: promote.MergeQueued, Reason: "auto-merge, which waits: ci_still_running"},
			promote.ChangeOpen, nil,
		},
		{
			"the pipeline is over by then",
			map[string][]answer{
				put: {notAllowed, {Status: 200, Body: mr(t, map[string]any{"state": "merged", "merge_commit_sha": other})}},
				get: {{Status: 200, Body: mr(t, running)}},
			},
			promote.Mergeability{Merge: promote.MergeBlocked, Reason: "not_open"},
			promote.ChangeMerged, nil,
		},
		{
			"the answer is lost, and it was set",
			map[string][]answer{put: {notAllowed, lost}, get: {{Status: 200, Body: mr(t, running)}, {Status: 200, Body: mr(t, waiting)}}},
			promote.Mergeability{Merge: promote.MergeQueued, Reason: "auto-merge, which waits: ci_still_running"},
			promote.ChangeOpen, nil,
		},
		{
			"a person has set it already",
			map[string][]answer{put: {notAllowed}, get: {{Status: 200, Body: mr(t, waiting)}}},
			promote.Mergeability{Merge: promote.MergeQueued, Reason: "auto-merge, which waits: ci_still_running"},
			promote.ChangeOpen, nil,
		},
		{
			"the head moved meanwhile",
			map[string][]answer{put: {notAllowed, {Status: 409, Body: `{}`}}, get: {{Status: 200, Body: mr(t, running)}}},
			promote.Mergeability{},
			promote.ChangeOpen, promote.ErrStale,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, test.script)
			f.settingsAt = testNow
			got, err := f.Merge(t.Context(), 7, head, "message")
			if !errors.Is(err, test.is) || got.Mergeability != test.want || got.State != test.state {
				t.Errorf("got %+v, %v", got, err)
			}
			const body = `{"merge_commit_message":"message","squash_commit_message":"message","sha":"` + string(head) + `","auto_merge":true}`
			if len(s.Got) > 2 && s.Got[2].Body != body {
				t.Errorf("got %s, want %s", s.Got[2].Body, body)
			}
		})
	}
}

func TestMergeAsksForOldSettings(t *testing.T) {
	f, s := play(t, map[string][]answer{
		"GET " + project: {plain}, "PUT " + project + "/merge_requests/7/merge": {{Status: 200, Body: mr(t, map[string]any{"state": "merged"})}},
	})
	f.settingsAt = testNow.Add(-settingsLast)
	if _, err := f.Merge(t.Context(), 7, head, ""); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"GET …", "PUT …/merge_requests/7/merge"}, s.Routes()); diff != "" {
		t.Error(diff)
	}
}

func TestMergeDoesNothingWithoutSettings(t *testing.T) {
	f, _ := play(t, map[string][]answer{"GET " + project: {{Status: 403, Body: `{}`}}})
	if _, err := f.Merge(t.Context(), 7, head, ""); !errors.Is(err, promote.ErrForbidden) {
		t.Errorf("got %v: nothing may be merged past a train that is not known of", err)
	}
}

func TestMergeIsPinned(t *testing.T) {
	f, _ := play(t, nil)
	if _, err := f.Merge(t.Context(), 7, "", "message"); !errors.Is(err, promote.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}
