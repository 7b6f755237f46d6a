package git_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
)

const (
	benchServices = 10_000
	benchCommits  = 2_000
)

// The monorepo of the benchmarks: 3 environments × 10,000 service folders with a 25-line instance.yaml each, and 2,000
// commits that change one file. It is made once, in a cached folder, and shared by object alternates.
var benchMono = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(os.TempDir(), "lockkeeper-bench-mono-v1.git")
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if out, err := exec.Command("git", "init", "-q", "--bare", "--template=", "-b", "main", dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("git init: %w: %s", err, out)
	}
	cmd := exec.Command("git", "-C", dir, "-c", "pack.compression=1", "fast-import", "--quiet", "--done")
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	w := bufio.NewWriterSize(in, 1<<20)
	writeMono(w)
	if err := w.Flush(); err != nil {
		return "", err
	}
	if err := in.Close(); err != nil {
		return "", err
	}
	if err := cmd.Wait(); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644)
})

func benchPath(env, service int) string {
	return fmt.Sprintf("%s/service-%05d/instance.yaml", []string{"develop", "staging", "production"}[env], service)
}

func benchFile(env, service, version int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: kro.run/v1alpha1\nkind: WebService\nmetadata:\n  name: service-%05d\n  namespace: team-%03d\n", service, service%300)
	fmt.Fprintf(&b, "spec:\n  image:\n    repository: registry.example.com/team-%03d/service-%05d\n    tag: 1.%d.%d\n", service%300, service, env, version)
	for i := range 16 {
		fmt.Fprintf(&b, "  setting%02d: value-%d\n", i, (service*31+i*7)%997)
	}
	return b.String()
}

func writeMono(w *bufio.Writer) {
	header := func(i int) {
		message := fmt.Sprintf("change %d", i)
		_, _ = fmt.Fprintf(w, "commit refs/heads/main\ncommitter Seed <seed@example.com> %d +0000\ndata %d\n%s\n", 1_700_000_000+i*60, len(message), message)
	}
	file := func(env, service, version int) {
		text := benchFile(env, service, version)
		_, _ = fmt.Fprintf(w, "M 100644 inline %s\ndata %d\n%s\n", benchPath(env, service), len(text), text)
	}
	header(0)
	for env := range 3 {
		for service := range benchServices {
			file(env, service, 0)
		}
	}
	for i := 1; i < benchCommits; i++ {
		header(i)
		file(i%3, i*37%benchServices, i)
	}
	_, _ = w.WriteString("done\n") // the writer keeps its first error for Flush
}

