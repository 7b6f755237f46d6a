package devforge

import (
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

func (f *Forge) showPerson(u *User) object {
	kind, page := "User", f.url+"/"+u.Name
	if name, isBot := strings.CutSuffix(u.Name, "[bot]"); isBot {
		kind, page = "Bot", f.url+"/apps/"+name
	}
	return f.account(u.Name, u.ID, kind).with(object{"html_url": page})
}

func (f *Forge) account(login string, id int, kind string) object {
	api := f.apiURL("/users/%s", url.PathEscape(login))
	return object{
		"login": login, "id": id, "node_id": nodeID("U", id), "avatar_url": f.url + "/avatars/" + url.PathEscape(login), "gravatar_id": "",
		"url": api, "html_url": f.url + "/" + login, "followers_url": api + "/followers", "following_url": api + "/following{/other_user}",
		"gists_url": api + "/gists{/gist_id}", "starred_url": api + "/starred{/owner}{/repo}", "subscriptions_url": api + "/subscriptions",
		"organizations_url": api + "/orgs", "repos_url": api + "/repos", "events_url": api + "/events{/privacy}",
		"received_events_url": api + "/received_events", "type": kind, "site_admin": false,
	}
}

// showPersonID is null for nobody.
func (f *Forge) showPersonID(id int) any {
	if u := f.tables.user(id); u != nil {
		return f.showPerson(u)
	}
	return nil
}

func (f *Forge) showPeople(ids []int) []object {
	shown := []object{}
	for _, id := range ids {
		if u := f.tables.user(id); u != nil {
			shown = append(shown, f.showPerson(u))
		}
	}
	return shown
}

// showOwner is the owner of a repository: the user of that name, or an organisation, whose number is made of its name.
func (f *Forge) showOwner(name string) object {
	if u := f.tables.userNamed(name); u != nil {
		return f.showPerson(u)
	}
	return f.account(name, organizationID(name), "Organization")
}

func organizationID(name string) int {
	return int(crc32.ChecksumIEEE([]byte(strings.ToLower(name))) >> 1)
}

// association is how the author of a text belongs to the repository (GraphQL, CommentAuthorAssociation).
func (p *project) association(u *User) string {
	switch {
	case u == nil || p.level(u) == 0:
		return "NONE"
	case strings.EqualFold(p.namespace(), u.Name):
		return "OWNER"
	}
	return "COLLABORATOR"
}

func (f *Forge) showProfile(u *User) object {
	return f.showPerson(u).with(object{
		"user_view_type": "public", "name": u.Name, "company": nil, "blog": "", "location": nil, "email": nil, "hireable": nil, "bio": nil, "public_repos": 0,
		"public_gists": 0, "followers": 0, "following": 0, "created_at": stamp(u.CreatedAt), "updated_at": stamp(u.CreatedAt),
	})
}

func getSelf(c *githubCall) (reply, error) {
	if c.token != nil {
		return reply{}, githubRefusal(http.StatusForbidden, "Resource not accessible by integration")
	}
	c.header.Set("X-OAuth-Scopes", "repo, admin:repo_hook, read:org")
	return reply{body: c.forge.showProfile(c.user).with(object{
		"user_view_type": "private", "private_gists": 0, "total_private_repos": 0, "owned_private_repos": 0, "disk_usage": 0, "collaborators": 0,
		"two_factor_authentication": true,
	})}, nil
}

func getUserNamed(c *githubCall) (reply, error) {
	u := c.forge.tables.userNamed(c.PathValue("username"))
	if u == nil {
		return reply{}, notFound()
	}
	return reply{body: c.forge.showProfile(u)}, nil
}

// getPermission tells the access of any account; those without any have the permission "none".
func getPermission(c *githubCall) (reply, error) {
	u := c.forge.tables.userNamed(c.PathValue("username"))
	if u == nil {
		return reply{}, githubRefusal(http.StatusNotFound, "%s is not a user", c.PathValue("username"))
	}
	level := c.project.githubLevel(u)
	name, permission := role(level)
	return reply{body: object{
		"permission": permission, "role_name": name,
		"user": c.forge.showPerson(u).with(object{"role_name": name, "permissions": permissions(level)}),
	}}, nil
}

func permissions(level int) object {
	return object{
		"pull": level > 0, "triage": level >= AccessTriage, "push": level >= AccessDeveloper, "maintain": level >= AccessMaintainer,
		"admin": level >= AccessOwner,
	}
}

func checkCollaborator(c *githubCall) (reply, error) {
	if u := c.forge.tables.userNamed(c.PathValue("username")); u == nil || c.project.level(u) == 0 {
		return reply{}, notFound()
	}
	return reply{status: http.StatusNoContent}, nil
}

// CreateTeam makes a team of an organisation, such as "acme" and "release", or replaces its members.
func (f *Forge) CreateTeam(org, slug string, members ...string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	made := f.tables.GitHub.team(org, slug)
	if made == nil {
		made = &team{ID: f.tables.next("team"), Org: org, Slug: slug}
		f.tables.GitHub.Teams = append(f.tables.GitHub.Teams, made)
	}
	made.Members = nil
	for _, name := range members {
		u := f.tables.userNamed(name)
		if u == nil {
			return fmt.Errorf("member %q of team %q: %w", name, slug, ErrNotFound)
		}
		made.Members = append(made.Members, u.ID)
	}
	f.wrote()
	return nil
}

// getTeamMembership hides teams from Apps that may not read members, and from strangers to the organisation.
func getTeamMembership(c *githubCall) (reply, error) {
	if c.token != nil && !c.token.may("members:read") {
		return reply{}, githubRefusal(http.StatusForbidden, "Resource not accessible by integration")
	}
	t, u := c.forge.tables.GitHub.team(c.PathValue("org"), c.PathValue("slug")), c.forge.tables.userNamed(c.PathValue("username"))
	if t == nil || u == nil || !slices.Contains(t.Members, u.ID) || !c.belongsTo(t.Org) {
		return reply{}, notFound()
	}
	return reply{body: object{
		"url":  c.forge.apiURL("/organizations/%d/team/%d/memberships/%s", organizationID(t.Org), t.ID, u.Name),
		"role": "member", "state": "active",
	}}, nil
}

func (c *githubCall) belongsTo(org string) bool {
	return slices.ContainsFunc(c.forge.tables.Projects, func(p *project) bool {
		return strings.EqualFold(p.namespace(), org) && (p.level(c.user) > 0 || c.token != nil && c.token.reaches(c.forge, p))
	})
}

func (f *Forge) showTeam(t *team) object {
	api := f.apiURL("/organizations/%d/team/%d", organizationID(t.Org), t.ID)
	return object{
		"id": t.ID, "node_id": nodeID("T", t.ID), "name": t.Slug, "slug": t.Slug, "description": nil, "privacy": "closed",
		"notification_setting": "notifications_enabled", "url": api, "html_url": f.url + "/orgs/" + t.Org + "/teams/" + t.Slug,
		"members_url": api + "/members{/member}", "repositories_url": api + "/repos", "permission": "pull", "parent": nil,
	}
}
