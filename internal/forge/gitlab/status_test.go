package gitlab

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	statusesRoute = "GET " + project + "/repository/commits/" + string(head) + "/statuses"
	postRoute     = "POST " + project + "/statuses/" + string(head)
)

var (
	bot      = answer{Status: 200, Body: `{"id":42,"username":"lockkeeper-bot"}`}
	plain    = answer{Status: 200, Body: `{"merge_pipelines_enabled":false}`}
	merging  = answer{Status: 200, Body: `{"merge_pipelines_enabled":true}`}
	accepted = answer{Status: 201, Body: `{"id":1}`}
)

func gates(state promote.StatusState) promote.PostStatus {
	return promote.PostStatus{
		Change: 7, Head: head, Branch: "lockkeeper/develop/dev",
		Status: promote.Status{Name: promote.StatusName, State: state, Description: "2 gates wait", URL: "https://bot.example.com/7"},
	}
}

func TestStatusIsOurOwnNewest(t *testing.T) {
	for _, test := range []struct {
		name  string
		body  string
		want  promote.Status
		found bool
	}{
		{"none was posted", `[]`, promote.Status{}, false},
		{"only somebody else's", `[{"id":9,"name":"lockkeeper/gates","status":"success","author":{"id":1}}]`, promote.Status{}, false},
		{"only of another name", `[{"id":9,"name":"build","status":"success","author":{"id":42}}]`, promote.Status{}, false},
		{
			"one in a pipeline that a newer one took the place of",
			`[{"id":9,"name":"build","status":"running","pipeline_id":31,"author":{"id":1}},
			  {"id":5,"name":"lockkeeper/gates","status":"success","pipeline_id":30,"author":{"id":42}}]`,
			promote.Status{},
			false,
		},
		{
			"one in the newest of several pipelines",
			`[{"id":9,"name":"build","status":"running","pipeline_id":30,"author":{"id":1}},
			  {"id":5,"name":"lockkeeper/gates","status":"success","pipeline_id":31,"author":{"id":42}}]`,
			promote.Status{Name: "lockkeeper/gates", State: promote.StatusSuccess},
			true,
		},
		{
			"the newest of ours",
			`[{"id":3,"name":"lockkeeper/gates","status":"failed","author":{"id":42}},
			  {"id":5,"name":"lockkeeper/gates","status":"running","description":"waits","target_url":"https://x","author":{"id":42},"coverage":"98.2"},
			  {"id":9,"name":"lockkeeper/gates","status":"success","author":{"id":1}}]`,
			promote.Status{Name: "lockkeeper/gates", State: promote.StatusPending, Description: "waits", URL: "https://x"},
			true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := map[string][]answer{statusesRoute: {{Status: 200, Body: test.body}}}
			if strings.Contains(test.body, "lockkeeper/gates") && test.name != "one in a pipeline that a newer one took the place of" {
				script["GET /api/v4/user"] = []answer{bot}
			}
			f, s := play(t, script)
			got, found, err := f.Status(t.Context(), head, promote.StatusName)
			if err != nil {
				t.Fatal(err)
			}
			if found != test.found {
				t.Errorf("found is %t", found)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if want := statusesRoute + "?order_by=pipeline_id&per_page=100&sort=desc"; s.Got[0].Route != want {
				t.Errorf("got %s, want %s", s.Got[0].Route, want)
			}
		})
	}
}

func TestStatusWords(t *testing.T) {
	for word, want := range map[string]promote.StatusState{
		"success": promote.StatusSuccess, "failed": promote.StatusFailed, "canceled": promote.StatusFailed, "skipped": promote.StatusFailed,
		"manual": promote.StatusFailed, "pending": promote.StatusPending, "running": promote.StatusPending, "created": promote.StatusPending,
		"a_word_of_tomorrow": promote.StatusPending,
	} {
		if got := statusState(word); got != want {
			t.Errorf("%s: got %s, want %s", word, got, want)
		}
	}
}

