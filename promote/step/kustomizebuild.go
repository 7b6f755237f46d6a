package step

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/lockkeeper/lockkeeper/internal/kustomizeedit"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/render/kustomize"
)

type kustomizeBuildConfig struct {
	Path         string       `json:"path"`
	OutPath      string       `json:"outPath"`
	OutputFormat string       `json:"outputFormat"`
	Plugin       pluginConfig `json:"plugin"`
}

type pluginConfig struct {
	Helm pluginHelmConfig `json:"helm"`
}

type pluginHelmConfig struct {
	APIVersions []string `json:"apiVersions"`
	KubeVersion string   `json:"kubeVersion"`
}

// kustomizeBuild builds a kustomization into one file or a folder of them.
func (r *run) kustomizeBuild(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg kustomizeBuildConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	out, err := outPath(cfg.OutPath)
	if err != nil {
		return outcome{}, err
	}
	layout := kustomize.Layout(cmp.Or(cfg.OutputFormat, string(kustomize.LayoutKargo)))
	if layout != kustomize.LayoutKargo && layout != kustomize.LayoutKustomize {
		return outcome{}, fmt.Errorf("config.outputFormat is %q, and can be kargo or kustomize: they name the files of a folder", cfg.OutputFormat)
	}
	files := r.workspace.files(ctx)
	file, err := r.kustomization(files, cfg.Path)
	if err != nil {
		return outcome{}, err
	}
	dir := path.Dir(file)
	if err := files.prefetch(dir); err != nil {
		return outcome{}, err
	}
	build := r.World.Kustomize
	if build == nil {
		build = kustomize.Build
	}
	made, err := build(ctx, kustomize.Request{
		Files: files, Dir: dir,
		Helm: kustomize.HelmOptions{KubeVersion: cfg.Plugin.Helm.KubeVersion, APIVersions: cfg.Plugin.Helm.APIVersions},
	})
	if err != nil {
		return outcome{}, files.failed(err, inWorkspace)
	}
	rendered, err := spread(out, made, layout)
	if err != nil {
		return outcome{}, files.failed(err, inWorkspace)
	}
	message, err := r.writeRendered(out, rendered, made.NonDeterministic)
	return outcome{status: promote.StepSucceeded, message: message}, err
}

func inWorkspace(file string) string { return workspacePrefix + file }

// spread gives what was built its files.
func spread(out string, made kustomize.Output, layout kustomize.Layout) ([]renderedFile, error) {
	if isOneFile(out) {
		return []renderedFile{{".", made.YAML()}}, nil
	}
	files, err := made.Files(layout)
	if err != nil {
		return nil, err
	}
	rendered := make([]renderedFile, len(files))
	for i, file := range files {
		rendered[i] = renderedFile{file.Path, file.Data}
	}
	return rendered, nil
}

// kustomization finds the kustomization file that a path names, by itself or by its folder.
func (r *run) kustomization(files workspaceFS, name string) (string, error) {
	if name == "" {
		return "", errors.New("config.path is missing: name the folder of the kustomization, as in path: ./repo/overlays/dev")
	}
	cleaned, err := clean(name)
	if err != nil {
		return "", fmt.Errorf("config.path: %w", err)
	}
	info, err := fs.Stat(files, cleaned)
	switch {
	case *files.outside != nil:
		return "", *files.outside
	case err != nil:
		_, err = r.workspace.file(files.ctx, name) // for its words on what is there instead
		return "", fmt.Errorf("config.path: %w", err)
	case info.Mode().IsRegular():
		return cleaned, nil
	}
	found, err := kustomizeedit.Find(files, cleaned)
	if err != nil && *files.outside != nil {
		return "", *files.outside
	}
	return found, err
}
