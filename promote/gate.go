package promote

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Verdict is the answer of a gate.
type Verdict int

// The verdicts. Waiting is a verdict, not an error.
const (
	Pass  Verdict = iota
	Skip          // does not apply here
	Wait          // will pass by itself, or when a person acts
	Block         // will not pass unless something changes
)

// String returns the lower-case name.
func (v Verdict) String() string {
	switch v {
	case Pass:
		return "pass"
	case Skip:
		return "skip"
	case Wait:
		return "wait"
	case Block:
		return "block"
	}
	return "unknown"
}

// MarshalText writes the lower-case name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Gate is one named condition and its verdict.
type Gate struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"` // what was found and, unless it passes, what to do
}

// Gates are the verdicts on one head, in the order of GateNames.
type Gates []Gate

// Verdict is the worst verdict; Skip counts as Pass.
func (g Gates) Verdict() Verdict {
	worst := Pass
	for _, gate := range g {
		if gate.Verdict > worst && gate.Verdict != Skip {
			worst = gate.Verdict
		}
	}
	return worst
}

// Post is the status on the head of a change, with everything that can be said beside it.
func (g Gates) Post(change Change, findings []Finding) PostStatus {
	return PostStatus{
		Change: change.Number, Head: change.Head, Branch: change.Branch, Status: g.Status(), Summary: GateTable(g), Annotations: Annotations(findings),
	}
}

// maxAnnotation bounds the text of one annotation.
const maxAnnotation = 2000

// maxAnnotations is how many findings are shown at their lines: a person reads no more.
const maxAnnotations = 100

// Annotations are those findings that have a place in a file, the worst first.
func Annotations(findings []Finding) []Annotation {
	levels := map[Severity]AnnotationLevel{SeverityWarning: AnnotationWarning, SeverityError: AnnotationFailure}
	var annotations []Annotation
	for _, f := range findings {
		if f.Position.File == "" {
			continue
		}
		annotations = append(annotations, Annotation{
			Path: f.Position.File, Line: f.Position.Line, Level: levels[f.Severity], Title: clean(f.Code),
			Message: truncate(clean(f.said()), maxAnnotation),
		})
	}
	slices.SortStableFunc(annotations, func(a, b Annotation) int { return cmp.Compare(b.Level, a.Level) })
	return annotations[:min(len(annotations), maxAnnotations)]
}

// Status is the one commit status that says the verdict of all gates.
func (g Gates) Status() Status {
	status := Status{Name: StatusName}
	passed := 0
	var first *Gate
	for i, gate := range g {
		if gate.Verdict <= Skip {
			passed++
		} else if first == nil || gate.Verdict > first.Verdict {
			first = &g[i]
		}
	}
	if first == nil {
		status.State = StatusSuccess
		status.Description = fmt.Sprintf("all %d gates pass", len(g))
		return status
	}
	status.State = StatusPending
	if first.Verdict == Block {
		status.State = StatusFailed
	}
	status.Description = truncate(clean(fmt.Sprintf("%d of %d gates pass; %s: %s", passed, len(g), first.Name, first.Reason)), 200)
	return status
}

// ReviewStatus is the status of a change that is no promotion: whether it brings errors, and how many applications change by it.
func ReviewStatus(errors []Finding, applications int) Status {
	status := Status{Name: StatusName, State: StatusSuccess}
	switch {
	case len(errors) == 1:
		status.State, status.Description = StatusFailed, "1 error: "+errors[0].said()
	case len(errors) > 0:
		status.State, status.Description = StatusFailed, fmt.Sprintf("%d errors, the first: %s", len(errors), errors[0].said())
	case applications == 0:
		status.Description = "nothing changes in the cluster"
	case applications == 1:
		status.Description = "1 application changes"
	default:
		status.Description = fmt.Sprintf("%d applications change", applications)
	}
	status.Description = truncate(clean(status.Description), 200)
	return status
}

// The names of the gates, in the order in which they are judged and shown.
const (
	GatePipeline    = "pipeline"    // the pipeline's files have no error
	GateRender      = "render"      // every application that the change touches renders at its head and would be let in
	GateFreight     = "freight"     // the freight is available to the stage: upstream verified it, and it soaked
	GateDowngrade   = "downgrade"   // no version goes back, and the head is the proposed one
	GateImage       = "image"       // the image exists in its registry, at the digest that was recorded
	GateHold        = "hold"        // nobody holds the stage
	GateApplication = "application" // the Argo CD application exists and belongs to the stage
)

