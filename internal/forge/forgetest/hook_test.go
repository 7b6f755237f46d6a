package forgetest

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/internal/forge/github"
	"github.com/lockkeeper/lockkeeper/internal/forge/gitlab"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	hookSecret  = "a secret of the suite"
	otherSecret = "another secret"
)

// signing is a signing token of GitLab made of one letter.
func signing(letter string) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, 32)))
}

// A mailbox receives webhooks.
type mailbox struct {
	url     string
	mu      sync.Mutex
	broken  bool
	letters []letter
}

type letter struct {
	header http.Header
	body   []byte
}

func newMailbox(t *testing.T) *mailbox {
	t.Helper()
	m := &mailbox{}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	m.url = server.URL
	return m
}

// hook is the webhook that leads here, under the address that Lockkeeper has.
func (m *mailbox) hook(k kind) devforge.Hook {
	if k == gitLab {
		return devforge.Hook{URL: m.url + "/webhook/gitlab", Token: hookSecret, SigningToken: signing("k")}
	}
	return devforge.Hook{URL: m.url + "/webhook/github", Token: hookSecret}
}

func (m *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.letters = append(m.letters, letter{r.Header.Clone(), body})
	if err != nil || m.broken {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// breaks lets the mailbox refuse what comes, or take it again.
func (m *mailbox) breaks(broken bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = broken
}

// empty takes what came since the last time.
func (m *mailbox) empty(g *ground) []letter {
	g.Helper()
	if err := g.dev.Flush(g.Context()); err != nil {
		g.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	taken := m.letters
	m.letters = nil
	return taken
}

// events are what the adapter reads in what came, without what is of no interest to it. Each delivery is verified on the way.
func (m *mailbox) events(g *ground) []promote.Event {
	g.Helper()
	var events []promote.Event
	for _, one := range m.empty(g) {
		g.verify(one)
		event, ignored, err := g.parse(one)
		if err != nil {
			g.Fatalf("%v: %v in %.2000s", one.header, err, one.body)
		}
		if !ignored {
			events = append(events, event)
		}
	}
	return events
}

// parse reads a delivery with the adapter.
func (g *ground) parse(one letter) (event promote.Event, ignored bool, err error) {
	parse := gitlab.ParseWebhook
	if g.kind.gitHub() {
		parse = github.ParseWebhook
	}
	event, err = parse(one.header, one.body)
	if errors.Is(err, forge.ErrIgnored) {
		return promote.Event{}, true, nil
	}
	return event, false, err
}

// verify checks that a delivery passes with the right secret, and with no other.
func (g *ground) verify(one letter) {
	g.Helper()
	if g.kind.gitHub() {
		for text, want := range map[secret.Text]error{hookSecret: nil, otherSecret: promote.ErrUnauthorized} {
			secrets, err := github.NewSecrets([]secret.Text{text})
			if err == nil {
				err = github.Verify(secrets, one.header, one.body)
			}
			if !errors.Is(err, want) {
				g.Errorf("got %v, want %v", err, want)
			}
		}
		if got := github.ProjectOf(one.body); got != g.path {
			g.Errorf("the delivery is about %q", got)
		}
		return
	}
	for _, test := range []struct {
		tokens, signing []secret.Text
		want            error
	}{
		{[]secret.Text{hookSecret}, nil, nil},
		{nil, []secret.Text{secret.Text(signing("k"))}, nil},
		{[]secret.Text{otherSecret}, nil, promote.ErrUnauthorized},
		{nil, []secret.Text{secret.Text(signing("o"))}, promote.ErrUnauthorized},
		{[]secret.Text{hookSecret}, []secret.Text{secret.Text(signing("o"))}, promote.ErrUnauthorized},
	} {
		secrets, err := gitlab.NewSecrets(test.tokens, test.signing)
		if err == nil {
			err = gitlab.Verify(secrets, one.header, one.body, g.clock.Peek())
		}
		if !errors.Is(err, test.want) {
			g.Errorf("got %v, want %v", err, test.want)
		}
	}
	if got := gitlab.ProjectOf(one.body); got != g.path {
		g.Errorf("the delivery is about %q", got)
	}
}

// deliveryOf is the number of a delivery in its header.
func (g *ground) deliveryOf(one letter) string {
	if g.kind.gitHub() {
		return one.header.Get("X-GitHub-Delivery")
	}
	return one.header.Get("Webhook-Id")
}
