package git_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
	"github.com/lockkeeper/lockkeeper/internal/secret"
)

const token = "glpat-5ecret"

func TestSecretNeverShows(t *testing.T) {
	s := secret.Text(token)
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%z"} {
		fmt.Fprintf(&b, verb, s)
		fmt.Fprintf(&b, verb, struct{ S secret.Text }{s})
		fmt.Fprintf(&b, verb, git.Config{Password: s})
		fmt.Fprintf(&b, verb, []secret.Text{s})
	}
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "s", s, "cfg", git.Config{Password: s})
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "s", s)
	out, err := json.Marshal(git.Config{Password: s}.Password)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(out)
	for _, leak := range []string{token, fmt.Sprintf("%x", token), fmt.Sprintf("%X", token)} {
		if strings.Contains(b.String(), leak) {
			t.Errorf("secret shows in %q", b.String())
		}
	}
	if s.Reveal() != token {
		t.Error("Reveal does not")
	}
}

func TestOpenChecksConfig(t *testing.T) {
	for _, bad := range []git.Config{
		{},
		{URL: "ssh://git@example.com/a.git"},
		{URL: "git@example.com:a.git"},
		{URL: "https:///a.git"},
		{URL: "https://u:" + token + "@exa mple.com/a.git"},
		{URL: "https://u:" + token + "@example.com/a.git?x=1"},
		{URL: "https://u:" + token + "@example.com/%zz"},
		{URL: "file:///tmp/a.git"},
		{URL: "https://example.com/a.git", Timeout: -1},
		{URL: "https://example.com/a.git", Password: token + "\n"},
	} {
		_, err := git.Open(bad)
		if err == nil {
			t.Errorf("Open(%q) was accepted", bad.URL)
		} else if strings.Contains(err.Error(), token) {
			t.Errorf("error shows the token: %v", err)
		}
	}
	r, err := git.Open(git.Config{URL: "https://u:" + token + "@example.com/team/a.git/"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.URL(), "https://example.com/team/a.git"; got != want {
		t.Errorf("URL = %q, want %q", got, want)
	}
}

// TestAPasswordThatIsNotTakenIsToldOf: a token may be revoked before its time.
func TestAPasswordThatIsNotTakenIsToldOf(t *testing.T) {
	repo := gittest.NewServer(t, gittest.WithBasicAuth("bot", "new")).Repo("app.git", seed())
	password := secret.Text("revoked")
	r, err := git.Open(git.Config{
		URL: repo.URL, Username: "bot",
		Token: func(context.Context) (secret.Text, error) { return password, nil },
		Refused: func(refused secret.Text) {
			if refused != "revoked" {
				t.Errorf("told of %q", refused.Reveal())
			}
			password = "new"
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Fetch(t.Context(), "main"); !errors.Is(err, git.ErrUnauthorized) {
		t.Errorf("with a revoked one: %v", err)
	}
	if _, err := r.Fetch(t.Context(), "main"); err != nil {
		t.Errorf("with the next one: %v", err)
	}
}

var errNoToken = errors.New("no more tokens")

func TestCredentials(t *testing.T) {
	srv := gittest.NewServer(t, gittest.WithAccess(func(user, password, _ string, write bool) bool {
		return user == "bot" && password == token || user == "reader" && password == token && !write
	}))
	repo := srv.Repo("app.git", seed())
	u, err := url.Parse(repo.URL)
	if err != nil {
		t.Fatal(err)
	}
	inURL := *u
	inURL.User = url.UserPassword("bot", token)
	author := git.Signature{Name: "B", Email: "b@example.com"}
	for _, tt := range []struct {
		name        string
		cfg         git.Config
		read, write error
		says        string
	}{
		{"user and password", git.Config{URL: repo.URL, Username: "bot", Password: token}, nil, nil, ""},
		{"in the URL", git.Config{URL: inURL.String()}, nil, nil, ""},
		{"no credentials", git.Config{URL: repo.URL}, git.ErrUnauthorized, git.ErrUnauthorized, "no credentials are configured"},
		{"wrong token", git.Config{URL: repo.URL, Username: "bot", Password: token + "x"}, git.ErrUnauthorized, git.ErrUnauthorized, "check that the token"},
		{"a token that is made when it is needed", git.Config{URL: repo.URL, Username: "bot", Token: func(context.Context) (secret.Text, error) { return token, nil }}, nil, nil, ""},
		{"a token that cannot be made", git.Config{URL: repo.URL, Token: func(context.Context) (secret.Text, error) { return "", errNoToken }}, errNoToken, errNoToken, "no more tokens"},
		{"read only", git.Config{URL: repo.URL, Username: "reader", Password: token}, nil, git.ErrUnauthorized, "write access"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Author = author
			r, err := git.Open(tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			_, readErr := r.Fetch(t.Context(), "main")
			if !errors.Is(readErr, tt.read) {
				t.Errorf("Fetch = %v, want %v", readErr, tt.read)
			}
			id := commit(t, r, "", map[string]git.File{"x": text("1")})
			_, writeErr := r.Push(t.Context(), git.RefUpdate{Ref: "b-" + strings.ReplaceAll(tt.name, " ", "-"), New: id})
			if !errors.Is(writeErr, tt.write) {
				t.Errorf("Push = %v, want %v", writeErr, tt.write)
			}
			all := fmt.Sprintf("%v %+v", readErr, writeErr)
			if !strings.Contains(all, tt.says) || strings.Contains(all, token) {
				t.Errorf("errors are %q: want %q in it and no token", all, tt.says)
			}
		})
	}
}

func TestServerErrors(t *testing.T) {
	srv := gittest.NewServer(t)
	srv.Repo("app.git", seed())
	_, err := open(t, srv.URL("absent.git")).Refs(t.Context())
	if !errors.Is(err, git.ErrRepositoryNotFound) {
		t.Errorf("Refs of an absent repository = %v", err)
	}
	for _, tt := range []struct {
		name      string
		answer    func(w http.ResponseWriter)
		status    int
		temporary bool
		want      string
	}{
		{"too many requests", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "30")
			http.Error(w, "slow down", http.StatusTooManyRequests)
		}, 429, true, "slow down"},
		{"bad gateway with HTML", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte("<html>" + strings.Repeat("x", 1<<20)))
		}, 502, true, "502 Bad Gateway"},
		{"a login page", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>please log in"))
		}, 0, false, "is this the HTTPS clone URL"},
		{"an error in the protocol", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			_, _ = w.Write([]byte("001e# service=git-upload-pack\n0000001bERR access is suspended"))
		}, 0, false, "access is suspended"},
		{"a SHA-256 repository", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			line := strings.Repeat("a", 64) + " HEAD\x00side-band-64k shallow object-format=sha256\n"
			_, _ = fmt.Fprintf(w, "001e# service=git-upload-pack\n0000%04x%s0000", len(line)+4, line)
		}, 0, false, "SHA-256"},
		{"nothing", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			w.WriteHeader(http.StatusOK)
		}, 0, false, "not an advertisement"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv.Intercept(func(w http.ResponseWriter, _ *http.Request) bool { tt.answer(w); return true })
			_, err := open(t, srv.URL("app.git")).Fetch(t.Context(), "main")
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 600 {
				t.Fatalf("Fetch = %v, want %q in it", err, tt.want)
			}
			status, ok := errors.AsType[*git.HTTPError](err)
			if ok != (tt.status != 0) || ok && (status.Status != tt.status || status.Temporary() != tt.temporary) {
				t.Errorf("error is %#v, want status %d, temporary %t", err, tt.status, tt.temporary)
			}
			if ok && tt.status == 429 && status.RetryAfter != 30*time.Second {
				t.Errorf("RetryAfter = %s", status.RetryAfter)
			}
		})
	}
}

