package reconcile

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/drift"
	"github.com/lockkeeper/lockkeeper/render"
	"github.com/lockkeeper/lockkeeper/render/diff"
)

const (
	replayed = 90 * 24 * time.Hour // how much of the history is replayed for a note
	moments  = 100                 // how many moments are replayed at most: nobody else is served meanwhile
)

// review looks at the changes of people that an event speaks of. Each gets a note with what it changes in the cluster, in which
// folders it makes a difference, and which recorded decisions would have been others with it; and a status, because a branch
// that requires one of promotions requires it of every change.
func (r *Reconciler) review(ctx context.Context, w *watch, state promote.State) {
	seen := map[int]bool{}
	for _, event := range w.events {
		if event.Kind != promote.EventChange || event.Change == 0 || seen[event.Change] || state.IsPromotion(event.Change) {
			continue
		}
		seen[event.Change] = true
		delete(r.memory.nothing, sighting{change: event.Change})
		if err := r.reviewOne(ctx, w, state, event.Change); err != nil {
			w.fail(fmt.Sprintf("review/%d", event.Change), fmt.Errorf("review change %d: %w", event.Change, err))
		}
	}
	r.restoreReviews(ctx, w, state)
}

func (r *Reconciler) reviewOne(ctx context.Context, w *watch, state promote.State, number int) error {
	if r.memory.repository.settings.Forge.review() == reviewOff {
		return nil
	}
	change, err := r.Forge.Change(ctx, number)
	if errors.Is(err, promote.ErrNotFound) {
		return nil
	}
	if err != nil || !state.IsReviewed(change) {
		return err
	}
	return r.reviewChange(ctx, w, state, change)
}

// reviewChange reviews a change unless that was done at the same head and tip of its target.
func (r *Reconciler) reviewChange(ctx context.Context, w *watch, state promote.State, change promote.Change) error {
	number := change.Number
	last, known := r.memory.reviews[number]
	if known && last.head == change.Head && last.target == state.Head {
		return nil
	}
	found, err := r.judgeChange(ctx, w, state, change)
	if err != nil {
		return err
	}
	found.Change, found.Last, found.Quiet = change, last.body, r.memory.repository.settings.Forge.review() != reviewComment
	if note, wanted := found.Note(); wanted {
		if err := r.say(ctx, number, marker("review", "change"), note); err != nil {
			return err
		}
	}
	posted, wanted := state.ReviewPost(found)
	if wanted {
		if err := r.postOnce(ctx, posted); err != nil {
			return err
		}
	}
	if err := r.showThreads(ctx, change, found.Errors()); err != nil && !errors.Is(err, promote.ErrStale) {
		return err
	}
	r.memory.keepReview(number, reviewed{head: change.Head, target: state.Head, body: found.Body, posted: posted})
	return nil
}

// postOnce posts a status unless it is known to stand there.
func (r *Reconciler) postOnce(ctx context.Context, posted promote.PostStatus) error {
	if known := r.memory.statuses[posted.Head]; known != nil && known.State == posted.Status.State && known.Description == posted.Status.Description {
		return nil
	}
	return r.postStatus(ctx, posted)
}

// judgeChange compares a change with where it left its target. A fork's commit that is the tip of a branch here, too, was pushed by
// who may: both have one status, and so are judged alike.
func (r *Reconciler) judgeChange(ctx context.Context, w *watch, state promote.State, change promote.Change) (promote.Reviewed, error) {
	if err := r.Git.Ensure(ctx, string(change.Head)); err != nil {
		return promote.Reviewed{}, fmt.Errorf("fetch %s: %w", change.Head.Short(), err)
	}
	base, err := r.Git.MergeBase(ctx, string(state.Head), string(change.Head))
	if errors.Is(err, git.ErrNotFound) || errors.Is(err, git.ErrTooDeep) {
		base, err = string(state.Head), nil // it has nothing in common with its target, or that is too long ago
	}
	if err != nil {
		return promote.Reviewed{}, err
	}
	return r.judgeCommits(ctx, state, commits{base: promote.Commit(base), head: change.Head, fork: change.Fork && !isTip(w.refs, change.Head)})
}

// isTip reports whether a commit is what a branch points to.
func isTip(refs git.Refs, commit promote.Commit) bool {
	for name, tip := range refs.Commits {
		if tip == string(commit) && strings.HasPrefix(name, "refs/heads/") {
			return true
		}
	}
	return false
}

// commits are two commits to compare. What comes from a fork may be anything, and nobody here asked for it: it is rendered from
// its own files alone.
type commits struct {
	base, head promote.Commit
	fork       bool
}

