package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// What this test binary is when it starts itself.
const (
	asWorker    = "as-worker"
	asOld       = "as-old-worker" // of another version
	asOffspring = "as-offspring"  // of a worker: does nothing
	asParent    = "as-parent"     // prints the id of its worker, which is busy, and waits to be killed
)

func TestMain(m *testing.M) {
	switch os.Args[len(os.Args)-1] {
	case asWorker:
		if err := Serve(engines()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case asOld:
		_ = writeFrame(os.Stdout, head{Kind: kindHello, Protocol: 0}, nil)
	case asParent:
		parent()
	case asOffspring:
		time.Sleep(time.Hour)
	default:
		os.Exit(m.Run())
	}
}

func parent() {
	command, err := Self(asWorker)
	if err != nil {
		os.Exit(1)
	}
	told := func(_ string, _ bool) { fmt.Println("busy") }
	_, _ = (&Pool{Command: command}).Run(context.Background(), Job{Engine: "spin", Tree: noticing{fstest.MapFS{}, told}, Time: time.Hour})
}

// noticing is a tree that says when it is read.
type noticing struct {
	fs.FS
	opened func(name string, content bool)
}

func (n noticing) Open(name string) (fs.File, error) {
	n.opened(name, true)
	return n.FS.Open(name)
}

// kept keeps memory from being collected.
var kept [][]byte

func engines() map[string]Engine {
	return map[string]Engine{
		"echo": func(_ context.Context, _ Parent, request []byte) ([]byte, error) { return request, nil },
		"id": func(context.Context, Parent, []byte) ([]byte, error) {
			return []byte(strconv.Itoa(os.Getpid())), nil
		},
		"environment": func(context.Context, Parent, []byte) ([]byte, error) {
			return []byte(strings.Join(os.Environ(), "\n")), nil
		},
		"read": func(_ context.Context, parent Parent, request []byte) ([]byte, error) {
			var all []byte
			for name := range strings.FieldsSeq(string(request)) {
				data, err := manifest.ReadFile(parent.Tree, name)
				if err != nil {
					return nil, err
				}
				all = append(all, data...)
			}
			return all, nil
		},
		"fetch": func(_ context.Context, parent Parent, request []byte) ([]byte, error) {
			if parent.Fetch == nil {
				return []byte("nothing is fetched"), nil
			}
			var all []byte
			for what := range strings.FieldsSeq(string(request)) {
				tree, err := parent.Fetch("tree", what)
				if err != nil {
					return nil, err
				}
				data, err := fs.ReadFile(tree, "name")
				if err != nil {
					return nil, err
				}
				all = append(all, data...)
			}
			return all, nil
		},
		"problems": func(context.Context, Parent, []byte) ([]byte, error) {
			return nil, errors.Join(
				&manifest.Error{File: "a", Line: 1, Column: 2, Problem: "wrong", Remedy: "correct it"},
				fmt.Errorf("around: %w", &manifest.Error{File: "b", Problem: "large", Cause: manifest.ErrBound}),
				&manifest.Error{Problem: "far", Cause: manifest.ErrElsewhere},
				errors.New("plain"),
			)
		},
		"long": func(context.Context, Parent, []byte) ([]byte, error) { return make([]byte, maxBody+1), nil },
		"spin": func(_ context.Context, parent Parent, _ []byte) ([]byte, error) {
			_, _ = fs.Stat(parent.Tree, "begin")
			for i := 0; ; i++ {
			}
		},
		"memory": func(context.Context, Parent, []byte) ([]byte, error) {
			for {
				kept = append(kept, bytes.Repeat([]byte{1}, 1<<20))
			}
		},
		"much memory at once": func(context.Context, Parent, []byte) ([]byte, error) {
			kept = append(kept, bytes.Repeat([]byte{1}, 1<<40))
			return nil, nil
		},
		"depth": func(context.Context, Parent, []byte) ([]byte, error) { return []byte(strconv.Itoa(deep(1))), nil },
		"panic": func(context.Context, Parent, []byte) ([]byte, error) { panic("oh") },
		"exit": func(context.Context, Parent, []byte) ([]byte, error) {
			fmt.Fprintln(os.Stderr, "a last word")
			os.Exit(7)
			return nil, nil
		},
		"killed": func(context.Context, Parent, []byte) ([]byte, error) { return nil, signalSelf(os.Kill) },
		"terminated": func(context.Context, Parent, []byte) ([]byte, error) {
			return []byte("done"), errors.Join(signalSelf(syscall.SIGTERM), signalSelf(os.Interrupt))
		},
		"offspring": func(_ context.Context, parent Parent, _ []byte) ([]byte, error) {
			self, err := os.Executable()
			if err != nil {
				return nil, err
			}
			cmd := exec.Command(self, asOffspring)
			cmd.Stdout = os.Stdout // holds the pipe
			if err := cmd.Start(); err != nil {
				return nil, err
			}
			_, _ = fs.Stat(parent.Tree, strconv.Itoa(cmd.Process.Pid))
			return nil, cmd.Wait()
		},
		"nonsense": func(context.Context, Parent, []byte) ([]byte, error) {
			_, err := os.Stdout.WriteString("this is not a frame")
			return nil, err
		},
	}
}

func signalSelf(s os.Signal) error {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	if err := self.Signal(s); err != nil {
		return err
	}
	if s == os.Kill {
		select {} // until it arrives
	}
	return nil
}

func deep(n int) int {
	var room [1000]byte
	room[n%1000] = 1
	return deep(n+1) + int(room[0]) //nolint:staticcheck // it has no end, to find out what then happens
}

func newPool(t testing.TB) *Pool {
	t.Helper()
	command, err := Self(asWorker)
	if err != nil {
		t.Fatal(err)
	}
	p := &Pool{Command: command, Size: 2, Memory: 768 << 20, Warn: func(err error) { t.Error(err) }}
	t.Cleanup(p.Close)
	return p
}

func sample() fstest.MapFS {
	return fstest.MapFS{
		"dir/a": {Data: []byte("a")}, "dir/sub/b": {Data: []byte("bb")}, "large": {Data: bytes.Repeat([]byte("x"), unasked+1)},
		"huge": {Data: make([]byte, manifest.MaxFileSize+1)}, "dir/unread": {Data: []byte("u")}, "link": {Data: []byte("dir/a"), Mode: fs.ModeSymlink},
	}
}

func TestRun(t *testing.T) {
	pool := newPool(t)
	t.Setenv("LOCKKEEPER_GITLAB_TOKEN", "secret")
	const remedy = "; look for loops and recursion, or make it smaller"
	fetch := func(what []string) (fs.FS, error) {
		if what[1] == "none" {
			return nil, &manifest.Error{Problem: "no " + strings.Join(what, " "), Cause: manifest.ErrElsewhere}
		}
		return fstest.MapFS{"name": {Data: []byte(what[1] + " ")}}, nil
	}
	tests := []struct {
		name string
		job  Job
		want string // the answer, or the error and what it matches
		read []string
	}{
		{"an answer", Job{Engine: "echo", Request: []byte("hello")}, "hello", nil},
		{"no environment, and so no secrets", Job{Engine: "environment"}, "", nil},
		{"files, of the folder that was sent and of others", Job{Engine: "read", Request: []byte("dir/sub/b large dir/a"), Folder: "dir"}, "bb" + strings.Repeat("x", unasked+1) + "a", []string{"dir/a", "dir/sub/b", "large"}},
		{"other trees, which do not count as read", Job{Engine: "fetch", Request: []byte("one two"), Fetch: fetch}, "one two ", nil},
		{"a tree that there is not", Job{Engine: "fetch", Request: []byte("one none"), Fetch: fetch}, "no tree none [elsewhere]", nil},
		{"nothing to fetch", Job{Engine: "fetch", Request: []byte("one")}, "nothing is fetched", nil},
		{"a file that does not exist", Job{Engine: "read", Request: []byte("dir/a none")}, `read "none": open none: file does not exist`, []string{"dir/a"}},
		{"a path out of the tree", Job{Engine: "read", Request: []byte("../x")}, `read "../x": open ../x: invalid argument`, nil},
		{"a link", Job{Engine: "read", Request: []byte("link")}, `read "link": open link: is not a regular file`, nil},
		{"a file beyond the bound", Job{Engine: "read", Request: []byte("huge")}, "huge: the file is larger than the 10485760 bytes that are read; split the file [bound]", nil},
		{"several problems, with what they are", Job{Engine: "problems"}, "a:1:2: wrong; correct it\nb: large\nfar\nplain [bound] [elsewhere]", nil},
		{"an engine that nobody knows", Job{Engine: "x"}, `there is no engine "x"`, nil},
		{"an answer that is too long", Job{Engine: "long"}, "what is rendered has more than 64 MiB; split it [bound]", nil},
		{"a panic", Job{Engine: "panic"}, "the engine gave up: oh", nil},
		{"a loop", Job{Engine: "spin", Time: 300 * time.Millisecond, Folder: "dir"}, "rendering took more than 300ms and was stopped" + remedy + " [bound]", []string{"dir/a", "dir/sub/b", "dir/unread"}},
		{"more and more memory", Job{Engine: "memory"}, "rendering needed more than 768 MiB of memory and was stopped" + remedy + " [bound]", nil},
		{"recursion without end", Job{Engine: "depth"}, "rendering needed more than 768 MiB of memory, or nested too deeply, and was stopped (exit status 2: fatal error: stack overflow)" + remedy + " [bound]", nil},
		{"an end", Job{Engine: "exit"}, "rendering ended its process (exit status 7: a last word)" + remedy + " [bound]", nil},
		{"signals for all processes, which the parent gets as well", Job{Engine: "terminated"}, "done", nil},
		{"an end by something else", Job{Engine: "killed"}, "rendering was stopped by something else than Lockkeeper (signal: killed); look whether the machine is short of memory; it is tried again [bound] [passing]", nil},
		{"nonsense", Job{Engine: "nonsense"}, "rendering was stopped, because its process answered not a frame: its lengths are 1952999795 and 543781664" + remedy + " [bound]", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			job := test.job
			job.Tree = sample()
			if job.Time == 0 {
				job.Time = time.Minute
			}
			answer, err := pool.Run(t.Context(), job)
			if diff := cmp.Diff(test.want, text(answer, err)); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.read, answer.Read); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
			if again, err := pool.Run(t.Context(), Job{Engine: "echo", Request: []byte("next"), Tree: sample(), Time: time.Minute}); text(again, err) != "next" {
				t.Errorf("the next job: %s", text(again, err))
			}
		})
	}
}

