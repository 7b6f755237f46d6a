package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
	"github.com/lockkeeper/lockkeeper/promote/step"
)

// harbour answers how a ferry does, and remembers who was asked for.
type harbour struct {
	mu    sync.Mutex
	state map[string]string // by ferry; sailing unless it says otherwise
	asked []string
}

func (h *harbour) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ferry := strings.TrimPrefix(r.URL.Path, "/ferries/")
	h.asked = append(h.asked, ferry)
	state := "sailing"
	if other, ok := h.state[ferry]; ok {
		state = other
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"state": %q}`, state)
}

func (h *harbour) set(ferry, state string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state[ferry] = state
}

// times is how often a ferry was asked for.
func (h *harbour) times(ferry string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, asked := range h.asked {
		if asked == ferry {
			n++
		}
	}
	return n
}

// working reports whether a promotion to a stage is not over.
func working(o reconcile.Outcome, stage string) bool {
	return slices.ContainsFunc(o.State.History.Promotions, func(p promote.Promotion) bool { return p.Stage.String() == stage && !p.Phase.Terminal() })
}

// askedFor lists each ferry once.
func (h *harbour) askedFor() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(h.asked)))
}

// TestFerry tells the story of a repository with rendered branches: an image travels with the configuration it was tested
// with, each stage has a branch that holds what its cluster gets, a URL says whether it works, and one stage without steps
// opens the way to two productions.
func TestFerry(t *testing.T) {
	t.Parallel()
	measured := &harbour{state: map[string]string{}}
	server := httptest.NewServer(measured)
	t.Cleanup(server.Close)
	b := bedOf(t, "ferry", "https://harbour.example.com", server.URL)
	b.reach = step.World{HTTP: func(step.HTTPOptions) *http.Client { return server.Client() }}
	b.loop = b.newLoop(b.wire)
	image := b.registry + "/harbour/ferry"
	for _, tag := range []string{"1.4.0", "2.0.0", "1.5.0-rc.1"} {
		b.push(t, image, tag)
	}
	t.Run("image and configuration are one freight", func(t *testing.T) { b.ferryFound(t) })
	t.Run("test gets a branch that holds what its cluster gets", func(t *testing.T) { b.ferryMove(t, "test", "1.4.0") })
	t.Run("uat is next by itself", func(t *testing.T) { b.ferryMove(t, "uat", "1.4.0") })
	t.Run("each was measured by its own URL", func(t *testing.T) {
		if diff := gocmp.Diff([]string{"ferry-of-test", "ferry-of-uat"}, measured.askedFor()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a retry measures once more", func(t *testing.T) {
		before := measured.times("ferry-of-uat")
		number := b.mergeRequests()[1].IID
		b.run(b.you.comment(number, "/retry"))
		outcome := b.until("uat to be measured", func(o reconcile.Outcome) bool {
			return len(promotions(o, "ferry/uat")) == 2 && !working(o, "ferry/uat")
		})
		if after := measured.times("ferry-of-uat"); after != before+1 {
			t.Errorf("measured %d times, then %d\n%s", before, after, outcome.Plan)
		}
	})
	t.Run("both productions wait until uat has soaked", func(t *testing.T) { b.ferrySoaks(t) })
	b.ahead = 25 * time.Hour
	t.Run("then both open at once", func(t *testing.T) { b.ferryArrives(t) })
	t.Run("what somebody put on a branch is not taken back by itself", func(t *testing.T) { b.ferryGoesBack(t, image) })
	t.Run("a ferry that does not sail stops its freight", func(t *testing.T) { b.ferrySinks(t, measured, image) })
}

func (b *bed) ferryFound(t *testing.T) {
	head := b.tip("main")
	outcome := b.sweep()
	freights := outcome.State.History.Freights
	if len(freights) != 1 || len(freights[0].Images) != 1 || len(freights[0].Commits) != 1 ||
		freights[0].Images[0].Tag != "1.4.0" || string(freights[0].Commits[0].ID) != head {
		t.Fatalf("freight: %+v, main is at %s", freights, head)
	}
}

// ferryMove merges what is proposed for a stage, and looks at its branch before and after.
func (b *bed) ferryMove(t *testing.T, stage, version string) {
	t.Helper()
	ref, branch := "ferry/"+stage, "env/"+stage
	outcome := b.sweep()
	change, ok := openOf(outcome, ref)
	if !ok || string(change.Target) != branch {
		t.Fatalf("change %+v of\n%s", change, outcome.Plan)
	}
	file := "ferry-" + stage + "-deployment-ferry.yaml"
	contains(t, b.text(string(change.Branch), file), "image: "+b.registry+"/harbour/ferry:"+version, "namespace: ferry-"+stage)
	contains(t, change.Description, "new `Deployment ferry` — `argocd/ferry-"+stage+"`", "✅ | application | ferry-"+stage+" authorizes ferry:"+stage)
	if have := b.status(change.Head); have != "success: all 7 gates pass" {
		t.Errorf("status %q", have)
	}
	b.redeploy() // its branch is there now
	b.you.merge(change)
	b.until(stage+" to run it", func(o reconcile.Outcome) bool { return strings.HasPrefix(stageOf(o, ref).Runs, version) })
	contains(t, b.text(branch, file), ":"+version)
	if app := b.app("ferry-" + stage); !slices.Contains(app.Synced, b.tip(branch)) {
		t.Errorf("%s is at %s, and its application %+v", branch, b.tip(branch), app)
	}
	contains(t, strings.Join(b.notes(change.Number), "\n"), "is verified in `"+ref+"`")
	if diff := gocmp.Diff([]string{"README.md", "argocd", "base", "kargo", "overlays"}, b.names("main")); diff != "" {
		t.Errorf("main was touched: %s", diff)
	}
}

// names lists what lies at the root of a branch.
func (b *bed) names(branch string) []string {
	b.t.Helper()
	tree, err := b.repo.Tree(b.t.Context(), b.tip(branch))
	if err != nil {
		b.t.Fatal(err)
	}
	entries, err := tree.ReadDir(".")
	if err != nil {
		b.t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func (b *bed) ferrySoaks(t *testing.T) {
	outcome := b.sweep()
	for _, stage := range []string{"ferry/prod-north", "ferry/prod-south"} {
		contains(t, stageOf(outcome, stage).Reason, "soaks until", "not yet verified in hotfix")
		if change, open := openOf(outcome, stage); open {
			t.Errorf("it is proposed: %+v", change)
		}
	}
	if have := promotions(outcome, "ferry/prod"); len(have) > 0 {
		t.Errorf("the stage without steps was promoted to: %v", have)
	}
}

func (b *bed) ferryArrives(t *testing.T) {
	outcome := b.sweep()
	for _, stage := range []string{"ferry/prod-north", "ferry/prod-south"} {
		if _, open := openOf(outcome, stage); !open {
			t.Fatalf("%s is not proposed:\n%s", stage, outcome.Plan)
		}
	}
	b.ferryMove(t, "prod-north", "1.4.0")
	b.ferryMove(t, "prod-south", "1.4.0")
	if hotfix := stageOf(b.sweep(), "ferry/hotfix"); hotfix.Runs != "" {
		t.Errorf("hotfix, which no policy names, runs %s", hotfix.Runs)
	}
}

// ferryGoesBack has an older version proposed than the one that runs: the files on main know nothing of it.
func (b *bed) ferryGoesBack(t *testing.T, image string) {
	b.edit("env/test", "ferry-test-deployment-ferry.yaml", "ferry:1.4.0", "ferry:1.6.0")
	b.push(t, image, "1.5.0")
	change, ok := openOf(b.sweep(), "ferry/test")
	if !ok {
		t.Fatal("1.5.0 is not proposed")
	}
	if want := "test: 1.6.0 → 1.5.0"; !strings.HasPrefix(change.Title, want) {
		t.Errorf("title %q, want %q", change.Title, want)
	}
	contains(t, change.Description, "❌ | downgrade | 1.6.0 → 1.5.0 in "+image+" of application argocd/ferry-test goes back")
	if have := b.status(change.Head); !strings.HasPrefix(have, "failed: 6 of 7 gates pass; downgrade: ") {
		t.Errorf("status %q", have)
	}
	b.run(b.you.comment(change.Number, "/promote"))
	b.until("test to run it", func(o reconcile.Outcome) bool { return strings.HasPrefix(stageOf(o, "ferry/test").Runs, "1.5.0") })
}

func (b *bed) ferrySinks(t *testing.T, measured *harbour, image string) {
	measured.set("ferry-of-test", "aground")
	b.push(t, image, "1.7.0")
	change, ok := openOf(b.sweep(), "ferry/test")
	if !ok {
		t.Fatal("1.7.0 is not proposed")
	}
	b.you.merge(change)
	outcome := b.until("the promotion to fail", func(o reconcile.Outcome) bool {
		have := promotions(o, "ferry/test")
		return strings.HasPrefix(have[len(have)-1], "1.7.0") && strings.HasSuffix(have[len(have)-1], string(promote.PhaseFailed))
	})
	for _, stage := range []string{"ferry/uat", "ferry/prod-north"} {
		if change, open := openOf(outcome, stage); open && strings.Contains(change.Title, "1.7.0") {
			t.Errorf("%s is offered it: %+v", stage, change)
		}
	}
	contains(t, strings.Join(b.notes(change.Number), "\n"), "❌", "aground")
}
