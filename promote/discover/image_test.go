package discover_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
)

const (
	createdKey = "org.opencontainers.image.created"
	oldKey     = "org.label-schema.build-date"
	sourceKey  = "org.opencontainers.image.source"
)

func day(n int) time.Time { return time.Date(2026, 3, n, 10, 0, 0, 0, time.UTC) }

func stamp(n int) string { return day(n).Format(time.RFC3339) }

// built is an image with a creation time in its configuration, and labels.
func built(t *testing.T, at time.Time, labels map[string]string) v1.Image {
	t.Helper()
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: "linux", Architecture: "amd64", Created: v1.Time{Time: at}, Config: v1.Config{Labels: labels}, RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func annotated[T partial.WithRawManifest](img T, annotations map[string]string) T {
	return mutate.Annotations(img, annotations).(T) // an image stays one, and an index too
}

// on is an entry of an index.
func on(os, arch string, img mutate.Appendable, annotations map[string]string) mutate.IndexAddendum {
	d := v1.Descriptor{Annotations: annotations}
	if os != "" {
		d.Platform = &v1.Platform{OS: os, Architecture: arch}
	}
	return mutate.IndexAddendum{Add: img, Descriptor: d}
}

func TestWhenAnImageWasBuilt(t *testing.T) {
	old, recent := built(t, day(1), nil), built(t, day(5), nil)
	attestation := on("unknown", "unknown", built(t, day(20), nil), map[string]string{"vnd.docker.reference.type": "attestation-manifest"})
	tests := []struct {
		name string
		img  remote.Taggable
		want time.Time
	}{
		{"by its configuration", recent, day(5)},
		{"by its annotation, though the configuration is later", annotated(recent, map[string]string{createdKey: stamp(3)}), day(3)},
		{"by the old annotation", annotated(recent, map[string]string{oldKey: stamp(3)}), day(3)},
		{"by the new annotation before the old one", annotated(recent, map[string]string{oldKey: stamp(3), createdKey: stamp(2)}), day(2)},
		{"by an annotation that is no time not at all", annotated(recent, map[string]string{createdKey: "yesterday"}), day(5)},
		{"by a label that is later than the configuration", built(t, day(5), map[string]string{createdKey: stamp(6)}), day(6)},
		{"by the configuration that is later than a label", built(t, day(5), map[string]string{createdKey: stamp(4)}), day(5)},
		{"in another zone", annotated(recent, map[string]string{createdKey: "2026-03-03T12:00:00+02:00"}), day(3)},
		{"an index by its annotation", annotated(index(on("linux", "amd64", recent, nil)), map[string]string{createdKey: stamp(2)}), day(2)},
		{"an index by its newest image", index(on("linux", "amd64", old, nil), on("linux", "arm64", recent, nil)), day(5)},
		{"an index by what it says of its images", index(on("linux", "amd64", recent, map[string]string{createdKey: stamp(9)}), on("linux", "arm64", old, nil)), day(9)},
		{"an index not by its attestations", index(on("linux", "amd64", old, nil), attestation), day(1)},
		{"an index whose images name no platform", index(on("", "", recent, nil)), day(5)},
		{"an index in an index is not followed", index(on("linux", "amd64", old, nil), on("linux", "arm64", index(on("linux", "arm64", recent, nil)), nil)), day(1)},
		{"in 1970: not known", built(t, time.Unix(0, 0).UTC(), nil), time.Time{}},
		{"in year one: not known", built(t, time.Time{}, nil), time.Time{}},
		{"in 1980, the first year of ZIP: not known", built(t, time.Date(1980, 1, 1, 0, 0, 1, 0, time.UTC), nil), time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.upload(t, "web:1.0.0", tt.img)
			got, err := newRegistry(nil).Image(t.Context(), s.host()+"/web", "1.0.0", false)
			if err != nil || !got.CreatedAt.Equal(tt.want) {
				t.Errorf("%s, want %s; error %v", got.CreatedAt, tt.want, err)
			}
			if want := digestOf(t, tt.img.(interface{ Digest() (v1.Hash, error) })); got.Digest != want {
				t.Errorf("digest %s, want %s", got.Digest, want)
			}
		})
	}
}

