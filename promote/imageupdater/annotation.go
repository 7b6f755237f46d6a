package imageupdater

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// prefix begins the names of all annotations of Image Updater.
const prefix = "argocd-image-updater.argoproj.io/"

// Annotations of the Application.
const (
	imageList       = "image-list"
	writeBackMethod = "write-back-method"
	writeBackTarget = "write-back-target"
	gitBranch       = "git-branch"
	gitRepository   = "git-repository"
)

// Options of one image, written <alias>.<option>.
const (
	updateStrategy     = "update-strategy"
	allowTags          = "allow-tags"
	tagMatch           = "tag-match"
	ignoreTags         = "ignore-tags"
	forceUpdate        = "force-update"
	pullSecret         = "pull-secret"
	platforms          = "platforms"
	helmImageName      = "helm.image-name"
	helmImageTag       = "helm.image-tag"
	helmImageSpec      = "helm.image-spec"
	kustomizeImageName = "kustomize.image-name"
)

var (
	// forAll lists the annotations of the Application, among them the options that may be given once for all images.
	forAll = []string{
		imageList, writeBackMethod, writeBackTarget, gitBranch, gitRepository,
		updateStrategy, allowTags, ignoreTags, forceUpdate, pullSecret,
	}
	forOne = []string{
		updateStrategy, allowTags, tagMatch, ignoreTags, forceUpdate, pullSecret, platforms,
		helmImageName, helmImageTag, helmImageSpec, kustomizeImageName,
	}
)

// annotation is one annotation of Image Updater.
type annotation struct {
	name  string // without the prefix
	value string
	keyAt promote.Position
	at    promote.Position // of the value
}

// list is the annotation that every Application here has.
func (a *application) list() annotation { return a.annotations[imageList] }

// option finds an option of an image: its own, else the one for all images where there is such a thing.
func (a *application) option(alias, option string) (annotation, bool) {
	if alias != "" {
		if own, ok := a.annotations[annotationName(alias, option)]; ok {
			return own, true
		}
	}
	if !slices.Contains(forAll, option) {
		return annotation{}, false
	}
	all, ok := a.annotations[option]
	return all, ok
}

// annotationName is how an option of an alias is written. Kubernetes takes no further slash in the name of an annotation.
func annotationName(alias, option string) string {
	return strings.ReplaceAll(alias, "/", "_") + "." + option
}

// filters reports whether an annotation holds patterns, which never become part of a step.
func filters(name string) bool {
	for _, option := range []string{allowTags, tagMatch, ignoreTags} {
		if name == option || strings.HasSuffix(name, "."+option) {
			return true
		}
	}
	return false
}

// checkUnknown reports annotations that mean nothing, or nothing for an image of the list: one that was meant as a filter
// would let too much through.
func (a *application) checkUnknown(images []image) {
	aliases := make([]string, 0, len(images))
	for _, one := range images {
		if one.alias != "" {
			aliases = append(aliases, strings.ReplaceAll(one.alias, "/", "_"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.annotations)) {
		if slices.Contains(forAll, name) {
			continue
		}
		one := a.annotations[name]
		alias, option, known := splitOption(name)
		switch {
		case !known:
			a.report(promote.SeverityError, one.keyAt, "unknown-annotation", fmt.Sprintf("annotation %s%s is not known", prefix, name), a.nearOption(name))
		case !slices.Contains(aliases, alias):
			a.unknownAlias(one, alias, option, aliases)
		}
	}
}

// splitOption cuts "<alias>.<option>". Aliases may hold dots.
func splitOption(name string) (alias, option string, known bool) {
	for _, option := range forOne {
		if alias, ok := strings.CutSuffix(name, "."+option); ok && alias != "" {
			return alias, option, true
		}
	}
	return "", "", false
}

func (a *application) nearOption(name string) string {
	alias, option, dotted := strings.Cut(name, ".")
	if !dotted {
		if near := nearest.Of(name, append(slices.Clone(forAll), forOne...)); near != "" {
			if !slices.Contains(forAll, near) {
				return fmt.Sprintf("write <alias>.%s, with an alias of the %s", near, imageList)
			}
			return fmt.Sprintf("did you mean %s?", near)
		}
		return "annotations of the Application are " + strings.Join(forAll, ", ")
	}
	if near := nearest.Of(option, forOne); near != "" {
		return fmt.Sprintf("did you mean %s.%s?", alias, near)
	}
	return "options of an image are " + strings.Join(forOne, ", ")
}

// unknownAlias is an error when the alias is probably mistyped, and else what is left over of an image that is gone.
func (a *application) unknownAlias(one annotation, alias, option string, aliases []string) {
	message := fmt.Sprintf("annotation %s is about alias %q, which the %s does not have", one.name, alias, imageList)
	if near := nearest.Of(alias, aliases); near != "" {
		a.report(promote.SeverityError, one.keyAt, "unknown-alias", message, fmt.Sprintf("did you mean %s.%s?", near, option))
		return
	}
	a.report(promote.SeverityWarning, one.keyAt, "unknown-alias", message, fmt.Sprintf("remove it, or write %s=<repository> in the %s", alias, imageList))
}
