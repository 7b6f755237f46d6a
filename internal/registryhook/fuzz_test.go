package registryhook_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/lockkeeper/lockkeeper/internal/registryhook"
)

func FuzzDockerHub(f *testing.F) { fuzz(f, registryhook.DockerHub, nil) }
func FuzzQuay(f *testing.F)      { fuzz(f, registryhook.Quay, nil) }
func FuzzGitHub(f *testing.F) {
	fuzz(f, registryhook.GitHub, header("X-GitHub-Event", "registry_package"))
}

func FuzzGitHubPush(f *testing.F)   { fuzz(f, registryhook.GitHub, header("X-GitHub-Event", "push")) }
func FuzzGitLab(f *testing.F)       { fuzz(f, registryhook.GitLab, nil) }
func FuzzHarbor(f *testing.F)       { fuzz(f, registryhook.Harbor, nil) }
func FuzzDistribution(f *testing.F) { fuzz(f, registryhook.Distribution, nil) }
func FuzzGeneric(f *testing.F)      { fuzz(f, registryhook.Generic, nil) }

// fuzz checks that whatever is read is a name, and that what is not read is empty.
func fuzz(f *testing.F, kind registryhook.Kind, header http.Header) {
	files, err := filepath.Glob("testdata/" + string(kind) + "/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file) //nolint:gosec // testdata
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	h := hook(f, kind)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := h.Parse(header, body)
		if err != nil {
			if len(got.Repositories) > 0 {
				t.Errorf("%v, but also %q", err, got.Repositories)
			}
			return
		}
		if len(got.Repositories) == 0 || len(got.Repositories) > 100 {
			t.Errorf("%d repositories", len(got.Repositories))
		}
		for _, name := range got.Repositories {
			if name == "" || len(name) > 3*500 || strings.ContainsFunc(name, unicode.IsSpace) || strings.ContainsFunc(name, unicode.IsControl) {
				t.Errorf("%q is not a name", name)
			}
		}
	})
}

func FuzzVerify(f *testing.F) {
	f.Add("sha256=757107ea", "Bearer x", []byte("{}"))
	h := hook(f, registryhook.GitHub)
	f.Fuzz(func(t *testing.T, signature, authorization string, body []byte) {
		err := h.Verify(header("X-Hub-Signature-256", signature, "Authorization", authorization), authorization, body)
		if !errors.Is(err, registryhook.ErrUnauthorized) {
			t.Errorf("got %v for a signature that nobody made", err)
		}
	})
}
