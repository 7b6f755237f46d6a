package directory

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// Parse turns the text of manifests, such as what a chart makes, into objects. Name is for messages and their Source.
func Parse(name string, data []byte) ([]object.Object, error) {
	docs, err := manifest.Separate(name, data)
	if err != nil {
		return nil, err
	}
	var objects []object.Object
	for _, doc := range docs {
		fields, err := Fields(doc)
		if err != nil {
			return nil, err
		}
		if fields != nil {
			objects = flatten(objects, fields, object.Source{File: name, Line: firstLine(doc)})
		}
	}
	return objects, nil
}

// parse turns one file into objects. A YAML file that is no manifest at all is passed over: one that cannot be read and
// neither has a readable document before nor mentions apiVersion, kind and metadata.
func parse(name string, data []byte) ([]object.Object, error) {
	if strings.HasSuffix(name, ".json") {
		return parseJSON(name, data)
	}
	docs, err := manifest.Separate(name, data)
	if err != nil {
		return nil, err
	}
	var objects []object.Object
	for _, doc := range docs {
		fields, err := Fields(doc)
		if err != nil {
			if len(objects) == 0 && !looksLikeManifest(data) {
				return nil, nil
			}
			return objects, err
		}
		if fields != nil {
			objects = flatten(objects, fields, object.Source{File: name, Line: firstLine(doc)})
		}
	}
	return objects, nil
}

func looksLikeManifest(data []byte) bool {
	for _, key := range []string{"apiVersion:", "kind:", "metadata:"} {
		if !bytes.Contains(data, []byte(key)) {
			return false
		}
	}
	return true
}

func parseJSON(name string, data []byte) ([]object.Object, error) {
	decoder := stdjson.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	var raw stdjson.RawMessage
	if err := decoder.Decode(&raw); err != nil {
		return nil, &manifest.Error{File: name, Problem: fmt.Sprintf("not JSON: %v", err), Cause: err}
	}
	if decoder.More() {
		return nil, &manifest.Error{File: name, Problem: "holds several JSON objects; Argo CD takes only one per JSON file", Remedy: "use one file per object, or YAML"}
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, &manifest.Error{File: name, Problem: fmt.Sprintf("not an object: %v", err), Cause: err}
	}
	if kind, _ := fields["kind"].(string); kind == "" {
		return nil, &manifest.Error{File: name, Problem: "the object has no kind", Remedy: "add one, or exclude the file"}
	}
	return flatten(nil, fields, object.Source{File: name, Line: 1}), nil
}

var yamlLine = regexp.MustCompile(`yaml: line (\d+): `)

// Fields reads one document the way the API server does: YAML 1.1, whole numbers as int64. It returns nil for a document
// without a value, and an error for one that is not an object with a kind.
func Fields(doc manifest.Document) (map[string]any, error) {
	line := firstLine(doc)
	raw, err := yaml.YAMLToJSON(doc.Raw)
	if err != nil {
		text := err.Error()
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			if n, convErr := strconv.Atoi(m[1]); convErr == nil {
				line = doc.Line + n - 1
			}
			text = strings.Replace(text, m[0], "", 1)
		}
		text = strings.TrimPrefix(text, "yaml: ")
		return nil, &manifest.Error{File: doc.File, Line: line, Problem: "not YAML: " + text, Cause: err}
	}
	if string(raw) == "null" {
		return nil, nil
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, &manifest.Error{File: doc.File, Line: line, Problem: "the document is not a Kubernetes object", Cause: err}
	}
	if kind, _ := fields["kind"].(string); kind == "" {
		return nil, &manifest.Error{File: doc.File, Line: line, Problem: "the object has no kind", Remedy: "add one, or exclude the file"}
	}
	return fields, nil
}

// firstLine is the line on which a document's content begins, behind blank lines and comments.
func firstLine(doc manifest.Document) int {
	line := doc.Line
	for text := range bytes.Lines(doc.Raw) {
		text = bytes.TrimSpace(text)
		if len(text) > 0 && text[0] != '#' && !bytes.HasPrefix(text, []byte("---")) {
			return line
		}
		line++
	}
	return doc.Line
}

// flatten appends an object, or the items of a list object. A list without items is dropped.
func flatten(objects []object.Object, fields map[string]any, source object.Source) []object.Object {
	items, has := fields["items"]
	if kind, _ := fields["kind"].(string); has && items == nil && strings.HasSuffix(kind, "List") {
		return objects
	}
	list, isList := items.([]any)
	if !isList {
		return append(objects, object.Object{Fields: fields, Source: source})
	}
	for _, item := range list {
		if inner, ok := item.(map[string]any); ok {
			objects = append(objects, object.Object{Fields: inner, Source: source})
		}
	}
	return objects
}
