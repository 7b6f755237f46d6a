package render

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/render/directory"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// corpus writes charts and overlays that no person would, from a seed: every mixture of what charts and kustomizations do.
type corpus struct {
	*rand.Rand
	tree fstest.MapFS
}

func newCorpus(seed uint64) *corpus {
	return &corpus{rand.New(rand.NewPCG(seed, 7)), fstest.MapFS{}} //nolint:gosec // no secret depends on it
}

func (c *corpus) file(name, format string, args ...any) {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	c.tree[name] = &fstest.MapFile{Data: []byte(format), Mode: 0o644}
}

// some takes each of the texts with a chance of one in two, in another order every time.
func (c *corpus) some(texts ...string) []string {
	c.Shuffle(len(texts), func(i, j int) { texts[i], texts[j] = texts[j], texts[i] })
	out := texts[:0:0]
	for _, text := range texts {
		if c.IntN(2) == 0 {
			out = append(out, text)
		}
	}
	return out
}

// app writes an Application with a source of this repository. block is what stands in the source beside its path.
func (c *corpus) app(name, path, block string) {
	c.file("apps/"+name+".yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: %s, namespace: argocd}\nspec:\n  destination: {name: in-cluster, namespace: shop}\n  source:\n    repoURL: %s\n    path: %s\n%s", name, repoURL, path, block)
}

