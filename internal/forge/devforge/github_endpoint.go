package devforge

import (
	"net/http"
)

// githubEndpoints lists GitHub's REST API. Grants are those of REST, "Permissions required for GitHub Apps".
func githubEndpoints() []githubEndpoint {
	const (
		repo     = "/repos/{owner}/{repo}"
		branch   = repo + "/branches/{branch}"
		pulls    = repo + "/pulls"
		pull     = pulls + "/{number}"
		issue    = repo + "/issues/{number}"
		comment  = repo + "/issues/comments/{comment_id}"
		remark   = pulls + "/comments/{review_comment_id}"
		checks   = repo + "/check-runs"
		deploys  = repo + "/deployments"
		deployed = deploys + "/{deployment_id}"
		hooks    = repo + "/hooks"
		delivery = "/deliveries/{delivery_id}"

		talk     = "issues:write|pull_requests:write"
		listen   = "issues:read|pull_requests:read"
		readPull = "pull_requests:read"
		editPull = "pull_requests:write"
	)
	return []githubEndpoint{
		{"GET /meta", 0, "", getMeta},
		{"GET /rate_limit", 0, "", getRateLimit},
		{"GET /user", 0, "", getSelf},
		{"GET /users/{username}", 0, "", getUserNamed},
		{"GET /orgs/{org}/teams/{slug}/memberships/{username}", 0, "members:read", getTeamMembership},

		{"GET /app", 0, "app", getApp},
		{"GET /app/installations", 0, "app", listInstallations},
		{"GET /app/installations/{installation_id}", 0, "app", getInstallation},
		{"POST /app/installations/{installation_id}/access_tokens", 0, "app", createAppToken},
		{"GET /app/hook/config", 0, "app", ofApp((*githubCall).getHookConfig)},
		{"PATCH /app/hook/config", 0, "app", ofApp((*githubCall).updateHookConfig)},
		{"GET /app/hook/deliveries", 0, "app", ofApp((*githubCall).deliveries)},
		{"GET /app/hook" + delivery, 0, "app", ofApp((*githubCall).showWholeDelivery)},
		{"POST /app/hook" + delivery + "/attempts", 0, "app", ofApp((*githubCall).redeliver)},
		{"GET " + repo + "/installation", AccessGuest, "app", getRepositoryInstallation},
		{"GET /installation/repositories", 0, "", listInstallationRepositories},

		{"GET " + repo, AccessGuest, "metadata:read", getRepository},
		{"PATCH " + repo, AccessOwner, "administration:write", updateRepository},
		{"GET " + repo + "/branches", AccessGuest, "contents:read", listGitHubBranches},
		{"GET " + branch, AccessGuest, "contents:read", getGitHubBranch},
		{"GET " + branch + "/protection", AccessOwner, "administration:read", getProtection},
		{"PUT " + branch + "/protection", AccessOwner, "administration:write", putProtection},
		{"DELETE " + branch + "/protection", AccessOwner, "administration:write", deleteProtection},
		{"GET " + repo + "/rules/branches/{branch}", AccessGuest, "metadata:read", listRules},
		{"GET " + repo + "/rulesets", AccessGuest, "metadata:read", listRulesets},
		{"POST " + repo + "/rulesets", AccessOwner, "administration:write", createRuleset},
		{"GET " + repo + "/rulesets/{ruleset_id}", AccessGuest, "metadata:read", getRuleset},
		{"PUT " + repo + "/rulesets/{ruleset_id}", AccessOwner, "administration:write", updateRuleset},
		{"DELETE " + repo + "/rulesets/{ruleset_id}", AccessOwner, "administration:write", deleteRuleset},
		{"GET " + repo + "/collaborators/{username}", AccessDeveloper, "metadata:read", checkCollaborator},
		{"GET " + repo + "/collaborators/{username}/permission", AccessDeveloper, "metadata:read", getPermission},
		{"GET " + repo + "/labels", AccessGuest, listen, listGitHubLabels},
		{"POST " + repo + "/labels", AccessDeveloper, talk, createGitHubLabel},

		{"GET " + pulls, AccessGuest, readPull, listPulls},
		{"POST " + pulls, AccessGuest, editPull, createPull},
		{"GET " + pull, AccessGuest, readPull, getPull},
		{"PATCH " + pull, AccessGuest, editPull, updatePull},
		{"GET " + pull + "/merge", AccessGuest, "contents:read", checkMerged},
		{"PUT " + pull + "/merge", AccessDeveloper, "contents:write", mergePull},
		{"GET " + pull + "/files", AccessGuest, readPull, listPullFiles},
		{"GET " + pull + "/commits", AccessGuest, readPull, listPullCommits},
		{"POST " + pull + "/requested_reviewers", AccessDeveloper, editPull, requestReviewers},
		{"GET " + pull + "/reviews", AccessGuest, readPull, listReviews},
		{"POST " + pull + "/reviews", AccessGuest, editPull, createReview},
		{"GET " + pull + "/reviews/{review_id}", AccessGuest, readPull, getReview},
		{"GET " + pull + "/comments", AccessGuest, readPull, listReviewComments},
		{"POST " + pull + "/comments", AccessGuest, editPull, createReviewComment},
		{"POST " + pull + "/comments/{comment_id}/replies", AccessGuest, editPull, replyToReviewComment},
		{"GET " + remark, AccessGuest, readPull, getReviewComment},
		{"PATCH " + remark, AccessGuest, editPull, updateReviewComment},
		{"DELETE " + remark, AccessGuest, editPull, deleteReviewComment},
		{"GET " + remark + "/reactions", AccessGuest, readPull, listReactions},
		{"POST " + remark + "/reactions", AccessGuest, editPull, createReaction},

		{"GET " + issue, AccessGuest, listen, getIssue},
		{"PATCH " + issue, AccessGuest, talk, updateIssue},
		{"GET " + issue + "/labels", AccessGuest, listen, listPullLabels},
		{"POST " + issue + "/labels", AccessTriage, talk, addPullLabels},
		{"DELETE " + issue + "/labels/{name}", AccessTriage, talk, removePullLabel},
		{"POST " + issue + "/assignees", AccessDeveloper, talk, addAssignees},
		{"GET " + issue + "/comments", AccessGuest, listen, listComments},
		{"POST " + issue + "/comments", AccessGuest, talk, createComment},
		{"GET " + issue + "/reactions", AccessGuest, listen, listReactions},
		{"POST " + issue + "/reactions", AccessGuest, talk, createReaction},
		{"DELETE " + issue + "/reactions/{reaction_id}", AccessGuest, talk, deleteReaction},
		{"GET " + comment, AccessGuest, listen, getComment},
		{"PATCH " + comment, AccessGuest, talk, updateComment},
		{"DELETE " + comment, AccessGuest, talk, deleteComment},
		{"GET " + comment + "/reactions", AccessGuest, listen, listReactions},
		{"POST " + comment + "/reactions", AccessGuest, talk, createReaction},
		{"DELETE " + comment + "/reactions/{reaction_id}", AccessGuest, talk, deleteReaction},

		{"POST " + repo + "/statuses/{sha}", AccessDeveloper, "statuses:write", createGitHubStatus},
		{"GET " + repo + "/commits/{rest}", AccessGuest, "contents:read|statuses:read|checks:read", aboutCommit},
		{"POST " + checks, AccessGuest, "checks:write", createCheck},
		{"GET " + checks + "/{check_run_id}", AccessGuest, "checks:read", getCheck},
		{"PATCH " + checks + "/{check_run_id}", AccessGuest, "checks:write", updateCheck},
		{"GET " + checks + "/{check_run_id}/annotations", AccessGuest, "checks:read", listAnnotations},

		{"GET " + deploys, AccessGuest, "deployments:read", listDeployments},
		{"POST " + deploys, AccessDeveloper, "deployments:write", createDeployment},
		{"GET " + deployed, AccessGuest, "deployments:read", getDeployment},
		{"GET " + deployed + "/statuses", AccessGuest, "deployments:read", listDeploymentStatuses},
		{"POST " + deployed + "/statuses", AccessDeveloper, "deployments:write", createDeploymentStatus},
		{"GET " + repo + "/environments", AccessGuest, "actions:read|deployments:read", listEnvironments},

		{"GET " + hooks, AccessOwner, "repository_hooks:read", listGitHubHooks},
		{"POST " + hooks, AccessOwner, "repository_hooks:write", createGitHubHook},
		{"GET " + hooks + "/{hook_id}", AccessOwner, "repository_hooks:read", getGitHubHook},
		{"PATCH " + hooks + "/{hook_id}", AccessOwner, "repository_hooks:write", updateGitHubHook},
		{"DELETE " + hooks + "/{hook_id}", AccessOwner, "repository_hooks:write", deleteGitHubHook},
		{"GET " + hooks + "/{hook_id}/config", AccessOwner, "repository_hooks:read", ofHook((*githubCall).getHookConfig)},
		{"PATCH " + hooks + "/{hook_id}/config", AccessOwner, "repository_hooks:write", ofHook((*githubCall).updateHookConfig)},
		{"POST " + hooks + "/{hook_id}/pings", AccessOwner, "repository_hooks:read", pingGitHubHook},
		{"GET " + hooks + "/{hook_id}/deliveries", AccessOwner, "repository_hooks:read", ofHook((*githubCall).deliveries)},
		{"GET " + hooks + "/{hook_id}" + delivery, AccessOwner, "repository_hooks:read", ofHook((*githubCall).showWholeDelivery)},
		{"POST " + hooks + "/{hook_id}" + delivery + "/attempts", AccessOwner, "repository_hooks:write", ofHook((*githubCall).redeliver)},
	}
}

func getMeta(*githubCall) (reply, error) {
	return reply{body: object{"verifiable_password_authentication": true, "installed_version": "3.19.0"}}, nil
}

func getRateLimit(c *githubCall) (reply, error) {
	window := c.forge.limitWindow(c.limitKey())
	limit := object{"limit": gitHubLimit, "remaining": max(gitHubLimit-window.used, 0), "used": window.used, "reset": window.reset.Unix()}
	window.used-- // asking is free
	return reply{status: http.StatusOK, body: object{
		"resources": object{"core": limit, "search": limit, "graphql": limit}, "rate": limit,
	}}, nil
}
