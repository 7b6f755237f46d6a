package gitlab

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestPermission(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer answer
		want   promote.Permission
		is     error
	}{
		{"an owner", answer{Status: 200, Body: `{"id":5,"state":"active","access_level":50}`}, promote.PermissionAdmin, nil},
		{"a maintainer", answer{Status: 200, Body: `{"id":5,"state":"active","access_level":40}`}, promote.PermissionMaintain, nil},
		{"a developer", answer{Status: 200, Body: `{"id":5,"state":"active","access_level":30}`}, promote.PermissionWrite, nil},
		{"a level of tomorrow, between", answer{Status: 200, Body: `{"id":5,"state":"active","access_level":35}`}, promote.PermissionWrite, nil},
		{"a reporter", answer{Status: 200, Body: `{"id":5,"state":"active","access_level":20}`}, promote.PermissionRead, nil},
		{"a planner", answer{Status: 200, Body: `{"id":5,"state":"active","access_level":15}`}, promote.PermissionRead, nil},
		{"a guest", answer{Status: 200, Body: `{"id":5,"state":"active","access_level":10}`}, promote.PermissionRead, nil},
		{"minimal access", answer{Status: 200, Body: `{"id":5,"state":"active","access_level":5}`}, promote.PermissionNone, nil},
		{"a blocked owner", answer{Status: 200, Body: `{"id":5,"state":"blocked","access_level":50}`}, promote.PermissionNone, nil},
		{"an owner awaiting approval", answer{Status: 200, Body: `{"id":5,"state":"active","membership_state":"awaiting","access_level":50}`}, promote.PermissionNone, nil},
		{"a developer until tomorrow", answer{Status: 200, Body: `{"id":5,"state":"active","access_level":30,"expires_at":"2026-11-22"}`}, promote.PermissionWrite, nil},
		{"a developer until today", answer{Status: 200, Body: `{"id":5,"state":"active","access_level":30,"expires_at":"2026-11-21"}`}, promote.PermissionNone, nil},
		{"a developer until nobody knows when", answer{Status: 200, Body: `{"id":5,"state":"active","access_level":30,"expires_at":"soon"}`}, promote.PermissionNone, nil},
		{"a developer for ever", answer{Status: 200, Body: `{"id":5,"state":"active","access_level":30,"expires_at":null}`}, promote.PermissionWrite, nil},
		{"an answer that says nothing", answer{Status: 200, Body: `{}`}, promote.PermissionNone, nil},
		{"no member", answer{Status: 404, Body: `{"message":"404 Not found"}`}, promote.PermissionNone, nil},
		{"no project, which is a mistake of ours", answer{Status: 404, Body: `{"message":"404 Project Not Found"}`}, promote.PermissionNone, promote.ErrNotFound},
		{"the token may not ask", answer{Status: 403, Body: `{}`}, promote.PermissionNone, promote.ErrForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, map[string][]answer{"GET " + project + "/members/all/5": {test.answer}})
			got, err := f.Permission(t.Context(), promote.Person{ID: 5})
			if got != test.want || !errors.Is(err, test.is) {
				t.Errorf("got %s, %v; want %s, %v", got, err, test.want, test.is)
			}
		})
	}
}

func TestPermissionByName(t *testing.T) {
	for _, test := range []struct {
		name, person string
		answer       answer
		want         promote.Permission
		is           error
	}{
		{"one membership", "lea", answer{Status: 200, Body: `[{"id":5,"username":"lea","state":"active","access_level":30}]`}, promote.PermissionWrite, nil},
		{"in another case", "@Lea", answer{Status: 200, Body: `[{"id":5,"username":"lea","state":"active","access_level":40}]`}, promote.PermissionMaintain, nil},
		{"the highest of several", "lea", answer{Status: 200, Body: `[{"id":5,"username":"lea","state":"active","access_level":20},{"id":5,"username":"lea","state":"active","access_level":40}]`}, promote.PermissionMaintain, nil},
		{"somebody of a longer name", "lea", answer{Status: 200, Body: `[{"id":6,"username":"leander","state":"active","access_level":50}]`}, promote.PermissionNone, nil},
		{"a blocked account", "lea", answer{Status: 200, Body: `[{"id":5,"username":"lea","state":"blocked","access_level":50}]`}, promote.PermissionNone, nil},
		{"an expired membership", "lea", answer{Status: 200, Body: `[{"id":5,"username":"lea","state":"active","access_level":50,"expires_at":"2026-11-21"}]`}, promote.PermissionNone, nil},
		{"nobody", "lea", answer{Status: 200, Body: `[]`}, promote.PermissionNone, nil},
		{"the token may not ask", "lea", answer{Status: 403, Body: `{}`}, promote.PermissionNone, promote.ErrForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, map[string][]answer{"GET " + project + "/members/all": {test.answer}})
			got, err := f.Permission(t.Context(), promote.Person{Name: test.person})
			if got != test.want || !errors.Is(err, test.is) {
				t.Errorf("got %s, %v; want %s, %v", got, err, test.want, test.is)
			}
		})
	}
}

func TestAccountsOfTokensAreBots(t *testing.T) {
	for name, want := range map[string]bool{
		"project_12_bot_0a1b": true, "group_7_bot": true, "project_12_bot2": true, "lea": false, "project_manager_bot": false, "my_project_12_bot": false,
	} {
		if got := (note{Author: user{ID: 9, Username: name}}).note(user{ID: 1}).Bot; got != want {
			t.Errorf("%s: bot %t, want %t", name, got, want)
		}
	}
}

func TestWhoseTokenItIsIsAskedOnce(t *testing.T) {
	f, _ := play(t, map[string][]answer{"GET /api/v4/user": {{Status: 401}, bot}})
	if _, err := f.me(t.Context()); !errors.Is(err, promote.ErrUnauthorized) {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if self, err := f.me(t.Context()); self.ID != 42 || err != nil {
			t.Errorf("got %+v, %v", self, err)
		}
	}
}

func TestSettingsAndTheirWarnings(t *testing.T) {
	const names = `"id":5,"path_with_namespace":"group/project","default_branch":"main"`
	good := Settings{PipelinesMustSucceed: true}
	weak := Settings{SkippedIsSuccess: true, Archived: true}
	merged := Settings{PipelinesMustSucceed: true, MergedResults: true}
	for _, test := range []struct {
		name     string
		body     string
		want     Settings
		warnings []string
	}{
		{"the gates hold", `{` + names + `,"only_allow_merge_if_pipeline_succeeds":true,"allow_merge_on_skipped_pipeline":null}`, good, nil},
		{
			"they hold, on the result of the merge",
			`{` + names + `,"only_allow_merge_if_pipeline_succeeds":true,"merge_pipelines_enabled":true}`, merged, nil,
		},
		{
			"they do not", `{` + names + `,"only_allow_merge_if_pipeline_succeeds":false,"allow_merge_on_skipped_pipeline":true,"archived":true}`, weak,
			[]string{"the project is archived", "a red status blocks nothing", "a skipped pipeline passes the gates"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, map[string][]answer{"GET " + project: {{Status: 200, Body: test.body}}})
			got, err := f.Settings(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			var warnings []string
			for _, warning := range got.Warnings() {
				what, _, _ := strings.Cut(warning, ":")
				what, _, _ = strings.Cut(what, ",")
				warnings = append(warnings, what)
			}
			if diff := cmp.Diff(test.warnings, warnings); diff != "" {
				t.Error(diff)
			}
		})
	}
}
