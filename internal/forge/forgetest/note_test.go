package forgetest

import (
	"errors"
	"slices"

	"github.com/lockkeeper/lockkeeper/promote"
)

var noteRows = []row{
	{name: "notes are ours, those of others, and the forge's own (GitHub keeps those elsewhere)", run: noteOwners},
	{name: "a note is edited", run: noteEdited},
	{name: "reacting twice is reacting once", run: reactedTwice},
	{name: "an unknown note is not found", run: unknownNote},
}

func noteOwners(g *ground) {
	change, _ := g.opened()
	if notes, err := g.Notes(g.Context(), change.Number); err != nil || slices.ContainsFunc(notes, func(n promote.Note) bool { return !n.System }) {
		g.Errorf("before anybody wrote: %+v, %v", notes, err)
	}
	ours, err := g.AddNote(g.Context(), change.Number, "ours")
	if err != nil {
		g.Fatal(err)
	}
	theirs := g.comment(g, lea, change.Number, "theirs")
	g.rename(g, lea, change.Number, "another title")
	notes, err := g.Notes(g.Context(), change.Number)
	if err != nil {
		g.Fatal(err)
	}
	system := 0
	var order []int
	for _, note := range notes {
		switch {
		case note.System:
			system++
			continue
		case note.ID == ours.ID && (!note.Own || note.Body != "ours" || note.Author != g.people[bot].Name):
			g.Errorf("ours is %+v", note)
		case note.ID == theirs && (note.Own || note.Body != "theirs" || note.Author != g.people[lea].Name || note.AuthorID != g.people[lea].ID):
			g.Errorf("theirs is %+v", note)
		}
		if note.Bot != (note.Own && g.kind == gitHubApp) {
			g.Errorf("written by a bot: %t of %+v", note.Bot, note)
		}
		if note.CreatedAt.IsZero() {
			g.Errorf("no time: %+v", note)
		}
		order = append(order, note.ID)
	}
	if !slices.Equal(order, []int{ours.ID, theirs}) {
		g.Errorf("people's notes are %v, want %v, oldest first", order, []int{ours.ID, theirs})
	}
	if (system > 0) != (g.kind == gitLab) {
		g.Errorf("%d notes are the forge's own", system)
	}
	if !ours.Own || ours.Body != "ours" {
		g.Errorf("what was written is %+v", ours)
	}
}

func noteEdited(g *ground) {
	change, _ := g.opened()
	note, err := g.AddNote(g.Context(), change.Number, "first")
	if err != nil {
		g.Fatal(err)
	}
	for range 2 {
		if err := g.EditNote(g.Context(), change.Number, note.ID, "second"); err != nil {
			g.Fatal(err)
		}
	}
	notes, err := g.Notes(g.Context(), change.Number)
	if found, one := said(notes, "second"); err != nil || !one || found.ID != note.ID {
		g.Errorf("got %+v, %v", notes, err)
	}
	if _, one := said(notes, "first"); one {
		g.Error("the first text is still there")
	}
}

func reactedTwice(g *ground) {
	change, _ := g.opened()
	note := g.comment(g, lea, change.Number, "/promote")
	for _, f := range []adapter{g.adapter, g.adapter, g.fresh(g.T, connection{})} {
		for _, reaction := range []promote.Reaction{promote.ReactionSeen, promote.ReactionDone, promote.ReactionDenied} {
			if err := f.React(g.Context(), change.Number, note, reaction); err != nil {
				g.Fatal(err)
			}
		}
	}
	want := []string{"eyes", "thumbsup", "thumbsdown"}
	if g.kind.gitHub() {
		want = []string{"eyes", "+1", "-1"}
	}
	got := g.reactions(g, change.Number, note)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		g.Errorf("reactions are %q, want %q", got, want)
	}
}

func unknownNote(g *ground) {
	change, _ := g.opened()
	const note = 9_999_999
	for what, err := range map[string]error{
		"edit":  g.EditNote(g.Context(), change.Number, note, "text"),
		"react": g.React(g.Context(), change.Number, note, promote.ReactionSeen),
	} {
		if !errors.Is(err, promote.ErrNotFound) {
			g.Errorf("%s: got %v", what, err)
		}
	}
}
