package devforge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const gitHubPrefix = "/api/v3"

// githubCall is one request under way. The forge is locked while it is handled.
type githubCall struct {
	*http.Request
	forge   *Forge
	header  http.Header // of the answer
	user    *User       // who acts: a person, or the bot of an App
	token   *appToken   // set when an installation of an App acts
	app     *app        // set when an App acts as itself, with a JSON web token
	project *project
	body    []byte
}

// githubEndpoint says who may call handle. The repository named by {owner} and {repo} is looked up first when level is not zero.
type githubEndpoint struct {
	pattern string // method and path below /api/v3
	level   int    // least access of a person to the repository
	grant   string // what an App needs, such as "checks:write"; empty means nothing in particular
	handle  func(*githubCall) (reply, error)
}

func (f *Forge) githubRoutes() http.Handler {
	router := newGitHubRouter(githubEndpoints())
	unknown := githubEndpoint{handle: func(*githubCall) (reply, error) { return reply{}, notFound() }}
	graph := githubEndpoint{handle: graphQL}
	return f.withCrowd(f.movedRepositories(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/api/graphql" {
			f.serveGitHub(w, r, "/graphql", graph)
			return
		}
		e, params, ok := router.find(r)
		if !ok {
			f.serveGitHub(w, r, "", unknown)
			return
		}
		for name, value := range params {
			r.SetPathValue(name, value)
		}
		_, path, _ := strings.Cut(e.pattern, " ")
		f.serveGitHub(w, r, path, e)
	})))
}

func (f *Forge) serveGitHub(w http.ResponseWriter, r *http.Request, route string, e githubEndpoint) {
	c := &githubCall{Request: r, forge: f, header: w.Header()}
	var err error
	c.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		err = githubRefusal(http.StatusRequestEntityTooLarge, "Payload too big: 10485760 bytes are allowed.")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := reply{}
	if err == nil {
		answer, err = f.answerGitHub(c, e)
	}
	if stop := (*refusal)(nil); errors.As(err, &stop) {
		answer = reply{stop.status, stop.body}
	} else if err != nil {
		f.log.ErrorContext(r.Context(), "forge request", "method", r.Method, "path", r.URL.Path, "error", err)
		answer = reply{http.StatusInternalServerError, object{"message": "Server Error"}}
	}
	if answer.status == 0 {
		answer.status = http.StatusOK
	}
	done := Call{Method: r.Method, Route: route, Path: r.URL.EscapedPath(), Status: answer.status}
	if c.user != nil {
		done.User = c.user.Name
	}
	f.record(done)
	c.send(r.Context(), w, answer)
}

func (f *Forge) answerGitHub(c *githubCall, e githubEndpoint) (reply, error) {
	if err := c.signIn(); err != nil {
		return reply{}, err
	}
	if err := c.secondary(); err != nil {
		return reply{}, err
	}
	if e.level > 0 {
		if err := c.enter(e); err != nil {
			return reply{}, err
		}
	}
	if wanted, _, _ := strings.Cut(e.grant, ":"); wanted == "app" && c.app == nil {
		return reply{}, githubRefusal(http.StatusUnauthorized, "A JSON web token could not be decoded")
	} else if c.app != nil && wanted != "app" {
		return reply{}, githubRefusal(http.StatusForbidden, "Resource not accessible by integration")
	}
	return e.handle(c)
}

// enter finds the repository and judges the access. Who may not see it hears 404, as GitHub never tells that it exists.
func (c *githubCall) enter(e githubEndpoint) error {
	c.project = c.forge.tables.projectAt(c.PathValue("owner") + "/" + c.PathValue("repo"))
	switch {
	case c.project == nil:
		return notFound()
	case c.app != nil:
		return nil
	case c.token != nil && !c.token.reaches(c.forge, c.project):
		return notFound()
	case c.token != nil && !c.token.may(e.grant):
		return githubRefusal(http.StatusForbidden, "Resource not accessible by integration")
	case c.token != nil:
		return nil
	}
	level := c.project.githubLevel(c.user)
	switch {
	case level == 0:
		return notFound()
	case level >= e.level:
		return nil
	case strings.HasPrefix(e.grant, "repository_hooks") || e.pattern[:3] == "GET":
		return notFound()
	case e.level >= AccessOwner:
		return githubRefusal(http.StatusForbidden, "Must have admin rights to Repository.")
	}
	return githubRefusal(http.StatusForbidden, "Must have push access to repository")
}

// githubError is the body of a refusal (schemas basic-error and validation-error).
type githubError struct {
	Message          string `json:"message"`
	Errors           any    `json:"errors,omitempty"`
	DocumentationURL string `json:"documentation_url"`
	Status           string `json:"status"`
}

