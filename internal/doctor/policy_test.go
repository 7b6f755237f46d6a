package doctor

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestPolicy(t *testing.T) {
	const page = "https://gitlab.example.com/g/r"
	judge(t, []situation{
		{"GitLab forgets approvals", GitLabApprovals{URL: page, Reset: true}.Findings(), `ok approvals: "Remove all approvals when commits are added" is on`},
		{
			"GitLab keeps approvals", GitLabApprovals{URL: page}.Findings(),
			`warn approvals: "Remove all approvals when commits are added" is off, and a step counts approvals: GitLab goes on showing those of older commits, which do not count [switch "Remove all approvals when commits are added" on]`,
		},
		{"an edition without the setting", GitLabApprovals{URL: page, Err: promote.ErrNotFound}.Findings(), `skip approvals: it may not be looked at with this token`},
		{"no pipeline is wanted", GitLabUnseen{URL: page}.Findings(), ``},
		{
			"pipelines are wanted, and nobody is looked at", GitLabUnseen{URL: page, PipelinesMustSucceed: true}.Findings(),
			`warn review: forge.review is off while "Pipelines must succeed" is on: changes of people that have no pipeline of their own cannot be merged`,
		},
		{"no status is required", GitHubUnseen{Branch: "main"}.Findings(), ``},
		{
			"a status is required that nobody sets", GitHubUnseen{Branch: "main", Required: true}.Findings(),
			`fail review: forge.review is off while main requires the status lockkeeper/gates: no change of a person can be merged`,
		},
	})
}

func TestRenamed(t *testing.T) {
	for _, row := range []struct{ configured, name, want string }{
		{"acme/gitops", "acme/gitops", ""},
		{"Acme/GitOps", "acme/gitops", ""},
		{"acme/gitops", "", ""},
		{"acme/gitops", "acme/deploy", `"acme/gitops" was renamed: it is "acme/deploy" now, and its webhooks say so, which nobody here is configured for`},
	} {
		f, ok := Renamed(row.configured, row.name)
		if diff := cmp.Diff(row.want, f.Text); diff != "" || ok != (row.want != "") {
			t.Errorf("%s, now %q: %t %s", row.configured, row.name, ok, diff)
		}
	}
}

func TestSourcesSayWhatToDo(t *testing.T) {
	for _, row := range []struct {
		name   string
		source Source
		want   string
	}{
		{"no credentials", Source{Repository: "ghcr.io/acme/web", Err: errors.New("HTTP 401")}, "give Lockkeeper credentials that may read ghcr.io/acme/web: docker login on this machine, or a config.json at DOCKER_CONFIG"},
		{"an address that is not allowed", Source{Repository: "10.0.0.1/web", Err: errors.New("denied"), Denied: true}, "if it is yours, allow its host with outbound.allow in the server's configuration, or LOCKKEEPER_OUTBOUND_ALLOW"},
	} {
		if got := Sources([]Source{row.source}); len(got) != 1 || got[0].Remedy != row.want {
			t.Errorf("%s: %+v", row.name, got)
		}
	}
}

// TestARepositoryThatIsNotSeen is no matter of a new token alone.
func TestARepositoryThatIsNotSeen(t *testing.T) {
	unseen := &promote.APIError{Service: "gitlab", Operation: "read project", Status: 404, Message: "404 Project Not Found"}
	for _, row := range []struct {
		found []Finding
		want  string
	}{
		{GitLabToken{Err: unseen}.Findings(), "correct the path of the project, or invite the token's user there as Maintainer under Manage > Members"},
		{
			GitHubToken{Page: "https://github.com/settings/tokens", Err: unseen}.Findings(),
			"correct owner and name of the repository, or let the credentials see it: Install App on the App's page, or the token's resource owner and role on https://github.com/settings/tokens",
		},
	} {
		if diff := cmp.Diff([]Finding{{Verdict: Failure, Check: "token", Text: unseen.Error(), Remedy: row.want}}, row.found); diff != "" {
			t.Error(diff)
		}
	}
}