func TestAnnotationsOfAnImage(t *testing.T) {
	single := built(t, day(1), map[string]string{sourceKey: "a label is no annotation"})
	many := map[string]string{sourceKey: "https://example.org/web", "A": strings.Repeat("x", 1025), strings.Repeat("A", 257): "x"}
	few := map[string]string{sourceKey: "https://example.org/web"}
	large, most := map[string]string{}, map[string]string{}
	for i := range 20 {
		key := fmt.Sprintf("a%02d", i)
		large[key] = strings.Repeat("x", 1021)
		if i < 16 {
			most[key] = large[key]
		}
	}
	for i := range 100 {
		key := "a." + strings.Repeat("b", i+1)
		many[key] = "x"
		if i < 63 {
			few[key] = "x"
		}
	}
	tests := []struct {
		name     string
		img      remote.Taggable
		platform string
		want     map[string]string
	}{
		{"none", single, "", nil},
		{"those of the manifest", annotated(single, map[string]string{"a": "1"}), "", map[string]string{"a": "1"}},
		{"those of the manifest, for its platform", annotated(single, map[string]string{"a": "1"}), "linux/amd64", map[string]string{"a": "1"}},
		{
			"those of the index, not of its images",
			annotated(index(on("linux", "amd64", annotated(single, map[string]string{"a": "image"}), map[string]string{"a": "entry"})), map[string]string{"a": "index"}),
			"",
			map[string]string{"a": "index"},
		},
		{
			"those of the index, overlaid by those of the platform",
			annotated(index(
				on("linux", "arm64", empty.Image, map[string]string{"a": "arm", "c": "arm"}),
				on("linux", "amd64", single, map[string]string{"a": "amd"}),
			), map[string]string{"a": "index", "b": "index"}),
			"linux/amd64",
			map[string]string{"a": "amd", "b": "index"},
		},
		{"no more and no longer ones than is reasonable, OCI's own first", annotated(single, many), "", few},
		{"16 KiB at most", annotated(single, large), "", most},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.upload(t, "web:1.0.0", tt.img)
			sub := subscription(s, "web")
			sub.Name, sub.Platform = "front", tt.platform
			got, _, err := (&discover.Sources{Registry: newRegistry(nil)}).Discover(t.Context(), "p", warehouse(sub))
			if err != nil || got.Problem != "" {
				t.Fatal(err, got.Problem)
			}
			if diff := cmp.Diff(tt.want, got.Images[0].Annotations); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got.Images[0].Subscription != "front" {
				t.Errorf("subscription %q", got.Images[0].Subscription)
			}
		})
	}
}

