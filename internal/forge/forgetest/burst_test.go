package forgetest

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/internal/forge/github"
	"github.com/lockkeeper/lockkeeper/promote"
)

// An inside is a connection to a forge in the same process, on whose way the clock of a bubble does not stand still.
type inside struct {
	forge    *devforge.Forge
	thinking time.Duration // until the answer

	mu      sync.Mutex
	refused []string
	writes  int
}

// RoundTrip implements [http.RoundTripper].
func (i *inside) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	recorded := httptest.NewRecorder()
	time.Sleep(i.thinking / 2)
	i.forge.Handler().ServeHTTP(recorded, r)
	time.Sleep(i.thinking / 2)
	answer := recorded.Result()
	i.mu.Lock()
	defer i.mu.Unlock()
	if r.Method != http.MethodGet {
		i.writes++
	}
	if answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusTooManyRequests {
		i.refused = append(i.refused, fmt.Sprintf("%s %s: %d", r.Method, r.URL.Path, answer.StatusCode))
	}
	return answer, nil
}

const burst = 300

// TestABurstIsNeverRefused: 300 changes are opened, labelled, gated and explained at once, on a GitHub that keeps its secondary
// limits. It takes some hours, and GitHub never has to say no.
func TestABurstIsNeverRefused(t *testing.T) {
	root := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		dev, err := devforge.New(devforge.Config{Root: root, URL: "http://forge.test", Dialect: devforge.GitHub, SecondaryLimits: true})
		if err != nil {
			t.Fatal(err)
		}
		defer dev.Close()
		head := burstGround(t, root, dev)
		wire := &inside{forge: dev, thinking: 200 * time.Millisecond}
		adapter, err := github.New(github.Config{
			URL: "http://forge.test", Repository: "acme/shop", Token: "bot-token", HTTPClient: &http.Client{Transport: wire},
		})
		if err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		var all sync.WaitGroup
		for i := range burst {
			all.Go(func() {
				var change promote.Change
				patiently(t, func() (err error) {
					change, err = adapter.Open(t.Context(), promote.ChangeDraft{
						Branch: promote.Branch(fmt.Sprint("change-", i)), Target: "main", Title: fmt.Sprint("Change ", i), Labels: []string{promote.ChangeLabel},
					})
					return err
				})
				patiently(t, func() error {
					return adapter.PostStatus(t.Context(), promote.PostStatus{
						Change: change.Number, Head: head, Status: promote.Status{Name: fmt.Sprint("gates/", i), State: promote.StatusPending, Description: "waits"},
					})
				})
				patiently(t, func() error {
					_, err := adapter.AddNote(t.Context(), change.Number, "explained")
					return err
				})
			})
		}
		all.Wait()
		if len(wire.refused) > 0 {
			t.Errorf("%d refusals, such as %s", len(wire.refused), wire.refused[0])
		}
		open, err := adapter.OpenChanges(t.Context())
		if err != nil || len(open) != burst {
			t.Errorf("%d changes, %v", len(open), err)
		}
		if took := time.Since(started); wire.writes < 4*burst || took < 2*time.Hour {
			t.Errorf("%d writes in %v", wire.writes, took)
		}
	})
}

// burstGround makes a repository with many branches, and returns the commit that they are at.
func burstGround(t *testing.T, root string, dev *devforge.Forge) promote.Commit {
	t.Helper()
	if _, err := dev.CreateProject("acme/shop", "main", map[string]string{"README.md": "shop\n"}); err != nil {
		t.Fatal(err)
	}
	dev.CreateUser(bot, "bot-token")
	if err := dev.AddMember("acme/shop", bot, devforge.AccessDeveloper); err != nil {
		t.Fatal(err)
	}
	head, err := dev.Commit(t.Context(), "acme/shop", "change-0", bot, "Change", map[string]string{"image.yaml": "tag: 2\n"})
	if err != nil {
		t.Fatal(err)
	}
	var refs strings.Builder
	for i := range burst {
		fmt.Fprintf(&refs, "update refs/heads/change-%d %s\n", i, head)
	}
	git := exec.CommandContext(t.Context(), "git", "--git-dir", filepath.Join(root, "repositories", "acme", "shop.git"), "update-ref", "--stdin")
	git.Stdin = strings.NewReader(refs.String())
	if said, err := git.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if err := dev.Refresh(t.Context(), "acme/shop", bot); err != nil {
		t.Fatal(err)
	}
	return promote.Commit(head)
}

// patiently does something until no limit is in the way, as the queue of the server does.
func patiently(t *testing.T, do func() error) {
	t.Helper()
	for range 1000 {
		err := do()
		if err == nil {
			return
		}
		api, ok := errors.AsType[*promote.APIError](err)
		if !ok || !errors.Is(err, promote.ErrLimited) {
			t.Error(err)
			return
		}
		time.Sleep(api.RetryAfter)
	}
	t.Error("it never ended")
}
