package check

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// admissionText is a policy about Deployments, called replicas; more is what else its spec says.
func admissionText(rule string, more ...string) string {
	text := fmt.Sprintf(`---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: replicas}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}]
  validations:
    - expression: %q
      message: two replicas, please
`, rule)
	for _, line := range more {
		text += "  " + line + "\n"
	}
	return text
}

func bindingText(actions string, more ...string) string {
	text := "---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {name: replicas}\nspec:\n  policyName: replicas\n  validationActions: [" + actions + "]\n"
	for _, line := range more {
		text += "  " + line + "\n"
	}
	return text
}

func TestAdmissionPolicies(t *testing.T) {
	const (
		web    = "Deployment shop/web: ValidatingAdmissionPolicy replicas "
		remedy = "change the object, or the policy in rules.yaml:2 [admission-policy]"
		broken = "object.spec.replicas >= 3"
	)
	for _, c := range []struct {
		name, rules string
		want        []string
	}{
		{"it holds", admissionText("object.spec.replicas >= 2") + bindingText("Deny"), nil},
		{"it does not", admissionText(broken) + bindingText("Deny"), []string{"error: " + web + "refuses it: two replicas, please; " + remedy}},
		{"it warns and notes", admissionText(broken) + bindingText("Warn, Audit"), []string{
			"warning: " + web + "warns: two replicas, please; " + remedy, "info: " + web + "notes: two replicas, please; " + remedy,
		}},
		{"without a binding it is not in force", admissionText(broken), nil},
		{
			"variables and a message of its own",
			admissionText("variables.count >= 3", "variables: [{name: count, expression: object.spec.replicas}]") + bindingText("Deny"),
			[]string{"error: " + web + "refuses it: two replicas, please; " + remedy},
		},
		{"a condition leaves it alone", admissionText(broken, `matchConditions: [{name: a, expression: "object.metadata.name != 'web'"}]`) + bindingText("Deny"), nil},
		{
			"what cannot be evaluated refuses", admissionText("object.spec.nothing > 1") + bindingText("Deny"),
			[]string{"error: " + web + "refuses it: it could not be evaluated, which counts as refused: expression 'object.spec.nothing > 1' resulted in error: no such key: nothing; " + remedy},
		},
		{"unless it says otherwise", admissionText("object.spec.nothing > 1", "failurePolicy: Ignore") + bindingText("Deny"), nil},
		{"other objects by labels", admissionText(broken) + bindingText("Deny", "matchResources: {objectSelector: {matchLabels: {team: a}}}"), nil},
		{"excluded", admissionText(broken) + bindingText("Deny", "matchResources: {excludeResourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*']}]}"), nil},
		{"another namespace", admissionText(broken) + bindingText("Deny", "matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: other}}}"), nil},
		{
			"a namespace of the repository", admissionText(broken) + bindingText("Deny", "matchResources: {namespaceSelector: {matchLabels: {tier: prod}}}") +
				"---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {tier: prod}}}\n",
			[]string{"error: " + web + "refuses it: two replicas, please; " + remedy},
		},
		{
			"a namespace of elsewhere", admissionText(broken) + bindingText("Deny", "matchResources: {namespaceSelector: {matchLabels: {tier: prod}}}"),
			[]string{"info: " + web + `cannot be decided here: the labels of namespace "shop" are not in this repository [policy-undecided]`},
		},
		{
			"who applies it", admissionText(`request.userInfo.username == "ci"`) + bindingText("Deny"),
			[]string{"info: " + web + "cannot be decided here: it asks for who applies it [policy-undecided]"},
		},
		{
			"what that one may do", admissionText(`authorizer.group("apps").resource("deployments").check("scale").allowed()`) + bindingText("Deny"),
			[]string{"info: " + web + "cannot be decided here: it asks for who applies it [policy-undecided]"},
		},
		{
			"parameters", admissionText("object.spec.replicas >= int(params.data.least)", "paramKind: {apiVersion: v1, kind: ConfigMap}") +
				bindingText("Deny", "paramRef: {name: least, namespace: policies, parameterNotFoundAction: Deny}") +
				"---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: least, namespace: policies}, data: {least: '3'}}\n",
			[]string{"error: " + web + "refuses it: two replicas, please; " + remedy},
		},
		{
			"parameters of elsewhere", admissionText("object.spec.replicas >= int(params.data.least)", "paramKind: {apiVersion: v1, kind: ConfigMap}") +
				bindingText("Deny", "paramRef: {name: least, namespace: policies, parameterNotFoundAction: Deny}"),
			[]string{"info: " + web + "cannot be decided here: its parameters, ConfigMap least, are not in this repository [policy-undecided]"},
		},
		{"it is new, and replaces nothing", admissionText(`request.operation == "CREATE" && oldObject == null && request.dryRun == false`) + bindingText("Deny"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules, found := rulesOf(t, c.rules, Options{})
			if len(found) > 0 {
				t.Errorf("the rules: %v", found)
			}
			got := said(rules.Check(t.Context(), Subject{Objects: objects(t, deployment)}))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAdmissionPoliciesSeeWhatWasThere(t *testing.T) {
	rules, _ := rulesOf(t, admissionText("oldObject == null || object.spec.replicas >= oldObject.spec.replicas")+bindingText("Deny"), Options{})
	if !rules.AsksForOld() {
		t.Fatal("nobody asks for what was there")
	}
	check := func(before, after string) []string {
		old := objects(t, before)[0]
		return said(rules.Check(t.Context(), Subject{Objects: objects(t, after), Old: func(id object.ID) (object.Object, bool) { return old, id == old.ID() }}))
	}
	if got := check(deployment, with("replicas: 2", "replicas: 3")); got != nil {
		t.Errorf("more replicas: %v", got)
	}
	if got := check(with("replicas: 2", "replicas: 3"), deployment); len(got) != 1 {
		t.Errorf("fewer replicas: %v", got)
	}
}

func TestAPolicyIsInForceWhereItIsDeployed(t *testing.T) {
	docs := documents(t, admissionText("false")+bindingText("Deny"))
	rules, _, err := newChecker(t).Rules(Sources{Documents: docs, Clusters: func(string) []string { return []string{"https://eu"} }})
	if err != nil {
		t.Fatal(err)
	}
	for cluster, want := range map[string]int{"https://eu": 1, "https://us": 0} {
		if got := rules.Check(t.Context(), Subject{Objects: objects(t, deployment), Cluster: Cluster{ID: cluster}}); len(got) != want {
			t.Errorf("%s: %v", cluster, got)
		}
	}
}

func TestAPolicyThatIsNoneIsToldAtItsPlace(t *testing.T) {
	_, found := rulesOf(t, admissionText("object.spec.replicas >=")+bindingText("Deny"), Options{})
	if len(found) != 1 || found[0].Code != CodeInvalidPolicy || found[0].Line != 9 || found[0].Severity != finding.Error {
		t.Errorf("findings: %v", found)
	}
}

func TestAPolicyAboutNothingIsNone(t *testing.T) {
	text := strings.Replace(admissionText("false"), "    resourceRules:", "    excludeResourceRules:", 1)
	rules, found := rulesOf(t, text+bindingText("Deny"), Options{})
	if len(found) != 1 || found[0].Code != CodeInvalidPolicy || found[0].Line != 6 && found[0].Line != 7 {
		t.Errorf("findings: %v", found)
	}
	if got := rules.Check(t.Context(), Subject{Objects: objects(t, deployment)}); len(got) > 0 {
		t.Errorf("it is asked: %v", got)
	}
}

func TestRepositoryPolicies(t *testing.T) {
	const web = `Deployment shop/web: policy "two": `
	const remedy = "; change the object, or the policy in lockkeeper.yaml [repository-policy]"
	for _, c := range []struct {
		name   string
		policy Policy
		want   []string
	}{
		{"it holds", Policy{Rule: "object.spec.replicas >= 2"}, nil},
		{"it does not", Policy{Rule: "object.spec.replicas > 2", Message: "too few"}, []string{"error: " + web + "too few" + remedy}},
		{"a warning that tells its rule", Policy{Rule: "object.spec.replicas > 2", Severity: finding.Warning}, []string{"warning: " + web + "it must be true that object.spec.replicas > 2" + remedy}},
		{"of the kind", Policy{Rule: "false", Kinds: []string{"Service", "apps/*"}, Message: "no"}, []string{"error: " + web + "no" + remedy}},
		{"of another kind", Policy{Rule: "false", Kinds: []string{"Service"}}, nil},
		{"of another application", Policy{Rule: "false", Applications: []string{"*-production"}}, nil},
		{"of the cluster", Policy{Rule: "false", Clusters: []string{"eu-*"}, Message: "no"}, []string{"error: " + web + "no" + remedy}},
		{"of the cluster's server", Policy{Rule: "false", Clusters: []string{"*eu*"}, Message: "no"}, []string{"error: " + web + "no" + remedy}},
		{"of a part of the kind", Policy{Rule: "false", Kinds: []string{"*Deployment"}, Message: "no"}, []string{"error: " + web + "no" + remedy}},
		{"of another namespace", Policy{Rule: "false", Namespaces: []string{"other"}}, nil},
		{
			"what is missing",
			Policy{Rule: "object.spec.nothing > 2", Message: "no"},
			[]string{"error: " + web + "no: no such key: nothing; let the rule ask with has(…) for what may be missing [repository-policy]"},
		},
		{"neither", Policy{Rule: "object.spec.replicas", Message: "no"}, []string{"error: " + web + "no: the rule is neither true nor false; compare it with what it must be [repository-policy]"}},
		{"nothing was there", Policy{Rule: "oldObject == null"}, nil},
		{"Kubernetes' libraries", Policy{Rule: `quantity(object.spec.template.spec.containers[0].resources.limits.memory).isLessThan(quantity("1Gi"))`}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.policy.Name = "two"
			if err := CompilePolicy(c.policy); err != nil {
				t.Fatal(err)
			}
			rules, _ := rulesOf(t, "", Options{Policies: []Policy{c.policy}})
			got := said(rules.Check(t.Context(), Subject{Application: "web", Objects: objects(t, deployment), Cluster: Cluster{ID: "https://rancher/eu/1", Name: "eu-1"}}))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompilePolicy(t *testing.T) {
	for rule, want := range map[string]string{
		"object.spec.replicas >= 2":   "",
		"objekt.spec.replicas >= 2":   `1:1 the rule is no CEL: undeclared reference to 'objekt'`,
		"true &&\n  object.a >= && 1": `2:15 the rule is no CEL: Syntax error: `,
		"1 + 1":                       `0:0 the rule is int, not true or false`,
	} {
		err := CompilePolicy(Policy{Rule: rule})
		got := ""
		if err != nil {
			wrong := manifest.Errors(err)[0]
			got = fmt.Sprintf("%d:%d %s", wrong.Line, wrong.Column, wrong.Problem)
		}
		if len(got) < len(want) || got[:len(want)] != want || want == "" && got != "" {
			t.Errorf("%s: %q, want %q", rule, got, want)
		}
	}
}

func TestARuleThatNeverEndsIsEnded(t *testing.T) {
	rule := "[0,1,2,3,4,5,6,7,8,9]"
	all := rule + ".all(a, " + rule + ".all(b, " + rule + ".all(c, " + rule + ".all(d, " + rule + ".all(e, " + rule + ".all(f, " + rule + ".all(g, a + b + c + d + e + f + g >= 0)))))))"
	rules, _ := rulesOf(t, "", Options{Policies: []Policy{{Name: "long", Rule: all, Message: "no"}}})
	want := []string{`error: Deployment shop/web: policy "long": no: operation cancelled: actual cost limit exceeded; let the rule ask with has(…) for what may be missing [repository-policy]`}
	if diff := cmp.Diff(want, said(rules.Check(t.Context(), Subject{Objects: objects(t, deployment)}))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestAPolicyThatCostsTooMuchIsNotAskedForever(t *testing.T) {
	numbers := "[" + strings.Repeat("0, ", 99) + "0]"
	all := numbers + ".all(a, " + numbers + ".all(b, a + b >= 0))"
	var validations, many strings.Builder
	for range 50 {
		fmt.Fprintf(&validations, "    - expression: %q\n", all)
	}
	for i := range 20 {
		many.WriteString("---\n" + strings.Replace(deployment, "name: web", fmt.Sprintf("name: web-%d", i), 1))
	}
	rules, _ := rulesOf(t, strings.Replace(admissionText("true"), "  validations:\n", "  validations:\n"+validations.String(), 1)+bindingText("Audit"), Options{
		Policies: []Policy{{Name: "last", Rule: `object.metadata.name != "web-19"`}},
	})
	want := []string{
		"error: Deployment shop/web-N: ValidatingAdmissionPolicy replicas is not asked about this and what follows: it costs too much to ask it about all objects; make the expressions of rules.yaml:2 cheaper, or its matchConstraints narrower [unchecked]",
		`error: Deployment shop/web-19: policy "last": it must be true that object.metadata.name != "web-19"; change the object, or the policy in lockkeeper.yaml [repository-policy]`,
	}
	got := said(rules.Check(t.Context(), Subject{Objects: objects(t, many.String())}))
	if len(got) == len(want) { // which object is the first depends on what the library calls expensive
		got[0] = regexp.MustCompile(`web-\d+:`).ReplaceAllString(got[0], "web-N:")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestANamespaceIsInNoNamespace(t *testing.T) {
	const space = "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {tier: prod}}}\n"
	policy := func(scope string) string {
		rules := "[{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [namespaces], scope: " + scope + "}]"
		text := admissionText(`namespaceObject == null && request.namespace == "shop" && false`)
		return strings.Replace(text, "[{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}]", rules+"\n    namespaceSelector: {matchLabels: {tier: prod}}", 1) + bindingText("Deny")
	}
	for scope, want := range map[string][]string{
		"Namespaced": nil,
		"Cluster":    {"error: Namespace shop: ValidatingAdmissionPolicy replicas refuses it: two replicas, please; change the object, or the policy in rules.yaml:2 [admission-policy]"},
	} {
		rules, _ := rulesOf(t, policy(scope), Options{})
		if diff := cmp.Diff(want, said(rules.Check(t.Context(), Subject{Objects: objects(t, space)}))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", scope, diff)
		}
		holds, _ := rulesOf(t, strings.Replace(policy(scope), "&& false", "", 1), Options{})
		if got := said(holds.Check(t.Context(), Subject{Objects: objects(t, space)})); len(got) > 0 {
			t.Errorf("%s: it holds, but %v", scope, got)
		}
	}
}

func TestConditionsAreDecidedOneByOne(t *testing.T) {
	const asked = `matchConditions: [{name: who, expression: "request.userInfo.username != 'ci'"}, {name: what, expression: %q}]`
	for expression, want := range map[string][]string{
		"object.metadata.name == 'other'": nil,
		"object.metadata.name == 'web'": {
			"info: Deployment shop/web: ValidatingAdmissionPolicy replicas cannot be decided here: it asks for who applies it [policy-undecided]",
		},
	} {
		rules, _ := rulesOf(t, admissionText("false", fmt.Sprintf(asked, expression))+bindingText("Deny"), Options{})
		if diff := cmp.Diff(want, said(rules.Check(t.Context(), Subject{Objects: objects(t, deployment)}))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expression, diff)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add("object.spec.replicas >= 2")
	f.Add("object.spec.template.spec.containers.all(c, c.image.contains('@sha256:'))")
	f.Add("oldObject == null || [")
	web := objects(f, deployment)
	checker := newChecker(f)
	f.Fuzz(func(t *testing.T, rule string) {
		p := Policy{Name: "fuzz", Rule: rule}
		if CompilePolicy(p) != nil {
			return
		}
		rules, _, err := checker.Rules(Sources{Options: Options{Policies: []Policy{p}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range rules.Check(t.Context(), Subject{Objects: web}) {
			if found.Code == CodeUnchecked {
				t.Error(found)
			}
		}
	})
}
