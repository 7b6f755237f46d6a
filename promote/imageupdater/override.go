package imageupdater

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// place is a file that holds the parameters of an Application's source.
type place struct {
	target
	prefix    string // of keys
	helm      *helmBlock
	kustomize *kustomizeBlock
}

// write makes the step that writes the versions to their target; ok is false when that cannot be done.
func (l *loader) write(a *application, images []image, where target) (step promote.Step, ok bool) {
	switch where.kind {
	case toKustomization:
		return a.setImage(images, where.path), true
	case toValues:
		updates, complete := a.valuesUpdates(images)
		return a.yamlUpdate(where.path, updates), complete
	case toSource:
		have := l.overrides(where.path)
		return l.override(a, images, place{target: where, helm: &have.Helm, kustomize: &have.Kustomize})
	case toManifest:
		return l.override(a, images, place{target: where, prefix: a.sourceKey + ".", helm: a.source.Helm, kustomize: a.source.Kustomize})
	}
	return promote.Step{}, false
}

// override makes the step that changes parameters of the Application's source.
func (l *loader) override(a *application, images []image, where place) (promote.Step, bool) {
	var updates []update
	var missing []string
	switch l.tool(a, images) {
	case helm:
		updates, missing = a.helmUpdates(images, where)
	case kustomize:
		updates, missing = a.kustomizeUpdates(images, where)
		if len(updates) == 0 {
			return a.instead(images, where)
		}
	case unknownTool:
		a.fail(a.list(), "unknown-tool", fmt.Sprintf("nothing tells whether Application %q uses Helm or Kustomize, so where its versions are written is not known", a.name),
			"say so with "+writeBackTarget)
		return promote.Step{}, false
	}
	switch {
	case len(missing) > 0:
		a.missing(where, missing)
		return promote.Step{}, false
	case where.kind == toManifest && l.applications[where.path] > 1:
		a.fail(a.list(), "shared-file", fmt.Sprintf("%s holds several Applications, so which one a change is about cannot be said to yaml-update", where.path),
			"move this one into a file of its own")
		return promote.Step{}, false
	}
	return a.yamlUpdate(where.path, updates), !a.broken()
}

// helmUpdates finds each parameter in the list of parameters, or in the values beside it.
func (a *application) helmUpdates(images []image, where place) (updates []update, missing []string) {
	have := where.helm
	if have == nil {
		have = &helmBlock{}
	}
	for _, one := range images {
		for _, write := range a.helmWrites(one) {
			i := slices.IndexFunc(have.Parameters, func(p parameter) bool { return p.Name == write.parameter })
			if i >= 0 {
				updates = append(updates, update{fmt.Sprintf("%shelm.parameters.%d.value", where.prefix, i), write.value})
				continue
			}
			key, ok := a.helmKey(write)
			switch {
			case !ok:
			case key.in(&have.ValuesObject):
				updates = append(updates, update{where.prefix + "helm.valuesObject." + key.key(), write.value})
			case !write.optional:
				missing = append(missing, write.parameter)
			}
		}
	}
	return updates, missing
}

// kustomizeUpdates finds each image in the list of images.
func (a *application) kustomizeUpdates(images []image, where place) (updates []update, missing []string) {
	have := where.kustomize
	if have == nil {
		have = &kustomizeBlock{}
	}
	for _, one := range images {
		name, renamed := a.kustomizeName(one)
		i := slices.IndexFunc(have.Images, func(item string) bool { return promote.SameImage(imageOf(item), name) })
		if i < 0 {
			missing = append(missing, name)
			continue
		}
		value := one.reference()
		if renamed || strings.Contains(have.Images[i], "=") {
			value = name + "=" + value
		}
		updates = append(updates, update{fmt.Sprintf("%skustomize.images.%d", where.prefix, i), value})
	}
	return updates, missing
}

// instead changes the kustomization of an Application that has no images to change where Image Updater would add them.
func (a *application) instead(images []image, where place) (promote.Step, bool) {
	folder, inside := within(a.source.Path)
	if !inside {
		a.report(promote.SeverityError, a.at, "invalid-value", fmt.Sprintf("path %q of Application %q leaves the repository", a.source.Path, a.name), "correct spec.source.path")
		return promote.Step{}, false
	}
	a.report(promote.SeverityInfo, a.list().at, "kustomization-instead",
		fmt.Sprintf("%s has no kustomize.images to change; the kustomization in %q is changed instead", where.path, folder),
		"say so with "+writeBackTarget+": kustomization")
	return a.setImage(images, folder), true
}

// missing says what must stand in a file before a version can be changed there.
func (a *application) missing(where place, names []string) {
	list, remedy := "helm.parameters", fmt.Sprintf("add {name: %s, value: …} and the like to %s, or name a file of values, as in %s: helmvalues:values.yaml",
		names[0], where.path, writeBackTarget)
	if where.kustomize != nil && len(where.kustomize.Images) > 0 {
		list, remedy = "kustomize.images", fmt.Sprintf("add each to %s, or write %s: kustomization", where.path, writeBackTarget)
	}
	a.fail(a.list(), "missing-parameter",
		fmt.Sprintf("%s has no %s%s for %s, so there is nothing to change", where.path, where.prefix, list, strings.Join(names, ", ")), remedy)
}
