package promote

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// CommandRule says who may give some commands on some stages. The first rule that fits decides; without one the permission that
// the verb needs does.
type CommandRule struct {
	Verbs      []Verb     // empty: all that change something
	Stages     []string   // globs of project/stage; empty: all
	Permission Permission // the least that everybody needs; PermissionNone: what the verb needs without a rule
	// Who has that permission has to be in one of the teams, one of the users, or an owner of every file that the stage writes;
	// where none of the three is named the permission is enough.
	Teams      []string
	Users      []string
	CodeOwners bool
	// NotAuthor: who asked for a promotion may not be the only one who admits its freight.
	NotAuthor bool
	Source    string // where it stands, such as lockkeeper.yaml:12
}

// Standing is what is known of a person at one moment.
type Standing struct {
	Permission Permission // in the repository
	Teams      []string   // those that rules name and the person is in
	// Owned says of the stages whose files' owners are asked for why the person owns not all of them; empty: owns them. Of a stage
	// that is not in it nothing is known, and so nobody owns its files.
	Owned map[StageRef]string
}

// standing is what the forge says of who wrote a command.
func (c Command) standing() Standing {
	return Standing{Permission: c.Permission, Teams: c.Teams, Owned: c.Owned}
}

// ruled is the verb by which rules know it: approving and admitting are the same.
func (v Verb) ruled() Verb {
	if v == VerbApprove {
		return VerbAdmit
	}
	return v
}

// Changes reports whether a verb changes something. What changes nothing is for everybody who may read, and no rule is about it.
func (v Verb) Changes() bool { return v != VerbHelp && v != VerbStatus }

// fits reports whether a rule is about a verb on a stage, which declared names where it is a target of that one.
func (r CommandRule) fits(verb Verb, stage, declared StageRef) bool {
	if len(r.Verbs) > 0 && !slices.ContainsFunc(r.Verbs, func(v Verb) bool { return v.ruled() == verb.ruled() }) {
		return false
	}
	return len(r.Stages) == 0 || slices.ContainsFunc(r.Stages, func(glob string) bool {
		itself, err := path.Match(glob, stage.String())
		ofFan, _ := path.Match(glob, declared.String())
		return err == nil && (itself || ofFan)
	})
}

// Rule returns the rule that decides who may give a command on a stage.
func (s State) Rule(verb Verb, ref StageRef) (CommandRule, bool) {
	if !verb.Changes() {
		return CommandRule{}, false
	}
	declared := ref
	if pipeline, ok := s.Pipeline(ref.Project); ok {
		if stage, ok := pipeline.Stage(ref.Name); ok {
			declared.Name = stage.Declared()
		}
	}
	i := slices.IndexFunc(s.Rules, func(r CommandRule) bool { return r.fits(verb, ref, declared) })
	if i < 0 {
		return CommandRule{}, false
	}
	return s.Rules[i], true
}

// Refuses says why a person may not give a command on a stage; empty when nothing speaks against it.
func (s State) Refuses(verb Verb, ref StageRef, person string, at Standing) string {
	rule, ruled := s.Rule(verb, ref)
	least := rule.Least(verb)
	switch {
	case at.Permission < least && !ruled:
		return fmt.Sprintf("`/%s` needs %s permission in this repository; %s has %s.", verb, least, codeSpan(person), at.Permission)
	case at.Permission < least:
		return fmt.Sprintf("`/%s` on %s needs %s permission in this repository; %s has %s%s.", verb, codeSpan(ref.String()), least,
			codeSpan(person), at.Permission, rule.source())
	case !ruled || rule.names(ref, person, at):
		return ""
	}
	text := fmt.Sprintf("`/%s` on %s is for %s; %s is none of them%s.", verb, codeSpan(ref.String()), rule.who(), codeSpan(person), rule.source())
	if rule.CodeOwners {
		text += " " + sentence(orElse(at.Owned[ref], "it is not known which files the stage writes"))
	}
	return text
}

// Least is the permission that everybody needs for a verb.
func (r CommandRule) Least(verb Verb) Permission {
	if r.Permission == PermissionNone {
		return verb.permission()
	}
	return r.Permission
}

// permission is the least that a verb needs without a rule.
func (v Verb) permission() Permission {
	for _, known := range Verbs() {
		if known.Verb == v {
			return known.Permission
		}
	}
	return PermissionAdmin
}

// names reports whether a rule lets a person that has its permission.
func (r CommandRule) names(ref StageRef, person string, at Standing) bool {
	if len(r.Teams) == 0 && len(r.Users) == 0 && !r.CodeOwners {
		return true
	}
	why, known := at.Owned[ref]
	return slices.ContainsFunc(r.Users, func(user string) bool { return sameName(user, person) }) ||
		slices.ContainsFunc(r.Teams, func(team string) bool { return slices.Contains(at.Teams, team) }) ||
		r.CodeOwners && known && why == ""
}

