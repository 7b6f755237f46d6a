package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/promote"
)

// recordedDir is where answers lie that a real GitHub gave. They are not part of the repository: see contract.Dir.
func recordedDir(t testing.TB) string {
	t.Helper()
	dir, err := contract.Dir()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("This test needs recorded answers: %v", err)
		}
		t.Skipf("This test needs recorded answers, which are not part of the repository: %v", err)
	}
	return filepath.Join(dir, "github-api-recorded")
}

// TestRecordedRequirements judges what GitHub answered about changes whose branches require all sorts of things. The status
// "atlantis/apply" is required and pending in most of them: it is that of the bot that asked.
func TestRecordedRequirements(t *testing.T) {
	const workflow = ".github/workflows/my-required-workflow.yaml"
	dir := filepath.Join(recordedDir(t), "atlantis-graphql")
	apply := "not passed yet: atlantis/apply"
	want := map[string]string{
		"branch-protection-expected":                     apply + ", my-required-expected-check",
		"branch-protection-failed":                       "failed: my-required-expected-check; " + apply,
		"branch-protection-passed":                       apply,
		"ruleset-atlantis-apply-expected":                apply,
		"ruleset-atlantis-apply-pending":                 apply,
		"ruleset-check-expected":                         apply + ", my-required-expected-check",
		"ruleset-check-failed-other-atlantis":            "failed: other-atlantis/apply; " + apply,
		"ruleset-check-failed":                           "failed: my-required-expected-check; " + apply,
		"ruleset-check-neutral":                          apply,
		"ruleset-check-passed":                           apply,
		"ruleset-check-pending-other-atlantis":           apply + ", other-atlantis/apply",
		"ruleset-check-pending":                          apply + ", my-required-expected-check",
		"ruleset-check-skipped":                          apply,
		"ruleset-evaluate-workflow-failed":               apply,
		"ruleset-optional-check-failed":                  apply,
		"ruleset-optional-status-failed":                 apply,
		"ruleset-required-reviewer-approved":             "",
		"ruleset-required-reviewer-pending":              "",
		"ruleset-workflow-expected":                      apply + ", " + workflow,
		"ruleset-workflow-failed-first-check-successful": "failed: " + workflow + "; " + apply,
		"ruleset-workflow-failed":                        "failed: " + workflow + "; " + apply,
		"ruleset-workflow-passed-multiple-runs":          apply,
		"ruleset-workflow-passed-sha-match":              apply,
		"ruleset-workflow-passed-sha-mismatch":           apply + ", " + workflow,
		"ruleset-workflow-passed-with-global-codeql":     apply,
		"ruleset-workflow-passed":                        apply,
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if name == "repository-id" {
			continue // About a repository, not about a change.
		}
		var answer struct {
			Data requirementsAnswer `json:"data"`
		}
		if err := json.Unmarshal(data, &answer); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got[name] = answer.Data.judge(answer.Data.head().StatusCheckRollup.Contexts.Nodes, false).String()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRequiredJobsOfActions(t *testing.T) {
	job := func(name, conclusion string, required bool) reported {
		var out reported
		out.Typename, out.Name, out.Conclusion, out.IsRequired = "CheckRun", name, conclusion, required
		out.CheckSuite.WorkflowRun.File.Path, out.CheckSuite.WorkflowRun.RunNumber = ".github/workflows/ci.yaml", 4
		return out
	}
	for _, test := range []struct {
		name  string
		found []reported
		want  string
	}{
		{"none was reported", nil, "not passed yet: build"},
		{"it runs", []reported{job("build", "", true)}, "not passed yet: build"},
		{"it passed", []reported{job("build", "SUCCESS", true)}, ""},
		{"it failed", []reported{job("build", "TIMED_OUT", true)}, "failed: build"},
		{"a word that is new has not passed", []reported{job("build", "SHINING", true)}, "failed: build"},
		{"it passed, another that is not required failed", []reported{job("build", "SUCCESS", true), job("lint", "FAILURE", false)}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var answer requirementsAnswer
			change := &answer.Repository.PullRequest
			change.BaseRef.BranchProtectionRule.RequiredStatusChecks = []named{{Context: "build"}}
			if got := answer.judge(test.found, false).String(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// checksPage is a page of what was reported about a head: check runs that nobody requires, and some statuses. The rules want build.
func checksPage(t *testing.T, oid promote.Commit, cursor string, statuses ...map[string]any) answer {
	t.Helper()
	nodes := []any{}
	for i := range perPage - len(statuses) {
		nodes = append(nodes, map[string]any{"__typename": "CheckRun", "name": fmt.Sprint("lint ", i), "conclusion": "SUCCESS"})
	}
	for _, status := range statuses {
		nodes = append(nodes, status)
	}
	return ok(repositoryJSON(t, map[string]any{"pullRequest": map[string]any{
		"baseRef": map[string]any{"branchProtectionRule": map[string]any{"requiredStatusChecks": []any{map[string]any{"context": "build"}}}},
		"commits": map[string]any{"nodes": []any{map[string]any{"commit": map[string]any{"oid": oid, "statusCheckRollup": map[string]any{"contexts": map[string]any{
			"pageInfo": map[string]any{"hasNextPage": cursor != "", "endCursor": cursor}, "nodes": nodes,
		}}}}}},
	}}))
}

// TestManyChecksOnOneHead: the rest is read where there is more than a page of them, and a bound says what is not known.
func TestManyChecksOnOneHead(t *testing.T) {
	build := func(state string) map[string]any {
		return map[string]any{"__typename": "StatusContext", "context": "build", "state": state, "isRequired": true}
	}
	var endless []answer
	for i := range maxReportedPages {
		endless = append(endless, checksPage(t, head, fmt.Sprint("c", i+1)))
	}
	for _, test := range []struct {
		name    string
		pages   []answer
		want    string
		final   bool
		pending bool
		cursors []any
		err     error
	}{
		{"one page is one request", []answer{checksPage(t, head, "", build("SUCCESS"))}, "", false, false, []any{nil}, nil},
		{
			"it passed on the second page",
			[]answer{checksPage(t, head, "c1"), checksPage(t, head, "", build("SUCCESS"))},
			"", false, false,
			[]any{nil, "c1"},
			nil,
		},
		{
			"it failed on the third page",
			[]answer{checksPage(t, head, "c1"), checksPage(t, head, "c2"), checksPage(t, head, "", build("FAILURE"))},
			"failed: build", true, false,
			[]any{nil, "c1", "c2"},
			nil,
		},
		{"it is on no page", []answer{checksPage(t, head, "c1"), checksPage(t, head, "")}, "not passed yet: build", false, true, []any{nil, "c1"}, nil},
		{
			"there are too many pages", endless, "the head has more than 1000 checks and statuses, what is beyond is not known: build", false, true,
			[]any{nil, "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"},
			nil,
		},
		{"the head moves", []answer{checksPage(t, head, "c1"), checksPage(t, other, "", build("SUCCESS"))}, "", false, false, []any{nil, "c1"}, promote.ErrStale},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, map[string][]answer{"Requirements": test.pages})
			got, err := f.requirements(t.Context(), 7)
			if !errors.Is(err, test.err) {
				t.Fatalf("got %v", err)
			}
			if got.String() != test.want || got.final() != test.final || got.pending() != test.pending {
				t.Errorf("got %q, final %t, pending %t", got, got.final(), got.pending())
			}
			var cursors []any
			for _, one := range s.Got {
				var sent struct {
					Variables map[string]any `json:"variables"`
				}
				if err := json.Unmarshal([]byte(one.Body), &sent); err != nil {
					t.Fatal(err)
				}
				cursors = append(cursors, sent.Variables["after"])
			}
			if diff := cmp.Diff(test.cursors, cursors); diff != "" {
				t.Error(diff)
			}
		})
	}
}
