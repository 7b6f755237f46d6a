package main

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

const devApps = "argo-applications/develop-applicationset.yaml"

// onTop has the forge merge nothing that is not on top of its target.
func (b *bed) onTop() {
	b.t.Helper()
	if !b.github {
		b.settings(func(s *devforge.Settings) { s.MergeMethod = "ff" })
		b.loop = b.newLoop(b.wire)
		return
	}
	if err := b.forge.SetRules(worldProject, "main", &devforge.BranchRules{
		Strict: true, Checks: []devforge.RequiredCheck{{Context: promote.StatusName, App: b.hubApp.id}},
	}); err != nil {
		b.t.Fatal(err)
	}
}

// TestAWishOutlastsWhatShowsTheSame: a person asks for a merge that a gate keeps back, and until that passes the target moves on and
// the process is another one. The change is proposed anew on top, and merged if it shows what the person saw.
func TestAWishOutlastsWhatShowsTheSame(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		file, before, after string // what somebody else merges meanwhile
		same                bool
	}{
		"another application":    {"develop/backend/instance.yaml", "namespace: develop", "namespace: develop # ours", true},
		"its own file":           {devFile, "Asia/Taipei", "Europe/Berlin", false},
		"what it is rendered by": {"platform/frontend-rgd.yaml", "image: ${schema.", "imagePullPolicy: Always\n                  image: ${schema.", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBothForges(t, func(t *testing.T, b *bed) {
				b.adopt()
				b.onTop()
				change := b.propose("1.0.2")
				b.edit("main", devApps, "authorized-stage: develop:", "authorized-stage: nobody:")
				b.sweep()
				waits := b.run(b.you.comment(change.Number, "/promote"))
				contains(t, stageOf(waits, devStage).Reason, "6 of 7 gates pass")
				contains(t, b.lastNote(change.Number), "If it has to be proposed anew, that holds as long as it shows the same.")
				b.restart()
				b.edit("main", row.file, row.before, row.after)
				b.edit("main", devApps, "authorized-stage: nobody:", "authorized-stage: develop:")
				b.wishGoesOn(t, change, row.same)
			})
		})
	}
}

// wishGoesOn has the loop go on once the gates pass: what shows the same is merged, and anything else is asked for again.
func (b *bed) wishGoesOn(t *testing.T, change promote.Change, same bool) {
	t.Helper()
	if !same {
		made, open := openOf(b.until("a person to be asked again", func(o reconcile.Outcome) bool {
			return strings.Contains(stageOf(o, devStage).Reason, "it was proposed anew with other content since you asked for it: look at it, and comment `/promote` again")
		}), devStage)
		if !open || made.Number != change.Number {
			t.Fatalf("it was merged without being looked at: %+v", made)
		}
		b.restart()
		if again := b.sweep(); len(again.Applied) != 0 {
			t.Errorf("a new process does something: %v", again.Applied)
		}
		b.run(b.you.comment(made.Number, "/promote"))
	}
	last := b.until("dev to run 1.0.2", runs(devStage, "1.0.2")).State.History
	for _, p := range last.Promotions {
		if p.Change == change.Number && (p.Head == change.Head || p.Shown == "") {
			t.Errorf("it was merged as %+v", p)
		}
	}
	if n := len(last.Requests); (n == 1) != same {
		t.Errorf("%d requests", n)
	}
}
