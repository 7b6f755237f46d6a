package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/expr-lang/expr/builtin"

	"github.com/lockkeeper/lockkeeper/internal/yamltext"
)

// function is a function of the language with its overloads, written as expr-lang wants them: new(func(…) …).
type function struct {
	name  string
	call  func(args ...any) (any, error)
	types []any
}

// statusFunctions exist only where steps have run.
var statusFunctions = []string{"always", "failure", "status", "success"}

// lookups are the functions whose null has a cause that is worth telling.
var lookups = append([]string{
	"artifactFrom", "chartFrom", "commitFrom", "imageFrom", "freightMetadata", "freightStatus", "stageMetadata",
}, storeFunctions...)

// objects are the functions that give an object whose keys are known, so that a missing one is an error.
var objects = append([]string{"artifactFrom", "freightMetadata", "freightStatus", "stageMetadata"}, storeFunctions...)

// functions gives all functions of env. What they do not find and which secrets they read is noted in t.
func functions(t *trail, env Env) []function {
	return slices.Concat(
		utilities(), env.status(), env.freightFunctions(t), env.recordFunctions(t), env.stores(t),
		[]function{{"warehouse", warehouse, []any{new(func(string) Origin)}}},
	)
}

func warehouse(args ...any) (any, error) {
	if args[0].(string) == "" {
		return nil, errors.New(`warehouse(""): name the warehouse whose freight is meant`)
	}
	return Origin{Kind: "Warehouse", Name: args[0].(string)}, nil
}

// status gives the status functions, which without a status explain where they can be used.
func (e Env) status() []function {
	with := func(name string, f func(s *Status, args []any) any, overload any) function {
		return function{name, func(args ...any) (any, error) {
			if e.Status == nil {
				return nil, fmt.Errorf(`%s() is %w in variables: use it in the "if" or "config" of a step`, name, ErrNotAvailable)
			}
			return f(e.Status, args), nil
		}, []any{overload}}
	}
	return []function{
		with("always", func(*Status, []any) any { return true }, new(func() bool)),
		with("success", func(s *Status, _ []any) any { return !s.Failed }, new(func() bool)),
		with("failure", func(s *Status, _ []any) any { return s.Failed }, new(func() bool)),
		with("status", func(s *Status, args []any) any { return s.of(args[0].(string)) }, new(func(string) string)),
	}
}

// utilities are the functions that only compute.
func utilities() []function {
	return []function{
		{"quote", quote, []any{new(func(any) string)}},
		{"unsafeQuote", unsafeQuote, []any{new(func(any) string)}},
		{"asYAML", asYAML, []any{new(func(any) string)}},
		{"asJSON", asJSON, []any{new(func(any) string)}},
		{"semverParse", semverParse, []any{new(func(string) *semver.Version)}},
		{"semverDiff", semverDiff, []any{new(func(string, string) string)}},
	}
}

// quote makes sure that a value ends as a string. The quotes are taken off when the whole template is typed.
func quote(args ...any) (any, error) {
	if s, ok := args[0].(string); ok {
		return strconv.Quote(s), nil
	}
	return unsafeQuote(args...)
}

func unsafeQuote(args ...any) (any, error) {
	b, err := json.Marshal(args[0])
	if err != nil {
		return nil, fmt.Errorf("quote %s: %w", describe(args[0]), err)
	}
	return `"` + string(b) + `"`, nil
}

func asYAML(args ...any) (any, error) {
	b, err := yamltext.Marshal(args[0])
	if err != nil {
		return nil, fmt.Errorf("asYAML of %s: %w", describe(args[0]), err)
	}
	return `"` + string(b) + `"`, nil
}

func asJSON(args ...any) (any, error) {
	b, err := json.MarshalIndent(args[0], "", "  ")
	if err != nil {
		return nil, fmt.Errorf("asJSON of %s: %w", describe(args[0]), err)
	}
	return `"` + string(b) + "\n" + `"`, nil
}

func semverParse(args ...any) (any, error) {
	v, err := semver.NewVersion(args[0].(string))
	if err != nil {
		return nil, fmt.Errorf("semverParse(%q): %w", excerpt(args[0].(string)), err)
	}
	return v, nil
}

// semverDiff names the most significant part in which two versions differ; pre-releases are not compared.
func semverDiff(args ...any) (any, error) {
	a, errA := semver.NewVersion(args[0].(string))
	b, errB := semver.NewVersion(args[1].(string))
	switch {
	case errA != nil || errB != nil:
		return "Incomparable", nil
	case a.Major() != b.Major():
		return "Major", nil
	case a.Minor() != b.Minor():
		return "Minor", nil
	case a.Patch() != b.Patch():
		return "Patch", nil
	case a.Metadata() != b.Metadata():
		return "Metadata", nil
	}
	return "None", nil
}

// functionNames lists what can be called: the given functions and expr-lang's.
func functionNames(fns []function) []string {
	var all []string
	for _, f := range fns {
		if !strings.HasPrefix(f.name, hiddenPrefix) {
			all = append(all, f.name)
		}
	}
	for _, f := range builtin.Builtins {
		all = append(all, f.Name)
	}
	return all
}
