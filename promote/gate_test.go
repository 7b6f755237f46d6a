package promote

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestGates(t *testing.T) {
	broken := func(n int) []Finding {
		var all []Finding
		for i := range n {
			all = append(all, Finding{Severity: SeverityError, Message: string(rune('a' + i))})
		}
		return all
	}
	images := func(e ...ImageEvidence) edit { return evidence(headOne, func(v *Evidence) { v.Images = e }) }
	apps := func(e ...ApplicationEvidence) edit {
		return evidence(headOne, func(v *Evidence) { v.Applications = e })
	}
	moves := func(m ...Move) edit { return evidence(headOne, func(v *Evidence) { v.Moves = m }) }
	rendered := func(m ...Move) edit { return evidence(headOne, func(v *Evidence) { v.Rendered = m }) }
	for _, c := range []struct {
		gate    string
		name    string
		state   State
		verdict Verdict
		reason  string
	}{
		{GatePipeline, "no finding", open(), Pass, "no error in the pipeline's files"},
		{GatePipeline, "a warning", open(finding(Finding{Severity: SeverityWarning, Message: "old"})), Pass, "no error in the pipeline's files"},
		{GatePipeline, "errors are listed, three at most", open(func(s *State) { s.Findings = broken(5) }), Block, "error: a; error: b; error: c; and 2 more"},
		{
			GatePipeline, "no Project manifest", open(pipeline(func(p *Pipeline) { p.Declared = false })), Block,
			`no Project manifest declares "shop", and without one nothing is promoted: add ` +
				"{apiVersion: kargo.akuity.io/v1alpha1, kind: Project, metadata: {name: shop}} beside kargo/dev.yaml",
		},
		{GatePipeline, "no steps", open(pipeline(func(p *Pipeline) { p.Stages[0].Steps = nil })), Block, "the stage has no steps any more: give it steps again, or close the change"},

		{GateRender, "everything renders", open(), Pass, "renders at 11111111"},
		{GateRender, "a warning", open(evidence(headOne, func(e *Evidence) { e.Findings = []Finding{{Severity: SeverityWarning}} })), Pass, "renders at 11111111"},
		{GateRender, "an error", open(evidence(headOne, func(e *Evidence) { e.Findings = broken(1) })), Block, "error: a"},
		{GateRender, "not looked at", open(unseen), Wait, "head 11111111 could not be looked at yet; it is tried again, and the log says why"},

		{GateFreight, "direct", open(), Pass, "straight from warehouse web"},
		{GateFreight, "no source", open(sources(FreightRequest{Warehouse: "web"})), Block, "stage dev names no source: set sources.direct or sources.stages"},
		{GateFreight, "another warehouse", open(sources(FreightRequest{Warehouse: "api", Direct: true})), Block, `stage dev does not request freight of warehouse "web"`},
		{GateFreight, "verified upstream", open(sources(upstreamOf("prod")), verifiedNow(prod, "1.0.1")), Pass, "verified in prod"},
		{GateFreight, "verified upstream in the future of a slow clock", open(sources(upstreamOf("prod")), verified(prod, "1.0.1", now.Add(time.Second))), Wait, "not yet verified in prod"},
		{GateFreight, "not verified upstream", open(sources(upstreamOf("prod"))), Wait, "not yet verified in prod"},
		{GateFreight, "an upstream that does not exist", open(sources(upstreamOf("qa"))), Wait, "not yet verified in qa"},
		{GateFreight, "verified in one of two", open(sources(upstreamOf("qa", "prod")), verifiedNow(prod, "1.0.1")), Pass, "verified in prod"},
		{GateFreight, "verified in none of two", open(sources(upstreamOf("qa", "prod"))), Wait, "not yet verified in qa; not yet verified in prod"},
		{GateFreight, "verified in one of all", open(sources(allOf("qa", "prod")), verifiedNow(prod, "1.0.1")), Wait, "not yet verified in qa"},
		{GateFreight, "verified in all", open(sources(allOf("qa", "prod")), verifiedAt("1.0.1", prod, "qa")), Pass, "verified in qa; verified in prod"},
		{
			GateFreight, "soaking", open(sources(soakIn("prod", time.Hour)), verified(prod, "1.0.1", now.Add(-time.Minute))), Wait,
			"verified in prod, soaks until 2026-05-02 09:59:00 UTC",
		},
		{GateFreight, "soaked to the second", open(sources(soakIn("prod", time.Hour)), verified(prod, "1.0.1", now.Add(-time.Hour))), Pass, "verified in prod"},
		{
			GateFreight, "broken off by a delivery that failed", open(sources(soakIn("prod", time.Hour)), ran(prod, 1, "1.0.1"), recorded("1.0.2"),
				promoted(promotion(prod, 2, "1.0.2", delivering, func(p *Promotion) { p.Phase = PhaseFailed }))), Wait,
			"verified in prod, but replaced there after 9m0s of the 1h0m0s that it must soak",
		},
		{
			GateFreight, "not broken off by freight of another warehouse", open(sources(soakIn("prod", 48*time.Minute)), ran(prod, 1, "1.0.1"), apiRan(prod, 2, "2.0.0"),
				func(s *State) { s.History.Freights = append(s.History.Freights, api("2.0.0")) }), Pass, "verified in prod",
		},
		{
			GateFreight, "promoted again after a break starts anew, and the longest stay counts",
			open(sources(soakIn("prod", 9*time.Minute)), ran(prod, 1, "1.0.1"), ran(prod, 2, "1.0.0"), ran(prod, 5, "1.0.1")), Pass, "verified in prod",
		},
		{GateFreight, "behind a control-flow stage that takes it directly", open(sources(upstreamOf("gate")), gate(FreightRequest{Warehouse: "web", Direct: true})), Pass, "straight from warehouse web"},
		{
			GateFreight, "behind a control-flow stage that takes it directly, a soak counts from the discovery",
			open(sources(soakIn("gate", 1000*time.Hour)), gate(FreightRequest{Warehouse: "web", Direct: true})), Wait, "straight from warehouse web, soaks until 2026-06-13 00:01:00 UTC",
		},
		{GateFreight, "behind a control-flow stage that waits", open(sources(upstreamOf("gate")), gate(upstreamOf("prod"))), Wait, "not yet verified in prod"},
		{GateFreight, "behind a control-flow stage, with a soak", open(sources(soakIn("gate", 2*time.Hour)), gate(upstreamOf("prod")), verifiedNow(prod, "1.0.1")), Wait, "verified in prod, soaks until 2026-05-02 11:00:00 UTC"},
		{GateFreight, "control-flow stages in a circle", open(sources(upstreamOf("gate")), gate(upstreamOf("gate"))), Wait, "not yet verified in gate"},
		{GateFreight, "lost by the ledger", open(func(s *State) { s.History.Freights = nil }), Block, "the freight is not in the ledger any more: close the change and promote again"},

		{GateDowngrade, "forward", open(), Pass, "1.0.0 → 1.0.1"},
		{GateDowngrade, "nothing moves", open(moves()), Pass, "no version goes back"},
		{GateDowngrade, "no versions", open(moves(Move{Before: "main-a", After: "main-b"})), Pass, "no version goes back"},
		{GateDowngrade, "the same value in several files is said once", open(moves(Move{Before: "1", After: "2"}, Move{Before: "1", After: "2"})), Pass, "1 → 2"},
		{GateDowngrade, "one of two goes back", open(moves(Move{Before: "1", After: "2"}, Move{File: "b.yaml", Before: "2.1", After: "2.0"})), Block, "2.1 → 2.0 in b.yaml goes back; to do this on purpose comment `/promote dev`"},
		{GateDowngrade, "a registry with a port is no version", open(moves(Move{File: "b.yaml", Before: "reg:5001/web", After: "reg:5000/web"})), Pass, "no version goes back"},
		{
			GateDowngrade, "what is rendered goes back, where steps had nothing to compare with",
			open(moves(Move{File: "base/kustomization.yaml", After: "r/web:1.0.1"}), rendered(Move{File: "r/web of application web-dev", Before: "1.0.2", After: "1.0.1"})),
			Block, "1.0.2 → 1.0.1 in r/web of application web-dev goes back; to do this on purpose comment `/promote dev`",
		},
		{
			GateDowngrade, "what is rendered says what a step wrote",
			open(rendered(Move{File: "r/web of application web-dev", Before: "1.0.0", After: "1.0.1"})), Pass, "1.0.0 → 1.0.1",
		},
		{
			GateDowngrade, "what is rendered goes forward", open(moves(), rendered(Move{File: "r/web of application web-dev", Before: "1.0.0", After: "1.0.1"})),
			Pass, "1.0.0 → 1.0.1",
		},
		{
			GateDowngrade, "an image that the freight does not hold goes back", open(rendered(Move{File: "redis of application web-dev", Before: "7.2.0", After: "6.2.0"})),
			Block, "7.2.0 → 6.2.0 in redis of application web-dev goes back; to do this on purpose comment `/promote dev`",
		},
		{
			GateDowngrade, "what is rendered of the others in a change is theirs to answer for",
			open(rendered(Move{File: "r/web of application web-prod", Before: "1.0.5", After: "1.0.4"}), func(s *State) {
				p := &s.History.Promotions[len(s.History.Promotions)-1]
				p.With = []StageRef{dev}
			}), Pass, "no version goes back",
		},
		{GateDowngrade, "on purpose", open(moves(Move{File: "b.yaml", Before: "2.1", After: "2.0"}), wished(promotion(dev, 2, "1.0.1"))), Pass, "goes back because a person asked for it: 2.1 → 2.0 in b.yaml"},
		{GateDowngrade, "two projects with such a stage", open(otherProject, moves(Move{File: "b.yaml", Before: "2", After: "1"})), Block, "2 → 1 in b.yaml goes back; to do this on purpose comment `/promote shop/dev`"},
		{GateDowngrade, "commits that were added by hand", open(pushed(headTwo), found(headTwo, "1.0.1")), Skip, "commits were added by hand: their versions were not compared, and Lockkeeper does not merge them"},
		{
			GateDowngrade, "commits that were added by hand, even if a person asked for the freight",
			open(pushed(headTwo), found(headTwo, "1.0.1"), func(s *State) { s.History.Promotions[1].Actor = "ann" }), Skip,
			"commits were added by hand: their versions were not compared, and Lockkeeper does not merge them",
		},
		{GateDowngrade, "on purpose, but of what was made again since", open(moves(Move{File: "b.yaml", Before: "2.1", After: "2.0"}), wished(promotion(dev, 2, "1.0.1", func(p *Promotion) { p.Head = headTwo }))), Block, "2.1 → 2.0 in b.yaml goes back; to do this on purpose comment `/promote dev`"},
		{GateDowngrade, "not looked at", open(unseen), Wait, "head 11111111 could not be looked at yet; it is tried again, and the log says why"},

		{GateImage, "as recorded", open(), Pass, "acme/web:1.0.1 is sha256:1.0.1"},
		{GateImage, "gone", open(images(ImageEvidence{Image: web("1.0.1")})), Block, "acme/web:1.0.1 is gone from its registry: push it again, or promote another version"},
		{
			GateImage, "moved", open(images(ImageEvidence{Image: web("1.0.1"), Digest: "sha256:0123456789abcdef"})), Block,
			"acme/web:1.0.1 was pushed again: recorded sha256:1.0.1, now sha256:0123456789ab; tags of releases must not move",
		},
		{GateImage, "the digest of the freight counts, not that of the evidence", open(images(ImageEvidence{Image: Image{RepoURL: "acme/web", Tag: "1.0.1", Digest: "sha256:x"}, Digest: "sha256:x"})), Block, "acme/web:1.0.1 was pushed again: recorded sha256:1.0.1, now sha256:x; tags of releases must not move"},
		{GateImage, "registry down", open(images(ImageEvidence{Image: web("1.0.1"), Digest: "sha256:1.0.1", Problem: "timeout"})), Wait, "the registry of acme/web:1.0.1 cannot be asked: timeout"},
		{GateImage, "evidence of other images only", open(images(ImageEvidence{Image: web("1.0.0"), Digest: "sha256:1.0.0"})), Wait, "the registry of acme/web:1.0.1 was not asked yet"},
		{GateImage, "not looked at", open(unseen), Wait, "head 11111111 could not be looked at yet; it is tried again, and the log says why"},
		{GateImage, "freight without images", open(func(s *State) { s.History.Freights[1].Images = nil }), Skip, "the freight holds no image"},

		{GateHold, "free", open(), Pass, "not on hold"},
		{GateHold, "another stage is held", open(held(prod, "")), Pass, "not on hold"},
		{GateHold, "held", open(held(dev, "")), Block, "held by ann; comment `/resume dev` to go on"},
		{GateHold, "held with a reason", open(held(dev, "party")), Block, "held by ann (party); comment `/resume dev` to go on"},

		{GateApplication, "authorized", open(), Pass, "web authorizes shop:dev"},
		{GateApplication, "none is updated", open(apps()), Skip, "no step of the stage updates an Argo CD application"},
		{GateApplication, "missing", open(apps(ApplicationEvidence{Name: "wbe"})), Block, `application "wbe" does not exist: no Application or ApplicationSet of this repository makes it`},
		{GateApplication, "missing, with names like it", open(apps(ApplicationEvidence{Name: "wbe", Candidates: []string{"web", "wbx"}})), Block, `application "wbe" does not exist: no Application or ApplicationSet of this repository makes it; did you mean web, wbx?`},
		{GateApplication, "no annotation", open(apps(ApplicationEvidence{Name: "web", Exists: true, Source: "a.yaml:3"})), Block, `application "web" does not authorize the stage: add the annotation kargo.akuity.io/authorized-stage: shop:dev (a.yaml:3)`},
		{GateApplication, "another stage", open(apps(ApplicationEvidence{Name: "web", Exists: true, Source: "a.yaml:3", Authorized: []StageRef{prod, {"shop", "qa"}}})), Block, `application "web" belongs to shop:prod, shop:qa, not to shop:dev: correct its annotation kargo.akuity.io/authorized-stage (a.yaml:3)`},
		{GateApplication, "server down", open(apps(ApplicationEvidence{Name: "web", Problem: "HTTP 503"})), Wait, `application "web": HTTP 503`},
		{GateApplication, "the worst of two is said", open(apps(ApplicationEvidence{Name: "a", Problem: "down"}, ApplicationEvidence{Name: "b"})), Block, `application "b" does not exist: no Application or ApplicationSet of this repository makes it`},
		{GateApplication, "not looked at", open(unseen), Wait, "head 11111111 could not be looked at yet; it is tried again, and the log says why"},
	} {
		t.Run(c.gate+": "+c.name, func(t *testing.T) {
			gates := Decide(c.state).Stages[0].Gates
			if len(gates) != len(GateNames()) {
				t.Fatalf("%d gates were judged, want %d", len(gates), len(GateNames()))
			}
			for _, gate := range gates {
				if gate.Name != c.gate {
					continue
				}
				if diff := cmp.Diff(Gate{c.gate, c.verdict, c.reason}, gate); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func unseen(s *State) { clear(s.Evidence) }

func sources(request FreightRequest) edit {
	return pipeline(func(p *Pipeline) { p.Stages[0].Requests = []FreightRequest{request} })
}

func upstreamOf(stages ...string) FreightRequest {
	return FreightRequest{Warehouse: "web", Stages: stages}
}

func allOf(stages ...string) FreightRequest {
	return FreightRequest{Warehouse: "web", Stages: stages, All: true}
}

func soakIn(stage string, d time.Duration) FreightRequest {
	return FreightRequest{Warehouse: "web", Stages: []string{stage}, RequiredSoak: d}
}

// gate adds a control-flow stage of that name.
func gate(request FreightRequest) edit {
	return pipeline(func(p *Pipeline) {
		p.Stages = append(p.Stages, Stage{Name: "gate", Requests: []FreightRequest{request}})
	})
}

func TestEveryGateIsJudged(t *testing.T) {
	for _, gate := range GateNames() {
		if verdict, reason := judgeOne(gate.Name, gateInput{index: newIndex(&State{})}); strings.HasPrefix(reason, "unknown gate") {
			t.Errorf("%s: %s: %s", gate.Name, verdict, reason)
		}
	}
	if verdict, reason := judgeOne("weather", gateInput{}); verdict != Block || reason != "unknown gate weather" {
		t.Errorf("a gate that nobody judges: %s: %s", verdict, reason)
	}
}

func TestGatesVerdictAndStatus(t *testing.T) {
	long := strings.Repeat("ü@`|\n", 200)
	for _, c := range []struct {
		name        string
		gates       Gates
		verdict     Verdict
		state       StatusState
		description string
	}{
		{"all pass", Gates{{"a", Pass, "x"}, {"b", Pass, "y"}}, Pass, StatusSuccess, "all 2 gates pass"},
		{"a gate that does not apply passes", Gates{{"a", Pass, "x"}, {"b", Skip, "y"}}, Pass, StatusSuccess, "all 2 gates pass"},
		{"one waits", Gates{{"a", Wait, "x"}, {"b", Pass, "y"}}, Wait, StatusPending, "1 of 2 gates pass; a: x"},
		{"the worst is named first", Gates{{"a", Wait, "x"}, {"b", Block, "y"}, {"c", Block, "z"}}, Block, StatusFailed, "0 of 3 gates pass; b: y"},
		{"a long reason is cut", Gates{{"a", Block, long}}, Block, StatusFailed, ""},
		{"bytes that are no text", Gates{{"a", Block, "\xff\x00\x1b[31mred"}}, Block, StatusFailed, "0 of 1 gates pass; a: �[31mred"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.gates.Verdict(); got != c.verdict {
				t.Errorf("Verdict = %s, want %s", got, c.verdict)
			}
			got := c.gates.Status()
			if got.Name != StatusName || got.State != c.state || c.description != "" && got.Description != c.description {
				t.Errorf("Status = %+v", got)
			}
			if len(got.Description) > 255 || !utf8.ValidString(got.Description) || strings.ContainsAny(got.Description, "\n\r\t") {
				t.Errorf("the description is not one line of 255 bytes: %q", got.Description)
			}
		})
	}
}

func TestPlanVerdictIsTheWorst(t *testing.T) {
	for _, c := range []struct {
		verdicts []Verdict
		want     Verdict
	}{
		{nil, Pass}, {[]Verdict{Pass, Skip}, Pass}, {[]Verdict{Skip, Wait}, Wait}, {[]Verdict{Block, Wait}, Block},
	} {
		var p Plan
		for _, v := range c.verdicts {
			p.Stages = append(p.Stages, StageStatus{Verdict: v})
		}
		if got := p.Verdict(); got != c.want {
			t.Errorf("Verdict of %v = %s, want %s", c.verdicts, got, c.want)
		}
	}
}

func TestJudgeProposalSaysWhatDecideWillSay(t *testing.T) {
	s := open()
	p := promotion(dev, 2, "1.0.1", inChange)
	gates, edit, err := JudgeProposal(s, p, s.Evidence[headOne])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Decide(s).Stages[0].Gates, gates); diff != "" {
		t.Error(diff)
	}
	if edit.Title != s.Changes[0].Title || edit.Description != s.Changes[0].Description {
		t.Errorf("the text differs: %+v", edit)
	}
	p.Stage.Name = "qa"
	if _, _, err := JudgeProposal(s, p, Evidence{}); err == nil || err.Error() != `stage "shop/qa": not found` {
		t.Errorf("unknown stage: %v", err)
	}
	p.Stage.Name, p.Freight = "dev", "abc"
	if _, _, err := JudgeProposal(s, p, Evidence{}); err == nil || err.Error() != `freight "abc": not found` {
		t.Errorf("unknown freight: %v", err)
	}
}

// What goes back is what the warehouse takes for older, by whatever strategy it chooses.
func TestDowngradeFollowsTheStrategy(t *testing.T) {
	strategy := func(s Strategy) edit {
		return pipeline(func(p *Pipeline) { p.Warehouses[0].Images[0].Strategy = s })
	}
	moved := evidence(headOne, func(e *Evidence) { e.Moves = []Move{{File: "a.yaml", Key: "tag", Before: "1.0.9", After: "1.0.1"}} })
	for _, c := range []struct {
		name string
		s    Strategy
		want Verdict
	}{
		{"by version it goes back", SelectSemVer, Block},
		{"by its bytes it goes back, too", SelectLexical, Block},
		{"what was built last does not", SelectNewestBuild, Pass},
		{"what a tag points to now does not", SelectDigest, Pass},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(strategy(c.s), moved)
			gates, _, err := JudgeProposal(s, promotion(dev, 2, "1.0.1", inChange), s.Evidence[headOne])
			if err != nil {
				t.Fatal(err)
			}
			for _, gate := range gates {
				if gate.Name == GateDowngrade && gate.Verdict != c.want {
					t.Errorf("%s: %s, want %s", gate.Verdict, gate.Reason, c.want)
				}
			}
		})
	}
}

// What stands beside a status: the table of gates, and the findings that have a place, the worst first.
func TestPost(t *testing.T) {
	gates := Gates{{Name: "render", Verdict: Block, Reason: "it does not render"}}
	findings := []Finding{
		{Severity: SeverityInfo, Code: "note", Position: Position{File: "a.yaml", Line: 3}, Message: "by the way"},
		{Severity: SeverityError, Code: "nowhere", Message: "it has no place"},
		{Severity: SeverityError, Code: "bad-value", Position: Position{File: "b.yaml", Line: 7, Column: 2}, Message: "it is\n\x1bwrong", Remedy: "correct it"},
		{Severity: SeverityWarning, Code: "odd", Position: Position{File: "c.yaml"}, Message: "it is odd"},
	}
	want := PostStatus{
		Change: 7, Head: headOne, Branch: "lockkeeper/shop/dev",
		Status:  Status{Name: StatusName, State: StatusFailed, Description: "0 of 1 gates pass; render: it does not render"},
		Summary: "### Gates\n\n|  | gate | reason |\n|---|---|---|\n| ❌ | render | it does not render |\n",
		Annotations: []Annotation{
			{Path: "b.yaml", Line: 7, Level: AnnotationFailure, Title: "bad-value", Message: "it is wrong; correct it"},
			{Path: "c.yaml", Level: AnnotationWarning, Title: "odd", Message: "it is odd"},
			{Path: "a.yaml", Line: 3, Level: AnnotationNotice, Title: "note", Message: "by the way"},
		},
	}
	got := gates.Post(Change{Number: 7, Head: headOne, Branch: "lockkeeper/shop/dev"}, findings)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	many := make([]Finding, 2*maxAnnotations)
	for i := range many {
		many[i] = Finding{Position: Position{File: "a.yaml"}}
	}
	if n := len(Annotations(many)); n != maxAnnotations {
		t.Errorf("%d annotations, want %d", n, maxAnnotations)
	}
}
