package schema

import (
	"slices"
	"testing"

	k8s "k8s.io/apimachinery/pkg/runtime/schema"
)

func TestSet(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	scopes := []struct {
		group, kind       string
		namespaced, known bool
	}{
		{"apps", "Deployment", true, true},
		{"", "Namespace", false, true},
		{"rbac.authorization.k8s.io", "ClusterRole", false, true},
		{"networking.k8s.io", "Ingress", true, true},
		{"example.com", "Widget", false, false},
	}
	for _, test := range scopes {
		if namespaced, known := s.Namespaced(test.group, test.kind); namespaced != test.namespaced || known != test.known {
			t.Errorf("%s/%s: namespaced %v, known %v", test.group, test.kind, namespaced, known)
		}
	}
	deployment, err := s.Schema(k8s.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"})
	if err != nil || deployment == nil {
		t.Fatalf("Deployment: %v, %v", deployment, err)
	}
	spec := deployment.Properties["spec"]
	if replicas := spec.Properties["replicas"]; !slices.Equal(replicas.Type, []string{"integer"}) {
		t.Errorf("spec.replicas is %v", replicas.Type)
	}
	if widget, err := s.Schema(k8s.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Widget"}); widget != nil || err != nil {
		t.Errorf("Widget: %v, %v", widget, err)
	}
	if got := s.Versions("HorizontalPodAutoscaler"); !slices.Contains(got, "autoscaling/v2") {
		t.Errorf("HorizontalPodAutoscaler is served as %v", got)
	}
	if !s.Serves("apps") || s.Serves("kro.run") {
		t.Error("served groups are wrong")
	}
}
