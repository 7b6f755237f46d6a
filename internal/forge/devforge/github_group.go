package devforge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// queueRules are the rules of a branch that say how its queue works.
func (p *project) queueRules(branch string) *BranchRules {
	for _, rules := range p.ruled(branch) {
		if rules.Queue {
			return rules
		}
	}
	return &BranchRules{}
}

// most is how many entries one group holds at most.
func (r *BranchRules) most() int { return max(r.QueueMost, 1) }

// least is how many entries a group waits for.
func (r *BranchRules) least() int { return min(max(r.QueueLeast, 1), r.most()) }

// queuePatience is how long a group waits for more entries (docs, "Managing a merge queue": the default).
const queuePatience = 5 * time.Minute

// timeout is how long the checks of a group may take.
func (r *BranchRules) timeout() time.Duration {
	if r.QueueMinutes == 0 {
		return time.Hour
	}
	return time.Duration(r.QueueMinutes) * time.Minute
}

// buildGroups builds groups of the entries that are in none, as long as there are enough of them. One that was in a group before
// does not wait for others again.
func (f *Forge) buildGroups(ctx context.Context, p *project, target string) error {
	rules := p.queueRules(target)
	for {
		base, err := p.repo.head(ctx, target)
		if err != nil {
			return err
		}
		var group []*queueEntry
		for _, e := range p.queueOf(target) {
			if e.Group != 0 {
				base = e.SHA
			} else if len(group) < rules.most() {
				group = append(group, e)
			}
		}
		if len(group) == 0 || len(group) < rules.least() && group[0].Asked.IsZero() && f.now().Sub(group[0].At) < queuePatience {
			return nil
		}
		if err := f.buildGroup(ctx, p, base, group); err != nil {
			return err
		}
	}
}

// buildGroup makes a commit of each entry on top of the one before it, and has the checks judge the last. That is the branch
// gh-readonly-queue/<target>/pr-<number>-<base> (docs, "Managing a merge queue"). What cannot be merged there leaves the queue.
func (f *Forge) buildGroup(ctx context.Context, p *project, base string, group []*queueEntry) error {
	top := group[len(group)-1]
	m := p.request(top.Pull)
	below := base
	for _, e := range group {
		method, _ := p.queued(m.Target)
		sha, err := f.combineInto(ctx, p, p.request(e.Pull), below, pullMerge{By: e.By, Method: method})
		if stop := (*refusal)(nil); errors.As(err, &stop) {
			for _, other := range group {
				other.Group, other.Base, other.SHA = 0, "", ""
			}
			return f.dequeue(ctx, p, p.request(e.Pull), "MERGE_CONFLICT")
		}
		if err != nil {
			return err
		}
		e.Group, e.Base, e.SHA = top.ID, below, sha
		below = sha
	}
	for _, e := range group {
		e.Asked = f.now()
	}
	top.Ref = fmt.Sprintf("%sgh-readonly-queue/%s/pr-%d-%s", headsPrefix, m.Target, m.IID, base)
	if err := p.repo.setRef(ctx, top.Ref, top.SHA, ""); err != nil {
		return err
	}
	f.wrote()
	if err := f.announce(ctx, p, f.tables.user(top.By)); err != nil {
		return err
	}
	return f.sendMergeGroup(ctx, p, m, groupEvent{entry: *top, action: "checks_requested"})
}

// groupBase is what a group was built on, by the name of its branch.
func (e queueEntry) groupBase() string { return e.Ref[strings.LastIndexByte(e.Ref, '-')+1:] }

// destroyGroup takes an entry out of its group, and its branch away if it is on top of one.
func (f *Forge) destroyGroup(ctx context.Context, p *project, m *mergeRequest, entry *queueEntry, reason string) error {
	gone := *entry
	entry.Group, entry.Ref, entry.SHA, entry.Base = 0, "", "", ""
	if gone.Ref == "" {
		return nil
	}
	if err := p.repo.setRef(ctx, gone.Ref, "", gone.SHA); err != nil {
		f.log.InfoContext(ctx, "queue branch stays", "ref", gone.Ref, "error", err)
	}
	if err := f.sendMergeGroup(ctx, p, m, groupEvent{entry: gone, action: "destroyed", reason: reason}); err != nil {
		return err
	}
	return f.announce(ctx, p, f.tables.user(entry.By))
}

// rebuild makes the groups of entries anew: what they were built on is no longer what will be there.
func (f *Forge) rebuild(ctx context.Context, p *project, target string, entries []*queueEntry) error {
	for _, entry := range entries {
		if err := f.destroyGroup(ctx, p, p.request(entry.Pull), entry, "invalidated"); err != nil {
			return err
		}
	}
	return f.buildGroups(ctx, p, target)
}

// QueueWaits lets time pass for the merge queue of a project: groups are built that waited for others for long enough, and what
// waited for its checks for too long is taken out.
func (f *Forge) QueueWaits(ctx context.Context, path string, passed time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.tables.projectAt(path)
	if p == nil {
		return fmt.Errorf("project %q: %w", path, ErrNotFound)
	}
	targets := map[string]bool{}
	for _, e := range p.GitHub.Queue {
		e.At = e.At.Add(-passed)
		if !e.Asked.IsZero() {
			e.Asked = e.Asked.Add(-passed)
		}
		targets[p.request(e.Pull).Target] = true
	}
	f.wrote()
	if err := f.progress(ctx, p); err != nil { // before others are built, which have all the time that there is
		return err
	}
	for target := range targets {
		if err := f.buildGroups(ctx, p, target); err != nil {
			return err
		}
	}
	return f.progress(ctx, p)
}
