package imageupdater

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	discoveryLimit = 20
	maxImages      = 100 // of one Application
)

// image is one item of the list of images.
type image struct {
	listed
	paused       bool // every tag is ignored
	subscription promote.ImageSubscription
}

// listed is what an item of the list says.
type listed struct {
	alias      string // empty when it has none
	repo       string
	constraint string
}

var (
	aliasName      = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$`)
	repositoryName = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]+)?/)?` +
		`[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*)*$`)
	platformName = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?$`)
)

// images reads the list and the options of every image. What is wrong becomes findings.
func (a *application) images() []image {
	list := a.list()
	items := strings.Split(list.value, ",")
	if len(items) > maxImages {
		a.fail(list, "invalid-images", fmt.Sprintf("the %s has %d images, more than the %d that are read", imageList, len(items), maxImages),
			"split the Application")
		return nil
	}
	var images []image
	for _, item := range items {
		one, err := parseImage(item)
		if err != nil {
			a.fail(list, "invalid-image", err.Error(), "write [alias=]repository[:constraint], separated by commas")
			continue
		}
		if a.repeats(images, one) {
			continue
		}
		images = append(images, image{one, a.paused(one), a.subscription(one)})
	}
	if len(images) == 0 && !a.broken() {
		a.fail(list, "invalid-images", "the "+imageList+" is empty", "write [alias=]repository[:constraint], or remove the annotation")
	}
	return images
}

// paused reports whether an image is not to be updated for now. Waiting for a tag of it would hold up the others.
func (a *application) paused(one listed) bool {
	ignored, ok := a.option(one.alias, ignoreTags)
	if !ok || !slices.ContainsFunc(strings.Split(ignored.value, ","), func(glob string) bool { return strings.TrimSpace(glob) == "*" }) {
		return false
	}
	a.report(promote.SeverityInfo, ignored.at, "paused", fmt.Sprintf("image %q is not updated: %s holds *", one.repo, ignored.name), "remove it to go on")
	return true
}

// repeats reports an image that cannot be told from one before it.
func (a *application) repeats(images []image, one listed) bool {
	for _, other := range images {
		switch {
		case promote.SameImage(other.repo, one.repo):
			a.fail(a.list(), "duplicate-image", fmt.Sprintf("image %q is listed twice, and a promotion brings one version of it", one.repo),
				"list it once; what needs another version belongs into another Application")
			return true
		case one.alias != "" && annotationName(other.alias, "") == annotationName(one.alias, ""):
			a.fail(a.list(), "duplicate-image", fmt.Sprintf("alias %q is given to two images", one.alias), "give each image an alias of its own")
			return true
		}
	}
	return false
}

// parseImage reads "[alias=]repository[:constraint]".
func parseImage(item string) (listed, error) {
	var one listed
	rest := strings.TrimSpace(item)
	if alias, after, found := strings.Cut(rest, "="); found && aliasName.MatchString(strings.TrimSpace(alias)) {
		one.alias, rest = strings.TrimSpace(alias), strings.TrimSpace(after)
	}
	one.repo = rest
	name := strings.LastIndexByte(rest, '/') + 1
	if repo, constraint, found := strings.Cut(rest[name:], ":"); found {
		one.repo, one.constraint = rest[:name]+repo, strings.TrimSpace(constraint)
		if one.constraint == "" {
			return one, fmt.Errorf("%q has no constraint behind its colon", rest)
		}
	}
	switch {
	case rest == "":
		return one, errors.New("the list has an item that is empty")
	case strings.ContainsRune(rest, '@'):
		return one, fmt.Errorf("%q pins a digest, so there is nothing to update", rest)
	case strings.ContainsAny(rest[:1], "<>=!~^*0123456789") && !repositoryName.MatchString(one.repo):
		return one, fmt.Errorf("%q is not an image; a comma ends an image, so in a constraint there is a space instead", rest)
	case !repositoryName.MatchString(one.repo):
		return one, fmt.Errorf("%q is not an image repository", one.repo)
	}
	return one, nil
}

// subscription reads the options of one image.
func (a *application) subscription(one listed) promote.ImageSubscription {
	sub := promote.ImageSubscription{
		RepoURL: one.repo, Strategy: a.strategy(one), Platform: a.platform(one), DiscoveryLimit: discoveryLimit, Position: a.list().at,
	}
	sub.Constraint = a.constraint(one, sub.Strategy)
	sub.Allow, sub.Ignore = a.allowed(one), a.ignored(one)
	a.credentials(one)
	if force, ok := a.option(one.alias, forceUpdate); ok && force.value != "true" && force.value != "false" {
		a.fail(force, "invalid-value", fmt.Sprintf("%s is %q", force.name, force.value), `write "true" or "false"`)
	}
	return sub
}

var strategies = []struct {
	name     string
	strategy promote.Strategy
}{
	{"semver", promote.SelectSemVer},
	{"newest-build", promote.SelectNewestBuild},
	{"latest", promote.SelectNewestBuild},
	{"alphabetical", promote.SelectLexical},
	{"name", promote.SelectLexical},
	{"digest", promote.SelectDigest},
}

// parseStrategy gives a strategy by Image Updater's name, in any case.
func parseStrategy(text string) (promote.Strategy, bool) {
	for _, s := range strategies {
		if strings.EqualFold(s.name, text) {
			return s.strategy, true
		}
	}
	return "", false
}

func (a *application) strategy(one listed) promote.Strategy {
	written, ok := a.option(one.alias, updateStrategy)
	if !ok {
		return promote.SelectSemVer
	}
	strategy, known := parseStrategy(written.value)
	if !known {
		names := make([]string, len(strategies))
		for i, s := range strategies {
			names[i] = s.name
		}
		a.fail(written, "unknown-strategy", fmt.Sprintf("%s %q is not known", written.name, written.value), orNearest(written.value, names, "strategies"))
		return promote.SelectSemVer
	}
	return strategy
}

// constraint is what the strategy makes of the part behind the colon.
func (a *application) constraint(one listed, strategy promote.Strategy) string {
	switch strategy {
	case promote.SelectSemVer:
		if _, err := semver.NewConstraint(one.constraint); err != nil && one.constraint != "" {
			a.fail(a.list(), "invalid-constraint", fmt.Sprintf("constraint %q of image %q is not a semantic version range: %v", one.constraint, one.repo, err),
				fmt.Sprintf(`write a range such as "~1.26"; to follow one tag, set %s to digest`, updateStrategy))
		}
		return one.constraint
	case promote.SelectDigest:
		if one.constraint == "" {
			a.fail(a.list(), "missing-constraint", fmt.Sprintf("image %q is updated by digest, but names no tag to follow", one.repo),
				fmt.Sprintf("write it behind a colon, as in %s:latest", one.repo))
		}
		return one.constraint
	default:
		if one.constraint != "" {
			a.report(promote.SeverityWarning, a.list().at, "unused-constraint",
				fmt.Sprintf("constraint %q of image %q counts for nothing: its %s is neither semver nor digest", one.constraint, one.repo, updateStrategy),
				fmt.Sprintf("remove it, or narrow the tags with %s", allowTags))
		}
		return ""
	}
}

// platform is the first of those listed: a warehouse looks for one.
func (a *application) platform(one listed) string {
	written, ok := a.option(one.alias, platforms)
	if !ok {
		return ""
	}
	items := strings.Split(written.value, ",")
	first := strings.TrimSpace(items[0])
	for _, item := range items {
		if !platformName.MatchString(strings.TrimSpace(item)) {
			a.fail(written, "invalid-value", fmt.Sprintf("platform %q is not a platform", strings.TrimSpace(item)),
				"write os/arch or os/arch/variant, such as linux/amd64")
			return ""
		}
	}
	if len(items) > 1 {
		a.report(promote.SeverityWarning, written.at, "one-platform",
			fmt.Sprintf("%s lists %d platforms; only tags that have %s are taken", written.name, len(items), first), "name that one alone")
	}
	return first
}

// credentials says that those of a cluster are not used.
func (a *application) credentials(one listed) {
	secret, ok := a.option(one.alias, pullSecret)
	if !ok {
		return
	}
	a.report(promote.SeverityWarning, secret.at, "pull-secret",
		fmt.Sprintf("%s is not read: Lockkeeper does not look into the cluster, and asks the registry of %q with credentials of its own", secret.name, one.repo),
		"give Lockkeeper the registry's credentials, and remove the annotation")
}

// orNearest words what was probably meant, or everything there is.
func orNearest(word string, names []string, what string) string {
	if near := nearest.Of(word, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return what + " are " + strings.Join(names, ", ")
}

// imageOf names the repository of an item of kustomize's list of images, or the name that it replaces: "[name=]repository[:tag]".
func imageOf(item string) string {
	if name, _, renamed := strings.Cut(item, "="); renamed {
		return name
	}
	repo, _, _ := strings.Cut(item, "@")
	slash := strings.LastIndexByte(repo, '/') + 1
	name, _, _ := strings.Cut(repo[slash:], ":")
	return repo[:slash] + name
}

// kustomizeName is the image that kustomize replaces: another one when it is named.
func (a *application) kustomizeName(one image) (name string, renamed bool) {
	written, ok := a.option(one.alias, kustomizeImageName)
	return cmp.Or(written.value, one.repo), ok && written.value != one.repo
}

// uses reports whether an image has an option whose name begins so.
func (a *application) uses(images []image, option string) bool {
	return slices.ContainsFunc(images, func(one image) bool {
		return slices.ContainsFunc(forOne, func(name string) bool {
			_, ok := a.option(one.alias, name)
			return ok && strings.HasPrefix(name, option)
		})
	})
}
