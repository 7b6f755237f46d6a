package devforge

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// graphRef is a branch with the rules that protect it; null when it is gone.
func (c *githubCall) graphRef(p *project, branch string) (any, error) {
	sha, err := p.repo.head(c.Context(), branch)
	if errors.Is(err, errNoRevision) {
		return nil, nil
	}
	return object{
		"__typename": "Ref", "id": "REF_" + branch, "name": branch, "prefix": headsPrefix, "target": c.graphCommit(p, sha),
		"branchProtectionRule": lazy(func(arguments) (any, error) { return c.graphProtection(p, branch) }),
		"rules":                connection("rules", "RepositoryRule", graphRules(p.rulesetsOf(branch))),
	}, err
}

func (c *githubCall) graphHeadRef(p *project, m *mergeRequest) (any, error) {
	if m.GitHub.Fork != "" {
		return nil, nil
	}
	return c.graphRef(p, m.Source)
}

// graphProtection is the older protection. Apps read it with the permission for administration only.
func (c *githubCall) graphProtection(p *project, branch string) (any, error) {
	if c.token != nil && !c.token.may("administration:read") {
		return nil, graphForbidden()
	}
	rules := p.GitHub.Protection[branch]
	if rules == nil {
		return nil, nil
	}
	contexts := []string{}
	for _, check := range rules.Checks {
		contexts = append(contexts, check.Context)
	}
	return object{
		"__typename": "BranchProtectionRule", "id": "BPR_" + branch, "pattern": branch, "requiresLinearHistory": rules.Linear,
		"requiresStatusChecks": len(rules.Checks) > 0, "requiresStrictStatusChecks": rules.Strict, "requiredStatusCheckContexts": contexts,
		"requiresApprovingReviews": rules.Approvals > 0, "requiredApprovingReviewCount": rules.Approvals,
		"dismissesStaleReviews": rules.DismissStale, "isAdminEnforced": rules.Admins,
	}, nil
}

func graphRules(sets []*ruleset) []object {
	nodes := []object{}
	for _, set := range sets {
		of := object{
			"__typename": "RepositoryRuleset", "id": nodeID("RRS", set.ID), "databaseId": set.ID, "name": set.Name,
			"enforcement": strings.ToUpper(set.Enforcement),
		}
		for _, shown := range showRules(&set.Rules) {
			kind, _ := shown["type"].(string)
			nodes = append(nodes, object{
				"__typename": "RepositoryRule", "id": "RR_" + kind, "type": strings.ToUpper(kind), "parameters": graphParameters(kind, &set.Rules),
				"repositoryRuleset": of,
			})
		}
	}
	return nodes
}

func graphParameters(kind string, rules *BranchRules) object {
	switch kind {
	case "required_status_checks":
		checks := []object{}
		for _, check := range rules.Checks {
			checks = append(checks, object{"__typename": "StatusCheckConfiguration", "context": check.Context, "integrationId": optional(check.App)})
		}
		return object{
			"__typename": "RequiredStatusChecksParameters", "requiredStatusChecks": checks, "strictRequiredStatusChecksPolicy": rules.Strict,
		}
	case "pull_request":
		var methods []string
		for _, method := range rules.methods() {
			methods = append(methods, strings.ToUpper(method))
		}
		return object{
			"__typename": "PullRequestParameters", "allowedMergeMethods": methods, "requiredApprovingReviewCount": rules.Approvals,
			"dismissStaleReviewsOnPush": rules.DismissStale,
		}
	case "merge_queue":
		return object{"__typename": "MergeQueueParameters", "mergeMethod": strings.ToUpper(cmp.Or(rules.QueueMethod, "merge"))}
	}
	return nil
}

func (c *githubCall) graphReviews(p *project, reviews []*review) []object {
	nodes := []object{}
	for _, r := range reviews {
		nodes = append(nodes, object{
			"__typename": "PullRequestReview", "id": nodeID("PRR", r.ID), "databaseId": r.ID, "state": r.State, "body": r.Body,
			"author": c.graphActor(r.User), "commit": c.graphCommit(p, r.Commit), "submittedAt": stamp(r.At), "createdAt": stamp(r.At),
			"authorCanPushToRepository": p.Members[r.User] >= AccessDeveloper,
		})
	}
	return nodes
}

// graphOpinions are the last approval, refusal or dismissal of each reviewer.
func (c *githubCall) graphOpinions(p *project, m *mergeRequest, args arguments) (any, error) {
	var last []*review
	for _, r := range m.GitHub.Reviews {
		if r.State == "COMMENTED" || args["writersOnly"] == true && p.Members[r.User] < AccessDeveloper {
			continue
		}
		last = append(slices.DeleteFunc(last, func(before *review) bool { return before.User == r.User }), r)
	}
	return connection("latestOpinionatedReviews", "PullRequestReview", c.graphReviews(p, last))(args)
}

// graphTimeline knows who closed or merged a pull request, and nothing else of the timeline.
func (c *githubCall) graphTimeline(m *mergeRequest, args arguments) (any, error) {
	wanted := func(kind string) bool {
		kinds := args.list("itemTypes")
		return len(kinds) == 0 || slices.Contains(kinds, kind)
	}
	nodes := []object{}
	if m.State == stateMerged && wanted("MERGED_EVENT") {
		nodes = append(nodes, object{"__typename": "MergedEvent", "id": nodeID("ME", m.ID), "actor": c.graphActor(m.MergedBy), "createdAt": stamp(m.MergedAt)})
	}
	if by := map[string]int{stateMerged: m.MergedBy, stateClosed: m.ClosedBy}[m.State]; by != 0 && wanted("CLOSED_EVENT") {
		at := latest(m.ClosedAt, m.MergedAt, m.State)
		nodes = append(nodes, object{"__typename": "ClosedEvent", "id": nodeID("CE", m.ID), "actor": c.graphActor(by), "createdAt": stamp(at)})
	}
	return connection("timelineItems", "PullRequestTimelineItems", nodes)(args)
}
