package kargo

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	defaultInterval       = 5 * time.Minute
	defaultDiscoveryLimit = 20
	maxDiscoveryLimit     = 100
)

var intervalPattern = regexp.MustCompile(`^([0-9]+(\.[0-9]+)?(s|m|h))+$`)

// present reports whether a key that is decoded as a node was written with a value.
func present(n yaml.Node) bool { return n.Kind != 0 && n.Tag != "!!null" }

func (l *loader) warehouse(o object, m warehouseManifest) promote.Warehouse {
	spec := m.Spec
	w := promote.Warehouse{
		Name: o.name, Interval: defaultInterval, Criteria: strings.TrimSpace(spec.FreightCreationCriteria.Expression), Position: o.position(),
	}
	if spec.Interval != "" {
		w.Interval = l.interval(o, spec.Interval)
	}
	const criteria = "spec.freightCreationCriteria.expression"
	switch spec.FreightCreationPolicy {
	case "", "Automatic":
		l.checkCriteria(o, criteria, w.Criteria)
	case "Manual":
		w.Manual = true
		l.unused(o, criteria, w.Criteria != "", "with freightCreationPolicy Manual")
	default:
		l.fail(o, "spec.freightCreationPolicy", "invalid-value",
			fmt.Sprintf("freightCreationPolicy %q is not known", spec.FreightCreationPolicy), "write Automatic or Manual")
	}
	if len(spec.Subscriptions) == 0 {
		l.fail(o, "spec.subscriptions", "missing-key", fmt.Sprintf("Warehouse %q subscribes to nothing", o.name),
			"add subscriptions with an image and its repoURL")
	}
	r := subscriptionReader{loader: l, o: o, seen: map[string]promote.Position{}}
	for i, one := range spec.Subscriptions {
		r.read(fmt.Sprintf("spec.subscriptions[%d]", i), one, &w)
	}
	return w
}

func (l *loader) interval(o object, text string) time.Duration {
	parsed, err := time.ParseDuration(text)
	switch {
	case err != nil || !intervalPattern.MatchString(text):
		l.fail(o, "spec.interval", "invalid-interval", fmt.Sprintf("interval %q is not a duration", text), `write hours, minutes and seconds, such as "5m0s"`)
		return defaultInterval
	case parsed == 0:
		l.warn(o, "spec.interval", "invalid-interval", "interval 0s would ask the registry without pause; 5m0s is used", "write a longer interval")
		return defaultInterval
	}
	return parsed
}

// unused warns of a key that is written and changes nothing.
func (l *loader) unused(o object, path string, written bool, when string) {
	if written {
		key := path[strings.LastIndexByte(path, '.')+1:]
		l.warn(o, path, "unused-key", fmt.Sprintf("%s has no effect %s", key, when), "remove it")
	}
}

// subscriptionReader reads the subscriptions of one warehouse.
type subscriptionReader struct {
	*loader
	o    object
	seen map[string]promote.Position // names and repositories
}

// read adds one subscription to the warehouse.
func (r subscriptionReader) read(path string, s subscription, w *promote.Warehouse) {
	r.checkTypes(path, s)
	if s.Name != "" {
		r.checkName(path+".name", s.Name)
	}
	if s.Image != nil {
		image := r.image(path+".image", *s.Image)
		image.Name = s.Name
		r.once(path, "image", image.RepoURL, promote.NormalizeImage(image.RepoURL), image.Position)
		w.Images = append(w.Images, image)
	}
	if s.Git != nil {
		git := r.git(path+".git", *s.Git)
		git.Name = s.Name
		r.once(path, "Git repository", promote.WithoutUser(git.RepoURL), promote.NormalizeGitURL(git.RepoURL), git.Position)
		w.Git = append(w.Git, git)
	}
	if s.Chart != nil {
		chart := r.chart(path+".chart", *s.Chart)
		chart.Name = s.Name
		written := strings.TrimSuffix(promote.WithoutUser(chart.RepoURL)+" "+chart.Chart, " ")
		r.once(path, "chart", written, promote.NormalizeChartURL(chart.RepoURL)+":"+chart.Chart, chart.Position)
		w.Charts = append(w.Charts, chart)
	}
}

func (r subscriptionReader) checkTypes(path string, s subscription) {
	types := 0
	for _, written := range []bool{s.Image != nil, s.Git != nil, s.Chart != nil} {
		if written {
			types++
		}
	}
	switch {
	case types > 1:
		r.fail(r.o, path, "invalid-subscription", "the subscription names more than one of image, git and chart", "make each its own item of the list")
	case types == 0 && !r.broken[r.o.ref()]: // else the unknown key that stands instead is reported already
		r.fail(r.o, path, "invalid-subscription", "the subscription names nothing to subscribe to", "add image, git or chart")
	}
}

func (r subscriptionReader) checkName(path, name string) {
	if !labelName.MatchString(name) || len(name) > maxLabel {
		r.fail(r.o, path, "invalid-name", fmt.Sprintf("subscription name %q is not a label", bounded(name)),
			fmt.Sprintf("use lower-case letters, digits and dashes, at most %d", maxLabel))
	}
	r.once(path, "name", name, name, r.o.at(path))
}

// once reports what a warehouse may subscribe to only once. An empty URL is reported elsewhere.
func (r subscriptionReader) once(path, what, written, normal string, at promote.Position) {
	if written == "" {
		return
	}
	key := what + " " + normal
	first, twice := r.seen[key]
	if !twice {
		r.seen[key] = at
		return
	}
	if what == "name" {
		r.fail(r.o, path, "duplicate-name", fmt.Sprintf("subscription name %q is used twice, first at %s", written, first), "choose another name for one of them")
		return
	}
	r.fail(r.o, path, "duplicate-subscription", fmt.Sprintf("%s %q is subscribed twice, first at %s", what, written, first), "remove one of them")
}

func (r subscriptionReader) strategy(path, written string, known ...promote.Strategy) promote.Strategy {
	names := make([]string, len(known))
	for i, one := range known {
		if names[i] = string(one); names[i] == written {
			return one
		}
	}
	if written != "" {
		key := path[strings.LastIndexByte(path, '.')+1:]
		r.fail(r.o, path, "invalid-value", fmt.Sprintf("%s %q is not known", key, bounded(written)), "write "+either(names))
	}
	return known[0]
}

func (r subscriptionReader) discoveryLimit(path string, written *int) int {
	if written == nil {
		return defaultDiscoveryLimit
	}
	limit := min(max(*written, 1), maxDiscoveryLimit)
	if limit != *written {
		r.fail(r.o, path+".discoveryLimit", "invalid-value",
			fmt.Sprintf("discoveryLimit %d is outside 1 to %d", *written, maxDiscoveryLimit), "write a number from 1 to 100; 20 is the default")
	}
	return limit
}
