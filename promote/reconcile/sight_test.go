package reconcile

import (
	"encoding/json"
	"testing"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/render"
	"github.com/lockkeeper/lockkeeper/render/diff"
)

// seeing is what people see of a promotion, with edits.
func seeing(edits ...func(*sight)) sight {
	s := sight{files: []sightFile{{"web/values.yaml", "1", "2"}}, rendering: "r", promotions: []promote.Promotion{{
		ID: "dev.0002.f", Stage: promote.StageRef{Project: "shop", Name: "dev"}, Number: 2, Freight: "f", Target: "main",
		Title: "t", Text: "d", Labels: []string{"l"}, Vars: []promote.Var{{Name: "v", Value: "1"}},
		Steps: []promote.Step{{Uses: "git-push", As: "step-1", Config: json.RawMessage(`{"a":1}`)}},
	}}}
	for _, e := range edits {
		e(&s)
	}
	return s
}

// ofPromotion is what people see of a promotion that differs.
func ofPromotion(edit func(*promote.Promotion)) sight {
	return seeing(func(s *sight) { edit(&s.promotions[0]) })
}

func TestSightsDiffer(t *testing.T) {
	seen := map[string]string{seeing().digest(): "the same"}
	for _, row := range []struct {
		name string
		s    sight
	}{
		{"another file", seeing(func(s *sight) { s.files[0].Path = "api/values.yaml" })},
		{"another content before", seeing(func(s *sight) { s.files[0].Before = "0" })},
		{"another content after", seeing(func(s *sight) { s.files[0].After = "3" })},
		{"one file more", seeing(func(s *sight) { s.files = append(s.files, sightFile{"b", "", "1"}) })},
		{"no file", seeing(func(s *sight) { s.files = nil })},
		{"another rendered difference", seeing(func(s *sight) { s.rendering = "x" })},
		{"another stage", ofPromotion(func(p *promote.Promotion) { p.Stage.Name = "prod" })},
		{"another promotion", ofPromotion(func(p *promote.Promotion) { p.ID = "dev.0003.f" })},
		{"other freight", ofPromotion(func(p *promote.Promotion) { p.Freight = "g" })},
		{"freight of another warehouse besides", ofPromotion(func(p *promote.Promotion) { p.Others = []promote.FreightID{"x"} })},
		{"another target", ofPromotion(func(p *promote.Promotion) { p.Target = "production" })},
		{"another title", ofPromotion(func(p *promote.Promotion) { p.Title = "x" })},
		{"another text", ofPromotion(func(p *promote.Promotion) { p.Text = "x" })},
		{"another label", ofPromotion(func(p *promote.Promotion) { p.Labels = []string{"x"} })},
		{"another variable", ofPromotion(func(p *promote.Promotion) { p.Vars[0].Value = "2" })},
		{"one step more, after the merge", ofPromotion(func(p *promote.Promotion) {
			p.Steps = append(p.Steps, promote.Step{Uses: "http", As: "step-2"})
		})},
		{"a step that is configured in another way", ofPromotion(func(p *promote.Promotion) { p.Steps[0].Config = json.RawMessage(`{"a":2}`) })},
		{"one more that shares the change", seeing(func(s *sight) { s.promotions = append(s.promotions, promote.Promotion{ID: "prod.0001.f"}) })},
	} {
		digest := row.s.digest()
		if other, same := seen[digest]; same || len(digest) != 64 {
			t.Errorf("%s: digest %q, as of %s", row.name, digest, other)
		}
		seen[digest] = row.name
	}
}

func TestSightsAreTheSameOnAnotherCommit(t *testing.T) {
	for name, s := range map[string]sight{
		"another head and base": ofPromotion(func(p *promote.Promotion) { p.Head, p.Base, p.Source = "h", "b", "b" }),
		"another line":          ofPromotion(func(p *promote.Promotion) { p.Steps[0].Position = promote.Position{File: "kargo/dev.yaml", Line: 9} }),
		"what the steps said":   ofPromotion(func(p *promote.Promotion) { p.Results = []promote.StepResult{{As: "step-1"}} }),
		"what was shown before": ofPromotion(func(p *promote.Promotion) { p.Shown = "a" }),
	} {
		if s.digest() != seeing().digest() {
			t.Errorf("%s: it shows something else", name)
		}
	}
}

func TestNobodyCanTellWhatWasNotShown(t *testing.T) {
	for name, s := range map[string]sight{
		"not rendered":        seeing(func(s *sight) { s.rendering = "" }),
		"of nothing":          seeing(func(s *sight) { s.promotions = nil }),
		"a step without JSON": ofPromotion(func(p *promote.Promotion) { p.Steps[0].Config = json.RawMessage(`{`) }),
	} {
		if digest := s.digest(); digest != "" {
			t.Errorf("%s: digest %q", name, digest)
		}
	}
}

func TestRenderingIsKnownOnlyInFull(t *testing.T) {
	r := &Reconciler{}
	for name, row := range map[string]struct {
		app   render.AppComparison
		known bool
	}{
		"both":                {render.AppComparison{Base: &render.Result{}, Head: &render.Result{}}, true},
		"new":                 {render.AppComparison{Head: &render.Result{}}, true},
		"gone":                {render.AppComparison{Base: &render.Result{}}, true},
		"a base that failed":  {render.AppComparison{Base: &render.Result{Failed: true}, Head: &render.Result{}}, false},
		"a head that failed":  {render.AppComparison{Base: &render.Result{}, Head: &render.Result{Failed: true}}, false},
		"a base in part":      {render.AppComparison{Base: &render.Result{Partial: true}, Head: &render.Result{}}, false},
		"a head in part":      {render.AppComparison{Base: &render.Result{}, Head: &render.Result{Partial: true}}, false},
		"gone, known in part": {render.AppComparison{Base: &render.Result{Partial: true}}, false},
	} {
		comparison := render.Comparison{Apps: []render.AppComparison{row.app}}
		if digest := r.rendering(t.Context(), comparison, DiffReport(comparison, diff.Options{})); (digest != "") != row.known {
			t.Errorf("%s: digest %q", name, digest)
		}
	}
}