// chart writes one chart, with its values and an Application.
func (c *corpus) chart(name string) {
	dir := "charts/" + name
	about := "apiVersion: v2\nname: " + name + "\nversion: 1." + fmt.Sprint(c.IntN(9)) + ".0\nappVersion: \"2.0\"\n"
	if c.IntN(2) == 0 {
		about += "dependencies:\n- {name: sub, version: 0.1.0, condition: sub.enabled, alias: " + []string{"sub", "other"}[c.IntN(2)] + ", import-values: [data]}\n"
		c.file(dir+"/charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 0.1.0\n")
		c.file(dir+"/charts/sub/values.yaml", "enabled: true\nsize: 3\nexports: {data: {imported: yes-it-is}}\n")
		c.file(dir+"/charts/sub/templates/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-{{ .Chart.Name }}\ndata:\n  size: {{ .Values.size | quote }}\n  global: {{ .Values.global | default dict | toJson | quote }}\n")
	}
	c.file(dir+"/Chart.yaml", about)
	c.file(dir+"/values.yaml", "replicas: %d\nimage: {repository: ghcr.io/acme/web, tag: \"\"}\nlabels: {team: shop, \"b/c\": \"true\"}\nports: [80, 443]\nenv: {LOG: info, MODE: \"on\"}\nimported: not\nsub: {enabled: %v}\nresources: {limits: {cpu: 500m}}\ntext: |\n  first\n  second {{ .Release.Name }}\n", c.IntN(5), c.IntN(2) == 0)
	c.file(dir+"/templates/_helpers.tpl", "{{- define \"%s.name\" -}}{{ .Release.Name | trunc 20 | trimSuffix \"-\" }}-{{ .Chart.Name }}{{- end }}\n{{- define \"%[1]s.labels\" -}}\nhelm.sh/chart: {{ printf \"%%s-%%s\" .Chart.Name .Chart.Version }}\napp: {{ include \"%[1]s.name\" . }}\n{{- end }}\n", name)
	c.file(dir+"/files/a.txt", "a\nb: {{ .Values.replicas }}\n")
	c.file(dir+"/files/b.json", `{"b": [1, 2.5, true, null]}`)
	metadata := func(kind string) string {
		return "metadata:\n  name: {{ include \"" + name + ".name\" . }}-" + kind + "\n  labels: {{- include \"" + name + ".labels\" . | nindent 4 }}\n"
	}
	container := strings.Join(c.some(
		"          {{- with .Values.resources }}\n          resources: {{- toYaml . | nindent 12 }}\n          {{- end }}\n",
		"          ports:\n          {{- range $i, $port := .Values.ports }}\n          - {name: port-{{ $i }}, containerPort: {{ $port }}}\n          {{- end }}\n",
		"          env:\n          {{- range $key, $value := .Values.env }}\n          - name: {{ $key }}\n            value: {{ $value | quote }}\n          {{- end }}\n",
		"          args: {{ list \"--name\" .Release.Name (printf \"--n=%03d\" (int .Values.replicas)) | toJson }}\n",
		"          imagePullPolicy: {{ ternary \"Always\" \"IfNotPresent\" (eq .Values.image.tag \"latest\") }}\n",
	), "")
	c.file(dir+"/templates/deployment.yaml", "{{- if ge (int .Values.replicas) 0 }}\napiVersion: apps/v1\nkind: Deployment\n"+metadata("web")+"spec:\n  {{- if not .Values.autoscaling }}\n  replicas: {{ .Values.replicas }}\n  {{- end }}\n  template:\n    spec:\n      containers:\n        - name: web\n          image: \"{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}\"\n"+container+"{{- end }}\n")
	c.file(dir+"/templates/map.yaml", "apiVersion: v1\nkind: ConfigMap\n"+metadata("map")+"data:\n"+strings.Join(c.some(
		"  text: {{ tpl .Values.text . | quote }}\n",
		"  {{- (.Files.Glob \"files/*.txt\").AsConfig | nindent 2 }}\n",
		"  json: {{ .Files.Get \"files/b.json\" | fromJson | toJson | quote }}\n",
		"  sum: {{ .Values | toJson | sha256sum }}\n",
		"  merged: {{ mustMergeOverwrite (dict \"a\" 1 \"b\" (dict \"c\" 2)) (dict \"b\" (dict \"c\" 3 \"d\" 4)) | toYaml | quote }}\n",
		"  version: {{ .Capabilities.KubeVersion.Minor | quote }}\n  has: {{ .Capabilities.APIVersions.Has \"batch/v1\" | quote }}\n",
		"  lines: |\n    {{- range splitList \"\\n\" .Values.text }}\n    > {{ . | upper }}\n    {{- end }}\n",
		"  semver: {{ semverCompare \">=1.2-0\" \"1.3.0\" | quote }}\n  path: {{ base \"/a/b.c\" | replace \".\" \"-\" }}\n",
		"  imported: {{ .Values.imported | quote }}\n",
		"  nested: {{ dig \"missing\" \"deeper\" \"none\" .Values.image | quote }}\n  b64: {{ \"é\" | b64enc }}\n",
		"  fixed: x\n",
	), "")+"  last: \"{{ len .Values.ports }}\"\n")
	for _, text := range c.some("job", "crd", "list", "quoted", "notes") {
		switch text {
		case "job":
			c.file(dir+"/templates/job.yaml", "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {{ .Release.Name }}-hook\n  annotations: {\"helm.sh/hook\": \"pre-install,pre-upgrade\", \"helm.sh/hook-weight\": \"-5\"}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}\n")
		case "crd":
			c.file(dir+"/crds/crd.yaml", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.%s.example.com}\nspec: {group: %[1]s.example.com, names: {kind: Thing, plural: things}, scope: Namespaced, versions: []}\n", name)
		case "list":
			c.file(dir+"/templates/list.yaml", "apiVersion: v1\nkind: List\nitems:\n{{- range until 3 }}\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: \"s-{{ . }}\"}\n  stringData: {n: \"{{ mul . 2 }}\"}\n{{- end }}\n")
		case "quoted":
			c.file(dir+"/templates/quoted.yaml", "# a comment\n---\n{{/* nothing */}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: quoted}\ndata:\n  on: \"yes\"\n  octal: \"0755\"\n  float: {{ 1e3 | quote }}\n  int: {{ 1234567 | quote }}\n  big: {{ 12345678901 | quote }}\n  missing: {{ .Values.missing | quote }}\n---\n")
		case "notes":
			c.file(dir+"/templates/NOTES.txt", "Installed {{ .Release.Name }}\n")
			c.file(dir+"/.helmignore", "*.bak\n/secret/\n")
			c.file(dir+"/templates/old.yaml.bak", "{{ fail \"not rendered\" }}\n")
		}
	}
	c.file(dir+"/values-more.yaml", "image: {tag: \"3.1\"}\nlabels: {team: null}\nports: [8080]\nglobal: {zone: eu}\n")
	block := "    helm:\n      releaseName: " + []string{name, "a-very-long-release-name-indeed"}[c.IntN(2)] + "\n      kubeVersion: \"1.30\"\n" + strings.Join(c.some(
		"      valueFiles: [values-more.yaml]\n",
		"      valuesObject: {replicas: 4, env: {LOG: null, EXTRA: \"1\"}, autoscaling: true}\n",
		"      parameters: [{name: image.tag, value: \"9.9\"}, {name: \"labels.b/c\", value: \"1\", forceString: true}, {name: \"ports[1]\", value: \"9090\"}]\n",
		"      apiVersions: [batch/v1, monitoring.coreos.com/v1]\n",
		"      fileParameters: [{name: text, path: files/b.json}]\n",
	), "")
	c.app("chart-"+name, dir, block)
}

