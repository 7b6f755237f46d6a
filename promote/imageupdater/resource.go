package imageupdater

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// resourceManifest is what counts of an ImageUpdater.
type resourceManifest struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Applications []resourceApplications `json:"applicationRefs"`
	} `json:"spec"`
}

// resourceApplications are the Applications of one entry, and their images.
type resourceApplications struct {
	NamePattern    string          `json:"namePattern"`
	UseAnnotations bool            `json:"useAnnotations"`
	Images         []resourceImage `json:"images"`
}

type resourceImage struct {
	Alias     string `json:"alias"`
	ImageName string `json:"imageName"`
}

// resource says of every entry of an ImageUpdater which annotations to write instead.
func (l *loader) resource(doc manifest.Document) {
	var m resourceManifest
	_ = manifest.DecodeKnown(doc, &m) // what cannot be read is not suggested
	name := m.Metadata.Name
	report := func(path, message, remedy string) {
		at := doc.Node
		if key, _ := doc.Find(path); key != nil {
			at = key
		}
		l.findings = append(l.findings, promote.Finding{
			Severity: promote.SeverityWarning, Code: "not-read", Project: Project, Position: position(doc, at),
			Message: clip(fmt.Sprintf("ImageUpdater %q is not read: %s", name, message)), Remedy: clip(remedy),
		})
	}
	if len(m.Spec.Applications) == 0 {
		report("kind", "annotations of the Applications are", "write "+prefix+imageList+" into each Application that is to be updated, and remove it")
	}
	for i, one := range m.Spec.Applications {
		path, which := fmt.Sprintf("spec.applicationRefs[%d]", i), fmt.Sprintf("Applications that match %q", cmp.Or(one.NamePattern, "*"))
		if one.UseAnnotations {
			report(path, "the annotations of "+which+", which it tells to use, are", "remove it together with Image Updater")
			continue
		}
		report(path, which+" are not updated by it", fmt.Sprintf("write %s%s: %s into each of them; its other settings are annotations too",
			prefix, imageList, one.list()))
	}
}

// list is what the annotation says that gives an Application these images.
func (r resourceApplications) list() string {
	items := make([]string, 0, len(r.Images))
	for _, one := range r.Images {
		item := one.ImageName
		if one.Alias != "" {
			item = one.Alias + "=" + item
		}
		items = append(items, item)
	}
	return cmp.Or(strings.Join(items, ","), "[alias=]repository[:constraint]")
}
