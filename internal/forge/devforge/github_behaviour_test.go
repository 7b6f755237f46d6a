package devforge_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// rawHub sends one exchange as user and reads the answer. Redirects are not followed.
func (h *hub) rawHub(t *testing.T, e exchange, header ...string) (int, string, http.Header) {
	t.Helper()
	sent := map[string]string{}
	if e.user != "" {
		sent["Authorization"] = "Bearer " + e.user + "-token"
	}
	for i := 0; i+1 < len(header); i += 2 {
		sent[header[i]] = header[i+1]
	}
	return e.send(t, h.url, sent)
}

const (
	repoAPI = "/api/v3/repos/acme/gitops"
	pullAPI = repoAPI + "/pulls/1"
)

// TestGitHubBehaviour is how GitHub answers; each row says who says so. A row starts from one open pull request, number 1, of the
// bot, and its exchanges follow each other. {sha} is its head.
func TestGitHubBehaviour(t *testing.T) {
	for _, tt := range []struct {
		name, source string
		prepare      func(*testing.T, *hub)
		exchanges    []exchange
	}{
		{
			name: "comments in files", source: "REST, Pull request review comments",
			exchanges: []exchange{
				{"owner", "POST", pullAPI + "/comments", `{"body":"look","path":"apps/web/dev.yaml","line":2,"commit_id":"{sha}"}`, 201, `"subject_type":"line"`},
				{"owner", "POST", pullAPI + "/comments", `{"body":"look","path":"apps/web/dev.yaml","line":99,"commit_id":"{sha}"}`, 422, `pull_request_review_thread.line must be part of the diff`},
				{"owner", "POST", pullAPI + "/comments", `{"body":"look","path":"apps/web/dev.yaml","line":99,"subject_type":"file","commit_id":"{sha}"}`, 201, `"subject_type":"file"`},
				{"owner", "POST", pullAPI + "/comments", `{"body":"look","path":"README.md","line":1,"commit_id":"{sha}"}`, 422, `pull_request_review_thread.path is not part of the diff`},
				{"owner", "POST", pullAPI + "/comments", `{"body":"look","path":"apps/web/dev.yaml","line":2,"commit_id":"0123456789012345678901234567890123456789"}`, 422, `commit_id is not part of the pull request`},
				{"owner", "POST", pullAPI + "/comments", `{"body":"look","path":"apps/web/dev.yaml","commit_id":"{sha}"}`, 422, "wasn't supplied"},
				{"bot", "POST", pullAPI + "/comments/1/replies", `{"body":"seen"}`, 201, `"in_reply_to_id":1`},
				{"bot", "POST", pullAPI + "/comments/3/replies", `{"body":"seen"}`, 404, `Not Found`},
				{"bot", "POST", pullAPI + "/comments/9/replies", `{"body":"seen"}`, 404, `Not Found`},
				{"bot", "PATCH", repoAPI + "/pulls/comments/3", `{"body":"seen twice"}`, 200, `"seen twice"`},
				{"reader", "PATCH", repoAPI + "/pulls/comments/3", `{"body":"mine"}`, 403, `Must have admin rights to Repository.`},
				{"bot", "POST", repoAPI + "/pulls/comments/1/reactions", `{"content":"eyes"}`, 201, `"content":"eyes"`},
				{"bot", "POST", repoAPI + "/pulls/comments/1/reactions", `{"content":"eyes"}`, 200, `"content":"eyes"`},
				{"bot", "GET", repoAPI + "/pulls/comments/1", "", 200, `"eyes":1`},
				{"bot", "GET", repoAPI + "/issues/comments/1", "", 404, `Not Found`},
				{"bot", "GET", pullAPI + "/reviews/1", "", 200, `"state":"COMMENTED"`},
				{"bot", "GET", pullAPI + "/reviews/99", "", 404, `Not Found`},
				{"bot", "DELETE", repoAPI + "/pulls/comments/3", "", 204, ""},
				{"bot", "GET", pullAPI + "/comments", "", 200, `"body":"look"`},
				{"bot", "GET", repoAPI + "/pulls/comments/3", "", 404, `Not Found`},
			},
		},
		{
			name: "no token and a wrong token are refused", source: "REST, Troubleshooting; octokit-fixtures errors",
			exchanges: []exchange{
				{"", "GET", "/api/v3/user", "", 401, `{"message":"Requires authentication"`},
				{"wrong", "GET", repoAPI, "", 401, `{"message":"Bad credentials"`},
			},
		},
		{
			name: "what may not be seen does not exist", source: "REST, Troubleshooting: 404 Not Found for an existing resource",
			exchanges: []exchange{
				{"stranger", "GET", repoAPI, "", 404, `{"message":"Not Found"`},
				{"stranger", "POST", repoAPI + "/issues/1/comments", `{"body":"x"}`, 404, `Not Found`},
				{"bot", "GET", "/api/v3/repos/acme/none", "", 404, `Not Found`},
				{"bot", "GET", repoAPI + "/pulls/9", "", 404, `Not Found`},
			},
		},
		{
			name: "everybody reads and comments on a public repository, and can do nothing else", source: "docs, Access permissions on GitHub; spec/forge.md §6",
			prepare: func(t *testing.T, h *hub) {
				h.allow(t, func(s *devforge.Settings) { s.GitHub.Public = true })
			},
			exchanges: []exchange{
				{"stranger", "GET", repoAPI, "", 200, `"visibility":"public"`},
				{"stranger", "POST", repoAPI + "/issues/1/comments", `{"body":"/promote"}`, 201, `"author_association":"NONE"`},
				{"bot", "GET", repoAPI + "/collaborators/stranger/permission", "", 200, `"permission":"read"`},
				{"stranger", "PUT", pullAPI + "/merge", `{}`, 403, `Must have push access`},
				{"stranger", "POST", repoAPI + "/statuses/{sha}", `{"state":"success"}`, 403, `Must have push access`},
				{"stranger", "POST", repoAPI + "/issues/1/labels", `{"labels":["x"]}`, 403, `Must have push access`},
				{"stranger", "PATCH", pullAPI, `{"title":"mine"}`, 403, `Must have push access`},
			},
		},
		{
			name: "hooks and settings are for administrators", source: "REST, Repository webhooks: 404; Update a repository: 403 Must have admin rights to Repository.",
			exchanges: []exchange{
				{"owner", "GET", repoAPI + "/hooks", "", 404, `Not Found`},
				{"owner", "PATCH", repoAPI, `{"allow_auto_merge":true}`, 403, `Must have admin rights to Repository.`},
				{"owner", "GET", repoAPI + "/branches/main/protection", "", 404, `Not Found`},
				{"admin", "GET", repoAPI + "/branches/main/protection", "", 404, `Branch not protected`},
			},
		},
		{
			name: "a second pull request of the same branches is refused", source: "REST, Create a pull request: 422; spec/forge.md §4.1",
			exchanges: []exchange{
				{"bot", "POST", repoAPI + "/pulls", `{"title":"again","head":"lockkeeper/web","base":"main"}`, 422, `"message":"A pull request already exists for acme:lockkeeper/web."`},
				{"bot", "POST", repoAPI + "/pulls", `{"title":"t","head":"none","base":"main"}`, 422, `{"resource":"PullRequest","field":"head","code":"invalid"}`},
				{"bot", "POST", repoAPI + "/pulls", `{"title":"t","head":"lockkeeper/web","base":"none"}`, 422, `{"resource":"PullRequest","field":"base","code":"invalid"}`},
				{"bot", "POST", repoAPI + "/pulls", `{"title":"t","head":"main","base":"main"}`, 422, `No commits between main and main`},
				{"bot", "POST", repoAPI + "/pulls", `{"title":" ","head":"lockkeeper/web","base":"main"}`, 422, `"field":"title","code":"missing_field"`},
				{"bot", "POST", repoAPI + "/pulls", `{`, 400, `Problems parsing JSON`},
			},
		},
		{
			name: "texts have a largest size", source: "spec/forge.md §5: 65,536 characters, Body is too long",
			exchanges: []exchange{
				{"bot", "POST", repoAPI + "/issues/1/comments", `{"body":"` + strings.Repeat("x", 65_537) + `"}`, 422, `Body is too long (maximum is 65536 characters)`},
				{"bot", "POST", repoAPI + "/issues/1/comments", `{"body":"` + strings.Repeat("é", 65_536) + `"}`, 201, ``},
				{"bot", "POST", repoAPI + "/issues/1/comments", `{"body":" "}`, 422, `Body cannot be blank`},
				{"bot", "PATCH", pullAPI, `{"body":"` + strings.Repeat("x", 65_537) + `"}`, 422, `body is too long (maximum is 65536 characters)`},
				{"bot", "PATCH", pullAPI, `{"title":"` + strings.Repeat("x", 257) + `"}`, 422, `title is too long (maximum is 256 characters)`},
			},
		},
		{
			name: "a merge is bound to the head", source: "REST, Merge a pull request: 409",
			exchanges: []exchange{
				{"owner", "PUT", pullAPI + "/merge", `{"sha":"0000000000000000000000000000000000000000"}`, 409, `Head branch was modified. Review and try the merge again.`},
				{"reader", "PUT", pullAPI + "/merge", `{}`, 403, `Must have push access to repository`},
				{"owner", "GET", pullAPI + "/merge", "", 404, `Not Found`},
				{"owner", "PUT", pullAPI + "/merge", `{"sha":"{sha}"}`, 200, `"merged":true,"message":"Pull Request successfully merged"`},
				{"owner", "GET", pullAPI + "/merge", "", 204, ``},
				{"owner", "PUT", pullAPI + "/merge", `{"sha":"{sha}"}`, 405, `Pull Request is not mergeable`},
				{"owner", "PATCH", pullAPI, `{"state":"open"}`, 422, `state cannot be changed`},
			},
		},
		{
			name: "conflicts are dirty and do not merge", source: "GraphQL, MergeStateStatus DIRTY; REST, Merge a pull request: 405",
			prepare: func(t *testing.T, h *hub) { h.push(t, "main", "apps/web/dev.yaml", "image:\n  tag: 2.0.0\n") },
			exchanges: []exchange{
				{"bot", "GET", pullAPI, "", 200, `"mergeable":false,"mergeable_state":"dirty"`},
				{"owner", "PUT", pullAPI + "/merge", `{}`, 405, `{"message":"Pull Request is not mergeable"`},
			},
		},
		{
			name: "a required check that nobody reported is expected", source: "docs, About status checks; REST, Merge a pull request: 405",
			prepare: func(t *testing.T, h *hub) { h.rule(t, &devforge.BranchRules{Checks: gates}) },
			exchanges: []exchange{
				{"owner", "PUT", pullAPI + "/merge", `{}`, 405, `Required status check \"lockkeeper/gates\" is expected.`},
				{"bot", "POST", repoAPI + "/statuses/{sha}", `{"state":"success","context":"LOCKKEEPER/Gates"}`, 201, `"state":"success"`},
				{"bot", "GET", pullAPI, "", 200, `"mergeable_state":"clean"`},
			},
		},
		{
			name: "a failing check that is not required is unstable, and merges", source: "GraphQL, MergeStateStatus UNSTABLE: mergeable with non-passing commit status",
			exchanges: []exchange{
				{"bot", "POST", repoAPI + "/statuses/{sha}", `{"state":"failure","context":"lint"}`, 201, ``},
				{"bot", "GET", pullAPI, "", 200, `"mergeable_state":"unstable"`},
				{"owner", "PUT", pullAPI + "/merge", `{}`, 200, `"merged":true`},
			},
		},
		{
			name: "a strict rule wants the branch up to date", source: "docs, Require status checks: strict; GraphQL, MergeStateStatus BEHIND",
			prepare: func(t *testing.T, h *hub) {
				h.rule(t, &devforge.BranchRules{Strict: true})
				h.push(t, "main", "README.md", "# Moved\n")
			},
			exchanges: []exchange{{"bot", "GET", pullAPI, "", 200, `"mergeable_state":"behind"`}},
		},
		{
			name: "an administrator passes a protection that does not include administrators", source: "docs, Do not allow bypassing the above settings",
			prepare: func(t *testing.T, h *hub) {
				if _, _, err := h.as(t, "admin").Repositories.UpdateBranchProtection(t.Context(), repoOwner, repoName, "main", &github.ProtectionRequest{
					RequiredStatusChecks: &github.RequiredStatusChecks{Contexts: &[]string{"gates"}},
				}); err != nil {
					t.Fatal(err)
				}
			},
			exchanges: []exchange{
				{"owner", "PUT", pullAPI + "/merge", `{}`, 405, `{"message":"Required status check \"gates\" is expected."`},
				{"admin", "PUT", pullAPI + "/merge", `{}`, 200, `"merged":true`},
			},
		},
		{
			name: "statuses are checked", source: "REST, Create a commit status; octokit-fixtures create-status",
			exchanges: []exchange{
				{"bot", "POST", repoAPI + "/statuses/0000000000000000000000000000000000000000", `{"state":"success"}`, 422, `No commit found for SHA`},
				{"bot", "POST", repoAPI + "/statuses/{sha}", `{"state":"success","description":"` + strings.Repeat("x", 141) + `"}`, 422, `description is too long (maximum is 140 characters)`},
				{"bot", "POST", repoAPI + "/statuses/{sha}", `{"state":"success","target_url":"javascript:alert(1)"}`, 422, `target_url must use http(s) scheme`},
				{"reader", "POST", repoAPI + "/statuses/{sha}", `{"state":"success"}`, 403, `Must have push access`},
				{"bot", "GET", repoAPI + "/commits/lockkeeper/web/status", "", 200, `"state":"pending","statuses":[]`},
				{"bot", "GET", repoAPI + "/commits/none/status", "", 404, `Not Found`},
				{"bot", "GET", repoAPI + "/commits/none", "", 422, `No commit found for SHA: none`},
			},
		},
		{
			name: "one approves not what one wrote", source: "REST, Create a review: 422 Can not approve your own pull request",
			exchanges: []exchange{
				{"bot", "POST", pullAPI + "/reviews", `{"event":"APPROVE"}`, 422, `Can not approve your own pull request`},
				{"owner", "POST", pullAPI + "/reviews", `{"event":"REQUEST_CHANGES"}`, 422, `Body can't be blank`},
			},
		},
		{
			name: "a reaction is given once", source: "REST, Create reaction for an issue comment: 200 when you already added it",
			exchanges: []exchange{
				{"bot", "POST", repoAPI + "/issues/1/reactions", `{"content":"eyes"}`, 201, `"content":"eyes"`},
				{"bot", "POST", repoAPI + "/issues/1/reactions", `{"content":"eyes"}`, 200, `"content":"eyes"`},
			},
		},
		{
			name: "labels are made on the way and taken off by name", source: "octokit-fixtures add-labels-to-issue; REST, Remove a label: 404 Label does not exist",
			exchanges: []exchange{
				{"bot", "POST", repoAPI + "/issues/1/labels", `["stage/dev"]`, 200, `"name":"stage/dev"`},
				{"bot", "DELETE", repoAPI + "/issues/1/labels/stage%2Fdev", ``, 200, `[]`},
				{"bot", "DELETE", repoAPI + "/issues/1/labels/stage%2Fdev", ``, 404, `Label does not exist`},
				{"bot", "GET", repoAPI + "/labels", ``, 200, `"name":"stage/dev"`},
			},
		},
		{
			name: "a branch with slashes may be written as it is", source: "REST, Get a branch",
			exchanges: []exchange{
				{"bot", "GET", repoAPI + "/branches/lockkeeper/web", "", 200, `"name":"lockkeeper/web"`},
				{"bot", "GET", repoAPI + "/branches/lockkeeper%2Fweb", "", 200, `"name":"lockkeeper/web"`},
				{"bot", "GET", repoAPI + "/branches/none", "", 404, `Branch not found`},
				{"bot", "GET", repoAPI + "/rules/branches/lockkeeper/web", "", 200, `[]`},
				{"bot", "GET", repoAPI + "/commits/lockkeeper/web", "", 200, `"sha":"{sha}"`},
			},
		},
		{
			name: "a repository that was renamed redirects", source: "octokit-fixtures rename-repository: 301 to reads, 307 to writes",
			prepare: func(t *testing.T, h *hub) {
				if err := h.Rename(repoPath, "acme/deploy"); err != nil {
					t.Fatal(err)
				}
			},
			exchanges: []exchange{
				{"bot", "GET", pullAPI, "", 301, `"message":"Moved Permanently"`},
				{"bot", "PATCH", repoAPI, `{"allow_auto_merge":true}`, 307, `"message":"Temporary Redirect"`},
				{"bot", "GET", "/api/v3/repositories/1/pulls/1", "", 200, `"full_name":"acme/deploy"`},
				{"bot", "GET", "/api/v3/repos/acme/deploy/pulls/1", "", 200, `"number":1`},
			},
		},
		{
			name: "a deployment of a commit with a failing status conflicts", source: "REST, Create a deployment: 409 unless required_contexts is empty",
			exchanges: []exchange{
				{"bot", "POST", repoAPI + "/statuses/{sha}", `{"state":"failure"}`, 201, ``},
				{"bot", "POST", repoAPI + "/deployments", `{"ref":"lockkeeper/web","environment":"dev"}`, 409, `Conflict: Commit status checks failed for {sha}`},
				{"bot", "POST", repoAPI + "/deployments", `{"ref":"lockkeeper/web","environment":"dev","required_contexts":[]}`, 201, `"environment":"dev"`},
				{"bot", "POST", repoAPI + "/deployments", `{"ref":"none"}`, 422, `No ref found for: none`},
			},
		},
		{
			name: "a hook is made once and needs a URL", source: "REST, Create a repository webhook: 422 Hook already exists on this repository",
			exchanges: []exchange{
				{"admin", "POST", repoAPI + "/hooks", `{"config":{"url":"http://127.0.0.1:1/"}}`, 201, `"content_type":"form"`},
				{"admin", "POST", repoAPI + "/hooks", `{"config":{"url":"http://127.0.0.1:1/"}}`, 422, `Hook already exists on this repository`},
				{"admin", "POST", repoAPI + "/hooks", `{"config":{"url":"nowhere"}}`, 422, `"resource":"Hook"`},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHub(t)
			head := h.openPull(t, "lockkeeper/web").GetHead().GetSHA()
			if tt.prepare != nil {
				tt.prepare(t, h)
			}
			for _, e := range tt.exchanges {
				for _, field := range []*string{&e.path, &e.body, &e.has} {
					*field = strings.ReplaceAll(*field, "{sha}", head)
				}
				status, body, _ := h.rawHub(t, e)
				if status != e.status || !strings.Contains(body, e.has) {
					t.Errorf("%s %s by %s answers %d %.600s, want %d with %s (%s)", e.method, e.path, e.user, status, body, e.status, e.has, tt.source)
				}
			}
		})
	}
}

