package render

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/directory"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/jsonnet"
	"github.com/lockkeeper/lockkeeper/render/kro/schema"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// sourceOutput is what the sources of one Application hold, before kro and namespaces.
type sourceOutput struct {
	key      string
	objects  []object.Object
	inputs   []string
	findings []Finding
	random   []string // functions that templates called and that answer differently every time
	failed   bool     // Argo CD would refuse to render it
	partial  bool     // one of the sources was not rendered

	transient bool // the next time it may be another
	moves     bool // the next time the key may be another, although nothing changed in the repository
}

// capabilities are what charts may ask of the cluster that they are for.
type capabilities struct {
	kubeVersion string   // "" is unknown
	apiVersions []string // besides Kubernetes' own
}

func capabilitiesOf(app argocd.Application, known []argocd.Cluster) capabilities {
	cluster, _ := argocd.FindCluster(app.Destination, known)
	return capabilities{cluster.KubernetesVersion, cluster.APIVersions}
}

// or returns what a source says itself, and these where it says nothing. A cluster of which nothing is known is a new one.
func (c capabilities) or(kubeVersion string, apiVersions []string) (version string, versions []string) {
	if len(apiVersions) == 0 {
		apiVersions = c.apiVersions
	}
	return cmp.Or(kubeVersion, c.kubeVersion, schema.Version), apiVersions
}

// contentID is equal for folders that hold the same. A tree that does not know its object ids is read for it.
func contentID(tree fs.FS, dir string) string {
	if !fs.ValidPath(dir) {
		return "invalid"
	}
	if identifier, ok := tree.(manifest.Identifier); ok {
		id, err := identifier.ObjectID(dir)
		if err != nil {
			return "none: " + err.Error()
		}
		return id
	}
	var all []string
	err := fs.WalkDir(tree, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		all = append(all, name, entry.Type().String())
		if !entry.Type().IsRegular() {
			return nil
		}
		sum, err := contentSum(tree, name)
		all = append(all, sum)
		return err
	})
	if err != nil {
		return "none: " + err.Error()
	}
	return digest(all...)
}

// contentSum hashes as much of a file as anybody here would read.
func contentSum(tree fs.FS, name string) (string, error) {
	file, err := tree.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // nothing was written
	h := sha256.New()
	_, err = io.Copy(h, io.LimitReader(file, manifest.MaxFileSize+1))
	return hex.EncodeToString(h.Sum(nil)), err
}

func (o *sourceOutput) add(other sourceOutput) {
	o.objects = append(o.objects, other.objects...)
	o.inputs = append(o.inputs, other.inputs...)
	o.findings = append(o.findings, other.findings...)
	o.random = append(o.random, other.random...)
	o.failed = o.failed || other.failed
	o.partial = o.partial || other.partial
	o.transient = o.transient || other.transient
}

// without is the output of a source that is not rendered: what it deploys is unknown.
func without(code, message, remedy string) sourceOutput {
	return sourceOutput{findings: []Finding{{Severity: finding.Warning, Code: code, Message: message, Remedy: remedy}}, partial: true}
}

// notAFolder is the output of a source whose path is a file, or leads through a link. A path that does not exist is left to the
// engine.
func notAFolder(tree fs.FS, written string) (sourceOutput, bool) {
	dir := path.Clean(written)
	if !fs.ValidPath(dir) || dir == "." {
		return sourceOutput{}, false
	}
	for i, c := range dir + "/" {
		if c != '/' {
			continue
		}
		info, err := fs.Lstat(tree, dir[:i])
		switch {
		case err != nil:
			return sourceOutput{}, false
		case info.Mode()&fs.ModeSymlink != 0:
			return without("not-rendered-offline", fmt.Sprintf("%s is a symbolic link, which is not followed: what it deploys is not shown", dir[:i]), "give the path of the folder itself"), true
		case !info.IsDir():
			err := &manifest.Error{Problem: fmt.Sprintf("path %q is a file", dir[:i]), Remedy: "give the path of a folder"}
			return sourceOutput{findings: finding.FromError("invalid-source", err), failed: true}, true
		}
	}
	return sourceOutput{}, false
}

func (s *sourcing) directory(ctx context.Context, tree *reading, source argocd.Source) sourceOutput {
	options, err := source.JsonnetOptions()
	if err != nil {
		return unrendered("invalid-source", err)
	}
	req := directory.Request{Tree: tree, Path: source.Path, Jsonnet: directory.Jsonnet{Libs: options.Libs}}
	req.Jsonnet.Evaluate = func(ctx context.Context, req jsonnet.Request) (jsonnet.Output, error) {
		return s.workers.jsonnet(ctx, req, tree)
	}
	if d := source.Directory; d != nil {
		req.Recurse, req.Include, req.Exclude = d.Recurse, d.Include, d.Exclude
	}
	req.Jsonnet.TLAs, req.Jsonnet.ExtVars = variablesOf(s.app, source, options.TLAs), variablesOf(s.app, source, options.ExtVars)
	result := directory.Render(ctx, req)
	return sourceOutput{objects: result.Objects, findings: result.Findings, failed: result.Failed, partial: result.Partial}
}

// variablesOf puts the build environment into the values of Jsonnet's variables, as Argo CD does.
func variablesOf(app argocd.Application, s argocd.Source, written []argocd.JsonnetVariable) []jsonnet.Variable {
	var out []jsonnet.Variable
	known := app.Variables(s)
	for _, v := range written {
		out = append(out, jsonnet.Variable{Name: v.Name, Value: os.Expand(v.Value, known), Code: v.Code})
	}
	return out
}

// sourceKind is the engine that renders a source.
type sourceKind string

const (
	plainDirectory sourceKind = "plain directory"
	helmChart      sourceKind = "Helm chart"
	kustomization  sourceKind = "kustomization"
	plugin         sourceKind = "source with a config management plugin"
)

// kindOfSource takes the explicit block, else looks at the folder's files: the last one in lexical order that tells
// decides, as Argo CD's walk does.
func kindOfSource(tree fs.FS, s argocd.Source, dir string) (sourceKind, error) {
	var explicit []sourceKind
	for kind, present := range map[sourceKind]bool{
		plainDirectory: s.Directory != nil, helmChart: s.Helm != nil, kustomization: s.Kustomize != nil, plugin: s.Plugin != nil,
	} {
		if present {
			explicit = append(explicit, kind)
		}
	}
	switch slices.Sort(explicit); len(explicit) {
	case 0:
		return discover(tree, dir)
	case 1:
		return explicit[0], nil
	default:
		return "", &manifest.Error{Problem: fmt.Sprintf("multiple application sources defined: %v", explicit), Remedy: "keep one of them"}
	}
}

func discover(tree fs.FS, dir string) (sourceKind, error) {
	if !fs.ValidPath(dir) {
		return plainDirectory, nil // the engine says what is wrong with the path
	}
	entries, err := fs.ReadDir(tree, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return plainDirectory, nil
	}
	if err != nil {
		return "", fmt.Errorf("list %q: %w", dir, err)
	}
	kind := plainDirectory
	for _, entry := range entries {
		switch name := entry.Name(); {
		case entry.IsDir():
		case strings.HasSuffix(name, "Chart.yaml"):
			kind = helmChart
		case name == "kustomization.yaml", name == "kustomization.yml", name == "Kustomization":
			kind = kustomization
		}
	}
	return kind, nil
}
