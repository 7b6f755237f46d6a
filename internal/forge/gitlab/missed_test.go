package gitlab

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/promote"
)

const eventsRoute = "GET " + project + "/events"

// asking is play without GitLab's description, which does not know of events.
func asking(t *testing.T, answers ...answer) (*Forge, *server) {
	t.Helper()
	s := newServer(t, map[string][]answer{eventsRoute: answers})
	f, err := New(Config{URL: adaptertest.Listen(t, s), Project: "group/project", Token: testToken, Now: func() time.Time { return testNow }})
	if err != nil {
		t.Fatal(err)
	}
	return f, s
}

// happenedAt is an entry of the activity with an ID, that many minutes ago.
func happenedAt(id, ago int, rest string) string {
	return fmt.Sprintf(`{"id":%d,"project_id":1,"author_id":5,"created_at":%q,"author":{"id":5,"username":"ann"},%s}`,
		id, testNow.Add(-time.Duration(ago)*time.Minute).Format("2006-01-02T15:04:05.000Z"), rest)
}

//nolint:misspell // GitLab's word
const (
	wroteNote = `"action_name":"commented on","target_id":1244,"target_iid":1244,"target_type":"Note","note":{"id":1244,"body":"/promote","author":{"id":5,"username":"ann"},` +
		`"created_at":"2026-11-21T11:30:00.000Z","system":false,"noteable_id":70,"noteable_type":"MergeRequest","noteable_iid":7}`
	pushedMain  = `"action_name":"pushed to","target_type":null,"push_data":{"commit_count":1,"action":"pushed","ref_type":"branch","commit_from":"a7e1c0cceef744e6c13a9a728027f837b84b23be","commit_to":"cb86d70f464632bdfbe1bb9bc0f2f9d847a774a0","ref":"main","commit_title":"x"}`
	mergedSeven = `"action_name":"accepted","target_id":70,"target_iid":7,"target_type":"MergeRequest","target_title":"x"`
)

