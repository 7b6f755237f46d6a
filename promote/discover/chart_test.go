package discover_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
)

// chartServer serves the index of a chart repository as a file server does, and remembers what it was asked.
type chartServer struct {
	*httptest.Server
	mu       sync.Mutex
	index    string
	etag     string // "": none is sent
	modified string
	answer   func(http.ResponseWriter, *http.Request) (answered bool) // nil: the index
	requests []string
}

func newChartServer(t testing.TB, index string) *chartServer {
	t.Helper()
	s := &chartServer{index: index}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *chartServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answer != nil && s.answer(w, r) {
		s.requests = append(s.requests, r.URL.RequestURI()+" answered")
		return
	}
	if s.etag != "" {
		w.Header().Set("ETag", s.etag)
	}
	if s.modified != "" {
		w.Header().Set("Last-Modified", s.modified)
	}
	if s.etag != "" && r.Header.Get("If-None-Match") == s.etag || s.modified != "" && r.Header.Get("If-Modified-Since") == s.modified {
		s.requests = append(s.requests, r.URL.RequestURI()+" 304")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	s.requests = append(s.requests, r.URL.RequestURI()+" 200")
	_, _ = w.Write([]byte(s.index))
}

// change replaces what is served.
func (s *chartServer) change(index, etag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index, s.etag = index, etag
}

func (s *chartServer) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.requests
	s.requests = nil
	return out
}

// indexOf writes an index of one chart.
func indexOf(name string, versions ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: v1\nentries:\n  %s:\n", name)
	for _, v := range versions {
		fmt.Fprintf(&b, "  - name: %s\n    version: %s\n", name, v)
	}
	return b.String()
}

func newCharts(change func(*discover.ChartConfig)) *discover.Charts {
	clock := &stepper{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	config := discover.ChartConfig{Now: clock.read}
	if change != nil {
		change(&config)
	}
	return discover.NewCharts(config)
}

var chartPosition = promote.Position{File: "develop/warehouse.yaml", Line: 9, Column: 7}

func TestChartsOfAnHTTPRepository(t *testing.T) {
	s := newChartServer(t, indexOf("web", "1.2.0", "v1.10.0", "1.10.0", "2.0.0-rc.1", "1.2", "latest", "1.2.0")+"    deprecated: false\n")
	tests := []struct {
		name        string
		constraint  string
		limit       int
		want        []string // candidates
		wantSkipped []discover.Skipped
	}{
		{
			name: "without a constraint pre-releases count", want: []string{"2.0.0-rc.1", "v1.10.0", "1.10.0", "1.2.0", "1.2"},
			wantSkipped: []discover.Skipped{{Name: "latest", Reason: "not a semantic version"}},
		},
		{
			name: "with one they do not", constraint: "^1.2.0", limit: 3, want: []string{"v1.10.0", "1.10.0", "1.2.0"},
			wantSkipped: []discover.Skipped{
				{Name: "2.0.0-rc.1", Reason: `outside semverConstraint "^1.2.0"`}, {Name: "latest", Reason: "not a semantic version"},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sub := promote.ChartSubscription{Name: "s", RepoURL: s.URL + "/charts/", Chart: "web", Constraint: tt.constraint, DiscoveryLimit: tt.limit}
			got, explanation, err := newCharts(nil).Newest(t.Context(), sub)
			if err != nil {
				t.Fatal(err)
			}
			want := promote.Chart{RepoURL: s.URL + "/charts/", Name: "web", Version: tt.want[0], Subscription: "s"}
			wantExplanation := discover.ChartExplanation{
				RepoURL: s.URL + "/charts/", Chart: "web", Versions: 7, Candidates: tt.want, Skipped: tt.wantSkipped, Chosen: tt.want[0],
			}
			if diff := cmp.Diff(wantExplanation, explanation); diff != "" || got != want {
				t.Errorf("got %+v; -want +got:\n%s", got, diff)
			}
			if diff := cmp.Diff([]string{"/charts/index.yaml 200"}, s.asked()); diff != "" {
				t.Errorf("requests: -want +got:\n%s", diff)
			}
		})
	}
}

func TestADeprecatedVersionIsTakenAndTold(t *testing.T) {
	s := newChartServer(t, indexOf("web", "1.0.0")+"    deprecated: true\n")
	got, explanation, err := newCharts(nil).Newest(t.Context(), promote.ChartSubscription{RepoURL: s.URL, Chart: "web"})
	if err != nil || got.Version != "1.0.0" || !explanation.Deprecated {
		t.Errorf("%+v %+v %v", got, explanation, err)
	}
}

func TestAnIndexIsReadAgainOnlyWhenItChanged(t *testing.T) {
	for _, validator := range []string{"ETag", "Last-Modified"} {
		t.Run(validator, func(t *testing.T) {
			s := newChartServer(t, indexOf("web", "1.0.0"))
			first, second := `"one"`, `"two"`
			if validator == "Last-Modified" {
				first, second = "", ""
				s.modified = "Thu, 01 Jan 2026 00:00:00 GMT"
			}
			s.change(s.index, first)
			charts := newCharts(nil)
			newest := func() string {
				got, _, err := charts.Newest(t.Context(), promote.ChartSubscription{RepoURL: s.URL, Chart: "web"})
				if err != nil {
					return err.Error()
				}
				return got.Version
			}
			if got := newest() + newest(); got != "1.0.01.0.0" {
				t.Error(got)
			}
			if diff := cmp.Diff([]string{"/index.yaml 200", "/index.yaml 304"}, s.asked()); diff != "" {
				t.Errorf("requests: -want +got:\n%s", diff)
			}
			s.change(indexOf("web", "1.0.0", "1.1.0"), second)
			if validator == "Last-Modified" {
				s.modified = "Fri, 02 Jan 2026 00:00:00 GMT"
			}
			if got := newest(); got != "1.1.0" {
				t.Errorf("after a change: %s", got)
			}
			s.answer = func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(http.StatusBadGateway)
				return true
			}
			if got := newest(); !strings.Contains(got, "HTTP 502: Bad Gateway; the repository has a problem of its own; it is asked again later") {
				t.Errorf("while it fails: %s", got)
			}
			s.answer = nil
			s.asked()
			if got := newest(); got != "1.1.0" {
				t.Errorf("after it failed: %s", got)
			}
			if diff := cmp.Diff([]string{"/index.yaml 304"}, s.asked()); diff != "" {
				t.Errorf("requests: -want +got:\n%s", diff)
			}
		})
	}
}

