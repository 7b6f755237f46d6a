package promote

import (
	"fmt"
	"slices"
	"strings"
)

// wanted finds the stage and the freight that a /promote means.
func (d *decision) wanted(c Command) (StageRef, Freight, error) {
	here, onProposal := d.stageOf(c.Change)
	of, hasFreight := d.freightOf(c.Change)
	if len(c.Arguments) == 0 {
		if !onProposal || !hasFreight {
			return StageRef{}, Freight{}, fmt.Errorf("nothing says which stage: name it, as in %s", d.example(VerbPromote))
		}
		if c.Change.State != ChangeMerged {
			return here, of, nil
		}
		next, err := d.following(here, of)
		return next, of, err
	}
	ref, rest, err := d.stageNamed(c)
	if err != nil {
		return StageRef{}, Freight{}, err
	}
	if len(rest) > 0 {
		freight, err := d.freightNamed(ref, rest[0])
		return ref, freight, err
	}
	if onProposal && hasFreight && here.Project == ref.Project && d.requests(ref, of.Warehouse) && !d.isOver(c.Change, ref) {
		return ref, of, nil
	}
	freight, err := d.newestFor(ref)
	return ref, freight, err
}

// isOver reports whether a change brought its freight to the stage. Naming the stage there again asks for what is new, not
// for going back to what the change was about.
func (d *decision) isOver(change Change, ref StageRef) bool {
	return slices.ContainsFunc(d.index.proposed[change.Number], func(p *Promotion) bool {
		return p.Stage == ref && p.Phase == PhaseSucceeded
	})
}

// following returns the one stage that takes a freight from another one.
func (d *decision) following(from StageRef, freight Freight) (StageRef, error) {
	var names []string
	d.collect(from, freight, &names, len(d.index.stages))
	switch len(names) {
	case 0:
		return StageRef{}, fmt.Errorf("no stage follows %s", codeSpan(from.String()))
	case 1:
		return StageRef{from.Project, names[0]}, nil
	}
	first := d.index.word(StageRef{from.Project, names[0]})
	return StageRef{}, fmt.Errorf("%d stages follow %s: %s; name one, as in %s", len(names), codeSpan(from.String()),
		codeSpan(strings.Join(names, ", ")), codeSpan("/promote "+first))
}

// collect adds the stages that take freight from a stage, looking through control-flow stages.
func (d *decision) collect(from StageRef, freight Freight, names *[]string, depth int) {
	pipeline, _ := d.state.Pipeline(from.Project)
	for _, stage := range pipeline.Downstream(from.Name) {
		ref := StageRef{from.Project, stage.Name}
		switch {
		case !d.requests(ref, freight.Warehouse) || slices.Contains(*names, stage.Name):
		case len(stage.Steps) > 0:
			*names = append(*names, stage.Name)
		case depth > 0:
			d.collect(ref, freight, names, depth-1)
		}
	}
}

func (d *decision) requests(ref StageRef, warehouse string) bool {
	place, ok := d.index.stages[ref]
	if !ok {
		return false
	}
	stage := d.state.Pipelines[place.pipeline].Stages[place.stage]
	return slices.ContainsFunc(stage.Requests, func(r FreightRequest) bool { return r.Warehouse == warehouse })
}

// newestFor returns the freight that is next for a stage: the newest available, else the newest, whose refusal says why.
func (d *decision) newestFor(ref StageRef) (Freight, error) {
	s := d.at(d.index.stages[ref])
	var behind, fallback Freight
	for _, request := range s.stage.Requests {
		best, waiting, _ := s.pick(request)
		current, runs := d.index.current(ref, request.Warehouse)
		switch {
		case best.ID != "" && (!runs || d.index.order(best, current) == Newer):
			return best, nil
		case best.ID != "" && behind.ID == "":
			behind = best
		case best.ID == "" && fallback.ID == "":
			fallback = waiting
		}
	}
	switch {
	case behind.ID != "":
		return behind, nil
	case fallback.ID != "":
		return fallback, nil
	}
	return Freight{}, fmt.Errorf("there is no freight yet for %s", codeSpan(ref.String()))
}

