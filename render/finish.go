package render

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/kro"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// finish turns what the sources hold into what stands in the cluster: namespaces, kro's objects, hooks, duplicates.
func (r *rendering) finish(ctx context.Context, source sourceOutput) Result {
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	out := Result{Inputs: source.inputs, Findings: slices.Clone(source.findings), Failed: source.failed, Partial: source.partial}
	if source.failed {
		return out
	}
	files := &located{tree: r.repo.Tree, docs: map[string][]manifest.Document{}}
	var all []object.Object
	objects := make([]object.Object, len(source.objects))
	for i, o := range source.objects {
		objects[i] = r.namespaced(o)
	}
	beside := &neighbors{objects: objects}
	for _, o := range objects {
		if isHook(o) {
			out.Hooks = append(out.Hooks, o)
			continue
		}
		all = append(all, o)
		expansion := r.expanded(ctx, o, files, beside)
		all = append(all, expansion.Objects...)
		out.Findings = append(out.Findings, expansion.Findings...)
		out.Partial = out.Partial || expansion.Incomplete
	}
	out.Findings = append(out.Findings, r.severalServices(source.objects)...)
	out.Findings = append(out.Findings, r.forbidden(source.objects)...)
	kept, findings := unique(all)
	out.Objects = kept
	out.Findings = append(out.Findings, findings...)
	if err := ctx.Err(); err != nil {
		out.Objects, out.Hooks, out.Failed, out.late = nil, nil, true, true
		out.Findings = append(out.Findings, Finding{Severity: finding.Error, Code: "render-timeout", Message: fmt.Sprintf("rendering did not end in time: %v", err)})
	}
	return out
}

// forbidden reports the kinds that the Application's project does not let it deploy.
func (r *rendering) forbidden(objects []object.Object) []Finding {
	project, declared := r.set.projects[r.app.ProjectName()]
	if !declared {
		return nil
	}
	var findings []Finding
	told := map[string]bool{}
	for _, o := range objects {
		id := o.ID()
		kind := strings.TrimPrefix(id.Group+"/"+id.Kind, "/")
		if told[kind] || project.PermitsKind(id.Group, id.Kind, r.inNamespace(id)) {
			continue
		}
		told[kind] = true
		list := "namespaceResourceWhitelist"
		if !r.inNamespace(id) {
			list = "clusterResourceWhitelist"
		}
		findings = append(findings, Finding{
			Severity: finding.Error, Code: "not-permitted-by-project", File: o.Source.File, Line: o.Source.Line,
			Message: fmt.Sprintf("project %q does not let its applications deploy %s", project.Name, kind),
			Remedy:  fmt.Sprintf("add it to spec.%s of the AppProject (%s), or take it off the list that forbids it", list, project.Origin),
		})
	}
	return findings
}

// inNamespace reports whether a kind is namespaced. Kinds that nobody knows count as such.
func (r *rendering) inNamespace(id object.ID) bool {
	inNamespace, known := r.engine.schemas.Namespaced(id.Group, id.Kind)
	if !known {
		if inNamespace, known = r.set.program.Namespaced(id.Group, id.Kind); !known {
			inNamespace = !clusterScoped[id.Group+"/"+id.Kind]
		}
	}
	return inNamespace
}

// namespaced gives a namespaced object the Application's namespace and takes it from a cluster-scoped one. Kinds that
// nobody knows count as namespaced.
func (r *rendering) namespaced(o object.Object) object.Object {
	id := o.ID()
	want := id.Namespace
	switch {
	case !r.inNamespace(id):
		want = ""
	case id.Namespace == "":
		want = r.app.Destination.Namespace
	}
	metadata, ok := o.Fields["metadata"].(map[string]any)
	if want == id.Namespace || !ok && o.Fields["metadata"] != nil {
		return o
	}
	o.Fields, metadata = maps.Clone(o.Fields), maps.Clone(metadata)
	if metadata == nil {
		metadata = map[string]any{}
	}
	o.Fields["metadata"] = metadata
	if want == "" {
		delete(metadata, "namespace")
	} else {
		metadata["namespace"] = want
	}
	return o
}

// clusterScoped are the cluster-scoped kinds of the tools around Kubernetes that its own description does not have.
var clusterScoped = map[string]bool{
	"apiextensions.k8s.io/CustomResourceDefinition": true,
	"apiregistration.k8s.io/APIService":             true,
	"kro.run/ResourceGraphDefinition":               true,
	"kargo.akuity.io/Project":                       true,
	"kargo.akuity.io/ClusterPromotionTask":          true,
	"kargo.akuity.io/ClusterConfig":                 true,
}

// expanded returns what kro makes of an object, nothing for one that is no instance.
func (r *rendering) expanded(ctx context.Context, o object.Object, files *located, beside *neighbors) kro.Expansion {
	if r.set.program.Defines(o) {
		id := o.ID()
		return r.set.program.Expand(ctx, kro.Instance{
			Object: o, Namespace: r.app.Destination.Namespace, Neighbor: beside.find,
			Annotations: map[string]string{argocd.TrackingKey: r.app.TrackingID(id.Group, id.Kind, id.Namespace, id.Name)},
			Written:     func(path string) *yaml.Node { return files.node(o, path) },
		})
	}
	if id := o.ID(); id.Group == kro.Group && id.Kind != "ResourceGraphDefinition" {
		return kro.Expansion{Findings: []Finding{{
			Severity: finding.Info, Code: "no-definition", File: o.Source.File, Line: o.Source.Line,
			Message: fmt.Sprintf("no ResourceGraphDefinition for %s in this repository: shown as written", id.Kind),
			Remedy:  "name its path in lockkeeper.yaml `definitions`",
		}}}
	}
	return kro.Expansion{}
}

