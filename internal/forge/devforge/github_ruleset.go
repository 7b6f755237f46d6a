package devforge

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// ruleset is a named set of rules for the branches that its patterns name (REST, "Rules").
type ruleset struct {
	ID          int         `json:"id"`
	Name        string      `json:"name"`
	Enforcement string      `json:"enforcement"` // active, evaluate or disabled
	Include     []string    `json:"include"`     // full names of refs, patterns, ~ALL or ~DEFAULT_BRANCH
	Exclude     []string    `json:"exclude"`
	Bypass      []bypass    `json:"bypass"`
	Rules       BranchRules `json:"rules"`
	CreatedAt   time.Time   `json:"created_at"`
	UpdatedAt   time.Time   `json:"updated_at"`
}

// bypass is somebody whom the rules do not bind. Apps are known here; others are kept and bind all the same.
type bypass struct {
	ActorID   int    `json:"actor_id"`
	ActorType string `json:"actor_type"`
	Mode      string `json:"bypass_mode"`
}

func (r *ruleset) applies(p *project, branch string) bool {
	matches := func(pattern string) bool {
		ref := headsPrefix + branch
		prefix, all := strings.CutSuffix(pattern, "**")
		matched, err := path.Match(pattern, ref)
		return pattern == "~ALL" || pattern == "~DEFAULT_BRANCH" && branch == p.DefaultBranch || all && strings.HasPrefix(ref, prefix) || err == nil && matched
	}
	return r.Enforcement == "active" && slices.ContainsFunc(r.Include, matches) && !slices.ContainsFunc(r.Exclude, matches)
}

// rulesetsOf are the active rulesets of a branch.
func (p *project) rulesetsOf(branch string) []*ruleset {
	var found []*ruleset
	for _, r := range p.GitHub.Rulesets {
		if r.applies(p, branch) {
			found = append(found, r)
		}
	}
	return found
}

// SetRules replaces the rules of a branch by a ruleset of its own. Nil takes it away.
func (f *Forge) SetRules(path, branch string, rules *BranchRules) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.tables.projectAt(path)
	if p == nil {
		return fmt.Errorf("project %q: %w", path, ErrNotFound)
	}
	name := "rules of " + branch
	p.GitHub.Rulesets = slices.DeleteFunc(p.GitHub.Rulesets, func(r *ruleset) bool { return r.Name == name })
	if rules != nil {
		p.GitHub.Rulesets = append(p.GitHub.Rulesets, &ruleset{
			ID: f.tables.next("ruleset"), Name: name, Enforcement: "active", Include: []string{headsPrefix + branch}, Rules: *rules,
			CreatedAt: f.now(), UpdatedAt: f.now(),
		})
	}
	f.wrote()
	return nil
}

// rule is one rule on the wire.
type rule struct {
	Type       string          `json:"type"`
	Parameters json.RawMessage `json:"parameters"`
}

// showRules are the rules as both the ruleset and the branch have them.
func showRules(rules *BranchRules) []object {
	shown := []object{}
	add := func(kind string, parameters object) {
		one := object{"type": kind}
		if parameters != nil {
			one["parameters"] = parameters
		}
		shown = append(shown, one)
	}
	if len(rules.Checks) > 0 || rules.Strict {
		checks := []object{}
		for _, check := range rules.Checks {
			one := object{"context": check.Context}
			if check.App > 0 {
				one["integration_id"] = check.App
			}
			checks = append(checks, one)
		}
		add("required_status_checks", object{
			"required_status_checks": checks, "strict_required_status_checks_policy": rules.Strict, "do_not_enforce_on_create": false,
		})
	}
	if rules.Approvals > 0 || len(rules.Methods) > 0 {
		add("pull_request", object{
			"required_approving_review_count": rules.Approvals, "dismiss_stale_reviews_on_push": rules.DismissStale,
			"require_code_owner_review": false, "require_last_push_approval": false, "required_review_thread_resolution": false,
			"allowed_merge_methods": rules.methods(),
		})
	}
	for _, plain := range []struct {
		kind string
		on   bool
	}{
		{"required_linear_history", rules.Linear}, {"deletion", rules.NoDeletion}, {"non_fast_forward", rules.NoRewrite}, {"update", rules.NoUpdate},
	} {
		if plain.on {
			add(plain.kind, nil)
		}
	}
	if rules.Queue {
		add("merge_queue", object{
			"check_response_timeout_minutes": int(rules.timeout().Minutes()), "grouping_strategy": "HEADGREEN", "max_entries_to_build": 5,
			"max_entries_to_merge": rules.most(), "merge_method": strings.ToUpper(cmp.Or(rules.QueueMethod, "merge")),
			"min_entries_to_merge": rules.least(), "min_entries_to_merge_wait_minutes": int(queuePatience.Minutes()),
		})
	}
	return shown
}

