package argocd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// files returns the files that the patterns take, sorted. Patterns are Git's own for paths, as in git ls-files: a star crosses
// slashes, and a folder stands for all that is below it (Argo CD's default globbing).
func (f *folders) files(ctx context.Context, p patterns) ([]string, error) {
	include, err := pathspecs(p.include)
	if err != nil {
		return nil, err
	}
	exclude, err := pathspecs(p.exclude)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, dir := range stems(p.include) {
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
			case entry.Type().IsRegular() && matchesAny(include, name) && !matchesAny(exclude, name):
				found = append(found, name)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look for files in %q: %w", dir, err)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// stems are the folders in which everything is that the patterns can match, without those inside others.
func stems(include []string) []string {
	var dirs []string
	for _, pattern := range include {
		dir := path.Clean(pattern)
		if strings.ContainsAny(pattern, `*?[\`) {
			dir = stem(pattern)
		}
		if fs.ValidPath(dir) {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	var out []string
	for _, dir := range dirs {
		if len(out) == 0 || out[len(out)-1] != "." && dir != out[len(out)-1] && !strings.HasPrefix(dir, out[len(out)-1]+"/") {
			out = append(out, dir)
		}
	}
	return out
}

func matchesAny(specs []*regexp.Regexp, name string) bool {
	return slices.ContainsFunc(specs, func(r *regexp.Regexp) bool { return r.MatchString(name) })
}

func pathspecs(patterns []string) ([]*regexp.Regexp, error) {
	out := make([]*regexp.Regexp, len(patterns))
	for i, pattern := range patterns {
		compiled, err := pathspec(pattern)
		if err != nil {
			return nil, err
		}
		out[i] = compiled
	}
	return out, nil
}

// maxPathspec bounds a pattern.
const maxPathspec = 1000

// pathspec compiles one of Git's patterns for paths. One without wildcards stands for everything below it, too.
func pathspec(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxPathspec {
		return nil, fmt.Errorf("path has %d characters, at most %d", len(pattern), maxPathspec)
	}
	var b strings.Builder
	b.WriteString(`^(?s:`)
	rest := strings.TrimSuffix(pattern, "/")
	for rest != "" {
		c := rest[0]
		switch {
		case c == '*':
			b.WriteString(`.*`)
		case c == '?':
			b.WriteString(`.`)
		case c == '\\' && len(rest) > 1:
			rest = rest[1:]
			b.WriteString(regexp.QuoteMeta(rest[:1]))
		case c == '[':
			if end := strings.IndexByte(rest[min(2, len(rest)):], ']'); end >= 0 {
				class := rest[1 : end+2]
				negated := strings.HasPrefix(class, "!") || strings.HasPrefix(class, "^")
				class = strings.NewReplacer(`\`, `\\`, `[`, `\[`, `^`, `\^`).Replace(strings.TrimLeft(class, "!^"))
				if negated {
					class = "^" + class
				}
				b.WriteString("[" + class + "]")
				rest = rest[end+2:]
				break
			}
			b.WriteString(`\[`)
		default:
			b.WriteString(regexp.QuoteMeta(rest[:1]))
		}
		rest = rest[1:]
	}
	b.WriteString(`)`)
	if !strings.ContainsAny(pattern, `*?[`) {
		b.WriteString(`(/.*)?`)
	}
	b.WriteString(`$`)
	compiled, err := regexp.Compile(b.String())
	if err != nil {
		return nil, fmt.Errorf("path %q is not a pattern", pattern)
	}
	return compiled, nil
}

// How many files one generator, and all of an ApplicationSet together, may read, each time counted.
const (
	maxFiles = 20_000
	maxRead  = 100_000
)

// fileSets evaluates a git generator over files: each gives one parameter set, or one for each item of a list.
func (e *expansion) fileSets(ctx context.Context, spec gitSpec) ([]params, error) {
	var wanted patterns
	for _, item := range spec.Files {
		if item.Exclude {
			wanted.exclude = append(wanted.exclude, item.Path)
		} else {
			wanted.include = append(wanted.include, item.Path)
		}
	}
	names, known, err := e.filesOf(ctx, wanted)
	if err != nil {
		return nil, err
	}
	if !known {
		if err := e.look(ctx, wanted, names); err != nil {
			return nil, err
		}
	}
	if e.read += len(names); len(names) > maxFiles || e.read > maxRead {
		return nil, fmt.Errorf("files takes %d files, and the ApplicationSet %d in all: at most %d and %d", len(names), e.read, maxFiles, maxRead)
	}
	var out []params
	for _, name := range names {
		sets, err := e.fileParams(ctx, name, spec)
		if err != nil {
			return nil, err
		}
		out = append(out, sets...)
	}
	return out, nil
}

// filesOf returns the files that the patterns take. In a matrix the same are asked for again and again.
func (e *expansion) filesOf(ctx context.Context, wanted patterns) (names []string, known bool, err error) {
	for _, l := range e.lookups {
		if l.files != nil && slices.Equal(l.files.include, wanted.include) && slices.Equal(l.files.exclude, wanted.exclude) {
			return l.found, true, nil
		}
	}
	names, err = e.folders.files(ctx, wanted)
	return names, false, err
}

// look remembers what the patterns took, and gets the files in one request.
func (e *expansion) look(ctx context.Context, wanted patterns, names []string) (err error) {
	look := lookup{files: &wanted, found: names, ids: make([]string, len(names))}
	if tree, ok := e.in.Tree.(manifest.Identifier); ok {
		for i, name := range names {
			if look.ids[i], err = tree.ObjectID(name); err != nil {
				return fmt.Errorf("look at %q: %w", name, err)
			}
		}
	}
	e.lookups = append(e.lookups, look)
	if tree, ok := e.in.Tree.(manifest.Prefetcher); ok && len(names) > 1 && len(names) <= maxFiles {
		if err := tree.Prefetch(ctx, names...); err != nil {
			return fmt.Errorf("prefetch %d files: %w", len(names), err)
		}
	}
	return nil
}

func (e *expansion) fileParams(ctx context.Context, name string, spec gitSpec) ([]params, error) {
	data, err := manifest.ReadFile(e.in.Tree, name)
	if err != nil {
		return nil, err
	}
	docs, err := manifest.Split(name, data)
	if err != nil {
		return nil, err
	}
	contents := []any{map[string]any{}}
	if len(docs) > 0 {
		switch content := floats(manifest.Free(docs[0].Node)).(type) {
		case map[string]any:
			contents = []any{content}
		case []any:
			contents = content
		default:
			return nil, &manifest.Error{File: name, Problem: "is neither a mapping nor a list of mappings, so the git generator takes no parameters from it", Remedy: "write a mapping, or exclude the file"}
		}
	}
	var out []params
	for _, content := range contents {
		tree, ok := content.(map[string]any)
		if !ok {
			return nil, &manifest.Error{File: name, Problem: "holds a list with something else than mappings", Remedy: "write a list of mappings"}
		}
		own, err := e.dialect.directoryParams(ctx, path.Dir(name), spec, e.around)
		if err != nil {
			return nil, err
		}
		e.dialect.addFile(own, name, spec.PathParamPrefix)
		if e.dialect.goTemplate {
			out = append(out, overlaid(tree, own))
			continue
		}
		for key, text := range flatten("", tree, map[string]string{}) {
			if _, taken := own[key]; !taken {
				own[key] = text
			}
		}
		out = append(out, own)
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
