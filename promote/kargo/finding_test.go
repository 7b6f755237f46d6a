package kargo_test

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/manifest/manifesttest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/kargo"
)

// sound is a project without any finding. The rows of the tables below damage it in one place.
const sound = `apiVersion: kargo.akuity.io/v1alpha1
kind: Project
metadata:
  name: develop
---
apiVersion: kargo.akuity.io/v1alpha1
kind: ProjectConfig
metadata:
  name: develop
  namespace: develop
spec:
  promotionPolicies:
    - stageSelector:
        name: frontend-dev
      autoPromotionEnabled: true
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata:
  name: frontend-image
  namespace: develop
spec:
  interval: 5m0s
  subscriptions:
    - image:
        repoURL: docker.io/acme/frontend
        constraint: ^1.0.0
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata:
  name: frontend-dev
  namespace: develop
spec:
  vars:
    - name: path
      value: develop/frontend/instance.yaml
  requestedFreight:
    - origin:
        kind: Warehouse
        name: frontend-image
      sources:
        direct: true
  promotionTemplate:
    spec:
      steps:
        - task:
            name: promote-image
          as: image
          vars:
            - name: image
              value: docker.io/acme/frontend
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata:
  name: frontend-prod
  namespace: develop
spec:
  requestedFreight:
    - origin:
        kind: Warehouse
        name: frontend-image
      sources:
        stages: [frontend-dev]
        requiredSoakTime: 1h
---
apiVersion: kargo.akuity.io/v1alpha1
kind: PromotionTask
metadata:
  name: promote-image
  namespace: develop
spec:
  vars:
    - name: image
    - name: repo
      value: https://git.example.com/acme/gitops.git
  steps:
    - uses: git-clone
      config:
        repoURL: ${{ vars.repo }}
        checkout:
          - branch: main
            path: ./repo
    - uses: yaml-update
      as: update
      retry:
        timeout: 1m
      config:
        path: ./repo/${{ vars.path }}
        updates:
          - key: spec.tag
            value: ${{ quote(imageFrom(vars.image).Tag) }}
    - uses: git-commit
      as: commit
      config:
        path: ./repo
        message: ${{ task.outputs.update.commitMessage }}
    - uses: git-push
      if: ${{ success() }}
      config:
        path: ./repo
    - uses: argocd-update
      config:
        apps:
          - name: frontend-dev-app
            sources:
              - repoURL: ${{ vars.repo }}
                desiredRevision: ${{ task.outputs.commit.commit }}
`

func TestSoundProjectHasNoFindings(t *testing.T) {
	pipelines, findings := kargo.Load(manifesttest.Split(t, "p.yaml", sound))
	for _, f := range findings {
		t.Error(finding(f))
	}
	if len(pipelines) != 1 || len(pipelines[0].Stages) != 2 || len(pipelines[0].Stages[0].Steps) != 5 || len(pipelines[0].Stages[1].Steps) != 0 {
		t.Errorf("pipelines:\n%s", dump(pipelines, nil))
	}
	if !pipelines[0].AutoPromoted(promote.Stage{Name: "frontend-dev"}) || pipelines[0].AutoPromoted(promote.Stage{Name: "frontend-prod"}) {
		t.Error("policies do not hold")
	}
}

