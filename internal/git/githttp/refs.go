package githttp

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
