package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// Permission returns what a person may do in the repository now, by whatever way. GitHub asks by name, and names change hands: when
// the account of that name is not the one of the person's ID, it is somebody else's, and the person may do nothing. Nor may one whom
// GitHub does not know; neither is an error. On public repositories everybody may read.
func (f *Forge) Permission(ctx context.Context, person promote.Person) (promote.Permission, error) {
	if person.Name == "" {
		return promote.PermissionNone, fmt.Errorf("github: read permission of user %d: the name is required: %w", person.ID, promote.ErrInvalid)
	}
	var level struct {
		Permission string `json:"permission"`
		RoleName   string `json:"role_name"`
		User       *struct {
			ID          int             `json:"id"`
			Permissions map[string]bool `json:"permissions"`
		} `json:"user"`
	}
	_, err := f.get(ctx, request{
		name:    "read permission",
		subject: "of " + strconv.Quote(person.Name),
		path:    f.base + "/collaborators/" + url.PathEscape(person.Name) + "/permission",
	}, &level)
	if notThere(err) {
		return promote.PermissionNone, nil
	}
	if err != nil {
		return promote.PermissionNone, err
	}
	if person.ID != 0 && (level.User == nil || level.User.ID != person.ID) {
		return promote.PermissionNone, nil
	}
	found := permission(level.Permission)
	if level.RoleName == "maintain" && found == promote.PermissionWrite || level.User != nil && found == promote.PermissionWrite && level.User.Permissions["maintain"] {
		found = promote.PermissionMaintain
	}
	return found, nil
}

// permission reads the words of the field that knows four of them only: it says "write" for "maintain" and "read" for "triage". The
// roles that organizations make for themselves are there as what they are based on. A word that is new to us permits nothing.
func permission(word string) promote.Permission {
	switch word {
	case "admin":
		return promote.PermissionAdmin
	case "maintain":
		return promote.PermissionMaintain
	case "write":
		return promote.PermissionWrite
	case "read", "triage":
		return promote.PermissionRead
	}
	return promote.PermissionNone
}

// InGroup reports whether a person belongs to a team, "org/team", or to one below it. An invitation that was not accepted is no
// membership. The credentials need to see the organization's members.
func (f *Forge) InGroup(ctx context.Context, group, person string) (bool, error) {
	org, team, ok := strings.Cut(strings.Trim(strings.TrimPrefix(group, "@"), "/"), "/")
	person = strings.TrimPrefix(person, "@")
	if !ok || org == "" || team == "" || strings.Contains(team, "/") || person == "" {
		return false, fmt.Errorf("github: look for %q in %q: expected a name, and a team as org/team: %w", person, group, promote.ErrInvalid)
	}
	var membership struct {
		State string `json:"state"`
	}
	_, err := f.get(ctx, request{
		name:    "read membership",
		subject: fmt.Sprintf("of %q in team %q", person, org+"/"+team),
		path:    "orgs/" + url.PathEscape(org) + "/teams/" + url.PathEscape(team) + "/memberships/" + url.PathEscape(person),
	}, &membership)
	if notThere(err) {
		return false, nil
	}
	return err == nil && membership.State == "active", err
}

func notThere(err error) bool {
	api, ok := errors.AsType[*promote.APIError](err)
	return ok && api.Status == http.StatusNotFound
}
