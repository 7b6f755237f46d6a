package gitlab

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

// jobForge is one whose token is that of a job, which GitLab refuses all but reading changes and their notes.
func jobForge(t *testing.T, answers map[string]string) *Forge {
	t.Helper()
	running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		body, ok := answers[r.Method+" "+strings.TrimPrefix(r.URL.EscapedPath(), "/api/v4")]
		if !ok || r.Header.Get("Job-Token") != testToken {
			w.WriteHeader(http.StatusUnauthorized)
			body = `{"message":"401 Unauthorized"}`
		}
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(running.Close)
	f, err := New(Config{
		URL: running.URL, Project: "group/project", Token: testToken, TokenKind: JobToken,
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAJobTokenReadsWhatItMay(t *testing.T) {
	f := jobForge(t, map[string]string{
		"GET /job": `{"id":9,"user":{"id":42,"username":"ann"}}`,
		"GET /projects/group%2Fproject/merge_requests/7/notes": `[{"id":1,"body":"x","author":{"id":42,"username":"ann"}}]`,
	})
	notes, err := f.Notes(t.Context(), 7)
	if err != nil || len(notes) != 1 || !notes[0].Own {
		t.Errorf("got %+v, %v", notes, err)
	}
}

func TestAJobTokenSaysWhatIsNeededInstead(t *testing.T) {
	f := jobForge(t, nil)
	f.settingsAt = f.now()
	const instead = ", as it cannot open, comment or merge changes: set LOCKKEEPER_GITLAB_TOKEN to a project or group access token with scope api " +
		"and the role Developer"
	for _, test := range []struct {
		name string
		call func(context.Context) error
		want string
	}{
		{"opening", func(ctx context.Context) error { _, err := f.Open(ctx, testDraft()); return err }, "CI_JOB_TOKEN cannot open change" + instead},
		{"commenting", func(ctx context.Context) error { _, err := f.AddNote(ctx, 7, "x"); return err }, "CI_JOB_TOKEN cannot add note" + instead},
		{"judging", func(ctx context.Context) error { return f.PostStatus(ctx, gates(promote.StatusFailed)) }, "CI_JOB_TOKEN cannot post status" + instead},
		{"merging", func(ctx context.Context) error { _, err := f.Merge(ctx, 7, head, ""); return err }, "CI_JOB_TOKEN cannot merge change" + instead},
		{
			"reading with a job that is over", func(ctx context.Context) error { _, err := f.Change(ctx, 7); return err },
			"the token is wrong, revoked or has expired: set LOCKKEEPER_GITLAB_TOKEN to a valid one with scope api",
		},
	} {
		err := test.call(t.Context())
		api, ok := errors.AsType[*promote.APIError](err)
		if !ok || api.Remedy != test.want || !errors.Is(err, promote.ErrUnauthorized) {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}