func TestPostStatus(t *testing.T) {
	locked := answer{Status: 409, Body: `{"message":"Another update to this commit status is in progress"}`}
	same := func(from string) answer {
		return answer{Status: 400, Body: `{"message":"Cannot transition status via :x from :` + from + ` (Reason(s): Status cannot transition via \"x\")"}`}
	}
	for _, test := range []struct {
		name    string
		state   promote.StatusState
		answers []answer
		is      error
		waits   int
	}{
		{"it is accepted", promote.StatusPending, []answer{accepted}, nil, 0},
		{"it is pending already", promote.StatusPending, []answer{same("pending")}, nil, 0},
		{"it is running already, which is pending to us", promote.StatusPending, []answer{same("running")}, nil, 0},
		{"it is success already", promote.StatusSuccess, []answer{same("success")}, nil, 0},
		{"it is failed already", promote.StatusFailed, []answer{same("failed")}, nil, 0},
		{"it is something else that GitLab does not leave", promote.StatusSuccess, []answer{same("canceled")}, promote.ErrInvalid, 0},
		{"a CI job has the name", promote.StatusPending, []answer{{Status: 400, Body: `{"message":{"name":["has already been taken"]}}`}}, promote.ErrInvalid, 0},
		{"the commit is locked for a moment", promote.StatusPending, []answer{locked, locked, accepted}, nil, 2},
		{"the commit stays locked", promote.StatusPending, []answer{locked, locked, locked, locked, locked, locked, locked, locked}, promote.ErrConflict, 7},
		{"the branch is protected", promote.StatusPending, []answer{{Status: 403, Body: `{"message":"403 Forbidden"}`}}, promote.ErrForbidden, 0},
		{"the commit is unknown", promote.StatusPending, []answer{{Status: 404, Body: `{"message":"404 Commit Not Found"}`}}, promote.ErrNotFound, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, map[string][]answer{"GET " + project: {plain}, postRoute: test.answers})
			err := f.PostStatus(t.Context(), gates(test.state))
			if !errors.Is(err, test.is) {
				t.Errorf("got %v, want %v", err, test.is)
			}
			if len(s.Waits) != test.waits {
				t.Errorf("waited %v", s.Waits)
			}
			for i, wait := range s.Waits {
				least := min(100*time.Millisecond<<i, 2*time.Second)
				if wait < least || wait > least*3/2 {
					t.Errorf("wait %d is %s", i, wait)
				}
			}
			want := `{"state":"` + map[promote.StatusState]string{0: "pending", 1: "success", 2: "failed"}[test.state] +
				`","ref":"lockkeeper/develop/dev","name":"lockkeeper/gates","target_url":"https://bot.example.com/7","description":"2 gates wait"}`
			if got := s.Got[1].Body; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestPostStatusAsksForSettingsOnce(t *testing.T) {
	f, s := play(t, map[string][]answer{"GET " + project: {plain}, postRoute: {accepted, accepted}})
	for range 2 {
		if err := f.PostStatus(t.Context(), gates(promote.StatusPending)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"GET …", "POST …/statuses/" + string(head), "POST …/statuses/" + string(head)}, s.Routes()); diff != "" {
		t.Error(diff)
	}
}

func TestPostStatusFitsGitLab(t *testing.T) {
	f, s := play(t, map[string][]answer{postRoute: {accepted}})
	posted := gates(promote.StatusSuccess)
	posted.Change = 0
	posted.Status.Description = strings.Repeat("ü", 300)
	posted.Status.URL = "javascript:alert(1)"
	if err := f.PostStatus(t.Context(), posted); err != nil {
		t.Fatal(err)
	}
	want := `{"state":"success","ref":"lockkeeper/develop/dev","name":"lockkeeper/gates","description":"` + strings.Repeat("ü", 254) + `…"}`
	if s.Got[0].Body != want {
		t.Errorf("got %s, want %s", s.Got[0].Body, want)
	}
}

func TestPostStatusWhereMergeResultsAreTested(t *testing.T) {
	pipeline := map[string]any{"head_pipeline": map[string]any{"id": 31, "sha": other}}
	ownPipeline := map[string]any{"head_pipeline": map[string]any{"id": 30, "sha": head}}
	movedStatuses := "GET " + project + "/repository/commits/" + string(other) + "/statuses"
	movedPost := "POST " + project + "/statuses/" + string(other)
	known := answer{Status: 200, Body: `[{"id":1,"name":"lockkeeper/gates","status":"pending","description":"2 gates wait","target_url":"https://bot.example.com/7","author":{"id":42}}]`}
	for _, test := range []struct {
		name   string
		script map[string][]answer
		body   string // of the post; empty: none
		is     error
	}{
		{
			"it is posted into the head pipeline",
			map[string][]answer{"GET " + project + "/merge_requests/7": {{Status: 200, Body: mr(t, pipeline)}}, movedStatuses: {{Status: 200, Body: "[]"}}, movedPost: {accepted}},
			`{"state":"pending","name":"lockkeeper/gates","target_url":"https://bot.example.com/7","description":"2 gates wait","pipeline_id":31}`, nil,
		},
		{
			"it stands there already",
			map[string][]answer{"GET " + project + "/merge_requests/7": {{Status: 200, Body: mr(t, pipeline)}}, movedStatuses: {known}, "GET /api/v4/user": {bot}},
			"", nil,
		},
		{
			"the head pipeline is that of the head",
			map[string][]answer{"GET " + project + "/merge_requests/7": {{Status: 200, Body: mr(t, ownPipeline)}}, statusesRoute: {{Status: 200, Body: "[]"}}, postRoute: {accepted}},
			`{"state":"pending","name":"lockkeeper/gates","target_url":"https://bot.example.com/7","description":"2 gates wait","pipeline_id":30}`, nil,
		},
		{
			"there is no pipeline",
			map[string][]answer{"GET " + project + "/merge_requests/7": {{Status: 200, Body: mr(t, map[string]any{"head_pipeline": nil})}}, postRoute: {accepted}},
			`{"state":"pending","ref":"lockkeeper/develop/dev","name":"lockkeeper/gates","target_url":"https://bot.example.com/7","description":"2 gates wait"}`, nil,
		},
		{
			"the head moved",
			map[string][]answer{"GET " + project + "/merge_requests/7": {{Status: 200, Body: mr(t, map[string]any{"sha": other})}}},
			"", promote.ErrStale,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.script["GET "+project] = []answer{merging}
			f, s := play(t, test.script)
			err := f.PostStatus(t.Context(), gates(promote.StatusPending))
			if !errors.Is(err, test.is) {
				t.Errorf("got %v, want %v", err, test.is)
			}
			body := ""
			if last := s.Got[len(s.Got)-1]; strings.HasPrefix(last.Route, "POST") {
				body = last.Body
			}
			if body != test.body {
				t.Errorf("got %s, want %s", body, test.body)
			}
		})
	}
}

func TestStatusIsReadWhereItWasPosted(t *testing.T) {
	request := "GET " + project + "/merge_requests/7"
	in := func(pipeline int, sha promote.Commit) answer {
		return answer{Status: 200, Body: mr(t, map[string]any{"head_pipeline": map[string]any{"id": pipeline, "sha": sha}})}
	}
	const third = promote.Commit("1111111111111111111111111111111111111111")
	for _, test := range []struct {
		name   string
		script map[string][]answer // of Status
		found  bool
		asked  int // requests of Status
	}{
		{"the pipeline is the same: it need not be looked at", map[string][]answer{request: {in(31, other)}}, true, 1},
		{
			"another merge result took its place, without our status",
			map[string][]answer{request: {in(32, third)}, "GET " + project + "/repository/commits/" + string(third) + "/statuses": {{Status: 200, Body: "[]"}}},
			false, 2,
		},
		{
			"another pipeline took its place, and our status is there",
			map[string][]answer{request: {in(32, third)}, "GET " + project + "/repository/commits/" + string(third) + "/statuses": {
				{Status: 200, Body: `[{"id":1,"name":"lockkeeper/gates","status":"pending","pipeline_id":32,"author":{"id":42}}]`},
			}, "GET /api/v4/user": {bot}},
			true, 3,
		},
		{"the head moved", map[string][]answer{request: {{Status: 200, Body: mr(t, map[string]any{"sha": third})}}}, false, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, map[string][]answer{
				"GET " + project: {merging},
				request:          {in(31, other)},
				"GET " + project + "/repository/commits/" + string(other) + "/statuses": {{Status: 200, Body: "[]"}},
				"POST " + project + "/statuses/" + string(other):                        {accepted},
			})
			if err := f.PostStatus(t.Context(), gates(promote.StatusPending)); err != nil {
				t.Fatal(err)
			}
			s.Script, s.Got = test.script, nil
			got, found, err := f.Status(t.Context(), head, promote.StatusName)
			if err != nil || found != test.found || found && got.State != promote.StatusPending || len(s.Got) != test.asked {
				t.Errorf("got %+v, %t, %v by %v", got, found, err, s.Routes())
			}
		})
	}
}

