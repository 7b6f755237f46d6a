package github

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

// GitHub's own example, from https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries.
const (
	vectorSecret    = secret.Text("It's a Secret to Everybody")
	vectorBody      = "Hello, World!"
	vectorSignature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
)

func signedHeader(replaced ...string) http.Header {
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("X-Hub-Signature-256", vectorSignature)
	for i := 0; i < len(replaced); i += 2 {
		if replaced[i+1] == "" {
			header.Del(replaced[i])
		} else {
			header.Set(replaced[i], replaced[i+1])
		}
	}
	return header
}

func secrets(t testing.TB, texts ...secret.Text) Secrets {
	t.Helper()
	made, err := NewSecrets(texts)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestVerify(t *testing.T) {
	const sha1 = "sha1=e7cb9f1cc4d7bd5d0a2e0d0f6e8f0d8d3f1f4f4a"
	one := secrets(t, vectorSecret)
	for _, test := range []struct {
		name    string
		secrets Secrets
		header  http.Header
		body    string
		want    string // empty: accepted
	}{
		{"GitHub's own example", one, signedHeader(), vectorBody, ""},
		{"signed with the older of two secrets", secrets(t, "new", vectorSecret), signedHeader(), vectorBody, ""},
		{"signed with the newer of two secrets", secrets(t, vectorSecret, "old"), signedHeader(), vectorBody, ""},
		{"a content type with charset", one, signedHeader("Content-Type", "application/json; charset=utf-8"), vectorBody, ""},
		{"a content type in capitals", one, signedHeader("Content-Type", "Application/JSON"), vectorBody, ""},
		{"SHA-1 beside it changes nothing", one, signedHeader("X-Hub-Signature", sha1), vectorBody, ""},
		{"another body", one, signedHeader(), vectorBody + "!", "X-Hub-Signature-256 is wrong; set the same secret in the webhook's settings"},
		{"another secret", secrets(t, "other"), signedHeader(), vectorBody, "X-Hub-Signature-256 is wrong; set the same secret in the webhook's settings"},
		{"no secret, no signature", Secrets{}, signedHeader("X-Hub-Signature-256", ""), vectorBody, "no secret is configured"},
		{"no signature", one, signedHeader("X-Hub-Signature-256", ""), vectorBody, "it has no X-Hub-Signature-256; set the secret in the webhook's settings"},
		{"SHA-1 alone", one, signedHeader("X-Hub-Signature-256", "", "X-Hub-Signature", sha1), vectorBody, "it has no X-Hub-Signature-256; set the secret in the webhook's settings"},
		{"SHA-1 in the wrong header", one, signedHeader("X-Hub-Signature-256", sha1), vectorBody, "X-Hub-Signature-256 is not sha256= and 64 digits"},
		{"a signature without its kind", one, signedHeader("X-Hub-Signature-256", strings.TrimPrefix(vectorSignature, "sha256=")), vectorBody, "X-Hub-Signature-256 is not sha256= and 64 digits"},
		{"half a signature", one, signedHeader("X-Hub-Signature-256", vectorSignature[:39]), vectorBody, "X-Hub-Signature-256 is not sha256= and 64 digits"},
		{"a signature that is no number", one, signedHeader("X-Hub-Signature-256", "sha256="+strings.Repeat("x", 64)), vectorBody, "X-Hub-Signature-256 is not sha256= and 64 digits"},
		{"a form", one, signedHeader("Content-Type", "application/x-www-form-urlencoded"), vectorBody, "it is no JSON; choose the content type application/json in the webhook's settings"},
		{"no content type", one, signedHeader("Content-Type", ""), vectorBody, "it is no JSON; choose the content type application/json in the webhook's settings"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := Verify(test.secrets, test.header, []byte(test.body))
			if test.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if !errors.Is(err, promote.ErrUnauthorized) || err.Error() != "webhook: "+test.want+": unauthorized" {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestNewSecretsRefusesWhatProtectsNothing(t *testing.T) {
	for _, test := range []struct {
		name  string
		texts []secret.Text
		want  string
	}{
		{"none", nil, "webhooks: no secret is configured; set one, the same as in the settings of the webhook or of the GitHub App"},
		{"an empty one", []secret.Text{"x", ""}, "webhook secret 2 is empty"},
		{"a blank one", []secret.Text{" \n"}, "webhook secret 1 is empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := NewSecrets(test.texts); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(vectorSignature, "application/json", vectorBody)
	f.Add("sha256=", "application/json;", "")
	f.Add("sha1=e7cb9f1cc4d7bd5d0a2e0d0f6e8f0d8d3f1f4f4a", "application/x-www-form-urlencoded", "payload=%7B%7D")
	f.Fuzz(func(t *testing.T, signature, content, body string) {
		header := http.Header{}
		header.Set("X-Hub-Signature-256", signature)
		header.Set("Content-Type", content)
		accepted := Verify(secrets(t, "older", vectorSecret), header, []byte(body)) == nil
		right := false
		for _, key := range []string{"older", vectorSecret.Reveal()} {
			mac := hmac.New(sha256.New, []byte(key))
			mac.Write([]byte(body))
			right = right || strings.EqualFold(signature, "sha256="+hex.EncodeToString(mac.Sum(nil)))
		}
		if accepted && (!right || !strings.Contains(strings.ToLower(content), "json")) {
			t.Errorf("accepted %q of type %q", signature, content)
		}
	})
}
