package main

import (
	"bytes"
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
	return a.exchange(request)
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
	if a.bed.github {
		a.hub(http.MethodPut, fmt.Sprintf("pulls/%d/merge", change.Number), map[string]any{"sha": change.Head}, nil)
		return
	}
	a.do(http.MethodPut, fmt.Sprintf("merge_requests/%d/merge", change.Number), url.Values{
		"sha": {string(change.Head)}, "should_remove_source_branch": {"true"},
	})
}

// approve approves a change on the forge itself.
func (a *actor) approve(number int) {
	a.bed.t.Helper()
	if a.bed.github {
		a.hub(http.MethodPost, fmt.Sprintf("pulls/%d/reviews", number), map[string]any{"event": "APPROVE"}, nil)
		return
	}
	a.do(http.MethodPost, fmt.Sprintf("merge_requests/%d/approve", number), nil)
}

// shut closes a change without merging it.
func (a *actor) shut(number int) {
	a.bed.t.Helper()
	if a.bed.github {
		a.hub(http.MethodPatch, fmt.Sprintf("pulls/%d", number), map[string]any{"state": "closed"}, nil)
		return
	}
	a.set(number, "state_event", "close")
}

func (a *actor) set(number int, key, value string) {
	a.bed.t.Helper()
	a.do(http.MethodPut, fmt.Sprintf("merge_requests/%d", number), url.Values{key: {value}})
}

// comment writes on a change and returns the event that tells of it.
func (a *actor) comment(number int, body string) promote.Event {
	a.bed.t.Helper()
	var added struct{ ID int }
	if a.bed.github {
		a.hub(http.MethodPost, fmt.Sprintf("issues/%d/comments", number), map[string]any{"body": body}, &added)
	} else {
		answer := a.do(http.MethodPost, fmt.Sprintf("merge_requests/%d/notes", number), url.Values{"body": {body}})
		if err := json.Unmarshal(answer, &added); err != nil {
			a.bed.t.Fatal(err)
		}
	}
	return promote.Event{Kind: promote.EventComment, Change: number, Comment: promote.Comment{
		ID: added.ID, Change: number, AuthorID: a.id, Author: a.name, Body: body, At: time.Now().UTC().Truncate(time.Second),
	}}
}

// open opens a merge request and returns its number.
func (a *actor) open(source, target, title string) int {
	a.bed.t.Helper()
	var opened struct {
		IID    int `json:"iid"`
		Number int `json:"number"`
	}
	if a.bed.github {
		a.hub(http.MethodPost, "pulls", map[string]any{"head": source, "base": target, "title": title}, &opened)
		return opened.Number
	}
	answer := a.do(http.MethodPost, "merge_requests", url.Values{
		"source_branch": {source}, "target_branch": {target}, "title": {title},
	})
	if err := json.Unmarshal(answer, &opened); err != nil {
		a.bed.t.Fatal(err)
	}
	return opened.IID
}

// hub makes one request to GitHub's API of the repository, which must work.
func (a *actor) hub(method, path string, body, into any) {
	a.bed.t.Helper()
	status, answer := a.tryHub(method, path, body)
	if status >= 300 {
		a.bed.t.Fatalf("%s %s as %s: HTTP %d: %s", method, path, a.name, status, answer)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(answer, into); err != nil {
		a.bed.t.Fatalf("%s %s: %v", method, path, err)
	}
}

func (a *actor) tryHub(method, path string, body any) (int, []byte) {
	a.bed.t.Helper()
	var sent io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			a.bed.t.Fatal(err)
		}
		sent = bytes.NewReader(data)
	}
	return a.asHub(method, "/api/v3/repos/"+worldProject+"/"+path, sent)
}

// graph sends one GraphQL request, which must work.
func (a *actor) graph(body, into any) {
	a.bed.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		a.bed.t.Fatal(err)
	}
	status, answer := a.asHub(http.MethodPost, "/api/graphql", bytes.NewReader(data))
	if err := json.Unmarshal(answer, into); status >= 300 || err != nil {
		a.bed.t.Fatalf("GraphQL as %s: HTTP %d: %s", a.name, status, answer)
	}
}

// asHub sends a request as GitHub wants it.
func (a *actor) asHub(method, path string, sent io.Reader) (int, []byte) {
	a.bed.t.Helper()
	request, err := http.NewRequestWithContext(a.bed.t.Context(), method, a.bed.forgeURL+path, sent)
	if err != nil {
		a.bed.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	request.Header.Set("Accept", "application/vnd.github+json")
	if sent != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return a.exchange(request)
}

func (a *actor) exchange(request *http.Request) (int, []byte) {
	a.bed.t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		a.bed.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		a.bed.t.Fatal(err)
	}
	return response.StatusCode, answer
}
