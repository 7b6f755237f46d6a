package argocd

import "log/slog"

const redacted = "[redacted]"

// A Token is a bearer token of Argo CD's API. However it is printed, it shows as "[redacted]".
type Token string

// String hides the token.
func (Token) String() string { return redacted }

// GoString hides the token from %#v.
func (Token) GoString() string { return redacted }

// LogValue hides the token from log/slog.
func (Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the token from JSON, YAML and every other encoder of text.
func (Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }
