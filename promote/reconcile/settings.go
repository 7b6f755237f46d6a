package reconcile

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// SettingsFile is the optional file of the repository that says what Kargo's manifests have no word for.
const SettingsFile = "lockkeeper.yaml"

// Settings is the content of lockkeeper.yaml.
type Settings struct {
	// Pipelines lists the folders or files in which Kargo manifests are looked for. Default: everywhere.
	Pipelines []string `json:"pipelines"`
	// Applications lists the folders or files in which Argo CD manifests are looked for. Default: everywhere.
	Applications []string `json:"applications"`
	// Definitions lists the folders or files in which kro ResourceGraphDefinitions are looked for. Default: everywhere.
	Definitions []string `json:"definitions"`
	// Clusters lists the clusters that Argo CD knows, for ApplicationSets with a clusters generator. Those whose Secrets are in
	// the repository need no entry; one of the same name wins over the Secret in what it says.
	Clusters []ClusterSettings `json:"clusters"`
	// Fetch lists the places outside of the repository that applications may be rendered from: chart repositories, registries
	// and repositories of Git, such as https://charts.example.com, oci://ghcr.io/acme or https://github.com/acme/bases. What lies
	// below one is allowed, too. Default: none.
	Fetch []string `json:"fetch"`
	// Generators lists what ApplicationSets' generators are told that ask a forge, a plugin or a cluster, which are not asked here.
	Generators []GeneratorSettings `json:"generators"`
	// ApplicationSets says how Argo CD's ApplicationSet controller is set up.
	ApplicationSets ApplicationSetSettings `json:"applicationSets"`
	// Kro says what is known of kro in the clusters.
	Kro KroSettings `json:"kro"`
	// Stages holds what differs from the default for some stages. The first entry that matches counts.
	Stages []StageSettings `json:"stages"`
	// Targets lists stages that are promoted to in many places, such as clusters, in waves.
	Targets []TargetSettings `json:"targets"`
	// Drift lists folders that should be alike, such as those of one component in several environments.
	Drift []DriftSettings `json:"drift"`
	// Checks says what rendered objects are held against before a merge. The default branch decides for every change.
	Checks CheckSettings `json:"checks"`
	// Policies are rules about rendered objects. Those of the default branch judge every change, also one to the policies.
	Policies []PolicySettings `json:"policies"`
	// Forge says what is shown on the forge. The default branch decides for every change.
	Forge ForgeSettings `json:"forge"`
	// Commands says who may give which commands in comments, and whose approvals count. The first entry that fits decides; what none
	// fits needs write. The default branch's list counts.
	Commands []CommandSettings `json:"commands"`

	document manifest.Document // where it stands
	closed   bool              // it is wrong, and may have been meant to say who may command
}

// ClusterSettings is one entry of lockkeeper.yaml's clusters: what its Secret says in Argo CD's namespace.
type ClusterSettings struct {
	// Name is the cluster's name in Argo CD.
	Name string `json:"name"`
	// Server is the URL of its API server.
	Server string `json:"server"`
	// Project is the AppProject that the cluster is restricted to, if it is.
	Project string `json:"project"`
	// Labels are those of its Secret, by which selectors choose it.
	Labels map[string]string `json:"labels"`
	// Annotations are those of its Secret.
	Annotations map[string]string `json:"annotations"`
	// KubernetesVersion is that of the cluster, such as "1.31": charts ask for it. Default: the newest that Lockkeeper knows.
	KubernetesVersion string `json:"kubernetesVersion"`
	// APIVersions is what the cluster serves besides Kubernetes' own, such as monitoring.coreos.com/v1: charts ask for it.
	APIVersions []string `json:"apiVersions"`
}

// StageSettings is one entry of lockkeeper.yaml's stages.
type StageSettings struct {
	// Stage names the stages as project/stage; "*" stands for any part of a name.
	Stage string `json:"stage"`
	// AutoMerge lets Lockkeeper merge the change by itself once every gate passes. Default: false.
	AutoMerge bool `json:"autoMerge"`
	// Group names a change that all stages of the project with the same group share: they are proposed, judged and merged
	// together. Default: each stage has a change of its own.
	Group string `json:"group"`
	// Supersede says what newer freight does to an open change of the stage: "update" it in place, close it for a "new" one,
	// or "queue" behind it. Default: update.
	Supersede string `json:"supersede"`
	// Draft opens the change as a draft, which a person has to mark as ready. Default: false.
	Draft bool `json:"draft"`
	// Assignees are the people that the change is assigned to, by the names of their accounts.
	Assignees []string `json:"assignees"`
	// Reviewers are the people that are asked for a review, by the names of their accounts, and on GitHub teams as org/team.
	Reviewers []string `json:"reviewers"`
}

// DriftSettings is one entry of lockkeeper.yaml's drift.
type DriftSettings struct {
	// From is the folder that the others are compared with.
	From string `json:"from"`
	// To are globs of folders, such as production/frontend or clusters/*/*/frontend.
	To []string `json:"to"`
	// Exclude is what belongs to each folder alone: globs of files, such as *.md, and keys of values in them, such as
	// instance.yaml:spec.values.deployment.replicas, in which * stands for any part of a key.
	Exclude []string `json:"exclude"`
}