// GateNames lists every gate with the sentence that says what it checks, in the order in which they are judged.
func GateNames() []Gate {
	return []Gate{
		{Name: GatePipeline, Reason: "the pipeline's files have no error"},
		{Name: GateRender, Reason: "every application that the change touches renders at its head, and brings nothing that its cluster would refuse"},
		{Name: GateFreight, Reason: "the freight is available to the stage: verified upstream, and soaked"},
		{Name: GateDowngrade, Reason: "no version goes back, in what steps write and in what is rendered, and nobody added commits to the proposal"},
		{Name: GateImage, Reason: "each image exists in its registry at the digest that was recorded"},
		{Name: GateHold, Reason: "nobody holds the stage, and no step that comes before the merge waits"},
		{Name: GateApplication, Reason: "the Argo CD application exists and authorizes the stage"},
	}
}

// Evidence is what was found out about one proposed head.
type Evidence struct {
	Head         Commit
	Base         Commit // of the target branch that it was compared with
	Findings     []Finding
	Images       []ImageEvidence
	Applications []ApplicationEvidence
	Moves        []Move // of the promotion; empty unless Head is the head that it proposed
	Rendered     []Move // the tags of images that change in what applications deploy, whatever made them change; empty when nothing is rendered
	Diff         string // the rendered diff as Markdown
	// Rendering is the digest of all that the diff says, also of what Diff has no room for; empty when not everything could be rendered.
	Rendering string
}

// ImageEvidence is what the registry says about one image of the freight.
type ImageEvidence struct {
	Image   Image
	Digest  string // what the tag points to now; empty when it was not found
	Problem string // why the registry could not be asked; it may answer later
}

// ApplicationEvidence is what is known of one Argo CD application that the promotion will sync.
type ApplicationEvidence struct {
	Stage      StageRef // whose promotion syncs it; zero: every promotion's at the head
	Name       string
	Namespace  string
	Exists     bool
	Source     string     // where it was found: a file, or the Argo CD server
	Authorized []StageRef // by the annotation kargo.akuity.io/authorized-stage
	Problem    string     // why it could not be asked for; it may be answered later
	Candidates []string   // names of applications that look alike, when it does not exist
}

// gateInput is everything that the gates of one stage look at.
type gateInput struct {
	now      time.Time
	pipeline Pipeline
	stage    Stage
	ref      StageRef
	word     string // how a command names the stage
	freight  Freight
	proposed Commit // the head that the promotion made
	index    *index
	findings []Finding
	evidence Evidence
	// unseen is set when the head could not be looked at, so that evidence says nothing.
	unseen bool
	// asked is set when a person asked for this very freight, which allows going back.
	asked bool
	// waits names the stage whose promotion has a step before the merge that waits; empty: none does.
	waits string
	// lapsed says whose approvals that promotion cannot count; empty: nobody's.
	lapsed string
	// rollback is set when the policy takes a failed promotion back.
	rollback bool
	// follows is set when the stage takes whatever its upstream stage runs, also when that goes back.
	follows bool
}

// judge gives the verdict of every gate.
func judge(in gateInput) Gates {
	gates := GateNames()
	for i, gate := range gates {
		gates[i].Verdict, gates[i].Reason = judgeOne(gate.Name, in)
	}
	return gates
}

func judgeOne(name string, in gateInput) (Verdict, string) {
	switch name {
	case GateRender, GateDowngrade, GateImage, GateApplication:
		if in.unseen {
			return Wait, "head " + in.evidence.Head.Short() + " could not be looked at yet; it is tried again, and the log says why"
		}
	}
	switch name {
	case GatePipeline:
		return judgePipeline(in)
	case GateRender:
		return judgeFindings(in.evidence.Findings, "renders at "+in.evidence.Head.Short())
	case GateFreight:
		if in.freight.ID == "" {
			return Block, "the freight is not in the ledger any more: close the change and promote again"
		}
		a := available(in)
		return a.verdict, a.reason
	case GateDowngrade:
		return judgeDowngrade(in)
	case GateImage:
		return judgeImages(in)
	case GateHold:
		return judgeHold(in)
	case GateApplication:
		return judgeApplications(in)
	}
	return Block, "unknown gate " + name
}

