package gitlab

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestNotesOfAllPages(t *testing.T) {
	f, s := play(t, map[string][]answer{
		"GET /api/v4/user": {bot},
		"GET " + project + "/merge_requests/7/notes": {
			{Status: 200, Header: map[string]string{"X-Next-Page": "2"}, Body: `[
				{"id":1,"body":"/promote","author":{"id":5,"username":"ann"},"system":false,"created_at":"2026-11-21T10:00:00.000Z"},
				{"id":2,"body":"added 1 commit","author":{"id":42,"username":"lockkeeper-bot"},"system":true,"created_at":"2026-11-21T10:01:00.000Z"}]`},
			{Status: 200, Body: `[{"id":3,"body":"done","author":{"id":42,"username":"lockkeeper-bot"},"system":false,"created_at":"2026-11-21T10:02:00.000+01:00"}]`},
		},
	})
	got, err := f.Notes(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	want := []promote.Note{
		{ID: 1, Author: "ann", AuthorID: 5, Body: "/promote", CreatedAt: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)},
		{ID: 2, Author: "lockkeeper-bot", AuthorID: 42, System: true, Body: "added 1 commit", CreatedAt: time.Date(2026, 11, 21, 10, 1, 0, 0, time.UTC)},
		{ID: 3, Author: "lockkeeper-bot", AuthorID: 42, Own: true, Body: "done", CreatedAt: time.Date(2026, 11, 21, 9, 2, 0, 0, time.UTC)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if want := "GET " + project + "/merge_requests/7/notes?order_by=created_at&page=1&per_page=100&sort=asc"; s.Got[0].Route != want {
		t.Errorf("got %s, want %s", s.Got[0].Route, want)
	}
}

func TestNotesAskWhoWeAreOnce(t *testing.T) {
	notes := answer{Status: 200, Body: `[{"id":1,"author":{"id":42}}]`}
	f, _ := play(t, map[string][]answer{"GET /api/v4/user": {bot}, "GET " + project + "/merge_requests/7/notes": {notes, notes}})
	for range 2 {
		if got, err := f.Notes(t.Context(), 7); err != nil || !got[0].Own {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func TestRecordedNotes(t *testing.T) {
	data := readRecorded(t, "jenkins-x-go-scm/merge_notes.json")
	f, _ := play(t, map[string][]answer{
		"GET /api/v4/user":                           {bot},
		"GET " + project + "/merge_requests/7/notes": {{Status: 200, Body: string(data)}},
	})
	got, err := f.Notes(t.Context(), 7)
	if err != nil || len(got) == 0 {
		t.Fatalf("got %d notes, %v", len(got), err)
	}
	for _, n := range got {
		if n.ID == 0 || n.Author == "" || n.Own || n.CreatedAt.IsZero() {
			t.Errorf("got %+v", n)
		}
	}
}

func TestAddNote(t *testing.T) {
	const created = `{"id":11,"body":"done","author":{"id":42,"username":"lockkeeper-bot"},"created_at":"2026-11-21T12:00:01Z"}`
	const old = `{"id":10,"body":"done","author":{"id":42,"username":"lockkeeper-bot"},"created_at":"2026-11-21T11:00:00Z"}`
	const pasted = `{"id":12,"body":"done","author":{"id":5,"username":"ann"},"created_at":"2026-11-21T12:00:02Z"}`
	for _, test := range []struct {
		name   string
		post   answer
		listed string // empty: not asked for
		ok     bool
	}{
		{"it is added", answer{Status: 201, Body: created}, "", true},
		{"the answer is lost, and it was added", answer{}, "[" + pasted + "," + created + "," + old + "]", true},
		{"the answer is lost, and only an old one and a copy are there", answer{}, "[" + pasted + "," + old + "]", false},
		{"a proxy fails", answer{Status: 504}, "[]", false},
		{"it is refused", answer{Status: 403}, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := map[string][]answer{"POST " + project + "/merge_requests/7/notes": {test.post}}
			if test.listed != "" {
				script["GET /api/v4/user"] = []answer{bot}
				script["GET "+project+"/merge_requests/7/notes"] = []answer{{Status: 200, Body: test.listed}}
			}
			f, s := play(t, script)
			got, err := f.AddNote(t.Context(), 7, "done")
			if s.Got[0].Body != `{"body":"done"}` {
				t.Errorf("sent %s", s.Got[0].Body)
			}
			if !test.ok {
				if _, api := errors.AsType[*promote.APIError](err); !api {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			want := promote.Note{ID: 11, Author: "lockkeeper-bot", AuthorID: 42, Own: true, Body: "done", CreatedAt: testNow.Add(time.Second)}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

func TestANoteIsNoQuickAction(t *testing.T) {
	f, s := play(t, map[string][]answer{"POST " + project + "/merge_requests/7/notes": {{Status: 201, Body: `{}`}}})
	if _, err := f.AddNote(t.Context(), 7, "you wrote\n/merge\n"); err != nil {
		t.Fatal(err)
	}
	if want := `{"body":"you wrote\n\\/merge\n"}`; s.Got[0].Body != want {
		t.Errorf("got %s, want %s", s.Got[0].Body, want)
	}
}

func TestEditNote(t *testing.T) {
	f, s := play(t, map[string][]answer{"PUT " + project + "/merge_requests/7/notes/11": {{Status: 200, Body: `{}`}, {Status: 404, Body: `{"message":"404 Not found"}`}}})
	if err := f.EditNote(t.Context(), 7, 11, "better"); err != nil {
		t.Fatal(err)
	}
	if s.Got[0].Body != `{"body":"better"}` {
		t.Errorf("sent %s", s.Got[0].Body)
	}
	if err := f.EditNote(t.Context(), 7, 11, "better"); !errors.Is(err, promote.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestReact(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer answer
		is     error
	}{
		{"given", answer{Status: 201, Body: `{}`}, nil},
		{"given before", answer{Status: 404, Body: `{"message":"404 Award Emoji Name has already been taken Not Found"}`}, nil},
		{"the note is gone", answer{Status: 404, Body: `{"message":"404 Not found"}`}, promote.ErrNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, map[string][]answer{"POST " + project + "/merge_requests/7/notes/11/award_emoji": {test.answer}})
			if err := f.React(t.Context(), 7, 11, promote.ReactionDone); !errors.Is(err, test.is) {
				t.Errorf("got %v, want %v", err, test.is)
			}
			if s.Got[0].Body != `{"name":"thumbsup"}` {
				t.Errorf("sent %s", s.Got[0].Body)
			}
		})
	}
}
