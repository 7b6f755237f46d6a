// Package directory renders a plain directory of manifests as Argo CD does.
//
// It owns which files count and how a file, or what a Jsonnet program prints, becomes objects. Namespaces, duplicates and the
// expansion of custom resources are its caller's. Rules follow Argo CD 3.6: reposerver/repository findManifests.
package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/gobwas/glob"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/jsonnet"
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
	Jsonnet Jsonnet
}

// Jsonnet is how the directory's Jsonnet files are evaluated.
type Jsonnet struct {
	Libs    []string
	TLAs    []jsonnet.Variable
	ExtVars []jsonnet.Variable
	// Evaluate is where they are evaluated; nil means in this process.
	Evaluate func(context.Context, jsonnet.Request) (jsonnet.Output, error)
}

// Result is what a directory holds.
type Result struct {
	Objects  []object.Object // in the order of a lexical walk; empty when Failed
	Inputs   []string        // files read, in that order, and then those that Jsonnet imports
	Findings []finding.Finding
	Failed   bool // Argo CD refuses to render the directory; the error findings say why
	Partial  bool // objects of Jsonnet files are missing, because evaluating them was beyond a bound of ours
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
	if err == nil {
		err = r.all(ctx, files)
	}
	if err != nil {
		r.out.Partial = errors.Is(err, context.DeadlineExceeded) // of our time; Argo CD has its own
		r.out.Failed, r.out.Objects = !r.out.Partial, nil
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

// all reads the files, evaluates the programs among them, and puts together what they hold in the order of the walk.
func (r *renderer) all(ctx context.Context, files []string) error {
	var programs []string
	objects := make([][]object.Object, len(files))
	for i, file := range files {
		if err := ctx.Err(); err != nil {
			return tookTooLong(err)
		}
		data, err := r.read(file)
		switch {
		case err != nil:
			return err
		case strings.Contains(string(data), SkipMarker):
		case isProgram(file):
			programs = append(programs, file)
		default:
			if objects[i], err = parse(file, data); err != nil {
				return err
			}
		}
	}
	if len(programs) > 0 {
		made, err := r.programs(ctx, programs)
		if err != nil {
			return err
		}
		for i, file := range files {
			objects[i] = append(objects[i], made[file]...)
		}
	}
	r.out.Objects = slices.Concat(objects...)
	return nil
}

func tookTooLong(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &manifest.Error{Problem: "reading the directory took too long and was ended", Remedy: "split the application", Cause: err}
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

// read reads a file. Programs do not count for the size that the manifests may have together, as in Argo CD.
func (r *renderer) read(name string) ([]byte, error) {
	data, err := manifest.ReadFile(r.req.Tree, name)
	if err != nil {
		return nil, err
	}
	r.out.Inputs = append(r.out.Inputs, name)
	if isProgram(name) {
		return data, nil
	}
	if r.size += len(data); r.size > MaxSize {
		return nil, &manifest.Error{File: name, Problem: fmt.Sprintf("with this file the directory's manifests have more than %d bytes together", MaxSize), Remedy: "split the application", Cause: manifest.ErrBound}
	}
	return data, nil
}
