package discover

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	firstCommits = 5   // read at first, when earlier commits are known
	mostCommits  = 200 // read at once
)

// branch walks a branch from its tip along first parents. Where it meets the tip of the last time, it takes over what was
// found from there on.
func (s *gitSearch) branch(ctx context.Context, tip string, before gitMemory) (gitFound, error) {
	var found gitFound
	count := s.sub.DiscoveryLimit
	if before.observed != "" {
		count = firstCommits
	}
	for next := tip; next != ""; count = min(2*count, mostCommits) {
		commits, err := s.repo.remote.Log(ctx, next, count)
		if err != nil {
			return found, err
		}
		next = ""
		for _, parent := range firstParent(commits[len(commits)-1]) {
			next = parent
		}
		for part := range slices.Chunk(commits, pathBatch) {
			items, end := s.cut(part, before.observed)
			if err := s.take(ctx, items, &found); err != nil {
				return found, err
			}
			switch {
			case s.full(&found):
				return found, nil
			case end != nil && end.ID == before.observed:
				return s.join(found, before.found), nil
			case end != nil:
				found.skip(promote.Commit(end.ID).Short(), "older than since")
				found.end = endSince
				return found, nil
			}
		}
	}
	return found, nil
}

// cut leaves out what lies behind the end of the walk: the known commit, or the first that is older than since.
func (s *gitSearch) cut(commits []git.CommitInfo, known string) (items []gitItem, end *git.CommitInfo) {
	for _, commit := range commits {
		if commit.ID == known || !s.sub.Since.IsZero() && commit.Committer.When.Before(s.sub.Since) {
			return items, &commit
		}
		items = append(items, branchItem(commit))
	}
	return items, nil
}

// branchItem is a commit that was found by its place in the history.
func branchItem(commit git.CommitInfo) gitItem {
	return gitItem{commit: commit, values: func() map[string]any { return branchValues(commit) }}
}

// join puts what was found before behind what is new.
func (s *gitSearch) join(found, before gitFound) gitFound {
	commits := slices.Concat(found.commits, before.commits)
	skipped := slices.Concat(found.skipped, before.skipped)
	found.commits = commits[:min(len(commits), s.sub.DiscoveryLimit)]
	found.skipped = skipped[:min(len(skipped), maxSkipped)]
	found.looked += before.looked
	found.end = before.end
	return found
}

// nothing says why no commit was found and what to do.
func (f gitFound) nothing(repoURL string, sub promote.GitSubscription) string {
	if f.branch == "" {
		return f.noTag(repoURL, sub)
	}
	where := fmt.Sprintf("branch %q of %s", f.branch, repoURL)
	filters := filtersOf(sub)
	switch f.end {
	case endBound:
		return fmt.Sprintf("none of the newest %d commits of %s passes %s, and no more are looked at; set since or branch, or loosen %s at %s",
			f.looked, where, filters, filters, sub.Position)
	case endSince:
		text := fmt.Sprintf("no commit of %s since %s", where, sub.Since.Format(time.RFC3339))
		if f.looked > 0 {
			text += fmt.Sprintf(" passes %s (looked at %d)", filters, f.looked)
		}
		return text + fmt.Sprintf("; push one, or set since to an earlier time at %s", sub.Position)
	case endHistory, endLimit:
	}
	return fmt.Sprintf("none of the %d commits of %s passes %s; correct %s at %s", f.looked, where, filters, filters, sub.Position)
}

// filtersOf names the filters of a subscription by their keys.
func filtersOf(sub promote.GitSubscription) string {
	var out []string
	for _, filter := range []struct {
		key string
		set bool
	}{
		{"expressionFilter", sub.Filter != ""},
		{"includePaths", len(sub.Include) > 0},
		{"excludePaths", len(sub.Exclude) > 0},
	} {
		if filter.set {
			out = append(out, filter.key)
		}
	}
	return strings.Join(out, " and ")
}
