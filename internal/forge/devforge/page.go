package devforge

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

//go:embed web
var webFiles embed.FS

// site serves the web pages. Whoever can reach it acts as the person, so it answers on the configured host and on loopback
// names only (a page elsewhere cannot rebind its own name to it), and takes forms from its own pages only.
type site struct {
	forge    *Forge
	pages    *template.Template
	markdown markdown
}

func (f *Forge) pageRoutes() http.Handler {
	s := &site{forge: f, markdown: newMarkdown()}
	s.pages = template.Must(template.New("").Funcs(template.FuncMap{
		"markdown": s.markdown.render,
		"clock":    func(t time.Time) string { return t.UTC().Format("15:04:05") },
		"day":      func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") },
		"short":    func(id string) string { return id[:min(len(id), 8)] },
		"initial":  initial,
		"plural":   plural,
		"emoji":    emoji,
		"diff":     func(text string) template.HTML { return template.HTML(diffLines(text)) }, //nolint:gosec // escaped
	}).ParseFS(webFiles, "web/*.html"))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/assets/{name}", s.asset)
	mux.HandleFunc("GET /{$}", s.index)
	mux.HandleFunc("/", s.inProject)
	return s.guard(http.NewCrossOriginProtection().Handler(mux))
}

func initial(name string) string {
	for _, letter := range name {
		return strings.ToUpper(string(letter))
	}
	return "?"
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}

func emoji(name string) string {
	known := map[string]string{
		"eyes": "👀", "thumbsup": "👍", "thumbsdown": "👎", "tada": "🎉", "rocket": "🚀", "heart": "❤️", "white_check_mark": "✅",
		"+1": "👍", "-1": "👎", "laugh": "😄", "hooray": "🎉", "x": "❌", "confused": "😕", "hourglass": "⌛", "warning": "⚠️",
	}
	if symbol, ok := known[name]; ok {
		return symbol
	}
	return ":" + name + ":"
}

func (s *site) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.ownHost(r.Host) {
			http.Error(w, "This server answers to its own name only.", http.StatusMisdirectedRequest)
			return
		}
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

func (s *site) ownHost(host string) bool {
	s.forge.mu.Lock()
	own, err := url.Parse(s.forge.url)
	s.forge.mu.Unlock()
	if err == nil && own.Host != "" && strings.EqualFold(own.Host, host) {
		return true
	}
	name := host
	if bare, _, err := net.SplitHostPort(host); err == nil {
		name = bare
	}
	name = strings.Trim(name, "[]")
	address := net.ParseIP(name)
	return strings.EqualFold(name, "localhost") || address != nil && address.IsLoopback()
}

func (s *site) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	content, err := webFiles.ReadFile("web/" + name)
	if err != nil || strings.HasSuffix(name, ".html") {
		http.NotFound(w, r)
		return
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
}

// frame is what every page has.
type frame struct {
	words
	Heading string
	Version string // changes whenever the forge does
	Person  string // empty: read-only
	Problem string // why the last form was refused
}

func (s *site) frame(title string) frame {
	f := frame{words: s.forge.config.Dialect.words(), Heading: title, Version: fmt.Sprintf("%s-%d", s.forge.boot, s.forge.revision)}
	if u := s.forge.person(); u != nil {
		f.Person = u.Name
	}
	return f
}

// show renders one page, or answers 304 when the visitor has it already.
func (s *site) show(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	tag := `"` + fmt.Sprintf("%s-%d", s.forge.boot, s.forge.revision) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache")
	if status == http.StatusOK && r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	var page bytes.Buffer
	if err := s.pages.ExecuteTemplate(&page, name, data); err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	writeAll(w, page.Bytes())
}

func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.forge.log.ErrorContext(r.Context(), "page", "path", r.URL.Path, "error", err)
	http.Error(w, "The page could not be made; the log says why.", http.StatusInternalServerError)
}

type indexPage struct {
	frame
	Projects []Project
}

func (s *site) index(w http.ResponseWriter, r *http.Request) {
	s.forge.mu.Lock()
	defer s.forge.mu.Unlock()
	page := indexPage{frame: s.frame("Projects")}
	for _, p := range s.forge.tables.Projects {
		page.Projects = append(page.Projects, *s.forge.describe(p))
	}
	s.show(w, r, http.StatusOK, "index.html", page)
}

