package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// grouping has the forge merge through a queue that CI has a say in, too: a train, or a merge queue with groups of several changes.
func (b *bed) grouping(most int) {
	b.t.Helper()
	if !b.github {
		b.settings(func(s *devforge.Settings) { s.MergedResults, s.MergeTrains = true, true })
		b.loop = b.newLoop(b.wire)
		return
	}
	if err := b.forge.SetRules(worldProject, "main", &devforge.BranchRules{
		Checks: []devforge.RequiredCheck{{Context: promote.StatusName, App: b.hubApp.id}, {Context: "ci"}}, Queue: true, QueueMost: most, QueueLeast: most,
	}); err != nil {
		b.t.Fatal(err)
	}
}

// ci is what CI says of a commit, where the forge does not begin pipelines by itself.
func (b *bed) ci(commit promote.Commit, state string) {
	b.t.Helper()
	if b.github {
		b.you.hub(http.MethodPost, "statuses/"+string(commit), map[string]any{"state": state, "context": "ci"}, &struct{}{})
	}
}

// lineUp has a person put a change into the queue.
func (a *actor) lineUp(change promote.Change) {
	b := a.bed
	b.t.Helper()
	if !b.github {
		a.do(http.MethodPost, fmt.Sprintf("merge_trains/merge_requests/%d", change.Number), url.Values{"sha": {string(change.Head)}})
		return
	}
	var pull struct {
		ID string `json:"node_id"`
	}
	a.hub(http.MethodGet, fmt.Sprintf("pulls/%d", change.Number), nil, &pull)
	var answer struct{ Errors []struct{ Message string } }
	a.graph(map[string]any{
		"query": `mutation($id: ID!) { enqueuePullRequest(input: {pullRequestId: $id}) { mergeQueueEntry { state } } }`, "variables": map[string]any{"id": pull.ID},
	}, &answer)
	if len(answer.Errors) > 0 {
		b.t.Fatal(answer.Errors)
	}
}

// asked are the events of the commits that the forge wants judged now, with those of changes that wait on its train.
func (b *bed) asked(aboard ...int) []promote.Event {
	b.t.Helper()
	var events []promote.Event
	if !b.github {
		for _, number := range aboard {
			head := promote.Commit(b.headPipeline(number).SHA)
			events = append(events, promote.Event{Kind: promote.EventQueue, Branch: "main", Head: head, Change: number})
		}
		return events
	}
	refs, err := b.repo.Refs(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(refs.Commits)) {
		if top, ok := strings.CutPrefix(name, "refs/heads/gh-readonly-queue/main/pr-"); ok {
			event := promote.Event{Kind: promote.EventQueue, Branch: "main", Head: promote.Commit(refs.Commits[name])}
			if _, err := fmt.Sscanf(top, "%d-", &event.Change); err != nil {
				b.t.Fatal(err)
			}
			events = append(events, event)
		}
	}
	return events
}

// passes lets CI be content with all that the forge wants judged now.
func (b *bed) passes(aboard ...int) {
	b.t.Helper()
	for _, event := range b.asked(aboard...) {
		b.run(event)
		b.ends(event, "success")
	}
}

// ends is how CI ends on a commit of the queue.
func (b *bed) ends(event promote.Event, state string) {
	b.t.Helper()
	if b.github {
		b.ci(event.Head, map[string]string{"success": "success", "failed": "failure"}[state])
		return
	}
	if err := b.forge.FinishPipeline(b.t.Context(), worldProject, b.headPipeline(event.Change).ID, state); err != nil {
		b.t.Fatal(err)
	}
}

// twoOpen opens a promotion to each stage: 1.0.3 to the first, 1.0.2 to the second.
func (b *bed) twoOpen() (first, second promote.Change) {
	b.t.Helper()
	b.adopt()
	b.you.merge(b.propose("1.0.2"))
	outcome := b.until("a change for the second stage", func(o reconcile.Outcome) bool {
		_, open := openOf(o, prodStage)
		return open
	})
	second, _ = openOf(outcome, prodStage)
	return b.propose("1.0.3"), second
}

