package devforge

import (
	"fmt"
	"net/http"
	"time"
)

// protectBranch protects one branch by name. Patterns are kept, and protect nothing here. Without levels Maintainers may push and
// merge (doc/api/protected_branches.md).
func protectBranch(c *call) (reply, error) {
	name, err := c.params.required("name")
	if err != nil {
		return reply{}, err
	}
	if _, protected := c.project.Protected[name]; protected {
		return reply{}, refuse(http.StatusConflict, fmt.Sprintf("Protected branch '%s' already exists", name))
	}
	guard := protection{Push: AccessMaintainer, Merge: AccessMaintainer}
	for param, level := range map[string]*int{"push_access_level": &guard.Push, "merge_access_level": &guard.Merge} {
		if !c.params.has(param) {
			continue
		}
		if *level, err = c.params.integer(param); err != nil {
			return reply{}, err
		}
		switch *level {
		case 0, AccessDeveloper, AccessMaintainer, 60:
		default:
			return reply{}, invalid("%s does not have a valid value", param)
		}
	}
	guard = c.forge.protect(c.project, name, guard)
	c.forge.wrote()
	return reply{http.StatusCreated, showProtected(name, guard)}, nil
}

func unprotectBranch(c *call) (reply, error) {
	name := c.PathValue("name")
	if _, protected := c.project.Protected[name]; !protected {
		return reply{}, missing("")
	}
	delete(c.project.Protected, name)
	c.forge.wrote()
	return reply{status: http.StatusNoContent}, nil
}

// LimitToken says what the token of a user is for, and when it ends. No scopes mean api, a zero time means never. It is shown to
// who asks about the token; requests are served all the same.
func (f *Forge) LimitToken(user string, scopes []string, expires time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.tables.userNamed(user)
	if u == nil {
		return fmt.Errorf("user %q: %w", user, ErrNotFound)
	}
	u.Scopes, u.Expires = scopes, expires
	f.wrote()
	return nil
}
