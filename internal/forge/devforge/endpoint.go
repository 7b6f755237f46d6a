package devforge

// endpoints lists the REST API. GitLab answers 404 to who may not even see a project and 403 to who may see but not do it.
func endpoints() []endpoint {
	const (
		project  = "/projects/{id}"
		repo     = project + "/repository"
		requests = project + "/merge_requests"
		request  = requests + "/{merge_request_iid}"
		notes    = request + "/notes"
		threads  = request + "/discussions"
		trains   = project + "/merge_trains"
	)
	return []endpoint{
		{"GET /version", 0, getVersion},
		{"GET /metadata", 0, getVersion},
		{"GET /user", 0, getUser},
		{"GET /users", 0, listUsers},
		{"GET /users/{user_id}", 0, getUserByID},
		{"GET /personal_access_tokens/self", 0, getToken},
		{"GET /job", 0, getJob},
		{"GET /groups/{id}/members/all", 0, listGroupMembers},

		{"GET /projects", 0, listProjects},
		{"GET " + project, AccessGuest, getProject},
		{"PUT " + project, AccessMaintainer, updateProject},
		{"GET " + project + "/approvals", AccessMaintainer, getApprovalSettings},
		{"POST " + project + "/approvals", AccessMaintainer, updateApprovalSettings},
		{"GET " + project + "/members", AccessGuest, listMembers},
		{"GET " + project + "/members/all", AccessGuest, listMembers},
		{"GET " + project + "/members/{user_id}", AccessGuest, getMember},
		{"GET " + project + "/members/all/{user_id}", AccessGuest, getMember},
		{"GET " + project + "/events", AccessReporter, listActivity},
		{"GET " + project + "/labels", AccessGuest, listLabels},
		{"POST " + project + "/labels", AccessReporter, createLabel},
		{"GET " + project + "/protected_branches", AccessDeveloper, listProtected},
		{"GET " + project + "/protected_branches/{name}", AccessDeveloper, getProtected},
		{"POST " + project + "/protected_branches", AccessMaintainer, protectBranch},
		{"DELETE " + project + "/protected_branches/{name}", AccessMaintainer, unprotectBranch},

		{"GET " + repo + "/branches", AccessReporter, listBranches},
		{"POST " + repo + "/branches", AccessDeveloper, createBranch},
		{"GET " + repo + "/branches/{branch}", AccessReporter, getBranch},
		{"DELETE " + repo + "/branches/{branch}", AccessDeveloper, deleteBranch},
		{"GET " + repo + "/commits", AccessReporter, listCommits},
		{"GET " + repo + "/commits/{sha}", AccessReporter, getCommit},
		{"GET " + repo + "/commits/{sha}/diff", AccessReporter, getCommitDiff},
		{"GET " + repo + "/commits/{sha}/statuses", AccessReporter, listStatuses},
		{"GET " + repo + "/commits/{sha}/merge_requests", AccessReporter, listCommitRequests},
		{"GET " + repo + "/compare", AccessReporter, compare},
		{"GET " + repo + "/merge_base", AccessReporter, getMergeBase},
		{"GET " + repo + "/files/{file_path}/raw", AccessReporter, getRawFile},

		{"GET " + requests, AccessReporter, listRequests},
		{"POST " + requests, AccessDeveloper, createRequest},
		{"GET " + request, AccessReporter, getRequest},
		{"PUT " + request, AccessReporter, updateRequest},
		{"PUT " + request + "/merge", AccessReporter, acceptRequest},
		{"POST " + request + "/cancel_merge_when_pipeline_succeeds", AccessDeveloper, cancelAutoMerge},
		{"GET " + request + "/changes", AccessReporter, getChanges},
		{"GET " + request + "/diffs", AccessReporter, listDiffs},
		{"GET " + request + "/commits", AccessReporter, listRequestCommits},
		{"GET " + request + "/pipelines", AccessReporter, listRequestPipelines},
		{"GET " + request + "/versions", AccessReporter, listVersions},
		{"GET " + request + "/approvals", AccessReporter, getApprovals},
		{"POST " + request + "/approve", AccessReporter, approve},
		{"POST " + request + "/unapprove", AccessReporter, unapprove},

		{"GET " + notes, AccessReporter, listNotes},
		{"POST " + notes, AccessReporter, createNote},
		{"GET " + notes + "/{note_id}", AccessReporter, getNote},
		{"PUT " + notes + "/{note_id}", AccessReporter, updateNote},
		{"DELETE " + notes + "/{note_id}", AccessReporter, deleteNote},
		{"GET " + threads, AccessReporter, listDiscussions},
		{"POST " + threads, AccessReporter, createDiscussion},
		{"GET " + threads + "/{discussion_id}", AccessReporter, getDiscussion},
		{"PUT " + threads + "/{discussion_id}", AccessReporter, resolveDiscussion},
		{"POST " + threads + "/{discussion_id}/notes", AccessReporter, replyToDiscussion},
		{"GET " + request + "/award_emoji", AccessReporter, listAwards},
		{"POST " + request + "/award_emoji", AccessReporter, createAward},
		{"DELETE " + request + "/award_emoji/{award_id}", AccessReporter, deleteAward},
		{"GET " + notes + "/{note_id}/award_emoji", AccessReporter, listAwards},
		{"POST " + notes + "/{note_id}/award_emoji", AccessReporter, createAward},
		{"DELETE " + notes + "/{note_id}/award_emoji/{award_id}", AccessReporter, deleteAward},

		{"POST " + project + "/statuses/{sha}", AccessReporter, createStatus},
		{"GET " + project + "/external_status_checks", AccessDeveloper, listStatusChecks},
		{"POST " + project + "/external_status_checks", AccessMaintainer, createStatusCheck},
		{"GET " + request + "/status_checks", AccessReporter, listRequestStatusChecks},
		{"POST " + request + "/status_check_responses", AccessDeveloper, answerStatusCheck},
		{"GET " + project + "/environments", AccessReporter, listProjectEnvironments},
		{"PUT " + project + "/environments/{environment_id}", AccessDeveloper, updateProjectEnvironment},
		{"GET " + project + "/deployments", AccessReporter, listProjectDeployments},
		{"POST " + project + "/deployments", AccessDeveloper, createProjectDeployment},
		{"PUT " + project + "/deployments/{deployment_id}", AccessDeveloper, updateProjectDeployment},

		{"GET " + trains + "/{target_branch}", AccessDeveloper, listCars},
		{"GET " + trains + "/merge_requests/{merge_request_iid}", AccessDeveloper, getCar},
		{"POST " + trains + "/merge_requests/{merge_request_iid}", AccessDeveloper, boardTrain},

		{"GET " + project + "/pipelines", AccessReporter, listPipelines},
		{"GET " + project + "/pipelines/{pipeline_id}", AccessReporter, getPipeline},

		{"GET " + project + "/hooks", AccessMaintainer, listHooks},
		{"POST " + project + "/hooks", AccessMaintainer, createHook},
		{"GET " + project + "/hooks/{hook_id}", AccessMaintainer, getHook},
		{"PUT " + project + "/hooks/{hook_id}", AccessMaintainer, updateHook},
		{"DELETE " + project + "/hooks/{hook_id}", AccessMaintainer, deleteHook},
		{"POST " + project + "/hooks/{hook_id}/test/{trigger}", AccessMaintainer, testHook},
		{"GET " + project + "/hooks/{hook_id}/events", AccessMaintainer, listHookEvents},
		{"POST " + project + "/hooks/{hook_id}/events/{hook_log_id}/resend", AccessMaintainer, resendHookEvent},
	}
}
