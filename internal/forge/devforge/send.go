package devforge

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// deliver encodes one payload and queues it. Without a hook that wants it nothing is made at all.
func (f *Forge) deliver(p *project, event HookEvent, payload func() (any, error)) error {
	wanted := slices.ContainsFunc(p.Hooks, func(h *hookRecord) bool { return slices.Contains(h.Events, event) })
	if !wanted {
		return nil
	}
	made, err := payload()
	if err != nil {
		return fmt.Errorf("%s: %w", event.header(), err)
	}
	body, err := json.Marshal(made)
	if err != nil {
		return fmt.Errorf("%s: %w", event.header(), err)
	}
	return f.post(p, event, body)
}

// maxPushCommits is how many commits a push hook lists; the count tells of more.
const maxPushCommits = 20

func (f *Forge) sendPush(ctx context.Context, p *project, u *User, moved move) error {
	if f.config.Dialect == GitHub {
		return f.sendGitHubPush(ctx, p, u, moved)
	}
	f.recordPush(p, u, moved)
	event, kind := HookPush, "push"
	if strings.HasPrefix(moved.ref, tagsPrefix) {
		event, kind = HookTagPush, "tag_push"
	}
	return f.deliver(p, event, func() (any, error) {
		payload := pushPayload{
			ObjectKind: kind, EventName: kind, Before: moved.from, After: moved.to, Ref: moved.ref,
			UserID: u.ID, UserName: u.Name, UserUsername: u.Name, UserEmail: "",
			ProjectID: p.ID, Project: f.showHookProject(p), Repository: f.showHookRepository(p), Commits: []hookPushedCommit{},
		}
		_, payload.RefProtected = p.Protected[strings.TrimPrefix(moved.ref, headsPrefix)]
		if moved.to != zeroID {
			payload.CheckoutSHA = &moved.to
		}
		if moved.to == zeroID || event == HookTagPush {
			return payload, nil
		}
		return payload, f.listPushed(ctx, p, moved, &payload)
	})
}

// listPushed lists the new commits, oldest first; those of a new branch are the ones that the default branch does not have.
func (f *Forge) listPushed(ctx context.Context, p *project, moved move, payload *pushPayload) error {
	known := moved.from
	if known == zeroID {
		known = p.Refs[headsPrefix+p.DefaultBranch]
		if known == moved.to {
			return nil
		}
	}
	commits, err := p.repo.log(ctx, history{from: moved.to, without: known, limit: maxCommits})
	if err != nil {
		return err
	}
	payload.TotalCommitsCount = len(commits)
	for _, one := range slices.Backward(commits[:min(len(commits), maxPushCommits)]) {
		shown := hookPushedCommit{hookCommit: f.showHookCommit(p, one), Added: []string{}, Modified: []string{}, Removed: []string{}}
		files, err := p.repo.diff(ctx, firstParent(one), one.id)
		if err != nil {
			return err
		}
		for _, file := range files {
			switch file.status {
			case 'A':
				shown.Added = append(shown.Added, file.newPath)
			case 'D':
				shown.Removed = append(shown.Removed, file.oldPath)
			case 'R':
				shown.Added, shown.Removed = append(shown.Added, file.newPath), append(shown.Removed, file.oldPath)
			default:
				shown.Modified = append(shown.Modified, file.newPath)
			}
		}
		payload.Commits = append(payload.Commits, shown)
	}
	return nil
}

// requestEvent is something that happened to a merge request.
type requestEvent struct {
	action  string // required: open, close, reopen, update, approved, unapproved, merge
	by      *User  // required
	oldrev  string
	changes map[string]fieldChange
}

func (f *Forge) sendRequest(ctx context.Context, p *project, m *mergeRequest, e requestEvent) error {
	if f.config.Dialect == GitHub {
		return f.sendPull(ctx, p, m, e)
	}
	f.recordRequest(p, m, e)
	return f.deliver(p, HookMergeRequest, func() (any, error) {
		shown, err := f.showHookRequest(ctx, p, m)
		if err != nil {
			return nil, err
		}
		changes := e.changes
		if changes == nil {
			changes = map[string]fieldChange{}
		}
		return requestPayload{
			ObjectKind: "merge_request", EventType: "merge_request", User: showHookUser(e.by), Project: f.showHookProject(p),
			ObjectAttributes: hookRequestEvent{hookRequest: shown, Action: e.action, OldRev: e.oldrev},
			Labels:           showHookLabels(p, m.Labels), Changes: changes, Repository: f.showHookRepository(p),
		}, nil
	})
}

