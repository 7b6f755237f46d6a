package step

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

type untarConfig struct {
	InPath          string `json:"inPath"`
	OutPath         string `json:"outPath"`
	StripComponents count  `json:"stripComponents"`
	Ignore          string `json:"ignore"`
}

// Bounds of an archive, besides those of every file that is written.
const (
	maxArchived      = 20_000    // entries
	maxArchivedBytes = 128 << 20 // when unpacked
)

// untar unpacks an archive, gzipped or not. Only files are unpacked: links and devices are left out, and said so.
func (r *run) untar(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg untarConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	out, err := outPath(cfg.OutPath)
	switch {
	case err != nil:
		return outcome{}, err
	case cfg.InPath == "":
		return outcome{}, errors.New("config.inPath is missing: name the archive, as in inPath: ./chart.tgz")
	case cfg.StripComponents < 0:
		return outcome{}, fmt.Errorf("config.stripComponents is %d: write how many folders to cut off, 0 or more", cfg.StripComponents)
	}
	patterns, err := parseIgnore(cfg.Ignore)
	if err != nil {
		return outcome{}, err
	}
	data, err := r.workspace.read(ctx, cfg.InPath)
	if err != nil {
		return outcome{}, err
	}
	if len(data) == 0 {
		return outcome{}, fmt.Errorf("%q is empty: a tar archive has at least one block", cfg.InPath)
	}
	unpacked, err := unpack(data, int(cfg.StripComponents))
	if err != nil {
		return outcome{}, fmt.Errorf("%q: %w", cfg.InPath, err)
	}
	written := 0
	for _, file := range unpacked.files {
		if ctx.Err() != nil {
			return outcome{}, ctx.Err()
		}
		if patterns.file(file.name) {
			continue
		}
		if err := r.workspace.write(path.Join(out, file.name), file.data, file.mode); err != nil {
			return outcome{}, err
		}
		written++
	}
	message := "unpacked " + plural(written, "file")
	if unpacked.others > 0 {
		message += fmt.Sprintf("; left out %d links and devices", unpacked.others)
	}
	return outcome{status: promote.StepSucceeded, message: message}, nil
}

// archive is what an archive holds.
type archive struct {
	files  []archived
	others int // links and devices
}

type archived struct {
	name string // cleaned, relative
	data []byte
	mode fs.FileMode
}

// unpack reads an archive into memory. One entry that would leave the folder it is unpacked into makes all of it refused.
func unpack(data []byte, strip int) (archive, error) {
	var all archive
	stream, err := plain(data)
	if err != nil {
		return all, err
	}
	reader := tar.NewReader(&bounded{stream, maxArchivedBytes})
	for entries := 0; ; entries++ {
		header, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case errors.Is(err, errTooMuch):
			return all, err
		case err != nil:
			return all, fmt.Errorf("not a tar archive, gzipped or not: %w", err)
		case entries >= maxArchived:
			return all, fmt.Errorf("the archive has more than %d entries", maxArchived)
		}
		if err := all.add(header, reader, strip); err != nil {
			return all, err
		}
	}
}

// add takes one entry of an archive.
func (a *archive) add(header *tar.Header, content io.Reader, strip int) error {
	name, err := confined(header.Name)
	if err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return nil
	default:
		a.others++
		return nil
	}
	parts := strings.Split(name, "/")
	if name == "." || len(parts) <= strip {
		return nil
	}
	if header.Size > maxFileBytes {
		return fmt.Errorf("the archive's %q has %d bytes, at most %d", header.Name, header.Size, maxFileBytes)
	}
	data, err := io.ReadAll(io.LimitReader(content, maxFileBytes))
	if err != nil {
		return fmt.Errorf("unpack %q: %w", header.Name, err)
	}
	a.files = append(a.files, archived{strings.Join(parts[strip:], "/"), data, git644(fs.FileMode(header.Mode))})
	return nil
}

// confined cleans the name of an entry.
func confined(name string) (string, error) {
	cleaned := path.Clean(name)
	if path.IsAbs(name) || cleaned == ".." || strings.HasPrefix(cleaned, "../") || strings.ContainsAny(name, "\x00\\") {
		return "", fmt.Errorf("the archive holds %q, which leaves the folder that it is unpacked into: no part of it is unpacked", name)
	}
	return cleaned, nil
}

// plain is the archive itself, when it is compressed.
func plain(data []byte) (io.Reader, error) {
	if !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		return bytes.NewReader(data), nil
	}
	stream, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("not a gzipped archive: %w", err)
	}
	return bufio.NewReader(stream), nil
}

var errTooMuch = fmt.Errorf("the archive unpacks to more than %d bytes", maxArchivedBytes)

// bounded reads up to a number of bytes; more is an error, not the end.
type bounded struct {
	from io.Reader
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
