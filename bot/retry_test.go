package bot

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
)

func TestRetry(t *testing.T) {
	api := func(status int, after time.Duration) error {
		return fmt.Errorf("observe: %w", &promote.APIError{Service: "gitlab", Operation: "read", Status: status, RetryAfter: after})
	}
	server := func(status int, after time.Duration) error {
		return fmt.Errorf("fetch: %w", &git.HTTPError{Operation: "fetch", URL: "https://git.example.com/a.git", Status: status, RetryAfter: after})
	}
	for _, test := range []struct {
		name    string
		err     error
		attempt int
		pause   time.Duration
		giveUp  bool
	}{
		{"the first failure is tried again after two seconds", errors.New("no"), 1, 2 * time.Second, false},
		{"the pause doubles", errors.New("no"), 2, 4 * time.Second, false},
		{"and doubles", errors.New("no"), 8, 256 * time.Second, false},
		{"up to ten minutes", errors.New("no"), 10, 10 * time.Minute, false},
		{"the eleventh is not the last", errors.New("no"), 11, 10 * time.Minute, false},
		{"the twelfth is", errors.New("no"), 12, 10 * time.Minute, true},
		{"an absurd attempt does not overflow", errors.New("no"), 1 << 40, 10 * time.Minute, true},
		{"no attempt counts as the first", errors.New("no"), 0, 2 * time.Second, false},
		{"no error is like any", nil, 1, 2 * time.Second, false},
		{"a run that took too long is like any", context.DeadlineExceeded, 11, 10 * time.Minute, false},
		{"a service that is down is tried to the end", api(503, 0), 11, 10 * time.Minute, false},
		{"no answer is tried to the end", api(0, 0), 11, 10 * time.Minute, false},
		{"what the service asked for counts", api(429, 90*time.Second), 1, 90 * time.Second, false},
		{"also when it is shorter", api(429, time.Second), 9, time.Second, false},
		{"up to an hour", api(503, 48*time.Hour), 1, time.Hour, false},
		{"also it ends", api(429, time.Second), 12, time.Second, true},
		{"a refusal is tried again, it may have been a race", api(422, 0), 2, 4 * time.Second, false},
		{"a refusal is given up early", api(422, 0), 3, 8 * time.Second, true},
		{"a wrong token is given up early", api(401, 0), 3, 8 * time.Second, true},
		{"a refusal with a time is a limit", api(403, time.Minute), 3, time.Minute, false},
		{"a Git server that limits is given the time that it asked for", server(429, 90*time.Second), 3, 90 * time.Second, false},
		{"a Git server that is busy is too", server(503, 5*time.Second), 9, 5 * time.Second, false},
		{"up to an hour, too", server(503, 48*time.Hour), 1, time.Hour, false},
		{"a Git server that is down is tried to the end", server(502, 0), 11, 10 * time.Minute, false},
		{"a Git server that refuses the token is given up early", server(401, 0), 3, 8 * time.Second, true},
		{"but not at once", server(401, 0), 2, 4 * time.Second, false},
		{"a repository that is gone is given up early", server(404, 0), 3, 8 * time.Second, true},
		{"credentials that Git refused without a status are given up early", fmt.Errorf("push: %w", git.ErrUnauthorized), 3, 8 * time.Second, true},
		{"a branch that is protected is given up early", fmt.Errorf("push: %w", git.ErrDenied), 3, 8 * time.Second, true},
		{"but not at once, the rule may be new", fmt.Errorf("push: %w", git.ErrDenied), 2, 4 * time.Second, false},
		{"a branch that moved is tried to the end", fmt.Errorf("push: %w", git.ErrMoved), 11, 10 * time.Minute, false},
		{"a push whose answer was lost is tried to the end", fmt.Errorf("push: %w", git.ErrOutcomeUnknown), 11, 10 * time.Minute, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			pause, giveUp := retry(test.err, test.attempt)
			if pause != test.pause || giveUp != test.giveUp {
				t.Errorf("got %s, %v; want %s, %v", pause, giveUp, test.pause, test.giveUp)
			}
		})
	}
}
