package argocd

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
)

// Input is what [Applications] reads.
type Input struct {
	Tree     fs.FS           // required; the repository at one commit
	Files    []manifest.File // required; the files with documents of [manifest.ArgoCD]
	RepoURLs []string        // required; the URLs by which Argo CD knows the repository
	Clusters []Cluster       // that Argo CD knows, beside those of the Secrets in Files
	Fixtures []Fixture       // what generators are told that ask something outside of the repository
	Revision string          // the branch that Tree stands for; "" means that every revision is served by Tree
	// NewGitFileGlobbing says that patterns of files are doublestar's, as Argo CD reads them when
	// applicationsetcontroller.enable.new.git.file.globbing is on, and not Git's own.
	NewGitFileGlobbing bool
	Memory             *Memory // what is remembered between calls; nil means nothing
	// Elsewhere returns the files that a git generator reads from another repository, or from another revision of this one. A
	// [manifest.Error] without a Problem says that it is not asked for, one that wraps fs.ErrNotExist that it is not there. What
	// documents make of them is not remembered. nil: nothing is asked for.
	Elsewhere func(ctx context.Context, repoURL, revision string) (fs.FS, error)
}

// Applications returns the Applications that the files hold and that their ApplicationSets make, in the order of the
// files, and what is wrong with them. A broken manifest is a finding and does not keep the others from being read. Of
// several Applications with one name in one namespace the first is kept. The error is a tree that could not be read, or the
// context's. What the Applications hold is shared between calls with one Memory and must not be changed.
func Applications(ctx context.Context, in Input) ([]Application, []finding.Finding, error) {
	r := &reader{in: in, fleet: newFleet(in.Clusters, in.Files), folders: newFolders(in.Tree, in.Memory)}
	r.folders.doublestar = in.NewGitFileGlobbing
	r.asked = fmt.Sprintf("%q %t", in.Fixtures, in.NewGitFileGlobbing)
	var parts []*made
	problems := r.fleet.findings
	for _, file := range in.Files {
		if file.Err != nil {
			problems = append(problems, finding.FromError("invalid-manifest", file.Err)...)
			r.keys = fmt.Appendf(r.keys, "%q", file.Err.Error())
		}
		for _, doc := range file.Documents {
			one, err := r.read(ctx, doc)
			if err != nil {
				return nil, nil, fmt.Errorf("evaluate %q: %w", doc.File, err)
			}
			parts = append(parts, one)
		}
	}
	key := digest(sha256.Sum256(r.keys))
	all := in.Memory.whole(key, parts)
	if all == nil {
		all = together(parts, problems)
		in.Memory.keep(key, all)
	}
	return all.apps, slices.Clone(all.findings), nil
}

// together puts what the documents make into one list, and adds the findings to the problems.
func together(parts []*made, findings []finding.Finding) *whole {
	n := 0
	for _, one := range parts {
		n += len(one.apps)
	}
	apps := make([]Application, 0, n)
	for _, one := range parts {
		apps = append(apps, one.apps...)
		findings = append(findings, one.findings...)
	}
	kept, problems := unique(apps)
	findings = append(findings, problems...)
	for i := range kept {
		findings = append(findings, stageFindings(&kept[i])...)
	}
	findings = append(findings, hydratorFindings(kept)...)
	return &whole{parts: parts, apps: slices.Clip(kept), findings: finding.Sort(findings)}
}

// stageFindings reports what is wrong with an Application's authorized stages.
func stageFindings(app *Application) []finding.Finding {
	if app.Annotations[AuthorizedStageKey] == "" {
		return nil
	}
	_, bad := app.AuthorizedStages()
	if len(bad) == 0 {
		return nil
	}
	return []finding.Finding{{
		Severity: finding.Error, Code: "invalid-authorized-stage", File: app.Origin.File, Line: app.Origin.Line, Application: app.Name,
		Message: fmt.Sprintf("annotation %s holds %q, which names no stage", AuthorizedStageKey, strings.Join(bad, ",")),
		Remedy:  "write <project>:<stage>",
	}}
}

// unique keeps the first of several Applications with one key. It may reuse the slice.
func unique(apps []Application) ([]Application, []finding.Finding) {
	var findings []finding.Finding
	type key struct{ namespace, name string }
	first := make(map[key]int, len(apps))
	kept := apps[:0]
	for _, app := range apps {
		at := key{app.Namespace, app.Name}
		if i, twice := first[at]; twice {
			other := kept[i].Origin
			if app.Origin.Line == 0 && Same(app, kept[i]) {
				continue // a root application that deploys itself
			}
			findings = append(findings, finding.Finding{
				Severity: finding.Error, Code: "duplicate-application", File: app.Origin.File, Line: app.Origin.Line, Application: app.Name,
				Message: fmt.Sprintf("Application %q is also written in %s", app.Key(), other),
				Remedy:  "rename one of them",
			})
			continue
		}
		first[at] = len(kept)
		kept = append(kept, app)
	}
	return kept, findings
}

var fullCommit = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// Serves reports whether a tree that stands for branch holds what a source with that targetRevision deploys. HEAD and ""
// always mean the branch. A branch given as a commit id or as "" serves every revision but another full commit id.
func Serves(branch, targetRevision string) bool {
	target := strings.TrimPrefix(targetRevision, "refs/heads/")
	branch = strings.TrimPrefix(branch, "refs/heads/")
	switch {
	case target == "" || target == "HEAD" || target == branch:
		return true
	case branch == "" || fullCommit.MatchString(branch):
		return !fullCommit.MatchString(target)
	default:
		return false
	}
}
