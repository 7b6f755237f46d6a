package diff_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/render/diff"
)

// marked are the facts of a report, with "!" before a danger and "!!" before a grave one.
func marked(r diff.Report) []string {
	out := []string{}
	for _, f := range r.Facts {
		mark := ""
		if f.Danger {
			mark = "!"
		}
		if f.Grave {
			mark = "!!"
		}
		out = append(out, mark+f.String())
	}
	return out
}

// some are the documents that are not empty.
func some(docs ...string) string {
	var out []string
	for _, d := range docs {
		if d != "" {
			out = append(out, d)
		}
	}
	return strings.Join(out, next)
}

const (
	claim  = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data"
	crd    = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.x.example"
	thing  = "apiVersion: x.example/v1\nkind: Thing\nmetadata: {name: t"
	defs   = "}\nspec: {group: x.example, names: {kind: Thing}}"
	other  = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: others.x.example}\nspec: {group: x.example, names: {kind: Other}}"
	scaler = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec: {scaleTargetRef: {kind: Deployment, name: web}}"
	keda   = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: queue}\nspec: {scaleTargetRef: {name: web}}"
	budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\nspec: "
	labels = "{replicas: %R, template: {metadata: {labels: {app: web}}}}"
	stay   = ", annotations: {argocd.argoproj.io/sync-options: 'A=b,Prune=false'}}"
)

