package kargo

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// page is for people who come from Kargo: nothing that they may have written is missing on it.
const page = "../../docs/kargo.md"

// oldSpellings is the section of the page for keys that newer versions of Kargo have dropped.
const oldSpellings = "## Old spellings that are accepted with a warning"

// documented are the sections of the page, and the manifests whose every key each explains.
var documented = map[string][]any{
	"## Warehouse":                          {warehouseManifest{}},
	"### Image subscription":                {imageSubscription{}},
	"### Git subscription":                  {gitSubscription{}},
	"### Chart subscription":                {chartSubscription{}},
	"## Stage":                              {stageManifest{}, step{}},
	"## PromotionTask/ClusterPromotionTask": {taskManifest{}},
	"## Project/ProjectConfig":              {projectManifest{}, projectConfigManifest{}},
	"## AnalysisTemplate (verification)":    {verification{}, analysisManifest{}, webProvider{}, prometheusProvider{}},
}

// elsewhere are the structs that are explained in a section of their own.
var elsewhere = []reflect.Type{
	reflect.TypeFor[imageSubscription](), reflect.TypeFor[gitSubscription](), reflect.TypeFor[chartSubscription](),
	reflect.TypeFor[verification](), reflect.TypeFor[step](), reflect.TypeFor[yaml.Node](),
}

func TestEveryFieldIsDocumented(t *testing.T) {
	old := pageSection(t, oldSpellings)
	for heading, manifests := range documented {
		section := pageSection(t, heading)
		keys := map[string]bool{}
		for _, one := range manifests {
			keysOf(reflect.TypeOf(one), keys)
		}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			if !explains(section, key) && !explains(old, key) {
				t.Errorf("%s, section %q: no word of `%s`", page, heading, key)
			}
		}
	}
}

func TestEveryStepIsDocumented(t *testing.T) {
	section, old := pageSection(t, "## Steps"), pageSection(t, oldSpellings)
	rows := map[string]string{}
	for line := range strings.Lines(section) {
		if name, rest, found := strings.Cut(strings.TrimPrefix(line, "| `"), "` |"); found && strings.HasPrefix(line, "| `") {
			rows[name] = rest
		}
	}
	for _, kind := range StepKinds() {
		row, ok := rows[kind]
		if !ok {
			t.Errorf("%s: no row for step `%s`", page, kind)
		}
		for _, key := range troubles(stepSchemas[kind]) {
			if !strings.Contains(row, key) && !explains(old, key) {
				t.Errorf("%s: the row of step `%s` does not tell of its key %s", page, kind, key)
			}
		}
		delete(rows, kind)
	}
	for name := range rows {
		t.Errorf("%s: a row for `%s`, which is no step", page, name)
	}
	for _, kind := range slices.Sorted(maps.Keys(otherSteps)) {
		if !strings.Contains(section, kind) {
			t.Errorf("%s: no word of step %s, which only Kargo has", page, kind)
		}
	}
}

func TestEveryProviderIsDocumented(t *testing.T) {
	section := pageSection(t, "## AnalysisTemplate (verification)")
	for _, name := range slices.Sorted(maps.Keys(providers)) {
		if !explains(section, name) {
			t.Errorf("%s: no word of provider `%s`", page, name)
		}
	}
}

// keysOf lists the keys of a manifest's struct and of those inside it that have no section of their own.
func keysOf(t reflect.Type, into map[string]bool) {
	t = element(t)
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[yaml.Node]() {
		return
	}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Type == reflect.TypeFor[manifest.Envelope]() {
			continue
		}
		if name != "" && name != "spec" {
			into[name] = true
		}
		if !slices.Contains(elsewhere, element(field.Type)) {
			keysOf(field.Type, into)
		}
	}
}

// element is what a list or pointer holds.
func element(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t
}

// troubles lists the keys of a step's configuration that are refused, have no effect or should go.
func troubles(s schema) []string {
	var out []string
	for _, k := range s.keys {
		if k.refused != "" || k.old != "" || k.idle != "" {
			out = append(out, k.name)
		}
		if k.inner != nil {
			out = append(out, troubles(*k.inner)...)
		}
	}
	return out
}

func explains(section, key string) bool { return strings.Contains(section, "`"+key+"`") }

// pageSection is what stands below a heading, up to the next one.
func pageSection(t *testing.T, heading string) string {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(data), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", page, heading)
	}
	section, _, _ = strings.Cut(section, "\n#")
	return section
}
