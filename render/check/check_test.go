package check

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/directory"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/kro/schema"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// library is read once: it takes longer than most tests.
var library = sync.OnceValues(schema.Open)

func newChecker(tb testing.TB) *Checker {
	tb.Helper()
	library, err := library()
	if err != nil {
		tb.Fatal(err)
	}
	checker, err := NewChecker(library)
	if err != nil {
		tb.Fatal(err)
	}
	return checker
}

// objects reads manifests, as documents of m.yaml.
func objects(tb testing.TB, text string) []object.Object {
	tb.Helper()
	all, err := directory.Parse("m.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

func documents(tb testing.TB, text string) []manifest.Document {
	tb.Helper()
	docs, err := manifest.Split("rules.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return docs
}

// rulesOf makes rules of manifests, where those that policies ask for lie beside them.
func rulesOf(tb testing.TB, text string, options Options) (*Rules, []finding.Finding) {
	tb.Helper()
	docs := documents(tb, text)
	rules, found, err := newChecker(tb).Rules(Sources{Documents: docs, Options: options, Find: func(kinds []manifest.Kind) ([]manifest.Document, error) {
		var out []manifest.Document
		for _, doc := range docs {
			if slices.Contains(kinds, doc.GroupKind()) {
				out = append(out, doc)
			}
		}
		return out, nil
	}})
	if err != nil {
		tb.Fatal(err)
	}
	return rules, found
}

// said prints findings without their place.
func said(found []finding.Finding) []string {
	var out []string
	for _, f := range found {
		f.File, f.Line, f.Column = "", 0, 0
		out = append(out, f.String())
	}
	return out
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: nginx:1.29
          ports: [{containerPort: 80}]
          resources: {limits: {cpu: 500m, memory: 128Mi}}
`

func with(old, replacement string) string {
	if !strings.Contains(deployment, old) {
		panic("the deployment has no " + old)
	}
	return strings.Replace(deployment, old, replacement, 1)
}

func TestKubernetesKinds(t *testing.T) {
	const web = "Deployment shop/web: "
	for _, c := range []struct {
		name, version, manifest string
		want                    []string
	}{
		{"all is well", "", deployment, nil},
		{"a mistyped field", "1.31", with("replicas:", "replica:"), []string{
			`warning: ` + web + `spec.replica is not known to Kubernetes 1.31 and will be dropped; did you mean "replicas"? [schema-unknown-field]`,
		}},
		{"a field at the wrong place", "1.36", with("      containers:", "      ports: []\n      containers:"), []string{
			`warning: ` + web + `spec.template.spec.ports is not known to Kubernetes 1.36 and will be dropped; remove it, or write it where it belongs [schema-unknown-field]`,
		}},
		{"a field that came later", "1.31", with("      containers:", "      resources: {limits: {cpu: 1}}\n      containers:"), []string{
			`warning: ` + web + `spec.template.spec.resources is not known to Kubernetes 1.31 and will be dropped; remove it, or write it where it belongs [schema-unknown-field]`,
		}},
		{"the same where it is there", "v1.34.1-eks", with("      containers:", "      resources: {limits: {cpu: 1}}\n      containers:"), nil},
		{"of a newer cluster it is not told", "1.99", with("replicas:", "replica:"), nil},
		{"a number in quotes", "", with("replicas: 2", `replicas: "2"`), []string{
			`error: ` + web + `spec.replicas is a string: the API server refuses it, it must be a whole number; remove the quotes [schema-type]`,
		}},
		{"a fraction", "", with("replicas: 2", `replicas: 2.5`), []string{
			`error: ` + web + `spec.replicas is a number with a fraction: the API server refuses it, it must be a whole number [schema-type]`,
		}},
		{"a whole number with a point", "", with("replicas: 2", `replicas: 2.0`), nil},
		{"a number that is too large", "", with("replicas: 2", `replicas: 3000000000`), []string{
			`error: ` + web + `spec.replicas does not fit into 32 bits: the API server refuses it [schema-value]`,
		}},
		{"an environment variable without quotes", "", with("image:", "env: [{name: PORT, value: 8080}]\n          image:"), []string{
			`error: ` + web + `spec.template.spec.containers[0].env[0].value is a number: the API server refuses it, it must be a string; put it in quotes [schema-type]`,
		}},
		{"an object where a list must be", "", with("ports: [{containerPort: 80}]", "ports: {containerPort: 80}"), []string{
			`error: ` + web + `spec.template.spec.containers[0].ports is an object: the API server refuses it, it must be a list; write it as an item of a list, behind a dash [schema-type]`,
		}},
		{"what is required", "", with("- name: web\n          image", "- image"), []string{
			`error: ` + web + `spec.template.spec.containers[0].name is missing: the API server refuses the object; add name [schema-required]`,
		}},
		{"null is nothing", "", with("replicas: 2", "replicas: null\n  strategy: ~"), nil},
		{"null is not what is required", "", with("- name: web", "- name: null"), []string{
			`error: ` + web + `spec.template.spec.containers[0].name is missing: the API server refuses the object; add name [schema-required]`,
		}},
		{"quantities", "", with("cpu: 500m, memory: 128Mi", "cpu: 0.5, memory: 1e3"), nil},
		{"what is no quantity", "", with("memory: 128Mi", "memory: 128MB"), []string{
			`error: ` + web + `spec.template.spec.containers[0].resources.limits.memory is no quantity: the API server refuses it; write a number and a unit, such as 500m, 2 or 1.5Gi [schema-value]`,
		}},
		{"a status may say less", "", deployment + "status: {conditions: [{}]}\n", nil},
		{
			"numbers or strings", "", `{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80, targetPort: http}, {port: 81, targetPort: 8080}, {port: 82, targetPort: true}]}}`,
			[]string{`error: Service web: spec.ports[2].targetPort is a boolean: the API server refuses it, it must be a whole number or a string [schema-type]`},
		},
		{
			"a Secret that is not encoded, whose value is not told", "", "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\ndata: {password: hunter2!, b64: aHVudGVyMg==}\nstringData: {pin: 1234}\n",
			[]string{
				`error: Secret web: stringData.pin is a number: the API server refuses it, it must be a string; put it in quotes [schema-type]`,
				`error: Secret web: data.password is not base64: the API server refuses it; encode it, as base64 does, or write it as it is under stringData [schema-value]`,
			},
		},
		{"a time", "", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, creationTimestamp: null, deletionTimestamp: soon}\n", []string{
			`error: Namespace shop: metadata.deletionTimestamp is no time: the API server refuses it; write one such as 2026-01-31T12:00:00Z [schema-value]`,
		}},
		{"a StatefulSet without a service", "1.31", "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {selector: {}, template: {spec: {containers: [{name: db}]}}}\n", nil},
		{"lists of many are taken apart", "", "apiVersion: v1\nkind: List\nmetadata: {}\n", nil},
		{"a kind of somebody else", "", "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {anything: [1]}\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules, _ := rulesOf(t, "", Options{})
			got := said(rules.Check(t.Context(), Subject{Objects: objects(t, c.manifest), Cluster: Cluster{Version: c.version}}))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		name, version, manifest string
		want                    []string
	}{
		{"an upper-case name", "", "{apiVersion: v1, kind: ConfigMap, metadata: {name: Web}}", []string{
			`error: ConfigMap Web: "Web" is no name for it: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character; correct metadata.name [schema-name]`,
		}},
		{"roles may have colons", "", "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: 'system:web'}}", nil},
		{"a namespace has no dots", "", "{apiVersion: v1, kind: Namespace, metadata: {name: a.b}}", []string{
			`error: Namespace a.b: "a.b" is no name for it: must not contain dots; correct metadata.name [schema-name]`,
		}},
		{"a service that begins with a digit", "1.33", "{apiVersion: v1, kind: Service, metadata: {name: 1web}}", []string{
			`error: Service 1web: "1web" is no name for it: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character; correct metadata.name [schema-name]`,
		}},
		{"the same later", "1.34", "{apiVersion: v1, kind: Service, metadata: {name: 1web}}", nil},
		{"no name", "", "{apiVersion: v1, kind: ConfigMap, metadata: {namespace: shop}}", []string{
			`error: ConfigMap shop: it has no name: the API server refuses it; add metadata.name [schema-name]`,
		}},
		{"a generated name", "", "{apiVersion: batch/v1, kind: Job, metadata: {generateName: migrate-}, spec: {template: {spec: {containers: [{name: a}]}}}}", nil},
		{"labels", "", "{apiVersion: v1, kind: ConfigMap, metadata: {name: web, labels: {a/b/c: x, ok: not ok, one: 1}}}", []string{
			`error: ConfigMap web: label "a/b/c" is refused by the API server: a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character; correct it [schema-name]`,
			`error: ConfigMap web: label "ok" is refused by the API server: its value must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character; correct it [schema-name]`,
			`error: ConfigMap web: metadata.labels.one is a number: the API server refuses it, it must be a string; put it in quotes [schema-type]`,
		}},
		{"labels of a kind of somebody else", "", "{apiVersion: example.com/v1, kind: Widget, metadata: {name: w, annotations: {a: true}}}", []string{
			`error: example.com/Widget w: metadata.annotations.a is a boolean: the API server refuses it, it must be a string; put it in quotes [schema-type]`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules, _ := rulesOf(t, "", Options{})
			got := said(rules.Check(t.Context(), Subject{Objects: objects(t, c.manifest), Cluster: Cluster{Version: c.version}}))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVersionsOfKinds(t *testing.T) {
	manifestOf := func(apiVersion, kind string) string {
		return "{apiVersion: " + apiVersion + ", kind: " + kind + ", metadata: {name: web}, spec: {}}"
	}
	for _, c := range []struct {
		name, version, manifest string
		want                    []string
	}{
		{"gone", "1.29", manifestOf("policy/v1beta1", "PodDisruptionBudget"), []string{
			`error: PodDisruptionBudget web: policy/v1beta1 PodDisruptionBudget was removed in Kubernetes 1.25, and the cluster runs 1.29; use policy/v1 [api-removed]`,
		}},
		{"gone, as far as anybody knows", "", manifestOf("extensions/v1beta1", "Ingress"), []string{
			`warning: Ingress web: extensions/v1beta1 Ingress was removed in Kubernetes 1.22, and the version of the cluster is not configured; use networking.k8s.io/v1 [api-removed]`,
		}},
		{"gone, without a successor", "1.31", manifestOf("policy/v1beta1", "PodSecurityPolicy"), []string{
			`error: PodSecurityPolicy web: policy/v1beta1 PodSecurityPolicy was removed in Kubernetes 1.25, and the cluster runs 1.31; use Pod Security Admission [api-removed]`,
		}},
		{"not yet gone in an old cluster", "1.21", manifestOf("batch/v1beta1", "CronJob"), nil},
		{"deprecated, and told by the type", "1.31", manifestOf("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema"), []string{
			`error: flowcontrol.apiserver.k8s.io/FlowSchema web: spec.priorityLevelConfiguration is missing: the API server refuses the object; add priorityLevelConfiguration [schema-required]`,
			`warning: flowcontrol.apiserver.k8s.io/FlowSchema web: flowcontrol.apiserver.k8s.io/v1beta3 FlowSchema is deprecated since Kubernetes 1.29 and will be removed in 1.32; use flowcontrol.apiserver.k8s.io/v1 [api-deprecated]`,
		}},
		{"too new", "1.33", manifestOf("storage.k8s.io/v1", "VolumeAttributesClass"), []string{
			`error: storage.k8s.io/VolumeAttributesClass web: storage.k8s.io/v1 VolumeAttributesClass exists since Kubernetes 1.34, and the cluster runs 1.33; use storage.k8s.io/v1alpha1 or storage.k8s.io/v1beta1 [schema-kind]`,
			`error: storage.k8s.io/VolumeAttributesClass web: driverName is missing: the API server refuses the object; add driverName [schema-required]`,
			`warning: storage.k8s.io/VolumeAttributesClass web: spec is not known to Kubernetes 1.34 and will be dropped; remove it, or write it where it belongs [schema-unknown-field]`,
		}},
		{"in another group", "1.36", manifestOf("apps/v1", "Ingress"), []string{
			`error: Ingress web: Kubernetes 1.36 has no kind Ingress in apps/v1; use networking.k8s.io/v1 [schema-kind]`,
		}},
		{"mistyped", "", manifestOf("apps/v1", "Deploymnt"), []string{
			`error: Deploymnt web: Kubernetes 1.37 has no kind Deploymnt in apps/v1; did you mean "Deployment"? [schema-kind]`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules, _ := rulesOf(t, "", Options{})
			got := said(rules.Check(t.Context(), Subject{Objects: objects(t, c.manifest), Cluster: Cluster{Version: c.version}}))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestModes(t *testing.T) {
	wrong := with("replicas: 2", "replicas: two")
	for mode, want := range map[Mode][]string{
		ModeWarning: {"warning: Deployment shop/web: spec.replicas is a string: the API server refuses it, it must be a whole number [schema-type]"},
		ModeOff:     nil,
	} {
		rules, _ := rulesOf(t, "", Options{Schema: mode})
		if diff := cmp.Diff(want, said(rules.Check(t.Context(), Subject{Objects: objects(t, wrong)}))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", mode, diff)
		}
	}
}

func TestWhatOnlyTheClusterKnowsIsNotHeldAgainstAnObject(t *testing.T) {
	rules, _ := rulesOf(t, widgets+admissionText("object.spec.replicas == 2")+bindingText("Deny"), Options{})
	unknown := object.UnknownPrefix + ": status⟩"
	all := objects(t, deployment+"---\n"+widget("size: 3"))
	for i, path := range []string{"spec.replicas", "spec.size"} {
		spec, _ := all[i].Fields["spec"].(map[string]any)
		spec[strings.TrimPrefix(path, "spec.")] = unknown
		all[i].Unknown = []string{path}
	}
	want := []string{`info: Deployment shop/web: ValidatingAdmissionPolicy replicas cannot be decided here: it asks for values that only the cluster knows [policy-undecided]`}
	if diff := cmp.Diff(want, said(rules.Check(t.Context(), Subject{Objects: all}))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestNotMoreIsSaidThanPeopleRead(t *testing.T) {
	var env strings.Builder
	for range 100 {
		env.WriteString("{name: A, value: 1}, ")
	}
	rules, _ := rulesOf(t, "", Options{})
	found := rules.Check(t.Context(), Subject{Objects: objects(t, with("image:", "env: ["+env.String()+"]\n          image:"))})
	if len(found) != maxProblems+1 || !strings.Contains(strings.Join(said(found), "\n"), "has 80 more problems; correct the others first") {
		t.Errorf("%d findings, the first %v", len(found), said(found)[0])
	}
}

func TestWarningsHideNoErrors(t *testing.T) {
	var fields, many strings.Builder
	for i := range maxProblems + 5 {
		fmt.Fprintf(&fields, "a%d: 1\n  ", i)
	}
	for i := range maxFindings + 2 {
		fmt.Fprintf(&many, "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c%d, namespace: shop}, nothing: 1}\n", i)
	}
	rules, _ := rulesOf(t, "", Options{Policies: []Policy{{Name: "named", Rule: fmt.Sprintf("object.metadata.name != 'c%d'", maxFindings+1)}}})
	for _, c := range []struct {
		name, manifests string
		want            []string
	}{
		{"of one object", with("replicas: 2", fields.String()+"replicas: two"), []string{
			"error: Deployment shop/web: spec.replicas is a string: the API server refuses it, it must be a whole number [schema-type]",
		}},
		{"of many objects", many.String(), []string{
			`error: ConfigMap shop/c1001: policy "named": it must be true that object.metadata.name != 'c1001'; change the object, or the policy in lockkeeper.yaml [repository-policy]`,
			`info: 2 more warnings and notes are not told; correct the others first [unchecked]`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := rules.Check(t.Context(), Subject{Objects: objects(t, c.manifests)})
			if len(found) > maxFindings+2 {
				t.Errorf("%d findings", len(found))
			}
			got := said(slices.DeleteFunc(found, func(f finding.Finding) bool { return f.Severity == finding.Warning }))
			slices.Sort(got)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(deployment)
	f.Add(widgets + "---\n" + widget("size: 3"))
	f.Add("{apiVersion: v1, kind: Service, metadata: 1, spec: [{}]}")
	f.Add(admissionText("object.spec.replicas > 1") + bindingText("Warn"))
	checker := newChecker(f)
	f.Fuzz(func(t *testing.T, text string) {
		all, err := directory.Parse("m.yaml", []byte(text))
		if err != nil {
			return
		}
		docs, _ := manifest.Split("m.yaml", []byte(text))
		rules, _, err := checker.Rules(Sources{Documents: docs})
		if err != nil {
			t.Fatal(err)
		}
		first := said(rules.Check(t.Context(), Subject{Objects: all}))
		for _, text := range first {
			if strings.Contains(text, "ended abnormally") {
				t.Error(text)
			}
		}
		if diff := cmp.Diff(first, said(rules.Check(t.Context(), Subject{Objects: all}))); diff != "" {
			t.Errorf("it says something else the second time:\n%s", diff)
		}
	})
}

func TestEveryCodeIsInTheManual(t *testing.T) {
	manual, err := os.ReadFile("../../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(manual)) {
		if cells := strings.Split(line, "|"); len(cells) == 5 && strings.Contains(cells[1], "`") {
			got = append(got, strings.Trim(cells[1], " `"))
		}
	}
	if diff := cmp.Diff(Codes(), got); diff != "" {
		t.Errorf("codes in docs/checks.md (-want +got):\n%s", diff)
	}
}
