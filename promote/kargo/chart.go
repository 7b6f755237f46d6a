package kargo

import (
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

func (r subscriptionReader) chart(path string, s chartSubscription) promote.ChartSubscription {
	out := promote.ChartSubscription{
		RepoURL: s.RepoURL, Chart: s.Name, Constraint: s.SemverConstraint,
		SkipTLSVerify: s.InsecureSkipTLSVerify, Position: r.o.at(path),
		DiscoveryLimit: r.discoveryLimit(path, s.DiscoveryLimit),
	}
	r.constraint(path+".semverConstraint", s.SemverConstraint)
	r.chartURL(path, s)
	return out
}

// chartURL checks that a repository of many charts comes with a name, and one in a registry, which is one chart, without.
func (r subscriptionReader) chartURL(path string, s chartSubscription) {
	at := path + ".repoURL"
	repository, isOCI := strings.CutPrefix(s.RepoURL, "oci://")
	isHTTP := strings.HasPrefix(s.RepoURL, "https://") || strings.HasPrefix(s.RepoURL, "http://")
	switch {
	case s.RepoURL == "":
		r.fail(r.o, path, "missing-key", "the chart subscription has no repoURL", "add repoURL: https://<host>/<repository> or oci://<registry>/<repository>/<chart>")
	case r.password(at, s.RepoURL, registryLogin):
	case !isOCI && !isHTTP || isOCI && !imageURLPattern.MatchString(repository):
		r.fail(r.o, at, "invalid-repo-url", fmt.Sprintf("repoURL %q is not a chart repository", bounded(promote.WithoutUser(s.RepoURL))),
			"write https://<host>/<repository> or oci://<registry>/<repository>/<chart>")
	case isOCI && s.Name != "":
		r.fail(r.o, path+".name", "conflicting-keys", fmt.Sprintf("a chart in an OCI registry has no name beside its repoURL, but name is %q", bounded(s.Name)),
			fmt.Sprintf("remove name; write repoURL: %s/%s if the URL lacks it", strings.TrimRight(s.RepoURL, "/"), bounded(s.Name)))
	case isHTTP && s.Name == "":
		r.fail(r.o, path, "missing-key", "a chart repository holds many charts, but the subscription names none", "add name: <chart>")
	}
}
