package devforge

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// App is a GitHub App to be made.
type App struct {
	Name        string            // required; its bot is called by it in lower case, with "[bot]" behind
	Key         *rsa.PublicKey    // required; checks its JSON web tokens
	Permissions map[string]string // such as "checks": "write"; what is missing is refused with 403
	Hook        Hook              // of the App; events of every installation go there
}

// app is a registered App.
type app struct {
	ID          int               `json:"id"`
	Name        string            `json:"name"`
	Slug        string            `json:"slug"`
	Key         string            `json:"key"` // PEM
	Bot         int               `json:"bot"`
	Permissions map[string]string `json:"permissions"`
	Hook        *hookRecord       `json:"hook"`
	CreatedAt   time.Time         `json:"created_at"`
}

type installation struct {
	ID        int       `json:"id"`
	App       int       `json:"app"`
	Account   string    `json:"account"`
	Projects  []int     `json:"projects"`
	CreatedAt time.Time `json:"created_at"`
	Suspended time.Time `json:"suspended"`
}

// appToken acts for an installation, for an hour.
type appToken struct {
	Token        string            `json:"token"`
	Installation int               `json:"installation"`
	Permissions  map[string]string `json:"permissions"`
	Projects     []int             `json:"projects"`
	Expires      time.Time         `json:"expires"`
}

const appTokenLife = time.Hour

func (t *appToken) reaches(_ *Forge, p *project) bool { return slices.Contains(t.Projects, p.ID) }

// may says whether one of the grants, such as "issues:write|pull_requests:write", is given.
func (t *appToken) may(grants string) bool {
	if grants == "" || grants == "metadata:read" {
		return true
	}
	return slices.ContainsFunc(strings.Split(grants, "|"), func(grant string) bool {
		name, level, _ := strings.Cut(grant, ":")
		given := t.Permissions[name]
		return given == "admin" || given == "write" || given == "read" && level == "read"
	})
}

// CreateApp registers an App and returns its ID. Its webhook gets all events that need no installation as well.
func (f *Forge) CreateApp(a App) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a.Name == "" || a.Key == nil {
		return 0, errors.New("app: it needs a name and a public key")
	}
	key, err := x509.MarshalPKIXPublicKey(a.Key)
	if err != nil {
		return 0, fmt.Errorf("app %q: %w", a.Name, err)
	}
	if a.Hook.URL != "" {
		if err := a.Hook.check(); err != nil {
			return 0, err
		}
	}
	if len(a.Hook.Events) == 0 {
		a.Hook.Events = GitHub.hookEvents()
	}
	slug := strings.ReplaceAll(strings.ToLower(a.Name), " ", "-")
	bot := &User{ID: f.tables.next("user"), Name: slug + "[bot]", CreatedAt: f.now()}
	f.tables.Users = append(f.tables.Users, bot)
	made := &app{
		ID: f.tables.next("app"), Name: a.Name, Slug: slug, Bot: bot.ID, Permissions: maps.Clone(a.Permissions), CreatedAt: f.now(),
		Key:  string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: key})),
		Hook: &hookRecord{ID: f.tables.next("hook"), Hook: a.Hook, Created: f.now()},
	}
	f.tables.GitHub.Apps = append(f.tables.GitHub.Apps, made)
	f.wrote()
	return made.ID, nil
}

// InstallApp gives an App access to repositories of one owner, and returns the installation's ID.
func (f *Forge) InstallApp(appID int, paths ...string) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.tables.GitHub.app(appID)
	if a == nil || len(paths) == 0 {
		return 0, fmt.Errorf("app %d in %q: %w", appID, paths, ErrNotFound)
	}
	in := &installation{App: a.ID, CreatedAt: f.now()}
	for _, path := range paths {
		p := f.tables.projectAt(path)
		if p == nil {
			return 0, fmt.Errorf("repository %q: %w", path, ErrNotFound)
		}
		if in.Account != "" && in.Account != p.namespace() {
			return 0, fmt.Errorf("repository %q: an installation has one owner, here %q", path, in.Account)
		}
		in.Account, in.Projects = p.namespace(), append(in.Projects, p.ID)
		p.Members[a.Bot] = AccessDeveloper
	}
	in.ID = f.tables.next("installation")
	f.tables.GitHub.Installations = append(f.tables.GitHub.Installations, in)
	f.wrote()
	return in.ID, f.sendInstallation(a, in, "created")
}

