package devforge_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// exchange is one raw request and what is expected of the answer.
type exchange struct {
	user, method, path, body string
	status                   int
	has                      string // part of the answer's body
}

// send makes the exchange with a server, and follows no redirect.
func (e exchange) send(t *testing.T, url string, header map[string]string) (int, string, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), e.method, url+e.path, strings.NewReader(e.body))
	if err != nil {
		t.Fatal(err)
	}
	if e.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body), answer.Header
}

func (b *bench) raw(t *testing.T, e exchange) (int, string, http.Header) {
	t.Helper()
	header := map[string]string{}
	if job, ok := strings.CutPrefix(e.user, "job of "); ok {
		header["Job-Token"] = job + "-job"
	} else if e.user != "" {
		header["Private-Token"] = e.user + "-token"
	}
	return e.send(t, b.url, header)
}

const (
	base  = "/api/v4/projects/platform%2Fgitops"
	mr    = base + "/merge_requests/1"
	train = base + "/merge_trains/merge_requests/1"
	state = `{"state":%q,"name":"gates"}`
)

// TestBehaviour is how GitLab answers; each row says who says so. A row starts from one open merge request, number 1, of the
// bot, and its exchanges follow each other. {sha} is its head.
func TestBehaviour(t *testing.T) {
	for _, tt := range []struct {
		name, source string
		prepare      func(*testing.T, *bench)
		exchanges    []exchange
	}{
		{
			name: "no token and a wrong token are refused", source: "doc/api/rest/authentication.md",
			exchanges: []exchange{
				{"", "GET", "/api/v4/user", "", 401, `{"message":"401 Unauthorized"}`},
				{"wrong", "GET", base, "", 401, `{"message":"401 Unauthorized"}`},
			},
		},
		{
			name: "the token of a job reads changes and deploys, and is unknown elsewhere", source: "doc/ci/jobs/ci_job_token.md",
			prepare: func(t *testing.T, b *bench) {
				if err := b.SetJobToken("bot", "bot-job"); err != nil {
					t.Fatal(err)
				}
			},
			exchanges: []exchange{
				{"job of bot", "GET", "/api/v4/job", "", 200, `"user":{"id":3,"username":"bot"`},
				{"bot", "GET", "/api/v4/job", "", 404, "404 Job Not Found"},
				{"job of nobody", "GET", mr, "", 401, "401 Unauthorized"},
				{"job of bot", "GET", mr, "", 200, `"iid":1`},
				{"job of bot", "GET", mr + "/notes", "", 200, `[]`},
				{"job of bot", "POST", mr + "/notes", `{"body":"x"}`, 401, "401 Unauthorized"},
				{"job of bot", "PUT", mr, `{"title":"x"}`, 401, "401 Unauthorized"},
				{"job of bot", "GET", "/api/v4/user", "", 401, "401 Unauthorized"},
				{"job of bot", "POST", base + "/deployments", `{"environment":"dev","sha":"{sha}","ref":"main","tag":false,"status":"running"}`, 201, `"username":"bot"`},
			},
		},
		{
			name: "a project is found by number or escaped path, and hidden from strangers", source: "doc/api/projects.md; lib/api/helpers.rb find_project!",
			exchanges: []exchange{
				{"bot", "GET", "/api/v4/projects/1", "", 200, `"path_with_namespace":"platform/gitops"`},
				{"bot", "GET", base, "", 200, `"only_allow_merge_if_pipeline_succeeds":false`},
				{"stranger", "GET", base, "", 404, `{"message":"404 Project Not Found"}`},
				{"bot", "GET", "/api/v4/projects/no%2Fsuch", "", 404, `{"message":"404 Project Not Found"}`},
			},
		},
		{
			name: "changing settings takes a Maintainer", source: "doc/api/projects.md",
			exchanges: []exchange{
				{"bot", "PUT", base, `{"merge_method":"ff"}`, 403, `{"message":"403 Forbidden"}`},
				{"owner", "PUT", base, `{"merge_method":"ff"}`, 200, `"merge_method":"ff"`},
				{"owner", "GET", base, "", 200, `"merge_method":"ff"`},
			},
		},
		{
			name: "the access level is that of the member, 404 for others", source: "doc/api/members.md; spec/forge.md §6",
			exchanges: []exchange{
				{"bot", "GET", base + "/members/all/3", "", 200, `"access_level":30`},
				{"bot", "GET", base + "/members/all/5", "", 404, `{"message":"404 Not Found"}`},
			},
		},
		{
			name: "a group has members of its own", source: "doc/api/members.md",
			prepare: func(t *testing.T, b *bench) {
				if err := b.AddGroupMember("acme/leads", "owner", devforge.AccessMaintainer); err != nil {
					t.Fatal(err)
				}
			},
			exchanges: []exchange{
				{"bot", "GET", "/api/v4/groups/acme%2Fleads/members/all?query=own", "", 200, `"username":"owner"`},
				{"bot", "GET", "/api/v4/groups/acme%2Fleads/members/all?query=bot", "", 200, `[]`},
				{"bot", "GET", "/api/v4/groups/acme%2Fnone/members/all", "", 404, "404 Group Not Found"},
			},
		},
		{
			name: "a second merge request of the same branches conflicts", source: "lib/api/merge_requests.rb conflict!; spec/forge.md §4.2",
			exchanges: []exchange{{
				"bot", "POST", base + "/merge_requests", `{"title":"again","source_branch":"lockkeeper/web","target_branch":"main"}`,
				409, `{"message":["Another open merge request already exists for this source branch: !1"]}`,
			}},
		},
		{
			name: "a branch that does not exist is named", source: "gerritlab#87 (recorded answer)",
			exchanges: []exchange{
				{"bot", "POST", base + "/merge_requests", `{"title":"t","source_branch":"none","target_branch":"main"}`, 400, `{"message":{"source_branch":["does not exist"]}}`},
				{"bot", "POST", base + "/merge_requests", `{"title":"t","source_branch":"lockkeeper/web","target_branch":"../x"}`, 400, `{"message":{"target_branch":["does not exist"]}}`},
			},
		},
		{
			name: "one branch cannot be both sides", source: "app/models/merge_request.rb validate_branches",
			exchanges: []exchange{{
				"bot", "POST", base + "/merge_requests", `{"title":"t","source_branch":"main","target_branch":"main"}`,
				422, `You can't use same project/branch for source and target`,
			}},
		},
		{
			name: "texts have a largest size", source: "doc/administration/instance_limits.md: description 1,048,576; app/models/concerns/issuable.rb: title 255",
			exchanges: []exchange{
				{"bot", "PUT", mr, `{"title":"` + strings.Repeat("x", 256) + `"}`, 400, `{"message":{"title":["is too long (maximum is 255 characters)"]}}`},
				{"bot", "PUT", mr, `{"description":"` + strings.Repeat("x", 1_048_577) + `"}`, 400, `is too long (maximum is 1048576 characters)`},
				{"bot", "PUT", mr, `{"description":"` + strings.Repeat("é", 1_048_576) + `"}`, 200, ""},
				{"bot", "POST", mr + "/notes", `{"body":"` + strings.Repeat("x", 1_000_001) + `"}`, 400, `is too long`},
				{"bot", "PUT", mr, `{"description":"` + strings.Repeat("x", 10<<20) + `"}`, 413, ``},
			},
		},
		{
			name: "an update must say something", source: "lib/api/merge_requests.rb at_least_one_of",
			exchanges: []exchange{
				{"bot", "PUT", mr, `{}`, 400, "at least one parameter must be provided"},
				{"reader", "PUT", mr, `{"title":"mine"}`, 403, `403 Forbidden`},
			},
		},
		{
			name: "a status makes an external pipeline, which gates", source: "app/services/ci/create_commit_status_service.rb",
			prepare: mustPass,
			exchanges: []exchange{
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"ci_must_pass"`},
				{"bot", "POST", base + "/statuses/{sha}", fmt.Sprintf(state, "pending"), 201, `"status":"pending"`},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"ci_still_running"`},
				{"bot", "GET", base + "/pipelines", "", 200, `"source":"external"`},
				{"bot", "POST", base + "/statuses/{sha}", fmt.Sprintf(state, "success"), 201, `"status":"success"`},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"mergeable"`},
			},
		},
		{
			name: "the same running or pending state twice cannot be entered", source: "spec/requests/api/commit_statuses_spec.rb",
			exchanges: []exchange{
				{"bot", "POST", base + "/statuses/{sha}", fmt.Sprintf(state, "pending"), 201, ""},
				{"bot", "POST", base + "/statuses/{sha}", fmt.Sprintf(state, "pending"), 400, `Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via \"enqueue\")`},
				{"bot", "POST", base + "/statuses/{sha}", fmt.Sprintf(state, "running"), 201, ""},
				{"bot", "POST", base + "/statuses/{sha}", fmt.Sprintf(state, "running"), 400, `Cannot transition status via :run from :running (Reason(s): Status cannot transition via \"run\")`},
			},
		},
		{
			name: "after an end the next report is a new row", source: "create_commit_status_service.rb running_or_pending; spec/forge.md §4.2",
			prepare: mustPass,
			exchanges: []exchange{
				{"bot", "POST", base + "/statuses/{sha}", fmt.Sprintf(state, "failed"), 201, `"id":1,`},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"ci_must_pass"`},
				{"bot", "POST", base + "/statuses/{sha}", fmt.Sprintf(state, "failed"), 201, `"id":2,`},
				{"bot", "POST", base + "/statuses/{sha}", fmt.Sprintf(state, "success"), 201, `"id":3,`},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"mergeable"`},
				{"bot", "GET", base + "/repository/commits/{sha}/statuses?all=true", "", 200, `"id":1,`},
			},
		},
		{
			name: "rows are per user: another's failure still gates", source: "create_commit_status_service.rb for_user",
			prepare: mustPass,
			exchanges: []exchange{
				{"owner", "POST", base + "/statuses/{sha}", `{"state":"failed","name":"security"}`, 201, ""},
				{"bot", "POST", base + "/statuses/{sha}", fmt.Sprintf(state, "success"), 201, ""},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"ci_must_pass"`},
				{"owner", "PUT", mr + "/merge", `{"sha":"{sha}"}`, 405, `{"message":"405 Method Not Allowed"}`},
			},
		},
		{
			name: "skipped counts as success only if the project says so", source: "check_ci_status_service.rb; doc/api/projects.md allow_merge_on_skipped_pipeline",
			prepare: mustPass,
			exchanges: []exchange{
				{"bot", "POST", base + "/statuses/{sha}", fmt.Sprintf(state, "skipped"), 201, ""},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"ci_must_pass"`},
				{"owner", "PUT", base, `{"allow_merge_on_skipped_pipeline":true}`, 200, ""},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"mergeable"`},
			},
		},
		{
			name: "statuses are checked", source: "lib/api/commit_statuses.rb; spec/forge.md §4.2",
			exchanges: []exchange{
				{"bot", "POST", base + "/statuses/" + strings.Repeat("0", 39) + "1", fmt.Sprintf(state, "success"), 404, `{"message":"404 Commit Not Found"}`},
				{"bot", "POST", base + "/statuses/{sha}", `{"state":"success","target_url":"javascript:alert(1)"}`, 400, `target_url`},
				{"bot", "POST", base + "/statuses/{sha}", `{"state":"success","description":"` + strings.Repeat("x", 256) + `"}`, 400, "is too long (maximum is 255 characters)"},
				{"bot", "POST", base + "/statuses/{sha}", `{"state":"success","ref":"main"}`, 403, "403 Forbidden"},
				{"reader", "POST", base + "/statuses/{sha}", fmt.Sprintf(state, "success"), 403, "403 Forbidden"},
				{"bot", "POST", base + "/statuses/{sha}", `{"state":"success","pipeline_id":99}`, 404, "Pipeline for pipeline_id"},
			},
		},
		{
			name: "merging takes the right to do so, first of all", source: "lib/api/merge_requests.rb PUT merge: unauthorized! unless can_be_merged_by?",
			exchanges: []exchange{
				{"bot", "PUT", mr + "/merge", `{"sha":"0000"}`, 401, `{"message":"401 Unauthorized"}`},
				{"bot", "GET", mr, "", 200, `"can_merge":false`},
			},
		},
		{
			name: "a namespace may require the commit", source: "lib/api/merge_requests.rb require_sha_for_merge?",
			prepare: func(t *testing.T, b *bench) { set(t, b, func(s *devforge.Settings) { s.RequireSHA = true }) },
			exchanges: []exchange{
				{"bot", "PUT", mr + "/merge", `{}`, 400, `{"message":"SHA must be provided when merging"}`},
				{"owner", "PUT", mr + "/merge", `{"sha":"{sha}"}`, 200, `"state":"merged"`},
			},
		},
		{
			name: "another commit than the head is a conflict", source: "lib/api/merge_requests.rb check_sha_param!",
			exchanges: []exchange{{"owner", "PUT", mr + "/merge", `{"sha":"` + strings.Repeat("a", 40) + `"}`, 409, `{"message":"SHA does not match HEAD of source branch: {sha}"}`}},
		},
		{
			name: "what is merged or closed is not merged again", source: "spec/forge.md §4.2: not_open is 405",
			exchanges: []exchange{
				{"owner", "PUT", mr + "/merge", `{"sha":"{sha}"}`, 200, `"state":"merged"`},
				{"owner", "PUT", mr + "/merge", `{"sha":"{sha}"}`, 405, `405 Method Not Allowed`},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"not_open"`},
				{"bot", "GET", mr + "/notes", "", 200, `"body":"merged","author":{"id":2,`},
			},
		},
		{
			name: "a draft waits", source: "doc/user/project/merge_requests/drafts.md",
			exchanges: []exchange{
				{"bot", "PUT", mr, `{"title":"Draft: Promote web"}`, 200, `"draft":true`},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"draft_status"`},
				{"owner", "PUT", mr + "/merge", `{"sha":"{sha}"}`, 405, ``},
				{"bot", "PUT", mr, `{"title":"Promote web"}`, 200, `"detailed_merge_status":"mergeable"`},
			},
		},
		{
			name: "both sides changed the same line", source: "doc/api/merge_requests.md: conflict; git decides",
			prepare: func(t *testing.T, b *bench) {
				if _, err := b.Commit(t.Context(), projectPath, "main", "owner", "Other", map[string]string{"apps/web/dev.yaml": "image:\n  tag: 9.9.9\n"}); err != nil {
					t.Fatal(err)
				}
			},
			exchanges: []exchange{
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"conflict"`},
				{"bot", "GET", mr, "", 200, `"has_conflicts":true`},
				{"owner", "PUT", mr + "/merge", `{"sha":"{sha}"}`, 405, ``},
			},
		},
		{
			name: "fast-forward needs a source on top of the target", source: "doc/user/project/merge_requests/methods: need_rebase",
			prepare: func(t *testing.T, b *bench) {
				set(t, b, func(s *devforge.Settings) { s.MergeMethod = "ff" })
				if _, err := b.Commit(t.Context(), projectPath, "main", "owner", "Other", map[string]string{"new": "x"}); err != nil {
					t.Fatal(err)
				}
			},
			exchanges: []exchange{{"bot", "GET", mr, "", 200, `"detailed_merge_status":"need_rebase"`}},
		},
		{
			name: "fast-forward makes no merge commit", source: "doc/user/project/merge_requests/methods",
			prepare: func(t *testing.T, b *bench) { set(t, b, func(s *devforge.Settings) { s.MergeMethod = "ff" }) },
			exchanges: []exchange{
				{"owner", "PUT", mr + "/merge", `{"sha":"{sha}"}`, 200, `"merge_commit_sha":null`},
				{"bot", "GET", base + "/repository/branches/main", "", 200, `"id":"{sha}"`},
			},
		},
		{
			name: "squash makes one commit with the title", source: "doc/api/merge_requests.md squash_commit_sha",
			exchanges: []exchange{
				{"owner", "PUT", mr + "/merge", `{"sha":"{sha}","squash":true}`, 200, `"squash_commit_sha":"`},
				{"bot", "GET", base + "/repository/commits?ref_name=main", "", 200, `"message":"Promote web to 1.0.2\n"`},
			},
		},
		{
			name: "the project decides about squashing where it leaves no choice", source: "app/models/merge_request.rb squash_on_merge?",
			prepare: func(t *testing.T, b *bench) { set(t, b, func(s *devforge.Settings) { s.SquashOption = "always" }) },
			exchanges: []exchange{
				{"bot", "GET", base, "", 200, `"squash_option":"always"`},
				{"owner", "PUT", mr + "/merge", `{"sha":"{sha}","squash":false}`, 200, `"squash_commit_sha":"`},
			},
		},
		{
			name: "auto-merge waits for the pipeline, and merges at once when there is none to wait for", source: "lib/api/merge_requests.rb PUT merge; spec/forge.md §4.2",
			prepare: mustPass,
			exchanges: []exchange{
				{"owner", "PUT", mr + "/merge", `{"sha":"{sha}","auto_merge":true}`, 405, "405 Method Not Allowed"},
				{"bot", "POST", base + "/statuses/{sha}", fmt.Sprintf(state, "running"), 201, ""},
				{"owner", "PUT", mr + "/merge", `{"sha":"{sha}"}`, 405, "405 Method Not Allowed"},
				{"owner", "PUT", mr + "/merge", `{"sha":"{sha}","auto_merge":true}`, 200, `"merge_when_pipeline_succeeds":true`},
				{"bot", "GET", mr, "", 200, `"state":"opened"`},
				{"bot", "POST", base + "/statuses/{sha}", fmt.Sprintf(state, "success"), 201, ""},
				{"bot", "GET", mr, "", 200, `"state":"merged"`},
			},
		},
		{
			name: "without merge trains there is none to board", source: "doc/api/merge_trains.md: 403",
			exchanges: []exchange{
				{"owner", "POST", train, `{"sha":"{sha}"}`, 403, "403 Forbidden"},
				{"owner", "GET", train, "", 403, "403 Forbidden"},
			},
		},
		{
			name: "a merge request boards its train at the head that is named", source: "doc/api/merge_trains.md",
			prepare: trains,
			exchanges: []exchange{
				{"bot", "GET", base, "", 200, `"merge_pipelines_enabled":true,"merge_trains_enabled":true`},
				{"bot", "POST", train, `{"sha":"{sha}"}`, 401, "401 Unauthorized"},
				{"owner", "POST", train, `{"sha":"` + strings.Repeat("a", 40) + `"}`, 409, "SHA does not match HEAD of source branch: {sha}"},
				{"owner", "GET", train, "", 404, "404 Not Found"},
				{"owner", "POST", train, `{"sha":"{sha}"}`, 201, `"status":"fresh"`},
				{"owner", "POST", train, `{"sha":"{sha}"}`, 409, "on the merge train already"},
				{"owner", "GET", train, "", 200, `"target_branch":"main"`},
				{"owner", "GET", base + "/merge_trains/main?scope=active&sort=asc", "", 200, `"iid":1`},
				{"bot", "GET", mr, "", 200, `"merge_when_pipeline_succeeds":true`},
				{"bot", "GET", mr, "", 200, `"ref":"refs/merge-requests/1/train"`},
			},
		},
		{
			name: "what is not ready boards later, or not at all", source: "doc/api/merge_trains.md: 202 and 400",
			prepare: func(t *testing.T, b *bench) { trains(t, b); mustPass(t, b) },
			exchanges: []exchange{
				{"owner", "POST", train, `{"sha":"{sha}"}`, 400, "could not be added to the merge train"},
				{"bot", "POST", base + "/statuses/{sha}", fmt.Sprintf(state, "running"), 201, ""},
				{"owner", "POST", train, `{"sha":"{sha}"}`, 400, "could not be added to the merge train"},
				{"owner", "POST", train, `{"sha":"{sha}","auto_merge":true}`, 202, `"status":"idle"`},
				{"bot", "POST", base + "/statuses/{sha}", fmt.Sprintf(state, "success"), 201, ""},
				{"owner", "GET", train, "", 200, `"status":"fresh"`},
			},
		},
		{
			name: "auto-merge boards the train, and a plain merge goes past it", source: "doc/api/merge_requests.md, Merge a merge request: since 19.1",
			prepare: trains,
			exchanges: []exchange{
				{"owner", "PUT", mr + "/merge", `{"sha":"{sha}","auto_merge":true}`, 200, `"state":"opened"`},
				{"owner", "GET", train, "", 200, `"iid":1`},
				{"owner", "POST", mr + "/cancel_merge_when_pipeline_succeeds", "", 201, `"merge_when_pipeline_succeeds":false`},
				{"owner", "PUT", mr + "/merge", `{"sha":"{sha}"}`, 200, `"state":"merged"`},
			},
		},
		{
			name: "external status checks need a plan", source: "ee/lib/api/status_checks.rb check_feature_enabled!",
			exchanges: []exchange{{"bot", "GET", base + "/external_status_checks", "", 401, "401 Unauthorized"}},
		},
		{
			name: "an external status check is answered for the head", source: "doc/api/status_checks.md",
			prepare: func(t *testing.T, b *bench) {
				set(t, b, func(s *devforge.Settings) { s.Ultimate, s.StatusChecksMustPass = true, true })
			},
			exchanges: []exchange{
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"mergeable"`},
				{"owner", "POST", base + "/external_status_checks", `{"name":"gates","external_url":"https://bot.example.com"}`, 201, `"id":1`},
				{"owner", "POST", base + "/external_status_checks", `{"name":"gates","external_url":"https://bot.example.com"}`, 400, "has already been taken"},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"status_checks_must_pass"`},
				{"bot", "GET", mr + "/status_checks", "", 200, `"name":"gates","external_url":"https://bot.example.com","status":"pending"`},
				{"bot", "POST", mr + "/status_check_responses", `{"sha":"{sha}","external_status_check_id":9,"status":"passed"}`, 404, ""},
				{"bot", "POST", mr + "/status_check_responses", `{"sha":"` + strings.Repeat("a", 40) + `","external_status_check_id":1,"status":"passed"}`, 409, "SHA does not match"},
				{"bot", "POST", mr + "/status_check_responses", `{"sha":"{sha}","external_status_check_id":1,"status":"pending"}`, 201, ""},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"status_checks_must_pass"`},
				{"bot", "POST", mr + "/status_check_responses", `{"sha":"{sha}","external_status_check_id":1,"status":"passed"}`, 201, `"name":"gates"`},
				{"bot", "GET", mr + "/status_checks", "", 200, `"status":"passed"`},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"mergeable"`},
			},
		},
		{
			name: "a deployment makes its environment, whose tier is guessed", source: "lib/api/deployments.rb; app/models/environment.rb guess_tier",
			exchanges: []exchange{
				{"bot", "POST", base + "/deployments", `{"environment":"web/production","sha":"{sha}","ref":"lockkeeper/web","tag":false,"status":"running"}`, 201, `"tier":"production"`},
				{"bot", "POST", base + "/deployments", `{"environment":"berlin","sha":"{sha}","ref":"lockkeeper/web","tag":false,"status":"running"}`, 201, `"tier":"other"`},
				{"bot", "GET", base + "/environments?name=berlin", "", 200, `"id":2`},
				{"bot", "PUT", base + "/environments/2", `{"tier":"production","external_url":"https://forge/1"}`, 200, `"external_url":"https://forge/1"`},
				{"bot", "GET", base + "/deployments?environment=berlin&order_by=id&sort=desc", "", 200, `[{"id":2,`},
				{"reader", "POST", base + "/deployments", `{"environment":"x","sha":"{sha}","ref":"main","tag":false,"status":"running"}`, 403, "403 Forbidden"},
				{"bot", "POST", base + "/deployments", `{"environment":"x","sha":"` + strings.Repeat("a", 40) + `","ref":"main","tag":false,"status":"running"}`, 400, "The commit does not exist"},
				{"bot", "POST", base + "/deployments", `{"environment":"x","sha":"{sha}","ref":"none","tag":false,"status":"running"}`, 400, "The branch or tag does not exist"},
			},
		},
		{
			name: "a deployment does not become what it is", source: "app/models/deployment.rb state_machine; app/services/deployments/update_service.rb",
			exchanges: []exchange{
				{"bot", "POST", base + "/deployments", `{"environment":"dev","sha":"{sha}","ref":"main","tag":false,"status":"running"}`, 201, `"status":"running"`},
				{"bot", "PUT", base + "/deployments/1", `{"status":"running"}`, 400, `cannot transition via \"run\"`},
				{"bot", "PUT", base + "/deployments/1", `{"status":"success"}`, 200, `"status":"success"`},
				{"bot", "PUT", base + "/deployments/1", `{"status":"success"}`, 400, `cannot transition via \"succeed\"`},
				{"bot", "PUT", base + "/deployments/1", `{"status":"failed"}`, 200, `"status":"failed"`},
				{"bot", "PUT", base + "/deployments/9", `{"status":"failed"}`, 404, "404 Deployment Not Found"},
			},
		},
		{
			name: "open threads gate if the project says so", source: "doc/api/discussions.md; only_allow_merge_if_all_discussions_are_resolved",
			prepare: func(t *testing.T, b *bench) {
				set(t, b, func(s *devforge.Settings) { s.DiscussionsMustResolve = true })
			},
			exchanges: []exchange{
				{"bot", "POST", mr + "/discussions", `{"body":"why?"}`, 201, `"resolved":false`},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"discussions_not_resolved"`},
			},
		},
		{
			name: "people are asked to look by number, and who is no member is passed over", source: "doc/api/merge_requests.md assignee_ids, reviewer_ids",
			exchanges: []exchange{
				{"bot", "GET", "/api/v4/users?username=OWNER", "", 200, `[{"id":2,"username":"owner"`},
				{"bot", "GET", "/api/v4/users?username=nobody", "", 200, `[]`},
				{"bot", "PUT", mr, `{"assignee_ids":[2,5],"reviewer_ids":[3]}`, 200, `"assignees":[{"id":2,`},
				{"bot", "GET", mr, "", 200, `"reviewers":[{"id":3,`},
				{"bot", "PUT", mr, `{"assignee_ids":[0]}`, 200, `"assignees":[],`},
			},
		},
		{
			name: "closing and reopening", source: "doc/api/merge_requests.md state_event",
			exchanges: []exchange{
				{"bot", "PUT", mr, `{"state_event":"close"}`, 200, `"state":"closed"`},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"not_open"`},
				{"bot", "PUT", mr, `{"state_event":"reopen"}`, 200, `"state":"opened"`},
				{"bot", "PUT", mr, `{"state_event":"explode"}`, 400, `{"error":"state_event does not have a valid value"}`},
			},
		},
		{
			name: "deleting the source branch closes", source: "app/services/merge_requests/refresh_service.rb close_upon_missing_source_branch_ref",
			exchanges: []exchange{
				{"bot", "DELETE", base + "/repository/branches/lockkeeper%2Fweb", "", 204, ""},
				{"bot", "GET", mr, "", 200, `"state":"closed"`},
			},
		},
		{
			name: "branches are checked", source: "lib/api/branches.rb",
			exchanges: []exchange{
				{"bot", "POST", base + "/repository/branches", `{"branch":"lockkeeper/web","ref":"main"}`, 400, "Branch already exists"},
				{"bot", "POST", base + "/repository/branches", `{"branch":"x","ref":"nowhere"}`, 400, "Invalid reference name: nowhere"},
				{"bot", "POST", base + "/repository/branches", `{"branch":"a..b","ref":"main"}`, 400, "Branch name is invalid"},
				{"bot", "POST", base + "/repository/branches", `{"branch":"--upload-pack=x","ref":"main"}`, 400, "Branch name is invalid"},
				{"owner", "DELETE", base + "/repository/branches/main", "", 405, "Cannot remove HEAD branch"},
				{"bot", "GET", base + "/repository/branches/none", "", 404, `{"message":"404 Branch Not Found"}`},
			},
		},
		{
			name: "files stay inside of the repository", source: "doc/api/repository_files.md",
			exchanges: []exchange{
				{"bot", "GET", base + "/repository/files/README.md/raw", "", 200, "# GitOps\n"},
				{"bot", "GET", base + "/repository/files/..%2F..%2Fstate.json/raw", "", 404, "404 File Not Found"},
				{"bot", "GET", base + "/repository/files/README.md/raw?ref=--output%3Dx", "", 404, "404 Commit Not Found"},
			},
		},
		{
			name: "notes are checked", source: "doc/api/notes.md",
			exchanges: []exchange{
				{"bot", "POST", mr + "/notes", `{"body":" "}`, 400, "can't be blank"},
				{"bot", "GET", mr + "/notes/99", "", 404, `{"message":"404 Note Not Found"}`},
				{"bot", "GET", base + "/merge_requests/99", "", 404, `{"message":"404 Not Found"}`},
				{"stranger", "POST", mr + "/notes", `{"body":"/promote"}`, 404, "404 Project Not Found"},
			},
		},
		{
			name: "hooks take a Maintainer and a web address, and never show the token", source: "doc/api/project_webhooks.md",
			exchanges: []exchange{
				{"bot", "GET", base + "/hooks", "", 403, "403 Forbidden"},
				{"owner", "POST", base + "/hooks", `{"url":"file:///etc/passwd"}`, 422, "Invalid url given"},
				{"owner", "POST", base + "/hooks", `{"url":"http://127.0.0.1:1/x","token":"s3cret","note_events":true}`, 201, `"token_present":true`},
				{"owner", "GET", base + "/hooks", "", 200, `"push_events":true,"tag_push_events":false,"merge_requests_events":false,"note_events":true`},
				{"bot", "PUT", base + "/hooks/1", `{"note_events":false}`, 403, "403 Forbidden"},
				{"owner", "PUT", base + "/hooks/1", `{"url":"gopher://x"}`, 422, "Invalid url given"},
				{"owner", "PUT", base + "/hooks/1", `{"url":"http://127.0.0.1:1/x","push_events":false,"pipeline_events":true}`, 200, `"push_events":false,"tag_push_events":false,"merge_requests_events":false,"note_events":true,"pipeline_events":true`},
				{"owner", "PUT", base + "/hooks/1", `{"url":"http://127.0.0.1:1/x"}`, 200, `"token_present":true`},
				{"owner", "PUT", base + "/hooks/1", `{"url":"http://127.0.0.1:1/y"}`, 200, `"token_present":false`},
				{"owner", "POST", base + "/hooks/1/test/note_events", "", 201, "201 Created"},
				{"owner", "POST", base + "/hooks/9/test/note_events", "", 404, ""},
				{"owner", "DELETE", base + "/hooks/1", "", 204, ""},
				{"owner", "GET", base + "/hooks/1", "", 404, ""},
			},
		},
		{
			name: "a Maintainer protects a branch, once", source: "doc/api/protected_branches.md",
			exchanges: []exchange{
				{"bot", "POST", base + "/protected_branches", `{"name":"lockkeeper/ledger"}`, 403, "403 Forbidden"},
				{"owner", "POST", base + "/protected_branches", `{"name":"lockkeeper/ledger","push_access_level":30,"merge_access_level":0}`, 201, `"push_access_levels":[{"id":1,"access_level":30`},
				{"owner", "POST", base + "/protected_branches", `{"name":"lockkeeper/ledger"}`, 409, "already exists"},
				{"owner", "DELETE", base + "/protected_branches/lockkeeper%2Fledger", "", 204, ""},
				{"owner", "DELETE", base + "/protected_branches/lockkeeper%2Fledger", "", 404, ""},
			},
		},
		{
			name: "a token tells what it is for and when it ends", source: "doc/api/personal_access_tokens.md",
			prepare: func(t *testing.T, b *bench) {
				if err := b.LimitToken("bot", []string{"read_api"}, time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)); err != nil {
					t.Fatal(err)
				}
			},
			exchanges: []exchange{
				{"bot", "GET", "/api/v4/personal_access_tokens/self", "", 200, `"scopes":["read_api"]`},
				{"bot", "GET", "/api/v4/personal_access_tokens/self", "", 200, `"expires_at":"2027-01-02T`},
				{"owner", "GET", "/api/v4/personal_access_tokens/self", "", 200, `"scopes":["api"]`},
			},
		},
		{
			name: "a thread is resolved by who may", source: "doc/api/discussions.md",
			prepare: func(t *testing.T, b *bench) {
				set(t, b, func(s *devforge.Settings) { s.DiscussionsMustResolve = true })
			},
			exchanges: []exchange{
				{"reader", "POST", mr + "/discussions", `{"body":"why?"}`, 201, `"resolvable":true`},
				{"bot", "PUT", mr + "/discussions/none", `{"resolved":true}`, 404, "404 Discussion Not Found"},
				{"bot", "GET", mr + "/discussions", "", 200, `"individual_note":false`},
				{"reader", "GET", mr + "/notes", "", 200, `"type":"DiscussionNote"`},
			},
		},
		{
			name: "a line that is a quick action is obeyed, with the rights of its author", source: "doc/user/project/quick_actions.md; spec/forge.md §5",
			exchanges: []exchange{
				{"reader", "POST", mr + "/notes", `{"body":"/close"}`, 202, "could not be applied"},
				{"bot", "GET", mr, "", 200, `"state":"opened"`},
				{"bot", "POST", mr + "/notes", `{"body":"Somebody wrote:\n~~~\n/close\n~~~"}`, 201, "/close"},
				{"bot", "GET", mr, "", 200, `"state":"opened"`},
				{"bot", "POST", mr + "/notes", `{"body":"Somebody wrote:\n/close\n"}`, 201, `"body":"Somebody wrote:\n"`},
				{"bot", "GET", mr, "", 200, `"state":"closed"`},
				{"bot", "POST", mr + "/notes", `{"body":"/reopen\n/draft"}`, 202, `"Reopened this merge request."`},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"draft_status"`},
				{"bot", "POST", mr + "/notes", `{"body":"/help"}`, 201, `"body":"/help"`},
				{"owner", "POST", mr + "/notes", `{"body":"/ready\n/merge"}`, 202, "ready"},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"mergeable"`},
				{"owner", "POST", mr + "/notes", `{"body":"/merge","merge_request_diff_head_sha":"{sha}"}`, 202, "Merged"},
				{"bot", "GET", mr, "", 200, `"state":"merged"`},
			},
		},
		{
			name: "so is one in a description, when that is written", source: "doc/user/project/quick_actions.md; app/services/issuable_base_service.rb",
			exchanges: []exchange{
				{"bot", "PUT", mr, `{"description":"Somebody wrote:\n/draft\n  /close"}`, 200, `"description":"Somebody wrote:\n  /close"`},
				{"bot", "GET", mr, "", 200, `"detailed_merge_status":"draft_status"`},
				{"bot", "PUT", mr, `{"description":"/close"}`, 200, `"state":"closed"`},
				{"bot", "POST", base + "/merge_requests", `{"title":"t","source_branch":"lockkeeper/web","target_branch":"main","description":"x\n/close"}`, 201, `"state":"closed"`},
			},
		},
		{
			name: "approving binds to the head", source: "doc/api/merge_request_approvals.md",
			exchanges: []exchange{
				{"owner", "POST", mr + "/approve", `{"sha":"{sha}"}`, 201, `"user_has_approved":true`},
				{"bot", "GET", mr + "/approvals", "", 200, `"username":"owner"`},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			head := b.open(t, "lockkeeper/web").SHA
			if tt.prepare != nil {
				tt.prepare(t, b)
			}
			for i, e := range tt.exchanges {
				replace := strings.NewReplacer("{sha}", head)
				e.path, e.body, e.has = replace.Replace(e.path), replace.Replace(e.body), replace.Replace(e.has)
				status, body, _ := b.raw(t, e)
				if status != e.status || !strings.Contains(body, e.has) {
					t.Errorf("%d: %s %s as %q answers %d %.400s\nwant %d %s (%s)", i, e.method, e.path, e.user, status, body, e.status, e.has, tt.source)
				}
			}
		})
	}
}

func set(t *testing.T, b *bench, edit func(*devforge.Settings)) {
	t.Helper()
	if err := b.Change(projectPath, edit); err != nil {
		t.Fatal(err)
	}
}

func trains(t *testing.T, b *bench) {
	t.Helper()
	set(t, b, func(s *devforge.Settings) { s.MergedResults, s.MergeTrains = true, true })
}

func mustPass(t *testing.T, b *bench) {
	t.Helper()
	set(t, b, func(s *devforge.Settings) { s.PipelineMustSucceed = true })
}

func TestAnswersHaveAnETag(t *testing.T) {
	b := newBench(t)
	_, body, header := b.raw(t, exchange{user: "bot", method: "GET", path: base})
	tag := header.Get("ETag")
	if !strings.HasPrefix(tag, `W/"`) || !json.Valid([]byte(body)) {
		t.Fatalf("ETag %q of %s", tag, body)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+base, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer bot-token")
	request.Header.Set("If-None-Match", tag)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusNotModified {
		t.Errorf("status %d, want 304", answer.StatusCode)
	}
}