// readRules understands the rules that this forge has; others are refused, as they could not be kept.
func readRules(rules []rule) (BranchRules, error) {
	var read BranchRules
	for _, one := range rules {
		var parameters struct {
			Checks []struct {
				Context string `json:"context"`
				App     int    `json:"integration_id"`
			} `json:"required_status_checks"`
			Strict       bool     `json:"strict_required_status_checks_policy"`
			Approvals    int      `json:"required_approving_review_count"`
			DismissStale bool     `json:"dismiss_stale_reviews_on_push"`
			Methods      []string `json:"allowed_merge_methods"`
			QueueMethod  string   `json:"merge_method"`
			QueueMost    int      `json:"max_entries_to_merge"`
			QueueLeast   int      `json:"min_entries_to_merge"`
			QueueMinutes int      `json:"check_response_timeout_minutes"`
		}
		if len(one.Parameters) > 0 && json.Unmarshal(one.Parameters, &parameters) != nil {
			return BranchRules{}, invalidRequest("The parameters of the rule %q are not of the expected type.", one.Type)
		}
		switch one.Type {
		case "required_status_checks":
			read.Strict = parameters.Strict
			for _, check := range parameters.Checks {
				read.Checks = append(read.Checks, RequiredCheck{Context: check.Context, App: check.App})
			}
		case "pull_request":
			read.Approvals, read.DismissStale, read.Methods = parameters.Approvals, parameters.DismissStale, parameters.Methods
		case "merge_queue":
			read.Queue, read.QueueMethod = true, strings.ToLower(parameters.QueueMethod)
			read.QueueMost, read.QueueLeast, read.QueueMinutes = parameters.QueueMost, parameters.QueueLeast, parameters.QueueMinutes
		case "required_linear_history":
			read.Linear = true
		case "deletion":
			read.NoDeletion = true
		case "non_fast_forward":
			read.NoRewrite = true
		case "update":
			read.NoUpdate = true
		default:
			return BranchRules{}, githubRefusal(http.StatusUnprocessableEntity, "Invalid rule '%s'", one.Type)
		}
	}
	return read, nil
}

// showRuleset is a ruleset as lists have it, without its rules.
func (c *githubCall) showRuleset(r *ruleset) object {
	api := c.forge.repoURL(c.project, "/rulesets/%d", r.ID)
	return object{
		"id": r.ID, "name": r.Name, "target": "branch", "source_type": "Repository", "source": c.project.Path, "enforcement": r.Enforcement,
		"node_id": nodeID("RRS", r.ID), "_links": object{"self": object{"href": api}, "html": object{"href": c.forge.webURL(c.project) + "/rules"}},
		"created_at": stamp(r.CreatedAt), "updated_at": stamp(r.UpdatedAt),
	}
}

func (c *githubCall) showWholeRuleset(r *ruleset) object {
	return c.showRuleset(r).with(object{
		"conditions": object{"ref_name": object{"include": append([]string{}, r.Include...), "exclude": append([]string{}, r.Exclude...)}},
		"rules":      showRules(&r.Rules), "bypass_actors": append([]bypass{}, r.Bypass...), "current_user_can_bypass": "never",
	})
}

func listRulesets(c *githubCall) (reply, error) {
	return listed(c, c.project.GitHub.Rulesets, func(r *ruleset) (object, error) { return c.showRuleset(r), nil })
}

