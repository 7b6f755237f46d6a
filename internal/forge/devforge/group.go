package devforge

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// AddGroupMember gives a user an access level in a group, such as "acme/leads", which comes into being with its first member. It
// gives no access to projects here. Level 0 removes the user.
func (f *Forge) AddGroupMember(group, user string, level int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.tables.userNamed(user)
	if u == nil {
		return fmt.Errorf("member %q of group %q: %w", user, group, ErrNotFound)
	}
	if f.tables.Groups == nil {
		f.tables.Groups = map[string]map[int]int{}
	}
	if f.tables.Groups[group] == nil {
		f.tables.Groups[group] = map[int]int{}
	}
	f.tables.Groups[group][u.ID] = level
	if level == 0 {
		delete(f.tables.Groups[group], u.ID)
	}
	f.wrote()
	return nil
}

func listGroupMembers(c *call) (reply, error) {
	members, ok := c.forge.tables.Groups[c.PathValue("id")]
	if !ok {
		return reply{}, missing("Group")
	}
	query, err := c.params.text("query")
	if err != nil {
		return reply{}, err
	}
	var found []*User
	for _, id := range slices.Sorted(maps.Keys(members)) {
		if u := c.forge.tables.user(id); strings.Contains(strings.ToLower(u.Name), strings.ToLower(query)) {
			found = append(found, u)
		}
	}
	return shown(c, found, func(u *User) (memberEntity, error) {
		return memberEntity{
			userEntity: c.forge.showUser(u), AccessLevel: members[u.ID], CreatedAt: moment(u.CreatedAt), MembershipState: "active",
		}, nil
	})
}
