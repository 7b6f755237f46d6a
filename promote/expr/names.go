package expr

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// contextFields are the members of variables in Kargo; nil where what follows is not fixed.
var contextFields = map[string][]string{
	"ctx":                      {"uiBaseUrl", "project", "promotion", "stage", "targetFreight", "meta"},
	"ctx.targetFreight":        {"name", "alias", "origin"},
	"ctx.targetFreight.origin": {"name"},
	"ctx.meta":                 {"promotion", "step"},
	"ctx.meta.promotion":       {"actor", "rollback"},
	"ctx.meta.step":            {"alias"},
	"target":                   {"name", "params", "labels"},
}

var stepMetaFields = []string{"alias", "errorCount", "status", "message", "continueOnError"}

// absent says where variables of the language can be used that do not exist everywhere.
var absent = map[string]string{
	"task":      "it exists only in the steps of a PromotionTask; outside, use outputs",
	"target":    "it exists only in a stage with targets",
	"stepMetas": "it exists only in steps, once one has run",
	"secrets":   "it is no variable any more; write secret('name').key",
}

var (
	imageFields    = []string{"RepoURL", "Tag", "Digest", "Annotations", "SubscriptionName"}
	commitFields   = []string{"RepoURL", "ID", "Branch", "Tag", "Message", "Author", "Committer", "SubscriptionName"}
	chartFields    = []string{"RepoURL", "Name", "Version", "SubscriptionName"}
	artifactFields = []string{"ArtifactType", "SubscriptionName", "Version", "Metadata"}
	versionMethods = []string{
		"Compare", "Equal", "GreaterThan", "GreaterThanEqual", "IncMajor", "IncMinor", "IncPatch", "LessThan", "LessThanEqual", "Major",
		"Metadata", "Minor", "Original", "Patch", "Prerelease", "SetMetadata", "SetPrerelease", "String",
	}
)

// resultFields are the members of what functions give in templates.
var resultFields = map[string][]string{
	"imageFrom":    imageFields,
	"commitFrom":   commitFields,
	"chartFrom":    chartFields,
	"artifactFrom": artifactFields,
	"warehouse":    {"Kind", "Name"},
	"semverParse":  versionMethods,
}

// templateFunctions exist in templates, and not in every expression without delimiters.
var templateFunctions = slices.Concat(lookups, statusFunctions, []string{"warehouse"})

// fieldsOf lists the members of what a function has given; nil when v is something else.
func fieldsOf(v any) []string {
	switch v.(type) {
	case *Image:
		return imageFields
	case *Commit:
		return commitFields
	case *Chart:
		return chartFields
	case *Artifact:
		return artifactFields
	case *foundImage:
		return foundImageFields
	case *foundCommit:
		return foundCommitFields
	case *semver.Version:
		return versionMethods
	}
	return nil
}

// names knows what an expression may refer to.
type names struct {
	variables []string
	functions []string
	lint      bool                // also check the members below, and refuse what is not available
	members   map[string][]string // what a path has, such as "vars"
	fields    map[string][]string // what the results of functions have
	aliases   []string            // of steps, for status
	status    bool
}

// allow sets what a template that is not evaluated may refer to.
func (n *names) allow(allowed Names) {
	n.lint, n.status = true, allowed.Status
	n.aliases = slices.Concat(allowed.Outputs, allowed.TaskOutputs)
	n.members = maps.Clone(contextFields)
	n.members["vars"], n.members["outputs"] = allowed.Vars, allowed.Outputs
	if allowed.Task || len(allowed.TaskOutputs) > 0 {
		n.variables = append(n.variables, "task")
		n.members["task"], n.members["task.outputs"] = []string{"outputs"}, allowed.TaskOutputs
	}
	n.members["stepMetas"] = allowed.Outputs
	for _, alias := range allowed.Outputs {
		n.members["stepMetas."+alias] = stepMetaFields
	}
	if !allowed.Target {
		n.forget("target")
	}
	if !n.status && len(allowed.Outputs) == 0 {
		n.forget("stepMetas")
	}
	slices.Sort(n.variables)
}

// forget makes a variable unknown.
func (n *names) forget(variable string) {
	delete(n.members, variable)
	n.variables = slices.DeleteFunc(n.variables, func(v string) bool { return v == variable })
}

// check finds mistakes in the names of an expression.
func (n *names) check(tree *parser.Tree) []error {
	w := &nameWalker{names: n, guards: newGuards()}
	ast.Walk(&tree.Node, w.guards)
	ast.Walk(&tree.Node, w)
	return w.mistakes
}

