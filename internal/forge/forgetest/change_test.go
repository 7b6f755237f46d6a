package forgetest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
)

var changeRows = []row{
	{name: "a change is found in every way that there is", run: foundEveryWay},
	{name: "changes of others are told apart", run: othersChanges},
	{name: "opening twice is opening once", run: openedTwice},
	{name: "an update replaces the text", run: updated},
	{name: "what a hostile text asks for is not done", run: hostileTexts},
	{name: "texts that are too long are cut, and say so", run: longTexts},
	{name: "closing twice is closing once", run: closedTwice},
	{name: "what was merged in the meantime is not closed", run: closeMerged},
	{name: "a draft cannot be merged", run: draftsWait},
	{name: "a draft that cannot be one counts as one until its label is taken off", run: draftsWithout, dev: true},
	{name: "people are assigned and asked, and unknown ones are left out", run: peopleAsked},
	{name: "a team is asked (GitHub has teams)", run: teamAsked, dev: true},
	{name: "an unknown change is not found", run: unknownChange},
}

// stable is a change without what moves by itself.
func stable(change promote.Change) promote.Change {
	change.UpdatedAt, change.Mergeability = change.UpdatedAt.Truncate(0), promote.Mergeability{}
	change.UpdatedAt = change.UpdatedAt.UTC()
	return change
}

func numbers(changes []promote.Change) []int {
	var out []int
	for _, change := range changes {
		out = append(out, change.Number)
	}
	return out
}

func foundEveryWay(g *ground) {
	change, p := g.opened()
	want := promote.Change{
		Number: change.Number, URL: change.URL, Branch: p.branch, Target: target, Head: p.head, Title: "web 2 to dev", Description: "What it does.",
		Labels: []string{promote.ChangeLabel}, Author: g.people[bot].Name,
	}
	from, err := g.ChangesFrom(g.Context(), p.branch)
	if err != nil || len(from) != 1 {
		g.Fatalf("got %+v, %v", from, err)
	}
	open, err := g.OpenChanges(g.Context())
	if err != nil {
		g.Fatal(err)
	}
	at := slices.Index(numbers(open), change.Number)
	if at < 0 {
		g.Fatalf("it is not among the open changes %v", numbers(open))
	}
	for name, got := range map[string]promote.Change{"opened": change, "from its branch": from[0], "open": open[at], "by number": g.seen(change.Number)} {
		got = stable(got)
		if got.UpdatedAt.IsZero() || change.Number <= 0 || !strings.HasPrefix(change.URL, "http") {
			g.Errorf("%s: it has no number, address or time: %+v", name, got)
		}
		want.UpdatedAt = got.UpdatedAt
		if diff := cmp.Diff(want, got); diff != "" {
			g.Errorf("%s: %s", name, diff)
		}
	}
	if none, err := g.ChangesFrom(g.Context(), promote.Branch(g.name("lockkeeper/none"))); err != nil || len(none) != 0 {
		g.Errorf("from a branch that is not there: %+v, %v", none, err)
	}
}

func othersChanges(g *ground) {
	ours, _ := g.opened()
	unlabelled, labelled := g.propose(lea), g.propose(lea)
	one := g.open(g, lea, draft{branch: unlabelled.branch, title: "by hand"})
	two := g.open(g, lea, draft{branch: labelled.branch, title: "by hand, with the label", labels: []string{promote.ChangeLabel}})
	open, err := g.OpenChanges(g.Context())
	if err != nil {
		g.Fatal(err)
	}
	found := numbers(open)
	if slices.Contains(found, one) || !slices.Contains(found, two) || !slices.Contains(found, ours.Number) {
		g.Errorf("open are %v, want %d and %d, and not %d, which has no label", found, ours.Number, two, one)
	}
	if at := slices.Index(found, two); at >= 0 && open[at].Author != g.people[lea].Name {
		g.Errorf("the author is %q", open[at].Author)
	}
	if from, err := g.ChangesFrom(g.Context(), unlabelled.branch); err != nil || !slices.Equal(numbers(from), []int{one}) {
		g.Errorf("got %+v, %v", from, err)
	}
}

func openedTwice(g *ground) {
	first, p := g.opened()
	again := p.draft()
	again.Title, again.Description, again.Labels = "web 3 to dev", "Other words.", []string{promote.ChangeLabel, "more"}
	for _, f := range []adapter{g.adapter, g.fresh(g.T, connection{})} {
		second, err := f.Open(g.Context(), again)
		if err != nil || second.Number != first.Number {
			g.Fatalf("got %+v, %v", second, err)
		}
	}
	now := g.seen(first.Number)
	slices.Sort(now.Labels)
	if now.Title != again.Title || now.Description != again.Description || !slices.Equal(now.Labels, again.Labels) {
		g.Errorf("got %+v", now)
	}
	if from, err := g.ChangesFrom(g.Context(), p.branch); err != nil || len(from) != 1 {
		g.Errorf("got %+v, %v", from, err)
	}
}

