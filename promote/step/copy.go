package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

type copyConfig struct {
	InPath  string `json:"inPath"`
	OutPath string `json:"outPath"`
	Ignore  string `json:"ignore"`
}

// copyFiles copies a file, or everything below a folder, with modes. Symbolic links are not copied, and said so.
func (r *run) copyFiles(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg copyConfig
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
	for _, file := range picked.files {
		content, err := r.workspace.file(ctx, file.path)
		if err != nil {
			return outcome{}, err
		}
		if err := r.workspace.write(path.Join(out, file.below), content.data, git644(content.mode)); err != nil {
			return outcome{}, err
		}
	}
	return outcome{status: promote.StepSucceeded, message: "copied " + picked.String()}, nil
}

// outPath checks where a step is to write.
func outPath(name string) (string, error) {
	if name == "" {
		return "", errors.New("config.outPath is missing: say where to, as in outPath: ./out")
	}
	cleaned, err := clean(name)
	if err != nil {
		return "", fmt.Errorf("config.outPath: %w", err)
	}
	return cleaned, nil
}

// git644 is the nearest of the two modes that Git knows: 0755 for what its owner may run, 0644 for all else.
func git644(mode fs.FileMode) fs.FileMode {
	if mode&0o100 != 0 {
		return 0o755
	}
	return 0o644
}

// picked are the files at or below a path that a step was told to take.
type picked struct {
	files []pickedFile
	links int // symbolic links and submodules, which are left out
}

type pickedFile struct {
	path  string // in the workspace
	below string // the path it was picked from; "." when that is the file itself
}

// pick lists the files at or below a path, without ignored ones and links. Their contents are fetched together.
func (w *workspace) pick(ctx context.Context, in, ignored string) (picked, error) {
	var all picked
	if in == "" {
		return all, errors.New("config.inPath is missing: name a file or a folder, as in inPath: ./repo/base")
	}
	patterns, err := parseIgnore(ignored)
	if err != nil {
		return all, err
	}
	found, err := w.walk(ctx, in)
	if err != nil {
		return all, err
	}
	if len(found) == 0 {
		return all, w.nothing(ctx, in)
	}
	cleaned, err := clean(in)
	if err != nil {
		return all, err
	}
	for _, file := range found {
		if ctx.Err() != nil {
			return all, ctx.Err()
		}
		below := relative(file.path, cleaned)
		switch {
		case file.link && below == ".":
			return all, fmt.Errorf("%q is a symbolic link or a submodule, which is never followed: name the file it stands for", in)
		case patterns.file(below):
		case file.link:
			all.links++
		default:
			all.files = append(all.files, pickedFile{file.path, below})
		}
	}
	return all, w.prefetch(ctx, all.files)
}

// relative is a path below another one.
func relative(name, dir string) string {
	switch dir {
	case ".":
		return name
	case name:
		return "."
	}
	return strings.TrimPrefix(name, dir+"/")
}

// nothing explains a path at which nothing lies. A checkout may be empty.
func (w *workspace) nothing(ctx context.Context, name string) error {
	cleaned, err := clean(name)
	if err != nil {
		return err
	}
	if c, inside := w.holder(cleaned); cleaned == "." || c != nil && inside == "." {
		return nil
	}
	_, err = w.file(ctx, name)
	return err
}

// prefetch gets the contents of files in few requests.
func (w *workspace) prefetch(ctx context.Context, files []pickedFile) error {
	wanted := map[*checkout][]string{}
	for _, file := range files {
		c, inside := w.holder(file.path)
		if c == nil {
			continue
		}
		if _, edited := c.edits[inside]; !edited {
			wanted[c] = append(wanted[c], inside)
		}
	}
	for _, c := range w.checkouts {
		if err := c.tree.Prefetch(ctx, wanted[c]...); err != nil {
			return fmt.Errorf("read %d files of ./%s: %w", len(wanted[c]), c.path, err)
		}
	}
	return nil
}

// String counts what was picked.
func (p picked) String() string {
	text := plural(len(p.files), "file")
	if p.links > 0 {
		text += fmt.Sprintf("; left out %s, which is never followed", plural(p.links, "symbolic link"))
	}
	return text
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
