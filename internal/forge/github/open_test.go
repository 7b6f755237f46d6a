package github

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/promote"
)

func testDraft() promote.ChangeDraft {
	return promote.ChangeDraft{
		Branch: "lockkeeper/develop/dev", Target: "main", Head: head, Title: "frontend 1.0.2 to dev", Description: "text",
		Labels: []string{"lockkeeper", "stage::dev"},
	}
}

// exists is what GitHub says when there is an open pull request from that branch already.
var exists = answer{Status: 422, Body: `{"message":"Validation Failed","errors":[{"resource":"PullRequest","code":"custom","message":"A pull request already exists for acme:lockkeeper/develop/dev."}]}`}

func TestOpen(t *testing.T) {
	fresh := pullJSON(t, map[string]any{"labels": []any{}, "mergeable_state": "unknown"})
	stale := pullJSON(t, map[string]any{"title": "frontend 1.0.1 to dev", "labels": []any{map[string]any{"name": "mine"}}})
	fork := pullJSON(t, map[string]any{"number": 6, "head": map[string]any{"ref": "lockkeeper/develop/dev", "repo": nil}})
	labelled := ok(`{"number":7}`)
	refused := answer{Status: 422, Body: `{"message":"Validation Failed","errors":[{"resource":"PullRequest","field":"base","code":"invalid"}]}`}
	draftless := answer{Status: 422, Body: `{"message":"Draft pull requests are not supported in this repository.","errors":[{"resource":"PullRequest","code":"custom"}]}`}
	for _, test := range []struct {
		name   string
		draft  func(*promote.ChangeDraft)
		script map[string][]answer
		want   []string          // routes
		sent   map[string]string // by route
		labels []string
		is     error
	}{
		{
			name:   "two requests: the change, and its labels",
			script: map[string][]answer{"POST …/pulls": {created(fresh)}, "PATCH …/issues/7": {labelled}},
			want:   []string{"POST …/pulls", "PATCH …/issues/7"},
			sent: map[string]string{
				"POST …/pulls":     `{"base":"main","body":"text","head":"lockkeeper/develop/dev","title":"frontend 1.0.2 to dev"}`,
				"PATCH …/issues/7": `{"labels":["lockkeeper","stage::dev"]}`,
			},
			labels: []string{"lockkeeper", "stage::dev"},
		},
		{
			name: "with everything: a draft, assignees, reviewers and a team",
			draft: func(d *promote.ChangeDraft) {
				d.Draft, d.Assignees, d.Reviewers = true, []string{"lea"}, []string{"max", "@acme/ops", "lockkeeper-bot"}
			},
			script: map[string][]answer{"POST …/pulls": {created(fresh)}, "PATCH …/issues/7": {labelled}, "POST …/pulls/7/requested_reviewers": {created(fresh)}},
			want:   []string{"POST …/pulls", "PATCH …/issues/7", "POST …/pulls/7/requested_reviewers"},
			sent: map[string]string{
				"POST …/pulls":                       `{"base":"main","body":"text","draft":true,"head":"lockkeeper/develop/dev","title":"frontend 1.0.2 to dev"}`,
				"PATCH …/issues/7":                   `{"assignees":["lea"],"labels":["lockkeeper","stage::dev"]}`,
				"POST …/pulls/7/requested_reviewers": `{"reviewers":["max"],"team_reviewers":["ops"]}`,
			},
			labels: []string{"lockkeeper", "stage::dev"},
		},
		{
			name:   "open already: brought up to date, with the labels it has",
			script: map[string][]answer{"POST …/pulls": {exists}, "GET …/pulls": {ok("[" + fork + "," + stale + "]")}, "PATCH …/pulls/7": {ok(stale)}, "PATCH …/issues/7": {labelled}},
			want:   []string{"POST …/pulls", "GET …/pulls", "PATCH …/pulls/7", "PATCH …/issues/7"},
			sent: map[string]string{
				"PATCH …/pulls/7":  `{"body":"text","title":"frontend 1.0.2 to dev"}`,
				"PATCH …/issues/7": `{"labels":["mine","lockkeeper","stage::dev"]}`,
			},
			labels: []string{"mine", "lockkeeper", "stage::dev"},
		},
		{
			name:   "the answer was lost: found again, and only its labels are missing",
			script: map[string][]answer{"POST …/pulls": {lost}, "GET …/pulls": {ok("[" + fresh + "]")}, "PATCH …/issues/7": {labelled}},
			want:   []string{"POST …/pulls", "GET …/pulls", "PATCH …/issues/7"},
			labels: []string{"lockkeeper", "stage::dev"},
		},
		{
			name:   "an answer of a proxy: found again",
			script: map[string][]answer{"POST …/pulls": {{Status: 502}}, "GET …/pulls": {ok("[" + fresh + "]")}, "PATCH …/issues/7": {labelled}},
			want:   []string{"POST …/pulls", "GET …/pulls", "PATCH …/issues/7"},
			labels: []string{"lockkeeper", "stage::dev"},
		},
		{
			name:   "the answer about the labels was lost: sent again, which is the same",
			script: map[string][]answer{"POST …/pulls": {created(fresh)}, "PATCH …/issues/7": {lost, labelled}},
			want:   []string{"POST …/pulls", "PATCH …/issues/7", "PATCH …/issues/7"},
			labels: []string{"lockkeeper", "stage::dev"},
		},
		{
			name:   "somebody cannot be assigned: the label matters more",
			draft:  func(d *promote.ChangeDraft) { d.Assignees = []string{"nobody"} },
			script: map[string][]answer{"POST …/pulls": {created(fresh)}, "PATCH …/issues/7": {{Status: 422, Body: `{"message":"Validation Failed"}`}, labelled}},
			want:   []string{"POST …/pulls", "PATCH …/issues/7", "PATCH …/issues/7"},
			sent:   map[string]string{"PATCH …/issues/7": `{"labels":["lockkeeper","stage::dev"]}`},
			labels: []string{"lockkeeper", "stage::dev"},
		},
		{
			name:   "a reviewer cannot be asked: the change is open all the same",
			draft:  func(d *promote.ChangeDraft) { d.Reviewers = []string{"nobody"} },
			script: map[string][]answer{"POST …/pulls": {created(fresh)}, "PATCH …/issues/7": {labelled}, "POST …/pulls/7/requested_reviewers": {{Status: 422}}},
			want:   []string{"POST …/pulls", "PATCH …/issues/7", "POST …/pulls/7/requested_reviewers"},
			labels: []string{"lockkeeper", "stage::dev"},
		},
		{
			name:   "open already as a draft: made ready",
			script: map[string][]answer{"POST …/pulls": {exists}, "GET …/pulls": {ok("[" + pullJSON(t, map[string]any{"draft": true}) + "]")}, "Ready": {ok(`{"data":{}}`)}, "PATCH …/issues/7": {labelled}},
			want:   []string{"POST …/pulls", "GET …/pulls", "Ready", "PATCH …/issues/7"},
			labels: []string{"lockkeeper", "stage::dev"},
		},
		{
			name:   "open already and ready: made a draft, though the answer was lost",
			draft:  func(d *promote.ChangeDraft) { d.Draft = true },
			script: map[string][]answer{"POST …/pulls": {exists}, "GET …/pulls": {ok("[" + pullJSON(t, nil) + "]")}, "ToDraft": {lost}, "Change": {ok(changeJSON(t, map[string]any{"isDraft": true}))}, "PATCH …/issues/7": {labelled}},
			want:   []string{"POST …/pulls", "GET …/pulls", "ToDraft", "Change", "PATCH …/issues/7"},
			labels: []string{"lockkeeper", "stage::dev"},
		},
		{
			name:   "the plan has no drafts: opened with a label instead",
			draft:  func(d *promote.ChangeDraft) { d.Draft = true },
			script: map[string][]answer{"POST …/pulls": {draftless, created(fresh)}, "PATCH …/issues/7": {labelled}},
			want:   []string{"POST …/pulls", "POST …/pulls", "PATCH …/issues/7"},
			sent: map[string]string{
				"POST …/pulls":     `{"base":"main","body":"text","head":"lockkeeper/develop/dev","title":"frontend 1.0.2 to dev"}`,
				"PATCH …/issues/7": `{"labels":["lockkeeper","stage::dev","lockkeeper-draft"]}`,
			},
			labels: []string{"lockkeeper", "stage::dev", "lockkeeper-draft"},
		},
		{
			name:  "open already, and the plan has no drafts",
			draft: func(d *promote.ChangeDraft) { d.Draft = true },
			script: map[string][]answer{
				"POST …/pulls": {exists, exists}, "GET …/pulls": {ok("[" + pullJSON(t, nil) + "]"), ok("[" + pullJSON(t, nil) + "]")},
				"ToDraft":          {ok(`{"errors":[{"type":"UNPROCESSABLE","message":"Draft pull requests are not supported in this repository."}]}`)},
				"Change":           {ok(changeJSON(t, nil))},
				"PATCH …/issues/7": {labelled},
			},
			want:   []string{"POST …/pulls", "GET …/pulls", "ToDraft", "Change", "POST …/pulls", "GET …/pulls", "PATCH …/issues/7"},
			labels: []string{"lockkeeper", "stage::dev", "lockkeeper-draft"},
		},
		{
			name:   "GitHub does not like it",
			script: map[string][]answer{"POST …/pulls": {refused}, "GET …/pulls": {ok("[]")}},
			want:   []string{"POST …/pulls", "GET …/pulls"},
			is:     promote.ErrInvalid,
		},
		{
			name:   "the credentials may not",
			script: map[string][]answer{"POST …/pulls": {{Status: 403, Body: `{"message":"Resource not accessible by integration"}`}}},
			want:   []string{"POST …/pulls"},
			is:     promote.ErrForbidden,
		},
		{
			name:   "no title",
			draft:  func(d *promote.ChangeDraft) { d.Title = "" },
			is:     promote.ErrInvalid,
			script: map[string][]answer{},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, test.script)
			draft := testDraft()
			if test.draft != nil {
				test.draft(&draft)
			}
			got, err := f.Open(t.Context(), draft)
			if test.is != nil {
				if !errors.Is(err, test.is) {
					t.Errorf("got %v, want %v", err, test.is)
				}
			} else if err != nil || got.Number != 7 || got.Head != head || got.Draft != draft.Draft && strings.Contains(test.name, "already") {
				t.Errorf("got %+v, %v", got, err)
			}
			if diff := cmp.Diff(test.labels, got.Labels); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.want, s.Routes()); diff != "" {
				t.Error(diff)
			}
			for route, body := range test.sent {
				if got := s.Sent(route); got != body {
					t.Errorf("%s sent %s, want %s", route, got, body)
				}
			}
		})
	}
}

