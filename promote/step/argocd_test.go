package step

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestApplicationsOfAStep(t *testing.T) {
	healthy := []WaitFor{WaitForHealth, WaitForSync, WaitForOperation}
	for _, test := range []struct {
		name  string
		step  string
		want  []Application
		fails string
	}{
		{"wait, by default for everything", `{uses: argocd-wait, config: {apps: [{name: a, namespace: argo}]}}`, []Application{{Name: "a", Namespace: "argo", WaitFor: healthy}}, ""},
		{
			"wait for one thing", `{uses: argocd-wait, config: {apps: [{name: a, waitFor: [degraded]}]}}`,
			[]Application{{Name: "a", WaitFor: []WaitFor{WaitForDegraded}}},
			"",
		},
		{
			"wait for what a selector finds", `{uses: argocd-wait, config: {apps: [{selector: {matchLabels: {team: web}}, waitFor: [sync]}]}}`,
			[]Application{{Selector: &Selector{MatchLabels: map[string]string{"team": "web"}}, WaitFor: []WaitFor{WaitForSync}}},
			"",
		},
		{
			"sync what a selector finds", `{uses: argocd-update, config: {apps: [{selector: {matchExpressions: [{key: team, operator: Exists}]}}]}}`,
			[]Application{{Selector: &Selector{MatchExpressions: []Requirement{{Key: "team", Operator: "Exists"}}}}},
			"",
		},
		{"nothing to wait for", `{uses: argocd-wait, config: {}}`, nil, "config.apps is missing"},
		{"no name", `{uses: argocd-wait, config: {apps: [{waitFor: [sync]}]}}`, nil, "config.apps[0].name is missing"},
		{"a name and a selector", `{uses: argocd-wait, config: {apps: [{name: a, selector: {matchLabels: {a: b}}}]}}`, nil, "keep one"},
		{"an empty selector", `{uses: argocd-update, config: {apps: [{selector: {}}]}}`, nil, "selector is empty"},
		{"an operator that does not exist", `{uses: argocd-update, config: {apps: [{selector: {matchExpressions: [{key: a, operator: Is}]}}]}}`, nil, `operator "Is"`},
		{"an operator without values", `{uses: argocd-update, config: {apps: [{selector: {matchExpressions: [{key: a, operator: In}]}}]}}`, nil, "needs values"},
		{"an unknown thing to wait for", `{uses: argocd-wait, config: {apps: [{name: a, waitFor: [healthy]}]}}`, nil, `"healthy" cannot be waited for: expected health`},
		{"an unknown key", `{uses: argocd-wait, config: {apps: [{nam: a}]}}`, nil, `did you mean "name"?`},
		{
			"images in the cluster", `{uses: argocd-update, config: {apps: [{name: a, sources: [{repoURL: "https://x/y", kustomize: {images: []}}]}]}}`,
			nil, "config.apps[0].sources[0].kustomize would change the Application in the cluster",
		},
		{
			"values in the cluster", `{uses: argocd-update, config: {apps: [{name: a, sources: [{repoURL: "https://x/y", helm: {images: []}}]}]}}`,
			nil, "with yaml-update before git-commit",
		},
		{
			"a target revision in the cluster", `{uses: argocd-update, config: {apps: [{name: a, sources: [{repoURL: "https://x/y", updateTargetRevision: true}]}]}}`,
			nil, "sources[0].updateTargetRevision would change",
		},
		{
			"a version of a chart", `{uses: argocd-update, config: {apps: [{name: a, sources: [{repoURL: "https://x/y", chart: web, desiredRevision: 1.2.3}]}]}}`,
			nil, "wait with argocd-wait",
		},
		{
			"what changes nothing is accepted", `{uses: argocd-update, config: {apps: [{name: a, sources: [{repoURL: "https://x/y", chart: web, updateTargetRevision: false}]}]}}`,
			[]Application{{Name: "a"}},
			"",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			request := alone(t, World{}, "["+strings.Replace(test.step, "{uses", "{as: app, uses", 1)+"]")
			result := run1(t, request)
			if result.Failed != (test.fails != "") || !strings.Contains(result.Message, test.fails) {
				t.Fatalf("%q, want %q", result.Message, test.fails)
			}
			if test.fails != "" {
				return
			}
			if result.Wait != promote.WaitsDelivery {
				t.Fatalf("waits for %q", result.Wait)
			}
			if diff := cmp.Diff(test.want, result.Deliver.Applications); diff != "" {
				t.Error(diff)
			}
			known, problems := Applications(request)
			if diff := cmp.Diff(test.want, known); diff != "" || len(problems) > 0 {
				t.Errorf("before the merge: %v\n%s", problems, diff)
			}
		})
	}
}

func TestTheOutputNamesWhatASelectorFound(t *testing.T) {
	request := alone(t, World{}, `[{uses: argocd-wait, as: app, config: {apps: [{selector: {matchLabels: {a: b}}}]}}]`)
	request.Delivered = &Delivered{Message: "Synced and Healthy", Applications: []Application{{Name: "web"}, {Name: "worker"}}}
	result := run1(t, request)
	if got, want := output(t, result), `{"apps":[{"name":"web","revision":""},{"name":"worker","revision":""}]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSelector(t *testing.T) {
	labels := map[string]string{"team": "web", "tier": "front"}
	one := func(key, operator string, values ...string) Selector {
		return Selector{MatchExpressions: []Requirement{{Key: key, Operator: operator, Values: values}}}
	}
	for _, test := range []struct {
		selector Selector
		text     string
		want     bool
	}{
		{Selector{}, "", false},
		{Selector{MatchLabels: map[string]string{"team": "web", "tier": "front"}}, "team=web,tier=front", true},
		{Selector{MatchLabels: map[string]string{"team": "web", "tier": "back"}}, "team=web,tier=back", false},
		{Selector{MatchLabels: map[string]string{"missing": ""}}, "missing=", false},
		{one("team", "In", "api", "web"), "team in (api,web)", true},
		{one("team", "In", "api"), "team in (api)", false},
		{one("missing", "In", ""), "missing in ()", false},
		{one("team", "NotIn", "api"), "team notin (api)", true},
		{one("team", "NotIn", "web"), "team notin (web)", false},
		{one("missing", "NotIn", "web"), "missing notin (web)", true},
		{one("team", "Exists"), "team", true},
		{one("missing", "Exists"), "missing", false},
		{one("missing", "DoesNotExist"), "!missing", true},
		{one("team", "DoesNotExist"), "!team", false},
	} {
		if got := test.selector.Matches(labels); got != test.want || test.selector.String() != test.text {
			t.Errorf("%q: got %t, want %t of %q", test.selector, got, test.want, test.text)
		}
	}
}
