package kargo

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
)

const (
	group         = "kargo.akuity.io"
	rolloutsGroup = "argoproj.io"
	version       = "v1alpha1"

	kindProject       = "Project"
	kindProjectConfig = "ProjectConfig"
	kindWarehouse     = "Warehouse"
	kindStage         = "Stage"
	kindTask          = "PromotionTask"
	kindClusterTask   = "ClusterPromotionTask"

	kindAnalysis        = "AnalysisTemplate"
	kindClusterAnalysis = "ClusterAnalysisTemplate"
)

// kinds lists those of Kargo's group that are read.
var kinds = []string{kindProject, kindProjectConfig, kindWarehouse, kindStage, kindTask, kindClusterTask}

// Load reads the Kargo manifests among docs and passes over everything else; a kind of Kargo's group that is not read is a
// finding. Pipelines come in the order in which their
// projects are first seen, warehouses and stages in the order of docs, findings in the order of files and lines. Equal docs
// give equal results.
//
// Pipelines hold whatever could be understood; a stage with a finding of severity error must not be promoted to.
func Load(docs []manifest.Document) ([]promote.Pipeline, []promote.Finding) {
	l := &loader{
		projects: map[string]*project{},
		seen:     map[ref]promote.Position{},
		broken:   map[ref]bool{},
		reported: map[problem]bool{},
		users:    map[ref][]promote.StageRef{},
		tasks:    map[ref]task{},
		analyses: map[ref]analysis{},
		checked:  map[string][]expr.Problem{},
	}
	for _, doc := range docs {
		l.read(doc, docs)
	}
	pipelines := make([]promote.Pipeline, 0, len(l.order))
	for _, name := range l.order {
		pipelines = append(pipelines, l.pipeline(l.projects[name]))
	}
	l.checkTasks()
	return pipelines, l.findings()
}

// loader collects one load.
type loader struct {
	projects map[string]*project
	order    []string                   // of projects, as first seen
	seen     map[ref]promote.Position   // every object by name, for duplicates
	tasks    map[ref]task               // of all projects, and of the cluster with project ""
	analyses map[ref]analysis           // likewise
	users    map[ref][]promote.StageRef // the stages that use a warehouse, a task or an analysis template
	broken   map[ref]bool               // objects with an error
	problems []problem
	reported map[problem]bool
	steps    int                       // read so far
	filled   int                       // bytes of texts with arguments
	compared int                       // names, in search of near ones
	checked  map[string][]expr.Problem // by template and names
}

// project is what was read of one project, before it is put together.
type project struct {
	name        string
	declared    bool
	position    promote.Position
	policies    []sourced[policy] // of the ProjectConfig
	oldPolicies []sourced[policy] // of the Project
	warehouses  []sourced[warehouseManifest]
	stages      []sourced[stageManifest]
}

// sourced is a value and the place in an object where it was read.
type sourced[T any] struct {
	object
	path  string
	value T
}

type task struct {
	object
	manifest taskManifest
}

func (l *loader) project(o object) *project {
	p, ok := l.projects[o.project]
	if !ok {
		p = &project{name: o.project, position: o.position()}
		l.projects[o.project] = p
		l.order = append(l.order, o.project)
	}
	return p
}

// read decodes one document into its project.
func (l *loader) read(doc manifest.Document, all []manifest.Document) {
	gk := doc.GroupKind()
	if gk.Group != groupOf(gk.Kind) && !meantFor(gk) {
		return
	}
	switch gk.Kind {
	case kindProject:
		read(l, doc, all, l.readProject)
	case kindProjectConfig:
		read(l, doc, all, l.readProjectConfig)
	case kindWarehouse:
		read(l, doc, all, func(o object, m warehouseManifest) {
			p := l.project(o)
			p.warehouses = append(p.warehouses, sourced[warehouseManifest]{object: o, value: m})
		})
	case kindStage:
		read(l, doc, all, func(o object, m stageManifest) {
			p := l.project(o)
			p.stages = append(p.stages, sourced[stageManifest]{object: o, value: m})
		})
	case kindTask, kindClusterTask:
		read(l, doc, all, func(o object, m taskManifest) { l.tasks[o.ref()] = task{o, m} })
	case kindAnalysis, kindClusterAnalysis:
		read(l, doc, all, func(o object, m analysisManifest) { l.analyses[o.ref()] = analysis{o, m} })
	default:
		l.unread(doc, all)
	}
}

