package promote

import (
	"fmt"
	"slices"
	"strings"
)

// key names what a command writes down: the same comment writes the same record, however often it comes.
func (c Command) key() string {
	if c.Comment.Change == 0 {
		return fmt.Sprintf("run-%d", c.Comment.ID)
	}
	if c.Comment.Action != "" {
		return fmt.Sprintf("change-%d-button-%d", c.Comment.Change, c.Comment.ID)
	}
	return fmt.Sprintf("change-%d-comment-%d", c.Comment.Change, c.Comment.ID)
}

// approve lets a freight into a stage. Where a step of the stage waits for approvals whoever may write can give one; to let in
// what upstream stages did not verify takes more.
func (d *decision) approve(c Command) (string, error) {
	ref, freight, err := d.admitted(c)
	if err != nil {
		return "", err
	}
	name, stage := codeSpan(freight.Label()), codeSpan(ref.String())
	answer := fmt.Sprintf("%s may enter %s, whatever its upstream stages say.", name, stage)
	active, isActive := d.index.active(ref)
	awaited := isActive && active.Freight == freight.ID && active.Waits == WaitsApproval
	switch {
	case awaited && active.Change == c.Change.Number && c.movedSince():
		return "", fmt.Errorf("%s is not approved for %s: the branch moved since that was written: look again, and repeat it", name, stage)
	case awaited:
		answer = fmt.Sprintf("%s is approved for %s.", name, stage)
	case c.Permission < PermissionMaintain:
		return "", fmt.Errorf("to let %s into %s without its upstream stages takes %s permission in this repository; %s has %s",
			name, stage, PermissionMaintain, codeSpan(c.Comment.Author), c.Permission)
	case !d.requests(ref, freight.Warehouse):
		return "", fmt.Errorf("stage %s does not request freight of warehouse %s", stage, codeSpan(freight.Warehouse))
	}
	if r, bad := d.index.rejection(freight); bad {
		return "", fmt.Errorf("%s", tableCell(r.reason(freight)))
	}
	if reason := d.soleAuthor(c, ref, freight); reason != "" {
		return "", fmt.Errorf("%s", reason)
	}
	approval := Approval{Key: c.key(), Stage: ref, Freight: freight.ID, By: c.Comment.Author, At: c.Comment.At}
	given := d.index.approvals[stageFreight{ref, freight.ID}]
	if !slices.ContainsFunc(given, func(a Approval) bool { return a.By == approval.By }) {
		d.index.approvals[stageFreight{ref, freight.ID}] = append(given, approval)
		d.do(RecordApproval{approval})
	}
	return answer, nil
}

// movedSince reports whether the change has another head than when the comment was written that names no version.
func (c Command) movedSince() bool {
	return len(c.Arguments) < 2 && c.Comment.Head != "" && c.Comment.Change == c.Change.Number && c.Comment.Head != c.Change.Head
}

// admitted finds the stage and the freight that an approval means: where no version is named, first of all the one that waits
// for it.
func (d *decision) admitted(c Command) (StageRef, Freight, error) {
	if len(c.Arguments) < 2 {
		if ref, _, err := d.stageNamed(c); err == nil {
			active, isActive := d.index.active(ref)
			if freight, known := d.index.freight(ref.Project, active.Freight); isActive && known && active.Waits == WaitsApproval {
				return ref, freight, nil
			}
		}
	}
	return d.wanted(c)
}

// reject marks a freight as bad.
func (d *decision) reject(c Command) (string, error) {
	freight, rest, err := d.meant(c)
	if err != nil {
		return "", err
	}
	d.markBad(freight, c, truncate(clean(strings.Join(rest, " ")), 200))
	return fmt.Sprintf("%s is rejected: it is promoted to no stage of %s until %s.", codeSpan(freight.Label()),
		codeSpan(freight.Project), codeSpan("/accept "+versionWord(freight))), nil
}

