package forgetest

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
)

var eventRows = []row{
	{name: "what people do is told by webhooks", run: told, dev: true, hear: true},
	{name: "what webhooks did not bring comes back", run: missed, dev: true, hear: true},
	{name: "a change is opened, labelled and gated by few requests", run: budget, dev: true},
}

// told lets a person do one thing after the other, and compares what the adapter reads in the webhooks of each.
func told(g *ground) {
	change, p := g.opened()
	n := change.Number
	note := g.comment(g, lea, n, "before")
	g.gate(change, promote.StatusPending)
	g.mail.empty(g)
	moved := promote.Event{Kind: promote.EventChange, Change: n}
	report := report{head: p.head, branch: p.branch, name: "build", state: promote.StatusSuccess}
	status := promote.Event{Kind: promote.EventStatus}
	if g.kind == gitLab {
		status.Change, status.Head = n, p.head // GitHub's names the commit's branches, and no change.
	}
	for _, test := range []struct {
		name string
		do   func() []promote.Event // and what it is told as
	}{
		{"a comment", func() []promote.Event {
			id := g.comment(g, lea, n, "/promote")
			comment := promote.Comment{ID: id, Change: n, AuthorID: g.people[lea].ID, Author: lea, Body: "/promote"}
			if g.kind == gitLab {
				comment.Head = p.head // GitHub's does not name it.
			}
			return []promote.Event{{Kind: promote.EventComment, Change: n, Comment: comment}}
		}},
		{"a comment in a thread", func() []promote.Event {
			id, thread := g.remark(g, lea, n, p.file, "/hold")
			comment := promote.Comment{ID: id, Change: n, Thread: thread, Head: p.head, AuthorID: g.people[lea].ID, Author: lea, Body: "/hold"}
			told := promote.Event{Kind: promote.EventComment, Change: n, Comment: comment}
			if g.kind == gitLab {
				return []promote.Event{told}
			}
			return []promote.Event{moved, told} // To GitHub it is a review of one comment.
		}},
		{"a review with a command (GitHub's)", func() []promote.Event {
			id := g.reviewed(g, lea, n, "/hold")
			if id == 0 {
				return nil
			}
			comment := promote.Comment{ID: id, Change: n, Head: p.head, AuthorID: g.people[lea].ID, Author: lea, Body: "/hold"}
			return []promote.Event{{Kind: promote.EventComment, Change: n, Comment: comment}}
		}},
		{"a reaction, which is no command", func() []promote.Event { g.react(g, lea, n, note); return nil }},
		{"another title", func() []promote.Event { g.rename(g, lea, n, "another title"); return []promote.Event{moved} }},
		{"an approval", func() []promote.Event { g.approve(g, lea, n); return []promote.Event{moved} }},
		{"its withdrawal", func() []promote.Event { g.withdraw(g, lea, n); return []promote.Event{moved} }},
		{"a status", func() []promote.Event { g.report(g, wes, report); return []promote.Event{status} }},
		{"a pipeline of CI (GitLab's own)", func() []promote.Event {
			if g.kind.gitHub() {
				return nil
			}
			g.pipeline(n)
			return []promote.Event{status, status} // It begins, and it ends.
		}},
		{"closed", func() []promote.Event { g.close(g, lea, n); return []promote.Event{moved} }},
		{"reopened", func() []promote.Event { g.reopen(g, lea, n); return []promote.Event{moved} }},
		{"a push to the default branch", func() []promote.Event {
			head := g.commit(lea, target, "by-hand.yaml", "x\n")
			return []promote.Event{{Kind: promote.EventPush, Branch: target, Head: head}}
		}},
		{"a push to a change's branch", func() []promote.Event {
			head := g.commit(wes, p.branch, "more.yaml", "x\n")
			p.head = head
			return []promote.Event{{Kind: promote.EventPush, Branch: p.branch, Head: head}, moved}
		}},
		{"a new branch and a change from it", func() []promote.Event {
			other := g.propose(wes)
			number := g.open(g, wes, draft{branch: other.branch, title: "by hand"})
			return []promote.Event{{Kind: promote.EventPush, Branch: other.branch, Head: other.head}, {Kind: promote.EventChange, Change: number}}
		}},
		{"merged", func() []promote.Event {
			g.merge(g, lea, n, p.head)
			pushed := []promote.Event{{Kind: promote.EventPush, Branch: target, Head: g.tip(g, target)}}
			if g.kind == gitLab { // The adapter asked it to delete the branch.
				pushed = append(pushed, promote.Event{Kind: promote.EventPush, Branch: p.branch})
			}
			return append(pushed, moved)
		}},
	} {
		want := test.do()
		g.compare(test.name, want, g.mail.events(g))
	}
	if g.kind == gitHubApp {
		g.pressed(change)
	}
}

// pipeline lets CI test a change.
func (g *ground) pipeline(number int) {
	g.Helper()
	id, err := g.dev.RunPipeline(g.Context(), g.path, number, devforge.RequestPipeline)
	if err == nil {
		err = g.dev.FinishPipeline(g.Context(), g.path, id, "success")
	}
	if err != nil {
		g.Fatal(err)
	}
}

