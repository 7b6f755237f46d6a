package chartedit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/yamledit"
	"github.com/lockkeeper/lockkeeper/internal/yamltext"
)

// ErrUnresolved is matched by the error about a dependency of which nothing here knows the version: Chart.yaml gives a range
// and the lock no version in it.
var ErrUnresolved = errors.New("the version is not known")

// Relock brings a Chart.lock up to date after Chart.yaml changed. A dependency keeps the version of the lock if Chart.yaml
// still allows it, and otherwise gets the version that Chart.yaml names. A lock that is up to date is returned as it is.
func Relock(chartYAML, lockYAML []byte, generated time.Time) ([]byte, error) {
	wanted, err := read(chartYAML)
	if err != nil {
		return nil, err
	}
	old, err := readLock(lockYAML)
	if err != nil {
		return nil, err
	}
	left := slices.Clone(old.Dependencies)
	resolved := make([]Dependency, len(wanted))
	for i, want := range wanted {
		if resolved[i], left, err = resolve(want, left); err != nil {
			return nil, err
		}
	}
	fresh, err := newLock(wanted, resolved, generated)
	if err != nil {
		return nil, err
	}
	same := func(a, b declared) bool {
		return a.Name == b.Name && a.Version == b.Version && a.Repository == b.Repository
	}
	if fresh.Digest == old.Digest && slices.EqualFunc(fresh.Dependencies, old.Dependencies, same) {
		return lockYAML, nil
	}
	return yamltext.Marshal(fresh)
}

// resolve finds the version of a dependency, in the first entry of the lock for it, which is taken out, or in Chart.yaml.
func resolve(want declared, locked []declared) (Dependency, []declared, error) {
	at := slices.IndexFunc(locked, func(d declared) bool {
		return d.Name == want.Name && normalized(d.Repository) == normalized(want.Repository)
	})
	before := ""
	if at >= 0 {
		before = locked[at].Version
		kept := Dependency{Repository: locked[at].Repository, Name: want.Name, Version: before}
		locked = slices.Delete(locked, at, at+1)
		if allows(want.Version, before) {
			return kept, locked, nil
		}
	}
	if !exact(want.Version) {
		return Dependency{}, nil, fmt.Errorf("%q of %q is %q in Chart.yaml and %q in Chart.lock; name one version, or run helm dependency update and commit Chart.lock: %w",
			want.Name, want.Repository, want.Version, before, ErrUnresolved)
	}
	return Dependency{Repository: want.Repository, Name: want.Name, Version: want.Version}, locked, nil
}

// readLock reads a Chart.lock; yamledit has made sure that the file is within its bounds.
func readLock(lockYAML []byte) (lock, error) {
	var old lock
	if _, err := yamledit.Get(lockYAML, "digest"); err != nil && !errors.Is(err, yamledit.ErrKeyNotFound) && !errors.Is(err, yamledit.ErrNotScalar) {
		return old, err
	}
	if err := yaml.Unmarshal(lockYAML, &old); err != nil {
		return old, &yamledit.Error{Problem: "the lock cannot be read: " + err.Error(), Remedy: "run helm dependency update and commit Chart.lock"}
	}
	return old, nil
}

// exact reports whether a version of Chart.yaml is one version.
func exact(version string) bool {
	_, err := semver.StrictNewVersion(strings.TrimPrefix(version, "v"))
	return err == nil
}

// allows reports whether a range of Chart.yaml holds a version. No range holds all.
func allows(wanted, version string) bool {
	parsed, err := semver.NewVersion(version)
	if err != nil {
		return false
	}
	if exact(wanted) {
		return strings.TrimPrefix(wanted, "v") == strings.TrimPrefix(version, "v")
	}
	if strings.TrimSpace(wanted) == "" {
		return true
	}
	if len(wanted) > maxRange {
		return false
	}
	constraint, err := semver.NewConstraint(wanted)
	return err == nil && constraint.Check(parsed)
}

// maxRange bounds what is parsed as a range of versions.
const maxRange = 256

// Allows reports whether a dependency of the chart takes a version of the chart of a name.
func Allows(chartYAML []byte, name, version string) (bool, error) {
	wanted, err := read(chartYAML)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(wanted, func(d declared) bool { return d.Name == name && allows(d.Version, version) }), nil
}

// ArchiveVersion is the version of the chart of a name that the name of an archive in charts/ says. ok is false for archives
// of other charts.
func ArchiveVersion(archive, name string) (version string, ok bool) {
	rest, found := strings.CutPrefix(archive, name+"-")
	version, isArchive := strings.CutSuffix(rest, ".tgz")
	return version, found && isArchive && exact(version)
}