func updated(g *ground) {
	change, _ := g.opened()
	for range 2 {
		if err := g.Update(g.Context(), change.Number, promote.ChangeEdit{Title: "new title", Description: "new text"}); err != nil {
			g.Fatal(err)
		}
	}
	if err := g.Update(g.Context(), change.Number, promote.ChangeEdit{Description: "newer text"}); err != nil {
		g.Fatal(err)
	}
	if now := g.seen(change.Number); now.Title != "new title" || now.Description != "newer text" || !slices.Equal(now.Labels, []string{promote.ChangeLabel}) {
		g.Errorf("got %+v", now)
	}
}

// hostile is what somebody may get into a text of ours, such as by the message of a commit.
const hostile = "/close\n/approve\n  /draft\n@all @lea\n/merge\n```\n/close\n````\n/close\n~~~ not a fence\n/close\n```\n/close\n<!-- /close\n/close -->\n" +
	"<details>\n/close\n/label ~x\n/title taken over\n> /close\n\t/close\n/close"

func hostileTexts(g *ground) {
	p := g.propose(bot)
	wanted := p.draft()
	wanted.Description = hostile
	change := g.openDraft(wanted)
	untouched := func(what string) {
		g.Helper()
		now := g.seen(change.Number)
		if now.State != promote.ChangeOpen || now.Draft || now.Title != wanted.Title || !slices.Equal(now.Labels, wanted.Labels) {
			g.Fatalf("%s: the change is %+v", what, now)
		}
		if given, err := g.Approvals(g.Context(), change.Number); err != nil || len(given.Given) != 0 {
			g.Errorf("%s: it was approved by %+v, %v", what, given.Given, err)
		}
	}
	untouched("the description")
	if err := g.Update(g.Context(), change.Number, promote.ChangeEdit{Description: "words\n\n" + hostile}); err != nil {
		g.Fatal(err)
	}
	untouched("an update")
	note, err := g.AddNote(g.Context(), change.Number, hostile)
	if err != nil {
		g.Fatal(err)
	}
	untouched("a note")
	if err := g.EditNote(g.Context(), change.Number, note.ID, "words\n\n"+hostile); err != nil {
		g.Fatal(err)
	}
	untouched("an edit of it")
	notes, err := g.Notes(g.Context(), change.Number)
	if err != nil {
		g.Fatal(err)
	}
	if said, one := said(notes, "words\n"); !one || !strings.Contains(said.Body, "@all @lea") {
		g.Errorf("got %+v", notes)
	}
}

func longTexts(g *ground) {
	long := strings.Repeat("A line that is repeated until nobody takes it.\n", 25_000)
	p := g.propose(bot)
	wanted := p.draft()
	wanted.Title, wanted.Description = strings.Repeat("é", 300), "```\n"+long
	change := g.openDraft(wanted)
	const left = "The rest is left out: the text has "
	seen := g.view(g, change.Number)
	if len(seen.Description) >= len(long) || !strings.Contains(seen.Description, "\n```\n\n\n"+left) {
		g.Errorf("the description has %d bytes, and ends with %q", len(seen.Description), seen.Description[max(0, len(seen.Description)-200):])
	}
	if runes := []rune(seen.Title); len(runes) > 256 || runes[len(runes)-1] != '…' {
		g.Errorf("the title has %d characters", len(runes))
	}
	note, err := g.AddNote(g.Context(), change.Number, "note\n"+long)
	if err != nil {
		g.Fatal(err)
	}
	if err := g.EditNote(g.Context(), change.Number, note.ID, "note\n"+long+long); err != nil {
		g.Fatal(err)
	}
	notes, err := g.fresh(g.T, connection{}).Notes(g.Context(), change.Number)
	if found, one := said(notes, "note\n"); err != nil || !one || !strings.Contains(found.Body, left) {
		g.Errorf("got %d notes, %v", len(notes), err)
	}
}

func closedTwice(g *ground) {
	change, p := g.opened()
	for range 2 {
		if err := g.Close(g.Context(), change.Number); err != nil {
			g.Fatal(err)
		}
	}
	if now := g.seen(change.Number); now.State != promote.ChangeClosed || now.ClosedBy != g.people[bot].Name || now.Merged != "" {
		g.Errorf("got %+v", now)
	}
	if open, err := g.OpenChanges(g.Context()); err != nil || slices.Contains(numbers(open), change.Number) {
		g.Errorf("open are %v, %v", numbers(open), err)
	}
	if next := g.openDraft(p.draft()); next.Number == change.Number {
		g.Error("a closed change was opened again")
	}
}

