package step

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/kustomizeedit"
	"github.com/lockkeeper/lockkeeper/promote"
)

type kustomizeSetImageConfig struct {
	Path   string        `json:"path"`
	Images []imageConfig `json:"images"`
}

type imageConfig struct {
	Image   string `json:"image"`
	Name    string `json:"name"` // what manifests call the image, when that is not image
	NewName string `json:"newName"`
	Tag     string `json:"tag"`
	Digest  string `json:"digest"`
}

const maxSetImages = 200 // by one step: each is checked on its own

// kustomizeSetImage sets images in a kustomization, and changes not one other byte of it.
func (r *run) kustomizeSetImage(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg kustomizeSetImageConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	file, err := r.kustomization(r.workspace.files(ctx), cfg.Path)
	if err != nil {
		return outcome{}, err
	}
	images, err := r.imagesToSet(cfg.Images)
	if err != nil {
		return outcome{}, err
	}
	data, err := r.workspace.read(ctx, file)
	if err != nil {
		return outcome{}, err
	}
	edited, made, err := kustomizeedit.SetImages(data, images)
	if err != nil {
		return outcome{}, fmt.Errorf("./%s: %w", file, err)
	}
	if err := r.workspace.write(file, edited, 0); err != nil {
		return outcome{}, err
	}
	changes := make([]change, len(made))
	for i, m := range made {
		changes[i] = change{key: m.Key, before: m.Before, after: m.After, created: m.Before == ""}
	}
	return succeeded(map[string]any{"commitMessage": r.moved(r.workspace.shown(file), changes)}), nil
}

// imagesToSet are those that the task lists, or all of the freight when it lists none.
func (r *run) imagesToSet(list []imageConfig) ([]kustomizeedit.Image, error) {
	if len(list) == 0 {
		return r.freightImages()
	}
	if len(list) > maxSetImages {
		return nil, fmt.Errorf("config.images lists %d images, at most %d: use several steps", len(list), maxSetImages)
	}
	images := make([]kustomizeedit.Image, len(list))
	for i, image := range list {
		if err := image.check(); err != nil {
			return nil, fmt.Errorf("config.images[%d]: %w", i, err)
		}
		images[i] = kustomizeedit.Image{
			Name: cmp.Or(image.Name, image.Image), NewName: image.NewName, NewTag: image.Tag, Digest: image.Digest,
		}
	}
	return images, nil
}

func (i imageConfig) check() error {
	name := cmp.Or(i.Name, i.Image)
	switch {
	case i.Image == "":
		return errors.New("image is missing: name it as the manifests do, without its tag")
	case strings.Contains(path.Base(name), ":") || strings.Contains(name, "@"):
		return fmt.Errorf("%q names a version: write the name alone, and the version into tag or digest", name)
	case i.Tag == "" && i.Digest == "":
		return fmt.Errorf("%q has neither tag nor digest, or its expression found nothing: write tag: ${{ imageFrom('%s').Tag }}", name, i.Image)
	case i.Tag != "" && i.Digest != "":
		return fmt.Errorf("%q has both tag and digest: keep one of them", name)
	}
	return nil
}

// freightImages are all images that the stage's freight carries, each with its tag and its digest. Which of two versions of
// one image is meant only the task can say.
func (r *run) freightImages() ([]kustomizeedit.Image, error) {
	if err := r.unambiguousImages(); err != nil {
		return nil, err
	}
	var images []kustomizeedit.Image
	for _, freight := range r.Freights {
		for _, image := range freight.Images {
			images = append(images, kustomizeedit.Image{Name: image.RepoURL, NewTag: image.Tag, Digest: image.Digest})
		}
	}
	if len(images) == 0 {
		return nil, errors.New("config.images lists nothing, and the freight holds no image: list what to set, as in images: [{image: ghcr.io/acme/web, tag: …}]")
	}
	return images, nil
}

// unambiguousImages reports an image that is subscribed to, or carried, twice (Kargo looks at the subscriptions alone: freight
// may be made before they changed).
func (r *run) unambiguousImages() error {
	subscribed, carried := map[string]string{}, map[string]string{}
	note := func(seen map[string]string, repoURL, warehouse string) error {
		known := promote.NormalizeImage(repoURL)
		first, twice := seen[known]
		seen[known] = warehouse
		if twice {
			return fmt.Errorf("the image %q comes from the warehouse %q and from %q: say which one to set, as in images: [{image: %s, tag: ${{ imageFrom('%s', warehouse('%s')).Tag }}}]",
				repoURL, first, warehouse, repoURL, repoURL, first)
		}
		return nil
	}
	for _, w := range r.Warehouses {
		for _, image := range w.Images {
			if err := note(subscribed, image.RepoURL, w.Name); err != nil {
				return err
			}
		}
	}
	for _, freight := range r.Freights {
		for _, image := range freight.Images {
			if err := note(carried, image.RepoURL, freight.Warehouse); err != nil {
				return err
			}
		}
	}
	return nil
}
