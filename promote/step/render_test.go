package step

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/worker"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/render/kustomize"
)

// shop is a chart with a hook, a test, a CRD and two values files beside it.
var shop = map[string]string{
	"charts/shop/Chart.yaml":                "apiVersion: v2\nname: store\nversion: 1.0.0\n",
	"charts/shop/values.yaml":               "tag: none\nreplicas: 1\n",
	"charts/shop/crds/crd.yaml":             "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: shops.example.com\n",
	"charts/shop/templates/deploy.yaml":     "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\n  namespace: {{ .Release.Namespace }}\nspec:\n  replicas: {{ .Values.replicas }}\n  image: web:{{ .Values.tag }}\n",
	"charts/shop/templates/migrate.yaml":    "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations: {helm.sh/hook: pre-install}\n",
	"charts/shop/templates/tests/test.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: test\n  annotations: {helm.sh/hook: test}\n",
	"env/dev.yaml":                          "replicas: 2\n",
	"env/tag.yaml":                          "tag: '1.5'\n",
	"rendered/old.yaml":                     "old: true\n",
}

// written shows what the steps wrote or took away in the checkout at ./repo.
func (r *run) written(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	c, err := r.workspace.at("./repo")
	if err != nil {
		t.Fatal(err)
	}
	files, err := r.workspace.walk(t.Context(), "./repo")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if edited, ok := c.edits[strings.TrimPrefix(file.path, "repo/")]; ok {
			b.WriteString("== " + file.path + "\n" + string(edited.data))
		}
	}
	return b.String()
}

const (
	shopDeployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: develop\nspec:\n  replicas: 1\n  image: web:1.10\n"
	shopMigrate    = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations: {helm.sh/hook: pre-install}\n"
	shopCRD        = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: shops.example.com\n"
	shopTest       = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: test\n  annotations: {helm.sh/hook: test}\n"
)

// TestHelmTemplate holds a row for each option.
func TestHelmTemplate(t *testing.T) {
	b := newSeed(t, plainSeed(shop))
	const common = "path: ./repo/charts/shop, releaseName: web, setValues: [{key: tag, value: '${{ vars.tag }}', literal: true}], "
	for name, c := range map[string]struct{ config, want, message string }{
		"one file, in the project's namespace": {
			common + "outPath: ./repo/rendered/dev.yaml, skipTests: true",
			"== repo/rendered/dev.yaml\n---\n# Source: store/templates/deploy.yaml\n" + shopDeployment + "---\n# Source: store/templates/migrate.yaml\n" + shopMigrate,
			"rendered ./repo/rendered/dev.yaml",
		},
		"a folder in Helm's layout, whose other files stay": {
			common + "outPath: ./repo/rendered, disableHooks: true, namespace: other",
			"== repo/rendered/store/templates/deploy.yaml\n---\n# Source: store/templates/deploy.yaml\n" + strings.ReplaceAll(shopDeployment, "develop", "other"),
			"rendered 1 file into ./repo/rendered",
		},
		"Helm's layout below the release's name": {
			common + "outPath: ./repo/rendered/, disableHooks: 'true', useReleaseName: true, outLayout: helm",
			"== repo/rendered/web/store/templates/deploy.yaml\n---\n# Source: store/templates/deploy.yaml\n" + shopDeployment,
			"rendered 1 file into ./repo/rendered",
		},
		"the flat layout, with CRDs, hooks and tests": {
			common + "outPath: ./repo/out, outLayout: flat, includeCRDs: true, useReleaseName: true",
			"== repo/out/apiextensions_k8s_io-customresourcedefinition-shops.example.com.yaml\n" + shopCRD +
				"== repo/out/apps-deployment-develop-web.yaml\n" + shopDeployment + "== repo/out/batch-job-migrate.yaml\n" + shopMigrate + "== repo/out/pod-test.yaml\n" + shopTest,
			"rendered 4 files into ./repo/out",
		},
		"values files, of which one may be missing": {
			"path: ./repo/charts/shop, releaseName: web, disableHooks: true, outPath: ./repo/out.yml, valuesFiles: [./repo/env/dev.yaml, ./repo/env/none.yaml, repo/env/tag.yaml], ignoreMissingValueFiles: true, setValues: [{key: replicas, value: '5'}]",
			"== repo/out.yml\n---\n# Source: store/templates/deploy.yaml\n" + strings.NewReplacer("1.10", "1.5", "replicas: 1", "replicas: 5").Replace(shopDeployment),
			"rendered ./repo/out.yml",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.at(t, "./repo")
			out := r.must(t, "helm-template", "{"+c.config+"}")
			if diff := cmp.Diff(c.want, r.written(t)); diff != "" {
				t.Error(diff)
			}
			if out.status != promote.StepSucceeded || out.message != c.message {
				t.Errorf("%s: %q, want %q", out.status, out.message, c.message)
			}
		})
	}
}

