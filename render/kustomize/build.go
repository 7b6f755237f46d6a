package kustomize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// Request says what to build.
type Request struct {
	Files fs.FS  `json:"-"` // required; nothing outside of its root is reached
	Dir   string // required; the folder of the kustomization, relative to the root
	Helm  HelmOptions
	// Fetch gets what is not in the tree: charts of helmCharts, remote bases and files. nil: nothing is fetched.
	Fetch func(Elsewhere) (fs.FS, error) `json:"-"`
	// Override changes the kustomization in Dir before it is built; nil changes nothing.
	Override *Override
	// Limits that are zero have their defaults.
	Limits Limits
}

// HelmOptions describes the cluster to the charts of helmCharts and wins over what their entries say.
type HelmOptions struct {
	KubeVersion string
	APIVersions []string
}

// Limits bounds one call of [Build]. A zero field has the default.
type Limits struct {
	Reads       int           // files read, each time counted; 20,000
	InputBytes  int           // what they have together; 100 MiB
	OutputBytes int           // what is built; 10 MiB
	Time        time.Duration // 30 s
}

func (l Limits) withDefaults() Limits {
	if l.Reads == 0 {
		l.Reads = 20_000
	}
	if l.InputBytes == 0 {
		l.InputBytes = 100 << 20
	}
	if l.OutputBytes == 0 {
		l.OutputBytes = 10 << 20
	}
	if l.Time == 0 {
		l.Time = 30 * time.Second
	}
	return l
}

// Output is what a kustomization makes.
type Output struct {
	Resources []Resource // in the order in which they are loaded, or that of sortOptions, as in Kargo's kustomize-build step
	Inputs    []string   // the files of the tree that were read, charts excepted, sorted
	// NonDeterministic names the functions that charts called and that answer differently every time, sorted.
	NonDeterministic []string
}

// Resource is one object.
type Resource struct {
	Group, Version, Kind string
	Namespace            string // as written, "" when there is none
	Name                 string
	YAML                 []byte // one document without markers, ending in a line break
	ClusterScoped        bool
}

// turn makes builds take turns: kustomize keeps the OpenAPI schema of a build in a global variable.
var turn = make(chan struct{}, 1)

// Build builds the kustomization. Equal requests give equal outputs unless NonDeterministic says otherwise. What is
// wrong with the files is a [*manifest.Error]; one about a bound matches [manifest.ErrBound].
func Build(ctx context.Context, req Request) (Output, error) {
	limits := req.Limits.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, limits.Time)
	defer cancel()
	if !fs.ValidPath(cleaned(req.Dir)) {
		return Output{}, &manifest.Error{Problem: fmt.Sprintf("path %q is outside of the tree", req.Dir), Remedy: "write a path relative to its root"}
	}
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return Output{}, tookTooLong(ctx.Err())
	}
	files := newFiles(ctx, req, limits)
	built, err := run(files, "/"+cleaned(req.Dir))
	if files.failed != nil {
		// kustomize takes a file that cannot be read for one that does not exist and goes on; this is the reason.
		return Output{}, files.failed
	}
	if ctx.Err() != nil {
		return Output{}, tookTooLong(ctx.Err())
	}
	if err != nil {
		return Output{}, &manifest.Error{File: cleaned(req.Dir), Problem: "cannot be built: " + shortened(err.Error())}
	}
	out := Output{Inputs: files.inputs(), NonDeterministic: files.nonDeterministic()}
	out.Resources, err = resources(built, limits.OutputBytes)
	return out, err
}

// cleaned writes a path as io/fs does. One that leaves the root stays recognisable.
func cleaned(dir string) string {
	dir = strings.TrimPrefix(strings.TrimSuffix(dir, "/"), "./")
	if dir == "" {
		return "."
	}
	return dir
}

func tookTooLong(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &manifest.Error{Problem: "building took too long and was ended", Remedy: "make the kustomization smaller", Cause: errors.Join(manifest.ErrBound, err)}
}

// run calls kustomize, which is known to panic on data that it does not expect.
func run(files *files, dir string) (built resmap.ResMap, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("kustomize gave up: %v", problem)
		}
	}()
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone
	options.PluginConfig = types.DisabledPluginConfig()
	return krusty.MakeKustomizer(options).Run(files, dir)
}

// shortened bounds a text for a message and puts it on one line.
func shortened(text string) string {
	const most = 600
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

func resources(built resmap.ResMap, limit int) ([]Resource, error) {
	var out []Resource
	size := 0
	for _, r := range built.Resources() {
		data, err := r.AsYAML()
		if err != nil {
			return nil, fmt.Errorf("print %s: %w", r.CurId(), err)
		}
		if size += len(data); size > limit {
			return nil, &manifest.Error{Problem: fmt.Sprintf("what is built has more than %d bytes", limit), Remedy: "split the kustomization", Cause: manifest.ErrBound}
		}
		gvk := r.GetGvk()
		out = append(out, Resource{
			Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Namespace: r.GetNamespace(), Name: r.GetName(),
			YAML: data, ClusterScoped: gvk.IsClusterScoped(),
		})
	}
	return out, nil
}

// YAML writes the resources as one stream, as "kustomize build" prints them.
func (o Output) YAML() []byte {
	var out bytes.Buffer
	for i, r := range o.Resources {
		if i > 0 {
			out.WriteString("---\n")
		}
		out.Write(r.YAML)
	}
	return out.Bytes()
}

// Layout says how files are named.
type Layout string

// The layouts. The names are those of Kargo's kustomize-build step.
const (
	LayoutKargo     Layout = "kargo"     // [namespace-]kind-name.yaml
	LayoutKustomize Layout = "kustomize" // [namespace_][group_]version_kind_name.yaml, the namespace if there are several
)

// File is one file of a layout.
type File struct {
	Path string // a plain file name
	Data []byte
}

// Files gives every resource a file. Two resources of the same file name are an error, since one would be lost.
func (o Output) Files(layout Layout) ([]File, error) {
	var namespaces []string
	for _, r := range o.Resources {
		if namespace := r.effectiveNamespace(); !r.ClusterScoped && !slices.Contains(namespaces, namespace) {
			namespaces = append(namespaces, namespace)
		}
	}
	var files []File
	taken := map[string]bool{}
	for _, r := range o.Resources {
		name := r.fileName(layout, len(namespaces) > 1)
		if taken[name] || strings.ContainsAny(name, `/\`) {
			return nil, &manifest.Error{Problem: fmt.Sprintf("%s %q makes the file %q, which another resource makes already or which is no file name", r.Kind, r.Name, name), Remedy: "write one file instead of a folder"}
		}
		taken[name] = true
		files = append(files, File{Path: name, Data: r.YAML})
	}
	return files, nil
}

func (r Resource) effectiveNamespace() string {
	if r.Namespace == "" {
		return "default"
	}
	return r.Namespace
}

func (r Resource) fileName(layout Layout, several bool) string {
	separator, parts := "-", []string{r.Namespace, r.Kind, r.Name}
	if layout == LayoutKustomize {
		separator, parts = "_", []string{r.Namespace, r.Group, r.Version, r.Kind, r.Name}
		if !several || r.ClusterScoped {
			parts[0] = ""
		}
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return strings.ToLower(strings.Join(parts, separator)) + ".yaml"
}
