package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/lockkeeper/lockkeeper/internal/outbound"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
)

// partsWith are those of a server whose configuration and environment allow some places.
func partsWith(t *testing.T, configured, environment []string) *parts {
	t.Helper()
	p, err := newParts(serverConfig{CacheDir: t.TempDir(), Outbound: outboundConfig{Allow: configured}},
		secrets{GitLabToken: "x", OutboundAllow: environment}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// named is a server's URL by the name of loopback.
func named(server *httptest.Server) string {
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// refused checks that an error names the place, the rule and the remedy, and that nobody was asked.
func refused(t *testing.T, err error, place string) {
	t.Helper()
	if !errors.Is(err, outbound.ErrDenied) || errors.As(err, new(*promote.APIError)) {
		t.Fatalf("error %v, want a denial that asking again does not change", err)
	}
	contains(t, err.Error(), place, "the server does not connect there for a repository", "whoever runs it can allow it with outbound.allow")
}

// TestAnIndexLeadsOnlyWhereTheServerMayConnect: the index lies on an allowed host, and says that its chart lies elsewhere.
func TestAnIndexLeadsOnlyWhereTheServerMayConnect(t *testing.T) {
	t.Parallel()
	var internal atomic.Int32
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { internal.Add(1) }))
	defer secret.Close()
	var archive string
	index := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/index.yaml":
			_, _ = fmt.Fprintf(w, "apiVersion: v1\nentries: {web: [{version: 1.0.0, urls: [%q]}]}\n", archive)
		case "/here":
			_, _ = io.WriteString(w, "an archive")
		default:
			http.Redirect(w, r, "http:/"+r.URL.Path, http.StatusFound)
		}
	}))
	defer index.Close()
	internalHost := strings.TrimPrefix(secret.URL, "http://")
	for _, tt := range []struct{ name, archive, place string }{
		{"on the allowed host", "here", ""},
		{"at the metadata service", "http://169.254.169.254/latest", "169.254.169.254 is a link-local address"},
		{"at an address of loopback", secret.URL + "/x", "127.0.0.1 is a loopback address"},
		{"at an address in IPv6", "http://[::ffff:127.0.0.1]:80/x", "127.0.0.1 is a loopback address"},
		{"by a redirect to the metadata service", "169.254.169.254/latest", "169.254.169.254 is a link-local address"},
		{"by a redirect to loopback", internalHost + "/x", "127.0.0.1 is a loopback address"},
		{"in a registry on loopback", "oci://" + internalHost + "/web", "127.0.0.1 is a loopback address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			archive = tt.archive
			if !strings.Contains(archive, "://") {
				archive = named(index) + "/" + archive
			}
			p := partsWith(t, []string{"localhost"}, nil)
			got, err := p.charts.Pull(t.Context(), discover.ChartRequest{RepoURL: named(index), Chart: "web", Version: "1.0.0"})
			if tt.place == "" {
				if err != nil || string(got.Data) != "an archive" {
					t.Errorf("got %q, %v", got.Data, err)
				}
				return
			}
			refused(t, err, tt.place)
		})
	}
	if n := internal.Load(); n != 0 {
		t.Errorf("loopback was asked %d times", n)
	}
	_, err := partsWith(t, nil, nil).charts.Pull(t.Context(), discover.ChartRequest{RepoURL: named(index), Chart: "web"})
	refused(t, err, "connect to localhost: ")
}

// TestAWarehouseLooksOnlyWhereTheServerMayConnect: a registry, also one whose certificates are not looked at.
func TestAWarehouseLooksOnlyWhereTheServerMayConnect(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelError))))
	defer server.Close()
	image := strings.TrimPrefix(server.URL, "http://") + "/web"
	if err := pushImage(t.Context(), image, "1.0.0"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, image         string
		allowed, inVariable []string
		place               string
	}{
		{"on loopback, which is allowed", image, worldAllow(), nil, ""},
		{"on loopback, which the environment allows", image, nil, worldAllow(), ""},
		{"on loopback", image, nil, nil, "127.0.0.1 is a loopback address"},
		{"on loopback by its name", strings.Replace(image, "127.0.0.1", "localhost", 1), nil, nil, "connect to localhost: "},
		{"at the metadata service", "169.254.169.254/web", worldAllow(), nil, "169.254.169.254 is a link-local address"},
	} {
		for _, skip := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, skip %t", tt.name, skip), func(t *testing.T) {
				p := partsWith(t, tt.allowed, tt.inVariable)
				_, err := p.registry.Image(t.Context(), tt.image, "1.0.0", skip)
				if tt.place == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				refused(t, err, tt.place)
			})
		}
	}
}

// TestCertificatesAreNotLookedAtWhereASubscriptionSaysSo: the client that connects only where it may still does as it is told.
func TestCertificatesAreNotLookedAtWhereASubscriptionSaysSo(t *testing.T) {
	t.Parallel()
	index := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "apiVersion: v1\nentries: {web: [{version: 1.0.0}]}\n")
	}))
	defer index.Close()
	p := partsWith(t, worldAllow(), nil)
	for skip, works := range map[bool]bool{true: true, false: false} {
		_, _, err := p.charts.Newest(t.Context(), promote.ChartSubscription{RepoURL: index.URL, Chart: "web", SkipTLSVerify: skip})
		if (err == nil) != works {
			t.Errorf("skip %t: %v", skip, err)
		}
	}
}
