package forge

import "net/url"

const maxURL = 2000 // bytes; no repository has a longer one

// WebURL returns a URL that a webhook names, if it can be that of a repository which is read over HTTP: without a password, and no
// longer than one is. Otherwise it is empty.
func WebURL(named string) string {
	if len(named) > maxURL {
		return ""
	}
	parsed, err := url.Parse(named)
	if err != nil || parsed.Host == "" || parsed.User != nil || parsed.Scheme != "https" && parsed.Scheme != "http" {
		return ""
	}
	return named
}
