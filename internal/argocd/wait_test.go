package argocd_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/argocd"
	"github.com/lockkeeper/lockkeeper/internal/argocd/devargo"
)

func TestJudgeWait(t *testing.T) {
	type app = argocd.Application
	standard := []argocd.Awaited{argocd.AwaitHealth, argocd.AwaitSync, argocd.AwaitOperation}
	for _, test := range []struct {
		name    string
		awaited []argocd.Awaited
		change  func(*app)
		now     int
		want    want
	}{
		{"synced and healthy", standard, func(*app) {}, 40, want{state: argocd.Done, reason: "Synced and Healthy"}},
		{"progressing", standard, func(a *app) { a.Health.Status = argocd.HealthProgressing }, 40, want{reason: "it is Progressing, and has to be Healthy"}},
		{"out of sync", standard, func(a *app) { a.Sync.Status = argocd.OutOfSync }, 40, want{reason: "it is OutOfSync, and has to be Synced"}},
		{"out of sync does not matter", []argocd.Awaited{argocd.AwaitHealth}, func(a *app) { a.Sync.Status = argocd.OutOfSync }, 40, want{state: argocd.Done, reason: "OutOfSync and Healthy"}},
		{"health does not matter", []argocd.Awaited{argocd.AwaitSync}, func(a *app) { a.Health.Status = argocd.Missing }, 40, want{state: argocd.Done, reason: "Synced and Missing"}},
		{
			"an operation runs", standard, func(a *app) {
				a.Operation = argocd.Operation{InProgress: true, Phase: argocd.PhaseRunning, Message: "wave 2"}
			}, 40,
			want{reason: "an operation is running: wave 2"},
		},
		{
			"an operation that runs does not matter",
			[]argocd.Awaited{argocd.AwaitHealth},
			func(a *app) { a.Operation = argocd.Operation{InProgress: true, Phase: argocd.PhaseRunning} }, 40,
			want{state: argocd.Done, reason: "Healthy"},
		},
		{
			"one kind of health is enough",
			[]argocd.Awaited{argocd.AwaitHealth, argocd.AwaitSuspended},
			func(a *app) { a.Health.Status = argocd.Suspended }, 40,
			want{state: argocd.Done, reason: "Suspended"},
		},
		{
			"none of the kinds of health",
			[]argocd.Awaited{argocd.AwaitHealth, argocd.AwaitSuspended},
			func(a *app) { a.Health.Status = argocd.Missing }, 40,
			want{reason: "has to be Healthy or Suspended"},
		},
		{"degraded is awaited", []argocd.Awaited{argocd.AwaitDegraded}, func(a *app) { a.Health.Status = argocd.Degraded }, 40, want{state: argocd.Done, reason: "Degraded"}},
		{
			"it turns degraded, and may recover", standard,
			func(a *app) { a.Health = argocd.Health{Status: argocd.Degraded, Since: at(30), Message: "crash"} }, 40,
			want{reason: "has another 50s to become Healthy: crash"},
		},
		{
			"it turned degraded and stays so", standard,
			func(a *app) { a.Health = argocd.Health{Status: argocd.Degraded, Since: at(30), Message: "crash"} }, 90,
			want{state: argocd.Failed, reason: "it turned Degraded while Healthy was waited for: crash"},
		},
		{
			"it was degraded before", standard,
			func(a *app) { a.Health = argocd.Health{Status: argocd.Degraded, Since: at(-30)} }, 900,
			want{reason: "it is Degraded, and has to be Healthy"},
		},
		{
			"it was looked at before the wait only", standard,
			func(a *app) { a.ReconciledAt, a.Operation = at(-10), argocd.Operation{} }, 40,
			want{reason: "has not looked at the application", refresh: true},
		},
		{"it was looked at before its operation ended", standard, func(a *app) { a.ReconciledAt = at(15) }, 40, want{reason: "has not looked at the result", refresh: true}},
		{
			"its manifests are broken", standard,
			func(a *app) {
				a.Conditions = []argocd.Condition{{Type: argocd.ConditionComparisonError, Message: "no such path"}}
			}, 40,
			want{state: argocd.Failed, reason: "ComparisonError: no such path"},
		},
		{"it is being deleted", standard, func(a *app) { a.Deleting = true }, 40, want{state: argocd.Failed, reason: "deleted"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			app := delivered()
			test.change(&app)
			got := argocd.JudgeWait(app, test.awaited, argocd.Wanted{
				Started: at(0), Now: at(test.now), Patience: argocd.Patience{Degraded: time.Minute},
			})
			if got.State != test.want.state || got.NeedsRefresh != test.want.refresh || got.NeedsSync || !strings.Contains(got.Reason, test.want.reason) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestAwaitStartsNoOperation(t *testing.T) {
	b := newBed(t, 1, 0)
	synctest.Test(t, func(t *testing.T) {
		b.put(t, devargo.App{})
		b.push(wanted)
		wait := argocd.Wait{
			Ref: ref, For: []argocd.Awaited{argocd.AwaitSync}, Started: time.Now().Add(time.Second), Timeout: time.Minute,
		}
		<-time.After(2 * time.Second)
		got, err := b.client.Await(t.Context(), wait)
		if err != nil {
			t.Fatal(err)
		}
		if got.State != argocd.Waiting || got.Recheck <= 0 || b.count(refreshCall) == 0 {
			t.Errorf("got %+v after %d refreshes, want it to wait for a sync that somebody else starts", got, b.count(refreshCall))
		}
		<-time.After(time.Minute)
		if got, err = b.client.Await(t.Context(), wait); err != nil || got.State != argocd.Failed {
			t.Errorf("got %+v, %v, want it to fail when its time is over", got, err)
		}
		if b.count(syncCall) != 0 {
			t.Errorf("%d operations were started", b.count(syncCall))
		}
	})
}
