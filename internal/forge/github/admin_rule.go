package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge"
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
	ActorID   *int64 `json:"actor_id"` // nil: the type says who it is
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
	Type       string          `json:"type"`
	Parameters json.RawMessage `json:"parameters,omitempty"`
}

const requiredChecksRule = "required_status_checks"

// requiredChecks are the parameters of the rule of that type.
type requiredChecks struct {
	Strict   bool            `json:"strict_required_status_checks_policy"`
	Creating bool            `json:"do_not_enforce_on_create"`
	Checks   []requiredCheck `json:"required_status_checks"`
}

type requiredCheck struct {
	Context string `json:"context"`
	App     int64  `json:"integration_id,omitempty"`
}

func branchRuleset(name string, branch promote.Branch, rules ...rulesetRule) ruleset {
	set := ruleset{Name: name, Target: "branch", Enforcement: "active", Rules: rules}
	set.Conditions.RefName.Include, set.Conditions.RefName.Exclude = []string{"refs/heads/" + string(branch)}, []string{}
	return set
}

// RequireStatus makes a branch require the status of the gates, from the App where one is used. It makes a ruleset of its own, or
// adds to the one that it made before: what people have added there stays. It takes the right to administer the repository.
func (f *Forge) RequireStatus(ctx context.Context, branch promote.Branch) error {
	required := requiredCheck{Context: promote.StatusName}
	if f.app != nil {
		required.App = f.app.id
	}
	parameters, err := json.Marshal(requiredChecks{Creating: true, Checks: []requiredCheck{required}})
	if err != nil {
		return err
	}
	return f.setRuleset(ctx, branchRuleset(gatesRuleset, branch, rulesetRule{requiredChecksRule, parameters}))
}

// ProtectLedger keeps everybody from deleting and rewriting the branch of the ledger, and, where an App is used, everybody else from
// pushing to it. It takes the right to administer the repository.
func (f *Forge) ProtectLedger(ctx context.Context) error {
	set := branchRuleset(ledgerRuleset, promote.LedgerBranch, rulesetRule{Type: "deletion"}, rulesetRule{Type: "non_fast_forward"})
	if f.app != nil {
		set.Rules = append(set.Rules, rulesetRule{Type: "update"})
		set.Bypass = []bypass{{ActorID: &f.app.id, ActorType: "Integration", Mode: "always"}}
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
		path := f.base + "/rulesets/" + strconv.FormatInt(id, 10)
		var there ruleset
		if _, err := f.get(ctx, request{name: "read ruleset", path: path}, &there); err != nil {
			return err
		}
		joined, err := there.with(set)
		if err != nil {
			return err
		}
		sent = request{name: "edit ruleset", method: http.MethodPut, path: path, body: joined}
	}
	_, err = f.send(ctx, sent, nil)
	if id == 0 && forge.InDoubt(ctx, err) {
		if made, lookErr := f.rulesetNamed(ctx, set.Name); lookErr == nil && made != 0 {
			return nil
		}
	}
	return err
}

// with adds a ruleset to one that is there, of which nothing that binds anybody is taken away.
func (there ruleset) with(set ruleset) (ruleset, error) {
	joined := set
	refs := &joined.Conditions.RefName
	refs.Include = there.Conditions.RefName.Include
	for _, branch := range set.Conditions.RefName.Include {
		if !slices.Contains(refs.Include, branch) {
			refs.Include = append(refs.Include, branch)
		}
	}
	refs.Exclude = slices.DeleteFunc(append([]string{}, there.Conditions.RefName.Exclude...), func(branch string) bool {
		return slices.Contains(set.Conditions.RefName.Include, branch)
	})
	joined.Bypass = there.Bypass
	for _, one := range set.Bypass {
		if !slices.ContainsFunc(joined.Bypass, func(b bypass) bool {
			return b.ActorType == one.ActorType && b.ActorID != nil && *b.ActorID == *one.ActorID
		}) {
			joined.Bypass = append(joined.Bypass, one)
		}
	}
	joined.Rules = there.Rules
	for _, rule := range set.Rules {
		i := slices.IndexFunc(joined.Rules, func(r rulesetRule) bool { return r.Type == rule.Type })
		if i < 0 {
			joined.Rules = append(joined.Rules, rule)
			continue
		}
		if rule.Type != requiredChecksRule {
			continue
		}
		var err error
		if joined.Rules[i].Parameters, err = withChecks(joined.Rules[i].Parameters, rule.Parameters); err != nil {
			return joined, err
		}
	}
	return joined, nil
}

// withChecks adds the checks that a rule requires to those that another one does. A check that only one App may set stays that App's,
// unless another App is named now.
func withChecks(there, more json.RawMessage) (json.RawMessage, error) {
	var known, added requiredChecks
	if err := errors.Join(json.Unmarshal(there, &known), json.Unmarshal(more, &added)); err != nil {
		return nil, fmt.Errorf("read ruleset: required status checks: %w", err)
	}
	for _, check := range added.Checks {
		i := slices.IndexFunc(known.Checks, func(c requiredCheck) bool { return strings.EqualFold(c.Context, check.Context) })
		switch {
		case i < 0:
			known.Checks = append(known.Checks, check)
		case check.App != 0:
			known.Checks[i] = check
		}
	}
	return json.Marshal(known)
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
