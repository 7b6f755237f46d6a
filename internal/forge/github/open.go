package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// Open opens a change: one request for it, one for labels and assignees, one for reviewers where there are any. When one from that
// branch to that target is open already, that one is brought up to date and returned: its title, description, labels, assignees and
// reviewers, and whether it is a draft. Labels that do not exist are made by GitHub. A reviewer who cannot be asked is no reason to
// fail: it is logged. Where the plan has no drafts, one that is to be a draft is opened as any other and gets promote.DraftLabel.
func (f *Forge) Open(ctx context.Context, draft promote.ChangeDraft) (promote.Change, error) {
	if draft.Branch == "" || draft.Target == "" || draft.Title == "" {
		return promote.Change{}, fmt.Errorf("github: open change: branch, target and title are required: %w", promote.ErrInvalid)
	}
	draft = f.possible(draft)
	opened, err := f.obtain(ctx, draft)
	if draft.Draft && undraftable(err) {
		f.learnNoDrafts(ctx)
		draft = f.possible(draft)
		opened, err = f.obtain(ctx, draft)
	}
	if err != nil {
		return promote.Change{}, err
	}
	f.keepWhole(changeText(opened.Number), draft.Description)
	change := f.restored(opened.change())
	if change.Labels, err = f.mark(ctx, change, draft); err != nil {
		f.keepUnmarked(change.Number, draft)
		return promote.Change{}, err
	}
	change.Draft = change.Draft || slices.Contains(change.Labels, promote.DraftLabel)
	if err := f.requestReview(ctx, change, draft.Reviewers); err != nil {
		f.wire.Logger.WarnContext(ctx, "github: reviewers could not be asked", "change", change.Number, "error", err)
	}
	return change, nil
}

// obtain opens a change, or finds the one that is open already.
func (f *Forge) obtain(ctx context.Context, draft promote.ChangeDraft) (pull, error) {
	opened, err := f.create(ctx, draft)
	if err != nil {
		return f.openAlready(ctx, draft, err)
	}
	return opened, nil
}

// possible is draft as it can be had: where there are no drafts, it is labelled instead.
func (f *Forge) possible(draft promote.ChangeDraft) promote.ChangeDraft {
	f.mu.Lock()
	defer f.mu.Unlock()
	if draft.Draft && f.noDrafts {
		draft.Draft, draft.Labels = false, append(slices.Clip(draft.Labels), promote.DraftLabel)
	}
	return draft
}

func (f *Forge) learnNoDrafts(ctx context.Context) {
	f.mu.Lock()
	f.noDrafts = true
	f.mu.Unlock()
	f.wire.Logger.WarnContext(ctx, "github: drafts are not supported in this repository: changes that are to be drafts are opened with a label instead",
		"repository", f.owner+"/"+f.name, "label", promote.DraftLabel, "remedy", "leave draft out of the stages, or take a plan that has drafts")
}

// undraftable reports whether a refusal means that there are no drafts. GitHub says so by its text alone.
func undraftable(err error) bool {
	failed, ok := errors.AsType[*promote.APIError](err)
	return ok && strings.Contains(failed.Message, textNoDrafts)
}

func (f *Forge) create(ctx context.Context, draft promote.ChangeDraft) (pull, error) {
	body := map[string]any{
		"title": forge.CutRunes(draft.Title, maxTitle),
		"body":  markdown(draft.Description),
		"head":  string(draft.Branch),
		"base":  string(draft.Target),
	}
	if draft.Draft {
		body["draft"] = true
	}
	var opened pull
	_, err := f.send(ctx, request{
		name:     "open change",
		subject:  strconv.Quote(string(draft.Branch)),
		method:   http.MethodPost,
		path:     f.base + "/pulls",
		body:     body,
		priority: mergePriority,
	}, &opened)
	return opened, err
}

