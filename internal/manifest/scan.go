package manifest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
)

// Kind names a kind of Kubernetes object without its version. In a [Query], an empty Kind stands for all of the group.
type Kind struct{ Group, Kind string }

// String prints "group/Kind".
func (k Kind) String() string { return k.Group + "/" + k.Kind }

// Kargo lists the kinds of a promotion pipeline: all of Kargo's group, so that a mistyped kind is found too, and its kinds of a
// group that is missing or mistyped.
func Kargo() []Kind {
	const group = "kargo.akuity.io"
	kinds := []Kind{{Group: group}, {"argoproj.io", "AnalysisTemplate"}, {"argoproj.io", "ClusterAnalysisTemplate"}}
	for _, kind := range []string{"Project", "ProjectConfig", "Warehouse", "Stage", "PromotionTask", "ClusterPromotionTask"} {
		kinds = append(kinds, Kind{group, kind}, Kind{"", kind})
	}
	return kinds
}

// ArgoCD lists the kinds that say what is deployed where, that of Image Updater, which says what is updated there, and the
// Secrets, sealed and external ones included, of which only those of clusters are found: see [ClusterSecretLabel].
func ArgoCD() []Kind {
	const group = "argoproj.io"
	return []Kind{
		{group, "Application"},
		{group, "ApplicationSet"},
		{group, "AppProject"},
		{"argocd-image-updater." + group, "ImageUpdater"},
		{"", "Secret"},
		{"bitnami.com", "SealedSecret"},
		{"external-secrets.io", "ExternalSecret"},
	}
}

// ClusterSecretLabel is the label, with the value "cluster", of the Secrets that tell Argo CD of clusters.
const ClusterSecretLabel = "argocd.argoproj.io/secret-type"

// marks are the kinds of which a document is wanted only when it holds a text, because most of them say nothing to us.
var marks = map[Kind]string{
	{"", "Secret"}: ClusterSecretLabel, {"bitnami.com", "SealedSecret"}: ClusterSecretLabel, {"external-secrets.io", "ExternalSecret"}: ClusterSecretLabel,
}

// Kro lists the kinds that define other kinds by templates.
func Kro() []Kind { return []Kind{{"kro.run", "ResourceGraphDefinition"}} }

// Mark is the text that a document of a kind must hold to be found, "" for a kind of which every document is.
func Mark(kind Kind) string { return marks[kind] }

// Query says what a scan looks for.
type Query struct {
	Kinds []Kind   // required
	Paths []string // files and folders to look into; empty means everywhere
}

// File is one file with at least one document of a wanted kind, or one that could not be read.
type File struct {
	Path      string
	Documents []Document // the wanted ones only, in order
	Err       error      // joins one *Error per document that looked wanted and could not be parsed; nil when all could
}

// Identifier is what a tree of files may know beside its files: the object id of a file or folder, equal for equal
// content. A Git tree has it for nothing.
type Identifier interface {
	ObjectID(name string) (string, error)
}

// Prefetcher is a tree of files that can get many files at once cheaper than one by one.
type Prefetcher interface {
	Prefetch(ctx context.Context, names ...string) error
}

// Scan finds the wanted documents below fsys, in path order. It fails when the tree cannot be read; what is wrong with
// one file, or with one of the query's paths, is that File's Err.
func Scan(ctx context.Context, fsys fs.FS, q Query) ([]File, error) {
	return NewIndex(0).Scan(ctx, fsys, q)
}

// Index remembers what scans found, by the object id of each folder, so that a folder which did not change is never
// listed or read again. It is safe for concurrent use. Trees without [Identifier] are scanned every time.
type Index struct {
	limit int
	mu    sync.Mutex
	found map[indexKey][]File
	kinds map[string]int // numbers of the matchers seen, from 1
}

// indexKey names a folder's content, looked through for some kinds. The path is part of it because documents carry their
// file's name. The zero value names nothing.
type indexKey struct {
	id, dir string
	kinds   int
}

// NewIndex returns an Index that remembers at most limit folders. It forgets everything when it is full, which costs one
// scan.
func NewIndex(limit int) *Index {
	return &Index{limit: limit, found: map[indexKey][]File{}, kinds: map[string]int{}}
}

