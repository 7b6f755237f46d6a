package devforge

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// graphQuery is the root of queries.
func (c *githubCall) graphQuery() object {
	return object{
		"__typename": "Query",
		"viewer":     lazy(func(arguments) (any, error) { return c.graphActor(c.user.ID), nil }),
		"rateLimit": lazy(func(arguments) (any, error) {
			window := c.forge.limitWindow(c.limitKey())
			return object{
				"__typename": "RateLimit", "limit": gitHubLimit, "cost": 1, "used": window.used, "remaining": max(gitHubLimit-window.used, 0),
				"resetAt": stamp(window.reset),
			}, nil
		}),
		"repository": lazy(func(args arguments) (any, error) {
			path := args.text("owner") + "/" + args.text("name")
			p := c.forge.tables.projectAt(path)
			if p == nil {
				return nil, &graphError{Type: "NOT_FOUND", Message: fmt.Sprintf("Could not resolve to a Repository with the name '%s'.", path)}
			}
			if err := c.sees(p, "metadata:read"); err != nil {
				return nil, err
			}
			return c.graphRepository(p), nil
		}),
		"node": lazy(func(args arguments) (any, error) {
			p, m, err := c.graphPullOf(args.text("id"), "pull_requests:read")
			if err != nil {
				return nil, err
			}
			return c.graphPull(p, m), nil
		}),
	}
}

func (c *githubCall) graphRepository(p *project) object {
	method, queued := p.queued(p.DefaultBranch)
	shown := object{
		"__typename": "Repository", "id": nodeID("R", p.ID), "databaseId": p.ID, "name": p.name(), "nameWithOwner": p.Path,
		"url": c.forge.webURL(p), "isPrivate": !p.Settings.GitHub.Public, "autoMergeAllowed": p.Settings.GitHub.AutoMerge,
		"mergeCommitAllowed": !p.Settings.GitHub.NoMergeCommit, "squashMergeAllowed": !p.Settings.GitHub.NoSquash,
		"rebaseMergeAllowed": !p.Settings.GitHub.NoRebase, "deleteBranchOnMerge": p.Settings.RemoveSourceBranch,
		"defaultBranchRef": object{"__typename": "Ref", "name": p.DefaultBranch},
		"owner":            object{"__typename": "Organization", "login": p.namespace()},
		"pullRequest": lazy(func(args arguments) (any, error) {
			number, _ := args.number("number")
			m := p.request(number)
			if m == nil {
				return nil, &graphError{Type: "NOT_FOUND", Message: fmt.Sprintf("Could not resolve to a PullRequest with the number of %d.", number)}
			}
			if err := c.sees(p, "pull_requests:read"); err != nil {
				return nil, err
			}
			return c.graphPull(p, m), nil
		}),
		"pullRequests": lazy(func(args arguments) (any, error) {
			if err := c.sees(p, "pull_requests:read"); err != nil {
				return nil, err
			}
			return connection("pullRequests", "PullRequest", c.graphPulls(p, args))(args)
		}),
		"mergeQueue": nil,
	}
	if queued {
		shown["mergeQueue"] = object{
			"__typename": "MergeQueue", "id": nodeID("MQ", p.ID), "url": c.forge.webURL(p) + "/queue/" + p.DefaultBranch,
			"configuration": object{"__typename": "MergeQueueConfiguration", "mergeMethod": strings.ToUpper(method)},
		}
	}
	return shown
}

func (c *githubCall) graphPulls(p *project, args arguments) []object {
	states, labels := args.list("states"), args.list("labels")
	head, base := args.text("headRefName"), args.text("baseRefName")
	var found []*mergeRequest
	for _, m := range p.Requests {
		labelled := len(labels) == 0 || slices.ContainsFunc(labels, func(l string) bool { return slices.Contains(m.Labels, l) })
		if (len(states) == 0 || slices.Contains(states, graphState(m))) && labelled && (head == "" || m.Source == head) && (base == "" || m.Target == base) {
			found = append(found, m)
		}
	}
	if order, ok := args["orderBy"].(map[string]any); ok {
		slices.SortStableFunc(found, func(a, b *mergeRequest) int {
			compared := a.CreatedAt.Compare(b.CreatedAt)
			if order["field"] == "UPDATED_AT" {
				compared = cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt), compared)
			}
			if order["direction"] == "DESC" {
				return -compared
			}
			return compared
		})
	}
	shown := []object{}
	for _, m := range found {
		shown = append(shown, c.graphPull(p, m))
	}
	return shown
}

