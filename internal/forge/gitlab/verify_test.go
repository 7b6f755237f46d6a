package gitlab

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

// The official vector of Standard Webhooks.
const (
	vectorToken     = secret.Text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorTimestamp = "1614265330"
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

var vectorTime = time.Unix(1614265330, 0)

func vectorHeader(replaced ...string) http.Header {
	header := http.Header{}
	header.Set("webhook-id", vectorID)
	header.Set("webhook-timestamp", vectorTimestamp)
	header.Set("webhook-signature", vectorSignature)
	for i := 0; i < len(replaced); i += 2 {
		if replaced[i+1] == "" {
			header.Del(replaced[i])
		} else {
			header.Set(replaced[i], replaced[i+1])
		}
	}
	return header
}

func TestVerify(t *testing.T) {
	newer := secret.Text("whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	both := func(t *testing.T) Secrets {
		return secrets(t, []secret.Text{"plain-new", "plain-old"}, []secret.Text{newer, vectorToken})
	}
	turned := func(t *testing.T) Secrets { return secrets(t, nil, []secret.Text{vectorToken, newer}) }
	tokens := func(t *testing.T) Secrets { return secrets(t, []secret.Text{"plain-new", "plain-old"}, nil) }
	signing := func(t *testing.T) Secrets { return secrets(t, nil, []secret.Text{vectorToken}) }
	for _, test := range []struct {
		name    string
		secrets func(*testing.T) Secrets
		header  http.Header
		body    string
		now     time.Time
		want    string // empty: accepted
	}{
		{"the official vector", signing, vectorHeader(), vectorBody, vectorTime, ""},
		{"signed with the older of two", both, vectorHeader(), vectorBody, vectorTime, ""},
		{"signed with the first of two", turned, vectorHeader(), vectorBody, vectorTime, ""},
		{"one of several signatures", signing, vectorHeader("webhook-signature", "v1a,AAAA v1,AAAA "+vectorSignature), vectorBody, vectorTime, ""},
		{"4:59 late", signing, vectorHeader(), vectorBody, vectorTime.Add(299 * time.Second), ""},
		{"4:59 early", signing, vectorHeader(), vectorBody, vectorTime.Add(-299 * time.Second), ""},
		{"5:01 late", signing, vectorHeader(), vectorBody, vectorTime.Add(301 * time.Second), "webhook-timestamp is more than 5 minutes away; check the clocks of both servers"},
		{"5:01 early", signing, vectorHeader(), vectorBody, vectorTime.Add(-301 * time.Second), "webhook-timestamp is more than 5 minutes away; check the clocks of both servers"},
		{"another body", signing, vectorHeader(), vectorBody + " ", vectorTime, "webhook-signature is wrong"},
		{"another ID", signing, vectorHeader("webhook-id", "msg_x"), vectorBody, vectorTime, "webhook-signature is wrong"},
		{"another time", signing, vectorHeader("webhook-timestamp", "1614265331"), vectorBody, vectorTime, "webhook-signature is wrong"},
		{"no ID", signing, vectorHeader("webhook-id", ""), vectorBody, vectorTime, "webhook-id or webhook-timestamp is missing"},
		{"no time", signing, vectorHeader("webhook-timestamp", ""), vectorBody, vectorTime, "webhook-id or webhook-timestamp is missing"},
		{"a time that is none", signing, vectorHeader("webhook-timestamp", "now"), vectorBody, vectorTime, "webhook-timestamp is not a number of seconds"},
		{"a time out of all range", signing, vectorHeader("webhook-timestamp", "9223372036854775807"), vectorBody, vectorTime, "webhook-timestamp is more than 5 minutes away; check the clocks of both servers"},
		{"a signature of another version", signing, vectorHeader("webhook-signature", strings.Replace(vectorSignature, "v1,", "v2,", 1)), vectorBody, vectorTime, "webhook-signature is wrong"},
		{"an empty signature of version 1", signing, vectorHeader("webhook-signature", "v1,"), vectorBody, vectorTime, "webhook-signature is wrong"},
		{
			"the right one behind too many", signing, vectorHeader("webhook-signature", strings.Repeat("v1,AAAA ", 16)+vectorSignature), vectorBody, vectorTime,
			"webhook-signature is wrong",
		},
		{"not signed, where it must be", signing, vectorHeader("webhook-signature", ""), vectorBody, vectorTime, "it is not signed; set the signing token in the project's webhook settings"},
		{
			"not signed, with a plain token, where only signatures count", signing, vectorHeader("webhook-signature", "", "X-Gitlab-Token", "plain-new"),
			vectorBody, vectorTime, "it is not signed; set the signing token in the project's webhook settings",
		},
		{"wrongly signed, with a right plain token", both, vectorHeader("X-Gitlab-Token", "plain-new"), "forged", vectorTime, "webhook-signature is wrong"},
		{"not signed, with a plain token, while both are in use", both, http.Header{"X-Gitlab-Token": {"plain-new"}}, vectorBody, vectorTime, ""},
		{"the new plain token", tokens, http.Header{"X-Gitlab-Token": {"plain-new"}}, vectorBody, vectorTime, ""},
		{"the old plain token", tokens, http.Header{"X-Gitlab-Token": {"plain-old"}}, vectorBody, vectorTime, ""},
		{"a signature nobody can check, with a plain token", tokens, vectorHeader("X-Gitlab-Token", "plain-old"), vectorBody, vectorTime, ""},
		{"a wrong plain token", tokens, http.Header{"X-Gitlab-Token": {"plain"}}, vectorBody, vectorTime, "X-Gitlab-Token is wrong"},
		{"no plain token", tokens, http.Header{}, vectorBody, vectorTime, "it has no X-Gitlab-Token; set the secret token in the project's webhook settings"},
		{"nothing is configured", func(*testing.T) Secrets { return Secrets{} }, vectorHeader("X-Gitlab-Token", "x"), vectorBody, vectorTime, "no secret is configured"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := Verify(test.secrets(t), test.header, []byte(test.body), test.now)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, promote.ErrUnauthorized) || err.Error() != "webhook: "+test.want+": unauthorized" {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func secrets(t testing.TB, tokens, signing []secret.Text) Secrets {
	t.Helper()
	made, err := NewSecrets(tokens, signing)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestNewSecretsRefusesWhatProtectsNothing(t *testing.T) {
	const shape = "webhook signing token 1: expected whsec_ and base64 of at least 24 bytes, as GitLab shows it"
	for _, test := range []struct {
		name            string
		tokens, signing []secret.Text
		want            string
	}{
		{"none", nil, nil, "webhooks: no token is configured; set a secret token or a signing token, the same as in the project's webhook settings"},
		{"an empty token", []secret.Text{"x", ""}, nil, "webhook token 2 is empty"},
		{"a blank token", []secret.Text{" \n"}, nil, "webhook token 1 is empty"},
		{"a signing token without prefix", nil, []secret.Text{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, shape},
		{"a signing token that is not base64", nil, []secret.Text{"whsec_not base64 at all, not at all"}, shape},
		{"a signing token that is too short", nil, []secret.Text{"whsec_c2hvcnQ="}, shape},
		{"an empty signing token", nil, []secret.Text{""}, shape},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewSecrets(test.tokens, test.signing)
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(vectorID, vectorTimestamp, vectorSignature, "", vectorBody)
	f.Add("", "", "", "plain-token", "{}")
	f.Add("id", "-9223372036854775808", "v1,AAAA v1,, ,", "x", "")
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(vectorToken.Reveal(), "whsec_"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id, stamp, signature, token, body string) {
		header := http.Header{}
		header.Set("webhook-id", id)
		header.Set("webhook-timestamp", stamp)
		header.Set("webhook-signature", signature)
		header.Set("X-Gitlab-Token", token)
		accepted := Verify(secrets(t, []secret.Text{"plain-token"}, []secret.Text{vectorToken}), header, []byte(body), vectorTime) == nil
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + stamp + "." + body))
		right := strings.Contains(signature, base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		switch {
		case accepted && signature == "" && token != "plain-token":
			t.Error("accepted without signature and token")
		case accepted && signature != "" && !right:
			t.Errorf("accepted with the signature %q", signature)
		}
	})
}
