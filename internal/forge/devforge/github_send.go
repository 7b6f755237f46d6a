package devforge

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// sendGitHubPush announces one moved branch or tag (octokit/webhooks, push$event).
func (f *Forge) sendGitHubPush(ctx context.Context, p *project, u *User, moved move) error {
	p.GitHub.UpdatedAt = f.now()
	payload := func() (object, error) {
		commits, err := f.pushedCommits(ctx, p, moved)
		if err != nil {
			return nil, err
		}
		shown := object{
			"ref": moved.ref, "before": moved.from, "after": moved.to, "created": moved.from == zeroID, "deleted": moved.to == zeroID,
			"forced": false, "base_ref": nil, "compare": fmt.Sprintf("%s/compare/%s...%s", f.webURL(p), moved.from[:12], moved.to[:12]),
			"commits": commits, "head_commit": nil, "pusher": object{"name": u.Name, "email": u.email()},
		}
		if moved.to != zeroID {
			if shown["head_commit"], err = f.showPushed(ctx, p, moved.to); err != nil {
				return nil, err
			}
		}
		if moved.to != zeroID && moved.from != zeroID {
			onward, err := p.repo.contains(ctx, moved.to, moved.from)
			shown["forced"] = !onward
			return shown, err
		}
		return shown, nil
	}
	if err := f.tell(p, event{kind: HookPush, by: u, payload: payload}); err != nil {
		return err
	}
	if moved.to == zeroID || !strings.HasPrefix(moved.ref, headsPrefix) {
		return nil
	}
	return f.requestSuites(ctx, p, moved.to, u)
}

// pushedCommits lists the new commits, oldest first; those of a new branch are the ones that the default branch does not have.
func (f *Forge) pushedCommits(ctx context.Context, p *project, moved move) ([]object, error) {
	shown := []object{}
	if moved.to == zeroID || strings.HasPrefix(moved.ref, tagsPrefix) {
		return shown, nil
	}
	known := moved.from
	if known == zeroID {
		if known = p.Refs[headsPrefix+p.DefaultBranch]; known == moved.to {
			return shown, nil
		}
	}
	commits, err := p.repo.log(ctx, history{from: moved.to, without: known, limit: maxCommits})
	if err != nil {
		return nil, err
	}
	for _, one := range slices.Backward(commits) {
		commit, err := f.showPushed(ctx, p, one.id)
		if err != nil {
			return nil, err
		}
		shown = append(shown, commit)
	}
	return shown, nil
}

func (f *Forge) showPushed(ctx context.Context, p *project, id string) (object, error) {
	id, err := p.repo.verify(ctx, id)
	if err != nil {
		return nil, err
	}
	shown, one, err := f.showPlainCommit(ctx, p, id)
	if err != nil {
		return nil, err
	}
	added, modified, removed := []string{}, []string{}, []string{}
	files, err := p.repo.diff(ctx, firstParent(one), one.id)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		switch file.status {
		case 'A':
			added = append(added, file.newPath)
		case 'D':
			removed = append(removed, file.oldPath)
		case 'R':
			added, removed = append(added, file.newPath), append(removed, file.oldPath)
		default:
			modified = append(modified, file.newPath)
		}
	}
	return shown.with(object{
		"distinct": true, "url": f.webURL(p) + "/commit/" + id, "added": added, "modified": modified, "removed": removed,
	}), nil
}

// showPlainCommit is a commit without accounts (octokit/webhooks, commit-simple).
func (f *Forge) showPlainCommit(ctx context.Context, p *project, id string) (object, commitRecord, error) {
	one, err := p.repo.one(ctx, id)
	if err != nil {
		return nil, commitRecord{}, err
	}
	tree, err := p.repo.treeOf(ctx, id)
	return object{
		"id": id, "tree_id": tree, "message": strings.TrimRight(one.message, "\n"), "timestamp": stamp(one.committed),
		"author":    object{"name": one.authorName, "email": one.authorEmail},
		"committer": object{"name": one.committerName, "email": one.committerEmail},
	}, one, err
}

// pullAction is something that happened to a pull request.
type pullAction struct {
	name string // required: GitHub's action
	by   *User  // required
	more object // further fields of the payload
}

func (f *Forge) sendPullAction(ctx context.Context, p *project, m *mergeRequest, a pullAction) error {
	return f.tell(p, event{kind: HookPullRequest, action: a.name, by: a.by, payload: func() (object, error) {
		shown, err := f.showWholePull(ctx, p, m)
		return object{"number": m.IID, "pull_request": shown}.with(a.more), err
	}})
}