const gitHubDocs = "https://docs.github.com/rest"

func githubRefusal(status int, format string, args ...any) error {
	return &refusal{status, githubError{Message: fmt.Sprintf(format, args...), DocumentationURL: gitHubDocs, Status: strconv.Itoa(status)}}
}

func notFound() error { return githubRefusal(http.StatusNotFound, "Not Found") }

// fieldError is one entry of a validation error (REST, "Troubleshooting the REST API", "Validation failed").
type fieldError struct {
	Resource string `json:"resource"`
	Field    string `json:"field,omitempty"`
	Code     string `json:"code"`
	Message  string `json:"message,omitempty"`
}

func validationFailed(problems ...fieldError) error {
	return &refusal{http.StatusUnprocessableEntity, githubError{
		Message: "Validation Failed", Errors: problems, DocumentationURL: gitHubDocs, Status: "422",
	}}
}

func invalidRequest(format string, args ...any) error {
	return githubRefusal(http.StatusUnprocessableEntity, "Invalid request.\n\n"+format, args...)
}

// read decodes the body into a struct. GitHub ignores fields that it does not know.
func (c *githubCall) read(into any) error {
	if len(c.body) == 0 {
		return nil
	}
	err := json.Unmarshal(c.body, into)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return invalidRequest("For 'properties/%s', %s is not of the expected type.", wrong.Field, wrong.Value)
	}
	if err != nil {
		return githubRefusal(http.StatusBadRequest, "Problems parsing JSON")
	}
	return nil
}

// number reads an integer of the path; what is none is not found.
func (c *githubCall) number(name string) (int, error) {
	n, err := strconv.Atoi(c.PathValue(name))
	if err != nil {
		return 0, notFound()
	}
	return n, nil
}

func (c *githubCall) pull() (*mergeRequest, error) {
	n, err := c.number("number")
	if err != nil {
		return nil, err
	}
	m := c.project.request(n)
	if m == nil {
		return nil, notFound()
	}
	return m, nil
}

// choice reads a query parameter of few values.
func (c *githubCall) choice(name, otherwise string, allowed ...string) string {
	value := c.URL.Query().Get(name)
	if slices.Contains(allowed, value) {
		return value
	}
	return otherwise
}

// githubPage cuts items to the page that was asked for. Links name the repository by number, as GitHub's do (recorded in
// octokit-fixtures, "paginate-issues").
func githubPage[T any](c *githubCall, items []T) []T {
	query := c.URL.Query()
	number, _ := strconv.Atoi(query.Get("page"))
	size, _ := strconv.Atoi(query.Get("per_page"))
	if number, size = max(number, 1), min(size, 100); size < 1 {
		size = 30
	}
	last := (len(items) + size - 1) / size
	var links []string
	for _, link := range []struct {
		relation string
		page     int
		shown    bool
	}{
		{"prev", number - 1, number > 1},
		{"next", number + 1, number < last},
		{"last", last, number < last},
		{"first", 1, number > 1},
	} {
		if link.shown {
			query.Set("page", strconv.Itoa(link.page))
			links = append(links, fmt.Sprintf(`<%s?%s>; rel=%q`, c.numericURL(), query.Encode(), link.relation))
		}
	}
	if len(links) > 0 {
		c.header.Set("Link", strings.Join(links, ", "))
	}
	from := min((number-1)*size, len(items))
	return items[from:min(from+size, len(items))]
}

func (c *githubCall) numericURL() string {
	path := strings.TrimPrefix(c.URL.EscapedPath(), gitHubPrefix)
	if c.project == nil {
		return c.forge.apiURL("%s", path)
	}
	parts := strings.SplitN(path, "/", 5) // "", repos, owner, name, rest
	return c.forge.apiURL("/repositories/%d/%s", c.project.ID, parts[len(parts)-1])
}

// listed presents each item of one page.
func listed[T any](c *githubCall, items []T, present func(T) (object, error)) (reply, error) {
	shown := []object{}
	for _, item := range githubPage(c, items) {
		one, err := present(item)
		if err != nil {
			return reply{}, err
		}
		shown = append(shown, one)
	}
	return reply{body: shown}, nil
}

