// Package gittest runs a real Git server over smart HTTP for tests, with bare repositories in temporary folders.
//
// It owns the server, what the repositories hold at the start, and looking at them afterwards with git itself. It records
// every request, so that a test can count round trips and what was sent.
package gittest

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/git/githttp"
)

// Server is a running Git server. It ends with the test.
type Server struct {
	tb       testing.TB
	http     *httptest.Server
	root     string
	noFilter bool

	mu        sync.Mutex
	requests  []*Request
	intercept func(http.ResponseWriter, *http.Request) bool
}

// Option changes how a Server behaves.
type Option func(*settings)

type settings struct {
	access   githttp.Access
	noFilter bool
}

// WithBasicAuth lets in one user only, for reading and writing.
func WithBasicAuth(user, password string) Option {
	return WithAccess(func(u, p, _ string, _ bool) bool { return u == user && p == password })
}

// WithAccess decides about every request.
func WithAccess(access githttp.Access) Option { return func(s *settings) { s.access = access } }

// WithoutFilter makes the server refuse partial clones and wants by id, as old servers do.
func WithoutFilter() Option { return func(s *settings) { s.noFilter = true } }

// NewServer starts a server without repositories.
func NewServer(tb testing.TB, options ...Option) *Server {
	tb.Helper()
	if _, err := githttp.Backend(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	var set settings
	for _, o := range options {
		o(&set)
	}
	s := &Server{tb: tb, root: tb.TempDir(), noFilter: set.noFilter}
	backend := githttp.Handler(s.root, set.access)
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s.serve(backend, w, req)
	}))
	tb.Cleanup(s.http.Close)
	return s
}

// Request is one recorded request.
type Request struct {
	Method string
	Path   string // with the query
	Body   []byte
	Sent   int // bytes of the answer
}

// Count returns how many lines of a fetch request start with a word, such as "have" or "want".
func (r Request) Count(word string) int {
	n := 0
	for line := range bytes.SplitSeq(r.Body, []byte("\n")) {
		if len(line) > 4 && bytes.HasPrefix(line[4:], []byte(word+" ")) || bytes.HasPrefix(line, []byte("0000")) &&
			len(line) > 8 && bytes.HasPrefix(line[8:], []byte(word+" ")) {
			n++
		}
	}
	return n
}

func (s *Server) serve(backend http.Handler, w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	req.Body, req.ContentLength, req.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	record := &Request{Method: req.Method, Path: req.URL.RequestURI(), Body: body}
	s.mu.Lock()
	s.requests = append(s.requests, record)
	intercept := s.intercept
	s.mu.Unlock()
	counted := &countingWriter{ResponseWriter: w, server: s, request: record}
	if intercept != nil && intercept(counted, req) {
		return
	}
	backend.ServeHTTP(counted, req)
}

type countingWriter struct {
	http.ResponseWriter
	server  *Server
	request *Request
}

// Write counts before it sends: when the client has read the answer, its size is recorded.
func (w *countingWriter) Write(p []byte) (int, error) {
	w.server.mu.Lock()
	w.request.Sent += len(p)
	w.server.mu.Unlock()
	return w.ResponseWriter.Write(p)
}

// Requests returns what was asked since the last call, and forgets it.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Request, 0, len(s.requests))
	for _, r := range s.requests {
		out = append(out, *r)
	}
	s.requests = nil
	return out
}

