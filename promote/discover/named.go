package discover

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
)

// maxNamedDepth is how far behind the tip of a branch a commit is looked for by the beginning of its ID.
const maxNamedDepth = 1_000

// missingError says in words for people what does not exist. It is promote.ErrNotFound.
type missingError string

func missing(format string, args ...any) error { return missingError(fmt.Sprintf(format, args...)) }

func (e missingError) Error() string { return string(e) }

func (missingError) Unwrap() error { return promote.ErrNotFound }

// Named returns the image that a person names by its tag for a subscription, whether or not the subscription would select
// it. A tag that does not exist is [promote.ErrNotFound], and the error names one that may be meant.
func (r *Registry) Named(ctx context.Context, sub promote.ImageSubscription, tag string) (promote.Image, error) {
	image, known, err := r.tagged(ctx, sub, tag)
	if errors.Is(err, errNoTag) {
		return promote.Image{}, missing("%s has no tag %q%s", sub.RepoURL, tag, r.nearTag(ctx, sub, tag))
	}
	if err != nil {
		return promote.Image{}, err
	}
	if reason := known.misfit(sub.Platform); reason != "" {
		return promote.Image{}, fmt.Errorf("%s:%s %s", sub.RepoURL, tag, reason)
	}
	return image, nil
}

// nearTag names a tag that may be meant, or a few that there are. Without a list it says nothing.
func (r *Registry) nearTag(ctx context.Context, sub promote.ImageSubscription, tag string) string {
	src, err := sourceOf(sub.RepoURL, sub.SkipTLSVerify)
	if err != nil {
		return ""
	}
	tags, err := r.tags(ctx, src)
	if err != nil {
		return ""
	}
	if selected, _ := Select(sub, tags); len(selected) > 0 {
		tags = selected
	}
	return meant(tag, tags)
}

// meant names the candidate that a word may mean, or a few that there are, the best first.
func meant(word string, candidates []string) string {
	if near := didYouMean(word, candidates); near != "" {
		return near
	}
	if len(candidates) == 0 {
		return ""
	}
	return "; there is " + sample(candidates)
}

// Version returns the version of a chart that a person names for a subscription, whether or not the subscription would select
// it. One that does not exist is [promote.ErrNotFound], and the error names one that may be meant.
func (c *Charts) Version(ctx context.Context, sub promote.ChartSubscription, version string) (promote.Chart, error) {
	versions, err := c.versions(ctx, sub)
	if err != nil {
		return promote.Chart{}, err
	}
	if slices.ContainsFunc(versions, func(v chartVersion) bool { return v.text == version }) {
		return promote.Chart{RepoURL: sub.RepoURL, Name: sub.Chart, Version: version, Subscription: sub.Name}, nil
	}
	shown := ChartExplanation{RepoURL: publicURL(sub.RepoURL), Chart: sub.Chart}.shown()
	return promote.Chart{}, missing("chart %s has no version %q%s", shown, version, meant(version, newestVersions(versions)))
}

// newestVersions lists what is a version, the newest first.
func newestVersions(versions []chartVersion) []string {
	var parsed []*semver.Version
	for _, v := range versions {
		if one, err := semver.NewVersion(v.text); err == nil {
			parsed = append(parsed, one)
		}
	}
	slices.SortFunc(parsed, func(a, b *semver.Version) int { return b.Compare(a) })
	var out []string
	for _, v := range parsed {
		out = append(out, v.Original())
	}
	return out
}

// hexPattern is a commit's ID, or the beginning of one.
var hexPattern = regexp.MustCompile(`^[0-9a-f]{7,40}$`)

