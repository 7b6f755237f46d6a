package discover

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/lockkeeper/lockkeeper/promote"
)

// Dropped is a tag that was not selected, and why.
type Dropped struct {
	Tag    string
	Reason string
	rule   rule
}

// rule is what drops tags, in the order in which the rules are asked.
type rule int

const (
	ruleIgnored rule = iota
	ruleNotAllowed
	ruleNoVersion
	ruleConstraint
	ruleInvalid // a pattern or constraint that cannot be read
)

// Select returns the tags that a subscription selects, newest version first, and the others with the reason. Ignored
// patterns are asked first, then allowed ones, then whether the tag is a semantic version, then the constraint. Versions
// that are equal are ordered by their text, descending. Without a constraint pre-releases count like any version; with one
// they count only if it mentions a pre-release. The discovery limit is not applied.
//
// A pattern or constraint that cannot be read drops every tag.
func Select(sub promote.ImageSubscription, tags []string) (selected []string, dropped []Dropped) {
	s, err := newSelector(sub)
	versions := make([]*semver.Version, 0, len(tags))
	for _, tag := range tags {
		if err != nil {
			dropped = append(dropped, Dropped{tag, err.Error(), ruleInvalid})
			continue
		}
		version, d := s.judge(tag)
		if version == nil {
			dropped = append(dropped, d)
			continue
		}
		versions = append(versions, version)
	}
	slices.SortFunc(versions, func(a, b *semver.Version) int {
		return cmp.Or(b.Compare(a), strings.Compare(b.Original(), a.Original()))
	})
	for _, version := range versions {
		selected = append(selected, version.Original())
	}
	return selected, dropped
}

// selector holds a subscription's patterns and constraint ready to use.
type selector struct {
	sub        promote.ImageSubscription
	allow      []*regexp.Regexp
	ignore     []*regexp.Regexp
	constraint *semver.Constraints // nil takes everything
}

func newSelector(sub promote.ImageSubscription) (selector, error) {
	s := selector{sub: sub}
	var err error
	if s.allow, err = compile(sub.Allow); err != nil {
		return s, err
	}
	if s.ignore, err = compile(sub.Ignore); err != nil {
		return s, err
	}
	if sub.Constraint != "" {
		if s.constraint, err = semver.NewConstraint(sub.Constraint); err != nil {
			return s, fmt.Errorf("constraint %q is not a semantic version range: %w", sub.Constraint, err)
		}
	}
	return s, nil
}

func compile(patterns []string) ([]*regexp.Regexp, error) {
	var out []*regexp.Regexp
	for _, pattern := range patterns {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, fmt.Errorf("%q is not a regular expression: %w", pattern, err)
		}
		out = append(out, re)
	}
	return out, nil
}

// judge returns the tag's version, or nil and why the tag is dropped.
func (s selector) judge(tag string) (*semver.Version, Dropped) {
	matches := func(re *regexp.Regexp) bool { return re.MatchString(tag) }
	if i := slices.IndexFunc(s.ignore, matches); i >= 0 {
		return nil, Dropped{tag, fmt.Sprintf("ignored by %q", s.ignore[i]), ruleIgnored}
	}
	if len(s.allow) > 0 && !slices.ContainsFunc(s.allow, matches) {
		return nil, Dropped{tag, "matches none of the allowed patterns", ruleNotAllowed}
	}
	version, err := semver.NewVersion(tag)
	if err != nil {
		return nil, Dropped{tag, "not a semantic version", ruleNoVersion}
	}
	if s.sub.StrictSemvers {
		if _, err := semver.StrictNewVersion(strings.TrimPrefix(tag, "v")); err != nil {
			return nil, Dropped{tag, "not a whole semantic version (strictSemvers)", ruleNoVersion}
		}
	}
	if s.constraint != nil && !s.constraint.Check(version) {
		return nil, Dropped{tag, fmt.Sprintf("outside constraint %q", s.sub.Constraint), ruleConstraint}
	}
	return version, Dropped{}
}

// explainNone says why a subscription selected nothing of the tags of a repository.
func explainNone(sub promote.ImageSubscription, dropped []Dropped) string {
	if len(dropped) == 0 {
		return fmt.Sprintf("%s has no tags; push an image, such as %s:1.0.0", sub.RepoURL, sub.RepoURL)
	}
	last := slices.MaxFunc(dropped, func(a, b Dropped) int { return cmp.Compare(a.rule, b.rule) })
	var tags []string
	for _, d := range dropped {
		if d.rule == last.rule {
			tags = append(tags, d.Tag)
		}
	}
	found := sample(tags)
	switch last.rule {
	case ruleInvalid:
		return fmt.Sprintf("%s: %s; correct it at %s", sub.RepoURL, last.Reason, sub.Position)
	case ruleConstraint:
		return fmt.Sprintf("no version of %s is inside constraint %q (found: %s); widen the constraint at %s or push a version inside it",
			sub.RepoURL, sub.Constraint, found, sub.Position)
	case ruleNoVersion:
		text := fmt.Sprintf("no tag of %s is a semantic version (found: %s); SemVer selection needs tags like 1.2.3", sub.RepoURL, found)
		if sub.StrictSemvers && loose(tags) {
			text += "; push such a tag, or set strictSemvers: false to take tags like 1.2"
		} else {
			text += "; push such a tag"
		}
		return text
	case ruleIgnored, ruleNotAllowed:
	}
	return fmt.Sprintf("every tag of %s is filtered out by allowTagsRegexes and ignoreTagsRegexes (found: %s); correct the patterns at %s",
		sub.RepoURL, found, sub.Position)
}

// loose reports whether a tag is a version when strictness is given up.
func loose(tags []string) bool {
	return slices.ContainsFunc(tags, func(tag string) bool {
		_, err := semver.NewVersion(tag)
		return err == nil
	})
}

// sample names a few tags.
func sample(tags []string) string {
	const most = 5
	if len(tags) <= most {
		return strings.Join(tags, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(tags[:most], ", "), len(tags)-most)
}