func TestStatusInALargePipelineIsFoundByName(t *testing.T) {
	row := `{"id":9,"name":"job","status":"running","pipeline_id":31,"author":{"id":1}}`
	f, s := play(t, map[string][]answer{statusesRoute: {
		{Status: 200, Body: "[" + strings.Join(slices.Repeat([]string{row}, perPage), ",") + "]"},
		{Status: 200, Body: `[{"id":1,"name":"lockkeeper/gates","status":"success","pipeline_id":31,"author":{"id":42}}]`},
	}, "GET /api/v4/user": {bot}})
	_, found, err := f.Status(t.Context(), head, promote.StatusName)
	if err != nil || !found {
		t.Errorf("got %t, %v", found, err)
	}
	if want := statusesRoute + "?name=lockkeeper%2Fgates&order_by=id&per_page=100&pipeline_id=31&sort=desc"; s.Got[1].Route != want {
		t.Errorf("got %s, want %s", s.Got[1].Route, want)
	}
}

// TestStatusFollowsTheHeadPipeline: a pipeline of CI that begins after our status takes the place of the one it stands in.
func TestStatusFollowsTheHeadPipeline(t *testing.T) {
	f, s := play(t, map[string][]answer{
		"GET " + project: {plain},
		statusesRoute: {
			{Status: 200, Body: `[{"id":9,"name":"build","status":"running","pipeline_id":31,"author":{"id":1}}]`},
			{Status: 200, Body: "[]"},
		},
		"GET " + project + "/merge_requests/7": {{Status: 200, Body: mr(t, map[string]any{"head_pipeline": map[string]any{"id": 31, "sha": head}})}},
		postRoute:                              {accepted, accepted},
	})
	if err := f.PostStatus(t.Context(), gates(promote.StatusPending)); err != nil {
		t.Fatal(err)
	}
	if _, found, err := f.Status(t.Context(), head, promote.StatusName); err != nil || found {
		t.Fatalf("got %t, %v", found, err)
	}
	if err := f.PostStatus(t.Context(), gates(promote.StatusPending)); err != nil {
		t.Fatal(err)
	}
	if last := s.Got[len(s.Got)-1]; !strings.Contains(last.Body, `"pipeline_id":31`) || strings.Contains(last.Body, `"ref"`) {
		t.Errorf("posted %s", last.Body)
	}
}

