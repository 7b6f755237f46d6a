package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	mergeAttempts = 4
	mergeWait     = 500 * time.Millisecond // doubled each time
)

const mergeQuery = `
query Merge($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    autoMergeAllowed mergeCommitAllowed squashMergeAllowed rebaseMergeAllowed
    pullRequest(number: $number) {
      ...change
      baseRef {
        branchProtectionRule { requiresLinearHistory }
        rules(first: 100) {
          nodes {
            type
            repositoryRuleset { enforcement }
            parameters { __typename ... on PullRequestParameters { allowedMergeMethods } }
          }
        }
      }
    }
  }
}` + changeFields

const enqueueMutation = `
mutation Enqueue($id: ID!, $head: GitObjectID!) {
  enqueuePullRequest(input: {pullRequestId: $id, expectedHeadOid: $head}) { mergeQueueEntry { state position } }
}`

const autoMergeMutation = `
mutation AutoMerge($id: ID!, $head: GitObjectID!, $method: PullRequestMergeMethod, $title: String, $body: String) {
  enablePullRequestAutoMerge(
    input: {pullRequestId: $id, expectedHeadOid: $head, mergeMethod: $method, commitHeadline: $title, commitBody: $body}
  ) { pullRequest { number } }
}`

const dequeueMutation = `
mutation Dequeue($id: ID!) {
  dequeuePullRequest(input: {id: $id}) { mergeQueueEntry { state } }
}`

const noAutoMergeMutation = `
mutation NoAutoMerge($id: ID!) {
  disablePullRequestAutoMerge(input: {pullRequestId: $id}) { pullRequest { number } }
}`

// A prospect is a change that is to be merged, and how its repository merges.
type prospect struct {
	node
	BaseRef struct {
		BranchProtectionRule struct {
			RequiresLinearHistory bool `json:"requiresLinearHistory"`
		} `json:"branchProtectionRule"`
		Rules struct {
			Nodes []ruleOnBranch `json:"nodes"`
		} `json:"rules"`
	} `json:"baseRef"`

	methods []string // allowed by the repository and the rules of the target, in the order of our preference
	auto    bool     // the repository lets changes be set to merge by themselves
}

// prospect reads a change as it is now.
func (f *Forge) prospect(ctx context.Context, number int) (prospect, error) {
	var answer struct {
		Repository struct {
			Auto        bool      `json:"autoMergeAllowed"`
			Merge       bool      `json:"mergeCommitAllowed"`
			Squash      bool      `json:"squashMergeAllowed"`
			Rebase      bool      `json:"rebaseMergeAllowed"`
			PullRequest *prospect `json:"pullRequest"`
		} `json:"repository"`
	}
	asked := query{
		name: "read change", subject: strconv.Itoa(number), text: mergeQuery, variables: f.variables(map[string]any{"number": number}),
	}
	if err := f.graphql(ctx, asked, &answer); err != nil {
		return prospect{}, err
	}
	found := answer.Repository.PullRequest
	if found == nil {
		return prospect{}, f.notFound(asked, noSuchChange)
	}
	found.Body = f.whole(changeText(number), found.Body)
	found.auto = answer.Repository.Auto
	for _, method := range []struct {
		name    string
		allowed bool
	}{{"merge", answer.Repository.Merge}, {"squash", answer.Repository.Squash}, {"rebase", answer.Repository.Rebase}} {
		if method.allowed && found.ruled(method.name) {
			found.methods = append(found.methods, method.name)
		}
	}
	return *found, nil
}

// ruled says whether the rules of the target allow a method.
func (p prospect) ruled(method string) bool {
	if method == "merge" && p.BaseRef.BranchProtectionRule.RequiresLinearHistory {
		return false
	}
	return !slices.ContainsFunc(p.BaseRef.Rules.Nodes, func(rule ruleOnBranch) bool { return rule.active() && rule.forbids(method) })
}

// An order is a wish to merge.
type order struct {
	number  int
	head    promote.Commit
	message string
}

