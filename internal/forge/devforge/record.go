package devforge

import (
	"slices"
	"strings"
	"time"
)

// GitLab's access levels that matter here (doc/api/access_requests.md).
const (
	AccessGuest      = 10
	AccessReporter   = 20
	AccessDeveloper  = 30
	AccessMaintainer = 40
	AccessOwner      = 50
)

// tables is everything that git does not know.
type tables struct {
	Last     map[string]int         `json:"last"` // the last number given out, by kind
	Users    []*User                `json:"users"`
	Projects []*project             `json:"projects"`
	Groups   map[string]map[int]int `json:"groups,omitempty"` // path to user to access level

	GitHub githubTables `json:"github,omitzero"`
}

func (t *tables) next(kind string) int {
	t.Last[kind]++
	return t.Last[kind]
}

// User is one account.
type User struct {
	ID        int       `json:"id"`
	Name      string    `json:"name"` // the user name, shown with an at sign
	Token     string    `json:"token"`
	JobToken  string    `json:"job_token,omitempty"` // of a CI job that the user began
	CreatedAt time.Time `json:"created_at"`
	Scopes    []string  `json:"scopes,omitempty"` // of the token; none: api
	Expires   time.Time `json:"expires"`          // likewise; zero: never
}

func (u *User) email() string { return u.Name + "@users.noreply.localhost" }

func (t *tables) user(id int) *User {
	for _, u := range t.Users {
		if u.ID == id {
			return u
		}
	}
	return nil
}

func (t *tables) userNamed(name string) *User {
	for _, u := range t.Users {
		if strings.EqualFold(u.Name, name) {
			return u
		}
	}
	return nil
}

type project struct {
	ID            int                   `json:"id"`
	Path          string                `json:"path"` // with namespace
	DefaultBranch string                `json:"default_branch"`
	CreatedAt     time.Time             `json:"created_at"`
	Settings      Settings              `json:"settings"`
	Members       map[int]int           `json:"members"` // user to access level
	Protected     map[string]protection `json:"protected"`
	Labels        []*label              `json:"labels"`
	Requests      []*mergeRequest       `json:"merge_requests"`
	Pipelines     []*pipeline           `json:"pipelines"`
	StatusChecks  []*statusCheck        `json:"status_checks,omitempty"`
	Environments  []*environment        `json:"environments,omitempty"`
	Deployments   []*projectDeployment  `json:"deployments,omitempty"`
	Hooks         []*hookRecord         `json:"hooks"`
	Activity      []activity            `json:"activity,omitempty"` // oldest first
	Refs          map[string]string     `json:"refs"`               // what was last announced; git has the truth
	GitHub        githubProject         `json:"github,omitzero"`

	repo *repository
}

// Settings are the project settings that decide what may be merged (doc/api/projects.md).
type Settings struct {
	PipelineMustSucceed    bool   `json:"only_allow_merge_if_pipeline_succeeds"`
	AllowSkippedPipeline   bool   `json:"allow_merge_on_skipped_pipeline"`
	DiscussionsMustResolve bool   `json:"only_allow_merge_if_all_discussions_are_resolved"`
	RemoveSourceBranch     bool   `json:"remove_source_branch_after_merge"`
	MergeMethod            string `json:"merge_method"`  // merge, rebase_merge or ff
	RequireSHA             bool   `json:"require_sha"`   // GitLab 19.2: "Require a commit SHA on the merge requests API"
	SquashOption           string `json:"squash_option"` // never, always, default_on or default_off, which empty is
	MergedResults          bool   `json:"merge_pipelines_enabled"`
	MergeTrains            bool   `json:"merge_trains_enabled"`
	StatusChecksMustPass   bool   `json:"only_allow_merge_if_all_status_checks_passed"`
	Ultimate               bool   `json:"ultimate"`             // the plan has external status checks
	KeepApprovals          bool   `json:"keep_approvals"`       // a push takes no approval away: reset_approvals_on_push is off
	NoApprovalSettings     bool   `json:"no_approval_settings"` // the plan has no settings of approvals
	NoApprovalTimes        bool   `json:"no_approval_times"`    // as in versions that do not say when somebody approved

	GitHub GitHubSettings `json:"github,omitzero"`
}

// protection is the least access level for a protected branch.
type protection struct {
	ID    int `json:"id"`
	Push  int `json:"push"`
	Merge int `json:"merge"`
}

type label struct {
	ID          int       `json:"id"`
	Name        string    `json:"name"`
	Color       string    `json:"color"`
	Description string    `json:"description"`
	CreatedAt   time.Time `json:"created_at"`
}

const (
	stateOpened = "opened"
	stateClosed = "closed"
	stateMerged = "merged"
)

