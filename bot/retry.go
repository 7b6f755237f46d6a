package bot

import (
	"errors"
	"time"

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
	var api *promote.APIError
	if !errors.As(err, &api) {
		return pause, giveUp
	}
	if api.RetryAfter > 0 {
		return min(api.RetryAfter, time.Hour), giveUp
	}
	return pause, giveUp || !api.Temporary() && attempt >= maxRefusals
}
