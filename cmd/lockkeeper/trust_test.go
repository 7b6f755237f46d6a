package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

func TestWhoAsksIsWhatTheForgeSaysNotTheEvent(t *testing.T) {
	b, change := proposed(t)
	reporter := b.actor("rob", devforge.AccessReporter)
	event := reporter.comment(change.Number, "/promote")
	event.Comment.AuthorID, event.Comment.Author = b.you.id, b.you.name
	if requests := b.run(event).State.History.Requests; len(requests) != 0 {
		t.Errorf("a reader's wish counts as a maintainer's: %+v", requests)
	}
	contains(t, b.notes(change.Number)[0], "needs write permission", "`rob` has read")
}

func TestACommandThatCouldNotBeRecordedIsNotAnsweredAsDone(t *testing.T) {
	b, change := proposed(t)
	event := b.you.comment(change.Number, "/hold")
	b.forge.Fault(func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/git-receive-pack")
	}, devforge.Answer(http.StatusInternalServerError, 0))
	if _, err := b.loop.Run(t.Context(), reconcile.Options{Events: []promote.Event{event}}); err == nil {
		t.Fatal("the run says nothing of the push that failed")
	}
	if notes := b.notes(change.Number); len(notes) != 0 {
		t.Errorf("answered before it was recorded: %q", notes)
	}
	if holds := b.run(event).State.History.Holds; len(holds) != 1 {
		t.Errorf("holds %v after the event came again", holds)
	}
	contains(t, b.notes(change.Number)[0], "on hold")
}

func TestOneChangeThatCannotBeJudgedHoldsUpNoOtherStage(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.adopt()
	b.forge.Fault(func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/statuses/")
	},
		devforge.Answer(http.StatusForbidden, 0), devforge.Answer(http.StatusForbidden, 0))
	b.push(t, b.image(), "1.0.2")
	outcome, err := b.loop.Run(t.Context(), reconcile.Options{Events: []promote.Event{{Kind: promote.EventArtifact}}})
	if err == nil {
		t.Error("the run says nothing of the status that was refused")
	}
	change, _ := openOf(outcome, devStage)
	recorded := slices.ContainsFunc(outcome.State.History.Promotions, func(p promote.Promotion) bool { return p.Change == change.Number && p.Change != 0 })
	if !recorded {
		t.Errorf("the run stopped at the refusal: %s", outcome.Plan)
	}
}

func TestNothingIsDeliveredToAnApplicationOfAnotherStage(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.edit("main", "argo-applications/develop-applicationset.yaml", "develop:{{path.basename}}-dev-stage", "develop:somebody-else")
	b.redeploy()
	outcome := b.until("the first delivery to end", func(o reconcile.Outcome) bool {
		for _, p := range o.State.History.Promotions {
			if p.Stage.String() == devStage && p.Phase.Terminal() {
				return true
			}
		}
		return false
	})
	for _, p := range outcome.State.History.Promotions {
		if p.Phase != promote.PhaseFailed || !strings.Contains(p.Message, "belongs to develop:somebody-else") {
			t.Errorf("promotion %s is %s: %s", p.ID, p.Phase, p.Message)
		}
	}
	if len(outcome.State.History.Verifications) != 0 {
		t.Errorf("verified: %+v", outcome.State.History.Verifications)
	}
}

func TestAWarehouseThatWatchesAnotherImageForgetsTheOldOne(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.adopt()
	other := b.registry + "/your-name/renamed"
	b.push(t, other, "3.0.0")
	b.edit("main", "kargo/warehouse.yaml", b.image(), other)
	outcome := b.run(promote.Event{Kind: promote.EventPush})
	for _, found := range outcome.State.Discoveries {
		if len(found.Images) != 1 || found.Images[0].RepoURL != other {
			t.Errorf("discovered %+v, want %s", found.Images, other)
		}
	}
}