// meantFor reports whether a kind of Kargo has no group, or nearly Kargo's. It is read, and its apiVersion is an error.
func meantFor(gk manifest.Kind) bool {
	if !slices.Contains(kinds, gk.Kind) {
		return false
	}
	_, near := promote.Nearest(gk.Group, []string{group})
	return gk.Group == "" || near
}

// unread says of a manifest of Kargo's group that it counts for nothing.
func (l *loader) unread(doc manifest.Document, all []manifest.Document) {
	kind := doc.GroupKind().Kind
	var meta struct {
		manifest.Envelope
	}
	_ = manifest.DecodeKnown(doc, &meta) // for its name, if it has a usable one
	o := object{doc: doc, kind: kind, name: meta.Metadata.Name}
	if why, known := unreadKinds[kind]; known {
		l.warn(o, "kind", "not-read", fmt.Sprintf("%s is not read: %s", kind, why), "")
		return
	}
	remedy := "known kinds: " + strings.Join(kinds, ", ")
	if near, ok := promote.Nearest(kind, kinds); ok {
		remedy = fmt.Sprintf("did you mean %q?", near)
		o.kind = near // it concerns whom that would concern
		l.locate(&o, meta.Metadata, all)
	}
	l.fail(o, "kind", "unknown-kind", fmt.Sprintf("%s has no kind %q", group, bounded(kind)), remedy)
}

// unreadKinds are the kinds of Kargo that no pipeline needs, with what to know instead.
var unreadKinds = map[string]string{
	"ClusterConfig": "webhooks of registries are registryWebhooks in the server's configuration",
	"Freight":       "freight is found again, or made with `lockkeeper freight create`",
	"Promotion":     "what was promoted stands in the ledger",
}

// groupOf is the API group of a kind.
func groupOf(kind string) string {
	if kind == kindAnalysis || kind == kindClusterAnalysis {
		return rolloutsGroup
	}
	return group
}

// read decodes a document and hands it on when it has a usable name that is not taken.
func read[M any](l *loader, doc manifest.Document, all []manifest.Document, then func(object, M)) {
	var meta struct {
		manifest.Envelope
	}
	_ = manifest.DecodeKnown(doc, &meta) // what is wrong with it is reported by the strict reading below
	o := object{doc: doc, kind: meta.Kind, name: meta.Metadata.Name}
	located := l.locate(&o, meta.Metadata, all)
	var m M
	for _, e := range manifest.Errors(manifest.Decode(doc, &m)) {
		l.invalid(o, e)
	}
	if apiVersion := groupOf(o.kind) + "/" + version; meta.APIVersion != apiVersion {
		problem := fmt.Sprintf("apiVersion %q of %s %q is not known", bounded(meta.APIVersion), o.kind, o.name)
		if meta.APIVersion == "" {
			problem = fmt.Sprintf("%s %q has no apiVersion", o.kind, o.name)
		}
		l.fail(o, "apiVersion", "unsupported-version", problem, "write apiVersion: "+apiVersion)
	}
	if located && l.unique(o) {
		then(o, m)
	}
}

// genericSubscription matches the place of a subscription's type that is none of the known ones.
var genericSubscription = regexp.MustCompile(`^spec\.subscriptions\[\d+\]\.(\w+)$`)

// invalid reports what strict decoding found.
func (l *loader) invalid(o object, e *manifest.Error) {
	f := promote.Finding{
		Severity: promote.SeverityError, Code: "invalid-manifest",
		Position: promote.Position{File: e.File, Line: e.Line, Column: e.Column}, Message: e.Problem, Remedy: e.Remedy,
	}
	known := []string{"name", "image", "git", "chart"}
	if match := genericSubscription.FindStringSubmatch(e.Path); o.kind == kindWarehouse && match != nil && !slices.Contains(known, match[1]) {
		if _, near := l.nearest(match[1], known); !near {
			f.Code, f.Message = "unsupported", fmt.Sprintf("there is no generic subscriber %q: Kargo leaves it to extensions what such a subscription finds", bounded(match[1]))
			f.Remedy = "subscribe to an image, git or chart, or let a pipeline make a commit and subscribe to that"
		}
	}
	l.report(o.ref(), f)
}

