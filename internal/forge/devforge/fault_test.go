package devforge_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

func noteCalls(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/notes")
}

func TestFaults(t *testing.T) {
	note := &gitlab.CreateMergeRequestNoteOptions{Body: new("hello")}
	for _, tt := range []struct {
		name   string
		kind   devforge.FaultKind
		status int  // zero when there is no answer
		after  bool // it happened all the same
		header string
	}{
		{"a server error", devforge.Answer(500, 0), 500, false, ""},
		{"a rate limit says when to come back", devforge.Answer(429, 30*time.Second), 429, false, "30"},
		{"a proxy's page", devforge.BadGateway(), 502, false, ""},
		{"an answer that is lost", devforge.LoseAnswer(), 0, true, ""},
		{"half an answer", devforge.CutAnswer(), 0, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.open(t, "lockkeeper/web")
			b.Fault(noteCalls, tt.kind)
			client := b.as(t, "bot")
			_, answer, err := client.Notes.CreateMergeRequestNote(projectPath, 1, note)
			if err == nil {
				t.Fatal("no error")
			}
			if status, _ := refused(err); status != tt.status {
				t.Errorf("status %d, want %d: %v", status, tt.status, err)
			}
			if tt.header != "" && answer.Header.Get("Retry-After") != tt.header {
				t.Errorf("Retry-After %q", answer.Header.Get("Retry-After"))
			}
			m, _, err := client.MergeRequests.GetMergeRequest(projectPath, 1, nil)
			if err != nil || (m.UserNotesCount == 1) != tt.after {
				t.Errorf("%d notes, %v", m.UserNotesCount, err)
			}
			if _, _, err := client.Notes.CreateMergeRequestNote(projectPath, 1, note); err != nil {
				t.Errorf("the second call: %v", err)
			}
		})
	}
}

func TestAHangEndsWithTheClient(t *testing.T) {
	b := newBench(t)
	b.open(t, "lockkeeper/web")
	arrived := make(chan struct{})
	b.Fault(func(r *http.Request) bool {
		if noteCalls(r) {
			close(arrived)
			return true
		}
		return false
	}, devforge.Hang())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	note := &gitlab.CreateMergeRequestNoteOptions{Body: new("hello")}
	_, _, err := b.as(t, "bot").Notes.CreateMergeRequestNote(projectPath, 1, note, gitlab.WithContext(ctx))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
