package github

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

const mergePath = "PUT …/pulls/7/merge"

// prospectJSON is a change as Merge reads it: in a repository that allows everything, unless repository says otherwise.
func prospectJSON(t *testing.T, fields, repository map[string]any) answer {
	t.Helper()
	all := map[string]any{
		"autoMergeAllowed": true, "mergeCommitAllowed": true, "squashMergeAllowed": true, "rebaseMergeAllowed": true, "pullRequest": nodeOf(fields),
	}
	maps.Copy(all, repository)
	return ok(repositoryJSON(t, all))
}

// requirementsJSON is how a target's rules stand: required check "build" with a state.
func requirementsJSON(t *testing.T, state string, review any) answer {
	t.Helper()
	return ok(repositoryJSON(t, map[string]any{"pullRequest": map[string]any{
		"reviewDecision": review,
		"commits": map[string]any{"nodes": []any{map[string]any{"commit": map[string]any{"statusCheckRollup": map[string]any{"contexts": map[string]any{"nodes": []any{
			map[string]any{"__typename": "StatusContext", "context": "build", "state": state, "isRequired": true},
			map[string]any{"__typename": "CheckRun", "name": "lint", "conclusion": "FAILURE", "isRequired": false},
		}}}}}}},
	}}))
}

func graphqlErrorJSON(message string) answer {
	return ok(`{"data":{"enqueuePullRequest":null},"errors":[{"type":"UNPROCESSABLE","path":["x"],"message":"` + message + `"}]}`)
}

var mergedJSON = ok(`{"sha":"` + string(other) + `","merged":true,"message":"Pull Request successfully merged"}`)

func refusedMerge(status int, message string) answer {
	return answer{Status: status, Body: `{"message":"` + message + `"}`}
}

