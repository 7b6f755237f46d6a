package diff_test

import (
	"cmp"
	"encoding/base64"
	"maps"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/render/diff"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// canary is a secret that must not be seen in any output.
const canary = "CaNaRy7f3q9ZtPlUmAgE"

func manifest(apiVersion, kind, name string, rest map[string]any) object.Object {
	fields := map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": name, "namespace": "develop"}}
	maps.Copy(fields, rest)
	return object.Object{Fields: fields}
}

func configMap(name string, data map[string]any) object.Object {
	return manifest("v1", "ConfigMap", name, map[string]any{"data": data})
}

func pod(container map[string]any) object.Object {
	container["name"] = "web"
	return manifest("v1", "Pod", "p", map[string]any{"spec": map[string]any{"containers": []any{container}}})
}

// hiding places: each puts the secret between what comes before and after into an object where it must be masked.
var hidingPlaces = map[string]func(pre, secret, post string) object.Object{
	"Secret data": func(_, s, _ string) object.Object {
		return manifest("v1", "Secret", "s", map[string]any{"data": map[string]any{"k": base64.StdEncoding.EncodeToString([]byte(s))}})
	},
	"Secret data that is not base64": func(pre, s, post string) object.Object {
		return manifest("v1", "Secret", "s", map[string]any{"data": map[string]any{"k": pre + s + post}})
	},
	"Secret data that is a text": func(pre, s, post string) object.Object {
		return manifest("v1", "Secret", "s", map[string]any{"data": pre + s + post})
	},
	"Secret stringData": func(pre, s, post string) object.Object {
		return manifest("v1", "Secret", "s", map[string]any{"stringData": map[string]any{"k": pre + s + post, "deep": map[string]any{"er": s}}})
	},
	"Secret within a definition": func(pre, s, post string) object.Object {
		inner := manifest("v1", "Secret", "s", map[string]any{"stringData": map[string]any{"k": pre + s + post}}).Fields
		return manifest("kro.run/v1alpha1", "ResourceGraphDefinition", "r", map[string]any{
			"spec": map[string]any{"resources": []any{map[string]any{"id": "a", "template": inner}}},
		})
	},
	"last applied configuration": func(pre, s, post string) object.Object {
		o := configMap("c", nil)
		o.Fields["metadata"].(map[string]any)["annotations"] = map[string]any{"kubectl.kubernetes.io/last-applied-configuration": pre + s + post}
		return o
	},
	"environment variable": func(pre, s, post string) object.Object {
		return pod(map[string]any{"env": []any{map[string]any{"name": "DB_PASSWORD", "value": pre + s + post}}})
	},
	"ConfigMap key": func(pre, s, post string) object.Object {
		return configMap("c", map[string]any{"apiKeyName": pre + s + post})
	},
	"value of a kro instance": func(pre, s, post string) object.Object {
		return manifest("kro.run/v1alpha1", "App", "a", map[string]any{
			"spec": map[string]any{"values": map[string]any{"data": map[string]any{"DB_DSN": pre + s + post, "tokens": []any{s}}}},
		})
	},
	"URL with userinfo": func(pre, s, post string) object.Object {
		return configMap("c", map[string]any{"url": pre + " https://user:" + s + "@example.com/ " + post})
	},
	"URL with a slash in the password": func(pre, s, post string) object.Object {
		return configMap("c", map[string]any{"url": pre + " amqp://user:a/" + s + "@example.com/ " + post})
	},
	"private key": func(pre, s, post string) object.Object {
		return configMap("c", map[string]any{"cert": pre + "-----BEGIN PRIVATE KEY-----\n" + s + "\n-----END PRIVATE KEY-----\n" + post})
	},
	"private key without an end": func(pre, s, _ string) object.Object {
		return configMap("c", map[string]any{"cert": pre + "-----BEGIN RSA PRIVATE KEY-----\n" + s})
	},
	"bearer token": func(pre, s, post string) object.Object {
		return configMap("c", map[string]any{"header": pre + " Bearer " + s + " " + post})
	},
	"web token": func(pre, s, post string) object.Object {
		return configMap("c", map[string]any{"x": pre + "eyJhbGciOiJIUzI1NiJ9." + s + ".sig " + post})
	},
	"argument": func(_, s, _ string) object.Object {
		return pod(map[string]any{"args": []any{"--db-password=" + s, "--token", s, "-Dsecret=" + s}, "command": []any{"sh", "-c", "export API_KEY='" + s + "'; run"}})
	},
	"properties in a ConfigMap": func(pre, s, post string) object.Object {
		return configMap("c", map[string]any{"app.properties": "a=b\nspring.datasource.password = my " + s + "\nc=" + pre + post + "\n"})
	},
	"YAML in a ConfigMap": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"app.yaml": "db:\n  password: |\n    first\n    " + s + "\n  host: h\n"})
	},
	"JSON in a ConfigMap": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"a.json": `{"a":1,"password":"x\"` + s + `","b":2}`, "b.json": `"{\"token\":\"` + s + `\"}"`})
	},
	"nested in YAML": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"app.yaml": "db:\n  passwords:\n    admin: " + s + "\n    list: [x, " + s + "]\n  host: h\n"})
	},
	"nested in YAML that nobody names": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"config": "db:\n  credentials:\n  - user: x\n    value: " + s + "\n"})
	},
	"folded over lines in YAML": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"a.yml": "db: {password:\n    'first\n\n    " + s + "', host: h}\n"})
	},
	"behind an anchor in YAML": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"a.yaml": "x: &a\n  token:\n  - " + s + "\ny: *a\nz: {<<: *a}\n"})
	},
	"under a key that YAML escapes": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"a.yaml": "\"pass\\x77ord\": " + s + "\nb: 1\n"})
	},
	"a complex key of YAML": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"a.yaml": "? password\n: " + s + "\n"})
	},
	"a Secret in a file of YAML": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"a.yaml": "a: 1\n---\napiVersion: v1\nkind: Secret\ndata:\n  x: " + s + "\n"})
	},
	"a variable in YAML": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"pod.yaml": "env:\n- name: DB_PASSWORD\n  value: " + s + "\n- value: " + s + "\n  name: A_TOKEN\n"})
	},
	"nested in JSON": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"config": `{"auths":{"secrets":{"a":"` + s + `","b":["` + s + `"]}}}`})
	},
	"under a key that JSON escapes": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"a.json": `{"p\u0061ssword":"` + s + `","url":"https:\/\/u:` + s + `@h\/x"}`})
	},
	"JSON in YAML": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"a.yaml": "inner: |\n  {\"tokens\": {\"x\": \"" + s + "\"}}\nb: 1\n"})
	},
	"JSON in an annotation": func(_, s, _ string) object.Object {
		o := configMap("c", nil)
		o.Fields["metadata"].(map[string]any)["annotations"] = map[string]any{"x/config": `{"credentials":[{"v":"` + s + `"}]}`}
		return o
	},
	"TOML": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"a.toml": "[passwords]\nadmin = '" + s + "'\n[[tokens]]\nx = \"\"\"\n" + s + "\"\"\"\n"})
	},
	"INI": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"a.ini": "[secrets]\nadmin = " + s + "\n[b]\nx = 1\n"})
	},
	"environment file": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"a.env": "export DB_PASSWORD=" + s + "\nB=1\n"})
	},
	"continued property": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"a.properties": "db.password = \\\n   " + s + "\nb = 1\n"})
	},
	"broken YAML": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"a.yaml": "a: [\npasswords:\n\n  admin: " + s + "\n  more:\n  - " + s + "\nb: 1\ntokens:\n- " + s + "\nc: 1\n"})
	},
	"JSON with comments": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"a.json": "{\n  // x\n  \"passwords\": {\n    \"a\": \"x}\", \"b\": [\"" + s + "\"]},\n  \"b\": 1 /* y */\n}"})
	},
	"key of a map": func(_, s, _ string) object.Object {
		return configMap("c", map[string]any{"https://user:" + s + "@example.com": "x"})
	},
	"item of a list": func(_, s, _ string) object.Object {
		return pod(map[string]any{"env": []any{map[string]any{"name": "https://user:" + s + "@example.com"}}, "args": []any{"https://:" + s + "@example.com"}})
	},
	"wrong type under a Secret": func(_, s, _ string) object.Object {
		return manifest("v1", "Secret", "s", map[string]any{"data": []any{map[string]any{"k": []any{s}}}})
	},
}

