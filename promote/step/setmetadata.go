package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

type setMetadataConfig struct {
	Updates []metadataConfig `json:"updates"`
}

type metadataConfig struct {
	Kind   promote.MetadataKind       `json:"kind"`
	Name   string                     `json:"name"`
	Values map[string]json.RawMessage `json:"values"`
}

const maxMetadataBytes = 64 << 10 // of all that one promotion sets

// setMetadata keeps values with the stage or with a freight that the promotion carries.
func (r *run) setMetadata(_ context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg setMetadataConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	if len(cfg.Updates) == 0 {
		return outcome{}, errors.New("config.updates is missing: say what to set, as in updates: [{kind: Stage, name: ${{ ctx.stage }}, values: {…}}]")
	}
	updates := make([]promote.Metadata, len(cfg.Updates))
	for i, update := range cfg.Updates {
		one, err := r.metadataUpdate(update)
		if err != nil {
			return outcome{}, fmt.Errorf("config.updates[%d]%w", i, err)
		}
		updates[i] = one
	}
	merged := slices.Clone(r.result.Metadata)
	for _, one := range updates {
		merged = mergeMetadata(merged, one)
	}
	if size := sizeOf(merged); size > maxMetadataBytes {
		return outcome{}, fmt.Errorf("config.updates: the metadata has %d bytes, at most %d: keep what is larger in a file", size, maxMetadataBytes)
	}
	r.result.Metadata = merged
	return outcome{status: promote.StepSucceeded}, nil
}

var stageName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)

// metadataUpdate checks one update. Errors begin with the key that is wrong.
func (r *run) metadataUpdate(update metadataConfig) (promote.Metadata, error) {
	one := promote.Metadata{Kind: update.Kind, Project: r.Promotion.Stage.Project, Name: update.Name, Values: update.Values}
	switch {
	case update.Name == "":
		return one, errors.New(".name is missing: name the stage or the freight, as in name: ${{ ctx.targetFreight.name }}")
	case len(update.Values) == 0:
		return one, errors.New(".values is missing: write what to keep, as in values: {approvedBy: …}")
	}
	switch update.Kind {
	case promote.MetadataStage:
		if !stageName.MatchString(update.Name) {
			return one, fmt.Errorf(".name is %q, which no stage can be called", update.Name)
		}
		return one, nil
	case promote.MetadataFreight:
		freight, err := r.carried(update.Name)
		one.Name = string(freight.ID)
		return one, err
	default:
		return one, fmt.Errorf(".kind is %q: write Stage or Freight", update.Kind)
	}
}

// carried returns the freight of the promotion that a task names by ID or alias. Errors begin with the key that is wrong.
func (r *run) carried(name string) (promote.Freight, error) {
	known := make([]string, len(r.Freights))
	for i, freight := range r.Freights {
		if string(freight.ID) == name || freight.Alias != "" && freight.Alias == name {
			return freight, nil
		}
		known[i] = string(freight.ID)
	}
	return promote.Freight{}, fmt.Errorf(".name is %q, which the promotion does not carry; it carries %s", name, strings.Join(known, ", "))
}

// mergeMetadata adds values to those that are set already. A later value of a key counts.
func mergeMetadata(all []promote.Metadata, one promote.Metadata) []promote.Metadata {
	i := slices.IndexFunc(all, func(m promote.Metadata) bool {
		return m.Kind == one.Kind && m.Project == one.Project && m.Name == one.Name
	})
	if i < 0 {
		return append(all, one)
	}
	values := maps.Clone(all[i].Values)
	maps.Copy(values, one.Values)
	all[i].Values = values
	return all
}

func sizeOf(all []promote.Metadata) int {
	size := 0
	for _, m := range all {
		for key, value := range m.Values {
			size += len(key) + len(value)
		}
	}
	return size
}
