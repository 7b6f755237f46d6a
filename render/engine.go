package render

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	k8s "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/worker"
	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/check"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/helm"
	"github.com/lockkeeper/lockkeeper/render/kro"
	"github.com/lockkeeper/lockkeeper/render/kro/schema"
	"github.com/lockkeeper/lockkeeper/render/lru"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// What an Engine remembers at most, and how long one Application may take: its sources, and then what is done with what they hold.
const (
	rememberedFolders      = 300_000
	rememberedApplications = 200_000 // made by documents
	rememberedInSets       = 200_000 // the same Applications, listed once more for every commit
	rememberedDefinitions  = 1000
	rememberedRead         = 5000      // definitions as they are written
	rememberedKinds        = 200_000   // of sources: the kinds that they hold
	rememberedSources      = 192 << 20 // bytes of the objects, about
	rememberedResults      = 192 << 20 // bytes, many of which are those of the sources
	rememberedChecks       = 20_000    // findings and results
	renderTimeout          = 30 * time.Second
	finishTimeout          = 10 * time.Second
)

// Engine renders and remembers what it rendered, by content. It is safe for concurrent use; one per process is enough.
type Engine struct {
	// Workers run what cannot be interrupted, Jsonnet and kustomize, in processes that can be killed. They serve [Engines]. nil
	// means that these run in this process: kustomizations one at a time, and nothing bounds the memory of a Jsonnet program. Set
	// it before the Engine is used.
	Workers *worker.Pool
	// Remotes gets charts and other repositories; nil means that nothing outside of the repository is read. Set it before
	// the Engine is used.
	Remotes Remotes
	// Fetch are URLs below which Remotes is asked for, beside those of [Options.Fetch]. Set it before the Engine is used.
	Fetch []string

	turns   chan struct{} // what is rendered at once
	timeout time.Duration // of the sources of one Application
	checks  time.Duration // that checking what one Application deploys may take
	schemas *schema.Set
	checker *check.Checker
	kro     *kro.Engine
	index   *manifest.Index
	made    *argocd.Memory
	sets    *lru.Cache[string, Set]
	sources *lru.Cache[string, sourceOutput]
	results *lru.Cache[string, Result]
	checked *lru.Cache[string, []Finding]
	borders *lru.Cache[string, []border]
	read    *lru.Cache[string, readDefinition]
	kinds   *lru.Cache[string, []kindID]

	mentioned *lru.Cache[string, bool]
	needs     *lru.Cache[string, []helm.Dependency] // of charts
}

// NewEngine returns an Engine with empty memory. It fails only when the binary's own data is broken.
func NewEngine() (*Engine, error) {
	library, err := schema.Open()
	if err != nil {
		return nil, err
	}
	schemas, err := library.At(schema.Version)
	if err != nil {
		return nil, err
	}
	checker, err := check.NewChecker(library)
	if err != nil {
		return nil, err
	}
	return &Engine{
		turns:   make(chan struct{}, runtime.GOMAXPROCS(0)),
		timeout: renderTimeout,
		checks:  renderTimeout,
		schemas: schemas,
		checker: checker,
		kro:     kro.NewEngine(schemas, rememberedDefinitions),
		index:   manifest.NewIndex(rememberedFolders),
		made:    argocd.NewMemory(rememberedApplications),
		sets:    lru.New[string, Set](rememberedInSets),
		sources: lru.New[string, sourceOutput](rememberedSources),
		results: lru.New[string, Result](rememberedResults),
		checked: lru.New[string, []Finding](rememberedChecks),
		borders: lru.New[string, []border](rememberedFolders),
		read:    lru.New[string, readDefinition](rememberedRead),
		kinds:   lru.New[string, []kindID](rememberedKinds),

		mentioned: lru.New[string, bool](rememberedFolders),
		needs:     lru.New[string, []helm.Dependency](rememberedFolders),
	}, nil
}