func benchRepo(b *testing.B, options ...gittest.Option) (*gittest.Server, *gittest.Repo) {
	b.Helper()
	dir, err := benchMono()
	if err != nil {
		b.Fatal(err)
	}
	srv := gittest.NewServer(b, options...)
	repo := srv.Repo("mono.git", nil)
	if err := os.MkdirAll(filepath.Join(repo.Dir, "objects", "info"), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(repo.Dir, "objects", "info", "alternates"), []byte(filepath.Join(dir, "objects")+"\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	repo.Git("update-ref", "refs/heads/main", gitOutput(b, dir, "rev-parse", "main"))
	return srv, repo
}

func gitOutput(b *testing.B, dir string, args ...string) string {
	b.Helper()
	out, err := exec.CommandContext(b.Context(), "git", append([]string{"-C", dir}, args...)...).Output()
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// watchHeap reports the largest heap seen until the benchmark's loop ends.
func watchHeap(b *testing.B) func() {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64())
			select {
			case <-stop:
				done <- peak
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(stop)
		b.ReportMetric(float64(<-done)/(1<<20), "peak-MiB")
	}
}

func promote(b *testing.B, r *git.Repository, main, branch string, service, n int) {
	b.Helper()
	data, err := tree(b, r, main).ReadFile(benchPath(0, service))
	if err != nil {
		b.Fatal(err)
	}
	edited := strings.Replace(string(data), "tag: 1.", fmt.Sprintf("tag: 2.%d.", n), 1)
	id := commit(b, r, main, map[string]git.File{benchPath(0, service): text(edited)})
	push(b, r, git.RefUpdate{Ref: branch, New: id})
}

func BenchmarkPromotionWarm(b *testing.B) {
	_, repo := benchRepo(b)
	r := open(b, repo.URL)
	main := fetch(b, r, "main")
	if _, err := tree(b, r, main).ReadFile(benchPath(0, 0)); err != nil {
		b.Fatal(err)
	}
	report := watchHeap(b)
	for n := 0; b.Loop(); n++ {
		promote(b, r, main, fmt.Sprintf("warm-%d", n), n%benchServices, n)
	}
	report()
}

func BenchmarkPromotionCold(b *testing.B) { benchCold(b) }

// The fall-back: a server without partial clone sends every file.
func BenchmarkPromotionColdNoFilter(b *testing.B) { benchCold(b, gittest.WithoutFilter()) }

func benchCold(b *testing.B, options ...gittest.Option) {
	b.Helper()
	srv, repo := benchRepo(b, options...)
	srv.Requests()
	report := watchHeap(b)
	received := 0
	n := 0
	for ; b.Loop(); n++ {
		r := open(b, repo.URL)
		promote(b, r, fetch(b, r, "main"), fmt.Sprintf("cold-%d", n), n%benchServices, n)
		for _, req := range srv.Requests() {
			received += req.Sent
		}
	}
	report()
	b.ReportMetric(float64(received)/float64(n)/1024, "KiB-received/op")
}

func BenchmarkPush500(b *testing.B) {
	srv, repo := benchRepo(b)
	r := open(b, repo.URL)
	main := fetch(b, r, "main")
	t := tree(b, r, main)
	var paths []string
	for service := range 500 {
		paths = append(paths, benchPath(0, service))
	}
	if err := t.Prefetch(b.Context(), paths...); err != nil {
		b.Fatal(err)
	}
	srv.Requests()
	report := watchHeap(b)
	sent := 0
	n := 0
	for ; b.Loop(); n++ {
		updates := make([]git.RefUpdate, 0, len(paths))
		for i, path := range paths {
			data, err := t.ReadFile(path)
			if err != nil {
				b.Fatal(err)
			}
			edited := strings.Replace(string(data), "tag: 1.", fmt.Sprintf("tag: 3.%d.", n), 1)
			id := commit(b, r, main, map[string]git.File{path: text(edited)})
			updates = append(updates, git.RefUpdate{Ref: fmt.Sprintf("batch-%d-%d", n, i), New: id})
		}
		push(b, r, updates...)
		for _, req := range srv.Requests() {
			sent += len(req.Body)
		}
	}
	report()
	b.ReportMetric(float64(sent)/float64(n)/1024, "KiB-sent/op")
}

func BenchmarkFetchOne(b *testing.B) {
	srv, repo := benchRepo(b)
	r := open(b, repo.URL)
	fetch(b, r, "main")
	report := watchHeap(b)
	received := 0
	n := 0
	for ; b.Loop(); n++ {
		b.StopTimer()
		repo.Commit("main", "elsewhere", map[string]string{benchPath(n%3, n%benchServices): fmt.Sprintf("changed: %d\n", n)})
		srv.Requests()
		b.StartTimer()
		fetch(b, r, "main")
		b.StopTimer()
		for _, req := range srv.Requests() {
			received += req.Sent
		}
		b.StartTimer()
	}
	report()
	b.ReportMetric(float64(received)/float64(n)/1024, "KiB-received/op")
}

func BenchmarkFetchNothingNew(b *testing.B) {
	_, repo := benchRepo(b)
	r := open(b, repo.URL)
	fetch(b, r, "main")
	for b.Loop() {
		fetch(b, r, "main")
	}
}

func BenchmarkDiff(b *testing.B) {
	_, repo := benchRepo(b)
	r := open(b, repo.URL)
	base := fetch(b, r, "main")
	files := map[string]string{}
	for i := range 50 {
		files[benchPath(i%3, i*101)] = "changed: true\n"
	}
	head := repo.Commit("main", "fifty", files)
	if err := r.Ensure(b.Context(), head); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		changes, err := r.Diff(b.Context(), base, head)
		if err != nil || len(changes) != 50 {
			b.Fatal(len(changes), err)
		}
	}
}

func BenchmarkReadEnvironment(b *testing.B) {
	_, repo := benchRepo(b)
	r := open(b, repo.URL)
	main := fetch(b, r, "main")
	report := watchHeap(b)
	for b.Loop() {
		t := tree(b, r, main)
		if err := t.Prefetch(b.Context(), "develop"); err != nil {
			b.Fatal(err)
		}
		for service := range benchServices {
			if _, err := t.ReadFile(benchPath(0, service)); err != nil {
				b.Fatal(err)
			}
		}
	}
	report()
}
