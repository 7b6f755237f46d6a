package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/ledger"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// forgeCalls are requests of one promotion, from the release to the verification, which a stray refusal must not decide anything by. What
// does not depend on the word of the refusal befalls every route, see TestEveryRouteFailsAndTheStoryEndsTheSame.
func (b *bed) forgeCalls() []func(*http.Request) bool {
	if b.github {
		return []func(*http.Request) bool{
			sends(http.MethodPost, "/api/graphql"), sends(http.MethodPost, "/pulls"), sends(http.MethodPatch, "/issues/1"), posts("/check-runs"),
			sends(http.MethodGet, "/issues/1/comments"), sends(http.MethodPost, "/issues/1/comments"), sends(http.MethodGet, "/deployments"),
			sends(http.MethodPost, "/deployments"), posts("/statuses"), posts("/access_tokens"), sends(http.MethodGet, "/info/refs"), pushes,
		}
	}
	return []func(*http.Request) bool{
		sends(http.MethodGet, "/merge_requests"), sends(http.MethodPost, "/merge_requests"), posts("/statuses/"),
		sends(http.MethodGet, "/merge_requests/1"), sends(http.MethodGet, "/merge_requests/1/notes"), sends(http.MethodPost, "/merge_requests/1/notes"),
		sends(http.MethodGet, "/info/refs"), pushes,
	}
}

func TestStrayRefusalsChangeNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		kind devforge.FaultKind
		says string // in one of the errors on the way
	}{
		{"401", devforge.Answer(401, 0), "HTTP 401"},
		{"403", devforge.Answer(403, 0), "HTTP 403"},
		{"404", devforge.Answer(404, 0), "HTTP 404"},
		{"409", devforge.Answer(409, 0), ""},
		{"422", devforge.Answer(422, 0), "HTTP 422"},
		{"429 with Retry-After", devforge.Answer(429, time.Second), "tried again"},
		{"it hangs", devforge.Hang(), "did not answer within"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			onBothForges(t, func(t *testing.T, b *bed) {
				b.adopt()
				if tt.name == "it hangs" {
					b.patience = 300 * time.Millisecond
					b.loop = b.newLoop(b.wire)
				}
				for _, call := range b.forgeCalls() {
					b.forge.Fault(func(r *http.Request) bool { return byBot(r) && call(r) }, tt.kind)
				}
				said := b.promotesDespite(t)
				if !strings.Contains(strings.Join(said, "\n"), tt.says) {
					t.Errorf("%q was not said:\n%s", tt.says, strings.Join(said, "\n"))
				}
			})
		})
	}
}

// byBot reports whether a request is the bot's: no person's and not one of the world's own.
func byBot(r *http.Request) bool {
	_, password, _ := r.BasicAuth()
	switch bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); {
	case r.Header.Get("Private-Token") == worldToken, password == worldToken:
		return true
	case strings.HasPrefix(password, "ghs_"), strings.HasPrefix(bearer, "ghs_"), strings.HasPrefix(bearer, "ey"):
		return true // an App, with a token of its installation or by its own signature
	}
	return false
}

func gatesPass(o reconcile.Outcome, stage string) bool {
	s := stageOf(o, stage)
	return len(s.Gates) > 0 && s.Gates.Verdict() == promote.Pass
}

// despite runs the loop until something is so, as the bot does: what fails is tried again, as late as the forge asks.
func (b *bed) despite(said *[]string, what string, so func(reconcile.Outcome) bool) reconcile.Outcome {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), deadline)
	defer cancel()
	for ctx.Err() == nil {
		outcome, err := b.loop.Run(ctx, reconcile.Options{Events: everything()})
		if err != nil {
			*said = append(*said, err.Error())
			if refused, ok := errors.AsType[*promote.APIError](err); ok {
				b.ahead += refused.RetryAfter
			}
		} else if so(outcome) {
			return outcome
		}
	}
	b.t.Fatalf("%s did not happen; the errors were:\n%s", what, strings.Join(*said, "\n"))
	return reconcile.Outcome{}
}

