package github

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

// GitHub makes tokens by names of the present, so an App that is told a former one has none: the refusal says what it is called now.
func TestAnAppIsToldTheNewNameOfItsRepository(t *testing.T) {
	const noSuch = `{"message":"There is at least one repository that does not exist or is not accessible to the parent installation."}`
	later := testNow.Add(time.Hour)
	for _, row := range []struct {
		name  string
		asked answer
		want  string
	}{
		{"it has another name", ok(`{"full_name":"acme/deploy"}`), `the repository was renamed or transferred: it is "acme/deploy" now; configure that name, on a server below repositories`},
		{"it has the same", ok(`{"full_name":"Acme/Shop"}`), ""},
		{"it cannot be read", answer{Status: 404, Body: `{"message":"Not Found"}`}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			script := map[string][]answer{
				"GET …/installation":                      {ok(installedJSON)},
				"POST /app/installations/3/access_tokens": {{Status: 422, Body: noSuch}, tokenAnswer("ghs_names", later)},
				"GET …": {row.asked},
			}
			var s *server
			f, s := playApp(t, &s, script)
			_, err := f.ChangesFrom(t.Context(), "x")
			api, ok := errors.AsType[*promote.APIError](err)
			if !ok || api.Status != 422 || api.Remedy != row.want {
				t.Errorf("got %v, want %s", err, row.want)
			}
			if asked := s.Sent("POST /app/installations/3/access_tokens"); asked != `{"permissions":{"metadata":"read"}}` {
				t.Errorf("the token for looking may %s", asked)
			}
			if strings.Contains(err.Error(), "ghs_names") {
				t.Errorf("the token shows: %v", err)
			}
		})
	}
}

func TestARenamedRepositoryIsNamedInItsSettings(t *testing.T) {
	f := &Forge{owner: "acme", name: "gitops"}
	for name, want := range map[string]string{"acme/deploy": "acme/deploy", "acme/gitops": "", "Acme/GitOps": "", "": ""} {
		if got := f.renamed(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	warned := Settings{Renamed: "acme/deploy", MergeQueue: true, Required: []RequiredStatus{{Name: promote.StatusName}}}.Warnings()
	if len(warned) != 1 || !strings.Contains(warned[0], `it is "acme/deploy" now`) {
		t.Errorf("%q", warned)
	}
}
