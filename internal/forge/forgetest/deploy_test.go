package forgetest

import (
	"slices"

	"github.com/lockkeeper/lockkeeper/promote"
)

var deployRows = []row{
	{name: "a deployment runs and succeeds", run: func(g *ground) { deployed(g, promote.DeploymentSucceeded, "running", "success") }},
	{name: "a deployment runs and fails", run: func(g *ground) { deployed(g, promote.DeploymentFailed, "running", "failed") }},
	{name: "the next promotion is the next deployment", run: nextDeployment},
}

// deployment is one of the environment of that name.
func deployment(p proposal, environment string, state promote.DeploymentState) promote.Deployment {
	return promote.Deployment{
		Promotion: promote.PromotionID("acme/web/dev/" + p.file), Environment: environment, Commit: p.head, Branch: p.branch, State: state,
		Description: "web 2", URL: "https://example.com/changes/1",
	}
}

// deployed says each state twice, by the same adapter and by one that knows nothing.
func deployed(g *ground, end promote.DeploymentState, words ...string) {
	p, environment := g.propose(bot), g.name("env")
	for at, state := range []promote.DeploymentState{promote.DeploymentRunning, end} {
		for _, f := range []adapter{g.adapter, g.adapter, g.fresh(g.T, connection{})} {
			if err := f.Deploy(g.Context(), deployment(p, environment, state)); err != nil {
				g.Fatal(err)
			}
		}
		if got, want := g.deployments(g, environment), g.asDeployed(words[:at+1]); !slices.Equal(got, want) {
			g.Errorf("%s: deployments are %q, want %q", state, got, want)
		}
	}
}

// asDeployed is one deployment that went through states: GitHub keeps all of them, GitLab the last.
func (g *ground) asDeployed(words []string) []string {
	if !g.kind.gitHub() {
		return words[len(words)-1:]
	}
	gitHub := map[string]string{"running": "in_progress", "success": "success", "failed": "failure"}
	out := gitHub[words[0]]
	for _, word := range words[1:] {
		out += " " + gitHub[word]
	}
	return []string{out}
}

func nextDeployment(g *ground) {
	first, environment := g.propose(bot), g.name("env")
	second := g.propose(bot)
	for _, p := range []proposal{first, second} {
		if err := g.Deploy(g.Context(), deployment(p, environment, promote.DeploymentSucceeded)); err != nil {
			g.Fatal(err)
		}
	}
	if got := g.deployments(g, environment); len(got) != 2 {
		g.Errorf("deployments are %q", got)
	}
}
