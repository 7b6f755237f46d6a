package devforge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// ErrExists is returned for a project whose path is taken.
var ErrExists = errors.New("already exists")

// ErrNotFound is returned when a project, user, merge request or delivery is unknown.
var ErrNotFound = errors.New("not found")

// Config says where a forge keeps its repositories and how it behaves.
type Config struct {
	Root string // required; a directory, made if missing
	URL  string // public base URL without a trailing slash; may be set later by [Forge.SetURL]

	Dialect Dialect // whose API, webhooks, refs and addresses it speaks; GitLab's unless set

	Now     func() time.Time // nil means the real clock
	Logger  *slog.Logger     // nil means silence
	Persist bool             // save the tables after each write, and go on with them in New

	// Person is the user that the web forms act for. New creates the account if needed; give it access with AddMember.
	// Without a person the pages are read-only.
	Person string

	// KeepFailingHooks turns off what GitLab does to a hook after 4 failures in a row: no deliveries for a minute, doubling up
	// to a day (doc/user/project/integrations/webhooks.md, "Auto-disabled webhooks").
	KeepFailingHooks bool

	// Checking is how many reads of a merge request answer "checking" after each move of its head, as a busy GitLab does.
	Checking int

	// SecondaryLimits has it refuse what GitHub refuses beside its hourly limit: too much content, too many points in a minute, too
	// many requests at once.
	SecondaryLimits bool
}

// Forge is one running forge. All methods may be called by several goroutines at once.
type Forge struct {
	config Config
	git    string
	log    *slog.Logger
	now    func() time.Time
	hooks  *courier
	routes http.Handler
	boot   string // differs between two runs, for ETags of pages

	mu       sync.Mutex
	url      string
	tables   tables
	revision int // grows with each write
	faults   []*plannedFault
	calls    []Call
	limits   map[int]*limitWindow // GitHub's rate limits, by user
	usage    map[int]*usage       // what its secondary limits count, by user

	crowd crowd
}

// Project is what a caller needs to know about a project.
type Project struct {
	ID            int
	Path          string // with namespace
	DefaultBranch string
	WebURL        string
	CloneURL      string
}

// New opens the forge in c.Root. It fails when the git binary is missing or the state file cannot be read.
func New(c Config) (*Forge, error) {
	binary, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("the forge needs git: %w", err)
	}
	if c.Root, err = filepath.Abs(c.Root); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(c.Root, repositories), 0o755); err != nil {
		return nil, fmt.Errorf("forge directory: %w", err)
	}
	f := &Forge{config: c, git: binary, log: c.Logger, now: c.Now, url: strings.TrimSuffix(c.URL, "/")}
	if f.now == nil {
		f.now = time.Now
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	f.boot = fmt.Sprintf("%x", f.now().UnixNano())
	f.tables = tables{Last: map[string]int{}}
	f.hooks = newCourier(f.log, f.delivered)
	f.routes = f.newRoutes()
	if err := f.load(); err != nil {
		return nil, err
	}
	if c.Person != "" {
		f.CreateUser(c.Person, "")
	}
	return f, f.catchUp()
}

// catchUp announces what was pushed while a forge before this one was being killed.
func (f *Forge) catchUp() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	by := f.person()
	if by == nil && len(f.tables.Users) > 0 {
		by = f.tables.Users[0]
	}
	for _, p := range f.tables.Projects {
		if err := f.announce(context.Background(), p, by); err != nil {
			return fmt.Errorf("project %q: %w", p.Path, err)
		}
	}
	return nil
}

// Close stops webhook deliveries and waits for the one under way. Requests in flight are the server's matter.
func (f *Forge) Close() { f.hooks.close() }

// SetURL sets the public base URL, once the listener has an address. Answers and webhooks from then on carry it.
func (f *Forge) SetURL(url string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.url = strings.TrimSuffix(url, "/")
}

// Handler serves the API of the dialect below /api/, Git over smart HTTP at /<project>.git/, and the web pages.
func (f *Forge) Handler() http.Handler { return f.routes }

// CreateUser makes an account, or gives the existing one of that name a new token unless token is empty. The token is also the
// password for Git. An empty token means that nobody can sign in as the user.
func (f *Forge) CreateUser(name, token string) User {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.tables.userNamed(name)
	if u == nil {
		u = &User{ID: f.tables.next("user"), Name: name, CreatedAt: f.now()}
		f.tables.Users = append(f.tables.Users, u)
	}
	if token != "" {
		u.Token = token
	}
	f.wrote()
	return *u
}

