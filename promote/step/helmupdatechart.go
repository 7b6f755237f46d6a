package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/chartedit"
	"github.com/lockkeeper/lockkeeper/internal/yamledit"
	"github.com/lockkeeper/lockkeeper/promote"
)

type helmUpdateChartConfig struct {
	Path   string        `json:"path"`
	Charts []chartConfig `json:"charts"`
}

type chartConfig struct {
	Repository string `json:"repository"`
	Name       string `json:"name"`
	Version    string `json:"version"`
}

const maxCharts = 200 // by one step

// helmUpdateChart changes versions of a chart's dependencies. Nothing is fetched: the lock is computed, and archives of other
// versions are removed, so that Helm or Argo CD fetch the right ones.
func (r *run) helmUpdateChart(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg helmUpdateChartConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	wanted, err := cfg.dependencies()
	if err != nil {
		return outcome{}, err
	}
	folder, chartYAML, err := r.chart(ctx, cfg.Path)
	if err != nil {
		return outcome{}, err
	}
	edited, made, err := chartedit.UpdateDependencies(chartYAML, wanted)
	if err != nil {
		return outcome{}, fmt.Errorf("./%s/Chart.yaml: %w", folder, err)
	}
	vendored := chartsFolder{r: r, chart: folder, edited: edited, names: names(made)}
	if err := vendored.unpacked(ctx); err != nil {
		return outcome{}, err
	}
	if err := r.relock(ctx, folder, edited); err != nil {
		return outcome{}, err
	}
	if err := r.workspace.write(path.Join(folder, "Chart.yaml"), edited, 0); err != nil {
		return outcome{}, err
	}
	removed, err := vendored.removeStale(ctx)
	if err != nil {
		return outcome{}, err
	}
	changes := make([]change, len(made))
	for i, m := range made {
		changes[i] = change{key: m.Key, before: m.Before, after: m.After, created: m.Before == "", name: m.Name}
	}
	message := r.moved(r.workspace.shown(path.Join(folder, "Chart.yaml")), changes)
	out := outcome{status: promote.StepSucceeded}
	if len(removed) > 0 {
		out.message = "removed " + strings.Join(removed, ", ") + ": of another version; nothing is fetched here, so vendor the new one or leave that to Argo CD"
		message += "\n- removed " + strings.Join(removed, ", ")
	}
	out.output = map[string]any{"commitMessage": message}
	return out, nil
}

func (cfg helmUpdateChartConfig) dependencies() ([]chartedit.Dependency, error) {
	switch {
	case len(cfg.Charts) == 0:
		return nil, errors.New("config.charts is missing: name what to change, as in charts: [{repository: https://charts.example.com, name: redis, version: 1.2.3}]")
	case len(cfg.Charts) > maxCharts:
		return nil, fmt.Errorf("config.charts lists %d charts, at most %d", len(cfg.Charts), maxCharts)
	}
	wanted := make([]chartedit.Dependency, len(cfg.Charts))
	for i, chart := range cfg.Charts {
		if chart.Name == "" {
			return nil, fmt.Errorf("config.charts[%d].name is missing: name the chart as Chart.yaml does", i)
		}
		if chart.Version == "" {
			return nil, fmt.Errorf("config.charts[%d].version of %q is missing, or its expression found nothing", i, chart.Name)
		}
		wanted[i] = chartedit.Dependency{Repository: chart.Repository, Name: chart.Name, Version: chart.Version}
	}
	return wanted, nil
}

// names are those of the charts that changed.
func names(changes []chartedit.Change) []string {
	var all []string
	for _, change := range changes {
		all = append(all, change.Name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// relock brings Chart.lock up to date, if the chart has one.
func (r *run) relock(ctx context.Context, folder string, chartYAML []byte) error {
	file := "./" + path.Join(folder, "Chart.lock")
	old, err := r.workspace.read(ctx, file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	fresh, err := chartedit.Relock(chartYAML, old, r.When.UTC())
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return r.workspace.write(file, fresh, 0)
}

// chartsFolder is the folder charts/ of a chart whose dependencies changed.
type chartsFolder struct {
	r      *run
	chart  string   // its folder
	edited []byte   // its Chart.yaml
	names  []string // of the dependencies that changed
}

// unpacked refuses a dependency that is vendored as a folder of another version: Helm would go on rendering that one.
func (c chartsFolder) unpacked(ctx context.Context) error {
	for _, name := range c.names {
		folder := "./" + path.Join(c.chart, "charts", name)
		data, err := c.r.workspace.read(ctx, folder+"/Chart.yaml")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		version, err := yamledit.Get(data, "version")
		if err != nil {
			return fmt.Errorf("%s/Chart.yaml: %w", folder, err)
		}
		allowed, err := chartedit.Allows(c.edited, name, version.Text)
		if err != nil {
			return err
		}
		if !allowed {
			return fmt.Errorf("%s holds %s %s unpacked, which would still be rendered: delete the folder in a step before this one, and vendor the new version or leave that to Argo CD",
				folder, name, version.Text)
		}
	}
	return nil
}

// removeStale removes the archives of versions that no dependency takes any more, and lists them.
func (c chartsFolder) removeStale(ctx context.Context) ([]string, error) {
	files, err := c.r.workspace.walk(ctx, path.Join(c.chart, "charts"))
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, file := range files {
		if path.Dir(file.path) != path.Join(c.chart, "charts") {
			continue
		}
		stale, err := c.stale(path.Base(file.path))
		if err != nil {
			return nil, err
		}
		if !stale {
			continue
		}
		if _, err := c.r.workspace.remove(ctx, file.path); err != nil {
			return nil, err
		}
		removed = append(removed, path.Join("charts", path.Base(file.path)))
	}
	return removed, nil
}

func (c chartsFolder) stale(archive string) (bool, error) {
	for _, name := range c.names {
		if version, ok := chartedit.ArchiveVersion(archive, name); ok {
			allowed, err := chartedit.Allows(c.edited, name, version)
			return !allowed, err
		}
	}
	return false, nil
}
