package promote

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"
)

// available is the model's own answer to whether a freight may enter a stage.
func (w *world) available(stage Stage, f Freight, soak time.Duration) bool {
	for _, r := range stage.Requests {
		if r.Warehouse != f.Warehouse {
			continue
		}
		soak = max(soak, r.RequiredSoak)
		if r.Direct {
			return w.now.Sub(f.DiscoveredAt) >= soak
		}
		passes := func(name string) bool {
			upstream, _ := w.state.Pipelines[0].Stage(name)
			if len(upstream.Steps) == 0 {
				return w.available(upstream, f, soak)
			}
			ref := StageRef{"p", name}
			_, verified := w.state.History.Verified(ref, f.ID)
			ran := w.longest[stageFreight{ref, f.ID}]
			if now := w.running[ref][f.Warehouse]; now.freight == f.ID {
				ran = max(ran, w.now.Sub(now.since))
			}
			return verified && ran >= soak
		}
		if r.All {
			return !slices.ContainsFunc(r.Stages, func(name string) bool { return !passes(name) })
		}
		return slices.ContainsFunc(r.Stages, passes)
	}
	return false
}

func (w *world) checkPropose(a Propose) {
	stage, _ := w.state.Pipelines[0].Stage(a.Stage.Name)
	_, held := w.state.History.Hold(a.Stage)
	current, runs := currentFreight(w.state.History, a.Stage, a.Freight.Warehouse)
	active, isActive := w.state.History.Active(a.Stage)
	switch {
	case !a.Again && !w.available(stage, a.Freight, 0):
		w.t.Fatalf("%s: it is not available there", a)
	case held:
		w.t.Fatalf("%s: the stage is held", a)
	case len(stage.Steps) == 0:
		w.t.Fatalf("%s: it is a control-flow stage", a)
	case isActive && active.Phase == PhaseDelivering:
		w.t.Fatalf("%s: %s is being delivered", a, active.ID)
	case isActive && active.ID != a.Supersedes && active.ID != a.Promotion:
		w.t.Fatalf("%s: %s is open", a, active.ID)
	case !a.Again && a.Actor == autoPromotion && runs && CompareFreight(Warehouse{}, a.Freight, current) != Newer:
		w.t.Fatalf("%s: goes back from %s by itself", a, current.Label())
	case !a.Again && a.Actor == autoPromotion && !w.state.Pipelines[0].AutoPromoted(stage):
		w.t.Fatalf("%s: no policy lets it in", a)
	case !a.Again && a.Actor == autoPromotion && isActive && active.Actor != autoPromotion:
		w.t.Fatalf("%s: takes the place of what %s asked for", a, active.Actor)
	}
}

func (w *world) checkMerge(a Merge) {
	c, p := *w.change(a.Change), *w.promotion(a.Stage, a.Promotion)
	stage, _ := w.state.Pipelines[0].Stage(a.Stage.Name)
	f, _ := w.state.History.Freight("p", p.Freight)
	_, held := w.state.History.Hold(a.Stage)
	wish := slices.ContainsFunc(w.state.History.Requests, func(r Request) bool {
		return r.Merge == p.ID && r.Stage == p.Stage && r.Head == c.Head
	})
	order, ok := CompareTags(p.Moves[0].After, p.Moves[0].Before)
	for reason, wrong := range map[string]bool{
		"its head moved":               c.Head != a.Head || c.State != ChangeOpen,
		"it is not what was proposed":  c.Head != p.Head,
		"nobody wants it":              !stage.AutoMerge && !wish,
		"it does not render":           w.broken[c.Head],
		"nobody looked at it":          w.unseen[c.Head],
		"its image is not as recorded": w.gone[f.ID] || w.moved[f.ID],
		"Argo CD could not be asked":   w.argoDown,
		"the stage is held":            held,
		"it is not available":          !w.available(stage, f, 0),
		"it goes back":                 ok && order < 0 && p.Actor == autoPromotion && !wish,
		"main changed since":           len(w.state.Conflicts[p.Ref()]) > 0,
		"it is a draft or blocked":     c.Draft || c.Merge != MergeReady,
	} {
		if wrong {
			w.t.Fatalf("%s: %s", a, reason)
		}
	}
}

// checkClose makes sure that nothing is closed that a promotion still needs.
func (w *world) checkClose(a CloseChange) {
	c := *w.change(a.Change)
	p, ok := w.proposal(&c)
	if c.State != ChangeOpen || c.Head != a.Head || a.Note == "" || ok && (p.Change == 0 || p.Change == c.Number) {
		w.t.Fatalf("%s: %+v of %+v", a, c, p)
	}
}

// catchUp lets the forge show what was pushed.
func (w *world) catchUp() {
	for _, c := range w.openChanges() {
		if tip, ok := w.state.Tips[c.Branch]; ok {
			c.Head = tip
		}
	}
}