// LoadSettings reads lockkeeper.yaml alone, and says what is wrong with it: where that is an error the settings are their
// defaults.
func LoadSettings(tree fs.FS) (Settings, []promote.Finding) {
	findings := misnamed(tree)
	settings, err := readSettings(tree)
	if err != nil {
		settings.closed = mayRule(tree)
		return settings, append(findings, settingsFindings(err)...)
	}
	return settings, append(findings, settings.kroFindings()...)
}

// misnamed warns of files that were most likely meant as lockkeeper.yaml.
func misnamed(tree fs.FS) []promote.Finding {
	var findings []promote.Finding
	for _, name := range []string{"lockkeeper.yml", ".lockkeeper.yaml", ".lockkeeper.yml"} {
		if _, err := fs.Stat(tree, name); err != nil {
			continue
		}
		remedy := "rename it to " + SettingsFile
		if _, err := fs.Stat(tree, SettingsFile); err == nil {
			remedy = "move what it says to " + SettingsFile + ", which is there, too, and remove it"
		}
		findings = append(findings, promote.Finding{
			Severity: promote.SeverityWarning, Code: "settings", Position: promote.Position{File: name},
			Message: name + " is not read", Remedy: remedy,
		})
	}
	return findings
}

// readSettings reads lockkeeper.yaml. Without the file the settings are their defaults.
func readSettings(tree fs.FS) (Settings, error) {
	var settings Settings
	data, err := manifest.ReadFile(tree, SettingsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return settings, nil
	}
	if err != nil {
		return settings, err
	}
	documents, err := manifest.Split(SettingsFile, data)
	if err != nil {
		return settings, err
	}
	switch len(documents) {
	case 0:
		return settings, nil
	case 1:
	default:
		return settings, &manifest.Error{
			File: SettingsFile, Line: documents[1].Line, Problem: fmt.Sprintf("expected one YAML document, found %d", len(documents)),
			Remedy: "put them together in one",
		}
	}
	if err := manifest.Decode(documents[0], &settings); err != nil {
		return Settings{}, err
	}
	settings.document = documents[0]
	var problems []error
	for i, stage := range settings.Stages {
		problems = append(problems, settings.checkStage(fmt.Sprintf("stages[%d].", i), stage)...)
	}
	for i, cluster := range settings.Clusters {
		problems = append(problems, settings.checkCluster(fmt.Sprintf("clusters[%d]", i), cluster)...)
	}
	for i, place := range settings.Fetch {
		problems = append(problems, settings.checkFetch(fmt.Sprintf("fetch[%d]", i), place)...)
	}
	problems = append(problems, settings.checkGenerators()...)
	for i, target := range settings.Targets {
		if err := settings.checkTarget(fmt.Sprintf("targets[%d]", i), target); err != nil {
			problems = append(problems, err)
		}
	}
	problems = append(problems, settings.checkKro()...)
	problems = append(problems, settings.checkCommands()...)
	if err := errors.Join(append(problems, settings.checkDrift(), settings.checkChecks(), settings.checkForge())...); err != nil {
		return Settings{}, err
	}
	return settings, nil
}

// checkStage reports what is wrong with an entry of stages, whatever the repository holds.
func (s Settings) checkStage(at string, stage StageSettings) []error {
	var problems []error
	if _, err := path.Match(stage.Stage, ""); err != nil || stage.Stage == "" {
		problems = append(problems, s.problem(at+"stage", fmt.Sprintf("%q is no stage", stage.Stage),
			"write project/stage, in which * stands for any part of a name"))
	}
	if !groupName.MatchString(stage.Group) {
		problems = append(problems, s.problem(at+"group", fmt.Sprintf("%q is no name of a group", stage.Group),
			"use lower-case letters, digits and dashes"))
	}
	if _, known := supersedes[stage.Supersede]; !known {
		remedy := "write update, new or queue"
		if near := nearest.Of(stage.Supersede, []string{"update", "new", "queue"}); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		problems = append(problems, s.problem(at+"supersede", fmt.Sprintf("%q is not known", stage.Supersede), remedy))
	}
	problems = append(problems, s.checkAccounts(at+"assignees", stage.Assignees)...)
	return append(problems, s.checkAccounts(at+"reviewers", stage.Reviewers)...)
}

func (s Settings) checkAccounts(key string, names []string) []error {
	var problems []error
	for i, name := range names {
		if !accountName.MatchString(name) {
			problems = append(problems, s.problem(fmt.Sprintf("%s[%d]", key, i), fmt.Sprintf("%q is no name of an account", name),
				"write the name as the forge shows it, without @; a team of GitHub is org/team"))
		}
	}
	return problems
}