func graphState(m *mergeRequest) string {
	switch m.State {
	case stateMerged:
		return "MERGED"
	case stateClosed:
		return "CLOSED"
	}
	return "OPEN"
}

func (c *githubCall) graphActor(id int) object {
	u := c.forge.tables.user(id)
	if u == nil {
		return nil
	}
	shown := object{"__typename": "User", "login": u.Name, "id": nodeID("U", u.ID), "databaseId": u.ID, "url": c.forge.url + "/" + u.Name}
	if name, isBot := strings.CutSuffix(u.Name, "[bot]"); isBot {
		shown["__typename"], shown["login"] = "Bot", name // GraphQL leaves "[bot]" out
	}
	return shown
}

func (c *githubCall) graphPull(p *project, m *mergeRequest) object {
	f, ctx := c.forge, c.Context()
	judged := func(show func(pullVerdict) any) lazy {
		return func(arguments) (any, error) {
			found, err := f.judgePull(ctx, p, m)
			return show(found), err
		}
	}
	labels, assignees, comments := []object{}, []object{}, []object{}
	for _, l := range f.showLabels(p, m.Labels) {
		labels = append(labels, object{"__typename": "Label", "name": l["name"], "color": l["color"], "id": l["node_id"], "description": l["description"]})
	}
	for _, id := range m.GitHub.Assignees {
		assignees = append(assignees, c.graphActor(id))
	}
	for _, n := range m.Notes {
		if !n.System {
			comments = append(comments, c.graphComment(p, m, n))
		}
	}
	_, enqueues := p.queued(m.Target)
	shown := object{
		"__typename": "PullRequest", "id": nodeID("PR", m.ID), "databaseId": m.ID, "fullDatabaseId": fmt.Sprint(m.ID), "number": m.IID,
		"url": pullURL(f, p, m), "permalink": pullURL(f, p, m), "state": graphState(m), "title": m.Title, "body": m.Description,
		"isDraft": m.GitHub.Draft, "isCrossRepository": m.GitHub.Fork != "", "headRefName": m.Source, "headRefOid": m.SHA, "baseRefName": m.Target,
		"baseRefOid": m.StartSHA, "closed": m.State != stateOpened, "merged": m.State == stateMerged, "createdAt": stamp(m.CreatedAt),
		"updatedAt": stamp(m.UpdatedAt), "closedAt": stamp(latest(m.ClosedAt, m.MergedAt, m.State)), "mergedAt": stamp(m.MergedAt),
		"author": c.graphActor(m.Author), "mergedBy": c.graphActor(m.MergedBy), "mergeCommit": nil,
		"headRepository": lazy(func(arguments) (any, error) {
			shown := c.graphRepository(p)
			if m.GitHub.Fork != "" {
				shown["nameWithOwner"], shown["owner"] = m.GitHub.Fork, object{"__typename": "User", "login": m.headOwner(p)}
			}
			return shown, nil
		}),
		"headRepositoryOwner": object{"__typename": "User", "login": m.headOwner(p), "id": nodeID("U", organizationID(m.headOwner(p)))},
		"baseRepository":      lazy(func(arguments) (any, error) { return c.graphRepository(p), nil }),
		"repository":          lazy(func(arguments) (any, error) { return c.graphRepository(p), nil }),
		"mergeable":           judged(func(v pullVerdict) any { return graphMergeable(m, v) }),
		"mergeStateStatus": judged(func(v pullVerdict) any {
			if m.Unchecked > 0 && m.State == stateOpened {
				return "UNKNOWN"
			}
			return strings.ToUpper(v.state)
		}),
		"reviewDecision": p.reviewDecision(m), "autoMergeRequest": c.graphAuto(m), "mergeQueueEntry": c.graphEntry(p, m),
		"isInMergeQueue": p.queueEntry(m) != nil, "isMergeQueueEnabled": enqueues, "labels": connection("labels", "Label", labels),
		"assignees": connection("assignees", "User", assignees), "comments": connection("comments", "IssueComment", comments),
		"statusCheckRollup":        lazy(func(arguments) (any, error) { return c.graphRollup(p, m.SHA), nil }),
		"baseRef":                  lazy(func(arguments) (any, error) { return c.graphRef(p, m.Target) }),
		"headRef":                  lazy(func(arguments) (any, error) { return c.graphHeadRef(p, m) }),
		"reviews":                  connection("reviews", "PullRequestReview", c.graphReviews(p, m.GitHub.Reviews)),
		"reviewThreads":            connection("reviewThreads", "PullRequestReviewThread", c.graphThreads(m)),
		"latestOpinionatedReviews": lazy(func(args arguments) (any, error) { return c.graphOpinions(p, m, args) }),
		"timelineItems":            lazy(func(args arguments) (any, error) { return c.graphTimeline(m, args) }),
		"commits": lazy(func(args arguments) (any, error) {
			commits, err := f.requestCommits(ctx, p, m)
			if err != nil {
				return nil, err
			}
			nodes := []object{}
			for _, one := range slices.Backward(commits) {
				nodes = append(nodes, object{"__typename": "PullRequestCommit", "commit": c.graphCommit(p, one.id)})
			}
			return connection("commits", "PullRequestCommit", nodes)(args)
		}),
		"changedFiles": lazy(func(arguments) (any, error) {
			files, err := f.requestDiff(ctx, p, m)
			return len(files), err
		}),
	}
	if m.MergeCommit != "" {
		shown["mergeCommit"] = c.graphCommit(p, m.MergeCommit)
	}
	return shown
}

