package git_test

import (
	"errors"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
)

func TestRevision(t *testing.T) {
	modes(t, func(t *testing.T, srv *gittest.Server) {
		repo := srv.Repo("app.git", seed())
		first := repo.Head("main")
		repo.Git("tag", "v1.0.0", first)
		second := repo.Commit("main", "second", map[string]string{"x": "1"})
		repo.Git("tag", "-a", "-m", "two", "v1.2.0", second)
		repo.Git("tag", "v2.0.0-rc.1", second)
		repo.Git("branch", "release/1.0", first)
		repo.Git("tag", "both", first)
		repo.Git("branch", "both", second)
		r := open(t, repo.URL)
		for _, c := range []struct{ name, want string }{
			{"", second},
			{"HEAD", second},
			{"main", second},
			{"release/1.0", first},
			{"refs/heads/release/1.0", first},
			{"v1.0.0", first},
			{"v1.2.0", second},
			{"both", second},
			{"1.0.*", first},
			{"^1.0", second},
			{">=2.0.0-0", second},
			{first, first},
			{">=3", ""},
			{"nope", ""},
			{"../main", ""},
			{"0123456789012345678901234567890123456789", ""},
		} {
			got, err := r.Revision(t.Context(), c.name)
			if c.want == "" {
				if !errors.Is(err, git.ErrNotFound) {
					t.Errorf("%q: error %v, want not found", c.name, err)
				}
				continue
			}
			if err != nil || got != c.want {
				t.Errorf("%q is %s, want %s: %v", c.name, got, c.want, err)
				continue
			}
			tree(t, r, got)
		}
	})
}
