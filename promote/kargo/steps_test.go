package kargo_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/manifest/manifesttest"
	"github.com/lockkeeper/lockkeeper/promote/kargo"
)

// stepped declares a stage that clones a repository to ./src and ./out and then runs the step of a row.
const stepped = `apiVersion: kargo.akuity.io/v1alpha1
kind: Project
metadata: {name: p}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: w, namespace: p}
spec: {subscriptions: [{image: {repoURL: ghcr.io/acme/web}}]}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {name: s, namespace: p}
spec:
  vars: [{name: direct, value: "true"}]
  requestedFreight: [{origin: {kind: Warehouse, name: w}, sources: {direct: true}}]
  promotionTemplate:
    spec:
      steps:
        - uses: git-clone
          config: {repoURL: 'https://g/a', checkout: [{path: ./src}, {branch: env/s, path: ./out, create: true}]}
`

// findingsOf loads a stage with one step.
func findingsOf(t *testing.T, uses, config string) []string {
	t.Helper()
	text := stepped + "        - uses: " + uses + "\n"
	if config != "" {
		text += "          config: " + config + "\n"
	}
	_, findings := kargo.Load(manifesttest.Split(t, "p.yaml", text))
	var out []string
	for _, f := range findings {
		out = append(out, finding(f))
	}
	return out
}

