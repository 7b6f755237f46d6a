package step

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/yamledit"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/render/helm"
)

type helmTemplateConfig struct {
	Path                    string           `json:"path"`
	OutPath                 string           `json:"outPath"`
	ReleaseName             string           `json:"releaseName"`
	Namespace               string           `json:"namespace"`
	ValuesFiles             []string         `json:"valuesFiles"`
	IgnoreMissingValueFiles flag             `json:"ignoreMissingValueFiles"`
	SetValues               []setValueConfig `json:"setValues"`
	BuildDependencies       flag             `json:"buildDependencies"` // dependencies have to be in charts/ either way
	IncludeCRDs             flag             `json:"includeCRDs"`
	DisableHooks            flag             `json:"disableHooks"`
	SkipTests               flag             `json:"skipTests"`
	KubeVersion             string           `json:"kubeVersion"`
	APIVersions             []string         `json:"apiVersions"`
	OutLayout               string           `json:"outLayout"`
	UseReleaseName          flag             `json:"useReleaseName"`
}

type setValueConfig struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Literal flag   `json:"literal"`
}

const maxValuesFiles = 100

// helmTemplate renders a chart into one file or a folder of them.
func (r *run) helmTemplate(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg helmTemplateConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	out, err := cfg.check()
	if err != nil {
		return outcome{}, err
	}
	folder, chartYAML, err := r.chart(ctx, cfg.Path)
	if err != nil {
		return outcome{}, err
	}
	files := r.workspace.files(ctx)
	if err := files.prefetch(folder); err != nil {
		return outcome{}, err
	}
	request, err := r.helmRequest(ctx, cfg)
	if err != nil {
		return outcome{}, err
	}
	if request.Chart, err = fs.Sub(files, folder); err != nil {
		return outcome{}, err
	}
	made, err := helm.Template(ctx, request)
	if err != nil {
		return outcome{}, files.failed(err, inChart(folder, chartYAML))
	}
	rendered, err := cfg.spread(out, made)
	if err != nil {
		return outcome{}, files.failed(err, inChart(folder, chartYAML))
	}
	message, err := r.writeRendered(out, rendered, made.NonDeterministic)
	return outcome{status: promote.StepSucceeded, message: message}, err
}

// check reports what is wrong with the configuration by itself, and where the step writes to.
func (cfg helmTemplateConfig) check() (out string, err error) {
	switch {
	case cfg.ReleaseName == "":
		return "", errors.New("config.releaseName is missing: name the release, as Argo CD or Helm do that deploys the chart")
	case len(cfg.ValuesFiles) > maxValuesFiles:
		return "", fmt.Errorf("config.valuesFiles lists %d files, at most %d", len(cfg.ValuesFiles), maxValuesFiles)
	case cfg.OutLayout != "" && cfg.OutLayout != string(helm.LayoutHelm) && cfg.OutLayout != string(helm.LayoutFlat):
		return "", fmt.Errorf("config.outLayout is %q, and can be helm (a file per template) or flat (a file per object)", cfg.OutLayout)
	}
	for i, set := range cfg.SetValues {
		if set.Key == "" {
			return "", fmt.Errorf("config.setValues[%d].key is missing: name the value, as in key: image.tag", i)
		}
	}
	return outPath(cfg.OutPath)
}

// helmRequest is what the configuration asks of Helm, the chart excepted.
func (r *run) helmRequest(ctx context.Context, cfg helmTemplateConfig) (helm.Request, error) {
	request := helm.Request{
		ReleaseName: cfg.ReleaseName, Namespace: cmp.Or(cfg.Namespace, r.Promotion.Stage.Project),
		KubeVersion: cfg.KubeVersion, APIVersions: cfg.APIVersions,
		IncludeCRDs: bool(cfg.IncludeCRDs), DisableHooks: bool(cfg.DisableHooks), SkipTests: bool(cfg.SkipTests),
	}
	for _, name := range cfg.ValuesFiles {
		data, err := r.workspace.read(ctx, name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && bool(cfg.IgnoreMissingValueFiles):
			continue
		case errors.Is(err, fs.ErrNotExist):
			return request, fmt.Errorf("config.valuesFiles: %w; ignoreMissingValueFiles: true passes over it", err)
		case err != nil:
			return request, fmt.Errorf("config.valuesFiles: %w", err)
		}
		request.Values = append(request.Values, helm.ValuesFile{Name: workspacePrefix + path.Clean(name), Data: data})
	}
	for _, set := range cfg.SetValues {
		request.Set = append(request.Set, helm.SetValue{Key: set.Key, Value: set.Value, Literal: bool(set.Literal)})
	}
	return request, nil
}

// spread gives what was rendered its files.
func (cfg helmTemplateConfig) spread(out string, made helm.Output) ([]renderedFile, error) {
	if isOneFile(out) {
		return []renderedFile{{".", made.YAML()}}, nil
	}
	layout := helm.Layout(cmp.Or(cfg.OutLayout, string(helm.LayoutHelm)))
	files, err := made.Files(layout)
	if err != nil {
		return nil, err
	}
	rendered := make([]renderedFile, len(files))
	for i, file := range files {
		rendered[i] = renderedFile{file.Path, file.Data}
		if bool(cfg.UseReleaseName) && layout == helm.LayoutHelm {
			rendered[i].path = path.Join(cfg.ReleaseName, file.Path)
		}
	}
	return rendered, nil
}

// workspacePrefix begins the paths of the workspace in messages. No path that Helm itself names begins so.
const workspacePrefix = "./"

// inChart says where a file lies that Helm names: with the chart's name in front where it is a template, relative to the
// chart elsewhere.
func inChart(folder string, chartYAML []byte) func(file string) string {
	chart := ""
	if name, err := yamledit.Get(chartYAML, "name"); err == nil {
		chart = name.Text
	}
	return func(file string) string {
		if strings.HasPrefix(file, workspacePrefix) {
			return file
		}
		return workspacePrefix + path.Join(folder, strings.TrimPrefix(file, chart+"/"))
	}
}
