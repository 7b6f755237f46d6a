package devforge

import (
	"cmp"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

type versionEntity struct {
	Version    string `json:"version"`
	Revision   string `json:"revision"`
	Enterprise bool   `json:"enterprise"`
}

func getVersion(*call) (reply, error) {
	return reply{body: versionEntity{Version: version, Revision: "devforge"}}, nil
}

func getUser(c *call) (reply, error) {
	return reply{body: selfEntity{
		accountEntity: c.forge.showAccount(c.user), Email: c.user.email(), CommitEmail: c.user.email(),
	}}, nil
}

func listUsers(c *call) (reply, error) {
	wanted, err := c.params.text("username")
	if err != nil {
		return reply{}, err
	}
	var users []*User
	for _, u := range c.forge.tables.Users {
		if wanted == "" || strings.EqualFold(u.Name, wanted) {
			users = append(users, u)
		}
	}
	return shown(c, users, func(u *User) (userEntity, error) { return c.forge.showUser(u), nil })
}

func getUserByID(c *call) (reply, error) {
	id, err := c.number("user_id")
	if err != nil {
		return reply{}, err
	}
	u := c.forge.tables.user(id)
	if u == nil {
		return reply{}, missing("User")
	}
	return reply{body: c.forge.showAccount(u)}, nil
}

type tokenEntity struct {
	ID        int      `json:"id"`
	Name      string   `json:"name"`
	Revoked   bool     `json:"revoked"`
	CreatedAt moment   `json:"created_at"`
	Scopes    []string `json:"scopes"`
	UserID    int      `json:"user_id"`
	Active    bool     `json:"active"`
	ExpiresAt moment   `json:"expires_at"` // a time, as the description has it; many versions send the date alone
}

func getToken(c *call) (reply, error) {
	shown := tokenEntity{
		ID: c.user.ID, Name: c.user.Name, CreatedAt: moment(c.user.CreatedAt), Scopes: c.user.Scopes, UserID: c.user.ID, Active: true,
		ExpiresAt: moment(c.user.Expires),
	}
	if shown.Scopes == nil {
		shown.Scopes = []string{"api"}
	}
	return reply{body: shown}, nil
}

func listProjects(c *call) (reply, error) {
	var visible []*project
	for _, p := range c.forge.tables.Projects {
		if p.level(c.user) > 0 {
			visible = append(visible, p)
		}
	}
	return shown(c, visible, func(p *project) (projectEntity, error) { return c.forge.showProject(p, c.user), nil })
}

func getProject(c *call) (reply, error) {
	return reply{body: c.forge.showProject(c.project, c.user)}, nil
}

func updateProject(c *call) (reply, error) {
	next := c.project.Settings
	for name, setting := range map[string]*bool{
		"only_allow_merge_if_pipeline_succeeds":            &next.PipelineMustSucceed,
		"allow_merge_on_skipped_pipeline":                  &next.AllowSkippedPipeline,
		"only_allow_merge_if_all_discussions_are_resolved": &next.DiscussionsMustResolve,
		"remove_source_branch_after_merge":                 &next.RemoveSourceBranch,
		"merge_pipelines_enabled":                          &next.MergedResults,
		"merge_trains_enabled":                             &next.MergeTrains,
		"only_allow_merge_if_all_status_checks_passed":     &next.StatusChecksMustPass,
	} {
		if !c.params.has(name) {
			continue
		}
		value, err := c.params.boolean(name)
		if err != nil {
			return reply{}, err
		}
		*setting = value
	}
	method, err := c.params.oneOf("merge_method", "merge", "rebase_merge", "ff")
	if err != nil {
		return reply{}, err
	}
	if method != "" {
		next.MergeMethod = method
	}
	squash, err := c.params.oneOf("squash_option", "never", "always", "default_on", "default_off")
	if err != nil {
		return reply{}, err
	}
	next.SquashOption = cmp.Or(squash, next.SquashOption)
	c.project.Settings = next
	c.forge.wrote()
	return getProject(c)
}

func listMembers(c *call) (reply, error) {
	query, err := c.params.text("query")
	if err != nil {
		return reply{}, err
	}
	var members []*User
	for _, id := range slices.Sorted(maps.Keys(c.project.Members)) {
		if u := c.forge.tables.user(id); u != nil && strings.Contains(strings.ToLower(u.Name), strings.ToLower(query)) {
			members = append(members, u)
		}
	}
	return shown(c, members, func(u *User) (memberEntity, error) { return c.forge.showMember(c.project, u), nil })
}

func getMember(c *call) (reply, error) {
	id, err := c.number("user_id")
	if err != nil {
		return reply{}, err
	}
	u := c.forge.tables.user(id)
	if u == nil || c.project.Members[id] == 0 {
		return reply{}, missing("")
	}
	return reply{body: c.forge.showMember(c.project, u)}, nil
}

func listLabels(c *call) (reply, error) {
	labels := slices.Clone(c.project.Labels)
	slices.SortFunc(labels, func(a, b *label) int { return strings.Compare(a.Name, b.Name) })
	return shown(c, labels, showLabel)
}

var labelColor = regexp.MustCompile(`^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$|^[a-z]+$`)

func createLabel(c *call) (reply, error) {
	name, err := c.params.required("name")
	if err != nil {
		return reply{}, err
	}
	color, err := c.params.required("color")
	if err != nil {
		return reply{}, err
	}
	description, err := c.params.text("description")
	if err != nil {
		return reply{}, err
	}
	if !labelColor.MatchString(color) {
		return reply{}, refuse(http.StatusBadRequest, map[string][]string{"color": {"must be a valid color code"}})
	}
	if name == "" || len(name) > 255 || strings.Contains(name, ",") {
		return reply{}, refuse(http.StatusBadRequest, map[string][]string{"title": {"is invalid"}})
	}
	if c.project.label(name) != nil {
		return reply{}, refuse(http.StatusConflict, "Label already exists")
	}
	l := c.forge.addLabel(c.project, name)
	l.Color, l.Description = color, description
	c.forge.wrote()
	entity, err := showLabel(l)
	return reply{http.StatusCreated, entity}, err
}

// addLabel makes the label unless the project has it, in GitLab's default colour (app/models/label.rb).
func (f *Forge) addLabel(p *project, name string) *label {
	if known := p.label(name); known != nil {
		return known
	}
	l := &label{ID: f.tables.next("label"), Name: name, Color: "#6699cc", CreatedAt: f.now()}
	p.Labels = append(p.Labels, l)
	return l
}

type levelEntity struct {
	ID                     int    `json:"id"`
	AccessLevel            int    `json:"access_level"`
	AccessLevelDescription string `json:"access_level_description"`
}

type protectedEntity struct {
	ID                int           `json:"id"`
	Name              string        `json:"name"`
	PushAccessLevels  []levelEntity `json:"push_access_levels"`
	MergeAccessLevels []levelEntity `json:"merge_access_levels"`
	AllowForcePush    bool          `json:"allow_force_push"`
}

func showLevel(level int) []levelEntity {
	description := map[int]string{0: "No one", AccessDeveloper: "Developers + Maintainers", AccessMaintainer: "Maintainers"}[level]
	return []levelEntity{{ID: 1, AccessLevel: level, AccessLevelDescription: description}}
}

func showProtected(name string, guard protection) protectedEntity {
	return protectedEntity{ID: guard.ID, Name: name, PushAccessLevels: showLevel(guard.Push), MergeAccessLevels: showLevel(guard.Merge)}
}

func listProtected(c *call) (reply, error) {
	return shown(c, slices.Sorted(maps.Keys(c.project.Protected)), func(name string) (protectedEntity, error) {
		return showProtected(name, c.project.Protected[name]), nil
	})
}

func getProtected(c *call) (reply, error) {
	name := c.PathValue("name")
	guard, ok := c.project.Protected[name]
	if !ok {
		return reply{}, missing("")
	}
	return reply{body: showProtected(name, guard)}, nil
}
