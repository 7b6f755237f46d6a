package worker

import (
	"errors"
	"io/fs"
	"path"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

const (
	// unasked is how large a file may be to be sent as soon as somebody looks at it: engines read most of what they look at.
	unasked = 256 << 10
	// What is sent with a job of its folder.
	maxSent      = 200
	maxSentBytes = 1 << 20
	// entrySize is what an entry takes beside its name.
	entrySize = 32
)

// look describes a path of the parent's tree, and reads it when it is a file that is small or whose content is wanted.
func look(files fs.FS, name string, content bool) (file, []byte) {
	out := file{Path: name}
	if !fs.ValidPath(name) {
		out.Missing = true
		return out, nil
	}
	info, err := fs.Lstat(files, name)
	if err != nil {
		return refused(out, err), nil
	}
	out.Mode, out.Size = info.Mode(), info.Size()
	switch {
	case info.IsDir():
		entries, err := fs.ReadDir(files, name)
		if err != nil {
			return refused(out, err), nil
		}
		size := 0
		for _, e := range entries {
			if size += entrySize + len(e.Name()); size > maxHead/2 {
				return refused(out, &manifest.Error{File: name, Problem: "the folder has more files than are looked at", Remedy: "split it", Cause: manifest.ErrBound}), nil
			}
			out.Entries = append(out.Entries, entry{e.Name(), e.Type()})
		}
	case info.Mode().IsRegular() && (content || out.Size <= unasked):
		data, err := manifest.ReadFile(files, name)
		if err != nil {
			return refused(out, err), nil
		}
		out.Whole = true
		return out, data
	}
	return out, nil
}

func refused(f file, err error) file {
	if errors.Is(err, fs.ErrNotExist) {
		return file{Path: f.Path, Missing: true}
	}
	return file{Path: f.Path, Failure: &failuresOf(err)[0]}
}

// send calls write for a folder and what is below it, as far as it is small.
func send(files fs.FS, dir string, write func(file, []byte) error) error {
	if dir == "" || !fs.ValidPath(dir) {
		return nil
	}
	sent, bytes := 0, 0
	var below func(name string) error
	below = func(name string) error {
		if sent >= maxSent || bytes >= maxSentBytes {
			return nil
		}
		f, data := look(files, name, false)
		sent++
		bytes += len(data)
		if err := write(f, data); err != nil {
			return err
		}
		for _, e := range f.Entries {
			if err := below(path.Join(name, e.Name)); err != nil {
				return err
			}
		}
		return nil
	}
	return below(dir)
}
