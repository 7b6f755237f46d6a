package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestFindWarehouse(t *testing.T) {
	pipelines := []promote.Pipeline{
		{Project: "develop", Warehouses: []promote.Warehouse{{Name: "web"}, {Name: "shared"}}},
		{Project: "bank", Warehouses: []promote.Warehouse{{Name: "shared"}}},
	}
	for _, c := range []struct{ situation, word, want, problem string }{
		{"a name", "web", "develop/web", ""},
		{"a project and a name", "bank/shared", "bank/shared", ""},
		{"a name of two projects", "shared", "", `2 projects have a warehouse "shared": write develop/shared, bank/shared`},
		{"a mistyped name", "wbe", "", `there is no warehouse "wbe"; did you mean "web"?`},
		{"a mistyped project", "bnak/shared", "", `there is no warehouse "bnak/shared"; did you mean "bank/shared"?`},
		{"a name that is nothing like any", "xyzzy", "", `there is no warehouse "xyzzy"; there is develop/web, develop/shared, bank/shared`},
	} {
		t.Run(c.situation, func(t *testing.T) {
			got, err := FindWarehouse(pipelines, c.word)
			checkFound(t, got.String(), err, c.want, c.problem)
		})
	}
	if _, err := FindWarehouse(nil, "web"); err == nil || !strings.Contains(err.Error(), "declares no Warehouse") {
		t.Errorf("without warehouses: %v", err)
	}
}

func TestFindFreight(t *testing.T) {
	freight := func(tag, digest, alias string) promote.Whereabouts {
		f := promote.NewFreight("develop", "web", promote.Artifacts{Images: []promote.Image{{RepoURL: "acme/web", Tag: tag, Digest: digest}}}, time.Time{})
		f.Alias = alias
		return promote.Whereabouts{Freight: f}
	}
	one, two, again := freight("1.0.1", "sha256:aa", "brave-otter"), freight("1.0.2", "sha256:bb", "calm-owl"), freight("1.0.2", "sha256:cc", "fast-fox")
	all := []promote.Whereabouts{one, two, again}
	for _, c := range []struct{ situation, word, want, problem string }{
		{"a version", "1.0.1", string(one.ID), ""},
		{"an alias", "fast-fox", string(again.ID), ""},
		{"the beginning of an ID", string(two.ID[:8]), string(two.ID), ""},
		{"a version of two", "1.0.2", "", `2 freights are called "1.0.2": write the ID of one: ` + two.ID.Short() + " of develop/web, " + again.ID.Short() + " of develop/web"},
		{"a mistyped alias", "brave-oter", "", `there is no freight "brave-oter"; did you mean "brave-otter"?`},
		{"what is nothing like any", "xyzzy", "", "there is no freight \"xyzzy\": `lockkeeper freight list` shows what there is"},
	} {
		t.Run(c.situation, func(t *testing.T) {
			got, err := FindFreight(all, c.word)
			checkFound(t, string(got.ID), err, c.want, c.problem)
		})
	}
}

func checkFound(t *testing.T, got string, err error, want, problem string) {
	t.Helper()
	switch {
	case problem == "" && (err != nil || got != want):
		t.Errorf("found %q, %v, want %q", got, err, want)
	case problem != "" && (err == nil || err.Error() != problem):
		t.Errorf("error %v\nwant %s", err, problem)
	}
}
