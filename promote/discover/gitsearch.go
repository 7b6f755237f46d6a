package discover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
)

const (
	// pathBatch is how many commits are fetched at once to see what they changed. With their parents they are fewer than a
	// repository keeps.
	pathBatch = 15
	// enoughCommits is how far is looked for more candidates when there is one.
	enoughCommits = 500
)

// gitSearch looks for the commits of one subscription at one reading of the refs.
type gitSearch struct {
	repo    *gitRepository
	sub     promote.GitSubscription
	reading *gitReading
	bound   int
	paths   pathFilter
	filter  func(values map[string]any) (bool, error) // nil passes everything
}

// gitFound is the outcome of a search.
type gitFound struct {
	branch  string
	commits []promote.GitCommit // newest first; RepoURL and Subscription are left open
	looked  int
	names   []Skipped // tags that were not selected by name
	skipped []Skipped // what else was not taken
	end     gitEnd
	reused  bool
}

// gitEnd is why a search looked no further.
type gitEnd int

const (
	endHistory gitEnd = iota // there was no more
	endLimit                 // there are as many as the discovery limit
	endSince                 // the next is older than since
	endBound                 // enough was looked at
)

// key is equal for subscriptions that select the same commits of a repository.
func (s *gitSearch) key() string {
	sub := s.sub
	sub.Name, sub.RepoURL, sub.SkipTLSVerify, sub.Position = "", "", false, promote.Position{}
	return fmt.Sprintf("%#v", sub)
}

// run finds the commits, or recalls them when nothing that matters has changed.
func (s *gitSearch) run(ctx context.Context) (gitFound, error) {
	branch, observed, err := s.observe()
	if err != nil {
		return gitFound{}, err
	}
	key := s.key()
	if m, ok := s.repo.recall(key); ok && m.observed == observed {
		m.found.reused = true
		return m.found, nil
	}
	if err := s.repo.searches.take(ctx); err != nil {
		return gitFound{}, err
	}
	defer s.repo.searches.give()
	before, known := s.repo.recall(key)
	if known && before.observed == observed {
		before.found.reused = true
		return before.found, nil
	}
	if err := s.prepare(); err != nil {
		return gitFound{}, err
	}
	m := gitMemory{observed: observed}
	if branch == "" {
		m.matching, m.found, err = s.tags(ctx, before)
	} else {
		m.found, err = s.branch(ctx, observed, before)
		m.found.branch = branch
	}
	if err != nil {
		return gitFound{}, err
	}
	reused := m.found.reused
	m.found.reused = false
	s.repo.remember(key, m)
	m.found.reused = reused
	return m.found, nil
}

// observe says what the result depends on: the branch and its tip, or all tags.
func (s *gitSearch) observe() (branch, observed string, err error) {
	refs := s.reading.refs
	if s.sub.Strategy != promote.SelectNewestFromBranch {
		return "", s.reading.tags().print, nil
	}
	branch = cmp.Or(s.sub.Branch, refs.Default)
	if tip, ok := refs.Branch(branch); ok {
		return branch, tip, nil
	}
	switch {
	case len(refs.Commits) == 0:
		return "", "", errors.New("the repository has no commits; push one")
	case branch == "":
		return "", "", fmt.Errorf("the repository does not say which branch is its default; set branch at %s", s.sub.Position)
	}
	return "", "", fmt.Errorf("branch %q does not exist%s; correct branch at %s", branch, didYouMean(branch, branches(refs)), s.sub.Position)
}

func branches(refs git.Refs) []string {
	var out []string
	for _, ref := range slices.Sorted(maps.Keys(refs.Commits)) {
		if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
			out = append(out, name)
		}
	}
	return out
}

