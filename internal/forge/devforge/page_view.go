package devforge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The bounds of what a page shows; the API has the rest.
const (
	maxShownFiles   = 100
	maxShownDiff    = 64 << 10
	maxShownCommits = 50
	maxShownClosed  = 30
)

type branchView struct {
	Name, SHA, Message string
	At                 time.Time
	Default, Protected bool
}

type requestView struct {
	IID                   int
	Mark                  string // in front of the number
	Title, URL            string
	State, Author         string
	Source, Target        string
	Labels                []string
	UpdatedAt             time.Time
	Pipeline              string // state of the head pipeline, or empty
	Comments              int
	MergedBy, MergeCommit string
}

type projectPage struct {
	frame
	Path, CloneURL, DefaultBranch string
	Branches                      []branchView
	Open, Merged, Closed          []requestView
	Environments                  []environmentView
}

func (s *site) viewRequest(p *project, m *mergeRequest) requestView {
	view := requestView{
		IID: m.IID, Title: m.Title, URL: s.requestPath(p, m), Mark: s.forge.config.Dialect.words().Mark, State: m.State, Author: s.name(m.Author), Source: m.Source,
		Target: m.Target, Labels: m.Labels, UpdatedAt: m.UpdatedAt, Comments: countNotes(m), MergedBy: s.name(m.MergedBy),
		MergeCommit: cmp.Or(m.MergeCommit, m.SquashCommit, m.SHA),
	}
	if s.forge.config.Dialect == GitHub {
		view.Pipeline = p.checkState(m.SHA)
	} else if head := p.headPipeline(m); head != nil {
		view.Pipeline = head.state()
	}
	return view
}

func (s *site) name(id int) string {
	if u := s.forge.tables.user(id); u != nil {
		return u.Name
	}
	return ""
}

func (s *site) showProject(w http.ResponseWriter, r *http.Request, p *project) error {
	page := projectPage{frame: s.frame(p.Path), Path: p.Path, CloneURL: s.forge.webURL(p) + ".git", DefaultBranch: p.DefaultBranch}
	for _, m := range slices.Backward(p.Requests) {
		view := s.viewRequest(p, m)
		switch m.State {
		case stateOpened:
			page.Open = append(page.Open, view)
		case stateMerged:
			page.Merged = append(page.Merged, view)
		default:
			page.Closed = append(page.Closed, view)
		}
	}
	page.Environments = s.viewEnvironments(p)
	page.Merged = page.Merged[:min(len(page.Merged), maxShownClosed)]
	page.Closed = page.Closed[:min(len(page.Closed), maxShownClosed)]
	refs, err := p.repo.refs()
	if err != nil {
		return err
	}
	for _, ref := range slices.Sorted(maps.Keys(refs)) {
		name, isBranch := strings.CutPrefix(ref, headsPrefix)
		if !isBranch || len(page.Branches) == maxShownFiles {
			continue
		}
		one, err := p.repo.one(r.Context(), refs[ref])
		if err != nil {
			return err
		}
		_, protected := p.Protected[name]
		page.Branches = append(page.Branches, branchView{
			Name: name, SHA: one.id, Message: one.title(), At: one.committed, Default: name == p.DefaultBranch, Protected: protected,
		})
	}
	slices.SortStableFunc(page.Branches, func(a, b branchView) int {
		if a.Default != b.Default {
			return map[bool]int{true: -1, false: 1}[a.Default]
		}
		return 0
	})
	s.show(w, r, http.StatusOK, "project.html", page)
	return nil
}

type statusView struct {
	Name, State, Description, URL, Author string
	At                                    time.Time
}

type reactionView struct {
	Symbol string
	Count  int
	Who    string
}

type noteView struct {
	ID                 int
	Author, Role, Body string
	System             bool
	At                 time.Time
	Reactions          []reactionView
}

type fileView struct {
	Path, From, Change string
	Diff               string
	Added, Removed     int
	Hidden             bool // too large
}

type commitView struct {
	SHA, Title, Author, URL string
	At                      time.Time
}

type requestPage struct {
	frame
	requestView
	Project, ProjectURL string
	Description         string
	CreatedAt           time.Time
	MergedAt, ClosedAt  time.Time
	ClosedBy            string
	SHA                 string
	Draft               bool
	MayMerge            bool
	Reason              string // why it cannot be merged now
	Conflict            bool
	RemoveSource        bool
	Statuses            []statusView
	Notes               []noteView
	Commits             []commitView
	Files               []fileView
	MoreFiles           int
	Reactions           []reactionView
	Typed               string // a comment that was refused
}

