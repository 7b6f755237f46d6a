package devforge

import (
	"strings"
	"time"
)

// AccessTriage is GitHub's role between read and write. The others map by name: Reporter reads, Developer writes, Maintainer
// maintains, Owner administers.
const AccessTriage = 25

// GitHubSettings are the settings of a repository that GitLab's projects do not have (PATCH /repos/{owner}/{repo}).
type GitHubSettings struct {
	Public        bool `json:"public"`
	AutoMerge     bool `json:"auto_merge"`
	NoMergeCommit bool `json:"no_merge_commit"`
	NoSquash      bool `json:"no_squash"`
	NoRebase      bool `json:"no_rebase"`
	NoDrafts      bool `json:"no_drafts"` // as in private repositories of free plans
}

// BranchRules say what must be true before something is merged into a branch.
type BranchRules struct {
	Checks       []RequiredCheck `json:"checks"`
	Strict       bool            `json:"strict"` // the branch must be up to date
	Approvals    int             `json:"approvals"`
	DismissStale bool            `json:"dismiss_stale"` // a push takes approvals away
	Admins       bool            `json:"admins"`        // binds administrators as well
	Linear       bool            `json:"linear"`        // no merge commits
	Methods      []string        `json:"methods"`       // merge, squash, rebase; empty means all, as does a protection
	NoDeletion   bool            `json:"no_deletion"`
	NoRewrite    bool            `json:"no_rewrite"`   // no forced pushes
	NoUpdate     bool            `json:"no_update"`    // nobody pushes but those whom the ruleset lets by
	Queue        bool            `json:"queue"`        // changes must be made through the merge queue
	QueueMethod  string          `json:"queue_method"` // of the queue: merge unless set
	// QueueMost and QueueLeast are how many changes the queue tests in one commit: one, unless set. For fewer than the least it waits
	// for five minutes. QueueMinutes is how long their checks may take: an hour, unless set.
	QueueMost    int `json:"queue_most"`
	QueueLeast   int `json:"queue_least"`
	QueueMinutes int `json:"queue_minutes"`
}

// RequiredCheck is a commit status or check run that must succeed. App zero means that anybody may report it.
type RequiredCheck struct {
	Context string `json:"context"`
	App     int    `json:"app"`
}

func (r *BranchRules) methods() []string {
	if len(r.Methods) == 0 {
		return []string{"merge", "squash", "rebase"}
	}
	return r.Methods
}

type githubTables struct {
	Teams         []*team         `json:"teams"`
	Apps          []*app          `json:"apps"`
	Installations []*installation `json:"installations"`
	Tokens        []*appToken     `json:"tokens"`
}

type githubProject struct {
	UpdatedAt   time.Time               `json:"updated_at"`
	Former      []string                `json:"former"` // paths before a rename
	Rulesets    []*ruleset              `json:"rulesets"`
	Protection  map[string]*BranchRules `json:"protection"` // by branch; older than rulesets
	Checks      []*checkRun             `json:"checks"`
	Deployments []*deployment           `json:"deployments"`
	Queue       []*queueEntry           `json:"queue"`
}

type githubRequest struct {
	Fork      string           `json:"fork"` // path of the repository that the head is in; empty means the same one
	Draft     bool             `json:"draft"`
	Assignees []int            `json:"assignees"`
	Reviewers []int            `json:"reviewers"`
	Teams     []string         `json:"teams"` // slugs
	Reviews   []*review        `json:"reviews"`
	Comments  []*reviewComment `json:"review_comments,omitempty"`
	Auto      pullMerge        `json:"auto"`
	Minimized map[int]string   `json:"minimized"` // comment to reason
}

// pullMerge is how a pull request is to be merged. By is zero when nobody asked.
type pullMerge struct {
	By      int    `json:"by"`
	Method  string `json:"method"` // merge, squash or rebase; empty means merge
	Title   string `json:"title"`
	Message string `json:"message"`
}

type review struct {
	ID     int       `json:"id"`
	User   int       `json:"user"`
	State  string    `json:"state"` // APPROVED, CHANGES_REQUESTED, COMMENTED or DISMISSED
	Body   string    `json:"body"`
	Commit string    `json:"commit"`
	At     time.Time `json:"at"`
}

type team struct {
	ID      int    `json:"id"`
	Org     string `json:"org"`
	Slug    string `json:"slug"`
	Members []int  `json:"members"`
}

func (t *githubTables) team(org, slug string) *team {
	for _, one := range t.Teams {
		if strings.EqualFold(one.Org, org) && strings.EqualFold(one.Slug, slug) {
			return one
		}
	}
	return nil
}

// ruled are the rules of a branch from both sources.
func (p *project) ruled(branch string) []*BranchRules {
	var all []*BranchRules
	if rules := p.GitHub.Protection[branch]; rules != nil {
		all = append(all, rules)
	}
	for _, r := range p.rulesetsOf(branch) {
		all = append(all, &r.Rules)
	}
	return all
}

// queued says whether branch takes changes through a merge queue only, and how the queue merges.
func (p *project) queued(branch string) (method string, ok bool) {
	for _, rules := range p.ruled(branch) {
		if rules.Queue {
			method, ok = rules.QueueMethod, true
		}
	}
	if method == "" {
		method = "merge"
	}
	return method, ok
}

// githubLevel is the access of a person: everybody reads a public repository.
func (p *project) githubLevel(u *User) int {
	level := p.level(u)
	if p.Settings.GitHub.Public && u != nil {
		level = max(level, AccessReporter)
	}
	return level
}

// role is GitHub's name of a level, and what permission calls it: maintain counts as write there, triage as read
// (REST, "Get repository permissions for a user").
func role(level int) (name, permission string) {
	switch {
	case level >= AccessOwner:
		return "admin", "admin"
	case level >= AccessMaintainer:
		return "maintain", "write"
	case level >= AccessDeveloper:
		return "write", "write"
	case level >= AccessTriage:
		return "triage", "read"
	case level > 0:
		return "read", "read"
	}
	return "", "none"
}
