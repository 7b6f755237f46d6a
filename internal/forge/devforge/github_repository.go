package devforge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
)

// repositoryLinks are the addresses below the API address of a repository, as RFC 6570 templates.
var repositoryLinks = map[string]string{
	"forks_url": "/forks", "keys_url": "/keys{/key_id}", "collaborators_url": "/collaborators{/collaborator}", "teams_url": "/teams",
	"hooks_url": "/hooks", "issue_events_url": "/issues/events{/number}", "events_url": "/events", "assignees_url": "/assignees{/user}",
	"branches_url": "/branches{/branch}", "tags_url": "/tags", "blobs_url": "/git/blobs{/sha}", "git_tags_url": "/git/tags{/sha}",
	"git_refs_url": "/git/refs{/sha}", "trees_url": "/git/trees{/sha}", "statuses_url": "/statuses/{sha}", "languages_url": "/languages",
	"stargazers_url": "/stargazers", "contributors_url": "/contributors", "subscribers_url": "/subscribers",
	"subscription_url": "/subscription", "commits_url": "/commits{/sha}", "git_commits_url": "/git/commits{/sha}",
	"comments_url": "/comments{/number}", "issue_comment_url": "/issues/comments{/number}", "contents_url": "/contents/{+path}",
	"compare_url": "/compare/{base}...{head}", "merges_url": "/merges", "archive_url": "/{archive_format}{/ref}",
	"downloads_url": "/downloads", "issues_url": "/issues{/number}", "pulls_url": "/pulls{/number}",
	"milestones_url": "/milestones{/number}", "notifications_url": "/notifications{?since,all,participating}",
	"labels_url": "/labels{/name}", "releases_url": "/releases{/id}", "deployments_url": "/deployments",
}

func (f *Forge) showRepository(p *project) object {
	web, settings := f.webURL(p), p.Settings.GitHub
	open := 0
	for _, m := range p.Requests {
		if m.State == stateOpened {
			open++
		}
	}
	shown := object{
		"id": p.ID, "node_id": nodeID("R", p.ID), "name": p.name(), "full_name": p.Path, "private": !settings.Public,
		"owner": f.showOwner(p.namespace()), "html_url": web, "description": nil, "fork": false, "url": f.repoURL(p, ""),
		"created_at": stamp(p.CreatedAt), "updated_at": stamp(p.GitHub.UpdatedAt), "pushed_at": stamp(p.GitHub.UpdatedAt),
		"git_url": "git://localhost/" + p.Path + ".git", "ssh_url": "git@localhost:" + p.Path + ".git", "clone_url": web + ".git",
		"svn_url": web, "homepage": nil, "size": 1, "stargazers_count": 0, "watchers_count": 0, "language": nil, "has_issues": true,
		"has_projects": true, "has_downloads": true, "has_wiki": true, "has_pages": false, "has_discussions": false, "forks_count": 0,
		"mirror_url": nil, "archived": false, "disabled": false, "open_issues_count": open, "license": nil, "allow_forking": true,
		"is_template": false, "web_commit_signoff_required": false, "topics": []string{}, "visibility": visibility(settings.Public),
		"forks": 0, "open_issues": open, "watchers": 0, "default_branch": p.DefaultBranch, "custom_properties": object{},
	}
	for name, suffix := range repositoryLinks {
		shown[name] = f.repoURL(p, "") + suffix
	}
	return shown
}

func visibility(public bool) string {
	if public {
		return "public"
	}
	return "private"
}

// showWholeRepository has what only the answer about one repository has: settings, and what the caller may do.
func (c *githubCall) showWholeRepository() object {
	p, settings := c.project, c.project.Settings
	level := p.githubLevel(c.user)
	shown := c.forge.showRepository(p).with(object{"subscribers_count": 0, "network_count": 0, "permissions": permissions(level)})
	if level < AccessDeveloper {
		return shown // "you must have admin or write access to see the merge settings" (REST, "Get a repository")
	}
	return shown.with(object{
		"allow_merge_commit": !settings.GitHub.NoMergeCommit, "allow_squash_merge": !settings.GitHub.NoSquash,
		"allow_rebase_merge": !settings.GitHub.NoRebase, "allow_auto_merge": settings.GitHub.AutoMerge,
		"delete_branch_on_merge": settings.RemoveSourceBranch, "allow_update_branch": false, "squash_merge_commit_title": "COMMIT_OR_PR_TITLE",
		"squash_merge_commit_message": "COMMIT_MESSAGES", "merge_commit_title": "MERGE_MESSAGE", "merge_commit_message": "PR_TITLE",
	})
}

