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
	answered, found, err := r.answered(ctx, comment)
	if err != nil || answered || !found {
		return promote.Command{}, false, err
	}
	if err := r.Forge.React(ctx, comment.Change, comment.ID, promote.ReactionSeen); err != nil {
		r.Log.WarnContext(ctx, "react", "change", comment.Change, "comment", comment.ID, "error", err)
	}
	permission, err := r.Forge.Permission(ctx, comment.AuthorID)
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

// answered reports whether we answered the comment before, and whether the comment is there, as it was written, by somebody
// else than us. The event is a hint: only what the forge says counts.
func (r *Reconciler) answered(ctx context.Context, comment promote.Comment) (answered, found bool, err error) {
	notes, err := r.Forge.Notes(ctx, comment.Change)
	if errors.Is(err, promote.ErrNotFound) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	mark := marker("reply", strconv.Itoa(comment.ID))
	for _, note := range notes {
		if note.Own && strings.HasPrefix(note.Body, mark) {
			answered = true
		}
		if note.ID == comment.ID && !note.Own && !note.System && note.Body == comment.Body {
			found = true
		}
	}
	return answered, found, nil
}

// reply answers a command: words, then the reaction.
func (r *Reconciler) reply(ctx context.Context, w *watch, a promote.Reply) error {
	err := r.say(ctx, a.Change, marker("reply", strconv.Itoa(a.Comment)), a.Body)
	if err == nil {
		err = r.Forge.React(ctx, a.Change, a.Comment, a.Reaction)
	}
	if err != nil && !errors.Is(err, promote.ErrNotFound) {
		return err
	}
	// A comment or change that was deleted in the meantime needs no answer.
	w.commands = slices.DeleteFunc(slices.Clone(w.commands), func(c promote.Command) bool { return c.Comment.ID == a.Comment })
	return nil
}
