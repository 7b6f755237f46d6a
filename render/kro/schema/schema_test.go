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

func TestLibrary(t *testing.T) {
	library, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := library.Versions(), []string{"1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37"}; !slices.Equal(got, want) || got[len(got)-1] != Version {
		t.Errorf("versions %v, want %v, the last of them %s", got, want, Version)
	}
	for _, version := range library.Versions() {
		set, err := library.At(version)
		if err != nil {
			t.Fatal(err)
		}
		if set.Version() != version || !set.Serves("apps") || set.Definition(set.Name(k8s.GroupVersionKind{Version: "v1", Kind: "Pod"})) == nil {
			t.Errorf("%s lacks what every version has", version)
		}
		for name := range set.raw {
			if set.Definition(name) == nil {
				t.Errorf("%s: %s cannot be decoded", version, name)
			}
		}
	}
	flow := k8s.GroupVersionKind{Group: "flowcontrol.apiserver.k8s.io", Version: "v1beta3", Kind: "FlowSchema"}
	if got, want := library.Serving(flow), []string{"1.30", "1.31"}; !slices.Equal(got, want) {
		t.Errorf("FlowSchema v1beta3 is served by %v, want %v", got, want)
	}
	if _, err := library.At("1.2"); err == nil {
		t.Error("1.2 is described")
	}
	older, _ := library.At("1.30")
	newer, _ := library.At("1.37")
	const resources = "io.k8s.api.core.v1.PodSpec" // resources of a whole pod came with 1.32
	if _, has := older.Definition(resources).Properties["resources"]; has {
		t.Error("1.30 has resources of pods")
	}
	if _, has := newer.Definition(resources).Properties["resources"]; !has {
		t.Error("1.37 has no resources of pods")
	}
}

// BenchmarkOpen is what every start of the program pays.
func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		if _, err := Load(); err != nil {
			b.Fatal(err)
		}
	}
}
