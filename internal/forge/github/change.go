package github

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	recentChanges  = 20
	maxChangePages = 10
)

// changeFields are what is read of a pull request over GraphQL. REST does not say who closed it, nor that it is in a merge queue.
const changeFields = `
fragment change on PullRequest {
  id number url state isDraft isCrossRepository title body headRefName headRefOid baseRefName updatedAt
  mergeable mergeStateStatus reviewDecision isMergeQueueEnabled
  autoMergeRequest { enabledAt }
  mergeQueueEntry { state position }
  statusCheckRollup { state }
  author { __typename login }
  mergedBy { __typename login }
  mergeCommit { oid }
  labels(first: 50) { nodes { name } }
  reviewThreads(last: 30) { nodes { isResolved } }
}`

const openChangesQuery = `
query OpenChanges($owner: String!, $name: String!, $label: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequests(first: 100, after: $after, states: OPEN, labels: [$label], orderBy: {field: CREATED_AT, direction: DESC}) {
      pageInfo { hasNextPage endCursor }
      nodes { ...change }
    }
  }
}` + changeFields

const changeQuery = `
query Change($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      ...change
      timelineItems(last: 1, itemTypes: [CLOSED_EVENT]) { nodes { __typename ... on ClosedEvent { actor { __typename login } } } }
    }
  }
}` + changeFields

const reviewsQuery = `
query Reviews($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      headRefOid
      latestOpinionatedReviews(first: 100, writersOnly: true) { nodes { state commit { oid } author { __typename login } } }
    }
  }
}`

// variables are those of every query about the repository, and more.
func (f *Forge) variables(more map[string]any) map[string]any {
	out := map[string]any{"owner": f.owner, "name": f.name}
	maps.Copy(out, more)
	return out
}

// OpenChanges returns the open changes that carry promote.ChangeLabel, newest first. Up to 100 of them take one request.
func (f *Forge) OpenChanges(ctx context.Context) ([]promote.Change, error) {
	var all []promote.Change
	after := any(nil)
	for range maxChangePages {
		var answer struct {
			Repository *struct {
				PullRequests struct {
					PageInfo struct {
						HasNextPage bool   `json:"hasNextPage"`
						EndCursor   string `json:"endCursor"`
					} `json:"pageInfo"`
					Nodes []node `json:"nodes"`
				} `json:"pullRequests"`
			} `json:"repository"`
		}
		asked := query{
			name: "list open changes", text: openChangesQuery, variables: f.variables(map[string]any{"label": promote.ChangeLabel, "after": after}),
		}
		if err := f.graphql(ctx, asked, &answer); err != nil {
			return nil, err
		}
		if answer.Repository == nil {
			return nil, f.notFound(asked, "there is no such repository")
		}
		found := answer.Repository.PullRequests
		for _, n := range found.Nodes {
			all = append(all, f.restored(n.change()))
		}
		if !found.PageInfo.HasNextPage || found.PageInfo.EndCursor == "" {
			return all, nil
		}
		after = found.PageInfo.EndCursor
	}
	return nil, fmt.Errorf("github: list open changes: more than %d pages of 100; close some, this many cannot be handled", maxChangePages)
}

// ChangesFrom returns the 20 newest changes from branch of this repository, in any state, newest first, by one request. They do
// not say who closed them, nor whether they can be merged: see Change.
func (f *Forge) ChangesFrom(ctx context.Context, branch promote.Branch) ([]promote.Change, error) {
	found, err := f.changesFrom(ctx, branch, "all", "")
	var out []promote.Change
	for _, pull := range found {
		out = append(out, f.restored(pull.change()))
	}
	return out, err
}

func (f *Forge) changesFrom(ctx context.Context, branch promote.Branch, state string, target promote.Branch) ([]pull, error) {
	asked := url.Values{
		"state": {state}, "head": {f.owner + ":" + string(branch)}, "sort": {"created"}, "direction": {"desc"}, "per_page": {strconv.Itoa(recentChanges)},
	}
	if target != "" {
		asked.Set("base", string(target))
	}
	var found []pull
	_, err := f.get(ctx, request{name: "list changes", subject: "from " + strconv.Quote(string(branch)), path: f.base + "/pulls", query: asked}, &found)
	return found, err
}

// Change returns one change. The error wraps promote.ErrNotFound when there is none of that number.
func (f *Forge) Change(ctx context.Context, number int) (promote.Change, error) {
	var answer struct {
		Repository struct {
			PullRequest *node `json:"pullRequest"`
		} `json:"repository"`
	}
	asked := query{
		name: "read change", subject: strconv.Itoa(number), text: changeQuery, variables: f.variables(map[string]any{"number": number}),
	}
	if err := f.graphql(ctx, asked, &answer); err != nil {
		return promote.Change{}, err
	}
	if answer.Repository.PullRequest == nil {
		return promote.Change{}, f.notFound(asked, noSuchChange)
	}
	return f.restored(answer.Repository.PullRequest.change()), nil
}