// SuspendApp suspends an installation, or takes the suspension back: its tokens are refused meanwhile.
func (f *Forge) SuspendApp(installationID int, suspended bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	in := f.tables.GitHub.installation(installationID)
	if in == nil {
		return fmt.Errorf("installation %d: %w", installationID, ErrNotFound)
	}
	action := "unsuspend"
	in.Suspended = time.Time{}
	if suspended {
		action, in.Suspended = "suspend", f.now()
	}
	f.wrote()
	return f.sendInstallation(f.tables.GitHub.app(in.App), in, action)
}

func (t *githubTables) app(id int) *app {
	for _, a := range t.Apps {
		if a.ID == id {
			return a
		}
	}
	return nil
}

func (t *githubTables) appOf(bot int) *app {
	for _, a := range t.Apps {
		if a.Bot == bot {
			return a
		}
	}
	return nil
}

func (t *githubTables) installation(id int) *installation {
	for _, in := range t.Installations {
		if in.ID == id {
			return in
		}
	}
	return nil
}

// installed finds the installation of an App in a repository.
func (t *githubTables) installed(a *app, p *project) *installation {
	for _, in := range t.Installations {
		if in.App == a.ID && slices.Contains(in.Projects, p.ID) && in.Suspended.IsZero() {
			return in
		}
	}
	return nil
}

func (f *Forge) appToken(token string) *appToken {
	for _, t := range f.tables.GitHub.Tokens {
		if t.Token == token && f.now().Before(t.Expires) {
			return t
		}
	}
	return nil
}

// botByToken is the bot of the App whose installation token is given, while it lasts.
func (f *Forge) botByToken(token string) *User {
	t := f.appToken(token)
	if t == nil {
		return nil
	}
	in := f.tables.GitHub.installation(t.Installation)
	if in == nil || !in.Suspended.IsZero() {
		return nil
	}
	return f.tables.user(f.tables.GitHub.app(in.App).Bot)
}

// signIn knows tokens of people, tokens of installations and JSON web tokens of Apps.
func (c *githubCall) signIn() error {
	scheme, token, _ := strings.Cut(c.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "bearer", "token":
	case "basic":
		_, token, _ = c.BasicAuth()
	default:
		return githubRefusal(http.StatusUnauthorized, "Requires authentication")
	}
	token = strings.TrimSpace(token)
	if strings.Count(token, ".") == 2 {
		return c.signInApp(token)
	}
	if t := c.forge.appToken(token); t != nil {
		if in := c.forge.tables.GitHub.installation(t.Installation); in != nil && !in.Suspended.IsZero() {
			return githubRefusal(http.StatusForbidden, "This installation has been suspended")
		}
		c.token = t
	}
	if c.user = c.forge.userByToken(token); c.user == nil {
		return githubRefusal(http.StatusUnauthorized, "Bad credentials")
	}
	return nil
}

const maxWebToken = 10 * time.Minute