func TestEveryStepTakesItsWholeConfiguration(t *testing.T) {
	configs := map[string]string{
		"add-comment":         "{repoURL: 'https://g/a', number: 7, body: done}",
		"analysis-prometheus": "{name: errors, address: 'https://prom', query: 'sum(errors)', headers: [{name: a, value: b}], rangeQuery: {start: '-5m', end: now, step: 1m}, timeoutSeconds: 5, insecure: true, successCondition: 'result[0] < 1', count: 3, interval: 10s}",
		"analysis-web": "{name: health, url: 'https://web/health', method: POST, headers: [{name: a, value: b}], body: '{}', jsonPath: '{$.ok}', timeoutSeconds: 5, insecure: true, " +
			"successCondition: result == 'ok', failureCondition: result == 'bad', interval: 10s, initialDelay: 1m, count: 3, failureLimit: 0, inconclusiveLimit: 1, consecutiveErrorLimit: 4, consecutiveSuccessLimit: 2}",
		"argocd-update":           "{apps: [{name: web, namespace: argocd, sources: [{repoURL: 'https://g/a', desiredRevision: main}, {repoURL: 'https://g/b', chart: web}]}]}",
		"argocd-wait":             "{apps: [{selector: {matchLabels: {app: web}, matchExpressions: [{key: tier, operator: In, values: [a]}]}, namespace: argocd, waitFor: [health, sync, operation, suspended, degraded]}]}",
		"compose-output":          "{anything: [1, {at: all}]}",
		"copy":                    "{inPath: ./src/a, outPath: ./out/a, ignore: '*.md'}",
		"delete":                  "{paths: ['./out/*'], pathsAreGlobs: true, strict: true}",
		"fail":                    "{message: stop}",
		"file-write":              "{path: ./out/a, contents: '', permissions: '0644', overwrite: true}",
		"gha-dispatch-workflow":   "{owner: acme, repo: web, workflow: smoke.yaml, ref: main, inputs: {stage: s, count: 3}, wait: true, timeout: 10m}",
		"git-clear":               "{path: ./out}",
		"git-clone":               "{repoURL: 'https://g/a', checkout: [{path: ./b, commit: abc, as: b, sparse: [base, env/s]}, {path: ./c, tag: v1}], author: {name: bot, email: bot@acme.io}, insecureSkipTLSVerify: true, recurseSubmodules: false, blobless: true}",
		"git-commit":              "{path: ./out, message: Update}",
		"git-merge-pr":            "{repoURL: 'https://g/a', prNumber: 7, provider: gitlab, mergeMethod: squash, wait: true, pollInterval: 10s, insecureSkipTLSVerify: true}",
		"git-open-pr":             "{repoURL: 'https://g/a', sourceBranch: a, targetBranch: main, title: t, description: d, labels: [l], provider: github, insecureSkipTLSVerify: true}",
		"git-push":                "{path: ./out, targetBranch: env/s, generateTargetBranch: false, maxAttempts: 3, force: true, provider: gitea, insecureSkipTLSVerify: true}",
		"git-tag":                 "{path: ./out, tag: v1, message: Release, force: true}",
		"git-wait-for-pr":         "{repoURL: 'https://g/a', prNumber: 7, provider: azure, pollInterval: 1m, insecureSkipTLSVerify: true}",
		"gitlab-trigger-pipeline": "{project: acme/web, ref: main, variables: {STAGE: s}, wait: false, timeout: 1h}",
		"helm-template": "{path: ./src/chart, outPath: ./out, releaseName: web, namespace: web, valuesFiles: [./src/values.yaml], ignoreMissingValueFiles: true, setValues: [{key: a, value: '', literal: true}], " +
			"buildDependencies: true, includeCRDs: true, disableHooks: true, skipTests: true, kubeVersion: '1.33', apiVersions: [a/v1], outLayout: flat, useReleaseName: true}",
		"helm-update-chart": "{path: ./src/chart, charts: [{repository: 'https://c/x', name: redis, version: 1.2.3}]}",
		"http": "{url: 'https://x', method: POST, headers: [{name: a, value: b}], queryParams: [{name: a, value: b}], body: '{}', timeout: 10s, pollInterval: 30s, proxy: 'http://proxy', insecureSkipTLSVerify: true, " +
			"responseContentType: application/json, successExpression: response.status == 200, failureExpression: response.status == 404, errorExpression: response.body.error, outputs: [{name: id, fromExpression: response.body.id}]}",
		"http-download":       "{url: 'https://x', outPath: ./a.tgz, allowOverwrite: true, headers: [{name: a, value: b}], queryParams: [{name: a, value: b}], timeout: 5m, insecureSkipTLSVerify: true, errorExpression: response.body}",
		"json-parse":          "{path: ./src/a.json, outputs: [{name: a, fromExpression: a.b}]}",
		"json-update":         "{path: ./src/a.json, updates: [{key: a.b, value: 1}]}",
		"kustomize-build":     "{path: ./src, outPath: ./out, outputFormat: kustomize, plugin: {helm: {apiVersions: [a/v1], kubeVersion: '1.33'}}}",
		"kustomize-set-image": "{path: ./src, images: [{image: ghcr.io/acme/web, name: web, newName: b, tag: v1}, {image: b, digest: 'sha256:a'}]}",
		"oci-download":        "{imageRef: 'ghcr.io/acme/web:1', outPath: ./a.tgz, mediaType: application/x, allowOverwrite: true, insecureSkipTLSVerify: true}",
		"oci-push":            "{srcRef: 'ghcr.io/acme/web:1', destRef: 'ghcr.io/acme/web:prod', annotations: {a: b}, insecureSkipTLSVerify: true}",
		"send-message":        "{slack: {channel: releases}, message: done, title: Release}",
		"set-freight-alias":   "{name: abc, alias: happy-crab}",
		"set-metadata":        "{updates: [{kind: Freight, name: abc, values: {a: [1], b: {c: d}}}]}",
		"tar":                 "{inPath: ./src, outPath: ./a.tgz, ignore: '*.md', gzip: false}",
		"toml-parse":          "{path: ./src/a.toml, outputs: [{name: a, fromExpression: a.b}]}",
		"toml-update":         "{path: ./src/a.toml, updates: [{key: a.b, value: [1, 2]}]}",
		"untar":               "{inPath: ./src/a.tgz, outPath: ./a, stripComponents: 1, ignore: '*.md'}",
		"wait-for-approval":   "{approvers: [ada, 'team:sre'], minimum: 2, timeout: 24h}",
		"yaml-merge":          "{inFiles: [./src/a.yaml, ./src/b.yaml], outFile: ./out/c.yaml, ignoreMissingFiles: true}",
		"yaml-parse":          "{path: ./src/a.yaml, outputs: [{name: a, fromExpression: 'a.b | string()'}]}",
		"yaml-update":         "{path: ./src/a.yaml, updates: [{key: a.b, value: 1, create: true}]}",
	}
	for _, kind := range kargo.StepKinds() {
		t.Run(kind, func(t *testing.T) {
			config, ok := configs[kind]
			if !ok {
				t.Fatal("no configuration in the table")
			}
			if diff := cmp.Diff([]string(nil), findingsOf(t, kind, config)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	for kind := range configs {
		if !slices.Contains(kargo.StepKinds(), kind) {
			t.Errorf("%s is in the table but is no step", kind)
		}
	}
}

func TestStepConfigurations(t *testing.T) {
	tests := []struct{ name, uses, config string }{
		{"no configuration", "kustomize-build", ""},
		{"an empty value where one is needed", "helm-template", "{path: ./src, outPath: ./out, releaseName: ''}"},
		{"neither of two keys", "delete", "{strict: true}"},
		{"both of two keys", "delete", "{path: ./out/a, paths: [./out/b]}"},
		{"two bodies", "http", "{url: x, body: a, bodyFromFile: ./src/b}"},
		{"a tag and a digest", "kustomize-set-image", "{path: ./src, images: [{image: a, tag: b, digest: c}]}"},
		{"neither tag nor digest", "kustomize-set-image", "{path: ./src, images: [{image: a}]}"},
		{"a branch and a tag to push", "git-push", "{path: ./out, targetBranch: a, tag: b}"},
		{"a branch and a generated one", "git-push", "{path: ./out, targetBranch: a, generateTargetBranch: true}"},
		{"a branch and one that is not generated", "git-push", "{path: ./out, targetBranch: a, generateTargetBranch: false}"},
		{"a branch that may turn out to be empty", "git-push", "{path: ./out, targetBranch: \"${{ vars.direct == 'true' ? 'main' : '' }}\", generateTargetBranch: true}"},
		{"a branch, a commit and a tag", "git-clone", "{repoURL: a, checkout: [{path: a, branch: b, commit: c, tag: d}]}"},
		{"a name and a selector", "argocd-wait", "{apps: [{name: a, selector: {matchLabels: {a: b}}}]}"},
		{"neither name nor selector", "argocd-wait", "{apps: [{namespace: a}]}"},
		{"an empty selector", "argocd-wait", "{apps: [{selector: {}}]}"},
		{"an unknown operator", "argocd-wait", "{apps: [{selector: {matchExpressions: [{key: a, operator: Like}]}}]}"},
		{"patterns in sparse", "git-clone", "{repoURL: 'https://g/a', checkout: [{path: a, sparse: [base, develop/*, '!env']}]}"},
		{"folders outside of the repository in sparse", "git-clone", "{repoURL: 'https://g/a', checkout: [{path: a, sparse: [../x, /x, env/../..]}]}"},
		{"nothing in sparse", "git-clone", "{repoURL: 'https://g/a', checkout: [{path: a, sparse: ['']}]}"},
		{"folders from expressions in sparse", "git-clone", "{repoURL: 'https://g/a', checkout: [{path: a, sparse: ['${{ ctx.stage }}/*', .]}]}"},
		{"an unknown condition to wait for", "argocd-wait", "{apps: [{name: a, waitFor: [healthy]}]}"},
		{"an unknown method", "http", "{url: x, method: FETCH}"},
		{"a duration that is none", "http", "{url: x, timeout: soon}"},
		{"a negative duration", "wait-for-approval", "{timeout: -1h}"},
		{"a negative number", "untar", "{inPath: ./src/a.tgz, outPath: ./a, stripComponents: -1}"},
		{"an expression that does not parse", "yaml-parse", "{path: ./src/a.yaml, outputs: [{name: a, fromExpression: 'a.'}]}"},
		{"an expression over an answer that has no such field", "http", "{url: x, successExpression: response.code == 200}"},
		{"inputs that are a list", "gha-dispatch-workflow", "{repo: a, workflow: b, ref: c, inputs: [a]}"},
		{"an input that is a list", "gha-dispatch-workflow", "{repo: a, workflow: b, ref: c, inputs: {a: [b]}}"},
		{"a message to nobody", "send-message", "{message: a}"},
		{"a channel that is a mapping", "send-message", "{channel: {name: a}, message: a}"},
		{"metadata of something else", "set-metadata", "{updates: [{kind: Warehouse, name: a, values: {a: b}}]}"},
		{"a key that Kargo does not know either", "git-push", "{path: ./out, message: a}"},
		{"the old name of a source", "oci-push", "{imageRef: a, destRef: b}"},
		{"a revision of a chart to wait for", "argocd-update", "{apps: [{name: a, sources: [{repoURL: a, chart: b, desiredRevision: c}]}]}"},
		{"submodules", "git-clone", "{repoURL: a, checkout: [{path: a}], recurseSubmodules: true}"},
		{"a key to sign with", "git-clone", "{repoURL: a, checkout: [{path: a}], author: {name: a, email: b, signingKey: c}}"},
		{"a password in a URL", "http", "{url: 'https://bot:hunter2@x/y'}"},
		{"a password in the URL of a repository", "git-clone", "{repoURL: 'https://oauth2:hunter2@x/y.git', checkout: [{path: a}]}"},
		{"a password before an expression", "git-clone", "{repoURL: 'https://oauth2:hunter2@x/${{ vars.app }}.git', checkout: [{path: a}]}"},
		{"a token in the URL of a repository", "git-open-pr", "{repoURL: 'https://glpat-hunter2@x/y.git', sourceBranch: a, targetBranch: b}"},
		{"a password of a registry", "oci-push", "{srcRef: 'oci://bot:hunter2@x/y', destRef: z}"},
		{"a password from a secret", "http", "{url: 'https://bot:${{ secret(\"x\").y }}@x/y'}"},
		{"a step with another name here", "github-push", "{path: ./out}"},
		{"a step of the paid edition", "tf-apply", "{path: ./out}"},

		// Paths.
		{"a folder that was never cloned", "kustomize-build", "{path: ./base, outPath: ./out}"},
		{"a commit outside of every checkout", "git-commit", "{path: ./other, message: a}"},
	}
	want := goldenFindings(t, "testdata/steps.txt")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want.compare(t, tt.name, findingsOf(t, tt.uses, tt.config))
		})
	}
}

func TestWhatStepsWriteCanBeRead(t *testing.T) {
	const from = "  - uses: yaml-update\n    config: {path: %, updates: [{key: a, value: b}]}\n"
	tests := []struct {
		name, steps string
		want        []string // the codes
	}{
		{"a file that was written", "  - uses: file-write\n    config: {path: new/a.yaml, contents: 'a: b'}\n" + strings.ReplaceAll(from, "%", "./new/a.yaml"), nil},
		{"a file beside it", "  - uses: file-write\n    config: {path: new/a.yaml, contents: 'a: b'}\n" + strings.ReplaceAll(from, "%", "new/b.yaml"), []string{"path-not-cloned"}},
		{"the folder that it is in", "  - uses: file-write\n    config: {path: new/a.yaml, contents: 'a: b'}\n  - uses: copy\n    config: {inPath: new, outPath: out}\n", nil},
		{"below a folder that was unpacked", "  - uses: untar\n    config: {inPath: src/a.tgz, outPath: chart}\n" + strings.ReplaceAll(from, "%", "chart/web/values.yaml"), nil},
		{"somewhere once a place is not known", "  - uses: http-download\n    config: {url: x, outPath: '${{ ctx.stage }}.yaml'}\n" + strings.ReplaceAll(from, "%", "dev.yaml"), nil},
		{"a commit of what was only written", "  - uses: untar\n    config: {inPath: src/a.tgz, outPath: chart}\n  - uses: git-commit\n    config: {path: chart, message: a}\n", []string{"path-not-cloned"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, findings := kargo.Load(manifesttest.Split(t, "p.yaml", stepped+strings.ReplaceAll("\n"+tt.steps, "\n", "\n      ")))
			var got []string
			for _, f := range findings {
				got = append(got, f.Code)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s\n%v", diff, findings)
			}
		})
	}
}
