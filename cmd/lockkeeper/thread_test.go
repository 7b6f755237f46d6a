package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// GitHub counts comments in files and reviews apart; its adapter counts them from here.
const (
	hubRemarks = 1 << 50
	hubReviews = 1 << 51
)

// remark opens a thread on a change, on GitHub at the first line of a file, and returns the event that tells of it.
func (a *actor) remark(change promote.Change, file, body string) promote.Event {
	a.bed.t.Helper()
	comment := promote.Comment{
		Change: change.Number, Head: change.Head, AuthorID: a.id, Author: a.name, Body: body, At: time.Now().UTC().Truncate(time.Second),
	}
	if a.bed.github {
		var added struct{ ID int }
		a.hub(http.MethodPost, fmt.Sprintf("pulls/%d/comments", change.Number), map[string]any{
			"body": body, "path": file, "subject_type": "file", "commit_id": change.Head,
		}, &added)
		comment.ID, comment.Thread = hubRemarks|added.ID, promote.Thread(strconv.Itoa(added.ID))
	} else {
		var added struct {
			ID    string
			Notes []struct{ ID int }
		}
		answer := a.do(http.MethodPost, fmt.Sprintf("merge_requests/%d/discussions", change.Number), url.Values{"body": {body}})
		if err := json.Unmarshal(answer, &added); err != nil {
			a.bed.t.Fatal(err)
		}
		comment.ID, comment.Thread = added.Notes[0].ID, promote.Thread(added.ID)
	}
	return promote.Event{Kind: promote.EventComment, Change: change.Number, Comment: comment}
}

// amend edits a comment in a thread; an empty text deletes it.
func (a *actor) amend(event promote.Event, body string) {
	a.bed.t.Helper()
	method := http.MethodDelete
	if a.bed.github {
		path := fmt.Sprintf("pulls/comments/%d", event.Comment.ID&^hubRemarks)
		if body != "" {
			a.hub(http.MethodPatch, path, map[string]any{"body": body}, nil)
			return
		}
		if status, answer := a.tryHub(method, path, nil); status != http.StatusNoContent {
			a.bed.t.Fatalf("HTTP %d: %s", status, answer)
		}
		return
	}
	var form url.Values
	if body != "" {
		method, form = http.MethodPut, url.Values{"body": {body}}
	}
	a.do(method, fmt.Sprintf("merge_requests/%d/notes/%d", event.Change, event.Comment.ID), form)
}

// inThread are the bot's answers in the thread of a comment.
func (b *bed) inThread(event promote.Event) []string {
	b.t.Helper()
	var answers []string
	if b.github {
		for _, one := range b.remarks(event.Change) {
			if promote.Thread(strconv.Itoa(one.InReplyTo)) == event.Comment.Thread {
				answers = append(answers, one.Body)
			}
		}
		return answers
	}
	var found struct{ Notes []note }
	b.you.read(fmt.Sprintf("merge_requests/%d/discussions/%s", event.Change, event.Comment.Thread), &found)
	for _, n := range found.Notes {
		if n.Author.Username == worldBot {
			answers = append(answers, n.Body)
		}
	}
	return answers
}

// hubRemark is a comment in a file, by the bot where it answers one.
type hubRemark struct {
	ID        int
	InReplyTo int `json:"in_reply_to_id"`
	Path      string
	Line      int
	Subject   string `json:"subject_type"`
	Body      string
	User      struct{ Login string }
}

// remarks are the bot's comments in files.
func (b *bed) remarks(number int) []hubRemark {
	b.t.Helper()
	var all []hubRemark
	b.you.hub(http.MethodGet, fmt.Sprintf("pulls/%d/comments?per_page=100", number), nil, &all)
	return slices.DeleteFunc(all, func(r hubRemark) bool { return r.User.Login != worldBot+"[bot]" })
}

// answers are all of the bot's notes on a change, wherever they are.
func (b *bed) answers(number int) []string {
	b.t.Helper()
	all := b.notes(number)
	if b.github {
		for _, one := range b.remarks(number) {
			all = append(all, one.Body)
		}
	}
	return all
}

