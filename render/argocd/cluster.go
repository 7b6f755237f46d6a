package argocd

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

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
		return cmp.Or(c.Server, d.Name)
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

// clusters evaluates a clusters generator over the clusters of the settings and of the repository's Secrets. Without a selector
// Argo CD's own cluster is one of them.
func (e *expansion) clusters(ctx context.Context, node *yaml.Node, at string) ([]params, error) {
	var spec clustersSpec
	if err := decodeAt(e.doc, node, &spec); err != nil {
		return nil, err
	}
	if err := spec.Selector.check(); err != nil {
		return nil, err
	}
	e.reportUnnamed(at)
	if len(e.fleet.clusters) == 0 {
		e.report(finding.Warning, "not-evaluated-offline", at, "generator cannot be evaluated offline: clusters are only known to Argo CD", "list them in lockkeeper.yaml under clusters")
		return nil, errUnevaluated
	}
	known := make([]Cluster, len(e.fleet.clusters))
	for i, cluster := range e.fleet.clusters {
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
		p := e.dialect.clusterParams(cluster)
		if err := e.dialect.addValues(ctx, p, spec.Values, e.around); err != nil {
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

// reportUnnamed tells of the clusters that cannot be among the parameters.
func (e *expansion) reportUnnamed(at string) {
	severity := finding.Warning
	if e.fleet.listed { // whoever listed clusters may have listed these
		severity = finding.Info
	}
	for _, origin := range e.fleet.unnamed {
		e.report(severity, "not-evaluated-offline", at,
			fmt.Sprintf("%s:%d makes the Secret of a cluster whose name cannot be read: its applications are not shown", origin.File, origin.Line),
			"write the name in the open, under data of the Secret's template, or list the cluster in lockkeeper.yaml under clusters")
	}
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

// clusterParams are those of one cluster. Argo CD's own has no Secret and with it no metadata.
func (d dialect) clusterParams(c Cluster) params {
	p := params{"name": c.Name, "nameNormalized": SanitizeName(c.Name), "server": cmp.Or(c.Server, serverOf+c.Name+">"), "project": c.Project}
	if !d.goTemplate {
		for key, text := range c.Labels {
			p["metadata.labels."+key] = text
		}
		for key, text := range c.Annotations {
			p["metadata.annotations."+key] = text
		}
		return p
	}
	metadata := map[string]any{}
	if len(c.Labels) > 0 {
		metadata["labels"] = anyTexts(c.Labels)
	}
	if len(c.Annotations) > 0 {
		metadata["annotations"] = anyTexts(c.Annotations)
	}
	if len(metadata) > 0 {
		p["metadata"] = metadata
	}
	return p
}

// serverOf begins what stands for the server of a cluster that the repository does not tell; its name follows, and ">".
const serverOf = "<server of cluster "

// knownOnlyThere returns the cluster whose server a text holds without knowing it, "" when it holds none.
func knownOnlyThere(text string) string {
	_, rest, found := strings.Cut(text, serverOf)
	if !found {
		return ""
	}
	name, _, _ := strings.Cut(rest, ">")
	return name
}

// named is a destination by the cluster's name where its server is not known.
func (d Destination) named() Destination {
	if name := knownOnlyThere(d.Server); name != "" && d.Server == serverOf+name+">" {
		d.Server, d.Name = "", name
	}
	return d
}

func anyTexts(texts map[string]string) map[string]any {
	out := make(map[string]any, len(texts))
	for key, text := range texts {
		out[key] = text
	}
	return out
}
