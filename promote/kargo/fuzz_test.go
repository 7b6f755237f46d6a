package kargo_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/manifest/manifesttest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/kargo"
)

func FuzzLoad(f *testing.F) {
	f.Add(sound)
	f.Add(subscribed + "    - git: {repoURL: 'git@g:a/b', includePaths: ['glob:{a,b}'], expressionFilter: 'subject matches \"^a\"'}\n")
	f.Add(stepped + "        - {uses: http, config: {url: a, timeout: 1s, outputs: [{name: a, fromExpression: b.c}]}}\n")
	f.Add(verified)
	f.Add("apiVersion: kargo.akuity.io/v1alpha1\nkind: Stage\nmetadata: {name: a, namespace: b}\nspec: []\n")
	f.Add("apiVersion: kargo.akuity.io/v1alpha1\nkind: PromotionTask\nmetadata: {name: a, namespace: b}\nspec: {steps: [&a {uses: git-clone, config: {<<: [{path: 1}], checkout: [~]}}, *a]}\n")
	f.Add("apiVersion: kargo.akuity.io/v1alpha1\nkind: ProjectConfig\nmetadata: {name: a}\nspec: {promotionPolicies: [{stageSelector: {name: 'glob:[{'}}]}\n")
	manifesttest.Seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		docs, _ := manifest.Split("f.yaml", []byte(text))
		pipelines, findings := kargo.Load(docs)
		again, findingsAgain := kargo.Load(docs)
		if diff := cmp.Diff(dump(pipelines, findings), dump(again, findingsAgain)); diff != "" {
			t.Errorf("two readings differ:\n%s", diff)
		}
		for _, found := range findings {
			if found.Code == "" || found.Message == "" || found.Position.Line < 1 {
				t.Errorf("finding without code, message or position: %+v", found)
			}
			if found.Project == "" && found.Stage == (promote.StageRef{}) && found.Severity == promote.SeverityError {
				t.Errorf("one object stands in the way of the whole repository: %+v", found)
			}
		}
		for _, p := range pipelines {
			for _, s := range p.Stages {
				for _, step := range slices.Concat(s.Steps, s.Verify) {
					if step.Config != nil && !json.Valid(step.Config) {
						t.Errorf("config %s is not JSON", step.Config)
					}
				}
			}
		}
	})
}
