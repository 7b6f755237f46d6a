package render

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	k8s "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/helm"
)

// maxMentioned is how much of one file is looked through for a word, unpacked.
const maxMentioned = 50 << 20

// mayDeclare reports whether what an Application is rendered from, or itself, holds some of the words. A file in which a word is
// put together from parts is passed over.
func (e *Engine) mayDeclare(ctx context.Context, repo Repository, set Set, app argocd.Application, fetch *fetching, look []words) (bool, error) {
	if contains([]byte(applicationKey(app)), look) {
		return true, nil
	}
	s := &sourcing{repo: repo, app: app, fetch: fetch}
	for _, source := range app.Sources {
		if source.Ref != "" && source.Path == "" && source.Chart == "" {
			continue // what is lent is among what is named
		}
		found, err := e.sourceMentions(ctx, s, source, look)
		if found || err != nil {
			return found, err
		}
	}
	for _, name := range set.borders.around(repo.Tree, app, repo.URLs) {
		if found, err := e.mentions(ctx, place{tree: repo.Tree}, name, look); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// sourceMentions looks through a source, and through the charts that one in a folder depends on. A whole version of a chart is
// fetched for it only once.
func (e *Engine) sourceMentions(ctx context.Context, s *sourcing, source argocd.Source, look []words) (bool, error) {
	key := ""
	if _, err := semver.StrictNewVersion(strings.TrimPrefix(source.TargetRevision, "v")); err == nil && source.Chart != "" {
		key = digest(source.RepoURL, source.Chart, source.TargetRevision, fmt.Sprintf("%q", look))
	}
	if known, ok := e.mentioned.Get(key); ok && key != "" {
		return known, nil
	}
	at := e.placed(ctx, s, source)
	if at.err == nil && at.moves || errors.Is(at.err, fs.ErrNotExist) {
		s.fetch.passing.Store(true)
	}
	if at.err != nil {
		return false, nil // it is said when it is rendered
	}
	found, err := e.mentions(ctx, at, at.dir, look)
	if !found && err == nil && source.Chart == "" {
		found, err = e.dependencyMentions(ctx, s, at, look)
	}
	if err != nil && at.label != "" && ctx.Err() == nil {
		s.fetch.passing.Store(true) // another repository that cannot be read does not keep this one from being looked at
		return false, nil
	}
	if err == nil && key != "" {
		e.mentioned.Put(key, found, 1)
	}
	return found, err
}

// placed finds a source, which may take as long as rendering it.
func (e *Engine) placed(ctx context.Context, s *sourcing, source argocd.Source) place {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	return s.placeOf(ctx, source)
}

// dependencyMentions looks through the charts that a folder depends on without holding them.
func (e *Engine) dependencyMentions(ctx context.Context, s *sourcing, at place, look []words) (bool, error) {
	for _, d := range e.missing(at) {
		chart := argocd.Source{RepoURL: d.Repository, Chart: d.Name, TargetRevision: d.Version}
		if found, err := e.sourceMentions(ctx, s, chart, look); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// missing lists the charts that a folder depends on without holding them. An equal folder is not read again.
func (e *Engine) missing(at place) []helm.Dependency {
	chart, err := fs.Sub(at.tree, at.dir)
	if err != nil {
		return nil // it is said when it is rendered
	}
	key := ""
	if identifier, ok := at.tree.(manifest.Identifier); ok {
		key, _ = identifier.ObjectID(at.dir)
	}
	if known, ok := e.needs.Get(key); ok && key != "" {
		return known
	}
	out := helm.Missing(chart)
	if key != "" {
		e.needs.Put(key, out, 1+len(out))
	}
	return out
}

// mentions reports whether a file, or one of those in a folder, holds some of the words. An equal folder is not read again.
func (e *Engine) mentions(ctx context.Context, at place, name string, look []words) (bool, error) {
	if !fs.ValidPath(name) {
		return false, nil
	}
	key := ""
	if identifier, ok := at.tree.(manifest.Identifier); ok {
		if id, err := identifier.ObjectID(name); err == nil && id != "" {
			key = digest(id, fmt.Sprintf("%q", look))
		}
	}
	if known, ok := e.mentioned.Get(key); ok && key != "" {
		return known, nil
	}
	found, err := mentionedIn(ctx, at.tree, name, look)
	if err == nil && key != "" {
		e.mentioned.Put(key, found, 1)
	}
	return found, err
}

// errFound ends a walk.
var errFound = errors.New("found")

func mentionedIn(ctx context.Context, tree fs.FS, name string, look []words) (bool, error) {
	if err := prefetchFolder(ctx, tree, name); err != nil {
		return false, err
	}
	err := fs.WalkDir(tree, name, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !entry.Type().IsRegular():
			return ctx.Err()
		}
		found, err := holds(tree, file, look)
		if found {
			return errFound
		}
		return err
	})
	if errors.Is(err, errFound) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look through %q: %w", name, err)
	}
	return false, nil
}

// holds reports whether a file holds some of the words, also inside of the archive of a chart.
func holds(tree fs.FS, file string, look []words) (bool, error) {
	data, err := manifest.ReadFile(tree, file)
	if errors.Is(err, manifest.ErrBound) {
		return false, nil // no engine reads it either
	}
	if err != nil {
		return false, err
	}
	if path.Ext(file) != ".tgz" {
		return contains(data, look), nil
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return false, nil // the engine says what is wrong with it
	}
	defer unzipped.Close() //nolint:errcheck // nothing was written
	unpacked, err := io.ReadAll(io.LimitReader(unzipped, maxMentioned))
	return err == nil && contains(unpacked, look), nil
}

// words stand together in every manifest of a kind, and seldom elsewhere.
type words []string

// declaring are those of what says what is deployed.
var declaring = []words{{"argoproj.io/v1alpha1", "Application"}, {"argoproj.io/v1alpha1", "AppProject"}, {"kro.run/", "ResourceGraphDefinition"}}

// made are those of the kinds that kro makes such things from, in one step or in several.
func (s Set) made() []words {
	declares := map[k8s.GroupKind]bool{}
	for _, kind := range slices.Concat(manifest.ArgoCD(), manifest.Kro()) {
		declares[k8s.GroupKind(kind)] = true
	}
	makes := make([][]k8s.GroupVersionKind, len(s.Definitions))
	for i, d := range s.Definitions {
		makes[i] = d.Makes()
	}
	var out []words
	for found := true; found; {
		found = false
		for i, d := range s.Definitions {
			if kind := d.Kind.GroupKind(); !declares[kind] && slices.ContainsFunc(makes[i], func(made k8s.GroupVersionKind) bool { return declares[made.GroupKind()] }) {
				declares[kind], found = true, true
				out = append(out, words{kind.Group + "/", kind.Kind})
			}
		}
	}
	return out
}

func contains(data []byte, all []words) bool {
	return slices.ContainsFunc(all, func(some words) bool {
		return !slices.ContainsFunc(some, func(word string) bool { return !bytes.Contains(data, []byte(word)) })
	})
}
