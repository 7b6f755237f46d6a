package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

const maxThreadPages = 10

const threadsQuery = `
query Threads($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { id isResolved resolvedBy { login } comments(first: 1) { nodes { body viewerDidAuthor } } }
      }
    }
  }
}`

const resolveMutation = `
mutation Resolve($id: ID!) {
  resolveReviewThread(input: {threadId: $id}) { thread { isResolved } }
}`

const unresolveMutation = `
mutation Unresolve($id: ID!) {
  unresolveReviewThread(input: {threadId: $id}) { thread { isResolved } }
}`

// threadPage is what a change says of its threads, as far as it is asked.
type threadPage struct {
	PageInfo struct {
		HasNextPage bool   `json:"hasNextPage"`
		EndCursor   string `json:"endCursor"`
	} `json:"pageInfo"`
	Nodes []struct {
		ID         string `json:"id"`
		IsResolved bool   `json:"isResolved"`
		ResolvedBy *actor `json:"resolvedBy"`
		Comments   struct {
			Nodes []struct {
				Body string `json:"body"`
				Own  bool   `json:"viewerDidAuthor"`
			} `json:"nodes"`
		} `json:"comments"`
	} `json:"nodes"`
}

// open reports whether one of them is not resolved.
func (p threadPage) open() bool {
	for _, n := range p.Nodes {
		if !n.IsResolved {
			return true
		}
	}
	return false
}

// OwnThreads returns the threads in files that we began. An App is nobody whom GitHub could name as who resolved one.
func (f *Forge) OwnThreads(ctx context.Context, number int) ([]promote.OwnThread, error) {
	var own []promote.OwnThread
	after := any(nil)
	for range maxThreadPages {
		var answer struct {
			Repository *struct {
				PullRequest *struct {
					ReviewThreads threadPage `json:"reviewThreads"`
				} `json:"pullRequest"`
			} `json:"repository"`
		}
		asked := query{
			name: "list threads", subject: "of change " + strconv.Itoa(number), text: threadsQuery,
			variables: f.variables(map[string]any{"number": number, "after": after}),
		}
		if err := f.graphql(ctx, asked, &answer); err != nil {
			return nil, err
		}
		if answer.Repository == nil || answer.Repository.PullRequest == nil {
			return nil, f.notFound(asked, "there is no such pull request")
		}
		page := answer.Repository.PullRequest.ReviewThreads
		more, err := f.ownThreads(ctx, page)
		if err != nil {
			return nil, err
		}
		own = append(own, more...)
		if !page.PageInfo.HasNextPage || page.PageInfo.EndCursor == "" {
			return own, nil
		}
		after = page.PageInfo.EndCursor
	}
	return nil, fmt.Errorf("github: list threads of change %d: more than %d pages of 100: %w", number, maxThreadPages, promote.ErrInvalid)
}

func (f *Forge) ownThreads(ctx context.Context, page threadPage) ([]promote.OwnThread, error) {
	var own []promote.OwnThread
	for _, n := range page.Nodes {
		if n.ID == "" || len(n.Comments.Nodes) == 0 || !n.Comments.Nodes[0].Own {
			continue
		}
		thread := promote.OwnThread{ID: promote.Thread(n.ID), Body: n.Comments.Nodes[0].Body, Resolved: n.IsResolved, Ours: n.IsResolved}
		if n.IsResolved && n.ResolvedBy != nil {
			self, err := f.me(ctx)
			if err != nil {
				return nil, err
			}
			thread.Ours = n.ResolvedBy.Login == self.Login
		}
		own = append(own, thread)
	}
	return own, nil
}

// OpenThreads begins a thread at each place. GitHub takes lines that the diff shows, and files that are in it.
func (f *Forge) OpenThreads(ctx context.Context, number int, head promote.Commit, drafts []promote.ThreadDraft) error {
	for _, draft := range drafts {
		err := f.openThread(ctx, number, head, draft)
		if errors.Is(err, promote.ErrInvalid) && draft.Line > 0 {
			draft.Line = 0
			err = f.openThread(ctx, number, head, draft)
		}
		if err != nil && !errors.Is(err, promote.ErrInvalid) {
			return err
		}
	}
	return nil
}

func (f *Forge) openThread(ctx context.Context, number int, head promote.Commit, draft promote.ThreadDraft) error {
	body := markdown(draft.Body)
	sent := map[string]any{"body": body, "commit_id": string(head), "path": draft.Path, "subject_type": "file"}
	if draft.Line > 0 {
		sent["subject_type"], sent["line"], sent["side"] = "line", draft.Line, "RIGHT"
	}
	started := f.now()
	_, err := f.send(ctx, request{
		name:     "open thread",
		subject:  "on change " + strconv.Itoa(number),
		method:   http.MethodPost,
		path:     f.changePath(number) + "/comments",
		body:     sent,
		priority: commentPriority,
	}, nil)
	if !forge.InDoubt(ctx, err) {
		return err
	}
	since := started.Add(-forge.ClockSlack)
	recent, lookup := f.remarks(ctx, number, url.Values{"since": {since.UTC().Format(time.RFC3339)}})
	if lookup != nil {
		return err
	}
	for _, found := range recent {
		if found.Own && !found.CreatedAt.Before(since) && sameText(found.Body, body) {
			return nil
		}
	}
	return err
}

// Resolve resolves a thread, or takes that back. It is the same twice as once: in doubt it is sent once more.
func (f *Forge) Resolve(ctx context.Context, number int, thread promote.Thread, resolved bool) error {
	asked := query{
		name: "resolve thread", subject: "of change " + strconv.Itoa(number), text: resolveMutation, writes: true,
		variables: map[string]any{"id": string(thread)},
	}
	if !resolved {
		asked.name, asked.text = "unresolve thread", unresolveMutation
	}
	var ignored struct{}
	err := f.graphql(ctx, asked, &ignored)
	if wait, again := forge.Reread(err, 0); again && forge.InDoubt(ctx, err) && f.pause(ctx, wait) == nil {
		err = f.graphql(ctx, asked, &ignored)
	}
	return err
}
