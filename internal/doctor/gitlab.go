package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

// expiresSoon is how long before its end a token is warned of.
const expiresSoon = 14 * 24 * time.Hour

// GitLabToken is the token that GitLab sees.
type GitLabToken struct {
	Kind    string
	User    string
	Role    promote.Permission
	Scopes  []string // empty: not known
	Expires time.Time
	Now     time.Time
	Page    string // where a new one is made
	Err     error
}

// Findings says whether the token is accepted, for what, and until when.
func (t GitLabToken) Findings() []Finding {
	const variable = "LOCKKEEPER_GITLAB_TOKEN"
	if errors.Is(t.Err, promote.ErrNotFound) {
		return []Finding{{Verdict: Failure, Check: "token", Text: t.Err.Error(), Remedy: "correct the path of the project, or invite the token's user there as Maintainer under Manage > Members"}}
	}
	if t.Err != nil {
		return []Finding{{Failure, "token", t.Err.Error(), fmt.Sprintf("make one with scope api and role Maintainer on %s, and set %s", t.Page, variable), Fix{}}}
	}
	found := []Finding{{Verdict: OK, Check: "token", Text: fmt.Sprintf("%s of %q", t.Kind, t.User)}}
	if len(t.Scopes) == 0 {
		found = append(found, Finding{Verdict: Skipped, Check: "scopes", Text: "GitLab does not say what this kind of token is for"})
	} else {
		found = append(found, t.scopes())
	}
	if f, ok := expiry(t.Expires, t.Now, fmt.Sprintf("make a new one on %s, and set %s", t.Page, variable)); ok {
		found = append(found, f)
	}
	return append(found, t.role())
}

func (t GitLabToken) scopes() Finding {
	if slices.Contains(t.Scopes, "api") {
		return Finding{Verdict: OK, Check: "scopes", Text: strings.Join(t.Scopes, ", ")}
	}
	return Finding{
		Verdict: Failure, Check: "scopes", Text: "the token has " + strings.Join(t.Scopes, ", ") + ", and not api",
		Remedy: "make one with scope api on " + t.Page + ", and set LOCKKEEPER_GITLAB_TOKEN",
	}
}

// role judges what the user may do in general; branches have rules of their own.
func (t GitLabToken) role() Finding {
	if t.Role < promote.PermissionWrite {
		return Finding{
			Verdict: Failure, Check: "role", Text: fmt.Sprintf("%q is no Developer of the project: nothing can be proposed", t.User),
			Remedy: "invite it as Maintainer under Manage > Members, or make the token with that role",
		}
	}
	return Finding{Verdict: OK, Check: "role", Text: gitlabRole(t.Role)}
}

func gitlabRole(p promote.Permission) string {
	switch p {
	case promote.PermissionAdmin:
		return "Owner"
	case promote.PermissionMaintain:
		return "Maintainer"
	case promote.PermissionWrite:
		return "Developer"
	case promote.PermissionRead:
		return "Guest or Reporter"
	case promote.PermissionNone:
	}
	return "no member"
}

// expiry warns of the end of a token. Without an end there is nothing to say.
func expiry(at, now time.Time, remedy string) (f Finding, ok bool) {
	if at.IsZero() {
		return Finding{}, false
	}
	left := at.Sub(now)
	f = Finding{Check: "expiry", Text: "the token ends on " + at.UTC().Format(time.DateOnly)}
	switch {
	case left <= 0:
		f.Verdict, f.Text, f.Remedy = Failure, "the token ended on "+at.UTC().Format(time.DateOnly), remedy
	case left < expiresSoon:
		f.Verdict, f.Remedy = Warning, remedy
	}
	return f, true
}

// GitLabProject is how a project is set up.
type GitLabProject struct {
	URL                  string // of its page
	Archived             bool
	PipelinesMustSucceed bool
	SkippedIsSuccess     bool
	MergedResults        bool
	MergeTrains          bool
	Err                  error
}

// Findings says whether the gates hold anything back.
func (p GitLabProject) Findings() []Finding {
	if p.Err != nil {
		return []Finding{{Verdict: Failure, Check: "project", Text: p.Err.Error(), Remedy: "check the project's path, and invite the token's user as Maintainer"}}
	}
	page := p.URL + "/-/settings/merge_requests"
	var found []Finding
	if p.Archived {
		found = append(found, Finding{Verdict: Failure, Check: "project", Text: "it is archived: nothing can be proposed", Remedy: "unarchive it on " + p.URL + "/edit"})
	}
	switch {
	case !p.PipelinesMustSucceed:
		found = append(found, Finding{
			Failure, "gates", `"Pipelines must succeed" is off: the status ` + promote.StatusName + " blocks nothing, anyone may merge past the gates",
			"switch it on under " + page,
			Fix{Kind: FixPipelines},
		})
	case p.SkippedIsSuccess:
		found = append(found, Finding{
			Failure, "gates", `"Skipped pipelines are considered successful" is on: a skipped pipeline passes the gates`,
			"switch it off under " + page,
			Fix{Kind: FixPipelines},
		})
	default:
		found = append(found, Finding{Verdict: OK, Check: "gates", Text: "the status " + promote.StatusName + ` blocks merging: "Pipelines must succeed" is on`})
	}
	switch {
	case p.MergeTrains:
		found = append(found, Finding{Verdict: OK, Check: "merging", Text: "merge trains are on: changes are put on the train, and judged there once more"})
	case p.MergedResults:
		found = append(found, Finding{Verdict: OK, Check: "merging", Text: "merged results pipelines are on: the status is set on the commit that they run for"})
	}
	return found
}

