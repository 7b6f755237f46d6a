package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
)

// observe gathers everything that a decision needs.
func (r *Reconciler) observe(ctx context.Context, w *watch) (promote.State, error) {
	state := promote.State{Now: r.Now()}
	refs, err := r.Git.Refs(ctx)
	if err != nil {
		return state, err
	}
	if w.resting && !maps.Equal(refs.Commits, r.memory.tips) {
		w.resting, w.recalled, w.listed = false, false, false
	}
	repository, err := r.snapshot(ctx, refs)
	if err != nil {
		return state, err
	}
	state.Branch, state.Head = r.branch(refs), repository.head
	state.Pipelines, state.Findings = repository.pipelines, repository.findings
	state.Rules = repository.settings.commandRules()
	state.Tips = proposalTips(refs)
	state.Unmade = maps.Clone(r.memory.unmade)
	w.ledger, w.refs = ledgerTip(refs), refs
	history, findings, err := r.ledger.Load(ctx, w.ledger)
	if err != nil {
		return state, err
	}
	state.History, state.Findings = history, slices.Concat(state.Findings, findings)
	if state.Discoveries, err = r.discover(ctx, w, state); err != nil {
		return state, err
	}
	if err := r.observeChanges(ctx, w, &state); err != nil {
		return state, err
	}
	state.Deliveries = maps.Clone(r.memory.deliveries)
	r.commanders(ctx, w, &state)
	w.fresh = false
	return state, ctx.Err()
}

func (r *Reconciler) branch(refs git.Refs) promote.Branch {
	if r.Branch != "" {
		return r.Branch
	}
	return promote.Branch(refs.Default)
}

func ledgerTip(refs git.Refs) promote.Commit {
	tip, _ := refs.Branch(string(promote.LedgerBranch))
	return promote.Commit(tip)
}

func proposalTips(refs git.Refs) map[promote.Branch]promote.Commit {
	tips := map[promote.Branch]promote.Commit{}
	for name, commit := range refs.Commits {
		branch, isBranch := strings.CutPrefix(name, "refs/heads/")
		if isBranch && strings.HasPrefix(branch, "lockkeeper/") && branch != string(promote.LedgerBranch) {
			tips[promote.Branch(branch)] = promote.Commit(commit)
		}
	}
	return tips
}

// discover asks the registries what is new, where it is time to.
func (r *Reconciler) discover(ctx context.Context, w *watch, state promote.State) ([]promote.Discovery, error) {
	if w.fresh && r.announced(w.events, state.Pipelines) {
		r.Sources.Refresh()
	}
	var all []promote.Discovery
	for _, pipeline := range state.Pipelines {
		for _, warehouse := range pipeline.Warehouses {
			key := fmt.Sprintf("%s/%s %v", pipeline.Project, warehouse.Name, subscriptions(warehouse))
			known, ok := r.memory.discoveries[key]
			interval := warehouse.Interval
			if interval == 0 {
				interval = defaultInterval
			}
			due := !ok || !state.Now.Before(known.At.Add(interval))
			if due || w.fresh && (r.names(w.events, warehouse) || known.Problem != "" && sweeps(w.events)) {
				found, _, err := r.Sources.Discover(ctx, pipeline.Project, warehouse)
				if err != nil {
					return nil, err
				}
				known = found
				r.memory.discoveries[key] = known
				if known.Problem != "" {
					r.Log.WarnContext(ctx, "discover", "warehouse", pipeline.Project+"/"+warehouse.Name, "problem", known.Problem)
				}
			}
			all = append(all, known)
		}
	}
	return all, nil
}

// subscriptions returns what a warehouse watches, without the places in its file: when it changes, what was discovered before
// says nothing.
func subscriptions(w promote.Warehouse) promote.Warehouse {
	w.Position, w.Images, w.Git, w.Charts = promote.Position{}, slices.Clone(w.Images), slices.Clone(w.Git), slices.Clone(w.Charts)
	for i := range w.Images {
		w.Images[i].Position = promote.Position{}
	}
	for i := range w.Git {
		w.Git[i].Position = promote.Position{}
	}
	for i := range w.Charts {
		w.Charts[i].Position = promote.Position{}
	}
	return w
}

// announced reports whether an event says that there is something new for a warehouse.
func (r *Reconciler) announced(events []promote.Event, pipelines []promote.Pipeline) bool {
	return slices.ContainsFunc(pipelines, func(p promote.Pipeline) bool {
		return slices.ContainsFunc(p.Warehouses, func(w promote.Warehouse) bool { return r.names(events, w) })
	})
}