// Manifests finds manifests of any kind that package manifest knows. A folder that was looked through before, whatever for,
// is not read again.
func (e *Engine) Manifests(ctx context.Context, tree fs.FS, query manifest.Query) ([]manifest.File, error) {
	return e.index.Scan(ctx, tree, query)
}

// Applications finds what the commit deploys. It fails when the tree cannot be read; what is wrong with the manifests in
// it is in the Set's findings. What the Set holds is shared with later calls and must not be changed.
//
// Of a tree that knows its object ids an equal one is not looked at again; of another one only what differs is read, and
// only Applications that are new or whose ApplicationSet was rewritten are made.
func (e *Engine) Applications(ctx context.Context, repo Repository, opts Options) (Set, error) {
	return e.applications(ctx, repo, opts, e.fetching(slices.Concat(e.Fetch, opts.Fetch)))
}

func (e *Engine) applications(ctx context.Context, repo Repository, opts Options, fetch *fetching) (Set, error) {
	opts, problems := fetch.definitions(ctx, opts)
	key := e.setKey(repo, opts)
	if known, ok := e.sets.Get(key); ok && key != "" {
		return known, ctx.Err()
	}
	set, err := e.evaluate(ctx, repo, opts, fetch)
	if err != nil {
		return Set{}, err
	}
	set.Findings = slices.Concat(set.Findings, problems)
	if key != "" && !fetch.passing.Load() {
		e.sets.Put(key, set, 1+len(set.Applications)+len(set.Findings)+len(set.Definitions))
	}
	return set, nil
}

// setKey is equal for equal content, looked at in the same way, and "" when a tree does not know what it holds.
func (e *Engine) setKey(repo Repository, opts Options) string {
	identifier, ok := repo.Tree.(manifest.Identifier)
	if !ok {
		return ""
	}
	root, err := identifier.ObjectID(".")
	if err != nil || root == "" {
		return ""
	}
	trees, ok := treesKey(opts.DefinitionTrees)
	if !ok {
		return ""
	}
	return digest(root, repo.Revision, digest(repo.URLs...), digest(opts.Applications...), digest(opts.Definitions...),
		trees, opts.Kro.String(), fmt.Sprintf("%q %+v %q %t", opts.Clusters, opts.Checks, opts.Generators, opts.NewGitFileGlobbing), digest(e.Fetch...), digest(opts.Fetch...))
}

func (e *Engine) evaluate(ctx context.Context, repo Repository, opts Options, fetch *fetching) (Set, error) {
	appFiles, err := e.index.Scan(ctx, repo.Tree, manifest.Query{Kinds: manifest.ArgoCD(), Paths: opts.Applications})
	if err != nil {
		return Set{}, fmt.Errorf("find applications: %w", err)
	}
	definitionFiles, ruleDocuments, err := e.definitionsAndRules(ctx, repo, opts)
	if err != nil {
		return Set{}, err
	}
	inTrees, err := e.inTrees(ctx, opts.DefinitionTrees)
	if err != nil {
		return Set{}, err
	}
	return e.deepen(ctx, repo, opts, fetch, declared{applications: appFiles, definitions: slices.Concat(definitionFiles, inTrees), rules: ruleDocuments})
}

