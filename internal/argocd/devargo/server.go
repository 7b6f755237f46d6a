// Package devargo is an Argo CD API server in one process, for the demo and for tests.
//
// It owns the observable behaviour of Argo CD towards a client that delivers: applications, refresh, sync operations that take
// their time, automated sync, health that lags behind, permissions, and the errors of all that, as Argo CD 3.6 shows them. It
// has no cluster: what an application "runs" is the fingerprint of what its sources had at the commit that was synced last.
// Nothing happens by itself. Time passes when somebody looks, by the clock and by the number of looks, so that tests decide
// how fast it is.
package devargo

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/argocd"
)

const version = "v3.6.1+devargo"

// Config makes a [Server].
type Config struct {
	Token string // required; the one bearer token that is accepted

	// Resolve gives the commit that revision (branch, tag or commit) means in the repository. Required. It and the other
	// functions are called without any lock held, from the goroutine of a request.
	Resolve func(ctx context.Context, repoURL, revision string) (commit string, err error)

	// Content gives a fingerprint of what source deploys at commit. Equal fingerprints need no sync, so that a commit elsewhere
	// in the repository leaves the application Synced. Nil means the commit itself.
	Content func(ctx context.Context, source Source, commit string) (string, error)

	OnSync    func(ref argocd.Ref, revision string) // called after each operation that succeeded; may be nil
	Now       func() time.Time                      // nil means time.Now
	Polls     int                                   // looks that an operation, and then a rollout, last at least
	Latency   time.Duration                         // time that an operation, and then a rollout, last at least
	Namespace string                                // Argo CD's own; empty means "argocd"
}

// A Server answers Argo CD's API below /api. It may be used by many goroutines at once.
type Server struct {
	config Config
	mux    *http.ServeMux

	mu   sync.Mutex
	apps map[string]*state // by namespace/name
}

// New makes a server without applications.
func New(config Config) (*Server, error) {
	if config.Token == "" || config.Resolve == nil {
		return nil, errors.New("devargo: the token and Resolve are required")
	}
	if config.Content == nil {
		config.Content = func(_ context.Context, _ Source, commit string) (string, error) { return commit, nil }
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Namespace == "" {
		config.Namespace = "argocd"
	}
	s := &Server{config: config, mux: http.NewServeMux(), apps: map[string]*state{}}
	s.route()
	return s, nil
}

func (s *Server) route() {
	s.mux.HandleFunc("GET /api/version", s.version)
	s.mux.HandleFunc("GET /api/v1/session/userinfo", s.userInfo)
	for pattern, handler := range map[string]func(*http.Request) (any, error){
		"GET /api/v1/account/can-i/{resource}/{action}/{subresource...}": s.canI,
		"GET /api/v1/applications":                                       s.list,
		"GET /api/v1/applications/{name}":                                s.get,
		"GET /api/v1/applications/{name}/resource-tree":                  s.resourceTree,
		"POST /api/v1/applications/{name}/sync":                          s.sync,
		"DELETE /api/v1/applications/{name}/operation":                   s.terminate,
	} {
		s.mux.HandleFunc(pattern, s.authenticated(handler))
	}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, "Invalid content type", http.StatusUnsupportedMediaType)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Server) authorized(r *http.Request) bool {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return subtle.ConstantTimeCompare([]byte(token), []byte(s.config.Token)) == 1
}

func (s *Server) authenticated(handler func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.authorized(r) {
			message := "no session information"
			if r.Header.Get("Authorization") != "" {
				message = "invalid session: token signature is invalid"
			}
			writeError(w, unauthenticated(message))
			return
		}
		answer, err := handler(r)
		if r.Context().Err() != nil {
			return // The client has left.
		}
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	}
}

func (s *Server) version(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, struct{ Version string }{version})
}

// userInfo answers everybody: who is not logged in learns just that.
func (s *Server) userInfo(w http.ResponseWriter, r *http.Request) {
	type info struct {
		LoggedIn bool   `json:"loggedIn"`
		Username string `json:"username,omitempty"`
		Issuer   string `json:"iss,omitempty"`
	}
	if !s.authorized(r) {
		writeJSON(w, http.StatusOK, info{})
		return
	}
	writeJSON(w, http.StatusOK, info{LoggedIn: true, Username: "lockkeeper", Issuer: "argocd"})
}

// An apiError is an error as gRPC and its gateway know it.
type apiError struct {
	status int // of HTTP
	code   int // of gRPC
	text   string
	html   bool // as a proxy in front would say it
}

func (e *apiError) Error() string { return e.text }

func invalidArgument(text string) error { return &apiError{status: 400, code: 3, text: text} }

func notFound(name string) error {
	return &apiError{status: 404, code: 5, text: `applications.argoproj.io "` + name + `" not found`}
}
func permissionDenied(text string) error   { return &apiError{status: 403, code: 7, text: text} }
func failedPrecondition(text string) error { return &apiError{status: 400, code: 9, text: text} }
func internal(text string) error           { return &apiError{status: 500, code: 13, text: text} }
func unauthenticated(text string) error    { return &apiError{status: 401, code: 16, text: text} }

func writeError(w http.ResponseWriter, err error) {
	failed, ok := errors.AsType[*apiError](err)
	if !ok {
		failed = &apiError{status: 500, code: 13, text: err.Error()}
	}
	if failed.html {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(failed.status)
		_, _ = w.Write([]byte("<html><head><title>" + failed.text + "</title></head></html>\n"))
		return
	}
	writeJSON(w, failed.status, struct {
		Error   string `json:"error"`
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{failed.text, failed.code, failed.text})
}

func writeJSON(w http.ResponseWriter, status int, answer any) {
	body, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// There is nobody left to tell when the client has gone.
	_, _ = w.Write(body)
}
