package argocd

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var scpLike = regexp.MustCompile(`^(?:[^@/]+@)?([A-Za-z0-9._-]+):([^/].*|/[^/].*)$`)

// SameRepository reports whether two URLs name the same repository, however each is spelled: scheme, user, port of the
// scheme, ".git", trailing slash, letter case and "git@host:path" make no difference.
func SameRepository(a, b string) bool { return NormalizeURL(a) == NormalizeURL(b) }

// Ours reports whether repoURL is one of the URLs by which a repository is known. Without any URL nothing is ours.
func Ours(repoURL string, urls []string) bool {
	return slices.ContainsFunc(urls, func(u string) bool { return SameRepository(u, repoURL) })
}

// NormalizeURL writes host and path of a repository's URL, such as "gitlab.com/group/repository": equal for all its spellings.
func NormalizeURL(raw string) string {
	raw = strings.TrimSpace(raw)
	if !strings.Contains(raw, "://") {
		if m := scpLike.FindStringSubmatch(raw); m != nil {
			raw = "ssh://" + m[1] + "/" + strings.TrimPrefix(m[2], "/")
		}
	}
	u, err := url.Parse(raw)
	if err != nil {
		return strings.ToLower(raw)
	}
	host := u.Hostname()
	if port := u.Port(); port != "" && !isDefaultPort(u.Scheme, port) {
		host += ":" + port
	}
	path := strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git")
	return strings.ToLower(host + "/" + strings.TrimSuffix(path, "/"))
}

func isDefaultPort(scheme, port string) bool {
	switch scheme {
	case "https":
		return port == "443"
	case "http":
		return port == "80"
	case "ssh", "git+ssh":
		return port == "22"
	}
	return false
}
