package sign_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
	"github.com/lockkeeper/lockkeeper/internal/git/sign"
	"github.com/lockkeeper/lockkeeper/internal/secret"
)

const email = "bot@example.com"

// run runs a program, which must succeed, and returns what it prints.
func run(t testing.TB, dir string, env []string, name string, args ...string) (stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out, warnings bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &warnings
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, &out, &warnings)
	}
	return strings.TrimSpace(out.String()), strings.TrimSpace(warnings.String())
}

// gpgHome is an empty key ring. Its path is short, because the socket of its agent lies in it.
func gpgHome(t testing.TB) []string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gpg") //nolint:usetesting // t.TempDir may be longer than the path of a socket can be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", dir, "--kill", "all").Run()
		_ = os.RemoveAll(dir)
	})
	return []string{"GNUPGHOME=" + dir}
}

// gpgKey makes a key as people do and returns it with the environment in which its public half is known.
func gpgKey(t testing.TB, passphrase, algorithm string, subkeys ...string) (key string, env []string) {
	t.Helper()
	home := gpgHome(t)
	batch := []string{"--batch", "--pinentry-mode", "loopback", "--passphrase", passphrase}
	gpg := func(args ...string) string {
		out, _ := run(t, "", home, "gpg", append(batch, args...)...)
		return out
	}
	gpg("--quick-generate-key", "Lockkeeper <"+email+">", algorithm, "sign,cert", "1y")
	fingerprint := gpg("--list-keys", "--with-colons")
	_, fingerprint, _ = strings.Cut(fingerprint, "\nfpr:::::::::")
	fingerprint, _, _ = strings.Cut(fingerprint, ":")
	for _, sub := range subkeys {
		gpg("--quick-add-key", fingerprint, sub, "sign", "1y")
	}
	key = gpg("--armor", "--export-secret-keys", fingerprint)

	env = gpgHome(t)
	public := filepath.Join(t.TempDir(), "public.asc")
	gpg("--armor", "--output", public, "--export", fingerprint)
	run(t, "", env, "gpg", "--batch", "--import", public)
	return key, env
}

