package promote

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"strings"
	"unicode"
)

// SameGitRepository reports whether two URLs name the same Git repository, whatever their spelling: user, scheme, case, a
// trailing slash and ".git" do not count.
func SameGitRepository(a, b string) bool { return gitPath(a) == gitPath(b) }

// gitPath is the host and path of a Git URL in lower case.
func gitPath(raw string) string {
	raw = NormalizeGitURL(raw)
	if _, rest, found := strings.Cut(raw, "://"); found {
		raw = rest
	}
	if slash := strings.IndexByte(raw, '/'); slash >= 0 {
		if at := strings.LastIndexByte(raw[:slash], '@'); at >= 0 {
			raw = raw[at+1:]
		}
	}
	return strings.TrimSuffix(strings.TrimRight(raw, "/"), ".git")
}

// NormalizeGitURL spells a Git URL as Kargo does before it computes or compares anything (Kargo: pkg/urls/git.go): lower
// case, without credentials, trailing slash and ".git"; git@host:path becomes ssh://git@host/path. A URL with a query, and
// what is none, stays as it is but for case.
func NormalizeGitURL(raw string) string {
	raw = strings.ToLower(printable(raw))
	if host, rest, found := strings.Cut(raw, ":"); found && !strings.Contains(host, "/") && !strings.HasPrefix(rest, "//") {
		raw = "ssh://" + host + "/" + strings.TrimPrefix(rest, "/")
	}
	parsed, err := url.Parse(raw)
	if err != nil || parsed.RawQuery != "" || parsed.Host == "" {
		return raw
	}
	if parsed.Scheme == "http" || parsed.Scheme == "https" {
		parsed.User = nil
	}
	parsed.Path = strings.TrimSuffix(strings.TrimRight(parsed.Path, "/"), ".git")
	parsed.RawPath = ""
	return parsed.String()
}

// scpAddress takes user@host:path apart, which is another way to write ssh://user@host/path. The user may be missing.
func scpAddress(raw string) (user, host, path string, ok bool) {
	login, path, ok := strings.Cut(raw, ":")
	if !ok || strings.HasPrefix(path, "//") {
		return "", "", "", false
	}
	user, host, found := strings.Cut(login, "@")
	if !found {
		user, host = "", login
	}
	path = strings.TrimLeft(path, "/")
	odd := func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("_.-", c)
	}
	ok = host != "" && path != "" && (user != "" || !found) && !strings.ContainsFunc(user+host, odd) && !strings.ContainsFunc(path, unicode.IsSpace)
	return user, host, path, ok
}

// GitOverHTTPS is the spelling of a repository's URL by which it is read over HTTPS. Of an address of SSH, ssh://git@host/path
// or git@host:path, that is https://host/path; what is none stays as it is. The error is [ErrInvalid] and says why, when
// nobody can tell where an address of SSH is over HTTPS.
func GitOverHTTPS(raw string) (string, error) {
	port := ""
	user, host, path, scp := scpAddress(raw)
	parsed, err := url.Parse(raw)
	switch {
	case strings.HasPrefix(strings.ToLower(raw), "ssh:") && err != nil:
		return "", fmt.Errorf("it is no URL: %w", ErrInvalid)
	case err == nil && parsed.Scheme == "ssh":
		user, host, path, port = parsed.User.Username(), parsed.Hostname(), strings.TrimLeft(parsed.EscapedPath(), "/"), parsed.Port()
		if parsed.RawQuery != "" || parsed.Fragment != "" || host == "" || path == "" {
			return "", fmt.Errorf("it is not ssh://git@<host>/<repository>: %w", ErrInvalid)
		}
	case !scp:
		return raw, nil
	}
	switch label, _, _ := strings.Cut(host, "."); {
	case port != "" && port != "22":
		return "", fmt.Errorf("it names a port: %w", ErrInvalid)
	case user != "" && user != "git":
		return "", fmt.Errorf("it names a user other than git: %w", ErrInvalid)
	case strings.HasPrefix(path, "~"):
		return "", fmt.Errorf("it names a home folder: %w", ErrInvalid)
	case strings.Contains(strings.ToLower(label), "ssh"):
		return "", fmt.Errorf("its host serves SSH alone: %w", ErrInvalid)
	}
	return "https://" + host + "/" + path, nil
}

// RepositoryFolder is the path of a folder from a repository's root on, cleaned. For a pattern, nothing, and what leaves the
// repository there is a problem, which says what it is, and a remedy.
func RepositoryFolder(name string) (folder, problem, remedy string) {
	folder = path.Clean(name)
	switch {
	case name == "", strings.ContainsAny(name, "*?[!\\\x00"):
		return "", "no folder", "name folders from the repository's root on, without patterns, as in [base, env/prod]"
	case path.IsAbs(folder), folder == "..", strings.HasPrefix(folder, "../"):
		return "", "outside of the repository", "name folders from its root on, as in " + cmp.Or(strings.TrimLeft(folder, "./"), "env/prod")
	}
	return folder, "", ""
}

// SameImage reports whether two image repositories are the same: case, the registry docker.io and its folder library do not
// count.
func SameImage(a, b string) bool { return NormalizeImage(a) == NormalizeImage(b) }

// NormalizeImage spells an image repository as Kargo does (Kargo: pkg/urls/image.go): lower case, without tag and digest;
// what lies on Docker Hub without the registry and without "library/".
func NormalizeImage(raw string) string {
	raw = strings.ToLower(printable(raw))
	registry, rest, found := strings.Cut(raw, "/")
	if !found || !strings.ContainsAny(registry, ".:") && registry != "localhost" {
		registry, rest = dockerHub, raw
	}
	rest, _, _ = strings.Cut(rest, "@")
	if slash := strings.LastIndexByte(rest, '/'); strings.ContainsRune(rest[slash+1:], ':') {
		rest = rest[:slash+1+strings.IndexByte(rest[slash+1:], ':')]
	}
	if registry == dockerHub || registry == "index.docker.io" {
		return strings.TrimPrefix(rest, "library/")
	}
	return registry + "/" + rest
}

const dockerHub = "docker.io"

// NormalizeChartURL spells the URL of a chart repository as Kargo does (Kargo: pkg/urls/helm.go): lower case, an OCI
// repository without its scheme and as an image.
func NormalizeChartURL(raw string) string {
	raw = strings.ToLower(printable(raw))
	if strings.HasPrefix(raw, "http://") || strings.HasPrefix(raw, "https://") {
		return raw
	}
	return NormalizeImage(strings.TrimPrefix(raw, "oci://"))
}

func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s))
}
