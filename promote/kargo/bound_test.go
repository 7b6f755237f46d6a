package kargo_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/manifest/manifesttest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/kargo"
)

func TestProblemsConcernTheWholeRepository(t *testing.T) {
	_, err := manifest.Split("a.yaml", []byte("kind: Stage\nspec: {\n---\nkind: [Project\n"))
	findings := kargo.Problems(err)
	if len(findings) != 2 {
		t.Fatalf("%d findings, want one for each document: %v", len(findings), findings)
	}
	for _, f := range findings {
		if f.Severity != promote.SeverityError || f.Position.File != "a.yaml" || f.Position.Line == 0 || !f.Concerns(promote.StageRef{Project: "p", Name: "s"}) {
			t.Errorf("finding %s", finding(f))
		}
	}
	if got := kargo.Problems(nil); got != nil {
		t.Errorf("findings of no error: %v", got)
	}
}

func TestTasksDoNotExpandWithoutBound(t *testing.T) {
	text := strings.Replace(sound, "          as: image\n", "", 1)
	reference := "        - task:\n            name: promote-image\n          vars:\n            - name: image\n              value: docker.io/acme/frontend\n"
	if !strings.Contains(text, reference) {
		t.Fatal("the reference to the task is not in the manifests")
	}
	pipelines, findings := kargo.Load(manifesttest.Split(t, "p.yaml", strings.Replace(text, reference, strings.Repeat(reference, 1000), 1)))
	if n := len(pipelines[0].Stages[0].Steps); n > 210 {
		t.Errorf("%d steps", n)
	}
	var codes []string
	for _, f := range findings {
		codes = append(codes, f.Code)
	}
	if diff := cmp.Diff([]string{"too-many-steps"}, codes); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	word := strings.Repeat("ä", 100_000)
	_, findings := kargo.Load(manifesttest.Split(t, "p.yaml", strings.Replace(sound, "stages: [frontend-dev]", "stages: ["+word+"]", 1)))
	if len(findings) != 1 || len(findings[0].Message) > 1100 {
		t.Errorf("findings %.300v", findings)
	}
}

func TestManyMistakesDoNotCostMuch(t *testing.T) {
	var b strings.Builder
	b.WriteString(strings.SplitN(sound, "---", 2)[0])
	for i := range 2000 {
		fmt.Fprintf(&b, "---\napiVersion: kargo.akuity.io/v1alpha1\nkind: Stage\nmetadata: {name: s%d, namespace: develop}\n"+
			"spec: {requestedFreight: [{origin: {kind: Warehouse, name: w}, sources: {stages: [s%d, nothing-%d]}}]}\n", i, (i+1)%2000, i)
	}
	_, findings := kargo.Load(manifesttest.Split(t, "p.yaml", b.String()))
	count := map[string]int{}
	for _, f := range findings {
		count[f.Code]++
	}
	if diff := cmp.Diff(map[string]int{"unknown-warehouse": 2000, "unknown-stage": 2000, "stage-cycle": 2000}, count); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
