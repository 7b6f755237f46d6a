package kustomize

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// Elsewhere names something that a kustomization takes from outside of the tree.
type Elsewhere struct {
	Kind    ElsewhereKind
	URL     string // of a chart repository, a repository of Git, or a file
	Name    string // of a chart
	Version string // of a chart, which may be a range; of a repository a branch, a tag or a commit, "" is its default branch
}

// ElsewhereKind is what can be taken from elsewhere.
type ElsewhereKind string

// The kinds. A file comes as a tree that holds it alone, by the last part of its URL.
const (
	ElsewhereChart      ElsewhereKind = "chart"
	ElsewhereRepository ElsewhereKind = "repository"
	ElsewhereFile       ElsewhereKind = "file"
)

// maxElsewhere is how many repositories and files one build may take from elsewhere.
const maxElsewhere = 50

// elsewhereFolder holds them in the file system that kustomize sees.
const elsewhereFolder = ".elsewhere"

// mount puts what resources and components name elsewhere into the file system, and the paths there in the place of their
// URLs. It reports whether anything was.
func (f *files) mount(c *check, k *types.Kustomization) (bool, error) {
	if f.fetch == nil {
		return false, nil
	}
	mounted := false
	for _, list := range [][]string{k.Resources, k.Components} {
		for i, entry := range list {
			if !isRepository(entry) && !isDownload(entry) {
				continue
			}
			at, err := f.mounted(c, entry)
			if err != nil {
				return false, f.fail(err)
			}
			list[i] = strings.Repeat("../", depth(path.Dir(c.name))) + at
			mounted = true
		}
	}
	return mounted, nil
}

// depth is how many folders a path has.
func depth(dir string) int {
	if dir == "." {
		return 0
	}
	return strings.Count(dir, "/") + 1
}

// mounted fetches what an entry names, once, and returns its path.
func (f *files) mounted(c *check, entry string) (string, error) {
	what, inside, ok := parseElsewhere(entry)
	if !ok {
		return "", c.remote(entry)
	}
	tree, ok := f.tree.(*mountedTree)
	if !ok {
		tree = &mountedTree{FS: f.tree}
		f.tree = tree
	}
	i := slices.IndexFunc(tree.mounts, func(m mount) bool { return m.what == what })
	if i < 0 {
		if len(tree.mounts) == maxElsewhere {
			return "", &manifest.Error{File: c.name, Problem: fmt.Sprintf("more than %d repositories and files are taken from elsewhere", maxElsewhere), Remedy: "look for bases that name each other", Cause: manifest.ErrBound}
		}
		fetched, err := f.fetch(what)
		if problem, ok := errors.AsType[*manifest.Error](err); ok {
			refusal := c.refuse(entry, problem.Problem, strings.TrimPrefix(problem.Remedy+", or copy it into the repository and name the copy", ", or "))
			refusal.Cause = err
			return "", refusal
		}
		if err != nil {
			return "", err
		}
		i = len(tree.mounts)
		tree.mounts = append(tree.mounts, mount{what, fetched})
	}
	return path.Join(elsewhereFolder, fmt.Sprint(i), inside), nil
}

// parseElsewhere reads an entry as kustomize does: the URL of a repository with a folder in it, and its revision behind ?ref=, or
// the URL of a file.
func parseElsewhere(entry string) (what Elsewhere, inside string, ok bool) {
	entry, query, _ := strings.Cut(strings.TrimPrefix(entry, "git::"), "?")
	options, err := url.ParseQuery(query)
	if err != nil || strings.Contains(entry, "%") {
		return Elsewhere{}, "", false
	}
	scheme, rest := "", entry
	if before, after, found := strings.Cut(entry, "://"); found {
		scheme, rest = before+"://", after
	}
	repository, inside, split := strings.Cut(rest, "//")
	if before, after, found := strings.Cut(rest, ".git/"); found && !split {
		repository, inside, split = before+".git", after, true
	}
	switch ext := path.Ext(rest); {
	case split, strings.HasSuffix(rest, ".git"):
	case query == "" && isDownload(entry) && (ext == ".yaml" || ext == ".yml" || ext == ".json"):
		return Elsewhere{Kind: ElsewhereFile, URL: entry}, path.Base(rest), true
	default: // the host, a group and the repository's name
		parts := strings.SplitN(rest, "/", 4)
		if strings.Contains(parts[0], ":") && !strings.Contains(scheme, "http") { // git@host:group
			parts = append([]string{""}, strings.SplitN(rest, "/", 3)...)
		}
		if len(parts) < 3 {
			return Elsewhere{}, "", false
		}
		repository = strings.TrimPrefix(strings.Join(parts[:3], "/"), "/")
		if len(parts) > 3 {
			inside = parts[3]
		}
	}
	if scheme == "" && !strings.Contains(repository, "@") {
		scheme = "https://" // github.com/group/repository
	}
	inside = path.Clean("/" + inside)[1:]
	revision := options.Get("ref")
	if revision == "" {
		revision = options.Get("version")
	}
	return Elsewhere{Kind: ElsewhereRepository, URL: scheme + repository, Version: revision}, inside, true
}

// mount is one tree from elsewhere.
type mount struct {
	what Elsewhere
	tree fs.FS
}

// mountedTree is a tree with others below elsewhereFolder.
type mountedTree struct {
	fs.FS
	mounts []mount
}

// at finds the tree that holds a path, and the path in it.
func (t *mountedTree) at(name string) (fs.FS, string) {
	rest, found := strings.CutPrefix(name, elsewhereFolder+"/")
	if !found {
		return t.FS, name
	}
	number, rest, _ := strings.Cut(rest, "/")
	for i, m := range t.mounts {
		if fmt.Sprint(i) == number {
			if rest == "" {
				rest = "."
			}
			return m.tree, rest
		}
	}
	return t.FS, name
}

// Open implements fs.FS.
func (t *mountedTree) Open(name string) (fs.File, error) {
	tree, name := t.at(name)
	return tree.Open(name)
}

// ReadFile implements fs.ReadFileFS.
func (t *mountedTree) ReadFile(name string) ([]byte, error) {
	tree, name := t.at(name)
	return fs.ReadFile(tree, name)
}

// ReadDir implements fs.ReadDirFS.
func (t *mountedTree) ReadDir(name string) ([]fs.DirEntry, error) {
	tree, name := t.at(name)
	return fs.ReadDir(tree, name)
}

// Stat implements fs.StatFS.
func (t *mountedTree) Stat(name string) (fs.FileInfo, error) {
	if name == elsewhereFolder && len(t.mounts) > 0 {
		return fs.Stat(t.FS, ".")
	}
	tree, name := t.at(name)
	return fs.Stat(tree, name)
}

// Lstat implements fs.ReadLinkFS.
func (t *mountedTree) Lstat(name string) (fs.FileInfo, error) {
	if name == elsewhereFolder && len(t.mounts) > 0 {
		return fs.Stat(t.FS, ".")
	}
	tree, name := t.at(name)
	return fs.Lstat(tree, name)
}

// ReadLink implements fs.ReadLinkFS.
func (t *mountedTree) ReadLink(name string) (string, error) {
	tree, name := t.at(name)
	return fs.ReadLink(tree, name)
}
