package devforge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git/githttp"
)

const (
	gitTimeout  = time.Minute
	headsPrefix = "refs/heads/"
	tagsPrefix  = "refs/tags/"
	zeroID      = "0000000000000000000000000000000000000000"
)

var errNoRevision = errors.New("no such revision")

// repository runs git in one bare repository.
type repository struct {
	git  string // the binary
	dir  string
	kept string // prefix of the refs that hold heads of merge requests

	mu    sync.Mutex
	known map[string]outcome // see fixed and verify
}

// outcome is how one run of git ended.
type outcome struct {
	out []byte
	err error
}

// The bounds of what is remembered of one repository.
const (
	maxKnown     = 2048
	maxKnownSize = 64 << 10
)

type identity struct {
	name, email string
	at          time.Time
}

func (i identity) environment(role string) []string {
	return []string{
		"GIT_" + role + "_NAME=" + i.name,
		"GIT_" + role + "_EMAIL=" + i.email,
		"GIT_" + role + "_DATE=" + fmt.Sprintf("%d +0000", i.at.Unix()),
	}
}

// invocation is one run of git. The zero value of every field but args is fine.
type invocation struct {
	args  []string // required
	stdin io.Reader
	env   []string
}

// exitError says that git ran and refused.
type exitError struct {
	code   int
	stderr string
}

func (e *exitError) Error() string {
	return fmt.Sprintf("git exit status %d: %s", e.code, e.stderr)
}

// run is not cut short when a client leaves: a write must end as a whole.
func (g *repository) run(ctx context.Context, call invocation) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), gitTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, g.git, append([]string{"--git-dir=" + g.dir}, call.args...)...)
	command.Dir = g.dir
	command.Stdin = call.stdin
	command.Env = append(gitEnvironment(), call.env...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() >= 0 {
		text := strings.TrimSpace(stderr.String())
		return stdout.Bytes(), &exitError{code: exit.ExitCode(), stderr: text[:min(len(text), 500)]}
	}
	if err != nil {
		return nil, fmt.Errorf("git %s: %w", call.args[0], err)
	}
	return stdout.Bytes(), nil
}

// fixed runs a command whose answer depends on object IDs alone, and so is the same for ever: it is run once. A page that looks
// for news every two seconds, or a client that polls, then costs next to nothing.
func (g *repository) fixed(ctx context.Context, args ...string) ([]byte, error) {
	if before, ok := g.recall(args); ok {
		return before.out, before.err
	}
	out, err := g.run(ctx, invocation{args: args})
	exit := (*exitError)(nil)
	if saidNo := errors.As(err, &exit) && exit.code == 1; err != nil && !saidNo || len(out) > maxKnownSize {
		return out, err
	}
	g.remember(args, outcome{out, err})
	return out, err
}

func (g *repository) recall(args []string) (outcome, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before, ok := g.known[strings.Join(args, "\x00")]
	return before, ok
}

func (g *repository) remember(args []string, o outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known == nil || len(g.known) >= maxKnown {
		g.known = map[string]outcome{}
	}
	g.known[strings.Join(args, "\x00")] = o
}

// gitEnvironment shields a repository from the configuration of whoever runs the forge.
func gitEnvironment() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=/nonexistent",
		"LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_TERMINAL_PROMPT=0",
	}
}

func (g *repository) create(ctx context.Context, defaultBranch string) error {
	return githttp.Init(ctx, g.dir, defaultBranch)
}

// refs returns all branches and tags by full name.
func (g *repository) refs() (map[string]string, error) {
	refs, err := githttp.Refs(g.dir)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(refs, func(name, id string) bool {
		return !commitID(id) || !strings.HasPrefix(name, headsPrefix) && !strings.HasPrefix(name, tagsPrefix)
	})
	return refs, nil
}

// head returns the commit of a branch, or errNoRevision.
func (g *repository) head(ctx context.Context, branch string) (string, error) {
	if !safeName(branch) {
		return "", errNoRevision
	}
	return g.verify(ctx, headsPrefix+branch)
}

// commit resolves a branch, a tag or a commit ID, in the order of GitLab's repository API.
func (g *repository) commit(ctx context.Context, revision string) (string, error) {
	if !safeName(revision) {
		return "", errNoRevision
	}
	if commitID(revision) {
		return g.verify(ctx, revision)
	}
	for _, prefix := range []string{headsPrefix, tagsPrefix, ""} {
		if id, err := g.verify(ctx, prefix+revision); !errors.Is(err, errNoRevision) {
			return id, err
		}
	}
	return "", errNoRevision
}