// Rule is a rule for protected branches.
type Rule struct {
	Name      string // with * for anything
	Push      []Grant
	Merge     []Grant
	ForcePush bool
}

// Grant says who may.
type Grant struct {
	Level  promote.Permission // the least role; PermissionNone: nobody by role
	UserID int
}

// GitLabBranches are the rules for the branches of a project.
type GitLabBranches struct {
	URL    string // of the project's page
	Target promote.Branch
	Role   promote.Permission // ours
	Self   int                // the ID of our user
	Rules  []Rule
	Err    error
}

// sampleBranch is how a proposal's branch may be called.
const sampleBranch = "lockkeeper/project/stage"

// Findings says whether Lockkeeper may push its branches and merge, and whether others may rewrite its history.
func (b GitLabBranches) Findings() []Finding {
	if b.Err != nil {
		return []Finding{unreadable("branches", b.Err, "give the token the role Maintainer for this look, or compare it yourself on "+b.page())}
	}
	found := []Finding{b.proposals()}
	if rules := b.over(string(b.Target)); len(rules) > 0 && b.Target != "" {
		found = append(found, b.merging(rules))
	}
	return append(found, b.ledger())
}

func (b GitLabBranches) page() string { return b.URL + "/-/settings/repository" }

func (b GitLabBranches) proposals() Finding {
	rules := b.over(sampleBranch)
	switch {
	case len(rules) == 0 && b.Role < promote.PermissionWrite:
		return Finding{Verdict: Failure, Check: "branches", Text: "the token may not push", Remedy: "give its user the role Developer at least"}
	case len(rules) == 0:
		return Finding{Verdict: OK, Check: "branches", Text: "the token may push lockkeeper/*"}
	case !b.may(rules, func(r Rule) []Grant { return r.Push }):
		return Finding{
			Verdict: Failure, Check: "branches", Text: fmt.Sprintf("the rule for protected branches %q keeps the token from pushing lockkeeper/*", rules[0].Name),
			Remedy: "allow it to push there, or narrow the rule, on " + b.page(),
		}
	case !slices.ContainsFunc(rules, func(r Rule) bool { return r.ForcePush }):
		return Finding{
			Verdict: Warning, Check: "branches", Text: fmt.Sprintf("the rule for protected branches %q forbids rewriting lockkeeper/*: a proposal cannot be brought up to date", rules[0].Name),
			Remedy: "allow force push there, or narrow the rule, on " + b.page(),
		}
	}
	return Finding{Verdict: OK, Check: "branches", Text: fmt.Sprintf("the token may push lockkeeper/*, by the rule %q", rules[0].Name)}
}

func (b GitLabBranches) merging(rules []Rule) Finding {
	if b.may(rules, func(r Rule) []Grant { return r.Merge }) {
		return Finding{Verdict: OK, Check: "merging", Text: fmt.Sprintf("the token may merge into %s", b.Target)}
	}
	return Finding{
		Verdict: Warning, Check: "merging", Text: fmt.Sprintf("the token may not merge into the protected branch %s as %s: people must merge every promotion", b.Target, gitlabRole(b.Role)),
		Remedy: "allow its role to merge there on " + b.page() + ", or give its user the role Maintainer",
	}
}

// ledger: the history is data that people must not rewrite. Who may push to it is said by role, which is all that every edition has.
func (b GitLabBranches) ledger() Finding {
	rules := b.over(string(promote.LedgerBranch))
	switch {
	case len(rules) == 0:
		f := Finding{
			Verdict: Warning, Check: "ledger", Text: fmt.Sprintf("the branch %s is not protected: every Developer can rewrite the history of promotions", promote.LedgerBranch),
			Remedy: "protect it on " + b.page() + ", allowed to push and merge: the role of the token, no force push",
		}
		f.Fix = Fix{Kind: FixLedger, Branch: promote.LedgerBranch, Least: min(b.Role, promote.PermissionMaintain)}
		return f
	case !b.may(rules, func(r Rule) []Grant { return r.Push }):
		return Finding{
			Verdict: Failure, Check: "ledger", Text: fmt.Sprintf("the branch %s is protected against the token, too: nothing can be recorded", promote.LedgerBranch),
			Remedy: "allow the role of the token to push there on " + b.page(),
		}
	case slices.ContainsFunc(rules, func(r Rule) bool { return r.ForcePush }):
		return Finding{
			Verdict: Warning, Check: "ledger", Text: fmt.Sprintf("the branch %s may be rewritten by those who may push to it", promote.LedgerBranch),
			Remedy: "forbid force push there on " + b.page(),
		}
	}
	return Finding{Verdict: OK, Check: "ledger", Text: fmt.Sprintf("the branch %s is protected", promote.LedgerBranch)}
}

// over are the rules that a branch is under. Where several are, the most permissive counts (doc/user/project/repository/branches/protected.md).
func (b GitLabBranches) over(branch string) []Rule {
	return slices.DeleteFunc(slices.Clone(b.Rules), func(r Rule) bool { return !matches(r.Name, branch) })
}

func (b GitLabBranches) may(rules []Rule, list func(Rule) []Grant) bool {
	return slices.ContainsFunc(rules, func(r Rule) bool {
		return slices.ContainsFunc(list(r), func(g Grant) bool {
			return g.UserID != 0 && g.UserID == b.Self || g.UserID == 0 && g.Level > promote.PermissionNone && b.Role >= g.Level
		})
	})
}

// matches reports whether a name of protected branches stands for a branch: * is anything, also slashes.
func matches(pattern, branch string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == branch
	}
	rest, ok := strings.CutPrefix(branch, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		if _, rest, ok = strings.Cut(rest, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