func TestWhatWillHurt(t *testing.T) {
	immutable := func(field, object string) string {
		return "!immutable field " + field + " changes: the cluster refuses it unless the object is deleted and made anew: " + object
	}
	web := func(replicas string) string { return deployment + strings.ReplaceAll(labels, "%R", replicas) }
	pv := func(spec string) string {
		return "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: v}\nspec: " + spec
	}
	tests := []struct {
		name, base, head string
		app              diff.App
		want             []string
	}{
		{"a claim that is pruned", some(claim+"}", web("1")), web("1"), diff.App{}, []string{"!!removed PersistentVolumeClaim data"}},
		{"one that says it is not", some(claim+stay, web("1")), web("1"), diff.App{}, []string{"removed PersistentVolumeClaim data, which stays in the cluster: Prune=false"}},
		{"Helm's word does not hold Argo CD back", some(claim+", annotations: {helm.sh/resource-policy: keep}}", web("1")), web("1"), diff.App{}, []string{"!!removed PersistentVolumeClaim data"}},
		{"one that somebody must confirm", some(claim+", annotations: {argocd.argoproj.io/sync-options: Prune=confirm}}", web("1")), web("1"), diff.App{}, []string{"!removed PersistentVolumeClaim data, which is deleted when somebody confirms it"}},
		{"an application that does not prune", some(claim+"}", web("1")), web("1"), diff.App{Keeps: true}, []string{"!removed PersistentVolumeClaim data, which stays in the cluster until somebody prunes it"}},
		{"an application that goes with its claim", some(claim+"}", web("1")), "", diff.App{HeadMissing: true}, []string{"!!removed PersistentVolumeClaim data", "!the application is removed, with 2 objects"}},
		{"and leaves it", some(claim + ", annotations: {helm.sh/resource-policy: keep}}"), "", diff.App{HeadMissing: true}, []string{"!the application is removed, with 1 object"}},
		{"definitions are never deleted with an application", some(crd + defs), "", diff.App{HeadMissing: true}, []string{"!the application is removed, with 1 object"}},
		{"a definition goes while it is used", some(crd+defs, thing+"}"), thing + "}", diff.App{}, []string{
			"!!apiextensions.k8s.io/CustomResourceDefinition things.x.example is removed while 1 object of its kind stays in the manifests: the cluster deletes what is of its kind",
			"!!removed apiextensions.k8s.io/CustomResourceDefinition things.x.example",
		}},
		{"a definition goes with what uses it", some(crd+defs, thing+"}", web("1")), web("1"), diff.App{}, []string{"!!removed apiextensions.k8s.io/CustomResourceDefinition things.x.example", "!removed x.example/Thing t"}},
		{"an object of a kind that nothing defines", other, some(other, thing+"}"), diff.App{}, []string{
			"!nothing defines Thing (x.example), which is deployed: the sync fails unless the cluster has its CustomResourceDefinition from elsewhere", "new x.example/Thing t",
		}},
		{"the same of a render that is not whole", other, some(other, thing+"}"), diff.App{Partial: true}, []string{"new x.example/Thing t"}},
		{"a second object of a kind that is defined from elsewhere", some(other, thing+"}"), some(other, thing+"}", thing+"2}"), diff.App{}, []string{"new x.example/Thing t2"}},
		{"an Application beside the definitions of Rollouts", strings.ReplaceAll(other, "x.example", "argoproj.io"), some(strings.ReplaceAll(other, "x.example", "argoproj.io"), "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}"), diff.App{}, []string{"new argoproj.io/Application a"}},
		{"a definition in a later wave", "", some(crd+", annotations: {argocd.argoproj.io/sync-wave: '1'}"+defs, thing+"}"), diff.App{}, []string{
			"!x.example/Thing t is applied in wave 0, before the CustomResourceDefinition of its kind in wave 1: the sync fails", "new apiextensions.k8s.io/CustomResourceDefinition things.x.example", "new x.example/Thing t",
		}},
		{"a definition in the same wave", "", some(crd+defs, thing+"}"), diff.App{}, []string{"new apiextensions.k8s.io/CustomResourceDefinition things.x.example", "new x.example/Thing t"}},
		{"a definition that a hook brings", other, some(other, thing+"}"), diff.App{HeadHooks: parse(t, crd+defs)}, []string{"new x.example/Thing t"}},
		{"kinds that kro defines", "", some(instance+"{}", "apiVersion: kro.run/v1alpha1\nkind: ResourceGraphDefinition\nmetadata: {name: r}\nspec: {schema: {kind: App}}"), diff.App{}, []string{"new kro.run/App web", "new kro.run/ResourceGraphDefinition r"}},
		{"replicas that an autoscaler owns", some(web("1"), scaler), some(web("2"), scaler), diff.App{}, []string{
			"!the replicas of Deployment web belong to HorizontalPodAutoscaler web: every sync sets them back to what the manifest says; leave spec.replicas out", "replicas 1 → 2 in Deployment web",
		}},
		{"replicas that KEDA owns", some(web("1"), keda), some(web("2"), keda), diff.App{}, []string{
			"!the replicas of Deployment web belong to ScaledObject queue: every sync sets them back to what the manifest says; leave spec.replicas out", "replicas 1 → 2 in Deployment web",
		}},
		{"a budget of nothing", web("2"), some(web("2"), budget+"{maxUnavailable: 0}"), diff.App{}, []string{"!PodDisruptionBudget web forbids every eviction: nodes with its pods cannot be drained", "new PodDisruptionBudget web"}},
		{"a budget of all", web("2"), some(web("2"), budget+"{minAvailable: 100%}"), diff.App{}, []string{"!PodDisruptionBudget web forbids every eviction: nodes with its pods cannot be drained", "new PodDisruptionBudget web"}},
		{"a budget of as many as there are", some(web("3"), budget+"{minAvailable: 2, selector: {matchLabels: {app: web}}}"), some(web("2"), budget+"{minAvailable: 2, selector: {matchLabels: {app: web}}}"), diff.App{}, []string{"!PodDisruptionBudget web forbids every eviction: nodes with its pods cannot be drained", "replicas 3 → 2 in Deployment web"}},
		{"a budget that was as bad before", some(web("1"), budget+"{maxUnavailable: 0}"), some(web("2"), budget+"{maxUnavailable: 0}"), diff.App{}, []string{"replicas 1 → 2 in Deployment web"}},
		{"a budget of two workloads", some(web("1"), strings.ReplaceAll(web("1"), "name: web", "name: web2")), some(web("1"), strings.ReplaceAll(web("1"), "name: web", "name: web2"), budget+"{minAvailable: 1, selector: {matchLabels: {app: web}}}"), diff.App{}, []string{"new PodDisruptionBudget web"}},
		{"a budget of other pods", web("2"), some(web("2"), budget+"{minAvailable: 2, selector: {matchLabels: {app: db}}}"), diff.App{}, []string{"new PodDisruptionBudget web"}},
		{"an image that goes back", deployment + container("web:1.0.2"), deployment + container("web:1.0.1"), diff.App{}, []string{"!image goes back: web 1.0.2 → 1.0.1 in Deployment web", "restarts 1 pod of Deployment web"}},
		{"tags that have no order", deployment + container("web:main-2"), deployment + container("web:main-1"), diff.App{}, []string{"image web main-2 → main-1 in Deployment web", "restarts 1 pod of Deployment web"}},
		{"all pods at once", deployment + "{replicas: 3, strategy: {type: Recreate}, template: {a: 1}}", deployment + "{replicas: 2, strategy: {type: Recreate}, template: {a: 2}}", diff.App{}, []string{"replicas 3 → 2 in Deployment web", "restarts 2 pods of Deployment web (all at once: it does not answer meanwhile)"}},
		{"pods of a workload that stands still", deployment + "{replicas: 0, template: {a: 1}}", deployment + "{replicas: 0, template: {a: 2}}", diff.App{}, []string{}},
		{"pods of a Job do not restart", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {template: {a: 1}}", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {template: {a: 2}}", diff.App{}, []string{immutable("spec.template", "Job j")}},
		{"pods on each node, when somebody deletes them", "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: d}\nspec: {template: {a: 1}}" + next + stateful + "{updateStrategy: {type: OnDelete}, template: {a: 1}}", "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: d}\nspec: {template: {a: 2}}" + next + stateful + "{updateStrategy: {type: OnDelete}, template: {a: 2}}", diff.App{}, []string{"restarts a pod on each node of DaemonSet d"}},
		{"as many pods as the autoscaler says", some(deployment+"{template: {a: 1}}", scaler), some(deployment+"{template: {a: 2}}", scaler), diff.App{}, []string{"restarts the pods of Deployment web"}},
		{"the place of a volume", pv("{nfs: {path: /a}, mountOptions: [x]}"), pv("{nfs: {path: /b}, mountOptions: [y]}"), diff.App{}, []string{immutable("spec.nfs", "PersistentVolume v")}},
		{"a volume of another kind", pv("{nfs: {path: /a}}"), pv("{hostPath: {path: /a}}"), diff.App{}, []string{immutable("spec.hostPath", "PersistentVolume v"), immutable("spec.nfs", "PersistentVolume v")}},
		{"the address of a Service that is not written any more", service + "{clusterIP: 10.0.0.1}", service + "{a: 1}", diff.App{}, []string{}},
		{"a Service that is not headless any more", service + "{clusterIP: None}", service + "{a: 1}", diff.App{}, []string{immutable("spec.clusterIP", "Service web")}},
		{"what Argo CD may replace", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, annotations: {argocd.argoproj.io/sync-options: 'Force=true,Replace=true'}}\nspec: {template: {a: 1}}", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, annotations: {argocd.argoproj.io/sync-options: 'Force=true,Replace=true'}}\nspec: {template: {a: 2}}", diff.App{}, []string{"!immutable field spec.template changes: Argo CD deletes the object and makes it anew: Job j"}},
		{"a ConfigMap that a hook brings", settings + "data: {a: '1'}" + next + reading(envKey("a"), ""), reading(envKey("a"), ""), diff.App{HeadHooks: parse(t, settings+"data: {a: '1'}")}, []string{"!removed ConfigMap web-config"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.app.Name = "a"
			if tt.base != "" {
				tt.app.Base = parse(t, tt.base)
			}
			if tt.head != "" {
				tt.app.Head = parse(t, tt.head)
			}
			if d := cmp.Diff(tt.want, marked(diff.Compare([]diff.App{tt.app}))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestADefinitionMayBeInAnApplicationThatIsNotSeen(t *testing.T) {
	app := diff.App{Name: "a", Base: parse(t, other), Head: parse(t, some(other, thing+"}"))}
	report := diff.Options{Unchanged: 1}.Compare([]diff.App{app})
	if d := cmp.Diff([]string{"new x.example/Thing t"}, marked(report)); d != "" || report.Unchanged != 1 {
		t.Errorf("%d unchanged (-want +got):\n%s", report.Unchanged, d)
	}
}

func TestADefinitionOfAnotherApplication(t *testing.T) {
	report := diff.Compare([]diff.App{
		{Name: "operator", Head: parse(t, crd+defs)},
		{Name: "shop", Head: parse(t, thing+"}")},
	})
	want := []string{
		"new apiextensions.k8s.io/CustomResourceDefinition things.x.example", "Thing (x.example) is defined by application operator: the sync fails until that has defined it", "new x.example/Thing t",
	}
	if d := cmp.Diff(want, marked(report)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestCommitsBetweenImages(t *testing.T) {
	const before, after = "1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222"
	tests := []struct {
		name, source, newSource, old, new string
		want                              string // of the fact, behind the image
	}{
		{"GitHub", "https://github.com/acme/web", "", before, after, "commits [`11111111..22222222`](<https://github.com/acme/web/compare/" + before + "..." + after + ">)"},
		{"a clone address", "https://github.com/acme/web.git/", "", before, after, "commits [`11111111..22222222`](<https://github.com/acme/web/compare/" + before + "..." + after + ">)"},
		{"GitLab of a company", "https://gitlab.acme.example:8443/a/b/web", "", "1111111", "2222222", "commits [`1111111..2222222`](<https://gitlab.acme.example:8443/a/b/web/-/compare/1111111...2222222>)"},
		{"Codeberg", "https://codeberg.org/acme/web", "", "v1.2.1", "v1.2.2", "commits [`v1.2.1..v1.2.2`](<https://codeberg.org/acme/web/compare/v1.2.1...v1.2.2>)"},
		{"a forge that is not known", "https://git.acme.example/acme/web", "", before, after, "commits `11111111..22222222`"},
		{"no https", "http://github.com/acme/web", "", before, after, "commits `11111111..22222222`"},
		{"with credentials", "https://user:" + canary + "@github.com/acme/web", "", before, after, "commits `11111111..22222222`"},
		{"with a query", "https://github.com/acme/web?x=" + canary, "", before, after, "commits `11111111..22222222`"},
		{"with a path that acts", "https://github.com/acme/web>)@all", "", before, after, "commits `11111111..22222222`"},
		{"with a path that leads elsewhere", "https://github.com/../../evil", "", before, after, "commits `11111111..22222222`"},
		{"a script", "javascript://github.com/acme/web", "", before, after, "commits `11111111..22222222`"},
		{"another repository", "https://github.com/acme/web", "https://github.com/acme/new", before, after, ""},
		{"the same commit", "https://github.com/acme/web", "", before, before, ""},
		{"a revision that is none", "https://github.com/acme/web", "", before, "main @all", ""},
		{"one that is not known", "https://github.com/acme/web", "", before, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			builds := map[string]diff.Build{"web:1": {Source: tt.source, Revision: tt.old}}
			if tt.new != "" {
				builds["web:2"] = diff.Build{Source: tt.source, Revision: tt.new}
			}
			if tt.newSource != "" {
				builds["web:2"] = diff.Build{Source: tt.newSource, Revision: tt.new}
			}
			options := diff.Options{Image: func(reference string) (diff.Build, bool) { b, ok := builds[reference]; return b, ok }}
			report := options.Compare([]diff.App{{Name: "a", Base: parse(t, deployment+container("web:1")), Head: parse(t, deployment+container("web:2"))}})
			want := "- image `web` `1` → `2` in `Deployment web`, " + tt.want + " — `a`\n"
			if tt.want == "" {
				want = "- image `web` `1` → `2` in `Deployment web` — `a`\n"
			}
			if got := diff.Markdown(report, diff.MarkdownOptions{}); !strings.Contains(got, want) {
				t.Errorf("lacks %q:\n%.600s", want, got)
			}
			checkHidden(t, "commits", report)
		})
	}
}
