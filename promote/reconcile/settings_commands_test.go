package reconcile

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func settingsOf(t *testing.T, text string) (Settings, []string) {
	t.Helper()
	settings, findings := LoadSettings(fstest.MapFS{SettingsFile: {Data: []byte(text)}})
	pipelines := []promote.Pipeline{{Project: "shop", Stages: []promote.Stage{{Name: "dev"}, {Name: "prod"}, {Name: "edge.eu", Fan: "edge"}}}}
	var said []string
	for _, f := range append(findings, settings.commandFindings(pipelines)...) {
		said = append(said, f.String())
	}
	return settings, said
}

func TestProblemsOfCommandRules(t *testing.T) {
	for _, c := range []struct {
		name, yaml string
		want       []string
	}{
		{"nothing wrong", "commands:\n- {verbs: [promote, approve], stages: [shop/*, shop/edge, shop/edge.eu], permission: maintain, teams: [acme/a, a/b/c], users: ['@ann', 'acme[bot]'], codeowners: true, notAuthor: true}\n", nil},
		{"a reader who is named", "commands: [{permission: read, users: [ann]}]\n", nil},
		{"a reader who is not", "commands: [{permission: read, codeowners: true}]\n", []string{
			`lockkeeper.yaml:1:25: error: commands[0].permission: everybody may read a public repository, and so could command; name teams or users, or write at least write [settings]`,
		}},
		{"a verb with a slash, and one like none", "commands: [{verbs: [/promote, deploy]}]\n", []string{
			`lockkeeper.yaml:1:21: error: commands[0].verbs[0]: there is no command "/promote"; did you mean "promote"? [settings]`,
			`lockkeeper.yaml:1:31: error: commands[0].verbs[1]: there is no command "deploy"; write one of promote, rollback, retry, admit, approve, reject, accept, hold, resume [settings]`,
		}},
		{"a stage that is no pattern, and names that are none", "commands: [{stages: ['['], teams: [a//b], users: [a/b, '']}]\n", []string{
			`lockkeeper.yaml:1:22: error: commands[0].stages[0]: "[" is no stage; write project/stage, in which * stands for any part of a name [settings]`,
			`lockkeeper.yaml:1:36: error: commands[0].teams[0]: "a//b" is no name of a team; write org/team on GitHub, or the path of a group on GitLab [settings]`,
			`lockkeeper.yaml:1:51: error: commands[0].users[0]: "a/b" is no name of a user; write the name of an account [settings]`,
			`lockkeeper.yaml:1:56: error: commands[0].users[1]: "" is no name of a user; write the name of an account [settings]`,
		}},
		{"too many", "commands: [{teams: [" + strings.Repeat("a, ", 50) + "a]}]\n", []string{
			`lockkeeper.yaml:1:20: error: commands[0].teams: 51 names are too many; write at most 50, or a team that holds them [settings]`,
		}},
		{"stages that there are not", "commands: [{stages: [shop/pord]}, {stages: [shop/dev, bank/*]}]\n", []string{
			`lockkeeper.yaml:1:22: error: commands[0].stages[0]: no stage is called "shop/pord"; did you mean "shop/prod"? [unknown-stage]`,
			`lockkeeper.yaml:1:55: error: commands[1].stages[1]: no stage is called "bank/*"; correct or remove it; stages are written as project/stage [unknown-stage]`,
		}},
		{"rules behind one that fits all that they do", "commands:\n- {verbs: [promote, hold], stages: [shop/dev]}\n- {verbs: [hold], stages: [shop/dev]}\n- {verbs: [hold]}\n- {stages: [shop/prod], verbs: [hold]}\n", []string{
			`lockkeeper.yaml:3:3: warning: commands[1]: it never decides, because commands[0] fits all that it is about; put it before that one [settings]`,
			`lockkeeper.yaml:5:3: warning: commands[3]: it never decides, because commands[2] fits all that it is about; put it before that one [settings]`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, said := settingsOf(t, c.yaml)
			if diff := cmp.Diff(c.want, said); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRulesOfSettings(t *testing.T) {
	closed := []promote.CommandRule{{Permission: promote.PermissionAdmin, Source: "lockkeeper.yaml is wrong, and its rules are not known"}}
	for _, c := range []struct {
		name, yaml string
		want       []promote.CommandRule
	}{
		{"none", "pipelines: [kargo]\n", nil},
		{"one with everything", "\ncommands:\n- {verbs: [promote], stages: [shop/dev], permission: read, teams: ['@acme/a'], users: ['@ann'], codeowners: true, notAuthor: true}\n", []promote.CommandRule{{
			Verbs: []promote.Verb{"promote"}, Stages: []string{"shop/dev"}, Permission: promote.PermissionRead, Teams: []string{"acme/a"},
			Users: []string{"ann"}, CodeOwners: true, NotAuthor: true, Source: "lockkeeper.yaml:3",
		}}},
		{"wrong rules let nobody in", "commands: [{usres: [ann]}]\n", closed},
		{"a file that is no YAML and may hold rules", "commands: [\n", closed},
		{"a file that is wrong and holds none", "pipelnies: [kargo]\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			settings, _ := settingsOf(t, c.yaml)
			if diff := cmp.Diff(c.want, settings.commandRules()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