// markBad records a rejection, once.
func (d *decision) markBad(freight Freight, c Command, reason string) {
	pipeline, _ := d.state.Pipeline(freight.Project)
	for _, stage := range pipeline.Stages {
		ref := StageRef{freight.Project, stage.Name}
		if active, ok := d.index.active(ref); ok && active.Freight == freight.ID {
			d.pin(ref)
		}
	}
	key := projectFreight{freight.Project, freight.ID}
	if _, known := d.index.rejections[key]; known {
		return
	}
	r := Rejection{Project: freight.Project, Freight: freight.ID, By: c.Comment.Author, At: c.Comment.At, Reason: reason}
	d.index.rejections[key] = r
	d.do(RecordRejection{r})
}

// accept takes a rejection back.
func (d *decision) accept(c Command) (string, error) {
	freight, _, err := d.meant(c)
	if err != nil {
		return "", err
	}
	r, bad := d.index.rejection(freight)
	if !bad {
		return fmt.Sprintf("%s is not rejected.", codeSpan(freight.Label())), nil
	}
	delete(d.index.rejections, projectFreight{freight.Project, freight.ID})
	d.do(WithdrawRejection{Rejection: r, By: c.Comment.Author})
	return fmt.Sprintf("%s may be promoted again.", codeSpan(freight.Label())), nil
}

// meant returns the freight that the first argument names, and the other arguments; without one it is the freight of the
// change.
func (d *decision) meant(c Command) (Freight, []string, error) {
	if len(c.Arguments) > 0 {
		freight, found, err := d.freightAnywhere(c)
		if err != nil || found {
			return freight, c.Arguments[min(1, len(c.Arguments)):], err
		}
	}
	if freight, ok := d.freightOf(c.Change); ok {
		return freight, c.Arguments, nil
	}
	return Freight{}, nil, fmt.Errorf("nothing says which freight: name one, as in %s", codeSpan("/"+string(c.Verb)+" 1.0.2"))
}

// freightAnywhere returns the newest freight that the first argument names, of the project of the change when it has one.
func (d *decision) freightAnywhere(c Command) (Freight, bool, error) {
	here, onProposal := d.stageOf(c.Change)
	var found []Freight
	for _, pipeline := range d.state.Pipelines {
		if onProposal && pipeline.Project != here.Project {
			continue
		}
		for _, w := range pipeline.Warehouses {
			for _, f := range slices.Backward(d.index.warehouses[StageRef{pipeline.Project, w.Name}]) {
				if f.named(c.Arguments[0]) {
					found = append(found, *f)
					break
				}
			}
		}
	}
	switch len(found) {
	case 0:
		return Freight{}, false, nil
	case 1:
		return found[0], true, nil
	}
	places := make([]string, len(found))
	for i, f := range found {
		places[i] = fmt.Sprintf("%s of %s/%s", f.ID.Short(), f.Project, f.Warehouse)
	}
	return Freight{}, false, fmt.Errorf("%d freights are called %s: write the ID of one: %s", len(found), codeSpan(c.Arguments[0]),
		codeSpan(joinLimited(places, 5)))
}

// retry asks for the freight of a change once more.
func (d *decision) retry(c Command) (string, error) {
	ref, onProposal := d.stageOf(c.Change)
	freight, ok := d.freightOf(c.Change)
	if !onProposal || !ok {
		return "", fmt.Errorf("nothing says which freight: comment on a promotion, or use %s", d.example(VerbPromote))
	}
	if active, isActive := d.index.active(ref); isActive && active.Freight == freight.ID && active.Change == c.Change.Number {
		return "", fmt.Errorf("%s is still on its way to %s: there is nothing to try again", codeSpan(freight.Label()), codeSpan(ref.String()))
	}
	c.Arguments = []string{ref.String(), string(freight.ID)}
	return d.promote(c)
}

// rollback marks what a stage runs as bad and asks for what it ran before, or for the version that is named.
func (d *decision) rollback(c Command) (string, error) {
	request, recorded := d.index.keys[c.key()]
	if recorded {
		freight, _ := d.index.freight(request.Stage.Project, request.Freight)
		return d.promised(*request, freight), nil
	}
	ref, rest, err := d.stageNamed(c)
	if err != nil {
		return "", err
	}
	bad, back, err := d.backFrom(ref, rest)
	if err != nil {
		return "", err
	}
	c.Arguments = []string{ref.String(), string(back.ID)}
	if reason := d.refusal(Request{Stage: ref, Freight: back.ID, At: c.Comment.At}, back); reason != "" {
		return "", fmt.Errorf("%s cannot go to %s: %s", codeSpan(back.Label()), codeSpan(ref.String()), tableCell(reason))
	}
	d.markBad(bad, c, "rolled back in "+ref.Name)
	return d.promote(c)
}