func TestMissed(t *testing.T) {
	const source = "the repository's URL"
	comment := promote.Event{Kind: promote.EventComment, Delivery: "event/3", Change: 7, Comment: promote.Comment{
		ID: 1244, Change: 7, AuthorID: 5, Author: "ann", Body: "/promote", At: time.Date(2026, 11, 21, 11, 30, 0, 0, time.UTC),
	}}
	push := promote.Event{Kind: promote.EventPush, Delivery: "event/2", Branch: "main", Head: head, Source: source}
	change := promote.Event{Kind: promote.EventChange, Delivery: "event/1", Change: 7}
	for _, test := range []struct {
		name    string
		entries []string // newest first
		want    []promote.Event
	}{
		{"nothing happened", nil, nil},
		{"a change, a push and a comment, oldest first", []string{happenedAt(3, 10, wroteNote), happenedAt(2, 20, pushedMain), happenedAt(1, 30, mergedSeven)}, []promote.Event{change, push, comment}},
		{"of two pushes to a branch the last", []string{happenedAt(2, 10, pushedMain), happenedAt(1, 20, strings.Replace(pushedMain, string(head), string(other), 1))}, []promote.Event{push}},
		{"of two events of a change the last", []string{happenedAt(1, 10, mergedSeven), happenedAt(9, 20, mergedSeven)}, []promote.Event{change}},
		{
			"all comments on a change",
			[]string{happenedAt(4, 5, strings.ReplaceAll(wroteNote, "1244", "1245")), happenedAt(3, 10, wroteNote)},
			[]promote.Event{comment, func() promote.Event {
				second := comment
				second.Delivery, second.Comment.ID = "event/4", 1245
				return second
			}()},
		},
		{"a comment in a thread on the files", []string{happenedAt(3, 10, strings.Replace(wroteNote, `"Note"`, `"DiffNote"`, 1))}, []promote.Event{comment}},
		{"what is older than asked for, on the same day", []string{happenedAt(2, 59, pushedMain), happenedAt(1, 61, mergedSeven)}, []promote.Event{push}},
		{"a branch is deleted", []string{happenedAt(2, 10, strings.Replace(pushedMain, `"`+string(head)+`"`, "null", 1))}, []promote.Event{{Kind: promote.EventPush, Delivery: "event/2", Branch: "main", Source: source}}},
		{"several branches at once", []string{happenedAt(2, 10, strings.Replace(pushedMain, `"main"`, "null", 1))}, []promote.Event{{Kind: promote.EventSweep, Delivery: "event/2"}}},
		{"a tag", []string{happenedAt(2, 10, strings.Replace(pushedMain, `"branch"`, `"tag"`, 1))}, []promote.Event{{Kind: promote.EventArtifact, Delivery: "event/2", Image: source}}},
		{"a comment on an issue", []string{happenedAt(3, 10, strings.Replace(wroteNote, `"MergeRequest"`, `"Issue"`, 1))}, nil},
		{"a note of GitLab itself", []string{happenedAt(3, 10, strings.Replace(wroteNote, `"system":false`, `"system":true`, 1))}, nil},
		{"a comment in the name of another", []string{happenedAt(3, 10, strings.Replace(wroteNote, `"author":{"id":5`, `"author":{"id":6`, 1))}, nil},
		{"a member", []string{happenedAt(3, 10, `"action_name":"joined","target_type":null`)}, nil},
		{"an issue", []string{happenedAt(3, 10, `"action_name":"opened","target_type":"Issue","target_iid":7`)}, nil},
		{"an entry without number", []string{happenedAt(0, 10, mergedSeven)}, nil},
		{"an entry without time", []string{`{"id":1,` + mergedSeven + `}`}, []promote.Event{change}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := asking(t, answer{Status: 200, Body: "[" + strings.Join(test.entries, ",") + "]"})
			if !strings.HasPrefix(f.source, "http://127.0.0.1:") || !strings.HasSuffix(f.source, "/group/project.git") {
				t.Errorf("the repository's URL is %s", f.source)
			}
			f.source = source
			got, err := f.Missed(t.Context(), testNow.Add(-time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			want := []adaptertest.Received{{Route: eventsRoute + "?after=2026-11-19&page=1&per_page=100&sort=desc"}}
			if diff := cmp.Diff(want, s.Got); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissedOnSeveralPages(t *testing.T) {
	next := map[string]string{"X-Next-Page": "2"}
	f, s := asking(t,
		answer{Status: 200, Body: "[" + happenedAt(3, 10, wroteNote) + "]", Header: next},
		answer{Status: 200, Body: "[" + happenedAt(2, 20, pushedMain) + "," + happenedAt(1, 90, mergedSeven) + "]", Header: map[string]string{"X-Next-Page": "3"}},
	)
	got, err := f.Missed(t.Context(), testNow.Add(-time.Hour))
	if err != nil || len(got) != 2 || got[0].Delivery != "event/2" || got[1].Delivery != "event/3" {
		t.Errorf("got %+v, %v", got, err)
	}
	if len(s.Got) != 2 {
		t.Errorf("%d requests, want 2: the third page is older than what is asked for", len(s.Got))
	}
}

func TestMissedIsBounded(t *testing.T) {
	var answers []answer
	for page := range maxEventPages {
		answers = append(answers, answer{Status: 200, Body: "[" + happenedAt(page+1, 1, mergedSeven) + "]", Header: map[string]string{"X-Next-Page": fmt.Sprint(page + 2)}})
	}
	f, s := asking(t, answers...)
	got, err := f.Missed(t.Context(), testNow.Add(-time.Hour))
	if err != nil || len(got) != 1 || got[0].Delivery != "event/1" {
		t.Errorf("got %+v, %v, want the newest event of the change", got, err)
	}
	if len(s.Got) != maxEventPages {
		t.Errorf("%d requests, want %d", len(s.Got), maxEventPages)
	}
}

func TestMissedThatMayNotBeRead(t *testing.T) {
	f, _ := asking(t, answer{Status: 403, Body: `{"message":"403 Forbidden"}`})
	_, err := f.Missed(t.Context(), testNow.Add(-time.Hour))
	if api, ok := errors.AsType[*promote.APIError](err); !errors.Is(err, promote.ErrForbidden) || !ok || api.Operation != "list events" || api.Remedy == "" {
		t.Errorf("got %v", err)
	}
}

func FuzzHappening(f *testing.F) {
	for _, seed := range []string{wroteNote, pushedMain, mergedSeven} {
		f.Add(happenedAt(1, 10, seed))
	}
	f.Fuzz(func(t *testing.T, body string) {
		var h happening
		if json.Unmarshal([]byte(body), &h) != nil {
			return
		}
		event, ok := h.event("https://gitlab.com/group/project.git")
		switch {
		case !ok && event != (promote.Event{}):
			t.Errorf("an event although there is none: %+v", event)
		case ok && event.Kind == promote.EventComment && (event.Comment.ID <= 0 || event.Comment.Change <= 0 || event.Comment.AuthorID <= 0):
			t.Errorf("a comment that nobody can answer: %+v", event.Comment)
		case ok && event.Kind == promote.EventPush && event.Branch == "":
			t.Error("a push without branch")
		}
	})
}
