package gitlab

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

const service = "gitlab"

// The only texts of GitLab that are matched, where its status codes do not tell cases apart.
const (
	textSameState      = "Cannot transition status"                           // 400: the status has that state already
	textAlreadyAwarded = "already been taken"                                 // 404: the reaction was given before
	textNoProject      = "Project Not Found"                                  // 404: the project, not the thing in it
	textMovedProject   = "Non GET methods are not allowed for moved projects" // 405: the project was renamed
	textNoScope        = "insufficient_scope"                                 // 403: the token lacks a scope
)

// refusal describes why an exchange came to nothing. It returns a *promote.APIError always.
func (f *Forge) refusal(sent request, kept *forge.Exchange, err error) error {
	failed := f.wire.Refusal(sent.String(), kept, err)
	if kept.Status < 300 {
		return failed
	}
	failed.Message = forge.Line(kept.Words(words), f.token)
	failed.RetryAfter = retryAfter(kept, f.now())
	failed.Remedy = f.remedy(kept, failed)
	if remedy, beyond := f.beyondJob(sent, kept.Status); beyond {
		failed.Remedy = remedy
	}
	return failed
}

// words are what GitLab says in the JSON of a refusal.
func words(body []byte) (string, error) {
	var answer struct {
		Message     any    `json:"message"`
		Error       any    `json:"error"`
		Description string `json:"error_description"`
	}
	err := json.Unmarshal(body, &answer)
	return strings.Join(forge.NonEmpty(flatten(answer.Message), flatten(answer.Error), answer.Description), ": "), err
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
func retryAfter(kept *forge.Exchange, now time.Time) time.Duration {
	if wait, asks := forge.RetryAfter(kept.Header, now); asks || kept.Status != http.StatusTooManyRequests {
		return wait
	}
	if reset, err := strconv.ParseInt(kept.Header.Get("RateLimit-Reset"), 10, 64); err == nil {
		return max(0, time.Unix(reset, 0).Sub(now))
	}
	return 0
}

// remedy is what a person can do about a status.
func (f *Forge) remedy(kept *forge.Exchange, failed *promote.APIError) string {
	switch failed.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return fmt.Sprintf("GitLab redirects to %q: configure the project's new path, and the URL with https", forge.Line(kept.Header.Get("Location"), f.token))
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
			return movedRemedy("")
		}
	case http.StatusTooManyRequests:
		return "GitLab limits the requests of this token; it is tried again later"
	}
	if failed.Status >= http.StatusInternalServerError {
		return "GitLab has a problem of its own; it is tried again later"
	}
	return ""
}
