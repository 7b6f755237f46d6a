package render

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/kustomize"
)

// sourcing renders the sources of one Application.
type sourcing struct {
	repo    Repository
	app     argocd.Application
	cluster capabilities
	fetch   *fetching
	workers workers
	places  []place // of the sources, in their order

	floating bool // a chart was chosen by a range of versions, which is not in the key
}

// place is where the files of a source are.
type place struct {
	tree  fs.FS
	dir   string // of the source in tree
	label string // what people call the tree; "" for the repository itself
	id    string // of the tree, where it is not the repository
	moves bool   // the same source may be another tree the next time
	err   error  // why there is none: a *manifest.Error
	code  string // of its finding
}

// elsewhere stands between the label of a tree that is not the repository and the file in it.
const elsewhere = " › "

// name is the name of a file for people.
func (p place) name(file string) string {
	if p.label == "" || file == "" {
		return file
	}
	return p.label + elsewhere + file
}

// find looks up where the sources are, which for those that are elsewhere gets them.
func (s *sourcing) find(ctx context.Context) {
	for _, source := range s.app.Sources {
		s.places = append(s.places, s.placeOf(ctx, source))
	}
}

func (s *sourcing) placeOf(ctx context.Context, source argocd.Source) place {
	switch {
	case source.Chart != "":
		remote, err := s.fetch.chart(ctx, source.RepoURL, source.Chart, source.TargetRevision)
		return place{tree: remote.Tree, dir: ".", label: source.Chart + " " + remote.Version, id: remote.ID, moves: !fixed(source.TargetRevision), err: err, code: "chart-not-fetched"}
	case strings.HasPrefix(source.RepoURL, "oci://"):
		remote, err := s.fetch.chart(ctx, source.RepoURL, "", source.TargetRevision)
		return place{tree: remote.Tree, dir: path.Clean(source.Path), label: path.Base(source.RepoURL) + " " + remote.Version, id: remote.ID, moves: !fixed(source.TargetRevision), err: err, code: "artifact-not-fetched"}
	case !argocd.Ours(source.RepoURL, s.repo.URLs):
		remote, err := s.fetch.repository(ctx, source.RepoURL, source.TargetRevision)
		return place{tree: remote.Tree, dir: path.Clean(source.Path), label: repositoryName(source.RepoURL), id: remote.ID, moves: remote.Version != source.TargetRevision, err: thisOne(err), code: "repository-elsewhere"}
	case !argocd.Serves(s.repo.Revision, source.TargetRevision):
		remote, err := s.fetch.revision(ctx, s.repo, source.TargetRevision)
		return place{tree: remote.Tree, dir: path.Clean(source.Path), label: source.TargetRevision, id: remote.ID, moves: remote.Version != source.TargetRevision, err: err, code: "revision-elsewhere"}
	}
	return place{tree: s.repo.Tree, dir: path.Clean(source.Path)}
}

// thisOne adds what else may be the reason that a repository is another one.
func thisOne(err error) error {
	problem, ok := errors.AsType[*manifest.Error](err)
	if !ok || problem.Remedy == "" || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	told := *problem
	told.Remedy += "; or, if it is this repository, add the URL to those by which it is known"
	return &told
}

// repositoryName is how people call a repository.
func repositoryName(url string) string { return path.Base(argocd.NormalizeURL(url)) }

// key is equal for Applications that say the same and whose folders, and what they lead to, hold the same.
func (s *sourcing) key(b *borders) string {
	parts := []string{applicationKey(s.app), strings.Join(s.repo.URLs, "\n"), s.repo.Revision, fmt.Sprintf("%q", s.cluster)}
	for i, p := range s.places {
		switch {
		case s.app.Sources[i].Ref != "" && s.app.Sources[i].Path == "" && s.app.Sources[i].Chart == "" && p.err == nil:
			parts = append(parts, "lends: "+p.id)
		case p.err != nil:
			parts = append(parts, "none: "+p.err.Error())
		case p.label != "":
			parts = append(parts, "elsewhere: "+p.id)
		default:
			parts = append(parts, contentID(s.repo.Tree, p.dir))
		}
	}
	for _, name := range b.around(s.repo.Tree, s.app, s.repo.URLs) {
		parts = append(parts, name, contentID(s.repo.Tree, name))
	}
	return digest(parts...)
}