func TestHelmTemplateSeesTheEditsOfEarlierSteps(t *testing.T) {
	r := newSeed(t, plainSeed(shop)).at(t, "./repo")
	r.must(t, "yaml-update", "{path: ./repo/charts/shop/values.yaml, updates: [{key: tag, value: edited}]}")
	r.must(t, "file-write", "{path: ./values.yaml, contents: 'replicas: 9'}")
	r.must(t, "delete", "{path: ./repo/charts/shop/templates/migrate.yaml}")
	r.must(t, "helm-template", "{path: ./repo/charts/shop, releaseName: web, outPath: ./out.yaml, valuesFiles: [./values.yaml], skipTests: true}")
	want := "---\n# Source: store/templates/deploy.yaml\n" + strings.NewReplacer("1.10", "edited", "replicas: 1", "replicas: 9").Replace(shopDeployment)
	if diff := cmp.Diff(want, r.content(t, "./out.yaml")); diff != "" {
		t.Error(diff)
	}
}

func TestTemplatesThatAnswerDifferentlyAreNamed(t *testing.T) {
	files := map[string]string{
		"c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "c/templates/a.yaml": "a: {{ randAlphaNum 8 }}\nb: {{ now }}\n",
		"k/kustomization.yaml": "helmCharts: [{name: c}]\nhelmGlobals: {chartHome: ..}\n",
		"c/templates/b.yaml":   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
	}
	r := newSeed(t, plainSeed(files)).at(t, "./repo")
	const want = "rendered ./out.yaml; the templates call now, randAlphaNum, so that every run makes something else: set these values instead"
	if out := r.must(t, "helm-template", "{path: ./repo/c, releaseName: web, outPath: ./out.yaml}"); out.message != want {
		t.Errorf("message %q, want %q", out.message, want)
	}
	r.must(t, "file-write", "{path: ./repo/c/templates/a.yaml, contents: \"apiVersion: v1\\nkind: Secret\\nmetadata: {name: s}\\nstringData: {a: {{ randAlphaNum 8 | quote }}, b: {{ now | quote }}}\\n\", overwrite: true}")
	if out := r.must(t, "kustomize-build", "{path: ./repo/k, outPath: ./out.yaml}"); out.message != want {
		t.Errorf("message %q, want %q", out.message, want)
	}
}

