package forgetest

import (
	"errors"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/github"
	"github.com/lockkeeper/lockkeeper/internal/forge/gitlab"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

var threadRows = []row{
	{name: "a thread is answered in itself, and edited there", run: answeredInThread},
	{name: "a thread that the forge lists without its name is answered, too", run: answeredWithoutName},
	{name: "comments of one number are told apart (GitHub counts them in three series)", run: toldApart},
	{name: "a thread that is not there is not found", run: unknownThread},
	{name: "a finding is a thread at its line, which is resolved and opened again", run: findingThreads, dev: true},
	{name: "a finding that the diff does not show is a thread elsewhere, or none", run: findingsElsewhere},
	{name: "findings of an older head are not shown", run: findingsOfOldHead, dev: true},
}

func answeredInThread(g *ground) {
	change, p := g.opened()
	first, thread := g.remark(g, lea, change.Number, p.file, "/hold")
	elsewhere, _ := g.remark(g, lea, change.Number, p.file, "something else")
	reply, err := g.Reply(g.Context(), change.Number, thread, "done")
	if err != nil {
		g.Fatal(err)
	}
	if !reply.Own || reply.Body != "done" || reply.ID == first || reply.Thread == "" {
		g.Errorf("what was written is %+v", reply)
	}
	if got := g.thread(g, change.Number, first); !slices.Equal(got, []string{"/hold", "done"}) {
		g.Errorf("the thread is %q", got)
	}
	if got := g.thread(g, change.Number, elsewhere); !slices.Equal(got, []string{"something else"}) {
		g.Errorf("the other thread is %q", got)
	}
	for range 2 {
		if err := g.EditNote(g.Context(), change.Number, reply.ID, "done, really"); err != nil {
			g.Fatal(err)
		}
		if err := g.React(g.Context(), change.Number, first, promote.ReactionSeen); err != nil {
			g.Fatal(err)
		}
	}
	if got := g.thread(g, change.Number, first); !slices.Equal(got, []string{"/hold", "done, really"}) {
		g.Errorf("the thread is %q", got)
	}
	if got := g.reactions(g, change.Number, first); !slices.Equal(got, []string{"eyes"}) {
		g.Errorf("reactions are %q", got)
	}
	around, err := g.Around(g.Context(), change.Number, first)
	ours, one := said(around, "done, really")
	theirs, other := said(around, "/hold")
	if err != nil || !one || !other || !ours.Own || theirs.Own || theirs.ID != first || theirs.AuthorID != g.people[lea].ID {
		g.Errorf("around it are %+v, %v", around, err)
	}
}

func answeredWithoutName(g *ground) {
	change, p := g.opened()
	first, _ := g.remark(g, lea, change.Number, p.file, "/hold")
	around, err := g.Around(g.Context(), change.Number, first)
	note, one := said(around, "/hold")
	if err != nil || !one || note.Thread == "" {
		g.Fatalf("got %+v, %v", around, err)
	}
	for _, f := range []adapter{g.adapter, g.fresh(g.T, connection{})} {
		if _, err := f.Reply(g.Context(), change.Number, note.Thread, "done"); err != nil {
			g.Fatal(err)
		}
	}
	if got := g.thread(g, change.Number, first); !slices.Equal(got, []string{"/hold", "done", "done"}) {
		g.Errorf("the thread is %q", got)
	}
}

// toldApart: on a new GitHub the first comment below, the first in a file and the first review all have the number 1.
func toldApart(g *ground) {
	change, p := g.opened()
	below := g.comment(g, lea, change.Number, "below")
	remark, _ := g.remark(g, lea, change.Number, p.file, "in a file")
	seen := map[string]int{"below": below, "in a file": remark}
	if review := g.reviewed(g, lea, change.Number, "a review"); review != 0 {
		seen["a review"] = review
	}
	numbers := map[int]bool{}
	for text, id := range seen {
		around, err := g.Around(g.Context(), change.Number, id)
		note, one := said(around, text)
		if err != nil || !one || note.ID != id || note.Body != text || note.CreatedAt.IsZero() {
			g.Errorf("%s: got %+v, %v", text, around, err)
		}
		if err := g.React(g.Context(), change.Number, id, promote.ReactionSeen); err != nil {
			g.Errorf("%s: %v", text, err)
		}
		numbers[id] = true
	}
	if len(numbers) != len(seen) {
		g.Errorf("numbers are %v", seen)
	}
	for _, id := range []int{below, remark} {
		if got := g.reactions(g, change.Number, id); !slices.Equal(got, []string{"eyes"}) {
			g.Errorf("reactions to %d are %q", id, got)
		}
	}
}

func unknownThread(g *ground) {
	change, _ := g.opened()
	thread := promote.Thread("9999999")
	if !g.kind.gitHub() {
		thread = "00000000000000000000000000000000000000aa"
	}
	if _, err := g.Reply(g.Context(), change.Number, thread, "text"); !errors.Is(err, promote.ErrNotFound) {
		g.Errorf("got %v", err)
	}
	if _, err := g.Reply(g.Context(), change.Number, "../1", "text"); !errors.Is(err, promote.ErrNotFound) {
		g.Errorf("no thread at all: got %v", err)
	}
}

// finding is a thread about a finding at a line.
func finding(name, file string, line int) promote.ThreadDraft {
	return promote.ThreadDraft{Path: file, Line: line, Body: "<!-- lockkeeper:finding:" + name + " -->\nIt is wrong.\n"}
}

// own are the threads that we began on a change, without their names.
func (g *ground) own(number int) []promote.OwnThread {
	g.Helper()
	threads, err := g.OwnThreads(g.Context(), number)
	if err != nil {
		g.Fatal(err)
	}
	for i := range threads {
		if threads[i].ID == "" {
			g.Errorf("a thread has no name: %+v", threads)
		}
		threads[i].ID, threads[i].Body = "", firstLine(threads[i].Body)
	}
	return threads
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(line)
}

// as is the adapter with the token of a person.
func (g *ground) as(by string) adapter {
	g.Helper()
	token := secret.Text(g.people[by].token)
	if g.kind.gitHub() {
		return gitHubAdapter(g.T, github.Config{URL: strings.TrimSuffix(g.api, "/api/v3"), Repository: g.path, Token: token, Now: g.clock.Now, Sleep: g.clock.Sleep})
	}
	return gitLabAdapter(g.T, gitlab.Config{URL: strings.TrimSuffix(g.api, "/api/v4"), Project: g.path, Token: token, Now: g.clock.Now, Sleep: g.clock.Sleep})
}

func findingThreads(g *ground) {
	change, p := g.opened()
	if change.Unresolved || g.seen(change.Number).Unresolved {
		g.Error("a new change has an open thread")
	}
	if got := g.own(change.Number); len(got) != 0 {
		g.Errorf("before anything: %+v", got)
	}
	g.remark(g, lea, change.Number, p.file, "of a person")
	if err := g.OpenThreads(g.Context(), change.Number, p.head, []promote.ThreadDraft{finding("one", p.file, 1)}); err != nil {
		g.Fatal(err)
	}
	if !g.seen(change.Number).Unresolved {
		g.Error("an open thread is not seen")
	}
	threads, err := g.OwnThreads(g.Context(), change.Number)
	if err != nil || len(threads) != 1 {
		g.Fatalf("got %+v, %v", threads, err)
	}
	set := func(f adapter, resolved bool) {
		g.Helper()
		for range 2 {
			if err := f.Resolve(g.Context(), change.Number, threads[0].ID, resolved); err != nil {
				g.Fatal(err)
			}
		}
	}
	mark := "<!-- lockkeeper:finding:one -->"
	for _, step := range []struct {
		name     string
		by       adapter
		resolved bool
		want     promote.OwnThread
	}{
		{"resolved by us", g.adapter, true, promote.OwnThread{Body: mark, Resolved: true, Ours: true}},
		{"and opened again", g.fresh(g.T, connection{}), false, promote.OwnThread{Body: mark}},
		{"resolved by a person", g.as(lea), true, promote.OwnThread{Body: mark, Resolved: true}},
	} {
		set(step.by, step.resolved)
		if diff := cmp.Diff([]promote.OwnThread{step.want}, g.own(change.Number)); diff != "" {
			g.Errorf("%s: %s", step.name, diff)
		}
	}
}

func findingsElsewhere(g *ground) {
	change, p := g.opened()
	drafts := []promote.ThreadDraft{finding("line", p.file, 1), finding("beyond", p.file, 99), finding("whole", p.file, 0), finding("outside", "outside.yaml", 3)}
	if err := g.OpenThreads(g.Context(), change.Number, p.head, drafts); err != nil {
		g.Fatal(err)
	}
	want := []string{"<!-- lockkeeper:finding:line -->", "<!-- lockkeeper:finding:beyond -->", "<!-- lockkeeper:finding:whole -->"}
	if g.kind == gitLab { // GitHub has none but in the files of the diff.
		want = append(want, "<!-- lockkeeper:finding:outside -->")
	}
	var got []string
	for _, thread := range g.own(change.Number) {
		got = append(got, thread.Body)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		g.Error(diff)
	}
}

// findingsOfOldHead: GitHub takes them as long as the commit is part of the change, which shows them as outdated.
func findingsOfOldHead(g *ground) {
	change, p := g.opened()
	g.commit(wes, p.branch, "more.yaml", "x\n")
	err := g.OpenThreads(g.Context(), change.Number, p.head, []promote.ThreadDraft{finding("one", p.file, 1)})
	if g.kind == gitLab && !errors.Is(err, promote.ErrStale) || g.kind.gitHub() && err != nil {
		g.Errorf("got %v", err)
	}
}
