package github

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	everyMethod = `{"default_branch":"main","private":true,"allow_merge_commit":true,"allow_squash_merge":true,"allow_rebase_merge":true,"allow_auto_merge":true}`
	rulesPath   = "GET …/rules/branches/main"
	branchPath  = "GET …/branches/main"
)

func TestSettings(t *testing.T) {
	all := []string{"merge", "squash", "rebase"}
	base := Settings{Branch: "main", DefaultBranch: "main", Private: true, Methods: all, AutoMerge: true}
	for _, test := range []struct {
		name   string
		repo   string
		rules  string
		branch answer
		want   func(*Settings)
	}{
		{"nothing is required", everyMethod, "[]", ok(`{"name":"main","protection":{"enabled":false,"required_status_checks":{"enforcement_level":"off","contexts":["old"],"checks":[]}}}`), func(*Settings) {}},
		{"the branch is not there yet", everyMethod, "[]", answer{Status: 404, Body: `{"message":"Branch not found"}`}, func(*Settings) {}},
		{
			"by rulesets", everyMethod,
			`[{"type":"required_status_checks","parameters":{"strict_required_status_checks_policy":true,"required_status_checks":[{"context":"lockkeeper/gates","integration_id":17},{"context":"build"}]}},
			  {"type":"pull_request","parameters":{"required_approving_review_count":2,"allowed_merge_methods":["squash","merge"]}},
			  {"type":"required_linear_history"},{"type":"merge_queue","parameters":{"merge_method":"SQUASH"}},{"type":"deletion"},{"type":"a_new_one","parameters":{"x":1}}]`,
			ok(`{}`), func(s *Settings) {
				s.Methods, s.UpToDate, s.MergeQueue, s.Reviews = []string{"squash"}, true, true, 2
				s.Required = []RequiredStatus{{Name: "lockkeeper/gates", App: 17}, {Name: "build"}}
			},
		},
		{
			"by branch protection", everyMethod, "[]",
			ok(`{"protection":{"enabled":true,"required_status_checks":{"enforcement_level":"non_admins","contexts":["lockkeeper/gates","build","old"],"checks":[{"context":"lockkeeper/gates","app_id":17},{"context":"build","app_id":null}]}}}`),
			func(s *Settings) {
				s.Required = []RequiredStatus{{Name: "lockkeeper/gates", App: 17}, {Name: "build"}, {Name: "old"}}
			},
		},
		{"archived, and methods may not be seen", `{"default_branch":"main","archived":true}`, "[]", ok("{}"), func(s *Settings) { *s = Settings{Branch: "main", DefaultBranch: "main", Archived: true} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, map[string][]answer{"GET …": {ok(test.repo)}, rulesPath: {ok(test.rules)}, branchPath: {test.branch}})
			got, err := f.Settings(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := base
			want.Methods = append([]string{}, all...)
			test.want(&want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSettingsOfAnotherBranch(t *testing.T) {
	f, s := play(t, map[string][]answer{"GET …": {ok(everyMethod)}, "GET …/rules/branches/release/1%232": {ok("[]")}, "GET …/branches/release/1%232": {{Status: 403}}})
	_, err := f.SettingsOf(t.Context(), "release/1#2")
	if !errors.Is(err, promote.ErrForbidden) {
		t.Errorf("got %v by %v", err, s.Routes())
	}
}

func TestWarnings(t *testing.T) {
	const (
		red     = `a red status blocks nothing, anyone may merge past the gates: require the status "lockkeeper/gates" for branch "main" under Settings > Rules`
		anybody = `anyone who may write to the repository can post "lockkeeper/gates": choose App 17 as its source under Settings > Rules`
	)
	good := Settings{Branch: "main", Methods: []string{"merge"}, Required: []RequiredStatus{{Name: "Lockkeeper/Gates"}}}
	for _, test := range []struct {
		name   string
		change func(*Settings)
		want   []string
	}{
		{"all is well", func(*Settings) {}, nil},
		{"nothing is required", func(s *Settings) { s.Required = nil }, []string{red}},
		{"something else is required", func(s *Settings) { s.Required = []RequiredStatus{{Name: "build"}} }, []string{red}},
		{"of anybody, though it is an App that posts it", func(s *Settings) { s.App = 17 }, []string{anybody}},
		{"of that App", func(s *Settings) { s.App, s.Required = 17, []RequiredStatus{{Name: "lockkeeper/gates", App: 17}} }, nil},
		{"archived", func(s *Settings) { s.Archived = true }, []string{"the repository is archived: nothing can be proposed or merged; unarchive it"}},
		{"no way to merge", func(s *Settings) { s.Methods = nil }, []string{"no way of merging is allowed, or the credentials may not see it: allow one under Settings > General > Pull Requests"}},
		{"no way to merge but the queue", func(s *Settings) { s.Methods, s.MergeQueue = nil, true }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			settings := good
			test.change(&settings)
			if diff := cmp.Diff(test.want, settings.Warnings()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
