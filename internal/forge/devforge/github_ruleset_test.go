package devforge_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// Rulesets are made, found, changed and taken away over REST, and bind as soon as they are there.
func TestGitHubRulesets(t *testing.T) {
	h := newHub(t)
	h.openPull(t, "lockkeeper/web")
	const named = `"name":"gates","target":"branch","conditions":{"ref_name":{"include":[%q],"exclude":[]}},"rules":[{"type":"required_status_checks",` +
		`"parameters":{"strict_required_status_checks_policy":false,"required_status_checks":[{"context":"lockkeeper/gates"}]}}]`
	for _, e := range []exchange{
		{"owner", "POST", repoAPI + "/rulesets", `{"enforcement":"active",` + fmt.Sprintf(named, "~DEFAULT_BRANCH") + `}`, 403, "Must have admin rights"},
		{"admin", "POST", repoAPI + "/rulesets", `{"enforcement":"active",` + fmt.Sprintf(named, "~DEFAULT_BRANCH") + `}`, 201, `"context":"lockkeeper/gates"`},
		{"admin", "POST", repoAPI + "/rulesets", `{"enforcement":"active",` + fmt.Sprintf(named, "~ALL") + `}`, 422, "Name must be unique"},
		{"admin", "POST", repoAPI + "/rulesets", `{"name":"x","enforcement":"active","rules":[{"type":"required_signatures"}]}`, 422, "Invalid rule"},
		{"bot", "GET", repoAPI + "/rulesets", "", 200, `"name":"gates"`},
		{"bot", "GET", repoAPI + "/rules/branches/main", "", 200, `"ruleset_id":1`},
		{"bot", "GET", repoAPI + "/rules/branches/lockkeeper/web", "", 200, `[]`},
		{"bot", "GET", pullAPI, "", 200, `"mergeable_state":"blocked"`},
		{"admin", "PUT", repoAPI + "/rulesets/1", `{"enforcement":"evaluate"}`, 200, `"enforcement":"evaluate"`},
		{"bot", "GET", pullAPI, "", 200, `"mergeable_state":"clean"`},
		{"admin", "PUT", repoAPI + "/rulesets/1", `{"enforcement":"active","conditions":{"ref_name":{"include":["refs/heads/ma*"],"exclude":["refs/heads/main"]}}}`, 200, `"refs/heads/ma*"`},
		{"bot", "GET", pullAPI, "", 200, `"mergeable_state":"clean"`},
		{"admin", "DELETE", repoAPI + "/rulesets/1", "", 204, ""},
		{"admin", "GET", repoAPI + "/rulesets/1", "", 404, "Not Found"},
	} {
		if status, body, _ := h.rawHub(t, e); status != e.status || !strings.Contains(body, e.has) {
			t.Errorf("%s %s by %s answers %d %.500s, want %d with %s", e.method, e.path, e.user, status, body, e.status, e.has)
		}
	}
}

// A branch can be kept for one App.
func TestGitHubRulesetsLetAppsBy(t *testing.T) {
	h := newHub(t)
	a := h.install(t, devforge.Hook{}, botPermissions)
	h.push(t, "ledger", "README.md", "# Ledger\n")
	body := fmt.Sprintf(`{"name":"ledger","enforcement":"active","conditions":{"ref_name":{"include":["refs/heads/ledger"],"exclude":[]}},
		"rules":[{"type":"deletion"},{"type":"update"}],"bypass_actors":[{"actor_id":%d,"actor_type":"Integration","bypass_mode":"always"}]}`, a.app)
	if status, text, _ := h.rawHub(t, exchange{"admin", "POST", repoAPI + "/rulesets", body, 201, ""}); status != http.StatusCreated {
		t.Fatalf("ruleset: %d %s", status, text)
	}
	var got []string
	for _, token := range []string{"bot-token", "admin-token", h.token(t, a, nil)} {
		dir := t.TempDir() + "/clone"
		mustGit(t, t.TempDir(), "clone", "-q", "-b", "ledger", strings.Replace(h.url, "http://", "http://x:"+token+"@", 1)+"/"+repoPath+".git", dir)
		write(t, dir, "README.md", "# "+token+"\n")
		mustGit(t, dir, "commit", "-qam", "Note")
		out, err := git(t, dir, "push", "origin", "HEAD:ledger")
		got = append(got, map[bool]string{true: "pushed", false: "refused"}[err == nil])
		if err != nil && !strings.Contains(out, "Cannot update this protected ref.") {
			t.Errorf("refused with\n%s", out)
		}
	}
	if diff := cmp.Diff([]string{"refused", "refused", "pushed"}, got); diff != "" {
		t.Error(diff)
	}
}

// A ruleset can keep the history of a branch: what is pushed by force is taken back, with all that was pushed along.
func TestGitHubRulesetsKeepHistory(t *testing.T) {
	h := newHub(t)
	a := h.install(t, devforge.Hook{}, botPermissions)
	kept := h.push(t, "ledger", "README.md", "# Ledger\n")
	body := fmt.Sprintf(`{"name":"ledger","enforcement":"active","conditions":{"ref_name":{"include":["refs/heads/ledger"],"exclude":[]}},
		"rules":[{"type":"non_fast_forward"}],"bypass_actors":[{"actor_id":%d,"actor_type":"Integration","bypass_mode":"always"}]}`, a.app)
	if status, text, _ := h.rawHub(t, exchange{"admin", "POST", repoAPI + "/rulesets", body, 201, ""}); status != http.StatusCreated {
		t.Fatalf("ruleset: %d %s", status, text)
	}
	push := func(token string, refs ...string) string {
		t.Helper()
		dir := t.TempDir() + "/clone"
		mustGit(t, t.TempDir(), "clone", "-q", "-b", "ledger", strings.Replace(h.url, "http://", "http://x:"+token+"@", 1)+"/"+repoPath+".git", dir)
		write(t, dir, "README.md", "# "+token+fmt.Sprint(refs)+"\n")
		if strings.HasPrefix(refs[0], "+") {
			mustGit(t, dir, "commit", "-q", "--amend", "-am", "Another")
		} else {
			mustGit(t, dir, "commit", "-qam", "More")
		}
		out, err := git(t, dir, append([]string{"push", "origin"}, refs...)...)
		if err == nil {
			return "pushed"
		}
		if !strings.Contains(out, "Cannot force-push to this branch") {
			t.Errorf("refused with\n%s", out)
		}
		return "refused"
	}
	tip := func(branch string) string {
		found, _, err := h.as(t, "bot").Repositories.GetBranch(t.Context(), repoOwner, repoName, branch, 1)
		if err != nil {
			return ""
		}
		return found.GetCommit().GetSHA()
	}
	if got := push("admin-token", "+HEAD:ledger", "HEAD:along"); got != "refused" || tip("ledger") != kept || tip("along") != "" {
		t.Errorf("by force it is %s, at %q, and what was pushed along is at %q", got, tip("ledger"), tip("along"))
	}
	if got := push("admin-token", "HEAD:ledger"); got != "pushed" || tip("ledger") == kept {
		t.Errorf("a plain push is %s", got)
	}
	if got := push(h.token(t, a, nil), "+HEAD:ledger"); got != "pushed" {
		t.Errorf("whom the ruleset lets by is %s", got)
	}
}
