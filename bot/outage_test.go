package bot

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/forge/github"
	"github.com/lockkeeper/lockkeeper/internal/forge/gitlab"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

const outageSecret = "a secret of both sides"

// A fact is something that happened on a forge: a push to main, or a comment on change 7.
type fact struct {
	comment bool
	number  int // of the comment, or in the head
}

func (f fact) head() string { return fmt.Sprintf("%040x", f.number) }

// String is the same as that of the event that tells of it.
func (f fact) String() string {
	if f.comment {
		return fmt.Sprintf("comment %d: /promote %d", f.number, f.number)
	}
	return "push main " + f.head()
}

func toldBy(e promote.Event) string {
	if e.Kind == promote.EventComment {
		return fmt.Sprintf("comment %d: %s", e.Comment.ID, e.Comment.Body)
	}
	return fmt.Sprintf("%s %s %s", e.Kind, e.Branch, e.Head)
}

// A delivery is one attempt to tell the bot of a fact.
type delivery struct {
	fact   fact
	id     string // the same in every attempt
	at     time.Time
	status int // 0: there was nobody
}

// A tongue is how a forge speaks: what it sends, and what it answers when it is asked what it sent.
type tongue struct {
	webhook func(fact) (header map[string]string, body string)
	answer  func(f *teller, w http.ResponseWriter, r *http.Request)
	hook    Hook
	missed  func(t *testing.T, url string) func(context.Context, time.Time) ([]promote.Event, error)
	serve   func(t *testing.T, next http.Handler) http.Handler // how its API is reached
}

// A teller is a forge that sends webhooks to a bot that may be down.
type teller struct {
	t      *testing.T
	tongue tongue
	api    *httptest.Server

	mu     sync.Mutex
	target string // where the bot is, or was
	sent   []delivery
}

func tell(t *testing.T, speaks tongue) *teller {
	t.Helper()
	f := &teller{t: t, tongue: speaks}
	f.api = httptest.NewServer(speaks.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		speaks.answer(f, w, r)
	})))
	t.Cleanup(f.api.Close)
	return f
}

// send makes one attempt and returns the bot's answer, 0 when there is none.
func (f *teller) send(what fact) int {
	f.t.Helper()
	header, body := f.tongue.webhook(what)
	f.mu.Lock()
	target := f.target
	f.mu.Unlock()
	request, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, target+"/webhook/"+f.tongue.hook.Forge, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	attempt := delivery{fact: what, id: idOf(what), at: time.Now()}
	if response, err := http.DefaultClient.Do(request); err == nil {
		_ = response.Body.Close()
		attempt.status = response.StatusCode
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, attempt)
	return attempt.status
}

func idOf(what fact) string { return fmt.Sprintf("guid-%v-%d", what.comment, what.number) }

func (f *teller) attempts() []delivery {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sent)
}

func (f *teller) write(w io.Writer, value any) {
	if err := json.NewEncoder(w).Encode(value); err != nil {
		f.t.Error(err)
	}
}

// A life is a bot from its start to its end.
type life struct {
	stop func()
	seen chan string // the events of its runs, without sweeps
}

