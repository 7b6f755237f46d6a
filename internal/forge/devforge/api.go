package devforge

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// version is the GitLab that is spoken here.
const version = "19.2.0"

// Call is one request to the REST API.
type Call struct {
	Method string
	Route  string // the pattern, such as "/projects/{id}/merge_requests"; empty when no route matched
	Path   string // as requested, escaped, without the query
	Status int
	User   string // empty when not signed in
}

// Calls returns every request to the REST API since the start or the last [Forge.ResetCalls], in order of completion.
func (f *Forge) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Call(nil), f.calls...)
}

// ResetCalls forgets the requests so far.
func (f *Forge) ResetCalls() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = nil
}

// maxCalls bounds the memory of a demo that runs for days.
const maxCalls = 100_000

func (f *Forge) record(c Call) {
	if len(f.calls) < maxCalls {
		f.calls = append(f.calls, c)
	}
}

// call is one request under way. The forge is locked while it is handled.
type call struct {
	*http.Request
	forge   *Forge
	header  http.Header // of the answer
	user    *User
	project *project
	params  params
}

// reply is an answer. A body of type []byte goes out as it is.
type reply struct {
	status int // zero means 200
	body   any // nil means no body
}

// endpoint says who may call handle. The project named by {id} is looked up first when level is not zero.
type endpoint struct {
	pattern string // method and path below /api/v4
	level   int    // least access to the project
	handle  func(*call) (reply, error)
}

const apiPrefix = "/api/v4"

func (f *Forge) apiRoutes() http.Handler {
	mux := http.NewServeMux()
	for _, e := range endpoints() {
		method, path, _ := strings.Cut(e.pattern, " ")
		mux.HandleFunc(method+" "+apiPrefix+path, func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, path, e) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		unknown := func(*call) (reply, error) {
			return reply{}, &refusal{http.StatusNotFound, errorBody{"404 Not Found"}}
		}
		f.serve(w, r, "", endpoint{handle: unknown})
	})
	return mux
}

func (f *Forge) serve(w http.ResponseWriter, r *http.Request, route string, e endpoint) {
	c := &call{Request: r, forge: f, header: w.Header()}
	var err error
	c.params, err = readParams(w, r)
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := reply{}
	if err == nil {
		answer, err = f.answer(c, e)
	}
	if stop := (*refusal)(nil); errors.As(err, &stop) {
		answer = reply{stop.status, stop.body}
	} else if err != nil {
		f.log.ErrorContext(r.Context(), "forge request", "method", r.Method, "path", r.URL.Path, "error", err)
		answer = reply{http.StatusInternalServerError, messageBody{"500 Internal Server Error"}}
	}
	if answer.status == 0 {
		answer.status = http.StatusOK
	}
	done := Call{Method: r.Method, Route: route, Path: r.URL.EscapedPath(), Status: answer.status}
	if c.user != nil {
		done.User = c.user.Name
	}
	f.record(done)
	f.send(w, r, answer)
}

func (f *Forge) answer(c *call, e endpoint) (reply, error) {
	if c.user = f.signedIn(c.Request, e); c.user == nil {
		return reply{}, unauthorized()
	}
	if e.level > 0 {
		if c.project = f.projectByID(c.PathValue("id")); c.project == nil || c.project.level(c.user) == 0 {
			return reply{}, missing("Project")
		}
		if c.project.level(c.user) < e.level {
			return reply{}, forbidden()
		}
	}
	return e.handle(c)
}

