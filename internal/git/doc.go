// Package git talks to one remote Git repository over smart HTTP, without a work tree and without a clone on disk.
//
// It owns: reading refs, commits and trees of the remote at a fixed commit; making commits by writing blobs and trees
// directly; and pushing them with an exact compare-and-swap on every ref. It makes no decisions: what to read, what to
// commit, and what to do when a ref moved is up to the caller.
//
// It does not own: work trees, merges, rebases, hooks, SSH, SHA-256 repositories, submodule contents or the credentials'
// life cycle.
//
// # Storage
//
// Everything is held in memory and may be lost at any time; it is filled again from the remote on demand. When the server
// offers partial clone (the capabilities "filter" and "allow-reachable-sha1-in-want") a commit is fetched at depth 1 with
// all its trees and no blobs, and blobs follow when they are read ([Tree.Prefetch] fetches many in one request). Otherwise
// a commit is fetched at depth 1 with everything. Later fetches are incremental against the commits already held.
// Trees are kept in raw form, large ones as deltas; objects that belong to none of the commits used last are dropped.
//
// # Limits
//
// A blob is at most [MaxBlobSize]; a larger one is reported as [ErrTooLarge]. One answer of the server holds at most
// 512 MiB of objects. History is walked 1,000 commits deep by [Repository.IsAncestor] and 10,000 by [Repository.Log].
//
// # Compare-and-swap and lost answers
//
// Every [RefUpdate] names the commit that the ref must point to; the server checks this while it holds the ref's lock, so
// of several racers exactly one wins and the others get [ErrMoved]. If the connection breaks after a push was sent, the
// error wraps [ErrOutcomeUnknown]: call [Repository.Refs] and compare each ref with RefUpdate.New. Commits are
// deterministic (equal requests give equal ids), so a repeated push of the same request ends at the same commit.
package git
