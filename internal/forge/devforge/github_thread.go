package devforge

import (
	"fmt"
	"strings"
	"time"
)

// threads are the review comments by thread, in order of their first.
func (m *mergeRequest) threads() [][]*reviewComment {
	var all [][]*reviewComment
	place := map[int]int{}
	for _, one := range m.GitHub.Comments {
		first := one.Root
		if first == 0 {
			first = one.ID
		}
		i, known := place[first]
		if !known {
			place[first] = len(all)
			all = append(all, []*reviewComment{one})
			continue
		}
		all[i] = append(all[i], one)
	}
	return all
}

func (c *githubCall) graphThreads(m *mergeRequest) []object {
	nodes := []object{}
	for _, thread := range m.threads() {
		nodes = append(nodes, c.graphThread(thread))
	}
	return nodes
}

// graphThread shows a thread. Who resolved it is a User in the schema, which an App is not.
func (c *githubCall) graphThread(thread []*reviewComment) object {
	first := thread[0]
	comments := []object{}
	for _, one := range thread {
		comments = append(comments, object{
			"__typename": "PullRequestReviewComment", "id": nodeID("PRRC", one.ID), "databaseId": one.ID, "body": one.Body,
			"author": c.graphActor(one.Author), "viewerDidAuthor": one.Author == c.user.ID, "createdAt": stamp(one.CreatedAt), "path": one.Path,
		})
	}
	shown := object{
		"__typename": "PullRequestReviewThread", "id": nodeID("PRRT", first.ID), "isResolved": first.Resolved, "path": first.Path, "line": nil,
		"subjectType": "FILE", "resolvedBy": nil, "comments": connection("comments", "PullRequestReviewComment", comments),
	}
	if first.Line != 0 {
		shown["line"], shown["subjectType"] = first.Line, "LINE"
	}
	if by := c.graphActor(first.ResolvedBy); first.Resolved && by != nil && by["__typename"] == "User" {
		shown["resolvedBy"] = by
	}
	return shown
}

// resolveThread is for the pull request's author and for who may write (GraphQL, viewerCanResolve).
func (c *githubCall) resolveThread(args arguments, resolved bool) (any, error) {
	in := args.input()
	number, ok := nodeNumber("PRRT", in.text("threadId"))
	name := map[bool]string{true: "ResolveReviewThread", false: "UnresolveReviewThread"}[resolved]
	for _, p := range c.forge.tables.Projects {
		for _, m := range p.Requests {
			first := m.reviewComment(number)
			if !ok || first == nil || first.Root != 0 {
				continue
			}
			if err := c.sees(p, "pull_requests:write"); err != nil {
				return nil, err
			}
			if c.token == nil && p.level(c.user) < AccessDeveloper && m.Author != c.user.ID {
				return nil, &graphError{Type: "FORBIDDEN", Message: fmt.Sprintf("%s does not have the correct permissions to execute `%s`", c.user.Name, name)}
			}
			first.Resolved, first.ResolvedBy, first.ResolvedAt = resolved, c.user.ID, c.forge.now()
			if !resolved {
				first.ResolvedBy, first.ResolvedAt = 0, time.Time{}
			}
			c.forge.wrote()
			for _, thread := range m.threads() {
				if thread[0] == first {
					return object{"__typename": name + "Payload", "clientMutationId": in["clientMutationId"], "thread": c.graphThread(thread)}, nil
				}
			}
		}
	}
	return nil, &graphError{Type: "NOT_FOUND", Message: "Could not resolve to a node with the global id of '" + strings.TrimSpace(in.text("threadId")) + "'"}
}
