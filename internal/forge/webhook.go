package forge

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// ErrIgnored marks a delivery that is authentic and of no interest. Answer it with 2xx: some forges switch a webhook off after some
// answers of another kind.
var ErrIgnored = errors.New("webhook ignored")

// Ignored is the error of a delivery of no interest.
func Ignored(reason string) error { return fmt.Errorf("%s: %w", reason, ErrIgnored) }

// Unverified is the error of a delivery that is not authentic. It says which check failed, never against what.
func Unverified(why string) error { return fmt.Errorf("webhook: %s: %w", why, promote.ErrUnauthorized) }

// Signed reports whether one of the given signatures is the HMAC-SHA256 of a message, in pieces, by one of the keys. It takes the
// same time whichever it is.
func Signed(keys, given [][]byte, message ...[]byte) bool {
	match := 0
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		for _, piece := range message {
			mac.Write(piece)
		}
		wanted := mac.Sum(nil)
		for _, signature := range given {
			match |= subtle.ConstantTimeCompare(signature, wanted)
		}
	}
	return match != 0
}

// Decode reads what fits of a body. A field of another type than expected stays zero, like one that is missing.
func Decode(body []byte, into any) error {
	err := json.Unmarshal(body, into)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil
	}
	return err
}

// MaxDelivery is how many bytes of a delivery's name are kept.
const MaxDelivery = 200

// Clip shortens a name out of a delivery for a message.
func Clip(text string) string { return CutBytes(text, MaxDelivery) }

// Digest names a body, for deliveries that have no name of their own.
func Digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// ObjectName reads a full object name of Git; empty when it is none, or the one of zeros that stands for no object.
func ObjectName(id string) promote.Commit {
	if len(id) != 40 && len(id) != 64 || strings.Trim(id, "0123456789abcdef") != "" || strings.Trim(id, "0") == "" {
		return ""
	}
	return promote.Commit(id)
}