// Merge merges a change if its head is still head, and returns it with Merged filled. The first line of message becomes the title of
// the commit, the rest its text; empty leaves both to GitHub. A merge commit is preferred, then a squash, then a rebase, as far as
// the repository allows them; a rebase takes no message.
//
// Where the target has a merge queue the change is put into it, and where required checks have not ended and the repository allows
// it the change is set to merge by itself: it comes back open and promote.MergeQueued then. Both are pinned to head when they are
// asked for. When the head moves later, GitHub itself takes the change out of its queue, and switches auto-merge off when somebody
// without write access pushed; the required status has to be earned again by the new head in any case.
//
// What the rules of the branch forbid is never tried, not even with credentials that may bypass them. GitHub computes for some seconds
// after a push or a status; that is waited out, boundedly. The error wraps promote.ErrStale when the head moved,
// promote.ErrNotMergeable when something must happen first, promote.ErrForbidden when the credentials may not merge into the target. A
// change that turns out to be merged at head already is a success.
func (f *Forge) Merge(ctx context.Context, number int, head promote.Commit, message string) (promote.Change, error) {
	if head == "" {
		return promote.Change{}, fmt.Errorf("github: merge change %d: the head is required: %w", number, promote.ErrInvalid)
	}
	wish := order{number: number, head: head, message: message}
	for attempt := 0; ; attempt++ {
		now, err := f.prospect(ctx, number)
		if err != nil {
			return promote.Change{}, err
		}
		change, err := f.mergeOnce(ctx, wish, now)
		if _, again := errors.AsType[*soonError](err); !again || attempt+1 == mergeAttempts || f.pause(ctx, mergeWait<<attempt) != nil {
			return change, err
		}
	}
}

// A soonError is a refusal that may be over in some seconds.
type soonError struct{ error }

func (s *soonError) Unwrap() error { return s.error }

// mergeOnce does what the state of a change calls for.
func (f *Forge) mergeOnce(ctx context.Context, wish order, now prospect) (promote.Change, error) {
	if change, done, err := wish.settled(now); done {
		return change, err
	}
	word := strings.ToLower(now.MergeStateStatus)
	var missing requirements
	if word == wordBlocked {
		var err error
		if missing, err = f.requirements(ctx, wish.number); err != nil {
			return promote.Change{}, err
		}
	}
	switch {
	case missing.final():
		return promote.Change{}, wish.refused(missing.String())
	case missing.pending() && (now.auto || now.HasMergeQueue):
		return f.autoMerge(ctx, wish, now, missing)
	case missing.pending():
		return promote.Change{}, wish.refused(missing.String())
	case now.HasMergeQueue:
		return f.enqueue(ctx, wish, now)
	case mergeStates[word] == promote.MergeReady:
		return f.mergeNow(ctx, wish, now)
	}
	return promote.Change{}, &soonError{wish.refused(fmt.Sprintf("GitHub says %q, and nothing that it waits for", word))}
}

// settled says what needs no request any more.
func (o order) settled(now prospect) (promote.Change, bool, error) {
	change := now.change()
	switch {
	case change.Head != o.head:
		return promote.Change{}, true, fmt.Errorf("github: merge change %d: it is at %s instead of %s: %w",
			o.number, change.Head.Short(), o.head.Short(), promote.ErrStale)
	case change.State == promote.ChangeMerged, change.Merge == promote.MergeQueued:
		return change, true, nil
	case change.State == promote.ChangeClosed:
		return promote.Change{}, true, o.refused("it is closed")
	case now.IsDraft:
		return promote.Change{}, true, o.refused("it is a draft; mark it as ready")
	case change.Draft:
		return promote.Change{}, true, o.refused("it is to be a draft; take the label " + promote.DraftLabel + " off when it is ready")
	case change.Reason == reasonConflict:
		return promote.Change{}, true, o.refused("it has conflicts with its target")
	case strings.EqualFold(now.MergeStateStatus, wordBehind) && !now.HasMergeQueue:
		return promote.Change{}, true, o.refused("its branch is behind its target, which the rules of the branch do not allow")
	}
	return promote.Change{}, false, nil
}

