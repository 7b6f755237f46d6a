package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/yamledit"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
	"github.com/lockkeeper/lockkeeper/promote/imageupdater"
	"github.com/lockkeeper/lockkeeper/promote/step"
	"github.com/lockkeeper/lockkeeper/render"
	"github.com/lockkeeper/lockkeeper/render/argocd"
)

// stageLint checks that a stage's steps fit the files and the applications of the repository. What depends on more than
// variables, such as the output of a step, is left to the promotion itself.
type stageLint struct {
	repository render.Repository
	set        render.Set
	pipeline   promote.Pipeline
	stage      promote.Stage

	clones   map[string]bool   // checkout path → of this repository, at the branch that is looked at
	branches map[string]string // by checkout path
	pushed   pushedSoFar
	findings []promote.Finding
}

func (s *stageLint) check() []promote.Finding {
	s.clones, s.branches = map[string]bool{}, map[string]string{}
	for _, step := range s.stage.Steps {
		env := s.env(step)
		switch step.Uses {
		case "git-clone":
			s.gitClone(step, env)
		case "yaml-parse", "yaml-update":
			s.file(step, env)
		case "git-push":
			s.gitPush(step, env)
		case "git-commit":
			s.pushed.committed = true
		case "argocd-update":
			s.argocdUpdate(step, env)
		}
	}
	return s.findings
}

// pushedSoFar is what the steps before pushed.
type pushedSoFar struct {
	any       bool
	target    string // of the last push
	committed bool   // a commit was made since
}

// gitPush checks that a promotion stays one change of this repository.
func (s *stageLint) gitPush(step promote.Step, env expr.Env) {
	var cfg struct {
		Path         string `json:"path"`
		TargetBranch string `json:"targetBranch"`
		Tag          string `json:"tag"`
	}
	if step.If != "" || !decodeConfig(step, &cfg) || cfg.Tag != "" {
		return
	}
	where, err := text(cfg.Path, env)
	target, targetErr := text(cfg.TargetBranch, env)
	if err != nil || targetErr != nil {
		return
	}
	if target == "" {
		target = s.branches[path.Clean(where)]
	}
	if s.pushed.any && (target != s.pushed.target || s.pushed.committed) {
		s.report(step, promote.SeverityError, "several-pushes", "a second git-push of other commits would fail: a promotion is one change",
			"push once, or split the task into two stages")
	}
	s.pushed = pushedSoFar{any: true, target: target}
}

func (s *stageLint) report(step promote.Step, severity promote.Severity, code, message, remedy string) {
	s.findings = append(s.findings, promote.Finding{
		Severity: severity, Code: code, Position: step.Position, Message: fmt.Sprintf("stage %q: %s", s.stage.Name, message), Remedy: remedy,
		Stage: promote.StageRef{Project: s.pipeline.Project, Name: s.stage.Name}, Project: s.pipeline.Project,
	})
}

// sampleTag stands for the tag of a new image: a text that YAML takes for nothing else.
const sampleTag = "v0.0.0-sample"

// sampleFreight has one artifact for each subscription of a warehouse.
func sampleFreight(w promote.Warehouse) promote.Artifacts {
	var a promote.Artifacts
	for _, image := range w.Images {
		a.Images = append(a.Images, promote.Image{RepoURL: image.RepoURL, Tag: sampleTag, Digest: "sha256:sample", Subscription: image.Name})
	}
	for _, commit := range w.Git {
		a.Commits = append(a.Commits, promote.GitCommit{RepoURL: commit.RepoURL, ID: promote.Commit(strings.Repeat("0", 40)), Tag: sampleTag, Branch: commit.Branch, Subscription: commit.Name})
	}
	for _, chart := range w.Charts {
		a.Charts = append(a.Charts, promote.Chart{RepoURL: chart.RepoURL, Name: chart.Chart, Version: sampleTag, Subscription: chart.Name})
	}
	return a
}

// targetOf is what expressions see of the target of a stage; nil when it has none.
func targetOf(stage promote.Stage) map[string]any {
	if stage.Target == nil {
		return nil
	}
	return step.TargetValues(*stage.Target)
}

// env is what a step's expressions may see before the promotion: variables, the target, and freight of every warehouse.
func (s *stageLint) env(step promote.Step) expr.Env {
	env := expr.Env{
		Ctx:  map[string]any{"project": s.pipeline.Project, "stage": s.stage.Name},
		Vars: map[string]any{},
	}
	for _, request := range s.stage.Requests {
		warehouse, _ := s.pipeline.Warehouse(request.Warehouse)
		env.AddFreight(request.Warehouse, sampleFreight(warehouse))
		env.Requested = append(env.Requested, expr.RequestOf(warehouse))
	}
	env.Target = targetOf(s.stage)
	for _, v := range slices.Concat(s.stage.Vars, step.Vars) {
		value, err := expr.Eval(v.Value, env)
		if err != nil {
			delete(env.Vars, v.Name)
			continue
		}
		env.Vars[v.Name] = value.Any()
		if value.WasRetyped() {
			env.Vars[v.Name] = value.Text()
		}
	}
	return env
}

