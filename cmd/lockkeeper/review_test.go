package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
)

// budgetToReview is what an opened change of a person may cost in requests.
const budgetToReview = 8

// TestChangesOfPeopleAreReviewed opens changes as people do, and looks at what they are told.
func TestChangesOfPeopleAreReviewed(t *testing.T) {
	t.Parallel()
	onBothForges(t, reviewed)
}

func reviewed(t *testing.T, b *bed) {
	b.adopt()
	targets := []string{"develop/frontend"}
	settings := "drift:\n- {from: develop/frontend, to: ["
	files := map[string]string{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		folder := "copies/" + name
		targets, files[folder+"/instance.yaml"] = append(targets, folder), b.text("main", "develop/frontend/instance.yaml")
	}
	files["lockkeeper.yaml"] = settings + strings.Join(targets[1:], ", ") + "]}\n"
	b.commit("main", files)
	b.sweep()

	b.branch("topic", "replicas: 1", "replicas: 3")
	number := b.you.open("topic", "main", "More replicas")
	b.forge.ResetCalls()
	b.run(promote.Event{Kind: promote.EventChange, Change: number})
	within(t, "an opened change of a person with drift in 5 targets", budgetToReview, b.botCalls())
	if notes := b.notes(number); len(notes) != 1 {
		t.Fatalf("notes: %q", notes)
	}
	contains(t, b.notes(number)[0], "What this changes in the cluster", "replicas", "Folders that should be alike", "copies/e")
	if have := b.status(promote.Commit(b.tip("topic"))); have != "success: 1 application changes" {
		t.Errorf("status %q", have)
	}

	b.forge.ResetCalls()
	b.run(promote.Event{Kind: promote.EventChange, Change: number})
	within(t, "an event that changes nothing", 2, b.botCalls())

	b.edit("topic", "kargo/stages.yaml", "name: promote-image", "name: promote-imaeg")
	b.run(promote.Event{Kind: promote.EventChange, Change: number})
	if have := b.status(promote.Commit(b.tip("topic"))); !strings.HasPrefix(have, "failed: ") || !strings.Contains(have, "promote-imaeg") {
		t.Errorf("status %q", have)
	}
	contains(t, b.notes(number)[0], "What is wrong in its files", "promote-imaeg")
}

// A change that says that it is not shown is shown all the same: the default branch decides.
func TestReviewsAreWhatTheDefaultBranchSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		main, topic string
		notes       int
		status      string
	}{
		{"forge: {review: status}\n", "forge: {review: comment}\n", 0, "success: 1 application changes"},
		{"forge: {review: off}\n", "forge: {review: comment}\n", 0, ""},
		{"forge: {review: comment}\n", "forge: {review: off}\n", 1, "success: 1 application changes"},
	} {
		t.Run(c.main, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.commit("main", map[string]string{"lockkeeper.yaml": c.main})
			b.adopt()
			b.branch("topic", "replicas: 1", "replicas: 3")
			b.commit("topic", map[string]string{"lockkeeper.yaml": c.topic})
			number := b.you.open("topic", "main", "More replicas")
			b.run(promote.Event{Kind: promote.EventChange, Change: number})
			if notes := b.notes(number); len(notes) != c.notes {
				t.Errorf("notes: %q", notes)
			}
			if have := b.status(promote.Commit(b.tip("topic"))); have != c.status {
				t.Errorf("status %q, want %q", have, c.status)
			}
		})
	}
}

// TestQueuedCommitsAreJudged is what a merge queue asks: our status on a commit that it made.
func TestQueuedCommitsAreJudged(t *testing.T) {
	t.Parallel()
	onBothForges(t, queuedCommits)
}