// refused is an error that nobody at GitHub had to say.
func (o order) refused(why string) error {
	if why == "" {
		why = "GitHub does not say why"
	}
	return fmt.Errorf("github: merge change %d: %s: %w", o.number, why, promote.ErrNotMergeable)
}

// mergeNow merges by one request. A refusal is looked at: GitHub says 405 of nearly everything.
func (f *Forge) mergeNow(ctx context.Context, wish order, now prospect) (promote.Change, error) {
	if len(now.methods) == 0 {
		return promote.Change{}, wish.refused("the credentials see no way of merging that the repository allows")
	}
	body := map[string]any{"sha": string(wish.head), "merge_method": now.methods[0]}
	if title, text := wish.words(); title != "" && now.methods[0] != "rebase" {
		body["commit_title"], body["commit_message"] = title, text
	}
	var merged struct {
		SHA    promote.Commit `json:"sha"`
		Merged bool           `json:"merged"`
	}
	_, err := f.send(ctx, request{
		name:     "merge change",
		subject:  strconv.Itoa(wish.number),
		method:   http.MethodPut,
		path:     f.changePath(wish.number) + "/merge",
		body:     body,
		priority: mergePriority,
	}, &merged)
	if err != nil {
		return f.notMerged(ctx, wish, err)
	}
	change := now.change()
	change.State, change.Merged, change.Mergeability = promote.ChangeMerged, merged.SHA, mergeability(mergeFacts{})
	return change, nil
}

// words are title and text of the commit.
func (o order) words() (title, text string) {
	title, text, _ = strings.Cut(strings.TrimSpace(o.message), "\n")
	return forge.CutRunes(strings.TrimSpace(title), maxTitle), strings.TrimSpace(text)
}

// notMerged finds out what a refusal to merge means, or a lost answer.
func (f *Forge) notMerged(ctx context.Context, wish order, refusal error) (promote.Change, error) {
	api, ok := errors.AsType[*promote.APIError](refusal)
	switch {
	case !ok, errors.Is(refusal, promote.ErrLimited):
		return promote.Change{}, refusal
	case api.Status == http.StatusConflict:
		api.Remedy = "the branch moved since it was judged; it is judged again"
		return promote.Change{}, api.Meaning(promote.ErrStale)
	case !mergeRefusal(api.Status) && !forge.InDoubt(ctx, refusal):
		return promote.Change{}, refusal
	}
	now, err := f.prospect(ctx, wish.number)
	if err != nil {
		return promote.Change{}, err // It is not known what the refusal means.
	}
	if change, done, err := wish.settled(now); done {
		return change, err
	}
	if !mergeRefusal(api.Status) {
		return promote.Change{}, refusal
	}
	found := now.change()
	api.Remedy = fmt.Sprintf("see %s", now.URL)
	if found.Reason != "" {
		api.Remedy = fmt.Sprintf("GitHub says %q; see %s", found.Reason, now.URL)
	}
	meaning := api.Meaning(promote.ErrNotMergeable)
	if found.Merge == promote.MergeReady || found.Merge == promote.MergeChecking {
		return promote.Change{}, &soonError{meaning}
	}
	return promote.Change{}, meaning
}

// mergeRefusal says whether a status means "not now".
func mergeRefusal(status int) bool {
	return status == http.StatusMethodNotAllowed || status == http.StatusUnprocessableEntity
}

// enqueue puts a change into the merge queue.
func (f *Forge) enqueue(ctx context.Context, wish order, now prospect) (promote.Change, error) {
	var ignored struct{}
	err := f.graphql(ctx, query{
		name: "enqueue change", subject: strconv.Itoa(wish.number), text: enqueueMutation, writes: true,
		variables: map[string]any{"id": now.ID, "head": string(wish.head)},
	}, &ignored)
	if err != nil {
		return f.notSet(ctx, wish, err)
	}
	return queued(now, reasonQueue), nil
}

