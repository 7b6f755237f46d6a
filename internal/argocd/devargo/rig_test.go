package devargo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/argocd"
	"github.com/lockkeeper/lockkeeper/internal/argocd/devargo"
	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
)

const (
	token = "s3cr3t"
	repo  = "https://git.example.com/deploy"
	first = "1111111111111111111111111111111111111111"
	next  = "2222222222222222222222222222222222222222"
)

var ref = argocd.Ref{Name: "dev", Project: "develop"}

// A rig is a server whose clock and branch the test moves.
type rig struct {
	t       *testing.T
	server  *devargo.Server
	handler http.Handler // the server behind the official description

	mu     sync.Mutex
	now    time.Time
	head   string
	synced []string
}

func newRig(t *testing.T, config devargo.Config) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), head: first}
	config.Token = token
	config.Now = func() time.Time {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.now
	}
	config.Resolve = func(_ context.Context, _, revision string) (string, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		switch revision {
		case "main", "HEAD":
			return r.head, nil
		case first, next:
			return revision, nil
		default:
			return "", errors.New("unknown revision")
		}
	}
	config.OnSync = func(of argocd.Ref, revision string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.synced = append(r.synced, of.String()+"@"+revision[:4])
	}
	var err error
	if r.server, err = devargo.New(config); err != nil {
		t.Fatal(err)
	}
	r.handler = contracttest.Guard(t, contract.ArgoCD)(t, r.server)
	return r
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

func (r *rig) push(commit string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head = commit
}

func (r *rig) put(app devargo.App) {
	r.t.Helper()
	app.Ref = ref
	if app.Sources == nil {
		app.Sources = []devargo.Source{{RepoURL: repo, Path: "env/dev", TargetRevision: "main"}}
	}
	if err := r.server.Put(r.t.Context(), app); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) fail(fault devargo.Fault) {
	r.t.Helper()
	if err := r.server.Fail(ref, fault); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) do(method, target, body string) *httptest.ResponseRecorder {
	r.t.Helper()
	request := httptest.NewRequestWithContext(r.t.Context(), method, target, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer "+token)
	if method != http.MethodGet {
		request.Header.Set("Content-Type", "application/json")
	}
	answer := httptest.NewRecorder()
	r.handler.ServeHTTP(answer, request)
	return answer
}

// look observes the application and puts what it sees into one line.
func (r *rig) look(query string) string {
	r.t.Helper()
	answer := r.do("GET", "/api/v1/applications/dev?project=develop"+query, "")
	var app struct {
		Operation *struct{} `json:"operation"`
		Status    struct {
			Sync struct {
				Status   string `json:"status"`
				Revision string `json:"revision"`
			} `json:"sync"`
			Health struct {
				Status string `json:"status"`
			} `json:"health"`
			ReconciledAt   time.Time `json:"reconciledAt"`
			OperationState *struct {
				Phase      string    `json:"phase"`
				FinishedAt time.Time `json:"finishedAt"`
			} `json:"operationState"`
		} `json:"status"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &app); err != nil || answer.Code != http.StatusOK {
		r.t.Fatalf("look: %d %s, %v", answer.Code, answer.Body, err)
	}
	line := fmt.Sprintf("%.4s %s %s", app.Status.Sync.Revision, app.Status.Sync.Status, app.Status.Health.Status)
	if app.Operation != nil {
		line += " requested"
	}
	if state := app.Status.OperationState; state != nil {
		line += " " + state.Phase
		if app.Status.ReconciledAt.Before(state.FinishedAt) {
			line += " (not looked at)"
		}
	}
	return line
}

func (r *rig) watch(n int, pause time.Duration) []string {
	r.t.Helper()
	var seen []string
	for range n {
		r.pass(pause)
		seen = append(seen, r.look(""))
	}
	return seen
}
