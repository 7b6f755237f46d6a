package render

import (
	"io/fs"
	"path"
	"reflect"
	"slices"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/argocd"
)

// inputs compares what Applications of two commits are rendered from. Folders inside an equal one are not looked at, so
// that it costs what changed. It is not safe for concurrent use.
type inputs struct {
	never      bool            // different projects, clusters, checks, URLs or branches: nothing is known to be the same
	changed    map[kindID]bool // kinds whose definitions are others
	kinds      func(app *argocd.Application) ([]kindID, bool)
	urls       []string
	base, head fs.FS
	ours       map[string]bool // repository URLs seen
	parents    map[string]bool // folders that hold compared ones: whether they hold the same
	borders    *borders        // of head
}

func (c *comparing) inputs() *inputs {
	return &inputs{
		changed: changedKinds(c.before, c.after),
		kinds:   c.kinds,
		borders: c.after.borders,
		never: c.before.projectsKey != c.after.projectsKey || c.base.Revision != c.head.Revision || !slices.Equal(c.base.URLs, c.head.URLs) ||
			!sameCapabilities(c.before.clusters, c.after.clusters) || ruleKey(c.before) != ruleKey(c.after),
		urls: c.base.URLs, base: c.base.Tree, head: c.head.Tree,
		ours: map[string]bool{}, parents: map[string]bool{},
	}
}

// sameCapabilities reports whether the same is known of what clusters serve, which charts ask for. What else their Secrets say is in
// the Applications that are made by it.
func sameCapabilities(a, b []argocd.Cluster) bool {
	telling := func(all []argocd.Cluster) []argocd.Cluster {
		var out []argocd.Cluster
		for _, c := range all {
			if c.KubernetesVersion != "" || len(c.APIVersions) > 0 {
				out = append(out, argocd.Cluster{Name: c.Name, Server: c.Server, KubernetesVersion: c.KubernetesVersion, APIVersions: c.APIVersions})
			}
		}
		return out
	}
	return reflect.DeepEqual(telling(a), telling(b))
}

// same reports whether two Applications say the same, and their folders and what these lead to hold the same.
func (in *inputs) same(base, head *argocd.Application) bool {
	if in.never || base != head && !argocd.Same(*base, *head) {
		return false
	}
	for i := range head.Sources {
		s := &head.Sources[i]
		if s.Chart == "" && (s.Path != "" || s.Ref == "") && in.isOurs(s.RepoURL) && !in.sameFolder(path.Clean(s.Path)) {
			return false
		}
	}
	// With equal folders both sides lead to the same places.
	for _, name := range in.borders.around(in.head, *head, in.urls) {
		if !in.sameFolder(name) {
			return false
		}
	}
	return len(in.changed) == 0 || in.usesNone(head)
}

// usesNone reports whether an Application is known to hold no instance of a changed definition. What a definition builds on is
// part of its own key.
func (in *inputs) usesNone(app *argocd.Application) bool {
	kinds, known := in.kinds(app)
	return known && !slices.ContainsFunc(kinds, func(kind kindID) bool { return in.changed[kind] })
}

func (in *inputs) isOurs(url string) bool {
	known, ok := in.ours[url]
	if !ok {
		known = argocd.Ours(url, in.urls)
		in.ours[url] = known
	}
	return known
}

func (in *inputs) sameFolder(dir string) bool {
	if !fs.ValidPath(dir) {
		return true // on both sides nothing
	}
	return in.sameParent(dir) || in.sameContent(dir)
}

// sameParent reports whether a folder around dir is known to hold the same on both sides, from the root downwards.
func (in *inputs) sameParent(dir string) bool {
	if dir == "." || !in.identified() {
		return false
	}
	parent := path.Dir(dir)
	known, ok := in.parents[parent]
	if !ok {
		known = in.sameParent(parent) || in.sameContent(parent)
		in.parents[parent] = known
	}
	return known
}

func (in *inputs) sameContent(dir string) bool {
	return contentID(in.base, dir) == contentID(in.head, dir)
}

// identified reports whether both trees know their object ids, so that looking at a folder around others costs nothing.
func (in *inputs) identified() bool {
	_, base := in.base.(manifest.Identifier)
	_, head := in.head.(manifest.Identifier)
	return base && head
}
