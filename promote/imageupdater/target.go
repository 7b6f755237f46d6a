package imageupdater

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// target is where versions are written.
type target struct {
	kind targetKind
	path string // in the repository: the folder of a kustomization.yaml, or a file
}

type targetKind int

const (
	toKustomization targetKind = iota
	toValues                   // a file of Helm values
	toSource                   // .argocd-source-<application>.yaml
	toManifest                 // the Application itself
)

// tool is what makes the manifests of an Application.
type tool int

const (
	unknownTool tool = iota
	helm
	kustomize
)

// Files of a chart.
const (
	valuesFile = "values.yaml"
	chartFile  = "Chart.yaml"
)

var kustomizationFiles = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// sourceFile is the file beside the manifests that overrides parts of an Application's source.
func sourceFile(name string) string { return ".argocd-source-" + name + ".yaml" }

// target reads where versions are to be written.
func (a *application) target() (target, bool) {
	method, folder := a.method(), a.source.Path
	if a.source.Chart != "" {
		folder = "" // the path of a chart's registry means nothing in Git
	}
	written, named := a.annotations[writeBackTarget]
	switch {
	case named:
		where, err := parseTarget(written.value, folder, a.doc.File)
		if err != nil {
			word, _, _ := strings.Cut(written.value, ":")
			remedy := "write kustomization, kustomization:<folder>, helmvalues:<file> or application"
			if near := nearest.Of(word, []string{"kustomization", "helmvalues", "application"}); near != "" && near != word {
				remedy = fmt.Sprintf("did you mean %q?", near)
			}
			a.fail(written, "invalid-target", fmt.Sprintf("%s is %q: %v", writeBackTarget, written.value, err), remedy)
		}
		return where, err == nil
	case method == "git":
		file, inside := within(path.Join(folder, sourceFile(a.name)))
		if !inside {
			a.report(promote.SeverityError, a.at, "invalid-value",
				fmt.Sprintf("path %q of Application %q leaves the repository", folder, a.name), "correct spec.source.path")
		}
		return target{toSource, file}, inside
	}
	return target{toManifest, a.doc.File}, true
}

// parseTarget reads a write-back-target. Paths are relative to the Application's folder, or to the repository when they begin
// with a slash. file is that of the Application.
func parseTarget(text, folder, file string) (target, error) {
	word, where, hasPath := strings.Cut(text, ":")
	if !strings.HasPrefix(where, "/") {
		where = path.Join(folder, where)
	}
	out := target{path: where}
	switch {
	case word == "kustomization":
		out.kind = toKustomization
	case word == "helmvalues" && hasPath:
		out.kind = toValues
	case word == "helmvalues":
		out = target{toValues, path.Join(folder, valuesFile)}
	case text == "application":
		return target{toManifest, file}, nil
	default:
		return target{}, errors.New("it is not known")
	}
	cleaned, inside := within(out.path)
	switch {
	case !inside:
		return target{}, fmt.Errorf("path %q leaves the repository", out.path)
	case cleaned == "." && out.kind == toValues:
		return target{}, errors.New("it names no file")
	}
	return target{out.kind, cleaned}, nil
}

// method reads write-back-method: git, or argocd when there is none.
func (a *application) method() string {
	written, ok := a.annotations[writeBackMethod]
	method, credentials, hasCredentials := strings.Cut(written.value, ":")
	switch {
	case !ok:
		written = annotation{name: writeBackMethod, at: a.list().at}
		fallthrough
	case written.value == "argocd":
		a.report(promote.SeverityInfo, written.at, "written-to-git",
			"by the "+writeBackMethod+" argocd a version would be changed in the cluster only; Lockkeeper proposes a change of a file in Git instead",
			fmt.Sprintf("to choose the file, write %s: git and a %s", writeBackMethod, writeBackTarget))
		return "argocd"
	case method != "git":
		a.fail(written, "invalid-value", fmt.Sprintf("%s %q is not known", writeBackMethod, written.value), "write git or argocd")
	case hasCredentials && credentials != "repocreds" && !strings.HasPrefix(credentials, "secret:"):
		a.fail(written, "invalid-value", fmt.Sprintf("credentials %q of %s are not known", credentials, writeBackMethod), "write git")
	case hasCredentials:
		a.report(promote.SeverityInfo, written.at, "git-credentials",
			"the credentials of "+writeBackMethod+" are not read: Lockkeeper pushes with its own", "write git")
	}
	return "git"
}