// An answer that is known costs nothing (REST, Best practices: conditional requests).
func TestGitHubKnowsWhatTheClientHas(t *testing.T) {
	h := newHub(t)
	h.openPull(t, "lockkeeper/web")
	ask := exchange{user: "bot", method: "GET", path: pullAPI}
	_, _, first := h.rawHub(t, ask)
	status, body, again := h.rawHub(t, ask, "If-None-Match", first.Get("ETag"))
	if status != http.StatusNotModified || body != "" || again.Get("X-RateLimit-Used") != first.Get("X-RateLimit-Used") {
		t.Errorf("the second time: %d %q, used %s then %s", status, body, first.Get("X-RateLimit-Used"), again.Get("X-RateLimit-Used"))
	}
	h.report(t, h.pull(t, 1).GetHead().GetSHA(), "failure")
	if status, _, _ := h.rawHub(t, ask, "If-None-Match", first.Get("ETag")); status != http.StatusOK {
		t.Errorf("after a change: %d", status)
	}
}

func TestGitHubComputesMergeabilityForAWhile(t *testing.T) {
	h := newHub(t, func(c *devforge.Config) { c.Checking = 2 })
	pull := h.openPull(t, "lockkeeper/web")
	if pull.Mergeable != nil || pull.MergeCommitSHA != nil {
		t.Errorf("at once it is %v", pull)
	}
	var got []string
	for range 3 {
		read := h.pull(t, 1)
		got = append(got, read.GetMergeableState())
		if known := read.Mergeable != nil; known != (len(got) == 3) {
			t.Errorf("read %d: mergeable is %v", len(got), read.Mergeable)
		}
	}
	if strings.Join(got, " ") != "unknown unknown clean" {
		t.Errorf("it is %q", got)
	}
}
