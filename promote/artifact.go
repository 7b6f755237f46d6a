package promote

import (
	"cmp"
	"path"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
)

// Artifacts are versions that travel together, each list in the order of the warehouse's subscriptions.
type Artifacts struct {
	Images  []Image     `json:"images,omitempty"`
	Commits []GitCommit `json:"commits,omitempty"`
	Charts  []Chart     `json:"charts,omitempty"`
}

// Len is the number of artifacts.
func (a Artifacts) Len() int { return len(a.Images) + len(a.Commits) + len(a.Charts) }

// Image is one image version.
type Image struct {
	RepoURL      string            `json:"repoURL"` // as the subscription writes it
	Tag          string            `json:"tag"`
	Digest       string            `json:"digest"` // of what the tag pointed to, "sha256:…"
	Annotations  map[string]string `json:"annotations,omitempty"`
	CreatedAt    time.Time         `json:"createdAt,omitzero"`     // when it was built, where the registry was asked
	Subscription string            `json:"subscription,omitempty"` // name of the subscription, when it has one
}

// GitCommit is one commit of a repository that a warehouse watches.
type GitCommit struct {
	RepoURL      string    `json:"repoURL"` // as the subscription writes it
	ID           Commit    `json:"id"`
	Branch       string    `json:"branch,omitempty"`  // as the subscription names it
	Tag          string    `json:"tag,omitempty"`     // when it was found by its tag
	Message      string    `json:"message,omitempty"` // the first line, at most 80 bytes
	Author       string    `json:"author,omitempty"`  // "name <address>"
	Committer    string    `json:"committer,omitempty"`
	CreatedAt    time.Time `json:"createdAt,omitzero"` // of the commit; of the tag, when it was found by one
	Subscription string    `json:"subscription,omitempty"`
}

// Label names the commit for people: its tag, or its short ID.
func (c GitCommit) Label() string { return cmp.Or(c.Tag, c.ID.Short()) }

// Chart is one version of a Helm chart.
type Chart struct {
	RepoURL      string `json:"repoURL"` // as the subscription writes it; with oci:// it names the chart too
	Name         string `json:"name,omitempty"`
	Version      string `json:"version"`
	Subscription string `json:"subscription,omitempty"`
}

// parts are what a freight ID is made of (Kargo: Freight.GenerateID in pkg/api/freight.go).
func (a Artifacts) parts() []string {
	parts := make([]string, 0, a.Len())
	add := func(part, subscription string) {
		if subscription != "" {
			part += ":" + subscription
		}
		parts = append(parts, part)
	}
	for _, commit := range a.Commits {
		id := NormalizeGitURL(commit.RepoURL)
		if commit.Tag != "" {
			id += ":" + commit.Tag
		}
		add(id+":"+string(commit.ID), commit.Subscription)
	}
	for _, image := range a.Images {
		add(image.RepoURL+":"+image.Tag+"@"+image.Digest, image.Subscription)
	}
	for _, chart := range a.Charts {
		// path.Join makes "https:/" of "https://"; it is part of what is hashed.
		add(path.Join(NormalizeChartURL(chart.RepoURL), chart.Name)+":"+chart.Version, chart.Subscription)
	}
	return parts
}

// labels names every artifact for people: images first, then charts, then commits.
func (a Artifacts) labels() []string {
	labels := make([]string, 0, a.Len())
	for _, image := range a.Images {
		labels = append(labels, image.Tag)
	}
	for _, chart := range a.Charts {
		labels = append(labels, chart.Version)
	}
	for _, commit := range a.Commits {
		labels = append(labels, commit.Label())
	}
	return labels
}

// versions are tags that were read before: reading one costs more than everything else that is asked about a freight.
// nil reads and remembers nothing.
type versions map[string]*semver.Version

// CompareTags orders two tags as semantic versions; ok is false when one of them is none.
func CompareTags(a, b string) (order int, ok bool) { return versions(nil).compare(a, b) }

func (v versions) compare(a, b string) (order int, ok bool) {
	one, two := v.read(a), v.read(b)
	if one == nil || two == nil {
		return 0, false
	}
	return one.Compare(two), true
}

// read returns the version that a tag is, nil when it is none.
func (v versions) read(tag string) *semver.Version {
	if known, ok := v[tag]; ok {
		return known
	}
	parsed, err := semver.NewVersion(tag)
	if err != nil {
		parsed = nil
	}
	if v != nil {
		v[tag] = parsed
	}
	return parsed
}

// compareBy orders two tags as a selection strategy does; ok is false when the strategy says nothing about them.
func (v versions) compareBy(strategy Strategy, a, b string) (order int, ok bool) {
	switch strategy {
	case SelectSemVer, "":
		return v.compare(a, b)
	case SelectLexical:
		return strings.Compare(a, b), true
	case SelectDigest, SelectNewestBuild, SelectNewestFromBranch, SelectNewestTag:
		// What such a warehouse takes is newer because it came later, and for no other reason.
	}
	return 0, false
}
