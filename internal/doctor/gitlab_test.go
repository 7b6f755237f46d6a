package doctor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestGitLabToken(t *testing.T) {
	with := func(change func(*GitLabToken)) []Finding {
		token := GitLabToken{Kind: "project access token", User: "project_7_bot", Role: promote.PermissionMaintain, Scopes: []string{"api"}, Now: testNow, Page: "https://gitlab.example.com/-/user_settings/personal_access_tokens"}
		change(&token)
		return token.Findings()
	}
	judge(t, []situation{
		{"it is good", with(func(*GitLabToken) {}), `ok token: project access token of "project_7_bot"
ok scopes: api
ok role: Maintainer`},
		{"it is not accepted", with(func(t *GitLabToken) { t.Err = errors.New("HTTP 401") }), `fail token: HTTP 401`},
		{"it may only read", with(func(t *GitLabToken) { t.Scopes = []string{"read_api", "read_repository"} }), `ok token: project access token of "project_7_bot"
fail scopes: the token has read_api, read_repository, and not api
ok role: Maintainer`},
		{"it is one of OAuth", with(func(t *GitLabToken) { t.Scopes = nil }), `ok token: project access token of "project_7_bot"
skip scopes: GitLab does not say what this kind of token is for
ok role: Maintainer`},
		{"it ends in a year", with(func(t *GitLabToken) { t.Expires = testNow.AddDate(1, 0, 0) }), `ok token: project access token of "project_7_bot"
ok scopes: api
ok expiry: the token ends on 2027-11-21
ok role: Maintainer`},
		{"it ends in two weeks", with(func(t *GitLabToken) { t.Expires = testNow.Add(14*24*time.Hour - time.Second) }), `ok token: project access token of "project_7_bot"
ok scopes: api
warn expiry: the token ends on 2026-12-05
ok role: Maintainer`},
		{"it has ended", with(func(t *GitLabToken) { t.Expires = testNow }), `ok token: project access token of "project_7_bot"
ok scopes: api
fail expiry: the token ended on 2026-11-21
ok role: Maintainer`},
		{"its user is a Reporter", with(func(t *GitLabToken) { t.Role = promote.PermissionRead }), `ok token: project access token of "project_7_bot"
ok scopes: api
fail role: "project_7_bot" is no Developer of the project: nothing can be proposed`},
		{"its user is no member", with(func(t *GitLabToken) { t.Role = promote.PermissionNone }), `ok token: project access token of "project_7_bot"
ok scopes: api
fail role: "project_7_bot" is no Developer of the project: nothing can be proposed`},
		{"its user is a Developer", with(func(t *GitLabToken) { t.Role = promote.PermissionWrite }), `ok token: project access token of "project_7_bot"
ok scopes: api
ok role: Developer`},
	})
}

func TestGitLabProject(t *testing.T) {
	with := func(change func(*GitLabProject)) []Finding {
		p := GitLabProject{URL: "https://gitlab.example.com/g/r", PipelinesMustSucceed: true}
		change(&p)
		return p.Findings()
	}
	judge(t, []situation{
		{"gates hold", with(func(*GitLabProject) {}), `ok gates: the status lockkeeper/gates blocks merging: "Pipelines must succeed" is on`},
		{"a red status blocks nothing", with(func(p *GitLabProject) { p.PipelinesMustSucceed = false }), `fail gates: "Pipelines must succeed" is off: the status lockkeeper/gates blocks nothing, anyone may merge past the gates [switch "Pipelines must succeed" on, and "Skipped pipelines are considered successful" off]`},
		{"skipped pipelines pass", with(func(p *GitLabProject) { p.SkippedIsSuccess = true }), `fail gates: "Skipped pipelines are considered successful" is on: a skipped pipeline passes the gates [switch "Pipelines must succeed" on, and "Skipped pipelines are considered successful" off]`},
		{"it is archived", with(func(p *GitLabProject) { p.Archived = true }), `fail project: it is archived: nothing can be proposed
ok gates: the status lockkeeper/gates blocks merging: "Pipelines must succeed" is on`},
		{"merged results", with(func(p *GitLabProject) { p.MergedResults = true }), `ok gates: the status lockkeeper/gates blocks merging: "Pipelines must succeed" is on
ok merging: merged results pipelines are on: the status is set on the commit that they run for`},
		{"merge trains", with(func(p *GitLabProject) { p.MergedResults, p.MergeTrains = true, true }), `ok gates: the status lockkeeper/gates blocks merging: "Pipelines must succeed" is on
ok merging: merge trains are on: changes are put on the train, and judged there once more`},
		{"it is not there", with(func(p *GitLabProject) { p.Err = promote.ErrNotFound }), `fail project: not found`},
	})
}

