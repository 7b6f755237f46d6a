package oci

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
)

const (
	chartType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	signature = "application/vnd.cncf.helm.chart.provenance.v1.prov"
)

// bed is a registry that holds an artifact of two layers at chart:1 and an index at web:1.
type bed struct {
	host  string
	chart v1.Image
	index v1.ImageIndex
}

func newBed(t *testing.T) bed {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	b := bed{host: strings.TrimPrefix(server.URL, "http://")}
	chart, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte("signature"), signature), static.NewLayer([]byte("chart"), chartType))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(b.ref(t, "chart:1"), chart); err != nil {
		t.Fatal(err)
	}
	index, err := random.Index(64, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(b.ref(t, "web:1"), index); err != nil {
		t.Fatal(err)
	}
	b.chart, b.index = chart, index
	return b
}

func (b bed) ref(t *testing.T, text string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(b.host + "/" + text)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func (b bed) open(t *testing.T, push ...string) *Registry {
	t.Helper()
	for i := range push {
		push[i] = b.host + "/" + push[i]
	}
	r, err := New(Config{
		Keychain: authn.NewMultiKeychain(), Push: push,
		Transport: func(bool) http.RoundTripper { return http.DefaultTransport },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLayer(t *testing.T) {
	b := newBed(t)
	for _, test := range []struct {
		name   string
		wanted LayerRequest
		want   string
		fails  string
	}{
		{"the first one", LayerRequest{Ref: "chart:1", Limit: 100}, "signature", ""},
		{"of a media type", LayerRequest{Ref: "chart:1", MediaType: chartType, Limit: 5}, "chart", ""},
		{"too large", LayerRequest{Ref: "chart:1", MediaType: chartType, Limit: 4}, "", "has 5 bytes, at most 4"},
		{"of no such media type", LayerRequest{Ref: "chart:1", MediaType: "text/plain", Limit: 100}, "", "there is " + signature + ", " + chartType},
		{"of an index", LayerRequest{Ref: "web:1", Limit: 100}, "", "name the manifest of one platform"},
		{"of nothing", LayerRequest{Ref: "chart:2", Limit: 100}, "", "MANIFEST_UNKNOWN"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.wanted.Ref = "oci://" + b.host + "/" + test.wanted.Ref
			data, digest, err := b.open(t).Layer(t.Context(), test.wanted)
			if (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Fatalf("got %v, want %q", err, test.fails)
			}
			if string(data) != test.want {
				t.Errorf("got %q, want %q", data, test.want)
			}
			if want, _ := b.chart.Digest(); err == nil && digest != want.String() {
				t.Errorf("digest %s, want %s", digest, want)
			}
		})
	}
}

func TestCopy(t *testing.T) {
	b := newBed(t)
	index, err := b.index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		from   string
		to     string
		push   []string
		notes  map[string]string
		digest string // empty: another one than the source's
		is     error
	}{
		{"an index with all that it names", "web:1", "prod/web:1.0", []string{"prod"}, nil, index.String(), nil},
		{"again", "web:1", "prod/web:1.0", []string{"prod/"}, nil, index.String(), nil},
		{"into the repository itself", "web:1", "prod:1.0", []string{"prod"}, nil, index.String(), nil},
		{"an index with annotations", "web:1", "prod/web:2.0", []string{"prod"}, map[string]string{"by": "us"}, "", nil},
		{"an image with annotations", "chart:1", "prod/chart:1", []string{"prod/chart"}, map[string]string{"by": "us"}, "", nil},
		{"where it may not", "web:1", "other/web:1.0", []string{"prod"}, nil, "", ErrForbidden},
		{"where the name only begins alike", "web:1", "production/web:1.0", []string{"prod"}, nil, "", ErrForbidden},
		{"where nothing is allowed", "web:1", "prod/web:1.0", nil, nil, "", ErrForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := b.open(t, test.push...).Copy(t.Context(), CopyRequest{From: b.host + "/" + test.from, To: b.host + "/" + test.to, Annotations: test.notes})
			if !errors.Is(err, test.is) || (err == nil) != (test.is == nil) {
				t.Fatalf("got %v, want %v", err, test.is)
			}
			if test.is != nil {
				return
			}
			there, err := remote.Get(b.ref(t, test.to))
			if err != nil {
				t.Fatal(err)
			}
			_, tag, _ := strings.Cut(test.to, ":")
			want := Copied{Image: b.host + "/" + test.to, Digest: there.Digest.String(), Tag: tag}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if test.digest != "" && got.Digest != test.digest {
				t.Errorf("digest %s, want %s", got.Digest, test.digest)
			}
			if test.notes != nil && !bytes.Contains(there.Manifest, []byte(`"annotations":{"by":"us"}`)) {
				t.Errorf("manifest %s", there.Manifest)
			}
		})
	}
}

func TestReferencesThatAreNone(t *testing.T) {
	r := newBed(t).open(t)
	if _, _, err := r.Layer(t.Context(), LayerRequest{Ref: "a b"}); err == nil {
		t.Error("accepted")
	}
	if _, err := r.Copy(t.Context(), CopyRequest{From: "a:1", To: "A:B:C"}); err == nil {
		t.Error("accepted")
	}
	if _, err := New(Config{Push: []string{"https://ghcr.io/acme"}}); err == nil {
		t.Error("accepted")
	}
}