// verify returns the commit that a revision means. A branch is read from its file, and a commit that is there stays: git is
// asked for the rest.
func (g *repository) verify(ctx context.Context, revision string) (string, error) {
	if strings.HasPrefix(revision, headsPrefix) {
		id, err := githttp.Ref(g.dir, revision)
		if err == nil && !commitID(id) {
			return "", errNoRevision
		}
		return id, err
	}
	args := []string{"rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}"}
	if before, ok := g.recall(args); ok {
		return strings.TrimSpace(string(before.out)), nil
	}
	out, err := g.run(ctx, invocation{args: args})
	if exit := (*exitError)(nil); errors.As(err, &exit) {
		return "", errNoRevision
	}
	if err == nil && commitID(revision) {
		g.remember(args, outcome{out: out})
	}
	return strings.TrimSpace(string(out)), err
}

func commitID(s string) bool {
	return len(s) == 40 && strings.Trim(s, "0123456789abcdef") == ""
}

// safeName says whether name may be a branch, or a short revision: the rules of git check-ref-format, and nothing that git
// would take for an option or an expression.
func safeName(name string) bool {
	switch {
	case name == "" || len(name) > 244 || name == "@" || strings.HasPrefix(name, "-"):
		return false
	case strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.HasSuffix(name, "."):
		return false
	case strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == 0x7f || strings.ContainsRune(`~^:?*[\`, c) }):
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}

// safePath says whether path names a file inside a tree.
func safePath(path string) bool {
	if path == "" || len(path) > 4096 || strings.ContainsAny(path, "\x00\n\"\\") || strings.HasSuffix(path, "/") {
		return false
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." || strings.EqualFold(part, ".git") {
			return false
		}
	}
	return true
}

// file reads one blob of a commit.
func (g *repository) file(ctx context.Context, commit, path string) ([]byte, error) {
	if !safePath(path) {
		return nil, errNoRevision
	}
	out, err := g.run(ctx, invocation{args: []string{"cat-file", "blob", commit + ":" + path}})
	if exit := (*exitError)(nil); errors.As(err, &exit) {
		return nil, errNoRevision
	}
	return out, err
}

// setRef moves a ref from one commit to another. Empty or zero IDs mean that the ref does not exist before, or after.
func (g *repository) setRef(ctx context.Context, ref, to, from string) error {
	args := []string{"update-ref", ref, to, from}
	if to == "" || to == zeroID {
		args = []string{"update-ref", "-d", ref, from}
	} else if from == "" {
		args[3] = zeroID
	}
	if _, err := g.run(ctx, invocation{args: args}); err != nil {
		return fmt.Errorf("move ref %q: %w", ref, err)
	}
	return nil
}

// keep makes a commit fetchable, and safe from garbage collection, as refs/merge-requests/<iid>/head or the dialect's like.
func (g *repository) keep(ctx context.Context, iid int, commit string) error {
	_, err := g.run(ctx, invocation{args: []string{"update-ref", fmt.Sprintf("%s%d/head", g.kept, iid), commit}})
	return err
}

// contains says whether ancestor is part of the history of commit.
func (g *repository) contains(ctx context.Context, commit, ancestor string) (bool, error) {
	_, err := g.fixed(ctx, "merge-base", "--is-ancestor", ancestor, commit)
	if exit := (*exitError)(nil); errors.As(err, &exit) && exit.code == 1 {
		return false, nil
	}
	return err == nil, err
}

// mergeBase is empty when the histories are unrelated.
func (g *repository) mergeBase(ctx context.Context, a, b string) (string, error) {
	out, err := g.fixed(ctx, "merge-base", a, b)
	if exit := (*exitError)(nil); errors.As(err, &exit) && exit.code == 1 {
		return "", nil
	}
	return strings.TrimSpace(string(out)), err
}

// branchesWith lists the branches that contain commit, sorted.
func (g *repository) branchesWith(ctx context.Context, commit string) ([]string, error) {
	out, err := g.run(ctx, invocation{args: []string{"for-each-ref", "--format=%(refname)", "--contains=" + commit, headsPrefix}})
	if err != nil {
		return nil, fmt.Errorf("branches with %s: %w", commit, err)
	}
	var branches []string
	for line := range strings.Lines(string(out)) {
		branches = append(branches, strings.TrimPrefix(strings.TrimSpace(line), headsPrefix))
	}
	return branches, nil
}