// openAlready looks for the change that kept draft from being opened, or that was opened without the answer arriving. GitHub says
// 422 for that and for what it does not like.
func (f *Forge) openAlready(ctx context.Context, draft promote.ChangeDraft, refusal error) (pull, error) {
	if !errors.Is(refusal, promote.ErrInvalid) && !forge.InDoubt(ctx, refusal) || undraftable(refusal) {
		return pull{}, refusal
	}
	open, err := f.changesFrom(ctx, draft.Branch, "open", draft.Target)
	if err != nil {
		return pull{}, err // It is not known what the refusal means.
	}
	for _, found := range open {
		if !found.fork() && found.State == "open" {
			return f.bringUpToDate(ctx, found, draft)
		}
	}
	return pull{}, refusal
}

// bringUpToDate makes an open change what draft says. What says so already costs no request.
func (f *Forge) bringUpToDate(ctx context.Context, found pull, draft promote.ChangeDraft) (pull, error) {
	title, body := forge.CutRunes(draft.Title, maxTitle), markdown(draft.Description)
	if found.Title != title || !sameText(found.Body, body) {
		updated, err := f.update(ctx, found.Number, promote.ChangeEdit{Title: draft.Title, Description: draft.Description})
		if err != nil {
			return pull{}, err
		}
		found = updated
	}
	if found.Draft == draft.Draft {
		return found, nil
	}
	if err := f.setDraft(ctx, found, draft.Draft); err != nil {
		return pull{}, err
	}
	found.Draft = draft.Draft
	return found, nil
}

// sameText compares as GitHub stores texts: with line breaks of its own.
func sameText(stored, wanted string) bool {
	return strings.TrimSpace(strings.ReplaceAll(stored, "\r\n", "\n")) == strings.TrimSpace(strings.ReplaceAll(wanted, "\r\n", "\n"))
}

const (
	toDraftMutation = `mutation ToDraft($id: ID!) { convertPullRequestToDraft(input: {pullRequestId: $id}) { pullRequest { isDraft } } }`
	readyMutation   = `mutation Ready($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) { pullRequest { isDraft } } }`
)

// setDraft is GraphQL alone: REST makes drafts only when it opens a change. Doing it again changes nothing.
func (f *Forge) setDraft(ctx context.Context, found pull, draft bool) error {
	text := readyMutation
	if draft {
		text = toDraftMutation
	}
	asked := query{
		name: "set draft", subject: fmt.Sprintf("of change %d to %t", found.Number, draft), text: text,
		variables: map[string]any{"id": found.ID}, writes: true,
	}
	var ignored struct{}
	err := f.graphql(ctx, asked, &ignored)
	if err == nil || !forge.InDoubt(ctx, err) && !errors.Is(err, promote.ErrInvalid) {
		return err
	}
	now, lookup := f.Change(ctx, found.Number)
	switch {
	case lookup != nil:
		return lookup
	case now.Draft == draft:
		return nil
	}
	return err
}

// mark gives a change its labels and assignees, which opening it cannot, and returns the labels it has then. Both replace what is
// there, so what is there goes along.
func (f *Forge) mark(ctx context.Context, change promote.Change, draft promote.ChangeDraft) ([]string, error) {
	labels := slices.Clone(change.Labels)
	for _, name := range draft.Labels {
		if !slices.Contains(labels, name) {
			labels = append(labels, name)
		}
	}
	body := map[string]any{}
	if len(labels) > len(change.Labels) {
		body["labels"] = labels
	}
	if len(draft.Assignees) > 0 {
		body["assignees"] = draft.Assignees
	}
	if len(body) == 0 {
		return labels, nil
	}
	err := f.editIssue(ctx, change.Number, body)
	if err != nil && body["assignees"] != nil && errors.Is(err, promote.ErrInvalid) {
		// Somebody cannot be assigned: the label matters more, without it the change is not found again.
		f.wire.Logger.WarnContext(ctx, "github: assignees are left out", "change", change.Number, "error", err)
		delete(body, "assignees")
		if len(body) == 0 {
			return labels, nil
		}
		err = f.editIssue(ctx, change.Number, body)
	}
	return labels, err
}

func (f *Forge) keepUnmarked(number int, draft promote.ChangeDraft) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unmarked.put(number, draft)
}

