package diff_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/render/diff"
)

const settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web-config}\n"

// reading is a Deployment with one container and what else its pod template says.
func reading(container, pod string) string {
	return deployment + "{template: {spec: {" + pod + "containers: [{name: web, image: 'w:1', " + container + "}]}}}"
}

func envKey(key string) string {
	return "env: [{name: A, valueFrom: {configMapKeyRef: {name: web-config, key: " + key + "}}}]"
}

func TestWhatWorkloadsRead(t *testing.T) {
	const (
		gone     = "!Deployment web reads ConfigMap web-config, which is removed: its pods do not start without it"
		lacking  = "!Deployment web reads the key b of ConfigMap web-config, which does not have it: its pods do not start"
		stale    = "Deployment web reads ConfigMap web-config only when it starts: its pods keep the old values until they are restarted"
		changed  = "ConfigMap web-config: changed key a"
		volume   = "volumes: [{name: c, configMap: {name: web-config}}], "
		mounted  = "volumeMounts: [{name: c, mountPath: /c}]"
		subPath  = "volumeMounts: [{name: c, mountPath: /c/a, subPath: a}]"
		envFrom  = "envFrom: [{configMapRef: {name: web-config}}]"
		removed  = "!removed ConfigMap web-config"
		someKeys = settings + "data: {a: '1', b: '1'}"
		oneKey   = settings + "data: {a: '1'}"
		otherKey = settings + "data: {a: '2'}"
	)
	tests := []struct {
		name, base, head string
		want             []string
	}{
		{"a key that is taken away", someKeys + next + reading(envKey("b"), ""), oneKey + next + reading(envKey("b"), ""), []string{
			lacking, "ConfigMap web-config: removed key b", stale,
		}},
		{"a key that was never there", oneKey + next + reading(envKey("a"), ""), oneKey + next + reading(envKey("b"), ""), []string{lacking}},
		{"a key that was missing before is not this change's", oneKey + next + reading(envKey("b"), ""), otherKey + next + reading(envKey("b"), ""), []string{changed}},
		{"an optional key", oneKey + next + reading(envKey("a"), ""), oneKey + next + reading(envKey("'b', optional: true"), ""), nil},
		{"a chosen key of a volume", oneKey + next + reading(mounted, volume), oneKey + next + reading(mounted, "volumes: [{name: c, configMap: {name: web-config, items: [{key: b, path: b}]}}], "), []string{lacking}},
		{"one key in two ways", oneKey + next + reading(mounted, volume), oneKey + next + reading(envKey("b")+", "+mounted, "volumes: [{name: c, configMap: {name: web-config, items: [{key: b, path: b}]}}], "), []string{lacking}},
		{"a ConfigMap that is removed", oneKey + next + reading(envFrom, ""), reading(envFrom, ""), []string{gone, removed}},
		{"a projected one that is removed", oneKey + next + reading(mounted, "volumes: [{name: c, projected: {sources: [{configMap: {name: web-config}}]}}], "), reading(mounted, "volumes: [{name: c, projected: {sources: [{configMap: {name: web-config}}]}}], "), []string{gone, removed}},
		{"one that comes from elsewhere", reading("tty: true", ""), reading(envFrom, ""), nil},
		{"one that something else fills", settings + "data: {}" + next + reading("tty: true", ""), settings + "data: {}" + next + reading(envKey("b"), ""), nil},
		{"a new name for new content", oneKey + next + reading(envFrom, ""), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web-config-2}\ndata: {a: '2'}" + next + reading("envFrom: [{configMapRef: {name: web-config-2}}]", ""), []string{
			removed, "new ConfigMap web-config-2",
		}},
		{"variables do not follow", oneKey + next + reading(envFrom, ""), otherKey + next + reading(envFrom, ""), []string{changed, stale}},
		{"a variable of another key", someKeys + next + reading(envKey("b"), ""), settings + "data: {a: '2', b: '1'}" + next + reading(envKey("b"), ""), []string{changed}},
		{"a file by subPath does not follow", oneKey + next + reading(subPath, volume), otherKey + next + reading(subPath, volume), []string{changed, stale}},
		{"a mounted volume follows", oneKey + next + reading(mounted, volume), otherKey + next + reading(mounted, volume), []string{changed}},
		{"pods that restart anyway", oneKey + next + reading(envFrom, ""), otherKey + next + reading(envFrom+", tty: true", ""), []string{changed}},
		{
			"Reloader restarts them", oneKey + next + "metadata: {name: web, annotations: {reloader.stakater.com/auto: 'true'}}\napiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {containers: [{name: web, image: 'w:1', " + envFrom + "}]}}}",
			otherKey + next + "metadata: {name: web, annotations: {reloader.stakater.com/auto: 'true'}}\napiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {containers: [{name: web, image: 'w:1', " + envFrom + "}]}}}",
			[]string{changed},
		},
		{
			"every run of a CronJob starts anew", oneKey + next + "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: w, " + envFrom + "}]}}}}}",
			otherKey + next + "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: w, " + envFrom + "}]}}}}}",
			[]string{changed},
		},
		{
			"a Secret's key, never its value", secret + "stringData: {a: hunter2, b: hunter3}" + next + reading("env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: b}}}]", ""),
			secret + "stringData: {a: hunter2}" + next + reading("env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: b}}}]", ""),
			[]string{"!Deployment web reads the key b of Secret s, which does not have it: its pods do not start", "Secret s: removed key b", "Deployment web reads Secret s only when it starts: its pods keep the old values until they are restarted"},
		},
		{"shapes that are no pods", oneKey + next + deployment + "{template: {spec: [1]}}", otherKey + next + deployment + "{template: {spec: {containers: {a: 1}, volumes: [x, {configMap: 3}]}}}", []string{changed}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range diff.Compare([]diff.App{{Name: "a", Base: parse(t, tt.base), Head: parse(t, tt.head)}}).Facts {
				if f.Kind == diff.FactRestart {
					continue
				}
				mark := ""
				if f.Danger {
					mark = "!"
				}
				got = append(got, mark+f.String())
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	partial := diff.Compare([]diff.App{{Name: "a", Partial: true, Base: parse(t, oneKey+next+reading(envFrom, "")), Head: parse(t, reading(envFrom, ""))}})
	if len(partial.Facts) != 1 {
		t.Errorf("of an application that is not rendered in full: %v", partial.Facts)
	}
}

func TestAnApplicationThatMoves(t *testing.T) {
	objects := parse(t, deployment+container("w:1"))
	app := diff.App{Name: "shop", Base: objects, Head: objects, BaseCluster: "https://old", HeadCluster: "https://new"}
	moved := diff.Compare([]diff.App{app})
	if moved.Empty() || moved.Unchanged != 0 {
		t.Fatalf("nothing changes: %+v", moved)
	}
	want := "moves from cluster https://old to https://new: everything is deployed anew there, and what runs on the old cluster stays there until somebody deletes it"
	if len(moved.Facts) != 1 || !moved.Facts[0].Grave || moved.Facts[0].String() != want {
		t.Errorf("facts %+v", moved.Facts)
	}
	text := diff.Text(moved, diff.TextOptions{})
	if got, _, _ := strings.Cut(text, "\n"); got != "1 application changes: no object; 1 application moves to another cluster." {
		t.Errorf("headline %q", got)
	}
	for what, change := range map[string]func(*diff.App){
		"a cluster that is not known": func(a *diff.App) { a.BaseCluster = "" },
		"the same cluster":            func(a *diff.App) { a.BaseCluster = a.HeadCluster },
		"a new application":           func(a *diff.App) { a.BaseMissing, a.Base = true, nil },
	} {
		other := app
		change(&other)
		for _, f := range diff.Compare([]diff.App{other}).Facts {
			if f.Grave {
				t.Errorf("%s: %s", what, f)
			}
		}
	}
}
