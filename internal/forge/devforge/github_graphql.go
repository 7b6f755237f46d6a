package devforge

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// The GraphQL API: a query is parsed and its selection executed over objects whose fields are values or functions. It is not
// checked against a schema here; a field that is not known is refused.

// lazy is a field that takes arguments, or costs something.
type lazy func(arguments) (any, error)

type arguments map[string]any

func (a arguments) text(name string) string {
	s, _ := a[name].(string)
	return s
}

func (a arguments) number(name string) (int, bool) {
	switch n := a[name].(type) {
	case int64:
		return int(n), true
	case float64:
		return int(n), true
	}
	return 0, false
}

func (a arguments) list(name string) []string {
	if one, ok := a[name].(string); ok {
		return []string{one} // a single value stands for a list of one
	}
	items, _ := a[name].([]any)
	var texts []string
	for _, item := range items {
		if s, ok := item.(string); ok {
			texts = append(texts, s)
		}
	}
	return texts
}

// input is the argument of a mutation.
func (a arguments) input() arguments {
	in, _ := a["input"].(map[string]any)
	return in
}

// graphError is an entry of errors[]; the answer is 200 all the same.
type graphError struct {
	Type      string       `json:"type,omitempty"`
	Path      []any        `json:"path,omitempty"`
	Locations []graphPlace `json:"locations,omitempty"`
	Message   string       `json:"message"`
}

type graphPlace struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

func (e *graphError) Error() string { return e.Message }

func unprocessable(format string, args ...any) error {
	return &graphError{Type: "UNPROCESSABLE", Message: fmt.Sprintf(format, args...)}
}

// execution is one operation under way.
type execution struct {
	call      *githubCall
	variables map[string]any
	fragments ast.FragmentDefinitionList
	errors    []*graphError
	steps     int // fields and fragments so far
}

// The bounds of a query. Depth and steps end fragments that hold themselves, once or many times.
const (
	maxQueryTokens = 10_000
	maxQueryDepth  = 30
	maxQuerySteps  = 500_000
)

func graphQL(c *githubCall) (reply, error) {
	var asked struct {
		Query     string         `json:"query"`
		Operation string         `json:"operationName"`
		Variables map[string]any `json:"variables"`
	}
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	document, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: asked.Query}, maxQueryTokens)
	if err != nil {
		return reply{body: object{"errors": []object{{"message": "Parse error: " + err.Error()}}}}, nil
	}
	operation := document.Operations.ForName(asked.Operation)
	if operation == nil {
		return reply{body: object{"errors": []object{{"message": "No operation found"}}}}, nil
	}
	x := &execution{call: c, variables: map[string]any{}, fragments: document.Fragments}
	for _, variable := range operation.VariableDefinitions {
		value, given := asked.Variables[variable.Variable]
		switch {
		case given:
			x.variables[variable.Variable] = value
		case variable.DefaultValue != nil:
			x.variables[variable.Variable], _ = variable.DefaultValue.Value(nil)
		case variable.Type.NonNull:
			message := fmt.Sprintf("Variable $%s of type %s was provided invalid value", variable.Variable, variable.Type)
			return reply{body: object{"errors": []object{{"message": message}}}}, nil
		}
	}
	root := c.graphQuery()
	if operation.Operation == ast.Mutation {
		root = c.graphMutation()
	}
	data, err := x.pick(operation.SelectionSet, root, nil)
	if problem := (*graphError)(nil); errors.As(err, &problem) {
		return reply{body: object{"data": nil, "errors": []*graphError{problem}}}, nil
	} else if err != nil {
		return reply{}, err
	}
	answer := object{"data": data}
	if len(x.errors) > 0 {
		answer["errors"] = x.errors
	}
	return reply{body: answer}, nil
}

// pick executes a selection on one object. What a field refuses becomes null and an entry of errors[].
func (x *execution) pick(set ast.SelectionSet, from object, path []any) (object, error) {
	picked := object{}
	if len(path) > maxQueryDepth {
		return nil, &graphError{Type: "MAX_NODE_LIMIT_EXCEEDED", Message: "The selection is too deep."}
	}
	for _, selection := range set {
		if x.steps++; x.steps > maxQuerySteps {
			return nil, &graphError{Type: "MAX_NODE_LIMIT_EXCEEDED", Message: "The selection is too large."}
		}
		switch one := selection.(type) {
		case *ast.Field:
			if x.skipped(one.Directives) {
				continue
			}
			at := append(slices.Clone(path), one.Alias)
			value, err := x.field(one, from, at)
			if problem := (*graphError)(nil); errors.As(err, &problem) {
				noted := *problem
				noted.Path = at
				noted.Locations = []graphPlace{{one.Position.Line, one.Position.Column}}
				x.errors = append(x.errors, &noted)
			} else if err != nil {
				return nil, err
			}
			picked[one.Alias] = value
		case *ast.InlineFragment:
			if err := x.merge(picked, fragment{one.TypeCondition, one.Directives, one.SelectionSet}, from, path); err != nil {
				return nil, err
			}
		case *ast.FragmentSpread:
			if named := x.fragments.ForName(one.Name); named != nil {
				// Spreads count as a step down, so that a fragment inside itself ends.
				part := fragment{named.TypeCondition, one.Directives, named.SelectionSet}
				if err := x.merge(picked, part, from, append(slices.Clone(path), one.Name)); err != nil {
					return nil, err
				}
			}
		}
	}
	return picked, nil
}

