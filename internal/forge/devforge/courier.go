package devforge

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	hookTimeout  = 10 * time.Second
	maxQueue     = 1000 // per hook; the oldest gives way
	maxLog       = 1000
	maxHookReply = 8 << 10 // GitLab keeps no more of an answer
)

// Delivery is one webhook that was sent, or tried.
type Delivery struct {
	ID     int
	HookID int
	Event  HookEvent
	URL    string
	Header http.Header // as sent
	Body   []byte
	Status int   // zero when there was no answer
	Err    error // why there was none
	At     time.Time
	Again  bool // it was asked for
}

// parcel is a webhook on its way.
type parcel struct {
	hook Hook
	id   int // of the hook
	Delivery
	fault FaultKind
}

// courier delivers webhooks: one at a time and in order for each hook, hooks side by side, without retry. It has its own lock,
// because a receiver may call the forge while it is being called.
type courier struct {
	logger  *slog.Logger
	done    func(hookID int, ok bool)
	client  *http.Client
	ctx     context.Context //nolint:containedctx // the life of the courier, not of a call
	cancel  context.CancelFunc
	workers sync.WaitGroup

	mu      sync.Mutex
	quiet   *sync.Cond // signalled when pending falls to zero
	queues  map[int][]parcel
	running map[int]bool
	held    []parcel // late ones: they follow the next delivery
	pending int
	last    int
	sent    []parcel
}

func newCourier(log *slog.Logger, done func(hookID int, ok bool)) *courier {
	ctx, cancel := context.WithCancel(context.Background())
	c := &courier{
		logger: log, done: done, ctx: ctx, cancel: cancel, queues: map[int][]parcel{}, running: map[int]bool{},
		client: &http.Client{
			Timeout:       hookTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	c.quiet = sync.NewCond(&c.mu)
	return c
}

func (c *courier) close() {
	c.cancel()
	c.workers.Wait()
}

// send queues a parcel. A late one waits until another has been queued behind it, or until flush.
func (c *courier) send(p parcel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	p.ID = c.last
	switch p.fault.hook {
	case hookLate:
		c.held = append(c.held, p)
		c.pending++
		return
	case hookLost:
		return
	case hookTwice:
		c.enqueue(p)
	case hookPlain:
	}
	c.enqueue(p)
	c.release()
}

func (c *courier) release() {
	for _, late := range c.held {
		c.pending--
		c.enqueue(late)
	}
	c.held = nil
}

func (c *courier) enqueue(p parcel) {
	queue := append(c.queues[p.id], p)
	c.pending++
	if len(queue) > maxQueue {
		c.logger.Warn("webhook dropped: the queue is full", "hook", p.id)
		queue = queue[1:]
		c.pending--
	}
	c.queues[p.id] = queue
	if !c.running[p.id] && c.ctx.Err() == nil {
		c.running[p.id] = true
		c.workers.Go(func() { c.work(p.id) })
	}
}

func (c *courier) work(hook int) {
	for {
		c.mu.Lock()
		if len(c.queues[hook]) == 0 || c.ctx.Err() != nil {
			delete(c.running, hook)
			c.pending -= len(c.queues[hook])
			delete(c.queues, hook)
			c.quiet.Broadcast()
			c.mu.Unlock()
			return
		}
		next := c.queues[hook][0]
		c.queues[hook] = c.queues[hook][1:]
		c.mu.Unlock()

		next.Status, next.Err = c.deliver(next)
		ok := next.Err == nil && next.Status >= 200 && next.Status < 400
		c.done(next.id, ok)
		if !ok {
			c.logger.Warn("webhook", "hook", next.id, "event", next.Event, "status", next.Status, "error", next.Err)
		}
		c.mu.Lock()
		c.sent = append(c.sent, next)
		c.sent = c.sent[max(0, len(c.sent)-maxLog):]
		c.pending--
		c.quiet.Broadcast()
		c.mu.Unlock()
	}
}

func (c *courier) deliver(p parcel) (int, error) {
	request, err := http.NewRequestWithContext(c.ctx, http.MethodPost, p.URL, bytes.NewReader(p.Body))
	if err != nil {
		return 0, err
	}
	request.Header = p.Header.Clone()
	answer, err := c.client.Do(request)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, maxHookReply))
	return answer.StatusCode, errors.Join(err, answer.Body.Close())
}

