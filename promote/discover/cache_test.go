package discover_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
)

func TestWhatIsKnownSurvivesARestart(t *testing.T) {
	s := newServer(t)
	newest := annotated(built(t, day(2), nil), map[string]string{"a": "b"})
	uploadAll(t, s, map[string]v1.Image{"1.0.0": built(t, day(1), nil), "1.1.0": newest})
	want := promote.Image{RepoURL: s.host() + "/web", Tag: "1.1.0", Digest: digestOf(t, newest), CreatedAt: day(2), Annotations: map[string]string{"a": "b"}}
	tests := []struct {
		name     string
		strategy promote.Strategy
		damage   func(t *testing.T, dir string)
		want     []string
	}{
		{"by version", promote.SelectSemVer, nil, []string{listWeb, head("1.1.0")}},
		{"by build", promote.SelectNewestBuild, nil, []string{listWeb, head("1.0.0"), head("1.1.0")}},
		{
			"with files that are cut off", promote.SelectSemVer,
			func(t *testing.T, dir string) { rewrite(t, dir, func(raw string) string { return raw[:len(raw)/2] }) },
			[]string{listWeb, get("1.1.0"), blob(t, newest)},
		},
		{
			"with files of other content", promote.SelectSemVer,
			func(t *testing.T, dir string) {
				rewrite(t, dir, func(string) string { return `{"digest":"sha256:1","tags":{"x":"y"}}` })
			},
			[]string{listWeb, get("1.1.0"), blob(t, newest)},
		},
		{
			"with files of another image", promote.SelectSemVer,
			func(t *testing.T, dir string) {
				rewrite(t, filepath.Join(dir, "images"), func(raw string) string { return strings.ReplaceAll(raw, `"digest":"sha256:`, `"digest":"sha256:00`) })
			},
			[]string{listWeb, get("1.1.0"), blob(t, newest)},
		},
		{
			"without what is known of images", promote.SelectSemVer,
			func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "images")) },
			[]string{listWeb, get("1.1.0"), blob(t, newest)},
		},
		{
			"without what is known of tags", promote.SelectSemVer,
			func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "tags")) },
			[]string{listWeb, get("1.1.0")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "made when it is needed")
			sub := subscription(s, "web")
			sub.Strategy = tt.strategy
			keep := func(c *discover.Config) { c.CacheDir = dir }
			watch(t, s, sub, keep).next()
			if tt.damage != nil {
				tt.damage(t, dir)
			}
			for range 2 { // the second time everything is as it was
				w := watch(t, s, sub, keep)
				_, _, asked := w.next()
				if diff := cmp.Diff(tt.want, sorted(asked)); diff != "" {
					t.Errorf("requests: -want +got:\n%s", diff)
				}
				got, _, err := (&discover.Sources{Registry: w.r}).Discover(t.Context(), "p", warehouse(sub))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(promote.Artifacts{Images: []promote.Image{want}}, got.Artifacts); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				tt.want = []string{listWeb, head("1.1.0")}
				if tt.strategy == promote.SelectNewestBuild {
					tt.want = []string{listWeb, head("1.0.0"), head("1.1.0")}
				}
			}
		})
	}
}

// sorted orders what was asked at the same time.
func sorted(asked []string) []string {
	for i := range asked {
		for j := i; j > 0 && strings.HasPrefix(asked[j], "HEAD") && asked[j] < asked[j-1]; j-- {
			asked[j], asked[j-1] = asked[j-1], asked[j]
		}
	}
	return asked
}

func rewrite(t *testing.T, dir string, change func(string) string) {
	t.Helper()
	count := 0
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		count++
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(change(string(raw))), 0o600)
	})
	if err != nil || count == 0 {
		t.Fatalf("%d files, error %v", count, err)
	}
}

func remove(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}

func TestAFolderThatCannotBeWrittenCostsRequestsOnly(t *testing.T) {
	s := newServer(t)
	s.upload(t, "web:1.0.0", built(t, day(1), nil))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w := watch(t, s, subscription(s, "web"), func(c *discover.Config) { c.CacheDir = file })
	if taken, _, _ := w.next(); taken != "1.0.0" {
		t.Errorf("took %q", taken)
	}
	w.takes("1.0.0", listWeb, head("1.0.0"))
}

