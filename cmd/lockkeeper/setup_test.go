package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/doctor"
	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// TestSetupSaysWhichSecretTheWebhookHas and claims none for a webhook that it could not look at.
func TestSetupSaysWhichSecretTheWebhookHas(t *testing.T) {
	hidden := doctor.Webhook{Err: promote.ErrForbidden}
	for _, row := range []struct {
		name  string
		flags setupFlags
		made  string
		known bool
		hook  doctor.Webhook
		want  string
	}{
		{"one was made", setupFlags{}, "abc", true, doctor.Webhook{}, "abc   (shown this once)"},
		{"one would be made", setupFlags{dry: true}, "abc", true, doctor.Webhook{}, "a secret would be made, and shown here once"},
		{"it is set", setupFlags{}, "", true, doctor.Webhook{}, "as it is now"},
		{"it is set, and the webhook is hidden", setupFlags{}, "", true, hidden, "as it is now"},
		{"the webhook has one", setupFlags{}, "", false, doctor.Webhook{}, "the secret that the webhook has; if it is lost, set another one and run this again after a delivery was refused"},
		{"the webhook is hidden", setupFlags{}, "", false, hidden, "the secret of the webhook, which could not be looked at: make one with openssl rand -hex 32 where it has none"},
	} {
		if diff := cmp.Diff(variable{"X", row.want}, row.flags.secret("X", row.made, row.known, row.hook), cmp.AllowUnexported(variable{})); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}

// TestSetupSaysThatApprovalsAreKept and leaves it alone: it costs one request, and nothing where the setting is as it should be.
func TestSetupSaysThatApprovalsAreKept(t *testing.T) {
	const note = `note   "Remove all approvals when commits are added" is off`
	c := newClinic(t)
	setup := func(flags ...string) string {
		t.Helper()
		var out strings.Builder
		if code := run(t.Context(), environment{
			args:   append([]string{"setup", "gitlab", "--project", worldProject, "--gitlab-url", c.forgeURL, "--url", "https://bot.example.com"}, flags...),
			getenv: func(name string) string { return c.env[name] }, out: &out, err: &out,
		}); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, out.String())
		}
		return out.String()
	}
	for _, row := range []struct {
		name  string
		edit  func(*devforge.Settings)
		flags []string
		want  bool
	}{
		{"they are forgotten", func(*devforge.Settings) {}, nil, false},
		{"they are kept", func(s *devforge.Settings) { s.KeepApprovals = true }, nil, true},
		{"they are kept, and settings are left alone", func(*devforge.Settings) {}, []string{"--no-protect"}, false},
		{"the plan has no such setting", func(s *devforge.Settings) { s.NoApprovalSettings = true }, nil, false},
	} {
		c.change(row.edit)
		if got := setup(row.flags...); strings.Contains(got, note) != row.want {
			t.Errorf("%s: %s", row.name, got)
		}
	}
}