// who lists whom a rule names.
func (r CommandRule) who() string {
	var names []string
	for _, team := range r.Teams {
		names = append(names, "members of "+codeSpan(team))
	}
	for _, user := range r.Users {
		names = append(names, codeSpan(strings.TrimPrefix(user, "@")))
	}
	if r.CodeOwners {
		names = append(names, "owners of all files that the stage writes")
	}
	return strings.Join(names, ", ")
}

func (r CommandRule) source() string {
	if r.Source == "" {
		return ""
	}
	return " (" + r.Source + ")"
}

// sameName compares the names of two people, as a forge does. Nobody is called nothing.
func sameName(a, b string) bool {
	a, b = strings.TrimPrefix(a, "@"), strings.TrimPrefix(b, "@")
	return a != "" && strings.EqualFold(a, b)
}

// Concerns returns the stages that a command is about, each once, and none for one that nobody knows what it is about.
func Concerns(s State, c Command) []StageRef {
	d := newDecision(s)
	for _, pipeline := range s.Pipelines {
		for _, warehouse := range pipeline.Warehouses {
			d.warehouse(pipeline, warehouse) // what was just discovered may be meant
		}
	}
	refs, err := d.concerns(c)
	if err != nil {
		return nil
	}
	return refs
}

// concerns is what the rules are asked about. What is on record already is done, and concerns nothing any more.
func (d *decision) concerns(c Command) ([]StageRef, error) {
	if _, recorded := d.index.keys[c.key()]; recorded {
		return nil, nil
	}
	switch c.Verb {
	case VerbHold, VerbResume:
		ref, _, err := d.stageNamed(c)
		return []StageRef{ref}, err
	case VerbRollback:
		ref, rest, err := d.stageNamed(c)
		if err != nil {
			return nil, err
		}
		_, back, err := d.backFrom(ref, rest)
		return d.mergedWith(ref, back), err
	case VerbAdmit, VerbApprove:
		ref, freight, err := d.admitted(c)
		return d.opened(ref, freight), err
	case VerbPromote:
		ref, freight, err := d.wanted(c)
		return d.mergedWith(ref, freight), err
	case VerbRetry:
		ref, ok := d.stageOf(c.Change)
		if !ok {
			return nil, errors.New("nothing says which stage")
		}
		freight, _ := d.freightOf(c.Change)
		return d.mergedWith(ref, freight), nil
	case VerbReject, VerbAccept:
		freight, _, err := d.meant(c)
		return d.takers(freight), err
	case VerbHelp, VerbStatus:
	}
	return nil, nil
}

// mergedWith returns a stage, and those whose promotions are merged along with the one to it, because they share its change.
func (d *decision) mergedWith(ref StageRef, freight Freight) []StageRef {
	refs := []StageRef{ref}
	active, isActive := d.index.active(ref)
	if !isActive || active.Freight != freight.ID {
		return refs
	}
	for _, p := range d.index.crewOf(active.Branch) {
		if !slices.Contains(refs, p.Stage) {
			refs = append(refs, p.Stage)
		}
	}
	return refs
}

// opened returns a stage, and where it holds nothing those behind it: what may enter it may enter them.
func (d *decision) opened(ref StageRef, freight Freight) []StageRef {
	refs := []StageRef{ref}
	place, ok := d.index.stages[ref]
	if !ok || len(d.state.Pipelines[place.pipeline].Stages[place.stage].Steps) > 0 {
		return refs
	}
	var names []string
	d.collect(ref, freight, &names, len(d.index.stages))
	for _, name := range names {
		refs = append(refs, StageRef{ref.Project, name})
	}
	return refs
}

// takers returns the stages that take freight of the same warehouse.
func (d *decision) takers(freight Freight) []StageRef {
	pipeline, _ := d.state.Pipeline(freight.Project)
	var refs []StageRef
	for _, stage := range pipeline.Stages {
		if ref := (StageRef{freight.Project, stage.Name}); len(stage.Steps) > 0 && d.requests(ref, freight.Warehouse) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// forbidden says why a person may not give a command; empty when nothing speaks against it. Who could not give it on any stage
// is told so, and not what is wrong with it.
func (d *decision) forbidden(c Command) string {
	refs, err := d.concerns(c)
	if err != nil || len(refs) == 0 {
		if least := c.Verb.permission(); c.Permission < least {
			return fmt.Sprintf("`/%s` needs %s permission in this repository; %s has %s.", c.Verb, least, codeSpan(c.Comment.Author), c.Permission)
		}
		return ""
	}
	for _, ref := range refs {
		if rule, ruled := d.state.Rule(c.Verb, ref); ruled && c.Claimed && rule.personal() {
			return fmt.Sprintf("`/%s` on %s is for certain people%s, and a job cannot prove who started it: comment on a change instead.",
				c.Verb, codeSpan(ref.String()), rule.source())
		}
		if why := d.state.Refuses(c.Verb, ref, c.Comment.Author, c.standing()); why != "" {
			return why
		}
	}
	return ""
}

// personal reports whether a rule asks who somebody is, besides for a permission.
func (r CommandRule) personal() bool {
	return len(r.Teams) > 0 || len(r.Users) > 0 || r.CodeOwners || r.NotAuthor
}