// freightNamed returns the newest freight of a stage's warehouses that has the tag, or the ID of which the word is the start.
func (d *decision) freightNamed(ref StageRef, word string) (Freight, error) {
	var labels []string
	var found *Freight
	for _, request := range d.state.Pipelines[d.index.stages[ref].pipeline].Stages[d.index.stages[ref].stage].Requests {
		for _, freight := range slices.Backward(d.index.warehouses[StageRef{ref.Project, request.Warehouse}]) {
			labels = append(labels, versionWord(*freight))
			if found == nil && freight.named(word) {
				found = freight
			}
		}
	}
	switch {
	case found != nil:
		return *found, nil
	case len(labels) == 0:
		return Freight{}, fmt.Errorf("there is no freight yet for %s", codeSpan(ref.String()))
	}
	return Freight{}, fmt.Errorf("no freight %s for %s; there is: %s", codeSpan(word), codeSpan(ref.String()),
		codeSpan(joinLimited(labels, 10)))
}

// stageNamed returns the stage that the first argument names, and the other arguments; without one it is the stage of
// the change.
func (d *decision) stageNamed(c Command) (StageRef, []string, error) {
	here, onProposal := d.stageOf(c.Change)
	if len(c.Arguments) == 0 {
		if !onProposal {
			return StageRef{}, nil, fmt.Errorf("nothing says which stage: name it, as in %s", d.example(c.Verb))
		}
		return here, nil, nil
	}
	word := c.Arguments[0]
	var found []StageRef
	var names []string
	for _, pipeline := range d.state.Pipelines {
		for _, stage := range pipeline.Stages {
			ref := StageRef{pipeline.Project, stage.Name}
			names = append(names, stage.Name)
			if stage.Name == word || ref.String() == word {
				found = append(found, ref)
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0], c.Arguments[1:], nil
	case len(found) > 1:
		return StageRef{}, nil, fmt.Errorf("%d projects have a stage %s: write %s", len(found), codeSpan(word),
			codeSpan("/"+string(c.Verb)+" "+found[0].String()))
	case onProposal && c.Verb == VerbHold:
		return here, c.Arguments, nil
	}
	if targets := d.targetsNamed(word); len(targets) > 0 {
		return StageRef{}, nil, fmt.Errorf("%s has %d targets: name one: %s", codeSpan(word), len(targets), codeSpan(joinLimited(targets, 10)))
	}
	text := "there is no stage " + codeSpan(word)
	if near, ok := Nearest(word, names); ok {
		return StageRef{}, nil, fmt.Errorf("%s; did you mean %s? `/status` lists them all", text, codeSpan(near))
	}
	return StageRef{}, nil, fmt.Errorf("%s; `/status` lists them all", text)
}

// targetsNamed returns the targets of the fanned out stage that a word names.
func (d *decision) targetsNamed(word string) []string {
	for _, pipeline := range d.state.Pipelines {
		for _, stage := range pipeline.Stages {
			if stage.Fan != "" && (word == stage.Fan || word == pipeline.Project+"/"+stage.Fan) {
				return d.index.fans[StageRef{pipeline.Project, stage.Fan}]
			}
		}
	}
	return nil
}

// stageOf returns the stage that a change promotes to. The branch and the ledger decide, never the text.
func (d *decision) stageOf(change Change) (StageRef, bool) {
	if change.Fork || change.Number == 0 {
		return StageRef{}, false
	}
	var ref StageRef
	if name, ours := strings.CutPrefix(string(change.Branch), "lockkeeper/"); ours && ref.UnmarshalText([]byte(name)) == nil {
		if _, declared := d.index.stages[ref]; declared {
			return ref, true
		}
	}
	for _, p := range slices.Backward(d.index.proposed[change.Number]) {
		if _, declared := d.index.stages[p.Stage]; declared {
			return p.Stage, true
		}
	}
	return StageRef{}, false
}

// freightOf returns the freight that a change promotes, or promoted last.
func (d *decision) freightOf(change Change) (Freight, bool) {
	ref, ok := d.stageOf(change)
	if !ok {
		return Freight{}, false
	}
	p, ok := d.index.last(ref, func(p *Promotion) bool {
		return p.Change == change.Number || p.Change == 0 && p.Branch == change.Branch && p.Head == change.Head
	})
	if !ok {
		return Freight{}, false
	}
	return d.index.freight(ref.Project, p.Freight)
}

// example is a command that names some stage, for people who named none.
func (d *decision) example(verb Verb) string {
	for _, pipeline := range d.state.Pipelines {
		for _, stage := range pipeline.Stages {
			return codeSpan("/" + string(verb) + " " + d.index.word(StageRef{pipeline.Project, stage.Name}))
		}
	}
	return codeSpan("/" + string(verb) + " <stage>")
}
