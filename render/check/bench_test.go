package check

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkCheck checks 1,000 objects: Deployments, Services and custom resources, by schema, one admission policy and one of
// the repository's.
func BenchmarkCheck(b *testing.B) {
	var text strings.Builder
	for i := range 400 {
		fmt.Fprintf(&text, "%s---\n", strings.ReplaceAll(deployment, "name: web, namespace", fmt.Sprintf("name: web-%d, namespace", i)))
		fmt.Fprintf(&text, "{apiVersion: v1, kind: Service, metadata: {name: web-%d, namespace: shop}, spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}}\n---\n", i)
	}
	for i := range 200 {
		fmt.Fprintf(&text, "%s---\n", strings.Replace(widget("size: 3, max: 4"), "name: w,", fmt.Sprintf("name: w-%d,", i), 1))
	}
	subject := Subject{Application: "web", Objects: objects(b, text.String()), Cluster: Cluster{Version: "1.34"}}
	if len(subject.Objects) != 1000 {
		b.Fatalf("%d objects", len(subject.Objects))
	}
	for _, c := range []struct {
		name, rules string
		options     Options
	}{
		{"schemas", widgets, Options{}},
		{"schemas and policies", widgets + admissionText("object.spec.replicas >= 2") + bindingText("Deny"), Options{Policies: []Policy{{
			Name: "two", Kinds: []string{"apps/Deployment"}, Rule: "object.spec.replicas >= 2",
		}}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			rules, _ := rulesOf(b, c.rules, c.options)
			for b.Loop() {
				if found := rules.Check(b.Context(), subject); len(found) > 0 {
					b.Fatal(found)
				}
			}
		})
	}
}

func BenchmarkCompilePolicy(b *testing.B) {
	for b.Loop() {
		if err := CompilePolicy(Policy{Name: "two", Rule: "object.spec.replicas >= 2"}); err != nil {
			b.Fatal(err)
		}
	}
}