// backFrom returns what a stage runs, or tries to, and what it is rolled back to.
func (d *decision) backFrom(ref StageRef, rest []string) (bad, back Freight, err error) {
	last, ok := d.index.last(ref, func(p *Promotion) bool { return p.Phase != PhaseAborted && p.Merged != "" })
	if !ok {
		return bad, back, fmt.Errorf("nothing was ever promoted to %s", codeSpan(ref.String()))
	}
	bad, ok = d.index.freight(ref.Project, last.Freight)
	if !ok {
		return bad, back, fmt.Errorf("the freight that %s runs is not in the ledger any more", codeSpan(ref.String()))
	}
	if len(rest) > 0 {
		back, err = d.freightNamed(ref, rest[0])
		if err == nil && back.ID == bad.ID {
			err = fmt.Errorf("%s is what %s runs", codeSpan(back.Label()), codeSpan(ref.String()))
		}
		return bad, back, err
	}
	before, ok := d.index.last(ref, func(p *Promotion) bool {
		f, known := d.index.freight(ref.Project, p.Freight)
		_, isBad := d.index.rejection(f)
		return p.Phase == PhaseSucceeded && p.Freight != bad.ID && known && f.Warehouse == bad.Warehouse && !isBad
	})
	if !ok {
		return bad, back, fmt.Errorf("%s ran nothing before %s that was not rejected: name a version, as in %s", codeSpan(ref.String()),
			codeSpan(bad.Label()), codeSpan("/rollback "+d.index.word(ref)+" 1.0.1"))
	}
	back, _ = d.index.freight(ref.Project, before.Freight)
	return bad, back, nil
}

// choose notes that a person prefers other freight to the newest: that warehouse's freight is not promoted to the stage
// automatically any more, until the person promotes the newest or resumes (Kargo: auto-promotion holds).
func (d *decision) choose(c Command, ref StageRef, freight Freight) {
	s := d.at(d.index.stages[ref])
	i := slices.IndexFunc(s.stage.Requests, func(r FreightRequest) bool { return r.Warehouse == freight.Warehouse })
	if i < 0 {
		return
	}
	key := stageWarehouse{ref, freight.Warehouse}
	best, _, _ := s.pick(s.stage.Requests[i])
	hold, held := d.index.autoHolds[key]
	switch newest := best.ID == "" || best.ID == freight.ID; {
	case newest && held:
		delete(d.index.autoHolds, key)
		d.do(ReleaseHold{Hold: hold, By: c.Comment.Author})
	case !newest && !held && s.pipeline.AutoPromoted(s.stage):
		hold = Hold{
			Stage: ref, Warehouse: freight.Warehouse, By: c.Comment.Author, At: c.Comment.At,
			Reason: fmt.Sprintf("chose %s over %s", freight.Label(), best.Label()),
		}
		d.index.autoHolds[key] = hold
		d.do(RecordHold{hold})
	}
}

// rejection returns the word that a freight is bad.
func (x *index) rejection(f Freight) (Rejection, bool) {
	r, ok := x.rejections[projectFreight{f.Project, f.ID}]
	return r, ok
}

// reason says who rejected a freight, why, and how to take that back.
func (r Rejection) reason(f Freight) string {
	text := "rejected by " + r.By
	if r.Reason != "" {
		text += " (" + r.Reason + ")"
	}
	return text + "; comment `/accept " + versionWord(f) + "` to take that back"
}

// named reports whether a word means the freight: one of its versions, its alias, or the start of its ID.
func (f Freight) named(word string) bool {
	return slices.Contains(f.labels(), word) || f.Alias == word || len(word) >= 7 && strings.HasPrefix(string(f.ID), strings.ToLower(word))
}