// fataler is a test, or one run of a property.
type fataler interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// outputs are all the forms in which a report leaves the package.
func outputs(t fataler, report diff.Report) map[string]string {
	t.Helper()
	raw, err := diff.JSON(report)
	if err != nil {
		t.Fatalf("JSON: %v", err)
	}
	return map[string]string{
		"text":     diff.Text(report, diff.TextOptions{}),
		"colour":   diff.Text(report, diff.TextOptions{Color: true, Width: 100}),
		"markdown": diff.Markdown(report, diff.MarkdownOptions{Limit: 1 << 20}),
		"json":     string(raw),
	}
}

// checkHidden asserts that no output has the canary, nor its base64 form.
func checkHidden(t fataler, what string, report diff.Report) {
	t.Helper()
	for form, text := range outputs(t, report) {
		for _, secret := range []string{canary, strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(canary)), "=")} {
			if strings.Contains(text, secret) {
				t.Errorf("%s: the %s output shows the secret:\n%s", what, form, text)
			}
		}
	}
}

func TestNoOutputShowsASecret(t *testing.T) {
	for place, hide := range hidingPlaces {
		t.Run(place, func(t *testing.T) {
			old, head := hide("pre ", canary, " post"), hide("pre ", canary+"X", " post")
			other := hide("pre ", "something else", " post")
			cases := map[string]diff.App{
				"added":        {Head: []object.Object{head}},
				"removed":      {Base: []object.Object{old}},
				"changed":      {Base: []object.Object{old}, Head: []object.Object{head}},
				"changed to":   {Base: []object.Object{other}, Head: []object.Object{head}},
				"changed from": {Base: []object.Object{head}, Head: []object.Object{other}},
			}
			for name, app := range cases {
				app.Name = "app"
				report := diff.Compare([]diff.App{app})
				if report.Empty() {
					t.Errorf("%s: the change is not seen", name)
				}
				checkHidden(t, name, report)
			}
			if same := diff.Compare([]diff.App{{Name: "app", Base: []object.Object{head}, Head: []object.Object{hide("pre ", canary+"X", " post")}}}); !same.Empty() {
				t.Errorf("equal secrets are a change: %s", diff.Text(same, diff.TextOptions{}))
			}
			kept := hide("pre ", canary, " post")
			kept.Fields["more"] = "x"
			checkHidden(t, "kept", diff.Compare([]diff.App{{Name: "app", Base: []object.Object{old}, Head: []object.Object{kept}}}))
		})
	}
}

