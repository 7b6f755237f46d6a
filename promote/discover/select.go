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
	Tag    string `json:"tag"`
	Reason string `json:"reason"`
	rule   rule
}

// rule is what drops tags, in the order in which the rules are asked.
type rule int

const (
	ruleReferrer rule = iota
	ruleIgnored
	ruleNotAllowed
	ruleNoVersion
	ruleConstraint
	ruleOtherTag // Digest: another tag than the one that is watched
	ruleInvalid  // a pattern, constraint or strategy that cannot be read
	ruleImage    // what the image is, which its tag does not tell
)

// Select returns the tags that a subscription selects, best first, and the others with the reason.
//
//   - SemVer takes semantic versions inside the constraint, the highest first. Versions that are equal are ordered by their
//     text, descending. Without a constraint pre-releases count like any version; with one they count only if it mentions
//     a pre-release.
//   - Lexical takes every tag, the last in byte order first.
//   - NewestBuild takes every tag in the same order; which was built last, tags do not tell.
//   - Digest takes the tag that is its constraint, and knows no patterns.
//
// Ignored patterns are asked before allowed ones, and both before versions. Tags by which signatures and attestations are
// attached to another image are no versions of anything and dropped first. The discovery limit is not applied.
//
// A pattern, constraint or strategy that cannot be read drops every tag.
func Select(sub promote.ImageSubscription, tags []string) (selected []string, dropped []Dropped) {
	s, err := newSelector(sub)
	taken := make([]candidate, 0, len(tags))
	for _, tag := range tags {
		if err != nil {
			dropped = append(dropped, Dropped{tag, err.Error(), ruleInvalid})
			continue
		}
		one, d := s.judge(tag)
		if d.Reason != "" {
			dropped = append(dropped, d)
			continue
		}
		taken = append(taken, one)
	}
	slices.SortFunc(taken, func(a, b candidate) int { return b.compare(a) })
	for _, one := range taken {
		selected = append(selected, one.tag)
	}
	return selected, dropped
}

// candidate is a tag that is selected.
type candidate struct {
	tag     string
	version *semver.Version // SemVer
}

func (c candidate) compare(other candidate) int {
	if c.version != nil && other.version != nil {
		if order := c.version.Compare(other.version); order != 0 {
			return order
		}
	}
	return strings.Compare(c.tag, other.tag)
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
	switch sub.Strategy {
	case promote.SelectSemVer, "":
		if sub.Constraint != "" {
			var err error
			if s.constraint, err = semver.NewConstraint(sub.Constraint); err != nil {
				return s, fmt.Errorf("constraint %q is not a semantic version range: %w", sub.Constraint, err)
			}
		}
	case promote.SelectDigest:
		if !tagPattern.MatchString(sub.Constraint) {
			return s, fmt.Errorf("constraint %q is not a tag; strategy Digest needs the one tag to watch, such as latest", sub.Constraint)
		}
		return s, nil
	case promote.SelectLexical, promote.SelectNewestBuild:
	default:
		return s, fmt.Errorf("strategy %q does not select images; write SemVer, Lexical, Digest or NewestBuild", sub.Strategy)
	}
	var err error
	if s.allow, err = compile(sub.Allow); err != nil {
		return s, err
	}
	s.ignore, err = compile(sub.Ignore)
	return s, err
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

// referrerPattern is how tools name what they attach to an image: cosign's .sig, .att and .sbom, and OCI's fallback for
// registries without a list of referrers.
var referrerPattern = regexp.MustCompile(`^sha(256-[0-9a-f]{64}|512-[0-9a-f]{128})(\.\w+)?$`)

// judge returns the tag as a candidate, or why it is dropped.
func (s selector) judge(tag string) (candidate, Dropped) {
	if s.sub.Strategy == promote.SelectDigest {
		if tag != s.sub.Constraint {
			return candidate{}, Dropped{tag, fmt.Sprintf("is not the watched tag %q", s.sub.Constraint), ruleOtherTag}
		}
		return candidate{tag: tag}, Dropped{}
	}
	if d := s.filter(tag); d.Reason != "" || s.sub.Strategy == promote.SelectLexical || s.sub.Strategy == promote.SelectNewestBuild {
		return candidate{tag: tag}, d
	}
	version, err := semver.NewVersion(tag)
	if err != nil {
		return candidate{}, Dropped{tag, "not a semantic version", ruleNoVersion}
	}
	if s.sub.StrictSemvers {
		if _, err := semver.StrictNewVersion(strings.TrimPrefix(tag, "v")); err != nil {
			return candidate{}, Dropped{tag, "not a whole semantic version (strictSemvers)", ruleNoVersion}
		}
	}
	if s.constraint != nil && !s.constraint.Check(version) {
		return candidate{}, Dropped{tag, fmt.Sprintf("outside constraint %q", s.sub.Constraint), ruleConstraint}
	}
	return candidate{tag, version}, Dropped{}
}

// filter drops tags by their text alone.
func (s selector) filter(tag string) Dropped {
	matches := func(re *regexp.Regexp) bool { return re.MatchString(tag) }
	if referrerPattern.MatchString(tag) {
		return Dropped{tag, "is attached to another image (a signature, an attestation or the like)", ruleReferrer}
	}
	if i := slices.IndexFunc(s.ignore, matches); i >= 0 {
		return Dropped{tag, fmt.Sprintf("ignored by %q", s.ignore[i]), ruleIgnored}
	}
	if len(s.allow) > 0 && !slices.ContainsFunc(s.allow, matches) {
		return Dropped{tag, "matches none of the allowed patterns", ruleNotAllowed}
	}
	return Dropped{}
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
	case ruleReferrer:
		return fmt.Sprintf("every tag of %s is attached to another image (found: %s); push an image with a tag of its own", sub.RepoURL, found)
	case ruleIgnored, ruleNotAllowed, ruleOtherTag, ruleImage:
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
