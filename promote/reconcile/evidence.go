package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/imageupdater"
	"github.com/lockkeeper/lockkeeper/promote/step"
	"github.com/lockkeeper/lockkeeper/render"
	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/diff"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// digestTTL is how long the registry's word on an image is good for.
const digestTTL = time.Minute

// maxEvidence bounds how many heads are remembered.
const maxEvidence = 256

// evidence finds out everything that the gates want to know about a proposed head. What the commits say is remembered,
// because it cannot change; what registries and Argo CD say is asked anew.
func (r *Reconciler) evidence(ctx context.Context, state promote.State, p promote.Promotion, head promote.Commit) (promote.Evidence, error) {
	key := r.evidenceKey(p, head)
	evidence, known := r.memory.evidence[key]
	if !known {
		var err error
		if evidence, err = r.compare(ctx, key, builds(state.History, p.Stage.Project)); err != nil {
			return evidence, err
		}
		if len(r.memory.evidence) >= maxEvidence {
			clear(r.memory.evidence)
		}
		r.memory.evidence[key] = evidence
	}
	if head == p.Head { // what was pushed on top of it wrote other values, or may have
		evidence.Moves = p.Moves
	}
	evidence.Images = r.images(ctx, state, p)
	applications, findings := r.applications(ctx, state, p)
	evidence.Applications = applications
	evidence.Findings = append(slices.Clip(evidence.Findings), findings...)
	return evidence, nil
}

func (r *Reconciler) evidenceKey(p promote.Promotion, head promote.Commit) evidenceKey {
	key := evidenceKey{base: p.Base, head: head, target: p.Target}
	if p.Target != r.memory.branch {
		key.declared = r.memory.repository.head
	}
	return key
}

// diffLimit is how many bytes of difference a change shows. What does not fit into its text goes on in notes, a request each.
const diffLimit = 8 * promote.NoteLimit

// compare renders both commits and writes down the difference, with what is known of the images.
func (r *Reconciler) compare(ctx context.Context, key evidenceKey, images func(string) (diff.Build, bool)) (promote.Evidence, error) {
	evidence := promote.Evidence{Head: key.head, Base: key.base}
	base, err := r.repository(ctx, key.base)
	if err != nil {
		return evidence, err
	}
	head, err := r.repository(ctx, key.head)
	if err != nil {
		return evidence, err
	}
	var comparison render.Comparison
	if key.target == r.memory.branch {
		comparison, err = r.Renderer.Compare(ctx, base, head, GateOptions(CompareOptions(base.Tree, head.Tree)))
	} else {
		base.Revision, head.Revision = string(key.target), string(key.target)
		comparison, err = r.Renderer.CompareBranch(ctx, r.memory.repository.set, base, head)
	}
	if err != nil {
		return evidence, fmt.Errorf("render %s and %s: %w", key.base.Short(), key.head.Short(), err)
	}
	evidence.Findings = headFindings(comparison)
	report := DiffReport(comparison, diff.Options{Image: images})
	evidence.Rendered = renderedMoves(report)
	evidence.Diff = diff.Markdown(report, diff.MarkdownOptions{Limit: diffLimit})
	evidence.Rendering = r.rendering(ctx, comparison, report)
	return evidence, nil
}

// rendering is the digest of what a comparison found, empty where it did not find everything.
func (r *Reconciler) rendering(ctx context.Context, comparison render.Comparison, report diff.Report) string {
	lacks := func(side *render.Result) bool { return side != nil && (side.Failed || side.Partial) }
	if slices.ContainsFunc(comparison.Apps, func(app render.AppComparison) bool { return lacks(app.Base) || lacks(app.Head) }) {
		return ""
	}
	digest, err := diff.Digest(report)
	if err != nil {
		r.Log.WarnContext(ctx, "whoever asks for it has to ask again when it is proposed anew", "error", err)
	}
	return digest
}

// renderedMoves are the images that get another version, each once: one that goes from and to the same in many places would
// say it as often.
func renderedMoves(report diff.Report) []promote.Move {
	var moves []promote.Move
	seen := map[[3]string]bool{}
	for _, image := range report.Images() {
		if move := [3]string{image.Repository, image.Before, image.After}; !seen[move] {
			seen[move] = true
			moves = append(moves, promote.Move{
				File: image.Repository + " of application " + image.App, Key: image.ID.Kind + "/" + image.ID.Name, Before: image.Before, After: image.After,
			})
		}
	}
	return moves
}

// headFindings returns what is wrong at the head. What was wrong before already is not the change's fault, but it would be
// deployed with it all the same.
func headFindings(c render.Comparison) []promote.Finding {
	var findings []promote.Finding
	for _, app := range c.Apps {
		if app.Head == nil {
			continue
		}
		for _, f := range app.Head.Findings {
			findings = append(findings, shownFinding(f))
		}
	}
	for _, f := range c.Definitions {
		findings = append(findings, shownFinding(f))
	}
	return findings
}

