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

// Annotation is one annotation that is read. Options of images may be written for one image, for all of them, or both.
type Annotation struct {
	Name    string // without the prefix, and without the alias
	All     bool   // it may be written as it is, for the Application and all of its images
	One     bool   // it may be written <alias>.<name>, for one image
	Becomes string // what is made of it, in Markdown
}

// Annotations lists everything that is read, in the order in which people are told.
func Annotations() []Annotation {
	return []Annotation{
		{imageList, true, false, "`[alias=]repository[:constraint]`, separated by commas: one subscription of the Application's warehouse each"},
		{writeBackMethod, true, false, "`git`: what follows a colon names credentials and is not used. `argocd`, and none: a file in Git is changed all the same"},
		{writeBackTarget, true, false, "where versions are written: `kustomization[:folder]`, `helmvalues[:file]` or `application`"},
		{gitBranch, true, false, "the branch to merge into; the one behind a colon is not used, because a proposal has a branch of its own"},
		{gitRepository, true, false, "the repository to write to; without it that of the Application's source"},
		{updateStrategy, true, true, "`semver`: SemVer; `latest` and `newest-build`: NewestBuild; `name` and `alphabetical`: Lexical; `digest`: Digest"},
		{allowTags, true, true, "`regexp:<expression>`: only tags that match; `any`: no filter"},
		{tagMatch, false, true, "the old name of `allow-tags`"},
		{ignoreTags, true, true, "globs of tags that are passed over; `*` pauses the image"},
		{forceUpdate, true, true, "nothing: an update never depends on what runs"},
		{pullSecret, true, true, "nothing, with a warning: the registry is asked with Lockkeeper's own credentials"},
		{platforms, false, true, "the first of them: only tags that have it are taken"},
		{helmImageName, false, true, "the key of the values, or the parameter, that is set to the repository"},
		{helmImageTag, false, true, "the key or parameter that is set to the tag"},
		{helmImageSpec, false, true, "the key or parameter that is set to repository:tag; name and tag are not read then"},
		{kustomizeImageName, false, true, "the image that `kustomize-set-image` replaces"},
	}
}

var (
	// forAll lists the annotations of the Application, among them the options that may be given once for all images.
	forAll = names(func(one Annotation) bool { return one.All })
	forOne = names(func(one Annotation) bool { return one.One })
)

func names(wanted func(Annotation) bool) []string {
	var out []string
	for _, one := range Annotations() {
		if wanted(one) {
			out = append(out, one.Name)
		}
	}
	return out
}

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

// checkUnlisted warns of annotations of an Application that has no list of images: nothing comes of them, and the list may
// be what is mistyped.
func (a *application) checkUnlisted() {
	names := slices.Sorted(maps.Keys(a.annotations))
	mistyped := false
	for _, name := range names {
		if _, _, known := splitOption(name); known || slices.Contains(forAll, name) {
			continue
		}
		mistyped = mistyped || nearest.Of(name, []string{imageList}) != ""
		a.report(promote.SeverityWarning, a.annotations[name].keyAt, "unknown-annotation",
			fmt.Sprintf("annotation %s%s is not known", prefix, name), a.nearOption(name))
	}
	if len(names) > 0 && !mistyped {
		a.report(promote.SeverityWarning, a.annotations[names[0]].keyAt, "no-image-list",
			fmt.Sprintf("Application %q has annotations of Image Updater and no %s, so nothing of it is updated", a.name, imageList),
			fmt.Sprintf("write %s%s: [alias=]repository[:constraint], or remove them", prefix, imageList))
	}
	a.unnamed()
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
