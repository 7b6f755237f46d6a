package github

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// An endpoint is where the APIs of one GitHub are.
type endpoint struct {
	rest    *url.URL // ends in "/"
	graphql string
}

// parseEndpoint derives the APIs from the URL that people know GitHub by: that of its pages, or that of its REST API as GitHub
// Actions names it.
func parseEndpoint(text string) (endpoint, error) {
	base, err := url.Parse(text)
	switch {
	case text == "":
		return endpoint{}, errors.New("the URL is missing; expected something like https://github.com")
	case err != nil:
		return endpoint{}, errors.New("the URL cannot be read; expected something like https://github.com")
	case base.User != nil:
		return endpoint{}, errors.New("the URL holds credentials; give the token on its own, in LOCKKEEPER_GITHUB_TOKEN")
	case base.Scheme != "https" && base.Scheme != "http" || base.Host == "" || base.RawQuery != "" || base.Fragment != "":
		return endpoint{}, fmt.Errorf("URL %q: expected https://host, optionally with a path", text)
	}
	if host, ok := hosted(base.Hostname()); ok {
		return endpoint{
			rest:    &url.URL{Scheme: "https", Host: host, Path: "/"},
			graphql: "https://" + host + "/graphql",
		}, nil
	}
	return enterprise(base), nil
}

// hosted is the host of the API of a GitHub that GitHub runs itself: github.com, or a tenant with data residency below ghe.com.
func hosted(host string) (string, bool) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	switch {
	case host == "github.com", host == "www.github.com", host == "api.github.com":
		return "api.github.com", true
	case strings.HasSuffix(host, ".ghe.com"):
		return "api." + strings.TrimPrefix(host, "api."), true
	}
	return "", false
}

// enterprise is a GitHub Enterprise Server: both APIs lie below /api of the same host.
func enterprise(base *url.URL) endpoint {
	path := strings.TrimRight(base.Path, "/")
	for _, api := range []string{"/api/v3", "/api/graphql", "/api"} {
		path = strings.TrimSuffix(path, api)
	}
	rest := &url.URL{Scheme: base.Scheme, Host: base.Host, Path: path + "/api/v3/"}
	graphql := &url.URL{Scheme: base.Scheme, Host: base.Host, Path: path + "/api/graphql"}
	return endpoint{rest: rest, graphql: graphql.String()}
}

// Pages returns the URL of the pages and repositories of a GitHub, without a slash at its end, from that URL or from that of its API.
func Pages(text string) (string, error) {
	base, err := parseEndpoint(text)
	if err != nil {
		return "", err
	}
	if host, ok := strings.CutPrefix(base.rest.Host, "api."); ok && base.rest.Path == "/" {
		return "https://" + host, nil
	}
	return base.rest.Scheme + "://" + base.rest.Host + strings.TrimSuffix(base.rest.Path, "/api/v3/"), nil
}

// API returns the URL of the REST API of a GitHub, without a slash at its end.
func API(text string) (string, error) {
	base, err := parseEndpoint(text)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(base.rest.String(), "/"), nil
}