func TestGitLabBranches(t *testing.T) {
	by := func(level promote.Permission) []Grant { return []Grant{{Level: level}} }
	maintainers := by(promote.PermissionMaintain)
	with := func(role promote.Permission, rules ...Rule) []Finding {
		return GitLabBranches{URL: "https://gitlab.example.com/g/r", Target: "main", Role: role, Self: 5, Rules: rules}.Findings()
	}
	main, ledger := Rule{Name: "main", Push: maintainers, Merge: maintainers}, Rule{Name: "lockkeeper/ledger", Push: maintainers, Merge: maintainers}
	judge(t, []situation{
		{"a Maintainer, all is protected", with(promote.PermissionMaintain, main, ledger), `ok branches: the token may push lockkeeper/*
ok merging: the token may merge into main
ok ledger: the branch lockkeeper/ledger is protected`},
		{"a Developer, the ledger is not protected", with(promote.PermissionWrite, main), `ok branches: the token may push lockkeeper/*
warn merging: the token may not merge into the protected branch main as Developer: people must merge every promotion
warn ledger: the branch lockkeeper/ledger is not protected: every Developer can rewrite the history of promotions [protect the branch lockkeeper/ledger]`},
		{"a Developer, the ledger is protected against it", with(promote.PermissionWrite, main, ledger), `ok branches: the token may push lockkeeper/*
warn merging: the token may not merge into the protected branch main as Developer: people must merge every promotion
fail ledger: the branch lockkeeper/ledger is protected against the token, too: nothing can be recorded`},
		{"an Owner, nothing is protected", with(promote.PermissionAdmin), `ok branches: the token may push lockkeeper/*
warn ledger: the branch lockkeeper/ledger is not protected: every Developer can rewrite the history of promotions [protect the branch lockkeeper/ledger]`},
		{"a Reporter", with(promote.PermissionRead), `fail branches: the token may not push
warn ledger: the branch lockkeeper/ledger is not protected: every Developer can rewrite the history of promotions [protect the branch lockkeeper/ledger]`},
		{"everything is protected against everybody", with(promote.PermissionAdmin, Rule{Name: "*", Push: by(promote.PermissionNone), Merge: maintainers}), `fail branches: the rule for protected branches "*" keeps the token from pushing lockkeeper/*
ok merging: the token may merge into main
fail ledger: the branch lockkeeper/ledger is protected against the token, too: nothing can be recorded`},
		{"everything is protected, our user may", with(promote.PermissionWrite, Rule{Name: "*", Push: []Grant{{UserID: 9}, {UserID: 5}}, Merge: []Grant{{UserID: 5}}}), `warn branches: the rule for protected branches "*" forbids rewriting lockkeeper/*: a proposal cannot be brought up to date
ok merging: the token may merge into main
ok ledger: the branch lockkeeper/ledger is protected`},
		{"our branches may be rewritten, the ledger too", with(promote.PermissionMaintain, Rule{Name: "lockkeeper/*", Push: maintainers, ForcePush: true}), `ok branches: the token may push lockkeeper/*, by the rule "lockkeeper/*"
warn ledger: the branch lockkeeper/ledger may be rewritten by those who may push to it`},
		{"the more permissive rule counts", with(promote.PermissionWrite, main, Rule{Name: "ma*", Merge: by(promote.PermissionWrite)}, ledger, Rule{Name: "lockkeeper/*", Push: by(promote.PermissionWrite), ForcePush: true}), `ok branches: the token may push lockkeeper/*, by the rule "lockkeeper/*"
ok merging: the token may merge into main
warn ledger: the branch lockkeeper/ledger may be rewritten by those who may push to it`},
		{"they may not be looked at", GitLabBranches{URL: "https://gitlab.example.com/g/r", Err: forbidden}.Findings(), `skip branches: it may not be looked at with this token`},
	})
}

