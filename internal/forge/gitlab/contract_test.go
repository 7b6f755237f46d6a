package gitlab

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// TestGitLabDescribesEveryRequest makes each request that the adapter can make, and lets GitLab's own description judge it:
// path, query, body, and no field that GitLab does not know.
func TestGitLabDescribesEveryRequest(t *testing.T) {
	described := contracttest.Open(t, contract.GitLab)
	var mu sync.Mutex
	made := map[string]bool{}
	answers := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		made[r.Method+" "+strings.TrimPrefix(r.URL.EscapedPath(), projectPath)] = true
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		body := `{"id":42,"iid":7,"state":"merged","sha":"` + string(head) + `","diff_refs":{"base_sha":"` + string(other) + `","head_sha":"` + string(head) + `","start_sha":"` + string(other) + `"},"merge_pipelines_enabled":true,"head_pipeline":{"id":3,"sha":"` + string(other) + `"}}`
		if (strings.HasSuffix(r.URL.Path, "s") || strings.HasSuffix(r.URL.Path, "/members/all")) && r.Method == http.MethodGet {
			body = `[{"id":1,"name":"lockkeeper/gates","author":{"id":42}}]`
		}
		if strings.HasSuffix(r.URL.Path, "/discussions") {
			body = `[{"id":"` + testThread + `","notes":[{"id":11}]}]`
		}
		if strings.HasSuffix(r.URL.Path, "/approvals") {
			body = `{"approved_by":[{"user":{"id":5,"username":"lea"}}]}`
		}
		if _, err := w.Write([]byte(body)); err != nil {
			t.Error(err)
		}
	})
	running := httptest.NewServer(described.Handler(answers, contracttest.Requests(t)))
	defer running.Close()
	f, err := New(Config{URL: running.URL, Project: "group/project", Token: testToken, ExternalStatusCheck: "lockkeeper/gates"})
	if err != nil {
		t.Fatal(err)
	}
	everything(t, f)
	want := map[string]bool{
		"GET ":                        true,
		"GET /merge_requests":         true,
		"POST /merge_requests":        true,
		"GET /merge_requests/7":       true,
		"PUT /merge_requests/7":       true,
		"PUT /merge_requests/7/merge": true,
		"POST /merge_requests/7/cancel_merge_when_pipeline_succeeds":  true,
		"GET /merge_requests/7/notes":                                 true,
		"GET /merge_requests/7/approvals":                             true,
		"GET /merge_requests/7/discussions":                           true,
		"POST /merge_requests/7/discussions":                          true,
		"PUT /merge_requests/7/discussions/" + testThread:             true,
		"POST /merge_requests/7/discussions/" + testThread + "/notes": true,
		"POST /merge_requests/7/notes":                                true,
		"PUT /merge_requests/7/notes/11":                              true,
		"POST /merge_requests/7/notes/11/award_emoji":                 true,
		"POST /merge_trains/merge_requests/7":                         true,
		"GET /merge_trains/main":                                      true,
		"GET /members/all/5":                                          true,
		"GET /repository/commits/" + string(head) + "/statuses":       true,
		"GET /repository/commits/" + string(other) + "/statuses":      true,
		"POST /statuses/" + string(head):                              true,
		"POST /statuses/" + string(other):                             true,
		"GET /external_status_checks":                                 true,
		"POST /merge_requests/7/status_check_responses":               true,
		"GET /deployments":                                            true,
		"POST /deployments":                                           true,
		"PUT /deployments/9":                                          true,
		"PUT /environments/4":                                         true,
		"GET /api/v4/users":                                           true,
		"GET /api/v4/user":                                            true,
		"GET /pipelines/3":                                            true,
		"GET /api/v4/groups/acme/members/all":                         true,
		"GET /merge_requests/7/status_checks":                         true,
		"GET /merge_requests/7/versions":                              true,
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Error(diff)
	}
}