func (c *githubCall) send(ctx context.Context, w http.ResponseWriter, answer reply) {
	header := w.Header()
	header.Set("Cache-Control", "private, max-age=60, s-maxage=60")
	header.Set("Vary", "Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-GitHub-Media-Type", "github.v3; format=json")
	header.Set("X-GitHub-Request-Id", newUUID())
	header.Set("X-GitHub-Enterprise-Version", "3.19.0")
	if answer.body == nil {
		c.countLimit(header, true)
		w.WriteHeader(answer.status)
		return
	}
	body, err := json.Marshal(answer.body)
	if err != nil {
		c.forge.log.ErrorContext(ctx, "encode answer", "path", c.URL.Path, "error", err)
		answer.status, body = http.StatusInternalServerError, []byte(`{"message":"Server Error"}`)
	}
	header.Set("Content-Type", "application/json; charset=utf-8")
	if c.Method == http.MethodGet && answer.status == http.StatusOK {
		sum := sha256.Sum256(body)
		tag := `W/"` + hex.EncodeToString(sum[:]) + `"`
		header.Set("ETag", tag)
		if c.Header.Get("If-None-Match") == tag {
			c.countLimit(header, false) // "does not count against your primary rate limit" (REST, best practices)
			header.Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	c.countLimit(header, true)
	w.WriteHeader(answer.status)
	writeAll(w, body)
}

// gitHubLimit is the primary rate limit of a user per hour (REST, "Rate limits for the REST API").
const gitHubLimit = 5000

// limitWindow is one hour of one caller.
type limitWindow struct {
	used  int
	reset time.Time
}

func (c *githubCall) limitKey() int {
	if c.user == nil {
		return 0
	}
	return c.user.ID
}

func (f *Forge) limitWindow(key int) *limitWindow {
	if f.limits == nil {
		f.limits = map[int]*limitWindow{}
	}
	window := f.limits[key]
	if now := f.now(); window == nil || now.After(window.reset) {
		window = &limitWindow{reset: now.Add(time.Hour)}
		f.limits[key] = window
	}
	return window
}

func (c *githubCall) countLimit(header http.Header, counts bool) {
	window := c.forge.limitWindow(c.limitKey())
	if counts {
		window.used++
	}
	header.Set("X-RateLimit-Limit", strconv.Itoa(gitHubLimit))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(max(gitHubLimit-window.used, 0)))
	header.Set("X-RateLimit-Used", strconv.Itoa(window.used))
	header.Set("X-RateLimit-Reset", strconv.FormatInt(window.reset.Unix(), 10))
	header.Set("X-RateLimit-Resource", "core")
}

// movedRepositories serves a repository under its number, and answers for its former names: 301 to a read, 307 to a write
// (recorded in octokit-fixtures, "rename-repository").
func (f *Forge) movedRepositories(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.EscapedPath(), gitHubPrefix+"/repositories/"); ok {
			id, rest, _ := strings.Cut(rest, "/")
			if path := f.pathOf(id); path != "" {
				r = r.Clone(r.Context())
				r.URL.Path, r.URL.RawPath = gitHubPrefix+"/repos/"+path+"/"+rest, ""
				r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
			}
		}
		if rest, ok := strings.CutPrefix(r.URL.Path, gitHubPrefix+"/repos/"); ok {
			if parts := strings.SplitN(rest, "/", 3); len(parts) > 1 {
				if id := f.movedTo(parts[0] + "/" + parts[1]); id > 0 {
					f.redirect(w, r, id, strings.Join(parts[2:], "/"))
					return
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (f *Forge) pathOf(id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n, err := strconv.Atoi(id); err == nil {
		if p := f.tables.project(n); p != nil {
			return p.Path
		}
	}
	return ""
}

func (f *Forge) movedTo(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tables.projectAt(path) != nil {
		return 0
	}
	for _, p := range f.tables.Projects {
		if slices.ContainsFunc(p.GitHub.Former, func(former string) bool { return strings.EqualFold(former, path) }) {
			return p.ID
		}
	}
	return 0
}

func (f *Forge) redirect(w http.ResponseWriter, r *http.Request, id int, rest string) {
	grant := ""
	if rest == "installation" {
		grant = "app" // REST, Get a repository installation for the authenticated app: 301
	}
	f.serveGitHub(w, r, "", githubEndpoint{grant: grant, handle: func(c *githubCall) (reply, error) {
		status, message := http.StatusTemporaryRedirect, "Temporary Redirect"
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			status, message = http.StatusMovedPermanently, "Moved Permanently"
		}
		target := strings.TrimSuffix(f.apiURL("/repositories/%d/%s", id, rest), "/")
		if r.URL.RawQuery != "" {
			target += "?" + r.URL.RawQuery
		}
		c.header.Set("Location", target)
		return reply{status, object{"message": message, "url": target, "documentation_url": gitHubDocs}}, nil
	}})
}
