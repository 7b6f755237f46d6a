package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// draftMark in front of a title makes a change a draft: GitLab's API has no other way.
const draftMark = "Draft: "

// Open opens a change by one request, and one more for each person whose number is not known yet. When one from that branch to
// that target is open already, that one gets the title, description and labels of draft, and is returned; whether it is a draft,
// and who is asked to look at it, stays as people have left it.
func (f *Forge) Open(ctx context.Context, draft promote.ChangeDraft) (promote.Change, error) {
	if draft.Branch == "" || draft.Target == "" || draft.Title == "" {
		return promote.Change{}, fmt.Errorf("gitlab: open change: branch, target and title are required: %w", promote.ErrInvalid)
	}
	var opened mergeRequest
	_, err := f.send(ctx, request{
		name:    "open change",
		subject: strconv.Quote(string(draft.Branch)),
		method:  http.MethodPost,
		path:    f.base + "/merge_requests",
		options: f.openOptions(ctx, draft),
	}, &opened)
	switch {
	case err != nil:
		opened, err = f.openAlready(ctx, draft, err)
	case opened.Author != nil:
		f.learn(*opened.Author)
	}
	change := f.change(opened)
	if err == nil && change.Head == "" {
		change.Head = draft.Head // GitLab prepares the diff later, and says null until then.
		f.seen(change.Head, change.Number)
	}
	return change, err
}

func (f *Forge) openOptions(ctx context.Context, draft promote.ChangeDraft) *gl.CreateMergeRequestOptions {
	title := draft.Title
	if draft.Draft && titleMark(title) == "" {
		title = draftMark + title
	}
	options := &gl.CreateMergeRequestOptions{
		Title:              new(forge.CutRunes(title, maxTitle)),
		Description:        new(markdown(draft.Description)),
		SourceBranch:       new(string(draft.Branch)),
		TargetBranch:       new(string(draft.Target)),
		Labels:             labels(draft.Labels),
		RemoveSourceBranch: new(true),
		AssigneeIDs:        f.people(ctx, draft.Assignees),
		ReviewerIDs:        f.people(ctx, draft.Reviewers),
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.settings.SquashByDefault { // as a change that a person opens in the browser would be
		options.Squash = new(true)
	}
	return options
}

// titleMark returns what in front of a title makes its change a draft.
func titleMark(title string) string {
	for _, mark := range []string{draftMark, "[Draft] ", "(Draft) "} {
		if len(title) >= len(mark) && strings.EqualFold(title[:len(mark)], mark) {
			return title[:len(mark)]
		}
	}
	return ""
}

// openAlready looks for the change that kept draft from being opened, or that was opened without the answer arriving.
func (f *Forge) openAlready(ctx context.Context, draft promote.ChangeDraft, refusal error) (mergeRequest, error) {
	if !errors.Is(refusal, promote.ErrConflict) && !forge.InDoubt(ctx, refusal) {
		return mergeRequest{}, refusal
	}
	var open []mergeRequest
	_, err := f.get(ctx, request{
		name:    "list changes",
		subject: "from " + strconv.Quote(string(draft.Branch)),
		path:    f.base + "/merge_requests",
		options: &gl.ListProjectMergeRequestsOptions{
			ListOptions:  gl.ListOptions{PerPage: recentChanges},
			State:        new("opened"),
			SourceBranch: new(string(draft.Branch)),
			TargetBranch: new(string(draft.Target)),
		},
	}, &open)
	if err != nil {
		return mergeRequest{}, refusal
	}
	for _, found := range open {
		if !found.fork() {
			edit := promote.ChangeEdit{Title: draft.Title, Description: draft.Description}
			if titleMark(edit.Title) == "" {
				edit.Title = titleMark(found.Title) + edit.Title
			}
			return f.update(ctx, found.IID, edit, draft.Labels)
		}
	}
	return mergeRequest{}, refusal
}

func labels(names []string) *gl.LabelOptions {
	if len(names) == 0 {
		return nil
	}
	return new(gl.LabelOptions(names))
}
