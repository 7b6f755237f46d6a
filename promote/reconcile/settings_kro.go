package reconcile

import (
	"fmt"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/render/kro"
)

// KroSettings is lockkeeper.yaml's kro: what runs in the clusters.
type KroSettings struct {
	// Version is the version of kro, such as "0.8" or "0.8.5": its rules count for definitions. Default: the newest that is
	// known, 0.9.4.
	Version string `json:"version"`
}

func (s Settings) checkKro() []error {
	if _, err := kro.ParseVersion(s.Kro.Version); err != nil {
		return []error{s.problem("kro.version", fmt.Sprintf("%q is no version", s.Kro.Version), `write it as "0.8" or "0.8.5"`)}
	}
	return nil
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