func TestSecretsWhoseShapeChangesStayHidden(t *testing.T) {
	shapes := []any{canary, []any{canary}, []any{[]any{canary}}, map[string]any{"token": canary}, []any{map[string]any{"token": canary}}, int64(1), nil}
	for _, key := range []string{"token", "tokens"} {
		for i, before := range shapes {
			for j, after := range shapes {
				o := func(v any) object.Object {
					return manifest("x.example/v1", "X", "x", map[string]any{"spec": map[string]any{key: v}})
				}
				report := diff.Compare(app(o(before), o(after)))
				if report.Empty() != (i == j) {
					t.Errorf("%v -> %v: empty is %v", before, after, report.Empty())
				}
				checkHidden(t, "shape", report)
			}
		}
	}
}

func TestFindingsAreMasked(t *testing.T) {
	finding := diff.Finding{Severity: diff.SeverityError, Message: "cannot fetch https://bot:" + canary + "@example.com/chart", Where: "token=" + canary}
	checkHidden(t, "finding", diff.Compare([]diff.App{{Name: "app", Findings: []diff.Finding{finding}}}))
}

func TestRefusedValuesAreMasked(t *testing.T) {
	for _, test := range []struct{ text, mask, sentence string }{
		{`spec.password: Invalid value: "my \"word": should match '^x$'`, `spec.password: Invalid value: <secret>: should match '^x$'`, ""},
		{`spec.env["token"]: Unsupported value: 12345: supported values: "a"`, `spec.env["token"]: Unsupported value: <secret>: supported values: "a"`, ""},
		{`spec.token: Invalid value: 12345`, `spec.token: Invalid value: <secret>`, ""},
		{`spec.db: Invalid value: {"password":"x y"}: bad`, `spec.db: Invalid value: {"password":<secret>}: bad`, ""},
		{`spec.password: Too long: may not be more than 5 bytes`, `spec.password: Too long: may not be more than 5 bytes`, ""},
		{`spec.password: Required value`, `spec.password: Required value`, ""},
		{`add quotes: token: "12345"`, `add quotes: token: <secret>`, ""},
		{`generator reads https://bot:abc@example.com/x.git, which`, `generator reads https://<secret>@example.com/x.git, which`, ""},
		{`secretGenerator: key is taken`, `secretGenerator: <secret> is taken`, `secretGenerator: key is taken`},
	} {
		if got := diff.Mask(test.text); got != test.mask {
			t.Errorf("Mask: got %s, want %s", got, test.mask)
		}
		if got := diff.MaskSentence(test.text); got != cmp.Or(test.sentence, test.mask) {
			t.Errorf("MaskSentence: got %s, want %s", got, cmp.Or(test.sentence, test.mask))
		}
	}
}

func TestReadableValuesStayReadable(t *testing.T) {
	values := []string{
		"https://example.com:8080/path@1.2", "example/frontend@sha256:0123", "someone@example.com", "git@github.com:a/b.git",
		"ssh://git@github.com/a/b", "the bearer of news", "proxy_pass http://backend;", "secretName: frontend-tls", "/var/run/secrets/token",
		"⟨known after deploy: ${service.status.token}⟩",
	}
	for _, v := range values {
		got := diff.Text(diff.Compare([]diff.App{{Name: "app", Head: []object.Object{configMap("c", map[string]any{"note": v})}}}), diff.TextOptions{})
		if !strings.Contains(got, v) {
			t.Errorf("%q is not shown:\n%s", v, got)
		}
	}
}

// TestMaskingEnds masks texts that a search for names and values could read again for each of its names, which would take
// longer than a test may.
func TestMaskingEnds(t *testing.T) {
	const size = 100_000
	for _, piece := range []string{"a:", " a:#", "  b: |\n", `a:"`, `a:\"`, " a:{", "token:{", "token:\n", "-a ", "a://b:c "} {
		if text := "token\n" + strings.Repeat(piece, size/len(piece)); len(diff.Mask(text)) == 0 {
			t.Errorf("nothing is left of %q", piece)
		}
	}
}