func queuedCommits(t *testing.T, b *bed) {
	b.adopt()
	change := b.propose("1.0.2")
	alone := b.queue("alone", change)
	behind := b.queue("behind", change, "replicas: 1", "replicas: 2")
	b.branch("topic", "replicas: 1", "replicas: 3")
	number := b.you.open("topic", "main", "More replicas")
	plain := b.tip("topic")
	for _, c := range []struct {
		name   string
		event  promote.Event
		status string
	}{
		{"a promotion as it was judged", promote.Event{Head: alone, Change: change.Number}, "success: all 7 gates pass"},
		{
			"a promotion that another change in the queue overwrote",
			promote.Event{Head: behind, Change: change.Number},
			"failed: a change before it in the queue writes develop/frontend/instance.yaml too",
		},
		{"a change of a person", promote.Event{Head: promote.Commit(plain), Change: number}, "success: 1 application changes"},
		{"a change that is not named, and is a promotion by its files", promote.Event{Head: b.queue("unnamed", change)}, "success: 1 application changes"},
		{"a change that is not named", promote.Event{Head: b.queue("other", change, "replicas: 1", "replicas: 4")}, "success: 1 application changes"},
	} {
		c.event.Kind, c.event.Branch = promote.EventQueue, "main"
		b.run(c.event)
		if have := b.status(c.event.Head); have != c.status {
			t.Errorf("%s: %q, want %q", c.name, have, c.status)
		}
	}
	b.run(b.actor("lea", devforge.AccessMaintainer).comment(change.Number, "/hold"))
	b.run(promote.Event{Kind: promote.EventQueue, Head: alone, Branch: "main", Change: change.Number})
	unnamed := b.queue("unnamed-held", change)
	b.run(promote.Event{Kind: promote.EventQueue, Head: unnamed, Branch: "main"})
	if have := b.status(unnamed); !strings.HasPrefix(have, "pending: ") && !strings.HasPrefix(have, "failed: ") {
		t.Errorf("the files of a promotion that is held, and no name: %q", have)
	}
	if have := b.status(alone); !strings.HasPrefix(have, "pending: ") && !strings.HasPrefix(have, "failed: ") {
		t.Errorf("a promotion that was held meanwhile: %q", have)
	}
	if have := b.status(alone); strings.HasPrefix(have, "pending: ") {
		b.run(b.you.comment(change.Number, "/resume"))
		if have := b.status(alone); have != "success: all 7 gates pass" {
			t.Errorf("a promotion that waits no more: %q", have)
		}
	}
}

// A commit in a queue is judged for the branch that it goes to, also where only the change says which that is.
func TestQueuesOfOtherBranchesAreLeftAlone(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		b.branch("release", "replicas: 1", "replicas: 2")
		b.branch("topic", "replicas: 1", "replicas: 3")
		number := b.you.open("topic", "release", "More replicas")
		head := promote.Commit(b.tip("topic"))
		for _, branch := range []promote.Branch{"release", ""} {
			b.run(promote.Event{Kind: promote.EventQueue, Head: head, Branch: branch, Change: number})
			if have := b.status(head); have != "" {
				t.Errorf("branch %q: status %q", branch, have)
			}
		}
	})
}

// A promotion that ended passes no queue as if it were a change of a person.
func TestAPromotionThatEndedPassesNoQueue(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		change := b.propose("1.0.2")
		commit := b.queue("alone", change)
		b.run(b.you.comment(change.Number, "/reject"))
		b.run(promote.Event{Kind: promote.EventQueue, Head: commit, Branch: "main", Change: change.Number})
		if have := b.status(commit); have != "failed: the promotion of this change has ended" {
			t.Errorf("status %q", have)
		}
	})
}

// What people add to a promotion's branch is judged with it, in the queue too.
func TestHandCommitsAreQueuedWithTheirPromotion(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		change := b.propose("1.0.2")
		b.edit(string(change.Branch), worked, "replicas: 1", "replicas: 2")
		b.sweep()
		with, without := b.queue("with", change), b.queue("without", change, "replicas: 2", "replicas: 1")
		for commit, want := range map[promote.Commit]string{
			with: "success: all 7 gates pass", without: "failed: a change before it in the queue writes " + worked + " too",
		} {
			b.run(promote.Event{Kind: promote.EventQueue, Head: commit, Branch: "main", Change: change.Number})
			if have := b.status(commit); have != want {
				t.Errorf("status %q, want %q", have, want)
			}
		}
	})
}

// The head of a promotion has the status of its gates, whoever opens another change with the same commit.
func TestAnotherChangeDoesNotSpeakForAPromotion(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		change := b.propose("1.0.2")
		b.run(b.you.comment(change.Number, "/hold"))
		held := b.status(change.Head)
		if strings.HasPrefix(held, "success: ") {
			t.Fatalf("a promotion that is held has %q", held)
		}
		if _, err := b.repo.Push(t.Context(), git.RefUpdate{Ref: "copy", New: string(change.Head)}); err != nil {
			t.Fatal(err)
		}
		number := b.you.open("copy", "main", "A copy")
		b.run(promote.Event{Kind: promote.EventChange, Change: number})
		if have := b.status(change.Head); have != held {
			t.Errorf("status %q, want %q", have, held)
		}
	})
}

// worked is the file that these stories change.
const worked = "develop/frontend/instance.yaml"

// branch makes a branch on which a text of the file is another one.
func (b *bed) branch(name, before, after string) {
	b.t.Helper()
	b.commit(name, map[string]string{worked: strings.ReplaceAll(b.text("main", worked), before, after)})
}

// queue makes the commit that a queue would test: the change's file on top of the target, with what others ahead replaced in it.
func (b *bed) queue(branch string, change promote.Change, ahead ...string) promote.Commit {
	b.t.Helper()
	text := strings.NewReplacer(ahead...).Replace(b.text(string(change.Branch), worked))
	return promote.Commit(b.commit(branch, map[string]string{worked: text}))
}

