package bot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/registryhook"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	registrySecret secret.Text = "0123456789abcdef-now"
	replacedSecret secret.Text = "0123456789abcdef-old"
)

var testRegistry = registryOf(registryhook.Generic, registryhook.Credentials{Tokens: []secret.Text{replacedSecret, registrySecret}})

// registryOf is the real thing, wired as the command does it.
func registryOf(kind registryhook.Kind, credentials registryhook.Credentials) RegistryHook {
	hook, err := registryhook.New(kind, credentials)
	if err != nil {
		return RegistryHook{}
	}
	return RegistryHook{
		Kind: string(kind), TokenInPath: hook.TokenInPath(), Verify: hook.Verify,
		Parse: func(header http.Header, body []byte) (string, []string, error) {
			delivery, err := hook.Parse(header, body)
			if errors.Is(err, registryhook.ErrIgnored) {
				return "", nil, fmt.Errorf("%w: %w", ErrIgnored, err)
			}
			return delivery.ID, delivery.Repositories, err
		},
	}
}

func openRegistries(t *testing.T, repositories ...string) *Bot {
	t.Helper()
	runners := map[string]Runner{}
	for _, name := range repositories {
		runners[name] = idle
	}
	cfg := testConfig(":memory:", runners)
	tokens := registryhook.Credentials{Tokens: []secret.Text{replacedSecret, registrySecret}}
	cfg.Registries = []RegistryHook{
		testRegistry, registryOf(registryhook.DockerHub, tokens), registryOf(registryhook.Distribution, tokens),
		registryOf(registryhook.GitHub, registryhook.Credentials{Keys: tokens.Tokens}),
	}
	return open(t, cfg)
}

func announce(b *Bot, path string, header map[string]string, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	return w
}

// hints are the events in the queue.
func hints(t *testing.T, b *Bot, repository string) []promote.Event {
	t.Helper()
	rows, err := b.queue.store.db.QueryContext(t.Context(), "select body from event where repository = ? order by id", repository)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var events []promote.Event
	for rows.Next() {
		var body []byte
		var event promote.Event
		if err := errors.Join(rows.Scan(&body), json.Unmarshal(body, &event)); err != nil {
			t.Fatal(err)
		}
		events = append(events, event)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return events
}

func TestRegistryAnswers(t *testing.T) {
	bearer := map[string]string{"Authorization": "Bearer " + registrySecret.Reveal()}
	const hub = `{"repository": {"repo_name": "acme/shop"}, "push_data": {"tag": "1.0"}}`
	for _, test := range []struct {
		name   string
		path   string
		header map[string]string
		body   string
		status int
		metric string
		want   []promote.Event
	}{
		{
			name: "a push is a hint", path: "/webhooks/generic", header: bearer, body: `{"image": "ghcr.io/acme/shop"}`, status: 202, metric: "registry/generic",
			want: []promote.Event{{Kind: promote.EventArtifact, Image: "ghcr.io/acme/shop"}},
		},
		{
			name: "the secret that is being replaced is accepted", path: "/webhooks/generic", header: map[string]string{"Authorization": replacedSecret.Reveal()},
			body: `{"repository": "https://git.example.com/acme/charts.git"}`, status: 202, metric: "registry/generic",
			want: []promote.Event{{Kind: promote.EventArtifact, Image: "https://git.example.com/acme/charts.git"}},
		},
		{
			name: "a token in the path is accepted", path: "/webhooks/dockerhub/" + registrySecret.Reveal(), body: hub, status: 202, metric: "registry/dockerhub",
			want: []promote.Event{{Kind: promote.EventArtifact, Image: "docker.io/acme/shop"}},
		},
		{
			name: "a signature is accepted", path: "/webhooks/github", header: map[string]string{
				"X-GitHub-Event": "push", "X-GitHub-Delivery": "72d3162e", "X-Hub-Signature-256": signature(`{"repository": {"clone_url": "https://github.com/acme/charts"}}`),
			}, body: `{"repository": {"clone_url": "https://github.com/acme/charts"}}`, status: 202, metric: "registry/github",
			want: []promote.Event{{Kind: promote.EventArtifact, Delivery: "72d3162e/https://github.com/acme/charts", Image: "https://github.com/acme/charts"}},
		},
		{
			name: "many repositories are looked at together", path: "/webhooks/distribution", header: bearer, body: notifications(11), status: 202, metric: "registry/distribution",
			want: []promote.Event{{Kind: promote.EventArtifact}},
		},
		{name: "a wrong token in the path is refused", path: "/webhooks/dockerhub/0123456789abcdef-no", body: hub, status: 401, metric: "registry/dockerhub"},
		{name: "no token in the path is no endpoint", path: "/webhooks/dockerhub", body: hub, status: 404},
		{name: "a token in the path of who has a better way is no endpoint", path: "/webhooks/generic/" + registrySecret.Reveal(), body: `{"image": "a"}`, status: 404},
		{name: "a kind that is not configured is no endpoint", path: "/webhooks/quay/" + registrySecret.Reveal(), body: hub, status: 404},
		{name: "no secret is refused", path: "/webhooks/generic", body: `{"image": "a"}`, status: 401, metric: "registry/generic"},
		{name: "no signature is refused", path: "/webhooks/github", header: bearer, body: `{}`, status: 401, metric: "registry/github"},
		{name: "what is not understood is taken and dropped", path: "/webhooks/generic", header: bearer, body: `{`, status: 202, metric: "registry/generic"},
		{name: "what is of no interest is taken and dropped", path: "/webhooks/distribution", header: bearer, body: `{"events": []}`, status: 202, metric: "registry/distribution"},
		{name: "a body that is too large is refused", path: "/webhooks/generic", header: bearer, body: strings.Repeat(" ", maxBody+1), status: 413, metric: "registry/generic"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := openRegistries(t, "group/app", "group/other")
			got := announce(b, test.path, test.header, test.body)
			if got.Code != test.status {
				t.Errorf("got %d %q, want %d", got.Code, got.Body, test.status)
			}
			for _, repository := range []string{"group/app", "group/other"} {
				if diff := cmp.Diff(test.want, hints(t, b, repository)); diff != "" {
					t.Errorf("events of %s (-want +got):\n%s", repository, diff)
				}
			}
			if test.metric != "" && !metric(t, b, fmt.Sprintf(`lockkeeper_webhooks_total{forge=%q,status="%d"} 1`, test.metric, test.status)) {
				t.Errorf("the delivery was not counted as %s", test.metric)
			}
		})
	}
}

