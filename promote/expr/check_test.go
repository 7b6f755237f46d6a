package expr

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheck(t *testing.T) {
	allowed := Names{Vars: []string{"imageRepo", "n"}, Outputs: []string{"update"}, TaskOutputs: []string{"commit"}, Status: true}
	tests := []struct {
		name     string
		template string
		names    Names
		want     []Problem
	}{
		{"no expression", "image.tag", Names{}, nil},
		{"all is well", "${{ quote(imageFrom(vars.imageRepo).Tag) }}-${{ outputs.update.x }}-${{ task.outputs['commit'].y }}-${{ ctx.meta.step.alias }}", allowed, nil},
		{"a missing variable with a default", "${{ vars.x ?? 1 }}", allowed, nil},
		{"local variables and predicates", "${{ let a = [1]; filter(a, # > 0)[0] }}", allowed, nil},
		{"an unclosed delimiter", "x ${{ vars.n", allowed, []Problem{{2, `"${{" at offset 2 is not closed: add "}}" after the expression`}}},
		{"a mistake before an unclosed delimiter", "${{ x }} ${{ vars.n", allowed, []Problem{
			{4, `unknown name: x; known: ctx, outputs, task, vars; a variable is written vars.x`},
			{9, `"${{" at offset 9 is not closed: add "}}" after the expression`},
		}},
		{"a syntax error", "${{ 1 + }}", allowed, []Problem{{4, `column 3: unexpected token EOF`}}},
		{"nothing", "${{  }}", allowed, []Problem{{3, `the expression is empty: write a variable or a function`}}},
		{"an unknown identifier", "${{ image.tag }}", Names{}, []Problem{{4, `unknown name: image; known: ctx, outputs, vars; a variable is written vars.image`}}},
		{"an unknown variable", "v${{ vars.imageRpo }}", allowed, []Problem{{5, `unknown name: vars.imageRpo; known: imageRepo, n; did you mean imageRepo?`}}},
		{"a variable where none is declared", "${{ vars.x }}", Names{}, []Problem{{4, `unknown name: vars.x; there is none`}}},
		{"an unknown function", "${{ imageform('x') }}", allowed, []Problem{{4, `unknown name: function imageform; did you mean imageFrom?`}}},
		{"an output of no step", "${{ outputs['updat'].x }}", allowed, []Problem{{4, `unknown name: outputs.updat; known: update; did you mean update?`}}},
		{"a task output of no step", "${{ task.outputs['comit'].x }}", allowed, []Problem{{4, `unknown name: task.outputs.comit; known: commit; did you mean commit?`}}},
		{"task outside of a task", "${{ task.outputs.x }}", Names{}, []Problem{{4, `task is not available: it exists only in the steps of a PromotionTask; outside, use outputs`}}},
		{"an unknown field of the context", "${{ ctx.targetFreight.orign.name }}", allowed, []Problem{{4, `unknown name: ctx.targetFreight.orign; known: alias, name, origin; did you mean origin?`}}},
		{"lower case on an image", "${{ imageFrom(vars.imageRepo).tag }}", allowed, []Problem{{4, `unknown name: imageFrom(…).tag; did you mean .Tag?`}}},
		{"an unknown field of an image", "${{ imageFrom(vars.imageRepo).Version }}", allowed, []Problem{{4, `unknown name: imageFrom(…).Version; known: Annotations, Digest, RepoURL, SubscriptionName, Tag`}}},
		{"a status function in variables", "${{ success() }}", Names{}, []Problem{{4, `success() is not available in variables: use it in the "if" or "config" of a step`}}},
		{"lower case on a commit", "${{ commitFrom('x').id }}", allowed, []Problem{{4, `unknown name: commitFrom(…).id; did you mean .ID?`}}},
		{"an unknown field of a chart", "${{ chartFrom('x', 'y').Tag }}", allowed, []Problem{{4, `unknown name: chartFrom(…).Tag; known: Name, RepoURL, SubscriptionName, Version`}}},
		{"lower case on an artifact", "${{ artifactFrom('x').version }}", allowed, []Problem{{4, `unknown name: artifactFrom(…).version; did you mean .Version?`}}},
		{"lower case on a version", "${{ semverParse('1.0.0').major() }}", allowed, []Problem{{4, `unknown name: semverParse(…).major; did you mean .Major?`}}},
		{"functions of the project", "${{ secret('a').b + configMap('c').d + sharedSecret('e').f + sharedConfigMap('g').h }}", Names{}, nil},
		{"functions of freight and stages", "${{ freightMetadata('a').b ?? stageMetadata('c').d ?? freightStatus('e').f }}", Names{}, nil},
		{"the status of a step before", "${{ status('update') == 'Skipped' or status('commit') == '' }}", allowed, nil},
		{"the status of no step", "${{ status('updat') == 'Skipped' }}", allowed, []Problem{{4, `unknown name: status("updat"): no step before this one has that alias; known: commit, update; did you mean update?`}}},
		{"metadata of a step before", "${{ stepMetas.update.status }}", allowed, nil},
		{"metadata of no step", "${{ stepMetas.updat.status }}", allowed, []Problem{{4, `unknown name: stepMetas.updat; known: update; did you mean update?`}}},
		{"unknown metadata of a step", "${{ stepMetas.update.state }}", allowed, []Problem{{4, `unknown name: stepMetas.update.state; known: alias, continueOnError, errorCount, message, status; did you mean status?`}}},
		{"metadata of steps in variables", "${{ stepMetas.update.status }}", Names{}, []Problem{{4, `stepMetas is not available: it exists only in steps, once one has run`}}},
		{"a target", "${{ target.name + target.params.region + target.labels['x'] }}", Names{Target: true}, nil},
		{"an unknown member of a target", "${{ target.param.region }}", Names{Target: true}, []Problem{{4, `unknown name: target.param; known: labels, name, params; did you mean params?`}}},
		{"an unknown member of a target where there is none", "${{ target.param }}", allowed, []Problem{{4, `target is not available: it exists only in a stage with targets`}}},
		{"a target where there is none", "${{ target.params.region }}", allowed, []Problem{{4, `target is not available: it exists only in a stage with targets`}}},
		{"who promotes", "${{ ctx.meta.promotion.actor }} ${{ ctx.meta.promotion.rollback }} ${{ ctx.uiBaseUrl }} ${{ ctx.targetFreight.alias }}", Names{}, nil},
		{"a wrong type", "${{ semverParse(1) }}", allowed, []Problem{{4, `column 13: cannot use int as argument (type string) to call semverParse`}}},
		{"several mistakes", "${{ vars.x + vars.y }}", Names{}, []Problem{{4, `unknown name: vars.x; there is none`}, {4, `unknown name: vars.y; there is none`}}},
		{"too long", strings.Repeat("x", maxTemplate+1), Names{}, []Problem{{0, `template of 65537 bytes, at most 65536 are allowed: expression beyond bounds`}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Check(tt.template, tt.names)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzCheck checks that problems point into the template, and that a template Check cannot cut up is not evaluated either.
func FuzzCheck(f *testing.F) {
	f.Add("${{ vars.n }} ${% outputs.update.commit %}")
	f.Add("${{ imageFrom('x').tag }} ${{")
	f.Add("${{ let vars = 1; vars.x }}")
	f.Fuzz(func(t *testing.T, template string) {
		if _, err := split(template); err != nil {
			if v, err := Eval(template, demoEnv()); err == nil {
				t.Fatalf("Eval(%q) = %#v", template, v)
			}
		}
		for _, p := range Check(template, Names{Vars: []string{"n"}, Status: true}) {
			if p.Message == "" || p.Offset < 0 || p.Offset > len(template) {
				t.Fatalf("Check(%q): %+v", template, p)
			}
		}
	})
}