// names reports whether an event says that a warehouse may have something new. The repository itself is something that it may
// watch, too, under any of its URLs, but for the branches that are ours.
func (r *Reconciler) names(events []promote.Event, warehouse promote.Warehouse) bool {
	return slices.ContainsFunc(events, func(e promote.Event) bool {
		switch e.Kind {
		case promote.EventArtifact:
			return e.Image == "" || watches(warehouse, e.Image)
		case promote.EventPush:
			return !promote.IsProposalBranch(e.Branch) && slices.ContainsFunc(r.URLs, func(url string) bool { return watchesGit(warehouse, url) })
		default:
			return false
		}
	})
}

// sweeps reports whether a timer says that everything is worth a look, what could not be answered before, too.
func sweeps(events []promote.Event) bool {
	return slices.ContainsFunc(events, func(e promote.Event) bool { return e.Kind == promote.EventSweep })
}

// watches reports whether a warehouse subscribes to what a hint names: an image, a chart or a Git repository.
func watches(w promote.Warehouse, name string) bool {
	return slices.ContainsFunc(w.Images, func(i promote.ImageSubscription) bool {
		return namesSame(i.RepoURL, name) || promote.SameImage(i.RepoURL, name)
	}) ||
		watchesGit(w, name) ||
		slices.ContainsFunc(w.Charts, func(c promote.ChartSubscription) bool {
			return promote.NormalizeChartURL(c.RepoURL) == promote.NormalizeChartURL(name)
		})
}

func watchesGit(w promote.Warehouse, url string) bool {
	return slices.ContainsFunc(w.Git, func(g promote.GitSubscription) bool { return promote.SameGitRepository(g.RepoURL, url) })
}

// namesSame compares image repositories as far as a hint needs: the host may be left out.
func namesSame(a, b string) bool {
	return a == b || strings.HasSuffix(a, "/"+b) || strings.HasSuffix(b, "/"+a)
}

// observeChanges reads the open changes, what became of the others, and everything about their heads.
func (r *Reconciler) observeChanges(ctx context.Context, w *watch, state *promote.State) error {
	if !w.listed {
		open, err := r.Forge.OpenChanges(ctx)
		if err != nil {
			return err
		}
		w.changes, w.listed = slices.DeleteFunc(open, func(c promote.Change) bool { return c.Fork }), true
		r.memory.listedAt = state.Now
		r.forgetUnheard(w.changes)
	}
	active := activePromotions(*state)
	for _, promotion := range active {
		if err := r.findChange(ctx, w, promotion); err != nil {
			return err
		}
	}
	r.memory.changes, r.memory.listed, r.memory.tips = slices.Clone(w.changes), true, w.refs.Commits
	state.Changes = slices.Clone(w.changes)
	state.Evidence, state.Statuses = map[promote.Commit]promote.Evidence{}, map[promote.Commit]promote.Status{}
	state.Conflicts, state.Lapsed = map[promote.PromotionRef][]string{}, map[promote.PromotionRef][]string{}
	for _, promotion := range active {
		if promotion.Waits == promote.WaitsApproval {
			r.observeApprovals(ctx, state, promotion)
		}
		if promotion.Phase != promote.PhaseProposed {
			continue
		}
		if err := r.observeProposal(ctx, w, state, promotion); err != nil {
			return err
		}
	}
	return nil
}

func activePromotions(state promote.State) []promote.Promotion {
	newest := map[promote.StageRef]promote.Promotion{}
	for _, p := range state.History.Promotions {
		if known, ok := newest[p.Stage]; !p.Phase.Terminal() && (!ok || known.Number < p.Number) {
			newest[p.Stage] = p
		}
	}
	var active []promote.Promotion
	for _, pipeline := range state.Pipelines {
		for _, stage := range pipeline.Stages {
			if p, ok := newest[promote.StageRef{Project: pipeline.Project, Name: stage.Name}]; ok {
				active = append(active, p)
			}
		}
	}
	return active
}

