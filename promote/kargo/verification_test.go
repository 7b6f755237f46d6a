package kargo_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/manifest/manifesttest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
	"github.com/lockkeeper/lockkeeper/promote/kargo"
)

// verified declares a stage that is verified by one metric. The rows below damage it in one place.
const verified = stepped + `        - {uses: argocd-update, config: {apps: [{name: web}]}}
  verification:
    analysisTemplates:
      - name: health
    args:
      - name: host
        value: https://${{ vars.direct }}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: health, namespace: p}
spec:
  args:
    - name: host
    - {name: want, value: ok}
  metrics:
    - name: up
      count: 1
      successCondition: result == "{{args.want}}"
      provider:
        web:
          url: "{{args.host}}/health"
---
apiVersion: argoproj.io/v1alpha1
kind: ClusterAnalysisTemplate
metadata: {name: everywhere}
spec:
  args: [{name: host, value: https://default}]
  metrics: [{name: everywhere, provider: {web: {url: "{{args.host}}"}}}]
`

func TestVerificationFindings(t *testing.T) {
	tests := []struct{ name, old, new string }{
		{"nothing wrong", "name: health\n    args", "name: health\n    args"},

		// What the stage says.
		{"no template", "    analysisTemplates:\n      - name: health\n", "    analysisTemplates: []\n"},
		{"a template that does not exist and is near", "- name: health\n", "- name: helath\n"},
		{"a template of the cluster that does not exist", "- name: health\n", "- {name: health, kind: ClusterAnalysisTemplate}\n"},
		{"a template of an unknown kind", "- name: health\n", "- {name: health, kind: AnalysisRun}\n"},
		{"the same template twice", "- name: health\n", "- name: health\n      - name: health\n"},
		{"a verification that is a list", "  verification:\n    analysisTemplates:\n      - name: health\n    args:\n      - name: host\n        value: https://${{ vars.direct }}\n", "  verification: []\n"},
		{"an argument without a value", "    args:\n      - name: host\n        value: https://${{ vars.direct }}\n", ""},
		{"an argument that no template has", "      - name: host\n        value: https", "      - {name: wantt, value: x}\n      - name: host\n        value: https"},
		{"an argument twice", "      - name: host\n        value: https", "      - {name: host, value: x}\n      - name: host\n        value: https"},
		{"an argument that is no name", "      - name: host\n        value: https", "      - {name: \"a'b\", value: x}\n      - name: host\n        value: https"},
		{"an unknown variable in an argument", "vars.direct }}", "vars.dircet }}"},
		{"a status function in an argument", "${{ vars.direct }}", "${{ success() }}"},
		{"verification where nothing runs", "  promotionTemplate:\n    spec:\n      steps:\n        - uses: git-clone\n          config: {repoURL: 'https://g/a', checkout: [{path: ./src}, {branch: env/s, path: ./out, create: true}]}\n        - {uses: argocd-update, config: {apps: [{name: web}]}}\n", ""},

		// What the template says.
		{"a template without metrics", "  metrics:\n    - name: up\n      count: 1\n      successCondition: result == \"{{args.want}}\"\n      provider:\n        web:\n          url: \"{{args.host}}/health\"\n", "  metrics: []\n"},
		{"a template that builds on one that does not exist", "  args:\n    - name: host\n    - {", "  templates: [{templateName: bsae}]\n  args:\n    - name: host\n    - {"},
		{"a template that builds on itself", "  args:\n    - name: host\n    - {", "  templates: [{templateName: health}]\n  args:\n    - name: host\n    - {"},
		{"two defaults", "- name: health\n    args:\n      - name: host\n        value: https://${{ vars.direct }}\n", "- name: health\n      - {name: everywhere, kind: ClusterAnalysisTemplate}\n"},
		{"two defaults that differ", "    - {name: want, value: ok}\n", "    - {name: want, value: ok}\n    - {name: want, value: good}\n"},
		{"an unknown key of a template", "      count: 1\n", "      counts: 1\n"},
		{"an unknown version of Rollouts", "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate", "apiVersion: argoproj.io/v1\nkind: AnalysisTemplate"},
		{"an argument from a field", "    - {name: want, value: ok}\n", "    - {name: want, valueFrom: {fieldRef: {fieldPath: metadata.name}}}\n"},
		{"an argument from a secret without a key", "    - {name: want, value: ok}\n", "    - {name: want, valueFrom: {secretKeyRef: {name: a}}}\n"},

		// What the metric says.
		{"a job", "        web:\n          url: \"{{args.host}}/health\"\n", "        job: {spec: {}}\n"},
		{"a paid service", "        web:\n          url: \"{{args.host}}/health\"\n", "        datadog: {query: x}\n"},
		{"an unknown provider", "        web:\n", "        wbe:\n"},
		{"no provider", "      provider:\n        web:\n          url: \"{{args.host}}/health\"\n", ""},
		{"two providers", "        web:\n", "        prometheus: {address: a, query: b}\n        web:\n"},
		{"no name", "    - name: up\n      count: 1\n", "    - count: 1\n"},
		{"a metric with the name of a step", "        - {uses: argocd-update, config", "        - {uses: argocd-update, as: verify-health-up, config"},
		{"the same metric twice", "    - name: up\n", "    - {name: up, provider: {web: {url: x}}}\n    - name: up\n"},
		{"an unknown argument", "{{args.want}}", "{{args.wnat}}"},
		{"something else in braces", "{{args.want}}", "{{ inputs.want }}"},
		{"braces without an end", "{{args.want}}", "{{args.want"},
		{"a condition that does not parse", "result == \"{{args.want}}\"", "result ==="},
		{"a count that is no number", "count: 1\n", "count: many\n"},
		{"a count that is a list", "count: 1\n", "count: [1]\n"},
		{"a count from an argument that is no number", "count: 1\n", "count: '{{args.want}}'\n"},
		{"many measurements without a pause", "count: 1\n", "count: 5\n"},
		{"an interval without a count", "count: 1\n", "interval: 10s\n"},
		{"an interval that is none", "count: 1\n", "count: 2\n      interval: often\n"},
		{"a dry run that is no expression", "  metrics:\n    - name: up\n", "  dryRun: [{metricName: '('}]\n  metrics:\n    - name: up\n"},
		{"a text that grows without bound", "value: ok}", "value: '" + strings.Repeat("x", 40_000) + "'}\n    - {name: more, value: '" + strings.Repeat("y", 30_000) + "'}"},

		// What the provider says.
		{"no url", "          url: \"{{args.host}}/health\"\n", "          method: GET\n"},
		{"an unknown key of a provider", "          url: \"{{args.host}}/health\"\n", "          uri: x\n"},
		{"an unknown way to ask", "          url: \"{{args.host}}/health\"\n", "          url: x\n          method: FETCH\n"},
		{"a body with GET", "          url: \"{{args.host}}/health\"\n", "          url: x\n          body: text\n"},
		{"two bodies for a metric", "          url: \"{{args.host}}/health\"\n", "          url: x\n          method: PUT\n          body: text\n          jsonBody: {a: b}\n"},
		{"authentication", "          url: \"{{args.host}}/health\"\n", "          url: x\n          authentication: {oauth2: {}}\n"},
		{"a header without a key", "          url: \"{{args.host}}/health\"\n", "          url: x\n          headers: [{value: text}]\n"},
		{"a Prometheus that is not named", "        web:\n          url: \"{{args.host}}/health\"\n", "        prometheus: {timeout: 5}\n"},
	}
	want := goldenFindings(t, "testdata/verification.txt")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(verified, tt.old) {
				t.Fatalf("%q is not in the manifests", tt.old)
			}
			text := strings.Replace(verified, tt.old, tt.new, 1)
			if tt.name == "a text that grows without bound" {
				text = strings.Replace(text, "{{args.want}}", "{{args.want}}{{args.more}}", 1)
			}
			pipelines, findings := kargo.Load(manifesttest.Split(t, "p.yaml", text))
			var got []string
			bad := false
			for _, f := range findings {
				got = append(got, finding(f))
				bad = bad || f.Severity == promote.SeverityError
				if f.Position.Line == 0 || f.Remedy == "" && f.Code != "invalid-expression" && f.Code != "invalid-manifest" {
					t.Errorf("no remedy or position: %s", finding(f))
				}
			}
			want.compare(t, tt.name, got)
			s := pipelines[0].Stages[0]
			if len(s.Verify) == 0 && len(s.Steps) > 0 {
				t.Error("a stage that is to be verified would be taken for verified")
			}
		})
	}
}

