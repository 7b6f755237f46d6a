package devforge

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// This file holds what happens to a merge request, whoever asks for it: the API, a web form or a push.

func (f *Forge) addNote(m *mergeRequest, u *User, body string) *note {
	now := f.now()
	n := &note{ID: f.tables.next("note"), Author: u.ID, Body: body, Discussion: newDiscussionID(), CreatedAt: now, UpdatedAt: now}
	m.Notes = append(m.Notes, n)
	m.UpdatedAt = now
	return n
}

// addSystemNote tells what happened, as GitLab's activity does. System notes send no hook.
func (f *Forge) addSystemNote(m *mergeRequest, u *User, body string) {
	f.addNote(m, u, body).System = true
}

// comment adds a note by a person and announces it.
func (f *Forge) comment(ctx context.Context, p *project, m *mergeRequest, u *User, body string) (*note, error) {
	n := f.addNote(m, u, body)
	f.wrote()
	return n, f.sendNote(ctx, p, m, n, "create")
}

// edit takes the texts, labels and target of next, and announces what differs.
func (f *Forge) edit(ctx context.Context, p *project, m *mergeRequest, next mergeRequest, u *User) error {
	before := *m
	for _, name := range next.Labels {
		f.addLabel(p, name)
	}
	*m = next
	changes := f.requestChanges(p, &before, m)
	if len(changes) == 0 {
		return nil
	}
	switch {
	case before.Title != m.Title && before.draft() && !m.draft():
		f.addSystemNote(m, u, "marked this merge request as **ready**")
	case before.Title != m.Title && !before.draft() && m.draft():
		f.addSystemNote(m, u, "marked this merge request as **draft**")
	case before.Title != m.Title:
		f.addSystemNote(m, u, fmt.Sprintf("changed title from **%s** to **%s**", before.Title, m.Title))
	}
	if before.Description != m.Description {
		f.addSystemNote(m, u, "changed the description")
	}
	if before.Target != m.Target {
		f.addSystemNote(m, u, fmt.Sprintf("changed target branch from `%s` to `%s`", before.Target, m.Target))
	}
	m.UpdatedAt = f.now()
	f.wrote()
	return f.sendRequest(ctx, p, m, requestEvent{action: "update", by: u, changes: changes})
}

func (f *Forge) close(ctx context.Context, p *project, m *mergeRequest, u *User) error {
	before := *m
	m.State, m.ClosedAt, m.ClosedBy, m.Auto, m.Car = stateClosed, f.now(), u.ID, autoMerge{}, nil
	f.addSystemNote(m, u, "closed")
	f.wrote()
	if err := f.retest(ctx, p, m.Target); err != nil {
		return err
	}
	return f.sendRequest(ctx, p, m, requestEvent{action: "close", by: u, changes: f.requestChanges(p, &before, m)})
}

// reopen checks again what creation checks: another merge request may have taken the place (app/models/merge_request.rb).
func (f *Forge) reopen(ctx context.Context, p *project, m *mergeRequest, u *User) error {
	if err := f.checkBranches(ctx, p, m); err != nil {
		return err
	}
	before := *m
	m.State, m.ClosedBy, m.ClosedAt = stateOpened, 0, time.Time{}
	if err := f.takeHead(ctx, p, m); err != nil {
		*m = before
		return err
	}
	f.addSystemNote(m, u, "reopened")
	f.wrote()
	return f.sendRequest(ctx, p, m, requestEvent{action: "reopen", by: u, changes: f.requestChanges(p, &before, m)})
}

func (f *Forge) requestDiff(ctx context.Context, p *project, m *mergeRequest) ([]fileDiff, error) {
	if m.SHA == "" {
		return nil, nil
	}
	return p.repo.diff(ctx, m.BaseSHA, m.SHA)
}

// moveHead follows a push to the source branch.
func (f *Forge) moveHead(ctx context.Context, p *project, m *mergeRequest, u *User) error {
	before := *m
	if err := f.takeHead(ctx, p, m); err != nil {
		return err
	}
	if before.SHA == m.SHA {
		return nil
	}
	m.Auto, m.Car = autoMerge{}, nil // new commits cancel it (doc/user/project/merge_requests/auto_merge.md)
	if !p.Settings.KeepApprovals {
		m.Approvers, m.ApprovedAt = nil, nil
	}
	if err := f.retest(ctx, p, m.Target); err != nil {
		return err
	}
	commits, err := p.repo.log(ctx, history{from: m.SHA, without: before.SHA, limit: 100})
	if err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "added %d commit%s\n", len(commits), map[bool]string{false: "s"}[len(commits) == 1])
	for _, one := range slices.Backward(commits) {
		fmt.Fprintf(&text, "\n* %s - %s", one.id[:8], one.title())
	}
	f.addSystemNote(m, u, text.String())
	f.wrote()
	return f.sendRequest(ctx, p, m, requestEvent{action: "update", by: u, oldrev: before.SHA, changes: f.requestChanges(p, &before, m)})
}

func (f *Forge) approve(ctx context.Context, p *project, m *mergeRequest, u *User) error {
	m.Approvers, m.ApprovedAt = append(m.Approvers, u.ID), append(m.ApprovedAt, f.now())
	f.addSystemNote(m, u, "approved this merge request")
	f.wrote()
	return f.sendRequest(ctx, p, m, requestEvent{action: "approved", by: u})
}
