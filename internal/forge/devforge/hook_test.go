package devforge_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

type hookCall struct {
	header http.Header
	body   []byte
}

// receiver is a server that gets webhooks. status is what it answers.
type receiver struct {
	mu     sync.Mutex
	calls  []hookCall
	status int
}

func (r *receiver) all() []hookCall {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]hookCall(nil), r.calls...)
}

func (r *receiver) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = nil
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, hookCall{request.Header.Clone(), body})
	w.WriteHeader(r.status)
}

// listen adds a hook with a receiver behind it.
func (b *bench) listen(t *testing.T, h devforge.Hook) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusOK}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	h.URL = server.URL
	if _, err := b.AddHook(projectPath, h); err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *bench) settle(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := b.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) say(t *testing.T, user, body string) *gitlab.Note {
	t.Helper()
	n, _, err := b.as(t, user).Notes.CreateMergeRequestNote(projectPath, 1, &gitlab.CreateMergeRequestNoteOptions{Body: &body})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestHooksHaveGitLabsShape(t *testing.T) {
	b := newBench(t)
	received := b.listen(t, devforge.Hook{Token: "hook-secret"})
	only := b.listen(t, devforge.Hook{Events: []devforge.HookEvent{devforge.HookNote}})
	m := b.open(t, "lockkeeper/web")
	n := b.say(t, "reader", "/promote")
	setStatus(t, b, m.SHA, gitlab.Success)
	if _, _, err := b.as(t, "bot").MergeRequests.UpdateMergeRequest(projectPath, 1, &gitlab.UpdateMergeRequestOptions{
		Title: new("Draft: x"), AddLabels: &gitlab.LabelOptions{"lockkeeper"},
	}); err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"close", "reopen"} {
		if _, _, err := b.as(t, "bot").MergeRequests.UpdateMergeRequest(projectPath, 1, &gitlab.UpdateMergeRequestOptions{StateEvent: &event}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := b.as(t, "bot").MergeRequests.UpdateMergeRequest(projectPath, 1, &gitlab.UpdateMergeRequestOptions{Title: new("x")}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.as(t, "owner").MergeRequests.AcceptMergeRequest(projectPath, 1, &gitlab.AcceptMergeRequestOptions{SHA: &m.SHA}); err != nil {
		t.Fatal(err)
	}
	b.settle(t)
	var got []string
	for _, event := range received.all() {
		kind := event.header.Get("X-Gitlab-Event")
		switch kind {
		case "Push Hook":
			parseHook[*gitlab.PushEvent](t, event)
		case "Merge Request Hook":
			parsed := parseHook[*gitlab.MergeEvent](t, event)
			kind += " " + parsed.ObjectAttributes.Action
			if parsed.ObjectAttributes.IID != 1 || parsed.ObjectAttributes.LastCommit.ID != m.SHA || parsed.User.Username == "" ||
				parsed.Project.PathWithNamespace != projectPath || parsed.ObjectAttributes.DetailedMergeStatus == "" {
				t.Errorf("payload %s", event.body)
			}
		case "Note Hook":
			parsed := parseHook[*gitlab.MergeCommentEvent](t, event)
			if parsed.ObjectAttributes.ID != n.ID || parsed.ObjectAttributes.Note != "/promote" || parsed.User.Username != "reader" ||
				parsed.ObjectAttributes.System || parsed.MergeRequest.LastCommit.ID != m.SHA || parsed.ObjectAttributes.Action != "create" {
				t.Errorf("payload %s", event.body)
			}
		case "Pipeline Hook":
			parsed := parseHook[*gitlab.PipelineEvent](t, event)
			if parsed.MergeRequest.IID != 1 || parsed.ObjectAttributes.Status != "success" || parsed.ObjectAttributes.SHA != m.SHA {
				t.Errorf("payload %s", event.body)
			}
		}
		got = append(got, kind)
		checkHookHeader(t, b, event.header)
	}
	want := []string{
		"Push Hook", "Merge Request Hook open", "Note Hook", "Pipeline Hook", "Merge Request Hook update", "Merge Request Hook close",
		"Merge Request Hook reopen", "Merge Request Hook update", "Merge Request Hook merge", "Push Hook",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if calls := only.all(); len(calls) != 1 || calls[0].header.Get("X-Gitlab-Event") != "Note Hook" {
		t.Errorf("the hook for notes got %d", len(calls))
	}
}

func checkHookHeader(t *testing.T, b *bench, header http.Header) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Type": "application/json", "X-Gitlab-Token": "hook-secret", "X-Gitlab-Instance": b.url, "User-Agent": "GitLab/19.2.0",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"X-Gitlab-Event-UUID", "X-Gitlab-Webhook-UUID", "Idempotency-Key"} {
		if len(header.Get(name)) != 36 {
			t.Errorf("header %s is %q", name, header.Get(name))
		}
	}
	if header.Get("Webhook-Signature") != "" {
		t.Error("a signature without a signing token")
	}
}

func TestHooksAreSigned(t *testing.T) {
	b := newBench(t)
	key := strings.Repeat("k", 32)
	received := b.listen(t, devforge.Hook{SigningToken: "whsec_" + base64.StdEncoding.EncodeToString([]byte(key))})
	b.open(t, "lockkeeper/web")
	b.settle(t)
	for _, event := range received.all() {
		id, at := event.header.Get("Webhook-Id"), event.header.Get("Webhook-Timestamp")
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(id + "." + at + "." + string(event.body)))
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); event.header.Get("Webhook-Signature") != want {
			t.Errorf("signature %q, want %q", event.header.Get("Webhook-Signature"), want)
		}
		if id != event.header.Get("Idempotency-Key") || event.header.Get("X-Gitlab-Token") != "" {
			t.Errorf("header %v", event.header)
		}
	}
	if err := b.Redeliver(b.Deliveries()[0].ID); err != nil {
		t.Fatal(err)
	}
	b.settle(t)
	calls := received.all()
	first, again := calls[0].header.Get("Webhook-Timestamp"), calls[len(calls)-1].header.Get("Webhook-Timestamp")
	if len(again) != len(first) || again <= first || again[:6] != first[:6] {
		t.Errorf("a redelivery is signed at %s, the first one was at %s by the forge's clock", again, first)
	}
	if _, err := b.AddHook(projectPath, devforge.Hook{URL: "http://127.0.0.1:1", SigningToken: "short"}); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("a bad signing token: %v", err)
	}
}

