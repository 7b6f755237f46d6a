package kargo

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// constraint checks a range of versions.
func (r subscriptionReader) constraint(path, text string) {
	if text == "" {
		return
	}
	if _, err := semver.NewConstraint(text); err != nil {
		r.fail(r.o, path, "invalid-constraint", fmt.Sprintf("constraint %q is not a semantic version range: %v", text, err),
			`write a range such as "^1.26.0" or ">=1.0.0 <2.0.0"`)
	}
}

// tagPatterns returns which tags to take and which to leave, the old spellings included.
func (r subscriptionReader) tagPatterns(path string, s tagSelection) (allow, ignore []string) {
	allow, ignore = slices.Clip(s.AllowTagsRegexes), slices.Clip(s.IgnoreTagsRegexes)
	for i, pattern := range allow {
		r.regex(fmt.Sprintf("%s.allowTagsRegexes[%d]", path, i), pattern)
	}
	for i, pattern := range ignore {
		r.regex(fmt.Sprintf("%s.ignoreTagsRegexes[%d]", path, i), pattern)
	}
	if s.AllowTags != "" {
		r.warn(r.o, path+".allowTags", "deprecated-key", "allowTags makes Kargo 1.11 and later stop discovering", "move the expression to the list allowTagsRegexes")
		r.regex(path+".allowTags", s.AllowTags)
		allow = append(allow, s.AllowTags)
	}
	if len(s.IgnoreTags) > 0 {
		r.warn(r.o, path+".ignoreTags", "deprecated-key", "ignoreTags makes Kargo 1.11 and later stop discovering", `move each tag to ignoreTagsRegexes as "^tag$"`)
		for _, tag := range s.IgnoreTags {
			ignore = append(ignore, "^"+regexp.QuoteMeta(tag)+"$")
		}
	}
	return allow, ignore
}

// unusedTagKeys warns of filters for tags where no tags are listed.
func (r subscriptionReader) unusedTagKeys(path string, s tagSelection, when string) {
	r.unused(r.o, path+".allowTagsRegexes", len(s.AllowTagsRegexes) > 0, when)
	r.unused(r.o, path+".ignoreTagsRegexes", len(s.IgnoreTagsRegexes) > 0, when)
}

func (r subscriptionReader) regex(path, pattern string) {
	if _, err := regexp.Compile(pattern); err != nil {
		r.fail(r.o, path, "invalid-regex", fmt.Sprintf("%q is not a regular expression: %v", pattern, err), "correct it (Go's RE2 syntax)")
	}
}

// pathPatterns checks which files the commits of a subscription must change.
func (r subscriptionReader) pathPatterns(at string, patterns []string) {
	for i, pattern := range patterns {
		item := fmt.Sprintf("%s[%d]", at, i)
		scheme, rest, _ := strings.Cut(pattern, ":")
		switch scheme {
		case "glob":
			if err := checkGlob(rest); err != nil {
				r.fail(r.o, item, "invalid-glob", fmt.Sprintf("%q is not a glob: %v", pattern, err), `correct it, as in "glob:apps/**/*.yaml"`)
			}
		case "regex", "regexp":
			r.regex(item, rest)
		default:
			r.basePath(item, pattern)
		}
	}
}

// basePath checks a pattern that names a file or a folder.
func (r subscriptionReader) basePath(at, pattern string) {
	switch clean := path.Clean(pattern); {
	case pattern == "":
		r.fail(r.o, at, "invalid-path", "the path is empty", `write a folder or file, or "." for all`)
	case path.IsAbs(clean):
		r.fail(r.o, at, "invalid-path", fmt.Sprintf("path %q begins with a slash and so matches nothing", bounded(pattern)), "write it relative to the root of the repository")
	case clean == ".." || strings.HasPrefix(clean, "../"):
		r.fail(r.o, at, "invalid-path", fmt.Sprintf("path %q is outside of the repository and so matches nothing", bounded(pattern)), "write it relative to the root of the repository")
	case strings.ContainsAny(pattern, "*?["):
		r.warn(r.o, at, "invalid-path", fmt.Sprintf("path %q is taken literally: it looks like a pattern", bounded(pattern)), `write "glob:`+bounded(pattern)+`"`)
	}
}

// checkGlob checks the syntax of a glob with *, **, ?, [classes] and {alternatives}.
func checkGlob(glob string) error {
	if glob == "" {
		return errors.New("it is empty")
	}
	if _, err := path.Match(glob, ""); err != nil {
		return errors.New("a [ or a \\ has no end")
	}
	depth := 0
	for i := 0; i < len(glob); i++ {
		switch glob[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth < 0 {
			return errors.New("a } has no beginning")
		}
	}
	if depth > 0 {
		return errors.New("a { has no end")
	}
	return nil
}

// either words a choice: "a, b or c".
func either(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}
