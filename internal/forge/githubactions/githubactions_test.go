package githubactions

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	token     = "ghp-do-not-print-me"
	list      = "GET /repos/acme/web/actions/runs?branch=main&event=workflow_dispatch&per_page=50"
	start     = "POST /repos/acme/web/actions/workflows/deploy.yaml/dispatches"
	marker    = "develop/dev.0001.abc/ci"
	withAll   = `{"inputs":{"LOCKKEEPER_PROMOTION":"develop/dev.0001.abc/ci","env":"dev"},"ref":"main","return_run_details":true}`
	noMarker  = `{"inputs":{"env":"dev"},"ref":"main","return_run_details":true}`
	noDetails = `{"inputs":{"env":"dev"},"ref":"main"}`
)

// answer is one scripted answer.
type answer struct {
	status int
	body   string
}

// github answers from a script: each answer once, in order, by "METHOD path?query".
type github struct {
	t      *testing.T
	mu     sync.Mutex
	script map[string][]answer
	sent   []string // bodies
}

func (g *github) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		g.t.Error(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(body) > 0 {
		g.sent = append(g.sent, string(body))
	}
	if got := r.Header.Get("Authorization"); got != "Bearer "+token {
		g.t.Errorf("Authorization is %q", got)
	}
	route := r.Method + " " + r.URL.RequestURI()
	if len(g.script[route]) == 0 {
		g.t.Errorf("unexpected request %s", route)
		http.Error(w, "unexpected", http.StatusTeapot)
		return
	}
	next := g.script[route][0]
	g.script[route] = g.script[route][1:]
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(next.status)
	if _, err := io.WriteString(w, next.body); err != nil {
		g.t.Error(err)
	}
}

var described = sync.OnceValues(func() (*contract.Contract, error) {
	dir, err := contract.Dir()
	if err != nil {
		return nil, err
	}
	return contract.Load(dir + "/" + contract.GitHub)
})

// checked lets GitHub's description, where it is at hand, judge every request. The scripted answers are not judged: they hold
// what matters to a test.
func checked(t *testing.T, next http.Handler) http.Handler {
	t.Helper()
	loaded, err := described()
	if err != nil {
		return next
	}
	return loaded.Handler(next, contracttest.Requests(t))
}

func play(t *testing.T, script map[string][]answer) (*Client, *github) {
	t.Helper()
	g := &github{t: t, script: script}
	server := httptest.NewServer(checked(t, g))
	t.Cleanup(server.Close)
	return New(Config{URL: server.URL + "/", Token: token, HTTPClient: server.Client()}), g
}

func runs(list string) answer { return answer{200, `{"total_count":1,"workflow_runs":[` + list + `]}`} }

const (
	older   = `{"id":41,"html_url":"https://github.com/41","status":"completed","conclusion":"success","display_title":"Deploy","path":".github/workflows/deploy.yaml","workflow_id":5}`
	foreign = `{"id":42,"html_url":"https://github.com/42","status":"queued","display_title":"Test","path":".github/workflows/test.yaml","workflow_id":6}`
	ours    = `{"id":43,"html_url":"https://github.com/43","status":"in_progress","display_title":"Deploy","path":".github/workflows/deploy.yaml@main","workflow_id":5}`
	next    = `{"id":44,"html_url":"https://github.com/44","status":"queued","display_title":"Deploy","path":".github/workflows/deploy.yaml","workflow_id":5}`
	marked  = `{"id":45,"html_url":"https://github.com/45","status":"queued","display_title":"Deploy ` + marker + `","path":".github/workflows/deploy.yaml","workflow_id":5}`
	similar = `{"id":46,"html_url":"https://github.com/46","status":"queued","display_title":"Deploy ` + marker + `2","path":".github/workflows/deploy.yaml","workflow_id":5}`
)