func TestImage(t *testing.T) {
	s := newServer(t)
	img := annotated(built(t, day(1), nil), map[string]string{sourceKey: "https://example.org/web"})
	s.upload(t, "web:main", img)
	r := newRegistry(nil)
	got, err := r.Image(t.Context(), s.host()+"/web", "main", false)
	if err != nil {
		t.Fatal(err)
	}
	want := promote.Image{
		RepoURL: s.host() + "/web", Tag: "main", Digest: digestOf(t, img), CreatedAt: day(1),
		Annotations: map[string]string{sourceKey: "https://example.org/web"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	moved := built(t, day(2), nil)
	s.upload(t, "web:main", moved)
	if got, err := r.Image(t.Context(), s.host()+"/web", "main", false); err != nil || got.Digest != digestOf(t, moved) || !got.CreatedAt.Equal(day(2)) {
		t.Errorf("a tag that moved: %+v %v", got, err)
	}
	refusals := []struct {
		name, repo, tag string
		want            error
		says            string
	}{
		{"no such tag", s.host() + "/web", "none", promote.ErrNotFound, s.host() + `/web has no tag "none"; push it or correct the tag: not found`},
		{"no such repository", s.host() + "/db", "main", promote.ErrNotFound, s.host() + `/db has no tag "main"; push it or correct the tag: not found`},
		{"what is no tag", s.host() + "/web", "../x", promote.ErrInvalid, `tag "../x" of ` + s.host() + `/web is not a tag: invalid request`},
	}
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.Image(t.Context(), tt.repo, tt.tag, false)
			if !errors.Is(err, tt.want) || err.Error() != tt.says {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestDiscoverTakesImagesThatSayLittle(t *testing.T) {
	schema1 := `{"schemaVersion":1,"name":"web","tag":"1.0.0","annotations":{"a":"b"}}`
	tests := []struct {
		name, media, manifest string
	}{
		{"a manifest without its configuration", "application/vnd.oci.image.manifest.v1+json", `{"schemaVersion":2,"config":{"digest":"sha256:` + strings.Repeat("0", 64) + `"}}`},
		{"a manifest of schema 1", "application/vnd.docker.distribution.manifest.v1+json", schema1},
		{"annotations that are none", "application/vnd.oci.image.manifest.v1+json", `{"annotations":{"a":1}}`},
		{"a digest that is none", "application/vnd.oci.image.manifest.v1+json", `{"config":{"digest":"sha256:../../x"}}`},
		{"something that is no manifest", "application/vnd.oci.image.manifest.v1+json", `[1]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.before = serveManifest("1.0.0", tt.media, tt.manifest)
			got, _, err := (&discover.Sources{Registry: newRegistry(nil)}).Discover(t.Context(), "p", warehouse(subscription(s, "web")))
			if err != nil || got.Problem != "" || len(got.Images) != 1 {
				t.Fatalf("%+v %v", got, err)
			}
			if image := got.Images[0]; !strings.HasPrefix(image.Digest, "sha256:") || !image.CreatedAt.IsZero() || len(image.Annotations) > 1 {
				t.Errorf("%+v", image)
			}
		})
	}
}

// serveManifest gives one tag a manifest that the inner registry would not take.
func serveManifest(tag, media, manifest string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasSuffix(r.URL.Path, "/list"):
			_, _ = w.Write([]byte(`{"tags":["` + tag + `"]}`))
		case strings.HasSuffix(r.URL.Path, "/manifests/"+tag):
			w.Header().Set("Content-Type", media)
			_, _ = w.Write([]byte(manifest))
		default:
			return false
		}
		return true
	}
}

func TestDiscoverRefusesAnIndexWithoutAnImage(t *testing.T) {
	tests := []struct {
		name string
		img  v1.ImageIndex
	}{
		{"of nothing", empty.Index},
		{"of attestations", index(on("unknown", "unknown", empty.Image, nil))},
	}
	for _, tt := range tests {
		for _, strategy := range []promote.Strategy{promote.SelectSemVer, promote.SelectLexical} {
			t.Run(tt.name+" by "+string(strategy), func(t *testing.T) {
				s := newServer(t)
				s.upload(t, "web:1.0.0", tt.img)
				sub := subscription(s, "web")
				sub.Strategy = strategy
				got, _, err := (&discover.Sources{Registry: newRegistry(nil)}).Discover(t.Context(), "p", warehouse(sub))
				want := s.host() + "/web:1.0.0 is an index of attestations or of nothing, without an image that can run; push the image again"
				if err != nil || got.Problem != want {
					t.Errorf("problem %q, error %v", got.Problem, err)
				}
			})
		}
	}
}

func TestRegistriesThatAnswerHeadPoorly(t *testing.T) {
	s := newServer(t)
	s.upload(t, "web:1.0.0", built(t, day(1), nil))
	tests := []struct {
		name string
		head func(http.ResponseWriter)
	}{
		{"not at all", func(w http.ResponseWriter) { w.WriteHeader(http.StatusMethodNotAllowed) }},
		{"without a digest", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Content-Length", "2")
		}},
		{"with a digest that is none", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Content-Length", "2")
			w.Header().Set("Docker-Content-Digest", "sha256:1")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodHead {
					tt.head(w)
				}
				return r.Method == http.MethodHead
			}
			c := newClock()
			r := newRegistry(func(config *discover.Config) { config.Now = c.Now })
			var asked []string
			for range 3 {
				s.asked()
				if got, _, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "p", warehouse(subscription(s, "web"))); err != nil || got.Problem != "" {
					t.Fatal(err, got.Problem)
				}
				asked = s.asked()
				c.advance(time.Minute)
			}
			want := []string{"GET /v2/web/tags/list?n=1000", "GET /v2/web/manifests/1.0.0"} // HEAD was tried the second time only
			if diff := cmp.Diff(want, asked); diff != "" {
				t.Errorf("third discovery: -want +got:\n%s", diff)
			}
		})
	}
}
