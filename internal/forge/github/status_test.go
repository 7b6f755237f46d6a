package github

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	statusesPath = "GET …/commits/" + string(head) + "/statuses"
	postPath     = "POST …/statuses/" + string(head)
)

func gates(state promote.StatusState) promote.PostStatus {
	return promote.PostStatus{
		Change: 7, Head: head, Branch: "lockkeeper/develop/dev",
		Status: promote.Status{Name: promote.StatusName, State: state, Description: "2 of 7 gates pass", URL: "https://lockkeeper.example.com"},
	}
}

func statusJSON(t *testing.T, state, login string, id int, fields map[string]any) map[string]any {
	t.Helper()
	all := map[string]any{
		"context": "lockkeeper/gates", "state": state, "description": "2 of 7 gates pass", "target_url": "https://lockkeeper.example.com",
		"creator": map[string]any{"id": id, "login": login},
	}
	maps.Copy(all, fields)
	return all
}

func TestStatus(t *testing.T) {
	ours := func(state string) map[string]any { return statusJSON(t, state, "lockkeeper-bot", 42, nil) }
	for _, test := range []struct {
		name   string
		listed []map[string]any
		want   promote.StatusState
		found  bool
		asks   int // requests
	}{
		{"none", nil, 0, false, 1},
		{"only others", []map[string]any{statusJSON(t, "success", "ci", 9, map[string]any{"context": "ci/build"})}, 0, false, 1},
		{"pending", []map[string]any{ours("pending"), ours("success")}, promote.StatusPending, true, 2},
		{"success", []map[string]any{ours("success")}, promote.StatusSuccess, true, 2},
		{"failed", []map[string]any{ours("failure")}, promote.StatusFailed, true, 2},
		{"broken", []map[string]any{ours("error")}, promote.StatusFailed, true, 2},
		{"a word that is new has not passed", []map[string]any{ours("shining")}, promote.StatusPending, true, 2},
		{"in another case, which GitHub does not tell apart", []map[string]any{statusJSON(t, "success", "lockkeeper-bot", 42, map[string]any{"context": "Lockkeeper/Gates"})}, promote.StatusSuccess, true, 2},
		{"somebody else posted over ours", []map[string]any{statusJSON(t, "success", "mallory", 66, nil), ours("pending")}, 0, false, 2},
		{"somebody who took our old name", []map[string]any{statusJSON(t, "success", "lockkeeper-bot", 66, nil)}, 0, false, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := map[string][]answer{statusesPath: {ok(adaptertest.JSON(t, append([]map[string]any{}, test.listed...)))}}
			if test.asks == 2 {
				script["Viewer"] = []answer{ok(viewerJSON)}
			}
			f, s := play(t, script)
			got, found, err := f.Status(t.Context(), head, promote.StatusName)
			if err != nil || found != test.found || got.State != test.want || len(s.Got) != test.asks {
				t.Errorf("got %+v, %t, %v by %v", got, found, err, s.Routes())
			}
		})
	}
}

// TestAStatusBehindManyOthers: GitHub lists 100 on a page, those of all names.
func TestAStatusBehindManyOthers(t *testing.T) {
	page := func(next int, statuses ...map[string]any) answer {
		for i := len(statuses); i < perPage; i++ {
			statuses = append(statuses, statusJSON(t, "success", "ci", 9, map[string]any{"context": "ci/build"}))
		}
		made := ok(adaptertest.JSON(t, statuses))
		if next > 0 {
			made.Header = map[string]string{"Link": fmt.Sprintf(`<https://api.github.com/repositories/1/statuses/x?page=%d>; rel="next"`, next)}
		}
		return made
	}
	ours := statusJSON(t, "success", "lockkeeper-bot", 42, nil)
	var endless []answer
	for i := range maxReportedPages {
		endless = append(endless, page(i+2))
	}
	for _, test := range []struct {
		name  string
		pages []answer
		found bool
	}{
		{"on the first page", []answer{page(2, ours)}, true},
		{"on the third page", []answer{page(2), page(3), page(0, ours)}, true},
		{"on none", []answer{page(2), page(0)}, false},
		{"not on those that are read", endless, false},
		{"a link that leads back", []answer{page(1)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := map[string][]answer{statusesPath: test.pages}
			if test.found {
				script["Viewer"] = []answer{ok(viewerJSON)}
			}
			f, s := play(t, script)
			if _, found, err := f.Status(t.Context(), head, promote.StatusName); err != nil || found != test.found {
				t.Errorf("found %t, %v by %v", found, err, s.Routes())
			}
		})
	}
}