func TestFindings(t *testing.T) {
	tests := []struct {
		name string
		old  string // what is replaced in sound
		new  string
	}{
		// The project.
		{"no Project", "kind: Project\nmetadata:\n  name: develop\n", "kind: Freight\nmetadata:\n  name: develop\n"},
		{"a Project that is named otherwise", "kind: Project\nmetadata:\n  name: develop\n", "kind: Project\nmetadata:\n  name: dev\n  namespace: develop\n"},
		{"an unknown version of the API", "apiVersion: kargo.akuity.io/v1alpha1\nkind: Warehouse", "apiVersion: kargo.akuity.io/v2\nkind: Warehouse"},
		{"no version of the API", "apiVersion: kargo.akuity.io/v1alpha1\nkind: Warehouse", "kind: Warehouse"},
		{"a mistyped group of the API", "apiVersion: kargo.akuity.io/v1alpha1\nkind: Warehouse", "apiVersion: kargo.akutiy.io/v1alpha1\nkind: Warehouse"},
		{"a kind of another tool", "apiVersion: kargo.akuity.io/v1alpha1\nkind: Warehouse", "apiVersion: logistics.example.com/v1\nkind: Warehouse"},
		{"a stage whose kind is mistyped", "kind: Stage\nmetadata:\n  name: frontend-prod\n", "kind: Stages\nmetadata:\n  name: frontend-prod\n"},
		{"no name", "  name: frontend-image\n  namespace", "  namespace"},
		{"no namespace and two Projects", "kind: ProjectConfig\nmetadata:\n  name: develop\n  namespace: develop", "kind: Project\nmetadata:\n  name: other\n---\napiVersion: kargo.akuity.io/v1alpha1\nkind: Stage\nmetadata:\n  name: lost"},
		{"a name that is none", "name: frontend-prod\n", "name: Frontend_Prod\n"},
		{"a name that Git cannot keep in a branch", "name: frontend-prod\n", "name: frontend.lock\n"},
		{"the same stage twice", "name: frontend-prod\n", "name: frontend-dev\n"},

		// Policies.
		{"a policy for a stage that does not exist", "        name: frontend-dev\n      auto", "        name: frontend-dve\n      auto"},
		{"an empty policy", "- stageSelector:\n        name: frontend-dev\n", "- stageSelector: {}\n"},
		{"a policy with both spellings", "- stageSelector:", "- stage: frontend-dev\n      stageSelector:"},
		{"a pattern that is none", "        name: frontend-dev\n      auto", "        name: 'regex:('\n      auto"},
		{"a pattern of an unknown kind", "        name: frontend-dev\n      auto", "        name: 'like:x'\n      auto"},
		{"a policy that names its stage the old way", "- stageSelector:\n        name: frontend-dev\n", "- stage: frontend-dev\n"},
		{"a requirement that compares with nothing", "        name: frontend-dev\n      auto", "        matchExpressions: [{key: tier, operator: In}]\n      auto"},
		{"a requirement that needs no values", "        name: frontend-dev\n      auto", "        matchExpressions: [{key: tier, operator: Exists, values: [a]}]\n      auto"},
		{"a requirement without a label", "        name: frontend-dev\n      auto", "        matchExpressions: [{operator: Exists}]\n      auto"},
		{"a rollback after an unknown phase", "      autoPromotionEnabled: true", "      autoPromotionEnabled: true\n      autoRollback: {onPromotion: [Failed, Slow], onVerification: [Errored]}"},
		{"a kind that is mistyped", "kind: Warehouse", "kind: Warehose"},
		{"a kind that Kargo does not have", "kind: Warehouse", "kind: Gate"},
		{"a kind that is not read", "kind: Warehouse\nmetadata:\n  name: frontend-image\n", "kind: ClusterConfig\nmetadata:\n  name: cluster\n"},
		{"what has no effect in a ProjectConfig", "  promotionPolicies:", "  webhookReceivers: [{name: github}]\n  freightLinks: []\n  stageLinks: [{name: a}]\n  promotionPolicies:"},
		{"promotion windows", "  promotionPolicies:", "  promotionWindows: [{name: night}]\n  promotionPolicies:"},

		// The warehouse.
		{"an empty subscription", "    - image:\n        repoURL: docker.io/acme/frontend\n        constraint: ^1.0.0", "    - {}"},
		{"the constraint by its old name", "constraint: ^1.0.0", "semverConstraint: ^1.0.0"},
		{"both names of the constraint", "constraint: ^1.0.0", "constraint: ^1.0.0\n        semverConstraint: ^2.0.0"},
		{"a constraint that is none", "constraint: ^1.0.0", "constraint: newest"},
		{"a constraint that YAML reads as a number", "constraint: ^1.0.0", "constraint: 1.10"},
		{"a pattern for tags that is none", "constraint: ^1.0.0", "allowTagsRegexes: ['^1', '(']"},
		{"a discovery limit out of range", "constraint: ^1.0.0", "discoveryLimit: 101"},
		{"a platform that is none", "constraint: ^1.0.0", "platform: amd64"},
		{"an interval that is none", "interval: 5m0s", "interval: five minutes"},
		{"an interval of nothing", "interval: 5m0s", "interval: 0s"},
		{"a repository with a tag", "repoURL: docker.io/acme/frontend\n", "repoURL: docker.io/acme/frontend:1.0.0\n"},
		{"a repository with a scheme", "repoURL: docker.io/acme/frontend\n", "repoURL: https://docker.io/acme/frontend\n"},
		{"no repository", "repoURL: docker.io/acme/frontend\n", ""},
		{"an unknown policy for freight", "  interval: 5m0s", "  freightCreationPolicy: Sometimes"},
		{"no subscriptions", "  subscriptions:\n    - image:\n        repoURL: docker.io/acme/frontend\n        constraint: ^1.0.0", "  subscriptions: []"},

		// The graph.
		{"a warehouse that does not exist", "        name: frontend-image\n      sources:\n        stages", "        name: frontend-imgae\n      sources:\n        stages"},
		{"an upstream stage that does not exist", "stages: [frontend-dev]", "stages: [frontend-dve]"},
		{"a stage that waits for itself", "stages: [frontend-dev]", "stages: [frontend-prod]"},
		{"stages that wait for each other", "        direct: true", "        stages: [frontend-prod]"},
		{"no source", "        direct: true", "        direct: false"},
		{"no requests", "  requestedFreight:\n    - origin:\n        kind: Warehouse\n        name: frontend-image\n      sources:\n        stages: [frontend-dev]\n        requiredSoakTime: 1h", "  shard: x"},
		{"a soak time that is none", "requiredSoakTime: 1h", "requiredSoakTime: 1 hour"},
		{"a soak straight from the warehouse", "        direct: true", "        direct: true\n        requiredSoakTime: 1h"},
		{"a soak of nothing straight from the warehouse", "        direct: true", "        direct: true\n        requiredSoakTime: 0s"},
		{"a soak in stages that are not waited for", "        stages: [frontend-dev]", "        direct: true\n        stages: [frontend-dev]"},
		{"a warehouse that no stage requests", "kind: Warehouse\nmetadata:", "kind: Warehouse\nmetadata: {name: backend-image, namespace: develop}\nspec: {subscriptions: [{image: {repoURL: acme/backend}}]}\n---\napiVersion: kargo.akuity.io/v1alpha1\nkind: Warehouse\nmetadata:"},
		{"an unknown strategy", "requiredSoakTime: 1h", "availabilityStrategy: Most"},
		{"an unknown way to select freight", "requiredSoakTime: 1h", "autoPromotionOptions: {selectionPolicy: MatchDownstream}"},
		{"matching upstream straight from the warehouse", "        direct: true", "        direct: true\n        autoPromotionOptions: {selectionPolicy: MatchUpstream}"},
		{"matching two stages upstream", "stages: [frontend-dev]", "stages: [frontend-dev, frontend-dev]\n        autoPromotionOptions: {selectionPolicy: MatchUpstream}"},
		{"the same warehouse twice", "      sources:\n        direct: true", "      sources:\n        direct: true\n    - origin: {kind: Warehouse, name: frontend-image}\n      sources: {direct: true}"},

		// The stage.
		{"an unknown key", "  promotionTemplate:", "  promotionTemplat:"},
		{"a wrong type", "        direct: true", "        direct: certainly"},
		{"verification", "  promotionTemplate:", "  verification: {analysisTemplates: [{name: x}]}\n  promotionTemplate:"},
		{"targets", "  promotionTemplate:", "  targets: {selectors: [{matchLabels: {region: eu}}]}\n  promotionTemplate:"},
		{"subscriptions of a stage", "  promotionTemplate:", "  subscriptions: {warehouse: x}\n  promotionTemplate:"},
		{"a task that does not exist and is near", "            name: promote-image", "            name: promote-imgae"},
		{"a task that does not exist and is not near", "            name: promote-image", "            name: promote-kro-instance"},
		{"a task of the cluster that does not exist", "            name: promote-image", "            name: promote-image\n            kind: ClusterPromotionTask"},
		{"a task of an unknown kind", "            name: promote-image", "            name: promote-image\n            kind: Task"},
		{"a task with a condition", "          as: image", "          if: ${{ true }}"},
		{"a task and a step in one", "          as: image", "          uses: git-clone"},
		{"a reserved alias", "          as: image", "          as: task-1"},
		{"a variable without a value", "            - name: image\n              value: docker.io/acme/frontend", "            - name: other\n              value: x"},
		{"a variable that the task almost has", "            - name: image\n", "            - name: image\n              value: docker.io/acme/frontend\n            - name: rpeo\n"},
		{"a variable that is no name", "    - name: path", "    - name: my-path"},
		{"a literal image that no warehouse subscribes to", "              value: docker.io/acme/frontend", "              value: docker.io/acme/frontned"},
		{"a placeholder for the image", "              value: docker.io/acme/frontend", "              value: <your docker image repo>"},
		{"a warehouse that the stage does not request", "imageFrom(vars.image)", "imageFrom(vars.image, warehouse('backend-image'))"},

		// The steps.
		{"an unknown step", "uses: git-push", "uses: git-psuh"},
		{"a step that is far from any", "uses: git-push", "uses: deploy-everything"},
		{"a step of Kargo that is not supported", "uses: git-push", "uses: github-push"},
		{"a step without uses", "    - uses: git-push\n      if: ${{ success() }}", "    - if: ${{ success() }}"},
		{"a task inside a task", "    - uses: git-push\n", "    - task: {name: promote-image}\n"},
		{"the same alias twice", "as: commit", "as: update"},
		{"a condition without an expression", "if: ${{ success() }}", `if: "true"`},
		{"a timeout that is none", "timeout: 1m", "timeout: soon"},
		{"an unknown key of a step", "      retry:", "      retries:"},
		{"a missing key of a configuration", "        path: ./repo\n        message", "        message"},
		{"an unknown key of a configuration", "        message: ${{ task.outputs.update.commitMessage }}", "        message: x\n        mesage: y"},
		{"neither message nor messageFromSteps", "        message: ${{ task.outputs.update.commitMessage }}", "        author: {name: bot}"},
		{"a message from steps", "        message: ${{ task.outputs.update.commitMessage }}", "        messageFromSteps: [update]"},
		{"a key that stands twice", "          - branch: main\n", "          - branch: main\n            branch: next\n"},
		{"a branch and a commit", "          - branch: main\n", "          - branch: main\n            commit: abc\n"},
		{"a branch that YAML reads as a number", "          - branch: main\n", "          - branch: 1.10\n"},
		{"a checkout from freight", "          - branch: main\n", "          - fromFreight: true\n"},
		{"a list that is a mapping", "        updates:\n          - key: spec.tag\n            value: ${{ quote(imageFrom(vars.image).Tag) }}", "        updates: {key: spec.tag, value: x}"},
		{"an empty list", "        updates:\n          - key: spec.tag\n            value: ${{ quote(imageFrom(vars.image).Tag) }}", "        updates: []"},
		{"a value that is a mapping", "            value: ${{ quote(imageFrom(vars.image).Tag) }}", "            value: {a: b}"},
		{"an application by label", "          - name: frontend-dev-app\n", "          - selector: {matchLabels: {a: b}}\n"},
		{"an application by name and label", "          - name: frontend-dev-app\n", "          - name: frontend-dev-app\n            selector: {matchLabels: {a: b}}\n"},
		{"an image changed in the cluster", "                desiredRevision: ${{ task.outputs.commit.commit }}", "                kustomize: {images: []}"},

		// Expressions and paths.
		{"an unclosed expression", "message: ${{ task.outputs.update.commitMessage }}", "message: Update ${{ task.outputs.update.commitMessage"},
		{"an unknown variable", "path: ./repo/${{ vars.path }}", "path: ./repo/${{ vars.pth }}"},
		{"an unknown variable in a variable", "value: develop/frontend/instance.yaml", "value: ${{ vars.nothing }}"},
		{"image.tag", "value: ${{ quote(imageFrom(vars.image).Tag) }}", "value: ${{ image.tag }}"},
		{"a field in lower case", "value: ${{ quote(imageFrom(vars.image).Tag) }}", "value: ${{ quote(imageFrom(vars.image).tag) }}"},
		{"an unknown function", "value: ${{ quote(imageFrom(vars.image).Tag) }}", "value: ${{ qoute(imageFrom(vars.image).Tag) }}"},
		{"a tag without quotes", "value: ${{ quote(imageFrom(vars.image).Tag) }}", "value: ${{ imageFrom(vars.image).Tag }}"},
		{"the output of a later step", "message: ${{ task.outputs.update.commitMessage }}", "message: ${{ task.outputs.commit.commit }}"},
		{"a path that is not cloned", "path: ./repo/${{ vars.path }}", "path: ./repo2/${{ vars.path }}"},
		{"a path that climbs out of the checkout", "path: ./repo/${{ vars.path }}", "path: ./repo/../${{ vars.path }}"},
		{"a path that begins like a checkout", "        path: ./repo\n        message", "        path: ./repository\n        message"},
		{"no clone at all", "    - uses: git-clone\n      config:\n        repoURL: ${{ vars.repo }}\n        checkout:\n          - branch: main\n            path: ./repo\n", ""},
	}
	want := goldenFindings(t, "testdata/findings.txt")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Count(sound, tt.old) < 1 {
				t.Fatalf("%q is not in the manifests", tt.old)
			}
			text := strings.Replace(sound, tt.old, tt.new, 1)
			pipelines, findings := kargo.Load(manifesttest.Split(t, "p.yaml", text))
			var got []string
			for _, f := range findings {
				got = append(got, finding(f))
				if f.Severity == promote.SeverityError && (f.Remedy == "" && f.Code != "unsupported" && f.Code != "invalid-manifest" && f.Code != "invalid-expression" || f.Position.Line == 0) {
					t.Errorf("no remedy or position: %s", finding(f))
				}
			}
			want.compare(t, tt.name, got)
			for _, s := range pipelines {
				dev, ok := s.Stage("frontend-dev")
				if ok && len(dev.Steps) == 0 {
					t.Error("a stage that has steps was taken for a control-flow stage")
				}
			}
		})
	}
}
