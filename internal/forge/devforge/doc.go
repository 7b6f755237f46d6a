// Package devforge is a forge in one process: GitLab's REST dialect, or GitHub's REST and GraphQL, and a few web pages over real
// bare Git repositories.
//
// It serves the demo, where a person reads and merges on its pages, and the tests of every part that talks to a forge. Branch
// heads, diffs, merges and conflicts are never tables: they come from the git binary, run with fixed arguments and without a
// shell. Users, merge requests, notes, reactions, labels, statuses, members and hooks are tables in memory, optionally saved
// as one file so that a killed demo goes on where it was.
//
// It owns how a forge answers: paths, status codes, field names, the order of checks, texts of errors, webhooks out. It does
// not own what a client of ours does with them, and it knows nothing about promotions.
//
// The words here are GitLab's, not the domain's: merge request, note, award emoji. Where a rule is not obvious, the comment
// names its source: GitLab's documentation ("doc/api/…") or source ("lib/api/…", "app/services/…").
//
// What GitLab's dialect leaves out, because it cannot be shown offline or nobody here needs it: forks, groups beyond their members, approvals as a gate,
// CI of its own (see [Forge.RunPipeline]), milestones, issues, rate limits. It listens on nothing by itself: whoever mounts
// [Forge.Handler] should do so on loopback only, for tokens are plain text here.
//
// # GitHub
//
// With Config.Dialect the same tables and repositories are a GitHub Enterprise: REST below /api/v3, GraphQL at /api/graphql,
// refs/pull/<number>/head, pages at /<owner>/<name>/pull/<number>. Files named github_*.go hold it, in GitHub's words where they
// differ: pull request, comment, check run. Sources are named by title: "REST, Merge a pull request" is a page of docs.github.com,
// "GraphQL, MergeStateStatus" a description in the schema, "octokit-fixtures" a recorded answer. Access levels are roles: Reporter
// reads, [AccessTriage] triages, Developer writes, Maintainer maintains, Owner administers. A state file belongs to one dialect.
//
// GraphQL is executed without a schema: a field that is not known is refused, as if GitHub did not have it. Forks exist only as
// the head of a pull request ([Forge.OpenFromFork]). What the merge queue does not have: jumping ahead. It is HEADGREEN: of a group of
// several entries the last one's commit is judged, and a failure takes that one out. Time passes for it when something happens in the
// project, or when a test says so ([Forge.QueueWaits]).
//
// # State file
//
// With Config.Persist, Root/state.json holds the tables after each write: {"last": {"user": 3, …}, "users": […],
// "projects": […]}. It is replaced as a whole, mode 0600, as it holds tokens. Repositories are Root/repositories/<path>.git.
package devforge
