package kargo

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// documented are the manifests whose every key docs/kargo.md explains.
var documented = []any{
	projectManifest{}, projectConfigManifest{}, warehouseManifest{}, stageManifest{}, taskManifest{},
	analysisManifest{}, webProvider{}, prometheusProvider{},
}

// keysOf lists the keys of a manifest's struct and of those inside it.
func keysOf(t reflect.Type, into map[string]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[yaml.Node]() {
		return
	}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "apiVersion" || name == "kind" || name == "metadata" {
			continue
		}
		if name != "" && name != "-" {
			into[name] = true
		}
		keysOf(field.Type, into)
	}
}

// docs/kargo.md is for people who come from Kargo: nothing that they may have written is missing on it.
func TestEveryFieldAndStepIsDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/kargo.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, manifest := range documented {
		keysOf(reflect.TypeOf(manifest), keys)
	}
	for _, step := range StepKinds() {
		keys[step] = true
	}
	var missing []string
	for key := range keys {
		if !strings.Contains(string(data), "`"+key+"`") {
			missing = append(missing, key)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("docs/kargo.md does not explain: %s", strings.Join(missing, ", "))
	}
}