type fragment struct {
	on         string
	directives ast.DirectiveList
	set        ast.SelectionSet
}

func (x *execution) merge(into object, f fragment, from object, path []any) error {
	if x.skipped(f.directives) || f.on != "" && f.on != from["__typename"] && !slices.Contains([]string{"Node", "Actor"}, f.on) {
		return nil
	}
	picked, err := x.pick(f.set, from, path)
	maps.Copy(into, picked)
	return err
}

func (x *execution) skipped(directives ast.DirectiveList) bool {
	is := func(name string, wanted bool) bool {
		d := directives.ForName(name)
		if d == nil || d.Arguments.ForName("if") == nil {
			return false
		}
		value, err := d.Arguments.ForName("if").Value.Value(x.variables)
		return err == nil && value == wanted
	}
	return is("skip", true) || is("include", false)
}

func (x *execution) field(f *ast.Field, from object, path []any) (any, error) {
	value, known := from[f.Name]
	if !known {
		return nil, &graphError{Message: fmt.Sprintf("Field '%s' doesn't exist on type '%s'", f.Name, from["__typename"])}
	}
	if compute, ok := value.(lazy); ok {
		args := arguments{}
		for _, argument := range f.Arguments {
			given, err := argument.Value.Value(x.variables)
			if err != nil {
				return nil, &graphError{Message: err.Error()}
			}
			args[argument.Name] = given
		}
		var err error
		if value, err = compute(args); err != nil {
			return nil, err
		}
	}
	switch of := value.(type) {
	case object:
		if of == nil {
			return nil, nil
		}
		return x.pick(f.SelectionSet, of, path)
	case []object:
		all := make([]object, 0, len(of))
		for i, one := range of {
			picked, err := x.pick(f.SelectionSet, one, append(slices.Clone(path), i))
			if err != nil {
				return nil, err
			}
			all = append(all, picked)
		}
		return all, nil
	}
	return value, nil
}

// connection pages over nodes, as every list of GitHub's GraphQL does; it must be bounded by first or last, at most 100.
func connection(name, kind string, nodes []object) lazy {
	return func(args arguments) (any, error) {
		first, forward := args.number("first")
		last, backward := args.number("last")
		switch {
		case !forward && !backward:
			return nil, &graphError{
				Type:    "MISSING_PAGINATION_BOUNDARIES",
				Message: fmt.Sprintf("You must provide a `first` or `last` value to properly paginate the `%s` connection.", name),
			}
		case first > 100 || last > 100:
			return nil, &graphError{
				Type: "EXCESSIVE_PAGINATION",
				Message: fmt.Sprintf("Requesting %d records on the `%s` connection exceeds the `%s` limit of 100 records.",
					max(first, last), name, map[bool]string{true: "first", false: "last"}[forward]),
			}
		}
		from, to := 0, len(nodes)
		if after, ok := cursorPlace(args.text("after")); ok {
			from = min(after, len(nodes))
		}
		if before, ok := cursorPlace(args.text("before")); ok {
			to = max(min(before-1, to), from)
		}
		if forward {
			to = min(to, from+max(first, 0))
		} else {
			from = max(from, to-max(last, 0))
		}
		edges := []object{}
		for i, node := range nodes[from:to] {
			edges = append(edges, object{"__typename": kind + "Edge", "node": node, "cursor": cursorOf(from + i + 1)})
		}
		page := object{"__typename": "PageInfo", "hasNextPage": to < len(nodes), "hasPreviousPage": from > 0, "endCursor": nil, "startCursor": nil}
		if from < to {
			page["startCursor"], page["endCursor"] = cursorOf(from+1), cursorOf(to)
		}
		return object{
			"__typename": kind + "Connection", "nodes": nodes[from:to], "edges": edges, "totalCount": len(nodes), "pageInfo": page,
		}, nil
	}
}

func cursorOf(place int) string {
	return base64.StdEncoding.EncodeToString([]byte("cursor:" + strconv.Itoa(place)))
}

func cursorPlace(cursor string) (int, bool) {
	plain, err := base64.StdEncoding.DecodeString(cursor)
	text, ok := strings.CutPrefix(string(plain), "cursor:")
	if err != nil || !ok {
		return 0, false
	}
	place, err := strconv.Atoi(text)
	return max(place, 0), err == nil
}

// graphForbidden is what an App without a permission hears.
func graphForbidden() error {
	return &graphError{Type: "FORBIDDEN", Message: "Resource not accessible by integration"}
}

// sees says whether the caller may see a repository, and, when it is an App, has the grant.
func (c *githubCall) sees(p *project, grant string) error {
	switch {
	case c.token != nil && !c.token.reaches(c.forge, p), c.token == nil && p.githubLevel(c.user) == 0:
		return &graphError{Type: "NOT_FOUND", Message: fmt.Sprintf("Could not resolve to a Repository with the name '%s'.", p.Path)}
	case c.token != nil && !c.token.may(grant):
		return graphForbidden()
	}
	return nil
}

// refusedByREST turns a refusal of the shared rules into GraphQL's.
func refusedByREST(err error) error {
	if stop := (*refusal)(nil); errors.As(err, &stop) {
		if body, ok := stop.body.(githubError); ok {
			kind := "UNPROCESSABLE"
			if stop.status == http.StatusForbidden {
				kind = "FORBIDDEN"
			}
			return &graphError{Type: kind, Message: body.Message}
		}
	}
	return err
}
