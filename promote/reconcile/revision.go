package reconcile

import (
	"context"
	"errors"
	"io/fs"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/render"
)

// At returns a repository at a branch, a tag, a range of tags or a commit. One that is not there is git.ErrNotFound.
func At(ctx context.Context, repository *git.Repository, revision string) (render.Remote, error) {
	commit, err := repository.Revision(ctx, revision)
	if err != nil {
		return render.Remote{}, err
	}
	tree, err := repository.Tree(ctx, commit)
	return render.Remote{Tree: tree, ID: commit, Version: commit}, err
}

// repository is the repository at a commit, for the renderer.
func (r *Reconciler) repository(ctx context.Context, commit promote.Commit) (render.Repository, error) {
	tree, err := r.treeAt(ctx, commit)
	if err != nil {
		return render.Repository{}, err
	}
	return r.as(tree), nil
}

// as is the repository with a tree of it.
func (r *Reconciler) as(tree fs.FS) render.Repository {
	return render.Repository{Tree: tree, URLs: r.URLs, Revision: string(r.memory.branch), At: func(ctx context.Context, revision string) (render.Remote, error) {
		remote, err := At(ctx, r.Git, revision)
		if errors.Is(err, git.ErrNotFound) {
			err = errors.Join(fs.ErrNotExist, err)
		}
		return remote, err
	}}
}