// sendPull says what happened to a merge request in GitHub's events: one for the texts, one for each label.
func (f *Forge) sendPull(ctx context.Context, p *project, m *mergeRequest, e requestEvent) error {
	tell := func(name string, more object) error {
		return f.sendPullAction(ctx, p, m, pullAction{name: name, by: e.by, more: more})
	}
	switch e.action {
	case "open":
		return tell("opened", nil)
	case "close", "merge":
		if err := f.dequeue(ctx, p, m, "MANUAL"); err != nil { // its branch is gone, or somebody pushed it to the target
			return err
		}
		return tell("closed", nil)
	case "reopen":
		return tell("reopened", nil)
	}
	if e.oldrev != "" {
		p.dismissStale(m)
		if err := f.dequeue(ctx, p, m, "MANUAL"); err != nil {
			return err
		}
		return tell("synchronize", object{"before": e.oldrev, "after": m.SHA})
	}
	if edited := editedFields(e.changes); len(edited) > 0 {
		if err := tell("edited", object{"changes": edited}); err != nil {
			return err
		}
	}
	before, after := changedLabels(e.changes)
	for _, l := range f.showLabels(p, slices.Concat(after, before)) {
		name, _ := l["name"].(string)
		action := "labeled"
		switch {
		case slices.Contains(before, name) && slices.Contains(after, name):
			continue
		case slices.Contains(before, name):
			action = "unlabeled"
		}
		if err := tell(action, object{"label": l}); err != nil {
			return err
		}
	}
	return nil
}

func editedFields(changes map[string]fieldChange) object {
	edited := object{}
	for ours, theirs := range map[string]string{"title": "title", "description": "body"} {
		if change, ok := changes[ours]; ok {
			edited[theirs] = object{"from": change.Previous}
		}
	}
	if change, ok := changes["target_branch"]; ok {
		edited["base"] = object{"ref": object{"from": change.Previous}, "sha": object{"from": zeroID}}
	}
	return edited
}

func changedLabels(changes map[string]fieldChange) (before, after []string) {
	names := func(value any) []string {
		labels, _ := value.([]hookLabel)
		var all []string
		for _, l := range labels {
			all = append(all, l.Title)
		}
		return all
	}
	change := changes["labels"]
	return names(change.Previous), names(change.Current)
}

// commentEvent is something that happened to a comment.
type commentEvent struct {
	note   *note  // required
	action string // required: create, created, edited or deleted
	by     *User  // required
	before string // the text before an edit
}

func (f *Forge) sendComment(_ context.Context, p *project, m *mergeRequest, e commentEvent) error {
	if e.action == "create" {
		e.action = "created"
	}
	return f.tell(p, event{kind: HookIssueComment, action: e.action, by: e.by, payload: func() (object, error) {
		shown := object{"issue": f.showIssue(p, m), "comment": f.showComment(p, m, e.note)}
		if e.action == "edited" {
			shown["changes"] = object{"body": object{"from": e.before}}
		}
		return shown, nil
	}})
}

func (f *Forge) sendStatus(ctx context.Context, p *project, sha string, s *status) error {
	return f.tell(p, event{kind: HookStatus, by: f.tables.user(s.User), payload: func() (object, error) {
		commit, err := f.showGitCommit(ctx, p, sha)
		if err != nil {
			return nil, err
		}
		if inner, ok := commit["commit"].(object); ok {
			if verification, ok := inner["verification"].(object); ok {
				delete(verification, "verified_at") // newer than the description of the event
			}
		}
		names, err := p.repo.branchesWith(ctx, sha)
		branches := []object{}
		for _, name := range names[:min(len(names), 10)] {
			head := p.Refs[headsPrefix+name]
			branches = append(branches, object{
				"name": name, "commit": object{"sha": head, "url": f.repoURL(p, "/commits/%s", head)}, "protected": len(p.ruled(name)) > 0,
			})
		}
		return object{
			"id": s.ID, "sha": sha, "name": p.Path, "avatar_url": nil, "target_url": optional(s.TargetURL), "context": s.Name,
			"description": optional(s.Description), "state": s.State, "commit": commit, "branches": branches, "created_at": stamp(s.CreatedAt),
			"updated_at": stamp(s.CreatedAt),
		}, err
	}})
}

