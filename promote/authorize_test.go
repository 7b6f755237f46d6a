package promote

import "testing"

func TestMayDeliver(t *testing.T) {
	stage := StageRef{"shop", "dev"}
	app := func(edit func(*ApplicationEvidence)) ApplicationEvidence {
		a := ApplicationEvidence{Name: "web", Exists: true, Source: "apps.yaml:3", Authorized: []StageRef{stage}}
		if edit != nil {
			edit(&a)
		}
		return a
	}
	foreign := func(a *ApplicationEvidence) { a.Authorized = []StageRef{{"shop", "prod"}} }
	bare := func(a *ApplicationEvidence) { a.Authorized = nil }
	missing := func(a *ApplicationEvidence) { a.Exists = false }
	for _, c := range []struct {
		name           string
		declared, live ApplicationEvidence
		verdict        Verdict
		reason         string
	}{
		{"declared and live agree", app(nil), app(nil), Pass, "web authorizes shop:dev"},
		{
			"the declaration belongs to another stage, whatever Argo CD has", app(foreign), app(nil), Block,
			`application "web" belongs to shop:prod, not to shop:dev: correct its annotation kargo.akuity.io/authorized-stage (apps.yaml:3)`,
		},
		{"Argo CD does not have it yet", app(nil), app(missing), Wait, `application "web" does not exist in Argo CD yet`},
		{
			"Argo CD does not have the annotation yet", app(nil), app(bare), Wait,
			`application "web" does not authorize the stage: add the annotation kargo.akuity.io/authorized-stage: shop:dev (apps.yaml:3)`,
		},
		{
			"nobody declares it", app(missing), app(missing), Block,
			`application "web" does not exist: no Application or ApplicationSet of this repository makes it`,
		},
		{
			"it could not be asked for", app(func(a *ApplicationEvidence) { a.Problem = "no answer" }), app(nil), Wait,
			`application "web": no answer`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			verdict, reason := MayDeliver(c.declared, c.live, stage)
			if verdict != c.verdict || reason != c.reason {
				t.Errorf("%s: %s\nwant %s: %s", verdict, reason, c.verdict, c.reason)
			}
		})
	}
}
