package expr

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// Image is what imageFrom gives. The exported fields are those that an expression can read, except Warehouse.
type Image struct {
	RepoURL          string            `json:"repoURL,omitempty"`
	Tag              string            `json:"tag,omitempty"`
	Digest           string            `json:"digest,omitempty"`
	Annotations      map[string]string `json:"annotations,omitempty"`
	SubscriptionName string            `json:"subscriptionName,omitempty"`
	Warehouse        string            `json:"-" expr:"-"` // the warehouse whose freight it belongs to
}

// Commit is what commitFrom gives. The exported fields are those that an expression can read, except Warehouse.
type Commit struct {
	RepoURL          string `json:"repoURL,omitempty"`
	ID               string `json:"id,omitempty"`
	Branch           string `json:"branch,omitempty"`
	Tag              string `json:"tag,omitempty"`
	Message          string `json:"message,omitempty"`
	Author           string `json:"author,omitempty"`
	Committer        string `json:"committer,omitempty"`
	SubscriptionName string `json:"subscriptionName,omitempty"`
	Warehouse        string `json:"-" expr:"-"`
}

// Chart is what chartFrom gives. The exported fields are those that an expression can read, except Warehouse.
type Chart struct {
	RepoURL          string `json:"repoURL,omitempty"`
	Name             string `json:"name,omitempty"`
	Version          string `json:"version,omitempty"`
	SubscriptionName string `json:"subscriptionName,omitempty"`
	Warehouse        string `json:"-" expr:"-"`
}

// Artifact is what artifactFrom gives: an image, commit or chart, found by the name of its subscription.
type Artifact struct {
	ArtifactType     string         `json:"artifactType"` // "image", "git" or "chart", as the subscription
	SubscriptionName string         `json:"subscriptionName"`
	Version          string         `json:"version"`  // the tag, of a commit without tag its ID
	Metadata         map[string]any `json:"metadata"` // the rest, by the names that JSON has for it
}

// Subscription is what a warehouse watches.
type Subscription struct {
	Name    string // empty where it has none
	RepoURL string
	Chart   string // of a chart in an HTTP repository, its name
}

// Warehouse is a requested origin and what it subscribes to.
type Warehouse struct {
	Name   string
	Images []Subscription
	Git    []Subscription
	Charts []Subscription
}

// RequestOf describes a warehouse that a stage requests freight from.
func RequestOf(w promote.Warehouse) Warehouse {
	out := Warehouse{Name: w.Name}
	for _, sub := range w.Images {
		out.Images = append(out.Images, Subscription{Name: sub.Name, RepoURL: sub.RepoURL})
	}
	for _, sub := range w.Git {
		out.Git = append(out.Git, Subscription{Name: sub.Name, RepoURL: sub.RepoURL})
	}
	for _, sub := range w.Charts {
		out.Charts = append(out.Charts, Subscription{Name: sub.Name, RepoURL: sub.RepoURL, Chart: sub.Chart})
	}
	return out
}

// AddFreight adds the artifacts of a warehouse's freight to those that expressions see.
func (e *Env) AddFreight(warehouse string, a promote.Artifacts) {
	for _, image := range a.Images {
		e.Images = append(e.Images, Image{
			RepoURL: image.RepoURL, Tag: image.Tag, Digest: image.Digest, Annotations: image.Annotations,
			SubscriptionName: image.Subscription, Warehouse: warehouse,
		})
	}
	for _, commit := range a.Commits {
		e.Commits = append(e.Commits, Commit{
			RepoURL: commit.RepoURL, ID: string(commit.ID), Branch: commit.Branch, Tag: commit.Tag, Message: commit.Message,
			Author: commit.Author, Committer: commit.Committer, SubscriptionName: commit.Subscription, Warehouse: warehouse,
		})
	}
	for _, chart := range a.Charts {
		e.Charts = append(e.Charts, Chart{
			RepoURL: chart.RepoURL, Name: chart.Name, Version: chart.Version, SubscriptionName: chart.Subscription, Warehouse: warehouse,
		})
	}
}

// The kinds of artifacts, by the names that subscriptions have for them.
const (
	kindImage = "image"
	kindGit   = "git"
	kindChart = "chart"
)

// held is one artifact of the freight.
type held struct {
	Subscription
	kind      string
	warehouse string
	version   string
	result    any            // what imageFrom, commitFrom or chartFrom gives
	metadata  map[string]any // what artifactFrom says besides
}

func (h held) artifact() *Artifact {
	return &Artifact{ArtifactType: h.kind, SubscriptionName: h.Name, Version: h.version, Metadata: h.metadata}
}

