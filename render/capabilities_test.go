package render

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/render/argocd"
)

// asking is a chart that deploys what it is told of the cluster.
func asking(app string) fstest.MapFS {
	return fstest.MapFS{
		"app.yaml": {Data: []byte("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: argocd}\nspec:\n  destination: {name: production, namespace: shop}\n  source:\n    repoURL: " +
			repoURL + "\n    path: chart\n" + app)},
		"chart/Chart.yaml": {Data: []byte("apiVersion: v2\nname: chart\nversion: 1.0.0\n")},
		"chart/templates/told.yaml": {Data: []byte(`apiVersion: v1
kind: ConfigMap
metadata: {name: told}
data:
  minor: {{ .Capabilities.KubeVersion.Minor | quote }}
  monitors: {{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" | quote }}
`)},
	}
}

func TestChartsAreToldOfTheirCluster(t *testing.T) {
	production := argocd.Cluster{Name: "production", Server: "https://production.example.com", KubernetesVersion: "1.29", APIVersions: []string{"monitoring.coreos.com/v1"}}
	byServer := production
	byServer.Name = "eu-1"
	for _, c := range []struct {
		name, app string
		clusters  []argocd.Cluster
		want      map[string]any
	}{
		{"what the settings say", "", []argocd.Cluster{production}, map[string]any{"minor": "29", "monitors": "true"}},
		{"the Application wins", "    helm: {kubeVersion: 1.30.2, apiVersions: [example.com/v1]}\n", []argocd.Cluster{production}, map[string]any{"minor": "30", "monitors": "false"}},
		{"another cluster is not this one", "    helm: {kubeVersion: \"1.28\"}\n", []argocd.Cluster{byServer}, map[string]any{"minor": "28", "monitors": "false"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			engine, repo := newEngine(t), repository(newGitTree(asking(c.app)))
			set, err := engine.Applications(t.Context(), repo, Options{Clusters: c.clusters})
			if err != nil {
				t.Fatal(err)
			}
			result := engine.Render(t.Context(), repo, set, set.Applications[0])
			if len(result.Objects) != 1 {
				t.Fatalf("objects: %v, findings: %v", result.Objects, result.Findings)
			}
			if diff := cmp.Diff(c.want, result.Objects[0].Fields["data"]); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAClusterWithAnotherVersionIsAChange(t *testing.T) {
	engine, tree := newEngine(t), newGitTree(asking(""))
	before := []argocd.Cluster{{Name: "production", Server: "https://production.example.com", KubernetesVersion: "1.29"}}
	after := []argocd.Cluster{{Name: "production", Server: "https://production.example.com", KubernetesVersion: "1.30"}}
	got, err := engine.Compare(t.Context(), repository(tree), repository(tree), Options{Clusters: after, Base: &Options{Clusters: before}})
	if err != nil || len(got.Apps) != 1 {
		t.Fatalf("%d applications differ: %v", len(got.Apps), err)
	}
	var minors []string
	for _, side := range []*Result{got.Apps[0].Base, got.Apps[0].Head} {
		data, _ := side.Objects[0].Fields["data"].(map[string]any)
		minor, _ := data["minor"].(string)
		minors = append(minors, minor)
	}
	if want := "29 30"; strings.Join(minors, " ") != want {
		t.Errorf("minors %q, want %q", minors, want)
	}
	same, err := engine.Compare(t.Context(), repository(tree), repository(tree), Options{Clusters: after, Base: &Options{Clusters: after}})
	if err != nil || len(same.Apps) != 0 {
		t.Errorf("%d applications differ with equal clusters: %v", len(same.Apps), err)
	}
}
