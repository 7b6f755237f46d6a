package imageupdater

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// Project is the project of every stage that this package makes.
const Project = "image-updater"

const interval = 5 * time.Minute

var (
	applicationKind    = manifest.Kind{Group: "argoproj.io", Kind: "Application"}
	applicationSetKind = manifest.Kind{Group: "argoproj.io", Kind: "ApplicationSet"}
	resourceKind       = manifest.Kind{Group: "argocd-image-updater.argoproj.io", Kind: "ImageUpdater"}
)

// Load reads the Applications among docs, warns of ApplicationSets and ImageUpdaters, and passes over everything else, except for
// what [Files] names: that may stand among docs to be looked into. There is at most one pipeline, and none without an annotated Application. Stages come in the order
// of docs, findings in the order of files and lines. Equal docs give equal results.
//
// The pipeline holds whatever could be understood; a stage with a finding of severity error must not be promoted to.
func Load(docs []manifest.Document) ([]promote.Pipeline, []promote.Finding) {
	l := &loader{
		pipeline: promote.Pipeline{Project: Project, Declared: true}, files: map[string]manifest.Document{}, applications: map[string]int{},
	}
	for _, doc := range docs {
		if _, known := l.files[doc.File]; !known {
			l.files[doc.File] = doc
		}
		if doc.GroupKind() == applicationKind {
			l.applications[doc.File]++
		}
	}
	for _, doc := range docs {
		switch doc.GroupKind() {
		case applicationKind:
			if a, annotated := l.read(doc); annotated {
				l.add(a)
			} else {
				l.skip(a)
			}
		case applicationSetKind:
			l.applicationSet(doc)
		case resourceKind:
			l.resource(doc)
		}
	}
	slices.SortStableFunc(l.findings, compareFindings)
	if len(l.pipeline.Stages) == 0 {
		return nil, l.findings
	}
	return []promote.Pipeline{l.pipeline}, l.findings
}

// Files names the files that say where the versions of the Applications among docs are written. Those that exist belong among
// the documents that Load is given.
func Files(docs []manifest.Document) []string {
	var names []string
	for _, doc := range docs {
		if doc.GroupKind() != applicationKind {
			continue
		}
		a, annotated := (&loader{}).read(doc)
		folder, inside := within(a.source.Path)
		if !annotated || !inside || a.source.Chart != "" {
			continue
		}
		for _, name := range append([]string{sourceFile(a.name), chartFile}, kustomizationFiles...) {
			names = append(names, path.Join(folder, name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// AuthorizedStage is the stage that an Application with these annotations authorizes by them, beside those of its annotation
// kargo.akuity.io/authorized-stage. ok is false when it has no list of images.
func AuthorizedStage(name string, annotations map[string]string) (stage promote.StageRef, ok bool) {
	_, ok = annotations[prefix+imageList]
	return promote.StageRef{Project: Project, Name: name}, ok && usable(name)
}

// loader collects one load.
type loader struct {
	pipeline     promote.Pipeline
	findings     []promote.Finding
	files        map[string]manifest.Document // the first document of each file
	applications map[string]int               // how many each file has
}

// add makes an Application's warehouse, stage and policy.
func (l *loader) add(a *application) {
	defer func() { l.findings = append(l.findings, a.findings...) }()
	if !usable(a.name) {
		a.report(promote.SeverityWarning, a.at, "invalid-name",
			fmt.Sprintf("Application name %q is not a name that Kubernetes and Git accept, so nothing is promoted to it", a.name),
			"use lower-case letters, digits and dashes")
		a.unnamed()
		return
	}
	if other, twice := l.pipeline.Stage(a.name); twice {
		a.report(promote.SeverityError, a.at, "duplicate-name",
			fmt.Sprintf("Application %q is declared twice, first at %s, and both would be stage %s/%s", a.name, other.Position, Project, a.name),
			"remove or rename one of them")
		return
	}
	if l.pipeline.Position.File == "" {
		l.pipeline.Position = a.at
	}
	images := a.images()
	a.checkUnknown(images)
	images = slices.DeleteFunc(images, func(one image) bool { return one.paused })
	if len(images) == 0 && !a.broken() {
		return
	}
	warehouse := promote.Warehouse{Name: a.name, Interval: interval, Position: a.at}
	for _, image := range images {
		warehouse.Images = append(warehouse.Images, image.subscription)
	}
	stage := promote.Stage{
		Name: a.name, Position: a.at, Steps: l.steps(a, images),
		Requests: []promote.FreightRequest{{Warehouse: a.name, Direct: true, Position: a.list().at}},
	}
	// What is selected by a filter that could not be read must not be there when it is corrected.
	warehouse.Manual = a.broken()
	l.pipeline.Warehouses = append(l.pipeline.Warehouses, warehouse)
	l.pipeline.Stages = append(l.pipeline.Stages, stage)
	l.pipeline.Policies = append(l.pipeline.Policies, promote.Policy{Stage: a.name, AutoPromotion: true, Position: a.list().at})
}

// skip says of an Application without a list of images what is strange about that.
func (l *loader) skip(a *application) {
	a.checkUnlisted()
	l.findings = append(l.findings, a.findings...)
}

// applicationSet says what is not done.
func (l *loader) applicationSet(doc manifest.Document) {
	_, annotations := doc.Find("spec.template.metadata.annotations")
	key := firstOfOurs(annotations)
	if key == nil {
		return
	}
	l.findings = append(l.findings, promote.Finding{
		Severity: promote.SeverityWarning, Code: "unsupported", Project: Project, Position: position(doc, key),
		Message: "annotations of Image Updater in an ApplicationSet are not read: the Applications that it makes are not updated",
		Remedy:  "write the Applications out, or declare a Warehouse and a Stage for each",
	})
}

// firstOfOurs is the first key of a mapping that is an annotation of Image Updater, nil when there is none.
func firstOfOurs(annotations *yaml.Node) *yaml.Node {
	if annotations == nil || annotations.Kind != yaml.MappingNode {
		return nil
	}
	for pair := range slices.Chunk(annotations.Content, 2) {
		if strings.HasPrefix(pair[0].Value, prefix) {
			return pair[0]
		}
	}
	return nil
}

var subdomainName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

// usable reports whether a name can be that of a stage, which becomes part of the name of a branch.
func usable(name string) bool {
	return len(name) <= 253 && subdomainName.MatchString(name) && !strings.HasSuffix(name, ".lock")
}

func position(doc manifest.Document, n *yaml.Node) promote.Position {
	return promote.Position{File: doc.File, Line: n.Line, Column: n.Column}
}

func compareFindings(a, b promote.Finding) int {
	return cmp.Or(
		strings.Compare(a.Position.File, b.Position.File),
		cmp.Compare(a.Position.Line, b.Position.Line),
		cmp.Compare(a.Position.Column, b.Position.Column),
		strings.Compare(a.Code, b.Code),
		strings.Compare(a.Message, b.Message),
	)
}
