package devforge

import (
	"net/http"
	"slices"
)

var updatable = []string{
	"title", "description", "labels", "add_labels", "remove_labels", "state_event", "target_branch", "squash", "remove_source_branch",
	"assignee_id", "assignee_ids", "reviewer_ids", "discussion_locked", "milestone_id", "allow_collaboration",
}

func updateRequest(c *call) (reply, error) {
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	if c.project.level(c.user) < AccessDeveloper && m.Author != c.user.ID {
		return reply{}, forbidden()
	}
	if !slices.ContainsFunc(updatable, c.params.has) {
		return reply{}, invalid("title, description, labels, state_event, target_branch, squash are missing, at least one parameter must be provided")
	}
	event, err := c.params.oneOf("state_event", "close", "reopen")
	if err != nil {
		return reply{}, err
	}
	next := *m
	if err := c.readText(&next); err != nil {
		return reply{}, err
	}
	if err := c.retarget(m, &next); err != nil {
		return reply{}, err
	}
	var actions []string
	if c.params.has("description") {
		next.Description, actions = splitQuickActions(next.Description)
	}
	if err := c.forge.edit(c.Context(), c.project, m, next, c.user); err != nil {
		return reply{}, err
	}
	if _, err := c.forge.obey(c.Context(), orders{project: c.project, request: m, by: c.user, actions: actions}); err != nil {
		return reply{}, err
	}
	switch {
	case event == "close" && m.State == stateOpened:
		err = c.forge.close(c.Context(), c.project, m, c.user)
	case event == "reopen" && m.State == stateClosed:
		err = c.forge.reopen(c.Context(), c.project, m, c.user)
	}
	if err != nil {
		return reply{}, err
	}
	return c.showRequest(http.StatusOK, m)
}

func (c *call) retarget(m, next *mergeRequest) error {
	target, err := c.params.text("target_branch")
	if err != nil || target == "" || target == m.Target {
		return err
	}
	next.Target = target
	for _, other := range c.project.Requests {
		if other != m && other.State == stateOpened && other.Source == next.Source && other.Target == target {
			return c.forge.checkBranches(c.Context(), c.project, next)
		}
	}
	if _, err := c.project.repo.head(c.Context(), target); err != nil {
		return refuse(http.StatusBadRequest, map[string][]string{"target_branch": {"does not exist"}})
	}
	return c.forge.takeHead(c.Context(), c.project, next)
}

func getChanges(c *call) (reply, error) {
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	entity, err := c.forge.showRequest(c.Context(), c.project, m, c.user)
	if err != nil {
		return reply{}, err
	}
	files, err := c.forge.requestDiff(c.Context(), c.project, m)
	if err != nil {
		return reply{}, err
	}
	shown := changesEntity{requestEntity: entity, Changes: []diffEntity{}}
	for _, file := range files {
		shown.Changes = append(shown.Changes, showDiff(file))
	}
	return reply{body: shown}, nil
}

type changesEntity struct {
	requestEntity
	Changes  []diffEntity `json:"changes"`
	Overflow bool         `json:"overflow"`
}

func listDiffs(c *call) (reply, error) {
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	files, err := c.forge.requestDiff(c.Context(), c.project, m)
	if err != nil {
		return reply{}, err
	}
	return shown(c, files, func(d fileDiff) (diffEntity, error) { return showDiff(d), nil })
}

func listRequestCommits(c *call) (reply, error) {
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	commits, err := c.forge.requestCommits(c.Context(), c.project, m)
	if err != nil {
		return reply{}, err
	}
	return c.showCommits(commits)
}

func listRequestPipelines(c *call) (reply, error) {
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	var lines []*pipeline
	for _, l := range slices.Backward(c.project.Pipelines) {
		if l.Ref == m.Source || l.Request == m.IID {
			lines = append(lines, l)
		}
	}
	return shown(c, lines, func(l *pipeline) (pipelineBasicEntity, error) { return c.forge.showPipelineBasic(c.project, l), nil })
}