func judgePipeline(in gateInput) (Verdict, string) {
	switch {
	case !in.pipeline.Declared:
		return Block, fmt.Sprintf("no Project manifest declares %q, and without one nothing is promoted: add "+
			"{apiVersion: kargo.akuity.io/v1alpha1, kind: Project, metadata: {name: %s}} beside %s",
			in.pipeline.Project, in.pipeline.Project, orElse(in.stage.Position.File, in.pipeline.Position.File))
	case len(in.stage.Steps) == 0:
		return Block, "the stage has no steps any more: give it steps again, or close the change"
	}
	return judgeFindings(in.findings, "no error in the pipeline's files")
}

func judgeFindings(findings []Finding, clean string) (Verdict, string) {
	var broken []string
	for _, f := range findings {
		if f.Severity == SeverityError {
			broken = append(broken, f.String())
		}
	}
	if len(broken) == 0 {
		return Pass, clean
	}
	return Block, joinLimited(broken, 3)
}

// judgeDowngrade compares what the promotion wrote, and what comes of it: a step that writes into one branch what another one
// gets rendered has no older value to compare with. For commits that people added they answer, and such a head is never merged
// but by a person.
func judgeDowngrade(in gateInput) (Verdict, string) {
	if in.evidence.Head != in.proposed {
		return Skip, "commits were added by hand: their versions were not compared, and Lockkeeper does not merge them"
	}
	var back, forward []string
	for _, move := range distinctMoves(in.evidence) {
		order, ok := versions(nil).compareBy(in.strategyOf(tagOf(move.After)), tagOf(move.After), tagOf(move.Before))
		text := move.Before + " → " + move.After
		switch {
		case ok && order < 0:
			back = append(back, fmt.Sprintf("%s in %s", text, move.File))
		case ok && order > 0:
			forward = append(forward, text)
		}
	}
	switch {
	case len(back) > 0 && in.follows:
		return Pass, "goes back because the stage follows its upstream stage: " + joinLimited(back, 3)
	case len(back) > 0 && in.rollback:
		return Pass, "goes back because the policy rolls a failed promotion back: " + joinLimited(back, 3)
	case len(back) > 0 && in.asked:
		return Pass, "goes back because a person asked for it: " + joinLimited(back, 3)
	case len(back) > 0:
		return Block, joinLimited(back, 3) + " goes back; to do this on purpose comment `/promote " + in.word + "`"
	case len(forward) > 0:
		return Pass, joinLimited(slices.Compact(forward), 3)
	}
	return Pass, "no version goes back"
}

// distinctMoves are the moves that steps made, and those rendered ones that say something else.
func distinctMoves(e Evidence) []Move {
	moves := slices.Clip(e.Moves)
	for _, rendered := range e.Rendered {
		same := func(m Move) bool { return tagOf(m.Before) == rendered.Before && tagOf(m.After) == rendered.After }
		if !slices.ContainsFunc(moves, same) {
			moves = append(moves, rendered)
		}
	}
	return moves
}

// strategyOf is how the warehouse chose a tag of the freight: what is newer by one strategy may be lower by another. Of a tag
// that the freight does not hold it is by version.
func (in gateInput) strategyOf(tag string) Strategy {
	w, _ := in.pipeline.Warehouse(in.freight.Warehouse)
	for _, image := range in.freight.Images {
		if image.Tag == tag {
			return w.imageStrategy(image.RepoURL)
		}
	}
	for _, commit := range in.freight.Commits {
		if commit.Tag == tag || string(commit.ID) == tag {
			return w.gitStrategy(commit.RepoURL)
		}
	}
	return SelectSemVer
}

// tagOf returns the version in a value that a step wrote: the tag of an image reference, or the value itself.
func tagOf(value string) string {
	name, _, _ := strings.Cut(value, "@")
	if slash := strings.LastIndexByte(name, '/'); slash >= 0 {
		if _, tag, found := strings.Cut(name[slash:], ":"); found {
			return tag
		}
	}
	return name
}

