package argocd_test

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/argocd"
	"github.com/lockkeeper/lockkeeper/internal/argocd/devargo"
)

func TestErrorsSayWhatToDo(t *testing.T) {
	apiError := func(code int, message string) string {
		return fmt.Sprintf(`{"error":%q,"code":%d,"message":%q}`, message, code, message)
	}
	unnamed := argocd.Ref{Name: "dev"}
	for _, test := range []struct {
		name        string
		ref         argocd.Ref
		status      int
		contentType string
		body        string
		want        error
		transient   bool
		message     string
	}{
		{"the token has expired", ref, 401, "application/json", apiError(16, "invalid session: token is expired"), argocd.ErrUnauthorized, false, "create a new one"},
		{"the role lacks the action", ref, 403, "application/json", apiError(7, "permission denied: applications, sync, develop/dev"), argocd.ErrForbidden, false, "`p, proj:develop:lockkeeper, applications, sync, develop/*, allow`"},
		{"without a project, forbidden may mean missing", unnamed, 403, "application/json", apiError(7, "permission denied"), argocd.ErrForbidden, false, "when the application does not exist"},
		{"there is no such application", ref, 404, "application/json", apiError(5, `applications.argoproj.io "dev" not found`), argocd.ErrNotFound, false, `belongs to project "develop"`},
		{"another operation", ref, 400, "application/json", apiError(9, "another operation is already in progress"), argocd.ErrBusy, true, "already in progress"},
		{"a sync window", ref, 403, "application/json", apiError(7, "cannot sync: blocked by sync window"), argocd.ErrSyncWindow, true, "wait for the window"},
		{"a sync window in the words of older versions", ref, 403, "application/json", apiError(7, "Cannot sync: Blocked by sync window"), argocd.ErrSyncWindow, true, "wait for the window"},
		{"automated sync was switched on", ref, 400, "application/json", apiError(9, "Cannot sync to abc: auto-sync currently set to main"), nil, false, "switched on meanwhile"},
		{"the server has an accident", ref, 500, "application/json", apiError(13, "etcd is gone"), nil, true, "HTTP 500: etcd is gone"},
		{"a proxy cannot reach it", ref, 502, "text/html", "<html><body>Bad Gateway</body></html>", nil, true, "HTTP 502"},
		{"too many requests", ref, 429, "text/plain", "slow down", nil, true, "HTTP 429: slow down"},
		{"a redirect is not followed", ref, 307, "text/html", "", nil, false, `redirects to "https://sso.example.com/login"`},
		{"a login page is no answer", ref, 200, "text/html; charset=utf-8", "<html>", nil, false, "no login page in front"},
		{"an answer that does not parse", ref, 200, "application/json", `{"status":`, nil, false, "answer: unexpected end"},
		{"a message over several lines", ref, 500, "text/plain", "one\n\ttwo\x00\xff\n", nil, true, "HTTP 500: one two"},
		{"an endless message", ref, 500, "text/plain", strings.Repeat("x", 1<<20), nil, true, "xxxx"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b bed
			client := b.dial(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.contentType)
				w.Header().Set("Location", "https://sso.example.com/login")
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			err := client.Sync(t.Context(), argocd.SyncRequest{Ref: test.ref, Revision: wanted})
			if err == nil {
				t.Fatal("no error")
			}
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%v is not %v", err, test.want)
			}
			if got := argocd.Transient(err); got != test.transient {
				t.Errorf("Transient(%v) = %v, want %v", err, got, test.transient)
			}
			if text := err.Error(); !strings.Contains(text, test.message) || !strings.Contains(text, "sync application dev") {
				t.Errorf("it says %q, want %q in it", text, test.message)
			}
			if text := err.Error(); strings.Contains(text, token) || strings.ContainsAny(text, "\n\r") || len(text) > 5000 {
				t.Errorf("it shows the token, has several lines or no bound: %d bytes", len(text))
			}
		})
	}
}

