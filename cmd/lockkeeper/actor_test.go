package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

// actor is a person who uses the forge's API.
type actor struct {
	bed   *bed
	name  string
	id    int
	token string
}

// actor makes an account with an access level, 0 for none.
func (b *bed) actor(name string, level int) *actor {
	b.t.Helper()
	token := personToken
	if name != worldPerson {
		token = "token-of-" + name
	}
	user := b.forge.CreateUser(name, token)
	if err := b.forge.AddMember(worldProject, name, level); err != nil {
		b.t.Fatal(err)
	}
	return &actor{bed: b, name: name, id: user.ID, token: token}
}

// send makes one request to the API of the project and returns status and answer.
func (a *actor) send(method, path string, form url.Values) (int, []byte) {
	a.bed.t.Helper()
	target := a.bed.forgeURL + "/api/v4/projects/" + url.PathEscape(worldProject) + "/" + path
	request, err := http.NewRequestWithContext(a.bed.t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		a.bed.t.Fatal(err)
	}
	request.Header.Set("Private-Token", a.token)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		a.bed.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		a.bed.t.Fatal(err)
	}
	return response.StatusCode, body
}

// do is send for what must work.
func (a *actor) do(method, path string, form url.Values) []byte {
	a.bed.t.Helper()
	status, body := a.send(method, path, form)
	if status >= 300 {
		a.bed.t.Fatalf("%s %s %s as %s: HTTP %d: %s", method, path, form.Encode(), a.name, status, body)
	}
	return body
}

func (a *actor) read(path string, into any) {
	a.bed.t.Helper()
	if err := json.Unmarshal(a.do(http.MethodGet, path, nil), into); err != nil {
		a.bed.t.Fatalf("GET %s: %v", path, err)
	}
}

// merge merges a change at the head that was seen, as the page's button does.
func (a *actor) merge(change promote.Change) {
	a.bed.t.Helper()
	a.do(http.MethodPut, fmt.Sprintf("merge_requests/%d/merge", change.Number), url.Values{
		"sha": {string(change.Head)}, "should_remove_source_branch": {"true"},
	})
}

func (a *actor) set(number int, key, value string) {
	a.bed.t.Helper()
	a.do(http.MethodPut, fmt.Sprintf("merge_requests/%d", number), url.Values{key: {value}})
}

// comment writes on a change and returns the event that tells of it.
func (a *actor) comment(number int, body string) promote.Event {
	a.bed.t.Helper()
	var added struct{ ID int }
	answer := a.do(http.MethodPost, fmt.Sprintf("merge_requests/%d/notes", number), url.Values{"body": {body}})
	if err := json.Unmarshal(answer, &added); err != nil {
		a.bed.t.Fatal(err)
	}
	return promote.Event{Kind: promote.EventComment, Change: number, Comment: promote.Comment{
		ID: added.ID, Change: number, AuthorID: a.id, Author: a.name, Body: body, At: time.Now().UTC().Truncate(time.Second),
	}}
}

// open opens a merge request and returns its number.
func (a *actor) open(source, target, title string) int {
	a.bed.t.Helper()
	var opened struct {
		IID int `json:"iid"`
	}
	answer := a.do(http.MethodPost, "merge_requests", url.Values{
		"source_branch": {source}, "target_branch": {target}, "title": {title},
	})
	if err := json.Unmarshal(answer, &opened); err != nil {
		a.bed.t.Fatal(err)
	}
	return opened.IID
}
