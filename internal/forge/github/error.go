package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	service    = "github"
	maxMessage = 500

	limitRemedy = "GitHub limits the requests of these credentials; it is tried again later"
)

// The only texts of GitHub that are matched, where its status codes do not tell cases apart. Those of limits are in lower case.
const (
	textRateLimit     = "rate limit"                             // 403, 429: too many requests
	textAbuse         = "abuse detection"                        // 403: the same, by older servers
	textTooQuick      = "was submitted too quickly"              // 422: the same, of what creates content
	textServerFailed  = "Something went wrong"                   // GraphQL, with status 200: a failure of GitHub's own
	textNoIntegration = "Resource not accessible by integration" // 403: the App, or GITHUB_TOKEN, lacks a permission
	textClean         = "in clean status"                        // GraphQL: nothing is left to wait for, merge it now
	textUnstable      = "in unstable status"                     // GraphQL: the same, something fails that is not required
	textNoPersonal    = "Resource not accessible by personal"    // 403: the fine-grained token lacks a permission
	textNoApp         = "must authenticate via a GitHub App"     // 403: only Apps may do it
)

// refusal describes why an exchange came to nothing. It is a *promote.APIError always, found with errors.As.
func (c *caller) refusal(sent request, kept *exchange, err error) error {
	failed := &promote.APIError{Service: service, Operation: sent.String(), Status: kept.status}
	switch {
	case kept.status == 0:
		failed.Cause, failed.Remedy = err, c.noAnswerRemedy(err)
	case kept.status >= 300:
		failed.Message = c.message(kept)
		failed.RetryAfter = kept.wait
		failed.Remedy = c.remedy(kept, failed)
		if limited(kept) {
			failed.Remedy = limitRemedy
			return failed.Meaning(promote.ErrLimited)
		}
	case malformed(err):
		failed.Message = fmt.Sprintf("the answer (%q) is not the expected JSON: %v", kept.header.Get("Content-Type"), err)
		failed.Remedy = "check that the URL is that of GitHub itself, with no login page in front"
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

// message is GitHub's own words on one line.
func (c *caller) message(kept *exchange) string {
	text := ""
	var answer struct {
		Message string          `json:"message"`
		Errors  json.RawMessage `json:"errors"`
	}
	switch {
	case json.Unmarshal(kept.body, &answer) == nil:
		text = strings.Join(forge.NonEmpty(append([]string{answer.Message}, details(answer.Errors)...)...), ": ")
	case !strings.Contains(kept.header.Get("Content-Type"), "html"):
		text = string(kept.body)
	}
	if text == "" {
		text = http.StatusText(kept.status)
	}
	return c.clean(redact(text, kept.given.secret))
}

// details are GitHub's several shapes of what is wrong: texts, or objects that name a field.
func details(raw json.RawMessage) []string {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		items = []json.RawMessage{raw}
	}
	var out []string
	for _, item := range items[:min(len(items), 10)] {
		var text string
		var object struct {
			Resource string `json:"resource"`
			Field    string `json:"field"`
			Code     string `json:"code"`
			Message  string `json:"message"`
		}
		switch {
		case json.Unmarshal(item, &text) == nil:
		case json.Unmarshal(item, &object) == nil:
			text = object.Message
			if text == "" {
				text = strings.Join(forge.NonEmpty(object.Resource, object.Field, object.Code), " ")
			}
		}
		out = append(out, text)
	}
	return []string{strings.Join(forge.NonEmpty(out...), ", ")}
}

// clean makes a text of GitHub one line that is not too long.
func (c *caller) clean(text string) string {
	return forge.CutBytes(strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " "), maxMessage)
}

func redact(text string, hidden secret.Text) string {
	if hidden == "" {
		return text
	}
	return strings.ReplaceAll(text, hidden.Reveal(), secret.Redacted)
}

func (c *caller) noAnswerRemedy(err error) string {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fmt.Sprintf("GitHub did not answer within %s; it is tried again later", c.timeout)
	}
	return "check the URL of GitHub, the network and its certificate"
}

// remedy is what a person can do about a status.
func (c *caller) remedy(kept *exchange, failed *promote.APIError) string {
	switch failed.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return fmt.Sprintf("GitHub redirects to %q: configure the repository's new name, and the URL with https", c.clean(kept.header.Get("Location")))
	case http.StatusUnauthorized:
		return c.credential.unauthorized()
	case http.StatusForbidden:
		return c.forbiddenRemedy(kept, failed)
	case http.StatusNotFound:
		return fmt.Sprintf("check that %s exists and that the credentials may see it", c.subject)
	case http.StatusTooManyRequests:
		return limitRemedy
	}
	if failed.Status >= http.StatusInternalServerError {
		return "GitHub has a problem of its own; it is tried again later"
	}
	return ""
}

// forbiddenRemedy goes by the headers in which GitHub says what it wanted to see.
func (c *caller) forbiddenRemedy(kept *exchange, failed *promote.APIError) string {
	permissions, scopes := kept.header.Get("X-Accepted-Github-Permissions"), kept.header.Get("X-Accepted-Oauth-Scopes")
	lacking := strings.Contains(failed.Message, textNoIntegration) || strings.Contains(failed.Message, textNoPersonal)
	switch {
	case strings.HasPrefix(kept.header.Get("X-Github-Sso"), "required"):
		return "the organization wants single sign-on: authorize the token for it in the settings of its user"
	case lacking && permissions != "":
		return fmt.Sprintf("the credentials lack a permission: grant %s", c.clean(permissions))
	case lacking:
		return "the credentials lack a permission for this: grant it to the App or the token, or under permissions in the workflow"
	case scopes != "":
		return fmt.Sprintf("the token needs one of the scopes %s", c.clean(scopes))
	}
	return fmt.Sprintf("the credentials may not do this in %s", c.subject)
}
