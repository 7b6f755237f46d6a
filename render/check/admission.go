package check

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	v1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
)

const admissionGroup = "admissionregistration.k8s.io"

var (
	policyKind    = manifest.Kind{Group: admissionGroup, Kind: "ValidatingAdmissionPolicy"}
	bindingKind   = manifest.Kind{Group: admissionGroup, Kind: "ValidatingAdmissionPolicyBinding"}
	namespaceKind = manifest.Kind{Kind: "Namespace"}
)

const (
	maxExpressions = 500                                // of one policy that are compiled
	maxCost        = 2 * celconfig.RuntimeCELCostBudget // of asking one policy about what one Application deploys: some seconds
)

// admissionPolicy is a ValidatingAdmissionPolicy with the bindings that put it into force.
type admissionPolicy struct {
	*program
	file     string
	line     int
	clusters []string // none means everywhere
	bindings []binding
}

type binding struct {
	name     string
	spec     v1.ValidatingAdmissionPolicyBindingSpec
	clusters []string
}

// program is a ValidatingAdmissionPolicy, compiled. It depends on the policy's text alone.
type program struct {
	name        string
	spec        v1.ValidatingAdmissionPolicySpec
	conditions  cel.ConditionEvaluator
	validations cel.ConditionEvaluator
	messages    cel.ConditionEvaluator
	wrong       []wrongExpression
	asks        [][]string // for each validation, what it asks for that is not known offline
	asksFirst   [][]string // the same for each condition
}

// wrongExpression is one that does not compile.
type wrongExpression struct{ path, text string }

// expression makes a text one of the library's expressions, with the type that it must have.
type expression struct {
	name, text string
	types      []*celgo.Type
}

func (e expression) GetName() string            { return e.name }
func (e expression) GetExpression() string      { return e.text }
func (e expression) ReturnTypes() []*celgo.Type { return e.types }

// admit reads the policies and their bindings.
func (r *Rules) admit(s Sources, docs []manifest.Document) []finding.Finding {
	clusters := func(file string) []string {
		if s.Clusters == nil {
			return nil
		}
		return s.Clusters(file)
	}
	var findings []finding.Finding
	for i := range docs {
		doc := &docs[i]
		if doc.GroupKind() != policyKind {
			continue
		}
		compiled := r.checker.program(doc)
		for _, wrong := range compiled.wrong {
			f := finding.Finding{Severity: finding.Error, Code: CodeInvalidPolicy, File: doc.File, Line: doc.Line, Message: fmt.Sprintf("ValidatingAdmissionPolicy %s: %s", compiled.name, wrong.text), Remedy: "correct it: the API server refuses it, and nothing is checked by it"}
			if _, value := doc.Find(wrong.path); value != nil {
				f.Line, f.Column = value.Line, value.Column
			}
			findings = append(findings, f)
		}
		if len(compiled.wrong) == 0 {
			r.admissions = append(r.admissions, &admissionPolicy{program: compiled, file: doc.File, line: doc.Line, clusters: clusters(doc.File)})
		}
	}
	for i := range docs {
		if docs[i].GroupKind() != bindingKind {
			continue
		}
		var b v1.ValidatingAdmissionPolicyBinding
		if err := decodeInto(&docs[i], &b); err != nil {
			continue // told where it is deployed
		}
		for _, policy := range r.admissions {
			if policy.name == b.Spec.PolicyName {
				policy.bindings = append(policy.bindings, binding{name: b.Name, spec: b.Spec, clusters: clusters(docs[i].File)})
			}
		}
	}
	r.admissions = slices.DeleteFunc(r.admissions, func(p *admissionPolicy) bool { return len(p.bindings) == 0 })
	return findings
}

// program compiles a policy, or remembers having done so.
func (c *Checker) program(doc *manifest.Document) *program {
	key := digest(doc.Raw)
	if known, ok := c.policies.Get(key); ok {
		return known
	}
	compiled := compileAdmission(doc)
	c.policies.Put(key, compiled, 1)
	return compiled
}