// TestLabelsThatWereRefusedComeLater: by then the change is known, and nobody opens it again.
func TestLabelsThatWereRefusedComeLater(t *testing.T) {
	busy := answer{Status: 429, Body: "{}", Header: map[string]string{"Retry-After": "60"}}
	f, s := play(t, map[string][]answer{
		"POST …/pulls": {created(pullJSON(t, map[string]any{"labels": []any{}}))}, "PATCH …/issues/7": {busy, busy, ok("{}")},
		"Change": {ok(changeJSON(t, nil)), ok(changeJSON(t, nil))}, postPath: {created("{}"), created("{}")},
	})
	if _, err := f.Open(t.Context(), testDraft()); !errors.Is(err, promote.ErrLimited) {
		t.Errorf("got %v", err)
	}
	for i, state := range []promote.StatusState{promote.StatusPending, promote.StatusSuccess} {
		s.At = s.At.Add(time.Minute)
		err := f.PostStatus(t.Context(), gates(state))
		if i == 0 && !errors.Is(err, promote.ErrLimited) || i == 1 && err != nil {
			t.Errorf("%v: %v", state, err)
		}
	}
	if err := f.PostStatus(t.Context(), gates(promote.StatusFailed)); err != nil {
		t.Error(err)
	}
	if got := s.Sent("PATCH …/issues/7"); got != `{"labels":["lockkeeper","stage::dev"]}` {
		t.Errorf("sent %s", got)
	}
}

