package local

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/internal/git"
)

// maxChanged bounds the bytes of changed files that are read from the work tree.
const maxChanged = 256 << 20

// WorkTree returns the files on disk, without ignored ones: the commit that is checked out, with everything that changed
// laid over it. A bare repository has none: ErrNoWorkTree. So many new files that they were most likely meant to be ignored
// are ErrTooMuch.
func (r *Repository) WorkTree(ctx context.Context) (*Tree, error) {
	if r.bare {
		return nil, fmt.Errorf("%w: %q is a bare repository; name a commit instead", ErrNoWorkTree, r.dir)
	}
	root, err := r.checkedOut(ctx)
	if err != nil {
		return nil, err
	}
	out, err := run(ctx, "look for changes", r.dir, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=all")
	if err != nil {
		return nil, err
	}
	disk, err := os.OpenRoot(r.dir)
	if err != nil {
		return nil, fmt.Errorf("open work tree: %w", err)
	}
	defer disk.Close() //nolint:errcheck // nothing was written
	change := &change{below: map[string]*change{}}
	s := &snapshot{repo: r, disk: disk}
	for name, gone := range parseStatus(out) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.add(change, name, gone); err != nil {
			return nil, fmt.Errorf("read %q: %w", name, err)
		}
	}
	id, err := r.overlay(root, change)
	if err != nil {
		return nil, fmt.Errorf("work tree: %w", err)
	}
	return &Tree{repo: r, root: id}, nil
}

// checkedOut is the tree of the commit that is checked out, the empty one before the first commit.
func (r *Repository) checkedOut(ctx context.Context) (string, error) {
	out, err := run(ctx, "read HEAD", r.dir, "rev-parse", "--verify", "--quiet", "HEAD^{tree}")
	switch {
	case err == nil:
		return line(out), nil
	case exitCode(err) < 0:
		return "", err
	}
	return r.EmptyTree().root, nil
}

// parseStatus reads what `git status --porcelain -z` prints: every path that differs from the commit, and whether it is
// gone from the work tree. Names that are not UTF-8 are left out.
func parseStatus(out []byte) map[string]bool {
	changes := map[string]bool{}
	for record := range strings.SplitSeq(string(out), "\x00") {
		if len(record) < 4 || record[2] != ' ' {
			continue
		}
		index, disk, name := record[0], record[1], record[3:]
		if strings.HasSuffix(name, "/") || !utf8.ValidString(name) || !fs.ValidPath(name) {
			continue // a repository inside this one is listed as a folder
		}
		if index == '?' {
			changes[name] = false
			continue
		}
		if _, known := changes[name]; !known {
			changes[name] = disk == 'D' || index == 'D' && disk == ' '
		}
	}
	return changes
}

// change is what is different at one path: an entry, its absence, or changes below.
type change struct {
	entry entry // its zero value: gone
	below map[string]*change
}

// snapshot reads changed files from disk.
type snapshot struct {
	repo *Repository
	disk *os.Root
	held int
}

func (s *snapshot) add(root *change, name string, gone bool) error {
	var e entry
	if !gone {
		var err error
		e, err = s.read(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	here := root
	parts := strings.Split(name, "/")
	for i, part := range parts {
		if here.below == nil {
			here.below = map[string]*change{}
		}
		next, ok := here.below[part]
		if !ok {
			next = &change{}
			here.below[part] = next
		}
		if i == len(parts)-1 {
			next.entry = e
		}
		here = next
	}
	return nil
}

// read makes the entry of a file on disk. What is neither a file nor a link counts as gone, as for git.
func (s *snapshot) read(name string) (entry, error) {
	base := name[strings.LastIndexByte(name, '/')+1:]
	info, err := s.disk.Lstat(name)
	if err != nil {
		return entry{}, err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := s.disk.Readlink(name)
		if err != nil {
			return entry{}, err
		}
		return entry{name: base, mode: modeSymlink, id: s.repo.objects.hold("blob", []byte(target))}, nil
	case !info.Mode().IsRegular():
		return entry{}, nil
	}
	e := entry{name: base, mode: modeFile}
	if info.Mode()&0o111 != 0 {
		e.mode = modeExecutable
	}
	e.id, err = s.content(name, info.Size())
	return e, err
}

// content holds a file and returns its id. Of a file that is too large to be read as a manifest only the id is known.
func (s *snapshot) content(name string, size int64) (string, error) {
	file, err := s.disk.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // nothing was written
	if size > git.MaxBlobSize {
		h := s.repo.objects.begin("blob", size)
		if _, err := io.Copy(h, file); err != nil {
			return "", err
		}
		id := hex.EncodeToString(h.Sum(nil))
		s.repo.objects.refuse(id)
		return id, nil
	}
	data, err := io.ReadAll(io.LimitReader(file, git.MaxBlobSize+1))
	if err != nil {
		return "", err
	}
	if s.held += len(data); s.held > maxChanged {
		return "", fmt.Errorf("%w: files that are not committed hold more than %d MiB; commit them, or name them in .gitignore", ErrTooMuch, maxChanged>>20)
	}
	return s.repo.objects.hold("blob", data), nil
}

// overlay lays changes over a tree object and returns the id of the result. Folders without changes stay what they are.
func (r *Repository) overlay(id string, c *change) (string, error) {
	raw, err := r.objects.tree(id)
	if err != nil {
		return "", err
	}
	entries, err := parseTree(raw, r.objects.size)
	if err != nil {
		return "", err
	}
	old := map[string]entry{}
	for _, e := range entries {
		old[e.name] = e
	}
	for name, at := range c.below {
		e, err := r.changed(name, old[name], at)
		if err != nil {
			return "", err
		}
		delete(old, name)
		if e.mode != 0 {
			old[name] = e
		}
	}
	return r.holdTree(old)
}

// changed is the entry of a name after its changes; its mode is 0 when nothing is left.
func (r *Repository) changed(name string, old entry, c *change) (entry, error) {
	if c.entry.mode != 0 {
		return c.entry, nil
	}
	if len(c.below) == 0 {
		return entry{}, nil
	}
	from := old.id
	if !old.isTree() {
		from = r.EmptyTree().root
	}
	id, err := r.overlay(from, c)
	if err != nil {
		return entry{}, err
	}
	if id == r.objects.id("tree", nil) {
		return entry{}, nil
	}
	return entry{name: name, mode: modeTree, id: id}, nil
}

func (r *Repository) holdTree(entries map[string]entry) (string, error) {
	sorted := make([]entry, 0, len(entries))
	for _, e := range entries {
		sorted = append(sorted, e)
	}
	key := func(e entry) string {
		if e.isTree() {
			return e.name + "/"
		}
		return e.name
	}
	slices.SortFunc(sorted, func(a, b entry) int { return strings.Compare(key(a), key(b)) })
	raw, err := printTree(sorted)
	if err != nil {
		return "", err
	}
	return r.objects.hold("tree", raw), nil
}
