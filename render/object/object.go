// Package object holds the one shape in which every renderer hands over Kubernetes objects and every reader takes them.
//
// It owns the identity of an object and where it came from. It does not read files, render or compare.
package object

import "strings"

// Object is one Kubernetes object as it would be sent to the cluster.
//
// Fields is the whole object as JSON values: map[string]any, []any, string, bool, int64, float64 and nil.
// An Object is not changed after it was handed over; who wants to change one copies it first.
type Object struct {
	Fields map[string]any
	Source Source
	// Unknown lists the paths (dotted, list indices in brackets) whose value only the cluster can compute. The value at
	// such a path is a placeholder text that begins with [UnknownPrefix].
	Unknown []string
}

// UnknownPrefix begins the placeholder of a value that only the cluster knows.
const UnknownPrefix = "⟨known after deploy"

// Source says where an object comes from.
type Source struct {
	File string // path in the repository, "" when there is none
	Line int    // 1-based line of the document in File, 0 when unknown
	Via  string // how it was made from File, such as "kro FrontendAppV2/deploy"; "" when it stands there as it is
}

// ID is what makes two objects of two renders the same object.
type ID struct {
	Group     string // API group, "" for the core group
	Kind      string
	Namespace string // "" for a cluster-scoped object
	Name      string
}

// String prints the ID for people: "Deployment develop/frontend", with the group in front only where it helps nobody
// to leave it out (custom resources): "kro.run/FrontendAppV2 develop/frontend".
func (id ID) String() string {
	var b strings.Builder
	if strings.Contains(id.Group, ".") {
		b.WriteString(id.Group)
		b.WriteByte('/')
	}
	b.WriteString(id.Kind)
	b.WriteByte(' ')
	if id.Namespace != "" {
		b.WriteString(id.Namespace)
		b.WriteByte('/')
	}
	b.WriteString(id.Name)
	return b.String()
}

// Compare orders IDs by kind, group, namespace and name.
func (id ID) Compare(other ID) int {
	for _, pair := range [...][2]string{
		{id.Kind, other.Kind}, {id.Group, other.Group}, {id.Namespace, other.Namespace}, {id.Name, other.Name},
	} {
		if c := strings.Compare(pair[0], pair[1]); c != 0 {
			return c
		}
	}
	return 0
}

// ID returns the identity of o. Missing or mistyped parts are empty.
func (o Object) ID() ID {
	group, _, found := strings.Cut(o.APIVersion(), "/")
	if !found {
		group = ""
	}
	return ID{Group: group, Kind: o.Kind(), Namespace: o.meta("namespace"), Name: o.meta("name")}
}

// APIVersion returns the apiVersion field, "" when there is none.
func (o Object) APIVersion() string { return text(o.Fields, "apiVersion") }

// Kind returns the kind field, "" when there is none.
func (o Object) Kind() string { return text(o.Fields, "kind") }

func (o Object) meta(key string) string {
	metadata, _ := o.Fields["metadata"].(map[string]any)
	return text(metadata, key)
}

func text(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

// Size is about how many bytes an object holds in memory, for those who remember many.
func (o Object) Size() int {
	return size(o.Fields) + len(o.Source.File) + len(o.Source.Via)
}

func size(v any) int {
	const header = 16 // of an interface, and of a text beside its bytes
	switch v := v.(type) {
	case string:
		return header + len(v)
	case map[string]any:
		total := 3 * header
		for key, item := range v {
			total += 2*header + len(key) + size(item)
		}
		return total
	case []any:
		total := 2 * header
		for _, item := range v {
			total += size(item)
		}
		return total
	default:
		return header
	}
}

// Copy returns a deep copy of o's fields, for those who want to change them.
func (o Object) Copy() Object {
	o.Fields, _ = copyValue(o.Fields).(map[string]any)
	return o
}

func copyValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v == nil {
			return map[string]any(nil)
		}
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = copyValue(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = copyValue(item)
		}
		return out
	default:
		return v
	}
}
