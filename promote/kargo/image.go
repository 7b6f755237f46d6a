package kargo

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

var (
	imageURLPattern = regexp.MustCompile(`^(\w+([.-]\w+)*(:\d+)?/)?(\w+([.-]\w+)*)(/\w+([.-]\w+)*)*$`)
	platformPattern = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?$`)
	tagPattern      = regexp.MustCompile(`^\w[\w.-]{0,127}$`)
)

func (r subscriptionReader) image(path string, s imageSubscription) promote.ImageSubscription {
	out := promote.ImageSubscription{
		RepoURL: s.RepoURL, Constraint: s.Constraint, StrictSemvers: s.StrictSemvers == nil || *s.StrictSemvers, Platform: s.Platform,
		CacheByTag: s.CacheByTag, SkipTLSVerify: s.InsecureSkipTLSVerify, Position: r.o.at(path),
		DiscoveryLimit: r.discoveryLimit(path, s.DiscoveryLimit),
		Strategy: r.strategy(path+".imageSelectionStrategy", s.ImageSelectionStrategy,
			promote.SelectSemVer, promote.SelectLexical, promote.SelectDigest, promote.SelectNewestBuild),
	}
	r.imageURL(path, s.RepoURL)
	if s.Platform != "" && !platformPattern.MatchString(s.Platform) {
		r.fail(r.o, path+".platform", "invalid-value", fmt.Sprintf("platform %q is not a platform", s.Platform),
			"write os/arch or os/arch/variant, such as linux/amd64")
	}
	r.oldImageKeys(path, s, &out)
	out.Allow, out.Ignore = r.tagPatterns(path, s.tagSelection)
	constraint := path + ".constraint"
	if s.Constraint == "" {
		constraint = path + ".semverConstraint"
	}
	when := "with imageSelectionStrategy " + string(out.Strategy)
	switch out.Strategy {
	case promote.SelectDigest:
		r.tag(path, constraint, out.Constraint)
		r.unused(r.o, path+".cacheByTag", s.CacheByTag, when+": the tag may move at any time")
		r.unusedTagKeys(path, s.tagSelection, when+": the tag that is looked at is the constraint")
	case promote.SelectLexical, promote.SelectNewestBuild:
		r.unused(r.o, constraint, out.Constraint != "", when)
		r.unused(r.o, path+".strictSemvers", s.StrictSemvers != nil, when)
		out.Constraint = ""
	default:
		r.constraint(constraint, out.Constraint)
	}
	return out
}

// tag checks the constraint of a subscription that follows one tag.
func (r subscriptionReader) tag(path, constraint, tag string) {
	switch {
	case tag == "":
		r.fail(r.o, path, "missing-key", "imageSelectionStrategy Digest needs a constraint: the tag to look at", "add constraint: <tag>, such as latest")
	case !tagPattern.MatchString(tag):
		r.fail(r.o, constraint, "invalid-constraint", fmt.Sprintf("constraint %q is not a tag, which imageSelectionStrategy Digest looks at", bounded(tag)),
			"write the tag alone, such as latest")
	}
}

func (r subscriptionReader) imageURL(path, url string) {
	if url == "" {
		r.fail(r.o, path, "missing-key", "the image subscription has no repoURL", "add repoURL: <registry>/<repository>")
		return
	}
	if imageURLPattern.MatchString(url) || r.password(path+".repoURL", url, registryLogin) {
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
	r.fail(r.o, path+".repoURL", "invalid-repo-url", fmt.Sprintf("repoURL %q is not an image repository", promote.WithoutUser(url)), remedy)
}

// oldImageKeys accepts what older versions of Kargo called things.
func (r subscriptionReader) oldImageKeys(path string, s imageSubscription, out *promote.ImageSubscription) {
	if s.SemverConstraint != "" {
		r.warn(r.o, path+".semverConstraint", "deprecated-key", "semverConstraint of an image is read by Kargo up to 1.8 only", "rename it to constraint")
		if s.Constraint == "" {
			out.Constraint = s.SemverConstraint
		} else if s.Constraint != s.SemverConstraint {
			r.fail(r.o, path+".semverConstraint", "conflicting-keys",
				fmt.Sprintf("semverConstraint %q and constraint %q differ", s.SemverConstraint, s.Constraint), "remove semverConstraint")
		}
	}
	if s.GitRepoURL != "" {
		r.warn(r.o, path+".gitRepoURL", "deprecated-key", "gitRepoURL has no effect", "remove it")
	}
}
