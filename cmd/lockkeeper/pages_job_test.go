package main

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/forge/github"
)

// A workflow of GitHub Actions, as far as ours goes: a key that is not known here fails.
type workflow struct {
	Name        string            `yaml:"name"`
	On          map[string]any    `yaml:"on"`
	Permissions map[string]string `yaml:"permissions"`
	Env         map[string]string `yaml:"env"`
	Concurrency struct {
		Group string `yaml:"group"`
	} `yaml:"concurrency"`
	Jobs map[string]struct {
		If      string            `yaml:"if"`
		RunsOn  string            `yaml:"runs-on"`
		Timeout int               `yaml:"timeout-minutes"`
		Env     map[string]string `yaml:"env"`
		Steps   []struct {
			Uses string            `yaml:"uses"`
			With map[string]string `yaml:"with"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

// TestTheWorkflowOnThePageSuitsTheAction: what starts it is understood, what it may do is what is needed of a token, and it gives the
// action inputs that it has. With pull_request_target nothing may be checked out.
func TestTheWorkflowOnThePageSuitsTheAction(t *testing.T) {
	var action struct {
		Inputs map[string]any `yaml:"inputs"`
	}
	decodeFile(t, "../../action.yml", &action)
	blocks := readPage(t, "github.md").blocks("yaml", ".github/workflows/lockkeeper.yaml")
	shown := make([]workflow, len(blocks))
	for i, text := range blocks {
		decoder := yaml.NewDecoder(strings.NewReader(text))
		decoder.KnownFields(true)
		if err := decoder.Decode(&shown[i]); err != nil {
			t.Fatal(err)
		}
	}
	for event := range shown[0].On {
		of := strings.TrimSuffix(event, "_target")
		if !slices.Contains(append(github.HookEvents(), "schedule", "workflow_dispatch"), of) {
			t.Errorf("nothing is done about %s", event)
		}
	}
	needed := github.NeededPermissions()
	for permission, level := range shown[0].Permissions {
		if want := needed[strings.ReplaceAll(permission, "-", "_")]; want != level && level != "read" {
			t.Errorf("permission %s: %s, an App has %s", permission, level, want)
		}
	}
	for name, job := range shown[0].Jobs {
		for _, step := range job.Steps {
			if !strings.HasPrefix(step.Uses, "lockkeeper/lockkeeper@") {
				t.Errorf("job %s uses %s", name, step.Uses)
			}
			for input := range step.With {
				if action.Inputs[input] == nil {
					t.Errorf("job %s: the action has no input %q", name, input)
				}
			}
		}
	}
}

// TestTheJobsOnThePageSuitTheTemplate of GitLab CI.
func TestTheJobsOnThePageSuitTheTemplate(t *testing.T) {
	var template struct {
		Spec struct {
			Inputs map[string]any `yaml:"inputs"`
		} `yaml:"spec"`
	}
	decodeFile(t, "../../.gitlab-ci-template.yml", &template)
	for _, text := range readPage(t, "gitlab.md").blocks("yaml", ".gitlab-ci.yml") {
		var file map[string]any
		if err := yaml.Unmarshal([]byte(text), &file); err != nil {
			t.Fatal(err)
		}
		included, _ := file["include"].([]any)
		for _, one := range included {
			inputs, _ := one.(map[string]any)["inputs"].(map[string]any)
			for input := range maps.Keys(inputs) {
				if template.Spec.Inputs[input] == nil {
					t.Errorf("the template has no input %q", input)
				}
			}
		}
	}
}

// decodeFile reads the first YAML document of a file.
func decodeFile(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(name) //nolint:gosec // a file of the repository
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}
