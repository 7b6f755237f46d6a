package kargo

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// policies lists which stages each policy is about, by exact name and in the order in which they decide: those of the
// ProjectConfig, then those of the Project.
func (l *loader) policies(p *project) []promote.Policy {
	var out []promote.Policy
	for _, one := range slices.Concat(p.policies, p.oldPolicies) {
		rollback := l.rollback(one)
		for _, stage := range l.selected(p, one) {
			out = append(out, promote.Policy{
				Stage: stage, AutoPromotion: one.value.AutoPromotionEnabled, AutoRollback: rollback, Position: one.at(one.path),
			})
		}
	}
	return out
}

// rollback says after what a policy rolls back. One that lists no phases does so after a failed verification.
func (l *loader) rollback(one sourced[policy]) promote.AutoRollback {
	written := one.value.AutoRollback
	if written == nil {
		return promote.AutoRollback{}
	}
	l.phases(one, ".onPromotion", written.OnPromotion, "Failed", "Errored", "Aborted")
	l.phases(one, ".onVerification", written.OnVerification, "Failed", "Error", "Aborted", "Inconclusive")
	return promote.AutoRollback{
		Promotion:    len(written.OnPromotion) > 0,
		Verification: len(written.OnVerification) > 0 || len(written.OnPromotion) == 0,
	}
}

func (l *loader) phases(one sourced[policy], key string, phases []string, known ...string) {
	for i, phase := range phases {
		if !slices.Contains(known, phase) {
			l.fail(one.object, fmt.Sprintf("%s.autoRollback%s[%d]", one.path, key, i), "invalid-value",
				fmt.Sprintf("phase %q is not one to roll back after", bounded(phase)), "write "+either(known))
		}
	}
}

// selected returns the names of the stages that a policy is about.
func (l *loader) selected(p *project, one sourced[policy]) []string {
	selector := one.value.StageSelector
	switch {
	case one.value.Stage != "" && selector != nil:
		l.fail(one.object, one.path, "conflicting-keys", "the policy has both stage and stageSelector", "keep stageSelector")
		return nil
	case one.value.Stage != "":
		selector = &stageSelector{Name: one.value.Stage}
		if strings.Contains(selector.Name, ":") {
			l.fail(one.object, one.path+".stage", "invalid-value", fmt.Sprintf("stage %q is not a name", selector.Name), "write patterns in stageSelector.name")
			return nil
		}
		l.warn(one.object, one.path+".stage", "deprecated-key", "Kargo has deprecated stage of a policy", fmt.Sprintf("write stageSelector: {name: %s}", selector.Name))
	case selector == nil || selector.Name == "" && len(selector.MatchLabels)+len(selector.MatchExpressions) == 0:
		l.fail(one.object, one.path, "missing-key", "the policy selects no stage", "add stageSelector: {name: …}")
		return nil
	}
	matches, err := nameMatcher(selector.Name)
	if err != nil {
		l.fail(one.object, one.path+".stageSelector.name", "invalid-regex", fmt.Sprintf("stage selector %q is not a pattern: %v", selector.Name, err), "correct it")
		return nil
	}
	for i, requirement := range selector.MatchExpressions {
		if !l.requirement(one.object, fmt.Sprintf("%s.stageSelector.matchExpressions[%d]", one.path, i), requirement) {
			return nil
		}
	}
	var names, all []string
	for _, s := range p.stages {
		all = append(all, s.name)
		if matches(s.name) && matchLabels(*selector, s.value.Metadata.Labels) {
			names = append(names, s.name)
		}
	}
	if len(names) == 0 {
		l.warn(one.object, one.path, "unknown-stage", fmt.Sprintf("the policy is about stage %q, which project %q does not have", selector.Name, p.name),
			l.near(selector.Name, all, "stages of the project"))
	}
	return names
}

// requirement checks one requirement of a label selector as Kubernetes does.
func (l *loader) requirement(o object, path string, r labelRequirement) bool {
	lists := r.Operator == "In" || r.Operator == "NotIn"
	switch {
	case !lists && r.Operator != "Exists" && r.Operator != "DoesNotExist":
		l.fail(o, path, "invalid-value", fmt.Sprintf("operator %q is not known", r.Operator), "write In, NotIn, Exists or DoesNotExist")
	case r.Key == "":
		l.fail(o, path, "missing-key", "the requirement names no label", "add key: <label>")
	case lists && len(r.Values) == 0:
		l.fail(o, path, "missing-key", fmt.Sprintf("operator %s compares with nothing", r.Operator), "add values")
	case !lists && len(r.Values) > 0:
		l.fail(o, path, "conflicting-keys", fmt.Sprintf("operator %s takes no values", r.Operator), "remove values, or write In or NotIn")
	default:
		return true
	}
	return false
}

// nameMatcher reads an exact name, "glob:…", "regex:…" or "regexp:…". The empty name matches every stage.
func nameMatcher(text string) (func(string) bool, error) {
	if text == "" {
		return func(string) bool { return true }, nil
	}
	scheme, pattern, found := strings.Cut(text, ":")
	switch {
	case !found:
		return func(name string) bool { return name == text }, nil
	case scheme == "glob":
		pattern = globPattern(pattern)
	case scheme != "regex" && scheme != "regexp":
		return nil, fmt.Errorf("scheme %q is none of glob, regex and regexp", scheme)
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	return compiled.MatchString, nil
}

// globPattern turns a glob with *, ?, [classes] and {alternatives} into a regular expression. Stage names hold no slash, so
// * matches everything.
func globPattern(glob string) string {
	var b strings.Builder
	b.WriteString("^")
	depth := 0
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; {
		case c == '*':
			b.WriteString(".*")
		case c == '?':
			b.WriteString(".")
		case c == '{':
			depth++
			b.WriteString("(?:")
		case c == '}' && depth > 0:
			depth--
			b.WriteString(")")
		case c == ',' && depth > 0:
			b.WriteString("|")
		case c == '[' && i+1 < len(glob) && glob[i+1] == '!':
			b.WriteString("[^")
			i++
		case c == '[' || c == ']' || c == '-' || c == '^':
			b.WriteByte(c)
		default:
			b.WriteString(regexp.QuoteMeta(string(rune(c))))
		}
	}
	return b.String() + "$"
}

// matchLabels decides as Kubernetes' label selectors do.
func matchLabels(s stageSelector, labels map[string]string) bool {
	for key, value := range s.MatchLabels {
		if got, ok := labels[key]; !ok || got != value {
			return false
		}
	}
	for _, requirement := range s.MatchExpressions {
		value, ok := labels[requirement.Key]
		in := ok && slices.Contains(requirement.Values, value)
		switch requirement.Operator {
		case "In":
			ok = in
		case "NotIn":
			ok = !in
		case "DoesNotExist":
			ok = !ok
		}
		if !ok {
			return false
		}
	}
	return true
}
