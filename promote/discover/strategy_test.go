package discover_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
)

// watcher discovers again and again, a minute apart.
type watcher struct {
	t   *testing.T
	s   *server
	c   *clock
	r   *discover.Registry
	sub promote.ImageSubscription
}

func watch(t *testing.T, s *server, sub promote.ImageSubscription, change func(*discover.Config)) *watcher {
	t.Helper()
	c := newClock()
	r := newRegistry(func(config *discover.Config) {
		config.Now = c.Now
		if change != nil {
			change(config)
		}
	})
	s.asked()
	return &watcher{t, s, c, r, sub}
}

// next discovers once more and returns what was taken, or the problem, and what was asked for, the ping left out.
func (w *watcher) next() (taken string, explanation discover.ImageExplanation, asked []string) {
	w.t.Helper()
	w.c.advance(time.Minute)
	got, explained, err := (&discover.Sources{Registry: w.r}).Discover(w.t.Context(), "p", warehouse(w.sub))
	if err != nil {
		w.t.Fatal(err)
	}
	asked = slices.DeleteFunc(w.s.asked(), func(one string) bool { return one == "GET /v2/" })
	if got.Problem != "" {
		return got.Problem, explained.Images[0], asked
	}
	return got.Images[0].Tag, explained.Images[0], asked
}

// takes checks what the next discovery takes and what it asks for.
func (w *watcher) takes(tag string, asked ...string) {
	w.t.Helper()
	taken, _, have := w.next()
	if taken != tag {
		w.t.Errorf("took %q, want %q", taken, tag)
	}
	if diff := cmp.Diff(asked, have); diff != "" {
		w.t.Errorf("requests: -want +got:\n%s", diff)
	}
}

const listWeb = "GET /v2/web/tags/list?n=1000"

func head(tag string) string { return "HEAD /v2/web/manifests/" + tag }

func get(tag string) string { return "GET /v2/web/manifests/" + tag }

func blob(t *testing.T, img v1.Image) string {
	t.Helper()
	return "GET /v2/web/blobs/" + configOf(t, img)
}

func uploadAll(t *testing.T, s *server, images map[string]v1.Image) {
	t.Helper()
	for tag, img := range images {
		s.upload(t, "web:"+tag, img)
	}
}

func TestLexicalTakesTheLastTag(t *testing.T) {
	s := newServer(t)
	newest := built(t, day(1), nil)
	uploadAll(t, s, map[string]v1.Image{"main-1": built(t, day(9), nil), "main-2": newest})
	sub := subscription(s, "web")
	sub.Strategy = promote.SelectLexical
	w := watch(t, s, sub, nil)
	w.takes("main-2", listWeb, get("main-2"), blob(t, newest))
	w.takes("main-2", listWeb, head("main-2"))
}

func TestDigestFollowsOneTagWithoutAList(t *testing.T) {
	s := newServer(t)
	first, second := built(t, day(1), nil), built(t, day(2), nil)
	sub := subscription(s, "web")
	sub.Strategy, sub.Constraint, sub.CacheByTag = promote.SelectDigest, "latest", true
	w := watch(t, s, sub, nil)
	gone := s.host() + `/web has no tag "latest", which strategy Digest watches; push it, or correct constraint at develop/warehouse.yaml:11:9`
	w.takes(gone, get("latest"))
	s.upload(t, "web:latest", first)
	s.asked()
	w.takes("latest", get("latest"), blob(t, first))
	w.takes("latest", head("latest")) // although its tags are said to be trusted
	s.upload(t, "web:latest", second)
	s.asked()
	w.takes("latest", head("latest"), get(digestOf(t, second)), blob(t, second))
	s.upload(t, "web:latest", first)
	s.asked()
	w.takes("latest", head("latest")) // what is known by its digest is not read again
	s.before = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
		return r.Method == http.MethodHead
	}
	if taken, _, _ := w.next(); !strings.Contains(taken, "HTTP 503") {
		t.Errorf("a refusal that is no 404: %q", taken)
	}
}

func TestATrustedTagIsReadOnce(t *testing.T) {
	s := newServer(t)
	first := built(t, day(1), nil)
	s.upload(t, "web:1.0.0", first)
	sub := subscription(s, "web")
	sub.CacheByTag = true
	w := watch(t, s, sub, nil)
	w.takes("1.0.0", listWeb, get("1.0.0"), blob(t, first))
	s.upload(t, "web:1.0.0", built(t, day(2), nil))
	s.asked()
	w.takes("1.0.0", listWeb)
	got, _, err := (&discover.Sources{Registry: w.r}).Discover(t.Context(), "p", warehouse(sub))
	if err != nil || got.Images[0].Digest != digestOf(t, first) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestATrustedTagThatWasGoneIsReadAgain(t *testing.T) {
	s := newServer(t)
	uploadAll(t, s, map[string]v1.Image{"1.0.0": built(t, day(1), nil), "1.1.0": built(t, day(2), nil)})
	sub := subscription(s, "web")
	sub.CacheByTag = true
	w := watch(t, s, sub, nil)
	w.next()
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/list") {
			_, _ = w.Write([]byte(`{"tags":["1.0.0"]}`))
		}
		return strings.HasSuffix(r.URL.Path, "/list")
	}
	if taken, _, _ := w.next(); taken != "1.0.0" {
		t.Errorf("took %q", taken)
	}
	s.before = nil
	again := built(t, day(3), nil)
	s.upload(t, "web:1.1.0", again)
	s.asked()
	w.takes("1.1.0", listWeb, get("1.1.0"), blob(t, again))
}