var projectPath = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$`)

// CreateProject makes a project, such as "group/name", whose default branch holds files in one commit. The default branch is
// protected as GitLab does it: only Maintainers push and merge; GitHub protects nothing by itself. [ErrExists] when the path
// is taken.
func (f *Forge) CreateProject(path, defaultBranch string, files map[string]string) (*Project, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !projectPath.MatchString(path) || strings.HasSuffix(path, ".git") || strings.Contains(path, "..") {
		return nil, fmt.Errorf("project path %q: expected <group>/<project>, of letters, digits, dots, dashes and underscores", path)
	}
	if f.config.Dialect == GitHub && strings.Count(path, "/") != 1 {
		return nil, fmt.Errorf("project path %q: expected <owner>/<name>, as GitHub has no groups inside of groups", path)
	}
	if !safeName(defaultBranch) {
		return nil, fmt.Errorf("default branch %q: not a valid branch name", defaultBranch)
	}
	if f.tables.projectAt(path) != nil {
		return nil, fmt.Errorf("project %q: %w", path, ErrExists)
	}
	ctx := context.Background()
	p := &project{
		Path: path, DefaultBranch: defaultBranch, CreatedAt: f.now(),
		Settings:  Settings{MergeMethod: "merge"},
		Members:   map[int]int{},
		Protected: map[string]protection{},
		repo:      f.repository(path),
	}
	if f.config.Dialect == GitHub {
		p.GitHub.UpdatedAt = p.CreatedAt // branches are free until rules are set
	} else {
		f.protect(p, defaultBranch, protection{Push: AccessMaintainer, Merge: AccessMaintainer})
	}
	if err := p.repo.create(ctx, defaultBranch); err != nil {
		return nil, fmt.Errorf("project %q: %w", path, err)
	}
	by := identity{name: "Devforge", email: "devforge@users.noreply.localhost", at: p.CreatedAt}
	if _, err := p.repo.write(ctx, change{branch: defaultBranch, message: "Initial commit", by: by, files: files}); err != nil {
		return nil, fmt.Errorf("project %q: %w", path, err)
	}
	refs, err := p.repo.refs()
	if err != nil {
		return nil, fmt.Errorf("project %q: %w", path, err)
	}
	p.Refs, p.ID = refs, f.tables.next("project")
	f.tables.Projects = append(f.tables.Projects, p)
	f.wrote()
	return f.describe(p), nil
}

// Project looks a project up by path.
func (f *Forge) Project(path string) (*Project, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.tables.projectAt(path)
	if p == nil {
		return nil, false
	}
	return f.describe(p), true
}

func (f *Forge) describe(p *project) *Project {
	return &Project{ID: p.ID, Path: p.Path, DefaultBranch: p.DefaultBranch, WebURL: f.webURL(p), CloneURL: f.webURL(p) + ".git"}
}

// Change alters the settings of a project.
func (f *Forge) Change(path string, edit func(*Settings)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.tables.projectAt(path)
	if p == nil {
		return fmt.Errorf("project %q: %w", path, ErrNotFound)
	}
	edit(&p.Settings)
	f.wrote()
	return nil
}

// Protect lets only users of at least the given levels push to and merge into a branch. Level 0 means nobody, as in GitLab.
func (f *Forge) Protect(path, branch string, push, merge int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.tables.projectAt(path)
	if p == nil {
		return fmt.Errorf("project %q: %w", path, ErrNotFound)
	}
	f.protect(p, branch, protection{Push: push, Merge: merge})
	f.wrote()
	return nil
}

// protect keeps the ID of a rule that is there. The caller holds the lock.
func (f *Forge) protect(p *project, branch string, guard protection) protection {
	if guard.ID = p.Protected[branch].ID; guard.ID == 0 {
		guard.ID = f.tables.next("protected_branch")
	}
	p.Protected[branch] = guard
	return guard
}

// AddMember gives a user an access level in a project, such as [AccessDeveloper]. Level 0 removes the user.
func (f *Forge) AddMember(path, user string, level int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, u := f.tables.projectAt(path), f.tables.userNamed(user)
	if p == nil || u == nil {
		return fmt.Errorf("member %q of project %q: %w", user, path, ErrNotFound)
	}
	p.Members[u.ID] = level
	if level == 0 {
		delete(p.Members, u.ID)
	}
	f.wrote()
	return nil
}

// Commit writes files to a branch as user, as a push would, and announces it. A branch that does not exist starts at the
// default branch. It returns the new commit.
func (f *Forge) Commit(ctx context.Context, path, branch, user, message string, files map[string]string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, u := f.tables.projectAt(path), f.tables.userNamed(user)
	if p == nil || u == nil {
		return "", fmt.Errorf("commit by %q in project %q: %w", user, path, ErrNotFound)
	}
	parent, err := p.repo.head(ctx, branch)
	if errors.Is(err, errNoRevision) {
		parent, err = p.repo.head(ctx, p.DefaultBranch)
	}
	if err != nil {
		return "", fmt.Errorf("commit to %q: %w", branch, err)
	}
	by := identity{name: u.Name, email: u.email(), at: f.now()}
	id, err := p.repo.write(ctx, change{branch: branch, parent: parent, message: message, by: by, files: files})
	if err != nil {
		return "", err
	}
	return id, f.afterPush(ctx, p, u)
}

// Refresh announces what changed in a project's repository behind the forge's back, as pushes by user.
func (f *Forge) Refresh(ctx context.Context, path, user string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, u := f.tables.projectAt(path), f.tables.userNamed(user)
	if p == nil || u == nil {
		return fmt.Errorf("refresh project %q for %q: %w", path, user, ErrNotFound)
	}
	return f.afterPush(ctx, p, u)
}

func (f *Forge) repository(path string) *repository {
	dir := filepath.Join(f.config.Root, repositories, filepath.FromSlash(path)+".git")
	return &repository{git: f.git, dir: dir, kept: f.config.Dialect.keptRefs()}
}

func (f *Forge) person() *User {
	if f.config.Person == "" {
		return nil
	}
	return f.tables.userNamed(f.config.Person)
}
