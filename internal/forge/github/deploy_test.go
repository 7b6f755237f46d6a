package github

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	listDeployments  = "GET …/deployments"
	makeDeployment   = "POST …/deployments"
	listStates       = "GET …/deployments/3/statuses"
	postState        = "POST …/deployments/3/statuses"
	deploymentOfOurs = `{"id":3,"payload":{"promotion":"dev-7"}}`
)

func deployment(state promote.DeploymentState) promote.Deployment {
	return promote.Deployment{
		Promotion: "dev-7", Environment: "guestbook/production", Commit: head, Branch: "main", State: state,
		URL: "https://github.example.com/acme/shop/pull/7", Description: "frontend 1.0.2", Production: true,
	}
}

func TestDeploy(t *testing.T) {
	state := func(word string) answer { return ok(`[{"state":"` + word + `"}]`) }
	for _, test := range []struct {
		name   string
		state  promote.DeploymentState
		script map[string][]answer
		want   []string
		fails  bool
	}{
		{
			"a new one", promote.DeploymentRunning,
			map[string][]answer{listDeployments: {ok("[]")}, makeDeployment: {created(deploymentOfOurs)}, postState: {created("{}")}},
			[]string{listDeployments, makeDeployment, postState},
			false,
		},
		{
			"one is there, and its state", promote.DeploymentRunning,
			map[string][]answer{listDeployments: {ok("[" + deploymentOfOurs + "]")}, listStates: {state("in_progress")}},
			[]string{listDeployments, listStates},
			false,
		},
		{
			"one is there, its payload as a text; it has succeeded", promote.DeploymentSucceeded,
			map[string][]answer{
				listDeployments: {ok(`[{"id":1,"payload":{"promotion":"dev-6"}},{"id":2,"payload":"x"},{"id":4,"payload":[7]},{"id":3,"payload":"{\"promotion\":\"dev-7\"}"}]`)},
				listStates:      {state("in_progress")}, postState: {created("{}")},
			},
			[]string{listDeployments, listStates, postState},
			false,
		},
		{
			"one is there, without a state; it has failed", promote.DeploymentFailed,
			map[string][]answer{listDeployments: {ok("[" + deploymentOfOurs + "]")}, listStates: {ok("[]")}, postState: {created("{}")}},
			[]string{listDeployments, listStates, postState},
			false,
		},
		{
			"a newer one has succeeded since: it is not brought back", promote.DeploymentSucceeded,
			map[string][]answer{listDeployments: {ok("[" + deploymentOfOurs + "]")}, listStates: {state("inactive")}},
			[]string{listDeployments, listStates},
			false,
		},
		{
			"the answer to making it was lost: it is there", promote.DeploymentRunning,
			map[string][]answer{listDeployments: {ok("[]"), ok("[" + deploymentOfOurs + "]")}, makeDeployment: {lost}, listStates: {ok("[]")}, postState: {created("{}")}},
			[]string{listDeployments, makeDeployment, listDeployments, listStates, postState},
			false,
		},
		{
			"the answer to making it was lost: it is not there", promote.DeploymentRunning,
			map[string][]answer{listDeployments: {ok("[]"), ok("[]")}, makeDeployment: {lost}},
			[]string{listDeployments, makeDeployment, listDeployments},
			true,
		},
		{
			"the answer to its state was lost: it is there", promote.DeploymentRunning,
			map[string][]answer{listDeployments: {ok("[]")}, makeDeployment: {created(deploymentOfOurs)}, postState: {lost}, listStates: {state("in_progress")}},
			[]string{listDeployments, makeDeployment, postState, listStates},
			false,
		},
		{
			"the answer to its state was lost: it is not there", promote.DeploymentRunning,
			map[string][]answer{listDeployments: {ok("[]")}, makeDeployment: {created(deploymentOfOurs)}, postState: {lost}, listStates: {ok("[]")}},
			[]string{listDeployments, makeDeployment, postState, listStates},
			true,
		},
		{
			"GitHub merged something instead", promote.DeploymentRunning,
			map[string][]answer{listDeployments: {ok("[]")}, makeDeployment: {{Status: 202, Body: `{"message":"Auto-merged main"}`}}},
			[]string{listDeployments, makeDeployment},
			true,
		},
		{
			"refused", promote.DeploymentRunning,
			map[string][]answer{listDeployments: {ok("[]")}, makeDeployment: {{Status: 422}}},
			[]string{listDeployments, makeDeployment},
			true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, test.script)
			if err := f.Deploy(t.Context(), deployment(test.state)); (err != nil) != test.fails {
				t.Errorf("got %v", err)
			}
			if !test.fails { // The second time it is known to be there.
				if err := f.Deploy(t.Context(), deployment(test.state)); err != nil {
					t.Error(err)
				}
			}
			if diff := cmp.Diff(test.want, s.Routes()); diff != "" {
				t.Error(diff)
			}
		})
	}
	f, _ := play(t, nil)
	if err := f.Deploy(t.Context(), promote.Deployment{}); !errors.Is(err, promote.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestWhatADeploymentSays(t *testing.T) {
	f, s := play(t, map[string][]answer{
		listDeployments: {ok("[]")}, makeDeployment: {created(deploymentOfOurs)}, postState: {created("{}"), created("{}")},
	})
	for _, state := range []promote.DeploymentState{promote.DeploymentRunning, promote.DeploymentSucceeded} {
		if err := f.Deploy(t.Context(), deployment(state)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := s.Got[0].Route, listDeployments+"?environment=guestbook%2Fproduction&per_page=100&sha="+string(head)+"&task=lockkeeper"; got != want {
		t.Errorf("asked for %s", got)
	}
	want := `{"auto_merge":false,"description":"frontend 1.0.2","environment":"guestbook/production","payload":{"promotion":"dev-7"},` +
		`"production_environment":true,"ref":"` + string(head) + `","required_contexts":[],"task":"lockkeeper","transient_environment":false}`
	if got := s.Sent(makeDeployment); got != want {
		t.Errorf("made %s", got)
	}
	want = `{"auto_inactive":true,"description":"frontend 1.0.2","log_url":"https://github.example.com/acme/shop/pull/7","state":"success"}`
	if got := s.Sent(postState); got != want {
		t.Errorf("posted %s", got)
	}
}
