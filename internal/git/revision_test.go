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
		repo.Git("branch", "1.0.x", second)
		repo.Git("branch", "3.x", second)
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
			{"1.0.x", first}, // a range, whatever branch is called so
			{"3.x", second},  // a range that takes nothing
			{"v1.0", ""},     // a version, not a range
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

func TestTheBeginningOfACommitIDMayBeThere(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", seed())
	head := repo.Head("main")
	repo.Git("tag", "abcdef0", head)
	r := open(t, repo.URL)
	if got, err := r.Revision(t.Context(), "abcdef0"); got != head || err != nil {
		t.Errorf("a tag is %s: %v", got, err)
	}
	_, err := r.Revision(t.Context(), "0123456")
	if want := `"0123456" is the beginning of a commit id, by which ` + r.URL() + ` cannot be asked: write all of it`; err == nil || err.Error() != want || errors.Is(err, git.ErrNotFound) {
		t.Errorf("error %v, want %s", err, want)
	}
}