func TestSubscriptionsShareAnIndex(t *testing.T) {
	s := newChartServer(t, indexOf("web", "1.0.0")+"  api:\n  - version: 2.0.0\n")
	charts := newCharts(func(c *discover.ChartConfig) { c.Fresh = time.Hour })
	var group errgroup.Group
	for range 50 {
		for chart, version := range map[string]string{"web": "1.0.0", "api": "2.0.0"} {
			group.Go(func() error {
				got, _, err := charts.Newest(t.Context(), promote.ChartSubscription{RepoURL: s.URL, Chart: chart})
				if err == nil && got.Version != version {
					err = fmt.Errorf("%s is %s", chart, got.Version)
				}
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := s.asked(); len(got) != 1 {
		t.Errorf("asked %d times, want 1", len(got))
	}
}

func TestChartProblems(t *testing.T) {
	s := newChartServer(t, indexOf("nginx", "1.0.0", "next")+"  redis: []\n")
	s.answer = func(w http.ResponseWriter, r *http.Request) bool {
		switch r.URL.Path {
		case "/absent/index.yaml":
			http.NotFound(w, r)
		case "/private/index.yaml":
			w.WriteHeader(http.StatusUnauthorized)
		case "/page/index.yaml":
			_, _ = w.Write([]byte("<html>sign in</html>"))
		case "/moved/index.yaml":
			http.Redirect(w, r, "/moved/index.yaml", http.StatusFound)
		case "/large/index.yaml":
			_, _ = w.Write([]byte("entries:\n" + strings.Repeat("  # text\n", 10_000)))
		default:
			return false
		}
		return true
	}
	host := strings.TrimPrefix(s.URL, "http://")
	tests := []struct {
		name string
		sub  promote.ChartSubscription
		want string
	}{
		{
			"a chart with a typing mistake",
			promote.ChartSubscription{RepoURL: s.URL, Chart: "ngnix"},
			`chart "ngnix" is not in the index of ` + s.URL + `; did you mean "nginx"?; correct name at develop/warehouse.yaml:9:7`,
		},
		{
			"another chart",
			promote.ChartSubscription{RepoURL: s.URL, Chart: "something"},
			`chart "something" is not in the index of ` + s.URL + `, which has nginx, redis; correct name at develop/warehouse.yaml:9:7`,
		},
		{"a chart without versions", promote.ChartSubscription{RepoURL: s.URL, Chart: "redis"}, `chart "redis" of ` + s.URL + ` has no versions; push one`},
		{
			"a constraint that nothing meets",
			promote.ChartSubscription{RepoURL: s.URL, Chart: "nginx", Constraint: "^2"},
			`none of the 2 versions of chart "nginx" of ` + s.URL + ` is selected (1.0.0: outside semverConstraint "^2"; next: not a semantic version); widen semverConstraint at develop/warehouse.yaml:9:7, or push a version inside it`,
		},
		{
			"a constraint that is none",
			promote.ChartSubscription{RepoURL: s.URL, Chart: "nginx", Constraint: "x y"},
			`chart "nginx" of ` + s.URL + `: semverConstraint "x y" is not a semantic version range: improper constraint: "x y"; correct it at develop/warehouse.yaml:9:7`,
		},
		{
			"no index",
			promote.ChartSubscription{RepoURL: s.URL + "/absent", Chart: "nginx"},
			`chart repository ` + host + `: read "` + s.URL + `/absent/index.yaml": HTTP 404: Not Found; correct repoURL: it is the folder that holds index.yaml`,
		},
		{
			"no credentials",
			promote.ChartSubscription{RepoURL: s.URL + "/private?token=s3cret", Chart: "nginx"},
			`chart repository ` + host + `: read "` + s.URL + `/private/index.yaml": HTTP 401: Unauthorized; give Lockkeeper a user and password for ` + host + ` that may read it`,
		},
		{
			"a page",
			promote.ChartSubscription{RepoURL: s.URL + "/page", Chart: "nginx"},
			`chart repository ` + host + `: read "` + s.URL + `/page/index.yaml": it is not the index of a chart repository; check that repoURL is the folder that holds index.yaml`,
		},
		{
			"redirects without end",
			promote.ChartSubscription{RepoURL: s.URL + "/moved", Chart: "nginx"},
			`chart repository ` + host + `: read "` + s.URL + `/moved/index.yaml": no answer: too many redirects; check that ` + host + ` can be reached from here; it is asked again later`,
		},
		{
			"an index above the bound",
			promote.ChartSubscription{RepoURL: s.URL + "/large", Chart: "nginx"},
			`chart repository ` + host + `: read "` + s.URL + `/large/index.yaml": the index has more than 50000 bytes, which is the most that is read; remove old versions from it`,
		},
		{
			"an HTTP repository without a name",
			promote.ChartSubscription{RepoURL: s.URL},
			`repoURL "` + s.URL + `" is a repository of many charts; set name to one of them at develop/warehouse.yaml:9:7`,
		},
		{
			"an OCI chart with a name",
			promote.ChartSubscription{RepoURL: "oci://example.com/web", Chart: "web"},
			`repoURL "oci://example.com/web" names the chart, and so does name; remove name: web at develop/warehouse.yaml:9:7`,
		},
		{
			"an OCI chart with a tag",
			promote.ChartSubscription{RepoURL: "oci://example.com/web:1.0.0"},
			`repoURL "oci://example.com/web:1.0.0" is not a chart in an OCI registry; write oci://<registry>/<repository> without tag and digest at develop/warehouse.yaml:9:7`,
		},
		{
			"neither",
			promote.ChartSubscription{RepoURL: "user:s3cret@example.com/charts", Chart: "web"},
			`repoURL "example.com/charts" is not a chart repository; write https://… with the chart's name, or oci://<registry>/<repository> at develop/warehouse.yaml:9:7`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.sub.Position = chartPosition
			got, _, err := newCharts(func(c *discover.ChartConfig) { c.MaxIndex = 50_000 }).Newest(t.Context(), tt.sub)
			if err == nil || err.Error() != tt.want || got != (promote.Chart{}) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// hosts is a keychain.
type hosts map[string]authn.AuthConfig

func (h hosts) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if config, ok := h[r.RegistryStr()]; ok {
		return authn.FromConfig(config), nil
	}
	return authn.Anonymous, nil
}

func TestCredentialsOfChartRepositories(t *testing.T) {
	seen := ""
	other := newChartServer(t, indexOf("web", "1.0.0"))
	other.answer = func(_ http.ResponseWriter, r *http.Request) bool {
		seen += "other:" + r.Header.Get("Authorization")
		return false
	}
	s := newChartServer(t, indexOf("web", "1.0.0"))
	s.answer = func(w http.ResponseWriter, r *http.Request) bool {
		user, password, _ := r.BasicAuth()
		seen += user + ":" + password + " "
		if r.URL.Path == "/away/index.yaml" {
			http.Redirect(w, r, strings.Replace(other.URL, "127.0.0.1", "localhost", 1)+"/index.yaml", http.StatusFound)
			return true
		}
		return false
	}
	charts := newCharts(func(c *discover.ChartConfig) {
		c.Keychain = hosts{strings.TrimPrefix(s.URL, "http://"): {Username: "bot", Password: "s3cret"}}
	})
	tests := []struct{ name, url, want string }{
		{"by host", s.URL, "bot:s3cret "},
		{"in the URL", strings.Replace(s.URL, "http://", "http://ann:pw@", 1), "ann:pw "},
		{"none for another host", other.URL, "other:"},
		{"none for the host that it redirects to", s.URL + "/away", "bot:s3cret other:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen = ""
			_, explanation, err := charts.Newest(t.Context(), promote.ChartSubscription{RepoURL: tt.url, Chart: "web"})
			if err != nil || seen != tt.want || strings.Contains(fmt.Sprint(explanation), "pw") {
				t.Errorf("saw %q, want %q; %+v %v", seen, tt.want, explanation, err)
			}
		})
	}
}

func TestACertificateIsVerifiedUnlessToldOtherwise(t *testing.T) {
	s := &chartServer{index: indexOf("web", "1.0.0")}
	secure := httptest.NewUnstartedServer(s)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	sub := promote.ChartSubscription{RepoURL: secure.URL, Chart: "web"}
	_, _, err := newCharts(nil).Newest(t.Context(), sub)
	if err == nil || !strings.Contains(err.Error(), "or set insecureSkipTLSVerify: true") {
		t.Errorf("error %v", err)
	}
	sub.SkipTLSVerify = true
	if got, _, err := newCharts(nil).Newest(t.Context(), sub); err != nil || got.Version != "1.0.0" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestAChartRepositoryThatWantsToBeLeftAloneIs(t *testing.T) {
	s := newChartServer(t, "")
	s.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	charts := newCharts(nil)
	for range 3 {
		_, _, err := charts.Newest(t.Context(), promote.ChartSubscription{RepoURL: s.URL, Chart: "web"})
		if !errors.Is(err, promote.ErrLimited) {
			t.Error(err)
		}
	}
	if got := s.asked(); len(got) != 1 {
		t.Errorf("asked %d times, want 1", len(got))
	}
}

func TestChartsEndWithTheirContext(t *testing.T) {
	s := newChartServer(t, indexOf("web", "1.0.0"))
	ctx, cancel := context.WithCancel(t.Context())
	s.answer = func(http.ResponseWriter, *http.Request) bool {
		cancel()
		return false
	}
	charts := newCharts(nil)
	sub := promote.ChartSubscription{RepoURL: s.URL, Chart: "web"}
	if _, _, err := charts.Newest(ctx, sub); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	s.answer = nil
	if got, _, err := charts.Newest(t.Context(), sub); err != nil || got.Version != "1.0.0" {
		t.Errorf("the next call fails too: %v", err)
	}
}

func TestChartsOfAnOCIRegistry(t *testing.T) {
	s := newServer(t)
	img := image(t, "linux", "amd64", "", "x")
	s.push(t, "charts/web", img, "1.0.0", "1.2.0_build.5", "v3.0.0", "latest", "1.3")
	charts := newCharts(func(c *discover.ChartConfig) { c.Registry = newRegistry(nil) })
	sub := promote.ChartSubscription{RepoURL: "oci://" + s.host() + "/charts/web", DiscoveryLimit: 20}
	got, explanation, err := charts.Newest(t.Context(), sub)
	if err != nil {
		t.Fatal(err)
	}
	want := discover.ChartExplanation{
		RepoURL: sub.RepoURL, Versions: 5, Candidates: []string{"1.2.0+build.5", "1.0.0"}, Chosen: "1.2.0+build.5",
		Skipped: []discover.Skipped{
			{Name: "1.3", Reason: "not a whole semantic version"},
			{Name: "latest", Reason: "not a whole semantic version"},
			{Name: "v3.0.0", Reason: "not a whole semantic version"},
		},
	}
	if diff := cmp.Diff(want, explanation); diff != "" || got != (promote.Chart{RepoURL: sub.RepoURL, Version: "1.2.0+build.5"}) {
		t.Errorf("got %+v; -want +got:\n%s", got, diff)
	}
	sub.RepoURL += "-absent"
	if _, _, err := charts.Newest(t.Context(), sub); err == nil || !strings.Contains(err.Error(), "NAME_UNKNOWN") {
		t.Errorf("error %v", err)
	}
}
