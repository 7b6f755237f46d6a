package discover_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestExplanationIsReadable(t *testing.T) {
	s := newServer(t)
	uploadAll(t, s, map[string]v1.Image{
		"1.0.0": built(t, day(1), nil), "1.1.0": built(t, day(2), nil), "1.2.0": image(t, "linux", "arm64", "v8", "arm"),
		"latest": built(t, day(2), nil), "2.0.0-rc.1": built(t, day(3), nil),
	})
	for i := range 150 {
		s.push(t, "big", built(t, day(1), nil), fmt.Sprintf("1.%d.0", i), fmt.Sprintf("pr-%03d", i))
	}
	s.upload(t, "big:1.149.0", built(t, day(7), nil))
	s.upload(t, "undated:main", built(t, time.Time{}, nil))
	var subs []promote.ImageSubscription
	add := func(repo string, change func(*promote.ImageSubscription)) {
		sub := subscription(s, repo)
		change(&sub)
		subs = append(subs, sub)
	}
	add("web", func(sub *promote.ImageSubscription) {
		sub.Name, sub.Constraint, sub.Platform = "frontend", "^1.0.0", "linux/amd64"
	})
	add("web", func(sub *promote.ImageSubscription) { sub.Strategy, sub.Constraint = promote.SelectDigest, "latest" })
	add("big", func(sub *promote.ImageSubscription) { sub.Ignore = []string{"^pr-149$"} })
	add("web", func(sub *promote.ImageSubscription) { sub.Constraint = "^3.0.0" })
	add("undated", func(sub *promote.ImageSubscription) { sub.Strategy = promote.SelectNewestBuild })
	add("nobody", func(*promote.ImageSubscription) {})
	subs = append(subs, promote.ImageSubscription{RepoURL: "https://x/\x1b[2Jy"})
	_, explanation, err := (&discover.Sources{Registry: newRegistry(nil)}).Discover(t.Context(), "p", warehouse(subs...))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(explanation.String(), s.host(), "registry.example")
	const golden = "testdata/explanation.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	big := explanation.Images[2]
	if len(big.Dropped) != 100 || big.Withheld != 50 || big.Dropped[99].Reason != `ignored by "^pr-149$"` {
		t.Errorf("%d dropped, %d withheld, the last is %+v", len(big.Dropped), big.Withheld, big.Dropped[len(big.Dropped)-1])
	}
}

func TestARegistryThatIsDownIsAskedOncePerWarehouse(t *testing.T) {
	s, down := newServer(t), newServer(t)
	s.upload(t, "web:1.0.0", built(t, day(1), nil))
	gone := []promote.ImageSubscription{subscription(down, "a"), subscription(down, "b")}
	down.Close()
	dials := 0
	r := newRegistry(func(c *discover.Config) { c.Transport = counting{down.host(), &dials} })
	got, explanation, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "p", warehouse(gone[0], subscription(s, "web"), gone[1]))
	if err != nil || got.Images != nil || explanation.Images[1].Chosen != "1.0.0" {
		t.Fatalf("%+v %+v %v", got, explanation, err)
	}
	if problem := explanation.Images[2].Problem; problem != got.Problem || problem == "" {
		t.Errorf("problem %q, then %q", got.Problem, problem)
	}
	if dials > 2 { // one discovery of how to speak to it tries HTTPS and HTTP
		t.Errorf("asked %d times", dials)
	}
}

// counting counts the requests to one host.
type counting struct {
	host  string
	count *int
}

// RoundTrip implements http.RoundTripper.
func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == c.host {
		*c.count++
	}
	return http.DefaultTransport.RoundTrip(r)
}
