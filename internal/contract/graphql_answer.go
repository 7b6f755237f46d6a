package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// CheckAnswer says what is wrong with the answer to a request that [Schema.Check] accepts: a field that was asked for and is
// missing, null where the schema has none, an unknown value of an enum, or another type. A field that is null because of an
// entry in errors[] is right.
func (s *Schema) CheckAnswer(request, answer []byte) error {
	var asked struct {
		Query string `json:"query"`
	}
	if err := json.Unmarshal(request, &asked); err != nil {
		return fmt.Errorf("the body is no GraphQL request: %w", err)
	}
	document, found := gqlparser.LoadQueryWithRules(s.schema, asked.Query, rules.NewDefaultRules())
	if len(found) > 0 {
		return found
	}
	if len(document.Operations) != 1 {
		return fmt.Errorf("the query has %d operations, expected one", len(document.Operations))
	}
	var got struct {
		Data   map[string]any    `json:"data"`
		Errors []json.RawMessage `json:"errors"`
	}
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	if err := decoder.Decode(&got); err != nil {
		return fmt.Errorf("the answer is not the expected JSON: %w", err)
	}
	if got.Data == nil && len(got.Errors) > 0 {
		return nil
	}
	check := answerCheck{schema: s.schema, failed: len(got.Errors) > 0}
	return check.selection(document.Operations[0].SelectionSet, got.Data, "data")
}

type answerCheck struct {
	schema *ast.Schema
	failed bool // the answer has errors, so that fields may be null
}

// selection checks an object. Which fragments apply is known by the object's __typename, where that was asked for.
func (a answerCheck) selection(set ast.SelectionSet, object map[string]any, path string) error {
	var problems []error
	for _, selected := range set {
		switch one := selected.(type) {
		case *ast.Field:
			value, present := object[one.Alias]
			if !present && len(one.Directives) == 0 {
				problems = append(problems, fmt.Errorf("%s.%s is missing", path, one.Alias))
			} else if present && one.Definition != nil {
				problems = append(problems, a.value(one, one.Definition.Type, value, path+"."+one.Alias))
			}
		case *ast.InlineFragment:
			if a.applies(one.TypeCondition, one.ObjectDefinition, object) {
				problems = append(problems, a.selection(one.SelectionSet, object, path))
			}
		case *ast.FragmentSpread:
			if one.Definition != nil && a.applies(one.Definition.TypeCondition, one.ObjectDefinition, object) {
				problems = append(problems, a.selection(one.Definition.SelectionSet, object, path))
			}
		}
	}
	return errors.Join(problems...)
}

func (a answerCheck) applies(condition string, parent *ast.Definition, object map[string]any) bool {
	if parent != nil && parent.Name == condition {
		return true
	}
	name, known := object["__typename"].(string)
	return known && name == condition
}

func (a answerCheck) value(field *ast.Field, wanted *ast.Type, value any, path string) error {
	if value == nil {
		if wanted.NonNull && !a.failed {
			return fmt.Errorf("%s is null, the schema has %s", path, wanted)
		}
		return nil
	}
	if wanted.Elem != nil {
		items, ok := value.([]any)
		if !ok {
			return fmt.Errorf("%s is %T, the schema has %s", path, value, wanted)
		}
		var problems []error
		for i, item := range items {
			problems = append(problems, a.value(field, wanted.Elem, item, fmt.Sprintf("%s[%d]", path, i)))
		}
		return errors.Join(problems...)
	}
	definition := a.schema.Types[wanted.NamedType]
	if definition == nil {
		return fmt.Errorf("%s has the unknown type %s", path, wanted)
	}
	switch definition.Kind {
	case ast.Enum:
		if text, ok := value.(string); !ok || definition.EnumValues.ForName(text) == nil {
			return fmt.Errorf("%s is %v, which is no %s", path, value, definition.Name)
		}
		return nil
	case ast.Object, ast.Interface, ast.Union:
		object, ok := value.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is %T, the schema has %s", path, value, wanted)
		}
		if name, named := object["__typename"].(string); named && !a.possible(definition, name) {
			return fmt.Errorf("%s is a %s, the schema has %s", path, name, wanted)
		}
		return a.selection(field.SelectionSet, object, path)
	case ast.Scalar, ast.InputObject:
	}
	return scalar(definition.Name, value, path)
}

func (a answerCheck) possible(definition *ast.Definition, name string) bool {
	for _, one := range a.schema.GetPossibleTypes(definition) {
		if one.Name == name {
			return true
		}
	}
	return false
}

// scalar knows GraphQL's own types; those of an API are text, as far as they are told apart here.
func scalar(name string, value any, path string) error {
	ok := false
	switch name {
	case "Int":
		number, isNumber := value.(json.Number)
		_, err := number.Int64()
		ok = isNumber && err == nil
	case "Float":
		_, ok = value.(json.Number)
	case "Boolean":
		_, ok = value.(bool)
	default:
		_, ok = value.(string)
	}
	if !ok {
		return fmt.Errorf("%s is %v, which is no %s", path, value, name)
	}
	return nil
}
