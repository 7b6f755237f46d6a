package check

import (
	"context"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"k8s.io/apimachinery/pkg/util/version"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/kro/schema"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// MaxRule is the length of the longest rule that is compiled.
const MaxRule = 10_000

// Policy is a rule of the repository's own about what it deploys.
type Policy struct {
	Name string // required
	// Kinds, Applications, Clusters and Namespaces say what the rule is about, as globs; empty means everything. A kind is
	// written with its group, as apps/Deployment, and without one for those of the core group.
	Kinds, Applications, Clusters, Namespaces []string
	Rule                                      string // required; CEL over object and oldObject, true when all is well
	Message                                   string // "" tells the rule
	Severity                                  finding.Severity
}

// policy is a Policy that is ready to run.
type policy struct {
	Policy
	program cel.Program
}

// celVersion is the Kubernetes version whose CEL libraries rules may use.
func celVersion() *version.Version { return version.MustParseGeneric(schema.Version) }

// CompilePolicy says what is wrong with a policy's rule: an [*manifest.Error] whose line and column, where they are known, count
// from the beginning of the rule.
func CompilePolicy(p Policy) error {
	_, err := compilePolicy(p)
	return err
}

func compilePolicy(p Policy) (*policy, error) {
	if len(p.Rule) > MaxRule {
		return nil, &manifest.Error{Problem: fmt.Sprintf("the rule is longer than %d characters", MaxRule), Remedy: "make several of it"}
	}
	set, err := environment.MustBaseEnvSet(celVersion()).Extend(environment.VersionedOptions{
		IntroducedVersion: version.MajorMinor(1, 0),
		EnvOptions:        []cel.EnvOption{cel.Variable("object", cel.DynType), cel.Variable("oldObject", cel.DynType)},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare rules: %w", err)
	}
	env := set.StoredExpressionsEnv()
	ast, issues := env.Compile(p.Rule)
	if issues != nil && len(issues.Errors()) > 0 {
		first := issues.Errors()[0]
		return nil, &manifest.Error{Line: first.Location.Line(), Column: first.Location.Column() + 1, Problem: "the rule is no CEL: " + strings.TrimSuffix(first.Message, " (in container '')"), Remedy: "it sees object and oldObject"}
	}
	if out := ast.OutputType(); !out.IsExactType(cel.BoolType) && !out.IsExactType(cel.DynType) {
		return nil, &manifest.Error{Problem: fmt.Sprintf("the rule is %s, not true or false", out), Remedy: "compare it with what it must be"}
	}
	program, err := env.Program(ast, cel.CostLimit(celconfig.PerCallLimit), cel.InterruptCheckFrequency(celconfig.CheckFrequency))
	if err != nil {
		return nil, &manifest.Error{Problem: "the rule is no CEL: " + err.Error()}
	}
	return &policy{Policy: p, program: program}, nil
}

// policies holds an object against the repository's own rules.
func (r *run) policies(ctx context.Context, o object.Object) []problem {
	var out []problem
	for _, p := range r.rules.own {
		if p.matches(r.subject, o) {
			if wrong, ok := r.broken(ctx, p, o); ok {
				out = append(out, wrong)
			}
		}
	}
	return out
}

func (p *policy) matches(s Subject, o object.Object) bool {
	id := o.ID()
	return anyMatches(p.Kinds, strings.TrimPrefix(id.Group+"/"+id.Kind, "/")) && anyMatches(p.Applications, s.Application) &&
		p.InCluster(s.Cluster.Name, s.Cluster.ID) && anyMatches(p.Namespaces, id.Namespace)
}

// InCluster reports whether the rule is about what is deployed to a cluster with one of these names or servers.
func (p Policy) InCluster(names ...string) bool { return anyMatches(p.Clusters, names...) }

// anyMatches reports whether one of the globs fits one of the names. No glob fits all. To a star a slash is like any other letter:
// servers have many.
func anyMatches(globs []string, names ...string) bool {
	plain := strings.NewReplacer("/", "\x00")
	return len(globs) == 0 || slices.ContainsFunc(globs, func(glob string) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			ok, err := path.Match(plain.Replace(glob), plain.Replace(name))
			return err == nil && ok
		})
	})
}

func (r *run) broken(ctx context.Context, p *policy, o object.Object) (problem, bool) {
	var before any
	if old, ok := r.old(o); ok {
		before = old.Fields
	}
	out, _, err := p.program.ContextEval(ctx, map[string]any{"object": o.Fields, "oldObject": before})
	if err == nil && out == types.True || ctx.Err() != nil {
		return problem{}, false
	}
	if len(o.Unknown) > 0 {
		return r.undecided(p.Name, fmt.Sprintf("whether policy %q holds is known to the cluster alone, as some of its values are", p.Name))
	}
	message := p.Message
	if message == "" {
		message = "it must be true that " + strings.TrimSpace(p.Rule)
	}
	remedy := "change the object, or the policy in lockkeeper.yaml"
	if err != nil {
		message, remedy = message+": "+celProblem(err), "let the rule ask with has(…) for what may be missing"
	} else if out != types.False {
		message, remedy = message+": the rule is neither true nor false", "compare it with what it must be"
	}
	return problem{severity: p.Severity, code: CodePolicy, message: fmt.Sprintf("policy %q: %s", p.Name, message), remedy: remedy}, true
}

// celProblem is what keeps a rule from being evaluated, without the library's words around it.
func celProblem(err error) string {
	text := strings.ReplaceAll(err.Error(), "\n", " ")
	return strings.TrimPrefix(text, "evaluation error: ")
}

// undecided says once for each policy that nobody here can tell.
func (r *run) undecided(policy, message string) (problem, bool) {
	if r.told[policy] {
		return problem{}, false
	}
	r.told[policy] = true
	return problem{severity: finding.Info, code: CodeUndecided, message: message}, true
}

// old returns what the object replaces. One that stays as it is replaces nothing: it is not sent again.
func (r *run) old(o object.Object) (object.Object, bool) {
	if r.subject.Old == nil || o.ID().Name == "" {
		return object.Object{}, false
	}
	old, ok := r.subject.Old(o.ID())
	if !ok || reflect.DeepEqual(old.Fields, o.Fields) {
		return object.Object{}, false
	}
	return old, true
}
