package kustomize

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// kustomization checks a kustomization before kustomize reads it, and puts what its charts make in the place of
// helmCharts. One that kustomize cannot read is left to its error message.
func (f *files) kustomization(name string, data []byte) ([]byte, error) {
	var k types.Kustomization
	if err := k.Unmarshal(data); err != nil {
		return data, nil
	}
	charts := len(k.HelmCharts) > 0
	k.FixKustomization()
	overridden := f.override != nil && path.Dir(name) == f.root
	if overridden {
		if err := f.override.apply(f, &k); err != nil {
			return nil, err
		}
	}
	c := &check{files: f, name: name, data: data}
	mounted, err := f.mount(c, &k)
	if err != nil {
		return nil, err
	}
	if err := c.all(&k); err != nil {
		return nil, err
	}
	f.inherit(name, &k)
	if len(k.HelmChartInflationGenerator) > 0 || len(k.HelmCharts) > 0 && !charts {
		return nil, c.refuse("helmChartInflationGenerator", "helmChartInflationGenerator is not supported", "use helmCharts")
	}
	switch {
	case charts:
		return f.inflate(c, &k)
	case overridden, mounted:
		return sigsyaml.Marshal(&k)
	}
	return data, nil
}

// check looks through one kustomization for what must not be followed.
type check struct {
	files *files
	name  string // of the kustomization file
	data  []byte
}

// all follows every field from which kustomize loads something.
func (c *check) all(k *types.Kustomization) error {
	for _, list := range [][]string{k.Resources, k.Components} {
		for _, entry := range list {
			if err := c.place(entry); err != nil {
				return err
			}
		}
	}
	for _, list := range [][]string{k.Generators, k.Transformers, k.Validators} {
		for _, entry := range list {
			if err := c.plugin(entry); err != nil {
				return err
			}
		}
	}
	for _, entry := range c.loaded(k) {
		if err := c.file(entry); err != nil {
			return err
		}
	}
	return nil
}

// loaded lists what kustomize reads as plain files.
func (c *check) loaded(k *types.Kustomization) []string {
	out := append([]string{k.OpenAPI["path"]}, k.Crds...)
	out = append(out, k.Configurations...)
	for _, p := range k.PatchesStrategicMerge { //nolint:staticcheck // files still have it
		out = append(out, string(p))
	}
	for _, p := range slices.Concat(k.PatchesJson6902, k.Patches) { //nolint:staticcheck // files still have it
		out = append(out, p.Path)
	}
	for _, r := range k.Replacements {
		out = append(out, r.Path)
	}
	var sources []types.KvPairSources
	for _, g := range k.ConfigMapGenerator {
		sources = append(sources, g.KvPairSources)
	}
	for _, g := range k.SecretGenerator {
		sources = append(sources, g.KvPairSources)
	}
	for _, s := range sources {
		out = append(append(append(out, s.EnvSource), s.EnvSources...), s.FileSources...)
	}
	for _, h := range k.HelmCharts {
		out = append(append(out, h.ValuesFile), h.AdditionalValuesFiles...)
	}
	return out
}

// place refuses what kustomize would clone or download as a resource or base.
func (c *check) place(entry string) error {
	if isRepository(entry) || isDownload(entry) {
		return c.remote(entry)
	}
	return nil
}

// file refuses what kustomize would download. A source of a ConfigMap may have its key in front.
func (c *check) file(entry string) error {
	_, source, found := strings.Cut(entry, "=")
	if isDownload(entry) || found && isDownload(source) {
		return c.remote(entry)
	}
	return nil
}

// plugin checks the configuration of a generator, transformer or validator, which stands in the entry itself or in a
// file that it names.
func (c *check) plugin(entry string) error {
	if err := c.place(entry); err != nil {
		return err
	}
	name := inside(path.Join("/", path.Dir(c.name), entry))
	text, at := []byte(entry), c
	if info, err := c.files.info(name); err == nil {
		if info.IsDir() {
			return c.refuse(entry, fmt.Sprintf("%q configures a plugin by another kustomization, which is not supported", entry), "name the files of the configurations")
		}
		if text, err = manifest.ReadFile(c.files.tree, name); err != nil {
			return err
		}
		at = &check{files: c.files, name: name, data: text}
	} else if c.files.failed != nil {
		return c.files.failed
	}
	docs, err := manifest.Split(at.name, text)
	if err != nil {
		return err
	}
	for _, doc := range docs {
		if err := at.configuration(doc.Node, ""); err != nil {
			return err
		}
	}
	return nil
}

// loads lists the fields of built-in plugins from which they load files.
var loads = map[string]bool{"path": true, "paths": true, "file": true, "files": true, "env": true, "envs": true, "valuesfile": true, "additionalvaluesfiles": true}

// configuration refuses downloads in a plugin's configuration. Names of fields count in any case, as for kustomize.
func (c *check) configuration(n *yaml.Node, field string) error {
	switch n.Kind {
	case yaml.AliasNode:
		return c.configuration(n.Alias, field)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if err := c.configuration(n.Content[i+1], strings.ToLower(manifest.Resolve(n.Content[i]).Value)); err != nil {
				return err
			}
		}
	case yaml.SequenceNode, yaml.DocumentNode:
		for _, child := range n.Content {
			if err := c.configuration(child, field); err != nil {
				return err
			}
		}
	case yaml.ScalarNode:
		if loads[field] {
			return c.file(n.Value)
		}
	}
	return nil
}

// isDownload is kustomize's own rule for files.
func isDownload(entry string) bool {
	address, err := url.Parse(entry)
	return err == nil && (address.Scheme == "http" || address.Scheme == "https")
}

// repository is what kustomize takes for a repository and more: any scheme, a user, or GitHub without a scheme.
var repository = regexp.MustCompile(`(?i)^(git::)*([a-z][a-z0-9+.-]*://|[a-z][a-z0-9-]*@|github\.com[/:])`)

func isRepository(entry string) bool { return repository.MatchString(entry) }

func (c *check) remote(entry string) error {
	return c.elsewhere(entry, fmt.Sprintf("%q is remote, and nothing is fetched", shortened(entry)), "copy it into the repository and name the copy")
}

// elsewhere refuses what would have to be fetched.
func (c *check) elsewhere(text, problem, remedy string) error {
	refusal := c.refuse(text, problem, remedy)
	refusal.Cause = manifest.ErrElsewhere
	return refusal
}

// refuse says no at the place where text stands.
func (c *check) refuse(text, problem, remedy string) *manifest.Error {
	out := &manifest.Error{File: c.name, Problem: problem, Remedy: remedy}
	docs, _ := manifest.Split(c.name, c.data)
	for _, doc := range docs {
		if n := find(doc.Node, text); n != nil {
			out.Line, out.Column = n.Line, n.Column
			break
		}
	}
	return out
}

func find(n *yaml.Node, text string) *yaml.Node {
	if n.Kind == yaml.ScalarNode && n.Value == text {
		return n
	}
	for _, child := range n.Content {
		if found := find(child, text); found != nil {
			return found
		}
	}
	return nil
}