// overlay writes a base with a few objects, an overlay over it and an Application.
func (c *corpus) overlay(name string) {
	base, dir := "k/"+name+"/base", "k/"+name+"/overlay"
	c.file(base+"/deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: {app: web}}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n      - name: web\n        image: ghcr.io/acme/web:1.0\n        envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: keys}}]\n      - {name: side, image: busybox}\n      volumes: [{name: v, configMap: {name: settings}}]\n")
	c.file(base+"/service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web, annotations: {a: b}}\nspec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}\n---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec: {rules: [{host: HOST, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}}]}\n")
	c.file(base+"/role.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: runner}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: runner}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}\nsubjects: [{kind: ServiceAccount, name: runner, namespace: default}]\n")
	c.file(base+"/settings.properties", "level=info\nurl=http://web\n")
	c.file(base+"/kustomization.yaml", "resources: [deployment.yaml, service.yaml, role.yaml]\nconfigMapGenerator: [{name: settings, files: [settings.properties], literals: [a=b]}]\nsecretGenerator: [{name: keys, literals: [token=t]}]\n"+strings.Join(c.some(
		"generatorOptions: {labels: {made: \"yes\"}}\n", "commonAnnotations: {from: base}\n", "namespace: base\n",
	), ""))
	c.file(dir+"/extra.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {host: shop.example.com, image: ghcr.io/acme/other}\n")
	c.file(dir+"/patch.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        resources: {limits: {cpu: \"1\"}}\n      - {name: side, $patch: delete}\n")
	c.file("k/"+name+"/component/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n- target: {kind: Service}\n  patch: |-\n    - {op: add, path: /spec/type, value: LoadBalancer}\n")
	c.file(dir+"/kustomization.yaml", "resources: [../base, extra.yaml]\n"+strings.Join(c.some(
		"namePrefix: dev-\n", "nameSuffix: -v2\n", "namespace: shop\n",
		"labels: [{pairs: {env: dev}, includeSelectors: true}, {pairs: {tier: web}, includeTemplates: true}]\n",
		"images: [{name: ghcr.io/acme/web, newTag: \"2.0\"}, {name: busybox, newName: registry.example.com/busybox, digest: \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"}]\n",
		"replicas: [{name: web, count: 3}]\n", "components: [../component]\n",
		"configMapGenerator: [{name: settings, behavior: merge, literals: [a=c, more=1]}, {name: new, literals: [x=y], options: {disableNameSuffixHash: true}}]\n",
		"secretGenerator: [{name: keys, behavior: replace, type: Opaque, literals: [token=u]}]\n",
		"replacements:\n- source: {kind: ConfigMap, name: extra, fieldPath: data.host}\n  targets: [{select: {kind: Ingress}, fieldPaths: [spec.rules.0.host]}]\n",
	), "")+"patches:\n- path: patch.yaml\n"+strings.Join(c.some(
		"- target: {kind: Deployment, labelSelector: app=web}\n  patch: |-\n    - {op: replace, path: /spec/replicas, value: 7}\n",
		"- target: {kind: Ingress}\n  patch: |-\n    apiVersion: networking.k8s.io/v1\n    kind: Ingress\n    metadata: {name: any, annotations: {patched: \"true\"}}\n",
	), ""))
	block := ""
	if overrides := c.some(
		"      namePrefix: pre-\n", "      nameSuffix: -suf\n", "      namespace: elsewhere\n", "      images: [\"ghcr.io/acme/web:5.5\", \"busybox=other/busybox:1\"]\n",
		"      commonLabels: {owner: $ARGOCD_APP_NAME}\n", "      commonAnnotations: {note: from-argo}\n", "      replicas: [{name: web, count: \"2\"}]\n",
	); len(overrides) > 0 {
		block = "    kustomize:\n" + strings.Join(overrides, "")
	}
	c.app("overlay-"+name, dir, block)
}

// TestCorpusAgainstCommandLines renders charts and overlays that are made up here as helm and kustomize do.
func TestCorpusAgainstCommandLines(t *testing.T) {
	c := newCorpus(1)
	const each = 25
	for i := range each {
		c.chart(fmt.Sprintf("c%02d", i))
		c.overlay(fmt.Sprintf("k%02d", i))
	}
	repo := repository(c.tree)
	engine := newEngine(t)
	set, err := engine.Applications(t.Context(), repo, Options{})
	if err != nil || len(set.Applications) != 2*each {
		t.Fatalf("%d applications, findings %v: %v", len(set.Applications), set.Findings, err)
	}
	tool(t, "helm")
	dir := t.TempDir()
	write(t, dir, c.tree)
	for _, app := range set.Applications {
		sources := &sourcing{repo: repo, app: app, fetch: engine.fetching(nil)}
		sources.find(t.Context())
		ours := sources.render(t.Context())
		if ours.failed || ours.partial || len(ours.objects) == 0 {
			t.Errorf("%s: %v", app.Name, ours.findings)
			continue
		}
		t.Run(app.Name, func(t *testing.T) {
			program, s := helmTemplate, app.Sources[0]
			if strings.HasPrefix(app.Name, "overlay-") {
				program = kustomizeBuild
			}
			theirs, err := directory.Parse("theirs", program(t, dir, app, s))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(byID(theirs), byID(ours.objects)); diff != "" {
				t.Errorf("objects (-program +ours):\n%s", diff)
			}
		})
	}
}

func byID(objects []object.Object) map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, o := range objects {
		out[o.ID().String()] = o.Fields
	}
	return out
}
