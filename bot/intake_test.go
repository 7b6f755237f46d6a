package bot

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestIntakeAnswers(t *testing.T) {
	const ok = `{"id":"1","project":"group/app","change":7}`
	for _, test := range []struct {
		name    string
		method  string
		path    string
		token   string
		body    io.Reader
		status  int
		text    string
		waiting int
	}{
		{name: "an authentic delivery is accepted", token: "secret", body: strings.NewReader(ok), status: 202, text: "accepted", waiting: 1},
		{name: "the project's case does not matter", token: "secret", body: strings.NewReader(`{"project":"Group/App"}`), status: 202, text: "accepted", waiting: 1},
		{name: "a wrong token is refused", token: "Secret", body: strings.NewReader(ok), status: 401, text: "check that the webhook's secret is the server's, and that it sends application/json, no form"},
		{name: "no token is refused", body: strings.NewReader(ok), status: 401, text: "not authentic"},
		{name: "a wrong token is refused before the body is understood", body: strings.NewReader("no JSON"), status: 401, text: "not authentic"},
		{name: "an unknown project is taken and dropped", token: "secret", body: strings.NewReader(`{"project":"group/other"}`), status: 202, text: "no such repository"},
		{name: "a body that names no project is taken and dropped", token: "secret", body: strings.NewReader(`{}`), status: 202, text: "no such repository"},
		{name: "a kind of no interest is taken and dropped", token: "secret", body: strings.NewReader(`{"project":"group/app","ignored":true}`), status: 202, text: "ignored"},
		{name: "what is no JSON is taken and dropped", token: "secret", body: strings.NewReader("{"), status: 202, text: "not understood"},
		{name: "an empty body is taken and dropped", token: "secret", body: http.NoBody, status: 202, text: "not understood"},
		{name: "a panic before the delivery is known to be authentic is an internal error", body: strings.NewReader(`{"panic":"verify"}`), status: 500, text: "internal error"},
		{name: "a panic while the delivery is read is like not understanding it", token: "secret", body: strings.NewReader(`{"panic":"parse"}`), status: 202, text: "not understood"},
		{name: "a panic while the project is read is like not understanding it", token: "secret", body: strings.NewReader(`{"panic":"project"}`), status: 202, text: "not understood"},
		{name: "a body of 25 MiB is read", token: "secret", body: bodyOf(maxBody), status: 202, text: "accepted", waiting: 1},
		{name: "a body of one byte more is refused", token: "secret", body: bodyOf(maxBody + 1), status: 413, text: "more than 26214400 bytes"},
		{name: "a body that says it has one byte more is refused unread", token: "secret", body: said{maxBody + 1}, status: 413, text: "more than 26214400 bytes"},
		{name: "a body that breaks off is refused", token: "secret", body: io.MultiReader(strings.NewReader("{"), brokenReader{}), status: 400, text: "could not be read"},
		{name: "another method is refused", method: http.MethodGet, body: http.NoBody, status: 405},
		{name: "another forge is not known", path: "/webhook/other", token: "secret", body: strings.NewReader(ok), status: 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := open(t, testConfig(":memory:", map[string]Runner{"group/app": idle}))
			r := httptest.NewRequest(http.MethodPost, "/webhook/test", test.body)
			if test.method != "" {
				r.Method = test.method
			}
			if test.path != "" {
				r.URL.Path = test.path
			}
			if s, ok := test.body.(said); ok {
				r.ContentLength = s.length
			}
			r.Header.Set("X-Token", test.token)
			w := httptest.NewRecorder()
			b.Handler().ServeHTTP(w, r)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.text) {
				t.Errorf("got %d %q, want %d with %q", w.Code, w.Body, test.status, test.text)
			}
			if got := len(waiting(t, b, "group/app")); got != test.waiting {
				t.Errorf("%d events wait, want %d", got, test.waiting)
			}
			counted := fmt.Sprintf(`lockkeeper_webhooks_total{forge="test",status="%d"} 1`, test.status)
			if want := test.status != 404 && test.status != 405; metric(t, b, counted) != want {
				t.Errorf("%s: want %v", counted, want)
			}
		})
	}
}