func didYouMean(word string, candidates []string) string {
	const most = 10_000
	if near := nearest.Of(word, candidates[:min(most, len(candidates))]); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// prepare reads the patterns of the subscription.
func (s *gitSearch) prepare() (err error) {
	wrong := func(err error) error { return fmt.Errorf("%w; correct it at %s", err, s.sub.Position) }
	if s.paths, err = newPathFilter(s.sub.Include, s.sub.Exclude); err != nil {
		return wrong(err)
	}
	if s.sub.Filter == "" {
		return nil
	}
	kind := expr.FilterTag
	if s.sub.Strategy == "" || s.sub.Strategy == promote.SelectNewestFromBranch {
		kind = expr.FilterBranch
	}
	if s.filter, err = expr.CompileFilter(s.sub.Filter, kind); err != nil {
		return wrong(fmt.Errorf("expressionFilter: %w", err))
	}
	return nil
}

// branchValues is what an expressionFilter sees of a commit of a branch.
func branchValues(c git.CommitInfo) map[string]any {
	return map[string]any{
		"id": c.ID, "commitDate": c.Committer.When, "author": person(c.Author), "committer": person(c.Committer), "subject": subjectOf(c.Message),
	}
}

// tagValues is what an expressionFilter sees of a tag.
func tagValues(t git.TagInfo) map[string]any {
	tagger := ""
	if t.Object != "" {
		tagger = person(t.Tagger)
	}
	return map[string]any{
		"tag": t.Name, "id": t.Head.ID, "creatorDate": creatorDate(t), "author": person(t.Head.Author), "committer": person(t.Head.Committer),
		"subject": subjectOf(t.Head.Message), "tagger": tagger, "annotation": subjectOf(t.Message),
	}
}

// creatorDate is when a tag was made; of a lightweight tag, when its commit was.
func creatorDate(t git.TagInfo) time.Time {
	if t.Object != "" && !t.Tagger.When.IsZero() {
		return t.Tagger.When
	}
	return t.Head.Committer.When
}

// full reports whether nothing further has to be looked at, and why.
func (s *gitSearch) full(found *gitFound) bool {
	bound := s.bound
	if len(found.commits) > 0 {
		bound = min(bound, enoughCommits)
	}
	switch {
	case len(found.commits) >= s.sub.DiscoveryLimit:
		found.end = endLimit
	case found.looked >= bound:
		found.end = endBound
	default:
		return false
	}
	return true
}

// gitItem is a commit that may be taken, with the tag that names it where it was found by one.
type gitItem struct {
	tag    string
	commit git.CommitInfo
	values func() map[string]any
}

// created is when the tag was made, or the commit where there is none.
func (i gitItem) created() time.Time {
	if made, ok := i.values()["creatorDate"].(time.Time); ok {
		return made
	}
	return i.commit.Committer.When
}

func (i gitItem) name() string { return cmp.Or(i.tag, promote.Commit(i.commit.ID).Short()) }

// take adds those of a few commits that pass the filters: the expression first, then the paths.
func (s *gitSearch) take(ctx context.Context, items []gitItem, found *gitFound) error {
	refused := make([]string, len(items))
	var ask []git.CommitInfo
	for i, item := range items {
		if s.filter != nil {
			holds, err := s.filter(item.values())
			if err != nil {
				return fmt.Errorf("expressionFilter on %s: %w; correct it at %s", item.name(), err, s.sub.Position)
			}
			if !holds {
				refused[i] = "expressionFilter is false"
				continue
			}
		}
		ask = append(ask, item.commit)
	}
	if !s.paths.all() {
		if err := s.repo.prepare(ctx, ask); err != nil {
			return err
		}
	}
	for i, item := range items {
		if s.full(found) {
			return nil
		}
		if err := s.takeOne(ctx, item, refused[i], found); err != nil {
			return err
		}
	}
	return nil
}

func (s *gitSearch) takeOne(ctx context.Context, item gitItem, refused string, found *gitFound) error {
	found.looked++
	if refused == "" && !s.paths.all() {
		changed, err := s.repo.changed(ctx, item.commit, s.paths)
		switch {
		case errors.Is(err, git.ErrTooLarge):
			refused = "it changes more paths than can be looked at"
		case err != nil:
			return err
		case !changed:
			refused = "no path that it changes is selected by includePaths and excludePaths"
		}
	}
	if refused != "" {
		found.skip(item.name(), refused)
		return nil
	}
	found.commits = append(found.commits, s.made(item))
	return nil
}

// made is what is known of a commit that is taken. RepoURL and Subscription are left open.
func (s *gitSearch) made(item gitItem) promote.GitCommit {
	return promote.GitCommit{
		ID: promote.Commit(item.commit.ID), Tag: item.tag, Branch: s.branchName(), Message: shorten(subjectOf(item.commit.Message), maxSubject),
		Author: person(item.commit.Author), Committer: person(item.commit.Committer), CreatedAt: item.created().UTC(),
	}
}

// branchName is the branch in the commit's freight: what the subscription says, so that it stays open when that does.
func (s *gitSearch) branchName() string {
	if s.sub.Strategy != promote.SelectNewestFromBranch {
		return ""
	}
	return s.sub.Branch
}

func (f *gitFound) skip(name, reason string) {
	if len(f.skipped) < maxSkipped {
		f.skipped = append(f.skipped, Skipped{name, reason})
	}
}
