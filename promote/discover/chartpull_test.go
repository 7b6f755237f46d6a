package discover_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
)

// packed is a chart's archive.
func packed(t testing.TB, version string) []byte {
	t.Helper()
	var data bytes.Buffer
	zipped := gzip.NewWriter(&data)
	tarball := tar.NewWriter(zipped)
	text := "apiVersion: v2\nname: web\nversion: " + version + "\n"
	err := tarball.WriteHeader(&tar.Header{Name: "web/Chart.yaml", Mode: 0o644, Size: int64(len(text))})
	if err == nil {
		_, err = tarball.Write([]byte(text))
	}
	if err := errors.Join(err, tarball.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// chartRepository serves web 1.0.0, with a digest and an address of its own, 1.1.0, without a digest, and 1.2.0, whose digest
// is another one's; 1.3.0 lies in a registry, and 1.4.0 has no address.
func chartRepository(t testing.TB, registry string) *chartServer {
	t.Helper()
	s := newChartServer(t, fmt.Sprintf(`apiVersion: v1
entries:
  web:
  - {version: 1.0.0, urls: [archives/web-1.0.0.tgz], digest: %s}
  - {version: 1.1.0, urls: [archives/web-1.1.0.tgz]}
  - {version: 1.2.0, urls: [archives/web-1.2.0.tgz], digest: %[1]s}
  - {version: 1.3.0, urls: ["oci://%s/charts/web:1.3.0"]}
  - {version: 1.4.0}
  - {version: 1.5.0, urls: [archives/gone.tgz]}
`, strings.TrimPrefix(sumOf(packed(t, "1.0.0")), "sha256:"), registry))
	s.answer = func(w http.ResponseWriter, r *http.Request) bool {
		version, ok := strings.CutPrefix(r.URL.Path, "/shop/archives/web-")
		switch {
		case ok:
			_, _ = w.Write(packed(t, strings.TrimSuffix(version, ".tgz")))
		case strings.HasSuffix(r.URL.Path, "gone.tgz"):
			http.NotFound(w, r)
			return true
		}
		return ok
	}
	return s
}

// pushed puts a chart into a registry as helm push does, or another artifact.
func pushed(t testing.TB, reference string, kind types.MediaType, archives ...[]byte) {
	t.Helper()
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	for _, data := range archives {
		var err error
		if img, err = mutate.Append(img, mutate.Addendum{Layer: static.NewLayer(data, kind)}); err != nil {
			t.Fatal(err)
		}
	}
	ref, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, v1.Image(img)); err != nil {
		t.Fatal(err)
	}
}

const helmLayer = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

func TestPull(t *testing.T) {
	registry := newServer(t)
	pushed(t, registry.host()+"/charts/web:1.3.0", helmLayer, packed(t, "1.3.0"))
	pushed(t, registry.host()+"/charts/web:1.4.0_build.1", helmLayer, packed(t, "1.4.0+build.1"))
	pushed(t, registry.host()+"/manifests:latest", types.OCILayer, packed(t, "9.9.9"))
	pushed(t, registry.host()+"/two:latest", types.OCILayer, packed(t, "1.0.0"), packed(t, "2.0.0"))
	pushed(t, registry.host()+"/other:latest", "application/json", []byte("{}"))
	repository := chartRepository(t, registry.host())
	oci := "oci://" + registry.host()
	for _, c := range []struct {
		name        string
		want        discover.ChartRequest
		version     string
		holds       string // version of the archive
		wrapped     bool
		err         string // part of it
		noSuchChart bool
	}{
		{name: "an exact version", want: discover.ChartRequest{RepoURL: "/shop", Chart: "web", Version: "1.0.0"}, version: "1.0.0", holds: "1.0.0", wrapped: true},
		{name: "without a digest in the index", want: discover.ChartRequest{RepoURL: "/shop/", Chart: "web", Version: "1.1.0"}, version: "1.1.0", holds: "1.1.0", wrapped: true},
		{name: "a range", want: discover.ChartRequest{RepoURL: "/shop", Chart: "web", Version: "~1.1"}, version: "1.1.0", holds: "1.1.0", wrapped: true},
		{name: "another archive than the index says", want: discover.ChartRequest{RepoURL: "/shop", Chart: "web", Version: "1.2.0"}, err: "its digest is another one"},
		{name: "an index that leads to a registry", want: discover.ChartRequest{RepoURL: "/shop", Chart: "web", Version: "1.3.0"}, version: "1.3.0", holds: "1.3.0", wrapped: true},
		{name: "an index without an address", want: discover.ChartRequest{RepoURL: "/shop", Chart: "web", Version: "1.4.0"}, err: "no address of web 1.4.0"},
		{name: "an archive that is gone", want: discover.ChartRequest{RepoURL: "/shop", Chart: "web", Version: "1.5.0"}, err: "HTTP 404"},
		{name: "no such version", want: discover.ChartRequest{RepoURL: "/shop", Chart: "web", Version: "2.0.0"}, err: `has no version "2.0.0"; its newest is 1.5.0`, noSuchChart: true},
		{name: "no version and no range", want: discover.ChartRequest{RepoURL: "/shop", Chart: "web", Version: "newest one"}, err: "which is no range either", noSuchChart: true},
		{name: "no such chart", want: discover.ChartRequest{RepoURL: "/shop", Chart: "wep", Version: "1.0.0"}, err: `did you mean "web"?`, noSuchChart: true},
		{name: "a chart of a registry", want: discover.ChartRequest{RepoURL: oci + "/charts", Chart: "web", Version: "1.3.0"}, version: "1.3.0", holds: "1.3.0", wrapped: true},
		{name: "a version with metadata", want: discover.ChartRequest{RepoURL: oci + "/charts", Chart: "web", Version: "1.4.0+build.1"}, version: "1.4.0+build.1", holds: "1.4.0+build.1", wrapped: true},
		{name: "the newest of a registry", want: discover.ChartRequest{RepoURL: oci + "/charts", Chart: "web"}, version: "1.4.0+build.1", holds: "1.4.0+build.1", wrapped: true},
		{name: "a range of a registry", want: discover.ChartRequest{RepoURL: oci + "/charts/", Chart: "web", Version: "1.3.*"}, version: "1.3.0", holds: "1.3.0", wrapped: true},
		{name: "a tag that is not there", want: discover.ChartRequest{RepoURL: oci + "/charts", Chart: "web", Version: "1.9.9"}, err: "MANIFEST_UNKNOWN", noSuchChart: true},
		{name: "a tag that is none", want: discover.ChartRequest{RepoURL: oci + "/charts", Chart: "web", Version: "../../blobs"}, err: "neither a tag nor a range", noSuchChart: true},
		{name: "a digest that is none", want: discover.ChartRequest{RepoURL: oci + "/manifests", Version: "sha256:12"}, err: "no digest", noSuchChart: true},
		{name: "an artifact by its tag", want: discover.ChartRequest{RepoURL: oci + "/manifests", Version: "latest"}, version: "latest", holds: "9.9.9"},
		{name: "an artifact with two archives", want: discover.ChartRequest{RepoURL: oci + "/two", Version: "latest"}, err: "has 2 layers that are archives"},
		{name: "an artifact without an archive", want: discover.ChartRequest{RepoURL: oci + "/other", Version: "latest"}, err: "has 0 layers that are archives"},
		{name: "no repository at all", want: discover.ChartRequest{RepoURL: "git@example.com:a/b", Chart: "web"}, err: "is not a chart repository"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.HasPrefix(c.want.RepoURL, "/") {
				c.want.RepoURL = repository.URL + c.want.RepoURL
			}
			folder := t.TempDir()
			charts := newCharts(func(c *discover.ChartConfig) { c.Registry, c.CacheDir = newRegistry(nil), folder })
			got, err := charts.Pull(t.Context(), c.want)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || c.noSuchChart && !errors.Is(err, discover.ErrNoChart) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Version != c.version || got.Wrapped != c.wrapped || got.Digest != sumOf(got.Data) || !bytes.Equal(got.Data, packed(t, c.holds)) {
				t.Errorf("got version %q, wrapped %v, digest %s of %d bytes", got.Version, got.Wrapped, got.Digest, len(got.Data))
			}
			_, isTag := semver.StrictNewVersion(c.want.Version)
			repository.asked()
			restarted := newCharts(func(c *discover.ChartConfig) { c.Registry, c.CacheDir = newRegistry(nil), folder })
			again, err := restarted.Pull(t.Context(), c.want)
			if diff := cmp.Diff(got, again); diff != "" || err != nil {
				t.Errorf("again: %v; -want +got:\n%s", err, diff)
			}
			if asked := repository.asked(); isTag == nil && len(asked) > 0 {
				t.Errorf("a whole version that is known was asked for: %v", asked)
			}
		})
	}
}