func TestStart(t *testing.T) {
	for _, test := range []struct {
		name   string
		after  string
		script map[string][]answer
		id     int64
		wait   string // After of the answer
		sent   []string
		is     error
	}{
		{
			"GitHub says which run it is", "", map[string][]answer{
				list:  {runs(older)},
				start: {{200, `{"workflow_run_id":43,"run_url":"https://api.github.com/43","html_url":"https://github.com/43"}`}},
			}, 43, "", []string{withAll}, nil,
		},
		{"an older GitHub does not", "", map[string][]answer{list: {runs(older)}, start: {{204, ""}}}, 0, "41", []string{withAll}, nil},
		{
			"the workflow does not declare the marker", "", map[string][]answer{list: {runs(older)}, start: {
				{422, `{"message":"Unexpected inputs provided: [\"LOCKKEEPER_PROMOTION\"]"}`}, {422, `{"message":"\"return_run_details\" is not a permitted key."}`}, {204, ""},
			}}, 0, "41", []string{withAll, noMarker, noDetails}, nil,
		},
		{"it has not appeared", "41", map[string][]answer{list: {runs(foreign + "," + older)}}, 0, "41", nil, nil},
		{"it has appeared, and another one after it", "41", map[string][]answer{list: {runs(next + "," + ours + "," + foreign + "," + older)}}, 43, "", nil, nil},
		{"the one with the marker counts", "41", map[string][]answer{list: {runs(similar + "," + marked + "," + ours + "," + older)}}, 45, "", nil, nil},
		{"it was started before a crash", "", map[string][]answer{list: {runs(marked + "," + older)}}, 45, "", nil, nil},
		{"the marker of another step is not ours", "", map[string][]answer{list: {runs(similar)}, start: {{204, ""}}}, 0, "46", []string{withAll}, nil},
		{
			"the workflow cannot be started", "",
			map[string][]answer{list: {runs("")}, start: {{422, `{"message":"Workflow does not have 'workflow_dispatch' trigger"}`}}},
			0, "",
			[]string{withAll},
			promote.ErrInvalid,
		},
		{"there is no such repository", "", map[string][]answer{list: {{404, `{"message":"Not Found"}`}}}, 0, "", nil, promote.ErrNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, g := play(t, test.script)
			got, err := c.Start(t.Context(), Draft{
				Repository: "acme/web", Workflow: "deploy.yaml", Ref: "main", Inputs: map[string]string{"env": "dev"}, Marker: marker, After: test.after,
			})
			if !errors.Is(err, test.is) || (err == nil) != (test.is == nil) {
				t.Fatalf("got %v, want %v", err, test.is)
			}
			if got.ID != test.id || got.After != test.wait {
				t.Errorf("got run %d after %q, want %d after %q", got.ID, got.After, test.id, test.wait)
			}
			if diff := cmp.Diff(test.sent, g.sent); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRunIsOver(t *testing.T) {
	for _, test := range []struct {
		status, conclusion, words string
		over, succeeded           bool
	}{
		{"queued", "", "queued", false, false},
		{"in_progress", "", "in_progress", false, false},
		{"completed", "success", "success", true, true},
		{"completed", "neutral", "neutral", true, true},
		{"completed", "failure", "failure", true, false},
		{"completed", "cancelled", "cancelled", true, false},
	} {
		conclusion := `null`
		if test.conclusion != "" {
			conclusion = `"` + test.conclusion + `"`
		}
		c, _ := play(t, map[string][]answer{"GET /repos/acme/web/actions/runs/43": {{200, `{"id":43,"status":"` + test.status + `","conclusion":` + conclusion + `}`}}})
		got, err := c.Run(t.Context(), "acme/web", 43)
		if err != nil {
			t.Fatal(err)
		}
		if over, succeeded := got.Over(); over != test.over || succeeded != test.succeeded || got.Words() != test.words {
			t.Errorf("%+v: over is %t, succeeded is %t, in words %q", test, over, succeeded, got.Words())
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer answer
		want   string
	}{
		{"GitHub's words, without the token", answer{401, `{"message":"Bad credentials ` + token + `"}`}, "Bad credentials [redacted]"},
		{"a page", answer{502, `<html>`}, "Bad Gateway"},
		{"something else", answer{200, `[]`}, "not the expected JSON"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := play(t, map[string][]answer{"GET /repos/acme/web/actions/runs/43": {test.answer}})
			_, err := c.Run(t.Context(), "acme/web", 43)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), token) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestANameThatIsNoRepositoryIsNotAsked(t *testing.T) {
	c, _ := play(t, nil)
	for _, name := range []string{"", "acme", "acme/web/x", "acme/..", "acme/web?x=1"} {
		if _, err := c.Start(t.Context(), Draft{Repository: name}); !errors.Is(err, promote.ErrInvalid) {
			t.Errorf("%q: got %v", name, err)
		}
		if _, err := c.Run(t.Context(), name, 1); !errors.Is(err, promote.ErrInvalid) {
			t.Errorf("%q: got %v", name, err)
		}
	}
}