// signedIn knows personal access tokens, which OAuth tokens are like, and those of CI jobs (doc/api/rest/authentication.md).
func (f *Forge) signedIn(r *http.Request, e endpoint) *User {
	if token := r.Header.Get("Job-Token"); token != "" {
		return f.userOfJob(token, e)
	}
	token := r.Header.Get("Private-Token")
	if token == "" {
		token, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	return f.userByToken(token)
}

func (f *Forge) userByToken(token string) *User {
	if token == "" {
		return nil
	}
	for _, u := range f.tables.Users {
		if u.Token == token {
			return u
		}
	}
	return f.botByToken(token)
}

func (f *Forge) projectByID(id string) *project {
	if n, err := strconv.Atoi(id); err == nil {
		return f.tables.project(n)
	}
	return f.tables.projectAt(id)
}

func (f *Forge) send(w http.ResponseWriter, r *http.Request, answer reply) {
	header := w.Header()
	header.Set("Cache-Control", "max-age=0, private, must-revalidate")
	header.Set("Vary", "Origin")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "SAMEORIGIN")
	header.Set("X-Gitlab-Meta", `{"version":"1"}`)
	header.Set("X-Request-Id", newUUID())
	header.Set("X-Runtime", "0.010000")
	if answer.body == nil {
		w.WriteHeader(answer.status)
		return
	}
	body, raw := answer.body.([]byte)
	if !raw {
		var err error
		if body, err = json.Marshal(answer.body); err != nil {
			f.log.ErrorContext(r.Context(), "encode answer", "path", r.URL.Path, "error", err)
			answer.status, body = http.StatusInternalServerError, []byte(`{"message":"500 Internal Server Error"}`)
		}
		header.Set("Content-Type", "application/json")
	}
	if r.Method == http.MethodGet && answer.status == http.StatusOK {
		sum := sha256.Sum256(body)
		tag := `W/"` + hex.EncodeToString(sum[:16]) + `"`
		header.Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.WriteHeader(answer.status)
	if _, err := w.Write(body); err != nil {
		f.log.DebugContext(r.Context(), "client left", "path", r.URL.Path, "error", err)
	}
}

// number reads an integer of the path.
func (c *call) number(name string) (int, error) {
	n, err := strconv.Atoi(c.PathValue(name))
	if err != nil {
		return 0, invalid("%s is invalid", name)
	}
	return n, nil
}

// request finds the merge request of the path.
func (c *call) request() (*mergeRequest, error) {
	iid, err := c.number("merge_request_iid")
	if err != nil {
		return nil, err
	}
	m := c.project.request(iid)
	if m == nil {
		return nil, missing("")
	}
	return m, nil
}

// page cuts items to the page that was asked for, and says so in the header (doc/api/rest/_index.md, "Pagination").
func page[T any](c *call, items []T) ([]T, error) {
	number, err := c.params.integer("page")
	if err != nil {
		return nil, err
	}
	size, err := c.params.integer("per_page")
	if err != nil {
		return nil, err
	}
	if number, size = max(number, 1), min(size, 100); size < 1 {
		size = 20
	}
	last := max((len(items)+size-1)/size, 1)
	set := func(name string, n int) {
		value := ""
		if n >= 1 && n <= last {
			value = strconv.Itoa(n)
		}
		c.header.Set(name, value)
	}
	c.header.Set("X-Page", strconv.Itoa(number))
	c.header.Set("X-Per-Page", strconv.Itoa(size))
	c.header.Set("X-Total", strconv.Itoa(len(items)))
	c.header.Set("X-Total-Pages", strconv.Itoa(last))
	set("X-Next-Page", number+1)
	set("X-Prev-Page", number-1)
	var links []string
	for _, link := range []struct {
		relation string
		page     int
	}{{"prev", number - 1}, {"next", number + 1}, {"first", 1}, {"last", last}} {
		if link.page >= 1 && link.page <= last {
			links = append(links, fmt.Sprintf(`<%s>; rel=%q`, c.pageURL(link.page, size), link.relation))
		}
	}
	c.header.Set("Link", strings.Join(links, ", "))
	from := min((number-1)*size, len(items))
	return items[from:min(from+size, len(items))], nil
}

func (c *call) pageURL(number, size int) string {
	query := c.URL.Query()
	query.Set("page", strconv.Itoa(number))
	query.Set("per_page", strconv.Itoa(size))
	return c.forge.url + c.URL.EscapedPath() + "?" + query.Encode()
}

// shown presents each item of one page.
func shown[T, E any](c *call, items []T, present func(T) (E, error)) (reply, error) {
	items, err := page(c, items)
	if err != nil {
		return reply{}, err
	}
	entities := make([]E, 0, len(items))
	for _, item := range items {
		entity, err := present(item)
		if err != nil {
			return reply{}, err
		}
		entities = append(entities, entity)
	}
	return reply{body: entities}, nil
}

// moment is a time in the API's format; the zero time is null.
type moment time.Time

func (m moment) MarshalJSON() ([]byte, error) {
	if time.Time(m).IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + time.Time(m).UTC().Format("2006-01-02T15:04:05.000Z07:00") + `"`), nil
}

// optional is nil for the zero value: null in JSON.
func optional[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}