// TestAGroupOfSeveralChanges merges two promotions and a change of a person together, one of which is held meanwhile.
func TestAGroupOfSeveralChanges(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		toDev, toProd := b.twoOpen()
		const file = "develop/backend/instance.yaml"
		b.commit("topic", map[string]string{file: strings.ReplaceAll(b.text("main", file), "replicas: 1", "replicas: 2")})
		number := b.you.open("topic", "main", "More replicas")
		b.run(promote.Event{Kind: promote.EventChange, Change: number})
		persons, err := b.change(t, number)
		if err != nil {
			t.Fatal(err)
		}
		b.grouping(3)
		for _, change := range []promote.Change{toDev, toProd, persons} {
			b.ci(change.Head, "success")
		}
		b.run(b.you.comment(toProd.Number, "/promote"))
		b.run(b.you.comment(toDev.Number, "/promote"))
		b.you.lineUp(persons)
		all := []int{toProd.Number, toDev.Number, number}
		for _, event := range b.asked(all...) {
			b.run(event)
			if have := b.status(event.Head); !strings.HasPrefix(have, "success: ") {
				t.Errorf("change %d on top: %q", event.Change, have)
			}
		}
		before := b.asked(all...)
		b.run(b.you.comment(toDev.Number, "/hold"))
		after := b.asked(toProd.Number, number)
		if len(after) == 0 || after[len(after)-1].Head == before[len(before)-1].Head || after[len(after)-1].Change != number {
			t.Fatalf("the forge tests %+v before the hold, and %+v after", before, after)
		}
		for _, event := range after {
			b.run(event)
			if have := b.status(event.Head); !strings.HasPrefix(have, "success: ") {
				t.Errorf("without the promotion that is held, change %d on top: %q", event.Change, have)
			}
			b.ends(event, "success")
		}
		b.until("the second stage to run 1.0.2", runs(prodStage, "1.0.2"))
		for number, want := range map[int]promote.ChangeState{toProd.Number: promote.ChangeMerged, number: promote.ChangeMerged, toDev.Number: promote.ChangeOpen} {
			if found, err := b.change(t, number); err != nil || found.State != want {
				t.Errorf("change %d is %s, want %s, %v", number, found.State, want, err)
			}
		}
		b.run(b.you.comment(toDev.Number, "/resume"))
		if !b.github {
			b.freshPipeline(toDev)
		}
		b.sweep()
		if b.github {
			if err := b.forge.QueueWaits(t.Context(), worldProject, 5*time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		b.passes(toDev.Number)
		b.until("the first stage to run 1.0.3", runs(devStage, "1.0.3"))
	})
}

// TestAQueueIsAnsweredByAnotherProcess than the one that webhooks told of its commits.
func TestAQueueIsAnsweredByAnotherProcess(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		const file = "develop/backend/instance.yaml"
		b.commit("topic", map[string]string{file: strings.ReplaceAll(b.text("main", file), "replicas: 1", "replicas: 2")})
		number := b.you.open("topic", "main", "More replicas")
		b.run(promote.Event{Kind: promote.EventChange, Change: number})
		change, err := b.change(t, number)
		if err != nil {
			t.Fatal(err)
		}
		b.grouping(1)
		b.ci(change.Head, "success")
		b.you.lineUp(change)
		asked := b.asked(number)
		if len(asked) != 1 || b.status(asked[0].Head) != "" {
			t.Fatalf("the forge tests %+v", asked)
		}
		for _, one := range []struct {
			name     string
			webhooks bool
			want     string
		}{
			{"one that no webhooks reach", false, ""},
			{"one that answers webhooks", true, "success: 1 application changes"},
		} {
			b.loop = b.newLoop(b.wire)
			b.loop.Webhooks = one.webhooks
			b.run(promote.Event{Kind: promote.EventSweep})
			if have := b.status(asked[0].Head); have != one.want {
				t.Errorf("%s: the status is %q, want %q", one.name, have, one.want)
			}
		}
		b.ends(asked[0], "success")
		if merged, err := b.change(t, number); err != nil || merged.State != promote.ChangeMerged {
			t.Errorf("the change is %s, %v", merged.State, err)
		}
	})
}