// maxLabel bounds the names of namespaces and subscriptions.
const maxLabel = 63

var (
	labelName     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	subdomainName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
)

// locate finds the object's project and checks its name. Names become branch and file names, so none that Kubernetes would
// refuse gets past it.
func (l *loader) locate(o *object, meta manifest.Metadata, all []manifest.Document) bool {
	switch o.kind {
	case kindProject:
		o.project = meta.Name
	case kindClusterTask, kindClusterAnalysis:
	default:
		o.project = meta.Namespace
		if o.project == "" && o.kind == kindProjectConfig {
			o.project = meta.Name
		}
		if o.project == "" {
			o.project = soleProject(o.doc.File, all)
		}
	}
	switch {
	case o.name == "":
		l.fail(*o, "metadata", "missing-name", o.kind+" has no metadata.name", "add one")
		return false
	case !subdomainName.MatchString(o.name) || len(o.name) > 253 || strings.HasSuffix(o.name, ".lock"):
		l.fail(*o, "metadata.name", "invalid-name", fmt.Sprintf("name %q of %s is not a name that Kubernetes and Git accept", o.name, o.kind),
			"use lower-case letters, digits and dashes")
		return false
	case o.kind == kindClusterTask || o.kind == kindClusterAnalysis:
		return true
	case o.project == "":
		o.project = "default"
		l.fail(*o, "metadata", "missing-namespace",
			fmt.Sprintf("%s %q has no metadata.namespace, so it belongs to no project", o.kind, o.name), "add namespace: <name of the Project>")
		return false
	case !labelName.MatchString(o.project) || len(o.project) > maxLabel:
		path := "metadata.namespace"
		if o.kind == kindProject {
			path = "metadata.name"
		}
		l.fail(*o, path, "invalid-name", fmt.Sprintf("%q is not a name that a namespace can have", o.project),
			fmt.Sprintf("use lower-case letters, digits and dashes, at most %d", maxLabel))
		return false
	}
	return true
}

// soleProject is the name of the only Project that a file declares.
func soleProject(file string, all []manifest.Document) string {
	name := ""
	for _, doc := range all {
		if doc.File != file || doc.GroupKind() != (manifest.Kind{Group: group, Kind: kindProject}) {
			continue
		}
		_, value := doc.Find("metadata.name")
		if value == nil || name != "" {
			return ""
		}
		name = value.Value
	}
	return name
}

func (l *loader) unique(o object) bool {
	first, twice := l.seen[o.ref()]
	if twice {
		l.fail(o, "metadata.name", "duplicate-name",
			fmt.Sprintf("%s %q of project %q is declared twice, first at %s", o.kind, o.name, o.project, first), "remove or rename one of them")
		return false
	}
	l.seen[o.ref()] = o.position()
	return true
}

func (l *loader) readProject(o object, m projectManifest) {
	p := l.project(o)
	p.declared, p.position = true, o.position()
	for i, one := range m.Spec.PromotionPolicies {
		p.oldPolicies = append(p.oldPolicies, sourced[policy]{o, fmt.Sprintf("spec.promotionPolicies[%d]", i), one})
	}
	if len(m.Spec.PromotionPolicies) > 0 {
		l.warn(o, "spec.promotionPolicies", "deprecated-key", "spec.promotionPolicies of a Project is read by Kargo up to 1.6 only",
			fmt.Sprintf("move the list to a ProjectConfig %q in namespace %q", o.name, o.name))
	}
	if namespace := m.Metadata.Namespace; namespace != "" && namespace != o.name {
		l.warn(o, "metadata.namespace", "project-namespace",
			fmt.Sprintf("Project %q has namespace %q, but its name is what counts: it declares project %q", o.name, namespace, o.name),
			"remove the namespace or rename the Project")
	}
}

