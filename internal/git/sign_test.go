package git_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
)

// openSigning opens a repository whose commits are signed by sign.
func openSigning(t testing.TB, url string, sign func([]byte, time.Time) (string, error)) *git.Repository {
	t.Helper()
	r, err := git.Open(git.Config{URL: url, Author: git.Signature{Name: "Lockkeeper", Email: "bot@example.com"}, Sign: sign})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSignatureStandsAfterTheCommitter(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", seed())
	var payload string
	var at time.Time
	r := openSigning(t, repo.URL, func(p []byte, when time.Time) (string, error) {
		payload, at = string(p), when
		return "-----BEGIN TEST-----\n\nAAAA\n-----END TEST-----\n", nil
	})
	main := fetch(t, r, "main")
	id := commit(t, r, main, map[string]git.File{"x": text("1")})
	push(t, r, git.RefUpdate{Ref: "signed", New: id})
	repo.Fsck()
	stamp := "Lockkeeper <bot@example.com> 1772362800 +0100\n"
	head := "tree " + repo.Git("rev-parse", id+"^{tree}") + "\nparent " + main + "\nauthor " + stamp + "committer " + stamp
	want := head + "gpgsig -----BEGIN TEST-----\n \n AAAA\n -----END TEST-----\n\nchange\n"
	if got := repo.GitInput("", "cat-file", "commit", id); got != want {
		t.Errorf("commit is\n%s\nwant\n%s", got, want)
	}
	if payload != head+"\nchange\n" {
		t.Errorf("signed was\n%s", payload)
	}
	if !at.Equal(when()) {
		t.Errorf("signed as of %s, want %s", at, when())
	}
	info, err := r.CommitInfo(t.Context(), id)
	if err != nil || info.Message != "change\n" || info.Committer.Email != "bot@example.com" {
		t.Errorf("CommitInfo = %+v, %v", info, err)
	}
	if got := commit(t, open(t, repo.URL), main, map[string]git.File{"x": text("1")}); got == id {
		t.Error("a commit without a signature has the same id")
	}
}

func TestUnusableSignaturesMakeNoCommit(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", seed())
	expired := errors.New("the key expired")
	for _, tt := range []struct {
		name      string
		signature string
		err       error
		want      string
	}{
		{"the signer fails", "", expired, "sign the commit: the key expired"},
		{"nothing", "\n", nil, "not armored text"},
		{"a carriage return", "a\r\nb", nil, "not armored text"},
		{"a NUL", "a\x00b", nil, "not armored text"},
		{"too much", strings.Repeat("a", 1<<17), nil, "too large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := openSigning(t, repo.URL, func([]byte, time.Time) (string, error) { return tt.signature, tt.err })
			id, err := r.Commit(t.Context(), git.CommitRequest{Files: map[string]git.File{"x": text("1")}, Message: "m", When: when()})
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("Commit = %q, %v, want an error with %q", id, err, tt.want)
			}
		})
	}
}
