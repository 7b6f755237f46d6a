package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// attempt is an attempt at a delivery, as the sender of these tests keeps it.
type attempt struct {
	id      int
	guid    string
	ago     time.Duration // before testNow
	status  int
	event   string
	action  string
	payload string
	other   bool // about another repository
}

// sender is a GitHub that keeps what it sent, newest first.
type sender struct {
	t        *testing.T
	attempts []attempt
	hooks    []string // URLs; the first hook is number 1, and it sent everything
	page     int      // attempts on a page
	refuse   map[string]int
	broken   map[int]bool // attempts that are gone
	failing  map[int]int  // statuses of attempts that cannot be read

	mu  sync.Mutex
	got []string
}

const senderRepository = 1296269

func (s *sender) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	s.mu.Lock()
	s.got = append(s.got, path)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if status := s.refuse[path]; status != 0 {
		w.WriteHeader(status)
		s.write(w, map[string]any{"message": "Resource not accessible by personal access token", "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status)})
		return
	}
	switch log, number, _ := strings.Cut(path, "/deliveries"); {
	case number != "":
		s.one(w, r, strings.TrimPrefix(number, "/"))
	case strings.HasSuffix(path, "/deliveries"):
		s.log(w, r, log)
	case path == "/repos/acme/gitops/hooks":
		s.listHooks(w)
	case path == "/repos/acme/gitops":
		s.write(w, map[string]any{"id": senderRepository})
	case path == "/repos/acme/gitops/installation":
		s.write(w, map[string]any{"id": 3, "permissions": map[string]string{"metadata": "read"}})
	case path == "/app/installations/3/access_tokens":
		w.WriteHeader(http.StatusCreated)
		s.write(w, map[string]any{"token": "ghs_x", "expires_at": testNow.Add(time.Hour).Format(time.RFC3339)})
	default:
		s.t.Errorf("unexpected request %s", path)
		http.NotFound(w, r)
	}
}

func (s *sender) write(w http.ResponseWriter, value any) {
	if err := json.NewEncoder(w).Encode(value); err != nil {
		s.t.Error(err)
	}
}

func (s *sender) listHooks(w http.ResponseWriter) {
	hooks := []map[string]any{}
	for i, address := range s.hooks {
		self := fmt.Sprintf("https://api.github.com/repos/acme/gitops/hooks/%d", i+1)
		hooks = append(hooks, map[string]any{
			"type": "Repository", "id": i + 1, "name": "web", "active": true, "events": []string{"push"}, "config": map[string]any{"url": address},
			"url": self, "test_url": self + "/test", "ping_url": self + "/pings", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
			"last_response": map[string]any{"code": nil, "status": "unused", "message": nil},
		})
	}
	s.write(w, hooks)
}

func (s *sender) log(w http.ResponseWriter, r *http.Request, log string) {
	from, err := strconv.Atoi("0" + strings.TrimPrefix(r.URL.Query().Get("cursor"), "v1_"))
	if err != nil {
		s.t.Error(err)
	}
	sent := s.attempts
	if !strings.HasSuffix(log, "/hooks/1") && log != "/app/hook" {
		sent = nil
	}
	to := min(len(sent), from+s.page)
	if to < len(sent) {
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?per_page=100&cursor=v1_%d>; rel="next"`, r.Host, r.URL.Path, to))
	}
	items := []map[string]any{}
	for _, a := range sent[from:to] {
		items = append(items, a.item())
	}
	s.write(w, items)
}

func (a attempt) item() map[string]any {
	repository := senderRepository
	if a.other {
		repository++
	}
	return map[string]any{
		"id": a.id, "guid": a.guid, "delivered_at": testNow.Add(-a.ago).Format(time.RFC3339), "redelivery": false, "duration": 0.1,
		"status": "x", "status_code": a.status, "event": a.event, "action": a.action, "installation_id": nil, "repository_id": repository,
	}
}

func (s *sender) one(w http.ResponseWriter, r *http.Request, number string) {
	id, err := strconv.Atoi(number)
	if err != nil {
		s.t.Error(err)
	}
	if status := s.failing[id]; status != 0 {
		w.WriteHeader(status)
		s.write(w, map[string]any{"message": "Server Error", "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status)})
		return
	}
	for _, a := range s.attempts {
		if a.id == id && !s.broken[id] {
			item := a.item()
			item["request"] = map[string]any{
				"headers": map[string]any{"X-GitHub-Event": a.event, "X-GitHub-Delivery": a.guid, "X-GitHub-Hook-ID": 7}, "payload": json.RawMessage(a.payload),
			}
			item["response"] = map[string]any{"headers": map[string]any{}, "payload": "failed to connect"}
			s.write(w, item)
			return
		}
	}
	http.NotFound(w, r)
}

// asked are the requests without those for tokens.
func (s *sender) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, path := range s.got {
		if !strings.Contains(path, "installation") {
			out = append(out, strings.TrimPrefix(path, "/repos/acme/gitops"))
		}
	}
	return out
}

var deliveryContract = sync.OnceValues(func() (*contract.Contract, error) {
	dir, err := contract.Dir()
	if err != nil {
		return nil, err
	}
	return contract.Load(dir + "/" + contract.GitHub)
})

// sending starts a sender, judged by GitHub's own description where that is at hand, and a Forge on it.
func sending(t *testing.T, s *sender, change func(*Config)) *Forge {
	t.Helper()
	s.t = t
	if s.page == 0 {
		s.page = 100
	}
	if s.hooks == nil {
		s.hooks = []string{"https://lockkeeper.example.com/webhook/github"}
	}
	served := http.Handler(s)
	if loaded, err := deliveryContract(); err == nil && change == nil { // The answers to an App about its repository are not whole.
		served = contracttest.Handler(t, loaded, s)
	}
	running := httptest.NewServer(http.StripPrefix("/api/v3", served))
	t.Cleanup(running.Close)
	cfg := Config{
		URL: running.URL, Repository: "acme/gitops", Token: "ghp_x", Now: func() time.Time { return testNow },
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
	if change != nil {
		cfg.Token = ""
		cfg.App = sendingApp(t, running.URL)
		change(&cfg)
	}
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func sendingApp(t *testing.T, url string) *App {
	t.Helper()
	app, err := NewApp(AppConfig{
		URL: url, ID: 17, PrivateKey: testPEM(), Now: func() time.Time { return testNow },
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

const (
	changeBody  = `{"action":"opened","pull_request":{"number":8},"repository":{"full_name":"Acme/GitOps"}}`
	foreignBody = `{"ref":"refs/heads/main","repository":{"full_name":"acme/other"}}`
)

func missedComment(guid string) promote.Event {
	return promote.Event{Kind: promote.EventComment, Delivery: guid, Change: 7, Comment: promote.Comment{
		ID: 1244, Change: 7, AuthorID: 5, Author: "ann", Body: "/promote", At: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC),
	}}
}

func missedPush(guid string) promote.Event {
	return promote.Event{Kind: promote.EventPush, Delivery: guid, Branch: "main", Head: hookHead, Source: "https://github.com/acme/gitops.git"}
}

func TestMissed(t *testing.T) {
	comment := attempt{id: 1, guid: "a", ago: 50 * time.Minute, status: 502, event: "issue_comment", action: "created", payload: commentBody}
	push := attempt{id: 2, guid: "b", ago: 40 * time.Minute, event: "push", payload: pushBody}
	change := attempt{id: 3, guid: "c", ago: 30 * time.Minute, status: 500, event: "pull_request", action: "opened", payload: changeBody}
	taken := func(a attempt, id int) attempt {
		a.id, a.status, a.ago = id, 202, a.ago-time.Minute
		return a
	}
	failed := func(a attempt, id int) attempt {
		a.id, a.status, a.ago = id, 503, a.ago-time.Minute
		return a
	}
	edited := comment
	edited.action = "edited"
	old := comment
	old.ago = 61 * time.Minute
	foreign := push
	foreign.payload = foreignBody
	broken := push
	broken.payload = "null"
	all := []string{"/hooks", "/hooks/1/deliveries", "/hooks/1/deliveries/1", "/hooks/1/deliveries/2", "/hooks/1/deliveries/3"}
	for _, test := range []struct {
		name   string
		sender *sender
		want   []promote.Event
		asked  []string
	}{
		{"nothing was sent", &sender{}, nil, all[:2]},
		{
			"everything was missed, and comes oldest first",
			&sender{attempts: []attempt{change, push, comment}},
			[]promote.Event{missedComment("a"), missedPush("b"), {Kind: promote.EventChange, Delivery: "c", Change: 8}},
			all,
		},
		{
			"on three pages",
			&sender{attempts: []attempt{change, push, comment}, page: 1},
			[]promote.Event{missedComment("a"), missedPush("b"), {Kind: promote.EventChange, Delivery: "c", Change: 8}},
			[]string{"/hooks", "/hooks/1/deliveries", "/hooks/1/deliveries", "/hooks/1/deliveries", "/hooks/1/deliveries/1", "/hooks/1/deliveries/2", "/hooks/1/deliveries/3"},
		},
		{"everything was taken", &sender{attempts: []attempt{taken(push, 2), taken(comment, 1)}}, nil, all[:2]},
		{"one was sent again and then taken", &sender{attempts: []attempt{taken(comment, 4), push, comment}}, []promote.Event{missedPush("b")}, []string{all[0], all[1], all[3]}},
		{"one was taken before and is sent again in vain", &sender{attempts: []attempt{failed(comment, 4), taken(comment, 1)}}, nil, all[:2]},
		{"one was sent twice in vain", &sender{attempts: []attempt{failed(comment, 4), comment}}, []promote.Event{missedComment("a")}, all[:3]},
		{"of no interest, as its list says already", &sender{attempts: []attempt{edited, {id: 5, guid: "e", event: "ping", payload: "{}"}}}, nil, all[:2]},
		{"longer ago than asked for", &sender{attempts: []attempt{push, old}}, []promote.Event{missedPush("b")}, []string{all[0], all[1], all[3]}},
		{"older pages are not asked for", &sender{attempts: []attempt{push, old, old}, page: 2}, []promote.Event{missedPush("b")}, []string{all[0], all[1], all[3]}},
		{"about another repository", &sender{attempts: []attempt{foreign}}, nil, []string{all[0], all[1], all[3]}},
		{"its body is gone", &sender{attempts: []attempt{broken}}, nil, []string{all[0], all[1], all[3]}},
		{"it is gone itself", &sender{attempts: []attempt{push, comment}, broken: map[int]bool{1: true}}, []promote.Event{missedPush("b")}, all[:4]},
		{
			"other webhooks are not looked at",
			&sender{attempts: []attempt{push}, hooks: []string{"https://lockkeeper.example.com/webhook/github/", "https://ci.example.com/hook", "://"}},
			[]promote.Event{missedPush("b")},
			[]string{all[0], all[1], all[3]},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := sending(t, test.sender, nil)
			got, err := f.Missed(t.Context(), testNow.Add(-time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.asked, test.sender.asked()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissedMoreThanIsRead(t *testing.T) {
	s := &sender{}
	for i := range 2 * maxReread {
		s.attempts = append(s.attempts, attempt{id: i + 10, guid: fmt.Sprint("push ", i), ago: time.Duration(i) * time.Second, status: 502, event: "push", payload: pushBody})
	}
	s.attempts = append(s.attempts, attempt{id: 1, guid: "a", ago: 50 * time.Minute, status: 502, event: "issue_comment", action: "created", payload: commentBody})
	got, err := sending(t, s, nil).Missed(t.Context(), testNow.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != maxReread {
		t.Fatalf("got %d events, want %d", len(got), maxReread)
	}
	if diff := cmp.Diff(missedComment("a"), got[0]); diff != "" {
		t.Errorf("the comment, although it is the oldest (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(missedPush("push 0"), got[maxReread-1]); diff != "" {
		t.Errorf("the newest push (-want +got):\n%s", diff)
	}
}

// TestADeliveryThatCannotBeRead holds the others up for an hour and no longer, and is read after all when that is possible again.
func TestADeliveryThatCannotBeRead(t *testing.T) {
	now, log := testNow, &strings.Builder{}
	s := &sender{
		attempts: []attempt{
			{id: 2, guid: "b", ago: 40 * time.Minute, status: 502, event: "push", payload: pushBody},
			{id: 1, guid: "a", ago: 50 * time.Minute, status: 502, event: "issue_comment", action: "created", payload: commentBody},
		},
		failing: map[int]int{1: 500},
	}
	f := sending(t, s, nil)
	f.wire.Now = func() time.Time { return now }
	f.wire.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	ask := func(name string, since time.Time, fails bool, want ...promote.Event) {
		t.Helper()
		got, err := f.Missed(t.Context(), since)
		if (err != nil) != fails {
			t.Errorf("%s: got %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: events (-want +got):\n%s", name, diff)
		}
	}
	first := testNow.Add(-time.Hour)
	for range unreadRounds {
		ask("often in a short time", first, true, missedPush("b"))
	}
	now = now.Add(unreadFor)
	if log.Len() > 0 {
		t.Errorf("logged %s", log)
	}
	ask("often and for long", first, false, missedPush("b"))
	ask("once more", first, false, missedPush("b"))
	ask("not listed any more", now, false)
	if got := log.String(); strings.Count(got, "level=WARN") != 1 || !strings.Contains(got, "delivery=a id=1 event=issue_comment") {
		t.Errorf("logged %s", got)
	}
	s.failing = nil
	ask("readable again", now, false, missedComment("a"))
	ask("read", now, false)
	if len(f.unread) != 0 {
		t.Errorf("kept %v", f.unread)
	}
}

// TestWhatIsToBlameForAFailureToRead: an outage is not taken for deliveries that are broken.
func TestWhatIsToBlameForAFailureToRead(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		one    bool
	}{
		{"a server's error", 500, true},
		{"a gateway's error", 502, true},
		{"gone", 410, true},
		{"a limit", 429, false},
		{"the credentials", 401, false},
		{"a permission", 403, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, map[string][]answer{"GET …/hooks/1/deliveries/5": slices.Repeat([]answer{{Status: test.status, Body: `{"message":"no"}`}}, 1)}, func(cfg *Config) {
				cfg.Sleep = func(context.Context, time.Duration) error { return errors.New("no patience") }
			})
			_, _, err := deliveryLog{f.caller, f.base + "/hooks/1/deliveries"}.read(t.Context(), 5)
			if got := aboutOne(t.Context(), err); got != test.one {
				t.Errorf("got %t of %v", got, err)
			}
		})
	}
	if aboutOne(t.Context(), &promote.APIError{Service: service, Operation: "read delivery"}) {
		t.Error("no answer at all")
	}
}

// TestAnOutageEndsTheRound: where nothing can be read, not everything is tried.
func TestAnOutageEndsTheRound(t *testing.T) {
	s := &sender{failing: map[int]int{}}
	for i := range 3 * maxUnread {
		s.attempts = append(s.attempts, attempt{id: i + 1, guid: fmt.Sprint(i), ago: time.Duration(i) * time.Second, status: 502, event: "push", payload: pushBody})
		s.failing[i+1] = http.StatusUnprocessableEntity // which is not asked again at once
	}
	f, now := sending(t, s, nil), testNow
	f.wire.Now = func() time.Time { return now }
	round := func(fails bool) {
		t.Helper()
		before := len(s.asked())
		if got, err := f.Missed(t.Context(), testNow.Add(-time.Hour)); (err != nil) != fails || len(got) != 0 {
			t.Errorf("got %d, %v", len(got), err)
		}
		if asked := len(s.asked()) - before; asked != 2+maxUnread {
			t.Errorf("%d requests", asked)
		}
	}
	for range 3 {
		for range unreadRounds {
			round(true)
		}
		now = now.Add(unreadFor)
		for _, one := range f.unread { // Nothing waits any more for those that failed for long.
			f.unread.fail(one.delivery, now)
		}
	}
	round(false)
}

func TestMissedByAnApp(t *testing.T) {
	s := &sender{attempts: []attempt{
		{id: 4, guid: "d", status: 502, event: "push", payload: foreignBody, other: true},
		{id: 3, guid: "c", status: 502, event: "installation", action: "created", payload: "{}"},
		{id: 2, guid: "b", status: 502, event: "push", payload: pushBody},
		{id: 1, guid: "a", status: 502, event: "issue_comment", action: "created", payload: commentBody, ago: time.Minute},
	}}
	f := sending(t, s, func(*Config) {})
	for range 2 {
		got, err := f.Missed(t.Context(), testNow.Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]promote.Event{missedComment("a"), missedPush("b")}, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	}
	want := []string{"", "/app/hook/deliveries", "/app/hook/deliveries/1", "/app/hook/deliveries/2", "/app/hook/deliveries/1", "/app/hook/deliveries/2"}
	if diff := cmp.Diff(want, s.asked()); diff != "" {
		t.Errorf("requests: the list serves all who ask within a minute (-want +got):\n%s", diff)
	}
}

func TestMissedThatMayNotBeRead(t *testing.T) {
	const remedy = "the token may not read what webhooks sent: grant a fine-grained one the repository permission Webhooks (read), a classic one the scope read:repo_hook"
	for _, test := range []struct {
		name   string
		sender *sender
		app    bool
		is     error
		remedy string
	}{
		{"the list of webhooks is forbidden", &sender{refuse: map[string]int{"/repos/acme/gitops/hooks": 403}}, false, promote.ErrForbidden, remedy},
		{"the list of webhooks is hidden", &sender{refuse: map[string]int{"/repos/acme/gitops/hooks": 404}}, false, promote.ErrNotFound, remedy},
		{"the deliveries are forbidden", &sender{refuse: map[string]int{"/repos/acme/gitops/hooks/1/deliveries": 403}}, false, promote.ErrForbidden, remedy},
		{
			"no webhook leads here",
			&sender{hooks: []string{"https://ci.example.com/hook"}},
			false, promote.ErrNotFound,
			"add one whose URL ends with /webhook/github: what webhooks of an organization did not bring cannot be asked for",
		},
		{"the App has no webhook", &sender{refuse: map[string]int{"/app/hook/deliveries": 404}}, true, promote.ErrNotFound, "the App has no webhook: make it active in the App's settings"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var change func(*Config)
			if test.app {
				change = func(*Config) {}
			}
			_, err := sending(t, test.sender, change).Missed(t.Context(), testNow.Add(-time.Hour))
			api, ok := errors.AsType[*promote.APIError](err)
			if !errors.Is(err, test.is) || !ok || api.Remedy != test.remedy {
				t.Errorf("got %v", err)
			}
			if ok && api.Temporary() {
				t.Error("it is no refusal")
			}
		})
	}
}

func TestLeadsHere(t *testing.T) {
	for _, test := range []struct {
		configured, given string
		want              bool
	}{
		{"", "https://lockkeeper.example.com/webhook/github", true},
		{"", "https://example.com/lockkeeper/webhook/github/?x=1", true},
		{"", "https://example.com/webhook/gitlab", false},
		{"", "", false},
		{"https://lockkeeper.example.com/webhook/github", "https://LOCKKEEPER.example.com/webhook/github/", true},
		{"https://lockkeeper.example.com/webhook/github", "http://lockkeeper.example.com/webhook/github", true},
		{"https://lockkeeper.example.com/webhook/github", "https://staging.example.com/webhook/github", false},
		{"https://lockkeeper.example.com/hooks", "https://lockkeeper.example.com/webhook/github", false},
	} {
		f, err := New(Config{URL: "https://github.com", Repository: "acme/gitops", WebhookURL: test.configured})
		if err != nil {
			t.Fatal(err)
		}
		if got := f.leadsHere(test.given); got != test.want {
			t.Errorf("configured %q, given %q: got %v, want %v", test.configured, test.given, got, test.want)
		}
	}
	for _, wrong := range []string{"lockkeeper.example.com", "https://me:secret@example.com/webhook/github", "://"} {
		if _, err := New(Config{URL: "https://github.com", Repository: "acme/gitops", WebhookURL: wrong}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v", wrong, err)
		}
	}
}

// FuzzDelivery reads a kept delivery, whatever it holds.
func FuzzDelivery(f *testing.F) {
	f.Add(`{"request":{"headers":{"X-GitHub-Event":"push","X-GitHub-Delivery":"a"},"payload":` + pushBody + `}}`)
	f.Add(`{"request":{"headers":{"X-GitHub-Event":7},"payload":null}}`)
	f.Add(`{"request":null}`)
	f.Fuzz(func(t *testing.T, body string) {
		running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		defer running.Close()
		forge, err := New(Config{URL: running.URL, Repository: "acme/gitops", Token: "ghp_x"})
		if err != nil {
			t.Fatal(err)
		}
		log := deliveryLog{forge.caller, "repos/acme/gitops/hooks/1/deliveries"}
		events, err := forge.reread(t.Context(), log.lost([]sentDelivery{{ID: 1, GUID: "a", Event: "push"}}))
		if err == nil && len(events) > 0 && events[0].Delivery != "a" {
			t.Errorf("got %+v", events)
		}
	})
}
