// Package secret holds the one type in which tokens and passwords travel. It owns that they are never shown. Where they come
// from and who may have them is not its matter.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what stands where a secret was.
const Redacted = "[redacted]"

// Text is a token or a password. However it is printed, logged or encoded, it shows as "[redacted]".
type Text string

// Reveal returns the secret itself, for the one place that sends or compares it.
func (t Text) Reveal() string { return string(t) }

// String hides the secret.
func (Text) String() string { return Redacted }

// GoString hides the secret from %#v.
func (Text) GoString() string { return Redacted }

// Format hides the secret from every verb but %p, which vet refuses, also from those that do not fit a string.
func (Text) Format(state fmt.State, _ rune) {
	// A fmt.State reports errors of the final writer elsewhere.
	_, _ = io.WriteString(state, Redacted)
}

// LogValue hides the secret from log/slog.
func (Text) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText hides the secret from JSON, YAML and every other encoder of text.
func (Text) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
