package promote

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Target is one of the places that a stage fans out to, such as one of two hundred clusters. Steps read it as target.name,
// target.labels and target.params.
type Target struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	Params map[string]string `json:"params,omitempty"`
}

// Wave bounds how fast a stage fans out by itself. The zero value does not. What a person asks for does not wait for it.
type Wave struct {
	MaxInFlight int           // targets that are promoted to at once; 0: all
	Pause       time.Duration // between the end of a wave and the next one
}

// FanOut puts one stage for each target in the place of a declared one. They are called "<stage>.<target>"; everything that is
// said of the declared stage is said of each: policies, findings, and that downstream stages wait for it, namely for all.
// Without targets the declared stage stays as it is.
func (p *Pipeline) FanOut(name string, targets []Target, wave Wave) {
	i := slices.IndexFunc(p.Stages, func(s Stage) bool { return s.Name == name })
	if i < 0 || len(targets) == 0 {
		return
	}
	stages := make([]Stage, len(targets))
	for n, target := range targets {
		stages[n] = p.Stages[i]
		stages[n].Name, stages[n].Fan, stages[n].Target, stages[n].Wave = name+"."+target.Name, name, &targets[n], wave
	}
	p.Stages = slices.Replace(p.Stages, i, i+1, stages...)
}

// Declared is the name by which manifests know the stage.
func (s Stage) Declared() string { return orElse(s.Fan, s.Name) }

// wave is how far the targets of one stage have come.
type wave struct {
	running []string  // targets with a promotion that is not over
	started int       // promotions that this decision proposes
	ended   time.Time // when the last promotion was over that nothing took the place of
}

// waveOf returns the wave of a fanned out stage. It is looked at once in a decision, before anything is proposed.
func (x *index) waveOf(fan StageRef) *wave {
	if known := x.waves[fan]; known != nil {
		return known
	}
	w := &wave{}
	for _, name := range x.fans[fan] {
		last, promoted := x.last(StageRef{fan.Project, name}, func(*Promotion) bool { return true })
		switch {
		case !promoted:
		case !last.Phase.Terminal():
			w.running = append(w.running, strings.TrimPrefix(name, fan.Name+"."))
		case last.Phase != PhaseAborted && last.FinishedAt.After(w.ended):
			w.ended = last.FinishedAt
		}
	}
	x.waves[fan] = w
	return w
}

// broken returns a target of the stage to which the promotion of a freight failed.
func (x *index) broken(fan StageRef, freight FreightID) (string, bool) {
	key := stageFreight{fan, freight}
	name, known := x.failures[key]
	if !known {
		name = x.findBroken(fan, freight)
		x.failures[key] = name
	}
	return name, name != ""
}

func (x *index) findBroken(fan StageRef, freight FreightID) string {
	for _, name := range x.fans[fan] {
		if last, tried := x.latest(StageRef{fan.Project, name}, freight); tried && last.Phase == PhaseFailed {
			return name
		}
	}
	return ""
}

// nextInWave says why a target has to wait for others of its stage; Pass when it need not.
func (s *stageDecision) nextInWave(freight Freight) (Verdict, string) {
	if s.stage.Fan == "" || s.stage.Wave.MaxInFlight <= 0 {
		return Pass, ""
	}
	fan := StageRef{s.ref.Project, s.stage.Fan}
	if name, failed := s.index.broken(fan, freight.ID); failed {
		return Block, fmt.Sprintf("it failed in %s, so no further wave begins: comment `/promote %s %s` to try again there, or `/reject %s`",
			name, s.index.word(StageRef{fan.Project, name}), versionWord(freight), versionWord(freight))
	}
	w := s.index.waveOf(fan)
	if next := w.ended.Add(s.stage.Wave.Pause); w.started == 0 && len(w.running) == 0 && next.After(s.state.Now) && !w.ended.IsZero() {
		s.recheckAt(next)
		return Wait, "the next wave begins at " + next.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	switch {
	case s.stage.Target != nil && slices.Contains(w.running, s.stage.Target.Name): // newer freight takes its own place
		return Pass, ""
	case len(w.running) > 0:
		return Wait, "a wave is under way: " + joinLimited(w.running, 5)
	case w.started >= s.stage.Wave.MaxInFlight:
		return Wait, fmt.Sprintf("this wave has its %d targets", s.stage.Wave.MaxInFlight)
	}
	return Pass, ""
}

// joinWave counts a target that is promoted to.
func (s *stageDecision) joinWave() {
	if s.stage.Fan != "" && s.stage.Wave.MaxInFlight > 0 {
		s.index.waveOf(StageRef{s.ref.Project, s.stage.Fan}).started++
	}
}
