package argocd_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lockkeeper/lockkeeper/internal/argocd"
)

const (
	older  = "0000000000000000000000000000000000000000"
	wanted = "1111111111111111111111111111111111111111"
	newer  = "2222222222222222222222222222222222222222"
	repo   = "https://git.example.com/team/deploy.git"
)

func at(second int) time.Time {
	return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(second) * time.Second)
}

// delivered is an application at rest with the wanted revision: wanted since second 0, synced by this promotion from 10 to
// 20, looked at at 21, healthy since 30.
func delivered() argocd.Application {
	return argocd.Application{
		Declaration: argocd.Declaration{
			Ref:     argocd.Ref{Name: "dev", Namespace: "argocd", Project: "develop"},
			Sources: []argocd.Source{{RepoURL: repo, TargetRevision: "main"}},
		},
		Sync:   argocd.Sync{Status: argocd.Synced, Revisions: []string{wanted}},
		Health: argocd.Health{Status: argocd.Healthy, Since: at(30)},
		Operation: argocd.Operation{
			Phase:      argocd.PhaseSucceeded,
			StartedAt:  at(10),
			FinishedAt: at(20),
			Revisions:  []string{wanted},
			Infos:      map[string]string{argocd.InfoPromotion: "p1"},
		},
		History:      []argocd.Deployment{{At: at(-500), Revisions: []string{older}}, {At: at(20), Revisions: []string{wanted}}},
		ReconciledAt: at(21),
	}
}

type want struct {
	state         argocd.State
	reason        string // part of it
	refresh, sync bool
	recheck       time.Duration
}