// text is what a template comes to; errUnknown when that is not known yet, or wrong in a way that is reported elsewhere.
func text(template string, env expr.Env) (string, error) {
	value, err := expr.Eval(template, env)
	if err != nil {
		return "", errors.Join(errUnknown, err)
	}
	return value.Text(), nil
}

// decodeConfig reads the parts of a step's configuration that are looked at. Wrong types are reported by the pipeline's own check.
func decodeConfig(step promote.Step, into any) bool {
	return len(step.Config) > 0 && json.Unmarshal(step.Config, into) == nil
}

func (s *stageLint) gitClone(step promote.Step, env expr.Env) {
	var cfg struct {
		RepoURL  string `json:"repoURL"`
		Checkout []struct {
			Branch string `json:"branch"`
			Commit string `json:"commit"`
			Tag    string `json:"tag"`
			Path   string `json:"path"`
		} `json:"checkout"`
	}
	if !decodeConfig(step, &cfg) {
		return
	}
	repoURL, err := text(cfg.RepoURL, env)
	if err != nil || repoURL == "" {
		return
	}
	ours := argocd.Ours(repoURL, s.repository.URLs)
	repoURL = promote.WithoutUser(repoURL)
	if !ours {
		s.findings = append(s.findings, promote.Finding{
			Severity: promote.SeverityWarning, Code: codeElsewhere, Position: step.Position, Remedy: urlRemedy(repoURL), Project: s.pipeline.Project,
			Message: fmt.Sprintf("git-clone of %s, which is not this repository: what the steps do with it is not checked, and pushing to it fails", repoURL),
			Stage:   promote.StageRef{Project: s.pipeline.Project, Name: s.stage.Name},
		})
	}
	for _, one := range cfg.Checkout {
		branch, err := text(one.Branch, env)
		where, pathErr := text(one.Path, env)
		if err != nil || pathErr != nil {
			continue
		}
		deployed := branch == "" || s.repository.Revision == "" || branch == s.repository.Revision
		s.branches[path.Clean(where)] = branch
		s.clones[path.Clean(where)] = ours && deployed && one.Commit == "" && one.Tag == ""
	}
}

// inside returns the path in the repository that a path of the promotion's directory leads to.
func (s *stageLint) inside(where string) (string, bool) {
	where = path.Clean(where)
	best := ""
	for _, clone := range slices.Sorted(maps.Keys(s.clones)) {
		if (clone == "." || where == clone || strings.HasPrefix(where, clone+"/")) && len(clone) > len(best) {
			best = clone
		}
	}
	if !s.clones[best] {
		return "", false
	}
	rest := where
	if best != "." {
		rest = strings.TrimPrefix(strings.TrimPrefix(where, best), "/")
	}
	return rest, rest != "" && fs.ValidPath(rest)
}

// file checks the file that a yaml step reads or writes.
func (s *stageLint) file(step promote.Step, env expr.Env) {
	var cfg struct {
		Path    string       `json:"path"`
		Updates []yamlUpdate `json:"updates"`
	}
	if !decodeConfig(step, &cfg) {
		return
	}
	where, err := text(cfg.Path, env)
	if err != nil {
		return
	}
	name, ok := s.inside(where)
	if !ok {
		return
	}
	data, err := manifest.ReadFile(s.repository.Tree, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.report(step, promote.SeverityError, "file-not-found", fmt.Sprintf("%s: YAML file %q does not exist", step.Uses, name), s.near(name))
		return
	case err != nil:
		s.report(step, promote.SeverityError, "file-not-readable", fmt.Sprintf("%s: %q cannot be read: %v", step.Uses, name, err), "name a YAML file of the repository")
		return
	}
	for _, update := range cfg.Updates {
		s.update(step, env, name, data, update)
	}
}

