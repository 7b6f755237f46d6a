package helm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	helmchart "helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// engine executes the templates of one chart.
type engine struct {
	budget    *budget
	functions template.FuncMap
	known     map[string]any // the functions and text/template's own, for the parser
	random    map[string]bool
}

// pulseName cannot be written by a chart's author by accident and does nothing when it is.
const pulseName = "lockkeeperTick"

func newEngine(ctx context.Context, limits Limits) *engine {
	e := &engine{budget: &budget{ctx: ctx, limit: limits.OutputBytes}, random: map[string]bool{}}
	e.functions = e.allFunctions()
	e.functions[pulseName] = e.budget.tick
	e.known = maps.Clone(map[string]any(e.functions))
	for _, name := range []string{"and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "slice", "urlquery"} {
		e.known[name] = fmt.Sprint
	}
	return e
}

func (e *engine) nonDeterministic() []string { return slices.Sorted(maps.Keys(e.random)) }

// rootName is what texts rendered by tpl are called in messages of text/template.
const rootName = "gotpl"

// source is one template with what it sees.
type source struct {
	name, text, base string
	scope            map[string]any
}

// render executes every template of the chart that is no partial and returns the results by name.
func (e *engine) render(c *chart.Chart, values common.Values) (map[string]string, error) {
	var sources []source
	if _, err := collect(c, values, &sources); err != nil {
		return nil, err
	}
	// Deeper folders first, so that a chart's definitions win over those of its subcharts.
	slices.SortFunc(sources, func(a, b source) int {
		return cmp.Or(strings.Count(b.name, "/")-strings.Count(a.name, "/"), strings.Compare(b.name, a.name))
	})
	root := template.New(rootName).Option("missingkey=zero")
	root.Funcs(e.functions).Funcs(e.late(root))
	for _, s := range sources {
		if err := e.parse(root.New(s.name), s.text); err != nil {
			return nil, failed(s.name, err)
		}
	}
	rendered := make(map[string]string, len(sources))
	for _, s := range sources {
		if strings.HasPrefix(path.Base(s.name), "_") {
			continue
		}
		s.scope["Template"] = common.Values{"Name": s.name, "BasePath": s.base}
		text, err := e.execute(root, s.name, s.scope)
		if err == nil {
			if e.budget.written += len(text); e.budget.written > e.budget.limit {
				err = e.budget.tooLong("the output of the chart")
			}
		}
		if err != nil {
			return nil, failed(s.name, err)
		}
		rendered[s.name] = text
	}
	return rendered, nil
}

// collect lists the templates of c and of its subcharts. A chart sees its own part of the values.
func collect(c *chart.Chart, above map[string]any, sources *[]source) (map[string]any, error) {
	accessor, err := helmchart.NewAccessor(c)
	if err != nil {
		return nil, err
	}
	metadata := accessor.MetadataAsMap()
	metadata["IsRoot"] = c.IsRoot()
	subcharts := map[string]any{}
	scope := map[string]any{
		"Chart": metadata, "Files": newFiles(c.Files), "Release": above["Release"], "Capabilities": above["Capabilities"],
		"Values": common.Values{}, "Subcharts": subcharts,
	}
	if c.IsRoot() {
		scope["Values"] = above["Values"]
	} else if table, err := common.Values(above).Table("Values." + c.Name()); err == nil {
		scope["Values"] = table
	}
	for _, subchart := range c.Dependencies() {
		if subcharts[subchart.Name()], err = collect(subchart, scope, sources); err != nil {
			return nil, err
		}
	}
	for _, t := range c.Templates {
		if c.Metadata.Type == "library" && !strings.HasPrefix(path.Base(t.Name), "_") {
			continue
		}
		*sources = append(*sources, source{
			name: path.Join(c.ChartFullPath(), t.Name), text: string(t.Data), base: path.Join(c.ChartFullPath(), "templates"), scope: scope,
		})
	}
	return scope, nil
}

// parse adds the template and the ones it defines, each with a pulse.
func (e *engine) parse(t *template.Template, text string) error {
	if strings.Count(text, "{{") > maxActions {
		return fmt.Errorf("template: %s:1: more than %d actions: %w", t.Name(), maxActions, errBudget)
	}
	trees, err := parse.Parse(t.Name(), text, "", "", e.known)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(trees)) {
		tree := trees[name]
		if !parse.IsEmptyTree(tree.Root) {
			if err := e.instrument(tree.Root, true, 0); err != nil {
				return fmt.Errorf("template: %s:1: %w", t.Name(), err)
			}
		}
		if _, err := t.AddParseTree(name, tree); err != nil {
			return err
		}
	}
	return nil
}

// What one template may hold: neither the parser nor the interpreter bounds how deep its own calls go.
const (
	maxActions = 100_000
	maxBlocks  = 100
)

