package worker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	startTime = 20 * time.Second // until a new worker has said hello
	endTime   = 5 * time.Second  // until a killed one is gone
)

// child is one worker process.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	pipe   io.Closer // of out
	out    *bufio.Reader
	errors *beginning
}

// start starts a worker and waits for its hello. A command is the program, the name that it is called by, and its arguments.
func start(ctx context.Context, command []string) (*child, error) {
	if len(command) < 2 {
		return nil, fmt.Errorf("the command %q starts no worker", command)
	}
	// It outlives the context of the job for which it is started.
	c := &child{cmd: &exec.Cmd{Path: command[0], Args: command[1:], Env: []string{}, WaitDelay: endTime}, errors: &beginning{}}
	c.cmd.Stderr = c.errors
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.pipe, c.out = out, bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", command[0], err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	stop := context.AfterFunc(ctx, c.kill)
	h, _, err := readFrame(c.out)
	if err == nil && (h.Kind != kindHello || h.Protocol != protocol) {
		err = fmt.Errorf("it speaks version %d of the protocol, and this program version %d", h.Protocol, protocol)
	}
	if alive := stop(); err == nil && alive {
		return c, nil
	}
	return nil, fmt.Errorf("start %s: no hello (%s): %w", command[0], c.end(), err)
}

// kill ends a worker, and the wait for what it says: a process that it started could have its end of the pipe.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // one that is gone needs no killing
	_ = c.pipe.Close()
}

// exit is how a worker ended.
type exit struct {
	code int
	text string
}

func (e exit) String() string { return e.text }

// end kills a worker, waits until it is gone, and says how it ended.
func (c *child) end() exit {
	_ = c.in.Close()
	c.kill()
	_ = c.cmd.Wait() // the state says all
	out := exit{code: c.cmd.ProcessState.ExitCode(), text: c.cmd.ProcessState.String()}
	if line := c.errors.line(); line != "" {
		out.text += ": " + line
	}
	return out
}

// beginning keeps the first bytes that are written to it.
type beginning struct {
	mu   sync.Mutex
	data []byte
}

// Write implements io.Writer.
func (b *beginning) Write(p []byte) (int, error) {
	const most = 4 << 10
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, p[:min(len(p), most-len(b.data))]...)
	return len(p), nil
}

// line is the one that says most: with which a Go program gives up, or else the first.
func (b *beginning) line() string {
	const most = 200
	b.mu.Lock()
	defer b.mu.Unlock()
	best := ""
	for line := range strings.Lines(string(b.data)) {
		line = strings.ToValidUTF8(strings.TrimSpace(line), "")
		if strings.HasPrefix(line, "fatal error: ") || strings.HasPrefix(line, "panic: ") || best == "" {
			best = line[:min(len(line), most)]
		}
	}
	return best
}
