package bot

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

// TestWhatIsStoredFollowsItsRepository, whatever its name is after a restart.
func TestWhatIsStoredFollowsItsRepository(t *testing.T) {
	at := func(name, forge, project string) Repository {
		return Repository{Name: name, Forge: forge, Project: project}
	}
	onGitHub, onGitLab := at("acme/gitops", "github", "acme/gitops"), at("acme/gitops", "gitlab", "acme/gitops")
	secondOnGitHub, secondOnGitLab := at("github:acme/gitops", "github", "acme/gitops"), at("gitlab:acme/gitops", "gitlab", "acme/gitops")
	for _, test := range []struct {
		name      string
		before    []Repository // nil: an older version ran, which did not note forges
		stored    map[string]int
		after     []Repository
		want      map[string]int
		forgotten map[string]int
	}{
		{"nothing changed", []Repository{onGitHub}, map[string]int{"acme/gitops": 2}, []Repository{onGitHub}, map[string]int{"acme/gitops": 2}, nil},
		{"the twin comes below", []Repository{onGitHub}, map[string]int{"acme/gitops": 2}, []Repository{onGitHub, secondOnGitLab}, map[string]int{"acme/gitops": 2}, nil},
		{
			"the twin comes above",
			[]Repository{onGitHub},
			map[string]int{"acme/gitops": 2},
			[]Repository{onGitLab, secondOnGitHub},
			map[string]int{"github:acme/gitops": 2},
			nil,
		},
		{
			"the two change places",
			[]Repository{onGitHub, secondOnGitLab},
			map[string]int{"acme/gitops": 2, "gitlab:acme/gitops": 3},
			[]Repository{onGitLab, secondOnGitHub},
			map[string]int{"github:acme/gitops": 2, "acme/gitops": 3},
			nil,
		},
		{
			"the first is removed",
			[]Repository{onGitHub, secondOnGitLab},
			map[string]int{"acme/gitops": 2, "gitlab:acme/gitops": 3},
			[]Repository{onGitLab},
			map[string]int{"acme/gitops": 3},
			map[string]int{"acme/gitops": 2},
		},
		{"it moves to the other forge", []Repository{onGitHub}, map[string]int{"acme/gitops": 2}, []Repository{onGitLab}, map[string]int{}, map[string]int{"acme/gitops": 2}},
		{"an older version stored it", nil, map[string]int{"acme/gitops": 2}, []Repository{onGitHub, secondOnGitLab}, map[string]int{"acme/gitops": 2}, nil},
		{"an older version stored it as it was spelled", nil, map[string]int{"/Acme/GitOps": 2}, []Repository{onGitHub}, map[string]int{"acme/gitops": 2}, nil},
		{"another one is configured", []Repository{onGitHub}, map[string]int{"acme/gitops": 2}, []Repository{at("acme/other", "github", "acme/other")}, map[string]int{}, map[string]int{"acme/gitops": 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := openStore(t.Context(), ":memory:", time.Now)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.db.Close() }()
			if test.before != nil {
				if _, err := s.settle(t.Context(), test.before); err != nil {
					t.Fatal(err)
				}
			}
			for name, n := range test.stored {
				for i := range n {
					err := s.change(t.Context(), func(tx *sql.Tx) error {
						_, _, err := s.add(t.Context(), tx, arrival{repository: name, event: promote.Event{Kind: promote.EventChange, Change: i}})
						return err
					})
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			forgotten, err := s.settle(t.Context(), test.after)
			if err != nil {
				t.Fatal(err)
			}
			counts, err := s.counts(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(test.want, counts) || !maps.Equal(test.forgotten, forgotten) {
				t.Errorf("stored %v, forgotten %v", counts, forgotten)
			}
			if again, err := s.settle(t.Context(), test.after); err != nil || len(again) > 0 {
				t.Errorf("the next start forgets %v, %v", again, err)
			}
		})
	}
}

// TestOnePathOnTwoForges: deliveries, jobs and metrics go to the one that they are about.
func TestOnePathOnTwoForges(t *testing.T) {
	cfg := testConfig(tempFile(t), nil)
	other := testHook
	other.Forge = "other"
	cfg.Hooks = append(cfg.Hooks, other)
	cfg.Repositories = []Repository{
		{Name: "acme/gitops", Forge: testHook.Forge, Project: "acme/gitops", Runner: idle},
		{Name: "other:acme/gitops", Forge: "other", Project: "acme/gitops", Runner: idle},
	}
	b := open(t, cfg)
	for i, forge := range []string{testHook.Forge, "other", "other"} {
		body, err := json.Marshal(payload{ID: "a", Project: "acme/gitops", Change: i + 1})
		if err != nil {
			t.Fatal(err)
		}
		if got := deliver(b, "/webhook/"+forge, "secret", bytes.NewReader(body)); got.Code >= http.StatusBadRequest {
			t.Fatalf("got %d", got.Code)
		}
	}
	got := map[string][]int{}
	for _, r := range cfg.Repositories {
		got[r.Name] = waiting(t, b, r.Name)
	}
	if diff := cmp.Diff(map[string][]int{"acme/gitops": {1}, "other:acme/gitops": {2}}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if !metric(t, b, `lockkeeper_queue_events{repository="other:acme/gitops"} 1`) {
		t.Error("the metrics do not tell them apart")
	}
}