func TestNewestBuildReadsEachImageOnce(t *testing.T) {
	s := newServer(t)
	var images []v1.Image
	for i := range 30 {
		images = append(images, built(t, day(i+1), nil))
		s.upload(t, fmt.Sprintf("web:pr-%d", i), images[i])
	}
	s.upload(t, "web:copy", images[4])
	sub := subscription(s, "web")
	sub.Strategy, sub.DiscoveryLimit = promote.SelectNewestBuild, 3
	w := watch(t, s, sub, nil)
	taken, explanation, asked := w.next()
	if taken != "pr-29" || explanation.Tags != 31 {
		t.Errorf("took %q of %d tags", taken, explanation.Tags)
	}
	if diff := cmp.Diff([]string{"pr-29", "pr-28", "pr-27"}, explanation.Candidates); diff != "" || explanation.Older != 28 {
		t.Errorf("%d more than -want +got:\n%s", explanation.Older, diff)
	}
	if len(asked) != 1+31+30 { // the copy has the same configuration
		t.Errorf("%d requests", len(asked))
	}
	t.Run("and then asks whether the newest still are", func(t *testing.T) {
		_, _, asked := w.next()
		slices.Sort(asked)
		if diff := cmp.Diff([]string{listWeb, head("pr-27"), head("pr-28"), head("pr-29")}, asked); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	t.Run("and reads what was not there before", func(t *testing.T) {
		late := built(t, time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), nil)
		s.upload(t, "web:aaa", late)
		s.asked()
		taken, _, asked := w.next()
		slices.Sort(asked)
		want := []string{blob(t, late), get("aaa"), listWeb, head("pr-28"), head("pr-29")}
		slices.Sort(want)
		if diff := cmp.Diff(want, asked); diff != "" || taken != "aaa" {
			t.Errorf("took %q; -want +got:\n%s", taken, diff)
		}
	})
	t.Run("and sees a tag of the newest that moved", func(t *testing.T) {
		s.upload(t, "web:aaa", images[0])
		if taken, _, _ := w.next(); taken != "pr-29" {
			t.Errorf("took %q", taken)
		}
	})
	t.Run("and does not see an old tag that moved", func(t *testing.T) {
		s.upload(t, "web:pr-2", built(t, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), nil))
		if taken, _, _ := w.next(); taken != "pr-29" {
			t.Errorf("took %q", taken)
		}
	})
	t.Run("and with trusted tags asks for the list only", func(*testing.T) {
		w.sub.CacheByTag = true
		w.takes("pr-29", listWeb)
	})
}

func TestNewestBuildDropsWhatItCannotOrder(t *testing.T) {
	s := newServer(t)
	epoch := time.Unix(0, 0).UTC()
	uploads := []struct {
		tag string
		img remote.Taggable
	}{
		{"dated", built(t, day(1), nil)},
		{"epoch", built(t, epoch, nil)},
		{"hollow", index(on("unknown", "unknown", built(t, day(3), nil), nil))},
		{"same", built(t, day(1), map[string]string{"other": "content"})},
		{"tie", built(t, day(1), nil)},
	}
	for _, one := range uploads {
		s.upload(t, "web:"+one.tag, one.img)
	}
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/list") {
			return false
		}
		_, _ = w.Write([]byte(`{"tags":["dated","epoch","gone","hollow","same","tie"]}`))
		return true
	}
	sub := subscription(s, "web")
	sub.Strategy = promote.SelectNewestBuild
	taken, explanation, _ := watch(t, s, sub, nil).next()
	if diff := cmp.Diff([]string{"tie", "same", "dated"}, explanation.Candidates); diff != "" || taken != "tie" {
		t.Errorf("took %q; -want +got:\n%s", taken, diff)
	}
	var dropped []string
	for _, d := range explanation.Dropped {
		dropped = append(dropped, d.Tag+" "+d.Reason)
	}
	want := []string{
		"hollow is an index of attestations or of nothing, without an image that can run",
		"gone is listed by the registry but has no manifest",
		"epoch does not say when it was built",
	}
	if diff := cmp.Diff(want, dropped); diff != "" {
		t.Errorf("dropped: -want +got:\n%s", diff)
	}
}