func TestPostStatus(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, test := range []struct {
		name   string
		posted func(*promote.PostStatus)
		want   string
	}{
		{"pending", func(p *promote.PostStatus) { p.Status.State = promote.StatusPending }, `{"context":"lockkeeper/gates","description":"2 of 7 gates pass","state":"pending","target_url":"https://lockkeeper.example.com"}`},
		{"success", func(p *promote.PostStatus) { p.Status.State = promote.StatusSuccess }, `{"context":"lockkeeper/gates","description":"2 of 7 gates pass","state":"success","target_url":"https://lockkeeper.example.com"}`},
		{"failed", func(p *promote.PostStatus) { p.Status.State = promote.StatusFailed }, `{"context":"lockkeeper/gates","description":"2 of 7 gates pass","state":"failure","target_url":"https://lockkeeper.example.com"}`},
		{"a link that GitHub does not take", func(p *promote.PostStatus) { p.Status.URL = "javascript:alert(1)" }, `{"context":"lockkeeper/gates","description":"2 of 7 gates pass","state":"pending"}`},
		{"a description that is too long", func(p *promote.PostStatus) { p.Status.URL, p.Status.Description = "", long }, `{"context":"lockkeeper/gates","description":"` + long[:139] + `…","state":"pending"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, map[string][]answer{postPath: {created("{}")}})
			posted := gates(promote.StatusPending)
			test.posted(&posted)
			for range 2 { // The second time it is known to be there.
				if err := f.PostStatus(t.Context(), posted); err != nil {
					t.Error(err)
				}
			}
			if got := s.Sent(postPath); got != test.want {
				t.Errorf("sent %s", got)
			}
		})
	}
}

func TestPostStatusFails(t *testing.T) {
	list := func(state string) answer {
		return ok(adaptertest.JSON(t, []any{statusJSON(t, state, "lockkeeper-bot", 42, nil)}))
	}
	for _, test := range []struct {
		name   string
		script map[string][]answer
		fails  bool
	}{
		{"an answer that was lost: it is there", map[string][]answer{postPath: {lost}, statusesPath: {list("success")}, "Viewer": {ok(viewerJSON)}}, false},
		{"an answer that was lost: it is not there", map[string][]answer{postPath: {lost}, statusesPath: {list("pending")}, "Viewer": {ok(viewerJSON)}}, true},
		{"refused", map[string][]answer{postPath: {{Status: 422, Body: `{"message":"No commit found for SHA"}`}}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, test.script)
			if err := f.PostStatus(t.Context(), gates(promote.StatusSuccess)); (err != nil) != test.fails {
				t.Errorf("got %v", err)
			}
		})
	}
	f, _ := play(t, nil)
	if err := f.PostStatus(t.Context(), promote.PostStatus{}); !errors.Is(err, promote.ErrInvalid) {
		t.Errorf("without a head: %v", err)
	}
	if _, _, err := f.Status(t.Context(), "", "x"); !errors.Is(err, promote.ErrInvalid) {
		t.Errorf("without a head: %v", err)
	}
}

// TestALongDescriptionIsRecognised: GitHub keeps 140 characters, and what is read must not look like something else.
func TestALongDescriptionIsRecognised(t *testing.T) {
	posted := gates(promote.StatusPending)
	posted.Status.Description = strings.Repeat("x", 200)
	stored := ok(adaptertest.JSON(t, []any{statusJSON(t, "pending", "lockkeeper-bot", 42, map[string]any{"description": strings.Repeat("x", 139) + "…"})}))
	f, s := play(t, map[string][]answer{statusesPath: {stored, stored}, "Viewer": {ok(viewerJSON)}})
	if got, _, err := f.Status(t.Context(), head, promote.StatusName); err != nil || len(got.Description) > 150 {
		t.Errorf("after a restart: got %+v, %v", got, err)
	}
	if err := f.PostStatus(t.Context(), posted); err != nil {
		t.Error(err)
	}
	got, found, err := f.Status(t.Context(), head, promote.StatusName)
	if err != nil || !found || got != posted.Status {
		t.Errorf("got %+v, %t, %v", got, found, err)
	}
	if diff := cmp.Diff([]string{statusesPath, "Viewer", statusesPath}, s.Routes()); diff != "" {
		t.Error(diff)
	}
}

// TestFromOpenChangesToAGatedChange counts what one promotion costs: at most five requests, with statuses and with check runs.
func TestFromOpenChangesToAGatedChange(t *testing.T) {
	none := ok(changesJSON(t, ""))
	fresh := created(pullJSON(t, map[string]any{"labels": []any{}}))
	statuses := map[string][]answer{
		"OpenChanges": {none}, "POST …/pulls": {fresh}, "PATCH …/issues/7": {ok("{}")}, statusesPath: {ok("[]")}, postPath: {created("{}")},
	}
	runs := map[string][]answer{
		"OpenChanges": {none}, "POST …/pulls": {fresh}, "PATCH …/issues/7": {ok("{}")}, runsPath: {ok(`{"check_runs":[]}`)}, "POST …/check-runs": {created(`{"id":1}`)},
		"GET …/installation": {ok(installedJSON)}, "POST /app/installations/3/access_tokens": {tokenAnswer("ghs_one", testNow.Add(hour))},
	}
	var app *server
	for name, play := range map[string]func() (*Forge, *server){
		"statuses":   func() (*Forge, *server) { return play(t, statuses) },
		"check runs": func() (*Forge, *server) { f, s := playApp(t, &app, runs); f.checks = true; return f, s },
	} {
		t.Run(name, func(t *testing.T) {
			f, s := play()
			if f.app != nil { // A token is made once an hour, for all promotions.
				if _, _, err := f.app.Token(t.Context(), "acme/shop"); err != nil {
					t.Fatal(err)
				}
				s.Got = nil
			}
			if _, err := f.OpenChanges(t.Context()); err != nil {
				t.Error(err)
			}
			change, err := f.Open(t.Context(), testDraft())
			if err != nil {
				t.Error(err)
			}
			if _, _, err := f.Status(t.Context(), change.Head, promote.StatusName); err != nil {
				t.Error(err)
			}
			if err := f.PostStatus(t.Context(), gates(promote.StatusPending)); err != nil {
				t.Error(err)
			}
			if len(s.Got) > 5 {
				t.Errorf("%d requests: %v", len(s.Got), s.Routes())
			}
		})
	}
}
