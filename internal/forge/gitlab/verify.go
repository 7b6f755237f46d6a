package gitlab

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/secret"
)

const (
	signaturePrefix = "whsec_"
	minSigningKey   = 24 // bytes; GitLab makes 32
	clockTolerance  = 5 * time.Minute
	maxSignatures   = 16
)

// Secrets are what deliveries of webhooks are checked against. The zero value accepts nothing.
type Secrets struct {
	tokens [][sha256.Size]byte // hashed: comparing then takes the same time for every length
	keys   [][]byte
}

// NewSecrets takes the secret tokens (X-Gitlab-Token) and the signing tokens ("whsec_" and base64) of the project's webhooks:
// several of each while they are being changed. None at all is an error, so that a server cannot start open to everybody.
func NewSecrets(tokens, signing []secret.Text) (Secrets, error) {
	var secrets Secrets
	for i, token := range tokens {
		if strings.TrimSpace(token.Reveal()) == "" {
			return Secrets{}, fmt.Errorf("webhook token %d is empty", i+1)
		}
		secrets.tokens = append(secrets.tokens, sha256.Sum256([]byte(token.Reveal())))
	}
	for i, token := range signing {
		encoded, ok := strings.CutPrefix(token.Reveal(), signaturePrefix)
		key, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if !ok || err != nil || len(key) < minSigningKey {
			return Secrets{}, fmt.Errorf("webhook signing token %d: expected %s and base64 of at least %d bytes, as GitLab shows it", i+1, signaturePrefix, minSigningKey)
		}
		secrets.keys = append(secrets.keys, key)
	}
	if len(secrets.tokens)+len(secrets.keys) == 0 {
		return Secrets{}, errors.New("webhooks: no token is configured; set a secret token or a signing token, the same as in the project's webhook settings")
	}
	return secrets, nil
}

// Verify says whether a delivery comes from GitLab. body is the body as received. The error wraps promote.ErrUnauthorized and says
// which check failed, never against what.
//
// A signature is checked whenever a signing token is configured and the delivery has one; a wrong one is not made good by a right
// plain token. Without a signature the plain token decides, if one is configured.
func Verify(secrets Secrets, header http.Header, body []byte, now time.Time) error {
	signature := header.Get("Webhook-Signature")
	switch {
	case len(secrets.keys) > 0 && signature != "":
		return verifySignature(secrets.keys, header, body, now)
	case len(secrets.tokens) > 0:
		return verifyToken(secrets.tokens, header.Get("X-Gitlab-Token"))
	case len(secrets.keys) > 0:
		return forge.Unverified("it is not signed; set the signing token in the project's webhook settings")
	}
	return forge.Unverified("no secret is configured")
}

func verifyToken(tokens [][sha256.Size]byte, given string) error {
	if given == "" {
		return forge.Unverified("it has no X-Gitlab-Token; set the secret token in the project's webhook settings")
	}
	sum := sha256.Sum256([]byte(given))
	match := 0
	for _, token := range tokens {
		match |= subtle.ConstantTimeCompare(token[:], sum[:])
	}
	if match == 0 {
		return forge.Unverified("X-Gitlab-Token is wrong")
	}
	return nil
}

func verifySignature(keys [][]byte, header http.Header, body []byte, now time.Time) error {
	id, stamp := header.Get("Webhook-Id"), header.Get("Webhook-Timestamp")
	if id == "" || stamp == "" {
		return forge.Unverified("webhook-id or webhook-timestamp is missing")
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return forge.Unverified("webhook-timestamp is not a number of seconds")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > clockTolerance || age < -clockTolerance {
		return forge.Unverified("webhook-timestamp is more than 5 minutes away; check the clocks of both servers")
	}
	if !forge.Signed(keys, signatures(header.Get("Webhook-Signature")), []byte(id+"."+stamp+"."), body) {
		return forge.Unverified("webhook-signature is wrong")
	}
	return nil
}

// signatures are those of version 1 in a list.
func signatures(list string) [][]byte {
	var found [][]byte
	for i, entry := range strings.Fields(list) {
		encoded, ok := strings.CutPrefix(entry, "v1,")
		if !ok || i >= maxSignatures {
			continue
		}
		if given, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			found = append(found, given)
		}
	}
	return found
}
