package discover_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
)

// inProcess hands requests to a handler, without a network.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, req)
	resp := w.Result()
	resp.Request = req
	return resp, nil
}

// pollAll polls so many repositories of a plant, a minute after the last time, and returns how many requests that took.
func pollAll(t *testing.T, p *plant, r *discover.Registry, c *clock, repositories int, sub promote.ImageSubscription) int64 {
	t.Helper()
	c.advance(time.Minute)
	p.requests.Store(0)
	var group errgroup.Group
	group.SetLimit(4)
	for i := range repositories {
		sub := sub
		sub.RepoURL = fmt.Sprintf("%s/app-%d", p.host(), i)
		group.Go(func() error {
			got, _, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "p", warehouse(sub))
			if newest := fmt.Sprintf("1.%d.0", len(p.tags)-1); err == nil && (got.Problem != "" || got.Images[0].Tag != newest || got.Images[0].Annotations["repo"] == "") {
				err = fmt.Errorf("problem %q, images %+v", got.Problem, got.Images)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return p.requests.Load()
}

// TestPollsWithNothingNew counts what polls ask of a registry that has nothing new, after the first.
func TestPollsWithNothingNew(t *testing.T) {
	trusted := promote.ImageSubscription{Strategy: promote.SelectNewestBuild, CacheByTag: true}
	moving := promote.ImageSubscription{Strategy: promote.SelectNewestBuild, DiscoveryLimit: 5}
	tests := []struct {
		name               string
		repositories, tags int
		sub                promote.ImageSubscription
		bounds             discover.Bounds // zero: the usual
		disk               bool
		polls              int // before the one that is counted
		least, most        int64
	}{
		{"a thousand of a hundred trusted tags", 1000, 100, trusted, discover.Bounds{}, false, 1, 1000, 1010},
		{"as many tags as fit", 100, 10, trusted, discover.Bounds{Tags: 1100, Bytes: 70_000}, false, 1, 100, 100},
		{"twice as many tags as fit", 200, 10, trusted, discover.Bounds{Tags: 1100, Bytes: 200_000}, false, 4, 1200, 1400},
		{"twice as many tags as fit into memory, all on disk", 200, 10, trusted, discover.Bounds{Tags: 1100, Bytes: 200_000, TagFiles: 200}, true, 1, 200, 200},
		{"twice as many tags as fit on disk", 200, 10, trusted, discover.Bounds{Tags: 1, Bytes: 200_000, TagFiles: 100}, true, 1, 1200, 1200},
		{"twice as many images as fit", 200, 10, trusted, discover.Bounds{Tags: 2200, Bytes: 70_000}, false, 4, 260, 320},
		{"twice as many images as fit, of tags that may move", 200, 10, moving, discover.Bounds{Tags: 2200, Bytes: 70_000}, false, 4, 1260, 1320},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlant(t, tt.tags)
			c := &clock{now: time.Now()} // as that of the files
			r := newRegistry(func(config *discover.Config) {
				config.Now, config.RatePerSecond, config.Transport = c.Now, 1e9, inProcess{p}
				if tt.disk {
					config.CacheDir = t.TempDir()
				}
			})
			if tt.bounds != (discover.Bounds{}) {
				r.Bound(tt.bounds)
			}
			for range tt.polls {
				pollAll(t, p, r, c, tt.repositories, tt.sub)
			}
			got := pollAll(t, p, r, c, tt.repositories, tt.sub)
			if got < tt.least || got > tt.most {
				t.Errorf("%d requests, want %d to %d", got, tt.least, tt.most)
			}
		})
	}
}
