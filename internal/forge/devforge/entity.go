package devforge

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// The entities are what GitLab's API shows (lib/api/entities); fields that have no meaning here carry GitLab's default.

type userEntity struct {
	ID        int     `json:"id"`
	Username  string  `json:"username"`
	Name      string  `json:"name"`
	State     string  `json:"state"`
	Locked    bool    `json:"locked"`
	AvatarURL *string `json:"avatar_url"`
	WebURL    string  `json:"web_url"`
}

type accountEntity struct {
	userEntity
	CreatedAt   moment  `json:"created_at"`
	Bio         string  `json:"bio"`
	Bot         bool    `json:"bot"`
	PublicEmail *string `json:"public_email"`
}

type selfEntity struct {
	accountEntity
	Email       string `json:"email"`
	CommitEmail string `json:"commit_email"`
}

type memberEntity struct {
	userEntity
	AccessLevel     int     `json:"access_level"`
	CreatedAt       moment  `json:"created_at"`
	ExpiresAt       *string `json:"expires_at"`
	MembershipState string  `json:"membership_state"`
}

func (f *Forge) showUser(u *User) userEntity {
	return userEntity{ID: u.ID, Username: u.Name, Name: u.Name, State: "active", WebURL: f.url + "/" + u.Name}
}

// showUserID is null for nobody.
func (f *Forge) showUserID(id int) *userEntity {
	u := f.tables.user(id)
	if u == nil {
		return nil
	}
	shown := f.showUser(u)
	return &shown
}

func (f *Forge) showAccount(u *User) accountEntity {
	return accountEntity{userEntity: f.showUser(u), CreatedAt: moment(u.CreatedAt), Bot: false}
}

func (f *Forge) showMember(p *project, u *User) memberEntity {
	return memberEntity{
		userEntity: f.showUser(u), AccessLevel: p.Members[u.ID], CreatedAt: moment(u.CreatedAt), MembershipState: "active",
	}
}

type namespaceEntity struct {
	ID       int    `json:"id"`
	Name     string `json:"name"`
	Path     string `json:"path"`
	Kind     string `json:"kind"`
	FullPath string `json:"full_path"`
	WebURL   string `json:"web_url"`
}

type accessEntity struct {
	AccessLevel       int `json:"access_level"`
	NotificationLevel int `json:"notification_level"`
}

type permissionsEntity struct {
	ProjectAccess *accessEntity `json:"project_access"`
	GroupAccess   *accessEntity `json:"group_access"`
}

type projectEntity struct {
	ID                        int               `json:"id"`
	Description               *string           `json:"description"`
	Name                      string            `json:"name"`
	NameWithNamespace         string            `json:"name_with_namespace"`
	Path                      string            `json:"path"`
	PathWithNamespace         string            `json:"path_with_namespace"`
	CreatedAt                 moment            `json:"created_at"`
	DefaultBranch             string            `json:"default_branch"`
	TagList                   []string          `json:"tag_list"`
	Topics                    []string          `json:"topics"`
	SSHURLToRepo              string            `json:"ssh_url_to_repo"`
	HTTPURLToRepo             string            `json:"http_url_to_repo"`
	WebURL                    string            `json:"web_url"`
	ReadmeURL                 *string           `json:"readme_url"`
	AvatarURL                 *string           `json:"avatar_url"`
	ForksCount                int               `json:"forks_count"`
	StarCount                 int               `json:"star_count"`
	LastActivityAt            moment            `json:"last_activity_at"`
	Namespace                 namespaceEntity   `json:"namespace"`
	Archived                  bool              `json:"archived"`
	EmptyRepo                 bool              `json:"empty_repo"`
	Visibility                string            `json:"visibility"`
	IssuesEnabled             bool              `json:"issues_enabled"`
	MergeRequestsEnabled      bool              `json:"merge_requests_enabled"`
	JobsEnabled               bool              `json:"jobs_enabled"`
	CanCreateMergeRequestIn   bool              `json:"can_create_merge_request_in"`
	ImportStatus              string            `json:"import_status"`
	PublicJobs                bool              `json:"public_jobs"`
	OnlyIfPipelineSucceeds    bool              `json:"only_allow_merge_if_pipeline_succeeds"`
	AllowSkippedPipeline      bool              `json:"allow_merge_on_skipped_pipeline"`
	OnlyIfDiscussionsResolved bool              `json:"only_allow_merge_if_all_discussions_are_resolved"`
	RemoveSourceBranch        bool              `json:"remove_source_branch_after_merge"`
	MergeMethod               string            `json:"merge_method"`
	SquashOption              string            `json:"squash_option"`
	OnlyIfStatusChecksPassed  bool              `json:"only_allow_merge_if_all_status_checks_passed"`
	MergePipelinesEnabled     bool              `json:"merge_pipelines_enabled"`
	MergeTrainsEnabled        bool              `json:"merge_trains_enabled"`
	Permissions               permissionsEntity `json:"permissions"`
}