// A change from a fork is shown like any other, by its own files alone, and promotes nothing.
func TestAForksChangeIsShown(t *testing.T) {
	t.Parallel()
	b := newBedOn(t, true)
	b.commit("main", map[string]string{"lockkeeper.yaml": "fetch: [https://charts.example.com]\n"})
	b.adopt()
	dora := b.actor("dora", devforge.AccessReporter)
	elsewhere := "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: stolen, namespace: argocd}\nspec:\n  project: default\n" +
		"  source: {repoURL: https://charts.example.com, chart: web, targetRevision: 1.0.0}\n  destination: {name: in-cluster, namespace: web}\n"
	number, err := b.forge.OpenFromFork(t.Context(), worldProject, devforge.Fork{
		Owner: dora.name, Branch: "more", Title: "More replicas",
		Files: map[string]string{
			worked: strings.ReplaceAll(b.text("main", worked), "replicas: 1", "replicas: 3"), "argo-applications/stolen.yaml": elsewhere,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	outcome := b.run(promote.Event{Kind: promote.EventChange, Change: number})
	contains(t, b.notes(number)[0], "What this changes in the cluster", "replicas", "fetch")
	change, err := b.change(t, number)
	if err != nil {
		t.Fatal(err)
	}
	if have := b.status(change.Head); have == "" {
		t.Error("a fork's change has no status, and could never be merged where one is required")
	}
	if slices.ContainsFunc(outcome.State.Changes, func(c promote.Change) bool { return c.Number == number }) {
		t.Error("it is taken for a promotion")
	}
}

// A fork's commit that is on a branch here, too, is judged as that one is: both have one status.
func TestAForksCopyIsJudgedLikeTheOriginal(t *testing.T) {
	t.Parallel()
	b := newBedOn(t, true)
	b.commit("main", map[string]string{"lockkeeper.yaml": "fetch: [https://127.0.0.1:9]\n"})
	b.adopt()
	dora := b.actor("dora", devforge.AccessReporter)
	number, err := b.forge.OpenFromFork(t.Context(), worldProject, devforge.Fork{
		Owner: dora.name, Branch: "copy", Title: "A copy",
		Files: map[string]string{"argo-applications/web.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\n" +
			"metadata: {name: web, namespace: argocd}\nspec:\n  project: default\n" +
			"  source: {repoURL: https://127.0.0.1:9, chart: web, targetRevision: 1.0.0}\n  destination: {name: in-cluster, namespace: web}\n"},
	})
	if err != nil {
		t.Fatal(err)
	}
	change, err := b.change(t, number)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.repo.Push(t.Context(), git.RefUpdate{Ref: "original", New: string(change.Head)}); err != nil {
		t.Fatal(err)
	}
	original := b.you.open("original", "main", "The original")
	b.run(promote.Event{Kind: promote.EventChange, Change: original})
	b.run(promote.Event{Kind: promote.EventChange, Change: number})
	if diff := cmp.Diff(b.notes(original), b.notes(number)); diff != "" {
		t.Errorf("the original and the copy are told different things:\n%s", diff)
	}
}

// What is too long for one note goes on in others, and what was longer once says that there is no more of it.
func TestALongNoteGoesOnInOthers(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.commit("main", map[string]string{"lockkeeper.yaml": "drift:\n- {from: develop/long, to: [copies/long, copies/more]}\n"})
		files := map[string]string{}
		for i := range 60 {
			name := fmt.Sprintf("%03d.yaml", i)
			for _, folder := range []string{"develop/long/", "copies/long/", "copies/more/"} {
				files[folder+name] = "a: 1\n"
			}
		}
		b.commit("main", files)
		b.adopt()
		long := map[string]string{}
		for name := range files {
			for key := range 40 {
				long[name] += fmt.Sprintf("key%03d: %s\n", key, strings.Repeat("x", 60))
			}
		}
		maps.DeleteFunc(long, func(name, _ string) bool { return strings.HasPrefix(name, "copies/") })
		b.commit("topic", long)
		b.edit("topic", worked, "replicas: 1", "replicas: 3")
		number := b.you.open("topic", "main", "Much")
		b.run(promote.Event{Kind: promote.EventChange, Change: number})
		notes := b.notes(number)
		for _, note := range notes {
			if len(note) > promote.NoteLimit+200 {
				t.Errorf("a note of %d bytes", len(note))
			}
		}
		if len(notes) < 2 || !strings.HasPrefix(notes[0], "<!-- lockkeeper:review:change -->") || !strings.HasPrefix(notes[1], "<!-- lockkeeper:review:change#2 -->") {
			t.Fatalf("%d notes: %q", len(notes), notes)
		}
		b.commit("topic", files)
		b.run(promote.Event{Kind: promote.EventChange, Change: number})
		if again := b.notes(number); len(again) != len(notes) || !strings.Contains(again[1], "There is no more of it.") {
			t.Errorf("%d notes: %q", len(again), again)
		}
	})
}