func TestAnArchiveThatIsTooLargeIsNotRead(t *testing.T) {
	s := newChartServer(t, "apiVersion: v1\nentries:\n  web:\n  - {version: 1.0.0, urls: [web.tgz]}\n")
	s.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, ".tgz") {
			return false
		}
		_, _ = w.Write(make([]byte, discover.MaxChartArchive+1))
		return true
	}
	_, err := newCharts(nil).Pull(t.Context(), discover.ChartRequest{RepoURL: s.URL, Chart: "web", Version: "1.0.0"})
	if err == nil || !strings.Contains(err.Error(), "more than 15 MiB") {
		t.Errorf("error %v", err)
	}
}

func TestCredentialsStayWithTheRepository(t *testing.T) {
	var authorized []string
	files := newChartServer(t, "")
	files.answer = func(w http.ResponseWriter, r *http.Request) bool {
		authorized = append(authorized, "files "+r.Header.Get("Authorization"))
		_, _ = w.Write(packed(t, "1.0.0"))
		return true
	}
	elsewhere := strings.Replace(files.URL, "127.0.0.1", "localhost", 1)
	index := newChartServer(t, "apiVersion: v1\nentries:\n  web:\n  - {version: 1.0.0, urls: ["+elsewhere+"/web.tgz]}\n")
	index.answer = func(_ http.ResponseWriter, r *http.Request) bool {
		_, _, ok := r.BasicAuth()
		authorized = append(authorized, fmt.Sprintf("index %v", ok))
		return false
	}
	withUser := strings.Replace(index.URL, "http://", "http://user:password@", 1)
	if _, err := newCharts(nil).Pull(t.Context(), discover.ChartRequest{RepoURL: withUser, Chart: "web", Version: "1.0.0"}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(authorized, ", "); got != "index true, files " {
		t.Errorf("asked: %s", got)
	}
	_, err := newCharts(nil).Pull(t.Context(), discover.ChartRequest{RepoURL: withUser, Chart: "none"})
	if err == nil || strings.Contains(err.Error(), "password") || errors.As(err, new(*promote.APIError)) {
		t.Errorf("error %v", err)
	}
}

func TestABrokenFolderIsAskedAnew(t *testing.T) {
	folder, s := t.TempDir(), chartRepository(t, "localhost")
	want := discover.ChartRequest{RepoURL: s.URL + "/shop", Chart: "web", Version: "1.0.0"}
	pull := func() []byte {
		got, err := newCharts(func(c *discover.ChartConfig) { c.CacheDir = folder }).Pull(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		return got.Data
	}
	first := pull()
	files, err := filepath.Glob(filepath.Join(folder, "charts", "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v: %v", files, err)
	}
	for _, text := range []string{"{", `{"Data":"eA=="}`} {
		if err := os.WriteFile(files[0], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if again := pull(); !bytes.Equal(first, again) {
			t.Errorf("with %q it is another archive", text)
		}
	}
}
