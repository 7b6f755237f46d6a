package github

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// queueBranches are the branches of GitHub's merge queues: an event of their own says what is tested on them.
const queueBranches = "gh-readonly-queue/"

// Queued returns what the merge queue of a branch tests, by the branches that it makes. It asks GitHub nothing.
func (f *Forge) Queued(_ context.Context, target promote.Branch, branches map[promote.Branch]promote.Commit) ([]promote.Event, error) {
	var events []promote.Event
	for _, branch := range slices.Sorted(maps.Keys(branches)) {
		name, ok := strings.CutPrefix(string(branch), queueBranches+string(target)+"/")
		if change := topOfQueue(name); ok && change > 0 {
			events = append(events, promote.Event{Kind: promote.EventQueue, Branch: target, Head: branches[branch], Change: change})
		}
	}
	return events, nil
}

// topOfQueue is the change that a queue's branch is named after: gh-readonly-queue/<target>/pr-<number>-<commit of the target>.
func topOfQueue(ref string) int {
	name, ok := strings.CutPrefix(ref[strings.LastIndexByte(ref, '/')+1:], "pr-")
	digits, _, cut := strings.Cut(name, "-")
	number, err := strconv.Atoi(digits)
	if !ok || !cut || err != nil {
		return 0
	}
	return max(0, number)
}
