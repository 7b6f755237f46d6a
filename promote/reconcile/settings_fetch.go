package reconcile

import (
	"fmt"
	"net/url"
	"slices"
)

// checkFetch reports what is wrong with an entry of fetch.
func (s Settings) checkFetch(at, place string) []error {
	u, err := url.Parse(place)
	switch {
	case err != nil || u.Host == "" || !slices.Contains([]string{"https", "http", "oci"}, u.Scheme):
		return []error{s.problem(at, fmt.Sprintf("%q is no URL of a chart repository, a registry or a repository", place), "write one such as https://charts.example.com or oci://ghcr.io/acme")}
	case u.User != nil:
		return []error{s.problem(at, "the URL holds credentials", "remove them: Lockkeeper has its own")}
	case u.RawQuery != "" || u.Fragment != "":
		return []error{s.problem(at, fmt.Sprintf("%q has more than a path", place), "end it at the path")}
	}
	return nil
}
