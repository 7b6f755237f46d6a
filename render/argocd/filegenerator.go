package argocd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// files returns the files that the patterns take, sorted.
func (f *folders) files(ctx context.Context, p patterns) ([]string, error) {
	include, err := newFileMatcher(p.include, f.doublestar)
	if err != nil {
		return nil, err
	}
	exclude, err := newFileMatcher(p.exclude, f.doublestar)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, dir := range include.stems() {
		err := fs.WalkDir(f.tree, dir, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist) && name == dir:
				return nil
			case err != nil:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			case entry.IsDir() && entry.Name() == ".git":
				return fs.SkipDir
			case entry.IsDir() && f.doublestar && name != "." && include.matches(name):
				return &generatorError{
					problem: fmt.Sprintf("the patterns take the folder %q too, which Argo CD cannot read as a file", name),
					remedy:  "end the pattern with what only files are called, such as *.yaml",
				}
			case entry.Type().IsRegular() && include.matches(name) && !exclude.matches(name):
				found = append(found, name)
			}
			return nil
		})
		if _, wrong := errors.AsType[*generatorError](err); wrong {
			return nil, err
		}
		if err != nil {
			return nil, fmt.Errorf("look for files in %q: %w", dir, err)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// How many files one generator, and all of an ApplicationSet together, may read, each time counted.
const (
	maxFiles = 20_000
	maxRead  = 100_000
)

// fileSets evaluates a git generator over files: each gives one parameter set, or one for each item of a list.
func (e *expansion) fileSets(ctx context.Context, f *folders, spec gitSpec) ([]params, error) {
	var wanted patterns
	for _, item := range spec.Files {
		if item.Exclude {
			wanted.exclude = append(wanted.exclude, item.Path)
		} else {
			wanted.include = append(wanted.include, item.Path)
		}
	}
	names, known, err := e.filesOf(ctx, f, wanted)
	if err != nil {
		return nil, err
	}
	if !known {
		if err := e.look(ctx, f, wanted, names); err != nil {
			return nil, err
		}
	}
	if e.read += len(names); len(names) > maxFiles || e.read > maxRead {
		return nil, fmt.Errorf("files takes %d files, and the ApplicationSet %d in all: at most %d and %d", len(names), e.read, maxFiles, maxRead)
	}
	var out []params
	for _, name := range names {
		sets, err := e.fileParams(ctx, f.tree, name, spec)
		if err != nil {
			return nil, err
		}
		out = append(out, sets...)
	}
	return out, nil
}

// filesOf returns the files that the patterns take. In a matrix the same are asked for again and again.
func (e *expansion) filesOf(ctx context.Context, f *folders, wanted patterns) (names []string, known bool, err error) {
	for _, l := range e.lookups {
		if l.files != nil && l.in == f && slices.Equal(l.files.include, wanted.include) && slices.Equal(l.files.exclude, wanted.exclude) {
			return l.found, true, nil
		}
	}
	names, err = f.files(ctx, wanted)
	return names, false, err
}

// look remembers what the patterns took, and gets the files in one request.
func (e *expansion) look(ctx context.Context, f *folders, wanted patterns, names []string) (err error) {
	look := lookup{files: &wanted, in: f, found: names, ids: make([]string, len(names))}
	if tree, ok := f.tree.(manifest.Identifier); ok {
		for i, name := range names {
			if look.ids[i], err = tree.ObjectID(name); err != nil {
				return fmt.Errorf("look at %q: %w", name, err)
			}
		}
	}
	e.lookups = append(e.lookups, look)
	if tree, ok := f.tree.(manifest.Prefetcher); ok && len(names) > 1 && len(names) <= maxFiles {
		if err := tree.Prefetch(ctx, names...); err != nil {
			return fmt.Errorf("prefetch %d files: %w", len(names), err)
		}
	}
	return nil
}

// fileParams reads one file: the values of the generator may use what it holds. What is said of its path replaces what it says of
// one itself.
func (e *expansion) fileParams(ctx context.Context, tree fs.FS, name string, spec gitSpec) ([]params, error) {
	contents, err := contentsOf(tree, name)
	if err != nil {
		return nil, err
	}
	out := make([]params, 0, len(contents))
	for _, content := range contents {
		own := e.dialect.pathParams(path.Dir(name), spec.PathParamPrefix)
		e.dialect.addFile(own, name, spec.PathParamPrefix)
		p := params(content)
		if !e.dialect.goTemplate {
			p = params{}
			for key, text := range flatten("", content, map[string]string{}) {
				p[key] = text
			}
		}
		maps.Copy(p, own)
		if err := e.dialect.addValues(ctx, p, spec.Values, e.around); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// contentsOf reads a file as a mapping, or a list of some. One that holds nothing is an empty mapping.
func contentsOf(tree fs.FS, name string) ([]map[string]any, error) {
	data, err := manifest.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	docs, err := manifest.Split(name, data)
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 {
		return []map[string]any{{}}, nil
	}
	items, isList := floats(manifest.Free(docs[0].Node)).([]any)
	if !isList {
		items = []any{floats(manifest.Free(docs[0].Node))}
	}
	out := make([]map[string]any, len(items))
	for i, item := range items {
		switch content := item.(type) {
		case map[string]any:
			out[i] = content
		case nil:
			out[i] = map[string]any{}
		default:
			if isList {
				return nil, &manifest.Error{File: name, Problem: "holds a list with something else than mappings", Remedy: "write a list of mappings"}
			}
			return nil, &manifest.Error{File: name, Problem: "is neither a mapping nor a list of mappings, so the git generator takes no parameters from it", Remedy: "write a mapping, or exclude the file"}
		}
	}
	return out, nil
}

// floats makes every number a float64, as the JSON that Argo CD reads files by does: a large one is printed with an exponent.
func floats(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case map[string]any:
		for key, item := range v {
			v[key] = floats(item)
		}
	case []any:
		for i, item := range v {
			v[i] = floats(item)
		}
	}
	return v
}

// addFile adds the name of the file to the parameters of its folder.
func (d dialect) addFile(p params, name, prefix string) {
	base := path.Base(name)
	if !d.goTemplate {
		at := "path"
		if prefix != "" {
			at = prefix + ".path"
		}
		p[at+".filename"], p[at+".filenameNormalized"] = base, SanitizeName(base)
		return
	}
	holder := map[string]any(p)
	if prefix != "" {
		holder, _ = p[prefix].(map[string]any)
	}
	if about, ok := holder["path"].(map[string]any); ok {
		about["filename"], about["filenameNormalized"] = base, SanitizeName(base)
	}
}
