package argocd

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/render/finding"
)

// Hydrator says that Argo CD does not deploy a source itself but what it makes of it and writes to a branch (sourceHydrator).
type Hydrator struct {
	Dry       Source // what the manifests are made of
	Sync      Source // what is deployed: a folder of manifests, as Argo CD wrote them
	HydrateTo string // the branch that they are written to, "" when that is Sync's own
	Deployed  bool   // the Application's Sources is what is deployed, not what it is made of
}

type hydratorSpec struct {
	DrySource  sourceSpec `json:"drySource"`
	SyncSource struct {
		RepoURL      string `json:"repoURL"` // that of drySource when it is not written
		TargetBranch string `json:"targetBranch"`
		Path         string `json:"path"`
	} `json:"syncSource"`
	HydrateTo struct {
		TargetBranch string `json:"targetBranch"`
	} `json:"hydrateTo"`
}

func (s *hydratorSpec) hydrator() *Hydrator {
	if s == nil {
		return nil
	}
	dry, sync := s.DrySource.normalize(), s.SyncSource
	return &Hydrator{
		Dry: dry, HydrateTo: s.HydrateTo.TargetBranch,
		Sync: Source{RepoURL: cmp.Or(sync.RepoURL, dry.RepoURL), Path: sync.Path, TargetRevision: sync.TargetBranch},
	}
}

// Hydrated is the Application as it deploys from a branch that Argo CD writes its manifests to; false for any other branch. One
// that the manifests are made of, too, is none.
func (a Application) Hydrated(branch string) (Application, bool) {
	branch = strings.TrimPrefix(branch, "refs/heads/")
	h := a.Hydrator
	if h == nil || branch == "" || branch != h.Sync.TargetRevision && branch != h.HydrateTo || branch == h.Dry.TargetRevision {
		return a, false
	}
	deployed := *h
	deployed.Deployed = true
	source := h.Sync
	source.TargetRevision = branch
	a.Hydrator, a.Sources = &deployed, []Source{source}
	return a, true
}

// hydratedAt is the Application as it is seen from a branch.
func (a Application) hydratedAt(branch string) Application {
	seen, _ := a.Hydrated(branch)
	return seen
}

// hydratorFindings reports what Argo CD refuses to write (controller/hydrator): manifests at the root of a branch, where they
// would take the place of everything, and those of two Applications in one folder.
func hydratorFindings(apps []Application) []finding.Finding {
	var findings []finding.Finding
	type place struct{ repository, branch, path string }
	first := map[place]*Application{}
	for i := range apps {
		app := &apps[i]
		if app.Hydrator == nil {
			continue
		}
		report := func(code, message, remedy string) {
			findings = append(findings, finding.Finding{
				Severity: finding.Error, Code: code, Application: app.Name, File: app.Origin.File, Line: app.Origin.Line, Message: message, Remedy: remedy,
			})
		}
		sync := app.Hydrator.Sync
		folder := strings.TrimPrefix(path.Clean("/"+sync.Path), "/")
		at := place{NormalizeURL(sync.RepoURL), cmp.Or(app.Hydrator.HydrateTo, sync.TargetRevision), folder}
		switch other, twice := first[at]; {
		case folder == "":
			report("hydrates-to-root", fmt.Sprintf("sourceHydrator would write the manifests of %q to the root of branch %q, which Argo CD refuses", app.Name, at.branch), "write a folder in spec.sourceHydrator.syncSource.path")
		case sync.TargetRevision == "":
			report("invalid-application", fmt.Sprintf("sourceHydrator of %q has no syncSource.targetBranch", app.Name), "add one")
		case twice:
			report("hydrates-to-same-folder", fmt.Sprintf("sourceHydrator would write the manifests of %q to folder %q of branch %q, as that of %q (%s) does", app.Name, folder, at.branch, other.Name, other.Origin),
				"give each a folder of its own in spec.sourceHydrator.syncSource.path")
		default:
			first[at] = app
		}
	}
	return findings
}

// repositories lists where the Application takes manifests from, each once, what it writes them to included.
func (a Application) repositories() []string {
	var urls []string
	add := func(s Source) {
		if !slices.Contains(urls, s.RepoURL) {
			urls = append(urls, s.RepoURL)
		}
	}
	for _, s := range a.Sources {
		add(s)
	}
	if a.Hydrator != nil {
		add(a.Hydrator.Dry)
		add(a.Hydrator.Sync)
	}
	return urls
}