// promotesDespite releases 1.0.2, merges it for dev, and checks that it ends as ever. It returns the errors on the way.
func (b *bed) promotesDespite(t *testing.T) []string {
	t.Helper()
	var said []string
	b.push(t, b.image(), "1.0.2")
	change, _ := openOf(b.despite(&said, "the change", func(o reconcile.Outcome) bool { return gatesPass(o, devStage) }), devStage)
	b.you.merge(change)
	b.sameAsEver(t, b.despite(&said, "dev to run 1.0.2", delivered))
	return said
}

// delivered says whether dev runs 1.0.2 and production's change passes.
func delivered(o reconcile.Outcome) bool {
	return runs(devStage, "1.0.2")(o) && gatesPass(o, prodStage)
}

// sameAsEver checks what dev's promotion of 1.0.2 leaves behind whatever went wrong on the way.
func (b *bed) sameAsEver(t *testing.T, outcome reconcile.Outcome) {
	t.Helper()
	if diff := cmp.Diff([]string{"1.0.1 Succeeded", "1.0.2 Succeeded"}, promotions(outcome, devStage)); diff != "" {
		t.Error(diff)
	}
	var have []string
	for _, m := range b.mergeRequests() {
		have = append(have, m.State+" "+m.Source)
	}
	if diff := cmp.Diff([]string{"merged lockkeeper/" + devStage, "opened lockkeeper/" + prodStage}, have); diff != "" {
		t.Error(diff)
	}
	if notes := b.notes(1); len(notes) != 1 {
		t.Errorf("notes: %q", notes)
	}
	if change, ok := openOf(outcome, prodStage); !ok || b.status(change.Head) != "success: all 7 gates pass" {
		t.Errorf("production's change is %+v with status %q", change, b.status(change.Head))
	}
}

func TestWebhooksTwiceLateAgainAndForged(t *testing.T) {
	t.Parallel()
	for name, github := range map[string]bool{"gitlab": false, "github": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			webhooksTwiceLateAgainAndForged(t, startWorldWith(t, worldConfig{github: github}))
		})
	}
}

func webhooksTwiceLateAgainAndForged(t *testing.T, w *world) {
	ctx, stop := context.WithCancel(t.Context())
	outcomes := make(chan reconcile.Outcome, 4096)
	stopped, err := startDemoBot(ctx, w, func(o reconcile.Outcome) { outcomes <- o })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	b := &bed{world: w, t: t}
	b.you = b.actor(worldPerson, devforge.AccessMaintainer)
	wait := func(what string, so func(reconcile.Outcome) bool) reconcile.Outcome {
		t.Helper()
		limit := time.After(deadline)
		for {
			select {
			case o := <-outcomes:
				if so(o) {
					return o
				}
			case <-limit:
				t.Fatalf("%s did not happen", what)
			}
		}
	}
	wait("the adoption", allRun("1.0.1"))
	merges := func(r *http.Request) bool {
		return r.Header.Get("X-Gitlab-Event") == "Merge Request Hook" || r.Header.Get("X-GitHub-Event") == "pull_request"
	}
	w.forge.Fault(merges, devforge.DuplicateHook(), devforge.LateHook(), devforge.DuplicateHook(), devforge.LateHook())
	w.push(t, w.image(), "1.0.2")
	change, _ := openOf(wait("the change", func(o reconcile.Outcome) bool { return gatesPass(o, devStage) }), devStage)
	b.you.merge(change)
	outcome := wait("production's change", delivered)
	b.sameAsEver(t, outcome)
	sent := w.forge.Deliveries()
	for _, d := range sent {
		if err := w.forge.Redeliver(d.ID); err != nil {
			t.Error(err)
		}
	}
	if err := w.forge.Flush(ctx); err != nil {
		t.Error(err)
	}
	b.refusesForged(t, sent[0].URL)
	b.sameAsEver(t, outcome)
}

