package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/bot"
	"github.com/lockkeeper/lockkeeper/promote"
)

// fakeService is a bot whose handler and queue do what a test says.
type fakeService struct {
	handle http.HandlerFunc
	run    func(ctx context.Context) error
}

// Handler implements service.
func (s fakeService) Handler() http.Handler { return s.handle }

// Run implements service.
func (s fakeService) Run(ctx context.Context) error { return s.run(ctx) }

func listenLoopback(t *testing.T) net.Listener {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

func TestServeEndsWhenTheWorkersDoNotStart(t *testing.T) {
	noWorkers := errors.New("start workers: no")
	listener := listenLoopback(t)
	err := serveBot(t.Context(), fakeService{
		handle: func(http.ResponseWriter, *http.Request) {},
		run:    func(context.Context) error { return noWorkers },
	}, listener)
	if !errors.Is(err, noWorkers) {
		t.Errorf("it ended with %v, want %v", err, noWorkers)
	}
	if accepts(t, listener.Addr().String()) {
		t.Error("it still takes webhooks that nobody will work off")
	}
}

func TestServeEndsWhenItCannotAccept(t *testing.T) {
	listener := listenLoopback(t)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	stopped := errors.New("the queue was closed")
	err := serveBot(t.Context(), fakeService{
		handle: func(http.ResponseWriter, *http.Request) {},
		run: func(ctx context.Context) error {
			<-ctx.Done()
			return stopped
		},
	}, listener)
	if !errors.Is(err, net.ErrClosed) || !errors.Is(err, stopped) {
		t.Errorf("it ended with %v, want both %v and %v", err, net.ErrClosed, stopped)
	}
}

// addressLog is a log that hands on where a server serves.
type addressLog struct {
	slog.Handler
	served chan string
}

// Handle implements slog.Handler.
func (l addressLog) Handle(_ context.Context, record slog.Record) error {
	record.Attrs(func(a slog.Attr) bool {
		if record.Message == "serving" && a.Key == "address" {
			l.served <- a.Value.String()
		}
		return true
	})
	return nil
}

// Enabled implements slog.Handler.
func (addressLog) Enabled(context.Context, slog.Level) bool { return true }

// TestServeAnswersWhileTheForgeHangs: settings are read for warnings alone.
func TestServeAnswersWhileTheForgeHangs(t *testing.T) {
	asked := make(chan struct{}, 1)
	forge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v4/projects/group/app" {
			http.NotFound(w, r)
			return
		}
		select {
		case asked <- struct{}{}:
		default:
		}
		<-r.Context().Done()
	}))
	defer forge.Close()
	cfg := serverConfig{
		Listen: "127.0.0.1:0", Database: ":memory:", CacheDir: t.TempDir(), GitLab: gitlabConfig{URL: forge.URL}, Repositories: []repositoryConfig{{Project: "group/app"}},
	}
	if err := cfg.complete(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := addressLog{slog.DiscardHandler, make(chan string, 1)}
	ended := make(chan error, 1)
	go func() {
		ended <- serve(ctx, cfg, secrets{GitLabToken: "token", WebhookToken: []string{"token"}}, slog.New(log))
	}()
	address := ""
	select {
	case address = <-log.served:
	case err := <-ended:
		t.Fatal(err)
	}
	<-asked
	if !accepts(t, address) {
		t.Error("it does not take webhooks")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestServeStopsTheQueueAfterTheLastWebhook(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	queue := make(chan context.Context, 1)
	listener := listenLoopback(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- serveBot(ctx, fakeService{
			handle: func(w http.ResponseWriter, _ *http.Request) {
				close(arrived)
				<-release
				w.WriteHeader(http.StatusAccepted)
			},
			run: func(ctx context.Context) error {
				queue <- ctx
				<-ctx.Done()
				return nil
			},
		}, listener)
	}()
	working := <-queue
	answered := make(chan int, 1)
	go func() { answered <- deliverWebhook(t, "http://"+listener.Addr().String()) }()
	<-arrived
	cancel()
	for accepts(t, listener.Addr().String()) {
		if working.Err() != nil {
			break
		}
	}
	if working.Err() != nil {
		t.Error("the queue was told to stop while a webhook was being stored")
	}
	close(release)
	if status := <-answered; status != http.StatusAccepted {
		t.Errorf("the webhook was answered with %d, want %d", status, http.StatusAccepted)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(deadline):
		t.Fatal("it does not end")
	}
	if working.Err() == nil {
		t.Error("the queue was not told to stop")
	}
}

// accepts reports whether somebody listens at an address.
func accepts(t *testing.T, address string) bool {
	t.Helper()
	var dialer net.Dialer
	connection, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		return false
	}
	return connection.Close() == nil
}

// deliverWebhook returns the status of the answer, 0 when there is none.
func deliverWebhook(t *testing.T, target string) int {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

type allClosed bool

// Idle implements idler.
func (c allClosed) Idle() bool { return bool(c) }

// What no webhook told of is asked for at the start in any case: changes of people may have been opened while the server was down.
func TestMissedIsAskedSeldomWhereNothingIsOpen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		idle allClosed
		want []string
	}{
		{"a promotion is open", false, []string{"0h", "1h", "5h", "6h", "7h"}},
		{"none is", true, []string{"0h", "6h"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			at := start
			var asked []string
			ask := missed(test.idle, func(context.Context, time.Time) ([]promote.Event, error) {
				asked = append(asked, fmt.Sprintf("%.0fh", at.Sub(start).Hours()))
				return nil, nil
			}, func() time.Time { return at })
			for _, hours := range []time.Duration{0, 1, 5, 6, 7} {
				at = start.Add(hours * time.Hour)
				if _, err := ask(t.Context(), start); err != nil && !errors.Is(err, bot.ErrNotAsked) {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(test.want, asked); diff != "" {
				t.Error(diff)
			}
		})
	}
}
