package drift

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/diff"
)

// document is one document of a file.
type document struct {
	value any
	index int
	id    identity
}

// identity is what a Kubernetes object is called, zero for another document.
type identity struct{ kind, namespace, name string }

func (i identity) known() bool { return i.kind != "" && i.name != "" }

// documents reads the values of a file.
func documents(name string, data []byte) ([]document, error) {
	docs, err := manifest.Split(name, data)
	if err == nil && slices.ContainsFunc(docs, func(doc manifest.Document) bool { return !hasPlainKeys(doc.Node) }) {
		return nil, errors.New("a key is a map or a list")
	}
	if err != nil {
		var value any
		if !strings.EqualFold(path.Ext(name), ".json") || json.Unmarshal(data, &value) != nil {
			return nil, err
		}
		return []document{{value: value, id: identify(value)}}, nil // JSON that is indented with tabs is no YAML
	}
	out := make([]document, len(docs))
	for i, doc := range docs {
		value := manifest.Free(doc.Node)
		out[i] = document{value: value, index: i, id: identify(value)}
	}
	return out, nil
}

// hasPlainKeys reports whether all keys are scalars. Others are what is left of a template: x: {{ .Values.x }} is YAML too.
func hasPlainKeys(n *yaml.Node) bool {
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && child.Kind != yaml.ScalarNode || !hasPlainKeys(child) {
			return false
		}
	}
	return true
}

func identify(value any) identity {
	fields, _ := value.(map[string]any)
	metadata, _ := fields["metadata"].(map[string]any)
	kind, _ := fields["kind"].(string)
	namespace, _ := metadata["namespace"].(string)
	name, _ := metadata["name"].(string)
	return identity{kind, namespace, name}
}

// documentPair is one document in both files; one of them is nil when only the other file has it.
type documentPair struct{ base, head *document }

// label says which document of its file it is.
func (p documentPair) label() string {
	doc := p.base
	if doc == nil {
		doc = p.head
	}
	if !doc.id.known() {
		return fmt.Sprintf("document %d", doc.index+1)
	}
	if doc.id.namespace == "" {
		return diff.Mask(doc.id.kind + " " + doc.id.name)
	}
	return diff.Mask(doc.id.kind + " " + doc.id.namespace + "/" + doc.id.name)
}

// pairDocuments pairs documents by what they are called, in full first and then by ever less of it as long as that is
// unmistakable: environments differ in their namespaces and, often, their names. Documents that have no name are paired by
// their place among their like.
func pairDocuments(base, head []document) []documentPair {
	if len(base) == 1 && len(head) == 1 {
		return []documentPair{{&base[0], &head[0]}}
	}
	partner := make([]int, len(base)) // 1 + the index in head
	taken := make([]bool, len(head))
	for _, key := range []func(document) string{
		func(d document) string { return named(d, d.id.kind, d.id.namespace, d.id.name) },
		func(d document) string { return named(d, d.id.kind, d.id.name) },
		func(d document) string { return named(d, d.id.kind) },
	} {
		inBase, inHead := unique(base, func(i int) bool { return partner[i] > 0 }, key), unique(head, func(i int) bool { return taken[i] }, key)
		for text, i := range inBase {
			if j, ok := inHead[text]; ok && i >= 0 && j >= 0 {
				partner[i], taken[j] = j+1, true
			}
		}
	}
	byPlace(base, head, partner, taken)
	var pairs []documentPair
	for i := range base {
		if partner[i] > 0 {
			pairs = append(pairs, documentPair{&base[i], &head[partner[i]-1]})
		} else {
			pairs = append(pairs, documentPair{base: &base[i]})
		}
	}
	for j := range head {
		if !taken[j] {
			pairs = append(pairs, documentPair{head: &head[j]})
		}
	}
	return pairs
}

// named joins what a document is called, "" for one without a name.
func named(d document, parts ...string) string {
	if !d.id.known() {
		return ""
	}
	return strings.Join(parts, "\x00")
}

// unique returns the index of every key that one document has, and -1 for those that several have.
func unique(docs []document, skip func(int) bool, key func(document) string) map[string]int {
	at := map[string]int{}
	for i, doc := range docs {
		text := key(doc)
		if text == "" || skip(i) {
			continue
		}
		if _, twice := at[text]; twice {
			at[text] = -1
		} else {
			at[text] = i
		}
	}
	return at
}

// byPlace pairs the documents that have no name, and those that have the same in full, in their order.
func byPlace(base, head []document, partner []int, taken []bool) {
	waiting := map[identity][]int{}
	like := func(d document) identity {
		if d.id.known() {
			return d.id
		}
		return identity{}
	}
	for j, doc := range head {
		if !taken[j] {
			waiting[like(doc)] = append(waiting[like(doc)], j)
		}
	}
	for i, doc := range base {
		if queue := waiting[like(doc)]; partner[i] == 0 && len(queue) > 0 {
			partner[i], taken[queue[0]] = queue[0]+1, true
			waiting[like(doc)] = queue[1:]
		}
	}
}
