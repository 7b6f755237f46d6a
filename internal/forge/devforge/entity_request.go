package devforge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

type referencesEntity struct {
	Short    string `json:"short"`
	Relative string `json:"relative"`
	Full     string `json:"full"`
}

type timeStatsEntity struct {
	TimeEstimate        int     `json:"time_estimate"`
	TotalTimeSpent      int     `json:"total_time_spent"`
	HumanTimeEstimate   *string `json:"human_time_estimate"`
	HumanTotalTimeSpent *string `json:"human_total_time_spent"`
}

type tasksEntity struct {
	Count          int `json:"count"`
	CompletedCount int `json:"completed_count"`
}

type milestoneEntity struct{}

// requestBasicEntity is a merge request in a list (lib/api/entities/merge_request_basic.rb).
type requestBasicEntity struct {
	ID                          int              `json:"id"`
	IID                         int              `json:"iid"`
	ProjectID                   int              `json:"project_id"`
	Title                       string           `json:"title"`
	Description                 string           `json:"description"`
	State                       string           `json:"state"`
	CreatedAt                   moment           `json:"created_at"`
	UpdatedAt                   moment           `json:"updated_at"`
	MergedBy                    *userEntity      `json:"merged_by"`
	MergeUser                   *userEntity      `json:"merge_user"`
	MergedAt                    moment           `json:"merged_at"`
	ClosedBy                    *userEntity      `json:"closed_by"`
	ClosedAt                    moment           `json:"closed_at"`
	TargetBranch                string           `json:"target_branch"`
	SourceBranch                string           `json:"source_branch"`
	UserNotesCount              int              `json:"user_notes_count"`
	Upvotes                     int              `json:"upvotes"`
	Downvotes                   int              `json:"downvotes"`
	Author                      *userEntity      `json:"author"`
	Assignees                   []userEntity     `json:"assignees"`
	Assignee                    *userEntity      `json:"assignee"`
	Reviewers                   []userEntity     `json:"reviewers"`
	SourceProjectID             int              `json:"source_project_id"`
	TargetProjectID             int              `json:"target_project_id"`
	Labels                      []string         `json:"labels"`
	Draft                       bool             `json:"draft"`
	Imported                    bool             `json:"imported"`
	ImportedFrom                string           `json:"imported_from"`
	WorkInProgress              bool             `json:"work_in_progress"`
	Milestone                   *milestoneEntity `json:"milestone"`
	MergeWhenPipelineSucceeds   bool             `json:"merge_when_pipeline_succeeds"`
	MergeStatus                 string           `json:"merge_status"`
	DetailedMergeStatus         string           `json:"detailed_merge_status"`
	MergeAfter                  *string          `json:"merge_after"`
	SHA                         *string          `json:"sha"`
	MergeCommitSHA              *string          `json:"merge_commit_sha"`
	SquashCommitSHA             *string          `json:"squash_commit_sha"`
	DiscussionLocked            *bool            `json:"discussion_locked"`
	ShouldRemoveSourceBranch    *bool            `json:"should_remove_source_branch"`
	ForceRemoveSourceBranch     bool             `json:"force_remove_source_branch"`
	PreparedAt                  moment           `json:"prepared_at"`
	Reference                   string           `json:"reference"`
	References                  referencesEntity `json:"references"`
	WebURL                      string           `json:"web_url"`
	TimeStats                   timeStatsEntity  `json:"time_stats"`
	Squash                      bool             `json:"squash"`
	SquashOnMerge               bool             `json:"squash_on_merge"`
	TaskCompletionStatus        tasksEntity      `json:"task_completion_status"`
	HasConflicts                bool             `json:"has_conflicts"`
	BlockingDiscussionsResolved bool             `json:"blocking_discussions_resolved"`
	ApprovalsBeforeMerge        *int             `json:"approvals_before_merge"`
}

type diffRefsEntity struct {
	BaseSHA  *string `json:"base_sha"`
	HeadSHA  *string `json:"head_sha"`
	StartSHA *string `json:"start_sha"`
}

type canMergeEntity struct {
	CanMerge bool `json:"can_merge"`
}

// requestEntity is a merge request by itself (lib/api/entities/merge_request.rb).
type requestEntity struct {
	requestBasicEntity
	Subscribed                  bool                 `json:"subscribed"`
	ChangesCount                *string              `json:"changes_count"`
	LatestBuildStartedAt        moment               `json:"latest_build_started_at"`
	LatestBuildFinishedAt       moment               `json:"latest_build_finished_at"`
	FirstDeployedToProductionAt *string              `json:"first_deployed_to_production_at"`
	Pipeline                    *pipelineBasicEntity `json:"pipeline"`
	HeadPipeline                *pipelineEntity      `json:"head_pipeline"`
	DiffRefs                    *diffRefsEntity      `json:"diff_refs"`
	MergeError                  *string              `json:"merge_error"`
	RebaseInProgress            *bool                `json:"rebase_in_progress,omitempty"`
	DivergedCommitsCount        *int                 `json:"diverged_commits_count,omitempty"`
	FirstContribution           bool                 `json:"first_contribution"`
	User                        canMergeEntity       `json:"user"`
}

