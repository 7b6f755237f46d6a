package kargo

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// artifactKind is a kind of artifact that expressions look up in freight.
type artifactKind struct {
	code       string
	one, many  string // words for it
	subscribed func(promote.Warehouse) []string
	normal     func(string) string
}

// artifactKinds are the kinds by the function that looks them up. A chart is written as its repository and its name.
var artifactKinds = map[string]artifactKind{
	"imageFrom": {"unknown-image", "image", "images", func(w promote.Warehouse) []string {
		return texts(w.Images, func(s promote.ImageSubscription) string { return s.RepoURL })
	}, promote.NormalizeImage},
	"commitFrom": {"unknown-repository", "Git repository", "Git repositories", func(w promote.Warehouse) []string {
		return texts(w.Git, func(s promote.GitSubscription) string { return s.RepoURL })
	}, promote.NormalizeGitURL},
	"chartFrom": {"unknown-chart", "chart", "charts", func(w promote.Warehouse) []string {
		return texts(w.Charts, func(s promote.ChartSubscription) string { return strings.TrimSpace(s.RepoURL + " " + s.Chart) })
	}, func(text string) string {
		url, name, _ := strings.Cut(text, " ")
		return strings.TrimSpace(promote.NormalizeChartURL(url) + " " + name)
	}},
}

func texts[T any](items []T, text func(T) string) []string {
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = text(item)
	}
	return out
}

// plainArgument matches an argument that is a variable or a string.
const plainArgument = `(vars\.\w+|'[^'\\]*'|"[^"\\]*")`

// artifactCall matches a look-up with plain arguments: a repository, of a chart also its name, and the warehouse.
var artifactCall = regexp.MustCompile(`\b(imageFrom|commitFrom|chartFrom)\(\s*` + plainArgument + `\s*(?:,\s*` + plainArgument +
	`\s*)?(?:,\s*warehouse\(\s*` + plainArgument + `\s*\)\s*)?\)`)

// artifacts checks that what a template looks up is among the freight of the stage.
func (c planCheck) artifacts(at promote.Position, template string, known map[string]literalText) {
	if strings.Contains(template, "?") || strings.Contains(template, "nil") { // the template provides for finding nothing
		return
	}
	for _, match := range artifactCall.FindAllStringSubmatch(template, -1) {
		repo, ok := argument(match[2], known)
		name, nameOK := argument(match[3], known)
		warehouse, warehouseOK := argument(match[4], known)
		if ok && nameOK && warehouseOK && repo != "" && (name == "" || match[1] == "chartFrom") {
			c.artifact(at, match[1], strings.TrimSpace(repo+" "+name), warehouse)
		}
	}
}

// argument is the text of an argument, if it does not depend on anything that is not known yet. One that is not written is
// empty.
func argument(text string, known map[string]literalText) (string, bool) {
	if text == "" {
		return "", true
	}
	name, isVar := strings.CutPrefix(text, "vars.")
	if !isVar {
		return text[1 : len(text)-1], true
	}
	value, ok := known[name]
	return value.text, ok && value.plain
}

func (c planCheck) artifact(at promote.Position, function, wanted, warehouse string) {
	kind := artifactKinds[function]
	var requested, subscribed []string
	for _, r := range c.plan.stage.Requests {
		w, ok := c.warehouses[r.Warehouse]
		if !ok || c.broken[ref{kindWarehouse, c.plan.project, w.Name}] {
			return // reported already
		}
		requested = append(requested, w.Name)
		if warehouse == "" || warehouse == w.Name {
			subscribed = append(subscribed, kind.subscribed(w)...)
		}
	}
	normal := kind.normal(wanted)
	found := slices.ContainsFunc(subscribed, func(one string) bool {
		one = kind.normal(one)
		return one == normal || function == "chartFrom" && strings.HasPrefix(one, normal+" ")
	})
	finding := promote.Finding{Severity: promote.SeverityError, Position: at}
	if strings.ContainsAny(warehouse+wanted, "<>") { // a placeholder: the manifest is an example or not finished
		finding.Severity = promote.SeverityWarning
	}
	switch {
	case warehouse != "" && !slices.Contains(requested, warehouse):
		finding.Code = "unknown-warehouse"
		finding.Message = fmt.Sprintf("the stage does not request freight of warehouse %q, so %s gives nothing", bounded(warehouse), function)
		finding.Remedy = c.near(warehouse, requested, "requested warehouses")
	case !found:
		finding.Code = kind.code
		finding.Message = fmt.Sprintf("no requested warehouse subscribes to %s %q, so %s gives nothing", kind.one, bounded(promote.WithoutUser(wanted)), function)
		finding.Remedy = c.near(wanted, subscribed, "subscribed "+kind.many)
	default:
		return
	}
	c.report(c.plan.ref(), finding)
}
