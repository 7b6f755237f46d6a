package gitlab

import (
	"context"
	"fmt"
	"strings"

	gl "github.com/xanzy/go-gitlab"
)

// InGroup reports whether a person belongs to a group, directly or by inheritance. Memberships that are not active do not count.
// The error wraps promote.ErrNotFound for a group that the token's user may not see.
func (f *Forge) InGroup(ctx context.Context, group, username string) (bool, error) {
	username = strings.TrimPrefix(username, "@")
	if group == "" || username == "" {
		return false, nil
	}
	type groupMember struct {
		user
		membership
	}
	members, err := list[groupMember](ctx, f, request{
		name: "list members", subject: fmt.Sprintf("of group %q", group), path: "groups/" + gl.PathEscape(strings.Trim(group, "/")) + "/members/all",
	}, func(page gl.ListOptions) any {
		return &gl.ListGroupMembersOptions{ListOptions: page, Query: new(username)}
	})
	if err != nil {
		return false, err
	}
	for _, member := range members {
		if strings.EqualFold(member.Username, username) && member.active(f.now()) {
			return true, nil
		}
	}
	return false, nil
}
