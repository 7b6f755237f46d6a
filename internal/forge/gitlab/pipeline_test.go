package gitlab

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	pipelinesRoute = "GET " + project + "/pipelines"
	startRoute     = "POST " + project + "/pipeline"
	variablesOf7   = "GET " + project + "/pipelines/7/variables"
	selfRoute      = "GET /api/v4/user"
)

// playPipelines is play, but for the variables of pipelines, which GitLab's published description leaves out.
func playPipelines(t *testing.T, script map[string][]answer) (*Forge, *server) {
	t.Helper()
	s := newServer(t, script)
	guarded := contracttest.GitLab(t, s, contracttest.Answers)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/variables") {
			s.ServeHTTP(w, r)
			return
		}
		guarded.ServeHTTP(w, r)
	})
	f, err := New(Config{URL: adaptertest.Listen(t, handler), Project: "group/project", Token: testToken, Now: func() time.Time { return testNow }})
	if err != nil {
		t.Fatal(err)
	}
	return f, s
}

func TestStartPipeline(t *testing.T) {
	self := answer{Status: 200, Body: `{"id":42,"username":"lockkeeper-bot"}`}
	none := answer{Status: 200, Body: `[]`}
	one := answer{Status: 200, Body: `[{"id":7,"web_url":"https://gitlab.example.com/7","status":"running","ref":"main"}]`}
	created := answer{Status: 201, Body: `{"id":9,"web_url":"https://gitlab.example.com/9","status":"created"}`}
	first := Pipeline{ID: 7, URL: "https://gitlab.example.com/7", Status: "running"}
	second := Pipeline{ID: 9, URL: "https://gitlab.example.com/9", Status: "created"}
	for _, test := range []struct {
		name   string
		script map[string][]answer
		want   Pipeline
		is     error
	}{
		{"none was started", map[string][]answer{selfRoute: {self}, pipelinesRoute: {none}, startRoute: {created}}, second, nil},
		{
			"it was started before a crash", map[string][]answer{
				selfRoute: {self}, pipelinesRoute: {one},
				variablesOf7: {{Status: 200, Body: `[{"key":"A","value":"1"},{"key":"LOCKKEEPER_PROMOTION","value":"develop/dev.0001.abc/ci"}]`}},
			}, first, nil,
		},
		{
			"another one was started", map[string][]answer{
				selfRoute: {self}, pipelinesRoute: {one}, startRoute: {created},
				variablesOf7: {{Status: 200, Body: `[{"key":"LOCKKEEPER_PROMOTION","value":"develop/dev.0002.abc/ci"}]`}},
			}, second, nil,
		},
		{
			"variables may not be read", map[string][]answer{
				selfRoute: {self}, pipelinesRoute: {one}, startRoute: {created}, variablesOf7: {{Status: 403, Body: `{"message":"403 Forbidden"}`}},
			}, second, nil,
		},
		{
			"the answer was lost", map[string][]answer{
				selfRoute: {self}, pipelinesRoute: {none, one}, startRoute: {{Status: 502, Body: ``}},
				variablesOf7: {{Status: 200, Body: `[{"key":"LOCKKEEPER_PROMOTION","value":"develop/dev.0001.abc/ci"}]`}},
			}, first, nil,
		},
		{
			"the ref does not exist", map[string][]answer{
				selfRoute: {self}, pipelinesRoute: {none}, startRoute: {{Status: 400, Body: `{"message":{"base":["Reference not found"]}}`}},
			}, Pipeline{}, promote.ErrInvalid,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := playPipelines(t, test.script)
			got, err := f.StartPipeline(t.Context(), PipelineDraft{
				Ref: "main", Variables: map[string]string{"A": "1"}, Marker: "develop/dev.0001.abc/ci", NotBefore: testNow,
			})
			if !errors.Is(err, test.is) || (err == nil) != (test.is == nil) {
				t.Fatalf("got %v, want %v", err, test.is)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			for _, asked := range s.Got {
				if strings.HasPrefix(asked.Route, startRoute) {
					want := `{"ref":"main","variables":[{"key":"A","value":"1"},{"key":"LOCKKEEPER_PROMOTION","value":"develop/dev.0001.abc/ci"}]}`
					if diff := cmp.Diff(want, asked.Body); diff != "" {
						t.Error(diff)
					}
				}
			}
			want := pipelinesRoute + "?order_by=id&per_page=20&ref=main&sort=desc&source=api&updated_after=2026-11-21T11%3A59%3A00Z&username=lockkeeper-bot"
			if s.Got[1].Route != want {
				t.Errorf("got %s, want %s", s.Got[1].Route, want)
			}
		})
	}
}

func TestPipelineIsOver(t *testing.T) {
	for status, want := range map[string][2]bool{
		"success": {true, true}, "failed": {true, false}, "canceled": {true, false}, "skipped": {true, false}, "running": {false, false},
		"manual": {false, false}, "a_word_of_tomorrow": {false, false},
	} {
		f, _ := play(t, map[string][]answer{"GET " + project + "/pipelines/7": {{Status: 200, Body: `{"id":7,"status":"` + status + `"}`}}})
		got, err := f.Pipeline(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		if over, succeeded := got.Over(); over != want[0] || succeeded != want[1] {
			t.Errorf("%s: over is %t, succeeded is %t", status, over, succeeded)
		}
	}
}

func TestInGroup(t *testing.T) {
	const route = "GET /api/v4/groups/acme%2Fleads/members/all"
	for _, test := range []struct {
		name string
		body string
		want bool
	}{
		{"a member", `[{"id":5,"username":"Lea","state":"active","membership_state":"active","access_level":30}]`, true},
		{"somebody whose name only looks alike", `[{"id":5,"username":"lea2","state":"active","access_level":30}]`, false},
		{"a blocked account", `[{"id":5,"username":"lea","state":"blocked","access_level":30}]`, false},
		{"a membership that has to be accepted", `[{"id":5,"username":"lea","state":"active","membership_state":"awaiting","access_level":30}]`, false},
		{"a membership that is over", `[{"id":5,"username":"lea","state":"active","expires_at":"2026-11-21","access_level":30}]`, false},
		{"nobody", `[]`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, map[string][]answer{route: {{Status: 200, Body: test.body}}})
			got, err := f.InGroup(t.Context(), "acme/leads", "@lea")
			if err != nil || got != test.want {
				t.Errorf("got %t, %v", got, err)
			}
			if want := route + "?page=1&per_page=100&query=lea"; s.Got[0].Route != want {
				t.Errorf("got %s, want %s", s.Got[0].Route, want)
			}
		})
	}
}
