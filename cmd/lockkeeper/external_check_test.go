package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/internal/forge/gitlab"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

const externalCheckName = "lockkeeper"

func atOnce(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// now is the time of the loops.
func (b *bed) now() time.Time { return time.Now().Add(b.ahead) }

// answersCheck gives the loop an adapter, and a memory, that answer an external status check.
func (b *bed) answersCheck() {
	b.t.Helper()
	forge, err := gitlab.New(gitlab.Config{
		URL: b.forgeURL, Project: worldProject, Token: worldToken, ExternalStatusCheck: externalCheckName,
		HTTPClient: &http.Client{Transport: b.wire}, Sleep: atOnce, Now: b.now,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := forge.Settings(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.loop = b.newLoop(b.wire)
	b.loop.Forge, b.loop.Deployer = forge, forge
}

// requireChecks lets nothing be merged that an external status check has not passed.
func (b *bed) requireChecks() {
	b.t.Helper()
	if err := b.forge.Change(worldProject, func(s *devforge.Settings) { s.Ultimate, s.StatusChecksMustPass = true, true }); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) createCheck(name string) {
	b.t.Helper()
	b.you.do(http.MethodPost, "external_status_checks", url.Values{"name": {name}, "external_url": {"https://checks.example.com/" + name}})
}

// checkSays is what our external status check says of a change.
func (b *bed) checkSays(number int) string {
	b.t.Helper()
	var all []struct{ Name, Status string }
	b.you.read(fmt.Sprintf("merge_requests/%d/status_checks", number), &all)
	for _, one := range all {
		if one.Name == externalCheckName {
			return one.Status
		}
	}
	return ""
}

// lookOnce runs the loop once, however it ends, and returns the first stage's change.
func (b *bed) lookOnce() promote.Change {
	b.t.Helper()
	outcome, err := b.loop.Run(b.t.Context(), reconcile.Options{Events: everything()})
	if refused, ok := errors.AsType[*promote.APIError](err); err != nil && !ok {
		b.t.Fatalf("run: %v", err)
	} else if ok && !strings.Contains(refused.Operation, "status check") {
		b.t.Fatalf("run: %v", err)
	}
	change, ok := openOf(outcome, devStage)
	if !ok && err == nil {
		b.t.Fatalf("no change; the plan is:\n%s", outcome.Plan)
	}
	return change
}

// TestAnExternalStatusCheckHearsTheVerdictInTheEnd whatever became of the first answer, and costs nothing once it has.
func TestAnExternalStatusCheckHearsTheVerdictInTheEnd(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.requireChecks()
	b.answersCheck()
	b.adopt()
	answers, lists := posts("/status_check_responses"), sends(http.MethodGet, "/external_status_checks")
	restart := func() { b.answersCheck() }
	later := func() { b.ahead += 11 * time.Minute }
	for i, tt := range []struct {
		name  string
		match func(*http.Request) bool
		kind  devforge.FaultKind
		then  func() // after the first run
	}{
		{"the check is made after the status", nil, devforge.FaultKind{}, func() { b.createCheck(externalCheckName); later() }},
		{"nothing goes wrong", nil, devforge.FaultKind{}, nil},
		{"the answer is refused once", answers, devforge.Answer(http.StatusInternalServerError, 0), nil},
		{"the answer is refused once, and the process ends", answers, devforge.Answer(http.StatusInternalServerError, 0), restart},
		{"what GitLab says to the answer is lost", answers, devforge.LoseAnswer(), nil},
		{"one stray 404", answers, devforge.Answer(http.StatusNotFound, 0), nil},
		{"one stray 403", answers, devforge.Answer(http.StatusForbidden, 0), later},
		{"one stray 403, and the process ends", answers, devforge.Answer(http.StatusForbidden, 0), restart},
		{"the checks cannot be listed once", lists, devforge.Answer(http.StatusInternalServerError, 0), nil},
	} {
		if tt.match != nil {
			b.forge.Fault(func(r *http.Request) bool { return byBot(r) && tt.match(r) }, tt.kind)
		}
		if i > 0 {
			later() // what is known of the project is asked for anew
		}
		b.push(t, b.image(), fmt.Sprintf("1.0.%d", i+2))
		b.lookOnce()
		if tt.then != nil {
			tt.then()
		}
		var change promote.Change
		for range 3 {
			change = b.lookOnce()
		}
		if says := b.checkSays(change.Number); says != "passed" || change.Merge != promote.MergeReady {
			t.Fatalf("%s: the check says %q, and GitLab of the change: %s %s", tt.name, says, b.status(change.Head), change.Reason)
		}
		b.wire.reset()
		b.lookOnce()
		if api, _ := b.wire.requests(); slices.ContainsFunc(api, func(line string) bool {
			return strings.Contains(line, "status") && !strings.Contains(line, "merge_status")
		}) {
			t.Errorf("%s: it is not quiet afterwards: %q", tt.name, api)
		}
	}
}

// TestAnExternalStatusCheckThatPassedTakesItBack: a gate closes, nobody hears of it, and the process ends.
func TestAnExternalStatusCheckThatPassedTakesItBack(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.requireChecks()
	b.createCheck(externalCheckName)
	b.answersCheck()
	b.adopt()
	b.push(t, b.image(), "1.0.2")
	b.lookOnce()
	change := b.lookOnce()
	if says := b.checkSays(change.Number); says != "passed" {
		t.Fatalf("the check says %q", says)
	}
	b.oci.answer(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/manifests/1.0.2") }, http.StatusNotFound, `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`)
	b.forge.Fault(func(r *http.Request) bool { return byBot(r) && posts("/status_check_responses")(r) }, devforge.Answer(http.StatusInternalServerError, 0))
	b.loop.Forget()
	b.lookOnce()
	if says := b.checkSays(change.Number); says != "passed" || !strings.HasPrefix(b.status(change.Head), "failed: ") {
		t.Fatalf("the check says %q, the status %q", says, b.status(change.Head))
	}
	b.answersCheck()
	b.lookOnce()
	if says := b.checkSays(change.Number); says != "failed" {
		t.Errorf("the check says %q", says)
	}
}

// TestAChangeThatAnotherCheckBlocksIsNotPostedAgain: what it waits for is not ours to give.
func TestAChangeThatAnotherCheckBlocksIsNotPostedAgain(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.requireChecks()
	b.createCheck(externalCheckName)
	b.createCheck("compliance")
	b.answersCheck()
	b.adopt()
	b.push(t, b.image(), "1.0.2")
	b.lookOnce()
	b.wire.reset()
	for range 3 {
		if change := b.lookOnce(); change.Merge != promote.MergeBlocked {
			t.Fatalf("the change is %+v", change)
		}
	}
	b.ahead += 11 * time.Minute
	b.lookOnce()
	api, _ := b.wire.requests()
	if asked := slices.DeleteFunc(api, func(line string) bool { return !strings.Contains(line, "/status") }); len(asked) != 2 {
		t.Errorf("after it was answered it was asked for: %q", asked)
	}
}
