package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/yamlmerge"
	"github.com/lockkeeper/lockkeeper/promote"
)

type yamlMergeConfig struct {
	InFiles            []string `json:"inFiles"`
	OutFile            string   `json:"outFile"`
	IgnoreMissingFiles flag     `json:"ignoreMissingFiles"`
}

const maxMergedFiles = 100

// yamlMerge lays YAML files over each other, later ones over earlier ones.
func (r *run) yamlMerge(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg yamlMergeConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	switch {
	case len(cfg.InFiles) == 0:
		return outcome{}, errors.New("config.inFiles is missing: list the files, the base first, as in inFiles: [./repo/base.yaml, ./repo/dev.yaml]")
	case len(cfg.InFiles) > maxMergedFiles:
		return outcome{}, fmt.Errorf("config.inFiles lists %d files, at most %d", len(cfg.InFiles), maxMergedFiles)
	case cfg.OutFile == "":
		return outcome{}, errors.New("config.outFile is missing: say where to, as in outFile: ./repo/values.yaml")
	}
	var files []yamlmerge.File
	var names []string
	for _, name := range cfg.InFiles {
		data, err := r.workspace.read(ctx, name)
		if errors.Is(err, fs.ErrNotExist) && bool(cfg.IgnoreMissingFiles) {
			continue
		}
		if err != nil {
			return outcome{}, err
		}
		files = append(files, yamlmerge.File{Name: name, Data: data})
		names = append(names, r.workspace.shown(name))
	}
	if len(files) == 0 {
		return outcome{}, fmt.Errorf("none of config.inFiles exists: %s", strings.Join(cfg.InFiles, ", "))
	}
	merged, err := yamlmerge.Merge(files...)
	if err != nil {
		return outcome{}, err
	}
	if err := r.workspace.write(cfg.OutFile, merged, 0); err != nil {
		return outcome{}, err
	}
	message := fmt.Sprintf("Merge YAML files into %s\n\n- %s", r.workspace.shown(cfg.OutFile), strings.Join(names, "\n- "))
	return succeeded(map[string]any{"commitMessage": message}), nil
}
