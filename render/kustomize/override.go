package kustomize

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// Override changes a kustomization as the commands of "kustomize edit" do, in the order in which Argo CD gives them
// (util/kustomize). Zero fields change nothing.
type Override struct {
	NamePrefix, NameSuffix, Namespace string

	Images      []string // [name=]newName[:tag|@digest]; a star keeps what the kustomization has
	Replicas    []types.Replica
	Labels      map[string]string
	Annotations map[string]string
	Patches     []types.Patch
	Components  []string // relative to the kustomization

	ForceLabels, ForceAnnotations bool // replace those that are there; otherwise they are an error
	WithoutSelector               bool // keep labels out of selectors
	IncludeTemplates              bool // WithoutSelector, but put them into the templates of Pods
	IgnoreMissingComponents       bool
}

func (o *Override) apply(f *files, k *types.Kustomization) error {
	set := func(target *string, value string) {
		if value != "" {
			*target = value
		}
	}
	set(&k.NamePrefix, o.NamePrefix)
	set(&k.NameSuffix, o.NameSuffix)
	if err := o.images(k); err != nil {
		return err
	}
	for _, replica := range o.Replicas {
		k.Replicas = append(slices.DeleteFunc(k.Replicas, func(r types.Replica) bool { return r.Name == replica.Name }), replica)
	}
	if err := o.labels(k); err != nil {
		return err
	}
	if err := added("commonAnnotations", &k.CommonAnnotations, o.Annotations, o.ForceAnnotations); err != nil {
		return err
	}
	set(&k.Namespace, o.Namespace)
	k.Patches = append(k.Patches, o.Patches...)
	for _, component := range o.Components {
		if o.IgnoreMissingComponents && !isRepository(component) && !f.Exists(path.Join("/", f.root, component)) {
			continue
		}
		if !slices.Contains(k.Components, component) {
			k.Components = append(k.Components, component)
		}
	}
	return nil
}

// labels adds labels to the common ones, or as a list of their own when selectors are left alone.
func (o *Override) labels(k *types.Kustomization) error {
	if !o.WithoutSelector || len(o.Labels) == 0 {
		return added("commonLabels", &k.CommonLabels, o.Labels, o.ForceLabels) //nolint:staticcheck // as kustomize edit does
	}
	for i, list := range k.Labels {
		if !list.IncludeSelectors && list.IncludeTemplates == o.IncludeTemplates && len(list.FieldSpecs) == 0 {
			return added("labels", &k.Labels[i].Pairs, o.Labels, o.ForceLabels)
		}
	}
	k.Labels = append(k.Labels, types.Label{Pairs: maps.Clone(o.Labels), IncludeTemplates: o.IncludeTemplates})
	return nil
}

func added(field string, to *map[string]string, more map[string]string, force bool) error {
	for _, key := range slices.Sorted(maps.Keys(more)) {
		if _, there := (*to)[key]; there && !force {
			return taken(field, key)
		}
		if *to == nil {
			*to = map[string]string{}
		}
		(*to)[key] = more[key]
	}
	return nil
}

func taken(field, key string) error {
	return &manifest.Error{
		Problem: fmt.Sprintf("%s has the key %q already, which the Application sets as well", field, key),
		Remedy:  "remove one of them, or set forceCommonLabels or forceCommonAnnotations",
	}
}

// images replaces the entries of the images that are named, and sorts all by name, as "kustomize edit set image" does.
func (o *Override) images(k *types.Kustomization) error {
	if len(o.Images) == 0 {
		return nil
	}
	wanted := map[string]types.Image{}
	for _, text := range o.Images {
		image, err := parseImage(text)
		if err != nil {
			return err
		}
		wanted[image.Name] = image
	}
	kept := k.Images[:0:0]
	for _, image := range k.Images {
		named, ok := wanted[image.Name]
		if !ok {
			kept = append(kept, image)
			continue
		}
		if named.NewName == star {
			named.NewName = image.NewName
		}
		if named.NewTag == star {
			named.NewTag = image.NewTag
		}
		if named.Digest == star {
			named.Digest = image.Digest
		}
		wanted[image.Name] = named
	}
	for _, image := range wanted {
		for _, field := range []*string{&image.NewName, &image.NewTag, &image.Digest} {
			if *field == star {
				*field = ""
			}
		}
		kept = append(kept, image)
	}
	slices.SortStableFunc(kept, func(a, b types.Image) int { return strings.Compare(a.Name, b.Name) })
	k.Images = kept
	return nil
}

// star keeps a part of an image as the kustomization has it.
const star = "*"

// parseImage reads [name=]newName[:tag|@digest]. Without a name the image keeps its own.
func parseImage(text string) (types.Image, error) {
	name, rest, renamed := strings.Cut(text, "=")
	if !renamed {
		rest = name
	}
	image := types.Image{Name: name}
	repository, digest, hasDigest := strings.Cut(rest, "@")
	tag := ""
	if colon := strings.LastIndexByte(repository, ':'); colon > strings.LastIndexByte(repository, '/') {
		repository, tag = repository[:colon], repository[colon+1:]
	}
	switch {
	case name == "" || repository == "" || hasDigest && digest == "" || !renamed && tag == "" && !hasDigest:
		return image, &manifest.Error{
			Problem: fmt.Sprintf("kustomize.images has %q, which is no image with a version", shortened(text)),
			Remedy:  "write name:tag, name@digest or old=new:tag",
		}
	case renamed:
		image.NewName = repository
	default:
		image.Name = repository
	}
	image.NewTag, image.Digest = tag, digest
	return image, nil
}

// ParsePatch reads a patch as it stands in a kustomization, as YAML or JSON.
func ParsePatch(raw []byte) (types.Patch, error) {
	var patch types.Patch
	if err := yaml.Unmarshal(raw, &patch); err != nil {
		return patch, &manifest.Error{Problem: fmt.Sprintf("kustomize.patches cannot be read: %v", err), Cause: err}
	}
	return patch, nil
}
