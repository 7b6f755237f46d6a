package githttp

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// Refs reads the refs of a bare repository and its HEAD from the files that Git keeps them in (gitrepository-layout,
// "refs" and "packed-refs"): IDs of objects, or "ref: " and the name of another ref. It starts no process. A repository that
// keeps its refs otherwise is [errors.ErrUnsupported].
func Refs(dir string) (map[string]string, error) {
	if _, err := os.Stat(filepath.Join(dir, "reftable")); err == nil {
		return nil, fmt.Errorf("refs of %q: a reftable: %w", dir, errors.ErrUnsupported)
	}
	// Loose refs come first: a ref that is packed meanwhile is in one of the two, and the loose one is the newer.
	refs, err := looseRefs(dir)
	if err != nil {
		return nil, fmt.Errorf("refs of %q: %w", dir, err)
	}
	packed, err := optional(filepath.Join(dir, "packed-refs"))
	if err != nil {
		return nil, fmt.Errorf("refs of %q: %w", dir, err)
	}
	for line := range strings.Lines(packed) {
		id, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if ok && !strings.HasPrefix(line, "#") {
			refs[name] = cmp.Or(refs[name], id)
		}
	}
	return refs, nil
}

// Ref reads one ref as [Refs] does, by its full name; "" when there is none of that name. It reads two files at most, however many
// refs there are.
func Ref(dir, name string) (string, error) {
	if _, err := os.Stat(filepath.Join(dir, "reftable")); err == nil {
		return "", fmt.Errorf("ref %q of %q: a reftable: %w", name, dir, errors.ErrUnsupported)
	}
	if path.Clean(name) != name || !filepath.IsLocal(filepath.FromSlash(name)) {
		return "", nil
	}
	text, err := optional(filepath.Join(dir, filepath.FromSlash(name)))
	folder := errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOTDIR) // of other refs, or below another ref
	if err != nil && !folder {
		return "", fmt.Errorf("ref %q of %q: %w", name, dir, err)
	}
	if text != "" {
		return strings.TrimSpace(text), nil
	}
	packed, err := optional(filepath.Join(dir, "packed-refs"))
	if err != nil {
		return "", fmt.Errorf("ref %q of %q: %w", name, dir, err)
	}
	for line := range strings.Lines(packed) {
		if id, of, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " "); ok && of == name && !strings.HasPrefix(line, "#") {
			return id, nil
		}
	}
	return "", nil
}

// looseRefs reads HEAD and the refs that have a file of their own.
func looseRefs(dir string) (map[string]string, error) {
	head, err := os.ReadFile(filepath.Join(dir, "HEAD")) //nolint:gosec // the caller names the repository
	if err != nil {
		return nil, err
	}
	refs := map[string]string{"HEAD": strings.TrimSpace(string(head))}
	err = filepath.WalkDir(filepath.Join(dir, "refs"), func(file string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted meanwhile
		}
		if err != nil || entry.IsDir() || strings.HasSuffix(file, ".lock") {
			return err
		}
		text, err := optional(file)
		if name, inside := strings.CutPrefix(filepath.ToSlash(file), filepath.ToSlash(dir)+"/"); inside && text != "" {
			refs[name] = strings.TrimSpace(text)
		}
		return err
	})
	return refs, err
}

// optional reads a file, "" when there is none.
func optional(file string) (string, error) {
	text, err := os.ReadFile(file) //nolint:gosec // inside a repository that the caller names
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}
