package kargo_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/manifest/manifesttest"
	"github.com/lockkeeper/lockkeeper/promote/kargo"
)

func TestArtifactsMustBeSubscribed(t *testing.T) {
	text := strings.Replace(stepped, "[{image: {repoURL: ghcr.io/acme/web}}]",
		"[{image: {repoURL: ghcr.io/acme/web}}, {git: {repoURL: 'https://g/acme/config.git'}}, {chart: {repoURL: 'https://c/x', name: redis}}, {chart: {repoURL: 'oci://ghcr.io/acme/charts/web'}}]", 1)
	tests := []struct{ name, expression, want string }{
		{"an image in another spelling", "imageFrom('GHCR.io/acme/web').Tag", ""},
		{"an image that is not subscribed", "imageFrom('ghcr.io/acme/wbe').Tag", `no requested warehouse subscribes to image "ghcr.io/acme/wbe", so imageFrom gives nothing; did you mean "ghcr.io/acme/web"? [unknown-image]`},
		{"a repository in another spelling", "commitFrom('https://g/acme/Config').ID", ""},
		{"a repository that is not subscribed", "commitFrom('https://g/acme/other').ID", `no requested warehouse subscribes to Git repository "https://g/acme/other", so commitFrom gives nothing; subscribed Git repositories are https://g/acme/config.git [unknown-repository]`},
		{"a repository that is only in a warehouse not requested", "commitFrom('https://g/acme/config', warehouse('other')).ID", `the stage does not request freight of warehouse "other", so commitFrom gives nothing; requested warehouses are w [unknown-warehouse]`},
		{"a chart with its name", "chartFrom('https://c/x', 'redis').Version", ""},
		{"a chart without its name", "chartFrom('https://c/x').Version", ""},
		{"a chart of a registry", "chartFrom('oci://ghcr.io/acme/charts/web', warehouse('w')).Version", ""},
		{"a chart by another name", "chartFrom('https://c/x', 'valkey', warehouse('w')).Version", `no requested warehouse subscribes to chart "https://c/x valkey", so chartFrom gives nothing; did you mean "https://c/x redis"? [unknown-chart]`},
		{"something that only the promotion knows", "commitFrom(ctx.stage).ID", ""},
		{"something that may be missing", "commitFrom('https://g/acme/other')?.ID ?? 'none'", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			step := "        - uses: fail\n          config:\n            message: ${{ quote(" + tt.expression + ") }}\n"
			_, findings := kargo.Load(manifesttest.Split(t, "p.yaml", text+step))
			got := ""
			for _, f := range findings {
				if f.Code != "invalid-expression" { // what functions there are is not looked at here
					_, message, _ := strings.Cut(f.String(), "error: ")
					got += message
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
