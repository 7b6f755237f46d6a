package devforge

import (
	"time"
)

// The payloads have the fields of doc/user/project/integrations/webhook_events.md. Times differ by kind, as in GitLab: merge
// requests, notes and pipelines say "2006-01-02 15:04:05 UTC", commits RFC 3339.

type hookTime time.Time

func (t hookTime) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + t.String() + `"`), nil
}

func (t hookTime) String() string {
	return time.Time(t).UTC().Format("2006-01-02 15:04:05 UTC")
}

type hookUser struct {
	ID        int     `json:"id"`
	Name      string  `json:"name"`
	Username  string  `json:"username"`
	AvatarURL *string `json:"avatar_url"`
	Email     string  `json:"email"`
}

func showHookUser(u *User) *hookUser {
	if u == nil {
		return nil
	}
	return &hookUser{ID: u.ID, Name: u.Name, Username: u.Name, Email: "[REDACTED]"}
}

type hookProject struct {
	ID                int     `json:"id"`
	Name              string  `json:"name"`
	Description       string  `json:"description"`
	WebURL            string  `json:"web_url"`
	AvatarURL         *string `json:"avatar_url"`
	GitSSHURL         string  `json:"git_ssh_url"`
	GitHTTPURL        string  `json:"git_http_url"`
	Namespace         string  `json:"namespace"`
	VisibilityLevel   int     `json:"visibility_level"`
	PathWithNamespace string  `json:"path_with_namespace"`
	DefaultBranch     string  `json:"default_branch"`
	CIConfigPath      *string `json:"ci_config_path"`
	Homepage          string  `json:"homepage"`
	URL               string  `json:"url"`
	SSHURL            string  `json:"ssh_url"`
	HTTPURL           string  `json:"http_url"`
}

func (f *Forge) showHookProject(p *project) hookProject {
	web, ssh := f.webURL(p), "git@localhost:"+p.Path+".git"
	return hookProject{
		ID: p.ID, Name: p.name(), WebURL: web, GitSSHURL: ssh, GitHTTPURL: web + ".git", Namespace: p.namespace(),
		PathWithNamespace: p.Path, DefaultBranch: p.DefaultBranch, Homepage: web, URL: ssh, SSHURL: ssh, HTTPURL: web + ".git",
	}
}

type hookRepository struct {
	Name            string `json:"name"`
	URL             string `json:"url"`
	Description     string `json:"description"`
	Homepage        string `json:"homepage"`
	GitHTTPURL      string `json:"git_http_url"`
	GitSSHURL       string `json:"git_ssh_url"`
	VisibilityLevel int    `json:"visibility_level"`
}

func (f *Forge) showHookRepository(p *project) hookRepository {
	shown := f.showHookProject(p)
	return hookRepository{
		Name: shown.Name, URL: shown.URL, Homepage: shown.Homepage, GitHTTPURL: shown.GitHTTPURL, GitSSHURL: shown.GitSSHURL,
	}
}

type hookAuthor struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

type hookCommit struct {
	ID        string     `json:"id"`
	Message   string     `json:"message"`
	Title     string     `json:"title"`
	Timestamp time.Time  `json:"timestamp"`
	URL       string     `json:"url"`
	Author    hookAuthor `json:"author"`
}

type hookPushedCommit struct {
	hookCommit
	Added    []string `json:"added"`
	Modified []string `json:"modified"`
	Removed  []string `json:"removed"`
}

func (f *Forge) showHookCommit(p *project, c commitRecord) hookCommit {
	return hookCommit{
		ID: c.id, Message: c.message, Title: c.title(), Timestamp: c.committed, URL: f.webURL(p) + "/-/commit/" + c.id,
		Author: hookAuthor{Name: c.authorName, Email: c.authorEmail},
	}
}

type pushPayload struct {
	ObjectKind        string             `json:"object_kind"`
	EventName         string             `json:"event_name"`
	Before            string             `json:"before"`
	After             string             `json:"after"`
	Ref               string             `json:"ref"`
	RefProtected      bool               `json:"ref_protected"`
	CheckoutSHA       *string            `json:"checkout_sha"`
	Message           *string            `json:"message"`
	UserID            int                `json:"user_id"`
	UserName          string             `json:"user_name"`
	UserUsername      string             `json:"user_username"`
	UserEmail         string             `json:"user_email"`
	UserAvatar        *string            `json:"user_avatar"`
	ProjectID         int                `json:"project_id"`
	Project           hookProject        `json:"project"`
	Commits           []hookPushedCommit `json:"commits"`
	TotalCommitsCount int                `json:"total_commits_count"`
	PushOptions       struct{}           `json:"push_options"`
	Repository        hookRepository     `json:"repository"`
}

