package reconcile

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
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
	// Clusters lists the clusters that Argo CD knows, for ApplicationSets with a clusters generator.
	Clusters []ClusterSettings `json:"clusters"`
	// Stages holds what differs from the default for some stages. The first entry that matches counts.
	Stages []StageSettings `json:"stages"`
	// Targets lists stages that are promoted to in many places, such as clusters, in waves.
	Targets []TargetSettings `json:"targets"`
	// Drift lists folders that should be alike, such as those of one component in several environments.
	Drift []DriftSettings `json:"drift"`

	document manifest.Document // where it stands
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

// LoadSettings reads lockkeeper.yaml alone, and says what is wrong with it: then the settings are their defaults.
func LoadSettings(tree fs.FS) (Settings, []promote.Finding) {
	settings, err := readSettings(tree)
	if err != nil {
		return settings, settingsFindings(err)
	}
	return settings, nil
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
		return settings, fmt.Errorf("%s:%d: expected one YAML document, found %d", SettingsFile, documents[1].Line, len(documents))
	}
	if err := manifest.Decode(documents[0], &settings); err != nil {
		return Settings{}, err
	}
	settings.document = documents[0]
	for i, stage := range settings.Stages {
		if _, err := path.Match(stage.Stage, ""); err != nil || stage.Stage == "" {
			return Settings{}, fmt.Errorf("%s: stages[%d].stage %q: expected project/stage, in which * stands for any part of a name",
				SettingsFile, i, stage.Stage)
		}
		if !groupName.MatchString(stage.Group) {
			return Settings{}, fmt.Errorf("%s: stages[%d].group %q: expected lower-case letters, digits and dashes", SettingsFile, i, stage.Group)
		}
		if _, known := supersedes[stage.Supersede]; !known {
			return Settings{}, fmt.Errorf("%s: stages[%d].supersede %q: expected update, new or queue", SettingsFile, i, stage.Supersede)
		}
	}
	for i, cluster := range settings.Clusters {
		if cluster.Name == "" || cluster.Server == "" {
			return Settings{}, fmt.Errorf("%s: clusters[%d] has no name or no server: write both, as Argo CD's Secret of the cluster has them", SettingsFile, i)
		}
	}
	for i, target := range settings.Targets {
		if err := target.check(i); err != nil {
			return Settings{}, err
		}
	}
	if err := settings.checkDrift(); err != nil {
		return Settings{}, err
	}
	return settings, nil
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
