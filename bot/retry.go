package bot

import (
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	// maxAttempts is how often a run is tried with the same event. The sweep looks again in any case.
	maxAttempts = 12
	// maxRefusals is how often it is tried when the answer is a refusal that time alone does not change.
	maxRefusals = 3
)

// retry says when a run that failed is tried again, and whether an event that it was the attempt-th try for is given up. The
// first attempt is 1. What the service asked for counts, up to an hour; otherwise the pause doubles from two seconds to ten
// minutes.
func retry(err error, attempt int) (pause time.Duration, giveUp bool) {
	pause = min(2*time.Second<<min(max(attempt-1, 0), 12), 10*time.Minute)
	giveUp = attempt >= maxAttempts
	after, refused := answered(err)
	if after > 0 {
		return min(after, time.Hour), giveUp
	}
	return pause, giveUp || refused && attempt >= maxRefusals
}

// patient reports whether a service asked to wait.
func patient(err error) bool {
	after, _ := answered(err)
	return after > 0
}

// answered says what an API or a Git server answered: how long it asked to wait, 0 when it did not, and whether it refused
// what time alone does not change.
func answered(err error) (after time.Duration, refused bool) {
	if api, ok := errors.AsType[*promote.APIError](err); ok {
		return api.RetryAfter, !api.Temporary()
	}
	if server, ok := errors.AsType[*git.HTTPError](err); ok {
		return server.RetryAfter, !server.Temporary()
	}
	return 0, errors.Is(err, git.ErrUnauthorized) || errors.Is(err, git.ErrDenied)
}
