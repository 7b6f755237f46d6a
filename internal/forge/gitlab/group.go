package gitlab

import (
	"context"
	"fmt"
	"strings"

	gl "github.com/xanzy/go-gitlab"
)

// InGroup reports whether a person belongs to a group, directly or by inheritance. Memberships that are not active do not count.
func (f *Forge) InGroup(ctx context.Context, group, username string) (bool, error) {
	username = strings.TrimPrefix(username, "@")
	var members []struct {
		user
		State           string `json:"state"`
		MembershipState string `json:"membership_state"`
		ExpiresAt       string `json:"expires_at"`
	}
	_, err := f.get(ctx, request{
		name: "list members", subject: fmt.Sprintf("of group %q", group), path: "groups/" + gl.PathEscape(strings.Trim(group, "/")) + "/members/all",
		options: &gl.ListGroupMembersOptions{ListOptions: gl.ListOptions{PerPage: perPage}, Query: new(username)},
	}, &members)
	if err != nil {
		return false, err
	}
	for _, member := range members {
		active := member.State == "active" && (member.MembershipState == "" || member.MembershipState == "active")
		if strings.EqualFold(member.Username, username) && active && !expired(member.ExpiresAt, f.now()) {
			return true, nil
		}
	}
	return false, nil
}