func TestARedeliveryHasTheSameKey(t *testing.T) {
	b := newBench(t)
	received := b.listen(t, devforge.Hook{Events: []devforge.HookEvent{devforge.HookNote}})
	b.open(t, "lockkeeper/web")
	b.say(t, "bot", "one")
	b.settle(t)
	log := b.Deliveries()
	if len(log) != 1 || log[0].Status != http.StatusOK || log[0].Event != devforge.HookNote {
		t.Fatalf("log %+v", log)
	}
	if err := b.Redeliver(log[0].ID); err != nil {
		t.Fatal(err)
	}
	b.settle(t)
	for _, e := range []exchange{
		{"owner", "GET", base + "/hooks/1/events", "", 200, `"trigger":"note_hooks"`},
		{"owner", "POST", base + "/hooks/1/events/2/resend", "", 201, ""},
		{"owner", "POST", base + "/hooks/1/events/99/resend", "", 404, ""},
	} {
		if status, body, _ := b.raw(t, e); status != e.status || !strings.Contains(body, e.has) {
			t.Errorf("%s %s answers %d %s", e.method, e.path, status, body)
		}
	}
	b.settle(t)
	calls := received.all()
	if len(calls) != 3 || string(calls[0].body) != string(calls[2].body) ||
		calls[0].header.Get("Idempotency-Key") != calls[2].header.Get("Idempotency-Key") {
		t.Errorf("deliveries %v", calls)
	}
	if err := b.Redeliver(99); err == nil {
		t.Error("an unknown delivery is repeated")
	}
}

func TestAFailingHookIsSwitchedOff(t *testing.T) {
	for _, tt := range []struct {
		name string
		keep bool
		want int
	}{
		{"after four failures in a row it is off for a minute", false, 4 + 1},
		{"unless the forge is told to keep it", true, 6 + 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, func(c *devforge.Config) { c.KeepFailingHooks = tt.keep })
			received := b.listen(t, devforge.Hook{Events: []devforge.HookEvent{devforge.HookNote}})
			received.answer(http.StatusInternalServerError)
			b.open(t, "lockkeeper/web")
			for range 6 {
				b.say(t, "bot", "hello")
				b.settle(t)
			}
			received.answer(http.StatusOK)
			b.clock.Skip(2 * time.Minute)
			b.say(t, "bot", "hello again")
			b.settle(t)
			if got := len(received.all()); got != tt.want {
				t.Errorf("%d deliveries, want %d", got, tt.want)
			}
		})
	}
}

func TestHookFaults(t *testing.T) {
	b := newBench(t)
	received := b.listen(t, devforge.Hook{Events: []devforge.HookEvent{devforge.HookNote}})
	b.open(t, "lockkeeper/web")
	notes := func(r *http.Request) bool { return r.Header.Get("X-Gitlab-Event") == "Note Hook" }
	b.Fault(notes, devforge.DuplicateHook(), devforge.LoseHook(), devforge.LateHook())
	for _, body := range []string{"twice", "lost", "late", "after", "last"} {
		b.say(t, "bot", body)
	}
	b.settle(t)
	var got []string
	for _, event := range received.all() {
		got = append(got, parseHook[*gitlab.MergeCommentEvent](t, event).ObjectAttributes.Note)
	}
	if diff := cmp.Diff([]string{"twice", "twice", "after", "late", "last"}, got); diff != "" {
		t.Error(diff)
	}
	calls := received.all()
	if calls[0].header.Get("Idempotency-Key") != calls[1].header.Get("Idempotency-Key") {
		t.Error("a duplicate has another key")
	}
	b.Fault(notes, devforge.LateHook())
	b.say(t, "bot", "held")
	b.settle(t)
	if got := len(received.all()); got != 6 {
		t.Errorf("%d deliveries after a flush, want 6", got)
	}
}