func TestRequestsCarryWhatArgoCDWants(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(server.Close)
	client, err := argocd.New(argocd.Config{URL: server.URL + "/root/", Token: token, UserAgent: "lockkeeper/1.0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Sync(t.Context(), argocd.SyncRequest{Ref: argocd.Ref{Name: "a/b"}}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer " + token,
		"Content-Type":  "application/json",
		"User-Agent":    "lockkeeper/1.0",
	} {
		if have := got.Header.Get(name); have != want {
			t.Errorf("%s: %q, want %q", name, have, want)
		}
	}
	if path := got.URL.EscapedPath(); path != "/root/api/v1/applications/a%2Fb/sync" {
		t.Errorf("path %q", path)
	}
}

func TestTLSFollowsTheConfiguration(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"Version":"v3.6.1"}`))
	}))
	t.Cleanup(server.Close)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for _, test := range []struct {
		name   string
		config argocd.Config
		works  bool
	}{
		{"the system's authorities do not know it", argocd.Config{}, false},
		{"its CA is trusted", argocd.Config{CA: ca}, true},
		{"anything is trusted", argocd.Config{Insecure: true}, true},
	} {
		test.config.URL, test.config.Token = server.URL, token
		client, err := argocd.New(test.config)
		if err != nil {
			t.Fatal(err)
		}
		version, err := client.Version(t.Context())
		if works := err == nil && version == "v3.6.1"; works != test.works {
			t.Errorf("%s: %q, %v", test.name, version, err)
		}
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for name, config := range map[string]argocd.Config{
		"no URL":            {Token: token},
		"no scheme":         {URL: "argocd.example.com", Token: token},
		"another scheme":    {URL: "ftp://argocd.example.com", Token: token},
		"credentials":       {URL: "https://user:" + token + "@argocd.example.com", Token: token},
		"a query":           {URL: "https://argocd.example.com?token=x", Token: token},
		"an unparsable URL": {URL: "https://" + token + "\x7f", Token: token},
		"no token":          {URL: "https://argocd.example.com"},
		"a CA without PEM":  {URL: "https://argocd.example.com", Token: token, CA: []byte("x")},
		"two TLS settings":  {URL: "https://argocd.example.com", Token: token, Insecure: true, HTTPClient: http.DefaultClient},
	} {
		_, err := argocd.New(config)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if strings.Contains(err.Error(), token) {
			t.Errorf("%s: the message shows the secret: %v", name, err)
		}
	}
}

func TestTokenIsNeverPrinted(t *testing.T) {
	config := argocd.Config{Token: token}
	encoded, err := json.Marshal(config.Token)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "config", config, "token", config.Token)
	for _, text := range []string{
		fmt.Sprint(config), fmt.Sprintf("%+v", config), fmt.Sprintf("%#v", config), fmt.Sprintf("%s %q %v", config.Token, config.Token, config.Token),
		fmt.Sprintf("%x", config.Token), string(encoded), logged.String(),
	} {
		if strings.Contains(text, token) || strings.Contains(text, fmt.Sprintf("%x", token)) {
			t.Errorf("it shows: %s", text)
		}
	}
}

func TestQuestionsAboutServerAndToken(t *testing.T) {
	b := newBed(t, 0, 0)
	b.put(t, devargo.App{})
	ctx := t.Context()
	if version, err := b.client.Version(ctx); err != nil || !strings.HasPrefix(version, "v3.6.1") {
		t.Errorf("Version: %q, %v", version, err)
	}
	if user, err := b.client.User(ctx); err != nil || user != "lockkeeper" {
		t.Errorf("User: %q, %v", user, err)
	}
	stranger, err := argocd.New(argocd.Config{
		URL: "https://argocd.example.com", Token: "another", HTTPClient: &http.Client{Transport: inMemory{b.argo}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.User(ctx); !errors.Is(err, argocd.ErrUnauthorized) {
		t.Errorf("User with another token: %v", err)
	}
	if _, err := stranger.Application(ctx, ref); !errors.Is(err, argocd.ErrUnauthorized) {
		t.Errorf("Application with another token: %v", err)
	}
	if may, err := b.client.May(ctx, "sync", ref); err != nil || !may {
		t.Errorf("May sync: %v, %v", may, err)
	}
	b.fail(t, devargo.Forbid("sync"))
	inNamespace := ref
	inNamespace.Namespace = "argocd"
	for _, each := range []argocd.Ref{ref, inNamespace} {
		if may, err := b.client.May(ctx, "sync", each); err != nil || may {
			t.Errorf("May sync %v without the permission: %v, %v", each, may, err)
		}
	}
}

func TestListSelects(t *testing.T) {
	b := newBed(t, 0, 0)
	for _, app := range []devargo.App{
		{Ref: argocd.Ref{Name: "a", Project: "develop"}, Labels: map[string]string{"tier": "web"}, AutoSync: true},
		{Ref: argocd.Ref{Name: "b", Project: "live"}, Labels: map[string]string{"tier": "web"}},
		{Ref: argocd.Ref{Name: "c", Project: "live"}, Sources: []devargo.Source{{RepoURL: "https://git.example.com/other", TargetRevision: "main"}}},
	} {
		b.put(t, app)
	}
	for _, test := range []struct {
		name      string
		selection argocd.Selection
		want      []string
	}{
		{"everything", argocd.Selection{}, []string{"a", "b", "c"}},
		{"by project", argocd.Selection{Projects: []string{"live"}}, []string{"b", "c"}},
		{"by several projects", argocd.Selection{Projects: []string{"live", "develop"}}, []string{"a", "b", "c"}},
		{"by label", argocd.Selection{Selector: "tier=web"}, []string{"a", "b"}},
		{"by a missing label", argocd.Selection{Selector: "!tier"}, []string{"c"}},
		{"by repository", argocd.Selection{RepoURL: repo}, []string{"a", "b"}},
		{"by namespace", argocd.Selection{Namespace: "elsewhere"}, nil},
		{"by all", argocd.Selection{Projects: []string{"live"}, Selector: "tier!=db", RepoURL: repo}, []string{"b"}},
	} {
		apps, err := b.client.List(t.Context(), test.selection)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		var names []string
		for _, app := range apps {
			names = append(names, app.Name)
			if app.Sync != argocd.Synced || app.Health.Status != argocd.Healthy || app.Tracks() != "main" || app.Namespace != "argocd" || app.AutoSync != (app.Name == "a") {
				t.Errorf("%s: %+v is incomplete", test.name, app)
			}
		}
		if diff := cmp.Diff(test.want, names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	if _, err := b.client.List(t.Context(), argocd.Selection{Selector: "a b="}); err == nil {
		t.Error("an unreadable selector: no error")
	}
}

// What is read of an application, read from an answer that has all of it.
func TestApplicationIsReadInFull(t *testing.T) {
	b := newBed(t, 0, 0)
	synctest.Test(t, func(t *testing.T) {
		annotations := map[string]string{"kargo.akuity.io/authorized-stage": "demo:dev"}
		b.put(t, devargo.App{Annotations: annotations, Labels: map[string]string{"tier": "web"}, AutoSync: true})
		began := time.Now()
		b.push(wanted)
		for range 5 {
			if _, err := b.client.Refresh(t.Context(), ref, false); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
		}
		b.fail(t, devargo.ComparisonError("broken"))
		got, err := b.client.Refresh(t.Context(), ref, false)
		if err != nil {
			t.Fatal(err)
		}
		after := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second).UTC() }
		want := argocd.Application{
			Declaration: argocd.Declaration{
				Ref:         argocd.Ref{Name: "dev", Namespace: "argocd", Project: "develop"},
				Labels:      map[string]string{"tier": "web"},
				Annotations: annotations,
				AutoSync:    true,
				Sources:     []argocd.Source{{RepoURL: repo, Path: "env/dev", TargetRevision: "main"}},
			},
			Sync:   argocd.Sync{Status: argocd.SyncUnknown, Revisions: []string{wanted}},
			Health: argocd.Health{Status: argocd.HealthUnknown, Since: after(5)},
			Operation: argocd.Operation{
				Phase:      argocd.PhaseSucceeded,
				Message:    "successfully synced (all tasks run)",
				StartedAt:  after(1),
				FinishedAt: after(2),
				Revisions:  []string{wanted},
				By:         "automated sync",
			},
			History:      []argocd.Deployment{{At: began.UTC(), Revisions: []string{older}}, {At: after(2), Revisions: []string{wanted}}},
			ReconciledAt: after(5),
			Conditions:   []argocd.Condition{{Type: argocd.ConditionComparisonError, Message: "broken", Since: after(5)}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Refresh (-want +got):\n%s", diff)
		}
	})
}
