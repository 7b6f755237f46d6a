// Package archive holds tar archives in memory as trees of files: charts and OCI artifacts. It owns the bounds of what is
// unpacked. Only folders and regular files are kept; links and devices are passed over, as Helm does.
package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// ErrTooLarge says that an archive holds more than is unpacked.
var ErrTooLarge = errors.New("the archive is too large")

// Options say how an archive is read. Limits that are zero have their defaults.
type Options struct {
	// ID is equal for equal archives, such as a digest. "": the tree does not know its object ids.
	ID string
	// Unwrap leaves out the folder around all files.
	Unwrap bool
	Files  int // files at most; 10,000
	Bytes  int // unpacked bytes at most; 50 MiB
}

// Open reads an archive, zipped or not.
func Open(data []byte, options Options) (*Tree, error) {
	if options.Files == 0 {
		options.Files = 10_000
	}
	if options.Bytes == 0 {
		options.Bytes = 50 << 20
	}
	var unzipped io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		reader, err := gzip.NewReader(unzipped)
		if err != nil {
			return nil, fmt.Errorf("unzip: %w", err)
		}
		defer reader.Close() //nolint:errcheck // nothing was written
		unzipped = reader
	}
	t := &Tree{id: options.ID, nodes: map[string]*node{".": {name: "."}}}
	if err := t.read(tar.NewReader(io.LimitReader(unzipped, 2*int64(options.Bytes))), options); err != nil {
		return nil, err
	}
	for _, n := range t.nodes {
		slices.SortFunc(n.entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return t, nil
}

// Single is a tree of one file. The id is equal for equal content.
func Single(name string, data []byte, id string) (*Tree, error) {
	if !fs.ValidPath(name) || strings.Contains(name, "/") || name == "." {
		return nil, fmt.Errorf("%q is no name of a file", name)
	}
	t := &Tree{id: id, nodes: map[string]*node{".": {name: "."}}}
	return t, t.add(name, data)
}

// Tree is an unpacked archive. It implements [fs.FS] and may be read by many at once.
type Tree struct {
	id    string
	nodes map[string]*node // by path
}

// node is a file or a folder.
type node struct {
	name    string // the last part of its path
	file    bool
	data    []byte
	entries []fs.DirEntry // of a folder
}

func (t *Tree) read(tarball *tar.Reader, options Options) error {
	files, left := 0, options.Bytes
	for {
		header, err := tarball.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("it is no tar archive, or not a whole one: %w", err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		name := path.Clean(strings.ReplaceAll(header.Name, `\`, "/"))
		if options.Unwrap {
			_, name, _ = strings.Cut(name, "/")
		}
		if !fs.ValidPath(name) || name == "." {
			return fmt.Errorf("it holds the file %q, whose path is not one inside of it", header.Name)
		}
		data, err := io.ReadAll(io.LimitReader(tarball, int64(left)+1))
		if err != nil {
			return fmt.Errorf("read %q: %w", name, err)
		}
		if files++; files > options.Files || len(data) > left {
			return fmt.Errorf("with %q it has more than %d files or %d bytes: %w", name, options.Files, options.Bytes, ErrTooLarge)
		}
		left -= len(data)
		if err := t.add(name, data); err != nil {
			return err
		}
	}
}

// add puts a file into its folders. The last one of a name counts.
func (t *Tree) add(name string, data []byte) error {
	if known, ok := t.nodes[name]; ok {
		if !known.file {
			return fmt.Errorf("%q is both a file and a folder in it", name)
		}
		known.data = data
		return nil
	}
	const deepest = 100
	if strings.Count(name, "/") > deepest {
		return fmt.Errorf("%q lies more than %d folders deep: %w", path.Base(name), deepest, ErrTooLarge)
	}
	n := &node{name: path.Base(name), file: true, data: data}
	for at := name; at != "."; {
		t.nodes[at] = n
		at = path.Dir(at)
		parent, ok := t.nodes[at]
		if !ok {
			parent = &node{name: path.Base(at)}
		} else if parent.file {
			return fmt.Errorf("%q is both a file and a folder in it", at)
		}
		parent.entries = append(parent.entries, fs.FileInfoToDirEntry(n))
		if ok {
			return nil
		}
		n = parent
	}
	return nil
}

func (t *Tree) find(operation, name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: operation, Path: name, Err: fs.ErrInvalid}
	}
	n, ok := t.nodes[name]
	if !ok {
		return nil, &fs.PathError{Op: operation, Path: name, Err: fs.ErrNotExist}
	}
	return n, nil
}

// Open implements fs.FS.
func (t *Tree) Open(name string) (fs.File, error) {
	n, err := t.find("open", name)
	if err != nil {
		return nil, err
	}
	if n.file {
		return &openFile{n, *bytes.NewReader(n.data)}, nil
	}
	return &openFolder{n, n.entries}, nil
}

// ReadFile implements fs.ReadFileFS.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	n, err := t.find("read", name)
	if err != nil {
		return nil, err
	}
	if !n.file {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("it is a folder")}
	}
	return bytes.Clone(n.data), nil
}

// ReadDir implements fs.ReadDirFS.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := t.find("list", name)
	if err != nil {
		return nil, err
	}
	if n.file {
		return nil, &fs.PathError{Op: "list", Path: name, Err: errors.New("it is a file")}
	}
	return slices.Clone(n.entries), nil
}

// Stat implements fs.StatFS.
func (t *Tree) Stat(name string) (fs.FileInfo, error) { return t.find("stat", name) }

// ObjectID is equal for folders and files that hold the same: those at the same path of equal archives.
func (t *Tree) ObjectID(name string) (string, error) {
	if _, err := t.find("identify", name); err != nil || t.id == "" {
		return "", err
	}
	return t.id + " " + name, nil
}

// Size is how many bytes its files have.
func (t *Tree) Size() int {
	size := 0
	for _, n := range t.nodes {
		size += len(n.data)
	}
	return size
}

// Name implements fs.FileInfo.
func (n *node) Name() string { return n.name }

// Size implements fs.FileInfo.
func (n *node) Size() int64 { return int64(len(n.data)) }

// Mode implements fs.FileInfo.
func (n *node) Mode() fs.FileMode {
	if n.file {
		return 0o444
	}
	return fs.ModeDir | 0o555
}

// ModTime implements fs.FileInfo.
func (n *node) ModTime() time.Time { return time.Time{} }

// IsDir implements fs.FileInfo.
func (n *node) IsDir() bool { return !n.file }

// Sys implements fs.FileInfo.
func (n *node) Sys() any { return nil }

type openFile struct {
	*node
	bytes.Reader
}

// Stat implements fs.File.
func (f *openFile) Stat() (fs.FileInfo, error) { return f.node, nil }

// Size implements fs.FileInfo.
func (f *openFile) Size() int64 { return f.node.Size() }

// Close implements fs.File.
func (f *openFile) Close() error { return nil }

type openFolder struct {
	*node
	left []fs.DirEntry
}

// Stat implements fs.File.
func (f *openFolder) Stat() (fs.FileInfo, error) { return f.node, nil }

// Read implements fs.File.
func (f *openFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.name, Err: errors.New("it is a folder")}
}

// Close implements fs.File.
func (f *openFolder) Close() error { return nil }

// ReadDir implements fs.ReadDirFile.
func (f *openFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 || n > len(f.left) {
		if n > 0 && len(f.left) == 0 {
			return nil, io.EOF
		}
		n = len(f.left)
	}
	out := slices.Clone(f.left[:n])
	f.left = f.left[n:]
	return out, nil
}