func TestNewestBuildSaysWhatIsMissing(t *testing.T) {
	unknown := func(s *server) string {
		return "none of the 2 selected tags of " + s.host() + "/web says when it was built (reproducible builds write 1970-01-01 or the like), so strategy NewestBuild cannot tell the newest; " +
			"set the annotation org.opencontainers.image.created when building, or choose SemVer or Lexical at develop/warehouse.yaml:11:9"
	}
	tests := []struct {
		name     string
		a, b     v1.Image
		platform string
		change   func(*discover.Config)
		want     func(*server) string
	}{
		{"builds of 1970", built(t, time.Unix(0, 0).UTC(), nil), built(t, time.Unix(1, 0).UTC(), nil), "", nil, unknown},
		{"builds of year one", built(t, time.Time{}, nil), built(t, time.Time{}, map[string]string{"b": "c"}), "", nil, unknown},
		{
			"builds for another platform", built(t, day(1), nil), built(t, day(2), nil), "linux/arm64", nil,
			func(s *server) string {
				return "none of the newest 2 selected tags of " + s.host() + `/web is for platform "linux/arm64" (they are for: linux/amd64); correct platform at develop/warehouse.yaml:11:9 or push an image for it`
			},
		},
		{
			"more than one discovery may read", built(t, day(1), nil), built(t, day(2), nil), "", func(c *discover.Config) { c.NewBuilds = 1 },
			func(s *server) string {
				return "strategy NewestBuild has to read each of the 2 selected tags of " + s.host() + "/web once; still to be read are 1, with the next look; to select fewer, set allowTagsRegexes at develop/warehouse.yaml:11:9"
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			uploadAll(t, s, map[string]v1.Image{"a": tt.a, "b": tt.b})
			sub := subscription(s, "web")
			sub.Strategy, sub.Platform = promote.SelectNewestBuild, tt.platform
			w := watch(t, s, sub, tt.change)
			taken, explanation, _ := w.next()
			if diff := cmp.Diff(tt.want(s), taken); diff != "" || explanation.Problem != taken {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestNewestBuildGoesOnWhereItStopped(t *testing.T) {
	s := newServer(t)
	for i := range 5 {
		s.upload(t, fmt.Sprintf("web:%d", i), built(t, day(i+1), nil))
	}
	sub := subscription(s, "web")
	sub.Strategy, sub.CacheByTag = promote.SelectNewestBuild, true
	w := watch(t, s, sub, func(c *discover.Config) { c.NewBuilds = 2 })
	for _, want := range []struct {
		taken    string
		requests int
	}{{"strategy", 5}, {"strategy", 5}, {"4", 3}, {"4", 1}} {
		taken, _, asked := w.next()
		if !strings.HasPrefix(taken, want.taken) || len(asked) != want.requests {
			t.Errorf("took %q with %q", taken, asked)
		}
	}
}

func TestNewestBuildByPlatform(t *testing.T) {
	s := newServer(t)
	s.upload(t, "web:old", index(on("linux", "amd64", built(t, day(1), nil), nil), on("linux", "arm64", built(t, day(2), nil), nil)))
	s.upload(t, "web:single", built(t, day(5), nil))
	sub := subscription(s, "web")
	sub.Strategy, sub.Platform = promote.SelectNewestBuild, "linux/arm64"
	w := watch(t, s, sub, nil)
	if taken, explanation, _ := w.next(); taken != "old" || !explanation.CreatedAt.Equal(day(2)) {
		t.Errorf("took %q of %s", taken, explanation.CreatedAt)
	}
	w.takes("old", listWeb, head("old"))
	w.sub.Platform = "linux/amd64"
	if taken, _, _ := w.next(); taken != "single" {
		t.Errorf("took %q", taken)
	}
}

func TestATagThatIsListedOnlyIsNotReplacedByAnOlderOne(t *testing.T) {
	for _, strategy := range []promote.Strategy{promote.SelectSemVer, promote.SelectNewestBuild} {
		t.Run(string(strategy), func(t *testing.T) {
			s := newServer(t)
			uploadAll(t, s, map[string]v1.Image{"1.0.0": built(t, day(1), nil), "1.1.0": built(t, day(2), nil)})
			sub := subscription(s, "web")
			sub.Strategy = strategy
			w := watch(t, s, sub, nil)
			if taken, _, _ := w.next(); taken != "1.1.0" {
				t.Errorf("took %q", taken)
			}
			s.before = func(rw http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/manifests/1.1.0") {
					return false
				}
				rw.WriteHeader(http.StatusNotFound)
				return true
			}
			for range 2 {
				if taken, _, _ := w.next(); taken != s.host()+"/web:1.1.0 is listed by the registry but has no manifest; push it again or delete the tag" {
					t.Errorf("took %q", taken)
				}
			}
		})
	}
}
