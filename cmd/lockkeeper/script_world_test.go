package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// scenario is what a scenario has beside its files, and scenarioKey where its commands find it.
type (
	scenario    struct{ world *world }
	scenarioKey struct{}
)

// worldCommands are the commands of scenarios that need a forge, a registry and Argo CD.
func worldCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"world": worldCommand, "push": pushCommand, "merge": mergeCommand, "close": closeCommand, "exits": exitsCommand, "reads": readsCommand,
		"expand": expandCommand,
	}
}

// worldCommand is `world [github]`.
func worldCommand(ts *testscript.TestScript, neg bool, args []string) {
	onGitHub := len(args) == 1 && args[0] == forgeGitHub
	if neg || len(args) != 0 && !onGitHub {
		ts.Fatalf("usage: world [github]")
	}
	ctx := context.Background()
	w, err := newWorld(ctx, worldConfig{dir: filepath.Join(ts.Getenv("WORK"), ".world"), log: slog.New(slog.DiscardHandler), github: onGitHub})
	ts.Check(err)
	tokenVariable := "LOCKKEEPER_GITLAB_TOKEN"
	if onGitHub {
		tokenVariable = "LOCKKEEPER_GITHUB_TOKEN"
		ts.Check(errors.Join(w.forge.AddMember(worldProject, worldBot, devforge.AccessOwner), w.forge.SetRules(worldProject, "main", nil)))
	}
	ts.Defer(func() { _ = w.close() })
	for _, tag := range []string{"1.0.0", "1.0.1"} {
		ts.Check(pushImage(ctx, w.image(), tag))
	}
	for name, value := range map[string]string{
		"FORGE_URL": w.forgeURL, "ARGOCD_URL": w.argoURL, "REGISTRY": w.registry, "PROJECT": worldProject,
		tokenVariable: worldToken, "LOCKKEEPER_ARGOCD_URL": w.argoURL, "LOCKKEEPER_ARGOCD_TOKEN": argoToken,
		"LOCKKEEPER_OUTBOUND_ALLOW": strings.Join(worldAllow(), ","),
	} {
		ts.Setenv(name, value)
	}
	scenarioOf(ts).world = w
}

func scenarioOf(ts *testscript.TestScript) *scenario {
	return ts.Value(scenarioKey{}).(*scenario) //nolint:forcetypeassert // isolate put it there
}

func worldOf(ts *testscript.TestScript) *world {
	w := scenarioOf(ts).world
	if w == nil {
		ts.Fatalf("this scenario has no world: begin it with the command world")
	}
	return w
}

// pushCommand is `push TAG`.
func pushCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: push TAG")
	}
	ts.Check(pushImage(context.Background(), worldOf(ts).image(), args[0]))
}

// mergeCommand is `merge NUMBER`.
func mergeCommand(ts *testscript.TestScript, neg bool, args []string) {
	changeRequest(ts, neg, args, "merge NUMBER", "/merge", url.Values{"should_remove_source_branch": {"true"}})
}

// closeCommand is `close NUMBER`.
func closeCommand(ts *testscript.TestScript, neg bool, args []string) {
	changeRequest(ts, neg, args, "close NUMBER", "", url.Values{"state_event": {"close"}})
}

// changeRequest changes a merge request as a person who looks at it now.
func changeRequest(ts *testscript.TestScript, neg bool, args []string, usage, path string, form url.Values) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: %s", usage)
	}
	target := worldOf(ts).forgeURL + "/api/v4/projects/" + url.PathEscape(worldProject) + "/merge_requests/" + args[0]
	var shown mergeRequest
	ts.Check(json.Unmarshal(asPerson(ts, http.MethodGet, target, nil), &shown))
	form.Set("sha", shown.SHA)
	asPerson(ts, http.MethodPut, target+path, form)
}

func asPerson(ts *testscript.TestScript, method, target string, form url.Values) []byte {
	request, err := http.NewRequestWithContext(context.Background(), method, target, strings.NewReader(form.Encode()))
	ts.Check(err)
	request.Header.Set("Private-Token", personToken)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	if response.StatusCode != http.StatusOK {
		ts.Fatalf("%s %s: HTTP %d: %s", method, target, response.StatusCode, body)
	}
	return body
}

// exitsCommand is `exits CODE PROGRAM [ARG...]`.
func exitsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if failure, ok := errors.AsType[*exec.ExitError](err); ok {
		got = failure.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// readsCommand is `[!] reads PROGRAM [ARG...]`.
func readsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: [!] reads PROGRAM [ARG...]")
	}
	w := worldOf(ts)
	before, err := w.repo.Refs(context.Background())
	ts.Check(err)
	w.forge.ResetCalls()
	if err := ts.Exec(args[0], args[1:]...); (err != nil) != neg {
		ts.Fatalf("unexpected result: %v", err)
	}
	after, err := w.repo.Refs(context.Background())
	ts.Check(err)
	if diff := cmp.Diff(before, after); diff != "" {
		ts.Fatalf("it moved branches (-before +after):\n%s", diff)
	}
	for _, call := range w.forge.Calls() {
		if call.Method != http.MethodGet {
			ts.Fatalf("it wrote to the forge: %s %s", call.Method, call.Path)
		}
	}
}

// expandCommand is `expand FILE`.
func expandCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o600))
}
