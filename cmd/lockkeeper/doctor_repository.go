package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/internal/doctor"
	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/outbound"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
	"github.com/lockkeeper/lockkeeper/render"
)

// repository looks at one repository: on its forge, through Git, and at what its pipelines need.
func (c *checkup) repository(ctx context.Context, repository repositoryConfig) []doctor.Finding {
	by, err := c.caretaker(repository)
	if err != nil {
		return []doctor.Finding{{Verdict: doctor.Failure, Check: "configuration", Text: err.Error(), Remedy: "correct its entry below repositories"}}
	}
	found := by.examine(ctx)
	if c.fix {
		found = treat(ctx, by, found)
	}
	place, err := c.place(repository)
	if err != nil {
		return append(found, doctor.Git{Err: err}.Finding())
	}
	repo, err := git.Open(git.Config{URL: place.cloneURL, Username: place.username, Token: place.token})
	if err != nil {
		return append(found, doctor.Git{URL: place.cloneURL, Err: err}.Finding())
	}
	refs, err := repo.Refs(ctx)
	read := doctor.Git{URL: place.cloneURL, Branches: len(refs.Commits), Default: refs.Default, Err: err}
	found = append(found, read.Finding())
	if err != nil || read.Branches == 0 {
		return found
	}
	branch := repository.Branch
	if branch == "" {
		branch = refs.Default
	}
	content, commit, err := c.content(ctx, repo, branch, append([]string{place.cloneURL}, repository.URLs...))
	facts := doctor.Content{Commit: promote.Commit(commit), Pipelines: len(content.Pipelines), Applications: len(content.Set.Applications), Err: err}
	facts.Problems = causes(append(pipelineFindings(content), toFindings(advised(content.Set.Findings))...))
	for _, pipeline := range content.Pipelines {
		facts.Stages += len(pipeline.Stages)
	}
	found = append(found, facts.Findings()...)
	if err != nil {
		return found
	}
	heeded := by.heed(ctx, policyOf(content))
	if c.fix {
		heeded = treat(ctx, by, heeded)
	}
	found = append(found, heeded...)
	return slices.Concat(found, c.applications(ctx, content.Set), c.registries(ctx, content.Pipelines))
}

// policyOf is what the content asks of the settings of its forge.
func policyOf(content reconcile.Content) doctor.Policy {
	policy := doctor.Policy{Unseen: content.Settings.Unseen()}
	for _, pipeline := range content.Pipelines {
		for _, stage := range pipeline.Stages {
			for _, step := range slices.Concat(stage.Steps, stage.Verify) {
				policy.Approvals = policy.Approvals || step.Uses == "wait-for-approval"
			}
		}
	}
	return policy
}

// content is what a branch says now.
func (c *checkup) content(ctx context.Context, repo *git.Repository, branch string, urls []string) (reconcile.Content, string, error) {
	commit, err := repo.Fetch(ctx, branch)
	if err != nil {
		return reconcile.Content{}, "", fmt.Errorf("read branch %q: %w", branch, err)
	}
	tree, err := repo.Tree(ctx, commit)
	if err != nil {
		return reconcile.Content{}, commit, err
	}
	content, err := reconcile.Load(ctx, c.renderer, render.Repository{
		Tree: tree, URLs: urls, Revision: branch,
		At: func(ctx context.Context, revision string) (render.Remote, error) {
			return reconcile.At(ctx, repo, revision)
		},
	})
	return content, commit, err
}

// reachFor bounds how long one registry is waited for.
const reachFor = 10 * time.Second

// registries asks each repository that warehouses watch once: whether it answers, and takes the credentials.
func (c *checkup) registries(ctx context.Context, pipelines []promote.Pipeline) []doctor.Finding {
	type question struct {
		doctor.Source
		ask func(context.Context) (int, error)
	}
	var questions []*question
	seen := map[string]bool{}
	add := func(kind, repository string, ask func(context.Context) (int, error)) {
		if key := kind + " " + repository; !seen[key] {
			seen[key] = true
			questions = append(questions, &question{doctor.Source{Kind: kind, Repository: promote.WithoutUser(repository)}, ask})
		}
	}
	for _, warehouse := range reconcile.Warehouses(pipelines) {
		for _, sub := range warehouse.Images {
			add("image", sub.RepoURL, func(ctx context.Context) (int, error) { return c.registry.Reach(ctx, sub.RepoURL, sub.SkipTLSVerify) })
		}
		for _, sub := range warehouse.Charts {
			add("chart", strings.TrimSpace(sub.RepoURL+" "+sub.Chart), func(ctx context.Context) (int, error) { return c.charts.Reach(ctx, sub) })
		}
	}
	var asking errgroup.Group
	asking.SetLimit(lookers)
	for _, q := range questions {
		asking.Go(func() error {
			limited, cancel := context.WithTimeoutCause(ctx, reachFor, fmt.Errorf("no complete answer within %s", reachFor))
			defer cancel()
			q.Tags, q.Err = q.ask(limited)
			q.Denied = errors.Is(q.Err, outbound.ErrDenied)
			return nil
		})
	}
	_ = asking.Wait() // none of them fails
	sources := make([]doctor.Source, len(questions))
	for i, q := range questions {
		sources[i] = q.Source
	}
	return doctor.Sources(sources)
}
