package step

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

type tarConfig struct {
	InPath  string `json:"inPath"`
	OutPath string `json:"outPath"`
	Ignore  string `json:"ignore"`
	Gzip    *flag  `json:"gzip"` // true unless said otherwise
}

// tar packs a file, or everything below a folder. Equal files give equal archives: entries are sorted and carry no times and
// no owners.
func (r *run) tar(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg tarConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	out, err := outPath(cfg.OutPath)
	if err != nil {
		return outcome{}, err
	}
	picked, err := r.workspace.pick(ctx, cfg.InPath, cfg.Ignore)
	if err != nil {
		return outcome{}, err
	}
	// What an earlier run packed is no part of the new archive.
	picked.files = slices.DeleteFunc(picked.files, func(file pickedFile) bool { return file.path == out })
	packed := &oneFile{}
	if err := r.pack(ctx, packed, picked, cfg.Gzip == nil || bool(*cfg.Gzip)); err != nil {
		return outcome{}, fmt.Errorf("pack %q: %w", cfg.InPath, err)
	}
	if err := r.workspace.write(out, packed.Bytes(), 0); err != nil {
		return outcome{}, err
	}
	return outcome{status: promote.StepSucceeded, message: "packed " + picked.String()}, nil
}

// pack writes an archive of files.
func (r *run) pack(ctx context.Context, to io.Writer, picked picked, zipped bool) error {
	if !zipped {
		return r.packTar(ctx, to, picked)
	}
	compressed := gzip.NewWriter(to)
	if err := r.packTar(ctx, compressed, picked); err != nil {
		return err
	}
	return compressed.Close()
}

func (r *run) packTar(ctx context.Context, to io.Writer, picked picked) error {
	writer := tar.NewWriter(to)
	for _, file := range picked.files {
		content, err := r.workspace.file(ctx, file.path)
		if err != nil {
			return err
		}
		if err := packFile(writer, file, content); err != nil {
			return err
		}
	}
	return writer.Close()
}

func packFile(writer *tar.Writer, file pickedFile, content entry) error {
	name := file.below
	if name == "." {
		name = path.Base(file.path)
	}
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: int64(len(content.data)), Mode: int64(git644(content.mode & fs.ModePerm)),
		ModTime: time.Unix(0, 0).UTC(),
	}
	if err := writer.WriteHeader(header); err != nil {
		return err
	}
	_, err := writer.Write(content.data)
	return err
}

// oneFile is a buffer for one file of the workspace.
type oneFile struct{ bytes.Buffer }

// Write implements io.Writer.
func (b *oneFile) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxFileBytes {
		return 0, errors.New("the archive is larger than a file may be here: pack fewer files, or ignore some")
	}
	return b.Buffer.Write(p)
}
