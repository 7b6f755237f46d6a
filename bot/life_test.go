package bot

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// victimDatabase makes the test binary a bot on that file, which serves until it is killed.
const victimDatabase = "LOCKKEEPER_TEST_VICTIM_DATABASE"

func TestMain(m *testing.M) {
	if database := os.Getenv(victimDatabase); database != "" {
		victim(database)
	}
	os.Exit(m.Run())
}

// victim prints its address, and the changes of each run, which never ends.
func victim(database string) {
	runner := runnerFunc(func(ctx context.Context, events []promote.Event) (reconcile.Outcome, error) {
		if changes := changesOf(events); len(changes) > 0 {
			fmt.Println("run", changes)
			<-ctx.Done()
		}
		return reconcile.Outcome{}, nil
	})
	b, err := New(context.Background(), testConfig(database, map[string]Runner{"app": runner}))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(httptest.NewServer(b.Handler()).URL)
	if os.Getenv("LOCKKEEPER_TEST_VICTIM_IDLE") != "" {
		select {}
	}
	fmt.Println(b.Run(context.Background()))
}

type process struct {
	url   string
	lines *bufio.Scanner
	kill  func()
}

func spawn(t *testing.T, database string, env ...string) process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), victimDatabase+"="+database), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := process{lines: bufio.NewScanner(out), kill: func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}}
	t.Cleanup(p.kill)
	p.url = p.line(t)
	return p
}

func (p process) line(t *testing.T) string {
	t.Helper()
	if !p.lines.Scan() {
		t.Fatalf("the process says nothing more: %v", p.lines.Err())
	}
	return p.lines.Text()
}

func (p process) post(t *testing.T, change int) {
	t.Helper()
	body := fmt.Sprintf(`{"id":"%d","project":"app","change":%d}`, change, change)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/webhook/test", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Token", "secret")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		t.Fatalf("got %s, want 202", response.Status)
	}
}

func TestKilledProcessLosesNothing(t *testing.T) {
	for _, test := range []struct {
		name string
		life func(t *testing.T, database string)
	}{
		{"before its workers ran", func(t *testing.T, database string) {
			p := spawn(t, database, "LOCKKEEPER_TEST_VICTIM_IDLE=1")
			p.post(t, 1)
			p.post(t, 2)
			p.kill()
		}},
		{"during a run, with more waiting", func(t *testing.T, database string) {
			p := spawn(t, database)
			p.post(t, 1)
			if got := p.line(t); got != "run [1]" {
				t.Fatalf("got %q, want the run of event 1", got)
			}
			p.post(t, 2)
			p.kill()
		}},
		{"twice", func(t *testing.T, database string) {
			p := spawn(t, database)
			p.post(t, 1)
			p.line(t)
			p.kill()
			p = spawn(t, database)
			if got := p.line(t); got != "run [1]" {
				t.Fatalf("got %q, want the run of event 1", got)
			}
			p.post(t, 2)
			p.kill()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			database := tempFile(t)
			test.life(t, database)
			runner := newRecorder()
			b := open(t, testConfig(database, map[string]Runner{"app": runner}))
			if got := post(t, b, payload{ID: "1", Project: "app", Change: 1}); got.Code != http.StatusOK {
				t.Errorf("event 1 once more: got %d, want 200", got.Code)
			}
			stop := start(t, b)
			// Nothing here waits for River to rescue the job of the dead process, which takes minutes.
			this := receive(t, runner.runs, "run in the next process")
			wantChanges(t, this, 1, 2)
			this.end <- nil
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDrainWaitsForTheRun(t *testing.T) {
	runner := newRecorder()
	database := tempFile(t)
	b := open(t, testConfig(database, map[string]Runner{"app": runner}))
	mustAdd(t, b, "app", 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	this := receive(t, runner.runs, "run")
	mustAdd(t, b, "app", 2)
	cancel()
	for b.queue.started.Load() {
		runtime.Gosched()
	}
	if err := this.ctx.Err(); err != nil {
		t.Errorf("the run was ended: %v", err)
	}
	this.end <- nil
	if err := receive(t, ended, "end"); err != nil {
		t.Fatal(err)
	}
	if err := b.Notify(t.Context(), "app", promote.Event{}); !errors.Is(err, errClosed) {
		t.Errorf("an event after the end: got %v, want %v", err, errClosed)
	}
	next := open(t, testConfig(database, map[string]Runner{"app": runner}))
	if diff := cmp.Diff([]int{2}, waiting(t, next, "app")); diff != "" {
		t.Errorf("events for the next process (-want +got):\n%s", diff)
	}
}

func TestDrainInterruptsARunThatTakesTooLong(t *testing.T) {
	runner := newRecorder()
	database := tempFile(t)
	for range maxAttempts + 1 { // Interruptions are no attempts.
		b := open(t, testConfig(database, map[string]Runner{"app": runner}))
		b.patience.end = time.Millisecond
		mustAdd(t, b, "app", 1)
		stop := start(t, b)
		this := receive(t, runner.runs, "run")
		wantChanges(t, this, 1)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if this.ctx.Err() == nil {
			t.Error("the run was not interrupted")
		}
	}
}

func TestDrainDoesNotWaitForeverForARunThatIgnoresIt(t *testing.T) {
	release, running := make(chan struct{}), make(chan struct{})
	defer close(release)
	runner := runnerFunc(func(context.Context, []promote.Event) (reconcile.Outcome, error) {
		close(running)
		<-release
		return reconcile.Outcome{}, nil
	})
	b := open(t, testConfig(tempFile(t), map[string]Runner{"app": runner}))
	b.patience = patience{end: time.Millisecond, notice: 50 * time.Millisecond}
	stop := start(t, b)
	receive(t, running, "run")
	if err := stop(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the run could not be interrupted", err)
	}
}

func TestSweepAtTheStartAndFromTimeToTime(t *testing.T) {
	seen := make(chan string)
	runners := map[string]Runner{}
	for _, name := range []string{"app", "web"} {
		runners[name] = runnerFunc(func(ctx context.Context, events []promote.Event) (reconcile.Outcome, error) {
			if diff := cmp.Diff([]promote.Event{{Kind: promote.EventSweep}}, events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			select {
			case seen <- name:
			case <-ctx.Done():
			}
			return reconcile.Outcome{}, nil
		})
	}
	cfg := testConfig(":memory:", runners)
	cfg.Sweep = 300 * time.Millisecond
	b := open(t, cfg)
	start(t, b)
	got := map[string]int{}
	for got["app"] < 2 || got["web"] < 2 {
		got[receive(t, seen, "sweep")]++
	}
}

func TestEventsOfARepositoryThatIsGoneAreForgotten(t *testing.T) {
	database := tempFile(t)
	b := open(t, testConfig(database, map[string]Runner{"app": idle, "old": idle}))
	mustAdd(t, b, "app", 1)
	mustAdd(t, b, "old", 2)
	if err := b.queue.close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, testConfig(database, map[string]Runner{"app": idle}))
	if got := [2]int{len(waiting(t, b, "app")), len(waiting(t, b, "old"))}; got != [2]int{1, 0} {
		t.Errorf("%v events wait, want [1 0]", got)
	}
}
