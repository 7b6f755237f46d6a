// Package gitlab turns GitLab's merge requests, notes, statuses, members and webhooks into the forge-neutral facts of package
// promote, and carries out what promote decided.
//
// It owns the REST API below /api/v4 of one project, GitLab's webhook bodies and their authentication. It decides nothing
// about promotions, serves no HTTP and knows nothing of Git.
//
// Rules that hold for every method of [Forge]:
//
//   - A refusal of GitLab is a *promote.APIError (found with errors.As), which wraps the sentinel that callers branch on.
//   - Reading is retried a bounded number of times. Writing is sent once. When it is not known whether a write arrived, because
//     no answer or a 5xx came, the forge is asked for the effect before the error is returned. What is the same twice as once, such
//     as the replacement of a text, is left to the next run instead.
//   - No message, error or log line holds the token.
//   - What GitLab's limits do not allow now is not sent: the last requests of a window are kept for statuses, see [Limits].
//
// A discussion is a [promote.Thread]. Its notes are read among all others, and what is said in it is answered in it. Where a repository
// wants it, errors are shown as discussions of their own, resolved when they are gone. The verdict of the gates is the commit status,
// which people cannot resolve away as they could a discussion: nothing is decided from one.
//
// Webhooks follow https://docs.gitlab.com/user/project/integrations/webhooks/ and, for signatures, Standard Webhooks.
package gitlab
