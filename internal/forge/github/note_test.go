package github

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/promote"
)

const commentsPath = "GET …/issues/7/comments"

func commentOf(id, userID int, login, body string) map[string]any {
	return map[string]any{"id": id, "body": body, "created_at": "2026-11-21T12:00:00Z", "user": map[string]any{"id": userID, "login": login}}
}

func TestNotes(t *testing.T) {
	f, _ := play(t, map[string][]answer{
		commentsPath: {ok(adaptertest.JSON(t, []any{
			commentOf(1, 42, "lockkeeper-bot", "ours"), commentOf(2, 5, "lea", "/promote"), commentOf(3, 66, "lockkeeper-bot", "who took our old name"),
			map[string]any{"id": 4, "body": "of an account that is gone", "user": nil},
		}))},
		"Viewer": {ok(viewerJSON)},
	})
	got, err := f.Notes(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	want := []promote.Note{
		{ID: 1, Author: "lockkeeper-bot", AuthorID: 42, Own: true, Body: "ours", CreatedAt: testNow},
		{ID: 2, Author: "lea", AuthorID: 5, Body: "/promote", CreatedAt: testNow},
		{ID: 3, Author: "lockkeeper-bot", AuthorID: 66, Body: "who took our old name", CreatedAt: testNow},
		{ID: 4, Body: "of an account that is gone"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestNotesOfAnApp: it knows its login, and no person can have one with brackets.
func TestNotesOfAnApp(t *testing.T) {
	f, s := playChecks(t, map[string][]answer{
		commentsPath: {ok(adaptertest.JSON(t, []any{commentOf(1, 900, "lockkeeper[bot]", "ours"), commentOf(2, 5, "lockkeeper", "a person")})), ok("[]")},
		"GET /app":   {ok(`{"slug":"lockkeeper"}`)},
	})
	got, err := f.Notes(t.Context(), 7)
	if err != nil || len(got) != 2 || !got[0].Own || got[1].Own {
		t.Errorf("got %+v, %v", got, err)
	}
	if self, err := f.Self(t.Context()); err != nil || self.Name != "lockkeeper[bot]" {
		t.Errorf("got %+v, %v", self, err)
	}
	if _, err := f.Notes(t.Context(), 7); err != nil || len(s.Got) != 3 {
		t.Errorf("asked %v, %v", s.Routes(), err)
	}
}

func TestAddNote(t *testing.T) {
	added := commentOf(8, 42, "lockkeeper-bot", "text")
	old := commentOf(6, 42, "lockkeeper-bot", "text")
	old["created_at"] = "2026-11-21T11:00:00Z"
	pasted := commentOf(7, 66, "mallory", "text")
	for _, test := range []struct {
		name   string
		script map[string][]answer
		fails  bool
	}{
		{"once", map[string][]answer{"POST …/issues/7/comments": {created(adaptertest.JSON(t, added))}}, false},
		{"the answer was lost: it is there", map[string][]answer{"POST …/issues/7/comments": {lost}, "Viewer": {ok(viewerJSON)}, commentsPath: {ok(adaptertest.JSON(t, []any{old, pasted, added}))}}, false},
		{"the answer was lost: it is not there", map[string][]answer{"POST …/issues/7/comments": {{Status: 504}}, "Viewer": {ok(viewerJSON)}, commentsPath: {ok(adaptertest.JSON(t, []any{old, pasted}))}}, true},
		{"refused", map[string][]answer{"POST …/issues/7/comments": {{Status: 410, Body: `{"message":"Issues are disabled for this repo"}`}}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, test.script)
			got, err := f.AddNote(t.Context(), 7, "text")
			if test.fails {
				if err == nil {
					t.Errorf("got %+v", got)
				}
				return
			}
			want := promote.Note{ID: 8, Author: "lockkeeper-bot", AuthorID: 42, Own: true, Body: "text", CreatedAt: testNow}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}

func TestTheNotesThatMayBeOursAreAFew(t *testing.T) {
	f, s := play(t, map[string][]answer{"POST …/issues/7/comments": {lost}, "Viewer": {ok(viewerJSON)}, commentsPath: {ok("[]")}})
	if _, err := f.AddNote(t.Context(), 7, "text"); err == nil {
		t.Error("no error")
	}
	want := commentsPath + "?per_page=100&since=" + "2026-11-21T11%3A59%3A00Z"
	if got := s.Got[len(s.Got)-1].Route; got != want {
		t.Errorf("asked for %s", got)
	}
}

func TestEditNoteAndReact(t *testing.T) {
	f, s := play(t, map[string][]answer{
		"PATCH …/issues/comments/11":          {lost, ok("{}"), {Status: 404, Body: `{"message":"Not Found"}`}},
		"POST …/issues/comments/11/reactions": {created(`{"id":1}`), lost, ok(`{"id":1}`), created(`{"id":2}`)},
	})
	if err := f.EditNote(t.Context(), 7, 11, "new"); err != nil {
		t.Errorf("the same twice is the same as once: %v", err)
	}
	if err := f.EditNote(t.Context(), 7, 11, "new"); !errors.Is(err, promote.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	for _, test := range []struct {
		reaction promote.Reaction
		want     string
	}{
		{promote.ReactionSeen, `{"content":"eyes"}`},
		{promote.ReactionDone, `{"content":"+1"}`},
		{promote.ReactionDenied, `{"content":"-1"}`},
	} {
		if err := f.React(t.Context(), 7, 11, test.reaction); err != nil {
			t.Errorf("%s: %v", test.reaction, err)
		}
		if got := s.Sent("POST …/issues/comments/11/reactions"); got != test.want {
			t.Errorf("sent %s", got)
		}
	}
	if err := f.React(t.Context(), 7, 11, "tada"); !errors.Is(err, promote.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestWhoseTokenItIs(t *testing.T) {
	f, _ := play(t, map[string][]answer{"Viewer": {{Status: 401}, ok(`{"data":{"viewer":{"login":"github-actions[bot]","databaseId":41898282}}}`)}})
	if _, err := f.Self(t.Context()); !errors.Is(err, promote.ErrUnauthorized) {
		t.Errorf("got %v", err)
	}
	for range 2 {
		self, err := f.Self(t.Context())
		if err != nil || self != (promote.Person{ID: 41898282, Name: "github-actions[bot]"}) {
			t.Errorf("got %+v, %v", self, err)
		}
	}
	var zero stamp
	if err := zero.UnmarshalJSON([]byte("7")); err != nil || !zero.Equal(time.Time{}) {
		t.Errorf("got %v, %v", zero, err)
	}
}

func TestAppsAreBots(t *testing.T) {
	for login, want := range map[string]bool{"dependabot[bot]": true, "ann": false, "robot": false, "": false} {
		if got := (comment{User: user{ID: 9, Login: login}}).note(user{ID: 1, Login: "lockkeeper[bot]"}).Bot; got != want {
			t.Errorf("%q: bot %t, want %t", login, got, want)
		}
	}
}
