package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// Pool starts workers when they are needed and keeps them. It is safe for concurrent use; one per process is enough.
type Pool struct {
	// Command starts a worker, as [Self] does. Required.
	Command []string
	// Size is how many workers there may be at once; 0 means as many as threads run Go code (GOMAXPROCS).
	Size int
	// Memory is how many bytes one may take; 0 means 1 GiB.
	Memory int64
	// Warn is told once when no worker can be started.
	Warn func(error)

	once   sync.Once
	slots  chan struct{}
	mu     sync.Mutex
	idle   []*child
	worked bool  // a worker was started before
	broken error // none can be started
}

// Self is the command that starts this program again, whatever lies at its path by now.
func Self(args ...string) ([]string, error) {
	program := "/proc/self/exe"
	if _, err := os.Lstat(program); err != nil {
		if program, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
	}
	return append([]string{program, os.Args[0]}, args...), nil
}

// Job is what a worker is to do.
type Job struct {
	Engine  string // required; a name that [Serve] knows
	Request []byte // for the engine
	Tree    fs.FS  // required; what the engine may read
	Folder  string // in Tree, of which the engine most likely reads all; "" for none
	// Fetch returns another tree that the engine may read; nil when there is none.
	Fetch func(what []string) (fs.FS, error)
	Time  time.Duration // how long it may take; required
}

// Answer is what came of a job.
type Answer struct {
	Body []byte   // of the engine
	Read []string // the files that the engine opened, sorted; all that it saw when it was stopped
}

// Run does a job. An error of the engine is a [*manifest.Error], as is that a worker was stopped, which matches
// [manifest.ErrBound], and [ErrPassing] where it may be done the next time. [ErrUnavailable] says that nothing was done.
func (p *Pool) Run(ctx context.Context, job Job) (Answer, error) {
	p.once.Do(func() { p.slots = make(chan struct{}, p.size()) })
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return Answer{}, p.stopped(ctx, job, exit{}, ctx.Err())
	}
	ctx, cancel := context.WithTimeout(ctx, job.Time)
	defer cancel()
	for {
		c, used, err := p.take(ctx)
		if ctx.Err() != nil && c == nil {
			return Answer{}, p.stopped(ctx, job, exit{}, ctx.Err())
		}
		if err != nil {
			return Answer{}, err
		}
		talk := &talk{job: job, in: c.in, out: c.out, memory: p.memory()}
		stop := context.AfterFunc(ctx, c.kill)
		answer, err := talk.run()
		alive := stop()
		if talk.finished && alive {
			p.give(c)
			return answer, err
		}
		exit := c.end()
		if talk.finished {
			return answer, err
		}
		if used && !talk.begun && ctx.Err() == nil {
			continue // it ended while it had nothing to do
		}
		return answer, p.stopped(ctx, job, exit, err)
	}
}

func (p *Pool) size() int {
	if p.Size > 0 {
		return p.Size
	}
	return runtime.GOMAXPROCS(0)
}

func (p *Pool) memory() int64 {
	if p.Memory > 0 {
		return p.Memory
	}
	return 1 << 30
}

// stopped says why a worker did not finish.
func (p *Pool) stopped(ctx context.Context, job Job, exit exit, err error) error {
	out := &manifest.Error{Remedy: "look for loops and recursion, or make it smaller", Cause: manifest.ErrBound}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case ctx.Err() != nil:
		out.Problem = fmt.Sprintf("rendering took more than %s and was stopped", job.Time)
		out.Cause = errors.Join(manifest.ErrBound, ctx.Err())
	case exit.code == exitMemory:
		out.Problem = fmt.Sprintf("rendering needed more than %s of memory and was stopped", amount(p.memory()))
	case exit.code == exitFatal:
		out.Problem = fmt.Sprintf("rendering needed more than %s of memory, or nested too deeply, and was stopped (%s)", amount(p.memory()), exit)
	case errors.Is(err, errFrame):
		out.Problem = fmt.Sprintf("rendering was stopped, because its process answered %v", err)
	case exit.code < 0:
		out.Problem = fmt.Sprintf("rendering was stopped by something else than Lockkeeper (%s)", exit)
		out.Remedy, out.Cause = "look whether the machine is short of memory; it is tried again", errors.Join(manifest.ErrBound, ErrPassing)
	default:
		out.Problem = fmt.Sprintf("rendering ended its process (%s)", exit)
	}
	return out
}

func amount(bytes int64) string {
	if bytes%(1<<30) == 0 {
		return fmt.Sprintf("%d GiB", bytes>>30)
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}

// take returns a worker that has nothing to do, and whether it had a job before.
func (p *Pool) take(ctx context.Context) (c *child, used bool, err error) {
	if c, err := p.waiting(); c != nil || err != nil {
		return c, true, err
	}
	c, err = start(ctx, p.Command)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.worked = true
		return c, false, nil
	}
	if p.worked {
		return nil, false, &manifest.Error{
			Problem: fmt.Sprintf("rendering needs a process, and none could be started: %v", err),
			Remedy:  "look whether the machine lets Lockkeeper start more processes; it is tried again", Cause: errors.Join(manifest.ErrBound, ErrPassing),
		}
	}
	err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	if ctx.Err() == nil && p.broken == nil {
		p.broken = err
		if p.Warn != nil {
			p.Warn(err)
		}
	}
	return nil, false, err
}

// waiting returns a worker that waits for a job, nil when there is none, and an error when there never will be one.
func (p *Pool) waiting() (*child, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil, p.broken
	}
	c := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return c, nil
}

func (p *Pool) give(c *child) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, c)
}

// Close ends the workers that have nothing to do. The others end with this process.
func (p *Pool) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		c.end()
	}
}