// Scan is like the function [Scan], with memory.
func (x *Index) Scan(ctx context.Context, fsys fs.FS, q Query) ([]File, error) {
	s := &scan{ctx: ctx, fsys: fsys, index: x, want: newMatcher(q.Kinds)}
	s.kinds = x.number(s.want.key)
	var files []File
	for _, root := range roots(q.Paths) {
		found, err := s.root(root)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	return files, nil
}

// roots cleans the paths, sorts them and leaves out those inside others.
func roots(paths []string) []string {
	if len(paths) == 0 {
		return []string{"."}
	}
	var out []string
	for _, p := range paths {
		p = path.Clean(strings.TrimPrefix(p, "/"))
		out = slices.DeleteFunc(out, func(other string) bool { return inside(other, p) })
		if !slices.ContainsFunc(out, func(other string) bool { return inside(p, other) }) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// inside reports whether name is dir or below it.
func inside(name, dir string) bool {
	return dir == "." || name == dir || strings.HasPrefix(name, dir+"/")
}

func (x *Index) number(kinds string) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n, ok := x.kinds[kinds]
	if !ok {
		n = len(x.kinds) + 1
		x.kinds[kinds] = n
	}
	return n
}

func (x *Index) lookup(key indexKey) ([]File, bool) {
	if key.id == "" {
		return nil, false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	files, ok := x.found[key]
	return files, ok
}

func (x *Index) remember(key indexKey, files []File) {
	if key.id == "" || x.limit == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.found) >= x.limit {
		clear(x.found)
	}
	x.found[key] = files
}

type scan struct {
	ctx   context.Context //nolint:containedctx // lives for one call
	fsys  fs.FS
	index *Index
	want  matcher
	kinds int // the matcher's number in the index
}

func (s *scan) root(root string) ([]File, error) {
	if !fs.ValidPath(root) {
		return []File{{Path: root, Err: &Error{File: root, Problem: fmt.Sprintf("path %q is outside the repository", root), Remedy: "write a path relative to its root"}}}, nil
	}
	info, err := fs.Stat(s.fsys, root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []File{{Path: root, Err: &Error{File: root, Problem: fmt.Sprintf("path %q does not exist in the repository", root), Remedy: "correct the path", Cause: err}}}, nil
	case err != nil:
		return nil, fmt.Errorf("look at %q: %w", root, err)
	case info.IsDir():
		dir, err := s.list(root)
		if err != nil {
			return nil, err
		}
		if err := s.prefetch(dir.pending(nil)); err != nil {
			return nil, err
		}
		return s.collect(dir)
	default:
		return s.file(root)
	}
}

// folder is one folder of the tree: either known from the index or listed and still to be read.
type folder struct {
	key     indexKey
	known   []File
	listed  bool
	entries []entry
}

type entry struct {
	file string  // set for a file to read
	sub  *folder // set for a folder
}

func (f *folder) pending(names []string) []string {
	for _, e := range f.entries {
		if e.sub != nil {
			names = e.sub.pending(names)
		} else {
			names = append(names, e.file)
		}
	}
	return names
}

func (s *scan) list(dir string) (*folder, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	f := &folder{key: s.key(dir)}
	if files, ok := s.index.lookup(f.key); ok {
		f.known = files
		return f, nil
	}
	entries, err := fs.ReadDir(s.fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", dir, err)
	}
	f.listed = true
	chart := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "Chart.yaml" })
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		switch {
		case e.IsDir():
			if e.Name() == ".git" || chart && (e.Name() == "templates" || e.Name() == "charts") {
				continue
			}
			sub, err := s.list(name)
			if err != nil {
				return nil, err
			}
			f.entries = append(f.entries, entry{sub: sub})
		case e.Type().IsRegular() && isManifestName(e.Name()):
			f.entries = append(f.entries, entry{file: name})
		}
	}
	return f, nil
}

func isManifestName(name string) bool {
	ext := path.Ext(name)
	return ext == ".yaml" || ext == ".yml" || ext == ".json"
}

// key is zero when the tree does not know the folder's object id.
func (s *scan) key(dir string) indexKey {
	tree, ok := s.fsys.(Identifier)
	if !ok || s.index.limit == 0 {
		return indexKey{}
	}
	id, err := tree.ObjectID(dir)
	if err != nil || id == "" {
		return indexKey{}
	}
	return indexKey{id: id, dir: dir, kinds: s.kinds}
}

const prefetchBatch = 2000

func (s *scan) prefetch(names []string) error {
	tree, ok := s.fsys.(Prefetcher)
	if !ok {
		return nil
	}
	for batch := range slices.Chunk(names, prefetchBatch) {
		if err := tree.Prefetch(s.ctx, batch...); err != nil {
			return fmt.Errorf("prefetch %d files: %w", len(batch), err)
		}
	}
	return nil
}