// nameWalker looks at every name of an expression.
type nameWalker struct {
	*names
	*guards
	mistakes []error
}

// Visit implements ast.Visitor.
func (w *nameWalker) Visit(node *ast.Node) {
	var err error
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if w.callees[n] {
			err = w.function(n.Value)
		} else if !w.guarded[n] {
			err = w.variable(n.Value)
		}
	case *ast.CallNode:
		err = w.alias(n)
	case *ast.MemberNode:
		err = w.field(n)
		if err == nil && w.lint && !w.guarded[n] && !n.Optional {
			err = w.path(n)
		}
	}
	if err != nil {
		w.mistakes = append(w.mistakes, err)
	}
}

func (w *nameWalker) function(name string) error {
	switch {
	case w.locals[name]:
		return nil
	case !slices.Contains(w.functions, name) && slices.Contains(templateFunctions, name):
		return fmt.Errorf("%w: function %s, which exists only in templates", ErrUnknownName, name)
	case !slices.Contains(w.functions, name):
		best, near := nearest(name, w.functions)
		if near {
			return fmt.Errorf("%w: function %s; did you mean %s?", ErrUnknownName, name, best)
		}
		return fmt.Errorf("%w: function %s", ErrUnknownName, name)
	case w.lint && !w.status && slices.Contains(statusFunctions, name):
		return fmt.Errorf(`%s() is %w in variables: use it in the "if" or "config" of a step`, name, ErrNotAvailable)
	}
	return nil
}

func (w *nameWalker) variable(name string) error {
	switch {
	case name == "$env" || w.locals[name] || slices.Contains(w.variables, name):
		return nil
	case absent[name] != "" && w.inTemplate():
		return fmt.Errorf("%s is %w: %s", name, ErrNotAvailable, absent[name])
	case slices.Contains(w.functions, name):
		return fmt.Errorf("%w: %s is a function: write %s(…)", ErrUnknownName, name, name)
	}
	// Kargo does not document stepMetas, so that nobody is led to it.
	text := known(name, slices.DeleteFunc(slices.Clone(w.variables), func(v string) bool { return v == "stepMetas" }))
	if w.inTemplate() {
		text += "; a variable is written vars." + name
	}
	return fmt.Errorf("%w: %s%s", ErrUnknownName, name, text)
}

// inTemplate reports whether the names are those of a template.
func (n *names) inTemplate() bool { return slices.Contains(n.variables, "vars") }

// alias checks that a step whose status is asked for comes before.
func (w *nameWalker) alias(n *ast.CallNode) error {
	if !w.lint || !w.status || !calls(n, "status") || len(n.Arguments) != 1 {
		return nil
	}
	alias, ok := n.Arguments[0].(*ast.StringNode)
	if !ok || slices.Contains(w.aliases, alias.Value) {
		return nil
	}
	return &keyError{fmt.Sprintf("status(%q): no step before this one has that alias", excerpt(alias.Value)) + known(alias.Value, w.aliases)}
}

// field checks the members of what a function gives, which are Go fields and so begin with a capital letter.
func (w *nameWalker) field(n *ast.MemberNode) error {
	property, ok := n.Property.(*ast.StringNode)
	if !ok {
		return nil
	}
	for _, function := range sortedKeys(w.fields) {
		if fields := w.fields[function]; calls(n.Node, function) && !slices.Contains(fields, property.Value) {
			return unknownField(function+"(…)", property.Value, fields)
		}
	}
	return nil
}

func unknownField(base, name string, fields []string) error {
	for _, f := range fields {
		if strings.EqualFold(f, name) {
			return &keyError{base + "." + name + "; did you mean ." + f + "?"}
		}
	}
	return &keyError{base + "." + excerpt(name) + known(name, fields)}
}

// path checks a member that is reached by keys that are spelled out.
func (w *nameWalker) path(n *ast.MemberNode) error {
	property, ok := n.Property.(*ast.StringNode)
	if !ok {
		return nil
	}
	base, ok := w.spelled(n.Node)
	if !ok {
		return nil
	}
	members, ok := w.members[base]
	if !ok || slices.Contains(members, property.Value) {
		return nil
	}
	return fmt.Errorf("%w: %s%s", ErrUnknownName, path(base, property.Value), known(property.Value, members))
}

// spelled writes a chain of constant keys from a variable as a path.
func (w *nameWalker) spelled(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value, !w.locals[n.Value]
	case *ast.MemberNode:
		property, ok := n.Property.(*ast.StringNode)
		if !ok {
			return "", false
		}
		base, ok := w.spelled(n.Node)
		return base + "." + property.Value, ok
	}
	return "", false
}
