package github

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge"
)

// requirements are what the rules of a target branch want of the head of a change and do not have yet.
type requirements struct {
	waiting []string // checks that have not ended, or were not reported yet
	failed  []string
	review  string // a word of reviewReasons, or empty
}

// final says that waiting alone will not be enough.
func (r requirements) final() bool { return len(r.failed) > 0 || r.review != "" }

// String names what is missing, the most hopeless first.
func (r requirements) String() string {
	var parts []string
	if len(r.failed) > 0 {
		parts = append(parts, "failed: "+strings.Join(r.failed, ", "))
	}
	if r.review != "" {
		parts = append(parts, r.review)
	}
	if len(r.waiting) > 0 {
		parts = append(parts, "not passed yet: "+strings.Join(r.waiting, ", "))
	}
	return forge.CutBytes(strings.Join(parts, "; "), forge.MaxMessage)
}

const requirementsQuery = `
query Requirements($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewDecision
      baseRef {
        branchProtectionRule { requiredStatusChecks { context } }
        rules(first: 100) {
          nodes {
            type
            repositoryRuleset { enforcement }
            parameters {
              __typename
              ... on RequiredStatusChecksParameters { requiredStatusChecks { context } }
              ... on WorkflowsParameters { workflows { path sha } }
            }
          }
        }
      }
      commits(last: 1) {
        nodes {
          commit {
            statusCheckRollup {
              contexts(first: 100) {
                      nodes {
                  __typename
                  ... on StatusContext { context state isRequired(pullRequestNumber: $number) }
                  ... on CheckRun {
                    name conclusion isRequired(pullRequestNumber: $number)
                    checkSuite { workflowRun { runNumber file { path repositoryFileUrl } } }
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}`

// requirements reads what is required of a change and how it stands. What the credentials may not see is taken for not there.
func (f *Forge) requirements(ctx context.Context, number int) (requirements, error) {
	var answer requirementsAnswer
	asked := query{
		name: "read requirements", subject: "of change " + strconv.Itoa(number), text: requirementsQuery,
		variables: f.variables(map[string]any{"number": number}),
	}
	if err := f.graphql(ctx, asked, &answer); err != nil {
		return requirements{}, err
	}
	return answer.judge(), nil
}

type named struct {
	Context string `json:"context"`
}

type requirementsAnswer struct {
	Repository struct {
		PullRequest struct {
			ReviewDecision string `json:"reviewDecision"`
			BaseRef        struct {
				BranchProtectionRule struct {
					RequiredStatusChecks []named `json:"requiredStatusChecks"`
				} `json:"branchProtectionRule"`
				Rules struct {
					Nodes []ruleOnBranch `json:"nodes"`
				} `json:"rules"`
			} `json:"baseRef"`
			Commits struct {
				Nodes []struct {
					Commit struct {
						StatusCheckRollup struct {
							Contexts struct {
								Nodes []reported `json:"nodes"`
							} `json:"contexts"`
						} `json:"statusCheckRollup"`
					} `json:"commit"`
				} `json:"nodes"`
			} `json:"commits"`
		} `json:"pullRequest"`
	} `json:"repository"`
}

// A ruleOnBranch is one rule of a ruleset.
type ruleOnBranch struct {
	Type              string `json:"type"`
	RepositoryRuleset struct {
		Enforcement string `json:"enforcement"`
	} `json:"repositoryRuleset"`
	Parameters struct {
		RequiredStatusChecks []named            `json:"requiredStatusChecks"`
		Workflows            []requiredWorkflow `json:"workflows"`
		AllowedMergeMethods  []string           `json:"allowedMergeMethods"`
	} `json:"parameters"`
}

// active says whether a rule holds; others are being tried out, or switched off.
func (r ruleOnBranch) active() bool { return r.RepositoryRuleset.Enforcement == "ACTIVE" }

// forbids says whether a rule does not allow a method of merging.
func (r ruleOnBranch) forbids(method string) bool {
	if r.Type == "REQUIRED_LINEAR_HISTORY" {
		return method == "merge"
	}
	allowed := r.Parameters.AllowedMergeMethods
	return len(allowed) > 0 && !slices.ContainsFunc(allowed, func(name string) bool { return strings.EqualFold(name, method) })
}

