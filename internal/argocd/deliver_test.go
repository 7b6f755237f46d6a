package argocd_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/argocd"
	"github.com/lockkeeper/lockkeeper/internal/argocd/devargo"
	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
)

const (
	syncCall    = "POST /api/v1/applications/dev/sync"
	refreshCall = "GET /api/v1/applications/dev?refresh"
)

func delivery() argocd.Delivery {
	return argocd.Delivery{Ref: ref, Revision: wanted, RepoURL: repo, PromotionID: "p1"}
}

func TestDeliver(t *testing.T) {
	check := contracttest.Guard(t, contract.ArgoCD)
	later := func(after time.Duration, do func()) { time.AfterFunc(after, do) }
	for _, test := range []struct {
		name   string
		app    devargo.App
		act    func(t *testing.T, b *bed)
		change func(*argocd.Delivery)
		state  argocd.State
		reason string
		syncs  int      // asked for
		synced []string // applied
		err    error
	}{
		{
			name: "without automated sync, the merged commit is synced",
			act:  func(_ *testing.T, b *bed) { b.push(wanted) }, state: argocd.Done,
			reason: "synced to 11111111 and Healthy", syncs: 1, synced: []string{wanted},
		},
		{
			name: "with automated sync, a refresh is enough",
			app:  devargo.App{AutoSync: true},
			act:  func(_ *testing.T, b *bed) { b.push(wanted) }, state: argocd.Done, synced: []string{wanted},
		},
		{
			name: "automated sync that does not begin is helped, once, without a revision",
			app:  devargo.App{AutoSync: true},
			act:  func(t *testing.T, b *bed) { b.push(wanted); b.fail(t, devargo.NoAutoSync()) }, state: argocd.Done,
			syncs: 1, synced: []string{wanted},
		},
		{
			name: "a commit that Argo CD sees late is waited for",
			act: func(_ *testing.T, b *bed) {
				later(40*time.Second, func() { b.push(wanted) })
			}, state: argocd.Done, syncs: 1, synced: []string{wanted},
		},
		{
			name: "of several sources, only the one with the commit is pinned",
			app: devargo.App{Sources: []devargo.Source{
				{RepoURL: "https://git.example.com/other", TargetRevision: older}, {RepoURL: repo, TargetRevision: "main"},
			}},
			act: func(_ *testing.T, b *bed) { b.push(wanted) }, state: argocd.Done, syncs: 1, synced: []string{older + "," + wanted},
		},
		{
			name:  "a failed sync ends the delivery",
			act:   func(t *testing.T, b *bed) { b.push(wanted); b.fail(t, devargo.FailSync("admission webhook says no")) },
			state: argocd.Failed, reason: "the sync ended as Failed: admission webhook says no", syncs: 1,
		},
		{
			name:  "a failed automated sync ends it too",
			app:   devargo.App{AutoSync: true},
			act:   func(t *testing.T, b *bed) { b.push(wanted); b.fail(t, devargo.FailSync("no")) },
			state: argocd.Failed, reason: "the sync ended as Failed: no",
		},
		{
			name: "degraded for longer than the patience fails",
			act: func(t *testing.T, b *bed) {
				b.push(wanted)
				b.fail(t, devargo.Degraded("back-off restarting container"))
			},
			state: argocd.Failed, reason: "Degraded: back-off restarting container", syncs: 1, synced: []string{wanted},
		},
		{
			name:  "a rollout that gets stuck runs out of time",
			act:   func(t *testing.T, b *bed) { b.push(wanted); b.fail(t, devargo.Stuck()) },
			state: argocd.Failed, reason: "not delivered in time: synced to 11111111 and Progressing", syncs: 1, synced: []string{wanted},
		},
		{
			name: "a comparison error fails at once",
			act: func(t *testing.T, b *bed) {
				b.push(wanted)
				b.fail(t, devargo.ComparisonError("kustomization.yaml: no such file"))
			},
			state: argocd.Failed, reason: "ComparisonError: kustomization.yaml: no such file",
		},
		{
			name: "a paused rollout is accepted on request",
			act:  func(t *testing.T, b *bed) { b.push(wanted); b.fail(t, devargo.Suspended()) },
			change: func(d *argocd.Delivery) {
				d.Patience = &argocd.Patience{AcceptSuspended: true}
			}, state: argocd.Done, reason: "Suspended", syncs: 1, synced: []string{wanted},
		},
		{
			name: "a sync window is waited out",
			act: func(t *testing.T, b *bed) {
				b.push(wanted)
				b.fail(t, devargo.SyncWindow())
				later(90*time.Second, func() { b.argo.Heal(ref) })
			}, state: argocd.Done, syncs: 3, synced: []string{wanted},
		},
		{
			name:   "a sync window that outlasts the delivery is named",
			act:    func(t *testing.T, b *bed) { b.push(wanted); b.fail(t, devargo.SyncWindow()) },
			change: func(d *argocd.Delivery) { d.Timeout = 3 * time.Minute },
			state:  argocd.Failed, reason: "a sync window", syncs: 3,
		},
		{
			name: "somebody else's operation is let end",
			act: func(t *testing.T, b *bed) {
				b.push(wanted)
				if err := b.client.Sync(t.Context(), argocd.SyncRequest{Ref: ref, Revision: older}); err != nil {
					t.Fatal(err)
				}
			}, state: argocd.Done, syncs: 2, synced: []string{older, wanted},
		},
		{
			name:   "a newer commit that changes the application supersedes",
			act:    func(_ *testing.T, b *bed) { b.push(newer) },
			change: func(d *argocd.Delivery) { d.Relate = relate(argocd.Overtakes) },
			state:  argocd.Superseded, reason: "gone on from 11111111 to 22222222",
		},
		{
			name:   "a newer commit that leaves the application alone is as good",
			app:    devargo.App{AutoSync: true},
			act:    func(_ *testing.T, b *bed) { b.push(newer) },
			change: func(d *argocd.Delivery) { d.Relate = relate(argocd.Carries) },
			state:  argocd.Done, synced: []string{newer},
		},
		{
			name: "a commit that never comes runs out of time and says what is there instead",
			act:  func(*testing.T, *bed) {}, state: argocd.Failed,
			reason: "not delivered in time: Argo CD compares with 00000000 and has not seen 11111111 on main",
		},
		{
			name: "a controller that is down for a while",
			act: func(t *testing.T, b *bed) {
				b.push(wanted)
				b.fail(t, devargo.ControllerDown())
				later(3*time.Minute, func() { b.argo.Heal(ref) })
			}, state: argocd.Done, syncs: 1, synced: []string{wanted},
		},
		{
			name: "an old comparison error says nothing while the controller is down",
			act: func(t *testing.T, b *bed) {
				b.fail(t, devargo.ComparisonError("what this promotion repairs"))
				if _, err := b.client.Refresh(t.Context(), ref, false); err != nil {
					t.Fatal(err)
				}
				b.argo.Heal(ref)
				b.fail(t, devargo.ControllerDown())
				<-time.After(time.Minute)
				b.push(wanted)
				later(3*time.Minute, func() { b.argo.Heal(ref) })
			}, state: argocd.Done, syncs: 1, synced: []string{wanted},
		},
		{
			name: "a proxy that answers 502 for a while",
			act:  func(t *testing.T, b *bed) { b.push(wanted); b.fail(t, devargo.Status(502).Times(3)) }, state: argocd.Done,
			syncs: 1, synced: []string{wanted},
		},
		{
			name: "a server that does not answer for a while",
			act:  func(t *testing.T, b *bed) { b.push(wanted); b.fail(t, devargo.Hang().Times(2)) }, state: argocd.Done,
			syncs: 1, synced: []string{wanted},
		},
		{
			name: "a missing permission ends it with an error",
			act:  func(t *testing.T, b *bed) { b.push(wanted); b.fail(t, devargo.Forbid("sync")) },
			err:  argocd.ErrForbidden, syncs: 1,
		},
		{
			name: "a missing application ends it with an error",
			act:  func(_ *testing.T, b *bed) { b.argo.Remove(ref) }, err: argocd.ErrNotFound,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := guardedBed(t, check, 2, 10*time.Second)
			synctest.Test(t, func(t *testing.T) {
				b.put(t, test.app)
				<-time.After(time.Hour) // what is there has been there for long
				test.act(t, b)
				d := delivery()
				if test.change != nil {
					test.change(&d)
				}
				outcome, err := deliver(t, b.client, d)
				if !errors.Is(err, test.err) || err == nil != (test.err == nil) {
					t.Fatalf("Deliver: %+v, %v, want error %v", outcome, err, test.err)
				}
				if outcome.State != test.state || !strings.Contains(outcome.Reason, test.reason) {
					t.Errorf("Deliver: %v, %q, want %v with %q", outcome.State, outcome.Reason, test.state, test.reason)
				}
				if got := b.count(syncCall); got != test.syncs {
					t.Errorf("%d syncs were asked for, want %d", got, test.syncs)
				}
				if diff := gocmp.Diff(test.synced, b.synced); diff != "" {
					t.Errorf("applied (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// deliver repeats Step as the bot does: after what Argo CD says, and after errors that are transient until the time is up.
func deliver(t *testing.T, client *argocd.Client, d argocd.Delivery) (argocd.Outcome, error) {
	t.Helper()
	d.Started = time.Now()
	d.Timeout = cmp.Or(d.Timeout, 10*time.Minute)
	for {
		outcome, err := client.Step(t.Context(), d)
		switch {
		case err != nil && (!argocd.Transient(err) || time.Since(d.Started) >= d.Timeout):
			return outcome, err
		case err != nil:
			outcome.Recheck = 2 * time.Second
		case outcome.State != argocd.Waiting:
			return outcome, nil
		}
		<-time.After(outcome.Recheck)
	}
}

func relate(of argocd.Relation) func(context.Context, string, string) (argocd.Relation, error) {
	return func(_ context.Context, _, found string) (argocd.Relation, error) {
		if found == newer {
			return of, nil
		}
		return argocd.Unrelated, nil
	}
}

func TestStepIsTakenUpByAnotherProcess(t *testing.T) {
	b := newBed(t, 3, 0)
	synctest.Test(t, func(t *testing.T) {
		b.put(t, devargo.App{})
		b.push(wanted)
		d := delivery()
		d.Started = time.Now()
		var reasons []string
		for range 50 {
			// A client of its own each time: nothing is remembered between steps.
			client := b.dial(t, b.argo)
			outcome, err := client.Step(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(reasons, outcome.Reason) {
				reasons = append(reasons, outcome.Reason)
			}
			if outcome.State != argocd.Waiting {
				break
			}
			if outcome.Recheck <= 0 || outcome.Recheck > time.Minute {
				t.Fatalf("Recheck is %v after %q", outcome.Recheck, outcome.Reason)
			}
			<-time.After(outcome.Recheck)
		}
		want := []string{
			"a sync to 11111111 was asked for",
			"the sync of this promotion is running: waiting for healthy state of the last applied objects",
			"synced to 11111111 and Progressing: waiting for the rollout to finish: 0 of 1 updated replicas are available",
			"synced to 11111111 and Healthy; it has to stay so for another 5s",
			"synced to 11111111 and Healthy",
		}
		if diff := gocmp.Diff(want, reasons); diff != "" {
			t.Errorf("reasons (-want +got):\n%s", diff)
		}
		if got := b.count(syncCall); got != 1 {
			t.Errorf("%d syncs were asked for, want 1", got)
		}
	})
}

func TestStepAfterALostAnswerDoesNotSyncAgain(t *testing.T) {
	b := newBed(t, 3, 0)
	synctest.Test(t, func(t *testing.T) {
		b.put(t, devargo.App{})
		b.push(wanted)
		d := delivery()
		d.Started = time.Now()
		lossy := b.dial(t, loseAnswers{b.argo})
		if _, err := lossy.Step(t.Context(), d); !argocd.Transient(err) {
			t.Fatalf("a lost answer: %v, want a transient error", err)
		}
		outcome, err := b.client.Step(t.Context(), d)
		if err != nil || !strings.Contains(outcome.Reason, "the sync of this promotion is running") {
			t.Errorf("the next step: %+v, %v", outcome, err)
		}
		if got := b.count(syncCall); got != 1 {
			t.Errorf("%d syncs were asked for, want 1", got)
		}
	})
}

func TestStepWaitsWhenSomebodyElseSyncsFirst(t *testing.T) {
	b := newBed(t, 3, 0)
	synctest.Test(t, func(t *testing.T) {
		b.put(t, devargo.App{})
		b.push(wanted)
		d := delivery()
		d.Started = time.Now()
		slow := b.dial(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				if err := b.client.Sync(t.Context(), argocd.SyncRequest{Ref: ref, Revision: older}); err != nil {
					t.Error(err)
				}
			}
			b.argo.ServeHTTP(w, r)
		}))
		outcome, err := slow.Step(t.Context(), d)
		if err != nil || outcome.State != argocd.Waiting || outcome.Reason != "another operation has to end first" || outcome.NeedsSync {
			t.Errorf("Step: %+v, %v", outcome, err)
		}
	})
}

func TestRefreshFallsBackToObserving(t *testing.T) {
	b := newBed(t, 0, 0)
	synctest.Test(t, func(t *testing.T) {
		b.put(t, devargo.App{})
		b.fail(t, devargo.ControllerDown())
		began := time.Now()
		app, err := b.client.Refresh(t.Context(), ref, true)
		if err != nil || !app.RefreshPending() || app.Sync.Revisions[0] != older {
			t.Errorf("Refresh: %+v, %v", app, err)
		}
		if waited := time.Since(began); waited != time.Minute {
			t.Errorf("it waited for %v, want a minute", waited)
		}
		b.argo.Heal(ref)
		if app, err = b.client.Application(t.Context(), ref); err != nil || app.RefreshPending() {
			t.Errorf("after the controller came back: %+v, %v", app, err)
		}
	})
}

func TestStepNeedsToKnowWhatItDelivers(t *testing.T) {
	b := newBed(t, 0, 0)
	for name, d := range map[string]argocd.Delivery{
		"no start":     delivery(),
		"no revision":  {Ref: ref, PromotionID: "p1", Started: at(0)},
		"no promotion": {Ref: ref, Revision: wanted, Started: at(0)},
	} {
		if _, err := b.client.Step(t.Context(), d); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if len(b.requests) > 0 {
		t.Errorf("requests were sent: %v", b.requests)
	}
}