// signInApp checks a JSON web token: RS256, issued by a known App, for ten minutes at most (docs, "Generating a JSON Web Token
// (JWT) for a GitHub App").
func (c *githubCall) signInApp(token string) error {
	undecodable := githubRefusal(http.StatusUnauthorized, "A JSON web token could not be decoded")
	parts := strings.Split(token, ".")
	var header struct {
		Algorithm string `json:"alg"`
	}
	var claims struct {
		IssuedAt json.Number `json:"iat"`
		Expires  json.Number `json:"exp"`
		Issuer   any         `json:"iss"`
	}
	if decodePart(parts[0], &header) != nil || decodePart(parts[1], &claims) != nil || header.Algorithm != "RS256" {
		return undecodable
	}
	id, err := strconv.Atoi(strings.TrimPrefix(fmt.Sprint(claims.Issuer), clientPrefix))
	a := c.forge.tables.GitHub.app(id)
	if err != nil || a == nil {
		return githubRefusal(http.StatusUnauthorized, "'Issuer' claim ('iss') must be an Integer")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(a.publicKey(), crypto.SHA256, sum[:], signature) != nil {
		return undecodable
	}
	issued, _ := claims.IssuedAt.Float64()
	expires, _ := claims.Expires.Float64()
	switch now := float64(c.forge.now().Unix()); {
	case issued > now+60:
		return githubRefusal(http.StatusUnauthorized, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
	case expires <= now:
		return githubRefusal(http.StatusUnauthorized, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	case expires > now+maxWebToken.Seconds()+60:
		return githubRefusal(http.StatusUnauthorized, "'Expiration time' claim ('exp') is too far in the future")
	}
	c.app = a
	return nil
}

func decodePart(part string, into any) error {
	plain, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, into)
}

// clientPrefix makes a client ID of an App's number; either may issue a token.
const clientPrefix = "Iv23li"

func (a *app) publicKey() *rsa.PublicKey {
	block, _ := pem.Decode([]byte(a.Key))
	if block == nil {
		return &rsa.PublicKey{}
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if public, ok := key.(*rsa.PublicKey); ok && err == nil {
		return public
	}
	return &rsa.PublicKey{}
}

func (f *Forge) showApp(a *app) object {
	return object{
		"id": a.ID, "slug": a.Slug, "node_id": nodeID("A", a.ID), "owner": f.showOwner("lockkeeper"), "name": a.Name,
		"description": nil, "external_url": f.url + "/apps/" + a.Slug, "html_url": f.url + "/apps/" + a.Slug,
		"created_at": stamp(a.CreatedAt), "updated_at": stamp(a.CreatedAt), "permissions": a.Permissions, "events": a.Hook.Events,
	}
}

func (f *Forge) showInstallation(in *installation) object {
	a := f.tables.GitHub.app(in.App)
	account := f.showOwner(in.Account)
	return object{
		"id": in.ID, "account": account, "repository_selection": "selected",
		"access_tokens_url": f.apiURL("/app/installations/%d/access_tokens", in.ID), "repositories_url": f.apiURL("/installation/repositories"),
		"html_url": fmt.Sprintf("%s/organizations/%s/settings/installations/%d", f.url, in.Account, in.ID), "app_id": a.ID, "app_slug": a.Slug,
		"target_id": account["id"], "target_type": account["type"], "permissions": a.Permissions, "events": a.Hook.Events,
		"created_at": stamp(in.CreatedAt), "updated_at": stamp(in.CreatedAt), "single_file_name": nil, "has_multiple_single_files": false,
		"single_file_paths": []string{}, "suspended_by": nil, "suspended_at": stamp(in.Suspended),
	}
}

func getApp(c *githubCall) (reply, error) {
	count := 0
	for _, in := range c.forge.tables.GitHub.Installations {
		if in.App == c.app.ID {
			count++
		}
	}
	return reply{body: c.forge.showApp(c.app).with(object{"installations_count": count, "client_id": clientPrefix + strconv.Itoa(c.app.ID)})}, nil
}

func listInstallations(c *githubCall) (reply, error) {
	var mine []*installation
	for _, in := range c.forge.tables.GitHub.Installations {
		if in.App == c.app.ID {
			mine = append(mine, in)
		}
	}
	return listed(c, mine, func(in *installation) (object, error) { return c.forge.showInstallation(in), nil })
}

func (c *githubCall) installation() (*installation, error) {
	id, err := c.number("installation_id")
	if err != nil {
		return nil, err
	}
	in := c.forge.tables.GitHub.installation(id)
	if in == nil || in.App != c.app.ID {
		return nil, notFound()
	}
	return in, nil
}

func getInstallation(c *githubCall) (reply, error) {
	in, err := c.installation()
	if err != nil {
		return reply{}, err
	}
	return reply{body: c.forge.showInstallation(in)}, nil
}

func getRepositoryInstallation(c *githubCall) (reply, error) {
	for _, in := range c.forge.tables.GitHub.Installations {
		if in.App == c.app.ID && slices.Contains(in.Projects, c.project.ID) {
			return reply{body: c.forge.showInstallation(in)}, nil
		}
	}
	return reply{}, notFound()
}

// createAppToken narrows what the installation has to the repositories and permissions that are asked for.
func createAppToken(c *githubCall) (reply, error) {
	in, err := c.installation()
	if err != nil {
		return reply{}, err
	}
	if !in.Suspended.IsZero() {
		return reply{}, githubRefusal(http.StatusForbidden, "This installation has been suspended")
	}
	var asked struct {
		Repositories  []string          `json:"repositories"`
		RepositoryIDs []int             `json:"repository_ids"`
		Permissions   map[string]string `json:"permissions"`
	}
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	token := &appToken{Installation: in.ID, Permissions: maps.Clone(c.app.Permissions), Projects: slices.Clone(in.Projects)}
	if len(asked.Repositories)+len(asked.RepositoryIDs) > 0 {
		token.Projects = slices.Clone(asked.RepositoryIDs)
		for _, name := range asked.Repositories {
			if p := c.forge.tables.projectAt(in.Account + "/" + name); p != nil {
				token.Projects = append(token.Projects, p.ID)
				continue
			}
			return reply{}, githubRefusal(http.StatusUnprocessableEntity, "There is at least one repository that does not exist or is not accessible to the parent installation.")
		}
		if slices.ContainsFunc(token.Projects, func(id int) bool { return !slices.Contains(in.Projects, id) }) {
			return reply{}, githubRefusal(http.StatusUnprocessableEntity, "There is at least one repository that does not exist or is not accessible to the parent installation.")
		}
	}
	for name, level := range asked.Permissions {
		if !(&appToken{Permissions: c.app.Permissions}).may(name + ":" + level) {
			return reply{}, githubRefusal(http.StatusUnprocessableEntity, "The permissions requested are not granted to this installation.")
		}
		if token.Permissions = asked.Permissions; token.Permissions["metadata"] == "" {
			token.Permissions = maps.Clone(token.Permissions)
			token.Permissions["metadata"] = "read"
		}
	}
	random := sha256.Sum256([]byte(newDiscussionID()))
	token.Token, token.Expires = "ghs_"+hex.EncodeToString(random[:])[:36], c.forge.now().Add(appTokenLife)
	tables := &c.forge.tables.GitHub
	tables.Tokens = slices.DeleteFunc(tables.Tokens, func(t *appToken) bool { return c.forge.now().After(t.Expires) })
	tables.Tokens = append(tables.Tokens, token)
	c.forge.wrote()
	return reply{http.StatusCreated, object{
		"token": token.Token, "expires_at": stamp(token.Expires), "permissions": token.Permissions, "repository_selection": "selected",
	}}, nil
}

func listInstallationRepositories(c *githubCall) (reply, error) {
	if c.token == nil {
		return reply{}, githubRefusal(http.StatusForbidden, "You must authenticate with an installation access token in order to list repositories for an installation.")
	}
	shown := []object{}
	for _, id := range githubPage(c, c.token.Projects) {
		if p := c.forge.tables.project(id); p != nil {
			shown = append(shown, c.forge.showRepository(p))
		}
	}
	return reply{body: object{"total_count": len(c.token.Projects), "repository_selection": "selected", "repositories": shown}}, nil
}
