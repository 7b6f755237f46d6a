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

// place is where earlier steps left files.
type place struct {
	written, clean string
	checkout       bool // git-clone put them there
}

// holds reports whether something at a path may be in the place.
func (p place) holds(clean string) bool {
	return clean == p.clean || p.clean == "" || strings.HasPrefix(clean, p.clean+"/")
}

// checkPaths checks that steps work where something was checked out or written. It says nothing once a path depends on more
// than plain variables.
func (l *loader) checkPaths(p plan) {
	var places []place
	for _, s := range p.steps {
		known, ok := stepSchemas[s.Uses]
		if s.raw || !ok {
			return
		}
		texts := literals(slices.Concat(p.vars, s.vars))
		if s.Uses == "git-clone" {
			found, ok := cloned(s, texts)
			if !ok {
				return
			}
			places = append(places, found...)
			continue
		}
		made, ok := l.checkStepPaths(p, s, known, texts, places)
		if !ok {
			return
		}
		places = append(places, made...)
	}
}

// checkStepPaths checks what one step reads and returns where it writes; ok is false when that is not known before it runs.
func (l *loader) checkStepPaths(p plan, s plannedStep, known schema, texts map[string]literalText, places []place) (made []place, ok bool) {
	for _, k := range known.keys {
		node := child(s.config, k.name)
		if k.place == placeNone || node == nil || node.Kind != yaml.ScalarNode {
			continue
		}
		where := literal(node.Value, texts)
		switch {
		case k.place == placeMade && !where.plain:
			return nil, false
		case k.place == placeMade:
			made = append(made, place{written: where.text, clean: clean(where.text)})
		case where.plain:
			l.checkPath(p, s, node, k.place, where.text, places)
		}
	}
	return made, true
}

// clean is a path below the folder that steps work in.
func clean(text string) string { return path.Clean("/" + text)[1:] }

func (l *loader) checkPath(p plan, s plannedStep, node *yaml.Node, kind placeKind, text string, places []place) {
	target := clean(text)
	if slices.ContainsFunc(places, func(one place) bool {
		if kind == placeTree {
			return one.checkout && one.holds(target)
		}
		return one.holds(target) || !one.checkout && (target == "" || strings.HasPrefix(one.clean, target+"/"))
	}) {
		return
	}
	verb := "reads"
	if kind == placeTree {
		verb = "works in"
	}
	message := fmt.Sprintf("%s %s %q but no git-clone before it checks out there", s.Uses, verb, bounded(text))
	remedy := "add a git-clone step before it"
	var checkouts []string
	for _, one := range places {
		if one.checkout {
			checkouts = append(checkouts, bounded(one.written))
		}
	}
	if len(checkouts) > 0 {
		remedy = "begin the path with one of the checkouts: " + strings.Join(checkouts, ", ")
	}
	l.report(p.ref(), promote.Finding{
		Severity: promote.SeverityError, Code: "path-not-cloned", Position: s.source.node(node), Message: message, Remedy: remedy,
	})
}

// cloned lists where a git-clone step checks out; ok is false when that is not known before it runs.
func cloned(s plannedStep, texts map[string]literalText) (found []place, ok bool) {
	list := child(s.config, "checkout")
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil, false
	}
	for _, item := range list.Content {
		node := child(item, "path")
		if node == nil || node.Kind != yaml.ScalarNode {
			return nil, false
		}
		where := literal(node.Value, texts)
		if !where.plain {
			return nil, false
		}
		found = append(found, place{written: where.text, clean: clean(where.text), checkout: true})
	}
	return found, true
}

// child returns the value of a key, nil when there is none.
func child(n *yaml.Node, name string) *yaml.Node {
	_, value := manifest.Child(n, name)
	return value
}
