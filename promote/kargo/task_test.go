package kargo_test

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/manifest/manifesttest"
	"github.com/lockkeeper/lockkeeper/promote/kargo"
)

// TestTasks damages, or varies, the task of the sound project and the reference to it.
func TestTasks(t *testing.T) {
	const (
		reference = "        - task:\n            name: promote-image\n          as: image\n          vars:\n            - name: image\n              value: docker.io/acme/frontend\n"
		given     = "          vars:\n            - name: image\n              value: docker.io/acme/frontend\n"
		stageVars = "    - name: path\n      value: develop/frontend/instance.yaml\n"
		last      = "                desiredRevision: ${{ task.outputs.commit.commit }}\n"
		push      = "    - uses: git-push\n      if: ${{ success() }}\n      config:\n        path: ./repo\n"
		openPR    = "    - uses: git-open-pr\n      as: open\n      config: {repoURL: '${{ vars.repo }}', sourceBranch: a, targetBranch: main}\n"
	)
	tests := []struct{ name, old, new string }{
		// The reference.
		{"no name", "            name: promote-image\n", "            kind: PromotionTask\n"},
		{"a reference that goes on when it fails", "          as: image\n", "          continueOnError: true\n"},
		{"a reference that tries again", "          as: image\n", "          retry: {timeout: 1m}\n"},
		{"a reference with a configuration", "          as: image\n", "          config: {path: a}\n"},
		{"a task of the cluster", "            name: promote-image\n          as: image\n", "            name: announce\n            kind: ClusterPromotionTask\n          as: image\n"},
		{"an alias with the separator", "          as: image\n", "          as: my::image\n"},
		{"the same alias twice", reference, reference + reference},
		{"two references without alias", reference, strings.Replace(reference+reference, "          as: image\n", "", 2)},

		// Variables.
		{"a required variable that the stage sets", stageVars, stageVars + "    - name: image\n      value: docker.io/acme/frontend\n"},
		{"a required variable that only the promotion sets", "      steps:\n" + reference, "      vars: [{name: image, value: docker.io/acme/frontend}]\n      steps:\n" + strings.Replace(reference, given, "", 1)},
		{"a required variable that nobody sets", given, ""},
		{"a required variable that is empty", "              value: docker.io/acme/frontend\n", "              value: \"\"\n"},
		{"a variable of the stage that is mistyped, where the task has a value", stageVars, stageVars + "    - name: Repo\n      value: https://git.example.com/acme/other.git\n"},
		{"a variable of the stage that nobody reads", stageVars, stageVars + "    - name: colour\n      value: red\n"},
		{"a variable of the stage that is read by another name", stageVars, stageVars + "    - name: repos\n      value: a\n    - name: again\n      value: \"${{ vars['repos'] }}\"\n"},
		{"a variable that no step uses", given, given + "            - name: something\n              value: x\n"},
		{"a variable of the task that is no name", "    - name: image\n    - name: repo\n", "    - name: my-image\n      value: x\n    - name: image\n    - name: repo\n"},

		// The steps of the task.
		{"no steps", "    - uses: git-clone\n      config:\n        repoURL: ${{ vars.repo }}\n", "  other:\n    - uses: git-clone\n      config:\n        repoURL: ${{ vars.repo }}\n"},
		{"a reserved alias", "      as: commit\n", "      as: step-9\n"},
		{"an alias of a step with the separator", "      as: commit\n", "      as: a::b\n"},

		// Outputs.
		{"an output of the task by its long name", last, last + "    - uses: fail\n      if: ${{ false }}\n      config: {message: \"${{ outputs['image::commit'].commit }}\"}\n"},
		{"an output that only the task composes", last, last + "    - uses: compose-output\n      config: {commit: \"${{ task.outputs.commit.commit }}\"}\n    - uses: fail\n      if: ${{ false }}\n      config: {message: '${{ outputs.image.commit }}'}\n"},
		{"an output of a task that composes none", last, last + "    - uses: fail\n      if: ${{ false }}\n      config: {message: '${{ outputs.image.commit }}'}\n"},
		{"outputs of a task outside of it", reference, reference + "        - uses: fail\n          if: ${{ false }}\n          config: {message: '${{ task.outputs.commit.commit }}'}\n"},
		{"the old name of a change's number", push, push + openPR + "    - uses: git-wait-for-pr\n      config: {repoURL: '${{ vars.repo }}', prNumber: \"${{ task.outputs['open'].prNumber }}\"}\n"},
		{"a number of another step by the same name", push, push + "    - uses: compose-output\n      as: open\n      config: {prNumber: 1}\n    - uses: git-wait-for-pr\n      config: {repoURL: '${{ vars.repo }}', prNumber: '${{ task.outputs.open.prNumber }}'}\n"},
		{"the number of a change from a step", push, push + openPR + "    - uses: git-wait-for-pr\n      config: {repoURL: '${{ vars.repo }}', prNumberFromStep: open}\n"},

		{"the parameters of a target", last, last + "    - uses: fail\n      if: ${{ false }}\n      config: {message: '${{ target.params.region }}'}\n"},

		// A task that nobody uses keeps nobody from promoting.
		{"mistakes of an unused task", "kind: PromotionTask\nmetadata:\n", "kind: PromotionTask\nmetadata: {name: unused, namespace: develop}\nspec: {steps: [{uses: git-psuh}]}\n---\napiVersion: kargo.akuity.io/v1alpha1\nkind: PromotionTask\nmetadata:\n"},
	}
	const cluster = "---\napiVersion: kargo.akuity.io/v1alpha1\nkind: ClusterPromotionTask\nmetadata: {name: announce}\nspec: {vars: [{name: image}], steps: [{uses: add-comment, config: {number: 1, body: '${{ vars.image }}'}}]}\n"
	want := goldenFindings(t, "testdata/tasks.txt")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(sound, tt.old) {
				t.Fatalf("%q is not in the manifests", tt.old)
			}
			_, findings := kargo.Load(manifesttest.Split(t, "p.yaml", strings.Replace(sound, tt.old, tt.new, 1)+cluster))
			var got []string
			for _, f := range findings {
				got = append(got, finding(f))
			}
			want.compare(t, tt.name, got)
		})
	}
}