// TestAPromotionBehindAnotherChangeOfItsFile is queued behind a change of a person that writes its file, too. It is not tried for
// ever, and is made again when that change is merged.
func TestAPromotionBehindAnotherChangeOfItsFile(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		b.commit("main", map[string]string{"lockkeeper.yaml": "stages:\n- {stage: " + devStage + ", autoMerge: true}\n"})
		b.branch("topic", "Asia/Taipei", "Europe/Berlin")
		number := b.you.open("topic", "main", "Another time zone")
		b.run(promote.Event{Kind: promote.EventChange, Change: number})
		persons, err := b.change(t, number)
		if err != nil {
			t.Fatal(err)
		}
		b.grouping(1)
		b.ci(persons.Head, "success")
		b.you.lineUp(persons)
		first := b.asked(number)[0]
		change := b.propose("1.0.2")
		b.ci(change.Head, "success")
		tries, outcome := b.tryUntilTired(t, change, "pending")
		if tries != 3 {
			t.Errorf("it was tried %d times", tries)
		}
		contains(t, stageOf(outcome, devStage).Reason, "took its change out of the merge queue 3 times", "/promote")
		b.run(first)
		b.ends(first, "success")
		again := b.sweep()
		if found, err := b.change(t, number); err != nil || found.State != promote.ChangeMerged {
			t.Fatalf("the change before it is %s, %v", found.State, err)
		}
		made, _ := openOf(again, devStage)
		if made.Head == change.Head {
			t.Fatalf("it is not made again:\n%s", again.Plan)
		}
		b.ci(made.Head, "success")
		b.sweep()
		b.passes(made.Number)
		b.until("dev to run 1.0.2", runs(devStage, "1.0.2"))
	})
}

// TestAQueueThatGivesUp takes a promotion out again and again: CI fails, or never comes. After some tries a person has to look.
func TestAQueueThatGivesUp(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		change := b.propose("1.0.2")
		b.grouping(1)
		b.ci(change.Head, "success")
		b.run(b.you.comment(change.Number, "/promote"))
		tries, outcome := b.tryUntilTired(t, change, "never")
		if tries != 3 {
			t.Errorf("it was tried %d times", tries)
		}
		contains(t, stageOf(outcome, devStage).Reason, "took its change out of the merge queue 3 times", "/promote")
		b.loop = b.newLoop(b.wire)
		if again := b.sweep(); len(b.queuedNow(again, change)) != 0 {
			t.Errorf("a new process tries again:\n%s", again.Plan)
		}
		b.run(b.you.comment(change.Number, "/promote"))
		last := b.asked(change.Number)
		if len(last) == 0 {
			t.Fatalf("a person asked for it, and it is not tried:\n%s", b.sweep().Plan)
		}
		for _, event := range last {
			b.run(event)
			b.ends(event, "success")
		}
		b.until("dev to run 1.0.2", runs(devStage, "1.0.2"))
	})
}

// queuedNow says that a change is in the queue, as far as a run saw.
func (b *bed) queuedNow(o reconcile.Outcome, change promote.Change) []promote.Change {
	return slices.DeleteFunc(slices.Clone(o.State.Changes), func(c promote.Change) bool {
		return c.Number != change.Number || c.Merge != promote.MergeQueued
	})
}

// tryUntilTired lets a promotion be queued until it is not any more, and counts. CI is pending for as long as our status decides;
// never: it fails, or where the forge has patience with that it does not come.
func (b *bed) tryUntilTired(t *testing.T, change promote.Change, ci string) (tries int, last reconcile.Outcome) {
	t.Helper()
	for tries = 0; tries < 10; tries++ {
		last = b.sweep()
		if len(b.queuedNow(last, change)) == 0 {
			return tries, last
		}
		events := slices.DeleteFunc(b.asked(change.Number), func(e promote.Event) bool { return e.Change != change.Number })
		for _, event := range events {
			b.run(event)
			switch have := b.status(event.Head); {
			case ci == "pending" && have != "failed: a change before it in the queue writes "+worked+" too":
				t.Fatalf("try %d: %q", tries, have)
			case ci == "pending":
				if !b.github {
					b.ends(event, "failed")
					b.freshPipeline(change)
				}
			case b.github:
				if err := b.forge.QueueWaits(t.Context(), worldProject, time.Hour); err != nil {
					t.Fatal(err)
				}
			default:
				b.ends(event, "failed")
				b.freshPipeline(change)
			}
		}
	}
	return tries, last
}

// freshPipeline has a person begin the pipeline of a change anew, which passes.
func (b *bed) freshPipeline(change promote.Change) {
	b.t.Helper()
	if _, err := b.forge.RunPipeline(b.t.Context(), worldProject, change.Number, devforge.ResultPipeline); err != nil {
		b.t.Fatal(err)
	}
	line := b.headPipeline(change.Number)
	b.run(promote.Event{Kind: promote.EventStatus, Change: change.Number, Head: promote.Commit(line.SHA)})
	if err := b.forge.FinishPipeline(b.t.Context(), worldProject, line.ID, "success"); err != nil {
		b.t.Fatal(err)
	}
}
