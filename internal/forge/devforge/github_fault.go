package devforge

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

const limitDocs = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-"

// SecondaryLimit refuses as GitHub does when too much happens at once: status is 403 or 429. A retryAfter above zero is sent as
// Retry-After, in seconds; GitHub does not always say it (REST, "Exceeding the rate limit").
func SecondaryLimit(status int, retryAfter time.Duration) FaultKind {
	return FaultKind{request: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		if retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((retryAfter+time.Second-1)/time.Second)))
		}
		limited(w, status, secondaryError(status))
	}}
}

// PrimaryLimit refuses as GitHub does when the requests of the hour are used up, until reset.
func PrimaryLimit(status int, reset time.Time) FaultKind {
	return FaultKind{request: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for name, value := range map[string]string{
			"X-RateLimit-Limit": strconv.Itoa(gitHubLimit), "X-RateLimit-Remaining": "0", "X-RateLimit-Used": strconv.Itoa(gitHubLimit),
			"X-RateLimit-Reset": strconv.FormatInt(reset.Unix(), 10), "X-RateLimit-Resource": "core",
		} {
			w.Header().Set(name, value)
		}
		limited(w, status, githubError{
			Message: "API rate limit exceeded for user ID 1.", DocumentationURL: limitDocs + "primary-rate-limits", Status: strconv.Itoa(status),
		})
	}}
}

func limited(w http.ResponseWriter, status int, body githubError) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	text, err := json.Marshal(body)
	if err == nil {
		writeAll(w, text)
	}
}