func TestNamesOfProtectedBranches(t *testing.T) {
	for _, test := range []struct {
		pattern, branch string
		want            bool
	}{
		{"main", "main", true},
		{"main", "maintenance", false},
		{"*", "lockkeeper/ledger", true},
		{"lockkeeper/*", "lockkeeper/a/b", true},
		{"*/ledger", "lockkeeper/ledger", true},
		{"lock.eeper/*", "lockkeeper/x", false},
		{"l*r*r", "lockkeeper/ledger", true},
		{"[", "[", true},
		{"", "main", false},
	} {
		if got := matches(test.pattern, test.branch); got != test.want {
			t.Errorf("matches(%q, %q) = %v", test.pattern, test.branch, got)
		}
	}
}

func TestFixesAreMadeOnceAndTold(t *testing.T) {
	hook, pipelines := Fix{Kind: FixHook, Hook: 4}, Fix{Kind: FixPipelines}
	findings := []Finding{
		{Verdict: OK, Check: "token"},
		{Failure, "webhook", "events are missing", "switch them on", hook},
		{Warning, "webhook", "not verified", "verify", hook},
		{Failure, "gates", "nothing is blocked", "switch it on", pipelines},
	}
	if diff := cmp.Diff([]Fix{hook, pipelines}, Fixes(findings)); diff != "" {
		t.Error(diff)
	}
	got := Applied(findings, map[Fix]error{hook: nil, pipelines: errors.New("HTTP 403")})
	want := []Finding{
		{Verdict: OK, Check: "token"},
		{Verdict: Fixed, Check: "webhook", Text: "events are missing: done: set the webhook's events and verification"},
		{Verdict: Fixed, Check: "webhook", Text: "not verified: done: set the webhook's events and verification"},
		{Failure, "gates", "nothing is blocked; it could not be put right: HTTP 403", "switch it on", pipelines},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	report := Report{{"server", got[:2]}, {"g/r", got[2:]}}
	if report.Worst() != Failure || report.Count(Fixed) != 2 || (Report{}).Worst() != OK {
		t.Errorf("worst %v, %d fixed", report.Worst(), report.Count(Fixed))
	}
}

// FuzzNamesOfProtectedBranches: whatever people call a rule, it stands for what the same name with * in it stands for.
func FuzzNamesOfProtectedBranches(f *testing.F) {
	for _, seed := range [][2]string{{"main", "main"}, {"lockkeeper/*", "lockkeeper/ledger"}, {"[a", "[a"}, {"**", "x"}, {"\xff*", "\xffx"}, {"a\nb*", "a\nbc"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, branch string) {
		if len(pattern)+len(branch) > 500 {
			t.Skip("no branch is called so")
		}
		got := matches(pattern, branch)
		if !strings.Contains(pattern, "*") && got != (pattern == branch) {
			t.Errorf("matches(%q, %q) = %v", pattern, branch, got)
		}
		if !matches("*", branch) {
			t.Errorf("* does not stand for %q", branch)
		}
		if got && !matches(pattern+"*", branch+"x") {
			t.Errorf("%q stands for %q, and %q not for %q", pattern, branch, pattern+"*", branch+"x")
		}
	})
}