func TestHangingServerEndsByTimeout(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", seed())
	r, err := git.Open(git.Config{URL: repo.URL, Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	srv.Intercept(func(_ http.ResponseWriter, req *http.Request) bool {
		<-req.Context().Done()
		return true
	})
	_, err = r.Fetch(t.Context(), "main")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no complete answer within 50ms") {
		t.Errorf("Fetch = %v, want the deadline", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(t, repo.URL).Fetch(ctx, "main"); !errors.Is(err, context.Canceled) {
		t.Errorf("Fetch = %v, want canceled", err)
	}
}

func TestRedirects(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("new.git", seed())
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		t.Errorf("request with credentials %q went to another host", req.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	target := ""
	srv.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.HasPrefix(req.URL.Path, "/old.git/") {
			return false
		}
		http.Redirect(w, req, target+"/new.git/info/refs?"+req.URL.RawQuery, http.StatusMovedPermanently)
		return true
	})
	r := open(t, srv.URL("old.git"))
	if got := fetch(t, r, "main"); got != repo.Head("main") {
		t.Errorf("renamed repository is at %q", got)
	}
	if got, want := r.URL(), srv.URL("new.git"); got != want {
		t.Errorf("URL = %q, want %q", got, want)
	}
	target = elsewhere.URL
	other, err := git.Open(git.Config{URL: srv.URL("old.git"), Password: token})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Refs(t.Context()); err == nil || !strings.Contains(err.Error(), elsewhere.URL+"/new.git") {
		t.Errorf("Refs = %v, want an error that names the new address", err)
	}
}

func TestValidBranch(t *testing.T) {
	for _, good := range []string{"main", "lockkeeper/demo/staging", "a.b", "feature/ä", "x@y", "1", "a-b_c+d,e=f", "@x", "HEADS"} {
		if err := git.ValidBranch(good); err != nil {
			t.Errorf("ValidBranch(%q) = %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "/", "a/", "/a", "a//b", ".a", "a/.b", "a.", "a.lock", "a.lock/b", "a..b", "a b", "a~", "a^", "a:", "a?", "a*", "a[", `a\`,
		"@", "a@{b", "-a", "HEAD", "a\x00b", "a\nb", "a\x7f", strings.Repeat("a", 245),
	} {
		if err := git.ValidBranch(bad); err == nil {
			t.Errorf("ValidBranch(%q) = nil", bad)
		}
	}
}

// FuzzValidBranch compares the rules with those of git itself.
func FuzzValidBranch(f *testing.F) {
	for _, s := range []string{"main", "a/b", "a..b", "-x", "@", "a.lock", "HEAD", "ä", "a@{", "x/.y", "refs/heads/x", "a\\b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if strings.ContainsRune(name, 0) || len(name) > 200 || name == "@" || strings.HasPrefix(name, "@{") {
			return // cannot be an argument, or is shorthand that git expands first
		}
		cmd := exec.CommandContext(t.Context(), "git", "check-ref-format", "--branch", name)
		cmd.Dir = "/"
		theirs := cmd.Run() == nil
		if ours := git.ValidBranch(name); (ours == nil) != theirs {
			t.Errorf("ValidBranch(%q) = %v, git accepts it: %t", name, ours, theirs)
		}
	})
}
