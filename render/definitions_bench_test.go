package render

import (
	"fmt"
	"strings"
	"testing"
)

const (
	benchDefinitions = 200
	benchInstances   = 2000
)

// definitionFarm is a repository with as many definitions and instances, each instance in an Application of its own.
func definitionFarm() *farm {
	root := &plot{}
	root = root.with("applications/all.yaml", `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: all, namespace: argocd}
spec:
  goTemplate: true
  generators:
    - git: {repoURL: `+repoURL+`, revision: main, directories: [{path: services/*}]}
  template:
    metadata: {name: '{{ .path.basename }}'}
    spec:
      project: default
      source: {repoURL: `+repoURL+`, targetRevision: main, path: '{{ .path.path }}'}
      destination: {name: in-cluster, namespace: shop}
`)
	definitions, services := &plot{}, &plot{}
	for i := range benchDefinitions {
		definitions = definitions.with(fmt.Sprintf("kind%03d.yaml", i), benchDefinition(i, "1"))
	}
	for i := range benchInstances {
		services = services.with(fmt.Sprintf("service-%04d/instance.yaml", i), fmt.Sprintf(
			"apiVersion: kro.run/v1alpha1\nkind: Kind%03d\nmetadata: {name: service-%04d}\nspec: {name: service-%04d, tag: \"1.%d\"}\n", i%benchDefinitions, i, i, i))
	}
	return &farm{root: folderPlot(map[string]*plot{"applications": root.below["applications"], "definitions": definitions, "services": services})}
}

func benchDefinition(i int, replicas string) string {
	return strings.NewReplacer("KIND", fmt.Sprintf("Kind%03d", i), "NAME", fmt.Sprintf("kind%03d", i), "REPLICAS", replicas).Replace(`apiVersion: kro.run/v1alpha1
kind: ResourceGraphDefinition
metadata: {name: NAME}
spec:
  schema:
    apiVersion: v1alpha1
    kind: KIND
    spec:
      name: string
      tag: string
      port: integer | default=8080
  resources:
    - id: config
      template:
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: "${schema.spec.name}"}
        data: {PORT: "${string(schema.spec.port)}"}
    - id: deploy
      template:
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: "${schema.spec.name}"}
        spec:
          replicas: REPLICAS
          selector: {matchLabels: {app: "${schema.spec.name}"}}
          template:
            metadata: {labels: {app: "${schema.spec.name}"}}
            spec:
              containers:
                - name: web
                  image: registry.example.com/web:${schema.spec.tag}
                  envFrom: [{configMapRef: {name: "${config.metadata.name}"}}]
    - id: service
      template:
        apiVersion: v1
        kind: Service
        metadata: {name: "${schema.spec.name}"}
        spec: {selector: {app: "${schema.spec.name}"}, ports: [{port: "${schema.spec.port}"}]}
`)
}

// BenchmarkDefinitions renders all instances of many definitions from nothing, and compares with one definition changed, which
// changes what one instance in two hundred makes.
func BenchmarkDefinitions(b *testing.B) {
	base := definitionFarm()
	b.Run("cold", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			engine := newEngine(b)
			b.StartTimer()
			set, err := engine.Applications(b.Context(), repository(base), Options{})
			if err != nil || len(set.Applications) != benchInstances || len(set.Definitions) != benchDefinitions || len(set.Findings) > 0 {
				b.Fatalf("%d applications, %d definitions, %v, %v", len(set.Applications), len(set.Definitions), set.Findings, err)
			}
			for _, app := range set.Applications {
				if result := engine.Render(b.Context(), repository(base), set, app); len(result.Objects) != 4 || len(result.Findings) > 0 {
					b.Fatalf("%d objects, %v", len(result.Objects), result.Findings)
				}
			}
		}
	})
	b.Run("one changed", func(b *testing.B) {
		engine := newEngine(b)
		compare := func(n int) {
			head := base.with("definitions/kind007.yaml", benchDefinition(7, fmt.Sprint(n+2)))
			got, err := engine.Compare(b.Context(), repository(base), repository(head), Options{})
			if err != nil || len(got.Apps) != benchInstances/benchDefinitions {
				b.Fatalf("%d applications, %v", len(got.Apps), err)
			}
		}
		compare(0)
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			n++
			compare(n)
		}
	})
}