func text(answer Answer, err error) string {
	if err == nil {
		return string(answer.Body)
	}
	out := err.Error()
	if errors.Is(err, manifest.ErrBound) {
		out += " [bound]"
	}
	if errors.Is(err, ErrPassing) {
		out += " [passing]"
	}
	if errors.Is(err, manifest.ErrElsewhere) {
		out += " [elsewhere]"
	}
	return out
}

func TestOneAllocationBeyondTheLimit(t *testing.T) {
	_, err := newPool(t).Run(t.Context(), Job{Engine: "much memory at once", Tree: sample(), Time: time.Minute})
	if err == nil || !strings.HasPrefix(err.Error(), "rendering needed more than 768 MiB of memory") || !errors.Is(err, manifest.ErrBound) {
		t.Errorf("error is %v", err)
	}
}

func TestWorkersAreUsedAgainAndReplaced(t *testing.T) {
	pool := newPool(t)
	id := func() string {
		answer, err := pool.Run(t.Context(), Job{Engine: "id", Tree: sample(), Time: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return string(answer.Body)
	}
	first := id()
	if again := id(); again != first {
		t.Errorf("the second job was done by %s, the first by %s", again, first)
	}
	kill(t, first) // as the kernel does when memory is short
	if replaced := id(); replaced == first {
		t.Errorf("a dead worker answered")
	}
}

func kill(t *testing.T, id string) {
	t.Helper()
	number, err := strconv.Atoi(id)
	if err != nil {
		t.Fatal(err)
	}
	process, err := os.FindProcess(number)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
}

func TestJobsRunAtOnce(t *testing.T) {
	pool := newPool(t)
	both := make(chan struct{}, 2)
	meet := func(string, bool) { // goes on when the other one is there, too
		both <- struct{}{}
		for len(both) < 2 {
			time.Sleep(time.Millisecond)
		}
	}
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if _, err := pool.Run(t.Context(), Job{Engine: "read", Request: []byte("dir/a"), Tree: &once{FS: sample(), opened: meet}, Time: time.Minute}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// once says that it is read the first time.
type once struct {
	fs.FS
	do     sync.Once
	opened func(string, bool)
}

func (o *once) Open(name string) (fs.File, error) {
	o.do.Do(func() { o.opened(name, true) })
	return o.FS.Open(name)
}

func TestACanceledJobSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tree := noticing{sample(), func(string, bool) { cancel() }}
	if _, err := newPool(t).Run(ctx, Job{Engine: "spin", Tree: tree, Time: time.Minute}); !errors.Is(err, context.Canceled) || errors.Is(err, manifest.ErrBound) {
		t.Errorf("error is %v", err)
	}
}

func TestNoWorkerCanBeStarted(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string][]string{
		"no program": {"/does/not/exist", "x"}, "no command": nil, "a program that says nothing": {"/bin/true", "true"}, "another version": append(slices.Clone(self), asOld),
	} {
		t.Run(name, func(t *testing.T) {
			warnings := 0
			pool := &Pool{Command: command, Warn: func(error) { warnings++ }}
			for range 2 {
				if _, err := pool.Run(t.Context(), Job{Engine: "echo", Tree: sample(), Time: time.Minute}); !errors.Is(err, ErrUnavailable) {
					t.Errorf("error is %v", err)
				}
			}
			if warnings != 1 {
				t.Errorf("%d warnings", warnings)
			}
		})
	}
}

// TestNoWorkerCanBeStartedAnyMore: what could be stopped before is not done where it cannot be.
func TestNoWorkerCanBeStartedAnyMore(t *testing.T) {
	pool := newPool(t)
	echo := Job{Engine: "echo", Request: []byte("x"), Tree: sample(), Time: time.Minute}
	if _, err := pool.Run(t.Context(), echo); err != nil {
		t.Fatal(err)
	}
	pool.Close()
	command := pool.Command
	pool.Command = []string{"/does/not/exist", "x"}
	if _, err := pool.Run(t.Context(), echo); !errors.Is(err, ErrPassing) || !errors.Is(err, manifest.ErrBound) || errors.Is(err, ErrUnavailable) {
		t.Errorf("error is %v", err)
	}
	pool.Command = command
	if answer, err := pool.Run(t.Context(), echo); text(answer, err) != "x" {
		t.Errorf("afterwards: %s", text(answer, err))
	}
}

// TestAJobThatWaitedTooLongSaysSo lets a job wait for the only worker.
func TestAJobThatWaitedTooLongSaysSo(t *testing.T) {
	pool := newPool(t)
	pool.Size = 1
	var waited error
	tree := &once{FS: sample(), opened: func(string, bool) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, waited = pool.Run(ctx, Job{Engine: "echo", Tree: sample(), Time: time.Minute})
	}}
	if _, err := pool.Run(t.Context(), Job{Engine: "read", Request: []byte("dir/a"), Tree: tree, Time: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(waited, manifest.ErrBound) || !errors.Is(waited, context.DeadlineExceeded) {
		t.Errorf("error is %v", waited)
	}
}

// TestAProcessOfAWorkerKeepsNobodyWaiting: a worker is killed, and what it started lives on with its end of the pipe.
func TestAProcessOfAWorkerKeepsNobodyWaiting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	offspring := ""
	tree := noticing{sample(), func(name string, _ bool) {
		offspring = name
		cancel()
	}}
	if _, err := newPool(t).Run(ctx, Job{Engine: "offspring", Tree: tree, Time: time.Hour}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	kill(t, offspring)
}

// TestWorkersEndWithTheirParent kills a parent whose worker is busy.
func TestWorkersEndWithTheirParent(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], asParent)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("busy\n"))); err != nil {
		t.Fatal(err)
	}
	worker := childOf(t, cmd.Process.Pid)
	kill(t, strconv.Itoa(cmd.Process.Pid))
	_ = cmd.Wait()
	for deadline := time.Now().Add(30 * time.Second); alive(worker); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			kill(t, worker)
			t.Fatal("the worker outlives its parent")
		}
	}
}

