package discover_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
	"github.com/lockkeeper/lockkeeper/promote/expr"
)

// stepper is a clock that moves a second each time it is read.
type stepper struct {
	mu  sync.Mutex
	now time.Time
}

func (c *stepper) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Second)
	return c.now
}

func openGit(repoURL string, _ bool) (*git.Repository, error) {
	return git.Open(git.Config{URL: repoURL})
}

func newGit(change func(*discover.GitConfig)) *discover.Git {
	clock := &stepper{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	config := discover.GitConfig{Open: openGit, Now: clock.read}
	if change != nil {
		change(&config)
	}
	return discover.NewGit(config)
}

var gitPosition = promote.Position{File: "develop/warehouse.yaml", Line: 9, Column: 7}

func gitSubscription(repo *gittest.Repo, change func(*promote.GitSubscription)) promote.GitSubscription {
	sub := promote.GitSubscription{RepoURL: repo.URL, StrictSemvers: true, DiscoveryLimit: 20, Position: gitPosition}
	if change != nil {
		change(&sub)
	}
	return sub
}

// asked shortens recorded requests to what matters: reading refs, or fetching.
func asked(srv *gittest.Server) []string {
	var out []string
	for _, r := range srv.Requests() {
		what := "refs"
		if r.Method == http.MethodPost {
			what = "fetch"
		}
		out = append(out, what)
	}
	return out
}

// commitAt makes a commit with a time in seconds after 1700000000, with other parents than the branch's tip for a merge.
func commitAt(repo *gittest.Repo, branch, message string, seconds int, files map[string]string, merged ...string) string {
	var b strings.Builder
	person := fmt.Sprintf("Ann <ann@example.com> %d +0200", 1_700_000_000+seconds)
	fmt.Fprintf(&b, "commit refs/heads/%s\nauthor %s\ncommitter %s\ndata %d\n%s\n", branch, person, person, len(message), message)
	if head := repo.Head(branch); head != "" {
		fmt.Fprintf(&b, "from %s\n", head)
	}
	for _, parent := range merged {
		fmt.Fprintf(&b, "merge %s\n", parent)
	}
	for name, content := range files {
		fmt.Fprintf(&b, "M 100644 inline %s\ndata %d\n%s\n", name, len(content), content)
	}
	repo.GitInput(b.String()+"done\n", "fast-import", "--quiet", "--force", "--done")
	return repo.Head(branch)
}

// tagAt makes an annotated tag with a time in seconds after 1700000000.
func tagAt(repo *gittest.Repo, name, commit, message string, seconds int) {
	repo.GitInput(fmt.Sprintf("tag %s\nfrom %s\ntagger Rel <rel@example.com> %d +0000\ndata %d\n%s\ndone\n",
		name, commit, 1_700_000_000+seconds, len(message), message), "fast-import", "--quiet", "--done")
}

func TestNewestFromBranchIsItsTip(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", nil)
	first := commitAt(repo, "main", "first", 0, map[string]string{"a": "1"})
	long := "fix the parser so that it reads configuration files that have more than one döcument in them"
	tip := commitAt(repo, "main", long+"\nand more\n\nbody", 1, map[string]string{"a": "2"})
	sub := gitSubscription(repo, func(s *promote.GitSubscription) { s.Name = "config" })

	got, explanation, err := newGit(nil).Newest(t.Context(), sub)
	if err != nil {
		t.Fatal(err)
	}
	want := promote.GitCommit{
		RepoURL: repo.URL, ID: promote.Commit(tip), Subscription: "config",
		Message: "fix the parser so that it reads configuration files that have more than one d...",
		Author:  "Ann <ann@example.com>", Committer: "Ann <ann@example.com>", CreatedAt: time.Unix(1_700_000_001, 0).UTC(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	older := promote.GitCommit{
		RepoURL: repo.URL, ID: promote.Commit(first), Subscription: "config", Message: "first",
		Author: "Ann <ann@example.com>", Committer: "Ann <ann@example.com>", CreatedAt: time.Unix(1_700_000_000, 0).UTC(),
	}
	wantExplanation := discover.GitExplanation{
		RepoURL: repo.URL, Branch: "main", Looked: 2, Candidates: []promote.GitCommit{want, older}, Chosen: tip[:8],
	}
	if diff := cmp.Diff(wantExplanation, explanation); diff != "" {
		t.Errorf("explanation: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"refs", "fetch"}, asked(srv)); diff != "" {
		t.Errorf("requests: -want +got:\n%s", diff)
	}
}

// newestID runs one discovery and names the commit found, or gives the error.
func newestID(t *testing.T, g *discover.Git, sub promote.GitSubscription) string {
	t.Helper()
	commit, _, err := g.Newest(t.Context(), sub)
	if err != nil {
		return err.Error()
	}
	return string(commit.ID)
}

func TestNewestFromBranchFilters(t *testing.T) {
	for _, mode := range []struct {
		name    string
		options []gittest.Option
	}{{"partial clone", nil}, {"no filter", []gittest.Option{gittest.WithoutFilter()}}} {
		srv := gittest.NewServer(t, mode.options...)
		repo := srv.Repo("app.git", nil)
		ids := map[string]string{}
		ids["root"] = commitAt(repo, "main", "root", 0, map[string]string{"apps/web/x": "1", "README.md": "1"})
		repo.Git("update-ref", "refs/heads/side", ids["root"])
		ids["web"] = commitAt(repo, "main", "web: change", 10, map[string]string{"apps/web/x": "2"})
		ids["dots"] = commitAt(repo, "main", "dots", 20, map[string]string{"apps/a..b": "1"})
		ids["side"] = commitAt(repo, "side", "side work", 25, map[string]string{"side/x": "1"})
		ids["merge"] = commitAt(repo, "main", "merge side", 30, map[string]string{"side/x": "1"}, ids["side"])
		ids["readme"] = commitAt(repo, "main", "docs: readme [skip]", 40, map[string]string{"README.md": "2"})
		at := func(s int64) time.Time { return time.Unix(1_700_000_000+s, 0) }
		tests := []struct {
			name string
			sub  func(*promote.GitSubscription)
			want string // name of a commit, or the error
		}{
			{"no filter takes the tip", nil, "readme"},
			{"another branch", func(s *promote.GitSubscription) { s.Branch = "side" }, "side"},
			{"a folder", func(s *promote.GitSubscription) { s.Include = []string{"apps/web"} }, "web"},
			{"a folder with a name of two dots in it", func(s *promote.GitSubscription) { s.Include = []string{"/apps"} }, "dots"},
			{"a merge brings what it merges", func(s *promote.GitSubscription) { s.Include = []string{"side"} }, "merge"},
			{"a glob that only the first commit changes too", func(s *promote.GitSubscription) {
				s.Include, s.Filter = []string{"glob:**/*.md"}, `!(subject contains "skip")`
			}, "root"},
			{"an excluded path", func(s *promote.GitSubscription) { s.Exclude = []string{"regex:[.]md$", "side"} }, "dots"},
			{"an expression over the subject", func(s *promote.GitSubscription) { s.Filter = `subject startsWith "web:"` }, "web"},
			{"an expression over the date", func(s *promote.GitSubscription) { s.Filter = `commitDate.Unix() < 1700000015` }, "web"},
			{"an expression over author, committer and id", func(s *promote.GitSubscription) {
				s.Filter = fmt.Sprintf(`author == "Ann <ann@example.com>" && committer == author && id != %q`, ids["readme"])
			}, "merge"},
			{"since lets newer ones pass", func(s *promote.GitSubscription) { s.Since = at(40) }, "readme"},
			{
				"since ends the search", func(s *promote.GitSubscription) { s.Since, s.Include = at(20), []string{"apps/web"} },
				`no commit of branch "main" of ` + repo.URL + ` since ` + at(20).Format(time.RFC3339) + ` passes includePaths (looked at 3); push one, or set since to an earlier time at develop/warehouse.yaml:9:7`,
			},
			{
				"paths that nothing changes", func(s *promote.GitSubscription) { s.Include = []string{"nowhere"} },
				`none of the 5 commits of branch "main" of ` + repo.URL + ` passes includePaths; correct includePaths at develop/warehouse.yaml:9:7`,
			},
			{
				"a branch that does not exist", func(s *promote.GitSubscription) { s.Branch = "mian" },
				"repository " + repo.URL + `: branch "mian" does not exist; did you mean "main"?; correct branch at develop/warehouse.yaml:9:7`,
			},
			{
				"a pattern that cannot be read", func(s *promote.GitSubscription) { s.Exclude = []string{"regex:("} },
				"repository " + repo.URL + `: excludePaths: "regex:(" is not a regular expression: error parsing regexp: missing closing ): ` + "`(`; correct it at develop/warehouse.yaml:9:7",
			},
			{
				"an expression that is neither yes nor no", func(s *promote.GitSubscription) { s.Filter = "subject" },
				"repository " + repo.URL + `: expressionFilter on ` + ids["readme"][:8] + `: expression "subject" yields "docs: readme [skip]", a string, not true or false: compare it with something; correct it at develop/warehouse.yaml:9:7`,
			},
			{
				"an expression with a name of tags", func(s *promote.GitSubscription) { s.Filter = `tag == "x"` },
				"repository " + repo.URL + `: expressionFilter: expression "tag == \"x\"": unknown name: tag; known: author, commitDate, committer, id, subject; correct it at develop/warehouse.yaml:9:7`,
			},
		}
		for _, tt := range tests {
			t.Run(mode.name+": "+tt.name, func(t *testing.T) {
				want := tt.want
				if id, ok := ids[want]; ok {
					want = id
				}
				g := newGit(nil)
				sub := gitSubscription(repo, tt.sub)
				for _, when := range []string{"at first", "when asked again"} {
					if got := newestID(t, g, sub); got != want {
						t.Errorf("%s: got  %s\nwant %s", when, got, want)
					}
				}
			})
		}
	}
}

func TestNothingNewCostsOneReadingOfTheRefs(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", nil)
	repo.History("main", 30)
	commitAt(repo, "main", "web", 100, map[string]string{"apps/web/x": "1"})
	tagAt(repo, "v1.0.0", repo.Head("main"), "one", 0)
	tests := []struct {
		name string
		sub  func(*promote.GitSubscription)
	}{
		{"a branch", nil},
		{"a branch with filters", func(s *promote.GitSubscription) { s.Include, s.Filter = []string{"apps"}, `subject != ""` }},
		{"a branch where nothing passes", func(s *promote.GitSubscription) { s.Include = []string{"nowhere"} }},
		{"tags by version", func(s *promote.GitSubscription) { s.Strategy = promote.SelectSemVer }},
		{"tags by date", func(s *promote.GitSubscription) { s.Strategy = promote.SelectNewestTag }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGit(nil)
			sub := gitSubscription(repo, tt.sub)
			first, before, firstErr := g.Newest(t.Context(), sub)
			asked(srv)
			second, after, secondErr := g.Newest(t.Context(), sub)
			if diff := cmp.Diff([]string{"refs"}, asked(srv)); diff != "" {
				t.Errorf("requests: -want +got:\n%s", diff)
			}
			if before.Reused || !after.Reused {
				t.Errorf("reused: %v, then %v", before.Reused, after.Reused)
			}
			after.Reused = false
			if diff := cmp.Diff(before, after); diff != "" || first != second || fmt.Sprint(firstErr) != fmt.Sprint(secondErr) {
				t.Errorf("%v %v %v %v -first +second:\n%s", first, second, firstErr, secondErr, diff)
			}
		})
	}
}

func TestOnlyNewCommitsAreLookedAt(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", nil)
	commitAt(repo, "main", "web", 0, map[string]string{"apps/web/x": "1"})
	repo.History("main", 300)
	sub := gitSubscription(repo, func(s *promote.GitSubscription) { s.Include = []string{"apps"} })
	g := newGit(nil)
	web := newestID(t, g, sub)
	asked(srv)

	repo.History("main", 3)
	commit, explanation, err := g.Newest(t.Context(), sub)
	if err != nil || string(commit.ID) != web || explanation.Looked != 304 {
		t.Errorf("%v, looked at %d, %v", commit, explanation.Looked, err)
	}
	if diff := cmp.Diff([]string{"refs", "fetch", "fetch"}, asked(srv)); diff != "" {
		t.Errorf("requests after three commits: -want +got:\n%s", diff)
	}
	next := commitAt(repo, "main", "web again", 5, map[string]string{"apps/web/x": "2"})
	commit, explanation, err = g.Newest(t.Context(), sub)
	if err != nil || string(commit.ID) != next || len(explanation.Candidates) != 2 {
		t.Errorf("%v %v %v", commit, explanation.Candidates, err)
	}
	repo.Git("update-ref", "refs/heads/main", web)
	if got := newestID(t, g, sub); got != web {
		t.Errorf("after a forced push back: %s, want %s", got, web)
	}
}

func TestOneNewCommitIsFetchedOnceForAllSubscriptions(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", nil)
	files := map[string]string{}
	var subs []promote.GitSubscription
	for i := range 100 {
		app := fmt.Sprintf("apps/s%d", i)
		files[app+"/x"] = "1"
		subs = append(subs, gitSubscription(repo, func(s *promote.GitSubscription) { s.Include = []string{app} }))
	}
	all := commitAt(repo, "main", "all", 0, files)
	g := newGit(func(c *discover.GitConfig) { c.Fresh = time.Hour })
	for _, sub := range subs {
		newestID(t, g, sub)
	}
	asked(srv)
	one := commitAt(repo, "main", "one", 1, map[string]string{"apps/s7/x": "2"})
	g.Refresh(repo.URL)
	for i, sub := range subs {
		want := all
		if i == 7 {
			want = one
		}
		if got := newestID(t, g, sub); got != want {
			t.Errorf("%v: %s, want %s", sub.Include, got, want)
		}
	}
	if diff := cmp.Diff([]string{"refs", "fetch", "fetch"}, asked(srv)); diff != "" {
		t.Errorf("requests: -want +got:\n%s", diff)
	}
}

func TestTheWalkIsBounded(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", nil)
	repo.History("main", 60)
	g := newGit(func(c *discover.GitConfig) { c.MaxCommits = 40 })
	sub := gitSubscription(repo, func(s *promote.GitSubscription) { s.Include, s.Exclude = []string{"apps"}, []string{"docs"} })
	want := `none of the newest 40 commits of branch "main" of ` + repo.URL + ` passes includePaths and excludePaths, and no more are looked at; ` +
		`set since or branch, or loosen includePaths and excludePaths at develop/warehouse.yaml:9:7`
	if got := newestID(t, g, sub); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The second commit holds one folder twice, twenty-four levels deep: 16 million paths in two dozen objects.
func TestACommitWithMorePathsThanCanBeLookedAtIsLeftOut(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", nil)
	first := commitAt(repo, "main", "first", 0, map[string]string{"apps/x": "1"})
	entry := "100644 blob " + repo.Git("rev-parse", "main:apps/x")
	for range 24 {
		tree := strings.TrimSpace(repo.GitInput(entry+"\ta\n"+entry+"\tb\n", "mktree"))
		entry = "040000 tree " + tree
	}
	second := repo.Git("commit-tree", "-p", first, "-m", "second", strings.TrimPrefix(entry, "040000 tree "))
	repo.Git("update-ref", "refs/heads/main", second)
	g := newGit(nil)
	for _, exclude := range []string{"a", "b"} {
		sub := gitSubscription(repo, func(s *promote.GitSubscription) { s.Include, s.Exclude = []string{"glob:apps/x"}, []string{exclude} })
		commit, explanation, err := g.Newest(t.Context(), sub)
		want := []discover.Skipped{{Name: second[:8], Reason: "it changes more paths than can be looked at"}}
		if diff := cmp.Diff(want, explanation.Skipped); diff != "" || string(commit.ID) != first || err != nil {
			t.Errorf("%v %v; -want +got:\n%s", commit, err, diff)
		}
	}
}

func TestTagStrategies(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", nil)
	commit := map[string]string{}
	for i, name := range []string{"one", "two", "three", "four"} {
		commit[name] = commitAt(repo, "main", name+" is done", 10*i, map[string]string{"apps/" + name: "1"})
	}
	repo.Git("tag", "v1.0.0", commit["one"])
	tagAt(repo, "v1.10.0", commit["two"], "release ten\n\ntext", 500)
	repo.Git("tag", "1.10", commit["four"])
	tagAt(repo, "v2.0.0-rc.1", commit["three"], "candidate", 5)
	repo.Git("tag", "nightly-2", commit["one"])
	repo.Git("tag", "nightly-10", commit["four"])
	repo.Git("tag", "v9.0.0", repo.Git("rev-parse", "main:apps/one"))
	tests := []struct {
		name string
		sub  func(*promote.GitSubscription)
		want []string // candidates
	}{
		{"versions, whole ones", func(s *promote.GitSubscription) { s.Strategy = promote.SelectSemVer }, []string{"v2.0.0-rc.1", "v1.10.0", "v1.0.0"}},
		{"versions, loose ones too", func(s *promote.GitSubscription) {
			s.Strategy, s.StrictSemvers, s.Constraint = promote.SelectSemVer, false, ">=1.1.0"
		}, []string{"v1.10.0", "1.10"}},
		{"byte order", func(s *promote.GitSubscription) { s.Strategy, s.Allow = promote.SelectLexical, []string{"^nightly-"} }, []string{"nightly-2", "nightly-10"}},
		{
			"the tag's date, else the commit's", func(s *promote.GitSubscription) { s.Strategy = promote.SelectNewestTag },
			[]string{"v1.10.0", "1.10", "nightly-10", "v2.0.0-rc.1", "nightly-2", "v1.0.0"},
		},
		{"ignoring wins over allowing", func(s *promote.GitSubscription) {
			s.Strategy, s.Allow, s.Ignore = promote.SelectLexical, []string{"^v1", "^1"}, []string{"10"}
		}, []string{"v1.0.0"}},
		{"an expression over the tag", func(s *promote.GitSubscription) {
			s.Strategy, s.Filter = promote.SelectNewestTag, `annotation == "release ten" && tagger == "Rel <rel@example.com>" && subject == "two is done" && creatorDate.Unix() == 1700000500`
		}, []string{"v1.10.0"}},
		{"an expression over lightweight tags", func(s *promote.GitSubscription) {
			s.Strategy, s.Filter = promote.SelectLexical, `tagger == "" && annotation == "" && tag startsWith "v"`
		}, []string{"v1.0.0"}},
		{"paths of the tagged commit", func(s *promote.GitSubscription) {
			s.Strategy, s.Include = promote.SelectSemVer, []string{"apps/one"}
		}, []string{"v1.0.0"}},
		{"as many as the limit", func(s *promote.GitSubscription) {
			s.Strategy, s.DiscoveryLimit = promote.SelectSemVer, 2
		}, []string{"v2.0.0-rc.1", "v1.10.0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, explanation, err := newGit(nil).Newest(t.Context(), gitSubscription(repo, tt.sub))
			if err != nil {
				t.Fatal(err)
			}
			var tags []string
			for _, candidate := range explanation.Candidates {
				tags = append(tags, candidate.Tag)
			}
			if diff := cmp.Diff(tt.want, tags); diff != "" || got != explanation.Candidates[0] || got.Branch != "" {
				t.Errorf("got %v; -want +got:\n%s", got, diff)
			}
		})
	}
}

func TestTagProblems(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", map[string]string{"a": "1"})
	empty := srv.Repo("empty.git", nil)
	untagged := srv.Repo("untagged.git", map[string]string{"a": "1"})
	repo.Git("tag", "latest", "main")
	repo.Git("tag", "1.0", "main")
	semver := func(s *promote.GitSubscription) { s.Strategy = promote.SelectSemVer }
	tests := []struct {
		name string
		repo *gittest.Repo
		sub  func(*promote.GitSubscription)
		want string
	}{
		{
			"no tag is a version", repo, semver,
			"no tag of " + repo.URL + " is selected (1.0: not a whole semantic version (strictSemvers); latest: not a semantic version); correct the subscription at develop/warehouse.yaml:9:7, or push a tag that it selects",
		},
		{
			"no tag passes the expression", repo, func(s *promote.GitSubscription) { s.Strategy, s.Filter = promote.SelectLexical, "false" },
			"no tag of " + repo.URL + " is selected (latest: expressionFilter is false; 1.0: expressionFilter is false); correct the subscription at develop/warehouse.yaml:9:7, or push a tag that it selects",
		},
		{
			"no tags at all", untagged, semver,
			untagged.URL + " has no tags; push one, such as v1.0.0, or take commits of a branch: commitSelectionStrategy: NewestFromBranch",
		},
		{"no commits at all", empty, nil, "repository " + empty.URL + ": the repository has no commits; push one"},
		{
			"a constraint that is none", repo, func(s *promote.GitSubscription) { s.Strategy, s.Constraint = promote.SelectSemVer, "x y" },
			"repository " + repo.URL + `: semverConstraint "x y" is not a semantic version range: improper constraint: "x y"; correct it at develop/warehouse.yaml:9:7`,
		},
		{
			"a strategy of images", repo, func(s *promote.GitSubscription) { s.Strategy = promote.SelectDigest },
			"repository " + repo.URL + `: strategy "Digest" does not exist for Git; write NewestFromBranch, NewestTag, SemVer or Lexical at develop/warehouse.yaml:9:7`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := newestID(t, newGit(nil), gitSubscription(tt.repo, tt.sub)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestTagsThatAreNotSelectedChangeNothing(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", map[string]string{"a": "1"})
	repo.Git("tag", "v1.0.0", "main")
	g := newGit(nil)
	sub := gitSubscription(repo, func(s *promote.GitSubscription) { s.Strategy = promote.SelectSemVer })
	newestID(t, g, sub)
	asked(srv)
	repo.Git("tag", "nightly", "main")
	_, explanation, err := g.Newest(t.Context(), sub)
	if err != nil || !explanation.Reused || len(explanation.Skipped) != 1 {
		t.Errorf("%+v %v", explanation, err)
	}
	repo.Git("tag", "v1.0.1", "main")
	commit, _, err := g.Newest(t.Context(), sub)
	if err != nil || commit.Tag != "v1.0.1" {
		t.Errorf("%+v %v", commit, err)
	}
	if diff := cmp.Diff([]string{"refs", "refs"}, asked(srv)); diff != "" {
		t.Errorf("requests: -want +got:\n%s", diff)
	}
}

func TestSubscriptionsShareAReadingOfTheRefs(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", map[string]string{"a": "1"})
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	g := newGit(func(c *discover.GitConfig) { c.Fresh, c.Now = time.Minute, func() time.Time { return now } })
	sub := gitSubscription(repo, nil)
	first := newestID(t, g, sub)
	second := repo.Commit("main", "second", map[string]string{"a": "2"})
	asked(srv)
	if got := newestID(t, g, sub); got != first || len(asked(srv)) != 0 {
		t.Errorf("a fresh reading was not used: %s", got)
	}
	g.Refresh(strings.TrimSuffix(repo.URL, ".git"))
	if got := newestID(t, g, sub); got != second {
		t.Errorf("after Refresh: %s, want %s", got, second)
	}
	third := repo.Commit("main", "third", map[string]string{"a": "3"})
	now = now.Add(2 * time.Minute)
	if got := newestID(t, g, sub); got != third {
		t.Errorf("after its time: %s, want %s", got, third)
	}
}

func TestConcurrentSubscriptionsReadOnce(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", map[string]string{"apps/web/x": "1"})
	g := newGit(func(c *discover.GitConfig) { c.Fresh = time.Hour })
	var group errgroup.Group
	for i := range 50 {
		group.Go(func() error {
			_, _, err := g.Newest(t.Context(), gitSubscription(repo, func(s *promote.GitSubscription) { s.Exclude = []string{fmt.Sprint("x", i)} }))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := asked(srv); len(got) > 3 {
		t.Errorf("fifty subscriptions of one repository took %d requests, want at most 3", len(got))
	}
}

func TestRefusalsAreToldAndShared(t *testing.T) {
	srv := gittest.NewServer(t, gittest.WithBasicAuth("bot", "s3cret"))
	repo := srv.Repo("app.git", map[string]string{"a": "1"})
	withPassword := strings.Replace(repo.URL, "http://", "http://bot:wrong@", 1)
	tests := []struct{ name, url, want string }{
		{"no credentials", repo.URL, "read refs " + repo.URL + ": server answered 401 Unauthorized"},
		{"wrong credentials", withPassword, "check that the token is valid"},
		{"SSH at a port", "ssh://git@127.0.0.1:2222/acme/app.git", `repoURL "ssh://127.0.0.1:2222/acme/app.git" at develop/warehouse.yaml:9:7 is an address of SSH, repositories are read over HTTPS, and where that is cannot be told; write https://<host>/<repository>: it names a port`},
		{"no address", "acme/app", `open the repository at develop/warehouse.yaml:9:7: repository URL "acme/app": expected https://host/path.git`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sub := gitSubscription(repo, func(s *promote.GitSubscription) { s.RepoURL = tt.url })
			_, explanation, err := newGit(nil).Newest(t.Context(), sub)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error()+explanation.RepoURL, "wrong") {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
	g := newGit(func(c *discover.GitConfig) {
		c.Open = func(url string, _ bool) (*git.Repository, error) {
			return git.Open(git.Config{URL: url, Username: "bot", Password: secret.Text("s3cret")})
		}
	})
	if got := newestID(t, g, gitSubscription(repo, nil)); got != repo.Head("main") {
		t.Errorf("with the right credentials: %s", got)
	}
}

// diverted sends what is asked of one host to another.
type diverted struct{ from, to string }

func (d diverted) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme+"://"+req.URL.Host != d.from {
		return nil, fmt.Errorf("asked for %s", req.URL)
	}
	there := req.Clone(req.Context())
	there.URL.Scheme, there.URL.Host = "http", strings.TrimPrefix(d.to, "http://")
	resp, err := http.DefaultTransport.RoundTrip(there)
	if err == nil {
		resp.Request = req
	}
	return resp, err
}

func TestAddressesOfSSHAreReadOverHTTPS(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("acme/config.git", map[string]string{"a": "1"})
	tip := promote.Commit(repo.Head("main"))
	g := newGit(func(c *discover.GitConfig) {
		c.Fresh = time.Hour
		c.Open = func(url string, _ bool) (*git.Repository, error) {
			divert := diverted{"https://git.example.com", strings.TrimSuffix(repo.URL, "/acme/config.git")}
			return git.Open(git.Config{URL: url, HTTPClient: &http.Client{Transport: divert}})
		}
	})
	for _, url := range []string{"git@git.example.com:acme/config.git", "ssh://git@git.example.com/acme/config.git", "https://git.example.com/acme/config.git"} {
		sub := gitSubscription(repo, func(s *promote.GitSubscription) { s.RepoURL = url })
		commit, _, err := g.Newest(t.Context(), sub)
		if err != nil || commit.RepoURL != url || commit.ID != tip {
			t.Errorf("%s: found %s of %q, %v", url, commit.ID, commit.RepoURL, err)
		}
		finds := fmt.Sprintf("commitFrom('%s').ID == '%s'", url, tip)
		if ok, err := expr.Criteria(finds, promote.Artifacts{Commits: []promote.GitCommit{commit}}); !ok || err != nil {
			t.Errorf("%s: %t %v", finds, ok, err)
		}
	}
	if got := asked(srv); len(got) > 2 {
		t.Errorf("three spellings of one repository took %q", got)
	}
	if _, _, err := g.Newest(t.Context(), gitSubscription(repo, func(s *promote.GitSubscription) { s.RepoURL = "git@git.example.com:acme/other.git" })); err == nil ||
		!strings.Contains(err.Error(), "repository git.example.com:acme/other.git: read refs https://git.example.com/acme/other.git: ") {
		t.Errorf("error %v does not say what was read", err)
	}
}

func TestAServerThatWantsToBeLeftAloneIs(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", map[string]string{"a": "1"})
	srv.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	g := newGit(nil)
	for range 3 {
		if got := newestID(t, g, gitSubscription(repo, nil)); !strings.Contains(got, "429 Too Many Requests") {
			t.Error(got)
		}
	}
	if got := asked(srv); len(got) != 1 {
		t.Errorf("asked %d times, want 1", len(got))
	}
}

func TestNewestEndsWithItsContext(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", map[string]string{"a": "1"})
	ctx, cancel := context.WithCancel(t.Context())
	srv.Intercept(func(http.ResponseWriter, *http.Request) bool {
		cancel()
		return false
	})
	g := newGit(nil)
	if _, _, err := g.Newest(ctx, gitSubscription(repo, nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	srv.Intercept(nil)
	if got := newestID(t, g, gitSubscription(repo, nil)); got != repo.Head("main") {
		t.Errorf("the next call fails too: %s", got)
	}
}

// Nothing new over 1,000 subscriptions of one repository: one reading of the refs serves all.
func BenchmarkNothingNew(b *testing.B) {
	srv := gittest.NewServer(b)
	repo := srv.Repo("app.git", nil)
	files := map[string]string{}
	subs := make([]promote.GitSubscription, 1000)
	for i := range subs {
		files[fmt.Sprintf("apps/s%d/x", i)] = "1"
		subs[i] = gitSubscription(repo, func(s *promote.GitSubscription) {
			s.Include, s.Filter = []string{fmt.Sprintf("apps/s%d", i)}, `author != ""`
		})
	}
	commitAt(repo, "main", "all", 0, files)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	g := newGit(func(c *discover.GitConfig) { c.Fresh, c.Now = 10*time.Second, func() time.Time { return now } })
	round := func() {
		for _, sub := range subs {
			if _, _, err := g.Newest(b.Context(), sub); err != nil {
				b.Fatal(err)
			}
		}
	}
	round()
	asked(srv)
	requests := 0
	for b.Loop() {
		now = now.Add(5 * time.Minute)
		round()
		requests += len(asked(srv))
	}
	b.ReportMetric(float64(requests)/float64(b.N), "requests/op")
}
