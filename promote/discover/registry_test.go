package discover_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
)

// server is a registry that pages its tags as the specification says and remembers what it was asked.
type server struct {
	*httptest.Server
	inner    http.Handler
	before   func(http.ResponseWriter, *http.Request) (answered bool) // nil: nothing
	absolute string                                                   // what links to the next page begin with; "": they are relative
	mu       sync.Mutex
	requests []string
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{inner: ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// host is how images of the server begin.
func (s *server) host() string { return strings.SplitN(s.URL, "//", 2)[1] }

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
	s.mu.Unlock()
	switch {
	case s.before != nil && s.before(w, r):
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/tags/list"):
		s.list(w, r)
	default:
		s.inner.ServeHTTP(w, r)
	}
}

// list pages what the inner registry has: that one cuts lists without saying so.
func (s *server) list(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("n"))
	last := r.URL.Query().Get("last")
	all := httptest.NewRecorder()
	inner := httptest.NewRequestWithContext(r.Context(), http.MethodGet, r.URL.Path+"?n=1000000", nil)
	s.inner.ServeHTTP(all, inner)
	if all.Code != http.StatusOK {
		w.WriteHeader(all.Code)
		_, _ = w.Write(all.Body.Bytes())
		return
	}
	var tags struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}
	if err := json.Unmarshal(all.Body.Bytes(), &tags); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	slices.Sort(tags.Tags)
	tags.Tags = tags.Tags[sortedAfter(tags.Tags, last):]
	if n > 0 && len(tags.Tags) > n {
		tags.Tags = tags.Tags[:n]
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?n=%d&last=%s>; rel="next"`, s.absolute, r.URL.Path, n, tags.Tags[n-1]))
	}
	_ = json.NewEncoder(w).Encode(tags)
}

func sortedAfter(tags []string, last string) int {
	i, found := slices.BinarySearch(tags, last)
	if found {
		i++
	}
	return i
}

// asked returns the requests since the last call.
func (s *server) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.requests
	s.requests = nil
	return out
}

// push gives an image to each tag and returns its digest.
func (s *server) push(t *testing.T, repo string, img remote.Taggable, tags ...string) string {
	t.Helper()
	raw, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	media := "application/vnd.oci.image.manifest.v1+json"
	switch typed := img.(type) {
	case v1.Image:
		mt, err := typed.MediaType()
		if err != nil {
			t.Fatal(err)
		}
		media = string(mt)
	case v1.ImageIndex:
		mt, err := typed.MediaType()
		if err != nil {
			t.Fatal(err)
		}
		media = string(mt)
	}
	digest := ""
	for _, tag := range tags {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/v2/"+repo+"/manifests/"+tag, strings.NewReader(string(raw)))
		r.Header.Set("Content-Type", media)
		w := httptest.NewRecorder()
		s.inner.ServeHTTP(w, r)
		if w.Code != http.StatusCreated {
			t.Fatalf("push %s: %d %s", tag, w.Code, w.Body)
		}
		digest = w.Header().Get("Docker-Content-Digest")
	}
	return digest
}

// upload pushes an image or index with everything it is made of.
func (s *server) upload(t *testing.T, ref string, img remote.Taggable) {
	t.Helper()
	tag, err := name.NewTag(s.host() + "/" + ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Push(tag, img, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// image is an image for a platform; the label makes its digest its own.
func image(t *testing.T, os, arch, variant, label string) v1.Image {
	t.Helper()
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: os, Architecture: arch, Variant: variant, Config: v1.Config{Labels: map[string]string{"test": label}},
		RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func digestOf(t *testing.T, img interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

func configOf(t *testing.T, img v1.Image) string {
	t.Helper()
	digest, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

func index(parts ...mutate.IndexAddendum) v1.ImageIndex {
	return mutate.AppendManifests(empty.Index, parts...)
}

// clock is a time that moves only when somebody sleeps.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(_ context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return nil
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newRegistry asks without limits that would slow a test down.
func newRegistry(change func(*discover.Config)) *discover.Registry {
	c := newClock()
	config := discover.Config{Now: c.Now, Sleep: c.Sleep}
	if change != nil {
		change(&config)
	}
	return discover.New(config)
}

func warehouse(subs ...promote.ImageSubscription) promote.Warehouse {
	return promote.Warehouse{Name: "frontend-dev-image", Images: subs}
}

func subscription(s *server, repo string) promote.ImageSubscription {
	return promote.ImageSubscription{
		RepoURL: s.host() + "/" + repo, StrictSemvers: true, DiscoveryLimit: 20,
		Position: promote.Position{File: "develop/warehouse.yaml", Line: 11, Column: 9},
	}
}
