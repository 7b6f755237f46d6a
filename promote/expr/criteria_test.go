package expr

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func foundArtifacts() promote.Artifacts {
	found := demoArtifacts()
	found.Images[0].CreatedAt = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	found.Images[0].Annotations = map[string]string{"org.opencontainers.image.revision": "c0ffee"}
	found.Images = append(found.Images, promote.Image{RepoURL: "docker.io/library/nginx", Tag: "1.27", Digest: "sha256:11"})
	return found
}

func TestCriteria(t *testing.T) {
	tests := []struct {
		name       string
		expression string
		want       bool
		err        string
	}{
		{name: "an image and its commit", expression: "imageFrom('ghcr.io/acme/shop').Annotations['org.opencontainers.image.revision'] == commitFrom('" + shopSource + "').ID", want: true},
		{name: "an image by another spelling", expression: "imageFrom('Nginx').Tag == '1.27' && imageFrom('nginx').Digest == 'sha256:11'", want: true},
		{name: "when an image was built", expression: "imageFrom('ghcr.io/acme/shop').CreatedAt > date('2024-01-01')", want: true},
		{name: "when an image was built, where nobody asked", expression: "imageFrom('nginx').CreatedAt == nil", want: true},
		{name: "a subject", expression: "commitFrom('git@git.example.com:acme/shop.git').Subject == 'fix'", want: true},
		{name: "who committed", expression: "commitFrom('" + shopSource + "').Author + commitFrom('" + shopSource + "').Committer + commitFrom('" + shopSource + "').Branch == 'A <a@x>C <c@x>main'", want: true},
		{name: "a commit's tag and an older chart", expression: "semverParse(commitFrom('https://git.example.com/acme/lib').Tag).LessThan(semverParse(chartFrom('" + httpCharts + "', 'app').Version))"},
		{name: "an OCI chart", expression: "chartFrom('" + ociChart + "').Version == '4.5.6' and chartFrom('" + ociChart + "').RepoURL != ''", want: true},
		{name: "an artifact by its subscription", expression: "artifactFrom('shop').Version == artifactFrom('shop').Metadata.tag", want: true},
		{name: "nothing found is null", expression: "imageFrom('x') == nil", want: true},
		{name: "a text that reads as a boolean", expression: "'F'"},
		{name: "nothing found", expression: "imageFrom('x').Tag == ''", err: `expression "imageFrom('x').Tag == ''": imageFrom("x"): no image of this freight comes from "x"; the freight has: docker.io/library/nginx, ghcr.io/acme/shop; check the Warehouse's repoURL and the variable`},
		{name: "a field that only templates have", expression: "commitFrom('x').Message", err: `expression "commitFrom('x').Message": unknown name: commitFrom(…).Message; known: Author, Branch, Committer, CreatorDate, ID, Subject, Tag`},
		{name: "a field that only templates have, in a local variable", expression: "let i = imageFrom('nginx'); i.RepoURL == ''", err: `expression "let i = imageFrom('nginx'); i.RepoURL == ''": unknown name: i.RepoURL; known: Annotations, CreatedAt, Digest, Tag`},
		{name: "a warehouse", expression: "imageFrom('x', warehouse('y')).Tag", err: `expression "imageFrom('x', warehouse('y')).Tag": unknown name: function warehouse, which exists only in templates`},
		{name: "a variable", expression: "vars.x", err: `expression "vars.x": unknown name: vars; there is none`},
		{name: "a version", expression: "imageFrom('nginx').Tag", err: `expression "imageFrom('nginx').Tag" yields "1.27", a string, not true or false: compare it with something`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Criteria(tt.expression, foundArtifacts())
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff(tt.err, text); diff != "" || got != tt.want {
				t.Errorf("%v, want %v, error (-want +got):\n%s", got, tt.want, diff)
			}
		})
	}
	if _, err := Criteria("repeat('x', 1000000000) == ''", promote.Artifacts{}); !errors.Is(err, ErrTooCostly) {
		t.Errorf("too much work: %v", err)
	}
}

func TestCheckCriteria(t *testing.T) {
	for expression, want := range map[string][]Problem{
		"imageFrom('x').Tag == commitFrom('y').Tag": nil,
		"imageFrom('x').tag == commitFrom('y').id": {
			{0, `unknown name: imageFrom(…).tag; did you mean .Tag?`}, {0, `unknown name: commitFrom(…).id; did you mean .ID?`},
		},
		"success()":         {{0, `unknown name: function success, which exists only in templates`}},
		"imageFrom(1)":      {{0, `column 11: cannot use int as argument (type string) to call imageFrom`}},
		"chartFom('x')":     {{0, `unknown name: function chartFom; did you mean chartFrom?`}},
		"ctx.stage == 'x'":  {{0, `unknown name: ctx; there is none`}},
		" imageFrom('x') &": {{1, "column 16: unexpected token Operator(\"&\")"}},
	} {
		if diff := cmp.Diff(want, CheckCriteria(expression)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expression, diff)
		}
	}
}

// FuzzCriteria checks that what is evaluated has no problems in the static check.
func FuzzCriteria(f *testing.F) {
	for _, s := range []string{
		"imageFrom('ghcr.io/acme/shop').Tag == '1.10'", "commitFrom('x')?.ID == nil", "chartFrom('oci://ghcr.io/acme/charts/db').Version",
		"artifactFrom('shop').Metadata", "imageFrom('nginx').CreatedAt ?? now()", "imageFrom('nginx')", "[imageFrom('nginx'), 1] == []", "true",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		_, err := Criteria(expression, foundArtifacts())
		if problems := CheckCriteria(expression); err == nil && len(problems) > 0 {
			t.Fatalf("%q is evaluated, but has problems: %v", expression, problems)
		}
	})
}
