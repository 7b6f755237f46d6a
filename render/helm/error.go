package helm

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

var (
	place     = regexp.MustCompile(`template: ([^:\n]+):([0-9]+)(?::([0-9]+))?: `)
	executing = regexp.MustCompile(`^executing "[^"]*" at <(.*?)>: `)
	calling   = regexp.MustCompile(`^error calling [a-zA-Z0-9_]+: `)
)

// failed says where a template failed: in the innermost one, with the outermost named when it is another.
func failed(name string, err error) error {
	if isBudget(err) {
		located := located(name, err.Error(), err)
		return bound(located.File, located.Line, err)
	}
	return located(name, err.Error(), err)
}

// located finds the innermost place that text/template mentions and cuts its chain of callers off.
func located(name, text string, err error) *manifest.Error {
	out := &manifest.Error{File: name, Problem: text, Cause: err}
	last := []int(nil)
	for _, match := range place.FindAllStringSubmatchIndex(text, -1) {
		if last == nil || text[match[2]:match[3]] != rootName {
			last = match
		}
	}
	if last != nil {
		out.File = text[last[2]:last[3]]
		out.Line, _ = strconv.Atoi(text[last[4]:last[5]])
		if last[6] >= 0 {
			column, _ := strconv.Atoi(text[last[6]:last[7]])
			out.Column = column + 1
		}
		out.Problem = text[last[1]:]
		if at := executing.FindStringSubmatch(out.Problem); at != nil {
			out.Problem = strings.TrimPrefix(out.Problem, at[0])
			if message := calling.ReplaceAllString(out.Problem, ""); message != out.Problem {
				out.Problem = message
			} else {
				out.Problem = at[1] + ": " + message
			}
		}
	}
	out.Problem = excerpt(out.Problem)
	if out.File != name {
		out.Remedy = "it was reached from " + name
	}
	return out
}

// notYAML says which template made what cannot be read.
func notYAML(err error, files map[string]string) error {
	text := err.Error()
	for name := range files {
		if reason, found := strings.CutPrefix(text, "YAML parse error on "+name+": "); found {
			return &manifest.Error{
				File: name, Problem: "rendered something that is not YAML: " + excerpt(strings.TrimPrefix(reason, "error converting YAML to JSON: ")),
				Remedy: "check indentation and quoting", Cause: err,
			}
		}
	}
	return &manifest.Error{Problem: excerpt(text), Cause: err}
}

// excerpt bounds a text that goes into a message and keeps it on one line.
func excerpt(s string) string {
	const most = 400
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