func (c *githubCall) ruleset() (*ruleset, error) {
	id, err := c.number("ruleset_id")
	if err != nil {
		return nil, err
	}
	for _, r := range c.project.GitHub.Rulesets {
		if r.ID == id {
			return r, nil
		}
	}
	return nil, notFound()
}

func getRuleset(c *githubCall) (reply, error) {
	r, err := c.ruleset()
	if err != nil {
		return reply{}, err
	}
	return reply{body: c.showWholeRuleset(r)}, nil
}

// takeRuleset reads what creating and updating may say. What an update leaves out stays.
func (c *githubCall) takeRuleset(r *ruleset) error {
	var asked struct {
		Name        *string   `json:"name"`
		Enforcement *string   `json:"enforcement"`
		Bypass      *[]bypass `json:"bypass_actors"`
		Conditions  *struct {
			RefName struct {
				Include []string `json:"include"`
				Exclude []string `json:"exclude"`
			} `json:"ref_name"`
		} `json:"conditions"`
		Rules *[]rule `json:"rules"`
	}
	if err := c.read(&asked); err != nil {
		return err
	}
	if asked.Name != nil {
		r.Name = *asked.Name
	}
	if asked.Enforcement != nil {
		r.Enforcement = *asked.Enforcement
	}
	if asked.Bypass != nil {
		r.Bypass = *asked.Bypass
	}
	if asked.Conditions != nil {
		r.Include, r.Exclude = asked.Conditions.RefName.Include, asked.Conditions.RefName.Exclude
	}
	if asked.Rules != nil {
		rules, err := readRules(*asked.Rules)
		if err != nil {
			return err
		}
		r.Rules = rules
	}
	if r.Name == "" || !slices.Contains([]string{"active", "evaluate", "disabled"}, r.Enforcement) {
		return invalidRequest("\"name\", \"enforcement\" weren't supplied.")
	}
	taken := func(other *ruleset) bool { return other.ID != r.ID && other.Name == r.Name }
	if slices.ContainsFunc(c.project.GitHub.Rulesets, taken) {
		return githubRefusal(http.StatusUnprocessableEntity, "Validation Failed: Name must be unique")
	}
	r.UpdatedAt = c.forge.now()
	return nil
}

func createRuleset(c *githubCall) (reply, error) {
	made := &ruleset{CreatedAt: c.forge.now()}
	if err := c.takeRuleset(made); err != nil {
		return reply{}, err
	}
	made.ID = c.forge.tables.next("ruleset")
	c.project.GitHub.Rulesets = append(c.project.GitHub.Rulesets, made)
	c.forge.wrote()
	return reply{http.StatusCreated, c.showWholeRuleset(made)}, nil
}

func updateRuleset(c *githubCall) (reply, error) {
	r, err := c.ruleset()
	if err != nil {
		return reply{}, err
	}
	next := *r
	if err := c.takeRuleset(&next); err != nil {
		return reply{}, err
	}
	*r = next
	c.forge.wrote()
	return reply{body: c.showWholeRuleset(r)}, nil
}

func deleteRuleset(c *githubCall) (reply, error) {
	r, err := c.ruleset()
	if err != nil {
		return reply{}, err
	}
	c.project.GitHub.Rulesets = slices.DeleteFunc(c.project.GitHub.Rulesets, func(other *ruleset) bool { return other == r })
	c.forge.wrote()
	return reply{status: http.StatusNoContent}, nil
}

// listRules shows rulesets only: the older branch protection is not among them (REST, "Get rules for a branch").
func listRules(c *githubCall) (reply, error) {
	var shown []object
	for _, r := range c.project.rulesetsOf(c.PathValue("branch")) {
		for _, one := range showRules(&r.Rules) {
			shown = append(shown, one.with(object{
				"ruleset_source_type": "Repository", "ruleset_source": c.project.Path, "ruleset_id": r.ID,
			}))
		}
	}
	return listed(c, shown, func(o object) (object, error) { return o, nil })
}

// passes says whether a ruleset lets an account by, which must be the bot of an App in its list.
func (f *Forge) passes(r *ruleset, u *User) bool {
	app := f.appNumber(u.ID)
	return app != 0 && slices.ContainsFunc(r.Bypass, func(b bypass) bool { return b.ActorType == "Integration" && b.ActorID == app })
}
