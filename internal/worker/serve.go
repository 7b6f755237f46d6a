package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

const (
	exitMemory = 3 // the exit code of a worker that took too much memory
	exitFatal  = 2 // that of the Go runtime when it cannot go on: without memory, or with too large a stack
	maxStack   = 256 << 20
	watched    = 10 * time.Millisecond // how often a worker looks at its memory
)

// Serve is the whole life of a worker: it does jobs from standard input until that ends.
func Serve(engines map[string]Engine) error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM) // of the terminal or the service manager, for all processes; the parent decides
	debug.SetMaxStack(maxStack)
	var limited atomic.Int64
	s := &server{in: bufio.NewReader(os.Stdin), out: os.Stdout, engines: engines, frames: make(chan frame)}
	s.limit = func(memory int64) {
		if before := limited.Swap(memory); before == 0 {
			limitProcess(memory)
			go watch(&limited)
		}
	}
	return s.serve()
}

// watch ends the process when it takes more memory than the limit.
func watch(limit *atomic.Int64) {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for range time.Tick(watched) {
		metrics.Read(samples)
		if int64(samples[0].Value.Uint64()-samples[1].Value.Uint64()) > limit.Load() {
			os.Exit(exitMemory)
		}
	}
}

type frame struct {
	head head
	body []byte
	err  error
}

// server is the worker's end of the pipes.
type server struct {
	in      io.Reader
	out     io.Writer
	engines map[string]Engine
	limit   func(memory int64)
	frames  chan frame
	busy    atomic.Bool
	asked   sync.Mutex // one question at a time
}

func (s *server) serve() error {
	if err := writeFrame(s.out, head{Kind: kindHello, Protocol: protocol}, nil); err != nil {
		return err
	}
	go s.receive()
	files := newTree(s.asking(0))
	for f := range s.frames {
		switch {
		case errors.Is(f.err, io.EOF):
			return nil
		case f.err != nil:
			return f.err
		case f.head.Kind == kindFile && f.head.File != nil:
			files.keep(*f.head.File, f.body)
		case f.head.Kind == kindJob:
			s.limit(f.head.Memory)
			s.busy.Store(true)
			answer, err := s.do(f, files)
			s.busy.Store(false)
			if err := s.done(answer, err, files.files()); err != nil {
				return err
			}
			files = newTree(s.asking(0))
			tidy()
		default:
			return fmt.Errorf("%w that is expected: %q", errFrame, f.head.Kind)
		}
	}
	return nil
}

// receive reads frames. When there is no parent any more, an engine that is still busy works for nobody.
func (s *server) receive() {
	for {
		var f frame
		f.head, f.body, f.err = readFrame(s.in)
		if f.err != nil && s.busy.Load() {
			os.Exit(1)
		}
		s.frames <- f
		if f.err != nil {
			close(s.frames)
			return
		}
	}
}

func (s *server) do(f frame, files fs.FS) (answer []byte, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			answer, err = nil, fmt.Errorf("the engine gave up: %v", problem)
		}
	}()
	engine, ok := s.engines[f.head.Engine]
	if !ok {
		return nil, fmt.Errorf("there is no engine %q", f.head.Engine)
	}
	parent := Parent{Tree: files}
	if f.head.Fetches {
		parent.Fetch = s.fetch
	}
	return engine(context.Background(), parent, f.body)
}

// asking returns what looks at one of the parent's trees.
func (s *server) asking(tree int) func(name string, content bool) (file, []byte, error) {
	return func(name string, content bool) (file, []byte, error) {
		f, err := s.ask(head{Kind: kindLook, Tree: tree, Path: name, Content: content}, kindFile)
		if err == nil && f.head.File == nil {
			err = fmt.Errorf("%w that answers a look", errFrame)
		}
		if err != nil {
			return file{}, nil, err
		}
		return *f.head.File, f.body, nil
	}
}

// fetch asks the parent for another tree.
func (s *server) fetch(what ...string) (fs.FS, error) {
	f, err := s.ask(head{Kind: kindFetch, What: what}, kindTree)
	if err != nil {
		return nil, err
	}
	if len(f.head.Failures) > 0 {
		return nil, errorOf(f.head.Failures)
	}
	return newTree(s.asking(f.head.Tree)), nil
}

// ask sends a question and returns its answer, which is of one kind.
func (s *server) ask(question head, kind string) (frame, error) {
	s.asked.Lock()
	defer s.asked.Unlock()
	if err := writeFrame(s.out, question, nil); err != nil {
		return frame{}, err
	}
	f, ok := <-s.frames
	switch {
	case !ok:
		return frame{}, io.ErrUnexpectedEOF
	case f.err != nil:
		return frame{}, f.err
	case f.head.Kind != kind:
		return frame{}, fmt.Errorf("%w that answers a %s: %q", errFrame, question.Kind, f.head.Kind)
	}
	return f, nil
}

func (s *server) done(answer []byte, err error, read []string) error {
	if err == nil && len(answer) > maxBody {
		err = &manifest.Error{Problem: fmt.Sprintf("what is rendered has more than %s", amount(maxBody)), Remedy: "split it", Cause: manifest.ErrBound}
	}
	if err != nil {
		return writeFrame(s.out, head{Kind: kindDone, Read: read, Failures: failuresOf(err)}, nil)
	}
	return writeFrame(s.out, head{Kind: kindDone, Read: read}, answer)
}

// tidy gives memory back after a large job, so that it does not count for the next one.
func tidy() {
	const large = 128 << 20
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	if metrics.Read(sample); sample[0].Value.Uint64() > large {
		debug.FreeOSMemory()
	}
}
