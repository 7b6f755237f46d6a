package reconcile

import (
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/drift"
)

// DriftRules are the rules of lockkeeper.yaml's drift, in its order.
func (s Settings) DriftRules() []drift.Rule {
	rules := make([]drift.Rule, len(s.Drift))
	for i, entry := range s.Drift {
		rules[i] = drift.Rule(entry)
	}
	return rules
}

// DriftFindings are problems of [Settings.DriftRules] as warnings at their places in lockkeeper.yaml.
func (s Settings) DriftFindings(problems []drift.Problem) []promote.Finding {
	findings := make([]promote.Finding, len(problems))
	for i, p := range problems {
		line, column := s.driftPlace(p)
		findings[i] = promote.Finding{
			Severity: promote.SeverityWarning, Code: "drift", Position: promote.Position{File: SettingsFile, Line: line, Column: column},
			Message: p.Message, Remedy: p.Remedy,
		}
	}
	return findings
}

// checkDrift reports what is wrong with the rules, whatever the repository holds.
func (s Settings) checkDrift() error {
	var problems []error
	for _, p := range drift.Check(s.DriftRules()) {
		line, column := s.driftPlace(p)
		path := driftPath(p)
		problems = append(problems, &manifest.Error{
			File: SettingsFile, Line: line, Column: column, Path: path, Problem: path + ": " + p.Message, Remedy: p.Remedy,
		})
	}
	return errors.Join(problems...)
}

func driftPath(p drift.Problem) string { return fmt.Sprintf("drift[%d].%s", p.Rule, p.Key) }

// driftPlace returns where the part of a rule stands that a problem is about, or else where the rule does.
func (s Settings) driftPlace(p drift.Problem) (line, column int) {
	for _, path := range []string{driftPath(p), fmt.Sprintf("drift[%d]", p.Rule)} {
		if key, value := s.document.Find(path); value != nil {
			return key.Line, key.Column
		}
	}
	return 0, 0
}
