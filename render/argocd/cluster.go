package argocd

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/render/finding"
)

// Cluster is one cluster that Argo CD knows, as its Secret describes it to the clusters generator.
type Cluster struct {
	Name        string
	Server      string
	Project     string
	Labels      map[string]string
	Annotations map[string]string

	KubernetesVersion string   // such as "1.31"; "" is unknown
	APIVersions       []string // what it serves besides Kubernetes' own, such as "monitoring.coreos.com/v1"
}

// inCluster is the cluster that Argo CD itself runs in, which needs no Secret.
var inCluster = Cluster{Name: "in-cluster", Server: "https://kubernetes.default.svc"}

// ClusterOf returns the cluster that a destination means: its server where that is known, else its name.
func ClusterOf(d Destination, known []Cluster) string {
	if c, ok := FindCluster(d, known); ok {
		return c.Server
	}
	return cmp.Or(d.Name, d.Server)
}

// FindCluster returns what is known of the cluster that a destination means: by its name, else by its server.
func FindCluster(d Destination, known []Cluster) (Cluster, bool) {
	for _, c := range append(slices.Clone(known), inCluster) {
		if d.Name != "" && c.Name == d.Name || d.Name == "" && c.Server == d.Server && d.Server != "" {
			return c, true
		}
	}
	return Cluster{}, false
}

type clustersSpec struct {
	Selector selectorSpec      `json:"selector"`
	Values   map[string]string `json:"values"`
	FlatList bool              `json:"flatList"`
	Template any               `json:"template"`
}

// clusters evaluates a clusters generator over the clusters of the settings. Without a selector Argo CD's own cluster is one
// of them.
func (e *expansion) clusters(ctx context.Context, node *yaml.Node, at string) ([]params, error) {
	var spec clustersSpec
	if err := decodeAt(e.doc, node, &spec); err != nil {
		return nil, err
	}
	if len(e.in.Clusters) == 0 {
		e.report(finding.Warning, "not-evaluated-offline", at, "generator cannot be evaluated offline: clusters are only known to Argo CD", "list them in lockkeeper.yaml under clusters")
		return nil, errUnevaluated
	}
	known := make([]Cluster, len(e.in.Clusters))
	for i, cluster := range e.in.Clusters {
		known[i] = cluster.asSecret()
	}
	unrestricted := len(spec.Selector.MatchLabels)+len(spec.Selector.MatchExpressions) == 0
	if unrestricted && !has(known, inCluster) {
		known = append([]Cluster{inCluster}, known...)
	}
	var out []params
	for _, cluster := range known {
		if !unrestricted && !spec.Selector.matches(cluster.Labels) {
			continue
		}
		p, err := e.dialect.clusterParams(ctx, cluster, spec.Values, e.around)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	if !spec.FlatList {
		return out, nil
	}
	list := make([]any, len(out))
	for i, p := range out {
		list[i] = map[string]any(p)
	}
	return []params{{"clusters": list}}, nil
}

// asSecret adds the label by which Argo CD knows the Secret of a cluster.
func (c Cluster) asSecret() Cluster {
	c.Labels = maps.Clone(c.Labels)
	if c.Labels == nil {
		c.Labels = map[string]string{}
	}
	c.Labels["argocd.argoproj.io/secret-type"] = "cluster"
	return c
}

func has(clusters []Cluster, one Cluster) bool {
	for _, c := range clusters {
		if c.Name == one.Name || c.Server == one.Server {
			return true
		}
	}
	return false
}

func (d dialect) clusterParams(ctx context.Context, c Cluster, values map[string]string, around params) (params, error) {
	p := params{"name": c.Name, "nameNormalized": SanitizeName(c.Name), "server": c.Server, "project": c.Project}
	if d.goTemplate {
		p["metadata"] = map[string]any{"labels": anyTexts(c.Labels), "annotations": anyTexts(c.Annotations)}
	} else {
		for key, text := range c.Labels {
			p["metadata.labels."+key] = text
		}
		for key, text := range c.Annotations {
			p["metadata.annotations."+key] = text
		}
	}
	own := map[string]any{}
	for _, key := range sortedKeys(values) {
		text, err := d.fill(ctx, values[key], overlaid(p, around), func(string) {})
		if err != nil {
			return nil, fmt.Errorf("values.%s: %w", key, err)
		}
		own[key] = text
	}
	if d.goTemplate && len(own) > 0 {
		p["values"] = own
		return p, nil
	}
	for key, text := range own {
		p["values."+key] = text
	}
	return p, nil
}

func anyTexts(texts map[string]string) map[string]any {
	out := make(map[string]any, len(texts))
	for key, text := range texts {
		out[key] = text
	}
	return out
}
