package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// Notes returns all notes of a change, oldest first. Own tells ours by the account of the token: a marker in the text can be
// pasted by anybody.
func (f *Forge) Notes(ctx context.Context, number int) ([]promote.Note, error) {
	found, err := list[note](ctx, f, request{name: "list notes", subject: "of change " + strconv.Itoa(number), path: f.changePath(number) + "/notes"},
		func(page gl.ListOptions) any {
			return &gl.ListMergeRequestNotesOptions{ListOptions: page, OrderBy: new("created_at"), Sort: new("asc")}
		})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	self, err := f.me(ctx)
	if err != nil {
		return nil, err
	}
	notes := make([]promote.Note, 0, len(found))
	for _, n := range found {
		notes = append(notes, n.note(self))
	}
	return notes, nil
}

// AddNote writes a note on a change.
func (f *Forge) AddNote(ctx context.Context, number int, body string) (promote.Note, error) {
	body = markdown(body)
	return f.write(ctx, number, body, request{
		name:    "add note",
		subject: "to change " + strconv.Itoa(number),
		path:    f.changePath(number) + "/notes",
		options: &gl.CreateMergeRequestNoteOptions{Body: new(body)},
	})
}

// write sends a note on a change, of which body is the text.
func (f *Forge) write(ctx context.Context, number int, body string, sent request) (promote.Note, error) {
	sent.method, sent.priority = http.MethodPost, wordPriority
	started := f.now()
	var added note
	_, err := f.send(ctx, sent, &added)
	if err == nil {
		f.learn(added.Author)
		return added.note(added.Author), nil
	}
	if !forge.InDoubt(ctx, err) {
		return promote.Note{}, err
	}
	return f.addedAlready(ctx, number, promote.Note{Body: body, CreatedAt: started.Add(-forge.ClockSlack)}, err)
}

// addedAlready looks for a note that was written without the answer arriving.
func (f *Forge) addedAlready(ctx context.Context, number int, wanted promote.Note, refusal error) (promote.Note, error) {
	self, err := f.me(ctx)
	if err != nil {
		return promote.Note{}, refusal
	}
	var newest []note
	_, err = f.get(ctx, request{
		name:    "list notes",
		subject: "of change " + strconv.Itoa(number),
		path:    f.changePath(number) + "/notes",
		options: &gl.ListMergeRequestNotesOptions{
			ListOptions: gl.ListOptions{PerPage: perPage}, OrderBy: new("created_at"), Sort: new("desc"),
		},
	}, &newest)
	if err != nil {
		return promote.Note{}, refusal
	}
	for _, n := range newest {
		found := n.note(self)
		if found.Own && found.CreatedAt.After(wanted.CreatedAt) && strings.TrimSpace(found.Body) == strings.TrimSpace(wanted.Body) {
			return found, nil
		}
	}
	return promote.Note{}, refusal
}

// EditNote replaces the text of a note of ours. The error wraps promote.ErrNotFound when somebody deleted it.
func (f *Forge) EditNote(ctx context.Context, number, note int, body string) error {
	_, err := f.send(ctx, request{
		priority: wordPriority,
		name:     "edit note",
		subject:  fmt.Sprintf("%d of change %d", note, number),
		method:   http.MethodPut,
		path:     f.notePath(number, note),
		options:  &gl.UpdateMergeRequestNoteOptions{Body: new(markdown(body))},
	}, nil)
	return err
}

// React answers a note with a reaction. One that was given before is a success.
func (f *Forge) React(ctx context.Context, number, note int, r promote.Reaction) error {
	_, err := f.send(ctx, request{
		priority: wordPriority,
		name:     "react to note",
		subject:  fmt.Sprintf("%d of change %d with %q", note, number, r),
		method:   http.MethodPost,
		path:     f.notePath(number, note) + "/award_emoji",
		options:  &gl.CreateAwardEmojiOptions{Name: string(r)},
	}, nil)
	if api, ok := errors.AsType[*promote.APIError](err); ok && strings.Contains(api.Message, textAlreadyAwarded) {
		return nil
	}
	return err
}

func (f *Forge) notePath(number, note int) string {
	return f.changePath(number) + "/notes/" + strconv.Itoa(note)
}

// botName is what GitLab calls the accounts of project and group access tokens.
var botName = regexp.MustCompile(`^(project|group)_[0-9]+_bot([0-9]*|_[0-9a-zA-Z]+)$`)

type note struct {
	ID        int    `json:"id"`
	Type      string `json:"type"` // empty below a merge request
	Body      string `json:"body"`
	Author    user   `json:"author"`
	System    bool   `json:"system"`
	CreatedAt stamp  `json:"created_at"`

	Resolvable bool  `json:"resolvable"`
	Resolved   bool  `json:"resolved"`
	ResolvedBy *user `json:"resolved_by"`
}

func (n note) note(self user) promote.Note {
	return promote.Note{
		ID:        n.ID,
		Thread:    n.thread(),
		Author:    n.Author.Username,
		Own:       n.Author.ID == self.ID && !n.System,
		AuthorID:  n.Author.ID,
		System:    n.System,
		Bot:       botName.MatchString(n.Author.Username),
		Body:      n.Body,
		CreatedAt: n.CreatedAt.Time,
	}
}
