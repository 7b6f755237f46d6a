package devforge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// mergeArgument is what the caller of a merge may say.
type mergeArgument struct {
	SHA           string `json:"sha"`
	Message       string `json:"merge_commit_message"`
	SquashMessage string `json:"squash_commit_message"`
	Squash        bool   `json:"squash"`
	RemoveSource  bool   `json:"should_remove_source_branch"`
	Auto          bool   `json:"auto_merge"`
}

func acceptRequest(c *call) (reply, error) {
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	argument, err := c.mergeArgument(m)
	if err != nil {
		return reply{}, err
	}
	if err := c.forge.accept(c.Context(), c.project, m, c.user, argument); err != nil {
		return reply{}, err
	}
	return c.showRequest(http.StatusOK, m)
}

func (c *call) mergeArgument(m *mergeRequest) (mergeArgument, error) {
	argument := mergeArgument{Squash: m.Squash, RemoveSource: m.RemoveSource}
	var err error
	text := func(name string) string {
		value, problem := c.params.text(name)
		err = errors.Join(err, problem)
		return value
	}
	flag := func(name string, otherwise bool) bool {
		if !c.params.has(name) {
			return otherwise
		}
		value, problem := c.params.boolean(name)
		err = errors.Join(err, problem)
		return value
	}
	argument.SHA, argument.Message, argument.SquashMessage = text("sha"), text("merge_commit_message"), text("squash_commit_message")
	argument.Squash = flag("squash", argument.Squash)
	argument.RemoveSource = flag("should_remove_source_branch", argument.RemoveSource)
	argument.Auto = flag("auto_merge", false) || flag("merge_when_pipeline_succeeds", false)
	return argument, err
}

// accept merges now, or sets auto-merge. The order of the checks is GitLab's (lib/api/merge_requests.rb, PUT merge): 400, 401,
// 405, 409, 422. A push between the decision and the merge loses nothing: the target only moves from the commit that was merged with.
func (f *Forge) accept(ctx context.Context, p *project, m *mergeRequest, u *User, a mergeArgument) error {
	if p.Settings.RequireSHA && a.SHA == "" {
		return refuse(http.StatusBadRequest, "SHA must be provided when merging")
	}
	if !p.mayMerge(u, m.Target) {
		return unauthorized()
	}
	found, err := f.judge(ctx, p, m)
	if err != nil {
		return err
	}
	wait := a.Auto && p.pipelineRuns(m) && found.waitsForPipeline()
	if !wait && found.status != "mergeable" {
		return refuse(http.StatusMethodNotAllowed, "405 Method Not Allowed")
	}
	if a.SHA != "" && a.SHA != m.SHA {
		return refuse(http.StatusConflict, "SHA does not match HEAD of source branch: "+m.SHA)
	}
	switch {
	case wait:
		f.mergeLater(m, u, a, p.Settings.MergeTrains)
		return nil
	case a.Auto && p.Settings.MergeTrains: // since 19.1 (doc/api/merge_requests.md, "Merge a merge request")
		return f.board(ctx, p, m, u)
	}
	return f.merge(ctx, p, m, u, a)
}

func (f *Forge) mergeLater(m *mergeRequest, u *User, a mergeArgument, train bool) {
	m.Auto = autoMerge{By: u.ID, Wanted: a, Train: train}
	f.addSystemNote(m, u, "enabled an automatic merge when all merge checks for "+m.SHA+" pass")
	f.wrote()
}

// queued reports whether the merge request is merged by itself once something has happened.
func (m *mergeRequest) queued() bool { return m.Auto.By != 0 || m.Car != nil }

func (p *project) pipelineRuns(m *mergeRequest) bool {
	head := p.headPipeline(m)
	return head != nil && (head.state() == "running" || head.state() == "pending")
}

func (f *Forge) merge(ctx context.Context, p *project, m *mergeRequest, u *User, a mergeArgument) error {
	target, err := p.repo.head(ctx, m.Target)
	if err != nil {
		return err
	}
	before := *m
	result, err := f.mergeCommit(ctx, p, m, mergeSides{target: target, by: u, argument: a})
	if err != nil {
		*m = before
		return err
	}
	if err := p.repo.setRef(ctx, headsPrefix+m.Target, result, target); err != nil {
		*m = before
		f.log.WarnContext(ctx, "merge lost a race", "project", p.Path, "merge_request", m.IID, "error", err)
		return refuse(http.StatusUnprocessableEntity, "Branch cannot be merged")
	}
	if err := f.markMerged(ctx, p, m, u, before); err != nil {
		return err
	}
	if a.RemoveSource {
		f.removeSource(ctx, p, m, u)
	}
	return f.announce(ctx, p, u)
}

