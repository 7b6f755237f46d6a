package main

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// chartsOf serves one chart from an HTTP repository and counts what it is asked.
func chartsOf(t *testing.T, files map[string]string) (url string, asked *atomic.Int32) {
	t.Helper()
	dir, served := t.TempDir(), t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	packed, err := packChart(dir)
	if err != nil {
		t.Fatal(err)
	}
	index := fmt.Sprintf("apiVersion: v1\nentries:\n  %s:\n  - version: %s\n    digest: %x\n    urls: [chart.tgz]\n", packed.name, packed.version, sha256.Sum256(packed.data))
	for name, data := range map[string][]byte{"chart.tgz": packed.data, "index.yaml": []byte(index)} {
		if err := os.WriteFile(filepath.Join(served, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	asked = &atomic.Int32{}
	handler := http.FileServer(http.Dir(served))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

// TestWhatAPromotionChangesInAChartFromElsewhere: the values of a chart are in the file that is promoted, and the chart is in a
// repository of charts.
func TestWhatAPromotionChangesInAChartFromElsewhere(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.adopt()
	charts, asked := chartsOf(t, map[string]string{
		"Chart.yaml":         "apiVersion: v2\nname: mirror\nversion: 1.0.0\n",
		"templates/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mirror}\ndata: {version: {{ .Values.spec.values.deployment.tag | quote }}}\n",
	})
	app := `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: mirror, namespace: argocd}
spec:
  destination: {server: https://kubernetes.default.svc, namespace: mirror}
  sources:
    - {repoURL: CHARTS, chart: mirror, targetRevision: 1.0.0, helm: {valueFiles: [$values/develop/frontend/instance.yaml]}}
    - {repoURL: "https://gitlab.com/your-name/your-repo.git", ref: values}
`
	b.commit("main", map[string]string{"argo-applications/mirror.yaml": strings.Replace(app, "CHARTS", charts, 1)})
	change := b.propose("1.0.2")
	contains(t, change.Description, "`argocd/mirror`", "not rendered in full")
	if n := asked.Load(); n != 0 {
		t.Errorf("a repository that nobody allowed was asked %d times", n)
	}

	// A change cannot allow it for itself: what counts is the branch that it goes to.
	b.commit(string(change.Branch), map[string]string{"lockkeeper.yaml": "fetch: [\"" + charts + "\"]\n"})
	b.sweep()
	if n := asked.Load(); n != 0 {
		t.Errorf("a repository that only the change allows was asked %d times", n)
	}
	b.commit("main", map[string]string{"lockkeeper.yaml": "fetch: [\"" + charts + "\"]\n"})
	outcome := b.propose("1.0.3")
	contains(t, outcome.Description, "ConfigMap mirror", "changed key `version`")
	if n := asked.Load(); n == 0 || n > 4 {
		t.Errorf("the repository was asked %d times", n)
	}
}
