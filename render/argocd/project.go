package argocd

import (
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
	Namespace                         string   // Argo CD's own, where the project lives, "" when not written
	SourceNamespaces                  []string // patterns of other namespaces in which its Applications may live
	OnlyOwnClusters                   bool     // they deploy only to clusters that are restricted to the project
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

		SourceNamespaces                []string       `json:"sourceNamespaces"`
		PermitOnlyProjectScopedClusters bool           `json:"permitOnlyProjectScopedClusters"`
		SignatureKeys                   []any          `json:"signatureKeys"`
		SyncWindows                     []windowsEntry `json:"syncWindows"`
	} `json:"spec"`
}

// windowsEntry is a time in which syncs are allowed or denied.
type windowsEntry struct {
	Kind         string   `json:"kind"`
	Schedule     string   `json:"schedule"`
	Duration     string   `json:"duration"`
	Applications []string `json:"applications"`
	ManualSync   bool     `json:"manualSync"`
}

// hints tell what of a project decides about syncs beside what is rendered: whoever merges may wonder.
func (m *projectManifest) hints(doc manifest.Document) []finding.Finding {
	var findings []finding.Finding
	hint := func(code, path, message string) {
		place := at(doc, path, message, "")
		findings = append(findings, finding.Finding{Severity: finding.Info, Code: code, Message: message, File: place.File, Line: place.Line, Column: place.Column})
	}
	if len(m.Spec.SignatureKeys) > 0 {
		hint("signed-commits-only", "spec.signatureKeys", fmt.Sprintf("Argo CD syncs the applications of project %q only from commits that are signed by one of its signatureKeys", m.Metadata.Name))
	}
	for i, w := range m.Spec.SyncWindows {
		if w.Kind != "deny" || !slices.Contains(w.Applications, "*") {
			continue
		}
		what := "syncs no application of project"
		if w.ManualSync {
			what = "syncs no application by itself of project"
		}
		hint("sync-window", fmt.Sprintf("spec.syncWindows[%d]", i), fmt.Sprintf("Argo CD %s %q for %s from each %q on", what, m.Metadata.Name, w.Duration, w.Schedule))
	}
	return findings
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
				Namespace: m.Metadata.Namespace, SourceNamespaces: m.Spec.SourceNamespaces, OnlyOwnClusters: m.Spec.PermitOnlyProjectScopedClusters,
				Origin: Origin{File: doc.File, Line: doc.Node.Line},
			}
			findings = append(findings, m.hints(doc)...)
		}
	}
	return projects, findings
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