func (r *Reconciler) judgeCommits(ctx context.Context, state promote.State, c commits) (promote.Reviewed, error) {
	before, err := r.content(ctx, c.base, c)
	if err != nil {
		return promote.Reviewed{}, err
	}
	after, err := r.content(ctx, c.head, c)
	if err != nil {
		return promote.Reviewed{}, err
	}
	comparison, err := r.compareCommits(ctx, c)
	if err != nil {
		return promote.Reviewed{}, err
	}
	report := DiffReport(comparison, diff.Options{})
	found := promote.Reviewed{Applications: changing(report)}
	found.Findings = brought(slices.Concat(before.findings, baseFindings(comparison)), slices.Concat(after.findings, headFindings(comparison)))
	errs := found.Errors()
	var parts []string
	if !report.Empty() || len(errs) > 0 {
		parts = append(parts, "### What this changes in the cluster\n\n"+diff.Markdown(report, diff.MarkdownOptions{}))
	}
	if text := errorList(after.findings, errs); text != "" {
		parts = append(parts, text)
	}
	drifted, err := r.drifted(ctx, c, after)
	if err != nil {
		return promote.Reviewed{}, err
	}
	if !drifted.Empty() {
		parts = append(parts, "### Folders that should be alike\n\n"+drift.Markdown(drifted, 0))
	}
	if !reflect.DeepEqual(before.pipelines, after.pipelines) {
		now, then := state, state
		now.Pipelines, now.Findings = before.pipelines, before.findings
		then.Pipelines, then.Findings = after.pipelines, after.findings
		simulation := promote.Simulate(now, then, state.Now.Add(-replayed), moments)
		parts = append(parts, "### What the changed pipeline would have decided\n\n"+simulation.Markdown())
	}
	if text := promote.UnthreadedText(errs); text != "" && r.memory.repository.settings.Forge.Threads {
		parts = append(parts, text)
	}
	found.Body = strings.Join(parts, "\n")
	return found, nil
}

// content is what a commit says. What it allows to be fetched does not count: the default branch says that.
func (r *Reconciler) content(ctx context.Context, commit promote.Commit, c commits) (*snapshot, error) {
	if known := r.memory.repository; known.head == commit {
		return known, nil
	}
	var allowed []string
	if !c.fork {
		allowed = r.memory.repository.settings.Fetch
	}
	return r.readAllowing(ctx, commit, func(Settings) []string { return allowed })
}

func (r *Reconciler) compareCommits(ctx context.Context, c commits) (render.Comparison, error) {
	base, err := r.repository(ctx, c.base)
	if err != nil {
		return render.Comparison{}, err
	}
	head, err := r.repository(ctx, c.head)
	if err != nil {
		return render.Comparison{}, err
	}
	options := GateOptions(CompareOptions(base.Tree, head.Tree))
	if c.fork {
		options.Fetch, base.At, head.At = nil, nil, nil
	}
	comparison, err := r.Renderer.Compare(ctx, base, head, options)
	if err != nil {
		return comparison, fmt.Errorf("render %s and %s: %w", c.base.Short(), c.head.Short(), err)
	}
	return comparison, nil
}

// changing counts the applications of a report that change: some are in it for what is found in them alone.
func changing(report diff.Report) int {
	n := 0
	for _, app := range report.Apps {
		if len(app.Objects) > 0 || app.Kind == diff.Added || app.Kind == diff.Removed || app.Restated || app.From != app.To {
			n++
		}
	}
	return n
}

// baseFindings returns what was wrong before a change already.
func baseFindings(c render.Comparison) []promote.Finding {
	var findings []promote.Finding
	for _, app := range c.Apps {
		if app.Base == nil {
			continue
		}
		for _, f := range app.Base.Findings {
			findings = append(findings, shownFinding(f))
		}
	}
	return findings
}

// distinct keeps the first of findings that read the same: one mistake in a file may keep several stages, or projects, from promoting.
func distinct(findings []promote.Finding) []promote.Finding {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(findings), func(f promote.Finding) bool {
		text := f.String()
		known := seen[text]
		seen[text] = true
		return known
	})
}

// brought returns the findings that were not there before, wherever in their files they stand now.
func brought(before, after []promote.Finding) []promote.Finding {
	type same struct{ code, file, message string }
	of := func(f promote.Finding) same { return same{f.Code, f.Position.File, f.Message} }
	count := map[same]int{}
	for _, f := range distinct(before) {
		count[of(f)]++
	}
	var found []promote.Finding
	for _, f := range distinct(after) {
		if count[of(f)] > 0 {
			count[of(f)]--
			continue
		}
		found = append(found, f)
	}
	return found
}

// errorList writes the errors of a repository's own files, which no application's diff shows.
func errorList(own, errors []promote.Finding) string {
	var mine []promote.Finding
	for _, f := range errors {
		if slices.Contains(own, f) {
			mine = append(mine, f)
		}
	}
	if len(mine) == 0 {
		return ""
	}
	return "### What is wrong in its files\n\n" + promote.FindingList(mine)
}

// drifted compares those folders that should be alike of which the change touches one.
func (r *Reconciler) drifted(ctx context.Context, c commits, after *snapshot) (drift.Report, error) {
	rules := r.memory.repository.settings.DriftRules()
	if len(rules) == 0 {
		return drift.Report{}, nil
	}
	changes, err := r.Git.Diff(ctx, string(c.base), string(c.head))
	if err != nil {
		return drift.Report{}, err
	}
	report, err := drift.Compare(ctx, drift.Request{Tree: after.tree, Rules: rules})
	if err != nil {
		return drift.Report{}, err
	}
	touches := func(folder string) bool {
		return slices.ContainsFunc(changes, func(f git.FileChange) bool { return strings.HasPrefix(f.Path, strings.TrimSuffix(folder, "/")+"/") })
	}
	report.Problems = nil // lint tells them
	report.Pairs = slices.DeleteFunc(report.Pairs, func(p drift.Pair) bool { return !touches(p.From) && !touches(p.To) })
	return report, nil
}