type requiredWorkflow struct {
	Path string `json:"path"`
	SHA  string `json:"sha"` // empty: any version will do
}

// A reported is a status or check run on the head.
type reported struct {
	Typename   string `json:"__typename"`
	Context    string `json:"context"` // of a status
	State      string `json:"state"`
	Name       string `json:"name"` // of a check run
	Conclusion string `json:"conclusion"`
	IsRequired bool   `json:"isRequired"`
	CheckSuite struct {
		WorkflowRun struct {
			RunNumber int `json:"runNumber"`
			File      struct {
				Path string `json:"path"`
				URL  string `json:"repositoryFileUrl"`
			} `json:"file"`
		} `json:"workflowRun"`
	} `json:"checkSuite"`
}

func (r reported) name() string {
	if r.Typename == "CheckRun" {
		return r.Name
	}
	return r.Context
}

// belongsTo says whether a check is one of a workflow that a rule names.
func (r reported) belongsTo(rule ruleOnBranch) bool {
	path := r.CheckSuite.WorkflowRun.File.Path
	return path != "" && slices.ContainsFunc(rule.Parameters.Workflows, func(w requiredWorkflow) bool { return w.Path == path })
}

// An outcome is what a check came to.
type outcome int

const (
	outcomeWaits outcome = iota
	outcomePassed
	outcomeFailed
)

// outcome reads the words of a status and of a check run. What is neutral or skipped has passed, as GitHub has it. A word that is new
// to us has not passed.
func (r reported) outcome() outcome {
	word := r.State
	if r.Typename == "CheckRun" {
		word = r.Conclusion
	}
	switch word {
	case "SUCCESS", "NEUTRAL", "SKIPPED":
		return outcomePassed
	case "", "PENDING", "EXPECTED":
		return outcomeWaits
	}
	return outcomeFailed
}

func (a requirementsAnswer) judge() requirements {
	change := a.Repository.PullRequest
	out := requirements{review: reviewReasons[change.ReviewDecision]}
	var found []reported
	if len(change.Commits.Nodes) > 0 {
		found = change.Commits.Nodes[0].Commit.StatusCheckRollup.Contexts.Nodes
	}
	for _, one := range found {
		// GitHub calls the checks of workflows required that are only being tried out: those are judged with their workflow.
		if one.IsRequired && !slices.ContainsFunc(change.BaseRef.Rules.Nodes, one.belongsTo) {
			out.add(one.name(), one.outcome())
		}
	}
	for _, one := range change.BaseRef.BranchProtectionRule.RequiredStatusChecks {
		out.expect(one.Context, found)
	}
	for _, rule := range change.BaseRef.Rules.Nodes {
		if !rule.active() {
			continue
		}
		for _, one := range rule.Parameters.RequiredStatusChecks {
			out.expect(one.Context, found)
		}
		for _, workflow := range rule.Parameters.Workflows {
			out.add(workflow.Path, workflow.outcome(found))
		}
	}
	return out
}

func (r *requirements) add(name string, is outcome) {
	switch {
	case is == outcomeWaits && !slices.Contains(r.waiting, name):
		r.waiting = append(r.waiting, name)
	case is == outcomeFailed && !slices.Contains(r.failed, name):
		r.failed = append(r.failed, name)
	}
}

// expect adds a required check that nobody reported.
func (r *requirements) expect(name string, found []reported) {
	if !slices.ContainsFunc(found, func(one reported) bool { return strings.EqualFold(one.name(), name) }) {
		r.add(name, outcomeWaits)
	}
}

// outcome is that of the newest run of a required workflow: of its worst check.
func (w requiredWorkflow) outcome(found []reported) outcome {
	newest, is := 0, outcomeWaits
	for _, one := range found {
		run := one.CheckSuite.WorkflowRun
		if run.File.Path != w.Path || w.SHA != "" && !strings.Contains(run.File.URL, "/blob/"+w.SHA+"/") || run.RunNumber < newest {
			continue
		}
		now := one.outcome()
		if run.RunNumber > newest || now == outcomeFailed || now == outcomeWaits && is == outcomePassed {
			newest, is = run.RunNumber, now
		}
	}
	return is
}