// shownFinding is a finding as it may stand in a comment: what a check refuses may be a secret.
func shownFinding(f render.Finding) promote.Finding {
	f.Message, f.Remedy = diff.MaskSentence(f.Message), diff.MaskSentence(f.Remedy)
	return renderFinding(f)
}

// DiffReport is what two renders differ in, and what a reviewer should know of changed definitions.
func DiffReport(c render.Comparison, options diff.Options) diff.Report {
	options.Findings = append(slices.Clip(options.Findings), diffFindings(c.Definitions)...)
	options.Unchanged += c.Unchanged
	return options.Compare(DiffApps(c))
}

// DiffApps hands the two renders of every application over to the differ. What could not be rendered on one side is neither
// added nor removed.
func DiffApps(c render.Comparison) []diff.App {
	apps := make([]diff.App, 0, len(c.Apps))
	for _, app := range c.Apps {
		one := diff.App{Name: app.Name, BaseCluster: app.BaseCluster, HeadCluster: app.HeadCluster, BaseMissing: app.Base == nil, HeadMissing: app.Head == nil}
		one.BaseSays, one.HeadSays = says(app.Base), says(app.Head)
		if app.Base != nil {
			one.Base, one.BaseHooks, one.Namespace = app.Base.Objects, app.Base.Hooks, app.Base.Application.Destination.Namespace
			one.Keeps = !app.Base.Application.SyncPolicy.Prune
		}
		if app.Head != nil {
			one.Head, one.HeadHooks, one.Namespace = app.Head.Objects, app.Head.Hooks, app.Head.Application.Destination.Namespace
			one.Keeps = !app.Head.Application.SyncPolicy.Prune
			one.Findings, one.Partial = diffFindings(app.Head.Findings), app.Head.Partial || app.Head.Failed
		}
		one.Partial = one.Partial || app.Base != nil && app.Head != nil && (app.Base.Failed || app.Base.Partial)
		if app.Base != nil && app.Head != nil {
			one.Base, one.Head = known(app.Base, app.Head), known(app.Head, app.Base)
		}
		apps = append(apps, one)
	}
	return apps
}

// says is what an Application says of itself, nothing when it is not there.
func says(r *render.Result) diff.Says {
	if r == nil {
		return diff.Says{}
	}
	app := r.Application
	out := diff.Says{
		Project: app.ProjectName(), Namespace: app.Destination.Namespace, Options: app.SyncPolicy.Options,
		Automated: app.SyncPolicy.Automated, Prune: app.SyncPolicy.Prune, SelfHeal: app.SyncPolicy.SelfHeal,
	}
	for _, s := range app.Sources {
		out.Sources = append(out.Sources, diff.Source{Repository: s.RepoURL, Path: s.Path, Chart: s.Chart, Revision: s.TargetRevision})
	}
	return out
}

// known returns the objects of a render that can be compared with another one: all, unless the other is incomplete.
func known(of, other *render.Result) []object.Object {
	switch {
	case of.Failed || other.Failed:
		return nil
	case !other.Partial:
		return of.Objects
	}
	there := map[object.ID]bool{}
	for _, o := range other.Objects {
		there[o.ID()] = true
	}
	return slices.DeleteFunc(slices.Clone(of.Objects), func(o object.Object) bool { return !there[o.ID()] })
}

func diffFindings(found []render.Finding) []diff.Finding {
	findings := make([]diff.Finding, 0, len(found))
	for _, f := range found {
		one := diff.Finding{Severity: diff.Severity(f.Severity.String()), Message: f.Message}
		if f.Remedy != "" {
			one.Message += "; " + f.Remedy
		}
		if f.File != "" {
			one.Where = promote.Position{File: f.File, Line: f.Line, Column: f.Column}.String()
		}
		findings = append(findings, one)
	}
	return findings
}

// images asks the registries for the images of a promotion's freight.
func (r *Reconciler) images(ctx context.Context, state promote.State, p promote.Promotion) []promote.ImageEvidence {
	freight, _ := state.History.Freight(p.Stage.Project, p.Freight)
	all := make([]promote.ImageEvidence, 0, len(freight.Images))
	for _, image := range freight.Images {
		found := r.digest(ctx, state, p.Stage.Project, freight.Warehouse, image)
		all = append(all, promote.ImageEvidence{Image: image, Digest: found.digest, Problem: found.problem})
	}
	return all
}

func (r *Reconciler) digest(ctx context.Context, state promote.State, project, warehouse string, image promote.Image) digestAt {
	key := image.RepoURL + ":" + image.Tag
	if known, ok := r.memory.digests[key]; ok && state.Now.Before(known.at.Add(digestTTL)) {
		return known
	}
	pipeline, _ := state.Pipeline(project)
	w, _ := pipeline.Warehouse(warehouse)
	skip := slices.ContainsFunc(w.Images, func(i promote.ImageSubscription) bool { return i.RepoURL == image.RepoURL && i.SkipTLSVerify })
	digest, err := r.Sources.Registry.Digest(ctx, image, skip)
	found := digestAt{digest: digest, at: state.Now}
	if err != nil {
		found.problem = err.Error()
	}
	r.memory.digests[key] = found
	return found
}

