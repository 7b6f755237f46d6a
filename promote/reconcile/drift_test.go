package reconcile

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote/drift"
)

func TestDriftSettings(t *testing.T) {
	files := func(text string) fstest.MapFS {
		return fstest.MapFS{SettingsFile: {Data: []byte(text)}, "develop/frontend/x": {}, "production/frontend/x": {}}
	}
	for _, c := range []struct {
		name, yaml string
		want       string // error or findings
	}{
		{"a rule", "drift:\n- {from: develop/frontend, to: [production/*], exclude: ['*.md']}\n", ""},
		{"a rule without folders", "drift:\n- exclude: [a]\n", `lockkeeper.yaml:2:3: drift[0].from: from is missing; name a folder, such as develop/frontend
lockkeeper.yaml:2:3: drift[0].to: to is missing; name folders, such as production/frontend or clusters/*/frontend`},
		{
			"an exclusion that is none", "drift:\n- from: a\n  to: [b]\n  exclude:\n  - x.md\n  - x.yaml:a..b\n",
			`lockkeeper.yaml:6:5: drift[0].exclude[1]: exclude "x.yaml:a..b": key "a..b": a part of it is empty; write a glob of files, such as *.md, or one and a key, such as instance.yaml:spec.replicas`,
		},
		{"an unknown key", "drift:\n- {from: a, to: [b], ignore: [c]}\n", `lockkeeper.yaml:2:22: unknown key "ignore" in drift[0]; known keys are from, to, exclude`},
		{
			"rules that come to nothing", "drift:\n- {from: develop/frontend, to: [production/*]}\n- from: develop/fronted\n  to: [b]\n- from: develop/frontend\n  to:\n  - prod/*\n",
			`lockkeeper.yaml:3:3: warning: there is no folder "develop/fronted"; did you mean "develop/frontend"? [drift]
lockkeeper.yaml:7:5: warning: no folder matches "prod/*"; correct the glob: * stands for a part of one name, not for folders in folders [drift]`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := files(c.yaml)
			settings, err := readSettings(tree)
			var got []string
			for _, finding := range settings.DriftFindings(drift.Look(tree, settings.DriftRules())) {
				got = append(got, finding.String())
			}
			if err != nil {
				got = append(got, err.Error())
			}
			if diff := cmp.Diff(c.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}