func getRepository(c *githubCall) (reply, error) {
	return reply{body: c.showWholeRepository()}, nil
}

func updateRepository(c *githubCall) (reply, error) {
	var asked struct {
		MergeCommit *bool   `json:"allow_merge_commit"`
		Squash      *bool   `json:"allow_squash_merge"`
		Rebase      *bool   `json:"allow_rebase_merge"`
		AutoMerge   *bool   `json:"allow_auto_merge"`
		Delete      *bool   `json:"delete_branch_on_merge"`
		Visibility  string  `json:"visibility"`
		Name        string  `json:"name"`
		Private     *bool   `json:"private"`
		Default     *string `json:"default_branch"`
	}
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	next := c.project.Settings
	for flag, set := range map[*bool]func(bool){
		asked.MergeCommit: func(on bool) { next.GitHub.NoMergeCommit = !on }, asked.Squash: func(on bool) { next.GitHub.NoSquash = !on },
		asked.Rebase: func(on bool) { next.GitHub.NoRebase = !on }, asked.AutoMerge: func(on bool) { next.GitHub.AutoMerge = on },
		asked.Delete: func(on bool) { next.RemoveSourceBranch = on }, asked.Private: func(on bool) { next.GitHub.Public = !on },
	} {
		if flag != nil {
			set(*flag)
		}
	}
	if asked.Visibility != "" {
		next.GitHub.Public = asked.Visibility == "public"
	}
	if next.GitHub.NoMergeCommit && next.GitHub.NoSquash && next.GitHub.NoRebase {
		return reply{}, validationFailed(fieldError{
			Resource: "Repository", Field: "merge_commit_allowed", Code: "custom",
			Message: "Sorry, you need to allow at least one merge strategy. (no_merge_method)",
		})
	}
	if asked.Default != nil {
		if _, err := c.project.repo.head(c.Context(), *asked.Default); err != nil {
			return reply{}, validationFailed(fieldError{
				Resource: "Repository", Field: "default_branch", Code: "invalid",
				Message: fmt.Sprintf("The branch %s was not found. Please push that ref first or create it via the Git Data API.", *asked.Default),
			})
		}
		c.project.DefaultBranch = *asked.Default
	}
	c.project.Settings = next
	if asked.Name != "" && asked.Name != c.project.name() {
		if err := c.forge.rename(c.project, c.project.namespace()+"/"+asked.Name); err != nil {
			return reply{}, validationFailed(fieldError{Resource: "Repository", Field: "name", Code: "custom", Message: "name already exists on this account"})
		}
	}
	c.forge.wrote()
	return reply{body: c.showWholeRepository()}, nil
}

// Rename moves a repository. API requests to its former name are redirected; Git's are not.
func (f *Forge) Rename(path, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.tables.projectAt(path)
	if p == nil {
		return fmt.Errorf("project %q: %w", path, ErrNotFound)
	}
	return f.rename(p, to)
}

func (f *Forge) rename(p *project, to string) error {
	if f.tables.projectAt(to) != nil || !projectPath.MatchString(to) || strings.Contains(to, "..") {
		return fmt.Errorf("project path %q: not free, or not valid", to)
	}
	next := f.repository(to)
	if err := os.Rename(p.repo.dir, next.dir); err != nil {
		return fmt.Errorf("rename project %q: %w", p.Path, err)
	}
	p.GitHub.Former = append(p.GitHub.Former, p.Path)
	p.Path, p.repo = to, next
	f.wrote()
	return nil
}

