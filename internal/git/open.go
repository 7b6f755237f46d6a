package git

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"time"
)

// FileMode is the mode of an entry of a Git tree in the terms of io/fs.
func FileMode(mode uint32) fs.FileMode {
	switch {
	case mode == modeTree:
		return fs.ModeDir | 0o755
	case mode == modeSymlink:
		return fs.ModeSymlink | 0o777
	case mode == modeSubmodule:
		return fs.ModeIrregular
	case mode&0o111 != 0:
		return 0o755
	}
	return 0o644
}

// NewFileInfo describes the entry of a Git tree at a path, of size bytes. Git keeps no modification time: it is zero.
func NewFileInfo(name string, mode uint32, size int) fs.FileInfo {
	return &fileInfo{name: path.Base(name), mode: FileMode(mode), size: int64(size)}
}

// NewFile is the open file at a path of a Git tree. It reads from data.
func NewFile(name string, mode uint32, data []byte) fs.File {
	return &openFile{Reader: bytes.NewReader(data), info: NewFileInfo(name, mode, len(data))}
}

// NewDir is the open folder at a path of a Git tree. Its entries are read in the order given.
func NewDir(name string, entries []fs.DirEntry) fs.ReadDirFile {
	return &openDir{info: NewFileInfo(name, modeTree, 0), rest: entries}
}

type fileInfo struct {
	name string
	mode fs.FileMode
	size int64
}

func (f *fileInfo) Name() string       { return f.name }
func (f *fileInfo) Size() int64        { return f.size }
func (f *fileInfo) Mode() fs.FileMode  { return f.mode }
func (f *fileInfo) ModTime() time.Time { return time.Time{} }
func (f *fileInfo) IsDir() bool        { return f.mode.IsDir() }
func (f *fileInfo) Sys() any           { return nil }
func (f *fileInfo) String() string     { return fs.FormatFileInfo(f) }

type openFile struct {
	*bytes.Reader
	info fs.FileInfo
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Close() error               { return nil }

type openDir struct {
	info fs.FileInfo
	rest []fs.DirEntry
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.Name(), Err: errIsDirectory}
}

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(d.rest) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.rest) {
		n = len(d.rest)
	}
	out := d.rest[:n:n]
	d.rest = d.rest[n:]
	return out, nil
}
