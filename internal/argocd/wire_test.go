package argocd

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var documents = map[string]string{
	"a sync that was asked for and not begun": `{"metadata":{"name":"dev"},"spec":{"project":"develop","source":{"repoURL":"r","targetRevision":"main"}},
		"operation":{"info":[{"name":"lockkeeper.io/promotion","value":"p1"}],"initiatedBy":{"username":"bot"},"sync":{"revision":"abc","prune":true}},
		"status":{"operationState":{"phase":"Succeeded","startedAt":"2026-05-01T12:00:00Z","finishedAt":"2026-05-01T12:00:05Z","operation":{}}}}`,
	"a running automated sync": `{"operation":{"initiatedBy":{"automated":true},"sync":{"revision":"abc"}},"spec":{"syncPolicy":{"automated":{}}},
		"status":{"operationState":{"phase":"Running","message":"m","startedAt":"2026-05-01T12:00:00Z","operation":{"initiatedBy":{"automated":true},"sync":{"revision":"abc"}},"syncResult":{"revision":""}}}}`,
	"a finished sync of several sources": `{"spec":{"sources":[{"repoURL":"r"},{"repoURL":"s","chart":"c"}],"syncPolicy":{"automated":{"enabled":false}}},
		"status":{"sync":{"status":"Synced","revisions":["abc","1.0"]},"reconciledAt":"2026-05-01T12:00:06Z",
		"operationState":{"phase":"Succeeded","finishedAt":"2026-05-01T12:00:05Z","operation":{"sync":{"dryRun":true}},"syncResult":{"revisions":["abc","1.0"]}}}}`,
	"an empty answer":               `{}`,
	"nulls":                         `{"metadata":null,"spec":{"source":null,"sources":null,"syncPolicy":null},"operation":null,"status":{"operationState":null,"history":null,"reconciledAt":null}}`,
	"an application on its way out": `{"metadata":{"name":"dev","deletionTimestamp":"2026-05-01T12:00:00Z"}}`,
}

func TestApplicationsAreRead(t *testing.T) {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	want := map[string]Application{
		"a sync that was asked for and not begun": {
			Declaration: Declaration{
				Ref:     Ref{Name: "dev", Project: "develop"},
				Sources: []Source{{RepoURL: "r", TargetRevision: "main"}},
			},
			Operation: Operation{
				InProgress: true, Revisions: []string{"abc"}, By: "bot", Infos: map[string]string{InfoPromotion: "p1"},
			},
		},
		"a running automated sync": {
			Declaration: Declaration{AutoSync: true},
			Operation:   Operation{InProgress: true, Phase: PhaseRunning, Message: "m", StartedAt: noon, Revisions: []string{"abc"}, By: "automated sync"},
		},
		"a finished sync of several sources": {
			Declaration:  Declaration{MultiSource: true, Sources: []Source{{RepoURL: "r"}, {RepoURL: "s", Chart: "c"}}},
			Sync:         Sync{Status: Synced, Revisions: []string{"abc", "1.0"}},
			Operation:    Operation{Phase: PhaseSucceeded, FinishedAt: noon.Add(5 * time.Second), Revisions: []string{"abc", "1.0"}, DryRun: true},
			ReconciledAt: noon.Add(6 * time.Second),
		},
		"an empty answer":               {},
		"nulls":                         {},
		"an application on its way out": {Declaration: Declaration{Ref: Ref{Name: "dev"}, Deleting: true}},
	}
	for name, document := range documents {
		var wire wireApplication
		if err := json.Unmarshal([]byte(document), &wire); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want[name], wire.application()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestNormalURLMakesSpellingsEqual(t *testing.T) {
	for _, same := range []string{
		"https://git.example.com/team/deploy.git", "https://git.example.com/team/deploy/", "https://user@git.example.com:443/team/deploy",
		"git@git.example.com:team/deploy.git", "ssh://git@git.example.com:22/team/deploy", "HTTPS://Git.Example.com/Team/Deploy.git",
	} {
		if got := normalURL(same); got != "git.example.com/team/deploy" {
			t.Errorf("normalURL(%q) = %q", same, got)
		}
	}
	for _, other := range []string{"https://git.example.com:8443/team/deploy", "https://git.example.com/team/deploy2", ""} {
		if got := normalURL(other); got == "git.example.com/team/deploy" {
			t.Errorf("normalURL(%q) is taken for another repository", other)
		}
	}
}

// FuzzApplication feeds hostile answers to decoding and judging: neither panics, and no verdict comes without a reason.
func FuzzApplication(f *testing.F) {
	for _, document := range documents {
		f.Add([]byte(document))
	}
	now := time.Date(2026, 5, 1, 12, 1, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, document []byte) {
		var wire wireApplication
		if json.Unmarshal(document, &wire) != nil {
			return
		}
		app := wire.application()
		outcome := Judge(app, Wanted{Revision: "abc", RepoURL: "r", PromotionID: "p1", Started: now.Add(-time.Minute), Now: now})
		if outcome.Reason == "" {
			t.Errorf("no reason: %+v", outcome)
		}
		if outcome.State == Done && (app.Sync.Status != Synced || app.Health.Status != Healthy || app.Operation.InProgress) {
			t.Errorf("done, although %+v", app)
		}
		if outcome.State != Waiting && (outcome.NeedsRefresh || outcome.NeedsSync || outcome.Recheck != 0) {
			t.Errorf("settled, and still wants something: %+v", outcome)
		}
	})
}
