package github

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	hour     = time.Hour
	runsPath = "GET …/commits/" + string(head) + "/check-runs"
)

// playChecks is play for an App that posts check runs and has its token.
func playChecks(t *testing.T, script map[string][]answer) (*Forge, *server) {
	t.Helper()
	script["GET …/installation"] = []answer{ok(installedJSON)}
	script["POST /app/installations/3/access_tokens"] = []answer{tokenAnswer("ghs_one", testNow.Add(hour))}
	var s *server
	f, s := playApp(t, &s, script)
	f.checks = true
	if _, _, err := f.app.Token(t.Context(), "acme/shop"); err != nil {
		t.Fatal(err)
	}
	s.Got = nil
	return f, s
}

func runJSON(t *testing.T, fields map[string]any) string {
	t.Helper()
	all := map[string]any{
		"id": 5, "name": "lockkeeper/gates", "status": "in_progress", "conclusion": nil, "details_url": "https://github.com/apps/lockkeeper",
		"external_id": "lockkeeper/7/e3b0c44298fc", "output": map[string]any{"title": "2 of 7 gates pass", "summary": "…", "annotations_count": 0},
		"app": map[string]any{"id": 17},
	}
	maps.Copy(all, fields)
	return adaptertest.JSON(t, all)
}

func runs(all ...string) answer { return ok(`{"check_runs":[` + strings.Join(all, ",") + `]}`) }

func TestStatusOfACheckRun(t *testing.T) {
	for _, test := range []struct {
		name  string
		runs  []string
		want  promote.StatusState
		found bool
	}{
		{"none", nil, 0, false},
		{"in progress", []string{runJSON(t, nil)}, promote.StatusPending, true},
		{"success", []string{runJSON(t, map[string]any{"status": "completed", "conclusion": "success"})}, promote.StatusSuccess, true},
		{"failure", []string{runJSON(t, map[string]any{"status": "completed", "conclusion": "failure"})}, promote.StatusFailed, true},
		{"a conclusion that is new has not passed", []string{runJSON(t, map[string]any{"status": "completed", "conclusion": "shining"})}, promote.StatusFailed, true},
		{"the newest of several", []string{runJSON(t, map[string]any{"id": 4, "status": "completed", "conclusion": "success"}), runJSON(t, map[string]any{"id": 6})}, promote.StatusPending, true},
		{"that of another App is not ours", []string{runJSON(t, map[string]any{"app": map[string]any{"id": 15368}})}, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := playChecks(t, map[string][]answer{runsPath: {runs(test.runs...)}})
			got, found, err := f.Status(t.Context(), head, promote.StatusName)
			if err != nil || found != test.found || got.State != test.want {
				t.Errorf("got %+v, %t, %v", got, found, err)
			}
			if want := runsPath + "?app_id=17&check_name=lockkeeper%2Fgates&filter=latest&per_page=100"; s.Got[0].Route != want {
				t.Errorf("asked for %s", s.Got[0].Route)
			}
		})
	}
}

