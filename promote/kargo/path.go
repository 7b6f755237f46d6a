package kargo

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/promote"
)

var variableTemplate = regexp.MustCompile(`\$\{\{\s*vars\.([a-zA-Z_]\w*)\s*\}\}`)

// maxLiteral bounds the texts that variables expand to.
const maxLiteral = 4096

// literalText is what a template comes to; plain is false when that is not known before the promotion.
type literalText struct {
	text  string
	plain bool
}

// literals are the values of variables, in the order of evaluation. Of a name that stands twice the last counts.
func literals(vars []plannedVar) map[string]literalText {
	known := make(map[string]literalText, len(vars))
	for _, v := range vars {
		known[v.Name] = literal(v.Value, known)
	}
	return known
}

// literal replaces the variables of a template by their values as far as those are plain text.
func literal(template string, known map[string]literalText) literalText {
	plain := len(template) <= maxLiteral
	text := template
	if plain {
		text = variableTemplate.ReplaceAllStringFunc(template, func(match string) string {
			value, ok := known[variableTemplate.FindStringSubmatch(match)[1]]
			plain = plain && ok && value.plain
			return value.text
		})
	}
	plain = plain && len(text) <= maxLiteral && !strings.Contains(text, "${{") && !strings.Contains(text, "${%")
	if !plain {
		return literalText{}
	}
	return literalText{text, true}
}

// checkout is a place where git-clone puts files.
type checkout struct{ written, clean string }

// checkPaths checks that steps work where something was checked out. It says nothing once a path depends on more than plain
// variables.
func (l *loader) checkPaths(p plan) {
	var checkouts []checkout
	for _, s := range p.steps {
		if _, ok := stepSchemas[s.Uses]; s.raw || !ok {
			return
		}
		known := literals(slices.Concat(p.vars, s.vars))
		if s.Uses == "git-clone" {
			found, ok := cloned(s, known)
			if !ok {
				return
			}
			checkouts = append(checkouts, found...)
			continue
		}
		node := child(s.config, "path")
		if node == nil || node.Kind != yaml.ScalarNode {
			continue
		}
		if where := literal(node.Value, known); where.plain {
			l.checkPath(p, s, node, where.text, checkouts)
		}
	}
}

func (l *loader) checkPath(p plan, s plannedStep, node *yaml.Node, text string, checkouts []checkout) {
	clean := path.Clean("/" + text)[1:]
	if slices.ContainsFunc(checkouts, func(c checkout) bool {
		return clean == c.clean || c.clean == "" || strings.HasPrefix(clean, c.clean+"/")
	}) {
		return
	}
	verb := "works in"
	if strings.HasPrefix(s.Uses, "yaml-") {
		verb = "reads"
	}
	message := fmt.Sprintf("%s %s %q but no git-clone before it checks out there", s.Uses, verb, bounded(text))
	remedy := "add a git-clone step before it"
	if len(checkouts) > 0 {
		written := make([]string, len(checkouts))
		for i, c := range checkouts {
			written[i] = c.written
		}
		remedy = "begin the path with one of the checkouts: " + strings.Join(written, ", ")
	}
	l.report(p.ref(), promote.Finding{
		Severity: promote.SeverityError, Code: "path-not-cloned", Position: s.source.node(node), Message: message, Remedy: remedy,
	})
}

// cloned lists where a git-clone step checks out; ok is false when that is not known before it runs.
func cloned(s plannedStep, known map[string]literalText) (found []checkout, ok bool) {
	list := child(s.config, "checkout")
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil, false
	}
	for _, item := range list.Content {
		node := child(item, "path")
		if node == nil || node.Kind != yaml.ScalarNode {
			return nil, false
		}
		where := literal(node.Value, known)
		if !where.plain {
			return nil, false
		}
		found = append(found, checkout{where.text, path.Clean("/" + where.text)[1:]})
	}
	return found, true
}

// child returns the value of a key, nil when there is none.
func child(n *yaml.Node, name string) *yaml.Node {
	_, value := manifest.Child(n, name)
	return value
}