// neighbors are the objects of one Application's sources, by what they are. Most Applications never ask.
type neighbors struct {
	objects []object.Object
	byID    map[object.ID]object.Object
}

func (n *neighbors) find(id object.ID) (object.Object, bool) {
	if n.byID == nil {
		n.byID = make(map[object.ID]object.Object, len(n.objects))
		for _, o := range n.objects {
			if !isHook(o) {
				n.byID[o.ID()] = o
			}
		}
	}
	o, ok := n.byID[id]
	return o, ok
}

func isHook(o object.Object) bool {
	metadata, _ := o.Fields["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	if hook, _ := annotations["argocd.argoproj.io/hook"].(string); hook != "" {
		return hook != "Skip"
	}
	hook, _ := annotations["helm.sh/hook"].(string)
	return hook != "" && hook != "crd-install"
}

// unique drops all but the last of several objects with one identity. Objects without a name (generateName) are new ones
// at every sync and never the same.
func unique(objects []object.Object) ([]object.Object, []Finding) {
	at := map[object.ID]int{}
	var findings []Finding
	dropped := make([]bool, len(objects))
	for i, o := range objects {
		id := o.ID()
		if id.Name == "" {
			continue
		}
		if j, twice := at[id]; twice {
			dropped[j] = true
			first := objects[j].Source
			findings = append(findings, Finding{
				Severity: finding.Warning, Code: "duplicate-object", File: o.Source.File, Line: o.Source.Line,
				Message: fmt.Sprintf("%s also comes from %s:%d: the last one wins", id, first.File, first.Line), Remedy: "remove one of them",
			})
		}
		at[id] = i
	}
	kept := make([]object.Object, 0, len(objects))
	for i, o := range objects {
		if !dropped[i] {
			kept = append(kept, o)
		}
	}
	return kept, findings
}

// workloads are the kinds that make a folder look like a service of its own.
var workloads = map[string]bool{"apps/Deployment": true, "apps/StatefulSet": true, "argoproj.io/Rollout": true}

// severalServices reports an Application that deploys more than one service: its sources hold instances or workloads in
// several folders. A chart or a kustomization is one service, however many workloads it makes.
func (r *rendering) severalServices(objects []object.Object) []Finding {
	folders := map[string]bool{}
	for _, o := range objects {
		id := o.ID()
		instance := r.set.program.Defines(o) || id.Group == kro.Group && id.Kind != "ResourceGraphDefinition"
		if o.Source.File != "" && o.Source.Via == "" && (instance || workloads[id.Group+"/"+id.Kind]) {
			folders[path.Dir(o.Source.File)] = true
		}
	}
	if len(folders) < 2 {
		return nil
	}
	names := slices.Sorted(maps.Keys(folders))
	shown := strings.Join(names[:min(len(names), 5)], ", ")
	if len(names) > 5 {
		shown += ", …"
	}
	pattern := path.Join(path.Dir(names[0]), "*")
	return []Finding{{
		Severity: finding.Warning, Code: "several-services-in-one-application",
		Message: fmt.Sprintf("it deploys %d services (%s): one sync deploys all of them, and one that fails holds up the others", len(names), shown),
		Remedy:  fmt.Sprintf("make one Application per folder, such as by an ApplicationSet with a git generator over %q", pattern),
	}}
}

// located finds the node of an object's field in the file that the object was written in. Files are read again only when
// there is something to report.
type located struct {
	tree    fs.FS
	docs    map[string][]manifest.Document
	program *kro.Program
}

func (l *located) node(o object.Object, field string) *yaml.Node {
	doc, ok := l.document(o)
	if !ok {
		return nil
	}
	for field != "" {
		if _, value := doc.Find(field); value != nil {
			return value
		}
		field = field[:max(0, strings.LastIndexAny(field, ".["))]
	}
	return nil
}

// root is the node of the whole object, nil when it is not found.
func (l *located) root(o object.Object) *yaml.Node {
	if doc, ok := l.document(o); ok {
		return doc.Node
	}
	return nil
}

// document returns the document that an object is written in. An item of a list is none.
func (l *located) document(o object.Object) (manifest.Document, bool) {
	docs, ok := l.docs[o.Source.File]
	if !ok {
		if data, err := manifest.ReadFile(l.tree, o.Source.File); err == nil {
			docs, _ = manifest.Split(o.Source.File, data)
		}
		l.docs[o.Source.File] = docs
	}
	for _, doc := range docs {
		end := doc.Line + bytes.Count(doc.Raw, []byte("\n"))
		if o.Source.Line >= doc.Line && o.Source.Line <= end && doc.GroupKind().Kind == o.Kind() {
			return doc, true
		}
	}
	return manifest.Document{}, false
}