// Named returns the commit that a person names for a subscription by a tag or by its ID, whether or not the subscription
// would select it. An ID means a commit of the subscription's branch, or one that a tag names: forges also serve the commits
// of forks, which are not the repository's. What does not exist is [promote.ErrNotFound].
func (g *Git) Named(ctx context.Context, sub promote.GitSubscription, revision string) (promote.GitCommit, error) {
	arrival := g.config.Now()
	shown := publicURL(sub.RepoURL)
	repo, err := g.repository(sub, arrival)
	if err != nil {
		return promote.GitCommit{}, err
	}
	reading, err := repo.read(ctx, g.config, arrival)
	if err != nil {
		return promote.GitCommit{}, gitError(ctx, shown, err)
	}
	if err := repo.searches.take(ctx); err != nil {
		return promote.GitCommit{}, gitError(ctx, shown, err)
	}
	defer repo.searches.give()
	if sub.Strategy == "" {
		sub.Strategy = promote.SelectNewestFromBranch
	}
	search := gitSearch{repo: repo, sub: sub, reading: reading}
	item, err := search.named(ctx, revision)
	if err != nil {
		return promote.GitCommit{}, gitError(ctx, shown, err)
	}
	if sub.Strategy == promote.SelectNewestFromBranch {
		item = branchItem(item.commit) // the same commit is the same freight, however it was named
	}
	commit := search.made(item)
	commit.RepoURL, commit.Subscription = sub.RepoURL, sub.Name
	return commit, nil
}

// named finds what a revision means: a tag before a commit.
func (s *gitSearch) named(ctx context.Context, revision string) (gitItem, error) {
	tags := s.reading.refs.Tags()
	if i := slices.IndexFunc(tags, func(t git.Tag) bool { return t.Name == revision }); i >= 0 {
		return s.namedTag(ctx, tags[i])
	}
	id := strings.ToLower(revision)
	if !hexPattern.MatchString(id) {
		return gitItem{}, missing("there is no tag %q%s", revision, meant(revision, tagNames(tags)))
	}
	tagged := slices.DeleteFunc(tags, func(t git.Tag) bool { return !strings.HasPrefix(t.Commit, id) })
	if s.sub.Strategy == promote.SelectNewestFromBranch {
		item, err := s.onBranch(ctx, id)
		if len(tagged) == 0 || !errors.Is(err, promote.ErrNotFound) {
			return item, err
		}
	}
	switch {
	case len(tagged) == 0:
		return gitItem{}, missing("no tag names commit %s; write the name of a tag", id)
	case slices.ContainsFunc(tagged, func(t git.Tag) bool { return t.Commit != tagged[0].Commit }):
		return gitItem{}, fmt.Errorf("tags name several commits that begin with %s: write more of the ID, or the name of a tag", id)
	}
	return s.namedTag(ctx, tagged[0])
}

func (s *gitSearch) namedTag(ctx context.Context, tag git.Tag) (gitItem, error) {
	infos, err := s.repo.remote.TagInfos(ctx, []git.Tag{tag})
	if err != nil {
		return gitItem{}, err
	}
	var found gitFound
	items := found.tagItems(infos)
	if len(items) != 1 {
		return gitItem{}, fmt.Errorf("tag %q does not name a commit", tag.Name)
	}
	return items[0], nil
}

// onBranch finds a commit of the subscription's branch by its ID.
func (s *gitSearch) onBranch(ctx context.Context, id string) (gitItem, error) {
	branch, tip, err := s.observe()
	if err != nil {
		return gitItem{}, err
	}
	commits, err := s.repo.remote.Log(ctx, tip, maxNamedDepth)
	if err != nil {
		return gitItem{}, err
	}
	var found []git.CommitInfo
	for _, commit := range commits {
		if strings.HasPrefix(commit.ID, id) {
			found = append(found, commit)
		}
	}
	switch len(found) {
	case 0:
		return gitItem{}, missing("commit %s is none of the newest %d of branch %q; push it there, or name a tag", id, len(commits), branch)
	case 1:
		return branchItem(found[0]), nil
	}
	return gitItem{}, fmt.Errorf("%d commits of branch %q begin with %s: write more of the ID", len(found), branch, id)
}

// tagNames lists tags for people, the last in byte order first.
func tagNames(tags []git.Tag) []string {
	var names []string
	for _, tag := range slices.Backward(tags) {
		names = append(names, plainLine(tag.Name))
	}
	return names
}
