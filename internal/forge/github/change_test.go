package github

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func changesJSON(t *testing.T, cursor string, nodes ...map[string]any) string {
	t.Helper()
	return repositoryJSON(t, map[string]any{"pullRequests": map[string]any{
		"pageInfo": map[string]any{"hasNextPage": cursor != "", "endCursor": cursor}, "nodes": nodes,
	}})
}

func TestOpenChangesTakeOneRequest(t *testing.T) {
	f, s := play(t, map[string][]answer{"OpenChanges": {ok(changesJSON(t, "",
		nodeOf(nil),
		nodeOf(map[string]any{"number": 6, "isCrossRepository": true, "author": nil}),
		nodeOf(map[string]any{"number": 5, "author": map[string]any{"__typename": "Bot", "login": "lockkeeper"}, "mergeQueueEntry": map[string]any{"state": "QUEUED", "position": 1}}),
	))}})
	got, err := f.OpenChanges(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fork, bot := openChange(), openChange()
	fork.Number, fork.Fork, fork.Author = 6, true, ""
	bot.Number, bot.Author, bot.Mergeability = 5, "lockkeeper[bot]", promote.Mergeability{Merge: promote.MergeQueued, Reason: "merge queue"}
	if diff := cmp.Diff([]promote.Change{openChange(), fork, bot}, got); diff != "" {
		t.Error(diff)
	}
	if sent := s.Sent("OpenChanges"); !strings.Contains(sent, `"variables":{"after":null,"label":"lockkeeper","name":"shop","owner":"acme"}`) {
		t.Errorf("asked for %s", sent)
	}
}

func TestOpenChangesFollowPagesBoundedly(t *testing.T) {
	f, s := play(t, map[string][]answer{"OpenChanges": {ok(changesJSON(t, "c1", nodeOf(nil))), ok(changesJSON(t, "", nodeOf(nil)))}})
	got, err := f.OpenChanges(t.Context())
	if err != nil || len(got) != 2 || !strings.Contains(s.Sent("OpenChanges"), `"after":"c1"`) {
		t.Errorf("got %d, %v", len(got), err)
	}
	endless := make([]answer, maxChangePages)
	for i := range endless {
		endless[i] = ok(changesJSON(t, fmt.Sprint(i), nodeOf(nil)))
	}
	f, _ = play(t, map[string][]answer{"OpenChanges": endless})
	if _, err := f.OpenChanges(t.Context()); err == nil || !strings.Contains(err.Error(), "more than 10 pages of 100") {
		t.Errorf("got %v", err)
	}
}

func TestChangesFromABranch(t *testing.T) {
	f, s := play(t, map[string][]answer{"GET …/pulls": {ok("[" + strings.Join([]string{
		pullJSON(t, map[string]any{"number": 9, "state": "closed", "merged_at": "2026-11-21T11:30:00Z", "merge_commit_sha": other, "merged_by": map[string]any{"id": 5, "login": "lea"}}),
		pullJSON(t, map[string]any{"number": 8, "state": "closed"}),
		pullJSON(t, map[string]any{"mergeable_state": nil}),
	}, ",") + "]")}})
	got, err := f.ChangesFrom(t.Context(), "lockkeeper/develop/dev")
	if err != nil {
		t.Fatal(err)
	}
	notOpen := promote.Mergeability{Merge: promote.MergeBlocked, Reason: "not_open"}
	merged, closed, open := openChange(), openChange(), openChange()
	merged.Number, merged.State, merged.Merged, merged.MergedBy, merged.Mergeability = 9, promote.ChangeMerged, other, "lea", notOpen
	closed.Number, closed.State, closed.Mergeability = 8, promote.ChangeClosed, notOpen
	open.Mergeability = promote.Mergeability{}
	if diff := cmp.Diff([]promote.Change{merged, closed, open}, got); diff != "" {
		t.Error(diff)
	}
	want := "GET …/pulls?direction=desc&head=acme%3Alockkeeper%2Fdevelop%2Fdev&per_page=20&sort=created&state=all"
	if s.Got[0].Route != want {
		t.Errorf("asked for %s", s.Got[0].Route)
	}
}

func TestOneChange(t *testing.T) {
	bot := map[string]any{"__typename": "Bot", "login": "renovate"}
	for _, test := range []struct {
		name   string
		fields map[string]any
		want   func(*promote.Change)
	}{
		{"open", nil, func(*promote.Change) {}},
		{"merged", map[string]any{"state": "MERGED", "mergedBy": bot, "mergeCommit": map[string]any{"oid": other}}, func(c *promote.Change) {
			c.State, c.MergedBy, c.Merged = promote.ChangeMerged, "renovate[bot]", other
			c.Mergeability = promote.Mergeability{Merge: promote.MergeBlocked, Reason: "not_open"}
		}},
		{"closed by somebody", map[string]any{
			"state": "CLOSED", "timelineItems": map[string]any{"nodes": []any{map[string]any{"__typename": "ClosedEvent", "actor": map[string]any{"__typename": "User", "login": "lea"}}}},
		}, func(c *promote.Change) {
			c.State, c.ClosedBy = promote.ChangeClosed, "lea"
			c.Mergeability = promote.Mergeability{Merge: promote.MergeBlocked, Reason: "not_open"}
		}},
		{"closed by an account that is gone", map[string]any{
			"state": "CLOSED", "timelineItems": map[string]any{"nodes": []any{map[string]any{"__typename": "ClosedEvent", "actor": nil}}},
		}, func(c *promote.Change) {
			c.State = promote.ChangeClosed
			c.Mergeability = promote.Mergeability{Merge: promote.MergeBlocked, Reason: "not_open"}
		}},
		{"a time that is none", map[string]any{"updatedAt": "yesterday"}, func(c *promote.Change) { c.UpdatedAt = time.Time{} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, map[string][]answer{"Change": {ok(changeJSON(t, test.fields))}})
			got, err := f.Change(t.Context(), 7)
			if err != nil {
				t.Fatal(err)
			}
			want := openChange()
			test.want(&want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAChangeThatIsNotThere(t *testing.T) {
	for name, body := range map[string]string{
		"as GitHub says it": `{"data":{"repository":{"pullRequest":null}},"errors":[{"type":"NOT_FOUND","path":["repository","pullRequest"],"message":"Could not resolve to a PullRequest with the number of 7."}]}`,
		"without an error":  `{"data":{"repository":{"pullRequest":null}}}`,
		"no repository":     `{"data":{"repository":null},"errors":[{"type":"NOT_FOUND","message":"Could not resolve to a Repository with the name 'acme/shop'."}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			f, s := play(t, map[string][]answer{"Change": {ok(body)}, "Reviews": {ok(body)}, "Merge": {ok(body)}})
			if _, err := f.Change(t.Context(), 7); !errors.Is(err, promote.ErrNotFound) {
				t.Errorf("Change: got %v", err)
			}
			if _, err := f.Approvals(t.Context(), 7); !errors.Is(err, promote.ErrNotFound) {
				t.Errorf("Approvers: got %v", err)
			}
			if _, err := f.Merge(t.Context(), 7, head, ""); !errors.Is(err, promote.ErrNotFound) {
				t.Errorf("Merge: got %v", err)
			}
			s.Script["OpenChanges"] = []answer{ok(`{"data":{"repository":null}}`)}
			if _, err := f.OpenChanges(t.Context()); !errors.Is(err, promote.ErrNotFound) {
				t.Errorf("OpenChanges: got %v", err)
			}
		})
	}
}

func TestReviewsAreOfThoseWhoMayWrite(t *testing.T) {
	f, s := play(t, map[string][]answer{"Reviews": {ok(repositoryJSON(t, map[string]any{"pullRequest": map[string]any{
		"headRefOid": "b0b",
		"latestOpinionatedReviews": map[string]any{"nodes": []any{
			map[string]any{"state": "APPROVED", "commit": map[string]any{"oid": "0ld"}, "author": map[string]any{"__typename": "User", "login": "tim"}},
			map[string]any{"state": "APPROVED", "commit": nil, "author": map[string]any{"__typename": "User", "login": "sue"}},
			map[string]any{"state": "APPROVED", "commit": map[string]any{"oid": "b0b"}, "author": map[string]any{"__typename": "User", "login": "lea"}},
			map[string]any{"state": "CHANGES_REQUESTED", "author": map[string]any{"__typename": "User", "login": "max"}},
			map[string]any{"state": "DISMISSED", "author": map[string]any{"__typename": "User", "login": "kim"}},
			map[string]any{"state": "APPROVED", "commit": map[string]any{"oid": "b0b"}, "author": nil},
			map[string]any{"state": "APPROVED", "commit": map[string]any{"oid": "b0b"}, "author": map[string]any{"__typename": "Bot", "login": "reviewer"}},
		}},
	}}))}})
	got, err := f.Approvals(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	want := promote.ChangeApprovals{Head: "b0b", Given: []promote.ChangeApproval{{By: "tim", Head: "0ld"}, {By: "sue"}, {By: "lea", Head: "b0b"}, {By: "reviewer[bot]", Head: "b0b"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(s.Sent("Reviews"), "writersOnly: true") {
		t.Error("everybody's review would count")
	}
}