// chartArchive packs a chart as Helm does.
func chartArchive(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	packed := tar.NewWriter(zipped)
	for name, text := range files {
		if err := packed.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := packed.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(packed.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHelmTemplateTakesVendoredDependencies(t *testing.T) {
	redis := chartArchive(t, map[string]string{
		"redis/Chart.yaml": "apiVersion: v2\nname: redis\nversion: 17.0.0\n", "redis/templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: redis\n",
	})
	files := map[string]string{
		"c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies: [{name: redis, version: ~17.0, repository: 'https://charts.example.com'}]\n", "c/charts/redis-17.0.0.tgz": redis,
	}
	r := newSeed(t, plainSeed(files)).at(t, "./repo")
	r.must(t, "helm-template", "{path: ./repo/c, releaseName: web, outPath: ./repo/out, buildDependencies: true}")
	want := "== repo/out/c/charts/redis/templates/cm.yaml\n---\n# Source: c/charts/redis/templates/cm.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: redis\n"
	if diff := cmp.Diff(want, r.written(t)); diff != "" {
		t.Error(diff)
	}
}

// renderProblems holds charts and kustomizations that cannot be rendered.
var renderProblems = map[string]string{
	"charts/shop/Chart.yaml":             "apiVersion: v2\nname: store\nversion: 1.0.0\n",
	"charts/shop/templates/a.yaml":       "a: b\nc: {{ required \"set the tag\" .Values.tag }}\n",
	"charts/apart/Chart.yaml":            "apiVersion: v2\nname: apart\nversion: 1.0.0\ndependencies: [{name: redis, version: ~17.1, repository: 'https://charts.example.com'}]\n",
	"env/list.yaml":                      "- a\n",
	"overlays/remote/kustomization.yaml": "resources:\n- https://github.com/acme/base?ref=v1\n",
	"overlays/gone/kustomization.yaml":   "resources:\n- ../none\n",
	"overlays/two/kustomization.yaml":    "resources: []\n",
	"overlays/two/kustomization.yml":     "resources: []\n",
	"overlays/none/x.yaml":               "a: b\n",
	"overlays/same/kustomization.yaml":   "resources: [a.yaml]\n",
	"overlays/same/a.yaml":               "apiVersion: a/v1\nkind: X\nmetadata: {name: a}\n---\napiVersion: b/v1\nkind: X\nmetadata: {name: a}\n",
	"overlays/list/kustomization.yaml":   "images: {a: b}\n",
}

func TestRenderProblemsAreExplained(t *testing.T) {
	r := newSeed(t, plainSeed(renderProblems)).at(t, "./repo")
	const helm, build, image = "helm-template", "kustomize-build", "kustomize-set-image"
	for _, c := range []struct{ uses, config, want string }{
		{helm, "{path: ./repo/charts/shpo, releaseName: a, outPath: ./out}", `config.path is no Helm chart: "./repo/charts/shpo/Chart.yaml": no such file on main`},
		{helm, "{path: ./repo/charts/shpo, releaseName: a, outPath: ./out}", `did you mean "shop"?`},
		{helm, "{releaseName: a, outPath: ./out}", "config.path is missing"},
		{helm, "{path: /etc, releaseName: a, outPath: ./out}", "config.path: path \"/etc\" leaves the promotion's directory"},
		{helm, "{path: ./repo/charts/shop, outPath: ./out}", "config.releaseName is missing"},
		{helm, "{path: ./repo/charts/shop, releaseName: A, outPath: ./out}", `"A" is not a release name`},
		{helm, "{path: ./repo/charts/shop, releaseName: a}", "config.outPath is missing"},
		{helm, "{path: ./repo/charts/shop, releaseName: a, outPath: ../out}", "config.outPath: path \"../out\" leaves the promotion's directory"},
		{helm, "{path: ./repo/charts/shop, releaseName: a, outPath: ./out, outLayout: tree}", `config.outLayout is "tree", and can be helm`},
		{helm, "{path: ./repo/charts/shop, releaseName: a, outPath: ./out, valueFiles: [a]}", `did you mean "valuesFiles"?`},
		{helm, "{path: ./repo/charts/shop, releaseName: a, outPath: ./out, valuesFiles: [./repo/env/dev.yaml]}", `config.valuesFiles: "./repo/env/dev.yaml": no such file on main`},
		{helm, "{path: ./repo/charts/shop, releaseName: a, outPath: ./out, valuesFiles: [./repo/env/dev.yaml]}", "ignoreMissingValueFiles: true passes over it"},
		{helm, "{path: ./repo/charts/shop, releaseName: a, outPath: ./out, valuesFiles: [./repo/env/list.yaml]}", "./repo/env/list.yaml: is not a file of values"},
		{helm, "{path: ./repo/charts/shop, releaseName: a, outPath: ./out, setValues: [{value: a}]}", "config.setValues[0].key is missing"},
		{helm, "{path: ./repo/charts/shop, releaseName: a, outPath: ./out, kubeVersion: newest}", `"newest" is not a Kubernetes version`},
		{helm, "{path: ./repo/charts/shop, releaseName: a, outPath: ./out}", "./repo/charts/shop/templates/a.yaml:2:7: set the tag"},
		{helm, "{path: ./repo/charts/apart, releaseName: a, outPath: ./out, buildDependencies: true}", "./repo/charts/apart/Chart.yaml: names dependencies that are not in charts/: redis ~17.1 of https://charts.example.com; run helm dependency build and commit charts/: nothing is fetched here"},
		{build, "{outPath: ./out}", "config.path is missing"},
		{build, "{path: ./repo/overlays/two, outPath: ./out, outputFormat: flat}", `config.outputFormat is "flat"`},
		{build, "{path: ./repo/overlays/two}", "config.outPath is missing"},
		{build, "{path: ./repo/overlays/remote, outPath: ./out}", "./repo/overlays/remote/kustomization.yaml:2"},
		{build, "{path: ./repo/overlays/remote, outPath: ./out}", "https://github.com/acme/base?ref=v1"},
		{build, "{path: ./repo/overlays/gone, outPath: ./out}", "./repo/overlays/gone: cannot be built: "},
		{build, "{path: ./repo/overlays/two, outPath: ./out}", `there are several kustomizations in "repo/overlays/two"`},
		{build, "{path: ./repo/overlays/none, outPath: ./out}", `there is no kustomization in "repo/overlays/none"`},
		{build, "{path: ./repo/overlays/remot, outPath: ./out}", `config.path: "./repo/overlays/remot": no such file on main`},
		{build, "{path: ./repo/overlays/same, outPath: ./out}", `makes the file "x-a.yaml", which another resource makes already`},
		{image, "{}", "config.path is missing"},
		{image, "{path: ./repo/overlays/none, images: [{image: a, tag: b}]}", `there is no kustomization in "repo/overlays/none"`},
		{image, "{path: ./repo/overlays/list, images: [{image: a, tag: b}]}", "./repo/overlays/list/kustomization.yaml: image \"a\": key \"images\": the images cannot be read"},
		{image, "{path: ./repo/overlays/gone, images: [{tag: b}]}", "config.images[0]: image is missing"},
		{image, "{path: ./repo/overlays/gone, images: [{image: a}]}", `"a" has neither tag nor digest, or its expression found nothing`},
		{image, "{path: ./repo/overlays/gone, images: [{image: a, tag: '${{ nil }}'}]}", `"a" has neither tag nor digest, or its expression found nothing`},
		{image, "{path: ./repo/overlays/gone, images: [{image: a, tag: b, digest: c}]}", `"a" has both tag and digest`},
		{image, "{path: ./repo/overlays/gone, images: [{image: 'h:5000/a:1', tag: b}]}", `"h:5000/a:1" names a version`},
		{image, "{path: ./repo/overlays/gone, images: [{image: a, tag: b}, {image: c, name: a, tag: b}]}", `image "a" is set twice`},
	} {
		_, err := r.do(t, c.uses, c.config)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v\nwant %q", c.uses, c.config, err, c.want)
		}
		if errors.Is(err, manifest.ErrBound) {
			t.Errorf("%s %s: the error keeps its cause", c.uses, c.config)
		}
	}
	if wrote := r.written(t) + r.workspace.listing(t, "./out"); wrote != "" {
		t.Errorf("steps that failed wrote\n%s", wrote)
	}
}

const overlay = "# dev\nnamespace: dev\nresources:\n- ../../base\nimages:\n- name: web # the shop\n  newTag: \"1.0\"\n"

var kustomized = map[string]string{
	"base/kustomization.yaml":         "resources: [deploy.yaml, ns.yaml]\nconfigMapGenerator: [{name: c, literals: [a=b], options: {disableNameSuffixHash: true}}]\n",
	"base/deploy.yaml":                "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers:\n      - image: web\n        name: web\n",
	"base/ns.yaml":                    "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: dev\n",
	"overlays/dev/kustomization.yaml": overlay,
}

func TestKustomizeBuild(t *testing.T) {
	b := newSeed(t, plainSeed(kustomized))
	const (
		deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: dev\nspec:\n  template:\n    spec:\n      containers:\n      - image: web:1.10\n        name: web\n"
		namespace  = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: dev\n"
		configMap  = "apiVersion: v1\ndata:\n  a: b\nkind: ConfigMap\nmetadata:\n  name: c\n  namespace: dev\n"
	)
	for name, c := range map[string]struct{ config, want, message string }{
		"one file": {
			"path: ./repo/overlays/dev, outPath: ./repo/out/dev.yaml",
			"== repo/out/dev.yaml\n" + deployment + "---\n" + namespace + "---\n" + configMap, "rendered ./repo/out/dev.yaml",
		},
		"a folder, as Kargo names files": {
			"path: ./repo/overlays/dev/, outPath: ./repo/out",
			"== repo/out/dev-configmap-c.yaml\n" + configMap + "== repo/out/dev-deployment-web.yaml\n" + deployment + "== repo/out/namespace-dev.yaml\n" + namespace,
			"rendered 3 files into ./repo/out",
		},
		"a folder, as kustomize names files": {
			"path: ./repo/overlays/dev/kustomization.yaml, outPath: ./repo/out, outputFormat: kustomize",
			"== repo/out/apps_v1_deployment_web.yaml\n" + deployment + "== repo/out/v1_configmap_c.yaml\n" + configMap + "== repo/out/v1_namespace_dev.yaml\n" + namespace,
			"rendered 3 files into ./repo/out",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.at(t, "./repo")
			r.must(t, "kustomize-set-image", "{path: ./repo/overlays/dev, images: [{image: web, tag: '${{ vars.tag }}'}]}")
			out := r.must(t, "kustomize-build", "{"+c.config+"}")
			edited := strings.ReplaceAll(overlay, `"1.0"`, `"1.10"`)
			if diff := cmp.Diff(c.want+"== repo/overlays/dev/kustomization.yaml\n"+edited, r.written(t)); diff != "" {
				t.Error(diff)
			}
			if out.message != c.message {
				t.Errorf("message %q, want %q", out.message, c.message)
			}
		})
	}
}

func TestKustomizeBuildTellsChartsAboutTheCluster(t *testing.T) {
	r := newSeed(t, plainSeed(map[string]string{
		"k/kustomization.yaml":        "helmCharts: [{name: c, releaseName: r}]\n",
		"k/charts/c/Chart.yaml":       "apiVersion: v2\nname: c\nversion: 1.0.0\n",
		"k/charts/c/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {version: {{ .Capabilities.KubeVersion.Version }}, has: \"{{ .Capabilities.APIVersions.Has \"x.example.com/v1\" }}\"}\n",
	})).at(t, "./repo")
	r.must(t, "kustomize-build", "{path: ./repo/k, outPath: ./out.yaml, plugin: {helm: {kubeVersion: 1.31.2, apiVersions: [x.example.com/v1]}}}")
	if got := r.content(t, "./out.yaml"); !strings.Contains(got, "version: v1.31.2") || !strings.Contains(got, `has: "true"`) {
		t.Error(got)
	}
}

func TestKustomizeSetImage(t *testing.T) {
	b := newSeed(t, plainSeed(map[string]string{
		"k/kustomization.yaml": "images:\n- name: web # the shop\n  newName: mirror.example.com/web\n  newTag: \"1.0\"\n- name: db\n  digest: sha256:00\n",
		"e/Kustomization":      "resources: []\n",
	}))
	for name, c := range map[string]struct{ config, file, want, message string }{
		"a tag, whose digest goes": {
			"{path: ./repo/k, images: [{image: db, tag: '${{ vars.tag }}'}]}", "k/kustomization.yaml",
			"images:\n- name: web # the shop\n  newName: mirror.example.com/web\n  newTag: \"1.0\"\n- name: db\n  newTag: \"1.10\"\n",
			"Update k/kustomization.yaml\n\n- images.1: db@sha256:00 → db:1.10",
		},
		"a new name, and what a star keeps": {
			"{path: ./repo/k/kustomization.yaml, images: [{image: web, newName: '*', tag: v2}, {image: ghcr.io/acme/db, name: db, newName: ghcr.io/acme/db, digest: '*'}]}", "k/kustomization.yaml",
			"images:\n- name: web # the shop\n  newName: mirror.example.com/web\n  newTag: \"v2\"\n- name: db\n  digest: sha256:00\n  newName: ghcr.io/acme/db\n",
			"Update k/kustomization.yaml\n\n- images.1: db@sha256:00 → ghcr.io/acme/db@sha256:00\n- images.0: mirror.example.com/web:1.0 → mirror.example.com/web:v2",
		},
		"an image that is new": {
			"{path: ./repo/e, images: [{image: web, tag: v2}]}", "e/Kustomization",
			"resources: []\nimages:\n- name: web\n  newTag: v2\n", "Update e/Kustomization\n\n- images.0: web:v2 (new)",
		},
		"those of the freight, with tag and digest": {
			"{path: ./repo/e}", "e/Kustomization",
			"resources: []\nimages:\n- name: docker.io/acme/frontend\n  newTag: 1.0.2\n  digest: sha256:aa\n",
			"Update e/Kustomization\n\n- images.0: docker.io/acme/frontend:1.0.2@sha256:aa (new)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.at(t, "./repo")
			out := r.must(t, "kustomize-set-image", c.config)
			if diff := cmp.Diff("== repo/"+c.file+"\n"+c.want, r.written(t)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.message, out.output["commitMessage"]); diff != "" {
				t.Error(diff)
			}
			if want := strings.Count(c.message, "\n- "); len(r.result.Moves) != want {
				t.Errorf("%d moves, want %d: %+v", len(r.result.Moves), want, r.result.Moves)
			}
		})
	}
}