// inProject finds the project of "/<project>" or "/<project>/-/<rest>", as GitLab's addresses are; GitHub's have no "-".
func (s *site) inProject(w http.ResponseWriter, r *http.Request) {
	path, rest := s.forge.config.Dialect.splitPage(strings.Trim(r.URL.Path, "/"))
	s.forge.mu.Lock()
	defer s.forge.mu.Unlock()
	p := s.forge.tables.projectAt(path)
	if p == nil {
		http.NotFound(w, r)
		return
	}
	kind, name, _ := strings.Cut(rest, "/")
	var err error
	switch {
	case r.Method == http.MethodPost:
		err = s.act(w, r, p, rest)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case rest == "" || rest == "merge_requests" || rest == "pulls" || rest == "branches":
		err = s.showProject(w, r, p)
	case kind == s.forge.config.Dialect.words().Requests:
		err = s.showRequest(w, r, p, name)
	case kind == "commit":
		err = s.showCommit(w, r, p, name)
	case kind == "tree" || kind == "commits":
		err = s.showHistory(w, r, p, name)
	case kind == "runs" && s.forge.config.Dialect == GitHub:
		err = s.showRun(w, r, p, name)
	case kind == "pipelines":
		err = s.showPipeline(w, r, p, name)
	default:
		err = errNoRevision
	}
	if errors.Is(err, errNoRevision) {
		http.NotFound(w, r)
	} else if err != nil {
		s.fail(w, r, err)
	}
}

func (s *site) requestPath(p *project, m *mergeRequest) string {
	words := s.forge.config.Dialect.words()
	return "/" + p.Path + words.Inside + "/" + words.Requests + "/" + strconv.Itoa(m.IID)
}

// act does what a form says, as the person, and shows the merge request again.
func (s *site) act(w http.ResponseWriter, r *http.Request, p *project, rest string) error {
	parts := strings.Split(rest, "/")
	if len(parts) != 3 || parts[0] != s.forge.config.Dialect.words().Requests {
		return errNoRevision
	}
	iid, err := strconv.Atoi(parts[1])
	m := p.request(iid)
	if err != nil || m == nil {
		return errNoRevision
	}
	who := s.forge.person()
	if who == nil || p.level(who) < AccessReporter {
		http.Error(w, "This page is read-only.", http.StatusForbidden)
		return nil
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "The form could not be read.", http.StatusBadRequest)
		return nil
	}
	err = s.perform(r.Context(), deed{project: p, request: m, by: who, kind: parts[2], form: r.PostForm})
	if stop := (*refusal)(nil); errors.As(err, &stop) {
		return s.showRefused(w, r, p, m, stop)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, s.requestPath(p, m), http.StatusSeeOther)
	return nil
}

// deed is one submitted form.
type deed struct {
	project *project
	request *mergeRequest
	by      *User
	kind    string
	form    url.Values
}

func (s *site) perform(ctx context.Context, d deed) error {
	if s.forge.config.Dialect == GitHub {
		return s.performOnPull(ctx, d)
	}
	f, p, m := s.forge, d.project, d.request
	mayEdit := p.level(d.by) >= AccessDeveloper || m.Author == d.by.ID
	switch d.kind {
	case "merge":
		return f.accept(ctx, p, m, d.by, mergeArgument{
			SHA: d.form.Get("sha"), Squash: m.Squash, RemoveSource: d.form.Get("remove_source") != "",
		})
	case "close":
		if !mayEdit {
			return forbidden()
		}
		if m.State == stateOpened {
			return f.close(ctx, p, m, d.by)
		}
		return nil
	case "reopen":
		if !mayEdit {
			return forbidden()
		}
		if m.State == stateClosed {
			return f.reopen(ctx, p, m, d.by)
		}
		return nil
	case "notes":
		body := strings.TrimSpace(strings.ReplaceAll(d.form.Get("body"), "\r\n", "\n"))
		if body == "" {
			return nil
		}
		if len(body) > maxNote || len(m.Notes) >= maxNotes {
			return refuse(http.StatusBadRequest, "The comment is too long, or there are too many.")
		}
		_, err := f.comment(ctx, p, m, d.by, body)
		return err
	}
	return errNoRevision
}
