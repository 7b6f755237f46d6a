package bot

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

// BenchmarkIntake sends deliveries over loopback HTTP, from eight senders as fast as they are accepted and at the rate of the
// budget, to a file on disk, while runs take them off.
func BenchmarkIntake(b *testing.B) {
	b.Run("flat-out", func(b *testing.B) { benchmarkIntake(b, 0) })
	b.Run("200-per-second", func(b *testing.B) { benchmarkIntake(b, 5*time.Millisecond) })
}

func benchmarkIntake(b *testing.B, gap time.Duration) {
	bot := open(b, testConfig(tempFile(b), map[string]Runner{"app": idle, "web": idle}))
	start(b, bot)
	server := httptest.NewServer(bot.Handler())
	defer server.Close()
	const senders = 8
	server.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = senders
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var sending sync.WaitGroup
	began := time.Now()
	b.ResetTimer()
	for range senders {
		sending.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				due := time.Now()
				if gap > 0 {
					due = began.Add(time.Duration(i) * gap) // Late senders do not hide what made them late.
					<-time.After(time.Until(due))
				}
				send(b, server, i)
				took[i] = time.Since(due)
			}
		})
	}
	sending.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "accepted/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

func send(b *testing.B, server *httptest.Server, i int64) {
	body := fmt.Appendf(nil, `{"id":"%d","project":"app","change":%d}`, i, i)
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL+"/webhook/test", bytes.NewReader(body))
	if err != nil {
		b.Error(err)
		return
	}
	request.Header.Set("X-Token", "secret")
	response, err := server.Client().Do(request)
	if err != nil {
		b.Error(err)
		return
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusAccepted {
		b.Errorf("got %s, %v; want 202", response.Status, err)
	}
}

// BenchmarkEventToRun measures from an event that is sent to the start of the run that has it.
func BenchmarkEventToRun(b *testing.B) {
	runs := make(chan []promote.Event, 1000)
	bot := open(b, testConfig(tempFile(b), map[string]Runner{"app": countingRunner(func(events []promote.Event) { runs <- events })}))
	start(b, bot)
	receive(b, runs, "first sweep")
	for i := range b.N {
		mustAdd(b, bot, "app", i)
		receive(b, runs, "run")
	}
}

// BenchmarkIdleRepositories reports how much of one core a server takes that has nothing to do.
func BenchmarkIdleRepositories(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			runners := map[string]Runner{}
			for i := range n {
				runners[fmt.Sprint(i)] = idle
			}
			bot := open(b, testConfig(tempFile(b), runners))
			if err := bot.queue.start(b.Context()); err != nil {
				b.Fatal(err)
			}
			defer func() { _ = bot.queue.stop(b.Context(), patience{end: deadline}) }()
			before, began := cpu(b), time.Now()
			for b.Loop() {
				<-time.After(time.Second)
			}
			b.ReportMetric(100*(cpu(b)-before).Seconds()/time.Since(began).Seconds(), "%core")
		})
	}
}

// cpu is the time of all cores that this process took.
func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
