package kustomize

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/kio"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/kustomize/kyaml/yaml/merge2"
	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/helm"
)

// generated names the file that holds what a chart made, beside the kustomization.
const generated = ".lockkeeper-helm-%d.yaml"

// inherit tells the bases of a kustomization the namespace that their charts get when nothing nearer names one.
func (f *files) inherit(name string, k *types.Kustomization) {
	dir := path.Dir(name)
	namespace := k.Namespace
	if namespace == "" {
		namespace = f.namespaces[dir]
	}
	for _, entry := range append(slices.Clip(k.Resources), k.Components...) {
		base := inside(path.Join("/", dir, entry))
		if before, known := f.namespaces[base]; known && before != namespace {
			f.ambiguous[base] = true
		}
		f.namespaces[base] = namespace
	}
}

// inflate renders the charts and writes the kustomization anew, with their output among its resources.
func (f *files) inflate(c *check, k *types.Kustomization) ([]byte, error) {
	var globals types.HelmGlobals
	if k.HelmGlobals != nil {
		globals = *k.HelmGlobals
	}
	dir := path.Dir(c.name)
	for i, chart := range k.HelmCharts {
		if chart.Namespace == "" {
			chart.Namespace = k.Namespace
		}
		if chart.Namespace == "" {
			if f.ambiguous[dir] {
				return nil, c.refuse(chart.Name, fmt.Sprintf("the chart %q is inflated for several overlays, of different namespaces", chart.Name), "set its namespace in helmCharts, or vendor it for each")
			}
			chart.Namespace = f.namespaces[dir]
		}
		data, err := f.render(c, dir, globals, chart)
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(data)) == 0 {
			continue
		}
		file := fmt.Sprintf(generated, i)
		if err := f.WriteFile(path.Join(dir, file), data); err != nil {
			return nil, err
		}
		k.Resources = append(k.Resources, file)
	}
	k.HelmCharts, k.HelmGlobals = nil, nil
	return yaml.Marshal(k)
}

// render makes the resources of one chart, marked as kustomize marks them.
func (f *files) render(c *check, dir string, globals types.HelmGlobals, chart types.HelmChart) ([]byte, error) {
	home := chartHome(dir, globals, chart)
	folder := path.Join(home, chart.Name)
	if chart.Name == "" || !fs.ValidPath(chart.Name) || strings.Contains(chart.NameTemplate, "{{") {
		return nil, c.refuse("helmCharts", fmt.Sprintf("helmCharts has an entry whose name %q or nameTemplate is not supported", chart.Name), "name the chart's folder, and the release by releaseName")
	}
	tree, err := f.chartTree(c, home, folder, chart)
	if err != nil {
		return nil, err
	}
	values, err := f.values(c, dir, folder, tree, chart)
	if err != nil {
		return nil, err
	}
	req := helm.Request{
		Chart: tree, ReleaseName: releaseName(chart), Namespace: chart.Namespace, Values: values, KubeVersion: chart.KubeVersion,
		APIVersions: chart.ApiVersions, IncludeCRDs: chart.IncludeCRDs, DisableHooks: chart.SkipHooks, SkipTests: chart.SkipTests,
		Limits: helm.Limits{OutputBytes: f.limits.OutputBytes, Time: f.limits.Time},
	}
	if f.helm.KubeVersion != "" {
		req.KubeVersion = f.helm.KubeVersion
	}
	if len(f.helm.APIVersions) > 0 {
		req.APIVersions = f.helm.APIVersions
	}
	out, err := helm.Template(f.ctx, req)
	if err != nil {
		if inner, ok := errors.AsType[*manifest.Error](err); ok && inner.File != "" {
			// Helm's spelling begins with the chart's name where there is a template, and is relative to it elsewhere.
			located := *inner
			located.File = path.Join(folder, strings.TrimPrefix(inner.File, chart.Name+"/"))
			return nil, &located
		}
		return nil, err
	}
	for _, name := range out.NonDeterministic {
		f.random[name] = true
	}
	return marked(out.YAML())
}

