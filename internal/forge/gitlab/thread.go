package gitlab

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// The texts of a thread: the ID of a discussion, which webhooks name, or a note in one, which is all that a list of notes names.
const noteInThread = "note/"

// thread names the discussion that a note is in; empty for one below the merge request.
func (n note) thread() promote.Thread {
	if n.System || !threaded(n.Type) || n.ID <= 0 {
		return ""
	}
	return promote.Thread(noteInThread + strconv.Itoa(n.ID))
}

// threaded reports whether notes of a type can be answered in a thread (https://docs.gitlab.com/api/discussions/).
func threaded(kind string) bool { return kind == "DiscussionNote" || kind == "DiffNote" }

// discussionID takes the ID of a discussion, which is hexadecimal.
func discussionID(text string) (id string, ok bool) {
	return text, len(text) >= 8 && len(text) <= 64 && strings.Trim(text, "0123456789abcdef") == ""
}

// Around returns all notes of a change: GitLab lists those in threads among the others.
func (f *Forge) Around(ctx context.Context, number, _ int) ([]promote.Note, error) {
	return f.Notes(ctx, number)
}

// Reply writes a note in a thread.
func (f *Forge) Reply(ctx context.Context, number int, thread promote.Thread, body string) (promote.Note, error) {
	id, err := f.discussionOf(ctx, number, thread)
	if err != nil {
		return promote.Note{}, err
	}
	body = markdown(body)
	return f.write(ctx, number, body, request{
		name:    "reply in thread",
		subject: fmt.Sprintf("%s of change %d", id, number),
		path:    f.discussionPath(number, id) + "/notes",
		options: &gl.AddMergeRequestDiscussionNoteOptions{Body: new(body)},
	})
}

// discussionOf is the discussion that a thread names.
func (f *Forge) discussionOf(ctx context.Context, number int, thread promote.Thread) (string, error) {
	missing := fmt.Errorf("gitlab: change %d: there is no thread %q: %w", number, forge.CutBytes(string(thread), 80), promote.ErrNotFound)
	digits, named := strings.CutPrefix(string(thread), noteInThread)
	if !named {
		if id, ok := discussionID(string(thread)); ok {
			return id, nil
		}
		return "", missing
	}
	wanted, err := strconv.Atoi(digits)
	if err != nil || wanted <= 0 {
		return "", missing
	}
	all, err := f.discussions(ctx, number)
	if err != nil {
		return "", err
	}
	for _, one := range all {
		if id, ok := discussionID(one.ID); ok && slices.ContainsFunc(one.Notes, func(n note) bool { return n.ID == wanted }) {
			return id, nil
		}
	}
	return "", missing
}

type discussion struct {
	ID    string `json:"id"`
	Notes []note `json:"notes"`
}

func (f *Forge) discussions(ctx context.Context, number int) ([]discussion, error) {
	return list[discussion](ctx, f, request{name: "list threads", subject: "of change " + strconv.Itoa(number), path: f.changePath(number) + "/discussions"},
		func(page gl.ListOptions) any { return new(gl.ListMergeRequestDiscussionsOptions(page)) })
}

func (f *Forge) discussionPath(number int, id string) string {
	return f.changePath(number) + "/discussions/" + id
}
