package kargo_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/promote/kargo"
)

// services declares n services that share the task of the sound project, each with a warehouse and two stages.
func services(tb testing.TB, n int) []manifest.Document {
	tb.Helper()
	parts := strings.Split(sound, "---\n")
	var b strings.Builder
	b.WriteString(parts[0] + "---\n" + parts[5])
	for i := range n {
		for _, part := range parts[2:5] {
			b.WriteString("---\n" + strings.NewReplacer(
				"frontend-dev", fmt.Sprintf("frontend%d-dev", i), "frontend-prod", fmt.Sprintf("frontend%d-prod", i),
				"frontend-image", fmt.Sprintf("frontend%d-image", i)).Replace(part))
		}
	}
	docs, err := manifest.Split("services.yaml", []byte(b.String()))
	if err != nil {
		tb.Fatal(err)
	}
	return docs
}

func BenchmarkLoad(b *testing.B) {
	docs := services(b, 3000)
	for b.Loop() {
		if _, findings := kargo.Load(docs); len(findings) > 0 {
			b.Fatal(findings[0])
		}
	}
}
