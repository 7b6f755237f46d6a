package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	// unreadRounds and unreadFor are how often and for how long a delivery cannot be read until the others do not wait for it any more:
	// longer than what ails GitHub now and then.
	unreadRounds = 5
	unreadFor    = time.Hour
	// keptFor is how long GitHub keeps deliveries.
	keptFor = 3 * 24 * time.Hour
	// maxUnread is how many that cannot be read end a round: then it is GitHub that has a problem, not one delivery.
	maxUnread = 20
)

// An unread is a delivery that GitHub lists and does not give out.
type unread struct {
	delivery lostDelivery
	rounds   int // in a row
	since    time.Time
	skipped  bool // nothing waits for it
}

// unreads are those of a repository, by delivery. They are forgotten with the process.
type unreads map[string]*unread

func (d lostDelivery) key() string { return cmp.Or(forge.Clip(d.GUID), fmt.Sprint(d.ID)) }

// aboutOne says whether a failure to read a delivery may be a matter of that one: what a limit, the credentials or the network are to
// blame for is not.
func aboutOne(ctx context.Context, err error) bool {
	api, ok := errors.AsType[*promote.APIError](err)
	if !ok || ctx.Err() != nil || errors.Is(err, promote.ErrLimited) {
		return false
	}
	return api.Status != 0 && api.Status != http.StatusUnauthorized && api.Status != http.StatusForbidden
}

// behind puts the skipped ones behind those that were lost now, also such as are not listed any more: what becomes readable again is
// not too late.
func (u unreads) behind(lost []lostDelivery, now time.Time) []lostDelivery {
	var first, older []lostDelivery
	for _, d := range lost {
		if one := u[d.key()]; one == nil || !one.skipped {
			first = append(first, d)
		}
	}
	for key, one := range u {
		switch {
		case now.Sub(one.delivery.DeliveredAt.Time) > keptFor:
			delete(u, key)
		case one.skipped:
			older = append(older, one.delivery)
		}
	}
	slices.SortFunc(older, func(a, b lostDelivery) int { return a.DeliveredAt.Compare(b.DeliveredAt.Time) })
	return append(first, older...)
}

// fail notes that a delivery could not be read in a round. blocks says that the round has to be repeated for it; news that this is the
// round after which it has not.
func (u unreads) fail(d lostDelivery, now time.Time) (blocks, news bool) {
	one := u[d.key()]
	if one == nil {
		if len(u) >= maxRemembered {
			clear(u)
		}
		one = &unread{delivery: d, since: now}
		u[d.key()] = one
	}
	one.rounds++
	if !one.skipped && one.rounds >= unreadRounds && now.Sub(one.since) >= unreadFor {
		one.skipped, news = true, true
	}
	return !one.skipped, news
}