// TestStatusOfATrain: the commit that a merge train tests is on no branch; GitLab puts the status into the newest pipeline of it.
func TestStatusOfATrain(t *testing.T) {
	f, s := play(t, map[string][]answer{"POST " + project + "/statuses/" + string(other): {accepted}})
	posted := gates(promote.StatusSuccess)
	posted.Head, posted.Branch = other, ""
	if err := f.PostStatus(t.Context(), posted); err != nil {
		t.Fatal(err)
	}
	if want := `{"state":"success","name":"lockkeeper/gates","target_url":"https://bot.example.com/7","description":"2 gates wait"}`; s.Got[0].Body != want {
		t.Errorf("got %s, want %s", s.Got[0].Body, want)
	}
}

func TestStatusNeedsACommit(t *testing.T) {
	f, _ := play(t, nil)
	if _, _, err := f.Status(t.Context(), "", "x"); !errors.Is(err, promote.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if err := f.PostStatus(t.Context(), promote.PostStatus{}); !errors.Is(err, promote.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// TestAStatusOnACommitOfATrainIsFoundThere: the commit is no head of a change, so that there is nothing else to look at.
func TestAStatusOnACommitOfATrainIsFoundThere(t *testing.T) {
	posted := gates(promote.StatusPending)
	posted.Branch = ""
	body := `[{"id":5,"name":"lockkeeper/gates","status":"pending","description":"2 gates wait","target_url":"https://bot.example.com/7","author":{"id":42}}]`
	f, s := play(t, map[string][]answer{
		postRoute:          {accepted},
		statusesRoute:      {{Status: 200, Body: body}},
		"GET /api/v4/user": {bot},
	})
	f.settings, f.settingsAt = Settings{MergedResults: true, MergeTrains: true}, testNow
	if err := f.PostStatus(t.Context(), posted); err != nil {
		t.Fatal(err)
	}
	if got, found, err := f.Status(t.Context(), head, promote.StatusName); err != nil || !found || got != posted.Status {
		t.Errorf("got %+v, found %t, %v, by %q", got, found, err, s.Routes())
	}
}