func (g *ground) compare(name string, want, got []promote.Event) {
	g.Helper()
	for i, event := range got {
		if event.Delivery == "" || event.Kind == promote.EventComment && event.Comment.Action == "" && event.Comment.At.IsZero() {
			g.Errorf("%s: no delivery or no time in %+v", name, event)
		}
		if event.Kind == promote.EventPush && !strings.HasSuffix(event.Source, "/"+g.path+".git") {
			g.Errorf("%s: pushed to %q", name, event.Source)
		}
		got[i].Delivery, got[i].Source, got[i].Comment.At = "", "", time.Time{}
	}
	byKind := func(a, b promote.Event) int { return cmp.Compare(a.Kind, b.Kind) }
	slices.SortStableFunc(got, byKind)
	if diff := gocmp.Diff(want, got); diff != "" {
		g.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// pressed: only Apps have check runs with buttons.
func (g *ground) pressed(change promote.Change) {
	g.Helper()
	again, p := g.opened()
	g.gate(again, promote.StatusFailed)
	g.mail.empty(g)
	var found struct {
		CheckRuns []struct {
			ID int `json:"id"`
		} `json:"check_runs"`
	}
	g.ask(lea, http.MethodGet, "/repos/"+g.path+"/commits/"+string(p.head)+"/check-runs?check_name="+url.QueryEscape(promote.StatusName), nil, &found)
	if len(found.CheckRuns) != 1 {
		g.Fatalf("got %+v", found)
	}
	run := found.CheckRuns[0].ID
	if err := g.dev.Rerequest(g.path, run, lea); err != nil {
		g.Fatal(err)
	}
	g.compare("asked for once more", []promote.Event{{Kind: promote.EventStatus, Change: again.Number}}, g.mail.events(g))
	if err := g.dev.PressButton(g.path, run, lea, "hold"); err != nil {
		g.Fatal(err)
	}
	got := g.mail.events(g)
	if len(got) != 1 || got[0].Comment.ID <= change.Number {
		g.Fatalf("got %+v", got)
	}
	got[0].Comment.ID = 0
	comment := promote.Comment{Change: again.Number, Head: p.head, AuthorID: g.people[lea].ID, Author: lea, Body: "/hold", Action: "hold"}
	g.compare("a button", []promote.Event{{Kind: promote.EventComment, Change: again.Number, Comment: comment}}, got)
}

// missed: GitHub says what nobody took, by the number of its delivery. GitLab says all that happened, by numbers of its own.
func missed(g *ground) {
	if g.kind == gitHubToken { // A token reads deliveries only of who administers the repository.
		if err := g.dev.AddMember(g.path, bot, levels[lea]); err != nil {
			g.Fatal(err)
		}
	}
	change, p := g.opened()
	g.comment(g, lea, change.Number, "before")
	g.mail.empty(g)
	since := g.clock.Now()
	g.mail.breaks(true)
	g.comment(g, lea, change.Number, "/promote")
	g.remark(g, lea, change.Number, p.file, "/hold")
	g.commit(lea, target, "by-hand.yaml", "x\n")
	var want []promote.Event
	for _, one := range g.mail.empty(g) {
		event, ignored, err := g.parse(one)
		if err != nil || event.Delivery != "" && event.Delivery != g.deliveryOf(one) {
			g.Fatalf("got %+v, %v", event, err)
		}
		if !ignored {
			want = append(want, event)
		}
	}
	g.mail.breaks(false)
	if g.kind.gitHub() {
		g.comment(g, lea, change.Number, "after") // which is taken
		g.mail.empty(g)
	}
	for range 2 { // Whoever asks again is told again.
		got, err := g.Missed(g.Context(), since)
		if err != nil {
			g.Fatal(err)
		}
		g.sameEvents(want, got)
	}
	if g.kind.gitHub() {
		g.redelivered(since)
	}
}

func (g *ground) sameEvents(want, got []promote.Event) {
	g.Helper()
	most := 3
	if g.kind.gitHub() {
		most = 4 // A comment in a file is a review, too.
	}
	if len(want) != most || len(got) != most {
		g.Fatalf("got %+v, want %+v", got, want)
	}
	want = slices.Clone(want)
	for i := range got {
		if g.kind != gitLab {
			break
		}
		if !strings.HasPrefix(got[i].Delivery, "event/") {
			g.Errorf("GitLab's activity has %+v", got[i])
		}
		want[i].Delivery, want[i].Comment.Head, want[i].Comment.Thread = got[i].Delivery, "", "" // It says neither head nor thread.
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		g.Errorf("missed (-want +got):\n%s", diff)
	}
}

// redelivered sends once more what was missed: it is missed no longer.
func (g *ground) redelivered(since time.Time) {
	g.Helper()
	for _, sent := range g.dev.Deliveries() {
		if sent.Status != http.StatusServiceUnavailable {
			continue
		}
		if err := g.dev.Redeliver(sent.ID); err != nil {
			g.Fatal(err)
		}
	}
	g.mail.empty(g)
	if err := g.clock.Sleep(g.Context(), 2*time.Minute); err != nil { // An App's repositories share what was listed last.
		g.Fatal(err)
	}
	if got, err := g.Missed(g.Context(), since); err != nil || len(got) != 0 {
		g.Errorf("after all was sent again: %+v, %v", got, err)
	}
}

// budget counts the requests of a run that opens a change. What a server asks once in its life was asked in a run before.
func budget(g *ground) {
	most := 5 // Labels are a request of their own on GitHub, and so is the external status check on GitLab.
	before, _ := g.opened()
	g.gate(before, promote.StatusPending)
	if _, err := g.OpenChanges(g.Context()); err != nil {
		g.Fatal(err)
	}
	p := g.propose(bot)
	g.dev.ResetCalls()
	if _, err := g.OpenChanges(g.Context()); err != nil {
		g.Fatal(err)
	}
	looked := len(g.dev.Calls())
	change := g.openDraft(p.draft())
	g.gate(change, promote.StatusPending)
	if all := g.dev.Calls(); looked == 0 || len(all)-looked > 4 || len(all) > most {
		g.Errorf("%d requests, at most %d: %+v", len(all), most, all)
	}
	if seen := g.seen(change.Number); !slices.Contains(seen.Labels, promote.ChangeLabel) {
		g.Errorf("got %+v", seen)
	}
}
