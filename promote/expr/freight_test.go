package expr

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	shopSource = "https://git.example.com/acme/shop.git"
	httpCharts = "https://charts.example.com/stable"
	ociChart   = "oci://ghcr.io/acme/charts/db"
)

func demoArtifacts() promote.Artifacts {
	return promote.Artifacts{
		Images: []promote.Image{{RepoURL: "ghcr.io/acme/shop", Tag: "1.10", Digest: "sha256:00", Subscription: "shop"}},
		Commits: []promote.GitCommit{
			{RepoURL: shopSource, ID: "c0ffee", Branch: "main", Message: "fix", Author: "A <a@x>", Committer: "C <c@x>", Subscription: "source"},
			{RepoURL: "https://git.example.com/acme/lib", ID: "beef", Tag: "v2.0.0"},
		},
		Charts: []promote.Chart{
			{RepoURL: httpCharts, Name: "app", Version: "1.2.3", Subscription: "chart"},
			{RepoURL: ociChart, Version: "4.5.6"},
		},
	}
}

func freightEnv() Env {
	env := Env{Vars: map[string]any{"warehouse": "code"}}
	env.AddFreight("code", demoArtifacts())
	return env
}

func TestEvalFreight(t *testing.T) {
	two := freightEnv()
	two.AddFreight("other", demoArtifacts())
	two.Commits[2].ID = "0ther"
	tests := []struct {
		name     string
		template string
		env      Env
		want     any
	}{
		{"a commit", "${{ commitFrom('" + shopSource + "').ID }}", freightEnv(), "c0ffee"},
		{"a commit by another spelling", "${{ commitFrom('git@git.example.com:Acme/shop').Branch }}", freightEnv(), "main"},
		{"all of a commit", "${{ commitFrom('" + shopSource + "', warehouse(vars.warehouse)) }}", freightEnv(), map[string]any{
			"repoURL": shopSource, "id": "c0ffee", "branch": "main", "message": "fix", "author": "A <a@x>", "committer": "C <c@x>", "subscriptionName": "source",
		}},
		{"a commit of one of two warehouses", "${{ commitFrom('" + shopSource + "', warehouse('other')).ID }}", two, "0ther"},
		{"no commit with a default", "${{ commitFrom('x').Tag ?? 'none' }}", freightEnv(), "none"},
		{"a chart by name", "${{ quote(chartFrom('" + httpCharts + "', 'app').Version) }}", freightEnv(), "1.2.3"},
		{"a chart by name and warehouse", "${{ chartFrom('" + httpCharts + "', 'app', warehouse('code')).Name }}", freightEnv(), "app"},
		{"an OCI chart needs no name", "${{ chartFrom('" + ociChart + "').Version }}", freightEnv(), "4.5.6"},
		{"an OCI chart without its scheme, and a warehouse", "${{ chartFrom('GHCR.io/acme/charts/db', warehouse('code')).Version }}", freightEnv(), "4.5.6"},
		{"no chart is null", "${{ chartFrom('oci://x') }}", freightEnv(), nil},
		{"an image by its subscription", "${{ quote(artifactFrom('shop').Version) }}", freightEnv(), "1.10"},
		{"a commit by its subscription", "${{ artifactFrom('source', warehouse('code')).ArtifactType }} ${{ artifactFrom('source').Version }}", freightEnv(), "git c0ffee"},
		{"a chart by its subscription", "${{ artifactFrom('chart') }}", freightEnv(), map[string]any{
			"artifactType": "chart", "subscriptionName": "chart", "version": "1.2.3",
			"metadata": map[string]any{"repoURL": httpCharts, "name": "app", "version": "1.2.3"},
		}},
		{"metadata of an artifact", "${{ artifactFrom('source').Metadata.branch }}", freightEnv(), "main"},
		{"the name of a subscription", "${{ imageFrom('ghcr.io/acme/shop').SubscriptionName }}", freightEnv(), "shop"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Eval(tt.template, tt.env)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Any()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestEvalFreightExplainsWhatIsWrong(t *testing.T) {
	two := freightEnv()
	two.AddFreight("other", demoArtifacts())
	requested := freightEnv()
	requested.Requested = []Warehouse{RequestOf(promote.Warehouse{
		Name: "code", Git: []promote.GitSubscription{{RepoURL: shopSource}}, Charts: []promote.ChartSubscription{{RepoURL: httpCharts, Chart: "app"}},
		Images: []promote.ImageSubscription{{RepoURL: "ghcr.io/acme/shop", Name: "shop"}},
	}), RequestOf(promote.Warehouse{
		Name: "other", Charts: []promote.ChartSubscription{{RepoURL: httpCharts, Chart: "app", Name: "shop"}},
	})}
	tests := []struct {
		name       string
		expression string
		env        Env
		is         error
		want       string
	}{
		{"no commit", "commitFrom('x').ID", freightEnv(), ErrMissing, `commitFrom("x"): no commit of this freight comes from "x"; the freight has: https://git.example.com/acme/lib, https://git.example.com/acme/shop.git; check the Warehouse's repoURL and the variable`},
		{"no commit in that warehouse", "commitFrom('" + shopSource + "', warehouse('x')).ID", freightEnv(), ErrMissing, `commitFrom("https://git.example.com/acme/shop.git", warehouse("x")): no commit of this freight comes from "https://git.example.com/acme/shop.git"; the freight has: https://git.example.com/acme/lib (warehouse code), https://git.example.com/acme/shop.git (warehouse code); check the Warehouse's repoURL and the variable`},
		{"no chart of that name", "chartFrom('" + httpCharts + "', 'ap').Version", freightEnv(), ErrMissing, `chartFrom("https://charts.example.com/stable", "ap"): no chart of this freight is "ap" from "https://charts.example.com/stable"; the freight has: https://charts.example.com/stable app, oci://ghcr.io/acme/charts/db; check the Warehouse's repoURL and the variable`},
		{"an HTTP chart without a name", "chartFrom('" + httpCharts + "').Version", freightEnv(), ErrMissing, `chartFrom("https://charts.example.com/stable"): no chart of this freight comes from "https://charts.example.com/stable"; the freight has: https://charts.example.com/stable app, oci://ghcr.io/acme/charts/db; name the chart as the second argument: an HTTP repository holds several`},
		{"no subscription of that name", "artifactFrom('sop').Version", freightEnv(), ErrMissing, `artifactFrom("sop"): no artifact of this freight has the subscription "sop"; the freight has: chart, shop, source; give the Warehouse's subscription that name`},
		{"no named subscription", "artifactFrom('x').Version", Env{Images: []Image{{RepoURL: "a", Tag: "1"}}}, ErrMissing, `artifactFrom("x"): no artifact of this freight has the subscription "x"; the freight has: no artifacts; give the Warehouse's subscription that name`},
		{"an unnamed subscription", "artifactFrom('').Version", Env{Images: []Image{{RepoURL: "a", Tag: "1"}}}, ErrMissing, `artifactFrom(""): no artifact of this freight has the subscription ""; the freight has: no artifacts; give the Warehouse's subscription that name`},
		{"two warehouses with the chart", "chartFrom('" + httpCharts + "', 'app').Version", requested, nil, `chartFrom("https://charts.example.com/stable", "app"): the warehouses code, other all subscribe to it: add which one, such as chartFrom("https://charts.example.com/stable", "app", warehouse("code"))`},
		{"two warehouses with the subscription", "artifactFrom('shop').Version", requested, nil, `artifactFrom("shop"): the warehouses code, other all subscribe to it: add which one, such as artifactFrom("shop", warehouse("code"))`},
		{"two warehouses with a percent sign", "commitFrom('%s').ID", Env{Commits: []Commit{{RepoURL: "%s", Warehouse: "a"}, {RepoURL: "%s", Warehouse: "b"}}}, nil, `commitFrom("%s"): the warehouses a, b all subscribe to it: add which one, such as commitFrom("%s", warehouse("a"))`},
		{"a subscription that the freight does not come from", "commitFrom('https://git.example.com/acme/lib').ID", requested, ErrMissing, `commitFrom("https://git.example.com/acme/lib"): no commit of this freight comes from "https://git.example.com/acme/lib"; the freight has: https://git.example.com/acme/lib, https://git.example.com/acme/shop.git; check the Warehouse's repoURL and the variable`},
		{"a warehouse without name", "commitFrom('x', warehouse('')).ID", freightEnv(), nil, `warehouse(""): name the warehouse whose freight is meant`},
		{"lower case on a commit", "commitFrom('x').id", freightEnv(), ErrUnknownName, `unknown name: commitFrom(…).id; did you mean .ID?`},
		{"lower case on a commit in a local variable", "let c = commitFrom('" + shopSource + "'); c.tag", freightEnv(), ErrUnknownName, `unknown name: c.tag; did you mean .Tag?`},
		{"an unknown field in a local variable", "let c = chartFrom('" + ociChart + "'); c.Digest", freightEnv(), ErrUnknownName, `unknown name: c.Digest; known: Name, RepoURL, SubscriptionName, Version`},
		{"unknown metadata of an artifact", "artifactFrom('source').Metadata.Branch", freightEnv(), ErrUnknownName, `unknown name: artifactFrom("source").Metadata.Branch; known: author, branch, committer, id, message, repoURL, tag; did you mean branch?`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Eval("${{ "+tt.expression+" }}", tt.env)
			if err == nil {
				t.Fatal("no error")
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("errors.Is(%v) is false", tt.is)
			}
			if diff := cmp.Diff(`expression "`+excerpt(tt.expression)+`": `+tt.want, err.Error()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}