// getGitHubBranch shows the older protection to every reader, as far as its checks go.
func getGitHubBranch(c *githubCall) (reply, error) {
	name := c.PathValue("branch")
	id, err := c.project.repo.head(c.Context(), name)
	if errors.Is(err, errNoRevision) {
		return reply{}, githubRefusal(http.StatusNotFound, "Branch not found")
	}
	if err != nil {
		return reply{}, err
	}
	commit, err := c.forge.showGitCommit(c.Context(), c.project, id)
	if err != nil {
		return reply{}, err
	}
	api := c.forge.repoURL(c.project, "/branches/%s", name)
	classic := c.project.GitHub.Protection[name]
	protection := object{"enabled": classic != nil, "required_status_checks": object{"enforcement_level": "off", "contexts": []string{}, "checks": []object{}}}
	if classic != nil {
		protection["required_status_checks"] = showChecks(classic).with(object{"enforcement_level": enforcement(classic)})
	}
	return reply{body: object{
		"name": name, "commit": commit, "_links": object{"self": api, "html": c.forge.webURL(c.project) + "/tree/" + name},
		"protected": len(c.project.ruled(name)) > 0, "protection": protection, "protection_url": api + "/protection",
	}}, nil
}

func enforcement(rules *BranchRules) string {
	if rules.Admins {
		return "everyone"
	}
	return "non_admins"
}

func showChecks(rules *BranchRules) object {
	contexts, checks := []string{}, []object{}
	for _, check := range rules.Checks {
		contexts = append(contexts, check.Context)
		checks = append(checks, object{"context": check.Context, "app_id": optional(check.App)})
	}
	return object{"contexts": contexts, "checks": checks}
}

func (c *githubCall) showProtection(branch string, rules *BranchRules) object {
	api := c.forge.repoURL(c.project, "/branches/%s/protection", branch)
	off, linear := object{"enabled": false}, object{"enabled": rules.Linear}
	shown := object{
		"url": api, "enforce_admins": object{"url": api + "/enforce_admins", "enabled": rules.Admins}, "required_linear_history": linear,
		"allow_force_pushes": off, "allow_deletions": off, "block_creations": off, "required_conversation_resolution": off,
		"lock_branch": off, "allow_fork_syncing": off, "required_signatures": object{"url": api + "/required_signatures", "enabled": false},
	}
	if len(rules.Checks) > 0 || rules.Strict {
		shown["required_status_checks"] = showChecks(rules).with(object{
			"url": api + "/required_status_checks", "strict": rules.Strict, "contexts_url": api + "/required_status_checks/contexts",
		})
	}
	if rules.Approvals > 0 {
		shown["required_pull_request_reviews"] = object{
			"url": api + "/required_pull_request_reviews", "dismiss_stale_reviews": rules.DismissStale,
			"require_code_owner_reviews": false, "require_last_push_approval": false, "required_approving_review_count": rules.Approvals,
		}
	}
	return shown
}

func getProtection(c *githubCall) (reply, error) {
	branch := c.PathValue("branch")
	if _, err := c.project.repo.head(c.Context(), branch); err != nil {
		return reply{}, githubRefusal(http.StatusNotFound, "Branch not found")
	}
	rules := c.project.GitHub.Protection[branch]
	if rules == nil {
		return reply{}, githubRefusal(http.StatusNotFound, "Branch not protected")
	}
	return reply{body: c.showProtection(branch, rules)}, nil
}

