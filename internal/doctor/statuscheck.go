package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// shownChecks is how many names of external status checks are cited.
const shownChecks = 10

// GitLabCheck is the external status check that is to hear the verdict of the gates.
type GitLabCheck struct {
	URL      string // of the project's page
	Name     string // as it is configured; empty: none is
	Target   promote.Branch
	Required bool            // "Status checks must succeed" is on
	Checks   []ExternalCheck // of the project
	Err      error           // with a token that is accepted elsewhere
}

// ExternalCheck is one external status check.
type ExternalCheck struct {
	Name     string
	Branches []string // the rules for protected branches that it is for; none: all branches
}

// Findings says whether the check is there, hears of the branch, and keeps anything from being merged. The commit status gates beside
// it whatever is found.
func (c GitLabCheck) Findings() []Finding {
	if c.Name == "" {
		return nil
	}
	if c.Err != nil {
		return []Finding{c.refused()}
	}
	i := slices.IndexFunc(c.Checks, func(check ExternalCheck) bool { return check.Name == c.Name })
	if i < 0 {
		return []Finding{c.missing()}
	}
	if check := c.Checks[i]; !c.covers(check) {
		return []Finding{{
			Verdict: Warning, Check: "status check", Text: fmt.Sprintf("the external status check %q is for %s alone, and not for %s: it holds nothing back there", c.Name, quoted(check.Branches), c.Target),
			Remedy: fmt.Sprintf("choose %s or all branches as its target branch under %s", c.Target, c.page()),
		}}
	}
	if !c.Required {
		return []Finding{c.optional()}
	}
	return []Finding{{Verdict: OK, Check: "status check", Text: fmt.Sprintf("the external status check %q blocks merging: %s is on", c.Name, mustSucceed)}}
}

// mustSucceed is what GitLab's page calls the setting.
const mustSucceed = `"Status checks must succeed"`

func (c GitLabCheck) page() string { return c.URL + "/-/settings/merge_requests" }

// refused: a plan without such checks answers 401, 403 or 404 (ee/lib/api/status_checks.rb).
func (c GitLabCheck) refused() Finding {
	if !errors.Is(c.Err, promote.ErrUnauthorized) && !errors.Is(c.Err, promote.ErrForbidden) && !errors.Is(c.Err, promote.ErrNotFound) {
		return unreadable("status check", c.Err, "")
	}
	return Finding{
		Verdict: Warning, Check: "status check",
		Text:   fmt.Sprintf("gitlab.externalStatusCheck is %q, and external status checks cannot be had here: the commit status alone gates", c.Name),
		Remedy: "they take GitLab Ultimate, and the role Developer for the token's user; without them leave externalStatusCheck out",
	}
}

func (c GitLabCheck) missing() Finding {
	f := Finding{
		Verdict: Warning, Check: "status check", Text: fmt.Sprintf("the project has no external status check %q, and no other: the commit status alone gates", c.Name),
		Remedy: fmt.Sprintf("add it under %s, or leave gitlab.externalStatusCheck out", c.page()),
	}
	if len(c.Checks) == 0 {
		return f
	}
	names := make([]string, len(c.Checks))
	for i, check := range c.Checks {
		names[i] = check.Name
	}
	f.Text = fmt.Sprintf("the project has no external status check %q, only %s: the commit status alone gates", c.Name, quoted(names))
	f.Remedy = fmt.Sprintf("write the name of one that is only for Lockkeeper as gitlab.externalStatusCheck, or add %q under %s", c.Name, c.page())
	if near := nearest.Of(c.Name, names); near != "" {
		f.Remedy = fmt.Sprintf("write gitlab: {externalStatusCheck: %q}, if that is the one, or add %q under %s", near, c.Name, c.page())
	}
	return f
}

// covers reports whether the check is asked for changes of the branch that is deployed.
func (c GitLabCheck) covers(check ExternalCheck) bool {
	return c.Target == "" || len(check.Branches) == 0 || slices.ContainsFunc(check.Branches, func(rule string) bool { return matches(rule, string(c.Target)) })
}

// optional: the setting is about all checks, so that switching it on is left to people where others have some, too.
func (c GitLabCheck) optional() Finding {
	f := Finding{
		Verdict: Warning, Check: "status check", Text: fmt.Sprintf("%s is off: the external status check %q keeps nothing from being merged", mustSucceed, c.Name),
		Remedy: "switch it on under " + c.page(),
	}
	if len(c.Checks) == 1 {
		f.Fix = Fix{Kind: FixStatusChecks}
		return f
	}
	var others []string
	for _, check := range c.Checks {
		if check.Name != c.Name {
			others = append(others, check.Name)
		}
	}
	f.Remedy += "; merging waits for " + quoted(others) + ", too, then"
	return f
}

// quoted lists names, which are anybody's, and not all where there are many.
func quoted(names []string) string {
	shown := make([]string, 0, shownChecks)
	for _, name := range names[:min(len(names), shownChecks)] {
		shown = append(shown, fmt.Sprintf("%.80q", name))
	}
	text := strings.Join(shown, ", ")
	if left := len(names) - len(shown); left > 0 {
		text += fmt.Sprintf(" and %d more", left)
	}
	return text
}
