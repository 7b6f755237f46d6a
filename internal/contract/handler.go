package contract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"

	"github.com/getkin/kin-openapi/openapi3filter"
)

const maxBody = 64 << 20

// A ViolationError is one request or answer that the description does not allow.
type ViolationError struct {
	Method string
	Path   string
	Status int // of the answer; zero when the request is at fault
	Err    error
}

// Error says what was exchanged and what is wrong with it.
func (v *ViolationError) Error() string {
	if v.Status == 0 {
		return fmt.Sprintf("request %s %s: %v", v.Method, v.Path, v.Err)
	}
	return fmt.Sprintf("answer %d to %s %s: %v", v.Status, v.Method, v.Path, v.Err)
}

// Unwrap gives the cause, [ErrUnknownRoute] among others.
func (v *ViolationError) Unwrap() error { return v.Err }

// Handler serves with next and calls report with a *[ViolationError] for each request and each answer that breaks the contract.
// Nothing is changed on the way: a request that breaks it reaches next all the same. report may be called by several
// goroutines at once. Answers are held back until they are complete or flushed.
func (c *Contract) Handler(next http.Handler, report func(error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		violation := func(status int, err error) {
			report(&ViolationError{Method: r.Method, Path: r.URL.EscapedPath(), Status: status, Err: err})
		}
		input, err := c.checkRequest(r, body)
		if err != nil {
			violation(0, err)
		}
		answer := newRecorder(w)
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(answer, r)
		if r.Context().Err() != nil {
			return // The client left: what was written is not an answer.
		}
		if input != nil {
			if err := checkAnswer(r.Context(), input, answer); err != nil {
				violation(answer.status, err)
			}
		}
		answer.replay()
	})
}

// checkRequest returns a nil input when no operation answers r, and an input with an error when one does and r breaks it.
func (c *Contract) checkRequest(r *http.Request, body []byte) (*openapi3filter.RequestValidationInput, error) {
	found, err := c.find(r.Context(), r)
	if err != nil {
		return nil, err
	}
	asked := r.Clone(r.Context())
	asked.Body = io.NopCloser(bytes.NewReader(body))
	input := &openapi3filter.RequestValidationInput{
		Request:    asked,
		PathParams: found.params,
		Route:      found.Route,
		Options: &openapi3filter.Options{
			AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
			IncludeResponseStatus: true,
			MultiError:            true,
			SkipSettingDefaults:   true,
		},
	}
	if len(body) > 0 && found.Operation.RequestBody == nil {
		return input, errors.New("it has a body, the operation takes none")
	}
	return input, openapi3filter.ValidateRequest(r.Context(), input)
}

func checkAnswer(ctx context.Context, input *openapi3filter.RequestValidationInput, answer *recorder) error {
	responses := input.Route.Operation.Responses
	if responses.Status(answer.status) == nil {
		if inFront(answer) || responses.Default() == nil && anyOperation(answer.status) {
			return nil
		}
	}
	output := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 answer.status,
		Header:                 answer.header,
		Options:                input.Options,
	}
	output.SetBodyBytes(answer.body.Bytes())
	return openapi3filter.ValidateResponse(ctx, output)
}

// inFront tells answers of a proxy or of a filter before the API from answers of the API: they are not JSON, and no
// description has them.
func inFront(answer *recorder) bool {
	switch answer.status {
	case http.StatusUnsupportedMediaType, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		mediaType, _, _ := mime.ParseMediaType(answer.header.Get("Content-Type"))
		return mediaType != "application/json"
	default:
		return false
	}
}

// anyOperation says which answers every operation may give, although the descriptions list them for few.
func anyOperation(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests:
		return true
	default:
		return status >= http.StatusInternalServerError
	}
}

// A recorder holds an answer back until it is checked, or until it is flushed: what is sent then is checked too late.
type recorder struct {
	to     http.ResponseWriter
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
	sent   int // bytes of body that went out
	begun  bool
}

func newRecorder(to http.ResponseWriter) *recorder {
	return &recorder{to: to, header: http.Header{}, status: http.StatusOK}
}

func (a *recorder) Header() http.Header { return a.header }

func (a *recorder) WriteHeader(status int) {
	if !a.wrote {
		a.status, a.wrote = status, true
	}
}

func (a *recorder) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.header.Get("Content-Type") == "" {
		a.header.Set("Content-Type", http.DetectContentType(p))
	}
	return a.body.Write(p)
}

// Flush implements [http.Flusher].
func (a *recorder) Flush() {
	a.replay()
	if flusher, ok := a.to.(http.Flusher); ok {
		flusher.Flush()
	}
}

// replay sends what has not gone out yet.
func (a *recorder) replay() {
	if !a.begun {
		maps.Copy(a.to.Header(), a.header)
		a.to.WriteHeader(a.status)
		a.begun = true
	}
	// A client that went away meanwhile is no concern of the checker.
	n, _ := a.to.Write(a.body.Bytes()[a.sent:])
	a.sent += n
}
