package devforge

import "strings"

// graphBaseRef is the branch that a pull request goes into, with what must be true before something is merged there. Rulesets are
// shown to every reader, the older protection to administrators only.
func (c *githubCall) graphBaseRef(p *project, branch string) object {
	shown := object{"__typename": "Ref", "name": branch, "branchProtectionRule": nil}
	nodes := []object{}
	if rules := p.GitHub.Rulesets[branch]; rules != nil {
		nodes = graphRules(rules)
	}
	if rules := p.GitHub.Protection[branch]; rules != nil && c.user != nil && p.Members[c.user.ID] >= AccessOwner {
		shown["branchProtectionRule"] = object{
			"__typename": "BranchProtectionRule", "requiresLinearHistory": false, "requiredStatusChecks": requiredContexts(rules),
			"requiresApprovingReviews": rules.Approvals > 0, "requiredApprovingReviewCount": rules.Approvals,
		}
	}
	shown["rules"] = connection("rules", "RepositoryRule", nodes)
	return shown
}

func graphRules(rules *BranchRules) []object {
	rule := func(kind string, parameters object) object {
		return object{
			"__typename": "RepositoryRule", "type": kind, "parameters": parameters,
			"repositoryRuleset": object{"__typename": "RepositoryRuleset", "name": "main", "enforcement": "ACTIVE"},
		}
	}
	nodes := []object{}
	if len(rules.Checks) > 0 {
		nodes = append(nodes, rule("REQUIRED_STATUS_CHECKS", object{
			"__typename": "RequiredStatusChecksParameters", "requiredStatusChecks": requiredContexts(rules),
			"strictRequiredStatusChecksPolicy": rules.Strict,
		}))
	}
	if rules.Approvals > 0 {
		nodes = append(nodes, rule("PULL_REQUEST", object{
			"__typename": "PullRequestParameters", "requiredApprovingReviewCount": rules.Approvals, "allowedMergeMethods": nil,
			"dismissStaleReviewsOnPush": rules.DismissStale,
		}))
	}
	if rules.Queue {
		nodes = append(nodes, rule("MERGE_QUEUE", object{"__typename": "MergeQueueParameters", "mergeMethod": strings.ToUpper(rules.QueueMethod)}))
	}
	return nodes
}

func requiredContexts(rules *BranchRules) []object {
	all := []object{}
	for _, check := range rules.Checks {
		all = append(all, object{"__typename": "StatusCheckConfiguration", "context": check.Context, "integrationId": check.App})
	}
	return all
}

// graphOpinions are the last word of each reviewer; those of people who may write alone, where that is asked for.
func (c *githubCall) graphOpinions(p *project, m *mergeRequest) lazy {
	return func(args arguments) (any, error) {
		writers, _ := args["writersOnly"].(bool)
		last := map[int]object{}
		var order []int
		for _, r := range m.GitHub.Reviews {
			if r.State == "COMMENTED" || writers && p.Members[r.User] < AccessDeveloper {
				continue
			}
			if last[r.User] == nil {
				order = append(order, r.User)
			}
			last[r.User] = object{
				"__typename": "PullRequestReview", "id": nodeID("PRR", r.ID), "state": r.State, "body": r.Body, "author": c.graphActor(r.User),
				"submittedAt": stamp(r.At), "commit": c.graphCommit(p, r.Commit),
			}
		}
		nodes := []object{}
		for _, user := range order {
			nodes = append(nodes, last[user])
		}
		return connection("latestOpinionatedReviews", "PullRequestReview", nodes)(args)
	}
}

// graphTimeline is what happened to a pull request, as far as it was closed.
func (c *githubCall) graphTimeline(m *mergeRequest) lazy {
	return func(args arguments) (any, error) {
		nodes := []object{}
		kinds := args.list("itemTypes")
		wanted := len(kinds) == 0
		for _, kind := range kinds {
			wanted = wanted || kind == "CLOSED_EVENT"
		}
		by, at := m.ClosedBy, m.ClosedAt
		if m.State == stateMerged { // A merge closes, too.
			by, at = m.MergedBy, m.MergedAt
		}
		if wanted && m.State != stateOpened {
			nodes = append(nodes, object{"__typename": "ClosedEvent", "actor": c.graphActor(by), "createdAt": stamp(at)})
		}
		return connection("timelineItems", "PullRequestTimelineItems", nodes)(args)
	}
}
