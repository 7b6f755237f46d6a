package render

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/jsonnet"
)

const (
	// overridden is the lead of a folder in which Argo CD finds more of the source: what it says is for the Application to tell.
	overridden = "\x00overridden"
	// engine is the lead of a folder in which manifests are made: a chart, a kustomization or a program. It leads nowhere.
	engine = "\x00engine"
	// everywhere is the lead of what cannot be followed: it may be read from anywhere.
	everywhere = "/"
	// maxLeads bounds how many paths of one file are followed.
	maxLeads = 2000
)

// isProgram reports whether a file may import others for Jsonnet.
func isProgram(name string) bool {
	return strings.HasSuffix(name, ".jsonnet") || strings.HasSuffix(name, ".libsonnet")
}

// importsOf is the border of a Jsonnet file.
func importsOf(tree fs.FS, name string) (border, error) {
	data, err := manifest.ReadFile(tree, name)
	if errors.Is(err, manifest.ErrBound) || errors.Is(err, fs.ErrNotExist) {
		return border{}, nil // no renderer reads it either
	}
	if err != nil {
		return border{}, err
	}
	imports, ok := jsonnet.Imports(data)
	if !ok || len(imports) > maxLeads {
		return border{leads: []string{everywhere}}, nil
	}
	return border{imports: imports}, nil
}

// matters reports whether an import may lead out of the folder that it is looked for in: by itself, or because nothing is known
// of what the file in it imports.
func matters(i jsonnet.Import) bool {
	return strings.HasPrefix(path.Clean(i.Path), "..") || i.Code && !isProgram(i.Path)
}

// leadsOf lists every path in a file that leads out of its folder.
func leadsOf(tree fs.FS, name string) ([]string, error) {
	if strings.HasPrefix(path.Base(name), ".argocd-source") {
		return []string{overridden}, nil
	}
	l := &leadFinder{tree: tree, dir: path.Dir(name), seen: map[string]bool{name: true}}
	if path.Base(name) != requirements { // it is one of a chart
		l.leads = []string{engine}
	}
	err := l.file(name)
	return l.leads, err
}

// leadFinder looks through a file, and through the configurations of plugins that it names.
type leadFinder struct {
	tree  fs.FS
	dir   string
	seen  map[string]bool
	leads []string
}

func (l *leadFinder) file(name string) error {
	data, err := manifest.ReadFile(l.tree, name)
	if errors.Is(err, manifest.ErrBound) || errors.Is(err, fs.ErrNotExist) {
		return nil // no renderer reads it either
	}
	if err != nil {
		return err
	}
	return l.text(name, data)
}

func (l *leadFinder) text(name string, data []byte) error {
	docs, err := manifest.Split(name, data)
	if err != nil {
		l.add(everywhere) // kustomize and Helm may read what we cannot
	}
	for _, doc := range docs {
		if err := l.node(doc.Node, ""); err != nil {
			return err
		}
	}
	return nil
}

// plugins are the lists of a kustomization whose entries are configurations, in a file or as they are.
var plugins = []string{"generators", "transformers", "validators"}

func (l *leadFinder) node(n *yaml.Node, list string) error {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if err := l.node(n.Content[i+1], n.Content[i].Value); err != nil {
				return err
			}
		}
		return nil
	}
	if n.Kind == yaml.AliasNode && slices.Contains(plugins, list) {
		if n = n.Alias; n.Kind != yaml.ScalarNode {
			l.add(everywhere) // it is looked through where it stands, as something else
			return nil
		}
	}
	if n.Kind != yaml.ScalarNode {
		for _, child := range n.Content {
			if err := l.node(child, list); err != nil {
				return err
			}
		}
		return nil
	}
	for _, text := range []string{n.Value, n.Value[strings.IndexByte(n.Value, '=')+1:]} {
		if text = strings.TrimPrefix(text, "file://"); leadsOut(text) {
			l.add(text)
		}
	}
	if !slices.Contains(plugins, list) {
		return nil
	}
	return l.plugin(n.Value)
}

// plugin looks through a configuration, or the file of one.
func (l *leadFinder) plugin(written string) error {
	name := fromRoot(l.dir, written)
	switch {
	case strings.Contains(written, "\n"):
		return l.text(name, []byte(written))
	case leadsOut(written) || strings.Contains(written, "://"):
		l.add(everywhere) // its configuration may name anything
		return nil
	case l.seen[name]:
		return nil
	}
	l.seen[name] = true
	if info, err := fs.Lstat(l.tree, name); err == nil && !info.Mode().IsRegular() {
		return nil // a folder or a link is refused
	}
	return l.file(name)
}

func (l *leadFinder) add(lead string) {
	const longest = 1000
	if len(lead) > longest {
		lead = everywhere
	}
	switch {
	case slices.Contains(l.leads, lead):
	case len(l.leads) >= maxLeads:
		l.leads[len(l.leads)-1] = everywhere
	default:
		l.leads = append(l.leads, lead)
	}
}

func leadsOut(text string) bool {
	return text == ".." || strings.HasPrefix(text, "../") || strings.Contains(text, "/../") || strings.HasPrefix(text, "/")
}