func (s *site) showRequest(w http.ResponseWriter, r *http.Request, p *project, number string) error {
	iid, err := strconv.Atoi(number)
	m := p.request(iid)
	if err != nil || m == nil {
		return errNoRevision
	}
	page, err := s.requestPage(r.Context(), p, m)
	if err != nil {
		return err
	}
	s.show(w, r, http.StatusOK, "request.html", page)
	return nil
}

// showRefused shows the merge request with the reason why a form did nothing.
func (s *site) showRefused(w http.ResponseWriter, r *http.Request, p *project, m *mergeRequest, stop *refusal) error {
	page, err := s.requestPage(r.Context(), p, m)
	if err != nil {
		return err
	}
	page.Problem = fmt.Sprint(stop.body)
	if message, ok := stop.body.(messageBody); ok {
		page.Problem = fmt.Sprint(message.Message)
	} else if body, ok := stop.body.(githubError); ok {
		page.Problem = body.text()
	}
	if page.Reason != "" {
		page.Problem += ". " + page.Reason
	}
	page.Typed = r.PostForm.Get("body")
	s.show(w, r, stop.status, "request.html", page)
	return nil
}

func (s *site) requestPage(ctx context.Context, p *project, m *mergeRequest) (requestPage, error) {
	page := requestPage{
		frame:       s.frame(fmt.Sprintf("%s (%s%d)", m.Title, s.forge.config.Dialect.words().Mark, m.IID)),
		requestView: s.viewRequest(p, m), Project: p.Path, ProjectURL: "/" + p.Path, Description: m.Description,
		CreatedAt: m.CreatedAt, MergedAt: m.MergedAt, ClosedAt: m.ClosedAt, ClosedBy: s.name(m.ClosedBy), SHA: m.SHA,
		Draft: m.draft() || m.GitHub.Draft, RemoveSource: m.RemoveSource, Reactions: s.viewReactions(m.Awards), Notes: s.viewNotes(p, m),
	}
	if err := s.judgeMerge(ctx, p, m, &page); err != nil {
		return requestPage{}, err
	}
	if s.forge.config.Dialect == GitHub {
		page.Statuses = s.viewChecks(p, m.SHA)
	} else if head := p.headPipeline(m); head != nil {
		for _, one := range head.latest() {
			page.Statuses = append(page.Statuses, statusView{
				Name: one.Name, State: one.State, Description: one.Description, URL: one.TargetURL, Author: s.name(one.User),
				At: cmp.Or(one.FinishedAt, one.StartedAt, one.CreatedAt),
			})
		}
	}
	commits, err := s.forge.requestCommits(ctx, p, m)
	if err != nil {
		return requestPage{}, err
	}
	page.Commits = s.viewCommits(p, commits)
	files, err := s.forge.requestDiff(ctx, p, m)
	if err != nil {
		return requestPage{}, err
	}
	page.Files, page.MoreFiles = viewFiles(files)
	return page, nil
}

func (s *site) judgeMerge(ctx context.Context, p *project, m *mergeRequest, page *requestPage) error {
	if s.forge.config.Dialect == GitHub {
		return s.judgePull(ctx, p, m, page)
	}
	found, err := s.forge.judge(ctx, p, m)
	if err != nil {
		return err
	}
	page.Conflict = found.conflict
	page.Reason = mergeReasons[found.status]
	switch {
	case m.State != stateOpened:
		page.Reason = ""
	case found.status == "mergeable" && !p.mayMerge(s.forge.person(), m.Target):
		page.Reason = "You may not merge into " + m.Target + "."
	case found.status == "mergeable":
		page.MayMerge = true
	case page.Reason == "":
		page.Reason = "Not mergeable: " + found.status
	}
	return nil
}

// mergeReasons says in plain words what detailed_merge_status means.
var mergeReasons = map[string]string{
	"ci_must_pass":             "The commit statuses must succeed first.",
	"ci_still_running":         "The commit statuses are still pending.",
	"conflict":                 "There are conflicts with the target branch.",
	"need_rebase":              "The source branch must be rebased first.",
	"draft_status":             "It is still a draft.",
	"discussions_not_resolved": "Some threads are not resolved.",
	"commits_status":           "The source branch has nothing that the target does not have.",
}

