package gitlab

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestOpenTakesOneRequest(t *testing.T) {
	f, s := play(t, map[string][]answer{"POST " + project + "/merge_requests": {{Status: 201, Body: mr(t, map[string]any{"sha": nil})}}})
	got, err := f.Open(t.Context(), testDraft())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(openChange(), got); diff != "" {
		t.Error(diff)
	}
	want := `{"title":"frontend 1.0.2 to dev","description":"text","source_branch":"lockkeeper/develop/dev","target_branch":"main",` +
		`"labels":"lockkeeper,stage::dev","remove_source_branch":true}`
	if s.Got[0].Body != want {
		t.Errorf("got %s, want %s", s.Got[0].Body, want)
	}
}

func TestOpenWhatMayBeOpenAlready(t *testing.T) {
	const post, get, put = "POST …/merge_requests", "GET …/merge_requests", "PUT …/merge_requests/7"
	conflict := answer{Status: 409, Body: `{"message":["Another open merge request already exists for this source branch: !7"]}`}
	for _, test := range []struct {
		name   string
		post   answer
		listed []string
		routes []string
		is     error // nil: the change is returned
	}{
		{"it is open: it gets the new text", conflict, []string{mr(t, nil)}, []string{post, get, put}, nil},
		{"a fork's of the same name is left alone", conflict, []string{mr(t, map[string]any{"iid": 8, "source_project_id": 9}), mr(t, nil)}, []string{post, get, put}, nil},
		{"it was closed meanwhile", conflict, nil, []string{post, get}, promote.ErrConflict},
		{"the answer was lost, and it was opened", answer{}, []string{mr(t, nil)}, []string{post, get, put}, nil},
		{"a proxy failed, and it was opened", answer{Status: 502, Body: "<html>"}, []string{mr(t, nil)}, []string{post, get, put}, nil},
		{"it is refused", answer{Status: 403, Body: `{"message":"403 Forbidden"}`}, nil, []string{post}, promote.ErrForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := map[string][]answer{"POST " + project + "/merge_requests": {test.post}}
			for _, route := range test.routes {
				switch route {
				case get:
					script["GET "+project+"/merge_requests"] = []answer{{Status: 200, Body: "[" + strings.Join(test.listed, ",") + "]"}}
				case put:
					script["PUT "+project+"/merge_requests/7"] = []answer{{Status: 200, Body: mr(t, nil)}}
				}
			}
			f, s := play(t, script)
			got, err := f.Open(t.Context(), testDraft())
			if !errors.Is(err, test.is) {
				t.Fatalf("got %v, want %v", err, test.is)
			}
			if diff := cmp.Diff(test.routes, s.Routes()); diff != "" {
				t.Error(diff)
			}
			if test.is != nil {
				return
			}
			if diff := cmp.Diff(openChange(), got); diff != "" {
				t.Error(diff)
			}
			want := `{"title":"frontend 1.0.2 to dev","description":"text","add_labels":"lockkeeper,stage::dev"}`
			if body := s.Got[2].Body; body != want {
				t.Errorf("got %s, want %s", body, want)
			}
		})
	}
}

func TestOpenLostForGoodIsTemporary(t *testing.T) {
	f, _ := play(t, map[string][]answer{
		"POST " + project + "/merge_requests": {{}},
		"GET " + project + "/merge_requests":  {{Status: 200, Body: "[]"}},
	})
	_, err := f.Open(t.Context(), testDraft())
	api, ok := errors.AsType[*promote.APIError](err)
	if !ok || api.Status != 0 || !api.Temporary() || api.Operation != `open change "lockkeeper/develop/dev"` {
		t.Errorf("got %v", err)
	}
}

