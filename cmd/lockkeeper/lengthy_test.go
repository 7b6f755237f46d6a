package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// heavy adds objects to the application whose difference is longer than one text of a forge, or makes them small again.
func (b *bed) heavy(branch promote.Branch, lines int) {
	b.t.Helper()
	files := map[string]string{}
	for i := range 40 {
		text := fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: heavy-%02d, namespace: develop}\ndata:\n", i)
		for line := range lines {
			text += fmt.Sprintf("  key-%02d-%03d: %q\n", i, line, strings.Repeat("x", 60))
		}
		files[fmt.Sprintf("develop/frontend/heavy-%02d.yaml", i)] = text
	}
	b.commit(string(branch), files)
}

// goesOnIn are the notes that the text of a change goes on in.
func (b *bed) goesOnIn(number int) []string {
	b.t.Helper()
	return slices.DeleteFunc(b.notes(number), func(note string) bool { return !strings.HasPrefix(note, "<!-- lockkeeper:continued:text") })
}

// What is too long for the text of a change goes on in notes, which are written once, and shortened with the text.
func TestALongTextGoesOnInNotes(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		change := b.propose("1.0.2")
		b.heavy(change.Branch, 40)
		b.sweep()
		long := longOf(t, b, change.Number)
		contains(t, long.Description, "### Gates", "This text goes on in ")
		whole := long.Description + strings.Join(b.goesOnIn(change.Number), "")
		for i := range 40 {
			if key := fmt.Sprintf("key-%02d-039", i); !strings.Contains(whole, key) {
				t.Errorf("%s is lost", key)
			}
		}
		notes := len(b.goesOnIn(change.Number))
		if want := fmt.Sprintf("This text goes on in %d notes of this change.", notes); notes < 2 || !strings.Contains(long.Description, want) {
			t.Errorf("%d notes, and the text ends with %q", notes, long.Description[len(long.Description)-120:])
		}

		b.forge.ResetCalls()
		b.sweep()
		for _, call := range b.botCalls() {
			if !strings.HasPrefix(call, http.MethodGet) && !strings.Contains(call, "graphql") {
				t.Errorf("nothing changed, and it wrote: %s", call)
			}
			if strings.Contains(call, "/notes") || strings.Contains(call, "/comments") {
				t.Errorf("nothing changed, and it looked at notes: %s", call)
			}
		}

		b.heavy(change.Branch, 1)
		b.sweep()
		if short := longOf(t, b, change.Number); strings.Contains(short.Description, "goes on in") {
			t.Errorf("the text ends with %q", short.Description[len(short.Description)-120:])
		}
		left := b.goesOnIn(change.Number)
		for _, note := range left {
			contains(t, note, "There is no more of it.")
		}
		if len(left) != notes {
			t.Errorf("%d notes of %d are left", len(left), notes)
		}
	})
}

// A text and its notes end as they should, whichever answer is lost on the way.
func TestALongTextSurvivesLostAnswers(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		change := b.propose("1.0.2")
		b.heavy(change.Branch, 40)
		writes := []func(*http.Request) bool{sends(http.MethodPost, "/merge_requests/1/notes"), sends(http.MethodPut, "/merge_requests/1")}
		if b.github {
			writes = []func(*http.Request) bool{sends(http.MethodPost, "/issues/1/comments"), sends(http.MethodPatch, "/issues/1")}
		}
		for _, kind := range []devforge.FaultKind{devforge.LoseAnswer(), devforge.Answer(500, 0)} {
			for _, write := range writes {
				b.forge.Fault(func(r *http.Request) bool { return byBot(r) && write(r) }, kind)
			}
		}
		var said []string
		b.despite(&said, "the text to be written", func(reconcile.Outcome) bool {
			return strings.Contains(longOf(t, b, change.Number).Description, "This text goes on in ")
		})
		notes := b.goesOnIn(change.Number)
		if want := fmt.Sprintf("This text goes on in %d notes of this change.", len(notes)); !strings.Contains(longOf(t, b, change.Number).Description, want) {
			t.Errorf("there are %d notes: %s", len(notes), strings.Join(said, "\n"))
		}
	})
}

// longOf is a change as the forge shows it now.
func longOf(t *testing.T, b *bed, number int) promote.Change {
	t.Helper()
	change, err := b.change(t, number)
	if err != nil {
		t.Fatal(err)
	}
	return change
}

// A stage whose changes are to be drafts, on a plan that has none: nothing is merged before a person takes the label off.
func TestADraftWithoutDraftsIsALabel(t *testing.T) {
	t.Parallel()
	b := newBedOn(t, true)
	b.settings(func(s *devforge.Settings) { s.GitHub.NoDrafts = true })
	b.commit("main", map[string]string{"lockkeeper.yaml": "stages:\n- {stage: " + devStage + ", autoMerge: true, draft: true}\n"})
	b.adopt()
	change := b.propose("1.0.2")
	b.loop = b.newLoop(b.wire) // another process knows no more than the forge shows
	outcome := b.sweep()
	if now := longOf(t, b, change.Number); now.State != promote.ChangeOpen || !now.Draft || strings.HasPrefix(now.Title, "Draft") {
		t.Fatalf("got %+v", now)
	}
	contains(t, stageOf(outcome, devStage).Reason, "take the label "+promote.DraftLabel+" off when it is ready")
	b.you.hub(http.MethodDelete, fmt.Sprintf("issues/%d/labels/%s", change.Number, promote.DraftLabel), nil, nil)
	b.until("dev to run 1.0.2", runs(devStage, "1.0.2"))
}
