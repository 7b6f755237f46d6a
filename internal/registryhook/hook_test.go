package registryhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/registryhook"
	"github.com/lockkeeper/lockkeeper/internal/secret"
)

const (
	old     secret.Text = "old-0123456789abcdef"
	current secret.Text = "new-0123456789abcdef"
)

func hook(t testing.TB, kind registryhook.Kind) registryhook.Hook {
	t.Helper()
	c := registryhook.Credentials{Tokens: []secret.Text{old, current}}
	if kind == registryhook.GitHub {
		c = registryhook.Credentials{Keys: c.Tokens}
	}
	h, err := registryhook.New(kind, c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func TestParse(t *testing.T) {
	const dockerHub, quay, gitHub, gitLab = registryhook.DockerHub, registryhook.Quay, registryhook.GitHub, registryhook.GitLab
	const harbor, distribution, generic = registryhook.Harbor, registryhook.Distribution, registryhook.Generic
	for _, test := range []struct {
		name   string
		kind   registryhook.Kind
		header http.Header
		file   string
		body   string // instead of file
		want   registryhook.Delivery
		err    string // part of the error
	}{
		{name: "Docker Hub names a repository of its own", kind: dockerHub, file: "dockerhub/push.json", want: said("", "docker.io/acme/shop")},
		{name: "Docker Hub without a repository", kind: dockerHub, body: `{"push_data": {"tag": "1"}}`, err: "repository.repo_name is missing"},
		{name: "Docker Hub with a name that is none", kind: dockerHub, body: `{"repository": {"repo_name": "a b"}}`, err: "is not the repository of an image"},
		{name: "Quay names a repository with its host", kind: quay, file: "quay/push.json", want: said("", "quay.io/acme/shop")},
		{name: "Quay's other notifications are no push", kind: quay, file: "quay/vulnerability.json", err: "no tag was pushed: ignored"},
		{name: "GitHub names an image in lower case", kind: gitHub, header: header("X-GitHub-Event", "registry_package", "X-GitHub-Delivery", "72d3162e"), file: "github/registry_package.json", want: said("72d3162e", "ghcr.io/acme/shop")},
		{name: "GitHub without a URL of the package", kind: gitHub, header: header("X-GitHub-Event", "package"), file: "github/package.json", want: said("", "ghcr.io/acme/group/shop")},
		{name: "GitHub's packages of other types are no images", kind: gitHub, header: header("X-GitHub-Event", "package"), file: "github/npm.json", err: `a package of type "npm" is no image: ignored`},
		{name: "GitHub's pushes name a Git repository", kind: gitHub, header: header("X-GitHub-Event", "push"), file: "github/push.json", want: said("", "https://github.com/Acme/charts.git")},
		{name: "GitHub's deleted branches bring nothing", kind: gitHub, header: header("X-GitHub-Event", "push"), file: "github/push_deleted.json", err: "deleted: ignored"},
		{name: "GitHub's ping says nothing", kind: gitHub, header: header("X-GitHub-Event", "ping"), body: `{"zen": "Keep it logically awesome."}`, err: `event "ping" says nothing of a repository: ignored`},
		{name: "GitHub's deleted packages bring nothing", kind: gitHub, header: header("X-GitHub-Event", "package"), body: `{"action": "deleted"}`, err: `action "deleted": ignored`},
		{name: "GitHub without the package", kind: gitHub, header: header("X-GitHub-Event", "package"), body: `{"action": "published"}`, err: "the package is missing"},
		{name: "GitHub without owner and name", kind: gitHub, header: header("X-GitHub-Event", "package"), body: `{"action": "published", "package": {"package_type": "container"}}`, err: "neither URL nor owner and name"},
		{name: "GitLab's tags name a Git repository", kind: gitLab, header: header("Idempotency-Key", "f5e5f430"), file: "gitlab/tag_push.json", want: said("f5e5f430", "https://gitlab.example.com/acme/charts.git")},
		{name: "GitLab's pushes name a Git repository", kind: gitLab, header: header("Idempotency-Key", strings.Repeat("x", 201)), file: "gitlab/push.json", want: said("", "https://gitlab.example.com/acme/charts.git")},
		{name: "GitLab's deleted branches bring nothing", kind: gitLab, file: "gitlab/push_deleted.json", err: "deleted: ignored"},
		{name: "GitLab's comments bring nothing", kind: gitLab, file: "gitlab/note.json", err: `event "note" is not a push: ignored`},
		{name: "GitLab without a URL", kind: gitLab, body: `{"object_kind": "push"}`, err: "the URL of the Git repository is none"},
		{name: "Harbor names a repository with host and port", kind: harbor, file: "harbor/push.json", want: said("", "harbor.example.com:8443/acme/shop")},
		{name: "Harbor's CloudEvents say the same", kind: harbor, file: "harbor/cloudevent.json", want: said("", "harbor.example.com/acme/shop")},
		{name: "Harbor's other events bring nothing", kind: harbor, file: "harbor/scan.json", err: `event "SCANNING_COMPLETED" is not a push: ignored`},
		{name: "Harbor without resources", kind: harbor, body: `{"type": "PUSH_ARTIFACT"}`, err: "a push without resources"},
		{name: "Distribution sends many events, of which pushed manifests count", kind: distribution, file: "distribution/notifications.json", want: said("", "registry.example.com/acme/cart", "registry.example.com/acme/shop")},
		{name: "Distribution without a push", kind: distribution, file: "distribution/pull.json", err: "no manifest was pushed: ignored"},
		{name: "Distribution with too many repositories", kind: distribution, body: pushes(101), err: "names 101 repositories, more than the 100"},
		{name: "Distribution with one repository many times", kind: distribution, body: strings.ReplaceAll(pushes(9), "r2", "r1"), want: said("", "r.io/r0", "r.io/r1", "r.io/r3", "r.io/r4", "r.io/r5", "r.io/r6", "r.io/r7", "r.io/r8")},
		{name: "anybody names an image", kind: generic, file: "generic/image.json", want: said("", "registry.example.com:5000/acme/shop")},
		{name: "anybody names an image with its tag", kind: generic, body: `{"image": "acme/shop:1.0@sha256:01"}`, want: said("", "acme/shop")},
		{name: "anybody names a Git repository, and credentials are dropped", kind: generic, file: "generic/git.json", want: said("", "https://git.example.com/acme/charts.git")},
		{name: "anybody names a chart", kind: generic, body: `{"repository": "oci://ghcr.io/acme/charts/shop"}`, want: said("", "ghcr.io/acme/charts/shop")},
		{name: "anybody names a repository without a scheme", kind: generic, body: `{"repository": "ghcr.io/acme/shop"}`, want: said("", "ghcr.io/acme/shop")},
		{name: "nothing is named", kind: generic, body: `{}`, err: "it names nothing: send"},
		{name: "two things are named", kind: generic, body: `{"image": "a", "repository": "b"}`, err: "send one of them"},
		{name: "a name with a line break is none", kind: generic, body: `{"image": "a\nb"}`, err: "is not the repository of an image"},
		{name: "a name that is too long is none", kind: generic, body: `{"image": "` + strings.Repeat("x", 501) + `"}`, err: "is not the repository of an image"},
		{name: "what is no JSON is not understood", kind: generic, body: `image=nginx`, err: "generic: body: invalid character"},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := []byte(test.body)
			if test.file != "" {
				var err error
				if body, err = os.ReadFile("testdata/" + test.file); err != nil {
					t.Fatal(err)
				}
			}
			got, err := hook(t, test.kind).Parse(test.header, body)
			switch {
			case test.err == "" && err != nil:
				t.Fatal(err)
			case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
				t.Fatalf("got error %v, want one with %q", err, test.err)
			case errors.Is(err, registryhook.ErrIgnored) != strings.Contains(test.err, "ignored"):
				t.Errorf("%v: ignored is %v", err, errors.Is(err, registryhook.ErrIgnored))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func said(id string, repositories ...string) registryhook.Delivery {
	return registryhook.Delivery{ID: id, Repositories: repositories}
}

// pushes are notifications of n repositories.
func pushes(n int) string {
	events := make([]string, n)
	for i := range events {
		events[i] = fmt.Sprintf(`{"action": "push", "target": {"repository": "r%d", "tag": "1"}, "request": {"host": "r.io"}}`, i)
	}
	return `{"events": [` + strings.Join(events, ",") + `]}`
}

func sign(key secret.Text, body string) string {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func TestVerify(t *testing.T) {
	const body = `{"image": "nginx"}`
	tokens := registryhook.Credentials{Tokens: []secret.Text{old, current}}
	keys := registryhook.Credentials{Keys: []secret.Text{old, current}}
	both := registryhook.Credentials{Keys: []secret.Text{old}, Tokens: []secret.Text{current}}
	for _, test := range []struct {
		name        string
		kind        registryhook.Kind
		credentials registryhook.Credentials
		header      http.Header
		token       string
		ok          bool
	}{
		{"Docker Hub with its token in the path", registryhook.DockerHub, tokens, nil, current.Reveal(), true},
		{"Docker Hub with the token that is being replaced", registryhook.DockerHub, tokens, nil, old.Reveal(), true},
		{"Docker Hub with a wrong token", registryhook.DockerHub, tokens, nil, "new-0123456789abcdeF", false},
		{"Docker Hub with a header instead", registryhook.DockerHub, tokens, header("Authorization", current.Reveal()), "", false},
		{"Quay with its token in the path", registryhook.Quay, tokens, nil, current.Reveal(), true},
		{"Quay without a token", registryhook.Quay, tokens, nil, "", false},
		{"GitHub with a signature", registryhook.GitHub, keys, header("X-Hub-Signature-256", sign(current, body)), "", true},
		{"GitHub with a signature of the key that is being replaced", registryhook.GitHub, keys, header("X-Hub-Signature-256", sign(old, body)), "", true},
		{"GitHub with a signature of another body", registryhook.GitHub, keys, header("X-Hub-Signature-256", sign(current, body+" ")), "", false},
		{"GitHub with a signature that is cut", registryhook.GitHub, keys, header("X-Hub-Signature-256", sign(current, body)[:20]), "", false},
		{"GitHub with a signature that is none", registryhook.GitHub, keys, header("X-Hub-Signature-256", "sha256=zz"), "", false},
		{"GitHub with a signature of another sort", registryhook.GitHub, keys, header("X-Hub-Signature-256", strings.TrimPrefix(sign(current, body), "sha256=")), "", false},
		{"GitHub without a signature", registryhook.GitHub, keys, header(), "", false},
		{"GitHub with the key itself in the path", registryhook.GitHub, keys, header(), current.Reveal(), false},
		{"GitLab with its token", registryhook.GitLab, tokens, header("X-Gitlab-Token", current.Reveal()), "", true},
		{"GitLab with its token elsewhere", registryhook.GitLab, tokens, header("Authorization", current.Reveal()), current.Reveal(), false},
		{"Harbor with its header", registryhook.Harbor, tokens, header("Authorization", current.Reveal()), "", true},
		{"Harbor with a wrong header", registryhook.Harbor, tokens, header("Authorization", "Bearer"), "", false},
		{"Distribution with a bearer token", registryhook.Distribution, tokens, header("Authorization", "Bearer "+current.Reveal()), "", true},
		{"anybody with a bearer token in another case", registryhook.Generic, tokens, header("Authorization", "bearer "+current.Reveal()), "", true},
		{"anybody with a signature", registryhook.Generic, keys, header("X-Hub-Signature-256", sign(old, body)), "", true},
		{"anybody without anything", registryhook.Generic, keys, header(), "", false},
		{"with both, a signature is enough", registryhook.Generic, both, header("X-Hub-Signature-256", sign(old, body)), "", true},
		{"with both, a token is enough", registryhook.Generic, both, header("Authorization", "Bearer "+current.Reveal()), "", true},
		{"with both, a wrong signature is not mended by a token", registryhook.Generic, both, header("X-Hub-Signature-256", sign(current, body), "Authorization", current.Reveal()), "", false},
		{"with both, a key is not a token", registryhook.Generic, both, header("Authorization", old.Reveal()), "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, err := registryhook.New(test.kind, test.credentials)
			if err != nil {
				t.Fatal(err)
			}
			err = h.Verify(test.header, test.token, []byte(body))
			if (err == nil) != test.ok || err != nil && !errors.Is(err, registryhook.ErrUnauthorized) {
				t.Errorf("got %v, want authentic %v", err, test.ok)
			}
			if err != nil && (strings.Contains(err.Error(), old.Reveal()) || strings.Contains(err.Error(), current.Reveal())) {
				t.Errorf("%v shows a secret", err)
			}
		})
	}
}

func TestTheZeroHookAcceptsNothing(t *testing.T) {
	var h registryhook.Hook
	if err := h.Verify(header("Authorization", ""), "", nil); !errors.Is(err, registryhook.ErrUnauthorized) {
		t.Errorf("got %v, want %v", err, registryhook.ErrUnauthorized)
	}
	if _, err := h.Parse(nil, nil); err == nil {
		t.Error("a delivery of no kind was read")
	}
}

// TestVerifyKnowsTheOfficialSignature is the example of GitHub's documentation.
func TestVerifyKnowsTheOfficialSignature(t *testing.T) {
	h, err := registryhook.New(registryhook.GitHub, registryhook.Credentials{Keys: []secret.Text{"It's a Secret to Everybody"}})
	if err != nil {
		t.Fatal(err)
	}
	signature := "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	if err := h.Verify(header("X-Hub-Signature-256", signature), "", []byte("Hello, World!")); err != nil {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		name        string
		kind        registryhook.Kind
		credentials registryhook.Credentials
		want        string
	}{
		{"a kind that is not known", "ecr", registryhook.Credentials{Tokens: []secret.Text{current}}, `kind "ecr" is not known`},
		{"no credential", registryhook.Harbor, registryhook.Credentials{}, "harbor has no credential"},
		{"a key for who does not sign", registryhook.Quay, registryhook.Credentials{Keys: []secret.Text{current}}, "quay does not sign"},
		{"a token for who sends none", registryhook.GitHub, registryhook.Credentials{Tokens: []secret.Text{current}}, "github sends no token"},
		{"a secret that can be guessed", registryhook.Generic, registryhook.Credentials{Keys: []secret.Text{current, "s3cret-s3cret-s"}}, "fewer than 16 characters"},
		{"a token that is no part of a URL", registryhook.DockerHub, registryhook.Credentials{Tokens: []secret.Text{"0123456789abcdef/0"}}, "part of a URL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := registryhook.New(test.kind, test.credentials)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want an error with %q", err, test.want)
			}
			for _, text := range append(test.credentials.Keys, test.credentials.Tokens...) {
				if strings.Contains(err.Error(), text.Reveal()) {
					t.Errorf("%v shows a secret", err)
				}
			}
		})
	}
}
