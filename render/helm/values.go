package helm

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/strvals"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// merged combines what the request sets, later over earlier.
func merged(files []ValuesFile, set []SetValue) (map[string]any, error) {
	values := map[string]any{}
	for _, file := range files {
		if _, err := manifest.Split(file.Name, file.Data); err != nil {
			return nil, err
		}
		more, err := loader.LoadValues(bytes.NewReader(file.Data))
		if err != nil {
			return nil, &manifest.Error{File: file.Name, Problem: "is not a file of values: " + excerpt(err.Error()), Remedy: "write a mapping"}
		}
		values = loader.MergeMaps(values, more)
	}
	for _, v := range set {
		if err := v.into(values); err != nil {
			// Neither the value nor the parser's excerpt of it is shown: it may be a secret.
			return nil, &manifest.Error{Problem: fmt.Sprintf("the value of %q cannot be set", v.Key), Remedy: "escape commas and braces in it with a backslash, or make it literal", Cause: err}
		}
	}
	return values, nil
}

func (v SetValue) into(values map[string]any) error {
	text := v.Key + "=" + v.Value
	switch {
	case v.File:
		return strvals.ParseIntoFile(v.Key+"=file", values, func([]rune) (any, error) { return v.Value, nil })
	case v.Literal:
		return strvals.ParseLiteralInto(text, values)
	case v.Text:
		return strvals.ParseIntoString(text, values)
	}
	return strvals.ParseInto(text, values)
}

// validate holds the values against the schemas of the chart and of its subcharts.
func validate(c *chart.Chart, values any) error {
	table, ok := asTable(values)
	if !ok {
		return &manifest.Error{File: c.ChartFullPath() + "/values.yaml", Problem: "the values are not a mapping"}
	}
	if c.Schema != nil {
		if err := validateOne(c, table); err != nil {
			return err
		}
	}
	for _, subchart := range c.Dependencies() {
		if below, exists := table[subchart.Name()]; exists && below != nil {
			if err := validate(subchart, below); err != nil {
				return err
			}
		}
	}
	return nil
}

func asTable(values any) (map[string]any, bool) {
	if typed, ok := values.(common.Values); ok {
		return typed, true
	}
	table, ok := values.(map[string]any)
	return table, ok
}

// schemaName is where the schema is for its own references.
const schemaName = "chart:///values.schema.json"

func validateOne(c *chart.Chart, values map[string]any) (err error) {
	file := c.ChartFullPath() + "/values.schema.json"
	broken := func(err error) error {
		return &manifest.Error{File: file, Problem: "is not a JSON schema: " + excerpt(err.Error()), Cause: err}
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(c.Schema))
	if err != nil {
		return broken(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(closed{})
	if err := compiler.AddResource(schemaName, parsed); err != nil {
		return broken(err)
	}
	compiled, err := compiler.Compile(schemaName)
	if err != nil {
		return broken(err)
	}
	if err := compiled.Validate(values); err != nil {
		text := strings.ReplaceAll(err.Error(), schemaName, "values.schema.json")
		return &manifest.Error{File: file, Problem: "the values do not fit the schema: " + excerpt(strings.Join(strings.Fields(text), " ")), Cause: err}
	}
	return nil
}

// closed lets a schema refer to itself and, as Helm does, to names that nobody resolves.
type closed struct{}

// Load refuses what would have to be fetched.
func (closed) Load(address string) (any, error) {
	if strings.HasPrefix(address, "urn:") {
		return true, nil
	}
	return nil, fmt.Errorf("it refers to %q, and schemas are not fetched", excerpt(address))
}