func TestWhichImageOfTheFreightIsMeantHasToBeClear(t *testing.T) {
	b := newSeed(t, plainSeed(map[string]string{"k/kustomization.yaml": "resources: []\n"}))
	subscription := []promote.ImageSubscription{{RepoURL: "index.docker.io/acme/frontend"}}
	for name, c := range map[string]struct {
		change func(*run)
		want   string
	}{
		"two warehouses subscribe to it": {
			func(r *run) {
				r.Warehouses = append(r.Warehouses, promote.Warehouse{Name: "other", Images: subscription})
			},
			`the image "index.docker.io/acme/frontend" comes from the warehouse "frontend-dev-image" and from "other": say which one to set`,
		},
		"two freights carry it": {
			func(r *run) {
				r.Freights = append(r.Freights, promote.NewFreight("develop", "other", promote.Artifacts{Images: []promote.Image{{RepoURL: "acme/frontend", Tag: "1"}}}, when))
			},
			`the image "acme/frontend" comes from the warehouse "frontend-dev-image" and from "other"`,
		},
		"no freight has one": {func(r *run) { r.Freights = nil }, "the freight holds no image"},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.at(t, "./repo")
			c.change(r)
			if _, err := r.do(t, "kustomize-set-image", "{path: ./repo/k}"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			r.must(t, "kustomize-set-image", "{path: ./repo/k, images: [{image: acme/frontend, tag: '1'}]}")
		})
	}
}