func (s *scan) collect(f *folder) ([]File, error) {
	if !f.listed {
		return f.known, nil
	}
	var files []File
	for _, e := range f.entries {
		var found []File
		var err error
		if e.sub != nil {
			found, err = s.collect(e.sub)
		} else {
			found, err = s.file(e.file)
		}
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	s.index.remember(f.key, files)
	return files, nil
}

func (s *scan) file(name string) ([]File, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	data, err := ReadFile(s.fsys, name)
	if errors.Is(err, ErrBound) {
		return nil, nil // too large to be one of the wanted; what renders it complains
	}
	if err != nil {
		return nil, err
	}
	if f := s.want.find(name, data); len(f.Documents) > 0 || f.Err != nil {
		return []File{f}, nil
	}
	return nil, nil
}

// ReadFile reads at most [MaxFileSize] bytes of a file; a larger one is an [*Error] with [ErrBound].
func ReadFile(fsys fs.FS, name string) ([]byte, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(file, MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	if len(data) > MaxFileSize {
		return nil, bound(name, 0, fmt.Sprintf("the file is larger than the %d bytes that are read", MaxFileSize))
	}
	return data, nil
}

// matcher finds documents of wanted kinds, parsing only what can be one.
type matcher struct {
	kinds []Kind
	marks []string // of the kinds, "" for one that needs none
	key   string
}

func newMatcher(kinds []Kind) matcher {
	m := matcher{kinds: slices.Clone(kinds), marks: make([]string, len(kinds))}
	slices.SortFunc(m.kinds, func(a, b Kind) int { return strings.Compare(a.String(), b.String()) })
	names := make([]string, len(m.kinds))
	for i, k := range m.kinds {
		names[i], m.marks[i] = k.String(), marks[k]
	}
	m.key = strings.Join(names, ",")
	return m
}

func (m matcher) find(name string, data []byte) File {
	f := File{Path: name}
	if !m.mentions(data) {
		return f
	}
	docs, err := Separate(name, data)
	if err != nil {
		f.Err = err
		return f
	}
	var problems []error
	for _, doc := range docs {
		if !m.mentions(doc.Raw) {
			continue
		}
		kind, ok, certain := m.head(doc.Raw)
		if !ok {
			continue
		}
		if err := doc.parse(); err != nil && !certain {
			continue // a file of another tool, such as a template, that names a kind of that name
		} else if err != nil {
			if known, ok := errors.AsType[*Error](err); ok {
				known.Kind = kind
			}
			problems = append(problems, err)
			continue
		}
		if kind := doc.GroupKind(); m.wants(kind) && bytes.Contains(doc.Raw, []byte(marks[kind])) {
			f.Documents = append(f.Documents, doc)
		}
	}
	f.Err = errors.Join(problems...)
	return f
}

// mentions reports whether the bytes contain the group and the kind of any wanted kind at all.
func (m matcher) mentions(data []byte) bool {
	group, holds := "", true // a kind without a group may stand anywhere
	for i, k := range m.kinds {
		if k.Group != group {
			group, holds = k.Group, bytes.Contains(data, []byte(k.Group))
		}
		if holds && bytes.Contains(data, []byte(m.marks[i])) && bytes.Contains(data, []byte(k.Kind)) {
			return true
		}
	}
	return false
}

// wants reports whether a kind is wanted: by its name, as one of its group, or as one whose group is mistyped where such are
// looked for.
func (m matcher) wants(kind Kind) bool {
	if slices.Contains(m.kinds, kind) || kind.Group != "" && slices.Contains(m.kinds, Kind{Group: kind.Group}) {
		return true
	}
	return slices.Contains(m.kinds, Kind{"", kind.Kind}) && slices.ContainsFunc(m.kinds, func(k Kind) bool {
		return k.Kind == kind.Kind && k.Group != "" && nearest.Of(kind.Group, []string{k.Group}) != ""
	})
}

// head returns the kind that a line at the left edge names, as in "kind: Stage", where that may be a wanted one; ok is false
// when it is none, and certain tells that its group is a wanted one, too. A document in flow style, such as JSON, has no such
// lines and counts as candidate of no known kind.
func (m matcher) head(raw []byte) (kind string, ok, certain bool) {
	if trimmed := bytes.TrimSpace(raw); bytes.HasPrefix(trimmed, []byte("{")) || bytes.HasPrefix(trimmed, []byte("---")) {
		return "", true, true
	}
	group, known := "", 0
	for line := range bytes.Lines(raw) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		switch string(bytes.Trim(key, `"'`)) {
		case "kind":
			kind = plain(value)
			known++
		case "apiVersion":
			group, _, _ = strings.Cut(plain(value), "/")
			if !strings.Contains(plain(value), "/") {
				group = "" // the core group
			}
			known++
		}
		if known == 2 {
			break
		}
	}
	if kind == "" {
		return "", false, false
	}
	if group == "" {
		// Its group may be written in a way that no line shows; where a kind without one is wanted, it is missing.
		named := slices.ContainsFunc(m.kinds, func(k Kind) bool { return k.Kind == kind })
		return kind, named, named && !slices.Contains(m.kinds, Kind{Kind: kind})
	}
	return kind, m.wants(Kind{group, kind}), true
}

// plain is the text of a scalar that stands on one line.
func plain(value []byte) string {
	value, _, _ = bytes.Cut(value, []byte(" #"))
	return string(bytes.Trim(bytes.TrimSpace(value), `"'`))
}