// A command is answered where it was given, once.
func TestACommandInAThreadIsAnsweredThere(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		change := b.propose("1.0.2")
		below := len(b.notes(change.Number))
		dora, reader := b.actor("dora", devforge.AccessDeveloper), b.actor("rob", devforge.AccessReporter)
		b.you.remark(change, devFile, "What is this?")
		for _, tt := range []struct {
			by     *actor
			text   string
			reacts []string
			answer string
			holds  int
		}{
			{dora, "Wait.\n\n/hold", []string{"eyes", "thumbsup"}, "is on hold", 1},
			{reader, "/resume", []string{"eyes", "thumbsdown"}, "`/resume` needs write permission", 1},
			{dora, "/resume", []string{"eyes", "thumbsup"}, "goes on", 0},
			{dora, "/promot", []string{"eyes", "thumbsdown"}, "Did you mean `/promote`?", 0},
		} {
			event := tt.by.remark(change, devFile, tt.text)
			outcome := b.run(event, event)
			if len(outcome.State.History.Holds) != tt.holds {
				t.Errorf("%s: holds %+v", tt.text, outcome.State.History.Holds)
			}
			answers := b.inThread(event)
			if len(answers) != 1 {
				t.Fatalf("%s: answers %q", tt.text, answers)
			}
			contains(t, answers[0], tt.answer)
			if diff := cmp.Diff(tt.reacts, b.reactions(change.Number, event.Comment.ID)); diff != "" {
				t.Errorf("%s: reactions: %s", tt.text, diff)
			}
			b.loop.Forget()
			if again := b.run(event); len(again.Applied) != 0 || len(b.inThread(event)) != 1 {
				t.Errorf("%s: it is answered again: %v", tt.text, again.Applied)
			}
		}
		if notes := b.notes(change.Number); b.github && len(notes) != below {
			t.Errorf("answers below the change: %q", notes[below:])
		}
	})
}

// What does not count below a change does not count in its threads.
func TestCommentsInThreadsThatDoNotCount(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		change := b.propose("1.0.2")
		for name, make := range map[string]func() promote.Event{
			"edited before it was read": func() promote.Event {
				event := b.you.remark(change, devFile, "/hold")
				b.you.amend(event, "never mind")
				return event
			},
			"deleted before it was read": func() promote.Event {
				event := b.you.remark(change, devFile, "/hold")
				b.you.amend(event, "")
				return event
			},
			"edited to be a command": func() promote.Event {
				event := b.you.remark(change, devFile, "hold on")
				b.you.amend(event, "/hold")
				return event
			},
			"that nobody wrote": func() promote.Event {
				event := b.you.remark(change, devFile, "hold on")
				event.Comment.ID, event.Comment.Body = event.Comment.ID+7, "/hold"
				return event
			},
			"of another change": func() promote.Event {
				event := b.you.remark(change, devFile, "/hold")
				event.Change, event.Comment.Change = 77, 77
				return event
			},
			"with our mark pasted": func() promote.Event {
				return b.you.remark(change, devFile, "<!-- lockkeeper:reply:1 -->\nheld by hand")
			},
		} {
			if outcome := b.run(make()); len(outcome.Applied) != 0 || len(outcome.State.History.Holds) != 0 {
				t.Errorf("%s: applied %v, holds %v", name, outcome.Applied, outcome.State.History.Holds)
			}
		}
	})
}

// Who may not write cannot fill a change's threads with answers.
func TestStrangersInThreads(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		change := b.propose("1.0.2")
		before := b.sweep().State.History
		for i, text := range append(everyVerb(), "/status", "/help") {
			name := fmt.Sprintf("mallory%d", i)
			stranger := b.actor(name, devforge.AccessDeveloper)
			event := stranger.remark(change, devFile, text)
			b.actor(name, 0)
			if diff := cmp.Diff(before, b.run(event, event).State.History); diff != "" {
				t.Errorf("%s by a stranger: %s", text, diff)
			}
		}
		if answers := b.answers(change.Number); len(answers) != maxStrangers {
			t.Errorf("%d answers to strangers: %q", len(answers), answers)
		}
	})
}

