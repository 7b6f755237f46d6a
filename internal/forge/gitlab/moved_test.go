package gitlab

import (
	"errors"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/promote"
)

// A write to a project that was renamed is refused, and the refusal says what it is called now.
func TestWritesToARenamedProjectSayItsName(t *testing.T) {
	refused := answer{Status: 405, Body: `{"message":"Non GET methods are not allowed for moved projects"}`}
	for _, row := range []struct {
		name  string
		asked answer
		want  string
	}{
		{"it is told", answer{Status: 200, Body: `{"path_with_namespace":"new/name"}`}, `the project was renamed or moved: it is "new/name" now; configure that path, on a server below repositories`},
		{"it is not told", answer{Status: 404, Body: `{"message":"404 Project Not Found"}`}, "the project was renamed or moved: configure its new path"},
		{"that is refused alike, by no GitLab", refused, "the project was renamed or moved: configure its new path"},
		{"it has the name that is configured", answer{Status: 200, Body: `{"path_with_namespace":"Group/Project"}`}, "the project was renamed or moved: configure its new path"},
		{"a name that is too long", answer{Status: 200, Body: `{"path_with_namespace":"` + strings.Repeat("x", 1000) + `"}`}, `the project was renamed or moved: it is "` + strings.Repeat("x", 497) + `…" now; configure that path, on a server below repositories`},
	} {
		t.Run(row.name, func(t *testing.T) {
			f, _ := play(t, map[string][]answer{"PUT " + project + "/merge_requests/7": {refused}, "GET " + project: {row.asked}})
			err := f.Update(t.Context(), 7, promote.ChangeEdit{Title: "x"})
			api, ok := errors.AsType[*promote.APIError](err)
			if !ok || api.Status != 405 || api.Remedy != row.want {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

func TestARenamedProjectIsNamedInItsSettings(t *testing.T) {
	for configured, want := range map[string]string{"group/project": "new/name", "new/name": "", "New/Name": "", "42": ""} {
		f := &Forge{project: configured}
		if got := f.renamed("new/name"); got != want {
			t.Errorf("%s: %q, want %q", configured, got, want)
		}
	}
	warned := Settings{Renamed: "new/name", PipelinesMustSucceed: true}.Warnings()
	if len(warned) != 1 || !strings.Contains(warned[0], `it is "new/name" now`) {
		t.Errorf("%q", warned)
	}
}
