package promote

import (
	"fmt"
	"slices"
	"time"
)

// access says whether a freight may enter a stage.
type access struct {
	verdict Verdict
	reason  string
	ready   time.Time // when a soak will be over; zero: not known
}

// available is the one function that says whether a freight may enter a stage (Kargo: Stage.IsFreightAvailable).
//
// What was rejected may enter no stage. What a person approved for the stage may, whatever its upstream stages say; the stage
// must request freight of its warehouse all the same.
func available(in gateInput) access {
	if r, bad := in.index.rejection(in.freight); bad {
		return access{verdict: Block, reason: r.reason(in.freight)}
	}
	return availableTo(in, in.stage, 0, len(in.pipeline.Stages))
}

// availableTo judges one stage. soak is what a stage behind a control-flow stage requires; depth ends cycles.
func availableTo(in gateInput, stage Stage, soak time.Duration, depth int) access {
	i := slices.IndexFunc(stage.Requests, func(r FreightRequest) bool { return r.Warehouse == in.freight.Warehouse })
	if i < 0 {
		return access{verdict: Block, reason: fmt.Sprintf("stage %s does not request freight of warehouse %q", stage.Name, in.freight.Warehouse)}
	}
	request := stage.Requests[i]
	approved := in.index.approvals[stageFreight{StageRef{in.ref.Project, stage.Name}, in.freight.ID}]
	switch {
	case len(approved) > 0:
		return access{verdict: Pass, reason: "approved by " + approved[0].By}
	case request.Direct:
		return soaking(in, "straight from warehouse "+request.Warehouse, in.freight.DiscoveredAt, soak)
	case len(request.Stages) == 0:
		return access{verdict: Block, reason: fmt.Sprintf("stage %s names no source: set sources.direct or sources.stages", stage.Name)}
	}
	return combine(in, request, max(soak, request.RequiredSoak), depth)
}

// combine asks every upstream stage: one is enough, unless the request wants all.
func combine(in gateInput, request FreightRequest, soak time.Duration, depth int) access {
	var passed, missing []string
	var first, last time.Time
	for _, name := range request.Stages {
		one := upstream(in, name, soak, depth)
		if one.verdict == Pass {
			passed = append(passed, one.reason)
			continue
		}
		missing = append(missing, one.reason)
		if !one.ready.IsZero() && (first.IsZero() || one.ready.Before(first)) {
			first = one.ready
		}
		if one.ready.After(last) {
			last = one.ready
		}
	}
	switch {
	case request.All && len(missing) > 0:
		return access{verdict: Wait, reason: joinLimited(missing, 4), ready: last}
	case len(passed) == 0:
		return access{verdict: Wait, reason: joinLimited(missing, 4), ready: first}
	}
	return access{verdict: Pass, reason: joinLimited(passed, 4)}
}

// upstream says whether the freight was verified in an upstream stage and has been there long enough. A control-flow stage
// holds nothing: it lets through what is available to it (Kargo: control_flow_stages.go).
func upstream(in gateInput, name string, soak time.Duration, depth int) access {
	if stage, ok := in.pipeline.Stage(name); ok && len(stage.Steps) == 0 && depth > 0 {
		return availableTo(in, stage, soak, depth-1)
	}
	if targets := in.index.fans[StageRef{in.ref.Project, name}]; len(targets) > 0 && depth > 0 {
		return combine(in, FreightRequest{Stages: targets, All: true}, soak, depth-1)
	}
	verification, ok := in.index.verified[stageFreight{StageRef{in.ref.Project, name}, in.freight.ID}]
	if !ok {
		return access{verdict: Wait, reason: "not yet verified in " + name}
	}
	if verification.VerifiedAt.After(in.now) {
		return access{verdict: Wait, reason: "not yet verified in " + name, ready: verification.VerifiedAt}
	}
	if soak <= 0 {
		return access{verdict: Pass, reason: "verified in " + name}
	}
	ran, since := in.index.stay(StageRef{in.ref.Project, name}, in.freight, verification.VerifiedAt, in.now)
	switch {
	case ran >= soak:
		return access{verdict: Pass, reason: "verified in " + name}
	case since.IsZero():
		return access{verdict: Wait, reason: fmt.Sprintf("verified in %s, but replaced there after %s of the %s that it must soak",
			name, ran.Round(time.Second), soak)}
	}
	return soaking(in, "verified in "+name, since, soak)
}

// soaking names the moment at which a soak is over, never what is left of it: a text that changes by itself would be posted
// again and again.
func soaking(in gateInput, reason string, since time.Time, soak time.Duration) access {
	ready := since.Add(soak)
	if soak <= 0 || !ready.After(in.now) {
		return access{verdict: Pass, reason: reason}
	}
	return access{verdict: Wait, ready: ready, reason: reason + ", soaks until " + ready.UTC().Format("2006-01-02 15:04:05 UTC")}
}

// stay returns the longest time for which a stage ran a freight without a break, and since when it runs it now; zero when it
// does not. The clock starts when the freight arrived (Kargo: currentlyIn.since and longestSoak).
func (x *index) stay(stage StageRef, freight Freight, verified, now time.Time) (longest time.Duration, since time.Time) {
	arrived := false
	for _, p := range x.promotions[stage] {
		switch {
		case p.Freight == freight.ID && p.Phase == PhaseSucceeded && !p.FinishedAt.After(now):
			if since.IsZero() {
				since = p.FinishedAt
			}
			arrived = true
		case p.Freight == freight.ID || p.replacing().IsZero() || p.replacing().After(now):
		case x.warehouseOf(stage.Project, p.Freight) == freight.Warehouse && !since.IsZero():
			longest, since = max(longest, p.replacing().Sub(since)), time.Time{}
		}
	}
	if !arrived {
		since = verified
	}
	if !since.IsZero() {
		longest = max(longest, now.Sub(since))
	}
	return longest, since
}