func (f *Forge) removeSource(ctx context.Context, p *project, m *mergeRequest, u *User) {
	if !p.mayPush(u, m.Source) || m.Source == p.DefaultBranch {
		return
	}
	if err := p.repo.setRef(ctx, headsPrefix+m.Source, "", m.SHA); err != nil {
		f.log.InfoContext(ctx, "source branch stays", "branch", m.Source, "error", err)
	}
}

func (f *Forge) markMerged(ctx context.Context, p *project, m *mergeRequest, u *User, before mergeRequest) error {
	m.State, m.MergedAt, m.MergedBy, m.Auto, m.Car = stateMerged, f.now(), u.ID, autoMerge{}, nil
	f.addSystemNote(m, u, "merged")
	f.wrote()
	return f.sendRequest(ctx, p, m, requestEvent{action: "merge", by: u, changes: f.requestChanges(p, &before, m)})
}

type mergeSides struct {
	target   string
	by       *User
	argument mergeArgument
}

// mergeCommit writes the commits of a merge by the project's merge method and returns the new tip of the target.
func (f *Forge) mergeCommit(ctx context.Context, p *project, m *mergeRequest, s mergeSides) (string, error) {
	merged, err := p.repo.merge(ctx, s.target, m.SHA)
	if err != nil {
		return "", err
	}
	if merged.conflict {
		return "", refuse(http.StatusUnprocessableEntity, "Branch cannot be merged")
	}
	by := identity{name: s.by.Name, email: s.by.email(), at: f.now()}
	tip := m.SHA
	if p.squashes(s.argument.Squash) {
		if tip, err = f.squash(ctx, p, m, s, by); err != nil {
			return "", err
		}
		m.SquashCommit = tip
	}
	if p.Settings.MergeMethod == "ff" {
		return tip, nil
	}
	message := s.argument.Message
	if message == "" {
		message = fmt.Sprintf("Merge branch '%s' into '%s'\n\n%s\n\nSee merge request %s!%d\n", m.Source, m.Target, m.Title, p.Path, m.IID)
	}
	if m.MergeCommit, err = p.repo.join(ctx, merged.tree, message, by, s.target, tip); err != nil {
		return "", err
	}
	return m.MergeCommit, nil
}

// squashes follows the project's squash_option: always and never leave no choice (app/models/merge_request.rb squash_on_merge?).
func (p *project) squashes(wanted bool) bool {
	switch p.Settings.SquashOption {
	case "always":
		return true
	case "never":
		return false
	}
	return wanted
}

// squash makes one commit of the request's commits on top of the merge base.
func (f *Forge) squash(ctx context.Context, p *project, m *mergeRequest, s mergeSides, by identity) (string, error) {
	base, err := p.repo.mergeBase(ctx, s.target, m.SHA)
	if err != nil {
		return "", err
	}
	tree, err := p.repo.treeOf(ctx, m.SHA)
	if err != nil {
		return "", err
	}
	message := s.argument.SquashMessage
	if message == "" {
		message = m.Title
	}
	return p.repo.join(ctx, tree, strings.TrimRight(message, "\n")+"\n", by, base)
}

// tryAutoMerge merges what waited for the pipeline of sha.
func (f *Forge) tryAutoMerge(ctx context.Context, p *project, sha string) error {
	for _, m := range p.Requests {
		if m.State != stateOpened || m.Auto.By == 0 || m.SHA != sha {
			continue
		}
		found, err := f.judge(ctx, p, m)
		if err != nil {
			return err
		}
		if head := p.headPipeline(m); found.status != "mergeable" || head == nil || head.state() != "success" {
			continue
		}
		by := f.tables.user(m.Auto.By)
		if m.Auto.Train {
			err = f.board(ctx, p, m, by)
		} else {
			err = f.merge(ctx, p, m, by, m.Auto.Wanted)
		}
		if err != nil {
			f.log.WarnContext(ctx, "automatic merge", "project", p.Path, "merge_request", m.IID, "error", err)
		}
	}
	return nil
}

func cancelAutoMerge(c *call) (reply, error) {
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	if !m.queued() {
		return reply{}, refuse(http.StatusNotAcceptable, "Can't cancel the automatic merge")
	}
	m.Auto, m.Car = autoMerge{}, nil
	c.forge.addSystemNote(m, c.user, "canceled the automatic merge")
	c.forge.wrote()
	if err := c.forge.retest(c.Context(), c.project, m.Target); err != nil {
		return reply{}, err
	}
	answer, err := c.showRequest(http.StatusCreated, m)
	return answer, err
}
