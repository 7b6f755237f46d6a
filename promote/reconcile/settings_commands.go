package reconcile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// CommandSettings is one entry of lockkeeper.yaml's commands.
type CommandSettings struct {
	// Verbs are the commands that the rule is about, such as promote; approve and admit are the same, and reviews on the forge
	// count as admit. Default: all that change something.
	Verbs []string `json:"verbs"`
	// Stages are those that the rule is about, as project/stage; "*" stands for any part of a name. Default: all.
	Stages []string `json:"stages"`
	// Permission is the least that a person needs in the repository: read, write, maintain or admin. Below write it takes teams or
	// users. Default: write.
	Permission string `json:"permission"`
	// Teams whose members may, with that permission: org/team on GitHub, a group's path on GitLab.
	Teams []string `json:"teams"`
	// Users who may, with that permission, by the names of their accounts.
	Users []string `json:"users"`
	// CodeOwners lets those who own all files that the stage writes, by the repository's CODEOWNERS file. Default: false.
	CodeOwners bool `json:"codeowners"`
	// NotAuthor keeps who asked for a promotion from being the only one who admits its freight. Default: false.
	NotAuthor bool `json:"notAuthor"`
}

// maxNames bounds each list of a rule: every team costs a question to the forge.
const maxNames = 50

// permissions are the words of commands[].permission.
var permissions = map[string]promote.Permission{
	"": promote.PermissionNone, "read": promote.PermissionRead, "write": promote.PermissionWrite, "maintain": promote.PermissionMaintain,
	"admin": promote.PermissionAdmin,
}

// checkCommands reports what is wrong with commands, whatever the repository holds.
func (s Settings) checkCommands() []error {
	var problems []error
	for i, rule := range s.Commands {
		at := fmt.Sprintf("commands[%d]", i)
		problems = append(problems, s.checkVerbs(at, rule)...)
		for j, glob := range rule.Stages {
			if _, err := path.Match(glob, ""); err != nil || glob == "" {
				problems = append(problems, s.problem(fmt.Sprintf("%s.stages[%d]", at, j), fmt.Sprintf("%q is no stage", glob),
					"write project/stage, in which * stands for any part of a name"))
			}
		}
		problems = append(problems, s.checkWho(at, rule)...)
	}
	return problems
}

// commandVerbs are the verbs that rules are about.
func commandVerbs() []string {
	var names []string
	for _, known := range promote.Verbs() {
		if known.Verb.Changes() {
			names = append(names, string(known.Verb))
		}
	}
	return names
}

func (s Settings) checkVerbs(at string, rule CommandSettings) []error {
	var problems []error
	known := commandVerbs()
	for j, verb := range rule.Verbs {
		key := fmt.Sprintf("%s.verbs[%d]", at, j)
		switch remedy := "write one of " + strings.Join(known, ", "); {
		case slices.Contains(known, verb):
		case verb == string(promote.VerbHelp) || verb == string(promote.VerbStatus):
			problems = append(problems, s.problem(key, fmt.Sprintf("%q changes nothing, and is for everybody who may read", verb), "remove it"))
		default:
			if near := nearest.Of(strings.TrimPrefix(verb, "/"), known); near != "" {
				remedy = fmt.Sprintf("did you mean %q?", near)
			}
			problems = append(problems, s.problem(key, fmt.Sprintf("there is no command %q", verb), remedy))
		}
	}
	return problems
}

// checkWho reports what is wrong with whom a rule names.
func (s Settings) checkWho(at string, rule CommandSettings) []error {
	var problems []error
	switch _, known := permissions[rule.Permission]; {
	case !known:
		problems = append(problems, s.unknownWord(at+".permission", Word{rule.Permission}, "read", "write", "maintain", "admin"))
	case rule.Permission == "read" && len(rule.Teams) == 0 && len(rule.Users) == 0:
		problems = append(problems, s.problem(at+".permission", "everybody may read a public repository, and so could command",
			"name teams or users, or write at least write"))
	}
	for _, list := range []struct {
		key, what string
		names     []string
	}{{"teams", "team", rule.Teams}, {"users", "user", rule.Users}} {
		if len(list.names) > maxNames {
			problems = append(problems, s.problem(at+"."+list.key, fmt.Sprintf("%d names are too many", len(list.names)), fmt.Sprintf("write at most %d, or a team that holds them", maxNames)))
			continue
		}
		for j, name := range list.names {
			if !namesAccount(strings.TrimPrefix(name, "@"), list.key == "teams") {
				problems = append(problems, s.problem(fmt.Sprintf("%s.%s[%d]", at, list.key, j), fmt.Sprintf("%q is no name of a %s", name, list.what),
					map[string]string{"teams": "write org/team on GitHub, or the path of a group on GitLab", "users": "write the name of an account"}[list.key]))
			}
		}
	}
	return problems
}

