package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/internal/git/local"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
	"github.com/lockkeeper/lockkeeper/render"
	"github.com/lockkeeper/lockkeeper/render/argocd"
)

// localFlags say which clone a command reads and how its manifests name it.
type localFlags struct {
	dir         string
	urls        []string
	branch      string
	fetch       []string
	definitions []string
}

func (f *localFlags) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.dir, "dir", ".", "a folder of the clone to read")
	flags.StringArrayVar(&f.urls, "url", nil, "a URL by which the manifests name this repository, beside those of its remotes")
	flags.StringArrayVar(&f.fetch, "fetch", nil, "a URL below which charts and other repositories may be fetched, beside those of lockkeeper.yaml")
	flags.StringVar(&f.branch, "branch", "", "branch that Argo CD deploys (default: the default branch)")
}

// definitionFlags are for commands that render.
func (f *localFlags) definitionFlags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.definitions, "definitions", nil, "a folder outside of the clone with kro definitions; may be given several times")
}

// checkout is the clone that a command reads, and what a person is told meanwhile.
type checkout struct {
	repo        *local.Repository
	engine      *render.Engine
	urls        []string
	branch      string // "" when there is no default branch
	definitions []render.DefinitionTree
	progress    *progress
}

// within opens the clone for as long as use takes.
func (f *localFlags) within(ctx context.Context, env environment, use func(*checkout) error) error {
	p := newProgress(env.err, isTerminal(env.err))
	defer p.end()
	p.step("reading the repository")
	repo, err := local.Open(ctx, f.dir)
	if err != nil {
		return err
	}
	defer func() { _ = repo.Close() }() // nothing is lost when that does not work
	c, err := f.checkout(ctx, env, repo)
	if err != nil {
		return err
	}
	for _, dir := range f.definitions {
		root, err := os.OpenRoot(dir) // links that lead out of it are not followed
		if err != nil {
			return fmt.Errorf("--definitions %s: %w: name a folder", shown(dir), err)
		}
		defer func() { _ = root.Close() }() // nothing was written
		tree, err := render.NewDefinitionTree(ctx, filepath.ToSlash(filepath.Clean(dir)), root.FS())
		if err != nil {
			return fmt.Errorf("--definitions %s: %w", shown(dir), err)
		}
		c.definitions = append(c.definitions, tree)
	}
	c.progress = p
	if c.engine.Workers = newWorkers(func(err error) { _, _ = fmt.Fprintf(env.err, "lockkeeper: warning: %v: %s\n", err, withoutWorkers) }); c.engine.Workers != nil {
		defer c.engine.Workers.Close()
	}
	return use(c)
}

func (f *localFlags) checkout(ctx context.Context, env environment, repo *local.Repository) (*checkout, error) {
	c := &checkout{repo: repo, branch: f.branch, urls: slices.Clone(f.urls)}
	remotes, err := repo.Remotes(ctx)
	if err != nil {
		return nil, err
	}
	c.urls = append(c.urls, remotes...)
	if c.branch == "" {
		if branch, err := repo.DefaultBranch(ctx); err == nil {
			c.branch = branch.Name
		}
	}
	if c.engine, err = render.NewEngine(); err != nil {
		return nil, fmt.Errorf("renderer: %w", err)
	}
	c.engine.Fetch, c.engine.Remotes = f.fetch, cloneRemotes(env, c.urls)
	return c, nil
}

// at returns the repository at a revision, and in the work tree when rev is empty.
func (c *checkout) at(ctx context.Context, rev string) (render.Repository, error) {
	if rev == "" && !c.repo.Bare() {
		tree, err := c.repo.WorkTree(ctx)
		if err != nil {
			return render.Repository{}, err
		}
		return c.as(tree), nil
	}
	if rev == "" {
		rev = "HEAD"
	}
	commit, err := c.repo.Resolve(ctx, rev)
	if err != nil {
		return render.Repository{}, err
	}
	tree, err := c.repo.Tree(ctx, commit)
	if err != nil {
		return render.Repository{}, err
	}
	return c.as(tree), nil
}

func (c *checkout) as(tree *local.Tree) render.Repository {
	return render.Repository{Tree: tree, URLs: c.urls, Revision: c.branch, At: c.revision}
}

var plainRevision = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_/+-]*(\.[A-Za-z0-9_/+-]+)*$`)

// revision returns the clone at a branch, a tag or a commit. That it has none does not mean that the server has none.
func (c *checkout) revision(ctx context.Context, name string) (render.Remote, error) {
	if !plainRevision.MatchString(name) {
		return render.Remote{}, fmt.Errorf("%q is no name of a branch or tag", name)
	}
	var commit string
	var err error
	for _, rev := range []string{"refs/remotes/origin/" + name, "refs/heads/" + name, "refs/tags/" + name, name} {
		if commit, err = c.repo.Resolve(ctx, rev); err == nil {
			break
		}
	}
	if errors.Is(err, local.ErrUnknownRevision) {
		return render.Remote{}, errors.New("this clone does not have it; git fetch brings what the server has")
	}
	if err != nil {
		return render.Remote{}, err
	}
	tree, err := c.repo.Tree(ctx, commit)
	return render.Remote{Tree: tree, ID: commit, Version: commit}, err
}

// load reads what a tree says.
func (c *checkout) load(ctx context.Context, repository render.Repository) (reconcile.Content, error) {
	content, err := reconcile.Load(ctx, c.engine, repository, c.definitions...)
	if err != nil {
		return content, fmt.Errorf("read the repository: %w", err)
	}
	return content, nil
}

// elsewhere says which other repositories the applications deploy from. Most of the time that is this one, by a name that
// nobody told us.
func (c *checkout) elsewhere(set render.Set, apps []argocd.Application) []render.Finding {
	first := map[string]argocd.Application{}
	var urls []string
	ours := false
	for _, app := range apps {
		for _, source := range app.Sources {
			switch {
			case source.Chart != "" || source.RepoURL == "" || set.Fetches(source.RepoURL):
				continue
			case argocd.Ours(source.RepoURL, c.urls):
				ours = true
				continue
			}
			if _, known := first[source.RepoURL]; !known {
				first[source.RepoURL] = app
				urls = append(urls, source.RepoURL)
			}
		}
	}
	found := make([]render.Finding, len(urls))
	for i, url := range urls {
		app, url := first[url], promote.WithoutUser(url)
		severity := render.Warning
		if ours {
			severity = render.Info
		}
		found[i] = render.Finding{
			Severity: severity, Code: codeElsewhere, File: app.Origin.File, Line: app.Origin.Line,
			Message: fmt.Sprintf("application %q deploys from %s, which is not this repository (%s): what it deploys is not shown", app.Name, url, c.known()),
			Remedy:  urlRemedy(url) + "; to see it, name it in fetch of lockkeeper.yaml, or for once with --fetch",
		}
	}
	return found
}

func (c *checkout) known() string {
	if len(c.urls) == 0 {
		return "it has no remote"
	}
	return "known as " + strings.Join(c.urls, ", ")
}

// codeElsewhere is the code of findings about other repositories.
const codeElsewhere = "repository-elsewhere"

func urlRemedy(url string) string {
	return fmt.Sprintf("if it is this repository, add --url %s", url)
}
