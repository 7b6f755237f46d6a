package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	maxURL = 2000 // characters of a link; browsers take no more
	// lackingHolds is how long a refusal of check runs holds. A permission that was granted since comes with the next token, which an App
	// makes every hour.
	lackingHolds = time.Hour
)

// A statusKey names one status. GitHub does not tell names apart by case.
type statusKey struct {
	head promote.Commit
	name string
}

func keyOf(head promote.Commit, name string) statusKey {
	return statusKey{head: head, name: strings.ToLower(name)}
}

// A post is what is known of a status: how GitHub holds it, and what it was made from, which may be longer.
type post struct {
	found  bool
	stored promote.Status
	full   promote.Status
	run    checkRun // zero for a commit status
}

// isCommitStatus says that there is one, and that it is no check run.
func (p post) isCommitStatus() bool { return p.found && p.run.ID == 0 }

// Status returns the status of that name on head, when ours is the newest of that name: a commit status of the account of the
// credentials, or a check run of the App. One that somebody else posted after it counts for GitHub instead of ours: then there is
// none of ours, and ours has to be posted again. So has a check run that lacks annotations.
func (f *Forge) Status(ctx context.Context, head promote.Commit, name string) (promote.Status, bool, error) {
	if head == "" {
		return promote.Status{}, false, fmt.Errorf("github: read status %q: the commit is required: %w", name, promote.ErrInvalid)
	}
	known, err := f.readStatus(ctx, head, name)
	if err != nil || !known.found || known.run.partial() {
		return promote.Status{}, false, err
	}
	return known.full, true, nil
}

// readStatus asks for a status and keeps the answer.
func (f *Forge) readStatus(ctx context.Context, head promote.Commit, name string) (post, error) {
	found, err := f.findStatus(ctx, head, name)
	if err != nil {
		return post{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	found.full = found.stored
	if old, ok := f.posted[keyOf(head, name)]; ok && old.found && sameStatus(old.stored, found.stored) {
		found.full = old.full
	}
	f.posted.put(keyOf(head, name), found)
	return found, nil
}

func (f *Forge) findStatus(ctx context.Context, head promote.Commit, name string) (post, error) {
	if f.usesChecks() {
		run, found, err := f.findRun(ctx, head, name)
		if !f.lacksChecks(ctx, err) && (found || err != nil || !f.lackedChecks()) {
			return post{found: found, stored: run.status(), run: run}, err
		}
	}
	newest, found, err := f.newestStatus(ctx, head, name)
	if err != nil || !found {
		return post{}, err
	}
	self, err := f.me(ctx)
	if err != nil {
		return post{}, err
	}
	return post{found: newest.Creator.is(self), stored: newest.status()}, nil
}

// newestStatus is the one that counts, whoever posted it. GitHub lists the newest first, 100 on a page: the next one is read only where
// there is one and ours was not found yet. What lies beyond 1,000 is taken for not there, and posted again.
func (f *Forge) newestStatus(ctx context.Context, head promote.Commit, name string) (commitStatus, bool, error) {
	query := url.Values{"per_page": {strconv.Itoa(perPage)}}
	for page := 1; page <= maxReportedPages; {
		var found []commitStatus
		response, err := f.get(ctx, request{
			name:    "read status",
			subject: fmt.Sprintf("%q of %s", name, head.Short()),
			path:    f.base + "/commits/" + url.PathEscape(string(head)) + "/statuses",
			query:   query,
		}, &found)
		if err != nil {
			return commitStatus{}, false, err
		}
		for _, status := range found {
			if strings.EqualFold(status.Context, name) {
				return status, true, nil
			}
		}
		if response.NextPage <= page {
			break
		}
		page = response.NextPage
		query.Set("page", strconv.Itoa(page))
	}
	return commitStatus{}, false, nil
}

// PostStatus posts a status on a head: a check run with Config.Checks, where the credentials may write them, a commit status
// otherwise. A head that has a commit status of ours keeps to it: GitHub requires both where there are two of one name. One that is
// there already as far as is known costs no request.
func (f *Forge) PostStatus(ctx context.Context, posted promote.PostStatus) error {
	if posted.Head == "" {
		return fmt.Errorf("github: post status %q: the head is required: %w", posted.Status.Name, promote.ErrInvalid)
	}
	f.markLater(ctx, posted.Change)
	if f.usesChecks() {
		known, err := post{}, error(nil)
		if !posted.New {
			known, err = f.knownStatus(ctx, posted.Head, posted.Status.Name)
		}
		asRun := f.usesChecks() && !known.isCommitStatus()
		if err == nil && asRun {
			err = f.postRun(ctx, posted, known)
		}
		if err != nil && !f.lacksChecks(ctx, err) || err == nil && asRun {
			return err
		}
	}
	return f.postCommitStatus(ctx, posted)
}

// knownStatus is a status as last read or written, read now if it never was.
func (f *Forge) knownStatus(ctx context.Context, head promote.Commit, name string) (post, error) {
	if known, ok := f.remembered(head, name); ok {
		return known, nil
	}
	return f.readStatus(ctx, head, name)
}

// usesChecks says whether check runs are asked for and, as far as is known, allowed.
func (f *Forge) usesChecks() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.checks && f.now().Sub(f.lacking) >= lackingHolds
}

// lackedChecks says whether commit statuses were posted instead of check runs at some time.
func (f *Forge) lackedChecks() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.lacking.IsZero()
}