func graphMergeable(m *mergeRequest, v pullVerdict) string {
	switch {
	case m.State != stateOpened || m.Unchecked > 0:
		return "UNKNOWN"
	case v.conflict:
		return "CONFLICTING"
	}
	return "MERGEABLE"
}

// reviewDecision is null where no review is required.
func (p *project) reviewDecision(m *mergeRequest) any {
	needed := 0
	for _, rules := range p.ruled(m.Target) {
		needed = max(needed, rules.Approvals)
	}
	approved, changes := p.reviewCounts(m)
	switch {
	case changes > 0:
		return "CHANGES_REQUESTED"
	case needed == 0:
		return nil
	case approved >= needed:
		return "APPROVED"
	}
	return "REVIEW_REQUIRED"
}

func (c *githubCall) graphAuto(m *mergeRequest) object {
	auto := m.GitHub.Auto
	if auto.By == 0 {
		return nil
	}
	return object{
		"__typename": "AutoMergeRequest", "enabledBy": c.graphActor(auto.By), "mergeMethod": strings.ToUpper(cmp.Or(auto.Method, "merge")),
		"enabledAt": stamp(m.UpdatedAt), "commitHeadline": optional(auto.Title), "commitBody": optional(auto.Message),
	}
}

func (c *githubCall) graphEntry(p *project, m *mergeRequest) object {
	entry := p.queueEntry(m)
	if entry == nil {
		return nil
	}
	shown := object{
		"__typename": "MergeQueueEntry", "id": nodeID("MQE", entry.ID), "state": "AWAITING_CHECKS", "enqueuedAt": stamp(entry.At),
		"position": slices.Index(p.GitHub.Queue, entry) + 1, "enqueuer": c.graphActor(entry.By), "headCommit": nil, "baseCommit": nil,
	}
	if entry.SHA != "" {
		shown["headCommit"], shown["baseCommit"] = c.graphCommit(p, entry.SHA), c.graphCommit(p, entry.Base)
	}
	return shown
}

