package expr

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// imageFrom finds the image of a repository in the freight of the promotion. Without an origin exactly one requested
// warehouse may subscribe to the repository. It gives nil and notes why if there is none.
func (e Env) imageFrom(args []any, missed *error) (*Image, error) {
	repo := args[0].(string)
	warehouse, call := "", fmt.Sprintf("imageFrom(%q)", excerpt(repo))
	if len(args) > 1 {
		warehouse = args[1].(Origin).Name
		call = fmt.Sprintf("imageFrom(%q, warehouse(%q))", excerpt(repo), excerpt(warehouse))
	}
	for _, same := range []func(a, b string) bool{verbatim, promote.SameImage} {
		candidates := []string{warehouse}
		if len(args) == 1 {
			candidates = e.subscribers(repo, same)
		}
		if len(candidates) > 1 {
			return nil, fmt.Errorf("%s: the warehouses %s all subscribe to it: add which one, such as imageFrom(%q, warehouse(%q))",
				call, strings.Join(candidates, ", "), excerpt(repo), candidates[0])
		}
		for _, image := range e.Images {
			if slices.Contains(candidates, image.Warehouse) && same(image.RepoURL, repo) {
				return &image, nil
			}
		}
	}
	*missed = e.miss(call, repo, len(args) > 1)
	return nil, nil
}

func verbatim(a, b string) bool { return a == b }

// subscribers lists the requested warehouses that subscribe to repo. If the requests are not known, those of the
// freight count.
func (e Env) subscribers(repo string, same func(a, b string) bool) []string {
	var found []string
	for _, w := range e.Requested {
		if slices.ContainsFunc(w.ImageRepos, func(r string) bool { return same(r, repo) }) {
			found = append(found, w.Name)
		}
	}
	if len(e.Requested) == 0 {
		for _, image := range e.Images {
			if same(image.RepoURL, repo) {
				found = append(found, image.Warehouse)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// miss explains why no image was found.
func (e Env) miss(call, repo string, origin bool) error {
	has := "no images"
	if len(e.Images) > 0 {
		var all []string
		for _, image := range e.Images {
			text := image.RepoURL
			if origin {
				text += " (warehouse " + image.Warehouse + ")"
			}
			all = append(all, text)
		}
		slices.Sort(all)
		all = slices.Compact(all)
		if len(all) > 12 {
			all = append(all[:12], "…")
		}
		has = strings.Join(all, ", ")
	}
	return &missingError{fmt.Sprintf("%s: no image of this freight comes from %q; the freight has: %s; check the Warehouse's repoURL and the variable",
		call, excerpt(repo), has)}
}

type missingError struct{ text string }

func (m *missingError) Error() string { return m.text }

// Is makes a miss an ErrNoImage without saying so twice.
func (m *missingError) Is(target error) bool { return target == ErrNoImage }
