package step

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/lockkeeper/lockkeeper/promote"
)

type deleteConfig struct {
	Path          string   `json:"path"`
	Paths         []string `json:"paths"`
	PathsAreGlobs flag     `json:"pathsAreGlobs"`
	Strict        flag     `json:"strict"`
}

// deletePaths takes files and folders away. What is not there is no error, unless the task is strict.
func (r *run) deletePaths(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg deleteConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	paths := cfg.Paths
	if cfg.Path != "" {
		paths = append([]string{cfg.Path}, paths...)
	}
	if len(paths) == 0 {
		return outcome{}, errors.New("config.path is missing: name what to delete, as in path: ./repo/old.yaml, or list several as paths")
	}
	found, err := r.workspace.matches(ctx, paths, bool(cfg.PathsAreGlobs), bool(cfg.Strict))
	if err != nil {
		return outcome{}, err
	}
	removed := 0
	for _, name := range found {
		n, err := r.workspace.remove(ctx, name)
		if err != nil {
			return outcome{}, err
		}
		removed += n
	}
	return outcome{status: promote.StepSucceeded, message: "deleted " + plural(removed, "file")}, nil
}

// matches lists what paths or globs name. All are looked up before anything is deleted, so that a failing step deletes nothing.
func (w *workspace) matches(ctx context.Context, paths []string, globs, strict bool) ([]string, error) {
	var all []string
	for _, name := range paths {
		var found []string
		var err error
		if globs {
			found, err = w.glob(ctx, name)
		} else {
			found, err = w.present(ctx, name)
		}
		if err != nil {
			return nil, err
		}
		if len(found) == 0 && strict {
			return nil, fmt.Errorf("%q: there is nothing to delete; correct the path, or remove strict", name)
		}
		all = append(all, found...)
	}
	return all, nil
}

// present returns a path at or below which a file lies.
func (w *workspace) present(ctx context.Context, name string) ([]string, error) {
	files, err := w.walk(ctx, name)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	return []string{name}, nil
}

// Alternatives multiply, so they are bounded.
const (
	maxAlternatives = 20
	maxBraces       = 4
)

// glob lists the files and the topmost folders that a pattern matches, sorted.
func (w *workspace) glob(ctx context.Context, pattern string) ([]string, error) {
	cleaned, err := clean(pattern)
	if err != nil {
		return nil, err
	}
	tooMany := strings.Count(cleaned, "{") > maxBraces || strings.Count(cleaned, ",") > maxAlternatives
	if len(cleaned) > maxPatternBytes || tooMany || !doublestar.ValidatePattern(cleaned) {
		return nil, fmt.Errorf("%q is no pattern: check its brackets and braces (at most %d groups and %d alternatives)",
			pattern, maxBraces, maxAlternatives)
	}
	base, _ := doublestar.SplitPattern(cleaned)
	files, err := w.walk(ctx, base)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, file := range files {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if top, ok := matched(cleaned, file.path); ok && (len(found) == 0 || found[len(found)-1] != top) {
			found = append(found, top)
		}
	}
	return found, nil
}

// matched returns the topmost of a file and the folders above it that a pattern matches.
func matched(pattern, name string) (string, bool) {
	if dir := path.Dir(name); dir != "." {
		if top, ok := matched(pattern, dir); ok {
			return top, true
		}
	}
	return name, doublestar.MatchUnvalidated(pattern, name)
}
