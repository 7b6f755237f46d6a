package argocd

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	defaultDeliveryTimeout = 10 * time.Minute
	stepRefreshWait        = 10 * time.Second
	longestRecheck         = time.Minute
)

// DefaultPatience is what Step uses when a Delivery brings none.
func DefaultPatience() Patience {
	return Patience{Stable: 5 * time.Second, Degraded: time.Minute, AutoSync: 15 * time.Second}
}

// A Delivery is one promotion's commit on its way to one application. Its values other than functions are all there is to
// know: any process that has them can take the next step.
type Delivery struct {
	Ref         Ref              // required
	Revision    string           // required; the merged commit, in full
	RepoURL     string           // of which Revision is a commit; required if the application's sources have several repositories
	PromotionID string           // required; the same for every step of this delivery, never used for another
	Started     time.Time        // required
	Timeout     time.Duration    // from Started on; zero means 10 minutes
	Patience    *Patience        // nil means DefaultPatience
	Now         func() time.Time // nil means time.Now

	// Relate says what found, a commit that the application is at, means to wanted. With nil, every commit other than the
	// wanted one is Unrelated, so that a delivery to a branch which moves on in the meantime does not end before its time is up.
	Relate func(ctx context.Context, wanted, found string) (Relation, error)
}

// Step observes the application once, refreshes it if the observation is too old, asks for a sync if one is needed, and says
// where the delivery stands. A Waiting outcome says when to call Step again. It blocks for seconds at most, and may be called
// by any process, any number of times: a sync that an earlier step asked for is recognised, not repeated.
//
// An error means that Argo CD could not be asked; [Transient] tells whether asking again can help.
func (c *Client) Step(ctx context.Context, d Delivery) (Outcome, error) {
	if err := d.check(); err != nil {
		return Outcome{}, err
	}
	app, err := c.Application(ctx, d.Ref)
	if err != nil {
		return Outcome{}, err
	}
	outcome, err := d.judge(ctx, app, false)
	if err != nil {
		return Outcome{}, err
	}
	if outcome.NeedsRefresh {
		if app, err = c.refresh(ctx, d.Ref, false, min(c.refreshWait, stepRefreshWait)); err != nil {
			return Outcome{}, err
		}
		if outcome, err = d.judge(ctx, app, !app.RefreshPending()); err != nil {
			return Outcome{}, err
		}
	}
	if outcome.NeedsSync {
		if outcome, err = c.startSync(ctx, d, app, outcome); err != nil {
			return Outcome{}, err
		}
	}
	if outcome.State == Waiting && outcome.Recheck <= 0 {
		outcome.Recheck = d.recheck()
	}
	outcome.Recheck = min(outcome.Recheck, longestRecheck)
	return outcome, nil
}

func (d Delivery) check() error {
	switch {
	case d.Ref.Name == "" || d.Revision == "" || d.PromotionID == "":
		return errors.New("argo cd: a delivery needs an application, a revision and a promotion's ID")
	case d.Started.IsZero():
		return errors.New("argo cd: a delivery needs to know when it was started")
	default:
		return nil
	}
}

func (d Delivery) judge(ctx context.Context, app Application, refreshed bool) (Outcome, error) {
	relations, err := d.relations(ctx, app)
	if err != nil {
		return Outcome{}, err
	}
	patience := DefaultPatience()
	if d.Patience != nil {
		patience = *d.Patience
	}
	return Judge(app, Wanted{
		Revision:    d.Revision,
		RepoURL:     d.RepoURL,
		PromotionID: d.PromotionID,
		Started:     d.Started,
		Now:         d.now(),
		Deadline:    d.deadline(),
		Refreshed:   refreshed,
		Relations:   relations,
		Patience:    patience,
	}), nil
}

// relations asks about every commit in sight once: those compared with, those of the operation, and the last deployed.
func (d Delivery) relations(ctx context.Context, app Application) (map[string]Relation, error) {
	if d.Relate == nil {
		return nil, nil
	}
	wanted := Wanted{RepoURL: d.RepoURL}
	positions, _ := wanted.positions(app)
	seen := [][]string{app.Sync.Revisions, app.Operation.Revisions}
	for _, deployment := range app.History {
		if atLeast(deployment.At, d.Started) {
			seen = append(seen, deployment.Revisions)
		}
	}
	relations := map[string]Relation{}
	for _, revisions := range seen {
		for _, position := range positions {
			if position >= len(revisions) {
				continue
			}
			found := revisions[position]
			if _, known := relations[found]; known || found == "" || found == d.Revision {
				continue
			}
			relation, err := d.Relate(ctx, d.Revision, found)
			if err != nil {
				return nil, fmt.Errorf("relate %s of %s to %s: %w", short(found), d.Ref, short(d.Revision), err)
			}
			relations[found] = relation
		}
	}
	return relations, nil
}

// startSync asks for the sync that outcome needs. What stands in its way for now is waited for.
func (c *Client) startSync(ctx context.Context, d Delivery, app Application, outcome Outcome) (Outcome, error) {
	request := SyncRequest{
		Ref:   d.Ref,
		Infos: map[string]string{InfoPromotion: d.PromotionID},
	}
	if !app.AutoSync {
		wanted := Wanted{RepoURL: d.RepoURL}
		positions, _ := wanted.positions(app)
		request.pin(d.Revision, positions, app.MultiSource)
	}
	err := c.Sync(ctx, request)
	outcome.NeedsSync = false
	switch {
	case errors.Is(err, ErrBusy):
		outcome.Reason = "another operation has to end first"
	case errors.Is(err, ErrSyncWindow):
		outcome.Reason = "a sync window of the project forbids syncing now"
		outcome.Recheck = longestRecheck
	case err != nil:
		return Outcome{}, err
	default:
		outcome.Reason = fmt.Sprintf("a sync to %s was asked for", short(d.Revision))
	}
	return outcome, nil
}

func (r *SyncRequest) pin(revision string, positions []int, multiSource bool) {
	if !multiSource {
		r.Revision = revision
		return
	}
	r.Revisions = map[int]string{}
	for _, position := range positions {
		r.Revisions[position] = revision
	}
}

func (d Delivery) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}

func (d Delivery) deadline() time.Time {
	timeout := d.Timeout
	if timeout <= 0 {
		timeout = defaultDeliveryTimeout
	}
	return d.Started.Add(timeout)
}

// recheck is short while most deliveries end, and long for those that take their time.
func (d Delivery) recheck() time.Duration {
	switch age := d.now().Sub(d.Started); {
	case age < 30*time.Second:
		return 2 * time.Second
	case age < 2*time.Minute:
		return 5 * time.Second
	default:
		return 15 * time.Second
	}
}