func queued(now prospect, reason string) promote.Change {
	change := now.change()
	change.Mergeability = promote.Mergeability{Merge: promote.MergeQueued, Reason: reason}
	return change
}

// autoMerge sets a change to merge by itself when what is required has passed. GitHub refuses when nothing is missing: then it is
// merged now.
func (f *Forge) autoMerge(ctx context.Context, wish order, now prospect, missing requirements) (promote.Change, error) {
	variables := map[string]any{"id": now.ID, "head": string(wish.head)}
	if len(now.methods) > 0 && !now.HasMergeQueue { // A queue has a method of its own.
		variables["method"] = strings.ToUpper(now.methods[0])
		if title, text := wish.words(); title != "" && now.methods[0] != "rebase" {
			variables["title"], variables["body"] = title, text
		}
	}
	var ignored struct{}
	err := f.graphql(ctx, query{
		name: "set auto-merge", subject: "of change " + strconv.Itoa(wish.number), text: autoMergeMutation, writes: true, variables: variables,
	}, &ignored)
	if err == nil {
		return queued(now, reasonAuto), nil
	}
	if api, ok := errors.AsType[*promote.APIError](err); ok && !now.HasMergeQueue &&
		(strings.Contains(api.Message, textClean) || strings.Contains(api.Message, textUnstable)) {
		return f.mergeNow(ctx, wish, now)
	}
	change, err := f.notSet(ctx, wish, err)
	if errors.Is(err, promote.ErrNotMergeable) {
		return change, fmt.Errorf("%w (%s)", err, missing)
	}
	return change, err
}

// notSet finds out what a refusal of GraphQL to merge later means, or a lost answer.
func (f *Forge) notSet(ctx context.Context, wish order, refusal error) (promote.Change, error) {
	api, ok := errors.AsType[*promote.APIError](refusal)
	refused := errors.Is(refusal, promote.ErrInvalid) || errors.Is(refusal, promote.ErrConflict)
	if !ok || !refused && !forge.InDoubt(ctx, refusal) {
		return promote.Change{}, refusal
	}
	now, err := f.prospect(ctx, wish.number)
	if err != nil {
		return promote.Change{}, err // It is not known what the refusal means.
	}
	if change, done, err := wish.settled(now); done {
		return change, err
	}
	if !refused {
		return promote.Change{}, refusal
	}
	return promote.Change{}, api.Meaning(promote.ErrNotMergeable)
}

// Unqueue takes a change out of the merge queue, and takes back that it is merged when its checks pass. One that is neither, or is
// merged already, is a success.
func (f *Forge) Unqueue(ctx context.Context, number int) error {
	now, err := f.prospect(ctx, number)
	if err != nil || now.State != "OPEN" {
		return err
	}
	return f.leave(ctx, number, now)
}

// leave takes back every way in which GitHub would merge a change by itself.
func (f *Forge) leave(ctx context.Context, number int, now prospect) error {
	for _, step := range []struct {
		set        bool
		name, text string
	}{
		{now.AutoMergeRequest != nil, "cancel auto-merge", noAutoMergeMutation},
		{now.MergeQueueEntry != nil, "leave merge queue", dequeueMutation},
	} {
		if !step.set {
			continue
		}
		var ignored struct{}
		err := f.graphql(ctx, query{
			name: step.name, subject: "of change " + strconv.Itoa(number), text: step.text, writes: true, variables: map[string]any{"id": now.ID},
		}, &ignored)
		if err == nil {
			continue
		}
		again, lookErr := f.prospect(ctx, number)
		if lookErr != nil || again.State == "OPEN" && (again.AutoMergeRequest != nil || again.MergeQueueEntry != nil) {
			return err
		}
		return nil // it has left meanwhile, or the answer was lost
	}
	return nil
}
