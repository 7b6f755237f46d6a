package helm

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	chartutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/util"
	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// Request says what to render.
type Request struct {
	Chart       fs.FS  // required; its root holds Chart.yaml
	ReleaseName string // required

	// Local gives the chart at a path that a dependency names as file://path, relative to the chart that names it, whose own
	// path is given too ("" is the chart that is rendered). nil: such dependencies have to be in charts/ like all others.
	Local func(of, path string) (chart fs.FS, at string, err error)
	// Fetch gets the chart of a dependency that is not in charts/ from its repository. version is that of Chart.lock, else
	// the range of Chart.yaml. nil: nothing is fetched.
	Fetch func(repository, name, version string) (fs.FS, error)

	Namespace    string       // "" is "default"
	Values       []ValuesFile // later ones win over earlier ones and over the chart's own
	Set          []SetValue   // win over Values, later ones over earlier ones
	KubeVersion  string       // such as "1.34"; "" is the version that Helm's libraries were built for
	APIVersions  []string     // known to the cluster besides Kubernetes' own, such as "monitoring.coreos.com/v1"
	IncludeCRDs  bool         // put the contents of crds/ in front
	DisableHooks bool         // leave out what is annotated with helm.sh/hook
	SkipTests    bool         // leave out test hooks
	SkipSchema   bool         // do not hold the values against values.schema.json
	Limits       Limits
}

// ValuesFile is one file of values.
type ValuesFile struct {
	Name string // for messages
	Data []byte
}

// SetValue is one value as --set takes it.
type SetValue struct {
	Key, Value string
	Literal    bool // Value is a text and nothing in it is special, as in --set-literal
	Text       bool // Value is a text even when it looks like a number, as in --set-string
	File       bool // Value is what a file holds, as in --set-file
}

// Limits bounds one call of [Template]. A zero field has the default.
type Limits struct {
	Files       int           // files of the chart and its subcharts; 10,000
	ChartBytes  int           // their size, unpacked; 50 MiB
	OutputBytes int           // what is rendered, and every text on the way; 10 MiB
	Time        time.Duration // 30 s
}

func (l Limits) withDefaults() Limits {
	if l.Files == 0 {
		l.Files = 10_000
	}
	if l.ChartBytes == 0 {
		l.ChartBytes = 50 << 20
	}
	if l.OutputBytes == 0 {
		l.OutputBytes = 10 << 20
	}
	if l.Time == 0 {
		l.Time = 30 * time.Second
	}
	return l
}

// Output is what a chart makes.
type Output struct {
	Manifests []Manifest // CRDs, then everything else in the order in which Helm installs it, then hooks
	// NonDeterministic names the functions that were called and answer differently every time, sorted.
	NonDeterministic []string
}

// Manifest is one YAML document.
type Manifest struct {
	Path      string // the template in Helm's spelling, such as "shop/charts/redis/templates/service.yaml"
	Data      string // without document markers
	Hook      bool
	Group     string // API group, "" for the core group
	Kind      string // "" when the document is no Kubernetes object
	Namespace string // as written, "" when there is none
	Name      string
}

// Template renders the chart. Equal requests give equal outputs unless NonDeterministic says otherwise. An error about
// the chart or the values is a [*manifest.Error] whose File is Helm's spelling of the template's path; one about a
// bound matches [manifest.ErrBound].
func Template(ctx context.Context, req Request) (Output, error) {
	limits := req.Limits.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, limits.Time)
	defer cancel()
	loaded, err := load(ctx, req, limits)
	if err != nil {
		return Output{}, err
	}
	values, err := renderValues(loaded, req)
	if err != nil {
		return Output{}, err
	}
	e := newEngine(ctx, limits)
	files, err := e.render(loaded, values)
	if err != nil {
		return Output{}, err
	}
	out, err := sorted(files, req)
	if err != nil {
		return Output{}, err
	}
	if req.IncludeCRDs {
		out = append(definitions(loaded), out...)
	}
	return Output{Manifests: out, NonDeterministic: e.nonDeterministic()}, nil
}

// renderValues merges everything that sets a value and switches dependencies on and off accordingly.
func renderValues(c *chart.Chart, req Request) (common.Values, error) {
	if err := validReleaseName(req.ReleaseName); err != nil {
		return nil, err
	}
	given, err := merged(req.Values, req.Set)
	if err != nil {
		return nil, err
	}
	capabilities, err := capabilitiesOf(c, req)
	if err != nil {
		return nil, err
	}
	if err := util.ProcessDependencies(c, given); err != nil {
		return nil, &manifest.Error{File: c.Name() + "/Chart.yaml", Problem: "the dependencies cannot be worked out: " + excerpt(err.Error())}
	}
	namespace := req.Namespace
	if namespace == "" {
		namespace = "default"
	}
	options := common.ReleaseOptions{Name: req.ReleaseName, Namespace: namespace, Revision: 1, IsInstall: true}
	values, err := chartutil.ToRenderValuesWithSchemaValidation(c, given, options, capabilities, true)
	if err != nil {
		return nil, &manifest.Error{File: c.Name() + "/values.yaml", Problem: "the values cannot be combined: " + excerpt(err.Error())}
	}
	if req.SkipSchema {
		return values, nil
	}
	return values, validate(c, values["Values"])
}

func validReleaseName(name string) error {
	if err := util.ValidateReleaseName(name); err != nil {
		return &manifest.Error{
			Problem: fmt.Sprintf("%q is not a release name", name),
			Remedy:  "use at most 53 lower case letters, digits and dashes, beginning and ending with a letter or digit",
			Cause:   err,
		}
	}
	return nil
}

// capabilitiesOf describes the cluster and makes sure that the chart accepts it.
func capabilitiesOf(c *chart.Chart, req Request) (*common.Capabilities, error) {
	capabilities := common.DefaultCapabilities.Copy()
	if req.KubeVersion != "" {
		version, err := common.ParseKubeVersion(req.KubeVersion)
		if err != nil {
			return nil, &manifest.Error{Problem: fmt.Sprintf("%q is not a Kubernetes version", req.KubeVersion), Remedy: `write one such as "1.34.2"`, Cause: err}
		}
		capabilities.KubeVersion = *version
	}
	capabilities.APIVersions = append(slices.Clone(capabilities.APIVersions), req.APIVersions...)
	if want := c.Metadata.KubeVersion; want != "" && !util.IsCompatibleRange(want, capabilities.KubeVersion.String()) {
		return nil, &manifest.Error{
			File:    c.Name() + "/Chart.yaml",
			Problem: fmt.Sprintf("the chart wants Kubernetes %q, and %s is not that", want, capabilities.KubeVersion.Version),
			Remedy:  "set kubeVersion to the version of the cluster",
		}
	}
	return capabilities, nil
}

// sorted turns rendered templates into manifests in the order in which Helm installs them, hooks last.
func sorted(files map[string]string, req Request) ([]Manifest, error) {
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
	hooks, generic, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, notYAML(err, files)
	}
	var out []Manifest
	for _, m := range generic {
		out = append(out, described(Manifest{Path: m.Name, Data: m.Content}))
	}
	for _, h := range hooks {
		if req.DisableHooks || req.SkipTests && slices.Contains(h.Events, release.HookTest) {
			continue
		}
		out = append(out, described(Manifest{Path: h.Path, Data: h.Manifest, Hook: true}))
	}
	return out, nil
}

// definitions lists the contents of the crds folders, which are no templates.
func definitions(c *chart.Chart) []Manifest {
	var out []Manifest
	for _, crd := range c.CRDObjects() {
		out = append(out, documents(crd.Filename, string(crd.File.Data))...)
	}
	return out
}
