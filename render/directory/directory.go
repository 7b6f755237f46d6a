// Package directory renders a plain directory of manifests as Argo CD does.
//
// It owns which files count and how a file becomes objects. Namespaces, duplicates and the expansion of custom resources
// are its caller's. Rules follow Argo CD 3.6: reposerver/repository findManifests.
package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/gobwas/glob"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// MaxSize is how many bytes the manifests of one directory may have together (Argo CD's default).
const MaxSize = 10 << 20

// SkipMarker is the text by which a file says that it is not to be rendered.
const SkipMarker = "+argocd:skip-file-rendering"

// Request says what to render.
type Request struct {
	Tree    fs.FS  // required
	Path    string // required; the folder, relative to Tree
	Recurse bool
	Include string // glob without separators: a star crosses slashes; "" includes everything
	Exclude string
}

// Result is what a directory holds.
type Result struct {
	Objects  []object.Object // in the order of a lexical walk; empty when Failed
	Inputs   []string        // files read, in that order
	Findings []finding.Finding
	Failed   bool // Argo CD refuses to render the directory; the error findings say why
}

var manifestName = regexp.MustCompile(`\.(yaml|yml|json|jsonnet)$`)

// Render reads the directory. One file that Argo CD refuses fails the whole directory, as there.
func Render(ctx context.Context, req Request) Result {
	r := &renderer{req: req}
	r.include = r.pattern("include", req.Include)
	r.exclude = r.pattern("exclude", req.Exclude)
	files, err := r.files(ctx)
	if err == nil {
		err = r.prefetch(ctx, files)
	}
	for _, file := range files {
		if err != nil {
			break
		}
		if err = ctx.Err(); err == nil {
			err = r.file(file)
		}
	}
	if err != nil {
		r.out.Failed, r.out.Objects = true, nil
		for _, f := range finding.FromError("invalid-manifest", err) {
			if f.File == "" {
				f.Code = "invalid-source"
			}
			r.out.Findings = append(r.out.Findings, f)
		}
	}
	return r.out
}

type renderer struct {
	req              Request
	include, exclude matcher
	size             int
	out              Result
}

// pattern compiles a glob. One that is no glob matches nothing, as in Argo CD, and is reported.
func (r *renderer) pattern(key, text string) matcher {
	if text == "" {
		return nil
	}
	g, err := glob.Compile(text)
	if err == nil && len(text) > maxPattern {
		err = fmt.Errorf("longer than %d characters", maxPattern)
	}
	if err != nil {
		r.out.Findings = append(r.out.Findings, finding.Finding{
			Severity: finding.Error, Code: "invalid-glob",
			Message: fmt.Sprintf("directory.%s %q is not a pattern (%v), so it matches no file", key, text, err), Remedy: "correct the pattern",
		})
		return nothing{}
	}
	return g
}

// maxPattern keeps a hostile pattern's backtracking short.
const maxPattern = 1000

type matcher interface{ Match(string) bool }

type nothing struct{}

func (nothing) Match(string) bool { return false }

func (r *renderer) files(ctx context.Context) ([]string, error) {
	root := path.Clean(r.req.Path)
	if !fs.ValidPath(root) {
		return nil, &manifest.Error{Problem: fmt.Sprintf("path %q is outside the repository", r.req.Path), Remedy: "write a path relative to its root"}
	}
	var files []string
	err := fs.WalkDir(r.req.Tree, root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && name == root:
			return &manifest.Error{Problem: fmt.Sprintf("path %q does not exist at this commit", r.req.Path), Remedy: "create it or correct spec.source.path", Cause: err}
		case err != nil:
			return fmt.Errorf("list %q: %w", name, err)
		case ctx.Err() != nil:
			return ctx.Err()
		case entry.IsDir():
			if name != root && !r.req.Recurse {
				return fs.SkipDir
			}
			return nil
		case !manifestName.MatchString(entry.Name()) || !r.wanted(relative(root, name)):
			return nil
		case entry.Type()&fs.ModeSymlink != 0:
			return &manifest.Error{File: name, Problem: "is a symbolic link, which is not followed", Remedy: "put the file itself here"}
		case !entry.Type().IsRegular():
			return &manifest.Error{File: name, Problem: "is not a regular file"}
		}
		files = append(files, name)
		return nil
	})
	return files, err
}

func relative(root, name string) string {
	if root == "." {
		return name
	}
	return strings.TrimPrefix(name, root+"/")
}

func (r *renderer) wanted(name string) bool {
	if r.exclude != nil && r.exclude.Match(name) {
		return false
	}
	return r.include == nil || r.include.Match(name)
}

func (r *renderer) prefetch(ctx context.Context, files []string) error {
	tree, ok := r.req.Tree.(manifest.Prefetcher)
	if !ok || len(files) < 2 {
		return nil
	}
	if err := tree.Prefetch(ctx, files...); err != nil {
		return fmt.Errorf("prefetch %d files: %w", len(files), err)
	}
	return nil
}

func (r *renderer) file(name string) error {
	data, err := manifest.ReadFile(r.req.Tree, name)
	if err != nil {
		return err
	}
	r.out.Inputs = append(r.out.Inputs, name)
	if r.size += len(data); r.size > MaxSize {
		return &manifest.Error{File: name, Problem: fmt.Sprintf("with this file the directory's manifests have more than %d bytes together", MaxSize), Remedy: "split the application", Cause: manifest.ErrBound}
	}
	if strings.Contains(string(data), SkipMarker) {
		return nil
	}
	if strings.HasSuffix(name, ".jsonnet") {
		r.out.Findings = append(r.out.Findings, finding.Finding{
			Severity: finding.Warning, Code: "not-rendered-offline", File: name, Message: "Jsonnet cannot be rendered offline yet: what this file makes is not shown",
		})
		return nil
	}
	objects, err := parse(name, data)
	r.out.Objects = append(r.out.Objects, objects...)
	return err
}