func (l *loader) readProjectConfig(o object, m projectConfigManifest) {
	p := l.project(o)
	for i, one := range m.Spec.PromotionPolicies {
		p.policies = append(p.policies, sourced[policy]{o, fmt.Sprintf("spec.promotionPolicies[%d]", i), one})
	}
	if present(m.Spec.PromotionWindows) {
		l.warn(o, "spec.promotionWindows", "not-enforced", "promotionWindows are not enforced", "hold the stages instead with /hold")
	}
	if present(m.Spec.WebhookReceivers) {
		l.warn(o, "spec.webhookReceivers", "no-effect", "webhookReceivers have no effect: no Secret of the cluster is read",
			"name the receivers in registryWebhooks of the server's configuration")
	}
	if present(m.Spec.FreightLinks) {
		l.warn(o, "spec.freightLinks", "no-effect", "freightLinks have no effect: there is no dashboard to show them", "")
	}
	if present(m.Spec.StageLinks) {
		l.warn(o, "spec.stageLinks", "no-effect", "stageLinks have no effect: there is no dashboard to show them", "")
	}
}

// pipeline puts one project together and checks what spans its objects.
func (l *loader) pipeline(p *project) promote.Pipeline {
	out := promote.Pipeline{Project: p.name, Declared: p.declared, Position: p.position}
	if !p.declared && len(p.stages)+len(p.warehouses) > 0 {
		l.report(ref{kind: kindProject, project: p.name, name: p.name}, promote.Finding{
			Severity: promote.SeverityError, Code: "missing-project", Position: p.position,
			Message: fmt.Sprintf("no Project %q is declared. Without a Project nothing is promoted", p.name),
			Remedy:  fmt.Sprintf("add: {apiVersion: %s/%s, kind: Project, metadata: {name: %s}}", group, version, p.name),
		})
	}
	l.recordUsers(p)
	warehouses := make(map[string]promote.Warehouse, len(p.warehouses))
	for _, w := range p.warehouses {
		read := l.warehouse(w.object, w.value)
		warehouses[read.Name] = read
		out.Warehouses = append(out.Warehouses, read)
	}
	plans := make([]plan, len(p.stages))
	for i, s := range p.stages {
		plans[i] = l.stage(s.object, s.value)
		out.Stages = append(out.Stages, plans[i].stage)
	}
	l.checkGraph(p, out)
	for _, plan := range plans {
		l.checkPlan(plan, warehouses)
	}
	l.unusedWarehouses(p)
	out.Policies = l.policies(p)
	return out
}

// unusedWarehouses warns of warehouses whose freight goes nowhere. While a stage is broken nobody knows what it requests.
func (l *loader) unusedWarehouses(p *project) {
	if slices.ContainsFunc(p.stages, func(s sourced[stageManifest]) bool { return l.broken[s.ref()] }) {
		return
	}
	for _, w := range p.warehouses {
		if len(l.users[w.ref()]) == 0 {
			l.warn(w.object, "metadata.name", "unused-warehouse",
				fmt.Sprintf("no Stage of project %q requests freight of Warehouse %q, so what it finds goes nowhere", p.name, w.name),
				"request it in requestedFreight of a Stage, or remove the Warehouse")
		}
	}
}

// recordUsers notes which stages use which warehouses and tasks.
func (l *loader) recordUsers(p *project) {
	for _, s := range p.stages {
		stage := promote.StageRef{Project: p.name, Name: s.name}
		for _, request := range s.value.Spec.RequestedFreight {
			used := ref{kindWarehouse, p.name, request.Origin.Name}
			l.users[used] = append(l.users[used], stage)
		}
		if s.value.Spec.PromotionTemplate == nil {
			continue
		}
		for _, one := range s.value.Spec.PromotionTemplate.Spec.Steps {
			if one.Task != nil {
				used := one.Task.ref(p.name)
				l.users[used] = append(l.users[used], stage)
			}
		}
	}
}
