package discover

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
)

// Sources finds the newest of everything that a warehouse watches. It is safe for concurrent use.
type Sources struct {
	Registry *Registry // required
	Git      *Git      // nil: Git subscriptions are a problem
	Charts   *Charts   // nil: chart subscriptions are a problem
}

// Discover finds the newest artifact of each subscription of a warehouse. What a source refuses or does not have is told in
// the Discovery's Problem, in words for people; then there are no artifacts, but every subscription is explained. Artifacts
// that the warehouse's freightCreationCriteria is false for are Withheld. The error is the context's.
func (s *Sources) Discover(ctx context.Context, project string, w promote.Warehouse) (promote.Discovery, Explanation, error) {
	found := promote.Discovery{Project: project, Warehouse: w.Name, At: s.Registry.config.Now()}
	var explanation Explanation
	images, explained, problem := s.Registry.images(ctx, w)
	explanation.Images = explained
	commits, explainedCommits, err := s.commits(ctx, w)
	explanation.Commits, problem = explainedCommits, cmp.Or(problem, err)
	charts, explainedCharts, err := s.charts(ctx, w)
	explanation.Charts, problem = explainedCharts, cmp.Or(problem, err)
	if ctx.Err() != nil {
		return promote.Discovery{}, explanation, fmt.Errorf("discover warehouse %q: %w", w.Name, context.Cause(ctx))
	}
	if problem != nil {
		found.Problem = problem.Error()
	} else {
		found.Artifacts = promote.Artifacts{Images: images, Commits: commits, Charts: charts}
		found.Withheld, found.Problem = withheld(w, found.Artifacts)
	}
	s.Registry.config.Logger.DebugContext(ctx, "discovered", "project", project, "warehouse", w.Name,
		"artifacts", found.Len(), "problem", found.Problem, "withheld", found.Withheld)
	return found, explanation, nil
}

// withheld asks the criteria of a warehouse whether freight may be made of artifacts.
func withheld(w promote.Warehouse, artifacts promote.Artifacts) (reason, problem string) {
	if w.Criteria == "" || artifacts.Len() == 0 {
		return "", ""
	}
	ok, err := expr.Criteria(w.Criteria, artifacts)
	switch {
	case err != nil:
		return "", fmt.Sprintf("freightCreationCriteria: %v; correct it at %s", err, w.Position)
	case !ok:
		return fmt.Sprintf("freightCreationCriteria %q is false", w.Criteria), ""
	}
	return "", ""
}

// commits finds the commit of each Git subscription. The error is the first problem; the others are explained all the same.
func (s *Sources) commits(ctx context.Context, w promote.Warehouse) ([]promote.GitCommit, []GitExplanation, error) {
	var problem error
	var commits []promote.GitCommit
	var explanations []GitExplanation
	for _, sub := range w.Git {
		var commit promote.GitCommit
		explanation, err := GitExplanation{RepoURL: publicURL(sub.RepoURL)}, errors.New("Git repositories cannot be asked here: "+publicURL(sub.RepoURL))
		if s.Git != nil {
			commit, explanation, err = s.Git.Newest(ctx, sub)
		}
		if err != nil {
			explanation.Problem = err.Error()
		}
		problem = cmp.Or(problem, err)
		commits, explanations = append(commits, commit), append(explanations, explanation)
	}
	return commits, explanations, problem
}

// charts finds the version of each chart subscription, as commits does.
func (s *Sources) charts(ctx context.Context, w promote.Warehouse) ([]promote.Chart, []ChartExplanation, error) {
	var problem error
	var charts []promote.Chart
	var explanations []ChartExplanation
	for _, sub := range w.Charts {
		var chart promote.Chart
		explanation, err := ChartExplanation{RepoURL: publicURL(sub.RepoURL), Chart: sub.Chart}, errors.New("chart repositories cannot be asked here: "+publicURL(sub.RepoURL))
		if s.Charts != nil {
			chart, explanation, err = s.Charts.Newest(ctx, sub)
		}
		if err != nil {
			explanation.Problem = err.Error()
		}
		problem = cmp.Or(problem, err)
		charts, explanations = append(charts, chart), append(explanations, explanation)
	}
	return charts, explanations, problem
}

// Refresh forgets what was asked a moment ago, because something is said to be new.
func (s *Sources) Refresh() {
	s.Registry.Refresh()
	if s.Git != nil {
		s.Git.Refresh("")
	}
}