func TestUpdate(t *testing.T) {
	updated := ok(pullJSON(t, nil))
	for _, test := range []struct {
		name    string
		answers []answer
		is      error
	}{
		{"once", []answer{updated}, nil},
		{"once more when the answer was lost", []answer{lost, updated}, nil},
		{"twice at most", []answer{{Status: 502}, {Status: 502}}, nil},
		{"not when it is refused", []answer{{Status: 404, Body: `{"message":"Not Found"}`}}, promote.ErrNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, map[string][]answer{"PATCH …/pulls/7": test.answers})
			err := f.Update(t.Context(), 7, promote.ChangeEdit{Title: "new", Description: "text"})
			last := test.answers[len(test.answers)-1]
			if (err == nil) != (last.Status == 200) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("got %v", err)
			}
			if got := s.Sent("PATCH …/pulls/7"); got != `{"body":"text","title":"new"}` {
				t.Errorf("sent %s", got)
			}
		})
	}
}

func TestClose(t *testing.T) {
	closed, open := pullJSON(t, map[string]any{"state": "closed"}), pullJSON(t, nil)
	merged := pullJSON(t, map[string]any{"state": "closed", "merged_at": "2026-11-21T11:30:00Z", "merge_commit_sha": other})
	for _, test := range []struct {
		name   string
		script map[string][]answer
		is     error
	}{
		{"closed", map[string][]answer{"PATCH …/pulls/7": {ok(closed)}}, nil},
		{"the answer was lost", map[string][]answer{"PATCH …/pulls/7": {lost, ok(closed)}}, nil},
		{"merged in the meantime", map[string][]answer{"PATCH …/pulls/7": {ok(merged)}}, promote.ErrStale},
		{"still open", map[string][]answer{"PATCH …/pulls/7": {ok(open)}}, promote.ErrStale},
		{"refused because it was merged", map[string][]answer{"PATCH …/pulls/7": {{Status: 422}}, "Change": {ok(changeJSON(t, map[string]any{"state": "MERGED"}))}}, promote.ErrStale},
		{"refused because it is closed", map[string][]answer{"PATCH …/pulls/7": {{Status: 422}}, "Change": {ok(changeJSON(t, map[string]any{"state": "CLOSED"}))}}, nil},
		{"refused for another reason", map[string][]answer{"PATCH …/pulls/7": {{Status: 422}}, "Change": {ok(changeJSON(t, nil))}}, promote.ErrInvalid},
		{"forbidden", map[string][]answer{"PATCH …/pulls/7": {{Status: 403}}}, promote.ErrForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, test.script)
			if err := f.Close(t.Context(), 7); !errors.Is(err, test.is) || (err == nil) != (test.is == nil) {
				t.Errorf("got %v, want %v", err, test.is)
			}
		})
	}
}

