package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

// commands turns the comments among events into commands: what is asked, by whom, and what they may do. A comment that is no
// command, is our own, or was answered already is left out. One that cannot be looked at now comes again with its event; neither
// the others nor anything else waits for it.
func (r *Reconciler) commands(ctx context.Context, w *watch, events []promote.Event) []promote.Command {
	var commands []promote.Command
	seen := map[commentKey]bool{}
	for _, event := range events {
		key := keyOf(event.Comment)
		if event.Kind != promote.EventComment || seen[key] {
			continue
		}
		seen[key] = true
		command, ok, err := r.command(ctx, w, event.Comment)
		if err != nil {
			w.fail(fmt.Sprintf("comment/%d/%d", key.change, key.id), fmt.Errorf("comment %d on change %d: %w", key.id, key.change, err))
		}
		if ok {
			commands = append(commands, command)
		}
	}
	return commands
}

func (r *Reconciler) command(ctx context.Context, w *watch, comment promote.Comment) (promote.Command, bool, error) {
	verb, arguments, ok := promote.ParseCommand(wish(comment))
	if !ok {
		return promote.Command{}, false, nil
	}
	if r.memory.pace.over(comment.Author, keyOf(comment), r.Now()) {
		return promote.Command{}, false, nil
	}
	comment, found, err := r.unanswered(ctx, comment)
	if err != nil || !found {
		return promote.Command{}, false, err
	}
	command := promote.Command{Verb: verb, Arguments: arguments, Comment: comment}
	switch nth := r.memory.pace.take(comment.Author, keyOf(comment), r.Now()); {
	case nth > maxCommands+1:
		r.Log.InfoContext(ctx, "too many commands", "change", comment.Change, "comment", comment.ID, "by", comment.Author)
		return promote.Command{}, false, nil
	case nth == maxCommands+1:
		command.Refused = tooMany(comment.Author)
		return command, true, nil
	}
	if comment.Action == "" {
		if err := r.Forge.React(ctx, comment.Change, comment.ID, promote.ReactionSeen); err != nil {
			r.Log.WarnContext(ctx, "react", "change", comment.Change, "comment", comment.ID, "error", err)
		}
	}
	if command.Change, err = r.Forge.Change(ctx, comment.Change); err != nil {
		return promote.Command{}, false, err
	}
	if command.Permission, err = r.permission(ctx, comment.Person()); err != nil {
		r.unsure(ctx, w, &command, err)
	}
	return command, true, nil
}

// wish is the text in which a comment may hold a command. A button asks for what it is called.
func wish(comment promote.Comment) string {
	if comment.Action != "" && comment.Body == "" {
		return "/" + comment.Action
	}
	return comment.Body
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
			allowed, err := r.permission(ctx, comment.Person())
			if err != nil {
				return nil, err
			}
			permission = min(permission, allowed)
		}
		commands = append(commands, promote.Command{Verb: verb, Arguments: arguments, Comment: comment, Permission: permission, Claimed: one.AtMost < promote.PermissionMaintain})
	}
	return commands, nil
}

// unanswered returns a comment as the forge has it, if it is there as it was written, by a person, and has no answer yet. The
// event is a hint: only what the forge says counts, also of who wrote it. Of a button there is no note, and its event, which is
// authentic, says who pressed it.
func (r *Reconciler) unanswered(ctx context.Context, comment promote.Comment) (promote.Comment, bool, error) {
	notes, err := r.around(ctx, comment)
	if errors.Is(err, promote.ErrNotFound) {
		return comment, false, nil
	}
	if err != nil {
		return comment, false, err
	}
	mark := marksOf(comment).answer
	if slices.ContainsFunc(notes, func(n promote.Note) bool { return marked(n, mark) }) {
		return comment, false, nil
	}
	if comment.Action != "" {
		if comment.At.IsZero() {
			comment.At = r.Now().UTC().Truncate(time.Second)
		}
		return comment, comment.Author != "", nil
	}
	i := slices.IndexFunc(notes, func(n promote.Note) bool {
		return n.ID == comment.ID && n.Body == comment.Body && !n.Own && !n.System && !n.Bot
	})
	if i < 0 {
		return comment, false, nil
	}
	comment.AuthorID, comment.Author = notes[i].AuthorID, notes[i].Author
	comment.Thread = cmp.Or(comment.Thread, notes[i].Thread)
	return comment, true, nil
}

// around returns the notes among which a comment and its answer are looked for. Of a button there is no note.
func (r *Reconciler) around(ctx context.Context, comment promote.Comment) ([]promote.Note, error) {
	if comment.Action != "" {
		return r.Forge.Notes(ctx, comment.Change)
	}
	return r.Forge.Around(ctx, comment.Change, comment.ID)
}