// lacksChecks notes that the credentials may not write check runs, when that is what an error says: tokens of people never may. It
// is tried again after an hour. A refusal for another reason passes.
func (f *Forge) lacksChecks(ctx context.Context, err error) bool {
	api, ok := errors.AsType[*promote.APIError](err)
	if !ok || !errors.Is(err, promote.ErrForbidden) || !slices.ContainsFunc([]string{textNoIntegration, textNoPersonal, textNoApp}, func(text string) bool {
		return strings.Contains(api.Message, text)
	}) {
		return false
	}
	f.wire.Logger.WarnContext(ctx, "github: no check runs with these credentials, commit statuses are posted instead for an hour", "error", err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lacking = f.now()
	return true
}

func (f *Forge) remembered(head promote.Commit, name string) (post, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.posted[keyOf(head, name)]
	return known, ok
}

func (f *Forge) remember(head promote.Commit, made post) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.posted.put(keyOf(head, made.full.Name), made)
}

func (f *Forge) postCommitStatus(ctx context.Context, posted promote.PostStatus) error {
	wanted := shortened(posted.Status, maxDescription)
	made := post{found: true, stored: wanted, full: posted.Status}
	if known, ok := f.remembered(posted.Head, wanted.Name); ok && known.found && known.run.ID == 0 && sameStatus(known.stored, wanted) {
		f.remember(posted.Head, made)
		return nil
	}
	body := map[string]any{"state": statusWord(wanted.State), "context": wanted.Name, "description": wanted.Description}
	if wanted.URL != "" {
		body["target_url"] = wanted.URL
	}
	var answer commitStatus
	_, err := f.send(ctx, request{
		name:     "post status",
		subject:  fmt.Sprintf("%q on %s", wanted.Name, posted.Head.Short()),
		method:   http.MethodPost,
		path:     f.base + "/statuses/" + url.PathEscape(string(posted.Head)),
		body:     body,
		priority: statusPriority,
	}, &answer)
	if err == nil && answer.Creator.ID != 0 {
		f.learnSelf(answer.Creator)
	}
	if forge.InDoubt(ctx, err) {
		if now, lookup := f.readStatus(ctx, posted.Head, wanted.Name); lookup == nil && now.found && sameStatus(now.stored, wanted) {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	f.remember(posted.Head, made)
	return nil
}

// shortened is a status as GitHub takes it.
func shortened(status promote.Status, description int) promote.Status {
	status.Description = forge.CutRunes(strings.ToValidUTF8(status.Description, "\uFFFD"), description)
	if !linkable(status.URL) {
		status.URL = "" // A status without a link is better than none.
	}
	return status
}

// sameStatus leaves the link out: GitHub puts one of its own where there is none.
func sameStatus(a, b promote.Status) bool {
	return strings.EqualFold(a.Name, b.Name) && a.State == b.State && a.Description == b.Description
}

func linkable(link string) bool {
	parsed, err := url.Parse(link)
	return err == nil && (parsed.Scheme == "https" || parsed.Scheme == "http") && parsed.Host != "" && utf8.RuneCountInString(link) <= maxURL
}

type commitStatus struct {
	Context     string `json:"context"`
	State       string `json:"state"`
	Description string `json:"description"`
	TargetURL   string `json:"target_url"`
	Creator     user   `json:"creator"`
}

func (s commitStatus) status() promote.Status {
	out := promote.Status{Name: s.Context, Description: s.Description, URL: s.TargetURL}
	switch s.State {
	case "success":
		out.State = promote.StatusSuccess
	case "failure", "error":
		out.State = promote.StatusFailed
	}
	return out
}

func statusWord(state promote.StatusState) string {
	switch state {
	case promote.StatusSuccess:
		return "success"
	case promote.StatusFailed:
		return "failure"
	case promote.StatusPending:
	}
	return "pending"
}