const noSuchChange = "there is no such change"

// notFound is an answer that holds nothing where something was asked for.
func (f *Forge) notFound(asked query, message string) error {
	return &promote.APIError{
		Service: service, Operation: request{name: asked.name, subject: asked.subject}.String(), Status: http.StatusNotFound, Message: message,
		Remedy: fmt.Sprintf("check that %s exists and that the credentials may see it", f.subject),
	}
}

// Approvals returns the approvals of a change that were given on GitHub itself, by who may write to the repository, and whose last word
// is an approval that nobody dismissed. GitHub keeps those of what was there before, unless it is told to dismiss them: each names the
// commit that it was given to. Anybody may approve a change of a public repository; that counts for nothing.
func (f *Forge) Approvals(ctx context.Context, number int) (promote.ChangeApprovals, error) {
	var answer struct {
		Repository struct {
			PullRequest *struct {
				Head    string `json:"headRefOid"`
				Reviews struct {
					Nodes []struct {
						State  string `json:"state"`
						Commit struct {
							OID string `json:"oid"`
						} `json:"commit"`
						Author *actor `json:"author"`
					} `json:"nodes"`
				} `json:"latestOpinionatedReviews"`
			} `json:"pullRequest"`
		} `json:"repository"`
	}
	asked := query{
		name: "read approvals", subject: strconv.Itoa(number), text: reviewsQuery, variables: f.variables(map[string]any{"number": number}),
	}
	if err := f.graphql(ctx, asked, &answer); err != nil {
		return promote.ChangeApprovals{}, err
	}
	if answer.Repository.PullRequest == nil {
		return promote.ChangeApprovals{}, f.notFound(asked, noSuchChange)
	}
	shown := answer.Repository.PullRequest
	given := promote.ChangeApprovals{Head: promote.Commit(shown.Head)}
	for _, review := range shown.Reviews.Nodes {
		if name := review.Author.name(); review.State == "APPROVED" && name != "" {
			given.Given = append(given.Given, promote.ChangeApproval{By: name, Head: promote.Commit(review.Commit.OID)})
		}
	}
	return given, nil
}

// An actor is an account in GraphQL, where the logins of Apps lack the "[bot]" that they have everywhere else.
type actor struct {
	Typename string `json:"__typename"`
	Login    string `json:"login"`
}

func (a *actor) name() string {
	switch {
	case a == nil:
		return "" // The account is gone.
	case a.Typename == "Bot":
		return a.Login + "[bot]"
	}
	return a.Login
}

// A node is what we read of a pull request over GraphQL.
type node struct {
	ID                string `json:"id"`
	Number            int    `json:"number"`
	URL               string `json:"url"`
	State             string `json:"state"`
	IsDraft           bool   `json:"isDraft"`
	IsCrossRepository bool   `json:"isCrossRepository"`
	Title             string `json:"title"`
	Body              string `json:"body"`
	HeadRefName       string `json:"headRefName"`
	HeadRefOid        string `json:"headRefOid"`
	BaseRefName       string `json:"baseRefName"`
	UpdatedAt         stamp  `json:"updatedAt"`
	Mergeable         string `json:"mergeable"`
	MergeStateStatus  string `json:"mergeStateStatus"`
	ReviewDecision    string `json:"reviewDecision"`
	HasMergeQueue     bool   `json:"isMergeQueueEnabled"`
	AutoMergeRequest  *struct {
		EnabledAt stamp `json:"enabledAt"`
	} `json:"autoMergeRequest"`
	MergeQueueEntry *struct {
		State string `json:"state"`
	} `json:"mergeQueueEntry"`
	StatusCheckRollup *struct {
		State string `json:"state"`
	} `json:"statusCheckRollup"`
	Author      *actor `json:"author"`
	MergedBy    *actor `json:"mergedBy"`
	MergeCommit *struct {
		Oid string `json:"oid"`
	} `json:"mergeCommit"`
	Labels struct {
		Nodes []struct {
			Name string `json:"name"`
		} `json:"nodes"`
	} `json:"labels"`
	ReviewThreads threadPage `json:"reviewThreads"`
	TimelineItems struct {
		Nodes []struct {
			Actor *actor `json:"actor"`
		} `json:"nodes"`
	} `json:"timelineItems"`
}