func (c *githubCall) graphComment(p *project, m *mergeRequest, n *note) object {
	_, hidden := m.GitHub.Minimized[n.ID]
	return object{
		"__typename": "IssueComment", "id": nodeID("IC", n.ID), "databaseId": n.ID, "body": n.Body, "author": c.graphActor(n.Author),
		"createdAt": stamp(n.CreatedAt), "updatedAt": stamp(n.UpdatedAt), "isMinimized": hidden,
		"minimizedReason": optional(strings.ToLower(m.GitHub.Minimized[n.ID])), "url": fmt.Sprintf("%s#issuecomment-%d", pullURL(c.forge, p, m), n.ID),
		"authorAssociation": p.association(c.forge.tables.user(n.Author)),
	}
}

func (c *githubCall) graphCommit(p *project, sha string) object {
	return object{
		"__typename": "Commit", "oid": sha, "id": "C_" + sha, "abbreviatedOid": sha[:7], "url": c.forge.webURL(p) + "/commit/" + sha,
		"statusCheckRollup": lazy(func(arguments) (any, error) { return c.graphRollup(p, sha), nil }),
	}
}

// graphRollup is null for a commit that nobody has reported anything about.
func (c *githubCall) graphRollup(p *project, sha string) object {
	nodes := []object{}
	worst := "SUCCESS"
	judge := func(outcome string) {
		switch {
		case outcome == "failure" || outcome == "error":
			worst = "FAILURE"
		case outcome == "pending" && worst == "SUCCESS":
			worst = "PENDING"
		}
	}
	for _, s := range p.latestStatuses(sha) {
		judge(s.State)
		nodes = append(nodes, object{
			"__typename": "StatusContext", "id": nodeID("SC", s.ID), "context": s.Name, "state": strings.ToUpper(s.State),
			"description": optional(s.Description), "targetUrl": optional(s.TargetURL), "createdAt": stamp(s.CreatedAt),
			"creator": c.graphActor(s.User), "isRequired": p.requires(s.Name, c.forge.appNumber(s.User)),
		})
	}
	for _, run := range p.latestChecks(sha) {
		judge(run.outcome())
		app := c.forge.tables.GitHub.app(run.App)
		nodes = append(nodes, object{
			"__typename": "CheckRun", "id": nodeID("CR", run.ID), "databaseId": run.ID, "name": run.Name, "status": strings.ToUpper(run.Status),
			"conclusion": optional(strings.ToUpper(run.Conclusion)), "detailsUrl": optional(run.DetailsURL), "startedAt": stamp(run.StartedAt),
			"completedAt": stamp(run.CompletedAt), "title": optional(run.Title), "summary": optional(run.Summary),
			"isRequired": p.requires(run.Name, run.App),
			"checkSuite": object{
				"__typename": "CheckSuite", "id": nodeID("CS", run.Suite), "databaseId": run.Suite,
				"app": object{"__typename": "App", "databaseId": app.ID, "slug": app.Slug, "name": app.Name}, "workflowRun": nil,
			},
		})
	}
	if len(nodes) == 0 {
		return nil
	}
	return object{
		"__typename": "StatusCheckRollup", "state": worst, "contexts": connection("contexts", "StatusCheckRollupContext", nodes),
	}
}

// requires says whether a pull request must have the check: isRequired(pullRequestNumber:).
func (p *project) requires(name string, app int) lazy {
	return func(args arguments) (any, error) {
		number, _ := args.number("pullRequestNumber")
		m := p.request(number)
		if m == nil {
			return false, nil
		}
		for _, rules := range p.ruled(m.Target) {
			if slices.ContainsFunc(rules.Checks, func(check RequiredCheck) bool {
				return strings.EqualFold(check.Context, name) && (check.App == 0 || check.App == app)
			}) {
				return true, nil
			}
		}
		return false, nil
	}
}