// refusesForged sends what no forge of ours sent.
func (b *bed) refusesForged(t *testing.T, target string) {
	body := `{"object_kind":"push","ref":"refs/heads/main","project":{"path_with_namespace":"` + worldProject + `"}}`
	for _, tt := range []struct {
		name, token string
		body        string
		want        int
	}{
		{"the right token", webhookToken, body, http.StatusAccepted},
		{"a wrong token", "guess", body, http.StatusUnauthorized},
		{"no token", "", body, http.StatusUnauthorized},
		{"30 MiB", webhookToken, `{"pad":"` + strings.Repeat("x", 30<<20) + `"}`, http.StatusRequestEntityTooLarge},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		switch {
		case b.github:
			request.Header.Set("X-GitHub-Event", "push")
			if tt.token != "" {
				request.Header.Set("X-Hub-Signature-256", hubSignature(tt.token, tt.body))
			}
		default:
			request.Header.Set("X-Gitlab-Event", "Push Hook")
			if tt.token != "" {
				request.Header.Set("X-Gitlab-Token", tt.token)
			}
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		_ = response.Body.Close()
		if response.StatusCode != tt.want {
			t.Errorf("%s: HTTP %d, want %d", tt.name, response.StatusCode, tt.want)
		}
	}
}

func hubSignature(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// TestAForgeThatFailsAtRandom goes through the story while one request of the bot in three comes to nothing, or does and the answer
// is lost.
func TestAForgeThatFailsAtRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			onBothForges(t, func(t *testing.T, b *bed) {
				b.adopt()
				dice := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // the same every time
				kinds := []devforge.FaultKind{
					devforge.Answer(500, 0), devforge.BadGateway(), devforge.Answer(403, 0), devforge.Answer(429, time.Second),
					devforge.LoseAnswer(), devforge.CutAnswer(), devforge.Answer(404, 0), devforge.Answer(409, 0),
				}
				for range 40 {
					kind, skip := kinds[dice.IntN(len(kinds))], dice.IntN(3)
					var mu sync.Mutex
					b.forge.Fault(func(r *http.Request) bool {
						mu.Lock()
						defer mu.Unlock()
						if !byBot(r) {
							return false
						}
						skip--
						return skip < 0
					}, kind)
				}
				b.promotesDespite(t)
			})
		})
	}
}

func TestRegistryIsDownForAWhile(t *testing.T) {
	t.Parallel()
	always := func(*http.Request) bool { return true }
	for _, tt := range []struct {
		name   string
		status int
		says   string
	}{
		{"401", http.StatusUnauthorized, "credentials"},
		{"503", http.StatusServiceUnavailable, "503"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.oci.answer(always, tt.status, `{"errors":[]}`)
			status := stageOf(b.sweep(), devStage)
			if status.Verdict != promote.Wait {
				t.Errorf("verdict %s", status.Verdict)
			}
			contains(t, status.Reason, "no freight: warehouse frontend-dev-image", tt.says, b.registry)
			b.oci.reset()
			b.adopt()
			change := b.propose("1.0.2")
			b.oci.answer(always, tt.status, `{"errors":[]}`)
			b.loop.Forget()
			gate := gateOf(stageOf(b.sweep(), devStage), promote.GateImage)
			if gate.Verdict != promote.Wait || !strings.HasPrefix(b.status(change.Head), "pending: 6 of 7 gates pass; image:") {
				t.Errorf("the gate says %s: %s; the status %q", gate.Verdict, gate.Reason, b.status(change.Head))
			}
			b.oci.reset()
			b.loop.Forget()
			b.sweep()
			if have := b.status(change.Head); have != "success: all 7 gates pass" {
				t.Errorf("status %q", have)
			}
		})
	}
}

