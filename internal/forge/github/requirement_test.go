package github

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/contract"
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
		got[name] = answer.Data.judge().String()
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
			if err := json.Unmarshal([]byte(`[{"commit":{}}]`), &change.Commits.Nodes); err != nil {
				t.Fatal(err)
			}
			change.Commits.Nodes[0].Commit.StatusCheckRollup.Contexts.Nodes = test.found
			if got := answer.judge().String(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
