package argocd_test

import (
	"cmp"
	"context"
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

const token = "s3cr3t-token"

// A bed is a client and an Argo CD that speak through memory, so that synctest owns the time, and through the official
// description of the API.
type bed struct {
	client *argocd.Client
	argo   *devargo.Server

	mu       sync.Mutex
	branches map[string]string // revision → commit
	requests []string          // "POST /api/v1/applications/dev/sync"
	synced   []string          // revisions that operations applied
}

type guard func(testing.TB, http.Handler) http.Handler

func newBed(t *testing.T, polls int, latency time.Duration) *bed {
	t.Helper()
	return guardedBed(t, contracttest.Guard(t, contract.ArgoCD), polls, latency)
}

func guardedBed(t *testing.T, check guard, polls int, latency time.Duration) *bed {
	t.Helper()
	b := &bed{branches: map[string]string{"main": older, older: older, wanted: wanted, newer: newer}}
	var err error
	b.argo, err = devargo.New(devargo.Config{
		Token:   token,
		Resolve: b.resolve,
		OnSync: func(_ argocd.Ref, revision string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.synced = append(b.synced, revision)
		},
		Polls:   polls,
		Latency: latency,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.client = b.dial(t, check(t, b.argo))
	return b
}

func (b *bed) dial(t *testing.T, handler http.Handler) *argocd.Client {
	t.Helper()
	client, err := argocd.New(argocd.Config{
		URL:        "https://argocd.example.com",
		Token:      token,
		HTTPClient: &http.Client{Transport: inMemory{b.log(handler)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (b *bed) log(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.requests = append(b.requests, r.Method+" "+r.URL.Path+strings.Repeat("?refresh", strings.Count(r.URL.RawQuery, "refresh=")))
		b.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

func (b *bed) resolve(_ context.Context, _, revision string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	commit, ok := b.branches[revision]
	if !ok {
		return "", fmt.Errorf("no such revision %s", revision)
	}
	return commit, nil
}

func (b *bed) push(commit string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.branches["main"] = commit
}

func (b *bed) count(request string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, each := range b.requests {
		if each == request {
			n++
		}
	}
	return n
}

var ref = argocd.Ref{Name: "dev", Project: "develop"}

func (b *bed) put(t *testing.T, app devargo.App) {
	t.Helper()
	app.Ref = argocd.Ref{
		Name:    cmp.Or(app.Name, ref.Name),
		Project: cmp.Or(app.Project, ref.Project),
	}
	if app.Sources == nil {
		app.Sources = []devargo.Source{{RepoURL: repo, Path: "env/dev", TargetRevision: "main"}}
	}
	app.Live = true
	if err := b.argo.Put(t.Context(), app); err != nil {
		t.Fatal(err)
	}
}

func (b *bed) fail(t *testing.T, fault devargo.Fault) {
	t.Helper()
	if err := b.argo.Fail(ref, fault); err != nil {
		t.Fatal(err)
	}
}

// inMemory is a transport without a network: goroutines that wait for each other are all there is, which synctest can see.
type inMemory struct{ handler http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	answer := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.handler.ServeHTTP(answer, r)
	}()
	<-done // Handlers return when the request's context ends.
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return answer.Result(), nil
}

// loseAnswers carries requests other than GET out, and answers as a proxy does whose connection broke.
type loseAnswers struct{ next http.Handler }

func (l loseAnswers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		l.next.ServeHTTP(w, r)
		return
	}
	l.next.ServeHTTP(httptest.NewRecorder(), r)
	w.WriteHeader(http.StatusBadGateway)
}
