package github

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/secret"
)

// Secrets are what deliveries of webhooks are checked against. The zero value accepts nothing.
type Secrets struct{ keys [][]byte }

// NewSecrets takes the secrets of the webhooks: several while they are being changed. None at all is an error, so that a server
// cannot start open to everybody.
func NewSecrets(texts []secret.Text) (Secrets, error) {
	var secrets Secrets
	for i, text := range texts {
		if strings.TrimSpace(text.Reveal()) == "" {
			return Secrets{}, fmt.Errorf("webhook secret %d is empty", i+1)
		}
		secrets.keys = append(secrets.keys, []byte(text.Reveal()))
	}
	if len(secrets.keys) == 0 {
		return Secrets{}, errors.New("webhooks: no secret is configured; set one, the same as in the settings of the webhook or of the GitHub App")
	}
	return secrets, nil
}

// Verify says whether a delivery comes from GitHub. body is the body as received. The error wraps promote.ErrUnauthorized and says
// which check failed, never against what. Only X-Hub-Signature-256 counts: GitHub sends a signature with SHA-1 beside it, for
// receivers of long ago.
func Verify(secrets Secrets, header http.Header, body []byte) error {
	if len(secrets.keys) == 0 {
		return forge.Unverified("no secret is configured")
	}
	if media, _, err := mime.ParseMediaType(header.Get("Content-Type")); err != nil || media != "application/json" {
		return forge.Unverified("it is no JSON; choose the content type application/json in the webhook's settings")
	}
	signature := header.Get("X-Hub-Signature-256")
	if signature == "" {
		return forge.Unverified("it has no X-Hub-Signature-256; set the secret in the webhook's settings")
	}
	digits, ok := strings.CutPrefix(signature, "sha256=")
	given, err := hex.DecodeString(digits)
	if !ok || err != nil || len(given) != sha256.Size {
		return forge.Unverified("X-Hub-Signature-256 is not sha256= and 64 digits")
	}
	if !forge.Signed(secrets.keys, [][]byte{given}, body) {
		return forge.Unverified("X-Hub-Signature-256 is wrong; set the same secret in the webhook's settings")
	}
	return nil
}