// findChange looks for the change of a proposal that is not among the open ones: it was merged, closed, or never opened.
func (r *Reconciler) findChange(ctx context.Context, w *watch, p promote.Promotion) error {
	if p.Phase != promote.PhaseProposed {
		return nil
	}
	known := promote.State{Changes: w.changes}
	if _, ok := known.Change(p); ok {
		return nil
	}
	if p.Change != 0 {
		change, err := r.Forge.Change(ctx, p.Change)
		if r.gone(ctx, p.Change, p.Branch, err) {
			// That ends the proposal as closing it does.
			change, err = promote.Change{
				Number: p.Change, URL: p.URL, Branch: p.Branch, Target: p.Target, Head: p.Head, State: promote.ChangeClosed,
			}, nil
		}
		if err != nil {
			return err
		}
		w.put(change)
		return nil
	}
	changes, err := r.Forge.ChangesFrom(ctx, p.Branch)
	if err != nil {
		return err
	}
	known.Changes = changes
	if change, ok := known.Change(p); ok {
		w.put(change)
	}
	return nil
}

// gone reports whether a change was deleted, when an error says that something was not found. One such answer is not enough:
// forges give it for other reasons too, and a promotion would be given up.
func (r *Reconciler) gone(ctx context.Context, number int, branch promote.Branch, err error) bool {
	if !errors.Is(err, promote.ErrNotFound) {
		return false
	}
	if _, err := r.Forge.Change(ctx, number); !errors.Is(err, promote.ErrNotFound) {
		return false
	}
	changes, err := r.Forge.ChangesFrom(ctx, branch)
	return err == nil && !slices.ContainsFunc(changes, func(c promote.Change) bool { return c.Number == number })
}

// observeProposal looks at the head of an open proposal.
func (r *Reconciler) observeProposal(ctx context.Context, w *watch, state *promote.State, p promote.Promotion) error {
	head := p.Head
	if change, ok := state.Change(p); ok {
		if change.State != promote.ChangeOpen {
			return nil
		}
		head = change.Head
	}
	conflicts, err := r.conflicts(ctx, w, p)
	if err != nil {
		r.Log.WarnContext(ctx, "compare proposal", "promotion", p.ID, "error", err)
	}
	if len(conflicts) > 0 {
		state.Conflicts[p.Ref()] = conflicts
	}
	evidence, err := r.evidence(ctx, *state, p, head)
	if err != nil {
		r.Log.WarnContext(ctx, "look at proposal", "promotion", p.ID, "head", head, "error", err)
	} else {
		state.Evidence[head] = joined(state.Evidence[head], evidence)
	}
	if status := r.memory.statuses[head]; status != nil {
		state.Statuses[head] = *status
	}
	return nil
}

// joined is what was found out about one head for all promotions that share it.
func joined(known, more promote.Evidence) promote.Evidence {
	if known.Head == "" {
		return more
	}
	known.Images, known.Moves = slices.Concat(known.Images, more.Images), slices.Concat(known.Moves, more.Moves)
	known.Applications = slices.Concat(known.Applications, more.Applications)
	for _, f := range more.Findings {
		if !slices.Contains(known.Findings, f) {
			known.Findings = append(known.Findings, f)
		}
	}
	return known
}

// conflicts returns the files of a proposal that changed on the target branch since the proposal was made.
func (r *Reconciler) conflicts(ctx context.Context, w *watch, p promote.Promotion) ([]string, error) {
	tip, _ := w.refs.Branch(string(p.Target))
	if string(p.Base) == tip || tip == "" || p.Base == "" || p.Head == "" {
		return nil, nil
	}
	changed, err := r.Git.Diff(ctx, string(p.Base), string(p.Head))
	if errors.Is(err, git.ErrNotFound) {
		// The proposal's branch was deleted, and the forge gives its commit away no more: it will be proposed again.
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("compare %s with %s: %w", p.Base.Short(), p.Head.Short(), err)
	}
	before, err := r.Git.Tree(ctx, string(p.Base))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p.Base.Short(), err)
	}
	present, err := r.treeAt(ctx, promote.Commit(tip))
	if err != nil {
		return nil, err
	}
	var conflicts []string
	for _, change := range changed {
		old, _ := before.ObjectID(change.Path)
		now, _ := present.ObjectID(change.Path)
		if old != now {
			conflicts = append(conflicts, change.Path)
		}
	}
	return conflicts, nil
}

// treeAt returns the files of a commit; those of the default branch's tip are held already.
func (r *Reconciler) treeAt(ctx context.Context, commit promote.Commit) (*git.Tree, error) {
	if known := r.memory.repository; known != nil && known.head == commit {
		return known.tree, nil
	}
	if err := r.Git.Ensure(ctx, string(commit)); err != nil {
		return nil, fmt.Errorf("fetch %s: %w", commit.Short(), err)
	}
	tree, err := r.Git.Tree(ctx, string(commit))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", commit.Short(), err)
	}
	return tree, nil
}
