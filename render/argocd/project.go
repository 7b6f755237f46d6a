package argocd

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gobwas/glob"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
)

// Project is an AppProject of the repository: what its Applications may deploy, from where and to where.
type Project struct {
	Name         string
	Sources      []string // patterns of repository URLs; "!" in front forbids
	Destinations []ProjectDestination
	// ClusterAllowed are the cluster-scoped kinds that may be deployed: none that is not named.
	ClusterAllowed, ClusterDenied []ProjectKind
	// NamespaceAllowed are the namespaced kinds that may be deployed; nil allows all.
	NamespaceAllowed, NamespaceDenied []ProjectKind
	Origin                            Origin
}

// ProjectDestination is one place that a project's Applications may deploy to. Every part is a pattern; "!" in front forbids.
type ProjectDestination struct {
	Server    string `json:"server"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

// ProjectKind is a pattern of kinds.
type ProjectKind struct {
	Group string `json:"group"`
	Kind  string `json:"kind"`
}

type projectManifest struct {
	manifest.Envelope
	Spec struct {
		SourceRepos                []string             `json:"sourceRepos"`
		Destinations               []ProjectDestination `json:"destinations"`
		ClusterResourceWhitelist   []ProjectKind        `json:"clusterResourceWhitelist"`
		ClusterResourceBlacklist   []ProjectKind        `json:"clusterResourceBlacklist"`
		NamespaceResourceWhitelist []ProjectKind        `json:"namespaceResourceWhitelist"`
		NamespaceResourceBlacklist []ProjectKind        `json:"namespaceResourceBlacklist"`
	} `json:"spec"`
}

// Projects reads the AppProjects of the files, by name. The first of a name counts.
func Projects(files []manifest.File) (map[string]Project, []finding.Finding) {
	projects := map[string]Project{}
	var findings []finding.Finding
	for _, file := range files {
		for _, doc := range file.Documents {
			if doc.GroupKind().Kind != "AppProject" {
				continue
			}
			var m projectManifest
			if err := manifest.DecodeKnown(doc, &m); err != nil {
				findings = append(findings, finding.FromError("invalid-project", err)...)
				continue
			}
			if _, twice := projects[m.Metadata.Name]; m.Metadata.Name == "" || twice {
				continue
			}
			projects[m.Metadata.Name] = Project{
				Name: m.Metadata.Name, Sources: m.Spec.SourceRepos, Destinations: m.Spec.Destinations,
				ClusterAllowed: m.Spec.ClusterResourceWhitelist, ClusterDenied: m.Spec.ClusterResourceBlacklist,
				NamespaceAllowed: m.Spec.NamespaceResourceWhitelist, NamespaceDenied: m.Spec.NamespaceResourceBlacklist,
				Origin: Origin{File: doc.File, Line: doc.Node.Line},
			}
		}
	}
	return projects, findings
}

// Check reports what the project does not let the Application do: Argo CD refuses to sync it (pkg/apis/application/v1alpha1:
// IsSourcePermitted, IsDestinationPermitted).
func (p Project) Check(app Application) []finding.Finding {
	var findings []finding.Finding
	refuse := func(what, key, value string) {
		findings = append(findings, finding.Finding{
			Severity: finding.Error, Code: "not-permitted-by-project", Application: app.Name, File: app.Origin.File, Line: app.Origin.Line,
			Message: fmt.Sprintf("project %q does not let %q %s", p.Name, app.Name, what),
			Remedy:  fmt.Sprintf("add %s to spec.%s of the AppProject (%s), or choose another project", value, key, p.Origin),
		})
	}
	for _, url := range app.repositories() {
		if !p.permitsSource(url) {
			refuse("take manifests from "+url, "sourceRepos", url)
		}
	}
	if d := app.Destination; !p.permitsDestination(d) {
		where := strings.TrimSpace(cmp.Or(d.Name, d.Server) + " " + d.Namespace)
		refuse(fmt.Sprintf("deploy to namespace %q of %q", d.Namespace, cmp.Or(d.Name, d.Server)), "destinations", where)
	}
	return findings
}

func (p Project) permitsSource(url string) bool {
	permitted := false
	for _, pattern := range p.Sources {
		if denied, negated := strings.CutPrefix(pattern, "!"); negated {
			if matches(denied, url, '/') || Ours(url, []string{denied}) {
				return false
			}
			continue
		}
		permitted = permitted || pattern == "*" || matches(pattern, url, '/') || Ours(url, []string{pattern})
	}
	return permitted
}

func (p Project) permitsDestination(d Destination) bool {
	d = bothNames(d)
	permitted := false
	for _, item := range p.Destinations {
		server, denyServer := strings.CutPrefix(item.Server, "!")
		name, denyName := strings.CutPrefix(item.Name, "!")
		namespace, denyNamespace := strings.CutPrefix(item.Namespace, "!")
		inCluster := d.Server != "" && item.Server != "" && matches(server, d.Server) || d.Name != "" && item.Name != "" && matches(name, d.Name)
		inNamespace := matches(namespace, d.Namespace)
		switch {
		case (denyServer || denyName) && inCluster && (namespace == "" || inNamespace || namespace == "*"):
			return false
		case denyNamespace && inNamespace && (denyServer || denyName || inCluster):
			return false
		case denyServer || denyName || denyNamespace:
		case inCluster && inNamespace:
			permitted = true
		}
	}
	return permitted
}

// bothNames completes a destination in Argo CD's own cluster, which has a known name and a known address.
func bothNames(d Destination) Destination {
	if d.Name == inCluster.Name {
		d.Server = inCluster.Server
	}
	if d.Server == inCluster.Server {
		d.Name = inCluster.Name
	}
	return d
}

// PermitsKind reports whether the project lets its Applications deploy a kind.
func (p Project) PermitsKind(group, kind string, namespaced bool) bool {
	among := func(list []ProjectKind) bool {
		return slices.ContainsFunc(list, func(k ProjectKind) bool { return matches(k.Group, group) && matches(k.Kind, kind) })
	}
	if namespaced {
		return (p.NamespaceAllowed == nil || among(p.NamespaceAllowed)) && !among(p.NamespaceDenied)
	}
	return among(p.ClusterAllowed) && !among(p.ClusterDenied)
}

// maxProjectPattern keeps a hostile pattern's backtracking short.
const maxProjectPattern = 1000

// matches reports whether a pattern of a project takes a text. One that is no pattern takes nothing.
func matches(pattern, text string, separators ...rune) bool {
	if pattern == text || pattern == "*" {
		return true
	}
	if len(pattern) > maxProjectPattern || !strings.ContainsAny(pattern, "*?[{") {
		return false
	}
	compiled, err := glob.Compile(pattern, separators...)
	return err == nil && compiled.Match(text)
}
