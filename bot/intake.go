package bot

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

func (b *Bot) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, hook := range b.Hooks {
		mux.Handle("POST /webhook/"+hook.Forge, b.intake(b.forge(hook)))
	}
	for _, hook := range b.Registries {
		mux.Handle("POST "+hook.pattern(), b.intake(b.registry(hook)))
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := b.queue.ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready\n")
	})
	mux.HandleFunc("GET /metrics", b.scrape)
	return mux
}

// scrape serves the metrics, those of the queue as they are now.
func (b *Bot) scrape(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	counts, err := b.queue.store.counts(ctx)
	if err != nil {
		b.Log.ErrorContext(ctx, "count events", "error", err)
	}
	for _, repository := range b.Repositories {
		b.Metrics.waiting(repository.Name, counts[repository.Name], err == nil)
	}
	b.Metrics.Handler().ServeHTTP(w, r)
}

// answer is what a delivery gets, and what the log says about it.
type answer struct {
	status int
	text   string
}

// The answers. Forges count anything but 2xx against the endpoint and switch it off in the end, so only what is not
// authentic, or cannot be stored, is refused.
var (
	accepted      = answer{http.StatusAccepted, "accepted"}
	ignored       = answer{http.StatusAccepted, "ignored"}
	notUnderstood = answer{http.StatusAccepted, "not understood"}
	unknown       = answer{http.StatusAccepted, "no such repository is configured"}
	repeated      = answer{http.StatusOK, "this delivery was accepted before"}
	notRead       = answer{http.StatusBadRequest, "the body could not be read"}
	notAuthentic  = answer{http.StatusUnauthorized, "the delivery is not authentic: check that the webhook's secret is the server's, and that it sends application/json, no form"}
	tooSlow       = answer{http.StatusRequestTimeout, "the body took too long"}
	tooLarge      = answer{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", maxBody)}
	broken        = answer{http.StatusInternalServerError, "internal error"}
	notStored     = answer{http.StatusServiceUnavailable, "the event could not be stored: send it again"}
	busy          = answer{http.StatusServiceUnavailable, "too many large deliveries at once: send it again"}
)

// sender is one endpoint's kind of sender.
type sender struct {
	name    string // for logs and metrics
	verify  func(r *http.Request, body []byte) error
	receive func(ctx context.Context, header http.Header, body []byte) answer // stores what an authentic delivery says
}

// forge takes the webhooks of a forge.
func (b *Bot) forge(hook Hook) sender {
	return sender{
		name:   hook.Forge,
		verify: func(r *http.Request, body []byte) error { return hook.Verify(r.Header, body, b.Now()) },
		receive: func(ctx context.Context, header http.Header, body []byte) answer {
			return b.receive(ctx, header, body, hook)
		},
	}
}

// intake stores a delivery and answers.
func (b *Bot) intake(from sender) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := b.contain(r.Context(), w, r, from)
		b.Metrics.received(from.name, got.status)
		if got.status >= http.StatusBadRequest {
			b.Log.WarnContext(r.Context(), "webhook refused", "forge", from.name, "status", got.status, "reason", got.text)
			http.Error(w, got.text, got.status)
			return
		}
		w.WriteHeader(got.status)
		_, _ = io.WriteString(w, got.text+"\n")
	})
}

// contain is the border at which a panic of a hook ends. After the delivery was found authentic it is answered like one that
// is not understood: sending it again would not help.
func (b *Bot) contain(ctx context.Context, w http.ResponseWriter, r *http.Request, from sender) (got answer) {
	authentic := false
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		b.Log.ErrorContext(ctx, "panic in webhook", "forge", from.name, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		got = broken
		if authentic {
			got = notUnderstood
		}
	}()
	body, done, err := b.bodies.read(w, r)
	defer done()
	if err != nil {
		return refusal(err)
	}
	if err := from.verify(r, body); err != nil {
		b.Log.InfoContext(ctx, "webhook is not authentic", "forge", from.name, "error", err)
		return notAuthentic
	}
	authentic = true
	// It goes on when the sender hangs up: some do, and never send again.
	return from.receive(context.WithoutCancel(ctx), r.Header, body)
}

// refusal is the answer to a body that could not be read.
func refusal(err error) answer {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return tooSlow
	case errors.Is(err, errBusy):
		return busy
	}
	return notRead
}

// receive stores the event of an authentic delivery for each repository that it is about.
func (b *Bot) receive(ctx context.Context, header http.Header, body []byte, hook Hook) answer {
	event, err := hook.Parse(header, body)
	switch {
	case errors.Is(err, ErrIgnored):
		return ignored
	case err != nil:
		b.Log.WarnContext(ctx, "webhook not understood", "forge", hook.Forge, "error", err)
		return notUnderstood
	}
	sum := digest(body)
	event.Delivery = cmp.Or(event.Delivery, sum)
	project := hook.Project(body)
	got := unknown
	for _, repository := range b.Repositories {
		told, ok := repository.told(hook.Forge, project, event)
		if !ok {
			continue
		}
		if got = b.keep(ctx, arrival{repository: repository.Name, event: told, body: sum}, got); got == notStored {
			return got
		}
	}
	if got == unknown {
		b.Metrics.unrouted(hook.Forge)
		b.Log.DebugContext(ctx, "webhook about a repository that is not configured", "forge", hook.Forge, "project", clip(project))
	}
	return got
}

// told is what an event of a forge says to a repository; ok is false when that is nothing. It is about its project, or about
// something that a warehouse of any repository may watch: an artifact, or another repository that people pushed to.
func (r Repository) told(forge, project string, event promote.Event) (told promote.Event, ok bool) {
	switch {
	case event.Kind == promote.EventArtifact:
		return event, true
	case (r.Forge == "" || r.Forge == forge) && sameProject(r.Project, project):
		return event, true
	case event.Kind == promote.EventPush && event.Source != "" && !promote.IsProposalBranch(event.Branch):
		return promote.Event{Kind: promote.EventArtifact, Delivery: event.Delivery, Image: event.Source}, true
	}
	return promote.Event{}, false
}

// keep stores an event for one repository; before is the answer so far.
func (b *Bot) keep(ctx context.Context, came arrival, before answer) answer {
	added, err := b.queue.add(ctx, came)
	repository, event := came.repository, came.event
	if err != nil {
		b.Log.ErrorContext(ctx, "store event", "repository", repository, "delivery", event.Delivery, "error", err)
		return notStored
	}
	b.Log.InfoContext(ctx, "webhook", "repository", repository, "event", event.Kind.String(), "delivery", event.Delivery, "new", added)
	if added || before == accepted {
		return accepted
	}
	return repeated
}

// sameProject compares names as forges do, which never have two that differ in case only.
func sameProject(configured, said string) bool {
	return said != "" && strings.EqualFold(strings.Trim(configured, "/"), strings.Trim(said, "/"))
}

// clip keeps a text that somebody sent from filling the log.
func clip(text string) string {
	if len(text) > 200 {
		return strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}

// digest stands for the delivery's ID where the forge gave none.
func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}
