package gitlab

import (
	"errors"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestMergeBoardsTheTrain(t *testing.T) {
	const post, get, cars = "POST …/merge_trains/merge_requests/7", "GET …/merge_requests/7", "GET …/merge_trains/main"
	is := func(fields map[string]any) answer { return answer{Status: 200, Body: mr(t, fields)} }
	onTrain := is(map[string]any{"merge_when_pipeline_succeeds": true})
	aboard, scheduled := answer{Status: 201, Body: `{"id":1}`}, answer{Status: 202, Body: `{"id":1}`}
	refused := answer{Status: 400, Body: `{"message":"400 Bad request"}`}
	queue := answer{Status: 200, Body: `[{"merge_request":{"iid":5}},{"merge_request":{"iid":7}}]`}
	for _, test := range []struct {
		name   string
		steps  []step
		state  promote.ChangeState
		merge  promote.MergeState
		reason string
		is     error
	}{
		{
			"it boards at once, and people are told where it stands",
			[]step{{post, aboard}, {get, is(nil)}, {cars, queue}},
			promote.ChangeOpen, promote.MergeQueued, "merge train, position 2", nil,
		},
		{
			"the train cannot be read, which matters to nobody",
			[]step{{post, aboard}, {get, onTrain}, {cars, answer{Status: 403, Body: `{}`}}},
			promote.ChangeOpen, promote.MergeQueued, "merge train", nil,
		},
		{
			"the train has merged it by then",
			[]step{{post, aboard}, {get, is(map[string]any{"state": "merged", "merge_commit_sha": other})}},
			promote.ChangeMerged, promote.MergeBlocked, "not_open", nil,
		},
		{
			"its pipeline runs: it will board",
			[]step{{post, refused}, {get, is(map[string]any{"detailed_merge_status": "ci_still_running"})}, {post, scheduled}, {get, onTrain}, {cars, answer{Status: 200, Body: `[]`}}},
			promote.ChangeOpen, promote.MergeQueued, "merge train", nil,
		},
		{
			"the answer is lost, and it has boarded",
			[]step{{post, answer{}}, {get, onTrain}},
			promote.ChangeOpen, promote.MergeQueued, "merge train", nil,
		},
		{
			"the answer is lost, and it has not boarded",
			[]step{{post, answer{}}, {get, is(nil)}},
			promote.ChangeOpen, promote.MergeUnknown, "", errLost,
		},
		{
			"it is on the train already",
			[]step{{post, answer{Status: 409, Body: `{}`}}, {get, onTrain}},
			promote.ChangeOpen, promote.MergeQueued, "merge train", nil,
		},
		{
			"the head moved",
			[]step{{post, answer{Status: 409, Body: `{}`}}, {get, is(map[string]any{"sha": other})}},
			promote.ChangeOpen, promote.MergeUnknown, "", promote.ErrStale,
		},
		{
			"an approval is missing",
			[]step{{post, refused}, {get, is(map[string]any{"detailed_merge_status": "not_approved"})}},
			promote.ChangeOpen, promote.MergeUnknown, "", promote.ErrNotMergeable,
		},
		{
			"trains are not in the plan any more: it is not merged past them",
			[]step{{post, answer{Status: 403, Body: `{"message":"403 Forbidden"}`}}},
			promote.ChangeOpen, promote.MergeUnknown, "", promote.ErrForbidden,
		},
		{
			"the user may not merge",
			[]step{{post, answer{Status: 401, Body: `{"message":"401 Unauthorized"}`}}, {"GET /api/v4/user", bot}},
			promote.ChangeOpen, promote.MergeUnknown, "", promote.ErrForbidden,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			script, want := scripted(test.steps)
			f, s := play(t, script)
			f.settings, f.settingsAt = Settings{MergedResults: true, MergeTrains: true}, testNow
			got, err := f.Merge(t.Context(), 7, head, "message")
			if diff := cmp.Diff(want, s.Routes()); diff != "" {
				t.Error(diff)
			}
			if test.is == nil && err != nil || test.is != nil && err == nil || !errors.Is(test.is, errLost) && !errors.Is(err, test.is) {
				t.Errorf("got %v, want %v", err, test.is)
			}
			if err == nil && (got.State != test.state || got.Merge != test.merge || got.Reason != test.reason) {
				t.Errorf("got %s, %+v", got.State, got.Mergeability)
			}
			if body := `{"sha":"` + string(head) + `"}`; s.Got[0].Body != body {
				t.Errorf("got %s, want %s", s.Got[0].Body, body)
			}
			if later := `{"sha":"` + string(head) + `","auto_merge":true,"when_pipeline_succeeds":true}`; len(s.Got) == 5 && s.Got[2].Body != later {
				t.Errorf("got %s, want %s", s.Got[2].Body, later)
			}
		})
	}
}

