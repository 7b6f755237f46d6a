package reconcile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// WarehouseRef is a warehouse and the project that it belongs to.
type WarehouseRef struct {
	Project string
	promote.Warehouse
}

// String returns "project/name".
func (w WarehouseRef) String() string { return w.Project + "/" + w.Name }

// Warehouses returns every warehouse of the pipelines, in their order.
func Warehouses(pipelines []promote.Pipeline) []WarehouseRef {
	var all []WarehouseRef
	for _, pipeline := range pipelines {
		for _, warehouse := range pipeline.Warehouses {
			all = append(all, WarehouseRef{pipeline.Project, warehouse})
		}
	}
	return all
}

// FindWarehouse returns the warehouse that a word means: its name, or project/name. The error is for people.
func FindWarehouse(pipelines []promote.Pipeline, word string) (WarehouseRef, error) {
	all := Warehouses(pipelines)
	named := slices.DeleteFunc(slices.Clone(all), func(w WarehouseRef) bool { return w.Name != word && w.String() != word })
	switch {
	case len(named) == 1:
		return named[0], nil
	case len(named) > 1:
		return WarehouseRef{}, fmt.Errorf("%d projects have a warehouse %q: write %s", len(named), word, few(refsOf(named)))
	case len(all) == 0:
		return WarehouseRef{}, errors.New("the repository declares no Warehouse: `lockkeeper lint` says what was found")
	}
	var names []string
	for _, w := range all {
		if strings.Contains(word, "/") {
			names = append(names, w.String())
		} else {
			names = append(names, w.Name)
		}
	}
	if near := nearest.Of(word, names); near != "" {
		return WarehouseRef{}, fmt.Errorf("there is no warehouse %q; did you mean %q?", word, near)
	}
	return WarehouseRef{}, fmt.Errorf("there is no warehouse %q; there is %s", word, few(refsOf(all)))
}

func refsOf(all []WarehouseRef) []string {
	names := make([]string, len(all))
	for i, w := range all {
		names[i] = w.String()
	}
	return names
}