// near says what lies where a file was looked for.
func (s *stageLint) near(name string) string {
	dir := path.Dir(name)
	entries, err := fs.ReadDir(s.repository.Tree, dir)
	for err != nil && dir != "." {
		dir = path.Dir(dir)
		entries, err = fs.ReadDir(s.repository.Tree, dir)
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	inside := strings.TrimPrefix(name, dir+"/")
	want, rest, _ := strings.Cut(inside, "/")
	if nearest, ok := promote.Nearest(want, names); ok {
		whole := path.Join(dir, nearest, rest)
		if _, err := fs.Stat(s.repository.Tree, whole); err != nil {
			whole = path.Join(dir, nearest)
		}
		return fmt.Sprintf("did you mean %q?", whole)
	}
	where := fmt.Sprintf("%q", dir)
	if dir == "." {
		where = "the repository"
	}
	return fmt.Sprintf("correct the path: %s holds %s", where, listing(names))
}

type yamlUpdate struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// update checks one key that a yaml-update writes.
func (s *stageLint) update(step promote.Step, env expr.Env, name string, data []byte, update yamlUpdate) {
	key, err := text(update.Key, env)
	if err != nil || key == "" {
		return
	}
	present, err := yamledit.Get(data, key)
	if err != nil {
		code := "key-not-found"
		if !errors.Is(err, yamledit.ErrKeyNotFound) {
			code = "key-not-writable"
		}
		s.report(step, promote.SeverityError, code, fmt.Sprintf("%s of %q: %v", step.Uses, name, err), "")
		return
	}
	var template string
	if json.Unmarshal(update.Value, &template) != nil {
		return
	}
	value, err := expr.Eval(template, env)
	if err != nil {
		return
	}
	_, isText := value.Any().(string)
	if isText && (present.Tag == "!!int" || present.Tag == "!!float") {
		s.findings = append(s.findings, promote.Finding{
			Severity: promote.SeverityWarning, Code: "number-for-text", Position: promote.Position{File: name, Line: present.Line, Column: present.Column},
			Message: fmt.Sprintf("%s is the number %s, but stage %q writes a text there: as a number 1.10 is 1.1, and a definition that wants a string refuses it",
				key, present.Text, s.stage.Name),
			Remedy: fmt.Sprintf("quote it: %q", present.Text), Project: s.pipeline.Project,
			Stage: promote.StageRef{Project: s.pipeline.Project, Name: s.stage.Name},
		})
	}
}

// argocdUpdate checks that the applications exist and belong to the stage.
func (s *stageLint) argocdUpdate(step promote.Step, env expr.Env) {
	var cfg struct {
		Apps []struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"apps"`
	}
	if !decodeConfig(step, &cfg) {
		return
	}
	for _, app := range cfg.Apps {
		name, err := text(app.Name, env)
		namespace, namespaceErr := text(app.Namespace, env)
		if err == nil && namespaceErr == nil && name != "" {
			s.application(step, name, namespace)
		}
	}
}

func (s *stageLint) application(step promote.Step, name, namespace string) {
	var names []string
	for _, app := range s.set.Applications {
		if app.Name == name && (namespace == "" || app.Namespace == "" || app.Namespace == namespace) {
			s.authorized(app)
			return
		}
		names = append(names, app.Name)
	}
	severity, remedy := promote.SeverityError, strings.TrimPrefix(suggestion(name, names), "; ")
	switch {
	case !s.complete():
		severity, remedy = promote.SeverityWarning, "some ApplicationSets could not be evaluated; if one of them makes it, all is well"
	case len(names) == 0:
		// An application that is kept elsewhere may well exist: the promotion will ask Argo CD.
		severity, remedy = promote.SeverityWarning, "add it here, so that it can be checked and its changes be shown"
	}
	s.report(step, severity, "unknown-application",
		fmt.Sprintf("application %q does not exist: no Application or ApplicationSet of this repository makes it", name),
		remedy)
}

// complete reports whether every ApplicationSet could be evaluated.
func (s *stageLint) complete() bool {
	return !slices.ContainsFunc(s.set.Findings, func(f render.Finding) bool {
		return f.Code == "not-evaluated-offline" || f.Code == codeElsewhere || f.Code == "revision-elsewhere"
	})
}

// authorized checks the annotation by which an application lets a stage touch it.
func (s *stageLint) authorized(app argocd.Application) {
	stages, bad := app.AuthorizedStages()
	want := s.pipeline.Project + ":" + s.stage.Declared()
	mine := argocd.AuthorizedStage{Project: s.pipeline.Project, Stage: s.stage.Declared()}
	f := promote.Finding{
		Severity: promote.SeverityError, Position: promote.Position{File: app.Origin.File, Line: app.Origin.Line}, Project: s.pipeline.Project,
		Stage: promote.StageRef{Project: s.pipeline.Project, Name: s.stage.Name},
	}
	updated, isUpdated := imageupdater.AuthorizedStage(app.Name, app.Annotations)
	switch {
	case slices.Contains(stages, mine), isUpdated && updated == f.Stage:
		return
	case len(bad) > 0:
		f.Code = "invalid-authorized-stage"
		f.Message = fmt.Sprintf("application %q does not authorize stage %q: its annotation %s holds %q", app.Name, s.stage.Name, argocd.AuthorizedStageKey, strings.Join(bad, ","))
		f.Remedy = fmt.Sprintf("write %s: %s", argocd.AuthorizedStageKey, want)
	case len(stages) == 0:
		f.Code = "missing-authorized-stage"
		f.Message = fmt.Sprintf("application %q does not authorize stage %q, which syncs it", app.Name, s.stage.Name)
		f.Remedy = fmt.Sprintf("add the annotation %s: %s", argocd.AuthorizedStageKey, want)
	default:
		others := make([]string, len(stages))
		for i, other := range stages {
			others[i] = other.Project + ":" + other.Stage
		}
		f.Code = "other-authorized-stage"
		f.Message = fmt.Sprintf("application %q belongs to %s, not to %s, which syncs it", app.Name, strings.Join(others, ", "), want)
		f.Remedy = fmt.Sprintf("correct its annotation %s, or the stage", argocd.AuthorizedStageKey)
	}
	if app.Origin.ApplicationSet != "" {
		f.Remedy += fmt.Sprintf(", in the template of ApplicationSet %q", app.Origin.ApplicationSet)
	}
	s.findings = append(s.findings, f)
}
