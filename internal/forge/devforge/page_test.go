package devforge_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

const requestPage = "/" + projectPath + "/-/merge_requests/1"

// visit asks for a page, or sends a form when form is not nil, as a browser on the page itself would. It does not follow.
func (b *bench) visit(t *testing.T, path string, form url.Values, edit ...func(*http.Request)) (int, string, http.Header) {
	t.Helper()
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	request, err := http.NewRequestWithContext(t.Context(), method, b.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for _, change := range edit {
		change(request)
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(content), answer.Header
}

func (b *bench) state(t *testing.T) *gitlab.MergeRequest {
	t.Helper()
	m, _, err := b.as(t, "bot").MergeRequests.GetMergeRequest(projectPath, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAPersonReadsAndMerges(t *testing.T) {
	b := newBench(t)
	mustPass(t, b)
	m := b.open(t, "lockkeeper/web/dev")
	if _, _, err := b.as(t, "bot").MergeRequests.UpdateMergeRequest(projectPath, 1, &gitlab.UpdateMergeRequestOptions{
		Description: new("| gate | verdict |\n|---|---|\n| renders | ok |\n\n<details><summary>web</summary>\n\n```diff\n-1.0.1\n+1.0.2\n```\n\n</details>\n<script>alert(1)</script>"),
	}); err != nil {
		t.Fatal(err)
	}
	shows := func(what string, wanted ...string) {
		t.Helper()
		status, page, header := b.visit(t, requestPage, nil)
		if status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: status %d, header %v", what, status, header)
		}
		for _, want := range wanted {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page has no %q", what, want)
			}
		}
		if strings.Contains(page, "<script>") || strings.Contains(page, "gitlab-token") {
			t.Errorf("%s: the page has a script of its author", what)
		}
	}
	shows("before the gates", "Promote web to 1.0.2", `<span class="badge opened">opened</span>`, "lockkeeper/web/dev", "<td>renders</td>",
		`<span class="add">+1.0.2</span>`, "&lt;script&gt;", `disabled title="The commit statuses must succeed first."`, "apps/web/dev.yaml")

	status, page, _ := b.visit(t, requestPage+"/merge", url.Values{"sha": {m.SHA}})
	if status != http.StatusMethodNotAllowed || !strings.Contains(page, `role="alert">405 Method Not Allowed. The commit statuses must succeed first.`) {
		t.Errorf("merging too early answers %d", status)
	}
	status, _, header := b.visit(t, requestPage+"/notes", url.Values{"body": {"/help\r\nplease"}})
	if status != http.StatusSeeOther || header.Get("Location") != requestPage {
		t.Errorf("commenting answers %d to %q", status, header.Get("Location"))
	}
	notes, _, err := b.as(t, "bot").Notes.ListMergeRequestNotes(projectPath, 1, nil)
	if err != nil || notes[0].Body != "/help\nplease" || notes[0].Author.Username != "you" {
		t.Errorf("notes %v, %v", notes, err)
	}
	if _, _, err := b.as(t, "bot").AwardEmoji.CreateMergeRequestAwardEmojiOnNote(projectPath, 1, notes[0].ID, &gitlab.CreateAwardEmojiOptions{Name: "eyes"}); err != nil {
		t.Fatal(err)
	}
	setStatus(t, b, m.SHA, gitlab.Success)
	shows("after the gates", `<span class="dot success"`, "👀 1", "Ready to merge", "Maintainer")

	if status, _, _ := b.visit(t, requestPage+"/merge", url.Values{"sha": {strings.Repeat("0", 40)}}); status != http.StatusConflict {
		t.Errorf("merging another head answers %d", status)
	}
	if status, _, _ := b.visit(t, requestPage+"/merge", url.Values{"sha": {m.SHA}, "remove_source": {"1"}}); status != http.StatusSeeOther {
		t.Errorf("merging answers %d", status)
	}
	if got := b.state(t); got.State != "merged" || got.MergedBy.Username != "you" {
		t.Errorf("merged %+v", got)
	}
	shows("after the merge", "Merged", "by you at", "merged")
	if status, page, _ := b.visit(t, "/"+projectPath, nil); status != http.StatusOK || !strings.Contains(page, `class="badge merged"`) || strings.Contains(page, "/-/commits/lockkeeper") {
		t.Errorf("the project's page answers %d\n%s", status, page)
	}
	for _, path := range []string{"/", "/" + projectPath + "/-/commit/" + m.SHA, "/" + projectPath + "/-/commits/main", "/-/assets/style.css", "/-/assets/live.js"} {
		if status, _, _ := b.visit(t, path, nil); status != http.StatusOK {
			t.Errorf("%s answers %d", path, status)
		}
	}
}

func TestAPersonClosesAndReopens(t *testing.T) {
	b := newBench(t)
	b.open(t, "lockkeeper/web")
	for _, step := range []struct{ form, want string }{{"close", "closed"}, {"close", "closed"}, {"reopen", "opened"}} {
		if status, _, _ := b.visit(t, requestPage+"/"+step.form, url.Values{}); status != http.StatusSeeOther {
			t.Errorf("%s answers %d", step.form, status)
		}
		if got := b.state(t).State; got != step.want {
			t.Errorf("after %s it is %s", step.form, got)
		}
	}
}

func TestPagesRefuseStrangers(t *testing.T) {
	b := newBench(t)
	m := b.open(t, "lockkeeper/web")
	merge := url.Values{"sha": {m.SHA}}
	for _, tt := range []struct {
		name, path string
		form       url.Values
		edit       func(*http.Request)
		want       int
	}{
		{"a form on another site", requestPage + "/merge", merge, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		{"a form with another origin, from an old browser", requestPage + "/merge", merge, func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "http://evil.example")
		}, 403},
		{"another name that leads here", requestPage, nil, func(r *http.Request) { r.Host = "evil.example" }, 421},
		{"a project that is not there", "/no/such", nil, nil, 404},
		{"a merge request that is not there", "/" + projectPath + "/-/merge_requests/9", nil, nil, 404},
		{"a form that is not there", requestPage + "/explode", url.Values{}, nil, 404},
		{"a template is no asset", "/-/assets/request.html", nil, nil, 404},
		{"a path that climbs", "/-/assets/..%2Fpage.go", nil, nil, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			edit := tt.edit
			if edit == nil {
				edit = func(*http.Request) {}
			}
			if status, page, _ := b.visit(t, tt.path, tt.form, edit); status != tt.want {
				t.Errorf("status %d, want %d: %.200s", status, tt.want, page)
			}
		})
	}
	if got := b.state(t).State; got != "opened" {
		t.Errorf("the merge request is %s", got)
	}
}

func TestPagesAreReadOnlyWithoutAPerson(t *testing.T) {
	b := newBench(t, func(c *devforge.Config) { c.Person = "" })
	b.open(t, "lockkeeper/web")
	if _, page, _ := b.visit(t, requestPage, nil); strings.Contains(page, "<form") {
		t.Error("the page has a form")
	}
	if status, _, _ := b.visit(t, requestPage+"/close", url.Values{}); status != http.StatusForbidden {
		t.Errorf("closing answers %d", status)
	}
}

func TestPagesTellWhenTheyChange(t *testing.T) {
	b := newBench(t)
	b.open(t, "lockkeeper/web")
	_, _, header := b.visit(t, requestPage, nil)
	known := func(r *http.Request) { r.Header.Set("If-None-Match", header.Get("ETag")) }
	if status, _, _ := b.visit(t, requestPage, nil, known); status != http.StatusNotModified {
		t.Errorf("an unchanged page answers %d", status)
	}
	b.say(t, "bot", "news")
	if status, _, _ := b.visit(t, requestPage, nil, known); status != http.StatusOK {
		t.Errorf("a changed page answers %d", status)
	}
}