func (n node) mergeFacts() mergeFacts {
	facts := mergeFacts{
		open: n.State == "OPEN", draft: n.IsDraft, state: n.MergeStateStatus, mergeable: n.Mergeable, review: n.ReviewDecision,
		queue: n.HasMergeQueue, queued: n.MergeQueueEntry != nil, auto: n.AutoMergeRequest != nil,
	}
	if n.StatusCheckRollup != nil {
		facts.checks = n.StatusCheckRollup.State
	}
	return facts
}

func (n node) change() promote.Change {
	change := promote.Change{
		Number:       n.Number,
		URL:          n.URL,
		Branch:       promote.Branch(n.HeadRefName),
		Target:       promote.Branch(n.BaseRefName),
		Head:         promote.Commit(n.HeadRefOid),
		Fork:         n.IsCrossRepository,
		Title:        n.Title,
		Description:  n.Body,
		Author:       n.Author.name(),
		UpdatedAt:    n.UpdatedAt.Time,
		Unresolved:   n.ReviewThreads.open(),
		Mergeability: mergeability(n.mergeFacts()),
	}
	for _, label := range n.Labels.Nodes {
		change.Labels = append(change.Labels, label.Name)
	}
	change.Draft = n.IsDraft || slices.Contains(change.Labels, promote.DraftLabel)
	switch n.State {
	case "MERGED":
		change.State = promote.ChangeMerged
		change.MergedBy = n.MergedBy.name()
		if n.MergeCommit != nil {
			change.Merged = promote.Commit(n.MergeCommit.Oid)
		}
	case "CLOSED":
		change.State = promote.ChangeClosed
		if closed := n.TimelineItems.Nodes; len(closed) > 0 {
			change.ClosedBy = closed[len(closed)-1].Actor.name()
		}
	}
	return change
}

// A pull is what we read of a pull request over REST.
type pull struct {
	ID             string     `json:"node_id"`
	Number         int        `json:"number"`
	HTMLURL        string     `json:"html_url"`
	State          string     `json:"state"`
	Title          string     `json:"title"`
	Body           string     `json:"body"`
	Draft          bool       `json:"draft"`
	Labels         []label    `json:"labels"`
	User           *user      `json:"user"`
	Head           side       `json:"head"`
	Base           side       `json:"base"`
	MergedAt       *time.Time `json:"merged_at"`
	MergeCommitSHA string     `json:"merge_commit_sha"`
	MergedBy       *user      `json:"merged_by"`
	MergeableState string     `json:"mergeable_state"`
	AutoMerge      *struct{}  `json:"auto_merge"`
	UpdatedAt      stamp      `json:"updated_at"`
}

type label struct {
	Name string `json:"name"`
}

// A side is one of the two branches of a pull request. The repository is null when a fork is gone.
type side struct {
	Ref  string `json:"ref"`
	SHA  string `json:"sha"`
	Repo *struct {
		ID int64 `json:"id"`
	} `json:"repo"`
}

func (p pull) fork() bool {
	return p.Head.Repo == nil || p.Base.Repo == nil || p.Head.Repo.ID != p.Base.Repo.ID
}

func (p pull) change() promote.Change {
	change := promote.Change{
		Number:      p.Number,
		URL:         p.HTMLURL,
		Branch:      promote.Branch(p.Head.Ref),
		Target:      promote.Branch(p.Base.Ref),
		Head:        promote.Commit(p.Head.SHA),
		Fork:        p.fork(),
		Title:       p.Title,
		Description: p.Body,
		Author:      p.User.name(),
		UpdatedAt:   p.UpdatedAt.Time,
		Mergeability: mergeability(mergeFacts{
			open: p.State == "open", draft: p.Draft, state: p.MergeableState, auto: p.AutoMerge != nil,
		}),
	}
	for _, label := range p.Labels {
		change.Labels = append(change.Labels, label.Name)
	}
	change.Draft = p.Draft || slices.Contains(change.Labels, promote.DraftLabel)
	switch {
	case p.MergedAt != nil:
		change.State = promote.ChangeMerged
		change.Merged = promote.Commit(p.MergeCommitSHA)
		change.MergedBy = p.MergedBy.name()
	case p.State == "closed":
		change.State = promote.ChangeClosed
	}
	return change
}

// A stamp is a time of GitHub's. One that cannot be read is the zero time: no answer is worth losing for it.
type stamp struct{ time.Time }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (s *stamp) UnmarshalJSON(data []byte) error {
	s.Time = time.Time{}
	var text string
	if json.Unmarshal(data, &text) == nil {
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			s.Time = at.UTC()
		}
	}
	return nil
}
