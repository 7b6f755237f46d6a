package devforge

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
)

// words are what a dialect calls things on the pages, and how its addresses look.
type words struct {
	Request     string // what a merge request is called
	Requests    string // its part of an address
	Mark        string // in front of its number
	Inside      string // between the project and the rest of an address
	Anchor      string // of a comment, before its number
	AsksRemoval bool   // a merge asks whether the source branch goes
}

func (d Dialect) words() words {
	if d == GitHub {
		return words{Request: "pull request", Requests: "pull", Mark: "#", Anchor: "issuecomment-"}
	}
	return words{Request: "merge request", Requests: "merge_requests", Mark: "!", Inside: "/-", Anchor: "note_", AsksRemoval: true}
}

// splitPage divides the path of a page into the project's and the rest.
func (d Dialect) splitPage(path string) (project, rest string) {
	if d != GitHub {
		project, rest, _ = strings.Cut(path, "/-/")
		return project, rest
	}
	parts := strings.SplitN(path, "/", 3)
	return strings.Join(parts[:min(len(parts), 2)], "/"), strings.Join(parts[min(len(parts), 2):], "/")
}

// text says all that a refusal says, for people.
func (e githubError) text() string {
	problems, _ := e.Errors.([]fieldError)
	for _, problem := range problems {
		if problem.Message != "" {
			return problem.Message
		}
	}
	return strings.TrimSpace(strings.ReplaceAll(e.Message, "\n\n", ": "))
}

// performOnPull does what a form says about a pull request. With a merge queue the button puts it there.
func (s *site) performOnPull(ctx context.Context, d deed) error {
	f, p, m := s.forge, d.project, d.request
	mayEdit := p.level(d.by) >= AccessDeveloper || m.Author == d.by.ID
	switch d.kind {
	case "merge":
		if p.level(d.by) < AccessDeveloper {
			return githubRefusal(http.StatusForbidden, "Must have push access to repository")
		}
		return s.mergeOrQueue(ctx, d)
	case "close", "reopen":
		if !mayEdit {
			return githubRefusal(http.StatusForbidden, "Must have push access to repository")
		}
		if d.kind == "reopen" && m.State == stateClosed {
			return f.reopenPull(ctx, p, m, d.by)
		}
		if d.kind == "close" && m.State == stateOpened {
			if err := f.dequeue(ctx, p, m, "MANUAL"); err != nil {
				return err
			}
			return f.close(ctx, p, m, d.by)
		}
		return nil
	case "notes":
		body := strings.TrimSpace(strings.ReplaceAll(d.form.Get("body"), "\r\n", "\n"))
		if body == "" {
			return nil
		}
		if err := checkComment(body); err != nil {
			return err
		}
		_, err := f.comment(ctx, p, m, d.by, body)
		return err
	}
	return errNoRevision
}

func (s *site) mergeOrQueue(ctx context.Context, d deed) error {
	f, p, m := s.forge, d.project, d.request
	if head := d.form.Get("sha"); head != "" && head != m.SHA {
		return githubRefusal(http.StatusConflict, "Head branch was modified. Review and try the merge again.")
	}
	if _, queued := p.queued(m.Target); !queued || m.State != stateOpened {
		return f.mergeNow(ctx, p, m, mergeOrder{how: pullMerge{By: d.by.ID, Method: p.firstMethod(m.Target)}, admin: p.level(d.by) >= AccessOwner})
	}
	found, err := f.judgePull(ctx, p, m)
	switch {
	case err != nil:
		return err
	case found.reason != "":
		return notAllowed("%s", found.reason)
	case p.queueEntry(m) != nil:
		return nil
	}
	return f.enqueue(ctx, p, m, d.by)
}

// firstMethod is the first merge method that the repository and the rules of the branch allow.
func (p *project) firstMethod(branch string) string {
	switch settings := p.Settings.GitHub; {
	case !settings.NoMergeCommit && !p.linear(branch) && p.methodRuled(branch, "merge"):
		return "merge"
	case !settings.NoSquash && p.methodRuled(branch, "squash"):
		return "squash"
	}
	return "rebase"
}

func (s *site) judgePull(ctx context.Context, p *project, m *mergeRequest, page *requestPage) error {
	found, err := s.forge.judgePull(ctx, p, m)
	if err != nil || m.State != stateOpened {
		return err
	}
	page.Conflict = found.conflict
	who := s.forge.person()
	switch {
	case found.conflict:
		page.Reason = "There are conflicts with the target branch."
	case p.queueEntry(m) != nil:
		page.Reason = "It is in the merge queue and merges when its checks pass."
	case found.reason != "" && (who == nil || p.level(who) < AccessOwner || p.bindsAdmins(m.Target) || found.state != "blocked"):
		page.Reason = githubError{Message: found.reason}.text()
	case who == nil || p.level(who) < AccessDeveloper:
		page.Reason = "You may not merge into " + m.Target + "."
	default:
		page.MayMerge = true
	}
	if m.GitHub.Auto.By != 0 && page.Reason != "" {
		page.Reason += " It is set to merge by itself then."
	}
	return nil
}

// checkState combines statuses and check runs of a commit, in the words of the pages; empty when there are none.
func (p *project) checkState(sha string) string {
	state := ""
	for _, view := range viewStates(p, sha) {
		switch {
		case view == "failed":
			return "failed"
		case state == "" || view == "pending":
			state = view
		}
	}
	return state
}

func viewStates(p *project, sha string) []string {
	var states []string
	for _, one := range p.latestStatuses(sha) {
		states = append(states, viewState(one.State))
	}
	for _, run := range p.latestChecks(sha) {
		states = append(states, viewState(run.outcome()))
	}
	return states
}

// viewState turns GitHub's word into the one that the pages have a colour for.
func viewState(state string) string {
	if state == "failure" || state == "error" {
		return "failed"
	}
	return state
}

func (s *site) viewChecks(p *project, sha string) []statusView {
	var views []statusView
	for _, one := range p.latestStatuses(sha) {
		views = append(views, statusView{
			Name: one.Name, State: viewState(one.State), Description: one.Description, URL: one.TargetURL, Author: s.name(one.User), At: one.CreatedAt,
		})
	}
	for _, run := range p.latestChecks(sha) {
		views = append(views, statusView{
			Name: run.Name, State: viewState(run.outcome()), Description: run.Title, URL: run.DetailsURL,
			Author: s.forge.tables.GitHub.app(run.App).Name, At: cmp.Or(run.CompletedAt, run.StartedAt),
		})
	}
	return views
}

// showRun leads to where a check run is shown: its pull request, or its commit.
func (s *site) showRun(w http.ResponseWriter, r *http.Request, p *project, number string) error {
	for _, run := range p.GitHub.Checks {
		if strconv.Itoa(run.ID) != number {
			continue
		}
		address := "/" + p.Path + "/commit/" + run.SHA
		for _, m := range p.Requests {
			if m.SHA == run.SHA {
				address = s.requestPath(p, m)
			}
		}
		http.Redirect(w, r, address, http.StatusFound)
		return nil
	}
	return errNoRevision
}