// maxStrangers is how many people who may not write are answered.
const maxStrangers = 5

// Who may only read has one answer in all threads, which holds the last one.
func TestAReaderHasOneNoteInThreads(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		change := b.propose("1.0.2")
		reader := b.actor("rob", devforge.AccessReporter)
		first := reader.remark(change, devFile, "/hold")
		b.run(first)
		b.run(reader.remark(change, devFile, "/resume"))
		b.run(reader.remark(change, devFile, "/status"))
		answers := b.answers(change.Number)
		if len(answers) != 1 || len(b.inThread(first)) != 1 {
			t.Fatalf("answers to a reader: %q", answers)
		}
		contains(t, answers[0], "| stage | runs |")
	})
}

// On GitHub comments below and in files have the same numbers.
func TestCommentsOfOneNumberAreTwoCommands(t *testing.T) {
	t.Parallel()
	b := newBedOn(t, true)
	b.adopt()
	change := b.propose("1.0.2")
	below := b.you.comment(change.Number, "/hold")
	inFile := b.you.remark(change, devFile, "/resume")
	if below.Comment.ID != inFile.Comment.ID&^hubRemarks {
		t.Fatalf("numbers are %d and %d", below.Comment.ID, inFile.Comment.ID)
	}
	if holds := b.run(below).State.History.Holds; len(holds) != 1 {
		t.Fatalf("holds %+v", holds)
	}
	if holds := b.run(inFile).State.History.Holds; len(holds) != 0 {
		t.Errorf("the second counts as the first: holds %+v", holds)
	}
	contains(t, b.lastNote(change.Number), "is on hold")
	contains(t, strings.Join(b.inThread(inFile), "\n"), "goes on")
}

// The text of a review is a comment, which is answered below the change. That it approves counts in the same run.
func TestAReviewIsACommand(t *testing.T) {
	t.Parallel()
	b := newBedOn(t, true)
	b.waitsForApproval()
	change := b.propose("1.0.2")
	dora, reader := b.actor("dora", devforge.AccessDeveloper), b.actor("rob", devforge.AccessReporter)
	review := func(by *actor, event, body string) promote.Event {
		var made struct{ ID int }
		by.hub(http.MethodPost, fmt.Sprintf("pulls/%d/reviews", change.Number), map[string]any{"event": event, "body": body}, &made)
		return promote.Event{Kind: promote.EventComment, Change: change.Number, Comment: promote.Comment{
			ID: hubReviews | made.ID, Change: change.Number, Head: change.Head, AuthorID: by.id, Author: by.name, Body: body, At: time.Now().UTC().Truncate(time.Second),
		}}
	}
	refused := review(reader, "COMMENT", "/hold")
	if holds := b.run(refused).State.History.Holds; len(holds) != 0 {
		t.Errorf("a reader's review counts: %+v", holds)
	}
	contains(t, b.lastNote(change.Number), "`/hold` needs write permission")
	if holds := b.run(review(dora, "APPROVE", "Fine.\n\n/hold"), refused).State.History.Holds; len(holds) != 1 {
		t.Errorf("holds %+v", holds)
	}
	contains(t, b.lastNote(change.Number), "is on hold")
	resumed := review(dora, "COMMENT", "/resume")
	b.run(resumed)
	b.loop.Forget()
	b.run(resumed)
	if notes := b.notes(change.Number); len(notes) != 3 {
		t.Errorf("answers %q", notes)
	}
	if status := b.status(change.Head); !strings.HasPrefix(status, "success") {
		t.Errorf("the status is %q after an approval", status)
	}
}

// findingsShown are the bot's threads about findings: where each stands, and whether it is resolved.
func (b *bed) findingsShown(number int) []string {
	b.t.Helper()
	threads, err := b.loop.Forge.OwnThreads(b.t.Context(), number)
	if err != nil {
		b.t.Fatal(err)
	}
	var shown []string
	for _, thread := range threads {
		shown = append(shown, fmt.Sprintf("%s resolved: %t", words(thread.Body), thread.Resolved))
	}
	return shown
}

