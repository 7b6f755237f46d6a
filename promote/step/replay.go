package step

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/lockkeeper/lockkeeper/promote"
)

// written names, for each kind of step that makes or changes files, the keys of its configuration that say which.
var written = map[string][]string{
	"copy": {"outPath"}, "delete": {"path", "paths"}, "file-write": {"path"}, "git-clear": {"path"}, "helm-template": {"outPath"},
	"helm-update-chart": {"path"}, "http-download": {"outPath"}, "json-update": {"path"}, "kustomize-build": {"outPath"},
	"kustomize-set-image": {"path"}, "oci-download": {"outPath"}, "tar": {"outPath"}, "toml-update": {"path"}, "untar": {"outPath"},
	"yaml-merge": {"outFile"}, "yaml-update": {"path"},
}

// readers are the kinds besides those of written that may read a file.
var readers = []string{"git-commit", "http", "json-parse", "toml-parse", "yaml-parse"}

// remake runs a step again whose files no commit holds: they lie outside of every checkout, or in one that is not proposed.
// What was proposed is read from the merged commit instead. Nothing is made that no step after it could read.
func (r *run) remake(ctx context.Context, step promote.Step) error {
	keys, writes := written[step.Uses]
	if !writes || !r.readLater() {
		return nil
	}
	evaluated, err := r.evaluated(step)
	if err != nil {
		return fmt.Errorf("step %s: %w", label(step), err)
	}
	if !r.uncommitted(evaluated, keys) {
		return nil
	}
	kind, err := kindOf(step)
	if err != nil {
		return err
	}
	moves := r.result.Moves // they are on record
	_, err = kind.run(r, ctx, step, evaluated)
	r.result.Moves = moves
	if err != nil {
		return fmt.Errorf("step %s, which is run again for its files: %w", label(step), err)
	}
	return nil
}

// readLater reports whether a step that is still to run may read files.
func (r *run) readLater() bool {
	return slices.ContainsFunc(r.Promotion.Steps, func(s promote.Step) bool {
		_, writes := written[s.Uses]
		before := r.recorded(s).Status
		return (before == "" || before == promote.StepRunning) && (writes || slices.Contains(readers, s.Uses))
	})
}

// uncommitted reports whether a configuration names a place that is not the proposed branch's checkout.
func (r *run) uncommitted(c config, keys []string) bool {
	var fields map[string]json.RawMessage
	if err := c.decode(&fields); err != nil {
		return false
	}
	for _, key := range keys {
		var names []string
		var name string
		if json.Unmarshal(fields[key], &name) == nil {
			names = []string{name}
		} else if json.Unmarshal(fields[key], &names) != nil {
			continue
		}
		for _, name := range names {
			cleaned, err := clean(name)
			if err != nil {
				continue
			}
			if holder, _ := r.workspace.holder(cleaned); holder == nil || !holder.own || holder.branch != r.Promotion.Target {
				return true
			}
		}
	}
	return false
}
