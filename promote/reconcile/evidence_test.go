package reconcile

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/render"
	"github.com/lockkeeper/lockkeeper/render/diff"
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
