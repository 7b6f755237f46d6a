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

// page is where people who come from Kargo find what is the same and what is not.
const page = "../../docs/kargo.md"

// pageSections are the headings of the page's tables of fields, and what each has a row for every key of.
var pageSections = map[string]reflect.Type{
	"Project":             reflect.TypeFor[projectManifest](),
	"ProjectConfig":       reflect.TypeFor[projectConfigManifest](),
	"Promotion policy":    reflect.TypeFor[policy](),
	"Warehouse":           reflect.TypeFor[warehouseManifest](),
	"Stage":               reflect.TypeFor[stageManifest](),
	"PromotionTask":       reflect.TypeFor[taskManifest](),
	"Step":                reflect.TypeFor[step](),
	"Variable":            reflect.TypeFor[variable](),
	"AnalysisTemplate":    reflect.TypeFor[analysisManifest](),
	"Provider web":        reflect.TypeFor[webProvider](),
	"Provider prometheus": reflect.TypeFor[prometheusProvider](),
}

func TestPageHasARowForEveryField(t *testing.T) {
	for heading, section := range pageSections {
		rows := pageRows(t, heading)
		for _, key := range fieldsOf(section, "", true) {
			if _, ok := rows[key]; !ok {
				t.Errorf("%s: section %q has no row for `%s`", page, heading, key)
			}
			delete(rows, key)
		}
		for key := range rows {
			t.Errorf("%s: section %q has a row for `%s`, which no manifest has", page, heading, key)
		}
	}
}

func TestPageHasARowForEveryStep(t *testing.T) {
	rows := pageRows(t, "Steps")
	for _, kind := range StepKinds() {
		row, ok := rows[kind]
		if !ok {
			t.Errorf("%s: section \"Steps\" has no row for `%s`", page, kind)
		}
		for _, key := range troubles(stepSchemas[kind]) {
			if !strings.Contains(row, "`"+key+"`") {
				t.Errorf("%s: the row of `%s` does not tell of its key `%s`", page, kind, key)
			}
		}
		delete(rows, kind)
	}
	for kind := range rows {
		t.Errorf("%s: section \"Steps\" has a row for `%s`, which is no step", page, kind)
	}
	others := pageRows(t, "Steps that only Kargo has")
	if missing := missingFrom(others, otherSteps); len(missing) > 0 {
		t.Errorf("%s: section \"Steps that only Kargo has\" has no row for %v", page, missing)
	}
}

func TestPageHasARowForEveryProvider(t *testing.T) {
	rows := pageRows(t, "Providers")
	if missing := missingFrom(rows, providers); len(missing) > 0 {
		t.Errorf("%s: section \"Providers\" has no row for %v", page, missing)
	}
}

func missingFrom(rows map[string]string, wanted map[string]string) []string {
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if _, ok := rows[name]; !ok {
			missing = append(missing, name)
		}
	}
	return missing
}

// troubles lists the keys of a configuration that are refused or should go.
func troubles(s schema) []string {
	var out []string
	for _, k := range s.keys {
		if k.refused != "" || k.old != "" {
			out = append(out, k.name)
		}
		if k.inner != nil {
			out = append(out, troubles(*k.inner)...)
		}
	}
	return out
}

// pageRows are the rows of the table under a heading, by the keys in backticks that their first cell names.
func pageRows(t *testing.T, heading string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(data), "# "+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", page, heading)
	}
	section, _, _ = strings.Cut(section, "\n#")
	rows := map[string]string{}
	for line := range strings.Lines(section) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), " | ")
		for i, key := range strings.Split(cell, "`") {
			if strings.HasPrefix(line, "|") && i%2 == 1 {
				rows[key] = line
			}
		}
	}
	return rows
}

// fieldsOf lists the keys that a struct decodes, down to those that have a section of their own.
func fieldsOf(of reflect.Type, path string, root bool) []string {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		if of.Kind() == reflect.Slice {
			path += "[]"
		}
		of = of.Elem()
	}
	ownSection := !root && slices.Contains(slices.Collect(maps.Values(pageSections)), of)
	if of.Kind() != reflect.Struct || of == reflect.TypeFor[yaml.Node]() || ownSection {
		return []string{path}
	}
	var out []string
	for field := range of.Fields() {
		switch {
		case field.Type == reflect.TypeFor[manifest.Envelope]():
		case field.Anonymous:
			out = append(out, fieldsOf(field.Type, path, true)...)
		default:
			key := strings.Trim(strings.TrimPrefix(path+".", "spec.")+field.Tag.Get("json"), ".")
			out = append(out, fieldsOf(field.Type, key, false)...)
		}
	}
	return out
}