func (f *Forge) sendReview(p *project, m *mergeRequest, r *review, by *User) error {
	return f.tell(p, event{kind: HookReview, action: "submitted", by: by, payload: func() (object, error) {
		shown := f.showReview(p, m, r).with(object{"state": strings.ToLower(r.State)})
		return object{"review": shown, "pull_request": f.showPull(p, m)}, nil
	}})
}

// checkEvent is something that happened to a check run.
type checkEvent struct {
	action     string // required
	by         *User  // required
	identifier string // of the button
}

func (f *Forge) sendCheck(p *project, run *checkRun, e checkEvent) error {
	told := event{kind: HookCheckRun, action: e.action, by: e.by, payload: func() (object, error) {
		shown := object{"check_run": f.showCheck(p, run).with(object{"check_suite": f.showSuite(p, run)})}
		if e.action == "requested_action" {
			shown["requested_action"] = object{"identifier": e.identifier}
		}
		return shown, nil
	}}
	if e.action == "requested_action" || e.action == "rerequested" {
		told.only = f.tables.GitHub.app(run.App) // "only the GitHub App someone requests to perform an action" receives it
	}
	return f.tell(p, told)
}

func (f *Forge) sendSuite(ctx context.Context, p *project, run *checkRun, action string, by *User) error {
	told := event{kind: HookCheckSuite, action: action, by: by, payload: func() (object, error) {
		head, _, err := f.showPlainCommit(ctx, p, run.SHA)
		shown := f.showSuite(p, run).with(object{
			"latest_check_runs_count": len(p.latestChecks(run.SHA)), "head_commit": head,
			"check_runs_url": f.repoURL(p, "/check-suites/%d/check-runs", run.Suite),
		})
		if action == "requested" {
			shown["status"], shown["conclusion"] = "queued", nil
		}
		return object{"check_suite": shown}, err
	}}
	if action != "completed" {
		told.only = f.tables.GitHub.app(run.App)
	}
	return f.tell(p, told)
}

// groupEvent is something that happened to the group of a queue entry.
type groupEvent struct {
	entry  queueEntry
	action string // checks_requested or destroyed
	reason string // merged, invalidated or dequeued
}

func (f *Forge) sendMergeGroup(ctx context.Context, p *project, m *mergeRequest, e groupEvent) error {
	return f.tell(p, event{kind: HookMergeGroup, action: e.action, by: f.tables.user(e.entry.By), payload: func() (object, error) {
		head, _, err := f.showPlainCommit(ctx, p, e.entry.SHA)
		shown := object{"merge_group": object{
			"head_sha": e.entry.SHA, "head_ref": e.entry.Ref, "base_ref": headsPrefix + m.Target, "base_sha": e.entry.groupBase(), "head_commit": head,
		}}
		if e.reason != "" {
			shown["reason"] = e.reason
		}
		return shown, err
	}})
}

// sendDeployment announces a deployment, or one status of it; inactive ones make no event.
func (f *Forge) sendDeployment(p *project, d *deployment, s *deploymentStatus, by *User) error {
	told := event{kind: HookDeployment, action: "created", by: by, payload: func() (object, error) {
		return object{"deployment": f.showDeployment(p, d), "workflow": nil, "workflow_run": nil}, nil
	}}
	if s != nil {
		if s.State == "inactive" {
			return nil
		}
		told.kind, told.payload = HookDeploymentStatus, func() (object, error) {
			return object{"deployment": f.showDeployment(p, d), "deployment_status": f.showDeploymentStatus(p, d, s)}, nil
		}
	}
	return f.tell(p, told)
}

// sendInstallation goes to the App alone, whatever events it wants.
func (f *Forge) sendInstallation(a *app, in *installation, action string) error {
	shown := object{"action": action, "installation": f.showInstallation(in), "sender": f.showOwner(in.Account)}
	if action == "created" {
		repositories := []object{}
		for _, id := range in.Projects {
			if p := f.tables.project(id); p != nil {
				repositories = append(repositories, object{
					"id": p.ID, "node_id": nodeID("R", p.ID), "name": p.name(), "full_name": p.Path, "private": !p.Settings.GitHub.Public,
				})
			}
		}
		shown["repositories"] = repositories
	}
	return f.mail(a.Hook, letter{kind: HookInstallation, target: "integration", targetID: a.ID, payload: shown})
}
