package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/drift"
	"github.com/lockkeeper/lockkeeper/promote/imageupdater"
	"github.com/lockkeeper/lockkeeper/promote/kargo"
	"github.com/lockkeeper/lockkeeper/render"
	"github.com/lockkeeper/lockkeeper/render/argocd"
)

// snapshot is what the default branch says at one commit.
type snapshot struct {
	head      promote.Commit
	tree      *git.Tree
	settings  Settings
	pipelines []promote.Pipeline
	findings  []promote.Finding
	set       render.Set
}

// snapshot reads the default branch, unless it has not moved.
func (r *Reconciler) snapshot(ctx context.Context, refs git.Refs) (*snapshot, error) {
	branch := r.branch(refs)
	tip, ok := refs.Branch(string(branch))
	if !ok {
		return nil, fmt.Errorf("branch %q of %s: %w; push a first commit, or name the branch that Argo CD deploys in the server's configuration",
			branch, r.Git.URL(), promote.ErrNotFound)
	}
	head := promote.Commit(tip)
	if r.memory.repository != nil && r.memory.repository.head == head {
		return r.memory.repository, nil
	}
	r.memory.branch = branch
	read, err := r.read(ctx, head)
	if err != nil {
		return nil, err
	}
	r.memory.repository = read
	r.memory.unmade = map[string]string{}
	return read, nil
}

// read reads the pipelines, applications and definitions of a commit.
func (r *Reconciler) read(ctx context.Context, commit promote.Commit) (*snapshot, error) {
	return r.readAllowing(ctx, commit, func(s Settings) []string { return s.Fetch })
}

// readAllowing is read for a commit that may not say itself what is fetched for it.
func (r *Reconciler) readAllowing(ctx context.Context, commit promote.Commit, allowed func(Settings) []string) (*snapshot, error) {
	if err := r.Git.Ensure(ctx, string(commit)); err != nil {
		return nil, fmt.Errorf("fetch %s: %w", commit.Short(), err)
	}
	tree, err := r.Git.Tree(ctx, string(commit))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", commit.Short(), err)
	}
	s := &snapshot{head: commit, tree: tree}
	content, err := load(ctx, r.Renderer, r.as(tree), allowed)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", commit.Short(), err)
	}
	s.settings, s.pipelines, s.findings, s.set = content.Settings, content.Pipelines, content.Findings, content.Set
	return s, nil
}

// Content is what a tree of a repository says.
type Content struct {
	Settings  Settings
	Pipelines []promote.Pipeline
	Findings  []promote.Finding
	Set       render.Set
}

// Load reads a tree: its settings, pipelines, applications and definitions, and everything that is wrong with them. An error
// is a tree that could not be read. Definitions are looked for in the given trees, too.
func Load(ctx context.Context, engine *render.Engine, repository render.Repository, definitions ...render.DefinitionTree) (Content, error) {
	return load(ctx, engine, repository, func(s Settings) []string { return s.Fetch }, definitions...)
}

// load is Load with what may be fetched.
func load(
	ctx context.Context, engine *render.Engine, repository render.Repository, allowed func(Settings) []string, definitions ...render.DefinitionTree,
) (Content, error) {
	var content Content
	tree := repository.Tree
	settings, findings := LoadSettings(tree)
	content.Findings = append(content.Findings, findings...)
	content.Findings = append(content.Findings, settings.DriftFindings(drift.Look(tree, settings.DriftRules()))...)
	settings, findings = settings.keepPaths(tree)
	content.Findings = append(content.Findings, findings...)
	content.Settings = settings
	documents, findings, err := kargoDocuments(ctx, engine, tree, settings.Pipelines)
	if err != nil {
		return content, err
	}
	content.Findings = append(content.Findings, findings...)
	pipelines, findings := kargo.Load(documents)
	content.Findings = append(content.Findings, findings...)
	updated, findings, err := imageUpdater(ctx, engine, tree, settings.Applications)
	if err != nil {
		return content, err
	}
	content.Findings = append(content.Findings, findings...)
	for _, more := range updated {
		if slices.ContainsFunc(pipelines, func(p promote.Pipeline) bool { return p.Project == more.Project }) {
			content.Findings = append(content.Findings, promote.Finding{
				Severity: promote.SeverityError, Code: "duplicate-name", Project: more.Project, Position: more.Position,
				Message: fmt.Sprintf("a Project is called %q, as the one of the Applications with annotations of Argo CD Image Updater", more.Project),
				Remedy:  "rename the Project",
			})
			continue
		}
		pipelines = append(pipelines, more)
	}
	settings.apply(pipelines)
	content.Findings = append(content.Findings, settings.unmatched(pipelines)...)
	content.Pipelines = pipelines
	options := settings.RenderOptions()
	options.Fetch, options.DefinitionTrees = allowed(settings), definitions
	content.Set, err = engine.Applications(ctx, repository, options)
	if err != nil {
		return content, fmt.Errorf("find applications: %w", err)
	}
	content.Findings = append(content.Findings, fromRender(content.Set.Findings)...)
	content.Findings = append(content.Findings, settings.fanOut(content.Pipelines, tree, content.Set.Applications)...)
	content.Findings = append(content.Findings, settings.commandFindings(content.Pipelines)...)
	content.Findings = append(content.Findings, settings.ownerFindings(tree)...)
	return content, nil
}