// Intercept calls f before every request; when it returns true the request is answered. nil ends it.
func (s *Server) Intercept(f func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

// URL returns the address of a repository, without credentials.
func (s *Server) URL(repo string) string { return s.http.URL + "/" + repo }

// Root is the folder of the repositories.
func (s *Server) Root() string { return s.root }

// Repo is a bare repository of the server.
type Repo struct {
	tb  testing.TB
	Dir string
	URL string
}

// Repo makes a repository with the branch "main". When files is not empty they are its first commit.
func (s *Server) Repo(name string, files map[string]string) *Repo {
	s.tb.Helper()
	dir := filepath.Join(s.root, filepath.FromSlash(name))
	if err := githttp.Init(s.tb.Context(), dir, "main"); err != nil {
		s.tb.Fatal(err)
	}
	r := &Repo{tb: s.tb, Dir: dir, URL: s.URL(name)}
	if s.noFilter {
		r.Git("config", "uploadpack.allowFilter", "false")
		r.Git("config", "uploadpack.allowAnySHA1InWant", "false")
	}
	if len(files) > 0 {
		r.Commit("main", "seed", files)
	}
	return r
}

// Git runs git in the repository and returns its output without surrounding white space. A failure ends the test.
func (r *Repo) Git(args ...string) string {
	r.tb.Helper()
	return strings.TrimSpace(r.GitInput("", args...))
}

// GitInput runs git with a standard input and returns its output as it is.
func (r *Repo) GitInput(input string, args ...string) string {
	r.tb.Helper()
	cmd := exec.CommandContext(r.tb.Context(), "git", append([]string{"-C", r.Dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_AUTHOR_NAME=Seed", "GIT_AUTHOR_EMAIL=seed@example.com", "GIT_AUTHOR_DATE=1700000000 +0000",
		"GIT_COMMITTER_NAME=Seed", "GIT_COMMITTER_EMAIL=seed@example.com", "GIT_COMMITTER_DATE=1700000000 +0000")
	cmd.Stdin = strings.NewReader(input)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.tb.Fatalf("git %q: %v\n%s%s", args, err, out, stderr.String())
	}
	return string(out)
}

// Commit writes files on top of a branch, which need not exist, as somebody else would, and returns the new commit.
// The content "\x00" deletes a file.
func (r *Repo) Commit(branch, message string, files map[string]string) string {
	r.tb.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "commit refs/heads/%s\ncommitter Seed <seed@example.com> 1700000000 +0000\n", branch)
	fmt.Fprintf(&b, "data %d\n%s\n", len(message), message)
	if head := r.Head(branch); head != "" {
		fmt.Fprintf(&b, "from %s\n", head)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if files[name] == "\x00" {
			fmt.Fprintf(&b, "D %s\n", name)
			continue
		}
		fmt.Fprintf(&b, "M 100644 inline %s\ndata %d\n%s\n", name, len(files[name]), files[name])
	}
	r.GitInput(b.String()+"done\n", "fast-import", "--quiet", "--force", "--done")
	return r.Head(branch)
}

// History adds n commits to a branch that write their number, from 0, into the file "n", and returns their ids, oldest first.
func (r *Repo) History(branch string, n int) []string {
	r.tb.Helper()
	var b strings.Builder
	before := r.Head(branch)
	for i := range n {
		text := fmt.Sprint(i)
		fmt.Fprintf(&b, "commit refs/heads/%s\ncommitter Seed <seed@example.com> %d +0000\n", branch, 1_700_000_000+i)
		fmt.Fprintf(&b, "data %d\n%s", len("change ")+len(text)+1, "change "+text+"\n")
		if i == 0 && before != "" {
			fmt.Fprintf(&b, "from %s\n", before)
		}
		fmt.Fprintf(&b, "M 100644 inline n\ndata %d\n%s\n", len(text), text)
	}
	r.GitInput(b.String()+"done\n", "fast-import", "--quiet", "--done")
	return strings.Fields(r.Git("rev-list", "--reverse", "--first-parent", fmt.Sprintf("--max-count=%d", n), r.Head(branch)))
}

// Head returns the commit of a branch, "" when it does not exist.
func (r *Repo) Head(branch string) string {
	r.tb.Helper()
	return r.Git("for-each-ref", "--format=%(objectname)", "refs/heads/"+branch)
}

// File returns the content of a file at a ref or commit.
func (r *Repo) File(ref, path string) string {
	r.tb.Helper()
	return r.GitInput("", "cat-file", "blob", ref+":"+path)
}

// Files lists all files at a ref or commit.
func (r *Repo) Files(ref string) []string {
	r.tb.Helper()
	return strings.Fields(r.Git("ls-tree", "-r", "--name-only", ref))
}

// Hook installs a hook, such as "update" or "pre-receive", as a shell script.
func (r *Repo) Hook(name, script string) {
	r.tb.Helper()
	dir := filepath.Join(r.Dir, "hooks")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		r.tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		r.tb.Fatal(err)
	}
}

// Fsck checks the repository strictly.
func (r *Repo) Fsck() {
	r.tb.Helper()
	if out := r.Git("fsck", "--strict", "--full", "--no-dangling"); out != "" {
		r.tb.Errorf("git fsck: %s", out)
	}
}
