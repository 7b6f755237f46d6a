package promote

import (
	"crypto/sha1" //nolint:gosec // Kargo's freight ID is a SHA-1; nothing is protected by it.
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
)

// FreightID is 40 hexadecimal characters, equal to the name that Kargo gives the same freight.
type FreightID string

// Short returns the first seven characters, for people.
func (id FreightID) Short() string { return string(id[:min(7, len(id))]) }

// Freight is one set of artifact versions that travel together.
type Freight struct {
	ID           FreightID `json:"id"`
	Project      string    `json:"project"`
	Warehouse    string    `json:"warehouse"`
	Images       []Image   `json:"images"` // in the order of the warehouse's subscriptions
	DiscoveredAt time.Time `json:"discoveredAt"`
}

// Image is one image version.
type Image struct {
	RepoURL     string            `json:"repoURL"` // as the subscription writes it
	Tag         string            `json:"tag"`
	Digest      string            `json:"digest"` // of what the tag pointed to, "sha256:…"
	Annotations map[string]string `json:"annotations,omitempty"`
}

// NewFreight makes freight of images and computes its ID:
// lower-hex SHA-1 of "Warehouse/<name>:" and the sorted "<repoURL>:<tag>@<digest>", joined by "|" (Kargo: pkg/api/freight.go).
func NewFreight(project, warehouse string, images []Image, discoveredAt time.Time) Freight {
	parts := make([]string, len(images))
	for i, image := range images {
		parts[i] = image.RepoURL + ":" + image.Tag + "@" + image.Digest
	}
	slices.Sort(parts)
	sum := sha1.Sum([]byte("Warehouse/" + warehouse + ":" + strings.Join(parts, "|"))) //nolint:gosec // see the import
	return Freight{
		ID: FreightID(hex.EncodeToString(sum[:])), Project: project, Warehouse: warehouse,
		Images: images, DiscoveredAt: discoveredAt,
	}
}

// Label names the freight for people: its tags, or its short ID when it has none.
func (f Freight) Label() string {
	tags := make([]string, 0, len(f.Images))
	for _, image := range f.Images {
		tags = append(tags, image.Tag)
	}
	if len(tags) == 0 {
		return f.ID.Short()
	}
	return strings.Join(tags, ", ")
}

// Order is how two freights of one warehouse relate.
type Order int

// The ways in which two freights may relate.
const (
	Same         Order = iota // the same versions
	Newer                     // every version is at least as high and one is higher
	Older                     // every version is at most as high and one is lower
	Incomparable              // some higher and some lower, or nothing says
)

// CompareFreight says how a relates to b by the versions of the images they share. When versions say nothing, the later
// discovery is the newer one; what is neither a version nor equal never outvotes a version.
func CompareFreight(a, b Freight) Order { return versions(nil).order(a, b) }

// versions are tags that were read before: reading one costs more than everything else that is asked about a freight.
// nil reads and remembers nothing.
type versions map[string]*semver.Version

// order is CompareFreight.
func (v versions) order(a, b Freight) Order {
	if a.ID == b.ID {
		return Same
	}
	higher, lower, unknown := false, false, false
	for _, image := range a.Images {
		i := slices.IndexFunc(b.Images, func(other Image) bool { return other.RepoURL == image.RepoURL })
		if i < 0 || b.Images[i].Tag == image.Tag {
			continue
		}
		order, ok := v.compare(image.Tag, b.Images[i].Tag)
		unknown = unknown || !ok
		higher = higher || order > 0
		lower = lower || order < 0
	}
	switch discovered := byDiscovery(a, b); {
	case !higher && !lower:
		return discovered
	case higher && lower, unknown && higher && discovered != Newer, unknown && lower && discovered != Older:
		return Incomparable
	case higher:
		return Newer
	}
	return Older
}

// byDiscovery orders freights whose versions say nothing, such as a tag that was pushed again.
func byDiscovery(a, b Freight) Order {
	switch c := a.DiscoveredAt.Compare(b.DiscoveredAt); {
	case c > 0:
		return Newer
	case c < 0:
		return Older
	}
	return Incomparable
}

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
