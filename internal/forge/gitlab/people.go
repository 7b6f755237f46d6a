package gitlab

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	gl "github.com/xanzy/go-gitlab"
)

const (
	maxPeople   = 20 // of one change, each as assignee and reviewer
	maxAccounts = 1000
	accountLast = time.Hour // how long it is believed that a name is somebody's, or nobody's
)

// account is what was found out about a user name.
type account struct {
	id int // 0: nobody has the name
	at time.Time
}

// people returns the numbers of people by their names, nil when there are none. A name that cannot be found is left out with a
// warning: a change without its reviewer is better than none.
func (f *Forge) people(ctx context.Context, names []string) *[]int {
	var ids []int
	if len(names) > maxPeople {
		f.wire.Logger.WarnContext(ctx, "gitlab: more people than one change is given", "given", len(names), "used", maxPeople)
		names = names[:maxPeople]
	}
	for _, name := range names {
		id, err := f.account(ctx, strings.TrimPrefix(strings.TrimSpace(name), "@"))
		switch {
		case err != nil:
			f.wire.Logger.WarnContext(ctx, "gitlab: a person cannot be looked up", "name", name, "error", err)
		case id == 0:
			f.wire.Logger.WarnContext(ctx, "gitlab: nobody has the name", "name", name, "remedy", "give the user name as GitLab shows it behind the @")
		case !slices.Contains(ids, id):
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return &ids
}

// account returns the number of the user of that name, 0 when there is none.
func (f *Forge) account(ctx context.Context, name string) (int, error) {
	key := strings.ToLower(name)
	f.mu.Lock()
	known, ok := f.accounts[key]
	f.mu.Unlock()
	if ok && f.now().Sub(known.at) < accountLast || name == "" {
		return known.id, nil
	}
	var found []user
	_, err := f.get(ctx, request{
		name: "look up user", subject: strconv.Quote(name), method: http.MethodGet, path: "users",
		options: &gl.ListUsersOptions{Username: new(name)},
	}, &found)
	if err != nil {
		return 0, err
	}
	known = account{at: f.now()}
	for _, u := range found {
		if strings.EqualFold(u.Username, name) {
			known.id = u.ID
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.accounts) >= maxAccounts {
		clear(f.accounts) // Forgetting costs one request each.
	}
	f.accounts[key] = known
	return known.id, nil
}
