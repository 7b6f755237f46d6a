package expr

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const canary = "hunter2-canary"

// texts is a Store of what is given.
func texts(place string, data map[string]map[string]string) Store {
	return Store{Place: place, Lookup: func(name string) (map[string]string, bool) {
		values, ok := data[name]
		return values, ok
	}}
}

func storeEnv() Env {
	return Env{
		Vars:            map[string]any{"name": "db"},
		StepMetas:       map[string]any{"update": map[string]any{"status": "Succeeded"}},
		Target:          map[string]any{"params": map[string]any{"region": "eu"}, "labels": map[string]any{}},
		ConfigMap:       texts("", map[string]map[string]string{"app": {"url": "https://x", "port": "8080"}}),
		SharedConfigMap: texts("", map[string]map[string]string{"all": {"url": "https://all"}}),
		Secret:          texts("projects.shop.secrets", map[string]map[string]string{"db": {"password": canary, "user": "admin", "tls": "true", "pin": "1"}}),
		SharedSecret:    texts("", map[string]map[string]string{"registry": {"token": `to"ken-canary`}}),
		Used:            &Secrets{},
		FreightMetadata: func(name string) (map[string]any, bool) { return map[string]any{"ticket": "T-1"}, name == "abc" },
		FreightStatus: func(name string) (map[string]any, bool) {
			return map[string]any{"verifiedIn": map[string]any{"dev": map[string]any{}}}, name == "abc"
		},
		StageMetadata: func(name string) (map[string]any, bool) { return nil, name == "dev" },
	}
}

