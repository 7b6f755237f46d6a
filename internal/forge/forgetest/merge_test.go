package forgetest

import (
	"errors"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
)

var mergeRows = []row{
	{name: "merging brings the change to its target", run: mergesNow},
	{name: "what is not gated yet is not merged", run: gatedMerge, dev: true},
	{name: "another head is not merged", run: otherHead},
	{name: "a conflict is not merged", run: conflict},
	{name: "what is behind its target is not merged where that is asked for", run: behind, dev: true},
	{name: "what is merged already is a success", run: mergedAlready},
	{name: "a closed change is not merged", run: mergeClosed},
	{name: "a change is merged by the forge when its checks pass", run: autoMerged, dev: true},
	{name: "what waits for its checks is held", run: autoMergeHeld, dev: true},
	{name: "what is in the queue or train is held", run: queueHeld, dev: true},
	{name: "holding what does not wait changes nothing", run: nothingHeld},
	{name: "a change goes through the queue or train", run: queued, dev: true, hear: true},
}

// requires lets the forge merge only what has these statuses. GitLab asks for a pipeline that succeeded, whatever is in it.
func (g *ground) requires(rules devforge.BranchRules, names ...string) {
	g.Helper()
	for _, name := range names {
		rules.Checks = append(rules.Checks, devforge.RequiredCheck{Context: name})
	}
	g.set(func(s *devforge.Settings) { s.PipelineMustSucceed, s.GitHub.AutoMerge = true, true })
	if !g.kind.gitHub() {
		return
	}
	if err := g.dev.SetRules(g.path, string(target), &rules); err != nil {
		g.Fatal(err)
	}
}

func (g *ground) set(edit func(*devforge.Settings)) {
	g.Helper()
	if err := g.dev.Change(g.path, edit); err != nil {
		g.Fatal(err)
	}
}

// isMerged checks that a change is merged and that its target has it.
func (g *ground) isMerged(change promote.Change, by string) {
	g.Helper()
	now := g.seen(change.Number)
	if now.State != promote.ChangeMerged || now.MergedBy != g.people[by].Name || now.Merged == "" {
		g.Fatalf("got %+v", now)
	}
	if tip := g.tip(g, target); tip != now.Merged {
		g.Errorf("the target is at %s, and the change was merged as %s", tip, now.Merged)
	}
}

func mergesNow(g *ground) {
	change, p := g.opened()
	got, err := g.Merge(g.Context(), change.Number, p.head, "Promote web 2\n\nLockkeeper-Stage: dev")
	if err != nil || got.State != promote.ChangeMerged || got.Merged == "" || got.Number != change.Number {
		g.Fatalf("got %+v, %v", got, err)
	}
	if now := g.seen(change.Number); now.Merged != got.Merged {
		g.Errorf("merged as %s, and then as %s", got.Merged, now.Merged)
	}
	g.isMerged(change, bot)
}

func gatedMerge(g *ground) {
	g.requires(devforge.BranchRules{}, promote.StatusName)
	g.set(func(s *devforge.Settings) { s.GitHub.AutoMerge = false })
	change, p := g.opened()
	refused := func(why string) {
		g.Helper()
		if got, err := g.Merge(g.Context(), change.Number, p.head, ""); !errors.Is(err, promote.ErrNotMergeable) {
			g.Errorf("%s: got %+v, %v", why, got, err)
		}
		if now := g.seen(change.Number); now.State != promote.ChangeOpen || now.Merge == promote.MergeReady || now.Reason == "" {
			g.Errorf("%s: got %+v", why, now) // To GitHub, a check that is expected is one that still runs.
		}
	}
	refused("nobody has posted the status")
	g.gate(change, promote.StatusFailed)
	refused("the status is failed")
	g.gate(change, promote.StatusSuccess)
	if now := g.seen(change.Number); now.Merge != promote.MergeReady {
		g.Errorf("with the status: %+v", now)
	}
	if got, err := g.Merge(g.Context(), change.Number, p.head, ""); err != nil || got.State != promote.ChangeMerged {
		g.Fatalf("got %+v, %v", got, err)
	}
	g.isMerged(change, bot)
}