var objectName = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// branch is the branch of the repository to work on; empty is the one that changes are merged into.
func (a *application) branch(repository string) string {
	written, ok := a.annotations[gitBranch]
	base, head, split := parseBranch(written.value)
	switch {
	case ok && strings.Contains(base, "{{"):
		a.fail(written, "invalid-value", fmt.Sprintf("the base of %s is a template: %q", gitBranch, base), "write <base>:<template>")
	case ok && !split && base == "", split && head == "":
		a.fail(written, "invalid-value", fmt.Sprintf("%s is %q", gitBranch, written.value), "write a branch, or <base>:<branch>")
	case split:
		a.report(promote.SeverityInfo, written.at, "branch-name",
			fmt.Sprintf("branch %q is not made: a promotion is proposed on %s", head, promote.ProposalBranch(promote.StageRef{Project: Project, Name: a.name})),
			"write the base alone")
	}
	if base != "" {
		return base
	}
	i := slices.IndexFunc(a.sources, func(s sourceManifest) bool { return s.Chart == "" && promote.SameGitRepository(s.RepoURL, repository) })
	if i < 0 {
		return ""
	}
	revision := strings.TrimPrefix(a.sources[i].TargetRevision, "refs/heads/")
	switch {
	case revision == "HEAD":
		return ""
	case objectName.MatchString(revision), strings.HasPrefix(revision, "refs/"):
		a.report(promote.SeverityError, a.at, "no-branch",
			fmt.Sprintf("targetRevision %q of Application %q is not a branch, so nothing can be merged into it", revision, a.name),
			"let it follow a branch, and name that branch in "+gitBranch+" when it is another one")
		return ""
	}
	return revision
}

// parseBranch reads "base", "base:branch" or ":branch".
func parseBranch(text string) (base, head string, split bool) {
	base, head, split = strings.Cut(text, ":")
	return strings.TrimSpace(base), strings.TrimSpace(head), split
}

// repository is the Git repository that versions are written to. One with a password or token in its URL is reported.
func (a *application) repository() string {
	url := a.repositoryURL()
	if !promote.HoldsCredentials(url) {
		return url
	}
	at, what := a.at, fmt.Sprintf("the source of Application %q", a.name)
	for i := range a.sources {
		for _, key := range []string{"spec.source.repoURL", fmt.Sprintf("spec.sources[%d].repoURL", i)} {
			if _, value := a.doc.Find(key); value != nil && value.Value == url {
				at = position(a.doc, value)
			}
		}
	}
	if written, ok := a.annotations[gitRepository]; ok && written.value != "" {
		at, what = written.at, gitRepository
	}
	a.report(promote.SeverityError, at, "password-in-url", what+" holds a password or token in its URL, which everybody who reads the repository knows",
		"revoke it, write the URL without it, and give the token to the server's environment; see docs/reference.md and deploy/README.md")
	return promote.WithoutUser(url)
}

func (a *application) repositoryURL() string {
	if written, ok := a.annotations[gitRepository]; ok && written.value != "" {
		return written.value
	}
	if a.source.Chart == "" {
		return a.source.RepoURL
	}
	if i := slices.IndexFunc(a.sources, func(s sourceManifest) bool { return s.Chart == "" && s.RepoURL != "" }); i >= 0 {
		return a.sources[i].RepoURL
	}
	a.report(promote.SeverityError, a.list().keyAt, "no-repository",
		fmt.Sprintf("the source of Application %q is chart %q of a registry, where no version can be written", a.name, a.source.Chart),
		"name the repository to write to in "+gitRepository+", and the file in "+writeBackTarget)
	return ""
}

// tool finds out what makes the Application's manifests.
func (l *loader) tool(a *application, images []image) tool {
	folder, _ := within(a.source.Path)
	has := func(name string) bool { _, ok := l.files[path.Join(folder, name)]; return ok }
	switch {
	case a.source.Helm != nil, a.source.Chart != "", a.uses(images, "helm."):
		return helm
	case a.source.Kustomize != nil, a.uses(images, "kustomize."):
		return kustomize
	case slices.ContainsFunc(kustomizationFiles, has):
		return kustomize
	case has(chartFile), len(l.overrides(path.Join(folder, sourceFile(a.name))).Helm.Parameters) > 0:
		return helm
	}
	return unknownTool
}

// overrideManifest is the content of an .argocd-source file.
type overrideManifest struct {
	Helm      helmBlock      `json:"helm"`
	Kustomize kustomizeBlock `json:"kustomize"`
}

// overrides reads such a file. What cannot be read in it is not found, and said to be missing.
func (l *loader) overrides(file string) overrideManifest {
	var m overrideManifest
	if doc, ok := l.files[file]; ok {
		_ = manifest.DecodeKnown(doc, &m)
	}
	return m
}
