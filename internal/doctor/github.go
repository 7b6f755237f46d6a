package doctor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

// The kinds of credentials on GitHub.
const (
	GitHubApp         = "GitHub App"
	GitHubClassic     = "classic token"
	GitHubFineGrained = "fine-grained token"
)

// GitHubToken is who asks GitHub.
type GitHubToken struct {
	Kind        string            // one of the kinds; another word where GitHub does not say
	User        string            // whose it is, or the App's slug
	Scopes      []string          // of a classic token
	Permissions map[string]string // of the installation of an App
	Needed      map[string]string // what an App needs, each with its level
	Expires     time.Time
	Now         time.Time
	Role        promote.Permission // in the repository
	Page        string             // where it is changed
	Private     bool               // the repository is private
	Err         error
}

// Findings says whether the credentials are accepted and sufficient.
func (t GitHubToken) Findings() []Finding {
	if errors.Is(t.Err, promote.ErrNotFound) {
		return []Finding{{Verdict: Failure, Check: "token", Text: t.Err.Error(), Remedy: "correct owner and name of the repository, or let the credentials see it: Install App on the App's page, or the token's resource owner and role on " + t.Page}}
	}
	if t.Err != nil {
		return []Finding{{Failure, "token", t.Err.Error(), "make an App with lockkeeper setup github --app, or a token on " + t.Page, Fix{}}}
	}
	found := []Finding{{Verdict: OK, Check: "token", Text: fmt.Sprintf("%s of %q", t.Kind, t.User)}}
	switch t.Kind {
	case GitHubApp:
		found = append(found, t.permissions()...)
	case GitHubClassic:
		found = append(found, t.scopes())
	default:
		found = append(found, Finding{
			Verdict: Skipped, Check: "scopes", Text: "GitHub does not say what a fine-grained token may do",
			Remedy: "compare it with Contents, Pull requests, Issues, Commit statuses and Deployments: read and write, on " + t.Page,
		})
	}
	if f, ok := expiry(t.Expires, t.Now, "make a new one on "+t.Page); ok {
		found = append(found, f)
	}
	if t.Kind != GitHubApp {
		found = append(found, t.role())
	}
	return found
}

// dispensable are permissions without which most of it works, and what does not.
func dispensable(permission string) (loss string, ok bool) {
	loss, ok = map[string]string{
		"members":        "rules that name teams let nobody through",
		"administration": "classic branch protection cannot be looked at",
		"merge_queues":   "changes cannot be put into merge queues",
		"actions":        "gha-dispatch-workflow cannot start workflows",
		"deployments":    "the page of environments stays empty",
	}[permission]
	return loss, ok
}

func (t GitHubToken) permissions() []Finding {
	var missing []string
	var found []Finding
	for _, name := range slices.Sorted(maps.Keys(t.Needed)) {
		have, level := t.Permissions[name], t.Needed[name]
		if have == level || have == "write" || have == "admin" {
			continue
		}
		if loss, ok := dispensable(name); ok {
			found = append(found, Finding{
				Verdict: Warning, Check: "permissions", Text: fmt.Sprintf("the installation lacks %s: %s; %s", name, level, loss),
				Remedy: "add it in the App's settings, then accept the request on " + t.Page,
			})
			continue
		}
		missing = append(missing, name+": "+level)
	}
	if len(missing) > 0 {
		found = append(found, Finding{
			Verdict: Failure, Check: "permissions", Text: "the installation lacks " + strings.Join(missing, ", "),
			Remedy: "add them in the App's settings, then accept the request on " + t.Page,
		})
	}
	if len(found) == 0 {
		found = append(found, Finding{Verdict: OK, Check: "permissions", Text: "the installation has all that is needed"})
	}
	return found
}

func (t GitHubToken) scopes() Finding {
	if slices.Contains(t.Scopes, "repo") || !t.Private && slices.Contains(t.Scopes, "public_repo") {
		return Finding{Verdict: OK, Check: "scopes", Text: strings.Join(t.Scopes, ", ")}
	}
	have := strings.Join(t.Scopes, ", ")
	if have == "" {
		have = "none"
	}
	return Finding{Verdict: Failure, Check: "scopes", Text: "the token has " + have + ", and not repo", Remedy: "tick repo on " + t.Page}
}

func (t GitHubToken) role() Finding {
	if t.Role < promote.PermissionWrite {
		return Finding{
			Verdict: Failure, Check: "role", Text: fmt.Sprintf("%q may not write to the repository: nothing can be proposed", t.User),
			Remedy: "give it the role Write or Maintain under Settings > Collaborators and teams",
		}
	}
	return Finding{Verdict: OK, Check: "role", Text: t.Role.String()}
}

// Requirement is one status that a branch requires.
type Requirement struct {
	Context string
	App     int64  // only this App's counts; 0: anybody's
	By      string // ruleset, branch protection
}