func compileAdmission(doc *manifest.Document) (p *program) {
	p = &program{}
	defer func() {
		if err := recover(); err != nil {
			p.wrong = append(p.wrong, wrongExpression{"", fmt.Sprintf("compiling it ended abnormally: %v", err)})
		}
	}()
	var policy v1.ValidatingAdmissionPolicy
	if err := decodeInto(doc, &policy); err != nil {
		p.wrong = append(p.wrong, wrongExpression{"spec", "it cannot be read: " + err.Error()})
		return p
	}
	p.name, p.spec = policy.Name, policy.Spec
	if match := p.spec.MatchConstraints; match == nil || len(match.ResourceRules) == 0 { // ValidateValidatingAdmissionPolicy
		p.wrong = append(p.wrong, wrongExpression{"spec.matchConstraints", "it has no matchConstraints.resourceRules, which say what it is about"})
		return p
	}
	if len(p.spec.Validations)+len(p.spec.Variables)+len(p.spec.MatchConditions) > maxExpressions {
		p.wrong = append(p.wrong, wrongExpression{"spec", fmt.Sprintf("it has more than %d expressions", maxExpressions)})
		return p
	}
	p.compile()
	return p
}

// compile does what the API server does with a policy (apiserver/pkg/admission/plugin/policy/validating, compilePolicy).
func (p *program) compile() {
	options := cel.OptionalVariableDeclarations{HasParams: p.spec.ParamKind != nil, HasAuthorizer: true}
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(celVersion()))
	if err != nil {
		p.wrong = append(p.wrong, wrongExpression{"spec", err.Error()})
		return
	}
	asks := map[string][]string{}
	for i, variable := range p.spec.Variables {
		one := expression{variable.Name, variable.Expression, []*celgo.Type{celgo.AnyType, celgo.DynType}}
		result := compiler.CompileAndStoreVariable(one, options, environment.StoredExpressions)
		if result.Error != nil {
			p.wrong = append(p.wrong, wrongExpression{fmt.Sprintf("spec.variables[%d].expression", i), result.Error.Error()})
		}
		asks[variable.Name] = unanswered(variable.Expression, asks)
	}
	var conditions, validations, messages []cel.ExpressionAccessor
	for _, c := range p.spec.MatchConditions {
		conditions = append(conditions, expression{c.Name, c.Expression, []*celgo.Type{celgo.BoolType}})
		p.asksFirst = append(p.asksFirst, unanswered(c.Expression, asks))
	}
	for _, v := range p.spec.Validations {
		validations = append(validations, expression{"", v.Expression, []*celgo.Type{celgo.BoolType}})
		var message cel.ExpressionAccessor
		if v.MessageExpression != "" {
			message = expression{"", v.MessageExpression, []*celgo.Type{celgo.StringType}}
		}
		messages = append(messages, message)
		p.asks = append(p.asks, unanswered(v.Expression, asks))
	}
	p.conditions = p.condition(compiler, conditions, options, "spec.matchConditions")
	p.validations = p.condition(compiler, validations, options, "spec.validations")
	options.HasAuthorizer = false
	p.messages = compiler.CompileCondition(messages, options, environment.StoredExpressions) // a broken message is not used
}

func (p *program) condition(compiler *cel.CompositedCompiler, list []cel.ExpressionAccessor, options cel.OptionalVariableDeclarations, path string) cel.ConditionEvaluator {
	for i, one := range list {
		if result := compiler.CompileCELExpression(one, options, environment.StoredExpressions); result.Error != nil {
			p.wrong = append(p.wrong, wrongExpression{fmt.Sprintf("%s[%d].expression", path, i), result.Error.Error()})
		}
	}
	return compiler.CompileCondition(list, options, environment.StoredExpressions)
}

var (
	asksForUser      = regexp.MustCompile(`\b(authorizer|request\s*\.\s*userInfo)\b`)
	asksForNamespace = regexp.MustCompile(`\bnamespaceObject\b`)
	asksForVariable  = regexp.MustCompile(`\bvariables\s*\.\s*([a-zA-Z_][a-zA-Z0-9_]*)`)
)

// What an expression may ask for that is not always known offline.
const (
	askUser      = "who applies it"
	askNamespace = "its namespace"
)

