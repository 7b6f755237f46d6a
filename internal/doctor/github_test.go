package doctor

import (
	"errors"
	"maps"
	"testing"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestGitHubToken(t *testing.T) {
	needed := map[string]string{"contents": "write", "metadata": "read", "checks": "write", "members": "read"}
	with := func(change func(*GitHubToken)) []Finding {
		token := GitHubToken{Kind: GitHubApp, User: "lockkeeper", Needed: needed, Permissions: maps.Clone(needed), Now: testNow, Page: "https://github.com/settings/installations"}
		change(&token)
		return token.Findings()
	}
	judge(t, []situation{
		{"an App that may all", with(func(*GitHubToken) {}), `ok token: GitHub App of "lockkeeper"
ok permissions: the installation has all that is needed`},
		{"an App that may too little", with(func(t *GitHubToken) { t.Permissions = map[string]string{"contents": "read", "metadata": "read"} }), `ok token: GitHub App of "lockkeeper"
warn permissions: the installation lacks members: read; rules that name teams let nobody through
fail permissions: the installation lacks checks: write, contents: write`},
		{"an App that may more", with(func(t *GitHubToken) { t.Permissions["members"] = "admin" }), `ok token: GitHub App of "lockkeeper"
ok permissions: the installation has all that is needed`},
		{"it is not accepted", with(func(t *GitHubToken) { t.Err = errors.New("HTTP 401") }), `fail token: HTTP 401`},
		{"a classic token", with(func(t *GitHubToken) {
			t.Kind, t.Scopes, t.Role = GitHubClassic, []string{"repo"}, promote.PermissionMaintain
		}), `ok token: classic token of "lockkeeper"
ok scopes: repo
ok role: maintain`},
		{"a classic token for public repositories, in one", with(func(t *GitHubToken) {
			t.Kind, t.Scopes, t.Role = GitHubClassic, []string{"public_repo"}, promote.PermissionWrite
		}), `ok token: classic token of "lockkeeper"
ok scopes: public_repo
ok role: write`},
		{"a classic token for public repositories, in a private one", with(func(t *GitHubToken) {
			t.Kind, t.Scopes, t.Private, t.Role = GitHubClassic, []string{"public_repo"}, true, promote.PermissionWrite
		}), `ok token: classic token of "lockkeeper"
fail scopes: the token has public_repo, and not repo
ok role: write`},
		{"a classic token without scopes, of a reader", with(func(t *GitHubToken) { t.Kind, t.Scopes, t.Role = GitHubClassic, nil, promote.PermissionRead }), `ok token: classic token of "lockkeeper"
fail scopes: the token has none, and not repo
fail role: "lockkeeper" may not write to the repository: nothing can be proposed`},
		{"a fine-grained token that ends soon", with(func(t *GitHubToken) {
			t.Kind, t.Role, t.Expires = GitHubFineGrained, promote.PermissionAdmin, testNow.AddDate(0, 0, 3)
		}), `ok token: fine-grained token of "lockkeeper"
skip scopes: GitHub does not say what a fine-grained token may do
warn expiry: the token ends on 2026-11-24
ok role: admin`},
	})
}

func TestGitHubRepository(t *testing.T) {
	with := func(change func(*GitHubRepository)) []Finding {
		r := GitHubRepository{
			URL: "https://github.com/acme/web", Branch: "main", Methods: []string{"merge", "squash"}, App: 17,
			Requirements: []Requirement{{"ci", 0, "branch protection"}, {promote.StatusName, 17, "ruleset"}}, Ledger: GitHubLedger{Deletion: true, Rewrite: true},
		}
		change(&r)
		return r.Findings()
	}
	require := func(app int64) []Requirement { return []Requirement{{promote.StatusName, app, "ruleset"}} }
	judge(t, []situation{
		{"gates hold", with(func(*GitHubRepository) {}), `ok gates: main requires the status lockkeeper/gates of this App (ruleset)
ok ledger: the branch lockkeeper/ledger is protected
ok merging: allowed: merge, squash`},
		{"nothing is required", with(func(r *GitHubRepository) { r.Requirements = nil }), `fail gates: main does not require the status lockkeeper/gates: anyone may merge past the gates [require the status lockkeeper/gates on main]
ok ledger: the branch lockkeeper/ledger is protected
ok merging: allowed: merge, squash`},
		{"it is required from anybody", with(func(r *GitHubRepository) { r.Requirements = require(0) }), `warn gates: lockkeeper/gates is required from anybody: whoever may push can set it to green [require the status lockkeeper/gates on main]
ok ledger: the branch lockkeeper/ledger is protected
ok merging: allowed: merge, squash`},
		{"it is required from anybody, and from us", with(func(r *GitHubRepository) { r.Requirements = append(require(0), require(17)...) }), `ok gates: main requires the status lockkeeper/gates of this App (ruleset)
ok ledger: the branch lockkeeper/ledger is protected
ok merging: allowed: merge, squash`},
		{"it is required from another App", with(func(r *GitHubRepository) { r.Requirements = require(9) }), `fail gates: lockkeeper/gates is required from App 9, which we are not: nothing can be merged
ok ledger: the branch lockkeeper/ledger is protected
ok merging: allowed: merge, squash`},
		{"we are no App", with(func(r *GitHubRepository) { r.App, r.Requirements = 0, require(0) }), `ok gates: main requires the status lockkeeper/gates (ruleset); from an App it could not be imitated
ok ledger: the branch lockkeeper/ledger is protected
ok merging: allowed: merge, squash`},
		{"the ledger may be rewritten", with(func(r *GitHubRepository) { r.Ledger.Rewrite = false }), `ok gates: main requires the status lockkeeper/gates of this App (ruleset)
warn ledger: the branch lockkeeper/ledger is not protected: whoever may push can rewrite the history of promotions [protect the branch lockkeeper/ledger]
ok merging: allowed: merge, squash`},
		{"auto-merge", with(func(r *GitHubRepository) { r.AutoMerge = true }), `ok gates: main requires the status lockkeeper/gates of this App (ruleset)
ok ledger: the branch lockkeeper/ledger is protected
ok merging: allowed: merge, squash; auto-merge is on`},
		{"a merge queue", with(func(r *GitHubRepository) { r.MergeQueue, r.Events = true, []string{"merge_group"} }), `ok gates: main requires the status lockkeeper/gates of this App (ruleset)
ok ledger: the branch lockkeeper/ledger is protected
ok merging: allowed: merge, squash
ok merge queue: main has one: changes are queued, and judged there once more`},
		{"a merge queue that nobody tells of", with(func(r *GitHubRepository) { r.MergeQueue, r.Events = true, []string{"push"} }), `ok gates: main requires the status lockkeeper/gates of this App (ruleset)
ok ledger: the branch lockkeeper/ledger is protected
ok merging: allowed: merge, squash
fail merge queue: main has one, and the webhook does not send merge_group: entries time out`},
		{"methods are not told", with(func(r *GitHubRepository) { r.Methods = nil }), `ok gates: main requires the status lockkeeper/gates of this App (ruleset)
ok ledger: the branch lockkeeper/ledger is protected
skip merging: GitHub does not tell the token which merge methods are allowed`},
		{"it is archived", with(func(r *GitHubRepository) { r.Archived = true }), `fail repository: it is archived: nothing can be proposed
ok gates: main requires the status lockkeeper/gates of this App (ruleset)
ok ledger: the branch lockkeeper/ledger is protected
ok merging: allowed: merge, squash`},
		{"rules may not be looked at", with(func(r *GitHubRepository) { r.RulesErr = forbidden }), `skip gates: it may not be looked at with this token
ok merging: allowed: merge, squash`},
		{"it is not there", with(func(r *GitHubRepository) { r.Err = promote.ErrNotFound }), `fail repository: not found`},
	})
}