func TestMerge(t *testing.T) {
	clean := func(fields map[string]any) answer { return prospectJSON(t, fields, nil) }
	blocked := clean(map[string]any{"mergeStateStatus": "BLOCKED"})
	queue := map[string]any{"isMergeQueueEnabled": true}
	queueBlocked := clean(map[string]any{"isMergeQueueEnabled": true, "mergeStateStatus": "BLOCKED"})
	merged := clean(map[string]any{"state": "MERGED", "mergeCommit": map[string]any{"oid": other}})
	moved := clean(map[string]any{"headRefOid": other})
	inQueue := clean(map[string]any{"mergeQueueEntry": map[string]any{"state": "QUEUED", "position": 1}})
	auto := clean(map[string]any{"autoMergeRequest": map[string]any{"enabledAt": "2026-11-21T11:00:00Z"}, "mergeStateStatus": "BLOCKED"})
	type result struct {
		state  promote.ChangeState
		reason string // of MergeQueued
	}
	isMerged, queued, set := &result{state: promote.ChangeMerged}, &result{reason: "merge queue"}, &result{reason: "auto-merge"}
	for _, test := range []struct {
		name   string
		script map[string][]answer
		want   *result
		is     error
		text   string // in the error
		asked  []string
	}{
		{"at once", map[string][]answer{"Merge": {clean(nil)}, mergePath: {mergedJSON}}, isMerged, nil, "", []string{"Merge", mergePath}},
		{"merged already, at that head", map[string][]answer{"Merge": {merged}}, isMerged, nil, "", nil},
		{"in the queue already", map[string][]answer{"Merge": {inQueue}}, queued, nil, "", nil},
		{"set to merge already", map[string][]answer{"Merge": {auto}}, set, nil, "", nil},
		{"the head moved", map[string][]answer{"Merge": {moved}}, nil, promote.ErrStale, "it is at a7e1c0cc instead of cb86d70f", nil},
		{"closed", map[string][]answer{"Merge": {clean(map[string]any{"state": "CLOSED"})}}, nil, promote.ErrNotMergeable, "it is closed", nil},
		{
			"what is to be a draft, where the plan has none",
			map[string][]answer{"Merge": {clean(map[string]any{"labels": map[string]any{"nodes": []any{map[string]any{"name": promote.DraftLabel}}}})}},
			nil, promote.ErrNotMergeable, "take the label lockkeeper-draft off", nil,
		},
		{"a draft", map[string][]answer{"Merge": {clean(map[string]any{"isDraft": true})}}, nil, promote.ErrNotMergeable, "it is a draft", nil},
		{"conflicts", map[string][]answer{"Merge": {clean(map[string]any{"mergeable": "CONFLICTING", "mergeStateStatus": "DIRTY"})}}, nil, promote.ErrNotMergeable, "conflicts", nil},
		{"behind", map[string][]answer{"Merge": {clean(map[string]any{"mergeStateStatus": "BEHIND"})}}, nil, promote.ErrNotMergeable, "behind its target", nil},
		{"no method is allowed", map[string][]answer{"Merge": {prospectJSON(t, nil, map[string]any{"mergeCommitAllowed": false, "squashMergeAllowed": false, "rebaseMergeAllowed": false})}}, nil, promote.ErrNotMergeable, "no way of merging", nil},

		{"the answer was lost: merged", map[string][]answer{"Merge": {clean(nil), merged}, mergePath: {lost}}, isMerged, nil, "", nil},
		{"the answer was lost: not merged", map[string][]answer{"Merge": {clean(nil), clean(nil)}, mergePath: {lost}}, nil, nil, "no answer", nil},
		{"the answer was lost, and the head moved since", map[string][]answer{"Merge": {clean(nil), moved}, mergePath: {{Status: 502}}}, nil, promote.ErrStale, "", nil},
		{"the head moved just now", map[string][]answer{"Merge": {clean(nil)}, mergePath: {refusedMerge(409, "Head branch was modified. Review and try the merge again.")}}, nil, promote.ErrStale, "", nil},
		{"somebody else merged just now", map[string][]answer{"Merge": {clean(nil), merged}, mergePath: {refusedMerge(405, "Pull Request is not mergeable")}}, isMerged, nil, "", nil},
		{
			"the target moved just now: tried again",
			map[string][]answer{"Merge": {clean(nil), clean(nil), clean(nil)}, mergePath: {refusedMerge(405, "Base branch was modified. Review and try the merge again."), mergedJSON}},
			isMerged, nil, "",
			[]string{"Merge", mergePath, "Merge", "Merge", mergePath},
		},
		{
			"GitHub is still computing: tried again, boundedly",
			map[string][]answer{
				"Merge":   {clean(nil), clean(nil), clean(nil), clean(nil), clean(nil), clean(nil), clean(nil), clean(nil)},
				mergePath: {refusedMerge(405, "not yet"), refusedMerge(405, "not yet"), refusedMerge(405, "not yet"), refusedMerge(405, "not yet")},
			},
			nil, promote.ErrNotMergeable, "not yet", nil,
		},
		{
			"refused, and GitHub says why afterwards",
			map[string][]answer{"Merge": {clean(nil), clean(map[string]any{"mergeStateStatus": "BLOCKED", "reviewDecision": "REVIEW_REQUIRED"})}, mergePath: {refusedMerge(405, "At least 1 approving review is required")}},
			nil, promote.ErrNotMergeable, `GitHub says "review_required"; see https://github.example.com/acme/shop/pull/7`, nil,
		},
		{"a 422 of a hook", map[string][]answer{"Merge": {clean(nil), clean(map[string]any{"mergeStateStatus": "BLOCKED", "statusCheckRollup": map[string]any{"state": "SUCCESS"}})}, mergePath: {refusedMerge(422, "pre-receive hook declined")}}, nil, promote.ErrNotMergeable, "pre-receive hook declined", nil},
		{"the credentials may not", map[string][]answer{"Merge": {clean(nil)}, mergePath: {refusedMerge(403, "Resource not accessible by integration")}}, nil, promote.ErrForbidden, "", nil},
		{"too many requests", map[string][]answer{"Merge": {clean(nil)}, mergePath: {{Status: 403, Body: `{"message":"secondary rate limit"}`, Header: map[string]string{"Retry-After": "60"}}}}, nil, promote.ErrLimited, "", nil},

		{"checks run: set to merge", map[string][]answer{"Merge": {blocked}, "Requirements": {requirementsJSON(t, "PENDING", nil)}, "AutoMerge": {ok(`{"data":{}}`)}}, set, nil, "", []string{"Merge", "Requirements", "AutoMerge"}},
		{
			"checks run, the repository has no auto-merge",
			map[string][]answer{"Merge": {prospectJSON(t, map[string]any{"mergeStateStatus": "BLOCKED"}, map[string]any{"autoMergeAllowed": false})}, "Requirements": {requirementsJSON(t, "PENDING", nil)}},
			nil, promote.ErrNotMergeable, "not passed yet: build", nil,
		},
		{"a check failed: nothing is set", map[string][]answer{"Merge": {blocked}, "Requirements": {requirementsJSON(t, "FAILURE", nil)}}, nil, promote.ErrNotMergeable, "failed: build", nil},
		{"a review is missing: nothing is set", map[string][]answer{"Merge": {blocked}, "Requirements": {requirementsJSON(t, "PENDING", "REVIEW_REQUIRED")}}, nil, promote.ErrNotMergeable, "review_required; not passed yet: build", nil},
		{"blocked a moment ago, everything has passed", map[string][]answer{"Merge": {blocked, clean(nil)}, "Requirements": {requirementsJSON(t, "SUCCESS", nil)}, mergePath: {mergedJSON}}, isMerged, nil, "", nil},
		{
			"blocked by a rule that is not seen: never tried",
			map[string][]answer{
				"Merge": {blocked, blocked, blocked, blocked}, "Requirements": {requirementsJSON(t, "SUCCESS", nil), requirementsJSON(t, "SUCCESS", nil), requirementsJSON(t, "SUCCESS", nil), requirementsJSON(t, "SUCCESS", nil)},
			},
			nil, promote.ErrNotMergeable, `GitHub says "blocked", and nothing that it waits for`, nil,
		},
		{"GitHub is still computing whether it may be merged", map[string][]answer{"Merge": {clean(map[string]any{"mergeStateStatus": "UNKNOWN"}), clean(nil)}, mergePath: {mergedJSON}}, isMerged, nil, "", []string{"Merge", "Merge", mergePath}},
		{"the checks ended just now: merged at once", map[string][]answer{"Merge": {blocked}, "Requirements": {requirementsJSON(t, "PENDING", nil)}, "AutoMerge": {graphqlErrorJSON("Pull request Pull request is in clean status")}, mergePath: {mergedJSON}}, isMerged, nil, "", nil},
		{"the same with a check that is not required", map[string][]answer{"Merge": {blocked}, "Requirements": {requirementsJSON(t, "PENDING", nil)}, "AutoMerge": {graphqlErrorJSON("Pull request Pull request is in unstable status")}, mergePath: {mergedJSON}}, isMerged, nil, "", nil},
		{"auto-merge is not allowed after all", map[string][]answer{"Merge": {blocked, blocked}, "Requirements": {requirementsJSON(t, "PENDING", nil)}, "AutoMerge": {graphqlErrorJSON("Pull request Auto merge is not allowed for this repository")}}, nil, promote.ErrNotMergeable, "Auto merge is not allowed for this repository (not passed yet: build)", nil},
		{"the answer to setting it was lost: it is set", map[string][]answer{"Merge": {blocked, auto}, "Requirements": {requirementsJSON(t, "PENDING", nil)}, "AutoMerge": {lost}}, set, nil, "", nil},
		{"the answer to setting it was lost: it is not set", map[string][]answer{"Merge": {blocked, blocked}, "Requirements": {requirementsJSON(t, "PENDING", nil)}, "AutoMerge": {lost}}, nil, nil, "no answer", nil},
		{"the head moved before it was set", map[string][]answer{"Merge": {blocked, moved}, "Requirements": {requirementsJSON(t, "PENDING", nil)}, "AutoMerge": {graphqlErrorJSON("Head sha didn't match expected head oid")}}, nil, promote.ErrStale, "", nil},

		{"into the queue", map[string][]answer{"Merge": {clean(queue)}, "Enqueue": {ok(`{"data":{"enqueuePullRequest":{"mergeQueueEntry":{"state":"QUEUED","position":1}}}}`)}}, queued, nil, "", []string{"Merge", "Enqueue"}},
		{"into the queue, though behind", map[string][]answer{"Merge": {clean(map[string]any{"isMergeQueueEnabled": true, "mergeStateStatus": "BEHIND"})}, "Enqueue": {ok(`{"data":{}}`)}}, queued, nil, "", nil},
		{"into the queue when its checks have passed", map[string][]answer{"Merge": {queueBlocked}, "Requirements": {requirementsJSON(t, "PENDING", nil)}, "AutoMerge": {ok(`{"data":{}}`)}}, set, nil, "", nil},
		{"not into the queue when a check failed", map[string][]answer{"Merge": {queueBlocked}, "Requirements": {requirementsJSON(t, "FAILURE", nil)}}, nil, promote.ErrNotMergeable, "failed: build", nil},
		{"the answer of the queue was lost: it is in", map[string][]answer{"Merge": {clean(queue), inQueue}, "Enqueue": {lost}}, queued, nil, "", nil},
		{"the queue refuses", map[string][]answer{"Merge": {clean(queue), clean(queue)}, "Enqueue": {graphqlErrorJSON("Pull request is not mergeable")}}, nil, promote.ErrNotMergeable, "Pull request is not mergeable", nil},
		{"the queue is for others", map[string][]answer{"Merge": {clean(queue)}, "Enqueue": {ok(`{"errors":[{"type":"FORBIDDEN","message":"Resource not accessible by integration"}]}`)}}, nil, promote.ErrForbidden, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, test.script)
			got, err := f.Merge(t.Context(), 7, head, "Promote frontend 1.0.2\n\nLine\n")
			if test.want == nil {
				if err == nil || test.is != nil && !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.text) {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if err != nil || got.State != test.want.state || got.Number != 7 {
				t.Fatalf("got %+v, %v", got, err)
			}
			if got.State == promote.ChangeMerged && got.Merged != other {
				t.Errorf("merged as %q", got.Merged)
			}
			if want := (promote.Mergeability{Merge: promote.MergeQueued, Reason: test.want.reason}); test.want.reason != "" && got.Mergeability != want {
				t.Errorf("got %v, want %v", got.Mergeability, want)
			}
			if diff := cmp.Diff(test.asked, s.Routes()); test.asked != nil && diff != "" {
				t.Error(diff)
			}
		})
	}
	f, _ := play(t, nil)
	if _, err := f.Merge(t.Context(), 7, "", ""); !errors.Is(err, promote.ErrInvalid) {
		t.Errorf("without a head: %v", err)
	}
}

