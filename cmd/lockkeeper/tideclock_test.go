package main

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

// tideFile is what a promotion of the tide clock changes.
func tideFile(stage string) string { return "stages/" + stage + "/kustomization.yaml" }

// TestTideclock tells the story of a small repository that came from Kargo as it was: one image, one task for both ways into
// a branch, spellings of old versions, and no policy, so that people start every promotion.
func TestTideclock(t *testing.T) {
	t.Parallel()
	b := bedOf(t, "tideclock")
	image := b.registry + "/harbour/tideclock"
	b.push(t, image, "1.0.0")
	b.sweep()
	b.commit("calendar", map[string]string{"README.md": "Releases on Tuesdays\n"})
	desk := b.you.open("calendar", "main", "Releases on Tuesdays")
	t.Run("a stage that a person says runs 1.0.0 is believed, because its files do", func(*testing.T) {
		b.run(b.you.comment(desk, "/promote test 1.0.0"))
		b.until("test to be adopted", runs("tideclock/test", "1.0.0"))
	})
	b.push(t, image, "1.10.0") // a number, if somebody reads it as one
	outcome := b.sweep()
	t.Run("nothing is promoted by itself", func(t *testing.T) {
		contains(t, stageOf(outcome, "tideclock/test").Reason, "no promotion policy lets it in: comment `/promote test 1.10.0`")
		if all := b.mergeRequests(); len(all) != 1 {
			t.Errorf("merge requests: %+v", all)
		}
	})
	t.Run("uat does not take what test has not verified", func(t *testing.T) {
		b.run(b.you.comment(desk, "/promote uat 1.10.0"))
		outcome := b.sweep()
		contains(t, strings.Join(b.notes(desk), "\n"), "not yet verified in test")
		if change, open := openOf(outcome, "tideclock/uat"); open {
			t.Errorf("a change for uat: %+v", change)
		}
	})
	t.Run("what goes straight to main is a merge request all the same", func(t *testing.T) { b.tideMove(t, desk, "test", "test: 1.0.0 → 1.10.0") })
	t.Run("uat does once test has", func(t *testing.T) { b.tideMove(t, desk, "uat", "uat: 1.0.0 → 1.10.0") })
	t.Run("prod opens the pull request that the task describes", func(t *testing.T) {
		b.tideMove(t, desk, "prod", "Tide clock 1.10.0 to prod")
	})
	t.Run("every stage has one merge request and says how it went", func(t *testing.T) { b.tideTold(t) })
}

// tideMove promotes 1.10.0 to a stage by a comment on a change, and merges it.
func (b *bed) tideMove(t *testing.T, desk int, stage, title string) {
	t.Helper()
	ref := "tideclock/" + stage
	b.run(b.you.comment(desk, "/promote "+stage+" 1.10.0"))
	before := b.text("main", tideFile(stage))
	outcome := b.sweep()
	change, ok := openOf(outcome, ref)
	if !ok || change.Title != title || change.Target != "main" {
		t.Fatalf("change %+v of\n%s", change, outcome.Plan)
	}
	want := strings.Replace(before, "newTag: 1.0.0 # set", "newTag: 1.10.0 # set", 1)
	if diff := gocmp.Diff(want, b.text(string(change.Branch), tideFile(stage))); diff != "" || want == before {
		t.Errorf("not exactly the tag changed: %s", diff)
	}
	if have := b.status(change.Head); have != "success: all 7 gates pass" {
		t.Errorf("status %q", have)
	}
	b.you.merge(change)
	b.until(stage+" to run 1.10.0", runs(ref, "1.10.0"))
	if head := b.tip("main"); !strings.Contains(strings.Join(b.app("tideclock-"+stage).Synced, " "), head) {
		t.Errorf("tideclock-%s is %+v, main is at %s", stage, b.app("tideclock-"+stage), head)
	}
}

func (b *bed) tideTold(t *testing.T) {
	outcome := b.sweep()
	var have []string
	for _, mr := range b.mergeRequests() {
		have = append(have, mr.State+" "+mr.Source)
		if notes := b.notes(mr.IID); mr.Source != "calendar" {
			contains(t, strings.Join(notes, "\n"), "✅ `1.10.0` is verified in `"+strings.TrimPrefix(mr.Source, "lockkeeper/")+"`")
		}
	}
	want := []string{
		"opened calendar", "merged lockkeeper/tideclock/test", "merged lockkeeper/tideclock/uat", "merged lockkeeper/tideclock/prod",
	}
	if diff := gocmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	if !allRun("1.10.0")(outcome) || outcome.Plan.Verdict() != promote.Pass {
		t.Errorf("the end:\n%s", outcome.Plan)
	}
}
