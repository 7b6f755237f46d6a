// Package github turns GitHub's pull requests, comments, statuses, check runs, members and deployments into the forge-neutral
// facts of package promote, and carries out what promote decided.
//
// It owns the REST and GraphQL APIs of one repository, on github.com, on GitHub Enterprise Cloud with data residency and on GitHub
// Enterprise Server 3.17 or newer, GitHub's webhook bodies and their authentication, and the tokens of a GitHub App. It decides
// nothing about promotions, serves no HTTP and knows nothing of Git.
//
// Rules that hold for every method of [Forge]:
//
//   - A refusal of GitHub is a *promote.APIError (found with errors.As), which wraps the sentinel that callers branch on. A limit is
//     promote.ErrLimited, whether GitHub says 403 or 429; RetryAfter says when it is worth asking again.
//   - Reading is retried a bounded number of times. When it is not known whether a write arrived, because no answer or a 5xx came,
//     the forge is asked for the effect before the error is returned. Only what is the same twice as once, such as the replacement of
//     a text, is sent once more instead.
//   - No message, error or log line holds a token or a key.
//   - Limits are planned for, see [Limits]: writes go one after another, and what creates content is counted before it is sent.
//   - What was read once is asked for with its ETag: GitHub does not count an answer that nothing has changed.
package github