func TestHowItIsMerged(t *testing.T) {
	rule := func(enforcement string, parameters map[string]any) map[string]any {
		return map[string]any{"baseRef": map[string]any{"rules": map[string]any{"nodes": []any{
			map[string]any{"type": "PULL_REQUEST", "repositoryRuleset": map[string]any{"enforcement": enforcement}, "parameters": parameters},
		}}}}
	}
	onlyRebase := map[string]any{"__typename": "PullRequestParameters", "allowedMergeMethods": []any{"rebase"}}
	for _, test := range []struct {
		name       string
		fields     map[string]any
		repository map[string]any
		message    string
		want       string
	}{
		{"a merge commit is preferred", nil, nil, "Title\n\nBody\n", `{"commit_message":"Body","commit_title":"Title","merge_method":"merge","sha":"` + string(head) + `"}`},
		{"without a message", nil, nil, "", `{"merge_method":"merge","sha":"` + string(head) + `"}`},
		{"then a squash", nil, map[string]any{"mergeCommitAllowed": false}, "Title", `{"commit_message":"","commit_title":"Title","merge_method":"squash","sha":"` + string(head) + `"}`},
		{"then a rebase, which has no message", nil, map[string]any{"mergeCommitAllowed": false, "squashMergeAllowed": false}, "Title", `{"merge_method":"rebase","sha":"` + string(head) + `"}`},
		{"a ruleset allows less", rule("ACTIVE", onlyRebase), nil, "Title", `{"merge_method":"rebase","sha":"` + string(head) + `"}`},
		{"a ruleset that is being tried out allows as much", rule("EVALUATE", onlyRebase), nil, "", `{"merge_method":"merge","sha":"` + string(head) + `"}`},
		{"a linear history by branch protection", map[string]any{"baseRef": map[string]any{"branchProtectionRule": map[string]any{"requiresLinearHistory": true}}}, nil, "", `{"merge_method":"squash","sha":"` + string(head) + `"}`},
		{
			"a linear history by a ruleset",
			map[string]any{"baseRef": map[string]any{"rules": map[string]any{"nodes": []any{map[string]any{"type": "REQUIRED_LINEAR_HISTORY", "repositoryRuleset": map[string]any{"enforcement": "ACTIVE"}, "parameters": nil}}}}},
			nil, "", `{"merge_method":"squash","sha":"` + string(head) + `"}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, map[string][]answer{"Merge": {prospectJSON(t, test.fields, test.repository)}, mergePath: {mergedJSON}})
			if _, err := f.Merge(t.Context(), 7, head, test.message); err != nil {
				t.Fatal(err)
			}
			if got := s.Sent(mergePath); got != test.want {
				t.Errorf("sent %s", got)
			}
		})
	}
}

func TestWhatIsSetToMergeByItself(t *testing.T) {
	f, s := play(t, map[string][]answer{
		"Merge":        {prospectJSON(t, map[string]any{"mergeStateStatus": "BLOCKED"}, map[string]any{"mergeCommitAllowed": false})},
		"Requirements": {requirementsJSON(t, "PENDING", nil)}, "AutoMerge": {ok(`{"data":{}}`)},
	})
	if _, err := f.Merge(t.Context(), 7, head, "Title\n\nBody"); err != nil {
		t.Fatal(err)
	}
	want := `"variables":{"body":"Body","head":"` + string(head) + `","id":"PR_7","method":"SQUASH","title":"Title"}`
	if got := s.Sent("AutoMerge"); !strings.Contains(got, want) {
		t.Errorf("sent %s", got)
	}
}

// TestWhatMayNotBeSeenIsNotMissed: without administration rights GitHub leaves the branch protection out, and says so; fine-grained
// tokens may not see checks. What else may not be seen is an error: no change is not the same as none that may be seen.
func TestWhatMayNotBeSeenIsNotMissed(t *testing.T) {
	forbidden := func(path string) string {
		return `,"errors":[{"type":"FORBIDDEN","path":` + path + `,"message":"Resource not accessible by personal access token"}]}`
	}
	open := strings.TrimSuffix(changesJSON(t, "", nodeOf(nil)), "}") + forbidden(`["repository","pullRequests","nodes",0,"statusCheckRollup"]`)
	none := `{"data":{"repository":null}` + forbidden(`["repository"]`)
	g, _ := play(t, map[string][]answer{"OpenChanges": {ok(open), ok(none)}})
	if changes, err := g.OpenChanges(t.Context()); err != nil || len(changes) != 1 {
		t.Errorf("got %+v, %v", changes, err)
	}
	if changes, err := g.OpenChanges(t.Context()); !errors.Is(err, promote.ErrForbidden) {
		t.Errorf("got %+v, %v", changes, err)
	}
	seen := prospectJSON(t, nil, nil)
	seen.Body = strings.TrimSuffix(seen.Body, "}") + `,"errors":[{"type":"FORBIDDEN","path":["repository","pullRequest","baseRef","branchProtectionRule"],"message":"Resource not accessible by integration"}]}`
	f, _ := play(t, map[string][]answer{"Merge": {seen}, mergePath: {mergedJSON}})
	if _, err := f.Merge(t.Context(), 7, head, ""); err != nil {
		t.Error(err)
	}
}