// assemble makes a Set of what is declared.
func (e *Engine) assemble(ctx context.Context, repo Repository, opts Options, fetch *fetching, d declared) (Set, error) {
	set := Set{
		clusters: argocd.KnownClusters(opts.Clusters, d.applications), fetch: slices.Concat(e.Fetch, opts.Fetch), roots: d.roots, unknown: d.unknown,
	}
	var err error
	set.Applications, set.Findings, err = argocd.Applications(ctx, argocd.Input{
		Tree: repo.Tree, Files: d.applications, RepoURLs: repo.URLs, Revision: repo.Revision, Memory: e.made,
		Clusters: opts.Clusters, Fixtures: opts.Generators, NewGitFileGlobbing: opts.NewGitFileGlobbing, Elsewhere: generated(repo, fetch),
	})
	if err != nil {
		return Set{}, fmt.Errorf("make applications: %w", err)
	}
	projects, problems := argocd.Projects(d.applications)
	set.Findings = append(set.Findings, problems...)
	set.projects = projects
	set.Findings = append(set.Findings, argocd.CheckProjects(set.Applications, projects, set.clusters)...)
	definitions, problems := e.readDefinitions(d.definitions)
	set.Definitions = definitions
	set.Findings = append(set.Findings, problems...)
	if set.borders, err = e.bordersOf(ctx, repo.Tree); err != nil {
		return Set{}, err
	}
	set.program = e.kro.Compile(ctx, opts.Kro, set.Definitions)
	rules, problems, err := e.checker.Rules(check.Sources{
		Documents: d.rules, Options: opts.Checks,
		Find:     func(kinds []manifest.Kind) ([]manifest.Document, error) { return e.documents(ctx, repo.Tree, kinds) },
		Clusters: func(file string) []string { return clustersOf(file, set.Applications, repo, opts.Clusters) },
	})
	if err != nil {
		return Set{}, err
	}
	set.rules = rules
	set.Findings = append(set.Findings, problems...)
	set.Applications = slices.Clip(set.Applications)
	set.Definitions = slices.Clip(set.Definitions)
	set.Findings = slices.Clip(finding.Sort(append(set.Findings, set.program.Findings()...)))
	set.definitions = map[k8s.GroupVersionKind]string{}
	for _, d := range set.Definitions {
		set.definitions[d.Kind] = set.program.Key(d.Kind)
	}
	set.projectsKey = fmt.Sprintf("%+v", projects)
	return set, ctx.Err()
}

// Render renders one Application of a Set of the same repository, and checks what it deploys.
func (e *Engine) Render(ctx context.Context, repo Repository, set Set, app argocd.Application) Result {
	out := e.render(ctx, repo, set, app, e.fetching(set.fetch))
	out.Findings = bounded(out.Findings, app)
	return out
}

func (e *Engine) render(ctx context.Context, repo Repository, set Set, app argocd.Application, fetch *fetching) Result {
	return e.renderOver(ctx, &rendering{engine: e, repo: repo, set: set, app: app, fetch: fetch}, nil)
}

// renderOver renders an Application that replaces what base deploys; nil is not known.
func (e *Engine) renderOver(ctx context.Context, r *rendering, base *Result) Result {
	app := r.app
	out := r.run(ctx)
	ctx, cancel := context.WithTimeout(ctx, e.checks)
	defer cancel()
	out = r.checked(ctx, out, base)
	out.Application = app
	out.Findings = placed(out.Findings, app)
	return out
}

// maxFindings is how many findings about one Application are kept: nobody reads more, and whoever writes them chooses how many.
const maxFindings = 200

// placed gives every finding its Application, and those without a place in the repository the Application's own.
func placed(findings []Finding, app argocd.Application) []Finding {
	out := slices.Clone(findings)
	for i := range out {
		out[i].Application = app.Name
		if strings.Contains(out[i].File, elsewhere) {
			place := out[i].File
			if out[i].Line > 0 {
				place += fmt.Sprintf(":%d", out[i].Line)
			}
			out[i].Message, out[i].File, out[i].Line, out[i].Column = place+": "+out[i].Message, "", 0, 0
		}
		if out[i].File == "" {
			out[i].File, out[i].Line = app.Origin.File, app.Origin.Line
		}
	}
	return finding.Sort(out)
}

// bounded keeps the worst of too many findings about an Application.
func bounded(found []Finding, app argocd.Application) []Finding {
	if len(found) <= maxFindings {
		return found
	}
	out := slices.Clone(found)
	dropped := len(out) - maxFindings
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.Severity, b.Severity) })
	return finding.Sort(append(slices.Clip(out[:maxFindings]), Finding{
		Severity: finding.Warning, Code: "more-findings", File: app.Origin.File, Line: app.Origin.Line, Application: app.Name,
		Message: fmt.Sprintf("%d more findings about it are not shown", dropped), Remedy: "correct those that are",
	}))
}

