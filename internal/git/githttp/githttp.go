// Package githttp serves bare repositories over Git's smart HTTP protocol, by running "git http-backend" for each request that it
// cannot answer from what git said before.
//
// It owns the HTTP side: access control, confinement to one folder, and request bodies of unknown length. What a push may
// do is decided by the repositories' own configuration and hooks. It does not own TLS, listing, or a web page.
package githttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	backendName = "git-http-backend"
	maxBody     = 1 << 30
)

// Access decides whether a user may read (or write) a repository, named by its path below the root as in the URL, without
// a slash at the start. User and password are empty when the request had none.
type Access func(user, password, repo string, write bool) bool

// Handler serves the bare repositories below root: "/team/app.git/info/refs" is of root/team/app.git. A nil access lets
// everybody read and write. Refused requests are answered 401, or 403 when the user may read but not write.
// Where git is not installed every request is answered 500; Backend says so beforehand.
func Handler(root string, access func(user, password, repo string, write bool) bool) http.Handler {
	return &handler{root: root, access: access, backend: sync.OnceValues(func() (string, error) {
		return Backend(context.Background())
	})}
}

// Backend returns the path of git-http-backend, or what to install.
func Backend(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "git", "--exec-path").Output()
	if err != nil {
		return "", fmt.Errorf("find git: %w (install git)", err)
	}
	file := filepath.Join(strings.TrimSpace(string(out)), backendName)
	if _, err := os.Stat(file); err != nil {
		return "", fmt.Errorf("find %s: %w (install git with its HTTP backend)", backendName, err)
	}
	return file, nil
}

// Init makes a bare repository that can be cloned partially and pushed to over HTTP, with HEAD on the given branch.
func Init(ctx context.Context, dir, branch string) error {
	cmd := exec.CommandContext(ctx, "git", "init", "--quiet", "--bare", "--template=", "--initial-branch="+branch, "--", dir)
	cmd.Env = append(os.Environ(), hermetic()...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git init in %q: %w: %q", dir, err, out)
	}
	config, err := os.OpenFile(filepath.Join(dir, "config"), os.O_APPEND|os.O_WRONLY, 0) //nolint:gosec // git made it
	if err != nil {
		return fmt.Errorf("configure %q: %w", dir, err)
	}
	_, err = config.WriteString(served)
	if err := errors.Join(err, config.Close()); err != nil {
		return fmt.Errorf("configure %q: %w", dir, err)
	}
	return nil
}

// served is the configuration of a repository that is served. Nothing is collected behind the back of whoever looks at it, and
// no write waits for the disk: what is lost with the machine's power is a demo or a test.
const served = `[http]
	receivepack = true
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[receive]
	autogc = false
[gc]
	auto = 0
[core]
	fsync = none
`

// hermetic keeps the machine's Git configuration out, and refs where [Refs] reads them.
func hermetic() []string {
	return []string{"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_DEFAULT_REF_FORMAT=files"}
}

type handler struct {
	root    string
	access  Access
	backend func() (string, error)
	memory  memory
}

func (h *handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	repo, write, ok := parse(req)
	if !ok {
		http.NotFound(w, req)
		return
	}
	user, password, given := req.BasicAuth()
	if h.access != nil && !h.access(user, password, repo, write) {
		if write && given && h.access(user, password, repo, false) {
			http.Error(w, "no write access to this repository", http.StatusForbidden)
			return
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		http.Error(w, "credentials required", http.StatusUnauthorized)
		return
	}
	dir := filepath.Join(h.root, filepath.FromSlash(repo))
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		http.NotFound(w, req)
		return
	}
	backend, err := h.backend()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if req.Method == http.MethodGet && !write {
		h.memory.advertise(w, req, dir, func(w http.ResponseWriter) { h.run(w, req, backend, user) })
		return
	}
	h.run(w, req, backend, user)
}

func (h *handler) run(w http.ResponseWriter, req *http.Request, backend, user string) {
	req, cleanup, err := sized(w, req)
	if err != nil {
		status := http.StatusInternalServerError
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "read request: "+http.StatusText(status), status)
		return
	}
	defer cleanup()
	env := append(hermetic(), "GIT_PROJECT_ROOT="+h.root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER="+user)
	if v := req.Header.Get("Git-Protocol"); v != "" {
		env = append(env, "GIT_PROTOCOL="+v)
	}
	(&cgi.Handler{
		Path:   backend,
		Dir:    h.root,
		Env:    env,
		Logger: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		Stderr: io.Discard,
	}).ServeHTTP(w, req)
}

// parse takes the repository and the kind of access from a URL. Only smart HTTP is served.
func parse(req *http.Request) (repo string, write, ok bool) {
	clean := path.Clean(req.URL.Path)
	if clean != req.URL.Path || strings.ContainsAny(clean, "\\\x00") {
		return "", false, false
	}
	service := req.URL.Query().Get("service")
	for _, suffix := range []string{"/info/refs", "/git-upload-pack", "/git-receive-pack"} {
		repo, found := strings.CutSuffix(clean, suffix)
		if !found {
			continue
		}
		if suffix != "/info/refs" {
			service = suffix[1:]
		}
		known := service == "git-upload-pack" || service == "git-receive-pack"
		repo = strings.TrimPrefix(repo, "/")
		return repo, service == "git-receive-pack", known && repo != "" && filepath.IsLocal(filepath.FromSlash(repo))
	}
	return "", false, false
}

// sized gives a chunked request a length, which CGI needs, by way of a temporary file. git sends large pushes so.
func sized(w http.ResponseWriter, req *http.Request) (*http.Request, func(), error) {
	if req.ContentLength >= 0 && len(req.TransferEncoding) == 0 {
		return req, func() {}, nil
	}
	file, err := os.CreateTemp("", "githttp-*")
	if err != nil {
		return nil, nil, err
	}
	cleanup := func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}
	n, err := io.Copy(file, http.MaxBytesReader(w, req.Body, maxBody))
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		cleanup()
		return nil, nil, err
	}
	out := req.Clone(req.Context())
	out.Body, out.ContentLength, out.TransferEncoding = file, n, nil
	return out, cleanup, nil
}