// unanswered lists what an expression asks for, itself or by variables.
func unanswered(text string, variables map[string][]string) []string {
	var out []string
	if asksForUser.MatchString(text) {
		out = append(out, askUser)
	}
	if asksForNamespace.MatchString(text) {
		out = append(out, askNamespace)
	}
	for _, match := range asksForVariable.FindAllStringSubmatch(text, maxExpressions) {
		out = append(out, variables[match[1]]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// needs lists the kinds that the policies in force ask for.
func (r *Rules) needs() []manifest.Kind {
	var kinds []manifest.Kind
	if len(r.admissions) > 0 {
		kinds = append(kinds, namespaceKind)
	}
	for _, p := range r.admissions {
		if k := p.spec.ParamKind; k != nil {
			group, _, hasGroup := strings.Cut(k.APIVersion, "/")
			if !hasGroup {
				group = ""
			}
			if kind := (manifest.Kind{Group: group, Kind: k.Kind}); k.Kind != "" && !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
	}
	return kinds
}

// decision is what a policy says about an object.
type decision struct {
	message string
	failed  bool // it could not be evaluated
	unknown string
}

// evaluate runs the validations of a policy on one request, and returns what that cost.
func (p *admissionPolicy) evaluate(ctx context.Context, q request) (out []decision, cost int64) {
	optional := cel.OptionalVariableBindings{VersionedParams: q.params, Authorizer: nobody{}}
	matched, why, cost := p.conditionsHold(ctx, q, optional)
	if why != nil {
		return []decision{*why}, cost
	}
	if !matched {
		return nil, cost
	}
	results, left, err := p.validations.ForInput(ctx, q.attributes, q.admission, optional, q.namespaceObject(), celconfig.RuntimeCELCostBudget)
	if err != nil {
		return []decision{{message: err.Error(), failed: true}}, cost + celconfig.RuntimeCELCostBudget
	}
	optional.Authorizer = nil
	messages, left, _ := p.messages.ForInput(ctx, q.attributes, q.admission, optional, q.namespaceObject(), left) // without, the policy's fixed message is told
	cost += celconfig.RuntimeCELCostBudget - max(left, 0)
	for i, result := range results {
		validation := p.spec.Validations[i]
		if result.Error == nil && result.EvalResult == types.True {
			continue
		}
		if ask := q.unknown(p.asks[i]); ask != "" {
			out = append(out, decision{unknown: ask})
			continue
		}
		if result.Error != nil {
			out = append(out, decision{message: celProblem(result.Error), failed: true})
			continue
		}
		d := decision{message: strings.TrimSpace(validation.Message)}
		if i < len(messages) && messages[i].Error == nil && messages[i].EvalResult != nil {
			if text, ok := messages[i].EvalResult.Value().(string); ok && strings.TrimSpace(text) != "" && !strings.Contains(text, "\n") && len(text) <= celconfig.MaxEvaluatedMessageExpressionSizeBytes {
				d.message = strings.TrimSpace(text)
			}
		}
		if d.message == "" {
			d.message = "failed expression: " + strings.TrimSpace(validation.Expression)
		}
		out = append(out, d)
	}
	return out, cost
}

// conditionsHold evaluates the match conditions: one that is false leaves the object alone, whatever the others say.
func (p *admissionPolicy) conditionsHold(ctx context.Context, q request, optional cel.OptionalVariableBindings) (hold bool, why *decision, cost int64) {
	results, left, err := p.conditions.ForInput(ctx, q.attributes, q.admission, optional, q.namespaceObject(), celconfig.RuntimeCELCostBudget)
	if err != nil {
		return false, &decision{message: err.Error(), failed: true}, celconfig.RuntimeCELCostBudget
	}
	cost = celconfig.RuntimeCELCostBudget - max(left, 0)
	var failed, unknown *decision
	for i, result := range results {
		switch ask := q.unknown(p.asksFirst[i]); {
		case ask != "":
			unknown = &decision{unknown: ask}
		case result.Error != nil:
			failed = &decision{message: celProblem(result.Error), failed: true}
		case result.EvalResult != types.True:
			return false, nil, cost
		}
	}
	return failed == nil && unknown == nil, cmp.Or(unknown, failed), cost
}
