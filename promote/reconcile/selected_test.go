package reconcile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/step"
	"github.com/lockkeeper/lockkeeper/render/argocd"
)

func TestSelectorsFindDeclaredApplicationsOfTheStage(t *testing.T) {
	app := func(name, namespace, team, stages string) argocd.Application {
		return argocd.Application{
			Name: name, Namespace: namespace, Labels: map[string]string{"team": team},
			Annotations: map[string]string{"kargo.akuity.io/authorized-stage": stages},
		}
	}
	r := &Reconciler{memory: newMemory()}
	r.memory.repository = &snapshot{}
	r.memory.repository.set.Applications = []argocd.Application{
		app("worker", "argocd", "web", "develop:dev"), app("api", "argocd", "web", "develop:dev,develop:prod"),
		app("other", "argocd", "web", "develop:prod"), app("elsewhere", "apps", "web", "develop:dev"), app("db", "argocd", "data", "other:dev"),
	}
	by := func(team, namespace string) step.Application {
		return step.Application{
			Selector: &step.Selector{MatchLabels: map[string]string{"team": team}}, Namespace: namespace, WaitFor: []step.WaitFor{step.WaitForSync},
		}
	}
	found := func(name, namespace string) step.Application {
		return step.Application{Name: name, Namespace: namespace, WaitFor: []step.WaitFor{step.WaitForSync}}
	}
	for _, test := range []struct {
		name   string
		wanted step.Application
		want   []step.Application
		fails  string
	}{
		{"a name stays as it is", step.Application{Name: "x"}, []step.Application{{Name: "x"}}, ""},
		{"those of the stage, by name", by("web", ""), []step.Application{found("api", "argocd"), found("elsewhere", "apps"), found("worker", "argocd")}, ""},
		{"of one namespace", by("web", "apps"), []step.Application{found("elsewhere", "apps")}, ""},
		{"of other stages only", by("data", ""), nil, "finds 1 applications, and none authorizes stage develop/dev"},
		{"none", by("nobody", ""), nil, `selector "team=nobody" finds no application`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := r.selected([]step.Application{test.wanted}, promote.StageRef{Project: "develop", Name: "dev"})
			if (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("got %v, want %q", err, test.fails)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