// imageUpdater reads the Applications that carry annotations of Argo CD Image Updater as a pipeline.
func imageUpdater(
	ctx context.Context, engine *render.Engine, tree fs.FS, paths []string,
) ([]promote.Pipeline, []promote.Finding, error) {
	files, err := engine.Manifests(ctx, tree, manifest.Query{Kinds: manifest.ArgoCD(), Paths: paths})
	if err != nil {
		return nil, nil, fmt.Errorf("find applications: %w", err)
	}
	var documents []manifest.Document
	for _, file := range files {
		documents = append(documents, file.Documents...)
	}
	for _, name := range imageupdater.Files(documents) {
		data, err := manifest.ReadFile(tree, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if more, err := manifest.Split(name, data); err == nil { // what is wrong with it is told by whoever renders it
			documents = append(documents, more...)
		}
	}
	pipelines, findings := imageupdater.Load(documents)
	return pipelines, findings, nil
}

// CompareOptions are what the settings of two trees say to the renderer. Only what the base allows may be fetched: a change
// cannot allow it for itself.
func CompareOptions(base, head fs.FS) render.Options {
	before, _ := LoadSettings(base) // what is wrong with them is told by who loads the tree
	after, _ := LoadSettings(head)
	options, atBase := after.RenderOptions(), before.RenderOptions()
	options.Fetch, options.Base = atBase.Fetch, &atBase
	return options
}

// RenderOptions are what the settings say to the renderer.
func (s Settings) RenderOptions() render.Options {
	options := render.Options{
		Applications: s.Applications, Definitions: s.Definitions, Fetch: s.Fetch, Checks: s.checkOptions(),
		Generators: s.fixtures(), NewGitFileGlobbing: s.ApplicationSets.NewGitFileGlobbing, Kro: s.kroVersion(), DefinitionRepositories: s.definitionRepositories(),
	}
	for _, c := range s.Clusters {
		options.Clusters = append(options.Clusters, argocd.Cluster(c))
	}
	return options
}

func settingsFindings(err error) []promote.Finding {
	problems := manifest.Errors(err)
	if len(problems) == 0 {
		return []promote.Finding{{
			Severity: promote.SeverityError, Code: "settings", Position: promote.Position{File: SettingsFile}, Message: err.Error(),
		}}
	}
	findings := make([]promote.Finding, len(problems))
	for i, p := range problems {
		findings[i] = promote.Finding{
			Severity: promote.SeverityError, Code: "settings", Message: p.Problem, Remedy: p.Remedy,
			Position: promote.Position{File: p.File, Line: p.Line, Column: p.Column},
		}
	}
	return findings
}

// kargoDocuments returns the Kargo manifests of a tree, and what could not be parsed.
func kargoDocuments(
	ctx context.Context, engine *render.Engine, tree fs.FS, paths []string,
) ([]manifest.Document, []promote.Finding, error) {
	files, err := engine.Manifests(ctx, tree, manifest.Query{Kinds: manifest.Kargo(), Paths: paths})
	if err != nil {
		return nil, nil, fmt.Errorf("find pipelines: %w", err)
	}
	var documents []manifest.Document
	var findings []promote.Finding
	for _, file := range files {
		findings = append(findings, kargo.Problems(file.Err)...)
		documents = append(documents, file.Documents...)
	}
	return documents, findings, nil
}

// fromRender takes over what rendering found. It concerns a promotion only through the render gate, so it blocks no stage by
// itself: here it is a warning at most.
func fromRender(found []render.Finding) []promote.Finding {
	findings := make([]promote.Finding, len(found))
	for i, f := range found {
		findings[i] = renderFinding(f)
		findings[i].Severity = min(findings[i].Severity, promote.SeverityWarning)
	}
	return findings
}

func renderFinding(f render.Finding) promote.Finding {
	message := f.Message
	if f.Application != "" {
		message = fmt.Sprintf("application %q: %s", f.Application, f.Message)
	}
	return promote.Finding{
		Severity: severity(f.Severity), Code: f.Code, Message: message, Remedy: f.Remedy,
		Position: promote.Position{File: f.File, Line: f.Line, Column: f.Column},
	}
}

func severity(s render.Severity) promote.Severity {
	switch s {
	case render.Error:
		return promote.SeverityError
	case render.Warning:
		return promote.SeverityWarning
	case render.Info:
		return promote.SeverityInfo
	}
	return promote.SeverityError
}
