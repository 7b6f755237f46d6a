package forgetest

import (
	"errors"
	"slices"

	"github.com/lockkeeper/lockkeeper/promote"
)

var threadRows = []row{
	{name: "a thread is answered in itself, and edited there", run: answeredInThread},
	{name: "a thread that the forge lists without its name is answered, too", run: answeredWithoutName},
	{name: "comments of one number are told apart (GitHub counts them in three series)", run: toldApart},
	{name: "a thread that is not there is not found", run: unknownThread},
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