func everything(t *testing.T, f *Forge) {
	t.Helper()
	ctx := t.Context()
	bare := gates(promote.StatusFailed)
	bare.Change = 0
	for name, call := range map[string]func() error{
		"OpenChanges": func() error { _, err := f.OpenChanges(ctx); return err },
		"ChangesFrom": func() error { _, err := f.ChangesFrom(ctx, "lockkeeper/develop/dev"); return err },
		"Change":      func() error { _, err := f.Change(ctx, 7); return err },
		"Open":        func() error { _, err := f.Open(ctx, testDraft()); return err },
		"draft": func() error {
			_, err := f.Open(ctx, promote.ChangeDraft{Branch: "b", Target: "main", Title: "x", Reviewers: []string{"ann"}})
			return err
		},
		"Update": func() error { return f.Update(ctx, 7, promote.ChangeEdit{Title: "x"}) },
		"AddLabels": func() error {
			_, err := f.update(ctx, 7, promote.ChangeEdit{Title: "x"}, []string{"a", "b"})
			return err
		},
		"Close": func() error {
			if err := f.Close(ctx, 7); !errors.Is(err, promote.ErrStale) { // The answers say that it is merged.
				return fmt.Errorf("got %w, want %w", err, promote.ErrStale)
			}
			return nil
		},
		"Unqueue":  func() error { return f.Unqueue(ctx, 7) },
		"Merge":    func() error { _, err := f.Merge(ctx, 7, head, "message"); return err },
		"board":    func() error { _, err := f.board(ctx, mergeOrder{number: 7, head: head, later: true}); return err },
		"position": func() error { f.position(ctx, promote.Change{Number: 7, Target: "main"}); return nil },
		"Status":   func() error { _, _, err := f.statusOn(ctx, head, promote.StatusName); return err },
		"posted":   func() error { _, _, err := f.Status(ctx, head, promote.StatusName); return err },
		"Deploy":   func() error { return f.Deploy(ctx, testDeployment(promote.DeploymentRunning)) },
		"redeploy": func() error {
			_, err := f.redeploy(ctx, testDeployment(promote.DeploymentFailed), deployment{ID: 9})
			return err
		},
		"dress": func() error {
			made := deployment{CreatedAt: stamp{testNow}}
			made.Environment.ID, made.Environment.CreatedAt = 4, stamp{testNow}
			f.dress(ctx, testDeployment(promote.DeploymentRunning), made)
			return nil
		},
		"respond": func() error { return f.respond(ctx, gates(promote.StatusFailed)) },
		"heard": func() error {
			f.seen(head, 7)
			f.checkFound, f.answers[head] = externalCheck{}, checkAnswer{}
			_, err := f.heard(ctx, head, gates(promote.StatusFailed).Status)
			return err
		},
		"checks":      func() error { f.checkFound = externalCheck{}; _, err := f.externalCheck(ctx); return err },
		"PostStatus":  func() error { return f.PostStatus(ctx, gates(promote.StatusPending)) },
		"bare status": func() error { return f.PostStatus(ctx, bare) },
		"Notes":       func() error { _, err := f.Notes(ctx, 7); return err },
		"AddNote":     func() error { _, err := f.AddNote(ctx, 7, "text"); return err },
		"lost note":   func() error { _, err := f.addedAlready(ctx, 7, promote.Note{}, nil); return err },
		"Reply":       func() error { _, err := f.Reply(ctx, 7, testThread, "text"); return err },
		"OwnThreads":  func() error { _, err := f.OwnThreads(ctx, 7); return err },
		"OpenThreads": func() error {
			return f.OpenThreads(ctx, 7, head, []promote.ThreadDraft{{Path: "a.yaml", Line: 3, Body: "text"}, {Path: "a.yaml", Body: "text"}})
		},
		"Resolve":     func() error { return f.Resolve(ctx, 7, testThread, true) },
		"discussions": func() error { _, err := f.discussions(ctx, 7); return err },
		"EditNote":    func() error { return f.EditNote(ctx, 7, 11, "text") },
		"React":       func() error { return f.React(ctx, 7, 11, promote.ReactionSeen) },
		"Approvals":   func() error { _, err := f.Approvals(ctx, 7); return err },
		"Permission":  func() error { _, err := f.Permission(ctx, promote.Person{ID: 5}); return err },
		"Settings":    func() error { _, err := f.Settings(ctx); return err },
		"Pipeline":    func() error { _, err := f.Pipeline(ctx, 3); return err },
		"InGroup":     func() error { _, err := f.InGroup(ctx, "acme", "lea"); return err },
	} {
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRecordedAnswersSatisfyTheDescription keeps the two sources of truth about GitLab from drifting apart: an answer that a real
// GitLab gave passes the description, so a failure elsewhere is one of the request or of the emulation.
func TestRecordedAnswersSatisfyTheDescription(t *testing.T) {
	described := contracttest.Open(t, contract.GitLab)
	for _, file := range []string{"atlantis/merge-success.json", "atlantis/detailed-merge-status-ci-must-pass.json", "atlantis/pull-request.json"} {
		t.Run(file, func(t *testing.T) {
			data := readRecorded(t, file)
			running := httptest.NewServer(contracttest.Handler(t, described, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if _, err := w.Write(data); err != nil {
					t.Error(err)
				}
			})))
			defer running.Close()
			f, err := New(Config{URL: running.URL, Project: "group/project", Token: testToken})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Change(t.Context(), 7); err != nil {
				t.Error(err)
			}
		})
	}
}