// flush waits until nothing is queued or under way.
func (c *courier) flush(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.quiet.Broadcast()
	})
	defer stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.release()
	for c.pending > 0 && ctx.Err() == nil && c.ctx.Err() == nil {
		c.quiet.Wait()
	}
	return ctx.Err()
}

func (c *courier) log() []Delivery {
	c.mu.Lock()
	defer c.mu.Unlock()
	log := make([]Delivery, 0, len(c.sent))
	for _, p := range c.sent {
		log = append(log, p.Delivery)
	}
	return log
}

// resend repeats a delivery with the same body and the same Idempotency-Key.
func (c *courier) resend(id int, at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.sent, func(p parcel) bool { return p.ID == id })
	if i < 0 {
		return fmt.Errorf("delivery %d: %w", id, ErrNotFound)
	}
	again := c.sent[i]
	c.last++
	again.ID, again.Status, again.Err, again.At, again.Again = c.last, 0, nil, at, true
	again.Header = again.Header.Clone()
	if err := sign(again.Header, again.hook.SigningToken, again.Body, at); err != nil {
		return err
	}
	c.enqueue(again)
	return nil
}

// sign adds the headers of Standard Webhooks, whose id is the Idempotency-Key.
func sign(header http.Header, token string, body []byte, now time.Time) error {
	if token == "" {
		return nil
	}
	key, err := signingKey(token)
	if err != nil {
		return err
	}
	id, at := header.Get("Idempotency-Key"), strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + at + ".")) // a hash takes everything
	mac.Write(body)
	header.Set("Webhook-Id", id)
	header.Set("Webhook-Timestamp", at)
	header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}

// Flush waits until every webhook so far has been delivered, or ctx ends. Held back ones are let go first.
func (f *Forge) Flush(ctx context.Context) error { return f.hooks.flush(ctx) }

// Deliveries returns the last webhooks sent, oldest first.
func (f *Forge) Deliveries() []Delivery { return f.hooks.log() }

// Redeliver sends a webhook again, with the same Idempotency-Key. [ErrNotFound] when it is not among [Forge.Deliveries].
func (f *Forge) Redeliver(id int) error { return f.hooks.resend(id, f.now()) }

// The auto-disabling of GitLab (doc/user/project/integrations/webhooks.md): after 4 failures in a row for a minute, doubling up to a day.
const (
	toleratedFailures = 3
	firstBackoff      = time.Minute
	longestBackoff    = 24 * time.Hour
)

func (f *Forge) delivered(hookID int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.tables.Projects {
		h := p.hook(hookID)
		if h == nil {
			continue
		}
		if ok {
			h.Failures, h.DisabledUntil = 0, time.Time{}
			return
		}
		h.Failures++
		if over := h.Failures - toleratedFailures; over > 0 && !f.config.KeepFailingHooks {
			h.DisabledUntil = f.now().Add(min(firstBackoff<<min(over-1, 20), longestBackoff))
		}
	}
}

// post hands one event to all hooks of a project that want it.
func (f *Forge) post(p *project, event HookEvent, body []byte) error {
	uuid := newUUID()
	for _, h := range p.Hooks {
		if !slices.Contains(h.Events, event) || f.now().Before(h.DisabledUntil) {
			continue
		}
		header := http.Header{}
		for name, value := range map[string]string{
			"Content-Type":          "application/json",
			"User-Agent":            "GitLab/" + version,
			"X-Gitlab-Event":        event.header(),
			"X-Gitlab-Event-Uuid":   uuid,
			"X-Gitlab-Webhook-Uuid": newUUID(),
			"X-Gitlab-Instance":     f.url,
			"Idempotency-Key":       newUUID(),
		} {
			header.Set(name, value)
		}
		if h.Token != "" {
			header.Set("X-Gitlab-Token", strings.NewReplacer("\r", "", "\n", "").Replace(h.Token))
		}
		if err := sign(header, h.SigningToken, body, f.now()); err != nil {
			return err
		}
		packed := parcel{hook: h.Hook, id: h.ID, Delivery: Delivery{HookID: h.ID, Event: event, URL: h.URL, Header: header, Body: body, At: f.now()}}
		packed.fault = f.hookFault(packed)
		f.hooks.send(packed)
	}
	return nil
}
