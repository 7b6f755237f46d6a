package render

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/kro"
)

// DefinitionTree is a tree of files beside the repository that holds ResourceGraphDefinitions, such as another folder or
// another repository. All of it is looked through. A kind that the repository defines itself counts, not one of a tree; of
// two trees the first.
type DefinitionTree struct {
	Name string // required; stands before the names of its files in findings, such as ../platform
	Tree fs.FS  // required
	// Key is equal for equal content. What is found with a tree without one is not remembered.
	Key string
}

// NewDefinitionTree returns a tree whose Key is made of the definitions in it.
func NewDefinitionTree(ctx context.Context, name string, tree fs.FS) (DefinitionTree, error) {
	files, err := manifest.Scan(ctx, tree, manifest.Query{Kinds: manifest.Kro()})
	if err != nil {
		return DefinitionTree{}, fmt.Errorf("find definitions: %w", err)
	}
	parts := []string{name}
	for _, file := range files {
		parts = append(parts, file.Path, fmt.Sprint(file.Err))
		for _, doc := range file.Documents {
			parts = append(parts, fmt.Sprint(doc.Line), string(doc.Raw))
		}
	}
	return DefinitionTree{Name: name, Tree: tree, Key: digest(parts...)}, nil
}

// place is a file of the tree as findings name it.
func (t DefinitionTree) place(file string) string {
	return strings.TrimSuffix(t.Name, "/") + "/" + file
}

// DefinitionRepository is another repository that holds ResourceGraphDefinitions, in a folder of it.
type DefinitionRepository struct {
	URL      string // required; below one of [Options.Fetch]
	Revision string // branch, tag or commit; "" is the default branch
	Path     string // "" is all of it
}

// definitions adds the trees of the repositories to the options, and says which are not there.
func (f *fetching) definitions(ctx context.Context, opts Options) (Options, []Finding) {
	var findings []Finding
	opts.DefinitionTrees = slices.Clone(opts.DefinitionTrees)
	for _, r := range opts.DefinitionRepositories {
		remote, err := f.repository(ctx, r.URL, r.Revision)
		dir := path.Join(".", r.Path)
		if err == nil {
			remote.Tree, err = fs.Sub(remote.Tree, dir)
		}
		if err != nil {
			for _, one := range finding.FromError("definitions-not-fetched", err) {
				one.Message = "definitions: " + one.Message
				if errors.Is(err, manifest.ErrElsewhere) {
					one.Severity = finding.Warning
				}
				findings = append(findings, one)
			}
			continue
		}
		opts.DefinitionTrees = append(opts.DefinitionTrees, DefinitionTree{
			Name: path.Join(repositoryName(r.URL), dir), Tree: remote.Tree, Key: remote.ID + " " + dir,
		})
	}
	return opts, findings
}

// treesKey is equal for equal trees; it is false when one of them does not know what it holds.
func treesKey(trees []DefinitionTree) (string, bool) {
	var parts []string
	for _, t := range trees {
		if t.Key == "" {
			return "", false
		}
		parts = append(parts, t.Name, t.Key)
	}
	return digest(parts...), true
}

// inTrees finds the definitions of the trees.
func (e *Engine) inTrees(ctx context.Context, trees []DefinitionTree) ([]manifest.File, error) {
	var files []manifest.File
	for _, t := range trees {
		found, err := e.index.Scan(ctx, t.Tree, manifest.Query{Kinds: manifest.Kro()})
		if err != nil {
			return nil, fmt.Errorf("find definitions in %s: %w", t.Name, err)
		}
		for _, file := range found {
			files = append(files, t.named(file))
		}
	}
	return files, nil
}

func (e *Engine) readDefinitions(files []manifest.File) ([]kro.Definition, []Finding) {
	var definitions []kro.Definition
	var findings []Finding
	for _, file := range files {
		findings = append(findings, finding.FromError("invalid-manifest", file.Err)...)
		for _, doc := range file.Documents {
			one := e.definition(doc)
			findings = append(findings, one.findings...)
			if one.ok {
				definitions = append(definitions, one.definition)
			}
		}
	}
	return definitions, findings
}

// readDefinition is what reading a document came to.
type readDefinition struct {
	definition kro.Definition
	findings   []Finding
	ok         bool
}

// definition reads a document, or remembers having done so.
func (e *Engine) definition(doc manifest.Document) readDefinition {
	key := digest(doc.File, fmt.Sprint(doc.Line), string(doc.Raw))
	if known, ok := e.read.Get(key); ok {
		return known
	}
	var one readDefinition
	one.definition, one.findings, one.ok = kro.Read(doc)
	e.read.Put(key, one, 1)
	return one
}

// named gives a file of the tree its name in findings. The file itself is remembered and stays as it is.
func (t DefinitionTree) named(file manifest.File) manifest.File {
	out := manifest.File{Path: t.place(file.Path)}
	for _, doc := range file.Documents {
		doc.File = t.place(doc.File)
		out.Documents = append(out.Documents, doc)
	}
	if file.Err == nil {
		return out
	}
	var problems []error
	for _, problem := range manifest.Errors(file.Err) {
		renamed := *problem
		renamed.File = t.place(renamed.File)
		problems = append(problems, &renamed)
	}
	out.Err = errors.Join(problems...)
	return out
}