// instrument puts a pulse in front of what is entered as a whole or repeated, and turns the rest into what the budget
// counts.
func (e *engine) instrument(list *parse.ListNode, entered bool, depth int) error {
	if list == nil {
		return nil
	}
	if depth > maxBlocks {
		return fmt.Errorf("more than %d blocks are nested: %w", maxBlocks, errBudget)
	}
	for i, n := range list.Nodes {
		var err error
		switch n := n.(type) {
		case *parse.RangeNode:
			err = e.branches(&n.BranchNode, true, depth)
		case *parse.IfNode:
			err = e.branches(&n.BranchNode, false, depth)
		case *parse.WithNode:
			err = e.branches(&n.BranchNode, false, depth)
		case *parse.TemplateNode:
			list.Nodes[i], err = included(n), nested(n.Pipe, depth)
		case *parse.ActionNode:
			measured(n)
			err = nested(n.Pipe, depth)
		}
		if err != nil {
			return err
		}
	}
	if entered {
		list.Nodes = slices.Insert[[]parse.Node, parse.Node](list.Nodes, 0, action(list.Pos, 0, parse.NewIdentifier(pulseName).SetPos(list.Pos)))
	}
	return nil
}

func (e *engine) branches(n *parse.BranchNode, repeated bool, depth int) error {
	if err := nested(n.Pipe, depth); err != nil {
		return err
	}
	if err := e.instrument(n.List, repeated, depth+1); err != nil {
		return err
	}
	return e.instrument(n.ElseList, false, depth+1)
}

// nested refuses pipelines with too many parentheses inside each other.
func nested(pipe *parse.PipeNode, depth int) error {
	if pipe == nil {
		return nil
	}
	if depth > maxBlocks {
		return fmt.Errorf("more than %d parentheses are nested: %w", maxBlocks, errBudget)
	}
	for _, command := range pipe.Cmds {
		for _, arg := range command.Args {
			for {
				chain, ok := arg.(*parse.ChainNode)
				if !ok {
					break
				}
				arg = chain.Node
			}
			if inner, ok := arg.(*parse.PipeNode); ok {
				if err := nested(inner, depth+1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// measured passes what an action prints through [budget.measure], since printing walks the value.
func measured(n *parse.ActionNode) {
	if len(n.Pipe.Decl) == 0 {
		n.Pipe.Cmds = append(n.Pipe.Cmds, command(n.Pos, parse.NewIdentifier(printName).SetPos(n.Pos)))
	}
}

// included turns {{template}} into a call of include, which does the same and counts.
func included(n *parse.TemplateNode) *parse.ActionNode {
	var data parse.Node = &parse.NilNode{NodeType: parse.NodeNil, Pos: n.Pos}
	if n.Pipe != nil {
		data = n.Pipe
	}
	name := &parse.StringNode{NodeType: parse.NodeString, Pos: n.Pos, Quoted: fmt.Sprintf("%q", n.Name), Text: n.Name}
	return action(n.Pos, n.Line, parse.NewIdentifier("include").SetPos(n.Pos), name, data)
}

func action(at parse.Pos, line int, args ...parse.Node) *parse.ActionNode {
	pipe := &parse.PipeNode{NodeType: parse.NodePipe, Pos: at, Line: line, Cmds: []*parse.CommandNode{command(at, args...)}}
	return &parse.ActionNode{NodeType: parse.NodeAction, Pos: at, Line: line, Pipe: pipe}
}

func command(at parse.Pos, args ...parse.Node) *parse.CommandNode {
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: at, Args: args}
}

func (e *engine) execute(root *template.Template, name string, data any) (string, error) {
	out := &output{budget: e.budget}
	if err := root.ExecuteTemplate(out, name, data); err != nil {
		return "", err
	}
	// text/template prints this for a nil whatever its options say; Helm shows nothing.
	return strings.ReplaceAll(out.String(), "<no value>", ""), nil
}

// late are the functions that render in turn and therefore know the templates around them.
func (e *engine) late(t *template.Template) template.FuncMap {
	return template.FuncMap{
		"include": func(name string, data any) (string, error) {
			if e.budget.includes == maxIncludes {
				return "", fmt.Errorf("more than %d includes are running inside each other, the last of %q: %w", maxIncludes, name, errBudget)
			}
			e.budget.includes++
			defer func() { e.budget.includes-- }()
			out := &output{budget: e.budget}
			err := t.ExecuteTemplate(out, name, data)
			return out.String(), err
		},
		"tpl": func(text string, data any) (string, error) { return e.tpl(t, text, data) },
	}
}

// tpl renders a text that may define templates of its own and sees those around it.
func (e *engine) tpl(around *template.Template, text string, data any) (string, error) {
	if e.budget.includes == maxIncludes {
		return "", fmt.Errorf("more than %d templates are running inside each other: %w", maxIncludes, errBudget)
	}
	e.budget.includes++
	defer func() { e.budget.includes-- }()
	t, err := around.Clone()
	if err != nil {
		return "", err
	}
	t.Option("missingkey=zero")
	t.Funcs(e.late(t))
	t = t.New(around.Name())
	if err := e.parse(t, text); err != nil {
		return "", fmt.Errorf("cannot parse template %q: %w", excerpt(text), err)
	}
	out := &output{budget: e.budget}
	if err := t.Execute(out, data); err != nil {
		return "", fmt.Errorf("error during tpl of %q: %w", excerpt(text), err)
	}
	return strings.ReplaceAll(out.String(), "<no value>", ""), nil
}

// isBudget reports whether rendering ended because of a bound and not because of a mistake.
func isBudget(err error) bool {
	return errors.Is(err, errBudget) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