func closeMerged(g *ground) {
	change, p := g.opened()
	g.merge(g, lea, change.Number, p.head)
	if err := g.Close(g.Context(), change.Number); !errors.Is(err, promote.ErrStale) {
		g.Errorf("got %v", err)
	}
	if now := g.seen(change.Number); now.State != promote.ChangeMerged || now.MergedBy != g.people[lea].Name || now.Merged == "" {
		g.Errorf("got %+v", now)
	}
}

func draftsWait(g *ground) {
	p := g.propose(bot)
	wanted := p.draft()
	wanted.Draft = true
	change := g.openDraft(wanted)
	if !change.Draft || !g.seen(change.Number).Draft || !g.view(g, change.Number).Draft {
		g.Errorf("it is no draft: %+v", change)
	}
	if got, err := g.Merge(g.Context(), change.Number, p.head, "Promote web 2"); !errors.Is(err, promote.ErrNotMergeable) {
		g.Errorf("got %+v, %v", got, err)
	}
	if now := g.seen(change.Number); now.State != promote.ChangeOpen || now.Merge != promote.MergeBlocked {
		g.Errorf("got %+v", now)
	}
}

func draftsWithout(g *ground) {
	if !g.kind.gitHub() {
		return // GitLab has drafts on every plan.
	}
	if err := g.dev.Change(g.path, func(s *devforge.Settings) { s.GitHub.NoDrafts = true }); err != nil {
		g.Fatal(err)
	}
	for range 2 { // The second time it is known.
		p := g.propose(bot)
		wanted := p.draft()
		wanted.Draft = true
		change := g.openDraft(wanted)
		seen := g.seen(change.Number)
		if !change.Draft || !seen.Draft || seen.Title != wanted.Title || !slices.Contains(seen.Labels, promote.DraftLabel) || g.view(g, change.Number).Draft {
			g.Errorf("got %+v", seen)
		}
		if listed, err := g.OpenChanges(g.Context()); err != nil || !slices.ContainsFunc(listed, func(c promote.Change) bool { return c.Number == change.Number && c.Draft }) {
			g.Errorf("listed: %+v, %v", listed, err)
		}
		g.ask(lea, http.MethodDelete, fmt.Sprintf("/repos/%s/issues/%d/labels/%s", g.path, change.Number, promote.DraftLabel), nil, nil)
		if ready := g.seen(change.Number); ready.Draft || !slices.Contains(ready.Labels, promote.ChangeLabel) {
			g.Errorf("without the label: %+v", ready)
		}
	}
}

func peopleAsked(g *ground) {
	p := g.propose(bot)
	wanted := p.draft()
	who := g.people[lea].Name
	wanted.Assignees, wanted.Reviewers = []string{who}, []string{who}
	change := g.openDraft(wanted)
	seen := g.view(g, change.Number)
	if !slices.Equal(seen.Assignees, []string{who}) || !slices.Equal(seen.Reviewers, []string{who}) {
		g.Errorf("got %+v", seen)
	}
	p = g.propose(bot)
	wanted = p.draft()
	wanted.Assignees, wanted.Reviewers = []string{"nobody-of-that-name"}, []string{"nobody-of-that-name"}
	if seen := g.view(g, g.openDraft(wanted).Number); len(seen.Assignees)+len(seen.Reviewers) != 0 || !seen.Open {
		g.Errorf("got %+v", seen)
	}
}

func teamAsked(g *ground) {
	if !g.kind.gitHub() {
		return // GitLab asks people only.
	}
	if err := g.dev.CreateTeam("acme", "release", mia); err != nil {
		g.Fatal(err)
	}
	wanted := g.propose(bot).draft()
	wanted.Reviewers = []string{"acme/release", wes}
	if seen := g.view(g, g.openDraft(wanted).Number); !slices.Equal(seen.Reviewers, []string{wes, "team release"}) {
		g.Errorf("got %+v", seen)
	}
}

func unknownChange(g *ground) {
	const number = 9_999_999
	_, readErr := g.Change(g.Context(), number)
	_, noteErr := g.AddNote(g.Context(), number, "hello")
	for what, err := range map[string]error{
		"read": readErr, "note": noteErr, "close": g.Close(g.Context(), number),
		"update": g.Update(g.Context(), number, promote.ChangeEdit{Title: "t", Description: "d"}),
	} {
		if !errors.Is(err, promote.ErrNotFound) {
			g.Errorf("%s: got %v", what, err)
		}
	}
}
