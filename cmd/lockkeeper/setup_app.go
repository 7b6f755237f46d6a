package main

import (
	"context"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/doctor"
	"github.com/lockkeeper/lockkeeper/internal/forge/github"
)

// manifestFor is how long a person has to make the App: GitHub's code is good for an hour.
const manifestFor = time.Hour

// makeApp serves a page that sends a browser to GitHub with the manifest of an App, waits for the browser to come back with a code,
// exchanges the code, and writes what GitHub answers to a file. It ends by itself then, and after an hour.
func (o *setupGitHub) makeApp(ctx context.Context, env environment) error {
	manifest := o.manifest()
	if o.dry {
		if _, err := fmt.Fprintf(env.out, "would  serve a page on %s that submits this manifest to %s, and write %s\n", o.listen, o.submitURL(), o.out); err != nil {
			return err
		}
		return printJSON(env.out, manifest)
	}
	file, err := os.OpenFile(o.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("--out: %w: name a file that does not exist", err)
	}
	created, err := o.convert(ctx, env, manifest)
	if err != nil {
		return errors.Join(err, file.Close(), os.Remove(o.out))
	}
	_, err = io.WriteString(file, environmentFile(created))
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %s: %w; the App is made: delete it on %s, and begin again", o.out, err, created.URL)
	}
	_, err = fmt.Fprintf(env.out, `done   made the App %s: %s
done   wrote its ID, private key and webhook secret to %s, which only you can read

Install it on the repositories: %s/installations/new
Then, in a shell: set -a; . ./%s; set +a     (or docker run --env-file, or EnvironmentFile= of systemd)
and for each repository: lockkeeper setup github --repository owner/name --url %s
`, created.Slug, created.URL, o.out, created.URL, o.out, o.public)
	return err
}

func (o *setupGitHub) manifest() github.Manifest {
	name := o.name
	if name == "" {
		name = strings.TrimSpace("Lockkeeper " + o.organization)
	}
	return github.NewManifest(name, doctor.HookURL(o.public, doctor.GitHub))
}

// submitURL is where a browser posts a manifest.
func (o *setupGitHub) submitURL() string {
	if o.organization != "" {
		return webURL(o.url) + "/organizations/" + url.PathEscape(o.organization) + "/settings/apps/new"
	}
	return webURL(o.url) + "/settings/apps/new"
}

// environmentFile writes the variables so that a shell, `docker run --env-file` and EnvironmentFile of systemd read the same: a line
// for each, without quotes, which Docker keeps. The key has several lines and is in base64. A secret that would need quotes, which
// those of GitHub do not, has them for the other two.
func environmentFile(created github.Created) string {
	hook := created.WebhookSecret.Reveal()
	if !plainValue.MatchString(hook) {
		hook = "'" + strings.ReplaceAll(hook, "'", `'\''`) + "'"
	}
	return fmt.Sprintf("LOCKKEEPER_GITHUB_APP_ID=%d\nLOCKKEEPER_GITHUB_APP_KEY=%s\nLOCKKEEPER_GITHUB_WEBHOOK_SECRET=%s\n",
		created.ID, base64.StdEncoding.EncodeToString([]byte(created.PrivateKey.Reveal())), hook)
}

// plainValue is what means itself in every environment file.
var plainValue = regexp.MustCompile(`^[A-Za-z0-9+/=_.-]*$`)

// convert serves the page until the browser was back with a code that GitHub takes.
func (o *setupGitHub) convert(ctx context.Context, env environment, manifest github.Manifest) (github.Created, error) {
	listener, err := listenOnLoopback(ctx, o.listen)
	if err != nil {
		return github.Created{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, manifestFor, fmt.Errorf("nobody made the App within %s", manifestFor))
	defer cancel()
	base := "http://" + listener.Addr().String()
	manifest.RedirectURL = base + "/made"
	text, err := json.Marshal(manifest)
	if err != nil {
		return github.Created{}, errors.Join(err, listener.Close())
	}
	page := &manifestPage{state: newSecret(), submit: o.submitURL(), manifest: string(text), host: listener.Addr().String(), codes: make(chan string, 1)}
	server := &http.Server{Handler: page.handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	defer func() { _ = server.Close() }() // nothing is lost
	if _, err := fmt.Fprintf(env.out, "Open %s in the browser in which you are signed in to GitHub, and create the App there.\n", base); err != nil {
		return github.Created{}, err
	}
	select {
	case code := <-page.codes:
		created, err := github.Convert(ctx, github.Conversion{URL: o.url}, code)
		closing, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer done()
		_ = server.Shutdown(closing) // the browser gets its answer
		if err != nil {
			return created, fmt.Errorf("%w; if GitHub has made the App, delete it on %s, and begin again", err, strings.TrimSuffix(o.submitURL(), "/new"))
		}
		return created, nil
	case err := <-failed:
		return github.Created{}, fmt.Errorf("serve the page: %w", err)
	case <-ctx.Done():
		return github.Created{}, context.Cause(ctx)
	}
}

// listenOnLoopback refuses addresses that others could reach: whoever gets the code gets the App's key.
func listenOnLoopback(ctx context.Context, address string) (net.Listener, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().IsLoopback() {
		return nil, fmt.Errorf("--listen is %q: expected an address of this machine only, such as 127.0.0.1:8765", address)
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	return listener, nil
}

//go:embed setup_app.html
var manifestText string

// manifestPage sends a browser to GitHub, and takes it back once.
type manifestPage struct {
	state    string // required; what comes back must have it: it began here
	submit   string
	manifest string
	host     string // requests for another one are not for us
	codes    chan string
}

func (p *manifestPage) handler() http.Handler {
	shown := template.Must(template.New("page").Parse(manifestText))
	mux := http.NewServeMux()
	write := func(w http.ResponseWriter, status int, data any) {
		header := w.Header()
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Cache-Control", "no-store")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		w.WriteHeader(status)
		_ = shown.Execute(w, data) // there is nobody left to tell
	}
	type data struct{ Submit, Manifest, Message string }
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, data{Submit: p.submit + "?state=" + p.state, Manifest: p.manifest})
	})
	mux.HandleFunc("GET /made", func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(p.state)) != 1 || query.Get("code") == "" {
			write(w, http.StatusForbidden, data{Message: "This did not begin here: open the address that the terminal shows, and begin again."})
			return
		}
		select {
		case p.codes <- query.Get("code"):
			write(w, http.StatusOK, data{Message: "The App is made. Go back to the terminal; this page can be closed."})
		default:
			write(w, http.StatusConflict, data{Message: "The App is made already."})
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != p.host {
			write(w, http.StatusMisdirectedRequest, data{Message: "This page is for this machine only."})
			return
		}
		mux.ServeHTTP(w, r)
	})
}