// GitHubRepository is how a repository is set up.
type GitHubRepository struct {
	URL          string // of its page
	Branch       promote.Branch
	Archived     bool
	Methods      []string // by which changes may be merged
	AutoMerge    bool
	MergeQueue   bool
	Requirements []Requirement
	App          int64    // ours; 0: we are none
	Events       []string // that our webhook sends; nil: not known
	Ledger       GitHubLedger
	RulesErr     error
	Err          error
}

// GitHubLedger is what the rules say about the branch of the history.
type GitHubLedger struct {
	Deletion bool // nobody may delete it
	Rewrite  bool // nobody may rewrite it
}

// Findings says whether the gates hold anything back.
func (r GitHubRepository) Findings() []Finding {
	if r.Err != nil {
		return []Finding{{Verdict: Failure, Check: "repository", Text: r.Err.Error(), Remedy: "check owner and name, and install the App on it or invite the token's user"}}
	}
	var found []Finding
	if r.Archived {
		found = append(found, Finding{Verdict: Failure, Check: "repository", Text: "it is archived: nothing can be proposed", Remedy: "unarchive it on " + r.URL + "/settings"})
	}
	if r.RulesErr != nil {
		found = append(found, unreadable("gates", r.RulesErr, "compare it yourself on "+r.page()))
	} else {
		found = append(found, r.gates(), r.ledger())
	}
	return append(found, r.merging()...)
}

func (r GitHubRepository) page() string { return r.URL + "/settings/rules" }

// gates: a status counts only where the branch requires it. Without a pin anybody who may push can set it.
func (r GitHubRepository) gates() Finding {
	var found *Requirement
	for i, required := range r.Requirements {
		if strings.EqualFold(required.Context, promote.StatusName) && (found == nil || required.App == r.App) {
			found = &r.Requirements[i]
		}
	}
	fix := Fix{Kind: FixRequirement, Branch: r.Branch}
	switch {
	case found == nil:
		return Finding{
			Failure, "gates", fmt.Sprintf("%s does not require the status %s: anyone may merge past the gates", r.Branch, promote.StatusName),
			fmt.Sprintf("add a branch ruleset for %s that requires the status check %s, on %s", r.Branch, promote.StatusName, r.page()), fix,
		}
	case r.App != 0 && found.App == 0:
		return Finding{
			Warning, "gates", fmt.Sprintf("%s is required from anybody: whoever may push can set it to green", promote.StatusName),
			"choose the App as its source on " + r.page(), fix,
		}
	case found.App != 0 && r.App != found.App:
		return Finding{
			Failure, "gates", fmt.Sprintf("%s is required from App %d, which we are not: nothing can be merged", promote.StatusName, found.App),
			"choose as its source who sets it, this App or anybody, on " + r.page(),
			Fix{},
		}
	case r.App == 0:
		return Finding{Verdict: OK, Check: "gates", Text: fmt.Sprintf("%s requires the status %s (%s); from an App it could not be imitated", r.Branch, promote.StatusName, found.By)}
	}
	return Finding{Verdict: OK, Check: "gates", Text: fmt.Sprintf("%s requires the status %s of this App (%s)", r.Branch, promote.StatusName, found.By)}
}

func (r GitHubRepository) ledger() Finding {
	if r.Ledger.Deletion && r.Ledger.Rewrite {
		return Finding{Verdict: OK, Check: "ledger", Text: fmt.Sprintf("the branch %s is protected", promote.LedgerBranch)}
	}
	return Finding{
		Warning, "ledger", fmt.Sprintf("the branch %s is not protected: whoever may push can rewrite the history of promotions", promote.LedgerBranch),
		fmt.Sprintf("add a branch ruleset for %s with \"Restrict deletions\" and \"Block force pushes\" on %s", promote.LedgerBranch, r.page()),
		Fix{Kind: FixLedger, Branch: promote.LedgerBranch},
	}
}

func (r GitHubRepository) merging() []Finding {
	var found []Finding
	if len(r.Methods) == 0 && !r.MergeQueue {
		found = append(found, Finding{Verdict: Skipped, Check: "merging", Text: "GitHub does not tell the token which merge methods are allowed"})
	} else if len(r.Methods) > 0 {
		text := "allowed: " + strings.Join(r.Methods, ", ")
		if r.AutoMerge {
			text += "; auto-merge is on"
		}
		found = append(found, Finding{Verdict: OK, Check: "merging", Text: text})
	}
	if !r.MergeQueue {
		return found
	}
	if r.Events != nil && !slices.Contains(r.Events, "merge_group") && !slices.Contains(r.Events, "*") {
		return append(found, Finding{
			Verdict: Failure, Check: "merge queue", Text: fmt.Sprintf("%s has one, and the webhook does not send merge_group: entries time out", r.Branch),
			Remedy: "switch the event Merge groups on in the webhook",
		})
	}
	return append(found, Finding{Verdict: OK, Check: "merge queue", Text: fmt.Sprintf("%s has one: changes are queued, and judged there once more", r.Branch)})
}
