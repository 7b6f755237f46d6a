package step

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// Application is one Argo CD application, or all that a selector finds, to sync or to wait for.
type Application struct {
	Name      string
	Selector  *Selector      // of applications that the repository declares, instead of Name
	Namespace string         // empty: Argo CD's own
	Revision  promote.Commit // to wait for; empty: whatever the branch has
	WaitFor   []WaitFor      // only wait, for all of this, and start nothing; empty: sync it
}

// WaitFor is something that an application is waited for to be.
type WaitFor string

// What can be waited for. Of the three kinds of health one is enough; everything else has to be so as well.
const (
	WaitForHealth    WaitFor = "health"
	WaitForSync      WaitFor = "sync"
	WaitForOperation WaitFor = "operation"
	WaitForSuspended WaitFor = "suspended"
	WaitForDegraded  WaitFor = "degraded"
)

// Selector finds applications by their labels, as Kubernetes does.
type Selector struct {
	MatchLabels      map[string]string `json:"matchLabels"`
	MatchExpressions []Requirement     `json:"matchExpressions"`
}

// Requirement is one expression of a Selector.
type Requirement struct {
	Key      string   `json:"key"`
	Operator string   `json:"operator"` // In, NotIn, Exists or DoesNotExist
	Values   []string `json:"values"`
}

// Matches reports whether labels fit. An empty selector fits none: it is a mistake rather than a wish to touch everything.
func (s Selector) Matches(labels map[string]string) bool {
	for key, want := range s.MatchLabels {
		if have, ok := labels[key]; !ok || have != want {
			return false
		}
	}
	for _, requirement := range s.MatchExpressions {
		if !requirement.matches(labels) {
			return false
		}
	}
	return len(s.MatchLabels)+len(s.MatchExpressions) > 0
}

func (q Requirement) matches(labels map[string]string) bool {
	value, ok := labels[q.Key]
	switch q.Operator {
	case "In":
		return ok && slices.Contains(q.Values, value)
	case "NotIn":
		return !ok || !slices.Contains(q.Values, value)
	case "Exists":
		return ok
	case "DoesNotExist":
		return !ok
	}
	return false
}

// String writes a selector as kubectl does.
func (s Selector) String() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		parts = append(parts, key+"="+s.MatchLabels[key])
	}
	for _, q := range s.MatchExpressions {
		switch q.Operator {
		case "Exists":
			parts = append(parts, q.Key)
		case "DoesNotExist":
			parts = append(parts, "!"+q.Key)
		default:
			parts = append(parts, fmt.Sprintf("%s %s (%s)", q.Key, strings.ToLower(q.Operator), strings.Join(q.Values, ",")))
		}
	}
	return strings.Join(parts, ",")
}

func (s Selector) check(at string) error {
	if len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		return fmt.Errorf("%s.selector is empty: write matchLabels or matchExpressions", at)
	}
	for _, q := range s.MatchExpressions {
		listed := len(q.Values) > 0
		switch q.Operator {
		case "In", "NotIn":
			if !listed {
				return fmt.Errorf("%s.selector: operator %s of key %q needs values", at, q.Operator, q.Key)
			}
		case "Exists", "DoesNotExist":
			if listed {
				return fmt.Errorf("%s.selector: operator %s of key %q takes no values", at, q.Operator, q.Key)
			}
		default:
			return fmt.Errorf("%s.selector: operator %q of key %q: expected In, NotIn, Exists or DoesNotExist", at, q.Operator, q.Key)
		}
	}
	return nil
}

// appConfig names the applications of argocd-update and argocd-wait.
type appConfig struct {
	Name      string    `json:"name"`
	Selector  *Selector `json:"selector"`
	Namespace string    `json:"namespace"`
}

// application checks the name and gives what is meant.
func (a appConfig) application(i int) (Application, error) {
	at := fmt.Sprintf("config.apps[%d]", i)
	switch {
	case a.Name == "" && a.Selector == nil:
		return Application{}, fmt.Errorf("%s.name is missing: name the application, or write a selector", at)
	case a.Name != "" && a.Selector != nil:
		return Application{}, fmt.Errorf("%s has a name and a selector: keep one", at)
	case a.Selector != nil:
		if err := a.Selector.check(at); err != nil {
			return Application{}, err
		}
	}
	return Application{Name: a.Name, Selector: a.Selector, Namespace: a.Namespace}, nil
}

var errNoApps = errors.New("config.apps is missing: name the application, as in apps: [{name: frontend-dev-app}]")

// sourceConfig is what argocd-update says about one source of an application.
type sourceConfig struct {
	RepoURL              string          `json:"repoURL"`
	Chart                string          `json:"chart"`
	DesiredRevision      string          `json:"desiredRevision"`
	UpdateTargetRevision flag            `json:"updateTargetRevision"`
	Kustomize            json.RawMessage `json:"kustomize"`
	Helm                 json.RawMessage `json:"helm"`
}

// check refuses what would edit the Application in the cluster. Here every Application is what Git says; an edit behind its
// back would be in no diff, pass no gate, and be undone by the next sync of whatever declares the Application.
func (s sourceConfig) check(at string) error {
	key := ""
	switch {
	case bool(s.UpdateTargetRevision):
		key = "updateTargetRevision"
	case set(s.Kustomize):
		key = "kustomize"
	case set(s.Helm):
		key = "helm"
	case s.Chart != "" && s.DesiredRevision != "":
		return fmt.Errorf("%s.desiredRevision of chart %q cannot be waited for: write the version into the manifest of the application "+
			"with yaml-update, and wait with argocd-wait", at, s.Chart)
	}
	if key == "" {
		return nil
	}
	return fmt.Errorf("%s.%s would change the Application in the cluster, where Git does not know of it and takes it back with the next sync: "+
		"change the file that declares the application with yaml-update before git-commit, and remove the key here", at, key)
}

func set(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }
