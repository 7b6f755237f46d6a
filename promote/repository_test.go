package promote

import (
	"strings"
	"testing"
)

func TestSameImage(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want bool
	}{
		{"nginx", "nginx", true},
		{"docker.io/library/nginx", "nginx", true},
		{"docker.io/Team/App", "team/app", true},
		{"registry.example.com/nginx", "nginx", false},
		{"library/nginx", "team/nginx", false},
	} {
		if got := SameImage(row.a, row.b); got != row.want {
			t.Errorf("SameImage(%q, %q) = %v, want %v", row.a, row.b, got, row.want)
		}
		if got := SameImage(row.b, row.a); got != row.want {
			t.Errorf("SameImage(%q, %q) = %v, want %v", row.b, row.a, got, row.want)
		}
	}
}

// The rows are what Kargo's pkg/urls does with them.
func TestNormalizeURLs(t *testing.T) {
	for _, c := range []struct {
		name      string
		normalize func(string) string
		raw, want string
	}{
		{"git: case and suffix", NormalizeGitURL, "https://GitHub.com/Example/Repo.git", "https://github.com/example/repo"},
		{"git: trailing slash", NormalizeGitURL, "https://github.com/example/repo/", "https://github.com/example/repo"},
		{"git: credentials", NormalizeGitURL, "https://user:token@github.com/example/repo", "https://github.com/example/repo"},
		{"git: scp form", NormalizeGitURL, "git@github.com:Example/repo.git", "ssh://git@github.com/example/repo"},
		{"git: ssh keeps its user and port", NormalizeGitURL, "ssh://git@example.com:2222/a/b.git", "ssh://git@example.com:2222/a/b"},
		{"git: a query stays", NormalizeGitURL, "https://example.com/a.git?x=1", "https://example.com/a.git?x=1"},
		{"git: space and control characters", NormalizeGitURL, " https://example.com/a\x00\n", "https://example.com/a"},
		{"git: nothing", NormalizeGitURL, "", ""},
		{"image: Docker Hub", NormalizeImage, "docker.io/library/Nginx", "nginx"},
		{"image: Docker Hub by its other name", NormalizeImage, "index.docker.io/acme/web", "acme/web"},
		{"image: no registry", NormalizeImage, "acme/web:1.0", "acme/web"},
		{"image: a port", NormalizeImage, "localhost:5000/web", "localhost:5000/web"},
		{"image: digest", NormalizeImage, "ghcr.io/a/b@sha256:aa", "ghcr.io/a/b"},
		{"chart: HTTP", NormalizeChartURL, "https://Charts.example.com/stable", "https://charts.example.com/stable"},
		{"chart: OCI", NormalizeChartURL, "oci://ghcr.io/Example/charts/app", "ghcr.io/example/charts/app"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.normalize(c.raw); got != c.want {
				t.Errorf("%q became %q, want %q", c.raw, got, c.want)
			}
		})
	}
}

func TestGitOverHTTPS(t *testing.T) {
	for _, c := range []struct{ name, raw, want, problem string }{
		{"HTTPS", "https://github.com/Acme/config.git", "https://github.com/Acme/config.git", ""},
		{"HTTP with a user", "http://bot@127.0.0.1:80/a.git?x", "http://bot@127.0.0.1:80/a.git?x", ""},
		{"scp form", "git@github.com:Acme/config.git", "https://github.com/Acme/config.git", ""},
		{"scp form of an absolute path", "git@github.com:/acme/config", "https://github.com/acme/config", ""},
		{"scp form without a user", "github.com:acme/config", "https://github.com/acme/config", ""},
		{"SSH", "ssh://git@github.com/Acme/config.git", "https://github.com/Acme/config.git", ""},
		{"SSH in capitals, without a user", "SSH://github.com/acme/config", "https://github.com/acme/config", ""},
		{"SSH with its own port", "ssh://git@github.com:22/acme/config", "https://github.com/acme/config", ""},
		{"SSH with another port", "ssh://git@git.example.com:2222/acme/config", "", "it names a port"},
		{"SSH as somebody", "ssh://deploy@git.example.com/acme/config", "", "it names a user other than git"},
		{"scp form as somebody", "deploy@git.example.com:acme/config", "", "it names a user other than git"},
		{"a home folder", "git@git.example.com:~me/config", "", "it names a home folder"},
		{"a host that serves SSH alone", "git@ssh.dev.azure.com:v3/acme/shop/config", "", "its host serves SSH alone"},
		{"another of them", "git@altssh.gitlab.com:acme/config", "", "its host serves SSH alone"},
		{"no repository", "ssh://git@github.com/", "", "it is not ssh://git@<host>/<repository>"},
		{"a query", "ssh://git@github.com/a?b", "", "it is not ssh://git@<host>/<repository>"},
		{"no URL", "ssh://git@github.com:x/a", "", "it is no URL"},
		{"a path of the machine", "/srv/git/app.git", "/srv/git/app.git", ""},
		{"nothing", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := GitOverHTTPS(c.raw)
			problem := ""
			if err != nil {
				problem = strings.TrimSuffix(err.Error(), ": "+ErrInvalid.Error())
			}
			if got != c.want || problem != c.problem {
				t.Errorf("%q became %q, %q; want %q, %q", c.raw, got, problem, c.want, c.problem)
			}
			if err == nil && c.raw != "" && !SameGitRepository(c.raw, got) && !strings.Contains(c.raw, ":22/") {
				t.Errorf("%q and %q are not the same repository", c.raw, got)
			}
		})
	}
}

func FuzzNormalizeGitURL(f *testing.F) {
	for _, seed := range []string{"https://github.com/A/b.git", "git@host:a/b.git", "ssh://git@h:22/x", "://", "a:b", "https://u:p@h/x?y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if !SameGitRepository(raw, raw) {
			t.Errorf("%q is not itself", raw)
		}
		if over, err := GitOverHTTPS(raw); err == nil && over != raw && !strings.HasPrefix(over, "https://") {
			t.Errorf("%q is read as %q", raw, over)
		}
	})
}

func TestRepositoryFolder(t *testing.T) {
	const plain = "name folders from the repository's root on, without patterns, as in [base, env/prod]"
	for _, row := range []struct{ name, folder, want, problem, remedy string }{
		{"a folder", "env/prod", "env/prod", "", ""},
		{"one that is not clean", "./env//prod/", "env/prod", "", ""},
		{"everything", ".", ".", "", ""},
		{"one that stays inside", "env/../base", "base", "", ""},
		{"a pattern", "develop/*", "", "no folder", plain},
		{"an exclusion", "!env", "", "no folder", plain},
		{"nothing", "", "", "no folder", plain},
		{"one above", "../x", "", "outside of the repository", "name folders from its root on, as in x"},
		{"one that climbs out", "env/../..", "", "outside of the repository", "name folders from its root on, as in env/prod"},
		{"one of the machine", "/x", "", "outside of the repository", "name folders from its root on, as in x"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got, problem, remedy := RepositoryFolder(row.folder); got != row.want || problem != row.problem || remedy != row.remedy {
				t.Errorf("got %q, %q, %q; want %q, %q, %q", got, problem, remedy, row.want, row.problem, row.remedy)
			}
		})
	}
}
