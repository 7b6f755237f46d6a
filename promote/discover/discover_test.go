package discover_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
)

func TestDiscoverTakesTheNewestVersionAndItsDigest(t *testing.T) {
	s := newServer(t)
	s.push(t, "web", image(t, "linux", "amd64", "", "old"), "1.0.1", "latest")
	newest := image(t, "linux", "amd64", "", "new")
	s.upload(t, "web:1.0.2", newest)
	digest, config := digestOf(t, newest), configOf(t, newest)
	s.asked()
	c := newClock()
	r := newRegistry(func(config *discover.Config) { config.Now = c.Now })
	sub := subscription(s, "web")
	got, explanation, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "develop", warehouse(sub))
	if err != nil {
		t.Fatal(err)
	}
	want := promote.Discovery{
		Project: "develop", Warehouse: "frontend-dev-image", At: newClock().now,
		Artifacts: promote.Artifacts{Images: []promote.Image{{RepoURL: sub.RepoURL, Tag: "1.0.2", Digest: digest}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	one := explanation.Images[0]
	if diff := cmp.Diff([]string{"1.0.2", "1.0.1"}, one.Candidates); diff != "" || one.Tags != 3 || one.Chosen != "1.0.2" || len(one.Dropped) != 1 {
		t.Errorf("explanation %+v", one)
	}
	wantAsked := []string{"GET /v2/", "GET /v2/web/tags/list?n=1000", "GET /v2/web/manifests/1.0.2", "GET /v2/web/blobs/" + config}
	if diff := cmp.Diff(wantAsked, s.asked()); diff != "" {
		t.Errorf("requests: -want +got:\n%s", diff)
	}
	for _, then := range []struct {
		later time.Duration
		want  []string
	}{
		{0, nil},
		{time.Minute, []string{"GET /v2/web/tags/list?n=1000", "HEAD /v2/web/manifests/1.0.2"}},
	} {
		c.advance(then.later)
		if _, _, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "develop", warehouse(sub)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(then.want, s.asked()); diff != "" {
			t.Errorf("requests of a discovery %s later: -want +got:\n%s", then.later, diff)
		}
	}
}

func TestDiscoverFollowsPagesToTheEnd(t *testing.T) {
	for _, absolute := range []bool{false, true} {
		t.Run(fmt.Sprintf("absolute links %v", absolute), func(t *testing.T) {
			s := newServer(t)
			if absolute {
				s.absolute = "https://" + s.host() // a registry behind a proxy, which names itself with another scheme
			}
			tags := make([]string, 5000)
			for i := range tags {
				tags[i] = fmt.Sprintf("1.%d.0", i)
			}
			s.push(t, "web", image(t, "linux", "amd64", "", "one"), tags...)
			got, explanation, err := (&discover.Sources{Registry: newRegistry(nil)}).Discover(t.Context(), "develop", warehouse(subscription(s, "web")))
			if err != nil || got.Problem != "" {
				t.Fatal(err, got.Problem)
			}
			if got.Images[0].Tag != "1.4999.0" || explanation.Images[0].Tags != 5000 || len(explanation.Images[0].Candidates) != 20 {
				t.Errorf("chose %q of %d tags", got.Images[0].Tag, explanation.Images[0].Tags)
			}
			if asked := s.asked(); len(asked) != 8 { // how to authenticate, five pages, manifest and configuration
				t.Errorf("%d requests: %q", len(asked), asked)
			}
		})
	}
}

func TestDiscoverNeedsEverySubscription(t *testing.T) {
	s := newServer(t)
	digest := s.push(t, "web", image(t, "linux", "amd64", "", "x"), "1.0.0")
	s.push(t, "api", image(t, "linux", "amd64", "", "x"), "2.0.0")
	r := newRegistry(nil)
	got, _, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "p", warehouse(subscription(s, "web"), subscription(s, "api")))
	if err != nil || len(got.Images) != 2 || got.Images[0].Digest != digest || got.Images[1].Tag != "2.0.0" {
		t.Errorf("%+v %v", got, err)
	}
	got, _, err = (&discover.Sources{Registry: r}).Discover(t.Context(), "p", warehouse(subscription(s, "web"), subscription(s, "db")))
	if err != nil || got.Images != nil || !strings.Contains(got.Problem, "NAME_UNKNOWN") {
		t.Errorf("%+v %v", got, err)
	}
}

func TestDiscoverExplainsWhyThereIsNothing(t *testing.T) {
	s := newServer(t)
	img := image(t, "linux", "amd64", "", "x")
	s.push(t, "words", img, "latest", "main", "0320.1")
	s.push(t, "only-words", img, "latest", "main")
	s.push(t, "old", img, "1.0.0", "1.1.0")
	repo := s.host()
	tests := []struct {
		name string
		sub  func() promote.ImageSubscription
		want string
	}{
		{
			"tags that are no versions", func() promote.ImageSubscription { return subscription(s, "words") },
			"no tag of " + repo + "/words is a semantic version (found: 0320.1, latest, main); SemVer selection needs tags like 1.2.3; push such a tag, or set strictSemvers: false to take tags like 1.2",
		},
		{
			"tags that are no versions however one looks", func() promote.ImageSubscription { return subscription(s, "only-words") },
			"no tag of " + repo + "/only-words is a semantic version (found: latest, main); SemVer selection needs tags like 1.2.3; push such a tag",
		},
		{"a constraint that nothing meets", func() promote.ImageSubscription {
			sub := subscription(s, "old")
			sub.Constraint = "^2.0.0"
			return sub
		}, "no version of " + repo + `/old is inside constraint "^2.0.0" (found: 1.0.0, 1.1.0); widen the constraint at develop/warehouse.yaml:11:9 or push a version inside it`},
		{"patterns that nothing passes", func() promote.ImageSubscription {
			sub := subscription(s, "old")
			sub.Allow = []string{"^v"}
			return sub
		}, "every tag of " + repo + "/old is filtered out by allowTagsRegexes and ignoreTagsRegexes (found: 1.0.0, 1.1.0); correct the patterns at develop/warehouse.yaml:11:9"},
		{
			"a repository that does not exist", func() promote.ImageSubscription { return subscription(s, "nobody") },
			"registry " + repo + `: list the tags of "` + repo + `/nobody": HTTP 404: NAME_UNKNOWN; correct the repository's name, or push its first image`,
		},
		{
			"a repository that is none", func() promote.ImageSubscription { return promote.ImageSubscription{RepoURL: "https://docker.io/x/y"} },
			`repoURL "https://docker.io/x/y" is not an image repository: write <registry>/<repository> without scheme, tag and digest: invalid request`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := (&discover.Sources{Registry: newRegistry(nil)}).Discover(t.Context(), "develop", warehouse(tt.sub()))
			if err != nil || got.Images != nil {
				t.Fatalf("images %v, error %v", got.Images, err)
			}
			if diff := cmp.Diff(tt.want, got.Problem); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestDiscoverWordsRefusals(t *testing.T) {
	const secret = "glpat-very-secret"
	answer := func(status int, body string, headers ...string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			for i := 0; i+1 < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	tests := []struct {
		name   string
		before func(http.ResponseWriter, *http.Request) bool
		want   string
	}{
		{
			"401 that repeats the credentials", answer(401, `{"errors":[{"code":"UNAUTHORIZED","message":"bad token `+secret+`"}]}`, "WWW-Authenticate", "Basic realm=x"),
			"HTTP 401: UNAUTHORIZED; check the repository's name, and give Lockkeeper credentials for HOST that may pull it",
		},
		{"403", answer(403, `{"errors":[{"code":"DENIED"}]}`), "HTTP 403: DENIED; check the repository's name, and give Lockkeeper credentials for HOST that may pull it"},
		{
			"429 with seconds", answer(429, "", "Retry-After", "42"),
			"HTTP 429: too many requests; it is left alone for 42s, until 09:00:42 UTC; nothing needs to be done; credentials or a longer interval of the Warehouse raise the limit",
		},
		{
			"429 with a date", answer(429, "", "Retry-After", "Sat, 21 Nov 2026 09:02:00 GMT"),
			"HTTP 429: too many requests; it is left alone for 2m0s, until 09:02:00 UTC; nothing needs to be done; credentials or a longer interval of the Warehouse raise the limit",
		},
		{
			"429 that asks for a day", answer(429, "", "Retry-After", "86400"),
			"HTTP 429: too many requests; it is left alone for 10m0s, until 09:10:00 UTC; nothing needs to be done; credentials or a longer interval of the Warehouse raise the limit",
		},
		{
			"503 with a page instead of JSON", answer(503, "<html>"+secret+"</html>"),
			"HTTP 503: Service Unavailable; the registry has a problem of its own; it is asked again later",
		},
		{"a list that is not JSON", func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/list") && answer(200, "<html>")(w, r)
		}, "unusable answer: invalid character '<' looking for beginning of value"},
		{"a list without end", func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/list") && answer(200, `{"tags":["1.0.0"]}`, "Link", `</v2/web/tags/list?last=1.0.0>; rel="next"`)(w, r)
		}, "unusable answer: the registry's pages of tags do not end"},
		{"a list on another host", func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/list") && answer(200, `{"tags":["1.0.0"]}`, "Link", `<http://169.254.169.254/>; rel="next"`)(w, r)
		}, "unusable answer: pagination URL host does not match registry host: potential SSRF attack"},
		{"an answer beyond all bounds", func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/list") && answer(200, `{"tags":["`+strings.Repeat("x", 17<<20))(w, r)
		}, "unusable answer: the answer has more than 16 MiB"},
		{"a tag that is listed and not there", func(w http.ResponseWriter, r *http.Request) bool {
			return strings.Contains(r.URL.Path, "/manifests/") && answer(404, "")(w, r)
		}, "HOST/web:1.0.0 is listed by the registry but has no manifest; push it again or delete the tag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.push(t, "web", image(t, "linux", "amd64", "", "x"), "1.0.0")
			s.before = tt.before
			r := newRegistry(func(c *discover.Config) { c.Keychain = keychain{"bot", secret} })
			got, _, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "develop", warehouse(subscription(s, "web")))
			if err != nil || got.Images != nil {
				t.Fatalf("images %v, error %v", got.Images, err)
			}
			want := strings.ReplaceAll(tt.want, "HOST", s.host())
			if !strings.HasPrefix(want, s.host()) {
				want = "registry " + s.host() + `: list the tags of "` + s.host() + `/web": ` + want
			}
			if diff := cmp.Diff(want, got.Problem); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if strings.Contains(got.Problem, secret) {
				t.Error("the problem tells the secret")
			}
		})
	}
}

// keychain gives one account for every registry.
type keychain struct{ user, password string }

// Resolve implements authn.Keychain.
func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: k.user, Password: k.password}, nil
}

func TestDiscoverTellsThatARegistryIsDown(t *testing.T) {
	s := newServer(t)
	sub := subscription(s, "web")
	s.Close()
	got, _, err := (&discover.Sources{Registry: newRegistry(nil)}).Discover(t.Context(), "develop", warehouse(sub))
	if err != nil || !strings.Contains(got.Problem, "no answer: dial tcp") || !strings.Contains(got.Problem, "check that "+s.host()+" can be reached from here") {
		t.Errorf("%q %v", got.Problem, err)
	}
}

func TestDiscoverGivesUpOnARegistryThatHangs(t *testing.T) {
	s := newServer(t)
	s.before = func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
	r := newRegistry(func(c *discover.Config) { c.Timeout = 10 * time.Millisecond })
	got, _, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "develop", warehouse(subscription(s, "web")))
	if err != nil || !strings.Contains(got.Problem, "no answer: timeout after 10ms; check that") {
		t.Errorf("%q %v", got.Problem, err)
	}
}

func TestDiscoverEndsWithItsContext(t *testing.T) {
	s := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.before = func(_ http.ResponseWriter, r *http.Request) bool { cancel(); <-r.Context().Done(); return true }
	_, _, err := (&discover.Sources{Registry: newRegistry(nil)}).Discover(ctx, "develop", warehouse(subscription(s, "web")))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestARegistryThatLimitsUsIsLeftAlone(t *testing.T) {
	s := newServer(t)
	s.push(t, "web", image(t, "linux", "amd64", "", "x"), "1.0.0")
	limited := true
	s.before = func(w http.ResponseWriter, _ *http.Request) bool {
		if limited {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
		}
		return limited
	}
	c := newClock()
	r := discover.New(discover.Config{Now: c.Now, Sleep: c.Sleep})
	_, err := r.Digest(t.Context(), promote.Image{RepoURL: s.host() + "/web", Tag: "1.0.0"}, false)
	refused, ok := errors.AsType[*promote.APIError](err)
	if !ok || !errors.Is(err, promote.ErrLimited) || refused.RetryAfter != time.Minute {
		t.Fatalf("error %v", err)
	}
	asked := len(s.asked())
	limited = false
	c.now = c.now.Add(20 * time.Second)
	got, _, _ := (&discover.Sources{Registry: r}).Discover(t.Context(), "develop", warehouse(subscription(s, "web")))
	if !strings.Contains(got.Problem, "left alone for 40s, until 09:01:00 UTC") || len(s.asked()) != 0 || asked == 0 {
		t.Errorf("problem %q", got.Problem)
	}
	c.now = c.now.Add(41 * time.Second)
	if got, _, _ := (&discover.Sources{Registry: r}).Discover(t.Context(), "develop", warehouse(subscription(s, "web"))); got.Problem != "" {
		t.Errorf("problem %q", got.Problem)
	}
}

func TestRequestsAreSpacedPerRegistry(t *testing.T) {
	a, b := newServer(t), newServer(t)
	for _, s := range []*server{a, b} {
		s.push(t, "web", image(t, "linux", "amd64", "", "x"), "1.0.0")
	}
	c := newClock()
	r := discover.New(discover.Config{Now: c.Now, Sleep: c.Sleep, RatePerSecond: 0.5})
	for _, s := range []*server{a, b} {
		c.slept = nil
		if _, err := r.Digest(t.Context(), promote.Image{RepoURL: s.host() + "/web", Tag: "1.0.0"}, false); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]time.Duration{2 * time.Second}, c.slept); diff != "" { // the second of two requests waits
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestExpiredCredentialsAreLookedUpAgain(t *testing.T) {
	s := newServer(t)
	s.push(t, "web", image(t, "linux", "amd64", "", "x"), "1.0.0")
	valid := "first"
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if _, password, _ := r.BasicAuth(); password == valid {
			return false
		}
		w.Header().Set("WWW-Authenticate", "Basic realm=x")
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	r := newRegistry(func(c *discover.Config) { c.Keychain = keychainFunc(func() string { return valid }) })
	for _, valid = range []string{"first", "second"} {
		got, _, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "develop", warehouse(subscription(s, "web")))
		if err != nil || got.Problem != "" {
			t.Errorf("with the %s password: %q %v", valid, got.Problem, err)
		}
	}
}

type keychainFunc func() string

// Resolve implements authn.Keychain.
func (f keychainFunc) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "bot", Password: f()}, nil
}

func TestDigest(t *testing.T) {
	s := newServer(t)
	digest := s.push(t, "web", image(t, "linux", "amd64", "", "x"), "1.0.0")
	r := newRegistry(nil)
	tests := []struct {
		name, repo, tag, want string
	}{
		{"a tag that exists", "web", "1.0.0", digest},
		{"a tag that does not", "web", "1.0.1", ""},
		{"a repository that does not", "nobody", "1.0.0", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := r.Digest(t.Context(), promote.Image{RepoURL: s.host() + "/" + tt.repo, Tag: tt.tag}, false)
			if err != nil || got != tt.want {
				t.Errorf("%q %v", got, err)
			}
		})
	}
	t.Run("a tag that moved is seen at once", func(t *testing.T) {
		moved := s.push(t, "web", image(t, "linux", "amd64", "", "other"), "1.0.0")
		if got, err := r.Digest(t.Context(), promote.Image{RepoURL: s.host() + "/web", Tag: "1.0.0"}, false); err != nil || got != moved {
			t.Errorf("%q %v", got, err)
		}
	})
	t.Run("a tag that is none", func(t *testing.T) {
		_, err := r.Digest(t.Context(), promote.Image{RepoURL: s.host() + "/web", Tag: "../x"}, false)
		if !errors.Is(err, promote.ErrInvalid) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a registry without HEAD is asked with GET", func(t *testing.T) {
		s.before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
			}
			return r.Method == http.MethodHead
		}
		got, err := r.Digest(t.Context(), promote.Image{RepoURL: s.host() + "/web", Tag: "1.0.0"}, false)
		if err != nil || !strings.HasPrefix(got, "sha256:") {
			t.Errorf("%q %v", got, err)
		}
	})
}

func TestDiscoverByPlatform(t *testing.T) {
	s := newServer(t)
	arm := image(t, "linux", "arm64", "v8", "arm")
	amd := image(t, "linux", "amd64", "", "amd")
	s.upload(t, "web:1.0.0", amd)
	s.upload(t, "web:1.1.0", index(
		mutate.IndexAddendum{Add: arm, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}}},
		mutate.IndexAddendum{Add: empty.Image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}}},
	))
	tests := []struct{ platform, tag, problem string }{
		{"linux/amd64", "1.0.0", ""},
		{"linux/arm64/v8", "1.1.0", ""},
		{"linux/arm64", "", `none of the newest 2 selected tags of ` + s.host() + `/web is for platform "linux/arm64" (they are for: linux/amd64, linux/arm64/v8); correct platform at develop/warehouse.yaml:11:9 or push an image for it`},
	}
	c := newClock()
	r := newRegistry(func(config *discover.Config) { config.Now = c.Now })
	for _, tt := range tests {
		t.Run(tt.platform, func(t *testing.T) {
			sub := subscription(s, "web")
			sub.Platform = tt.platform
			got, _, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "develop", warehouse(sub))
			if err != nil || got.Problem != tt.problem {
				t.Fatalf("problem %q, error %v", got.Problem, err)
			}
			if tt.tag != "" && got.Images[0].Tag != tt.tag {
				t.Errorf("chose %q", got.Images[0].Tag)
			}
		})
	}
	t.Run("what a digest is for is asked once", func(t *testing.T) {
		s.asked()
		c.advance(time.Minute)
		sub := subscription(s, "web")
		sub.Platform = "linux/amd64"
		if _, _, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "develop", warehouse(sub)); err != nil {
			t.Fatal(err)
		}
		want := []string{"GET /v2/web/tags/list?n=1000", "HEAD /v2/web/manifests/1.1.0", "HEAD /v2/web/manifests/1.0.0"}
		if diff := cmp.Diff(want, s.asked()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestTLS(t *testing.T) {
	s := newServer(t)
	s.push(t, "web", image(t, "linux", "amd64", "", "x"), "1.0.0")
	secure := httptest.NewUnstartedServer(s)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes are meant to fail
	secure.StartTLS()
	defer secure.Close()
	r := newRegistry(func(c *discover.Config) { c.Insecure = func(string) bool { return false } })
	sub := subscription(s, "web")
	sub.RepoURL = strings.TrimPrefix(secure.URL, "https://") + "/web"
	got, _, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "develop", warehouse(sub))
	if err != nil || !strings.HasSuffix(got.Problem, "or set insecureSkipTLSVerify: true") {
		t.Errorf("an unknown certificate: %q %v", got.Problem, err)
	}
	sub.SkipTLSVerify = true
	if got, _, err = (&discover.Sources{Registry: r}).Discover(t.Context(), "develop", warehouse(sub)); err != nil || got.Problem != "" {
		t.Errorf("with insecureSkipTLSVerify: %q %v", got.Problem, err)
	}
	sub = subscription(s, "web")
	if got, _, err = (&discover.Sources{Registry: r}).Discover(t.Context(), "develop", warehouse(sub)); err != nil || !strings.Contains(got.Problem, "no answer") {
		t.Errorf("a registry without TLS that is not listed as such: %q %v", got.Problem, err)
	}
}

func FuzzRepoURL(f *testing.F) {
	for _, seed := range []string{"nginx", "docker.io/x/y", "UPPER/case", "https://x/y", "a:1", "x@sha256:abc", "[::1]:5000/x", "../..", "127.0.0.1:0/x", "a/b:c/d", ""} {
		f.Add(seed, "1.0.0")
	}
	f.Fuzz(func(t *testing.T, repoURL, tag string) {
		r := newRegistry(func(c *discover.Config) { c.Transport = offline{} })
		digest, err := r.Digest(t.Context(), promote.Image{RepoURL: repoURL, Tag: tag}, false)
		if err == nil || digest != "" {
			t.Errorf("%q:%q gave %q", repoURL, tag, digest)
		}
		got, _, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "p", warehouse(promote.ImageSubscription{RepoURL: repoURL}))
		if err != nil || got.Problem == "" {
			t.Errorf("%q: %+v %v", repoURL, got, err)
		}
	})
}

// offline is a network without anything; it refuses requests that leave what was asked for.
type offline struct{}

// RoundTrip implements http.RoundTripper.
func (offline) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Path, "/v2/") || strings.Contains(r.URL.Path, "..") || r.URL.User != nil {
		panic("request outside the registry: " + r.URL.String())
	}
	return nil, errors.New("offline")
}

func TestRegistryIsUsedByManyAtOnce(t *testing.T) {
	s := newServer(t)
	r := newRegistry(nil)
	sub := subscription(s, "web")
	sub.Platform = "linux/amd64"
	s.upload(t, "web:1.0.0", image(t, "linux", "amd64", "", "x"))
	var group errgroup.Group
	for range 20 {
		group.Go(func() error {
			got, _, err := (&discover.Sources{Registry: r}).Discover(t.Context(), "develop", warehouse(sub))
			if err == nil && got.Problem != "" {
				err = errors.New(got.Problem)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func TestARefusedRepositoryCostsTheOthersNothing(t *testing.T) {
	s := newServer(t)
	s.upload(t, "web:1.0.0", built(t, day(1), nil))
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/v2/secret/") {
			w.WriteHeader(http.StatusForbidden)
		}
		return strings.HasPrefix(r.URL.Path, "/v2/secret/")
	}
	w := watch(t, s, subscription(s, "web"), nil)
	w.next()
	if got, _, err := (&discover.Sources{Registry: w.r}).Discover(t.Context(), "p", warehouse(subscription(s, "secret"))); err != nil || !strings.Contains(got.Problem, "HTTP 403") {
		t.Fatal(err, got.Problem)
	}
	s.asked()
	w.c.advance(time.Minute)
	if _, _, err := (&discover.Sources{Registry: w.r}).Discover(t.Context(), "p", warehouse(w.sub)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{listWeb, head("1.0.0")}, s.asked()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