func otherHead(g *ground) {
	change, p := g.opened()
	moved := g.commit(wesOrLea(g), p.branch, g.name("more")+".yaml", "more\n")
	if got, err := g.Merge(g.Context(), change.Number, p.head, ""); !errors.Is(err, promote.ErrStale) {
		g.Errorf("got %+v, %v", got, err)
	}
	if now := g.seen(change.Number); now.State != promote.ChangeOpen || now.Head != moved {
		g.Errorf("got %+v, want the head %s", now, moved)
	}
}

// wesOrLea is somebody who may push.
func wesOrLea(g *ground) string {
	if g.dev == nil {
		return lea
	}
	return wes
}

func conflict(g *ground) {
	change, p := g.opened()
	g.commit(lea, target, p.file, "version: 3\n")
	if got, err := g.Merge(g.Context(), change.Number, p.head, ""); !errors.Is(err, promote.ErrNotMergeable) {
		g.Errorf("got %+v, %v", got, err)
	}
	if now := g.seen(change.Number); now.State != promote.ChangeOpen || now.Merge != promote.MergeBlocked {
		g.Errorf("got %+v", now)
	}
}

// behind: GitHub asks for it by a strict rule, GitLab by merging without merge commits.
func behind(g *ground) {
	g.requires(devforge.BranchRules{Strict: true})
	g.set(func(s *devforge.Settings) {
		s.MergeMethod, s.PipelineMustSucceed, s.GitHub.AutoMerge = "ff", false, false
	})
	change, p := g.opened()
	g.commit(lea, target, "by-hand.yaml", "x\n")
	if got, err := g.Merge(g.Context(), change.Number, p.head, ""); !errors.Is(err, promote.ErrNotMergeable) {
		g.Errorf("got %+v, %v", got, err)
	}
	if now := g.seen(change.Number); now.State != promote.ChangeOpen || now.Merge != promote.MergeBehind {
		g.Errorf("got %+v", now)
	}
}

func mergedAlready(g *ground) {
	change, p := g.opened()
	g.merge(g, lea, change.Number, p.head)
	for range 2 {
		if got, err := g.Merge(g.Context(), change.Number, p.head, ""); err != nil || got.State != promote.ChangeMerged || got.Merged != g.tip(g, target) {
			g.Errorf("got %+v, %v", got, err)
		}
	}
	g.isMerged(change, lea)
}

func mergeClosed(g *ground) {
	change, p := g.opened()
	g.close(g, lea, change.Number)
	if got, err := g.Merge(g.Context(), change.Number, p.head, ""); !errors.Is(err, promote.ErrNotMergeable) {
		g.Errorf("got %+v, %v", got, err)
	}
	if now := g.seen(change.Number); now.State != promote.ChangeClosed || now.ClosedBy != g.people[lea].Name {
		g.Errorf("got %+v", now)
	}
}

// waiting gates a change, and sets it to be merged by itself when a build has succeeded.
func (g *ground) waiting(change promote.Change) report {
	g.Helper()
	build := report{head: change.Head, branch: change.Branch, name: "build", state: promote.StatusPending}
	g.report(g, wes, build)
	g.gate(change, promote.StatusSuccess)
	for range 2 { // The second time it is set already.
		got, err := g.Merge(g.Context(), change.Number, change.Head, "Promote web 2")
		if err != nil || got.State != promote.ChangeOpen || got.Merge != promote.MergeQueued || !strings.HasPrefix(got.Reason, "auto-merge") {
			g.Fatalf("got %+v, %v", got, err)
		}
	}
	if now := g.seen(change.Number); now.Merge != promote.MergeQueued {
		g.Errorf("got %+v", now)
	}
	build.state = promote.StatusSuccess
	return build
}

func autoMerged(g *ground) {
	g.requires(devforge.BranchRules{}, promote.StatusName, "build")
	change, _ := g.opened()
	g.report(g, wes, g.waiting(change))
	g.isMerged(change, bot)
}

// held checks that the forge does not merge a change by itself any more.
func (g *ground) held(change promote.Change) {
	g.Helper()
	for range 2 {
		if err := g.Unqueue(g.Context(), change.Number); err != nil {
			g.Fatal(err)
		}
	}
	if now := g.seen(change.Number); now.State != promote.ChangeOpen || now.Merge == promote.MergeQueued {
		g.Errorf("got %+v", now)
	}
}

