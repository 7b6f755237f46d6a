package github

import (
	"errors"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	remarksPath = "GET …/pulls/7/comments"
	replyPath   = "POST …/pulls/7/comments/20/replies"
)

// remarkOf is a comment in a file; first is that of its thread, 0 for the first itself.
func remarkOf(id, first, userID int, login, body string) map[string]any {
	shown := commentOf(id, userID, login, body)
	if first != 0 {
		shown["in_reply_to_id"] = first
	}
	return shown
}

// One number is of three comments: each is looked for where it stands, and what is below a change is always there.
func TestAround(t *testing.T) {
	below := commentOf(20, 42, "lockkeeper-bot", "below")
	remarksThere := []any{remarkOf(20, 0, 5, "lea", "/promote"), remarkOf(21, 20, 42, "lockkeeper-bot", "answered")}
	review := map[string]any{"id": 20, "user": map[string]any{"id": 5, "login": "lea"}, "body": "/hold", "submitted_at": "2026-11-21T12:00:00Z"}
	noteBelow := promote.Note{ID: 20, Author: "lockkeeper-bot", AuthorID: 42, Own: true, Body: "below", CreatedAt: testNow}
	for _, test := range []struct {
		name   string
		note   int
		script map[string][]answer
		want   []promote.Note
		err    error
	}{
		{"below", 20, nil, []promote.Note{noteBelow}, nil},
		{"in a file", 1<<50 | 20, map[string][]answer{remarksPath: {ok(adaptertest.JSON(t, remarksThere))}}, []promote.Note{
			noteBelow,
			{ID: 1<<50 | 20, Thread: "20", Author: "lea", AuthorID: 5, Body: "/promote", CreatedAt: testNow},
			{ID: 1<<50 | 21, Thread: "20", Author: "lockkeeper-bot", AuthorID: 42, Own: true, Body: "answered", CreatedAt: testNow},
		}, nil},
		{"in files without any", 1<<50 | 20, map[string][]answer{remarksPath: {ok("[]")}}, []promote.Note{noteBelow}, nil},
		{"a review", 1<<51 | 20, map[string][]answer{"GET …/pulls/7/reviews/20": {ok(adaptertest.JSON(t, review))}}, []promote.Note{
			noteBelow, {ID: 1<<51 | 20, Author: "lea", AuthorID: 5, Body: "/hold", CreatedAt: testNow},
		}, nil},
		{"a review that is gone", 1<<51 | 20, map[string][]answer{"GET …/pulls/7/reviews/20": {{Status: 404, Body: `{"message":"Not Found"}`}}}, nil, promote.ErrNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := map[string][]answer{commentsPath: {ok(adaptertest.JSON(t, []any{below}))}, "Viewer": {ok(viewerJSON)}}
			maps.Copy(script, test.script)
			f, _ := play(t, script)
			got, err := f.Around(t.Context(), 7, test.note)
			if !errors.Is(err, test.err) || err != nil && test.err == nil {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReply(t *testing.T) {
	added, elsewhere := remarkOf(28, 20, 42, "lockkeeper-bot", "text"), remarkOf(27, 19, 42, "lockkeeper-bot", "text")
	old, pasted := remarkOf(26, 20, 42, "lockkeeper-bot", "text"), remarkOf(25, 20, 66, "mallory", "text")
	old["created_at"] = "2026-11-21T11:00:00Z"
	for _, test := range []struct {
		name   string
		script map[string][]answer
		fails  bool
	}{
		{"once", map[string][]answer{replyPath: {created(adaptertest.JSON(t, added))}}, false},
		{"the answer was lost: it is there", map[string][]answer{replyPath: {lost}, "Viewer": {ok(viewerJSON)}, remarksPath: {ok(adaptertest.JSON(t, []any{old, pasted, elsewhere, added}))}}, false},
		{"the answer was lost: it is not there", map[string][]answer{replyPath: {{Status: 504}}, "Viewer": {ok(viewerJSON)}, remarksPath: {ok(adaptertest.JSON(t, []any{old, pasted, elsewhere}))}}, true},
		{"refused", map[string][]answer{replyPath: {{Status: 422, Body: `{"message":"Validation Failed"}`}}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, test.script)
			got, err := f.Reply(t.Context(), 7, "20", "text")
			if test.fails {
				if err == nil {
					t.Errorf("got %+v", got)
				}
				return
			}
			want := promote.Note{ID: 1<<50 | 28, Thread: "20", Author: "lockkeeper-bot", AuthorID: 42, Own: true, Body: "text", CreatedAt: testNow}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}

// What is no thread of GitHub's is not asked for.
func TestReplyInNoThread(t *testing.T) {
	f, s := play(t, nil)
	for _, thread := range []promote.Thread{"", "0", "-1", "x", "20/../../issues/1", "99999999999999999999"} {
		if _, err := f.Reply(t.Context(), 7, thread, "text"); !errors.Is(err, promote.ErrNotFound) {
			t.Errorf("%q: got %v", thread, err)
		}
	}
	if len(s.Got) != 0 {
		t.Errorf("asked %v", s.Routes())
	}
}

// A number of one series never reaches a comment of another.
func TestNotesAreEditedWhereTheyStand(t *testing.T) {
	f, s := play(t, map[string][]answer{
		"PATCH …/pulls/comments/11": {ok("{}")}, "POST …/pulls/comments/11/reactions": {created(`{"id":1}`)},
	})
	if err := errors.Join(f.EditNote(t.Context(), 7, 1<<50|11, "new"), f.React(t.Context(), 7, 1<<50|11, promote.ReactionDone)); err != nil {
		t.Error(err)
	}
	if err := f.React(t.Context(), 7, 1<<51|11, promote.ReactionDone); err != nil {
		t.Errorf("a review has no reactions, which is no failure: %v", err)
	}
	if err := f.EditNote(t.Context(), 7, 1<<51|11, "new"); !errors.Is(err, promote.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if want := []string{"PATCH …/pulls/comments/11", "POST …/pulls/comments/11/reactions"}; !cmp.Equal(want, s.Routes()) {
		t.Errorf("asked %v", s.Routes())
	}
}

func FuzzSeries(f *testing.F) {
	f.Add(1244)
	f.Add(1 << 50)
	f.Add(-1)
	f.Fuzz(func(t *testing.T, id int) {
		seen := map[int]bool{}
		for _, of := range []int{0, remarks, reviews} {
			note := numbered(of, id)
			if note == 0 {
				return
			}
			if gotOf, got := seriesOf(note); gotOf != of || got != id || seen[note] || note > 1<<52 {
				t.Errorf("%d of %d is %d", id, of, note)
			}
			seen[note] = true
		}
	})
}