// chartTree is the chart's folder, else what its repository has.
func (f *files) chartTree(c *check, home, folder string, chart types.HelmChart) (fs.FS, error) {
	if _, err := f.info(path.Join(folder, "Chart.yaml")); err == nil {
		return fs.Sub(f.tree, folder)
	}
	switch {
	case f.failed != nil:
		return nil, f.failed
	case f.fetch != nil && chart.Repo != "":
		tree, err := f.fetch(Elsewhere{Kind: ElsewhereChart, URL: chart.Repo, Name: chart.Name, Version: chart.Version})
		if err != nil {
			return nil, f.fail(err)
		}
		return tree, nil
	}
	return nil, c.elsewhere(chart.Name, fmt.Sprintf("the chart %q %s of %q is not in %q, and nothing is fetched", chart.Name, chart.Version, chart.Repo, folder), "pull and unpack it there, as in: helm pull --untar --untardir "+home)
}

func chartHome(dir string, globals types.HelmGlobals, chart types.HelmChart) string {
	home := globals.ChartHome
	if home == "" {
		home = types.HelmDefaultHome
	}
	if !path.IsAbs(home) {
		home = path.Join("/", dir, home)
	}
	home = inside(home)
	if chart.Version != "" && chart.Repo != "" {
		return path.Join(home, chart.Name+"-"+chart.Version)
	}
	return home
}

// releaseName is the name that "helm template" uses when none is given.
func releaseName(chart types.HelmChart) string {
	switch {
	case chart.ReleaseName != "":
		return chart.ReleaseName
	case chart.NameTemplate != "":
		return chart.NameTemplate
	}
	return "release-name"
}

// values combines the file and the inline values of an entry and adds its additional files.
func (f *files) values(c *check, dir, folder string, tree fs.FS, chart types.HelmChart) ([]helm.ValuesFile, error) {
	name := path.Join(folder, "values.yaml")
	if chart.ValuesFile != "" {
		name = inside(path.Join("/", dir, chart.ValuesFile))
	}
	base, err := f.ReadFile(name)
	if chart.ValuesFile == "" && errors.Is(err, fs.ErrNotExist) {
		base, err = manifest.ReadFile(tree, "values.yaml") // of a chart that was fetched
	}
	if err != nil && (chart.ValuesFile != "" || !errors.Is(err, fs.ErrNotExist)) {
		return nil, c.refuse(chart.ValuesFile, fmt.Sprintf("the values file %q cannot be read: %v", name, err), "")
	}
	if len(chart.ValuesInline) > 0 {
		if base, err = inlined(base, chart); err != nil {
			return nil, c.refuse("valuesInline", fmt.Sprintf("the values of %q cannot be merged: %v", chart.Name, err), "")
		}
	}
	out := []helm.ValuesFile{{Name: name, Data: base}}
	for _, file := range chart.AdditionalValuesFiles {
		name := inside(path.Join("/", dir, file))
		data, err := f.ReadFile(name)
		if err != nil {
			return nil, c.refuse(file, fmt.Sprintf("the values file %q cannot be read: %v", name, err), "")
		}
		out = append(out, helm.ValuesFile{Name: name, Data: data})
	}
	return out, nil
}

// inlined merges inline values over the file's ("override"), under them ("merge") or instead of them ("replace").
func inlined(base []byte, chart types.HelmChart) ([]byte, error) {
	inline, err := kyaml.FromMap(chart.ValuesInline)
	if err != nil || chart.ValuesMerge == "replace" {
		return yamlOf(inline, err)
	}
	if len(bytes.TrimSpace(base)) == 0 {
		base = []byte("{}")
	}
	file, err := kyaml.Parse(string(base))
	if err != nil {
		return nil, err
	}
	switch chart.ValuesMerge {
	case "", "override":
		return yamlOf(merge2.Merge(inline, file, kyaml.MergeOptions{}))
	case "merge":
		return yamlOf(merge2.Merge(file, inline, kyaml.MergeOptions{}))
	}
	return nil, fmt.Errorf("valuesMerge is %q, and can be override, merge or replace", chart.ValuesMerge)
}

func yamlOf(n *kyaml.RNode, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	text, err := n.String()
	return []byte(text), err
}

// marked annotates every object as made by a chart, by which kustomize leaves its namespace alone.
func marked(stream []byte) ([]byte, error) {
	nodes, err := (&kio.ByteReader{Reader: bytes.NewReader(stream), OmitReaderAnnotations: true}).Read()
	if err != nil {
		return nil, fmt.Errorf("read rendered chart: %w", err)
	}
	for _, n := range nodes {
		if err := n.PipeE(kyaml.SetAnnotation(konfig.HelmGeneratedAnnotation, "true")); err != nil {
			return nil, fmt.Errorf("mark rendered chart: %w", err)
		}
	}
	text, err := kio.StringAll(nodes)
	return []byte(text), err
}
