package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	k8s "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/kro/schema"
)

// target is the Kubernetes version that objects are held against.
type target struct {
	library *schema.Library
	set     *schema.Set // of the version, else of the nearest one that is described
	minor   int         // 1.minor
	known   bool        // the settings say which version it is
	newer   bool        // than every version that is described here
	older   bool        // than every version that is described here
}

// target returns what is known of a version such as "v1.31.3-eks"; of "" and of what is none, the newest is assumed.
func (c *Checker) target(version string) target {
	t := target{library: c.library, set: c.newest, minor: minorOf(schema.Version)}
	minor := minorOf(version)
	if minor < 0 {
		return t
	}
	versions := c.library.Versions()
	first, last := minorOf(versions[0]), minorOf(versions[len(versions)-1])
	t.known, t.newer, t.older, t.minor = true, minor > last, minor < first, minor
	if set, err := c.library.At(fmt.Sprintf("1.%d", min(max(minor, first), last))); err == nil {
		t.set = set
	}
	return t
}

// minorOf returns the second number of a version whose first is 1, -1 when there is none.
func minorOf(version string) int {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(version, "v"), "1.")
	if !ok {
		return -1
	}
	if end := strings.IndexFunc(rest, func(c rune) bool { return c < '0' || c > '9' }); end >= 0 {
		rest = rest[:end]
	}
	minor, err := strconv.Atoi(rest)
	if err != nil || minor > 999 {
		return -1
	}
	return minor
}

// formerly reports whether Kubernetes once served a kind in a group that it no longer has, such as extensions.
func (t target) formerly(gvk k8s.GroupVersionKind) bool {
	_, ok := lifeOf(gvk)
	return ok || len(t.library.Serving(gvk)) > 0
}

// served says what is to be said of a kind's version in this Kubernetes version, and returns the schemas that describe it,
// nil when there are none.
func (t target) served(gvk k8s.GroupVersionKind) ([]problem, *schema.Set) {
	life, hasLife := lifeOf(gvk)
	_, serves := t.set.Resource(gvk)
	removed := hasLife && life.removed > 0 && t.minor >= life.removed
	switch {
	case removed && (!serves || t.older || t.newer):
		return t.gone(gvk, life), nil
	case serves && hasLife && life.removed > t.minor && t.minor >= life.deprecated:
		return []problem{{
			severity: finding.Warning, code: CodeDeprecated, path: Path{{Key: "apiVersion"}},
			message: fmt.Sprintf("%s %s is deprecated since Kubernetes 1.%d and will be removed in 1.%d", gvk.GroupVersion(), gvk.Kind, life.deprecated, life.removed),
			remedy:  life.remedy(),
		}}, t.set
	case serves:
		return nil, t.set
	case t.older && (hasLife || len(t.library.Serving(gvk)) > 0), t.newer:
		return nil, t.elsewhere(gvk) // it may well be served there
	}
	return t.missing(gvk), t.elsewhere(gvk)
}

// elsewhere returns the schemas of the version nearest to this one that has the kind, nil when none has.
func (t target) elsewhere(gvk k8s.GroupVersionKind) *schema.Set {
	serving := t.library.Serving(gvk)
	if len(serving) == 0 {
		return nil
	}
	slices.SortStableFunc(serving, func(a, b string) int { return distance(minorOf(a), t.minor) - distance(minorOf(b), t.minor) })
	set, err := t.library.At(serving[0])
	if err != nil {
		return nil
	}
	return set
}

func distance(a, b int) int { return max(a-b, b-a) }

// runs is what the cluster runs, as far as it is known, and how bad it is when something is not served there.
func (t target) runs() (text string, severity finding.Severity) {
	if t.known {
		return fmt.Sprintf("and the cluster runs 1.%d", t.minor), finding.Error
	}
	return "and the version of the cluster is not configured", finding.Warning
}

func (t target) gone(gvk k8s.GroupVersionKind, life lifetime) []problem {
	runs, severity := t.runs()
	if others := t.set.Versions(gvk.Kind); life.use == "" && len(others) > 0 {
		life.use = strings.Join(others, " or ")
	}
	return []problem{{
		severity: severity, code: CodeRemoved, path: Path{{Key: "apiVersion"}},
		message: fmt.Sprintf("%s %s was removed in Kubernetes 1.%d, %s", gvk.GroupVersion(), gvk.Kind, life.removed, runs),
		remedy:  life.remedy(),
	}}
}

// missing reports a kind of Kubernetes' own groups that this version does not have.
func (t target) missing(gvk k8s.GroupVersionKind) []problem {
	serving := t.library.Serving(gvk)
	runs, severity := t.runs()
	if len(serving) > 0 {
		p := problem{severity: severity, code: CodeKind, path: Path{{Key: "apiVersion"}}}
		if first := minorOf(serving[0]); first > t.minor {
			p.message = fmt.Sprintf("%s %s exists since Kubernetes 1.%d, %s", gvk.GroupVersion(), gvk.Kind, first, runs)
		} else {
			p.message = fmt.Sprintf("Kubernetes serves %s %s up to 1.%d, %s", gvk.GroupVersion(), gvk.Kind, minorOf(serving[len(serving)-1]), runs)
		}
		if others := t.set.Versions(gvk.Kind); len(others) > 0 {
			p.remedy = "use " + strings.Join(others, " or ")
		}
		return []problem{p}
	}
	p := problem{severity: finding.Error, code: CodeKind, path: Path{{Key: "kind"}}}
	p.message = fmt.Sprintf("Kubernetes %s has no kind %s in %s", t.set.Version(), gvk.Kind, gvk.GroupVersion())
	switch others := t.set.Versions(gvk.Kind); {
	case len(others) > 0:
		p.path, p.remedy = Path{{Key: "apiVersion"}}, "use "+strings.Join(others, " or ")
	default:
		if near := nearest.Of(gvk.Kind, t.set.Kinds(gvk.GroupVersion())); near != "" {
			p.remedy = fmt.Sprintf("did you mean %q?", near)
		}
	}
	if p.remedy == "" && prerelease(gvk.Version) { // one that came and went
		p.severity = severity
	}
	return []problem{p}
}

func prerelease(version string) bool {
	return strings.Contains(version, "alpha") || strings.Contains(version, "beta")
}
