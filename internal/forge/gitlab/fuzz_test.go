package gitlab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/promote"
)

func FuzzPush(f *testing.F)    { fuzzWebhook(f, "Push Hook", pushBody) }
func FuzzTagPush(f *testing.F) { fuzzWebhook(f, "Tag Push Hook", pushBody) }
func FuzzMergeRequest(f *testing.F) {
	fuzzWebhook(f, "Merge Request Hook", `{"object_attributes":{"iid":7,"action":"open"}}`)
}
func FuzzNote(f *testing.F)       { fuzzWebhook(f, "Note Hook", noteBody) }
func FuzzPipeline(f *testing.F)   { fuzzWebhook(f, "Pipeline Hook", trainPipeline) }
func FuzzJob(f *testing.F)        { fuzzWebhook(f, "Job Hook", trainJob) }
func FuzzDeployment(f *testing.F) { fuzzWebhook(f, "Deployment Hook", `{"object_kind":"deployment"}`) }
func FuzzEmoji(f *testing.F)      { fuzzWebhook(f, "Emoji Hook", `{"object_kind":"emoji"}`) }
func FuzzMember(f *testing.F)     { fuzzWebhook(f, "Member Hook", `{"event_name":"user_add_to_group"}`) }

func FuzzSystem(f *testing.F) {
	fuzzWebhook(f, "System Hook", `{"event_name":"push","ref":"refs/heads/\u0000","after":7}`)
}

// fuzzWebhook begins with what a real GitLab sent, where that is at hand.
func fuzzWebhook(f *testing.F, name, seed string) {
	f.Add(seed)
	f.Add(`[{"object_kind":null}]`)
	if dir, err := contract.Dir(); err == nil {
		files, err := filepath.Glob(filepath.Join(dir, "gitlab-webhooks", "*", "*.json"))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			if sent := recordedHeader(f, body).Get("X-Gitlab-Event"); sent == name || name == "System Hook" && strings.HasPrefix(sent, "Push") {
				f.Add(string(body))
			}
		}
	}
	f.Fuzz(func(t *testing.T, body string) {
		event, err := ParseWebhook(eventHeader(name), []byte(body))
		_ = ProjectOf([]byte(body))
		if err != nil {
			if event != (promote.Event{}) {
				t.Errorf("an event beside the error %v: %+v", err, event)
			}
			return
		}
		switch {
		case event.Delivery == "" || event.Change < 0:
			t.Errorf("got %+v", event)
		case event.Kind == promote.EventPush && event.Branch == "":
			t.Error("a push without branch")
		case event.Kind == promote.EventQueue && (event.Change == 0 || event.Head == ""):
			t.Error("a train that does not say what it tests")
		case event.Kind == promote.EventComment && (event.Comment.ID <= 0 || event.Comment.Change <= 0 || event.Comment.AuthorID <= 0):
			t.Errorf("a comment that nobody can answer: %+v", event.Comment)
		}
	})
}
