package devforge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// queueEntry is a pull request in the merge queue of its target. The group of an entry holds the target, every entry before it,
// and its own head, as one commit that the checks judge.
type queueEntry struct {
	ID   int       `json:"id"`
	Pull int       `json:"pull"` // number
	By   int       `json:"by"`
	At   time.Time `json:"at"`
	Base string    `json:"base"` // what the group was built on
	SHA  string    `json:"sha"`  // the commit to be judged
	Ref  string    `json:"ref"`  // its branch
}

func (p *project) queueEntry(m *mergeRequest) *queueEntry {
	for _, e := range p.GitHub.Queue {
		if e.Pull == m.IID {
			return e
		}
	}
	return nil
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
	if err := f.buildGroup(ctx, p, m, entry); err != nil {
		return f.dropUnmergeable(ctx, p, m, err)
	}
	return f.progress(ctx, p)
}

func (f *Forge) dropUnmergeable(ctx context.Context, p *project, m *mergeRequest, err error) error {
	if stop := (*refusal)(nil); errors.As(err, &stop) {
		return f.dequeue(ctx, p, m, "MERGE_CONFLICT")
	}
	return err
}

// buildGroup writes the branch gh-readonly-queue/<target>/pr-<number>-<base> (docs, "Managing a merge queue").
func (f *Forge) buildGroup(ctx context.Context, p *project, m *mergeRequest, entry *queueEntry) error {
	base, err := p.repo.head(ctx, m.Target)
	if err != nil {
		return err
	}
	for _, before := range p.GitHub.Queue {
		if before == entry {
			break
		}
		if other := p.request(before.Pull); other != nil && other.Target == m.Target {
			base = before.SHA
		}
	}
	method, _ := p.queued(m.Target)
	entry.SHA, err = f.combineInto(ctx, p, m, base, pullMerge{By: entry.By, Method: method})
	if err != nil {
		return err
	}
	entry.Base, entry.Ref = base, fmt.Sprintf("%sgh-readonly-queue/%s/pr-%d-%s", headsPrefix, m.Target, m.IID, base)
	if err := p.repo.setRef(ctx, entry.Ref, entry.SHA, ""); err != nil {
		return err
	}
	f.wrote()
	by := f.tables.user(entry.By)
	if err := f.announce(ctx, p, by); err != nil {
		return err
	}
	return f.sendMergeGroup(ctx, p, m, groupEvent{entry: *entry, action: "checks_requested"})
}

// dequeue takes a pull request out of the queue, if it is in it. The groups behind it are built again without it.
func (f *Forge) dequeue(ctx context.Context, p *project, m *mergeRequest, reason string) error {
	i := slices.IndexFunc(p.GitHub.Queue, func(e *queueEntry) bool { return e.Pull == m.IID })
	if i < 0 {
		return nil
	}
	entry := p.GitHub.Queue[i]
	behind := slices.Clone(p.GitHub.Queue[i+1:])
	p.GitHub.Queue = slices.Delete(p.GitHub.Queue, i, i+1)
	f.wrote()
	by := f.tables.user(entry.By)
	if err := f.destroyGroup(ctx, p, m, entry, "dequeued"); err != nil {
		return err
	}
	if err := f.sendPullAction(ctx, p, m, pullAction{name: "dequeued", by: by, more: object{"reason": reason}}); err != nil {
		return err
	}
	return f.rebuild(ctx, p, m.Target, behind)
}

func (f *Forge) destroyGroup(ctx context.Context, p *project, m *mergeRequest, entry *queueEntry, reason string) error {
	if entry.Ref == "" {
		return nil
	}
	gone := *entry
	if err := p.repo.setRef(ctx, entry.Ref, "", entry.SHA); err != nil {
		f.log.InfoContext(ctx, "queue branch stays", "ref", entry.Ref, "error", err)
	}
	entry.Ref, entry.SHA, entry.Base = "", "", ""
	if err := f.sendMergeGroup(ctx, p, m, groupEvent{entry: gone, action: "destroyed", reason: reason}); err != nil {
		return err
	}
	return f.announce(ctx, p, f.tables.user(entry.By))
}

// rebuild makes the groups of entries anew: what they were built on is no longer what will be there.
func (f *Forge) rebuild(ctx context.Context, p *project, target string, entries []*queueEntry) error {
	for _, entry := range entries {
		m := p.request(entry.Pull)
		if m == nil || m.Target != target || p.queueEntry(m) == nil {
			continue
		}
		if err := f.destroyGroup(ctx, p, m, entry, "invalidated"); err != nil {
			return err
		}
		if err := f.buildGroup(ctx, p, m, entry); err != nil {
			if err := f.dropUnmergeable(ctx, p, m, err); err != nil {
				return err
			}
		}
	}
	return nil
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

// advanceEntry follows the checks of a group. Only the first of a queue merges; a failure takes any out.
func (f *Forge) advanceEntry(ctx context.Context, p *project, m *mergeRequest, entry *queueEntry) (bool, error) {
	if entry.SHA == "" {
		return false, nil
	}
	failed, open := false, false
	for _, rules := range p.ruled(m.Target) {
		for _, check := range rules.Checks {
			switch f.required(p, entry.SHA, check) {
			case "failure":
				failed = true
			case "success":
			default:
				open = true
			}
		}
	}
	head, err := p.repo.head(ctx, m.Target)
	if err != nil {
		return false, err
	}
	first := slices.IndexFunc(p.GitHub.Queue, func(e *queueEntry) bool {
		other := p.request(e.Pull)
		return other != nil && other.Target == m.Target
	})
	isFirst := first >= 0 && p.GitHub.Queue[first] == entry
	switch {
	case failed:
		return true, f.dequeue(ctx, p, m, "CI_FAILURE")
	case isFirst && entry.Base != head: // somebody pushed to the target
		return true, f.rebuild(ctx, p, m.Target, slices.Clone(p.GitHub.Queue))
	case open || !isFirst:
		return false, nil
	}
	return true, f.landEntry(ctx, p, m, entry)
}

func (f *Forge) landEntry(ctx context.Context, p *project, m *mergeRequest, entry *queueEntry) error {
	p.GitHub.Queue = slices.DeleteFunc(p.GitHub.Queue, func(e *queueEntry) bool { return e == entry })
	done := *entry
	if err := f.land(ctx, p, m, landing{from: done.Base, to: done.SHA, by: done.By}); err != nil {
		return err
	}
	by := f.tables.user(done.By)
	if err := f.sendPullAction(ctx, p, m, pullAction{name: "dequeued", by: by, more: object{"reason": "MERGE"}}); err != nil {
		return err
	}
	return f.destroyGroup(ctx, p, m, entry, "merged")
}