// namesAccount reports whether an account or a group can be called like that.
func namesAccount(name string, group bool) bool {
	if name == "" || len(name) > 255 || strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") || strings.Contains(name, "//") {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("-_.[]", r) && (r != '/' || !group)
	})
}

// commandRules are the rules about who may command. Where lockkeeper.yaml may hold some and cannot be read, nobody but an
// administrator may: what they would say is not known.
func (s Settings) commandRules() []promote.CommandRule {
	if s.closed {
		return []promote.CommandRule{{Permission: promote.PermissionAdmin, Source: SettingsFile + " is wrong, and its rules are not known"}}
	}
	var rules []promote.CommandRule
	for i, entry := range s.Commands {
		rule := promote.CommandRule{
			Stages: entry.Stages, Permission: permissions[entry.Permission], Teams: trimmed(entry.Teams), Users: trimmed(entry.Users),
			CodeOwners: entry.CodeOwners, NotAuthor: entry.NotAuthor,
			Source: fmt.Sprintf("%s:%d", SettingsFile, s.at(fmt.Sprintf("commands[%d]", i)).Line),
		}
		for _, verb := range entry.Verbs {
			rule.Verbs = append(rule.Verbs, promote.Verb(verb))
		}
		rules = append(rules, rule)
	}
	return rules
}

func trimmed(names []string) []string {
	var out []string
	for _, name := range names {
		out = append(out, strings.TrimPrefix(name, "@"))
	}
	return out
}

// mayRule reports whether a lockkeeper.yaml that is wrong may have been meant to hold rules about commands.
func mayRule(tree fs.FS) bool {
	data, err := manifest.ReadFile(tree, SettingsFile)
	return err != nil && !errors.Is(err, fs.ErrNotExist) || bytes.Contains(data, []byte("commands"))
}

// commandFindings reports rules that decide nothing: about stages that there are not, or behind one that decides all of theirs.
func (s Settings) commandFindings(pipelines []promote.Pipeline) []promote.Finding {
	var known []string
	for _, p := range pipelines {
		for _, stage := range p.Stages {
			known = append(known, p.Project+"/"+stage.Name)
			if declared := p.Project + "/" + stage.Declared(); !slices.Contains(known, declared) {
				known = append(known, declared)
			}
		}
	}
	var findings []promote.Finding
	for i, rule := range s.Commands {
		at := fmt.Sprintf("commands[%d]", i)
		for j, glob := range rule.Stages {
			if slices.ContainsFunc(known, func(name string) bool { ok, err := path.Match(glob, name); return err == nil && ok }) {
				continue
			}
			key, remedy := fmt.Sprintf("%s.stages[%d]", at, j), "correct or remove it; stages are written as project/stage"
			if near := nearest.Of(glob, known); near != "" {
				remedy = fmt.Sprintf("did you mean %q?", near)
			}
			findings = append(findings, promote.Finding{
				Severity: promote.SeverityError, Code: "unknown-stage", Position: s.at(key), Message: fmt.Sprintf("%s: no stage is called %q", key, glob), Remedy: remedy,
			})
		}
		for j, before := range s.Commands[:i] {
			if !before.covers(rule) {
				continue
			}
			findings = append(findings, promote.Finding{
				Severity: promote.SeverityWarning, Code: "settings", Position: s.at(at),
				Message: fmt.Sprintf("%s: it never decides, because commands[%d] fits all that it is about", at, j), Remedy: "put it before that one",
			})
			break
		}
	}
	return findings
}

// covers reports whether a rule fits everything that a later one does.
func (c CommandSettings) covers(later CommandSettings) bool {
	within := func(all, some []string) bool {
		return len(all) == 0 || len(some) > 0 && !slices.ContainsFunc(some, func(one string) bool { return !slices.Contains(all, one) })
	}
	return within(c.Verbs, later.Verbs) && within(c.Stages, later.Stages)
}
