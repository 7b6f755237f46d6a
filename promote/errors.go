package promote

import (
	"errors"
	"fmt"
	"time"
)

// The ways in which the outside world refuses, for callers that branch. Adapters wrap them.
var (
	// ErrStale: what was decided on has moved. Observe and decide again.
	ErrStale = errors.New("stale: the state moved on since the decision")
	// ErrNotFound: the thing does not exist, or may not be seen.
	ErrNotFound = errors.New("not found")
	// ErrUnauthorized: the credentials are missing or not accepted.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden: the credentials are accepted but not sufficient.
	ErrForbidden = errors.New("forbidden")
	// ErrConflict: the thing exists already or is being changed by somebody else. Read it and decide again.
	ErrConflict = errors.New("conflict")
	// ErrInvalid: the other side understood the request and will never accept it.
	ErrInvalid = errors.New("invalid request")
	// ErrNotMergeable: the forge does not let the change be merged now.
	ErrNotMergeable = errors.New("not mergeable")
	// ErrLimited: too many requests. Wait for RetryAfter.
	ErrLimited = errors.New("rate limited")
)

// APIError is a refusal of an HTTP service, the same for every service. It never holds a credential.
type APIError struct {
	Service    string        // "gitlab", "argocd", …
	Operation  string        // what was attempted, such as `open change "lockkeeper/develop/frontend-dev-stage"`
	Status     int           // HTTP status; 0 when no answer came
	Message    string        // what the service said, bounded
	Remedy     string        // what a person can do; may be empty
	RetryAfter time.Duration // how long the service asked to wait; 0 when it did not say
	Cause      error         // the transport's error when no answer came
	Means      error         // what it means, where that is something else than its status means elsewhere; nil: it does not
}

// Meaning returns the same refusal with a meaning of its own: a 401 on merging, for one, is no reason to doubt the token.
func (e *APIError) Meaning(means error) *APIError {
	refusal := *e
	refusal.Means = means
	return &refusal
}

// Error says what was attempted, what came back and what to do.
func (e *APIError) Error() string {
	text := e.Service + ": " + e.Operation + ": "
	if e.Status == 0 {
		text += fmt.Sprintf("no answer: %v", e.Cause)
	} else {
		text += fmt.Sprintf("HTTP %d: %s", e.Status, e.Message)
	}
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Unwrap gives the meaning, the sentinel for the status, or the transport's error.
func (e *APIError) Unwrap() error {
	if e.Means != nil {
		return e.Means
	}
	switch e.Status {
	case 0:
		return e.Cause
	case 401:
		return ErrUnauthorized
	case 403:
		return ErrForbidden
	case 404:
		return ErrNotFound
	case 405:
		return ErrNotMergeable
	case 409:
		return ErrConflict
	case 400, 422:
		return ErrInvalid
	case 429:
		return ErrLimited
	}
	return nil
}

// Temporary reports whether the same request may succeed later without anybody doing anything.
func (e *APIError) Temporary() bool {
	switch e.Status {
	case 0, 408, 409, 423, 425, 429, 500, 502, 503, 504:
		return true
	case 403:
		return e.RetryAfter > 0
	}
	return e.Status >= 500
}
