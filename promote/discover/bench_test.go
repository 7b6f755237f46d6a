package discover_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
)

// plant is a registry in which every repository has the same tags, each with an image of its own. It counts requests.
type plant struct {
	*httptest.Server
	tags     []string
	requests atomic.Int64
}

func newPlant(tb testing.TB, tags int) *plant {
	tb.Helper()
	p := &plant{}
	for i := range tags {
		p.tags = append(p.tags, fmt.Sprintf("1.%d.0", i))
	}
	slices.Sort(p.tags)
	p.Server = httptest.NewServer(p)
	tb.Cleanup(p.Close)
	return p
}

func (p *plant) host() string { return strings.TrimPrefix(p.URL, "http://") }

// ServeHTTP implements http.Handler. The images say in an annotation when they were built.
func (p *plant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.requests.Add(1)
	repo, tag, manifest := strings.Cut(r.URL.Path, "/manifests/")
	switch {
	case manifest:
		body, digest := p.image(repo, tag)
		for i := 0; digest != tag && strings.HasPrefix(tag, "sha256:") && i < len(p.tags); i++ {
			body, digest = p.image(repo, p.tags[i])
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Docker-Content-Digest", digest)
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write([]byte(body))
	case strings.HasSuffix(r.URL.Path, "/tags/list"):
		start := sortedAfter(p.tags, r.URL.Query().Get("last"))
		page := p.tags[start:min(start+1000, len(p.tags))]
		if start+1000 < len(p.tags) {
			w.Header().Set("Link", fmt.Sprintf(`<%s?n=1000&last=%s>; rel="next"`, r.URL.Path, page[len(page)-1]))
		}
		_ = json.NewEncoder(w).Encode(map[string][]string{"tags": page})
	}
}

// image is the manifest of a tag, and its digest.
func (p *plant) image(repo, tag string) (body, digest string) {
	minutes := 0
	_, _ = fmt.Sscanf(tag, "1.%d.0", &minutes)
	at := day(1).Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339)
	body = fmt.Sprintf(`{"schemaVersion":2,"config":{"digest":"sha256:%064d"},"annotations":{"%s":"%s","repo":"%s"}}`, 0, createdKey, at, repo)
	return body, fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(body)))
}

// BenchmarkDiscover1000Warehouses polls a thousand warehouses with nothing new, as many at a time as there are workers.
func BenchmarkDiscover1000Warehouses(b *testing.B) {
	const warehouses = 1000
	for _, bb := range []struct {
		name         string
		repositories int
		sub          promote.ImageSubscription
	}{
		{"a repository each", warehouses, promote.ImageSubscription{StrictSemvers: true}},
		{"ten repositories", 10, promote.ImageSubscription{StrictSemvers: true}},
		{"a repository each, newest build of trusted tags", warehouses, promote.ImageSubscription{Strategy: promote.SelectNewestBuild, CacheByTag: true}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p := newPlant(b, 100)
			c := newClock()
			r := newRegistry(func(config *discover.Config) { config.Now, config.RatePerSecond = c.Now, 1e9 })
			poll := func() {
				c.advance(time.Minute)
				var group errgroup.Group
				group.SetLimit(8)
				for i := range warehouses {
					sub := bb.sub
					sub.RepoURL = fmt.Sprintf("%s/app-%d", p.host(), i%bb.repositories)
					group.Go(func() error {
						got, _, err := (&discover.Sources{Registry: r}).Discover(b.Context(), "p", warehouse(sub))
						if err == nil && got.Problem != "" {
							err = fmt.Errorf("problem: %s", got.Problem)
						}
						return err
					})
				}
				if err := group.Wait(); err != nil {
					b.Fatal(err)
				}
			}
			poll()
			p.requests.Store(0)
			for b.Loop() {
				poll()
			}
			b.ReportMetric(float64(p.requests.Load())/float64(b.N), "requests/poll")
		})
	}
}

// TestPollsOfFiveThousandTags holds the promises of the package comment.
func TestPollsOfFiveThousandTags(t *testing.T) {
	const pages = 5
	tests := []struct {
		name        string
		sub         promote.ImageSubscription
		first, then int64
	}{
		{"by version", promote.ImageSubscription{StrictSemvers: true}, pages + 1, pages + 1},
		{"by version, trusted", promote.ImageSubscription{StrictSemvers: true, CacheByTag: true}, pages + 1, pages},
		{"by text", promote.ImageSubscription{Strategy: promote.SelectLexical}, pages + 1, pages + 1},
		{"by build", promote.ImageSubscription{Strategy: promote.SelectNewestBuild}, pages + 5000, pages + 20},
		{"by digest", promote.ImageSubscription{Strategy: promote.SelectDigest, Constraint: "1.7.0"}, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlant(t, 5000)
			c := newClock()
			r := newRegistry(func(config *discover.Config) { config.Now, config.NewBuilds, config.RatePerSecond = c.Now, 5000, 1e9 })
			tt.sub.RepoURL = p.host() + "/web"
			for i, want := range []int64{1 + tt.first, tt.then, tt.then} { // the first asks how to authenticate
				c.advance(time.Minute)
				p.requests.Store(0)
				got, _, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "p", warehouse(tt.sub))
				if err != nil || got.Problem != "" {
					t.Fatal(err, got.Problem)
				}
				if have := p.requests.Load(); have != want {
					t.Errorf("poll %d: %d requests, want %d", i+1, have, want)
				}
			}
		})
	}
}
