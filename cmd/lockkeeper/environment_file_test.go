package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/github"
	"github.com/lockkeeper/lockkeeper/internal/secret"
)

const pemText = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+/IBAAKC==\n-----END RSA PRIVATE KEY-----\n"

func TestEveryReaderOfEnvironmentFilesTakesTheSame(t *testing.T) {
	text := environmentFile(github.Created{ID: 17, PrivateKey: secret.Text(pemText), WebhookSecret: "9f8e7d"})
	for name, read := range map[string]func(*testing.T, string) map[string]string{"docker": dockerFile, "systemd": systemdFile, "a shell": shellFile} {
		t.Run(name, func(t *testing.T) {
			values := read(t, text)
			s, err := readSecrets(func(name string) string { return values[name] })
			if err != nil {
				t.Fatal(err)
			}
			got := []any{s.GitHubAppID, s.GitHubAppKey, s.GitHubSecret}
			if diff := cmp.Diff([]any{int64(17), pemText, []string{"9f8e7d"}}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestASecretThatNeedsQuotesHasThem(t *testing.T) {
	text := environmentFile(github.Created{ID: 17, WebhookSecret: "it's $x"})
	if got := shellFile(t, text)["LOCKKEEPER_GITHUB_WEBHOOK_SECRET"]; got != "it's $x" {
		t.Errorf("got %q", got)
	}
}

// dockerFile reads as `docker run --env-file` does (https://docs.docker.com/reference/cli/docker/container/run/#env): a line is a
// variable, and all behind the first "=" its value, quotes and backslashes too; a name with a space in it ends the reading.
func dockerFile(t *testing.T, text string) map[string]string {
	t.Helper()
	values := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimLeft(strings.TrimRight(line, "\r\n"), " \t")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		if strings.ContainsAny(name, " \t") {
			t.Fatalf("docker refuses the variable %q, whose name has a space", name)
		}
		values[name] = value
	}
	return values
}

// systemdFile reads what stands without quotes as EnvironmentFile of systemd does (systemd.exec(5)): a backslash takes itself away,
// a quote begins something that may have several lines, and spaces at the end are left out.
func systemdFile(t *testing.T, text string) map[string]string {
	t.Helper()
	values := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		name, value, found := strings.Cut(line, "=")
		if !found || strings.ContainsAny(value, `'"\\`) {
			t.Fatalf("systemd reads %q in another way", line)
		}
		values[name] = value
	}
	return values
}

// shellFile has a shell read the file.
func shellFile(t *testing.T, text string) map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lockkeeper.env")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `set -a; . "$1"; set +a; env -0`, "sh", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for variable := range strings.SplitSeq(string(out), "\x00") {
		name, value, _ := strings.Cut(variable, "=")
		values[name] = value
	}
	return values
}

func TestKeyText(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"the text", pemText, pemText},
		{"its line breaks written out", strings.ReplaceAll(pemText, "\n", `\n`), pemText},
		{"base64", "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpNSUlFb3crL0lCQUFLQz09Ci0tLS0tRU5EIFJTQSBQUklWQVRFIEtFWS0tLS0tCg==", pemText},
		{"base64 in lines", "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpNSUlFb3crL0lCQUFLQz09\nCi0tLS0tRU5EIFJTQSBQUklWQVRFIEtFWS0tLS0tCg==", pemText},
		{"base64 of something else", "aGVsbG8=", "aGVsbG8="},
		{"neither", "a key", "a key"},
		{"nothing", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := keyText(test.value); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
