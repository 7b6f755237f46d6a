package promote

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// currentFreight returns the freight of a warehouse that a stage runs, by its last successful promotion.
func currentFreight(h History, stage StageRef, warehouse string) (Freight, bool) {
	last, ok := newest(h.Promotions, func(p Promotion) bool {
		freight, known := h.Freight(stage.Project, p.Freight)
		return p.Stage == stage && p.Phase == PhaseSucceeded && known && freight.Warehouse == warehouse
	})
	if !ok {
		return Freight{}, false
	}
	return h.Freight(stage.Project, last.Freight)
}

// The index answers as History does.
func TestIndexAgreesWithHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tags := []string{"1.0.0", "1.0.1", "1.0.2"}
		s := known(recorded(tags...))
		for range rapid.IntRange(0, 12).Draw(t, "promotions") {
			p := promotion(rapid.SampledFrom([]StageRef{dev, prod}).Draw(t, "stage"), rapid.IntRange(1, 20).Draw(t, "number"),
				rapid.SampledFrom(tags).Draw(t, "tag"))
			p.Phase = rapid.SampledFrom([]Phase{PhaseProposed, PhaseDelivering, PhaseSucceeded, PhaseFailed, PhaseAborted}).Draw(t, "phase")
			if !slices.ContainsFunc(s.History.Promotions, func(o Promotion) bool { return cmp.Compare(o.Number, p.Number) == 0 }) {
				s.History.Promotions = append(s.History.Promotions, p)
			}
		}
		x := newIndex(&s)
		for _, stage := range []StageRef{dev, prod} {
			want, wantOK := s.History.Active(stage)
			got, ok := x.active(stage)
			if got.ID != want.ID || ok != wantOK {
				t.Fatalf("active(%s) = %s, History says %s", stage, got.ID, want.ID)
			}
			f, wantOK := currentFreight(s.History, stage, "web")
			g, ok := x.current(stage, "web")
			if f.ID != g.ID || ok != wantOK {
				t.Fatalf("current(%s) = %s, History says %s", stage, g.Label(), f.Label())
			}
			last, _ := newest(s.History.Promotions, func(p Promotion) bool { return p.Stage == stage })
			if n := x.lastNumber(stage); n != last.Number {
				t.Fatalf("lastNumber(%s) = %d, want %d", stage, n, last.Number)
			}
			for _, tag := range tags {
				want, wantOK := newest(s.History.Promotions, func(p Promotion) bool { return p.Stage == stage && p.Freight == version(tag).ID })
				got, ok := x.latest(stage, version(tag).ID)
				if got.ID != want.ID || ok != wantOK {
					t.Fatalf("latest(%s, %s) = %s, History says %s", stage, tag, got.ID, want.ID)
				}
			}
		}
	})
}
