package kargo

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	defaultInterval       = 5 * time.Minute
	defaultDiscoveryLimit = 20
	maxDiscoveryLimit     = 100
)

var (
	intervalPattern = regexp.MustCompile(`^([0-9]+(\.[0-9]+)?(s|m|h))+$`)
	repoURLPattern  = regexp.MustCompile(`^(\w+([.-]\w+)*(:\d+)?/)?(\w+([.-]\w+)*)(/\w+([.-]\w+)*)*$`)
	platformPattern = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?$`)
)

// present reports whether a key that is decoded as a node was written with a value.
func present(n yaml.Node) bool { return n.Kind != 0 && n.Tag != "!!null" }

func (l *loader) warehouse(o object, m warehouseManifest) promote.Warehouse {
	spec := m.Spec
	w := promote.Warehouse{Name: o.name, Interval: defaultInterval, Position: o.position()}
	if spec.Interval != "" {
		w.Interval = l.interval(o, spec.Interval)
	}
	switch spec.FreightCreationPolicy {
	case "", "Automatic":
	case "Manual":
		w.Manual = true
	default:
		l.fail(o, "spec.freightCreationPolicy", "invalid-value",
			fmt.Sprintf("freightCreationPolicy %q is not known", spec.FreightCreationPolicy), "write Automatic or Manual")
	}
	if present(spec.FreightCreationCriteria) {
		l.fail(o, "spec.freightCreationCriteria", "unsupported",
			"freightCreationCriteria is not supported yet: freight would be made that it is meant to prevent", "remove it")
	}
	if len(spec.Subscriptions) == 0 {
		l.fail(o, "spec.subscriptions", "missing-key", fmt.Sprintf("Warehouse %q subscribes to nothing", o.name),
			"add subscriptions with an image and its repoURL")
	}
	for i, one := range spec.Subscriptions {
		path := fmt.Sprintf("spec.subscriptions[%d]", i)
		image, ok := l.subscription(o, path, one)
		if !ok {
			continue
		}
		for _, other := range w.Images {
			if promote.SameImage(other.RepoURL, image.RepoURL) {
				l.fail(o, path, "duplicate-subscription",
					fmt.Sprintf("image %q is subscribed twice, first at %s", image.RepoURL, other.Position), "remove one of them")
			}
		}
		w.Images = append(w.Images, image)
	}
	return w
}

func (l *loader) interval(o object, text string) time.Duration {
	parsed, err := time.ParseDuration(text)
	switch {
	case err != nil || !intervalPattern.MatchString(text):
		l.fail(o, "spec.interval", "invalid-interval", fmt.Sprintf("interval %q is not a duration", text), `write hours, minutes and seconds, such as "5m0s"`)
		return defaultInterval
	case parsed == 0:
		l.warn(o, "spec.interval", "invalid-interval", "interval 0s would ask the registry without pause; 5m0s is used", "write a longer interval")
		return defaultInterval
	}
	return parsed
}

func (l *loader) subscription(o object, path string, s subscription) (promote.ImageSubscription, bool) {
	types := 0
	for _, written := range []bool{s.Image != nil, present(s.Git), present(s.Chart)} {
		if written {
			types++
		}
	}
	const now = `supported is "image" with imageSelectionStrategy SemVer`
	switch {
	case types == 0:
		l.fail(o, path, "invalid-subscription", "the subscription names nothing to subscribe to", now)
	case types > 1:
		l.fail(o, path, "invalid-subscription", "the subscription names more than one of image, git and chart", "make each its own item of the list")
	case present(s.Git):
		l.fail(o, path+".git", "unsupported", "git subscriptions are not supported yet", now)
	case present(s.Chart):
		l.fail(o, path+".chart", "unsupported", "chart subscriptions are not supported yet", now)
	}
	if s.Image == nil {
		return promote.ImageSubscription{}, false
	}
	return l.image(o, path+".image", *s.Image), true
}

func (l *loader) image(o object, path string, s imageSubscription) promote.ImageSubscription {
	out := promote.ImageSubscription{
		RepoURL: s.RepoURL, Constraint: s.Constraint, StrictSemvers: s.StrictSemvers == nil || *s.StrictSemvers,
		Allow: s.AllowTagsRegexes, Ignore: s.IgnoreTagsRegexes, Platform: s.Platform,
		DiscoveryLimit: defaultDiscoveryLimit, SkipTLSVerify: s.InsecureSkipTLSVerify, Position: o.at(path),
	}
	l.repoURL(o, path, s.RepoURL)
	if strategy := s.ImageSelectionStrategy; strategy != "" && strategy != "SemVer" {
		l.fail(o, path+".imageSelectionStrategy", "unsupported",
			fmt.Sprintf("imageSelectionStrategy %q is not supported yet", strategy), "supported is SemVer")
	}
	if s.DiscoveryLimit != nil {
		out.DiscoveryLimit = min(max(*s.DiscoveryLimit, 1), maxDiscoveryLimit)
		if out.DiscoveryLimit != *s.DiscoveryLimit {
			l.fail(o, path+".discoveryLimit", "invalid-value",
				fmt.Sprintf("discoveryLimit %d is outside 1 to %d", *s.DiscoveryLimit, maxDiscoveryLimit), "write a number from 1 to 100; 20 is the default")
		}
	}
	if s.Platform != "" && !platformPattern.MatchString(s.Platform) {
		l.fail(o, path+".platform", "invalid-value", fmt.Sprintf("platform %q is not a platform", s.Platform),
			"write os/arch or os/arch/variant, such as linux/amd64")
	}
	l.oldImageKeys(o, path, s, &out)
	if _, err := semver.NewConstraint(out.Constraint); err != nil && out.Constraint != "" {
		l.fail(o, path+"."+constraintKey(s), "invalid-constraint", fmt.Sprintf("constraint %q is not a semantic version range: %v", out.Constraint, err),
			`write a range such as "^1.26.0" or ">=1.0.0 <2.0.0"`)
	}
	l.patterns(o, path+".allowTagsRegexes", s.AllowTagsRegexes)
	l.patterns(o, path+".ignoreTagsRegexes", s.IgnoreTagsRegexes)
	return out
}

func constraintKey(s imageSubscription) string {
	if s.Constraint == "" {
		return "semverConstraint"
	}
	return "constraint"
}

func (l *loader) repoURL(o object, path, url string) {
	if url == "" {
		l.fail(o, path, "missing-key", "the image subscription has no repoURL", "add repoURL: <registry>/<repository>")
		return
	}
	if repoURLPattern.MatchString(url) {
		return
	}
	remedy := "write <registry>/<repository>, such as docker.io/library/nginx"
	repository, _, tagged := strings.Cut(url[strings.LastIndex(url, "/")+1:], ":")
	switch {
	case strings.Contains(url, "://"):
		remedy = "leave out " + url[:strings.Index(url, "://")+3]
	case tagged && repository != "":
		remedy = "leave out the tag: tags are what the warehouse looks for"
	}
	l.fail(o, path+".repoURL", "invalid-repo-url", fmt.Sprintf("repoURL %q is not an image repository", url), remedy)
}

// oldImageKeys accepts what older versions of Kargo called things.
func (l *loader) oldImageKeys(o object, path string, s imageSubscription, out *promote.ImageSubscription) {
	if s.SemverConstraint != "" {
		l.warn(o, path+".semverConstraint", "deprecated-key", "semverConstraint of an image is read by Kargo up to 1.8 only", "rename it to constraint")
		if s.Constraint == "" {
			out.Constraint = s.SemverConstraint
		} else if s.Constraint != s.SemverConstraint {
			l.fail(o, path+".semverConstraint", "conflicting-keys",
				fmt.Sprintf("semverConstraint %q and constraint %q differ", s.SemverConstraint, s.Constraint), "remove semverConstraint")
		}
	}
	if s.AllowTags != "" {
		l.warn(o, path+".allowTags", "deprecated-key", "allowTags makes Kargo 1.11 and later stop discovering", "move the expression to the list allowTagsRegexes")
		l.patterns(o, path+".allowTags", []string{s.AllowTags})
		out.Allow = append(slices.Clip(out.Allow), s.AllowTags)
	}
	if len(s.IgnoreTags) > 0 {
		l.warn(o, path+".ignoreTags", "deprecated-key", "ignoreTags makes Kargo 1.11 and later stop discovering", `move each tag to ignoreTagsRegexes as "^tag$"`)
		for _, tag := range s.IgnoreTags {
			out.Ignore = append(slices.Clip(out.Ignore), "^"+regexp.QuoteMeta(tag)+"$")
		}
	}
	if s.GitRepoURL != "" {
		l.warn(o, path+".gitRepoURL", "deprecated-key", "gitRepoURL has no effect", "remove it")
	}
}

func (l *loader) patterns(o object, path string, patterns []string) {
	for i, pattern := range patterns {
		if _, err := regexp.Compile(pattern); err != nil {
			l.fail(o, fmt.Sprintf("%s[%d]", path, i), "invalid-regex", fmt.Sprintf("%q is not a regular expression: %v", pattern, err), "correct it (Go's RE2 syntax)")
		}
	}
}
