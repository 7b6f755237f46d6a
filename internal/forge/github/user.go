package github

import (
	"context"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

type user struct {
	ID    int    `json:"id"`
	Login string `json:"login"`
}

func (u *user) name() string {
	if u == nil {
		return ""
	}
	return u.Login
}

// is says whether two accounts are the same. Logins change hands when people rename themselves; IDs do not. Only the "[bot]" of an
// App stands for one that is not known: no person can have a login with brackets.
func (u user) is(other user) bool {
	if u.ID != 0 && other.ID != 0 {
		return u.ID == other.ID
	}
	return u.Login != "" && strings.EqualFold(u.Login, other.Login)
}

// Self returns the account that the Forge writes as, asked once: its user, or "<slug>[bot]" for an App.
func (f *Forge) Self(ctx context.Context) (promote.Person, error) {
	self, err := f.me(ctx)
	return promote.Person{ID: self.ID, Name: self.Login}, err
}

// me is whose token it is, asked once. What that author writes is ours and no command.
func (f *Forge) me(ctx context.Context) (user, error) {
	f.mu.Lock()
	known := f.self
	f.mu.Unlock()
	if known.Login != "" {
		return known, nil
	}
	self, err := f.askSelf(ctx)
	if err == nil {
		f.learnSelf(self)
	}
	return self, err
}

// learnSelf keeps whose credentials these are. The answers to our own writes say it, too.
func (f *Forge) learnSelf(self user) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if self.ID != 0 || f.self.Login == "" {
		f.self = self
	}
}

const viewerQuery = `query Viewer { viewer { login databaseId } }`

// askSelf asks by GraphQL: REST tells the tokens of Apps, that of GitHub Actions among them, nothing about themselves.
func (f *Forge) askSelf(ctx context.Context) (user, error) {
	if f.app != nil {
		slug, err := f.app.slug(ctx)
		return user{Login: slug + "[bot]"}, err
	}
	var answer struct {
		Viewer struct {
			Login      string `json:"login"`
			DatabaseID int    `json:"databaseId"`
		} `json:"viewer"`
	}
	if err := f.graphql(ctx, query{name: "ask whose token it is", text: viewerQuery}, &answer); err != nil {
		return user{}, err
	}
	return user{ID: answer.Viewer.DatabaseID, Login: answer.Viewer.Login}, nil
}
