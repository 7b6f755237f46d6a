package reconcile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/render"
	"github.com/lockkeeper/lockkeeper/render/diff"
	"github.com/lockkeeper/lockkeeper/render/object"
)

func TestWhatIsRefusedOfDefinitionsCountsForTheGate(t *testing.T) {
	comparison := render.Comparison{
		Apps:        []render.AppComparison{{Name: "gone"}, {Name: "web", Head: &render.Result{Findings: []render.Finding{{Severity: render.Warning, Code: "a", Message: "of an application", Application: "web"}}}}},
		Definitions: []render.Finding{{Severity: render.Error, Code: "b", Message: "of a definition", File: "rgd.yaml", Line: 3}},
	}
	var got []string
	for _, f := range headFindings(comparison) {
		got = append(got, f.String())
	}
	want := []string{`warning: application "web": of an application [a]`, `rgd.yaml:3: error: of a definition [b]`}
	if differs := cmp.Diff(want, got); differs != "" {
		t.Errorf("findings (-want +got):\n%s", differs)
	}
	if report := DiffReport(comparison, diff.Options{}); len(report.Findings) != 1 || report.Findings[0].Where != "rgd.yaml:3" {
		t.Errorf("findings of the report: %v", report.Findings)
	}
}

func TestEvidenceOfAnotherBranchIsThatOfWhatDeclaresIt(t *testing.T) {
	r := &Reconciler{memory: newMemory()}
	r.memory.branch = "main"
	keys := func(target promote.Branch) (before, after evidenceKey) {
		p := promote.Promotion{Base: "b", Target: target}
		r.memory.repository = &snapshot{head: "1"}
		before = r.evidenceKey(p, "h")
		r.memory.repository = &snapshot{head: "2"}
		return before, r.evidenceKey(p, "h")
	}
	if before, after := keys("main"); before != after {
		t.Errorf("what two commits of the deployed branch say changes with its head: %v, %v", before, after)
	}
	if before, after := keys("env/prod"); before == after {
		t.Errorf("the Applications of another branch are remembered: %v", before)
	}
}

func TestFindingsOfTheGateAreMasked(t *testing.T) {
	refused := render.Finding{Message: `spec.password: Invalid value: "hunter2": too short`, Remedy: `add quotes: token: "12345"`}
	for _, f := range headFindings(render.Comparison{Apps: []render.AppComparison{{Head: &render.Result{Findings: []render.Finding{refused}}}}, Definitions: []render.Finding{refused}}) {
		if text := f.String(); strings.Contains(text, "hunter2") || strings.Contains(text, "12345") || !strings.Contains(text, "too short") {
			t.Error(text)
		}
	}
}

func TestWhatIsNotKnownOfTheBaseIsSaid(t *testing.T) {
	one := object.Object{Fields: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "one"}}}
	for name, base := range map[string]*render.Result{"without a chart": {Partial: true}, "failed": {Failed: true}} {
		comparison := render.Comparison{Apps: []render.AppComparison{{Name: "web", Base: base, Head: &render.Result{Objects: []object.Object{one}}}}}
		if report := DiffReport(comparison, diff.Options{}); report.Unknown != 1 || report.Unchanged != 0 {
			t.Errorf("%s: %d applications unknown, %d unchanged", name, report.Unknown, report.Unchanged)
		}
	}
}
