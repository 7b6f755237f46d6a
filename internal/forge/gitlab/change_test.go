package gitlab

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/promote"
)

func TestOpenChangesOfTwoPages(t *testing.T) {
	f, s := play(t, map[string][]answer{"GET " + project + "/merge_requests": {
		{Status: 200, Header: map[string]string{"X-Next-Page": "2"}, Body: "[" + mr(t, nil) + "]"},
		{Status: 200, Header: map[string]string{"X-Next-Page": ""}, Body: "[" + mr(t, map[string]any{
			"iid": 8, "source_project_id": 99, "draft": true, "detailed_merge_status": "draft_status", "author": nil,
		}) + "]"},
	}})
	got, err := f.OpenChanges(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fork := openChange()
	fork.Number, fork.Fork, fork.Draft, fork.Author = 8, true, true, ""
	fork.Mergeability = promote.Mergeability{Merge: promote.MergeBlocked, Reason: "draft_status"}
	if diff := cmp.Diff([]promote.Change{openChange(), fork}, got); diff != "" {
		t.Error(diff)
	}
	query := "?labels=lockkeeper&order_by=created_at&page=1&per_page=100&sort=desc&state=opened&with_merge_status_recheck=true"
	if want := "GET " + project + "/merge_requests" + query; s.Got[0].Route != want {
		t.Errorf("got %s, want %s", s.Got[0].Route, want)
	}
}

func TestChangesFromABranch(t *testing.T) {
	f, s := play(t, map[string][]answer{"GET " + project + "/merge_requests": {{Status: 200, Body: "[" + mr(t, nil) + "]"}}})
	got, err := f.ChangesFrom(t.Context(), "lockkeeper/develop/dev")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]promote.Change{openChange()}, got); diff != "" {
		t.Error(diff)
	}
	query := "?order_by=created_at&per_page=20&sort=desc&source_branch=lockkeeper%2Fdevelop%2Fdev&state=all"
	if want := "GET " + project + "/merge_requests" + query; s.Got[0].Route != want {
		t.Errorf("got %s, want %s", s.Got[0].Route, want)
	}
}