func stateID(state string) int {
	return map[string]int{stateOpened: 1, stateClosed: 2, stateMerged: 3}[state]
}

func (f *Forge) showHookRequest(ctx context.Context, p *project, m *mergeRequest) (hookRequest, error) {
	found, err := f.judge(ctx, p, m)
	if err != nil {
		return hookRequest{}, err
	}
	if m.State == stateOpened && m.Unchecked > 0 {
		found.status = "checking"
	}
	shown := hookRequest{
		ID: m.ID, IID: m.IID, TargetBranch: m.Target, SourceBranch: m.Source, SourceProjectID: p.ID, TargetProjectID: p.ID,
		AuthorID: m.Author, AssigneeIDs: []int{}, ReviewerIDs: []int{}, Title: m.Title,
		CreatedAt: hookTime(m.CreatedAt), UpdatedAt: hookTime(m.UpdatedAt),
		State: m.State, StateID: stateID(m.State), BlockingDiscussionsResolved: !m.unresolved(),
		WorkInProgress: m.draft(), Draft: m.draft(), MergeStatus: found.coarse(), DetailedMergeStatus: found.status,
		MergeWhenPipelineSucceeds: m.queued(), MergeCommitSHA: optional(m.MergeCommit),
		MergeParams: mergeParams{m.RemoveSource}, MergeUserID: optional(m.MergedBy), Description: m.Description,
		URL: mergeRequestURL(f, p, m), Source: f.showHookProject(p), Target: f.showHookProject(p),
		Labels: showHookLabels(p, m.Labels),
	}
	if head := p.headPipeline(m); head != nil {
		shown.HeadPipelineID = &head.ID
	}
	if m.SHA != "" {
		one, err := p.repo.one(ctx, m.SHA)
		if err != nil {
			return hookRequest{}, err
		}
		last := f.showHookCommit(p, one)
		shown.LastCommit = &last
	}
	return shown, nil
}

// requestChanges lists the fields that differ, as the changes of a merge request hook do. It is empty when none does.
func (f *Forge) requestChanges(p *project, before, after *mergeRequest) map[string]fieldChange {
	changes := map[string]fieldChange{}
	compare := func(name string, previous, current any) {
		if previous != current {
			changes[name] = fieldChange{previous, current}
		}
	}
	compare("title", before.Title, after.Title)
	compare("description", before.Description, after.Description)
	compare("draft", before.draft(), after.draft())
	compare("target_branch", before.Target, after.Target)
	compare("state_id", stateID(before.State), stateID(after.State))
	if !slices.Equal(before.Labels, after.Labels) {
		changes["labels"] = fieldChange{showHookLabels(p, before.Labels), showHookLabels(p, after.Labels)}
	}
	if len(changes) > 0 {
		changes["updated_at"] = fieldChange{hookTime(before.UpdatedAt), hookTime(f.now())}
	}
	return changes
}

func (f *Forge) showHookNote(p *project, m *mergeRequest, n *note, action string) hookNote {
	shown := hookNote{
		ID: n.ID, Note: n.Body, Description: n.Body, NoteableType: "MergeRequest", NoteableID: m.ID, AuthorID: n.Author,
		CreatedAt: hookTime(n.CreatedAt), UpdatedAt: hookTime(n.UpdatedAt), ProjectID: p.ID, DiscussionID: n.Discussion,
		Internal: n.Internal, ResolvedAt: hookTime(n.ResolvedAt), ResolvedByID: optional(n.ResolvedBy), System: n.System,
		Action: action, URL: mergeRequestURL(f, p, m) + "#note_" + strconv.Itoa(n.ID),
	}
	if n.Resolvable {
		kind := n.kind()
		shown.Type = &kind
	}
	return shown
}