// graphPullOf finds the pull request of a global ID.
func (c *githubCall) graphPullOf(id, grant string) (*project, *mergeRequest, error) {
	missing := &graphError{Type: "NOT_FOUND", Message: fmt.Sprintf("Could not resolve to a node with the global id of '%s'", id)}
	number, ok := nodeNumber("PR", id)
	if !ok {
		return nil, nil, missing
	}
	for _, p := range c.forge.tables.Projects {
		for _, m := range p.Requests {
			if m.ID != number {
				continue
			}
			if err := c.sees(p, grant); err != nil {
				return nil, nil, err
			}
			return p, m, nil
		}
	}
	return nil, nil, missing
}

// graphMutation is the root of mutations. Each answers with the object that it changed.
func (c *githubCall) graphMutation() object {
	root := object{"__typename": "Mutation"}
	for name, act := range map[string]func(context.Context, *project, *mergeRequest, arguments) error{
		"enablePullRequestAutoMerge": c.enableAutoMerge, "disablePullRequestAutoMerge": c.disableAutoMerge, "enqueuePullRequest": c.enqueuePull,
		"dequeuePullRequest": c.dequeuePull, "convertPullRequestToDraft": c.toDraft, "markPullRequestReadyForReview": c.toReady,
	} {
		root[name] = lazy(func(args arguments) (any, error) {
			in := args.input()
			p, m, err := c.graphPullOf(cmp.Or(in.text("pullRequestId"), in.text("id")), "pull_requests:write")
			if err != nil {
				return nil, err
			}
			if c.token == nil && p.level(c.user) < AccessDeveloper && m.Author != c.user.ID {
				return nil, &graphError{Type: "FORBIDDEN", Message: fmt.Sprintf("%s does not have the correct permissions to execute `%s`", c.user.Name, strings.ToUpper(name[:1])+name[1:])}
			}
			if err := act(c.Context(), p, m, in); err != nil {
				return nil, refusedByREST(err)
			}
			return object{
				"__typename": strings.ToUpper(name[:1]) + name[1:] + "Payload", "clientMutationId": in["clientMutationId"],
				"pullRequest": c.graphPull(p, m), "mergeQueueEntry": c.graphEntry(p, m), "actor": c.graphActor(c.user.ID),
			}, nil
		})
	}
	root["minimizeComment"] = lazy(c.minimize)
	root["resolveReviewThread"] = lazy(func(args arguments) (any, error) { return c.resolveThread(args, true) })
	root["unresolveReviewThread"] = lazy(func(args arguments) (any, error) { return c.resolveThread(args, false) })
	return root
}

// enableAutoMerge refuses what could be merged at once, as GitHub does (reported for "clean" and "unstable"). With a merge queue
// a pull request that is ready goes into it instead.
func (c *githubCall) enableAutoMerge(ctx context.Context, p *project, m *mergeRequest, in arguments) error {
	found, err := c.forge.judgePull(ctx, p, m)
	if err != nil {
		return err
	}
	method := strings.ToLower(cmp.Or(in.text("mergeMethod"), "MERGE"))
	_, queued := p.queued(m.Target)
	settings := p.Settings.GitHub
	switch head := in.text("expectedHeadOid"); {
	case m.State != stateOpened:
		return unprocessable("Can't enable auto-merge for this pull request.")
	case !settings.AutoMerge:
		return unprocessable("Auto merge is not allowed for this repository")
	case head != "" && head != m.SHA:
		return unprocessable("Head sha didn't match the expected head oid")
	case method == "merge" && settings.NoMergeCommit && !queued:
		return unprocessable("Merge method merge commits are not allowed on this repository")
	case method == "squash" && settings.NoSquash && !queued, method == "rebase" && settings.NoRebase && !queued:
		return unprocessable("Merge method %s merging is not allowed on this repository", method)
	case m.GitHub.Draft:
		return unprocessable("Pull request Pull request is in draft state")
	case queued && found.reason == "":
		return c.forge.enqueue(ctx, p, m, c.user)
	case found.state == "clean" || found.state == "unstable":
		return unprocessable("Pull request Pull request is in %s status", found.state)
	case found.state == "dirty":
		return unprocessable("Pull request Pull request is in dirty status")
	}
	m.GitHub.Auto = pullMerge{By: c.user.ID, Method: method, Title: in.text("commitHeadline"), Message: in.text("commitBody")}
	return c.changedIn(ctx, p, m, "auto_merge_enabled", object{"reason": ""})
}