func judgeImages(in gateInput) (Verdict, string) {
	if len(in.freight.Images) == 0 {
		return Skip, "the freight holds no image"
	}
	return worst(in.freight.Images, func(image Image) (Verdict, string) {
		i := slices.IndexFunc(in.evidence.Images, func(e ImageEvidence) bool {
			return e.Image.RepoURL == image.RepoURL && e.Image.Tag == image.Tag
		})
		if i < 0 {
			return Wait, fmt.Sprintf("the registry of %s:%s was not asked yet", image.RepoURL, image.Tag)
		}
		return judgeImage(image, in.evidence.Images[i])
	})
}

func judgeImage(image Image, e ImageEvidence) (Verdict, string) {
	name := image.RepoURL + ":" + image.Tag
	switch {
	case e.Problem != "":
		return Wait, fmt.Sprintf("the registry of %s cannot be asked: %s", name, e.Problem)
	case e.Digest == "":
		return Block, fmt.Sprintf("%s is gone from its registry: push it again, or promote another version", name)
	case e.Digest != image.Digest:
		return Block, fmt.Sprintf("%s was pushed again: recorded %s, now %s; tags of releases must not move",
			name, shortDigest(image.Digest), shortDigest(e.Digest))
	}
	return Pass, fmt.Sprintf("%s is %s", name, shortDigest(e.Digest))
}

// worst judges every item and returns the worst verdict with the reasons of those that have it.
func worst[T any](items []T, judge func(T) (Verdict, string)) (Verdict, string) {
	verdict, reasons := Pass, []string{}
	for _, item := range items {
		one, reason := judge(item)
		if one > verdict {
			verdict, reasons = one, nil
		}
		if one == verdict {
			reasons = append(reasons, reason)
		}
	}
	return verdict, joinLimited(reasons, 3)
}

func judgeHold(in gateInput) (Verdict, string) {
	hold, ok := in.index.holds[in.ref]
	switch {
	case !ok && in.waits != "" && in.lapsed != "":
		return Wait, "a step of " + in.waits + " that comes before the merge waits: " + in.lapsed
	case !ok && in.waits != "":
		return Wait, "a step of " + in.waits + " that comes before the merge waits: see `/status`"
	case !ok:
		return Pass, "not on hold"
	}
	reason := "held by " + hold.By
	if hold.Reason != "" {
		reason += " (" + hold.Reason + ")"
	}
	return Block, reason + "; comment `/resume " + in.word + "` to go on"
}

func judgeApplications(in gateInput) (Verdict, string) {
	applications := keep(in.evidence.Applications, func(app ApplicationEvidence) bool {
		return app.Stage == in.ref || app.Stage == StageRef{}
	})
	if len(applications) == 0 {
		return Skip, "no step of the stage updates an Argo CD application"
	}
	return worst(applications, func(app ApplicationEvidence) (Verdict, string) {
		return judgeApplication(app, StageRef{in.ref.Project, orElse(in.stage.Declared(), in.ref.Name)})
	})
}

func judgeApplication(app ApplicationEvidence, stage StageRef) (Verdict, string) {
	want := stage.Project + ":" + stage.Name
	switch {
	case app.Problem != "":
		return Wait, fmt.Sprintf("application %q: %s", app.Name, app.Problem)
	case !app.Exists:
		reason := fmt.Sprintf("application %q does not exist: no Application or ApplicationSet of this repository makes it", app.Name)
		if len(app.Candidates) > 0 {
			reason += "; did you mean " + strings.Join(app.Candidates, ", ") + "?"
		}
		return Block, reason
	case len(app.Authorized) == 0:
		return Block, fmt.Sprintf("application %q does not authorize the stage: add the annotation kargo.akuity.io/authorized-stage: %s (%s)",
			app.Name, want, app.Source)
	case !slices.Contains(app.Authorized, stage):
		others := make([]string, len(app.Authorized))
		for i, other := range app.Authorized {
			others[i] = other.Project + ":" + other.Name
		}
		return Block, fmt.Sprintf("application %q belongs to %s, not to %s: correct its annotation kargo.akuity.io/authorized-stage (%s)",
			app.Name, strings.Join(others, ", "), want, app.Source)
	}
	return Pass, fmt.Sprintf("%s authorizes %s", app.Name, want)
}

func shortDigest(digest string) string {
	algorithm, hex, found := strings.Cut(digest, ":")
	if !found || len(hex) < 12 {
		return digest
	}
	return algorithm + ":" + hex[:12]
}
