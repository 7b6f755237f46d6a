package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// commands turns the comments among events into commands: what is asked, by whom, and what they may do. A comment that is no
// command, is our own, or was answered already is left out.
func (r *Reconciler) commands(ctx context.Context, events []promote.Event) ([]promote.Command, error) {
	var commands []promote.Command
	seen := map[int]bool{}
	for _, event := range events {
		if event.Kind != promote.EventComment || seen[event.Comment.ID] {
			continue
		}
		seen[event.Comment.ID] = true
		command, ok, err := r.command(ctx, event.Comment)
		if err != nil {
			return nil, fmt.Errorf("comment %d on change %d: %w", event.Comment.ID, event.Comment.Change, err)
		}
		if ok {
			commands = append(commands, command)
		}
	}
	return commands, nil
}

func (r *Reconciler) command(ctx context.Context, comment promote.Comment) (promote.Command, bool, error) {
	verb, arguments, ok := promote.ParseCommand(comment.Body)
	if !ok {
		return promote.Command{}, false, nil
	}
	note, found, err := r.unanswered(ctx, comment)
	if err != nil || !found {
		return promote.Command{}, false, err
	}
	// Who asks is what the forge says, never what the event says.
	comment.AuthorID, comment.Author = note.AuthorID, note.Author
	if err := r.Forge.React(ctx, comment.Change, comment.ID, promote.ReactionSeen); err != nil {
		r.Log.WarnContext(ctx, "react", "change", comment.Change, "comment", comment.ID, "error", err)
	}
	permission, err := r.Forge.Permission(ctx, comment.Person())
	if err != nil {
		return promote.Command{}, false, err
	}
	change, err := r.Forge.Change(ctx, comment.Change)
	if err != nil {
		return promote.Command{}, false, err
	}
	return promote.Command{
		Verb: verb, Arguments: arguments, Comment: comment, Permission: permission, Change: change,
	}, true, nil
}

// asked turns what came with the run into commands.
func (r *Reconciler) asked(ctx context.Context, all []Asked) ([]promote.Command, error) {
	var commands []promote.Command
	for _, one := range all {
		comment := one.Comment
		if err := promote.CheckCommand(comment.Body); err != nil {
			return nil, err
		}
		verb, arguments, _ := promote.ParseCommand(comment.Body)
		permission := one.AtMost
		if comment.AuthorID != 0 {
			allowed, err := r.Forge.Permission(ctx, comment.Person())
			if err != nil {
				return nil, fmt.Errorf("ask what %s may do: %w", comment.Author, err)
			}
			permission = min(permission, allowed)
		}
		commands = append(commands, promote.Command{Verb: verb, Arguments: arguments, Comment: comment, Permission: permission})
	}
	return commands, nil
}

// unanswered returns the note of a comment, if it is there as it was written, by somebody else than us, and has no answer yet.
// The event is a hint: only what the forge says counts.
func (r *Reconciler) unanswered(ctx context.Context, comment promote.Comment) (promote.Note, bool, error) {
	notes, err := r.Forge.Notes(ctx, comment.Change)
	if errors.Is(err, promote.ErrNotFound) {
		return promote.Note{}, false, nil
	}
	if err != nil {
		return promote.Note{}, false, err
	}
	mark := marker("reply", strconv.Itoa(comment.ID))
	var found promote.Note
	for _, note := range notes {
		if note.Own && strings.HasPrefix(note.Body, mark) {
			return promote.Note{}, false, nil
		}
		if note.ID == comment.ID && !note.Own && !note.System && note.Body == comment.Body {
			found = note
		}
	}
	return found, found.ID != 0, nil
}

// reply answers a command: words, then the reaction. Who asked with the run reads the answer in its outcome.
func (r *Reconciler) reply(ctx context.Context, w *watch, a promote.Reply) error {
	if a.Change == 0 {
		w.answered(a)
		return nil
	}
	if err := r.say(ctx, a.Change, marker("reply", strconv.Itoa(a.Comment)), a.Body); err != nil {
		return err
	}
	w.answered(a)
	err := r.Forge.React(ctx, a.Change, a.Comment, a.Reaction)
	if errors.Is(err, promote.ErrNotFound) {
		return nil // the comment was deleted in the meantime
	}
	return err
}

// answered forgets the command that a reply answers.
func (w *watch) answered(a promote.Reply) {
	w.commands = slices.DeleteFunc(slices.Clone(w.commands), func(c promote.Command) bool {
		return c.Comment.Change == a.Change && c.Comment.ID == a.Comment
	})
}