func autoMergeHeld(g *ground) {
	g.requires(devforge.BranchRules{}, promote.StatusName, "build")
	change, _ := g.opened()
	build := g.waiting(change)
	g.held(change)
	g.report(g, wes, build)
	if now := g.seen(change.Number); now.State != promote.ChangeOpen || now.Merge != promote.MergeReady {
		g.Errorf("after the build: %+v", now)
	}
}

func queueHeld(g *ground) {
	g.requires(devforge.BranchRules{Queue: true}, promote.StatusName)
	g.set(func(s *devforge.Settings) { s.MergedResults, s.MergeTrains = true, true })
	change, p := g.opened()
	g.gate(change, promote.StatusSuccess)
	if got, err := g.Merge(g.Context(), change.Number, p.head, ""); err != nil || got.Merge != promote.MergeQueued {
		g.Fatalf("got %+v, %v", got, err)
	}
	g.held(change)
	g.endPipelines()
	if now := g.seen(change.Number); now.State != promote.ChangeOpen {
		g.Errorf("after its pipelines: %+v", now)
	}
}

func nothingHeld(g *ground) {
	change, p := g.opened()
	g.held(change)
	g.merge(g, lea, change.Number, p.head)
	if err := g.Unqueue(g.Context(), change.Number); err != nil {
		g.Errorf("of what is merged: %v", err)
	}
	g.isMerged(change, lea)
}

func queued(g *ground) {
	g.requires(devforge.BranchRules{Queue: true}, promote.StatusName)
	g.set(func(s *devforge.Settings) { s.MergedResults, s.MergeTrains = true, true })
	change, p := g.opened()
	g.gate(change, promote.StatusSuccess)
	g.mail.empty(g)
	for range 2 { // The second time it is in already.
		got, err := g.Merge(g.Context(), change.Number, p.head, "")
		if err != nil || got.State != promote.ChangeOpen || got.Merge != promote.MergeQueued || !strings.HasPrefix(got.Reason, "merge ") {
			g.Fatalf("got %+v, %v", got, err)
		}
	}
	asked, ok := queueEvent(g.mail.events(g))
	if !ok || asked.Change != change.Number || asked.Branch != target || asked.Head == p.head || asked.Head == "" {
		g.Fatalf("the queue asks %+v, %t", asked, ok)
	}
	open, err := g.OpenChanges(g.Context())
	if err != nil || len(open) != 1 || open[0].Merge != promote.MergeQueued {
		g.Errorf("got %+v, %v", open, err)
	}
	answer := promote.PostStatus{Change: asked.Change, Head: asked.Head, Status: promote.Status{Name: promote.StatusName, State: promote.StatusSuccess, Description: "all pass"}}
	if err := post(g.Context(), g.adapter, answer); err != nil {
		g.Fatal(err)
	}
	if got, found, err := g.Status(g.Context(), asked.Head, promote.StatusName); err != nil || !found || got.State != promote.StatusSuccess {
		g.Errorf("on the commit of the queue: %+v, found %t, %v", got, found, err)
	}
	g.endPipelines()
	g.isMerged(change, bot)
}

func queueEvent(events []promote.Event) (promote.Event, bool) {
	for _, event := range events {
		if event.Kind == promote.EventQueue {
			return event, true
		}
	}
	return promote.Event{}, false
}

// endPipelines lets CI of GitLab succeed, without which no train arrives.
func (g *ground) endPipelines() {
	g.Helper()
	if g.kind.gitHub() {
		return
	}
	var running []struct {
		ID     int    `json:"id"`
		Source string `json:"source"`
		Status string `json:"status"`
	}
	g.ask(lea, "GET", newGitLabActs().below(g, "/pipelines"), nil, &running)
	for _, one := range running {
		if one.Source == "merge_request_event" && one.Status == "running" {
			if err := g.dev.FinishPipeline(g.Context(), g.path, one.ID, "success"); err != nil {
				g.Fatal(err)
			}
		}
	}
}
