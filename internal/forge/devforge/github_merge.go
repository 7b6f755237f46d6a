package devforge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// pullVerdict is GitHub's mergeable_state, which is GraphQL's mergeStateStatus in lower case, and the text of the 405 that a
// merge gets.
type pullVerdict struct {
	state    string // clean, unstable, blocked, behind, dirty, draft or unknown
	conflict bool
	reason   string
}

// judgePull says whether a pull request may be merged. A failing check that is not required makes it unstable, which merges
// (GraphQL, MergeStateStatus).
func (f *Forge) judgePull(ctx context.Context, p *project, m *mergeRequest) (pullVerdict, error) {
	const notMergeable = "Pull Request is not mergeable"
	if m.State != stateOpened {
		return pullVerdict{state: "unknown", reason: notMergeable}, nil
	}
	target, err := p.repo.head(ctx, m.Target)
	if errors.Is(err, errNoRevision) {
		return pullVerdict{state: "unknown", reason: notMergeable}, nil
	}
	if err != nil {
		return pullVerdict{}, err
	}
	merged, err := p.repo.merge(ctx, target, m.SHA)
	if err != nil {
		return pullVerdict{}, err
	}
	if merged.conflict {
		return pullVerdict{state: "dirty", conflict: true, reason: notMergeable}, nil
	}
	if m.GitHub.Draft {
		return pullVerdict{state: "draft", reason: "Pull Request is still a draft"}, nil
	}
	if reason := f.blocked(p, m); reason != "" {
		return pullVerdict{state: "blocked", reason: reason}, nil
	}
	if slices.ContainsFunc(p.ruled(m.Target), func(r *BranchRules) bool { return r.Strict }) {
		current, err := p.repo.contains(ctx, m.SHA, target)
		if err != nil || !current {
			return pullVerdict{state: "behind", reason: "Head branch is out of date. Review and try the merge again."}, err
		}
	}
	if !f.allGreen(p, m.SHA) {
		return pullVerdict{state: "unstable"}, nil
	}
	return pullVerdict{state: "clean"}, nil
}

// blocked is the first branch rule that is not met. Rulesets say it in their own frame.
func (f *Forge) blocked(p *project, m *mergeRequest) string {
	reason := f.unmet(p, m.SHA, m.Target)
	approved, changes := p.reviewCounts(m)
	for _, rules := range p.ruled(m.Target) {
		if reason != "" {
			break
		}
		switch {
		case rules.Approvals > 0 && changes > 0:
			reason = "Changes have been requested."
		case approved < rules.Approvals:
			noun := "reviews are"
			if rules.Approvals == 1 {
				noun = "review is"
			}
			reason = fmt.Sprintf("At least %d approving %s required by reviewers with write access.", rules.Approvals, noun)
		}
	}
	if reason != "" && len(p.rulesetsOf(m.Target)) > 0 {
		return "Repository rule violations found\n\n" + reason + "\n\n"
	}
	return reason
}

func (f *Forge) allGreen(p *project, sha string) bool {
	return !slices.ContainsFunc(p.latestStatuses(sha), func(s *status) bool { return s.State != "success" }) &&
		!slices.ContainsFunc(p.latestChecks(sha), func(run *checkRun) bool { return run.outcome() != "success" })
}

func mergePull(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	var asked struct {
		Title   string `json:"commit_title"`
		Message string `json:"commit_message"`
		SHA     string `json:"sha"`
		Method  string `json:"merge_method"`
	}
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	how := pullMerge{By: c.user.ID, Method: asked.Method, Title: asked.Title, Message: asked.Message}
	if err := c.forge.mergeNow(c.Context(), c.project, m, mergeOrder{how: how, head: asked.SHA, admin: c.project.level(c.user) >= AccessOwner}); err != nil {
		return reply{}, err
	}
	return reply{body: object{"sha": m.MergeCommit, "merged": true, "message": "Pull Request successfully merged"}}, nil
}

