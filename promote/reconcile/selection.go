package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
)

// selection is the versions that a person chose of a warehouse, by the subscription's place in its list, and the newest of
// the subscriptions that are left.
type selection struct {
	warehouse               promote.Warehouse
	images, commits, charts map[int]string
	newest                  promote.Artifacts
}

// newSelection finds the subscription of each choice.
func newSelection(w WarehouseRef, request Handmade) (*selection, error) {
	if len(w.Images)+len(w.Git)+len(w.Charts) == 0 {
		return nil, fmt.Errorf("it has no subscriptions; add one at %s", w.Position)
	}
	var images, commits, charts []watched
	for _, sub := range w.Images {
		images = append(images, watched{sub.Name, sub.RepoURL, func(source string) bool { return promote.SameImage(sub.RepoURL, source) }})
	}
	for _, sub := range w.Git {
		commits = append(commits, watched{sub.Name, sub.RepoURL, func(source string) bool { return promote.SameGitRepository(sub.RepoURL, source) }})
	}
	for _, sub := range w.Charts {
		charts = append(charts, watched{sub.Name, chartSource(sub), func(source string) bool {
			return promote.NormalizeChartURL(chartSource(sub)) == promote.NormalizeChartURL(source)
		}})
	}
	s := &selection{warehouse: w.Warehouse}
	var errs [3]error
	s.images, errs[0] = assign("image", images, request.Images)
	s.commits, errs[1] = assign("Git", commits, request.Commits)
	s.charts, errs[2] = assign("chart", charts, request.Charts)
	return s, errors.Join(errs[:]...)
}

func chartSource(sub promote.ChartSubscription) string {
	if sub.Chart == "" {
		return sub.RepoURL
	}
	return strings.TrimSuffix(sub.RepoURL, "/") + "/" + sub.Chart
}

// watched is one subscription as a person may name it.
type watched struct {
	name, source string
	same         func(source string) bool
}

// assign returns the versions of choices by the place of the subscription that each means.
func assign(kind string, subs []watched, choices []Choice) (map[int]string, error) {
	versions := map[int]string{}
	for _, choice := range choices {
		var meant []int
		for i, sub := range subs {
			if sub.name != "" && sub.name == choice.Source {
				meant = []int{i}
				break
			}
			if sub.same(choice.Source) {
				meant = append(meant, i)
			}
		}
		switch {
		case len(meant) == 0:
			return nil, noSubscription(kind, subs, choice.Source)
		case len(meant) > 1:
			return nil, fmt.Errorf("%d %s subscriptions are of %q: write the name of one: %s", len(meant), kind, choice.Source, few(namesOf(subs, meant)))
		}
		if before, twice := versions[meant[0]]; twice {
			return nil, fmt.Errorf("%q is named twice, with %q and with %q: freight has one artifact of each subscription", choice.Source, before, choice.Version)
		}
		versions[meant[0]] = choice.Version
	}
	return versions, nil
}

func noSubscription(kind string, subs []watched, source string) error {
	var known []string
	for _, sub := range subs {
		known = append(known, sub.source)
		if sub.name != "" {
			known = append(known, sub.name)
		}
	}
	switch near := nearest.Of(source, known); {
	case near != "":
		return fmt.Errorf("no %s subscription is of %q; did you mean %q?", kind, source, near)
	case len(subs) == 0:
		return fmt.Errorf("no %s subscription is of %q; it has none of that kind", kind, source)
	}
	return fmt.Errorf("no %s subscription is of %q; there is %s", kind, source, few(known))
}

func namesOf(subs []watched, places []int) []string {
	var names []string
	for _, i := range places {
		names = append(names, subs[i].name)
	}
	return names
}

// rest is the warehouse with the subscriptions of which nothing was chosen. Its criteria are for freight that nobody asks for.
func (s *selection) rest() promote.Warehouse {
	rest := s.warehouse
	rest.Criteria, rest.Images, rest.Git, rest.Charts = "", left(rest.Images, s.images), left(rest.Git, s.commits), left(rest.Charts, s.charts)
	return rest
}

func left[T any](subs []T, chosen map[int]string) []T {
	var out []T
	for i, sub := range subs {
		if _, ok := chosen[i]; !ok {
			out = append(out, sub)
		}
	}
	return out
}

// artifacts returns one artifact for each subscription, in their order. What is chosen is looked up.
func (s *selection) artifacts(ctx context.Context, sources *discover.Sources) (promote.Artifacts, error) {
	if len(s.commits) > 0 && sources.Git == nil || len(s.charts) > 0 && sources.Charts == nil {
		return promote.Artifacts{}, errors.New("Git and chart repositories cannot be asked here") //nolint:staticcheck // a name begins the sentence
	}
	var out promote.Artifacts
	var errs [3]error
	out.Images, errs[0] = fill(s.warehouse.Images, s.images, s.newest.Images, func(sub promote.ImageSubscription, tag string) (promote.Image, error) {
		return sources.Registry.Named(ctx, sub, tag)
	})
	out.Commits, errs[1] = fill(s.warehouse.Git, s.commits, s.newest.Commits, func(sub promote.GitSubscription, revision string) (promote.GitCommit, error) {
		return sources.Git.Named(ctx, sub, revision)
	})
	out.Charts, errs[2] = fill(s.warehouse.Charts, s.charts, s.newest.Charts, func(sub promote.ChartSubscription, version string) (promote.Chart, error) {
		return sources.Charts.Version(ctx, sub, version)
	})
	return out, errors.Join(errs[:]...)
}

// fill looks up what is chosen and takes the others from the newest, which are in the order of their subscriptions.
func fill[S, A any](subs []S, chosen map[int]string, newest []A, look func(S, string) (A, error)) ([]A, error) {
	var out []A
	rest := slices.Clone(newest)
	for i, sub := range subs {
		version, ok := chosen[i]
		if !ok {
			if len(rest) == 0 {
				return nil, fmt.Errorf("subscription %d has no artifact", i+1)
			}
			out, rest = append(out, rest[0]), rest[1:]
			continue
		}
		artifact, err := look(sub, version)
		if err != nil {
			return nil, err
		}
		out = append(out, artifact)
	}
	return out, nil
}