func (f *Forge) sendNote(ctx context.Context, p *project, m *mergeRequest, n *note, action string) error {
	if f.config.Dialect == GitHub {
		return f.sendComment(ctx, p, m, commentEvent{note: n, action: action, by: f.tables.user(n.Author)})
	}
	if action == "create" {
		f.recordNote(p, m, n)
	}
	return f.deliver(p, HookNote, func() (any, error) {
		request, err := f.showHookRequest(ctx, p, m)
		return notePayload{
			ObjectKind: "note", EventType: "note", User: showHookUser(f.tables.user(n.Author)), ProjectID: p.ID,
			Project: f.showHookProject(p), Repository: f.showHookRepository(p),
			ObjectAttributes: f.showHookNote(p, m, n, action), MergeRequest: request,
		}, err
	})
}

// awardEvent is a reaction given or taken back.
type awardEvent struct {
	on     awarded
	award  *award
	by     *User
	action string // award or revoke
}

func (f *Forge) sendAward(ctx context.Context, p *project, m *mergeRequest, e awardEvent) error {
	return f.deliver(p, HookEmoji, func() (any, error) {
		request, err := f.showHookRequest(ctx, p, m)
		payload := awardPayload{
			ObjectKind: "emoji", EventType: e.action, User: showHookUser(e.by), ProjectID: p.ID, Project: f.showHookProject(p),
			ObjectAttributes: hookAward{
				ID: e.award.ID, UserID: e.by.ID, Name: e.award.Name, CreatedAt: hookTime(e.award.CreatedAt),
				UpdatedAt: hookTime(e.award.CreatedAt), AwardableType: e.on.kind, AwardableID: e.on.id, Action: e.action,
				AwardedOnURL: mergeRequestURL(f, p, m),
			},
			MergeRequest: request,
		}
		if e.on.note != nil {
			shown := f.showHookNote(p, m, e.on.note, "")
			payload.Note = &shown
			payload.ObjectAttributes.AwardedOnURL = shown.URL
		}
		return payload, err
	})
}

func (f *Forge) sendPipeline(ctx context.Context, p *project, line *pipeline, u *User) error {
	return f.deliver(p, HookPipeline, func() (any, error) {
		one, err := p.repo.one(ctx, line.SHA)
		if err != nil {
			return nil, err
		}
		payload := pipelinePayload{
			ObjectKind: "pipeline", User: showHookUser(u), Project: f.showHookProject(p), Commit: f.showHookCommit(p, one),
			ObjectAttributes: hookPipeline{
				ID: line.ID, IID: line.IID, Ref: line.Ref, SHA: line.SHA, BeforeSHA: zeroID, Source: line.source(),
				Status: line.state(), DetailedStatus: line.state(), Stages: []string{"external"},
				CreatedAt: hookTime(line.CreatedAt), FinishedAt: hookTime(line.finished()), Variables: []struct{}{},
				URL: f.pipelineURL(p, line),
			},
		}
		for _, s := range line.latest() {
			payload.Builds = append(payload.Builds, hookBuild{
				ID: s.ID, Stage: "external", Name: s.Name, Status: s.State, CreatedAt: hookTime(s.CreatedAt),
				StartedAt: hookTime(s.StartedAt), FinishedAt: hookTime(s.FinishedAt), When: "on_success",
				User: showHookUser(f.tables.user(s.User)),
			})
		}
		payload.MergeRequest, err = f.showPipelineRequest(ctx, p, line)
		return payload, err
	})
}

func (f *Forge) showPipelineRequest(ctx context.Context, p *project, line *pipeline) (*hookPipelineRequest, error) {
	for _, m := range p.Requests {
		if m.State != stateOpened || line.Request != m.IID && p.headPipeline(m) != line {
			continue
		}
		found, err := f.judge(ctx, p, m)
		return &hookPipelineRequest{
			ID: m.ID, IID: m.IID, Title: m.Title, SourceBranch: m.Source, SourceProjectID: p.ID, TargetBranch: m.Target,
			TargetProjectID: p.ID, State: m.State, MergeStatus: found.coarse(), DetailedMergeStatus: found.status,
			URL: mergeRequestURL(f, p, m),
		}, err
	}
	return nil, nil
}
