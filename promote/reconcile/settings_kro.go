package reconcile

import (
	"fmt"
	"io/fs"
	"path"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/render"
	"github.com/lockkeeper/lockkeeper/render/kro"
)

// KroSettings is lockkeeper.yaml's kro: what runs in the clusters.
type KroSettings struct {
	// Version is the version of kro, such as "0.8" or "0.8.5": its rules count for definitions. Default: the newest that is
	// known, 0.9.4.
	Version string `json:"version"`
	// Definitions lists other repositories with ResourceGraphDefinitions. What the repository itself defines counts more.
	Definitions []KroDefinitionSettings `json:"definitions"`
}

// KroDefinitionSettings is one entry of kro.definitions.
type KroDefinitionSettings struct {
	// RepoURL is the URL of the repository. It has to be below one in fetch.
	RepoURL string `json:"repoURL"`
	// Revision is a branch, a tag, a range of tags or a commit. Default: the default branch.
	Revision string `json:"revision"`
	// Path is the folder with the definitions. Default: all of the repository.
	Path string `json:"path"`
}

func (s Settings) checkKro() []error {
	var problems []error
	if _, err := kro.ParseVersion(s.Kro.Version); err != nil {
		problems = append(problems, s.problem("kro.version", fmt.Sprintf("%q is no version", s.Kro.Version), `write it as "0.8" or "0.8.5"`))
	}
	for i, d := range s.Kro.Definitions {
		at := fmt.Sprintf("kro.definitions[%d]", i)
		if d.RepoURL == "" {
			problems = append(problems, s.problem(at, "there is no repoURL", "write one such as https://github.com/acme/platform.git"))
		}
		if !fs.ValidPath(path.Join(".", d.Path)) {
			problems = append(problems, s.problem(at+".path", fmt.Sprintf("%q lies outside of that repository", d.Path), "write a path from its root on"))
		}
	}
	return problems
}

// definitionRepositories are those of kro.definitions.
func (s Settings) definitionRepositories() []render.DefinitionRepository {
	var out []render.DefinitionRepository
	for _, d := range s.Kro.Definitions {
		out = append(out, render.DefinitionRepository{URL: d.RepoURL, Revision: d.Revision, Path: d.Path})
	}
	return out
}

// kroFindings warns of a version whose rules are not known.
func (s Settings) kroFindings() []promote.Finding {
	note := s.kroVersion().Unknown()
	if note == "" {
		return nil
	}
	const key = "kro.version"
	return []promote.Finding{{
		Severity: promote.SeverityWarning, Code: "settings", Position: s.at(key), Message: key + ": " + note,
		Remedy: "what is shown may differ from what that version does",
	}}
}

// kroVersion is the newest one when none or a wrong one is written.
func (s Settings) kroVersion() kro.Version {
	v, err := kro.ParseVersion(s.Kro.Version)
	if err != nil {
		return kro.Version{}
	}
	return v
}