func (f *Forge) showRequestBasic(ctx context.Context, p *project, m *mergeRequest) (requestBasicEntity, error) {
	verdict, err := f.mergeability(ctx, p, m)
	if err != nil {
		return requestBasicEntity{}, err
	}
	reference := "!" + strconv.Itoa(m.IID)
	labels := slices.Clone(m.Labels)
	if labels == nil {
		labels = []string{}
	}
	return requestBasicEntity{
		ID: m.ID, IID: m.IID, ProjectID: p.ID, Title: m.Title, Description: m.Description, State: m.State,
		CreatedAt: moment(m.CreatedAt), UpdatedAt: moment(m.UpdatedAt), PreparedAt: moment(m.CreatedAt),
		MergedBy: f.showUserID(m.MergedBy), MergeUser: f.showUserID(m.MergedBy), MergedAt: moment(m.MergedAt),
		ClosedBy: f.showUserID(m.ClosedBy), ClosedAt: moment(m.ClosedAt),
		TargetBranch: m.Target, SourceBranch: m.Source, SourceProjectID: p.ID, TargetProjectID: p.ID,
		UserNotesCount: countNotes(m), Upvotes: countAwards(m, "thumbsup"), Downvotes: countAwards(m, "thumbsdown"),
		Author: f.showUserID(m.Author), Assignees: f.showUsers(m.Assignees), Reviewers: f.showUsers(m.Reviewers), Labels: labels,
		Draft: m.draft(), WorkInProgress: m.draft(), ImportedFrom: "none",
		MergeWhenPipelineSucceeds: m.queued(),
		MergeStatus:               verdict.coarse(), DetailedMergeStatus: verdict.status, HasConflicts: verdict.conflict,
		SHA: optional(m.SHA), MergeCommitSHA: optional(m.MergeCommit), SquashCommitSHA: optional(m.SquashCommit),
		ForceRemoveSourceBranch: m.RemoveSource,
		Reference:               reference, References: referencesEntity{Short: reference, Relative: reference, Full: p.Path + reference},
		WebURL: mergeRequestURL(f, p, m), Squash: m.Squash, SquashOnMerge: m.Squash,
		TaskCompletionStatus: countTasks(m.Description), BlockingDiscussionsResolved: !m.unresolved(),
	}, nil
}

func (f *Forge) showRequest(ctx context.Context, p *project, m *mergeRequest, u *User) (requestEntity, error) {
	basic, err := f.showRequestBasic(ctx, p, m)
	if err != nil {
		return requestEntity{}, err
	}
	entity := requestEntity{requestBasicEntity: basic, Subscribed: u != nil && u.ID == m.Author}
	entity.User.CanMerge = p.mayMerge(u, m.Target)
	if m.SHA != "" {
		entity.DiffRefs = &diffRefsEntity{BaseSHA: optional(m.BaseSHA), HeadSHA: optional(m.SHA), StartSHA: optional(m.StartSHA)}
		files, err := p.repo.diff(ctx, m.BaseSHA, m.SHA)
		if err != nil {
			return requestEntity{}, err
		}
		count := strconv.Itoa(len(files))
		entity.ChangesCount = &count
	}
	if head := p.headPipeline(m); head != nil {
		shown := f.showPipeline(p, head)
		entity.HeadPipeline, entity.Pipeline = &shown, &shown.pipelineBasicEntity
		entity.LatestBuildStartedAt, entity.LatestBuildFinishedAt = shown.StartedAt, shown.FinishedAt
	}
	return entity, nil
}

func (f *Forge) diverged(ctx context.Context, p *project, m *mergeRequest) (*int, error) {
	target, err := p.repo.head(ctx, m.Target)
	if errors.Is(err, errNoRevision) || m.SHA == "" {
		return new(int), nil
	}
	if err != nil {
		return nil, err
	}
	out, err := p.repo.run(ctx, invocation{args: []string{"rev-list", "--count", target, "^" + m.SHA}})
	if err != nil {
		return nil, fmt.Errorf("count diverged commits: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	return &n, err
}

func (f *Forge) showUsers(ids []int) []userEntity {
	shown := make([]userEntity, 0, len(ids))
	for _, id := range ids {
		shown = append(shown, f.showUser(f.tables.user(id)))
	}
	return shown
}

func countNotes(m *mergeRequest) int {
	n := 0
	for _, note := range m.Notes {
		if !note.System {
			n++
		}
	}
	return n
}

func countAwards(m *mergeRequest, name string) int {
	n := 0
	for _, a := range m.Awards {
		if a.Name == name {
			n++
		}
	}
	return n
}

func countTasks(description string) tasksEntity {
	var tasks tasksEntity
	for line := range strings.Lines(description) {
		line = strings.TrimLeft(line, " \t")
		if len(line) < 6 || !strings.ContainsRune("-*+", rune(line[0])) || line[1:3] != " [" || line[4:6] != "] " {
			continue
		}
		switch line[3] {
		case 'x', 'X':
			tasks.CompletedCount++
			tasks.Count++
		case ' ':
			tasks.Count++
		}
	}
	return tasks
}

// unresolved says whether a thread is open that blocks a merge when the project wants all threads resolved.
func (m *mergeRequest) unresolved() bool {
	return slices.ContainsFunc(m.Notes, func(n *note) bool { return n.Resolvable && !n.Resolved })
}
