package render

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/lockkeeper/lockkeeper/render/argocd"
)

// thousand is a repository of 1,000 applications: 400 charts and 400 overlays of their own, 100 plain folders and 100 kro
// instances.
func thousand() *farm {
	c := newCorpus(2)
	for i := range 400 {
		c.chart(fmt.Sprintf("c%03d", i))
		c.overlay(fmt.Sprintf("k%03d", i))
	}
	c.file("definition.yaml", "apiVersion: kro.run/v1alpha1\nkind: ResourceGraphDefinition\nmetadata: {name: web}\nspec:\n  schema: {apiVersion: v1alpha1, kind: Web, spec: {image: string, replicas: \"integer | default=1\"}}\n  resources:\n  - id: deployment\n    template:\n      apiVersion: apps/v1\n      kind: Deployment\n      metadata: {name: \"${schema.metadata.name}\"}\n      spec:\n        replicas: ${schema.spec.replicas}\n        selector: {matchLabels: {app: \"${schema.metadata.name}\"}}\n        template:\n          metadata: {labels: {app: \"${schema.metadata.name}\"}}\n          spec: {containers: [{name: web, image: \"${schema.spec.image}\"}]}\n")
	for i := range 100 {
		plain, instance := fmt.Sprintf("plain-%03d", i), fmt.Sprintf("instance-%03d", i)
		c.file("plain/"+plain+"/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: b}\n", plain)
		c.app(plain, "plain/"+plain, "")
		c.file("instances/"+instance+"/web.yaml", "apiVersion: kro.run/v1alpha1\nkind: Web\nmetadata: {name: %s}\nspec: {image: \"ghcr.io/acme/web:1\"}\n", instance)
		c.app(instance, "instances/"+instance, "")
	}
	return planted(c.tree)
}

// planted is a farm with the files of a tree.
func planted(files fstest.MapFS) *farm {
	f := &farm{root: folderPlot(nil)}
	for name, file := range files {
		f = f.with(name, string(file.Data))
	}
	return f
}

// BenchmarkThousand renders 1,000 applications of every kind: all of them on an engine that knows nothing, one that changed on
// one that knows them, and all of them with the command lines that people have in scripts.
func BenchmarkThousand(b *testing.B) {
	tree := thousand()
	nothing := repository(&farm{root: folderPlot(nil)})
	b.Run("cold", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			engine := newEngine(b)
			b.StartTimer()
			got, err := engine.Compare(b.Context(), nothing, repository(tree), Options{})
			if err != nil || len(got.Apps) != 1000 {
				b.Fatalf("%d applications: %v", len(got.Apps), err)
			}
			for _, app := range got.Apps {
				if app.Head.Failed || app.Head.Partial {
					b.Fatalf("%s: %v", app.Name, app.Head.Findings)
				}
			}
			b.StopTimer()
			var memory runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&memory)
			b.ReportMetric(float64(memory.HeapAlloc>>20), "MiB-held")
			runtime.KeepAlive(engine)
			b.StartTimer()
		}
	})
	b.Run("one-changed", func(b *testing.B) {
		engine, n := newEngine(b), 0
		if _, err := engine.Compare(b.Context(), repository(tree), repository(tree), Options{}); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			n++
			head := tree.with("charts/c007/values-more.yaml", fmt.Sprintf("replicas: %d\n", n+10)).with("charts/c007/values.yaml", fmt.Sprintf("replicas: %d\nimage: {repository: a, tag: b}\nlabels: {}\nports: []\nenv: {}\ntext: x\n", n+10))
			b.StartTimer()
			got, err := engine.Compare(b.Context(), repository(tree), repository(head), Options{})
			if err != nil || len(got.Apps) != 1 {
				b.Fatalf("%d applications: %v", len(got.Apps), err)
			}
		}
	})
	b.Run("command-lines", func(b *testing.B) {
		tools := os.Getenv("LOCKKEEPER_TOOLS")
		if tools == "" {
			b.Skip("$LOCKKEEPER_TOOLS names no folder of helm and kustomize")
		}
		dir := b.TempDir()
		if err := os.CopyFS(dir, tree); err != nil {
			b.Fatal(err)
		}
		set, err := newEngine(b).Applications(b.Context(), repository(tree), Options{})
		if err != nil {
			b.Fatal(err)
		}
		script := filepath.Join(dir, "render.sh")
		if err := os.WriteFile(script, []byte(loop(tools, set.Applications, tree)), 0o600); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			cmd := exec.CommandContext(b.Context(), "bash", "-e", script)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "HOME="+b.TempDir())
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
		}
	})
}

// loop writes the shell script that renders the applications one after the other, as scripts in CI do.
func loop(tools string, apps []argocd.Application, tree fs.FS) string {
	var script strings.Builder
	for _, app := range apps {
		s := app.Sources[0]
		switch kind, _ := kindOfSource(tree, s, s.Path); kind {
		case helmChart:
			fmt.Fprintf(&script, "%s/helm template %s %s --include-crds --kube-version 1.30 >/dev/null\n", tools, app.Name, s.Path)
		case kustomization:
			fmt.Fprintf(&script, "%s/kustomize build %s >/dev/null 2>&1\n", tools, s.Path)
		default:
			fmt.Fprintf(&script, "cat %s/*.yaml >/dev/null\n", s.Path)
		}
	}
	return script.String()
}
