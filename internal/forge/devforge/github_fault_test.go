package devforge_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

func TestGitHubFaults(t *testing.T) {
	comments := func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/comments")
	}
	for _, tt := range []struct {
		name   string
		kind   devforge.FaultKind
		status int  // zero when there is no answer
		after  bool // it happened all the same
		header string
	}{
		{"a server error", devforge.Answer(500, 0), 500, false, ""},
		{"a secondary limit says when to come back", devforge.SecondaryLimit(429, 30*time.Second), 429, false, "30"},
		{"a proxy's page", devforge.BadGateway(), 502, false, ""},
		{"an answer that is lost", devforge.LoseAnswer(), 0, true, ""},
		{"half an answer", devforge.CutAnswer(), 0, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHub(t)
			h.openPull(t, "lockkeeper/web")
			h.Fault(comments, tt.kind)
			client := h.as(t, "bot")
			say := func() (*github.Response, error) {
				_, answer, err := client.Issues.CreateComment(t.Context(), repoOwner, repoName, 1, &github.IssueComment{Body: new("hello")})
				return answer, err
			}
			answer, err := say()
			if err == nil {
				t.Fatal("no error")
			}
			if status, _ := githubRefused(err); status != tt.status {
				t.Errorf("status %d, want %d: %v", status, tt.status, err)
			}
			if tt.header != "" && answer.Header.Get("Retry-After") != tt.header {
				t.Errorf("Retry-After %q", answer.Header.Get("Retry-After"))
			}
			if got := h.pull(t, 1).GetComments(); (got == 1) != tt.after {
				t.Errorf("%d comments", got)
			}
			if _, err := say(); err != nil {
				t.Errorf("the second call: %v", err)
			}
		})
	}
}

func TestGitHubLimitsAreWhatTheClientKnows(t *testing.T) {
	h := newHub(t)
	whatever := func(*http.Request) bool { return true }
	h.Fault(whatever, devforge.SecondaryLimit(403, time.Minute))
	_, _, err := h.as(t, "bot").Repositories.Get(t.Context(), repoOwner, repoName)
	if abuse := (*github.AbuseRateLimitError)(nil); !errors.As(err, &abuse) || *abuse.RetryAfter != time.Minute {
		t.Errorf("a secondary limit: %v", err)
	}
	reset := h.clock.Now().Add(time.Hour)
	h.Fault(whatever, devforge.PrimaryLimit(403, reset))
	_, _, err = h.as(t, "bot").Repositories.Get(t.Context(), repoOwner, repoName)
	if limit := (*github.RateLimitError)(nil); !errors.As(err, &limit) || !limit.Rate.Reset.Equal(github.Timestamp{Time: reset.Truncate(time.Second)}) {
		t.Errorf("the primary limit: %v", err)
	}
}