func TestTagThatWasPushedAgainIsHeldBack(t *testing.T) {
	b, change := proposed(t)
	b.oci.answer(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/manifests/1.0.2") }, http.StatusNotFound, `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`)
	b.loop.Forget()
	b.sweep()
	if have := b.status(change.Head); !strings.HasPrefix(have, "failed: 6 of 7 gates pass; image:") || !strings.Contains(have, "is gone from its registry") {
		t.Errorf("status %q", have)
	}
}

func TestMainMovesWhileAProposalIsMade(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.adopt()
	b.push(t, b.image(), "1.0.2")
	moved := ""
	b.oci.once(func(*http.Request) bool { return true }, func() { moved = b.edit("main", devFile, "replicas: 1", "replicas: 4") })
	outcome := b.sweep()
	change, ok := openOf(outcome, devStage)
	if !ok {
		t.Fatalf("no change:\n%s", outcome.Plan)
	}
	b.tip(string(change.Branch))
	info, err := b.repo.CommitInfo(t.Context(), string(change.Head))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{moved}, info.Parents); diff != "" {
		t.Errorf("it is not made on the new tip: %s", diff)
	}
	contains(t, b.text(string(change.Branch), devFile), "replicas: 4", `tag: "1.0.2"`)
}

func TestProposalBranchMovesWhileItIsReplaced(t *testing.T) {
	b, first := proposed(t)
	b.push(t, b.image(), "1.0.3")
	theirs := ""
	b.wire.once(pushes, func() { theirs = b.edit(string(first.Branch), devFile, "replicas: 1", "replicas: 9") })
	outcome := b.sweep()
	change, ok := openOf(outcome, devStage)
	if !ok || change.Number != first.Number || string(change.Head) == theirs {
		t.Fatalf("the change is %+v:\n%s", change, outcome.Plan)
	}
	active, _ := outcome.State.History.Active(promote.StageRef{Project: "develop", Name: "frontend-dev-stage"})
	if active.Head != change.Head {
		t.Errorf("on record is %s, the change is at %s", active.Head, change.Head)
	}
	contains(t, b.text(string(change.Branch), devFile), "replicas: 1", `tag: "1.0.3"`)
	if have := promotions(outcome, devStage); have[len(have)-1] != "1.0.3 Proposed" || slices.Contains(have, "1.0.2 Proposed") {
		t.Errorf("promotions: %v", have)
	}
}

func TestLedgerIsWrittenByAnotherProcess(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.adopt()
	b.push(t, b.image(), "1.0.2")
	prod := promote.StageRef{Project: "develop", Name: "frontend-prod-stage"}
	b.wire.once(pushes, func() {
		other := ledger.Ledger{Git: b.repo}
		_, err := other.Append(t.Context(), ledger.Entry{
			Tip: promote.Commit(b.tip(string(promote.LedgerBranch))), Message: "Hold", When: time.Now(),
			Records: []ledger.Record{promote.Hold{Stage: prod, By: "ada", At: time.Now()}},
		})
		if err != nil {
			t.Error(err)
		}
	})
	outcome := b.sweep()
	if _, held := outcome.State.History.Hold(prod); !held {
		t.Error("the other's hold is lost")
	}
	if diff := cmp.Diff([]string{"1.0.1 Succeeded", "1.0.2 Proposed"}, promotions(outcome, devStage)); diff != "" {
		t.Error(diff)
	}
	if len(b.mergeRequests()) != 1 {
		t.Errorf("merge requests: %+v", b.mergeRequests())
	}
}

func TestTwoProcessesDoTheWorkOfOne(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.adopt()
	loops := []*reconcile.Reconciler{b.loop, b.newLoop(&wire{})}
	together := func(so func(reconcile.Outcome) bool) reconcile.Outcome {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		for {
			var wg sync.WaitGroup
			outcomes, errs := make([]reconcile.Outcome, len(loops)), make([]error, len(loops))
			for i, loop := range loops {
				wg.Go(func() {
					outcomes[i], errs[i] = loop.Run(ctx, reconcile.Options{Events: everything()})
				})
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			if so(outcomes[0]) {
				return outcomes[0]
			}
		}
	}
	b.push(t, b.image(), "1.0.2")
	change, _ := openOf(together(func(o reconcile.Outcome) bool { return gatesPass(o, devStage) }), devStage)
	b.you.merge(change)
	b.sameAsEver(t, together(delivered))
}
