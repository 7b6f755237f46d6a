package github

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// maxReportedPages bounds what is read of the statuses and checks of one head: 100 are on a page, and nearly always they fit on one.
const maxReportedPages = 10

// requirements are what the rules of a target branch want of the head of a change and do not have yet.
type requirements struct {
	waiting []string // checks that have not ended, or were not reported yet
	failed  []string
	unread  bool     // there is more on the head than is read
	unknown []string // what may be among that
	review  string   // a word of reviewReasons, or empty
}

// final says that waiting alone will not be enough.
func (r requirements) final() bool { return len(r.failed) > 0 || r.review != "" }

// pending says that waiting may be enough.
func (r requirements) pending() bool { return len(r.waiting) > 0 || r.unread }

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
	if r.unread {
		text := fmt.Sprintf("the head has more than %d checks and statuses, what is beyond is not known", maxReportedPages*perPage)
		if len(r.unknown) > 0 {
			text += ": " + strings.Join(r.unknown, ", ")
		}
		parts = append(parts, text)
	}
	return forge.CutBytes(strings.Join(parts, "; "), forge.MaxMessage)
}

const requirementsQuery = `
query Requirements($owner: String!, $name: String!, $number: Int!, $after: String) {
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
            oid
            statusCheckRollup {
              contexts(first: 100, after: $after) {
                pageInfo { hasNextPage endCursor }
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

// requirements reads what is required of a change and how it stands. What the credentials may not see is taken for not there. The
// error wraps promote.ErrStale when the head moves between two pages.
func (f *Forge) requirements(ctx context.Context, number int) (requirements, error) {
	first, err := f.requirementsPage(ctx, number, nil)
	if err != nil {
		return requirements{}, err
	}
	head, found := first.head(), first.head().StatusCheckRollup.Contexts.Nodes
	next := head.StatusCheckRollup.Contexts.PageInfo
	for range maxReportedPages - 1 {
		if !next.HasNextPage || next.EndCursor == "" {
			break
		}
		page, err := f.requirementsPage(ctx, number, next.EndCursor)
		if err != nil {
			return requirements{}, err
		}
		if page.head().OID != head.OID {
			return requirements{}, fmt.Errorf("github: read requirements of change %d: its head moved meanwhile: %w", number, promote.ErrStale)
		}
		found, next = append(found, page.head().StatusCheckRollup.Contexts.Nodes...), page.head().StatusCheckRollup.Contexts.PageInfo
	}
	return first.judge(found, next.HasNextPage), nil
}

func (f *Forge) requirementsPage(ctx context.Context, number int, after any) (answer requirementsAnswer, err error) {
	err = f.graphql(ctx, query{
		name: "read requirements", subject: "of change " + strconv.Itoa(number), text: requirementsQuery,
		variables: f.variables(map[string]any{"number": number, "after": after}),
	}, &answer)
	return answer, err
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
					Commit reportedHead `json:"commit"`
				} `json:"nodes"`
			} `json:"commits"`
		} `json:"pullRequest"`
	} `json:"repository"`
}

// A reportedHead is the head of a change with a page of what was reported about it.
type reportedHead struct {
	OID               string `json:"oid"`
	StatusCheckRollup struct {
		Contexts struct {
			PageInfo struct {
				HasNextPage bool   `json:"hasNextPage"`
				EndCursor   string `json:"endCursor"`
			} `json:"pageInfo"`
			Nodes []reported `json:"nodes"`
		} `json:"contexts"`
	} `json:"statusCheckRollup"`
}

// head is empty where there is none.
func (a requirementsAnswer) head() reportedHead {
	if nodes := a.Repository.PullRequest.Commits.Nodes; len(nodes) > 0 {
		return nodes[0].Commit
	}
	return reportedHead{}
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

// judge compares what is required with what was found on the head; unread says that there is more.
func (a requirementsAnswer) judge(found []reported, unread bool) requirements {
	change := a.Repository.PullRequest
	out := requirements{review: reviewReasons[change.ReviewDecision], unread: unread}
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
			if is := workflow.outcome(found); is == outcomeWaits && unread {
				out.miss(workflow.Path)
			} else {
				out.add(workflow.Path, is)
			}
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
	if slices.ContainsFunc(found, func(one reported) bool { return strings.EqualFold(one.name(), name) }) {
		return
	}
	if r.unread {
		r.miss(name)
		return
	}
	r.add(name, outcomeWaits)
}

// miss adds what may be among what was not read.
func (r *requirements) miss(name string) {
	if !slices.Contains(r.unknown, name) {
		r.unknown = append(r.unknown, name)
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