// applications says what is known of the applications that a promotion will have synced. Only the default branch and the
// Argo CD server count: a change cannot authorize itself.
func (r *Reconciler) applications(ctx context.Context, state promote.State, p promote.Promotion) ([]promote.ApplicationEvidence, []promote.Finding) {
	request, err := r.request(state, p)
	if err != nil {
		return nil, []promote.Finding{{Severity: promote.SeverityError, Code: "promotion", Message: err.Error()}}
	}
	wanted, problems := step.Applications(request)
	var findings []promote.Finding
	for _, problem := range problems {
		findings = append(findings, promote.Finding{
			Severity: promote.SeverityError, Code: "step", Message: problem.Error(), Remedy: "correct the step in the stage or its task",
		})
	}
	wanted, err = r.selected(wanted, declaredStage(state, p.Stage))
	if err != nil {
		findings = append(findings, promote.Finding{
			Severity: promote.SeverityError, Code: "step", Message: err.Error(), Remedy: "correct the selector, or the labels of the applications",
		})
	}
	all := make([]promote.ApplicationEvidence, 0, len(wanted))
	asked := map[string]bool{}
	for _, app := range wanted {
		if key := app.Namespace + "/" + app.Name; !asked[key] {
			asked[key] = true
			found := r.application(ctx, app)
			found.Stage = p.Stage
			all = append(all, found)
		}
	}
	return all, findings
}

// selected puts the applications that a selector finds in its place: those that the repository declares and that authorize the
// stage, by name. A selector that finds none is an error; the others are returned all the same.
func (r *Reconciler) selected(wanted []step.Application, stage promote.StageRef) ([]step.Application, error) {
	var all []step.Application
	var empty []error
	for _, app := range wanted {
		if app.Selector == nil {
			all = append(all, app)
			continue
		}
		found, foreign := r.matching(app, stage)
		if len(found) == 0 {
			text := fmt.Sprintf("selector %q finds no application that this repository declares", app.Selector)
			if foreign > 0 {
				text = fmt.Sprintf("selector %q finds %d applications, and none authorizes stage %s: annotate them with "+
					"kargo.akuity.io/authorized-stage: %s:%s", app.Selector, foreign, stage, stage.Project, stage.Name)
			}
			empty = append(empty, errors.New(text))
		}
		all = append(all, found...)
	}
	return all, errors.Join(empty...)
}

// matching returns the applications that a selector finds, and how many more belong to other stages.
func (r *Reconciler) matching(wanted step.Application, stage promote.StageRef) (found []step.Application, foreign int) {
	for _, app := range r.memory.repository.set.Applications {
		if !wanted.Selector.Matches(app.Labels) || wanted.Namespace != "" && app.Namespace != wanted.Namespace {
			continue
		}
		if !slices.Contains(authorizedStages(app), stage) {
			foreign++
			continue
		}
		one := wanted
		one.Name, one.Namespace, one.Selector = app.Name, app.Namespace, nil
		found = append(found, one)
	}
	slices.SortFunc(found, func(a, b step.Application) int { return strings.Compare(a.Name, b.Name) })
	return found, foreign
}

// authorizedStages are the stages that an application says may touch it.
func authorizedStages(app argocd.Application) []promote.StageRef {
	var all []promote.StageRef
	stages, _ := app.AuthorizedStages()
	for _, stage := range stages {
		all = append(all, promote.StageRef{Project: stage.Project, Name: stage.Stage})
	}
	if stage, ok := imageupdater.AuthorizedStage(app.Name, app.Annotations); ok {
		all = append(all, stage)
	}
	return all
}

func (r *Reconciler) application(ctx context.Context, wanted step.Application) promote.ApplicationEvidence {
	evidence := promote.ApplicationEvidence{Name: wanted.Name, Namespace: wanted.Namespace}
	var names []string
	for _, app := range r.memory.repository.set.Applications {
		names = append(names, app.Name)
		if app.Name != wanted.Name || wanted.Namespace != "" && app.Namespace != wanted.Namespace {
			continue
		}
		evidence.Exists, evidence.Source = true, origin(app.Origin)
		evidence.Authorized = authorizedStages(app)
		return evidence
	}
	if near, ok := promote.Nearest(wanted.Name, names); ok {
		evidence.Candidates = []string{near}
	}
	if r.Argo == nil {
		return evidence
	}
	live, err := r.Argo.Application(ctx, wanted.Name, wanted.Namespace)
	if err != nil {
		evidence.Problem = strings.TrimSpace(err.Error())
		return evidence
	}
	live.Candidates = evidence.Candidates
	return live
}

func origin(o argocd.Origin) string {
	text := promote.Position{File: o.File, Line: o.Line}.String()
	if o.ApplicationSet != "" {
		text = "ApplicationSet " + o.ApplicationSet + " in " + text
	}
	return text
}
