package github

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

// testKey is a key made for these tests, once: making one takes long.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(nil, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func testPEM() secret.Text {
	return secret.Text(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(testKey())}))
}

func TestAnAppSaysWhoItIs(t *testing.T) {
	signed, err := signJWT(testKey(), 17, testNow)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(signed.Reveal(), ".")
	if len(parts) != 3 {
		t.Fatalf("got %d parts", len(parts))
	}
	decode := func(part string) []byte {
		data, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&testKey().PublicKey, crypto.SHA256, sum[:], decode(parts[2])); err != nil {
		t.Errorf("the signature: %v", err)
	}
	if got := string(decode(parts[0])); got != `{"alg":"RS256","typ":"JWT"}` {
		t.Errorf("the header is %s", got)
	}
	var claims struct {
		IssuedAt int64  `json:"iat"`
		Expires  int64  `json:"exp"`
		Issuer   string `json:"iss"`
	}
	if err := json.Unmarshal(decode(parts[1]), &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Issuer != "17" || claims.IssuedAt != testNow.Unix()-60 || claims.Expires != testNow.Unix()+9*60 {
		t.Errorf("got %+v at %d", claims, testNow.Unix())
	}
}

func TestKeysOfApps(t *testing.T) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(testKey())
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, data []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}))
	}
	pkcs1 := testPEM().Reveal()
	for _, test := range []struct {
		name string
		text string
		want string // of the error; empty: it is read
	}{
		{"PKCS #1, as GitHub hands it out", pkcs1, ""},
		{"PKCS #8", block("PRIVATE KEY", pkcs8), ""},
		{"on one line, from an environment variable", strings.ReplaceAll(pkcs1, "\n", `\n`), ""},
		{"no PEM", "hunter2", "the private key of the App is no PEM"},
		{"nothing", "", "the private key of the App is no PEM"},
		{"a certificate", block("CERTIFICATE", []byte("hunter2")), `the PEM of the App holds a "CERTIFICATE"; expected a private key`},
		{"half a key", block("RSA PRIVATE KEY", []byte("hunter2")), "the private key of the App cannot be read; was the file cut?"},
		{"half a key of the other form", block("PRIVATE KEY", []byte("hunter2")), "the private key of the App cannot be read as an RSA key; was the file cut?"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseKey(secret.Text(test.text))
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

// installedJSON is an installation as GitHub answers it.
const installedJSON = `{"id":3,"permissions":{"metadata":"read","contents":"write","issues":"read","statuses":"write"}}`

func tokenAnswer(token string, expires time.Time) answer {
	return created(fmt.Sprintf(`{"token":%q,"expires_at":%q}`, token, expires.UTC().Format(time.RFC3339)))
}

func TestTokensOfInstallations(t *testing.T) {
	var s *server
	f, s := playApp(t, &s, map[string][]answer{
		"GET …/installation":                      {ok(installedJSON)},
		"POST /app/installations/3/access_tokens": {tokenAnswer("ghs_one", testNow.Add(time.Hour)), tokenAnswer("ghs_two", testNow.Add(2*time.Hour))},
		"GET …/pulls":                             {ok("[]"), ok("[]"), ok("[]")},
	})
	ask := func() {
		t.Helper()
		if _, err := f.ChangesFrom(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	ask()
	s.At = testNow.Add(56 * time.Minute) // It would end in four minutes.
	ask()
	password, expires, err := f.app.Token(t.Context(), "Acme/Shop")
	if err != nil || password.Reveal() != "ghs_two" || !expires.Equal(testNow.Add(2*time.Hour)) {
		t.Errorf("got a token until %v, %v", expires, err)
	}
	want := []string{
		"GET …/installation", "POST /app/installations/3/access_tokens", "GET …/pulls", "GET …/pulls",
		"POST /app/installations/3/access_tokens", "GET …/pulls",
	}
	if diff := cmp.Diff(want, s.Routes()); diff != "" {
		t.Error(diff)
	}
	wantBody := `{"permissions":{"contents":"write","issues":"read","metadata":"read","statuses":"write"},"repositories":["shop"]}`
	if got := s.Sent("POST /app/installations/3/access_tokens"); got != wantBody {
		t.Errorf("asked for %s", got)
	}
	if s.Got[2].Token != "Bearer ghs_one" || s.Got[5].Token != "Bearer ghs_two" || strings.Count(s.Got[1].Token, ".") != 2 {
		t.Errorf("sent %v", s.Got)
	}
}

// playApp is play for an App.
func playApp(t testing.TB, held **server, script map[string][]answer) (*Forge, *server) {
	t.Helper()
	f, s := play(t, script, withApp(t, held))
	*held = s
	return f, s
}

func TestManyAskForOneToken(t *testing.T) {
	var s *server
	f, s := playApp(t, &s, map[string][]answer{
		"GET …/installation":                      {ok(installedJSON)},
		"POST /app/installations/3/access_tokens": {tokenAnswer("ghs_one", testNow.Add(time.Hour))},
	})
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if token, _, err := f.app.Token(t.Context(), "acme/shop"); err != nil || token.Reveal() != "ghs_one" {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if len(s.Got) != 2 {
		t.Errorf("asked %v", s.Routes())
	}
}

func TestATokenThatIsNotTakenIsReplacedOnce(t *testing.T) {
	var s *server
	refused := answer{Status: 401, Body: `{"message":"Bad credentials"}`}
	f, s := playApp(t, &s, map[string][]answer{
		"GET …/installation": {ok(installedJSON)},
		"POST /app/installations/3/access_tokens": {
			tokenAnswer("ghs_one", testNow.Add(time.Hour)), tokenAnswer("ghs_two", testNow.Add(time.Hour)), tokenAnswer("ghs_three", testNow.Add(time.Hour)),
		},
		"PATCH …/pulls/7": {refused, ok(pullJSON(t, nil)), refused, refused},
	})
	if err := f.Update(t.Context(), 7, promote.ChangeEdit{}); err != nil {
		t.Error(err)
	}
	err := f.Update(t.Context(), 7, promote.ChangeEdit{})
	if !errors.Is(err, promote.ErrUnauthorized) || strings.Contains(err.Error(), "ghs_") {
		t.Errorf("got %v", err)
	}
}

func TestATokenThatGitDoesNotTakeIsMadeAnew(t *testing.T) {
	var s *server
	f, s := playApp(t, &s, map[string][]answer{
		"GET …/installation":                      {ok(installedJSON)},
		"POST /app/installations/3/access_tokens": {tokenAnswer("ghs_one", testNow.Add(time.Hour)), tokenAnswer("ghs_two", testNow.Add(time.Hour))},
	})
	for _, step := range []struct{ refused, want secret.Text }{{"", "ghs_one"}, {"ghs_before", "ghs_one"}, {"ghs_one", "ghs_two"}} {
		f.app.Forget("Acme/Shop", step.refused)
		if token, _, err := f.app.Token(t.Context(), "acme/shop"); err != nil || token != step.want {
			t.Errorf("after %q: got another token than %q, %v", step.refused.Reveal(), step.want.Reveal(), err)
		}
	}
}

func TestAnInstallationThatWasMadeAnew(t *testing.T) {
	var s *server
	f, s := playApp(t, &s, map[string][]answer{
		"GET …/installation":                      {ok(installedJSON), ok(`{"id":4,"permissions":{"metadata":"read"}}`)},
		"POST /app/installations/3/access_tokens": {tokenAnswer("ghs_one", testNow.Add(time.Minute)), {Status: 404, Body: `{"message":"Integration not found"}`}},
		"POST /app/installations/4/access_tokens": {tokenAnswer("ghs_two", testNow.Add(time.Hour))},
	})
	for _, want := range []string{"ghs_one", "ghs_two"} {
		token, _, err := f.app.Token(t.Context(), "acme/shop")
		if err != nil || token.Reveal() != want {
			t.Errorf("want %s, got %v", want, err)
		}
	}
}

// TestWhatIsGrantedLaterIsInALaterToken: an owner grants what was lacking, and takes something away, while the server runs.
func TestWhatIsGrantedLaterIsInALaterToken(t *testing.T) {
	var s *server
	const making = "POST /app/installations/3/access_tokens"
	soon := tokenAnswer("ghs_one", testNow)
	f, s := playApp(t, &s, map[string][]answer{
		"GET …/installation": {
			ok(`{"id":3,"permissions":{"metadata":"read"}}`), ok(`{"id":3,"permissions":{"metadata":"read","checks":"write"}}`),
			ok(`{"id":3,"permissions":{"metadata":"read","checks":"read"}}`),
		},
		making: {soon, soon, soon, {Status: 422, Body: `{"message":"The permissions requested are not granted to this installation."}`}, soon},
	})
	for _, step := range []struct {
		name string
		at   time.Duration
		want string // the last body
		made int    // requests so far
	}{
		{"the first token", 0, `{"permissions":{"metadata":"read"},"repositories":["shop"]}`, 2},
		{"soon after something was granted", time.Hour, `{"permissions":{"metadata":"read"},"repositories":["shop"]}`, 3},
		{"some hours later", 7 * time.Hour, `{"permissions":{"checks":"write","metadata":"read"},"repositories":["shop"]}`, 5},
		{"something was taken away", 8 * time.Hour, `{"permissions":{"checks":"read","metadata":"read"},"repositories":["shop"]}`, 8},
	} {
		s.At = testNow.Add(step.at)
		if _, _, err := f.app.Token(t.Context(), "acme/shop"); err != nil {
			t.Fatal(step.name, err)
		}
		if got := strings.TrimSpace(s.Got[len(s.Got)-1].Body); got != step.want {
			t.Errorf("%s: asked for %s, want %s", step.name, got, step.want)
		}
		if len(s.Got) != step.made {
			t.Errorf("%s: %d requests, want %d: %v", step.name, len(s.Got), step.made, s.Routes())
		}
	}
}

func TestWhatKeepsAnAppFromATokenIsSaid(t *testing.T) {
	for _, test := range []struct {
		name   string
		script map[string][]answer
		is     error
		want   string
	}{
		{
			"it is not installed",
			map[string][]answer{"GET …/installation": {{Status: 404, Body: `{"message":"Not Found"}`}}},
			promote.ErrNotFound, `install the App 17 on repository "acme/shop"`,
		},
		{
			"the key is not its own",
			map[string][]answer{"GET …/installation": {{Status: 401, Body: `{"message":"A JSON web token could not be decoded"}`}}},
			promote.ErrUnauthorized, "check that 17 is the ID of the App, that the private key is one of its, and that the clock of this machine is right",
		},
		{
			"it is suspended",
			map[string][]answer{
				"GET …/installation":                      {ok(installedJSON)},
				"POST /app/installations/3/access_tokens": {{Status: 403, Body: `{"message":"This installation has been suspended"}`}},
			},
			promote.ErrForbidden, "This installation has been suspended",
		},
		{
			"an answer without a token",
			map[string][]answer{
				"GET …/installation": {ok(installedJSON)}, "POST /app/installations/3/access_tokens": {created(`{}`)},
			},
			nil, "the answer holds no token",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s *server
			f, s := playApp(t, &s, test.script)
			_, err := f.Change(t.Context(), 7)
			if err == nil || test.is != nil && !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v after %v", err, s.Routes())
			}
		})
	}
}

func TestInstallationsThatAreKnownAreNotLookedFor(t *testing.T) {
	s := newServer(t, map[string][]answer{
		"GET /app/installations/3":                {ok(installedJSON)},
		"POST /app/installations/3/access_tokens": {tokenAnswer("ghs_one", testNow.Add(time.Hour)), tokenAnswer("ghs_two", testNow.Add(time.Hour))},
	})
	s.Script["GET /app/installations/3"] = append(s.Script["GET /app/installations/3"], ok(installedJSON))
	app, err := NewApp(AppConfig{URL: adaptertest.Listen(t, contracttest.GitHub(t, s, contracttest.Answers)), ID: 17, PrivateKey: testPEM(), Installations: map[string]int64{"Acme": 3}, Now: s.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, repository := range []string{"acme/shop", "acme/other"} {
		if _, _, err := app.Token(t.Context(), repository); err != nil {
			t.Error(err)
		}
	}
	first := app.limitsOf(3)
	if app.limitsOf(3) != first || app.limitsOf(4) == first {
		t.Error("limits are those of an installation")
	}
}

func TestNewAppRefusesWhatCannotWork(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  AppConfig
		want string
	}{
		{"no ID", AppConfig{URL: "https://github.com", PrivateKey: testPEM()}, "github: the ID of the App is missing; expected the number on the App's page"},
		{"no URL", AppConfig{ID: 17, PrivateKey: testPEM()}, "github: the URL is missing; expected something like https://github.com"},
		{"no key", AppConfig{URL: "https://github.com", ID: 17}, `github: the private key of the App is no PEM; expected the text of the file that GitHub made, not its name, from "-----BEGIN RSA PRIVATE KEY-----" on`},
		{"a negative timeout", AppConfig{URL: "https://github.com", ID: 17, PrivateKey: testPEM(), Timeout: -1}, "github: timeout -1ns: expected a positive duration"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewApp(test.cfg)
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
