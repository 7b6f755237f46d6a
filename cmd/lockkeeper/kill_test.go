package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/ledger"
)

// serverProcess is `lockkeeper serve` as a process of its own, which can be killed and started again.
type serverProcess struct {
	*bed
	address string
	config  string

	mu  sync.Mutex
	cmd *exec.Cmd
	log processLog
}

// processLog holds what all the processes wrote.
type processLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (l *processLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns what was written so far.
func (l *processLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newServer prepares a server for a bed and its webhook. start starts it.
func newServer(b *bed) *serverProcess {
	b.t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(b.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	s := &serverProcess{bed: b, address: listener.Addr().String(), config: filepath.Join(b.dir, "lockkeeper-server.yaml")}
	if err := listener.Close(); err != nil {
		b.t.Fatal(err)
	}
	forge := forgeGitLab
	if b.github {
		forge = forgeGitHub
	}
	text := fmt.Sprintf(`listen: %q
database: %q
sweep: 1s
%s: {url: %q}
argocd: {url: %q}
outbound: {allow: [127.0.0.1]}
repositories: [{project: %s}]
`, s.address, filepath.Join(b.dir, "queue.db"), forge, b.forgeURL, b.argoURL, worldProject)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.forge.AddHook(worldProject, devforge.Hook{URL: "http://" + s.address + "/webhook/" + forge, Token: webhookToken}); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(s.kill)
	return s
}

// start runs the program: the test binary is lockkeeper when it is called so, see TestMain.
func (s *serverProcess) start() {
	s.t.Helper()
	binary, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cmd = exec.Command(binary)
	s.cmd.Args = []string{"lockkeeper", "serve", "--config", s.config, "--log-format", "json"}
	s.cmd.Env = append(os.Environ(), "LOCKKEEPER_ARGOCD_TOKEN="+argoToken)
	if s.github {
		s.cmd.Env = append(s.cmd.Env, fmt.Sprintf("LOCKKEEPER_GITHUB_APP_ID=%d", s.hubApp.id), "LOCKKEEPER_GITHUB_APP_KEY="+s.hubApp.key,
			"LOCKKEEPER_GITHUB_WEBHOOK_SECRET="+webhookToken)
	} else {
		s.cmd.Env = append(s.cmd.Env, "LOCKKEEPER_GITLAB_TOKEN="+worldToken, "LOCKKEEPER_GITLAB_WEBHOOK_TOKEN="+webhookToken)
	}
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// kill ends the process at once, as a machine does that loses its power. It may be called at any time.
func (s *serverProcess) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may be gone already
	_ = s.cmd.Wait()         // it was killed: there is no other outcome
	s.cmd = nil
}

// eventually waits until something is so.
func (s *serverProcess) eventually(what string, so func() bool) {
	s.t.Helper()
	started := time.Now()
	defer func() { s.t.Logf("%s after %s", what, time.Since(started)) }()
	limit, tick := time.After(deadline), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-limit:
			s.t.Fatalf("%s did not happen; the log is:\n%s", what, s.log.String())
		}
	}
}

// history reads the ledger as it is now.
func (s *serverProcess) history() promote.History {
	s.t.Helper()
	refs, err := s.repo.Refs(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	tip, _ := refs.Branch(string(promote.LedgerBranch))
	history, problems, err := (&ledger.Ledger{Git: s.repo}).Load(s.t.Context(), promote.Commit(tip))
	if err != nil || len(problems) != 0 {
		s.t.Fatal(err, problems)
	}
	return history
}

func (s *serverProcess) phase(stage, version string, phase promote.Phase) func() bool {
	return func() bool {
		h := s.history()
		return slices.ContainsFunc(h.Promotions, func(p promote.Promotion) bool {
			freight, _ := h.Freight(p.Stage.Project, p.Freight)
			return p.Stage.String() == stage && freight.Label() == version && p.Phase == phase
		})
	}
}

// gated waits for the open change of a stage with all gates passed.
func (s *serverProcess) gated(stage string) promote.Change {
	s.t.Helper()
	var change promote.Change
	s.eventually("an open, gated change for "+stage, func() bool {
		for _, m := range s.mergeRequests() {
			if m.State == "opened" && m.Source == "lockkeeper/"+stage {
				change = promote.Change{Number: m.IID, Head: promote.Commit(m.SHA)}
				return strings.HasPrefix(s.status(change.Head), "success")
			}
		}
		return false
	})
	return change
}

// moment says which request of the process is its last.
type moment struct {
	name  string
	match func(*http.Request) bool
}

// The process is killed when the request arrives, before it is acted on: everything before it has happened. Each process
// remembers nothing of the one before, so each finds a promotion that stopped one effect later.
func (b *bed) killMoments(merged bool) []moment {
	opens, posted, noted := posts("/merge_requests"), posts("/statuses/"), posts("/notes")
	if b.github {
		opens, posted, noted = sends(http.MethodPost, "/pulls"), sends(http.MethodPost, "/check-runs"), sends(http.MethodPost, "/comments")
	}
	if merged {
		return []moment{
			{"after the merge, before it is on record", pushes},
			{"when the delivery is over, before the note", noted},
			{"after the note, before the verification is on record", pushes},
			{"after the verification, before the next stage is proposed", opens},
		}
	}
	return []moment{
		{"before the freight and the proposal are pushed", pushes},
		{"after the proposal arrived, before the merge request", opens},
		{"after the merge request, before its status", posted},
		{"after its status, before it is on record", pushes},
	}
}

func TestKilledAtEveryMomentTheStoryEndsTheSame(t *testing.T) {
	t.Parallel()
	onBothForges(t, killed)
}

func killed(t *testing.T, b *bed) {
	b.edit("main", "kargo/warehouse.yaml", "interval: 5m0s", "interval: 1s")
	b.adopt()
	s := newServer(b)
	s.start()
	s.diesAt(b.killMoments(false), func() { s.push(t, s.image(), "1.0.2") })
	change := s.gated(devStage)
	s.diesAt(b.killMoments(true), func() { s.you.merge(change) })
	change = s.gated(prodStage)
	s.you.merge(change)
	s.eventually("the delivery to production", s.phase(prodStage, "1.0.2", promote.PhaseDelivering))
	s.kill()
	s.start()
	s.ends(t)
}

// diesAt does something and kills the process at each moment, starting it again in between.
func (s *serverProcess) diesAt(moments []moment, begin func()) {
	s.t.Helper()
	for i, at := range moments {
		died := s.dieAt(at)
		if i == 0 {
			begin()
		} else {
			s.start()
		}
		s.eventually("the moment "+at.name, func() bool {
			select {
			case <-died:
				return true
			default:
				return false
			}
		})
	}
	s.start()
}

// dieAt has the process killed at a moment. The request stays without an effect and an answer.
func (s *serverProcess) dieAt(at moment) <-chan struct{} {
	died := make(chan struct{})
	s.forge.Fault(func(r *http.Request) bool {
		if !byBot(r) || !at.match(r) {
			return false
		}
		s.kill()
		close(died)
		return true
	}, devforge.Hang())
	return died
}

// ends waits until the release is in production and checks that nothing happened twice.
func (s *serverProcess) ends(t *testing.T) {
	t.Helper()
	s.eventually("production to run 1.0.2", s.phase(prodStage, "1.0.2", promote.PhaseSucceeded))
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if err := s.forge.Flush(ctx); err != nil {
		t.Error(err)
	}
	var requests []string
	for _, m := range s.mergeRequests() {
		requests = append(requests, m.State+" "+m.Source)
		if notes := s.notes(m.IID); len(notes) != 1 || !strings.Contains(notes[0], "✅ `1.0.2` is verified") {
			t.Errorf("notes on %s: %q", m.Source, notes)
		}
	}
	if diff := cmp.Diff([]string{"merged lockkeeper/" + devStage, "merged lockkeeper/" + prodStage}, requests); diff != "" {
		t.Errorf("merge requests: %s", diff)
	}
	h := s.history()
	var facts []string
	for _, p := range h.Promotions {
		freight, _ := h.Freight(p.Stage.Project, p.Freight)
		facts = append(facts, fmt.Sprintf("%s %d %s %s", p.Stage, p.Number, freight.Label(), p.Phase))
	}
	for _, v := range h.Verifications {
		freight, _ := h.Freight(v.Stage.Project, v.Freight)
		facts = append(facts, fmt.Sprintf("%s verified %s", v.Stage, freight.Label()))
	}
	slices.Sort(facts)
	want := []string{
		devStage + " 1 1.0.1 Succeeded", devStage + " 2 1.0.2 Succeeded", devStage + " verified 1.0.1", devStage + " verified 1.0.2",
		prodStage + " 1 1.0.1 Succeeded", prodStage + " 2 1.0.2 Succeeded", prodStage + " verified 1.0.1", prodStage + " verified 1.0.2",
	}
	if diff := cmp.Diff(want, facts); diff != "" {
		t.Errorf("ledger: %s", diff)
	}
	if len(h.Freights) != 2 || len(h.Requests)+len(h.Holds) != 0 {
		t.Errorf("freight %v, requests %v, holds %v", h.Freights, h.Requests, h.Holds)
	}
	for _, name := range []string{devFile, prodFile} {
		contains(t, s.text("main", name), `tag: "1.0.2"`)
	}
}
