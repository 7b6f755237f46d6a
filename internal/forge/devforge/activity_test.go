package devforge_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xanzy/go-gitlab"
)

// happening is what a client reads of an entry of the activity.
type happening struct {
	Action string `json:"action_name"`
	Target string `json:"target_type"`
	IID    int    `json:"target_iid"`
	Who    string `json:"author_username"`
	Push   struct {
		Action string `json:"action"`
		Kind   string `json:"ref_type"`
		Ref    string `json:"ref"`
	} `json:"push_data"`
	Note struct {
		Body string `json:"body"`
		IID  int    `json:"noteable_iid"` //nolint:misspell // GitLab's word
	} `json:"note"`
}

func (b *bench) activity(t *testing.T, query string) []happening {
	t.Helper()
	status, body, _ := b.raw(t, exchange{user: "bot", method: http.MethodGet, path: base + "/events" + query})
	var found []happening
	if err := json.Unmarshal([]byte(body), &found); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s, %v", status, body, err)
	}
	return found
}

// The fields are those of doc/api/events.md, "List all visible events for a project".
func TestTheActivityTellsWhatHappened(t *testing.T) {
	b := newBench(t)
	m := b.open(t, "lockkeeper/web")
	b.say(t, "reader", "/promote")
	bot := b.as(t, "bot")
	for _, edit := range []gitlab.UpdateMergeRequestOptions{{Title: new("Other")}, {StateEvent: new("close")}, {StateEvent: new("reopen")}} {
		if _, _, err := bot.MergeRequests.UpdateMergeRequest(projectPath, m.IID, &edit); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := b.as(t, "owner").MergeRequests.AcceptMergeRequest(projectPath, m.IID, &gitlab.AcceptMergeRequestOptions{ShouldRemoveSourceBranch: new(true)}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range b.activity(t, "?sort=asc") {
		words := []string{h.Who, h.Action, h.Target, h.Push.Action, h.Push.Ref, h.Note.Body}
		got = append(got, strings.Join(strings.Fields(strings.Join(words, " ")), " "))
		if h.Target == "MergeRequest" && h.IID != m.IID || h.Target == "Note" && h.Note.IID != m.IID || h.Push.Ref != "" && h.Push.Kind != "branch" {
			t.Errorf("got %+v", h)
		}
	}
	want := []string{
		"bot pushed new created lockkeeper/web", "bot opened MergeRequest", "reader commented on Note /promote", "bot closed MergeRequest",
		"bot reopened MergeRequest", "owner accepted MergeRequest", "owner pushed to pushed main", "owner deleted removed lockkeeper/web",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheActivityIsThatOfDays(t *testing.T) {
	b := newBench(t)
	b.open(t, "lockkeeper/web")
	b.clock.Skip(24 * time.Hour)
	b.say(t, "bot", "the day after")
	for _, tt := range []struct {
		name, query string
		want        int
	}{
		{"all, newest first", "", 3},
		{"after the first day", "?after=2026-09-04", 1},
		{"after the day before", "?after=2026-09-03", 3},
		{"before the second day", "?before=2026-09-05", 2},
		{"a page", "?per_page=2&page=2", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := b.activity(t, tt.query); len(got) != tt.want {
				t.Errorf("got %+v", got)
			}
		})
	}
	if status, _, _ := b.raw(t, exchange{user: "stranger", method: http.MethodGet, path: base + "/events"}); status != http.StatusNotFound {
		t.Errorf("a stranger gets %d", status)
	}
}