// TestARegistryCannotLieAboutOthers: with manifests of schema 1 the library takes the registry's word for the digest.
func TestARegistryCannotLieAboutOthers(t *testing.T) {
	honest, liar := newServer(t), newServer(t)
	img := annotated(built(t, day(1), nil), map[string]string{"a": "truth"})
	honest.upload(t, "web:1.0.0", img)
	lie := serveManifest("1.0.0", "application/vnd.docker.distribution.manifest.v1+prettyjws", `{"annotations":{"a":"lie"}}`)
	liar.before = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Docker-Content-Digest", digestOf(t, img))
		return lie(w, r)
	}
	r := newRegistry(func(c *discover.Config) { c.CacheDir = t.TempDir() })
	if got, err := r.Image(t.Context(), liar.host()+"/web", "1.0.0", false); err != nil || got.Digest != digestOf(t, img) || got.Annotations["a"] != "lie" {
		t.Fatalf("the lie is not told: %+v %v", got, err)
	}
	if got, err := r.Image(t.Context(), honest.host()+"/web", "1.0.0", false); err != nil || got.Annotations["a"] != "truth" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestWarehousesShareOneList(t *testing.T) {
	s := newServer(t)
	uploadAll(t, s, map[string]v1.Image{"1.0.0": built(t, day(1), nil), "1.1.0": built(t, day(2), nil)})
	strategies := []promote.Strategy{promote.SelectSemVer, promote.SelectLexical, promote.SelectNewestBuild}
	c := newClock()
	r := newRegistry(func(config *discover.Config) { config.Now = c.Now })
	poll := func() int {
		s.asked()
		var group errgroup.Group
		for i := range 60 {
			sub := subscription(s, "web")
			sub.Strategy = strategies[i%len(strategies)]
			group.Go(func() error {
				got, _, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "p", warehouse(sub))
				if err == nil && (got.Problem != "" || got.Images[0].Tag != "1.1.0") {
					err = fmt.Errorf("%+v", got)
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		return len(s.asked())
	}
	if n := poll(); n != 6 { // ping, list, two manifests, two configurations
		t.Errorf("first poll: %d requests", n)
	}
	if n := poll(); n != 0 {
		t.Errorf("second poll at once: %d requests", n)
	}
	c.advance(10 * time.Second)
	if n := poll(); n != 3 { // list, two digests
		t.Errorf("third poll: %d requests", n)
	}
	r.Refresh()
	if n := poll(); n != 3 {
		t.Errorf("poll after something was pushed: %d requests", n)
	}
}

func TestWhoeverGivesUpDoesNotTakeTheOthersWithHim(t *testing.T) {
	s := newServer(t)
	s.upload(t, "web:1.0.0", built(t, day(1), nil))
	r := newRegistry(nil)
	ctx, cancel := context.WithCancel(t.Context())
	asked, lists := make(chan struct{}), 0
	s.before = func(_ http.ResponseWriter, req *http.Request) bool {
		if !strings.HasSuffix(req.URL.Path, "/list") {
			return false
		}
		if lists++; lists > 1 {
			return false
		}
		close(asked)
		<-req.Context().Done()
		return true
	}
	var group errgroup.Group
	group.Go(func() error {
		if _, _, err := (&discover.Sources{Registry: r}).Discover(ctx, "p", warehouse(subscription(s, "web"))); err == nil {
			return fmt.Errorf("the first did not end with its context")
		}
		return nil
	})
	<-asked
	group.Go(func() error {
		got, _, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "p", warehouse(subscription(s, "web")))
		if err == nil && got.Problem != "" {
			err = fmt.Errorf("the second: %s", got.Problem)
		}
		return err
	})
	cancel()
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func TestPagesWithAnETagAreReadWhenTheyChange(t *testing.T) {
	s := newServer(t)
	img := built(t, day(1), nil)
	tags := make([]string, 1500)
	for i := range tags {
		tags[i] = fmt.Sprintf("1.%d.0", i)
	}
	s.upload(t, "web:1.0.0", img)
	s.push(t, "web", img, tags...)
	statuses := []int{}
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/list") {
			return false
		}
		tag := fmt.Sprintf(`"%d-%s"`, len(tags), r.URL.Query().Get("last"))
		w.Header().Set("ETag", tag)
		status := http.StatusOK
		if r.Header.Get("If-None-Match") == tag {
			status = http.StatusNotModified
			w.WriteHeader(status)
		} else {
			s.list(w, r)
		}
		statuses = append(statuses, status)
		return true
	}
	w := watch(t, s, subscription(s, "web"), nil)
	for _, tt := range []struct {
		push, taken string
		want        []int
	}{
		{"", "1.1499.0", []int{200, 200}},
		{"", "1.1499.0", []int{304, 304}},
		{"1.1500.0", "1.1500.0", []int{200, 200}},
		{"", "1.1500.0", []int{304, 304}},
	} {
		statuses = nil
		if tt.push != "" {
			s.push(t, "web", img, tt.push)
			tags = append(tags, tt.push)
		}
		taken, explanation, _ := w.next()
		if taken != tt.taken || explanation.Tags != len(tags) {
			t.Errorf("took %q of %d tags", taken, explanation.Tags)
		}
		if diff := cmp.Diff(tt.want, statuses); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestALimitEndsASurveyAndTheNextGoesOn(t *testing.T) {
	s := newServer(t)
	for i := range 10 {
		s.upload(t, fmt.Sprintf("web:%d", i), built(t, day(i+1), nil))
	}
	sub := subscription(s, "web")
	sub.Strategy = promote.SelectNewestBuild
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/manifests/4") {
			return false
		}
		w.Header().Set("Retry-After", "90")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	w := watch(t, s, sub, nil)
	if taken, _, _ := w.next(); !strings.Contains(taken, "left alone for 1m30s, until 09:02:30 UTC") {
		t.Errorf("problem %q", taken)
	}
	if taken, _, asked := w.next(); !strings.Contains(taken, "left alone for 30s, until 09:02:30 UTC") || len(asked) != 0 {
		t.Errorf("problem %q, requests %q", taken, asked)
	}
	s.before = nil
	if taken, _, _ := w.next(); taken != "9" {
		t.Errorf("took %q", taken)
	}
}