func TestEvalStores(t *testing.T) {
	tests := []struct {
		name     string
		template string
		want     any
	}{
		{"a config map", "${{ configMap('app').url }}", "https://x"},
		{"a whole config map", "${{ configMap('app') }}", map[string]any{"url": "https://x", "port": "8080"}},
		{"a shared config map", "${{ sharedConfigMap('all')['url'] }}", "https://all"},
		{"a secret", "${{ secret(vars.name).password }}", canary},
		{"a shared secret", "${{ sharedSecret('registry').token }}", `to"ken-canary`},
		{"a missing secret with a default", "${{ secret('x')?.password ?? 'd' }}", "d"},
		{"a missing secret with a default behind members", "${{ secret('x').password ?? 'd' }}", "d"},
		{"a missing secret compared with nil", "${{ sharedSecret('x') == nil }}", true},
		{"a missing key with a default", "${{ configMap('app').host ?? 'd' }}", "d"},
		{"metadata of a freight", "${{ freightMetadata('abc').ticket }}", "T-1"},
		{"metadata of no freight", "${{ freightMetadata('x') }}", nil},
		{"metadata of no freight with a default", "${{ freightMetadata('x')?.ticket ?? 'none' }}", "none"},
		{"metadata of a stage that has none", "${% stageMetadata('dev') %}", map[string]any{}},
		{"the status of a freight", "${{ 'dev' in freightStatus('abc').verifiedIn }}", true},
		{"metadata of a step", "${{ stepMetas.update.status }}", "Succeeded"},
		{"a target", "${{ target.params.region }}", "eu"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Eval(tt.template, storeEnv())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Any()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestEvalStoresExplainsWhatIsWrong(t *testing.T) {
	uncollected := storeEnv()
	uncollected.Used = nil
	tests := []struct {
		name       string
		expression string
		env        Env
		is         error
		want       string
	}{
		{"no such secret", "secret('x').password", storeEnv(), ErrMissing, `secret("x"): there is none of that name: add projects.shop.secrets.x to the server's configuration, or write secret("x")?.key ?? 'default'`},
		{"no such secret whose result is not looked into", "asYAML(sharedSecret('x'))", storeEnv(), ErrMissing, `sharedSecret("x"): there is none of that name: add sharedSecrets.x to the server's configuration, or write sharedSecret("x")?.key ?? 'default'`},
		{"no config maps at all", "configMap('a.b')", Env{}, ErrMissing, `configMap("a.b"): there is none of that name: add configMaps["a.b"] to the server's configuration, or write configMap("a.b")?.key ?? 'default'`},
		{"no such secret after one was read", "secret('db').user + secret('x').password", storeEnv(), ErrMissing, `secret("x"): there is none of that name: add projects.shop.secrets.x to the server's configuration, or write secret("x")?.key ?? 'default'`},
		{"no such key", "secret('db').pasword", storeEnv(), ErrUnknownName, `unknown name: secret("db").pasword; known: password, pin, tls, user; did you mean password?`},
		{"secrets that nobody collects", "secret('db').password", uncollected, ErrNotAvailable, `secret is not available here: what it gives could not be kept from being shown`},
		{"no such freight", "freightMetadata('x').ticket", storeEnv(), ErrMissing, `freightMetadata("x"): nothing is kept about a freight of that name: check the name, or write freightMetadata("x")?.key ?? 'default'`},
		{"no such stage", "stageMetadata('x').y", Env{}, ErrMissing, `stageMetadata("x"): nothing is kept about a stage of that name: check the name, or write stageMetadata("x")?.key ?? 'default'`},
		{"no such metadata", "freightMetadata('abc').tiket", storeEnv(), ErrUnknownName, `unknown name: freightMetadata("abc").tiket; known: ticket; did you mean ticket?`},
		{"a secret of the wrong type", "semverParse(secret('db').password)", storeEnv(), nil, (&hiddenError{}).Error()},
		{"a secret as a repository", "imageFrom(upper(secret('db').password)).Tag", storeEnv(), ErrMissing, (&hiddenError{}).Error()},
		{"a target where there is none", "target.params", Env{}, ErrNotAvailable, `target is not available: it exists only in a stage with targets`},
		{"metadata of steps where there are none", "stepMetas.x", Env{}, ErrNotAvailable, `stepMetas is not available: it exists only in steps, once one has run`},
		{"secrets as a variable", "secrets.db.password", storeEnv(), ErrNotAvailable, `secrets is not available: it is no variable any more; write secret('name').key`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Eval("${{ "+tt.expression+" }}", tt.env)
			if err == nil {
				t.Fatal("no error")
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("errors.Is(%v) is false", tt.is)
			}
			if diff := cmp.Diff(`expression "`+tt.expression+`": `+tt.want, err.Error()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSecretsAreRedacted follows a secret through expressions: what they yield must not be shown.
func TestSecretsAreRedacted(t *testing.T) {
	derive := func(t *testing.T, env Env, template string) any {
		t.Helper()
		v, err := Eval(template, env)
		if err != nil {
			t.Fatal(err)
		}
		return v.Any()
	}
	tests := []struct {
		name     string
		template string
		want     any
	}{
		{"as it is", "${{ secret('db').password }}", "[redacted]"},
		{"in a text", "Bearer ${{ secret('db').password }}.", "Bearer [redacted]."},
		{"encoded", "${{ toBase64(secret('db').password) }}", "[redacted]"},
		{"in an object, whose keys are none", "${{ {'h': ['x', 'Basic ' + secret('db').password]} }}", map[string]any{"h": []any{"x", "[redacted]"}}},
		{"as JSON", "${{ asJSON(sharedSecret('registry')) }}", "[redacted]\n"},
		{"quoted and changed", "${{ quote(upper(secret('db').password)) }}", "[redacted]"},
		{"by way of a variable", "${{ vars.token + 'x' }}", "[redacted]"},
		{"by way of a variable, encoded", "${{ upper(vars.nested.token) }}", "[redacted]"},
		{"by way of all variables", "${{ toBase64(toJSON($env)) }}", "[redacted]"},
		{"a variable beside it", "${{ vars.nested.plain + '-x' }}", "plain-x"},
		{"a comparison", "${{ secret('db').user == 'admin' }}", true},
		{"a choice that the expression spells out", "${{ secret('db').user == 'admin' ? 'apps/a' : 'apps/b' }}", "apps/a"},
		{"a boolean and a digit are no secrets", "${{ secret('db').tls }} ${{ secret('db').pin }} ${{ 'true' }}", "true 1 true"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := storeEnv()
			env.Vars["token"] = derive(t, env, "${{ toBase64(secret('db').password) }}")
			env.Vars["nested"] = map[string]any{"token": env.Vars["token"], "plain": "plain"}
			if diff := cmp.Diff(tt.want, env.Used.RedactAny(derive(t, env, tt.template))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRedact(t *testing.T) {
	var used Secrets
	for _, text := range []string{`a"b c/d`, "12345", "abc", "false", "  spaced  ", "line1\nline2"} {
		used.add(text)
	}
	for text, want := range map[string]string{
		`say a"b c/d!`:               "say [redacted]!",
		`{"x":"a\"b c/d"}`:           `{"x":"[redacted]"}`,
		"https://h/?q=a%22b+c%2Fd&x": "https://h/?q=[redacted]&x",
		"https://h/a%22b%20c%2Fd":    "https://h/[redacted]",
		"abc is too short, false":    "abc is too short, false",
		"spaced":                     "[redacted]",
		`"line1\nline2"`:             `"[redacted]"`,
		"":                           "",
	} {
		if got := used.Redact(text); got != want {
			t.Errorf("Redact(%q) = %q, want %q", text, got, want)
		}
	}
	if diff := cmp.Diff(map[string]any{"[redacted]": "[redacted]", "n": nil, "l": []any{1.0, true}}, used.RedactAny(map[string]any{"12345": 12345.0, "n": nil, "l": []any{1.0, true}})); diff != "" {
		t.Errorf("RedactAny (-want +got):\n%s", diff)
	}
	var none *Secrets
	if got := none.Redact("x") + new(Secrets).Redact("y"); got != "xy" {
		t.Errorf("without secrets: %q", got)
	}
	if got := len(used.Values()); got != 4 {
		t.Errorf("%d values, want 4", got)
	}
}

// FuzzRedact checks that a secret never survives redaction, whatever stands around it.
func FuzzRedact(f *testing.F) {
	f.Add("s3cr3t", "a", "b")
	f.Add(`q"u\o`, "", "\n")
	f.Add("redacted", "[", "]")
	f.Fuzz(func(t *testing.T, value, before, after string) {
		var used Secrets
		used.add(value)
		if len(used.values) == 0 || strings.Contains("[redacted]", strings.TrimSpace(value)) || strings.Contains(before+after, "[") {
			return
		}
		shown := used.Redact(before + value + after)
		if shown == before+value+after {
			t.Fatalf("%q is shown in %q", value, shown)
		}
	})
}
