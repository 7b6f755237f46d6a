package discover_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
)

func TestReachAsksForOnePageOfTags(t *testing.T) {
	s := newServer(t)
	img := image(t, "linux", "amd64", "", "x")
	var tags []string
	for i := range 3 {
		tags = append(tags, fmt.Sprintf("1.0.%d", i))
	}
	s.push(t, "acme/web", img, tags...)
	s.asked()
	registry := newRegistry(nil)
	charts := newCharts(func(c *discover.ChartConfig) { c.Registry = registry })
	for _, test := range []struct {
		name string
		ask  func() (int, error)
	}{
		{"an image", func() (int, error) { return registry.Reach(t.Context(), s.host()+"/acme/web", false) }},
		{"a chart", func() (int, error) {
			return charts.Reach(t.Context(), promote.ChartSubscription{RepoURL: "oci://" + s.host() + "/acme/web"})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.ask()
			if err != nil || got != 3 {
				t.Errorf("got %d, %v", got, err)
			}
			lists := 0
			for _, asked := range s.asked() {
				if strings.Contains(asked, "/tags/list") {
					lists++
				}
			}
			if lists != 1 {
				t.Errorf("asked %d times for tags", lists)
			}
		})
	}
	if _, err := registry.Reach(t.Context(), "https://not a repository", false); !errors.Is(err, promote.ErrInvalid) {
		t.Errorf("got %v, want %v", err, promote.ErrInvalid)
	}
	s.before = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	if _, err := registry.Reach(t.Context(), s.host()+"/acme/other", false); !errors.Is(err, promote.ErrForbidden) {
		t.Errorf("got %v, want %v", err, promote.ErrForbidden)
	}
}

func TestReachAsksForOneIndex(t *testing.T) {
	s := newChartServer(t, indexOf("web", "1.2.0", "1.3.0"))
	charts := newCharts(nil)
	got, err := charts.Reach(t.Context(), promote.ChartSubscription{RepoURL: s.URL, Chart: "web"})
	if err != nil || got != 2 {
		t.Errorf("got %d, %v", got, err)
	}
	if diff := cmp.Diff([]string{"/index.yaml 200"}, s.asked()); diff != "" {
		t.Error(diff)
	}
	if _, err := charts.Reach(t.Context(), promote.ChartSubscription{RepoURL: s.URL, Chart: "none"}); err == nil {
		t.Error("a chart that is not there is there")
	}
}