// markLater labels a change that could not be labelled when it was opened: the caller knows it by now, and does not open it again.
func (f *Forge) markLater(ctx context.Context, number int) {
	f.mu.Lock()
	draft, ok := f.unmarked[number]
	f.mu.Unlock()
	if !ok {
		return
	}
	change, err := f.Change(ctx, number)
	if err == nil {
		_, err = f.mark(ctx, change, draft)
	}
	if err != nil {
		f.wire.Logger.WarnContext(ctx, "github: labels are still missing", "change", number, "error", err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.unmarked, number)
}

// editIssue replaces labels and assignees.
func (f *Forge) editIssue(ctx context.Context, number int, body map[string]any) error {
	return f.settle(ctx, request{
		name:     "label change",
		subject:  strconv.Itoa(number),
		method:   http.MethodPatch,
		path:     f.issuePath(number),
		body:     body,
		priority: mergePriority,
	}, nil)
}

// requestReview asks people, and teams by "org/team", to look at a change. The author cannot be asked. Asking twice is asking once.
func (f *Forge) requestReview(ctx context.Context, change promote.Change, reviewers []string) error {
	var people, teams []string
	for _, name := range reviewers {
		_, team, isTeam := strings.Cut(strings.TrimPrefix(name, "@"), "/")
		switch {
		case isTeam:
			teams = append(teams, team)
		case !strings.EqualFold(strings.TrimPrefix(name, "@"), change.Author):
			people = append(people, strings.TrimPrefix(name, "@"))
		}
	}
	body := map[string]any{}
	if len(people) > 0 {
		body["reviewers"] = people
	}
	if len(teams) > 0 {
		body["team_reviewers"] = teams
	}
	if len(body) == 0 {
		return nil
	}
	return f.settle(ctx, request{
		name:     "request review",
		subject:  "of change " + strconv.Itoa(change.Number),
		method:   http.MethodPost,
		path:     f.changePath(change.Number) + "/requested_reviewers",
		body:     body,
		priority: commentPriority,
	}, nil)
}

// Update replaces the title and the description of a change; an empty title leaves that alone.
func (f *Forge) Update(ctx context.Context, number int, edit promote.ChangeEdit) error {
	f.markLater(ctx, number)
	_, err := f.update(ctx, number, edit)
	return err
}

func (f *Forge) update(ctx context.Context, number int, edit promote.ChangeEdit) (pull, error) {
	body := map[string]any{"body": markdown(edit.Description)}
	if edit.Title != "" {
		body["title"] = forge.CutRunes(edit.Title, maxTitle)
	}
	edited, err := f.edit(ctx, "update change", number, body)
	if err == nil {
		f.keepWhole(changeText(number), edit.Description)
	}
	return edited, err
}

func (f *Forge) edit(ctx context.Context, name string, number int, body map[string]any) (pull, error) {
	var edited pull
	err := f.settle(ctx, request{
		name: name, subject: strconv.Itoa(number), method: http.MethodPatch, path: f.changePath(number), body: body, priority: mergePriority,
	}, &edited)
	return edited, err
}

// Close closes a change without merging it. One that is closed already is a success. GitHub passes over the order when the change
// was merged in the meantime: the error wraps promote.ErrStale then.
func (f *Forge) Close(ctx context.Context, number int) error {
	closed, err := f.edit(ctx, "close change", number, map[string]any{"state": "closed"})
	now := closed.change()
	if err != nil && errors.Is(err, promote.ErrInvalid) {
		// That is what GitHub says of one that was merged.
		found, lookup := f.Change(ctx, number)
		switch {
		case lookup != nil:
			err = lookup
		case found.State != promote.ChangeOpen:
			now, err = found, nil
		}
	}
	if err == nil && now.State != promote.ChangeClosed {
		return fmt.Errorf("github: close change %d: it is %s: %w", number, now.State, promote.ErrStale)
	}
	return err
}

func (f *Forge) changePath(number int) string { return f.base + "/pulls/" + strconv.Itoa(number) }

func (f *Forge) issuePath(number int) string { return f.base + "/issues/" + strconv.Itoa(number) }