// childOf finds the one child of a process.
func childOf(t *testing.T, parent int) string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Skip("no /proc tells which processes there are")
	}
	for _, e := range entries {
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			return e.Name()
		}
	}
	t.Fatal("the parent has no worker")
	return ""
}

// alive reports whether a process is there and no zombie.
func alive(id string) bool {
	stat, err := os.ReadFile("/proc/" + id + "/stat")
	return err == nil && !strings.HasPrefix(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " Z")
}

// TestTree holds the tree of a worker to what a file system promises.
func TestTree(t *testing.T) {
	files := sample()
	delete(files, "link")
	delete(files, "huge")
	tree := newTree(func(name string, content bool) (file, []byte, error) {
		f, data := look(files, name, content)
		return f, data, nil
	})
	if err := fstest.TestFS(tree, "dir/a", "dir/sub/b", "large"); err != nil {
		t.Error(err)
	}
}

// FuzzTalk lets a worker say anything: the parent comes to an end, and believes only what it sent itself.
func FuzzTalk(f *testing.F) {
	frames := func(heads ...head) []byte {
		var out bytes.Buffer
		for _, h := range heads {
			if err := writeFrame(&out, h, []byte(h.Kind)); err != nil {
				f.Fatal(err)
			}
		}
		return out.Bytes()
	}
	f.Add(frames(head{Kind: kindDone, Read: []string{"dir/a", "/etc/passwd"}}))
	f.Add(frames(head{Kind: kindLook, Path: "dir/a"}, head{Kind: kindLook, Path: "../x", Content: true}, head{Kind: kindDone, Failures: []failure{{Problem: "x", Bound: true}}}))
	f.Add(frames(head{Kind: kindLook, Path: "large"}, head{Kind: kindLook, Path: "large", Content: true}, head{Kind: kindJob}))
	f.Add(frames(head{Kind: kindFetch, What: []string{"x"}}, head{Kind: kindLook, Tree: 1, Path: "dir/a"}, head{Kind: kindLook, Tree: 2, Path: "dir/a"}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 2, 0, 0, 0, 9, '{', '}'})
	f.Fuzz(func(t *testing.T, said []byte) {
		other := func([]string) (fs.FS, error) { return sample(), nil }
		talk := &talk{job: Job{Engine: "echo", Tree: sample(), Folder: "dir", Fetch: other}, in: io.Discard, out: bytes.NewReader(said)}
		answer, err := talk.run()
		if err == nil && !talk.finished {
			t.Error("it is not finished, and there is no error")
		}
		for _, name := range answer.Read {
			if _, ok := sample()[name]; !ok {
				t.Errorf("%q was read, and does not exist", name)
			}
		}
		if err != nil && len(err.Error()) > (maxText+100)*maxFailures {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	})
}

// BenchmarkRun is what a worker costs: a job without files, and one that reads a folder of ten.
func BenchmarkRun(b *testing.B) {
	pool := newPool(b)
	tree := fstest.MapFS{}
	var names []string
	for i := range 10 {
		name := fmt.Sprintf("dir/%d.yaml", i)
		tree[name] = &fstest.MapFile{Data: bytes.Repeat([]byte("key: value\n"), 100)}
		names = append(names, name)
	}
	request := []byte(strings.Join(names, " "))
	for name, job := range map[string]Job{
		"nothing":         {Engine: "echo", Request: request, Tree: tree},
		"its folder":      {Engine: "read", Request: request, Tree: tree, Folder: "dir"},
		"a folder beside": {Engine: "read", Request: request, Tree: tree},
	} {
		b.Run(name, func(b *testing.B) {
			job.Time = time.Minute
			for b.Loop() {
				if _, err := pool.Run(b.Context(), job); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
