package reconcile

import (
	"fmt"

	"github.com/lockkeeper/lockkeeper/render/argocd"
)

// GeneratorSettings is one entry of lockkeeper.yaml's generators.
type GeneratorSettings struct {
	// ApplicationSet is the name of the ApplicationSet, as name or namespace/name.
	ApplicationSet string `json:"applicationSet"`
	// Kind is the generator in it: pullRequest, scmProvider, plugin or clusterDecisionResource.
	Kind string `json:"kind"`
	// Params lists the parameter sets that it makes, such as {number: "12", branch: feature, head_sha: …} of a pull request. What
	// Argo CD makes of others, such as branch_slug, may be left out.
	Params []map[string]any `json:"params"`
}

// ApplicationSetSettings is lockkeeper.yaml's applicationSets.
type ApplicationSetSettings struct {
	// NewGitFileGlobbing says that Argo CD runs with applicationsetcontroller.enable.new.git.file.globbing, by which a star in the
	// files of a git generator does not cross a slash. Default: false.
	NewGitFileGlobbing bool `json:"newGitFileGlobbing"`
}

// fixtures are what the generators are told.
func (s Settings) fixtures() []argocd.Fixture {
	var out []argocd.Fixture
	for _, g := range s.Generators {
		out = append(out, argocd.Fixture(g))
	}
	return out
}

// checkGenerators reports what no generator would be told, and what is told twice.
func (s Settings) checkGenerators() []error {
	var problems []error
	first := map[[2]string]int{}
	for i, f := range s.fixtures() {
		for _, p := range f.Check() {
			problems = append(problems, s.problem(fmt.Sprintf("generators[%d].%s", i, p.Path), p.Problem, p.Remedy))
		}
		key := [2]string{f.ApplicationSet, f.Kind}
		if j, twice := first[key]; twice {
			problems = append(problems, s.problem(fmt.Sprintf("generators[%d]", i), fmt.Sprintf("%s of %q is told in generators[%d] already", f.Kind, f.ApplicationSet, j), "put the params together in one entry"))
			continue
		}
		first[key] = i
	}
	return problems
}