// held lists all artifacts.
func (e Env) held() []held {
	all := make([]held, 0, len(e.Images)+len(e.Commits)+len(e.Charts))
	for _, i := range e.Images {
		all = append(all, held{
			Subscription: Subscription{Name: i.SubscriptionName, RepoURL: i.RepoURL},
			kind:         kindImage, warehouse: i.Warehouse, version: i.Tag, result: &i,
			metadata: map[string]any{"repoURL": i.RepoURL, "tag": i.Tag, "digest": i.Digest, "annotations": i.Annotations},
		})
	}
	for _, c := range e.Commits {
		all = append(all, held{
			Subscription: Subscription{Name: c.SubscriptionName, RepoURL: c.RepoURL},
			kind:         kindGit, warehouse: c.Warehouse, version: cmp.Or(c.Tag, c.ID), result: &c,
			metadata: map[string]any{
				"repoURL": c.RepoURL, "id": c.ID, "branch": c.Branch, "tag": c.Tag, "message": c.Message,
				"author": c.Author, "committer": c.Committer,
			},
		})
	}
	for _, c := range e.Charts {
		all = append(all, held{
			Subscription: Subscription{Name: c.SubscriptionName, RepoURL: c.RepoURL, Chart: c.Name},
			kind:         kindChart, warehouse: c.Warehouse, version: c.Version, result: &c,
			metadata: map[string]any{"repoURL": c.RepoURL, "name": c.Name, "version": c.Version},
		})
	}
	return all
}

// freight is where the functions look for artifacts.
type freight struct {
	artifacts []held
	requested []Warehouse
}

// sought is what one call of these functions looks for.
type sought struct {
	call   string // as it is written, for messages
	name   string // its first argument
	kind   string // empty: any
	noun   string // what is looked for, such as "image"
	by     string // how the freight would have it, such as `comes from "ghcr.io/acme/shop"`
	origin string // the warehouse; empty: the one that subscribes
	again  string // the call with an origin that has to be filled in
	remedy string
	same   []func(Subscription) bool // ways to compare, the most exact first
}

// find gives the artifact that is sought. Without an origin exactly one requested warehouse may subscribe to it.
func (f freight) find(s sought) (held, error) {
	for _, same := range s.same {
		candidates := []string{s.origin}
		if s.origin == "" {
			candidates = f.subscribers(s.kind, same)
		}
		if len(candidates) > 1 {
			return held{}, fmt.Errorf("%s: the warehouses %s all subscribe to it: add which one, such as %s",
				s.call, strings.Join(candidates, ", "), fmt.Sprintf(s.again, candidates[0]))
		}
		for _, h := range f.artifacts {
			if s.takes(h.kind) && slices.Contains(candidates, h.warehouse) && same(h.Subscription) {
				return h, nil
			}
		}
	}
	return held{}, f.miss(s)
}

func (s sought) takes(kind string) bool { return s.kind == "" || s.kind == kind }

// subscribers lists the requested warehouses that subscribe to something. If the requests are not known, those of the
// freight count.
func (f freight) subscribers(kind string, same func(Subscription) bool) []string {
	var found []string
	for _, w := range f.requested {
		if slices.ContainsFunc(w.subscriptions(kind), same) {
			found = append(found, w.Name)
		}
	}
	if len(f.requested) == 0 {
		for _, h := range f.artifacts {
			if (kind == "" || kind == h.kind) && same(h.Subscription) {
				found = append(found, h.warehouse)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (w Warehouse) subscriptions(kind string) []Subscription {
	switch kind {
	case kindImage:
		return w.Images
	case kindGit:
		return w.Git
	case kindChart:
		return w.Charts
	}
	return slices.Concat(w.Images, w.Git, w.Charts)
}

// miss explains why nothing was found.
func (f freight) miss(s sought) error {
	const most = 12
	var all []string
	for _, h := range f.artifacts {
		text := h.RepoURL
		if s.kind == "" {
			text = h.Name
		} else if h.Chart != "" {
			text += " " + h.Chart
		}
		if s.origin != "" {
			text += " (warehouse " + h.warehouse + ")"
		}
		if s.takes(h.kind) && (s.kind != "" || h.Name != "") {
			all = append(all, text)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) > most {
		all = append(all[:most], "…")
	}
	has := "no " + s.noun + "s"
	if len(all) > 0 {
		has = strings.Join(all, ", ")
	}
	return &missingError{s.name, fmt.Sprintf("%s: no %s of this freight %s; the freight has: %s; %s", s.call, s.noun, s.by, has, s.remedy)}
}

// missingError explains why there is no artifact, metadata or ConfigMap.
type missingError struct{ sought, text string }

func (m *missingError) Error() string { return m.text }

// Is makes a miss an ErrMissing without saying so twice.
func (m *missingError) Is(target error) bool { return target == ErrMissing }
