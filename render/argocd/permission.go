package argocd

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/render/finding"
)

// defaultProject is the project of an Application that names none. Argo CD makes it when nobody declares it, and it permits
// everything then.
const defaultProject = "default"

// ProjectName is the project that the Application belongs to.
func (a Application) ProjectName() string { return cmp.Or(a.Project, defaultProject) }

// CheckProjects reports what the projects do not let their Applications do, and projects that are not among those of the
// repository, once each.
func CheckProjects(apps []Application, projects map[string]Project, known []Cluster) []finding.Finding {
	var findings []finding.Finding
	told := map[string]bool{}
	for i := range apps {
		app := &apps[i]
		name := app.ProjectName()
		if project, declared := projects[name]; declared {
			findings = append(findings, project.Check(*app, known)...)
			continue
		}
		if len(projects) > 0 && name != defaultProject && !told[name] {
			told[name] = true
			findings = append(findings, undeclared(app, projects))
		}
	}
	return findings
}

func undeclared(app *Application, projects map[string]Project) finding.Finding {
	remedy := "declare an AppProject of that name, which may also be outside of this repository"
	if near := nearest.Of(app.Project, slices.Sorted(maps.Keys(projects))); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	}
	return finding.Finding{
		Severity: finding.Warning, Code: "unknown-project", Application: app.Name, File: app.Origin.File, Line: app.Origin.Line,
		Message: fmt.Sprintf("project %q of %q is not among the AppProjects of this repository", app.Project, app.Name), Remedy: remedy,
	}
}

// Check reports what the project does not let the Application do: Argo CD refuses to sync it (pkg/apis/application/v1alpha1:
// IsSourcePermitted, IsDestinationPermitted; util/security: IsNamespaceEnabled). Of a cluster that is not known nothing is said
// that its other name could change.
func (p Project) Check(app Application, known []Cluster) []finding.Finding {
	var findings []finding.Finding
	refuse := func(what, remedy string) {
		findings = append(findings, finding.Finding{
			Severity: finding.Error, Code: "not-permitted-by-project", Application: app.Name, File: app.Origin.File, Line: app.Origin.Line,
			Message: fmt.Sprintf("project %q does not let %q %s", p.Name, app.Name, what), Remedy: remedy,
		})
	}
	add := func(value, key string) string {
		return fmt.Sprintf("add %s to spec.%s of the AppProject (%s), or choose another project", value, key, p.Origin)
	}
	for _, url := range app.repositories() {
		if !p.permitsSource(url) {
			refuse("take manifests from "+url, add(url, "sourceRepos"))
		}
	}
	d := app.Destination
	if !p.permitsDestination(bothNames(d, known)) {
		where := strings.TrimSpace(cmp.Or(d.Name, d.Server) + " " + d.Namespace)
		refuse(fmt.Sprintf("deploy to namespace %q of %q", d.Namespace, cmp.Or(d.Name, d.Server)), add(where, "destinations"))
	}
	if cluster, ok := FindCluster(d, known); ok && p.OnlyOwnClusters && cluster.Project != p.Name {
		refuse(fmt.Sprintf("deploy to cluster %q, which is not one of the project's own", cmp.Or(cluster.Name, cluster.Server)),
			fmt.Sprintf("write project: %s for the cluster, or take permitOnlyProjectScopedClusters out of the AppProject (%s)", p.Name, p.Origin))
	}
	if !p.permitsNamespace(app.Namespace) {
		refuse(fmt.Sprintf("live in namespace %q", app.Namespace), add(app.Namespace, "sourceNamespaces"))
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
	permitted := false
	for _, item := range p.Destinations {
		server, denyServer := strings.CutPrefix(item.Server, "!")
		name, denyName := strings.CutPrefix(item.Name, "!")
		namespace, denyNamespace := strings.CutPrefix(item.Namespace, "!")
		inCluster := d.Server != "" && item.Server != "" && matches(server, d.Server) || d.Name != "" && item.Name != "" && matches(name, d.Name)
		// The cluster may be this one by the name that is not known of it.
		maybe := d.Server == "" && item.Server != "" || d.Name == "" && item.Name != ""
		inNamespace := matches(namespace, d.Namespace)
		switch {
		case (denyServer || denyName) && inCluster && (namespace == "" || inNamespace || namespace == "*"):
			return false
		case denyNamespace && inNamespace && (denyServer || denyName || inCluster):
			return false
		case denyServer || denyName || denyNamespace:
		case (inCluster || maybe) && inNamespace:
			permitted = true
		}
	}
	return permitted
}

// permitsNamespace reports whether an Application may live in a namespace: in Argo CD's own, which is where the project lives, or
// in one of the others that the project lists.
func (p Project) permitsNamespace(namespace string) bool {
	if namespace == "" || p.Namespace == "" || namespace == p.Namespace {
		return true
	}
	return slices.ContainsFunc(p.SourceNamespaces, func(pattern string) bool {
		if len(pattern) > 2 && len(pattern) <= maxProjectPattern && strings.HasPrefix(pattern, "/") && strings.HasSuffix(pattern, "/") {
			compiled, err := regexp.Compile(pattern[1 : len(pattern)-1])
			return err == nil && compiled.MatchString(namespace)
		}
		return matches(pattern, namespace)
	})
}

// bothNames completes a destination in a cluster that is known by its name and its address.
func bothNames(d Destination, known []Cluster) Destination {
	if c, ok := FindCluster(d, known); ok {
		d.Server, d.Name = cmp.Or(c.Server, d.Server), cmp.Or(c.Name, d.Name)
	}
	return d
}
