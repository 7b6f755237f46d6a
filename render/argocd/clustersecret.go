package argocd

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
)

// fleet is what is known of the clusters of an Argo CD.
type fleet struct {
	listed   bool // some of them are in the settings
	clusters []Cluster
	unnamed  []Origin          // Secrets of clusters that have their name where it cannot be read
	findings []finding.Finding // about the Secrets
	key      string            // equal for equal clusters, "" without any
}

// KnownClusters lists the clusters of the settings, then those of the Secrets in the files, in their order. What an entry of
// the settings leaves out is taken from the Secret of the same name.
func KnownClusters(settings []Cluster, files []manifest.File) []Cluster {
	return newFleet(settings, files).clusters
}

func newFleet(settings []Cluster, files []manifest.File) fleet {
	f := fleet{listed: len(settings) > 0, clusters: slices.Clone(settings)}
	for _, file := range files {
		for _, doc := range file.Documents {
			if !bytes.Contains(doc.Raw, []byte(manifest.ClusterSecretLabel)) {
				continue
			}
			if secret, ok := f.readSecret(doc); ok {
				f.add(secret)
			}
		}
	}
	if len(f.clusters)+len(f.unnamed) > 0 {
		f.key = fmt.Sprintf("%q %v", f.clusters, f.unnamed)
	}
	return f
}

// add takes up a cluster of a Secret. Of several with one name the first counts.
func (f *fleet) add(s clusterSecret) {
	named := slices.IndexFunc(f.clusters, func(c Cluster) bool { return c.Name == s.cluster.Name })
	if s.cluster.Name == "" {
		// The object is mostly called as the cluster is; that is certain only when the settings know one of that name.
		if named = slices.IndexFunc(f.clusters, func(c Cluster) bool { return c.Name == s.object }); named < 0 {
			f.unnamed = append(f.unnamed, s.origin)
			return
		}
	}
	if named < 0 {
		f.clusters = append(f.clusters, s.cluster)
		return
	}
	f.clusters[named] = f.clusters[named].completed(s.cluster)
}

// completed fills what an entry leaves out.
func (c Cluster) completed(from Cluster) Cluster {
	c.Server, c.Project = cmp.Or(c.Server, from.Server), cmp.Or(c.Project, from.Project)
	if c.Labels == nil {
		c.Labels = from.Labels
	}
	if c.Annotations == nil {
		c.Annotations = from.Annotations
	}
	return c
}

// clusterSecret is what the Secret of a cluster says where everybody can read it.
type clusterSecret struct {
	cluster Cluster // "" for what only the cluster knows
	object  string  // name of the Secret
	origin  Origin
}

// readSecret reads the Secret of a cluster, or what makes it; false for any other document. The credentials in it are not
// looked at.
func (f *fleet) readSecret(doc manifest.Document) (clusterSecret, bool) {
	var m secretManifest
	kind := doc.GroupKind()
	if kind.Kind != "Secret" && kind.Kind != "SealedSecret" && kind.Kind != "ExternalSecret" {
		return clusterSecret{}, false
	}
	if err := manifest.DecodeKnown(doc, &m); err != nil {
		f.findings = append(f.findings, finding.FromError("invalid-cluster-secret", err)...)
		return clusterSecret{}, false
	}
	meta, fields := m.Metadata, m.StringData
	switch kind {
	case manifest.Kind{Kind: "Secret"}:
		fields = fields.or(m.Data.decoded()) // stringData wins over data
	case manifest.Kind{Group: "bitnami.com", Kind: "SealedSecret"}:
		meta, fields = m.Spec.Template.Metadata, m.Spec.Template.Data
	case manifest.Kind{Group: "external-secrets.io", Kind: "ExternalSecret"}:
		meta, fields = m.Spec.Target.Template.Metadata, m.Spec.Target.Template.Data
	default:
		return clusterSecret{}, false
	}
	if meta.Labels[manifest.ClusterSecretLabel] != "cluster" {
		return clusterSecret{}, false
	}
	fields = fields.written()
	return clusterSecret{
		cluster: Cluster{Name: fields.Name, Server: fields.Server, Project: fields.Project, Labels: meta.Labels, Annotations: meta.Annotations},
		object:  m.Metadata.Name,
		origin:  Origin{File: doc.File, Line: doc.Node.Line},
	}, true
}

// secretManifest is the part that is read of the three kinds together.
type secretManifest struct {
	manifest.Envelope
	Data       secretFields `json:"data"`
	StringData secretFields `json:"stringData"`
	Spec       struct {
		Template secretTemplate `json:"template"` // of a SealedSecret
		Target   struct {
			Template secretTemplate `json:"template"`
		} `json:"target"` // of an ExternalSecret
	} `json:"spec"`
}

type secretTemplate struct {
	Metadata manifest.Metadata `json:"metadata"`
	Data     secretFields      `json:"data"`
}

// secretFields are the keys that say which cluster it is. The others are secrets and have no place in memory of their own.
type secretFields struct {
	Name    string `json:"name"`
	Server  string `json:"server"`
	Project string `json:"project"`
}

func (s secretFields) each(change func(string) string) secretFields {
	return secretFields{change(s.Name), change(s.Server), change(s.Project)}
}

// decoded turns data into text. What is not base64 counts as not written.
func (s secretFields) decoded() secretFields {
	return s.each(func(text string) string {
		data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil {
			return ""
		}
		return string(data)
	})
}

// or is s with what it leaves out taken from other.
func (s secretFields) or(other secretFields) secretFields {
	return secretFields{cmp.Or(s.Name, other.Name), cmp.Or(s.Server, other.Server), cmp.Or(s.Project, other.Project)}
}

// written leaves out what a template in the cluster fills in.
func (s secretFields) written() secretFields {
	return s.each(func(text string) string {
		if tagged(text) {
			return ""
		}
		return text
	})
}