type hookLabel struct {
	ID          int      `json:"id"`
	Title       string   `json:"title"`
	Color       string   `json:"color"`
	ProjectID   int      `json:"project_id"`
	CreatedAt   hookTime `json:"created_at"`
	UpdatedAt   hookTime `json:"updated_at"`
	Template    bool     `json:"template"`
	Description *string  `json:"description"`
	Type        string   `json:"type"`
	GroupID     *int     `json:"group_id"`
}

func showHookLabels(p *project, names []string) []hookLabel {
	labels := []hookLabel{}
	for _, name := range names {
		if l := p.label(name); l != nil {
			labels = append(labels, hookLabel{
				ID: l.ID, Title: l.Name, Color: l.Color, ProjectID: p.ID, CreatedAt: hookTime(l.CreatedAt),
				UpdatedAt: hookTime(l.CreatedAt), Description: optional(l.Description), Type: "ProjectLabel",
			})
		}
	}
	return labels
}

type mergeParams struct {
	ForceRemoveSourceBranch bool `json:"force_remove_source_branch"`
}

// hookRequest is the merge request in the payloads of notes, and with more around it in its own.
type hookRequest struct {
	ID                          int         `json:"id"`
	IID                         int         `json:"iid"`
	TargetBranch                string      `json:"target_branch"`
	SourceBranch                string      `json:"source_branch"`
	SourceProjectID             int         `json:"source_project_id"`
	TargetProjectID             int         `json:"target_project_id"`
	AuthorID                    int         `json:"author_id"`
	AssigneeID                  *int        `json:"assignee_id"`
	AssigneeIDs                 []int       `json:"assignee_ids"`
	ReviewerIDs                 []int       `json:"reviewer_ids"`
	Title                       string      `json:"title"`
	CreatedAt                   hookTime    `json:"created_at"`
	UpdatedAt                   hookTime    `json:"updated_at"`
	LastEditedAt                *string     `json:"last_edited_at"`
	LastEditedByID              *int        `json:"last_edited_by_id"`
	MilestoneID                 *int        `json:"milestone_id"`
	State                       string      `json:"state"`
	StateID                     int         `json:"state_id"`
	BlockingDiscussionsResolved bool        `json:"blocking_discussions_resolved"`
	WorkInProgress              bool        `json:"work_in_progress"`
	Draft                       bool        `json:"draft"`
	FirstContribution           bool        `json:"first_contribution"`
	MergeStatus                 string      `json:"merge_status"`
	DetailedMergeStatus         string      `json:"detailed_merge_status"`
	MergeWhenPipelineSucceeds   bool        `json:"merge_when_pipeline_succeeds"`
	MergeCommitSHA              *string     `json:"merge_commit_sha"`
	MergeError                  *string     `json:"merge_error"`
	MergeParams                 mergeParams `json:"merge_params"`
	MergeUserID                 *int        `json:"merge_user_id"`
	HeadPipelineID              *int        `json:"head_pipeline_id"`
	Description                 string      `json:"description"`
	URL                         string      `json:"url"`
	Source                      hookProject `json:"source"`
	Target                      hookProject `json:"target"`
	LastCommit                  *hookCommit `json:"last_commit"`
	Labels                      []hookLabel `json:"labels"`
	TimeEstimate                int         `json:"time_estimate"`
	TotalTimeSpent              int         `json:"total_time_spent"`
	TimeChange                  int         `json:"time_change"`
	HumanTotalTimeSpent         *string     `json:"human_total_time_spent"`
	HumanTimeChange             *string     `json:"human_time_change"`
	HumanTimeEstimate           *string     `json:"human_time_estimate"`
}

type hookRequestEvent struct {
	hookRequest
	Action string `json:"action"`
	OldRev string `json:"oldrev,omitempty"` // only when a push changed the head
}

// fieldChange is what one field was and is: text, flag, number or labels.
type fieldChange struct {
	Previous any `json:"previous"`
	Current  any `json:"current"`
}

type requestPayload struct {
	ObjectKind       string                 `json:"object_kind"`
	EventType        string                 `json:"event_type"`
	User             *hookUser              `json:"user"`
	Project          hookProject            `json:"project"`
	ObjectAttributes hookRequestEvent       `json:"object_attributes"`
	Labels           []hookLabel            `json:"labels"`
	Changes          map[string]fieldChange `json:"changes"`
	Repository       hookRepository         `json:"repository"`
	Assignees        []hookUser             `json:"assignees,omitempty"`
	Reviewers        []hookUser             `json:"reviewers,omitempty"`
}