// rendering is one call of Render.
type rendering struct {
	engine *Engine
	repo   Repository
	set    Set
	app    argocd.Application
	fetch  *fetching
}

func (r *rendering) run(ctx context.Context) Result {
	source := r.source(ctx)
	key := r.key(source)
	if known, ok := r.engine.results.Get(key); ok {
		return known
	}
	out := r.finish(ctx, source)
	out.Key, out.moves = key, source.moves || source.transient || out.late
	if ctx.Err() == nil && !source.transient && !out.late {
		r.engine.results.Put(key, out, weight(out.Objects, out.Hooks))
	}
	return out
}

// find looks up where the sources are, which may take as long as rendering them.
func (r *rendering) find(ctx context.Context, s *sourcing) {
	ctx, cancel := context.WithTimeout(ctx, r.engine.timeout)
	defer cancel()
	s.find(ctx)
}

// source renders the sources, or remembers having done so. The time that this may take begins when it is their turn.
func (r *rendering) source(ctx context.Context) sourceOutput {
	s := &sourcing{
		repo: r.repo, app: r.app, cluster: capabilitiesOf(r.app, r.set.clusters), fetch: r.fetch,
		workers: workers{r.engine.Workers, r.engine.timeout},
	}
	r.find(ctx, s)
	key := s.key(r.set.borders)
	if known, ok := r.engine.sources.Get(key); ok {
		return known
	}
	select {
	case r.engine.turns <- struct{}{}:
		defer func() { <-r.engine.turns }()
	case <-ctx.Done():
		return unrendered("render-timeout", ctx.Err())
	}
	ctx, cancel := context.WithTimeout(ctx, r.engine.timeout)
	defer cancel()
	out := s.render(ctx)
	out.key, out.moves = key, slices.ContainsFunc(s.places, func(p place) bool { return p.moves })
	if out.transient = out.transient || ctx.Err() != nil; !out.transient {
		r.engine.sources.Put(key, out, weight(out.objects))
		kinds := kindsOf(out.objects)
		r.engine.kinds.Put(key, kinds, 1+len(kinds))
	}
	return out
}

// key adds the definitions of the kinds that the sources hold to the sources' own key.
func (r *rendering) key(source sourceOutput) string {
	seen := map[k8s.GroupVersionKind]bool{}
	var used []string
	for _, o := range source.objects {
		gvk := kindOf(o)
		if key := r.set.program.Key(gvk); key != "" && !seen[gvk] {
			used = append(used, key)
		}
		seen[gvk] = true
	}
	slices.Sort(used)
	project := fmt.Sprintf("%+v", r.set.projects[r.app.ProjectName()])
	return digest(append([]string{source.key, project}, used...)...)
}

func kindOf(o object.Object) k8s.GroupVersionKind {
	return k8s.FromAPIVersionAndKind(o.APIVersion(), o.Kind())
}

// applicationKey is equal for Applications that say the same, wherever they are written.
func applicationKey(app argocd.Application) string {
	app.Origin = argocd.Origin{}
	raw, err := json.Marshal(app)
	if err != nil {
		// Only values that are no JSON could do this, and manifests hold none.
		return fmt.Sprintf("%#v", app)
	}
	return string(raw)
}

func digest(parts ...string) string {
	var all []byte
	for _, p := range parts {
		all = strconv.AppendInt(all, int64(len(p)), 10)
		all = append(append(all, ':'), p...)
	}
	sum := sha256.Sum256(all)
	return hex.EncodeToString(sum[:])
}

// weight is about how many bytes it takes to remember objects.
func weight(lists ...[]object.Object) int {
	const least = 1 << 10
	total := least
	for _, objects := range lists {
		for _, o := range objects {
			total += o.Size()
		}
	}
	return total
}
