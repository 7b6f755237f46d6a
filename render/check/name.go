package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation"
	content "k8s.io/apimachinery/pkg/util/validation"

	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// pathNames are the kinds that may be called whatever can stand in a URL, such as system:node
// (rest.ValidatePathSegmentName in k8s.io/kubernetes/pkg/registry and the Validate*Name functions of pkg/apis).
var pathNames = map[string]bool{
	"rbac.authorization.k8s.io/Role": true, "rbac.authorization.k8s.io/ClusterRole": true,
	"rbac.authorization.k8s.io/RoleBinding": true, "rbac.authorization.k8s.io/ClusterRoleBinding": true,
	"certificates.k8s.io/ClusterTrustBundle": true, "networking.k8s.io/IPAddress": true, "apiregistration.k8s.io/APIService": true,
	"internal.apiserver.k8s.io/StorageVersion": true,
}

// nameless are the groups whose objects are questions to the API server, which it does not keep.
var nameless = map[string]bool{"authentication.k8s.io": true, "authorization.k8s.io": true}

// identity checks the name of an object and, where no schema was gone through, its metadata. schemaName is that of its schema;
// known says that the cluster keeps objects of its kind, which all have names.
func (r *run) identity(o object.Object, schemaName string, known bool) []problem {
	id := o.ID()
	metadata, ok := o.Fields["metadata"].(map[string]any)
	var found []problem
	if schemaName == "" { // metadata has the same fields in every kind
		w := &walk{set: r.target.set, newer: r.target.newer}
		w.value(Path{{Key: "metadata"}}, o.Fields["metadata"], w.set.Definition(objectMeta), objectMeta)
		found = w.found
	}
	if !ok && o.Fields["metadata"] != nil {
		return found
	}
	if isUnknown(id.Name) || nameless[id.Group] || id.Group == "" && id.Kind == "Binding" {
		return found
	}
	prefix, _ := metadata["generateName"].(string)
	if _, isText := metadata["name"].(string); metadata["name"] != nil && !isText {
		return found
	}
	at := Path{{Key: "metadata"}, {Key: "name"}}
	if id.Name == "" {
		if prefix == "" && known {
			found = append(found, problem{finding.Error, CodeName, "it has no name: the API server refuses it", "add metadata.name", at[:1]})
		}
		return found
	}
	for _, wrong := range r.nameErrors(id)(id.Name, false) {
		found = append(found, problem{finding.Error, CodeName, fmt.Sprintf("%q is no name for it: %s", id.Name, plainRule(wrong)), "correct metadata.name", at})
	}
	return found
}

func (r *run) nameErrors(id object.ID) validation.ValidateNameFunc {
	switch kind := id.Group + "/" + id.Kind; {
	case pathNames[kind]:
		return pathName
	case kind == "/Namespace":
		return validation.ValidateNamespaceName
	case kind == "/Service" && r.target.known && r.target.minor < 34: // names that begin with a digit came with 1.34
		return validation.NameIsDNS1035Label
	case kind == "/Service":
		return validation.NameIsDNSLabel
	}
	return validation.NameIsDNSSubdomain
}

// pathName is what a name must be like to stand in a URL.
func pathName(name string, _ bool) []string {
	if name == "." || name == ".." || strings.ContainsAny(name, "/%") {
		return []string{"must be neither . nor .., and have no / or %"}
	}
	return nil
}

// plainRule shortens what Kubernetes' libraries say about names: the regular expression says nothing to people.
func plainRule(text string) string {
	if i := strings.Index(text, " (e.g."); i > 0 {
		text = text[:i]
	}
	return strings.TrimSpace(text)
}

// labelsAndNotes checks the labels and annotations of an object's, or a template's, metadata.
func labelsAndNotes(at Path, metadata map[string]any) []problem {
	var found []problem
	report := func(key, name, wrong string) {
		found = append(found, problem{
			finding.Error, CodeName, fmt.Sprintf("%s %q is refused by the API server: %s", strings.TrimSuffix(key, "s"), name, plainRule(wrong)),
			"correct it", at.key(key).key(name),
		})
	}
	own, _ := metadata["labels"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(own)) {
		for _, wrong := range content.IsQualifiedName(name) {
			report("labels", name, wrong)
		}
		if value, ok := own[name].(string); ok && !isUnknown(value) {
			for _, wrong := range content.IsValidLabelValue(value) {
				report("labels", name, "its value "+strings.TrimPrefix(wrong, "a valid label "))
			}
		}
	}
	notes, _ := metadata["annotations"].(map[string]any)
	size := 0
	for _, name := range slices.Sorted(maps.Keys(notes)) {
		for _, wrong := range content.IsQualifiedName(strings.ToLower(name)) {
			report("annotations", name, wrong)
		}
		value, _ := notes[name].(string)
		size += len(name) + len(value)
	}
	if size > validation.TotalAnnotationSizeLimitB {
		found = append(found, problem{
			finding.Error, CodeValue, fmt.Sprintf("its annotations have %d bytes: the API server refuses more than %d", size, validation.TotalAnnotationSizeLimitB),
			"move the content into a ConfigMap", at.key("annotations"),
		})
	}
	return found
}