// What a change breaks is a thread at its line as long as it is broken.
func TestErrorsAreThreads(t *testing.T) {
	t.Parallel()
	onBothForges(t, errorsAreThreads)
}

func errorsAreThreads(t *testing.T, b *bed) {
	b.commit("main", map[string]string{"lockkeeper.yaml": "forge: {threads: true}\n"})
	b.adopt()
	b.branch("topic", "replicas: 1", "replicas: 3")
	number := b.you.open("topic", "main", "More replicas")
	look := func() { b.run(promote.Event{Kind: promote.EventChange, Change: number}) }
	b.forge.ResetCalls()
	look()
	asked := 0
	for _, call := range b.botCalls() {
		if strings.Contains(call, "/discussions") || strings.Contains(call, "/graphql") {
			asked++
		}
	}
	if most := map[bool]int{true: 2}[b.github]; asked > most { // GitHub's open changes, and this one
		t.Errorf("%d requests, some of them about threads of a change that has none: %q", asked, b.botCalls())
	}
	breaks := func() { b.edit("topic", "kargo/stages.yaml", "name: promote-image\n", "name: promote-imaeg\n") }
	mends := func() { b.edit("topic", "kargo/stages.yaml", "name: promote-imaeg\n", "name: promote-image\n") }
	broken := func(resolved bool) {
		t.Helper()
		shown := b.findingsShown(number)
		if len(shown) == 0 {
			t.Fatal("no thread")
		}
		for _, one := range shown {
			contains(t, one, "promote-imaeg", fmt.Sprintf("resolved: %t", resolved))
		}
	}
	breaks()
	look()
	first := len(b.findingsShown(number))
	broken(false)
	for range 2 {
		b.loop.Forget() // as a restart does
		look()
	}
	broken(false)
	mends()
	b.loop.Forget()
	look()
	broken(true)
	breaks()
	look()
	broken(false)
	if again := len(b.findingsShown(number)); again != first || first > promote.MaxThreads {
		t.Errorf("%d threads, then %d", first, again)
	}
	if have := b.status(promote.Commit(b.tip("topic"))); !strings.HasPrefix(have, "failed: ") {
		t.Errorf("status %q", have)
	}
	if b.github {
		for _, one := range b.remarks(number) {
			if one.Path != "kargo/stages.yaml" || one.Subject != "line" || one.Line == 0 {
				t.Errorf("it stands at %+v", one)
			}
		}
	}
}

// A repository that does not ask for threads has none.
func TestErrorsAreNoThreadsUnlessTheyShallBe(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		b.branch("topic", "replicas: 1", "replicas: 3")
		b.edit("topic", "kargo/stages.yaml", "name: promote-image\n", "name: promote-imaeg\n")
		number := b.you.open("topic", "main", "More replicas")
		b.run(promote.Event{Kind: promote.EventChange, Change: number})
		if shown := b.findingsShown(number); len(shown) != 0 {
			t.Errorf("threads: %q", shown)
		}
	})
}

// What is wrong with a promotion is a thread, too.
func TestErrorsOfAPromotionAreThreads(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.commit("main", map[string]string{"lockkeeper.yaml": "forge: {threads: true}\n"})
		b.adopt()
		change := b.propose("1.0.2")
		if shown := b.findingsShown(change.Number); len(shown) != 0 {
			t.Errorf("threads of what is right: %q", shown)
		}
		branch := "lockkeeper/" + devStage
		b.edit(branch, devFile, "replicas: 1", "replicas: many")
		b.sweep()
		b.sweep()
		shown := b.findingsShown(change.Number)
		if len(shown) != 1 {
			t.Fatalf("threads %q", shown)
		}
		contains(t, shown[0], "replicas", "resolved: false")
		b.edit(branch, devFile, "replicas: many", "replicas: 1")
		b.sweep()
		if shown := b.findingsShown(change.Number); len(shown) != 1 || !strings.Contains(shown[0], "resolved: true") {
			t.Errorf("threads of what is right again: %q", shown)
		}
	})
}
