package github

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	service = "github"

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
	textNoDrafts      = "Draft pull requests are not supported"  // 422, GraphQL: the plan of a private repository has none
	textNoPersonal    = "Resource not accessible by personal"    // 403: the fine-grained token lacks a permission
	textNoApp         = "must authenticate via a GitHub App"     // 403: only Apps may do it
)

// refusal describes why an exchange came to nothing. It is a *promote.APIError always, found with errors.As.
func (c *caller) refusal(sent request, kept *exchange, err error) error {
	failed := c.wire.Refusal(sent.String(), &kept.Exchange, err)
	if kept.Status < 300 {
		return failed
	}
	failed.Message = forge.Line(kept.Words(words), kept.given.secret)
	failed.RetryAfter = kept.wait
	failed.Remedy = c.remedy(kept, failed)
	if limited(kept) {
		failed.Remedy = limitRemedy
		return failed.Meaning(promote.ErrLimited)
	}
	return failed
}

// words are what GitHub says in the JSON of a refusal.
func words(body []byte) (string, error) {
	var answer struct {
		Message string          `json:"message"`
		Errors  json.RawMessage `json:"errors"`
	}
	err := json.Unmarshal(body, &answer)
	return strings.Join(forge.NonEmpty(append([]string{answer.Message}, details(answer.Errors)...)...), ": "), err
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

// remedy is what a person can do about a status.
func (c *caller) remedy(kept *exchange, failed *promote.APIError) string {
	switch failed.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return fmt.Sprintf("GitHub redirects to %q: configure the repository's new name, and the URL with https", forge.Line(kept.Header.Get("Location"), kept.given.secret))
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
	permissions, scopes := kept.Header.Get("X-Accepted-Github-Permissions"), kept.Header.Get("X-Accepted-Oauth-Scopes")
	lacking := strings.Contains(failed.Message, textNoIntegration) || strings.Contains(failed.Message, textNoPersonal)
	switch {
	case strings.HasPrefix(kept.Header.Get("X-Github-Sso"), "required"):
		return "the organization wants single sign-on: authorize the token for it in the settings of its user"
	case lacking && permissions != "":
		return fmt.Sprintf("the credentials lack a permission: grant %s", forge.Line(permissions))
	case lacking:
		return "the credentials lack a permission for this: grant it to the App or the token, or under permissions in the workflow"
	case scopes != "":
		return fmt.Sprintf("the token needs one of the scopes %s", forge.Line(scopes))
	}
	return fmt.Sprintf("the credentials may not do this in %s", c.subject)
}
