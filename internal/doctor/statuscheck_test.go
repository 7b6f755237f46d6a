package doctor

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestGitLabCheck(t *testing.T) {
	with := func(change func(*GitLabCheck)) []Finding {
		c := GitLabCheck{URL: "https://gitlab.example.com/g/r", Name: "lockkeeper", Target: "main", Required: true, Checks: []ExternalCheck{{Name: "lockkeeper"}}}
		change(&c)
		return c.Findings()
	}
	has := func(checks ...ExternalCheck) func(*GitLabCheck) { return func(c *GitLabCheck) { c.Checks = checks } }
	refused := func(err error) func(*GitLabCheck) { return func(c *GitLabCheck) { c.Checks, c.Err = nil, err } }
	const good = `ok status check: the external status check "lockkeeper" blocks merging: "Status checks must succeed" is on`
	const none = `warn status check: gitlab.externalStatusCheck is "lockkeeper", and external status checks cannot be had here: the commit status alone gates`
	judge(t, []situation{
		{"none is configured", with(func(c *GitLabCheck) { c.Name = "" }), ``},
		{"it is there and required", with(func(*GitLabCheck) {}), good},
		{"it is for the branch", with(has(ExternalCheck{Name: "lockkeeper", Branches: []string{"release/*", "main"}})), good},
		{"it is for a pattern", with(has(ExternalCheck{Name: "lockkeeper", Branches: []string{"ma*"}})), good},
		{"the branch is not known", with(func(c *GitLabCheck) { c.Target, c.Checks[0].Branches = "", []string{"release/*"} }), good},
		{
			"it is for another branch", with(has(ExternalCheck{Name: "lockkeeper", Branches: []string{"release/*", "next"}})),
			`warn status check: the external status check "lockkeeper" is for "release/*", "next" alone, and not for main: it holds nothing back there`,
		},
		{"there is none", with(has()), `warn status check: the project has no external status check "lockkeeper", and no other: the commit status alone gates`},
		{
			"there are others", with(has(ExternalCheck{Name: "Lock-keeper"}, ExternalCheck{Name: "qa"})),
			`warn status check: the project has no external status check "lockkeeper", only "Lock-keeper", "qa": the commit status alone gates`,
		},
		{
			"nothing is required", with(func(c *GitLabCheck) { c.Required = false }),
			`warn status check: "Status checks must succeed" is off: the external status check "lockkeeper" keeps nothing from being merged [switch "Status checks must succeed" on]`,
		},
		{
			"nothing is required, and others have checks", with(func(c *GitLabCheck) {
				c.Required, c.Checks = false, []ExternalCheck{{Name: "qa"}, {Name: "lockkeeper"}}
			}),
			`warn status check: "Status checks must succeed" is off: the external status check "lockkeeper" keeps nothing from being merged`,
		},
		{"the plan has none, as GitLab says it", with(refused(promote.ErrUnauthorized)), none},
		{"the plan has none, or the role is missing", with(refused(promote.ErrForbidden)), none},
		{"there is no such route", with(refused(promote.ErrNotFound)), none},
		{"GitLab is broken", with(refused(broken)), `fail status check: gitlab: list webhooks: HTTP 500: 500`},
	})
}

func TestGitLabCheckSaysWhatToClick(t *testing.T) {
	const page = "https://gitlab.example.com/g/r/-/settings/merge_requests"
	for _, row := range []struct {
		name string
		of   GitLabCheck
		want string
	}{
		{"there is none", GitLabCheck{}, `add it under ` + page + `, or leave gitlab.externalStatusCheck out`},
		{
			"one is near",
			GitLabCheck{Checks: []ExternalCheck{{Name: "qa"}, {Name: "Lock-keeper"}}},
			`write gitlab: {externalStatusCheck: "Lock-keeper"}, if that is the one, or add "lockkeeper" under ` + page,
		},
		{
			"none is near",
			GitLabCheck{Checks: []ExternalCheck{{Name: "qa"}}},
			`write the name of one that is only for Lockkeeper as gitlab.externalStatusCheck, or add "lockkeeper" under ` + page,
		},
		{
			"it is for another branch",
			GitLabCheck{Checks: []ExternalCheck{{Name: "lockkeeper", Branches: []string{"next"}}}},
			`choose main or all branches as its target branch under ` + page,
		},
		{"it is not required", GitLabCheck{Checks: []ExternalCheck{{Name: "lockkeeper"}}}, `switch it on under ` + page},
		{
			"it is not required, and others have checks",
			GitLabCheck{Checks: []ExternalCheck{{Name: "qa"}, {Name: "lockkeeper"}, {Name: "licence"}}},
			`switch it on under ` + page + `; merging waits for "qa", "licence", too, then`,
		},
	} {
		row.of.URL, row.of.Name, row.of.Target = "https://gitlab.example.com/g/r", "lockkeeper", "main"
		if diff := cmp.Diff(row.want, row.of.Findings()[0].Remedy); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}

func TestNamesOfChecksAreBounded(t *testing.T) {
	var names []string
	for i := range 12 {
		names = append(names, fmt.Sprintf("check\x1b%d", i))
	}
	if diff := cmp.Diff(`"check\x1b0", "check\x1b1", "check\x1b2", "check\x1b3", "check\x1b4", "check\x1b5", "check\x1b6", "check\x1b7", "check\x1b8", "check\x1b9" and 2 more`, quoted(names)); diff != "" {
		t.Error(diff)
	}
}
