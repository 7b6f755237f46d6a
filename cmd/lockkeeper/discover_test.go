package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestConfidential(t *testing.T) {
	for url, want := range map[string]bool{
		"https://gitlab.com/group/repository.git": true, "http://127.0.0.1:8080/r.git": true, "http://[::1]/r.git": true, "http://localhost/r.git": true,
		"http://gitlab.com/group/repository.git": false, "http://127.0.0.1.example.com/r.git": false, "http://localhost.example.com/r.git": false,
		"git@gitlab.com:group/repository.git": false, "": false, "://": false,
	} {
		if got := confidential(url); got != want {
			t.Errorf("confidential(%q) = %v, want %v", url, got, want)
		}
	}
}

// What a manifest names is not trusted: only the clone's own repository gets the credentials.
func TestCredentialsGoToTheOwnRepositoryOnly(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		mu.Lock()
		got = append(got, strings.TrimSuffix(r.URL.Path, "/info/refs")+" "+user+":"+password)
		mu.Unlock()
		w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	env := environment{getenv: func(name string) string {
		return map[string]string{"LOCKKEEPER_GIT_USERNAME": "ann", "LOCKKEEPER_GIT_PASSWORD": "opensesame"}[name]
	}}
	sources := newCloneSources(env, []string{server.URL + "/mine.git", server.URL + "/unverified.git"})
	warehouse := promote.Warehouse{Name: "w", Git: []promote.GitSubscription{{RepoURL: server.URL + "/mine.git"}, {RepoURL: server.URL + "/other.git"}, {RepoURL: server.URL + "/unverified.git", SkipTLSVerify: true}}}
	found, _, err := sources.Discover(t.Context(), "develop", warehouse)
	if err != nil || found.Problem == "" || strings.Contains(found.Problem, "opensesame") {
		t.Errorf("problem %q, error %v", found.Problem, err)
	}
	if all := strings.Join(got, "\n"); !strings.Contains(all, "/mine.git ann:opensesame") || strings.Count(all, "ann") != strings.Count(all, "/mine.git") {
		t.Errorf("sent:\n%s", all)
	}
}
