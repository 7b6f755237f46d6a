package gitlab

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestReviewsAreOfTheHeadThatWasThere(t *testing.T) {
	const first, second, third = promote.Commit("a111"), promote.Commit("b222"), promote.Commit("c333")
	at := func(minute int) string { return fmt.Sprintf("2026-11-21T12:%02d:00.500Z", minute) }
	moved := []string{pushedAt(third, at(30)), pushedAt(second, at(20)), pushedAt(first, at(10))}
	full := []string{pushedAt(third, at(30))}
	for len(full) < perPage {
		full = append(full, pushedAt(second, at(20)))
	}
	approved := func(name, at string) string {
		return fmt.Sprintf(`{"user":{"id":3,"username":%q},"approved_at":%q}`, name, at)
	}
	const old = `{"user":{"id":3,"username":"lea"}}`
	said := func(body, at string, system bool) string {
		return fmt.Sprintf(`{"id":1,"body":%q,"author":{"id":3,"username":"lea"},"system":%t,"created_at":%q}`, body, system, at)
	}
	for _, row := range []struct {
		name     string
		approved []string
		versions []string // nil: must not be asked for
		notes    []string // nil: must not be asked for
		want     promote.ChangeApprovals
	}{
		{"nobody approved", nil, nil, nil, promote.ChangeApprovals{}},
		{"the present head", []string{approved("lea", at(31))}, moved, nil, reviewed(third, third)},
		{"the head before", []string{approved("lea", at(29))}, moved, nil, reviewed(third, second)},
		{"a head that comes again", []string{approved("lea", at(11))}, []string{pushedAt(first, at(30)), pushedAt(second, at(20)), pushedAt(first, at(10))}, nil, reviewed(first, first)},
		{"at the very time of a push", []string{approved("lea", at(30))}, moved, nil, reviewed(third, second)},
		{"before the first version was there", []string{approved("lea", at(9))}, moved, nil, reviewed(third, "")},
		{"a head that never moved", []string{old}, []string{pushedAt(third, at(10))}, nil, reviewed(third, third)},
		{"versions that are the same head", []string{old}, []string{pushedAt(third, at(20)), pushedAt(third, at(10))}, nil, reviewed(third, third)},
		{"more versions than are looked at", []string{approved("lea", at(5))}, full, nil, reviewed(third, "")},
		{"no version at all", []string{approved("lea", at(5))}, []string{}, nil, reviewed("", "")},
		{"times that are none", []string{approved("lea", "soon")}, moved, []string{}, reviewed(third, "")},
		{"a push whose time is none", []string{approved("lea", at(31))}, []string{pushedAt(third, "soon"), pushedAt(second, at(20))}, nil, reviewed(third, "")},
		{"an older version tells by a note", []string{old}, moved, []string{said(textApproved, at(31), true), said("added 1 commit", at(30), true)}, reviewed(third, third)},
		{"of the head before", []string{old}, moved, []string{said("added 1 commit", at(30), true), said(textApproved, at(21), true)}, reviewed(third, second)},
		{"a note that a person wrote says nothing", []string{old}, moved, []string{said(textApproved, at(31), false), said(textApproved, at(21), true)}, reviewed(third, second)},
		{"what was taken back", []string{old}, moved, []string{said(textUnapproved, at(32), true), said(textApproved, at(31), true)}, reviewed(third, "")},
		{"no such note among the newest", []string{old}, moved, []string{}, reviewed(third, "")},
		{"an account that is gone", []string{`{"user":null}`}, moved, nil, promote.ChangeApprovals{Head: third}},
	} {
		t.Run(row.name, func(t *testing.T) {
			change := "GET " + project + "/merge_requests/7"
			script := map[string][]answer{change + "/approvals": {{Status: 200, Body: `{"approved_by":[` + strings.Join(row.approved, ",") + "]}"}}}
			if row.versions != nil {
				script[change+"/versions"] = []answer{{Status: 200, Body: "[" + strings.Join(row.versions, ",") + "]"}}
			}
			if row.notes != nil {
				script[change+"/notes"] = []answer{{Status: 200, Body: "[" + strings.Join(row.notes, ",") + "]"}}
			}
			f, _ := play(t, script)
			got, err := f.Approvals(t.Context(), 7)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What cannot be read counts for nothing.
func TestReviewsNeedEveryAnswer(t *testing.T) {
	change := "GET " + project + "/merge_requests/7"
	gone := answer{Status: 403, Body: `{"message":"403 Forbidden"}`}
	given := answer{Status: 200, Body: `{"approved_by":[{"user":{"id":3,"username":"lea"}}]}`}
	moved := answer{Status: 200, Body: "[" + pushedAt("b222", "2026-11-21T12:20:00Z") + "," + pushedAt("a111", "2026-11-21T12:10:00Z") + "]"}
	for name, script := range map[string]map[string][]answer{
		"approvals": {change + "/approvals": {gone}},
		"versions":  {change + "/approvals": {given}, change + "/versions": {gone}},
		"notes":     {change + "/approvals": {given}, change + "/versions": {moved}, change + "/notes": {gone}},
	} {
		f, _ := play(t, script)
		if got, err := f.Approvals(t.Context(), 7); err == nil || len(got.Given) > 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func pushedAt(head promote.Commit, at string) string {
	return fmt.Sprintf(`{"id":1,"head_commit_sha":%q,"created_at":%q}`, head, at)
}

func reviewed(shown, given promote.Commit) promote.ChangeApprovals {
	return promote.ChangeApprovals{Head: shown, Given: []promote.ChangeApproval{{By: "lea", Head: given}}}
}

func FuzzReviewedHead(f *testing.F) {
	f.Add(`2026-11-21T12:10:00Z`, `2026-11-21T12:20:00Z`, int64(1_795_263_000))
	f.Add(``, `x`, int64(0))
	f.Fuzz(func(t *testing.T, first, second string, seconds int64) {
		var before, after stamp
		_, _ = before.UnmarshalJSON([]byte(`"`+first+`"`)), after.UnmarshalJSON([]byte(`"`+second+`"`))
		p := pushes{whole: true, versions: []version{{Head: "new", CreatedAt: after}, {Head: "old", CreatedAt: before}}}
		given := time.Unix(seconds, 0)
		if p.at(given) == "new" && (after.IsZero() || !after.Before(given)) {
			t.Errorf("an approval at %s counts for what was pushed at %s", given, after)
		}
	})
}