// bodyOf is a valid delivery of n bytes whose length is not said.
func bodyOf(n int) io.Reader {
	const head, tail = `{"project":"group/app","filler":"`, `"}`
	return io.MultiReader(strings.NewReader(head), strings.NewReader(strings.Repeat("x", n-len(head)-len(tail))), strings.NewReader(tail))
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// said is a body that must not be read.
type said struct{ length int64 }

func (said) Read([]byte) (int, error) { panic("the body was read") }

func TestIntakeReplay(t *testing.T) {
	now := time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC)
	type step struct {
		id     string // beside the body, as forges send it
		p      payload
		after  time.Duration
		status int
		want   []int
	}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"the same delivery twice is one event", []step{
			{p: payload{ID: "a", Project: "app", Change: 1}, status: 202, want: []int{1}},
			{p: payload{ID: "a", Project: "app", Change: 1}, status: 200, want: []int{1}},
		}},
		{"the ID counts, not the body", []step{
			{p: payload{ID: "a", Project: "app", Change: 1}, status: 202, want: []int{1}},
			{p: payload{ID: "a", Project: "app", Change: 2}, status: 200, want: []int{1}},
			{p: payload{ID: "b", Project: "app", Change: 1}, status: 202, want: []int{1, 1}},
		}},
		{"without an ID the body counts", []step{
			{p: payload{Project: "app", Change: 1}, status: 202, want: []int{1}},
			{p: payload{Project: "app", Change: 1}, status: 200, want: []int{1}},
			{p: payload{Project: "app", Change: 2}, status: 202, want: []int{1, 2}},
		}},
		{"a delivery is remembered for four days", []step{
			{p: payload{ID: "a", Project: "app", Change: 1}, status: 202, want: []int{1}},
			{p: payload{ID: "a", Project: "app", Change: 1}, after: 96 * time.Hour, status: 200, want: []int{1}},
			{p: payload{ID: "a", Project: "app", Change: 1}, after: time.Second, status: 202, want: []int{1, 1}},
		}},
		{"a body that was seen is no news under another ID", []step{
			{id: "a", p: payload{Project: "app", Change: 1}, status: 202, want: []int{1}},
			{id: "b", p: payload{Project: "app", Change: 1}, status: 200, want: []int{1}},
			{id: "b", p: payload{Project: "app", Change: 2}, status: 202, want: []int{1, 2}},
			{id: "c", p: payload{Project: "app", Change: 1}, after: 96*time.Hour + time.Second, status: 202, want: []int{1, 2, 1}},
		}},
		{"a comment is one event, whichever webhook tells of it", []step{
			{p: payload{ID: "a", Project: "app", Change: 1, Comment: 9}, status: 202, want: []int{1}},
			{p: payload{ID: "b", Project: "app", Change: 1, Comment: 9}, status: 200, want: []int{1}},
			{p: payload{ID: "c", Project: "app", Change: 1, Comment: 10}, status: 202, want: []int{1, 1}},
			{p: payload{ID: "d", Project: "app", Change: 2, Comment: 9}, status: 202, want: []int{1, 1, 2}},
		}},
		{"a push is one event, until the branch moves", []step{
			{p: payload{ID: "a", Project: "app", Branch: "main", Head: "1"}, status: 202, want: []int{0}},
			{p: payload{ID: "b", Project: "app", Branch: "main", Head: "1"}, status: 200, want: []int{0}},
			{p: payload{ID: "c", Project: "app", Branch: "next", Head: "1"}, status: 202, want: []int{0, 0}},
			{p: payload{ID: "d", Project: "app", Branch: "main", Head: "2"}, status: 202, want: []int{0, 0, 0}},
			{p: payload{ID: "e", Project: "app", Branch: "main", Head: "1"}, status: 202, want: []int{0, 0, 0, 0}},
			{p: payload{ID: "f", Project: "app", Branch: "main"}, status: 202, want: []int{0, 0, 0, 0, 0}},
			{p: payload{ID: "g", Project: "app", Branch: "main", Head: "1"}, status: 202, want: []int{0, 0, 0, 0, 0, 0}},
		}},
		{"a push that does not say where the branch is now is always news", []step{
			{p: payload{ID: "a", Project: "app", Branch: "main"}, status: 202, want: []int{0}},
			{p: payload{ID: "b", Project: "app", Branch: "main"}, status: 202, want: []int{0, 0}},
		}},
		{"a check may be asked for again and again", []step{
			{id: "a", p: payload{Project: "app", Change: 1, Status: true}, status: 202, want: []int{1}},
			{id: "a", p: payload{Project: "app", Change: 1, Status: true}, status: 200, want: []int{1}},
			{id: "b", p: payload{Project: "app", Change: 1, Status: true}, status: 202, want: []int{1, 1}},
		}},
		{"a button may be pressed again, after a while", []step{
			{id: "a", p: payload{Project: "app", Change: 1, Button: "status"}, status: 202, want: []int{1}},
			{id: "a", p: payload{Project: "app", Change: 1, Button: "status"}, status: 200, want: []int{1}},
			{id: "b", p: payload{Project: "app", Change: 1, Button: "status"}, after: 10 * time.Minute, status: 200, want: []int{1}},
			{id: "c", p: payload{Project: "app", Change: 1, Button: "status"}, after: time.Second, status: 202, want: []int{1, 1}},
			{id: "d", p: payload{Project: "app", Change: 1, Button: "status"}, after: 10 * time.Minute, status: 200, want: []int{1, 1}},
			{id: "a", p: payload{Project: "app", Change: 1, Button: "status"}, after: time.Hour, status: 200, want: []int{1, 1}},
		}},
		{"an ID as long as a header can be is one", []step{
			{p: payload{ID: strings.Repeat("x", 100_000), Project: "app", Change: 1}, status: 202, want: []int{1}},
			{p: payload{ID: strings.Repeat("x", 100_000), Project: "app", Change: 1}, status: 200, want: []int{1}},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := testConfig(":memory:", map[string]Runner{"app": idle})
			clock := now
			cfg.Now = func() time.Time { return clock }
			b := open(t, cfg)
			for i, step := range test.steps {
				clock = clock.Add(step.after)
				if got := postAs(t, b, step.id, step.p); got.Code != step.status {
					t.Errorf("step %d: got %d %q, want %d", i, got.Code, got.Body, step.status)
				}
				if diff := cmp.Diff(step.want, waiting(t, b, "app")); diff != "" {
					t.Errorf("step %d: waiting events (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

func TestIntakeOneProjectTwice(t *testing.T) {
	cfg := testConfig(":memory:", nil)
	cfg.Repositories = []Repository{{Name: "app@main", Project: "app", Runner: idle}, {Name: "app@next", Project: "/app/", Runner: idle}}
	b := open(t, cfg)
	if got := post(t, b, payload{ID: "a", Project: "app", Change: 1}); got.Code != 202 {
		t.Fatalf("got %d, want 202", got.Code)
	}
	for _, name := range []string{"app@main", "app@next"} {
		if diff := cmp.Diff([]int{1}, waiting(t, b, name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestIntakeOfSeveralForges(t *testing.T) {
	cfg := testConfig(":memory:", nil)
	second := testHook
	second.Forge = "other"
	cfg.Hooks = append(cfg.Hooks, second)
	cfg.Repositories = []Repository{
		{Name: "here", Forge: "test", Project: "acme/app", Runner: idle},
		{Name: "there", Forge: "other", Project: "acme/app", Runner: idle},
		{Name: "anywhere", Project: "acme/web", Runner: idle},
	}
	for _, test := range []struct {
		name  string
		path  string
		body  string
		text  string
		want  map[string]int // events that wait
		stray bool
	}{
		{name: "the same name on one forge", path: "/webhook/test", body: `{"project":"acme/app"}`, text: "accepted", want: map[string]int{"here": 1}},
		{name: "the same name on the other", path: "/webhook/other", body: `{"project":"acme/app"}`, text: "accepted", want: map[string]int{"there": 1}},
		{name: "a repository of any forge", path: "/webhook/other", body: `{"project":"acme/web"}`, text: "accepted", want: map[string]int{"anywhere": 1}},
		{name: "a repository that a group's webhook also covers", path: "/webhook/test", body: `{"project":"acme/docs"}`, text: "no such repository is configured", want: map[string]int{}, stray: true},
		{
			name: "an image, which any repository may wait for", path: "/webhook/test", body: `{"project":"acme/src","image":"ghcr.io/acme/app"}`, text: "accepted",
			want: map[string]int{"here": 1, "there": 1, "anywhere": 1},
		},
		{
			name: "a push to a repository that any may watch", path: "/webhook/test", text: "accepted",
			body: `{"project":"acme/src","branch":"main","source":"https://git.example.com/acme/src.git"}`, want: map[string]int{"here": 1, "there": 1, "anywhere": 1},
		},
		{
			name: "a push to a repository of ours, which others may watch", path: "/webhook/test", text: "accepted",
			body: `{"project":"acme/app","branch":"main","source":"https://git.example.com/acme/app.git"}`, want: map[string]int{"here": 1, "there": 1, "anywhere": 1},
		},
		{
			name: "a push to a proposal of ours, which nobody watches", path: "/webhook/test", text: "accepted",
			body: `{"project":"acme/app","branch":"lockkeeper/develop/web","source":"https://git.example.com/acme/app.git"}`, want: map[string]int{"here": 1},
		},
		{
			name: "a push to a ledger, which nobody watches", path: "/webhook/test", text: "no such repository is configured", stray: true,
			body: `{"project":"acme/other","branch":"lockkeeper/ledger","source":"https://git.example.com/acme/other.git"}`, want: map[string]int{},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg.Metrics = NewMetrics()
			b := open(t, cfg)
			got := deliver(b, test.path, "secret", strings.NewReader(test.body))
			if got.Code != http.StatusAccepted || strings.TrimSpace(got.Body.String()) != test.text {
				t.Errorf("got %d %q, want 202 %q", got.Code, got.Body, test.text)
			}
			counts, err := b.queue.store.counts(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, counts); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if got := metric(t, b, `lockkeeper_webhooks_unrouted_total{forge="test"} 1`); got != test.stray {
				t.Errorf("counted as unknown: %v, want %v", got, test.stray)
			}
		})
	}
}

func TestIntakeThatCannotStoreAsksForMore(t *testing.T) {
	path := tempFile(t)
	cfg := testConfig(path, map[string]Runner{"app": idle})
	b := open(t, cfg)
	if _, err := b.queue.store.db.ExecContext(t.Context(), "create trigger full before insert on event begin select raise(abort, 'disk is full'); end"); err != nil {
		t.Fatal(err)
	}
	p := payload{ID: "a", Project: "app", Change: 1}
	got := post(t, b, p)
	if got.Code != 503 || strings.Contains(got.Body.String(), "disk") {
		t.Errorf("got %d %q, want 503 and no detail", got.Code, got.Body)
	}
	if _, err := b.queue.store.db.ExecContext(t.Context(), "drop trigger full"); err != nil {
		t.Fatal(err)
	}
	if got := post(t, b, p); got.Code != 202 {
		t.Errorf("the same delivery again: got %d %q, want 202", got.Code, got.Body)
	}
	if diff := cmp.Diff([]int{1}, waiting(t, b, "app")); diff != "" {
		t.Errorf("waiting events (-want +got):\n%s", diff)
	}
	if err := b.queue.close(); err != nil {
		t.Fatal(err)
	}
	if got := post(t, b, payload{ID: "b", Project: "app"}); got.Code != 503 {
		t.Errorf("after the queue was closed: got %d, want 503", got.Code)
	}
}

func TestIntakeStoresForSendersThatHangUp(t *testing.T) {
	b := open(t, testConfig(":memory:", map[string]Runner{"app": idle}))
	hung, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(hung, http.MethodPost, "/webhook/test", strings.NewReader(`{"project":"app"}`))
	r.Header.Set("X-Token", "secret")
	b.Handler().ServeHTTP(httptest.NewRecorder(), r)
	if got := len(waiting(t, b, "app")); got != 1 {
		t.Errorf("%d events wait, want 1", got)
	}
}

func TestIntakeBoundsSlowBodies(t *testing.T) {
	b := open(t, testConfig(":memory:", map[string]Runner{"app": idle}))
	b.bodies.timeout = 50 * time.Millisecond
	server := httptest.NewServer(b.Handler())
	defer server.Close()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "POST /webhook/test HTTP/1.1\r\nHost: bot\r\nX-Token: secret\r\nContent-Length: 10\r\n\r\n{")
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusRequestTimeout {
		t.Errorf("got %s, want 408", response.Status)
	}
}

func TestIntakeBoundsLargeBodies(t *testing.T) {
	b := open(t, testConfig(":memory:", map[string]Runner{"group/app": idle}))
	b.bodies.timeout = 50 * time.Millisecond
	for range maxLarge {
		b.bodies.large <- struct{}{}
	}
	if got := deliver(b, "/webhook/test", "secret", bodyOf(2*smallBody)); got.Code != 503 {
		t.Errorf("a large body while %d others are read: got %d, want 503", maxLarge, got.Code)
	}
	if got := deliver(b, "/webhook/test", "secret", bodyOf(smallBody-1)); got.Code != 202 {
		t.Errorf("a small body meanwhile: got %d, want 202", got.Code)
	}
	<-b.bodies.large
	b.bodies.timeout = deadline
	for range 2 {
		if got := deliver(b, "/webhook/test", "secret", bodyOf(2*smallBody)); got.Code/100 != 2 {
			t.Errorf("a large body with room: got %d, want 2xx", got.Code)
		}
	}
}

func TestEndpoints(t *testing.T) {
	b := open(t, testConfig(tempFile(t), map[string]Runner{"app": idle}))
	get := func(path string) int {
		w := httptest.NewRecorder()
		b.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code
	}
	if got := get("/healthz"); got != 200 {
		t.Errorf("healthz: got %d, want 200", got)
	}
	if got := get("/readyz"); got != 503 {
		t.Errorf("readyz before the workers run: got %d, want 503", got)
	}
	if err := b.queue.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := get("/readyz"); got != 200 {
		t.Errorf("readyz: got %d, want 200", got)
	}
	if err := b.queue.stop(t.Context(), patience{end: deadline}); err != nil {
		t.Fatal(err)
	}
	if got := get("/readyz"); got != 503 {
		t.Errorf("readyz after the workers were stopped: got %d, want 503", got)
	}
	b.queue.started.Store(true)
	if got := get("/readyz"); got != 503 {
		t.Errorf("readyz without a database: got %d, want 503", got)
	}
	if got := get("/metrics"); got != 200 {
		t.Errorf("metrics without a database: got %d, want 200", got)
	}
}

func TestWhatWasGivenUpMayComeAgain(t *testing.T) {
	b := open(t, testConfig(":memory:", map[string]Runner{"app": idle}))
	for _, p := range []payload{
		{ID: "a", Project: "app", Change: 1},
		{ID: "b", Project: "app", Change: 2, Comment: 9},
		{ID: "c", Project: "app", Branch: "main", Head: "1"},
	} {
		if got := post(t, b, p); got.Code != http.StatusAccepted {
			t.Fatalf("%+v: got %d, want 202", p, got.Code)
		}
		if got := post(t, b, p); got.Code != http.StatusOK {
			t.Errorf("%+v once more: got %d, want 200", p, got.Code)
		}
		taken, err := b.queue.store.take(t.Context(), "app")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.queue.store.giveUp(t.Context(), "app", taken.events); err != nil {
			t.Fatal(err)
		}
		if got := post(t, b, p); got.Code != http.StatusAccepted {
			t.Errorf("%+v after it was given up: got %d, want 202", p, got.Code)
		}
	}
}
