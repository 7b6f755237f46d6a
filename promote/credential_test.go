package promote

import "testing"

func TestCredentialsInURLs(t *testing.T) {
	for _, row := range []struct {
		name, raw string
		want      bool
		shown     string
	}{
		{"no user", "https://gitlab.com/a/b.git", false, "https://gitlab.com/a/b.git"},
		{"a password", "https://oauth2:hunter2@gitlab.com/a/b.git", true, "https://gitlab.com/a/b.git"},
		{"a password with an at sign", "https://bot:hunt@er2@gitlab.com/a", true, "https://gitlab.com/a"},
		{"a user alone", "https://acme@dev.azure.com/acme/a", false, "https://dev.azure.com/acme/a"},
		{"a token as the user", "https://glpat-hunter2@gitlab.com/a", true, "https://gitlab.com/a"},
		{"a token of GitHub as the user", "https://ghp_hunter2:@github.com/a", true, "https://github.com/a"},
		{"a password from an expression", "https://bot:${{ secret('git').token }}@gitlab.com/a", false, "https://gitlab.com/a"},
		{"a password before an expression", "https://bot:hunter2@gitlab.com/${{ vars.repo }}.git", true, "https://gitlab.com/${{ vars.repo }}.git"},
		{"a host from an expression", "https://bot:hunter2@${{ vars.host }}/a", true, "https://${{ vars.host }}/a"},
		{"SSH", "ssh://git@gitlab.com:2222/a/b", false, "ssh://gitlab.com:2222/a/b"},
		{"SSH as scp writes it", "git@gitlab.com:a/b@c.git", false, "git@gitlab.com:a/b@c.git"},
		{"a password without a scheme", "oauth2:hunter2@gitlab.com/a/b.git", true, "gitlab.com/a/b.git"},
		{"an image", "registry.example.com:5000/a/b:1.0@sha256:aa", false, "registry.example.com:5000/a/b:1.0@sha256:aa"},
		{"a chart of a registry", "oci://bot:hunter2@ghcr.io/a/b", true, "oci://ghcr.io/a/b"},
		{"an at sign in the path", "https://gitlab.com/a:b@c/d", false, "https://gitlab.com/a:b@c/d"},
		{"a sentence", "See https://bot:hunter2@x and ask: a@b", false, "See https://bot:hunter2@x and ask: a@b"},
		{"nothing", "", false, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := HoldsCredentials(row.raw); got != row.want {
				t.Errorf("holds credentials: %v, want %v", got, row.want)
			}
			if got := WithoutUser(row.raw); got != row.shown {
				t.Errorf("shown as %q, want %q", got, row.shown)
			}
		})
	}
}
