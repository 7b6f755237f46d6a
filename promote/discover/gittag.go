package discover

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
)

// maxDatedTags bounds the tags that are read to sort them by date.
const maxDatedTags = 10_000

// tags finds the commits that tags name. When the tags whose names are selected are those of the last time, so is the rest.
func (s *gitSearch) tags(ctx context.Context, before gitMemory) (string, gitFound, error) {
	all := s.reading.tags().all
	matching, names, err := s.selectTags(all)
	if err != nil {
		return "", gitFound{}, err
	}
	found := gitFound{names: names}
	selected := printTags(matching)
	if before.matching == selected {
		before.found.names, before.found.reused = names, true
		return selected, before.found, nil
	}
	if s.sub.Strategy == promote.SelectNewestTag {
		if matching, err = s.byDate(ctx, matching); err != nil {
			return "", found, err
		}
	}
	for part := range slices.Chunk(matching, pathBatch) {
		infos, err := s.repo.remote.TagInfos(ctx, part)
		if err != nil {
			return "", found, err
		}
		if err := s.take(ctx, found.tagItems(infos), &found); err != nil {
			return "", found, err
		}
		if s.full(&found) {
			break
		}
	}
	return selected, found, nil
}

// tagItems leaves out tags that name files or folders.
func (f *gitFound) tagItems(infos []git.TagInfo) []gitItem {
	var items []gitItem
	for _, info := range infos {
		if info.Head.ID == "" {
			f.skip(info.Name, "it does not name a commit")
			continue
		}
		items = append(items, gitItem{tag: info.Name, commit: info.Head, values: func() map[string]any { return tagValues(info) }})
	}
	return items
}

// byDate sorts tags by when they were made, the newest first. It has to read all of them.
func (s *gitSearch) byDate(ctx context.Context, tags []git.Tag) ([]git.Tag, error) {
	if len(tags) > maxDatedTags {
		return nil, fmt.Errorf("%d tags are selected and at most %d are read to find the newest; narrow allowTagsRegexes or ignoreTagsRegexes at %s",
			len(tags), maxDatedTags, s.sub.Position)
	}
	infos, err := s.repo.remote.TagInfos(ctx, tags)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(infos, func(a, b git.TagInfo) int {
		return cmp.Or(creatorDate(b).Compare(creatorDate(a)), strings.Compare(a.Name, b.Name))
	})
	out := make([]git.Tag, len(infos))
	for i, info := range infos {
		out[i] = info.Tag
	}
	return out, nil
}

// selectTags returns the tags whose names a subscription selects, in the order of its strategy as far as names tell, and the
// first of the others.
func (s *gitSearch) selectTags(all []git.Tag) (out []git.Tag, skipped []Skipped, err error) {
	filter, err := newTagFilter(s.sub)
	if err != nil {
		return nil, nil, fmt.Errorf("%w; correct it at %s", err, s.sub.Position)
	}
	versions := map[string]*semver.Version{}
	for _, tag := range all {
		version, refused := filter.judge(tag.Name)
		if refused != "" {
			if len(skipped) < maxSkipped {
				skipped = append(skipped, Skipped{plainLine(tag.Name), refused})
			}
			continue
		}
		versions[tag.Name] = version
		out = append(out, tag)
	}
	switch s.sub.Strategy {
	case promote.SelectSemVer:
		slices.SortFunc(out, func(a, b git.Tag) int {
			return cmp.Or(versions[b.Name].Compare(versions[a.Name]), strings.Compare(b.Name, a.Name))
		})
	case promote.SelectLexical:
		slices.SortFunc(out, func(a, b git.Tag) int { return strings.Compare(b.Name, a.Name) })
	case promote.SelectNewestTag:
	default:
		return nil, nil, fmt.Errorf("strategy %q does not exist for Git; write NewestFromBranch, NewestTag, SemVer or Lexical at %s", s.sub.Strategy, s.sub.Position)
	}
	return out, skipped, nil
}

// tagFilter selects tags by their names.
type tagFilter struct {
	allow, ignore []*regexp.Regexp
	semver        bool
	strict        bool
	constraint    *semver.Constraints // nil takes everything
	text          string              // of the constraint
}

func newTagFilter(sub promote.GitSubscription) (tagFilter, error) {
	f := tagFilter{semver: sub.Strategy == promote.SelectSemVer, strict: sub.StrictSemvers, text: sub.Constraint}
	var err error
	if f.allow, err = tagPatterns("allowTagsRegexes", sub.Allow); err != nil {
		return f, err
	}
	if f.ignore, err = tagPatterns("ignoreTagsRegexes", sub.Ignore); err != nil {
		return f, err
	}
	if f.semver && sub.Constraint != "" {
		if f.constraint, err = semver.NewConstraint(sub.Constraint); err != nil {
			return f, fmt.Errorf("semverConstraint %q is not a semantic version range: %w", sub.Constraint, err)
		}
	}
	return f, nil
}

func tagPatterns(key string, patterns []string) ([]*regexp.Regexp, error) {
	var out []*regexp.Regexp
	for _, pattern := range patterns {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not a regular expression: %w", key, pattern, err)
		}
		out = append(out, re)
	}
	return out, nil
}

// judge returns why a tag is refused, and of one that is not the version that it is, where that matters. Ignoring wins.
func (f tagFilter) judge(tag string) (version *semver.Version, refused string) {
	if plainLine(tag) != tag {
		return nil, "its name is not printable"
	}
	matches := func(re *regexp.Regexp) bool { return re.MatchString(tag) }
	if i := slices.IndexFunc(f.ignore, matches); i >= 0 {
		return nil, fmt.Sprintf("ignored by %q", f.ignore[i])
	}
	if len(f.allow) > 0 && !slices.ContainsFunc(f.allow, matches) {
		return nil, "matches none of allowTagsRegexes"
	}
	if !f.semver {
		return nil, ""
	}
	version, err := semver.NewVersion(tag)
	if err != nil {
		return nil, "not a semantic version"
	}
	if _, err := semver.StrictNewVersion(strings.TrimPrefix(tag, "v")); err != nil && f.strict {
		return nil, "not a whole semantic version (strictSemvers)"
	}
	if f.constraint != nil && !f.constraint.Check(version) {
		return nil, fmt.Sprintf("outside semverConstraint %q", f.text)
	}
	return version, ""
}

// noTag says why no tag was found and what to do.
func (f gitFound) noTag(repoURL string, sub promote.GitSubscription) string {
	switch {
	case f.end == endBound:
		filters := filtersOf(sub)
		return fmt.Sprintf("none of the first %d tags of %s passes %s, and no more are looked at; loosen %s, or narrow allowTagsRegexes or semverConstraint at %s",
			f.looked, repoURL, filters, filters, sub.Position)
	case len(f.names)+len(f.skipped) == 0:
		return fmt.Sprintf("%s has no tags; push one, such as v1.0.0, or take commits of a branch: commitSelectionStrategy: NewestFromBranch", repoURL)
	}
	var examples []string
	for _, skipped := range mostTelling(f) {
		examples = append(examples, fmt.Sprintf("%s: %s", skipped.Name, skipped.Reason))
	}
	return fmt.Sprintf("no tag of %s is selected (%s); correct the subscription at %s, or push a tag that it selects",
		repoURL, strings.Join(examples, "; "), sub.Position)
}

// mostTelling picks a few examples; those that came furthest say most.
func mostTelling(f gitFound) []Skipped {
	all := slices.Concat(f.skipped, f.names)
	return all[:min(3, len(all))]
}
