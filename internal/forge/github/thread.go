package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// GitHub counts the comments below a pull request, those in its files and the texts of reviews apart, so that one number may be of
// three. A number of a [promote.Note] tells which: comments below keep theirs, the others begin at one of these. Each is far above
// what GitHub has reached, and below what JSON keeps exact.
const (
	remarks = 1 << 50 // comments in files, which GitHub calls review comments
	reviews = 1 << 51
	series  = remarks - 1 // what is left of a number without the series
)

// numbered makes the number of a note; 0 for what is no number of GitHub's.
func numbered(of, id int) int {
	if id <= 0 || id > series {
		return 0
	}
	return of | id
}

// seriesOf takes a number of a note apart.
func seriesOf(note int) (of, id int) { return note &^ series, note & series }

// A thread is named by its first comment.
func threadOf(first int) promote.Thread {
	if first <= 0 {
		return ""
	}
	return promote.Thread(strconv.Itoa(first))
}

// Around returns the notes below a change, and with a note in a file those in all files, with a review that review.
func (f *Forge) Around(ctx context.Context, number, note int) ([]promote.Note, error) {
	notes, err := f.Notes(ctx, number)
	if err != nil {
		return nil, err
	}
	var more []promote.Note
	switch of, id := seriesOf(note); of {
	case remarks:
		more, err = f.remarks(ctx, number, nil)
	case reviews:
		more, err = f.reviewed(ctx, number, id)
	}
	if err != nil {
		return nil, err
	}
	all := slices.Concat(notes, more)
	slices.SortStableFunc(all, func(a, b promote.Note) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, nil
}

// remarks lists the comments in files. A query narrows it.
func (f *Forge) remarks(ctx context.Context, number int, query url.Values) ([]promote.Note, error) {
	return f.notes(ctx, comment.remark, request{
		name: "list review comments", subject: "of change " + strconv.Itoa(number), path: f.changePath(number) + "/comments", query: query,
	})
}

// reviewed reads the text of one review.
func (f *Forge) reviewed(ctx context.Context, number, id int) ([]promote.Note, error) {
	var found struct {
		comment
		SubmittedAt stamp `json:"submitted_at"`
	}
	_, err := f.get(ctx, request{
		name: "read review", subject: fmt.Sprintf("%d of change %d", id, number), path: fmt.Sprintf("%s/reviews/%d", f.changePath(number), id),
	}, &found)
	if err != nil {
		return nil, err
	}
	self, err := f.me(ctx)
	if err != nil {
		return nil, err
	}
	found.CreatedAt = found.SubmittedAt
	note := found.note(self)
	note.ID = numbered(reviews, id)
	return []promote.Note{note}, nil
}

// remark is a comment in a file as a note.
func (c comment) remark(self user) promote.Note {
	note := c.note(self)
	note.ID, note.Thread = numbered(remarks, c.ID), threadOf(c.first())
	return note
}

// first is the number of the first comment of its thread.
func (c comment) first() int {
	if c.InReplyTo > 0 {
		return c.InReplyTo
	}
	return c.ID
}

// Reply writes a comment in a thread of a file.
func (f *Forge) Reply(ctx context.Context, number int, thread promote.Thread, body string) (promote.Note, error) {
	first, err := strconv.Atoi(string(thread))
	if err != nil || first <= 0 {
		return promote.Note{}, fmt.Errorf("github: reply on change %d: %q is no thread: %w", number, thread, promote.ErrNotFound)
	}
	added, err := f.addReply(ctx, number, first, markdown(body))
	if err == nil {
		f.keepWhole(noteText(added.ID), body)
	}
	return added, err
}

func (f *Forge) addReply(ctx context.Context, number, first int, body string) (promote.Note, error) {
	started := f.now()
	var added comment
	_, err := f.send(ctx, request{
		name:     "reply in thread",
		subject:  fmt.Sprintf("%d of change %d", first, number),
		method:   http.MethodPost,
		path:     fmt.Sprintf("%s/comments/%d/replies", f.changePath(number), first),
		body:     map[string]any{"body": body},
		priority: commentPriority,
	}, &added)
	if err == nil {
		if added.User.ID != 0 {
			f.learnSelf(added.User)
		}
		return added.remark(added.User), nil
	}
	if !forge.InDoubt(ctx, err) {
		return promote.Note{}, err
	}
	return f.repliedAlready(ctx, number, promote.Note{Thread: threadOf(first), Body: body, CreatedAt: started.Add(-forge.ClockSlack)}, err)
}

// repliedAlready looks for a reply that was written without the answer arriving.
func (f *Forge) repliedAlready(ctx context.Context, number int, wanted promote.Note, refusal error) (promote.Note, error) {
	recent, err := f.remarks(ctx, number, url.Values{"since": {wanted.CreatedAt.UTC().Format(time.RFC3339)}})
	if err != nil {
		return promote.Note{}, refusal
	}
	for _, found := range recent {
		if found.Own && found.Thread == wanted.Thread && !found.CreatedAt.Before(wanted.CreatedAt) && sameText(found.Body, wanted.Body) {
			return found, nil
		}
	}
	return promote.Note{}, refusal
}

// notePath is where a note is edited and reacted to; ok is false for a review, whose text is nobody's but its author's.
func (f *Forge) notePath(note int) (path string, ok bool) {
	switch of, id := seriesOf(note); of {
	case 0:
		return fmt.Sprintf("%s/issues/comments/%d", f.base, id), true
	case remarks:
		return fmt.Sprintf("%s/pulls/comments/%d", f.base, id), true
	}
	return "", false
}
