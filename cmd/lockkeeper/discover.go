package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/ci"
	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// lookers is how many warehouses are looked at at the same time.
const lookers = 4

type discoverOptions struct {
	localFlags
	head   string
	output string
	dry    bool
}

func newDiscover(env environment) *cobra.Command {
	var o discoverOptions
	cmd := &cobra.Command{
		Use:   "discover [WAREHOUSE...]",
		Short: "Show what the warehouses of your clone find, and why; record nothing",
		Long: `Discover asks the registries, chart repositories and Git repositories that the warehouses of a clone watch, and prints of each
tag, commit and version whether it is taken and why, and which freight would be made of it. Try a subscription before you
commit it. A warehouse is named by its name or by project/name; without one all are looked at.

It connects to whatever you could connect to. Registries and chart repositories are asked with the credentials of docker. Git repositories are read over HTTP without
credentials, but for the clone's own: that one with those of the environment.
` + gitVariablesHelp() + `

Exit codes:
  0  every warehouse found something
  1  a warehouse has a problem`,
		Example: `  lockkeeper discover                               # every warehouse, with the files on disk
  lockkeeper discover develop/frontend-dev-image    # one of them
  lockkeeper discover --head origin/main -o json    # of a revision, for a program`,
		RunE: func(cmd *cobra.Command, words []string) error {
			if err := checkOutput(o.output, "text", "json"); err != nil {
				return err
			}
			if !o.dry {
				return errors.New("--dry-run=false: discover records nothing; freight is recorded by `lockkeeper ci` and `lockkeeper serve`, " +
					"and put together by hand by `lockkeeper freight create`")
			}
			return o.within(cmd.Context(), env, func(c *checkout) error { return o.run(cmd.Context(), env, c, words) })
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.head, "head", "", "revision to read (default: the files on disk)")
	cmd.Flags().StringVarP(&o.output, "output", "o", "text", "text or json")
	cmd.Flags().BoolVar(&o.dry, "dry-run", true, "record nothing; the only mode there is")
	return cmd
}

// gitVariables are the credentials of the clone's own repository.
func gitVariables() []variable {
	return []variable{
		{"LOCKKEEPER_GIT_USERNAME", "user of the clone's own repository, for `lockkeeper discover`"},
		{"LOCKKEEPER_GIT_PASSWORD", "its password or token that may read; sent over HTTPS with a valid certificate only"},
	}
}

func gitVariablesHelp() string {
	var lines []string
	for _, v := range gitVariables() {
		lines = append(lines, fmt.Sprintf("  %-32s %s", v.name, v.meaning))
	}
	return strings.Join(lines, "\n")
}

func (o *discoverOptions) run(ctx context.Context, env environment, c *checkout, words []string) error {
	repository, err := c.at(ctx, o.head)
	if err != nil {
		return err
	}
	c.progress.step("reading pipelines")
	content, err := c.load(ctx, repository)
	if err != nil {
		return err
	}
	warehouses, err := watched(content.Pipelines, words)
	if err != nil {
		return err
	}
	found, err := c.discover(ctx, newCloneSources(env, c.urls), warehouses)
	if err != nil {
		return err
	}
	c.progress.end()
	if err := o.print(env, found); err != nil {
		return err
	}
	if slices.ContainsFunc(found, func(d discovery) bool { return d.Problem != "" }) {
		return &exitError{code: ci.ExitFailed}
	}
	return nil
}

// watched returns the warehouses that are named, all without a name.
func watched(pipelines []promote.Pipeline, words []string) ([]reconcile.WarehouseRef, error) {
	if len(words) == 0 {
		all := reconcile.Warehouses(pipelines)
		if len(all) == 0 {
			return nil, errors.New("there is no Warehouse in the manifests of this clone: `lockkeeper lint` says what was found")
		}
		return all, nil
	}
	var warehouses []reconcile.WarehouseRef
	for _, word := range words {
		w, err := reconcile.FindWarehouse(pipelines, word)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(warehouses, func(other reconcile.WarehouseRef) bool { return other.String() == w.String() }) {
			warehouses = append(warehouses, w)
		}
	}
	return warehouses, nil
}

// newCloneSources returns the sources of a person's clone: what needs no forge.
func newCloneSources(env environment, own []string) *discover.Sources {
	log := slog.New(slog.DiscardHandler)
	registry, charts := registries(log, cacheDir(serverConfig{}, "registry"), anywhere)
	return &discover.Sources{
		Registry: registry, Charts: charts,
		Git: discover.NewGit(discover.GitConfig{Fresh: shareFor, Logger: log, Open: opener(env, own)}),
	}
}

// cloneRemotes gets what a person's clone is rendered from elsewhere.
func cloneRemotes(env environment, own []string) *remotes {
	_, charts := registries(slog.New(slog.DiscardHandler), cacheDir(serverConfig{}, "registry"), anywhere)
	open := opener(env, own)
	return newRemotes(charts, http.DefaultClient, func(url string) (*git.Repository, error) { return open(url, false) })
}

// opener opens repositories, the clone's own with the credentials that the environment holds.
func opener(env environment, own []string) func(repoURL string, skipTLS bool) (*git.Repository, error) {
	user, password := env.getenv("LOCKKEEPER_GIT_USERNAME"), secret.Text(env.getenv("LOCKKEEPER_GIT_PASSWORD"))
	return func(repoURL string, skipTLS bool) (*git.Repository, error) {
		cfg := git.Config{URL: repoURL}
		if !skipTLS && confidential(repoURL) && slices.ContainsFunc(own, func(url string) bool { return promote.SameGitRepository(url, repoURL) }) {
			cfg.Username, cfg.Password = user, password
		}
		return openGit(cfg, skipTLS)
	}
}

// confidential reports whether nobody on the way sees what is sent to a URL.
func confidential(raw string) bool {
	parsed, err := url.Parse(raw)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(parsed.Hostname())
	return parsed.Scheme == "https" || parsed.Hostname() == "localhost" || err == nil && address.IsLoopback()
}

// discovery is what one warehouse finds. Its keys as JSON are a promise.
type discovery struct {
	Project     string               `json:"project"`
	Warehouse   string               `json:"warehouse"`
	Manual      bool                 `json:"manual,omitempty"` // freightCreationPolicy: no freight is made by itself
	Explanation discover.Explanation `json:"explanation"`
	Freight     *wouldBe             `json:"freight,omitempty"` // what would be made, were it not for Manual
	Withheld    string               `json:"withheld,omitempty"`
	Problem     string               `json:"problem,omitempty"`
}

// wouldBe is freight that nobody recorded.
type wouldBe struct {
	ID    promote.FreightID `json:"id"`
	Label string            `json:"label"`
	promote.Artifacts
}

// discover looks at warehouses, a few at a time, and returns what they find in their order.
func (c *checkout) discover(ctx context.Context, sources *discover.Sources, warehouses []reconcile.WarehouseRef) ([]discovery, error) {
	found := make([]discovery, len(warehouses))
	var done atomic.Int64
	c.progress.step("asking the sources of %s", count(len(warehouses), "warehouse"))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(lookers)
	for i, w := range warehouses {
		group.Go(func() error {
			d, explanation, err := sources.Discover(groupCtx, w.Project, w.Warehouse)
			if err != nil {
				return err
			}
			found[i] = discovered(w, d, explanation)
			c.progress.step("asking the sources of %s: %d of them answered", count(len(warehouses), "warehouse"), done.Add(1))
			return nil
		})
	}
	return found, group.Wait()
}

func discovered(w reconcile.WarehouseRef, d promote.Discovery, explanation discover.Explanation) discovery {
	found := discovery{
		Project: w.Project, Warehouse: w.Name, Manual: w.Manual, Explanation: explanation, Withheld: d.Withheld, Problem: d.Problem,
	}
	if d.Problem == "" && d.Withheld == "" && d.Len() > 0 {
		freight := promote.NewFreight(w.Project, w.Name, d.Artifacts, d.At)
		found.Freight = &wouldBe{ID: freight.ID, Label: freight.Label(), Artifacts: freight.Artifacts}
	}
	return found
}

// verdict says which freight would be made, or why none is.
func (d discovery) verdict() string {
	switch {
	case d.explained():
		return "no freight"
	case d.Problem != "":
		return "no freight: " + d.Problem
	case d.Withheld != "":
		return "no freight: " + d.Withheld
	case d.Freight == nil:
		return "no freight: it watches nothing"
	case d.Manual:
		return fmt.Sprintf("no freight by itself, because freightCreationPolicy is Manual; it would be %s: %s; "+
			"`lockkeeper freight create --warehouse %s/%s` makes it", d.Freight.ID.Short(), d.Freight.Label, d.Project, d.Warehouse)
	}
	return fmt.Sprintf("freight %s: %s", d.Freight.ID.Short(), d.Freight.Label)
}

// explained reports whether the problem is that of a subscription, which tells it itself.
func (d discovery) explained() bool {
	e := d.Explanation
	return d.Problem != "" &&
		(slices.ContainsFunc(e.Images, func(one discover.ImageExplanation) bool { return one.Problem == d.Problem }) ||
			slices.ContainsFunc(e.Commits, func(one discover.GitExplanation) bool { return one.Problem == d.Problem }) ||
			slices.ContainsFunc(e.Charts, func(one discover.ChartExplanation) bool { return one.Problem == d.Problem }))
}

// String is what a person reads of one warehouse.
func (d discovery) String() string {
	return fmt.Sprintf("%s\n%s  %s\n", visible(d.Project+"/"+d.Warehouse), indent(d.Explanation.String()), visible(d.verdict()))
}

func (o *discoverOptions) print(env environment, found []discovery) error {
	if o.output == "json" {
		if err := printJSON(env.out, found); err != nil {
			return err
		}
		return adviseCredentials(env, found)
	}
	texts := make([]string, len(found))
	for i, d := range found {
		texts[i] = d.String()
	}
	if _, err := io.WriteString(env.out, strings.Join(texts, "\n")); err != nil {
		return err
	}
	return adviseCredentials(env, found)
}

// indent moves every line to the right.
func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + line)
	}
	return b.String()
}

// adviseCredentials tells of the credentials that a person may not know of, when a Git repository could not be read.
func adviseCredentials(env environment, found []discovery) error {
	unread := func(e discover.GitExplanation) bool { return e.Problem != "" && e.Looked == 0 && e.Branch == "" }
	refused := slices.ContainsFunc(found, func(d discovery) bool { return slices.ContainsFunc(d.Explanation.Commits, unread) })
	if !refused || env.getenv("LOCKKEEPER_GIT_PASSWORD") != "" {
		return nil
	}
	_, err := io.WriteString(env.err,
		"note: Git repositories were read without credentials; for that of this clone set LOCKKEEPER_GIT_USERNAME and LOCKKEEPER_GIT_PASSWORD\n")
	return err
}
