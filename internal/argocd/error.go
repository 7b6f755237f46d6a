package argocd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// What callers branch on; [APIError] wraps them.
var (
	// ErrUnauthorized: the token is missing, wrong or expired.
	ErrUnauthorized = errors.New("argo cd refuses the token")
	// ErrForbidden: the token's role lacks the permission. Without a project in [Ref], Argo CD gives the same answer for an
	// application that does not exist.
	ErrForbidden = errors.New("argo cd does not permit this")
	// ErrNotFound: the project has no such application.
	ErrNotFound = errors.New("argo cd has no such application")
	// ErrBusy: another operation is in progress. It goes away by itself.
	ErrBusy = errors.New("another operation is in progress")
	// ErrSyncWindow: a sync window of the project forbids syncing now. It goes away by itself.
	ErrSyncWindow = errors.New("a sync window forbids syncing now")
)

// gRPC status codes, as Argo CD's gateway writes them into error bodies.
const (
	codePermissionDenied   = 7
	codeFailedPrecondition = 9
)

// An APIError is an answer of Argo CD other than 200.
type APIError struct {
	Op      string // what was asked: "sync application argocd/dev"
	Status  int    // of HTTP
	Code    int    // of gRPC; zero when the answer came from something in front of Argo CD
	Message string // as answered, bounded
	Remedy  string // what a person can do about it; may be empty
	cause   error
}

// Error names the call, the answer and the remedy.
func (e *APIError) Error() string {
	text := fmt.Sprintf("argo cd: %s: HTTP %d", e.Op, e.Status)
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Unwrap gives the sentinel, or nil when none applies.
func (e *APIError) Unwrap() error { return e.cause }

// Transient says that asking again later may help without anybody acting: the network, an overloaded or restarting server,
// [ErrBusy] and [ErrSyncWindow].
func Transient(err error) bool {
	if errors.Is(err, ErrBusy) || errors.Is(err, ErrSyncWindow) {
		return true
	}
	if answer, ok := errors.AsType[*APIError](err); ok {
		return answer.Status >= http.StatusInternalServerError || answer.Status == http.StatusTooManyRequests
	}
	_, network := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return network
}

func apiError(sent call, response *http.Response) error {
	failed := &APIError{Op: sent.String(), Status: response.StatusCode}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxErrorBody))
	if err != nil {
		return fmt.Errorf("argo cd: %s: HTTP %d: answer: %w", sent, response.StatusCode, err)
	}
	var answer struct {
		Error   string `json:"error"`
		Message string `json:"message"`
		Code    int    `json:"code"`
	}
	if json.Unmarshal(body, &answer) == nil {
		failed.Code = answer.Code
		failed.Message = oneLine(answer.Message)
		if failed.Message == "" {
			failed.Message = oneLine(answer.Error)
		}
	} else if !strings.Contains(response.Header.Get("Content-Type"), "html") {
		failed.Message = oneLine(string(body))
	}
	failed.classify(sent, response.Header.Get("Location"))
	return failed
}

func oneLine(text string) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
}

// classify is the one place that reads Argo CD's messages: its codes do not tell these cases apart.
func (e *APIError) classify(sent call, location string) {
	text := strings.ToLower(e.Message)
	switch {
	case e.Status == http.StatusUnauthorized:
		e.cause = ErrUnauthorized
		e.Remedy = "the token is wrong or has expired: create a new one with `argocd proj role create-token PROJECT lockkeeper`"
	case strings.Contains(text, "blocked by sync window"):
		e.cause = ErrSyncWindow
		e.Remedy = "wait for the window to end, or allow manual syncs in it"
	case strings.Contains(text, "another operation is already in progress"):
		e.cause = ErrBusy
	case e.Status == http.StatusForbidden:
		e.cause = ErrForbidden
		e.Remedy = permissionRemedy(sent)
	case e.Status == http.StatusNotFound && sent.ref.Name != "":
		e.cause = ErrNotFound
		e.Remedy = fmt.Sprintf("check the name, and that it belongs to project %q", sent.ref.Project)
	case e.Status == http.StatusNotFound:
		e.Remedy = "is the URL that of Argo CD's API server, with its root path?"
	case e.Status >= 300 && e.Status < 400:
		e.Remedy = fmt.Sprintf("the server redirects to %q: configure the address of the API itself, with https", location)
	case e.Code == codeFailedPrecondition && strings.Contains(text, "auto-sync currently set to"):
		e.Remedy = "automated sync was switched on meanwhile; it follows the tracked revision only"
	}
}

// permissionRemedy names the policy line that is missing.
func permissionRemedy(sent call) string {
	action := sent.op
	if action != "sync" {
		action = "get"
	}
	project := sent.ref.Project
	if project == "" {
		project = "PROJECT"
	}
	remedy := fmt.Sprintf("the token's role needs `p, proj:%[1]s:lockkeeper, applications, %[2]s, %[1]s/*, allow`", project, action)
	if sent.ref.Name != "" && sent.ref.Project == "" {
		remedy += "; without a project, Argo CD answers the same when the application does not exist"
	}
	return remedy
}
