package main

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
	"github.com/lockkeeper/lockkeeper/internal/forge/github"
)

const appCode = "a180b1a3d263c81bc6441d7b990bae27d4c10679"

// convertedApp is what GitHub answers to a code, after its description.
const convertedApp = `{"id":17,"slug":"lockkeeper-acme","node_id":"MDxOkludGVncmF0aW9uMQ==","owner":{"login":"acme","id":1,"node_id":"x","avatar_url":"https://x.example.com",
	"gravatar_id":"","url":"https://x.example.com","html_url":"https://x.example.com","followers_url":"https://x.example.com","following_url":"x","gists_url":"x",
	"starred_url":"x","subscriptions_url":"https://x.example.com","organizations_url":"https://x.example.com","repos_url":"https://x.example.com","events_url":"x",
	"received_events_url":"https://x.example.com","type":"Organization","site_admin":false},"name":"Lockkeeper acme","description":"","external_url":"https://x.example.com",
	"html_url":"https://github.com/apps/lockkeeper-acme","created_at":"2026-11-21T12:00:00Z","updated_at":"2026-11-21T12:00:00Z","permissions":{"contents":"write"},
	"events":["push"],"client_id":"Iv1.x","client_secret":"do-not-keep-me","webhook_secret":"s3cret","pem":"-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----\n"}`

// manifestForge is a GitHub that makes an App of each manifest, and sends the browser back.
type manifestForge struct {
	t        *testing.T
	mu       sync.Mutex
	manifest github.Manifest
	at       string // where it was posted
	status   int    // of the conversion
}

func (f *manifestForge) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /organizations/acme/settings/apps/new", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.at = r.URL.Path
		if err := json.Unmarshal([]byte(r.FormValue("manifest")), &f.manifest); err != nil {
			f.t.Error(err)
		}
		http.Redirect(w, r, f.manifest.RedirectURL+"?"+url.Values{"code": {appCode}, "state": {r.URL.Query().Get("state")}}.Encode(), http.StatusSeeOther)
	})
	api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(f.status)
		if f.status == http.StatusCreated {
			_, _ = io.WriteString(w, convertedApp)
			return
		}
		_, _ = io.WriteString(w, `{"message":"Not Found","documentation_url":"https://docs.github.com"}`)
	})
	mux.Handle("/api/v3/", http.StripPrefix("/api/v3", contracttest.Guard(f.t, contract.GitHub)(f.t, api)))
	return mux
}

// browser reads what the command prints, opens the page that it names, and does there what a person would.
type browser struct {
	t    *testing.T
	once sync.Once
	text strings.Builder
	open func(address string)
	done sync.WaitGroup
}

var openAddress = regexp.MustCompile(`Open (http://\S+)`)

func (b *browser) Write(p []byte) (int, error) {
	b.text.Write(p)
	if found := openAddress.FindStringSubmatch(b.text.String()); found != nil {
		b.once.Do(func() { b.done.Go(func() { b.open(found[1]) }) })
	}
	return len(p), nil
}

func (b *browser) get(address string) (int, string) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.t.Error(err)
		return 0, ""
	}
	return b.do(request)
}

func (b *browser) do(request *http.Request) (int, string) {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Error(err)
		return 0, ""
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Error(err)
	}
	return response.StatusCode, string(body)
}

var (
	formAction   = regexp.MustCompile(`<form action="([^"]+)"`)
	formManifest = regexp.MustCompile(`name="manifest" value="([^"]+)"`)
)

// create opens the page, and presses the button there and then the one on GitHub.
func (b *browser) create(address string) {
	_, page := b.get(address)
	action, manifest := formAction.FindStringSubmatch(page), formManifest.FindStringSubmatch(page)
	if action == nil || manifest == nil {
		b.t.Errorf("the page has no form: %s", page)
		return
	}
	form := url.Values{"manifest": {html.UnescapeString(manifest[1])}}
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, html.UnescapeString(action[1]), strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Error(err)
		return
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if status, page := b.do(request); status != http.StatusOK || !strings.Contains(page, "Go back to the terminal") {
		b.t.Errorf("back from GitHub: %d %s", status, page)
	}
}

// makeApp runs the command against a GitHub, with a browser. It returns the exit code and what was printed.
func makeApp(t *testing.T, f *manifestForge, open func(b *browser, address string), args ...string) (int, string) {
	t.Helper()
	running := httptest.NewServer(f.handler())
	defer running.Close()
	b := &browser{t: t}
	b.open = func(address string) { open(b, address) }
	var failure strings.Builder
	code := run(t.Context(), environment{
		args:   append([]string{"setup", "github", "--app", "--github-url", running.URL, "--url", "https://bot.example.com", "--organization", "acme"}, args...),
		getenv: func(string) string { return "" }, out: b, err: &failure,
	})
	b.done.Wait()
	return code, b.text.String() + failure.String()
}

