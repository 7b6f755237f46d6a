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

// OverHTTPS writes the URL by which a repository that is named for SSH is read: it is what has to be allowed. The port of SSH is
// not that of HTTPS.
func OverHTTPS(repoURL string) string {
	if before, after, found := strings.Cut(repoURL, "://"); found {
		u, err := url.Parse(repoURL)
		if err != nil || u.Hostname() == "" || before != "ssh" && before != "git+ssh" {
			return repoURL
		}
		_, at, _ := strings.Cut(after, "/")
		return "https://" + u.Hostname() + "/" + at
	}
	if match := scpLike.FindStringSubmatch(repoURL); match != nil {
		return "https://" + match[1] + "/" + strings.TrimPrefix(match[2], "/")
	}
	return repoURL
}

// ShownURL is a URL without what may be a secret in it: its user, and what follows the path.
func ShownURL(text string) string {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = "", text
	} else {
		scheme += "://"
		rest, _, _ = strings.Cut(rest, "?")
	}
	host, below, slash := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 && (found || strings.Contains(host[:i], ":")) { // else it is git@host:path
		host = host[i+1:]
	}
	if slash {
		host += "/"
	}
	return scheme + host + below
}
