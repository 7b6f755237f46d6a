package github

import (
	"errors"
	"testing"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestPermission(t *testing.T) {
	lea := promote.Person{ID: 5, Name: "lea"}
	for _, test := range []struct {
		name   string
		person promote.Person
		answer answer
		want   promote.Permission
		is     error
	}{
		{"admin", lea, ok(`{"permission":"admin","role_name":"admin","user":{"id":5}}`), promote.PermissionAdmin, nil},
		{"maintain, which the old field calls write", lea, ok(`{"permission":"write","role_name":"maintain","user":{"id":5}}`), promote.PermissionMaintain, nil},
		{"maintain, by the list of permissions", lea, ok(`{"permission":"write","user":{"id":5,"permissions":{"maintain":true,"push":true}}}`), promote.PermissionMaintain, nil},
		{"write", lea, ok(`{"permission":"write","role_name":"write","user":{"id":5,"permissions":{"maintain":false,"push":true}}}`), promote.PermissionWrite, nil},
		{"a role of the organization, based on write", lea, ok(`{"permission":"write","role_name":"deployer","user":{"id":5}}`), promote.PermissionWrite, nil},
		{"a role of the organization that is called maintain but only reads", lea, ok(`{"permission":"read","role_name":"maintain","user":{"id":5}}`), promote.PermissionRead, nil},
		{"triage", lea, ok(`{"permission":"read","role_name":"triage","user":{"id":5}}`), promote.PermissionRead, nil},
		{"read", lea, ok(`{"permission":"read","role_name":"read","user":{"id":5}}`), promote.PermissionRead, nil},
		{"none", lea, ok(`{"permission":"none","role_name":"none","user":{"id":5}}`), promote.PermissionNone, nil},
		{"a word that is new", lea, ok(`{"permission":"rule","user":{"id":5}}`), promote.PermissionNone, nil},
		{"somebody else has the name now", lea, ok(`{"permission":"admin","role_name":"admin","user":{"id":6}}`), promote.PermissionNone, nil},
		{"an account that is not said", lea, ok(`{"permission":"admin","role_name":"admin","user":null}`), promote.PermissionNone, nil},
		{"an ID that is not known", promote.Person{Name: "lea"}, ok(`{"permission":"admin","user":{"id":6}}`), promote.PermissionAdmin, nil},
		{"nobody", lea, answer{Status: 404, Body: `{"message":"lea is not a user"}`}, promote.PermissionNone, nil},
		{"GitHub does not say", lea, answer{Status: 403, Body: `{"message":"Must have push access to view collaborator permission."}`}, promote.PermissionNone, promote.ErrForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, map[string][]answer{"GET …/collaborators/lea/permission": {test.answer}})
			got, err := f.Permission(t.Context(), test.person)
			if got != test.want || !errors.Is(err, test.is) || (err == nil) != (test.is == nil) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	f, s := play(t, map[string][]answer{"GET …/collaborators/..%2Fx/permission": {{Status: 404}}})
	if _, err := f.Permission(t.Context(), promote.Person{ID: 5}); !errors.Is(err, promote.ErrInvalid) {
		t.Errorf("without a name: %v", err)
	}
	if got, err := f.Permission(t.Context(), promote.Person{ID: 5, Name: "../x"}); got != promote.PermissionNone || err != nil {
		t.Errorf("got %v, %v by %v", got, err, s.Routes())
	}
}

func TestInGroup(t *testing.T) {
	const path = "GET /orgs/acme/teams/ops/memberships/lea"
	for _, test := range []struct {
		name   string
		group  string
		answer answer
		want   bool
		is     error
	}{
		{"a member", "acme/ops", ok(`{"state":"active","role":"member"}`), true, nil},
		{"as people mention teams", "@acme/ops", ok(`{"state":"active","role":"maintainer"}`), true, nil},
		{"invited only", "acme/ops", ok(`{"state":"pending"}`), false, nil},
		{"no member", "acme/ops", answer{Status: 404, Body: `{"message":"Not Found"}`}, false, nil},
		{"members may not be seen", "acme/ops", answer{Status: 403, Body: `{"message":"Resource not accessible by integration"}`}, false, promote.ErrForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, map[string][]answer{path: {test.answer}})
			got, err := f.InGroup(t.Context(), test.group, "@lea")
			if got != test.want || !errors.Is(err, test.is) || (err == nil) != (test.is == nil) {
				t.Errorf("got %t, %v", got, err)
			}
		})
	}
	for _, group := range []string{"", "acme", "acme/", "/ops", "acme/ops/more"} {
		f, _ := play(t, nil)
		if got, err := f.InGroup(t.Context(), group, "lea"); got || !errors.Is(err, promote.ErrInvalid) {
			t.Errorf("%q: got %t, %v", group, got, err)
		}
	}
}
