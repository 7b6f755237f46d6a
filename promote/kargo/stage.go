package kargo

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

var variableName = regexp.MustCompile(`^[a-zA-Z_]\w*$`)

// plan is a stage and where its steps come from.
type plan struct {
	object
	stage promote.Stage
	steps []plannedStep
	vars  []plannedVar
}

type plannedVar struct {
	promote.Var
	position promote.Position
}

// stage reads one stage and expands its steps.
func (l *loader) stage(o object, m stageManifest) plan {
	spec := m.Spec
	p := plan{object: o, stage: promote.Stage{Name: o.name, Labels: m.Metadata.Labels, Position: o.position()}}
	for i, request := range spec.RequestedFreight {
		p.stage.Requests = append(p.stage.Requests, l.request(o, fmt.Sprintf("spec.requestedFreight[%d]", i), request))
	}
	l.checkRequests(o, p.stage.Requests)
	p.vars = l.variables(o, "spec.vars", spec.Vars)
	own := slices.Clip(p.vars)
	if spec.PromotionTemplate != nil {
		const path = "spec.promotionTemplate.spec"
		p.vars = append(p.vars, l.variables(o, path+".vars", spec.PromotionTemplate.Spec.Vars)...)
		p.steps = l.expand(o, path+".steps", spec.PromotionTemplate.Spec.Steps, p.vars)
	}
	l.unsupportedStageKeys(o, m)
	if len(p.steps) > 0 || l.broken[o.ref()] {
		p.stage.Verify = l.verification(o, spec.Verification, own)
		l.checkVerifyNames(o, p.steps, p.stage.Verify)
	} else {
		l.unused(o, "spec.verification", spec.Verification != nil, "in a stage without steps, where nothing ever runs")
	}
	for _, v := range p.vars {
		p.stage.Vars = append(p.stage.Vars, v.Var)
	}
	for _, s := range p.steps {
		p.stage.Steps = append(p.stage.Steps, s.Step)
	}
	if len(p.stage.Steps) == 0 && l.broken[o.ref()] {
		p.stage.Steps = []promote.Step{{Uses: "invalid", As: "step-1", Position: o.position()}}
	}
	return p
}

func (l *loader) unsupportedStageKeys(o object, m stageManifest) {
	spec := m.Spec
	if present(spec.PromotionMechanisms) {
		l.fail(o, "spec.promotionMechanisms", "unsupported", "promotionMechanisms are from before Kargo 1.0 and were removed there",
			"write promotionTemplate.spec.steps instead: git-clone, yaml-update, git-commit, git-push and argocd-update do what gitRepoUpdates and argoCDAppUpdates did")
	}
	if present(spec.Subscriptions) {
		l.fail(o, "spec.subscriptions", "unsupported", "subscriptions of a Stage are from before Kargo 1.0 and were removed there",
			"write requestedFreight with origin and sources instead")
	}
	if present(spec.Targets) {
		l.fail(o, "spec.targets", "unsupported", "targets of a Stage are chosen among the objects of a cluster, which are not read", "list them in lockkeeper.yaml under targets")
	}
}

func (l *loader) request(o object, path string, r freightRequest) promote.FreightRequest {
	out := promote.FreightRequest{
		Warehouse: r.Origin.Name, Direct: r.Sources.Direct, Stages: r.Sources.Stages, Position: o.at(path),
	}
	switch {
	case r.Origin.Kind != "" && r.Origin.Kind != kindWarehouse:
		l.fail(o, path+".origin.kind", "invalid-value", fmt.Sprintf("origin kind %q is not known", r.Origin.Kind), "write Warehouse")
	case r.Origin.Name == "":
		l.fail(o, path, "missing-key", "the request names no warehouse", "add origin: {kind: Warehouse, name: …}")
	}
	if !r.Sources.Direct && len(r.Sources.Stages) == 0 && !l.broken[o.ref()] {
		l.fail(o, path, "no-source", "the request has no source, so no freight can ever reach the stage", "set sources.direct: true or list upstream stages in sources.stages")
	}
	switch r.Sources.AvailabilityStrategy {
	case "", "OneOf":
	case "All":
		out.All = true
	default:
		l.fail(o, path+".sources.availabilityStrategy", "invalid-value",
			fmt.Sprintf("availabilityStrategy %q is not known", r.Sources.AvailabilityStrategy), "write OneOf or All")
	}
	if soak := r.Sources.RequiredSoakTime; soak != "" {
		parsed, err := time.ParseDuration(soak)
		if err != nil || parsed < 0 {
			l.fail(o, path+".sources.requiredSoakTime", "invalid-interval", fmt.Sprintf("requiredSoakTime %q is not a duration", soak), `write hours, minutes and seconds, such as "1h30m"`)
		}
		out.RequiredSoak = max(parsed, 0)
	}
	if out.Direct && out.RequiredSoak > 0 {
		l.soakOfNothing(o, path+".sources.requiredSoakTime", out.Stages)
	}
	if options := r.Sources.AutoPromotionOptions; options != nil {
		out.MatchUpstream = l.matchUpstream(o, path+".sources", r, options.SelectionPolicy)
	}
	return out
}