type mergeOrder struct {
	how   pullMerge // required
	head  string    // empty means whatever it is
	admin bool      // may pass rules that do not bind administrators
}

func notAllowed(format string, args ...any) error {
	return githubRefusal(http.StatusMethodNotAllowed, format, args...)
}

// mergeNow merges a pull request whose rules are met (REST, "Merge a pull request": 405, 409).
func (f *Forge) mergeNow(ctx context.Context, p *project, m *mergeRequest, order mergeOrder) error {
	found, err := f.judgePull(ctx, p, m)
	if err != nil {
		return err
	}
	_, queued := p.queued(m.Target)
	settings := p.Settings.GitHub
	method := cmp.Or(order.how.Method, "merge")
	switch {
	case m.State != stateOpened:
		return notAllowed("%s", found.reason)
	case !slices.Contains([]string{"merge", "squash", "rebase"}, method):
		return validationFailed(fieldError{Resource: "PullRequest", Field: "merge_method", Code: "invalid"})
	case order.head != "" && order.head != m.SHA:
		return githubRefusal(http.StatusConflict, "Head branch was modified. Review and try the merge again.")
	case method == "merge" && settings.NoMergeCommit:
		return notAllowed("Merge commits are not allowed on this repository.")
	case method == "squash" && settings.NoSquash:
		return notAllowed("Squash merges are not allowed on this repository.")
	case method == "rebase" && settings.NoRebase:
		return notAllowed("Rebase merges are not allowed on this repository.")
	case method == "merge" && p.linear(m.Target):
		return notAllowed("Repository rule violations found\n\nThis branch must not contain merge commits.\n\n")
	case !p.methodRuled(m.Target, method):
		return notAllowed("Repository rule violations found\n\nThe merge method %s is not allowed on this branch.\n\n", method)
	case queued:
		return notAllowed("Repository rule violations found\n\nChanges must be made through the merge queue\n\n")
	case found.reason != "" && (found.state != "blocked" || !order.admin || p.bindsAdmins(m.Target)):
		return notAllowed("%s", found.reason)
	}
	return f.mergeAs(ctx, p, m, order.how)
}

func (p *project) linear(branch string) bool {
	return slices.ContainsFunc(p.ruled(branch), func(r *BranchRules) bool { return r.Linear })
}

func (p *project) methodRuled(branch, method string) bool {
	return !slices.ContainsFunc(p.ruled(branch), func(r *BranchRules) bool { return len(r.Methods) > 0 && !slices.Contains(r.Methods, method) })
}

// bindsAdmins: rulesets bind everybody who is not in their bypass list, protections only when they include administrators.
func (p *project) bindsAdmins(branch string) bool {
	classic := p.GitHub.Protection[branch]
	return len(p.rulesetsOf(branch)) > 0 || classic != nil && classic.Admins
}

// mergeAs writes the merge and moves the target, which must not have moved meanwhile.
func (f *Forge) mergeAs(ctx context.Context, p *project, m *mergeRequest, how pullMerge) error {
	target, err := p.repo.head(ctx, m.Target)
	if err != nil {
		return err
	}
	tip, err := f.combineInto(ctx, p, m, target, how)
	if err != nil {
		return err
	}
	return f.land(ctx, p, m, landing{from: target, to: tip, by: how.By})
}

type landing struct {
	from, to string // of the target branch
	by       int
}

func (f *Forge) land(ctx context.Context, p *project, m *mergeRequest, l landing) error {
	by := f.tables.user(l.by)
	if err := p.repo.setRef(ctx, headsPrefix+m.Target, l.to, l.from); err != nil {
		f.log.WarnContext(ctx, "merge lost a race", "project", p.Path, "pull", m.IID, "error", err)
		return notAllowed("Base branch was modified. Review and try the merge again.")
	}
	before := *m
	m.MergeCommit, m.GitHub.Auto = l.to, pullMerge{}
	if err := f.markMerged(ctx, p, m, by, before); err != nil {
		return err
	}
	if p.Settings.RemoveSourceBranch && m.Source != p.DefaultBranch && m.GitHub.Fork == "" {
		if err := p.repo.setRef(ctx, headsPrefix+m.Source, "", m.SHA); err != nil {
			f.log.InfoContext(ctx, "source branch stays", "branch", m.Source, "error", err)
		}
	}
	return f.announce(ctx, p, by)
}