func (f *Forge) webURL(p *project) string { return f.url + "/" + p.Path }

func (f *Forge) showProject(p *project, u *User) projectEntity {
	entity := projectEntity{
		ID: p.ID, Name: p.name(), Path: p.name(), PathWithNamespace: p.Path,
		NameWithNamespace: strings.ReplaceAll(p.Path, "/", " / "),
		CreatedAt:         moment(p.CreatedAt), LastActivityAt: moment(p.CreatedAt),
		DefaultBranch: p.DefaultBranch, TagList: []string{}, Topics: []string{},
		SSHURLToRepo: "git@localhost:" + p.Path + ".git", HTTPURLToRepo: f.webURL(p) + ".git", WebURL: f.webURL(p),
		Namespace: namespaceEntity{
			ID: p.ID, Name: p.namespace(), Path: p.namespace(), Kind: "group", FullPath: p.namespace(),
			WebURL: f.url + "/groups/" + p.namespace(),
		},
		Visibility: "private", MergeRequestsEnabled: true, JobsEnabled: true, ImportStatus: "none",
		CanCreateMergeRequestIn:   p.level(u) >= AccessDeveloper,
		OnlyIfPipelineSucceeds:    p.Settings.PipelineMustSucceed,
		AllowSkippedPipeline:      p.Settings.AllowSkippedPipeline,
		OnlyIfDiscussionsResolved: p.Settings.DiscussionsMustResolve,
		RemoveSourceBranch:        p.Settings.RemoveSourceBranch,
		MergeMethod:               p.Settings.MergeMethod, SquashOption: cmp.Or(p.Settings.SquashOption, "default_off"),
		OnlyIfStatusChecksPassed: p.Settings.StatusChecksMustPass,
		MergePipelinesEnabled:    p.Settings.MergedResults, MergeTrainsEnabled: p.Settings.MergeTrains,
	}
	if level := p.level(u); level > 0 {
		entity.Permissions.ProjectAccess = &accessEntity{AccessLevel: level, NotificationLevel: 3}
	}
	return entity
}

type commitEntity struct {
	ID             string            `json:"id"`
	ShortID        string            `json:"short_id"`
	CreatedAt      moment            `json:"created_at"`
	ParentIDs      []string          `json:"parent_ids"`
	Title          string            `json:"title"`
	Message        string            `json:"message"`
	AuthorName     string            `json:"author_name"`
	AuthorEmail    string            `json:"author_email"`
	AuthoredDate   moment            `json:"authored_date"`
	CommitterName  string            `json:"committer_name"`
	CommitterEmail string            `json:"committer_email"`
	CommittedDate  moment            `json:"committed_date"`
	Trailers       map[string]string `json:"trailers"`
	WebURL         string            `json:"web_url"`
}

func (f *Forge) showCommit(p *project, c commitRecord) commitEntity {
	parents := c.parents
	if parents == nil {
		parents = []string{}
	}
	return commitEntity{
		ID: c.id, ShortID: c.id[:8], CreatedAt: moment(c.committed), ParentIDs: parents, Title: c.title(), Message: c.message,
		AuthorName: c.authorName, AuthorEmail: c.authorEmail, AuthoredDate: moment(c.authored),
		CommitterName: c.committerName, CommitterEmail: c.committerEmail, CommittedDate: moment(c.committed),
		Trailers: map[string]string{}, WebURL: f.webURL(p) + "/-/commit/" + c.id,
	}
}

type branchEntity struct {
	Name               string       `json:"name"`
	Commit             commitEntity `json:"commit"`
	Merged             bool         `json:"merged"`
	Protected          bool         `json:"protected"`
	DevelopersCanPush  bool         `json:"developers_can_push"`
	DevelopersCanMerge bool         `json:"developers_can_merge"`
	CanPush            bool         `json:"can_push"`
	Default            bool         `json:"default"`
	WebURL             string       `json:"web_url"`
}

// showBranch reads the branch's head from git; errNoRevision when it is gone.
func (f *Forge) showBranch(ctx context.Context, p *project, u *User, name string) (branchEntity, error) {
	id, err := p.repo.head(ctx, name)
	if err != nil {
		return branchEntity{}, err
	}
	commit, err := p.repo.one(ctx, id)
	if err != nil {
		return branchEntity{}, err
	}
	guard, protected := p.Protected[name]
	entity := branchEntity{
		Name: name, Commit: f.showCommit(p, commit), Protected: protected, CanPush: p.mayPush(u, name),
		DevelopersCanPush:  protected && guard.Push == AccessDeveloper,
		DevelopersCanMerge: protected && guard.Merge == AccessDeveloper,
		Default:            name == p.DefaultBranch, WebURL: f.webURL(p) + "/-/tree/" + url.PathEscape(name),
	}
	if main, err := p.repo.head(ctx, p.DefaultBranch); err == nil && !entity.Default {
		if entity.Merged, err = p.repo.contains(ctx, main, id); err != nil {
			return branchEntity{}, err
		}
	}
	return entity, nil
}

