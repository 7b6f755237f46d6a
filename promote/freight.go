package promote

import (
	"crypto/sha1" //nolint:gosec // Kargo's freight ID is a SHA-1; nothing is protected by it.
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// FreightID is 40 hexadecimal characters, equal to the name that Kargo gives the same freight.
type FreightID string

// Short returns the first seven characters, for people.
func (id FreightID) Short() string { return string(id[:min(7, len(id))]) }

// Freight is one set of artifact versions that travel together.
type Freight struct {
	ID        FreightID `json:"id"`
	Project   string    `json:"project"`
	Warehouse string    `json:"warehouse"`
	Alias     string    `json:"alias,omitempty"` // a name for people, unique in the project
	Artifacts
	DiscoveredAt time.Time `json:"discoveredAt"`
	CreatedBy    string    `json:"createdBy,omitempty"` // the person who put it together by hand
}

// NewFreight makes freight of artifacts and computes its ID: lower-hex SHA-1 of "Warehouse/<name>:" and the sorted parts of
// the artifacts, joined by "|" (Kargo: pkg/api/freight.go).
func NewFreight(project, warehouse string, artifacts Artifacts, discoveredAt time.Time) Freight {
	parts := artifacts.parts()
	slices.Sort(parts)
	sum := sha1.Sum([]byte("Warehouse/" + warehouse + ":" + strings.Join(parts, "|"))) //nolint:gosec // see the import
	return Freight{
		ID: FreightID(hex.EncodeToString(sum[:])), Project: project, Warehouse: warehouse,
		Artifacts: artifacts, DiscoveredAt: discoveredAt,
	}
}

// Label names the freight for people: its versions, or its short ID when it has none.
func (f Freight) Label() string {
	labels := f.labels()
	if len(labels) == 0 {
		return f.ID.Short()
	}
	return strings.Join(labels, ", ")
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

// CompareFreight says how a relates to b in the order of their warehouse, by the artifacts they share: what the strategy of
// each subscription says of its tags, of a subscription that is not known what semantic versions say. When that says nothing,
// the later discovery is the newer one; what cannot be ordered never outvotes what can.
func CompareFreight(w Warehouse, a, b Freight) Order { return versions(nil).order(w, a, b) }

// order is CompareFreight.
func (v versions) order(w Warehouse, a, b Freight) Order {
	if a.ID == b.ID {
		return Same
	}
	var t tally
	for _, image := range a.Images {
		i := slices.IndexFunc(b.Images, func(other Image) bool { return other.RepoURL == image.RepoURL })
		if i >= 0 && b.Images[i].Tag != image.Tag {
			t.count(v.compareBy(w.imageStrategy(image.RepoURL), image.Tag, b.Images[i].Tag))
		}
	}
	for _, chart := range a.Charts {
		i := slices.IndexFunc(b.Charts, func(other Chart) bool { return other.RepoURL == chart.RepoURL && other.Name == chart.Name })
		if i >= 0 && b.Charts[i].Version != chart.Version {
			t.count(v.compare(chart.Version, b.Charts[i].Version))
		}
	}
	for _, commit := range a.Commits {
		i := slices.IndexFunc(b.Commits, func(other GitCommit) bool { return other.RepoURL == commit.RepoURL })
		if i >= 0 && b.Commits[i].ID != commit.ID {
			t.count(v.compareBy(w.gitStrategy(commit.RepoURL), commit.Tag, b.Commits[i].Tag))
		}
	}
	return t.order(byDiscovery(a, b))
}

// tally counts what the artifacts of two freights say about their order.
type tally struct{ higher, lower, unknown bool }

func (t *tally) count(order int, ok bool) {
	t.unknown = t.unknown || !ok
	t.higher = t.higher || order > 0
	t.lower = t.lower || order < 0
}

func (t *tally) order(discovered Order) Order {
	switch {
	case !t.higher && !t.lower:
		return discovered
	case t.higher && t.lower, t.unknown && t.higher && discovered != Newer, t.unknown && t.lower && discovered != Older:
		return Incomparable
	case t.higher:
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