// accountName is what forges let accounts and teams be called.
var accountName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)?$`)

// problem is something wrong at a key, which is said with its path.
func (s Settings) problem(key, what, remedy string) error {
	at := s.at(key)
	return &manifest.Error{File: at.File, Line: at.Line, Column: at.Column, Path: key, Problem: key + ": " + what, Remedy: remedy}
}

// at is where the value of a key stands, or else what is around it.
func (s Settings) at(key string) promote.Position {
	for key != "" {
		if _, value := s.document.Find(key); value != nil {
			return promote.Position{File: SettingsFile, Line: value.Line, Column: value.Column}
		}
		key = key[:max(strings.LastIndexAny(key, ".["), 0)]
	}
	return promote.Position{File: SettingsFile}
}

// keepPaths leaves out the folders and files to look into that are not there, and reports each. Where none of a list is left
// the list becomes a file that holds no manifest, because an empty one would mean everywhere.
func (s Settings) keepPaths(tree fs.FS) (Settings, []promote.Finding) {
	var findings []promote.Finding
	keep := func(key string, paths []string) []string {
		var kept []string
		for i, name := range paths {
			what, remedy := s.lost(tree, name)
			if what == "" {
				kept = append(kept, name)
				continue
			}
			at := fmt.Sprintf("%s[%d]", key, i)
			findings = append(findings, promote.Finding{
				Severity: promote.SeverityError, Code: "settings", Position: s.at(at), Message: at + ": " + what, Remedy: remedy,
			})
		}
		if len(paths) > 0 && len(kept) == 0 {
			return []string{SettingsFile}
		}
		return kept
	}
	s.Pipelines, s.Applications, s.Definitions = keep("pipelines", s.Pipelines), keep("applications", s.Applications), keep("definitions", s.Definitions)
	return s, findings
}

// lost says why a path leads nowhere, and what to do; nothing when it leads to something.
func (s Settings) lost(tree fs.FS, name string) (what, remedy string) {
	clean := path.Clean(strings.TrimPrefix(name, "/"))
	if !fs.ValidPath(clean) {
		return fmt.Sprintf("%q is outside of the repository", name), "write a path from its root on"
	}
	if _, err := fs.Stat(tree, clean); !errors.Is(err, fs.ErrNotExist) {
		return "", "" // what else is wrong with it is found by who reads it
	}
	remedy = "correct the path"
	if strings.ContainsAny(name, "*?[") {
		remedy = "name folders and files, without patterns: what is in a folder is read, too"
	} else if near := nearest.Path(tree, clean, func(fs.DirEntry) bool { return true }); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	}
	return fmt.Sprintf("there is no file or folder %q", name), remedy
}

// unmatched reports entries of stages that no stage matches: what they say counts for nothing.
func (s Settings) unmatched(pipelines []promote.Pipeline) []promote.Finding {
	var known []string
	for _, p := range pipelines {
		for _, stage := range p.Stages {
			known = append(known, promote.StageRef{Project: p.Project, Name: stage.Name}.String())
		}
	}
	var findings []promote.Finding
	for i, entry := range s.Stages {
		if slices.ContainsFunc(known, func(name string) bool { ok, err := path.Match(entry.Stage, name); return err == nil && ok }) {
			continue
		}
		key, remedy := fmt.Sprintf("stages[%d].stage", i), "correct or remove the entry; stages are written as project/stage"
		if near := nearest.Of(entry.Stage, known); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		findings = append(findings, promote.Finding{
			Severity: promote.SeverityWarning, Code: "unknown-stage", Position: s.at(key),
			Message: fmt.Sprintf("%s: no stage is called %q", key, entry.Stage), Remedy: remedy,
		})
	}
	return findings
}

// groupName is what a group may be called: it becomes part of a branch.
var groupName = regexp.MustCompile(`^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$`)

// supersedes are the words of lockkeeper.yaml for promote.Supersede.
var supersedes = map[string]promote.Supersede{
	"": promote.SupersedeInPlace, "update": promote.SupersedeInPlace, "new": promote.SupersedeByNew, "queue": promote.SupersedeQueue,
}

// apply writes the settings into the stages they name.
func (s Settings) apply(pipelines []promote.Pipeline) {
	for p := range pipelines {
		for i := range pipelines[p].Stages {
			stage := &pipelines[p].Stages[i]
			if entry, ok := s.stage(promote.StageRef{Project: pipelines[p].Project, Name: stage.Name}); ok {
				stage.AutoMerge = entry.AutoMerge
				stage.Supersede = supersedes[entry.Supersede]
				stage.Group = entry.Group
				stage.Opening = promote.Opening{Draft: entry.Draft, Assignees: entry.Assignees, Reviewers: entry.Reviewers}
			}
		}
	}
}

func (s Settings) stage(ref promote.StageRef) (StageSettings, bool) {
	for _, entry := range s.Stages {
		if ok, err := path.Match(entry.Stage, ref.String()); err == nil && ok {
			return entry, true
		}
	}
	return StageSettings{}, false
}

// defaultInterval is how often a warehouse that does not say is looked at (Kargo: 5m0s).
const defaultInterval = 5 * time.Minute