func (c *githubCall) disableAutoMerge(ctx context.Context, p *project, m *mergeRequest, _ arguments) error {
	if m.GitHub.Auto.By == 0 {
		return unprocessable("Can't disable auto-merge for this pull request.")
	}
	m.GitHub.Auto = pullMerge{}
	return c.changedIn(ctx, p, m, "auto_merge_disabled", object{"reason": "disabled by user"})
}

func (c *githubCall) enqueuePull(ctx context.Context, p *project, m *mergeRequest, in arguments) error {
	found, err := c.forge.judgePull(ctx, p, m)
	if err != nil {
		return err
	}
	_, queued := p.queued(m.Target)
	switch head := in.text("expectedHeadOid"); {
	case !queued:
		return unprocessable("Merge queue is not enabled on the %s branch", m.Target)
	case p.queueEntry(m) != nil:
		return unprocessable("Pull request is already in the queue")
	case head != "" && head != m.SHA:
		return unprocessable("Head sha didn't match the expected head oid")
	case found.reason != "":
		return unprocessable("Pull request %s", strings.TrimSpace(found.reason))
	}
	return c.forge.enqueue(ctx, p, m, c.user)
}

func (c *githubCall) dequeuePull(ctx context.Context, p *project, m *mergeRequest, _ arguments) error {
	if p.queueEntry(m) == nil {
		return unprocessable("Pull request is not in the queue")
	}
	return c.forge.dequeue(ctx, p, m, "MANUAL")
}

func (c *githubCall) toDraft(ctx context.Context, p *project, m *mergeRequest, _ arguments) error {
	if m.GitHub.Draft || m.State != stateOpened {
		return nil
	}
	if p.Settings.GitHub.NoDrafts {
		return noDrafts()
	}
	m.GitHub.Draft = true
	if err := c.forge.dequeue(ctx, p, m, "MANUAL"); err != nil {
		return err
	}
	return c.changedIn(ctx, p, m, "converted_to_draft", nil)
}

func (c *githubCall) toReady(ctx context.Context, p *project, m *mergeRequest, _ arguments) error {
	if !m.GitHub.Draft || m.State != stateOpened {
		return nil
	}
	m.GitHub.Draft = false
	if err := c.changedIn(ctx, p, m, "ready_for_review", nil); err != nil {
		return err
	}
	return c.forge.progress(ctx, p)
}

// changedIn is changed for a pull request that no path named.
func (c *githubCall) changedIn(ctx context.Context, p *project, m *mergeRequest, action string, more object) error {
	c.project = p
	return c.changed(ctx, m, action, more)
}

func (c *githubCall) minimize(args arguments) (any, error) {
	in := args.input()
	number, ok := nodeNumber("IC", in.text("subjectId"))
	for _, p := range c.forge.tables.Projects {
		for _, m := range p.Requests {
			n := m.note(number)
			if !ok || n == nil || n.System {
				continue
			}
			if err := c.sees(p, "issues:write|pull_requests:write"); err != nil {
				return nil, err
			}
			if c.token == nil && p.level(c.user) < AccessDeveloper && n.Author != c.user.ID {
				return nil, &graphError{Type: "FORBIDDEN", Message: c.user.Name + " does not have the correct permissions to execute `MinimizeComment`"}
			}
			if m.GitHub.Minimized == nil {
				m.GitHub.Minimized = map[int]string{}
			}
			m.GitHub.Minimized[n.ID] = in.text("classifier")
			c.forge.wrote()
			return object{
				"__typename": "MinimizeCommentPayload", "clientMutationId": in["clientMutationId"], "minimizedComment": c.graphComment(p, m, n),
			}, nil
		}
	}
	return nil, &graphError{Type: "NOT_FOUND", Message: fmt.Sprintf("Could not resolve to a node with the global id of '%s'", in.text("subjectId"))}
}
