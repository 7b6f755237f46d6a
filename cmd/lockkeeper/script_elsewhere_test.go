package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rogpeppe/go-internal/testscript"
	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/git/githttp"
)

// elsewhereCommand is `elsewhere DIR FILE...`.
func elsewhereCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: elsewhere DIR FILE...")
	}
	dir := ts.MkAbs(args[0])
	images := httptest.NewServer(registry.New(registry.Logger(log.New(new(bytes.Buffer), "", 0))))
	ts.Defer(images.Close)
	host := strings.TrimPrefix(images.URL, "http://")
	served := filepath.Join(dir, ".served")
	ts.Check(os.MkdirAll(served, 0o755))
	entries := map[string]string{} // of the index, by chart
	charts, err := filepath.Glob(filepath.Join(dir, "charts", "*", "Chart.yaml"))
	ts.Check(err)
	for _, chart := range charts {
		packed, err := packChart(filepath.Dir(chart))
		ts.Check(err)
		file := packed.name + "-" + packed.version + ".tgz"
		ts.Check(os.WriteFile(filepath.Join(served, file), packed.data, 0o600))
		entries[packed.name] += fmt.Sprintf("  - name: %s\n    version: %s\n    digest: %x\n    urls:\n    - %s\n", packed.name, packed.version, sha256.Sum256(packed.data), file)
		ts.Check(pushChart(host+"/charts/"+packed.name+":"+packed.version, packed.data))
	}
	index := "apiVersion: v1\nentries:\n"
	for _, chart := range slices.Sorted(maps.Keys(entries)) {
		index += "  " + chart + ":\n" + entries[chart]
	}
	ts.Check(os.WriteFile(filepath.Join(served, "index.yaml"), []byte(index), 0o600))
	files := httptest.NewServer(http.FileServer(http.Dir(served)))
	ts.Defer(files.Close)
	repositories := httptest.NewServer(githttp.Handler(filepath.Join(dir, ".git"), func(string, string, string, bool) bool { return true }))
	ts.Defer(repositories.Close)
	ts.Check(serveGit(ts, dir))
	urls := strings.NewReplacer("https://charts.example.com", files.URL, "registry.example.com", host, "https://git.example.com", repositories.URL)
	for _, name := range args[1:] {
		ts.Check(rewriteURLs(ts.MkAbs(name), urls))
	}
}

// packedChart is a chart's archive.
type packedChart struct {
	name, version string
	data          []byte
}

func packChart(dir string) (packedChart, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "Chart.yaml")) //nolint:gosec // of a test
	if err != nil {
		return packedChart{}, err
	}
	var chart struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	if err := yaml.Unmarshal(raw, &chart); err != nil {
		return packedChart{}, err
	}
	var data bytes.Buffer
	zipped := gzip.NewWriter(&data)
	tarball := tar.NewWriter(zipped)
	err = fs.WalkDir(os.DirFS(dir), ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, file)) //nolint:gosec // of a test
		if err != nil {
			return err
		}
		if err := tarball.WriteHeader(&tar.Header{Name: chart.Name + "/" + file, Mode: 0o644, Size: int64(len(text))}); err != nil {
			return err
		}
		_, err = tarball.Write(text)
		return err
	})
	err = errors.Join(err, tarball.Close(), zipped.Close())
	return packedChart{chart.Name, chart.Version, data.Bytes()}, err
}

// pushChart stores a chart as helm push does.
func pushChart(reference string, data []byte) error {
	img, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{
		Layer: static.NewLayer(data, "application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
	})
	if err != nil {
		return err
	}
	ref, err := name.ParseReference(reference)
	if err != nil {
		return err
	}
	return remote.Write(ref, img)
}

// serveGit makes a bare repository of each folder in DIR/git.
func serveGit(ts *testscript.TestScript, dir string) error {
	folders, err := filepath.Glob(filepath.Join(dir, "git", "*"))
	if err != nil {
		return err
	}
	for _, folder := range folders {
		bare := filepath.Join(dir, ".git", filepath.Base(folder)+".git")
		if err := githttp.Init(context.Background(), bare, "main"); err != nil {
			return err
		}
		for _, step := range [][]string{{"init", "-q", "-b", "main", "."}, {"add", "-A"}, {"commit", "-q", "-m", "First commit"}, {"tag", "v1.0.0"}, {"push", "-q", "--tags", bare, "main"}} {
			if err := gitCommand(ts, folder, step); err != nil {
				return err
			}
		}
	}
	return nil
}

// rewriteURLs replaces the URLs of examples by those of the servers, in a file or all files of a folder.
func rewriteURLs(dir string, urls *strings.Replacer) error {
	return filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(file) //nolint:gosec // of a test
		if err != nil {
			return err
		}
		return os.WriteFile(file, []byte(urls.Replace(string(text))), 0o600)
	})
}
