// Package forgetest is what promote/reconcile expects of a forge, told once: one suite that each adapter passes, in the same rows.
// It has tests only.
//
// The adapters run unmodified, over HTTP, against [github.com/lockkeeper/lockkeeper/internal/forge/devforge]: the one for GitLab with a
// token, the one for GitHub as an App with check runs and with a token and commit statuses. People act over the same API, with tokens
// of their own. Every request and every answer is held against the forges' official descriptions, where they are at hand. Where the
// forges differ by nature, the row says so.
//
// # Against a real forge
//
// The rows that need neither faults nor what only devforge can be told also run against a real forge, in a repository that may be thrown
// away: they push to its default branch, and leave changes, comments and statuses behind. Two accounts are needed: Lockkeeper's, which
// may merge into the default branch, and that of a person who maintains the repository. Nothing may be required for merging, and every
// method of merging must be allowed.
//
//	LOCKKEEPER_LIVE_GITHUB              URL, such as https://github.com
//	LOCKKEEPER_LIVE_GITHUB_REPOSITORY   owner/name
//	LOCKKEEPER_LIVE_GITHUB_TOKEN        of Lockkeeper's account
//	LOCKKEEPER_LIVE_GITHUB_PERSON       token of the person
//
// and the same with GITLAB, where the repository is the project's path. For example:
//
//	go test ./internal/forge/forgetest -run Live -v
package forgetest
