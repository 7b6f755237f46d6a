package github

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/lockkeeper/lockkeeper/promote"
)

// Requirement is a status that a branch requires.
type Requirement struct {
	Context string
	App     int64  // only that of this App counts; 0: anybody's
	By      string // what requires it: "ruleset" or "branch protection"
}

// Rules are what holds for a branch, whether it exists or not.
type Rules struct {
	Required   []Requirement
	MergeQueue bool
	Deletion   bool // nobody may delete it
	Rewrite    bool // nobody may rewrite it
}

// Rules reads the rulesets that are over a branch, and its classic protection where the credentials may see that.
func (f *Forge) Rules(ctx context.Context, branch promote.Branch) (Rules, error) {
	type rule struct {
		Type       string `json:"type"`
		Parameters struct {
			Checks []struct {
				Context string `json:"context"`
				App     int64  `json:"integration_id"`
			} `json:"required_status_checks"`
		} `json:"parameters"`
	}
	path := url.PathEscape(string(branch))
	found, err := list[rule](ctx, f.caller, request{name: "read rules", subject: "of branch " + strconv.Quote(string(branch)), path: f.base + "/rules/branches/" + path})
	if err != nil {
		return Rules{}, err
	}
	var rules Rules
	for _, one := range found {
		switch one.Type {
		case "required_status_checks":
			for _, check := range one.Parameters.Checks {
				rules.Required = append(rules.Required, Requirement{Context: check.Context, App: check.App, By: "ruleset"})
			}
		case "merge_queue":
			rules.MergeQueue = true
		case "deletion":
			rules.Deletion = true
		case "non_fast_forward":
			rules.Rewrite = true
		}
	}
	return rules, f.classic(ctx, path, &rules)
}

// classic adds what the protection of a branch says. Who may not see it gets the answer of a branch that has none.
func (f *Forge) classic(ctx context.Context, branch string, rules *Rules) error {
	type enabled struct {
		Enabled bool `json:"enabled"`
	}
	var answer struct {
		Required struct {
			Contexts []string `json:"contexts"`
			Checks   []struct {
				Context string `json:"context"`
				App     *int64 `json:"app_id"`
			} `json:"checks"`
		} `json:"required_status_checks"`
		ForcePushes *enabled `json:"allow_force_pushes"`
		Deletions   *enabled `json:"allow_deletions"`
	}
	_, err := f.get(ctx, request{name: "read protection", path: f.base + "/branches/" + branch + "/protection"}, &answer)
	if optionalError(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, check := range answer.Required.Checks {
		required := Requirement{Context: check.Context, By: "branch protection"}
		if check.App != nil && *check.App > 0 {
			required.App = *check.App
		}
		rules.Required = append(rules.Required, required)
	}
	if len(answer.Required.Checks) == 0 {
		for _, context := range answer.Required.Contexts {
			rules.Required = append(rules.Required, Requirement{Context: context, By: "branch protection"})
		}
	}
	rules.Rewrite = rules.Rewrite || answer.ForcePushes != nil && !answer.ForcePushes.Enabled
	rules.Deletion = rules.Deletion || answer.Deletions != nil && !answer.Deletions.Enabled
	return nil
}

// The names of the rulesets that are made here, by which they are found again.
const (
	gatesRuleset  = "Lockkeeper: gates"
	ledgerRuleset = "Lockkeeper: ledger"
)

type ruleset struct {
	Name        string            `json:"name"`
	Target      string            `json:"target"`
	Enforcement string            `json:"enforcement"`
	Bypass      []bypass          `json:"bypass_actors,omitempty"`
	Conditions  rulesetConditions `json:"conditions"`
	Rules       []rulesetRule     `json:"rules"`
}

type bypass struct {
	ActorID   int64  `json:"actor_id"`
	ActorType string `json:"actor_type"`
	Mode      string `json:"bypass_mode"`
}

type rulesetConditions struct {
	RefName struct {
		Include []string `json:"include"`
		Exclude []string `json:"exclude"`
	} `json:"ref_name"`
}

type rulesetRule struct {
	Type       string `json:"type"`
	Parameters any    `json:"parameters,omitempty"`
}

func branchRuleset(name string, branch promote.Branch, rules ...rulesetRule) ruleset {
	set := ruleset{Name: name, Target: "branch", Enforcement: "active", Rules: rules}
	set.Conditions.RefName.Include, set.Conditions.RefName.Exclude = []string{"refs/heads/" + string(branch)}, []string{}
	return set
}

// RequireStatus makes a branch require the status of the gates, from the App where one is used. It makes a ruleset of its own, or
// corrects the one that it made before. It takes the right to administer the repository.
func (f *Forge) RequireStatus(ctx context.Context, branch promote.Branch) error {
	type check struct {
		Context string `json:"context"`
		App     int64  `json:"integration_id,omitempty"`
	}
	type parameters struct {
		Strict   bool    `json:"strict_required_status_checks_policy"`
		Creating bool    `json:"do_not_enforce_on_create"`
		Checks   []check `json:"required_status_checks"`
	}
	required := check{Context: promote.StatusName}
	if f.app != nil {
		required.App = f.app.id
	}
	return f.setRuleset(ctx, branchRuleset(gatesRuleset, branch, rulesetRule{"required_status_checks", parameters{Creating: true, Checks: []check{required}}}))
}

// ProtectLedger keeps everybody from deleting and rewriting the branch of the ledger, and, where an App is used, everybody else from
// pushing to it. It takes the right to administer the repository.
func (f *Forge) ProtectLedger(ctx context.Context) error {
	set := branchRuleset(ledgerRuleset, promote.LedgerBranch, rulesetRule{Type: "deletion"}, rulesetRule{Type: "non_fast_forward"})
	if f.app != nil {
		set.Rules = append(set.Rules, rulesetRule{Type: "update"})
		set.Bypass = []bypass{{ActorID: f.app.id, ActorType: "Integration", Mode: "always"}}
	}
	return f.setRuleset(ctx, set)
}

// setRuleset finds a ruleset by its name before it makes one. One whose answer was lost is found by the next look.
func (f *Forge) setRuleset(ctx context.Context, set ruleset) error {
	id, err := f.rulesetNamed(ctx, set.Name)
	if err != nil {
		return err
	}
	sent := request{name: "create ruleset", method: http.MethodPost, path: f.base + "/rulesets", body: set}
	if id != 0 {
		sent = request{name: "edit ruleset", method: http.MethodPut, path: f.base + "/rulesets/" + strconv.FormatInt(id, 10), body: set}
	}
	_, err = f.send(ctx, sent, nil)
	if id == 0 && inDoubt(ctx, err) {
		if made, lookErr := f.rulesetNamed(ctx, set.Name); lookErr == nil && made != 0 {
			return nil
		}
	}
	return err
}

func (f *Forge) rulesetNamed(ctx context.Context, name string) (int64, error) {
	type named struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	sets, err := list[named](ctx, f.caller, request{name: "list rulesets", path: f.base + "/rulesets", query: url.Values{"includes_parents": {"false"}}})
	for _, set := range sets {
		if set.Name == name {
			return set.ID, nil
		}
	}
	return 0, err
}