// pushed makes two commits, one without a parent, pushes them and returns the second.
func pushed(t testing.TB, repo *gittest.Repo, signer *sign.Signer, when time.Time) string {
	t.Helper()
	r, err := git.Open(git.Config{URL: repo.URL, Author: git.Signature{Name: "Lockkeeper", Email: email}, Sign: signer.Sign})
	if err != nil {
		t.Fatal(err)
	}
	request := git.CommitRequest{Files: map[string]git.File{"a": {Data: []byte("1\n")}}, Message: "Begin", When: when}
	first, err := r.Commit(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.Commit(t.Context(), request); err != nil || again != first {
		t.Errorf("the same request gave %q, %v, want %q", again, err, first)
	}
	second, err := r.Commit(t.Context(), git.CommitRequest{
		Parents: []string{first}, Files: map[string]git.File{"a": {Data: []byte("2\n")}}, Message: "Promote app\n\nLockkeeper-Stage: dev\n", When: when,
	})
	if err != nil {
		t.Fatal(err)
	}
	results, err := r.Push(t.Context(), git.RefUpdate{Ref: "signed", New: second})
	if err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	repo.Fsck()
	return second
}

func TestGitVerifiesOpenPGP(t *testing.T) {
	for _, tt := range []struct {
		name, passphrase, algorithm string
		subkeys                     []string
	}{
		{"Ed25519 with a passphrase", passphrase, "ed25519", nil},
		{"RSA", "", "rsa2048", nil},
		{"a subkey that signs, of a key that could not", "", "nistp256", []string{"ed25519"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key, env := gpgKey(t, tt.passphrase, tt.algorithm, tt.subkeys...)
			signer, err := sign.Open(secret.Text(key), secret.Text(tt.passphrase), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			repo := gittest.NewServer(t).Repo("app.git", nil)
			// The second commit is older than the key, as one about an old event may be.
			for _, when := range []time.Time{time.Now(), time.Now().AddDate(-1, 0, 0)} {
				id := pushed(t, repo, signer, when)
				for _, commit := range []string{id, id + "^"} {
					_, said := run(t, repo.Dir, env, "git", "verify-commit", commit)
					if !strings.Contains(said, `Good signature from "Lockkeeper <bot@example.com>"`) {
						t.Errorf("git says of %s:\n%s", commit, said)
					}
				}
				shown, _ := run(t, repo.Dir, env, "git", "log", "--format=%G? %GF|%s", id)
				fingerprint := strings.TrimPrefix(signer.String(), "OpenPGP key ")
				if want := "U " + fingerprint + "|Promote app\nU " + fingerprint + "|Begin"; shown != want {
					t.Errorf("git log shows\n%s\nwant\n%s", shown, want)
				}
				repo.Git("update-ref", "-d", "refs/heads/signed")
			}
		})
	}
}

func TestGitMakesTheSameCommitWithSSH(t *testing.T) {
	for _, tt := range []struct {
		name, passphrase string
		args             []string
	}{
		{"Ed25519", "", []string{"-t", "ed25519"}},
		{"RSA", "", []string{"-t", "rsa", "-b", "2048"}},
		{"Ed25519 with a passphrase", passphrase, []string{"-t", "ed25519"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "key")
			run(t, dir, nil, "ssh-keygen", append(tt.args, "-q", "-N", tt.passphrase, "-C", email, "-f", file)...)
			key, public := read(t, file), read(t, file+".pub")
			signer, err := sign.Open(secret.Text(key), secret.Text(tt.passphrase), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if shown, _ := run(t, dir, nil, "ssh-keygen", "-l", "-f", file); !strings.Contains(shown, strings.TrimPrefix(signer.String(), "SSH key ")) {
				t.Errorf("signer calls itself %s, ssh-keygen %s", signer, shown)
			}
			repo := gittest.NewServer(t).Repo("app.git", nil)
			id := pushed(t, repo, signer, now())

			allowed := filepath.Join(dir, "allowed")
			if err := os.WriteFile(allowed, []byte(email+` namespaces="git" `+public), 0o600); err != nil {
				t.Fatal(err)
			}
			_, said := run(t, repo.Dir, nil, "git", "-c", "gpg.format=ssh", "-c", "gpg.ssh.allowedSignersFile="+allowed, "verify-commit", id)
			if want := fmt.Sprintf("Good %q signature for %s with", "git", email); !strings.HasPrefix(said, want) {
				t.Errorf("git says %q, want %q", said, want)
			}
			if tt.passphrase != "" {
				run(t, dir, nil, "ssh-keygen", "-p", "-q", "-P", tt.passphrase, "-N", "", "-f", file)
			}
			date := fmt.Sprintf("%d +0000", now().Unix())
			env := []string{
				"GIT_AUTHOR_NAME=Lockkeeper", "GIT_AUTHOR_EMAIL=" + email, "GIT_AUTHOR_DATE=" + date,
				"GIT_COMMITTER_NAME=Lockkeeper", "GIT_COMMITTER_EMAIL=" + email, "GIT_COMMITTER_DATE=" + date,
			}
			same, _ := run(t, repo.Dir, env, "git", "-c", "gpg.format=ssh", "-c", "user.signingKey="+file, "commit-tree", "-S",
				"-p", id+"^", "-m", "Promote app", "-m", "Lockkeeper-Stage: dev", id+"^{tree}")
			if same != id {
				t.Errorf("git's own commit is another:\n%s", cmp.Diff(repo.Git("cat-file", "commit", same), repo.Git("cat-file", "commit", id)))
			}
		})
	}
}

func TestGitRefusesAChangedCommit(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	run(t, dir, nil, "ssh-keygen", "-t", "ed25519", "-q", "-N", "", "-f", file)
	signer, err := sign.Open(secret.Text(read(t, file)), "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	repo := gittest.NewServer(t).Repo("app.git", nil)
	id := pushed(t, repo, signer, now())
	allowed := filepath.Join(dir, "allowed")
	if err := os.WriteFile(allowed, []byte(email+" "+read(t, file+".pub")), 0o600); err != nil {
		t.Fatal(err)
	}
	body := repo.GitInput("", "cat-file", "commit", id)
	changed := strings.TrimSpace(repo.GitInput(strings.Replace(body, "dev\n", "prod\n", 1), "hash-object", "-t", "commit", "-w", "--stdin"))
	for commit, want := range map[string]string{id: "G", changed: "B"} {
		got, _ := run(t, repo.Dir, nil, "git", "-c", "gpg.format=ssh", "-c", "gpg.ssh.allowedSignersFile="+allowed, "log", "-1", "--format=%G?", commit)
		if got != want {
			t.Errorf("git finds the signature of %s to be %q, want %q", commit, got, want)
		}
	}
}

func read(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