func TestAnAppIsMadeInTheBrowser(t *testing.T) {
	out := filepath.Join(t.TempDir(), "lockkeeper.env")
	f := &manifestForge{t: t, status: http.StatusCreated}
	code, printed := makeApp(t, f, func(b *browser, address string) {
		for _, wrong := range []string{"/made?code=x&state=x", "/made?code=x", "/made"} {
			if status, _ := b.get(address + wrong); status != http.StatusForbidden {
				t.Errorf("%s: %d: what did not begin here is taken", wrong, status)
			}
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Error(err)
			return
		}
		request.Host = "rebound.example.com"
		if status, _ := b.do(request); status != http.StatusMisdirectedRequest {
			t.Errorf("another host: %d", status)
		}
		b.create(address)
	}, "--out", out)
	if code != 0 || !strings.Contains(printed, "made the App lockkeeper-acme") || strings.Contains(printed, "s3cret") || strings.Contains(printed, "BEGIN RSA") {
		t.Errorf("exit code %d: %s", code, printed)
	}
	written, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want := "LOCKKEEPER_GITHUB_APP_ID=17\n" +
		"LOCKKEEPER_GITHUB_APP_KEY=LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQp4Ci0tLS0tRU5EIFJTQSBQUklWQVRFIEtFWS0tLS0tCg==\n" +
		"LOCKKEEPER_GITHUB_WEBHOOK_SECRET=s3cret\n"
	if diff := cmp.Diff(want, string(written)); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
	if f.manifest.Name != "Lockkeeper acme" || f.manifest.Hook.URL != "https://bot.example.com/webhook/github" || !strings.HasPrefix(f.manifest.RedirectURL, "http://127.0.0.1:") {
		t.Errorf("the manifest is %+v", f.manifest)
	}
}

func TestAnAppThatIsNotMadeLeavesNothing(t *testing.T) {
	out := filepath.Join(t.TempDir(), "lockkeeper.env")
	f := &manifestForge{t: t, status: http.StatusNotFound}
	code, printed := makeApp(t, f, (*browser).create, "--out", out)
	if code != 1 || !strings.Contains(printed, "if GitHub has made the App, delete it on") {
		t.Errorf("exit code %d: %s", code, printed)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("the file is there: %v", err)
	}
}

func TestAnAppIsNotMadeOverAFileOrForOthers(t *testing.T) {
	out := filepath.Join(t.TempDir(), "lockkeeper.env")
	if err := os.WriteFile(out, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	never := func(*browser, string) { t.Error("it served a page") }
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--out", out}, "name a file that does not exist"},
		{[]string{"--out", filepath.Join(t.TempDir(), "x"), "--listen", "0.0.0.0:0"}, "an address of this machine only"},
		{[]string{"--out", filepath.Join(t.TempDir(), "x"), "--listen", "localhost"}, "an address of this machine only"},
		{[]string{"--repository", "acme/web"}, "run it alone"},
	} {
		if code, printed := makeApp(t, &manifestForge{t: t}, never, test.args...); code != 1 || !strings.Contains(printed, test.want) {
			t.Errorf("%v: exit code %d: %s", test.args, code, printed)
		}
	}
	if data, err := os.ReadFile(out); err != nil || string(data) != "mine" {
		t.Errorf("the file was written over: %q, %v", data, err)
	}
	code, printed := makeApp(t, &manifestForge{t: t}, never, "--dry-run", "--out", out)
	if code != 0 || !strings.Contains(printed, `"merge_queues": "write"`) {
		t.Errorf("exit code %d: %s", code, printed)
	}
}

func TestMakingAnAppEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := &browser{t: t, open: func(string) { cancel() }}
	out := filepath.Join(t.TempDir(), "x")
	code := run(ctx, environment{
		args:   []string{"setup", "github", "--app", "--url", "https://bot.example.com", "--out", out},
		getenv: func(string) string { return "" }, out: b, err: io.Discard,
	})
	b.done.Wait()
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
}

// TestTheManifestOfTheRepositoryIsTheOneThatIsSent keeps deploy/github-app-manifest.json, for those who make the App by hand, equal
// to what the code sends.
func TestTheManifestOfTheRepositoryIsTheOneThatIsSent(t *testing.T) {
	const file = "../../deploy/github-app-manifest.json"
	var want strings.Builder
	if err := printJSON(&want, github.NewManifest("Lockkeeper", "https://lockkeeper.example.com/webhook/github")); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, []byte(want.String()), 0o644); err != nil { //nolint:gosec // a file of the repository
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(have)); diff != "" {
		t.Error(diff, fmt.Sprintf("\nwrite %s anew with make update", file))
	}
}
