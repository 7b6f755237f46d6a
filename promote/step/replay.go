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

// notices remembers when a step made files that no commit holds: they lie outside of every checkout, or in one that is not
// proposed. What was proposed is read from the merged commit instead.
func (r *run) notices(step promote.Step) error {
	keys, writes := written[step.Uses]
	if !writes || r.loose {
		return nil
	}
	evaluated, err := r.evaluated(step)
	if err != nil {
		return fmt.Errorf("step %s: %w", label(step), err)
	}
	r.loose = r.uncommitted(evaluated, keys)
	return nil
}

// remake goes through the steps that are done once more, on the commits that they ran on then, so that the files that no
// commit holds are there again. It is not done unless a step that is still to run may read them.
func (r *run) remake(ctx context.Context) error {
	if !r.loose || !r.readLater() {
		return nil
	}
	then := newRun(r.Request)
	then.secrets, then.asThen = r.secrets, true
	for _, step := range r.Promotion.Steps {
		result := r.recorded(step)
		if result.Status == "" || result.Status == promote.StepRunning {
			break
		}
		then.result.Results = append(then.result.Results, result)
		if err := then.recall(step, result); err != nil {
			return err
		}
		if result.Status != promote.StepSucceeded {
			continue
		}
		if err := then.again(ctx, step); err != nil {
			return fmt.Errorf("step %s, which is run again for its files: %w", label(step), err)
		}
	}
	if err := then.caughtUp(ctx); err != nil {
		return err
	}
	r.workspace = then.workspace
	return nil
}

// again runs one step that is done for the files that it makes.
func (r *run) again(ctx context.Context, step promote.Step) error {
	_, writes := written[step.Uses]
	switch {
	case step.Uses == "git-clone":
		return r.replayClone(ctx, step)
	case step.Uses == "git-wait-for-pr", step.Uses == "git-merge-pr", step.Uses == "git-push":
		return r.caughtUp(ctx)
	case !writes && step.Uses != "git-commit":
		return nil
	}
	evaluated, err := r.evaluated(step)
	if err != nil {
		return err
	}
	kind, err := kindOf(step)
	if err == nil {
		_, err = kind.run(r, ctx, step, evaluated)
	}
	return err
}

// caughtUp puts the checkouts of the promotion's target where it is by now, once it is merged.
func (r *run) caughtUp(ctx context.Context) error {
	if r.merged() == "" {
		return nil
	}
	r.asThen = false
	for _, c := range r.workspace.checkouts {
		if !c.own || c.branch == "" || c.branch != r.Promotion.Target || c.head == r.merged() {
			continue
		}
		c.base, c.head, c.edits = r.merged(), r.merged(), map[string]entry{}
		if err := c.load(ctx); err != nil {
			return fmt.Errorf("check out %s: %w", c.head.Short(), err)
		}
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