type diffEntity struct {
	OldPath       string `json:"old_path"`
	NewPath       string `json:"new_path"`
	AMode         string `json:"a_mode"`
	BMode         string `json:"b_mode"`
	NewFile       bool   `json:"new_file"`
	RenamedFile   bool   `json:"renamed_file"`
	DeletedFile   bool   `json:"deleted_file"`
	GeneratedFile bool   `json:"generated_file"`
	Collapsed     bool   `json:"collapsed"`
	TooLarge      bool   `json:"too_large"`
	Diff          string `json:"diff"`
}

func showDiff(d fileDiff) diffEntity {
	return diffEntity{
		OldPath: d.oldPath, NewPath: d.newPath, AMode: d.oldMode, BMode: d.newMode, Diff: d.text, TooLarge: d.tooLarge,
		NewFile: d.status == 'A', RenamedFile: d.status == 'R', DeletedFile: d.status == 'D',
	}
}

type labelEntity struct {
	ID             int     `json:"id"`
	Name           string  `json:"name"`
	Description    *string `json:"description"`
	TextColor      string  `json:"text_color"`
	Color          string  `json:"color"`
	Subscribed     bool    `json:"subscribed"`
	Priority       *int    `json:"priority"`
	IsProjectLabel bool    `json:"is_project_label"`
}

func showLabel(l *label) (labelEntity, error) {
	return labelEntity{
		ID: l.ID, Name: l.Name, Description: optional(l.Description), TextColor: "#FFFFFF", Color: l.Color, IsProjectLabel: true,
	}, nil
}

type noteEntity struct {
	ID              int               `json:"id"`
	Type            *string           `json:"type"`
	Body            string            `json:"body"`
	Author          *userEntity       `json:"author"`
	CreatedAt       moment            `json:"created_at"`
	UpdatedAt       moment            `json:"updated_at"`
	System          bool              `json:"system"`
	NoteableID      int               `json:"noteable_id"`   //nolint:misspell // GitLab\'s word
	NoteableType    string            `json:"noteable_type"` //nolint:misspell // GitLab\'s word
	ProjectID       int               `json:"project_id"`
	NoteableIID     int               `json:"noteable_iid"` //nolint:misspell // GitLab\'s word
	CommitID        *string           `json:"commit_id"`
	Position        *positionEntity   `json:"position,omitempty"`
	Resolvable      bool              `json:"resolvable"`
	Resolved        *bool             `json:"resolved,omitempty"`
	ResolvedBy      *userEntity       `json:"resolved_by,omitempty"`
	ResolvedAt      *moment           `json:"resolved_at,omitempty"`
	Confidential    bool              `json:"confidential"`
	Internal        bool              `json:"internal"`
	Imported        bool              `json:"imported"`
	ImportedFrom    string            `json:"imported_from"`
	CommandsChanges map[string]string `json:"commands_changes"`
}

func (f *Forge) showNote(p *project, m *mergeRequest, n *note) noteEntity {
	entity := noteEntity{
		ID: n.ID, Body: n.Body, Author: f.showUserID(n.Author), CreatedAt: moment(n.CreatedAt), UpdatedAt: moment(n.UpdatedAt),
		System: n.System, NoteableID: m.ID, NoteableType: "MergeRequest", ProjectID: p.ID, NoteableIID: m.IID,
		Resolvable: n.Resolvable, Confidential: n.Internal, Internal: n.Internal, ImportedFrom: "none",
		CommandsChanges: map[string]string{},
	}
	if n.Resolvable {
		kind, at := n.kind(), moment(n.ResolvedAt)
		entity.Position = n.Place.show()
		entity.Type, entity.Resolved, entity.ResolvedBy, entity.ResolvedAt = &kind, &n.Resolved, f.showUserID(n.ResolvedBy), &at
	}
	return entity
}

// kind is GitLab's type of a note in a discussion.
func (n *note) kind() string {
	if n.Place.Path != "" {
		return "DiffNote"
	}
	return "DiscussionNote"
}

type awardEntity struct {
	ID            int         `json:"id"`
	Name          string      `json:"name"`
	User          *userEntity `json:"user"`
	CreatedAt     moment      `json:"created_at"`
	UpdatedAt     moment      `json:"updated_at"`
	AwardableID   int         `json:"awardable_id"`
	AwardableType string      `json:"awardable_type"`
	URL           *string     `json:"url"`
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func newDiscussionID() string {
	var b [20]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func mergeRequestURL(f *Forge, p *project, m *mergeRequest) string {
	return f.webURL(p) + "/-/merge_requests/" + strconv.Itoa(m.IID)
}