type mergeRequest struct {
	ID           int             `json:"id"`
	IID          int             `json:"iid"`
	Title        string          `json:"title"`
	Description  string          `json:"description"`
	Source       string          `json:"source_branch"`
	Target       string          `json:"target_branch"`
	Author       int             `json:"author"`
	State        string          `json:"state"`
	Labels       []string        `json:"labels"`
	SHA          string          `json:"sha"`
	StartSHA     string          `json:"start_sha"` // head of the target when the diff was taken
	BaseSHA      string          `json:"base_sha"`
	CreatedAt    time.Time       `json:"created_at"`
	UpdatedAt    time.Time       `json:"updated_at"`
	MergedAt     time.Time       `json:"merged_at"`
	MergedBy     int             `json:"merged_by"`
	ClosedAt     time.Time       `json:"closed_at"`
	ClosedBy     int             `json:"closed_by"`
	MergeCommit  string          `json:"merge_commit_sha"`
	SquashCommit string          `json:"squash_commit_sha"`
	Squash       bool            `json:"squash"`
	RemoveSource bool            `json:"force_remove_source_branch"`
	Approvers    []int           `json:"approvers"`
	ApprovedAt   []time.Time     `json:"approved_at,omitempty"` // by Approvers
	Versions     []pushedVersion `json:"versions,omitempty"`    // oldest first
	Assignees    []int           `json:"assignees,omitempty"`
	Reviewers    []int           `json:"reviewers,omitempty"`
	Auto         autoMerge       `json:"auto_merge"`
	Notes        []*note         `json:"notes"`
	Awards       []*award        `json:"awards"`
	Car          *trainCar       `json:"car,omitempty"` // nil when it is on no merge train
	Unchecked    int             `json:"unchecked"`     // how many more reads answer "checking"

	GitHub githubRequest `json:"github,omitzero"`
}

// pushedVersion is what a merge request became by one push.
type pushedVersion struct {
	ID        int       `json:"id"`
	Head      string    `json:"head"`
	Start     string    `json:"start"`
	Base      string    `json:"base"`
	CreatedAt time.Time `json:"created_at"`
}

// autoMerge is a merge that waits for the pipeline. By is zero when there is none.
type autoMerge struct {
	By     int           `json:"by"`
	Wanted mergeArgument `json:"wanted"`
	Train  bool          `json:"train,omitempty"` // it boards the merge train then, instead of being merged
}

func (m *mergeRequest) note(id int) *note {
	for _, n := range m.Notes {
		if n.ID == id {
			return n
		}
	}
	return nil
}

// draft follows MergeRequest::DRAFT_REGEX: "Draft:", "[Draft]" or "(Draft)" in front of the title.
func (m *mergeRequest) draft() bool {
	title := strings.ToLower(strings.TrimSpace(m.Title))
	return slices.ContainsFunc([]string{"draft:", "[draft]", "(draft)"}, func(mark string) bool {
		return strings.HasPrefix(title, mark)
	})
}

type note struct {
	ID         int       `json:"id"`
	Author     int       `json:"author"`
	Body       string    `json:"body"`
	System     bool      `json:"system"`
	Internal   bool      `json:"internal"`
	Discussion string    `json:"discussion"`
	Place      place     `json:"place,omitzero"` // of the first of a discussion at a line
	Resolvable bool      `json:"resolvable"`
	Resolved   bool      `json:"resolved"`
	ResolvedBy int       `json:"resolved_by"`
	ResolvedAt time.Time `json:"resolved_at"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
	Awards     []*award  `json:"awards"`
}

type award struct {
	ID        int       `json:"id"`
	User      int       `json:"user"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// pipeline holds statuses that others report, and the one job of a pipeline that CI ran.
type pipeline struct {
	ID        int       `json:"id"`
	IID       int       `json:"iid"`
	SHA       string    `json:"sha"`
	Ref       string    `json:"ref"`
	User      int       `json:"user"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Statuses  []*status `json:"statuses"`
	Source    string    `json:"source,omitempty"`        // empty: external
	Request   int       `json:"merge_request,omitempty"` // whose pipeline it is; 0: a branch's
	SourceSHA string    `json:"source_sha,omitempty"`    // head of the merge request, where SHA is a commit made for the test
}

type status struct {
	ID          int       `json:"id"`
	Name        string    `json:"name"`
	State       string    `json:"state"`
	Description string    `json:"description"`
	TargetURL   string    `json:"target_url"`
	Coverage    *float64  `json:"coverage"`
	User        int       `json:"user"`
	Retried     bool      `json:"retried"`
	CreatedAt   time.Time `json:"created_at"`
	StartedAt   time.Time `json:"started_at"`
	FinishedAt  time.Time `json:"finished_at"`
}

func (t *tables) project(id int) *project {
	for _, p := range t.Projects {
		if p.ID == id {
			return p
		}
	}
	return nil
}

func (t *tables) projectAt(path string) *project {
	for _, p := range t.Projects {
		if strings.EqualFold(p.Path, path) {
			return p
		}
	}
	return nil
}

func (p *project) request(iid int) *mergeRequest {
	for _, m := range p.Requests {
		if m.IID == iid {
			return m
		}
	}
	return nil
}

func (p *project) label(name string) *label {
	for _, l := range p.Labels {
		if l.Name == name {
			return l
		}
	}
	return nil
}

func (p *project) level(u *User) int {
	if u == nil {
		return 0
	}
	return p.Members[u.ID]
}

// mayPush and mayMerge: unprotected branches take both from Developers (doc/user/permissions.md).
func (p *project) mayPush(u *User, branch string) bool {
	if guard, ok := p.Protected[branch]; ok {
		return guard.Push > 0 && p.level(u) >= guard.Push
	}
	return p.level(u) >= AccessDeveloper
}

func (p *project) mayMerge(u *User, branch string) bool {
	if guard, ok := p.Protected[branch]; ok {
		return guard.Merge > 0 && p.level(u) >= guard.Merge
	}
	return p.level(u) >= AccessDeveloper
}

func (p *project) namespace() string {
	return p.Path[:strings.LastIndexByte(p.Path, '/')]
}

func (p *project) name() string {
	return p.Path[strings.LastIndexByte(p.Path, '/')+1:]
}
