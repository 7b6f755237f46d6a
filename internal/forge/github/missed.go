package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	// webhookPath is where Lockkeeper takes webhooks of GitHub.
	webhookPath = "/webhook/github"
	// maxReread bounds how many deliveries are read once more. Comments, buttons and merge queues come first: what the others
	// said is seen by looking at the repository.
	maxReread = 300
)

// Missed returns the events of the webhooks that GitHub sent since then and that nobody took, oldest first, with the Delivery that
// they had or will have when they are sent again. GitHub keeps deliveries for three days.
//
// Beside an error there are the events of those deliveries that could be read. One that GitHub lists and does not give out is asked for
// again and again for an hour, with an error each time; then the others do not wait for it any more, which is logged.
//
// The deliveries of an App are those of its own webhook; with a token, those of the repository's webhooks that lead to Lockkeeper. The
// error wraps promote.ErrForbidden or promote.ErrNotFound when the credentials may not read them, and says what to grant, or when no
// webhook leads here.
func (f *Forge) Missed(ctx context.Context, since time.Time) ([]promote.Event, error) {
	if f.app != nil {
		return f.missedByApp(ctx, since)
	}
	hooks, err := f.hooks(ctx)
	if err != nil {
		return nil, err
	}
	var lost []lostDelivery
	for _, id := range hooks {
		log := deliveryLog{f.caller, fmt.Sprintf("%s/hooks/%d/deliveries", f.base, id)}
		sent, err := log.since(ctx, since)
		if err != nil {
			return nil, forbidden(err)
		}
		lost = append(lost, log.lost(sent)...)
	}
	return f.reread(ctx, lost)
}

func (f *Forge) missedByApp(ctx context.Context, since time.Time) ([]promote.Event, error) {
	id, err := f.repositoryID(ctx)
	if err != nil {
		return nil, err
	}
	sent, err := f.app.sentSince(ctx, since)
	if api, ok := errors.AsType[*promote.APIError](err); ok && api.Status == http.StatusNotFound {
		api.Remedy = "the App has no webhook: make it active in the App's settings"
	}
	if err != nil {
		return nil, err
	}
	own := slices.DeleteFunc(slices.Clone(sent), func(d sentDelivery) bool { return d.RepositoryID != id })
	return f.reread(ctx, f.app.deliveries().lost(own))
}

// reread reads what deliveries said. One that GitHub has forgotten in the meantime, that is about another repository or of no
// interest, is left out.
func (f *Forge) reread(ctx context.Context, lost []lostDelivery) ([]promote.Event, error) {
	if left := len(lost) - maxReread; left > 0 {
		slices.SortStableFunc(lost, func(a, b lostDelivery) int {
			return cmp.Or(cmp.Compare(a.rank(), b.rank()), b.DeliveredAt.Compare(a.DeliveredAt.Time))
		})
		lost = lost[:maxReread]
		f.wire.Logger.WarnContext(ctx, "github: more webhooks were missed than are read once more", "repository", f.owner+"/"+f.name, "left", left)
	}
	slices.SortStableFunc(lost, func(a, b lostDelivery) int { return a.DeliveredAt.Compare(b.DeliveredAt.Time) })
	f.rereading.Lock()
	defer f.rereading.Unlock()
	var events []promote.Event
	var failure error
	failed := 0
	for _, d := range f.unread.behind(lost, f.now()) {
		event, ok, err := f.rereadOne(ctx, d)
		switch {
		case err == nil:
			delete(f.unread, d.key())
			if ok {
				events = append(events, event)
			}
			continue
		case !aboutOne(ctx, err):
			return events, err
		}
		if blocking := f.notRead(ctx, d, err); blocking != nil {
			failure = blocking
		}
		if failed++; failed == maxUnread {
			break
		}
	}
	return events, failure
}

