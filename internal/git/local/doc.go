// Package local reads a clone on this machine: its commits and the files as they lie on disk.
//
// It owns finding the repository from a folder inside it, understanding what a person calls a revision, and giving the
// files of a commit, or of the work tree, as a read-only file system. It writes nothing: no ref, no index, no object.
//
// It does not own the network: what a partial clone lacks is fetched by git itself, if it can. It makes no decisions
// about what to compare.
//
// # How
//
// Git itself is asked, because it alone knows every form that a clone can have (linked work trees, alternates, shallow and
// sparse and partial clones, ignore rules, SHA-256). One `git cat-file --batch` process answers all reads; requests for
// many files are sent without waiting for the answers. In a repository of 30,000 files a commit's folders cost one tree
// object each and its files one blob each, read when asked for and kept by id.
//
// # The work tree
//
// [Repository.WorkTree] is the commit that is checked out with everything changed on disk laid over it, as `git status`
// sees it: modified, deleted and new files, without ignored ones. Files and folders that did not change have the ids that
// they have in the commit, so comparing the two costs what changed. Changed files are read once, when the work tree is
// taken; what happens on disk afterwards does not show. Symbolic links are never followed, and nothing outside of the
// work tree is read.
package local
