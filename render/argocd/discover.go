package argocd

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
)

// Input is what [Applications] reads.
type Input struct {
	Tree     fs.FS           // required; the repository at one commit
	Files    []manifest.File // required; the files with documents of [manifest.ArgoCD]
	RepoURLs []string        // required; the URLs by which Argo CD knows the repository
	Revision string          // the branch that Tree stands for; "" means that every revision is served by Tree
}

// Applications returns the Applications that the files hold and that their ApplicationSets make, in the order of the
// files, and what is wrong with them. A broken manifest is a finding and does not keep the others from being read. Of
// several Applications with one name in one namespace the first is kept.
func Applications(ctx context.Context, in Input) ([]Application, []finding.Finding) {
	var apps []Application
	var findings []finding.Finding
	for _, file := range in.Files {
		findings = append(findings, finding.FromError("invalid-manifest", file.Err)...)
		for _, doc := range file.Documents {
			found, problems := read(ctx, in, doc)
			apps = append(apps, found...)
			findings = append(findings, problems...)
		}
	}
	kept := make([]Application, 0, len(apps))
	first := map[string]Application{}
	for _, app := range apps {
		if other, twice := first[app.Key()]; twice {
			findings = append(findings, finding.Finding{
				Severity: finding.Error, Code: "duplicate-application", File: app.Origin.File, Line: app.Origin.Line, Application: app.Name,
				Message: fmt.Sprintf("Application %q is also written in %s:%d", app.Key(), other.Origin.File, other.Origin.Line),
				Remedy:  "rename one of them",
			})
			continue
		}
		first[app.Key()] = app
		kept = append(kept, app)
	}
	for _, app := range kept {
		if _, bad := app.AuthorizedStages(); len(bad) > 0 {
			findings = append(findings, finding.Finding{
				Severity: finding.Error, Code: "invalid-authorized-stage", File: app.Origin.File, Line: app.Origin.Line, Application: app.Name,
				Message: fmt.Sprintf("annotation %s holds %q, which names no stage", AuthorizedStageKey, strings.Join(bad, ",")),
				Remedy:  "write <project>:<stage>",
			})
		}
	}
	return kept, finding.Sort(findings)
}

func read(ctx context.Context, in Input, doc manifest.Document) ([]Application, []finding.Finding) {
	switch doc.GroupKind().Kind {
	case "Application":
		app, err := parseApplication(doc)
		if err != nil {
			return nil, finding.FromError("invalid-application", err)
		}
		return []Application{app}, nil
	case "ApplicationSet":
		return expand(ctx, in, doc)
	default:
		return nil, nil
	}
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
