// Package chartedit changes the versions of a chart's dependencies and writes the lock that Helm wants beside them.
//
// Chart.yaml is edited byte for byte by package yamledit; Chart.lock has no comments and is written anew. The package
// resolves no versions and fetches nothing.
package chartedit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/internal/yamledit"
	"github.com/lockkeeper/lockkeeper/internal/yamltext"
)

// ErrNoDependency is matched by the error about a dependency that the chart does not have.
var ErrNoDependency = errors.New("no such dependency")

// Dependency names a chart that another one depends on, and its version.
type Dependency struct {
	Repository string // as Chart.yaml has it; case and a final slash do not matter
	Name       string // required
	Version    string // required
}

// Change is what became of one version.
type Change struct {
	Name, Repository string
	Key              string // such as "dependencies.1.version"
	Before, After    string
}

// declared is an element of dependencies with everything that Helm's digest covers, in Helm's order of fields.
type declared struct {
	Name         string   `json:"name"`
	Version      string   `json:"version,omitempty"`
	Repository   string   `json:"repository"`
	Condition    string   `json:"condition,omitempty"`
	Tags         []string `json:"tags,omitempty"`
	Enabled      bool     `json:"enabled,omitempty"`
	ImportValues []any    `json:"import-values,omitempty"`
	Alias        string   `json:"alias,omitempty"`
}

// UpdateDependencies sets the versions of dependencies, all or none. A chart that is there several times, under different
// aliases, is changed everywhere. Errors about the file are [*yamledit.Error]; chartYAML is never modified.
func UpdateDependencies(chartYAML []byte, deps []Dependency) ([]byte, []Change, error) {
	have, err := read(chartYAML)
	if err != nil {
		return nil, nil, err
	}
	var edits []yamledit.Edit
	var changes []Change
	for _, want := range deps {
		if want.Name == "" || want.Version == "" {
			return nil, nil, fmt.Errorf("dependency %q of %q: name and version are required", want.Name, want.Repository)
		}
		found := false
		for i, d := range have {
			if d.Name != want.Name || normalized(d.Repository) != normalized(want.Repository) {
				continue
			}
			found = true
			key := fmt.Sprintf("dependencies.%d.version", i)
			edits = append(edits, yamledit.Edit{Key: key, Value: yamledit.String(want.Version), Create: true})
			changes = append(changes, Change{Name: d.Name, Repository: d.Repository, Key: key, Before: d.Version, After: want.Version})
		}
		if !found {
			return nil, nil, missing(have, want)
		}
	}
	out, _, err := yamledit.Set(chartYAML, edits...)
	if err != nil {
		return nil, nil, err
	}
	return out, changes, nil
}

// read lists the dependencies; yamledit has made sure that the file is within its bounds.
func read(chartYAML []byte) ([]declared, error) {
	if _, err := yamledit.Get(chartYAML, "dependencies"); err != nil && !errors.Is(err, yamledit.ErrKeyNotFound) && !errors.Is(err, yamledit.ErrNotScalar) {
		return nil, err
	}
	var chart struct {
		Dependencies []declared `json:"dependencies"`
	}
	if err := yaml.Unmarshal(chartYAML, &chart); err != nil {
		return nil, &yamledit.Error{Key: "dependencies", Problem: "the dependencies cannot be read: " + err.Error(), Remedy: "write a list of mappings with name, version and repository"}
	}
	return chart.Dependencies, nil
}

func normalized(repository string) string {
	return strings.TrimRight(strings.ToLower(strings.TrimSpace(repository)), "/")
}

// missing says which dependency was most likely meant.
func missing(have []declared, want Dependency) error {
	var names []string
	for _, d := range have {
		if d.Name == want.Name {
			return fmt.Errorf("the chart has no dependency %q of %q; it has %q of %q: %w", want.Name, want.Repository, d.Name, d.Repository, ErrNoDependency)
		}
		names = append(names, d.Name)
	}
	if near := nearest.Of(want.Name, names); near != "" {
		return fmt.Errorf("the chart has no dependency %q; did you mean %q: %w", want.Name, near, ErrNoDependency)
	}
	if len(names) == 0 {
		return fmt.Errorf("the chart has no dependency %q, and no other either: %w", want.Name, ErrNoDependency)
	}
	slices.Sort(names)
	return fmt.Errorf("the chart has no dependency %q; it has %s: %w", want.Name, strings.Join(names[:min(8, len(names))], ", "), ErrNoDependency)
}

// lock is a Chart.lock, with its fields as Helm writes them.
type lock struct {
	Dependencies []declared `json:"dependencies"`
	Digest       string     `json:"digest"`
	Generated    time.Time  `json:"generated"`
}

// Lock writes the Chart.lock of a chart whose dependencies were resolved to the given versions, in the order of
// Chart.yaml. Helm takes it for up to date.
func Lock(chartYAML []byte, resolved []Dependency, generated time.Time) ([]byte, error) {
	wanted, err := read(chartYAML)
	if err != nil {
		return nil, err
	}
	made, err := newLock(wanted, resolved, generated)
	if err != nil {
		return nil, err
	}
	return yamltext.Marshal(made)
}

func newLock(wanted []declared, resolved []Dependency, generated time.Time) (lock, error) {
	if len(wanted) != len(resolved) {
		return lock{}, fmt.Errorf("%d dependencies were resolved and the chart has %d", len(resolved), len(wanted))
	}
	out := lock{Dependencies: []declared{}, Generated: generated}
	for i, d := range resolved {
		if d.Name != wanted[i].Name {
			return lock{}, fmt.Errorf("dependency %d was resolved as %q and is %q in the chart", i, d.Name, wanted[i].Name)
		}
		out.Dependencies = append(out.Dependencies, declared{Name: d.Name, Version: d.Version, Repository: d.Repository})
	}
	var err error
	out.Digest, err = digest(wanted, out.Dependencies)
	return out, err
}

// digest covers what was wanted and what it was resolved to, as Helm computes it.
func digest(wanted, resolved []declared) (string, error) {
	data, err := json.Marshal([2][]declared{wanted, resolved})
	if err != nil {
		return "", fmt.Errorf("digest of dependencies: %w", err)
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
