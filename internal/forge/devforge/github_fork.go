package devforge

import (
	"context"
	"fmt"
	"strings"
)

// Fork is a pull request whose head is in somebody else's repository. Forks do not exist here as repositories: the commit is
// fetchable as refs/pull/<number>/head and nowhere else, as it is for those who have no access to the fork.
type Fork struct {
	Owner  string // required; an account, which opens the pull request
	Branch string // required; of the fork, and may be called as one of ours
	Title  string // required
	Files  map[string]string
}

// OpenFromFork opens a pull request to the default branch and returns its number. Its further pushes cannot be shown.
func (f *Forge) OpenFromFork(ctx context.Context, path string, fork Fork) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, u := f.tables.projectAt(path), f.tables.userNamed(fork.Owner)
	if p == nil || u == nil {
		return 0, fmt.Errorf("fork of %q by %q: %w", path, fork.Owner, ErrNotFound)
	}
	base, err := p.repo.head(ctx, p.DefaultBranch)
	if err != nil {
		return 0, err
	}
	// The commit needs a branch to be written on; it is gone before the lock is.
	by, passing := identity{name: u.Name, email: u.email(), at: f.now()}, "fork-of-"+u.Name
	sha, err := p.repo.write(ctx, change{branch: passing, parent: base, message: fork.Title, by: by, files: fork.Files})
	if err != nil {
		return 0, err
	}
	m := &mergeRequest{
		State: stateOpened, Author: u.ID, Title: fork.Title, Source: fork.Branch, Target: p.DefaultBranch, SHA: sha,
		GitHub: githubRequest{Fork: u.Name + "/" + p.name()},
	}
	if err := f.openPull(ctx, p, m, u); err != nil {
		return 0, err
	}
	return m.IID, p.repo.setRef(ctx, headsPrefix+passing, "", sha)
}

// headOwner is the account in front of the colon of a head.
func (m *mergeRequest) headOwner(p *project) string {
	if owner, _, ok := strings.Cut(m.GitHub.Fork, "/"); ok {
		return owner
	}
	return p.namespace()
}