// TestARemoteRepositoryThatFailsIsNotAMissingFile: renderers take what they cannot read for what is not there.
func TestARemoteRepositoryThatFailsIsNotAMissingFile(t *testing.T) {
	r := newSeed(t, plainSeed(kustomized)).at(t, "./repo")
	files := r.workspace.files(t.Context())
	down := &git.HTTPError{Status: http.StatusBadGateway}
	if err := files.noted("read", "repo/base/ns.yaml", down); !errors.Is(err, down) {
		t.Error(err)
	}
	if err := files.failed(&manifest.Error{Problem: "there is no ns.yaml"}, inWorkspace); !outside(err) {
		t.Errorf("%v is final", err)
	}
	slow := &manifest.Error{Problem: "took too long", Cause: errors.Join(manifest.ErrBound, context.DeadlineExceeded)}
	if err := r.workspace.files(t.Context()).failed(slow, inWorkspace); outside(err) {
		t.Errorf("%v is tried for ever", err)
	}
}

// TestKustomizationsAreBuiltWhereTheWorldSays: a process that was lost is not the kustomization's fault, and what was too much is.
func TestKustomizationsAreBuiltWhereTheWorldSays(t *testing.T) {
	r := newSeed(t, plainSeed(kustomized)).at(t, "./repo")
	fails, built := error(nil), 0
	r.World.Kustomize = func(ctx context.Context, request kustomize.Request) (kustomize.Output, error) {
		built++
		if fails != nil {
			return kustomize.Output{}, fails
		}
		return kustomize.Build(ctx, request)
	}
	const config = "{path: ./repo/overlays/dev, outPath: ./out.yaml}"
	r.must(t, "kustomize-build", config)
	fails = &manifest.Error{Problem: "lost", Cause: errors.Join(manifest.ErrBound, worker.ErrPassing)}
	if _, err := r.do(t, "kustomize-build", config); !outside(err) {
		t.Errorf("%v is final", err)
	}
	fails = &manifest.Error{Problem: "took too long", Cause: errors.Join(manifest.ErrBound, context.DeadlineExceeded)}
	if _, err := r.do(t, "kustomize-build", config); err == nil || outside(err) || built != 3 {
		t.Errorf("%v is tried for ever, %d times built", err, built)
	}
}

func TestLinksAreDescribed(t *testing.T) {
	files := newSeed(t, seed).at(t, "./repo").workspace.files(t.Context())
	for name, want := range map[string]string{"repo/base/link": "L---------", "repo/vendor/sub": "?---------", "repo/base/app.yaml": "-rw-r--r--", "repo/base": "dr-xr-xr-x"} {
		info, err := files.Stat(name)
		if err != nil || info.Mode().Type().String() != want[:1]+"---------" {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if _, err := files.Stat("repo/base/link/x"); err == nil {
		t.Error("something lies below a link")
	}
}