type hookNote struct {
	ID               int      `json:"id"`
	Note             string   `json:"note"`
	Description      string   `json:"description"`
	NoteableType     string   `json:"noteable_type"` //nolint:misspell // GitLab\'s word
	NoteableID       int      `json:"noteable_id"`   //nolint:misspell // GitLab\'s word
	AuthorID         int      `json:"author_id"`
	CreatedAt        hookTime `json:"created_at"`
	UpdatedAt        hookTime `json:"updated_at"`
	ProjectID        int      `json:"project_id"`
	Attachment       *string  `json:"attachment"`
	ChangePosition   *string  `json:"change_position"`
	OriginalPosition *string  `json:"original_position"`
	Position         *string  `json:"position"`
	LineCode         *string  `json:"line_code"`
	CommitID         *string  `json:"commit_id"`
	StDiff           *string  `json:"st_diff"`
	Type             *string  `json:"type"`
	DiscussionID     string   `json:"discussion_id"`
	Internal         bool     `json:"internal"`
	ResolvedAt       hookTime `json:"resolved_at"`
	ResolvedByID     *int     `json:"resolved_by_id"`
	ResolvedByPush   *bool    `json:"resolved_by_push"`
	System           bool     `json:"system"`
	UpdatedByID      *int     `json:"updated_by_id"`
	Action           string   `json:"action"`
	URL              string   `json:"url"`
}

type notePayload struct {
	ObjectKind       string         `json:"object_kind"`
	EventType        string         `json:"event_type"`
	User             *hookUser      `json:"user"`
	ProjectID        int            `json:"project_id"`
	Project          hookProject    `json:"project"`
	ObjectAttributes hookNote       `json:"object_attributes"`
	Repository       hookRepository `json:"repository"`
	MergeRequest     hookRequest    `json:"merge_request"`
}

type hookAward struct {
	ID            int      `json:"id"`
	UserID        int      `json:"user_id"`
	Name          string   `json:"name"`
	CreatedAt     hookTime `json:"created_at"`
	UpdatedAt     hookTime `json:"updated_at"`
	AwardableType string   `json:"awardable_type"`
	AwardableID   int      `json:"awardable_id"`
	Action        string   `json:"action"`
	AwardedOnURL  string   `json:"awarded_on_url"`
}

type awardPayload struct {
	ObjectKind       string      `json:"object_kind"`
	EventType        string      `json:"event_type"`
	User             *hookUser   `json:"user"`
	ProjectID        int         `json:"project_id"`
	Project          hookProject `json:"project"`
	ObjectAttributes hookAward   `json:"object_attributes"`
	Note             *hookNote   `json:"note,omitempty"`
	MergeRequest     hookRequest `json:"merge_request"`
}

type hookPipeline struct {
	ID             int        `json:"id"`
	IID            int        `json:"iid"`
	Name           *string    `json:"name"`
	Ref            string     `json:"ref"`
	Tag            bool       `json:"tag"`
	SHA            string     `json:"sha"`
	BeforeSHA      string     `json:"before_sha"`
	Source         string     `json:"source"`
	Status         string     `json:"status"`
	DetailedStatus string     `json:"detailed_status"`
	Stages         []string   `json:"stages"`
	CreatedAt      hookTime   `json:"created_at"`
	FinishedAt     hookTime   `json:"finished_at"`
	Duration       *int       `json:"duration"`
	QueuedDuration *int       `json:"queued_duration"`
	Variables      []struct{} `json:"variables"`
	URL            string     `json:"url"`
}

type hookPipelineRequest struct {
	ID                  int    `json:"id"`
	IID                 int    `json:"iid"`
	Title               string `json:"title"`
	SourceBranch        string `json:"source_branch"`
	SourceProjectID     int    `json:"source_project_id"`
	TargetBranch        string `json:"target_branch"`
	TargetProjectID     int    `json:"target_project_id"`
	State               string `json:"state"`
	MergeStatus         string `json:"merge_status"`
	DetailedMergeStatus string `json:"detailed_merge_status"`
	URL                 string `json:"url"`
}

type hookBuild struct {
	ID           int       `json:"id"`
	Stage        string    `json:"stage"`
	Name         string    `json:"name"`
	Status       string    `json:"status"`
	CreatedAt    hookTime  `json:"created_at"`
	StartedAt    hookTime  `json:"started_at"`
	FinishedAt   hookTime  `json:"finished_at"`
	When         string    `json:"when"`
	Manual       bool      `json:"manual"`
	AllowFailure bool      `json:"allow_failure"`
	User         *hookUser `json:"user"`
	Runner       *struct{} `json:"runner"`
}

type pipelinePayload struct {
	ObjectKind       string               `json:"object_kind"`
	ObjectAttributes hookPipeline         `json:"object_attributes"`
	MergeRequest     *hookPipelineRequest `json:"merge_request"`
	User             *hookUser            `json:"user"`
	Project          hookProject          `json:"project"`
	Commit           hookCommit           `json:"commit"`
	Builds           []hookBuild          `json:"builds"`
}
