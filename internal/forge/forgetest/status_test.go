package forgetest

import (
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

var statusRows = []row{
	{name: "a status goes from pending to success to failed and back", run: statusMoves},
	{name: "the same status twice is there once", run: statusTwice},
	{name: "somebody else's status of that name is not ours", run: othersStatus},
	{name: "a commit without a status has none", run: noStatus},
}

func statusMoves(g *ground) {
	change, _ := g.opened()
	for _, state := range []promote.StatusState{promote.StatusPending, promote.StatusSuccess, promote.StatusFailed, promote.StatusSuccess, promote.StatusPending} {
		posted := gates(change, state, "it is "+state.String())
		if err := post(g.Context(), g.adapter, posted); err != nil {
			g.Fatalf("%s: %v", state, err)
		}
		for name, f := range map[string]adapter{"the same": g.adapter, "another": g.fresh(g.T, connection{})} {
			got, found, err := f.Status(g.Context(), change.Head, promote.StatusName)
			if err != nil || !found {
				g.Fatalf("%s, read by %s: found %t, %v", state, name, found, err)
			}
			want := posted.Status
			if g.kind == gitHubApp {
				want.URL = got.URL // A check run leads to its own page.
			}
			if diff := cmp.Diff(want, got); diff != "" {
				g.Errorf("%s, read by %s: %s", state, name, diff)
			}
		}
	}
}

func statusTwice(g *ground) {
	change, _ := g.opened()
	g.gate(change, promote.StatusPending)
	g.gate(change, promote.StatusSuccess)
	before := g.statuses(g, change.Head, promote.StatusName)
	for _, f := range []adapter{g.adapter, g.fresh(g.T, connection{}), g.adapter} {
		if err := post(g.Context(), f, gates(change, promote.StatusSuccess, "success, says the suite")); err != nil {
			g.Fatal(err)
		}
	}
	if got := g.statuses(g, change.Head, promote.StatusName); len(before) == 0 || !slices.Equal(got, before) {
		g.Errorf("statuses are %q, want %q as before", got, before)
	}
}

func othersStatus(g *ground) {
	change, p := g.opened()
	g.report(g, lea, report{head: p.head, branch: p.branch, name: promote.StatusName, state: promote.StatusSuccess})
	if got, found, err := g.Status(g.Context(), p.head, promote.StatusName); err != nil || found {
		g.Errorf("got %+v, found %t, %v", got, found, err)
	}
	g.gate(change, promote.StatusFailed)
	if got, found, err := g.Status(g.Context(), p.head, promote.StatusName); err != nil || !found || got.State != promote.StatusFailed {
		g.Errorf("got %+v, found %t, %v", got, found, err)
	}
	if got, found, err := g.Status(g.Context(), p.head, "lockkeeper/other"); err != nil || found {
		g.Errorf("of another name: got %+v, found %t, %v", got, found, err)
	}
}

func noStatus(g *ground) {
	_, p := g.opened()
	if got, found, err := g.Status(g.Context(), p.head, promote.StatusName); err != nil || found {
		g.Errorf("got %+v, found %t, %v", got, found, err)
	}
}
