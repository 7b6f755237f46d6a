package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/promote"
)

type user struct {
	ID       int    `json:"id"`
	Username string `json:"username"`
}

func (u *user) name() string {
	if u == nil {
		return ""
	}
	return u.Username
}

// me is whose token it is, asked once. What that author writes is ours and no command.
func (f *Forge) me(ctx context.Context) (user, error) {
	f.mu.Lock()
	known := f.self
	f.mu.Unlock()
	if known.ID != 0 {
		return known, nil
	}
	return f.askSelf(ctx)
}

// learn takes from an answer whose token it is: what was made just now has that user as its author.
func (f *Forge) learn(author user) {
	if author.ID == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.self = author
}

func (f *Forge) askSelf(ctx context.Context) (user, error) {
	var self struct {
		user
		Job user `json:"user"`
	}
	path := "user"
	if f.kind == JobToken {
		path = "job" // a job token knows its job, and that knows who began it
	}
	if _, err := f.get(ctx, request{name: "ask whose token it is", path: path}, &self); err != nil {
		return user{}, err
	}
	if f.kind == JobToken {
		self.user = self.Job
	}
	f.learn(self.user)
	return self.user, nil
}

// GitLab's access levels. There are others in between, and new ones come: compare, never enumerate.
const (
	levelGuest      = 10
	levelDeveloper  = 30
	levelMaintainer = 40
	levelOwner      = 50
)

// Permission returns what a person may do in the project, by direct, inherited and invited-group membership. A person without
// membership, with one that is not active or one that has expired may do nothing; that is no error. Whose ID is not known is
// looked for by name.
func (f *Forge) Permission(ctx context.Context, person promote.Person) (promote.Permission, error) {
	if person.ID == 0 {
		return f.permissionOf(ctx, strings.TrimPrefix(person.Name, "@"))
	}
	var found member
	_, err := f.get(ctx, request{
		name:    "read permission",
		subject: "of user " + strconv.Itoa(person.ID),
		path:    f.base + "/members/all/" + strconv.Itoa(person.ID),
	}, &found)
	if api, ok := errors.AsType[*promote.APIError](err); ok && api.Status == http.StatusNotFound && !strings.Contains(api.Message, textNoProject) {
		return promote.PermissionNone, nil
	}
	if err != nil {
		return promote.PermissionNone, err
	}
	return found.permission(f.now()), nil
}

// permissionOf is Permission by name. GitLab lists a person once for each membership; the highest counts, as it does there.
func (f *Forge) permissionOf(ctx context.Context, username string) (promote.Permission, error) {
	if username == "" {
		return promote.PermissionNone, nil
	}
	members, err := list[member](ctx, f, request{
		name: "read permission", subject: fmt.Sprintf("of user %q", username), path: f.base + "/members/all",
	}, func(page gl.ListOptions) any {
		return &gl.ListProjectMembersOptions{ListOptions: page, Query: new(username)}
	})
	if err != nil {
		return promote.PermissionNone, err
	}
	best := promote.PermissionNone
	for _, one := range members {
		if strings.EqualFold(one.Username, username) {
			best = max(best, one.permission(f.now()))
		}
	}
	return best, nil
}

// member is a membership, and whose it is.
type member struct {
	user
	membership
}

func (m member) permission(now time.Time) promote.Permission {
	if !m.active(now) {
		return promote.PermissionNone
	}
	return permission(m.AccessLevel)
}

// membership is what GitLab says of a member of a project or group.
type membership struct {
	State           string `json:"state"`            // of the account
	MembershipState string `json:"membership_state"` // of the membership; newer versions
	AccessLevel     int    `json:"access_level"`
	ExpiresAt       string `json:"expires_at"` // a date
}

func (m membership) active(now time.Time) bool {
	return m.State == "active" && (m.MembershipState == "" || m.MembershipState == "active") && !expired(m.ExpiresAt, now)
}

// expired follows GitLab: a membership ends with the beginning of its date. A date that cannot be read has passed.
func expired(date string, now time.Time) bool {
	if date == "" {
		return false
	}
	at, err := time.Parse(time.DateOnly, date)
	return err != nil || !now.Before(at)
}

func permission(level int) promote.Permission {
	switch {
	case level >= levelOwner:
		return promote.PermissionAdmin
	case level >= levelMaintainer:
		return promote.PermissionMaintain
	case level >= levelDeveloper:
		return promote.PermissionWrite
	case level >= levelGuest:
		return promote.PermissionRead
	default:
		return promote.PermissionNone
	}
}
