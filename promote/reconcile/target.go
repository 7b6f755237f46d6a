package reconcile

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/render/argocd"
)

// TargetSettings is one entry of lockkeeper.yaml's targets: a stage that is promoted to in many places.
type TargetSettings struct {
	// Stage is the stage that fans out, as project/stage.
	Stage string `json:"stage"`
	// Directories are globs; each folder that matches one is a target with target.params.path. A target is called as the
	// parts of its path that the pattern leaves open, joined by dashes.
	Directories []string `json:"directories"`
	// Applications are labels; each Argo CD Application that has them all is a target with target.params.application,
	// target.params.namespace, target.params.path and its labels as target.labels.
	Applications map[string]string `json:"applications"`
	// Exclude are globs of target names to leave out.
	Exclude []string `json:"exclude"`
	// MaxInFlight is how many targets are promoted to at once. Default: all.
	MaxInFlight int `json:"maxInFlight"`
	// Pause is how long to wait between two waves, such as 10m. Default: not at all.
	Pause string `json:"pause"`
}

// maxTargets bounds how many targets one stage may have.
const maxTargets = 2000

// checkTarget reports what is wrong with an entry of targets, whatever the repository holds.
func (s Settings) checkTarget(at string, t TargetSettings) error {
	var ref promote.StageRef
	switch {
	case ref.UnmarshalText([]byte(t.Stage)) != nil:
		return s.problem(at+".stage", fmt.Sprintf("stage %q: expected project/stage", t.Stage), "write both, as in shop/production")
	case len(t.Directories) == 0 && len(t.Applications) == 0:
		return s.problem(at, "neither directories nor applications say where the targets are", "name one")
	case len(t.Directories) > 0 && len(t.Applications) > 0:
		return s.problem(at+".applications", "directories and applications exclude each other", "keep one")
	case t.MaxInFlight < 0:
		return s.problem(at+".maxInFlight", fmt.Sprintf("maxInFlight %d is negative", t.MaxInFlight), "write a number from 0")
	}
	for _, list := range []struct {
		key   string
		globs []string
	}{{"directories", t.Directories}, {"exclude", t.Exclude}} {
		for i, glob := range list.globs {
			if _, err := path.Match(glob, ""); err != nil || !fs.ValidPath(glob) {
				return s.problem(fmt.Sprintf("%s.%s[%d]", at, list.key, i), fmt.Sprintf("%q is not a glob of paths in the repository", glob), "write one such as clusters/*")
			}
		}
	}
	if pause, err := time.ParseDuration(t.Pause); t.Pause != "" && (err != nil || pause < 0) {
		return s.problem(at+".pause", fmt.Sprintf("pause %q is not a duration", t.Pause), "write one such as 10m")
	}
	return nil
}

// fanOut puts the targets of the settings in the place of their stages, and reports entries that come to nothing.
func (s Settings) fanOut(pipelines []promote.Pipeline, tree fs.FS, applications []argocd.Application) []promote.Finding {
	var findings []promote.Finding
	for i, entry := range s.Targets {
		var ref promote.StageRef
		if ref.UnmarshalText([]byte(entry.Stage)) != nil {
			continue // reported when the settings were read
		}
		warn := func(key, message, remedy string) {
			findings = append(findings, promote.Finding{
				Severity: promote.SeverityError, Code: "targets", Position: s.at(fmt.Sprintf("targets[%d]%s", i, key)), Project: ref.Project, Stage: ref,
				Message: fmt.Sprintf("targets[%d]: %s", i, message), Remedy: remedy,
			})
		}
		p := slices.IndexFunc(pipelines, func(p promote.Pipeline) bool { return p.Project == ref.Project })
		if p < 0 {
			projects := make([]string, len(pipelines))
			for j, other := range pipelines {
				projects[j] = other.Project
			}
			warn(".stage", fmt.Sprintf("there is no project %q", ref.Project), meant(ref.Project, projects))
			continue
		}
		if _, ok := pipelines[p].Stage(ref.Name); !ok {
			stages := make([]string, len(pipelines[p].Stages))
			for j, other := range pipelines[p].Stages {
				stages[j] = other.Name
			}
			warn(".stage", fmt.Sprintf("project %q has no stage %q", ref.Project, ref.Name), meant(ref.Name, stages))
			continue
		}
		targets, clash := entry.find(tree, applications)
		switch {
		case clash != "":
			warn("", clash, "rename one, or leave it out with exclude")
		case len(targets) == 0:
			warn("", "nothing in the repository matches, so the stage has no target", "correct directories, applications or exclude")
		case len(targets) > maxTargets:
			warn("", fmt.Sprintf("%d targets match, at most %d are allowed", len(targets), maxTargets), "match fewer, or split the stage")
		default:
			pause, _ := time.ParseDuration(entry.Pause)
			pipelines[p].FanOut(ref.Name, targets, promote.Wave{MaxInFlight: entry.MaxInFlight, Pause: pause})
		}
	}
	return findings
}

// meant names what was probably meant.
func meant(word string, names []string) string {
	if near := nearest.Of(word, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "correct the entry"
}

// find returns the targets of an entry by name, and which of them cannot be told apart.
func (t TargetSettings) find(tree fs.FS, applications []argocd.Application) (found []promote.Target, clash string) {
	add := func(target promote.Target) {
		excluded := slices.ContainsFunc(t.Exclude, func(glob string) bool { ok, _ := path.Match(glob, target.Name); return ok })
		i := slices.IndexFunc(found, func(other promote.Target) bool { return other.Name == target.Name })
		switch {
		case excluded:
		case target.Name == "":
			clash = fmt.Sprintf("%v has nothing in its name that a stage may be called", target.Params)
		case i < 0:
			found = append(found, target)
		case !maps.Equal(found[i].Params, target.Params):
			clash = fmt.Sprintf("%v and %v would both be target %q", found[i].Params, target.Params, target.Name)
		}
	}
	for _, glob := range t.Directories {
		matches, err := fs.Glob(tree, glob)
		if err != nil {
			continue
		}
		for _, dir := range matches {
			if info, err := fs.Stat(tree, dir); err == nil && info.IsDir() {
				add(promote.Target{Name: targetName(glob, dir), Params: map[string]string{"path": dir}})
			}
		}
	}
	for _, app := range applications {
		if len(t.Applications) > 0 && labelled(app.Labels, t.Applications) {
			params := map[string]string{"application": app.Name, "namespace": app.Namespace}
			if len(app.Sources) > 0 {
				params["path"] = app.Sources[0].Path
			}
			add(promote.Target{Name: app.Name, Labels: app.Labels, Params: params})
		}
	}
	slices.SortFunc(found, func(a, b promote.Target) int { return strings.Compare(a.Name, b.Name) })
	return found, clash
}

func labelled(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if got, ok := labels[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// targetName is made of the parts of a path that its pattern leaves open, in the letters that names may have.
func targetName(glob, dir string) string {
	var parts []string
	patterns := strings.Split(glob, "/")
	for i, part := range strings.Split(dir, "/") {
		if i >= len(patterns) || patterns[i] != part {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		parts = []string{path.Base(dir)}
	}
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, strings.Join(parts, "-"))
	return strings.Trim(name, "-")
}