// events are what can happen outside.
func (w *world) event() {
	w.catchUp()
	open := w.openChanges()
	events := []string{"tag", "tag", "tag", "command", "command", "command", "clock", "clock", "push", "health", "argo", "image", "hopeless"}
	if len(open) > 0 {
		events = append(events, "merge", "merge", "merge", "close", "conflict", "break", "unseen", "head", "branch", "draft", "block")
	}
	kind := rapid.SampledFrom(events).Draw(w.t, "event")
	var c *Change
	if len(open) > 0 {
		c = open[rapid.IntRange(0, len(open)-1).Draw(w.t, "change")]
	}
	switch kind {
	case "tag":
		w.newTag()
	case "command":
		w.command()
	case "clock":
		w.now = w.now.Add(time.Duration(rapid.IntRange(1, 30).Draw(w.t, "minutes")) * time.Minute)
	case "push":
		w.pushMain()
	case "health":
		stage := rapid.SampledFrom(w.stages()).Draw(w.t, "stage")
		w.health[StageRef{"p", stage.Name}] = rapid.SampledFrom([]string{"", "slow", "bad"}).Draw(w.t, "health")
	case "argo":
		w.argoDown = !w.argoDown
	case "image", "hopeless":
		w.spoil(kind)
	case "merge":
		w.merge(c)
	case "close":
		c.State, c.ClosedBy = ChangeClosed, "bob"
	case "conflict":
		w.pushMain()
		if p, ok := w.proposal(c); ok {
			w.state.Conflicts[p.Ref()] = []string{p.Stage.Name}
		}
	case "break":
		w.broken[c.Head] = !w.broken[c.Head]
	case "unseen":
		w.unseen[c.Head] = !w.unseen[c.Head]
	case "head":
		c.Head = w.commit()
		w.state.Tips[c.Branch] = c.Head
	case "branch":
		delete(w.state.Tips, c.Branch)
		c.State = ChangeClosed
		if rapid.Bool().Draw(w.t, "stays open") {
			c.State = ChangeOpen
		}
	case "draft":
		c.Draft = !c.Draft
	case "block":
		c.Merge = rapid.SampledFrom([]MergeState{MergeReady, MergeBlocked, MergeUnknown}).Draw(w.t, "mergeability")
	}
}

func (w *world) openChanges() []*Change {
	var open []*Change
	for i := range w.state.Changes {
		if w.state.Changes[i].State == ChangeOpen {
			open = append(open, &w.state.Changes[i])
		}
	}
	return open
}

func (w *world) proposal(c *Change) (Promotion, bool) {
	return newest(w.state.History.Promotions, func(p Promotion) bool { return p.Branch == c.Branch && p.Phase == PhaseProposed })
}

func (w *world) newTag() {
	warehouse := rapid.SampledFrom(w.state.Pipelines[0].Warehouses).Draw(w.t, "warehouse").Name
	patch := w.tags[warehouse] + 1
	if rapid.IntRange(0, 4).Draw(w.t, "older") == 0 {
		patch = rapid.IntRange(0, patch).Draw(w.t, "patch")
	}
	w.tags[warehouse] = max(w.tags[warehouse], patch)
	tag := fmt.Sprintf("1.0.%d", patch)
	found := Discovery{Project: "p", Warehouse: warehouse, Artifacts: Artifacts{Images: []Image{{RepoURL: "acme/" + warehouse, Tag: tag, Digest: "sha256:" + tag}}}, At: w.now}
	w.state.Discoveries = slices.DeleteFunc(slices.Clone(w.state.Discoveries), func(d Discovery) bool { return d.Warehouse == warehouse })
	w.state.Discoveries = append(w.state.Discoveries, found)
}

func (w *world) spoil(kind string) {
	if len(w.state.History.Freights) == 0 {
		return
	}
	id := rapid.SampledFrom(w.state.History.Freights).Draw(w.t, "freight").ID
	what := rapid.SampledFrom([]map[FreightID]bool{w.gone, w.moved}).Draw(w.t, "how")
	if kind == "hopeless" {
		what = w.hopeless
	}
	what[id] = !what[id]
}

func (w *world) command() {
	w.comments++
	c := Command{
		Verb:       rapid.SampledFrom([]Verb{VerbPromote, VerbPromote, VerbHold, VerbResume, VerbStatus, "frobnicate"}).Draw(w.t, "verb"),
		Permission: rapid.SampledFrom([]Permission{PermissionRead, PermissionWrite, PermissionWrite, PermissionWrite}).Draw(w.t, "permission"),
		Comment:    Comment{ID: w.comments, Author: "ann", At: w.now.Add(time.Duration(rapid.IntRange(-90, 90).Draw(w.t, "skew")) * time.Second)},
	}
	if n := len(w.state.Changes); n > 0 && rapid.Bool().Draw(w.t, "on a change") {
		c.Change = w.state.Changes[rapid.IntRange(0, n-1).Draw(w.t, "change")]
		c.Comment.Change = c.Change.Number
	}
	if rapid.Bool().Draw(w.t, "names a stage") {
		c.Arguments = append(c.Arguments, rapid.SampledFrom(w.stages()).Draw(w.t, "stage").Name)
		if freights := w.state.History.Freights; len(freights) > 0 && rapid.Bool().Draw(w.t, "names a version") {
			c.Arguments = append(c.Arguments, rapid.SampledFrom(freights).Draw(w.t, "freight").Label())
		}
	}
	w.state.Commands = append(w.state.Commands, c)
	if rapid.IntRange(0, 3).Draw(w.t, "delivered twice") == 0 {
		w.state.Commands = append(w.state.Commands, c)
	}
}
