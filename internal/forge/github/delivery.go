package github

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	maxDeliveryPages = 50
	// listingHolds is how long a listing of an App's deliveries serves all its repositories: they ask at about the same time.
	listingHolds = time.Minute
)

// A deliveryLog is what GitHub keeps of the deliveries of one webhook
// (https://docs.github.com/en/rest/repos/webhooks#list-deliveries-for-a-repository-webhook).
type deliveryLog struct {
	*caller
	path string // of the listing
}

// A sentDelivery is one attempt at a delivery.
type sentDelivery struct {
	ID           int64  `json:"id"`
	GUID         string `json:"guid"` // the same for every attempt
	DeliveredAt  moment `json:"delivered_at"`
	StatusCode   int    `json:"status_code"`
	Event        string `json:"event"`
	Action       string `json:"action"`
	RepositoryID int64  `json:"repository_id"`
}

func (d sentDelivery) taken() bool { return d.StatusCode >= 200 && d.StatusCode < 300 }

// interesting reports whether ParseWebhook would make an event of it, as far as that can be told without its body.
func (d sentDelivery) interesting() bool {
	switch d.Event {
	case "issue_comment", "pull_request_review_comment":
		return d.Action == "created"
	case "check_run":
		return d.Action != "created"
	case "check_suite":
		return d.Action != "requested"
	case "push", "pull_request", "pull_request_review", "pull_request_review_thread", "status", "merge_group", "package", "registry_package":
		return true
	}
	return false
}

// rank orders what is read first when there is much: what only the delivery tells.
func (d sentDelivery) rank() int {
	switch {
	case d.Event == "issue_comment", d.Event == "pull_request_review_comment", d.Event == "pull_request_review" && d.Action == "submitted",
		d.Event == "check_run" && d.Action == "requested_action":
		return 0
	case d.Event == "merge_group":
		return 1
	case d.Event == "push", d.Event == "pull_request":
		return 2
	}
	return 3
}

// A moment is a time that is zero where GitHub wrote something else.
type moment struct{ time.Time }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (m *moment) UnmarshalJSON(data []byte) error {
	m.Time = time.Time{}
	text, _ := strconv.Unquote(string(data)) // empty for null and whatever else is no time
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05 MST"} {
		if at, err := time.Parse(layout, text); err == nil {
			m.Time = at.UTC()
			return nil
		}
	}
	return nil
}

// since lists the attempts since a time, newest first, as far as they fit on a bounded number of pages.
func (l deliveryLog) since(ctx context.Context, since time.Time) ([]sentDelivery, error) {
	var all []sentDelivery
	query := url.Values{"per_page": {strconv.Itoa(perPage)}}
	for range maxDeliveryPages {
		var page []sentDelivery
		response, err := l.get(ctx, request{name: "list deliveries", path: l.path, query: query}, &page)
		if err != nil {
			return nil, err
		}
		for _, d := range page {
			if !d.DeliveredAt.IsZero() && d.DeliveredAt.Before(since) {
				return all, nil
			}
			all = append(all, d)
		}
		if response.Cursor == "" || len(page) == 0 || response.Cursor == query.Get("cursor") {
			return all, nil
		}
		query.Set("cursor", response.Cursor)
	}
	l.wire.Logger.WarnContext(ctx, "github: more webhooks were sent than are looked through", "deliveries", len(all), "since", since)
	return all, nil
}

// A lostDelivery is one of which no attempt was taken.
type lostDelivery struct {
	sentDelivery
	log deliveryLog
}

// lost picks the deliveries of which no attempt was taken, one attempt of each.
func (l deliveryLog) lost(sent []sentDelivery) []lostDelivery {
	done := map[string]bool{}
	for _, d := range sent {
		done[d.GUID] = done[d.GUID] || d.taken()
	}
	var lost []lostDelivery
	for _, d := range slices.Backward(sent) {
		if !done[d.GUID] && d.interesting() {
			done[d.GUID] = true
			lost = append(lost, lostDelivery{d, l})
		}
	}
	return lost
}

// read reads one attempt, as it was sent.
func (l deliveryLog) read(ctx context.Context, id int64) (http.Header, []byte, error) {
	var found struct {
		Request struct {
			Headers map[string]json.RawMessage `json:"headers"`
			Payload json.RawMessage            `json:"payload"`
		} `json:"request"`
	}
	if _, err := l.get(ctx, request{name: "read delivery", subject: strconv.FormatInt(id, 10), path: l.path + "/" + strconv.FormatInt(id, 10)}, &found); err != nil {
		return nil, nil, err
	}
	header := http.Header{}
	for name, raw := range found.Request.Headers {
		var value string
		if json.Unmarshal(raw, &value) == nil {
			header.Set(name, value)
		}
	}
	return header, found.Request.Payload, nil
}

// listing is what an App was told last of its deliveries. Its zero value is none.
type listing struct {
	mu    sync.Mutex
	since time.Time
	at    time.Time
	sent  []sentDelivery
}

// deliveries is the log of the App's own webhook.
func (a *App) deliveries() deliveryLog { return deliveryLog{a.caller, "app/hook/deliveries"} }

// sentSince lists the deliveries of all the App's repositories since a time at least. However many ask, GitHub is asked once.
func (a *App) sentSince(ctx context.Context, since time.Time) ([]sentDelivery, error) {
	a.listed.mu.Lock()
	defer a.listed.mu.Unlock()
	if now := a.now(); now.Sub(a.listed.at) > listingHolds || since.Before(a.listed.since) {
		from := since.Truncate(time.Hour) // What others are about to ask for is in it.
		sent, err := a.deliveries().since(ctx, from)
		if err != nil {
			return nil, err
		}
		a.listed.since, a.listed.at, a.listed.sent = from, now, sent
	}
	return a.listed.sent, nil
}