func (s *site) viewNotes(p *project, m *mergeRequest) []noteView {
	roles := map[int]string{AccessReporter: "Reporter", AccessDeveloper: "Developer", AccessMaintainer: "Maintainer", AccessOwner: "Owner"}
	var notes []noteView
	for _, n := range m.Notes {
		body := n.Body
		if n.System && s.forge.config.Dialect == GitHub {
			body = strings.ReplaceAll(body, "merge request", "pull request")
		}
		notes = append(notes, noteView{
			ID: n.ID, Author: s.name(n.Author), Role: roles[p.Members[n.Author]], Body: body, System: n.System, At: n.CreatedAt,
			Reactions: s.viewReactions(n.Awards),
		})
	}
	return notes
}

func (s *site) viewReactions(awards []*award) []reactionView {
	var views []reactionView
	for _, a := range awards {
		symbol := emoji(a.Name)
		i := slices.IndexFunc(views, func(v reactionView) bool { return v.Symbol == symbol })
		if i < 0 {
			views = append(views, reactionView{Symbol: symbol, Count: 1, Who: s.name(a.User)})
			continue
		}
		views[i].Count++
		views[i].Who += ", " + s.name(a.User)
	}
	return views
}

func (s *site) viewCommits(p *project, commits []commitRecord) []commitView {
	var views []commitView
	for _, one := range commits[:min(len(commits), maxShownCommits)] {
		views = append(views, commitView{
			SHA: one.id, Title: one.title(), Author: one.authorName, URL: "/" + p.Path + s.forge.config.Dialect.words().Inside + "/commit/" + one.id, At: one.committed,
		})
	}
	return views
}

func viewFiles(files []fileDiff) (views []fileView, more int) {
	kinds := map[byte]string{'A': "added", 'D': "deleted", 'M': "changed", 'R': "renamed", 'T': "changed"}
	for _, file := range files[:min(len(files), maxShownFiles)] {
		view := fileView{Path: file.newPath, Change: kinds[file.status], Diff: file.text, Hidden: file.tooLarge}
		if file.oldPath != file.newPath {
			view.From = file.oldPath
		}
		if len(view.Diff) > maxShownDiff {
			view.Diff, view.Hidden = "", true
		}
		stats := countLines([]fileDiff{file})
		view.Added, view.Removed = stats.Additions, stats.Deletions
		views = append(views, view)
	}
	return views, len(files) - len(views)
}

type commitPage struct {
	frame
	Project, ProjectURL string
	Commit              commitView
	Message             string
	Files               []fileView
	MoreFiles           int
}

func (s *site) showCommit(w http.ResponseWriter, r *http.Request, p *project, revision string) error {
	id, err := p.repo.commit(r.Context(), revision)
	if err != nil {
		return err
	}
	one, err := p.repo.one(r.Context(), id)
	if err != nil {
		return err
	}
	files, err := p.repo.diff(r.Context(), firstParent(one), id)
	if err != nil {
		return err
	}
	page := commitPage{
		frame: s.frame(one.title()), Project: p.Path, ProjectURL: "/" + p.Path, Commit: s.viewCommits(p, []commitRecord{one})[0],
		Message: one.message,
	}
	page.Files, page.MoreFiles = viewFiles(files)
	s.show(w, r, http.StatusOK, "commit.html", page)
	return nil
}

type historyPage struct {
	frame
	Project, ProjectURL, Branch string
	Commits                     []commitView
}

func (s *site) showHistory(w http.ResponseWriter, r *http.Request, p *project, branch string) error {
	id, err := p.repo.commit(r.Context(), branch)
	if err != nil {
		return err
	}
	commits, err := p.repo.log(r.Context(), history{from: id, limit: maxShownCommits})
	if err != nil {
		return err
	}
	s.show(w, r, http.StatusOK, "history.html", historyPage{
		frame: s.frame(branch), Project: p.Path, ProjectURL: "/" + p.Path, Branch: branch, Commits: s.viewCommits(p, commits),
	})
	return nil
}

// showPipeline leads to where the statuses of a pipeline are shown: its merge request, or its commit.
func (s *site) showPipeline(w http.ResponseWriter, r *http.Request, p *project, number string) error {
	id, err := strconv.Atoi(number)
	i := slices.IndexFunc(p.Pipelines, func(line *pipeline) bool { return line.ID == id })
	if err != nil || i < 0 {
		return errors.Join(errNoRevision, err)
	}
	line := p.Pipelines[i]
	address := "/" + p.Path + "/-/commit/" + line.SHA
	for _, m := range p.Requests {
		if p.headPipeline(m) == line {
			address = s.requestPath(p, m)
		}
	}
	http.Redirect(w, r, address, http.StatusFound)
	return nil
}