// combineInto writes what the target would be after a merge by one of the three methods; no ref moves.
func (f *Forge) combineInto(ctx context.Context, p *project, m *mergeRequest, target string, how pullMerge) (string, error) {
	conflict := notAllowed("Pull Request is not mergeable")
	merged, err := p.repo.merge(ctx, target, m.SHA)
	if err != nil {
		return "", err
	}
	if merged.conflict {
		return "", conflict
	}
	by := f.tables.user(how.By)
	who := identity{name: by.Name, email: by.email(), at: f.now()}
	title, message := how.Title, how.Message
	switch how.Method {
	case "squash":
		title = cmp.Or(title, fmt.Sprintf("%s (#%d)", m.Title, m.IID))
		return p.repo.join(ctx, merged.tree, commitText(title, cmp.Or(message, m.Description)), who, target)
	case "rebase":
		return f.rebaseOnto(ctx, p, m, target, who)
	}
	title = cmp.Or(title, fmt.Sprintf("Merge pull request #%d from %s/%s", m.IID, m.headOwner(p), m.Source))
	return p.repo.join(ctx, merged.tree, commitText(title, cmp.Or(message, m.Title)), who, target, m.SHA)
}

func commitText(title, message string) string {
	return strings.TrimRight(title+"\n\n"+message, "\n") + "\n"
}

// rebaseOnto picks each commit of the pull request onto target, with its author and message.
func (f *Forge) rebaseOnto(ctx context.Context, p *project, m *mergeRequest, target string, by identity) (string, error) {
	base, err := p.repo.mergeBase(ctx, target, m.SHA)
	if err != nil {
		return "", err
	}
	commits, err := p.repo.log(ctx, history{from: m.SHA, without: base, limit: maxCommits})
	if err != nil {
		return "", err
	}
	tip := target
	for _, one := range slices.Backward(commits) {
		if len(one.parents) > 1 {
			continue // a rebase leaves merges out
		}
		if tip, err = p.repo.pick(ctx, tip, one, by); err != nil {
			return "", err
		}
	}
	return tip, nil
}

// pick applies the change of one commit to another. Git 2.39 merges trees only by the history of commits, so both sides become
// commits whose parent has the tree that the change starts from.
func (g *repository) pick(ctx context.Context, onto string, c commitRecord, by identity) (string, error) {
	trees := make([]string, 3)
	for i, id := range []string{firstParent(c), c.id, onto} {
		tree := emptyTree
		if id != "" {
			var err error
			if tree, err = g.treeOf(ctx, id); err != nil {
				return "", err
			}
		}
		trees[i] = tree
	}
	base, err := g.join(ctx, trees[0], "base\n", by)
	if err != nil {
		return "", err
	}
	theirs, err := g.join(ctx, trees[1], "theirs\n", by, base)
	if err != nil {
		return "", err
	}
	ours, err := g.join(ctx, trees[2], "ours\n", by, base)
	if err != nil {
		return "", err
	}
	merged, err := g.merge(ctx, ours, theirs)
	if err != nil {
		return "", err
	}
	if merged.conflict {
		return "", notAllowed("This branch can't be rebased")
	}
	author := identity{name: c.authorName, email: c.authorEmail, at: c.authored}
	out, err := g.run(ctx, invocation{
		args: []string{"commit-tree", merged.tree, "-p", onto, "-F", "-"}, stdin: strings.NewReader(c.message),
		env: append(author.environment("AUTHOR"), by.environment("COMMITTER")...),
	})
	return strings.TrimSpace(string(out)), err
}
