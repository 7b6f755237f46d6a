package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/worker"
)

const (
	maxRenderedFiles = 10_000 // that one step writes
	maxPrefetched    = 10_000 // files of a folder that are fetched together; renderers refuse what is larger
)

// renderedFile is one file that a renderer makes.
type renderedFile struct {
	path string // below config.outPath; "." when that is the file
	data []byte
}

// isOneFile reports whether everything that is rendered goes into one file (Kargo: by the extension of outPath).
func isOneFile(out string) bool { return slices.Contains([]string{".yaml", ".yml"}, path.Ext(out)) }

// writeRendered writes what a renderer made, beside what is there already. random names the functions that templates called
// and that answer differently every time.
func (r *run) writeRendered(out string, files []renderedFile, random []string) (string, error) {
	if len(files) > maxRenderedFiles {
		return "", fmt.Errorf("%d files would be written, at most %d: end outPath in .yaml to write one", len(files), maxRenderedFiles)
	}
	for _, file := range files {
		if !fs.ValidPath(file.path) {
			return "", fmt.Errorf("the file %q would lie outside of ./%s", file.path, out)
		}
		if err := r.workspace.write(path.Join(out, file.path), file.data, 0); err != nil {
			return "", err
		}
	}
	message := fmt.Sprintf("rendered %s into ./%s", plural(len(files), "file"), out)
	if isOneFile(out) {
		message = "rendered ./" + out
	}
	if len(random) > 0 {
		message += fmt.Sprintf("; the templates call %s, so that every run makes something else: set these values instead", strings.Join(random, ", "))
	}
	return message, nil
}

// prefetch gets the files of a folder in few requests.
func (f workspaceFS) prefetch(dir string) error {
	found, err := f.w.walk(f.ctx, dir)
	if err != nil || len(found) > maxPrefetched {
		return err
	}
	var files []pickedFile
	for _, file := range found {
		if !file.link {
			files = append(files, pickedFile{path: file.path})
		}
	}
	return f.w.prefetch(f.ctx, files)
}

// failed is the error of a renderer, for people. at says where a file lies that the renderer names. What the remote
// repository did comes first: renderers take a file that could not be fetched for one that is not there.
func (f workspaceFS) failed(err error, at func(file string) string) error {
	if *f.outside != nil {
		return *f.outside
	}
	problem, ok := errors.AsType[*manifest.Error](err)
	if !ok || f.ctx.Err() != nil || errors.Is(err, worker.ErrPassing) {
		return err
	}
	located := *problem
	// A bound of time is the files' fault as the others are. It must not look like a remote repository that is slow.
	located.Cause = nil
	if located.File != "" {
		located.File = at(located.File)
	}
	return &located
}

// chart checks that a path is the folder of a Helm chart and returns its Chart.yaml.
func (r *run) chart(ctx context.Context, name string) (folder string, chartYAML []byte, err error) {
	if name == "" {
		return "", nil, errors.New("config.path is missing: name the folder of the chart, as in path: ./repo/charts/shop")
	}
	if folder, err = clean(name); err != nil {
		return "", nil, fmt.Errorf("config.path: %w", err)
	}
	chartYAML, err = r.workspace.read(ctx, "./"+path.Join(folder, "Chart.yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, fmt.Errorf("config.path is no Helm chart: %w", err)
	}
	return folder, chartYAML, err
}
