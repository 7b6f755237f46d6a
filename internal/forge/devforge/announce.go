package devforge

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// maxRefsPerPush: a push that moves more refs sends no push hooks at all (doc/user/project/integrations/webhook_events.md).
const maxRefsPerPush = 3

// move is one ref that changed. The zero ID means that it did not, or does not, exist.
type move struct {
	ref, from, to string
}

// announce compares the refs with what was last known and does what follows from each difference: hooks, new heads and
// closed or merged merge requests. It is the only place that learns of moved branches, whoever moved them.
func (f *Forge) announce(ctx context.Context, p *project, u *User) error {
	refs, err := p.repo.refs()
	if err != nil {
		return err
	}
	moves := compareRefs(p.Refs, refs)
	if len(moves) == 0 {
		return nil
	}
	p.Refs = refs
	f.wrote()
	for _, moved := range moves {
		if len(moves) <= maxRefsPerPush || f.config.Dialect == GitHub {
			if err := f.sendPush(ctx, p, u, moved); err != nil {
				return err
			}
		}
		if branch, ok := strings.CutPrefix(moved.ref, headsPrefix); ok {
			if err := f.follow(ctx, p, u, branch, moved); err != nil {
				return err
			}
		}
	}
	return nil
}

func compareRefs(before, after map[string]string) []move {
	var moves []move
	for _, ref := range slices.Sorted(maps.Keys(after)) {
		if before[ref] != after[ref] {
			moves = append(moves, move{ref: ref, from: orZero(before[ref]), to: after[ref]})
		}
	}
	for _, ref := range slices.Sorted(maps.Keys(before)) {
		if after[ref] == "" {
			moves = append(moves, move{ref: ref, from: before[ref], to: zeroID})
		}
	}
	return moves
}

func orZero(id string) string {
	if id == "" {
		return zeroID
	}
	return id
}

// follow updates the open merge requests of a branch that moved (app/services/merge_requests/refresh_service.rb): a deleted
// source branch closes, a moved one gives a new head, and a target that received the head by a push means merged.
func (f *Forge) follow(ctx context.Context, p *project, u *User, branch string, moved move) error {
	for _, m := range slices.Clone(p.Requests) {
		if m.State != stateOpened {
			continue
		}
		var err error
		switch {
		case m.Source == branch && m.GitHub.Fork != "":
		case m.Source == branch && moved.to == zeroID:
			err = f.close(ctx, p, m, u)
		case m.Source == branch:
			if _, gone := p.repo.head(ctx, m.Target); gone == nil {
				err = f.moveHead(ctx, p, m, u)
			}
		case m.Target == branch && moved.to != zeroID:
			err = f.mergedByPush(ctx, p, m, u, moved)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *Forge) mergedByPush(ctx context.Context, p *project, m *mergeRequest, u *User, moved move) error {
	included, err := p.repo.contains(ctx, moved.to, m.SHA)
	if err != nil || !included {
		return err
	}
	if moved.from != zeroID {
		if already, err := p.repo.contains(ctx, moved.from, m.SHA); err != nil || already {
			return err
		}
	}
	before := *m
	return f.markMerged(ctx, p, m, u, before)
}