// live starts a bot that the forge sends to. before is called before the bot asks what it missed.
func live(t *testing.T, f *teller, database string, before func()) life {
	t.Helper()
	seen := make(chan string, 100)
	cfg := testConfig(database, map[string]Runner{"gitops": countingRunner(func(events []promote.Event) {
		for _, e := range events {
			if e.Kind != promote.EventSweep {
				seen <- toldBy(e)
			}
		}
	})})
	cfg.Hooks = []Hook{f.tongue.hook}
	cfg.Repositories[0].Forge, cfg.Repositories[0].Project = f.tongue.hook.Forge, "acme/gitops"
	ask := f.tongue.missed(t, f.api.URL)
	cfg.Repositories[0].Missed = func(ctx context.Context, since time.Time) ([]promote.Event, error) {
		before()
		return ask(ctx, since)
	}
	b := open(t, cfg)
	server := httptest.NewServer(b.Handler())
	f.mu.Lock()
	f.target = server.URL
	f.mu.Unlock()
	end := start(t, b)
	stop := sync.OnceFunc(func() {
		server.Close()
		if err := end(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return life{stop: stop, seen: seen}
}

// until collects what the bot works off up to a fact.
func (l life) until(t *testing.T, last fact) []string {
	t.Helper()
	var all []string
	for len(all) == 0 || all[len(all)-1] != last.String() {
		all = append(all, receive(t, l.seen, last.String()))
	}
	return all
}

func TestOutage(t *testing.T) {
	push, comment := fact{number: 2}, fact{comment: true, number: 102}
	earlier, remark, later := fact{number: 1}, fact{comment: true, number: 101}, fact{number: 3}
	want := []string{comment.String(), push.String(), later.String()}
	for _, speaks := range []struct {
		forge  string
		tongue tongue
	}{{"github", gitHubTongue(contracttest.Guard(t, contract.GitHub))}, {"gitlab", gitLabTongue()}} {
		for _, test := range []struct {
			name   string
			before func(f *teller) // sent again, before the bot asks
			after  func(f *teller) []int
			status []int
		}{
			{name: "nothing is ever sent again"},
			{name: "all is sent again later", after: func(f *teller) []int { return []int{f.send(comment), f.send(push)} }, status: []int{200, 200}},
			{name: "all is sent again later, in another order and twice", after: func(f *teller) []int {
				return []int{f.send(push), f.send(comment), f.send(push), f.send(remark), f.send(comment)}
			}, status: []int{200, 200, 200, 200, 200}},
			{name: "all is sent again before the bot asks", before: func(f *teller) { f.send(comment); f.send(push) }},
			{name: "all is sent again before the bot asks, in another order", before: func(f *teller) { f.send(push); f.send(comment); f.send(push) }},
			{name: "one is sent again before, the other later", before: func(f *teller) { f.send(push) }, after: func(f *teller) []int { return []int{f.send(comment)} }, status: []int{200}},
			{name: "what was taken before is sent again", before: func(f *teller) { f.send(remark) }, after: func(f *teller) []int { return []int{f.send(remark)} }, status: []int{200}},
		} {
			t.Run(speaks.forge+": "+test.name, func(t *testing.T) {
				forge, database := tell(t, speaks.tongue), tempFile(t)
				first := live(t, forge, database, func() {})
				for _, what := range []fact{earlier, remark} {
					if got := forge.send(what); got/100 != 2 {
						t.Fatalf("%s: got %d, want 2xx", what, got)
					}
				}
				first.until(t, remark)
				first.stop()
				for _, what := range []fact{comment, push} {
					if got := forge.send(what); got != 0 {
						t.Fatalf("%s: got %d while the bot was down", what, got)
					}
				}
				asked := make(chan struct{})
				second := live(t, forge, database, func() {
					if test.before != nil {
						test.before(forge)
					}
					close(asked)
				})
				receive(t, asked, "question for what was missed")
				got := []string{receive(t, second.seen, "what was missed"), receive(t, second.seen, "what was missed")}
				if test.after != nil {
					if diff := cmp.Diff(test.status, test.after(forge)); diff != "" {
						t.Errorf("answers (-want +got):\n%s", diff)
					}
				}
				forge.send(later)
				got = append(got, second.until(t, later)...)
				slices.Sort(got)
				if diff := cmp.Diff(slices.Sorted(slices.Values(want)), got); diff != "" {
					t.Errorf("worked off (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// ignoring is parse for a Hook.
func ignoring(parse func(http.Header, []byte) (promote.Event, error)) func(http.Header, []byte) (promote.Event, error) {
	return func(header http.Header, body []byte) (promote.Event, error) {
		event, err := parse(header, body)
		if errors.Is(err, forge.ErrIgnored) {
			return event, fmt.Errorf("%w: %w", ErrIgnored, err)
		}
		return event, err
	}
}

func gitHubTongue(guard func(testing.TB, http.Handler) http.Handler) tongue {
	keys, err := github.NewSecrets([]secret.Text{outageSecret})
	if err != nil {
		panic(err)
	}
	return tongue{
		webhook: gitHubWebhook,
		answer:  gitHubAnswer,
		hook: Hook{
			Forge:   "github",
			Verify:  func(header http.Header, body []byte, _ time.Time) error { return github.Verify(keys, header, body) },
			Parse:   ignoring(github.ParseWebhook),
			Project: github.ProjectOf,
		},
		missed: func(t *testing.T, url string) func(context.Context, time.Time) ([]promote.Event, error) {
			t.Helper()
			forge, err := github.New(github.Config{URL: url, Repository: "acme/gitops", Token: "ghp_x"})
			if err != nil {
				t.Fatal(err)
			}
			return forge.Missed
		},
		serve: func(t *testing.T, next http.Handler) http.Handler {
			t.Helper()
			return http.StripPrefix("/api/v3", guard(t, next))
		},
	}
}

func gitHubWebhook(what fact) (map[string]string, string) {
	header := map[string]string{"Content-Type": "application/json", "X-GitHub-Delivery": idOf(what), "X-GitHub-Event": "push"}
	body := `{"ref":"refs/heads/main","after":"` + what.head() + `","repository":{"full_name":"acme/gitops"}}`
	if what.comment {
		header["X-GitHub-Event"] = "issue_comment"
		body = fmt.Sprintf(`{"action":"created","issue":{"number":7,"pull_request":{}},"comment":{"id":%d,"user":{"id":5,"login":"ann"},"body":"/promote %d"},`+
			`"repository":{"full_name":"acme/gitops"},"sender":{"id":5}}`, what.number, what.number)
	}
	mac := hmac.New(sha256.New, []byte(outageSecret))
	mac.Write([]byte(body))
	header["X-Hub-Signature-256"] = "sha256=" + hex.EncodeToString(mac.Sum(nil))
	return header, body
}

// gitHubAnswer lists the one webhook, what it sent, newest first, and each attempt.
func gitHubAnswer(f *teller, w http.ResponseWriter, r *http.Request) {
	attempts := f.attempts()
	switch log, number, one := strings.Cut(strings.TrimPrefix(r.URL.Path, "/repos/acme/gitops/hooks"), "/deliveries/"); {
	case one:
		id, err := strconv.Atoi(number)
		if err != nil || id >= len(attempts) {
			http.NotFound(w, r)
			return
		}
		header, body := gitHubWebhook(attempts[id].fact)
		item := gitHubAttempt(id, attempts[id])
		item["request"] = map[string]any{"headers": header, "payload": json.RawMessage(body)}
		item["response"] = map[string]any{"headers": nil, "payload": nil}
		f.write(w, item)
	case log == "":
		self := "https://api.github.com/repos/acme/gitops/hooks/1"
		f.write(w, []any{map[string]any{
			"type": "Repository", "id": 1, "name": "web", "active": true, "events": []string{"*"}, "config": map[string]any{"url": "https://bot.example.com/webhook/github"},
			"url": self, "test_url": self + "/test", "ping_url": self + "/pings", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
			"last_response": map[string]any{"code": nil, "status": "unused", "message": nil},
		}})
	case log == "/1/deliveries":
		items := []any{}
		for id, attempt := range slices.Backward(attempts) {
			items = append(items, gitHubAttempt(id, attempt))
		}
		f.write(w, items)
	default:
		f.t.Errorf("unexpected request %s", r.URL.Path)
	}
}

func gitHubAttempt(id int, d delivery) map[string]any {
	header, _ := gitHubWebhook(d.fact)
	action := any("created")
	if !d.fact.comment {
		action = nil
	}
	return map[string]any{
		"id": id, "guid": d.id, "delivered_at": d.at.UTC().Format(time.RFC3339), "redelivery": false, "duration": 0.1, "status": "x",
		"status_code": d.status, "event": header["X-GitHub-Event"], "action": action, "installation_id": nil, "repository_id": 1,
	}
}

func gitLabTongue() tongue {
	known, err := gitlab.NewSecrets([]secret.Text{outageSecret}, nil)
	if err != nil {
		panic(err)
	}
	return tongue{
		webhook: gitLabWebhook,
		answer:  gitLabAnswer,
		hook: Hook{
			Forge: "gitlab",
			Verify: func(header http.Header, body []byte, now time.Time) error {
				return gitlab.Verify(known, header, body, now)
			},
			Parse:   ignoring(gitlab.ParseWebhook),
			Project: gitlab.ProjectOf,
		},
		missed: func(t *testing.T, url string) func(context.Context, time.Time) ([]promote.Event, error) {
			t.Helper()
			forge, err := gitlab.New(gitlab.Config{URL: url, Project: "acme/gitops", Token: "glpat-x"})
			if err != nil {
				t.Fatal(err)
			}
			return forge.Missed
		},
		serve: func(_ *testing.T, next http.Handler) http.Handler { return next }, // Its description does not know of events.
	}
}

//nolint:misspell // GitLab's word
func gitLabWebhook(what fact) (map[string]string, string) {
	header := map[string]string{"Content-Type": "application/json", "X-Gitlab-Token": outageSecret, "Idempotency-Key": idOf(what), "X-Gitlab-Event": "Push Hook"}
	body := `{"object_kind":"push","ref":"refs/heads/main","after":"` + what.head() + `","project":{"path_with_namespace":"acme/gitops"}}`
	if what.comment {
		header["X-Gitlab-Event"] = "Note Hook"
		body = fmt.Sprintf(`{"object_kind":"note","user":{"id":5},"object_attributes":{"id":%d,"note":"/promote %d","noteable_type":"MergeRequest","action":"create"},`+
			`"merge_request":{"iid":7},"project":{"path_with_namespace":"acme/gitops"}}`, what.number, what.number)
	}
	return header, body
}

// gitLabAnswer lists what happened, newest first. GitLab says nothing of attempts there.
//
//nolint:misspell // GitLab's word
func gitLabAnswer(f *teller, w http.ResponseWriter, r *http.Request) {
	if r.URL.EscapedPath() != "/api/v4/projects/acme%2Fgitops/events" {
		f.t.Errorf("unexpected request %s", r.URL.EscapedPath())
	}
	seen := map[fact]bool{}
	events := []map[string]any{}
	for id, attempt := range f.attempts() {
		if seen[attempt.fact] {
			continue
		}
		seen[attempt.fact] = true
		event := map[string]any{"id": id + 1, "author_id": 5, "created_at": attempt.at.UTC().Format(time.RFC3339Nano)}
		if attempt.fact.comment {
			event["target_type"] = "Note"
			event["note"] = map[string]any{
				"id": attempt.fact.number, "body": fmt.Sprintf("/promote %d", attempt.fact.number), "author": map[string]any{"id": 5}, "system": false,
				"noteable_type": "MergeRequest", "noteable_iid": 7,
			}
		} else {
			event["push_data"] = map[string]any{"ref_type": "branch", "ref": "main", "commit_to": attempt.fact.head()}
		}
		events = append(events, event)
	}
	slices.Reverse(events)
	f.write(w, events)
}