func TestOpenNeedsABranch(t *testing.T) {
	f, _ := play(t, nil)
	if _, err := f.Open(t.Context(), promote.ChangeDraft{Target: "main", Title: "x"}); !errors.Is(err, promote.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestOpenAsksPeopleToLook(t *testing.T) {
	const users = "GET /api/v4/users"
	somebody := func(id, name string) answer {
		return answer{Status: 200, Body: `[{"id":` + id + `,"username":"` + name + `"}]`}
	}
	opened := answer{Status: 201, Body: mr(t, nil)}
	for _, test := range []struct {
		name  string
		draft func(*promote.ChangeDraft)
		users []answer
		want  string // part of the body
	}{
		{
			"a draft has its mark in the title",
			func(d *promote.ChangeDraft) { d.Draft = true },
			nil, `{"title":"Draft: frontend 1.0.2 to dev",`,
		},
		{
			"a title that has a mark gets no second one",
			func(d *promote.ChangeDraft) { d.Draft, d.Title = true, "[draft] web" },
			nil, `{"title":"[draft] web",`,
		},
		{
			"people are named by number, each once",
			func(d *promote.ChangeDraft) {
				d.Assignees, d.Reviewers = []string{"Ann", "@ann"}, []string{"ben", "ann"}
			},
			[]answer{somebody("5", "ann"), somebody("6", "Ben")},
			`"assignee_ids":[5],"reviewer_ids":[6,5],`,
		},
		{
			"who is not there is left out",
			func(d *promote.ChangeDraft) { d.Assignees, d.Reviewers = []string{"nobody", ""}, []string{"nobody"} },
			[]answer{{Status: 200, Body: `[]`}},
			`"labels":"lockkeeper,stage::dev","remove_source_branch":true}`,
		},
		{
			"one who only has a similar name is not asked",
			func(d *promote.ChangeDraft) { d.Reviewers = []string{"ann"} },
			[]answer{somebody("7", "anna")},
			`"labels":"lockkeeper,stage::dev","remove_source_branch":true}`,
		},
		{
			"a lookup that fails keeps nothing from being opened",
			func(d *promote.ChangeDraft) { d.Reviewers = []string{"ann"} },
			[]answer{{Status: 403, Body: `{}`}},
			`"labels":"lockkeeper,stage::dev","remove_source_branch":true}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, map[string][]answer{"POST " + project + "/merge_requests": {opened}, users: test.users})
			draft := testDraft()
			test.draft(&draft)
			if _, err := f.Open(t.Context(), draft); err != nil {
				t.Fatal(err)
			}
			if body := s.Got[len(s.Got)-1].Body; !strings.Contains(body, test.want) {
				t.Errorf("got %s, want %s in it", body, test.want)
			}
		})
	}
}

func TestPeopleAreRememberedForAWhile(t *testing.T) {
	f, s := play(t, map[string][]answer{"GET /api/v4/users": {{Status: 200, Body: `[{"id":5,"username":"ann"}]`}, {Status: 200, Body: `[]`}}})
	for _, step := range []struct {
		after    time.Duration
		want     int
		requests int
	}{{0, 5, 1}, {accountLast - 1, 5, 1}, {accountLast, 0, 2}, {accountLast + 1, 0, 2}} {
		f.wire.Now = func() time.Time { return testNow.Add(step.after) }
		got, err := f.account(t.Context(), "ann")
		if err != nil || got != step.want || len(s.Got) != step.requests {
			t.Errorf("after %s: got %d, %v by %d requests", step.after, got, err, len(s.Got))
		}
	}
}

func TestNotMorePeopleThanMakeSense(t *testing.T) {
	f, s := play(t, map[string][]answer{"GET /api/v4/users": slices.Repeat([]answer{{Status: 200, Body: "[]"}}, maxPeople)})
	var names []string
	for i := range 3 * maxPeople {
		names = append(names, strings.Repeat("x", i+1))
	}
	if ids := f.people(t.Context(), names); ids != nil || len(s.Got) != maxPeople {
		t.Errorf("got %v by %d requests", ids, len(s.Got))
	}
}

func TestAChangeThatIsOpenKeepsItsMark(t *testing.T) {
	f, s := play(t, map[string][]answer{
		"POST " + project + "/merge_requests":  {{Status: 409, Body: `{"message":["Another open merge request already exists for this source branch: !7"]}`}},
		"GET " + project + "/merge_requests":   {{Status: 200, Body: "[" + mr(t, map[string]any{"title": "Draft: old", "draft": true}) + "]"}},
		"PUT " + project + "/merge_requests/7": {{Status: 200, Body: mr(t, nil)}},
	})
	if _, err := f.Open(t.Context(), testDraft()); err != nil {
		t.Fatal(err)
	}
	if want := `{"title":"Draft: frontend 1.0.2 to dev",`; !strings.HasPrefix(s.Got[2].Body, want) {
		t.Errorf("got %s, want %s", s.Got[2].Body, want)
	}
}

func TestChangesAreSquashedWhereTheProjectWantsIt(t *testing.T) {
	f, s := play(t, map[string][]answer{
		"GET " + project: {{Status: 200, Body: `{"squash_option":"default_on"}`}}, "POST " + project + "/merge_requests": {{Status: 201, Body: mr(t, nil)}},
	})
	if _, err := f.Settings(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open(t.Context(), testDraft()); err != nil {
		t.Fatal(err)
	}
	if body := s.Got[1].Body; !strings.Contains(body, `"squash":true`) {
		t.Errorf("got %s", body)
	}
}
