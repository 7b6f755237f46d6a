package gitlab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	service    = "gitlab"
	maxMessage = 500
)

// The only texts of GitLab that are matched, where its status codes do not tell cases apart.
const (
	textSameState      = "Cannot transition status"                           // 400: the status has that state already
	textAlreadyAwarded = "already been taken"                                 // 404: the reaction was given before
	textNoProject      = "Project Not Found"                                  // 404: the project, not the thing in it
	textMovedProject   = "Non GET methods are not allowed for moved projects" // 405: the project was renamed
	textNoScope        = "insufficient_scope"                                 // 403: the token lacks a scope
)

// refusal describes why an exchange came to nothing. It returns a *promote.APIError always.
func (f *Forge) refusal(sent request, kept *exchange, err error) error {
	failed := &promote.APIError{Service: service, Operation: sent.String(), Status: kept.status}
	switch {
	case kept.status == 0:
		failed.Cause, failed.Remedy = err, f.noAnswerRemedy(err)
	case kept.status >= 300:
		failed.Message = f.message(kept)
		failed.RetryAfter = retryAfter(kept, f.now())
		failed.Remedy = f.remedy(kept, failed)
		if remedy, beyond := f.beyondJob(sent, kept.status); beyond {
			failed.Remedy = remedy
		}
	case malformed(err):
		failed.Message = fmt.Sprintf("the answer (%q) is not the expected JSON: %v", kept.header.Get("Content-Type"), err)
		failed.Remedy = "check that the URL is that of GitLab itself, with no login page in front"
	default:
		failed.Status, failed.Cause = 0, fmt.Errorf("the answer broke off: %w", err)
	}
	return failed
}

// malformed tells an answer that is not what it should be from one that did not arrive whole.
func malformed(err error) bool {
	if _, network := errors.AsType[net.Error](err); network || errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	_, syntax := errors.AsType[*json.SyntaxError](err)
	_, kind := errors.AsType[*json.UnmarshalTypeError](err)
	_, large := errors.AsType[*http.MaxBytesError](err)
	return syntax || kind || large || errors.Is(err, io.EOF)
}

// message is GitLab's own words on one line.
func (f *Forge) message(kept *exchange) string {
	text := ""
	var answer struct {
		Message     any    `json:"message"`
		Error       any    `json:"error"`
		Description string `json:"error_description"`
	}
	switch {
	case json.Unmarshal(kept.body, &answer) == nil:
		text = strings.Join(forge.NonEmpty(flatten(answer.Message), flatten(answer.Error), answer.Description), ": ")
	case !strings.Contains(kept.header.Get("Content-Type"), "html"):
		text = string(kept.body)
	}
	if text == "" {
		text = http.StatusText(kept.status)
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if token := f.token.Reveal(); token != "" {
		text = strings.ReplaceAll(text, token, secret.Redacted)
	}
	return forge.CutBytes(text, maxMessage)
}

// flatten writes GitLab's several shapes of a message: a text, a list of them, or lists by field.
func flatten(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case []any:
		var parts []string
		for _, item := range value {
			parts = append(parts, forge.NonEmpty(flatten(item))...)
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(value)) {
			parts = append(parts, key+" "+flatten(value[key]))
		}
		return strings.Join(parts, "; ")
	default:
		return ""
	}
}

// retryAfter is how long GitLab asked to wait: in seconds, as a date, or until its window ends.
func retryAfter(kept *exchange, now time.Time) time.Duration {
	asked := kept.header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(asked, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if date, err := http.ParseTime(asked); err == nil {
		return max(0, date.Sub(now))
	}
	if kept.status != http.StatusTooManyRequests {
		return 0
	}
	if reset, err := strconv.ParseInt(kept.header.Get("RateLimit-Reset"), 10, 64); err == nil {
		return max(0, time.Unix(reset, 0).Sub(now))
	}
	return 0
}

func (f *Forge) noAnswerRemedy(err error) string {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fmt.Sprintf("GitLab did not answer within %s; it is tried again later", f.timeout)
	}
	return "check the URL of GitLab, the network and its certificate"
}

// remedy is what a person can do about a status.
func (f *Forge) remedy(kept *exchange, failed *promote.APIError) string {
	switch failed.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return fmt.Sprintf("GitLab redirects to %q: configure the project's new path, and the URL with https", kept.header.Get("Location"))
	case http.StatusUnauthorized:
		if f.token == "" {
			return "no token is configured: set LOCKKEEPER_GITLAB_TOKEN to a token with scope api"
		}
		return "the token is wrong, revoked or has expired: set LOCKKEEPER_GITLAB_TOKEN to a valid one with scope api"
	case http.StatusForbidden:
		if strings.Contains(failed.Message, textNoScope) {
			return "the token lacks the scope api: create a new one and set LOCKKEEPER_GITLAB_TOKEN"
		}
		return "the token's user needs the role Developer in the project, and Maintainer where the branch is protected"
	case http.StatusNotFound:
		return fmt.Sprintf("check that project %q exists and that the token's user may see it", f.project)
	case http.StatusMethodNotAllowed:
		if strings.Contains(failed.Message, textMovedProject) {
			return "the project was renamed or moved: configure its new path"
		}
	case http.StatusTooManyRequests:
		return "GitLab limits the requests of this token; it is tried again later"
	}
	if failed.Status >= http.StatusInternalServerError {
		return "GitLab has a problem of its own; it is tried again later"
	}
	return ""
}