// soakOfNothing warns of a soak that nobody waits for: freight that comes straight from its warehouse is available at once,
// whatever else the request lists, in Kargo as well.
func (l *loader) soakOfNothing(o object, path string, stages []string) {
	remedy := "list in sources.stages where it is to soak, without sources.direct; for a delay after its discovery, list a stage without steps that takes it directly"
	if len(stages) > 0 {
		remedy = "remove sources.direct, so that the freight soaks in the stages that are listed"
	}
	l.warn(o, path, "no-effect", "requiredSoakTime has no effect with sources.direct, as in Kargo: freight straight from its warehouse ran nowhere before", remedy)
}

// matchUpstream reads a selection policy. Only one upstream stage can be followed.
func (l *loader) matchUpstream(o object, path string, r freightRequest, policy string) bool {
	const key = ".autoPromotionOptions.selectionPolicy"
	const remedy = "list one stage in sources.stages without sources.direct, or write NewestFreight"
	switch {
	case policy == "" || policy == "NewestFreight":
		return false
	case policy != "MatchUpstream":
		l.fail(o, path+key, "invalid-value", fmt.Sprintf("selectionPolicy %q is not known", bounded(policy)), "write NewestFreight or MatchUpstream")
		return false
	case r.Sources.Direct:
		l.fail(o, path+key, "conflicting-keys", "selectionPolicy MatchUpstream follows an upstream stage, but the freight comes straight from its warehouse", remedy)
	case len(r.Sources.Stages) > 1:
		l.fail(o, path+key, "conflicting-keys", fmt.Sprintf("selectionPolicy MatchUpstream follows one upstream stage, but there are %d", len(r.Sources.Stages)), remedy)
	}
	return true
}

func (l *loader) checkRequests(o object, requests []promote.FreightRequest) {
	if len(requests) == 0 {
		l.fail(o, "spec", "missing-key", fmt.Sprintf("Stage %q requests no freight", o.name), "add requestedFreight")
	}
	for i, r := range requests {
		if slices.ContainsFunc(requests[:i], func(other promote.FreightRequest) bool { return other.Warehouse == r.Warehouse }) {
			l.fail(o, fmt.Sprintf("spec.requestedFreight[%d]", i), "duplicate-request",
				fmt.Sprintf("freight of warehouse %q is requested twice", r.Warehouse), "write one request with all sources")
		}
	}
}

func (l *loader) variables(o object, path string, vars []variable) []plannedVar {
	out := make([]plannedVar, 0, len(vars))
	for i, v := range vars {
		at := fmt.Sprintf("%s[%d]", path, i)
		if !variableName.MatchString(v.Name) {
			l.fail(o, at, "invalid-name", fmt.Sprintf("variable name %q is not an identifier", v.Name), "use letters, digits and underscores, not beginning with a digit")
			continue
		}
		if holdsPassword(v.Value) {
			l.warn(o, at+".value", codePassword, fmt.Sprintf("variable %q", v.Name)+knownToAll, gitToken)
		}
		out = append(out, plannedVar{promote.Var{Name: v.Name, Value: v.Value}, o.at(at + ".value")})
	}
	return out
}