func TestBrokenMetricsDoNotPass(t *testing.T) {
	text := strings.Replace(verified, "{{args.want}}", "{{args.wnat}}", 1)
	pipelines, _ := kargo.Load(manifesttest.Split(t, "p.yaml", text))
	want := []promote.Step{{Uses: "invalid", As: "verify-health-up", Position: promote.Position{File: "p.yaml", Line: 37, Column: 7}}}
	if diff := cmp.Diff(want, pipelines[0].Stages[0].Verify); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestArgumentsAreEvaluatedByThemselves puts an argument that Kargo would take for a number between the quotes of a condition.
func TestArgumentsAreEvaluatedByThemselves(t *testing.T) {
	text := strings.NewReplacer(
		"- {name: want, value: ok}", "- {name: want}\n    - {name: plain, value: '${{ 1 }}'}",
		`result == "{{args.want}}"`, `'"{{args.want}}" == result && "{{args.plain}}${% 2 %}" != "{{args.want}}"'`,
		"        value: https://", "        value: https://a\n      - {name: want, value: \"${{ quote('1.10') }}\"}\n      - name: other\n        value: ",
	).Replace(verified)
	pipelines, _ := kargo.Load(manifesttest.Split(t, "p.yaml", text))
	step := pipelines[0].Stages[0].Verify[0]
	env := expr.Env{Vars: map[string]any{}}
	for _, v := range step.Vars {
		value, err := expr.Eval(v.Value, env)
		if err != nil {
			t.Fatal(err)
		}
		env.Vars[v.Name] = value.Any()
	}
	var config any
	if err := json.Unmarshal(step.Config, &config); err != nil {
		t.Fatal(err)
	}
	got, err := expr.EvalTree(config, env)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"name": "up", "url": "https://a/health", "count": 1.0,
		"successCondition": ` "1.10" == result && "${{ 1 }}${% 2 %}" != "1.10"`,
	}
	if diff := cmp.Diff(any(want), got.Any()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestVerificationIsBounded(t *testing.T) {
	many := strings.Repeat("- {name: up, provider: {web: {url: x}}}\n    ", 1000)
	pipelines, _ := kargo.Load(manifesttest.Split(t, "p.yaml", strings.Replace(verified, "- name: up\n", many+"- name: up\n", 1)))
	if n := len(pipelines[0].Stages[0].Verify); n > 210 {
		t.Errorf("%d steps", n)
	}
}

func TestLongListsOfATemplateAreNotRead(t *testing.T) {
	many := strings.Repeat("    - {name: a, value: b}\n", 1000)
	pipelines, findings := kargo.Load(manifesttest.Split(t, "p.yaml", strings.Replace(verified, "    - {name: want", many+"    - {name: want", 1)))
	var codes []string
	for _, f := range findings {
		codes = append(codes, f.Code)
	}
	if diff := cmp.Diff([]string{"too-many-arguments"}, codes); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := pipelines[0].Stages[0].Verify; len(got) != 1 || got[0].Uses != "invalid" {
		t.Errorf("verified by %v", got)
	}
}

// TestTemplatesDoNotMultiply has many stages share a template of which each copy is long.
func TestTemplatesDoNotMultiply(t *testing.T) {
	parts := strings.Split(verified, "---\n")
	stage := strings.Replace(parts[2], "        value: https://${{ vars.direct }}\n", "        value: "+strings.Repeat("x", 60_000)+"\n", 1)
	var b strings.Builder
	b.WriteString(verified)
	for i := range 50 {
		b.WriteString("---\n" + strings.Replace(stage, "name: s,", fmt.Sprintf("name: s%d,", i), 1))
	}
	headers := "          headers: [" + strings.Repeat("{key: a, value: '{{args.host}}'}, ", 50) + "]\n          url:"
	pipelines, findings := kargo.Load(manifesttest.Split(t, "p.yaml", strings.Replace(b.String(), "          url:", headers, 1)))
	size, refused := 0, false
	for _, s := range pipelines[0].Stages {
		for _, step := range s.Verify {
			size += len(step.Config)
		}
	}
	for _, f := range findings {
		refused = refused || f.Code == "too-large"
	}
	if size > 80<<20 || !refused {
		t.Errorf("%d bytes of configuration, refused: %v", size, refused)
	}
}

func TestTemplatesThatAreNoYAML(t *testing.T) {
	err := &manifest.Error{File: "a.yaml", Line: 3, Kind: "AnalysisTemplate", Problem: "not YAML"}
	findings := kargo.Problems(err)
	if len(findings) != 1 || findings[0].Severity != promote.SeverityWarning {
		t.Errorf("findings %v, want one warning: the stages that use it have an error", findings)
	}
}
