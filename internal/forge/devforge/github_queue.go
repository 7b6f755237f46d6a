package devforge

import (
	"context"
	"slices"
	"time"
)

// queueEntry is a pull request in the merge queue of its target.
type queueEntry struct {
	ID   int       `json:"id"`
	Pull int       `json:"pull"` // number
	By   int       `json:"by"`
	At   time.Time `json:"at"`
	// Group is the entry on top of its group, whose commit the checks judge; 0 as long as none was built.
	Group int       `json:"group"`
	Asked time.Time `json:"asked"` // when the checks of a group were asked for; kept when it is built again
	Base  string    `json:"base"`  // what the entry is merged into
	SHA   string    `json:"sha"`   // what that gives
	Ref   string    `json:"ref"`   // its branch, on top of a group
}

func (p *project) queueEntry(m *mergeRequest) *queueEntry {
	for _, e := range p.GitHub.Queue {
		if e.Pull == m.IID {
			return e
		}
	}
	return nil
}

// queueOf lists the entries for a target, first one first.
func (p *project) queueOf(target string) []*queueEntry {
	var entries []*queueEntry
	for _, e := range p.GitHub.Queue {
		if m := p.request(e.Pull); m != nil && m.Target == target {
			entries = append(entries, e)
		}
	}
	return entries
}

// enqueue puts a pull request at the end of the queue and asks for the checks of its group.
func (f *Forge) enqueue(ctx context.Context, p *project, m *mergeRequest, by *User) error {
	entry := &queueEntry{ID: f.tables.next("queue entry"), Pull: m.IID, By: by.ID, At: f.now()}
	m.GitHub.Auto = pullMerge{}
	p.GitHub.Queue = append(p.GitHub.Queue, entry)
	f.wrote()
	if err := f.sendPullAction(ctx, p, m, pullAction{name: "enqueued", by: by}); err != nil {
		return err
	}
	if err := f.buildGroups(ctx, p, m.Target); err != nil {
		return err
	}
	return f.progress(ctx, p)
}

// dequeue takes a pull request out of the queue, if it is in it. Its group and those behind it are built again without it.
func (f *Forge) dequeue(ctx context.Context, p *project, m *mergeRequest, reason string) error {
	entry := p.queueEntry(m)
	if entry == nil {
		return nil
	}
	entries := p.queueOf(m.Target)
	behind := slices.Index(entries, entry)
	if entry.Group != 0 {
		behind = slices.IndexFunc(entries, func(e *queueEntry) bool { return e.Group == entry.Group })
	}
	p.GitHub.Queue = slices.DeleteFunc(p.GitHub.Queue, func(e *queueEntry) bool { return e == entry })
	f.wrote()
	if err := f.destroyGroup(ctx, p, m, entry, "dequeued"); err != nil {
		return err
	}
	action := pullAction{name: "dequeued", by: f.tables.user(entry.By), more: object{"reason": reason}}
	if err := f.sendPullAction(ctx, p, m, action); err != nil {
		return err
	}
	rest := slices.DeleteFunc(entries[behind:], func(e *queueEntry) bool { return e == entry })
	return f.rebuild(ctx, p, m.Target, rest)
}

// progress does what statuses, reviews and pushes have made possible: automatic merges, and the queue.
func (f *Forge) progress(ctx context.Context, p *project) error {
	for again := true; again; {
		again = false
		for _, m := range slices.Clone(p.Requests) {
			moved, err := f.advance(ctx, p, m)
			if err != nil {
				return err
			}
			again = again || moved
		}
	}
	return nil
}

// advance merges, enqueues or dequeues one pull request if it is time, and says whether it did.
func (f *Forge) advance(ctx context.Context, p *project, m *mergeRequest) (bool, error) {
	if m.State != stateOpened {
		return false, nil
	}
	if entry := p.queueEntry(m); entry != nil {
		return f.advanceEntry(ctx, p, m, entry)
	}
	if m.GitHub.Auto.By == 0 {
		return false, nil
	}
	found, err := f.judgePull(ctx, p, m)
	if err != nil || found.reason != "" {
		return false, err
	}
	if _, queued := p.queued(m.Target); queued {
		return true, f.enqueue(ctx, p, m, f.tables.user(m.GitHub.Auto.By))
	}
	if err := f.mergeAs(ctx, p, m, m.GitHub.Auto); err != nil {
		f.log.WarnContext(ctx, "automatic merge", "project", p.Path, "pull", m.IID, "error", err)
		m.GitHub.Auto = pullMerge{}
		return false, nil
	}
	return true, nil
}

// advanceEntry follows the checks of a group. Only the first of a queue merges; a failure takes the one on top of any out, and so
// does waiting for too long.
func (f *Forge) advanceEntry(ctx context.Context, p *project, m *mergeRequest, entry *queueEntry) (bool, error) {
	if entry.Ref == "" {
		return false, nil
	}
	failed, open := f.checksOf(p, m.Target, entry.SHA)
	head, err := p.repo.head(ctx, m.Target)
	if err != nil {
		return false, err
	}
	entries := p.queueOf(m.Target)
	isFirst := entries[0].Group == entry.Group
	switch {
	case failed:
		return true, f.dequeue(ctx, p, m, "CI_FAILURE")
	case isFirst && entries[0].Base != head: // somebody pushed to the target
		return true, f.rebuild(ctx, p, m.Target, entries)
	case open && f.now().Sub(entry.Asked) >= p.queueRules(m.Target).timeout():
		return true, f.dequeue(ctx, p, m, "CI_TIMEOUT")
	case open || !isFirst:
		return false, nil
	}
	return true, f.landGroup(ctx, p, m.Target, entry)
}

// checksOf says whether a required check of a commit failed, and whether one has not ended.
func (f *Forge) checksOf(p *project, target, sha string) (failed, open bool) {
	for _, rules := range p.ruled(target) {
		for _, check := range rules.Checks {
			switch f.required(p, sha, check) {
			case "failure":
				failed = true
			case "success":
			default:
				open = true
			}
		}
	}
	return failed, open
}

// landGroup merges all entries of a group, one after the other.
func (f *Forge) landGroup(ctx context.Context, p *project, target string, top *queueEntry) error {
	group := slices.DeleteFunc(p.queueOf(target), func(e *queueEntry) bool { return e.Group != top.Group })
	p.GitHub.Queue = slices.DeleteFunc(p.GitHub.Queue, func(e *queueEntry) bool { return slices.Contains(group, e) })
	for _, entry := range group {
		m := p.request(entry.Pull)
		if err := f.land(ctx, p, m, landing{from: entry.Base, to: entry.SHA, by: entry.By}); err != nil {
			return err
		}
		action := pullAction{name: "dequeued", by: f.tables.user(entry.By), more: object{"reason": "MERGE"}}
		if err := f.sendPullAction(ctx, p, m, action); err != nil {
			return err
		}
	}
	return f.destroyGroup(ctx, p, p.request(top.Pull), top, "merged")
}