// render renders every source in order. One that fails fails the Application, as in Argo CD.
func (s *sourcing) render(ctx context.Context) sourceOutput {
	out := sourceOutput{findings: hydration(s.app)}
	for i, source := range s.app.Sources {
		out.add(s.one(ctx, source, s.places[i]))
	}
	if out.failed {
		out.objects = nil
	}
	slices.Sort(out.inputs)
	out.inputs = slices.Compact(out.inputs)
	return out
}

// one renders one source.
func (s *sourcing) one(ctx context.Context, source argocd.Source, at place) sourceOutput {
	switch {
	case at.err != nil:
		return unplaced(source, at)
	case source.Path == "" && source.Ref != "" && source.Chart == "":
		return sourceOutput{} // only lends files to other sources
	}
	out := s.manifests(ctx, source, at)
	if at.label == "" {
		return out
	}
	for i := range out.objects {
		out.objects[i].Source.File = at.name(out.objects[i].Source.File)
	}
	for i := range out.findings {
		if out.findings[i].File != "" && !strings.Contains(out.findings[i].File, elsewhere) {
			out.findings[i].File = at.name(out.findings[i].File)
		}
	}
	return out
}

// dependency returns what gets the charts that others depend on.
func (s *sourcing) dependency(ctx context.Context) func(repository, name, version string) (fs.FS, error) {
	return func(repository, name, version string) (fs.FS, error) {
		remote, err := s.fetch.chart(ctx, repository, name, version)
		s.floating = s.floating || err != nil || remote.Version != version
		return remote.Tree, err
	}
}

// elsewhere returns what gets what kustomizations take from elsewhere. A branch or a tag may be another commit the next time.
func (s *sourcing) elsewhere(ctx context.Context) func(kustomize.Elsewhere) (fs.FS, error) {
	return func(what kustomize.Elsewhere) (fs.FS, error) {
		switch what.Kind {
		case kustomize.ElsewhereChart:
			return s.dependency(ctx)(what.URL, what.Name, what.Version)
		case kustomize.ElsewhereRepository:
			remote, err := s.fetch.repository(ctx, what.URL, what.Version)
			s.floating = s.floating || err != nil || remote.Version != what.Version
			return remote.Tree, err
		case kustomize.ElsewhereFile:
			s.floating = true
			remote, err := s.fetch.file(ctx, what.URL)
			return remote.Tree, err
		}
		return nil, fmt.Errorf("%q is nothing that is fetched", what.Kind)
	}
}

// unplaced is the output of a source that could not be found. What is not there Argo CD does not find either.
func unplaced(source argocd.Source, at place) sourceOutput {
	if source.Path == "" && source.Ref != "" && source.Chart == "" {
		return sourceOutput{} // who needs its files says so
	}
	out := unrendered(at.code, at.err)
	for i := range out.findings {
		out.findings[i].Code = at.code
	}
	out.transient = errors.Is(at.err, errTransient)
	return out
}

// manifests renders the files of a source by what they are.
func (s *sourcing) manifests(ctx context.Context, source argocd.Source, at place) sourceOutput {
	if problem, ok := notAFolder(at.tree, at.dir); ok {
		return problem
	}
	source, inputs, err := s.app.Override(at.tree, source)
	if err != nil {
		return sourceOutput{inputs: inputs, findings: finding.FromError("invalid-source-override", err), failed: true}
	}
	kind, err := kindOfSource(at.tree, source, at.dir)
	if err != nil {
		return sourceOutput{inputs: inputs, findings: finding.FromError("invalid-source", err), failed: true}
	}
	out := sourceOutput{}
	tree := &reading{FS: at.tree}
	switch kind {
	case plainDirectory:
		out.add(s.directory(ctx, tree, source))
	case helmChart:
		out.add(s.helm(ctx, tree, source, at))
	case kustomization:
		out.add(s.kustomize(ctx, tree, source, at))
	case plugin:
		out.add(without("not-rendered-offline", fmt.Sprintf("%s is a %s, and plugins are not run: what it deploys is not shown", source.Path, kind), ""))
	}
	if at.label == "" {
		out.inputs = slices.Concat(out.inputs, inputs, tree.files())
	}
	out.transient = out.transient || tree.isBroken()
	return out
}