func signature(body string) string {
	mac := hmac.New(sha256.New, []byte(registrySecret.Reveal()))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func notifications(n int) string {
	events := make([]string, n)
	for i := range events {
		events[i] = fmt.Sprintf(`{"action": "push", "target": {"repository": "r%d", "tag": "1"}, "request": {"host": "r.io"}}`, i)
	}
	return `{"events": [` + strings.Join(events, ",") + `]}`
}

// TestRegistryReplay: a hint that waits is there once; when it was worked off, the same body is a hint again, because a tag
// may be pushed twice.
func TestRegistryReplay(t *testing.T) {
	const body = `{"image": "ghcr.io/acme/shop"}`
	bearer := map[string]string{"Authorization": registrySecret.Reveal()}
	b := openRegistries(t, "app")
	for i, want := range []int{202, 200, 200} {
		if got := announce(b, "/webhooks/generic", bearer, body); got.Code != want {
			t.Errorf("delivery %d: got %d, want %d", i, got.Code, want)
		}
	}
	if got := hints(t, b, "app"); len(got) != 1 {
		t.Errorf("%d events wait, want 1", len(got))
	}
	if _, err := b.queue.store.db.ExecContext(t.Context(), "delete from event"); err != nil {
		t.Fatal(err)
	}
	if got := announce(b, "/webhooks/generic", bearer, body); got.Code != 202 {
		t.Errorf("after it was worked off: got %d, want 202", got.Code)
	}
}

func TestRegistryReplayOfASenderWithIDs(t *testing.T) {
	const body = `{"repository": {"clone_url": "https://github.com/acme/charts"}}`
	header := map[string]string{"X-GitHub-Event": "push", "X-GitHub-Delivery": "72d3162e", "X-Hub-Signature-256": signature(body)}
	b := openRegistries(t, "app")
	for i, want := range []int{202, 200} {
		if got := announce(b, "/webhooks/github", header, body); got.Code != want {
			t.Errorf("delivery %d: got %d, want %d", i, got.Code, want)
		}
		if _, err := b.queue.store.db.ExecContext(t.Context(), "delete from event"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRegistryThatCannotStoreAsksForMore(t *testing.T) {
	b := openRegistries(t, "app")
	if err := b.queue.close(); err != nil {
		t.Fatal(err)
	}
	got := announce(b, "/webhooks/generic", map[string]string{"Authorization": registrySecret.Reveal()}, `{"image": "a"}`)
	if got.Code != 503 {
		t.Errorf("got %d %q, want 503", got.Code, got.Body)
	}
}

// TestRegistryTokensAreNotLogged looks for what a path may hold.
func TestRegistryTokensAreNotLogged(t *testing.T) {
	var log buffer
	cfg := testConfig(":memory:", map[string]Runner{"app": idle})
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	cfg.Registries = []RegistryHook{registryOf(registryhook.DockerHub, registryhook.Credentials{Tokens: []secret.Text{registrySecret}})}
	b := open(t, cfg)
	for _, token := range []string{registrySecret.Reveal(), "0123456789abcdef-no"} {
		announce(b, "/webhooks/dockerhub/"+token, nil, `{"repository": {"repo_name": "acme/shop"}}`)
	}
	if text := log.String(); text == "" || strings.Contains(text, "0123456789abcdef") {
		t.Errorf("the log is empty or holds a token:\n%s", text)
	}
}
