package main

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// change is an edit of one file of the example.
type change struct{ file, before, after string }

func TestBadInputSaysWhatToDo(t *testing.T) {
	t.Parallel()
	const task, stages, project = "kargo/promotion-task.yaml", "kargo/stages.yaml", "kargo/project.yaml"
	for _, tt := range []struct {
		name    string
		edits   []change
		verdict promote.Verdict
		says    []string
	}{
		{
			"an unknown variable in an expression",
			[]change{{task, "vars.instancePath }}", "vars.instancePaht }}"}},
			promote.Block,
			[]string{task + ":", "instancePaht", `instancePath`},
		},
		{
			"a file that is not there",
			[]change{{task, "value: " + devFile, "value: develop/frontent/instance.yaml"}},
			promote.Block,
			[]string{"cannot be proposed", "develop/frontent/instance.yaml", "no such file on main", `did you mean "frontend"?`},
		},
		{
			"a key that is not there",
			[]change{{task, "key: spec.values.deployment.tag", "key: spec.values.deploy.tag"}},
			promote.Block,
			[]string{"cannot be proposed", "spec.values.deploy"},
		},
		{
			"no Project",
			[]change{{project, "kind: Project", "kind: ProjectConfig"}},
			promote.Block,
			[]string{`no Project manifest declares "develop"`, "kind: Project"},
		},
		{
			"an unknown key",
			[]change{{stages, "requestedFreight:", "requestedFreigth:"}},
			promote.Block,
			[]string{stages + ":", "requestedFreigth", "requestedFreight"},
		},
		{
			"invalid YAML",
			[]change{{stages, "  requestedFreight:", "\trequestedFreight:"}},
			promote.Block,
			[]string{stages + ":"},
		},
		{
			"tags that are no versions",
			[]change{{"kargo/warehouse.yaml", "/your-app", "/your-nightly"}, {task, "/your-app", "/your-nightly"}},
			promote.Wait,
			[]string{"no freight", "no tag of", "is a semantic version (found: nightly-1)", "push such a tag"},
		},
		{
			"a task that does not exist",
			[]change{{stages, "name: promote-image", "name: promote-imgae"}},
			promote.Block,
			[]string{stages + ":", "promote-imgae", "promote-image"},
		},
		{
			"an image that the warehouse does not watch",
			[]change{{task, "/your-name/your-app", "/your-name/your-ap"}},
			promote.Block,
			[]string{task + ":", "no requested warehouse subscribes to image", `your-ap"`, "did you mean"},
		},
		{
			"settings with an unknown key",
			[]change{{"lockkeeper.yaml", "", "stagse: []\n"}},
			promote.Block,
			[]string{"lockkeeper.yaml:1:1", "stagse", "stages"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.push(t, b.registry+"/your-name/your-nightly", "nightly-1")
			for _, e := range tt.edits {
				if e.before == "" {
					b.commit("main", map[string]string{e.file: e.after})
				} else {
					b.edit("main", e.file, e.before, e.after)
				}
			}
			b.push(t, b.image(), "1.0.2")
			outcome := b.sweep()
			status := stageOf(outcome, devStage)
			if status.Stage.Name == "" { // the stage could not be read: what is wrong is a finding
				for _, f := range outcome.State.Findings {
					status.Reason += f.String() + "\n"
				}
				status.Verdict = promote.Block
			}
			if status.Verdict != tt.verdict {
				t.Errorf("verdict %s, want %s", status.Verdict, tt.verdict)
			}
			contains(t, status.Reason, tt.says...)
			b.untouched(t, outcome)
		})
	}
}

func TestWhatIsWrongWithTheBlueprintHoldsTheChangeBack(t *testing.T) {
	t.Parallel()
	const rgd = "platform/frontend-rgd.yaml"
	for _, tt := range []struct {
		name string
		edit change
		says []string
	}{
		{
			"a cycle",
			change{rgd, "API_HTTP_URL: ${schema.spec.values.configMap.data.API_HTTP_URL}", "API_HTTP_URL: ${deploy.metadata.name}"},
			[]string{`ResourceGraphDefinition "frontend-app-v2"`, "cycle: config -> deploy -> config"},
		},
		{"a field without a type", change{rgd, "tag: string", "tag:"}, []string{`ResourceGraphDefinition "frontend-app-v2"`, "spec.values.deployment.tag"}},
		{"a field that the schema does not have", change{rgd, "deployment.replicas}", "deployment.replica}"}, []string{`ResourceGraphDefinition "frontend-app-v2"`, "undefined field 'replica'"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.adopt()
			b.edit("main", tt.edit.file, tt.edit.before, tt.edit.after)
			change := b.propose("1.0.2")
			gate := gateOf(stageOf(b.sweep(), devStage), promote.GateRender)
			if gate.Verdict != promote.Block || !strings.HasPrefix(b.status(change.Head), "failed: 6 of 7 gates pass; render:") {
				t.Errorf("the gate says %s, the status %q", gate.Verdict, b.status(change.Head))
			}
			contains(t, gate.Reason, tt.says...)
		})
	}
}

func TestTagStaysText(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.adopt()
	b.edit("main", "kargo/warehouse.yaml", "strictSemvers: true", "strictSemvers: false")
	b.edit("main", "kargo/promotion-task.yaml", "quote(imageFrom(vars.imageRepo, warehouse(vars.warehouseName)).Tag)", "imageFrom(vars.imageRepo, warehouse(vars.warehouseName)).Tag")
	change := b.propose("1.10")
	contains(t, b.text(string(change.Branch), devFile), `tag: "1.10"`)
	contains(t, b.mergeRequests()[0].Title, "1.0.1 → 1.10")
}

func TestTwoServicesUnderOneApplicationAreToldOfInTheChange(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.adopt()
	set := strings.NewReplacer("- path: develop/*", "- path: develop", "{{path.basename}}-dev", "frontend-dev").Replace(b.text("main", developSet))
	b.commit("main", map[string]string{developSet: set})
	b.redeploy()
	b.propose("1.0.2")
	contains(t, b.mergeRequests()[0].Description, "it deploys 2 services (develop/backend, develop/frontend)", "make one Application per folder")
}

// untouched checks that nothing was proposed and nothing was lost.
func (b *bed) untouched(t *testing.T, outcome reconcile.Outcome) {
	t.Helper()
	if len(outcome.State.Tips) != 0 || len(b.mergeRequests()) != 0 {
		t.Errorf("branches %v, merge requests %v", outcome.State.Tips, b.mergeRequests())
	}
	if again := b.sweep(); len(again.Applied) != 0 {
		t.Errorf("it does not rest: %v", again.Applied)
	}
}
