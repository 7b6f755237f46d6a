package helm

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// head is what identifies an object.
type head struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
}

// described fills in the identity. A document that has none, such as one of comments, keeps it empty.
func described(m Manifest) Manifest {
	var h head
	if err := yaml.Unmarshal([]byte(m.Data), &h); err != nil {
		return m
	}
	m.Group, _, _ = strings.Cut(h.APIVersion, "/")
	if !strings.Contains(h.APIVersion, "/") {
		m.Group = ""
	}
	m.Kind, m.Namespace, m.Name = h.Kind, h.Metadata.Namespace, h.Metadata.Name
	return m
}

// documents splits a file that is no template.
func documents(name, data string) []Manifest {
	split := releaseutil.SplitManifests(data)
	var out []Manifest
	for i := range len(split) {
		out = append(out, described(Manifest{Path: name, Data: split[fmt.Sprintf("manifest-%d", i)]}))
	}
	return out
}

// YAML writes the manifests as one stream, each with a comment that names its template, as "helm template" prints them.
func (o Output) YAML() []byte {
	var out bytes.Buffer
	for _, m := range o.Manifests {
		write(&out, m)
	}
	return out.Bytes()
}

func write(out *bytes.Buffer, m Manifest) {
	fmt.Fprintf(out, "---\n# Source: %s\n%s\n", m.Path, strings.TrimRight(m.Data, "\n"))
}

// Layout says how manifests are spread over files.
type Layout string

// The layouts. The names are those of Kargo's helm-template step.
const (
	LayoutHelm Layout = "helm" // one file per template, at the template's path
	LayoutFlat Layout = "flat" // one file per object, named [group-]kind-[namespace-]name.yaml
)

// File is one file of a layout.
type File struct {
	Path string // relative, valid for io/fs
	Data []byte
}

// Files spreads the manifests over files, in the order in which each first occurs. In the flat layout documents without
// kind or name are named resource-N.yaml, and two objects of the same file name are an error, since one would be lost.
func (o Output) Files(layout Layout) ([]File, error) {
	var order []string
	contents := map[string]*bytes.Buffer{}
	for i, m := range o.Manifests {
		name := m.Path
		if layout == LayoutFlat {
			name = flatName(m, i)
			if _, taken := contents[name]; taken || strings.ContainsAny(name, `/\`) {
				return nil, &manifest.Error{File: m.Path, Problem: fmt.Sprintf("makes the file %q, which another object makes already or which is no file name", excerpt(name)), Remedy: "use the layout helm"}
			}
		}
		if contents[name] == nil {
			contents[name] = &bytes.Buffer{}
			order = append(order, name)
		}
		if layout == LayoutFlat {
			contents[name].WriteString(strings.TrimSpace(m.Data) + "\n")
		} else {
			write(contents[name], m)
		}
	}
	var files []File
	for _, name := range order {
		files = append(files, File{Path: path.Clean(name), Data: contents[name].Bytes()})
	}
	return files, nil
}

func flatName(m Manifest, i int) string {
	if m.Kind == "" || m.Name == "" {
		return fmt.Sprintf("resource-%d.yaml", i)
	}
	var parts []string
	if m.Group != "" {
		parts = append(parts, strings.ReplaceAll(m.Group, ".", "_"))
	}
	parts = append(parts, m.Kind)
	if m.Namespace != "" {
		parts = append(parts, m.Namespace)
	}
	return strings.ToLower(strings.Join(append(parts, m.Name), "-")) + ".yaml"
}
