package gitlab

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
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
	recordings.Seed(f, func(_ string, body []byte) bool {
		sent := recordedHeader(f, body).Get("X-Gitlab-Event")
		return sent == name || name == "System Hook" && strings.HasPrefix(sent, "Push")
	})
	f.Fuzz(func(t *testing.T, body string) {
		event, err := ParseWebhook(eventHeader(name), []byte(body))
		_ = ProjectOf([]byte(body))
		adaptertest.Sound(t, event, err)
		if event.Kind == promote.EventQueue && event.Change == 0 {
			t.Error("a train that does not say which change it tests")
		}
	})
}
