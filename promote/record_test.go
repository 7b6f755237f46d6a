package promote

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHistory(t *testing.T) {
	other := StageRef{"bank", "dev"}
	elsewhere := promotion(other, 9, "1.0.0")
	h := known(
		recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), promoted(promotion(dev, 3, "1.0.1", inChange), promotion(dev, 2, "1.0.1", failed), elsewhere),
		held(prod, "why"),
	).History
	if p, ok := h.Active(dev); !ok || p.Number != 3 {
		t.Errorf("Active = %v, %v", p.ID, ok)
	}
	if p, ok := h.Active(prod); ok {
		t.Errorf("Active = %v, want none", p.ID)
	}
	if p, ok := h.Promotion(dev, promotion(dev, 2, "1.0.1").ID); !ok || p.Phase != PhaseFailed {
		t.Errorf("Promotion = %v, %v", p, ok)
	}
	if _, ok := h.Promotion(prod, promotion(dev, 2, "1.0.1").ID); ok {
		t.Error("Promotion of another stage was found")
	}
	if f, ok := h.Freight("bank", version("1.0.0").ID); ok {
		t.Errorf("Freight of another project = %v", f)
	}
	if v, ok := h.Verified(dev, version("1.0.0").ID); !ok || !v.VerifiedAt.Equal(epoch.Add(12*time.Minute)) {
		t.Errorf("Verified = %v, %v", v, ok)
	}
	if _, ok := h.Verified(prod, version("1.0.0").ID); ok {
		t.Error("Verified in another stage")
	}
	if hold, ok := h.Hold(prod); !ok || hold.By != "ann" {
		t.Errorf("Hold = %v, %v", hold, ok)
	}
	if _, ok := h.Hold(dev); ok {
		t.Error("Hold of another stage")
	}
}

func TestZeroHistoryKnowsNothing(t *testing.T) {
	var h History
	_, active := h.Active(dev)
	_, hold := h.Hold(dev)
	if active || hold {
		t.Error("the zero History knows something")
	}
}

func TestPromotionIDCountsAndNamesTheFreight(t *testing.T) {
	if id := promotionID(dev, 4, version("1.0.1").ID); id != "dev.0004.d4dd30e" {
		t.Errorf("promotionID = %s", id)
	}
	if id := promotionID(prod, 1, "abc"); id != "prod.0001.abc" {
		t.Errorf("promotionID = %s", id)
	}
}

func TestPhaseTerminal(t *testing.T) {
	want := map[Phase]bool{PhaseProposed: false, PhaseDelivering: false, PhaseSucceeded: true, PhaseFailed: true, PhaseAborted: true}
	for phase, terminal := range want {
		if phase.Terminal() != terminal {
			t.Errorf("%s.Terminal() = %v", phase, !terminal)
		}
	}
}

func TestStateChange(t *testing.T) {
	p := promotion(dev, 1, "1.0.1")
	numbered := promotion(dev, 1, "1.0.1", inChange)
	fork := Change{Number: 1, Branch: p.Branch, Head: p.Head, Fork: true}
	older := Change{Number: 2, Branch: p.Branch, Head: headTwo, State: ChangeClosed}
	ended := Change{Number: 3, Branch: p.Branch, Head: p.Head, State: ChangeMerged}
	opened := Change{Number: 4, Branch: p.Branch, Head: headTwo}
	other := Change{Number: 7, Branch: "feature"}
	for _, c := range []struct {
		name      string
		promotion Promotion
		changes   []Change
		want      Change
		ok        bool
	}{
		{"the recorded one, whatever its branch", numbered, []Change{opened, other}, other, true},
		{"the recorded one and no other", numbered, []Change{opened}, Change{}, false},
		{"the open one before one that ended", p, []Change{fork, older, ended, opened}, opened, true},
		{"one that ended at the same head", p, []Change{fork, older, ended}, ended, true},
		{"not one that ended at another head", p, []Change{fork, older}, Change{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := State{Changes: c.changes}
			got, ok := s.Change(c.promotion)
			if diff := cmp.Diff(c.want, got); diff != "" || ok != c.ok {
				t.Errorf("ok = %v, want %v: %s", ok, c.ok, diff)
			}
			if got, ok := newIndex(&s).change(c.promotion); ok != c.ok || got.Number != c.want.Number {
				t.Errorf("the index says %d, %v", got.Number, ok)
			}
		})
	}
}

func TestPipelineLookups(t *testing.T) {
	p := shop()
	if w, ok := p.Warehouse("web"); !ok || w.Name != "web" {
		t.Errorf("Warehouse = %v, %v", w, ok)
	}
	if _, ok := p.Warehouse("api"); ok {
		t.Error("Warehouse that is not there was found")
	}
	if s, ok := p.Stage("prod"); !ok || s.Name != "prod" {
		t.Errorf("Stage = %v, %v", s, ok)
	}
	if down := p.Downstream("dev"); len(down) != 1 || down[0].Name != "prod" {
		t.Errorf("Downstream = %v", down)
	}
	if down := p.Downstream("prod"); down != nil {
		t.Errorf("Downstream of the last stage = %v", down)
	}
	s := known()
	if _, ok := s.Pipeline("bank"); ok {
		t.Error("Pipeline that is not there was found")
	}
}

func TestDurationText(t *testing.T) {
	var d Duration
	if err := d.UnmarshalText([]byte("1h30m")); err != nil || time.Duration(d) != 90*time.Minute {
		t.Errorf("UnmarshalText = %v, %v", d, err)
	}
	if text, err := d.MarshalText(); err != nil || string(text) != "1h30m0s" {
		t.Errorf("MarshalText = %s, %v", text, err)
	}
	if err := d.UnmarshalText([]byte("soon")); err == nil {
		t.Error("UnmarshalText of what is no duration succeeds")
	}
}