func TestChangeStates(t *testing.T) {
	merged := func(commit promote.Commit) promote.Change {
		c := openChange()
		c.State, c.Merged, c.MergedBy = promote.ChangeMerged, commit, "ann"
		c.Mergeability = promote.Mergeability{Merge: promote.MergeBlocked, Reason: "not_open"}
		return c
	}
	closed := openChange()
	closed.State, closed.ClosedBy = promote.ChangeClosed, "ben"
	closed.Mergeability = promote.Mergeability{Merge: promote.MergeBlocked, Reason: "not_open"}
	locked := openChange()
	locked.Mergeability = promote.Mergeability{Merge: promote.MergeChecking, Reason: "locked"}
	orphan := openChange()
	orphan.Fork = true
	ann := map[string]any{"id": 1, "username": "ann"}
	for _, test := range []struct {
		name   string
		fields map[string]any
		want   promote.Change
	}{
		{"open and ready", nil, openChange()},
		{"open, with fields that are new or of a new type", map[string]any{"head_pipeline": map[string]any{"id": 3, "coverage": 98.5}, "squash": "maybe"}, openChange()},
		{"open, from a fork that was deleted", map[string]any{"source_project_id": nil}, orphan},
		{"merged with a merge commit", map[string]any{"state": "merged", "merge_commit_sha": other, "squash_commit_sha": head, "merged_by": ann}, merged(other)},
		{"merged by squashing and fast-forward", map[string]any{"state": "merged", "squash_commit_sha": other, "merge_user": ann}, merged(other)},
		{"merged by fast-forward", map[string]any{"state": "merged", "merge_user": ann, "merged_by": map[string]any{"username": "old"}}, merged(head)},
		{"closed", map[string]any{"state": "closed", "closed_by": map[string]any{"id": 2, "username": "ben"}}, closed},
		{"being merged", map[string]any{"state": "locked"}, locked},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, map[string][]answer{"GET " + project + "/merge_requests/7": {{Status: 200, Body: mr(t, test.fields)}}})
			got, err := f.Change(t.Context(), 7)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMergeabilityOfEveryWord(t *testing.T) {
	blocked := strings.Fields(`ci_must_pass commits_status conflict discussions_not_resolved draft_status
		jira_association_missing locked_lfs_files locked_paths merge_request_blocked merge_time not_approved not_open
		requested_changes security_policy_pipeline_check security_policy_violations status_checks_must_pass title_regex`)
	checking := strings.Fields("unchecked checking preparing approvals_syncing ci_still_running")
	want := map[string]promote.Mergeability{
		"mergeable":          {Merge: promote.MergeReady},
		"need_rebase":        {Merge: promote.MergeBehind, Reason: "need_rebase"},
		"a_word_of_tomorrow": {Merge: promote.MergeUnknown, Reason: "a_word_of_tomorrow"},
		"":                   {Merge: promote.MergeUnknown},
	}
	for _, word := range blocked {
		want[word] = promote.Mergeability{Merge: promote.MergeBlocked, Reason: word}
	}
	for _, word := range checking {
		want[word] = promote.Mergeability{Merge: promote.MergeChecking, Reason: word}
	}
	if known := len(want) - 2; known != 24 || len(mergeStates) != 24 {
		t.Fatalf("GitLab has 24 words, the test %d and the table %d", known, len(mergeStates))
	}
	for word, want := range want {
		if got := mergeability(word); got != want {
			t.Errorf("%q: got %+v, want %+v", word, got, want)
		}
	}
}

// recorded is the directory of payloads and answers that real GitLabs gave.
func readRecorded(t *testing.T, file string) []byte {
	t.Helper()
	dir, err := contract.Dir()
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("This test needs recorded answers of GitLab: %v", err)
	}
	if err != nil {
		t.Skipf("This test needs recorded answers of GitLab, which are not part of the repository: %v", err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "gitlab-api-recorded", file))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRecordedMergeRequests(t *testing.T) {
	blocked := func(reason string) promote.Mergeability {
		return promote.Mergeability{Merge: promote.MergeBlocked, Reason: reason}
	}
	ready := promote.Mergeability{Merge: promote.MergeReady}
	merged := promote.Commit("c9b336f1c71d3e64810b8cfa2abcfab232d6bff6")
	type facts struct {
		State              promote.ChangeState
		Head, Merged       promote.Commit
		MergedBy, ClosedBy string
		Draft, Fork        bool
		Mergeability       promote.Mergeability
	}
	for file, want := range map[string]facts{
		"atlantis/detailed-merge-status-ci-must-pass.json":       {Head: head, Mergeability: blocked("ci_must_pass")},
		"atlantis/detailed-merge-status-need-rebase.json":        {Head: head, Mergeability: promote.Mergeability{Merge: promote.MergeBehind, Reason: "need_rebase"}},
		"atlantis/head-pipeline-not-available.json":              {Head: head, Mergeability: ready},
		"atlantis/pipeline-blocking-discussions-unresolved.json": {Head: head, Mergeability: ready},
		"atlantis/pipeline-remaining-approvals.json":             {Head: head, Mergeability: blocked("not_approved")},
		"atlantis/pipeline-success.json":                         {Head: head, Mergeability: ready},
		"atlantis/pipeline-with-pipeline-skipped.json":           {Head: head, Mergeability: ready},
		"atlantis/pipeline-work-in-progress.json":                {Head: head, Mergeability: ready, Draft: true},
		"atlantis/merge-success.json":                            {State: promote.ChangeMerged, Head: head, Merged: merged, MergedBy: "lkysow", Mergeability: blocked("not_open")},
		"atlantis/merge-success-with-label.json":                 {State: promote.ChangeMerged, Head: head, Merged: merged, MergedBy: "lkysow", Mergeability: blocked("not_open")},
		"atlantis/pull-request.json":                             {State: promote.ChangeClosed, Head: other, ClosedBy: "lukemassa", Mergeability: blocked("not_open")},
		"go-gitlab-testdata/get_merge_request.json":              {Draft: true, Head: "8e0b45049b6253b8984cde9241830d2851168142", Mergeability: ready},
		"jenkins-x-go-scm/merge.json":                            {State: promote.ChangeClosed, Draft: true, Head: "12d65c8dd2b2676fa3ac47d955accc085a37a9c1", Mergeability: blocked("not_open")},
		"jenkins-x-go-scm/pr_create.json":                        {State: promote.ChangeMerged, Fork: true, Head: promote.Commit(strings.Repeat("8", 40)), Merged: promote.Commit(strings.Repeat("8", 40)), MergedBy: "DouweM", Mergeability: blocked("not_open")},
	} {
		t.Run(file, func(t *testing.T) {
			data := readRecorded(t, file)
			f, _ := play(t, map[string][]answer{"GET " + project + "/merge_requests/7": {{Status: 200, Body: string(data)}}})
			c, err := f.Change(t.Context(), 7)
			if err != nil {
				t.Fatal(err)
			}
			if c.Number == 0 || c.Branch == "" || c.Target == "" || c.Title == "" || c.UpdatedAt.IsZero() || c.Author == "" {
				t.Errorf("a field is empty: %+v", c)
			}
			got := facts{c.State, c.Head, c.Merged, c.MergedBy, c.ClosedBy, c.Draft, c.Fork, c.Mergeability}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func testDraft() promote.ChangeDraft {
	return promote.ChangeDraft{
		Branch: "lockkeeper/develop/dev", Target: "main", Head: head, Title: "frontend 1.0.2 to dev", Description: "text",
		Labels: []string{"lockkeeper", "stage::dev"},
	}
}

func TestUpdateBoundsWhatItSends(t *testing.T) {
	f, s := play(t, map[string][]answer{"PUT " + project + "/merge_requests/7": {{Status: 200, Body: mr(t, nil)}}})
	edit := promote.ChangeEdit{Title: strings.Repeat("ü", 300), Description: strings.Repeat("line\n", 200_000)}
	if err := f.Update(t.Context(), 7, edit); err != nil {
		t.Fatal(err)
	}
	var sent struct{ Title, Description string }
	if err := json.Unmarshal([]byte(s.Got[0].Body), &sent); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("ü", 254) + "…"; sent.Title != want {
		t.Errorf("title: got %q", sent.Title)
	}
	if !strings.HasSuffix(sent.Description, "line\n\n\nThe rest is left out: the text has 1000000 bytes, more than GitLab takes.\n") || len(sent.Description) > 900_200 {
		t.Errorf("description: %d bytes, ends with %q", len(sent.Description), sent.Description[len(sent.Description)-100:])
	}
}

func TestClose(t *testing.T) {
	const put, get = "PUT …/merge_requests/7", "GET …/merge_requests/7"
	is := func(state string) answer { return answer{Status: 200, Body: mr(t, map[string]any{"state": state})} }
	refused := answer{Status: 400, Body: `{"message":"400 Bad request"}`}
	for _, test := range []struct {
		name  string
		steps []step
		is    error // nil: it is closed
	}{
		{"it is closed", []step{{put, is("closed")}}, nil},
		{"it was merged meanwhile, and GitLab passes over it", []step{{put, is("merged")}}, promote.ErrStale},
		{"it is refused, because it was closed before", []step{{put, refused}, {get, is("closed")}}, nil},
		{"it is refused, because it was merged before", []step{{put, refused}, {get, is("merged")}}, promote.ErrStale},
		{"it is refused, and is open still", []step{{put, refused}, {get, is("opened")}}, promote.ErrInvalid},
		{"the answer is lost, and it is closed", []step{{put, answer{}}, {get, is("closed")}}, nil},
		{"it does not exist", []step{{put, answer{Status: 404, Body: `{"message":"404 Not found"}`}}}, promote.ErrNotFound},
		{"it may not be closed", []step{{put, answer{Status: 403, Body: `{"message":"403 Forbidden"}`}}}, promote.ErrForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			script, want := scripted(test.steps)
			f, s := play(t, script)
			if err := f.Close(t.Context(), 7); !errors.Is(err, test.is) {
				t.Errorf("got %v, want %v", err, test.is)
			}
			if diff := cmp.Diff(want, s.Routes()); diff != "" {
				t.Error(diff)
			}
			if body := `{"state_event":"close"}`; s.Got[0].Body != body {
				t.Errorf("got %s, want %s", s.Got[0].Body, body)
			}
		})
	}
}
