package kargo_test

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/manifest/manifesttest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/kargo"
)

// subscribed declares a warehouse with the subscriptions of a row, and a stage that takes its freight.
const subscribed = `apiVersion: kargo.akuity.io/v1alpha1
kind: Project
metadata: {name: p}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {name: s, namespace: p}
spec:
  requestedFreight:
    - {origin: {kind: Warehouse, name: w}, sources: {direct: true}}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: w, namespace: p}
spec:
  subscriptions:
`

func TestSubscriptions(t *testing.T) {
	tests := []struct{ name, subscriptions string }{
		{"nothing wrong", "- image: {repoURL: acme/web}\n- git: {repoURL: 'https://g/acme/web'}\n- chart: {repoURL: 'https://g/acme/web', name: web}"},

		// One item of the list.
		{"two types in one item", "- git: {repoURL: 'https://g/a'}\n  image: {repoURL: a}"},
		{"a type that nobody finds artifacts for", "- name: x\n  maven: {groupId: a}"},
		{"a type with a typing mistake", "- imgae: {repoURL: a}"},
		{"a name that is no label", "- name: My App\n  image: {repoURL: a}"},
		{"a name that stands twice", "- name: app\n  image: {repoURL: a}\n- name: app\n  git: {repoURL: 'https://g/a'}"},
		{"an image in two spellings", "- image: {repoURL: docker.io/library/nginx}\n- image: {repoURL: nginx}"},
		{"a Git repository in two spellings", "- git: {repoURL: 'https://g/Acme/App.git'}\n- git: {repoURL: 'https://g/acme/app'}"},
		{"a chart twice", "- chart: {repoURL: 'https://c/x', name: a}\n- chart: {repoURL: 'https://C/x', name: a}"},
		{"a chart of a registry twice", "- chart: {repoURL: 'oci://c.io/x'}\n- chart: {repoURL: 'oci://c.io/X'}"},

		// Images.
		{"an unknown strategy", "- image: {repoURL: a, imageSelectionStrategy: Newest}"},
		{"a digest without a tag to look at", "- image: {repoURL: a, imageSelectionStrategy: Digest}"},
		{"a digest with a range", "- image: {repoURL: a, imageSelectionStrategy: Digest, constraint: ^1.0.0}"},
		{"a digest with what it does not look at", "- image: {repoURL: a, imageSelectionStrategy: Digest, constraint: latest, cacheByTag: true, allowTagsRegexes: [x]}"},
		{"a digest with the old name of the constraint", "- image: {repoURL: a, imageSelectionStrategy: Digest, semverConstraint: latest}"},
		{"a constraint where builds count", "- image: {repoURL: a, imageSelectionStrategy: NewestBuild, constraint: ^1.0.0, strictSemvers: true}"},
		{"a constraint where the alphabet counts", "- image: {repoURL: a, imageSelectionStrategy: Lexical, constraint: ^1.0.0}"},
		{"the old filters", "- image: {repoURL: a, allowTags: ^1, ignoreTags: [1.2.3]}"},
		{"an old filter that is no expression", "- image: {repoURL: a, allowTags: (}"},

		{"a password in the URL of an image", "- image: {repoURL: 'https://bot:hunter2@docker.io/acme/app'}"},
		{"a password in the name of an image", "- image: {repoURL: 'bot:hunter2@registry.example.com/acme/app'}"},

		// Git.
		{"no repository", "- git: {branch: main}"},
		{"SSH", "- git: {repoURL: 'ssh://git@git.example.com:2222/acme/app.git'}"},
		{"SSH as git of its own port", "- git: {repoURL: 'ssh://git@git.example.com/acme/app.git'}"},
		{"SSH as somebody", "- git: {repoURL: 'ssh://deploy@git.example.com/acme/app.git'}"},
		{"SSH as somebody as scp writes it", "- git: {repoURL: 'deploy@git.example.com:acme/app.git'}"},
		{"SSH of a host for it", "- git: {repoURL: 'git@ssh.dev.azure.com:v3/acme/shop/app'}"},
		{"SSH as scp writes it", "- git: {repoURL: 'git@git.example.com:acme/app.git'}"},
		{"a password in the URL", "- git: {repoURL: 'https://bot:hunter2@git.example.com/acme/app.git'}"},
		{"a token in the URL", "- git: {repoURL: 'https://glpat-hunter2@git.example.com/acme/app.git'}"},
		{"a password without a scheme", "- git: {repoURL: 'bot:hunter2@git.example.com/acme/app.git'}"},
		{"a path of the machine", "- git: {repoURL: /srv/git/app.git}"},
		{"a host without a path", "- git: {repoURL: 'https://git.example.com/'}"},
		{"an unknown strategy for commits", "- git: {repoURL: 'https://g/a', commitSelectionStrategy: Newest}"},
		{"tags with what counts for branches only", "- git: {repoURL: 'https://g/a', commitSelectionStrategy: Lexical, branch: main, since: 2026-01-31T00:00:00Z, semverConstraint: ^1}"},
		{"a branch with what counts for tags only", "- git: {repoURL: 'https://g/a', allowTagsRegexes: [x], ignoreTagsRegexes: [z], strictSemvers: true, semverConstraint: ^1}"},
		{"a range of commits that is none", "- git: {repoURL: 'https://g/a', commitSelectionStrategy: SemVer, semverConstraint: newest}"},
		{"a time that is none", "- git: {repoURL: 'https://g/a', since: yesterday}"},
		{"a filter that does not parse", "- git: {repoURL: 'https://g/a', expressionFilter: 'author == '}"},
		{"a filter of a branch that looks at tags", "- git: {repoURL: 'https://g/a', expressionFilter: 'tag contains \"rc\"'}"},
		{"a filter of tags", "- git: {repoURL: 'https://g/a', commitSelectionStrategy: Lexical, expressionFilter: 'tag contains \"rc\"'}"},
		{"a filter with delimiters", "- git: {repoURL: 'https://g/a', expressionFilter: '${{ true }}'}"},
		{"a filter that is too long", "- git: {repoURL: 'https://g/a', expressionFilter: '" + strings.Repeat("!", 70_000) + "true'}"},
		{"paths that match nothing", "- git: {repoURL: 'https://g/a', includePaths: ['', /apps, ../other, 'apps/*.yaml']}"},
		{"patterns that are none", "- git: {repoURL: 'https://g/a', excludePaths: ['glob:a[', 'glob:{a,b', 'glob:a}', 'glob:', 'regex:(', 'regexp:a', 'glob:**/\\{a']}"},
		{"a limit of nothing", "- git: {repoURL: 'https://g/a', discoveryLimit: 0}"},

		// Charts.
		{"no chart repository", "- chart: {name: redis}"},
		{"a chart repository without a chart", "- chart: {repoURL: 'https://charts.example.com'}"},
		{"a chart of a registry with a name", "- chart: {repoURL: 'oci://ghcr.io/acme/charts', name: web}"},
		{"a chart repository without a scheme", "- chart: {repoURL: ghcr.io/acme/charts/web}"},
		{"a chart of a registry with a tag", "- chart: {repoURL: 'oci://ghcr.io/acme/charts/web:1.0.0'}"},
		{"a password in the URL of charts", "- chart: {repoURL: 'https://bot:hunter2@charts.example.com/x', name: web}"},
		{"a password in the URL of a registry", "- chart: {repoURL: 'oci://bot:hunter2@ghcr.io/acme/web'}"},
		{"a range of charts that is none", "- chart: {repoURL: 'oci://ghcr.io/acme/charts/web', semverConstraint: newest}"},
	}
	want := goldenFindings(t, "testdata/subscriptions.txt")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, findings := kargo.Load(manifesttest.Split(t, "p.yaml", subscribed+"    "+strings.ReplaceAll(tt.subscriptions, "\n", "\n    ")+"\n"))
			var got []string
			for _, f := range findings {
				got = append(got, finding(f))
				if f.Remedy == "" && f.Code != "invalid-expression" || f.Position.Line == 0 {
					t.Errorf("no remedy or position: %s", finding(f))
				}
				if strings.Contains(f.String(), "hunter2") {
					t.Errorf("a password is printed: %s", finding(f))
				}
				if f.Severity == promote.SeverityError && f.Stage.Name != "s" {
					t.Errorf("concerns %s, not the stage that takes the freight", f.Stage)
				}
			}
			want.compare(t, tt.name, got)
		})
	}
}

func TestCriteria(t *testing.T) {
	tests := []struct{ name, spec string }{
		{"criteria that do not parse", "freightCreationCriteria: {expression: 'imageFrom('}"},
		{"criteria with an unknown function", "freightCreationCriteria: {expression: 'imagesFrom(\"a\").Tag == \"1\"'}"},
		{"criteria that nobody asks for", "freightCreationPolicy: Manual\n  freightCreationCriteria: {expression: 'true'}"},
		{"an unknown key of criteria", "freightCreationCriteria: {expr: 'true'}"},
	}
	want := goldenFindings(t, "testdata/criteria.txt")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(subscribed, "  subscriptions:\n", "  "+tt.spec+"\n  subscriptions: [{image: {repoURL: a}}]\n", 1)
			_, findings := kargo.Load(manifesttest.Split(t, "p.yaml", text))
			var got []string
			for _, f := range findings {
				got = append(got, finding(f))
			}
			want.compare(t, tt.name, got)
		})
	}
}