func TestPostCheckRun(t *testing.T) {
	ended := runJSON(t, map[string]any{"status": "completed", "conclusion": "failure"})
	annotated := runJSON(t, map[string]any{"external_id": "lockkeeper/7/other", "output": map[string]any{"title": "x", "annotations_count": 3}})
	for _, test := range []struct {
		name  string
		state promote.StatusState
		runs  []string
		want  []string
		part  string // of what is sent
	}{
		{"none is there: made", promote.StatusPending, nil, []string{runsPath, "POST …/check-runs"}, `"status":"in_progress"`},
		{"the same is there: nothing", promote.StatusPending, []string{runJSON(t, nil)}, []string{runsPath}, ""},
		{"it ends: changed", promote.StatusSuccess, []string{runJSON(t, nil)}, []string{runsPath, "PATCH …/check-runs/5"}, `"conclusion":"success"`},
		{"it ends otherwise: changed", promote.StatusSuccess, []string{ended}, []string{runsPath, "PATCH …/check-runs/5"}, `"conclusion":"success"`},
		{"it begins again: made anew", promote.StatusPending, []string{ended}, []string{runsPath, "POST …/check-runs"}, `"head_sha":"` + string(head) + `"`},
		{"other annotations, which cannot be taken back: made anew", promote.StatusSuccess, []string{annotated}, []string{runsPath, "POST …/check-runs"}, `"conclusion":"success"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := map[string][]answer{runsPath: {runs(test.runs...)}}
			last := test.want[len(test.want)-1]
			if len(test.want) > 1 {
				script[last] = []answer{created(runJSON(t, nil))}
			}
			f, s := playChecks(t, script)
			for range 2 { // The second time it is known to be there.
				if err := f.PostStatus(t.Context(), gates(test.state)); err != nil {
					t.Error(err)
				}
			}
			if diff := cmp.Diff(test.want, s.Routes()); diff != "" {
				t.Error(diff)
			}
			if got := s.Sent(last); !strings.Contains(got, test.part) {
				t.Errorf("sent %s", got)
			}
		})
	}
}

func TestWhatACheckRunShows(t *testing.T) {
	f, s := playChecks(t, map[string][]answer{runsPath: {runs()}, "POST …/check-runs": {created(runJSON(t, nil))}})
	posted := gates(promote.StatusFailed)
	posted.Summary = "| gate | verdict |"
	posted.Annotations = []promote.Annotation{
		{Path: "apps/frontend.yaml", Line: 3, Level: promote.AnnotationFailure, Title: "render", Message: "no such field"},
		{Path: "apps", Level: promote.AnnotationNotice, Title: "only a title"},
		{Path: "", Message: "nowhere, which GitHub would refuse"},
	}
	if err := f.PostStatus(t.Context(), posted); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(s.Sent("POST …/check-runs")), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"title": "2 of 7 gates pass", "summary": "| gate | verdict |",
		"annotations": []any{
			map[string]any{"path": "apps/frontend.yaml", "start_line": 3.0, "end_line": 3.0, "annotation_level": "failure", "title": "render", "message": "no such field"},
			map[string]any{"path": "apps", "start_line": 1.0, "end_line": 1.0, "annotation_level": "notice", "title": "only a title", "message": "only a title"},
		},
	}
	if diff := cmp.Diff(want, got["output"]); diff != "" {
		t.Error(diff)
	}
	for _, action := range checkActions {
		if len(action.Label) > 20 || len(action.Description) > 40 || len(action.Identifier) > 20 {
			t.Errorf("GitHub refuses the button %+v", action)
		}
	}
	if len(got["actions"].([]any)) != 3 {
		t.Errorf("got buttons %v", got["actions"])
	}
}

func manyAnnotations(n int) promote.PostStatus {
	posted := gates(promote.StatusFailed)
	for i := range n {
		posted.Annotations = append(posted.Annotations, promote.Annotation{Path: "a.yaml", Line: i + 1, Message: "x"})
	}
	return posted
}

func TestAnnotationsGoInPages(t *testing.T) {
	count := func(n int) string {
		notes, _ := annotations(manyAnnotations(120).Annotations)
		return runJSON(t, map[string]any{
			"status": "completed", "conclusion": "failure", "external_id": externalID(gates(0), notes), "output": map[string]any{"title": "2 of 7 gates pass", "annotations_count": n},
		})
	}
	for _, test := range []struct {
		name   string
		script map[string][]answer
		pages  []int // annotations in each request that has some
		fails  bool
	}{
		{"three", map[string][]answer{"POST …/check-runs": {created(count(50))}, "PATCH …/check-runs/5": {ok(count(100)), ok(count(120))}}, []int{50, 50, 20}, false},
		{
			"the answer to the first was lost, it is there",
			map[string][]answer{"POST …/check-runs": {lost}, "PATCH …/check-runs/5": {ok(count(100)), ok(count(120))}},
			[]int{50, 50, 20},
			false,
		},
		{
			"the answer to the second was lost, it is there",
			map[string][]answer{"POST …/check-runs": {created(count(50))}, "PATCH …/check-runs/5": {lost, ok(count(120))}, "GET …/check-runs/5": {ok(count(100))}},
			[]int{50, 50, 20},
			false,
		},
		{
			"the answer to the second was lost, it is not there",
			map[string][]answer{"POST …/check-runs": {created(count(50))}, "PATCH …/check-runs/5": {lost}, "GET …/check-runs/5": {ok(count(50))}},
			[]int{50, 50},
			true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.script[runsPath] = []answer{runs()}
			if test.script["POST …/check-runs"][0].Status == 0 {
				test.script[runsPath] = append(test.script[runsPath], runs(count(50)))
			}
			f, s := playChecks(t, test.script)
			if err := f.PostStatus(t.Context(), manyAnnotations(120)); (err != nil) != test.fails {
				t.Errorf("got %v", err)
			}
			var pages []int
			for _, got := range s.Got {
				if n := strings.Count(got.Body, `"path"`); n > 0 {
					pages = append(pages, n)
				}
			}
			if diff := cmp.Diff(test.pages, pages); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAnnotationsThatBrokeOffGoOn: as the loop does, which posts what is not there, until it is. The run has all but its annotations.
func TestAnnotationsThatBrokeOffGoOn(t *testing.T) {
	posted := manyAnnotations(120)
	notes, _ := annotations(posted.Annotations)
	has := func(n int) string {
		return runJSON(t, map[string]any{
			"status": "completed", "conclusion": "failure", "external_id": externalID(posted, notes),
			"output": map[string]any{"title": posted.Status.Description, "annotations_count": n},
		})
	}
	refused := answer{Status: http.StatusUnprocessableEntity, Body: `{"message":"Validation Failed"}`}
	for _, test := range []struct {
		name    string
		restart bool
	}{{"in the same process", false}, {"in another one", true}} {
		t.Run(test.name, func(t *testing.T) {
			f, s := playChecks(t, map[string][]answer{
				// Looked at by the loop, and once more before it is written.
				runsPath:               {runs(), runs(has(50)), runs(has(100)), runs(has(120))},
				"POST …/check-runs":    {created(has(50))},
				"PATCH …/check-runs/5": {refused, ok(has(100)), refused, ok(has(120))},
			})
			var pages []int
			for run := range 4 {
				_, found, err := f.Status(t.Context(), head, promote.StatusName)
				if err != nil || found != (run == 3) {
					t.Fatalf("run %d: found %t, %v", run, found, err)
				}
				if found {
					break
				}
				before := len(s.Got)
				if err := f.PostStatus(t.Context(), posted); (err == nil) != (run == 2) {
					t.Errorf("run %d: %v", run, err)
				}
				for _, got := range s.Got[before:] {
					pages = append(pages, strings.Count(got.Body, `"path"`))
				}
				if test.restart {
					clear(f.posted)
				}
			}
			if diff := cmp.Diff([]int{50, 50, 50, 20, 20}, pages); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAnnotationsAreNotAddedTwice when the verdict changes afterwards.
func TestAnnotationsAreNotAddedTwice(t *testing.T) {
	posted := manyAnnotations(70)
	notes, _ := annotations(posted.Annotations)
	has := func(n int) string {
		return runJSON(t, map[string]any{"external_id": externalID(posted, notes), "output": map[string]any{"title": "x", "annotations_count": n}})
	}
	f, s := playChecks(t, map[string][]answer{
		runsPath: {runs()}, "POST …/check-runs": {created(has(50))}, "PATCH …/check-runs/5": {ok(has(70)), ok(has(70))},
	})
	for _, state := range []promote.StatusState{promote.StatusFailed, promote.StatusFailed, promote.StatusSuccess} {
		posted.Status.State = state
		if err := f.PostStatus(t.Context(), posted); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(s.Sent("PATCH …/check-runs/5"), `"path"`); got != 0 || len(s.Got) != 4 {
		t.Errorf("%d annotations came with the verdict, by %v", got, s.Routes())
	}
}

func TestRunsThatLackAnnotations(t *testing.T) {
	for _, test := range []struct {
		external string
		has      int
		want     bool
	}{
		{"lockkeeper/7/e3b0c44298fc", 0, false},
		{"lockkeeper/7/e3b0c44298fc/120", 50, true},
		{"lockkeeper/7/e3b0c44298fc/120", 120, false},
		{"lockkeeper/7/e3b0c44298fc/120", 121, false},
		{"lockkeeper/7/e3b0c44298fc/9999999", maxAnnotations, false},
		{"lockkeeper/7/e3b0c44298fc/99999999999999999999", 0, false},
		{"lockkeeper/7/e3b0c44298fc/-1", 0, false},
		{"lockkeeper/7/e3b0c44298fc/x", 0, false},
		{"lockkeeper/7/e3b0c44298fc/120/1", 0, false},
		{"", 0, false},
	} {
		run := checkRun{ExternalID: test.external}
		run.Output.Annotations = test.has
		if run.partial() != test.want {
			t.Errorf("%q with %d: %t", test.external, test.has, !test.want)
		}
	}
}

func TestTooManyAnnotationsAreCounted(t *testing.T) {
	notes, left := annotations(manyAnnotations(maxAnnotations + 3).Annotations)
	if len(notes) != maxAnnotations || left != 3 {
		t.Errorf("%d and %d", len(notes), left)
	}
	if text := summary(gates(promote.StatusFailed), left); text != "2 of 7 gates pass\n\n3 more remarks on lines of files are not shown.\n" {
		t.Errorf("got %q", text)
	}
}

func TestACheckRunWhoseAnswerWasLost(t *testing.T) {
	f, s := playChecks(t, map[string][]answer{
		runsPath: {runs(), runs(runJSON(t, nil)), runs(runJSON(t, nil))}, "POST …/check-runs": {lost, created(runJSON(t, nil))}, "PATCH …/check-runs/5": {{Status: 502}, ok(runJSON(t, nil))},
	})
	if err := f.PostStatus(t.Context(), gates(promote.StatusPending)); err != nil {
		t.Errorf("it is there: %v", err)
	}
	if err := f.PostStatus(t.Context(), gates(promote.StatusSuccess)); err == nil {
		t.Error("it is not there, and no error")
	}
	s.Script["POST …/check-runs"] = nil
	s.Script[runsPath] = []answer{runs(runJSON(t, nil))}
	if err := f.PostStatus(t.Context(), gates(promote.StatusSuccess)); err != nil {
		t.Errorf("the next time: %v", err)
	}
	want := []string{runsPath, "POST …/check-runs", runsPath, "PATCH …/check-runs/5", runsPath, runsPath, "PATCH …/check-runs/5"}
	if diff := cmp.Diff(want, s.Routes()); diff != "" {
		t.Error(diff)
	}
}

// TestWithoutPermissionForCheckRunsStatusesArePosted, and GitHub is not asked for them again.
func TestWithoutPermissionForCheckRunsStatusesArePosted(t *testing.T) {
	lacks := answer{Status: 403, Body: `{"message":"Resource not accessible by integration"}`}
	for name, script := range map[string]map[string][]answer{
		"when they are read":    {runsPath: {lacks}, statusesPath: {ok("[]")}, postPath: {created("{}"), created("{}")}},
		"when they are written": {runsPath: {runs()}, "POST …/check-runs": {lacks}, postPath: {created("{}"), created("{}")}},
	} {
		t.Run(name, func(t *testing.T) {
			f, s := playChecks(t, script)
			for _, state := range []promote.StatusState{promote.StatusPending, promote.StatusSuccess} {
				if err := f.PostStatus(t.Context(), gates(state)); err != nil {
					t.Error(err)
				}
			}
			if posts := strings.Count(fmt.Sprint(s.Routes()), postPath); posts != 2 {
				t.Errorf("asked %v", s.Routes())
			}
		})
	}
}

// TestAPermissionThatWasGrantedIsNoticed after an hour. The head that has a commit status keeps to it.
func TestAPermissionThatWasGrantedIsNoticed(t *testing.T) {
	lacks := answer{Status: 403, Body: `{"message":"Resource not accessible by integration"}`}
	run := created(runJSON(t, nil))
	f, s := playChecks(t, map[string][]answer{
		runsPath: {lacks}, statusesPath: {ok("[]")}, postPath: {created("{}"), created("{}"), created("{}")}, "POST …/check-runs": {run},
		"GET …/commits/" + string(other) + "/check-runs": {runs()}, "GET …/commits/" + string(other) + "/statuses": {ok("[]")},
	})
	post := func(head promote.Commit, state promote.StatusState) {
		t.Helper()
		posted := gates(state)
		posted.Head = head
		if err := f.PostStatus(t.Context(), posted); err != nil {
			t.Error(err)
		}
	}
	s.Script["POST /app/installations/3/access_tokens"] = []answer{tokenAnswer("ghs_two", testNow.Add(2*hour))}
	post(head, promote.StatusPending)
	s.At = s.Peek().Add(lackingHolds - time.Second)
	post(head, promote.StatusFailed)
	s.At = s.Peek().Add(time.Second)
	post(other, promote.StatusPending) // a check run
	post(head, promote.StatusSuccess)  // a commit status still
	f.posted = nil                     // as after very many other heads
	s.Script[statusesPath] = []answer{ok(adaptertest.JSON(t, []map[string]any{statusJSON(t, "success", "lockkeeper[bot]", 42, nil)}))}
	s.Script["GET /app"] = []answer{ok(`{"slug":"lockkeeper"}`)}
	s.Script[runsPath] = []answer{runs()}
	post(head, promote.StatusSuccess)
	routes := s.Routes()
	if n := strings.Count(fmt.Sprint(routes), postPath); n != 3 || !slices.Contains(routes, "POST …/check-runs") {
		t.Errorf("asked %q", routes)
	}
}