// TestATextThatIsTooLongIsRecognised: what GitHub holds is shorter than what was written, and must not be written again each time.
func TestATextThatIsTooLongIsRecognised(t *testing.T) {
	long := strings.Repeat("a line that says something\n", 4000)
	stored := markdown(long)
	f, _ := play(t, map[string][]answer{
		"PATCH …/pulls/7":            {ok(pullJSON(t, map[string]any{"body": stored})), ok(pullJSON(t, nil))},
		"Change":                     {ok(changeJSON(t, map[string]any{"body": strings.ReplaceAll(stored, "\n", "\r\n")})), ok(changeJSON(t, map[string]any{"body": "edited"}))},
		"PATCH …/issues/comments/11": {ok("{}")},
		"GET …/issues/7/comments":    {ok(adaptertest.JSON(t, []any{map[string]any{"id": 11, "body": stored, "user": map[string]any{"id": 42, "login": "lockkeeper-bot"}}}))},
		"Viewer":                     {ok(viewerJSON)},
	})
	if err := f.Update(t.Context(), 7, promote.ChangeEdit{Description: long}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{long, "edited"} {
		change, err := f.Change(t.Context(), 7)
		if err != nil || change.Description != want {
			t.Errorf("got %d bytes, %v", len(change.Description), err)
		}
	}
	if err := f.Update(t.Context(), 7, promote.ChangeEdit{Description: "short"}); err != nil || len(f.texts) != 0 {
		t.Errorf("%d texts are kept, %v", len(f.texts), err)
	}
	if err := f.EditNote(t.Context(), 7, 11, long); err != nil {
		t.Fatal(err)
	}
	notes, err := f.Notes(t.Context(), 7)
	if err != nil || len(notes) != 1 || notes[0].Body != long || !notes[0].Own {
		t.Errorf("got %d notes, %v", len(notes), err)
	}
}