func TestJudge(t *testing.T) {
	type app = argocd.Application
	type goal = argocd.Wanted
	beforeSync := func(a *app) {
		a.Operation = argocd.Operation{Phase: argocd.PhaseSucceeded, FinishedAt: at(-500), Revisions: []string{older}}
		a.History = a.History[:1]
		a.Sync.Status = argocd.OutOfSync
		a.Health.Since = at(-400)
		a.ReconciledAt = at(5)
	}
	for _, test := range []struct {
		name string
		app  func(*app)
		goal func(*goal)
		want want
	}{
		{name: "synced, looked at since, healthy for long enough", want: want{state: argocd.Done, reason: "synced to 11111111 and Healthy"}},

		// Race 1: the health of the old revision right after the operation.
		{
			name: "health from before the end of the sync does not count",
			app:  func(a *app) { a.ReconciledAt = at(19); a.Health.Since = at(-400) },
			want: want{state: argocd.Waiting, reason: "has not looked at the result", refresh: true},
		},
		{
			name: "looked at in the very second in which the sync ended counts",
			app: func(a *app) {
				a.ReconciledAt = at(20).Add(100 * time.Millisecond)
				a.Operation.FinishedAt = at(20).Add(900 * time.Millisecond)
			},
			want: want{state: argocd.Done},
		},
		{
			name: "never looked at does not count",
			app:  func(a *app) { a.ReconciledAt = time.Time{} },
			want: want{state: argocd.Waiting, reason: "has not looked", refresh: true},
		},
		{
			name: "a refresh that did not move the comparison is not asked for at once again",
			app:  func(a *app) { a.ReconciledAt = at(19) },
			goal: func(w *goal) { w.Refreshed = true },
			want: want{state: argocd.Waiting, reason: "has not looked"},
		},
		{
			name: "a refresh that is pending is not asked for again",
			app: func(a *app) {
				a.ReconciledAt = at(19)
				a.Annotations = map[string]string{"argocd.argoproj.io/refresh": "normal"}
			},
			want: want{state: argocd.Waiting, reason: "has not looked"},
		},

		// Race 2: Synced to the old revision, because no webhook and no poll has come yet.
		{
			name: "synced to the old revision needs a refresh",
			app:  func(a *app) { beforeSync(a); a.Sync = argocd.Sync{Status: argocd.Synced, Revisions: []string{older}} },
			want: want{state: argocd.Waiting, reason: "compares with 00000000 and has not seen 11111111 on main", refresh: true},
		},
		{
			name: "synced to the old revision even after a refresh waits",
			app:  func(a *app) { beforeSync(a); a.Sync = argocd.Sync{Status: argocd.Synced, Revisions: []string{older}} },
			goal: func(w *goal) { w.Refreshed = true },
			want: want{state: argocd.Waiting, reason: "has not seen 11111111"},
		},
		{
			name: "never compared needs a refresh",
			app:  func(a *app) { *a = app{Declaration: a.Declaration} },
			want: want{state: argocd.Waiting, reason: "compares with no revision", refresh: true},
		},

		// Race 3: automated sync may already run, or have run, the wanted revision.
		{
			name: "automated sync has done it without us",
			app:  func(a *app) { a.AutoSync = true; a.Operation.Infos = nil; a.Operation.By = "automated sync" },
			want: want{state: argocd.Done},
		},
		{
			name: "automated sync is doing it",
			app: func(a *app) {
				a.AutoSync = true
				a.Operation = argocd.Operation{InProgress: true, Phase: argocd.PhaseRunning, Revisions: []string{wanted}, By: "automated sync"}
			},
			want: want{state: argocd.Waiting, reason: "a sync to 11111111 is running"},
		},
		{
			name: "automated sync is given time to begin",
			app:  func(a *app) { beforeSync(a); a.AutoSync = true },
			goal: func(w *goal) { w.Now = at(14) },
			want: want{state: argocd.Waiting, reason: "automated sync should begin"},
		},
		{
			name: "automated sync that does not begin is helped",
			app:  func(a *app) { beforeSync(a); a.AutoSync = true },
			goal: func(w *goal) { w.Now = at(15) },
			want: want{state: argocd.Waiting, reason: "has to be synced", sync: true},
		},
		{
			name: "automated sync off is synced at once",
			app:  beforeSync,
			goal: func(w *goal) { w.Now = at(6) },
			want: want{state: argocd.Waiting, reason: "has to be synced", sync: true},
		},
		{
			name: "nothing to apply needs no sync",
			app:  func(a *app) { beforeSync(a); a.Sync.Status = argocd.Synced },
			want: want{state: argocd.Done},
		},

		// Race 4: a newer commit overtakes.
		{
			name: "a newer commit that leaves the application alone is as good",
			app:  func(a *app) { a.Sync.Revisions = []string{newer} },
			goal: func(w *goal) { w.Relations = map[string]argocd.Relation{newer: argocd.Carries} },
			want: want{state: argocd.Done, reason: "synced to 22222222"},
		},
		{
			name: "a newer commit that changes the application again supersedes",
			app:  func(a *app) { a.Sync = argocd.Sync{Status: argocd.OutOfSync, Revisions: []string{newer}} },
			goal: func(w *goal) { w.Relations = map[string]argocd.Relation{newer: argocd.Overtakes} },
			want: want{state: argocd.Superseded, reason: "gone on from 11111111 to 22222222"},
		},
		{
			name: "superseded before it was ever synced",
			app:  func(a *app) { beforeSync(a); a.Sync.Revisions = []string{newer} },
			goal: func(w *goal) { w.Relations = map[string]argocd.Relation{newer: argocd.Overtakes} },
			want: want{state: argocd.Superseded},
		},
		{
			name: "another deployment after ours supersedes",
			app: func(a *app) {
				a.History = append(a.History, argocd.Deployment{At: at(40), Revisions: []string{newer}})
				a.Sync.Revisions = []string{newer}
				a.Operation = argocd.Operation{Phase: argocd.PhaseSucceeded, FinishedAt: at(40), Revisions: []string{newer}}
			},
			want: want{state: argocd.Superseded},
		},
		{
			name: "a deployment after an earlier one of the same commit does not, when this is a retry",
			app: func(a *app) {
				beforeSync(a)
				a.History = []argocd.Deployment{{At: at(-500), Revisions: []string{wanted}}, {At: at(-400), Revisions: []string{older}}}
			},
			want: want{state: argocd.Waiting, reason: "has to be synced", sync: true},
		},
		{
			name: "our sync is done and the branch has moved to a commit that nobody can place",
			app:  func(a *app) { a.Sync.Revisions = []string{newer}; a.ReconciledAt = at(30) },
			want: want{state: argocd.Superseded, reason: "11111111 was synced, and since then the application follows 22222222"},
		},
		{
			name: "the comparison from before the end of our sync is no sign of something newer",
			app:  func(a *app) { a.Sync.Revisions = []string{older}; a.ReconciledAt = at(19) },
			want: want{state: argocd.Waiting, reason: "compares with 00000000", refresh: true},
		},
		{
			name: "a commit that nobody can place is waited out",
			app:  func(a *app) { beforeSync(a); a.Sync.Revisions = []string{newer} },
			goal: func(w *goal) { w.Refreshed = true },
			want: want{state: argocd.Waiting, reason: "compares with 22222222"},
		},

		// Race 5: several sources.
		{
			name: "sources are compared by position",
			app: func(a *app) {
				a.MultiSource = true
				a.Sources = []argocd.Source{{RepoURL: "https://charts.example.com", Chart: "web", TargetRevision: "1.2.3"}, {RepoURL: "git@git.example.com:team/deploy", TargetRevision: "main"}}
				a.Sync.Revisions = []string{"1.2.3", wanted}
				a.Operation.Revisions = a.Sync.Revisions
			},
			want: want{state: argocd.Done},
		},
		{
			name: "the wanted commit at another source's position does not count",
			app: func(a *app) {
				a.MultiSource = true
				a.Sources = []argocd.Source{{RepoURL: "https://git.example.com/other", TargetRevision: "main"}, {RepoURL: repo, TargetRevision: "main"}}
				a.Sync.Revisions = []string{wanted, older}
				a.Operation.Revisions = a.Sync.Revisions
			},
			want: want{state: argocd.Waiting, reason: "compares with 00000000", refresh: true},
		},
		{
			name: "another repository can never have the commit",
			app:  func(a *app) { a.Sources[0].RepoURL = "https://git.example.com/other" },
			want: want{state: argocd.Failed, reason: "deploys from https://git.example.com/other, not from " + repo},
		},
		{
			name: "several repositories need to be told apart",
			app: func(a *app) {
				a.MultiSource = true
				a.Sources = append(a.Sources, argocd.Source{RepoURL: "https://git.example.com/other"})
			},
			goal: func(w *goal) { w.RepoURL = "" },
			want: want{state: argocd.Failed, reason: "say which one"},
		},
		{
			name: "a chart has no commits",
			app:  func(a *app) { a.Sources = []argocd.Source{{RepoURL: "https://charts.example.com", Chart: "web"}} },
			goal: func(w *goal) { w.RepoURL = "" },
			want: want{state: argocd.Failed, reason: "no Git source"},
		},

		// Race 6: Healthy before the controllers noticed the new objects.
		{
			name: "healthy has to last",
			app:  func(a *app) { a.Health.Since = at(98) },
			want: want{state: argocd.Waiting, reason: "another 8s", recheck: 8 * time.Second},
		},
		{
			name: "healthy all along has to last from the end of the sync on",
			app:  func(a *app) { a.Health.Since = at(-400) },
			goal: func(w *goal) { w.Now = at(25) },
			want: want{state: argocd.Waiting, reason: "another 5s", recheck: 5 * time.Second},
		},
		{
			name: "older versions do not say since when it is healthy",
			app:  func(a *app) { a.Health.Since = time.Time{} },
			want: want{state: argocd.Done},
		},

		// Race 7: hooks keep the operation running; only time ends the wait.
		{
			name: "hooks run",
			app: func(a *app) {
				a.Operation.InProgress, a.Operation.Phase, a.Operation.FinishedAt = true, argocd.PhaseRunning, time.Time{}
				a.Operation.Message = "waiting for completion of hook batch/Job/migrate"
			},
			want: want{state: argocd.Waiting, reason: "of this promotion is running: waiting for completion of hook batch/Job/migrate"},
		},
		{
			name: "hooks that run for too long",
			app: func(a *app) {
				a.Operation.InProgress, a.Operation.Phase, a.Operation.FinishedAt = true, argocd.PhaseRunning, time.Time{}
			},
			goal: func(w *goal) { w.Deadline = at(100) },
			want: want{state: argocd.Failed, reason: "not delivered in time: the sync of this promotion is running"},
		},

		// Race 9: conditions.
		{
			name: "a comparison error fails fast",
			app: func(a *app) {
				a.Conditions = []argocd.Condition{{Type: argocd.ConditionComparisonError, Message: "kustomize: no such file", Since: at(8)}}
				a.Sync = argocd.Sync{Status: argocd.SyncUnknown}
			},
			want: want{state: argocd.Failed, reason: "ComparisonError: kustomize: no such file"},
		},
		{
			name: "an invalid spec fails fast although it is never compared",
			app: func(a *app) {
				a.Conditions = []argocd.Condition{{Type: argocd.ConditionInvalidSpecError, Message: "project gone", Since: at(-900)}}
				a.ReconciledAt = at(-900)
			},
			goal: func(w *goal) { w.Refreshed = true },
			want: want{state: argocd.Failed, reason: "InvalidSpecError: project gone"},
		},
		{
			name: "an error from before this promotion may be what it repairs",
			app: func(a *app) {
				beforeSync(a)
				a.Conditions = []argocd.Condition{{Type: argocd.ConditionComparisonError, Message: "old", Since: at(-900)}}
				a.ReconciledAt = at(-100)
			},
			want: want{state: argocd.Waiting, reason: "before this promotion", refresh: true},
		},
		{
			name: "a warning is none of that",
			app: func(a *app) {
				a.Conditions = []argocd.Condition{{Type: "OrphanedResourceWarning", Message: "2 orphans", Since: at(8)}}
			},
			want: want{state: argocd.Done},
		},

		// Operations.
		{
			name: "somebody else's operation has to end",
			app: func(a *app) {
				a.Operation = argocd.Operation{InProgress: true, Phase: argocd.PhaseRunning, By: "jane", Revisions: []string{older}}
			},
			want: want{state: argocd.Waiting, reason: "started by jane, has to end first"},
		},
		{
			name: "our sync failed",
			app: func(a *app) {
				a.Operation.Phase, a.Operation.Message = argocd.PhaseFailed, "one or more objects failed to apply"
			},
			want: want{state: argocd.Failed, reason: "the sync ended as Failed: one or more objects failed to apply"},
		},
		{
			name: "automated sync of our commit failed since it is wanted",
			app: func(a *app) {
				a.AutoSync = true
				a.Operation.Infos, a.Operation.Phase = nil, argocd.PhaseError
			},
			want: want{state: argocd.Failed, reason: "ended as Error: Argo CD does not say why"},
		},
		{
			name: "a failure from before this promotion is tried again",
			app: func(a *app) {
				beforeSync(a)
				a.Operation = argocd.Operation{Phase: argocd.PhaseFailed, FinishedAt: at(-10), Revisions: []string{wanted}}
			},
			want: want{state: argocd.Waiting, reason: "has to be synced", sync: true},
		},
		{
			name: "somebody's dry run is no delivery",
			app: func(a *app) {
				beforeSync(a)
				a.Operation = argocd.Operation{Phase: argocd.PhaseSucceeded, DryRun: true, FinishedAt: at(20), Revisions: []string{wanted}}
			},
			want: want{state: argocd.Waiting, reason: "has to be synced", sync: true},
		},
		{
			name: "our sync succeeded and something is still out of sync",
			app:  func(a *app) { a.Sync.Status = argocd.OutOfSync },
			want: want{state: argocd.Waiting, reason: "still OutOfSync: objects to prune"},
		},
		{
			name: "sync state unknown",
			app:  func(a *app) { a.Sync.Status = argocd.SyncUnknown },
			want: want{state: argocd.Waiting, reason: "does not know", refresh: true},
		},

		// Health.
		{
			name: "progressing",
			app:  func(a *app) { a.Health = argocd.Health{Status: argocd.HealthProgressing, Message: "1 of 3 updated"} },
			want: want{state: argocd.Waiting, reason: "Progressing: 1 of 3 updated"},
		},
		{
			name: "degraded for a moment",
			app:  func(a *app) { a.Health = argocd.Health{Status: argocd.Degraded, Since: at(95)} },
			want: want{state: argocd.Waiting, reason: "another 15s to recover"},
		},
		{
			name: "degraded for too long",
			app: func(a *app) {
				a.Health = argocd.Health{Status: argocd.Degraded, Message: "crash loop", Since: at(70)}
			},
			want: want{state: argocd.Failed, reason: "synced to 11111111 and Degraded: crash loop"},
		},
		{
			name: "degraded since before the promotion gets the same patience",
			app:  func(a *app) { a.Health = argocd.Health{Status: argocd.Degraded, Since: at(-900)} },
			goal: func(w *goal) { w.Now = at(35) },
			want: want{state: argocd.Waiting, reason: "to recover"},
		},
		{
			name: "missing",
			app:  func(a *app) { a.Health.Status = argocd.Missing },
			want: want{state: argocd.Waiting, reason: "Missing"},
		},
		{
			name: "health unknown",
			app:  func(a *app) { a.Health.Status = argocd.HealthUnknown },
			want: want{state: argocd.Waiting, reason: "health is unknown", refresh: true},
		},
		{
			name: "suspended waits for a person",
			app:  func(a *app) { a.Health.Status = argocd.Suspended },
			want: want{state: argocd.Waiting, reason: "somebody has to resume"},
		},
		{
			name: "suspended is accepted",
			app:  func(a *app) { a.Health.Status = argocd.Suspended },
			goal: func(w *goal) { w.Patience.AcceptSuspended = true },
			want: want{state: argocd.Done, reason: "Suspended"},
		},
		{
			name: "an application on its way out",
			app:  func(a *app) { a.Deleting = true },
			want: want{state: argocd.Failed, reason: "being deleted"},
		},
		{
			name: "done counts although the time is up",
			goal: func(w *goal) { w.Deadline = at(50) },
			want: want{state: argocd.Done},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			app := delivered()
			goal := argocd.Wanted{
				Revision:    wanted,
				RepoURL:     repo,
				PromotionID: "p1",
				Started:     at(0),
				Now:         at(100),
				Patience:    argocd.Patience{Stable: 10 * time.Second, Degraded: 20 * time.Second, AutoSync: 15 * time.Second},
			}
			if test.app != nil {
				test.app(&app)
			}
			if test.goal != nil {
				test.goal(&goal)
			}
			got := argocd.Judge(app, goal)
			if !strings.Contains(got.Reason, test.want.reason) || got.Reason == "" {
				t.Errorf("Reason is %q, want %q in it", got.Reason, test.want.reason)
			}
			wantOutcome := argocd.Outcome{State: test.want.state, NeedsRefresh: test.want.refresh, NeedsSync: test.want.sync, Recheck: test.want.recheck}
			ignored := cmpopts.IgnoreFields(argocd.Outcome{}, "Reason", "Revision", "Health")
			if diff := cmp.Diff(wantOutcome, got, ignored); diff != "" {
				t.Errorf("Judge (-want +got), reason %q:\n%s", got.Reason, diff)
			}
		})
	}
}
