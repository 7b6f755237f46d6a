package reconcile

import (
	"fmt"

	"github.com/Masterminds/semver/v3"
)

// checkCluster reports what is wrong with an entry of clusters.
func (s Settings) checkCluster(at string, cluster ClusterSettings) []error {
	var problems []error
	if cluster.Name == "" || cluster.Server == "" {
		problems = append(problems, s.problem(at, "the cluster has no name or no server", "write both, as Argo CD's Secret of the cluster has them"))
	}
	if v := cluster.KubernetesVersion; v != "" {
		if _, err := semver.NewVersion(v); err != nil {
			problems = append(problems, s.problem(at+".kubernetesVersion", fmt.Sprintf("%q is not a Kubernetes version", v), `write one such as "1.34"`))
		}
	}
	return problems
}