// errLost stands for an error without a sentinel.
var errLost = errors.New("no answer")

func TestOpenChangesTellWhatIsMergedByItself(t *testing.T) {
	for _, test := range []struct {
		name     string
		settings Settings
		fields   map[string]any
		want     promote.Mergeability
	}{
		{"set to merge", Settings{}, nil, promote.Mergeability{Merge: promote.MergeQueued, Reason: "auto-merge"}},
		{"on a train", Settings{MergeTrains: true}, nil, promote.Mergeability{Merge: promote.MergeQueued, Reason: "merge train"}},
		{
			"set to merge, and blocked since",
			Settings{},
			map[string]any{"detailed_merge_status": "conflict"},
			promote.Mergeability{Merge: promote.MergeQueued, Reason: "auto-merge, which waits: conflict"},
		},
		{
			"merged since",
			Settings{MergeTrains: true},
			map[string]any{"state": "merged"},
			promote.Mergeability{Merge: promote.MergeBlocked, Reason: "not_open"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			fields := map[string]any{"merge_when_pipeline_succeeds": true}
			maps.Copy(fields, test.fields)
			f, s := play(t, map[string][]answer{"GET " + project + "/merge_requests": {{Status: 200, Body: "[" + mr(t, fields) + "]"}}})
			f.settings = test.settings
			got, err := f.OpenChanges(t.Context())
			if err != nil || len(got) != 1 || got[0].Mergeability != test.want || len(s.Got) != 1 {
				t.Errorf("got %+v, %v by %d requests", got, err, len(s.Got))
			}
		})
	}
}

// TestTrainsTellWhatTheyTest to a process that starts: webhooks told another one.
func TestTrainsTellWhatTheyTest(t *testing.T) {
	const cars = "GET …/merge_trains/main"
	aboard := answer{Status: 200, Body: `[
		{"merge_request":{"iid":5},"pipeline":{"sha":"` + string(other) + `","status":"success"}},
		{"merge_request":{"iid":7},"pipeline":{"sha":"` + string(head) + `","status":"running"}},
		{"merge_request":{"iid":8},"pipeline":{"sha":"main","status":"running"}},
		{"merge_request":{"iid":9},"pipeline":null},
		{"pipeline":{"sha":"` + string(head) + `","status":"running"}}]`}
	for _, test := range []struct {
		name   string
		trains bool
		answer answer
		want   []promote.Event
		is     error
	}{
		{"what is not tested to the end", true, aboard, []promote.Event{{Kind: promote.EventQueue, Branch: "main", Head: head, Change: 7}}, nil},
		{"an empty train", true, answer{Status: 200, Body: `[]`}, nil, nil},
		{"a train that cannot be read", true, answer{Status: 403, Body: `{}`}, nil, promote.ErrForbidden},
		{"a project without trains", false, answer{}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := map[string][]answer{}
			if test.trains {
				script[cars] = []answer{test.answer}
			}
			f, _ := play(t, script)
			f.settings, f.settingsAt = Settings{MergeTrains: test.trains}, testNow
			got, err := f.Queued(t.Context(), "main", nil)
			if !errors.Is(err, test.is) {
				t.Errorf("got %v, want %v", err, test.is)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