func putProtection(c *githubCall) (reply, error) {
	branch := c.PathValue("branch")
	if _, err := c.project.repo.head(c.Context(), branch); err != nil {
		return reply{}, githubRefusal(http.StatusNotFound, "Branch not found")
	}
	var asked struct {
		Checks *struct {
			Strict   bool     `json:"strict"`
			Contexts []string `json:"contexts"`
			Checks   []struct {
				Context string `json:"context"`
				App     int    `json:"app_id"`
			} `json:"checks"`
		} `json:"required_status_checks"`
		Admins  bool `json:"enforce_admins"`
		Linear  bool `json:"required_linear_history"`
		Reviews *struct {
			Count   int  `json:"required_approving_review_count"`
			Dismiss bool `json:"dismiss_stale_reviews"`
		} `json:"required_pull_request_reviews"`
	}
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	rules := &BranchRules{Admins: asked.Admins, Linear: asked.Linear, NoDeletion: true, NoRewrite: true}
	if asked.Checks != nil {
		rules.Strict = asked.Checks.Strict
		for _, check := range asked.Checks.Checks {
			rules.Checks = append(rules.Checks, RequiredCheck{Context: check.Context, App: max(check.App, 0)})
		}
		for _, context := range asked.Checks.Contexts {
			if !slices.ContainsFunc(rules.Checks, func(known RequiredCheck) bool { return known.Context == context }) {
				rules.Checks = append(rules.Checks, RequiredCheck{Context: context})
			}
		}
	}
	if asked.Reviews != nil {
		rules.Approvals, rules.DismissStale = cmp.Or(asked.Reviews.Count, 1), asked.Reviews.Dismiss
	}
	if c.project.GitHub.Protection == nil {
		c.project.GitHub.Protection = map[string]*BranchRules{}
	}
	c.project.GitHub.Protection[branch] = rules
	c.forge.wrote()
	return reply{body: c.showProtection(branch, rules)}, nil
}

func deleteProtection(c *githubCall) (reply, error) {
	branch := c.PathValue("branch")
	if c.project.GitHub.Protection[branch] == nil {
		return reply{}, githubRefusal(http.StatusNotFound, "Branch not protected")
	}
	delete(c.project.GitHub.Protection, branch)
	c.forge.wrote()
	return reply{status: http.StatusNoContent}, nil
}

// showGitCommit is a commit with the accounts of its author and committer, where their addresses belong to one.
func (f *Forge) showGitCommit(ctx context.Context, p *project, id string) (object, error) {
	one, err := p.repo.one(ctx, id)
	if err != nil {
		return nil, err
	}
	tree, err := p.repo.treeOf(ctx, id)
	if err != nil {
		return nil, err
	}
	parents := []object{}
	for _, parent := range one.parents {
		parents = append(parents, object{"sha": parent, "url": f.repoURL(p, "/commits/%s", parent), "html_url": f.webURL(p) + "/commit/" + parent})
	}
	api := f.repoURL(p, "/commits/%s", id)
	return object{
		"sha": id, "node_id": "C_" + id, "url": api, "html_url": f.webURL(p) + "/commit/" + id, "comments_url": api + "/comments",
		"commit": object{
			"author":    object{"name": one.authorName, "email": one.authorEmail, "date": stamp(one.authored)},
			"committer": object{"name": one.committerName, "email": one.committerEmail, "date": stamp(one.committed)},
			"message":   strings.TrimRight(one.message, "\n"), "tree": object{"sha": tree, "url": f.repoURL(p, "/git/trees/%s", tree)},
			"url": f.repoURL(p, "/git/commits/%s", id), "comment_count": 0,
			"verification": object{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil},
		},
		"author": f.showPersonID(f.accountOf(one.authorEmail)), "committer": f.showPersonID(f.accountOf(one.committerEmail)), "parents": parents,
	}, nil
}

func (f *Forge) accountOf(email string) int {
	for _, u := range f.tables.Users {
		if u.email() == email {
			return u.ID
		}
	}
	return 0
}

func listGitHubBranches(c *githubCall) (reply, error) {
	refs, err := c.project.repo.refs()
	if err != nil {
		return reply{}, err
	}
	var names []string
	for _, ref := range slices.Sorted(maps.Keys(refs)) {
		if name, ok := strings.CutPrefix(ref, headsPrefix); ok {
			names = append(names, name)
		}
	}
	return listed(c, names, func(name string) (object, error) {
		id := refs[headsPrefix+name]
		return object{
			"name": name, "commit": object{"sha": id, "url": c.forge.repoURL(c.project, "/commits/%s", id)},
			"protected": len(c.project.ruled(name)) > 0,
		}, nil
	})
}
