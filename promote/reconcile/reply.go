package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	// maxVisitors is how many people who may not write are answered on one change in words, each in one note.
	maxVisitors = 5
	// maxAnswers is how many comments the note for one of them answers.
	maxAnswers = 50
)

// marks is how the notes about one comment begin.
type marks struct {
	answer string // it is answered
	unsure string // it will be
}

func marksOf(c promote.Comment) marks {
	id := strconv.Itoa(c.ID)
	if c.Action != "" {
		id = "button-" + id
	}
	return marks{answer: marker("reply", id), unsure: marker("unsure", id)}
}

// visitorMark is how a note begins that answers a person who may not write.
func visitorMark(person string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(person)))
	return marker("visitor", hex.EncodeToString(sum[:8]))
}

// marked reports whether a note of ours has a mark among those that it begins with.
func marked(note promote.Note, mark string) bool {
	return note.Own && slices.Contains(markers(note.Body), mark)
}

// markers are the lines of marks that a note begins with.
func markers(body string) []string {
	var found []string
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "<!-- lockkeeper:") || !strings.HasSuffix(line, " -->") {
			break
		}
		found = append(found, line)
	}
	return found
}

// reply answers a command: words, then the reaction. Who asked with the run reads the answer in its outcome.
func (r *Reconciler) reply(ctx context.Context, w *watch, a promote.Reply) error {
	if a.Change == 0 {
		w.answered(a)
		return nil
	}
	command := w.asks(a)
	if err := r.answer(ctx, command, a); err != nil {
		return err
	}
	w.answered(a)
	if command.Comment.Action != "" {
		return nil // there is no note to react to
	}
	err := r.Forge.React(ctx, a.Change, a.Comment, a.Reaction)
	if errors.Is(err, promote.ErrNotFound) {
		return nil // the comment was deleted in the meantime
	}
	return err
}

// answer writes the words of a reply in one note. It takes the place of the one that said to wait. Who may not write and gets
// nothing done has one note on a change, which holds the last answer: nobody can have a change filled with answers. Where the forge
// keeps threads apart it is one below the change, and one in all of its threads.
func (r *Reconciler) answer(ctx context.Context, c promote.Command, a promote.Reply) error {
	mark := marksOf(c.Comment)
	visits := c.Permission < promote.PermissionWrite && (a.Reaction == promote.ReactionDenied || !c.Verb.Changes())
	notes, err := r.around(ctx, c.Comment)
	if errors.Is(err, promote.ErrNotFound) {
		notes, err = r.Forge.Notes(ctx, a.Change) // the comment was deleted in the meantime
	}
	if err != nil {
		return err
	}
	if a.Again {
		return r.wait(ctx, notes, c.Comment, a)
	}
	lines := []string{mark.answer}
	visitor := visitorMark(c.Comment.Author)
	if visits {
		lines = append(lines, visitor)
	}
	place := slices.IndexFunc(notes, func(n promote.Note) bool { return marked(n, mark.answer) || marked(n, mark.unsure) })
	if place < 0 && visits {
		place = slices.IndexFunc(notes, func(n promote.Note) bool { return marked(n, visitor) })
	}
	switch {
	case place >= 0:
		for _, line := range markers(notes[place].Body) {
			if line != mark.unsure && !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
		if len(lines) > maxAnswers {
			return nil
		}
		return r.rewrite(ctx, a.Change, notes[place], note(lines, a.Body))
	case visits && count(notes, "visitor") >= maxVisitors:
		return nil
	}
	return r.respond(ctx, c.Comment, note(lines, a.Body))
}

// respond writes a note where a comment stands: in its thread, or below the change when there is none, or none any more.
func (r *Reconciler) respond(ctx context.Context, to promote.Comment, text string) error {
	if to.Thread != "" {
		_, err := r.Forge.Reply(ctx, to.Change, to.Thread, text)
		if !errors.Is(err, promote.ErrNotFound) {
			return err
		}
	}
	_, err := r.Forge.AddNote(ctx, to.Change, text)
	return err
}

// wait says once that a comment will be answered. Nobody is told who comes after many others.
func (r *Reconciler) wait(ctx context.Context, notes []promote.Note, to promote.Comment, a promote.Reply) error {
	mark := marksOf(to).unsure
	if count(notes, "unsure") >= maxVisitors || slices.ContainsFunc(notes, func(n promote.Note) bool { return marked(n, mark) }) {
		return nil
	}
	return r.respond(ctx, to, note([]string{mark}, a.Body))
}

// count counts our notes with marks of a kind.
func count(notes []promote.Note, kind string) int {
	found := 0
	for _, n := range notes {
		if n.Own && slices.ContainsFunc(markers(n.Body), func(line string) bool { return strings.HasPrefix(line, "<!-- lockkeeper:"+kind+":") }) {
			found++
		}
	}
	return found
}

func note(lines []string, body string) string {
	return strings.Join(lines, "\n") + "\n" + strings.TrimSpace(body) + "\n"
}

// rewrite brings a note of ours up to date.
func (r *Reconciler) rewrite(ctx context.Context, change int, before promote.Note, text string) error {
	if strings.TrimSpace(before.Body) == strings.TrimSpace(text) {
		return nil
	}
	return r.Forge.EditNote(ctx, change, before.ID, text)
}

// asks returns the command that a reply answers.
func (w *watch) asks(a promote.Reply) promote.Command {
	i := slices.IndexFunc(w.commands, func(c promote.Command) bool { return c.Comment.Change == a.Change && c.Comment.ID == a.Comment })
	if i < 0 {
		return promote.Command{Comment: promote.Comment{Change: a.Change, ID: a.Comment}, Permission: promote.PermissionWrite}
	}
	return w.commands[i]
}

// answered forgets the command that a reply answers.
func (w *watch) answered(a promote.Reply) {
	w.commands = slices.DeleteFunc(slices.Clone(w.commands), func(c promote.Command) bool {
		return c.Comment.Change == a.Change && c.Comment.ID == a.Comment
	})
}