// notRead notes that a delivery could not be read, and returns the error while that is a reason to try again.
func (f *Forge) notRead(ctx context.Context, d lostDelivery, failure error) error {
	blocks, news := f.unread.fail(d, f.now())
	if news {
		f.wire.Logger.WarnContext(ctx, "github: a missed webhook cannot be read, and nothing waits for it any more",
			"repository", f.owner+"/"+f.name, "delivery", forge.Clip(d.GUID), "id", d.ID, "event", forge.Clip(d.Event), "error", failure)
	}
	if blocks {
		return failure
	}
	return nil
}

// rereadOne reads what one delivery said; ok is false when that is nothing for us.
func (f *Forge) rereadOne(ctx context.Context, d lostDelivery) (event promote.Event, ok bool, err error) {
	header, body, err := d.log.read(ctx, d.ID)
	switch {
	case errors.Is(err, promote.ErrNotFound):
		return promote.Event{}, false, nil
	case err != nil:
		return promote.Event{}, false, err
	case !strings.EqualFold(ProjectOf(body), f.owner+"/"+f.name):
		return promote.Event{}, false, nil
	}
	event, err = ParseWebhook(header, body)
	if err != nil {
		f.wire.Logger.DebugContext(ctx, "github: a missed webhook says nothing", "delivery", forge.Clip(d.GUID), "error", err)
		return promote.Event{}, false, nil
	}
	event.Delivery = cmp.Or(forge.Clip(d.GUID), event.Delivery)
	return event, true, nil
}

// hooks are the repository's webhooks that lead to Lockkeeper.
func (f *Forge) hooks(ctx context.Context) ([]int64, error) {
	found, err := list[struct {
		ID     int64 `json:"id"`
		Config struct {
			URL string `json:"url"`
		} `json:"config"`
	}](ctx, f.caller, request{name: "list webhooks", path: f.base + "/hooks"})
	if err != nil {
		return nil, forbidden(err)
	}
	var ours []int64
	for _, hook := range found {
		if f.leadsHere(hook.Config.URL) {
			ours = append(ours, hook.ID)
		}
	}
	if len(ours) == 0 {
		return nil, &promote.APIError{
			Service: service, Operation: "list webhooks", Status: http.StatusNotFound,
			Message: fmt.Sprintf("none of the %d webhooks of repository %q leads to Lockkeeper", len(found), f.owner+"/"+f.name),
			Remedy:  "add one whose URL ends with " + webhookPath + ": what webhooks of an organization did not bring cannot be asked for",
		}
	}
	return ours, nil
}

// leadsHere reports whether a webhook's URL is that of Lockkeeper: the configured one, or any that ends like it.
func (f *Forge) leadsHere(text string) bool {
	given, err := url.Parse(text)
	if err != nil {
		return false
	}
	path := strings.TrimRight(given.Path, "/")
	if f.webhookURL == nil {
		return strings.HasSuffix(path, webhookPath)
	}
	return strings.EqualFold(given.Host, f.webhookURL.Host) && path == strings.TrimRight(f.webhookURL.Path, "/")
}

// repositoryID is the number by which an App's deliveries name the repository, asked once.
func (f *Forge) repositoryID(ctx context.Context) (int64, error) {
	f.mu.Lock()
	known := f.id
	f.mu.Unlock()
	if known != 0 {
		return known, nil
	}
	var found struct {
		ID int64 `json:"id"`
	}
	if _, err := f.get(ctx, request{name: "read repository", path: f.base}, &found); err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.id = found.ID
	return found.ID, nil
}

// forbidden says which permission is missing. GitHub answers 404 where it does not want to say that there is something.
func forbidden(err error) error {
	api, ok := errors.AsType[*promote.APIError](err)
	if ok && (api.Status == http.StatusForbidden && api.RetryAfter == 0 || api.Status == http.StatusNotFound) {
		api.Remedy = "the token may not read what webhooks sent: grant a fine-grained one the repository permission Webhooks (read), a classic one the scope read:repo_hook"
	}
	return err
}

// parseWebhookURL reads Config.WebhookURL; nil when it is not given.
func parseWebhookURL(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // None is configured, which is fine.
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || parsed.User != nil {
		return nil, fmt.Errorf("the webhook's URL is none: expected something like https://lockkeeper.example.com%s", webhookPath)
	}
	return parsed, nil
}
