package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// Notes returns the comments of a change, oldest first. Own tells ours by the account of the credentials: a marker in the text can
// be pasted by anybody.
func (f *Forge) Notes(ctx context.Context, number int) ([]promote.Note, error) {
	return f.notes(ctx, comment.note, request{
		name: "list notes", subject: "of change " + strconv.Itoa(number), path: f.issuePath(number) + "/comments",
	})
}

// notes lists comments of some kind as the notes that they are.
func (f *Forge) notes(ctx context.Context, as func(c comment, self user) promote.Note, sent request) ([]promote.Note, error) {
	found, err := list[comment](ctx, f.caller, sent)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	self, err := f.me(ctx)
	if err != nil {
		return nil, err
	}
	notes := make([]promote.Note, 0, len(found))
	for _, c := range found {
		note := as(c, self)
		note.Body = f.whole(noteText(note.ID), note.Body)
		notes = append(notes, note)
	}
	return notes, nil
}

func noteText(id int) textKey { return textKey{kind: "note", number: id} }

// AddNote writes a comment on a change.
func (f *Forge) AddNote(ctx context.Context, number int, body string) (promote.Note, error) {
	added, err := f.addNote(ctx, number, markdown(body))
	if err == nil {
		f.keepWhole(noteText(added.ID), body)
	}
	return added, err
}

func (f *Forge) addNote(ctx context.Context, number int, body string) (promote.Note, error) {
	started := f.now()
	var added comment
	_, err := f.send(ctx, request{
		name:     "add note",
		subject:  "to change " + strconv.Itoa(number),
		method:   http.MethodPost,
		path:     f.issuePath(number) + "/comments",
		body:     map[string]any{"body": body},
		priority: commentPriority,
	}, &added)
	if err == nil {
		if added.User.ID != 0 {
			f.learnSelf(added.User)
		}
		return added.note(added.User), nil
	}
	if !forge.InDoubt(ctx, err) {
		return promote.Note{}, err
	}
	return f.addedAlready(ctx, number, promote.Note{Body: body, CreatedAt: started.Add(-forge.ClockSlack)}, err)
}

// addedAlready looks for a comment that was written without the answer arriving.
func (f *Forge) addedAlready(ctx context.Context, number int, wanted promote.Note, refusal error) (promote.Note, error) {
	self, err := f.me(ctx)
	if err != nil {
		return promote.Note{}, refusal
	}
	recent, err := list[comment](ctx, f.caller, request{
		name:    "list notes",
		subject: "of change " + strconv.Itoa(number),
		path:    f.issuePath(number) + "/comments",
		query:   url.Values{"since": {wanted.CreatedAt.UTC().Format(time.RFC3339)}},
	})
	if err != nil {
		return promote.Note{}, refusal
	}
	for _, c := range recent {
		found := c.note(self)
		if found.Own && !found.CreatedAt.Before(wanted.CreatedAt) && sameText(found.Body, wanted.Body) {
			return found, nil
		}
	}
	return promote.Note{}, refusal
}

// EditNote replaces the text of a comment of ours. The error wraps promote.ErrNotFound when somebody deleted it.
func (f *Forge) EditNote(ctx context.Context, number, note int, body string) error {
	path, ok := f.notePath(note)
	if !ok {
		return fmt.Errorf("github: edit note %d: it is a review: %w", note, promote.ErrInvalid)
	}
	err := f.settle(ctx, request{
		name:     "edit note",
		subject:  fmt.Sprintf("%d of change %d", note&series, number),
		method:   http.MethodPatch,
		path:     path,
		body:     map[string]any{"body": markdown(body)},
		priority: commentPriority,
	}, nil)
	if err == nil {
		f.keepWhole(noteText(note), body)
	}
	return err
}

// reactions are GitHub's names.
var reactions = map[promote.Reaction]string{
	promote.ReactionSeen:   "eyes",
	promote.ReactionDone:   "+1",
	promote.ReactionDenied: "-1",
}

// React answers a comment with a reaction. GitHub keeps one of each kind from an account: giving it again changes nothing. The REST
// API knows no reactions to a review: its answer is words alone.
func (f *Forge) React(ctx context.Context, number, note int, r promote.Reaction) error {
	content, ok := reactions[r]
	if !ok {
		return fmt.Errorf("github: react to note %d: GitHub has no reaction %q: %w", note, r, promote.ErrInvalid)
	}
	path, ok := f.notePath(note)
	if !ok {
		return nil
	}
	return f.settle(ctx, request{
		name:     "react to note",
		subject:  fmt.Sprintf("%d of change %d with %q", note&series, number, content),
		method:   http.MethodPost,
		path:     path + "/reactions",
		body:     map[string]any{"content": content},
		priority: commentPriority,
	}, nil)
}

type comment struct {
	ID        int    `json:"id"`
	Body      string `json:"body"`
	User      user   `json:"user"`
	CreatedAt stamp  `json:"created_at"`
	InReplyTo int    `json:"in_reply_to_id"` // of one in a file: the first of its thread
}

func (c comment) note(self user) promote.Note {
	return promote.Note{
		ID:        c.ID,
		Author:    c.User.Login,
		AuthorID:  c.User.ID,
		Own:       c.User.is(self),
		Bot:       strings.HasSuffix(c.User.Login, "[bot]"), // no person can have a login with brackets
		Body:      c.Body,
		CreatedAt: c.CreatedAt.Time,
	}
}
