package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// maxOutput bounds what one git command may print.
const maxOutput = 256 << 20

// located are the variables by which a caller, such as a hook, points git at another repository. They do not count here:
// the folder does.
var located = []string{
	"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_INDEX_FILE", "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY",
	"GIT_PREFIX", "GIT_WORK_TREE",
}

// command prepares git to run in a folder: in English, without taking locks, asking questions or running the repository's
// file system monitor.
func command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	all := append([]string{"-C", dir, "-c", "core.fsmonitor=false", "-c", "core.quotePath=false"}, args...)
	cmd := exec.CommandContext(ctx, "git", all...) //nolint:gosec // arguments are made here; revisions are checked by Resolve
	cmd.Env = slices.DeleteFunc(cmd.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(located, name)
	})
	cmd.Env = append(cmd.Env, "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_NO_REPLACE_OBJECTS=1")
	return cmd
}

// run runs a git command and returns what it printed.
func run(ctx context.Context, operation, dir string, args ...string) ([]byte, error) {
	cmd := command(ctx, dir, args...)
	stdout, stderr := &limited{most: maxOutput}, &limited{most: 64 << 10, quiet: true}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	if err == nil {
		return stdout.Bytes(), nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w", operation, ctx.Err())
	}
	failed := &commandError{operation: operation, exit: -1, stderr: excerpt(stderr.Bytes()), cause: err}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		failed.exit = exit.ExitCode()
	}
	if errors.Is(err, exec.ErrNotFound) {
		failed.cause = errors.New("the program git is not installed: install it and try again")
	}
	return nil, failed
}

// limited is a buffer that takes no more than most bytes; a quiet one drops the rest, any other fails.
type limited struct {
	bytes.Buffer
	most  int
	quiet bool
}

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	room := l.most - l.Len()
	if len(p) <= room {
		return l.Buffer.Write(p)
	}
	if !l.quiet {
		return 0, fmt.Errorf("git printed more than %d bytes", l.most)
	}
	_, _ = l.Buffer.Write(p[:max(room, 0)])
	return len(p), nil
}

// line is the first line of what a command printed.
func line(out []byte) string {
	first, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimRight(first, "\r")
}

// exitCode returns the exit code of a failed git command, -1 when it did not run.
func exitCode(err error) int {
	if failed, ok := errors.AsType[*commandError](err); ok {
		return failed.exit
	}
	return -1
}
