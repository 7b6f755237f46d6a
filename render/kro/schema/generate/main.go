// Command generate makes the description of Kubernetes' kinds that package schema embeds.
//
// For each version it downloads the published Go module k8s.io/kubernetes, takes the OpenAPI v3 files in it and leaves the
// prose out. What several versions have alike is written once.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	out := flag.String("out", "kubernetes.json.gz", "file to write")
	folders := flag.String("folders", "", "a folder of folders of OpenAPI files, named v1.30.14 and so on; downloaded when empty")
	flag.Parse()
	if err := run(context.Background(), *out, *folders, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

// merged is what is written; package schema reads it.
type merged struct {
	Versions  []string             `json:"versions"`
	Schemas   map[string][]variant `json:"schemas"`
	Resources []resource           `json:"resources"`
}

// variant is a schema, and a bit for each version that has it.
type variant struct {
	In     uint32          `json:"in"`
	Schema json.RawMessage `json:"s"`
}

// resource is how a kind is served, and a bit for each version that serves it so.
type resource struct {
	Group      string `json:"g"`
	Version    string `json:"v"`
	Kind       string `json:"k"`
	Plural     string `json:"r"`
	Namespaced bool   `json:"n"`
	In         uint32 `json:"in"`
}

func run(ctx context.Context, out, folders string, versions []string) error {
	all := merged{Schemas: map[string][]variant{}}
	for i, version := range versions {
		dir := filepath.Join(folders, "v"+version)
		if folders == "" {
			var err error
			if dir, err = download(ctx, version); err != nil {
				return err
			}
		}
		if err := all.add(i, version, dir); err != nil {
			return fmt.Errorf("%s: %w", version, err)
		}
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("zip: %w", err)
	}
	if _, err := w.Write(raw); err != nil {
		return fmt.Errorf("zip: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("zip: %w", err)
	}
	if err := os.WriteFile(out, zipped.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	log.Printf("%d versions, %d schemas, %d kinds, %d bytes", len(versions), len(all.Schemas), len(all.Resources), zipped.Len())
	return nil
}

// download returns the folder of OpenAPI files of a release.
func download(ctx context.Context, version string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", "k8s.io/kubernetes@v"+version)
	raw, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("download %s: %w", version, err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(raw, &module); err != nil {
		return "", fmt.Errorf("download %s: %w", version, err)
	}
	return filepath.Join(module.Dir, "api", "openapi-spec", "v3"), nil
}

// document is the part of an OpenAPI file that is used.
type document struct {
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		Schemas map[string]any `json:"schemas"`
	} `json:"components"`
}

func (m *merged) add(i int, version, dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(names) == 0 {
		return fmt.Errorf("no OpenAPI files in %q: %w", dir, err)
	}
	slices.Sort(names)
	minor := strings.Join(strings.SplitN(version, ".", 3)[:2], ".")
	m.Versions = append(m.Versions, minor)
	schemas, kinds := map[string]any{}, map[resource]bool{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		var doc document
		if err := json.Unmarshal(data, &doc); err != nil {
			return fmt.Errorf("decode %s: %w", name, err)
		}
		maps.Copy(schemas, doc.Components.Schemas)
		kindsOf(doc.Paths, kinds)
	}
	return m.merge(1<<i, schemas, kinds)
}

func (m *merged) merge(bit uint32, schemas map[string]any, kinds map[resource]bool) error {
	for name, schema := range schemas {
		raw, err := json.Marshal(withoutProse(schema))
		if err != nil {
			return fmt.Errorf("encode %s: %w", name, err)
		}
		at := slices.IndexFunc(m.Schemas[name], func(v variant) bool { return bytes.Equal(v.Schema, raw) })
		if at < 0 {
			at = len(m.Schemas[name])
			m.Schemas[name] = append(m.Schemas[name], variant{Schema: raw})
		}
		m.Schemas[name][at].In |= bit
	}
	for kind := range kinds {
		at := slices.IndexFunc(m.Resources, func(r resource) bool { r.In = 0; return r == kind })
		if at < 0 {
			at = len(m.Resources)
			m.Resources = append(m.Resources, kind)
		}
		m.Resources[at].In |= bit
	}
	slices.SortFunc(m.Resources, func(a, b resource) int {
		return strings.Compare(fmt.Sprint(a.Group, "/", a.Version, "/", a.Kind, a.Namespaced), fmt.Sprint(b.Group, "/", b.Version, "/", b.Kind, b.Namespaced))
	})
	return nil
}

// withoutProse removes descriptions, not properties of that name.
func withoutProse(schema any) any {
	m, ok := schema.(map[string]any)
	if !ok {
		return schema
	}
	out := map[string]any{}
	for key, value := range m {
		switch key {
		case "description":
		case "properties":
			properties, _ := value.(map[string]any)
			kept := map[string]any{}
			for name, property := range properties {
				kept[name] = withoutProse(property)
			}
			out[key] = kept
		case "items", "additionalProperties":
			out[key] = withoutProse(value)
		default:
			out[key] = value
		}
	}
	if kinds, ok := out["x-kubernetes-group-version-kind"].([]any); ok && len(kinds) > 1 {
		delete(out, "x-kubernetes-group-version-kind") // such as DeleteOptions, which every group has
	}
	return out
}

var collection = regexp.MustCompile(`^/(?:api/v1|apis/[^/]+/[^/]+)(/namespaces/\{namespace\})?/([a-z]+)$`)

// kindsOf reads from the paths how kinds are served.
func kindsOf(paths map[string]map[string]json.RawMessage, into map[resource]bool) {
	for path, methods := range paths {
		match := collection.FindStringSubmatch(path)
		if match == nil {
			continue
		}
		for _, method := range []string{"get", "post"} {
			var operation struct {
				Kind struct{ Group, Version, Kind string } `json:"x-kubernetes-group-version-kind"`
			}
			if err := json.Unmarshal(methods[method], &operation); err != nil || operation.Kind.Kind == "" {
				continue
			}
			k := operation.Kind
			one := resource{Group: k.Group, Version: k.Version, Kind: k.Kind, Plural: match[2], Namespaced: match[1] != ""}
			everywhere, inside := one, one
			everywhere.Namespaced, inside.Namespaced = false, true
			if one.Namespaced {
				delete(into, everywhere) // its list over all namespaces
			} else if into[inside] {
				continue
			}
			into[one] = true
		}
	}
}
