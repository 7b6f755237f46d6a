package gitlab

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	testThread  = "6a9c1750b37d513a43987b574953fceb50b03ce7"
	replyPath   = "POST " + project + "/merge_requests/7/discussions/" + testThread + "/notes"
	threadsPath = "GET " + project + "/merge_requests/7/discussions"
	answered    = `{"id":11,"type":"DiscussionNote","body":"done","author":{"id":42,"username":"lockkeeper-bot"},"created_at":"2026-11-21T12:00:01Z"}`
)

func TestReply(t *testing.T) {
	threads := `[{"id":"00000000000000000000000000000000000000aa","notes":[{"id":1}]},{"id":"` + testThread + `","notes":[{"id":9,"type":"DiffNote"},{"id":10}]}]`
	for _, test := range []struct {
		name   string
		thread promote.Thread
		post   answer
		listed string // the notes, when they are looked through
		fails  bool
	}{
		{"in a discussion", testThread, answer{Status: 201, Body: answered}, "", false},
		{"where a note is", "note/10", answer{Status: 201, Body: answered}, "", false},
		{"the answer was lost: it is there", testThread, answer{Status: 502}, "[" + answered + "]", false},
		{"the answer was lost: it is not there", testThread, answer{Status: 502}, "[]", true},
		{"refused", testThread, answer{Status: 403}, "", true},
		{"the discussion is gone", testThread, answer{Status: 404, Body: `{"message":"404 Discussion Not Found"}`}, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := map[string][]answer{replyPath: {test.post}}
			if test.thread != testThread {
				script[threadsPath] = []answer{{Status: 200, Body: threads}}
			}
			if test.listed != "" {
				script["GET /api/v4/user"] = []answer{bot}
				script["GET "+project+"/merge_requests/7/notes"] = []answer{{Status: 200, Body: test.listed}}
			}
			f, _ := play(t, script)
			got, err := f.Reply(t.Context(), 7, test.thread, "done")
			if test.fails {
				if _, api := errors.AsType[*promote.APIError](err); !api || errors.Is(err, promote.ErrNotFound) != (test.post.Status == 404) {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			want := promote.Note{
				ID: 11, Thread: "note/11", Author: "lockkeeper-bot", AuthorID: 42, Own: true, Body: "done", CreatedAt: testNow.Add(time.Second),
			}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

func TestReplyInNoThread(t *testing.T) {
	f, s := play(t, map[string][]answer{threadsPath: {{Status: 200, Body: `[{"id":"../../../x","notes":[{"id":3}]}]`}}})
	for _, thread := range []promote.Thread{"", "note/", "note/-1", "note/3", "HEAD", "../notes", testThread + "/..", promote.Thread(strings.Repeat("a", 65))} {
		if _, err := f.Reply(t.Context(), 7, thread, "done"); !errors.Is(err, promote.ErrNotFound) {
			t.Errorf("%q: got %v", thread, err)
		}
	}
	if len(s.Got) != 1 {
		t.Errorf("asked %d times", len(s.Got))
	}
}

func TestAReplyIsNoQuickAction(t *testing.T) {
	f, s := play(t, map[string][]answer{replyPath: {{Status: 201, Body: `{}`}}})
	if _, err := f.Reply(t.Context(), 7, testThread, "you wrote\n/merge\n"); err != nil {
		t.Fatal(err)
	}
	if want := `{"body":"you wrote\n\\/merge\n"}`; s.Got[0].Body != want {
		t.Errorf("got %s, want %s", s.Got[0].Body, want)
	}
}
